//! The non-INVITE server transaction (RFC 3261 sec. 17.2.2, figure 8, with the rules of RFC 4320).
use super::flow::PackedFlow;
use super::step::{Fate, Step};
use super::timers::{Moment, NEVER, Tick, Timers};
use super::{Output, RespondError, derived};
use crate::message::{Flow, Message};
use bytes::Bytes;

enum State {
    /// Holds the request until a 100 is made of it.
    Trying(Bytes),
    Proceeding(Bytes),
    Completed(Bytes),
    /// The user will never answer.
    Abandoned,
}

pub(super) struct NonInviteServer {
    flow: PackedFlow,
    state: State,
    /// Number of times that the last response was sent again.
    sent_again: u32,
    /// When a 100 may be sent over an unreliable transport, and is sent by itself over any (RFC 4320 sec.
    /// 4.1).
    trying_at: Tick,
    /// When nobody waits for an answer any more; in Completed timer J.
    end_at: Tick,
}

impl NonInviteServer {
    /// A transaction in Trying.
    pub(super) fn new(now: Moment, timers: &Timers, request: Bytes, flow: Flow) -> NonInviteServer {
        NonInviteServer {
            flow: flow.into(),
            state: State::Trying(request),
            sent_again: 0,
            trying_at: now.after(timers.e_at_t2),
            end_at: now.after(timers.limit),
        }
    }

    /// Looks at what is sent again, so that it is at hand.
    pub(super) fn look(&self) -> bool {
        match &self.state {
            State::Trying(bytes) | State::Proceeding(bytes) | State::Completed(bytes) => bytes.is_unique(),
            State::Abandoned => false,
        }
    }

    pub(super) fn deadline(&self) -> Tick {
        match self.state {
            State::Trying(_) => self.trying_at.min(self.end_at),
            State::Proceeding(_) | State::Completed(_) | State::Abandoned => self.end_at,
        }
    }

    /// The request again.
    pub(super) fn on_retransmission(&mut self, step: &mut Step<'_>) {
        if let State::Proceeding(response) | State::Completed(response) = &self.state {
            self.sent_again = self.sent_again.saturating_add(1);
            step.transmit_server(self.flow.get(), response.clone(), self.sent_again);
        }
    }

    pub(super) fn respond(
        &mut self,
        step: &mut Step<'_>,
        status: u16,
        response: &Message,
    ) -> Result<Fate, RespondError> {
        match self.state {
            State::Trying(_) | State::Proceeding(_) => {}
            State::Completed(_) => return Err(RespondError::Answered),
            State::Abandoned => return Err(RespondError::Gone),
        }
        let reliable = self.flow.is_reliable();
        match status {
            100 if reliable || step.is_due(self.trying_at) => {
                self.state = State::Proceeding(response.bytes().clone())
            }
            ..200 | 408 => return Err(RespondError::Forbidden),
            _ => {
                self.state = State::Completed(response.bytes().clone());
                self.end_at = step.after(step.timers.limit);
            }
        }
        self.sent_again = 0;
        step.transmit_server(self.flow.get(), response.bytes().clone(), 0);
        let completed = matches!(self.state, State::Completed(_));
        Ok(if completed && reliable { Fate::Terminated } else { Fate::Alive })
    }

    /// Nothing is sent any more.
    pub(super) fn abandon(&mut self, step: &Step<'_>) {
        if !matches!(self.state, State::Completed(_)) {
            self.state = State::Abandoned;
            self.end_at = step.after(step.timers.limit);
        }
    }

    pub(super) fn on_timer(&mut self, step: &mut Step<'_>) -> Fate {
        if step.is_due(self.end_at) {
            return Fate::Terminated;
        }
        if let State::Trying(request) = &self.state
            && step.is_due(self.trying_at)
        {
            match derived::trying(request) {
                Some(trying) => {
                    step.transmit_server(self.flow.get(), trying.bytes().clone(), 0);
                    self.state = State::Proceeding(trying.bytes().clone());
                }
                None => self.trying_at = NEVER,
            }
        }
        Fate::Alive
    }

    pub(super) fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        let id = step.server();
        step.output(Output::ServerFailed { id });
        Fate::Terminated
    }
}
