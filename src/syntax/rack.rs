//! RAck (RFC 3262 sec. 7.2).
use super::grammar::{clamped, lws1, token, whole};
use super::{Method, SyntaxError};
use nom::combinator::verify;
use nom::sequence::preceded;

/// Which provisional response is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The number in the CSeq of the response.
    pub cseq: u32,
    /// The method in the CSeq of the response.
    pub method: Method<'a>,
}

impl<'a> RAck<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is not two numbers and a method.
    pub fn parse(text: &'a [u8]) -> Result<RAck<'a>, SyntaxError> {
        let number = || verify(clamped, |n| *n < u32::MAX);
        let parts = (number(), preceded(lws1, number()), preceded(lws1, token));
        let (rseq, cseq, method) = whole(parts, text)?;
        Ok(RAck { rseq, cseq, method: Method::from_bytes(method) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_rack() {
        assert_eq!(
            RAck::parse(b"776656 1 INVITE").unwrap(),
            RAck { rseq: 776_656, cseq: 1, method: Method::Invite }
        );
        assert!(RAck::parse(b"1 INVITE").is_err() && RAck::parse(b"99999999999 1 INVITE").is_err());
    }
}
