//! Progress of a running check: its steps as they begin and end, and at last its outcome.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use ringback::check::{Account, Probe, Progress, Register};
//!
//! # async fn example() -> Result<(), ringback::error::Error> {
//! let probe = Probe::bind("udp:127.0.0.1:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let mut watched = probe.watch(Register::new(&alice));
//! while let Some(progress) = watched.next().await {
//!     match progress {
//!         Progress::Began(step) => eprint!("{step} ... "),
//!         Progress::Ended(step) => eprintln!("{}", step.verdict),
//!         Progress::Done(outcome) => println!("{outcome}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use super::{Name, Outcome, Step};
use crate::transport::BoxFuture;
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Progress that waits to be read; what is more is left out, and stands in the outcome all the same.
const QUEUE: usize = 256;

/// Event of a running check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress {
    /// It began the step of this name.
    Began(Name),
    /// It ended a step, or passed it over ([`Verdict::NotRun`](super::Verdict::NotRun)).
    Ended(Step),
    /// It is over; nothing comes after this.
    Done(Box<Outcome>),
}

/// A running check as a stream of its [`Progress`]: see [`Probe::watch`](super::Probe::watch).
#[must_use = "nothing is asked until the stream is polled"]
pub struct Watched {
    steps: mpsc::Receiver<Progress>,
    outcome: Option<BoxFuture<'static, Outcome>>,
    done: Option<Box<Outcome>>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("is_over", &self.outcome.is_none()).finish_non_exhaustive()
    }
}

impl Watched {
    /// Runs `ask` and gives its result, with the events on the way.
    pub(super) fn new<F>(ask: impl FnOnce(mpsc::Sender<Progress>) -> F) -> Watched
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (sender, steps) = mpsc::channel(QUEUE);
        Watched { steps, outcome: Some(Box::pin(ask(sender))), done: None }
    }
}

impl Stream for Watched {
    type Item = Progress;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        if let Some(running) = &mut self.outcome
            && let Poll::Ready(outcome) = running.as_mut().poll(cx)
        {
            (self.outcome, self.done) = (None, Some(Box::new(outcome)));
        }
        match self.steps.poll_recv(cx) {
            Poll::Ready(Some(progress)) => Poll::Ready(Some(progress)),
            // The check's task holds the sender: once it is gone, all steps were told.
            _ if self.outcome.is_none() => Poll::Ready(self.done.take().map(Progress::Done)),
            _ => Poll::Pending,
        }
    }
}
