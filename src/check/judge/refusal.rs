//! A call that was not answered: what the final response, or its absence, means.

use super::cause::{self, Why};
use super::status::{About, Said, meaning};
use crate::check::challenged::{self, Asked};
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::header;
use crate::check::{Side, Verdict};
use crate::message::Message;
use crate::syntax::HeaderName;
use crate::ua::call::Rejection;

/// Under what circumstances a call was refused.
pub(in crate::check) struct Refused<'a> {
    pub(in crate::check) rejection: &'a Rejection,
    pub(in crate::check) response: Option<&'a Message>,
    /// The callee.
    pub(in crate::check) target: &'a str,
    /// The callee's name, where it is ours and registered.
    pub(in crate::check) registered_callee: Option<&'a str>,
    /// No INVITE came to the registered callee; and has it no call (`true`), or another one?
    pub(in crate::check) not_rung: Option<bool>,
    pub(in crate::check) caller_registered: bool,
    /// A redirection is followed once, to the hosts of the account.
    pub(in crate::check) follows_redirects: bool,
    /// The user of our credentials.
    pub(in crate::check) user: &'a str,
}

/// One word for what became of a call: the fact `result`.
pub(in crate::check) fn result(status: u16, rejection: &Rejection) -> &'static str {
    let words = std::iter::once(&rejection.phrase).chain(&rejection.warnings).map(String::as_str);
    match cause::why(status, &rejection.reasons, words) {
        Some(Why::Busy) => "busy",
        Some(Why::NoAnswer) => "not answered",
        Some(Why::DoNotDisturb) => "do not disturb",
        Some(Why::Absent | Why::OutOfOrder) => "unavailable",
        Some(Why::Declined | Why::Barred | Why::CallLimit | Why::NoCredit) => "refused",
        Some(Why::Unknown | Why::Changed | Why::Incomplete) => "unknown number",
        Some(Why::Media) => "media refused",
        Some(Why::Congested) => "server failure",
        None => of_status(status),
    }
}

fn of_status(status: u16) -> &'static str {
    match status {
        200..=299 => "answered",
        300..=399 => "redirected",
        401 | 407 => "credentials refused",
        403 | 603 | 607 | 608 => "refused",
        404 | 410 | 416 | 484 | 485 | 604 => "unknown number",
        408 | 430 | 480 => "unavailable",
        415 | 488 | 606 => "media refused",
        486 | 600 => "busy",
        487 => "cancelled",
        500..=599 => "server failure",
        _ => "refused",
    }
}

