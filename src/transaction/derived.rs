//! Messages that follow from another by rule: ACK and CANCEL of an INVITE, and the answers that need no user.
use crate::message::{Builder, Flow, Message, Transport};
use crate::syntax::{HeaderName, Limits, Method, Via};
use bytes::Bytes;
use std::net::SocketAddr;

/// Puts our Via on requests; that of the last flow is at hand.
#[derive(Debug, Default)]
pub(super) struct Vias {
    of: Option<(Transport, SocketAddr)>,
    /// Up to the branch.
    text: Vec<u8>,
}

impl Vias {
    /// The bytes of a request that goes out on `flow`, with our Via on top (RFC 3261 sec. 18.1.1, RFC 3581 sec. 3).
    pub(super) fn put(&mut self, request: &Message, flow: &Flow, branch: &[u8]) -> Bytes {
        let of = Some((flow.transport, flow.local));
        if self.of != of {
            // Rebuilt, because an IPv6 address of a socket may print a scope, which has no place in a Via.
            let sent_by = SocketAddr::new(flow.local.ip(), flow.local.port());
            self.text = format!("Via: SIP/2.0/{} {sent_by};branch=", flow.transport.as_via()).into_bytes();
            self.of = of;
        }
        request.bytes_with_top_line(&[&self.text, branch, b";rport\r\n"])
    }
}

/// The ACK of a final response that is no 2xx (RFC 3261 sec. 17.1.1.3).
pub(super) fn ack(invite: &Bytes, response: &Message) -> Option<Message> {
    from_invite(&again(invite)?, Method::Ack, response.header(HeaderName::To))?.build().ok()
}

/// The CANCEL of an INVITE (RFC 3261 sec. 9.1).
pub(super) fn cancel(invite: &Bytes, reason: Option<&str>) -> Option<Message> {
    let cancel = from_invite(&again(invite)?, Method::Cancel, None)?;
    let builder = match reason {
        Some(reason) => cancel.header(HeaderName::Reason, reason),
        None => cancel,
    };
    builder.build().ok()
}

/// A message out of the bytes that a transaction keeps: its table of spans is larger than they are, and
/// seldom needed.
fn again(bytes: &Bytes) -> Option<Message> {
    Message::parse(bytes.clone(), &Limits::PASSED).ok()
}

fn from_invite(invite: &Message, method: Method<'_>, to: Option<&[u8]>) -> Option<Builder> {
    let number = invite.cseq().ok()?.number;
    let mut builder = Builder::request(method, invite.request_uri_bytes()?)
        .header(HeaderName::Via, top_via_text(invite)?)
        .header(HeaderName::MaxForwards, "70");
    for route in invite.headers().filter(|header| header.name == HeaderName::Route) {
        builder = builder.header(HeaderName::Route, route.value);
    }
    let builder = builder
        .header(HeaderName::From, invite.header(HeaderName::From)?)
        .header(HeaderName::To, to.or_else(|| invite.header(HeaderName::To))?)
        .header(HeaderName::CallId, invite.header(HeaderName::CallId)?)
        .header(HeaderName::CSeq, format!("{number} {method}"));
    Some(builder)
}

/// The text of the top Via alone, also when its line holds a list.
fn top_via_text(message: &Message) -> Option<&[u8]> {
    let line = message.header(HeaderName::Via)?;
    let (_, rest) = Via::parse_first(line).ok()?;
    let first = line.get(..line.len().checked_sub(rest.len())?)?.trim_ascii_end();
    Some(first.strip_suffix(b",").unwrap_or(first).trim_ascii_end())
}

/// An answer that needs no user.
pub(super) fn response(
    request: &Message,
    status: u16,
    reason: &str,
    to_tag: Option<&str>,
) -> Option<Message> {
    Builder::response(request, status, reason, to_tag).build().ok()
}

/// A 100 (RFC 3261 sec. 8.2.6.1).
pub(super) fn trying(request: &Bytes) -> Option<Message> {
    response(&again(request)?, 100, "Trying", None)
}
