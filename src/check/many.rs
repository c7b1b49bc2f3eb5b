//! Many checks: bounded at once, bounded a second, outcomes as they come.

use super::{Check, Outcome, Probe};
use futures_core::Stream;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Number of checks at once, and number that begin in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Checks that run at once; at least 1.
    pub concurrency: usize,
    /// Checks that begin in a second, evenly spread; `None` for as many as `concurrency` lets through.
    pub per_second: Option<f64>,
}

impl Default for Pace {
    /// 64 at once, 50 a second: what a small registrar bears and common flood guards let pass.
    fn default() -> Self {
        Pace { concurrency: 64, per_second: Some(50.0) }
    }
}

impl Pace {
    fn ticks(self) -> Option<Interval> {
        let per_second = self.per_second.filter(|rate| rate.is_finite() && *rate > 0.0)?;
        let period = Duration::try_from_secs_f64(1.0 / per_second).ok()?.max(Duration::from_micros(1));
        let mut ticks = interval(period);
        // A pause is not followed by a burst, except where ticks are finer than the timer (1 ms) and come in handfuls anyway.
        let fine = period < Duration::from_millis(5);
        ticks.set_missed_tick_behavior(if fine {
            MissedTickBehavior::Burst
        } else {
            MissedTickBehavior::Delay
        });
        Some(ticks)
    }
}

impl Probe {
    /// Asks many questions; outcomes come in the order in which the checks end. Nothing runs until the stream is polled.
    ///
    /// After [`Probe::stop`] the checks that have not begun come out as [`NotRun`](super::Verdict::NotRun), all of them.
    pub fn check_many<I, C>(&self, checks: I, pace: Pace) -> impl Stream<Item = Outcome> + Send + use<I, C>
    where
        I: IntoIterator<Item = C>,
        I::IntoIter: Send + 'static,
        C: Check,
    {
        let probe = self.clone();
        let stopping = self.stopping();
        let paced = futures_util::stream::unfold(
            (checks.into_iter(), None, false),
            move |(mut checks, ticks, begun)| {
                let stopping = stopping.clone();
                async move {
                    let check = checks.next()?;
                    let mut ticks: Option<Interval> = if begun { ticks } else { pace.ticks() };
                    if let Some(ticks) = &mut ticks {
                        tokio::select! {
                            biased;
                            () = stopping.cancelled() => {}
                            _ = ticks.tick() => {}
                        }
                    }
                    Some((check, (checks, ticks, true)))
                }
            },
        );
        paced
            .map(move |check| {
                let probe = probe.clone();
                async move { probe.check(check).await }
            })
            .buffer_unordered(pace.concurrency.max(1))
    }
}
