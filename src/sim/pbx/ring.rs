//! Devices that are rung as one: the first answer wins, a refusal ends its own branch only.

use super::legs::LegState;
use super::which::Which;
use crate::endpoint::agent::CallEvent;
use std::task::{Context, Poll};

/// What the devices are told that have lost.
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// What they are rung for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The call itself.
    Call,
    /// A transfer of the call.
    Transfer,
    /// A consultation of this leg, before a transfer.
    Consult(Which),
}

#[derive(Debug)]
pub(super) struct Ring {
    pub(super) purpose: Purpose,
    pub(super) branches: Vec<LegState>,
    /// The best refusal so far, with its Reasons.
    refused: Option<(u16, Vec<String>)>,
}

/// The smaller the better: what everybody refuses is told by 6xx, then by a device that was there.
fn rank(status: u16) -> u8 {
    match status {
        600..700 => 0,
        486 => 1,
        408 | 480 | 481 | 487 => 3,
        400..500 => 2,
        _ => 4,
    }
}

impl Ring {
    pub(super) fn new(purpose: Purpose, branches: Vec<LegState>) -> Ring {
        Ring { purpose, branches, refused: None }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(usize, Option<CallEvent>)> {
        for (index, leg) in self.branches.iter_mut().enumerate() {
            if let Poll::Ready(happened) = leg.poll_next(cx) {
                return Poll::Ready((index, happened));
            }
        }
        Poll::Pending
    }

    /// A branch is lost; when it was the last, gives the status and Reasons of the whole.
    pub(super) fn lose(
        &mut self,
        index: usize,
        status: u16,
        reasons: Vec<String>,
    ) -> Option<(u16, Vec<String>)> {
        if index < self.branches.len() {
            self.branches.remove(index);
        }
        if self.refused.as_ref().is_none_or(|(best, _)| rank(status) < rank(*best)) {
            self.refused = Some((status, reasons));
        }
        if self.branches.is_empty() { self.refused.take() } else { None }
    }

    /// This branch has won: it, and those that have lost.
    pub(super) fn win(mut self, index: usize) -> (Option<LegState>, Vec<LegState>) {
        let winner = (index < self.branches.len()).then(|| self.branches.remove(index));
        (winner, self.branches)
    }

    /// Somebody answers; the others need not ring any more.
    pub(super) fn elsewhere() -> String {
        ELSEWHERE.to_owned()
    }

    /// Nobody shall answer any more.
    pub(super) async fn cancel(self, reasons: &[String]) {
        for leg in self.branches {
            leg.release(reasons).await;
        }
    }
}
