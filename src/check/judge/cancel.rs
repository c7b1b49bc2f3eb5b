//! A call that the caller gave up, or was to give up.

use super::request::{Reply, RequestEnd};
use crate::check::judged::StepVerdict;
use crate::check::scene::Seen;
use crate::check::scene::trace::{MessageKind, Trace};
use crate::check::{Finding, Severity, Side, Verdict};
use crate::syntax::Method;
use crate::transport::Direction;
use crate::ua::call::{By, Cause};
use std::time::Duration;

/// Facts after the caller gave up.
pub(in crate::check) struct Cancelled<'a> {
    pub(in crate::check) callee_name: &'a str,
    /// The caller's messages.
    pub(in crate::check) trace: &'a Trace,
    pub(in crate::check) callee: &'a Seen,
    /// The callee's messages.
    pub(in crate::check) callee_trace: &'a Trace,
    /// Time that both ends had to be released.
    pub(in crate::check) waited: Duration,
}

/// The call was answered, or ended, while it was to ring: nothing was cancelled.
pub(in crate::check) fn too_late(callee_name: &str, caller: &Seen, callee: &Seen) -> StepVerdict {
    if caller.answered.is_some() {
        let by = match (&callee.answered, &callee.ended) {
            (Some(_), _) => format!("by {callee_name}"),
            (None, Some(ended)) if !ended.reasons.is_empty() => {
                format!(
                    "not by {callee_name}, whose ringing was cancelled, Reason: {}",
                    ended.reasons.join(", ")
                )
            }
            (None, Some(_)) => format!("not by {callee_name}, whose ringing was ended"),
            (None, None) => format!("not by {callee_name}, who still rings"),
        };
        return StepVerdict::fail(
            "answered-before-cancel",
            Side::Peer,
            format!("the call was answered {by} before the caller gave up: nothing was cancelled"),
            "a voice mailbox, forwarding or another device takes the call: check their times, or let it ring shorter (--ring-for)",
        );
    }
    let told = caller.rejected.as_ref().and_then(|(_, rejection)| {
        rejection.status.map(|status| format!("{status} {}", rejection.phrase).trim_end().to_owned())
    });
    let told = told.map_or_else(String::new, |status| format!(" with {status}"));
    StepVerdict::open(
        "ended-before-cancel",
        Side::Peer,
        format!("the platform ended the call{told} before the caller gave up: nothing was cancelled"),
        "its no-answer time is shorter than the ringing that was asked for: let it ring shorter (--ring-for)",
    )
}

/// The caller has given up.
pub(in crate::check) fn judge(cancelled: &Cancelled<'_>) -> StepVerdict {
    let Cancelled { callee_name, trace, callee, .. } = cancelled;
    let crossed = trace.received(MessageKind::Response(Method::Invite, 200, 299)).is_some();
    // Whoever else answered then, the phone that rang is to be cancelled.
    if crossed && callee.ended.is_none() && callee.answered.is_none() {
        return rings_on(
            cancelled,
            "; something else had answered the call in that moment, and it was hung up",
        );
    }
    if crossed {
        return StepVerdict::open(
            "answer-crossed-cancel",
            Side::Peer,
            format!(
                "the call was answered in the moment in which the caller gave up: it was acknowledged and hung up at once, and may be charged; whether {callee_name} stops ringing at a CANCEL was not seen"
            ),
            "run it again; let it ring shorter (--ring-for) if a mailbox takes the call then",
        );
    }
    let Some(sent) = trace.sent(MessageKind::Request(Method::Cancel)) else {
        return StepVerdict::open(
            "cancel-not-sent",
            Side::Peer,
            "no CANCEL went out: the call was over before".to_owned(),
            "see the ladder",
        );
    };
    match &callee.ended {
        None => rings_on(cancelled, ""),
        Some(ended) if ended.at < sent.at => StepVerdict::open(
            "ended-before-cancel",
            Side::Peer,
            format!("the ringing of {callee_name} was over before the CANCEL went out"),
            "its no-answer time is shorter than the ringing that was asked for: let it ring shorter (--ring-for)",
        ),
        Some(ended) if ended.by != By::Peer || ended.cause != Cause::Cancelled => StepVerdict::fail(
            "ended-otherwise",
            Side::Peer,
            format!("the ringing of {callee_name} ended, but not by a CANCEL: {}", otherwise(&ended.cause)),
            "platform: who calls ends a call that is not answered by CANCEL; a BYE is taken by phones in an early dialog too, but a phone rings on that does not know it (RFC 3261 sec. 9.1, 15)",
        ),
        Some(ended) => match given_up("the caller", trace, cancelled.waited).0 {
            judged if judged.verdict == Verdict::Pass => StepVerdict {
                finding: late(callee_name, "the caller gave up", ended.at.saturating_duration_since(sent.at)),
                ..StepVerdict::pass("the phone stopped ringing")
            },
            judged => judged,
        },
    }
}

