//! The layer: it owns all transactions, finds the one that a message belongs to, and keeps their time.

mod receive;

use super::invite_client::InviteClient;
use super::key::{Key, Keys, Prehashed};
use super::machine::Machine;
use super::non_invite_client::NonInviteClient;
use super::slab::{Id, Slab};
use super::step::{Fate, Step};
use super::timers::{Moment, Timers};
use super::wheel::Wheel;
use super::{CancelError, ClientId, Config, Full, Input, Output, Owner, RespondError, ServerId, derived};
use crate::message::{Flow, Ids, Message};
use crate::syntax::Method;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// Timers that are looked at before the first of them fires.
const DUE_AT_ONCE: usize = 64;

/// All transactions of an endpoint.
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
    /// Room for [`Layer::handle_timeout`], at most [`DUE_AT_ONCE`] long.
    due: Vec<Id>,
    live: usize,
    refused: u64,
    /// The first moment that was seen; ticks count from it.
    epoch: Option<Instant>,
}

/// A live transaction.
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

/// Shows numbers only: requests may hold credentials.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layer = f.debug_struct("Layer");
        layer.field("live", &self.live).field("max", &self.max).field("refused", &self.refused);
        layer.finish_non_exhaustive()
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
            due: Vec::new(),
            live: 0,
            refused: 0,
            epoch: None,
        }
    }

    /// Opens a client transaction for a request without its own Via: puts Via (with branch and `rport`) on
    /// top and sends it.
    ///
    /// An ACK is sent once and its transaction is gone at once (the ACK of a 2xx opens none:
    /// [`Layer::send_outside`]); what is no request is not sent at all and ends with
    /// [`Output::ClientTransportFailed`].
    ///
    /// # Errors
    /// [`Full`].
    pub fn send(&mut self, now: Instant, request: &Message, flow: Flow) -> Result<ClientId, Full> {
        let now = self.moment(now);
        let branch = self.ids.branch();
        let bytes = request.bytes_with_top_via(derived::via(&flow, &branch).as_bytes());
        let key = request.method().map(|method| self.keys.client(branch.as_bytes(), method));
        let waiting = NonInviteClient::waiting(bytes.clone(), flow);
        let id = self.open(Machine::NonInviteClient(waiting), key, true).ok_or(Full)?;
        match request.method() {
            Some(Method::Invite) => {
                self.run(now, id, |machine, step| {
                    *machine = Machine::InviteClient(InviteClient::start(step, bytes, flow));
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

    /// Sends a request outside any transaction, once, with a Via of ours on top: the ACK of a 2xx, which the
    /// user sends again for each 2xx that comes (RFC 3261 sec. 13.2.2.4).
    pub fn send_outside(&mut self, request: &Message, flow: Flow) {
        let branch = self.ids.branch();
        let bytes = request.bytes_with_top_via(derived::via(&flow, &branch).as_bytes());
        self.outputs.push_back(Output::Transmit { owner: Owner::None, flow, bytes, retransmission: 0 });
    }

    /// Cancels an INVITE (RFC 3261 sec. 9.1): sends CANCEL in a client transaction of its own, now or as soon
    /// as a provisional response has come. When none comes, that transaction ends unsent with the INVITE's.
    /// The INVITE ends by its own final response, at the latest 64*T1 after the CANCEL.
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

    /// The user will never answer: retransmissions are absorbed without a word, so is a CANCEL, and the
    /// transaction is gone 64*T1 from now. Without effect after a final response.
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

    /// The client transaction that sent a request with this branch; for what came and cannot be matched, because it is no whole message.
    pub fn client_by_branch(&self, branch: &[u8]) -> Option<ClientId> {
        let of = |method: &Method<'_>| self.table.get(&self.keys.client(branch, *method)).copied();
        Method::KNOWN.iter().find_map(of).map(ClientId)
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
        let mut due = std::mem::take(&mut self.due);
        loop {
            // Two passes: this one only looks, so that the memory of many transactions is fetched at once and not one after the other.
            while due.len() < DUE_AT_ONCE {
                let Some(index) = self.wheel.pop(now.down) else { break };
                let Some(id) = self.slots.id_at(index) else { continue };
                match self.slots.get(id).map(|slot| slot.machine.deadline()) {
                    Some(deadline) if deadline > now.down => self.wheel.arm(index, deadline),
                    Some(_) => due.push(id),
                    None => {}
                }
            }
            if due.is_empty() {
                break;
            }
            for id in due.drain(..) {
                self.run(now, id, Machine::on_timer);
            }
        }
        self.due = due;
    }

    /// The next thing to do; call until `None`.
    ///
    /// The queue is bounded by what is drained: an input adds at most five outputs, a timeout two for each
    /// transaction whose time has come.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Layer::handle_timeout`] wants to be called: never later than anything that is to happen, at times earlier (when
    /// what was to happen has become needless).
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
                self.wheel.arm(id.index(), slot.machine.deadline());
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
            self.wheel.arm(invite.index(), machine.deadline());
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
        if let Some(ClientId(cancel)) = slot.machine.cancel()
            && self.slots.get(cancel).is_some_and(|slot| slot.machine.is_waiting_cancel())
        {
            self.finish(cancel);
        }
    }

    /// From now on the ACK of an RFC 2543 peer is known by the To tag of this response (RFC 3261 sec.
    /// 17.2.3).
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
        assert!(self.outputs.is_empty(), "outputs are left");
        assert_eq!((self.live, self.slots.iter().count()), (0, 0), "transactions are left");
    }
}
