//! Authentication-Info and Proxy-Authentication-Info (RFC 7616 sec. 3.5): what a server says behind credentials that it took.
use super::{AuthParams, SyntaxError};
use std::borrow::Cow;

/// The list; its `Debug` shows names only.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticationInfo<'a> {
    /// Parameters.
    pub params: AuthParams<'a>,
}

impl<'a> AuthenticationInfo<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no list of parameters.
    ///
    /// ```
    /// use ringback::syntax::AuthenticationInfo;
    /// let info = AuthenticationInfo::parse(b"nextnonce=\"47364c23\", qop=auth, nc=0000000a")?;
    /// assert_eq!(info.next_nonce().as_deref(), Some(&b"47364c23"[..]));
    /// assert_eq!(info.nonce_count(), Some(10));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn parse(text: &'a [u8]) -> Result<AuthenticationInfo<'a>, SyntaxError> {
        AuthParams::parse(text).map(|params| AuthenticationInfo { params })
    }
    fn param(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.params.get(name).map(|p| p.unquoted())
    }
    /// `nextnonce`: the nonce for the next request.
    pub fn next_nonce(&self) -> Option<Cow<'a, [u8]>> {
        self.param(b"nextnonce")
    }
    /// `qop`: the quality that was applied.
    pub fn qop(&self) -> Option<Cow<'a, [u8]>> {
        self.param(b"qop")
    }
    /// `rspauth`: the server's proof that it knows the password as well.
    pub fn response_auth(&self) -> Option<Cow<'a, [u8]>> {
        self.param(b"rspauth")
    }
    /// `cnonce`, as the client had sent it.
    pub fn cnonce(&self) -> Option<Cow<'a, [u8]>> {
        self.param(b"cnonce")
    }
    /// `nc`: one to eight hexadecimal digits, as the client had sent them.
    pub fn nonce_count(&self) -> Option<u32> {
        let text = self.param(b"nc")?;
        let is_hex = (1..=8).contains(&text.len()) && text.iter().all(u8::is_ascii_hexdigit);
        is_hex.then(|| u32::from_str_radix(std::str::from_utf8(&text).ok()?, 16).ok())?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_every_parameter() {
        let info =
            AuthenticationInfo::parse(b"qop=auth,rspauth=\"6629fae4\" ,cnonce=\"0a\\\"4\", nc=FFffffff")
                .unwrap();
        assert_eq!(
            (info.qop().as_deref(), info.cnonce().as_deref()),
            (Some(&b"auth"[..]), Some(&b"0a\"4"[..]))
        );
        assert_eq!((info.response_auth().as_deref(), info.next_nonce()), (Some(&b"6629fae4"[..]), None));
        assert_eq!(info.nonce_count(), Some(u32::MAX));
        for bad in ["nc=", "nc=\"\"", "nc=123456789", "nc=+1", "nc=g", "qop=auth"] {
            let count = AuthenticationInfo::parse(bad.as_bytes()).ok().and_then(|i| i.nonce_count());
            assert_eq!(count, None, "{bad}");
        }
        assert!(!format!("{info:?}").contains("6629fae4"));
        assert!(AuthenticationInfo::parse(b"x").is_err());
    }
}
