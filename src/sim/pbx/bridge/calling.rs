//! While it rings: what the caller hears of it, who answers, who refuses.

use super::Bridge;
use crate::endpoint::agent::{CallEvent, CallEventKind};
use crate::sdp::MediaPlan;
use crate::sim::fault::Kind;
use crate::sim::pbx::clock::now;
use crate::sim::pbx::legs::LegState;
use crate::sim::pbx::player::{Player, ring_back};
use crate::sim::pbx::ring::{Purpose, Ring};
use crate::sim::pbx::which::Which;
use crate::ua::End;
use crate::ua::call::{Command, Event, Rejection};
use std::time::Instant;

const NO_ANSWER: &str = "SIP;cause=480;text=\"no answer\"";

impl Bridge {
    fn purpose(&self) -> Option<Purpose> {
        self.ring.as_ref().map(|ring| ring.purpose)
    }

    /// Something happened on a leg that rings.
    pub(super) async fn branch(&mut self, index: usize, happened: Option<CallEvent>) {
        match happened {
            None => self.branch_lost(index, 500, Vec::new()).await,
            Some(CallEvent { at, kind: CallEventKind::Rtp(datagram) }) => {
                self.early_rtp(at, index, &datagram).await
            }
            Some(CallEvent { kind: CallEventKind::Signal(event), .. }) => match event {
                Event::Progress { status, .. } => self.ringing(status).await,
                Event::EarlyMedia { plan, .. } => self.early_called(index, plan).await,
                Event::Answered(plan) => self.won(index, plan).await,
                Event::Rejected(rejection) => {
                    self.branch_lost(index, status_of(&rejection), rejection.reasons).await;
                }
                Event::Ended { reasons, .. } => self.branch_lost(index, 487, reasons).await,
                _ => {}
            },
            Some(_) => {}
        }
    }

    /// Something happened on a leg that nobody wants any more.
    pub(super) async fn loser(&mut self, index: usize, happened: Option<CallEvent>) {
        let answers =
            matches!(&happened, Some(CallEvent { kind: CallEventKind::Signal(Event::Answered(_)), .. }));
        let Some(leg) = self.losers.get_mut(index) else { return };
        if answers && !self.faults.has(Kind::BothAnswered) {
            leg.release(&[]).await;
        } else if answers {
            leg.entry.answered();
        } else if happened.is_none() {
            self.losers.remove(index);
        }
    }

    async fn early_rtp(&mut self, at: Instant, index: usize, datagram: &[u8]) {
        let blocked = self.faults.blocks().1 || self.faults.has(Kind::SilentEarlyMedia);
        let (Some(ring), Some(caller)) = (&self.ring, &mut self.legs[Which::Caller as usize]) else {
            return;
        };
        let Some(branch) = ring.branches.get(index).filter(|_| ring.purpose == Purpose::Call && !blocked)
        else {
            return;
        };
        if let Some(plan) = &branch.plan
            && let Some((digit, time)) = caller.pass(at, datagram, (plan, &branch.flags))
        {
            caller.tell_digit(digit, time).await;
        }
    }

    async fn ringing(&mut self, status: u16) {
        match self.purpose() {
            Some(Purpose::Transfer) => return self.notify(status).await,
            Some(Purpose::Consult(by)) => return self.begin_tone(by),
            _ => {}
        }
        let (tone, silent) = (self.pbx.config.ringback_tone, self.faults.has(Kind::SilentEarlyMedia));
        let again = std::mem::replace(&mut self.rings, true);
        let Some(caller) = self.leg(Which::Caller) else { return };
        if caller.up {
            // A menu rang it: the caller hears that it rings.
            return self.begin_tone(Which::Caller);
        }
        if !(tone || silent) {
            caller.handle.command(Command::Ring { status, media: false }).await;
        } else if !again {
            caller.handle.command(Command::Ring { status: 183, media: true }).await;
        }
    }

    /// Somebody hears a tone while it rings.
    pub(super) fn begin_tone(&mut self, which: Which) {
        let (blocked, has_tone) = (self.faults.blocks().1, self.tone.is_some());
        let Some(leg) = &self.legs[which as usize] else { return };
        if let Some(plan) = leg.plan.as_ref().filter(|_| !has_tone && !blocked) {
            let mut player = Player::new(now(), plan, &mut self.ids, false);
            player.play(now(), ring_back());
            self.tone = Some((which, player));
        }
    }

    /// The caller gets media before the answer.
    pub(super) fn early_caller(&mut self, which: Which, plan: MediaPlan) {
        let Some(leg) = self.leg(which) else { return };
        leg.plan = Some(plan);
        let device = self.ring.as_ref().is_some_and(|ring| ring.branches.iter().any(|b| b.plan.is_some()));
        if self.pbx.config.ringback_tone && !device && !self.faults.has(Kind::SilentEarlyMedia) {
            self.begin_tone(which);
        }
    }

