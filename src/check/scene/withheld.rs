//! What a peer wanted of our ends and did not get, as findings: whom a REFER named that nobody expected, and whose challenges were not
//! answered.

use super::leg::Seen;
use crate::check::{Finding, Severity, Side};
use crate::ua::call::Event;
use crate::ua::transfer::TransfereeEvent;

/// Findings on what one call of an end withheld, each once.
pub(super) fn findings(seen: &Seen) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (_, event) in &seen.withheld {
        let finding = match event {
            Event::Transferee { event: TransfereeEvent::Unexpected(referred), .. } => Finding::new(
                "refer-unasked",
                Severity::Warning,
                Side::Peer,
                format!(
                    "a REFER to call {} came that nobody asked for: refused with 603, not dialled",
                    referred.target.uri
                ),
                "a phone that obeys calls that number at your cost: find out who sends it (toll fraud?), and forbid REFER where it is not needed",
            ),
            Event::ChallengeRefused { method, realm, why, .. } => Finding::new(
                "challenge-not-answered",
                Severity::Warning,
                Side::Peer,
                format!("{method} was challenged for realm \"{realm}\", and not answered: {why}"),
                "nobody but the account's own registrar and proxies gets an answer made from its password; if this is one of them, let it use the realm that the registrar uses",
            ),
            _ => continue,
        };
        if !findings.iter().any(|known| known.seen == finding.seen) {
            findings.push(finding);
        }
    }
    findings
}
