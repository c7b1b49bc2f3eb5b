//! Who calls, who sent a call on, and whom it is handed to: typed values of calls and transfers.
use super::{FieldError, Message};
use crate::syntax::{
    AuthenticationInfo, Diversion, HeaderName, HistoryInfo, NameAddr, ReferTo, ReferredBy, RemotePartyId,
    Replaces, Scheme, SyntaxError, SyntaxErrorKind,
};

/// What P-Asserted-Identity or P-Preferred-Identity says (RFC 3325 sec. 9.1, 9.2): one value or two, one of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The `sip:` or `sips:` one.
    pub sip: Option<NameAddr<'a>>,
    /// The `tel:` one.
    pub tel: Option<NameAddr<'a>>,
}

impl Message {
    /// The value of a header that may stand once; `None` when it is not there.
    fn at_most_one<'a, T>(
        &'a self,
        name: HeaderName,
        parse: impl Fn(&'a [u8]) -> Result<T, SyntaxError>,
    ) -> Option<Result<T, FieldError>> {
        match self.single(name) {
            Err(FieldError::Missing(_)) => None,
            Err(error) => Some(Err(error)),
            Ok(_) => self.parsed(name, parse),
        }
    }
    /// Refer-To (RFC 3515): exactly one in a REFER.
    pub fn refer_to(&self) -> Option<Result<ReferTo<'_>, FieldError>> {
        self.at_most_one(HeaderName::ReferTo, ReferTo::parse)
    }
    /// Referred-By (RFC 3892).
    pub fn referred_by(&self) -> Option<Result<ReferredBy<'_>, FieldError>> {
        self.at_most_one(HeaderName::ReferredBy, ReferredBy::parse)
    }
    /// Replaces (RFC 3891): the dialog that an INVITE takes over.
    pub fn replaces(&self) -> Option<Result<Replaces<'_>, FieldError>> {
        self.at_most_one(HeaderName::Replaces, Replaces::parse)
    }
    /// All diversions, the latest first (RFC 5806).
    pub fn diversions(&self) -> impl Iterator<Item = Result<Diversion<'_>, FieldError>> {
        self.parsed_list(HeaderName::Diversion, Diversion::parse_first)
    }
    /// Every entry of History-Info, the earliest first (RFC 7044).
    pub fn history(&self) -> impl Iterator<Item = Result<HistoryInfo<'_>, FieldError>> {
        self.parsed_list(HeaderName::HistoryInfo, HistoryInfo::parse_first)
    }
    /// All values of Remote-Party-ID.
    pub fn remote_party_ids(&self) -> impl Iterator<Item = Result<RemotePartyId<'_>, FieldError>> {
        self.parsed_list(HeaderName::RemotePartyId, RemotePartyId::parse_first)
    }
    /// P-Asserted-Identity; `None` when it is not there.
    ///
    /// # Errors
    /// A value that is no address, one of another scheme than `sip`, `sips` or `tel`, or two of a kind.
    ///
    /// ```
    /// # use ringback::{message::Message, syntax::Limits};
    /// let text = b"OPTIONS sip:h SIP/2.0\r\nP-Asserted-Identity: \"Al\" <sip:al@example.com>, <tel:+12015550123>\r\n\r\n";
    /// let message = Message::parse(text.to_vec().into(), &Limits::default())?;
    /// let identity = message.asserted_identity().unwrap()?;
    /// assert_eq!(identity.tel.unwrap().uri().as_bytes(), b"tel:+12015550123");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn asserted_identity(&self) -> Option<Result<Identity<'_>, FieldError>> {
        self.identity(HeaderName::PAssertedIdentity)
    }
    /// P-Preferred-Identity: what a phone would like to be asserted. As [`Message::asserted_identity`].
    pub fn preferred_identity(&self) -> Option<Result<Identity<'_>, FieldError>> {
        self.identity(HeaderName::PPreferredIdentity)
    }
    fn identity(&self, name: HeaderName) -> Option<Result<Identity<'_>, FieldError>> {
        let (_, span) = self.find(name, 0)?;
        let mut identity = Identity { sip: None, tel: None };
        for address in self.addresses(name) {
            let address = match address {
                Ok(address) => address,
                Err(error) => return Some(Err(error)),
            };
            let slot = match address.uri().scheme() {
                Scheme::Sip | Scheme::Sips => &mut identity.sip,
                Scheme::Tel => &mut identity.tel,
                Scheme::Other(_) => {
                    let error = SyntaxError { kind: SyntaxErrorKind::Uri, offset: span.value_offset() };
                    return Some(Err(FieldError::Syntax { header: name, error }));
                }
            };
            if slot.replace(address).is_some() {
                return Some(Err(FieldError::Repeated(name)));
            }
        }
        Some(Ok(identity))
    }
    /// Authentication-Info; Proxy-Authentication-Info with [`Message::parsed`].
    pub fn authentication_info(&self) -> Option<Result<AuthenticationInfo<'_>, FieldError>> {
        self.parsed(HeaderName::AuthenticationInfo, AuthenticationInfo::parse)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;
    use bytes::Bytes;

    fn message(headers: &str) -> Message {
        let text = format!("INVITE sip:h SIP/2.0\r\n{headers}\r\n");
        Message::parse(Bytes::from(text), &Limits::default()).unwrap()
    }

    #[test]
    fn reads_a_transfer() {
        let m = message(
            "r: <sip:b@h?Replaces=1%3Bto-tag%3D2>\r\nb: <sip:a@h>;cid=\"x@y\"\r\nReplaces: 1;to-tag=2;from-tag=3\r\n",
        );
        assert_eq!(m.refer_to().unwrap().unwrap().replaces().as_deref(), Some(&b"1;to-tag=2"[..]));
        assert_eq!(m.referred_by().unwrap().unwrap().cid().as_deref(), Some(&b"x@y"[..]));
        assert_eq!(m.replaces().unwrap().unwrap().from_tag(), Some(&b"3"[..]));
        let none = message("");
        assert!(none.refer_to().is_none() && none.referred_by().is_none() && none.replaces().is_none());
        assert_eq!(
            message("r: <sip:a>\r\nRefer-To: <sip:b>\r\n").refer_to().unwrap().unwrap_err(),
            FieldError::Repeated(HeaderName::ReferTo)
        );
        let text = "INVITE sip:h SIP/2.0\r\nr: <sip:a>, <sip:b>\r\n";
        let Err(FieldError::Syntax { error, .. }) = message("r: <sip:a>, <sip:b>\r\n").refer_to().unwrap()
        else {
            panic!("two targets were taken")
        };
        assert!(text[error.offset..].starts_with("<sip:b>"));
    }

    #[test]
    fn reads_who_diverted_and_who_calls() {
        let m = message(
            "Diversion: <sip:a@h>;reason=away\r\nDiversion: <sip:b@h>, <sip:c@h>\r\nHistory-Info: <sip:a>;index=1, <sip:b>;index=1.1\r\nRemote-Party-ID: <sip:a@h>;party=calling\r\nAuthentication-Info: nextnonce=\"n\"\r\n",
        );
        assert_eq!((m.diversions().flatten().count(), m.history().flatten().count()), (3, 2));
        assert_eq!(m.remote_party_ids().next().unwrap().unwrap().party().as_deref(), Some(&b"calling"[..]));
        let info = m.authentication_info().unwrap().unwrap();
        assert_eq!(info.next_nonce().as_deref(), Some(&b"n"[..]));
    }

    #[test]
    fn takes_one_identity_of_each_kind() {
        let m = message("P-Asserted-Identity: <tel:+1>\r\nP-Asserted-Identity: \"A\" <sips:a@h>\r\n");
        let identity = m.asserted_identity().unwrap().unwrap();
        assert!(identity.sip.is_some() && identity.tel.is_some());
        assert!(m.preferred_identity().is_none());
        let one = message("P-Preferred-Identity: sip:a@h\r\n");
        assert!(one.preferred_identity().unwrap().unwrap().tel.is_none());
        for bad in ["<sip:a@h>, <sips:b@h>", "<urn:x:y>", "<sip:a@h>, x"] {
            let m = message(&format!("P-Asserted-Identity: {bad}\r\n"));
            assert!(m.asserted_identity().unwrap().is_err(), "{bad}");
        }
    }
}
