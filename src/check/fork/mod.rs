//! Several accounts, or several devices of one, that are called as one: which of them ring, who wins, and what becomes of the others?
//!
//! A phone that rings proves little: the check plays each end of the call itself, lets one answer, two at once, one refuse, and a second call
//! come in, and says after each who was rung, who hears whom, how the others were stopped, and what is left of it.

mod call;
mod name;
mod play;
mod rounds;

use super::target::request_uri;
use super::{Account, Check, ForkTrial, Run};
use crate::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Most ends that are rung as one: beside them a caller and a second caller need a tone of their own.
pub const MAX_FORK_ENDS: usize = 6;

/// What is to become of a second call while one end is in a call.
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
    const ALL: [SecondCall; 4] =
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
        SecondCall::ALL.into_iter().find(|what| what.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::usage(format!("second call \"{text}\""), "there are rings, elsewhere, busy and any")
        })
    }
}

/// Several accounts, or several bindings of one account, are called as one.
///
/// All ends are ours: each is registered on an endpoint of its own, sends a tone of its own and listens for those of the others. Each
/// [trial](ForkTrial) is a call of its own; afterwards everything is hung up, and each end removes its own binding.
///
/// Steps: `caller`, `second-caller` (where there is one), `end-1` to `end-6`, `rings` (who rang, when and in which order: of the first
/// call), `answer`, `cancel`, `audio` and `hang-up` (of the trial `answer`), `race`, `refuse`, `second-call`. Facts: `ringing` (`all at
/// once` or `one after the other`), `called-as` (what each end was called with), `cancel-reason`, `race` (who released the one that came
/// second), `refusal`, `second-call`. Metrics: `first_ring` and `last_ring` (from the caller's INVITE), `answer` (from an end's answer to
/// the caller's), `cancel` (from the answer to the last CANCEL), `race_release` (from both answers to the end of the second).
///
/// ```no_run
/// use ringback::check::{Account, Fork, ForkTrial, Probe, SecondCall};
///
/// # async fn example() -> Result<(), ringback::error::Error> {
/// let probe = Probe::bind("udp:192.0.2.10:0").await?;
/// let account = |name: &str| Account::new(&format!("sip:{name}@pbx.example.com"), "secret");
/// let (alice, bob, carol) = (account("alice")?, account("bob")?, account("carol")?);
/// // The group 600 rings bob and carol; who is in a call gets no second one.
/// let group = Fork::group(&alice, "600", [&bob, &carol])?.second_call(SecondCall::Elsewhere);
/// println!("{}", probe.check(group).await);
/// // Three devices of bob; only what happens when two of them answer at once.
/// let devices = Fork::bindings(&alice, &bob, 3)?.trials([ForkTrial::Race]);
/// println!("{}", probe.check(devices).await);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Fork {
    caller: Account,
    second_caller: Option<Account>,
    /// The Request-URI.
    target: String,
    ends: Vec<Account>,
    names: Vec<String>,
    /// The ends are devices of one account.
    one_account: bool,
    trials: Vec<ForkTrial>,
    answers: usize,
    refuses_with: u16,
    second_call: SecondCall,
    wait: Duration,
    time_limit: Option<Duration>,
}

