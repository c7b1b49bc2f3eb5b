//! The formulas of RFC 7616 sec. 3.4.1 to 3.4.4.

use super::algorithm::{Algorithm, Hash, Hex, hash_joined};
use super::challenge::Qop;
use std::fmt;

/// `H(username:realm:password)`: as good as the password for this realm, so never printed and wiped when dropped.
#[derive(Clone)]
pub struct Ha1 {
    hash: Hash,
    hex: Hex,
}

impl Ha1 {
    /// From plain texts; `realm` as it stands between the quotes of the challenge.
    pub fn new(hash: Hash, username: &str, realm: &[u8], password: &str) -> Ha1 {
        Ha1::of_octets(hash, username.as_bytes(), realm, password.as_bytes())
    }
    /// The same from octets, where user name and password are not UTF-8.
    pub fn of_octets(hash: Hash, username: &[u8], realm: &[u8], password: &[u8]) -> Ha1 {
        Ha1 { hash, hex: hash_joined(hash, &[username, realm, password]) }
    }
    /// In lower-case hex: as much a secret as the password.
    pub(crate) fn hex(&self) -> &[u8] {
        self.hex.as_bytes()
    }
    /// The hash function that made it.
    pub fn hash(&self) -> Hash {
        self.hash
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ha1").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// What goes into `response`, beside `A1`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) session: bool,
    pub(super) qop: Option<Qop>,
    pub(super) nonce: &'a [u8],
    pub(super) cnonce: &'a [u8],
    /// Eight hex digits.
    pub(super) nc: &'a [u8],
    /// Empty for `rspauth` (RFC 7616 sec. 3.5).
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) body: &'a [u8],
}

/// `response` (RFC 7616 sec. 3.4.1), or `rspauth` when the method is empty.
pub(super) fn response(ha1: &Ha1, inputs: &Inputs<'_>) -> Hex {
    let hash = ha1.hash;
    let session_ha1 =
        inputs.session.then(|| hash_joined(hash, &[ha1.hex.as_bytes(), inputs.nonce, inputs.cnonce]));
    let ha1 = session_ha1.as_ref().unwrap_or(&ha1.hex).as_bytes();
    let ha2 = match inputs.qop {
        Some(Qop::AuthInt) => {
            let body = hash_joined(hash, &[inputs.body]);
            hash_joined(hash, &[inputs.method, inputs.uri, body.as_bytes()])
        }
        Some(Qop::Auth) | None => hash_joined(hash, &[inputs.method, inputs.uri]),
    };
    match inputs.qop {
        Some(qop) => {
            let parts =
                [ha1, inputs.nonce, inputs.nc, inputs.cnonce, qop.as_str().as_bytes(), ha2.as_bytes()];
            hash_joined(hash, &parts)
        }
        None => hash_joined(hash, &[ha1, inputs.nonce, ha2.as_bytes()]),
    }
}

/// `H(username:realm)`, what `username` holds under `userhash=true` (RFC 7616 sec. 3.4.4).
pub(super) fn user_hash(algorithm: Algorithm, username: &[u8], realm: &[u8]) -> Hex {
    hash_joined(algorithm.hash, &[username, realm])
}
