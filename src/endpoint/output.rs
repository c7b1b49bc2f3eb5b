//! The other half of the loop: what the transaction layer wants done.

use super::connections::Waiter;
use super::driver::{Client, Done, Driver};
use super::log::Log;
use super::{ClientEvent, IncomingEvent, IncomingRequest, Received, automatic, reply};
use crate::message::{BuildError, Flow, Message, Transport, call_id_of};
use crate::transaction::{ClientId, Input, Output, Owner, ServerId};
use crate::transport::{Direction, RecordEvent, TransportError, TransportErrorKind};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

impl Driver {
    /// Does everything that the layer wants done.
    pub(super) fn drain(&mut self, now: Instant) {
        while let Some(output) = self.layer.poll_output() {
            self.act(now, output);
        }
    }

    fn act(&mut self, now: Instant, output: Output) {
        match output {
            Output::Transmit { owner: Owner::Client(id), flow, bytes, retransmission } => {
                self.transmit_request(now, id, flow, &bytes, retransmission);
            }
            Output::Transmit { owner, flow, bytes, retransmission } if bytes.starts_with(b"SIP/2.0 ") => {
                self.transmit_response(now, owner, flow, bytes, retransmission);
            }
            Output::Transmit { flow, bytes, .. } => self.send_raw(now, flow, &bytes),
            Output::Response { id, message, flow } => self.deliver(id, message, flow),
            Output::Timeout { id } => self.end(id, ClientEvent::Timeout),
            Output::ClientTransportFailed { id } => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                if client.error.is_none() && client.post.is_unheard() {
                    return;
                }
                let Flow { transport, remote, .. } = client.flow;
                let unnamed = || TransportError {
                    transport,
                    remote,
                    kind: TransportErrorKind::Io("not sent".to_owned()),
                };
                let error = client.error.take().unwrap_or_else(unnamed);
                client.log.push(now, client.flow, RecordEvent::Failed(error.clone()));
                self.end(id, ClientEvent::Failed(error));
            }
            Output::Request { id, message, flow } => {
                self.stats.servers += 1;
                if self.is_ours(&message, flow) {
                    return self.layer.abandon(now, id);
                }
                self.hand_over(now, id, message, flow);
            }
            Output::Ack { message, flow } => {
                self.tell(IncomingEvent::Ack { message, flow, at: self.read_at })
            }
            Output::Stray { message, flow } => self.receive_stray(&message, flow),
            Output::Refused { message, flow, why } => {
                self.stats.stray += 1;
                // A flood of these leaves room for what wants an answer.
                if self.incoming.capacity() > self.incoming.max_capacity() / 2 {
                    self.tell(IncomingEvent::Refused { message, flow, at: self.read_at, why });
                }
            }
            Output::ClientTerminated(id) => self.forget(id),
            Output::ServerTerminated(_) => self.stats.servers = self.stats.servers.saturating_sub(1),
            Output::Cancelled { invite, reasons } => {
                self.tell(IncomingEvent::Cancelled { invite, reasons, at: self.read_at });
            }
            Output::ServerFailed { id } => self.tell(IncomingEvent::Failed { id, at: now }),
        }
    }

    fn transmit_request(
        &mut self,
        now: Instant,
        id: ClientId,
        flow: Flow,
        bytes: &Bytes,
        retransmission: u32,
    ) {
        if retransmission > 0 && self.clients.get(&id).is_some_and(|c| !c.is_invite && c.post.is_unheard()) {
            // Nobody waits for the answer: the peer is left in peace.
            return self.layer.handle_input(now, Input::ClientTransportError(id));
        }
        let sent = self.put(flow, bytes, Owner::Client(id), true);
        let Some(client) = self.clients.get(&id) else { return };
        if let Err(error) = sent {
            return self.not_sent(now, Owner::Client(id), error);
        }
        client.log.sent(now, flow, bytes, retransmission);
        client.post.retransmitted(retransmission);
        self.count_sent(retransmission);
        if retransmission > 0 && flow.transport == Transport::Udp {
            self.probe(now, id, flow);
        }
    }

    /// Asks beside the loop whether a remote that never answered is there at all.
    fn probe(&mut self, now: Instant, id: ClientId, flow: Flow) {
        if !self.shared.config.detect_closed_ports || !self.remotes.wants_probe(flow.remote) {
            return;
        }
        if let Some(client) = self.clients.get(&id) {
            let text = "no answer yet: a CRLF keep-alive from another socket asks whether the port is closed";
            client.log.push(now, flow, RecordEvent::Note(text.to_owned()));
        }
        let network = Arc::clone(&self.shared.network);
        self.tasks.spawn(async move {
            let answer = network.probe_udp(flow.local.ip(), flow.remote).await;
            let is_refused = answer.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
            Done::Probed { remote: flow.remote, is_refused }
        });
    }

    pub(super) fn probed(&mut self, now: Instant, remote: SocketAddr, is_refused: bool) {
        let in_vain = self.remotes.probed(remote, is_refused);
        self.fail(now, in_vain, &TransportErrorKind::Refused);
    }

    fn transmit_response(
        &mut self,
        now: Instant,
        owner: Owner,
        mut flow: Flow,
        bytes: Bytes,
        retransmission: u32,
    ) {
        let log = self.shared.registry.find(|| call_id_of(&bytes));
        let response = || Message::parse(bytes.clone(), &self.shared.config.limits).ok();
        if flow.transport == Transport::Udp {
            flow.remote = response().and_then(|r| reply::udp(&r, flow.remote)).unwrap_or(flow.remote);
        }
        match self.put(flow, &bytes, owner, false) {
            Ok(()) => self.sent(now, flow, &bytes, log.as_deref(), retransmission),
            Err(TransportError { kind: TransportErrorKind::Closed, .. })
                if flow.transport != Transport::Udp =>
            {
                // RFC 3261 sec. 18.2.2: the connection is gone, so open one to where the request says that it came from.
                let response = Message::parse(bytes.clone(), &self.shared.config.limits).ok();
                let remote = response.and_then(|r| reply::stream(&r, flow.remote)).unwrap_or(flow.remote);
                let route = (Some(flow.local.ip()), remote);
                let waiter = Waiter::Response { bytes, owner, log, retransmission };
                match self.connections.usable(route, None) {
                    Some(flow) => self.opened_for(now, waiter, Ok(flow)),
                    None => self.wait(now, route, waiter),
                }
            }
            Err(error) => {
                if let Some(log) = log {
                    log.push(now, flow, RecordEvent::Failed(error.clone()));
                }
                self.not_sent(now, owner, error);
            }
        }
    }

    pub(super) fn send_raw(&mut self, now: Instant, flow: Flow, bytes: &Bytes) {
        let log = self.shared.registry.find(|| call_id_of(bytes));
        match self.put(flow, bytes, Owner::None, false) {
            Ok(()) => self.sent(now, flow, bytes, log.as_deref(), 0),
            Err(error) => {
                if let Some(log) = log {
                    log.push(now, flow, RecordEvent::Failed(error.clone()));
                }
                self.not_sent(now, Owner::None, error);
            }
        }
    }

    /// Puts bytes on their flow.
    pub(super) fn put(
        &mut self,
        flow: Flow,
        bytes: &Bytes,
        owner: Owner,
        is_request: bool,
    ) -> Result<(), TransportError> {
        let Flow { transport, remote, .. } = flow;
        match transport {
            Transport::Udp => match self.sockets.iter_mut().find(|socket| socket.serves(flow.local)) {
                Some(socket) => socket.send(bytes, remote, owner),
                None => {
                    let kind = TransportErrorKind::Io(format!("no socket is bound to {}", flow.local));
                    Err(TransportError { transport, remote, kind })
                }
            },
            Transport::Tcp => match self.connections.by_flow(&flow) {
                Some(connection) => connection.send(bytes, is_request),
                None => Err(TransportError { transport, remote, kind: TransportErrorKind::Closed }),
            },
        }
    }

    fn count_sent(&mut self, retransmission: u32) {
        self.stats.sent += 1;
        self.stats.retransmitted += u64::from(retransmission > 0);
    }

    pub(super) fn sent(
        &mut self,
        now: Instant,
        flow: Flow,
        bytes: &Bytes,
        log: Option<&Log>,
        retransmission: u32,
    ) {
        self.count_sent(retransmission);
        if let Some(log) = log {
            log.sent(now, flow, bytes, retransmission);
        }
    }

    /// Tells a transaction that its bytes were not sent; what it then wants is done by who drains.
    pub(super) fn not_sent(&mut self, now: Instant, owner: Owner, error: TransportError) {
        if matches!(error.kind, TransportErrorKind::Limit(_)) {
            self.stats.dropped += 1;
        }
        tracing::debug!(%error, "not sent");
        match owner {
            Owner::Client(id) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.error = Some(error);
                }
                self.layer.handle_input(now, Input::ClientTransportError(id));
            }
            Owner::Server(id) => self.layer.handle_input(now, Input::ServerTransportError(id)),
            Owner::None => {}
        }
    }

    fn deliver(&mut self, id: ClientId, message: Message, flow: Flow) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.flow.transport == Transport::Udp {
            // By whichever address: what was sent there has arrived.
            self.remotes.hear(client.flow.remote);
        }
        let status = message.status().unwrap_or_default();
        let received = Received { message, flow, at: self.read_at };
        let delivered = if status < 200 {
            client.post.deliver(ClientEvent::Provisional(received), false)
        } else {
            client.answered = true;
            client.post.deliver(ClientEvent::Final(received), !client.is_invite || status >= 300)
        };
        self.stats.events_dropped += u64::from(!delivered);
        // Its transaction absorbs retransmissions for some seconds more; what belongs to its owner need not wait for that.
        if client.answered && !client.is_invite {
            self.forget(id);
        }
    }

    fn end(&mut self, id: ClientId, event: ClientEvent) {
        if let Some(client) = self.clients.get(&id) {
            client.post.deliver(event, true);
        }
    }

    fn forget(&mut self, id: ClientId) {
        let Some(Client { flow, order, is_watched, .. }) = self.clients.remove(&id) else { return };
        if flow.transport == Transport::Udp {
            if is_watched {
                self.remotes.done(flow.remote, order);
            }
        } else if let Some(connection) = self.connections.by_flow(&flow) {
            connection.waiting.remove(&order);
        }
    }

    /// Tells the owner what wants no answer. One that does not keep up misses it.
    fn tell(&mut self, event: IncomingEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.incoming.try_send(event) {
            self.stats.events_dropped += 1;
        }
    }

    /// Is it a request of our own that came back, from an echo or a loop? An answer of ours would come back as well, for an answer to it.
    fn is_ours(&self, request: &Message, flow: Flow) -> bool {
        if self.clients.is_empty() || self.sockets.iter().any(|socket| socket.bound() == flow.remote) {
            return false;
        }
        let branch = request.top_via().ok().and_then(|via| via.branch());
        let (Some(branch), Some(method)) = (branch, request.method()) else { return false };
        self.layer.client_of(branch, method).is_some_and(|id| self.clients.contains_key(&id))
    }

    /// Hands a request to the owner, or answers it when there is none or he does not keep up.
    fn hand_over(&mut self, now: Instant, id: ServerId, message: Message, flow: Flow) {
        let request = IncomingRequest { id, message, flow, at: self.read_at };
        let (request, full) = match self.incoming.try_send(IncomingEvent::Request(request)) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(IncomingEvent::Request(request))) => (request, true),
            Err(mpsc::error::TrySendError::Closed(IncomingEvent::Request(request))) => (request, false),
            Err(_) => return,
        };
        let agent = &self.shared.config.user_agent;
        let tag = self.ids.tag();
        let is_call = automatic::is_call(&request.message);
        let called =
            is_call.then(|| self.shared.registry.called(&request.message, flow.remote.ip())).flatten();
        let response: Option<Result<Message, BuildError>> = if full {
            self.stats.refused += 1;
            Some(automatic::busy(&request.message, &tag, agent))
        } else {
            automatic::answer(&request.message, (&tag, agent), called.is_some())
        };
        // Nobody takes requests here: to those who wait for an answer from there it says that the way is open.
        let call_id = request.message.call_id().ok();
        let is_known = full || self.shared.registry.find(|| call_id).is_some();
        let event = |direction, message: &Message| RecordEvent::Message {
            direction,
            bytes: message.bytes().clone(),
            retransmission: 0,
        };
        let came = event(Direction::Received, &request.message);
        let told = match (is_known, called) {
            (true, _) => Vec::new(),
            (false, Some(log)) => {
                log.push_stray(self.read_at, flow, came);
                vec![log]
            }
            (false, None) => self.record_stray(self.read_at, flow, &came),
        };
        if let Some(Ok(response)) = &response {
            told.iter().for_each(|log| log.push_stray(now, flow, event(Direction::Sent, response)));
        }
        match response {
            // Of what nobody wants nothing is kept.
            Some(Ok(response)) => self.respond(now, id, response, true),
            Some(Err(error)) => {
                tracing::debug!(%error, remote = %flow.remote, "a request that cannot be answered");
                self.layer.abandon(now, id);
            }
            None => self.layer.abandon(now, id),
        }
    }

    pub(super) fn respond(&mut self, now: Instant, id: ServerId, response: Message, once: bool) {
        let answered = match once {
            true => self.layer.respond_once(now, id, response),
            false => self.layer.respond(now, id, response),
        };
        if let Err(error) = answered {
            // The peer's retransmissions or its silence are what happens next; whoever answered cannot do more about it.
            tracing::debug!(%error, "response not sent");
        }
    }
}