impl Fork {
    /// `caller` calls a group by its number or URI, and these accounts ring.
    ///
    /// # Errors
    /// [`Error::Usage`] when `number` cannot be called, for fewer than two ends or more than [`MAX_FORK_ENDS`], and for an account that
    /// stands there twice: its devices are rung as one by [`Fork::bindings`].
    pub fn group<'a>(
        caller: &Account,
        number: &str,
        ends: impl IntoIterator<Item = &'a Account>,
    ) -> Result<Fork, Error> {
        let ends: Vec<Account> = ends.into_iter().cloned().collect();
        let names: Vec<String> = ends.iter().map(|end| end.name().to_owned()).collect();
        for (at, end) in ends.iter().enumerate() {
            if end.aor() == caller.aor() || ends.iter().take(at).any(|before| before.aor() == end.aor()) {
                let problem = "it stands there twice; several devices of one account are called as bindings";
                return Err(Error::usage(format!("account \"{}\"", end.name()), problem));
            }
        }
        let target = request_uri(number, caller.domain())?;
        Fork::new(caller, target, ends, names, false)
    }

    /// `caller` calls an account that is registered so many times, each time by a device of its own.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer than two bindings, or more than [`MAX_FORK_ENDS`].
    pub fn bindings(caller: &Account, account: &Account, bindings: usize) -> Result<Fork, Error> {
        if account.aor() == caller.aor() {
            let problem = "it would call itself; another account has to call";
            return Err(Error::usage(format!("account \"{}\"", account.name()), problem));
        }
        can_be_rung(bindings)?;
        let ends = vec![account.clone(); bindings];
        let names = (1..=bindings).map(|number| format!("{}#{number}", account.name())).collect();
        Fork::new(caller, account.aor().to_owned(), ends, names, true)
    }

    fn new(
        caller: &Account,
        target: String,
        ends: Vec<Account>,
        names: Vec<String>,
        one_account: bool,
    ) -> Result<Fork, Error> {
        can_be_rung(ends.len())?;
        Ok(Fork {
            caller: caller.clone(),
            second_caller: None,
            target,
            ends,
            names,
            one_account,
            trials: ForkTrial::ALL.into(),
            answers: 0,
            refuses_with: 486,
            second_call: SecondCall::Rings,
            wait: Duration::from_secs(10),
            time_limit: None,
        })
    }

    /// What is tried, in this order; everything unless told. What stands there twice is tried once.
    #[must_use]
    pub fn trials(mut self, trials: impl IntoIterator<Item = ForkTrial>) -> Fork {
        self.trials.clear();
        for trial in trials {
            if !self.trials.contains(&trial) {
                self.trials.push(trial);
            }
        }
        self
    }

    /// Which end answers where one does, 0 for the first: it does unless told, or unless it does not ring then.
    #[must_use]
    pub fn answers(mut self, end: usize) -> Fork {
        self.answers = end;
        self
    }

    /// With what the end refuses that refuses, 300 to 699; 486 unless told. A 6xx may end the whole call (RFC 3261 sec. 16.7), anything
    /// else may not.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other number.
    pub fn refuses_with(mut self, status: u16) -> Result<Fork, Error> {
        if !(300..700).contains(&status) {
            return Err(Error::usage(format!("status {status}"), "a refusal is one of 300 to 699"));
        }
        self.refuses_with = status;
        Ok(self)
    }

    /// What is to become of a second call: the busy end rings as well, unless told.
    #[must_use]
    pub fn second_call(mut self, expected: SecondCall) -> Fork {
        self.second_call = expected;
        self
    }

    /// Who makes the second call; the caller of the first unless told, whose platform then has to allow it two calls.
    #[must_use]
    pub fn second_caller(mut self, account: &Account) -> Fork {
        self.second_caller = Some(account.clone());
        self
    }

    /// Time for all ends to be rung, 10 s unless told. Where they are rung one after the other it has to be enough for the last.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Fork {
        self.wait = time;
        self
    }

    /// The time for the whole check, cleaning up not counted.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Fork {
        self.time_limit = Some(limit);
        self
    }

    /// The name of a party: the caller is 0, the second caller comes last.
    fn party(&self, number: usize) -> &str {
        let last = || self.second_caller.as_ref().unwrap_or(&self.caller).name();
        match number.checked_sub(1) {
            None => self.caller.name(),
            Some(end) => self.names.get(end).map_or_else(last, String::as_str),
        }
    }
}

/// So many ends can be rung as one.
fn can_be_rung(ends: usize) -> Result<(), Error> {
    if (2..=MAX_FORK_ENDS).contains(&ends) {
        return Ok(());
    }
    Err(Error::usage("ends", format!("2 to {MAX_FORK_ENDS} can be rung as one, not {ends}")))
}

impl Check for Fork {
    fn name(&self) -> &'static str {
        "fork"
    }

    fn accounts(&self) -> Vec<String> {
        let callers = [Some(&self.caller), self.second_caller.as_ref()];
        let mut names: Vec<String> =
            callers.into_iter().flatten().chain(&self.ends).map(|party| party.name().to_owned()).collect();
        // Devices of one account are several ends.
        names.dedup();
        names
    }

    fn subject(&self) -> String {
        format!("{} -> {} ({})", self.caller.aor(), self.target, self.names.join(", "))
    }

    fn time_limit(&self) -> Option<Duration> {
        let calls = u32::try_from(self.trials.len()).unwrap_or(u32::MAX);
        // Beside the ringing each call has an answer, its audio, and its end.
        let each = self.wait.saturating_mul(2).saturating_add(Duration::from_secs(20));
        Some(self.time_limit.unwrap_or(each.saturating_mul(calls).saturating_add(Duration::from_secs(20))))
    }

    async fn run(&self, run: &mut Run) {
        play::run(self, run).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_has_a_name_that_is_read_back() {
        for trial in ForkTrial::ALL {
            assert_eq!(trial.as_str().parse::<ForkTrial>().ok(), Some(trial));
        }
        assert!("rase".parse::<ForkTrial>().is_err());
        for what in SecondCall::ALL {
            assert_eq!(what.as_str().parse::<SecondCall>().ok(), Some(what));
        }
    }
}
