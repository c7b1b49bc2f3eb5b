//! Who is let in: challenges and what answers to them are worth, with the faults of authentication.
use super::Config;
use super::nonces::Nonces;
use crate::auth::{Algorithm, Expected, Ha1, NonceState, Offer, Presented, Refusal};
use crate::message::{Builder, Ids, Message};
use crate::sim::User;
use crate::sim::fault::Kind;
use crate::syntax::{Credentials, HeaderName, Method};
use std::time::Instant;

/// What the gate says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Go on.
    In,
    /// A challenge.
    Challenge { asker: Asker, stale: bool },
    /// The form of the answer is refused (400).
    BadForm,
}

/// Who asks for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// The proxy in front of the registrar, with a realm of its own: 407.
    Front,
    /// The registrar: 401.
    Registrar,
    /// Who takes calls, with the realm of the registrar: 407.
    Calls,
}

impl Asker {
    pub(super) fn status(self) -> u16 {
        if self == Asker::Registrar { 401 } else { 407 }
    }
}

/// One authenticating server.
struct Server<'a> {
    asker: Asker,
    realm: String,
    user: &'a User,
}

impl<'a> Server<'a> {
    fn new(config: &Config, user: &'a User, asker: Asker) -> Server<'a> {
        let realm = match asker {
            Asker::Front => config.proxy_realm(),
            _ if user.has(Kind::OtherRealm) => format!("new.{}", config.realm()),
            _ => config.realm().to_owned(),
        };
        Server { asker, realm, user }
    }

    fn written(&self, algorithm: Algorithm) -> Option<Algorithm> {
        (self.user.name_algorithm || algorithm != Algorithm::MD5).then_some(algorithm)
    }

    /// The hash that the platform stored.
    fn ha1(&self, config: &Config, algorithm: Algorithm) -> Ha1 {
        let user = self.user;
        let stored_realm = if self.asker == Asker::Front { &*self.realm } else { config.realm() };
        if user.has(Kind::OtherPassword) {
            let other = zeroize::Zeroizing::new(format!("{}-of-the-old-platform", *user.password));
            return Ha1::new(algorithm.hash, user.digest_name(), stored_realm.as_bytes(), &other);
        }
        Ha1::new(algorithm.hash, user.digest_name(), stored_realm.as_bytes(), &user.password)
    }

    /// The verdict on the credentials for this realm, and the nc to remember with which nonce; `None` when there are none.
    fn judge(
        &self,
        config: &Config,
        nonces: &mut Nonces,
        now: Instant,
        request: &Message,
    ) -> Option<Verdict> {
        let is_proxy = self.asker.status() == 407;
        let name = if is_proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization };
        let mut verdict = None;
        for header in request.headers().filter(|header| header.name == name) {
            let presented = match Credentials::parse(header.value) {
                Ok(credentials) => Presented::from_credentials(&credentials),
                Err(_) => continue,
            };
            let presented = match presented {
                Ok(presented) if *presented.realm == *self.realm.as_bytes() => presented,
                Ok(_) | Err(Refusal::Scheme) => continue,
                Err(refusal) => {
                    verdict = Some(Err(refusal));
                    continue;
                }
            };
            if self.user.has(Kind::SingleQop) && presented.qop_quoted {
                return Some(Err(Refusal::QopForm));
            }
            let reused = self.user.has(Kind::ReuseRefused) && nonces.was_used(&presented.nonce);
            let state = nonces.state(now, &presented.nonce);
            let checked = self.check(config, state, request, &presented);
            if let Ok(nc) = checked {
                nonces.use_up(&presented.nonce, nc);
            }
            let old = matches!(
                checked,
                Err(Refusal::UnknownNonce | Refusal::ExpiredNonce | Refusal::NonceCountReplayed)
            );
            if self.user.has(Kind::ReuseRefused) && (reused || old) {
                return Some(Err(Refusal::WrongResponse));
            }
            return Some(checked.map(|_| ()));
        }
        verdict
    }

    fn check(
        &self,
        config: &Config,
        nonce: NonceState,
        request: &Message,
        presented: &Presented<'_>,
    ) -> Result<u32, Refusal> {
        let algorithm = presented.algorithm.unwrap_or(Algorithm::MD5);
        if !self.user.offered().contains(&algorithm) {
            return Err(Refusal::WrongAlgorithm);
        }
        let expected = Expected {
            method: request.method().unwrap_or(Method::Register),
            request_uri: request.request_uri_bytes().unwrap_or_default(),
            body: request.body(),
            realm: &self.realm,
            username: self.user.digest_name(),
            algorithm: Some(algorithm),
            qop: self.user.offered_qop(),
            opaque: self.user.opaque.as_deref(),
            nonce,
        };
        expected.verify(presented, &self.ha1(config, algorithm))
    }
}

type Verdict = Result<(), Refusal>;

/// Judges a request of `user` by these, one after the other.
pub(super) fn judge(
    config: &Config,
    nonces: &mut Nonces,
    now: Instant,
    user: &User,
    request: &Message,
    askers: &[Asker],
) -> Pass {
    for &asker in askers {
        let verdict = Server::new(config, user, asker).judge(config, nonces, now, request);
        let stale_for_ever = asker != Asker::Front && user.has(Kind::StaleForEver);
        match verdict {
            None => return Pass::Challenge { asker, stale: false },
            Some(Ok(())) if stale_for_ever => return Pass::Challenge { asker, stale: true },
            Some(Ok(())) => {}
            Some(Err(Refusal::UnknownNonce | Refusal::ExpiredNonce | Refusal::NonceCountReplayed)) => {
                return Pass::Challenge { asker, stale: true };
            }
            Some(Err(Refusal::QopForm)) if user.has(Kind::SingleQop) => return Pass::BadForm,
            Some(Err(_)) => return Pass::Challenge { asker, stale: false },
        }
    }
    Pass::In
}

/// Adds the challenges to a 401 or 407.
pub(super) fn challenge(
    config: &Config,
    nonces: &mut Nonces,
    ids: &mut Ids,
    now: Instant,
    (user, asker, stale): (&User, Asker, bool),
    mut response: Builder,
) -> Builder {
    let server = Server::new(config, user, asker);
    let name =
        if asker.status() == 407 { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
    let nonce = ids.nonce();
    nonces.give(now, &nonce, user.nonce_lifetime.unwrap_or(config.nonce_lifetime));
    for algorithm in user.offered() {
        let offer = Offer {
            realm: &server.realm,
            nonce: &nonce,
            opaque: user.opaque.as_deref(),
            algorithm: server.written(*algorithm),
            qop: user.offered_qop(),
            stale,
            userhash: user.userhash,
        };
        response = response.header(name, offer.to_string());
    }
    response
}
