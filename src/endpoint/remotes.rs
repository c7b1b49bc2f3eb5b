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
    probes: usize,
}

#[derive(Debug, Default)]
struct Remote {
    /// By the order in which they began.
    clients: BTreeMap<u64, ClientId>,
    probed: bool,
}

impl Remotes {
    pub(super) fn wait(&mut self, remote: SocketAddr, order: u64, id: ClientId) {
        self.waiting.entry(remote).or_default().clients.insert(order, id);
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
        if self.heard.len() >= HEARD_KEPT {
            self.heard.clear();
        }
        self.heard.insert(remote);
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
