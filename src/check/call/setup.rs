//! The steps `dial` and `answer`: from the INVITE to the final response.

use super::act::{A, Act, B, CALLER};
use crate::check::judge::refusal::{self, Refused};
use crate::check::judged::{self, Judged, Silence};
use crate::check::scene::trace::What;
use crate::check::scene::{Seen, Until};
use crate::check::{Finding, Interrupted, Severity, Side, Verdict};
use crate::message::reason_phrase;
use crate::syntax::Method;
use crate::transport::{Direction, RecordEvent};
use crate::ua::End;
use crate::ua::call::{By, Cause, Rejection};
use std::time::Duration;

/// How long the end of a call that we cancelled is waited for.
const CANCELLING: Duration = Duration::from_secs(4);

/// Dials, and waits for a sign of the far side.
pub(super) async fn dial(act: &mut Act<'_>) -> Result<(), &'static str> {
    let step = act.run.begin("dial");
    if let Err(error) = act.stage.dial(A, &act.call.target).await {
        act.end(
            step,
            Judged::open(
                "probe-limit",
                Side::Probe,
                error.to_string(),
                "free some ports (--rtp-ports), or run fewer calls at once",
            ),
        );
        return Err("dial");
    }
    let there = |seen: &Seen| {
        seen.rang().is_some() || seen.early_media.is_some() || seen.answered.is_some() || seen.is_over()
    };
    let until = act.until(act.call.max_ring, |stage| stage.seen(CALLER).is_some_and(there)).await;
    let judged = match until {
        Until::Interrupted(why) => {
            act.interrupt(step, why);
            return Err("dial");
        }
        Until::TimedOut => silent(act),
        Until::Done => match not_taken(act) {
            Some(judged) => judged,
            None => Judged::pass(sign(act)),
        },
    };
    if act.end(step, judged) == Verdict::Pass { Ok(()) } else { Err("dial") }
}

/// Waits for the answer of what rings.
pub(super) async fn answer(act: &mut Act<'_>) -> Result<(), &'static str> {
    let step = act.run.begin("answer");
    let began = act.caller().map_or(act.run.now(), |leg| leg.began);
    let left = act.call.max_ring.saturating_sub(act.run.now().saturating_duration_since(began));
    let until = act
        .until(left, |stage| stage.seen(CALLER).is_some_and(|seen| seen.answered.is_some() || seen.is_over()))
        .await;
    let judged = match until {
        Until::Interrupted(why) => {
            act.interrupt(step, why);
            return Err("answer");
        }
        Until::TimedOut => {
            let judged = not_answered(act);
            if let Some(leg) = act.caller() {
                leg.handle.hang_up(None).await;
            }
            act.until(CANCELLING, |stage| stage.seen(CALLER).is_some_and(Seen::is_over)).await;
            judged
        }
        Until::Done => match not_taken(act) {
            Some(judged) => judged,
            None => answered(act),
        },
    };
    if act.end(step, judged) == Verdict::Pass { Ok(()) } else { Err("answer") }
}

/// What the far side did first, in words.
fn sign(act: &Act<'_>) -> String {
    let (Some(leg), Some(seen)) = (act.caller(), act.caller_seen()) else { return String::new() };
    let delay = act.trace(leg).request_delay().unwrap_or_default().as_secs_f64();
    match seen.progress.iter().find(|(_, status, _)| *status >= 180) {
        Some((_, status, _)) => {
            // Early media is told after the response that brings it.
            let trace = act.trace(leg);
            let first = trace.received(What::Response(Method::Invite, 180, 199));
            let described = first.is_some_and(|entry| !entry.message.body().is_empty());
            let early = if described { " with early media" } else { "" };
            format!("{status} {}{early} after {delay:.2} s", reason_phrase(*status))
        }
        None => format!("answered at once, after {delay:.2} s"),
    }
}

/// Refused, or over before anybody answered?
fn not_taken(act: &Act<'_>) -> Option<Judged> {
    let seen = act.caller_seen()?;
    if let Some((_, rejection)) = &seen.rejected {
        return Some(rejected(act, seen, rejection));
    }
    let ended = seen.ended.as_ref().filter(|_| seen.answered.is_none())?;
    Some(match &ended.cause {
        Cause::Media(error) => Judged::fail(
            "media-unusable",
            Side::Peer,
            format!("answered, and hung up by us: its description of the media cannot be used: {error}"),
            "switch on PCMA or PCMU without encryption of media; platform: its answer has to fit the offer (RFC 3264)",
        ),
        Cause::BadConfig(what) => Judged::open(
            "bad-account",
            Side::Setup,
            format!("no request could be written: {what}"),
            "look for quotes and control characters in the account and in the target",
        ),
        _ => Judged::fail(
            "terminated",
            Side::Peer,
            format!(
                "the {} ended the call before it was answered",
                if ended.by == By::Peer { "far side" } else { "probe" }
            ),
            "look at the platform's log for this Call-ID",
        ),
    })
}

fn rejected(act: &Act<'_>, seen: &Seen, rejection: &Rejection) -> Judged {
    match rejection.end {
        End::Timeout => silent(act),
        End::TransportFailed => {
            let failed =
                act.run.records().into_iter().skip(act.from).rev().find_map(|record| match record.event {
                    RecordEvent::Failed(error) => Some(error),
                    _ => None,
                });
            if let Some(error) = failed {
                return judged::transport(&error.kind, &format!("the INVITE could not be sent: {error}"));
            }
            let why = seen.not_sent.last().cloned().unwrap_or_else(|| "the connection was lost".to_owned());
            Judged::fail(
                "not-sent",
                Side::Path,
                format!("the INVITE could not be sent: {why}"),
                "check server address, port and transport; a redirection may name a place that cannot be reached",
            )
        }
        _ => refusal::judge(&Refused {
            rejection,
            response: seen.final_response.as_ref(),
            target: &act.call.target,
            registered_callee: act.call.callee.as_ref().map(|account| account.name()),
            caller_registered: act.call.register_caller,
            user: act.call.caller.credentials().username(),
        }),
    }
}

/// No sign of the far side: not even ringing.
fn silent(act: &Act<'_>) -> Judged {
    let (Some(leg), Some(party)) = (act.caller(), act.stage.parties.get(A)) else {
        return judged::interrupted(Interrupted::TimeLimit);
    };
    let unreadable = act.run.unreadable(act.from..act.run.record_count());
    let limit = act.run.probe_limit();
    judged::silence(&Silence {
        step: "INVITE",
        remote: party.flow().remote,
        transport: party.flow().transport,
        waited: act.run.now().saturating_duration_since(leg.began),
        provisional: act.trace(leg).is_answered_at_all(),
        answered_before: act.run.answers(),
        unreadable: unreadable.as_deref(),
        probe_limit: limit.as_deref(),
    })
}

/// It rang, and nobody answered in time.
fn not_answered(act: &Act<'_>) -> Judged {
    let seconds = act.call.max_ring.as_secs_f64();
    let target = &act.call.target;
    let Some(account) = &act.call.callee else {
        return Judged::fail(
            "not-answered",
            Side::Peer,
            format!("{target} rang, and nobody answered in {seconds:.0} s: cancelled"),
            "try again, or allow more time (--max-ring)",
        );
    };
    let name = account.name();
    match act.callee() {
        None => {
            not_delivered(act, format!("{target} rings, but no INVITE came to {name}, who is registered"))
        }
        Some(leg) if leg.seen.answered.is_some() => Judged::fail(
            "answer-lost",
            Side::Peer,
            format!("{name} answered, and the caller heard nothing of it in {seconds:.0} s"),
            "second line: the 200 of the callee is lost on the platform; see the ladder",
        ),
        Some(_) => Judged::fail(
            "not-answered",
            Side::Peer,
            format!("{name} rang, and was not answered in {seconds:.0} s"),
            "the callee rings longer than --max-ring, or the platform ended its ringing",
        ),
    }
}

fn not_delivered(act: &Act<'_>, seen: String) -> Judged {
    let others = act.stage.parties.get(B).map_or(0, |party| party.others);
    let advice = if others > 0 {
        "another device of the account, voice mail or forwarding takes the calls: call an account without other devices"
    } else {
        "second line: where does the platform send calls to this account? voice mail, forwarding, or a binding that calls do not look at"
    };
    Judged::fail("not-delivered", Side::Peer, seen, advice)
}

/// Answered: by whom we wanted?
fn answered(act: &mut Act<'_>) -> Judged {
    let Some((trace, seen)) = act.caller().map(|leg| (act.trace(leg), &leg.seen)) else {
        return Judged::not_run("there is no call");
    };
    let delay = trace.ringing_time().or(trace.request_delay()).unwrap_or_default().as_secs_f64();
    let rang = seen.rang().is_some();
    let mut findings = Vec::new();
    if !rang {
        let ours = act.call.callee.is_some();
        findings.push(Finding::new(
            "no-ringing",
            if ours { Severity::Warning } else { Severity::Info },
            Side::Peer,
            "answered without ringing: no 180 or 183 came before the 200",
            if ours {
                "platform: pass the 180 of the callee on; callers hear silence until somebody answers"
            } else {
                "usual for menus and conferences; a person cannot answer that fast"
            },
        ));
    }
    if let Some((status, target)) = &seen.redirected {
        findings.push(Finding::new(
            "redirect-followed",
            Severity::Info,
            Side::Peer,
            format!("{status} to {target}: followed once"),
            "not every phone follows; platform: follow it itself",
        ));
    }
    if trace.received(What::Response(Method::Invite, 422, 422)).is_some() {
        findings.push(Finding::new(
            "session-interval",
            Severity::Warning,
            Side::Peer,
            "422 Session Interval Too Small: a second INVITE obeyed it",
            "phones that do not try again cannot call: session timer 1800 or off on them, a smaller Min-SE on the platform",
        ));
    }
    let answers = trace.all(Direction::Received, What::Response(Method::Invite, 200, 299));
    let first = answers.into_iter().next().map(|entry| super::facts::answerer(&entry.message));
    let judged = match (&act.call.callee, act.callee()) {
        (Some(account), None) => not_delivered(
            act,
            format!(
                "answered, but not by {}: no INVITE came to it; the answer is of {}",
                account.name(),
                first.filter(|who| !who.is_empty()).unwrap_or_else(|| "somebody without a name".into())
            ),
        ),
        _ => Judged::pass(format!("200 after {delay:.2} s{}", if rang { " of ringing" } else { "" })),
    };
    findings.into_iter().for_each(|finding| act.find(finding));
    judged
}
