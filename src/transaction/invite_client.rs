//! The INVITE client transaction (RFC 3261 sec. 17.1.1, figure 5, as RFC 6026 sec. 8.4 amends it).
use super::flow::PackedFlow;
use super::step::{Fate, Step};
use super::timers::{NEVER, Tick};
use super::{ClientId, Output, derived};
use crate::message::{Flow, Message};
use bytes::Bytes;

/// Each with how often the request was sent again: at most six times, because the interval doubles and the end comes after 64*T1.
enum State {
    /// Holds the request.
    Calling(Bytes, u8),
    /// The same.
    Proceeding(Bytes, u8),
    /// Holds the ACK, and how often it was sent again: counted up to 65,535.
    Completed(Option<Bytes>, u16, u8),
    Accepted(u8),
}

pub(super) struct InviteClient {
    flow: PackedFlow,
    state: State,
    /// Timer A.
    retransmit_at: Tick,
    /// Timer B, the limit of Proceeding, timer D or timer M.
    end_at: Tick,
    /// The CANCEL, when there is one.
    cancel: Option<ClientId>,
}

impl InviteClient {
    /// Sends the request and starts timers A (on unreliable transports) and B.
    pub(super) fn start(step: &mut Step<'_>, request: Bytes, flow: Flow) -> InviteClient {
        let retransmit_at = if flow.transport.is_reliable() { NEVER } else { step.after(step.timers.t1) };
        step.transmit_client(flow, request.clone(), 0);
        InviteClient {
            flow: flow.into(),
            state: State::Calling(request, 0),
            retransmit_at,
            end_at: step.after(step.timers.limit),
            cancel: None,
        }
    }

    pub(super) fn retransmissions(&self) -> u32 {
        u32::from(self.sent_again())
    }

    fn sent_again(&self) -> u8 {
        match self.state {
            State::Calling(_, times) | State::Proceeding(_, times) => times,
            State::Completed(_, _, times) | State::Accepted(times) => times,
        }
    }

    /// Looks at what is sent again, so that it is at hand.
    pub(super) fn look(&self) -> bool {
        self.pending_bytes().is_some_and(Bytes::is_unique)
    }

    fn pending_bytes(&self) -> Option<&Bytes> {
        match &self.state {
            State::Calling(request, _) | State::Proceeding(request, _) => Some(request),
            State::Completed(..) | State::Accepted(_) => None,
        }
    }

    pub(super) fn deadline(&self) -> Tick {
        self.retransmit_at.min(self.end_at)
    }

    /// The request, as long as it has no final response.
    pub(super) fn pending(&self) -> Option<(&Bytes, Flow)> {
        self.pending_bytes().map(|request| (request, self.flow.get()))
    }

    pub(super) fn cancel(&self) -> Option<ClientId> {
        self.cancel
    }

    pub(super) fn set_cancel(&mut self, cancel: ClientId) {
        self.cancel = Some(cancel);
    }

    /// May the CANCEL be sent (RFC 3261 sec. 9.1: not before a provisional response)?
    pub(super) fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding(..))
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
        let times = self.sent_again();
        match &mut self.state {
            State::Calling(request, _) | State::Proceeding(request, _) => match status {
                ..200 => {
                    if let State::Calling(request, _) = &mut self.state {
                        self.state = State::Proceeding(std::mem::take(request), times);
                        self.retransmit_at = NEVER;
                        self.end_at = step.after(step.timers.proceeding);
                    }
                    step.output(Output::Response { id, message, flow });
                    Fate::Alive
                }
                200..300 => {
                    step.discard(std::mem::take(request));
                    self.state = State::Accepted(times);
                    self.retransmit_at = NEVER;
                    self.end_at = step.after(step.timers.limit);
                    step.output(Output::Response { id, message, flow });
                    Fate::Alive
                }
                _ => {
                    let ack = derived::ack(request, &message).map(|ack| ack.bytes().clone());
                    if let Some(ack) = &ack {
                        step.transmit_client(self.flow.get(), ack.clone(), 0);
                    }
                    step.output(Output::Response { id, message, flow });
                    if self.flow.is_reliable() {
                        return Fate::Terminated;
                    }
                    step.discard(std::mem::take(request));
                    self.state = State::Completed(ack, 0, times);
                    self.retransmit_at = NEVER;
                    self.end_at = step.after(step.timers.d);
                    Fate::Alive
                }
            },
            State::Completed(ack, sent_again, _) => {
                match status {
                    300.. => {
                        if let Some(ack) = ack {
                            *sent_again = sent_again.saturating_add(1);
                            step.transmit_client(self.flow.get(), ack.clone(), (*sent_again).into());
                        }
                    }
                    // Late, and of no use.
                    ..200 => {}
                    // The peer thinks that a call stands: somebody should know.
                    _ => step.output(Output::Stray { message, flow }),
                }
                Fate::Alive
            }
            State::Accepted(_) => {
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
        if let State::Calling(request, times) = &mut self.state
            && step.is_due(self.retransmit_at)
        {
            *times = times.saturating_add(1);
            self.retransmit_at = step.after(step.timers.doubled((*times).into()));
            step.transmit_client(self.flow.get(), request.clone(), (*times).into());
        }
        Fate::Alive
    }

    pub(super) fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        match self.state {
            // Nothing of this transaction is on its way.
            State::Accepted(_) => Fate::Alive,
            State::Calling(..) | State::Proceeding(..) | State::Completed(..) => {
                let id = step.client();
                step.output(Output::ClientTransportFailed { id });
                Fate::Terminated
            }
        }
    }
}
