//! Somebody in the way of the PBX: what it sends and what it receives can be edited, delayed, dropped, doubled, and something else put in
//! its place. So behave platforms and paths that the embedded PBX cannot play. Streams pass untouched.
//!
//! Used with `#[path = "../support/meddler.rs"] mod meddler;`.

use ringback::message::Message;
use ringback::sim::MemoryHost;
use ringback::syntax::{HeaderName, Limits};
use ringback::transport::{BoxFuture, Datagrams, Listener, Network, Stream};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A datagram and where it goes.
pub(crate) type Sent = (Vec<u8>, SocketAddr);
/// Makes of a datagram that the PBX sends what is sent in its place.
pub(crate) type Edit = Box<dyn FnMut(&Media, Sent) -> Vec<Sent> + Send>;
/// Makes of a datagram, either way, what goes on in its place.
pub(crate) type Meddle = Box<dyn FnMut(&Media, Datagram) -> Vec<Datagram> + Send>;

/// Which way a datagram goes, seen from the PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The PBX sends it.
    Out,
    /// The PBX receives it.
    In,
}

/// A datagram that passes.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) way: Way,
    pub(crate) bytes: Vec<u8>,
    /// The address at the PBX.
    pub(crate) pbx: SocketAddr,
    /// The address of the other end: where it goes, or where it came from.
    pub(crate) peer: SocketAddr,
    /// Time that it is kept on its way.
    pub(crate) after: Duration,
}

impl Datagram {
    /// It goes on as it is.
    pub(crate) fn pass(self) -> Vec<Datagram> {
        vec![self]
    }

    /// It goes on this much later.
    pub(crate) fn late(mut self, after: Duration) -> Vec<Datagram> {
        self.after = after;
        vec![self]
    }

    /// It goes on twice, the second this much later.
    pub(crate) fn twice(self, after: Duration) -> Vec<Datagram> {
        let mut second = self.clone();
        second.after = after;
        vec![self, second]
    }

    /// Something else at the same place and time.
    pub(crate) fn with(&self, bytes: impl Into<Vec<u8>>) -> Datagram {
        Datagram { bytes: bytes.into(), ..self.clone() }
    }

    pub(crate) fn is_rtp(&self) -> bool {
        is_rtp(&self.bytes)
    }

    /// The text of a SIP message.
    pub(crate) fn sip(&self) -> Option<String> {
        message(&self.bytes).map(|_| String::from_utf8_lossy(&self.bytes).into_owned())
    }
}

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

/// A text of a message with one part in place of another, and the Content-Length that fits.
pub(crate) fn edited(text: &str, from: &str, to: &str) -> Vec<u8> {
    let text = text.replace(from, to);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return text.into_bytes() };
    let line = |line: &str| match line.to_ascii_lowercase().starts_with("content-length:") {
        true => format!("Content-Length: {}\r\n", body.len()),
        false => format!("{line}\r\n"),
    };
    let head: String = head.split("\r\n").map(line).collect();
    format!("{head}\r\n{body}").into_bytes()
}

/// What came to a socket and may be read now, and who waits for it.
type Inbox = (VecDeque<Sent>, Option<Waker>);

struct State {
    media: Media,
    meddle: Meddle,
    sockets: BTreeMap<SocketAddr, Arc<Passage>>,
}

/// One socket of the PBX.
struct Passage {
    inner: Box<dyn Datagrams>,
    inbox: Mutex<Inbox>,
}

impl Passage {
    fn arrive(&self, bytes: Vec<u8>, from: SocketAddr) {
        let mut inbox = self.inbox.lock().unwrap();
        inbox.0.push_back((bytes, from));
        if let Some(waker) = inbox.1.take() {
            waker.wake();
        }
    }
}

/// The host of the PBX, with somebody in its way. Cheap to clone; a clone can put datagrams in at any time.
#[derive(Clone)]
pub(crate) struct Meddler {
    host: MemoryHost,
    state: Arc<Mutex<State>>,
}

impl Meddler {
    /// Changes what the PBX sends.
    pub(crate) fn new(host: &MemoryHost, mut edit: Edit) -> Meddler {
        let out = move |media: &Media, datagram: Datagram| match datagram.way {
            Way::In => datagram.pass(),
            Way::Out => edit(media, (datagram.bytes.clone(), datagram.peer))
                .into_iter()
                .map(|(bytes, peer)| Datagram { bytes, peer, ..datagram.clone() })
                .collect(),
        };
        Meddler::both_ways(host, Box::new(out))
    }

    /// Changes what the PBX sends and what it receives.
    pub(crate) fn both_ways(host: &MemoryHost, meddle: Meddle) -> Meddler {
        let state = State { media: Media::default(), meddle, sockets: BTreeMap::new() };
        Meddler { host: host.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// Puts a datagram on its way that nobody sent.
    pub(crate) fn inject(&self, datagram: Datagram) {
        carry(&self.state, datagram);
    }
}

/// Brings a datagram where it goes, now or later.
fn carry(state: &Arc<Mutex<State>>, datagram: Datagram) {
    if datagram.after.is_zero() {
        let passage = state.lock().unwrap().sockets.get(&datagram.pbx).cloned();
        deliver(passage.as_deref(), datagram);
    } else {
        let state = Arc::clone(state);
        tokio::spawn(async move {
            tokio::time::sleep(datagram.after).await;
            let passage = state.lock().unwrap().sockets.get(&datagram.pbx).cloned();
            deliver(passage.as_deref(), datagram);
        });
    }
}

fn deliver(passage: Option<&Passage>, datagram: Datagram) {
    // A socket that was closed meanwhile takes and sends nothing.
    let Some(passage) = passage else { return };
    match datagram.way {
        Way::In => passage.arrive(datagram.bytes, datagram.peer),
        Way::Out => {
            let _ = passage.inner.try_send(&datagram.bytes, datagram.peer);
        }
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
        let local = inner.local_addr()?;
        let passage = Arc::new(Passage { inner, inbox: Mutex::default() });
        self.state.lock().unwrap().sockets.insert(local, Arc::clone(&passage));
        Ok(Box::new(Socket { local, passage, state: Arc::clone(&self.state) }))
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
    local: SocketAddr,
    passage: Arc<Passage>,
    state: Arc<Mutex<State>>,
}

impl Socket {
    fn meddle(&self, way: Way, bytes: Vec<u8>, peer: SocketAddr) {
        let datagram = Datagram { way, bytes, pbx: self.local, peer, after: Duration::ZERO };
        let made = {
            let State { media, meddle, .. } = &mut *self.state.lock().unwrap();
            if way == Way::In {
                media.learn(&datagram.bytes, peer);
            }
            meddle(media, datagram)
        };
        made.into_iter().for_each(|datagram| carry(&self.state, datagram));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.state.lock().unwrap().sockets.remove(&self.local);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.passage.inner.fmt(f)
    }
}

impl Datagrams for Socket {
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            {
                let mut inbox = self.passage.inbox.lock().unwrap();
                if let Some((bytes, from)) = inbox.0.pop_front() {
                    let length = bytes.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&bytes[..length]);
                    return Poll::Ready(Ok((length, from)));
                }
                inbox.1 = Some(cx.waker().clone());
            }
            match self.passage.inner.poll_recv(cx, buffer) {
                Poll::Ready(Ok((length, from))) => self.meddle(Way::In, buffer[..length].to_vec(), from),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.meddle(Way::Out, bytes.to_vec(), remote);
        Ok(())
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.passage.inner.poll_send_ready(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
