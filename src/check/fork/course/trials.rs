//! The trials of a call that rings: one end answers, two answer at once, one refuses.

use super::{ANSWER_STEPS, CALLER, RELEASE, Trials};
use crate::check::judge::cancel::reason_lost;
use crate::check::judge::fork;
use crate::check::judged::StepVerdict;
use crate::check::scene::{Ends, Mark};
use crate::check::{Interrupted, MetricValue, Verdict};
use crate::ua::call::Command;
use std::time::Duration;

/// Time that the others are watched after one has refused.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);
/// Time in which the other ends see what one end saw.
const SETTLE: Duration = Duration::from_millis(250);

impl Trials<'_, '_, '_> {
    /// The steps `answer`, `cancel`, `audio` and `hang-up`.
    pub(super) async fn one_answers(&mut self, mark: Mark) {
        let [_, cancel, audio, hang_up] = ANSWER_STEPS;
        let ringing = self.ringing();
        let Some(winner) = self.chosen(&ringing) else {
            let judged = self.stopped_ringing().await;
            let _ = self.scene.end(mark, judged);
            self.skip(&[cancel, audio], "nobody answered");
            return self.hang_up(hang_up, &[]).await;
        };
        if let Err(judged) = self.connect(winner).await {
            let _ = self.scene.end(mark, judged);
            self.skip(&[cancel, audio], "the call did not come up");
            // Its leg is up, and the caller has none that could end it.
            return self.hang_up(hang_up, &[winner]).await;
        }
        if let Some(time) = self.call.result.answer {
            self.scene.run.metric("answer", MetricValue::Duration(time));
        }
        let who = self.fork.words().party(winner);
        let _ = self.scene.end(mark, StepVerdict::pass(format!("{who} answered, and the caller got it")));
        let losers: Vec<usize> = ringing.into_iter().filter(|party| *party != winner).collect();
        self.cancelled(cancel, &losers).await;
        let mark = self.scene.begin(audio);
        let judged = self.audio(winner).await;
        let _ = self.scene.end(mark, judged);
        self.hang_up(hang_up, &losers).await;
    }

    /// The step `cancel`: those who lost stop ringing, and know why.
    async fn cancelled(&mut self, step: &'static str, losers: &[usize]) {
        if losers.is_empty() {
            return self.skip(&[step], "nobody else was ringing");
        }
        let mark = self.scene.begin(step);
        if let Err(why) = self.released(losers).await {
            let _ = self.scene.end(mark, why);
            return;
        }
        let group = self.fork.words();
        let on = losers.iter().map(|party| self.leg(*party)).filter(|leg| !self.scene.ends.is_over(*leg));
        let unmatched = on.into_iter().find_map(|leg| self.scene.trace(leg).unmatched_cancel());
        let judged = fork::cancelled(&group, losers, &self.call.result, (RELEASE, unmatched.as_deref()));
        let released = self.call.result.released.clone();
        if judged.verdict == Verdict::Pass
            && let Some(last) = released.iter().map(|released| released.after).max()
        {
            self.scene.run.metric("cancel", MetricValue::Duration(last));
        }
        let _ = self.scene.end(mark, judged);
        for released in released.iter().filter(|released| released.by == "CANCEL") {
            self.scene.run.fact("cancel-reason", released.reasons.join(", "));
            let who = group.party(released.end + 1);
            if let Some(finding) = reason_lost(&released.reasons, who) {
                self.note(finding);
            }
            if !released.acknowledged {
                self.note(fork::not_acknowledged(who));
            }
        }
    }

    async fn hang_up(&mut self, step: &'static str, known: &[usize]) {
        let mark = self.scene.begin(step);
        let judged = self.finish(known).await;
        let _ = self.scene.end(mark, judged);
    }

    fn skip(&mut self, steps: &[&'static str], why: &str) {
        steps.iter().for_each(|step| self.scene.run.skip(*step, why));
    }

    /// The step `race`: two answer at once.
    pub(super) async fn two_answer(&mut self, mark: Mark) {
        let ringing = self.ringing();
        let [one, other, ..] = ringing.as_slice() else {
            return self.give_up(mark, fork::no_two(self.call.result.order)).await;
        };
        let (judged, known) = match self.race([*one, *other], &ringing).await {
            Ok(raced) => raced,
            Err(why) => (why.into(), Vec::new()),
        };
        // An end that did not race and rings on was told by the trial of one answer.
        self.conclude(mark, judged, &known).await;
    }

    /// The verdict, and the parties whose legs are known to be left.
    async fn race(
        &mut self,
        racers: [usize; 2],
        ringing: &[usize],
    ) -> Result<(StepVerdict, Vec<usize>), Interrupted> {
        let group = self.fork.words();
        self.answer(&racers).await;
        let (caller, legs) = (self.call.caller, racers.map(|party| self.leg(party)));
        let settled = |ends: &Ends| {
            let up = legs.iter().filter(|leg| ends.is_up(**leg)).count();
            let all = legs.iter().all(|leg| ends.is_up(*leg) || ends.is_over(*leg));
            ends.is_over(caller) || ends.is_up(caller) && all && up <= 1
        };
        self.scene.until(RELEASE, settled).await?;
        self.note_answer();
        if !self.scene.ends.is_up(caller) {
            return Ok((fork::not_passed_on(&group, &racers, self.scene.seen(caller)), Vec::new()));
        }
        let up: Vec<usize> =
            racers.into_iter().filter(|party| self.scene.ends.is_up(self.leg(*party))).collect();
        match up.as_slice() {
            [] => Ok((fork::both_dropped(&group, racers), Vec::new())),
            [winner] => {
                self.call.result.winner = Some(winner - 1);
                let losers: Vec<usize> = ringing.iter().copied().filter(|party| party != winner).collect();
                self.released(&losers).await?;
                let audio = self.audio(*winner).await?;
                if audio.verdict != Verdict::Pass && self.scene.ends.is_over(self.leg(*winner)) {
                    // The one is hung up a moment after the other.
                    self.call.result.winner = None;
                    return Ok((fork::both_dropped(&group, racers), Vec::new()));
                }
                Ok((self.raced(*winner, racers, audio), losers))
            }
            both => {
                let Some(ears) = self.scene.ends.listen(self.scene.run).await else {
                    return Err(self.scene.run.interrupted().unwrap_or(Interrupted::Stopped));
                };
                self.note_heard(ears.iter().map(|ear| (ear.listener, ear.speakers.as_slice())));
                let joined =
                    |party: &&usize| ears.iter().any(|ear| ear.leg == caller && ear.speakers.contains(party));
                let winner = both.iter().find(joined).copied();
                self.call.result.winner = winner.map(|party| party - 1);
                let open = ringing.iter().copied().filter(|party| Some(*party) != winner).collect();
                Ok((fork::both_up(&group, racers, self.call.result.winner, &ears, RELEASE), open))
            }
        }
    }

    fn raced(&mut self, winner: usize, racers: [usize; 2], audio: StepVerdict) -> StepVerdict {
        if audio.verdict != Verdict::Pass {
            return audio;
        }
        let second = racers.into_iter().find(|party| *party != winner).unwrap_or(CALLER);
        let released = self.call.result.released.iter().find(|released| released.end + 1 == second);
        let by_caller = self.scene.seen(self.call.caller).forks_hung_up > 0;
        if let Some(released) = released {
            self.scene.run.metric("race_release", MetricValue::Duration(released.after));
            let (by, who) = (&released.by, if by_caller { "the caller" } else { "the platform" });
            self.scene.run.fact("race", format!("the second was released with {by} by {who}"));
        }
        StepVerdict::pass(fork::raced(&self.fork.words(), winner, second, released, by_caller))
    }

    /// The step `refuse`: one refuses, the others ring on.
    pub(super) async fn one_refuses(&mut self, mark: Mark) {
        let ringing = self.ringing();
        let Some((refuser, others)) = ringing.split_first().filter(|(_, others)| !others.is_empty()) else {
            return self.give_up(mark, fork::no_two(self.call.result.order)).await;
        };
        let (judged, known) = match self.refused(*refuser, others).await {
            Ok(refused) => refused,
            Err(why) => (why.into(), Vec::new()),
        };
        self.conclude(mark, judged, &known).await;
    }

    /// The verdict, and the parties whose legs are known to be left.
    async fn refused(
        &mut self,
        refuser: usize,
        others: &[usize],
    ) -> Result<(StepVerdict, Vec<usize>), Interrupted> {
        let status = self.fork.refuses_with;
        self.refuse(refuser).await;
        let (caller, legs) =
            (self.call.caller, others.iter().map(|party| self.leg(*party)).collect::<Vec<_>>());
        let ended = |ends: &Ends| ends.is_over(caller) || legs.iter().any(|leg| ends.is_over(*leg));
        self.scene.until(AFTER_REFUSAL, ended).await?;
        // What one of them saw the others see a moment later.
        self.scene.rest(SETTLE).await?;
        let still = self.ringing();
        self.note_refusal();
        let group = self.fork.words();
        if self.scene.ends.is_over(caller) || still.len() < others.len() || still.is_empty() {
            let judged = match status {
                600.. => StepVerdict::pass(fork::ended_by_6xx(&group, refuser, status)),
                _ => fork::ended_by_refusal(
                    &group,
                    (refuser, status),
                    (others, &still),
                    self.call.result.refusal,
                ),
            };
            self.scene.run.fact("refusal", format!("{status} ended the call of the others"));
            return Ok((judged, Vec::new()));
        }
        self.scene.run.fact("refusal", format!("{status} ended its own branch only"));
        let judged = match self.chosen(&still) {
            None => self.stopped_ringing().await?,
            Some(winner) => self.connect_after((refuser, status), winner).await,
        };
        let winner = self.call.result.winner;
        let known = still.into_iter().filter(|party| winner != Some(party - 1)).collect();
        Ok((judged, known))
    }

    /// The same where they are rung one after the other: the turn passes on.
    pub(super) async fn one_refuses_in_turn(&mut self, mark: Mark) {
        let judged = match self.ringing().first().copied() {
            None => self.stopped_ringing().await.into(),
            Some(refuser) => self.refused_in_turn(refuser).await.into(),
        };
        self.conclude(mark, judged, &[]).await;
    }

    async fn refused_in_turn(&mut self, refuser: usize) -> Result<StepVerdict, Interrupted> {
        let status = self.fork.refuses_with;
        self.refuse(refuser).await;
        let caller = self.call.caller;
        let mut others = self.expected.clone();
        others.retain(|party| *party != refuser);
        let passed = |ends: &Ends| {
            ends.is_over(caller) || others.iter().any(|party| ends.called_since(caller, *party).is_some())
        };
        self.scene.until(self.fork.options.wait, passed).await?;
        // It is to be seen ringing before it answers.
        self.scene.rest(SETTLE).await?;
        self.note_rung();
        self.note_refusal();
        let group = self.fork.words();
        Ok(match self.ringing().first().copied() {
            Some(next) => {
                self.scene.run.fact("refusal", format!("{status} passed the turn on"));
                self.connect_after((refuser, status), next).await
            }
            None if status >= 600 => StepVerdict::pass(fork::ended_by_6xx(&group, refuser, status)),
            None => fork::turn_not_passed(&group, (refuser, status), self.scene.seen(caller)),
        })
    }

    async fn refuse(&mut self, refuser: usize) {
        if let Some(leg) = self.scene.ends.legs.get(self.leg(refuser)) {
            let status = self.fork.refuses_with;
            leg.handle.command(Command::Refuse { status, reason: None }).await;
        }
        self.call.result.refused.push(refuser - 1);
    }

    fn note_refusal(&mut self) {
        let rejected = self.scene.seen(self.call.caller).rejected.as_ref();
        self.call.result.refusal = rejected.and_then(|(_, rejection)| rejection.status);
    }

    /// After a refusal another end answers.
    async fn connect_after(&mut self, (refuser, status): (usize, u16), winner: usize) -> StepVerdict {
        if let Err(judged) = self.connect(winner).await {
            return judged;
        }
        match self.audio(winner).await {
            Err(why) => why.into(),
            Ok(audio) if audio.verdict != Verdict::Pass => audio,
            Ok(_) => StepVerdict::pass(fork::rang_on(&self.fork.words(), (refuser, status), winner)),
        }
    }
}
