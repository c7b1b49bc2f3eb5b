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
//! | `dtmf` | what became of digits; only in outcomes of `dtmf`: `step`, `method`, `sent`, `received`, `arrived_by`, `defects` (codes of findings), `wrong` (what is wrong with which digit: `kind`, and mostly `position`, from 0), `lossy` (over a tenth of the packets was lost), `loss`, `digits` (each sent one: `digit`, and when it arrived `duration_ms`, `level_dbm0`, `payload_type`, `at_ms`, `seen`: its place in `observed`), `observed` (all that came, by every way; also `by`, `event` where it is no digit, and `rtp`) |
//! | `transfer` | what a transfer came to; only in outcomes of `transfer`: `kind`, `parties`, `transferor`, `heard` (`before`, `during` the talk with the target where there was one, `after`: of each party whom it hears), `refer`, `notify` (statuses in order), `legs_left`, `transferee` (its fate in words), `heard_on_hold` (as in `hold`), `identity` (how parties were shown: `transferee_first`, `transferor_first`, `to_target`, `to_transferee`, each with `uri`, `display_name`, `asserted`, `remote_party_id`, `referred_by`, or null; `target_sees` and `transferee_sees`: `right`, `transferor`, `nobody`, `other`), and from the REFER on `refer_ms` (its answer), `notify_ms` (the final one), `transfer_ms` (the right two hear each other) |
//! | `fork` | what became of several that were called as one; only in outcomes of `fork`: `target`, `caller`, `ends`, `legs_left`, and of each call in `rounds` `trial`, `rang` (in order: `end`, `after_ms`, `request_uri`, `from`, `asserted`), `not_rung`, `order` (`parallel`, `serial`), `refused`, `answered`, `winner`, `answer_ms`, `released` (`end`, `by`, `after_ms`, `reason`, `acknowledged`), `heard` (of each party whom it hears), `second_rang`, `refusal` (a status), `legs_left` |
//! | `hold` | what a hold came to; only in outcomes of `hold`: `parties`, `holder`, `way` (`sendonly`, `inactive`, `zero`), `answer` and `resume_answer` (directions), `passed_on` (was the other end told), `heard_on_hold` and `holder_hears` (`sound`: `no-packets`, `silence`, `comfort-noise`, `other-sound`, `tone`; with `tone` its `party`) |
//! | `register` | who is bound; only in outcomes of `register` and `lookup` whose registrar was asked for it: `bindings` (null when it answers no queries), each with `contact` (secrets masked), `user_agent`, `expires_s`, `q_thousandths`, `instance` |
//! | `other` | what an embedder's own check attached: `name` (of the form), `text` |
//! | `accounts` | names of the accounts that the check used, the one that was asked about or the caller first; only there when there are any |
//! | `took_ms` | how long all of it took |
//! | `started` | when it began, RFC 3339 in UTC with milliseconds |
//! | `messages` | messages sent and received, retransmissions too |
//! | `records`, `records_dropped` | entries of the transcript, and those that a limit kept out |
//!
//! `evidence` is `[from, to]`: entries of the transcript, counted from 0, `to` not included.
//!
//! A line is read back with [`read`], and an [`Outcome`] is `Serialize` and `Deserialize` as such a line: so a baseline is kept and
//! compared. The messages and the media of the transcript are not in a line: what is read back has none ([`LeftOut`] says how many there were), and its
//! instants mean something only among themselves. Times are kept in microseconds, levels in tenths of a decibel.
//!
//! ```
//! use ringback::check::Outcome;
//! let outcome = Outcome::not_run("register", "sip:bob@lab.example", "no password is given", "add one");
//! let line = ringback::report::json::line(&outcome);
//! assert!(line.starts_with(r#"{"schema":"ringback.outcome/1","check":"register","subject":"sip:bob@lab.example""#));
//! assert!(!line.contains('\n'));
//! let again = ringback::report::json::read(&line)?;
//! assert_eq!(again.findings, outcome.findings);
//! # Ok::<(), ringback::report::json::ReadError>(())
//! ```

mod dtmf;
mod fork;
mod hold;
mod parts;
#[cfg(test)]
mod tests;
mod transfer;
mod words;

use crate::check::{
    Details, DtmfResult, LeftOut, Name, Other, Outcome, RegisterResult, Transcript, Verdict, is_acting,
};
use parts::Metrics;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::borrow::Cow;
use words::{Text, duration, instant_of, milliseconds, timestamp};

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

/// Why a line is no outcome: where, and what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("no outcome of {SCHEMA}: {0}")]
pub struct ReadError(String);

/// The outcome of a line that [`line()`] or [`line_named`] wrote, now or in an earlier version. Keys that are not known are passed over.
///
/// # Errors
/// [`ReadError`] for what is no such line, and for one of another schema.
pub fn read(line: &str) -> Result<Outcome, ReadError> {
    serde_json::from_str(line).map_err(|error| ReadError(error.to_string()))
}

fn to_string(line: &Line<'_>) -> String {
    // Strings, numbers and string keys only: there is nothing here that serde_json refuses.
    let text = serde_json::to_string(line)
        .unwrap_or_else(|error| format!("{{\"schema\":\"{SCHEMA}\",\"error\":\"{error}\"}}"));
    inert(text)
}

