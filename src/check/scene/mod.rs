//! The scene of a question about calls: our ends, their calls, and the verbs that a course is written in.
//!
//! A question names its parties and its steps, and runs its [`Course`]; everything that happens on the wire goes through the verbs here, so that
//! the same peer gets the same verdict whichever question it is asked. What was seen is judged in [`judge`](super::judge).

mod call;
mod cause;
mod change;
mod ears;
mod ends;
mod hear;
mod leg;
mod options;
mod parties;
mod party;
mod press;
mod refer;
mod release;
mod request;
pub(super) mod trace;
mod withheld;

pub(super) use call::{Dial, JoinedLegs};
pub(super) use change::Change;
pub(super) use ears::{Ear, Ears};
pub(super) use ends::{Ends, Until};
pub(super) use hear::PATIENCE;
pub(super) use leg::{Ended, Leg, Seen};
pub(super) use options::{CallOptions, call_options};
pub(super) use parties::{Parties, Role};
pub(super) use party::{Expect, Party, Registering};
pub(super) use press::{Press, PressLog, Unpressed, not_taken};
pub(super) use refer::{ANSWER as REFER_ANSWER, ReferAnswer, ReferArrived, Told, done};

use super::judge::request::RequestEnd;
use super::judge::unlike;
use super::judged::{self, StepVerdict};
use super::{Finding, Interrupted, Run, Side, StepMark, Verdict};
use crate::syntax::Method;
use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, Instant};
use trace::Trace;

/// A question about calls.
pub(super) trait Course: Sync {
    /// Data that comes out beside the verdict, for programs.
    type Result: Default + Send;

    /// The names of all steps, in their order. Those that were not reached are written down as not run.
    fn steps(&self) -> Vec<&'static str>;

    /// Is each call to be answered by one device, so that a second answer is a fault to be told?
    fn is_answered_once(&self) -> bool {
        true
    }

    /// The parties.
    fn parties(&self) -> Parties<'_>;

    /// The steps behind the opening of the ends, until one keeps out the rest.
    ///
    /// # Errors
    /// Why the steps that are left were not taken.
    fn run(&self, scene: &mut Scene<'_>, result: &mut Self::Result) -> impl Future<Output = Step> + Send;

    /// Writes down what came out, also where it did not come to its end.
    fn keep(&self, _result: Self::Result, _run: &mut Run) {}
}

/// Opens the ends, runs the course, and leaves nothing behind.
pub(super) async fn perform<C: Course>(course: &C, run: &mut Run) {
    let mut scene = Scene {
        run,
        ends: Ends::default(),
        calls_from: 0,
        end_is_told: false,
        odd_told: Vec::new(),
        beside_answer: Vec::new(),
        to_last: Vec::new(),
    };
    let mut result = C::Result::default();
    let ended = match scene.open(course.parties()).await {
        Ok(()) => {
            let ended = course.run(&mut scene, &mut result).await;
            if ended.is_err() {
                scene.account_for_end(&course.steps()).await;
            }
            ended
        }
        // What the ends say for themselves is no answer to the question.
        Err(stopped) => {
            scene.run.not_asked();
            Err(stopped)
        }
    };
    let why = ended.err().map_or(Cow::Borrowed("nothing was left to be tried"), |stopped| stopped.why);
    if course.is_answered_once() {
        scene.note_answered_twice();
    }
    scene.note_restraint();
    scene.write_down_dialled();
    scene.note_rewritten();
    let Scene { run, mut ends, .. } = scene;
    run.skip_missing(&course.steps(), &why);
    course.keep(result, run);
    ends.clear(run).await;
}

/// Result of a verb that may end a step: its value, or why the rest is not tried.
pub(super) type Step<T = ()> = Result<T, Stopped>;

/// The steps that are left are not taken.
#[derive(Debug)]
pub(super) struct Stopped {
    /// For each of them.
    why: Cow<'static, str>,
}

impl Stopped {
    /// Without another step having failed.
    pub(super) fn because(why: impl Into<Cow<'static, str>>) -> Stopped {
        Stopped { why: why.into() }
    }

