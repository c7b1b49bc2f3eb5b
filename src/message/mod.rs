//! A SIP message: one [`Bytes`] and a table of spans; typed values are parsed when asked for.
//!
//! ```
//! use bytes::Bytes;
//! use ringback::message::Message;
//! use ringback::syntax::{HeaderName, Limits, Method};
//!
//! let text = "OPTIONS sip:pbx.example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1\r\n\
//!             From: <sip:alice@example.com>;tag=1\r\nTo: <sip:pbx.example.com>\r\nCall-ID: 7@192.0.2.4\r\n\
//!             CSeq: 1 OPTIONS\r\n\r\n";
//! let request = Message::parse(Bytes::from(text), &Limits::default())?;
//! request.check_mandatory()?;
//! assert_eq!(request.method(), Some(Method::Options));
//! assert_eq!(request.top_via()?.branch(), Some(&b"z9hG4bK1"[..]));
//! assert_eq!(request.header(HeaderName::Via), Some(&b"SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1"[..]));
//! assert!(request.header_named(b"X-Unknown").is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod builder;
mod decoded;
mod edit;
mod flow;
mod ids;
mod list;
mod mask;
mod party;
mod reason;
mod redact;
#[cfg(feature = "rsip")]
pub mod rsip;
mod stream;
mod typed;

pub use attribute::{branch_of, call_id_of};
pub(crate) use builder::Decimal;
pub use builder::{BuildError, Builder};
pub use flow::{Flow, Transport};
pub use ids::Ids;
pub(crate) use ids::{COOKIE, hex_digits};
pub use mask::Mask;
pub use party::Identity;
pub use reason::reason_phrase;
pub use redact::{redact, redact_text};
pub use stream::{StreamDecoder, StreamItem};

use crate::syntax::{
    Head, HeaderName, Limit, Limits, Method, Span, StartLine, SyntaxError, SyntaxErrorKind, Uri,
};
use bytes::Bytes;
use std::fmt;

/// One request or response.
///
/// Cheap to clone: the bytes are shared. A message keeps alive the whole buffer behind the [`Bytes`] that it was parsed from, so hand in
/// bytes of the right size: a copy of the datagram, not a slice of a 64 KiB receive buffer. [`StreamDecoder`] does so by itself.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    head: Head,
}

/// Why a typed accessor gives no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// A mandatory header is not there.
    #[error("no {} header", .0.as_str())]
    Missing(HeaderName),
    /// A header that may stand once stands more than once.
    #[error("more than one {} header", .0.as_str())]
    Repeated(HeaderName),
    /// The value breaks the grammar; the offset counts from the start of the message.
    #[error("bad {} header: {error}", .header.as_str())]
    Syntax {
        /// Which header.
        header: HeaderName,
        /// What and where.
        error: SyntaxError,
    },
}

impl FieldError {
    /// In words, with the value of the header in quotes where it stands in `message`.
    pub fn quoting(&self, message: &Message) -> String {
        const MOST: usize = 200;
        let name = match self {
            FieldError::Missing(_) => return self.to_string(),
            FieldError::Repeated(name) | FieldError::Syntax { header: name, .. } => *name,
        };
        let value = message.header(name).unwrap_or_default();
        let cut = value.get(..MOST).unwrap_or(value);
        let more = if cut.len() < value.len() { ".." } else { "" };
        format!("{self}: \"{}{more}\"", String::from_utf8_lossy(cut))
    }
}

/// One header line. Its `Debug` shows the name only.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// The id of its name.
    pub name: HeaderName,
    /// The name as it came.
    pub raw_name: &'a [u8],
    /// The value, outer white space removed, folds kept as they came.
    pub value: &'a [u8],
}

