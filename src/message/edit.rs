//! Copies of a message with another top Via: what transactions and transports add on the way.
use super::Message;
use crate::syntax::{HeaderName, Limits};
use bytes::{BufMut, Bytes, BytesMut};
use std::io::Write;
use std::net::SocketAddr;

impl Message {
    /// The bytes with `insert` in the place of `length` bytes at `at`; the message itself if that is no message any more.
    fn spliced(&self, at: usize, length: usize, insert: &[u8]) -> Message {
        let (before, rest) = self.bytes.split_at(at.min(self.bytes.len()));
        let after = rest.get(length..).unwrap_or_default();
        let mut bytes = BytesMut::with_capacity(before.len() + insert.len() + after.len());
        bytes.put_slice(before);
        bytes.put_slice(insert);
        bytes.put_slice(after);
        Message::parse(bytes.freeze(), &Limits::PASSED).unwrap_or_else(|_| self.clone())
    }

    /// A copy in which each CR among the headers that ends no line is a space; the message itself when there is none.
    ///
    /// To us such a CR is white space inside a value. Who takes it for a line end reads what follows it as a header: so what came from one
    /// peer is not sent to another without this. Folds stay.
    pub fn without_stray_cr(&self) -> Message {
        let head = self.bytes.get(..self.head.body_offset as usize).unwrap_or_default();
        if self.head.is_ours || stray_cr(head, 0).is_none() {
            return self.clone();
        }
        let mut bytes = self.bytes.to_vec();
        blank_stray_cr(&mut bytes[..head.len()]);
        Message::parse(Bytes::from(bytes), &Limits::PASSED).unwrap_or_else(|_| self.clone())
    }

    /// A copy without Authorization and Proxy-Authorization; the message itself when it has none.
    pub fn without_credentials(&self) -> Message {
        let is_credentials =
            |name| matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization);
        if !self.headers().any(|header| is_credentials(header.name)) {
            return self.clone();
        }
        let (start, end) = (self.head.headers_offset as usize, self.head.body_offset as usize);
        let (Some(first), Some(lines)) = (self.bytes.get(..start), self.bytes.get(start..end)) else {
            return self.clone();
        };
        let mut bytes = BytesMut::with_capacity(self.bytes.len());
        bytes.put_slice(first);
        let mut left_out = false;
        for line in lines.split_inclusive(|b| *b == b'\n') {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                let name = line.split(|b| *b == b':').next().unwrap_or_default();
                left_out = is_credentials(HeaderName::from_bytes(name.trim_ascii()));
            }
            if !left_out {
                bytes.put_slice(line);
            }
        }
        bytes.put_slice(self.body());
        Message::parse(bytes.freeze(), &Limits::PASSED).unwrap_or_else(|_| self.clone())
    }

    /// A copy with this Via on top (a client transaction's own); everything else byte for byte, but for stray CRs
    /// ([`Message::without_stray_cr`]). Line breaks in `via` become spaces, so that it stays one header; at most 8,192 bytes of it are taken.
    pub fn with_top_via(&self, via: &[u8]) -> Message {
        let mut via = via.get(..8_192).unwrap_or(via).to_vec();
        via.iter_mut().filter(|b| matches!(b, b'\r' | b'\n')).for_each(|b| *b = b' ');
        let bytes = self.bytes_with_top_line(&[b"Via: ", &via, b"\r\n"], BytesMut::new());
        Message::parse(bytes, &Limits::PASSED).unwrap_or_else(|_| self.clone())
    }

    /// The bytes with a line, made of these parts, in front of the first Via, or of all headers where there is none; in an empty buffer,
    /// which grows if it has no room for them.
    pub(crate) fn bytes_with_top_line(&self, parts: &[&[u8]], mut bytes: BytesMut) -> Bytes {
        let at = match self.find(HeaderName::Via, 0) {
            Some((_, span)) => span.line_offset(),
            None => self.head.headers_offset as usize,
        };
        let (before, after) = self.bytes.split_at(at.min(self.bytes.len()));
        let line: usize = parts.iter().map(|part| part.len()).sum();
        bytes.reserve(self.bytes.len() + line);
        bytes.extend_from_slice(before);
        for part in parts {
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(after);
        if !self.head.is_ours {
            let head = bytes.len() - self.body().len();
            blank_stray_cr(&mut bytes[..head]);
        }
        bytes.freeze()
    }

    /// A copy whose top Via carries `received`/`rport` as RFC 3261 sec. 18.2.1 and RFC 3581 sec. 4 say for a request from `source`.
    ///
    /// A `received` that the sender wrote is replaced: only the receiver may say it. Without a readable Via the copy is equal.
    pub fn with_received_from(&self, source: SocketAddr) -> Message {
        let (Some((_, span)), Ok(via)) = (self.find(HeaderName::Via, 0), self.top_via()) else {
            return self.clone();
        };
        let ip = source.ip().to_canonical();
        let asks_rport = via.rport() == Some(None);
        let tells_received = asks_rport || via.host().ip() != Some(ip);
        if !tells_received && via.params().get(b"received").is_none() {
            return self.clone();
        }
        let value = span.value(&self.bytes);
        let old = via.params().as_bytes();
        // `old` is a part of `value` unless it is empty; then the parameters go behind the host and port.
        let start = if old.is_empty() { sent_by_end(value) } else { offset_in(value, old) };
        let Some(start) = start else { return self.clone() };
        let mut text = Vec::with_capacity(old.len() + 48);
        for param in via.params().iter() {
            if param.name.eq_ignore_ascii_case(b"received") {
                continue;
            }
            text.push(b';');
            text.extend_from_slice(param.name);
            if asks_rport && param.name.eq_ignore_ascii_case(b"rport") {
                let _ = write!(text, "={}", source.port());
            } else if let Some(value) = param.value {
                text.push(b'=');
                text.extend_from_slice(value);
            }
        }
        if tells_received {
            let _ = write!(text, ";received={ip}");
        }
        self.spliced(span.value_offset() + start, old.len(), &text)
    }
}

