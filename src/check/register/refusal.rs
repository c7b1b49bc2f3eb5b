//! A REGISTER that was refused: what the status, the words beside it and what was accepted before say together.

use super::bindings::foreign;
use super::ended::Ended;
use super::session::lists_own;
use crate::check::judge::quote::quoted;
use crate::check::judge::status::{About, Meaning, Said, meaning};
use crate::check::judged::StepVerdict;
use crate::check::{Side, Verdict};
use crate::message::{Flow, Message};
use crate::syntax::{HeaderName, NameAddr, Uri};
use crate::ua::registration::{Answer, Command, Finished, MAX_MIN_EXPIRES};
use std::time::Duration;

/// Meaning of a refusal by a final response; `step` is the name of the step that was refused.
pub(super) fn judge(ended: &Ended, finished: &Finished, answer: &Answer, step: &str) -> StepVerdict {
    let said = Said::read(answer.message());
    let refused = Refused {
        command: finished.command,
        step,
        credentials_sent: ended.credentials_sent,
        listed: answer.bindings.len(),
        lists_others: !foreign(&answer.bindings).is_empty(),
        lists_own: lists_own(answer),
        has_challenge: [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate]
            .into_iter()
            .any(|name| answer.message().header(name).is_some()),
        like_the_query: ended.history.refused_query == Some(answer.status()),
        before: ended.history.last(ended.ended_at()),
        knew_credentials: ended.history.knows_credentials(),
        retried_after: ended.retried_after.as_deref(),
        leads_back: leads_back(answer.message(), ended.flow),
    };
    let Meaning { verdict, code, side, says, advice } = of(&refused, &said);
    StepVerdict::of(verdict, code, side, said.sentence(&says), advice)
}

/// A 423 to a binding that could not be obeyed, or was obeyed and came again. `granted`: what was granted before, in seconds.
pub(super) fn too_brief(ended: &Ended, finished: &Finished, granted: Option<u32>) -> StepVerdict {
    let named = finished.answer.as_ref().and_then(|a| a.message().header(HeaderName::MinExpires)).map(quoted);
    let named = named.filter(|named| !named.is_empty());
    let asked = finished.asked_expires.unwrap_or_default();
    let before = ended.history.last(ended.ended_at()).map_or(String::new(), |before| match granted {
        Some(seconds) => format!("; {before}, with {seconds} s granted"),
        None => format!("; {before}"),
    });
    let met = named.as_ref().and_then(|named| named.parse::<u32>().ok()).filter(|minimum| *minimum <= asked);
    let (code, says, advice) = match (finished.min_expires, named) {
        (Some(minimum), named) => (
            "interval-refused-again",
            format!(
                "423 again although Min-Expires ({minimum} s) was obeyed: {asked} s were asked, and refused with {}{before}",
                named.map_or_else(|| "no Min-Expires".to_owned(), |named| format!("Min-Expires {named}"))
            ),
            "platform fault: it refuses the minimum that it named; phones ask again without end",
        ),
        (None, Some(named)) if met.is_some() => (
            if met == Some(asked) { "interval-refused-again" } else { "interval-without-minimum" },
            format!(
                "423 Interval Too Brief to {asked} s, with Min-Expires {named}: what was asked is no less{before}"
            ),
            "platform fault: it refuses the minimum that it names; phones ask again without end",
        ),
        (None, None) => (
            "interval-without-minimum",
            format!("423 Interval Too Brief without Min-Expires, {asked} s were asked{before}"),
            "platform fault: a 423 has to name the minimum (RFC 3261 sec. 10.3)",
        ),
        (None, Some(named)) => (
            "interval-without-minimum",
            format!(
                "423 Interval Too Brief with a Min-Expires that is of no use: {named}; over what was asked ({asked} s) and up to {MAX_MIN_EXPIRES} s (7 days) is taken{before}"
            ),
            "platform: phones register for minutes or hours; correct the minimum",
        ),
    };
    StepVerdict::fail(code, Side::Peer, says, advice)
}

/// The circumstances of a refusal.
#[derive(Debug, Clone)]
struct Refused<'a> {
    command: Command,
    step: &'a str,
    credentials_sent: bool,
    /// Bindings that the refusal lists.
    listed: usize,
    lists_others: bool,
    /// Our own is among them: it was bound all the same.
    lists_own: bool,
    /// It carries a challenge, although it is no 401 or 407.
    has_challenge: bool,
    /// A query was refused with the same status: the Contact is not what it minds.
    like_the_query: bool,
    /// Request that was accepted last in this check.
    before: Option<String>,
    /// The same credentials were accepted before.
    knew_credentials: bool,
    /// A fresh digest answer was sent after this refusal of a reused nonce.
    retried_after: Option<&'a str>,
    /// All that a redirection offers is where the question came from.
    leads_back: Option<Back>,
}

