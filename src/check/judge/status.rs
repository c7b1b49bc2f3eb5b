//! A final response that is no success: what its status says, and what else it carried; the same for every method.

use super::quote::quoted;
use crate::check::{Side, Verdict};
use crate::message::Message;
use crate::syntax::{HeaderName, RetryAfter};
use std::time::Duration;

/// Values of one header that are shown.
const SHOWN: usize = 8;

/// A refusal in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Said {
    pub(in crate::check) status: u16,
    pub(in crate::check) phrase: String,
    /// Seconds of Retry-After, where it can be read.
    pub(in crate::check) retry_after: Option<Duration>,
    /// Contact values of a redirection, or of a list of bindings, as they came.
    pub(in crate::check) contacts: Vec<String>,
    /// Headers that say why or what to do instead: name and values, in the order of [`TELLING`], then those of vendors.
    pub(in crate::check) notes: Vec<(String, String)>,
}

/// Headers that explain a refusal (RFC 3261 sec. 20, RFC 3326, RFC 3329, RFC 4028).
const TELLING: [&str; 16] = [
    "Warning",
    "Reason",
    "Retry-After",
    "Unsupported",
    "Require",
    "Security-Server",
    "Min-Expires",
    "Min-SE",
    "Accept",
    "Accept-Encoding",
    "Error-Info",
    "Allow-Events",
    "Recv-Info",
    "Alert-Info",
    // The party that was asked, and in whose place (RFC 5806, RFC 7044).
    "Diversion",
    "History-Info",
];

/// Parts of the names of headers in which vendors say why.
const VENDORS: [&[u8]; 5] = [b"error", b"reason", b"cause", b"diag", b"fault"];

/// Subject of the words of a refusal, where its status leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum About {
    /// More bindings than the account may have.
    Bindings,
    /// A lock or ban after failed attempts.
    Lock,
    /// More calls or requests than the server takes now.
    Load,
    /// Somebody is in a call.
    Busy,
}

/// Meaning of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Meaning {
    pub(in crate::check) verdict: Verdict,
    pub(in crate::check) code: &'static str,
    pub(in crate::check) side: Side,
    /// Follows the status behind a colon.
    pub(in crate::check) says: String,
    pub(in crate::check) advice: &'static str,
}

impl Said {
    pub(in crate::check) fn read(response: &Message) -> Said {
        let values = |name: &str| {
            let name = name.as_bytes();
            let named = response.headers().filter(|h| {
                h.raw_name.eq_ignore_ascii_case(name)
                    || (h.name != HeaderName::Other && h.name == HeaderName::from_bytes(name))
            });
            named.filter(|h| !h.value.is_empty()).map(|h| quoted(h.value)).take(SHOWN).collect::<Vec<_>>()
        };
        let mut notes: Vec<(String, String)> = Vec::new();
        for name in TELLING {
            let values = values(name);
            if !values.is_empty() {
                notes.push((name.to_owned(), values.join(", ")));
            }
        }
        let vendors = response.headers().filter(|h| h.name == HeaderName::Other && is_vendors(h.raw_name));
        for header in vendors.take(SHOWN).filter(|h| !h.value.is_empty()) {
            let name = String::from_utf8_lossy(header.raw_name).into_owned();
            if !notes.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                notes.push((name, quoted(header.value)));
            }
        }
        let seconds = |value| RetryAfter::parse(value).ok().map(|r| Duration::from_secs(r.seconds.into()));
        let plain = || Some(Duration::from_secs(response.seconds(HeaderName::RetryAfter)?.ok()?.into()));
        Said {
            status: response.status().unwrap_or_default(),
            phrase: quoted(response.reason().unwrap_or_default()),
            retry_after: response.header(HeaderName::RetryAfter).and_then(seconds).or_else(plain),
            contacts: values("Contact"),
            notes,
        }
    }

    /// `503 Service Unavailable`.
    pub(in crate::check) fn status_line(&self) -> String {
        format!("{} {}", self.status, self.phrase).trim_end().to_owned()
    }

    /// One of the [`TELLING`] headers.
    pub(in crate::check) fn note(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Everything that it carried beside its status and is not in this sentence yet, in brackets with a blank in front; empty where there
    /// is nothing.
    pub(in crate::check) fn explained(&self, sentence: &str) -> String {
        let notes: Vec<String> = self
            .notes
            .iter()
            .filter(|(_, value)| !sentence.contains(value.as_str()))
            .map(|(name, value)| match (name.as_str(), self.retry_after) {
                // A number beyond all limits is shown as it came.
                ("Retry-After", Some(pause)) if value.starts_with(&pause.as_secs().to_string()) => {
                    format!("Retry-After {} s", pause.as_secs())
                }
                _ => format!("{name}: {value}"),
            })
            .collect();
        if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
    }

    /// The sentence of a finding: status, meaning, and what else it carried.
    pub(in crate::check) fn sentence(&self, says: &str) -> String {
        let line = self.status_line();
        match says {
            "" => format!("{line}{}", self.explained("")),
            _ => format!("{line}: {says}{}", self.explained(says)),
        }
    }

    /// Does its Accept name this type?
    pub(in crate::check) fn takes(&self, media_type: &str) -> bool {
        let named =
            |range: &str| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type);
        self.note("Accept").is_some_and(|accept| accept.split(',').any(named))
    }

    /// The headers that explain it, without those that say what to do or what is taken.
    pub(in crate::check) fn explaining(&self) -> impl Iterator<Item = &str> {
        let names = ["Retry-After", "Accept", "Accept-Encoding", "Diversion", "History-Info", "Min-SE"];
        let explaining = self.notes.iter().filter(move |(name, _)| !names.contains(&name.as_str()));
        explaining.map(|(_, value)| value.as_str())
    }

    /// Subject of its words: the phrase first, then the headers that explain it.
    pub(in crate::check) fn about(&self) -> Option<About> {
        std::iter::once(self.phrase.as_str()).chain(self.explaining()).find_map(about)
    }

    pub(in crate::check) fn contacts_or_nowhere(&self) -> String {
        if self.contacts.is_empty() {
            "nowhere: it has no Contact".to_owned()
        } else {
            self.contacts.join(", ")
        }
    }
}

