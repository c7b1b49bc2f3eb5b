//! What *we* could not do: bind, resolve, read a configuration, accept an argument. Never a verdict.
//!
//! ```
//! use ringback::error::{Argument, Problem};
//! use ringback::{Account, Error};
//!
//! let error = Account::new("sip:al ice@example.com", "secret").unwrap_err();
//! assert!(error.to_string().contains("column 7"));
//! let Error::Usage { argument, given, problem } = error else { panic!() };
//! assert_eq!((argument, given.as_str()), (Argument::AddressOfRecord, "sip:al ice@example.com"));
//! assert!(matches!(problem, Problem::Malformed { column: Some(7), .. }));
//! ```

use std::borrow::Cow;
use std::fmt;

/// Something that we could not do; a failed check is an [`Outcome`](crate::check::Outcome), not an `Error`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A local address could not be bound.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// What was asked for, e.g. `udp:127.0.0.1:5060`.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An argument is not what it should be.
    #[error("{}: {problem}", shown(*.argument, .given))]
    Usage {
        /// Which argument.
        argument: Argument,
        /// What was given for it; empty where that says nothing, never a secret.
        given: String,
        /// What is wrong with it, and what to do.
        problem: Problem,
    },
    /// The endpoint was closed while it was still needed.
    #[error("the endpoint is closed")]
    Closed,
}

/// The argument with what was given for it: `digits "12x4"`.
fn shown(argument: Argument, given: &str) -> String {
    if given.is_empty() { argument.to_string() } else { format!("{argument} \"{given}\"") }
}

impl Error {
    /// An [`Error::Usage`].
    pub fn usage(argument: Argument, given: impl fmt::Display, problem: Problem) -> Error {
        Error::Usage { argument, given: given.to_string(), problem }
    }
}

/// Which argument of a question, of its accounts or of the embedded network is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Argument {
    /// The name of an account in an inventory.
    Account,
    /// An account's address of record.
    AddressOfRecord,
    /// Where REGISTER is sent.
    Registrar,
    /// The proxy that every request goes to first.
    OutboundProxy,
    /// The address that OPTIONS is sent to.
    Address,
    /// The number, URI or user that is called.
    Target,
    /// One of the parties of a question, by its number.
    Party,
    /// The accounts or devices that ring as one.
    Ends,
    /// Which calls a question about forking makes.
    Trial,
    /// What is right for a second call.
    SecondCall,
    /// The status with which an end refuses.
    RefusesWith,
    /// The samples that are played.
    Announcement,
    /// The digits that are sent.
    Digits,
    /// How digits are sent.
    Method,
    /// How a call is held.
    Hold,
    /// The kind of a transfer.
    Kind,
    /// How a transfer names its target.
    ReferTo,
    /// What the target does when it is asked first.
    Asked,
    /// A transfer by Replaces of a call that rings.
    EarlyReplaces,
    /// A transferor that hangs up when its REFER is accepted.
    HangUpEarly,
    /// Hold and REFER in one go.
    AtOnce,
    /// The keys that ask for a transfer.
    TransferCode,
    /// The number that is pressed behind them.
    Number,
    /// The keys that end the number.
    EndKey,
    /// The keys that complete a transfer with a consultation.
    CompletingCode,
    /// The place of a park orbit.
    Park,
    /// A local address.
    LocalAddress,
    /// The ports for the media of calls.
    RtpPorts,
    /// The limit of calls of one end.
    MaxCalls,
    /// The value of a Reason header.
    Reason,
    /// The seed of everything random.
    Seed,
    /// A word for a verdict.
    Verdict,
    /// A word for the side that has to act.
    Side,
    /// A word for how much a finding matters.
    Severity,
    /// A fault of the embedded network.
    Fault,
    /// An option of a voice menu.
    MenuOption,
    /// A user of the embedded network.
    User,
    /// A transport of the embedded network.
    Transport,
}

