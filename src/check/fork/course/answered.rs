//! An end answers: the caller is joined with it, the others are released, and it is heard.

use super::{ANSWER, RELEASE, Trials};
use crate::check::judge::fork;
use crate::check::judged::StepVerdict;
use crate::check::scene::{Ends, JoinedLegs};
use crate::check::{ForkReleased, Interrupted};
use crate::ua::call::{By, Cause, Command};
use std::time::Duration;

/// Looks for the ACKs to what a release was answered with: the last of them is a second after the release.
const ACK_LOOKS: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(700)];

impl Trials<'_, '_, '_> {
    /// These answer, at once.
    pub(super) async fn answer(&mut self, parties: &[usize]) {
        self.call.answered = self.scene.run.now();
        for party in parties {
            if let Some(leg) = self.scene.ends.legs.get(self.leg(*party)) {
                leg.handle.command(Command::Answer).await;
            }
        }
        self.call.result.answered.extend(parties.iter().map(|party| party - 1));
    }

    /// This one answers, and the caller is joined with it.
    pub(super) async fn connect(&mut self, party: usize) -> Result<(), StepVerdict> {
        self.answer(&[party]).await;
        let (caller, leg) = (self.call.caller, self.leg(party));
        let both = |ends: &Ends| ends.is_up(caller) && ends.is_up(leg);
        self.scene.until(ANSWER, |ends| ends.is_over(caller) || ends.is_over(leg) || both(ends)).await?;
        if !both(&self.scene.ends) {
            return Err(fork::not_passed_on(&self.fork.words(), &[party], self.scene.seen(caller)));
        }
        self.note_answer();
        self.call.result.winner = Some(party - 1);
        Ok(())
    }

    /// The time from an end's answer to the caller's; none where a queue had answered before.
    pub(super) fn note_answer(&mut self) {
        let at = self.scene.seen(self.call.caller).answered;
        self.call.result.answer = at.and_then(|at| at.checked_duration_since(self.call.answered));
    }

    /// Waits for these to be released, and writes down how.
    pub(super) async fn released(&mut self, parties: &[usize]) -> Result<(), Interrupted> {
        let legs: Vec<(usize, usize)> = parties.iter().map(|party| (*party, self.leg(*party))).collect();
        self.scene.until(RELEASE, |ends| legs.iter().all(|(_, leg)| ends.is_over(*leg))).await?;
        let by_peer = |(party, leg): (usize, usize)| {
            let ended = self.scene.ends.seen(leg)?.ended.clone()?;
            (ended.by == By::Peer).then_some((party, leg, ended))
        };
        let released: Vec<_> = legs.into_iter().filter_map(by_peer).collect();
        let waiting: Vec<usize> = released.iter().map(|(_, leg, _)| *leg).collect();
        let acknowledged = self.acknowledged(&waiting).await;
        for ((party, _, ended), acknowledged) in released.into_iter().zip(acknowledged) {
            self.call.result.released.push(ForkReleased {
                end: party - 1,
                by: if ended.cause == Cause::Cancelled { "CANCEL".into() } else { "BYE".into() },
                after: ended.at.saturating_duration_since(self.call.answered),
                reasons: ended.reasons,
                acknowledged,
            });
        }
        Ok(())
    }

    /// Is the final response of each of these legs acknowledged? An ACK to what a release was answered with is still on its way then.
    async fn acknowledged(&mut self, legs: &[usize]) -> Vec<bool> {
        let look = |trials: &Self| -> Vec<bool> {
            let is_acknowledged = |leg: &usize| {
                let tag = trials.scene.leg(*leg).handle.local_tag().to_owned();
                trials.scene.trace(*leg).is_acknowledged(&tag)
            };
            legs.iter().map(is_acknowledged).collect()
        };
        let mut seen = look(self);
        for wait in ACK_LOOKS {
            if seen.iter().all(|acknowledged| *acknowledged) || self.scene.rest(wait).await.is_err() {
                break;
            }
            seen = look(self);
        }
        seen
    }

    /// The caller and this one hear each other, and nobody else is heard.
    pub(super) async fn audio(&mut self, winner: usize) -> Result<StepVerdict, Interrupted> {
        let legs = JoinedLegs { caller: self.call.caller, callee: self.leg(winner) };
        let (mutual, heard) = self.scene.overheard(legs).await?;
        let (by_caller, by_winner) = (self.scene.speakers(&heard.caller), self.scene.speakers(&heard.callee));
        self.note_heard([(0, by_caller.as_slice()), (winner, &by_winner)]);
        Ok(fork::audio(&self.fork.words(), winner, &by_caller, mutual))
    }

    /// Writes down whom each of these parties hears.
    pub(super) fn note_heard<'h>(&mut self, heard: impl IntoIterator<Item = (usize, &'h [usize])>) {
        let parties = self.fork.ends.len() + 1;
        let mut by = vec![Vec::new(); parties];
        for (listener, speakers) in heard {
            if let Some(by) = by.get_mut(listener) {
                by.extend(speakers.iter().copied().filter(|speaker| *speaker < parties));
                by.dedup();
            }
        }
        self.call.result.heard = by;
    }
}
