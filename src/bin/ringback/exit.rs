//! How the program ends.

use crate::output::tell;
use ringback::check::Verdict;
use ringback::error::{Argument, Error, Problem};
use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every verdict is pass.
    Passed = 0,
    /// Something failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// Inconclusive, not run, or interrupted.
    Open = 3,
}

impl Exit {
    /// Of both: what failed wins over what is open, and that over what passed.
    pub(crate) fn and(self, other: Exit) -> Exit {
        let worst = [Exit::Usage, Exit::Failed, Exit::Open];
        worst.into_iter().find(|exit| [self, other].contains(exit)).unwrap_or(Exit::Passed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Pass => Exit::Passed,
            Verdict::Fail => Exit::Failed,
            Verdict::Inconclusive | Verdict::NotRun => Exit::Open,
        }
    }
}

/// Why nothing could be asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Printed as one `error:`.
    Told { exit: Exit, message: String },
    /// An account of a file that cannot be used: the outcome says why, as it does of one among many.
    NotRun(Box<Unusable>),
    /// The outcome was shown.
    Shown(Exit),
}

/// Why an account of a file cannot be used.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) name: String,
    pub(crate) aor: String,
    pub(crate) why: String,
    pub(crate) advice: String,
}

impl Failure {
    /// The command line or a file that it names is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure::Told { exit: Exit::Usage, message: message.to_string() }
    }
}

impl Failure {
    /// Says what has not been said yet, and how the program ends.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Failure::Told { exit, message } => {
                tell(&format!("error: {message}"));
                exit
            }
            Failure::NotRun(unusable) => {
                tell(&format!("error: account \"{}\": {}; {}", unusable.name, unusable.why, unusable.advice));
                Exit::Open
            }
            Failure::Shown(exit) => exit,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match &error {
            Error::Usage { argument, given, problem } => {
                let name = option(*argument);
                let what = if given.is_empty() { name.to_owned() } else { format!("{name} \"{given}\"") };
                Failure::usage(match problem {
                    Problem::With(other) => format!("{what} cannot be combined with {}", option(*other)),
                    Problem::Without(other) => format!("{what} goes with {} only", option(*other)),
                    problem => format!("{what}: {problem}"),
                })
            }
            Error::Bind { address, source } => Failure::usage(match source.kind() {
                ErrorKind::AddrInUse => {
                    format!("cannot bind {address}: another program has this port; give another, or port 0")
                }
                ErrorKind::AddrNotAvailable => {
                    format!(
                        "cannot bind {address}: this host has no such address; give one of its own (--bind)"
                    )
                }
                _ => format!("cannot bind {address}: {source}; give another address or port (--bind)"),
            }),
            _ => Failure::Told { exit: Exit::Open, message: error.to_string() },
        }
    }
}

/// A value of an option that the library reads.
pub(crate) fn value<T: std::str::FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(problem)
}

/// What is wrong with a value, without the name and the text that the command line tells itself.
pub(crate) fn problem(error: Error) -> String {
    match error {
        Error::Usage { problem, .. } => problem.to_string(),
        error => error.to_string(),
    }
}

/// How the command line calls an argument.
fn option(argument: Argument) -> &'static str {
    match argument {
        Argument::Registrar => "--registrar",
        Argument::OutboundProxy => "--outbound-proxy",
        Argument::Ends => "--bindings",
        Argument::Trial => "--trials",
        Argument::SecondCall => "--second-call",
        Argument::RefusesWith => "--refuses-with",
        Argument::Announcement => "--play",
        Argument::Digits => "--digits",
        Argument::Method => "--method",
        Argument::Hold => "--how",
        Argument::Kind => "--kind",
        Argument::ReferTo => "--refer-to",
        Argument::Asked => "--asked",
        Argument::EarlyReplaces => "--early-replaces",
        Argument::HangUpEarly => "--hang-up-early",
        Argument::AtOnce => "--at-once",
        Argument::TransferCode => "--by-keys",
        Argument::Number => "--number",
        Argument::EndKey => "--end-key",
        Argument::CompletingCode => "--complete-by",
        Argument::Park => "--park",
        Argument::LocalAddress => "--bind",
        Argument::RtpPorts => "--rtp-ports",
        Argument::Fault => "--fault",
        Argument::MenuOption => "--ivr",
        other => other.as_str(),
    }
}