/// The caller has given up, and the callee rings on: the CANCEL was not taken, did not fit, or was not passed on.
/// `also`: what came of the call itself.
fn rings_on(cancelled: &Cancelled<'_>, also: &str) -> StepVerdict {
    let Cancelled { callee_name, trace, callee_trace, waited, .. } = cancelled;
    let on = format!("the caller gave up {} s ago, and {callee_name} rings on{also}", waited.as_secs());
    if let Some(unmatched) = callee_trace.unmatched_cancel() {
        return StepVerdict::fail(
            "cancel-unmatched",
            Side::Peer,
            format!("{on}: the CANCEL that came to it {unmatched}"),
            UNMATCHED_ADVICE,
        );
    }
    let end = sent_cancel(trace);
    if end.status().is_some_and(|status| status < 300) {
        return StepVerdict::fail(
            "rings-on",
            Side::Peer,
            on,
            "platform: CANCEL has to be passed on to every phone that rings (F02)",
        );
    }
    not_taken(&end, &format!("{on}: the CANCEL"), *waited)
}

/// Advice for a CANCEL that matches no INVITE.
pub(in crate::check) const UNMATCHED_ADVICE: &str = "platform: a CANCEL has Request-URI, Call-ID, CSeq number and top Via (with its branch) of the INVITE that it ends (RFC 3261 sec. 9.1); phones know the call by them";

/// End of the CANCEL that we sent.
fn sent_cancel(trace: &Trace) -> RequestEnd {
    let sent = trace.sent(MessageKind::Request(Method::Cancel));
    sent.and_then(|sent| trace.request_end(true, Method::Cancel, sent.at)).unwrap_or_default()
}

/// A CANCEL of ours was refused, or not answered, hop by hop as it is (RFC 3261 sec. 9.2). `what` is its name, and what came of it.
fn not_taken(end: &RequestEnd, what: &str, waited: Duration) -> StepVerdict {
    let seen = format!("{what} {}", end.words(waited));
    let Some(said) = end.said() else {
        let side = if end.last == Reply::Nothing { Side::Path } else { Side::Peer };
        return StepVerdict::fail(
            "cancel-not-answered",
            side,
            seen,
            "look in the platform's trace whether the CANCEL arrives: it goes where the INVITE went, and is answered 200 at once by whoever got that (RFC 3261 sec. 9.2); if not, NAT or a firewall drops it",
        );
    };
    let advice = match said.status {
        401 | 407 => {
            "platform: a CANCEL cannot be sent again, so it is not to be challenged (RFC 3261 sec. 22.1)".to_owned()
        }
        481 => {
            "platform: it does not find the INVITE that this CANCEL has the branch of: a server that does not share its state with the one that took the INVITE, or a device on the path that rewrites Via (RFC 3261 sec. 9.2)".to_owned()
        }
        _ => format!("{}; a CANCEL that arrives is answered 200 (RFC 3261 sec. 9.2)", end.advice(said)),
    };
    StepVerdict::fail("cancel-refused", Side::Peer, seen, &advice)
}

/// End of a call, or of its ringing, where not by a CANCEL.
pub(super) fn otherwise(cause: &Cause) -> String {
    match cause {
        Cause::HungUp => "a BYE came".to_owned(),
        Cause::Refused(status) => format!("our end refused it with {status}"),
        Cause::NoPrack => "its reliable provisional response got no PRACK (RFC 3262 sec. 3)".to_owned(),
        Cause::NoAck => "its final response got no ACK".to_owned(),
        Cause::DialogGone(status) => format!("a request of its in the call was answered {status}"),
        Cause::NoAnswer => "a request of its in the call was not answered".to_owned(),
        Cause::Media(error) => format!("the description of the media cannot be used: {error}"),
        Cause::BadConfig(what) => format!("our end could not write a message: {what}"),
        Cause::Cancelled | Cause::SessionExpired => "its time was over".to_owned(),
    }
}

