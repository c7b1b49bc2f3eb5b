//! UDP and TCP, and the record of everything that was sent and received. The first floor that does I/O.
//!
//! Sockets come from a [`Network`]: [`OsNetwork`] asks the operating system, other ones live in memory. Time is
//! [`tokio::time`] from here up, so that `tokio::time::pause` makes an endpoint over a network in memory wholly virtual.
//!
//! ```
//! use ringback::transport::{Network, OsNetwork};
//!
//! # async fn example() -> std::io::Result<()> {
//! let network = OsNetwork::new();
//! let socket = network.bind_udp("127.0.0.1:0".parse().unwrap())?;
//! assert_ne!(socket.local_addr()?.port(), 0);
//! # Ok(())
//! # }
//! ```

mod connection;
mod descriptors;
mod error;
mod os;
mod record;
mod resolve;

pub(crate) use connection::{
    Carried, ConnectionEvent, End, MALFORMED_KEPT, Settings, spawn as spawn_connection,
};
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use error::{TransportError, TransportErrorKind};
pub use os::OsNetwork;
pub use record::{Direction, MediaRecord, Record, RecordEvent};
pub use resolve::{
    RESOLVE_TIMEOUT, Resolve, ResolveError, ResolveErrorKind, SystemResolver, resolve, resolve_by,
};

use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
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
    /// Asks whether the datagram port `remote` is closed: sends a CRLF keep-alive (RFC 5626 sec. 3.5.1) from a socket of its
    /// own and waits a short, bounded time for the network to refuse it. A network that cannot tell says `Ok`.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there; others when the question could not be put.
    fn probe_udp(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<()>> {
        let _ = (local, remote);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A boxed future.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Datagrams that were read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Train {
    /// Bytes of all of them.
    pub length: usize,
    /// Bytes of each but the last, which may be shorter.
    pub size: usize,
    /// Where they came from.
    pub remote: SocketAddr,
    /// What the system had dropped for this socket when they arrived, since it was bound: there was no room for it. 0 where the system does
    /// not say.
    pub dropped: u32,
}

/// A datagram socket.
pub trait Datagrams: Send + Sync + fmt::Debug {
    /// Receives one datagram into `buffer`.
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;
    /// From now on [`Datagrams::poll_recv_train`] is called and [`Datagrams::poll_recv`] no more, so that what arrives together may be
    /// read together, and what was dropped is told. One that reads datagrams singly need not know.
    fn read_trains(&self) {}
    /// Receives one datagram into `buffer`, or several of one size from one remote, in order, one behind the other.
    fn poll_recv_train(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Train>> {
        self.poll_recv(cx, buffer).map_ok(|(length, remote)| Train {
            length,
            size: length,
            remote,
            dropped: 0,
        })
    }
    /// Sends one datagram now; `WouldBlock` when the socket's buffer is full.
    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()>;
    /// Sends datagrams of one size (the last may be shorter), in order, to one remote, with one call; `WouldBlock` when the socket's
    /// buffer is full. All of them were handed over, or none.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where there is no such call, which is what it gives unless it is overridden; others as
    /// [`Datagrams::try_send`].
    fn try_send_train(&self, datagrams: &[io::IoSlice<'_>], remote: SocketAddr) -> io::Result<()> {
        let _ = (datagrams, remote);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// From now on [`Datagrams::try_send`] or [`Datagrams::poll_recv`] fails once with [`io::ErrorKind::ConnectionRefused`] when the network has
    /// said of something that was sent that its port is closed (ICMP port unreachable), and [`Datagrams::refusal`] says whose. Where the
    /// system cannot tell, nothing changes.
    fn tell_refusals(&self) {}
    /// Whose port the network said to be closed: the oldest that was not asked for yet.
    fn refusal(&self) -> Option<SocketAddr> {
        None
    }
    /// Ready for `try_send` again.
    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
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
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>>;
    /// The bound address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}
