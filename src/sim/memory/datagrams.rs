//! Datagram sockets of the network in memory.
use super::{ClosedPort, Shared};
use crate::transport::Datagrams;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::time::{Instant, Sleep, sleep_until};

/// Datagrams that wait for one socket, on their way or arrived; more are dropped, as by a full receive buffer.
pub(super) const MAX_WAITING: usize = 4_096;

/// What is on its way to one socket, sorted by arrival.
pub(super) struct Inbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    datagrams: BTreeMap<(Instant, u64), (SocketAddr, Bytes)>,
    sequence: u64,
    waker: Option<Waker>,
    timer: Option<Pin<Box<Sleep>>>,
    tells_refusals: bool,
    /// Closed ports that were sent to, and when that is known here.
    refusals: VecDeque<(Instant, SocketAddr)>,
    /// Those of them that a send has failed for.
    told: VecDeque<SocketAddr>,
}

/// Refusals that are kept for one socket.
const MAX_REFUSALS: usize = 64;

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox(Mutex::new(Waiting::default()))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a datagram on its way; `false` when there is no room.
    pub(super) fn push(&self, at: Instant, from: SocketAddr, bytes: Bytes) -> bool {
        let mut waiting = self.lock();
        if waiting.datagrams.len() >= MAX_WAITING {
            return false;
        }
        waiting.sequence += 1;
        let key = (at, waiting.sequence);
        waiting.datagrams.insert(key, (from, bytes));
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// This port is closed, as is known from then on.
    fn refused(&self, at: Instant, remote: SocketAddr) {
        let mut waiting = self.lock();
        if waiting.tells_refusals && waiting.refusals.len() < MAX_REFUSALS {
            waiting.refusals.push_back((at, remote));
        }
    }

    /// Has it become known that a port is closed?
    fn hears_of_refusal(&self) -> bool {
        let (mut waiting, now) = (self.lock(), Instant::now());
        let before = waiting.told.len();
        while let Some((_, remote)) = waiting.refusals.pop_front_if(|(at, _)| *at <= now) {
            if waiting.told.len() < MAX_REFUSALS {
                waiting.told.push_back(remote);
            }
        }
        waiting.told.len() > before
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<(SocketAddr, Bytes)> {
        let mut waiting = self.lock();
        let waiting = &mut *waiting;
        loop {
            let Some(first) = waiting.datagrams.first_entry() else {
                waiting.timer = None;
                waiting.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let at = first.key().0;
            if at <= Instant::now() {
                return Poll::Ready(first.remove());
            }
            let timer = match &mut waiting.timer {
                Some(timer) => {
                    if timer.deadline() != at {
                        timer.as_mut().reset(at);
                    }
                    timer
                }
                none => none.insert(Box::pin(sleep_until(at))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                waiting.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            waiting.timer = None;
        }
    }
}

/// A bound datagram socket.
pub(super) struct MemoryDatagrams {
    pub(super) network: Arc<Shared>,
    pub(super) local: SocketAddr,
    pub(super) inbox: Arc<Inbox>,
}

impl fmt::Debug for MemoryDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDatagrams").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Drop for MemoryDatagrams {
    fn drop(&mut self) {
        self.network.lock().sockets.remove(&self.local);
    }
}

impl Datagrams for MemoryDatagrams {
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.inbox.poll(cx).map(|(from, bytes)| {
            // What does not fit is cut off, as recvfrom(2) does.
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            Ok((length, from))
        })
    }
    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        if self.inbox.hears_of_refusal() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let mut network = self.network.lock();
        if network.send_datagram(self.local, remote, bytes)? && network.closed_port == ClosedPort::Refuse {
            let [out, back] = [(self.local, remote), (remote, self.local)]
                .map(|(from, to)| network.stream_delay(from.ip(), to.ip()));
            self.inbox.refused(Instant::now() + out + back, remote);
        }
        Ok(())
    }
    fn tell_refusals(&self) {
        self.inbox.lock().tells_refusals = true;
    }
    fn refusal(&self) -> Option<SocketAddr> {
        self.inbox.lock().told.pop_front()
    }
    fn poll_send_ready(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
