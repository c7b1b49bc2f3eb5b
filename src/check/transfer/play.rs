//! The course of the check.

use super::keys::{self, Keyed};
use super::matrix::{Heard, listen};
use super::steady::{doubted, listen_for};
use super::{Transfer, TransferKind, TransferResult, TransferTarget};
use super::{name, park};
use crate::check::judged::{Judged, interrupted};
use crate::check::pair::Pair;
use crate::check::stage::{Expect, Party, Seen, Stage, Until};
use crate::check::{Interrupted, MetricValue, Run, StepMark, Verdict};
use crate::ua::call::{Command, Event, Hold};
use crate::ua::transfer::{Refer, Replaces, SubscriptionEnd, Target, TransferorEvent};
use std::time::{Duration, Instant};

/// Time that a target rings before it answers.
pub(super) const RING: Duration = Duration::from_millis(300);
/// Time for the answer to a REFER or re-INVITE.
const ANSWER: Duration = Duration::from_secs(10);
/// What is left to happen once the right two hear each other, or the last NOTIFY came.
pub(super) const REST: Duration = Duration::from_millis(700);
/// Time for legs to end.
pub(super) const END: Duration = Duration::from_secs(3);

/// What the transferor and the audio say of a transfer.
pub(super) struct Played {
    pub(super) refer: ReferAnswer,
    /// Statuses of NOTIFYs, in order.
    pub(super) notified: Vec<u16>,
    /// A NOTIFY ended the subscription.
    pub(super) terminated: bool,
    pub(super) after: Heard,
    /// INVITEs that reached the target for the transfer, without those that took a call over.
    pub(super) alerted: usize,
    /// Has the transferee a call that is up?
    pub(super) transferee_up: bool,
}

/// What the REFER was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReferAnswer {
    Accepted(u16),
    Refused(u16, String),
    /// No answer, or not sent: why.
    Lost(String),
    /// The transfer was asked for by keys.
    NotSent,
}

pub(super) async fn run(check: &Transfer, run: &mut Run) {
    let mut stage = Stage::default();
    if open(check, run, &mut stage).await {
        let mut result = TransferResult {
            kind: check.kind,
            parties: check.names(),
            transferor: check.roles().0,
            before: None,
            after: None,
            keys: check.keys.as_ref().map(ToString::to_string),
            park: check.slot.as_ref().map(|(place, _)| place.clone()),
            refer_status: None,
            notified: Vec::new(),
            took: None,
            legs_left: 0,
            transferee: String::new(),
        };
        let _ = transfer(check, run, &mut stage, &mut result).await;
        run.transferred(result);
    }
    stage.clear(run).await;
}

async fn open(check: &Transfer, run: &mut Run, stage: &mut Stage) -> bool {
    for (number, account, step, register) in
        [(0, &check.a, "party-a", false), (1, &check.b, "party-b", true), (2, &check.c, "party-c", true)]
    {
        match Party::open(run, account, number, step, register).await {
            Some(party) => stage.parties.push(party),
            None => return false,
        }
    }
    true
}

pub(super) fn end(run: &mut Run, mark: StepMark, judged: Judged) -> bool {
    let judged = judged.shown_by(&(0..run.record_count()));
    let pass = judged.verdict == Verdict::Pass;
    run.end(mark, judged.verdict, judged.detail);
    judged.finding.into_iter().for_each(|finding| run.find(finding));
    pass
}

