//! The UDP sockets of an endpoint, each with a bounded queue for the time that its buffer is full.

use crate::message::Transport;
use crate::transaction::Owner;
use crate::transport::{Datagrams, TransportError, TransportErrorKind};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Read errors in a row after which a socket is left alone for [`REST`].
const ERRORS_IN_A_ROW: u32 = 16;
const REST: Duration = Duration::from_millis(100);

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    io: Box<dyn Datagrams>,
    bound: SocketAddr,
    queue: VecDeque<Waiting>,
    max: usize,
    errors: u32,
    rests_until: Option<Instant>,
}

/// A datagram that waits for the socket's buffer.
#[derive(Debug)]
struct Waiting {
    bytes: Bytes,
    remote: SocketAddr,
    owner: Owner,
}

/// What reading gave.
pub(super) enum Read {
    Datagram(usize, SocketAddr),
    /// An error that concerns no message of ours.
    Error,
    Nothing,
}

impl Socket {
    pub(super) fn new(io: Box<dyn Datagrams>, max: usize) -> io::Result<Socket> {
        let bound = io.local_addr()?;
        Ok(Socket { io, bound, queue: VecDeque::new(), max, errors: 0, rests_until: None })
    }
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }
    /// Is this the socket of a flow's local address?
    pub(super) fn serves(&self, local: SocketAddr) -> bool {
        self.bound.port() == local.port()
            && self.bound.is_ipv4() == local.is_ipv4()
            && (self.bound.ip() == local.ip() || self.bound.ip().is_unspecified())
    }
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }
    /// When reading goes on after too many errors.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    pub(super) fn read(&mut self, now: Instant, cx: &mut Context<'_>, buffer: &mut [u8]) -> Read {
        if self.rests_until.is_some_and(|until| now < until) {
            return Read::Nothing;
        }
        self.rests_until = None;
        match self.io.poll_recv(cx, buffer) {
            Poll::Ready(Ok((length, remote))) => {
                self.errors = 0;
                Read::Datagram(length.min(buffer.len()), remote)
            }
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, local = %self.bound, "cannot receive");
                self.errors += 1;
                if self.errors >= ERRORS_IN_A_ROW {
                    self.errors = 0;
                    self.rests_until = Some(now + REST);
                }
                Read::Error
            }
            Poll::Pending => Read::Nothing,
        }
    }

    /// Sends a datagram, or queues it behind those that wait.
    pub(super) fn send(
        &mut self,
        bytes: &Bytes,
        remote: SocketAddr,
        owner: Owner,
    ) -> Result<(), TransportError> {
        if self.queue.is_empty() {
            match self.io.try_send(bytes, remote) {
                Ok(()) => return Ok(()),
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(TransportError::from_io(Transport::Udp, remote, &error)),
            }
        }
        if self.queue.len() >= self.max {
            let kind = TransportErrorKind::Limit("udp_send_queue");
            return Err(TransportError { transport: Transport::Udp, remote, kind });
        }
        self.queue.push_back(Waiting { bytes: bytes.clone(), remote, owner });
        Ok(())
    }

    /// Sends up to `budget` waiting datagrams; true when more could go at once. Failures go to `failed`.
    pub(super) fn flush(
        &mut self,
        cx: &mut Context<'_>,
        budget: usize,
        failed: &mut Vec<(Owner, TransportError)>,
    ) -> bool {
        for _ in 0..budget {
            let Some(waiting) = self.queue.front() else { return false };
            match self.io.try_send(&waiting.bytes, waiting.remote) {
                Ok(()) => {}
                Err(error) if is_full(&error) => match self.io.poll_send_ready(cx) {
                    // Ready again: the next round tries again.
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(_)) | Poll::Pending => return false,
                },
                Err(error) => {
                    let error = TransportError::from_io(Transport::Udp, waiting.remote, &error);
                    failed.push((waiting.owner, error));
                }
            }
            self.queue.pop_front();
        }
        !self.queue.is_empty()
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
