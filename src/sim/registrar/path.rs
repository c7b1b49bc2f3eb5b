//! What faults do to the whole transport of a user: to its REGISTERs, its calls, and everything else that it sends and gets.

use super::{Delivery, MAX_FLOWS, Output, Registrar, is_accepting, key};
use crate::message::{Flow, Message, Transport};
use crate::sim::fault::Kind;
use std::time::Duration;

/// What becomes of a request of a user on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Passage {
    /// It arrives.
    In,
    /// It is as if it had never come.
    Silence,
    /// It is lost, and its connection with it.
    Closed,
    /// It is too large (513).
    TooLarge,
}

impl Registrar {
    fn kind<T>(&self, user: &str, pick: impl Fn(Kind) -> Option<T>) -> Option<T> {
        self.accounts.get(user).and_then(|account| account.user.find(pick))
    }

    fn has(&self, user: &str, kind: Kind) -> bool {
        self.accounts.get(user).is_some_and(|account| account.user.has(kind))
    }

    /// Does this user hear nothing over this transport?
    pub(in crate::sim) fn is_silent(&self, user: &str, flow: &Flow) -> bool {
        self.has(user, Kind::Silent(flow.transport))
    }

    /// The connection of a user is closed when it is idle, where its fault says so.
    pub(in crate::sim) fn watch(&mut self, user: &str, flow: &Flow) {
        let idle = self.kind(user, |kind| match kind {
            Kind::ClosesWhenIdle { seconds } => Some(Duration::from_secs(seconds.into())),
            _ => None,
        });
        if let Some(time) = idle.filter(|_| flow.transport.is_reliable()) {
            self.outputs.push_back(Output::CloseWhenIdle { flow: *flow, time });
        }
    }

    /// What becomes of a request of a user in a call.
    pub(in crate::sim) fn passage(&mut self, user: &str, request: &Message, flow: &Flow) -> Passage {
        if self.is_silent(user, flow) {
            return Passage::Silence;
        }
        if self.doomed.remove(&key(flow)) {
            return Passage::Closed;
        }
        let large = self.accounts.get(user).is_some_and(|account| self.too_large(&account.user, request));
        if large { Passage::TooLarge } else { Passage::In }
    }

    /// How a response with this status goes to a user, and whether its connection is closed after it.
    pub(in crate::sim) fn delivery(&mut self, user: &str, flow: &Flow, status: u16) -> (Delivery, bool) {
        let accepted = is_accepting(status);
        let via = self.kind(user, |kind| match kind {
            Kind::ViaPort(port) => Some(port),
            _ => None,
        });
        let delivery = match via {
            Some(port) if flow.transport == Transport::Udp => Delivery::ToVia { port },
            _ if accepted && self.has(user, Kind::Truncates) => Delivery::Truncated,
            _ => Delivery::Proper,
        };
        if !accepted || !flow.transport.is_reliable() {
            return (delivery, false);
        }
        if self.has(user, Kind::LosesNext) && self.doomed.len() < MAX_FLOWS {
            self.doomed.insert(key(flow));
        }
        (delivery, self.has(user, Kind::ClosesAfterAnswer))
    }
}
