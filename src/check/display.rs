//! Outcomes for people: the verdict, what was seen, what to do; readable without colours.

use super::{Finding, MetricValue, Outcome, Side, Verdict};
use crate::transport::{Record, RecordEvent};
use std::fmt::{self, Write as _};
use std::time::Duration;

/// Does a character do something instead of being shown: control characters, marks that turn the direction of writing, break lines or have no
/// width (so that two texts look alike), tags?
pub(crate) fn is_acting(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            | '\u{feff}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text of a peer or a file that may hold anything: characters that [act](is_acting) come out escaped, so that it cannot steer a terminal
/// or break a line of a report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_acting(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// A duration for people: `0.4 ms`, `12.3 ms`, `1.25 s`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took(pub(crate) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            f.pad(&format!("{:.1} ms", self.0.as_secs_f64() * 1_000.0))
        } else {
            f.pad(&format!("{:.2} s", self.0.as_secs_f64()))
        }
    }
}

impl Verdict {
    /// A mark that stands out in a column: `[ok]`, `[FAIL]`, `[?]`, `[-]`.
    pub const fn mark(self) -> &'static str {
        match self {
            Verdict::Pass => "[ok]",
            Verdict::Fail => "[FAIL]",
            Verdict::Inconclusive => "[?]",
            Verdict::NotRun => "[-]",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for super::Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            MetricValue::Duration(value) => Took(value).fmt(f),
            MetricValue::Seconds(value) => f.pad(&format!("{value} s")),
            MetricValue::Count(value) => f.pad(&value.to_string()),
            MetricValue::Percent(value) => f.pad(&format!("{value:.1} %")),
        }
    }
}

impl fmt::Display for Finding {
    /// `error, setup: what was seen`, and the advice on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {} [{}]", self.severity, self.side, Printable(&self.seen), self.code)?;
        if !self.advice.is_empty() {
            write!(f, "\n  -> {}", Printable(&self.advice))?;
        }
        Ok(())
    }
}

impl Outcome {
    /// Messages in the evidence, retransmissions too, both ways; of an outcome that was read back, those that it had.
    pub fn messages(&self) -> usize {
        let is_message = |r: &&Record| matches!(r.event, RecordEvent::Message { .. });
        let left_out = usize::try_from(self.transcript.left_out.messages).unwrap_or(usize::MAX);
        self.transcript.records.iter().filter(is_message).count().saturating_add(left_out)
    }

    /// Advice in one sentence: the advice of the finding that matters most, when there is one.
    pub fn advice(&self) -> Option<&str> {
        let of = |finding: &&Finding| !finding.advice.is_empty();
        let worst = self.findings.iter().filter(of).map(|finding| finding.severity).max()?;
        self.findings
            .iter()
            .filter(of)
            .find(|finding| finding.severity == worst)
            .map(|finding| finding.advice.as_str())
    }
}

impl fmt::Display for Outcome {
    /// Several lines: the verdict and why, each step, what was seen and what to do, facts and figures. Ends without a line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict.as_str().to_uppercase();
        write!(f, "{verdict}  {}  {}", self.check, Printable(&self.subject))?;
        if !self.summary.is_empty() {
            write!(f, "\n  {}", Printable(&self.summary))?;
        }
        if !self.steps.is_empty() {
            writeln!(f)?;
        }
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        for step in &self.steps {
            let took =
                if step.verdict == Verdict::NotRun { String::new() } else { Took(step.took).to_string() };
            let line = format!(
                "{:<7} {:<width$} {took:>9}  {}",
                step.verdict.mark(),
                step.name,
                Printable(&step.detail)
            );
            write!(f, "\n  {}", line.trim_end())?;
        }
        if !self.findings.is_empty() {
            writeln!(f)?;
        }
        for finding in &self.findings {
            for line in finding.to_string().lines() {
                write!(f, "\n  {line}")?;
            }
        }
        let names =
            self.facts.iter().map(|fact| &fact.name).chain(self.metrics.iter().map(|metric| &metric.name));
        let width = names.map(|name| name.len()).max().unwrap_or(0);
        if width > 0 {
            writeln!(f)?;
        }
        for fact in &self.facts {
            write!(f, "\n  {:<width$}  {}", fact.name, Printable(&fact.value))?;
        }
        for metric in &self.metrics {
            write!(f, "\n  {:<width$}  {}", metric.name, metric.value)?;
        }
        let messages = self.messages();
        let noun = if messages == 1 { "message" } else { "messages" };
        write!(f, "\n\n  {messages} {noun}, {}", Took(self.took))?;
        match self.transcript.dropped {
            0 => Ok(()),
            dropped => write!(f, "; {dropped} more records were over the limit and are not kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_escaped_and_what_is_shown_is_kept() {
        for c in "\u{1b}\u{7}\u{8}\u{7f}\u{9b}\u{2028}\u{2029}\u{61c}\u{200b}\u{200d}\u{feff}\u{ad}\u{202e}\u{2066}\u{2060}\u{e0041}".chars() {
            let shown = Printable(&c.to_string()).to_string();
            assert!(shown.is_ascii() && shown.starts_with('\\'), "{shown}");
        }
        let plain = "Jürgen Müller, Иван, 李, é, –, “x”, 100 €";
        assert_eq!(Printable(plain).to_string(), plain);
    }
}
