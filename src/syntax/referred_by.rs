//! Referred-By (RFC 3892): who sent the REFER that a request comes from.
use super::{NameAddr, SyntaxError};
use std::borrow::Cow;

/// The referrer.
#[derive(Debug, Clone, Copy)]
pub struct ReferredBy<'a> {
    /// Who it says to be.
    pub address: NameAddr<'a>,
}

impl<'a> ReferredBy<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is not one address.
    pub fn parse(text: &'a [u8]) -> Result<ReferredBy<'a>, SyntaxError> {
        NameAddr::parse(text).map(|address| ReferredBy { address })
    }
    /// `cid`: the Content-ID of the body part that proves it, without quotes.
    ///
    /// ```
    /// use ringback::syntax::ReferredBy;
    /// let by = ReferredBy::parse(b"<sip:alice@example.com>;cid=\"20398823.2UWQFN309shb3@example.com\"")?;
    /// assert_eq!(by.cid().as_deref(), Some(&b"20398823.2UWQFN309shb3@example.com"[..]));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn cid(&self) -> Option<Cow<'a, [u8]>> {
        self.address.param(b"cid")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_referrers() {
        let by = ReferredBy::parse(b"sip:r@ref.example;cid=\"2@r\"").unwrap();
        assert_eq!(
            (by.address.uri().as_bytes(), by.cid().as_deref()),
            (&b"sip:r@ref.example"[..], Some(&b"2@r"[..]))
        );
        assert!(ReferredBy::parse(b"<sip:r@h>").unwrap().cid().is_none());
        assert!(ReferredBy::parse(b"<sip:r@h> x").is_err() && ReferredBy::parse(b"<sip:a>,<sip:b>").is_err());
    }
}
