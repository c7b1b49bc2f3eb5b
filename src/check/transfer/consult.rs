//! The transferor's call to the target, while the transferee is on hold.

use super::course::{END, Legs, RING, aftermath, manner};
use super::{Transfer, TransferKind, TransferResult};
use crate::check::HeardOnHold;
use crate::check::judge::change;
use crate::check::judge::transfer::{Wanted, after, consult};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Dial, Expect, JoinedLegs, Mark, Scene, Seen, Step};
use crate::check::{Heard, Interrupted, Verdict};
use crate::ua::call::{Command, Hold};
use crate::ua::transfer::Replaces;
use std::time::Duration;

/// Time for the answer to a re-INVITE.
const ANSWER: Duration = Duration::from_secs(10);

/// Result of the consultation.
struct Consulted {
    /// The transferor's leg.
    leg: usize,
    /// Its dialog, where the transfer takes it over.
    replaces: Option<Replaces>,
    /// The parties that heard each other meanwhile.
    during: Option<Heard>,
    on_hold: Option<HeardOnHold>,
    is_held: bool,
}

/// It did not come about.
struct Failed {
    /// The transferor's leg, when there was one.
    leg: Option<usize>,
    judged: StepVerdict,
    /// The target did what it was told to do: no fault of anybody.
    as_told: Option<String>,
}

impl From<StepVerdict> for Failed {
    fn from(judged: StepVerdict) -> Failed {
        Failed { leg: None, judged, as_told: None }
    }
}

impl From<Interrupted> for Failed {
    fn from(why: Interrupted) -> Failed {
        StepVerdict::from(why).into()
    }
}

impl Transfer {
    /// Holds the transferee, as a phone does before it calls somebody else or asks for a transfer. Gives whether it is on hold.
    pub(super) async fn hold(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        ours: usize,
    ) -> Result<bool, StepVerdict> {
        let change = scene.change(ours, Command::Hold(Hold::SendOnly), ANSWER).await?;
        if change.ends_the_call() {
            scene.end_is_told = true;
            return Err(change::failed("hold", &change, ANSWER));
        }
        let finding = consult::not_held(wanted, &change, ANSWER);
        let is_held = finding.is_none();
        finding.into_iter().for_each(|finding| scene.note(finding));
        Ok(is_held)
    }

    /// The step `consult`: gives the transferor's leg to the target, and its dialog where the transfer takes it over. `None` where the target
    /// was not reached, and the steps behind it were taken.
    pub(super) async fn consult(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        legs: Legs,
        result: &mut TransferResult,
    ) -> Step<Option<(usize, Option<Replaces>)>> {
        let mark = scene.begin("consult");
        match self.call_target(scene, wanted, legs).await {
            Ok(consulted) => {
                let Consulted { during, on_hold, is_held, .. } = consulted;
                (result.during, result.heard_on_hold) = (during, on_hold);
                let e = wanted.transferee();
                let heard = on_hold.filter(|_| is_held).map_or_else(String::new, |heard| {
                    format!("; on hold {e} hears {}", heard.told(&wanted.names))
                });
                let reached = format!("{} reached {}{heard}", wanted.transferor(), wanted.target());
                scene.end(mark, StepVerdict::pass(reached))?;
                if let Some(finding) =
                    during.filter(|_| is_held).and_then(|during| consult::leak(wanted, during))
                {
                    scene.note(finding);
                }
                Ok(Some((consulted.leg, consulted.replaces)))
            }
            Err(failed) => {
                self.not_consulted(scene, wanted, (mark, legs, failed), result).await?;
                Ok(None)
            }
        }
    }

    async fn call_target(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        legs: Legs,
    ) -> Result<Consulted, Failed> {
        let is_held = self.hold(scene, wanted, legs.ours).await?;
        let attended = self.kind == TransferKind::Attended;
        let expect = if attended { manner(self.asked, RING) } else { Expect::ring() };
        scene.expect(wanted.target, expect);
        let uri = self.refer_to.dialled(self.c.aor());
        let dial = Dial {
            from: wanted.transferor,
            target: &uri,
            callee: Some(wanted.target),
            is_direct: true,
            wait: self.options.wait,
        };
        let invited_before = scene.invited(wanted.target);
        let leg = scene.dial(&dial).await?;
        let reached = match attended {
            true => scene.until_answered(&dial, leg).await,
            false => scene.until_rings(&dial, leg, true).await,
        };
        if let Ok(Some(callee)) = reached
            && attended
        {
            scene.is_to_last(JoinedLegs { caller: leg, callee });
        }
        if let Err(judged) = reached {
            return Err(Failed {
                leg: Some(leg),
                as_told: consult::as_told(
                    wanted,
                    scene.seen(leg),
                    scene.invited(wanted.target) > invited_before,
                ),
                judged,
            });
        }
        let (mut during, mut on_hold) = (None, None);
        if attended && !self.at_once {
            let before = scene.leg(legs.theirs).report().await;
            during = Some(scene.ears().await?.heard);
            let tones = scene.ends.parties.iter().map(|party| party.tone);
            on_hold = Some(HeardOnHold::between(&before, &scene.leg(legs.theirs).report().await, tones));
        }
        let mut replaces = None;
        if wanted.replaces() {
            replaces = scene.leg(leg).handle.replaces().await;
        } else {
            // Semi-attended: the transferor gives its own call up first.
            scene.leg(leg).handle.hang_up(None).await;
            scene.until(END, |ends| ends.seen(leg).is_none_or(Seen::is_over)).await?;
        }
        Ok(Consulted { leg, replaces, during, on_hold, is_held })
    }

    /// The transferor could not ask the target: it takes the transferee back.
    async fn not_consulted(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        (mark, legs, failed): (Mark, Legs, Failed),
        result: &mut TransferResult,
    ) -> Step {
        let Failed { leg, judged, as_told } = failed;
        if judged.verdict == Verdict::Inconclusive || leg.is_none() {
            return Err(scene.stop(mark, judged));
        }
        let legs = Legs { consult: leg, ..legs };
        self.take_back(scene, legs).await;
        let ears = scene.ears_of([wanted.transferor, wanted.transferee]).await?;
        let aftermath = aftermath(scene, wanted, ears);
        result.after = Some(aftermath.heard());
        result.transferee = aftermath.fate(wanted);
        let judged = match as_told {
            Some(seen) => consult::refused(wanted, &seen, aftermath.is_back(wanted), &result.transferee),
            None => judged,
        };
        let told = judged.detail.clone();
        if scene.end(mark, judged).is_ok() {
            scene.run.conclude(told);
        }
        scene.run.skip("refer", "the target was not reached");
        scene.run.skip("notify", "nothing was asked for");
        let mark = scene.begin("after");
        let _ = scene.end(mark, after::untouched(wanted, &aftermath));
        scene.run.skip("release", "nothing was transferred");
        self.hang_up_all(scene, wanted, result).await
    }
}
