//! Which UDP remotes have ever answered, and which of the silent ones are worth a probe.

use crate::transaction::ClientId;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

/// Remotes remembered as alive; when full, all are forgotten (which costs a four-byte probe at worst).
const HEARD_KEPT: usize = 65_536;
/// Probes at a time.
const PROBES: usize = 64;

/// All UDP remotes that a client transaction waits for.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    waiting: HashMap<SocketAddr, Remote>,
    heard: HashSet<SocketAddr>,
    /// The one that answered last.
    heard_last: Option<SocketAddr>,
    probes: usize,
}

#[derive(Debug, Default)]
struct Remote {
    /// By the order in which they began.
    clients: BTreeMap<u64, ClientId>,
    probed: bool,
}

impl Remotes {
    /// A client transaction waits for an answer; false when that need not be known, because this remote is known to be alive. Else
    /// [`Remotes::done`] wants to hear of its end.
    pub(super) fn wait(&mut self, remote: SocketAddr, order: u64, id: ClientId) -> bool {
        if self.heard_last == Some(remote) {
            return false;
        }
        self.waiting.entry(remote).or_default().clients.insert(order, id);
        true
    }
    pub(super) fn done(&mut self, remote: SocketAddr, order: u64) {
        if let Some(entry) = self.waiting.get_mut(&remote) {
            entry.clients.remove(&order);
            if entry.clients.is_empty() {
                self.waiting.remove(&remote);
            }
        }
    }
    /// It answered.
    pub(super) fn hear(&mut self, remote: SocketAddr) {
        if self.heard_last == Some(remote) {
            return;
        }
        if self.heard.len() >= HEARD_KEPT {
            self.heard.clear();
        }
        self.heard.insert(remote);
        self.heard_last = Some(remote);
    }
    /// A request to it was sent again: should a probe go out now? At most one while transactions wait for it.
    pub(super) fn wants_probe(&mut self, remote: SocketAddr) -> bool {
        if self.probes >= PROBES || self.heard.contains(&remote) {
            return false;
        }
        match self.waiting.get_mut(&remote) {
            Some(entry) if !entry.probed => {
                entry.probed = true;
                self.probes += 1;
                true
            }
            _ => false,
        }
    }
    /// A probe has ended; when it was refused, who waits in vain.
    pub(super) fn probed(&mut self, remote: SocketAddr, is_refused: bool) -> Vec<ClientId> {
        self.probes = self.probes.saturating_sub(1);
        if !is_refused || self.heard.contains(&remote) {
            return Vec::new();
        }
        self.waiting.get(&remote).map(|entry| entry.clients.values().copied().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Builder, Flow, Ids, Transport};
    use crate::syntax::{HeaderName, Method};
    use crate::transaction::{Config, Layer};

    fn ids(count: usize) -> Vec<ClientId> {
        let mut layer = Layer::new(Config::default(), Ids::from_seed([1; 32]));
        let remote = "192.0.2.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local: "192.0.2.2:5060".parse().unwrap(), remote };
        let request = Builder::request(Method::Options, "sip:192.0.2.1")
            .header(HeaderName::From, "<sip:a@h>;tag=1")
            .header(HeaderName::To, "<sip:b@h>")
            .header(HeaderName::CallId, "c")
            .header(HeaderName::CSeq, "1 OPTIONS")
            .build()
            .unwrap();
        (0..count).map(|_| layer.send(std::time::Instant::now(), &request, flow).unwrap()).collect()
    }

    fn remote(number: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 1].into(), number)
    }

    #[test]
    fn a_silent_remote_is_probed_once_while_somebody_waits() {
        let (mut remotes, ids) = (Remotes::default(), ids(2));
        assert!(!remotes.wants_probe(remote(1)), "nobody waits");
        remotes.wait(remote(1), 1, ids[0]);
        remotes.wait(remote(1), 2, ids[1]);
        assert!(remotes.wants_probe(remote(1)));
        assert!(!remotes.wants_probe(remote(1)));
        assert_eq!(remotes.probed(remote(1), true), ids, "in the order in which they began");
        remotes.done(remote(1), 1);
        remotes.done(remote(1), 2);
        assert!(remotes.waiting.is_empty());
        remotes.wait(remote(1), 3, ids[0]);
        assert!(remotes.wants_probe(remote(1)), "the next one asks again");
    }

    #[test]
    fn who_answered_is_neither_probed_nor_given_up() {
        let (mut remotes, ids) = (Remotes::default(), ids(1));
        remotes.wait(remote(1), 1, ids[0]);
        assert!(remotes.wants_probe(remote(1)));
        remotes.hear(remote(1));
        assert!(remotes.probed(remote(1), true).is_empty(), "the answer came while the probe was away");
        assert!(!remotes.wants_probe(remote(1)));
    }

    #[test]
    fn probes_at_a_time_are_bounded() {
        let (mut remotes, ids) = (Remotes::default(), ids(1));
        let probed = (0..1_000).filter(|number| {
            remotes.wait(remote(*number), 1, ids[0]);
            remotes.wants_probe(remote(*number))
        });
        assert_eq!(probed.count(), PROBES);
        assert!(remotes.probed(remote(0), false).is_empty());
        assert!(remotes.wants_probe(remote(999)), "one that ended makes room");
    }
}