fn is_vendors(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    VENDORS.iter().any(|part| memchr::memmem::find(&lower, part).is_some())
}

fn about(text: &str) -> Option<About> {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_limit = has(&["too many", "max", "limit", "exceed", "full", "quota"]);
    if has(&["attempt", "failed", "banned", "blocked", "blacklist", "locked", "brute"]) {
        Some(About::Lock)
    } else if has(&["overload", "congest", "throttl", "flood", "capacity", "too busy"])
        || is_limit && has(&["call", "request", "rate", "session", "load", "traffic", "cps", "transaction"])
    {
        Some(About::Load)
    } else if is_limit && has(&["contact", "binding", "regist", "device", "location", "endpoint", "aor"]) {
        Some(About::Bindings)
    } else if has(&["user busy", "user_busy", "busy here"]) || text.contains("cause=17") {
        Some(About::Busy)
    } else {
        None
    }
}

fn meaning_of(code: &'static str, side: Side, says: impl Into<String>, advice: &'static str) -> Meaning {
    Meaning { verdict: Verdict::Fail, code, side, says: says.into(), advice }
}

/// Meaning of a refusal whatever was asked; `None` for statuses whose meaning depends on the request (401, 403, 404, 407, 423, 480, 484 to
/// 487, 603), and for those that no RFC names.
pub(in crate::check) fn meaning(said: &Said) -> Option<Meaning> {
    use Side::{Peer, Setup};
    let note = |name| said.note(name).unwrap_or("it does not say which").to_owned();
    Some(match said.status {
        300 => meaning_of(
            "redirected",
            Setup,
            format!("there are several places to choose from: {}", said.contacts_or_nowhere()),
            "put the right server into the phone; few phones follow a redirection by themselves",
        ),
        301 | 302 => meaning_of(
            "redirected",
            Setup,
            format!("redirected to {}", said.contacts_or_nowhere()),
            "put the new server into the phone; few phones follow a redirected REGISTER",
        ),
        305 => meaning_of(
            "use-proxy",
            Setup,
            format!("it wants requests to come through the proxy {}", said.contacts_or_nowhere()),
            "set this proxy as the outbound proxy (--outbound-proxy, or the column outbound_proxy of the account file; on the phone: outbound proxy)",
        ),
        380 => meaning_of(
            "alternative-service",
            Setup,
            format!("another service is offered instead: {}", said.contacts_or_nowhere()),
            "look at the body of the answer: it describes the service; the account may be meant for another server",
        ),
        400 => meaning_of(
            "bad-request",
            Peer,
            "the far side finds our request malformed",
            "look at what it names in Warning or phrase; where nothing is wrong with it in the ladder, a device on the path rewrites messages (SIP ALG): try TCP",
        ),
        402 => meaning_of(
            "payment-required",
            Setup,
            "the account has to be paid for first",
            "check balance and contract of the account",
        ),
        405 | 501 => meaning_of(
            "method-refused",
            Peer,
            "the server does not take requests of this method",
            "wrong server or port, most likely: this one is no registrar or proxy for the domain",
        ),
        406 => meaning_of(
            "not-acceptable",
            Peer,
            "it has no answer in a form that our Accept allows",
            "platform: the answer to this request needs no body",
        ),
        410 => meaning_of(
            "gone",
            Setup,
            "the address was known here and is not any more",
            "ask for the account's new address; second line: it was moved or deleted",
        ),
        413 | 513 => meaning_of(
            "message-too-large",
            Peer,
            "it does not take messages of this size",
            "platform: a larger buffer; else fewer headers, or TCP",
        ),
        414 => meaning_of(
            "uri-too-long",
            Peer,
            "the Request-URI is too long for it",
            "shorten the address; platform: a larger buffer",
        ),
        415 => meaning_of(
            "media-type-refused",
            Peer,
            "it does not take a body of this type",
            "look at its Accept header for the types that it takes",
        ),
        416 => meaning_of(
            "scheme-refused",
            Peer,
            "it does not take URIs of this scheme",
            "write the address as sip:user@domain; some edges want sips:, which needs TLS",
        ),
        420 => meaning_of(
            "extension-refused",
            Peer,
            format!("it does not know the extension {}", note("Unsupported")),
            "switch the extension off on the phone, or on at the edge",
        ),
        421 => meaning_of(
            "extension-required",
            Peer,
            format!("it takes only callers with the extension {}", note("Require")),
            "switch the extension on where the phone has it; platform: do not demand what old phones lack",
        ),
        428 | 436..=438 => meaning_of(
            "identity-required",
            Peer,
            "it wants a signed caller identity (RFC 8224), or cannot verify the one it got",
            "platform: sign at the edge; endpoints do not do it",
        ),
        429 if said.about() != Some(About::Load) && said.retry_after.is_none() => meaning_of(
            "referrer-identity-required",
            Peer,
            "it wants a Referred-By token (RFC 3892)",
            "platform: do not demand it of endpoints",
        ),
        439 => meaning_of(
            "outbound-unsupported",
            Peer,
            "the first hop does not support outbound (RFC 5626), which was asked for or is demanded",
            "switch outbound off on the phone, or on at the first hop (edge proxy)",
        ),
        469 => meaning_of(
            "info-package-refused",
            Peer,
            "it does not take this Info package (RFC 6086); the status belongs to INFO and to no other request",
            "platform: a script or edge answers with a status that does not belong here",
        ),
        470 => meaning_of(
            "consent-needed",
            Setup,
            "the recipient has to give consent first (RFC 5360)",
            "have the recipient permit it",
        ),
        482 | 483 => meaning_of(
            "loop",
            Peer,
            "the request goes round in circles",
            "platform: a route or a forwarding leads back to itself",
        ),
        493 => meaning_of(
            "undecipherable",
            Peer,
            "it cannot read an encrypted body",
            "platform: nothing of ours is encrypted; look at the devices in between",
        ),
        494 => meaning_of(
            "security-agreement",
            Setup,
            "this edge wants a security agreement, sec-agree (RFC 3329), mostly IPsec of a mobile network (IMS)",
            "wrong server address for a plain SIP account: it is the edge of a mobile network; ask for the address for SIP devices",
        ),
        503 => match said.retry_after {
            Some(_) => Meaning { verdict: Verdict::Inconclusive, ..overloaded() },
            None if said.about() == Some(About::Load) => {
                Meaning { verdict: Verdict::Inconclusive, ..overloaded() }
            }
            None => meaning_of(
                "registrar-failed",
                Peer,
                "the platform answers and cannot serve anybody now",
                "platform: look at its load and its logs",
            ),
        },
        429 => Meaning { verdict: Verdict::Inconclusive, ..overloaded() },
        505 => meaning_of(
            "version-refused",
            Peer,
            "it does not take SIP/2.0",
            "platform fault: there is no other version",
        ),
        555 => meaning_of(
            "push-refused",
            Peer,
            "it does not support the push service that was asked for (RFC 8599)",
            "platform: support for this push provider",
        ),
        580 => meaning_of(
            "precondition-failed",
            Peer,
            "a precondition of the session was not met (RFC 3312)",
            "platform: resource reservation (QoS) of a mobile network is demanded; switch preconditions off",
        ),
        408 | 504 => meaning_of(
            "nobody-behind-the-proxy",
            Peer,
            "a proxy answers, the server behind it does not",
            "platform: the registrar or device behind the proxy is down or not reachable from it",
        ),
        500 | 502 => meaning_of(
            "registrar-failed",
            Peer,
            "the platform answers and cannot do it now",
            "platform: look at its logs for this Call-ID",
        ),
        604 => meaning_of(
            "unknown-user",
            Setup,
            "the address exists nowhere: the platform does not know it",
            "check user and domain of the address, each letter (after a move: prefix, domain and sub-account may have changed)",
        ),
        607 | 608 => meaning_of(
            "declined",
            Peer,
            "somebody or an analytics engine rejects this caller (RFC 8197, RFC 8688)",
            "look at block lists and at the caller ID",
        ),
        _ => return None,
    })
}