    /// Reason for not running the steps that follow a failed one.
    fn after(step: &str) -> Stopped {
        Stopped::because(match step {
            "caller" | "second-caller" => Cow::Borrowed("not all parties are there"),
            _ if step.starts_with("party-") || step.starts_with("end-") => "not all parties are there".into(),
            "dial" | "answer" | "call" | "ring" => "the call was not answered".into(),
            _ => format!("the step \"{step}\" did not pass").into(),
        })
    }
}

impl From<Interrupted> for Stopped {
    fn from(_: Interrupted) -> Stopped {
        Stopped::because("the check had to end before")
    }
}

impl From<Interrupted> for StepVerdict {
    fn from(why: Interrupted) -> StepVerdict {
        judged::interrupted(why)
    }
}

impl<E: Into<StepVerdict>> From<Result<StepVerdict, E>> for StepVerdict {
    fn from(judged: Result<StepVerdict, E>) -> StepVerdict {
        judged.unwrap_or_else(Into::into)
    }
}

/// A question that is being asked.
pub(super) struct Scene<'a> {
    pub(super) run: &'a mut Run,
    pub(super) ends: Ends,
    /// The first record behind the opening of the ends.
    calls_from: usize,
    /// A step has told already why a call is over.
    pub(super) end_is_told: bool,
    /// What is odd about media and was told already: the direction, and the code.
    odd_told: Vec<(String, String)>,
    /// What came to the media port of a party (its name) beside the voice, where further devices answered its call.
    beside_answer: Vec<(String, String)>,
    /// Calls between ends of ours that nobody has ended on purpose: they are to last.
    to_last: Vec<JoinedLegs>,
}

/// A step that was begun: see [`Scene::begin`].
#[derive(Debug)]
#[must_use = "a step has to be ended with Scene::end"]
pub(super) struct Mark {
    step: &'static str,
    inner: StepMark,
    from: usize,
}

