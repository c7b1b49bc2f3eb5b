//! Faults of a registrar, switched on per account by their id in the failure catalogue.

use crate::error::Error;
use crate::message::Transport;
use std::fmt;
use std::str::FromStr;

/// One fault of one account, read from its spelling: an id, or an id, a colon and a variant.
///
/// | spelling | what goes wrong |
/// |---|---|
/// | `A01` | the platform holds another password: a right answer gets 401 and a fresh nonce, without stale, again and again |
/// | `A02` | the challenge names a new realm, the stored hash was made under the old one: 401 again and again |
/// | `A04` | a reused nonce is refused with 401 without stale; an answer to the fresh nonce is accepted |
/// | `A05` | every right answer gets 401 with stale=true and a fresh nonce, for ever |
/// | `A09` | two challenges, SHA-256 in the first header and MD5 in the second; either is accepted |
/// | `A10` | SHA-256 is the only algorithm offered |
/// | `A10:sha-512-256` | SHA-512-256 is the only algorithm offered |
/// | `A11` | offers qop="auth,auth-int" and refuses (400) an answer whose qop is not one of the two, without quotes |
/// | `A12` | 403 at once, without a challenge |
/// | `A13` | 403 after a right answer |
/// | `A16` | 401 without WWW-Authenticate |
/// | `A16:407` | 407 without Proxy-Authenticate |
/// | `R01` | 423 with Min-Expires 1800 to anything shorter |
/// | `R01:SECONDS` | the same with another minimum |
/// | `R02` | 423 without Min-Expires, whatever was asked for |
/// | `R02:second` | 423 with a Min-Expires that is again too short once it is obeyed |
/// | `R02:useless` | 423 with a Min-Expires of 1 second |
/// | `R05` | 200 without an expiry: neither in the Contact nor in Expires |
/// | `R05:zero` | 200 with expires=0, and nothing is bound |
/// | `R06` | old bindings fill the limit: a new one gets 403 |
/// | `R06:503` | the same with 503 and the list of bindings |
/// | `R06:603` | the same with 603 |
/// | `R10` | 302 with another registrar in Contact |
/// | `R12` | 404: the registrar does not know the user |
/// | `R14` | 503 with Retry-After 120 |
/// | `R14:SECONDS` | the same with another time |
/// | `R15` | silence over UDP; other transports are answered |
/// | `R15:tcp` | silence over TCP; other transports are answered |
/// | `R18` | a removal is answered 200 and the binding stays, in that answer too |
/// | `R18:hidden` | the same, but only a later query shows it |
/// | `T02` | 513 to requests over 600 bytes |
/// | `T02:BYTES` | the same with another limit |
/// | `T02:truncated` | every 200 is cut in the middle |
/// | `T12` | the connection is closed right after each 200 |
/// | `T12:SECONDS` | the connection is closed after so many seconds without a request |
/// | `T12:lost` | after a 200 the next request on the connection is lost with the connection |
/// | `N04` | answers go to the port in the Via (UDP); rport is neither honoured nor filled in |
/// | `N04:PORT` | the same, as if the Via named this port |
/// | `B01` | after two 200s no answer at all to this address, for this account |
/// | `B01:NUMBER` | the same after another number of 200s |
/// | `B01:ip` | after two 200s no answer at all to this address, for any account |
/// | `B06` | one contact at most, and a new one silently replaces the live binding of another device |
/// | `raise-expires` | a shorter time than 600 s is raised silently instead of refused (in no catalogue: what some registrars do) |
/// | `raise-expires:SECONDS` | the same with another minimum |
/// | `rewrite-contact` | our own Contact is listed with the address that it came from, TRANSPORT in capitals and one second less (in no catalogue) |
/// | `one-line` | all bindings stand in one Contact line (in no catalogue: what Kamailio does) |
/// | `expires-header` | the expiry stands in Expires only, not in the Contact (in no catalogue: what some registrars do) |
///
/// ```
/// use ringback::sim::Fault;
/// let fault: Fault = "R01:3600".parse()?;
/// assert_eq!((fault.id(), fault.to_string().as_str()), ("R01", "R01:3600"));
/// assert!("R99".parse::<Fault>().is_err());
/// # Ok::<(), ringback::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) kind: Kind,
    entry: usize,
    number: Option<u32>,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    OtherPassword,
    OtherRealm,
    ReuseRefused,
    StaleForEver,
    StrongFirst,
    OnlySha256,
    OnlySha512,
    SingleQop,
    ForbiddenAtOnce,
    ForbiddenAfterDigest,
    NoChallenge { status: u16 },
    MinExpires(u32),
    TooBrief(Brief),
    NoExpires,
    ZeroExpires,
    Full { status: u16 },
    Redirects,
    UnknownUser,
    Overload { retry_after: u32 },
    Silent(Transport),
    KeepsRemoved { hidden: bool },
    TooLarge { limit: u32 },
    Truncates,
    ClosesAfterAnswer,
    ClosesWhenIdle { seconds: u32 },
    LosesNext,
    ViaPort(Option<u16>),
    Bans { after: u32, everybody: bool },
    Replaces,
    RaisesExpires(u32),
    ExpiresHeader,
    RewritesContact,
    OneLine,
}