impl Argument {
    /// In words, e.g. `address of record`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Argument::Account => "account",
            Argument::AddressOfRecord => "address of record",
            Argument::Registrar => "registrar",
            Argument::OutboundProxy => "outbound proxy",
            Argument::Address => "address",
            Argument::Target => "target",
            Argument::Party => "party",
            Argument::Ends => "ends that ring as one",
            Argument::Trial => "trial",
            Argument::SecondCall => "second call",
            Argument::RefusesWith => "status of the refusal",
            Argument::Announcement => "announcement",
            Argument::Digits => "digits",
            Argument::Method => "method",
            Argument::Hold => "way to hold",
            Argument::Kind => "kind of transfer",
            Argument::ReferTo => "form of Refer-To",
            Argument::Asked => "what the target does when it is asked first",
            Argument::EarlyReplaces => "Replaces of a call that rings",
            Argument::HangUpEarly => "hanging up when the REFER is accepted",
            Argument::AtOnce => "hold and REFER in one go",
            Argument::TransferCode => "transfer code",
            Argument::Number => "number",
            Argument::EndKey => "end of the number",
            Argument::CompletingCode => "completing code",
            Argument::Park => "parking place",
            Argument::LocalAddress => "local address",
            Argument::RtpPorts => "RTP ports",
            Argument::MaxCalls => "max_calls",
            Argument::Reason => "reason",
            Argument::Seed => "seed",
            Argument::Verdict => "verdict",
            Argument::Side => "side",
            Argument::Severity => "severity",
            Argument::Fault => "fault",
            Argument::MenuOption => "option of a menu",
            Argument::User => "user",
            Argument::Transport => "transport",
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wrong with an argument, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It cannot be read.
    Malformed {
        /// What is in the way.
        why: String,
        /// Where, in characters counted from 1; `None` where it is the whole.
        column: Option<usize>,
        /// How to write it.
        write: Cow<'static, str>,
    },
    /// It can be read, and is of no use here.
    Unusable {
        /// Why.
        why: Cow<'static, str>,
        /// What to give instead.
        instead: Cow<'static, str>,
    },
    /// It is none of the words, names or spellings that are known.
    Unknown {
        /// Those that are known, or the nearest of them.
        known: Vec<String>,
    },
    /// A number, or a count, is out of its range.
    OutOfRange {
        /// The smallest that is taken.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// It was given before.
    Twice,
    /// It has no meaning beside this.
    With(Argument),
    /// It has a meaning only beside this.
    Without(Argument),
}

impl Problem {
    /// [`Problem::Unusable`].
    pub fn unusable(why: impl Into<Cow<'static, str>>, instead: impl Into<Cow<'static, str>>) -> Problem {
        Problem::Unusable { why: why.into(), instead: instead.into() }
    }

    /// [`Problem::Malformed`] without a place.
    pub fn malformed(why: impl fmt::Display, write: impl Into<Cow<'static, str>>) -> Problem {
        Problem::Malformed { why: why.to_string(), column: None, write: write.into() }
    }

    /// [`Problem::Unknown`].
    pub fn unknown(known: impl IntoIterator<Item = impl fmt::Display>) -> Problem {
        Problem::Unknown { known: known.into_iter().map(|word| word.to_string()).collect() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Malformed { why, column: Some(column), write } => {
                write!(f, "{why} in column {column}; {write}")
            }
            Problem::Malformed { why, column: None, write } => write!(f, "{why}; {write}"),
            Problem::Unusable { why, instead } => write!(f, "{why}; {instead}"),
            Problem::Unknown { known } => write!(f, "not known; write {}", one_of(known)),
            Problem::OutOfRange { least, most } => write!(f, "out of range; write {least} to {most}"),
            Problem::Twice => f.write_str("given twice; name each once"),
            Problem::With(other) => write!(f, "cannot be combined with {other}; leave one of them out"),
            Problem::Without(other) => write!(f, "goes with {other} only; give that too, or leave this out"),
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(words: &[String]) -> String {
    match words.split_last() {
        None => "another".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_where_and_what_to_do() {
        let column =
            Problem::Malformed { why: "a blank".into(), column: Some(7), write: "write it so".into() };
        for (problem, text) in [
            (column, "digits \"1 2\": a blank in column 7; write it so"),
            (Problem::malformed("a blank", "write it so"), "digits \"1 2\": a blank; write it so"),
            (Problem::unusable("too many", "send fewer"), "digits \"1 2\": too many; send fewer"),
            (Problem::unknown(["a", "b", "c"]), "digits \"1 2\": not known; write a, b or c"),
            (Problem::OutOfRange { least: 1, most: 6 }, "digits \"1 2\": out of range; write 1 to 6"),
            (Problem::Twice, "digits \"1 2\": given twice; name each once"),
            (
                Problem::With(Argument::Park),
                "digits \"1 2\": cannot be combined with parking place; leave one of them out",
            ),
        ] {
            assert_eq!(Error::usage(Argument::Digits, "1 2", problem).to_string(), text);
        }
        let bare = Error::usage(Argument::Seed, "", Problem::Without(Argument::Reason));
        assert_eq!(bare.to_string(), "seed: goes with reason only; give that too, or leave this out");
    }
}
