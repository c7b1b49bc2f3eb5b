//! The course of the check: both listen before, during and after.

use super::Hold;

use crate::check::judge::hold::{Holding, OfferChanged};
use crate::check::judge::{change, hold};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Change, Course, Dial, Ends, JoinedLegs, Parties, Scene, Seen, Step};
use crate::check::{HeardOnHold, HoldResult, MetricValue, Run};
use crate::ua::call::Command;
use std::time::Duration;

/// Time that the far end rings.
const RING: Duration = Duration::from_millis(200);
/// Time for a re-INVITE and its answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Time for what was on its way when the directions changed.
const SETTLE: Duration = Duration::from_millis(300);

/// The legs of who holds, and of who is held.
#[derive(Clone, Copy)]
struct Held {
    holder: usize,
    held: usize,
}

/// A change that was agreed to.
struct Made {
    /// The direction of its answer.
    answer: String,
    /// Was the other end told?
    passed_on: bool,
    /// Was it told something else than was written?
    changed: Option<OfferChanged>,
}

impl Course for Hold {
    type Result = Option<HoldResult>;

    fn steps(&self) -> Vec<&'static str> {
        vec!["party-a", "party-b", "call", "before", "hold", "held", "resume", "after", "hang-up"]
    }

    fn parties(&self) -> Parties<'_> {
        Parties::pair(&self.a, &self.b, &self.options)
    }

    async fn run(&self, scene: &mut Scene<'_>, result: &mut Self::Result) -> Step {
        let dial = Dial::direct(self.options.target(self.b.aor()), self.options.wait);
        let legs = scene.call(&dial, RING).await?;
        let result = result.insert(HoldResult {
            parties: [self.a.name().to_owned(), self.b.name().to_owned()],
            holder: usize::from(self.by_callee),
            how: self.how,
            answer: None,
            passed_on: None,
            heard_on_hold: None,
            holder_hears: None,
            resume_answer: None,
        });
        let held = self.hold(scene, legs, result).await;
        let ended = scene.hang_up(&legs.both()).await;
        held.and(ended)
    }

    fn keep(&self, result: Self::Result, run: &mut Run) {
        result.into_iter().for_each(|result| run.held(result));
    }
}

impl Hold {
    async fn hold(&self, scene: &mut Scene<'_>, legs: JoinedLegs, result: &mut HoldResult) -> Step {
        scene.both_hear("before", legs).await?;
        let who = match self.by_callee {
            true => Held { holder: legs.callee, held: legs.caller },
            false => Held { holder: legs.caller, held: legs.callee },
        };
        let held = self.change(scene, "hold", Command::Hold(self.how), who).await?;
        (result.answer, result.passed_on) = (Some(held.answer), Some(held.passed_on));
        self.held(scene, who, result).await?;
        let resume = self.change(scene, "resume", Command::Resume, who).await?;
        result.resume_answer = Some(resume.answer.clone());
        let mark = scene.begin("after");
        let judged = scene.mutual(legs).await.map(|mutual| hold::resumed(mutual, &self.holding(&resume)));
        scene.end(mark, judged)?;
        scene.run.conclude("held and resumed; each end heard what it should");
        Ok(())
    }

    fn holding<'a>(&'a self, made: &'a Made) -> Holding<'a> {
        let (holder, held) = self.names();
        let Made { answer, passed_on, changed } = made;
        Holding { how: self.how, holder, held, answer, passed_on: *passed_on, changed: *changed }
    }

