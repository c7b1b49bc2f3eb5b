//! What a digest challenge asks for, and which of several is answered (RFC 7616 sec. 3.3, RFC 8760 sec. 2.3).

use super::algorithm::Algorithm;
use crate::syntax::{AuthParams, Challenge, Param};
use std::borrow::Cow;

/// Quality of protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Qop {
    /// `auth`: the request line only.
    Auth,
    /// `auth-int`: the body as well.
    AuthInt,
}

impl Qop {
    /// The token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
    pub(super) fn from_token(token: &[u8]) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|q| token.eq_ignore_ascii_case(q.as_str().as_bytes()))
    }
}

/// A challenge that can be answered. Realm, nonce and opaque are the octets between their quotes, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChallenge {
    pub(super) realm: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) opaque: Option<Vec<u8>>,
    pub(super) algorithm: Algorithm,
    pub(super) algorithm_text: Option<Vec<u8>>,
    pub(super) qop: Option<Qop>,
    pub(super) stale: bool,
    pub(super) userhash: bool,
    pub(super) utf8: bool,
}

/// Why a challenge cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Not `Digest`.
    #[error("the scheme is not Digest")]
    Scheme,
    /// No realm, which RFC 7616 sec. 3.3 demands.
    #[error("the challenge has no realm")]
    NoRealm,
    /// No nonce.
    #[error("the challenge has no nonce")]
    NoNonce,
    /// An algorithm that we do not know.
    #[error("the algorithm is unknown")]
    Algorithm,
    /// A qop list that holds neither `auth` nor `auth-int`.
    #[error("no known qop is offered")]
    Qop,
    /// A value that could not be sent back: it holds a control character.
    #[error("a value holds a control character")]
    Octets,
    /// Realm, nonce and opaque have more than [`MAX_ECHOED`] octets together.
    #[error("realm, nonce and opaque are too long together")]
    TooLong,
}

/// Octets of realm, nonce and opaque together that are sent back with every request; a challenge with more is not answered. Real ones
/// have some hundred, and the answers to several have to fit into one request.
pub const MAX_ECHOED: usize = 16_384;

/// The parameters of a challenge that mean something to us.
#[derive(Clone, Copy)]
pub(crate) struct Picked<'a> {
    pub(crate) realm: Option<Param<'a>>,
    nonce: Option<Param<'a>>,
    opaque: Option<Param<'a>>,
    pub(crate) algorithm: Option<Param<'a>>,
    pub(crate) qop: Option<Param<'a>>,
    pub(crate) stale: Option<Param<'a>>,
    userhash: Option<Param<'a>>,
    charset: Option<Param<'a>>,
}

impl<'a> Picked<'a> {
    pub(crate) fn new(challenge: &Challenge<'a>) -> Picked<'a> {
        let names =
            [&b"realm"[..], b"nonce", b"opaque", b"algorithm", b"qop", b"stale", b"userhash", b"charset"];
        let [realm, nonce, opaque, algorithm, qop, stale, userhash, charset] = challenge.params.pick(names);
        Picked { realm, nonce, opaque, algorithm, qop, stale, userhash, charset }
    }
}

impl DigestChallenge {
    /// From a parsed challenge. `auth` is taken where the qop list holds it, `auth-int` where it is the only one; an empty list is
    /// none (RFC 2069 peers).
    ///
    /// # Errors
    /// Why it cannot be answered.
    pub fn from_challenge(challenge: &Challenge<'_>) -> Result<DigestChallenge, Unsupported> {
        DigestChallenge::from_picked(challenge.scheme, &Picked::new(challenge))
    }

