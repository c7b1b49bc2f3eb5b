//! The server's side: challenges to offer and credentials to verify. Which nonces are alive is the caller's to know.

use super::algorithm::Algorithm;
use super::challenge::{Qop, between_quotes};
use super::response::{Ha1, Inputs, response, user_hash};
use crate::syntax::{Credentials, Method, Uri};
use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// A challenge to offer. Texts are written between quotes as they are: the caller keeps quotes, backslashes and line breaks out,
/// or escapes them and then means the escaped text wherever it names the realm.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The realm.
    pub realm: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// An opaque value.
    pub opaque: Option<&'a str>,
    /// The algorithm; `None` leaves it out, which means MD5.
    pub algorithm: Option<Algorithm>,
    /// What is offered; empty leaves it out (RFC 2069 form).
    pub qop: &'a [Qop],
    /// `stale=true`.
    pub stale: bool,
    /// `userhash=true`.
    pub userhash: bool,
}

impl fmt::Display for Offer<'_> {
    /// The value of WWW-Authenticate or Proxy-Authenticate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm=\"{}\", nonce=\"{}\"", self.realm, self.nonce)?;
        if let Some(opaque) = self.opaque {
            write!(f, ", opaque=\"{opaque}\"")?;
        }
        if let Some(algorithm) = self.algorithm {
            write!(f, ", algorithm={algorithm}")?;
        }
        for (index, qop) in self.qop.iter().enumerate() {
            f.write_str(if index == 0 { ", qop=\"" } else { "," })?;
            f.write_str(qop.as_str())?;
        }
        if !self.qop.is_empty() {
            f.write_char('"')?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        if self.userhash {
            f.write_str(", userhash=true")?;
        }
        Ok(())
    }
}

/// Credentials as a client presents them. Values are the octets between their quotes, escapes kept, except the user name.
#[derive(Clone)]
pub struct Presented<'a> {
    /// The user name without escapes, or its hash under `userhash`.
    pub username: Cow<'a, [u8]>,
    /// `userhash=true`.
    pub userhash: bool,
    /// The realm.
    pub realm: Cow<'a, [u8]>,
    /// The nonce.
    pub nonce: Cow<'a, [u8]>,
    /// The digest-uri.
    pub uri: Cow<'a, [u8]>,
    /// The opaque value.
    pub opaque: Option<Cow<'a, [u8]>>,
    /// The algorithm, when written.
    pub algorithm: Option<Algorithm>,
    /// The qop, when written.
    pub qop: Option<Qop>,
    /// The qop stood in quotes, which RFC 7616 sec. 3.4 forbids and many phones do.
    pub qop_quoted: bool,
    /// The count of requests with this nonce; 0 when not written.
    pub nc: u32,
    nc_text: Cow<'a, [u8]>,
    cnonce: Option<Cow<'a, [u8]>>,
    response: Cow<'a, [u8]>,
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("username", &String::from_utf8_lossy(&self.username))
            .field("realm", &String::from_utf8_lossy(&self.realm))
            .field("algorithm", &self.algorithm)
            .field("qop", &self.qop)
            .field("nc", &self.nc)
            .finish_non_exhaustive()
    }
}

/// Why credentials were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not `Digest`.
    #[error("the scheme is not Digest")]
    Scheme,
    /// A parameter that must be there is not; its name.
    #[error("no {0} is given")]
    Missing(&'static str),
    /// Another realm than ours.
    #[error("the realm differs")]
    WrongRealm,
    /// Another user than the one whose secret was looked up.
    #[error("the user name differs")]
    WrongUser,
    /// An algorithm that is unknown or was not offered.
    #[error("the algorithm was not offered")]
    WrongAlgorithm,
    /// qop is a list, unknown, not one that was offered, or lacks its cnonce or its eight hex digits of nc.
    #[error("qop, nc or cnonce has not the form that was asked for")]
    QopForm,
    /// Another opaque value than the one offered.
    #[error("the opaque value differs")]
    WrongOpaque,
    /// The digest-uri is not the Request-URI.
    #[error("the digest-uri is not the Request-URI")]
    WrongUri,
    /// The response is wrong: the password differs, or something on the way changed what it covers.
    #[error("the response is wrong")]
    WrongResponse,
    /// The response is right, but the nonce is none of ours.
    #[error("the nonce is unknown")]
    UnknownNonce,
    /// The response is right, but the nonce is too old: answer with `stale=true`.
    #[error("the nonce has expired")]
    ExpiredNonce,
    /// The response is right, but this nc was used before.
    #[error("the nc was used before")]
    NonceCountReplayed,
}

