//! The reactions of the target of a transfer.

/// Reaction of the target when the transferee calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferTarget {
    /// Answers.
    Answers,
    /// Refuses with this status, e.g. 486.
    Refuses(u16),
    /// Rings, and never answers.
    Rings,
}
