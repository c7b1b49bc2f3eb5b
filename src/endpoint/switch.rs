//! What became of a request that was too big for UDP (RFC 3261 sec. 18.1.1), and where TCP was tried in vain.

use crate::transport::TransportError;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time for which a remote is remembered that let us wait for a connection in vain.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Limit of their number; when full, all are forgotten (which costs time, nothing else).
const REMEMBERED_AT_ONCE: usize = 1_024;

/// A request was too big for UDP (RFC 3261 sec. 18.1.1): what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The request's bytes, Via included.
    pub size: usize,
    /// [`Config::udp_request_limit`](super::Config::udp_request_limit).
    pub limit: usize,
    /// By which transport it went.
    pub outcome: SwitchOutcome,
}

/// By which transport a request went that was too big for UDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// By TCP.
    Tcp,
    /// By UDP all the same, because TCP could not be had.
    StayedOnUdp(TransportError),
}

/// Remotes that let us wait for a TCP connection in vain: the next big request does not wait again.
#[derive(Debug, Default)]
pub(super) struct Unswitchable(Mutex<HashMap<SocketAddr, (Instant, TransportError)>>);

impl Unswitchable {
    pub(super) fn get(&self, remote: SocketAddr) -> Option<TransportError> {
        let remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.get(&remote).filter(|(since, _)| since.elapsed() < REMEMBERED).map(|(_, error)| error.clone())
    }
    pub(super) fn add(&self, error: &TransportError) {
        let mut remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remotes.len() >= REMEMBERED_AT_ONCE {
            remotes.clear();
        }
        remotes.insert(error.remote, (Instant::now(), error.clone()));
    }
}
