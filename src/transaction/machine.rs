//! Any of the four machines.
use super::ClientId;
use super::invite_client::InviteClient;
use super::invite_server::InviteServer;
use super::non_invite_client::NonInviteClient;
use super::non_invite_server::NonInviteServer;
use super::step::{Fate, Step};
use super::timers::Tick;

pub(super) enum Machine {
    InviteClient(InviteClient),
    NonInviteClient(NonInviteClient),
    InviteServer(InviteServer),
    NonInviteServer(NonInviteServer),
}

impl Machine {
    pub(super) fn deadline(&self) -> Tick {
        match self {
            Machine::InviteClient(machine) => machine.deadline(),
            Machine::NonInviteClient(machine) => machine.deadline(),
            Machine::InviteServer(machine) => machine.deadline(),
            Machine::NonInviteServer(machine) => machine.deadline(),
        }
    }

    /// Looks at the bytes that are sent again, and changes nothing: what lies far apart is so fetched before it is needed.
    pub(super) fn look(&self) -> bool {
        match self {
            Machine::InviteClient(machine) => machine.look(),
            Machine::NonInviteClient(machine) => machine.look(),
            Machine::InviteServer(machine) => machine.look(),
            Machine::NonInviteServer(machine) => machine.look(),
        }
    }

    pub(super) fn on_timer(&mut self, step: &mut Step<'_>) -> Fate {
        match self {
            Machine::InviteClient(machine) => machine.on_timer(step),
            Machine::NonInviteClient(machine) => machine.on_timer(step),
            Machine::InviteServer(machine) => machine.on_timer(step),
            Machine::NonInviteServer(machine) => machine.on_timer(step),
        }
    }

    pub(super) fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        match self {
            Machine::InviteClient(machine) => machine.on_transport_error(step),
            Machine::NonInviteClient(machine) => machine.on_transport_error(step),
            Machine::InviteServer(machine) => machine.on_transport_error(step),
            Machine::NonInviteServer(machine) => machine.on_transport_error(step),
        }
    }

    pub(super) fn is_client(&self) -> bool {
        matches!(self, Machine::InviteClient(_) | Machine::NonInviteClient(_))
    }

    pub(super) fn is_waiting_cancel(&self) -> bool {
        matches!(self, Machine::NonInviteClient(machine) if machine.is_waiting())
    }

    pub(super) fn cancel(&self) -> Option<ClientId> {
        match self {
            Machine::InviteClient(machine) => machine.cancel(),
            _ => None,
        }
    }
}
