//! The client's side of one protection space: nonce, cnonce and nc, and the header value that they give.

use super::Credentials;
use super::algorithm::{Hex, hex_pair};
use super::challenge::{DigestChallenge, between_quotes};
use super::response::{Ha1, Inputs, response, user_hash};
use crate::syntax::{AuthParams, Method};
use std::fmt;

/// A nonce in use. Each answer counts `nc` up by one; the cnonce stays for as long as the nonce does, so that `A1` of the `-sess`
/// algorithms is the same whether a server computes it once (RFC 7616 sec. 3.4.2) or for every request (Kamailio).
#[derive(Clone)]
pub struct DigestSession {
    challenge: DigestChallenge,
    ha1: Ha1,
    username: Username,
    cnonce: String,
    nc: u32,
}

#[derive(Clone)]
enum Username {
    /// In the octets that are hashed.
    Plain(Vec<u8>),
    Hashed(Hex),
}

/// Why no answer could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The user name holds a line break or another control character.
    #[error("the user name holds a control character")]
    Username,
    /// The Request-URI holds a quote or a control character.
    #[error("the Request-URI cannot stand in an Authorization header")]
    Uri,
}

impl DigestSession {
    /// Ready to answer `challenge`; `cnonce` is hex or any other text without quotes and backslashes, and not to be guessed.
    pub fn new(
        challenge: DigestChallenge,
        credentials: &Credentials,
        cnonce: impl Into<String>,
    ) -> DigestSession {
        let algorithm = challenge.algorithm;
        let [username, password] = credentials.octets();
        let ha1 = Ha1::of_octets(algorithm.hash, &username, &challenge.realm, &password);
        let username = match challenge.userhash {
            true => Username::Hashed(user_hash(algorithm, &username, &challenge.realm)),
            false => Username::Plain(username.to_vec()),
        };
        DigestSession { challenge, ha1, username, cnonce: cnonce.into(), nc: 0 }
    }

    /// Goes on with a newer challenge of the same protection space. Where it has the same nonce and algorithm, nc counts on: some
    /// servers give everybody the same nonce for a second, and an nc that starts again looks like a replay.
    pub fn renew(
        &mut self,
        challenge: DigestChallenge,
        credentials: &Credentials,
        cnonce: impl Into<String>,
    ) {
        let same = challenge.nonce == self.challenge.nonce && challenge.algorithm == self.challenge.algorithm;
        let (old_cnonce, old_nc) = (std::mem::take(&mut self.cnonce), self.nc);
        *self = DigestSession::new(challenge, credentials, cnonce);
        if same {
            (self.cnonce, self.nc) = (old_cnonce, old_nc);
        }
    }

    /// The challenge that is answered.
    pub fn challenge(&self) -> &DigestChallenge {
        &self.challenge
    }

    /// Answers given with this nonce.
    pub fn answers(&self) -> u32 {
        self.nc
    }

    /// The value of Authorization or Proxy-Authorization for one more request: `uri` is its Request-URI as it stands in the start
    /// line, `body` its body (only `auth-int` looks at it).
    ///
    /// # Errors
    /// A user name or a URI that cannot be written.
    pub fn authorize(&mut self, method: Method<'_>, uri: &[u8], body: &[u8]) -> Result<Vec<u8>, AnswerError> {
        if uri.iter().any(|&b| b == b'"' || b == b'\\' || b.is_ascii_control()) {
            return Err(AnswerError::Uri);
        }
        self.nc = self.nc.saturating_add(1);
        let challenge = &self.challenge;
        let nc = nc_text(self.nc);
        let response = response(&self.ha1, &self.inputs(&nc, method.as_bytes(), uri, body));
        let mut value = Vec::with_capacity(512);
        value.extend_from_slice(b"Digest username=\"");
        match &self.username {
            Username::Plain(name) => escape_into(name, &mut value)?,
            Username::Hashed(hash) => value.extend_from_slice(hash.as_bytes()),
        }
        let mut quoted = |name: &str, text: &[u8]| {
            for part in [b"\", ", name.as_bytes(), b"=\"", text] {
                value.extend_from_slice(part);
            }
        };
        quoted("realm", &challenge.realm);
        quoted("nonce", &challenge.nonce);
        quoted("uri", uri);
        quoted("response", response.as_bytes());
        if let Some(opaque) = &challenge.opaque {
            quoted("opaque", opaque);
        }
        if challenge.qop.is_some() || challenge.algorithm.session {
            quoted("cnonce", self.cnonce.as_bytes());
        }
        value.push(b'"');
        let mut token = |name: &str, text: &[u8]| {
            for part in [b", ", name.as_bytes(), b"=", text] {
                value.extend_from_slice(part);
            }
        };
        if let Some(algorithm) = &challenge.algorithm_text {
            token("algorithm", algorithm);
        }
        if let Some(qop) = challenge.qop {
            token("qop", qop.as_str().as_bytes());
            token("nc", &nc);
        }
        if challenge.userhash {
            token("userhash", b"true");
        }
        Ok(value)
    }

    /// Goes on with the `nextnonce` of an Authentication-Info (RFC 7616 sec. 3.5), nc from one again; whether there was one. Not for the
    /// `-sess` algorithms, where RFC and servers differ on which nonce `A1` is made of from then on: those wait for a challenge.
    pub fn take_next_nonce(&mut self, info: &AuthParams<'_>, cnonce: impl Into<String>) -> bool {
        let next = between_quotes(info, b"nextnonce").filter(|n| !n.iter().any(u8::is_ascii_control));
        match next {
            Some(nonce) if !self.challenge.algorithm.session && !nonce.is_empty() => {
                if *nonce != *self.challenge.nonce {
                    self.challenge.nonce = nonce.into_owned();
                    self.cnonce = cnonce.into();
                    self.nc = 0;
                }
                true
            }
            _ => false,
        }
    }

    /// Does `rspauth` of an Authentication-Info show that the server knows the secret too (RFC 7616 sec. 3.5)? `None` when it has none.
    /// To be asked before [`DigestSession::take_next_nonce`], about the answer given last.
    pub fn server_proved(&self, info: &AuthParams<'_>, uri: &[u8], body: &[u8]) -> Option<bool> {
        let given = between_quotes(info, b"rspauth")?;
        let nc = nc_text(self.nc);
        let expected = response(&self.ha1, &self.inputs(&nc, b"", uri, body));
        Some(given.eq_ignore_ascii_case(expected.as_bytes()))
    }

    fn inputs<'a>(&'a self, nc: &'a [u8], method: &'a [u8], uri: &'a [u8], body: &'a [u8]) -> Inputs<'a> {
        Inputs {
            session: self.challenge.algorithm.session,
            qop: self.challenge.qop,
            nonce: &self.challenge.nonce,
            cnonce: self.cnonce.as_bytes(),
            nc,
            method,
            uri,
            body,
        }
    }
}

impl fmt::Debug for DigestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestSession")
            .field("challenge", &self.challenge)
            .field("nc", &self.nc)
            .finish_non_exhaustive()
    }
}

/// Eight hex digits.
fn nc_text(nc: u32) -> [u8; 8] {
    let mut text = [0; 8];
    for (digit, octet) in text.chunks_exact_mut(2).zip(nc.to_be_bytes()) {
        digit.copy_from_slice(&hex_pair(octet));
    }
    text
}

fn escape_into(text: &[u8], out: &mut Vec<u8>) -> Result<(), AnswerError> {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\t' => out.push(byte),
            control if control.is_ascii_control() => return Err(AnswerError::Username),
            plain => out.push(plain),
        }
    }
    Ok(())
}
