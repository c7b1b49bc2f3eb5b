//! The verb `hang_up`: the end of a call, ours or not.

use super::trace::reasons;
use super::{Ended, JoinedLegs, Scene, Seen, Step};
use crate::check::Interrupted;
use crate::check::judge::release::{self, End};
use crate::check::judged::StepVerdict;
use crate::syntax::Method;
use crate::ua::call::{By, Cause, Event};
use std::time::Duration;

/// Time for BYE, its answer, and its arrival at the other end.
const PATIENCE: Duration = Duration::from_secs(4);

/// A path that loses more than this share of packets loses ACKs too: one that is missing says nothing of the platform.
const LOSSY: f64 = 0.10;
/// T1 of RFC 3261 sec. 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// For the timer of the transaction itself to be over as well.
const MORE: Duration = Duration::from_millis(500);

impl Scene<'_> {
    /// The step `hang-up` of a call whose ends are `legs`: one of ours, or two. The first hangs up, where nobody has, and it is judged how the
    /// call ended.
    ///
    /// # Errors
    /// Not all ends were released as they should be.
    pub(in crate::check) async fn hang_up(&mut self, legs: &[usize]) -> Step {
        let mark = self.begin("hang-up");
        let judged = self.released(legs).await;
        self.end(mark, judged)
    }

    /// The same without a step of its own.
    pub(in crate::check) async fn released(&mut self, legs: &[usize]) -> Result<StepVerdict, Interrupted> {
        self.to_last.retain(|call| !call.both().iter().any(|leg| legs.contains(leg)));
        let over = |ends: &super::Ends| legs.iter().all(|leg| ends.seen(*leg).is_none_or(Seen::is_over));
        if legs.iter().any(|leg| self.seen(*leg).is_over()) {
            if self.end_is_told {
                return Ok(StepVerdict::not_run("the call was over before"));
            }
            // Both ends hear of an end; the later one only by the network's delay.
            self.until(PATIENCE, over).await?;
            let ends = self.all_ends(legs);
            let judged = release::dropped(&ends, legs.len() > 1);
            self.give_up(legs).await;
            return Ok(judged);
        }
        // Asked now: afterwards the end of the call explains it.
        let ends = self.all_ends(legs);
        let (mut unconfirmed, repeated) =
            (release::unconfirmed(&ends, self.run.now()), release::repeated(&ends));
        repeated.into_iter().for_each(|finding| self.note(finding));
        for leg in legs {
            if self.leg(*leg).report().await.received.loss() > LOSSY {
                unconfirmed = None;
            }
        }
        if let Some(own) = legs.first() {
            self.leg(*own).handle.hang_up(None).await;
        }
        self.until(PATIENCE, over).await?;
        let ends = self.all_ends(legs);
        // The first BYE counts: the platform's own may have come when ours was on its way out.
        if ends.first().is_some_and(End::is_ended_by_peer) {
            // Its refusal of a request in the call is known a little before the end that it means.
            if self.end_is_told {
                self.give_up(legs).await;
                return Ok(StepVerdict::not_run("the call was over before"));
            }
            let judged = release::dropped(&ends, legs.len() > 1);
            self.give_up(legs).await;
            return Ok(judged);
        }
        let crossed = ends.first().and_then(|own| release::crossed(own, legs.len() > 1));
        let (judged, warning) = release::ended(&ends, PATIENCE);
        let late = release::late(&ends);
        crossed.into_iter().for_each(|finding| self.note(finding));
        warning.into_iter().chain(late).for_each(|finding| self.note(finding));
        self.give_up(legs).await;
        Ok(unconfirmed.unwrap_or(judged))
    }

    /// From now on this call is to last until it is hung up.
    pub(in crate::check) fn is_to_last(&mut self, legs: JoinedLegs) {
        if legs.caller != legs.callee {
            self.to_last.push(legs);
        }
    }

    /// From now on calls may end: they are moved, or replaced.
    pub(in crate::check) fn may_all_end(&mut self) {
        self.to_last.clear();
    }

    /// The call that was to last and is over.
    pub(in crate::check) fn over_early(&self) -> Option<JoinedLegs> {
        self.to_last.iter().copied().find(|call| call.both().iter().any(|leg| self.seen(*leg).is_over()))
    }

    /// The verdict of a step that needs all calls that are to last, where one of them is over.
    pub(in crate::check) fn needs_calls(&self) -> Option<StepVerdict> {
        let call = self.over_early()?;
        Some(StepVerdict::not_run(format!("{} was over before", self.call_of(call))))
    }

    fn call_of(&self, call: JoinedLegs) -> String {
        let name = |leg: usize| self.name(self.leg(leg).party);
        format!("the call of {} with {}", name(call.caller), name(call.callee))
    }

    /// Steps are left out. Where a call that was to last is over, the step `hang-up` says why; and what was not asked to its end is no pass.
    pub(super) async fn account_for_end(&mut self, steps: &[&'static str]) {
        if self.run.interrupted().is_none()
            && !self.end_is_told
            && steps.contains(&"hang-up")
            && let Some(call) = self.over_early()
        {
            let is_one = self.to_last.len() == 1;
            let mark = self.begin("hang-up");
            let judged = StepVerdict::from(self.released(&call.both()).await);
            let judged = if is_one { judged } else { judged.because(&self.call_of(call)) };
            let _ = self.end(mark, judged);
        }
        if !self.run.has_failed() {
            self.run.not_asked();
        }
    }

    /// This leg's call, which was not answered, was given up: waits this time for its end. Where the CANCEL was answered, the final
    /// response may take up to 64*T1 (RFC 3261 sec. 9.1), for a proxy waits that time for a branch of which nothing comes (sec. 16.7): an
    /// unplugged device. Gives the time that it took.
    ///
    /// # Errors
    /// The check has to end.
    pub(in crate::check) async fn until_cancelled(
        &mut self,
        leg: usize,
        time: Duration,
    ) -> Result<Duration, Interrupted> {
        let began = self.run.now();
        let over = |ends: &super::Ends| ends.seen(leg).is_none_or(Seen::is_over);
        if !self.until(time, over).await? && self.trace(leg).is_cancel_taken() {
            let more = self.branch_time(leg).saturating_sub(time);
            self.until(more, over).await?;
        }
        Ok(self.run.now().saturating_duration_since(began))
    }

    /// Time in which a proxy gives up a branch of which nothing comes, for this leg's timers.
    pub(in crate::check) fn branch_time(&self, leg: usize) -> Duration {
        let party = self.ends.parties.get(self.leg(leg).party);
        let t1 = party.map_or(T1, |party| party.agent.endpoint().config().transaction.t1);
        t1 * 64 + MORE
    }

    /// Hangs up what is still up, without waiting.
    async fn give_up(&mut self, legs: &[usize]) {
        for leg in legs.iter().filter(|leg| !self.seen(**leg).is_over()) {
            self.leg(*leg).handle.hang_up(None).await;
        }
    }

    /// The ends of a call, in the order of `legs`.
    fn all_ends(&self, legs: &[usize]) -> Vec<End<'_>> {
        legs.iter().map(|leg| self.end_of(*leg)).collect()
    }

    fn end_of(&self, number: usize) -> End<'_> {
        let (leg, trace) = (self.leg(number), self.trace(number));
        let mut ended = leg.seen.ended.clone();
        if let (Some(ended), Some((bye, true))) = (&mut ended, trace.peers_bye(leg.is_caller))
            && ended.by == By::Local
        {
            let reasons = reasons(&bye.message);
            *ended = Ended { at: bye.at, by: By::Peer, cause: Cause::HungUp, reasons };
        }
        End {
            name: self.name(leg.party),
            leg,
            ended,
            bye: self.request_end(number, &[Method::Bye], leg.began),
            refused_bye: self.refused_bye(number),
            trace,
        }
    }

    /// A BYE that this leg, or its phone because it could not tell for which call it was, had to refuse.
    pub(in crate::check) fn refused_bye(&self, leg: usize) -> Option<(u16, String)> {
        let leg = self.leg(leg);
        if leg.seen.is_over() {
            return None;
        }
        let here = leg.seen.refused.iter().rev().find_map(|(_, event)| match event {
            Event::RequestRefused { method, status, why } if method == "BYE" => Some((*status, why.clone())),
            _ => None,
        });
        let stray = || {
            let strays = self.ends.parties.get(leg.party)?.strays.iter();
            let mut byes = strays.filter(|stray| stray.message.method() == Some(Method::Bye));
            byes.next_back().map(|stray| (stray.status, stray.why.clone()))
        };
        here.or_else(stray)
    }
}
