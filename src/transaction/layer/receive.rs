//! What comes in: which transaction it belongs to, and what is answered without the user.
use super::Layer;
use crate::message::{Flow, Message};
use crate::syntax::{HeaderName, Method, Via};
use crate::transaction::invite_server::{AckUse, InviteServer};
use crate::transaction::key::{Key, Match};
use crate::transaction::machine::Machine;
use crate::transaction::non_invite_server::NonInviteServer;
use crate::transaction::slab::Id;
use crate::transaction::step::Fate;
use crate::transaction::timers::Moment;
use crate::transaction::{Output, Owner, ServerId, derived};

/// Reason values that are kept of a CANCEL: one for each protocol is the most that RFC 3326 knows.
const REASONS: usize = 8;

impl Layer {
    pub(super) fn on_response(&mut self, now: Moment, message: Message, flow: Flow) {
        let status = message.status().filter(|status| (100..700).contains(status));
        // The Via of a response is alone: one that has more was not meant for us (RFC 3261 sec. 8.1.3.3).
        let id = message.only(HeaderName::Via).and_then(|via| {
            let branch = match self.vias.branch_of(via) {
                Some(branch) => branch,
                None => alone(via)?.branch()?,
            };
            let cseq = message.cseq().ok()?;
            self.client(branch, cseq.method)
        });
        let (Some(status), Some(id)) = (status, id) else {
            self.outputs.push_back(Output::Stray { message, flow });
            return;
        };
        self.run(now, id, |machine, step| match machine {
            Machine::InviteClient(machine) => machine.on_response(step, status, message, flow),
            Machine::NonInviteClient(machine) => machine.on_response(step, status, message, flow),
            _ => Fate::Alive,
        });
    }

    pub(super) fn on_request(&mut self, now: Moment, message: Message, flow: Flow) {
        let checked = message.check_mandatory().and_then(|()| self.keys.request(&message));
        let (matching, method) = match (checked, message.method()) {
            (Ok(matching), Some(method)) => (matching, method),
            (Err(error), Some(method)) if method != Method::Ack && message.top_via().is_ok() => {
                let reason = format!("Bad Request ({error})");
                let answered = self.answer(&message, flow, 400, &reason);
                self.outputs.push_back(match answered {
                    true => Output::Refused { message, flow, why: error },
                    false => Output::Stray { message, flow },
                });
                return;
            }
            _ => {
                self.outputs.push_back(Output::Stray { message, flow });
                return;
            }
        };
        if method == Method::Ack {
            return self.on_ack(now, matching, message, flow);
        }
        let key = self.keys.server(matching, method);
        if let Some(id) = self.find(key) {
            self.run(now, id, |machine, step| {
                match machine {
                    Machine::InviteServer(machine) => machine.on_retransmission(step),
                    Machine::NonInviteServer(machine) => machine.on_retransmission(step),
                    _ => {}
                }
                Fate::Alive
            });
        } else if self.live >= self.max {
            self.refused = self.refused.saturating_add(1);
            self.answer(&message, flow, 503, "Service Unavailable");
        } else if method == Method::Cancel {
            self.on_cancel(now, matching, key, message, flow);
        } else {
            self.on_new_request(now, matching, key, message, flow);
        }
    }

    fn on_new_request(&mut self, now: Moment, matching: Match, key: Key, message: Message, flow: Flow) {
        let merged = self.keys.merged(&message);
        if merged.is_some_and(|merged| self.find(merged).is_some()) {
            if let Some(id) = self.open_server(now, key, &message, flow, false) {
                self.respond_self(now, id, &message, 482, "Loop Detected", None);
            }
            return;
        }
        let Some(id) = self.open_server(now, key, &message, flow, true) else { return };
        if let Some(merged) = merged {
            self.table.insert(merged, id.index());
        }
        if let Some(transaction) = self.slots.get_mut(id) {
            if merged.is_some() {
                transaction.server().merged = merged;
            }
            if let (Match::Rfc2543(matching), Machine::InviteServer(_)) = (matching, &transaction.machine) {
                transaction.server().rfc2543 = Some(matching.base);
            }
        }
        self.outputs.push_back(Output::Request { id: ServerId(id), message, flow });
    }

