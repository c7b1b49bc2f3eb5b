//! A call that ended although nobody of ours hung up, or that would have: why.

use super::act::Act;
use crate::check::Side;
use crate::check::judged::Judged;
use crate::check::scene::trace::Trace;
use crate::check::scene::{Ended, Leg};
use crate::syntax::{HeaderName, Method, SessionExpires};
use crate::ua::call::{By, Cause};
use std::time::Duration;

/// A far side gives up a call whose ACK does not come 64*T1 after its 2xx (RFC 3261 sec. 13.3.1.4); from and to.
const NO_ACK: (Duration, Duration) = (Duration::from_secs(25), Duration::from_secs(40));
/// Repetitions of a 2xx that a slow path does not explain.
const REPEATED: usize = 2;
/// An ACK that has not come by then is lost.
const ACK_DUE: Duration = Duration::from_secs(2);

/// Why the call is over.
pub(super) fn judge(act: &Act<'_>) -> Judged {
    let mut legs: Vec<(&Leg, &Ended)> =
        act.stage.legs.iter().filter_map(|leg| Some((leg, leg.seen.ended.as_ref()?))).collect();
    legs.sort_by_key(|(_, ended)| ended.at);
    // Of two ends one knows the reason: the other only hears that it is over.
    let known = legs.iter().find_map(|(leg, ended)| known(act, leg, ended));
    if let Some(judged) = known {
        return judged;
    }
    let Some((leg, ended)) = legs.first() else { return Judged::not_run("there is no call") };
    let after = after(leg, ended).as_secs_f64();
    let why = if ended.reasons.is_empty() { "without a reason".into() } else { ended.reasons.join(", ") };
    if act.call.callee.is_none() {
        return Judged::pass(format!("the far side hung up {after:.1} s after the answer, {why}"));
    }
    Judged::fail(
        "dropped",
        Side::Peer,
        format!("the platform ended the call {after:.1} s after the answer, {why}; neither end had hung up"),
        "second line: the platform's log of this Call-ID at that moment",
    )
}

fn after(leg: &Leg, ended: &Ended) -> Duration {
    ended.at.saturating_duration_since(leg.seen.answered.unwrap_or(leg.began))
}

/// A reason that can be told by its signs.
fn known(act: &Act<'_>, leg: &Leg, ended: &Ended) -> Option<Judged> {
    let trace = act.trace(leg);
    let passed = after(leg, ended);
    let seconds = passed.as_secs_f64();
    match &ended.cause {
        Cause::NoAck => return Some(ack_lost(act, leg, format!("ended after {seconds:.0} s"))),
        Cause::SessionExpired => {
            return Some(session_expired(format!(
                "the far side was to refresh the session and did not: ended after {seconds:.0} s"
            )));
        }
        Cause::DialogGone(status) => {
            return Some(session_expired(format!(
                "the refresh of the session was answered {status} after {seconds:.0} s: the platform does not know the call any more"
            )));
        }
        Cause::NoAnswer => {
            return Some(session_expired(format!(
                "the refresh of the session was not answered: ended after {seconds:.0} s"
            )));
        }
        Cause::Media(error) => {
            return Some(Judged::fail(
                "media-unusable",
                Side::Peer,
                format!("ended after {seconds:.1} s: its description of the media cannot be used: {error}"),
                "platform: a changed description has to fit the offer (RFC 3264)",
            ));
        }
        _ => {}
    }
    if ended.by != By::Peer {
        return None;
    }
    let reasons = ended.reasons.join(", ");
    if is_media_timeout(&reasons) {
        return Some(Judged::fail(
            "media-timeout",
            Side::Peer,
            format!(
                "the platform ended the call {seconds:.0} s after the answer because it missed RTP ({reasons})"
            ),
            "switch off silence suppression; open the media path (see the audio of each direction); platform: a longer media timeout",
        ));
    }
    let repeated = trace.repeated_answers() >= REPEATED || trace.waits_for_ack() == Some(true);
    if repeated && (NO_ACK.0..=NO_ACK.1).contains(&passed) {
        return Some(ack_lost(act, leg, format!("ended by the far side after {seconds:.0} s")));
    }
    let interval = session_interval(&trace)?;
    // Who misses a refresh hangs up between two thirds of the interval and its end (RFC 4028 sec. 10).
    let due = interval * 3 / 5..=interval + Duration::from_secs(5);
    due.contains(&passed).then(|| {
        if trace.has_unanswered_refresh() {
            return session_expired(format!(
                "our refresh of the session of {} s was not answered: ended by the far side after {seconds:.0} s",
                interval.as_secs()
            ));
        }
        session_expired(format!(
            "ended by the far side {seconds:.0} s after the answer, where the session of {} s was to be refreshed",
            interval.as_secs()
        ))
    })
}

pub(in crate::check) fn is_media_timeout(reasons: &str) -> bool {
    let text = reasons.to_ascii_lowercase();
    let media = text.contains("rtp") || text.contains("media");
    media
        && ["timeout", "time-out", "timed out", "inactiv", "no rtp", "no media"]
            .iter()
            .any(|w| text.contains(w))
}

/// What the answer says of the session's interval.
fn session_interval(trace: &Trace) -> Option<Duration> {
    use crate::check::scene::trace::What::Response;
    let of = |entry: &crate::check::scene::trace::Entry| {
        let value = entry.message.parsed(HeaderName::SessionExpires, SessionExpires::parse)?.ok()?;
        Some(Duration::from_secs(value.seconds.into()))
    };
    let what = Response(Method::Invite, 200, 299);
    trace.received(what).and_then(of).or_else(|| trace.sent(what).and_then(of))
}

fn session_expired(seen: String) -> Judged {
    Judged::fail(
        "session-expired",
        Side::Peer,
        seen,
        "switch the session timer off on the device; second line: who is the refresher, and does the platform answer its re-INVITE or UPDATE?",
    )
}

/// The 2xx was not acknowledged: the call ends after 32 s, or would.
fn ack_lost(act: &Act<'_>, leg: &Leg, how: String) -> Judged {
    let seen = if leg.is_caller {
        format!("the far side repeats its 200 although we acknowledge it: {how}")
    } else {
        format!("the 200 of {} is not acknowledged: {how}", act.call.callee_name())
    };
    Judged::fail(
        "ack-lost",
        Side::Peer,
        seen,
        "switch off SIP ALG; the Contact or Record-Route of the 200 leads the ACK astray: see the ladder",
    )
}

/// A call that is up, but whose 2xx was not acknowledged: it would end after 32 s.
pub(super) fn unconfirmed(act: &Act<'_>) -> Option<Judged> {
    let now = act.run.now();
    let is_late =
        |leg: &&Leg| leg.seen.answered.is_some_and(|at| now.saturating_duration_since(at) >= ACK_DUE);
    act.stage.legs.iter().filter(is_late).find_map(|leg| {
        let trace = act.trace(leg);
        let missing = if leg.is_caller {
            trace.repeated_answers() >= REPEATED
        } else {
            trace.waits_for_ack() == Some(true)
        };
        missing.then(|| ack_lost(act, leg, "the call would end after 32 s".to_owned()))
    })
}
