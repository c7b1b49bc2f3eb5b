//! The verdict of a step, with its reason and what is found by it.

use super::{Finding, Severity, Side, Verdict};
use std::ops::Range;

/// A step's verdict with its reason.
#[derive(Debug, Clone)]
pub(super) struct StepVerdict {
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) finding: Option<Finding>,
}

impl StepVerdict {
    pub(super) fn pass(detail: impl Into<String>) -> StepVerdict {
        StepVerdict { verdict: Verdict::Pass, detail: detail.into(), finding: None }
    }
    pub(super) fn not_run(detail: impl Into<String>) -> StepVerdict {
        StepVerdict { verdict: Verdict::NotRun, detail: detail.into(), finding: None }
    }
    pub(super) fn of(
        verdict: Verdict,
        code: &'static str,
        side: Side,
        seen: String,
        advice: &str,
    ) -> StepVerdict {
        let finding = Finding::new(code, Severity::Error, side, seen.clone(), advice);
        StepVerdict { verdict, detail: seen, finding: Some(finding) }
    }
    pub(super) fn fail(code: &'static str, side: Side, seen: String, advice: &str) -> StepVerdict {
        StepVerdict::of(Verdict::Fail, code, side, seen, advice)
    }
    pub(super) fn open(code: &'static str, side: Side, seen: String, advice: &str) -> StepVerdict {
        StepVerdict::of(Verdict::Inconclusive, code, side, seen, advice)
    }
    pub(super) fn shown_by(mut self, evidence: &Range<usize>) -> StepVerdict {
        self.finding = self.finding.map(|f| f.shown_by(evidence.clone()));
        self
    }
}
