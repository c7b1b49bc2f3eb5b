//! The course of the check: the ends are rung, and each call is tried with something else.

mod answered;
mod ending;
mod ringing;
mod second;
mod trials;

use super::{Fork, MAX_FORK_ENDS};
use crate::check::judge::fork;
use crate::check::judged::StepVerdict;
use crate::check::scene::{Course, Dial, Mark, Parties, Role, Scene, Step, Stopped};
use crate::check::{ForkResult, ForkTrial, ForkTrialResult, RingOrder, Run, Severity, Verdict};
use std::time::{Duration, Instant};

/// The caller's number among the parties; the ends follow it.
const CALLER: usize = 0;
/// Steps of the ends.
const END_STEPS: [&str; MAX_FORK_ENDS] = ["end-1", "end-2", "end-3", "end-4", "end-5", "end-6"];
/// Steps of the trial in which one answers.
const ANSWER_STEPS: [&str; 4] = ["answer", "cancel", "audio", "hang-up"];
/// Time for an answer to reach the caller.
const ANSWER: Duration = Duration::from_secs(5);
/// Time for the others to be released.
const RELEASE: Duration = Duration::from_secs(5);
/// Time for legs to end.
const END: Duration = Duration::from_secs(3);

impl Course for Fork {
    type Result = Option<ForkResult>;

    /// Who answers beside whom is its question.
    fn is_answered_once(&self) -> bool {
        false
    }

    fn steps(&self) -> Vec<&'static str> {
        let mut steps = vec!["caller"];
        steps.extend(END_STEPS.iter().take(self.ends.len()));
        steps.extend(self.second().map(|_| "second-caller"));
        steps.push("rings");
        for trial in &self.trials {
            match trial {
                ForkTrial::Answer => steps.extend(ANSWER_STEPS),
                other => steps.push(other.as_str()),
            }
        }
        steps
    }

    fn parties(&self) -> Parties<'_> {
        let (caller, callee) = (self.options.caller(), self.options.callee());
        let ends = self
            .ends
            .iter()
            .zip(END_STEPS)
            .map(|(account, step)| Role { is_device: self.one_account, ..Role::new(step, account, callee) });
        let second = self.second().map(|account| Role::new("second-caller", account, caller));
        let first = Role::new("caller", &self.caller, caller);
        Parties::new(&self.options, [first].into_iter().chain(ends).chain(second))
    }

    async fn run(&self, scene: &mut Scene<'_>, result: &mut Self::Result) -> Step {
        let result = result.insert(ForkResult {
            target: self.target().to_owned(),
            caller: self.caller.name().to_owned(),
            ends: self.names.clone(),
            ..ForkResult::default()
        });
        Trials::new(self, scene).all(result).await
    }

    fn keep(&self, result: Self::Result, run: &mut Run) {
        result.into_iter().for_each(|result| run.forked(result));
    }
}

/// The calls of the check, one after the other.
struct Trials<'c, 's, 'r> {
    fork: &'c Fork,
    scene: &'s mut Scene<'r>,
    /// The parties that are to ring: all ends, and after the first call those that it rang.
    expected: Vec<usize>,
    /// Parties whose bindings the registrar dropped when another device registered.
    displaced: Vec<usize>,
    /// The order in which the first call rang.
    order: Option<RingOrder>,
    call: Calling,
}

/// The present call.
struct Calling {
    /// The caller's leg, the first of the call.
    caller: usize,
    /// The first record of the call.
    from: usize,
    /// INVITEs that each party had got before it.
    invited: Vec<usize>,
    /// Time at which an end answered.
    answered: Instant,
    result: ForkTrialResult,
}

impl Calling {
    fn new(trial: ForkTrial, now: Instant) -> Calling {
        Calling {
            caller: 0,
            from: 0,
            invited: Vec::new(),
            answered: now,
            result: ForkTrialResult::new(trial),
        }
    }
}

