//! The layer: it owns all transactions, finds the one that a message belongs to, and keeps their time.
use super::invite_client::InviteClient;
use super::invite_server::{AckUse, InviteServer};
use super::key::{Key, Keys, Match, Prehashed};
use super::non_invite_client::NonInviteClient;
use super::non_invite_server::NonInviteServer;
use super::slab::{Id, Slab};
use super::step::{Fate, Step};
use super::timers::{Moment, NEVER, Tick, Timers};
use super::wheel::Wheel;
use super::{CancelError, ClientId, Config, Full, Input, Output, Owner, RespondError, ServerId, derived};
use crate::message::{Flow, Ids, Message};
use crate::syntax::Method;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// All transactions of an endpoint.
#[derive(Debug)]
pub struct Layer {
    max: usize,
    timers: Timers,
    ids: Ids,
    keys: Keys,
    slots: Slab<Slot>,
    /// Every key under which a live transaction can be found, to its slot.
    table: HashMap<Key, Id, Prehashed>,
    wheel: Wheel,
    outputs: VecDeque<Output>,
    live: usize,
    refused: u64,
    /// The first moment that was seen; ticks count from it.
    epoch: Option<Instant>,
}

/// A live transaction.
#[derive(Debug)]
struct Slot {
    machine: Machine,
    key: Option<Key>,
    /// By what a merged copy of a server transaction's request is told.
    merged: Option<Key>,
    rfc2543: Option<Box<Rfc2543>>,
    /// Does the user know of it? Not of those that the layer answers by itself.
    announced: bool,
}

/// What the ACK of an RFC 2543 peer is matched by.
#[derive(Debug)]
struct Rfc2543 {
    base: Key,
    ack: Option<Key>,
}

#[derive(Debug)]
enum Machine {
    InviteClient(InviteClient),
    NonInviteClient(NonInviteClient),
    InviteServer(InviteServer),
    NonInviteServer(NonInviteServer),
}

impl Machine {
    fn deadline(&self) -> Tick {
        match self {
            Machine::InviteClient(machine) => machine.deadline(),
            Machine::NonInviteClient(machine) => machine.deadline(),
            Machine::InviteServer(machine) => machine.deadline(),
            Machine::NonInviteServer(machine) => machine.deadline(),
        }
    }

    fn on_timer(&mut self, step: &mut Step<'_>) -> Fate {
        match self {
            Machine::InviteClient(machine) => machine.on_timer(step),
            Machine::NonInviteClient(machine) => machine.on_timer(step),
            Machine::InviteServer(machine) => machine.on_timer(step),
            Machine::NonInviteServer(machine) => machine.on_timer(step),
        }
    }

    fn on_transport_error(&mut self, step: &mut Step<'_>) -> Fate {
        match self {
            Machine::InviteClient(machine) => machine.on_transport_error(step),
            Machine::NonInviteClient(machine) => machine.on_transport_error(step),
            Machine::InviteServer(machine) => machine.on_transport_error(step),
            Machine::NonInviteServer(machine) => machine.on_transport_error(step),
        }
    }

    fn is_client(&self) -> bool {
        matches!(self, Machine::InviteClient(_) | Machine::NonInviteClient(_))
    }

    fn is_waiting_cancel(&self) -> bool {
        matches!(self, Machine::NonInviteClient(machine) if machine.is_waiting())
    }

    fn cancel(&self) -> Option<ClientId> {
        match self {
            Machine::InviteClient(machine) => machine.cancel(),
            _ => None,
        }
    }
}

impl Layer {
    /// An empty layer; `ids` gives branches and the key of the tables.
    pub fn new(config: Config, mut ids: Ids) -> Layer {
        Layer {
            max: config.max_transactions,
            timers: Timers::new(&config),
            keys: Keys::new(&mut ids),
            ids,
            slots: Slab::new(),
            table: HashMap::with_hasher(Prehashed::default()),
            wheel: Wheel::new(),
            outputs: VecDeque::new(),
            live: 0,
            refused: 0,
            epoch: None,
        }
    }

