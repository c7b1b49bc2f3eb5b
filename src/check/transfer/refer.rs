//! The course of a transfer by REFER: asked, told, carried out.

use super::course::{END, Legs, REST, RING, aftermath, with_tones};
use super::{Transfer, TransferKind, TransferResult, TransferTarget, identity};
use crate::check::judge::transfer::refer::{self, Again, Asked, Refusal};
use crate::check::judge::transfer::{Aftermath, Transferred, Wanted, after, beside};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Ends, Leg, ReferAnswer, Scene, Seen, Step, done};
use crate::check::{Interrupted, MetricValue};
use crate::syntax::HeaderName;
use crate::ua::call::Command;
use crate::ua::transfer::Target;
use std::time::{Duration, Instant};

/// Time that a NOTIFY of 200 may be ahead of the audio.
const AHEAD: Duration = Duration::from_millis(1_500);
/// Time that the last NOTIFY may be behind the audio.
const BEHIND: Duration = Duration::from_secs(5);
/// Time for the target to end the call that was taken over, before the transferor's phone does.
const REPLACED: Duration = Duration::from_secs(2);
/// Time for a transferee that has no call to get one.
const LOST: Duration = Duration::from_secs(3);

/// A REFER that was answered, or not.
pub(super) struct Referring {
    pub(super) answer: ReferAnswer,
    /// Time at which the one was sent that counts.
    pub(super) at: Instant,
    /// The first record of the step.
    pub(super) since: usize,
}

/// Facts until the transfer was done, or given up.
#[derive(Default)]
struct Watched {
    /// The target kept the call that was taken over.
    consult_kept: bool,
    /// Sound that was heard when the transferor was told 200 and had not left yet, where that was not what it should be.
    before_leaving: Option<Aftermath>,
    /// Why the transferee's own call to the target was not answered, as of the moment when it was given up.
    given_up: Option<StepVerdict>,
}

impl Transfer {
    /// The steps behind `before`.
    pub(super) async fn by_refer(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        mut legs: Legs,
        result: &mut TransferResult,
    ) -> Step {
        let mut replaces = None;
        if self.kind != TransferKind::Blind {
            let consulted = self.consult(scene, wanted, legs, result).await?;
            let Some((leg, dialog)) = consulted else { return Ok(()) };
            (legs.consult, replaces) = (Some(leg), dialog);
        } else if self.at_once
            && let Err(judged) = self.hold(scene, wanted, legs.ours).await
        {
            let mark = scene.begin("refer");
            return Err(scene.stop(mark, judged));
        }
        let invited_before = scene.invited(wanted.target);
        self.prepare_target(scene, RING);
        let mut to = Target::new(wanted.uri.clone());
        to.replaces = replaces.clone();
        let asked = format!("{} was asked to call {}", wanted.transferee(), wanted.target());
        let sent = self.ask(scene, wanted, legs.ours, (to, &asked), result).await?;
        let watched = match &sent.answer {
            ReferAnswer::Accepted(_) => {
                if self.hang_up_early {
                    scene.leg(legs.ours).handle.hang_up(None).await;
                }
                if self.early_replaces {
                    self.answer_early(scene, wanted).await?;
                }
                self.notified(scene, wanted, legs, &sent, result).await?
            }
            _ => {
                scene.run.skip("notify", "the REFER was not accepted");
                self.take_back(scene, legs).await;
                Watched::default()
            }
        };
        let ears = scene.ears_of([wanted.transferee, wanted.target]).await?;
        let now = aftermath(scene, wanted, ears);
        let now = with_tones(scene, wanted, now).await?;
        let after = that_says_more(wanted, now, watched.before_leaving);
        let is_to_be_said = matches!(sent.answer, ReferAnswer::Accepted(_)) && !wanted.is_done(after.heard());
        let mut new_call = watched.given_up.or_else(|| self.not_up(scene, wanted));
        if new_call.is_none() && is_to_be_said {
            new_call = self.not_heard(scene, wanted, &sent, &after).await?;
        }
        let told = scene.told(legs.ours, sent.since);
        // One that came when it was not waited for any more counts as well.
        let told_after = told.done.map(|(at, _)| at.saturating_duration_since(sent.at)).or(result.told_after);
        let seen = Transferred {
            answer: sent.answer.clone(),
            told,
            told_after,
            after,
            new_call,
            target: self.target_saw(scene, wanted, &sent, (invited_before, replaces.is_some())),
            own_call: self.own_call(scene, wanted),
            called_instead: self.called_instead(scene, wanted, sent.at),
            is_mangled: replaces.as_ref().is_some_and(|sent| self.is_mangled(scene, wanted, sent)),
        };
        let evidence = sent.since..scene.run.record_count();
        if seen.is_accepted() {
            let sources =
                identity::Sources { check: self, wanted, ours: legs.ours, invited_before, since: sent.at };
            let mut shown = sources.read(scene);
            if wanted.is_done(seen.after.heard()) {
                sources.tell(scene, &mut shown, evidence.clone());
            }
            result.identity = shown;
        }
        result.notified.clone_from(&seen.told.statuses);
        for finding in beside::findings(wanted, &seen) {
            scene.note(finding.shown_by(evidence.clone()));
        }
        let judged = after::judge(wanted, &seen).shown_by(&evidence);
        // Where Replaces was ignored nobody had to end the call to the target.
        let consult_kept = watched.consult_kept && seen.target.alerted == 0;
        self.finish(scene, wanted, (&seen.after, judged), consult_kept, result).await
    }