impl<'a> Presented<'a> {
    /// Reads the parameters of Authorization or Proxy-Authorization.
    ///
    /// # Errors
    /// [`Refusal::Scheme`], [`Refusal::Missing`], [`Refusal::WrongAlgorithm`] or [`Refusal::QopForm`].
    pub fn from_credentials(credentials: &Credentials<'a>) -> Result<Presented<'a>, Refusal> {
        if !credentials.scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(Refusal::Scheme);
        }
        let params = &credentials.params;
        let need = |name: &'static str| between_quotes(params, name.as_bytes()).ok_or(Refusal::Missing(name));
        let username = params.get(b"username").ok_or(Refusal::Missing("username"))?.unquoted();
        let algorithm = match between_quotes(params, b"algorithm") {
            None => None,
            Some(token) => Some(Algorithm::from_token(&token).ok_or(Refusal::WrongAlgorithm)?),
        };
        let cnonce = between_quotes(params, b"cnonce");
        let nc_text = between_quotes(params, b"nc").unwrap_or_default();
        let (mut qop, mut nc) = (None, 0);
        if let Some(token) = between_quotes(params, b"qop") {
            qop = Some(Qop::from_token(&token).ok_or(Refusal::QopForm)?);
            nc = nc_number(&nc_text).filter(|_| cnonce.is_some()).ok_or(Refusal::QopForm)?;
        }
        Ok(Presented {
            username,
            userhash: between_quotes(params, b"userhash").is_some_and(|v| v.eq_ignore_ascii_case(b"true")),
            realm: need("realm")?,
            nonce: need("nonce")?,
            uri: need("uri")?,
            opaque: between_quotes(params, b"opaque"),
            algorithm,
            qop,
            qop_quoted: params.get(b"qop").and_then(|p| p.value).is_some_and(|v| v.starts_with(b"\"")),
            nc,
            nc_text,
            cnonce,
            response: need("response")?,
        })
    }

    /// Do these credentials name this user, plainly or by its hash?
    pub fn names_user(&self, username: &str) -> bool {
        match self.userhash {
            true => {
                let algorithm = self.algorithm.unwrap_or(Algorithm::MD5);
                self.username
                    .eq_ignore_ascii_case(user_hash(algorithm, username.as_bytes(), &self.realm).as_bytes())
            }
            false => *self.username == *username.as_bytes(),
        }
    }
}

/// Eight hex digits (RFC 7616 sec. 3.4).
fn nc_number(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text)
        .ok()
        .filter(|t| t.len() == 8 && t.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

/// What the caller knows of a presented nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceState {
    /// None of ours.
    Unknown,
    /// Ours, and too old.
    Expired,
    /// Ours and alive; the highest nc that was accepted with it, 0 for none.
    Live {
        /// The highest nc so far.
        last_nc: u32,
    },
}

/// What credentials are held against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The request's method.
    pub method: Method<'a>,
    /// The Request-URI.
    pub request_uri: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    /// The realm that was offered.
    pub realm: &'a str,
    /// The user whose `HA1` it is.
    pub username: &'a str,
    /// The algorithm that was offered; `None` when it was left out.
    pub algorithm: Option<Algorithm>,
    /// The qop list that was offered.
    pub qop: &'a [Qop],
    /// The opaque value that was offered.
    pub opaque: Option<&'a str>,
    /// What is known of the presented nonce.
    pub nonce: NonceState,
}

impl Expected<'_> {
    /// Holds credentials against this; gives the nc to remember (0 where there is no qop). What a wrong password explains is
    /// [`Refusal::WrongResponse`]; the nonce is checked only after that, because `stale=true` says that the response was right.
    ///
    /// # Errors
    /// The first thing that is wrong, in the order of [`Refusal`].
    pub fn verify(&self, given: &Presented<'_>, ha1: &Ha1) -> Result<u32, Refusal> {
        let algorithm = self.algorithm.unwrap_or(Algorithm::MD5);
        if *given.realm != *self.realm.as_bytes() {
            return Err(Refusal::WrongRealm);
        }
        if given.algorithm.unwrap_or(Algorithm::MD5) != algorithm || ha1.hash() != algorithm.hash {
            return Err(Refusal::WrongAlgorithm);
        }
        if !given.names_user(self.username) {
            return Err(Refusal::WrongUser);
        }
        let cnonce_missing = algorithm.session && given.cnonce.is_none();
        if cnonce_missing
            || given.qop.is_none_or(|q| !self.qop.contains(&q))
                && !(given.qop.is_none() && self.qop.is_empty())
        {
            return Err(Refusal::QopForm);
        }
        if given.opaque.as_deref() != self.opaque.map(str::as_bytes) {
            return Err(Refusal::WrongOpaque);
        }
        if *given.uri != *self.request_uri && !equivalent(&given.uri, self.request_uri) {
            return Err(Refusal::WrongUri);
        }
        let inputs = Inputs {
            session: algorithm.session,
            qop: given.qop,
            nonce: &given.nonce,
            cnonce: given.cnonce.as_deref().unwrap_or_default(),
            nc: &given.nc_text,
            method: self.method.as_bytes(),
            uri: &given.uri,
            body: self.body,
        };
        if !same_in_constant_time(response(ha1, &inputs).as_bytes(), &given.response) {
            return Err(Refusal::WrongResponse);
        }
        match self.nonce {
            NonceState::Unknown => Err(Refusal::UnknownNonce),
            NonceState::Expired => Err(Refusal::ExpiredNonce),
            NonceState::Live { last_nc } if given.qop.is_some() && given.nc <= last_nc => {
                Err(Refusal::NonceCountReplayed)
            }
            NonceState::Live { .. } => Ok(given.nc),
        }
    }
}

/// RFC 3261 sec. 22.4 wants the digest-uri to be the Request-URI, which a proxy may have written in another way.
fn equivalent(a: &[u8], b: &[u8]) -> bool {
    matches!((Uri::parse(a), Uri::parse(b)), (Ok(a), Ok(b)) if a.is_equivalent(&b))
}

/// Takes as long for a response that is wrong in its first octet as for one that is wrong in its last.
fn same_in_constant_time(expected: &[u8], given: &[u8]) -> bool {
    expected.len() == given.len()
        && expected.iter().zip(given).fold(0, |difference, (a, b)| difference | (a ^ b.to_ascii_lowercase()))
            == 0
}
