//! What a direction between two hosts does to what it carries.
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// One direction between two hosts: how long it takes and what it loses. Probabilities go from 0.0 (never) to 1.0 (always).
///
/// ```
/// use ringback::sim::Link;
/// use std::time::Duration;
/// let mobile = Link::new().delay(Duration::from_millis(60)).jitter(Duration::from_millis(20)).loss(0.02);
/// assert_eq!(mobile, mobile.duplication(0.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    delay: Duration,
    jitter: Duration,
    loss: f64,
    duplication: f64,
    reordering: f64,
    datagram_limit: usize,
}

impl Default for Link {
    fn default() -> Self {
        Link::new()
    }
}

impl Link {
    /// A direction that carries everything at once and in order.
    pub const fn new() -> Link {
        Link {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            datagram_limit: super::MAX_DATAGRAM,
        }
    }
    /// Time that everything takes at least. Tokio's clock ticks in milliseconds; a part of one is rounded up.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Link {
        self.delay = delay;
        self
    }
    /// Up to this much is added to the delay, evenly spread. Jitter alone keeps the order.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Link {
        self.jitter = jitter;
        self
    }
    /// Probability that a datagram vanishes. Streams lose nothing.
    #[must_use]
    pub const fn loss(mut self, probability: f64) -> Link {
        self.loss = probability;
        self
    }
    /// Probability that a datagram arrives twice.
    #[must_use]
    pub const fn duplication(mut self, probability: f64) -> Link {
        self.duplication = probability;
        self
    }
    /// Probability that a datagram is held back, for once more the delay and the jitter and at least 10 ms, so that later ones overtake it.
    #[must_use]
    pub const fn reordering(mut self, probability: f64) -> Link {
        self.reordering = probability;
        self
    }
    /// Datagrams over this many bytes vanish, as where fragments are dropped.
    #[must_use]
    pub const fn datagram_limit(mut self, bytes: usize) -> Link {
        self.datagram_limit = bytes;
        self
    }
}

/// When the copies of a datagram arrive: none, one or two.
pub(super) type Arrivals = [Option<Instant>; 2];

/// The state of one direction: its own dice, so that what happens on one direction does not depend on the others.
#[derive(Debug)]
pub(super) struct Path {
    dice: ChaCha8Rng,
    last: Option<Instant>,
}

impl Path {
    pub(super) fn new(seed: [u8; 32], from: IpAddr, to: IpAddr) -> Path {
        let mut dice = ChaCha8Rng::from_seed(seed);
        dice.set_stream(stream_number(from, to));
        Path { dice, last: None }
    }

    /// Decides on one datagram. Throws the same number of dice whatever the link is, so that a changed link leaves the later throws alone.
    pub(super) fn datagram(&mut self, link: &Link, now: Instant, size: usize) -> Arrivals {
        let (lost, doubled, held) = (self.fraction(), self.fraction(), self.fraction());
        let jitter = [self.fraction(), self.fraction()];
        if lost < link.loss || size > link.datagram_limit {
            return [None, None];
        }
        let mut arrive = |jitter: f64, held: bool| {
            let wanted = now + link.delay + link.jitter.mul_f64(jitter);
            if held {
                return wanted + (link.delay + link.jitter).max(Duration::from_millis(10));
            }
            let at = self.last.map_or(wanted, |last| wanted.max(last));
            self.last = Some(at);
            at
        };
        let first = arrive(jitter[0], held < link.reordering);
        let second = (doubled < link.duplication).then(|| arrive(jitter[1], false));
        [Some(first), second]
    }

    /// Time that the next bytes of a stream take.
    pub(super) fn stream(&mut self, link: &Link) -> Duration {
        link.delay + link.jitter.mul_f64(self.fraction())
    }

    /// Evenly spread over 0.0 (included) to 1.0 (not included).
    fn fraction(&mut self) -> f64 {
        (self.dice.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A number for an ordered pair of addresses (FNV-1a).
fn stream_number(from: IpAddr, to: IpAddr) -> u64 {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    octets(from).into_iter().chain(octets(to)).fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
