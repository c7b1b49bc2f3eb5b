//! The course of the check.

use super::ask::ask as send_refer;
use super::consult::{Consulted, Failed, consult, hold, leak};
use super::ending::{back, hang_up, release, trace};
use super::identity::{self, Cast};
use super::keys::{self, Keyed};
use super::matrix::{listen, listen_anew};
use super::notify::{is_terminated, notified, statuses};
use super::steady::{doubted, listen_for};
use super::{Transfer, TransferKind, TransferResult, TransferTarget};
use super::{name, park};
use crate::check::judged::{Judged, interrupted};
use crate::check::pair::Pair;
use crate::check::scene::{Ends, Expect, Party};
use crate::check::{Heard, Identity};
use crate::check::{Interrupted, MetricValue, Run, StepMark, Verdict};
use crate::message::Message;
use crate::syntax::{Limits, Method, Uri};
use crate::transport::{Direction, Record, RecordEvent};
use crate::ua::call::{Command, Refers};
use crate::ua::transfer::{Replaces, Target};
use std::time::{Duration, Instant};

/// Time that a target rings before it answers.
pub(super) const RING: Duration = Duration::from_millis(300);
/// Time for the answer to a REFER or re-INVITE.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
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
    /// Replaces reached the transferee otherwise than it was sent.
    pub(super) is_mangled: bool,
    /// The target did not end the call that was taken over.
    pub(super) consult_kept: bool,
    /// Something of the transfer reached the target, so that it could refuse.
    pub(super) target_asked: bool,
}

impl Played {
    /// Is the transferee where it was before?
    pub(super) fn is_back(&self, check: &Transfer) -> bool {
        let (transferor, transferee, _) = check.roles();
        self.after.joined(transferee, transferor)
    }
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
    let mut stage = Ends::default();
    if open(check, run, &mut stage).await {
        let mut result = TransferResult {
            kind: check.kind,
            parties: check.names(),
            transferor: check.roles().0,
            before: None,
            during: None,
            heard_on_hold: None,
            after: None,
            keys: check.keys.as_ref().map(ToString::to_string),
            park: check.slot.as_ref().map(|(place, _)| place.clone()),
            refer_status: None,
            notified: Vec::new(),
            took: None,
            answered_after: None,
            told_after: None,
            identity: Identity::default(),
            legs_left: 0,
            transferee: String::new(),
        };
        let _ = transfer(check, run, &mut stage, &mut result).await;
        run.transferred(result);
    }
    stage.clear(run).await;
}

async fn open(check: &Transfer, run: &mut Run, stage: &mut Ends) -> bool {
    for (number, account, step, register) in
        [(0, &check.a, "party-a", false), (1, &check.b, "party-b", true), (2, &check.c, "party-c", true)]
    {
        match Party::open(run, account, number, step, register).await {
            Some(party) => stage.parties.push(party),
            None => return false,
        }
    }
    let expected = expected(check, stage);
    if let Some(transferee) = stage.parties.get_mut(check.roles().1) {
        transferee.refers = Refers::Expected(expected);
    }
    true
}