pub(in crate::check) fn judge(refused: &Refused<'_>) -> StepVerdict {
    let status = status_of(refused.rejection);
    let asked = Asked {
        status: &status,
        requests: refused.rejection.requests,
        challenges: &refused.rejection.challenges,
        user: refused.user,
        accepted_before: None,
    };
    if let Some(judged) = challenged::judge(&refused.rejection.end, &asked) {
        return judged;
    }
    let said = refused.response.map(Said::read);
    let about = said.as_ref().and_then(Said::about);
    let fail = |code, side, seen: String, advice: &str| {
        let why = said.as_ref().map_or_else(|| explained(refused.rejection), |said| said.explained(&seen));
        StepVerdict::fail(code, side, format!("{seen}{why}"), advice)
    };
    let target = refused.target;
    let listed = |name| refused.response.map(|response| header(response, name)).unwrap_or_default();
    let rejection = refused.rejection;
    // With a pause to wait it is overload, whatever it says besides.
    let is_overload =
        rejection.status == Some(503) && (rejection.retry_after.is_some() || about == Some(About::Load));
    let words = std::iter::once(rejection.phrase.as_str())
        .chain(said.iter().flat_map(Said::explaining))
        .chain(rejection.warnings.iter().map(String::as_str));
    let why = rejection
        .status
        .filter(|_| !is_overload)
        .and_then(|status| cause::why(status, &rejection.reasons, words));
    let meant = rejection.status.unwrap_or_default();
    if let Some(meaning) = said.as_ref().filter(|_| says_the_same(meant)).and_then(meaning) {
        return fail(meaning.code, meaning.side, format!("{status}: {}", meaning.says), meaning.advice);
    }
    if let Some(why) = why {
        return because(refused, why, &status, fail);
    }
    match meant {
        300..=399 => fail(
            "redirected",
            Side::Setup,
            format!(
                "{status}: {} is redirected to {}, which was not called{}",
                refused.registered_callee.unwrap_or(target),
                said.as_ref().map(Said::contacts_or_nowhere).unwrap_or_default(),
                if refused.follows_redirects {
                    ": once only, and to hosts of the account only, is a redirection followed"
                } else {
                    ""
                }
            ),
            "a forwarding is set for the callee, or a route leads elsewhere: look at the account's forwarding; phones differ in whether they follow (ringback: --follow-redirects); platform: follow redirections itself",
        ),
        402 => because(refused, Why::NoCredit, &status, fail),
        403 => because(refused, Why::Barred, &status, fail),
        404 | 604 => because(refused, Why::Unknown, &status, fail),
        485 => fail(
            "number-ambiguous",
            Side::Setup,
            format!(
                "{status}: {target} leads to more than one place: {}",
                match said.as_ref().map(|said| said.contacts.join(", ")).filter(|places| !places.is_empty()) {
                    Some(places) => format!("it offers {places}, none of which was called"),
                    None => "it does not say to which".to_owned(),
                }
            ),
            "dial one of those that are meant in full; platform: a number or alias that two accounts share: give each its own",
        ),
        410 => because(refused, Why::Changed, &status, fail),
        484 => because(refused, Why::Incomplete, &status, fail),
        416 => fail(
            "scheme-refused",
            Side::Peer,
            format!("{status}: the platform does not take the URI {target}"),
            "write it as sip:number@domain",
        ),
        408 if refused.registered_callee.is_none() => fail(
            "unavailable",
            Side::Peer,
            format!("{status}: {target} is known, and its device does not answer the platform"),
            "the device is registered and cannot be reached: unplugged, its NAT binding lost (keep-alive), or behind a firewall; the binding goes when it expires",
        ),
        408 | 430 | 480 => because(refused, Why::Absent, &status, fail),
        486 | 600 => because(refused, Why::Busy, &status, fail),
        603 | 607 | 608 => because(refused, Why::Declined, &status, fail),
        415 => {
            let takes_ours = said.as_ref().is_some_and(|said| said.takes("application/sdp"));
            fail(
                "media-type-refused",
                Side::Peer,
                format!(
                    "{status}: it does not take the body of our INVITE, which is application/sdp{}",
                    if takes_ours { ", although its own Accept names that type" } else { "" }
                ),
                if takes_ours {
                    "platform: look for what else it cannot read in the INVITE (Content-Encoding, Content-Disposition, Content-Length, a size), and in its log of this Call-ID; where nothing is wrong with it in the ladder, a device on the path rewrites messages (SIP ALG)"
                } else {
                    "platform: a server of calls takes application/sdp (RFC 3261 sec. 20.1): is this one a server for something else (messages, presence)? Its Accept names what it takes"
                },
            )
        }
        488 | 606 => because(refused, Why::Media, &status, fail),
        420 => fail(
            "extension-refused",
            Side::Peer,
            format!("{status}: {}", or_nothing(listed(HeaderName::Unsupported))),
            "set the extension to 'supported', not 'required', on the device, or switch it on at the platform",
        ),
        421 => fail(
            "extension-required",
            Side::Peer,
            format!("{status}: {}", or_nothing(listed(HeaderName::Require))),
            "platform: do not demand what old devices lack",
        ),
        422 => fail(
            "session-interval-refused",
            Side::Peer,
            format!("{status} again, or without a usable Min-SE ({})", or_nothing(listed(HeaderName::MinSe))),
            "platform: it refuses the interval that it asked for; phone: session timer 1800, or off",
        ),
        482 | 483 => fail(
            "loop",
            Side::Peer,
            format!("{status}: the platform sends the call round in circles"),
            "platform: a forwarding or a route leads back to itself",
        ),
        487 => fail(
            "terminated",
            Side::Peer,
            format!("{status}: the platform ended the call before it was answered"),
            "look at the platform's no-answer timer and its log",
        ),
        494 => fail(
            "security-agreement",
            Side::Setup,
            format!("{status}: this edge wants a security agreement, sec-agree (RFC 3329), mostly IPsec"),
            "wrong server address: it is the edge of a mobile network",
        ),
        503 if refused.rejection.retry_after.is_some() || about == Some(About::Load) => StepVerdict::of(
            Verdict::Inconclusive,
            "overloaded",
            Side::Peer,
            match refused.rejection.retry_after {
                Some(pause) => {
                    format!("{status}, Retry-After {} s: obeyed, not asked again", pause.as_secs())
                }
                None => format!("{status}: the platform takes no more calls now"),
            },
            "wait, and run it again",
        ),
        500..=599 => fail(
            "server-failed",
            Side::Peer,
            format!("{status}: the platform could not carry the call to {target}"),
            "second line: the platform's log of this Call-ID; often a route or trunk that is down, or a number at which nobody is registered (Asterisk says 503 to that)",
        ),
        _ => fail(
            "refused",
            Side::Peer,
            format!("{status}: the call to {target} was refused"),
            "second line: the platform's log of this Call-ID says why",
        ),
    }
}

