//! Nonces that were given out.
use crate::auth::NonceState;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Every nonce that is remembered, in the order in which it was given out.
#[derive(Debug)]
pub(super) struct Nonces {
    known: BTreeMap<String, Nonce>,
    order: VecDeque<String>,
    limit: usize,
}

#[derive(Debug)]
struct Nonce {
    given: Instant,
    lifetime: Duration,
    last_nc: u32,
    used: bool,
}

impl Nonces {
    pub(super) fn new(limit: usize) -> Nonces {
        Nonces { known: BTreeMap::new(), order: VecDeque::new(), limit: limit.max(1) }
    }

    /// Remembers a new nonce.
    pub(super) fn give(&mut self, now: Instant, nonce: &str, lifetime: Duration) {
        while self.order.len() >= self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        self.order.push_back(nonce.to_owned());
        self.known.insert(nonce.to_owned(), Nonce { given: now, lifetime, last_nc: 0, used: false });
    }

    pub(super) fn state(&self, now: Instant, nonce: &[u8]) -> NonceState {
        match std::str::from_utf8(nonce).ok().and_then(|nonce| self.known.get(nonce)) {
            None => NonceState::Unknown,
            Some(nonce) if now.saturating_duration_since(nonce.given) >= nonce.lifetime => {
                NonceState::Expired
            }
            Some(nonce) => NonceState::Live { last_nc: nonce.last_nc },
        }
    }

    /// Was a right answer given with it before?
    pub(super) fn was_used(&self, nonce: &[u8]) -> bool {
        std::str::from_utf8(nonce)
            .ok()
            .and_then(|nonce| self.known.get(nonce))
            .is_some_and(|nonce| nonce.used)
    }

    /// A right answer was given with it.
    pub(super) fn use_up(&mut self, nonce: &[u8], nc: u32) {
        if let Some(nonce) = std::str::from_utf8(nonce).ok().and_then(|nonce| self.known.get_mut(nonce)) {
            nonce.last_nc = nonce.last_nc.max(nc);
            nonce.used = true;
        }
    }
}
