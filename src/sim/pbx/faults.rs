//! The faults of one call.

use crate::sim::fault::{Fault, Instead, Kind};

/// The faults of all who take part in a call; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(std::sync::Arc<[Kind]>);

impl Faults {
    pub(super) fn of<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Faults {
        Faults(faults.into_iter().map(|fault| fault.kind).collect())
    }
    /// Those of the other call too.
    pub(super) fn and<'a>(&self, faults: impl IntoIterator<Item = &'a Fault>) -> Faults {
        Faults(self.0.iter().copied().chain(faults.into_iter().map(|fault| fault.kind)).collect())
    }
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }
    /// What the first fault gives that `pick` knows.
    pub(super) fn find<T>(&self, pick: impl Fn(Kind) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|kind| pick(*kind))
    }
    /// Whom the target of a transfer sees instead of the transferee.
    pub(super) fn identity_lost(&self) -> Option<Instead> {
        self.find(|kind| match kind {
            Kind::IdentityLost(instead) => Some(instead),
            _ => None,
        })
    }
    /// Whether no RTP is passed on from the caller, and none to it.
    pub(super) fn blocks(&self) -> (bool, bool) {
        let blocked = self.0.iter().filter_map(|kind| match kind {
            Kind::NoRtp { forward, backward } => Some((*forward, *backward)),
            _ => None,
        });
        blocked.fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1))
    }
}
