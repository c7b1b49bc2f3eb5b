//! Demands of a peer that our ends did not meet, as findings: whom a REFER named that nobody expected, whose challenges were not answered,
//! which requests could not be read or belonged to no call.

use super::leg::{Leg, Seen};
use super::party::{Party, Stray};
use super::trace::header;
use crate::check::judge::digits::INFO_TYPE_UNKNOWN;
use crate::check::judge::release::{ORDER_ADVICE, OUT_OF_ORDER, UNUSABLE_ADVICE};
use crate::check::{Finding, Severity, Side};
use crate::message::Message;
use crate::syntax::HeaderName;
use crate::ua::call::Event;
use crate::ua::expected::Foreign;
use crate::ua::transfer::{Declined, TransfereeEvent};
use std::time::Instant;

/// Findings on requests to a party that no call of it could have; `legs` are its calls. A BYE that crossed ours, for which there is no call any
/// more, is as it should be.
pub(super) fn strays<'a>(party: &Party, legs: impl Iterator<Item = &'a Leg> + Clone) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let name = party.account.name();
    for Stray { message, status, why, .. } in &party.strays {
        let method = message.method().map(|method| method.to_string()).unwrap_or_default();
        let is_of = |leg: &Leg| message.call_id().is_ok_and(|id| id == leg.handle.call_id().as_bytes());
        let is_late = *status == 481 && legs.clone().any(|leg| is_of(leg) && leg.seen.is_over());
        if is_late && method == "BYE" {
            continue;
        }
        let finding = match is_late {
            true => late(name, &method, *status),
            false => Finding::new(
                if *status == 400 { "request-unreadable" } else { "request-stray" },
                Severity::Warning,
                Side::Peer,
                format!("{name} got a {method} that was answered {status}: {why}"),
                "platform: write the header as RFC 3261 sec. 25.1 says, and keep Call-ID and tags of the dialog (sec. 12.2)",
            ),
        };
        if findings.iter().all(|known| known.seen != finding.seen) {
            findings.push(finding);
        }
    }
    findings
}

/// A request that came when the call was over.
fn late(name: &str, method: &str, status: u16) -> Finding {
    Finding::new(
        "request-late",
        Severity::Info,
        Side::Peer,
        format!("{name} got a {method} when its call was over: answered {status}"),
        "usual where two requests meet on the way",
    )
}

/// A request in a call that our end refused; `None` where that is told otherwise, or is as it should be.
fn refused(
    name: &str,
    seen: &Seen,
    at: Instant,
    (method, status, why): (&str, u16, &str),
) -> Option<Finding> {
    let is_over = seen.ended.as_ref().is_some_and(|ended| ended.at <= at);
    // Told with the transfer, by all NOTIFYs that came to it.
    let is_told = method == "NOTIFY" && !seen.transferor.is_empty();
    if is_told || is_over && method == "BYE" {
        return None;
    }
    if method == "INVITE" && seen.refused_invite().is_some() {
        return Some(Finding::new(
            "refused-here",
            Severity::Warning,
            Side::Peer,
            format!("{name} had to refuse the INVITE that it was called with, {status}: {why}"),
            "platform: look at the INVITE to this end in the ladder, at the header that is named",
        ));
    }
    if is_over || why.starts_with("the call ") {
        return Some(late(name, method, status));
    }
    let seen = format!("{name} had to refuse a {method} in its call with {status}: {why}");
    let (code, severity, advice) = match status {
        500 if why.starts_with("out of order") => (OUT_OF_ORDER, Severity::Warning, ORDER_ADVICE),
        400 | 481 | 489 => ("request-unusable", Severity::Warning, UNUSABLE_ADVICE),
        _ => (
            "request-refused",
            Severity::Info,
            "as phones do that cannot do what was asked; platform: look at the Allow, Accept and Warning of the answer",
        ),
    };
    Some(Finding::new(code, severity, Side::Peer, seen, advice))
}

