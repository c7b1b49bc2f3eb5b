//! Messages that follow from another by rule: ACK and CANCEL of an INVITE, and the answers that need no user.
use super::branch::LENGTH;
use crate::message::{Builder, Flow, Message, Transport};
use crate::syntax::{HeaderName, Limits, Method, Via};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;

/// Puts our Via on requests; that of the last flow is at hand.
#[derive(Debug, Default)]
pub(super) struct Vias {
    of: Option<(Transport, SocketAddr)>,
    /// Up to the branch.
    text: Vec<u8>,
}

impl Vias {
    /// The bytes of a request that goes out on `flow`, with our Via on top (RFC 3261 sec. 18.1.1, RFC 3581 sec. 3), in an empty buffer.
    pub(super) fn put(&mut self, request: &Message, flow: &Flow, branch: &[u8], buffer: BytesMut) -> Bytes {
        let of = Some((flow.transport, flow.local));
        if self.of != of {
            // Rebuilt, because an IPv6 address of a socket may print a scope, which has no place in a Via.
            let sent_by = SocketAddr::new(flow.local.ip(), flow.local.port());
            self.text = format!("Via: SIP/2.0/{} {sent_by};branch=", flow.transport.as_via()).into_bytes();
            self.of = of;
        }
        request.bytes_with_top_line(&[&self.text, branch, b";rport\r\n"], buffer)
    }

    /// The branch of a Via that is the last flow's with nothing behind it but what the far side fills in (RFC 3581 sec. 4): what nearly
    /// all answers carry, and told without reading it as a Via.
    pub(super) fn branch_of<'a>(&self, via: &'a [u8]) -> Option<&'a [u8]> {
        let ours = self.text.get(b"Via: ".len()..)?;
        let (branch, mut rest) = via.strip_prefix(ours)?.split_at_checked(LENGTH)?;
        while !rest.is_empty() {
            rest = rest.strip_prefix(b";")?;
            let (value, is_of_value): (_, fn(u8) -> bool) = match rest.strip_prefix(b"rport") {
                Some(value) => (value.strip_prefix(b"=").unwrap_or(value), |b| b.is_ascii_digit()),
                None => {
                    (rest.strip_prefix(b"received=")?, |b| b.is_ascii_hexdigit() || b == b'.' || b == b':')
                }
            };
            let length = value.iter().take_while(|&&b| is_of_value(b)).count();
            rest = &value[length..];
        }
        Some(branch)
    }
}

/// The ACK of a final response that is no 2xx (RFC 3261 sec. 17.1.1.3).
pub(super) fn ack(invite: &Bytes, response: &Message) -> Option<Message> {
    from_invite(&again(invite)?, Method::Ack, response.header(HeaderName::To))?.build().ok()
}

/// The CANCEL of an INVITE (RFC 3261 sec. 9.1), with its Reason (RFC 3326).
pub(super) fn cancel(invite: &Bytes, reason: Option<&str>) -> Option<Message> {
    let cancel = from_invite(&again(invite)?, Method::Cancel, None)?;
    let builder = match reason {
        Some(reason) => cancel.header(HeaderName::Reason, reason),
        None => cancel,
    };
    builder.build().ok()
}

/// The CANCEL of an INVITE that was sent, with its Via (RFC 3261 sec. 9.1), for who ends it when its sender is gone; `None` for what is no INVITE
/// with a Via. [`Layer::send`](super::Layer::send) sends it as it is.
pub fn cancel_of(invite: &Message) -> Option<Message> {
    if invite.method() != Some(Method::Invite) {
        return None;
    }
    from_invite(invite, Method::Cancel, None)?.build().ok()
}

/// A message out of the bytes that a transaction keeps: its table of spans is larger than they are, and
/// seldom needed.
fn again(bytes: &Bytes) -> Option<Message> {
    Message::parse(bytes.clone(), &Limits::PASSED).ok()
}

fn from_invite(invite: &Message, method: Method<'_>, to: Option<&[u8]>) -> Option<Builder> {
    let number = invite.cseq().ok()?.number;
    let mut builder = Builder::request(method, invite.request_uri_bytes()?)
        .copied(HeaderName::Via, top_via_text(invite)?)
        .header(HeaderName::MaxForwards, "70");
    for route in invite.headers().filter(|header| header.name == HeaderName::Route) {
        builder = builder.copied(HeaderName::Route, route.value);
    }
    let builder = builder
        .copied(HeaderName::From, invite.header(HeaderName::From)?)
        .copied(HeaderName::To, to.or_else(|| invite.header(HeaderName::To))?)
        .copied(HeaderName::CallId, invite.header(HeaderName::CallId)?)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_via_of_ours_gives_the_branch_that_reading_it_gives() {
        let request = Builder::request(Method::Options, "sip:h").build().unwrap();
        let flow = Flow {
            transport: Transport::Udp,
            local: "[2001:db8::1]:5070".parse().unwrap(),
            remote: "[2001:db8::2]:5060".parse().unwrap(),
        };
        let branch = b"z9hG4bK0123456789abcdef0123456789abcdef";
        let mut vias = Vias::default();
        assert_eq!(vias.branch_of(b"SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdef0123456789abcdef"), None);
        let sent =
            Message::parse(vias.put(&request, &flow, branch, BytesMut::new()), &Limits::default()).unwrap();
        let via = std::str::from_utf8(sent.header(HeaderName::Via).unwrap()).unwrap().to_owned();
        for (behind, is_quick) in [
            ("", true),
            ("=5070", true),
            ("=5070;received=2001:db8::1", true),
            (";received=192.0.2.1;rport=1", true),
            ("x=1", false),
            ("; received=192.0.2.1", false),
            (";received=192.0.2.1, SIP/2.0/UDP h", false),
            (";x=1", false),
            (";;", false),
            ("=a", false),
        ] {
            let via = format!("{via}{behind}");
            let found = vias.branch_of(via.as_bytes());
            assert_eq!(found.is_some(), is_quick, "{via}");
            if is_quick {
                let (read, rest) = Via::parse_first(via.as_bytes()).unwrap();
                assert_eq!((read.branch(), rest), (found, &b""[..]));
            }
        }
        assert_eq!(vias.branch_of(&via.as_bytes()[..via.len() - 7]), None, "the branch is cut");
    }
}
