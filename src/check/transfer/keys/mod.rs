//! The course of a transfer that keys ask for: no REFER, no NOTIFY, and the same proof.

pub(super) mod name;

use super::code::Dialled;
use super::matrix::{listen, overhear};
use super::name::fate;
use super::play::{END, Played, REST, RING, ReferAnswer, end, expect, finish, is_up};
use super::{Transfer, TransferKind, TransferResult};
use crate::check::Heard;
use crate::check::dtmf::unpressed;
use crate::check::judged::{Judged, interrupted};
use crate::check::press::{Press, Unpressed};
use crate::check::scene::{Ends, Until};
use crate::check::{MetricValue, Run, Verdict};
use crate::media::digit::{Digit, Key};
use std::time::Duration;

/// A target of a semi-attended transfer rings for so long: the transferor leaves meanwhile.
const LONG_RING: Duration = Duration::from_millis(1_500);
/// Sounds of the PBX that last for this long in all are heard.
const SOUND: Duration = Duration::from_millis(200);
/// What is still on its way when the last key was pressed.
const AFTER: Duration = Duration::from_millis(600);
/// Time for the two ends of a consultation to hear each other.
const CONSULT: Duration = Duration::from_secs(5);

/// What became of the keys.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Digits that reached the far party.
    pub(super) arrived: usize,
    /// The two were no longer connected at some time, or one of them heard the PBX.
    pub(super) taken: bool,
    /// The target was called.
    pub(super) alerted: usize,
    /// The transferor talked to the target, and the transferee waited.
    pub(super) consulted: bool,
    /// The target answered, and the consultation was not heard as it should be.
    pub(super) unheard: Option<Heard>,
}

/// The keys of a check, and the legs of the call in which they are pressed.
pub(super) struct Keyed<'a> {
    pub(super) check: &'a Transfer,
    pub(super) keys: &'a Dialled,
    pub(super) ours: usize,
    pub(super) theirs: usize,
}

/// All steps from `keys` on.
pub(super) async fn transfer(
    keyed: &Keyed<'_>,
    run: &mut Run,
    stage: &mut Ends,
    result: &mut TransferResult,
) -> Option<()> {
    let check = keyed.check;
    let (_, transferee, target) = check.roles();
    let blind = check.kind == TransferKind::Blind;
    let before = invitations(stage, target);
    expect(check, stage, if check.kind == TransferKind::SemiAttended { LONG_RING } else { RING });
    let mut effect = Effect::default();
    keyed.press(run, stage, &mut effect).await?;
    let mut asked = run.now();
    if !blind {
        let there = keyed.consult(run, stage, before, &mut effect).await?;
        if !there {
            return keyed.failed(run, stage, &effect, result).await;
        }
        keyed.complete(run, stage).await?;
        asked = run.now();
    }
    let mark = run.begin("carried-out");
    let joined = keyed.watch(run, stage, before, &mut effect).await?;
    match joined {
        true => {
            let took = run.now().saturating_duration_since(asked);
            result.took = Some(took);
            run.metric("transfer", MetricValue::Duration(took));
            run.end(mark, Verdict::Pass, format!("after {:.1} s", took.as_secs_f32()));
        }
        false => run.end(mark, Verdict::NotRun, "the two that should be joined do not hear each other"),
    }
    stage.rest(run, REST).await;
    let after = listen(run, stage).await?;
    effect.alerted = invitations(stage, target) - before;
    let played = played(stage, after, effect.alerted, transferee);
    keyed.finish(run, stage, &played, &effect, result).await;
    Some(())
}

fn invitations(stage: &Ends, party: usize) -> usize {
    stage.parties.get(party).map_or(0, |party| party.invitations.len())
}

pub(super) fn played(stage: &Ends, after: Heard, alerted: usize, transferee: usize) -> Played {
    Played {
        refer: ReferAnswer::NotSent,
        notified: Vec::new(),
        terminated: true,
        after,
        alerted,
        transferee_up: is_up(stage, transferee),
        is_mangled: false,
        consult_kept: false,
        target_asked: true,
    }
}