/// Findings on what one call of an end withheld or took against the rules, each once. REFERs that cannot be taken at all count where none is
/// expected.
pub(super) fn findings(name: &str, seen: &Seen, expects_refer: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (at, event) in seen.withheld.iter().chain(&seen.refused) {
        let finding = match event {
            Event::Transferee { event: TransfereeEvent::Unexpected(referred), .. } => {
                unasked(&referred.target.uri, 603)
            }
            Event::Transferee { event: TransfereeEvent::Declined(Declined::Unusable(status)), .. }
                if !expects_refer =>
            {
                let refer = seen.requests.iter().rfind(|(came, request)| {
                    came <= at && request.method().is_some_and(|method| method.as_bytes() == b"REFER")
                });
                let target = refer.map(|(_, refer)| header(refer, HeaderName::ReferTo)).unwrap_or_default();
                unasked(if target.is_empty() { "nobody" } else { &target }, *status)
            }
            Event::ChallengeRefused { method, realm, why, .. } => Finding::new(
                "challenge-not-answered",
                Severity::Warning,
                Side::Peer,
                format!("{method} was challenged for realm \"{realm}\", and not answered: {why}"),
                "nobody but the account's own registrar and proxies gets an answer made from its password; if this is one of them, let it use the realm that the registrar uses",
            ),
            Event::LooselyRead { header, value } => Finding::new(
                "header-loosely-read",
                Severity::Warning,
                Side::Peer,
                format!("{header} breaks the grammar, and was read all the same: {value}"),
                "platform: put the display name in quotes and leave out empty parameters (RFC 3261 sec. 25.1): phones that are strict answer 400",
            ),
            Event::RequestRefused { method, status, why } => {
                match refused(name, seen, *at, (method, *status, why)) {
                    Some(finding) => finding,
                    None => continue,
                }
            }
            // An offer in the INVITE that began the call is judged with it.
            Event::OfferRefused { status, offer } if seen.answered.is_some_and(|answered| answered < *at) => {
                Finding::new(
                    "reoffer-refused",
                    Severity::Warning,
                    Side::Peer,
                    format!("{name} had to refuse an offer in its call with {status}: {offer}"),
                    "platform: a re-INVITE or UPDATE offers what both ends can do: a codec of the first offer, the same protocol",
                )
            }
            _ => continue,
        };
        if !findings.iter().any(|known| known.seen == finding.seen) {
            findings.push(finding);
        }
    }
    let infos = seen.infos.iter().filter(|(.., status)| *status >= 300);
    if let Some((_, kind, _, status)) = infos.clone().next() {
        let kind = if kind.is_empty() { "none" } else { kind };
        let more = match infos.count() {
            1 => String::new(),
            number => format!(" ({number} came)"),
        };
        findings.push(Finding::new(
            INFO_TYPE_UNKNOWN,
            Severity::Info,
            Side::Peer,
            format!("{name} had to refuse an INFO with Content-Type {kind} in its call with {status}{more}"),
            "as phones do that do not know the type; digits are taken as application/dtmf-relay and application/dtmf",
        ));
    }
    findings
}

fn unasked(target: &str, status: u16) -> Finding {
    Finding::new(
        "refer-unasked",
        Severity::Warning,
        Side::Peer,
        format!("a REFER to call {target} came that nobody asked for: refused with {status}, not dialled"),
        "a phone that obeys calls that number at your cost: find out who sends it (toll fraud?), and forbid REFER where it is not needed",
    )
}

/// REFERs that came outside of any call: nobody asked for them.
pub(super) fn referred(party: &Party) -> Vec<Finding> {
    let mut targets: Vec<&str> = party.referred.iter().map(String::as_str).collect();
    targets.dedup();
    targets.iter().map(|target| unasked(if target.is_empty() { "nobody" } else { target }, 603)).collect()
}

/// An INVITE that a party was called with, and that names no place for requests in its call.
pub(super) fn without_contact(party: &Party) -> Option<Finding> {
    let without = |invite: &Message| invite.header(HeaderName::Contact).is_none();
    party.invitations.iter().find(|(_, invite)| without(invite))?;
    Some(Finding::new(
        "contact-missing",
        Severity::Warning,
        Side::Peer,
        format!(
            "the INVITE that came to {} has no Contact: requests of the phone in the call have no address (RFC 3261 sec. 8.1.1.8)",
            party.account.name()
        ),
        "platform: write a Contact into each INVITE, or pass that of the caller on: strict phones answer 400, others cannot hang up",
    ))
}

/// Findings on calls that came to a party and were not the expected one.
pub(super) fn foreign_calls(party: &Party) -> Vec<Finding> {
    let name = party.account.name();
    let mut findings: Vec<Finding> = Vec::new();
    for (_, from, why) in &party.foreign {
        let status = why.status();
        let finding = match why {
            Foreign::Caller(who) => Finding::new(
                "foreign-call",
                Severity::Warning,
                Side::Setup,
                format!(
                    "{who} called {name} meanwhile: refused with {status}, so that its other devices ring on, and not counted"
                ),
                "somebody uses this account: take a test account, or a quiet hour; if the platform shows our own caller so, let it show the account's user or its full number",
            ),
            _ => Finding::new(
                "foreign-call",
                Severity::Info,
                Side::Path,
                format!(
                    "an INVITE from {from} came to {name} that is not the expected one ({why}): refused with {status}, and not counted"
                ),
                "usual for scanners where the port can be reached from outside; if this is the platform, let it keep the Contact of the registration in its Request-URI",
            ),
        };
        if !findings.iter().any(|known| known.seen == finding.seen) {
            findings.push(finding);
        }
    }
    findings
}
