//! What the PBX sends is changed on its way: so behave platforms that the embedded one cannot play.

use ringback::message::Message;
use ringback::sim::MemoryHost;
use ringback::syntax::{HeaderName, Limits};
use ringback::transport::{BoxFuture, Datagrams, Listener, Network, Stream};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// A datagram and where it goes.
pub(crate) type Sent = (Vec<u8>, SocketAddr);
/// Makes of a datagram what is sent in its place.
pub(crate) type Edit = Box<dyn FnMut(&Media, Sent) -> Vec<Sent> + Send>;

/// Where the parties, by their users, want their media: from what they have sent.
#[derive(Default)]
pub(crate) struct Media(BTreeMap<String, SocketAddr>);

impl Media {
    pub(crate) fn of(&self, user: &str) -> Option<SocketAddr> {
        self.0.get(user).copied()
    }

    fn learn(&mut self, datagram: &[u8], from: SocketAddr) {
        let Some(message) = message(datagram) else { return };
        let contact = String::from_utf8_lossy(message.header(HeaderName::Contact).unwrap_or_default());
        let user = contact.split(['@', ':']).nth(1).unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(message.body());
        let port =
            body.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        if let Some(port) = port {
            self.0.insert(user, SocketAddr::new(from.ip(), port));
        }
    }
}

/// A SIP message; `None` for what is none.
pub(crate) fn message(datagram: &[u8]) -> Option<Message> {
    Message::parse(datagram.to_vec().into(), &Limits::default()).ok()
}

/// Is it an RTP packet?
pub(crate) fn is_rtp(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first >> 6 == 2) && !(200..208).contains(&datagram[1])
}

struct State {
    media: Media,
    edit: Edit,
}

/// The host of the PBX, with somebody in its way out.
pub(crate) struct Meddler {
    host: MemoryHost,
    state: Arc<Mutex<State>>,
}

impl Meddler {
    pub(crate) fn new(host: &MemoryHost, edit: Edit) -> Meddler {
        let state = State { media: Media::default(), edit };
        Meddler { host: host.clone(), state: Arc::new(Mutex::new(state)) }
    }
}

impl fmt::Debug for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddler").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Network for Meddler {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let inner = self.host.bind_udp(local)?;
        Ok(Box::new(Socket { inner, state: Arc::clone(&self.state) }))
    }

    fn listen(&self, local: SocketAddr) -> io::Result<Box<dyn Listener>> {
        self.host.listen(local)
    }

    fn connect(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        self.host.connect(local, remote)
    }

    fn source_for(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        self.host.source_for(remote)
    }
}

struct Socket {
    inner: Box<dyn Datagrams>,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Datagrams for Socket {
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let received = self.inner.poll_recv(cx, buffer);
        if let Poll::Ready(Ok((length, from))) = received {
            self.state.lock().unwrap().media.learn(&buffer[..length], from);
        }
        received
    }

    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        let State { media, edit } = &mut *self.state.lock().unwrap();
        edit(media, (bytes.to_vec(), remote))
            .into_iter()
            .try_for_each(|(bytes, remote)| self.inner.try_send(&bytes, remote))
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_send_ready(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}