/// A final response that comes later than this after the CANCEL is told.
const LATE: Duration = Duration::from_secs(5);

/// Fate of the INVITE of `who`, who has given up its call this long ago: with a finding where its end took long.
pub(in crate::check) fn given_up(
    who: &str,
    trace: &Trace,
    waited: Duration,
) -> (StepVerdict, Option<Finding>) {
    let pass = StepVerdict::pass(format!("the call of {who} is over"));
    let Some(sent) = trace.sent(MessageKind::Request(Method::Cancel)) else { return (pass, None) };
    let seconds = waited.as_secs();
    let answered = trace.received_last(MessageKind::Response(Method::Cancel, 200, 699));
    let status = answered.and_then(|entry| entry.message.status());
    if trace.has_final() {
        // It counts when its own end came, however long others were waited for.
        let mut finals = trace.all(Direction::Received, MessageKind::Response(Method::Invite, 200, 699));
        let took = finals.find(|end| end.at >= sent.at).map_or(Duration::ZERO, |end| end.at - sent.at);
        let late = (took > LATE).then(|| {
            let seconds = took.as_secs();
            Finding::new(
                "cancelled-late",
                Severity::Info,
                Side::Peer,
                format!("the call that {who} gave up ended {seconds} s after the CANCEL"),
                "a branch that answers nothing holds it up, as it may for 32 s (RFC 3261 sec. 9.1, 16.7): look for a binding whose device is unplugged",
            )
        });
        return (pass, late);
    }
    if status.is_none_or(|status| status >= 300) {
        let what = format!("the INVITE of {who} got no final response in {seconds} s: the CANCEL of {who}");
        return (not_taken(&sent_cancel(trace), &what, waited), None);
    }
    let status = status.map_or_else(|| "not answered".to_owned(), |status| format!("answered {status}"));
    let judged = StepVerdict::fail(
        "cancel-not-answered",
        Side::Peer,
        format!("the CANCEL of {who} was {status}, and the INVITE got no final response in {seconds} s"),
        "platform: an INVITE that is cancelled ends with 487 (RFC 3261 sec. 9.2)",
    );
    (judged, None)
}

/// Time that a CANCEL or BYE may need from one end to the other.
pub(in crate::check) const PROMPT: Duration = Duration::from_secs(1);

/// It rang on for so long after `what`, and was cancelled then.
pub(in crate::check) fn late(who: &str, what: &str, delay: Duration) -> Option<Finding> {
    (delay > PROMPT).then(|| {
        Finding::new(
            "cancel-late",
            Severity::Warning,
            Side::Peer,
            format!("the CANCEL came to {who} {:.1} s after {what}: it rang on for that long", delay.as_secs_f64()),
            "platform: pass a CANCEL on at once (RFC 3261 sec. 9.2, 16.10): whoever picks up meanwhile finds nobody",
        )
    })
}

/// The callee rings, and the caller was not told: no 180 or 183 came to it.
pub(in crate::check) fn not_told(callee_name: &str) -> Finding {
    Finding::new(
        "no-ringing",
        Severity::Warning,
        Side::Peer,
        format!("{callee_name} rings, and no 180 or 183 came to the caller"),
        "platform: pass the 180 of the callee on; callers hear silence until somebody answers",
    )
}

/// A CANCEL that reached `whom` and does not say that the call was taken elsewhere, as its Reason values should (RFC 3326).
pub(in crate::check) fn reason_lost(reasons: &[String], whom: &str) -> Option<Finding> {
    if reasons.iter().any(|reason| reason.to_ascii_lowercase().contains("cause=200")) {
        return None;
    }
    let seen = if reasons.is_empty() {
        format!("the CANCEL that reached {whom} has no Reason: it will list a missed call (F03)")
    } else {
        format!(
            "the CANCEL that reached {whom} has another Reason ({}): it will list a missed call (F03)",
            reasons.join(", ")
        )
    };
    Some(Finding::new(
        "cancel-reason-lost",
        Severity::Warning,
        Side::Peer,
        seen,
        "platform: keep the Reason header of a CANCEL (RFC 3326), or set \"Call completed elsewhere\" for groups",
    ))
}
