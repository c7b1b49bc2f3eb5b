//! Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Authentication-Info.
use super::{Param, SyntaxError};

/// The comma-separated `name=value` list of a challenge or of credentials.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuthParams<'a> {
    pub(super) raw: &'a [u8],
}

impl<'a> AuthParams<'a> {
    /// Parses a bare list (Authentication-Info).
    ///
    /// # Errors
    /// Text that is no such list.
    pub fn parse(text: &'a [u8]) -> Result<AuthParams<'a>, SyntaxError> {
        let _ = text;
        todo!()
    }
    /// The first parameter of this name, without regard to case. [`Param::value`] has its quotes, [`Param::unquoted`] has none.
    pub fn get(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }
    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let _ = self.raw;
        std::iter::empty()
    }
}

/// One challenge (RFC 7616, RFC 3261 sec. 20.44).
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// The scheme as it came, e.g. `Digest`.
    pub scheme: &'a [u8],
    /// Its parameters.
    pub params: AuthParams<'a>,
}

impl<'a> Challenge<'a> {
    /// Parses the first challenge of a header value (some peers put several behind commas); also what follows.
    ///
    /// # Errors
    /// Text that does not begin with a challenge.
    pub fn parse_first(text: &'a [u8]) -> Result<(Challenge<'a>, &'a [u8]), SyntaxError> {
        let _ = text;
        todo!()
    }
}

/// Credentials (Authorization, Proxy-Authorization).
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The scheme as it came, e.g. `Digest`.
    pub scheme: &'a [u8],
    /// Its parameters; empty and raw text in `rest` for schemes that are not lists.
    pub params: AuthParams<'a>,
}

impl<'a> Credentials<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no credentials.
    pub fn parse(text: &'a [u8]) -> Result<Credentials<'a>, SyntaxError> {
        let _ = text;
        todo!()
    }
}
