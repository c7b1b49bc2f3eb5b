//! What people and programs get to see: text or JSON lines, ladders, a capture.

use crate::exit::Failure;
use ringback::check::{Outcome, Verdict};
use ringback::report::pcap::Capture;
use ringback::report::{self, Row, Tally};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// One JSON object a line on standard output (schema ringback.outcome/1); what is for people goes to standard error.
    #[arg(long)]
    json: bool,
    /// Show who sent what, and when.
    #[arg(long)]
    ladder: bool,
    /// Write the messages, without secrets, and the media of calls into a capture for Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// Where everything goes.
pub(crate) struct Output {
    json: bool,
    ladder: bool,
    capture: Option<(PathBuf, Capture<BufWriter<File>>)>,
    closed: bool,
    failed: bool,
}

impl OutputOptions {
    /// Opens the capture, before anything is asked.
    pub(crate) fn open(&self) -> Result<Output, Failure> {
        let capture = match &self.pcap {
            None => None,
            Some(path) => {
                let capture = File::create(path).and_then(|file| Capture::new(BufWriter::new(file)));
                let problem = |error| Failure::usage(format!("--pcap {}: {error}", path.display()));
                Some((path.clone(), capture.map_err(problem)?))
            }
        };
        Ok(Output { json: self.json, ladder: self.ladder, capture, closed: false, failed: false })
    }
}

impl Output {
    /// Everything about one outcome.
    pub(crate) fn one(&mut self, outcome: &Outcome) {
        self.evidence(outcome);
        if self.json {
            self.machine(&report::json::line(outcome));
            tell(&brief(outcome));
        } else {
            self.people(&format!("{outcome}\n"));
        }
    }

    /// One outcome of many, as it comes: the line for programs and the evidence; people get their table at the end.
    pub(crate) fn one_of_many(&mut self, name: &str, outcome: &Outcome) {
        if self.ladder {
            self.people(&format!("{}\n", name.escape_default()));
        }
        self.evidence(outcome);
        if self.json {
            self.machine(&report::json::line_named(name, outcome));
        }
    }

    /// The table of many; beside JSON lines only what did not pass, and the counts of all.
    pub(crate) fn table<'a>(&mut self, rows: impl IntoIterator<Item = Row<'a>>) {
        if !self.json {
            return self.people(&report::table(rows, colour()));
        }
        let mut tally = Tally::default();
        let rows = rows.into_iter().inspect(|row| tally.add(row.verdict));
        let rows: Vec<Row<'a>> = rows.filter(|row| row.verdict != Verdict::Pass).collect();
        if !rows.is_empty() {
            self.people(&report::rows(rows, false));
        }
        self.people(&format!("{tally}\n"));
    }

    /// Text for people: standard output, or standard error when programs read the other.
    pub(crate) fn people(&mut self, text: &str) {
        if self.json {
            let _ = io::stderr().write_all(text.as_bytes());
        } else {
            self.write(text);
        }
    }

    fn machine(&mut self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Nobody reads standard output any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Completes the capture. `false` when something could not be written.
    pub(crate) fn finish(mut self) -> bool {
        if let Some((path, capture)) = self.capture.take()
            && let Err(error) = capture.into_inner().flush()
        {
            self.complain(&path, &error);
        }
        !self.failed
    }

    fn evidence(&mut self, outcome: &Outcome) {
        if self.ladder {
            self.people(&format!("{}\n", report::ladder(&outcome.transcript)));
        }
        if let Some((path, mut capture)) = self.capture.take() {
            match capture.add(&outcome.transcript) {
                Ok(()) => self.capture = Some((path, capture)),
                Err(error) => self.complain(&path, &error),
            }
        }
    }

    fn complain(&mut self, path: &std::path::Path, error: &io::Error) {
        self.failed = true;
        tell(&format!("error: --pcap {}: {error}; the capture is not complete", path.display()));
    }

    fn write(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            self.closed = true;
            // `ringback ... | head` is no error; a full disk is.
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.failed = true;
                tell(&format!("error: standard output: {error}"));
            }
        }
    }
}

/// One line for people beside a JSON line.
fn brief(outcome: &Outcome) -> String {
    let advice = Row::of("", outcome).advice.map(|advice| format!(" -> {advice}")).unwrap_or_default();
    let text = format!("{} {}: {}{advice}", outcome.subject, outcome.verdict, outcome.summary);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A line for people on standard error; unlike `eprintln!` it is no panic when nobody reads it.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Text on standard output, where nothing is lost when nobody reads it.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Does a person with a colour terminal read standard output?
pub(crate) fn colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    io::stdout().is_terminal() && !unwanted && !dumb
}
