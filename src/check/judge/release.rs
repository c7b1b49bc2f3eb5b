//! The end of a call: hung up by us and heard of by everybody, or ended by somebody else, and why.

use super::cancel::PROMPT;
use super::media;
use super::request::{Kind, RequestEnd};
use super::status::Said;
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::{Entry, MessageKind, Trace, reasons};
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
    /// Name of the party.
    pub(in crate::check) name: &'a str,
    pub(in crate::check) leg: &'a Leg,
    /// Its messages.
    pub(in crate::check) trace: Trace,
    /// End of its call: by whose BYE went first, also where both sent one.
    pub(in crate::check) ended: Option<Ended>,
    /// End of a BYE of its own.
    pub(in crate::check) bye: RequestEnd,
    /// A BYE that came to it and that it had to refuse: what it answered, and why.
    pub(in crate::check) refused_bye: Option<(u16, String)>,
}

impl End<'_> {
    /// The far side ended it, not we.
    pub(in crate::check) fn is_ended_by_peer(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.by == By::Peer)
    }
}

/// Why a call is over that none of ours has hung up. With `both_ours` nobody else was to end it.
pub(in crate::check) fn dropped(ends: &[End<'_>], both_ours: bool) -> StepVerdict {
    let mut ended: Vec<(&End<'_>, &Ended)> =
        ends.iter().filter_map(|end| Some((end, end.ended.as_ref()?))).collect();
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
        Cause::DialogGone(status) if session_interval(trace).is_none() => {
            return Some(StepVerdict::fail(
                "dropped",
                Side::Peer,
                format!(
                    "a request in the call was answered {status} {seconds:.1} s after the answer to the INVITE: the platform does not know the call any more"
                ),
                "second line: the platform's log of this Call-ID at that moment",
            ));
        }
        Cause::DialogGone(status) => {
            let is_refresh = session_interval(trace).is_some_and(|interval| passed * 3 >= interval);
            let what = refused_request(trace, *status);
            // RFC 3261 sec. 12.2.1.2 ends the call by both, and they mean two things.
            let gone = match status {
                408 => "the far end of the call did not answer it",
                _ => "the platform does not know the call any more",
            };
            return Some(match what.filter(|_| !is_refresh) {
                Some(method) => StepVerdict::fail(
                    "dropped",
                    Side::Peer,
                    format!("a {method} of {} was answered {status} after {seconds:.0} s: {gone}", end.name),
                    "platform: look at what changed the dialog before, and whether requests in it reach the server that has it (RFC 3261 sec. 12.2.1.2)",
                ),
                None => session_expired(format!(
                    "the refresh of the session was answered {status} after {seconds:.0} s: {gone}"
                )),
            });
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
    // A party that misses a refresh hangs up between two thirds of the interval and its end (RFC 4028 sec. 10).
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

/// Request of ours in the call that was refused last with this status.
fn refused_request(trace: &Trace, status: u16) -> Option<&'static str> {
    let methods = [
        (Method::Invite, "re-INVITE"),
        (Method::Update, "UPDATE"),
        (Method::Info, "INFO"),
        (Method::Refer, "REFER"),
        (Method::Notify, "NOTIFY"),
    ];
    let refused = methods.into_iter().filter_map(|(method, name)| {
        Some((trace.received_last(MessageKind::Response(method, status, status))?.at, name))
    });
    refused.max_by_key(|(at, _)| *at).map(|(_, name)| name)
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

/// Interval of the session in the answer.
fn session_interval(trace: &Trace) -> Option<Duration> {
    let of = |entry: &Entry| {
        let value = entry.message.parsed(HeaderName::SessionExpires, SessionExpires::parse)?.ok()?;
        Some(Duration::from_secs(value.seconds.into()))
    };
    let what = MessageKind::Response(Method::Invite, 200, 299);
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

/// An ACK came, for another INVITE than the one that was answered.
fn ack_misnumbered(name: &str, came: u32, due: u32, would: &str) -> StepVerdict {
    StepVerdict::fail(
        "ack-lost",
        Side::Peer,
        format!(
            "the ACK that came to {name} has CSeq {came}, and its 200 has CSeq {due}: the 200 counts as not acknowledged, and {would}"
        ),
        "platform: the ACK to a 2xx has the CSeq number of the INVITE that was answered (RFC 3261 sec. 13.2.2.4)",
    )
}

/// A call that is up, but whose 2xx was not acknowledged: it would end after 32 s.
pub(in crate::check) fn unconfirmed(ends: &[End<'_>], now: Instant) -> Option<StepVerdict> {
    let is_late =
        |end: &&End<'_>| end.leg.seen.answered.is_some_and(|at| now.saturating_duration_since(at) >= ACK_DUE);
    let would = "the call would end after 32 s";
    ends.iter().filter(is_late).find_map(|end| {
        if end.leg.is_caller && end.trace.repeated_answers() >= REPEATED && !has_arrived(ends, end) {
            return Some(ack_lost(end, would));
        }
        let tag = end.leg.handle.local_tag();
        let (at, is_change) = end.trace.unacknowledged(tag, now, ACK_DUE)?;
        if let Some((came, due)) = end.trace.misnumbered_ack(tag) {
            return Some(ack_misnumbered(end.name, came, due, would));
        }
        if !is_change {
            return Some(ack_lost(end, would));
        }
        let after = at.saturating_duration_since(end.leg.seen.answered.unwrap_or(at)).as_secs_f64();
        Some(StepVerdict::fail(
            "ack-lost",
            Side::Peer,
            format!(
                "the 200 of {} to the re-INVITE that came to it {after:.1} s after the answer is not acknowledged: {would}",
                end.name
            ),
            "platform: each 2xx to an INVITE, also to one in a call, gets its ACK (RFC 3261 sec. 13.2.2.4, 14.1), and it passes on those of the far end; see in the ladder where the ACK stays",
        ))
    })
}

/// Did the ACK of this caller arrive at the other end? It shows where both ends have one Call-ID.
fn has_arrived(ends: &[End<'_>], caller: &End<'_>) -> bool {
    ends.iter().any(|end| {
        let is_one = end.leg.handle.call_id() == caller.leg.handle.call_id();
        !end.leg.is_caller && is_one && end.trace.is_acknowledged(end.leg.handle.local_tag())
    })
}

/// The 2xx came again and again although the callee has its ACK: copies that were made on the way.
pub(in crate::check) fn repeated(ends: &[End<'_>]) -> Option<Finding> {
    let caller = ends.iter().find(|end| end.leg.is_caller && has_arrived(ends, end))?;
    // Repeated for want of the right one.
    if ends.iter().any(|end| end.trace.misnumbered_ack(end.leg.handle.local_tag()).is_some()) {
        return None;
    }
    let times = caller.trace.repeated_answers();
    (times >= REPEATED).then(|| {
        Finding::new(
            "answer-repeated",
            Severity::Warning,
            Side::Peer,
            format!(
                "the 200 came to {} {times} times more after its ACK, although that ACK reached the callee",
                caller.name
            ),
            "platform: it repeats what it has passed on already (a proxy with two nodes, a copy on the path); phones acknowledge each, and go on",
        )
    })
}

/// The first of these ends has hung up and `waited` for the others: did all hear of it? With a finding beside the verdict where its BYE was
/// refused.
pub(in crate::check) fn ended(ends: &[End<'_>], waited: Duration) -> (StepVerdict, Option<Finding>) {
    let Some((own, others)) = ends.split_first() else {
        return (StepVerdict::not_run("there is no call"), None);
    };
    let name = own.name;
    let what = format!("the BYE of {name}");
    let kind = bye(&what);
    let Some(status) = own.bye.status().filter(|_| own.leg.seen.is_over()) else {
        return (own.bye.judge(&kind, waited), None);
    };
    let open: Vec<&End<'_>> = others.iter().filter(|end| !end.leg.seen.is_over()).collect();
    if let Some(judged) =
        open.iter().find_map(|end| Some(refused_here(name, end.name, end.refused_bye.as_ref()?)))
    {
        return (judged, None);
    }
    let names = open.iter().map(|end| end.name).collect::<Vec<_>>().join(" and ");
    let refused = own.bye.said().map(|said| (said, own.bye.words(waited)));
    if let (false, Some((said, words))) = (open.is_empty(), &refused) {
        let seen = format!("the BYE of {name} {words}, and {names} was not told");
        return (StepVerdict::fail("bye-refused", Side::Peer, seen, &bye_advice(&own.bye, said)), None);
    }
    if !open.is_empty() {
        let judged = StepVerdict::fail(
            "hang-up-not-delivered",
            Side::Peer,
            format!(
                "{name} hung up and was answered {status}, but no BYE came to {names} in {} s",
                waited.as_secs()
            ),
            "platform: a BYE on one leg has to end the other; until then the other side stays in a dead call",
        );
        return (judged, None);
    }
    let delay = own.trace.disconnect_delay().unwrap_or_default().as_millis();
    let saw: String = others.iter().map(|end| format!(", {} saw it", end.name)).collect();
    let judged = StepVerdict::pass(format!("{name} hung up{saw}; BYE answered {status} after {delay} ms"));
    let refused = refused.map(|(said, words)| {
        Finding::new(
            "bye-refused",
            Severity::Warning,
            Side::Peer,
            format!("the BYE of {name} {words}"),
            bye_advice(&own.bye, said),
        )
    });
    (judged, refused)
}

/// An end that heard of the end long after the first had hung up: its people speak to nobody meanwhile.
pub(in crate::check) fn late(ends: &[End<'_>]) -> Option<Finding> {
    let (own, others) = ends.split_first()?;
    let sent = own.ended.as_ref().filter(|ended| ended.by == By::Local)?.at;
    let delays = others.iter().filter_map(|end| {
        let ended = end.leg.seen.ended.as_ref().filter(|ended| ended.by == By::Peer)?;
        Some((ended.at.saturating_duration_since(sent), end.name))
    });
    let (delay, name) = delays.max()?;
    (delay > PROMPT).then(|| {
        Finding::new(
            "bye-late",
            Severity::Warning,
            Side::Peer,
            format!("the BYE came to {name} {:.1} s after {} had hung up", delay.as_secs_f64(), own.name),
            "platform: pass a BYE on at once; until then the other side speaks to nobody, and the call is charged",
        )
    })
}

/// A BYE was refused by the platform: it ends the call all the same at the side that sent it.
fn bye_advice(bye: &RequestEnd, said: &Said) -> String {
    let advice = match said.status {
        401 | 403 | 407 | 481 => bye.advice(said),
        405 | 415 | 501 => "platform: each end of a call has to take a BYE (RFC 3261 sec. 15.1.2)".to_owned(),
        _ => bye.advice(said),
    };
    format!(
        "{advice}; a BYE has to be taken whatever it thinks of the call, which may stay up and be charged"
    )
}

/// `name` hung up, and the other end was sent a BYE that no phone can take: with what it was answered, and why.
pub(in crate::check) fn refused_here(name: &str, other: &str, (status, why): &(u16, String)) -> StepVerdict {
    StepVerdict::fail(
        if *status == 500 { OUT_OF_ORDER } else { "bye-unusable" },
        Side::Peer,
        format!("{name} hung up, and the BYE that came to {other} had to be refused there: {status}, {why}"),
        if *status == 500 { ORDER_ADVICE } else { UNUSABLE_ADVICE },
    )
}

/// A BYE, as it is called.
pub(in crate::check) fn bye(what: &str) -> Kind<'_> {
    Kind {
        what,
        refused: "bye-refused",
        silent: "bye-not-answered",
        lost: "the call may stay up and be charged: look at the route of requests in the dialog (Record-Route, Contact, SIP ALG)",
    }
}

/// Code of a request whose CSeq is lower than one before it.
pub(in crate::check) const OUT_OF_ORDER: &str = "cseq-out-of-order";
/// Advice for it.
pub(in crate::check) const ORDER_ADVICE: &str = "platform: it mixes two ranges of CSeq numbers in one dialog: each request to a phone needs a higher number than the one before, those that it passes on as well as its own; phones refuse others with 500 (RFC 3261 sec. 12.2.1.1, 12.2.2)";
/// Advice for a request that no phone can take.
pub(in crate::check) const UNUSABLE_ADVICE: &str = "platform: keep Call-ID and tags of the dialog in each request of the call (RFC 3261 sec. 12.2), and write its headers as sec. 25.1 says";

/// The platform's own BYE met ours: `both_ours` had no other end.
pub(in crate::check) fn crossed(end: &End<'_>, both_ours: bool) -> Option<Finding> {
    let (bye, is_first) = end.trace.peers_bye(end.leg.is_caller)?;
    if is_first {
        return None;
    }
    let reasons = reasons(&bye.message);
    let why = if reasons.is_empty() { "without a reason".to_owned() } else { reasons.join(", ") };
    let severity = if both_ours { Severity::Warning } else { Severity::Info };
    Some(Finding::new(
        "bye-crossed",
        severity,
        Side::Peer,
        format!("the far side ended the call of {} as well: its BYE met ours, {why}", end.name),
        "usual where two people hang up at once; where nobody did, the platform's log says why it ended the call",
    ))
}
