//! Does a call get through? Ring, answer, audio each way, hang up; each a step of its own.

mod course;
pub(super) mod delivery;
mod facts;

use super::scene::{CallOptions, PATIENCE, call_options, perform};
use super::target::request_uri;
use super::yields;
use super::{Account, Check, Run};
use crate::error::{Argument, Error, Problem};
use crate::media::stream::MAX_SAMPLES;
use std::sync::Arc;
use std::time::Duration;

/// Does a call get through, and if not, why not?
///
/// With one end ours ([`Call::to`]) it says whether a number is reached, and who answers; with both ends ours ([`Call::between`]) also
/// whether each hears the other: each end sends a tone of its own. Every call is hung up, whatever happens, and what was bound is removed.
///
/// It passes when the call was answered, audio came, and the hang-up arrived; the fact `result` says in one or two
/// words what became of it (`answered`, `busy`, `not answered`, `refused`, ...).
///
/// ```no_run
/// use ringback::check::{Account, Call, Probe};
///
/// # async fn example() -> Result<(), ringback::error::Error> {
/// let probe = Probe::bind("udp:127.0.0.1:0").await?;
/// let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
/// let bob = Account::new("sip:bob@pbx.example.com", "secret too")?;
/// println!("{}", probe.check(Call::to(&alice, "201")?).await);
/// println!("{}", probe.check(Call::between(&alice, &bob)).await);
/// # Ok(())
/// # }
/// ```
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Call {
    a: Account,
    callee: Option<Account>,
    /// The Request-URI that is dialled by default.
    number: String,
    ring: Duration,
    listen: Duration,
    play: Option<Arc<[i16]>>,
    callee_hangs_up: bool,
    expect_number: bool,
    options: CallOptions,
}

call_options!(Call, a);

/// The parties by their numbers.
const A: usize = 0;
const B: usize = 1;
/// Time for everything around ringing and talking: registrations, challenges, hanging up.
const AROUND: Duration = Duration::from_secs(30);

impl Call {
    /// A call of this account to a number, a SIP or `tel:` URI, or a user of its domain; only this end is ours.
    ///
    /// # Errors
    /// [`Error::Usage`] for a target that cannot be dialled.
    pub fn to(caller: &Account, target: &str) -> Result<Call, Error> {
        Ok(Call::new(caller, None, request_uri(target, caller.domain())?))
    }

    /// A call of one account to another; both ends are ours. The callee is registered for the time of the check, and rings and answers
    /// here.
    pub fn between(caller: &Account, callee: &Account) -> Call {
        Call::new(caller, Some(callee.clone()), callee.aor().to_owned())
    }

    fn new(caller: &Account, callee: Option<Account>, target: String) -> Call {
        Call {
            a: caller.clone(),
            callee,
            number: target,
            ring: Duration::from_millis(500),
            listen: Duration::from_secs(3),
            play: None,
            callee_hangs_up: false,
            expect_number: false,
            options: CallOptions::waiting(Duration::from_secs(30)),
        }
    }

    /// Time for which a callee of ours rings before it answers; default 500 ms.
    #[must_use]
    pub fn ring(mut self, time: Duration) -> Call {
        self.ring = time;
        self
    }

    /// The same as [`Call::wait`]: time for an answer before the call is given up; default 30 s.
    #[must_use]
    pub fn max_ring(self, time: Duration) -> Call {
        self.wait(time)
    }

    /// Time that the call stays up after the answer, and that its ends listen; default 3 s.
    #[must_use]
    pub fn listen(mut self, time: Duration) -> Call {
        self.listen = time;
        self
    }

    /// Plays these samples (8,000 a second) after the answer and then hangs up: an announcement. For calls with one end ours.
    ///
    /// # Errors
    /// [`Error::Usage`] for more than ten minutes of them ([`MAX_SAMPLES`]), for none, and where both ends are ours.
    pub fn play(mut self, samples: impl Into<Arc<[i16]>>) -> Result<Call, Error> {
        let samples = samples.into();
        let usage = |why: &'static str, instead: &'static str| {
            Err(Error::usage(Argument::Announcement, "", Problem::unusable(why, instead)))
        };
        if self.callee.is_some() {
            return usage("both ends are ours, and nobody would listen", "call a number instead");
        }
        match samples.len() {
            0 => usage("there is no sound in it", "play at least one sample"),
            1..=MAX_SAMPLES => {
                self.play = Some(samples);
                Ok(self)
            }
            _ => usage("it is longer than ten minutes", "cut it"),
        }
    }

    /// The callee hangs up, not the caller; where both ends are ours.
    #[must_use]
    pub fn hang_up_by_callee(mut self) -> Call {
        self.callee_hangs_up = true;
        self
    }

    /// The callee is a PBX behind a trunk: the Request-URI of the call has to name the number that was dialled (see [`Call::dial`]). Where it
    /// does not the check fails at the step `delivery`; without this, a number that came in To only is a warning.
    #[must_use]
    pub fn expect_number(mut self) -> Call {
        self.expect_number = true;
        self
    }

    /// Length of the announcement.
    fn play_time(&self) -> Duration {
        let samples = self.play.as_ref().map_or(0, |samples| samples.len());
        Duration::from_micros(samples as u64 * 125)
    }

    /// Name of the callee in words.
    fn callee_name(&self) -> &str {
        self.callee.as_ref().map_or(self.target(), Account::name)
    }

    /// The Request-URI.
    fn target(&self) -> &str {
        self.options.target(&self.number)
    }
}

impl Check for Call {
    fn name(&self) -> &'static str {
        "call"
    }

    fn accounts(&self) -> Vec<String> {
        let both = [Some(&self.a), self.callee.as_ref()];
        both.into_iter().flatten().map(|party| party.name().to_owned()).collect()
    }

    fn subject(&self) -> String {
        format!("{} -> {}", self.a.aor(), self.target())
    }

    fn time_limit(&self) -> Option<Duration> {
        let usual = self.options.wait + self.listen.max(PATIENCE) + self.play_time() + AROUND;
        Some(self.options.time_limit.unwrap_or(usual))
    }

    fn least_time(&self) -> Option<Duration> {
        let ringing = self.callee.as_ref().map_or(Duration::ZERO, |_| self.ring);
        Some(ringing + if self.play.is_some() { self.play_time() } else { self.listen })
    }

    fn legs(&self) -> usize {
        usize::from(self.callee.is_some()) + 1
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::CALL, yields::MEDIA]
    }

    async fn run(&self, run: &mut Run) {
        perform(self, run).await;
    }
}
