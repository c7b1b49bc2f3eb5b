//! The notebook of a running check, until it becomes the [`Outcome`].

use super::judged::{OUT_OF_TIME, STOPPED, interrupted};
use super::masked::Secrets;
use super::result::Details;
use super::{
    Check, Fact, Finding, Interrupted, Metric, MetricValue, Name, Outcome, Progress, Severity, Side, Step,
    Transcript, Verdict,
};
use crate::endpoint::FirstDropped;
use crate::message::redact_text;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

/// Name of a check, and its subject.
#[derive(Debug, Clone)]
pub(super) struct Whose {
    pub(super) check: Name,
    pub(super) accounts: Vec<String>,
    pub(super) subject: String,
    pub(super) least_time: Option<Duration>,
}

impl Whose {
    pub(super) fn of(check: &impl Check) -> Whose {
        Whose {
            check: check.name().into(),
            accounts: check.accounts(),
            subject: check.subject(),
            least_time: check.least_time(),
        }
    }
}

/// Steps, findings, facts and measured values of one check. It reads no clock: whoever writes says when.
#[derive(Debug)]
pub(super) struct Notebook {
    pub(super) check: Name,
    accounts: Vec<String>,
    pub(super) subject: String,
    least_time: Option<Duration>,
    summary: Option<String>,
    pub(super) findings: Vec<Finding>,
    steps: Vec<Step>,
    /// The step that was begun last, until it ends.
    open: Mutex<Option<Name>>,
    facts: Vec<Fact>,
    metrics: Vec<Metric>,
    details: Option<Details>,
    /// The question itself was not asked: steps that passed on the way there make no pass.
    pub(super) is_not_asked: bool,
    /// End of calls that were up when the check was cut short.
    pub(super) ended_calls: Option<&'static str>,
    /// The receiver of steps as they begin and end.
    progress: Option<mpsc::Sender<Progress>>,
    pub(super) began: Instant,
    pub(super) began_at: SystemTime,
}

/// The beginning of a step: see [`Run::begin`](super::Run::begin).
#[derive(Debug)]
#[must_use = "a step has to be ended with Run::end"]
pub struct StepMark {
    name: Name,
    began: Instant,
    from: usize,
}

impl Notebook {
    pub(super) fn new(
        whose: Whose,
        progress: Option<mpsc::Sender<Progress>>,
        began: Instant,
        began_at: SystemTime,
    ) -> Notebook {
        Notebook {
            check: whose.check,
            accounts: whose.accounts,
            subject: whose.subject,
            least_time: whose.least_time,
            summary: None,
            findings: Vec::new(),
            steps: Vec::new(),
            open: Mutex::default(),
            facts: Vec::new(),
            metrics: Vec::new(),
            details: None,
            is_not_asked: false,
            ended_calls: None,
            progress,
            began,
            began_at,
        }
    }

    /// Begins a step; `from` is the number of records so far.
    pub(super) fn begin(&self, name: Name, now: Instant, from: usize) -> StepMark {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
        self.tell(|| Progress::Began(name.clone()));
        StepMark { name, began: now, from }
    }

    /// Ends a step; its records go up to `to`.
    pub(super) fn end(
        &mut self,
        mark: StepMark,
        verdict: Verdict,
        detail: String,
        now: Instant,
        to: usize,
        secrets: &Secrets,
    ) {
        let StepMark { name, began, from } = mark;
        self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take_if(|open| *open == name);
        let took = now.saturating_duration_since(began);
        self.keep(Step { name, verdict, detail, took, evidence: from..to }, secrets);
    }

    /// A step that was not taken.
    pub(super) fn skip(&mut self, name: Name, why: String, at: usize, secrets: &Secrets) {
        let evidence: Range<usize> = at..at;
        let step = Step { name, verdict: Verdict::NotRun, detail: why, took: Duration::ZERO, evidence };
        self.keep(step, secrets);
    }

    /// Is somebody told of the steps as they are taken?
    pub(super) fn is_watched(&self) -> bool {
        self.progress.is_some()
    }