/// Where a redirection leads that leads nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    /// To the address and port that were asked.
    ToTheServer,
    /// To the account's own domain.
    ToTheDomain,
}

/// Do all Contacts of this redirection lead back to the server that was asked, or to the domain of the account?
fn leads_back(answer: &Message, asked: Flow) -> Option<Back> {
    if !matches!(answer.status(), Some(300..=302)) {
        return None;
    }
    let to = answer.to().ok()?;
    let domain = to.uri().host();
    let back = |uri: &Uri<'_>| {
        let host = uri.host()?;
        if host.ip() == Some(asked.remote.ip()) && uri.port().unwrap_or(5060) == asked.remote.port() {
            return Some(Back::ToTheServer);
        }
        (Some(host) == domain && uri.port().is_none()).then_some(Back::ToTheDomain)
    };
    let mut all = answer.values(HeaderName::Contact).map(|value| {
        let (address, _) = NameAddr::parse_first(value).ok()?;
        back(&address.uri())
    });
    let first = all.next()??;
    all.all(|other| other.is_some()).then_some(first)
}

/// A longer Retry-After is a mistake and no pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

fn of(refused: &Refused<'_>, said: &Said) -> Meaning {
    let fail =
        |code, side, says: String, advice| Meaning { verdict: Verdict::Fail, code, side, says, advice };
    let words = said.about().filter(|_| matches!(said.status, 403 | 429 | 480 | 486 | 500 | 503 | 600 | 603));
    let pauses = said.retry_after.is_some();
    // A pause that is asked for says overload, however the phrase is worded.
    let is_absurd = said.retry_after.is_some_and(|pause| pause > LONGEST_PAUSE);
    if matches!(said.status, 429 | 503) && pauses || words == Some(About::Load) {
        return Meaning {
            verdict: Verdict::Inconclusive,
            code: "overloaded",
            side: Side::Peer,
            says: if is_absurd {
                "overloaded; it asks for a pause that nobody waits for, and was not asked again".to_owned()
            } else if pauses {
                "overloaded; as its Retry-After asks, it was not asked about this account again".to_owned()
            } else {
                "overloaded: it takes no more at this time".to_owned()
            },
            advice: match is_absurd {
                true => {
                    "platform: correct its Retry-After: phones that obey it stay away for good; try again later"
                }
                false => {
                    "wait for the time that it names, and run it again; platform: smaller waves with a longer random back-off"
                }
            },
        };
    }
    if words == Some(About::Lock) {
        return fail(
            "locked-out",
            Side::Setup,
            "a ban or a lock after failed attempts".to_owned(),
            "wait until the lock is over, or have the account or this address unblocked; then check the password before it is tried again",
        );
    }
    // A query carries no Contact: no binding can be too many there.
    let is_full = refused.command == Command::Bind
        && (words == Some(About::Bindings)
            || refused.lists_others && matches!(said.status, 403 | 503 | 603) && !pauses)
        && !refused.like_the_query;
    if is_full {
        let listed = match refused.listed {
            0 => String::new(),
            listed if refused.lists_own => {
                format!(" ({listed} listed, and ours is among them: it was bound and refused)")
            }
            listed => format!(" ({listed} listed)"),
        };
        if refused.lists_own && !refused.lists_others {
            return fail(
                "too-many-bindings",
                Side::Peer,
                "it says that the account has as many bindings as it may, and lists ours alone: bound and refused".to_owned(),
                "platform: its limit counts the binding that it has just taken, or allows none; the phone is listed and believes that it is not registered",
            );
        }
        return fail(
            "too-many-bindings",
            Side::Setup,
            format!("the account has as many bindings as it may{listed}"),
            "remove old devices in the customer portal ('log out everywhere'), then reboot the phone",
        );
    }
    if refused.command == Command::Remove && !is_of_a_proxy(said.status) {
        return fail(
            "removal-refused",
            Side::Peer,
            format!("the removal of our binding was refused{}", after(&refused.before)),
            "platform: a REGISTER with expires=0 removes a binding (RFC 3261 sec. 10.2.2), also one that is gone already; phones that log out see an error",
        );
    }
    if let Some(before) = &refused.before
        && !has_meaning_of_its_own(said.status)
    {
        return refused_after_success(refused, said, before);
    }
    match said.status {
        300..=302 if refused.leads_back == Some(Back::ToTheServer) => fail(
            "redirect-loop",
            Side::Peer,
            format!("redirected to {}, the server that was asked: a loop", said.contacts_or_nowhere()),
            "platform: its redirection leads back to itself; a phone that follows it asks without end",
        ),
        300..=302 if refused.leads_back == Some(Back::ToTheDomain) => fail(
            "redirect-loop",
            Side::Setup,
            format!("redirected to {}, the account's own domain", said.contacts_or_nowhere()),
            "where a server of its own is set (registrar, outbound proxy), try without it, so that the domain itself is asked; where none is set this is a loop: second line",
        ),
        403 if refused.has_challenge => fail(
            "forbidden-with-challenge",
            Side::Peer,
            "it carries a challenge, which belongs to a 401 or 407: phones do not answer it".to_owned(),
            "platform: send 401 with the challenge (RFC 3261 sec. 22.2)",
        ),
        403 if !refused.credentials_sent => fail(
            "forbidden-before-challenge",
            Side::Setup,
            "at once, without a challenge".to_owned(),
            "check the account's status, its allowed networks and the domain in the address",
        ),
        403 => fail(
            "forbidden-after-digest",
            Side::Setup,
            "refused with an answered challenge".to_owned(),
            "second line: the account may not be active, or not for this transport (after a move: on the new platform); a wrong password looks like this on some platforms",
        ),
        404 => fail(
            "unknown-user",
            Side::Setup,
            "the registrar does not know this address".to_owned(),
            "check user and domain of the address, each letter (after a move: prefix, domain and sub-account may have changed)",
        ),
        423 => fail(
            "interval-refused",
            Side::Peer,
            "an expiry is too short for it, although this request has none".to_owned(),
            "platform: a query of bindings carries no expiry (RFC 3261 sec. 10.2.3)",
        ),
        480 | 486 | 600 => fail(
            "registrar-failed",
            Side::Peer,
            match words {
                Some(About::Busy) => "it says busy, which belongs to a call and not to a registration",
                _ => "it cannot register this address now",
            }
            .to_owned()
                + &came_after(refused),
            "platform: the status belongs to calls; find out which program answers a REGISTER with it",
        ),
        603 | 606 | 607 | 608 => fail(
            "declined",
            Side::Peer,
            "the registration was declined".to_owned(),
            "platform: a rule or list refuses this account; check the account's status and its allowed networks",
        ),
        _ => {
            let meaning = meaning(said).unwrap_or_else(|| unknown(said));
            let before = if is_of_a_proxy(said.status) { came_after(refused) } else { String::new() };
            Meaning { says: meaning.says + &before, ..meaning }
        }
    }
}

