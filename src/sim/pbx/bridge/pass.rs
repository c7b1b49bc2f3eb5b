//! What the legs of a call pass on to each other: audio, keys, hold and resume.

use super::Bridge;
use crate::media::dtmf::DtmfMethod;
use crate::media::stream;
use crate::sdp::{Direction, MediaPlan};
use crate::sim::fault::Kind;
use crate::sim::pbx::clock::now;
use crate::sim::pbx::player::{Player, music};
use crate::sim::pbx::relay::key_of;
use crate::sim::pbx::which::Which;
use crate::ua::call::{By, Hold};
use std::time::{Duration, Instant};

/// How long nothing may come from a hold that was not understood (H01).
const ZERO_PATIENCE: Duration = Duration::from_secs(10);

impl Bridge {
    pub(super) async fn rtp(&mut self, at: Instant, which: Which, datagram: &[u8]) {
        if self.keys.is_some() {
            self.event(which, datagram).await;
        }
        self.relay(at, which, datagram).await;
    }

    /// A telephone event may be a key for the PBX; what follows the transfer code is nobody else's.
    async fn event(&mut self, which: Which, datagram: &[u8]) {
        let plan = self.leg(which).as_ref().and_then(|leg| leg.plan.as_ref());
        let Some((event, digit)) = plan.and_then(|plan| key_of(datagram, plan)) else { return };
        let begins = self.keys.as_mut().is_some_and(|keys| keys.begins(which, event));
        if begins
            && self.pressed(which, Some(digit), Some(DtmfMethod::Rfc4733)).await
            && let Some(other) = self.leg(which.other())
        {
            other.relay.take_event(Some(event));
        }
    }

    async fn relay(&mut self, at: Instant, which: Which, datagram: &[u8]) {
        let (no_forward, no_backward) = self.faults.blocks();
        let blocked = match which {
            Which::Caller => no_forward,
            Which::Called => no_backward,
        };
        let [first, second] = &mut self.legs;
        let (from, to) = match which {
            Which::Caller => (first, second),
            Which::Called => (second, first),
        };
        let Some(from) = from else { return };
        if self.music.is_some() {
            // One of them hears music, the other one nothing.
            return;
        }
        from.heard_at = from.heard_at.map(|_| at);
        let mut early = self.ring.iter_mut().flat_map(|ring| &mut ring.branches);
        let to = match &mut self.old {
            // From the newcomer: to the leg that was in the place of its predecessor.
            Some((newcomer, old)) if *newcomer == which => Some(old),
            _ => to.as_mut().or_else(|| early.find(|branch| branch.plan.is_some())),
        };
        // Who hears a tone of ours hears nobody else.
        let toned = self.tone.as_ref().is_some_and(|(hears, _)| *hears == which.other());
        let (Some(to), Some(plan)) = (to, from.plan.as_ref().filter(|_| !blocked && !toned)) else { return };
        if let Some((digit, time)) = to.pass(at, datagram, (plan, &from.flags)) {
            to.tell_digit(digit, time).await;
        }
    }

    /// The media of a leg is agreed on again; a hold of its peer (or the end of one) goes on to the other leg.
    pub(super) async fn changed(&mut self, which: Which, by: By, plan: MediaPlan, held: Option<bool>) {
        let direction = plan.direction;
        let nowhere = plan.remote.ip().is_unspecified();
        let Some(leg) = self.leg(which) else { return };
        leg.plan = Some(plan);
        let (By::Peer, Some(held)) = (by, held) else { return };
        if self.faults.has(Kind::ZeroAddressLive) {
            // The old way of a hold is taken for an address like any other: nobody is told, and then nothing comes from it.
            if held && nowhere {
                self.drop_at = Some((now() + ZERO_PATIENCE, "SIP;cause=408;text=\"RTP timeout\""));
                return;
            }
            self.drop_at = None;
        }
        let leaks = self.faults.has(Kind::HoldLeaks);
        if let Some(leg) = self.leg(which) {
            leg.holds = held;
            leg.leaks = held && leaks;
        }
        if leaks {
            return;
        }
        if self.pbx.config.music_on_hold {
            return self.begin_or_end_music(held.then_some(which.other()));
        }
        let how = match held {
            true if direction == Direction::RecvOnly => Some(Hold::SendOnly),
            true => Some(Hold::Inactive),
            false => None,
        };
        if let Some(other) = self.leg(which.other()) {
            other.hold(how, true).await;
        }
    }
    /// Who is held hears music now, or nobody does.
    pub(super) fn begin_or_end_music(&mut self, listener: Option<Which>) {
        self.music = listener.and_then(|which| {
            let plan = self.legs[which as usize].as_ref()?.plan.as_ref()?;
            let mut player = Player::new(now(), plan, &mut self.ids, false);
            player.play(now(), music());
            Some((which, Box::new(player)))
        });
    }

    pub(super) fn play_music(&mut self) {
        let Some((which, player)) = &mut self.music else { return };
        let Some(leg) = &mut self.legs[*which as usize] else { return };
        let over = leg.play(now(), player).contains(&stream::Event::Played);
        if over {
            player.play(now(), music());
        }
    }
}
