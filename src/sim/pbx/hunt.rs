//! Members of a group that are rung one after the other.

use super::Pbx;
use super::clock::now;
use super::place::Placed;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Who has not been rung yet.
pub(super) struct Hunt {
    waiting: VecDeque<Placed>,
    each: Duration,
    next_at: Instant,
}

impl Hunt {
    /// Time at which it is the turn of the next; `None` where the last one rings.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// The next one, whose turn begins now.
    pub(super) fn next(&mut self) -> Option<Placed> {
        self.next_at = now() + self.each;
        self.waiting.pop_front()
    }
}

impl Pbx {
    /// Who is rung first, and who later where the number says so.
    pub(super) fn in_turn(&self, number: &str, mut placed: Vec<Placed>) -> (Vec<Placed>, Option<Hunt>) {
        let Some((_, each)) = self.config.hunting.iter().find(|(group, _)| group == number) else {
            return (placed, None);
        };
        let waiting = placed.split_off(1.min(placed.len())).into();
        (placed, Some(Hunt { waiting, each: *each, next_at: now() + *each }))
    }
}
