//! Sockets of the operating system.

#[cfg(target_os = "linux")]
use super::Train;
use super::{BoxFuture, Datagrams, Listener, Network, Stream};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// Pending connections that the system keeps for a listener.
const BACKLOG: i32 = 1_024;
/// Time that a probed UDP port has to refuse.
const PROBE_WAIT: Duration = Duration::from_millis(1_000);

/// The network of the operating system.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OsNetwork {
    /// Asked for as the receive and send buffer of UDP sockets, in bytes; the system may give less. Default 4 MiB.
    pub udp_buffer: usize,
}

impl Default for OsNetwork {
    fn default() -> Self {
        OsNetwork { udp_buffer: 4 << 20 }
    }
}

impl OsNetwork {
    /// With its defaults.
    pub fn new() -> OsNetwork {
        OsNetwork::default()
    }
}

/// A socket that is not yet bound: non-blocking, and for IPv6 only when it is an IPv6 one (so that `[::]` and `0.0.0.0` can be
/// bound side by side and no IPv4 address shows up as `::ffff:a.b.c.d`).
fn socket(local: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), kind, Some(protocol))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn socket_address(from: nix::sys::socket::SockaddrStorage) -> Option<SocketAddr> {
    let v4 = from.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| from.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

fn wildcard(like: SocketAddr) -> IpAddr {
    match like {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

impl Network for OsNetwork {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let socket = socket(local, Type::DGRAM, Protocol::UDP)?;
        for granted in
            [socket.set_recv_buffer_size(self.udp_buffer), socket.set_send_buffer_size(self.udp_buffer)]
        {
            if let Err(error) = granted {
                tracing::debug!(%error, "the system refuses a larger socket buffer");
            }
        }
        socket.bind(&local.into())?;
        Ok(Box::new(UdpSocket::from_std(socket.into())?))
    }

    fn listen(&self, local: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let socket = socket(local, Type::STREAM, Protocol::TCP)?;
        // A port that only lingers in TIME_WAIT may be bound again; on Windows the option means something else.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&local.into())?;
        socket.listen(BACKLOG)?;
        Ok(Box::new(TcpListener::from_std(socket.into())?))
    }

    fn connect(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let socket = if remote.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
            if let Some(ip) = local {
                socket.bind(SocketAddr::new(ip, 0))?;
            }
            let stream = socket.connect(remote).await?;
            // Messages are written whole: waiting for more only delays them.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn source_for(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        // Connecting a datagram socket sends nothing; it asks the routing table.
        let socket = std::net::UdpSocket::bind((wildcard(remote), 0))?;
        socket.connect(remote)?;
        Ok(socket.local_addr()?.ip())
    }

    fn probe_udp(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            // Only a connected socket is told of an ICMP "port unreachable".
            let socket = UdpSocket::bind((local, 0)).await?;
            socket.connect(remote).await?;
            socket.send(b"\r\n\r\n").await?;
            let mut buffer = [0; 16];
            match tokio::time::timeout(PROBE_WAIT, socket.recv(&mut buffer)).await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        })
    }
}