impl Scene<'_> {
    /// Begins a step.
    pub(super) fn begin(&mut self, step: &'static str) -> Mark {
        Mark { step, inner: self.run.begin(step), from: self.run.record_count() }
    }

    /// Ends a step; the rest is to be tried only where it passed. Its finding is shown by the records of the step.
    ///
    /// # Errors
    /// It did not pass.
    pub(super) fn end(&mut self, mark: Mark, verdict: impl Into<StepVerdict>) -> Step {
        let StepVerdict { verdict, detail, finding } = self.own_limit(self.with_cause(verdict.into()));
        let (step, from) = (mark.step, mark.from);
        self.run.end(mark.inner, verdict, detail);
        if let Some(finding) = finding {
            self.note_since(finding, from);
        }
        if verdict == Verdict::Pass { Ok(()) } else { Err(Stopped::after(step)) }
    }

    /// Verdict on a failure after one of ours could not take a call: it is nobody else's fault.
    fn own_limit(&self, judged: StepVerdict) -> StepVerdict {
        let cannot = self
            .ends
            .parties
            .iter()
            .find_map(|party| Some((party.account.name(), party.not_taken.as_ref()?)));
        match cannot.filter(|_| judged.verdict == Verdict::Fail) {
            Some((name, why)) => StepVerdict::open(
                "probe-limit",
                Side::Probe,
                format!("{name} could not take the call that came: {why}; so {}", judged.detail),
                "free some ports, or give more (--rtp-ports: two for each call of each end that is up at once)",
            ),
            None => judged,
        }
    }

    /// Ends a step that did not pass, whatever it says: the rest is not tried.
    pub(super) fn stop(&mut self, mark: Mark, verdict: impl Into<StepVerdict>) -> Stopped {
        let step = mark.step;
        self.end(mark, verdict).err().unwrap_or_else(|| Stopped::after(step))
    }

    /// Adds a finding that the records of all calls show, unless it says which.
    pub(super) fn note(&mut self, finding: Finding) {
        self.note_since(finding, self.run.record_count());
    }

    fn note_since(&mut self, mut finding: Finding, from: usize) {
        self.give_cause(&mut finding);
        if finding.evidence.is_empty() {
            finding.evidence = self.records_since(from);
        }
        self.run.find(finding);
    }

    /// The records from this one on; of all calls where there are none.
    fn records_since(&self, from: usize) -> Range<usize> {
        let now = self.run.record_count();
        if from < now { from..now } else { self.calls_from.min(now)..now }
    }

    /// Lets things happen until `done` says so (`true`), or `time` is over (`false`).
    ///
    /// # Errors
    /// The check has to end.
    pub(super) async fn until(
        &mut self,
        time: Duration,
        done: impl Fn(&Ends) -> bool,
    ) -> Result<bool, Interrupted> {
        match self.ends.until(self.run, time, done).await {
            Until::Done => Ok(true),
            Until::TimedOut => Ok(false),
            Until::Interrupted(why) => Err(why),
        }
    }

    /// Lets things happen for some time.
    ///
    /// # Errors
    /// The check has to end.
    pub(super) async fn rest(&mut self, time: Duration) -> Result<(), Interrupted> {
        self.until(time, |_| false).await.map(|_| ())
    }

    /// Sets the treatment of the next call to this party.
    pub(super) fn expect(&mut self, party: usize, expect: Expect) {
        if let Some(party) = self.ends.parties.get_mut(party) {
            party.expect = Some(expect);
        }
    }

    /// Number of INVITEs that have reached this party so far.
    pub(super) fn invited(&self, party: usize) -> usize {
        self.ends.parties.get(party).map_or(0, |party| party.invitations.len())
    }

    /// Name of this party in words.
    pub(super) fn name(&self, party: usize) -> &str {
        self.ends.parties.get(party).map_or("somebody", |party| party.account.name())
    }

    /// Answers in which something is not as it was asked, of every call.
    fn note_rewritten(&mut self) {
        let mut noted: Vec<Finding> = Vec::new();
        for number in 0..self.ends.legs.len() {
            for (request, answer) in self.trace(number).answers() {
                let finding = unlike::finding(&unlike::unlike(request, answer));
                noted.extend(finding.filter(|new| noted.iter().all(|known| known.seen != new.seen)));
            }
        }
        noted.into_iter().for_each(|finding| self.note(finding));
    }

    /// Every number and URI that was called, and every redirection, as facts.
    fn write_down_dialled(&mut self) {
        for uri in &self.ends.dialled {
            self.run.fact("dialled", uri.as_str());
        }
        for leg in &self.ends.legs {
            let signalled = self.ends.parties.get(leg.party).map(|party| party.flow().remote.ip());
            let media = leg.seen.plan.as_ref().map(|plan| plan.remote.ip()).filter(|ip| !ip.is_unspecified());
            if let (Some(media), Some(signalled)) = (media, signalled.filter(|ip| Some(*ip) != media)) {
                self.run.fact("media-host", format!("{media} (the call is signalled by {signalled})"));
            }
        }
        for seen in self.ends.legs.iter().map(|leg| &leg.seen) {
            let followed = seen.redirected.as_ref().map(|(status, to)| (*status, to));
            let refused = seen.rejected.as_ref().and_then(|(_, r)| Some((r.status?, r.targets.first()?)));
            for (status, to) in followed.into_iter().chain(refused) {
                self.run.fact("redirected", format!("{status} to {to}"));
            }
        }
    }

    /// A leg that a verb has given.
    pub(super) fn leg(&self, leg: usize) -> &Leg {
        // None is ever removed.
        &self.ends.legs[leg]
    }

    pub(super) fn leg_mut(&mut self, leg: usize) -> &mut Leg {
        &mut self.ends.legs[leg]
    }

    /// Events of a leg that a verb has given.
    pub(super) fn seen(&self, leg: usize) -> &Seen {
        &self.leg(leg).seen
    }

    /// End of the request of one of these methods that this leg sent since then.
    pub(super) fn request_end(&self, leg: usize, methods: &[Method<'_>], since: Instant) -> RequestEnd {
        self.ends.request_end(self.run, leg, methods, since)
    }

    /// The messages of a leg.
    pub(super) fn trace(&self, leg: usize) -> Trace {
        self.run.trace(self.leg(leg).handle.call_id())
    }
}
