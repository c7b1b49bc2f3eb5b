//! What a reader is told: summary, findings and steps. A fact at the bottom is not enough.

use ringback::check::{Finding, Outcome, Severity, Side, Verdict};

/// Everything that is told, in lower case.
pub(crate) fn told(outcome: &Outcome) -> String {
    let findings = outcome.findings.iter().flat_map(|found| [found.seen.as_str(), found.advice.as_str()]);
    let steps = outcome.steps.iter().map(|step| step.detail.as_str());
    let all: Vec<&str> = [outcome.summary.as_str()].into_iter().chain(findings).chain(steps).collect();
    all.join("\n").to_lowercase()
}

/// Each of these is told; `|` parts words of which one is enough.
#[track_caller]
pub(crate) fn says(outcome: &Outcome, words: &[&str]) {
    let told = told(outcome);
    for words in words {
        let one = words.split('|').any(|words| told.contains(&words.to_lowercase()));
        assert!(one, "{words:?} is not told:\n{outcome}");
    }
}

/// None of these is told.
#[track_caller]
pub(crate) fn says_nothing_of(outcome: &Outcome, words: &[&str]) {
    let told = told(outcome);
    for words in words {
        assert!(!told.contains(&words.to_lowercase()), "{words:?} is told:\n{outcome}");
    }
}

/// The first error.
pub(crate) fn first(outcome: &Outcome) -> Option<&Finding> {
    outcome.findings.iter().find(|found| found.severity == Severity::Error)
}

/// The verdict, and the side of the first error.
#[track_caller]
pub(crate) fn judged(outcome: &Outcome, verdict: Verdict, side: Side) {
    judged_as(outcome, &[verdict], &[side]);
}

/// One of the verdicts, and where it is no pass the first error is on one of the sides.
#[track_caller]
pub(crate) fn judged_as(outcome: &Outcome, verdicts: &[Verdict], sides: &[Side]) {
    assert!(verdicts.contains(&outcome.verdict), "{:?} and not {verdicts:?}\n{outcome}", outcome.verdict);
    if outcome.verdict != Verdict::Pass {
        let side = first(outcome).map(|found| found.side);
        assert!(side.is_some_and(|side| sides.contains(&side)), "{side:?} and not {sides:?}\n{outcome}");
    }
}

/// It passed, and nothing is found but what is for information.
#[track_caller]
pub(crate) fn spotless(outcome: &Outcome) {
    passes(outcome);
    let loud: Vec<&Finding> =
        outcome.findings.iter().filter(|found| found.severity != Severity::Info).collect();
    assert!(loud.is_empty(), "{outcome}");
}

#[track_caller]
pub(crate) fn passes(outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
}

/// It did not pass.
#[track_caller]
pub(crate) fn does_not_pass(outcome: &Outcome) {
    assert!(matches!(outcome.verdict, Verdict::Fail | Verdict::Inconclusive), "{outcome}");
}

/// No error or warning at all comes first but this side's.
#[track_caller]
pub(crate) fn only_side(outcome: &Outcome, side: Side) {
    let loud = outcome.findings.iter().filter(|found| found.severity != Severity::Info);
    let others: Vec<&Finding> = loud.filter(|found| found.side != side).collect();
    assert!(others.is_empty(), "{outcome}");
}
