//! Requests from the network, for the owner of the endpoint, and what became of them.

use crate::message::{FieldError, Flow, Message};
use crate::transaction::ServerId;
use std::time::Instant;
use tokio::sync::mpsc;

/// Requests that came from the network, for the owner of the endpoint.
///
/// When the owner does not keep up ([`Config::incoming_queue`](super::Config::incoming_queue)), requests are answered 503 with
/// Retry-After. Dropping it says that no requests are wanted: the endpoint then answers by itself, OPTIONS with 200 (a PBX
/// asks so whether a contact is alive), a call to a binding of ours ([`Recorder::record_calls_to`](super::Recorder::record_calls_to)) with 480,
/// requests of a dialog or subscription that we do not have with 481, anything else with 405.
#[derive(Debug)]
pub struct Incoming {
    pub(super) events: mpsc::Receiver<IncomingEvent>,
}

/// What came from the network, or became of what came.
#[derive(Debug)]
#[non_exhaustive]
pub enum IncomingEvent {
    /// A request other than ACK and CANCEL.
    Request(IncomingRequest),
    /// An ACK for a 2xx, or one that matches no transaction: for the dialog that it belongs to.
    Ack {
        /// The ACK.
        message: Message,
        /// Where it came from.
        flow: Flow,
        /// When.
        at: Instant,
    },
    /// An INVITE that has no final response yet is cancelled. The CANCEL is answered already; the INVITE wants a 487.
    Cancelled {
        /// The INVITE's transaction.
        invite: ServerId,
        /// The Reason values of the CANCEL (RFC 3326), as they came.
        reasons: Vec<String>,
        /// When.
        at: Instant,
    },
    /// A request that cannot be read so far that it could be handed on: the endpoint has answered it 400.
    Refused {
        /// The request.
        message: Message,
        /// Where it came from.
        flow: Flow,
        /// When.
        at: Instant,
        /// What is wrong with it.
        why: FieldError,
    },
    /// A response could not be sent, or a final response to an INVITE got no ACK in time.
    Failed {
        /// The request's transaction.
        id: ServerId,
        /// When.
        at: Instant,
    },
}

/// A request that came.
#[derive(Debug)]
pub struct IncomingRequest {
    /// Its server transaction: wants [`respond`](super::Endpoint::respond) or [`abandon`](super::Endpoint::abandon).
    pub id: ServerId,
    /// The request, with `received`/`rport` filled in.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// When.
    pub at: Instant,
}

impl Incoming {
    /// What comes next; `None` when the endpoint is closed.
    pub async fn next(&mut self) -> Option<IncomingEvent> {
        self.events.recv().await
    }
    /// The next request, for owners that take no calls: whatever else comes is dropped. `None` when the endpoint is closed.
    pub async fn next_request(&mut self) -> Option<IncomingRequest> {
        loop {
            if let IncomingEvent::Request(request) = self.next().await? {
                return Some(request);
            }
        }
    }
}
