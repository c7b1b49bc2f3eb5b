//! Where a message begins and ends, in a datagram and in a stream.
use super::class;
use super::head::content_length;
use super::{HeaderName, Limit, Limits, SyntaxError, SyntaxErrorKind};

/// What stands at the start of a stream's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Not yet a whole message; read on.
    Incomplete,
    /// A keep-alive of RFC 5626 sec. 3.5.1 / stray CRLFs: this many bytes to drop. `ping` is true for a double CRLF that wants a CRLF back.
    /// A CRLF may be half of one: [`StreamDecoder`](crate::message::StreamDecoder) remembers what stood in front of the buffer.
    KeepAlive {
        /// Bytes to drop.
        length: usize,
        /// A double CRLF, which is answered by one CRLF.
        ping: bool,
    },
    /// A whole message of this many bytes.
    Message {
        /// Bytes from the start of the buffer, body included.
        length: usize,
    },
}

/// Looks at the start of a stream's buffer (RFC 3261 sec. 18.3: Content-Length is mandatory on streams).
///
/// # Errors
/// When the stream cannot be framed any more: the connection has to be closed.
pub fn frame_stream(buffer: &[u8], limits: &Limits) -> Result<Framing, SyntaxError> {
    match buffer {
        [] | [b'\r'] | [b'\r', b'\n', b'\r'] => return Ok(Framing::Incomplete),
        [b'\r', b'\n', b'\r', b'\n', ..] => return Ok(Framing::KeepAlive { length: 4, ping: true }),
        [b'\r', b'\n', ..] => return Ok(Framing::KeepAlive { length: 2, ping: false }),
        [b'\n', ..] => return Ok(Framing::KeepAlive { length: 1, ping: false }),
        _ => {}
    }
    let mut searched = 0;
    match head_end(buffer, &mut searched) {
        None => over_limit(buffer.len(), limits).map(|()| Framing::Incomplete),
        Some(end) => {
            let length = message_length(buffer, end, limits)?;
            Ok(if length <= buffer.len() { Framing::Message { length } } else { Framing::Incomplete })
        }
    }
}

fn over_limit(length: usize, limits: &Limits) -> Result<(), SyntaxError> {
    if length > limits.message_size {
        let kind = SyntaxErrorKind::Limit(Limit::MessageSize);
        return Err(SyntaxError { kind, offset: limits.message_size });
    }
    Ok(())
}

/// Where the body begins. `searched` says what has been looked at before, and is brought forward, so that no byte is looked at
/// twice however small the pieces are that arrive.
pub(crate) fn head_end(buffer: &[u8], searched: &mut usize) -> Option<usize> {
    while let Some(found) = memchr::memchr(b'\n', buffer.get(*searched..).unwrap_or_default()) {
        let lf = *searched + found;
        match buffer.get(lf + 1..).unwrap_or_default() {
            [b'\n', ..] => return Some(lf + 2),
            [b'\r', b'\n', ..] => return Some(lf + 3),
            [] | [b'\r'] => {
                *searched = lf;
                return None;
            }
            _ => *searched = lf + 1,
        }
    }
    *searched = buffer.len();
    None
}

/// The length of the message whose head ends at `end`.
pub(crate) fn message_length(buffer: &[u8], end: usize, limits: &Limits) -> Result<usize, SyntaxError> {
    let bad = |offset| SyntaxError { kind: SyntaxErrorKind::ContentLength, offset };
    let head = buffer.get(..end).unwrap_or_default();
    let mut length = None;
    let mut at = 0;
    // Only what is needed to find the end: a message that is wrong in another way does not cost the connection.
    while at < head.len() {
        let next = memchr::memchr(b'\n', &head[at..]).map_or(head.len(), |lf| at + lf + 1);
        let line = &head[at..next];
        let is_fold = matches!(line, [b' ' | b'\t', ..]);
        if !is_fold && let Some(colon) = memchr::memchr(b':', line) {
            let name = class::trim(&line[..colon]);
            if HeaderName::from_bytes(name) == HeaderName::ContentLength {
                let mut end = next;
                while let Some(b' ' | b'\t') = head.get(end) {
                    end = memchr::memchr(b'\n', &head[end..]).map_or(head.len(), |lf| end + lf + 1);
                }
                let offset = at + colon + 1;
                let value = content_length(class::trim(&head[offset..end])).ok_or(bad(offset))?;
                if length.is_some_and(|before| before != value) {
                    return Err(bad(offset));
                }
                length = Some(value);
            }
        }
        at = next;
    }
    let length = end.saturating_add(length.ok_or(bad(end))? as usize);
    over_limit(length, limits)?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Result<Framing, SyntaxErrorKind> {
        frame_stream(text.as_bytes(), &Limits::default()).map_err(|e| e.kind)
    }

    #[test]
    fn waits_for_the_whole_message() {
        let text = "OPTIONS sip:h SIP/2.0\r\nVia: x\r\nl :\r\n 3\r\n\r\nabc";
        for end in 1..text.len() {
            assert_eq!(frame(&text[..end]), Ok(Framing::Incomplete), "{end}");
        }
        assert_eq!(frame(text), Ok(Framing::Message { length: text.len() }));
        assert_eq!(frame(&format!("{text}more")), Ok(Framing::Message { length: text.len() }));
    }

    #[test]
    fn tells_pings_from_single_line_ends() {
        assert_eq!(frame("\r\n\r\n"), Ok(Framing::KeepAlive { length: 4, ping: true }));
        assert_eq!(frame("\r\n"), Ok(Framing::KeepAlive { length: 2, ping: false }));
        assert_eq!(frame("\r\nOPT"), Ok(Framing::KeepAlive { length: 2, ping: false }));
        assert_eq!(frame("\r"), Ok(Framing::Incomplete));
        assert_eq!(frame(""), Ok(Framing::Incomplete));
    }

    #[test]
    fn gives_up_where_no_end_can_be_found() {
        assert_eq!(frame("OPTIONS sip:h SIP/2.0\r\nVia: x\r\n\r\n"), Err(SyntaxErrorKind::ContentLength));
        assert_eq!(frame("A\r\nl: 1\r\nContent-Length: 2\r\n\r\n"), Err(SyntaxErrorKind::ContentLength));
        assert_eq!(frame("A\r\nl: -1\r\n\r\n"), Err(SyntaxErrorKind::ContentLength));
        assert_eq!(frame("A\r\nl: 70000\r\n\r\n"), Err(SyntaxErrorKind::Limit(Limit::MessageSize)));
        assert_eq!(frame(&"x".repeat(70_000)), Err(SyntaxErrorKind::Limit(Limit::MessageSize)));
        assert_eq!(frame("A\r\nl: 1\r\nContent-Length: 1\r\n\r\nx"), Ok(Framing::Message { length: 31 }));
    }
}
