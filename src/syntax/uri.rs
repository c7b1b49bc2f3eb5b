//! URIs: `sip:`, `sips:`, `tel:` and any other absolute URI.
use super::{Host, Params, SyntaxError};
use std::borrow::Cow;

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme<'a> {
    /// `sip:`.
    Sip,
    /// `sips:`.
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Any other, as it came.
    Other(&'a [u8]),
}

/// A URI (RFC 3261 sec. 19.1 and 25.1), borrowed from the text that it was parsed from.
#[derive(Debug, Clone, Copy)]
pub struct Uri<'a> {
    pub(super) raw: &'a [u8],
    pub(super) scheme: Scheme<'a>,
    pub(super) user: Option<&'a [u8]>,
    pub(super) password: Option<&'a [u8]>,
    pub(super) host: Option<Host<'a>>,
    pub(super) port: Option<u16>,
    pub(super) params: Params<'a>,
    pub(super) headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no URI; the offset says where.
    pub fn parse(text: &'a [u8]) -> Result<Uri<'a>, SyntaxError> {
        let _ = text;
        todo!()
    }
    /// The text.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }
    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }
    /// The user part as it came, escapes kept, without the password; the number for `tel:`.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.user
    }
    /// The password, as it came.
    pub fn password(&self) -> Option<&'a [u8]> {
        self.password
    }
    /// The host; `None` for URIs that have none.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }
    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
    /// The URI parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// What stands after `?`, as it came; empty when nothing does.
    pub fn headers(&self) -> &'a [u8] {
        self.headers
    }
    /// Equality by RFC 3261 sec. 19.1.4.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        let _ = other;
        todo!()
    }
}

/// Octets of an escaped text (`%41` is `A`); what is no escape stays.
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(text)
}
