//! Several accounts, or several devices of one, that are called as one: which of them ring, who wins, and what becomes of the others?
//!
//! A phone that rings proves little: the check plays each end of the call itself, lets one answer, two at once, one refuse, and a second call
//! come in, and says after each who was rung, who hears whom, how the others were stopped, and what is left of it.

mod course;

use super::judge::fork::Group;
use super::scene::{CallOptions, call_options, perform};
use super::target::request_uri;
use super::yields;
use super::{Account, Check, ForkTrial, Run, SecondCall};
use crate::error::{Argument, Error, Problem};
use std::time::Duration;

/// Most ends that are rung as one: beside them a caller and a second caller need a tone of their own.
pub const MAX_FORK_ENDS: usize = 6;

/// Several accounts, or several bindings of one account, are called as one.
///
/// All ends are ours: each is registered on an endpoint of its own, sends a tone of its own and listens for those of the others. Each
/// [trial](ForkTrial) is a call of its own; afterwards everything is hung up, and each end removes its own binding.
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
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Fork {
    caller: Account,
    second_caller: Option<Account>,
    /// The Request-URI, unless something else is dialled.
    number: String,
    ends: Vec<Account>,
    names: Vec<String>,
    /// The ends are devices of one account.
    one_account: bool,
    trials: Vec<ForkTrial>,
    answers: usize,
    refuses_with: u16,
    second_call: SecondCall,
    options: CallOptions,
}

call_options!(
    Fork,
    caller,
    "Time for all ends to be rung; where they are rung one after the other, enough for the last. [default: 10 s]"
);

impl Fork {
    /// `caller` calls a group by its number or URI, and these accounts ring.
    ///
    /// # Errors
    /// [`Error::Usage`] when `number` cannot be called, for fewer than two ends or more than [`MAX_FORK_ENDS`], and for an account that
    /// is given twice: its devices are rung as one by [`Fork::bindings`].
    pub fn group<'a>(
        caller: &Account,
        number: &str,
        ends: impl IntoIterator<Item = &'a Account>,
    ) -> Result<Fork, Error> {
        let ends: Vec<Account> = ends.into_iter().cloned().collect();
        let names: Vec<String> = ends.iter().map(|end| end.name().to_owned()).collect();
        for (at, end) in ends.iter().enumerate() {
            if end.has_same_aor(caller) || ends.iter().take(at).any(|before| before.has_same_aor(end)) {
                return Err(Error::usage(Argument::Account, end.name(), Problem::Twice));
            }
        }
        let target = request_uri(number, caller.domain())?;
        Fork::new(caller, target, ends, names, false)
    }

    /// `caller` calls an account with this number of registered devices.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer than two bindings, or more than [`MAX_FORK_ENDS`].
    pub fn bindings(caller: &Account, account: &Account, bindings: usize) -> Result<Fork, Error> {
        if account.has_same_aor(caller) {
            let problem = Problem::unusable("it would call itself", "let another account call");
            return Err(Error::usage(Argument::Account, account.name(), problem));
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
            number: target,
            ends,
            names,
            one_account,
            trials: ForkTrial::ALL.into(),
            answers: 0,
            refuses_with: 486,
            second_call: SecondCall::Rings,
            options: CallOptions::waiting(Duration::from_secs(10)),
        })
    }

    /// Trials, in this order; one that is listed twice is made once. [default: all]
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

    /// Number of the end that answers where one does, 0 for the first; where it does not ring then, the last that does. [default: 0]
    #[must_use]
    pub fn answers(mut self, end: usize) -> Fork {
        self.answers = end;
        self
    }

    /// Status with which one end refuses, 300 to 699. A 6xx may end the whole call (RFC 3261 sec. 16.7), anything else may not.
    /// [default: 486]
    ///
    /// # Errors
    /// [`Error::Usage`] for any other number.
    pub fn refuses_with(mut self, status: u16) -> Result<Fork, Error> {
        if !(300..700).contains(&status) {
            return Err(Error::usage(
                Argument::RefusesWith,
                status,
                Problem::OutOfRange { least: 300, most: 699 },
            ));
        }
        self.refuses_with = status;
        Ok(self)
    }

    /// The treatment expected of a second call. [default: the busy end rings as well]
    #[must_use]
    pub fn second_call(mut self, expected: SecondCall) -> Fork {
        self.second_call = expected;
        self
    }

    /// The account that makes the second call. [default: the caller of the first, whose platform then has to allow it two calls]
    #[must_use]
    pub fn second_caller(mut self, account: &Account) -> Fork {
        self.second_caller = Some(account.clone());
        self
    }

    /// The Request-URI.
    fn target(&self) -> &str {
        self.options.target(&self.number)
    }

    /// The account that makes the second call, where that is tried and it is not the caller.
    fn second(&self) -> Option<&Account> {
        self.second_caller.as_ref().filter(|_| self.trials.contains(&ForkTrial::SecondCall))
    }

    /// The group or devices that are called as one, in words.
    fn words(&self) -> Group<'_> {
        Group {
            target: self.target(),
            caller: self.caller.name(),
            ends: &self.names,
            second_caller: self.second_caller.as_ref().unwrap_or(&self.caller).name(),
            one_account: self.one_account,
        }
    }
}

/// Checks the number of ends that are rung as one.
fn can_be_rung(ends: usize) -> Result<(), Error> {
    if (2..=MAX_FORK_ENDS).contains(&ends) {
        return Ok(());
    }
    Err(Error::usage(Argument::Ends, ends, Problem::OutOfRange { least: 2, most: MAX_FORK_ENDS as u64 }))
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
        format!("{} -> {} ({})", self.caller.aor(), self.target(), self.names.join(", "))
    }

    fn time_limit(&self) -> Option<Duration> {
        let calls = u32::try_from(self.trials.len()).unwrap_or(u32::MAX);
        // Beside the ringing each call has an answer, its audio, and its end, which may take 64*T1.
        let each = self.options.wait.saturating_mul(2).saturating_add(Duration::from_secs(60));
        let usual = each.saturating_mul(calls).saturating_add(Duration::from_secs(20));
        Some(self.options.time_limit.unwrap_or(usual))
    }

    fn legs(&self) -> usize {
        // All ring; of a second call all ring beside the two legs of the first.
        let second = self.trials.contains(&ForkTrial::SecondCall);
        1 + self.ends.len() + if second { 2 } else { 0 }
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::CALL, yields::MEDIA]
    }

    async fn run(&self, run: &mut Run) {
        perform(self, run).await;
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
