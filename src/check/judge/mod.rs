//! What was seen, judged: pure functions from facts to the verdict of a step. No socket, no clock, no waiting; tested by tables.

pub(super) mod refusal;
