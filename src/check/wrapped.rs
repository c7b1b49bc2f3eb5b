//! Checks around other checks: boxed, or with another time.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use ringback::check::{Account, Call, Check, Pace, Probe, Register};
//!
//! # async fn example() -> Result<(), ringback::error::Error> {
//! let probe = Probe::bind("udp:127.0.0.1:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let checks = [Register::new(&alice).boxed(), Call::to(&alice, "201")?.boxed()];
//! let mut outcomes = std::pin::pin!(probe.check_many(checks, Pace::default()));
//! while let Some(outcome) = outcomes.next().await {
//!     println!("{outcome}");
//! }
//! # Ok(())
//! # }
//! ```

use super::{Check, Run};
use crate::transport::BoxFuture;
use std::fmt;
use std::time::Duration;

/// Any check, so that different ones run in one stream: see [`Check::boxed`].
pub struct BoxedCheck(Box<dyn AnyCheck>);

impl BoxedCheck {
    pub(super) fn new(check: impl Check) -> BoxedCheck {
        BoxedCheck(Box::new(check))
    }
}

impl fmt::Debug for BoxedCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedCheck")
            .field("name", &self.0.name_of())
            .field("subject", &self.0.subject_of())
            .finish()
    }
}

/// [`Check`] with a future of a known type.
trait AnyCheck: Send + Sync {
    fn name_of(&self) -> &'static str;
    fn subject_of(&self) -> String;
    fn accounts_of(&self) -> Vec<String>;
    fn time_limit_of(&self) -> Option<Duration>;
    fn least_time_of(&self) -> Option<Duration>;
    fn legs_of(&self) -> usize;
    fn yields_of(&self) -> &'static [&'static str];
    fn run_it<'a>(&'a self, run: &'a mut Run) -> BoxFuture<'a, ()>;
}

impl<C: Check> AnyCheck for C {
    fn name_of(&self) -> &'static str {
        self.name()
    }

    fn subject_of(&self) -> String {
        self.subject()
    }

    fn accounts_of(&self) -> Vec<String> {
        self.accounts()
    }

    fn time_limit_of(&self) -> Option<Duration> {
        self.time_limit()
    }

    fn least_time_of(&self) -> Option<Duration> {
        self.least_time()
    }

    fn legs_of(&self) -> usize {
        self.legs()
    }

    fn yields_of(&self) -> &'static [&'static str] {
        self.yields()
    }

    fn run_it<'a>(&'a self, run: &'a mut Run) -> BoxFuture<'a, ()> {
        Box::pin(self.run(run))
    }
}

impl Check for BoxedCheck {
    fn name(&self) -> &'static str {
        self.0.name_of()
    }

    fn subject(&self) -> String {
        self.0.subject_of()
    }

    fn accounts(&self) -> Vec<String> {
        self.0.accounts_of()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.0.time_limit_of()
    }

    fn least_time(&self) -> Option<Duration> {
        self.0.least_time_of()
    }

    fn legs(&self) -> usize {
        self.0.legs_of()
    }

    fn yields(&self) -> &'static [&'static str] {
        self.0.yields_of()
    }

    async fn run(&self, run: &mut Run) {
        self.0.run_it(run).await;
    }

    fn boxed(self) -> BoxedCheck {
        self
    }
}

/// A check that has this time.
pub(super) struct Within<C> {
    pub(super) check: C,
    pub(super) limit: Duration,
}

impl<C: Check> Check for Within<C> {
    fn name(&self) -> &'static str {
        self.check.name()
    }

    fn subject(&self) -> String {
        self.check.subject()
    }

    fn accounts(&self) -> Vec<String> {
        self.check.accounts()
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.limit)
    }

    fn least_time(&self) -> Option<Duration> {
        self.check.least_time()
    }

    fn legs(&self) -> usize {
        self.check.legs()
    }

    fn yields(&self) -> &'static [&'static str] {
        self.check.yields()
    }

    async fn run(&self, run: &mut Run) {
        self.check.run(run).await;
    }
}
