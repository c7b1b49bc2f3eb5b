//! Is a call transferred, and who hears whom afterwards?
//!
//! A 202 says that a REFER was understood, a NOTIFY what somebody believes. The proof is in the audio: each party sends a tone of its own and
//! listens for those of all others, before and after.

mod ask;
mod code;
mod consult;
mod ending;
mod identity;
mod keys;
mod matrix;
mod name;
mod notify;
mod options;
mod park;
mod play;
mod refer_to;
mod steady;
mod told;

use super::hold::HeardOnHold;
use super::{Account, Check, Run};
use crate::error::Error;
use code::Dialled;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use code::FeatureCode;
pub use identity::{Identity, Sees, Shown};
pub use matrix::Heard;
pub use refer_to::ReferTo;

/// How a call is transferred (RFC 5589).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// The transferee is sent to the target, which nobody has asked (sec. 6).
    Blind,
    /// The transferor holds the transferee, talks to the target, and joins both (sec. 7): Refer-To with Replaces.
    Attended,
    /// The transferor lets the target ring, gives that call up, and sends the transferee there.
    SemiAttended,
}

impl TransferKind {
    /// `blind`, `attended`, `semi-attended`.
    pub const fn as_str(self) -> &'static str {
        match self {
            TransferKind::Blind => "blind",
            TransferKind::Attended => "attended",
            TransferKind::SemiAttended => "semi-attended",
        }
    }
}

impl fmt::Display for TransferKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TransferKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<TransferKind, Error> {
        let all = [TransferKind::Blind, TransferKind::Attended, TransferKind::SemiAttended];
        all.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::usage(format!("kind \"{text}\""), "there are blind, attended and semi-attended")
        })
    }
}

/// What the target does when the transferee calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferTarget {
    /// Answers.
    Answers,
    /// Refuses with this status, e.g. 486.
    Refuses(u16),
    /// Rings, and never answers.
    Rings,
}

/// What a transfer came to, for programs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TransferResult {
    /// Which.
    pub kind: TransferKind,
    /// The names of the parties: the caller, the called one, the target.
    pub parties: [String; 3],
    /// Which of them transferred.
    pub transferor: usize,
    /// Who heard whom before; `None` when it did not come to that.
    pub before: Option<Heard>,
    /// Who heard whom while the transferor talked to the target; `None` when it did not.
    pub during: Option<Heard>,
    /// What the transferee heard meanwhile, on hold.
    pub heard_on_hold: Option<HeardOnHold>,
    /// Who heard whom after.
    pub after: Option<Heard>,
    /// The keys that asked for it instead of a REFER, e.g. `##,203`.
    pub keys: Option<String>,
    /// The place of the park orbit to which the transferee was moved, and where the target fetched it.
    pub park: Option<String>,
    /// The answer to the REFER.
    pub refer_status: Option<u16>,
    /// The statuses that NOTIFYs told the transferor, in order.
    pub notified: Vec<u16>,
    /// From the REFER, or the last key, to the right two hearing each other: to the moment in which the later one of them begins to, exact to 50 ms (by keys and with a park orbit to a second or two).
    pub took: Option<Duration>,
    /// From the REFER to its answer.
    pub answered_after: Option<Duration>,
    /// From the REFER to the NOTIFY with a final status.
    pub told_after: Option<Duration>,
    /// How the parties were shown to each other.
    pub identity: Identity,
    /// Legs that were still up and should not be.
    pub legs_left: usize,
    /// What became of the transferee, in words.
    pub transferee: String,
}

/// Is a call transferred, and who hears whom afterwards?
///
/// `a` calls `b`; the transferor (`a`, or `b` with [`Transfer::by_callee`]) moves the other one to `c`. Steps: `party-a`, `party-b`, `party-c`, `call`, `before`,
/// `consult` (not blind), `refer`, `notify`, `after`, `release`, `hang-up`. It passes when the transferee and the target hear each other, the
/// transferor is released, no leg is left, and the transferor was told the truth.
///
/// By keys ([`Transfer::by_keys`]) the steps are `keys`, (not blind) `consult` and `complete`, and `carried-out` in the place of `consult`, `refer` and
/// `notify`; with a park orbit ([`Transfer::park`]) `parked` and `fetch` come before `after`.
///
/// A REFER that comes too early for the peer (491) is sent once more after the time of RFC 3261 sec. 14.1, or its Retry-After; one that names the
/// target by another URI than `sip:` and is refused for it is sent once more with the address of record. What the parties were shown of each
/// other is in [`TransferResult::identity`]. Metrics: `srd` and `sdd` of the first and the last call (RFC 6076), `refer` (to its answer), `notify` (to the
/// final one), `transfer` (to the right two hearing each other), all from the moment in which the REFER was sent.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub(super) a: Account,
    pub(super) b: Account,
    pub(super) c: Account,
    pub(super) kind: TransferKind,
    pub(super) by_callee: bool,
    pub(super) target: TransferTarget,
    pub(super) asked: TransferTarget,
    pub(super) refer_to: ReferTo,
    pub(super) early_replaces: bool,
    pub(super) hang_up_early: bool,
    pub(super) at_once: bool,
    pub(super) wait: Duration,
    keys: Option<Dialled>,
    /// As it was written, and its Request-URI.
    slot: Option<(String, String)>,
    time_limit: Option<Duration>,
}

impl Check for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn subject(&self) -> String {
        let (transferor, transferee, target) = self.roles();
        let accounts = [&self.a, &self.b, &self.c];
        if let Some((place, _)) = &self.slot {
            let [transferor, transferee, target] =
                [transferor, transferee, target].map(|party| accounts[party].aor());
            return format!("{transferor} parks {transferee} at {place} for {target}");
        }
        format!(
            "{} moves {} to {}",
            accounts[transferor].aor(),
            accounts[transferee].aor(),
            accounts[target].aor()
        )
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.time_limit.unwrap_or(
            self.wait * 4
                + self.keys.as_ref().map_or(Duration::ZERO, Dialled::time)
                + Duration::from_secs(30),
        ))
    }

    async fn run(&self, run: &mut Run) {
        play::run(self, run).await;
    }
}
