//! Digest access authentication (RFC 7616, RFC 8760; RFC 2617 peers): a pure function of challenge, secret, cnonce and nc.
//!
//! | file | what it knows |
//! |---|---|
//! | `algorithm` | MD5, SHA-256, SHA-512-256 and their `-sess` forms |
//! | `challenge` | what a challenge asks for, and which of several is answered |
//! | `response` | the formulas of RFC 7616 sec. 3.4 |
//! | `session` | the client: nonce, cnonce and nc of one protection space, and the header value |
//! | `server` | the other side: challenges to offer and credentials to verify |
//!
//! # Which octets are hashed
//! RFC 7616 sec. 3.4.1 defines `unq(X)` as the value of a quoted string *without the surrounding quotes*, and says nothing of
//! backslashes. So realm, nonce and opaque are hashed and sent back as they came between their quotes, escapes and all: what
//! Kamailio, pjsip and curl do as well, and the only way in which `A1` is the same on both sides whoever unescapes. A fold inside the
//! quotes is one space (RFC 3261 sec. 7.3.1). The *user name* is ours: it is hashed plainly, as a server that stored `HA1` has done, and
//! escaped only where it is written between quotes.
//!
//! ```
//! use ringback::auth::{Credentials, DigestChallenge, DigestSession};
//! use ringback::syntax::{Challenge, Method};
//!
//! let (challenge, _) = Challenge::parse_first(br#"Digest realm="lab.example", nonce="a1b2", qop="auth""#)?;
//! let challenge = DigestChallenge::from_challenge(&challenge)?;
//! let mut session = DigestSession::new(challenge, &Credentials::new("alice", "secret"), "0a4f113b");
//! let value = session.authorize(Method::Register, b"sip:lab.example", b"")?;
//! assert!(value.starts_with(br#"Digest username="alice", realm="lab.example", nonce="a1b2", uri="sip:lab.example", response=""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod challenge;
mod response;
mod server;
mod session;

pub use algorithm::{Algorithm, Hash};
pub(crate) use challenge::Picked;
pub use challenge::{DigestChallenge, MAX_ECHOED, Qop, Unsupported, strongest};
pub use response::Ha1;
pub use server::{Expected, NonceState, Offer, Presented, Refusal};
pub use session::{AnswerError, DigestSession};

use std::fmt;

/// A user name and a password. The password is wiped from memory and never printed.
#[derive(Clone)]
pub struct Credentials {
    username: Box<str>,
    password: zeroize::Zeroizing<String>,
    charset: Charset,
}

/// In which octets user name and password are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Charset {
    /// What RFC 7616 sec. 4 asks for, and servers mostly store.
    #[default]
    Utf8,
    /// ISO-8859-1, as clients and servers of RFC 2617 have it.
    Latin1,
}

impl Charset {
    /// The octets of a text; `None` where it cannot be written in this.
    fn octets(self, text: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let octets: Option<Vec<u8>> = match self {
            Charset::Utf8 => Some(text.as_bytes().to_vec()),
            Charset::Latin1 => text.chars().map(|character| u8::try_from(character).ok()).collect(),
        };
        octets.map(zeroize::Zeroizing::new)
    }
}

impl Credentials {
    /// From their texts.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Credentials {
        let password = zeroize::Zeroizing::new(password.into());
        Credentials::of_secret(username, password)
    }
    /// The same from a password that is wiped already.
    pub(crate) fn of_secret(
        username: impl Into<String>,
        password: zeroize::Zeroizing<String>,
    ) -> Credentials {
        Credentials { username: username.into().into_boxed_str(), password, charset: Charset::Utf8 }
    }
    /// The user name.
    pub fn username(&self) -> &str {
        &self.username
    }
    pub(crate) fn password(&self) -> &str {
        &self.password
    }
    /// In which octets they are hashed.
    pub fn charset(&self) -> Charset {
        self.charset
    }
    /// The same, hashed in ISO-8859-1; `None` where that makes no difference, or cannot be done.
    #[must_use]
    pub fn in_latin1(&self) -> Option<Credentials> {
        let differs = !self.username.is_ascii() || !self.password.is_ascii();
        let writable =
            || [&*self.username, self.password.as_str()].iter().all(|t| Charset::Latin1.octets(t).is_some());
        (differs && self.charset == Charset::Utf8 && writable())
            .then(|| Credentials { charset: Charset::Latin1, ..self.clone() })
    }
    /// User name and password in the octets that are hashed.
    fn octets(&self) -> [zeroize::Zeroizing<Vec<u8>>; 2] {
        [&*self.username, self.password.as_str()].map(|text| self.charset.octets(text).unwrap_or_default())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
