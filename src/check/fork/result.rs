//! What the check saw, for programs.

use super::ForkTrial;
use std::fmt;
use std::time::Duration;

/// What a check of forking came to. Ends are numbered from 0.
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
    pub rounds: Vec<ForkRound>,
    /// Legs that were still there when they were to be gone, of all calls.
    pub legs_left: usize,
}

impl ForkResult {
    /// The call in which this was tried.
    pub fn round(&self, trial: ForkTrial) -> Option<&ForkRound> {
        self.rounds.iter().find(|round| round.trial == trial)
    }
}

/// In which order the ends of a call were rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
pub struct ForkRound {
    /// What was tried.
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
    /// Whom each party heard, the caller first and then the ends (0 is the caller, 1 the first end); empty where it did not come to that.
    pub heard: Vec<Vec<usize>>,
    /// Ends that the second call rang, where there was one.
    pub second_rang: Vec<usize>,
    /// What the caller's INVITE was refused with; of the second call, where there was one.
    pub refusal: Option<u16>,
    /// From the (first) answer of an end to the caller's.
    pub answer: Option<Duration>,
    /// Legs that were still there when they were to be gone: of ends that lost, and of all after the call was hung up.
    pub legs_left: usize,
}

impl ForkRound {
    pub(super) fn new(trial: ForkTrial) -> ForkRound {
        ForkRound {
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
    /// Which.
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

/// How an end was released that did not win.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForkReleased {
    /// Which.
    pub end: usize,
    /// By `CANCEL` or `BYE`.
    pub by: &'static str,
    /// From the (first) answer.
    pub after: Duration,
    /// Reason values of the request, as they came.
    pub reasons: Vec<String>,
    /// Did an ACK come for our final response (487, or 200)?
    pub acknowledged: bool,
}
