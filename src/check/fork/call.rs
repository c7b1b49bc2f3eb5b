//! What each call of the check has in common: answering, being released, being heard, and the end.

use super::name;
use super::play::{Play, is_over, is_up, leg_since};
use crate::check::Interrupted;
use crate::check::judged::{Judged, interrupted};
use crate::check::result::ForkReleased;
use crate::check::scene::{Ear, Ends, Until};
use crate::transport::{Direction, RecordEvent};
use crate::ua::call::{By, Cause, Command};
use std::time::Duration;

/// Time for an answer to reach the caller.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// Time for the others to be released.
pub(super) const RELEASE: Duration = Duration::from_secs(5);
/// Time for legs to end.
pub(super) const END: Duration = Duration::from_secs(3);
/// Time for an ACK, after everything else.
const ACK: Duration = Duration::from_secs(1);
/// Between two calls: a platform counts a call for a moment after its end.
const PAUSE: Duration = Duration::from_millis(500);

impl Play<'_> {
    /// The parties that ring now.
    pub(super) fn ringing(&self) -> Vec<usize> {
        let rings = |party: &usize| {
            leg_since(self.stage, self.caller, *party)
                .is_some_and(|leg| !is_over(self.stage, leg) && !is_up(self.stage, leg))
        };
        let rang = self.round.rang.iter().map(|rung| rung.end + 1);
        rang.filter(rings).collect()
    }

    /// Who is to answer: the one that was chosen, or else the last that rings.
    pub(super) fn chosen(&self, ringing: &[usize]) -> Option<usize> {
        let wanted = self.check.answers + 1;
        ringing.iter().copied().find(|party| *party == wanted).or(ringing.last().copied())
    }

    /// The leg of a party in the present call.
    pub(super) fn leg(&self, party: usize) -> usize {
        // A number that no leg has stands for one that is over.
        leg_since(self.stage, self.caller, party).unwrap_or(usize::MAX)
    }

    /// These answer, at once.
    pub(super) async fn answer(&mut self, parties: &[usize]) {
        self.answered_at = self.run.now();
        for leg in parties.iter().filter_map(|party| self.stage.legs.get(self.leg(*party))) {
            leg.handle.command(Command::Answer).await;
        }
        self.round.answered.extend(parties.iter().map(|party| party - 1));
    }

    /// This one answers, and the caller is joined with it.
    pub(super) async fn connect(&mut self, party: usize) -> Result<(), Judged> {
        self.answer(&[party]).await;
        let (caller, leg) = (self.caller, self.leg(party));
        let done = |stage: &Ends| {
            is_over(stage, caller) || is_over(stage, leg) || is_up(stage, caller) && is_up(stage, leg)
        };
        let until = self.stage.until(self.run, ANSWER, done).await;
        if let Until::Interrupted(why) = until {
            return Err(interrupted(why));
        }
        if !(is_up(self.stage, caller) && is_up(self.stage, leg)) {
            return Err(name::not_passed_on(self.check, &[party], self.stage.seen(caller)));
        }
        self.note_answer();
        self.round.winner = Some(party - 1);
        Ok(())
    }

    /// The time from an end's answer to the caller's.
    pub(super) fn note_answer(&mut self) {
        let at = self.stage.seen(self.caller).and_then(|seen| seen.answered);
        self.round.answer = at.map(|at| at.saturating_duration_since(self.answered_at));
    }

    /// Waits for these to be released, and writes down how.
    pub(super) async fn released(&mut self, parties: &[usize]) -> Until {
        let legs: Vec<usize> = parties.iter().map(|party| self.leg(*party)).collect();
        let gone = |stage: &Ends| legs.iter().all(|leg| is_over(stage, *leg));
        let until = self.stage.until(self.run, RELEASE, gone).await;
        let end = self.run.elapsed() + ACK;
        // The ACK to what the release was answered with is still on its way.
        while !legs.iter().all(|leg| !is_over(self.stage, *leg) || self.acknowledged(*leg))
            && self.run.elapsed() < end
        {
            if let Until::Interrupted(_) = self.stage.rest(self.run, ACK / 50).await {
                break;
            }
        }
        for (party, leg) in parties.iter().zip(&legs) {
            let Some(ended) = self.stage.seen(*leg).and_then(|seen| seen.ended.as_ref()) else { continue };
            if ended.by != By::Peer {
                continue;
            }
            let released = ForkReleased {
                end: party - 1,
                by: if ended.cause == Cause::Cancelled { "CANCEL".into() } else { "BYE".into() },
                after: ended.at.saturating_duration_since(self.answered_at),
                reasons: ended.reasons.clone(),
                acknowledged: self.acknowledged(*leg),
            };
            self.round.released.push(released);
        }
        until
    }

    /// Did an ACK come in this leg?
    fn acknowledged(&self, leg: usize) -> bool {
        let Some(leg) = self.stage.legs.get(leg) else { return true };
        let tag = leg.handle.local_tag().as_bytes();
        self.run.records().iter().any(|record| match &record.event {
            RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
                bytes.starts_with(b"ACK ") && memchr::memmem::find(bytes, tag).is_some()
            }
            _ => false,
        })
    }

    /// Who hears whom now; `None` when the check has to end.
    pub(super) async fn listen(&mut self) -> Option<Vec<Ear>> {
        let ears = self.stage.listen(self.run).await?;
        let parties = self.check.ends.len() + 1;
        self.round.heard = vec![Vec::new(); parties];
        for ear in &ears {
            if let Some(heard) = self.round.heard.get_mut(ear.listener) {
                heard.extend(ear.speakers.iter().copied().filter(|speaker| *speaker < parties));
                heard.dedup();
            }
        }
        Some(ears)
    }

    /// The caller and this one hear each other, and nobody else is heard or hears.
    pub(super) async fn audio(&mut self, winner: usize) -> Judged {
        match self.listen().await {
            Some(ears) => name::audio(self.check, winner, (self.caller, self.leg(winner)), &ears),
            None => interrupted(self.run.interrupted().unwrap_or(Interrupted::Stopped)),
        }
    }

    /// The caller hangs up, and everybody has to hear of it, but for those of whom it is `known` already that they do not. What is left is
    /// released by us, so that it is not in the way of the next call.
    pub(super) async fn finish(&mut self, known: &[usize]) -> Judged {
        let from = self.caller;
        // What comes late for this call is none of the next.
        for party in &mut self.stage.parties {
            party.expect = None;
        }
        let mut left = known.to_vec();
        left.retain(|party| !is_over(self.stage, self.leg(*party)));
        for leg in self.stage.legs.iter().skip(from).filter(|leg| leg.is_caller && !leg.seen.is_over()) {
            leg.handle.hang_up(None).await;
        }
        let over = |stage: &Ends| stage.legs.iter().skip(from).all(|leg| leg.seen.is_over());
        let until = self.stage.until(self.run, END, over).await;
        let open = self.stage.legs.iter().skip(from).filter(|leg| !leg.seen.is_over());
        let news: Vec<usize> = open.map(|leg| leg.party).filter(|party| !left.contains(party)).collect();
        for leg in self.stage.legs.iter().skip(from).filter(|leg| !leg.seen.is_over()) {
            leg.handle.hang_up(None).await;
        }
        if until == Until::TimedOut {
            self.stage.until(self.run, END, over).await;
        }
        let _ = self.stage.rest(self.run, PAUSE).await;
        if let Until::Interrupted(why) = until {
            return interrupted(why);
        }
        self.round.legs_left = left.len() + news.len();
        match news.as_slice() {
            [] if left.is_empty() => Judged::pass("all are released"),
            [] => Judged::pass("all others are released"),
            left => name::legs_left(self.check, left),
        }
    }
}
