//! What the registrar saw.
use crate::message::Flow;
use std::time::Instant;

/// One request as the registrar saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Where it came from.
    pub flow: Flow,
    /// The method.
    pub method: String,
    /// The user part of To, without escapes.
    pub user: String,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Call-ID.
    pub call_id: String,
    /// CSeq number.
    pub cseq: u32,
    /// It carried Authorization or Proxy-Authorization.
    pub with_credentials: bool,
    /// Bytes of the request.
    pub size: usize,
    /// What it was answered with; `None` when it was not.
    pub status: Option<u16>,
}
