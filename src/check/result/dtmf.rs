//! The result of digits, for programs.

use crate::check::Name;
use crate::media::digit::Digit;
use crate::media::dtmf::{Comparison, DtmfMethod, Observation};

/// Results of digits that were sent by one method.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DtmfResult {
    /// The step that it belongs to: `rfc4733`, `info`, `inband`, `rfc4733-after-hold`.
    pub step: Name,
    /// Method by which they were sent.
    pub way: DtmfMethod,
    /// The digits that were sent.
    pub sent: Vec<Digit>,
    /// Digits that arrived, with their defects; `None` when they could not all be sent.
    pub judged: Option<Comparison>,
    /// Everything that arrived, by every way, as it came.
    pub observed: Vec<Observation>,
    /// The part of the packets that was lost on the way meanwhile, 0 to 1.
    pub loss: f64,
    /// Codes of the findings about them.
    pub defects: Vec<Name>,
}

impl DtmfResult {
    /// The digits that a receiver of this method has read; `None` when they could not all be sent.
    pub fn received(&self) -> Option<&str> {
        self.judged.as_ref().map(|judged| judged.received.as_str())
    }

    /// Did all digits arrive as they were sent, each once, and no other?
    pub fn is_good(&self) -> bool {
        self.judged.as_ref().is_some_and(Comparison::is_good)
    }
}
