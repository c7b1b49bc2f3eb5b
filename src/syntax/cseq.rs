//! CSeq (RFC 3261 sec. 20.16).
use super::class::{DIGIT, Scan, TOKEN};
use super::{Method, SyntaxError, SyntaxErrorKind};

/// A sequence number (below 2^31) and a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// No number, a number of 2^31 or more, or no method.
    pub fn parse(text: &'a [u8]) -> Result<CSeq<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        let mut number = 0_u64;
        let start = scan.at;
        for digit in scan.some(DIGIT)? {
            number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        }
        if number >= 1 << 31 {
            return Err(SyntaxError { kind: SyntaxErrorKind::Number, offset: start });
        }
        let before = scan.at;
        scan.lws();
        if scan.at == before {
            return Err(scan.unexpected());
        }
        let method = scan.some(TOKEN)?;
        scan.lws();
        if !scan.is_done() {
            return Err(scan.unexpected());
        }
        Ok(CSeq { number: number as u32, method: Method::from_bytes(method) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_numbers_below_two_to_the_31() {
        assert_eq!(CSeq::parse(b"0009\r\n  INVITE").unwrap(), CSeq { number: 9, method: Method::Invite });
        assert_eq!(CSeq::parse(b"2147483647 a%b").unwrap().method, Method::Other(b"a%b"));
        for (bad, kind) in [
            ("2147483648 INVITE", SyntaxErrorKind::Number),
            ("36893488147419103232 REGISTER", SyntaxErrorKind::Number),
            ("-1 BYE", SyntaxErrorKind::Unexpected),
            ("1", SyntaxErrorKind::Truncated),
            ("1BYE", SyntaxErrorKind::Unexpected),
            ("1 BYE x", SyntaxErrorKind::Unexpected),
            ("", SyntaxErrorKind::Truncated),
        ] {
            assert_eq!(CSeq::parse(bad.as_bytes()).unwrap_err().kind, kind, "{bad}");
        }
    }
}
