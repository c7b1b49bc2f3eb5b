//! Hold and resume: does each end hear what the directions say?

mod course;
pub(super) mod heard;

use super::scene::{CallOptions, call_options, perform};
use super::yields;
use super::{Account, Check, Run};
use crate::error::{Argument, Error, Problem};
use crate::ua::call::Hold as How;
use std::time::Duration;

/// Can a call be held and resumed?
///
/// One account of ours calls another; one end holds, both listen, it resumes, both listen again.
/// [`Outcome::hold`](super::Outcome::hold) gives what was heard as data.
///
/// ```no_run
/// use ringback::check::{Account, Hold, Probe};
///
/// # async fn example() -> Result<(), ringback::error::Error> {
/// let probe = Probe::bind("udp:192.0.2.10:0").await?;
/// let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
/// let bob = Account::new("sip:bob@pbx.example.com", "secret")?;
/// println!("{}", probe.check(Hold::between(&alice, &bob).by_callee()).await);
/// # Ok(())
/// # }
/// ```
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Hold {
    a: Account,
    b: Account,
    how: How,
    by_callee: bool,
    time: Duration,
    options: CallOptions,
}

call_options!(Hold, a);

impl Hold {
    /// `a` calls `b`, and holds it. [default: with `sendonly`, for 3 s]
    pub fn between(a: &Account, b: &Account) -> Hold {
        Hold {
            a: a.clone(),
            b: b.clone(),
            how: How::SendOnly,
            by_callee: false,
            time: Duration::from_secs(3),
            options: CallOptions::waiting(Duration::from_secs(20)),
        }
    }

    /// The callee holds.
    #[must_use]
    pub fn by_callee(mut self) -> Hold {
        self.by_callee = true;
        self
    }

    /// Sets the way in which the call is held.
    #[must_use]
    pub fn how(mut self, how: How) -> Hold {
        self.how = how;
        self
    }

    /// Sets the time of the hold; a minute and more shows platforms that end calls without media.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Hold {
        self.time = time;
        self
    }

    fn names(&self) -> (&str, &str) {
        if self.by_callee { (self.b.name(), self.a.name()) } else { (self.a.name(), self.b.name()) }
    }
}

impl Check for Hold {
    fn name(&self) -> &'static str {
        "hold"
    }

    fn accounts(&self) -> Vec<String> {
        vec![self.a.name().to_owned(), self.b.name().to_owned()]
    }

    fn subject(&self) -> String {
        format!("{} -> {}", self.a.aor(), self.options.target(self.b.aor()))
    }

    fn time_limit(&self) -> Option<Duration> {
        let usual = self.options.wait + self.time + Duration::from_secs(45);
        Some(self.options.time_limit.unwrap_or(usual))
    }

    fn least_time(&self) -> Option<Duration> {
        Some(self.time)
    }

    fn legs(&self) -> usize {
        2
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::CALL, yields::MEDIA]
    }

    async fn run(&self, run: &mut Run) {
        perform(self, run).await;
    }
}

/// Name of a way of hold on command lines.
///
/// # Errors
/// [`Error::Usage`] that lists them.
pub fn hold_way(text: &str) -> Result<How, Error> {
    match text.to_ascii_lowercase().as_str() {
        "sendonly" => Ok(How::SendOnly),
        "inactive" => Ok(How::Inactive),
        "zero" => Ok(How::ZeroAddress),
        _ => Err(Error::usage(Argument::Hold, text, Problem::unknown(["sendonly", "inactive", "zero"]))),
    }
}
