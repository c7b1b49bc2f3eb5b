//! What the transferor is told after its REFER, and since when the right two hear each other.

use super::ending::back;
use super::matrix::joined_since;
use super::play::{END, REST, end};
use super::{Transfer, TransferResult};
use crate::check::judged::{Judged, interrupted};
use crate::check::scene::{Ends, Leg, Seen, Until};
use crate::check::{MetricValue, Run};
use crate::ua::transfer::{SubscriptionEnd, TransferorEvent};
use std::time::{Duration, Instant};

/// How often it is looked whether the right two hear each other; since when they do is known exactly.
const LOOK: Duration = Duration::from_millis(100);
/// What a NOTIFY of 200 may be ahead of the audio.
const AHEAD: Duration = Duration::from_millis(1_500);
/// What the last NOTIFY may be behind the audio.
const BEHIND: Duration = Duration::from_secs(5);
/// Time for the target to end the call that was taken over, before the transferor's phone does.
const REPLACED: Duration = Duration::from_secs(2);
/// Time for a transferee that has no call to get one.
const LOST: Duration = Duration::from_secs(3);

/// The step `notify`: waits for what the transferor is told, and for the audio. Gives whether the target kept the call that was taken over.
pub(super) async fn notified(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    (ours, consult): (usize, Option<usize>),
    sent_at: Instant,
    result: &mut TransferResult,
) -> Option<bool> {
    let mark = run.begin("notify");
    let (transferor, transferee, target) = check.roles();
    let end_at = run.elapsed() + check.wait;
    let (mut consult_kept, mut lost_since) = (false, None);
    // Not a NOTIFY but the audio says that it is done; where nobody hears anybody, the last NOTIFY or the time.
    let stopped = loop {
        let joined = joined_since(stage, transferee, target).await;
        result.took = joined.map(|at| at.saturating_duration_since(sent_at));
        let told = told(stage.seen(ours)?);
        if let Some((at, status)) = told {
            result.told_after = Some(at.saturating_duration_since(sent_at));
            if status >= 300 {
                back(run, stage, ours, consult).await;
                break stage.rest(run, REST).await;
            }
            if joined.is_some() {
                if let Some(consult) = consult.filter(|_| check.replaces()) {
                    let over = |stage: &Ends| stage.seen(consult).is_none_or(Seen::is_over);
                    consult_kept = stage.until(run, REPLACED, over).await == Until::TimedOut;
                }
                // So does a phone: with its part done it leaves.
                for leg in stage.legs.iter().filter(|leg| leg.party == transferor && leg.seen.is_up()) {
                    leg.handle.hang_up(None).await;
                }
                break stage.rest(run, REST).await;
            }
            if run.now().saturating_duration_since(at) >= AHEAD {
                // What was told is not so: who hears whom now is the evidence, and nobody hangs up before it is judged.
                break Until::Done;
            }
        }
        if joined.is_some_and(|at| run.now().saturating_duration_since(at) >= BEHIND) {
            break Until::Done;
        }
        let has_call = stage.legs.iter().any(|leg| leg.party == transferee && !leg.seen.is_over());
        lost_since = if has_call { None } else { lost_since.or(Some(run.now())) };
        let lost = lost_since.is_some_and(|since| run.now().saturating_duration_since(since) >= LOST);
        if run.elapsed() >= end_at || lost {
            if joined.is_none() {
                give_up(run, stage, (ours, transferee)).await;
                result.told_after = told_at(stage, ours).map(|at| at.saturating_duration_since(sent_at));
                back(run, stage, ours, consult).await;
            }
            break Until::Done;
        }
        if let interrupted @ Until::Interrupted(_) = stage.rest(run, LOOK).await {
            break interrupted;
        }
    };
    if let Until::Interrupted(why) = stopped {
        end(run, mark, interrupted(why));
        return None;
    }
    for (name, time) in [("notify", result.told_after), ("transfer", result.took)] {
        if let Some(time) = time {
            run.metric(name, MetricValue::Duration(time));
        }
    }
    let seen = stage.seen(ours)?;
    let told: Vec<String> = statuses(seen).iter().map(u16::to_string).collect();
    let judged = match told.last() {
        Some(_) => Judged::pass(format!("told {}", told.join(", "))),
        None => Judged::pass("no NOTIFY came"),
    };
    end(run, mark, judged);
    Some(consult_kept)
}

/// A transferee that calls the target itself and gets no answer gives up, and says so.
async fn give_up(run: &mut Run, stage: &mut Ends, (ours, transferee): (usize, usize)) {
    let rings = |leg: &&Leg| leg.party == transferee && leg.seen.answered.is_none() && !leg.seen.is_over();
    let mut any = false;
    for leg in stage.legs.iter().filter(rings) {
        any = true;
        leg.handle.hang_up(None).await;
    }
    if any {
        stage.until(run, END, |stage| told_at(stage, ours).is_some()).await;
    }
}

fn told_at(stage: &Ends, ours: usize) -> Option<Instant> {
    stage.seen(ours).and_then(told).map(|(at, _)| at)
}

/// The final status that the transferor was told, and when.
fn told(seen: &Seen) -> Option<(Instant, u16)> {
    seen.transferor.iter().find_map(|(at, event)| match event {
        TransferorEvent::Notified(notification) => {
            notification.status.filter(|status| *status >= 200).map(|status| (*at, status))
        }
        _ => None,
    })
}

/// What NOTIFYs told, in order.
pub(super) fn statuses(seen: &Seen) -> Vec<u16> {
    let status = |event: &TransferorEvent| match event {
        TransferorEvent::Notified(notification) => notification.status,
        _ => None,
    };
    seen.transferor.iter().filter_map(|(_, event)| status(event)).collect()
}

pub(super) fn is_terminated(seen: &Seen) -> bool {
    seen.transferor.iter().any(|(_, event)| match event {
        TransferorEvent::Notified(notification) => notification.is_terminated(),
        TransferorEvent::Over(SubscriptionEnd::Terminated { .. } | SubscriptionEnd::Suppressed) => true,
        _ => false,
    })
}
