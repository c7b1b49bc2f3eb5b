//! The loop: commands, packets, connections and deadlines go in, a bounded number of each in a turn.

use super::connections::{Connections, Route};
use super::handle::{Command, Queued, Shared};
use super::incoming::IncomingRequest;
use super::log::Log;
use super::mailbox::Post;
use super::remotes::Remotes;
use super::sockets::{Read, Socket};
use super::{ClientEvent, Stats};
use crate::message::{Flow, Ids, Message, Transport, call_id_of};
use crate::syntax::SyntaxError;
use crate::transaction::{ClientId, Input, Layer};
use crate::transport::{
    Carried, ConnectionEvent, End, Listener, MALFORMED_KEPT, RecordEvent, Settings, Stream, TransportError,
    TransportErrorKind,
};
use bytes::Bytes;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// Commands, connection events and finished tasks in a turn; as many datagrams of each socket.
const BATCH: usize = 32;
/// Streams accepted in a turn from each listener.
const ACCEPTED: usize = 8;
/// Events that connections may have waiting before they wait themselves.
const CARRIED: usize = 1_024;
/// How long accepting rests after an error (no file descriptors left, most likely).
const REST: Duration = Duration::from_millis(100);
/// How long connections have to write their last when the endpoint closes.
const FAREWELL: Duration = Duration::from_secs(2);
/// Source addresses kept for sockets that are bound to a wildcard.
const SOURCES_KEPT: usize = 4_096;
/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// The loop's whole state.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) layer: Layer,
    pub(super) ids: Ids,
    pub(super) sockets: Vec<Socket>,
    pub(super) connections: Connections,
    pub(super) clients: HashMap<ClientId, Client>,
    pub(super) remotes: Remotes,
    pub(super) requests: mpsc::Sender<IncomingRequest>,
    pub(super) stats: Stats,
    pub(super) tasks: JoinSet<Done>,
    carried: mpsc::Receiver<Carried>,
    commands: mpsc::Receiver<Queued>,
    listeners: Vec<Box<dyn Listener>>,
    accepts_at: Option<Instant>,
    /// How many clients there were: gives each its place in the order.
    began: u64,
    /// Which socket is read first in this turn.
    first: usize,
    sources: HashMap<IpAddr, IpAddr>,
    buffer: Box<[u8]>,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

/// A live client transaction.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) post: Post,
    pub(super) log: Arc<Log>,
    pub(super) flow: Flow,
    pub(super) order: u64,
    pub(super) is_invite: bool,
    /// A final response was delivered.
    pub(super) answered: bool,
    /// Why it could not be sent.
    pub(super) error: Option<TransportError>,
}

/// What a task beside the loop has done.
pub(super) enum Done {
    Opened { route: Route, result: Result<Box<dyn Stream>, TransportError> },
    Probed { remote: SocketAddr, is_refused: bool },
}

