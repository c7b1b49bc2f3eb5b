//! The end of a call: everybody has to hear of it.

use super::{END, Trials};
use crate::check::judge::{cancel, fork};
use crate::check::judged::StepVerdict;
use crate::check::scene::Ends;
use crate::check::{Interrupted, Verdict};
use std::time::Duration;

/// Between two calls: a platform counts a call for a moment after its end.
const PAUSE: Duration = Duration::from_millis(500);

impl Trials<'_, '_, '_> {
    /// The caller hangs up, or gives up, and everybody has to hear of it, but for those of whom it is `known` already that they do not. What
    /// is left is released by us, so that it is not in the way of the next call.
    pub(super) async fn finish(&mut self, known: &[usize]) -> StepVerdict {
        // What comes late for this call is none of the next.
        for party in &mut self.scene.ends.parties {
            party.expect = None;
        }
        let ended = self.end(known).await;
        let _ = self.scene.rest(PAUSE).await;
        ended.unwrap_or_else(StepVerdict::from)
    }

    async fn end(&mut self, known: &[usize]) -> Result<StepVerdict, Interrupted> {
        let from = self.call.caller;
        let all_over = |ends: &Ends| (from..ends.legs.len()).all(|leg| ends.is_over(leg));
        let mut known = known.to_vec();
        known.retain(|party| !self.scene.ends.is_over(self.leg(*party)));
        // The talk first: how it ends is judged as in every other call.
        let winner = self.call.result.winner.map(|end| self.leg(end + 1));
        let talking: Vec<usize> = [from].into_iter().chain(winner).collect();
        let mut talk = StepVerdict::pass("");
        if self.scene.seen(from).answered.is_some() {
            talk = self.scene.released(&talking).await?;
        }
        let still: Vec<usize> = talking
            .iter()
            .copied()
            .filter(|leg| talk.verdict != Verdict::Pass && !self.scene.ends.is_over(*leg))
            .collect();
        let own = self.own_open(from);
        for leg in &own {
            self.scene.leg(*leg).handle.hang_up(None).await;
        }
        self.scene.until(END, all_over).await?;
        let of_others =
            |leg: &usize| !self.scene.ends.is_over(*leg) && !own.contains(leg) && !talking.contains(leg);
        let left: Vec<usize> = (from..self.scene.ends.legs.len()).filter(of_others).collect();
        let news: Vec<usize> = left
            .iter()
            .map(|leg| self.scene.leg(*leg).party)
            .filter(|party| !known.contains(party))
            .collect();
        for leg in &left {
            self.scene.leg(*leg).handle.hang_up(None).await;
        }
        let given_up = self.given_up(&own).await?;
        self.scene.until(END, all_over).await?;
        self.call.result.legs_left = known.len() + news.len() + still.len() + usize::from(given_up.is_some());
        if talk.verdict != Verdict::Pass {
            return Ok(talk);
        }
        if !news.is_empty() {
            return Ok(fork::legs_left(&self.fork.words(), &news, END));
        }
        if let Some(judged) = given_up {
            return Ok(judged);
        }
        let whom = if known.is_empty() { "all" } else { "all others" };
        Ok(StepVerdict::pass(format!("{whom} are released")))
    }

    /// Calls of this check's own callers, from this leg on, that are not over.
    fn own_open(&self, from: usize) -> Vec<usize> {
        let legs = self.scene.ends.legs.iter().enumerate().skip(from);
        legs.filter(|(_, leg)| leg.is_caller && !leg.seen.is_over()).map(|(number, _)| number).collect()
    }

    /// Calls that were given up while they rang: their final responses may take their time; what is wrong with them, if anything is.
    async fn given_up(&mut self, own: &[usize]) -> Result<Option<StepVerdict>, Interrupted> {
        let mut wrong = None;
        for leg in own.iter().copied() {
            if self.scene.seen(leg).answered.is_some() {
                continue;
            }
            let waited = END + self.scene.until_cancelled(leg, Duration::ZERO).await?;
            let name = self.scene.name(self.scene.leg(leg).party).to_owned();
            let (judged, late) = cancel::given_up(&name, &self.scene.trace(leg), waited);
            late.into_iter().for_each(|finding| self.note(finding));
            wrong = wrong.or_else(|| (judged.verdict != Verdict::Pass).then_some(judged));
        }
        Ok(wrong)
    }
}
