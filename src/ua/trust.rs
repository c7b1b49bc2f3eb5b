//! Whose challenges are answered: credentials belong to the account's own registrar and proxies, and to nobody else.
//!
//! A digest answer is worth something to who gets it: with a nonce of his own choice he can try passwords at home. So an answer goes to
//! [`Trust::hosts`] only, for [`Trust::realms`] only; not to the host behind a redirect, and not to the called party that challenges our BYE.
//! And when a realm that took a strong answer asks for a weaker one in the same call, that is not given (RFC 7616 sec. 5.12 names such
//! downgrade attacks).
//!
//! ```
//! use ringback::ua::trust::Trust;
//!
//! let mut trust = Trust::default();
//! trust.realms.push("pbx.example.com".to_owned()); // seen when the account registered
//! trust.hosts.push("192.0.2.1".parse()?); // where it registered
//! trust.first_use = false; // all realms are known: no other is answered
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use crate::auth::{DigestChallenge, Hash};
use std::fmt;
use std::net::IpAddr;

/// Realms whose strength is remembered; the oldest that nobody named go first.
const MAX_REALMS: usize = 16;

/// Whose challenges are answered in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trust {
    /// Realms of the account's registrar and proxies: those that they used when it registered, and its domain. Compared without regard to
    /// case.
    pub realms: Vec<String>,
    /// Addresses of the account's registrar and proxies: what was sent elsewhere is not sent again with credentials. Empty (the default): a
    /// call that we make trusts the address that it was made to, one that we take trusts none.
    pub hosts: Vec<IpAddr>,
    /// Take the realms of the first challenge to the INVITE that makes the call for the account's own, as long as nobody further away had a
    /// chance to speak (no 101 to 299, no redirect). Default true; false where [`Trust::realms`] is complete.
    pub first_use: bool,
    /// What was answered before, when the account registered: a weaker challenge of the same realm gets no answer.
    pub answered: Vec<Answered>,
}

/// A challenge that was answered: how much its answer gave away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its realm.
    pub realm: String,
    /// It was for MD5 (with `-sess` too), and for no stronger hash.
    pub is_md5: bool,
    /// It had a qop.
    pub has_qop: bool,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust { realms: Vec::new(), hosts: Vec::new(), first_use: true, answered: Vec::new() }
    }
}

/// Why a challenge that could be answered was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distrust {
    /// Its realm is none of the account's.
    Realm,
    /// The request went to a host that is neither the account's registrar nor a proxy of it.
    Host,
    /// The same realm took a stronger answer before: with SHA-256, or with qop.
    Weaker,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Distrust::Realm => "its realm is none of this account's",
            Distrust::Host => {
                "it comes from a host that is neither the account's registrar nor a proxy of it"
            }
            Distrust::Weaker => "the same realm took a stronger answer before",
        })
    }
}

/// How much an answer gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Strength {
    is_md5: bool,
    has_qop: bool,
}

impl Strength {
    fn of(challenge: &DigestChallenge) -> Strength {
        Strength { is_md5: challenge.algorithm().hash == Hash::Md5, has_qop: challenge.qop().is_some() }
    }

    fn is_weaker_than(self, other: Strength) -> bool {
        self.is_md5 && !other.is_md5 || !self.has_qop && other.has_qop
    }
}

/// The realms that are answered, as far as they are known by now.
#[derive(Debug, Clone)]
pub(super) struct Realms {
    known: Vec<(Vec<u8>, Option<Strength>)>,
    /// Unknown realms are answered too, and known from then on.
    open: bool,
}

impl Realms {
    /// All of them: for requests that go to the account's registrar and nowhere else.
    pub(super) fn all() -> Realms {
        Realms { known: Vec::new(), open: true }
    }

    pub(super) fn new(trust: &Trust, is_caller: bool) -> Realms {
        let known = trust.realms.iter().map(|realm| (realm.as_bytes().to_vec(), None)).collect();
        let mut realms = Realms { known, open: trust.first_use && is_caller };
        for Answered { realm, is_md5, has_qop } in &trust.answered {
            realms.remember(realm.as_bytes(), Strength { is_md5: *is_md5, has_qop: *has_qop });
        }
        realms
    }

