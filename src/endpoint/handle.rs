//! The handle of a running endpoint.

use super::command::{Command, Queued, Shared};
use super::log::Log;
use super::{Config, Stats};
use crate::error::Error;
use crate::message::{Flow, Ids, Message, Transport};
use crate::transaction::ServerId;
use crate::transport::{ResolveError, SystemResolver, TransportError, TransportErrorKind, resolve_by};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A handle of a running endpoint; cheap to clone. The loop ends when the last handle is gone ([`Recorder`](super::Recorder) and
/// [`ClientTransaction`](super::ClientTransaction) hold one) or [`Endpoint::close`] is called.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(super) commands: mpsc::Sender<Queued>,
    pub(super) shared: Arc<Shared>,
}

impl Endpoint {
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
            return Err(fail(TransportErrorKind::NotBound(family)));
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

    /// Answers a request. A response that came from a peer goes out [without its stray CRs](Message::without_stray_cr).
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn respond(&self, id: ServerId, response: Message) -> Result<(), Error> {
        let response = Box::new(response.without_stray_cr());
        self.command(Command::Respond { id, response, once: false }).await
    }

    /// Answers a request of somebody who did not say who he is: the response goes out once, acknowledged or not, and nothing is kept of the
    /// request (RFC 3261 sec. 8.2.7, 26.3.2.4). What comes again is a new request. Provisional responses, and a 2xx to INVITE, go out as by
    /// [`Endpoint::respond`].
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn respond_once(&self, id: ServerId, response: Message) -> Result<(), Error> {
        let response = Box::new(response.without_stray_cr());
        self.command(Command::Respond { id, response, once: true }).await
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
