//! Retry-After (RFC 3261 sec. 20.33).
use super::grammar::{clamped, first, lws};
use super::{Params, SyntaxError};
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::opt;
use nom::sequence::{delimited, preceded};

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// Seconds to wait, clamped to `u32::MAX`.
    pub seconds: u32,
    /// The comment, without its parentheses.
    pub comment: Option<&'a [u8]>,
    /// Parameters: `duration`.
    pub params: Params<'a>,
}

impl<'a> RetryAfter<'a> {
    /// Parses the whole of `text`. A comment within the comment is not looked for.
    ///
    /// # Errors
    /// Text that does not begin with a number, or with more than a comment and parameters behind it.
    pub fn parse(text: &'a [u8]) -> Result<RetryAfter<'a>, SyntaxError> {
        let comment = delimited((lws, tag("(")), take_while1(|b| b != b')'), tag(")"));
        let ((seconds, comment), rest) = first(preceded(lws, (clamped, opt(comment))), text)?;
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
        assert!(RetryAfter::parse(b"soon").is_err() && RetryAfter::parse(b"1 2").is_err());
    }
}
