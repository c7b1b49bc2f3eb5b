//! Fragments of messages (RFC 3420).
use super::head::{StartLine, start_line};
use super::multipart::{Nesting, Part};
use super::{Limits, SyntaxError};

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
                Ok(SipFrag {
                    status: Some(status),
                    reason,
                    part: Part::split(Nesting::of(&Limits::default()), rest),
                })
            }
            Ok(StartLine::Request { .. }) => Ok(SipFrag {
                status: None,
                reason: None,
                part: Part::split(Nesting::of(&Limits::default()), rest),
            }),
            Err(error) if is_status => Err(error),
            Err(_) => Ok(SipFrag {
                status: None,
                reason: None,
                part: Part::split(Nesting::of(&Limits::default()), text),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::HeaderName;

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
