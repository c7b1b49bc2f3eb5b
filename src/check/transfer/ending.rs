//! How calls end: back to the transferor, or the two that talk alone.

use super::play::{END, end};
use super::steady::{doubted, listen_for};
use super::{Transfer, TransferResult, name};
use crate::check::judged::{Judged, interrupted};
use crate::check::scene::trace::Trace;
use crate::check::scene::{Ends, Leg, Until};
use crate::check::{Interrupted, MetricValue, Run, StepMark, Verdict};
use crate::ua::call::{Command, Event};

/// The transfer failed: the transferor leaves the target, and takes its first call back from hold.
pub(super) async fn back(run: &mut Run, stage: &mut Ends, ours: usize, consult: Option<usize>) {
    if let Some(leg) = consult.and_then(|consult| stage.legs.get(consult)).filter(|leg| !leg.seen.is_over()) {
        leg.handle.hang_up(None).await;
    }
    let held = stage.seen(ours).is_some_and(|seen| {
        seen.is_up()
            && matches!(
                seen.changes
                    .iter()
                    .rev()
                    .find(|(_, event)| matches!(event, Event::Held { .. } | Event::Resumed { .. })),
                Some((_, Event::Held { .. }))
            )
    });
    if held {
        // When the check has to end, it ends with the next step.
        let _ = stage.change(run, ours, Command::Resume, END).await;
    }
}

/// The step `release`: the transferor has no call any more, after a transfer that came about.
pub(super) async fn release(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    (ours, consult, consult_kept): (usize, Option<usize>, bool),
    result: &mut TransferResult,
) {
    let mark = run.begin("release");
    let (transferor, transferee, target) = check.roles();
    let joined = result.after.is_some_and(|after| after.joined(transferee, target));
    if !joined {
        return run.end(mark, Verdict::NotRun, "the transfer did not come about");
    }
    for leg in [Some(ours), consult].into_iter().flatten() {
        if let Some(leg) = stage.legs.get(leg).filter(|leg| leg.seen.is_up()) {
            leg.handle.hang_up(None).await;
        }
    }
    // One call each is left to the two that talk.
    let left = |stage: &Ends| {
        let extra = |party: usize| {
            stage.legs.iter().filter(|leg| leg.party == party && leg.seen.is_up()).count().saturating_sub(1)
        };
        let own = stage.legs.iter().filter(|leg| leg.party == transferor && !leg.seen.is_over()).count();
        own + extra(transferee) + extra(target)
    };
    let _ = stage.until(run, END, |stage| left(stage) == 0).await;
    let left = left(stage);
    result.legs_left = left + usize::from(consult_kept);
    let Some(still) = listen_for(run, stage, (transferee, target)).await else {
        end(run, mark, interrupted(run.interrupted().unwrap_or(Interrupted::Stopped)));
        return;
    };
    let names = check.names();
    let judged = if left > 0 {
        name::legs_left(left)
    } else if consult_kept {
        name::consult_kept(&names, (transferor, transferee, target))
    } else if !still.joined(transferee, target) {
        doubted(stage, name::dropped(&names, (transferor, transferee, target), still))
    } else {
        result.after = Some(still);
        Judged::pass(format!("{} has no call any more; {}", names[transferor], still.told(&names)))
    };
    if end(run, mark, judged) {
        run.conclude(format!("{} ({})", name::done(check), still.told(&names)));
    }
}

/// One of the two that are left hangs up, and the other has to hear of it.
pub(super) async fn hang_up(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    mark: StepMark,
    transferee: usize,
) {
    let up = |leg: &Leg| leg.party == transferee && leg.seen.is_up();
    let Some((index, leg)) = stage.legs.iter().enumerate().find(|(_, leg)| up(leg)) else {
        return run.end(mark, Verdict::NotRun, "the transferee has no call any more");
    };
    leg.handle.hang_up(None).await;
    let over = |stage: &Ends| stage.legs.iter().all(|leg| leg.seen.is_over());
    let until = stage.until(run, END, over).await;
    if let Some(delay) = trace(run, stage, index).and_then(|trace| trace.disconnect_delay()) {
        run.metric("sdd", MetricValue::Duration(delay));
    }
    match until {
        Until::Done => run.end(mark, Verdict::Pass, "all are released"),
        Until::Interrupted(why) => {
            end(run, mark, interrupted(why));
        }
        Until::TimedOut => {
            let left = stage.legs.iter().filter(|leg| !leg.seen.is_over()).count();
            end(run, mark, name::not_released(left, &check.names()[transferee]));
        }
    }
}

pub(super) fn trace(run: &Run, stage: &Ends, leg: usize) -> Option<Trace> {
    stage.legs.get(leg).map(|leg| Trace::of(run, leg.handle.call_id()))
}
