//! The INVITE server transaction (RFC 3261 sec. 17.2.1, figure 7, as RFC 6026 sec. 7.1 and 8.2 amend it).
use super::flow::PackedFlow;
use super::step::{Fate, Step};
use super::timers::{Moment, NEVER, Tick, Timers};
use super::{Output, RespondError, derived};
use crate::message::{Flow, Message};
use bytes::Bytes;

enum State {
    /// Proceeding, and the user has not yet said anything; holds the request until a 100 is made of it.
    Unanswered(Bytes),
    /// Proceeding, with the last provisional response.
    Proceeding(Bytes),
    Accepted,
    Completed(Bytes),
    Confirmed,
    /// The user will never answer.
    Abandoned,
}

/// What an ACK is to the transaction that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckUse {
    /// It is for a final response of ours that is no 2xx: absorbed.
    Absorbed,
    /// It is for a 2xx, and the user's.
    ForUser,
    /// There is nothing that it could acknowledge.
    None,
}

pub(super) struct InviteServer {
    flow: PackedFlow,
    state: State,
    /// Number of times that the last response was sent again.
    sent_again: u32,
    /// How often timer G fired.
    firings: u16,
    /// Timer G; in [`State::Unanswered`] when a 100 is sent.
    send_at: Tick,
    /// The limit of Proceeding, timer H, I or L.
    end_at: Tick,
}

impl InviteServer {
    /// A transaction in Proceeding.
    pub(super) fn new(now: Moment, timers: &Timers, request: Bytes, flow: Flow) -> InviteServer {
        InviteServer {
            flow: flow.into(),
            state: State::Unanswered(request),
            sent_again: 0,
            send_at: now.after(timers.trying),
            firings: 0,
            end_at: now.after(timers.proceeding),
        }
    }

    /// Looks at what is sent again, so that it is at hand.
    pub(super) fn look(&self) -> bool {
        match &self.state {
            State::Unanswered(bytes) | State::Proceeding(bytes) | State::Completed(bytes) => {
                bytes.is_unique()
            }
            State::Accepted | State::Confirmed | State::Abandoned => false,
        }
    }

    pub(super) fn deadline(&self) -> Tick {
        self.send_at.min(self.end_at)
    }

    /// Does it still wait for a final response?
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Unanswered(_) | State::Proceeding(_))
    }

    pub(super) fn is_abandoned(&self) -> bool {
        matches!(self.state, State::Abandoned)
    }

    /// The request again.
    pub(super) fn on_retransmission(&mut self, step: &mut Step<'_>) {
        if let State::Proceeding(response) | State::Completed(response) = &self.state {
            self.sent_again = self.sent_again.saturating_add(1);
            step.transmit_server(self.flow.get(), response.clone(), self.sent_again);
        }
    }

    pub(super) fn on_ack(&mut self, step: &Step<'_>) -> (AckUse, Fate) {
        match self.state {
            State::Completed(_) if self.flow.is_reliable() => (AckUse::Absorbed, Fate::Terminated),
            State::Completed(_) => {
                self.state = State::Confirmed;
                self.send_at = NEVER;
                self.end_at = step.after(step.timers.t4);
                (AckUse::Absorbed, Fate::Alive)
            }
            State::Confirmed => (AckUse::Absorbed, Fate::Alive),
            State::Accepted => (AckUse::ForUser, Fate::Alive),
            State::Unanswered(_) | State::Proceeding(_) | State::Abandoned => (AckUse::None, Fate::Alive),
        }
    }

    pub(super) fn respond(
        &mut self,
        step: &mut Step<'_>,
        status: u16,
        response: &Message,
    ) -> Result<(), RespondError> {
        let success = (200..300).contains(&status);
        match self.state {
            State::Unanswered(_) | State::Proceeding(_) => {}
            // The 2xx again, by the user who alone repeats it (RFC 6026 sec. 7.1).
            State::Accepted if success => {
                self.sent_again = self.sent_again.saturating_add(1);
                step.transmit_server(self.flow.get(), response.bytes().clone(), self.sent_again);
                return Ok(());
            }
            State::Accepted | State::Completed(_) | State::Confirmed => return Err(RespondError::Answered),
            State::Abandoned => return Err(RespondError::Gone),
        }
        self.sent_again = 0;
        self.send_at = NEVER;
        step.transmit_server(self.flow.get(), response.bytes().clone(), 0);
        if status < 200 {
            self.state = State::Proceeding(response.bytes().clone());
        } else {
            self.end_at = step.after(step.timers.limit);
            if success {
                self.state = State::Accepted;
            } else {
                self.state = State::Completed(response.bytes().clone());
                if !self.flow.is_reliable() {
                    self.send_at = step.after(step.timers.t1);
                }
            }
        }
        Ok(())
    }

    /// Nothing is sent any more.
    pub(super) fn abandon(&mut self, step: &Step<'_>) {
        if self.is_pending() {
            self.state = State::Abandoned;
            self.send_at = NEVER;
            self.end_at = step.after(step.timers.limit);
        }
    }

    pub(super) fn on_timer(&mut self, step: &mut Step<'_>) -> Fate {
        if step.is_due(self.end_at) {
            // Timer H, or a user who never came to an end.
            if matches!(self.state, State::Completed(_) | State::Unanswered(_) | State::Proceeding(_)) {
                let id = step.server();
                step.output(Output::ServerFailed { id });
            }
            return Fate::Terminated;
        }
        if step.is_due(self.send_at) {
            self.send_at = NEVER;
            match &self.state {
                State::Unanswered(request) => {
                    if let Some(trying) = derived::trying(request) {
                        step.transmit_server(self.flow.get(), trying.bytes().clone(), 0);
                        self.state = State::Proceeding(trying.bytes().clone());
                    }
                }
                State::Completed(response) => {
                    self.firings = self.firings.saturating_add(1);
                    let interval = step.timers.doubled(self.firings.into()).min(step.timers.t2);
                    self.send_at = step.after(interval);
                    self.sent_again = self.sent_again.saturating_add(1);
                    step.transmit_server(self.flow.get(), response.clone(), self.sent_again);
                }
                State::Proceeding(_) | State::Accepted | State::Confirmed | State::Abandoned => {}
            }
        }
        Fate::Alive
    }

    /// The user learns of it, and the state stays: else the next retransmission of the INVITE would look like
    /// a new call (RFC 6026 sec. 7.1).
    pub(super) fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        if !matches!(self.state, State::Confirmed) {
            let id = step.server();
            step.output(Output::ServerFailed { id });
        }
        Fate::Alive
    }
}
