//! Transfers by keys; with a consultation the transferee hears music while the transferor talks to the target in the same call.

use super::bridge::{Bridge, Which, now};
use super::feature::{Feature, Pressed};
use super::player::{Player, music, wrong};
use super::ring::{Purpose, Ring};
use super::route::Destination;
use super::side::Side;
use super::transfer::Transfer;
use crate::endpoint::agent::{Happened, What};
use crate::media::digit::Digit;
use crate::media::dtmf::Way;
use crate::media::stream;
use crate::message::Ids;
use crate::sdp::MediaPlan;
use crate::sim::fault::Kind;
use crate::ua::call::{Command, Event};
use std::time::Instant;

/// A leg that hears music.
pub(super) struct Waiting {
    pub(super) side: Side,
    /// Where there is something to hear.
    music: Option<Player>,
    /// Who consults somebody meanwhile; unused where nobody does.
    transferor: Which,
}

impl Waiting {
    pub(super) fn new(side: Side, transferor: Which, ids: &mut Ids) -> Waiting {
        let mut waiting = Waiting { side, music: None, transferor };
        if let Some(plan) = waiting.side.plan.clone() {
            waiting.agreed(&plan, ids);
        }
        waiting
    }

    /// Its media is agreed on, or anew.
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
        if self.side.play(now, player).contains(&stream::Event::Played) {
            player.play(now, music());
        }
    }

    /// Something happened to it; false when it has left.
    pub(super) async fn heard_of(&mut self, happened: Option<Happened>, ids: &mut Ids) -> bool {
        let Some(Happened { what: What::Signal(event), .. }) = happened else { return happened.is_some() };
        match event {
            Event::Ended { .. } => return false,
            Event::Answered(plan) => {
                self.agreed(&plan, ids);
                self.side.answered(plan);
            }
            Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. } => {
                self.agreed(&plan, ids);
                self.side.plan = Some(plan);
            }
            Event::Transferee { referral, .. } => {
                self.side.handle.command(Command::RefuseRefer { referral, status: 403 }).await;
            }
            _ => {}
        }
        true
    }
}

impl Bridge {
    /// A key of a device; `None` when it has waited long enough with the next. True when the key belongs to a number for the PBX, and is
    /// nobody else's.
    pub(super) async fn pressed(&mut self, which: Which, digit: Option<Digit>, way: Option<Way>) -> bool {
        let ignored = self.faults.find(|kind| match kind {
            Kind::TransferCodeIgnored(only) if only.is_none() || only == way => Some(()),
            _ => None,
        });
        let consults =
            self.waiting.as_ref().is_some_and(|waiting| waiting.transferor == which) && self.ring.is_none();
        let Some(keys) = self.keys.as_mut().filter(|_| ignored.is_none()) else { return false };
        let taken = keys.collects(which);
        let pressed = match digit {
            Some(digit) => keys.press(now(), which, digit, consults),
            None => keys.number(which),
        };
        let up = self.sides.iter().flatten().filter(|side| side.up).count() == 2;
        let free = up && self.transfer.is_none() && !self.faults.has(Kind::TransferCodeSwallowed);
        match pressed.filter(|_| free) {
            Some(Pressed::Complete) => self.completed(which).await,
            Some(Pressed::Number(..)) if self.waiting.is_some() => {}
            Some(Pressed::Number(Feature::Blind, number)) => {
                self.transfer = Some(Transfer::by_keys(which));
                self.call_target(number, None).await;
            }
            Some(Pressed::Number(Feature::Consult, number)) => self.consult(which, number).await,
            None => {}
        }
        taken
    }

    /// The other one waits, and who pressed the keys is connected with the number.
    async fn consult(&mut self, by: Which, number: String) {
        let who = self.side(by).as_ref().map(|side| side.user.clone()).unwrap_or_default();
        let sides = match self.pbx.destination(&number) {
            Destination::Users(called) => self.target_legs(called, &number, (&who, by, None), None).await,
            _ => Err(404),
        };
        let Ok(sides) = sides else { return self.tell_wrong(by) };
        let Some(transferee) = self.side(by.other()).take_if(|side| !side.ended) else { return };
        self.waiting = Some(Waiting::new(transferee, by, &mut self.ids));
        self.ring = Some(Ring::new(Purpose::Consult(by), sides));
        self.no_answer_at = Some(now() + self.pbx.config.no_answer);
        self.begin_tone(by);
    }

    /// The one who was called for a consultation is up.
    pub(super) fn consulted(&mut self, by: Which, target: Side) {
        if let Some(transferor) = self.side(by) {
            transferor.entry.join(&target.entry);
        }
        *self.side(by.other()) = Some(target);
        self.began();
    }

    /// There is nobody to consult: all is as it was.
    pub(super) async fn taken_back(&mut self, by: Which) {
        match (self.waiting.take(), &self.sides[by as usize]) {
            (Some(Waiting { side, .. }), Some(transferor)) => {
                transferor.entry.join(&side.entry);
                *self.side(by.other()) = Some(side);
                self.tell_wrong(by);
            }
            (None, Some(transferor)) => transferor.release(&[]).await,
            (Some(Waiting { side, .. }), None) => side.release(&[]).await,
            (None, None) => {}
        }
    }

    /// Who pressed a number that leads nowhere hears so.
    pub(super) fn tell_wrong(&mut self, which: Which) {
        if let Some(plan) = self.sides[which as usize].as_ref().and_then(|side| side.plan.as_ref()) {
            let mut player = Player::new(now(), plan, &mut self.ids, false);
            player.play(now(), wrong());
            self.tone = Some((which, player));
        }
    }

    /// The transferor leaves the other two alone, by keys.
    async fn completed(&mut self, by: Which) {
        let Some(Waiting { side, .. }) = self.waiting.take() else { return };
        if let Some(transferor) = self.side(by).replace(side) {
            transferor.entry.leave();
            transferor.release(&[]).await;
        }
        self.began();
        self.introduce().await;
    }

    /// Something of the one who waits.
    pub(super) async fn waits(&mut self, happened: Option<Happened>) {
        if let Some(waiting) = &mut self.waiting
            && !waiting.heard_of(happened, &mut self.ids).await
        {
            // The consultation goes on as a call like any other.
            self.waiting = None;
        }
    }

    /// A leg has ended while somebody waits; true when a call goes on without it.
    pub(super) async fn ended_in_consult(&mut self, which: Which) -> bool {
        let Some(Waiting { side, transferor, .. }) = self.waiting.take() else { return false };
        if which == transferor && self.faults.has(Kind::ByeEndsTransfer) {
            side.release(&[]).await;
            return false;
        }
        if which == transferor
            && let Some(ring) = &mut self.ring
        {
            // It did not wait for the answer: the one who waited does.
            ring.purpose = Purpose::Transfer;
            self.transfer = Some(Transfer::by_keys(transferor));
            *self.side(which.other()) = Some(side);
            self.tone = None;
            self.begin_tone(which.other());
            return true;
        }
        *self.side(which) = Some(side);
        self.began();
        self.introduce().await;
        true
    }
}
