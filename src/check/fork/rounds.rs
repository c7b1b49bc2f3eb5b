//! What is tried with a call that rings.

use super::SecondCall;
use super::call::{END, RELEASE};
use super::name;
use super::play::{CALLER, Play, is_over, is_up, leg_since};
use crate::check::RingOrder;
use crate::check::judge::cancel::reason_lost;
use crate::check::judged::{Judged, interrupted};
use crate::check::scene::{Ends, Until};
use crate::check::{MetricValue, Side, StepMark, Verdict};
use crate::ua::call::Command;
use std::time::Duration;

/// How long the others are watched after one has refused.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);
/// How long a second call is watched after it has rung somebody.
const AFTER_RING: Duration = Duration::from_secs(2);

impl Play<'_> {
    /// The steps `answer`, `cancel`, `audio` and `hang-up`.
    pub(super) async fn one_answers(&mut self, mark: StepMark) {
        let ringing = self.ringing();
        let Some(winner) = self.chosen(&ringing) else {
            self.end(mark, name::stopped_ringing(self.check, self.stage.seen(self.caller)));
            self.skip(&["cancel", "audio"], "nobody answered");
            return self.hang_up(&[]).await;
        };
        if let Err(judged) = self.connect(winner).await {
            self.end(mark, judged);
            self.skip(&["cancel", "audio"], "the call did not come up");
            // Its leg is up, and the caller has none that could end it.
            return self.hang_up(&[winner]).await;
        }
        if let Some(time) = self.round.answer {
            self.run.metric("answer", MetricValue::Duration(time));
        }
        self.end(mark, Judged::pass(format!("{} answered, and the caller got it", self.check.party(winner))));
        let losers: Vec<usize> = ringing.into_iter().filter(|party| *party != winner).collect();
        self.cancelled(&losers).await;
        let mark = self.run.begin("audio");
        let judged = self.audio(winner).await;
        self.end(mark, judged);
        self.hang_up(&losers).await;
    }

    /// The step `cancel`: those that lost stop ringing, and know why.
    async fn cancelled(&mut self, losers: &[usize]) {
        if losers.is_empty() {
            return self.run.skip("cancel", "nobody else was ringing");
        }
        let mark = self.run.begin("cancel");
        if let Until::Interrupted(why) = self.released(losers).await {
            self.end(mark, interrupted(why));
            return;
        }
        let judged = name::cancelled(self.check, losers, &self.round);
        if judged.verdict == Verdict::Pass
            && let Some(last) = self.round.released.iter().map(|released| released.after).max()
        {
            self.run.metric("cancel", MetricValue::Duration(last));
        }
        self.end(mark, judged);
        let evidence = 0..self.run.record_count();
        for released in self.round.released.iter().filter(|released| released.by == "CANCEL") {
            self.run.fact("cancel-reason", released.reasons.join(", "));
            let who = self.check.party(released.end + 1);
            if let Some(finding) = reason_lost(&released.reasons, who) {
                self.run.find(finding.shown_by(evidence.clone()));
            }
            if !released.acknowledged {
                self.run.find(name::not_acknowledged(who).shown_by(evidence.clone()));
            }
        }
    }

    async fn hang_up(&mut self, known: &[usize]) {
        let mark = self.run.begin("hang-up");
        let judged = self.finish(known).await;
        self.end(mark, judged);
    }

    fn skip(&mut self, steps: &[&'static str], why: &str) {
        steps.iter().for_each(|step| self.run.skip(*step, why));
    }

    /// Ends the call and then the step, which fails for the first that went wrong.
    async fn conclude(&mut self, mark: StepMark, judged: Judged, known: &[usize]) {
        let ended = self.finish(known).await;
        let judged =
            if judged.verdict == Verdict::Pass && ended.verdict != Verdict::Pass { ended } else { judged };
        self.end(mark, judged);
    }

    /// Ends the call; there was nothing to try.
    async fn give_up(&mut self, mark: StepMark, why: &str) {
        let ended = self.finish(&[]).await;
        match ended.verdict {
            Verdict::Pass => self.run.end(mark, Verdict::NotRun, why),
            _ => {
                self.end(mark, ended);
            }
        }
    }

    /// The step `race`: two answer at once.
    pub(super) async fn two_answer(&mut self, mark: StepMark) {
        let ringing = self.ringing();
        let [one, other, ..] = ringing.as_slice() else {
            return self.give_up(mark, name::no_two(self.round.order)).await;
        };
        let racers = [*one, *other];
        self.answer(&racers).await;
        let (caller, legs) = (self.caller, racers.map(|party| self.leg(party)));
        let settled = |stage: &Ends| {
            let up = legs.iter().filter(|leg| is_up(stage, **leg)).count();
            let all = legs.iter().all(|leg| is_up(stage, *leg) || is_over(stage, *leg));
            is_over(stage, caller) || is_up(stage, caller) && all && up <= 1
        };
        if let Until::Interrupted(why) = self.stage.until(self.run, RELEASE, settled).await {
            return self.conclude(mark, interrupted(why), &[]).await;
        }
        self.note_answer();
        let up: Vec<usize> = racers.into_iter().filter(|party| is_up(self.stage, self.leg(*party))).collect();
        let losers: Vec<usize> = ringing.iter().copied().filter(|party| !up.contains(party)).collect();
        let (judged, known) = match up.as_slice() {
            _ if !is_up(self.stage, caller) => {
                (name::not_passed_on(self.check, &racers, self.stage.seen(caller)), Vec::new())
            }
            [] => (name::both_dropped(self.check, racers), Vec::new()),
            [winner] => {
                self.round.winner = Some(winner - 1);
                let _ = self.released(&losers).await;
                let audio = self.audio(*winner).await;
                if audio.verdict == Verdict::Fail && is_over(self.stage, self.leg(*winner)) {
                    // The one is hung up a moment after the other.
                    self.round.winner = None;
                    (name::both_dropped(self.check, racers), Vec::new())
                } else {
                    (self.raced(*winner, racers, audio), losers)
                }
            }
            both => {
                let Some(ears) = self.listen().await else {
                    let why = self.run.interrupted().unwrap_or(crate::check::Interrupted::Stopped);
                    return self.conclude(mark, interrupted(why), &[]).await;
                };
                let joined =
                    |party: &&usize| ears.iter().any(|ear| ear.leg == caller && ear.speakers.contains(party));
                self.round.winner = both.iter().find(joined).map(|party| party - 1);
                let winner = self.round.winner.map(|end| end + 1);
                let open = ringing.iter().copied().filter(|party| Some(*party) != winner).collect();
                (name::both_up(self.check, racers, self.round.winner, &ears), open)
            }
        };
        // Who did not race and rings on was told by the trial of one answer.
        self.conclude(mark, judged, &known).await;
    }

    fn raced(&mut self, winner: usize, racers: [usize; 2], audio: Judged) -> Judged {
        if audio.verdict != Verdict::Pass {
            return audio;
        }
        let second = racers.into_iter().find(|party| *party != winner).map_or(CALLER, |party| party);
        let how = self.round.released.iter().find(|released| released.end + 1 == second);
        let by_caller = self.stage.seen(self.caller).is_some_and(|seen| seen.forks_hung_up > 0);
        let released = how.map(|how| (how.by.clone(), how.after));
        if let Some((by, after)) = &released {
            self.run.metric("race_release", MetricValue::Duration(*after));
            let who = if by_caller { "the caller, which got both answers" } else { "the platform" };
            self.run.fact("race", format!("the second was released with {by} by {who}"));
        }
        Judged::pass(name::raced(self.check, winner, second, released.as_ref(), by_caller))
    }

    /// The step `refuse`: one refuses, the others ring on.
    pub(super) async fn one_refuses(&mut self, mark: StepMark) {
        let ringing = self.ringing();
        let Some(refuser) = ringing.first().copied().filter(|_| ringing.len() > 1) else {
            return self.give_up(mark, name::no_two(self.round.order)).await;
        };
        let status = self.check.refuses_with;
        self.refuse(refuser).await;
        let (caller, others) = (self.caller, ringing.get(1..).unwrap_or_default().to_vec());
        let legs: Vec<usize> = others.iter().map(|party| self.leg(*party)).collect();
        let ended = |stage: &Ends| is_over(stage, caller) || legs.iter().any(|leg| is_over(stage, *leg));
        if let Until::Interrupted(why) = self.stage.until(self.run, AFTER_REFUSAL, ended).await {
            return self.conclude(mark, interrupted(why), &[]).await;
        }
        // What one of them saw the others see a moment later.
        let _ = self.stage.rest(self.run, AFTER_REFUSAL / 8).await;
        let still = self.ringing();
        self.note_refusal();
        let is_whole = is_over(self.stage, caller) || still.len() < others.len();
        if is_whole || still.is_empty() {
            let judged = match status {
                600.. => Judged::pass(name::ended_by_6xx(self.check, refuser, status)),
                _ => name::ended_by_refusal(
                    self.check,
                    (refuser, status),
                    (&others, &still),
                    self.round.refusal,
                ),
            };
            self.run.fact("refusal", format!("{status} ended the call of the others"));
            return self.conclude(mark, judged, &[]).await;
        }
        self.run.fact("refusal", format!("{status} ended its own branch only"));
        let judged = match self.chosen(&still) {
            None => name::stopped_ringing(self.check, self.stage.seen(caller)),
            Some(winner) => self.connect_after((refuser, status), winner).await,
        };
        let known: Vec<usize> =
            still.into_iter().filter(|party| self.round.winner != Some(party - 1)).collect();
        self.conclude(mark, judged, &known).await;
    }

    /// The same where they are rung one after the other: the turn passes on.
    pub(super) async fn one_refuses_in_turn(&mut self, mark: StepMark) {
        let Some(refuser) = self.ringing().first().copied() else {
            let judged = name::stopped_ringing(self.check, self.stage.seen(self.caller));
            return self.conclude(mark, judged, &[]).await;
        };
        let status = self.check.refuses_with;
        self.refuse(refuser).await;
        let caller = self.caller;
        let mut others = self.expected.clone();
        others.retain(|party| *party != refuser);
        let passed = |stage: &Ends| {
            is_over(stage, caller) || others.iter().any(|party| leg_since(stage, caller, *party).is_some())
        };
        let until = self.stage.until(self.run, self.check.wait, passed).await;
        if let Until::Interrupted(why) = until {
            return self.conclude(mark, interrupted(why), &[]).await;
        }
        // It is to be seen ringing before it answers.
        let _ = self.stage.rest(self.run, AFTER_REFUSAL / 8).await;
        self.note_rung();
        self.note_refusal();
        let judged = match self.ringing().first().copied() {
            Some(next) => {
                self.run.fact("refusal", format!("{status} passed the turn on"));
                self.connect_after((refuser, status), next).await
            }
            None if status >= 600 => Judged::pass(name::ended_by_6xx(self.check, refuser, status)),
            None => name::turn_not_passed(self.check, (refuser, status), self.stage.seen(caller)),
        };
        self.conclude(mark, judged, &[]).await;
    }

    async fn refuse(&mut self, refuser: usize) {
        if let Some(leg) = self.stage.legs.get(self.leg(refuser)) {
            let status = self.check.refuses_with;
            leg.handle.command(Command::Refuse { status, reason: None }).await;
        }
        self.round.refused.push(refuser - 1);
    }

    fn note_refusal(&mut self) {
        let rejected = self.stage.seen(self.caller).and_then(|seen| seen.rejected.as_ref());
        self.round.refusal = rejected.and_then(|(_, rejection)| rejection.status);
    }

    /// After a refusal another one answers.
    async fn connect_after(&mut self, (refuser, status): (usize, u16), winner: usize) -> Judged {
        if let Err(judged) = self.connect(winner).await {
            return judged;
        }
        let audio = self.audio(winner).await;
        match audio.verdict {
            Verdict::Pass => Judged::pass(name::rang_on(self.check, (refuser, status), winner)),
            _ => audio,
        }
    }

    /// The step `second-call`: one is in a call, and another call comes.
    pub(super) async fn called_twice(&mut self, mark: StepMark) {
        let ringing = self.ringing();
        let Some(busy) = self.chosen(&ringing) else {
            let judged = name::stopped_ringing(self.check, self.stage.seen(self.caller));
            return self.conclude(mark, judged, &[]).await;
        };
        if let Err(judged) = self.connect(busy).await {
            return self.conclude(mark, judged, &[]).await;
        }
        let others: Vec<usize> = ringing.into_iter().filter(|party| *party != busy).collect();
        let _ = self.released(&others).await;
        let judged = self.second_call(busy).await;
        self.conclude(mark, judged, &others).await;
    }

    async fn second_call(&mut self, busy: usize) -> Judged {
        let second_caller = match self.check.second_caller {
            Some(_) => self.check.ends.len() + 1,
            None => CALLER,
        };
        // Who still rings for the first call is none of the second's.
        let mut wanted: Vec<usize> = self.expected.clone();
        wanted.retain(|party| *party == busy || is_over(self.stage, self.leg(*party)));
        self.let_ring();
        let from = match self.stage.dial(second_caller, &self.check.target).await {
            Ok(leg) => leg,
            Err(error) => return Judged::open("probe-limit", Side::Probe, error.to_string(), "free a port"),
        };
        let rang = |stage: &Ends, party: &usize| leg_since(stage, from, *party).is_some();
        let done = |stage: &Ends| is_over(stage, from) || wanted.iter().all(|party| rang(stage, party));
        let any = |stage: &Ends| done(stage) || wanted.iter().any(|party| rang(stage, party));
        let mut until = self.stage.until(self.run, self.check.wait, any).await;
        if until == Until::Done {
            // Where they are rung one after the other, each waits for its turn.
            let serial = self.round.order == Some(RingOrder::Serial);
            let more = if serial { self.check.wait } else { AFTER_RING };
            until = self.stage.until(self.run, more, done).await;
        }
        if let Until::Interrupted(why) = until {
            return interrupted(why);
        }
        let rung: Vec<usize> = wanted.iter().copied().filter(|party| rang(self.stage, party)).collect();
        self.round.second_rang = rung.iter().map(|party| party - 1).collect();
        let rejected = self.stage.seen(from).and_then(|seen| seen.rejected.as_ref());
        self.round.refusal = rejected.and_then(|(_, rejection)| rejection.status);
        let came = match (rung.contains(&busy), rung.is_empty(), self.round.refusal) {
            (true, ..) => Some(SecondCall::Rings),
            (false, false, _) => Some(SecondCall::Elsewhere),
            (false, true, Some(_)) => Some(SecondCall::Busy),
            (false, true, None) => None,
        };
        self.run.fact("second-call", came.map_or("nothing came of it", SecondCall::as_str));
        let judged = name::second_call(self.check, busy, came, &rung, self.round.refusal);
        // It is given up: who rings for it has to stop, and the first call goes on.
        if let Some(leg) = self.stage.legs.get(from).filter(|leg| !leg.seen.is_over()) {
            leg.handle.hang_up(None).await;
        }
        let legs: Vec<usize> =
            rung.iter().filter_map(|party| leg_since(self.stage, from, *party)).chain([from]).collect();
        let gone = |stage: &Ends| legs.iter().all(|leg| is_over(stage, *leg));
        if let Until::Interrupted(why) = self.stage.until(self.run, END, gone).await {
            return interrupted(why);
        }
        if judged.verdict != Verdict::Pass {
            return judged;
        }
        let on: Vec<usize> = rung
            .into_iter()
            .filter(|party| leg_since(self.stage, from, *party).is_some_and(|leg| !is_over(self.stage, leg)))
            .collect();
        if !on.is_empty() {
            return name::rings_on(self.check, &on);
        }
        let audio = self.audio(busy).await;
        match audio.verdict {
            Verdict::Fail => name::first_call_lost(self.check, busy, &audio.detail),
            Verdict::Pass => judged,
            _ => audio,
        }
    }
}
