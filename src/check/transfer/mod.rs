//! Is a call transferred, and who hears whom afterwards?
//!
//! A 202 says that a REFER was understood, a NOTIFY what somebody believes. The proof is in the audio: each party sends a tone of its own and
//! listens for those of all others, before and after.

mod code;
mod keys;
mod matrix;
mod name;
mod park;
mod play;
mod steady;

use super::target::request_uri;
use super::{Account, Check, Run};
use crate::error::Error;
use code::Dialled;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use code::FeatureCode;
pub use matrix::Heard;

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
    /// From the REFER, or the last key, to the right two hearing each other.
    pub took: Option<Duration>,
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
#[derive(Debug, Clone)]
pub struct Transfer {
    pub(super) a: Account,
    pub(super) b: Account,
    pub(super) c: Account,
    pub(super) kind: TransferKind,
    pub(super) by_callee: bool,
    pub(super) target: TransferTarget,
    pub(super) wait: Duration,
    keys: Option<Dialled>,
    /// As it was written, and its Request-URI.
    slot: Option<(String, String)>,
    time_limit: Option<Duration>,
}

impl Transfer {
    /// Blind.
    pub fn blind(a: &Account, b: &Account, c: &Account) -> Transfer {
        Transfer::new(a, b, c, TransferKind::Blind)
    }

    /// Attended.
    pub fn attended(a: &Account, b: &Account, c: &Account) -> Transfer {
        Transfer::new(a, b, c, TransferKind::Attended)
    }

    /// Semi-attended.
    pub fn semi_attended(a: &Account, b: &Account, c: &Account) -> Transfer {
        Transfer::new(a, b, c, TransferKind::SemiAttended)
    }

    /// Of this kind.
    pub fn new(a: &Account, b: &Account, c: &Account, kind: TransferKind) -> Transfer {
        Transfer {
            a: a.clone(),
            b: b.clone(),
            c: c.clone(),
            kind,
            by_callee: false,
            target: TransferTarget::Answers,
            wait: Duration::from_secs(20),
            keys: None,
            slot: None,
            time_limit: None,
        }
    }

    /// The transferor presses keys in the call instead of sending a REFER: no NOTIFY is due then. With a consultation the target is called
    /// inside the same call. With [`Transfer::park`], say that first.
    ///
    /// ```
    /// use ringback::check::{Account, FeatureCode, Transfer};
    /// let account = |user: &str| Account::new(&format!("sip:{user}@pbx.example.com"), "secret");
    /// let (alice, bob, carol) = (account("alice")?, account("bob")?, account("carol")?);
    /// let blind = Transfer::blind(&alice, &bob, &carol).by_keys(FeatureCode::new("##")?.number("203")?)?;
    /// let attended = Transfer::attended(&alice, &bob, &account("203")?).by_keys(FeatureCode::new("*2")?)?;
    /// assert!(Transfer::blind(&alice, &bob, &carol).by_keys(FeatureCode::default()).is_err(), "carol is no number");
    /// # Ok::<(), ringback::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Usage`] where the code says no number, and the target's account has none for its user.
    pub fn by_keys(mut self, code: FeatureCode) -> Result<Transfer, Error> {
        let number = self.slot.as_ref().map_or(self.c.user(), |(slot, _)| slot.as_str());
        self.keys = Some(code.dialling(number)?);
        Ok(self)
    }

    /// The transferee is moved to this place of a park orbit, where it waits until the target calls the place and fetches it.
    ///
    /// # Errors
    /// [`Error::Usage`] for what cannot be dialled.
    pub fn park(mut self, place: &str) -> Result<Transfer, Error> {
        self.slot = Some((place.to_owned(), request_uri(place, self.a.domain())?));
        Ok(self)
    }

    /// The one that was called transfers the caller.
    #[must_use]
    pub fn by_callee(mut self) -> Transfer {
        self.by_callee = true;
        self
    }

    /// What the target does; it answers unless told. What it does otherwise fails the check, which then says what became of the transferee.
    #[must_use]
    pub fn target(mut self, target: TransferTarget) -> Transfer {
        self.target = target;
        self
    }

    /// Time for each call to be answered and for the transfer to be carried out; 20 s unless told.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Transfer {
        self.wait = time;
        self
    }

    /// The time for the whole check, cleaning up not counted.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Transfer {
        self.time_limit = Some(limit);
        self
    }

    /// The transferor, the transferee and the target, by their numbers.
    pub(super) fn roles(&self) -> (usize, usize, usize) {
        if self.by_callee { (1, 0, 2) } else { (0, 1, 2) }
    }

    pub(super) fn names(&self) -> [String; 3] {
        [&self.a, &self.b, &self.c].map(|account| account.name().to_owned())
    }
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