impl Message {
    /// Parses one datagram: leading CRLFs are skipped, bytes after Content-Length are dropped, no Content-Length means up to the end (RFC 3261 sec. 18.3).
    ///
    /// Line ends may be a LF alone. A head without its empty line is taken when it ends with a whole line. A CR that ends no line breaks
    /// the grammar (RFC 3261 sec. 25.1): in a header value it counts as white space and never as a line end, as RFC 9112 sec. 2.2 has it
    /// for HTTP; what is made from the value for others to read has a space there ([`Message::without_stray_cr`]). In the start line or
    /// in a name it is an error.
    ///
    /// # Errors
    /// Bytes that are no SIP message; typed values are not looked at.
    // Small and inlined, so that the table is filled where the caller wants it: it is some hundred bytes, which a `Result` of it would
    // carry from return to return.
    #[inline(always)]
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Message, SyntaxError> {
        let mut message = Message { bytes, head: Head::empty() };
        message.read(limits)?;
        Ok(message)
    }
    #[inline(never)]
    fn read(&mut self, limits: &Limits) -> Result<(), SyntaxError> {
        let skipped = self.bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let length = self.bytes.len() - skipped;
        if length > limits.message_size.min(u32::MAX as usize) {
            let kind = SyntaxErrorKind::Limit(Limit::MessageSize);
            return Err(SyntaxError { kind, offset: limits.message_size });
        }
        self.head.read(&self.bytes[skipped..], limits).map_err(|e| e.shifted(skipped))?;
        let body_offset = self.head.body_offset as usize;
        let end = match self.head.content_length {
            None => length,
            Some(body) => match body_offset.checked_add(body as usize) {
                Some(end) if end <= length => end,
                _ => {
                    let kind = SyntaxErrorKind::ContentLength;
                    return Err(SyntaxError { kind, offset: skipped + body_offset });
                }
            },
        };
        if skipped != 0 || end != length {
            self.bytes = self.bytes.slice(skipped..skipped + end);
        }
        Ok(())
    }
    /// The whole message as it came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The same, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
    /// Is it a request?
    pub fn is_request(&self) -> bool {
        matches!(self.head.start, StartLine::Request { .. })
    }
    fn slice(&self, start: usize, length: usize) -> &[u8] {
        self.bytes.get(start..start + length).unwrap_or_default()
    }
    /// The method of a request.
    pub fn method(&self) -> Option<Method<'_>> {
        match self.head.start {
            StartLine::Request { method_length, .. } => {
                Some(Method::from_bytes(self.slice(0, usize::from(method_length))))
            }
            StartLine::Response { .. } => None,
        }
    }
    /// The Request-URI as it came.
    pub fn request_uri_bytes(&self) -> Option<&[u8]> {
        match self.head.start {
            StartLine::Request { method_length, uri_length } => {
                Some(self.slice(usize::from(method_length) + 1, usize::from(uri_length)))
            }
            StartLine::Response { .. } => None,
        }
    }
    /// The Request-URI; `None` in a response.
    pub fn request_uri(&self) -> Option<Result<Uri<'_>, SyntaxError>> {
        match self.head.start {
            StartLine::Request { method_length, .. } => {
                let base = usize::from(method_length) + 1;
                self.request_uri_bytes().map(|text| Uri::parse(text).map_err(|e| e.shifted(base)))
            }
            StartLine::Response { .. } => None,
        }
    }
    /// The status code of a response, 100 to 699 (others are kept as they came).
    pub fn status(&self) -> Option<u16> {
        match self.head.start {
            StartLine::Response { status, .. } => Some(status),
            StartLine::Request { .. } => None,
        }
    }
    /// The reason phrase of a response, as it came.
    pub fn reason(&self) -> Option<&[u8]> {
        match self.head.start {
            StartLine::Response { reason_start, reason_length, .. } => {
                Some(self.slice(usize::from(reason_start), usize::from(reason_length)))
            }
            StartLine::Request { .. } => None,
        }
    }
    /// Lines of the head that are no header (no colon, white space or `/` in the name) and were passed over, and a Content-Length without a
    /// value.
    pub fn odd_lines(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.head.len()).filter_map(|index| {
            let (name, span) = self.head.get(index)?;
            let value = span.value(&self.bytes);
            match name {
                _ if span.is_odd() => Some(value),
                HeaderName::ContentLength if value.is_empty() => Some(span.name(&self.bytes)),
                _ => None,
            }
        })
    }
    /// All header lines in order, without [`Message::odd_lines`].
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        (0..self.head.len()).filter_map(|index| {
            let (name, span) = self.head.get(index).filter(|(_, span)| !span.is_odd())?;
            Some(Header { name, raw_name: span.name(&self.bytes), value: span.value(&self.bytes) })
        })
    }
    /// The place of the first header of this name from line `from` on; also its line.
    #[inline]
    fn find(&self, name: HeaderName, from: usize) -> Option<(usize, Span)> {
        let index = self.head.find(name, from)?;
        self.head.get(index).map(|(_, span)| (index, span))
    }
    /// The value of the first header of this name.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.find(name, 0).map(|(_, span)| span.value(&self.bytes))
    }
    /// The first header of this name by its text; for names that have no id. Without regard to case.
    pub fn header_named(&self, name: &[u8]) -> Option<&[u8]> {
        match HeaderName::from_bytes(name) {
            HeaderName::Other => {
                self.headers().find(|h| h.raw_name.eq_ignore_ascii_case(name)).map(|h| h.value)
            }
            known => self.header(known),
        }
    }
    /// The body.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.head.body_offset as usize..).unwrap_or_default()
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Header").field(&String::from_utf8_lossy(self.raw_name)).finish()
    }
}

