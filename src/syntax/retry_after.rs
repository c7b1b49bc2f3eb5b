//! Retry-After (RFC 3261 sec. 20.33).
use super::grammar::{Parsed, clamped, first, lws};
use super::{Params, SyntaxError};
use nom::combinator::opt;
use nom::error::{Error, ErrorKind};
use nom::sequence::preceded;
use nom::{Parser, bytes::complete::tag};

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// Seconds to wait, clamped to `u32::MAX`.
    pub seconds: u32,
    /// The comment as it came, without its outer parentheses; comments within it and escapes are kept.
    pub comment: Option<&'a [u8]>,
    /// Parameters: `duration`.
    pub params: Params<'a>,
}

/// What stands between the parentheses of a comment; it may hold comments, and escaped characters.
fn comment(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (text, _) = tag("(").parse(input)?;
    let (mut open, mut escaped) = (1_usize, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok((&text[at + 1..], &text[..at]));
        }
    }
    Err(nom::Err::Error(Error::new(input, ErrorKind::Tag)))
}

impl<'a> RetryAfter<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that does not begin with a number, or with more than a comment and parameters behind it.
    pub fn parse(text: &'a [u8]) -> Result<RetryAfter<'a>, SyntaxError> {
        let comment = opt(preceded(lws, comment));
        let ((seconds, comment), rest) = first(preceded(lws, (clamped, comment)), text)?;
        let params = Params::parse(rest).map_err(|e| e.shifted(text.len() - rest.len()))?;
        Ok(RetryAfter { seconds, comment, params })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_retry_after() {
        let value = RetryAfter::parse(b"18000 (I'm in a meeting);duration=3600").unwrap();
        assert_eq!((value.seconds, value.comment), (18000, Some(&b"I'm in a meeting"[..])));
        assert_eq!(value.params.get(b"duration").unwrap().value, Some(&b"3600"[..]));
        assert_eq!(RetryAfter::parse(b"949302838503028349304023988").unwrap().seconds, u32::MAX);
        for (text, comment) in [
            ("120 (a (b (c)) d)", "a (b (c)) d"),
            ("120()", ""),
            ("120 (a \\) b \\( \\\\)", "a \\) b \\( \\\\"),
            ("120\r\n\t(a\r\n b)\r\n ", "a\r\n b"),
        ] {
            let value = RetryAfter::parse(text.as_bytes()).unwrap();
            assert_eq!((value.seconds, value.comment), (120, Some(comment.as_bytes())), "{text}");
        }
        for bad in ["120 (a", "120 (a))", "120 (a\\)", "120 (a) (b)", "120 (a) b"] {
            assert!(RetryAfter::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(RetryAfter::parse(b"soon").is_err() && RetryAfter::parse(b"1 2").is_err());
    }
}
