//! The step `second-call`: one end is in a call, and another call comes.

use super::{CALLER, END, Trials};
use crate::check::judge::fork::{self, SecondCalled};
use crate::check::judge::setup::who_answered;
use crate::check::judged::StepVerdict;
use crate::check::scene::{Ends, Mark};
use crate::check::{RingOrder, SecondCall, Verdict};
use std::time::Duration;

/// Time that a second call is watched after it has rung somebody.
const AFTER_RING: Duration = Duration::from_secs(2);

impl Trials<'_, '_, '_> {
    pub(super) async fn called_twice(&mut self, mark: Mark) {
        let ringing = self.ringing();
        let Some(busy) = self.chosen(&ringing) else {
            let judged = self.stopped_ringing().await.into();
            return self.conclude(mark, judged, &[]).await;
        };
        if let Err(judged) = self.connect(busy).await {
            return self.conclude(mark, judged, &[]).await;
        }
        let others: Vec<usize> = ringing.into_iter().filter(|party| *party != busy).collect();
        let judged = match self.released(&others).await {
            Ok(()) => self.second_call(busy).await.into(),
            Err(why) => why.into(),
        };
        self.conclude(mark, judged, &others).await;
    }

    async fn second_call(&mut self, busy: usize) -> Result<StepVerdict, StepVerdict> {
        // An end that still rings for the first call is none of the second's.
        let mut wanted = self.expected.clone();
        wanted.retain(|party| *party == busy || self.scene.ends.is_over(self.leg(*party)));
        self.let_ring();
        let dial = self.dial(self.fork.second().map_or(CALLER, |_| self.fork.ends.len() + 1));
        let from = self.scene.dial(&dial).await?;
        let rang = |ends: &Ends, party: &usize| ends.called_since(from, *party).is_some();
        let all = |ends: &Ends| ends.is_over(from) || wanted.iter().all(|party| rang(ends, party));
        let any = |ends: &Ends| all(ends) || wanted.iter().any(|party| rang(ends, party));
        if self.scene.until(dial.wait, any).await? {
            // Where they are rung one after the other, each waits for its turn.
            let serial = self.call.result.order == Some(RingOrder::Serial);
            self.scene.until(if serial { dial.wait } else { AFTER_RING }, all).await?;
        }
        let rung: Vec<usize> = wanted.iter().copied().filter(|party| rang(&self.scene.ends, party)).collect();
        let seen = self.scene.seen(from);
        let who = || who_answered(seen, &self.scene.trace(from), dial.target);
        let answered_by = seen.answered.map(|_| who());
        let rejected = seen.rejected.as_ref();
        let refusal = rejected.and_then(|(_, rejection)| rejection.status);
        self.call.result.second_rang = rung.iter().map(|party| party - 1).collect();
        self.call.result.refusal = refusal;
        let called = SecondCalled {
            busy,
            expected: self.fork.second_call,
            rung: &rung,
            refusal,
            // A queue answers, and rings the ends behind it.
            answered_by: answered_by.as_deref().filter(|_| rung.is_empty()),
        };
        let nothing = if called.answered_by.is_some() { "answered by another" } else { "nothing came of it" };
        self.scene.run.fact("second-call", called.came().map_or(nothing, SecondCall::as_str));
        let group = self.fork.words();
        let judged = fork::second_call(&group, &called);
        // It is given up: who rings for it has to stop, and the first call goes on.
        if !self.scene.ends.is_over(from) {
            self.scene.leg(from).handle.hang_up(None).await;
        }
        let ringing: Vec<usize> =
            rung.iter().filter_map(|party| self.scene.ends.called_since(from, *party)).collect();
        self.scene.until(END, |ends| ringing.iter().chain([&from]).all(|leg| ends.is_over(*leg))).await?;
        if judged.verdict != Verdict::Pass {
            return Ok(judged);
        }
        let on: Vec<usize> = ringing
            .into_iter()
            .filter(|leg| !self.scene.ends.is_over(*leg))
            .map(|leg| self.scene.leg(leg).party)
            .collect();
        if !on.is_empty() {
            return Ok(fork::rings_on(&group, &on, END));
        }
        let audio = self.audio(busy).await?;
        Ok(match audio.verdict {
            Verdict::Fail => fork::first_call_lost(&group, busy, &audio.detail),
            Verdict::Pass => judged,
            _ => audio,
        })
    }
}
