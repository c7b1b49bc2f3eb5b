//! The result of a check of forking, for programs.

use crate::check::Name;
use crate::error::{Argument, Error, Problem};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One call of the check, and what is tried with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum ForkTrial {
    /// One end answers: the others have to stop ringing, and to know why.
    Answer,
    /// Two ends answer at once: one has to stay, the other gets ACK and BYE (RFC 3261 sec. 13.2.2.4, 16.7).
    Race,
    /// One end refuses: the others have to ring on, and one of them answers (RFC 3261 sec. 16.7).
    Refuse,
    /// One end has answered, and a second call comes.
    SecondCall,
}

impl ForkTrial {
    /// All, in the order in which they are tried by default.
    pub const ALL: [ForkTrial; 4] =
        [ForkTrial::Answer, ForkTrial::Race, ForkTrial::Refuse, ForkTrial::SecondCall];

    /// `answer`, `race`, `refuse`, `second-call`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ForkTrial::Answer => "answer",
            ForkTrial::Race => "race",
            ForkTrial::Refuse => "refuse",
            ForkTrial::SecondCall => "second-call",
        }
    }
}

impl fmt::Display for ForkTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ForkTrial {
    type Err = Error;

    fn from_str(text: &str) -> Result<ForkTrial, Error> {
        ForkTrial::ALL
            .into_iter()
            .find(|trial| trial.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::usage(Argument::Trial, text, Problem::unknown(ForkTrial::ALL)))
    }
}

/// The treatment expected of a second call while one end is in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecondCall {
    /// The end that is in a call rings as well: call waiting.
    Rings,
    /// It does not, and the free ones do.
    Elsewhere,
    /// The call is refused as busy, and nobody rings.
    Busy,
    /// Whatever comes is only told.
    Any,
}

impl SecondCall {
    /// All.
    pub const ALL: [SecondCall; 4] =
        [SecondCall::Rings, SecondCall::Elsewhere, SecondCall::Busy, SecondCall::Any];

    /// `rings`, `elsewhere`, `busy`, `any`.
    pub const fn as_str(self) -> &'static str {
        match self {
            SecondCall::Rings => "rings",
            SecondCall::Elsewhere => "elsewhere",
            SecondCall::Busy => "busy",
            SecondCall::Any => "any",
        }
    }
}

impl fmt::Display for SecondCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SecondCall {
    type Err = Error;

    fn from_str(text: &str) -> Result<SecondCall, Error> {
        SecondCall::ALL
            .into_iter()
            .find(|what| what.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::usage(Argument::SecondCall, text, Problem::unknown(SecondCall::ALL)))
    }
}

/// The result of a check of forking. Ends are numbered from 0.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ForkResult {
    /// The Request-URI that was called.
    pub target: String,
    /// The name of the caller.
    pub caller: String,
    /// The names of the ends.
    pub ends: Vec<String>,
    /// The calls, in order.
    pub trials: Vec<ForkTrialResult>,
    /// Legs that were still there when they were to be gone, of all calls.
    pub legs_left: usize,
}

impl ForkResult {
    /// The call in which this was tried.
    pub fn trial(&self, trial: ForkTrial) -> Option<&ForkTrialResult> {
        self.trials.iter().find(|tried| tried.trial == trial)
    }
}

/// In which order the ends of a call were rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum RingOrder {
    /// All at once.
    Parallel,
    /// One after the other.
    Serial,
}

impl RingOrder {
    /// `parallel`, `serial`.
    pub const fn as_str(self) -> &'static str {
        match self {
            RingOrder::Parallel => "parallel",
            RingOrder::Serial => "serial",
        }
    }
}

impl fmt::Display for RingOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ForkTrialResult {
    /// The trial.
    pub trial: ForkTrial,
    /// The ends that were rung, in order.
    pub rang: Vec<ForkRung>,
    /// `None` where fewer than two rang.
    pub order: Option<RingOrder>,
    /// The ends that refused.
    pub refused: Vec<usize>,
    /// The ends that answered.
    pub answered: Vec<usize>,
    /// The end that kept the call.
    pub winner: Option<usize>,
    /// The others, and how their ringing or their call was ended.
    pub released: Vec<ForkReleased>,
    /// The parties that each one heard, the caller first and then the ends (0 is the caller, 1 the first end); empty where it did not come to that.
    pub heard: Vec<Vec<usize>>,
    /// Ends that the second call rang, where there was one.
    pub second_rang: Vec<usize>,
    /// The status that refused the caller's INVITE; of the second call, where there was one.
    pub refusal: Option<u16>,
    /// From the (first) answer of an end to the caller's.
    pub answer: Option<Duration>,
    /// Legs that were still there when they were to be gone: of ends that lost, and of all after the call was hung up.
    pub legs_left: usize,
}

impl ForkTrialResult {
    /// A call in which nothing happened yet.
    pub fn new(trial: ForkTrial) -> ForkTrialResult {
        ForkTrialResult {
            trial,
            rang: Vec::new(),
            order: None,
            refused: Vec::new(),
            answered: Vec::new(),
            winner: None,
            released: Vec::new(),
            heard: Vec::new(),
            second_rang: Vec::new(),
            refusal: None,
            answer: None,
            legs_left: 0,
        }
    }
}

/// An end that was rung.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForkRung {
    /// Number of the end.
    pub end: usize,
    /// From the caller's INVITE to its own.
    pub after: Duration,
    /// The Request-URI of its INVITE.
    pub request_uri: String,
    /// From of its INVITE without the tag: what a phone shows.
    pub from: String,
    /// P-Asserted-Identity of its INVITE; empty where there was none.
    pub asserted: String,
}

/// Release of an end that did not win.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForkReleased {
    /// Number of the end.
    pub end: usize,
    /// By `CANCEL` or `BYE`.
    pub by: Name,
    /// From the (first) answer.
    pub after: Duration,
    /// Reason values of the request, as they came.
    pub reasons: Vec<String>,
    /// Did an ACK come for our final response (487, or 200)?
    pub acknowledged: bool,
}
