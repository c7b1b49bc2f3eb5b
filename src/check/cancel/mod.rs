//! A call that the caller gives up: does the other phone stop ringing, and is it told why?

mod course;

use super::scene::{CallOptions, call_options, perform};
use super::yields;
use super::{Account, Check, Run};
use std::time::Duration;

/// Does a phone that rings stop when the caller gives up, and is it told why?
///
/// One account of ours calls another, which rings; the call is cancelled with the Reason `Call completed elsewhere` (RFC 3326). A phone that
/// is not told so lists a missed call.
/// A call that was answered or ended before the caller gave up is no
/// pass: nothing was cancelled.
///
/// ```no_run
/// use ringback::check::{Account, Cancel, Probe};
///
/// # async fn example() -> Result<(), ringback::error::Error> {
/// let probe = Probe::bind("udp:192.0.2.10:0").await?;
/// let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
/// let bob = Account::new("sip:bob@pbx.example.com", "secret")?;
/// println!("{}", probe.check(Cancel::between(&alice, &bob)).await);
/// # Ok(())
/// # }
/// ```
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Cancel {
    a: Account,
    b: Account,
    ring: Duration,
    options: CallOptions,
}

call_options!(Cancel, a);

impl Cancel {
    /// `a` calls `b` and gives up after a second of ringing.
    pub fn between(a: &Account, b: &Account) -> Cancel {
        let options = CallOptions::waiting(Duration::from_secs(20));
        Cancel { a: a.clone(), b: b.clone(), ring: Duration::from_secs(1), options }
    }

    /// Time for which it rings before the caller gives up.
    #[must_use]
    pub fn ring(mut self, time: Duration) -> Cancel {
        self.ring = time;
        self
    }
}

impl Check for Cancel {
    fn name(&self) -> &'static str {
        "cancel"
    }

    fn accounts(&self) -> Vec<String> {
        vec![self.a.name().to_owned(), self.b.name().to_owned()]
    }

    fn subject(&self) -> String {
        format!("{} -> {}", self.a.aor(), self.options.target(self.b.aor()))
    }

    fn time_limit(&self) -> Option<Duration> {
        let usual = self.options.wait + self.ring + Duration::from_secs(65);
        Some(self.options.time_limit.unwrap_or(usual))
    }

    fn least_time(&self) -> Option<Duration> {
        Some(self.ring)
    }

    fn legs(&self) -> usize {
        2
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::CALL]
    }

    async fn run(&self, run: &mut Run) {
        perform(self, run).await;
    }
}
