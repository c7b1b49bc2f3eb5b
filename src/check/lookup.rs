//! Is this account registered now, and with which devices?
//!
//! ```no_run
//! use ringback::check::{Account, Lookup, Probe};
//!
//! # async fn example() -> Result<(), ringback::error::Error> {
//! let probe = Probe::bind("udp:127.0.0.1:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let outcome = probe.check(Lookup::new(&alice)).await;
//! for device in outcome.register().and_then(|found| found.bindings.as_deref()).unwrap_or_default() {
//!     println!("{} {:?}", device.contact, device.user_agent);
//! }
//! # Ok(())
//! # }
//! ```

use super::judged::StepVerdict;
use super::register::asked::Asked;
use super::register::bindings::{Foreign, advice_on_left, bound, counted, foreign, mark_left};
use super::register::ended::Ended;
use super::register::{judge, observe};
use super::result::RegisterResult;
use super::{Account, Check, MetricValue, Run, Side, yields};
use crate::ua::registration::Command;
use std::time::Duration;

/// Devices that the summary lists; all are in the facts and in the data.
const LISTED: usize = 3;

/// Is this account registered now, and with which devices? Nothing is bound and nothing removed.
///
/// It passes when the registrar lists at least one live binding, and fails when it lists none; [`Register::query_only`](super::Register::query_only)
/// asks whether the registrar answers, and passes in both cases. Who is bound is in [`Outcome::register`](super::Outcome::register).
#[doc = include_str!("lookup.md")]
#[derive(Debug, Clone)]
pub struct Lookup {
    asked: Asked,
}

impl Lookup {
    /// With the account's own data.
    pub fn new(account: &Account) -> Lookup {
        Lookup { asked: Asked::about(account) }
    }

    /// The time for the whole check.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Lookup {
        self.asked.time_limit = Some(limit);
        self
    }
}

impl Check for Lookup {
    fn name(&self) -> &'static str {
        "lookup"
    }

    fn accounts(&self) -> Vec<String> {
        self.asked.accounts()
    }

    fn subject(&self) -> String {
        self.asked.subject()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.asked.time_limit
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("lookup.md"), yields::ANY, yields::REGISTRATION, yields::REGISTRAR]
    }

    async fn run(&self, run: &mut Run) {
        // The expiry is not used: nothing is bound.
        let Some(mut session) = self.asked.open(run, 300).await else {
            return run.skip("query", "the registrar was not reached");
        };
        let step = run.begin("query");
        let ended = session.command(run, Command::Query).await;
        observe::answer(run, &session, &ended);
        let refused = ended.refuses_the_query() && !ended.knows_nobody() && !ended.refuses_bindings_too();
        let judged = match refused {
            true => judge::cannot_tell(&ended, "lookup-refused"),
            false => judge::accepted(&session, &ended, "query"),
        };
        session.end_step(run, step, &judged, judged.detail.clone());
        if ended.accepted() {
            self.registered(run, &ended);
        } else {
            run.skip("registered", "the registrar did not say who is bound");
            if ended.refuses_the_query() && !ended.knows_nobody() {
                run.attach(RegisterResult::default());
            }
        }
        session.write_down(run);
    }
}

impl Lookup {
    /// The step `registered`.
    fn registered(&self, run: &mut Run, ended: &Ended) {
        let step = run.begin("registered");
        let bindings = ended.answer().map(|answer| &*answer.bindings).unwrap_or_default();
        let unreadable = ended.answer().map(|answer| answer.unreadable.len()).unwrap_or_default();
        run.attach(RegisterResult::of(bound(bindings)));
        // None of them is ours: this check binds nothing.
        let mut devices = foreign(bindings);
        if !devices.is_empty() {
            mark_left(&mut devices, &run.left_by_others());
        }
        run.metric("bindings", MetricValue::Count(devices.len() as u64));
        for device in &devices {
            run.fact("binding", device.describe());
        }
        let name = self.asked.name();
        let judged = match (devices.len(), unreadable) {
            (0, 0) => StepVerdict::fail(
                "not-registered",
                Side::Peer,
                format!("the registrar lists no device for {name}: calls to it reach no phone"),
                "check that the device is switched on, has network and asks this registrar; `ringback register` shows whether its login works",
            ),
            (0, more) => StepVerdict::open(
                "bindings-unreadable",
                Side::Peer,
                format!("none of the {more} bindings that the registrar lists for {name} can be read"),
                "platform: its answer holds Contact values that are malformed; phones behind them may not be rung",
            ),
            (number, _) => {
                let which: Vec<String> = devices.iter().take(LISTED).map(Foreign::describe).collect();
                let more = number.saturating_sub(which.len());
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                let seen = format!("{} for {name}: {}{more}", counted(&devices), which.join("; "));
                match advice_on_left(&devices) {
                    // No phone is behind what a killed run has left.
                    Some(advice) => StepVerdict::open("left-by-a-run", Side::Setup, seen, advice),
                    None => StepVerdict::pass(seen),
                }
            }
        };
        let judged = judged.shown_by(&ended.evidence);
        run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
    }
}
