//! The answer to a REFER: whether it is worth another try, and what a refusal means.

use super::Wanted;
use crate::check::judge::request::{Kind, RequestEnd};
use crate::check::judged::StepVerdict;
use crate::check::scene::{REFER_ANSWER, ReferAnswer, ReferArrived};
use crate::check::{Finding, Severity, Side};
use crate::syntax::{ReferTo, Uri};
use std::time::Duration;

/// Time after an INVITE of the call in which a 481 may say that the REFER came too early for it.
const EARLY: Duration = Duration::from_secs(3);

/// Why a REFER is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Again {
    /// It came too early: after this time.
    Later(Duration),
    /// By another form of the target's name.
    ByAor,
}

/// A REFER that was refused, while the call is up.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Refusal {
    pub(in crate::check) status: u16,
    pub(in crate::check) retry_after: Option<Duration>,
    /// The target is named by something else than a SIP URI.
    pub(in crate::check) is_other_form: bool,
    /// Time from the last 2xx to an INVITE of the call to the REFER.
    pub(in crate::check) settled_before: Option<Duration>,
    /// The Call-ID is the transferor's own.
    pub(in crate::check) is_owner: bool,
    /// The longest pause before another try.
    pub(in crate::check) patience: Duration,
    /// Steps of 10 ms of the back-off, by chance: below 191 for the owner, below 201 for the other side.
    pub(in crate::check) chance: u64,
}

/// Is it worth another try?
pub(in crate::check) fn again(refusal: &Refusal) -> Option<Again> {
    // What these say is said of any form: the challenge, the call, the time, the extension.
    let speaks_of_else =
        matches!(refusal.status, 401 | 407 | 408 | 420 | 421 | 423 | 429 | 481 | 487 | 491 | 503 | 504);
    if refusal.is_other_form && refusal.status >= 400 && !speaks_of_else {
        return Some(Again::ByAor);
    }
    let is_soon = refusal.settled_before.is_some_and(|time| time <= EARLY);
    // RFC 3261 sec. 14.1: in steps of 10 ms, 2.1 to 4 s for who made the Call-ID, up to 2 s for the other one.
    let back_off = Duration::from_millis(10 * refusal.chance + if refusal.is_owner { 2_100 } else { 0 });
    let time = match refusal.status {
        // The PBX may need the whole of its second, whoever made the Call-ID.
        491 => refusal.retry_after.unwrap_or(back_off.max(Duration::from_secs(1))),
        481 if is_soon => refusal.retry_after.unwrap_or(back_off.max(Duration::from_secs(1))),
        480 | 500 | 503 => refusal.retry_after?,
        _ => return None,
    };
    (time <= refusal.patience).then_some(Again::Later(time))
}

/// A REFER, and how it went.
pub(in crate::check) struct Asked<'a> {
    pub(in crate::check) wanted: &'a Wanted,
    /// Request that the transferee got, in words.
    pub(in crate::check) asked: &'a str,
    pub(in crate::check) answer: &'a ReferAnswer,
    pub(in crate::check) end: &'a RequestEnd,
    /// It was sent again after this time, because of this refusal.
    pub(in crate::check) waited: Option<(&'a str, Duration)>,
    /// It was sent again by another form of the target's name: the refusal, and the form that was refused.
    pub(in crate::check) other_form: Option<(&'a str, &'a str)>,
    /// The URI that it named last, and the value of its Refer-To.
    pub(in crate::check) uri: &'a str,
    pub(in crate::check) refer_to: &'a str,
    /// Refer-To as it reached the transferee, where it did.
    pub(in crate::check) arrived: Option<&'a ReferArrived>,
}

/// The step `refer`; with warnings beside a pass where it took two tries, or arrived otherwise than it was sent.
pub(in crate::check) fn judge(asked: &Asked<'_>) -> (StepVerdict, Vec<Finding>) {
    match asked.answer {
        ReferAnswer::Accepted(status) => {
            let early = asked.waited.map(|(refusal, time)| too_early(refusal, time));
            let beside = early.into_iter().chain(rewritten(asked)).chain(repeated(asked)).collect();
            let judged = match asked.other_form {
                None => StepVerdict::pass(format!("{}: {status}", asked.asked)),
                Some((refusal, form)) => form_refused(refusal, form, *status, asked.uri),
            };
            (judged, beside)
        }
        ReferAnswer::Refused(status, phrase) => (refused(asked, *status, phrase), Vec::new()),
        ReferAnswer::Unanswered(end) => (end.judge(&kind(), REFER_ANSWER), Vec::new()),
        ReferAnswer::NotSent(why) => (not_sent(why), Vec::new()),
    }
}

