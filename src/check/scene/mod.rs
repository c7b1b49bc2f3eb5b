//! The scene of a question about calls: our ends, their calls, and what happens in all of them in one order.

mod change;
mod ears;
mod ends;
mod leg;
mod party;
mod referral;
pub(super) mod trace;
mod withheld;

pub(super) use change::Change;
pub(super) use ears::Ear;
pub(super) use ends::{Ends, Until};
pub(super) use leg::{Ended, Leg, Seen};
pub(super) use party::{Expect, Party};
