//! What a client transaction says to its owner.

use crate::message::{Flow, Message};
use crate::transport::TransportError;
use std::time::Instant;

/// What a client transaction says.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A provisional response (1xx). At most 16 wait to be fetched.
    Provisional(Received),
    /// A final response; for a non-INVITE, and for an INVITE unless it is a 2xx, the last event.
    Final(Received),
    /// No final response in time; the last event.
    Timeout,
    /// The request could not be sent, or its connection was lost; the last event.
    Failed(TransportError),
}

/// A response with its circumstances.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// The response.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// Time at which the packet was read.
    pub at: Instant,
}
