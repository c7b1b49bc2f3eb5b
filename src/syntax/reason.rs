//! Reason (RFC 3326): why a request was sent.
use super::class::{Scan, TOKEN, clamped_u32};
use super::{Params, SyntaxError};
use std::borrow::Cow;

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason<'a> {
    /// Whose causes are meant: `SIP`, `Q.850`, or another token.
    pub protocol: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a reason.
    pub fn parse_first(text: &'a [u8]) -> Result<(Reason<'a>, &'a [u8]), SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        let protocol = scan.some(TOKEN)?;
        let params = Params::scan(&mut scan)?;
        Ok((Reason { protocol, params }, scan.end_of_value()?))
    }
    /// Can this text stand in a Reason header? One reason or a list of them, without control characters and so on one line.
    pub fn is_value(text: &str) -> bool {
        let mut rest = text.as_bytes();
        loop {
            rest = match Reason::parse_first(rest) {
                Ok((_, [])) => return !text.contains(char::is_control),
                Ok((_, rest)) => rest,
                Err(_) => return false,
            };
        }
    }
    /// `cause`: a status code, or a cause of Q.850.
    pub fn cause(&self) -> Option<u32> {
        self.params.get(b"cause").and_then(|p| clamped_u32(p.value?))
    }
    /// `text`, without quotes and escapes.
    pub fn text(&self) -> Option<Cow<'a, [u8]>> {
        self.params.get(b"text").map(|p| p.unquoted())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_a_list_of_reasons() {
        let text = b"Q.850;cause=16;text=\"Normal, call; clearing\", SIP ;cause=600";
        let (first, rest) = Reason::parse_first(text).unwrap();
        assert_eq!((first.protocol, first.cause()), (&b"Q.850"[..], Some(16)));
        assert_eq!(&*first.text().unwrap(), b"Normal, call; clearing");
        let (second, rest) = Reason::parse_first(rest).unwrap();
        assert_eq!((second.protocol, second.cause(), rest), (&b"SIP"[..], Some(600), &b""[..]));
        assert!(Reason::parse_first(b";cause=1").is_err() && Reason::parse_first(b"SIP cause=1").is_err());
    }

    #[test]
    fn tells_what_can_stand_in_a_header() {
        for value in
            ["SIP", "SIP;cause=200;text=\"Call completed elsewhere\"", "Q.850;cause=16, SIP ;cause=600"]
        {
            assert!(Reason::is_value(value), "{value:?}");
        }
        for wrong in [
            "",
            ";cause=200",
            "SIP cause=200",
            "SIP, ;cause=1",
            "SIP;cause=200\r\nVia: x",
            "SIP;text=\"a\r\n b\"",
        ] {
            assert!(!Reason::is_value(wrong), "{wrong:?}");
        }
    }
}
