//! The record of everything that was sent and received.

use super::TransportError;
use crate::message::Flow;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Instant;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us.
    Sent,
    /// To us.
    Received,
}

/// One entry of a transcript: a message, or what happened to the transport.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Record {
    /// When.
    pub at: Instant,
    /// Between whom.
    pub flow: Flow,
    /// What.
    pub event: RecordEvent,
}

/// What a [`Record`] holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordEvent {
    /// Bytes of a message. `retransmission` counts from 1 for bytes that were sent before.
    Message {
        /// Which way.
        direction: Direction,
        /// The bytes; of what we sent secrets included: reports redact them. In the outcome of a check those of received messages are masked
        /// that the check knows by value.
        bytes: Bytes,
        /// 0 for the first time.
        retransmission: u32,
    },
    /// Bytes that came and are no message.
    Malformed {
        /// What came, cut to a limit.
        bytes: Bytes,
        /// How many bytes came.
        length: usize,
        /// What is wrong with it.
        error: crate::syntax::SyntaxError,
    },
    /// A connection was opened.
    Opened,
    /// A connection was closed: by whom or why.
    Closed(String),
    /// Sending failed.
    Failed(TransportError),
    /// Bytes went by another transport than asked, or were kept from it: said in words.
    Note(String),
}

/// A datagram of the media of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRecord {
    /// Time at which it was sent or read.
    pub at: Instant,
    /// Which way it went.
    pub direction: Direction,
    /// RTCP, not RTP.
    pub is_rtcp: bool,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
}
