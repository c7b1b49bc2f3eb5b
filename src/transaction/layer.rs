//! The layer: it owns all transactions, finds the one that a message belongs to, and keeps their time.

mod receive;

use super::branch::{self, Branch};
use super::buffers::Buffers;
use super::derived::Vias;
use super::invite_client::InviteClient;
use super::key::{Key, Keys};
use super::machine::Machine;
use super::non_invite_client::NonInviteClient;
use super::slab::{Id, Slab};
use super::step::{Fate, Step};
use super::table::Table;
use super::timers::{Moment, NEVER, Tick, Timers};
use super::wheel::Wheel;
use super::{CancelError, ClientId, Config, Full, Input, Output, Owner, RespondError, ServerId, derived};
use crate::message::{Flow, Ids, Message};
use crate::syntax::{Method, Reason};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Timers that are looked at before the first of them fires.
const AT_ONCE: usize = 64;
/// Timers that the wheel moves beforehand: with each call, and for each timer that fires. Each moves about twice before it fires.
const PREPARED: usize = 8;
/// Timers that a sweep looks at together, and the calls between one such step and the next: two for each call, of which each adds at most
/// one, so that a sweep gains on them. More often would cost every call a share of reads that no cache holds.
const SWEPT: usize = 64;
const SWEPT_EVERY: u8 = 32;

/// All transactions of an endpoint.
pub struct Layer {
    max: usize,
    timers: Timers,
    ids: Ids,
    keys: Keys,
    vias: Vias,
    slots: Slab<Transaction>,
    /// Every key under which a live transaction can be found, to its slot; but for client transactions with a branch of their own.
    table: Table,
    wheel: Wheel,
    outputs: VecDeque<Output>,
    /// Room for [`Layer::handle_timeout`], at most [`AT_ONCE`] long each.
    due: (Vec<(u32, Tick)>, Vec<u32>, Vec<Id>),
    /// The slots of timers before this moment were looked at.
    looked: Tick,
    buffers: Buffers,
    /// Of [`SWEPT_EVERY`].
    calls: u8,
    live: usize,
    refused: u64,
    /// The first moment that was seen; ticks count from it.
    epoch: Option<Instant>,
}

/// A live transaction.
struct Transaction {
    machine: Machine,
    key: Key,
    /// What few need.
    server: Option<Box<Server>>,
}

// Two lines of cache for each.
const _: () = assert!(size_of::<super::slab::Slot<Transaction>>() == 128);

/// What some server transactions have beside.
#[derive(Debug)]
struct Server {
    /// Does the user know of it? Not of those that the layer answers by itself.
    announced: bool,
    /// By what a merged copy of the request is told.
    merged: Option<Key>,
    /// What the ACK of an RFC 2543 peer is matched by, without its To tag and with it.
    rfc2543: Option<Key>,
    rfc2543_ack: Option<Key>,
    /// The To tag of the last response to an INVITE that has one.
    to_tag: Option<Box<[u8]>>,
}

impl Default for Server {
    fn default() -> Server {
        Server { announced: true, merged: None, rfc2543: None, rfc2543_ack: None, to_tag: None }
    }
}

impl Transaction {
    fn has(&self, key: Key) -> bool {
        let beside = |server: &Server| [server.merged, server.rfc2543_ack].contains(&Some(key));
        self.key == key || self.server.as_deref().is_some_and(beside)
    }

    fn server(&mut self) -> &mut Server {
        self.server.get_or_insert_default()
    }
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
    /// Bytes of the branch that [`Layer::send`] writes.
    pub(crate) const BRANCH_LENGTH: usize = branch::LENGTH;

    /// An empty layer; `ids` gives branches and the key of the tables.
    pub fn new(config: Config, mut ids: Ids) -> Layer {
        Layer {
            max: config.max_transactions,
            timers: Timers::new(&config),
            keys: Keys::new(&mut ids),
            vias: Vias::default(),
            ids,
            slots: Slab::new(),
            table: Table::new(),
            wheel: Wheel::new(),
            outputs: VecDeque::new(),
            due: Default::default(),
            looked: 0,
            buffers: Buffers::new(),
            calls: 0,
            live: 0,
            refused: 0,
            epoch: None,
        }
    }

