//! The non-INVITE client transaction (RFC 3261 sec. 17.1.2, figure 6).
use super::Output;
use super::flow::PackedFlow;
use super::step::{Fate, Step};
use super::timers::{NEVER, Tick};
use crate::message::{Flow, Message};
use bytes::Bytes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A CANCEL that waits for the first provisional response to its INVITE (RFC 3261 sec. 9.1); not yet
    /// sent.
    Waiting,
    Trying,
    Proceeding,
    Completed,
}

pub(super) struct NonInviteClient {
    flow: PackedFlow,
    /// Empty once nothing is sent any more: over a reliable transport as soon as it is sent, else when completed.
    request: Bytes,
    state: State,
    retransmissions: u32,
    /// Timer E.
    retransmit_at: Tick,
    /// Timer F, in Completed timer K.
    end_at: Tick,
}

impl NonInviteClient {
    /// A transaction that sends nothing before [`NonInviteClient::start`].
    pub(super) fn waiting(request: Bytes, flow: Flow) -> NonInviteClient {
        NonInviteClient {
            flow: flow.into(),
            request,
            state: State::Waiting,
            retransmissions: 0,
            retransmit_at: NEVER,
            end_at: NEVER,
        }
    }

    /// Sends the request and starts timers E (on unreliable transports) and F.
    pub(super) fn start(&mut self, step: &mut Step<'_>) {
        self.state = State::Trying;
        self.end_at = step.after(step.timers.limit);
        let request = if self.flow.is_reliable() {
            std::mem::take(&mut self.request)
        } else {
            self.retransmit_at = step.after(step.timers.t1);
            self.request.clone()
        };
        step.transmit_client(self.flow.get(), request, 0);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    pub(super) fn retransmissions(&self) -> u32 {
        self.retransmissions
    }

    /// Looks at what is sent again, so that it is at hand.
    pub(super) fn look(&self) -> bool {
        self.request.is_unique()
    }

    pub(super) fn deadline(&self) -> Tick {
        self.retransmit_at.min(self.end_at)
    }

    pub(super) fn on_response(
        &mut self,
        step: &mut Step<'_>,
        status: u16,
        message: Message,
        flow: Flow,
    ) -> Fate {
        match self.state {
            // A retransmission of the final response, or one that overtook it: absorbed.
            State::Completed => return Fate::Alive,
            // Nobody can answer what was not sent.
            State::Waiting => {
                step.output(Output::Stray { message, flow });
                return Fate::Alive;
            }
            State::Trying | State::Proceeding => {}
        }
        let id = step.client();
        step.output(Output::Response { id, message, flow });
        if status < 200 {
            self.state = State::Proceeding;
            return Fate::Alive;
        }
        if self.flow.is_reliable() {
            return Fate::Terminated;
        }
        self.state = State::Completed;
        step.discard(std::mem::take(&mut self.request));
        self.retransmit_at = NEVER;
        self.end_at = step.after(step.timers.t4);
        Fate::Alive
    }

    pub(super) fn on_timer(&mut self, step: &mut Step<'_>) -> Fate {
        if step.is_due(self.end_at) {
            if self.state != State::Completed {
                let id = step.client();
                step.output(Output::Timeout { id });
            }
            return Fate::Terminated;
        }
        if step.is_due(self.retransmit_at) {
            self.retransmissions = self.retransmissions.saturating_add(1);
            let interval = match self.state {
                State::Proceeding => step.timers.t2,
                _ => step.timers.doubled(self.retransmissions).min(step.timers.t2),
            };
            self.retransmit_at = step.after(interval);
            step.transmit_client(self.flow.get(), self.request.clone(), self.retransmissions);
        }
        Fate::Alive
    }

    pub(super) fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        if self.state == State::Completed {
            return Fate::Alive;
        }
        let id = step.client();
        step.output(Output::ClientTransportFailed { id });
        Fate::Terminated
    }
}
