//! Refer-To (RFC 3515): whom a transfer goes to, and with which headers.
use super::{HeaderName, Method, NameAddr, SyntaxError};
use std::borrow::Cow;

/// The target of a REFER.
#[derive(Debug, Clone, Copy)]
pub struct ReferTo<'a> {
    /// The address; [`Uri::header_fields`](super::Uri::header_fields) of its URI gives every header that the new request shall have.
    pub address: NameAddr<'a>,
}

impl<'a> ReferTo<'a> {
    /// Parses the whole of `text`: there is one target.
    ///
    /// # Errors
    /// Text that is not one address.
    pub fn parse(text: &'a [u8]) -> Result<ReferTo<'a>, SyntaxError> {
        NameAddr::parse(text).map(|address| ReferTo { address })
    }
    /// The method of the new request: INVITE, unless the URI names another.
    pub fn method(&self) -> Method<'a> {
        let named = self.address.uri().params().get(b"method").and_then(|p| p.value);
        named.map_or(Method::Invite, Method::from_bytes)
    }
    /// The text of the Replaces header in the URI, without its escapes, which makes the transfer an attended one (RFC 3891); for
    /// [`Replaces::parse`](super::Replaces::parse).
    ///
    /// ```
    /// use ringback::syntax::{ReferTo, Replaces};
    /// let target = ReferTo::parse(b"<sip:bob@example.com?Replaces=12%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>")?;
    /// let text = target.replaces().unwrap();
    /// assert_eq!(Replaces::parse(&text)?.call_id, b"12@h");
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn replaces(&self) -> Option<Cow<'a, [u8]>> {
        self.address.uri().header_field(HeaderName::Replaces)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Replaces;

    #[test]
    fn reads_blind_and_attended_targets() {
        let blind = ReferTo::parse(b"\"Bob\" <sip:bob@example.com;method=SUBSCRIBE>").unwrap();
        assert_eq!((blind.method(), blind.replaces()), (Method::Subscribe, None));
        assert_eq!(ReferTo::parse(b"sip:bob@example.com").unwrap().method(), Method::Invite);
        let attended = ReferTo::parse(
            b"<sip:bob@example.com?Require=replaces&replaces=1%40h%3Bto-tag%3Dt%3Bfrom-tag%3Df%3Bearly-only>",
        )
        .unwrap();
        let text = attended.replaces().unwrap();
        let replaces = Replaces::parse(&text).unwrap();
        assert_eq!((replaces.call_id, replaces.to_tag()), (&b"1@h"[..], Some(&b"t"[..])));
        assert!(replaces.is_early_only());
        assert_eq!(
            attended.address.uri().header_field(HeaderName::Require).as_deref(),
            Some(&b"replaces"[..])
        );
    }

    #[test]
    fn refuses_more_than_one_target() {
        assert_eq!(ReferTo::parse(b"<sip:a@b>, <sip:c@d>").unwrap_err().offset, 11);
        assert!(ReferTo::parse(b"").is_err());
    }
}