/// Whom the transferee calls when it is asked to: the target, by each of its names, and nobody else.
fn expected(check: &Transfer, stage: &Ends) -> Vec<String> {
    let mut names =
        vec![check.c.aor().to_owned(), check.refer_to.uri(check.c.aor()), check.c.user().to_owned()];
    names.extend(stage.parties.get(check.roles().2).map(Party::contact_user));
    names.extend(check.slot.iter().map(|(place, _)| place.clone()));
    // Platforms put addresses of their own in the place of the host.
    let users = names.iter().filter_map(|name| {
        let uri = Uri::parse(name.as_bytes()).ok()?;
        uri.user().map(|user| String::from_utf8_lossy(user).into_owned())
    });
    let users: Vec<String> = users.collect();
    names.extend(users);
    names.retain(|name| !name.is_empty());
    names
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
    stage: &mut Ends,
    result: &mut TransferResult,
) -> Option<()> {
    let names = check.names();
    let (transferor, _, target) = check.roles();
    let pair =
        Pair { a: &check.a, b: &check.b, target: check.b.aor().to_owned(), wait: check.wait, direct: true };
    let (from, to) = pair.connect(run, stage).await?;
    let (ours, theirs) = if check.by_callee { (to, from) } else { (from, to) };
    if let Some(delay) = trace(run, stage, from).and_then(|trace| trace.request_delay()) {
        run.metric("srd", MetricValue::Duration(delay));
    }

    let mark = run.begin("before");
    let before = listen_for(run, stage, (0, 1)).await;
    let Some(before) = before else {
        let why = run.interrupted().unwrap_or(Interrupted::Stopped);
        end(run, mark, interrupted(why));
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
    let (mut replaces, mut leg) = (None, None);
    if check.kind == TransferKind::Blind {
        if check.at_once
            && let Err(judged) = hold(run, stage, ours).await
        {
            let mark = run.begin("refer");
            end(run, mark, judged);
            return None;
        }
    } else {
        let mark = run.begin("consult");
        match consult(check, run, stage, (ours, theirs)).await {
            Ok(consulted) => {
                let Consulted { during, on_hold, .. } = consulted;
                (result.during, result.heard_on_hold) = (during, on_hold);
                (leg, replaces) = (Some(consulted.leg), consulted.replaces);
                let heard = on_hold.map_or_else(String::new, |heard| {
                    format!("; on hold {} hears {}", names[check.roles().1], heard.told(&names))
                });
                let reached = format!("{} reached {}{heard}", names[transferor], names[target]);
                run.end(mark, Verdict::Pass, reached);
                if let Some(finding) = during.and_then(|during| leak(check, during)) {
                    run.find(finding.shown_by(0..run.record_count()));
                }
            }
            Err(failed) => return not_consulted(check, run, stage, (mark, ours, failed), result).await,
        }
    }

    let invited_before = stage.parties.get(target).map_or(0, |party| party.invitations.len());
    let (played, since) = refer(check, run, stage, (ours, leg), replaces, result).await?;
    if matches!(played.refer, ReferAnswer::Accepted(_)) {
        let cast = Cast { check, stage, ours, invited_before, since };
        let mut seen = cast.identity(run);
        if played.after.joined(check.roles().1, target) {
            cast.judge(&mut seen);
            identity::tell(check, &seen, run);
        }
        result.identity = seen;
    }
    let judged = doubted(stage, name::judge(check, &played));
    finish(check, run, stage, (&played, judged), (ours, leg), result).await;
    Some(())
}

/// The transferor could not ask the target: it takes the transferee back.
async fn not_consulted(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    (mark, ours, failed): (StepMark, usize, Failed),
    result: &mut TransferResult,
) -> Option<()> {
    let Failed { leg, judged, as_told } = failed;
    if judged.verdict == Verdict::Inconclusive || leg.is_none() {
        end(run, mark, judged);
        return None;
    }
    back(run, stage, ours, leg).await;
    let after = listen(run, stage).await?;
    let played = Played {
        refer: ReferAnswer::Lost("it was not sent".to_owned()),
        notified: Vec::new(),
        terminated: false,
        after,
        alerted: 0,
        transferee_up: is_up(stage, check.roles().1),
        is_mangled: false,
        consult_kept: false,
        target_asked: false,
    };
    result.after = Some(after);
    result.transferee = name::fate(check, &played);
    let judged = match as_told {
        Some(seen) => name::not_consulted(check, &played, &seen),
        None => judged,
    };
    end(run, mark, judged);
    run.skip("refer", "the target was not reached");
    run.skip("notify", "nothing was asked for");
    let mark = run.begin("after");
    let fate = format!("{} {}", check.names()[check.roles().1], result.transferee);
    let judged = if played.is_back(check) { Judged::pass(fate) } else { name::dropped_for_nothing(&fate) };
    end(run, mark, judged);
    let mark = run.begin("hang-up");
    hang_up(check, run, stage, mark, check.roles().1).await;
    Some(())
}

/// The steps from `after` on.
pub(super) async fn finish(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
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

    release(check, run, stage, (ours, consult, played.consult_kept), result).await;
    let mark = run.begin("hang-up");
    hang_up(check, run, stage, mark, transferee).await;
}

/// The REFER, and what comes of it; with the moment in which it was sent.
async fn refer(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    (ours, consult): (usize, Option<usize>),
    replaces: Option<Replaces>,
    result: &mut TransferResult,
) -> Option<(Played, Instant)> {
    let names = check.names();
    let (_, transferee, target) = check.roles();
    let attended = replaces.is_some();
    let invited = |stage: &Ends| stage.parties.get(target).map_or(0, |party| party.invitations.len());
    let invited_before = invited(stage);
    expect(check, stage, RING);
    let mut to = Target::new(check.refer_to.uri(check.c.aor()));
    to.replaces = replaces.clone();
    let asked = format!("{} was asked to call {}", names[transferee], names[target]);
    let (refer, sent_at) = ask(check, run, stage, ours, (to, asked), result).await?;
    let mut consult_kept = false;
    if matches!(refer, ReferAnswer::Accepted(_)) {
        if check.early_replaces {
            answer_early(check, stage).await;
        }
        if check.hang_up_early
            && let Some(leg) = stage.legs.get(ours)
        {
            leg.handle.hang_up(None).await;
        }
        consult_kept = notified(check, run, stage, (ours, consult), sent_at, result).await?;
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
    let played = Played {
        refer,
        notified: statuses(seen),
        terminated: is_terminated(seen),
        after,
        alerted,
        transferee_up: is_up(stage, transferee),
        is_mangled: replaces.as_ref().is_some_and(|sent| is_mangled(run, stage, transferee, sent)),
        target_asked: check.early_replaces || invited(stage) > invited_before,
        // Where Replaces was ignored nobody had to end it.
        consult_kept: consult_kept && alerted == 0,
    };
    Some((played, sent_at))
}

/// Has this party a call that is up?
pub(super) fn is_up(stage: &Ends, party: usize) -> bool {
    stage.legs.iter().any(|leg| leg.party == party && leg.seen.is_up())
}

/// Did the Replaces that was sent arrive otherwise, at the transferee in the REFER or at anybody in the INVITE that follows it? One that a
/// platform has translated names another dialog as a whole: another Call-ID.
fn is_mangled(run: &Run, stage: &Ends, transferee: usize, sent: &Replaces) -> bool {
    let escaped = |replaces: &Replaces| replaces.dialog.call_id.contains(&b'%');
    let mut referrals = stage.referrals.iter();
    let in_refer = referrals.any(|referral| {
        stage.legs.get(referral.leg).is_some_and(|leg| leg.party == transferee)
            && referral.referred.target.replaces.as_ref().is_none_or(|got| escaped(got) && !escaped(sent))
    });
    let in_invite = |record: Record| match record.event {
        RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
            let invite = Message::parse(bytes, &Limits::default()).ok();
            let invite = invite.filter(|message| message.method() == Some(Method::Invite));
            invite.and_then(|invite| Replaces::of_invite(&invite)).is_some_and(|got| {
                got.map_or(true, |got| got.dialog.call_id == sent.dialog.call_id && got.dialog != sent.dialog)
            })
        }
        _ => false,
    };
    in_refer || run.records().into_iter().any(in_invite)
}

/// Tells the target what to do with the call of the transferee; where it answers, after this time.
pub(super) fn expect(check: &Transfer, stage: &mut Ends, ring: Duration) {
    if let Some(party) = stage.parties.get_mut(check.roles().2) {
        party.expect = Some(match check.target {
            TransferTarget::Answers => Expect::answer(ring),
            TransferTarget::Refuses(status) => Expect { answer_after: None, refuse: Some(status) },
            TransferTarget::Rings => Expect { answer_after: None, refuse: None },
        });
    }
}

/// The target rings for the transferor's call, and that is the one that is transferred.
async fn answer_early(check: &Transfer, stage: &Ends) {
    let ringing = stage.called(check.roles().2).and_then(|leg| stage.legs.get(leg));
    let Some(leg) = ringing.filter(|leg| leg.seen.answered.is_none() && !leg.seen.is_over()) else { return };
    match check.target {
        TransferTarget::Answers => leg.handle.command(Command::Answer).await,
        TransferTarget::Refuses(status) => leg.handle.command(Command::Refuse { status, reason: None }).await,
        TransferTarget::Rings => {}
    }
}

/// The step `refer`; gives the answer, and when the REFER went out.
pub(super) async fn ask(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    ours: usize,
    (to, asked): (Target, String),
    result: &mut TransferResult,
) -> Option<(ReferAnswer, Instant)> {
    let mark = run.begin("refer");
    listen_anew(stage).await;
    let got = match send_refer(check, run, stage, ours, to).await {
        Ok(got) => got,
        Err(judged) => {
            end(run, mark, judged);
            return None;
        }
    };
    result.answered_after = got.answered_at.map(|at| at.saturating_duration_since(got.sent_at));
    if let Some(time) = result.answered_after {
        run.metric("refer", MetricValue::Duration(time));
    }
    if let ReferAnswer::Accepted(status) | ReferAnswer::Refused(status, _) = &got.answer {
        result.refer_status = Some(*status);
    }
    let accepted = match &got.answer {
        ReferAnswer::Accepted(status) => format!("{asked}: {status}"),
        _ => String::new(),
    };
    end(run, mark, got.judged.unwrap_or_else(|| Judged::pass(accepted)));
    if let Some(finding) = got.warning {
        run.find(finding.shown_by(0..run.record_count()));
    }
    Some((got.answer, got.sent_at))
}
