//! Digits by SIP INFO: what was refused, and what came that nobody reads (RFC 6086).

use super::DigitsVerdict;
use crate::check::judge::request::{Kind, RequestEnd};
use crate::check::judge::status::Said;
use crate::check::{Finding, Severity, Side, Verdict};
use std::borrow::Cow;
use std::time::Duration;

/// An INFO of ours that was not answered with a 2xx.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct Refusal {
    /// The Content-Type of the INFO.
    pub(in crate::check) content_type: String,
    pub(in crate::check) end: RequestEnd,
    /// Time that there was for the answer.
    pub(in crate::check) waited: Duration,
}

impl Refusal {
    /// The status of the refusal; `None`: no final answer came.
    pub(in crate::check) fn status(&self) -> Option<u16> {
        self.end.status()
    }

    fn answer(&self) -> String {
        self.end.said().map(Said::status_line).unwrap_or_default()
    }

    /// ` (Accept: application/sdp)`; empty where the answer says nothing of itself.
    fn said(&self) -> String {
        self.end.said().map(|said| said.explained("")).unwrap_or_default()
    }
}

/// An INFO that came, and what our end answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Received {
    pub(in crate::check) content_type: String,
    pub(in crate::check) status: u16,
    /// Content of an INFO that our end took and that names no digit: its body, shortened; `None` where it names one.
    pub(in crate::check) without_digit: Option<String>,
}

/// The digit could not be sent.
pub(super) fn refused(digit: char, refusals: &[Refusal], has_arrived: bool, alone: bool) -> DigitsVerdict {
    let last = refusals.last().cloned().unwrap_or_default();
    let first = refusals.first().filter(|first| refusals.len() > 1 && first.status() == Some(415));
    let judged = last.end.judge(
        &Kind {
            what: &format!("the INFO with digit {digit}"),
            refused: "info-refused",
            silent: "info-not-answered",
            lost: "platform: it loses requests in the call; look at NAT and at the route of the dialog",
        },
        last.waited,
    );
    let said = judged.detail.clone();
    let advice = judged.finding.as_ref().map(|finding| finding.advice.to_string()).unwrap_or_default();
    let code = judged.finding.as_ref().map_or("info-not-answered".into(), |finding| finding.code.clone());
    const NO_INFO: &str = "set DTMF to RFC 4733 on the phone; nothing is wrong when RFC 4733 works";
    let (mut lacking, mut verdict) = (false, judged.verdict);
    let (code, seen, advice): (Cow<'static, str>, String, String) = match last.status() {
        None => (code, format!("{said} (D14)"), advice),
        Some(481 | 408) => (
            "info-dialog-gone".into(),
            format!("{said}: the platform does not know this call any more, and the call is over (D14)"),
            advice,
        ),
        Some(405 | 501) => {
            lacking = true;
            ("info-refused".into(), format!("{said}: the far side takes no INFO (D11)"), NO_INFO.to_owned())
        }
        Some(469) => {
            lacking = true;
            (
                "info-refused".into(),
                format!(
                    "{said}: INFO without an Info Package that it knows is not taken here (RFC 6086 sec. 4.2.2)"
                ),
                NO_INFO.to_owned(),
            )
        }
        Some(_) if first.is_some() || last.status() == Some(415) => {
            lacking = true;
            let each: Vec<String> = refusals
                .iter()
                .map(|one| format!("{} with {}{}", one.content_type, one.answer(), one.said()))
                .collect();
            (
                "info-type-refused".into(),
                format!("INFO with digit {digit} was refused: {} (D12)", each.join(", ")),
                "phone: RFC 4733, or a body type that the platform takes (its Accept names them)".to_owned(),
            )
        }
        // What says that INFO, or this kind of it, is not taken says that whatever became of this one.
        Some(status) if has_arrived && !matches!(status, 403 | 488 | 489 | 606) => (
            code,
            format!("{said}, although it was passed on: the digit came to the far end, which took it"),
            "platform: the answer of the far end to an INFO goes back to who sent it: a phone that gets another one, or none, sends no more digits, or sends this one again".to_owned(),
        ),
        Some(status) => {
            // A policy that is told is no fault.
            lacking = matches!(status, 403 | 488 | 489 | 606);
            let advice = format!("{advice}; phone: RFC 4733 meanwhile");
            ("info-refused".into(), format!("{said}: the digit was not taken"), advice)
        }
    };
    // A peer that takes no INFO has to say so, and has said so: as one method of several that is worth knowing and no fault.
    let side = judged.finding.map_or(Side::Peer, |finding| finding.side);
    let mut severity = Severity::Error;
    if lacking && !alone {
        (verdict, severity) = (Verdict::NotRun, Severity::Warning);
    }
    let finding = Finding::new(code, severity, side, seen.clone(), advice);
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

/// Code of INFOs that our end refused for their type.
pub(in crate::check) const INFO_TYPE_UNKNOWN: &str = "info-type-unknown";

/// INFOs that came with a type that is ours and without a digit.
pub(super) fn empty(infos: &[Received]) -> Option<Finding> {
    let empty: Vec<&str> = infos.iter().filter_map(|info| info.without_digit.as_deref()).collect();
    let first = match empty.first()?.trim() {
        "" => "nothing".to_owned(),
        body => format!("\"{body}\""),
    };
    let many =
        if empty.len() == 1 { "one INFO came".to_owned() } else { format!("{} INFOs came", empty.len()) };
    Some(Finding::new(
        "info-without-digit",
        Severity::Error,
        Side::Peer,
        format!("{many} to the far end without a digit: the body says {first}, where Signal=digit belongs"),
        "platform: it passes INFO on and loses its body, or the line that names the digit: pass the body on as it is (application/dtmf-relay: Signal= and Duration=)",
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
        INFO_TYPE_UNKNOWN,
        severity,
        Side::Peer,
        seen,
        "platform: pass RFC 4733 on as it is where both ends agreed on it, or send application/dtmf-relay",
    ))
}
