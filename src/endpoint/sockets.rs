//! The UDP sockets of an endpoint, each with a bounded queue for the time that its buffer is full.
//!
//! Datagrams of one size to one remote that are sent one behind the other go in one call where the system can do that, at the
//! latest when [`Socket::flush`] is called: all of what one turn of the loop sends.

use crate::message::Transport;
use crate::transaction::Owner;
use crate::transport::{Datagrams, Train, TransportError, TransportErrorKind};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Read errors in a row after which a socket is left alone for [`REST`].
const ERRORS_IN_A_ROW: u32 = 16;
const REST: Duration = Duration::from_millis(100);
/// Datagrams that go in one call; the system takes 64.
const TRAIN: usize = 32;
/// The longest that go so: a segment has to fit into what every link carries (1,280 bytes of IPv6, RFC 8200 sec. 5).
const SEGMENT: usize = 1_200;

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    io: Box<dyn Datagrams>,
    bound: SocketAddr,
    /// What waits for room in the socket's buffer.
    queue: VecDeque<Waiting>,
    max: usize,
    /// Of one size, to one remote; nothing is queued while something is here.
    train: Vec<Waiting>,
    /// The system takes trains, as far as we know.
    sends_trains: bool,
    /// What could not be sent and was not told yet.
    failed: Vec<(Owner, TransportError)>,
    /// What the system had dropped for want of room, when it last said so.
    dropped: u32,
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
    /// Datagrams, and how many the system has dropped since the last ones.
    Datagrams(Train, u32),
    /// An error that concerns no message of ours.
    Error,
    Nothing,
}

