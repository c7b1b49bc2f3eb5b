//! The end of a call: hung up by us and heard of by everybody, or ended by somebody else, and why.

use super::media;
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::{Entry, Trace, What};
use crate::check::scene::{Ended, Leg};
use crate::check::{Finding, Severity, Side};
use crate::syntax::{HeaderName, Method, SessionExpires};
use crate::ua::call::{By, Cause};
use std::time::{Duration, Instant};

/// A far side gives up a call whose ACK does not come 64*T1 after its 2xx (RFC 3261 sec. 13.3.1.4); from and to.
const NO_ACK: (Duration, Duration) = (Duration::from_secs(25), Duration::from_secs(40));
/// Repetitions of a 2xx that a slow path does not explain.
const REPEATED: usize = 2;
/// An ACK that has not come by then is lost.
const ACK_DUE: Duration = Duration::from_secs(2);

/// One end of a call that is ours.
pub(in crate::check) struct End<'a> {
    /// Whose.
    pub(in crate::check) name: &'a str,
    pub(in crate::check) leg: &'a Leg,
    /// Its messages.
    pub(in crate::check) trace: Trace,
}

/// Why a call is over that none of ours has hung up. With `both_ours` nobody else was to end it.
pub(in crate::check) fn dropped(ends: &[End<'_>], both_ours: bool) -> StepVerdict {
    let mut ended: Vec<(&End<'_>, &Ended)> =
        ends.iter().filter_map(|end| Some((end, end.leg.seen.ended.as_ref()?))).collect();
    ended.sort_by_key(|(_, ended)| ended.at);
    // Of two ends one knows the reason: the other only hears that it is over.
    let known = ended.iter().find_map(|(end, ended)| known(end, ended));
    if let Some(judged) = known {
        return judged;
    }
    let Some((end, ended)) = ended.first() else { return StepVerdict::not_run("there is no call") };
    let after = after(end.leg, ended).as_secs_f64();
    let why = if ended.reasons.is_empty() { "without a reason".to_owned() } else { ended.reasons.join(", ") };
    if !both_ours {
        return StepVerdict::pass(format!("the far side hung up {after:.1} s after the answer, {why}"));
    }
    let open: Vec<&str> = ends.iter().filter(|end| !end.leg.seen.is_over()).map(|end| end.name).collect();
    let left = match open.as_slice() {
        [] => String::new(),
        names => format!("; {} was not told", names.join(" and ")),
    };
    StepVerdict::fail(
        "dropped",
        Side::Peer,
        format!(
            "the platform ended the call {after:.1} s after the answer, {why}; neither end had hung up{left}"
        ),
        "second line: the platform's log of this Call-ID at that moment",
    )
}

fn after(leg: &Leg, ended: &Ended) -> Duration {
    ended.at.saturating_duration_since(leg.seen.answered.unwrap_or(leg.began))
}

/// A reason that can be told by its signs.
fn known(end: &End<'_>, ended: &Ended) -> Option<StepVerdict> {
    let trace = &end.trace;
    let passed = after(end.leg, ended);
    let seconds = passed.as_secs_f64();
    match &ended.cause {
        Cause::NoAck => return Some(ack_lost(end, &format!("ended after {seconds:.0} s"))),
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
            return Some(media::unusable(&format!("ended after {seconds:.1} s"), error));
        }
        _ => {}
    }
    if ended.by != By::Peer {
        return None;
    }
    let reasons = ended.reasons.join(", ");
    if is_media_timeout(&reasons) {
        return Some(StepVerdict::fail(
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
        return Some(ack_lost(end, &format!("ended by the far side after {seconds:.0} s")));
    }
    let interval = session_interval(trace)?;
    // Who misses a refresh hangs up between two thirds of the interval and its end (RFC 4028 sec. 10).
    let due = interval * 3 / 5..=interval + Duration::from_secs(5);
    due.contains(&passed).then(|| {
        let interval = interval.as_secs();
        session_expired(if trace.has_unanswered_refresh() {
            format!(
                "our refresh of the session of {interval} s was not answered: ended by the far side after {seconds:.0} s"
            )
        } else {
            format!(
                "ended by the far side {seconds:.0} s after the answer, where the session of {interval} s was to be refreshed"
            )
        })
    })
}

/// Do these Reason values speak of media that was missed?
pub(in crate::check) fn is_media_timeout(reasons: &str) -> bool {
    let text = reasons.to_ascii_lowercase();
    let media = text.contains("rtp") || text.contains("media");
    media
        && ["timeout", "time-out", "timed out", "inactiv", "no rtp", "no media"]
            .iter()
            .any(|word| text.contains(word))
}

/// What the answer says of the session's interval.
fn session_interval(trace: &Trace) -> Option<Duration> {
    let of = |entry: &Entry| {
        let value = entry.message.parsed(HeaderName::SessionExpires, SessionExpires::parse)?.ok()?;
        Some(Duration::from_secs(value.seconds.into()))
    };
    let what = What::Response(Method::Invite, 200, 299);
    trace.received(what).and_then(of).or_else(|| trace.sent(what).and_then(of))
}

fn session_expired(seen: String) -> StepVerdict {
    StepVerdict::fail(
        "session-expired",
        Side::Peer,
        seen,
        "switch the session timer off on the device; second line: who is the refresher, and does the platform answer its re-INVITE or UPDATE?",
    )
}

/// The 2xx was not acknowledged: the call ends after 32 s, or would.
fn ack_lost(end: &End<'_>, how: &str) -> StepVerdict {
    let seen = if end.leg.is_caller {
        format!("the far side repeats its 200 although we acknowledge it: {how}")
    } else {
        format!("the 200 of {} is not acknowledged: {how}", end.name)
    };
    StepVerdict::fail(
        "ack-lost",
        Side::Peer,
        seen,
        "switch off SIP ALG; the Contact or Record-Route of the 200 leads the ACK astray: see the ladder",
    )
}

/// A call that is up, but whose 2xx was not acknowledged: it would end after 32 s.
pub(in crate::check) fn unconfirmed(ends: &[End<'_>], now: Instant) -> Option<StepVerdict> {
    let is_late =
        |end: &&End<'_>| end.leg.seen.answered.is_some_and(|at| now.saturating_duration_since(at) >= ACK_DUE);
    ends.iter().filter(is_late).find_map(|end| {
        let missing = if end.leg.is_caller {
            end.trace.repeated_answers() >= REPEATED
        } else {
            end.trace.waits_for_ack() == Some(true)
        };
        missing.then(|| ack_lost(end, "the call would end after 32 s"))
    })
}

/// The first of these ends has hung up and `waited` for the others: did all hear of it? With a finding beside the verdict where its BYE was
/// refused.
pub(in crate::check) fn ended(ends: &[End<'_>], waited: Duration) -> (StepVerdict, Option<Finding>) {
    let Some((own, others)) = ends.split_first() else {
        return (StepVerdict::not_run("there is no call"), None);
    };
    let (name, waited) = (own.name, waited.as_secs());
    // The last: one that was challenged is sent again.
    let response = own.trace.received_last(What::Response(Method::Bye, 200, 699));
    let Some(response) = response.filter(|_| own.leg.seen.is_over()) else {
        let judged = StepVerdict::fail(
            "bye-not-answered",
            Side::Peer,
            format!("the BYE of {name} was not answered in {waited} s"),
            "the call may stay up and be charged: look at the route of requests in the dialog (Record-Route, Contact, SIP ALG)",
        );
        return (judged, None);
    };
    let status = response.message.status().unwrap_or_default();
    let open: Vec<&str> = others.iter().filter(|end| !end.leg.seen.is_over()).map(|end| end.name).collect();
    // A refusal that was passed on, or not: the call is not ended by it.
    if !open.is_empty() && status >= 300 {
        let phrase = response.message.reason().map(String::from_utf8_lossy).unwrap_or_default();
        let judged = StepVerdict::fail(
            "bye-refused",
            Side::Peer,
            format!(
                "the BYE of {name} was refused with {status} {phrase}, and {} was not told",
                open.join(" and ")
            ),
            match status {
                481 => {
                    "platform: it does not know the call any more and keeps its other leg: the call may stay up and be charged"
                }
                _ => {
                    "platform: a BYE has to be taken, whatever it thinks of the call: it may stay up and be charged"
                }
            },
        );
        return (judged, None);
    }
    if !open.is_empty() {
        let judged = StepVerdict::fail(
            "hang-up-not-delivered",
            Side::Peer,
            format!(
                "{name} hung up and was answered {status}, but no BYE came to {} in {waited} s",
                open.join(" and ")
            ),
            "platform: a BYE on one leg has to end the other; until then the other side stays in a dead call",
        );
        return (judged, None);
    }
    let delay = own.trace.disconnect_delay().unwrap_or_default().as_millis();
    let saw: String = others.iter().map(|end| format!(", {} saw it", end.name)).collect();
    let judged = StepVerdict::pass(format!("{name} hung up{saw}; BYE answered {status} after {delay} ms"));
    let refused = (status >= 300).then(|| {
        Finding::new(
            "bye-refused",
            Severity::Warning,
            Side::Peer,
            format!("the BYE of {name} was answered {status}"),
            "481: the platform had ended or forgotten the call already; anything else is its fault",
        )
    });
    (judged, refused)
}