    /// Opens a client transaction for a request without its own Via: puts Via (with branch and `rport`) on
    /// top and sends it.
    ///
    /// An ACK is sent once and its transaction is gone at once (the ACK of a 2xx opens none:
    /// [`Layer::send_outside`]); a CANCEL that has a Via goes out as it is ([`cancel_of`](super::cancel_of)); what is no request is not sent at all and ends with
    /// [`Output::ClientTransportFailed`].
    ///
    /// # Errors
    /// [`Full`].
    pub fn send(&mut self, now: Instant, request: &Message, flow: Flow) -> Result<ClientId, Full> {
        let now = self.moment(now);
        let method = request.method();
        if method == Some(Method::Cancel)
            && let Some(branch) = request.top_via().ok().and_then(|via| via.branch())
        {
            return self.send_cancel_of_another(now, branch, request, flow);
        }
        let mut branch = Branch::of_bits(self.ids.branch_bits());
        let key_and_mask = method.map(|method| self.keys.client_of_branch(branch.chance, method));
        let waiting = Machine::NonInviteClient(NonInviteClient::waiting(Bytes::new(), flow));
        let id = self.open(waiting, key_and_mask.map(|(key, _)| key)).ok_or(Full)?;
        if let Some((_, mask)) = key_and_mask {
            branch.masked = id.index() ^ mask;
        }
        let bytes = self.vias.put(request, &flow, &branch.text(), self.buffers.take());
        self.run(now, id, |machine, step| match method {
            Some(Method::Invite) => {
                *machine = Machine::InviteClient(InviteClient::start(step, bytes, flow));
                Fate::Alive
            }
            Some(method) => {
                let mut client = NonInviteClient::waiting(bytes, flow);
                client.start(step);
                *machine = Machine::NonInviteClient(client);
                if method == Method::Ack { Fate::Terminated } else { Fate::Alive }
            }
            None => machine.on_transport_error(step),
        });
        Ok(ClientId(id))
    }

    /// A CANCEL with the Via of its INVITE, which somebody else has sent: it is known by that (RFC 3261 sec. 9.1).
    fn send_cancel_of_another(
        &mut self,
        now: Moment,
        branch: &[u8],
        cancel: &Message,
        flow: Flow,
    ) -> Result<ClientId, Full> {
        let key = self.keys.client(branch, Method::Cancel);
        let waiting = NonInviteClient::waiting(cancel.bytes().clone(), flow);
        let id = self.open(Machine::NonInviteClient(waiting), Some(key)).ok_or(Full)?;
        self.run(now, id, |machine, step| {
            if let Machine::NonInviteClient(client) = machine {
                client.start(step);
            }
            Fate::Alive
        });
        Ok(ClientId(id))
    }

    /// Sends a request outside any transaction, once, with a Via of ours on top: the ACK of a 2xx, which the
    /// user sends again for each 2xx that comes (RFC 3261 sec. 13.2.2.4).
    pub fn send_outside(&mut self, request: &Message, flow: Flow) {
        let branch = Branch::of_bits(self.ids.branch_bits()).text();
        let bytes = self.vias.put(request, &flow, &branch, self.buffers.take());
        self.outputs.push_back(Output::Transmit { owner: Owner::None, flow, bytes, retransmission: 0 });
    }

    /// Cancels an INVITE (RFC 3261 sec. 9.1): sends CANCEL in a client transaction of its own, now or as soon
    /// as a provisional response has come. When none comes, that transaction ends unsent with the INVITE's.
    /// The INVITE ends by its own final response, at the latest 64*T1 after the CANCEL.
    ///
    /// `reason` is a Reason value of the CANCEL ([`Reason::is_value`]), like `SIP;cause=200;text="Call completed elsewhere"`.
    ///
    /// # Errors
    /// [`CancelError`]; nothing is cancelled then.
    pub fn cancel(
        &mut self,
        now: Instant,
        invite: ClientId,
        reason: Option<&str>,
    ) -> Result<ClientId, CancelError> {
        if !reason.is_none_or(Reason::is_value) {
            return Err(CancelError::BadReason);
        }
        let now = self.moment(now);
        let slot = self.slots.get(invite.0).ok_or(CancelError::NotPending)?;
        let Machine::InviteClient(machine) = &slot.machine else { return Err(CancelError::NotPending) };
        if machine.cancel().is_some() {
            return Err(CancelError::NotPending);
        }
        let (request, flow) = machine.pending().ok_or(CancelError::NotPending)?;
        let message = derived::cancel(request, reason).ok_or(CancelError::NotPending)?;
        let branch = message.top_via().ok().and_then(|via| via.branch());
        let key = branch.map(|branch| self.keys.client(branch, Method::Cancel));
        let waiting = NonInviteClient::waiting(message.bytes().clone(), flow);
        let id = ClientId(self.open(Machine::NonInviteClient(waiting), key).ok_or(Full)?);
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
        self.respond_with(now, id, response, false)
    }

