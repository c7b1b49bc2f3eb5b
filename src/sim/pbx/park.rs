//! Calls that wait at a place of the park orbit, with music, until somebody calls that number.

use super::Pbx;
use super::clock::now;
use super::legs::{LegState, Question};
use super::lot::Place;
use super::waiting::Waiting;
use std::future::poll_fn;

/// How waiting ended.
pub(super) enum End {
    Gone,
    Fetched(Box<LegState>),
    TimedOut,
}

impl Pbx {
    /// Until somebody comes, or the park time is over.
    pub(super) async fn wait_at(&self, waiting: &mut Waiting, place: &mut Place) -> End {
        let end = now() + self.config.park_time;
        let mut ids = self.ids();
        loop {
            let due = waiting.due().unwrap_or(end).min(end);
            tokio::select! {
                biased;
                asked = place.questions.recv() => match asked {
                    Some(Question::Fetch { leg }) => return End::Fetched(leg),
                    // Nobody else knows this inbox.
                    _ => return End::Gone,
                },
                happened = poll_fn(|cx| waiting.leg.poll_next(cx)) => {
                    if !waiting.heard_of(happened, &mut ids).await {
                        return End::Gone;
                    }
                }
                () = tokio::time::sleep_until(due.into()) => {
                    if now() >= end {
                        return End::TimedOut;
                    }
                    waiting.play(now());
                }
            }
        }
    }
}