/// How a turn ended.
enum Turn {
    /// There is more to do: others first.
    More,
    /// The endpoint is closed.
    Stop,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        mut ids: Ids,
        sockets: Vec<Socket>,
        listeners: Vec<Box<dyn Listener>>,
        commands: mpsc::Receiver<Queued>,
        requests: mpsc::Sender<IncomingRequest>,
    ) -> Driver {
        let config = &shared.config;
        let (events, carried) = mpsc::channel(CARRIED);
        let settings = Settings {
            limits: config.limits,
            send_queue: config.send_queue,
            keep_alive: Some(config.keep_alive),
            idle_timeout: config.idle_timeout,
        };
        Driver {
            layer: Layer::new(config.transaction.clone(), ids.fork()),
            connections: Connections::new(config.max_connections, settings, events),
            shared,
            ids,
            sockets,
            clients: HashMap::new(),
            remotes: Remotes::default(),
            requests,
            stats: Stats::default(),
            tasks: JoinSet::new(),
            carried,
            commands,
            listeners,
            accepts_at: None,
            began: 0,
            first: 0,
            sources: HashMap::new(),
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
        }
    }

    pub(super) async fn run(mut self) {
        // The batches are our own measure of fairness; tokio's would end a turn in the middle.
        loop {
            let turn = tokio::task::unconstrained(poll_fn(|cx| self.turn(cx))).await;
            match turn {
                Turn::More => tokio::task::yield_now().await,
                Turn::Stop => return self.shut_down().await,
            }
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        self.handle_deadlines();
        let Some(mut more) = self.poll_commands(cx) else { return Poll::Ready(Turn::Stop) };
        more |= self.poll_sockets(cx);
        more |= self.poll_connections(cx);
        more |= self.poll_listeners(cx);
        more |= self.poll_tasks(cx);
        more |= self.flush(cx);
        more |= self.arm(cx);
        self.publish();
        if more { Poll::Ready(Turn::More) } else { Poll::Pending }
    }

    fn handle_deadlines(&mut self) {
        let now = now();
        if let Some(due) = self.layer.poll_timeout()
            && due <= now
        {
            let lag = now - due;
            self.stats.deadline_lag = lag;
            self.stats.deadline_lag_max = self.stats.deadline_lag_max.max(lag);
            self.layer.handle_timeout(now);
            self.drain(now);
        }
    }

    /// Sets the timer; true when it is due at once.
    fn arm(&mut self, cx: &mut Context<'_>) -> bool {
        let rests = self.sockets.iter().filter_map(Socket::rests_until);
        let Some(deadline) = rests.chain(self.accepts_at).chain(self.layer.poll_timeout()).min() else {
            self.armed = None;
            return false;
        };
        if self.armed != Some(deadline) {
            self.armed = Some(deadline);
            self.timer.as_mut().reset(deadline.into());
        }
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// Handles commands; `None` when the endpoint is to end.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Option<bool> {
        for _ in 0..BATCH {
            match self.commands.poll_recv(cx) {
                Poll::Pending => return Some(false),
                Poll::Ready(None) => return None,
                Poll::Ready(Some(Queued { command: Command::Close, .. })) => return None,
                Poll::Ready(Some(Queued { at, command })) => {
                    let now = now();
                    let lag = now.saturating_duration_since(at);
                    self.stats.command_lag = lag;
                    self.stats.command_lag_max = self.stats.command_lag_max.max(lag);
                    self.handle_command(now, command);
                    self.drain(now);
                }
            }
        }
        Some(true)
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Request { request, flow, log, post, sent } => {
                self.begin(now, &request, flow, log, post, sent)
            }
            Command::Respond { id, response } => self.respond(now, id, *response),
            Command::Abandon(id) => self.layer.abandon(now, id),
            Command::Raw { flow, bytes } => self.send_raw(now, flow, &bytes),
            Command::Open { local, remote, log, reply } => self.open(now, (local, remote), log, reply),
            Command::Disconnect(flow) => {
                if let Some(connection) = self.connections.by_flow(&flow) {
                    connection.close();
                }
            }
            Command::Close => {}
        }
    }

    fn begin(
        &mut self,
        now: Instant,
        request: &Message,
        flow: Flow,
        log: Arc<Log>,
        post: Post,
        sent: oneshot::Sender<Instant>,
    ) {
        match self.layer.send(now, request, flow) {
            Ok(id) => {
                self.began += 1;
                let order = self.began;
                if flow.transport == Transport::Udp {
                    self.remotes.wait(flow.remote, order, id);
                } else if let Some(connection) = self.connections.by_flow(&flow) {
                    connection.waiting.insert(order, id);
                    connection.used_by(&log);
                }
                let is_invite = request.method() == Some(crate::syntax::Method::Invite);
                let client = Client { post, log, flow, order, is_invite, answered: false, error: None };
                self.clients.insert(id, client);
            }
            Err(crate::transaction::Full) => {
                let kind = TransportErrorKind::Limit("max_transactions");
                let error = TransportError { transport: flow.transport, remote: flow.remote, kind };
                log.push(now, flow, RecordEvent::Failed(error.clone()));
                post.deliver(ClientEvent::Failed(error), true);
            }
        }
        // Nobody may wait for it any more.
        let _ = sent.send(now);
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> bool {
        let count = self.sockets.len();
        self.first = (self.first + 1) % count.max(1);
        let mut more = false;
        for turn in 0..count {
            let index = (self.first + turn) % count;
            more |= (0..BATCH).all(|_| self.read_datagram(index, cx));
        }
        more
    }

    /// Reads one datagram; false when there is none.
    fn read_datagram(&mut self, index: usize, cx: &mut Context<'_>) -> bool {
        let now = now();
        let Some(socket) = self.sockets.get_mut(index) else { return false };
        let bound = socket.bound();
        match socket.read(now, cx, &mut self.buffer) {
            Read::Nothing => false,
            Read::Error => true,
            Read::Datagram(length, remote) => {
                let bytes = self.buffer.get(..length).unwrap_or_default();
                // Keep-alives hold nothing, or nothing but line ends.
                if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
                    return true;
                }
                let bytes = Bytes::copy_from_slice(bytes);
                match Message::parse(bytes.clone(), &self.shared.config.limits) {
                    Ok(message) => {
                        let flow = self.udp_flow(bound, remote);
                        self.receive(now, message, flow);
                    }
                    Err(error) => {
                        let flow = Flow { transport: Transport::Udp, local: bound, remote };
                        self.receive_malformed(now, bytes, error, flow);
                    }
                }
                true
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

    fn receive(&mut self, now: Instant, message: Message, flow: Flow) {
        self.stats.received += 1;
        if let Some(log) = self.shared.registry.find(|| message.call_id().ok()) {
            log.received(now, flow, message.bytes());
        }
        let message = if message.is_request() { message.with_received_from(flow.remote) } else { message };
        self.layer.handle_input(now, Input::Received { message, flow });
        self.drain(now);
    }

    fn receive_malformed(&mut self, now: Instant, mut bytes: Bytes, error: SyntaxError, mut flow: Flow) {
        self.stats.malformed += 1;
        tracing::debug!(remote = %flow.remote, transport = %flow.transport, length = bytes.len(), %error, "no SIP message");
        let Some(log) = self.shared.registry.find(|| call_id_of(&bytes)) else { return };
        if flow.transport == Transport::Udp {
            flow = self.udp_flow(flow.local, flow.remote);
        }
        if bytes.len() > MALFORMED_KEPT {
            bytes = Bytes::copy_from_slice(bytes.get(..MALFORMED_KEPT).unwrap_or_default());
        }
        log.push(now, flow, RecordEvent::Malformed { bytes, error });
    }

    fn poll_connections(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..BATCH {
            // The sender of our own keeps the channel open.
            let Poll::Ready(Some(Carried { connection, at, event })) = self.carried.poll_recv(cx) else {
                return false;
            };
            let now = now();
            let Some(flow) = self.connections.get(connection).map(|c| c.flow) else { continue };
            match event {
                ConnectionEvent::Message(message) => self.receive(at.into_std(), message, flow),
                ConnectionEvent::Malformed { bytes, error } => {
                    self.receive_malformed(at.into_std(), bytes, error, flow)
                }
                ConnectionEvent::HalfClosed => {
                    let users = self.connections.get(connection).map(|c| c.users()).unwrap_or_default();
                    users
                        .iter()
                        .for_each(|log| log.push(now, flow, RecordEvent::Closed(End::Peer.to_string())));
                    let waiting = self.connections.half_close(connection);
                    self.fail(now, waiting, &TransportErrorKind::Closed);
                }
                ConnectionEvent::Ended(end) => {
                    let Some(gone) = self.connections.remove(connection) else { continue };
                    // The peer's end was told when it came.
                    if end != End::Peer {
                        gone.users()
                            .iter()
                            .for_each(|log| log.push(now, flow, RecordEvent::Closed(end.to_string())));
                    }
                    let kind = match end {
                        End::Peer | End::Broken(_) => TransportErrorKind::Closed,
                        end => TransportErrorKind::Io(format!("connection {end}")),
                    };
                    self.fail(now, gone.waiting.into_values(), &kind);
                }
            }
        }
        true
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

    fn poll_listeners(&mut self, cx: &mut Context<'_>) -> bool {
        let now = now();
        if self.accepts_at.is_some_and(|at| now < at) {
            return false;
        }
        self.accepts_at = None;
        let mut more = false;
        for listener in &mut self.listeners {
            let mut accepted = 0;
            while accepted < ACCEPTED {
                accepted += 1;
                match listener.poll_accept(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(stream)) => {
                        if let Err(error) = self.connections.add(stream, false) {
                            self.stats.connections_refused += 1;
                            tracing::debug!(%error, "connection not accepted");
                        }
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::warn!(%error, "cannot accept connections");
                        self.accepts_at = Some(now + REST);
                        break;
                    }
                }
            }
            more |= accepted >= ACCEPTED;
        }
        more
    }

    fn poll_tasks(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..BATCH {
            let now = now();
            match self.tasks.poll_join_next(cx) {
                Poll::Ready(Some(Ok(Done::Opened { route, result }))) => self.opened(now, route, result),
                Poll::Ready(Some(Ok(Done::Probed { remote, is_refused }))) => {
                    self.probed(now, remote, is_refused)
                }
                Poll::Ready(Some(Err(error))) => tracing::error!(%error, "a task of the endpoint failed"),
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        true
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        let now = now();
        let mut more = false;
        let mut failed = Vec::new();
        for socket in &mut self.sockets {
            if socket.queued() > 0 {
                more |= socket.flush(cx, BATCH, &mut failed);
            }
        }
        for (owner, error) in failed {
            self.not_sent(now, owner, error);
        }
        self.drain(now);
        more
    }

    fn publish(&mut self) {
        let queued = self.sockets.iter().map(|s| s.queued() as u64);
        self.stats.send_queue = queued.clone().sum();
        self.stats.send_queue_max = queued.max().unwrap_or_default().max(self.stats.send_queue_max);
        self.stats.clients = self.clients.len() as u64;
        self.stats.connections = self.connections.len() as u64;
        *self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner) = self.stats;
    }

    async fn shut_down(mut self) {
        let now = now();
        let mut clients: Vec<Client> = self.clients.drain().map(|(_, client)| client).collect();
        clients.sort_unstable_by_key(|client| client.order);
        for client in clients {
            if !client.answered && !client.post.is_ended() {
                let Flow { transport, remote, .. } = client.flow;
                let error = TransportError::endpoint_closed(transport, remote);
                client.log.push(now, client.flow, RecordEvent::Failed(error.clone()));
                client.post.deliver(ClientEvent::Failed(error), true);
            }
        }
        self.publish();
        // Without their queues connections write what they have and close; their events end with them.
        drop(self.connections);
        let mut carried = self.carried;
        let _ = tokio::time::timeout(FAREWELL, async { while carried.recv().await.is_some() {} }).await;
    }
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
