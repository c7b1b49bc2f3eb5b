//! Access to what an outcome holds, by name and by kind of check.

use super::result::{Details, DtmfResult, ForkResult, HoldResult, Other, RegisterResult, TransferResult};
use super::{Finding, MetricValue, Outcome, Severity, Step};

impl Outcome {
    /// The first finding with this code.
    pub fn finding(&self, code: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.code == code)
    }

    /// The findings that are a reason for the verdict, most important first.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// The first step with this name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Value of the first fact with this name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }

    /// The measured value with this name, e.g. `rrd`.
    pub fn metric(&self, name: &str) -> Option<MetricValue> {
        self.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// Results of digits, for each method in the order in which they were sent; empty for checks that send none.
    pub fn dtmf(&self) -> &[DtmfResult] {
        match &self.details {
            Some(Details::Dtmf(results)) => results,
            _ => &[],
        }
    }

    /// The result of a transfer; `None` for other checks.
    pub fn transfer(&self) -> Option<&TransferResult> {
        match &self.details {
            Some(Details::Transfer(result)) => Some(result),
            _ => None,
        }
    }

    /// The result of a check of forking; `None` for other checks.
    pub fn fork(&self) -> Option<&ForkResult> {
        match &self.details {
            Some(Details::Fork(result)) => Some(result),
            _ => None,
        }
    }

    /// The result of a hold; `None` for other checks.
    pub fn hold(&self) -> Option<&HoldResult> {
        match &self.details {
            Some(Details::Hold(result)) => Some(result),
            _ => None,
        }
    }

    /// The bindings that the registrar listed; `None` for checks that do not ask for them.
    pub fn register(&self) -> Option<&RegisterResult> {
        match &self.details {
            Some(Details::Register(result)) => Some(result),
            _ => None,
        }
    }

    /// The data of an embedder's own check; `None` for ours.
    pub fn other(&self) -> Option<&Other> {
        match &self.details {
            Some(Details::Other(other)) => Some(other),
            _ => None,
        }
    }
}
