//! The course of a transfer that keys ask for: no REFER, no NOTIFY, and the same proof.

use super::code::Dialled;
use super::course::{END, Legs, REST, RING, aftermath};
use super::{Transfer, TransferKind, TransferResult};
use crate::check::judge::audio::doubted;
use crate::check::judge::digits::unsent;
use crate::check::judge::transfer::keys::{self, Keys, KeysSeen};
use crate::check::judge::transfer::{Aftermath, Wanted};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Ears, Ends, Scene, Step, Stopped, Until};
use crate::check::scene::{Press, PressLog, Unpressed};
use crate::check::{Interrupted, MetricValue};
use crate::media::digit::Key;
use std::time::Duration;

/// Ringing time of a target of a semi-attended transfer: the transferor leaves meanwhile.
const LONG_RING: Duration = Duration::from_millis(1_500);
/// Time for what is still on its way when the last key was pressed.
const AFTER: Duration = Duration::from_millis(600);
/// Time for the two ends of a consultation to hear each other.
const CONSULT: Duration = Duration::from_secs(5);

impl Dialled {
    /// For the judges.
    pub(super) fn words(&self) -> Keys {
        let (of_code, of_number) = self.digits();
        Keys {
            all: self.to_string(),
            code: self.code().to_string(),
            number: self.number().to_string(),
            way: self.ask().way,
            digits: of_code + of_number,
        }
    }
}

