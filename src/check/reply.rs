//! The end of a request of a check.

use super::{Interrupted, Withheld};
use crate::endpoint::Received;
use crate::message::Flow;
use crate::transport::TransportError;
use std::fmt;
use std::ops::Range;
use std::time::Instant;

/// End of a request.
#[derive(Debug)]
pub struct Reply {
    /// Result of the request.
    pub answered: Answered,
    /// The flow that the request really took.
    pub flow: Flow,
    /// Time at which it was first sent.
    pub sent_at: Instant,
    /// Time at which it ended.
    pub ended_at: Instant,
    /// Number of times that it was sent again.
    pub retransmissions: u32,
    /// A provisional response came.
    pub provisional: bool,
    /// Its records in the transcript.
    pub evidence: Range<usize>,
}

/// Result of a request.
#[derive(Debug)]
pub enum Answered {
    /// A final response.
    Final(Received),
    /// None in time (timer B or F of RFC 3261 sec. 17).
    Timeout,
    /// It could not be sent, or its connection was lost.
    Failed(TransportError),
    /// We did not wait for it to the end.
    Interrupted(Interrupted),
}

impl fmt::Display for Answered {
    /// Without anything that a peer wrote but its status code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answered::Final(received) => {
                write!(f, "answered {}", received.message.status().unwrap_or_default())
            }
            Answered::Timeout => f.write_str("not answered in time"),
            Answered::Failed(error) => write!(f, "failed: {error}"),
            Answered::Interrupted(Interrupted::Stopped) => f.write_str("stopped"),
            Answered::Interrupted(Interrupted::TimeLimit) => {
                f.write_str("not answered within the check's time")
            }
        }
    }
}

/// Why a peer could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreached {
    /// Its name gave no address.
    #[error("{0}")]
    Resolve(String),
    /// The transport could not reach it.
    #[error("{0}")]
    Transport(#[from] TransportError),
    /// We held back.
    #[error("{0}")]
    Withheld(#[from] Withheld),
    /// We were stopped.
    #[error("stopped before it was asked")]
    Interrupted(Interrupted),
}