    /// Opens a client transaction for a request without its own Via: puts Via (with branch and `rport`) on top and sends it.
    ///
    /// An ACK is sent once and its transaction is gone at once (the ACK of a 2xx opens none: [`Layer::send_outside`]); what is no
    /// request is not sent at all and ends with [`Output::ClientTransportFailed`].
    ///
    /// # Errors
    /// [`Full`].
    pub fn send(&mut self, now: Instant, request: &Message, flow: Flow) -> Result<ClientId, Full> {
        let now = self.moment(now);
        let branch = self.ids.branch();
        let message = request.with_top_via(derived::via(&flow, &branch).as_bytes());
        let key = message.method().map(|method| self.keys.client(branch.as_bytes(), method));
        let waiting = NonInviteClient::waiting(message.bytes().clone(), flow);
        let id = self.open(Machine::NonInviteClient(waiting), key, true).ok_or(Full)?;
        match message.method() {
            Some(Method::Invite) => {
                self.run(now, id, |machine, step| {
                    *machine =
                        Machine::InviteClient(InviteClient::start(step, message.bytes().clone(), flow));
                    Fate::Alive
                });
            }
            Some(method) => {
                let fate = if method == Method::Ack { Fate::Terminated } else { Fate::Alive };
                self.run(now, id, |machine, step| {
                    if let Machine::NonInviteClient(machine) = machine {
                        machine.start(step);
                    }
                    fate
                });
            }
            None => {
                self.run(now, id, Machine::on_transport_error);
            }
        }
        Ok(ClientId(id))
    }

    /// Sends a request outside any transaction, once, with a Via of ours on top: the ACK of a 2xx, which the user sends again for
    /// each 2xx that comes (RFC 3261 sec. 13.2.2.4).
    pub fn send_outside(&mut self, request: &Message, flow: Flow) {
        let branch = self.ids.branch();
        let bytes = request.with_top_via(derived::via(&flow, &branch).as_bytes()).bytes().clone();
        self.outputs.push_back(Output::Transmit { owner: Owner::None, flow, bytes, retransmission: 0 });
    }

    /// Cancels an INVITE (RFC 3261 sec. 9.1): sends CANCEL in a client transaction of its own, now or as soon as a provisional response has come. When none comes,
    /// that transaction ends unsent with the INVITE's. The INVITE ends by its own final response, at the latest 64*T1 after the CANCEL.
    ///
    /// # Errors
    /// [`CancelError`].
    pub fn cancel(&mut self, now: Instant, invite: ClientId) -> Result<ClientId, CancelError> {
        let now = self.moment(now);
        let slot = self.slots.get(invite.0).ok_or(CancelError::NotPending)?;
        let Machine::InviteClient(machine) = &slot.machine else { return Err(CancelError::NotPending) };
        if machine.cancel().is_some() {
            return Err(CancelError::NotPending);
        }
        let (request, flow) = machine.pending().ok_or(CancelError::NotPending)?;
        let message = derived::cancel(request).ok_or(CancelError::NotPending)?;
        let branch = message.top_via().ok().and_then(|via| via.branch());
        let key = branch.map(|branch| self.keys.client(branch, Method::Cancel));
        let waiting = NonInviteClient::waiting(message.bytes().clone(), flow);
        let id = ClientId(self.open(Machine::NonInviteClient(waiting), key, true).ok_or(Full)?);
        self.run(now, invite.0, |machine, _| {
            if let Machine::InviteClient(machine) = machine {
                machine.set_cancel(id);
            }
            Fate::Alive
        });
        Ok(id)
    }

