//! Warning (RFC 3261 sec. 20.43) and Retry-After (sec. 20.33).
use super::grammar::{clamped, first, fixed, lws, lws1, quoted, whole};
use super::params::unquote;
use super::{Params, SyntaxError, class};
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{opt, verify};
use nom::sequence::{delimited, preceded};
use std::borrow::Cow;

/// One warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning<'a> {
    /// The code, 100 to 999; those of SIP begin with 3.
    pub code: u16,
    /// Who warns: a host, with its port if any, or a pseudonym.
    pub agent: &'a [u8],
    text: &'a [u8],
}

impl<'a> Warning<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a warning.
    pub fn parse_first(text: &'a [u8]) -> Result<(Warning<'a>, &'a [u8]), SyntaxError> {
        let code = verify(fixed(3), |code| *code >= 100);
        let agent = take_while1(|b| class::is(b, class::VALUE));
        let warning = (preceded(lws, code), preceded(lws1, agent), preceded(lws1, quoted));
        let ((code, agent, quoted), rest) = first(warning, text)?;
        let mut scan = class::Scan { text, at: text.len() - rest.len() };
        Ok((Warning { code, agent, text: quoted }, scan.end_of_value()?))
    }
    /// The text, without quotes and escapes.
    pub fn text(&self) -> Cow<'a, [u8]> {
        unquote(self.text)
    }
}

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

/// RAck (RFC 3262 sec. 7.2): which provisional response is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The number in the CSeq of the response.
    pub cseq: u32,
    /// The method in the CSeq of the response.
    pub method: super::Method<'a>,
}

impl<'a> RAck<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is not two numbers and a method.
    pub fn parse(text: &'a [u8]) -> Result<RAck<'a>, SyntaxError> {
        let number = || verify(clamped, |n| *n < u32::MAX);
        let parts = (number(), preceded(lws1, number()), preceded(lws1, super::grammar::token));
        let (rseq, cseq, method) = whole(parts, text)?;
        Ok(RAck { rseq, cseq, method: super::Method::from_bytes(method) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Method;

    #[test]
    fn reads_warnings() {
        let text = b"307 isi.edu \"Session parameter 'foo' not understood\", 301 isi.edu:5060 \"a \\\" b\"";
        let (one, rest) = Warning::parse_first(text).unwrap();
        assert_eq!((one.code, one.agent), (307, &b"isi.edu"[..]));
        let (two, rest) = Warning::parse_first(rest).unwrap();
        assert_eq!((two.agent, &*two.text(), rest), (&b"isi.edu:5060"[..], &b"a \" b"[..], &b""[..]));
        for bad in ["1812 overture \"In Progress\"", "307 x", "307 x y", "\"x\"", "099 x \"y\"", "307 x \"y"]
        {
            assert!(Warning::parse_first(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_retry_after() {
        let value = RetryAfter::parse(b"18000 (I'm in a meeting);duration=3600").unwrap();
        assert_eq!((value.seconds, value.comment), (18000, Some(&b"I'm in a meeting"[..])));
        assert_eq!(value.params.get(b"duration").unwrap().value, Some(&b"3600"[..]));
        assert_eq!(RetryAfter::parse(b"949302838503028349304023988").unwrap().seconds, u32::MAX);
        assert!(RetryAfter::parse(b"soon").is_err() && RetryAfter::parse(b"1 2").is_err());
    }

    #[test]
    fn reads_rack() {
        assert_eq!(
            RAck::parse(b"776656 1 INVITE").unwrap(),
            RAck { rseq: 776_656, cseq: 1, method: Method::Invite }
        );
        assert!(RAck::parse(b"1 INVITE").is_err() && RAck::parse(b"99999999999 1 INVITE").is_err());
    }
}
