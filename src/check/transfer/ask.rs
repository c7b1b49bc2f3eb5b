//! The REFER: sent, sent again where the answer says that it may be, and answered.

use super::play::ReferAnswer;
use super::{Transfer, told};
use crate::check::judged::{Judged, interrupted};
use crate::check::scene::trace::{Trace, What};
use crate::check::scene::{Ends, Seen, Until};
use crate::check::{Finding, Run, Severity, Side};
use crate::message::Message;
use crate::syntax::{HeaderName, Method};
use crate::transport::Direction;
use crate::ua::transfer::{Refer, Target, TransferorEvent};
use std::time::{Duration, Instant};

/// Time for the answer to a REFER.
const ANSWER: Duration = Duration::from_secs(10);
/// So long after an INVITE of the call a 481 may say that the REFER came too early for it.
const EARLY: Duration = Duration::from_secs(3);

/// What became of the REFER.
pub(super) struct Asked {
    pub(super) answer: ReferAnswer,
    /// When the one was sent that counts.
    pub(super) sent_at: Instant,
    pub(super) answered_at: Option<Instant>,
    /// How the check has to say it, when it is no pass.
    pub(super) judged: Option<Judged>,
    pub(super) warning: Option<Finding>,
}

/// Why it is sent once more.
enum Again {
    /// It came too early.
    Later(Duration),
    /// By another form of the target's name.
    ByAor,
}

/// Asks the transferee to call the target; once more where it came too early, or where the form of the target's name may be the reason.
pub(super) async fn ask(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    ours: usize,
    mut to: Target,
) -> Result<Asked, Judged> {
    let (mut waited, mut refused_form, mut token) = (None, None, 1);
    loop {
        let known = stage.seen(ours).map_or(0, |seen| seen.transferor.len());
        let sent_at = run.now();
        if let Some(leg) = stage.legs.get(ours) {
            leg.handle.refer(Refer::new(token, to.clone())).await;
        }
        let answered = |stage: &Ends| stage.seen(ours).is_none_or(|seen| answer(seen, known).is_some());
        if let Until::Interrupted(why) = stage.until(run, ANSWER, answered).await {
            return Err(interrupted(why));
        }
        let (answered_at, answer) = match stage.seen(ours).and_then(|seen| answer(seen, known)) {
            Some((at, answer)) => (Some(at), answer),
            None => (None, ReferAnswer::Lost("it was not answered".to_owned())),
        };
        let response = response(run, stage, ours);
        let again = match &answer {
            ReferAnswer::Refused(status, _) if waited.is_none() && refused_form.is_none() => {
                again(check, run, stage, (ours, sent_at), (*status, response.as_ref()))
            }
            _ => None,
        };
        match again {
            Some(Again::Later(time)) => {
                waited = Some((text_of(&answer), time));
                if let Until::Interrupted(why) = stage.rest(run, time).await {
                    return Err(interrupted(why));
                }
            }
            Some(Again::ByAor) => {
                refused_form =
                    Some((text_of(&answer), std::mem::replace(&mut to.uri, check.c.aor().to_owned())));
            }
            None => {
                let accepted = matches!(answer, ReferAnswer::Accepted(_));
                let judged = match (&answer, &refused_form) {
                    (ReferAnswer::Accepted(_), None) | (ReferAnswer::NotSent, _) => None,
                    (ReferAnswer::Accepted(status), Some((refusal, form))) => {
                        Some(told::form_refused(refusal, form, *status, &to.uri))
                    }
                    (ReferAnswer::Refused(status, phrase), _) => {
                        let tried = waited.as_ref().map(|(_, time)| *time);
                        Some(told::refused((*status, phrase), response.as_ref(), tried))
                    }
                    (ReferAnswer::Lost(why), _) => Some(told::refer_lost(why)),
                };
                let warning = waited.filter(|_| accepted).map(|(refusal, time)| too_early(&refusal, time));
                return Ok(Asked { answer, sent_at, answered_at, judged, warning });
            }
        }
        token += 1;
    }
}

fn again(
    check: &Transfer,
    run: &mut Run,
    stage: &Ends,
    (ours, sent_at): (usize, Instant),
    (status, response): (u16, Option<&Message>),
) -> Option<Again> {
    if stage.seen(ours).is_none_or(Seen::is_over) {
        return None;
    }
    if !check.refer_to.is_sip() && matches!(status, 400 | 404 | 416 | 485 | 501) {
        return Some(Again::ByAor);
    }
    let retry_after = response.and_then(|response| response.seconds(HeaderName::RetryAfter)?.ok());
    let soon = stage.legs.get(ours).is_some_and(|leg| {
        let trace = Trace::of(run, leg.handle.call_id());
        let settled = [Direction::Sent, Direction::Received].map(|direction| {
            trace.all(direction, What::Response(Method::Invite, 200, 299)).next_back().map(|entry| entry.at)
        });
        settled.into_iter().flatten().any(|at| sent_at.saturating_duration_since(at) <= EARLY)
    });
    let is_owner = stage.legs.get(ours).is_some_and(|leg| leg.is_caller);
    // RFC 3261 sec. 14.1: in steps of 10 ms, 2.1 to 4 s for who made the Call-ID, up to 2 s for the other one.
    let back_off = |run: &mut Run| match is_owner {
        true => Duration::from_millis(2_100 + 10 * run.below(191)),
        false => Duration::from_millis(10 * run.below(201)),
    };
    let asked = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
    match status {
        // The PBX may need the whole of its second, whoever made the Call-ID.
        491 | 481 if status == 491 || soon => {
            Some(Again::Later(asked.unwrap_or_else(|| back_off(run).max(Duration::from_secs(1)))))
        }
        480 | 500 | 503 => asked.map(Again::Later),
        _ => None,
    }
    .filter(|again| !matches!(again, Again::Later(time) if *time > check.wait))
}

fn text_of(answer: &ReferAnswer) -> String {
    match answer {
        ReferAnswer::Refused(status, phrase) => format!("{status} {phrase}").trim_end().to_owned(),
        ReferAnswer::Accepted(status) => status.to_string(),
        ReferAnswer::Lost(why) => why.clone(),
        ReferAnswer::NotSent => String::new(),
    }
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

/// What the REFER was answered with last.
fn response(run: &Run, stage: &Ends, ours: usize) -> Option<Message> {
    let trace = Trace::of(run, stage.legs.get(ours)?.handle.call_id());
    let last = trace.all(Direction::Received, What::Response(Method::Refer, 200, 699)).next_back()?;
    Some(last.message.clone())
}

/// The answer to the REFER whose events begin here.
fn answer(seen: &Seen, known: usize) -> Option<(Instant, ReferAnswer)> {
    seen.transferor.iter().skip(known).find_map(|(at, event)| {
        let answer = match event {
            TransferorEvent::Accepted { status, .. } => ReferAnswer::Accepted(*status),
            TransferorEvent::Refused { status, phrase, .. } => ReferAnswer::Refused(*status, phrase.clone()),
            TransferorEvent::Unanswered => ReferAnswer::Lost("it was not answered".to_owned()),
            TransferorEvent::NotSent(why) => ReferAnswer::Lost(why.clone()),
            _ => return None,
        };
        Some((*at, answer))
    })
}