impl<'c, 's, 'r> Trials<'c, 's, 'r> {
    fn new(fork: &'c Fork, scene: &'s mut Scene<'r>) -> Trials<'c, 's, 'r> {
        let mut displaced = Vec::new();
        let ours = if fork.one_account { fork.ends.len() } else { 0 };
        for before in 0..ours {
            let listed = scene.ends.parties.get(before + 1).map_or(before, |party| party.listed);
            if listed < before {
                // The registrar lists every binding: what is missing was dropped, the oldest first.
                displaced = (1..=before - listed).collect();
            }
        }
        let call = Calling::new(ForkTrial::Answer, scene.run.now());
        Trials { fork, scene, expected: (1..=fork.ends.len()).collect(), displaced, order: None, call }
    }

    /// All trials.
    async fn all(&mut self, result: &mut ForkResult) -> Step {
        for (number, trial) in self.fork.trials.iter().copied().enumerate() {
            if let Some(why) = self.scene.run.interrupted() {
                return Err(why.into());
            }
            self.call = Calling::new(trial, self.scene.run.now());
            let rang = self.try_it(trial, number == 0).await;
            let tried = std::mem::replace(&mut self.call.result, ForkTrialResult::new(trial));
            result.legs_left += tried.legs_left;
            result.trials.push(tried);
            if number == 0 && !rang {
                return Err(Stopped::because("nobody was rung"));
            }
        }
        if self.scene.run.findings().iter().all(|finding| finding.severity != Severity::Error) {
            self.scene.run.conclude(fork::done(&self.fork.words(), result));
        }
        Ok(())
    }

    /// One call; false where nobody rings. The first says which ends ring.
    async fn try_it(&mut self, trial: ForkTrial, is_first: bool) -> bool {
        let mark = self.scene.begin(if is_first { "rings" } else { trial.as_str() });
        // In turn, a refusal counts while there is somebody left to be rung.
        let in_turn = trial == ForkTrial::Refuse && self.order == Some(RingOrder::Serial);
        if let Err(judged) = self.ring(in_turn).await {
            let _ = self.scene.end(mark, judged);
            self.finish(&[]).await;
            return false;
        }
        if in_turn {
            self.one_refuses_in_turn(mark).await;
            return true;
        }
        if !is_first {
            self.go_on(trial, mark).await;
            return true;
        }
        self.order = self.call.result.order;
        let judged = self.rung();
        // Those who ring are tried, also where one is missing.
        let _ = self.scene.end(mark, judged);
        self.expected.retain(|party| self.call.result.rang.iter().any(|rung| rung.end + 1 == *party));
        let mark = self.scene.begin(trial.as_str());
        self.go_on(trial, mark).await;
        true
    }

    async fn go_on(&mut self, trial: ForkTrial, mark: Mark) {
        match trial {
            ForkTrial::Answer => self.one_answers(mark).await,
            ForkTrial::Race => self.two_answer(mark).await,
            ForkTrial::Refuse => self.one_refuses(mark).await,
            ForkTrial::SecondCall => self.called_twice(mark).await,
        }
    }

    /// Caller and callee, in words.
    fn dial(&self, from: usize) -> Dial<'c> {
        let callee = self.fork.one_account.then_some(1);
        let wait = self.fork.options.wait;
        Dial { from, target: self.fork.target(), callee, is_direct: true, wait }
    }

    /// The leg of a party in the present call; a number that no leg has, and that is over, where it has none.
    fn leg(&self, party: usize) -> usize {
        self.scene.ends.called_since(self.call.caller, party).unwrap_or(usize::MAX)
    }

    /// Ends the call and then the step, which fails for the first thing that went wrong.
    async fn conclude(&mut self, mark: Mark, judged: StepVerdict, known: &[usize]) {
        let ended = self.finish(known).await;
        let passed = |judged: &StepVerdict| judged.verdict == Verdict::Pass;
        let judged = if passed(&judged) && !passed(&ended) { ended } else { judged };
        let _ = self.scene.end(mark, judged);
    }

    /// Ends the call; there was nothing to try.
    async fn give_up(&mut self, mark: Mark, why: &str) {
        let ended = self.finish(&[]).await;
        let judged = if ended.verdict == Verdict::Pass { StepVerdict::not_run(why) } else { ended };
        let _ = self.scene.end(mark, judged);
    }
}