    fn keep(&mut self, step: Step, secrets: &Secrets) {
        // What is kept is masked when all is known.
        self.tell(|| Progress::Ended(Step { detail: secrets.out_of_text(&step.detail), ..step.clone() }));
        self.steps.push(step);
    }

    /// Whoever reads too slowly misses something, and finds it in the outcome.
    fn tell(&self, progress: impl FnOnce() -> Progress) {
        if let Some(sender) = &self.progress {
            let _ = sender.try_send(progress());
        }
    }

    /// Writes down as not run, in their places, the steps of `order` that are not there yet.
    pub(super) fn skip_missing(&mut self, order: &[&'static str], why: &str, at: usize, secrets: &Secrets) {
        for (place, name) in order.iter().enumerate() {
            if self.steps.iter().any(|step| step.name == *name) {
                continue;
            }
            let later = |step: &Step| order.iter().skip(place + 1).any(|name| *name == step.name);
            let index = self.steps.iter().position(later).unwrap_or(self.steps.len());
            self.skip(Name::Borrowed(name), why.to_owned(), at, secrets);
            if let Some(step) = self.steps.pop() {
                self.steps.insert(index, step);
            }
        }
    }

    /// The peer answers again: what was taken for its silence (`answers-stopped`) was one request that it drops.
    pub(super) fn not_silent(&mut self) {
        let Some(finding) = self.findings.iter_mut().find(|finding| finding.code == "answers-stopped") else {
            return;
        };
        let Some((_, what)) = finding.seen.rsplit_once(": ") else { return };
        let seen = format!("{what}, and other requests before and after it were answered");
        let before = std::mem::replace(&mut finding.seen, seen.clone());
        (finding.code, finding.side) = (Name::Borrowed("request-dropped"), super::Side::Peer);
        finding.advice = "platform, or an ALG or firewall before it: this request is dropped and others are not; compare it with them in the ladder (its size, its Contact)".to_owned();
        for step in self.steps.iter_mut().filter(|step| step.detail == before) {
            (step.verdict, step.detail) = (Verdict::Fail, seen.clone());
        }
    }

    /// Adds a finding; one with the same code and the same sight is not added twice.
    pub(super) fn find(&mut self, finding: Finding) {
        if !self.findings.iter().any(|f| f.code == finding.code && f.seen == finding.seen) {
            self.findings.push(finding);
        }
    }

    /// Writes down a fact; an empty value, or one that is listed already, is left out.
    pub(super) fn fact(&mut self, name: Name, value: String) {
        if !value.is_empty() && !self.facts.iter().any(|f| f.name == name && f.value == value) {
            self.facts.push(Fact { name, value });
        }
    }

    /// Writes down a measured value; a later one replaces it.
    pub(super) fn metric(&mut self, name: Name, value: MetricValue) {
        match self.metrics.iter_mut().find(|m| m.name == name) {
            Some(metric) => metric.value = value,
            None => self.metrics.push(Metric { name, value }),
        }
    }

    /// Data for programs: what became of digits is added to what is there, everything else replaces it.
    pub(super) fn attach(&mut self, details: Details) {
        match (&mut self.details, details) {
            (Some(Details::Dtmf(before)), Details::Dtmf(more)) => before.extend(more),
            (kept, details) => *kept = Some(details),
        }
    }

    pub(super) fn conclude(&mut self, summary: String) {
        self.summary = Some(summary);
    }

    /// Did a step fail so far, or leave something open?
    pub(super) fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.verdict, Verdict::Fail | Verdict::Inconclusive))
    }

    /// A check that had to be given up says so in a step; where it did not, that is said here: what is left out proves nothing.
    fn tell_cut(&mut self, cut: Option<Interrupted>, at: usize, secrets: &Secrets) {
        let Some(why) = cut.filter(|_| !self.has_failed()) else { return };
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let judged = interrupted(why);
        self.skip(open.unwrap_or(Name::Borrowed("rest")), judged.detail, at, secrets);
        self.steps.iter_mut().rev().take(1).for_each(|step| step.verdict = judged.verdict);
        judged.finding.into_iter().for_each(|finding| self.find(finding));
    }

    /// Adds what was going on when the check was cut short: who stopped it or the time that it had in all, its step, and what became of its calls.
    fn tell_when(&mut self, limit: Duration, by: Option<&Name>) {
        let calls = self.ended_calls.map(|how| format!("; {how}")).unwrap_or_default();
        let is_cut = self.steps.iter().any(|step| [STOPPED, OUT_OF_TIME].contains(&step.detail.as_str()));
        if let Some(how) = self.ended_calls.filter(|_| is_cut) {
            // What was not judged happened all the same.
            let skipped = |step: &&mut Step| step.name == "hang-up" && step.verdict == Verdict::NotRun;
            let cleaning_up = |step: &mut Step| step.detail = format!("{how} while cleaning up");
            self.steps.iter_mut().filter(skipped).for_each(cleaning_up);
        }
        let least = self.least_time.filter(|least| *least > limit);
        let least = least.map(|least| format!("; it takes {} at least", seconds(least))).unwrap_or_default();
        for cut in [STOPPED, OUT_OF_TIME] {
            let what = match by {
                _ if cut == OUT_OF_TIME => format!("{cut} ({}{least})", seconds(limit)),
                Some(by) => format!("stopped by {by}"),
                None => cut.to_owned(),
            };
            let mut first = None;
            for step in self.steps.iter_mut().filter(|step| step.detail == cut) {
                let into = if step.took.is_zero() {
                    String::new()
                } else {
                    format!(", {} into it", seconds(step.took))
                };
                step.detail = format!("{what} during the step \"{}\"{into}{calls}", step.name);
                first.get_or_insert_with(|| step.detail.clone());
            }
            let Some(told) = first else { continue };
            self.findings
                .iter_mut()
                .filter(|finding| finding.seen == cut)
                .for_each(|finding| finding.seen.clone_from(&told));
        }
    }

    /// Messages of our own calls were dropped: what is said to be missing since then may be among them, so that nobody is blamed for it.
    fn tell_dropped(&mut self, number: u64, first: FirstDropped) {
        let is_open = |step: &&mut Step| step.verdict == Verdict::Fail && step.evidence.end >= first.at;
        let mut opened = 0;
        for step in self.steps.iter_mut().filter(is_open) {
            (step.verdict, opened) = (Verdict::Inconclusive, opened + 1);
        }
        let is_failed = verdict_of(&self.steps) == Verdict::Fail;
        let severity = if opened > 0 && !is_failed { Severity::Error } else { Severity::Warning };
        if severity == Severity::Error {
            let errors = self.findings.iter_mut().filter(|finding| finding.severity == Severity::Error);
            errors.for_each(|finding| finding.severity = Severity::Warning);
        }
        let seen = format!(
            "{number} messages of our calls were over the limit of what is kept, the first from {}: what is missing may be among them",
            first.remote
        );
        self.findings
            .insert(0, Finding::new("records-dropped", severity, Side::Probe, seen, RECORDS_DROPPED));
    }

    /// The outcome; `limit` is the time that the check had, `cut` says why something that was waited for had to be given up, `by` who stopped it.
    pub(super) fn finish(
        mut self,
        transcript: Transcript,
        dropped: Option<FirstDropped>,
        (cut, by): (Option<Interrupted>, Option<&Name>),
        (limit, took): (Duration, Duration),
        secrets: &Secrets,
    ) -> Outcome {
        self.tell_cut(cut, transcript.records.len(), secrets);
        self.tell_when(limit, by);
        if let Some(first) = dropped {
            self.tell_dropped(transcript.dropped, first);
        }
        let verdict = match verdict_of(&self.steps) {
            Verdict::Pass if self.is_not_asked => Verdict::NotRun,
            verdict => verdict,
        };
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let gravest = self.findings.first().filter(|finding| finding.severity == Severity::Error);
        let last_step = || self.steps.iter().rfind(|s| s.verdict == verdict).map(|s| s.detail.clone());
        let summary = match (verdict, self.summary.take(), gravest) {
            (Verdict::Pass, Some(summary), _) => summary,
            (Verdict::Pass, None, _) => last_step().unwrap_or_default(),
            (_, _, Some(finding)) => finding.seen.clone(),
            (_, summary, None) => last_step().or(summary).unwrap_or_else(|| "nothing was asked".to_owned()),
        };
        tracing::info!(check = %self.check, subject = %redact_text(&self.subject), %verdict, "checked");
        Outcome {
            check: self.check,
            accounts: self.accounts,
            subject: self.subject,
            verdict,
            summary,
            findings: self.findings,
            steps: self.steps,
            facts: self.facts,
            metrics: self.metrics,
            details: self.details,
            transcript,
            took,
        }
    }
}

