//! Warning (RFC 3261 sec. 20.43).
use super::grammar::{first, fixed, lws, lws1, quoted};
use super::params::unquote;
use super::{SyntaxError, class};
use nom::bytes::complete::take_while1;
use nom::combinator::verify;
use nom::sequence::preceded;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
}