impl Transfer {
    /// The steps behind `before`.
    pub(super) async fn by_keys_pressed(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        keys: &Dialled,
        legs: Legs,
        result: &mut TransferResult,
    ) -> Step {
        let before = scene.invited(wanted.target);
        let is_semi = self.kind == TransferKind::SemiAttended;
        self.prepare_target(scene, if is_semi { LONG_RING } else { RING });
        let since = scene.run.record_count();
        let mut effect = KeysSeen::default();
        self.press(scene, keys, legs, &mut effect).await?;
        let mut asked = scene.run.now();
        if self.kind != TransferKind::Blind {
            if !self.consult_by_keys(scene, wanted, before, &mut effect).await? {
                scene.run.skip("complete", "there was no consultation");
                scene.run.skip("carried-out", "there was no consultation");
                let ears = scene.ears().await?;
                let after = aftermath(scene, wanted, ears);
                effect.alerted = scene.invited(wanted.target) - before;
                return self.finish_keys(scene, wanted, (keys, since), (&after, &effect), result).await;
            }
            self.complete(scene, keys, legs).await?;
            asked = scene.run.now();
        }
        let mark = scene.begin("carried-out");
        let is_joined = match self.watch_keys(scene, wanted, before, &mut effect).await {
            Ok(is_joined) => is_joined,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        if is_joined {
            let took = scene.run.now().saturating_duration_since(asked);
            result.took = Some(took);
            scene.run.metric("transfer", MetricValue::Duration(took));
            scene.end(mark, StepVerdict::pass(format!("after {:.1} s", took.as_secs_f32())))?;
        } else {
            let why = "the two that should be joined do not hear each other";
            let _ = scene.end(mark, StepVerdict::not_run(why));
        }
        scene.rest(REST).await?;
        let ears = scene.ears().await?;
        let after = aftermath(scene, wanted, ears);
        effect.alerted = scene.invited(wanted.target) - before;
        self.finish_keys(scene, wanted, (keys, since), (&after, &effect), result).await
    }

    /// The step `keys`: presses code and number.
    pub(super) async fn press(
        &self,
        scene: &mut Scene<'_>,
        keys: &Dialled,
        legs: Legs,
        effect: &mut KeysSeen,
    ) -> Step {
        let mark = scene.begin("keys");
        if let Some(judged) = scene.needs_calls() {
            return Err(scene.stop(mark, judged));
        }
        scene.may_all_end();
        let press = keys.ask();
        let first = scene.seen(legs.theirs).observed.len();
        let refused = pressed(scene, legs.ours, press).await;
        if let Err(why) = scene.rest(AFTER).await {
            return Err(scene.stop(mark, why));
        }
        let new = scene.seen(legs.theirs).observed.iter().skip(first);
        let arrived = new.filter(|observed| observed.way == press.way && observed.digit.is_some());
        effect.arrived = arrived.count();
        let pressed = || StepVerdict::pass(format!("{keys} pressed by {}", press.way));
        scene.end(mark, refused.unwrap_or_else(pressed))
    }

    /// The step `consult`: the target answers, or only rings, and the transferee waits. False where it did not come to that.
    async fn consult_by_keys(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        before: usize,
        effect: &mut KeysSeen,
    ) -> Step<bool> {
        let mark = scene.begin("consult");
        match self.consulting(scene, wanted, before, effect).await {
            Ok(judged) => {
                let there = judged.verdict == crate::check::Verdict::Pass;
                let _ = scene.end(mark, judged);
                Ok(there)
            }
            Err(why) => Err(scene.stop(mark, why)),
        }
    }

    async fn consulting(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        before: usize,
        effect: &mut KeysSeen,
    ) -> Result<StepVerdict, Interrupted> {
        let rings_only = self.kind == TransferKind::SemiAttended;
        let is_there = |scene: &Scene<'_>| {
            let seen = scene.ends.called(wanted.target).map(|leg| scene.seen(leg));
            seen.is_some_and(|seen| !seen.is_over() && (rings_only || seen.answered.is_some()))
        };
        let is_refused = |scene: &Scene<'_>| {
            scene.invited(wanted.target) > before && scene.ends.called(wanted.target).is_none()
        };
        let end_at = scene.run.elapsed() + self.options.wait;
        while !is_there(scene) && !is_refused(scene) && scene.run.elapsed() < end_at {
            self.look(scene, wanted, effect).await?;
        }
        if !is_there(scene) {
            // The PBX has time to give the transferee back.
            scene.rest(END).await?;
            return Ok(StepVerdict::not_run("the target did not take the call"));
        }
        if rings_only {
            return Ok(StepVerdict::pass("the target rings"));
        }
        let end_at = scene.run.elapsed() + CONSULT;
        loop {
            let ears = self.look(scene, wanted, effect).await?;
            effect.is_consulted = keys::is_consulted(wanted, &ears);
            if effect.is_consulted {
                return Ok(keys::consulted(wanted, &ears));
            }
            if scene.run.elapsed() >= end_at {
                effect.unheard = Some(ears.heard);
                return Ok(StepVerdict::not_run("the two do not talk to each other alone"));
            }
        }
    }

    /// The step `complete`: the transferor leaves.
    async fn complete(&self, scene: &mut Scene<'_>, keys: &Dialled, legs: Legs) -> Step {
        let mark = scene.begin("complete");
        if let Some(press) = keys.complete() {
            let refused = pressed(scene, legs.ours, press).await;
            return scene.end(mark, refused.unwrap_or_else(|| StepVerdict::pass("code pressed")));
        }
        scene.leg(legs.ours).handle.hang_up(None).await;
        scene.end(mark, StepVerdict::pass("hung up"))
    }

    /// One look at the audio, and what it says of the keys.
    async fn look(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        effect: &mut KeysSeen,
    ) -> Result<Ears, Interrupted> {
        let ears = scene.ears().await?;
        let are_up = scene.ends.has_call(wanted.transferor) && scene.ends.has_call(wanted.transferee);
        effect.note(wanted, &ears, are_up);
        Ok(ears)
    }

    /// Listens until the right two hear each other (true), or it is known that they will not.
    async fn watch_keys(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        before: usize,
        effect: &mut KeysSeen,
    ) -> Result<bool, Interrupted> {
        let end_at = scene.run.elapsed() + self.options.wait;
        let mut settled = 0;
        loop {
            let heard = self.look(scene, wanted, effect).await?.heard;
            if wanted.is_done(heard) {
                return Ok(true);
            }
            let is_alerted = scene.invited(wanted.target) > before;
            let is_back = is_alerted
                && !is_called(&scene.ends, wanted.target)
                && heard.joined(wanted.transferor, wanted.transferee);
            let is_wrong = heard.joined(wanted.transferor, wanted.target);
            let is_gone = !scene.ends.has_call(wanted.transferee);
            settled = if is_back || is_wrong || is_gone { settled + 1 } else { 0 };
            if settled >= 2 || scene.run.elapsed() >= end_at {
                return Ok(false);
            }
        }
    }

    /// The steps from `after` on.
    async fn finish_keys(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        (keys, since): (&Dialled, usize),
        (after, effect): (&Aftermath, &KeysSeen),
        result: &mut TransferResult,
    ) -> Step {
        let evidence = since..scene.run.record_count();
        let judged = keys::judge(wanted, &keys.words(), after, effect).shown_by(&evidence);
        if !(after.transferee_up && after.heard().is_alone(wanted.transferee)) {
            return self.finish(scene, wanted, (after, judged), false, result).await;
        }
        // It waits for ever: whose hang-up ends which call is no question then.
        result.after = Some(after.heard());
        result.transferee = after.fate(wanted);
        let mark = scene.begin("after");
        let _ = scene.end(mark, doubted(judged, after.ears.pace));
        Err(Stopped::because("nobody is with the transferee"))
    }
}

/// Has this party a call that it was called for, and that is not over?
fn is_called(ends: &Ends, party: usize) -> bool {
    ends.legs.iter().any(|leg| leg.party == party && !leg.is_caller && !leg.seen.is_over())
}

/// Presses keys; why that could not be.
async fn pressed(scene: &mut Scene<'_>, leg: usize, press: Press<'_>) -> Option<StepVerdict> {
    let (mut log, mark) = (PressLog::default(), scene.run.record_count());
    match scene.press(&press, leg, &mut log).await {
        // A PBX that has all that it needs takes the transferor out at once.
        Ok(Until::Done | Until::TimedOut) | Err(Unpressed::CallEnded) => None,
        Ok(Until::Interrupted(why)) => Some(why.into()),
        Err(why) => {
            let digit = |key: &Key| if let Key::Digit(digit) = key { Some(*digit) } else { None };
            let sent = press.keys.iter().filter_map(digit).collect();
            let evidence = mark..scene.run.record_count();
            Some(unsent(press.way, sent, why.fate(log), None, evidence))
        }
    }
}