/// The start line, its URI left out, and sizes: a message holds secrets.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Message");
        match self.method() {
            Some(method) => out.field("method", &method),
            None => out.field("status", &self.status()),
        };
        out.field("headers", &self.head.len()).field("bytes", &self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Message, SyntaxError> {
        Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
    }

    #[test]
    fn frames_a_request_and_a_response() {
        let m = parse(
            "\r\n\nINVITE sip:a@b SIP/2.0\r\nv : x\r\nX-Odd:\r\nSubject: a\r\n b \r\nL: 2\r\n\r\nhirest",
        )
        .unwrap();
        assert_eq!((m.method(), m.request_uri_bytes()), (Some(Method::Invite), Some(&b"sip:a@b"[..])));
        assert_eq!((m.header(HeaderName::Via), m.header_named(b"x-odd")), (Some(&b"x"[..]), Some(&b""[..])));
        assert_eq!((m.header(HeaderName::Subject), m.body()), (Some(&b"a\r\n b"[..]), &b"hi"[..]));
        assert!(m.as_bytes().starts_with(b"INVITE") && m.as_bytes().ends_with(b"hi"));
        let m = parse("SIP/2.0 200 \r\nt: x\n\nbody").unwrap();
        assert_eq!((m.status(), m.reason(), m.body()), (Some(200), Some(&b""[..]), &b"body"[..]));
        assert_eq!(parse("SIP/2.0 404\r\n").unwrap().status(), Some(404));
        assert!(!format!("{m:?}").contains("body"));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        use SyntaxErrorKind as K;
        for (text, kind, offset) in [
            ("", K::Truncated, 0),
            ("OPTIONS sip:h SIP/2.0", K::Truncated, 21),
            ("OPTIONS sip:h SIP/2.0\r\nVia", K::Truncated, 26),
            ("OPTIONS sip:h SIP/7.0\r\n\r\n", K::Version, 14),
            ("OPTIONS sip:h HTTP/1.1\r\n\r\n", K::StartLine, 14),
            ("OPTIONS  sip:h SIP/2.0\r\n\r\n", K::StartLine, 9),
            ("OPTIONS sip:h SIP/2.0 \r\n\r\n", K::StartLine, 14),
            ("OPTIONS <sip:h> SIP/2.0\r\n\r\n", K::StartLine, 8),
            ("OPTIONS sip:h?a=b SIP/2.0\r\n\r\n", K::Uri, 13),
            ("SIP/2.0 2000 x\r\n\r\n", K::StatusCode, 8),
            // White space behind the start line goes on with nothing: it is not folded.
            ("SIP/2.0 200 OK\r\n and more\r\n\r\n", K::StartLine, 14),
            ("SIP/2.0 200 OK\n\tX: y\r\n\r\n", K::StartLine, 14),
            ("OPTIONS sip:h\r\n\tx SIP/2.0\r\n\r\n", K::StartLine, 13),
            ("OPTIONS sip:h SIP/2.0\r\n \r\nTo: x\r\n\r\n", K::StartLine, 14),
            ("SIP/2.0 200 O\rK\r\n\r\n", K::StartLine, 13),
            ("SIP/2.0 200 OK\r\r\n\r\n", K::StartLine, 14),
            ("OPTIONS sip:a\rb SIP/2.0\r\n\r\n", K::StartLine, 13),
            ("OPTIONS sip:a?\rb SIP/2.0\r\n\r\n", K::StartLine, 14),
            ("OPTIONS sip:h SIP/2.0\r\nSub\rject: x\r\n\r\n", K::HeaderLine, 26),
            ("OPTIONS sip:h SIP/2.0\r\nVia\0: x\r\n\r\n", K::HeaderLine, 26),
            ("OPTIONS sip:h SIP/2.0\r\nContent-Length\0: 1\r\n\r\nab", K::HeaderLine, 37),
            ("OPTIONS sip:h SIP/2.0\r\nl: 5\r\n\r\nabc", K::ContentLength, 31),
            ("OPTIONS sip:h SIP/2.0\r\nl: -5\r\n\r\nabc", K::ContentLength, 26),
            ("OPTIONS sip:h SIP/2.0\r\nl: 0\r\nl: 1\r\n\r\nabc", K::ContentLength, 32),
            ("OPTIONS sip:h SIP/2.0\r\nl: 4294967295\r\n\r\n", K::ContentLength, 40),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.kind, error.offset), (kind, offset), "{text:?}");
        }
    }

    #[test]
    fn passes_over_a_line_that_is_no_header() {
        let m = parse(
            "SIP/2.0 200 OK\r\nno colon here\r\nX/Y: 1\r\nX Y: 2\r\n: 3\r\nTo: x\r\n goes on\r\nContent-Length:\r\n\r\nbody",
        )
        .unwrap();
        let odd: Vec<_> = m.odd_lines().map(String::from_utf8_lossy).collect();
        assert_eq!(odd, ["no colon here", "X/Y: 1", "X Y: 2", ": 3", "Content-Length"]);
        let names: Vec<_> = m.headers().map(|h| String::from_utf8_lossy(h.raw_name)).collect();
        assert_eq!(names, ["To", "Content-Length"]);
        assert_eq!((m.header_named(b"no"), m.header_named(b"X"), m.body()), (None, None, &b"body"[..]));
        assert_eq!(parse("SIP/2.0 200 OK\r\nTo: x\r\n\r\n").unwrap().odd_lines().count(), 0);
    }

    #[test]
    fn names_the_limit_that_is_reached() {
        let limit = |text: &str| parse(text).unwrap_err().kind;
        let start = "OPTIONS sip:h SIP/2.0\r\n";
        assert_eq!(
            limit(&format!("{start}{}\r\n", "a: b\r\n".repeat(257))),
            SyntaxErrorKind::Limit(Limit::HeaderCount)
        );
        assert_eq!(
            limit(&format!("{start}a: {}\r\n\r\n", "b".repeat(33_000))),
            SyntaxErrorKind::Limit(Limit::HeaderLength)
        );
        assert_eq!(
            limit(&format!("{start}a: b\r\n{}\r\n\r\n", " c\r\n".repeat(9000))),
            SyntaxErrorKind::Limit(Limit::HeaderLength)
        );
        assert_eq!(
            limit(&format!("{start}\r\n{}", "b".repeat(66_000))),
            SyntaxErrorKind::Limit(Limit::MessageSize)
        );
    }

    #[test]
    fn a_head_is_no_longer_than_its_table_can_say_whatever_the_limits() {
        let most = usize::MAX;
        let wide =
            Limits { message_size: most, header_count: most, header_length: most, ..Limits::default() };
        // The last header's line ends where the head does, without its line end.
        let of = |length: usize| {
            let (start, last) = ("OPTIONS sip:h SIP/2.0\r\nX: ", "\r\nSubject: last");
            let text = format!("{start}{}{last}\r\n\r\nbody", "x".repeat(length - start.len() - last.len()));
            Message::parse(Bytes::from(text), &wide)
        };
        let m = of(65_535).unwrap();
        assert_eq!((m.header(HeaderName::Subject), m.body()), (Some(&b"last"[..]), &b"body"[..]));
        for length in [65_536, 65_600, 200_000] {
            let kind = of(length).unwrap_err().kind;
            assert_eq!(kind, SyntaxErrorKind::Limit(Limit::HeaderLength), "{length}");
        }
    }

    #[test]
    fn each_limit_is_the_most_that_is_taken() {
        let text = "OPTIONS sip:h SIP/2.0\r\nTo: x\r\nSubject: 0123456789\r\n 0123456789\r\n\r\nbody";
        let line = "Subject: 0123456789\r\n 0123456789\r".len();
        let exact =
            Limits { message_size: text.len(), header_count: 2, header_length: line, ..Limits::default() };
        let parse = |limits: &Limits| Message::parse(Bytes::from(text), limits).map_err(|error| error.kind);
        assert!(parse(&exact).is_ok());
        for (limits, reached) in [
            (Limits { message_size: text.len() - 1, ..exact }, Limit::MessageSize),
            (Limits { header_count: 1, ..exact }, Limit::HeaderCount),
            (Limits { header_length: line - 1, ..exact }, Limit::HeaderLength),
        ] {
            assert_eq!(parse(&limits).unwrap_err(), SyntaxErrorKind::Limit(reached));
            assert!(SyntaxErrorKind::Limit(reached).to_string().ends_with(&reached.to_string()));
        }
    }

    #[test]
    fn keeps_headers_beyond_the_inline_table() {
        let mut text = String::from("OPTIONS sip:h SIP/2.0\r\n");
        for n in 0..100 {
            text += &format!("X-{n}: {n}\r\n");
        }
        let m = parse(&(text + "Subject: last\r\n\r\n")).unwrap();
        assert_eq!(m.headers().count(), 101);
        assert_eq!(m.header_named(b"x-77"), Some(&b"77"[..]));
        assert_eq!(m.header(HeaderName::Subject), Some(&b"last"[..]));
    }
}
