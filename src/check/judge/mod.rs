//! Pure functions from what was seen to the verdict of a step. No socket, no clock, no waiting; tested by tables.

pub(super) mod announcement;
pub(super) mod astray;
pub(super) mod audio;
pub(super) mod called;
pub(super) mod cancel;
pub(super) mod cause;
pub(super) mod change;
pub(super) mod described;
pub(super) mod digits;
pub(super) mod fork;
pub(super) mod form;
pub(super) mod hold;
pub(super) mod media;
pub(super) mod own_end;
pub(super) mod quote;
pub(super) mod refusal;
pub(super) mod release;
pub(super) mod request;
pub(super) mod setup;
pub(super) mod status;
pub(super) mod surplus;
pub(super) mod transfer;
pub(super) mod unlike;
pub(super) mod unused;

use super::judged::StepVerdict;

impl StepVerdict {
    /// The same, with what came before it and is its cause.
    pub(super) fn because(mut self, cause: &str) -> StepVerdict {
        self.detail = format!("{cause}; {}", self.detail);
        if let Some(finding) = &mut self.finding {
            finding.seen = format!("{cause}; {}", finding.seen);
        }
        self
    }
}
