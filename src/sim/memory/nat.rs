//! Address translation in front of a host.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Most mappings of one NAT; beyond it the oldest is forgotten.
const MAX_MAPPINGS: usize = 4_096;
/// Most peers remembered for one mapping; beyond it new ones do not get through.
const MAX_PEERS: usize = 256;
const FIRST_PORT: u16 = 40_000;

/// How a NAT behaves. One private address and port keeps one public port, and only those get in to whom something went out from
/// there before ("address and port-dependent filtering", RFC 4787 sec. 5).
///
/// ```
/// use ringback::sim::Nat;
/// use std::time::Duration;
/// let carrier = Nat::new().symmetric().idle(Duration::from_secs(30));
/// assert_ne!(carrier, Nat::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nat {
    idle: Duration,
    symmetric: bool,
}

impl Default for Nat {
    fn default() -> Self {
        Nat::new()
    }
}

impl Nat {
    /// The same public port for every destination, forgotten after 120 s without a datagram going out.
    pub const fn new() -> Nat {
        Nat { idle: Duration::from_secs(120), symmetric: false }
    }
    /// Another public port for every destination ("address and port-dependent mapping", RFC 4787 sec. 4.1).
    #[must_use]
    pub const fn symmetric(mut self) -> Nat {
        self.symmetric = true;
        self
    }
    /// Time without a datagram going out after which a mapping is forgotten.
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Nat {
        self.idle = idle;
        self
    }
}

#[derive(Debug)]
struct Mapping {
    key: Key,
    peers: BTreeMap<SocketAddr, ()>,
    used: Instant,
}

/// The private address, and for a symmetric NAT the destination.
type Key = (SocketAddr, Option<SocketAddr>);

#[derive(Debug)]
pub(super) struct Translator {
    rules: Nat,
    by_port: BTreeMap<u16, Mapping>,
    by_key: BTreeMap<Key, u16>,
    next: u16,
}

impl Translator {
    pub(super) fn new(rules: Nat) -> Translator {
        Translator { rules, by_port: BTreeMap::new(), by_key: BTreeMap::new(), next: FIRST_PORT }
    }

    /// The public port of a datagram that goes out.
    pub(super) fn outgoing(&mut self, private: SocketAddr, to: SocketAddr, now: Instant) -> u16 {
        let key = (private, self.rules.symmetric.then_some(to));
        let known = self.by_key.get(&key).copied().filter(|port| self.alive(*port, now));
        let port = match known {
            Some(port) => port,
            None => {
                if let Some(dead) = self.by_key.remove(&key) {
                    self.by_port.remove(&dead);
                }
                self.make_room();
                let port = self.free_port();
                self.by_key.insert(key, port);
                self.by_port.insert(port, Mapping { key, peers: BTreeMap::new(), used: now });
                port
            }
        };
        if let Some(mapping) = self.by_port.get_mut(&port) {
            mapping.used = now;
            if mapping.peers.len() < MAX_PEERS {
                mapping.peers.insert(to, ());
            }
        }
        port
    }

    /// Whom a datagram from the outside is for; `None` when it does not get in.
    pub(super) fn incoming(&self, port: u16, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let mapping = self.by_port.get(&port)?;
        (self.alive(port, now) && mapping.peers.contains_key(&from)).then_some(mapping.key.0)
    }

    /// A public port that no mapping has: the next one, so that connections do not share it either.
    pub(super) fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next;
            self.next = self.next.checked_add(1).unwrap_or(FIRST_PORT);
            // Ends: there are more ports than MAX_MAPPINGS.
            if !self.by_port.contains_key(&port) {
                return port;
            }
        }
    }

    fn alive(&self, port: u16, now: Instant) -> bool {
        self.by_port.get(&port).is_some_and(|m| now.saturating_duration_since(m.used) < self.rules.idle)
    }

    fn make_room(&mut self) {
        if self.by_port.len() < MAX_MAPPINGS {
            return;
        }
        let oldest = self.by_port.iter().min_by_key(|(_, m)| m.used).map(|(port, _)| *port);
        if let Some(mapping) = oldest.and_then(|port| self.by_port.remove(&port)) {
            self.by_key.remove(&mapping.key);
        }
    }
}
