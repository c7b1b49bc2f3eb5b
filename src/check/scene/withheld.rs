//! What a peer wanted of our ends and did not get, as findings: whom a REFER named that nobody expected, whose challenges were not answered,
//! which requests could not be read or belonged to no call.

use super::leg::Seen;
use super::party::{Party, Stray};
use super::trace::header;
use crate::check::{Finding, Severity, Side};
use crate::syntax::HeaderName;
use crate::ua::call::Event;
use crate::ua::expected::Foreign;
use crate::ua::transfer::{Declined, TransfereeEvent};

/// Findings on requests to a party that no call of it could have.
pub(super) fn strays(party: &Party) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for Stray { message, status, why, .. } in &party.strays {
        let method = message.method().map(|method| method.to_string()).unwrap_or_default();
        let seen = format!("{} got a {method} that was answered {status}: {why}", party.account.name());
        if findings.iter().all(|known| known.seen != seen) {
            findings.push(Finding::new(
                if *status == 400 { "request-unreadable" } else { "request-stray" },
                Severity::Warning,
                Side::Peer,
                seen,
                "platform: write the header as RFC 3261 sec. 25.1 says, and keep Call-ID and tags of the dialog (sec. 12.2)",
            ));
        }
    }
    findings
}

/// Findings on what one call of an end withheld or took against the rules, each once. REFERs that cannot be taken at all count where none is
/// expected.
pub(super) fn findings(seen: &Seen, expects_refer: bool) -> Vec<Finding> {
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
            _ => continue,
        };
        if !findings.iter().any(|known| known.seen == finding.seen) {
            findings.push(finding);
        }
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

/// Findings on calls that came to a party and were not the expected one.
pub(super) fn foreign_calls(party: &Party) -> Vec<Finding> {
    let name = party.account.name();
    let mut findings: Vec<Finding> = Vec::new();
    for (from, why) in &party.foreign {
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
