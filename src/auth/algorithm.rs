//! The hash algorithms of digest (RFC 7616 sec. 3.3, RFC 8760 sec. 2.1).

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use std::fmt;
use zeroize::Zeroize;

/// A hash function; the order is the order of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hash {
    /// MD5 (RFC 1321): weak, and what most phones know.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256 (FIPS 180-4): own initial values, not a cut SHA-512.
    Sha512_256,
}

/// What stands in `algorithm`: a hash function, with or without `-sess`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm {
    /// The hash function.
    pub hash: Hash,
    /// `-sess`: the nonce and the cnonce go into `A1` (RFC 7616 sec. 3.4.2).
    pub session: bool,
}

impl Algorithm {
    /// `MD5`, which is also meant where nothing is written.
    pub const MD5: Algorithm = Algorithm { hash: Hash::Md5, session: false };
    /// `SHA-256`.
    pub const SHA_256: Algorithm = Algorithm { hash: Hash::Sha256, session: false };
    /// `SHA-512-256`.
    pub const SHA_512_256: Algorithm = Algorithm { hash: Hash::Sha512_256, session: false };
    /// All six, weakest first.
    pub const ALL: [Algorithm; 6] = [
        Algorithm::MD5,
        Algorithm { hash: Hash::Md5, session: true },
        Algorithm::SHA_256,
        Algorithm { hash: Hash::Sha256, session: true },
        Algorithm::SHA_512_256,
        Algorithm { hash: Hash::Sha512_256, session: true },
    ];

    /// The algorithm of a token, without regard to case; `None` for one that we do not know.
    pub fn from_token(token: &[u8]) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|a| token.eq_ignore_ascii_case(a.as_str().as_bytes()))
    }

    /// The token, as RFC 8760 writes it.
    pub const fn as_str(self) -> &'static str {
        match (self.hash, self.session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
            (Hash::Sha512_256, false) => "SHA-512-256",
            (Hash::Sha512_256, true) => "SHA-512-256-sess",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An octet in lower-case hex.
pub(super) fn hex_pair(octet: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [octet >> 4, octet & 15].map(|nibble| DIGITS[usize::from(nibble)])
}

/// A hash in lower-case hex, 32 or 64 characters; wiped when dropped, as some of them are secrets.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hex {
    text: [u8; 64],
    length: usize,
}

impl Hex {
    fn new(octets: &[u8]) -> Hex {
        let mut hex = Hex { text: [0; 64], length: 0 };
        for (pair, octet) in hex.text.chunks_exact_mut(2).zip(octets) {
            pair.copy_from_slice(&hex_pair(*octet));
            hex.length += 2;
        }
        hex
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

impl Drop for Hex {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// The hash of `parts` joined by colons: every formula of digest has this form.
pub(super) fn hash_joined(hash: Hash, parts: &[&[u8]]) -> Hex {
    match hash {
        Hash::Md5 => joined::<Md5>(parts),
        Hash::Sha256 => joined::<Sha256>(parts),
        Hash::Sha512_256 => joined::<Sha512_256>(parts),
    }
}

fn joined<D: Digest>(parts: &[&[u8]]) -> Hex {
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    let mut octets = digest.finalize();
    let hex = Hex::new(&octets);
    octets.as_mut_slice().zeroize();
    hex
}