/// A REFER that the transferee's phone, which is ours, refused: what reached it is not what was sent.
fn changed(asked: &Asked<'_>) -> Option<StepVerdict> {
    let arrived = asked.arrived?;
    let status = arrived.answer.filter(|status| *status >= 300)?;
    if arrived.refer_to.trim() == asked.refer_to.trim() {
        return None;
    }
    let what = if arrived.refer_to.is_empty() { "none" } else { &arrived.refer_to };
    let lost =
        if asked.refer_to.starts_with('<') && !arrived.refer_to.contains('<') { ", without <>" } else { "" };
    Some(StepVerdict::fail(
        "refer-to-changed",
        Side::Peer,
        format!(
            "the platform changed the Refer-To on its way: {} sent {}, {what} reached {}{lost}, whose phone had to refuse it ({status})",
            asked.wanted.transferor(),
            asked.refer_to,
            asked.wanted.transferee()
        ),
        "platform: pass Refer-To on as it came, with <> where the URI holds ? or ; (RFC 3515 sec. 2.1, RFC 3261 sec. 20.10)",
    ))
}

/// More REFERs reached the transferee's phone than were sent: it obeyed the first.
fn repeated(asked: &Asked<'_>) -> Option<Finding> {
    let arrived = asked.arrived.filter(|arrived| arrived.times > 1)?;
    let (transferor, transferee) = (asked.wanted.transferor(), asked.wanted.transferee());
    Some(Finding::new(
        "refer-repeated",
        Severity::Warning,
        Side::Peer,
        format!(
            "REFER came {} times to {transferee}, {transferor} sent one; {transferee}'s phone obeyed the first and refused the others",
            arrived.times
        ),
        "platform: pass a REFER on once; a phone that obeys each copy makes a call for each",
    ))
}

/// A REFER that the transferee's phone obeyed, and that names another place than the one that was sent.
fn rewritten(asked: &Asked<'_>) -> Option<Finding> {
    let arrived = asked.arrived.filter(|arrived| arrived.answer.is_some_and(|status| status < 300))?;
    if is_same_place(asked.refer_to, &arrived.refer_to) {
        return None;
    }
    Some(Finding::new(
        "refer-to-changed",
        Severity::Warning,
        Side::Peer,
        format!(
            "the platform changed the Refer-To on its way: {} sent {}, {} reached {}, whose phone obeyed",
            asked.wanted.transferor(),
            asked.refer_to,
            arrived.refer_to,
            asked.wanted.transferee()
        ),
        "platform: pass Refer-To on as it came (only the dialog in its Replaces may have to be translated): a phone without an outbound proxy calls the host that it names",
    ))
}

/// Do these Refer-To values name the same place? What a Replaces in them holds aside: who hides dialogs has to translate it.
fn is_same_place(sent: &str, arrived: &str) -> bool {
    let parts = |value: &str| {
        let value = ReferTo::parse(value.as_bytes()).ok()?;
        let uri = value.address.uri();
        let mut params: Vec<Vec<u8>> =
            uri.params().iter().map(|p| [p.name, b"=", p.value.unwrap_or_default()].concat()).collect();
        params.iter_mut().for_each(|param| param.make_ascii_lowercase());
        params.sort_unstable();
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> = uri
            .header_fields()
            .map(|(name, value)| {
                let name = name.to_ascii_lowercase();
                let value = if name == b"replaces" { Vec::new() } else { value.into_owned() };
                (name, value)
            })
            .collect();
        headers.sort_unstable();
        // User, host and port, by the rules for URIs; all parameters and headers beside.
        let behind = |part: &[u8]| if part.is_empty() { 0 } else { part.len() + 1 };
        let cut = behind(uri.headers()) + behind(uri.params().as_bytes());
        let bare =
            uri.as_bytes().get(..uri.as_bytes().len().saturating_sub(cut)).unwrap_or_default().to_vec();
        Some((bare, params, headers))
    };
    match (parts(sent), parts(arrived)) {
        (Some(sent), Some(arrived)) => {
            let is_same = match (Uri::parse(&sent.0), Uri::parse(&arrived.0)) {
                (Ok(one), Ok(other)) => one.is_equivalent(&other),
                _ => sent.0 == arrived.0,
            };
            is_same && (sent.1, sent.2) == (arrived.1, arrived.2)
        }
        _ => sent.trim() == arrived.trim(),
    }
}