/// Which Min-Expires a 423 has that never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brief {
    None,
    AlwaysMore,
    Useless,
}

struct Entry {
    id: &'static str,
    /// Empty, a word, or in capitals what the number means.
    variant: &'static str,
    symptom: &'static str,
    make: fn(u32) -> Kind,
}

const fn entry(
    id: &'static str,
    variant: &'static str,
    symptom: &'static str,
    make: fn(u32) -> Kind,
) -> Entry {
    Entry { id, variant, symptom, make }
}

#[rustfmt::skip]
const ENTRIES: &[Entry] = &[
    entry("A01", "", "a right answer gets 401 again: the platform holds another password", |_| Kind::OtherPassword),
    entry("A02", "", "401 again under a new realm: the stored hash belongs to the old one", |_| Kind::OtherRealm),
    entry("A04", "", "a reused nonce gets 401 without stale", |_| Kind::ReuseRefused),
    entry("A05", "", "every right answer gets 401 with stale=true", |_| Kind::StaleForEver),
    entry("A09", "", "two challenges, SHA-256 first, then MD5", |_| Kind::StrongFirst),
    entry("A10", "", "only SHA-256 is offered", |_| Kind::OnlySha256),
    entry("A10", "sha-512-256", "only SHA-512-256 is offered", |_| Kind::OnlySha512),
    entry("A11", "", "offers qop=\"auth,auth-int\", refuses a list or a quoted token with 400", |_| Kind::SingleQop),
    entry("A12", "", "403 at once, without a challenge", |_| Kind::ForbiddenAtOnce),
    entry("A13", "", "403 after a right answer", |_| Kind::ForbiddenAfterDigest),
    entry("A16", "", "401 without a challenge", |_| Kind::NoChallenge { status: 401 }),
    entry("A16", "407", "407 without a challenge", |_| Kind::NoChallenge { status: 407 }),
    entry("R01", "", "423 with Min-Expires 1800", |_| Kind::MinExpires(1_800)),
    entry("R01", "SECONDS", "423 with this Min-Expires", Kind::MinExpires),
    entry("R02", "", "423 without Min-Expires", |_| Kind::TooBrief(Brief::None)),
    entry("R02", "second", "a second 423 after Min-Expires was obeyed", |_| Kind::TooBrief(Brief::AlwaysMore)),
    entry("R02", "useless", "423 with a Min-Expires of 1", |_| Kind::TooBrief(Brief::Useless)),
    entry("R05", "", "200 without an expiry anywhere", |_| Kind::NoExpires),
    entry("R05", "zero", "200 with expires=0", |_| Kind::ZeroExpires),
    entry("R06", "", "403: old bindings fill the limit", |_| Kind::Full { status: 403 }),
    entry("R06", "503", "503: old bindings fill the limit", |_| Kind::Full { status: 503 }),
    entry("R06", "603", "603: old bindings fill the limit", |_| Kind::Full { status: 603 }),
    entry("R10", "", "302 with another registrar", |_| Kind::Redirects),
    entry("R12", "", "404: unknown user", |_| Kind::UnknownUser),
    entry("R14", "", "503 with Retry-After 120", |_| Kind::Overload { retry_after: 120 }),
    entry("R14", "SECONDS", "503 with this Retry-After", |retry_after| Kind::Overload { retry_after }),
    entry("R15", "", "silence over UDP only", |_| Kind::Silent(Transport::Udp)),
    entry("R15", "tcp", "silence over TCP only", |_| Kind::Silent(Transport::Tcp)),
    entry("R18", "", "a removal gets 200, the binding stays", |_| Kind::KeepsRemoved { hidden: false }),
    entry("R18", "hidden", "a removal gets 200 without it, the binding stays", |_| Kind::KeepsRemoved { hidden: true }),
    entry("T02", "", "513 to requests over 600 bytes", |_| Kind::TooLarge { limit: 600 }),
    entry("T02", "BYTES", "513 to requests over so many bytes", |limit| Kind::TooLarge { limit }),
    entry("T02", "truncated", "every 200 is cut in the middle", |_| Kind::Truncates),
    entry("T12", "", "the connection is closed right after each 200", |_| Kind::ClosesAfterAnswer),
    entry("T12", "SECONDS", "the connection is closed after so many idle seconds", |seconds| Kind::ClosesWhenIdle { seconds }),
    entry("T12", "lost", "after a 200 the next request is lost with its connection", |_| Kind::LosesNext),
    entry("N04", "", "answers go to the port in the Via, rport is ignored", |_| Kind::ViaPort(None)),
    entry("N04", "PORT", "answers go to this port, rport is ignored", |port| Kind::ViaPort(Some(port as u16))),
    entry("B01", "", "after two 200s silence to this address, for this account", |_| Kind::Bans { after: 2, everybody: false }),
    entry("B01", "NUMBER", "after so many 200s silence to this address, for this account", |after| Kind::Bans { after, everybody: false }),
    entry("B01", "ip", "after two 200s silence to this address, for every account", |_| Kind::Bans { after: 2, everybody: true }),
    entry("B06", "", "a new contact silently replaces the live binding of another device", |_| Kind::Replaces),
    entry("raise-expires", "", "less than 600 s is raised silently", |_| Kind::RaisesExpires(600)),
    entry("raise-expires", "SECONDS", "less than so many seconds is raised silently", Kind::RaisesExpires),
    entry("rewrite-contact", "", "our own Contact comes back changed", |_| Kind::RewritesContact),
    entry("one-line", "", "all bindings stand in one Contact line", |_| Kind::OneLine),
    entry("expires-header", "", "the expiry stands in the Expires header only", |_| Kind::ExpiresHeader),
];

