//! Requests from the network, for the owner of the endpoint.

use crate::message::{Flow, Message};
use crate::transaction::ServerId;
use std::time::Instant;
use tokio::sync::mpsc;

/// Requests that came from the network, for the owner of the endpoint.
///
/// When the owner does not keep up ([`Config::incoming_queue`](super::Config::incoming_queue)), requests are answered 503 with
/// Retry-After. Dropping it says that no requests are wanted: the endpoint then answers by itself, OPTIONS with 200 (a PBX
/// asks so whether a contact is alive), requests of a dialog or subscription that we do not have with 481, anything else with 405.
#[derive(Debug)]
pub struct Incoming {
    pub(super) requests: mpsc::Receiver<IncomingRequest>,
}

/// A request that came.
#[derive(Debug)]
pub struct IncomingRequest {
    /// Its server transaction; `None` for ACK. It wants [`respond`](super::Endpoint::respond) or [`abandon`](super::Endpoint::abandon).
    pub id: Option<ServerId>,
    /// The request, with `received`/`rport` filled in.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// When.
    pub at: Instant,
}

impl Incoming {
    /// The next request; `None` when the endpoint is closed.
    pub async fn next(&mut self) -> Option<IncomingRequest> {
        self.requests.recv().await
    }
}
