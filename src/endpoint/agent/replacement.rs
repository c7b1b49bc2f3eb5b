//! An INVITE with Replaces, and the call of this agent that it names (RFC 3891 sec. 3).

use super::{CallHandle, Invitation, directory};
use crate::ua::call::{Call, Command, Input};
use crate::ua::transfer::{DialogState, Replaces};
use std::time::Instant;

/// What the Replaces of an INVITE comes to here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replacement {
    /// As it was read; `None` when it cannot be, or when there are several.
    pub replaces: Option<Replaces>,
    /// How the dialog that it names stands.
    pub state: DialogState,
    /// May it be obeyed? Else the status that the INVITE is refused with: 400, 481, 486 or 603.
    pub decision: Result<(), u16>,
}

impl Replacement {
    /// Is this the call that it names?
    pub fn is_of(&self, call: &CallHandle) -> bool {
        self.replaces.as_ref().is_some_and(|replaces| {
            *replaces.dialog.call_id == *call.call_id().as_bytes()
                && *replaces.dialog.local_tag == *call.local_tag().as_bytes()
        })
    }
}

impl Invitation {
    /// What its Replaces comes to at this moment; `None` when it has none.
    pub fn replaces(&self) -> Option<Replacement> {
        let now = tokio::time::Instant::now().into_std();
        Some(match Replaces::of_invite(&self.message)? {
            Ok(replaces) => {
                let (_, state) = self.agent.directory.named(now, &replaces);
                Replacement { state, decision: replaces.judge(state), replaces: Some(replaces) }
            }
            Err(_) => Replacement { replaces: None, state: DialogState::Unknown, decision: Err(400) },
        })
    }

    /// Takes it as if it had no Replaces: a phone that does not know them rings a second time.
    #[must_use]
    pub fn ignoring_replaces(mut self) -> Invitation {
        self.ignores_replaces = true;
        self
    }

    /// Refuses a call whose Replaces cannot be obeyed; gives the one that it takes the place of.
    pub(super) fn obey_replaces(&self, now: Instant, call: &mut Call) -> Option<directory::Key> {
        let replaces = call.replaces().filter(|_| !self.ignores_replaces)?.clone();
        let (key, state) = self.agent.directory.named(now, &replaces);
        match replaces.judge(state) {
            Ok(()) => Some(key),
            Err(status) => {
                call.handle_input(now, Input::Command(Command::Refuse { status, reason: None }));
                None
            }
        }
    }
}
