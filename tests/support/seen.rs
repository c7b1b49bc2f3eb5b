//! What an outcome holds, by name; where it holds no such thing the test fails and shows all of it.
//!
//! Used with `#[path = "../support/seen.rs"] mod seen;`.

#![allow(dead_code)]

use ringback::check::{Finding, MetricValue, Outcome, Step};

pub(crate) fn finding<'a>(outcome: &'a Outcome, code: &str) -> &'a Finding {
    outcome.finding(code).unwrap_or_else(|| panic!("no finding {code}:\n{outcome}"))
}

pub(crate) fn step<'a>(outcome: &'a Outcome, name: &str) -> &'a Step {
    outcome.step(name).unwrap_or_else(|| panic!("no step {name}:\n{outcome}"))
}

pub(crate) fn fact<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    outcome.fact(name).unwrap_or_else(|| panic!("no fact {name}:\n{outcome}"))
}

pub(crate) fn metric(outcome: &Outcome, name: &str) -> MetricValue {
    outcome.metric(name).unwrap_or_else(|| panic!("no metric {name}:\n{outcome}"))
}

/// The codes of the findings that are errors.
pub(crate) fn errors(outcome: &Outcome) -> Vec<&str> {
    outcome.errors().map(|finding| &*finding.code).collect()
}

/// The verdicts of the steps, in order, as `dial:pass answer:fail`.
pub(crate) fn steps(outcome: &Outcome) -> String {
    let step = |step: &Step| format!("{}:{}", step.name, step.verdict.as_str());
    outcome.steps.iter().map(step).collect::<Vec<_>>().join(" ")
}
