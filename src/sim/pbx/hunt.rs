//! Members of a group that are rung one after the other.

use super::Pbx;
use super::bridge::{Bridge, Which, now};
use super::place::Placed;
use super::ring::{Purpose, Ring};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the device is told whose turn is over.
const TURN_OVER: &str = "SIP;cause=480;text=\"no answer\"";

/// Who has not been rung yet.
pub(super) struct Hunt {
    waiting: VecDeque<Placed>,
    each: Duration,
    next_at: Instant,
}

impl Hunt {
    /// When it is the turn of the next; `None` where the last one rings.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next_at)
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

impl Bridge {
    /// The next one's turn has come: who rings stops.
    pub(super) async fn next_turn(&mut self) {
        if let Some(ring) = self.ring.take() {
            ring.cancel(&self.reasons(vec![TURN_OVER.to_owned()])).await;
        }
        if !self.ring_next().await {
            self.not_reached().await;
        }
    }

    /// Rings the next that can be rung; false when there is none.
    pub(super) async fn ring_next(&mut self) -> bool {
        while let Some((next, each)) =
            self.hunt.as_mut().and_then(|hunt| Some((hunt.waiting.pop_front()?, hunt.each)))
        {
            let Ok(mut side) = next.dial(&self.pbx).await else { continue };
            if let Some(caller) = self.side(Which::Caller) {
                caller.entry.join(&side.entry);
                side.relay.take_event(caller.taken);
            }
            side.entry.belongs_to(&self.desk);
            if let Some(hunt) = &mut self.hunt {
                hunt.next_at = now() + each;
            }
            self.ring = Some(Ring::new(Purpose::Call, vec![side]));
            return true;
        }
        false
    }
}
