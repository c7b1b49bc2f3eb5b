//! UDP and TCP, and the record of everything that was sent and received. The first floor that does I/O.

use crate::message::{Flow, Transport};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use std::{fmt, io};

/// Where sockets come from: the operating system, or a network in memory.
pub trait Network: Send + Sync + fmt::Debug {
    /// Binds a datagram socket; port 0 lets the system choose.
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Box<dyn Datagrams>>;
    /// Listens for streams.
    fn listen(&self, local: SocketAddr) -> io::Result<Box<dyn Listener>>;
    /// Opens a stream, from `local` when given.
    fn connect(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
    /// The local address that packets to `remote` leave from.
    fn source_for(&self, remote: SocketAddr) -> io::Result<IpAddr>;
}

/// A boxed future.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A datagram socket.
pub trait Datagrams: Send + Sync + fmt::Debug {
    /// Receives one datagram into `buffer`.
    fn poll_recv(
        &self,
        cx: &mut std::task::Context<'_>,
        buffer: &mut [u8],
    ) -> std::task::Poll<io::Result<(usize, SocketAddr)>>;
    /// Sends one datagram now; `WouldBlock` when the socket's buffer is full.
    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()>;
    /// Ready for `try_send` again.
    fn poll_send_ready(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>>;
    /// The bound address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A stream with both its addresses.
pub trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {
    /// Ours.
    fn local_addr(&self) -> io::Result<SocketAddr>;
    /// The peer's.
    fn remote_addr(&self) -> io::Result<SocketAddr>;
}

/// Accepts streams.
pub trait Listener: Send + fmt::Debug {
    /// The next one.
    fn poll_accept(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<Box<dyn Stream>>>;
    /// The bound address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us.
    Sent,
    /// To us.
    Received,
}

/// One entry of a transcript: a message, or what happened to the transport.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Record {
    /// When.
    pub at: Instant,
    /// Between whom.
    pub flow: Flow,
    /// What.
    pub event: RecordEvent,
}

/// What a [`Record`] holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordEvent {
    /// Bytes of a message. `retransmission` counts from 1 for bytes that were sent before.
    Message {
        /// Which way.
        direction: Direction,
        /// The bytes, secrets included: reports redact them.
        bytes: Bytes,
        /// 0 for the first time.
        retransmission: u32,
    },
    /// Bytes that came and are no message.
    Malformed {
        /// What came, cut to a limit.
        bytes: Bytes,
        /// What is wrong with it.
        error: crate::syntax::SyntaxError,
    },
    /// A connection was opened.
    Opened,
    /// A connection was closed: by whom or why.
    Closed(String),
    /// Sending failed.
    Failed(TransportError),
    /// Bytes went by another transport than asked, or were kept from it: said in words.
    Note(String),
}

/// Why bytes could not be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{transport} to {remote}: {kind}")]
pub struct TransportError {
    /// By which transport.
    pub transport: Transport,
    /// To whom.
    pub remote: SocketAddr,
    /// What happened.
    pub kind: TransportErrorKind,
}

/// What happened to a transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// Nobody listens there (a reset, or ICMP port unreachable).
    #[error("connection refused")]
    Refused,
    /// No route, or the network says unreachable.
    #[error("unreachable")]
    Unreachable,
    /// The connection was not opened in time.
    #[error("connecting timed out")]
    ConnectTimeout,
    /// The peer closed or reset the connection.
    #[error("connection closed by the peer")]
    Closed,
    /// Larger than a datagram can be, or than the limit.
    #[error("message too large")]
    TooLarge,
    /// Our own limit of connections or queued messages: which.
    #[error("our limit is reached: {0}")]
    Limit(&'static str),
    /// Anything else the system said.
    #[error("{0}")]
    Io(String),
}

/// sketch
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let _ = (host, port);
    todo!()
}
