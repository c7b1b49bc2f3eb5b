//! The two legs of a call between devices.

/// Which leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Caller,
    Called,
}

impl Which {
    pub(super) fn other(self) -> Which {
        match self {
            Which::Caller => Which::Called,
            Which::Called => Which::Caller,
        }
    }
}