impl Keyed<'_> {
    /// The step `keys`: presses code and number.
    pub(super) async fn press(&self, run: &mut Run, stage: &mut Ends, effect: &mut Effect) -> Option<()> {
        let mark = run.begin("keys");
        let press = self.keys.ask();
        let first = stage.seen(self.theirs).map_or(0, |seen| seen.observed.len());
        let judged = pressed(run, stage, self.ours, press).await;
        if let Until::Interrupted(why) = stage.rest(run, AFTER).await {
            end(run, mark, interrupted(why));
            return None;
        }
        let arrived = stage.seen(self.theirs).map_or(0, |seen| {
            let new = seen.observed.iter().skip(first);
            new.filter(|observed| observed.way == press.way && observed.digit.is_some()).count()
        });
        effect.arrived = arrived;
        let judged =
            judged.unwrap_or_else(|| Judged::pass(format!("{} pressed by {}", self.keys, press.way)));
        end(run, mark, judged).then_some(())
    }

    /// The step `consult`: the target answers, or only rings, and the transferee waits. False where it did not come to that.
    async fn consult(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        before: usize,
        effect: &mut Effect,
    ) -> Option<bool> {
        let mark = run.begin("consult");
        let (transferor, transferee, target) = self.check.roles();
        let rings_only = self.check.kind == TransferKind::SemiAttended;
        let there = |stage: &Ends| {
            let seen = stage.called(target).and_then(|leg| stage.seen(leg));
            seen.is_some_and(|seen| !seen.is_over() && (rings_only || seen.answered.is_some()))
        };
        let refused = |stage: &Ends| invitations(stage, target) > before && stage.called(target).is_none();
        let end_at = run.elapsed() + self.check.wait;
        while !there(stage) && !refused(stage) && run.elapsed() < end_at {
            let ears = overhear(run, stage).await?;
            self.note(ears.heard, ears.else_heard, stage, effect);
        }
        if !there(stage) {
            // The PBX has time to give the transferee back.
            stage.rest(run, END).await;
            run.end(mark, Verdict::NotRun, "the target did not take the call");
            return Some(false);
        }
        if rings_only {
            run.end(mark, Verdict::Pass, "the target rings");
            return Some(true);
        }
        let end_at = run.elapsed() + CONSULT;
        loop {
            let ears = overhear(run, stage).await?;
            self.note(ears.heard, ears.else_heard, stage, effect);
            let alone = ears.heard.is_alone(transferee);
            effect.consulted = ears.heard.joined(transferor, target) && alone;
            if effect.consulted {
                let [t, e, c] =
                    [transferor, transferee, target].map(|party| self.check.names()[party].clone());
                let music =
                    if ears.else_heard[transferee] >= SOUND { "a sound of the PBX" } else { "nothing" };
                run.end(mark, Verdict::Pass, format!("{t} talks to {c}; {e} hears {music}"));
                return Some(true);
            }
            if run.elapsed() >= end_at {
                effect.unheard = Some(ears.heard);
                run.end(mark, Verdict::NotRun, "the two do not talk to each other alone");
                return Some(false);
            }
        }
    }

    /// The step `complete`: the transferor leaves.
    async fn complete(&self, run: &mut Run, stage: &mut Ends) -> Option<()> {
        let mark = run.begin("complete");
        if let Some(press) = self.keys.complete() {
            let judged = pressed(run, stage, self.ours, press).await;
            return end(run, mark, judged.unwrap_or_else(|| Judged::pass("code pressed"))).then_some(());
        }
        if let Some(leg) = stage.legs.get(self.ours) {
            leg.handle.hang_up(None).await;
        }
        run.end(mark, Verdict::Pass, "hung up");
        Some(())
    }

    /// What a look at the audio says of the keys.
    fn note(&self, heard: Heard, sounds: [Duration; 3], stage: &Ends, effect: &mut Effect) {
        let (transferor, transferee, _) = self.check.roles();
        let up = is_up(stage, transferor) && is_up(stage, transferee);
        let apart = !heard.hears(transferor, transferee) && !heard.hears(transferee, transferor);
        let sound = sounds[transferor] >= SOUND || sounds[transferee] >= SOUND;
        effect.taken |= up && (apart || sound);
    }

    /// Listens until the right two hear each other (true), or it is known that they will not.
    async fn watch(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        before: usize,
        effect: &mut Effect,
    ) -> Option<bool> {
        let (transferor, transferee, target) = self.check.roles();
        let end_at = run.elapsed() + self.check.wait;
        let mut settled = 0;
        loop {
            let ears = overhear(run, stage).await?;
            self.note(ears.heard, ears.else_heard, stage, effect);
            if ears.heard.joined(transferee, target) {
                return Some(true);
            }
            let alerted = invitations(stage, target) > before;
            let back = alerted && !is_called(stage, target) && ears.heard.joined(transferor, transferee);
            let wrong = ears.heard.joined(transferor, target);
            let gone = !is_up(stage, transferee);
            settled = if back || wrong || gone { settled + 1 } else { 0 };
            if settled >= 2 || run.elapsed() >= end_at {
                return Some(false);
            }
        }
    }

    /// There was nobody to consult.
    async fn failed(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        effect: &Effect,
        result: &mut TransferResult,
    ) -> Option<()> {
        let (_, transferee, _) = self.check.roles();
        let after = listen(run, stage).await?;
        let alerted = invitations(stage, self.check.roles().2);
        let played = played(stage, after, alerted, transferee);
        let effect = Effect { alerted, ..*effect };
        run.skip("complete", "there was no consultation");
        run.skip("carried-out", "there was no consultation");
        self.finish(run, stage, &played, &effect, result).await;
        Some(())
    }

    /// The steps from `after` on.
    async fn finish(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        played: &Played,
        effect: &Effect,
        result: &mut TransferResult,
    ) {
        let judged = name::judge(self, played, effect);
        let (_, transferee, _) = self.check.roles();
        if !(played.transferee_up && played.after.is_alone(transferee)) {
            return finish(self.check, run, stage, (played, judged), (self.ours, None), result).await;
        }
        // It waits for ever: whose hang-up ends which call is no question then.
        result.after = Some(played.after);
        result.transferee = fate(self.check, played);
        let mark = run.begin("after");
        end(run, mark, judged);
        ["release", "hang-up"].into_iter().for_each(|step| run.skip(step, "nobody is with the transferee"));
    }
}

/// Has this party a call that it was called for, and that is not over?
fn is_called(stage: &Ends, party: usize) -> bool {
    stage.legs.iter().any(|leg| leg.party == party && !leg.is_caller && !leg.seen.is_over())
}

/// Presses keys; why that could not be.
async fn pressed(run: &mut Run, stage: &mut Ends, leg: usize, press: Press<'_>) -> Option<Judged> {
    let mut plain = false;
    match press.run(run, stage, leg, &mut plain).await {
        // A PBX that has all that it needs takes the transferor out at once.
        Ok(Until::Done | Until::TimedOut) | Err(Unpressed::CallEnded) => None,
        Ok(Until::Interrupted(why)) => Some(interrupted(why)),
        Err(why) => {
            let digit = |key: &Key| if let Key::Digit(digit) = key { Some(*digit) } else { None };
            let sent: Vec<Digit> = press.keys.iter().filter_map(digit).collect();
            Some(unpressed(press.way, sent, why))
        }
    }
}