/// All steps behind the parties; `None` when one of them kept out the rest.
async fn transfer(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Stage,
    result: &mut TransferResult,
) -> Option<()> {
    let names = check.names();
    let (transferor, _, target) = check.roles();
    let pair =
        Pair { a: &check.a, b: &check.b, target: check.b.aor().to_owned(), wait: check.wait, direct: true };
    let (from, to) = pair.connect(run, stage).await?;
    let (ours, theirs) = if check.by_callee { (to, from) } else { (from, to) };

    let mark = run.begin("before");
    let before = listen_for(run, stage, (0, 1)).await;
    let Some(before) = before else {
        end(run, mark, interrupted(Interrupted::Stopped));
        return None;
    };
    result.before = Some(before);
    let judged = if before.joined(0, 1) {
        Judged::pass(before.told(&names).to_string())
    } else {
        doubted(stage, name::no_audio_before(&names, before))
    };
    if !end(run, mark, judged) {
        return None;
    }

    if check.slot.is_some() {
        return park::park(check, run, stage, (ours, theirs), result).await;
    }
    if let Some(keys) = &check.keys {
        return keys::transfer(&Keyed { check, keys, ours, theirs }, run, stage, result).await;
    }
    let mut replaces = None;
    let mut consult = None;
    if check.kind != TransferKind::Blind {
        let mark = run.begin("consult");
        match consulted(check, run, stage, ours).await {
            Ok((leg, named)) => {
                consult = Some(leg);
                replaces = named;
                run.end(mark, Verdict::Pass, format!("{} reached {}", names[transferor], names[target]));
            }
            Err(judged) => {
                end(run, mark, judged);
                return None;
            }
        }
    }

    let played = refer(check, run, stage, (ours, consult), replaces, result).await?;
    let judged = doubted(stage, name::judge(check, &played));
    finish(check, run, stage, (&played, judged), (ours, consult), result).await;
    Some(())
}

/// The steps from `after` on.
pub(super) async fn finish(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Stage,
    (played, judged): (&Played, Judged),
    (ours, consult): (usize, Option<usize>),
    result: &mut TransferResult,
) {
    let (_, transferee, _) = check.roles();
    result.after = Some(played.after);
    result.notified.clone_from(&played.notified);
    result.transferee = name::fate(check, played);

    let mark = run.begin("after");
    end(run, mark, judged);
    for finding in name::beside(check, played) {
        run.find(finding.shown_by(0..run.record_count()));
    }

    release(check, run, stage, (ours, consult), result).await;
    let mark = run.begin("hang-up");
    hang_up(check, run, stage, mark, transferee).await;
}

/// The call of the transferor to the target; with the name of its dialog where the transfer takes it over.
async fn consulted(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Stage,
    ours: usize,
) -> Result<(usize, Option<Replaces>), Judged> {
    let (transferor, _, target) = check.roles();
    // A phone holds the one to be transferred while it talks to the other.
    if let Some(leg) = stage.legs.get(ours) {
        let before = leg.seen.changes.len();
        leg.handle.command(Command::Hold(Hold::SendOnly)).await;
        let held =
            |stage: &Stage| stage.seen(ours).is_none_or(|seen| seen.is_over() || seen.changes.len() > before);
        if let Until::Interrupted(why) = stage.until(run, ANSWER, held).await {
            return Err(interrupted(why));
        }
    }
    let attended = check.kind == TransferKind::Attended;
    if let Some(party) = stage.parties.get_mut(target) {
        party.expect = Some(Expect { answer_after: attended.then_some(RING), refuse: None });
    }
    let leg = stage.dial(transferor, check.c.aor()).await.map_err(|error| {
        Judged::open("probe-limit", crate::check::Side::Probe, error.to_string(), "free a port")
    })?;
    let done = |stage: &Stage| {
        stage.seen(leg).is_none_or(|seen| {
            seen.is_over() || if attended { seen.answered.is_some() } else { seen.rang().is_some() }
        }) && (!attended
            || stage.called(target).is_none_or(|called| {
                stage.seen(called).is_none_or(|seen| seen.answered.is_some() || seen.is_over())
            }))
    };
    let until = stage.until(run, check.wait, done).await;
    if let Until::Interrupted(why) = until {
        return Err(interrupted(why));
    }
    let reached = stage.seen(leg).is_some_and(|seen| {
        !seen.is_over() && if attended { seen.answered.is_some() } else { seen.rang().is_some() }
    });
    if !reached {
        let pair = Pair {
            a: &check.a,
            b: &check.c,
            target: check.c.aor().to_owned(),
            wait: check.wait,
            direct: true,
        };
        return Err(pair.not_up(run, stage, leg, until));
    }
    if attended {
        let named = match stage.legs.get(leg) {
            Some(leg) => leg.handle.replaces().await,
            None => None,
        };
        return Ok((leg, named));
    }
    // Semi-attended: the transferor gives its own call up first.
    if let Some(leg) = stage.legs.get(leg) {
        leg.handle.hang_up(None).await;
    }
    let over = |stage: &Stage| stage.seen(leg).is_none_or(Seen::is_over);
    stage.until(run, END, over).await;
    Ok((leg, None))
}

