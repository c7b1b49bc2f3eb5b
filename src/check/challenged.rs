//! How a request that was challenged ended, in words: the same for every method.

use super::Side;
use super::judged::Judged;
use crate::ua::End;
use crate::ua::challenged::Offered;
use crate::ua::trust::Distrust;

/// What the end of a request is judged by.
pub(super) struct Asked<'a> {
    /// The last final status with its phrase.
    pub(super) status: &'a str,
    /// How often it was sent, retransmissions not counted.
    pub(super) requests: u32,
    /// Every challenge that it met.
    pub(super) challenges: &'a [Offered],
    /// The user of the credentials.
    pub(super) user: &'a str,
    /// What the same credentials were accepted for before, in words.
    pub(super) accepted_before: Option<&'a str>,
}

/// Ends that have to do with challenges, or with messages that cannot be used; `None` for all others.
pub(super) fn judge(end: &End, asked: &Asked<'_>) -> Option<Judged> {
    let Asked { status, requests, challenges, user, accepted_before } = asked;
    let judged = match end {
        End::CredentialsRefused { stale: false } => match accepted_before {
            Some(before) => Judged::fail(
                "refused-after-success",
                Side::Peer,
                format!(
                    "{status} again to a digest answer for user \"{user}\", although {before} with the same credentials"
                ),
                "platform: nodes that do not share accounts or nonces, or a limit of rate; the password is right",
            ),
            None => refused(status, challenges, user),
        },
        End::CredentialsRefused { stale: true } => Judged::fail(
            "stale-loop",
            Side::Peer,
            format!(
                "each of {} correct digest answers was refused with stale=true and a new nonce",
                requests.saturating_sub(1)
            ),
            "platform: nodes behind the balancer have to share nonces, or their lifetime is too short",
        ),
        End::NonceRefusedWithoutStale { recovered } => Judged::fail(
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
        End::NoChallenge => Judged::fail(
            "no-challenge",
            Side::Peer,
            format!("{status} without any challenge"),
            "platform: an edge or filter answers by itself; a 401 or 407 has to carry a challenge",
        ),
        End::NoSupportedChallenge => Judged::fail(
            "unsupported-challenge",
            Side::Peer,
            format!("only challenges that nobody here can answer: {}", offered(challenges)),
            "platform: offer Digest with MD5 or SHA-256 and qop=\"auth\"",
        ),
        End::NotTrusted(Distrust::Weaker) => Judged::fail(
            "challenge-downgraded",
            Side::Peer,
            format!("{status}: a weaker challenge than before, not answered: {}", offered(challenges)),
            "platform: ask for the same algorithm and qop each time; if it always does, somebody on the path takes them away",
        ),
        End::NotTrusted(why) => Judged::fail(
            "challenge-not-answered",
            Side::Peer,
            format!("{status}: the challenge was not answered, {why}: {}", offered(challenges)),
            "nobody but the account's own registrar and proxies gets an answer made from its password; if this is one of them, let it use the realm that the registrar uses",
        ),
        End::TooManyRequests => Judged::fail(
            "no-end",
            Side::Peer,
            format!("no end after {requests} requests: {status}"),
            "platform: it goes on challenging or redirecting; see the ladder",
        ),
        End::BadResponse(what) => Judged::fail(
            "answer-unreadable",
            Side::Peer,
            format!("the answer cannot be used: {what}"),
            "platform fault, or a device on the path rewrites messages (SIP ALG): try TCP",
        ),
        End::BadConfig(what) => Judged::open(
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
        let algorithm = c.algorithm.as_deref().unwrap_or("MD5 by default");
        let qop = c.qop.as_ref().map_or_else(|| "no qop".to_owned(), |qop| format!("qop=\"{qop}\""));
        let text = format!("{} realm=\"{}\" {algorithm} {qop}", c.scheme, c.realm);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join("; ")
}

fn refused(status: &str, challenges: &[Offered], user: &str) -> Judged {
    let last = challenges.iter().rev().find(|c| c.answered).or(challenges.last());
    let realm = last.map(|c| c.realm.as_str()).unwrap_or_default();
    let algorithm = last.and_then(|c| c.algorithm.as_deref()).unwrap_or("MD5");
    Judged::fail(
        "credentials-refused",
        Side::Setup,
        format!("{status} again to a digest answer for user \"{user}\" in realm \"{realm}\" ({algorithm})"),
        "enter the SIP password and auth user of the new platform again; if it stays so, reset the password, or have it hashed anew for this realm",
    )
}
