//! The handle of a running endpoint, and the commands that it gives to the loop.

use super::driver::Driver;
use super::log::{Log, Registry};
use super::mailbox::Post;
use super::sockets::Socket;
use super::switch::Unswitchable;
use super::{Config, Incoming, Scope, Stats};
use crate::error::{Argument, Error, Problem};
use crate::message::{Flow, Ids, Message, Transport};
use crate::transaction::{ClientId, ServerId};
use crate::transport::{
    Listener, Network, OsNetwork, ResolveError, SystemResolver, TransportError, TransportErrorKind,
    resolve_by,
};
use bytes::Bytes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// The longest queue that may be asked for.
pub(super) const QUEUE_MAX: usize = 1 << 20;

/// A handle of a running endpoint; cheap to clone. The loop ends when the last handle is gone ([`Scope`] and
/// [`ClientTransaction`](super::ClientTransaction) hold one) or [`Endpoint::close`] is called.
#[derive(Debug, Clone)]
pub struct Endpoint {
    commands: mpsc::Sender<Queued>,
    shared: Arc<Shared>,
}

/// What handles and loop both look at.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) network: Arc<dyn Network>,
    pub(super) registry: Registry,
    pub(super) stats: Mutex<Stats>,
    pub(super) unswitchable: Unswitchable,
    local_addrs: Vec<(Transport, SocketAddr)>,
    ids: Mutex<Ids>,
}

/// A command and when it was given.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) at: Instant,
    pub(super) command: Command,
}

/// What the loop is told to do.
#[derive(Debug)]
pub(super) enum Command {
    Request {
        flow: Flow,
        log: Arc<Log>,
        post: Post,
    },
    Outside {
        request: Box<Message>,
        flow: Flow,
    },
    Cancel {
        invite: ClientId,
        reason: Option<String>,
        flow: Flow,
        log: Arc<Log>,
        post: Post,
    },
    Respond {
        id: ServerId,
        response: Box<Message>,
    },
    Abandon(ServerId),
    Raw {
        flow: Flow,
        bytes: Bytes,
    },
    Open {
        local: Option<IpAddr>,
        remote: SocketAddr,
        log: Option<Arc<Log>>,
        reply: oneshot::Sender<Result<Flow, TransportError>>,
    },
    Disconnect(Flow),
    CloseWhenIdle {
        flow: Flow,
        time: Duration,
    },
    Close,
}