fn overloaded() -> Meaning {
    meaning_of(
        "overloaded",
        Side::Peer,
        "the platform is overloaded and takes no requests now",
        "wait for the time that it names; platform: smaller waves with a longer random back-off",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;
    use bytes::Bytes;

    fn said(head: &str) -> Said {
        let text = format!("SIP/2.0 {head}\r\n\r\n");
        Said::read(&Message::parse(Bytes::from(text), &Limits::default()).unwrap())
    }

    #[test]
    fn what_a_refusal_carries_is_in_its_sentence() {
        for (head, parts) in [
            ("403 No\r\nWarning: 399 pbx \"Account suspended, unpaid\"", &["Account suspended, unpaid"][..]),
            ("480 Gone\r\nReason: Q.850;cause=17;text=\"User busy\"", &["cause=17", "User busy"]),
            ("421 Extension Required\r\nRequire: sec-agree, path", &["sec-agree, path"]),
            ("500 Oops\r\nRetry-After: 30 (restart)", &["Retry-After 30 s"]),
            ("500 Oops\r\nX-Error-Detail: db down\r\nX-Other: no", &["X-Error-Detail: db down"]),
            ("494 Security\r\nSecurity-Server: ipsec-3gpp;q=0.1;alg=x", &["Security-Server: ipsec-3gpp"]),
            ("406 No\r\nAccept: application/pidf+xml", &["Accept: application/pidf+xml"]),
            ("403 No\r\nX-Reason: token=geheim", &["X-Reason: token=redacted"]),
        ] {
            let sentence = said(head).sentence("meaning");
            for part in parts {
                assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
            }
            assert!(!sentence.contains("X-Other"), "{sentence}");
        }
    }

    #[test]
    fn the_words_of_a_refusal_are_told_apart() {
        for (head, expected) in [
            ("503 Maximum Calls In Progress", Some(About::Load)),
            ("403 Maximum failed attempts exceeded", Some(About::Lock)),
            ("403 Too many contacts", Some(About::Bindings)),
            ("403 Registration limit reached", Some(About::Bindings)),
            ("603 Max Contacts exceeded", Some(About::Bindings)),
            ("403 Forbidden\r\nWarning: 399 x \"Too many bindings for this AOR\"", Some(About::Bindings)),
            ("480 Temporarily Unavailable\r\nReason: SIP;cause=486;text=\"User Busy\"", Some(About::Busy)),
            ("503 Service Unavailable", None),
            ("403 Forbidden", None),
            ("429 Too Many Requests", Some(About::Load)),
        ] {
            assert_eq!(said(head).about(), expected, "{head}");
        }
    }

    #[test]
    fn statuses_that_mean_one_thing_say_it() {
        for (head, code, words) in [
            ("494 Security Agreement Required", "security-agreement", "sec-agree"),
            ("421 Extension Required\r\nRequire: outbound", "extension-required", "outbound"),
            ("420 Bad Extension\r\nUnsupported: gruu, outbound", "extension-refused", "gruu, outbound"),
            ("439 First Hop Lacks Outbound Support", "outbound-unsupported", "RFC 5626"),
            ("416 Unsupported URI Scheme", "scheme-refused", "scheme"),
            ("305 Use Proxy\r\nContact: <sip:edge.example>", "use-proxy", "edge.example"),
            ("380 Alternative Service", "alternative-service", "instead"),
            ("410 Gone", "gone", "not any more"),
            ("604 Does Not Exist Anywhere", "unknown-user", "exists nowhere"),
            ("469 Bad Info Package", "info-package-refused", "Info package"),
            ("300 Multiple Choices\r\nm: <sip:a.x>;q=0.5, <sip:b.x>;q=0.9", "redirected", "b.x>;q=0.9"),
            ("302 Moved\r\nContact: sip:reg2.x:port", "redirected", "reg2.x:port"),
            ("503 Full\r\nRetry-After: 300", "overloaded", "overloaded"),
            ("503 Maximum Calls In Progress", "overloaded", "overloaded"),
        ] {
            let said = said(head);
            let meaning = meaning(&said).unwrap();
            assert_eq!(meaning.code, code, "{head}");
            assert!(said.sentence(&meaning.says).contains(words), "{head}: {}", meaning.says);
        }
        assert_eq!(meaning(&said("403 Forbidden")), None);
        assert_eq!(meaning(&said("699 Odd")), None);
    }
}
