//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route and their kin.
use super::{Params, SyntaxError, Uri};
use std::borrow::Cow;

/// A display name, a URI and header parameters. Without `<>`, parameters belong to the header (RFC 3261 sec. 20).
#[derive(Debug, Clone, Copy)]
pub struct NameAddr<'a> {
    pub(super) display_name: &'a [u8],
    pub(super) uri: Uri<'a>,
    pub(super) params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a name-addr or addr-spec.
    pub fn parse_first(text: &'a [u8]) -> Result<(NameAddr<'a>, &'a [u8]), SyntaxError> {
        let _ = text;
        todo!()
    }
    /// The display name as it came, quotes included; empty when there is none.
    pub fn display_name(&self) -> &'a [u8] {
        self.display_name
    }
    /// The display name without quotes and escapes.
    pub fn display_name_unquoted(&self) -> Cow<'a, [u8]> {
        todo!()
    }
    /// The URI.
    pub fn uri(&self) -> Uri<'a> {
        self.uri
    }
    /// The header parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// `tag`.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get(b"tag").and_then(|p| p.value)
    }
}

/// One Contact value.
#[derive(Debug, Clone, Copy)]
pub enum Contact<'a> {
    /// `*`.
    Star,
    /// An address.
    Addr(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// `expires` in seconds, when written and a number; clamped to `u32::MAX`.
    pub fn expires(&self) -> Option<u32> {
        todo!()
    }
    /// `q` in thousandths (0 to 1000).
    pub fn q_thousandths(&self) -> Option<u16> {
        todo!()
    }
}
