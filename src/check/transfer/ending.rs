//! The ends of the calls: back to the transferor, or between the two that talk alone.

use super::course::{END, Legs, aftermath};
use super::{Transfer, TransferResult};
use crate::check::MetricValue;
use crate::check::judge::audio::doubted;
use crate::check::judge::transfer::Wanted;
use crate::check::judge::transfer::release::{self, LegLeft, Released};
use crate::check::scene::{Ends, Leg, Scene, Step};
use crate::syntax::Method;
use crate::ua::call::{Command, Event};

impl Transfer {
    /// The transfer failed: the transferor leaves the target, and takes its first call back from hold.
    pub(super) async fn take_back(&self, scene: &mut Scene<'_>, legs: Legs) {
        if let Some(leg) = legs.consult.map(|leg| scene.leg(leg)).filter(|leg| !leg.seen.is_over()) {
            leg.handle.hang_up(None).await;
        }
        let seen = scene.seen(legs.ours);
        let is_held = seen.is_up()
            && matches!(
                seen.changes
                    .iter()
                    .rev()
                    .find(|(_, event)| matches!(event, Event::Held { .. } | Event::Resumed { .. })),
                Some((_, Event::Held { .. }))
            );
        if is_held {
            // When the check has to end, it ends with the next step.
            let _ = scene.change(legs.ours, Command::Resume, END).await;
        }
    }

    /// The transferor hangs up whatever it has.
    pub(super) async fn leave(&self, scene: &Scene<'_>, wanted: &Wanted) {
        let ours = scene.ends.legs.iter().filter(|leg| leg.party == wanted.transferor && leg.seen.is_up());
        for leg in ours {
            leg.handle.hang_up(None).await;
        }
    }

    /// The step `release`: the transferor has no call any more, after a transfer that came about.
    pub(super) async fn release(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        consult_kept: bool,
        result: &mut TransferResult,
    ) -> Step {
        if !result.after.is_some_and(|after| wanted.is_done(after)) {
            scene.run.skip("release", "the transfer did not come about");
            return Ok(());
        }
        let mark = scene.begin("release");
        // What is ours to end is ended first.
        self.leave(scene, wanted).await;
        let seen = async |scene: &mut Scene<'_>| {
            scene.until(END, |ends| left(ends, wanted).is_empty()).await?;
            let ears = scene.ears_of([wanted.transferee, wanted.target]).await?;
            Ok::<_, crate::check::Interrupted>(aftermath(scene, wanted, ears))
        };
        let still = match seen(scene).await {
            Ok(still) => still,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        let left = left(&scene.ends, wanted);
        let left: Vec<LegLeft> = left.into_iter().map(|leg| leg_left(scene, wanted, leg)).collect();
        result.legs_left = left.len() + usize::from(consult_kept);
        let judged =
            release::judge(wanted, &Released { left: &left, waited: END, consult_kept, still: &still });
        if wanted.is_done(still.heard()) {
            result.after = Some(still.heard());
        }
        let passed = scene.end(mark, doubted(judged, still.ears.pace)).is_ok();
        if passed {
            scene.run.conclude(format!("{} ({})", self.done(wanted), still.heard().told(&wanted.names)));
        }
        Ok(())
    }

    /// Text about what was done.
    fn done(&self, wanted: &Wanted) -> String {
        let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
        match &self.slot {
            Some((place, _)) => format!("{t} parked {e} at {place}, and {c} fetched {e}"),
            None => format!("{t} moved {e} to {c}"),
        }
    }

    /// The step `hang-up`: the transferee hangs up, and whom it talks to has to hear of it. All that nobody of ours is joined with is ended by
    /// ourselves before.
    pub(super) async fn hang_up_all(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        result: &TransferResult,
    ) -> Step {
        let heard = result.after.unwrap_or_default();
        let partner = [wanted.target, wanted.transferor]
            .into_iter()
            .find(|other| heard.hears(wanted.transferee, *other) || heard.hears(*other, wanted.transferee));
        let last_up = |scene: &Scene<'_>, party: usize| {
            scene.ends.legs.iter().rposition(|leg| leg.party == party && leg.seen.is_up())
        };
        let mut pair: Vec<usize> = Vec::new();
        if let Some(own) = last_up(scene, wanted.transferee) {
            pair.push(own);
            pair.extend(partner.and_then(|partner| last_up(scene, partner)));
        }
        let others: Vec<usize> = (0..scene.ends.legs.len())
            .filter(|leg| !pair.contains(leg) && !scene.seen(*leg).is_over())
            .collect();
        for leg in &others {
            scene.leg(*leg).handle.hang_up(None).await;
        }
        if !others.is_empty() {
            let over =
                |ends: &Ends| others.iter().all(|leg| ends.seen(*leg).is_none_or(|seen| seen.is_over()));
            scene.until(END, over).await?;
        }
        let Some(own) = pair.first().copied().filter(|own| scene.seen(*own).is_up()) else {
            if let Some(call) = scene.over_early() {
                return scene.hang_up(&call.both()).await;
            }
            scene.run.skip("hang-up", "the transferee has no call any more");
            return Ok(());
        };
        let ended = scene.hang_up(&pair).await;
        if let Some(delay) = scene.trace(own).disconnect_delay() {
            scene.run.metric("sdd", MetricValue::Duration(delay));
        }
        ended
    }
}

/// Calls of ours that are up though the transfer should have ended them: all of the transferor, and all but one of each that talk.
fn left(ends: &Ends, wanted: &Wanted) -> Vec<usize> {
    let is_left = |number: &usize| {
        let Some(leg) = ends.legs.get(*number).filter(|leg| !leg.seen.is_over()) else { return false };
        if leg.party == wanted.transferor {
            return true;
        }
        let of_party = |other: &&Leg| other.party == leg.party && other.seen.is_up();
        let is_extra = leg.seen.is_up() && ends.legs.iter().filter(of_party).count() > 1;
        let is_last = ends.legs.iter().rposition(|other| of_party(&other)) == Some(*number);
        is_extra && !is_last
    };
    (0..ends.legs.len()).filter(is_left).collect()
}

fn leg_left(scene: &Scene<'_>, wanted: &Wanted, number: usize) -> LegLeft {
    let leg = scene.leg(number);
    let is_hung_up = leg.party == wanted.transferor && leg.seen.answered.is_some();
    LegLeft {
        party: leg.party,
        hung_up: is_hung_up.then(|| scene.request_end(number, &[Method::Bye], leg.began)),
        refused_bye: scene.refused_bye(number),
    }
}