/// Statuses that say of whatever request that who should have decided on it was not reached or could not.
fn is_of_a_proxy(status: u16) -> bool {
    matches!(status, 408 | 480 | 504)
}

/// Statuses that say the same thing whatever was accepted before.
fn has_meaning_of_its_own(status: u16) -> bool {
    is_of_a_proxy(status)
        || matches!(status, 300..=399 | 413..=439 | 469 | 482 | 483 | 493 | 494 | 501 | 505 | 513 | 555)
}

fn refused_after_success(refused: &Refused<'_>, said: &Said, before: &str) -> Meaning {
    let with = if refused.knew_credentials { " with the same credentials" } else { "" };
    let again = refused.retried_after.map_or(String::new(), |first| {
        format!("; it was refused with a used nonce ({first}), and again with a fresh one")
    });
    let (code, advice) = match (refused.step, said.status) {
        (_, 500..=599) => (
            "registrar-failed",
            "platform: it worked and does not any more; look at its logs for this Call-ID, and whether all nodes are well",
        ),
        ("bind", _) => (
            "binding-refused",
            "second line: the login is right; look at what the account may register: its transport, its networks, its number of devices, the form of the Contact",
        ),
        _ => (
            "refused-after-success",
            "platform: nodes that do not share accounts, bindings or nonces, or a limit of rate; the phone's data are right",
        ),
    };
    Meaning {
        verdict: Verdict::Fail,
        code,
        side: Side::Peer,
        says: format!("the {} was refused, although {before}{with}{again}", refused.step),
        advice,
    }
}

fn unknown(said: &Said) -> Meaning {
    let says = match said.status {
        500..=599 => "the platform answers and cannot register anybody now",
        _ => "the registrar refuses",
    };
    let (code, advice) = match said.status {
        500..=599 => ("registrar-failed", "platform: look at its logs for this Call-ID"),
        _ if said.notes.is_empty() => ("refused", "second line: the platform's log of this Call-ID says why"),
        _ => ("refused", "its reason is in brackets; second line: the platform's log of this Call-ID"),
    };
    Meaning { verdict: Verdict::Fail, code, side: Side::Peer, says: says.to_owned(), advice }
}

/// The step that was refused, and what was accepted before it.
fn came_after(refused: &Refused<'_>) -> String {
    let told = |before: &String| format!("; this came to the {}, and {before}", refused.step);
    refused.before.as_ref().map_or_else(String::new, told)
}

