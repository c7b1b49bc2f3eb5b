//! A call that was not answered: what the final response, or its absence, means.

use super::cause;
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
    /// Whom we called.
    pub(in crate::check) target: &'a str,
    /// The callee's name, where it is ours and registered.
    pub(in crate::check) registered_callee: Option<&'a str>,
    pub(in crate::check) caller_registered: bool,
    /// A redirection is followed once, to the hosts of the account.
    pub(in crate::check) follows_redirects: bool,
    /// The user of our credentials.
    pub(in crate::check) user: &'a str,
}

/// One word for what became of a call: the fact `result`.
pub(in crate::check) fn result(status: u16, reasons: &[String]) -> &'static str {
    match cause::meant(status, reasons) {
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
    let meant = match (rejection.status, rejection.retry_after) {
        (Some(status), None) => cause::meant(status, &rejection.reasons),
        (status, _) => status.unwrap_or_default(),
    };
    if let Some(meaning) =
        said.as_ref().filter(|said| said.status == meant && says_the_same(meant)).and_then(meaning)
    {
        return fail(meaning.code, meaning.side, format!("{status}: {}", meaning.says), meaning.advice);
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
            "a forwarding is set for who was called, or a route leads elsewhere: look at the account's forwarding; phones differ in whether they follow (ringback: --follow-redirects); platform: follow redirections itself",
        ),
        402 | 403 => fail(
            "forbidden",
            Side::Setup,
            format!("{status}: {target} may not be called from this account"),
            if refused.caller_registered {
                "check the account's status, its right to call this number, and the caller ID that it may show"
            } else {
                "many platforms take calls of registered devices only: try it with the caller registered (--register-caller); then check the account's rights and its caller ID"
            },
        ),
        404 | 410 | 485 | 604 => match refused.registered_callee {
            Some(name) => fail(
                "number-unknown",
                Side::Peer,
                format!(
                    "{status} for {target}, although the registration of {name} was accepted just before"
                ),
                "second line: the number is not attached to the account, or calls look into another location table than registrations",
            ),
            None => fail(
                "number-unknown",
                Side::Setup,
                format!("{status}: the platform does not know {target}"),
                "dial in the documented form (+7..., 8..., extension); second line: attach the number to an account",
            ),
        },
        484 => fail(
            "number-incomplete",
            Side::Setup,
            format!("{status}: {target} is too short for the dial plan"),
            "dial the full number; platform: take the forms that customers dial",
        ),
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
        480 if about == Some(About::Busy) => fail(
            "busy",
            Side::Peer,
            format!("{status}: {target} is busy"),
            "try again later; if nobody speaks there, look for calls that were never ended and for a limit of one call",
        ),
        408 | 430 | 480 => match refused.registered_callee {
            Some(name) => fail(
                "unavailable",
                Side::Peer,
                format!("{status} for {target}, although {name} is registered and waits for the call"),
                "second line: the binding is not where calls look for it (replication between registrars), or the call did not get through to the device",
            ),
            None => fail(
                "unavailable",
                Side::Peer,
                format!("{status}: no device takes the call to {target}"),
                "check whether the account is registered (ringback register), and its do-not-disturb and forwarding; of a number outside, the route to it",
            ),
        },
        486 | 600 => fail(
            "busy",
            Side::Peer,
            format!("{status}: {target} is busy"),
            "try again later; if nobody speaks there, look for calls that were never ended and for a limit of one call",
        ),
        603 | 607 | 608 => fail(
            "declined",
            Side::Peer,
            format!("{status}: the call to {target} was declined"),
            "somebody or something (a rule, a blacklist, do-not-disturb) refuses this caller",
        ),
        415 | 488 | 606 => fail(
            "media-refused",
            Side::Peer,
            format!("{status}: no common media; offered were PCMA, PCMU and telephone-event over RTP/AVP"),
            "switch on PCMA or PCMU, the same encryption of media (SRTP or none) and the same address family (IPv4 or IPv6) on both sides",
        ),
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

/// What Reason and Warning add.
fn explained(rejection: &Rejection) -> String {
    let reasons = rejection.reasons.iter().map(|reason| format!("Reason: {reason}"));
    let warnings = rejection.warnings.iter().map(|warning| format!("Warning: {warning}"));
    let why = reasons.chain(warnings).collect::<Vec<_>>().join("; ");
    if why.is_empty() { why } else { format!(" ({why})") }
}

fn or_nothing(text: String) -> String {
    if text.is_empty() { "it does not say which".to_owned() } else { text }
}
