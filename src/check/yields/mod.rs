//! Names that outcomes hold: the steps, facts, metrics and codes of findings that several checks share.
//!
//! Names that one check alone has are listed in the documentation of its type, e.g. [`Dtmf`](super::Dtmf), which also says which of the lists below it
//! shares. Names are stable; new ones are added.
//!
//! ```no_run
//! use ringback::check::{Account, Probe, Register};
//!
//! # async fn example() -> Result<(), ringback::error::Error> {
//! let probe = Probe::bind("udp:127.0.0.1:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let outcome = probe.check(Register::new(&alice)).await;
//! if outcome.findings.iter().any(|finding| finding.code == "credentials-refused") {
//!     println!("write a new password to {:?}", outcome.account());
//! }
//! # Ok(())
//! # }
//! ```
#![doc = include_str!("any.md")]
#![doc = include_str!("registration.md")]
#![doc = include_str!("registrar.md")]
#![doc = include_str!("call.md")]
#![doc = include_str!("media.md")]

#[cfg(test)]
mod tests;

use super::Outcome;
use std::collections::BTreeSet;

/// Of every check that sends requests.
pub(super) const ANY: &str = include_str!("any.md");
/// Of every check that asks a registrar: also of those that register the ends of a call.
pub(super) const REGISTRATION: &str = include_str!("registration.md");
/// Of every question to a registrar.
pub(super) const REGISTRAR: &str = include_str!("registrar.md");
/// Of every check about calls.
pub(super) const CALL: &str = include_str!("call.md");
/// Of every check that listens.
pub(super) const MEDIA: &str = include_str!("media.md");

/// A kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Step,
    Fact,
    Metric,
    Code,
}

/// The names in lists like those of this folder: items of Markdown (``- `a`, `b`: what it is``) below a line that says the kind (`**Codes**`).
pub(super) fn names(lists: &[&'static str]) -> BTreeSet<(Kind, &'static str)> {
    let mut names = BTreeSet::new();
    for list in lists {
        let mut kind = None;
        for line in list.lines() {
            kind = match line.trim() {
                "**Steps**" => Some(Kind::Step),
                "**Facts**" => Some(Kind::Fact),
                "**Metrics**" => Some(Kind::Metric),
                "**Codes**" => Some(Kind::Code),
                _ => kind,
            };
            let (Some(kind), Some(item)) = (kind, line.strip_prefix("- ")) else { continue };
            let listed = item.split_once(": ").map_or(item, |(listed, _)| listed);
            names.extend(listed.split('`').skip(1).step_by(2).map(|name| (kind, name)));
        }
    }
    names
}

/// Names that an outcome holds and no list of its check has.
pub(super) fn unlisted(outcome: &Outcome, lists: &[&'static str]) -> Vec<(Kind, String)> {
    let names = names(lists);
    let steps = outcome.steps.iter().map(|step| (Kind::Step, &step.name));
    let facts = outcome.facts.iter().map(|fact| (Kind::Fact, &fact.name));
    let metrics = outcome.metrics.iter().map(|metric| (Kind::Metric, &metric.name));
    let codes = outcome.findings.iter().map(|finding| (Kind::Code, &finding.code));
    let held = steps.chain(facts).chain(metrics).chain(codes);
    held.filter(|(kind, name)| !names.contains(&(*kind, &***name)))
        .map(|(kind, name)| (kind, name.to_string()))
        .collect()
}
