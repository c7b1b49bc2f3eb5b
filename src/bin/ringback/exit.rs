//! How the program ends.

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

/// Why nothing could be asked: printed as one `error:`.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    /// The command line or a file that it names is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Usage, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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
                    format!(
                        "cannot bind {address}: another program has this port; take another one, or port 0"
                    )
                }
                ErrorKind::AddrNotAvailable => {
                    format!(
                        "cannot bind {address}: this host has no such address; give one of its own (--bind)"
                    )
                }
                _ => format!("cannot bind {address}: {source}; give another address or port (--bind)"),
            }),
            _ => Failure { exit: Exit::Open, message: error.to_string() },
        }
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