/// The REFER, and what comes of it.
async fn refer(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Stage,
    (ours, consult): (usize, Option<usize>),
    replaces: Option<Replaces>,
    result: &mut TransferResult,
) -> Option<Played> {
    let names = check.names();
    let (_, transferee, target) = check.roles();
    let attended = replaces.is_some();
    let invited_before = stage.parties.get(target).map_or(0, |party| party.invitations.len());
    expect(check, stage, RING);
    let mut to = Target::new(check.c.aor());
    to.replaces = replaces;
    let sent_at = run.now();
    let asked = format!("{} was asked to call {}", names[transferee], names[target]);
    let refer = ask(run, stage, ours, to, asked, result).await?;
    if matches!(refer, ReferAnswer::Accepted(_)) {
        notified(check, run, stage, (ours, consult), sent_at, result).await?;
    } else {
        run.skip("notify", "the REFER was not accepted");
        back(run, stage, ours, consult).await;
    }
    let after = listen_for(run, stage, (transferee, target)).await?;
    let seen = stage.seen(ours)?;
    let alerted = stage.parties.get(target).map_or(0, |party| {
        let new = party.invitations.iter().skip(invited_before);
        new.filter(|(_, invite)| !attended || Replaces::of_invite(invite).is_none()).count()
    });
    Some(Played {
        refer,
        notified: statuses(seen),
        terminated: is_terminated(seen),
        after,
        alerted,
        transferee_up: is_up(stage, transferee),
    })
}

/// Has this party a call that is up?
pub(super) fn is_up(stage: &Stage, party: usize) -> bool {
    stage.legs.iter().any(|leg| leg.party == party && leg.seen.is_up())
}

/// Tells the target what to do with the call of the transferee; where it answers, after this time.
pub(super) fn expect(check: &Transfer, stage: &mut Stage, ring: Duration) {
    if let Some(party) = stage.parties.get_mut(check.roles().2) {
        party.expect = Some(match check.target {
            TransferTarget::Answers => Expect::answer(ring),
            TransferTarget::Refuses(status) => Expect { answer_after: None, refuse: Some(status) },
            TransferTarget::Rings => Expect { answer_after: None, refuse: None },
        });
    }
}

/// The step `refer`.
pub(super) async fn ask(
    run: &mut Run,
    stage: &mut Stage,
    ours: usize,
    to: Target,
    asked: String,
    result: &mut TransferResult,
) -> Option<ReferAnswer> {
    let mark = run.begin("refer");
    stage.legs.get(ours)?.handle.refer(Refer::new(1, to)).await;
    let answered = |stage: &Stage| stage.seen(ours).is_none_or(|seen| answer(seen).is_some());
    if let Until::Interrupted(why) = stage.until(run, ANSWER, answered).await {
        end(run, mark, interrupted(why));
        return None;
    }
    let refer = stage
        .seen(ours)
        .and_then(answer)
        .unwrap_or_else(|| ReferAnswer::Lost("it was not answered".to_owned()));
    let judged = match &refer {
        ReferAnswer::Accepted(status) => {
            result.refer_status = Some(*status);
            Judged::pass(format!("{asked}: {status}"))
        }
        ReferAnswer::Refused(status, phrase) => {
            result.refer_status = Some(*status);
            name::refused(*status, phrase)
        }
        ReferAnswer::Lost(why) => name::refer_lost(why),
        ReferAnswer::NotSent => Judged::not_run("no REFER was sent"),
    };
    end(run, mark, judged);
    Some(refer)
}