    /// A re-INVITE of the holder, which was agreed to.
    async fn change(
        &self,
        scene: &mut Scene<'_>,
        step: &'static str,
        command: Command,
        Held { holder, held }: Held,
    ) -> Step<Made> {
        let mark = scene.begin(step);
        let told_before = scene.seen(held).changes.len();
        let began = scene.run.now();
        let change = match scene.change(holder, command, ANSWER).await {
            Ok(change) => change,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        let at = match change {
            Change::Made(at) => at,
            failed => {
                scene.end_is_told = failed.ends_the_call();
                return Err(scene.stop(mark, change::failed(step, &failed, ANSWER)));
            }
        };
        scene.run.metric(step, MetricValue::Duration(at.saturating_duration_since(began)));
        // A platform that passes it on has told the other end by now, or does so soon.
        let told = |ends: &Ends| ends.seen(held).is_none_or(|seen| seen.changes.len() > told_before);
        let passed_on = scene.until(SETTLE, told).await.unwrap_or_default();
        let answer = hold::direction(&scene.trace(holder));
        let changed = OfferChanged::between(&scene.trace(holder), &scene.trace(held), began);
        let made = Made { answer, passed_on, changed };
        scene.run.fact(if step == "hold" { "hold-answer" } else { "resume-answer" }, made.answer.clone());
        if step == "hold" {
            let (judged, warning) = hold::answered(&self.holding(&made));
            // A wrong answer is no reason not to listen.
            let _ = scene.end(mark, judged);
            warning.into_iter().for_each(|finding| scene.note(finding));
        } else {
            let how = if passed_on { "passed on" } else { "not told" };
            let detail = format!("answered {}; {how} to {}", made.answer, self.names().1);
            scene.end(mark, StepVerdict::pass(detail))?;
        }
        Ok(made)
    }

    /// Judges what both hear while one holds.
    async fn held(&self, scene: &mut Scene<'_>, who: Held, result: &mut HoldResult) -> Step {
        let mark = scene.begin("held");
        let made = Made {
            answer: result.answer.clone().unwrap_or_default(),
            passed_on: result.passed_on == Some(true),
            changed: None,
        };
        let holding = self.holding(&made);
        let heard = match self.overhear(scene, who).await {
            Ok(heard) => heard,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        let Some([holder_hears, held_hears]) = heard else {
            let ended = [who.holder, who.held].iter().find_map(|leg| scene.seen(*leg).ended.clone());
            let reasons = ended.map(|ended| ended.reasons.join(", ")).unwrap_or_default();
            scene.end_is_told = true;
            return Err(scene.stop(mark, hold::dropped(&holding, &reasons)));
        };
        (result.holder_hears, result.heard_on_hold) = (Some(holder_hears), Some(held_hears));
        let sound = held_hears.told(&result.parties).to_string();
        scene.run.fact("held-end-hears", sound.clone());
        let leaks = holder_hears.party().is_some_and(|party| party != result.holder);
        let (judged, warning) = hold::heard(&holding, leaks, held_hears, &sound);
        // What is heard on hold is no reason not to resume.
        let _ = scene.end(mark, judged);
        warning.into_iter().for_each(|finding| scene.note(finding));
        Ok(())
    }

    /// Sound that the holder and the held one hear for the time of the hold; `None` when the call ended meanwhile.
    async fn overhear(
        &self,
        scene: &mut Scene<'_>,
        Held { holder, held }: Held,
    ) -> Result<Option<[HeardOnHold; 2]>, crate::check::Interrupted> {
        scene.rest(SETTLE).await?;
        let legs = [holder, held];
        let mut before = Vec::new();
        for leg in legs {
            scene.leg_mut(leg).listen_again().await;
            before.push(scene.leg(leg).report().await);
        }
        let over = |ends: &Ends| legs.iter().any(|leg| ends.seen(*leg).is_none_or(Seen::is_over));
        if scene.until(self.time, over).await? {
            return Ok(None);
        }
        let mut heard = Vec::new();
        for (leg, before) in legs.into_iter().zip(&before) {
            let after = scene.leg(leg).report().await;
            let tones = scene.ends.parties.iter().map(|party| party.tone);
            heard.push(HeardOnHold::between(before, &after, tones));
        }
        Ok(heard.try_into().ok())
    }
}
