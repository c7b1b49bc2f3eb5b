//! One JSON object a line for each outcome, for programs.
//!
//! The shape, schema `ringback.outcome/1`; keys are only ever added within a schema version, never renamed or removed:
//!
//! | key | what |
//! |---|---|
//! | `schema` | `"ringback.outcome/1"` |
//! | `check`, `subject` | which question, and about whom |
//! | `name` | how the account file calls it; only there when told |
//! | `verdict` | `"pass"`, `"fail"`, `"inconclusive"`, `"not-run"` |
//! | `summary` | the answer in one sentence |
//! | `steps` | in order: `name`, `verdict`, `detail`, `took_ms`, `evidence` |
//! | `findings` | most important first: `code`, `severity` (`info`, `warning`, `error`), `side` (`peer`, `path`, `setup`, `probe`), `seen`, `advice`, `evidence` |
//! | `facts` | `name`, `value`; a name can stand more than once |
//! | `metrics` | an object; the unit ends the key: `rrd_ms` (a number with at most three decimals), `expires_s`, `loss_a_to_b_percent`; counts have none |
//! | `dtmf` | what became of digits; only in outcomes of `dtmf`: `step`, `method`, `sent`, `received`, `arrived_by`, `defects` (codes of findings), `loss`, `digits` (each sent one: `digit`, and when it arrived `duration_ms`, `level_dbm0`, `payload_type`, `at_ms`), `observed` (all that came, by every way) |
//! | `transfer` | what a transfer came to; only in outcomes of `transfer`: `kind`, `parties`, `transferor`, `heard` (`before`, `during` the talk with the target where there was one, `after`: of each party whom it hears), `refer`, `notify` (statuses in order), `legs_left`, `transferee` (its fate in words), `heard_on_hold` (as in `hold`), `identity` (how parties were shown: `transferee_first`, `transferor_first`, `to_target`, `to_transferee`, each with `uri`, `display_name`, `asserted`, `remote_party_id`, `referred_by`, or null; `target_sees` and `transferee_sees`: `right`, `transferor`, `nobody`, `other`), and from the REFER on `refer_ms` (its answer), `notify_ms` (the final one), `transfer_ms` (the right two hear each other) |
//! | `fork` | what became of several that were called as one; only in outcomes of `fork`: `target`, `caller`, `ends`, `legs_left`, and of each call in `rounds` `trial`, `rang` (in order: `end`, `after_ms`, `request_uri`, `from`, `asserted`), `not_rung`, `order` (`parallel`, `serial`), `refused`, `answered`, `winner`, `answer_ms`, `released` (`end`, `by`, `after_ms`, `reason`, `acknowledged`), `heard` (of each party whom it hears), `second_rang`, `refusal` (a status), `legs_left` |
//! | `hold` | what a hold came to; only in outcomes of `hold`: `parties`, `holder`, `way` (`sendonly`, `inactive`, `zero`), `answer` and `resume_answer` (directions), `passed_on` (was the other end told), `heard_on_hold` and `holder_hears` (`sound`: `no-packets`, `silence`, `comfort-noise`, `other-sound`, `tone`; with `tone` its `party`) |
//! | `other` | what an embedder's own check attached: `name` (of the form), `text` |
//! | `took_ms` | how long all of it took |
//! | `started` | when it began, RFC 3339 in UTC with milliseconds |
//! | `messages` | messages sent and received, retransmissions too |
//! | `records`, `records_dropped` | entries of the transcript, and those that a limit kept out |
//!
//! `evidence` is `[from, to]`: entries of the transcript, counted from 0, `to` not included.
//!
//! ```
//! use ringback::check::Outcome;
//! let outcome = Outcome::not_run("register", "sip:bob@lab.example", "no password is given", "add one");
//! let line = ringback::report::json::line(&outcome);
//! assert!(line.starts_with(r#"{"schema":"ringback.outcome/1","check":"register","subject":"sip:bob@lab.example""#));
//! assert!(!line.contains('\n'));
//! ```

mod dtmf;
mod fork;
mod hold;
mod transfer;

use crate::check::{self, Details, MetricValue, Outcome};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::ops::Range;
use std::time::{Duration, SystemTime};

/// The version of the shape that [`line()`] writes.
pub const SCHEMA: &str = "ringback.outcome/1";

/// One line, without the line break at its end.
pub fn line(outcome: &Outcome) -> String {
    to_string(&Line { outcome, name: None })
}

/// The same with the `name` that an account file gives.
pub fn line_named(name: &str, outcome: &Outcome) -> String {
    to_string(&Line { outcome, name: Some(name) })
}

fn to_string(line: &Line<'_>) -> String {
    // Strings, numbers and string keys only: there is nothing here that serde_json refuses.
    serde_json::to_string(line)
        .unwrap_or_else(|error| format!("{{\"schema\":\"{SCHEMA}\",\"error\":\"{error}\"}}"))
}