impl Socket {
    pub(super) fn new(io: Box<dyn Datagrams>, max: usize) -> io::Result<Socket> {
        let bound = io.local_addr()?;
        io.read_trains();
        Ok(Socket {
            io,
            bound,
            queue: VecDeque::new(),
            max,
            train: Vec::new(),
            sends_trains: true,
            failed: Vec::new(),
            dropped: 0,
            errors: 0,
            rests_until: None,
        })
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
        self.queue.len() + self.train.len()
    }
    /// Is there anything to [flush](Socket::flush)?
    pub(super) fn wants_flush(&self) -> bool {
        self.queued() > 0 || !self.failed.is_empty()
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
        match self.io.poll_recv_train(cx, buffer) {
            Poll::Ready(Ok(train)) => {
                self.errors = 0;
                Read::Datagrams(train, grown(&mut self.dropped, train.dropped))
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

    /// Sends a datagram, now or with the next [`Socket::flush`], or queues it behind those that wait.
    pub(super) fn send(
        &mut self,
        bytes: &Bytes,
        remote: SocketAddr,
        owner: Owner,
    ) -> Result<(), TransportError> {
        let rides = self.sends_trains && bytes.len() <= SEGMENT;
        if !rides || !self.fits_train(bytes, remote) {
            self.depart();
        }
        if self.queue.is_empty() && rides {
            self.train.push(Waiting { bytes: bytes.clone(), remote, owner });
            return Ok(());
        }
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

    /// May this one go with those that are there? A shorter one is the last.
    fn fits_train(&self, bytes: &Bytes, remote: SocketAddr) -> bool {
        match (self.train.first(), self.train.last()) {
            (Some(first), Some(last)) => {
                let size = first.bytes.len();
                self.train.len() < TRAIN
                    && first.remote == remote
                    && last.bytes.len() == size
                    && (1..=size).contains(&bytes.len())
            }
            _ => true,
        }
    }

    /// Sends the train; what the buffer has no room for is queued.
    fn depart(&mut self) {
        let Some(remote) = self.train.first().map(|first| first.remote) else { return };
        let mut is_refused = false;
        if let [_, _, ..] = self.train[..] {
            let mut slices = [io::IoSlice::new(&[]); TRAIN];
            slices.iter_mut().zip(&self.train).for_each(|(slice, one)| *slice = io::IoSlice::new(&one.bytes));
            match self.io.try_send_train(&slices[..self.train.len().min(TRAIN)], remote) {
                Ok(()) => return self.train.clear(),
                Err(error) if is_full(&error) => return self.queue.extend(self.train.drain(..)),
                Err(error) => {
                    tracing::debug!(%error, local = %self.bound, "not sent with one call");
                    is_refused = true;
                }
            }
        }
        let (mut sent, failed) = (0, self.failed.len());
        for one in self.train.drain(..) {
            // Behind one that waits the others wait as well.
            let result = if self.queue.is_empty() {
                self.io.try_send(&one.bytes, remote)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
            match result {
                Ok(()) => sent += 1,
                Err(error) if is_full(&error) => self.queue.push_back(one),
                Err(error) => {
                    self.failed.push((one.owner, TransportError::from_io(Transport::Udp, remote, &error)));
                }
            }
        }
        // What goes one by one, and not together, is the fault of the call.
        self.sends_trains &= !(is_refused && sent > 0 && self.failed.len() == failed);
    }

    /// Sends up to `budget` waiting datagrams; true when more could go at once. Failures go to `failed`.
    pub(super) fn flush(
        &mut self,
        cx: &mut Context<'_>,
        budget: usize,
        failed: &mut Vec<(Owner, TransportError)>,
    ) -> bool {
        self.depart();
        failed.append(&mut self.failed);
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

/// By how much a counter of the system has grown. Datagrams that two processors queued at the same time may come with its values in the wrong
/// order; then it has not.
fn grown(known: &mut u32, told: u32) -> u32 {
    let by = told.wrapping_sub(*known);
    if by > u32::MAX / 2 {
        return 0;
    }
    *known = told;
    by
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Arc, Mutex};

    /// What a socket was asked to send: the sizes of each call.
    #[derive(Debug, Default)]
    struct System {
        calls: Mutex<Vec<Vec<usize>>>,
        takes_trains: bool,
        /// Calls that it takes before its buffer is full.
        room: Mutex<usize>,
    }

    impl System {
        fn take(&self, sizes: Vec<usize>) -> io::Result<()> {
            let mut room = self.room.lock().unwrap();
            *room = room.checked_sub(1).ok_or(io::ErrorKind::WouldBlock)?;
            self.calls.lock().unwrap().push(sizes);
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Io(Arc<System>);

    impl Datagrams for Io {
        fn poll_recv(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
            Poll::Pending
        }
        fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
            if remote.port() == 1 {
                return Err(io::ErrorKind::HostUnreachable.into());
            }
            self.0.take(vec![bytes.len()])
        }
        fn try_send_train(&self, datagrams: &[io::IoSlice<'_>], remote: SocketAddr) -> io::Result<()> {
            if !self.0.takes_trains {
                return Err(io::ErrorKind::Unsupported.into());
            }
            if remote.port() == 1 {
                return Err(io::ErrorKind::HostUnreachable.into());
            }
            self.0.take(datagrams.iter().map(|one| one.len()).collect())
        }
        fn poll_send_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok("192.0.2.1:5060".parse().unwrap())
        }
    }

    fn socket(takes_trains: bool, room: usize) -> (Socket, Arc<System>) {
        let system = Arc::new(System { takes_trains, room: Mutex::new(room), ..System::default() });
        (Socket::new(Box::new(Io(Arc::clone(&system))), 100).unwrap(), system)
    }

    /// Sends datagrams of these sizes to these ports, then flushes; what failed.
    fn send(socket: &mut Socket, datagrams: &[(usize, u16)]) -> Vec<TransportError> {
        for &(size, port) in datagrams {
            let remote = SocketAddr::new("192.0.2.2".parse().unwrap(), port);
            socket.send(&Bytes::from(vec![0; size]), remote, Owner::None).unwrap();
        }
        flush(socket)
    }

    fn flush(socket: &mut Socket) -> Vec<TransportError> {
        let mut failed = Vec::new();
        socket.flush(&mut Context::from_waker(std::task::Waker::noop()), 1_000, &mut failed);
        failed.into_iter().map(|(_, error)| error).collect()
    }

    #[test]
    fn a_counter_that_comes_in_the_wrong_order_counts_nothing_twice() {
        let mut known = 0;
        let told = [0, 5, 6, 5, 6, 0, 9];
        assert_eq!(told.map(|told| grown(&mut known, told)), [0, 5, 1, 0, 0, 0, 3]);
        known = u32::MAX;
        assert_eq!((grown(&mut known, 1), known), (2, 1));
    }

    #[test]
    fn what_has_one_size_and_one_remote_goes_in_one_call() {
        let (mut socket, system) = socket(true, 100);
        let same = [(400, 5060); 40];
        assert!(send(&mut socket, &same).is_empty());
        let mixed = [
            (300, 5060),
            (300, 5060),
            (200, 5060),
            (200, 5060),
            (300, 5060),
            (300, 5061),
            (1_201, 5061),
            (0, 5061),
            (0, 5061),
        ];
        assert!(send(&mut socket, &mixed).is_empty());
        let expected = [
            vec![400; 32],
            vec![400; 8],
            vec![300, 300, 200],
            vec![200],
            vec![300],
            vec![300],
            vec![1_201],
            vec![0],
            vec![0],
        ];
        assert_eq!(*system.calls.lock().unwrap(), expected);
        assert_eq!(socket.queued(), 0);
    }

    #[test]
    fn a_system_without_such_a_call_is_asked_once() {
        let (mut socket, system) = socket(false, 100);
        assert!(send(&mut socket, &[(400, 5060); 3]).is_empty());
        assert!(!socket.sends_trains);
        assert!(send(&mut socket, &[(400, 5060); 3]).is_empty());
        assert_eq!(*system.calls.lock().unwrap(), vec![vec![400]; 6]);
    }

    #[test]
    fn what_finds_no_room_waits_in_order() {
        let (mut socket, system) = socket(true, 1);
        assert!(
            send(&mut socket, &[(400, 5060), (300, 5060), (300, 5060), (200, 5060), (500, 5060)]).is_empty()
        );
        assert_eq!(*system.calls.lock().unwrap(), [vec![400, 300]]);
        assert_eq!(socket.queued(), 3);
        *system.room.lock().unwrap() = 10;
        assert!(flush(&mut socket).is_empty());
        assert_eq!(system.calls.lock().unwrap()[1..], [vec![300], vec![200], vec![500]]);
    }

    #[test]
    fn a_remote_that_is_out_of_reach_is_told_for_each_and_costs_the_others_nothing() {
        let (mut socket, system) = socket(true, 100);
        assert_eq!(send(&mut socket, &[(400, 1), (400, 1), (400, 5060), (400, 5060)]).len(), 2);
        assert_eq!(*system.calls.lock().unwrap(), [vec![400, 400]]);
        assert!(socket.sends_trains);
        assert!(!socket.wants_flush());
    }
}
