//! What comes into the loop: requests to send, datagrams, what connections carried.

use super::ClientEvent;
use super::driver::{Client, Driver, now};
use super::log::Log;
use super::mailbox::Post;
use super::sockets::Read;
use crate::message::{Flow, Message, Transport, branch_of, call_id_of};
use crate::syntax::{Method, SyntaxError, SyntaxErrorKind};
use crate::transaction::{ClientId, Full, Input};
use crate::transport::{
    Carried, ConnectionEvent, Direction, End, MALFORMED_KEPT, RecordEvent, Train, TransportError,
    TransportErrorKind,
};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

/// Client transactions among which the ones that a stray message may be meant for are looked for.
const STRAYS_MATCHED: usize = 1_024;
/// Source addresses kept for sockets that are bound to a wildcard.
const SOURCES_KEPT: usize = 4_096;

/// Line ends, or nothing at all: the beginning of a message, if anything.
fn keep_alive(bytes: &[u8]) -> RecordEvent {
    let kept = Bytes::copy_from_slice(bytes.get(..MALFORMED_KEPT).unwrap_or(bytes));
    let error = SyntaxError { kind: SyntaxErrorKind::Truncated, offset: bytes.len() };
    RecordEvent::Malformed { bytes: kept, length: bytes.len(), error }
}

impl Driver {
    pub(super) fn begin(&mut self, now: Instant, flow: Flow, log: Arc<Log>, post: Post) {
        let Some(request) = post.take_request() else { return };
        match self.layer.send(now, &request, flow) {
            Ok(id) => {
                post.sent(now, Some(id));
                self.began += 1;
                let order = self.began;
                let mut is_watched = false;
                if flow.transport == Transport::Udp {
                    is_watched = self.remotes.wait(flow.remote, order, id);
                } else if let Some(connection) = self.connections.by_flow(&flow) {
                    connection.waiting.insert(order, id);
                    connection.used_by(&log);
                }
                let is_invite = request.method() == Some(Method::Invite);
                let client =
                    Client { post, log, flow, order, is_watched, is_invite, answered: false, error: None };
                self.clients.insert(id, client);
            }
            Err(Full) => {
                post.sent(now, None);
                let kind = TransportErrorKind::Limit("max_transactions");
                let error = TransportError { transport: flow.transport, remote: flow.remote, kind };
                log.push(now, flow, RecordEvent::Failed(error.clone()));
                post.deliver(ClientEvent::Failed(error), true);
            }
        }
    }

    /// Cancels an INVITE of ours. When it has its answer already, `post` ends without an event.
    pub(super) fn cancel(
        &mut self,
        now: Instant,
        invite: ClientId,
        reason: Option<&str>,
        (flow, log, post): (Flow, Arc<Log>, Post),
    ) {
        match self.layer.cancel(now, invite, reason) {
            Ok(id) => {
                post.sent(now, Some(id));
                self.began += 1;
                let order = self.began;
                let client = Client {
                    post,
                    log,
                    flow,
                    order,
                    is_invite: false,
                    answered: false,
                    error: None,
                    is_watched: false,
                };
                self.clients.insert(id, client);
            }
            Err(error) => {
                post.sent(now, None);
                tracing::debug!(%error, "not cancelled");
            }
        }
    }

    /// Reads one datagram or several that came together; how many, where an error counts too.
    pub(super) fn read_datagrams(&mut self, index: usize, cx: &mut Context<'_>) -> usize {
        let now = now();
        let Some(socket) = self.sockets.get_mut(index) else { return 0 };
        let bound = socket.bound();
        match socket.read(now, cx, &mut self.buffer) {
            Read::Nothing => 0,
            Read::Error => 1,
            Read::Datagrams(Train { length, size, remote, .. }, dropped) => {
                self.stats.receive_dropped += u64::from(dropped);
                let buffer = std::mem::take(&mut self.buffer);
                let datagrams = buffer.get(..length).unwrap_or(&buffer).chunks(size.max(1));
                let count = datagrams.len().max(1);
                if length == 0 {
                    self.receive_datagram(now, &[], bound, remote);
                }
                for bytes in datagrams {
                    self.receive_datagram(now, bytes, bound, remote);
                }
                self.buffer = buffer;
                count
            }
        }
    }