    /// The target rings for the transferor's call, and that is the one that is transferred. It rings on for a while, as where a person takes
    /// the call: an answer within the same millisecond as the REFER finds platforms in the middle of the transfer, which no caller meets.
    async fn answer_early(&self, scene: &mut Scene<'_>, wanted: &Wanted) -> Result<(), Interrupted> {
        scene.rest(RING).await?;
        let ringing = scene.ends.called(wanted.target).map(|leg| scene.leg(leg));
        let Some(leg) = ringing.filter(|leg| leg.seen.answered.is_none() && !leg.seen.is_over()) else {
            return Ok(());
        };
        match self.target {
            TransferTarget::Answers => leg.handle.command(Command::Answer).await,
            TransferTarget::Refuses(status) => {
                leg.handle.command(Command::Refuse { status, reason: None }).await;
            }
            TransferTarget::Rings => {}
        }
        Ok(())
    }

    /// The step `refer`: asks the transferee to call the target; once more where that came too early, or where the form of the target's name
    /// may be the reason.
    pub(super) async fn ask(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        ours: usize,
        (mut to, asked): (Target, &str),
        result: &mut TransferResult,
    ) -> Step<Referring> {
        let since = scene.run.record_count();
        let mark = scene.begin("refer");
        if let Some(judged) = scene.needs_calls() {
            return Err(scene.stop(mark, judged));
        }
        scene.may_all_end();
        scene.listen_again().await;
        let (mut waited, mut other_form) = (None, None);
        loop {
            let sent = match scene.refer(ours, &to).await {
                Ok(sent) => sent,
                Err(why) => return Err(scene.stop(mark, why)),
            };
            let again = match &sent.answer {
                ReferAnswer::Refused(status, _) if waited.is_none() && other_form.is_none() => {
                    self.again(scene, ours, (*status, sent.at), sent.response.as_ref())
                }
                _ => None,
            };
            match again {
                Some(Again::Later(time)) => {
                    waited = Some((sent.answer.text(), time));
                    if let Err(why) = scene.rest(time).await {
                        return Err(scene.stop(mark, why));
                    }
                    continue;
                }
                Some(Again::ByAor) => {
                    let form = std::mem::replace(&mut to.uri, self.c.aor().to_owned());
                    other_form = Some((sent.answer.text(), form));
                    continue;
                }
                None => {}
            }
            result.answered_after = sent.answered_at.map(|at| at.saturating_duration_since(sent.at));
            if let Some(time) = result.answered_after {
                scene.run.metric("refer", MetricValue::Duration(time));
            }
            if let ReferAnswer::Accepted(status) | ReferAnswer::Refused(status, _) = &sent.answer {
                result.refer_status = Some(*status);
            }
            let arrived = scene.refer_arrived(wanted.transferee, since);
            let (judged, warnings) = refer::judge(&Asked {
                wanted,
                asked,
                answer: &sent.answer,
                end: &sent.end,
                waited: waited.as_ref().map(|(refusal, time)| (refusal.as_str(), *time)),
                other_form: other_form.as_ref().map(|(refusal, form)| (refusal.as_str(), form.as_str())),
                uri: &to.uri,
                refer_to: &to.value(),
                arrived: arrived.as_ref(),
            });
            // What becomes of a REFER that was refused is told by the steps that follow.
            let _ = scene.end(mark, judged);
            for finding in warnings {
                scene.note(finding.shown_by(since..scene.run.record_count()));
            }
            return Ok(Referring { answer: sent.answer, at: sent.at, since });
        }
    }

