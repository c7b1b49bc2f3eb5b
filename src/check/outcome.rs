//! The result of a check: plain data, with the evidence in it.

use super::Name;
use super::result::Details;
use crate::error::{Argument, Error, Problem};
use crate::transport::{MediaRecord, Record};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

/// The answer to a check's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Verdict {
    /// It was asked, and it is so.
    Pass,
    /// It was asked, and it is not so.
    Fail,
    /// It was asked, and what came does not say.
    Inconclusive,
    /// It was not asked.
    NotRun,
}

impl Verdict {
    /// `pass`, `fail`, `inconclusive`, `not-run`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotRun => "not-run",
        }
    }
}

/// The one of these that is called so.
fn word<T: Copy>(what: Argument, text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, Error> {
    all.iter()
        .copied()
        .find(|one| name(*one).eq_ignore_ascii_case(text))
        .ok_or_else(|| Error::usage(what, text, Problem::unknown(all.iter().copied().map(name))))
}

impl FromStr for Verdict {
    type Err = Error;

    fn from_str(text: &str) -> Result<Verdict, Error> {
        let all = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::NotRun];
        word(Argument::Verdict, text, &all, Verdict::as_str)
    }
}

impl FromStr for Side {
    type Err = Error;

    fn from_str(text: &str) -> Result<Side, Error> {
        word(Argument::Side, text, &[Side::Peer, Side::Path, Side::Setup, Side::Probe], Side::as_str)
    }
}

impl FromStr for Severity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Severity, Error> {
        word(
            Argument::Severity,
            text,
            &[Severity::Info, Severity::Warning, Severity::Error],
            Severity::as_str,
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The side that has to act on a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Side {
    /// The registrar, platform or device that was asked.
    Peer,
    /// The path between: network, firewall, NAT, ALG.
    Path,
    /// The account's data or the command line.
    Setup,
    /// Ourselves: our limits, our host.
    Probe,
}

impl Side {
    /// `peer`, `path`, `setup`, `probe`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Peer => "peer",
            Side::Path => "path",
            Side::Setup => "setup",
            Side::Probe => "probe",
        }
    }
}

/// Weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Works for us, may not work for every phone.
    Warning,
    /// A reason for a verdict other than pass.
    Error,
}

impl Severity {
    /// `info`, `warning`, `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that was seen and matters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// A stable name for programs, e.g. `credentials-refused`.
    pub code: Name,
    /// Weight of the finding.
    pub severity: Severity,
    /// The side that has to act.
    pub side: Side,
    /// The observation in one sentence without secrets.
    pub seen: String,
    /// Advice in one sentence.
    pub advice: String,
    /// Records of the transcript that show it.
    pub evidence: Range<usize>,
}

impl Finding {
    /// A finding without evidence yet.
    pub fn new(
        code: impl Into<Name>,
        severity: Severity,
        side: Side,
        seen: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            code: code.into(),
            severity,
            side,
            seen: seen.into(),
            advice: advice.into(),
            evidence: 0..0,
        }
    }

    /// The records that show it.
    #[must_use]
    pub fn shown_by(mut self, evidence: Range<usize>) -> Finding {
        self.evidence = evidence;
        self
    }
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// A stable name, e.g. `bind`.
    pub name: Name,
    /// Its own verdict.
    pub verdict: Verdict,
    /// The event in one sentence without secrets.
    pub detail: String,
    /// Duration of the step.
    pub took: Duration,
    /// Its records in the transcript.
    pub evidence: Range<usize>,
}

impl Step {
    /// A step that took no time and has no records yet.
    pub fn new(name: impl Into<Name>, verdict: Verdict, detail: impl Into<String>) -> Step {
        Step { name: name.into(), verdict, detail: detail.into(), took: Duration::ZERO, evidence: 0..0 }
    }

    /// Sets its duration.
    #[must_use]
    pub fn lasting(mut self, took: Duration) -> Step {
        self.took = took;
        self
    }

    /// Its records in the transcript.
    #[must_use]
    pub fn shown_by(mut self, evidence: Range<usize>) -> Step {
        self.evidence = evidence;
        self
    }
}

/// One thing that was seen, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Fact {
    /// A stable name, e.g. `transport`.
    pub name: Name,
    /// In words, without secrets.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<Name>, value: impl Into<String>) -> Fact {
        Fact { name: name.into(), value: value.into() }
    }
}

/// One measured value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// A stable name without unit, e.g. `rrd` (RFC 6076).
    pub name: Name,
    /// The value.
    pub value: MetricValue,
}

