//! Why a check has to end before it is whole, and who asked for that.

use super::Name;
use std::sync::{Arc, OnceLock};

/// Why a check has to end before it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Somebody asked the probe to stop.
    Stopped,
    /// The time for the whole check is over.
    TimeLimit,
}

/// The person, signal or program that stopped a probe, where that was said; a branch is stopped by its own word or by that of the probe it is of.
#[derive(Debug, Default)]
pub(super) struct StoppedBy {
    own: OnceLock<Name>,
    of: Option<Arc<StoppedBy>>,
}

impl StoppedBy {
    pub(super) fn branch(self: &Arc<StoppedBy>) -> StoppedBy {
        StoppedBy { own: OnceLock::new(), of: Some(Arc::clone(self)) }
    }

    /// Keeps the first name.
    pub(super) fn set(&self, by: Name) {
        self.own.get_or_init(|| by);
    }

    pub(super) fn get(&self) -> Option<&Name> {
        self.own.get().or_else(|| self.of.as_ref()?.get())
    }
}