/// What to do about messages that were dropped.
const RECORDS_DROPPED: &str =
    "somebody sends more than a call needs: find out who, keep him out, and run it again";

/// `1.5 s`, `3 ms`.
fn seconds(time: Duration) -> String {
    match time.as_millis() {
        0 => "under 1 ms".to_owned(),
        milliseconds @ ..100 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// One failed step fails the check; one that does not say leaves it open; steps that were not taken do not count unless none was.
fn verdict_of(steps: &[Step]) -> Verdict {
    let any = |verdict| steps.iter().any(|step| step.verdict == verdict);
    if any(Verdict::Fail) {
        Verdict::Fail
    } else if any(Verdict::Inconclusive) {
        Verdict::Inconclusive
    } else if any(Verdict::Pass) {
        Verdict::Pass
    } else {
        Verdict::NotRun
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Side;

    /// A check with a step that ended with this verdict after four records, told of a drop when there were so many.
    fn told(verdict: Verdict, dropped_at: Option<usize>) -> Outcome {
        let (began, began_at) = (tokio::time::Instant::now().into_std(), SystemTime::UNIX_EPOCH);
        let whose = Whose {
            check: Name::Borrowed("call"),
            accounts: Vec::new(),
            subject: "alice".to_owned(),
            least_time: None,
        };
        let mut notebook = Notebook::new(whose, None, began, began_at);
        let mark = notebook.begin(Name::Borrowed("hang-up"), began, 2);
        notebook.end(mark, verdict, "not answered".to_owned(), began, 4, &Secrets::default());
        if verdict == Verdict::Fail {
            let code = "bye-not-answered";
            notebook.find(Finding::new(code, Severity::Error, Side::Peer, "not answered", "look"));
        }
        let remote = std::net::SocketAddr::from(([192, 0, 2, 9], 5060));
        let mut transcript = Transcript::empty(began, began_at);
        transcript.dropped = dropped_at.map_or(0, |_| 7);
        let first = dropped_at.map(|at| FirstDropped { at, remote });
        let limits = (Duration::from_secs(40), Duration::ZERO);
        notebook.finish(transcript, first, (None, None), limits, &Secrets::default())
    }

    #[test]
    fn what_is_missing_from_a_record_with_holes_is_nobodys_fault() {
        for (verdict, dropped_at, expected, side) in [
            (Verdict::Fail, Some(3), Verdict::Inconclusive, Some(Side::Probe)),
            (Verdict::Fail, Some(4), Verdict::Inconclusive, Some(Side::Probe)),
            // It had failed before.
            (Verdict::Fail, Some(5), Verdict::Fail, Some(Side::Peer)),
            (Verdict::Fail, None, Verdict::Fail, Some(Side::Peer)),
            (Verdict::Pass, Some(3), Verdict::Pass, None),
        ] {
            let outcome = told(verdict, dropped_at);
            let error = outcome.findings.iter().find(|finding| finding.severity == Severity::Error);
            assert_eq!((outcome.verdict, error.map(|finding| finding.side)), (expected, side), "{outcome}");
            let names = outcome.findings.iter().any(|finding| finding.seen.contains("192.0.2.9:5060"));
            assert_eq!(names, dropped_at.is_some(), "{outcome}");
        }
    }
}
