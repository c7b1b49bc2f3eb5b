//! What the responses to every kind of request have in common.

use super::End;
use crate::message::Message;
use crate::syntax::HeaderName;
use std::net::IpAddr;
use std::time::Duration;

/// The status of a final response to the request with this CSeq; `None` for what is to be left alone: provisional responses, and late
/// answers to an earlier request.
pub(super) fn final_status(response: &Message, cseq: u32) -> Option<Result<u16, End>> {
    let status = match response.status() {
        Some(100..200) => return None,
        Some(status @ 200..700) => status,
        Some(status) => return Some(Err(End::BadResponse(format!("status {status}")))),
        None => return Some(Err(End::BadResponse("a request instead of a response".to_owned()))),
    };
    match response.cseq() {
        Ok(given) => (given.number == cseq).then_some(Ok(status)),
        Err(error) => Some(Err(End::BadResponse(error.to_string()))),
    }
}

/// As text; octets that are no UTF-8 (Latin-1 from old PBXs) are replaced.
pub(super) fn text(octets: &[u8]) -> String {
    // Nearly all is UTF-8, which is found out faster than it is repaired.
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(octets).into_owned(),
    }
}

pub(super) fn tokens(response: &Message, header: HeaderName) -> Vec<String> {
    response.tokens(header).map(text).collect()
}

/// Every value of a header, as it came; those of one line are told apart.
pub(super) fn values(response: &Message, header: HeaderName) -> Vec<String> {
    response.values(header).map(text).collect()
}

pub(super) fn reason(response: &Message) -> String {
    text(response.reason().unwrap_or_default())
}

/// `Server`, or `User-Agent`, which many send instead.
pub(super) fn server(response: &Message) -> Option<String> {
    response.header(HeaderName::Server).or(response.header(HeaderName::UserAgent)).map(text)
}

pub(super) fn retry_after(response: &Message) -> Option<Duration> {
    let seconds = response.seconds(HeaderName::RetryAfter)?.ok()?;
    Some(Duration::from_secs(seconds.into()))
}

/// Where the far side saw us: `received` and `rport` of the top Via.
pub(super) fn seen_at(response: &Message) -> (Option<IpAddr>, Option<u16>) {
    response.top_via().ok().map(|via| via.seen_at()).unwrap_or_default()
}
