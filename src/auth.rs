//! Digest access authentication (RFC 7616, RFC 8760; RFC 2617 peers): a pure function of challenge, secret, cnonce and nc.

use std::fmt;

/// A user name and a password. The password is wiped from memory and never printed.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: zeroize::Zeroizing<String>,
}

impl Credentials {
    /// From their texts.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials { username: username.into(), password: zeroize::Zeroizing::new(password.into()) }
    }
    /// The user name.
    pub fn username(&self) -> &str {
        &self.username
    }
    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = self.password();
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