    async fn early_called(&mut self, index: usize, plan: MediaPlan) {
        let Some(branch) = self.ring.as_mut().and_then(|ring| ring.branches.get_mut(index)) else { return };
        branch.plan = Some(plan);
        match self.purpose() {
            Some(Purpose::Transfer) => return self.notify(183).await,
            Some(Purpose::Consult(by)) => return self.begin_tone(by),
            _ => {}
        }
        // What the device plays goes before our tone.
        (self.tone, self.rings) = (None, true);
        if let Some(caller) = self.leg(Which::Caller) {
            caller.handle.command(Command::Ring { status: 183, media: true }).await;
        }
    }

    /// A device answers first.
    async fn won(&mut self, index: usize, plan: MediaPlan) {
        let Some(ring) = self.ring.take() else { return };
        let purpose = ring.purpose;
        let (winner, losers) = ring.win(index);
        let reasons = self.reasons(vec![Ring::elsewhere()]);
        for loser in losers {
            if self.faults.has(Kind::LosersRing) || self.faults.has(Kind::BothAnswered) {
                self.losers.push(loser);
            } else {
                loser.release(&reasons).await;
            }
        }
        let Some(mut winner) = winner else { return };
        winner.answered(plan);
        match purpose {
            Purpose::Call => self.connect(winner).await,
            Purpose::Transfer => self.complete(winner, None).await,
            Purpose::Consult(by) => self.consulted(by, winner),
        }
    }

    /// The caller is joined with who answers.
    pub(super) async fn connect(&mut self, called: LegState) {
        if let Some(caller) = self.leg(Which::Caller) {
            if !caller.up {
                caller.handle.command(Command::Answer).await;
            }
            caller.entry.join(&called.entry);
        }
        *self.leg(Which::Called) = Some(called);
        self.began();
    }

    async fn branch_lost(&mut self, index: usize, status: u16, reasons: Vec<String>) {
        let Some(ring) = &mut self.ring else { return };
        let mut whole = ring.lose(index, status, reasons.clone());
        if whole.is_none() && self.faults.has(Kind::FirstRefusalEnds) {
            if let Some(ring) = self.ring.take() {
                ring.cancel(&[]).await;
            }
            whole = Some((status, reasons));
        }
        if let Some((status, reasons)) = whole {
            // A ring that is whole is over; the next one is rung at once.
            if !self.faults.has(Kind::FirstRefusalEnds) && self.ring_next().await {
                return;
            }
            self.nobody(status, &reasons).await;
        }
    }

    /// Nobody has answered in time.
    pub(super) async fn not_answered(&mut self) {
        self.hunt = None;
        if let Some(ring) = self.ring.take() {
            let purpose = ring.purpose;
            ring.cancel(&self.reasons(vec![NO_ANSWER.to_owned()])).await;
            self.fail(purpose, 480, &[]).await;
        }
    }

    /// None of those who are rung one after the other could be rung.
    pub(super) async fn not_reached(&mut self) {
        self.nobody(480, &[]).await;
    }

    async fn nobody(&mut self, status: u16, reasons: &[String]) {
        let purpose = self.ring.take().map_or(Purpose::Call, |ring| ring.purpose);
        let purpose = if self.transfer.is_some() { Purpose::Transfer } else { purpose };
        self.fail(purpose, status, reasons).await;
    }

    async fn fail(&mut self, purpose: Purpose, status: u16, reasons: &[String]) {
        (self.tone, self.no_answer_at) = (None, None);
        if purpose == Purpose::Transfer {
            return self.failed(status).await;
        }
        if let Purpose::Consult(by) = purpose {
            return self.taken_back(by).await;
        }
        let Some(caller) = self.leg(Which::Caller) else { return };
        if caller.up {
            return caller.release(&[format!("SIP;cause={status}")]).await;
        }
        let reason = (!reasons.is_empty()).then(|| reasons.join(", "));
        caller.handle.command(Command::Refuse { status, reason }).await;
    }

    /// Reasons for a CANCEL to a device.
    pub(super) fn reasons(&self, reasons: Vec<String>) -> Vec<String> {
        if self.faults.has(Kind::NoReason) { Vec::new() } else { reasons }
    }
}

/// What the caller is told when the called device refused, or could not be reached.
fn status_of(rejection: &Rejection) -> u16 {
    match (&rejection.end, rejection.status) {
        (_, Some(status @ (400 | 402..=406 | 408..=699))) => status,
        (_, Some(401 | 407)) => 403,
        (_, Some(_)) => 480,
        (End::Timeout, None) => 408,
        (End::TransportFailed, None) => 480,
        (_, None) => 500,
    }
}