    /// Sends a response of ours.
    ///
    /// # Errors
    /// [`RespondError`]; nothing is sent then, and the transaction is as it was.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Message) -> Result<(), RespondError> {
        let now = self.moment(now);
        let status = response.status().filter(|status| (100..700).contains(status));
        let status = status.ok_or(RespondError::Forbidden)?;
        let mut outcome = Err(RespondError::Gone);
        self.run(now, id.0, |machine, step| match machine {
            Machine::InviteServer(machine) => {
                outcome = machine.respond(step, status, &response);
                Fate::Alive
            }
            Machine::NonInviteServer(machine) => match machine.respond(step, status, &response) {
                Ok(fate) => {
                    outcome = Ok(());
                    fate
                }
                Err(error) => {
                    outcome = Err(error);
                    Fate::Alive
                }
            },
            _ => Fate::Alive,
        });
        if outcome.is_ok() && status >= 200 {
            self.expect_rfc2543_ack(id.0, &response);
        }
        outcome
    }

    /// The user will never answer: retransmissions are absorbed without a word, so is a CANCEL, and the transaction is gone 64*T1 from now. Without effect after a final
    /// response.
    pub fn abandon(&mut self, now: Instant, id: ServerId) {
        let now = self.moment(now);
        self.run(now, id.0, |machine, step| {
            match machine {
                Machine::InviteServer(machine) => machine.abandon(step),
                Machine::NonInviteServer(machine) => machine.abandon(step),
                _ => {}
            }
            Fate::Alive
        });
    }

    /// How often the request of a client transaction was sent again so far; `None` when it is gone.
    pub fn retransmissions(&self, id: ClientId) -> Option<u32> {
        match &self.slots.get(id.0)?.machine {
            Machine::InviteClient(machine) => Some(machine.retransmissions()),
            Machine::NonInviteClient(machine) => Some(machine.retransmissions()),
            _ => None,
        }
    }

    /// Number of live transactions, those included that the layer answers by itself.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Is no transaction alive?
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Requests that were answered 503 because [`Config::max_transactions`] was reached.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let now = self.moment(now);
        match input {
            Input::Received { message, flow } if message.is_request() => self.on_request(now, message, flow),
            Input::Received { message, flow } => self.on_response(now, message, flow),
            Input::ClientTransportError(ClientId(id)) | Input::ServerTransportError(ServerId(id)) => {
                self.run(now, id, Machine::on_transport_error);
            }
        }
    }

    /// The time of [`Layer::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.moment(now);
        while let Some(index) = self.wheel.pop(now.down) {
            if let Some(id) = self.slots.id_at(index) {
                self.run(now, id, Machine::on_timer);
            }
        }
    }

    /// The next thing to do; call until `None`.
    ///
    /// The queue is bounded by what is drained: an input adds at most five outputs, a timeout two for each transaction whose time has come.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Layer::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.epoch?.checked_add(Duration::from_millis(self.wheel.next()?))
    }

    fn moment(&mut self, now: Instant) -> Moment {
        Moment::new(*self.epoch.get_or_insert(now), now)
    }

    /// A new transaction, without a timer yet; `None` when the layer is full.
    fn open(&mut self, machine: Machine, key: Option<Key>, announced: bool) -> Option<Id> {
        if self.live >= self.max {
            return None;
        }
        let id = self.slots.insert(Slot { machine, key, merged: None, rfc2543: None, announced })?;
        self.live += 1;
        if let Some(key) = key {
            self.table.insert(key, id);
        }
        Some(id)
    }

    /// One step of one machine, and what follows from it.
    fn run(&mut self, now: Moment, id: Id, step: impl FnOnce(&mut Machine, &mut Step<'_>) -> Fate) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let mut context = Step { now, timers: &self.timers, outputs: &mut self.outputs, id };
        let fate = step(&mut slot.machine, &mut context);
        let cancel = slot.machine.cancel();
        match fate {
            Fate::Alive => {
                self.wheel.set(id.index(), slot.machine.deadline());
                if let Some(ClientId(cancel)) = cancel {
                    self.settle_cancel(now, id, cancel);
                }
            }
            Fate::Terminated => self.finish(id),
        }
    }

    /// Sends a CANCEL that waited, or drops it, when its INVITE has come so far.
    fn settle_cancel(&mut self, now: Moment, invite: Id, cancel: Id) {
        if !self.slots.get(cancel).is_some_and(|slot| slot.machine.is_waiting_cancel()) {
            return;
        }
        let Some(Slot { machine: Machine::InviteClient(machine), .. }) = self.slots.get_mut(invite) else {
            return;
        };
        if machine.is_proceeding() {
            let step = Step { now, timers: &self.timers, outputs: &mut self.outputs, id: invite };
            machine.on_cancel_sent(&step);
            self.wheel.set(invite.index(), machine.deadline());
            self.run(now, cancel, |machine, step| {
                if let Machine::NonInviteClient(machine) = machine {
                    machine.start(step);
                }
                Fate::Alive
            });
        } else if machine.pending().is_none() {
            self.finish(cancel);
        }
    }

    /// A transaction is gone, and all that pointed to it.
    fn finish(&mut self, id: Id) {
        let Some(slot) = self.slots.remove(id) else { return };
        self.live -= 1;
        self.wheel.set(id.index(), NEVER);
        let ack = slot.rfc2543.as_ref().and_then(|rfc2543| rfc2543.ack);
        for key in [slot.key, slot.merged, ack].into_iter().flatten() {
            if self.table.get(&key) == Some(&id) {
                self.table.remove(&key);
            }
        }
        if slot.announced {
            let gone = if slot.machine.is_client() {
                Output::ClientTerminated(ClientId(id))
            } else {
                Output::ServerTerminated(ServerId(id))
            };
            self.outputs.push_back(gone);
        }
        if let Some(ClientId(cancel)) = slot.machine.cancel() {
            if self.slots.get(cancel).is_some_and(|slot| slot.machine.is_waiting_cancel()) {
                self.finish(cancel);
            }
        }
    }

    fn on_response(&mut self, now: Moment, message: Message, flow: Flow) {
        let status = message.status().filter(|status| (100..700).contains(status));
        let id = message.top_via().ok().and_then(|via| {
            let cseq = message.cseq().ok()?;
            self.table.get(&self.keys.client(via.branch()?, cseq.method)).copied()
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

    fn on_request(&mut self, now: Moment, message: Message, flow: Flow) {
        let checked = message.check_mandatory().and_then(|()| self.keys.request(&message));
        let (matching, method) = match (checked, message.method()) {
            (Ok(matching), Some(method)) => (matching, method),
            (Err(error), Some(method)) if method != Method::Ack && message.top_via().is_ok() => {
                let reason = format!("Bad Request ({error})");
                if !self.answer(&message, flow, 400, &reason) {
                    self.outputs.push_back(Output::Stray { message, flow });
                }
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
        if let Some(&id) = self.table.get(&key) {
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
        if merged.is_some_and(|merged| self.table.contains_key(&merged)) {
            if let Some(id) = self.open_server(now, key, &message, flow, false) {
                self.respond_self(now, id, &message, 482, "Loop Detected");
            }
            return;
        }
        let Some(id) = self.open_server(now, key, &message, flow, true) else { return };
        if let Some(merged) = merged {
            self.table.insert(merged, id);
        }
        if let Some(slot) = self.slots.get_mut(id) {
            slot.merged = merged;
            if let (Match::Rfc2543(matching), Machine::InviteServer(_)) = (matching, &slot.machine) {
                slot.rfc2543 = Some(Box::new(Rfc2543 { base: matching.base, ack: None }));
            }
        }
        self.outputs.push_back(Output::Request { id: ServerId(id), message, flow });
    }

    /// A CANCEL (RFC 3261 sec. 9.2): answered here, because the rules leave nothing to decide.
    fn on_cancel(&mut self, now: Moment, matching: Match, key: Key, message: Message, flow: Flow) {
        let invite = self.table.get(&self.keys.server(matching, Method::Invite)).copied();
        let invite = invite.and_then(|id| match &self.slots.get(id)?.machine {
            Machine::InviteServer(machine) => Some((id, machine.is_pending(), machine.is_abandoned())),
            _ => None,
        });
        let Some(id) = self.open_server(now, key, &message, flow, false) else { return };
        match invite {
            None => self.respond_self(now, id, &message, 481, "Call/Transaction Does Not Exist"),
            Some((_, _, true)) => self.run(now, id, |machine, step| {
                if let Machine::NonInviteServer(machine) = machine {
                    machine.abandon(step);
                }
                Fate::Alive
            }),
            Some((invite, is_pending, false)) => {
                self.respond_self(now, id, &message, 200, "OK");
                if is_pending {
                    self.outputs.push_back(Output::Cancelled { invite: ServerId(invite) });
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
        if let Some(&id) = self.table.get(&key) {
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
        let deadline = machine.deadline();
        let id = self.open(machine, Some(key), announced)?;
        self.wheel.set(id.index(), deadline);
        Some(id)
    }

    /// Answers in a transaction of which the user knows nothing.
    fn respond_self(&mut self, now: Moment, id: Id, request: &Message, status: u16, reason: &str) {
        let tag = self.keys.stateless_tag(request);
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

    /// From now on the ACK of an RFC 2543 peer is known by the To tag of this response (RFC 3261 sec. 17.2.3).
    fn expect_rfc2543_ack(&mut self, id: Id, response: &Message) {
        let Some(rfc2543) = self.slots.get_mut(id).and_then(|slot| slot.rfc2543.as_mut()) else { return };
        if rfc2543.ack.is_none() {
            let to_tag = response.to().ok().and_then(|to| to.tag());
            let key = self.keys.rfc2543_ack(rfc2543.base, to_tag);
            rfc2543.ack = Some(key);
            self.table.insert(key, id);
        }
    }
}

#[cfg(test)]
impl Layer {
    /// Fails unless every table is as empty as at the start.
    pub(super) fn assert_nothing_left(&self) {
        assert!(self.table.is_empty(), "keys are left");
        assert!(self.wheel.is_empty(), "timers are left");
        assert!(self.outputs.is_empty(), "outputs are left");
        assert_eq!((self.live, self.slots.iter().count()), (0, 0), "transactions are left");
    }
}
