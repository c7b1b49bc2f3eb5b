//! The course of a transfer to a park orbit: one is moved to a place, waits there, and is fetched by another.

use super::course::{Legs, REST, aftermath};
use super::{Transfer, TransferResult};
use crate::check::judge::audio::doubted;
use crate::check::judge::transfer::keys::KeysSeen;
use crate::check::judge::transfer::park::{self, Fetched, Parked};
use crate::check::judge::transfer::{Aftermath, SOUND, Wanted};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Dial, Ends, ReferAnswer, Scene, Seen, Step, Stopped, Told};
use crate::check::{Interrupted, MetricValue, Verdict};
use crate::ua::transfer::Target;
use std::time::Duration;

/// Looks without music after which there is none.
const SILENT: usize = 3;
/// Time for music after the last NOTIFY.
const TOLD: Duration = Duration::from_secs(5);
/// Time for what was told to become true.
const SETTLE: Duration = Duration::from_secs(1);

impl Transfer {
    /// All steps from the REFER or the keys on; `place` as it is written, and its Request-URI.
    pub(super) async fn by_park(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        (place, uri): (&str, &str),
        legs: Legs,
        result: &mut TransferResult,
    ) -> Step {
        let since = scene.run.record_count();
        let mut effect = KeysSeen::default();
        let answer = match &self.keys {
            Some(keys) => {
                self.press(scene, keys, legs, &mut effect).await?;
                None
            }
            None => Some(self.ask_for_place(scene, wanted, (place, uri), legs, result).await?),
        };
        let mark = scene.begin("parked");
        let told = scene.told(legs.ours, since);
        let after = match self.look_at_place(scene, wanted, (answer.as_ref(), &told), &mut effect).await {
            Ok(after) => after,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        // One that comes late counts.
        let told = scene.told(legs.ours, since);
        (result.after, result.transferee) = (Some(after.heard()), after.fate(wanted));
        result.notified.clone_from(&told.statuses);
        let keys = self.keys.as_ref().map(|keys| keys.words());
        let judged = park::parked(
            wanted,
            &Parked {
                place,
                answer: answer.as_ref(),
                told: &told,
                after: &after,
                keys: keys.as_ref().map(|keys| (keys, &effect)),
            },
        );
        let is_parked = judged.verdict == Verdict::Pass;
        let judged = doubted(judged.shown_by(&(since..scene.run.record_count())), after.ears.pace);
        if !is_parked {
            let _ = scene.end(mark, judged);
            return Err(Stopped::because("nobody is parked"));
        }
        scene.end(mark, judged)?;
        result.transferee = format!("waits at {place}");
        self.fetch(scene, wanted, (place, uri)).await?;
        scene.rest(REST).await?;
        let ears = scene.ears_of([wanted.transferee, wanted.target]).await?;
        let found = aftermath(scene, wanted, ears);
        let ended = scene.ends.legs.iter().rev().find(|leg| leg.party == wanted.transferee);
        let ended = ended.filter(|_| !found.transferee_up).and_then(|leg| {
            let ended = leg.seen.ended.as_ref()?;
            Some(ended.at.saturating_duration_since(leg.seen.answered.unwrap_or(leg.began)))
        });
        let judged = park::fetched(wanted, &Fetched { place, ended_after: ended, after: &found });
        if judged.verdict == Verdict::Pass
            && let Some(finding) = park::silent(wanted, &after)
        {
            scene.note(finding);
        }
        let judged = judged.shown_by(&(since..scene.run.record_count()));
        self.finish(scene, wanted, (&found, judged), false, result).await
    }

    /// The steps `refer` and `notify`.
    async fn ask_for_place(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        (place, uri): (&str, &str),
        legs: Legs,
        result: &mut TransferResult,
    ) -> Step<ReferAnswer> {
        let asked = format!("{} was asked to go to {place}", wanted.transferee());
        let sent = self.ask(scene, wanted, legs.ours, (Target::new(uri), &asked), result).await?;
        if !matches!(sent.answer, ReferAnswer::Accepted(_)) {
            scene.run.skip("notify", "the REFER was not accepted");
            return Ok(sent.answer);
        }
        let mark = scene.begin("notify");
        let is_told =
            |ends: &Ends| ends.seen(legs.ours).is_none_or(|seen| crate::check::scene::done(seen).is_some());
        if let Err(why) = scene.until(self.options.wait, is_told).await {
            return Err(scene.stop(mark, why));
        }
        let told = scene.told(legs.ours, sent.since);
        if told.is_done() {
            // So does a phone: with its part done it leaves.
            self.leave(scene, wanted).await;
        } else {
            self.take_back(scene, legs).await;
        }
        scene.end(mark, StepVerdict::pass(told.words()))?;
        Ok(sent.answer)
    }

    /// Place of the party that was to be parked.
    async fn look_at_place(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        (answer, told): (Option<&ReferAnswer>, &Told),
        effect: &mut KeysSeen,
    ) -> Result<Aftermath, Interrupted> {
        scene.rest(SETTLE).await?;
        let is_accepted = answer.is_none_or(|answer| matches!(answer, ReferAnswer::Accepted(_)));
        let is_open = is_accepted && told.last().is_none_or(|status| status < 300);
        // Keys are done when the PBX has waited long enough for the next; a NOTIFY says when it is done.
        let time = if self.keys.is_some() { self.options.wait } else { TOLD };
        let (end_at, mut alone) = (scene.run.elapsed() + time, 0);
        loop {
            let ears = scene.ears().await?;
            let after = aftermath(scene, wanted, ears);
            let is_alone = ears.heard.is_alone(wanted.transferee);
            let sound = |party: usize| ears.else_heard.get(party).is_some_and(|time| *time >= SOUND);
            effect.is_taken |= is_alone || sound(wanted.transferor);
            alone = if is_alone { alone + 1 } else { 0 };
            let has_music = is_alone && sound(wanted.transferee);
            let is_gone = is_alone && !after.transferee_up;
            if has_music || is_gone || alone >= SILENT || !is_open || scene.run.elapsed() >= end_at {
                return Ok(after);
            }
        }
    }

    /// The step `fetch`: the target calls the place.
    async fn fetch(&self, scene: &mut Scene<'_>, wanted: &Wanted, (place, uri): (&str, &str)) -> Step {
        let mark = scene.begin("fetch");
        let began = scene.run.now();
        let dial = Dial {
            from: wanted.target,
            target: uri,
            callee: None,
            is_direct: false,
            wait: self.options.wait,
        };
        let leg = match scene.dial(&dial).await {
            Ok(leg) => leg,
            Err(judged) => return Err(scene.stop(mark, judged)),
        };
        let done = |ends: &Ends| ends.seen(leg).is_none_or(|seen| seen.answered.is_some() || seen.is_over());
        if let Err(why) = scene.until(self.options.wait, done).await {
            return Err(scene.stop(mark, why));
        }
        let seen: &Seen = scene.seen(leg);
        if !seen.is_up() {
            let status = seen.rejected.as_ref().and_then(|(_, rejection)| rejection.status);
            let is_up = scene.ends.has_call(wanted.transferee);
            return Err(scene.stop(mark, park::not_fetched(wanted, place, status, is_up)));
        }
        let time = scene.run.now().saturating_duration_since(began);
        scene.run.metric("fetch", MetricValue::Duration(time));
        let answered = format!("{place} answered {} after {:.1} s", wanted.target(), time.as_secs_f32());
        scene.end(mark, StepVerdict::pass(answered))
    }
}
