//! Why a check has to end before it is whole.

/// Why a check has to end before it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Somebody asked the probe to stop.
    Stopped,
    /// The time for the whole check is over.
    TimeLimit,
}
