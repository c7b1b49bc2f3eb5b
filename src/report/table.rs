//! Many outcomes on one page.

use crate::check::{Outcome, Printable, Verdict};
use std::fmt;

/// One line of a table, borrowed from wherever the outcome is.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// How people call it.
    pub name: &'a str,
    /// The answer.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub why: &'a str,
    /// What to do, in one sentence.
    pub advice: Option<&'a str>,
    /// It passed by its login alone: beside live devices nothing of its own was bound.
    pub by_login_only: bool,
}

impl<'a> Row<'a> {
    /// The row of an outcome, under a name of the caller's (an account's name, say).
    pub fn of(name: &'a str, outcome: &'a Outcome) -> Row<'a> {
        let beside = outcome.finding("not-beside-live-devices");
        let beside = beside.filter(|_| outcome.verdict == Verdict::Pass);
        // Advice about what could be better belongs into the long report; here it would look like a failure. What was not asked is no less.
        let advice = match outcome.verdict {
            Verdict::Pass => beside.map(|finding| &*finding.advice),
            _ => outcome.advice(),
        };
        Row { name, verdict: outcome.verdict, why: &outcome.summary, advice, by_login_only: beside.is_some() }
    }
}

/// The longest name that still gets its column; longer ones push their line to the right.
const NAME_WIDTH: usize = 40;

/// A table of name, verdict and why, with what to do on a line of its own; the last line counts the verdicts. `colour` adds ANSI
/// colours to the verdicts and changes nothing else: ask for it only when a person looks at it.
///
/// ```
/// use ringback::check::Verdict;
/// use ringback::report::{Row, table};
/// let row = Row { name: "bob", verdict: Verdict::Fail, why: "the password was refused", advice: Some("Set it again."), by_login_only: false };
/// let text = table([row], false);
/// assert_eq!(text.lines().nth(1), Some("bob   fail          the password was refused"));
/// assert_eq!(text.lines().nth(2), Some("                    -> Set it again."));
/// ```
pub fn table<'a>(rows: impl IntoIterator<Item = Row<'a>>, colour: bool) -> String {
    let mut tally = Tally::default();
    let lines = self::rows(rows.into_iter().inspect(|row| tally.add_row(row)), colour);
    format!("{lines}{tally}\n")
}

/// The same without the counts.
pub fn rows<'a>(rows: impl IntoIterator<Item = Row<'a>>, colour: bool) -> String {
    let rows: Vec<(String, Row<'a>)> =
        rows.into_iter().map(|row| (Printable(row.name).to_string(), row)).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).clamp(4, NAME_WIDTH);
    let mut text = format!("{:<width$}  {:<12}  WHY, AND WHAT TO DO\n", "NAME", "VERDICT");
    for (name, row) in &rows {
        let verdict = paint(row.verdict, &format!("{:<12}", row.verdict), colour);
        text += format!("{name:<width$}  {verdict}  {}", Printable(row.why)).trim_end();
        text += "\n";
        if let Some(advice) = row.advice {
            text += &format!("{:width$}  {:12}  -> {}\n", "", "", Printable(advice));
        }
    }
    text
}

fn paint(verdict: Verdict, text: &str, colour: bool) -> String {
    let code = match verdict {
        Verdict::Pass => "32",
        Verdict::Fail => "1;31",
        Verdict::Inconclusive => "33",
        Verdict::NotRun => "2",
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// How many outcomes had which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// [`Verdict::Pass`].
    pub pass: u64,
    /// [`Verdict::Fail`].
    pub fail: u64,
    /// [`Verdict::Inconclusive`].
    pub inconclusive: u64,
    /// [`Verdict::NotRun`].
    pub not_run: u64,
    /// Those of `pass` that passed by their login alone ([`Row::by_login_only`]).
    pub by_login_only: u64,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Fail => self.fail += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
            Verdict::NotRun => self.not_run += 1,
        }
    }
    /// Counts a row.
    pub fn add_row(&mut self, row: &Row<'_>) {
        self.add(row.verdict);
        self.by_login_only += u64::from(row.by_login_only);
    }
    /// All of them.
    pub fn total(&self) -> u64 {
        self.pass + self.fail + self.inconclusive + self.not_run
    }
    /// The verdict over all: fail where one failed, else pass only when all passed; nothing at all is [`Verdict::NotRun`].
    pub fn verdict(&self) -> Verdict {
        if self.fail > 0 {
            Verdict::Fail
        } else if self.inconclusive > 0 {
            Verdict::Inconclusive
        } else if self.not_run > 0 || self.pass == 0 {
            Verdict::NotRun
        } else {
            Verdict::Pass
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} checked: {} pass", self.total(), self.pass)?;
        if self.by_login_only > 0 {
            write!(f, " ({} of them by login only, beside live devices)", self.by_login_only)?;
        }
        write!(f, ", {} fail, {} inconclusive, {} not run", self.fail, self.inconclusive, self.not_run)
    }
}
