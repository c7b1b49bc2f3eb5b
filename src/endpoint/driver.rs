//! The loop: commands, packets, connections and deadlines go in, a bounded number of each in a turn.

use super::command::{Command, QUEUE_MAX, Queued, Shared};
use super::connections::{Bounds, Connections, Route};
use super::incoming::IncomingEvent;
use super::log::Log;
use super::mailbox::Post;
use super::remotes::Remotes;
use super::sockets::Socket;
use super::{ClientEvent, Stats};
use crate::message::{Flow, Ids};
use crate::transaction::{ClientId, Layer};
use crate::transport::{Carried, Listener, RecordEvent, Settings, Stream, TransportError, descriptor_limit};
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// Commands, connection events and finished tasks in a turn; as many datagrams of each socket.
const BATCH: usize = 32;
/// Streams accepted in a turn from each listener.
const ACCEPTED: usize = 8;
/// Events that connections may have waiting before they wait themselves.
const CARRIED: usize = 1_024;
/// What is longer is this long: ten years from now no clock overflows.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long accepting rests after an error (no file descriptors left, most likely).
const REST: Duration = Duration::from_millis(100);
/// How long sockets, and then connections, have to write their last when the endpoint closes.
const FAREWELL: Duration = Duration::from_secs(2);
/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// The loop's whole state.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) layer: Layer,
    pub(super) ids: Ids,
    pub(super) sockets: Vec<Socket>,
    pub(super) connections: Connections,
    pub(super) clients: HashMap<ClientId, Client, BuildHasherDefault<IdHasher>>,
    pub(super) remotes: Remotes,
    pub(super) incoming: mpsc::Sender<IncomingEvent>,
    pub(super) stats: Stats,
    pub(super) tasks: JoinSet<Done>,
    /// Time at which the message that is being handled was read.
    pub(super) read_at: Instant,
    carried: mpsc::Receiver<Carried>,
    commands: mpsc::Receiver<Queued>,
    listeners: Vec<Box<dyn Listener>>,
    accepts_at: Option<Instant>,
    /// How many clients there were: gives each its place in the order.
    pub(super) began: u64,
    /// Which socket is read first in this turn.
    first: usize,
    pub(super) sources: HashMap<IpAddr, IpAddr>,
    pub(super) buffer: Box<[u8]>,
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
    /// [`Remotes`] knows that it waits.
    pub(super) is_watched: bool,
    pub(super) is_invite: bool,
    /// A final response was delivered.
    pub(super) answered: bool,
    /// Why it could not be sent.
    pub(super) error: Option<TransportError>,
}

/// Spreads the numbers of our own transactions, which nobody else chooses.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }
    fn write_u64(&mut self, number: u64) {
        // Of the product the high half depends on all bits, and the table looks at both ends.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
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
        incoming: mpsc::Sender<IncomingEvent>,
    ) -> Driver {
        let config = &shared.config;
        let (events, carried) = mpsc::channel(CARRIED);
        let settings = Settings {
            limits: config.limits,
            send_queue: config.send_queue.clamp(1, QUEUE_MAX),
            keep_alive: Some(config.keep_alive.min(FOREVER)).filter(|time| !time.is_zero()),
            idle_timeout: config.idle_timeout.min(FOREVER),
            first_message_timeout: Some(config.first_message_timeout.min(FOREVER)),
        };
        // A network of the embedder's own has no files.
        let files = descriptor_limit().filter(|_| config.network.is_none());
        let bounds = Bounds {
            all: config.max_connections,
            accepted: files.map_or(usize::MAX, |files| files / 2),
            per_address: config.max_connections_per_address,
            shared_by: config.recorders_per_connection,
        };
        Driver {
            layer: Layer::new(config.transaction.clone(), ids.fork()),
            connections: Connections::new(bounds, settings, events),
            shared,
            ids,
            sockets,
            clients: HashMap::default(),
            remotes: Remotes::default(),
            incoming,
            stats: Stats::default(),
            tasks: JoinSet::new(),
            read_at: now(),
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
        // Not later: what was read meanwhile is no reason to let requests wait.
        more |= self.flush(cx);
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
            self.stats.late += u64::from(lag > Stats::LATE);
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
                    self.stats.late += u64::from(lag > Stats::LATE);
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
            Command::Request { flow, log, post } => self.begin(now, flow, log, post),
            Command::Outside { request, flow } => self.layer.send_outside(&request, flow),
            Command::Cancel { invite, reason, flow, log, post } => {
                self.cancel(now, invite, reason.as_deref(), (flow, log, post));
            }
            Command::Respond { id, response, once } => self.respond(now, id, *response, once),
            Command::Abandon(id) => self.layer.abandon(now, id),
            Command::Raw { flow, bytes } => self.send_raw(now, flow, &bytes),
            Command::Open { local, remote, log, reply } => self.open(now, (local, remote), log, reply),
            Command::Disconnect(flow) => {
                if let Some(connection) = self.connections.by_flow(&flow) {
                    connection.close();
                }
            }
            Command::CloseWhenIdle { flow, time } => {
                if let Some(connection) = self.connections.by_flow(&flow) {
                    connection.close_when_idle(time.min(FOREVER));
                }
            }
            Command::Close => {}
        }
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> bool {
        let count = self.sockets.len();
        self.first = (self.first + 1) % count.max(1);
        let mut more = false;
        for turn in 0..count {
            let index = (self.first + turn) % count;
            let mut read = 0;
            while read < BATCH {
                match self.read_datagrams(index, cx) {
                    0 => break,
                    count => read += count,
                }
            }
            more |= read >= BATCH;
        }
        more
    }

    fn poll_connections(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..BATCH {
            // The sender of our own keeps the channel open.
            let Poll::Ready(Some(carried)) = self.carried.poll_recv(cx) else { return false };
            self.receive_carried(now(), carried);
        }
        true
    }

    fn poll_listeners(&mut self, cx: &mut Context<'_>) -> bool {
        if self.listeners.is_empty() {
            return false;
        }
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
                            // A flood of them writes few lines.
                            match self.stats.connections_refused.is_power_of_two() {
                                true => tracing::warn!(%error, "connection not accepted"),
                                false => tracing::debug!(%error, "connection not accepted"),
                            }
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
            match self.tasks.poll_join_next(cx) {
                Poll::Ready(Some(Ok(Done::Opened { route, result }))) => self.opened(now(), route, result),
                Poll::Ready(Some(Ok(Done::Probed { remote, is_refused }))) => {
                    self.probed(now(), remote, is_refused)
                }
                Poll::Ready(Some(Err(error))) => tracing::error!(%error, "a task of the endpoint failed"),
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        true
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.sockets.iter().any(Socket::wants_flush) {
            return false;
        }
        let now = now();
        let mut more = false;
        let mut failed = Vec::new();
        for socket in &mut self.sockets {
            if socket.wants_flush() {
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
        let mut stats = self.stats;
        stats.refused += self.layer.refused();
        *self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }

    async fn shut_down(mut self) {
        let now = now();
        // Who gave these learns by it that the endpoint is closed.
        while self.commands.try_recv().is_ok() {}
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
        let waiting = poll_fn(|cx| {
            let more = self.flush(cx);
            match self.sockets.iter().any(Socket::wants_flush) {
                true if more => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        });
        let _ = tokio::time::timeout(FAREWELL, waiting).await;
        // Without their queues connections write what they have and close; their events end with them.
        drop(self.connections);
        let mut carried = self.carried;
        let _ = tokio::time::timeout(FAREWELL, async { while carried.recv().await.is_some() {} }).await;
    }
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
