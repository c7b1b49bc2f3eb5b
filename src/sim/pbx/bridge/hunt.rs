//! Members of a group that are rung one after the other: whose turn it is.

use super::Bridge;
use crate::sim::pbx::hunt::Hunt;
use crate::sim::pbx::ring::{Purpose, Ring};
use crate::sim::pbx::which::Which;

/// What the device is told whose turn is over.
const TURN_OVER: &str = "SIP;cause=480;text=\"no answer\"";

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
        while let Some(next) = self.hunt.as_mut().and_then(Hunt::next) {
            let Ok(mut leg) = next.dial(&self.pbx).await else { continue };
            if let Some(caller) = self.leg(Which::Caller) {
                caller.entry.join(&leg.entry);
                leg.relay.take_event(caller.taken);
            }
            leg.entry.belongs_to(&self.inbox);
            self.ring = Some(Ring::new(Purpose::Call, vec![leg]));
            return true;
        }
        false
    }
}