impl Endpoint {
    /// Binds and starts the loop on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn bind(config: Config) -> Result<(Endpoint, Incoming), Error> {
        let network = config.network.clone().unwrap_or_else(|| Arc::new(OsNetwork::new()));
        let mut local_addrs = Vec::new();
        let mut sockets = Vec::new();
        for &local in &config.udp {
            let fail = |source| Error::Bind { address: format!("udp:{local}"), source };
            let socket = Socket::new(network.bind_udp(local).map_err(fail)?, config.udp_send_queue.max(1))
                .map_err(fail)?;
            local_addrs.push((Transport::Udp, socket.bound()));
            sockets.push(socket);
        }
        let mut listeners = Vec::new();
        for &local in &config.tcp {
            let fail = |source| Error::Bind { address: format!("tcp:{local}"), source };
            let listener = listen(&*network, local, &sockets).map_err(fail)?;
            local_addrs.push((Transport::Tcp, listener.local_addr().map_err(fail)?));
            listeners.push(listener);
        }
        let mut seed = config.seed.unwrap_or_default();
        if config.seed.is_none() {
            getrandom::fill(&mut seed).map_err(|e| {
                let why = format!("the system gives no randomness: {e}");
                Error::usage(Argument::Seed, "", Problem::unusable(why, "give a seed"))
            })?;
        }
        let mut ids = Ids::from_seed(seed);
        let (commands, queued) = mpsc::channel(config.command_queue.clamp(1, QUEUE_MAX));
        let (events, incoming) = mpsc::channel(config.incoming_queue.clamp(1, QUEUE_MAX));
        let driver_ids = ids.fork();
        let shared = Arc::new(Shared {
            config,
            network,
            registry: Registry::default(),
            stats: Mutex::default(),
            unswitchable: Unswitchable::default(),
            local_addrs,
            ids: Mutex::new(ids),
        });
        let driver = Driver::new(Arc::clone(&shared), driver_ids, sockets, listeners, queued, events);
        tokio::spawn(driver.run());
        Ok((Endpoint { commands, shared }, Incoming { events: incoming }))
    }

    /// Addresses that are really bound.
    pub fn local_addrs(&self) -> &[(Transport, SocketAddr)] {
        &self.shared.local_addrs
    }

    /// An own source of identifiers, derived from the endpoint's.
    pub fn ids(&self) -> Ids {
        self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }

    /// How it was set up.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// All addresses of a host, looked up by [`Config::resolver`].
    ///
    /// # Errors
    /// [`ResolveError`] when there is none in time.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let resolver = self.shared.config.resolver.as_deref().unwrap_or(&SystemResolver);
        resolve_by(resolver, host, port).await
    }

    /// A flow to `remote`: for UDP from the bound socket of its family, for TCP an open connection that is used again, or a new one.
    /// A flow of TCP is as short-lived as its connection: ask for it before each request.
    ///
    /// # Errors
    /// What kept us from reaching it.
    pub async fn flow(&self, transport: Transport, remote: SocketAddr) -> Result<Flow, TransportError> {
        match transport {
            Transport::Udp => self.udp_flow(remote),
            Transport::Tcp => self.open(self.connect_from(remote), remote, None).await,
        }
    }

    fn udp_flow(&self, remote: SocketAddr) -> Result<Flow, TransportError> {
        let transport = Transport::Udp;
        let fail = |kind| TransportError { transport, remote, kind };
        let bound = |ip: Option<IpAddr>| {
            let mut all = self.bound(Transport::Udp, remote);
            all.find(|local| ip.is_none_or(|ip| local.ip() == ip || local.ip().is_unspecified()))
        };
        let Some(first) = bound(None) else {
            let family = if remote.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(fail(TransportErrorKind::Io(format!("no UDP socket is bound for {family}"))));
        };
        let only = self.bound(Transport::Udp, remote).nth(1).is_none();
        if only && !first.ip().is_unspecified() {
            return Ok(Flow { transport, local: first, remote });
        }
        let source = self
            .shared
            .network
            .source_for(remote)
            .map_err(|e| TransportError::from_io(Transport::Udp, remote, &e))?;
        let mut local = bound(Some(source)).unwrap_or(first);
        if local.ip().is_unspecified() {
            local.set_ip(source);
        }
        Ok(Flow { transport, local, remote })
    }

    /// Bound addresses of a transport, of the family of `like`.
    fn bound(&self, transport: Transport, like: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let bound =
            self.shared.local_addrs.iter().filter(move |(t, _)| *t == transport).map(|(_, local)| *local);
        bound.filter(move |local| local.is_ipv4() == like.is_ipv4())
    }

    /// The address to connect from: one that was asked for, if any.
    pub(super) fn connect_from(&self, remote: SocketAddr) -> Option<IpAddr> {
        let bound = || {
            let bound = self.bound(Transport::Tcp, remote).chain(self.bound(Transport::Udp, remote));
            bound.map(|local| local.ip())
        };
        let first = bound().next().filter(|_| !bound().any(|ip| ip.is_unspecified()))?;
        if bound().all(|ip| ip == first) {
            return Some(first);
        }
        let source = self.shared.network.source_for(remote).ok();
        source.filter(|source| bound().any(|ip| ip == *source)).or(Some(first))
    }

    pub(super) async fn open(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
        log: Option<Arc<Log>>,
    ) -> Result<Flow, TransportError> {
        let closed = TransportError::endpoint_closed(Transport::Tcp, remote);
        let (reply, answer) = oneshot::channel();
        if self.command(Command::Open { local, remote, log, reply }).await.is_err() {
            return Err(closed);
        }
        answer.await.unwrap_or(Err(closed))
    }

    /// Opens a scope: an owner of Call-IDs that keeps the record of their messages.
    pub fn scope(&self) -> Scope {
        Scope::new(self.clone(), Arc::new(Log::new(&self.shared.config)))
    }

    /// Answers a request. A response that came from a peer goes out [without its stray CRs](Message::without_stray_cr).
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn respond(&self, id: ServerId, response: Message) -> Result<(), Error> {
        self.command(Command::Respond { id, response: Box::new(response.without_stray_cr()) }).await
    }

    /// Ends a server transaction without an answer: for networks that keep silent on purpose.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn abandon(&self, id: ServerId) -> Result<(), Error> {
        self.command(Command::Abandon(id)).await
    }

    /// Sends bytes as they are, outside any transaction: for networks that misbehave on purpose.
    ///
    /// # Errors
    /// [`Error::Closed`]. Whether they arrive, or a connection is still there, is not told.
    pub async fn send_raw(&self, flow: Flow, bytes: Bytes) -> Result<(), Error> {
        self.command(Command::Raw { flow, bytes }).await
    }

    /// Closes one connection when what is queued for it is written.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn disconnect(&self, flow: Flow) -> Result<(), Error> {
        self.command(Command::Disconnect(flow)).await
    }

    /// Closes one connection after this time without a message in either direction, whatever
    /// [`Config::idle_timeout`](super::Config::idle_timeout) says.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn close_when_idle(&self, flow: Flow, time: Duration) -> Result<(), Error> {
        self.command(Command::CloseWhenIdle { flow, time }).await
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        *self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the loop: connections are closed, running transactions end with
    /// [`ClientEvent::Failed`](super::ClientEvent::Failed). Returns when that is done.
    pub async fn close(&self) {
        if self.command(Command::Close).await.is_ok() {
            self.commands.closed().await;
        }
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), Error> {
        let at = tokio::time::Instant::now().into_std();
        self.commands.send(Queued { at, command }).await.map_err(|_| Error::Closed)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// Like [`Endpoint::bind`]; without any address on all IPv4 and, where the system has it, IPv6 interfaces, by UDP.
///
/// # Errors
/// [`Error::Bind`].
pub async fn bind_anywhere(mut config: Config) -> Result<(Endpoint, Incoming), Error> {
    let everywhere = config.udp.is_empty() && config.tcp.is_empty();
    if !everywhere {
        return Endpoint::bind(config).await;
    }
    config.udp = vec![(Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::UNSPECIFIED, 0).into()];
    match Endpoint::bind(config.clone()).await {
        // A host without IPv6 is no reason not to ask over IPv4.
        Err(_) => {
            config.udp.truncate(1);
            Endpoint::bind(config).await
        }
        bound => bound,
    }
}

/// Listens; when the system may choose the port, at that of the UDP socket of the same address if it is free.
fn listen(
    network: &dyn Network,
    local: SocketAddr,
    sockets: &[Socket],
) -> std::io::Result<Box<dyn Listener>> {
    if local.port() == 0 {
        let twins = sockets.iter().map(Socket::bound).filter(|bound| bound.ip() == local.ip());
        for twin in twins {
            if let Ok(listener) = network.listen(twin) {
                return Ok(listener);
            }
        }
    }
    network.listen(local)
}
