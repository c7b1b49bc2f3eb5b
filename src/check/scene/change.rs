//! A hold or a resumption that we ask for in a call, and its answer.

use super::{Ends, Scene, Seen};
use crate::check::Interrupted;
use crate::check::judge::request::{Reply, RequestEnd};
use crate::syntax::Method;
use crate::ua::call::{By, Command, Event};
use std::time::{Duration, Instant};

/// Outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) enum Change {
    /// It was agreed to.
    Made(Instant),
    /// It was answered with this 2xx, which has no description that can be used.
    WithoutDescription(u16),
    /// The call ended before; with the Reason values of who ended it.
    CallEnded(Vec<String>),
    /// It was refused, or no final answer came.
    Failed(Box<RequestEnd>),
}

impl Change {
    /// Was the call over before it was answered, or by its refusal (408, 481: RFC 3261 sec. 12.2.1.2)?
    pub(in crate::check) fn is_over(&self) -> bool {
        match self {
            Change::CallEnded(_) => true,
            Change::Failed(end) => matches!(end.status(), Some(408 | 481)),
            _ => false,
        }
    }

    /// Is the call over by it, or was before? A 408 or 481 says that the far side has no such call (RFC 3261 sec. 12.2.1.2).
    pub(in crate::check) fn ends_the_call(&self) -> bool {
        self.is_over() || matches!(self, Change::Failed(end) if matches!(end.status(), Some(408 | 481)))
    }

    /// Was it agreed to?
    pub(in crate::check) fn is_made(&self) -> bool {
        matches!(self, Change::Made(_))
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
        let before = self.seen(leg).changes.len();
        let began = self.run.now();
        self.leg(leg).handle.command(command).await;
        let settled = |ends: &Ends| {
            ends.seen(leg).is_none_or(|seen| seen.is_over() || change_since(seen, before).is_some())
        };
        self.until(time, settled).await?;
        Ok(match change_since(self.seen(leg), before) {
            Some(Some(at)) => Change::Made(at),
            None if self.seen(leg).is_over() => {
                let ended = self.seen(leg).ended.as_ref();
                Change::CallEnded(ended.map(|ended| ended.reasons.clone()).unwrap_or_default())
            }
            // Also one that may pass (491) and is tried again, where the time was over meanwhile.
            _ => match self.request_end(leg, &[Method::Invite, Method::Update], began) {
                RequestEnd { last: Reply::Accepted(status), .. } => Change::WithoutDescription(status),
                end => Change::Failed(Box::new(end)),
            },
        })
    }
}

/// Time at which a change of ours was made, or `None` where it failed. What the peer changes meanwhile, and a 491 after which it is tried again, is no
/// answer.
fn change_since(seen: &Seen, before: usize) -> Option<Option<Instant>> {
    seen.changes.iter().skip(before).find_map(|(at, event)| match event {
        Event::Held { by: By::Local, .. } | Event::Resumed { by: By::Local, .. } => Some(Some(*at)),
        Event::ChangeFailed { .. } => Some(None),
        _ => None,
    })
}
