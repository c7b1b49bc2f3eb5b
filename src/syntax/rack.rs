//! RAck (RFC 3262 sec. 7.2).
use super::grammar::{digits, lws1, token, whole};
use super::{Method, SyntaxError};
use nom::combinator::map_opt;
use nom::sequence::preceded;

/// Which provisional response is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response: 1 to 2^32-1 (RFC 3262 sec. 7.1), and 0 from those who begin with it.
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
    /// Text that is not two numbers in their ranges (below 2^32, and below 2^31) and a method.
    pub fn parse(text: &'a [u8]) -> Result<RAck<'a>, SyntaxError> {
        let number = |most: u32| {
            let value = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u32>().ok();
            map_opt(digits, move |text| value(text).filter(|number| *number <= most))
        };
        let parts = (number(u32::MAX), preceded(lws1, number((1 << 31) - 1)), preceded(lws1, token));
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
        let most = RAck::parse(b"4294967295\r\n 2147483647 x").unwrap();
        assert_eq!((most.rseq, most.cseq, most.method), (u32::MAX, (1 << 31) - 1, Method::Other(b"x")));
        for bad in ["4294967296 1 INVITE", "1 2147483648 INVITE", "1 1", "1 1 INVITE x", ""] {
            assert!(RAck::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(RAck::parse(b"1 INVITE").is_err() && RAck::parse(b"99999999999 1 INVITE").is_err());
    }
}