/// Text for each reason, whatever the status.
fn because(
    refused: &Refused<'_>,
    why: Why,
    status: &str,
    fail: impl Fn(&'static str, Side, String, &str) -> StepVerdict,
) -> StepVerdict {
    let target = refused.target;
    // Of one of ours it is known that it waits for the call.
    let ours = refused.registered_callee;
    let waits = ours.map(|name| format!(", although {name} is registered and waits for the call"));
    // The platform said so by itself: nobody was asked.
    let by_itself = ours.filter(|_| refused.not_rung.is_some());
    let unasked = by_itself.map(|name| format!("; no INVITE came to {name}")).unwrap_or_default();
    let waits = waits.unwrap_or_default() + &unasked;
    if let (Some(name), Why::Busy | Why::Declined) = (by_itself, why) {
        let (code, what) = match why {
            Why::Busy => ("busy", "calls it busy"),
            _ => ("declined", "declined in its place"),
        };
        let idle = if refused.not_rung == Some(true) { ", which is registered and has no call" } else { "" };
        let seen = format!(
            "{status}: {target} was not rung, the platform {what} by itself: no INVITE came to {name}{idle}"
        );
        return fail(code, Side::Peer, seen, NOT_RUNG);
    }
    match why {
        Why::Busy => fail(
            "busy",
            Side::Peer,
            format!("{status}: {target} is busy"),
            "try again later; if nobody speaks there, look for calls that were never ended and for a limit of one call",
        ),
        Why::NoAnswer => fail(
            "not-answered",
            Side::Peer,
            format!("{status}: nobody answered at {target}{waits}"),
            match ours {
                Some(_) => {
                    "platform: it waited for somebody else: another device, a binding that is not there any more, or an INVITE that was lost on the way to the device"
                }
                None => {
                    "try again, or let it ring longer; if no phone rang there, look whether the device is reached: its NAT binding (keep-alive), a firewall"
                }
            },
        ),
        Why::DoNotDisturb => fail(
            "do-not-disturb",
            Side::Setup,
            format!("{status}: do-not-disturb is set for {target}{unasked}"),
            "switch it off: in the settings of the account at the platform (portal, feature code), or on its phone",
        ),
        Why::Absent => match ours {
            Some(name) => fail(
                "unavailable",
                Side::Peer,
                format!(
                    "{status} for {target}, although {name} is registered and waits for the call{unasked}"
                ),
                "second line: the binding is not where calls look for it (replication between registrars), or the call did not get through to the device",
            ),
            None => fail(
                "unavailable",
                Side::Peer,
                format!("{status}: no device takes the call to {target}"),
                "check whether a phone of the account is registered (ringback register --lookup), and its do-not-disturb and forwarding; for an outside number, check the route to it",
            ),
        },
        Why::OutOfOrder => fail(
            "unavailable",
            Side::Peer,
            format!("{status}: the device or line of {target} does not work, says the platform{waits}"),
            "platform: what it sees of the device (keep-alive, OPTIONS); its NAT binding or a firewall; for an outside number, the far network",
        ),
        Why::Declined => fail(
            "declined",
            Side::Peer,
            format!("{status}: the call to {target} was declined"),
            "somebody or something (a rule, a blacklist, do-not-disturb) refuses this caller",
        ),
        Why::Unknown | Why::Changed => match ours {
            Some(name) => fail(
                "number-unknown",
                Side::Peer,
                format!(
                    "{status} for {target}, although the registration of {name} was accepted just before{unasked}"
                ),
                "second line: the number is not attached to the account, or calls look into another location table than registrations",
            ),
            None if why == Why::Changed => fail(
                "number-unknown",
                Side::Setup,
                format!("{status}: {target} was known and is not any more"),
                "ask for the new number; second line: the account was moved or deleted",
            ),
            None => fail(
                "number-unknown",
                Side::Setup,
                format!("{status}: the platform does not know {target}"),
                "dial in the documented form (+7..., 8..., extension); second line: attach the number to an account",
            ),
        },
        Why::Incomplete => fail(
            "number-incomplete",
            Side::Setup,
            format!("{status}: {target} is too short for the dial plan"),
            "dial the full number; platform: take the forms that customers dial",
        ),
        Why::Barred => fail(
            "forbidden",
            Side::Setup,
            format!("{status}: {target} may not be called from this account"),
            if refused.caller_registered {
                "check the account's status, its right to call this number, and the caller ID that it may show"
            } else {
                "many platforms take calls of registered devices only: try it with the caller registered (--register-caller); then check the account's rights and its caller ID"
            },
        ),
        Why::CallLimit => fail(
            "call-limit",
            Side::Setup,
            format!(
                "{status}: more calls at once than the account or trunk may have, so not this one to {target}"
            ),
            "look for calls that were never ended (platform's list of calls), and raise the limit of simultaneous calls of the account or trunk",
        ),
        Why::NoCredit => fail(
            "payment-required",
            Side::Setup,
            format!("{status}: the account has no credit for a call to {target}"),
            "check balance and contract of the account that calls",
        ),
        Why::Media => fail(
            "media-refused",
            Side::Peer,
            format!("{status}: no common media; offered were PCMA, PCMU and telephone-event over RTP/AVP"),
            "switch on PCMA or PCMU, the same encryption of media (SRTP or none) and the same address family (IPv4 or IPv6) on both sides",
        ),
        Why::Congested => fail(
            "server-failed",
            Side::Peer,
            format!("{status}: the platform has no free line or channel for the call to {target}"),
            "second line: trunks and their channels, also a route that is down; Asterisk says so too where the callee is not registered, and where no trunk or device takes the codecs",
        ),
    }
}

const NOT_RUNG: &str = "platform: what does it take the state of this account from? Look there for calls that were never ended, a limit of calls, do-not-disturb or presence that hangs, a rule that refuses this caller, and bindings that calls do not look at; its log of this Call-ID says it";

/// Statuses that say the same whatever was asked.
fn says_the_same(status: u16) -> bool {
    matches!(
        status,
        305 | 380 | 400 | 405 | 406 | 413 | 414 | 439 | 469 | 470 | 493 | 501 | 505 | 513 | 555 | 580
    )
}

fn status_of(rejection: &Rejection) -> String {
    match rejection.status {
        Some(status) => format!("{status} {}", rejection.phrase).trim_end().to_owned(),
        None => "no response".to_owned(),
    }
}

/// Words that Reason and Warning add.
fn explained(rejection: &Rejection) -> String {
    let reasons = rejection.reasons.iter().map(|reason| format!("Reason: {reason}"));
    let warnings = rejection.warnings.iter().map(|warning| format!("Warning: {warning}"));
    let why = reasons.chain(warnings).collect::<Vec<_>>().join("; ");
    if why.is_empty() { why } else { format!(" ({why})") }
}

fn or_nothing(text: String) -> String {
    if text.is_empty() { "it does not say which".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;
    use crate::ua::End;
    use bytes::Bytes;

    fn refused(head: &str, ours: Option<&str>) -> (StepVerdict, &'static str) {
        let text = format!("SIP/2.0 {head}\r\n\r\n");
        let response = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let values = |name: HeaderName| {
            response.values(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>()
        };
        let said = Said::read(&response);
        let rejection = Rejection {
            end: End::Refused,
            status: response.status(),
            phrase: said.phrase,
            reasons: values(HeaderName::Reason),
            warnings: values(HeaderName::Warning),
            retry_after: said.retry_after,
            targets: Vec::new(),
            challenges: Vec::new(),
            requests: 1,
        };
        let judged = judge(&Refused {
            rejection: &rejection,
            response: Some(&response),
            target: "sip:bob@pbx.example",
            registered_callee: ours,
            not_rung: None,
            caller_registered: false,
            follows_redirects: false,
            user: "alice",
        });
        (judged, result(response.status().unwrap(), &rejection))
    }

    #[test]
    fn a_refusal_is_told_by_its_reason_then_its_words_then_its_status() {
        let limit = "Warning: 399 pbx \"Concurrent calls exceeded\"";
        for (head, code, result, seen, advice) in [
            (
                "480 Do Not Disturb",
                "do-not-disturb",
                "do not disturb",
                "do-not-disturb is set",
                "switch it off",
            ),
            (
                "486 Do Not Disturb",
                "do-not-disturb",
                "do not disturb",
                "do-not-disturb is set",
                "switch it off",
            ),
            (
                "603 Decline\r\nReason: Q.850;cause=19",
                "not-answered",
                "not answered",
                "nobody answered",
                "waited for somebody else",
            ),
            ("480 Do Not Disturb\r\nReason: Q.850;cause=17", "busy", "busy", "is busy", "limit of one call"),
            (
                "480 Temporarily Unavailable\r\nReason: Q.850;cause=20",
                "unavailable",
                "unavailable",
                "although bob",
                "replication",
            ),
            ("480 Temporarily Unavailable", "unavailable", "unavailable", "although bob", "replication"),
            (
                "502 Bad Gateway\r\nReason: Q.850;cause=27",
                "unavailable",
                "unavailable",
                "does not work",
                "keep-alive",
            ),
            ("603 Decline\r\nReason: Q.850;cause=21", "declined", "refused", "was declined", "a rule"),
            ("603 Decline", "declined", "refused", "was declined", "a rule"),
            (
                "480 Gone\r\nReason: Q.850;cause=31",
                "unavailable",
                "unavailable",
                "although bob",
                "replication",
            ),
            (
                "503 Service Unavailable\r\nReason: Q.850;cause=34",
                "server-failed",
                "server failure",
                "no free line",
                "trunks",
            ),
            ("503 Service Unavailable", "server-failed", "server failure", "could not carry", "trunk"),
            ("503 Maximum Calls In Progress", "overloaded", "server failure", "takes no more calls", "wait"),
            (
                &format!("403 Forbidden\r\n{limit}"),
                "call-limit",
                "refused",
                "more calls at once",
                "never ended",
            ),
            (
                &format!("480 Unavailable\r\n{limit}"),
                "call-limit",
                "refused",
                "more calls at once",
                "never ended",
            ),
            (
                "403 Forbidden\r\nX-Error: Insufficient balance",
                "payment-required",
                "refused",
                "no credit",
                "balance",
            ),
            ("403 Forbidden", "forbidden", "refused", "may not be called", "--register-caller"),
            ("500 Oops\r\nReason: SIP;cause=486", "busy", "busy", "is busy", "limit of one call"),
            ("410 Gone", "number-unknown", "unknown number", "although the registration of bob", "attached"),
        ] {
            let (judged, word) = refused(head, Some("bob"));
            let finding = judged.finding.unwrap();
            assert_eq!((&*finding.code, word), (code, result), "{head}: {}", finding.seen);
            assert!(finding.seen.contains(seen), "{head}: {seen:?} is not in {:?}", finding.seen);
            assert!(finding.advice.contains(advice), "{head}: {advice:?} is not in {:?}", finding.advice);
            for header in head.split("\r\n").skip(1) {
                let value = header.split_once(": ").unwrap().1;
                assert!(finding.seen.contains(value), "{head}: {value} is not told: {}", finding.seen);
            }
        }
        let (judged, _) = refused("408 Request Timeout", None);
        assert!(judged.detail.contains("does not answer the platform"), "{}", judged.detail);
    }
}
