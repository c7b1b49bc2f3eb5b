//! Transfers by keys; with a consultation the transferee hears music while the transferor talks to the target in the same call.

use super::Bridge;
use super::transfer::Transfer;
use crate::endpoint::agent::CallEvent;
use crate::media::digit::Digit;
use crate::media::dtmf::DtmfMethod;
use crate::sim::fault::Kind;
use crate::sim::pbx::clock::now;
use crate::sim::pbx::dial_plan::Destination;
use crate::sim::pbx::feature::{Feature, Pressed};
use crate::sim::pbx::legs::LegState;
use crate::sim::pbx::player::{Player, wrong};
use crate::sim::pbx::ring::{Purpose, Ring};
use crate::sim::pbx::waiting::Waiting;
use crate::sim::pbx::which::Which;

impl Bridge {
    /// A key of a device; `None` when it has waited long enough with the next. True when the key belongs to a number for the PBX, and is
    /// nobody else's.
    pub(super) async fn pressed(
        &mut self,
        which: Which,
        digit: Option<Digit>,
        way: Option<DtmfMethod>,
    ) -> bool {
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
        let up = self.legs.iter().flatten().filter(|leg| leg.up).count() == 2;
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
        let who = self.leg(by).as_ref().map(|leg| leg.user.clone()).unwrap_or_default();
        let legs = match self.pbx.destination(&number) {
            Destination::Users(called) => self.target_legs(called, &number, (&who, by, None), None).await,
            _ => Err(404),
        };
        let Ok(legs) = legs else { return self.tell_wrong(by) };
        let Some(transferee) = self.leg(by.other()).take_if(|leg| !leg.ended) else { return };
        self.waiting = Some(Waiting::new(transferee, by, &mut self.ids));
        self.ring = Some(Ring::new(Purpose::Consult(by), legs));
        self.no_answer_at = Some(now() + self.pbx.config.no_answer);
        self.begin_tone(by);
    }

    /// The one who was called for a consultation is up.
    pub(super) fn consulted(&mut self, by: Which, target: LegState) {
        if let Some(transferor) = self.leg(by) {
            transferor.entry.join(&target.entry);
        }
        *self.leg(by.other()) = Some(target);
        self.began();
    }

    /// There is nobody to consult: all is as it was.
    pub(super) async fn taken_back(&mut self, by: Which) {
        match (self.waiting.take(), &self.legs[by as usize]) {
            (Some(Waiting { leg, .. }), Some(transferor)) => {
                transferor.entry.join(&leg.entry);
                *self.leg(by.other()) = Some(leg);
                self.tell_wrong(by);
            }
            (None, Some(transferor)) => transferor.release(&[]).await,
            (Some(Waiting { leg, .. }), None) => leg.release(&[]).await,
            (None, None) => {}
        }
    }

    /// Who pressed a number that leads nowhere hears so.
    pub(super) fn tell_wrong(&mut self, which: Which) {
        if let Some(plan) = self.legs[which as usize].as_ref().and_then(|leg| leg.plan.as_ref()) {
            let mut player = Player::new(now(), plan, &mut self.ids, false);
            player.play(now(), wrong());
            self.tone = Some((which, player));
        }
    }

    /// The transferor leaves the other two alone, by keys.
    async fn completed(&mut self, by: Which) {
        let Some(Waiting { leg, .. }) = self.waiting.take() else { return };
        if let Some(transferor) = self.leg(by).replace(leg) {
            transferor.entry.leave();
            transferor.release(&[]).await;
        }
        self.began();
        self.introduce().await;
    }

    /// Something of the one who waits.
    pub(super) async fn waits(&mut self, happened: Option<CallEvent>) {
        if let Some(waiting) = &mut self.waiting
            && !waiting.heard_of(happened, &mut self.ids).await
        {
            // The consultation goes on as a call like any other.
            self.waiting = None;
        }
    }

    /// A leg has ended while somebody waits; true when a call goes on without it.
    pub(super) async fn ended_in_consult(&mut self, which: Which) -> bool {
        let Some(Waiting { leg, transferor, .. }) = self.waiting.take() else { return false };
        if which == transferor && self.faults.has(Kind::ByeEndsTransfer) {
            leg.release(&[]).await;
            return false;
        }
        if which == transferor
            && let Some(ring) = &mut self.ring
        {
            // It did not wait for the answer: the one who waited does.
            ring.purpose = Purpose::Transfer;
            self.transfer = Some(Transfer::by_keys(transferor));
            *self.leg(which.other()) = Some(leg);
            self.tone = None;
            self.begin_tone(which.other());
            return true;
        }
        *self.leg(which) = Some(leg);
        self.began();
        self.introduce().await;
        true
    }
}