    /// A CANCEL (RFC 3261 sec. 9.2): answered here, because the rules leave nothing to decide.
    fn on_cancel(&mut self, now: Moment, matching: Match, key: Key, message: Message, flow: Flow) {
        let invite = self.find(self.keys.server(matching, Method::Invite));
        let invite = invite.and_then(|id| match &self.slots.get(id)?.machine {
            Machine::InviteServer(machine) => Some((id, machine.is_pending(), machine.is_abandoned())),
            _ => None,
        });
        let Some(id) = self.open_server(now, key, &message, flow, false) else { return };
        match invite {
            None => self.respond_self(now, id, &message, 481, "Call/Transaction Does Not Exist", None),
            Some((_, _, true)) => self.run(now, id, |machine, step| {
                if let Machine::NonInviteServer(machine) = machine {
                    machine.abandon(step);
                }
                Fate::Alive
            }),
            Some((invite, is_pending, false)) => {
                let answered =
                    self.slots.get(invite).and_then(|invite| invite.server.as_ref()?.to_tag.as_deref());
                let tag = answered.map(|tag| String::from_utf8_lossy(tag).into_owned());
                self.respond_self(now, id, &message, 200, "OK", tag);
                if is_pending {
                    let reasons = message.values(HeaderName::Reason).take(REASONS);
                    let reasons = reasons.map(|value| String::from_utf8_lossy(value).into_owned());
                    let reasons = reasons.collect();
                    self.outputs.push_back(Output::Cancelled { invite: ServerId(invite), reasons });
                }
            }
        }
    }

    fn on_ack(&mut self, now: Moment, matching: Match, message: Message, flow: Flow) {
        let key = match matching {
            Match::Branch(_) => self.keys.server(matching, Method::Invite),
            Match::Rfc2543(matching) => {
                let to_tag = message.to().ok().and_then(|to| to.tag());
                self.keys.rfc2543_ack(matching.base, to_tag)
            }
        };
        let mut ack_use = AckUse::ForUser;
        if let Some(id) = self.find(key) {
            self.run(now, id, |machine, step| match machine {
                Machine::InviteServer(machine) => {
                    let (found, fate) = machine.on_ack(step);
                    ack_use = found;
                    fate
                }
                _ => Fate::Alive,
            });
        }
        match ack_use {
            AckUse::Absorbed => {}
            AckUse::ForUser => self.outputs.push_back(Output::Ack { message, flow }),
            AckUse::None => self.outputs.push_back(Output::Stray { message, flow }),
        }
    }

    fn open_server(
        &mut self,
        now: Moment,
        key: Key,
        message: &Message,
        flow: Flow,
        announced: bool,
    ) -> Option<Id> {
        let is_invite = message.method() == Some(Method::Invite);
        let request = message.bytes().clone();
        let machine = if is_invite {
            Machine::InviteServer(InviteServer::new(now, &self.timers, request, flow))
        } else {
            Machine::NonInviteServer(NonInviteServer::new(now, &self.timers, request, flow))
        };
        let id = self.open(machine, Some(key))?;
        let (transaction, armed) = self.slots.get_armed(id)?;
        if !announced {
            transaction.server().announced = false;
        }
        self.wheel.arm(armed, id.index(), transaction.machine.deadline());
        Some(id)
    }

    /// Answers in a transaction of which the user knows nothing.
    fn respond_self(
        &mut self,
        now: Moment,
        id: Id,
        request: &Message,
        status: u16,
        reason: &str,
        tag: Option<String>,
    ) {
        let tag = tag.unwrap_or_else(|| self.keys.stateless_tag(request));
        let response = derived::response(request, status, reason, Some(&tag));
        self.run(now, id, |machine, step| {
            let answered = match (machine, &response) {
                (Machine::InviteServer(machine), Some(response)) => {
                    machine.respond(step, status, response).map(|()| Fate::Alive)
                }
                (Machine::NonInviteServer(machine), Some(response)) => {
                    machine.respond(step, status, response)
                }
                _ => Ok(Fate::Terminated),
            };
            answered.unwrap_or(Fate::Terminated)
        });
        if let Some(response) = response {
            self.keep_to_tag(id, status, &response);
        }
    }

    /// Answers outside any transaction; did that work?
    fn answer(&mut self, request: &Message, flow: Flow, status: u16, reason: &str) -> bool {
        let tag = self.keys.stateless_tag(request);
        let response = derived::response(request, status, reason, Some(&tag));
        let bytes = response.map(|response| response.bytes().clone());
        let answered = bytes.is_some();
        self.outputs.extend(bytes.map(|bytes| Output::Transmit {
            owner: Owner::None,
            flow,
            bytes,
            retransmission: 0,
        }));
        answered
    }
}

/// The Via of a line that holds no other.
fn alone(line: &[u8]) -> Option<Via<'_>> {
    let (via, rest) = Via::parse_first(line).ok()?;
    rest.is_empty().then_some(via)
}
