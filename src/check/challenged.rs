//! The end of a request that was challenged, in words: the same for every method.

use super::Side;
use super::judge::quote::quoted;
use super::judged::StepVerdict;
use crate::auth::{MAX_ECHOED, Unsupported};
use crate::ua::End;
use crate::ua::challenged::Offered;
use crate::ua::trust::Distrust;

/// Facts by which the end of a request is judged.
pub(super) struct Asked<'a> {
    /// The last final status with its phrase.
    pub(super) status: &'a str,
    /// Number of times that it was sent, retransmissions not counted.
    pub(super) requests: u32,
    /// Every challenge that it met.
    pub(super) challenges: &'a [Offered],
    /// The user of the credentials.
    pub(super) user: &'a str,
    /// Request for which the same credentials were accepted before, in words.
    pub(super) accepted_before: Option<&'a str>,
}

/// Ends that have to do with challenges, or with messages that cannot be used; `None` for all others.
pub(super) fn judge(end: &End, asked: &Asked<'_>) -> Option<StepVerdict> {
    let Asked { status, requests, challenges, user, accepted_before } = asked;
    let judged = match end {
        End::CredentialsRefused { stale: false } => match accepted_before {
            Some(before) => StepVerdict::fail(
                "refused-after-success",
                Side::Peer,
                format!(
                    "{status} again to a digest answer for user \"{user}\", although {before} with the same credentials"
                ),
                "platform: nodes that do not share accounts or nonces, or a limit of rate; the password is right",
            ),
            None => refused(status, challenges, user),
        },
        End::CredentialsRefused { stale: true } => StepVerdict::fail(
            "stale-loop",
            Side::Peer,
            format!(
                "each of {} digest answers was refused with stale=true and a new nonce{}",
                requests.saturating_sub(1),
                accepted_before.map_or_else(String::new, |before| format!(
                    ", although {before} with the same credentials"
                ))
            ),
            match accepted_before {
                Some(_) => {
                    "platform: nodes behind the balancer have to share nonces, or their lifetime is too short"
                }
                None => {
                    "check the password first: some platforms say stale before they look at the digest; where it is right, platform: nodes behind the balancer have to share nonces, or their lifetime is too short"
                }
            },
        ),
        End::NonceRefusedWithoutStale { recovered } => StepVerdict::fail(
            "nonce-refused-without-stale",
            Side::Peer,
            format!(
                "a nonce that was good before was refused without stale=true; {}",
                if *recovered {
                    "a fresh answer was accepted, but a phone may stop here"
                } else {
                    "a fresh answer was refused too"
                }
            ),
            "platform: send stale=true with the new nonce; phone: newer firmware or 'retry on 401'",
        ),
        End::NoChallenge => StepVerdict::fail(
            "no-challenge",
            Side::Peer,
            format!("{status} without any challenge"),
            "platform: an edge or filter answers by itself; a 401 or 407 has to carry a challenge",
        ),
        End::NoSupportedChallenge => unsupported(status, challenges),
        End::NotTrusted(Distrust::Weaker) => StepVerdict::fail(
            "challenge-downgraded",
            Side::Peer,
            format!("{status}: a weaker challenge than before, not answered: {}", offered(challenges)),
            "platform: ask for the same algorithm and qop each time; if it always does, somebody on the path takes them away",
        ),
        End::NotTrusted(why) => StepVerdict::fail(
            "challenge-not-answered",
            Side::Peer,
            format!("{status}: the challenge was not answered, {why}: {}", offered(challenges)),
            "nobody but the account's own registrar and proxies gets an answer made from its password; if this is one of them, let it use the realm that the registrar uses",
        ),
        End::TooManyRequests => StepVerdict::fail(
            "no-end",
            Side::Peer,
            format!("no end after {requests} requests: {status}"),
            "platform: it goes on challenging or redirecting; see the ladder",
        ),
        End::BadResponse(what) => StepVerdict::fail(
            "answer-unreadable",
            Side::Peer,
            format!("the answer cannot be used: {what}"),
            "platform fault, or a device on the path rewrites messages (SIP ALG): try TCP",
        ),
        End::BadConfig(what) => StepVerdict::open(
            "bad-account",
            Side::Setup,
            format!("no request could be written: {what}"),
            "look for quotes and control characters in the account's AOR, user name and registrar",
        ),
        _ => return None,
    };
    Some(judged)
}

