//! A hold or a resumption that we ask for in a call, and its answer.

use super::{Ends, Seen, Until};
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
    /// No answer came that can be used, or the call ended.
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
        ours.handle.command(command).await;
        let settled = |stage: &Ends| {
            stage.seen(leg).is_none_or(|seen| seen.is_over() || change_since(seen, before).is_some())
        };
        match self.until(run, time, settled).await {
            Until::Interrupted(why) => Err(why),
            _ => {
                let change = self.seen(leg).and_then(|seen| change_since(seen, before));
                Ok(change.unwrap_or(Change::Unanswered))
            }
        }
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
