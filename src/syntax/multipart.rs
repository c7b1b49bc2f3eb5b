//! Bodies of several parts (RFC 2046 sec. 5.1) and fragments of messages (RFC 3420).
use super::head::{StartLine, fields, start_line};
use super::{HeaderName, MediaType, SyntaxError, SyntaxErrorKind};

/// One part of a body: its headers and what they describe. Also a `message/sipfrag`.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    head: &'a [u8],
    /// The content, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// Headers up to an empty line, then a body; the headers may be missing.
    fn split(text: &'a [u8]) -> Part<'a> {
        if let Some(body) = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n")) {
            return Part { head: &[], body };
        }
        match super::head_end(text, &mut 0) {
            Some(end) => Part { head: &text[..end], body: &text[end..] },
            None => Part { head: text, body: &[] },
        }
    }
    /// All header lines in order: id, name as it came, value. A line that is none ends the list.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, &'a [u8], &'a [u8])> + use<'a> {
        fields(self.head)
    }
    /// The value of the first header of this name.
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.headers().find(|h| h.0 == name).map(|h| h.2)
    }
}

/// The parts of a multipart body, in order. A part in a part is a body again: how deep to go is the caller's to say.
///
/// # Errors
/// A content type without a boundary, or a body in which the boundary never stands.
pub fn multipart<'a>(
    content_type: &MediaType<'_>,
    body: &'a [u8],
) -> Result<impl Iterator<Item = Part<'a>> + use<'a>, SyntaxError> {
    let bad = SyntaxError { kind: SyntaxErrorKind::Truncated, offset: 0 };
    let boundary =
        content_type.params.get(b"boundary").map(|p| p.unquoted()).filter(|b| !b.is_empty()).ok_or(bad)?;
    let delimiter = [b"--", &*boundary].concat();
    let mut rest = Some(next_delimiter(body, &delimiter).ok_or(bad)?.1);
    Ok(std::iter::from_fn(move || {
        let text = rest.take()?;
        // The close delimiter, or the end of a body that was cut.
        if text.starts_with(b"--") || text.is_empty() {
            return None;
        }
        let line_end = memchr::memchr(b'\n', text)?;
        let text = &text[line_end + 1..];
        let Some((part, after)) = next_delimiter(text, &delimiter) else { return Some(Part::split(text)) };
        rest = Some(after);
        Some(Part::split(part))
    }))
}

/// What stands in front of the next delimiter (its own line end left out), and what follows it.
fn next_delimiter<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find_iter(text, delimiter).find(|&at| at == 0 || text[at - 1] == b'\n')?;
    let before = &text[..at];
    let before = before.strip_suffix(b"\r\n").or_else(|| before.strip_suffix(b"\n")).unwrap_or(before);
    Some((before, &text[at + delimiter.len()..]))
}

/// A fragment of a message, as a NOTIFY of a transfer carries it: the status line alone, in most.
#[derive(Debug, Clone, Copy)]
pub struct SipFrag<'a> {
    /// The status code of a response.
    pub status: Option<u16>,
    /// The reason phrase of a response, as it came.
    pub reason: Option<&'a [u8]>,
    /// Headers and body.
    pub part: Part<'a>,
}

impl<'a> SipFrag<'a> {
    /// Parses the whole of `text`: a start line or none, headers or none, a body or none (RFC 3420 sec. 2.1). The last line needs no end.
    ///
    /// # Errors
    /// A first line that begins like a status line and is none.
    pub fn parse(text: &'a [u8]) -> Result<SipFrag<'a>, SyntaxError> {
        let text = text.trim_ascii_start();
        let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let line = text[..end].trim_ascii_end();
        // The space in front of an empty phrase has just been trimmed.
        let rest = text.get(end + 1..).unwrap_or_default();
        let is_status = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
        match start_line(line) {
            Ok(StartLine::Response { status, reason_start, .. }) => {
                let reason = line.get(usize::from(reason_start)..);
                Ok(SipFrag { status: Some(status), reason, part: Part::split(rest) })
            }
            Ok(StartLine::Request { .. }) => {
                Ok(SipFrag { status: None, reason: None, part: Part::split(rest) })
            }
            Err(error) if is_status => Err(error),
            Err(_) => Ok(SipFrag { status: None, reason: None, part: Part::split(text) }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn takes_parts_apart() {
        let kind = MediaType::parse(b"multipart/mixed;boundary=\"b-1\"").unwrap();
        let body = b"preamble\r\n--b-1\r\nContent-Type: text/plain\r\n\r\nHel--b-1lo\r\n--b-1\r\n\r\nno\r\nhead\r\n--b-1--\r\nepilogue";
        let parts: Vec<_> = multipart(&kind, body).unwrap().collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            (parts[0].header(HeaderName::ContentType), parts[0].body),
            (Some(&b"text/plain"[..]), &b"Hel--b-1lo"[..])
        );
        assert_eq!((parts[1].headers().count(), parts[1].body), (0, &b"no\r\nhead"[..]));
        assert!(multipart(&MediaType::parse(b"multipart/mixed").unwrap(), body).is_err());
        assert!(multipart(&kind, b"nothing").is_err());
        assert_eq!(multipart(&kind, b"--b-1\r\nA: b\r\n\r\ncut").unwrap().next().unwrap().body, b"cut");
    }

    #[test]
    fn reads_fragments() {
        let frag = SipFrag::parse(b"SIP/2.0 200 OK").unwrap();
        assert_eq!((frag.status, frag.reason), (Some(200), Some(&b"OK"[..])));
        let frag = SipFrag::parse(b"SIP/2.0 503 Service Unavailable\r\nReason: SIP;cause=503\r\n").unwrap();
        assert_eq!(
            (frag.status, frag.part.header(HeaderName::Reason)),
            (Some(503), Some(&b"SIP;cause=503"[..]))
        );
        assert_eq!(SipFrag::parse(b"SIP/2.0 100 \r\n").unwrap().status, Some(100));
        let frag = SipFrag::parse(b"From: <sip:a>\r\n\r\nbody").unwrap();
        assert_eq!(
            (frag.status, frag.part.header(HeaderName::From), frag.part.body),
            (None, Some(&b"<sip:a>"[..]), &b"body"[..])
        );
        assert!(SipFrag::parse(b"SIP/2.0 abc").is_err());
        assert_eq!(SipFrag::parse(b"").unwrap().part.headers().count(), 0);
    }
}