    fn again(
        &self,
        scene: &mut Scene<'_>,
        ours: usize,
        (status, sent_at): (u16, Instant),
        response: Option<&crate::message::Message>,
    ) -> Option<Again> {
        if scene.seen(ours).is_over() {
            return None;
        }
        let retry_after = response.and_then(|response| response.seconds(HeaderName::RetryAfter)?.ok());
        let is_owner = scene.leg(ours).is_caller;
        refer::again(&Refusal {
            status,
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
            is_other_form: !self.refer_to.is_sip(),
            settled_before: scene.settled_at(ours).map(|at| sent_at.saturating_duration_since(at)),
            is_owner,
            patience: self.options.wait,
            chance: scene.run.below(if is_owner { 191 } else { 201 }),
        })
    }

    /// The step `notify`: waits for what the transferor is told, and for the audio.
    async fn notified(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        legs: Legs,
        sent: &Referring,
        result: &mut TransferResult,
    ) -> Step<Watched> {
        let mark = scene.begin("notify");
        let watched = match self.watch(scene, wanted, legs, sent, result).await {
            Ok(watched) => watched,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        for (name, time) in [("notify", result.told_after), ("transfer", result.took)] {
            if let Some(time) = time {
                scene.run.metric(name, MetricValue::Duration(time));
            }
        }
        let told = scene.told(legs.ours, sent.since);
        scene.end(mark, StepVerdict::pass(told.words()))?;
        Ok(watched)
    }

    async fn watch(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        legs: Legs,
        sent: &Referring,
        result: &mut TransferResult,
    ) -> Result<Watched, Interrupted> {
        let end_at = scene.run.now() + self.options.wait;
        let parties = [wanted.transferee, wanted.target];
        let calls =
            |ends: &Ends| ends.legs.iter().any(|leg| leg.party == wanted.transferee && !leg.seen.is_over());
        let told = |ends: &Ends| ends.seen(legs.ours).and_then(done);
        let mut watched = Watched::default();
        let mut lost_since = None;
        // Not a NOTIFY but the audio says that it is done; where nobody hears anybody, the last NOTIFY or the time.
        loop {
            let (now, joined) = (scene.run.now(), scene.ends.joined_since(parties));
            result.took = joined.map(|at| at.saturating_duration_since(sent.at));
            let is_told = told(&scene.ends);
            if let Some((at, status)) = is_told {
                result.told_after = Some(at.saturating_duration_since(sent.at));
                if status >= 300 {
                    self.take_back(scene, legs).await;
                    scene.rest(REST).await?;
                    return Ok(watched);
                }
                let is_late = now.saturating_duration_since(at) >= AHEAD;
                if joined.is_some() || is_late {
                    return self.leave_when_told(scene, wanted, legs, (joined.is_some(), watched)).await;
                }
            }
            if joined.is_some_and(|at| now.saturating_duration_since(at) >= BEHIND) {
                return Ok(watched);
            }
            let has_call = calls(&scene.ends);
            lost_since = if has_call { None } else { lost_since.or(Some(now)) };
            let is_lost = lost_since.is_some_and(|since| now.saturating_duration_since(since) >= LOST);
            if now >= end_at || is_lost {
                if joined.is_none() {
                    watched.given_up = self.not_up(scene, wanted);
                    self.give_up(scene, wanted, legs).await?;
                    let told = done(scene.seen(legs.ours));
                    result.told_after = told.map(|(at, _)| at.saturating_duration_since(sent.at));
                    self.take_back(scene, legs).await;
                }
                watched.consult_kept = false;
                return Ok(watched);
            }
            let due = [
                is_told.map(|(at, _)| at + AHEAD),
                joined.map(|at| at + BEHIND),
                lost_since.map(|at| at + LOST),
                Some(end_at),
            ];
            let due = due.into_iter().flatten().min().unwrap_or(end_at);
            let news = |ends: &Ends| {
                ends.joined_since(parties) != joined || told(ends) != is_told || calls(ends) != has_call
            };
            scene.until(due.saturating_duration_since(now), news).await?;
        }
    }

    /// The transferor was told that the target has answered, and leaves as a phone does (RFC 5589 sec. 6.1): what is judged is what is there
    /// then.
    async fn leave_when_told(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        legs: Legs,
        (is_joined, mut watched): (bool, Watched),
    ) -> Result<Watched, Interrupted> {
        if is_joined {
            if let Some(consult) = legs.consult.filter(|_| wanted.replaces()) {
                let over = |ends: &Ends| ends.seen(consult).is_none_or(Seen::is_over);
                watched.consult_kept = !scene.until(REPLACED, over).await?;
            }
        } else {
            let ears = scene.ears().await?;
            let before = aftermath(scene, wanted, ears);
            watched.before_leaving = Some(before);
            let calls =
                scene.ends.legs.iter().filter(|leg| leg.party == wanted.transferee && leg.seen.is_up());
            // The old call is as it was, and of a new one there is nothing: what was told is not so, whoever leaves now.
            if before.is_back(wanted) && calls.count() == 1 && !scene.ends.has_call(wanted.target) {
                return Ok(watched);
            }
        }
        self.leave(scene, wanted).await;
        scene.rest(REST).await?;
        Ok(watched)
    }

    /// A transferee that calls the target itself and gets no answer gives up, and says so.
    async fn give_up(&self, scene: &mut Scene<'_>, wanted: &Wanted, legs: Legs) -> Result<(), Interrupted> {
        let rings =
            |leg: &&Leg| leg.party == wanted.transferee && leg.seen.answered.is_none() && !leg.seen.is_over();
        let ringing: Vec<&Leg> = scene.ends.legs.iter().filter(rings).collect();
        if ringing.is_empty() {
            return Ok(());
        }
        for leg in ringing {
            leg.handle.hang_up(None).await;
        }
        let is_told = |ends: &Ends| ends.seen(legs.ours).is_none_or(|seen| done(seen).is_some());
        scene.until(END, is_told).await.map(|_| ())
    }
}

/// Of what is heard now and what was heard before the transferor left, what is to be judged.
fn that_says_more(wanted: &Wanted, now: Aftermath, before: Option<Aftermath>) -> Aftermath {
    let Some(before) = before else { return now };
    let is_wrong = |heard: crate::check::Heard| {
        heard.hears(wanted.target, wanted.transferor) || heard.hears(wanted.transferor, wanted.target)
    };
    let now_says = wanted.is_done(now.heard()) || now.transferee_up && !is_wrong(before.heard());
    if now_says { Aftermath { ears: now.ears.after(&before.ears), ..now } } else { before }
}
