//! What people and programs get to see: text or JSON lines, ladders, a capture.

use crate::exit::Failure;
use ringback::check::{Account, Outcome, Verdict};
use ringback::message::{Mask, redact_text};
use ringback::report::pcap::Capture;
use ringback::report::{self, Row, Tally};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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
                let capture = private(path).and_then(|file| Capture::new(BufWriter::new(file)));
                let problem = |error| Failure::usage(format!("--pcap {}: {error}", path.display()));
                Some((path.clone(), capture.map_err(problem)?))
            }
        };
        Ok(Output { json: self.json, ladder: self.ladder, capture, closed: false, failed: false })
    }
}

/// A file for its owner alone: what calls looked like is nobody else's business.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Output {
    /// Everything about one outcome.
    pub(crate) fn one(&mut self, outcome: &Outcome) {
        let outcome = &without_secrets(outcome);
        self.evidence(outcome);
        if self.json {
            self.machine(&report::json::line(outcome));
            tell(&brief(outcome));
        } else {
            self.people(&format!("{outcome}\n"));
        }
    }

    /// One outcome of many, as it comes: the line for programs and the evidence; people get their table at the end, or, where it is `alone`,
    /// all of it.
    pub(crate) fn one_of_many(&mut self, name: &str, outcome: &Outcome, alone: bool) {
        let outcome = &without_secrets(outcome);
        if self.ladder && !alone {
            self.people(&format!("{}\n", report::shown(name)));
        }
        self.evidence(outcome);
        if self.json {
            self.machine(&report::json::line_named(name, outcome));
            if alone {
                tell(&brief(outcome));
            }
        } else if alone {
            self.people(&format!("{outcome}\n"));
        }
    }

    /// The table of many, whose last line ends with `closing`; beside JSON lines only what did not pass, or by its login alone, and the counts of all.
    pub(crate) fn table<'a>(&mut self, rows: impl IntoIterator<Item = Row<'a>>, closing: &str) {
        if !self.json {
            let table = report::table(rows, colour());
            return self.people(&format!("{}{closing}\n", table.trim_end()));
        }
        let mut tally = Tally::default();
        let rows = rows.into_iter().inspect(|row| tally.add_row(row));
        let rows: Vec<Row<'a>> =
            rows.filter(|row| row.verdict != Verdict::Pass || row.by_login_only).collect();
        if !rows.is_empty() {
            self.people(&report::rows(rows, false));
        }
        self.people(&format!("{tally}{closing}\n"));
    }

    /// Text for people: standard output, or standard error when programs read the other.
    pub(crate) fn people(&mut self, text: &str) {
        if self.json {
            let _ = io::stderr().write_all(clean(text).as_bytes());
        } else {
            self.write(&clean(text));
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

    fn complain(&mut self, path: &Path, error: &io::Error) {
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
    let Outcome { verdict, check, subject, summary, .. } = outcome;
    let text = format!("{verdict}  {check}  {subject}: {summary}{advice}");
    report::shown(&text)
}

/// Passwords that this run knows, of however many accounts.
static KNOWN: Mutex<Option<Mask>> = Mutex::new(None);

/// Keeps the password of this account out of all that is written from now on.
pub(crate) fn hide(account: &Account) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    account.hide_in(known.get_or_insert_default());
}

/// A check masks the passwords of its own accounts; a peer may repeat those of the others.
fn without_secrets(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().for_each(|mask| outcome.hide(mask));
    outcome
}

/// The one way out of every line for people and of the log: without secrets, and without anything that acts on a terminal.
fn clean(line: &str) -> String {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let masked = match &*known {
        Some(mask) => mask.text(line),
        None => redact_text(line),
    };
    // Lines of a log have colours of our own, which are no text of others.
    masked.into_owned()
}

/// Standard error, for the log.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(clean(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A line for people on standard error; unlike `eprintln!` it is no panic when nobody reads it.
pub(crate) fn tell(line: &str) {
    let clean: Vec<String> = line.lines().map(|line| report::shown(&clean(line))).collect();
    let _ = writeln!(io::stderr(), "{}", clean.join("\n"));
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
