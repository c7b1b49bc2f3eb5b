//! Digits by SIP INFO: what was refused, and what came that nobody reads (RFC 6086).

use super::DigitsVerdict;
use crate::check::{Finding, Severity, Side, Verdict};
use crate::message::Message;
use crate::syntax::HeaderName;

/// What an INFO of ours was answered, other than with a 2xx.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct Refusal {
    /// The Content-Type of the INFO.
    pub(in crate::check) content_type: String,
    /// The status; `None`: no answer came in time.
    pub(in crate::check) status: Option<u16>,
    pub(in crate::check) phrase: String,
    /// What the answer says of itself: Accept, Recv-Info, Warning, Reason.
    pub(in crate::check) said: Vec<(&'static str, String)>,
}

impl Refusal {
    /// From the answer, where one came.
    pub(in crate::check) fn of(content_type: &str, status: Option<u16>, answer: Option<&Message>) -> Refusal {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let known = [
            ("Accept", HeaderName::Accept),
            ("Warning", HeaderName::Warning),
            ("Reason", HeaderName::Reason),
            ("Unsupported", HeaderName::Unsupported),
        ];
        let known =
            known.into_iter().filter_map(|(name, header)| Some((name, text(answer?.header(header)?))));
        let packages = answer.and_then(|answer| answer.header_named(b"Recv-Info"));
        Refusal {
            content_type: content_type.to_owned(),
            status,
            phrase: answer.and_then(Message::reason).map(text).unwrap_or_default(),
            said: known.chain(packages.map(|value| ("Recv-Info", text(value)))).collect(),
        }
    }

    fn answer(&self) -> String {
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        format!("{status} {}", self.phrase).trim_end().to_owned()
    }

    /// ` (Accept: application/sdp)`; empty where the answer says nothing of itself.
    fn said(&self) -> String {
        let said: Vec<String> = self.said.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) }
    }
}

/// An INFO that came, and what our end answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Received {
    pub(in crate::check) content_type: String,
    pub(in crate::check) status: u16,
}

/// The digit could not be sent.
pub(super) fn refused(digit: char, refusals: &[Refusal], alone: bool) -> DigitsVerdict {
    let last = refusals.last().cloned().unwrap_or_default();
    let first = refusals.first().filter(|first| refusals.len() > 1 && first.status == Some(415));
    let mut lacking = false;
    let (code, seen, advice) = match last.status {
        None => (
            "info-not-answered",
            format!("the INFO with digit {digit} was not answered (D14)"),
            "platform: it loses requests in the call; look at NAT and at the route of the dialog",
        ),
        Some(481 | 408) => (
            "info-dialog-gone",
            format!(
                "INFO with digit {digit} was refused with {}: the platform does not know this call any more, and the call is over (D14)",
                last.answer()
            ),
            "platform: in-dialog requests are misrouted; look at what changed the dialog before",
        ),
        Some(405 | 501) => {
            lacking = true;
            (
                "info-refused",
                format!(
                    "INFO with digit {digit} was refused with {}: the far side takes no INFO (D11)",
                    last.answer()
                ),
                "set DTMF to RFC 4733 on the phone; nothing is wrong when RFC 4733 works",
            )
        }
        Some(469) => {
            lacking = true;
            (
                "info-refused",
                format!(
                    "INFO with digit {digit} was refused with {}{}: INFO without an Info Package that it knows is not taken here (RFC 6086 sec. 4.2.2)",
                    last.answer(),
                    last.said()
                ),
                "set DTMF to RFC 4733 on the phone; nothing is wrong when RFC 4733 works",
            )
        }
        Some(_) if first.is_some() || last.status == Some(415) => {
            lacking = true;
            let each: Vec<String> = refusals
                .iter()
                .map(|one| format!("{} with {}{}", one.content_type, one.answer(), one.said()))
                .collect();
            (
                "info-type-refused",
                format!("INFO with digit {digit} was refused: {} (D12)", each.join(", ")),
                "phone: RFC 4733, or a body type that the platform takes (its Accept names them)",
            )
        }
        Some(status) => {
            // A policy that is told is no fault.
            lacking = matches!(status, 403 | 488 | 489 | 606);
            (
                "info-refused",
                format!(
                    "INFO with digit {digit} was refused with {}{}: the digit was not taken",
                    last.answer(),
                    last.said()
                ),
                "platform: why its log refuses this INFO; phone: RFC 4733 meanwhile",
            )
        }
    };
    // Who takes no INFO has to say so, and has said so: as one method of several that is worth knowing and no fault.
    let (verdict, severity) = if lacking && !alone {
        (Verdict::NotRun, Severity::Warning)
    } else {
        (Verdict::Fail, Severity::Error)
    };
    let finding = Finding::new(code, severity, Side::Peer, seen.clone(), advice);
    DigitsVerdict { verdict, detail: seen, findings: vec![finding], judged: None }
}

/// The digits went out under the second type only.
pub(super) fn other_type(refusals: &[Refusal]) -> Option<Finding> {
    let first = refusals.first()?;
    Some(Finding::new(
        "info-type",
        Severity::Warning,
        Side::Peer,
        format!(
            "{} was refused with {}{}, the other type was taken (D12)",
            first.content_type,
            first.answer(),
            first.said()
        ),
        "platform: accept both application/dtmf-relay and application/dtmf; phone: set the body type to the one that is taken",
    ))
}

/// INFOs of types that our end refused. With `nothing`, no digit came otherwise.
pub(super) fn unread(infos: &[Received], nothing: bool) -> Option<Finding> {
    let refused: Vec<&Received> = infos.iter().filter(|info| info.status >= 300).collect();
    let mut types: Vec<&str> = refused.iter().map(|info| info.content_type.as_str()).collect();
    let number = types.len();
    types.sort_unstable();
    types.dedup();
    let status = refused.first()?.status;
    let named =
        types.iter().map(|name| if name.is_empty() { "none" } else { name }).collect::<Vec<_>>().join(", ");
    let many = if number == 1 { "one came".to_owned() } else { format!("{number} came") };
    let (severity, seen) = match nothing {
        true => (
            Severity::Error,
            format!(
                "the digits came as INFO with Content-Type {named}, which we do not take ({many}; answered {status}): no digit came in a form that is agreed on"
            ),
        ),
        false => (
            Severity::Warning,
            format!(
                "beside the digits INFO with Content-Type {named} came, which we do not take ({many}; answered {status})"
            ),
        ),
    };
    Some(Finding::new(
        "info-type-unknown",
        severity,
        Side::Peer,
        seen,
        "platform: pass RFC 4733 on as it is where both ends agreed on it, or send application/dtmf-relay",
    ))
}
