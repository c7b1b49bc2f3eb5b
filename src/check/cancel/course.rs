//! The course of the check: ring, give up, and see who is told.

use super::Cancel;
use crate::check::MetricValue;
use crate::check::judge::cancel::{self, Cancelled};
use crate::check::judge::setup::{Wanted, is_refused_elsewhere};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Course, Dial, Expect, JoinedLegs, Parties, Scene, Seen, Step};
use std::time::Duration;

/// Time for the other phone to hear of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reason that we give: as a platform does when another phone of a group has taken the call (RFC 3326).
const REASON: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

impl Course for Cancel {
    type Result = ();

    fn steps(&self) -> Vec<&'static str> {
        vec!["party-a", "party-b", "ring", "cancel"]
    }

    fn parties(&self) -> Parties<'_> {
        Parties::pair(&self.a, &self.b, &self.options)
    }

    async fn run(&self, scene: &mut Scene<'_>, (): &mut ()) -> Step {
        let dial = Dial::direct(self.options.target(self.b.aor()), self.options.wait);
        let mark = scene.begin("ring");
        scene.expect(1, Expect::ring());
        let legs = match self.let_ring(scene, &dial).await {
            Ok(legs) => {
                scene.end(mark, StepVerdict::pass(format!("{} rings", self.b.aor())))?;
                legs
            }
            Err(judged) => return Err(scene.stop(mark, judged)),
        };
        if scene.seen(legs.caller).rang().is_none() {
            scene.note(cancel::not_told(self.b.name()));
        }
        let mark = scene.begin("cancel");
        let judged = self.cancel(scene, legs).await;
        scene.end(mark, judged)?;
        let reasons =
            scene.seen(legs.callee).ended.as_ref().map(|ended| ended.reasons.clone()).unwrap_or_default();
        scene.run.fact("cancel-reason", reasons.join(", "));
        match cancel::reason_lost(&reasons, "the phone") {
            None => {
                scene.run.conclude("the phone stopped ringing, and knows that the call was taken elsewhere")
            }
            Some(finding) => {
                scene.run.conclude(
                    "the phone stopped ringing, but was not told that the call was taken elsewhere",
                );
                scene.note(finding);
            }
        }
        Ok(())
    }
}

impl Cancel {
    /// It rings at both ends, and does so for its time.
    async fn let_ring(&self, scene: &mut Scene<'_>, dial: &Dial<'_>) -> Result<JoinedLegs, StepVerdict> {
        let caller = scene.dial(dial).await?;
        let Some(callee) = scene.until_rings(dial, caller, false).await? else {
            return Err(StepVerdict::not_run("there is no call"));
        };
        let legs = JoinedLegs { caller, callee };
        let settled = |ends: &crate::check::scene::Ends| {
            legs.both()
                .into_iter()
                .any(|leg| ends.seen(leg).is_none_or(|seen| seen.is_over() || seen.answered.is_some()))
        };
        if scene.until(self.ring, settled).await? {
            // Both ends hear of it.
            scene.settle(legs).await?;
            let ours = scene.seen(callee);
            let rang =
                ours.ended.as_ref().map(|ended| ended.at.saturating_duration_since(scene.leg(callee).began));
            let refused = scene.seen(caller).rejected.as_ref().and_then(|(_, rejection)| rejection.status);
            let is_refused =
                rang.zip(refused).is_some_and(|(rang, status)| is_refused_elsewhere(rang, status));
            if is_refused || ours.refused_invite().is_some() || ours.media_failed.is_some() {
                return Err(scene.judge_setup(dial, caller, Wanted::Ringing));
            }
            let judged = cancel::too_late(self.b.name(), scene.seen(caller), scene.seen(callee));
            return Err(judged);
        }
        Ok(legs)
    }

    /// The caller gives up.
    async fn cancel(&self, scene: &mut Scene<'_>, legs: JoinedLegs) -> Result<StepVerdict, StepVerdict> {
        let began = scene.run.now();
        scene.leg(legs.caller).handle.hang_up(Some(REASON.to_owned())).await;
        scene
            .until(PATIENCE, |ends| {
                legs.both().into_iter().all(|leg| ends.seen(leg).is_none_or(Seen::is_over))
            })
            .await?;
        if scene.seen(legs.callee).is_over() {
            scene.until_cancelled(legs.caller, Duration::ZERO).await?;
        }
        let waited = scene.run.now().saturating_duration_since(began);
        let trace = scene.trace(legs.caller);
        let judged = cancel::judge(&Cancelled {
            callee_name: self.b.name(),
            trace: &trace,
            callee_trace: &scene.trace(legs.callee),
            callee: scene.seen(legs.callee),
            waited,
        });
        cancel::given_up(self.a.name(), &trace, waited).1.into_iter().for_each(|late| scene.note(late));
        if let Some(ended) = &scene.seen(legs.callee).ended {
            let took = ended.at.saturating_duration_since(began);
            scene.run.metric("cancel", MetricValue::Duration(took));
        }
        Ok(judged)
    }
}
