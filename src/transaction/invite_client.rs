//! The INVITE client transaction (RFC 3261 sec. 17.1.1, figure 5, as RFC 6026 sec. 8.4 amends it).
use super::step::{Fate, Step};
use super::timers::{NEVER, Tick};
use super::{ClientId, Output, derived};
use crate::message::{Flow, Message};
use bytes::Bytes;

enum State {
    Calling(Bytes),
    Proceeding(Bytes),
    /// Holds the ACK, and how often it was sent again.
    Completed(Option<Bytes>, u32),
    Accepted,
}

pub(super) struct InviteClient {
    flow: Flow,
    state: State,
    retransmissions: u32,
    /// Timer A and its interval.
    retransmit_at: Tick,
    interval: u64,
    /// Timer B, the limit of Proceeding, timer D or timer M.
    end_at: Tick,
    /// The CANCEL, when there is one.
    cancel: Option<ClientId>,
}

impl InviteClient {
    /// Sends the request and starts timers A (on unreliable transports) and B.
    pub(super) fn start(step: &mut Step<'_>, request: Bytes, flow: Flow) -> InviteClient {
        let interval = step.timers.t1;
        let retransmit_at = if flow.transport.is_reliable() { NEVER } else { step.after(interval) };
        step.transmit_client(flow, request.clone(), 0);
        InviteClient {
            flow,
            state: State::Calling(request),
            retransmissions: 0,
            retransmit_at,
            interval,
            end_at: step.after(step.timers.limit),
            cancel: None,
        }
    }

    pub(super) fn retransmissions(&self) -> u32 {
        self.retransmissions
    }

    pub(super) fn deadline(&self) -> Tick {
        self.retransmit_at.min(self.end_at)
    }

    /// The request, as long as it has no final response.
    pub(super) fn pending(&self) -> Option<(&Bytes, Flow)> {
        match &self.state {
            State::Calling(request) | State::Proceeding(request) => Some((request, self.flow)),
            State::Completed(..) | State::Accepted => None,
        }
    }

    pub(super) fn cancel(&self) -> Option<ClientId> {
        self.cancel
    }

    pub(super) fn set_cancel(&mut self, cancel: ClientId) {
        self.cancel = Some(cancel);
    }

    /// May the CANCEL be sent (RFC 3261 sec. 9.1: not before a provisional response)?
    pub(super) fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding(_))
    }

    /// The CANCEL is sent: a peer that does not answer the INVITE within 64*T1 from now never will (RFC 3261
    /// sec. 9.1).
    pub(super) fn on_cancel_sent(&mut self, step: &Step<'_>) {
        self.end_at = self.end_at.min(step.after(step.timers.limit));
    }

    pub(super) fn on_response(
        &mut self,
        step: &mut Step<'_>,
        status: u16,
        message: Message,
        flow: Flow,
    ) -> Fate {
        let id = step.client();
        match &mut self.state {
            State::Calling(request) | State::Proceeding(request) => match status {
                ..200 => {
                    if let State::Calling(request) = &self.state {
                        self.state = State::Proceeding(request.clone());
                        self.retransmit_at = NEVER;
                        self.end_at = step.after(step.timers.proceeding);
                    }
                    step.output(Output::Response { id, message, flow });
                    Fate::Alive
                }
                200..300 => {
                    self.state = State::Accepted;
                    self.retransmit_at = NEVER;
                    self.end_at = step.after(step.timers.limit);
                    step.output(Output::Response { id, message, flow });
                    Fate::Alive
                }
                _ => {
                    let ack = derived::ack(request, &message).map(|ack| ack.bytes().clone());
                    if let Some(ack) = &ack {
                        step.transmit_client(self.flow, ack.clone(), 0);
                    }
                    step.output(Output::Response { id, message, flow });
                    if self.flow.transport.is_reliable() {
                        return Fate::Terminated;
                    }
                    self.state = State::Completed(ack, 0);
                    self.retransmit_at = NEVER;
                    self.end_at = step.after(step.timers.d);
                    Fate::Alive
                }
            },
            State::Completed(ack, sent_again) => {
                match status {
                    300.. => {
                        if let Some(ack) = ack {
                            *sent_again = sent_again.saturating_add(1);
                            step.transmit_client(self.flow, ack.clone(), *sent_again);
                        }
                    }
                    // Late, and of no use.
                    ..200 => {}
                    // The peer thinks that a call stands: somebody should know.
                    _ => step.output(Output::Stray { message, flow }),
                }
                Fate::Alive
            }
            State::Accepted => {
                // Retransmissions, and the 2xx of other branches of a fork (RFC 6026 sec. 7.2).
                if (200..300).contains(&status) {
                    step.output(Output::Response { id, message, flow });
                }
                Fate::Alive
            }
        }
    }

    pub(super) fn on_timer(&mut self, step: &mut Step<'_>) -> Fate {
        if step.is_due(self.end_at) {
            if self.pending().is_some() {
                let id = step.client();
                step.output(Output::Timeout { id });
            }
            return Fate::Terminated;
        }
        if let State::Calling(request) = &self.state
            && step.is_due(self.retransmit_at)
        {
            self.interval = self.interval.saturating_mul(2);
            self.retransmit_at = step.after(self.interval);
            self.retransmissions = self.retransmissions.saturating_add(1);
            step.transmit_client(self.flow, request.clone(), self.retransmissions);
        }
        Fate::Alive
    }

    pub(super) fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        match self.state {
            // Nothing of this transaction is on its way.
            State::Accepted => Fate::Alive,
            State::Calling(_) | State::Proceeding(_) | State::Completed(..) => {
                let id = step.client();
                step.output(Output::ClientTransportFailed { id });
                Fate::Terminated
            }
        }
    }
}