struct Line<'a> {
    outcome: &'a Outcome,
    name: Option<&'a str>,
}

#[derive(serde::Serialize)]
struct Step<'a> {
    name: &'a str,
    verdict: &'a str,
    detail: &'a str,
    took_ms: f64,
    evidence: [usize; 2],
}

#[derive(serde::Serialize)]
struct Finding<'a> {
    code: &'a str,
    severity: &'a str,
    side: &'a str,
    seen: &'a str,
    advice: &'a str,
    evidence: [usize; 2],
}

#[derive(serde::Serialize)]
struct Fact<'a> {
    name: &'a str,
    value: &'a str,
}

/// What an embedder's own check attached.
#[derive(serde::Serialize)]
struct Other<'a> {
    name: &'a str,
    text: &'a str,
}

impl Other<'_> {
    fn of(other: &check::Other) -> Other<'_> {
        Other { name: &other.name, text: &other.text }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outcome = self.outcome;
        let steps: Vec<Step<'_>> = outcome
            .steps
            .iter()
            .map(|s| Step {
                name: &s.name,
                verdict: s.verdict.as_str(),
                detail: &s.detail,
                took_ms: milliseconds(s.took),
                evidence: pair(&s.evidence),
            })
            .collect();
        let findings: Vec<Finding<'_>> = outcome
            .findings
            .iter()
            .map(|f| Finding {
                code: &f.code,
                severity: f.severity.as_str(),
                side: f.side.as_str(),
                seen: &f.seen,
                advice: &f.advice,
                evidence: pair(&f.evidence),
            })
            .collect();
        let facts: Vec<Fact<'_>> =
            outcome.facts.iter().map(|f| Fact { name: &f.name, value: &f.value }).collect();
        let mut line = serializer.serialize_struct("Outcome", 20)?;
        line.serialize_field("schema", SCHEMA)?;
        line.serialize_field("check", &outcome.check)?;
        line.serialize_field("subject", &outcome.subject)?;
        match self.name {
            Some(name) => line.serialize_field("name", name)?,
            None => line.skip_field("name")?,
        }
        line.serialize_field("verdict", outcome.verdict.as_str())?;
        line.serialize_field("summary", &outcome.summary)?;
        line.serialize_field("steps", &steps)?;
        line.serialize_field("findings", &findings)?;
        line.serialize_field("facts", &facts)?;
        line.serialize_field("metrics", &Metrics(outcome))?;
        match outcome.dtmf() {
            [] => line.skip_field("dtmf")?,
            _ => line.serialize_field("dtmf", &dtmf::rows(outcome))?,
        }
        match outcome.transfer() {
            None => line.skip_field("transfer")?,
            Some(result) => line.serialize_field("transfer", &transfer::row(result))?,
        }
        match outcome.fork() {
            None => line.skip_field("fork")?,
            Some(result) => line.serialize_field("fork", &fork::row(result))?,
        }
        match outcome.hold() {
            None => line.skip_field("hold")?,
            Some(result) => line.serialize_field("hold", &hold::row(result))?,
        }
        match &outcome.details {
            Some(Details::Other(other)) => line.serialize_field("other", &Other::of(other))?,
            _ => line.skip_field("other")?,
        }
        line.serialize_field("took_ms", &milliseconds(outcome.took))?;
        line.serialize_field("started", &timestamp(outcome.transcript.began_at))?;
        line.serialize_field("messages", &outcome.messages())?;
        line.serialize_field("records", &outcome.transcript.records.len())?;
        line.serialize_field("records_dropped", &outcome.transcript.dropped)?;
        line.end()
    }
}

struct Metrics<'a>(&'a Outcome);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.metrics.len()))?;
        for metric in &self.0.metrics {
            match metric.value {
                MetricValue::Duration(value) => {
                    map.serialize_entry(&format!("{}_ms", metric.name), &milliseconds(value))?
                }
                MetricValue::Seconds(value) => map.serialize_entry(&format!("{}_s", metric.name), &value)?,
                MetricValue::Count(value) => map.serialize_entry(&*metric.name, &value)?,
                MetricValue::Percent(value) => {
                    map.serialize_entry(&format!("{}_percent", metric.name), &thousandths(value))?
                }
            }
        }
        map.end()
    }
}

fn pair(range: &Range<usize>) -> [usize; 2] {
    [range.start, range.end]
}

/// What is finer is not a measurement; nothing that is no number.
fn thousandths(value: f64) -> Option<f64> {
    value.is_finite().then(|| (value * 1_000.0).round() / 1_000.0)
}

/// Whole microseconds: what is finer is not a measurement.
fn milliseconds(value: Duration) -> f64 {
    value.as_micros() as f64 / 1_000.0
}

fn timestamp(at: SystemTime) -> String {
    // Out of jiff's range (years -9999 to 9999) there is nothing to say.
    jiff::Timestamp::try_from(at).map(|at| format!("{at:.3}")).unwrap_or_default()
}