/// Challenges, each once.
pub(super) fn offered(challenges: &[Offered]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for c in challenges {
        let text = one(c);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join("; ")
}

fn one(c: &Offered) -> String {
    if let Some(text) = &c.unreadable {
        return format!("unreadable: {}", quoted(text.as_bytes()));
    }
    let realm = quoted(c.realm.as_bytes());
    // Algorithm and qop are Digest's own.
    if !is_digest(c) {
        return if realm.is_empty() { c.scheme.clone() } else { format!("{} realm=\"{realm}\"", c.scheme) };
    }
    let algorithm = c.algorithm.as_deref().unwrap_or("MD5 by default");
    let qop = c.qop.as_ref().map_or_else(|| "no qop".to_owned(), |qop| format!("qop=\"{qop}\""));
    format!("{} realm=\"{realm}\" {algorithm} {qop}", c.scheme)
}

pub(super) fn is_digest(offered: &Offered) -> bool {
    offered.scheme.eq_ignore_ascii_case("Digest")
}

/// Why none of these can be answered: the nearest miss says it.
fn unsupported(status: &str, challenges: &[Offered]) -> StepVerdict {
    let fail = |code, side, says: String, advice| {
        StepVerdict::fail(
            code,
            side,
            format!("{status} with a challenge that cannot be answered: {says}"),
            advice,
        )
    };
    let with = |problem| challenges.iter().find(|c| is_digest(c) && c.problem == Some(problem));
    if let Some(offered) = challenges.iter().find(|c| is_digest(c) && is_aka(c)) {
        return fail(
            "aka-challenge",
            Side::Setup,
            format!(
                "{} is AKA (RFC 3310): the account of a mobile network (IMS), answered by a SIM card and by no password",
                offered.algorithm.as_deref().unwrap_or_default()
            ),
            "ask for an account with a password and for the server for SIP devices; this is the edge of a mobile network",
        );
    }
    for (problem, what) in [(Unsupported::NoNonce, "nonce"), (Unsupported::NoRealm, "realm")] {
        if let Some(offered) = with(problem) {
            return fail(
                "challenge-incomplete",
                Side::Peer,
                format!("the {what} is missing in {}", one(offered)),
                "platform fault: a Digest challenge has a realm and a nonce (RFC 7616 sec. 3.3)",
            );
        }
    }
    if with(Unsupported::TooLong).is_some() {
        return StepVerdict::open(
            "probe-limit",
            Side::Probe,
            format!(
                "{status} with realm, nonce and opaque of more than {MAX_ECHOED} bytes together, our own limit"
            ),
            "our own limit, not the platform's; a phone with a smaller one does not register: shorter nonces",
        );
    }
    if with(Unsupported::Octets).is_some() {
        return fail(
            "challenge-unreadable",
            Side::Peer,
            "its realm, nonce or opaque holds a control character".to_owned(),
            "platform fault: look at the challenge in the ladder",
        );
    }
    if let Some(offered) = challenges.iter().find_map(|c| c.unreadable.as_deref()) {
        return fail(
            "challenge-unreadable",
            Side::Peer,
            format!("it cannot be read: {}", quoted(offered.as_bytes())),
            "platform fault: a challenge is a scheme and name=value pairs with commas between them (RFC 3261 sec. 20.44)",
        );
    }
    if let Some(offered) = with(Unsupported::Algorithm).or(with(Unsupported::Qop)) {
        return fail(
            "unsupported-challenge",
            Side::Peer,
            one(offered),
            "platform: offer Digest with MD5 or SHA-256 and qop=\"auth\"",
        );
    }
    fail(
        "unsupported-challenge",
        Side::Peer,
        format!("{} is offered, and no Digest", offered(challenges)),
        "platform: SIP devices answer Digest (RFC 3261 sec. 22.4); offer it as well",
    )
}

fn is_aka(offered: &Offered) -> bool {
    offered.algorithm.as_deref().is_some_and(|a| a.to_ascii_uppercase().starts_with("AKA"))
}

fn refused(status: &str, challenges: &[Offered], user: &str) -> StepVerdict {
    let last = challenges.iter().rev().find(|c| c.answered).or(challenges.last());
    let misplaced = match (status.get(..3), last.map(|c| c.proxy)) {
        (Some("401"), Some(true)) => Some(("Proxy-Authenticate", "407")),
        (Some("407"), Some(false)) => Some(("WWW-Authenticate", "401")),
        _ => None,
    };
    if let Some((header, its_status)) = misplaced {
        return StepVerdict::fail(
            "challenge-misplaced",
            Side::Peer,
            format!(
                "{status} with its challenge in {header}, which belongs to a {its_status}; the answer to it was refused"
            ),
            "platform: a 401 carries its challenge in WWW-Authenticate, a 407 in Proxy-Authenticate (RFC 3261 sec. 22); devices answer in the header that belongs to the one that came",
        );
    }
    let realm = last.map(|c| c.realm.as_str()).unwrap_or_default();
    let algorithm = last.and_then(|c| c.algorithm.as_deref()).unwrap_or("MD5");
    StepVerdict::fail(
        "credentials-refused",
        Side::Setup,
        format!(
            "password or user name not accepted: {status} again to a digest answer for user \"{user}\" in realm \"{realm}\" ({algorithm})"
        ),
        "check the SIP password and auth user (after a move: those of the new platform); if it stays so, reset the password, or have it hashed again for this realm",
    )
}
