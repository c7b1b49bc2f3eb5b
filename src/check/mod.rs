//! One file per question; the answer is always an [`Outcome`].

mod account;
mod outcome;

pub use account::{Account, Secret};
pub use outcome::{Fact, Finding, Metric, MetricValue, Outcome, Severity, Side, Step, Transcript, Verdict};