impl Metric {
    /// A measured value.
    pub fn new(name: impl Into<Name>, value: MetricValue) -> Metric {
        Metric { name: name.into(), value }
    }
}

/// A value with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// A time; reports give it in milliseconds (`rrd_ms`).
    Duration(Duration),
    /// Seconds, as a protocol counts them (`expires_s`).
    Seconds(u32),
    /// A number of things.
    Count(u64),
    /// A part of a whole, 0 to 100 (`loss_percent`).
    Percent(f64),
}

/// Everything that was sent and received for a check, in order, secrets included: reports redact it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Transcript {
    /// The entries.
    pub records: Vec<Record>,
    /// The media of calls, in order.
    pub media: Vec<MediaRecord>,
    /// Datagrams of media that the limit kept out.
    pub media_dropped: u64,
    /// The instant that the check began.
    pub began: Instant,
    /// The same as wall-clock time.
    pub began_at: SystemTime,
    /// Entries that the limit kept out.
    pub dropped: u64,
    /// Numbers of the entries that an outcome which was read back no longer has: they are not written into JSON lines, only counted.
    pub left_out: LeftOut,
}

/// Numbers of entries that a transcript had when its outcome was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LeftOut {
    /// Entries of all kinds.
    pub records: u64,
    /// Those of them that were messages.
    pub messages: u64,
}

impl LeftOut {
    /// Number of records, and of the messages among them.
    pub fn new(records: u64, messages: u64) -> LeftOut {
        LeftOut { records, messages }
    }
}

impl Transcript {
    /// One without entries.
    pub fn empty(began: Instant, began_at: SystemTime) -> Transcript {
        Transcript {
            records: Vec::new(),
            media: Vec::new(),
            media_dropped: 0,
            began,
            began_at,
            dropped: 0,
            left_out: LeftOut::default(),
        }
    }
}

/// The result of a check.
///
/// Programs read a verdict, and behind it findings, steps, facts and metrics by their names, and the data of a check by its kind:
///
/// ```no_run
/// use ringback::check::{Account, HeardOnHold, Hold, Probe, Verdict};
///
/// # async fn example() -> Result<(), ringback::error::Error> {
/// let probe = Probe::bind("udp:192.0.2.10:0").await?;
/// let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
/// let bob = Account::new("sip:bob@pbx.example.com", "secret")?;
/// let outcome = probe.check(Hold::between(&alice, &bob)).await;
/// for error in outcome.errors() {
///     println!("{}: {}; {}", error.code, error.seen, error.advice);
/// }
/// if let Some(hold) = outcome.hold() {
///     println!("{} holds, music: {}", hold.holder_name(), hold.heard_on_hold == Some(HeardOnHold::OtherSound));
/// }
/// let was_held = outcome.step("hold").is_some_and(|step| step.verdict == Verdict::Pass);
/// # assert!(was_held && outcome.finding("one-way-audio").is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// Name of the check, e.g. `register`.
    pub check: Name,
    /// The accounts that it used, as the inventory calls them, in the check's order: the one that is asked about, or the caller, first.
    pub accounts: Vec<String>,
    /// The subject, e.g. the AOR.
    pub subject: String,
    /// The answer.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub summary: String,
    /// Findings, most important first.
    pub findings: Vec<Finding>,
    /// Steps, in order.
    pub steps: Vec<Step>,
    /// Facts: other values that were seen.
    pub facts: Vec<Fact>,
    /// Measured values.
    pub metrics: Vec<Metric>,
    /// Data of a check for programs beside that; `None` where it has nothing more.
    pub details: Option<Details>,
    /// The evidence.
    pub transcript: Transcript,
    /// Duration of all of it.
    pub took: Duration,
}

impl Outcome {
    /// An outcome without anything in it but the answer: for embedders that build their own, and for tests of reports.
    pub fn new(
        check: impl Into<Name>,
        subject: impl Into<String>,
        verdict: Verdict,
        summary: impl Into<String>,
        transcript: Transcript,
    ) -> Outcome {
        Outcome {
            check: check.into(),
            accounts: Vec::new(),
            subject: subject.into(),
            verdict,
            summary: summary.into(),
            findings: Vec::new(),
            steps: Vec::new(),
            facts: Vec::new(),
            metrics: Vec::new(),
            details: None,
            transcript,
            took: Duration::ZERO,
        }
    }

    /// The account that was asked about, or the caller, as the inventory calls it; `None` where the check has none.
    pub fn account(&self) -> Option<&str> {
        self.accounts.first().map(String::as_str)
    }
}