impl Entry {
    fn takes_number(&self) -> bool {
        self.variant.starts_with(|c: char| c.is_ascii_uppercase())
    }
    /// The largest number that makes sense.
    fn largest(&self) -> u32 {
        if self.variant == "PORT" { u32::from(u16::MAX) } else { u32::MAX }
    }
    fn spelling(&self) -> String {
        match self.variant {
            "" => self.id.to_owned(),
            variant => format!("{}:{variant}", self.id),
        }
    }
}

impl Fault {
    /// Every spelling with its symptom; capitals after the colon stand for a number.
    pub fn list() -> impl Iterator<Item = (String, &'static str)> {
        ENTRIES.iter().map(|entry| (entry.spelling(), entry.symptom))
    }
    /// The id in the catalogue, e.g. `A01`.
    pub fn id(&self) -> &'static str {
        ENTRIES[self.entry].id
    }
    /// What is seen on the wire, in one line.
    pub fn symptom(&self) -> &'static str {
        ENTRIES[self.entry].symptom
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{}:{number}", self.id()),
            None => f.write_str(&ENTRIES[self.entry].spelling()),
        }
    }
}

impl FromStr for Fault {
    type Err = Error;

    /// Reads a spelling; letter case does not matter.
    ///
    /// # Errors
    /// [`Error::Usage`] that lists what is known.
    fn from_str(text: &str) -> Result<Fault, Error> {
        let (id, variant) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        let of_id = || ENTRIES.iter().enumerate().filter(|(_, entry)| entry.id.eq_ignore_ascii_case(id));
        let word =
            of_id().find(|(_, entry)| !entry.takes_number() && entry.variant.eq_ignore_ascii_case(variant));
        if let Some((index, entry)) = word {
            return Ok(Fault { kind: (entry.make)(0), entry: index, number: None });
        }
        let number = variant.parse::<u32>().ok().filter(|number| *number > 0);
        let counted = of_id().find(|(_, entry)| entry.takes_number());
        if let (Some((index, entry)), Some(number)) = (counted, number)
            && number <= entry.largest()
        {
            return Ok(Fault { kind: (entry.make)(number), entry: index, number: Some(number) });
        }
        let mut known: Vec<_> = of_id().map(|(_, entry)| entry.spelling()).collect();
        let problem = if known.is_empty() {
            known = ENTRIES.iter().map(Entry::spelling).collect();
            "is not known"
        } else {
            "has no such variant"
        };
        Err(Error::usage(
            format_args!("fault {text:?}"),
            format_args!("{problem}; known: {}", known.join(", ")),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_spelling_is_documented_read_and_printed_back() {
        let source = include_str!("fault.rs");
        for entry in ENTRIES {
            assert!(source.contains(&format!("/// | `{}` |", entry.spelling())), "{}", entry.spelling());
            let text = if entry.takes_number() { format!("{}:7", entry.id) } else { entry.spelling() };
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
            assert_eq!(fault.symptom(), entry.symptom);
            assert_eq!(text.to_lowercase().parse::<Fault>().unwrap(), fault);
        }
    }

    #[test]
    fn an_unknown_id_is_answered_with_the_known_ones() {
        let error = "A99".parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("\"A99\"") && error.contains("A01") && error.contains("B06"), "{error}");
    }

    #[test]
    fn an_unknown_variant_is_answered_with_those_of_its_id() {
        for text in ["R05:nine", "R05:9", "N04:70000", "T12:0", "A10:"] {
            match text.parse::<Fault>() {
                Ok(fault) => assert_eq!((text, fault.to_string().as_str()), ("A10:", "A10")),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(&text[..3]) && !error.contains("A01"), "{error}");
                }
            }
        }
    }

    #[test]
    fn numbers_reach_the_fault() {
        assert_eq!("R01:90".parse::<Fault>().unwrap().kind, Kind::MinExpires(90));
        assert_eq!("N04:5099".parse::<Fault>().unwrap().kind, Kind::ViaPort(Some(5_099)));
        assert_eq!("R06:503".parse::<Fault>().unwrap().kind, Kind::Full { status: 503 });
    }
}