/// The step `notify`: waits for what the transferor is told, and for the audio.
async fn notified(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Stage,
    (ours, consult): (usize, Option<usize>),
    sent_at: Instant,
    result: &mut TransferResult,
) -> Option<()> {
    let mark = run.begin("notify");
    let (transferor, transferee, target) = check.roles();
    let end_at = run.elapsed() + check.wait;
    let mut told_final = false;
    // Not a NOTIFY but the audio says that it is done; where nobody hears anybody, the last NOTIFY or the time.
    loop {
        let heard = listen(run, stage).await?;
        if heard.joined(transferee, target) && result.took.is_none() {
            result.took = Some(run.now().saturating_duration_since(sent_at));
        }
        let seen = stage.seen(ours)?;
        let last = statuses(seen).last().copied().unwrap_or_default();
        let final_status = last >= 200;
        if final_status && !told_final {
            told_final = true;
            let heard = if heard.joined(transferee, target) { heard } else { listen(run, stage).await? };
            if last < 300 && !heard.joined(transferee, target) {
                // What was told is not so: who hears whom now is the evidence, and nobody hangs up before it is judged.
                break;
            }
            if last < 300 {
                // So does a phone: with its part done it leaves.
                for leg in stage.legs.iter().filter(|leg| leg.party == transferor && leg.seen.is_up()) {
                    leg.handle.hang_up(None).await;
                }
            } else {
                back(run, stage, ours, consult).await;
            }
            if let Until::Interrupted(why) = stage.rest(run, REST).await {
                end(run, mark, interrupted(why));
                return None;
            }
            continue;
        }
        if told_final {
            break;
        }
        if run.elapsed() >= end_at {
            if !heard.joined(transferee, target) {
                back(run, stage, ours, consult).await;
            }
            break;
        }
    }
    if let Some(took) = result.took {
        run.metric("transfer", MetricValue::Duration(took));
    }
    let seen = stage.seen(ours)?;
    let told: Vec<String> = statuses(seen).iter().map(u16::to_string).collect();
    let judged = match told.last() {
        Some(_) => Judged::pass(format!("told {}", told.join(", "))),
        None => Judged::pass("no NOTIFY came"),
    };
    end(run, mark, judged);
    Some(())
}

/// The transfer failed: the transferor leaves the target, and takes its first call back from hold.
pub(super) async fn back(run: &mut Run, stage: &mut Stage, ours: usize, consult: Option<usize>) {
    if let Some(leg) = consult.and_then(|consult| stage.legs.get(consult)).filter(|leg| leg.seen.is_up()) {
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
    if let Some(leg) = stage.legs.get(ours).filter(|_| held) {
        let before = leg.seen.changes.len();
        leg.handle.command(Command::Resume).await;
        let done =
            |stage: &Stage| stage.seen(ours).is_none_or(|seen| seen.is_over() || seen.changes.len() > before);
        stage.until(run, END, done).await;
    }
}

fn answer(seen: &Seen) -> Option<ReferAnswer> {
    seen.transferor.iter().find_map(|(_, event)| match event {
        TransferorEvent::Accepted { status, .. } => Some(ReferAnswer::Accepted(*status)),
        TransferorEvent::Refused { status, phrase, .. } => {
            Some(ReferAnswer::Refused(*status, phrase.clone()))
        }
        TransferorEvent::Unanswered => Some(ReferAnswer::Lost("it was not answered".to_owned())),
        TransferorEvent::NotSent(why) => Some(ReferAnswer::Lost(why.clone())),
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

/// The step `release`: the transferor has no call any more, after a transfer that came about.
async fn release(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Stage,
    (ours, consult): (usize, Option<usize>),
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
    let gone = |stage: &Stage| !stage.legs.iter().any(|leg| leg.party == transferor && !leg.seen.is_over());
    let _ = stage.until(run, END, gone).await;
    // One call each is left to the two that talk.
    let extra = |party: usize| {
        stage.legs.iter().filter(|leg| leg.party == party && leg.seen.is_up()).count().saturating_sub(1)
    };
    let left = stage.legs.iter().filter(|leg| leg.party == transferor && !leg.seen.is_over()).count()
        + extra(transferee)
        + extra(target);
    result.legs_left = left;
    let Some(still) = listen_for(run, stage, (transferee, target)).await else {
        end(run, mark, interrupted(run.interrupted().unwrap_or(Interrupted::Stopped)));
        return;
    };
    let names = check.names();
    let judged = if left > 0 {
        name::legs_left(left)
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
async fn hang_up(check: &Transfer, run: &mut Run, stage: &mut Stage, mark: StepMark, transferee: usize) {
    let Some(leg) = stage.legs.iter().find(|leg| leg.party == transferee && leg.seen.is_up()) else {
        return run.end(mark, Verdict::NotRun, "the transferee has no call any more");
    };
    leg.handle.hang_up(None).await;
    let over = |stage: &Stage| stage.legs.iter().all(|leg| leg.seen.is_over());
    match stage.until(run, END, over).await {
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
