//! A leg that hears music: parked, or while its call is about to be transferred.

use super::clock::now;
use super::legs::LegState;
use super::player::{Player, music};
use super::which::Which;
use crate::endpoint::agent::{CallEvent, CallEventKind};
use crate::media::stream;
use crate::message::Ids;
use crate::sdp::MediaPlan;
use crate::ua::call::{Command, Event};
use std::time::Instant;

/// A leg that hears music.
pub(super) struct Waiting {
    pub(super) leg: LegState,
    /// Where there is something to hear.
    music: Option<Player>,
    /// Who consults somebody meanwhile; unused where nobody does.
    pub(super) transferor: Which,
}

impl Waiting {
    pub(super) fn new(leg: LegState, transferor: Which, ids: &mut Ids) -> Waiting {
        let mut waiting = Waiting { leg, music: None, transferor };
        if let Some(plan) = waiting.leg.plan.clone() {
            waiting.agreed(&plan, ids);
        }
        waiting
    }

    /// Its media is agreed on, for the first time or again.
    pub(super) fn agreed(&mut self, plan: &MediaPlan, ids: &mut Ids) {
        let mut player = Player::new(now(), plan, ids, false);
        player.play(now(), music());
        self.music = Some(player);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.music.as_ref().and_then(Player::due)
    }

    pub(super) fn play(&mut self, now: Instant) {
        let Some(player) = &mut self.music else { return };
        if self.leg.play(now, player).contains(&stream::Event::Played) {
            player.play(now, music());
        }
    }

    /// Something happened to it; false when it has left.
    pub(super) async fn heard_of(&mut self, happened: Option<CallEvent>, ids: &mut Ids) -> bool {
        let Some(CallEvent { kind: CallEventKind::Signal(event), .. }) = happened else {
            return happened.is_some();
        };
        match event {
            Event::Ended { .. } => return false,
            Event::Answered(plan) => {
                self.agreed(&plan, ids);
                self.leg.answered(plan);
            }
            Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. } => {
                self.agreed(&plan, ids);
                self.leg.plan = Some(plan);
            }
            Event::Transferee { referral, .. } => {
                self.leg.handle.command(Command::RefuseRefer { referral, status: 403 }).await;
            }
            _ => {}
        }
        true
    }
}