/// The same JSON with escapes for characters that act on a terminal: such a line is looked at, too. They are in strings only.
fn inert(text: String) -> String {
    if !text.chars().any(is_acting) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_acting(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

struct Line<'a> {
    outcome: &'a Outcome,
    name: Option<&'a str>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outcome = self.outcome;
        let transcript = &outcome.transcript;
        let mut line = serializer.serialize_struct("Outcome", 22)?;
        line.serialize_field("schema", SCHEMA)?;
        line.serialize_field("check", &outcome.check)?;
        line.serialize_field("subject", &outcome.subject)?;
        let alone = match outcome.accounts.as_slice() {
            [account] if *account != outcome.subject => Some(account.as_str()),
            _ => None,
        };
        match self.name.or(alone) {
            Some(name) => line.serialize_field("name", name)?,
            None => line.skip_field("name")?,
        }
        line.serialize_field("verdict", &outcome.verdict)?;
        line.serialize_field("summary", &outcome.summary)?;
        line.serialize_field("steps", &outcome.steps)?;
        line.serialize_field("findings", &outcome.findings)?;
        line.serialize_field("facts", &outcome.facts)?;
        line.serialize_field("metrics", &Metrics(Cow::Borrowed(&outcome.metrics)))?;
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
        match outcome.register() {
            None => line.skip_field("register")?,
            Some(result) => line.serialize_field("register", result)?,
        }
        match &outcome.details {
            Some(Details::Other(other)) => line.serialize_field("other", other)?,
            _ => line.skip_field("other")?,
        }
        match outcome.accounts.as_slice() {
            [] => line.skip_field("accounts")?,
            accounts => line.serialize_field("accounts", accounts)?,
        }
        line.serialize_field("took_ms", &milliseconds(outcome.took))?;
        line.serialize_field("started", &timestamp(transcript.began_at))?;
        line.serialize_field("messages", &outcome.messages())?;
        let records = (transcript.records.len() as u64).saturating_add(transcript.left_out.records);
        line.serialize_field("records", &records)?;
        line.serialize_field("records_dropped", &transcript.dropped)?;
        line.end()
    }
}

/// As one of the lines of [`report::json`](crate::report::json): without the transcript.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line { outcome: self, name: None }.serialize(serializer)
    }
}

/// What a line can hold; older ones hold less.
#[derive(serde::Deserialize)]
struct ReadLine<'a> {
    schema: Text<'a>,
    check: Name,
    subject: String,
    name: Option<String>,
    verdict: Verdict,
    summary: String,
    steps: Vec<crate::check::Step>,
    findings: Vec<crate::check::Finding>,
    facts: Vec<crate::check::Fact>,
    metrics: Metrics<'a>,
    dtmf: Option<Vec<dtmf::Row<'a>>>,
    transfer: Option<transfer::Row<'a>>,
    fork: Option<fork::Row<'a>>,
    hold: Option<hold::Row<'a>>,
    register: Option<RegisterResult>,
    other: Option<Other>,
    #[serde(default)]
    accounts: Vec<String>,
    took_ms: f64,
    started: Text<'a>,
    messages: u64,
    records: u64,
    records_dropped: u64,
}

/// From one of the lines of [`report::json`](crate::report::json).
impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Outcome, D::Error> {
        let line = ReadLine::deserialize(deserializer)?;
        line.outcome().map_err(D::Error::custom)
    }
}

impl ReadLine<'_> {
    fn outcome(self) -> Result<Outcome, String> {
        if self.schema != SCHEMA {
            return Err(format!("its schema is {:?}", self.schema));
        }
        let began = tokio::time::Instant::now().into_std();
        let mut transcript = Transcript::empty(began, instant_of(&self.started)?);
        transcript.dropped = self.records_dropped;
        transcript.left_out = LeftOut::new(self.records, self.messages);
        let mut outcome = Outcome::new(self.check, self.subject, self.verdict, self.summary, transcript);
        outcome.accounts = self.accounts;
        if outcome.accounts.is_empty() {
            outcome.accounts.extend(self.name);
        }
        outcome.steps = self.steps;
        outcome.findings = self.findings;
        outcome.facts = self.facts;
        outcome.metrics = self.metrics.0.into_owned();
        outcome.took = duration(self.took_ms);
        let read = |rows: Vec<dtmf::Row<'_>>| rows.into_iter().map(|row| row.read(began)).collect();
        let rows: Option<Result<Vec<DtmfResult>, String>> = self.dtmf.map(read);
        if let Some(result) = self.register {
            outcome.details = Some(Details::Register(result));
            return Ok(outcome);
        }
        outcome.details = match (rows, self.transfer, self.fork, self.hold, self.other) {
            (Some(rows), ..) => Some(Details::Dtmf(rows?)),
            (_, Some(row), ..) => Some(row.read()?.into()),
            (_, _, Some(row), ..) => Some(row.read()?.into()),
            (_, _, _, Some(row), _) => Some(row.read()?.into()),
            (.., other) => other.map(Details::Other),
        };
        Ok(outcome)
    }
}