impl Datagrams for UdpSocket {
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        let remote = ready!(self.poll_recv_from(cx, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), remote)))
    }

    /// By UDP_GRO (Linux 5.0) and SO_RXQ_OVFL.
    #[cfg(target_os = "linux")]
    fn read_trains(&self) {
        use nix::sys::socket::{setsockopt, sockopt};
        if let Err(error) = setsockopt(self, sockopt::UdpGroSegment, &true) {
            tracing::debug!(%error, "the system reads datagrams one by one");
        }
        if let Err(error) = setsockopt(self, sockopt::RxqOvfl, &1) {
            tracing::debug!(%error, "the system does not say what it drops");
        }
    }

    #[cfg(target_os = "linux")]
    fn poll_recv_train(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Train>> {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
        use std::os::fd::AsRawFd;
        /// Room for the two that are asked for, an int each; where the system wants them.
        #[repr(align(8))]
        struct Control([u8; 64]);
        loop {
            ready!(self.poll_recv_ready(cx))?;
            let read = self.try_io(tokio::io::Interest::READABLE, || {
                let mut control = Control([0; 64]);
                let (fd, mut into) = (self.as_raw_fd(), [io::IoSliceMut::new(buffer)]);
                let what =
                    recvmsg::<SockaddrStorage>(fd, &mut into, Some(&mut control.0), MsgFlags::empty())?;
                let remote = what.address.and_then(socket_address).ok_or(io::ErrorKind::InvalidData)?;
                let mut train = Train { length: what.bytes, size: what.bytes, remote, dropped: 0 };
                for message in what.cmsgs()? {
                    match message {
                        ControlMessageOwned::UdpGroSegments(size) => {
                            train.size = usize::try_from(size).unwrap_or(train.size);
                        }
                        ControlMessageOwned::RxqOvfl(dropped) => train.dropped = dropped,
                        _ => {}
                    }
                }
                Ok(train)
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.try_send_to(bytes, remote).map(|_| ())
    }

    /// By UDP_SEGMENT (Linux 4.18): the way through the stack, which costs more than the call, is gone once for all of them.
    #[cfg(target_os = "linux")]
    fn try_send_train(&self, datagrams: &[io::IoSlice<'_>], remote: SocketAddr) -> io::Result<()> {
        use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
        use std::os::fd::AsRawFd;
        let first = datagrams.first().map_or(0, |first| first.len());
        let size = u16::try_from(first).map_err(|_| io::ErrorKind::InvalidInput)?;
        let remote = SockaddrStorage::from(remote);
        self.try_io(tokio::io::Interest::WRITABLE, || {
            let how = [ControlMessage::UdpGsoSegments(&size)];
            sendmsg(self.as_raw_fd(), datagrams, &how, MsgFlags::empty(), Some(&remote))?;
            Ok(())
        })
    }

    /// By IP_RECVERR, without which a socket that is not connected is told nothing (Linux).
    #[cfg(target_os = "linux")]
    fn tell_refusals(&self) {
        use nix::sys::socket::{setsockopt, sockopt};
        let is_v6 = self.local_addr().is_ok_and(|local| local.is_ipv6());
        let told = match is_v6 {
            true => setsockopt(self, sockopt::Ipv6RecvErr, &true),
            false => setsockopt(self, sockopt::Ipv4RecvErr, &true),
        };
        if let Err(error) = told {
            tracing::debug!(%error, "the system does not say which ports are closed");
        }
    }

    /// Out of the error queue, in which each entry has the address that was sent to.
    #[cfg(target_os = "linux")]
    fn refusal(&self) -> Option<SocketAddr> {
        use nix::errno::Errno;
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
        use std::os::fd::AsRawFd;
        /// Room for the error, and for the address of who told it; where the system wants them.
        #[repr(align(8))]
        struct Control([u8; 128]);
        loop {
            let (mut control, mut start) = (Control([0; 128]), [0; 16]);
            let mut into = [io::IoSliceMut::new(&mut start)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let told =
                recvmsg::<SockaddrStorage>(self.as_raw_fd(), &mut into, Some(&mut control.0), flags).ok()?;
            let is_refused = told.cmsgs().ok()?.any(|message| match message {
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    error.ee_errno == Errno::ECONNREFUSED as u32
                }
                _ => false,
            });
            if let Some(remote) = told.address.and_then(socket_address).filter(|_| is_refused) {
                return Some(remote);
            }
        }
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        UdpSocket::poll_send_ready(self, cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        UdpSocket::local_addr(self)
    }
}

impl Listener for TcpListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let (stream, _) = ready!(TcpListener::poll_accept(self, cx))?;
        stream.set_nodelay(true)?;
        Poll::Ready(Ok(Box::new(stream)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

impl Stream for TcpStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::local_addr(self)
    }

    fn remote_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::peer_addr(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_closed_udp_port_refuses_the_probe() {
        let network = OsNetwork::new();
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = network.probe_udp(Ipv4Addr::LOCALHOST.into(), closed).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_silent_udp_port_does_not_refuse_the_probe() {
        let network = OsNetwork::new();
        let open = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        network.probe_udp(Ipv4Addr::LOCALHOST.into(), open.local_addr().unwrap()).await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_that_is_to_tell_says_which_port_is_closed() {
        for ip in ["127.0.0.1", "::1"] {
            let at: SocketAddr = (ip.parse::<IpAddr>().unwrap(), 0).into();
            let closed = std::net::UdpSocket::bind(at).unwrap().local_addr().unwrap();
            for tells in [false, true] {
                let socket = OsNetwork::new().bind_udp(at).unwrap();
                if tells {
                    socket.tell_refusals();
                }
                std::future::poll_fn(|cx| socket.poll_send_ready(cx)).await.unwrap();
                socket.try_send(b"one", closed).unwrap();
                let again = socket.try_send(b"two", closed).map_err(|error| error.kind());
                let (refused, told) = (Err(io::ErrorKind::ConnectionRefused), Some(closed));
                let wanted = if tells { (refused, told) } else { (Ok(()), None) };
                assert_eq!((again, socket.refusal()), wanted);
                assert_eq!(socket.refusal(), None);
            }
        }
    }

    #[test]
    fn packets_to_loopback_leave_from_loopback() {
        let network = OsNetwork::new();
        for (remote, source) in [("127.0.0.1:5060", "127.0.0.1"), ("[::1]:5060", "::1")] {
            assert_eq!(
                network.source_for(remote.parse().unwrap()).unwrap(),
                source.parse::<IpAddr>().unwrap()
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_train_arrives_as_the_datagrams_that_it_was_made_of() {
        let network = OsNetwork::new();
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (from, to) =
                (UdpSocket::bind(any).await.unwrap(), network.bind_udp(any.parse().unwrap()).unwrap());
            let sent = [&b"one"[..], b"two", b"3"];
            let slices = sent.map(io::IoSlice::new);
            from.writable().await.unwrap();
            Datagrams::try_send_train(&from, &slices, to.local_addr().unwrap()).unwrap();
            for text in sent {
                let mut buffer = [0; 16];
                let received = std::future::poll_fn(|cx| to.poll_recv(cx, &mut buffer)).await.unwrap();
                assert_eq!((received.1, &buffer[..received.0]), (from.local_addr().unwrap(), text));
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_reads_trains_gets_what_was_sent_together_with_the_size_of_each() {
        let network = OsNetwork::new();
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (from, to) =
                (UdpSocket::bind(any).await.unwrap(), network.bind_udp(any.parse().unwrap()).unwrap());
            to.read_trains();
            let remote = from.local_addr().unwrap();
            from.writable().await.unwrap();
            for (sent, size) in [(&["one", "two", "3"][..], 3), (&["alone"], 5), (&[""], 0)] {
                let slices: Vec<_> = sent.iter().map(|text| io::IoSlice::new(text.as_bytes())).collect();
                match sent {
                    [one] => Datagrams::try_send(&from, one.as_bytes(), to.local_addr().unwrap()).unwrap(),
                    _ => Datagrams::try_send_train(&from, &slices, to.local_addr().unwrap()).unwrap(),
                }
                let mut buffer = [0; 16];
                let train = std::future::poll_fn(|cx| to.poll_recv_train(cx, &mut buffer)).await.unwrap();
                let all = sent.concat();
                assert_eq!(train, Train { length: all.len(), size, remote, dropped: 0 });
                assert_eq!(&buffer[..train.length], all.as_bytes());
            }
        }
    }

    #[tokio::test]
    async fn both_wildcards_share_one_port() {
        let network = OsNetwork::new();
        let v4 = network.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = v4.local_addr().unwrap().port();
        network.bind_udp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).unwrap();
    }
}