/// The first CR at or behind `from` that no LF follows.
fn stray_cr(head: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\r', head.get(from..)?)
        .map(|at| from + at)
        .find(|at| head.get(at + 1) != Some(&b'\n'))
}

fn blank_stray_cr(head: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = stray_cr(head, from) {
        head[at] = b' ';
        from = at + 1;
    }
}

/// Where `part` stands in `whole`, of which it is a slice.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (offset + part.len() <= whole.len()).then_some(offset)
}

/// Where sent-by ends in a Via without parameters: at the comma, or at the end.
fn sent_by_end(value: &[u8]) -> Option<usize> {
    let first = value.split(|&b| b == b',').next()?;
    Some(first.trim_ascii_end().len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;

    fn message(via: &str) -> Message {
        let text = format!("OPTIONS sip:h SIP/2.0\r\nTo: <sip:h>\r\nVia: {via}\r\nl: 2\r\n\r\nhi");
        Message::parse(Bytes::from(text), &Limits::default()).unwrap()
    }
    fn received(via: &str, source: &str) -> String {
        let m = message(via).with_received_from(source.parse().unwrap());
        assert_eq!(m.body(), b"hi");
        String::from_utf8(m.header(HeaderName::Via).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn puts_a_via_on_top_and_nothing_else() {
        let m = message("SIP/2.0/UDP old").with_top_via(b"SIP/2.0/UDP new;branch=z9hG4bK1\r\nX: y");
        assert!(m.header(HeaderName::Via).unwrap().starts_with(b"SIP/2.0/UDP new;branch=z9hG4bK1  X: y"));
        assert!(m.header_named(b"x").is_none());
        let m = message("SIP/2.0/UDP old").with_top_via(b"SIP/2.0/UDP new");
        assert_eq!(
            m.as_bytes(),
            b"OPTIONS sip:h SIP/2.0\r\nTo: <sip:h>\r\nVia: SIP/2.0/UDP new\r\nVia: SIP/2.0/UDP old\r\nl: 2\r\n\r\nhi"
        );
        let bare =
            Message::parse(Bytes::from_static(b"BYE sip:h SIP/2.0\r\nTo: x\r\n\r\n"), &Limits::default())
                .unwrap();
        assert!(
            bare.with_top_via(b"SIP/2.0/UDP h")
                .as_bytes()
                .starts_with(b"BYE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nTo")
        );
    }

    #[test]
    fn sends_no_cr_that_ends_no_line() {
        let text = "OPTIONS sip:h SIP/2.0\r\nSubject: a\rl: 1\r\r\nTo: x\r\n \r y\nl: 3\r\n\r\n\r\r\n";
        let m = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        assert_eq!(m.header(HeaderName::Subject), Some(&b"a\rl: 1"[..]));
        let plain = m.without_stray_cr();
        assert_eq!(
            plain.as_bytes(),
            b"OPTIONS sip:h SIP/2.0\r\nSubject: a l: 1 \r\nTo: x\r\n   y\nl: 3\r\n\r\n\r\r\n"
        );
        let sent = m.with_top_via(b"SIP/2.0/UDP h");
        assert_eq!(sent.headers().count(), plain.headers().count() + 1);
        assert!(sent.as_bytes().ends_with(&plain.as_bytes()[23..]));
        // Nothing to do: the same bytes, not a copy of them.
        assert_eq!(plain.without_stray_cr().as_bytes().as_ptr(), plain.as_bytes().as_ptr());
    }

    #[test]
    fn tells_the_sender_where_it_was_seen() {
        assert_eq!(
            received("SIP/2.0/UDP 192.0.2.1;branch=b", "192.0.2.1:5"),
            "SIP/2.0/UDP 192.0.2.1;branch=b"
        );
        assert_eq!(
            received("SIP/2.0/UDP 192.0.2.1;branch=b", "192.0.2.2:5"),
            "SIP/2.0/UDP 192.0.2.1;branch=b;received=192.0.2.2"
        );
        assert_eq!(received("SIP/2.0/UDP h", "192.0.2.2:5"), "SIP/2.0/UDP h;received=192.0.2.2");
        assert_eq!(
            received("SIP/2.0/UDP 192.0.2.1;rport;branch=b", "192.0.2.1:5"),
            "SIP/2.0/UDP 192.0.2.1;rport=5;branch=b;received=192.0.2.1"
        );
        assert_eq!(
            received("SIP/2.0/UDP [2001:db8::1] ; branch=b", "[2001:db8::2]:5"),
            "SIP/2.0/UDP [2001:db8::1] ;branch=b;received=2001:db8::2"
        );
        assert_eq!(
            received("SIP/2.0/UDP 192.0.2.1;received=9.9.9.9", "192.0.2.1:5"),
            "SIP/2.0/UDP 192.0.2.1"
        );
        assert_eq!(
            received("SIP/2.0/UDP h, SIP/2.0/UDP i;branch=c", "[::ffff:192.0.2.2]:5"),
            "SIP/2.0/UDP h;received=192.0.2.2, SIP/2.0/UDP i;branch=c"
        );
        assert_eq!(received("nonsense", "192.0.2.1:5"), "nonsense");
    }
}