    /// From now on only known realms are answered.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    fn find(&self, realm: &[u8]) -> Option<usize> {
        self.known.iter().position(|(known, _)| known.eq_ignore_ascii_case(realm))
    }

    pub(super) fn judge(&self, challenge: &DigestChallenge) -> Result<(), Distrust> {
        match self.find(challenge.realm()).and_then(|at| self.known.get(at)) {
            None if self.open => Ok(()),
            None => Err(Distrust::Realm),
            Some((_, Some(before))) if Strength::of(challenge).is_weaker_than(*before) => {
                Err(Distrust::Weaker)
            }
            Some(_) => Ok(()),
        }
    }

    /// It is answered.
    pub(super) fn learn(&mut self, challenge: &DigestChallenge) {
        self.remember(challenge.realm(), Strength::of(challenge));
    }

    /// What is weaker than what is known already changes nothing.
    fn remember(&mut self, realm: &[u8], strength: Strength) {
        match self.find(realm).and_then(|at| self.known.get_mut(at)) {
            Some((_, Some(known))) if strength.is_weaker_than(*known) => {}
            Some((_, known)) => *known = Some(strength),
            None => {
                if self.known.len() >= MAX_REALMS {
                    self.known.remove(0);
                }
                self.known.push((realm.to_vec(), Some(strength)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Challenge;

    fn challenge(realm: &str, rest: &str) -> DigestChallenge {
        let text = format!("Digest realm=\"{realm}\", nonce=\"n\"{rest}");
        DigestChallenge::from_challenge(&Challenge::parse_first(text.as_bytes()).unwrap().0).unwrap()
    }

    #[test]
    fn the_first_realm_is_believed_and_no_other_after_it() {
        let mut realms = Realms::new(&Trust::default(), true);
        let first = challenge("pbx", "");
        assert_eq!(realms.judge(&first), Ok(()));
        realms.learn(&first);
        realms.close();
        assert_eq!(realms.judge(&challenge("PBX", "")), Ok(()));
        assert_eq!(realms.judge(&challenge("evil", "")), Err(Distrust::Realm));
        assert_eq!(Realms::new(&Trust::default(), false).judge(&first), Err(Distrust::Realm));
    }

    #[test]
    fn a_realm_that_was_named_is_taken_at_any_time_and_others_never() {
        let trust = Trust { realms: vec!["pbx".into()], first_use: false, ..Trust::default() };
        for is_caller in [true, false] {
            let realms = Realms::new(&trust, is_caller);
            assert_eq!(realms.judge(&challenge("pbx", "")), Ok(()));
            assert_eq!(realms.judge(&challenge("other", "")), Err(Distrust::Realm));
        }
    }

    #[test]
    fn a_weaker_challenge_of_the_same_realm_is_refused_and_a_stronger_one_taken() {
        let (sha, md5) = (", algorithm=SHA-256, qop=\"auth\"", ", algorithm=MD5");
        for (before, after, taken) in [
            (sha, md5, false),
            (sha, ", qop=\"auth\"", false),
            (sha, ", algorithm=SHA-256", false),
            (", qop=\"auth\"", "", false),
            (sha, ", algorithm=SHA-512-256, qop=\"auth\"", true),
            (", algorithm=SHA-512-256, qop=\"auth\"", sha, true),
            (md5, md5, true),
            (md5, sha, true),
        ] {
            let mut realms = Realms::all();
            realms.learn(&challenge("pbx", before));
            assert_eq!(realms.judge(&challenge("pbx", after)).is_ok(), taken, "{before} -> {after}");
            assert_eq!(realms.judge(&challenge("other", after)), Ok(()));
        }
    }

    #[test]
    fn what_was_answered_at_the_registration_is_not_given_weaker_in_a_call() {
        let (sha, md5) = (", algorithm=SHA-256, qop=\"auth\"", ", algorithm=MD5, qop=\"auth\"");
        for (is_md5, after, expected) in [
            (false, "", Err(Distrust::Weaker)),
            (false, md5, Err(Distrust::Weaker)),
            (false, sha, Ok(())),
            (true, "", Err(Distrust::Weaker)),
            (true, md5, Ok(())),
            (true, sha, Ok(())),
        ] {
            let mut trust = Trust { realms: vec!["pbx".into()], first_use: false, ..Trust::default() };
            trust.answered.push(Answered { realm: "PBX".into(), is_md5, has_qop: true });
            for is_caller in [true, false] {
                assert_eq!(
                    Realms::new(&trust, is_caller).judge(&challenge("pbx", after)),
                    expected,
                    "{after}"
                );
            }
        }
    }

    #[test]
    fn the_table_of_realms_is_bounded() {
        let mut realms = Realms::all();
        (0..1_000).for_each(|n| realms.learn(&challenge(&n.to_string(), "")));
        assert_eq!(realms.known.len(), MAX_REALMS);
    }
}
