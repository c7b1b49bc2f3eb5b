//! The course of the check: which step follows which, and what is left out when one fails.

use super::{Call, audio, delivery, ending, facts, play, setup};
use crate::check::judged::{Judged, PATIENCE, interrupted};
use crate::check::scene::trace::Trace;
use crate::check::scene::{Ends, Expect, Leg, Party, Seen, Until};
use crate::check::{Finding, Interrupted, Run, StepMark, Verdict};
use std::time::Duration;

/// A call check that runs.
pub(super) struct Act<'a> {
    pub(super) call: &'a Call,
    pub(super) run: &'a mut Run,
    pub(super) stage: Ends,
    /// Where the caller's leg begins in the record.
    pub(super) from: usize,
}

/// The parties by their numbers.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;
/// How long all ends of a call take to hear that it is over.
const SETTLING: Duration = Duration::from_secs(1);
/// The caller's leg.
pub(super) const CALLER: usize = 0;

pub(super) async fn run(call: &Call, run: &mut Run) {
    for account in [Some(&call.caller), call.callee.as_ref()].into_iter().flatten() {
        if account.name() != account.aor() {
            run.fact("account", account.name());
        }
    }
    let mut act = Act { call, run, stage: Ends::default(), from: 0 };
    let reached = act.play_out().await;
    if let Err(step) = reached {
        act.skip_after(step);
    }
    facts::write_down(&mut act);
    act.note_manners();
    let Act { run, mut stage, .. } = act;
    stage.clear(run).await;
}

impl<'a> Act<'a> {
    /// All steps, until one fails.
    ///
    /// # Errors
    /// The step that those after it needed.
    async fn play_out(&mut self) -> Result<(), &'static str> {
        self.parties().await?;
        self.from = self.run.record_count();
        setup::dial(self).await?;
        setup::answer(self).await?;
        delivery::judge(self);
        if self.call.play.is_some() {
            play::play(self).await?;
        } else {
            audio::listen(self).await?;
        }
        ending::hang_up(self).await;
        Ok(())
    }

    async fn parties(&mut self) -> Result<(), &'static str> {
        let call = self.call;
        let opened = Party::open(self.run, &call.caller, A, "party-a", call.register_caller).await;
        let mut caller = opened.ok_or("party-a")?;
        caller.quiet = call.callee.is_none();
        self.stage.parties.push(caller);
        if let Some(account) = &call.callee {
            let opened = Party::open(self.run, account, B, "party-b", true).await;
            let mut callee = opened.ok_or("party-b")?;
            callee.expect = Some(Expect::answer(call.ring));
            facts::other_bindings(self.run, account.name(), callee.others);
            self.stage.parties.push(callee);
        }
        Ok(())
    }

    /// A platform that asks for a pause, or says nothing, is not asked again at once.
    fn note_manners(&mut self) {
        let (Some(leg), Some(party)) = (self.caller(), self.stage.parties.get(A)) else { return };
        let remote = party.flow().remote;
        let is_answered = self.trace(leg).is_answered_at_all();
        let rejection = leg.seen.rejected.as_ref().map(|(_, rejection)| rejection);
        let retry_after = rejection
            .filter(|rejection| rejection.status == Some(503))
            .and_then(|rejection| rejection.retry_after);
        let waited = self.run.now().saturating_duration_since(leg.began);
        if is_answered || waited >= PATIENCE {
            self.run.note_call(remote, is_answered, retry_after);
        }
    }

    /// The names of the steps, in order.
    fn steps(&self) -> Vec<&'static str> {
        match (&self.call.callee, &self.call.play) {
            (Some(_), _) => {
                vec!["party-a", "party-b", "dial", "answer", "audio-a-to-b", "audio-b-to-a", "hang-up"]
            }
            (None, Some(_)) => vec!["party-a", "dial", "answer", "play", "hang-up"],
            (None, None) => vec!["party-a", "dial", "answer", "audio-b-to-a", "hang-up"],
        }
    }

    fn skip_after(&mut self, step: &str) {
        let why = match step {
            "party-a" | "party-b" => "not both ends are there",
            "dial" | "answer" => "the call was not answered",
            _ => "the check had to end before",
        };
        for name in self.steps().into_iter().skip_while(|name| *name != step).skip(1) {
            self.run.skip(name, why);
        }
    }

    /// The caller's leg; there is one as soon as it was dialled.
    pub(super) fn caller(&self) -> Option<&Leg> {
        self.stage.legs.get(CALLER)
    }

    pub(super) fn caller_seen(&self) -> Option<&Seen> {
        self.stage.seen(CALLER)
    }

    /// The callee's leg, where it is ours and the call came.
    pub(super) fn callee(&self) -> Option<&Leg> {
        self.stage.legs.get(self.stage.called(B)?)
    }

    /// The messages of a leg.
    pub(super) fn trace(&self, leg: &Leg) -> Trace {
        Trace::of(self.run, leg.handle.call_id())
    }

    pub(super) async fn until(&mut self, time: Duration, done: impl Fn(&Ends) -> bool) -> Until {
        self.stage.until(self.run, time, done).await
    }

    /// One end is over: lets the others hear of it, so that their last report is there.
    pub(super) async fn settle(&mut self) {
        self.until(SETTLING, |stage| stage.legs.iter().all(|leg| leg.seen.is_over())).await;
    }

    /// Ends a step; its finding is shown by all messages of the call.
    pub(super) fn end(&mut self, step: StepMark, judged: Judged) -> Verdict {
        let evidence = self.from..self.run.record_count();
        let judged = judged.shown_by(&evidence);
        self.run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| self.run.find(finding));
        judged.verdict
    }

    /// Adds a finding that all messages of the call show.
    pub(super) fn find(&mut self, finding: Finding) {
        let evidence = self.from..self.run.record_count();
        self.run.find(finding.shown_by(evidence));
    }

    pub(super) fn interrupt(&mut self, step: StepMark, why: Interrupted) {
        self.end(step, interrupted(why));
    }
}