    fn receive_datagram(&mut self, now: Instant, bytes: &[u8], bound: SocketAddr, remote: SocketAddr) {
        // Keep-alives hold nothing, or nothing but line ends: to those who wait for an answer from there they say that the way is open.
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            if !self.clients.is_empty() {
                let flow = self.udp_flow(bound, remote);
                self.record_stray(now, flow, &keep_alive(bytes));
            }
            return;
        }
        // Not a clone of these bytes for the case that they are no message: that would cost every message its counter.
        match Message::parse(Bytes::copy_from_slice(bytes), &self.shared.config.limits) {
            Ok(message) => {
                let flow = self.udp_flow(bound, remote);
                self.receive(now, now, message, flow);
            }
            Err(error) => {
                let kept = Bytes::copy_from_slice(bytes.get(..MALFORMED_KEPT).unwrap_or(bytes));
                let flow = Flow { transport: Transport::Udp, local: bound, remote };
                self.receive_malformed(now, (kept, bytes.len()), error, flow);
            }
        }
    }

    /// The flow of a datagram that came to a socket; a wildcard is replaced by the address that answers leave from.
    fn udp_flow(&mut self, mut local: SocketAddr, remote: SocketAddr) -> Flow {
        if local.ip().is_unspecified() {
            let known = self.sources.get(&remote.ip()).copied();
            let source = known.or_else(|| {
                let source = self.shared.network.source_for(remote).ok()?;
                if self.sources.len() >= SOURCES_KEPT {
                    self.sources.clear();
                }
                self.sources.insert(remote.ip(), source);
                Some(source)
            });
            if let Some(source) = source {
                local.set_ip(source);
            }
        }
        Flow { transport: Transport::Udp, local, remote }
    }

    fn receive(&mut self, now: Instant, read_at: Instant, message: Message, flow: Flow) {
        self.stats.received += 1;
        self.read_at = read_at;
        if let Some(log) = self.log_of(&message) {
            log.received(read_at, flow, message.bytes());
        }
        let message = if message.is_request() { message.with_received_from(flow.remote) } else { message };
        self.layer.handle_input(now, Input::Received { message, flow });
        self.drain(now);
    }

    /// Whose record a message goes into. Responses find their transaction by their branch, whatever Call-ID they have by now (RFC 3261 sec.
    /// 17.1.3): what a verdict rests on is recorded with it.
    fn log_of(&self, message: &Message) -> Option<Arc<Log>> {
        let registry = &self.shared.registry;
        if message.is_request() || self.clients.is_empty() {
            return registry.find(|| message.call_id().ok());
        }
        let owner = message.call_id().ok().and_then(|call_id| registry.owner(call_id));
        owner
            .or_else(|| {
                let branch = message.top_via().ok()?.branch()?;
                let client = self.clients.get(&self.layer.client_by_branch(branch)?)?;
                Some(Arc::clone(&client.log))
            })
            .or_else(|| registry.find(|| None))
    }

    fn receive_malformed(
        &mut self,
        now: Instant,
        (bytes, length): (Bytes, usize),
        error: SyntaxError,
        mut flow: Flow,
    ) {
        self.stats.malformed += 1;
        tracing::debug!(remote = %flow.remote, transport = %flow.transport, length, %error, "no SIP message");
        if flow.transport == Transport::Udp {
            flow = self.udp_flow(flow.local, flow.remote);
        }
        let of_branch = || {
            let id = self.layer.client_by_branch(branch_of(&bytes)?)?;
            self.clients.get(&id).map(|client| Arc::clone(&client.log))
        };
        let event = RecordEvent::Malformed { bytes: bytes.clone(), length, error };
        match self.shared.registry.find(|| call_id_of(&bytes)).or_else(of_branch) {
            Some(log) => log.push(now, flow, event),
            // One with a Call-ID of somebody else is nobody's here.
            None if call_id_of(&bytes).is_some() => {}
            None => {
                self.record_stray(now, flow, &event);
            }
        }
    }

    /// A response that belongs to no transaction. By its Call-ID it may have been recorded when it came.
    pub(super) fn receive_stray(&mut self, message: &Message, flow: Flow) {
        self.stats.stray += 1;
        if message.is_request() || self.log_of(message).is_some() {
            return;
        }
        let event = RecordEvent::Message {
            direction: Direction::Received,
            bytes: message.bytes().clone(),
            retransmission: 0,
        };
        self.record_stray(self.read_at, flow, &event);
    }

    /// Tells those who wait for an answer from this remote what came from it, and is nobody's by what stands in it; gives their records.
    pub(super) fn record_stray(&mut self, now: Instant, flow: Flow, event: &RecordEvent) -> Vec<Arc<Log>> {
        let waits = |client: &&Client| !client.answered && !client.post.is_ended();
        let mut logs: Vec<Arc<Log>> = Vec::new();
        if flow.transport == Transport::Udp {
            // All are looked at: with many of them, who waits for whom cannot be told apart anyhow.
            if self.clients.len() <= STRAYS_MATCHED {
                let there = self.clients.values().filter(|client| client.flow.remote == flow.remote);
                logs.extend(there.filter(waits).map(|client| Arc::clone(&client.log)));
            }
        } else if let Some(connection) = self.connections.by_flow(&flow) {
            let waiting = connection.waiting.values().filter_map(|id| self.clients.get(id)).filter(waits);
            logs.extend(waiting.take(STRAYS_MATCHED).map(|client| Arc::clone(&client.log)));
            if logs.is_empty() {
                logs = connection.users();
            }
        }
        logs.sort_unstable_by_key(Arc::as_ptr);
        logs.dedup_by(|a, b| Arc::ptr_eq(a, b));
        logs.iter().for_each(|log| log.push_stray(now, flow, event.clone()));
        logs
    }

    /// Takes what a connection says.
    pub(super) fn receive_carried(&mut self, now: Instant, Carried { connection, at, event }: Carried) {
        let Some(flow) = self.connections.get(connection).map(|c| c.flow) else { return };
        match event {
            ConnectionEvent::Message(message) => self.receive(now, at.into_std(), message, flow),
            ConnectionEvent::Malformed { bytes, length, error } => {
                self.receive_malformed(at.into_std(), (bytes, length), error, flow);
            }
            // To who waits for nothing it says nothing.
            ConnectionEvent::KeptAlive => {
                if self.connections.get(connection).is_some_and(|connection| !connection.waiting.is_empty()) {
                    self.record_stray(at.into_std(), flow, &keep_alive(b"\r\n"));
                }
            }
            ConnectionEvent::HalfClosed => {
                let users = self.connections.get(connection).map(|c| c.users()).unwrap_or_default();
                users.iter().for_each(|log| log.push(now, flow, RecordEvent::Closed(End::Peer.to_string())));
                // Without requests of the peer's there are no answers that he may wait for.
                let waiting = self.connections.half_close(connection, self.stats.servers > 0);
                self.fail(now, waiting, &TransportErrorKind::Closed);
            }
            ConnectionEvent::Ended(end) => {
                let Some(gone) = self.connections.remove(connection) else { return };
                if matches!(end, End::Framing(_)) {
                    // Whose answer it was cannot be told: each tries again on a connection of its own.
                    gone.users().iter().for_each(|log| log.keep_apart());
                }
                // The peer's end was told when it came.
                if end != End::Peer {
                    gone.users()
                        .iter()
                        .for_each(|log| log.push(now, flow, RecordEvent::Closed(end.to_string())));
                }
                let kind = match end {
                    End::Peer | End::Broken(_) => TransportErrorKind::Closed,
                    End::Framing(_) => TransportErrorKind::Unframed(end.to_string()),
                    end => TransportErrorKind::Io(format!("connection {end}")),
                };
                self.fail(now, gone.waiting.into_values(), &kind);
            }
        }
    }

    /// Ends client transactions that wait in vain.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        ids: impl IntoIterator<Item = ClientId>,
        kind: &TransportErrorKind,
    ) {
        for id in ids {
            let Some(client) = self.clients.get_mut(&id) else { continue };
            if client.answered || client.post.is_ended() {
                continue;
            }
            let Flow { transport, remote, .. } = client.flow;
            client.error = Some(TransportError { transport, remote, kind: kind.clone() });
            self.layer.handle_input(now, Input::ClientTransportError(id));
        }
        self.drain(now);
    }
}