fn refused(asked: &Asked<'_>, status: u16, phrase: &str) -> StepVerdict {
    if let Some(judged) = changed(asked) {
        return judged;
    }
    let unsupported = asked.end.said().and_then(|said| said.note("Unsupported"));
    let mut seen = match asked.end.said() {
        Some(_) => format!("the REFER {}", asked.end.words(REFER_ANSWER)),
        None => format!("the REFER was refused with {status} {phrase}").trim_end().to_owned(),
    };
    if let Some((refusal, time)) = asked.waited {
        let time = time.as_secs_f32();
        seen += &match refusal == asked.answer.text() {
            true => format!(" (again {time:.1} s later)"),
            false => format!(" ({time:.1} s after the first one: {refusal})"),
        };
    }
    if let Some((refusal, form)) = asked.other_form {
        seen += &format!("; the one to {form} before it as well ({refusal})");
    }
    let shared = asked.end.said().map(|said| asked.end.advice(said));
    let shared = shared.as_deref().unwrap_or("second line: the platform's log of this Call-ID says why");
    let (code, advice) = match status {
        405 | 501 => (
            "refer-refused",
            "the far side knows no REFER: transfer by the PBX's feature code (e.g. ##), or let the platform take REFER",
        ),
        403 | 603 => (
            "refer-refused",
            "the platform forbids transfer for this account, class of service or target; on trunks: bridge inside instead of sending REFER to the carrier",
        ),
        400 | 416 => (
            "refer-refused",
            "the Refer-To was not understood: <> around a URI with ? or ; in it, a domain, sip: instead of tel:",
        ),
        429 => {
            seen += ", although it had a Referred-By";
            (
                "referred-by-required",
                "platform: it wants a signed Referred-By (RFC 3892 sec. 5), which phones do not have; do not require it",
            )
        }
        420 => {
            if unsupported.is_none() {
                seen += "; which extension is not said";
            }
            (
                "refer-refused",
                "phone: switch the extension off that Unsupported names (norefersub?); platform: learn it",
            )
        }
        404 | 410 | 484 | 485 | 604 => (
            "refer-refused",
            "the platform looks the target up before it takes the REFER, and does not know it: the full number, or the account's own domain",
        ),
        491 if asked.waited.is_some() => (
            "refer-refused",
            "platform: nothing is pending in this call any more; a transaction was not cleared (H05)",
        ),
        _ => ("refer-refused", shared),
    };
    StepVerdict::fail(code, Side::Peer, seen, advice)
}

/// The REFER was refused by one form of the target's name, and accepted by another.
fn form_refused(refusal: &str, form: &str, status: u16, accepted: &str) -> StepVerdict {
    StepVerdict::fail(
        "refer-to-form-refused",
        Side::Peer,
        format!(
            "the REFER to {form} was refused ({refusal}), the same one to {accepted} was accepted ({status}) (X04)"
        ),
        "phone: write the target as sip:NUMBER@DOMAIN; platform: take tel: and bare numbers in Refer-To as in a Request-URI",
    )
}

fn kind() -> Kind<'static> {
    Kind {
        what: "the REFER",
        refused: "refer-refused",
        silent: "refer-not-answered",
        lost: "platform: requests in the call get lost; look at the route of the dialog",
    }
}

fn not_sent(why: &str) -> StepVerdict {
    StepVerdict::fail(
        "refer-not-sent",
        Side::Peer,
        format!("no REFER was sent: {why}"),
        "second line: the platform's log of this Call-ID at that moment",
    )
}

fn too_early(refusal: &str, time: Duration) -> Finding {
    Finding::new(
        "refer-too-early",
        Severity::Warning,
        Side::Peer,
        format!(
            "the first REFER got {refusal}, the same one {:.1} s later was accepted (X17)",
            time.as_secs_f32()
        ),
        "phone: wait a second before 'transfer', or newer firmware that tries again; platform: take REFER as soon as the call is up",
    )
}

impl ReferAnswer {
    /// In words.
    pub(in crate::check) fn text(&self) -> String {
        match self {
            ReferAnswer::Refused(status, phrase) => format!("{status} {phrase}").trim_end().to_owned(),
            ReferAnswer::Accepted(status) => status.to_string(),
            ReferAnswer::Unanswered(end) => format!("it {}", end.words(REFER_ANSWER)),
            ReferAnswer::NotSent(why) => why.clone(),
        }
    }
}