fn after(before: &Option<String>) -> String {
    before.as_ref().map_or(String::new(), |before| format!("; {before}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Message;
    use crate::syntax::Limits;
    use bytes::Bytes;

    fn said(head: &str) -> Said {
        let text = format!("SIP/2.0 {head}\r\n\r\n");
        Said::read(&Message::parse(Bytes::from(text), &Limits::default()).unwrap())
    }

    fn first(command: Command, step: &'static str) -> Refused<'static> {
        Refused {
            command,
            step,
            credentials_sent: true,
            listed: 0,
            lists_others: false,
            lists_own: false,
            has_challenge: false,
            like_the_query: false,
            before: None,
            knew_credentials: false,
            retried_after: None,
            leads_back: None,
        }
    }

    #[test]
    fn the_first_refusal_is_judged_by_its_status_and_its_words() {
        let (query, bind) = (first(Command::Query, "query"), first(Command::Bind, "bind"));
        for (refused, head, code, side) in [
            (&query, "503 Maximum Calls In Progress\r\nRetry-After: 300", "overloaded", Side::Peer),
            (&bind, "503 Maximum Calls In Progress\r\nRetry-After: 300", "overloaded", Side::Peer),
            (&bind, "503 Too many contacts\r\nRetry-After: 300", "overloaded", Side::Peer),
            (&bind, "503 Maximum Calls In Progress", "overloaded", Side::Peer),
            (&query, "403 Maximum failed attempts exceeded", "locked-out", Side::Setup),
            (&bind, "403 Maximum failed attempts exceeded", "locked-out", Side::Setup),
            (&query, "403 Too many contacts", "forbidden-after-digest", Side::Setup),
            (&bind, "403 Too many contacts", "too-many-bindings", Side::Setup),
            (&bind, "603 Too many contacts", "too-many-bindings", Side::Setup),
            (&query, "404 Not Found", "unknown-user", Side::Setup),
            (&query, "604 Does Not Exist Anywhere", "unknown-user", Side::Setup),
            (&query, "494 Security Agreement Required", "security-agreement", Side::Setup),
            (&query, "420 Bad Extension\r\nUnsupported: gruu", "extension-refused", Side::Peer),
            (&query, "699 Odd", "refused", Side::Peer),
            (&query, "500 Oops\r\nRetry-After: 30", "registrar-failed", Side::Peer),
        ] {
            let meaning = of(refused, &said(head));
            assert_eq!((meaning.code, meaning.side), (code, side), "{head}: {meaning:?}");
        }
    }

    #[test]
    fn what_was_accepted_before_is_no_wrong_login_now() {
        let mut bind = first(Command::Bind, "bind");
        (bind.before, bind.knew_credentials) =
            (Some("the query of the bindings was accepted just before".into()), true);
        let refresh = Refused { step: "refresh", ..bind.clone() };
        let remove = Refused { command: Command::Remove, step: "remove", ..bind.clone() };
        for (refused, head, code) in [
            (&bind, "403 Forbidden", "binding-refused"),
            (&bind, "404 Not Found", "binding-refused"),
            (&bind, "403 Too many contacts", "too-many-bindings"),
            (&bind, "421 Extension Required\r\nRequire: path", "extension-required"),
            (&refresh, "403 Forbidden", "refused-after-success"),
            (&refresh, "404 Not Found", "refused-after-success"),
            (&refresh, "603 Decline", "refused-after-success"),
            (&refresh, "500 Oops", "registrar-failed"),
            (&remove, "403 Forbidden", "removal-refused"),
            (&remove, "404 Not Found", "removal-refused"),
            (&remove, "423 Short", "removal-refused"),
            (&bind, "408 Request Timeout", "nobody-behind-the-proxy"),
            (&refresh, "408 Request Timeout", "nobody-behind-the-proxy"),
            (&remove, "408 Request Timeout", "nobody-behind-the-proxy"),
            (&bind, "504 Server Time-out", "nobody-behind-the-proxy"),
            (&refresh, "504 Server Time-out", "nobody-behind-the-proxy"),
            (&remove, "504 Server Time-out", "nobody-behind-the-proxy"),
            (&bind, "480 Away", "registrar-failed"),
            (&refresh, "480 Away", "registrar-failed"),
            (&remove, "480 Away", "registrar-failed"),
        ] {
            let meaning = of(refused, &said(head));
            assert_eq!(
                (meaning.code, meaning.side == Side::Setup),
                (code, code == "too-many-bindings"),
                "{head}"
            );
            assert!(
                !meaning.advice.contains("password") && !meaning.advice.contains("login exactly"),
                "{meaning:?}"
            );
        }
    }
}
