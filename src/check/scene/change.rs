//! A hold or a resumption that we ask for in a call, and its answer.

use super::{Ends, Scene, Seen, Until};
use crate::check::{Interrupted, Run};
use crate::ua::call::{By, Command, Event};
use std::time::{Duration, Instant};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Change {
    /// It was agreed to.
    Made(Instant),
    /// It was refused with this status.
    Refused(u16),
    /// It was answered with this 2xx, which has no description that can be used.
    WithoutDescription(u16),
    /// The call ended before.
    CallEnded,
    /// No answer came.
    Unanswered,
}

impl Ends {
    /// Holds or resumes in this leg, and waits for what becomes of it; `Err` when the check has to end.
    pub(in crate::check) async fn change(
        &mut self,
        run: &mut Run,
        leg: usize,
        command: Command,
        time: Duration,
    ) -> Result<Change, Interrupted> {
        let Some(ours) = self.legs.get(leg) else { return Ok(Change::Unanswered) };
        let before = ours.seen.changes.len();
        let began = run.now();
        ours.handle.command(command).await;
        let settled = |stage: &Ends| {
            stage.seen(leg).is_none_or(|seen| seen.is_over() || change_since(seen, before).is_some())
        };
        match self.until(run, time, settled).await {
            Until::Interrupted(why) => Err(why),
            _ => {
                let Some(ours) = self.legs.get(leg) else { return Ok(Change::Unanswered) };
                let change = change_since(&ours.seen, before);
                Ok(match change {
                    Some(Change::Unanswered) => match run.trace(ours.handle.call_id()).last_answer() {
                        Some(status) => Change::WithoutDescription(status),
                        None => Change::Unanswered,
                    },
                    Some(change) => change,
                    None if ours.seen.is_over() => Change::CallEnded,
                    // A refusal that may pass (491) is tried again: the time was over meanwhile.
                    None => match run.trace(ours.handle.call_id()).last_refusal(began) {
                        Some(status) => Change::Refused(status),
                        None => Change::Unanswered,
                    },
                })
            }
        }
    }
}

impl Scene<'_> {
    /// Holds or resumes in this leg, and waits for what becomes of it.
    ///
    /// # Errors
    /// The check has to end.
    pub(in crate::check) async fn change(
        &mut self,
        leg: usize,
        command: Command,
        time: Duration,
    ) -> Result<Change, Interrupted> {
        self.ends.change(self.run, leg, command, time).await
    }
}

/// Ours alone: what the peer changes meanwhile, and a 491 after which it is tried again, is no answer.
fn change_since(seen: &Seen, before: usize) -> Option<Change> {
    seen.changes.iter().skip(before).find_map(|(at, event)| match event {
        Event::Held { by: By::Local, .. } | Event::Resumed { by: By::Local, .. } => Some(Change::Made(*at)),
        Event::ChangeFailed { status: Some(status) } => Some(Change::Refused(*status)),
        Event::ChangeFailed { status: None } => Some(Change::Unanswered),
        _ => None,
    })
}