    pub(crate) fn from_picked(scheme: &[u8], picked: &Picked<'_>) -> Result<DigestChallenge, Unsupported> {
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(Unsupported::Scheme);
        }
        let Picked { realm, nonce, opaque, algorithm, qop, stale, userhash, charset } = *picked;
        let [realm, nonce, opaque, algorithm_text, qop, stale, userhash, charset] =
            [realm, nonce, opaque, algorithm, qop, stale, userhash, charset]
                .map(|param| param.and_then(inner));
        let owned = |text: Option<Cow<'_, [u8]>>| text.map(Cow::into_owned);
        let realm = owned(realm).ok_or(Unsupported::NoRealm)?;
        let nonce = owned(nonce).ok_or(Unsupported::NoNonce)?;
        let (opaque, algorithm_text) = (owned(opaque), owned(algorithm_text));
        let algorithm = match &algorithm_text {
            None => Algorithm::MD5,
            Some(token) => Algorithm::from_token(token).ok_or(Unsupported::Algorithm)?,
        };
        let qop = match qop {
            Some(list) if !list.iter().all(|&b| b == b',' || b.is_ascii_whitespace()) => {
                let offered =
                    |qop| list.split(|&b| b == b',').any(|t| Qop::from_token(t.trim_ascii()) == Some(qop));
                Some([Qop::Auth, Qop::AuthInt].into_iter().find(|q| offered(*q)).ok_or(Unsupported::Qop)?)
            }
            _ => None,
        };
        let is_true =
            |text: Option<Cow<'_, [u8]>>| text.is_some_and(|v| v.trim_ascii().eq_ignore_ascii_case(b"true"));
        let (stale, userhash) = (is_true(stale), is_true(userhash));
        let utf8 = charset.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"UTF-8"));
        let echoed = || [Some(&realm), Some(&nonce), opaque.as_ref()].into_iter().flatten();
        if echoed().flatten().any(|&b| b != b'\t' && b.is_ascii_control()) {
            return Err(Unsupported::Octets);
        }
        if echoed().map(Vec::len).sum::<usize>() > MAX_ECHOED {
            return Err(Unsupported::TooLong);
        }
        Ok(DigestChallenge { realm, nonce, opaque, algorithm, algorithm_text, qop, stale, userhash, utf8 })
    }
    /// The realm, as it stands between the quotes.
    pub fn realm(&self) -> &[u8] {
        &self.realm
    }
    /// The nonce, as it stands between the quotes.
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }
    /// The algorithm; MD5 where none is written.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// The qop that an answer will have.
    pub fn qop(&self) -> Option<Qop> {
        self.qop
    }
    /// `stale=true`: the answer was right, only its nonce was too old.
    pub fn stale(&self) -> bool {
        self.stale
    }
    /// `userhash=true`: the user name wants to be hashed.
    pub fn userhash(&self) -> bool {
        self.userhash
    }
    /// `charset="UTF-8"`: user name and password are hashed in UTF-8 (RFC 7616 sec. 4); without, it is not said.
    pub fn wants_utf8(&self) -> bool {
        self.utf8
    }
}

/// The value of a parameter, without its outer quotes but with its escapes, each fold turned into one space.
pub(super) fn between_quotes<'a>(params: &AuthParams<'a>, name: &[u8]) -> Option<Cow<'a, [u8]>> {
    inner(params.get(name)?)
}

fn inner<'a>(param: Param<'a>) -> Option<Cow<'a, [u8]>> {
    let value = param.value?;
    let inner = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
    Some(unfold(inner))
}

/// Line breaks with the white space around them are one space (RFC 3261 sec. 7.3.1).
fn unfold(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\n') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    for (index, line) in text.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if index == 0 {
            plain.extend_from_slice(line);
            continue;
        }
        while plain.last().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            plain.pop();
        }
        plain.push(b' ');
        plain.extend_from_slice(line.trim_ascii_start());
    }
    Cow::Owned(plain)
}

/// Which of several challenges are answered: for each realm the one with the strongest hash, the topmost of equals. The indices
/// rise. RFC 8760 sec. 2.4 lets local policy go before the server's order, and a client that can do the stronger has no reason
/// to do the weaker.
pub fn strongest(challenges: &[DigestChallenge]) -> Vec<usize> {
    let beats = |a: usize, b: usize| {
        let (x, y) = (challenges[a].algorithm.hash, challenges[b].algorithm.hash);
        x > y || (x == y && a < b)
    };
    (0..challenges.len())
        .filter(|&i| {
            let same_realm = |j: usize| challenges[j].realm == challenges[i].realm;
            (0..challenges.len()).all(|j| i == j || !same_realm(j) || beats(i, j))
        })
        .collect()
}
