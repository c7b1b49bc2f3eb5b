//! Remote-Party-ID (draft-ietf-sip-privacy-04 sec. 6): who the other party is, in the form that PBXs kept from before RFC 3325.
use super::{NameAddr, SyntaxError};
use std::borrow::Cow;

/// One party.
#[derive(Debug, Clone, Copy)]
pub struct RemotePartyId<'a> {
    /// Who it is.
    pub address: NameAddr<'a>,
}

impl<'a> RemotePartyId<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with an address.
    ///
    /// ```
    /// use ringback::syntax::RemotePartyId;
    /// let (id, _) = RemotePartyId::parse_first(b"\"Al\" <sip:1001@example.com>;party=calling;screen=yes;privacy=off")?;
    /// assert_eq!((id.is_screened(), id.hides(b"name")), (Some(true), false));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn parse_first(text: &'a [u8]) -> Result<(RemotePartyId<'a>, &'a [u8]), SyntaxError> {
        NameAddr::parse_first(text).map(|(address, rest)| (RemotePartyId { address }, rest))
    }
    /// `party`: `calling`, `called` or another token; where none is written, `calling` in a request and `called` in a response.
    pub fn party(&self) -> Option<Cow<'a, [u8]>> {
        self.address.param(b"party")
    }
    /// `screen`: has the network checked the address? `None` when it is not said, or neither `yes` nor `no`.
    pub fn is_screened(&self) -> Option<bool> {
        self.address.yes_or_no(b"screen")
    }
    /// `id-type`: `subscriber`, `user`, `alias`, `return`, `term` or another token.
    pub fn id_type(&self) -> Option<Cow<'a, [u8]>> {
        self.address.param(b"id-type")
    }
    /// `privacy` without quotes: `full`, `name`, `uri`, `off`, or several of them with `-network` behind them and commas between them.
    pub fn privacy(&self) -> Option<Cow<'a, [u8]>> {
        self.address.param(b"privacy")
    }
    /// Shall this (`name` or `uri`) not be shown to users? `full` hides both.
    pub fn hides(&self, what: &[u8]) -> bool {
        let privacy = self.privacy().unwrap_or_default();
        privacy
            .split(|&b| b == b',')
            .map(<[u8]>::trim_ascii)
            .any(|word| word.eq_ignore_ascii_case(b"full") || word.eq_ignore_ascii_case(what))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_parties() {
        let id = |text: &'static str| RemotePartyId::parse_first(text.as_bytes()).unwrap().0;
        let one =
            id("\"Al\" <sip:1@h>;party=called;id-type=subscriber;screen=no;privacy=\"name, uri-network\"");
        assert_eq!(
            (one.party().as_deref(), one.id_type().as_deref()),
            (Some(&b"called"[..]), Some(&b"subscriber"[..]))
        );
        assert_eq!((one.is_screened(), one.hides(b"name"), one.hides(b"uri")), (Some(false), true, false));
        let full = id("<sip:1@h>;privacy=Full;screen=maybe");
        assert_eq!((full.is_screened(), full.hides(b"name"), full.hides(b"uri")), (None, true, true));
        let bare = id("sip:1@h");
        assert!(bare.party().is_none() && bare.privacy().is_none() && !bare.hides(b"uri"));
    }
}