    /// Refuses an INVITE, or answers another request, without keeping anything of it (RFC 3261 sec. 8.2.7): the answer goes out once, whether or
    /// not it is acknowledged, and the request again is a new one. So nobody who does not say who he is makes us send more than he sends
    /// (sec. 26.3.2.4), or keeps our memory. Provisional responses, and a 2xx to INVITE, go out as by [`Layer::respond`].
    ///
    /// # Errors
    /// As [`Layer::respond`].
    pub fn respond_once(
        &mut self,
        now: Instant,
        id: ServerId,
        response: Message,
    ) -> Result<(), RespondError> {
        self.respond_with(now, id, response, true)
    }

    fn respond_with(
        &mut self,
        now: Instant,
        id: ServerId,
        response: Message,
        once: bool,
    ) -> Result<(), RespondError> {
        let now = self.moment(now);
        let status = response.status().filter(|status| (100..700).contains(status));
        let status = status.ok_or(RespondError::Forbidden)?;
        let mut outcome = Err(RespondError::Gone);
        self.run(now, id.0, |machine, step| match machine {
            Machine::InviteServer(machine) => {
                outcome = machine.respond(step, status, &response);
                if once && status >= 300 && outcome.is_ok() { Fate::Terminated } else { Fate::Alive }
            }
            Machine::NonInviteServer(machine) => match machine.respond(step, status, &response) {
                Ok(_) if once && status >= 200 => {
                    outcome = Ok(());
                    Fate::Terminated
                }
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
        if outcome.is_ok() {
            self.keep_to_tag(id.0, status, &response);
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

    /// Number of times that the request of a client transaction was sent again so far; `None` when it is gone.
    pub fn retransmissions(&self, id: ClientId) -> Option<u32> {
        match &self.slots.get(id.0)?.machine {
            Machine::InviteClient(machine) => Some(machine.retransmissions()),
            Machine::NonInviteClient(machine) => Some(machine.retransmissions()),
            _ => None,
        }
    }

    /// The client transaction that sent a request with this branch; for what came and cannot be matched, because it is no whole message.
    pub fn client_by_branch(&self, branch: &[u8]) -> Option<ClientId> {
        Method::KNOWN.iter().find_map(|&method| self.client(branch, method)).map(ClientId)
    }

    /// The client transaction that sent a request of this method with this branch.
    pub fn client_of(&self, branch: &[u8], method: Method<'_>) -> Option<ClientId> {
        self.client(branch, method).map(ClientId)
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
        let (mut entries, mut ahead, mut due) = std::mem::take(&mut self.due);
        loop {
            entries.extend(std::iter::from_fn(|| self.wheel.pop(now.down)).take(AT_ONCE));
            let Some(&(_, last)) = entries.last() else { break };
            if self.wheel.wants_prepare() {
                self.wheel.prepare(PREPARED * entries.len());
            }
            if last >= self.looked {
                ahead.extend(entries.iter().map(|&(index, _)| index));
                if ahead.len() < AT_ONCE {
                    self.looked = self.wheel.ahead(AT_ONCE - ahead.len(), &mut ahead);
                }
                self.look(&ahead);
                ahead.clear();
            }
            for (index, at) in entries.drain(..) {
                if !self.slots.disarm(index, at) {
                    continue;
                }
                self.wheel.disarmed();
                let Some((id, transaction, armed)) = self.slots.at_armed(index) else { continue };
                match transaction.machine.deadline() {
                    deadline if deadline > now.down => self.wheel.arm(armed, index, deadline),
                    _ => due.push(id),
                }
            }
            for id in due.drain(..) {
                self.run(now, id, Machine::on_timer);
            }
        }
        self.due = (entries, ahead, due);
    }

    /// Looks at what the timers of these slots need, and changes nothing. It lies far apart: looked at together, first the slots and
    /// then what they point to, it is not fetched one after the other.
    fn look(&self, slots: &[u32]) {
        let armed = slots.iter().filter(|&&index| self.slots.is_armed(index, NEVER)).count();
        let of = |index: u32| self.slots.at(index).is_some_and(|(_, transaction)| transaction.machine.look());
        let looked = slots.iter().filter(|&&index| of(index)).count();
        std::hint::black_box((armed, looked));
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
        if self.wheel.wants_prepare() {
            self.wheel.prepare(PREPARED);
        }
        self.calls = (self.calls + 1) % SWEPT_EVERY;
        if self.calls == 0 && self.wheel.wants_sweep() {
            self.wheel.sweep(SWEPT, |index, at| self.slots.is_armed(index, at));
        }
        Moment::new(*self.epoch.get_or_insert(now), now)
    }

    /// The live client transaction that a response with this branch belongs to.
    fn client(&self, branch: &[u8], method: Method<'_>) -> Option<Id> {
        let of_branch = Branch::parse(branch).and_then(|Branch { chance, masked }| {
            let (key, mask) = self.keys.client_of_branch(chance, method);
            let (id, transaction) = self.slots.at(masked ^ mask)?;
            (transaction.key == key).then_some(id)
        });
        match method {
            // The CANCEL of an INVITE has its branch.
            Method::Cancel => of_branch.or_else(|| self.find(self.keys.client(branch, method))),
            _ => of_branch,
        }
    }

    /// The live transaction that has this key.
    fn find(&self, key: Key) -> Option<Id> {
        let has = |index| self.slots.at(index).is_some_and(|(_, transaction)| transaction.has(key));
        self.table.find(key, has).and_then(|index| self.slots.at(index)).map(|(id, _)| id)
    }

    /// A new transaction, without a timer yet; `None` when the layer is full.
    fn open(&mut self, machine: Machine, key: Option<Key>) -> Option<Id> {
        if self.live >= self.max {
            return None;
        }
        let of_table = key.unwrap_or(Key::NONE);
        let id = self.slots.insert(Transaction { machine, key: of_table, server: None })?;
        self.live += 1;
        if let Some(key) = key.filter(|key| key.is_for_table()) {
            self.table.insert(key, id.index());
        }
        Some(id)
    }

    /// One step of one machine, and what follows from it.
    fn run(&mut self, now: Moment, id: Id, step: impl FnOnce(&mut Machine, &mut Step<'_>) -> Fate) {
        let Some((transaction, armed)) = self.slots.get_armed(id) else { return };
        let machine = &mut transaction.machine;
        let mut context =
            Step { now, timers: &self.timers, outputs: &mut self.outputs, buffers: &mut self.buffers, id };
        let fate = step(machine, &mut context);
        match fate {
            Fate::Alive => {
                self.wheel.arm(armed, id.index(), machine.deadline());
                if let Some(ClientId(cancel)) = machine.cancel() {
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
        let Some((Transaction { machine: Machine::InviteClient(machine), .. }, armed)) =
            self.slots.get_armed(invite)
        else {
            return;
        };
        if machine.is_proceeding() {
            let step = Step {
                now,
                timers: &self.timers,
                outputs: &mut self.outputs,
                buffers: &mut self.buffers,
                id: invite,
            };
            machine.on_cancel_sent(&step);
            self.wheel.arm(armed, invite.index(), machine.deadline());
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

    /// A transaction is gone, and all that pointed to it, but for the wheel's entry, which the next one in its slot may need.
    fn finish(&mut self, id: Id) {
        let Some(Transaction { machine, key, server }) = self.slots.remove(id) else { return };
        self.live -= 1;
        if key.is_for_table() {
            self.table.remove(key, id.index());
        }
        if let Some(server) = &server {
            for key in [server.merged, server.rfc2543_ack].into_iter().flatten() {
                self.table.remove(key, id.index());
            }
        }
        if machine.is_client() {
            self.outputs.push_back(Output::ClientTerminated(ClientId(id)));
        } else if server.is_none_or(|server| server.announced) {
            self.outputs.push_back(Output::ServerTerminated(ServerId(id)));
        }
        if let Some(ClientId(cancel)) = machine.cancel()
            && self.slots.get(cancel).is_some_and(|slot| slot.machine.is_waiting_cancel())
        {
            self.finish(cancel);
        }
    }

    /// Keeps of a response to an INVITE what later messages are compared with or get: its To tag is that of the answer to a CANCEL
    /// (RFC 3261 sec. 9.2), and by that of the final one the ACK of an RFC 2543 peer is known (sec. 17.2.3).
    fn keep_to_tag(&mut self, id: Id, status: u16, response: &Message) {
        let Some(transaction) = self.slots.get_mut(id) else { return };
        let Machine::InviteServer(_) = transaction.machine else { return };
        let to_tag = response.to().ok().and_then(|to| to.tag());
        let server = transaction.server();
        if let Some(tag) = to_tag.filter(|&tag| server.to_tag.as_deref() != Some(tag)) {
            server.to_tag = Some(tag.into());
        }
        if let (Some(base), None, 200..) = (server.rfc2543, server.rfc2543_ack, status) {
            let key = self.keys.rfc2543_ack(base, to_tag);
            server.rfc2543_ack = Some(key);
            // One that has the same is found no longer.
            if let Some(other) = self.find(key).filter(|&other| other != id) {
                self.table.remove(key, other.index());
            }
            self.table.insert(key, id.index());
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

    /// Entries of the wheel, and slots that are armed.
    pub(super) fn timers_held(&self) -> (usize, usize) {
        (self.wheel.entries(), self.slots.armed())
    }
}
