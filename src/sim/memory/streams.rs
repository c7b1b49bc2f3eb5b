//! Streams of the network in memory: two pipes and two addresses.
use super::Shared;
use crate::transport::{Listener, Stream};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes on their way in one direction; a writer waits when they are reached.
const MAX_IN_FLIGHT: usize = 65_536;
/// Connections that wait to be accepted; more are refused.
pub(super) const MAX_BACKLOG: usize = 1_024;

/// A timer that a poll function can set again and again.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// `true` when the time has come; else the task is woken then.
    fn is_due(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        if at <= Instant::now() {
            return true;
        }
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

/// One direction of a stream.
#[derive(Default)]
struct Pipe {
    chunks: VecDeque<(Instant, Bytes)>,
    in_flight: usize,
    last: Option<Instant>,
    end: Option<Instant>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    alarm: Alarm,
}

impl Pipe {
    fn arrival(&mut self, wanted: Instant) -> Instant {
        let at = self.last.map_or(wanted, |last| wanted.max(last));
        self.last = Some(at);
        at
    }
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

type SharedPipe = Arc<Mutex<Pipe>>;

fn lock(pipe: &SharedPipe) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who a side of a stream is: its own address as it sees it, the peer's as it sees it, and the peer's real host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) remote_host: std::net::IpAddr,
}

/// One end of a stream.
pub(super) struct MemoryStream {
    network: Arc<Shared>,
    side: Side,
    incoming: SharedPipe,
    outgoing: SharedPipe,
    /// The end that opened the stream gives its port back.
    opener: bool,
}

/// Both ends of a new stream: the opener's and the listener's.
pub(super) fn pair(network: &Arc<Shared>, opener: Side, listener: Side) -> (MemoryStream, MemoryStream) {
    let (out, back) = (SharedPipe::default(), SharedPipe::default());
    let end = |side, incoming: &SharedPipe, outgoing: &SharedPipe, opener| MemoryStream {
        network: Arc::clone(network),
        side,
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        opener,
    };
    (end(opener, &back, &out, true), end(listener, &out, &back, false))
}

impl MemoryStream {
    fn arrival(&self) -> Instant {
        Instant::now() + self.network.lock().stream_delay(self.side.local.ip(), self.side.remote_host)
    }
    fn finish_writing(&self) {
        let wanted = self.arrival();
        let mut pipe = lock(&self.outgoing);
        if pipe.end.is_none() {
            pipe.end = Some(pipe.arrival(wanted));
            pipe.wake_reader();
        }
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.finish_writing();
        let mut pipe = lock(&self.incoming);
        pipe.reader_gone = true;
        pipe.chunks.clear();
        pipe.wake_writer();
        drop(pipe);
        if self.opener {
            self.network.lock().stream_ports.remove(&self.side.local);
        }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut guard = lock(&self.incoming);
        let pipe = &mut *guard;
        let next = pipe.chunks.front().map(|(at, _)| *at).or(pipe.end);
        if !next.is_some_and(|at| pipe.alarm.is_due(at, cx)) {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // No chunk means the end: nothing is put into the buffer.
        if let Some((_, chunk)) = pipe.chunks.front_mut() {
            let length = chunk.len().min(buf.remaining());
            buf.put_slice(&chunk[..length]);
            chunk.advance(length);
            if chunk.is_empty() {
                pipe.chunks.pop_front();
            }
            pipe.in_flight -= length;
            pipe.wake_writer();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wanted = self.arrival();
        let mut pipe = lock(&self.outgoing);
        if pipe.reader_gone {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(MAX_IN_FLIGHT - pipe.in_flight);
        if length == 0 && !bytes.is_empty() {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if length > 0 {
            let at = pipe.arrival(wanted);
            pipe.chunks.push_back((at, Bytes::copy_from_slice(&bytes[..length])));
            pipe.in_flight += length;
            pipe.wake_reader();
        }
        Poll::Ready(Ok(length))
    }
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish_writing();
        Poll::Ready(Ok(()))
    }
}

impl Stream for MemoryStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.side.local)
    }
    fn remote_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.side.remote)
    }
}

/// Connections that wait to be accepted.
#[derive(Default)]
pub(super) struct Backlog(Mutex<Arriving>);

#[derive(Default)]
struct Arriving {
    streams: VecDeque<(Instant, MemoryStream)>,
    waker: Option<Waker>,
    alarm: Alarm,
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, Arriving> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Is there no room for one more?
    pub(super) fn is_full(&self) -> bool {
        self.lock().streams.len() >= MAX_BACKLOG
    }
    pub(super) fn push(&self, at: Instant, stream: MemoryStream) {
        let mut arriving = self.lock();
        let position = arriving.streams.partition_point(|(other, _)| *other <= at);
        arriving.streams.insert(position, (at, stream));
        let waker = arriving.waker.take();
        drop(arriving);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Accepts streams at one address.
pub(super) struct MemoryListener {
    pub(super) network: Arc<Shared>,
    pub(super) local: SocketAddr,
    pub(super) backlog: Arc<Backlog>,
}

impl fmt::Debug for MemoryListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryListener").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.network.lock().listeners.remove(&self.local);
        // Streams that nobody accepted lock the network when they go: not under the backlog's lock.
        let unaccepted = std::mem::take(&mut self.backlog.lock().streams);
        drop(unaccepted);
    }
}

impl Listener for MemoryListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let mut guard = self.backlog.lock();
        let arriving = &mut *guard;
        let next = arriving.streams.front().map(|(at, _)| *at);
        if next.is_some_and(|at| arriving.alarm.is_due(at, cx))
            && let Some((_, stream)) = arriving.streams.pop_front()
        {
            return Poll::Ready(Ok(Box::new(stream)));
        }
        arriving.waker = Some(cx.waker().clone());
        Poll::Pending
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
