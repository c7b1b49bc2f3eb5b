//! REFER of a device (RFC 3515): carried out by the PBX itself, or passed on to the other device.

use super::Bridge;
use super::parting::part;
use crate::media::g711::Law;
use crate::sdp::Codec;
use crate::sim::User;
use crate::sim::fault::{Instead, Kind};
use crate::sim::pbx::clock::now;
use crate::sim::pbx::config::ReferMode;
use crate::sim::pbx::dial_plan::Destination;
use crate::sim::pbx::legs::LegState;
use crate::sim::pbx::legs::{JoinedLegs, Question};
use crate::sim::pbx::payloads::law;
use crate::sim::pbx::ring::{Purpose, Ring};
use crate::sim::pbx::which::Which;
use crate::syntax::Uri;
use crate::ua::call::{Command, Hold};
use crate::ua::transfer::{MAX_REFERRALS, Refer, Referred, Replaces, TransfereeEvent, TransferorEvent};
use std::sync::PoisonError;

/// The address of who is anonymous (RFC 3323 sec. 4.1.1.3).
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// A transfer that the PBX carries out.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The REFER, by the count of the transferor's leg; none where keys were pressed.
    pub(super) referral: Option<u32>,
    pub(super) transferor: Which,
    /// The transferor gets no NOTIFY any more, or wants none.
    told: bool,
}

impl Transfer {
    pub(super) fn by_keys(transferor: Which) -> Transfer {
        Transfer { referral: None, transferor, told: true }
    }
}

/// A REFER that was passed on.
#[derive(Debug)]
pub(super) struct Relayed {
    token: u64,
    transferor: Which,
    referral: u32,
}

impl Bridge {
    async fn tell(&mut self, which: Which, command: Command) {
        if let Some(leg) = self.leg(which) {
            leg.handle.command(command).await;
        }
    }

    /// Something of a REFER that a device sent.
    pub(super) async fn transferee(&mut self, which: Which, referral: u32, event: TransfereeEvent) {
        let referred = match event {
            TransfereeEvent::Referred(referred) => referred,
            TransfereeEvent::Over => {
                let same = self.transfer.as_mut().filter(|transfer| transfer.referral == Some(referral));
                if let Some(transfer) = same {
                    transfer.told = true;
                }
                return;
            }
            _ => return,
        };
        let other = self.leg(which.other()).as_ref().is_some_and(|other| other.up && !other.ended);
        let refused = match &referred {
            _ if !other => Some(403),
            _ if self.transfer.is_some() || self.waiting.is_some() => Some(491),
            referred if referred.target.method != "INVITE" => Some(501),
            _ => None,
        };
        if let Some(status) = refused {
            return self.tell(which, Command::RefuseRefer { referral, status }).await;
        }
        match self.pbx.config.refer {
            ReferMode::CarryOut => self.carry_out(which, referral, *referred).await,
            ReferMode::Relay => self.pass_on(which, referral, *referred).await,
        }
    }

    async fn carry_out(&mut self, which: Which, referral: u32, referred: Referred) {
        self.tell(which, Command::AcceptRefer { referral }).await;
        if self.faults.has(Kind::NeverCarriedOut) {
            return;
        }
        let never = self.faults.has(Kind::NoNotify) || self.faults.has(Kind::NotifiesTryingOnly);
        self.transfer = Some(Transfer { referral: Some(referral), transferor: which, told: never });
        let at_once = self.faults.find(|kind| match kind {
            Kind::ReferredCallGets(status) => Some(status),
            _ => None,
        });
        if let Some(status) = at_once {
            return self.failed(status).await;
        }
        let replaces = referred.target.replaces.clone().filter(|_| !self.faults.has(Kind::ReplacesIgnored));
        match replaces {
            Some(replaces) => self.ask_for(replaces, referral).await,
            None => {
                let number = Uri::parse(referred.target.uri.as_bytes());
                let number = number.map(crate::sim::registrar::text_of_user).unwrap_or_default();
                self.call_target(number, referred.referred_by).await;
            }
        }
    }

    /// An attended transfer: the call that is named gives up whom it has joined with the transferor.
    async fn ask_for(&mut self, replaces: Replaces, referral: u32) {
        let lost = self.faults.has(Kind::MangledReplaces) || self.faults.has(Kind::ReplacesUnknown);
        let named = self.pbx.legs.named(&replaces).filter(|_| !lost);
        let ours = |id| self.legs.iter().flatten().any(|leg| leg.entry.id() == id);
        match named {
            Some((id, inbox)) if !ours(id) => {
                // When it is not taken, its reply says so.
                let _ = inbox.ask(Question::Surrender { replaces, reply: self.inbox.reply(referral) });
            }
            _ => self.failed(481).await,
        }
    }

    /// The call that was named has given up whom it had, or has not.
    pub(super) async fn surrendered(&mut self, referral: u32, far: Option<JoinedLegs>) {
        if self.transfer.as_ref().is_none_or(|transfer| transfer.referral != Some(referral)) {
            return;
        }
        let Some(JoinedLegs { mut legs, left }) = far else { return self.failed(481).await };
        for leg in &mut legs {
            leg.entry.belongs_to(&self.inbox);
            leg.relay.set_faults(self.faults.clone());
        }
        match legs.iter().position(|leg| leg.up) {
            Some(up) => {
                let target = legs.swap_remove(up);
                self.complete(target, left.map(|left| *left)).await;
            }
            None => {
                self.notify(180).await;
                self.ring_for_transfer(legs);
            }
        }
    }

    fn ring_for_transfer(&mut self, legs: Vec<LegState>) {
        self.ring = Some(Ring::new(Purpose::Transfer, legs));
        self.no_answer_at = Some(now() + self.pbx.config.no_answer);
        let gone = self.transfer.as_ref().map(|transfer| transfer.transferor);
        if let Some(which) = gone
            && self.leg(which).as_ref().is_none_or(|leg| leg.ended)
        {
            self.begin_tone(which.other());
        }
    }

    /// A blind transfer: the target is called over the dial plan, for the transferee.
    pub(super) async fn call_target(&mut self, number: String, referred_by: Option<String>) {
        let Some(transferor) = self.transfer.as_ref().map(|transfer| transfer.transferor) else { return };
        let own_name = |leg: &Option<LegState>| leg.as_ref().map(|leg| leg.user.clone()).unwrap_or_default();
        let (by, who) = (own_name(self.leg(transferor)), own_name(self.leg(transferor.other())));
        match self.pbx.destination(&number) {
            Destination::Nobody => self.failed(404).await,
            Destination::Users(called) => {
                let named = called.iter().fold(self.faults.clone(), |all, user| all.and(user.faults()));
                let lost = named.identity_lost();
                let shown = if lost.is_some() { by.clone() } else { who };
                let referred_by = referred_by.unwrap_or_else(|| format!("<{}>", self.pbx.aor(&by)));
                let referred_by = Some(referred_by).filter(|_| lost.is_none());
                let caller = (shown.as_str(), transferor.other(), lost);
                match self.target_legs(called, &number, caller, referred_by).await {
                    Ok(legs) => self.ring_for_transfer(legs),
                    Err(status) => self.failed(status).await,
                }
            }
            own => {
                let own = match own {
                    Destination::Slot(slot) => match self.pbx.lot.reserve(&slot, &by) {
                        Some(place) => Destination::Parked(Box::new(place)),
                        None => return self.failed(486).await,
                    },
                    own => own,
                };
                if self.faults.has(Kind::OwnNumbersLost) {
                    if let Some(transferee) = self.leg(transferor.other()) {
                        transferee.release(&[]).await;
                    }
                    return self.failed(404).await;
                }
                self.notify(200).await;
                let transfer = self.transfer.take();
                if let (Some(transfer), Some(leg)) = (transfer, self.leg(transferor).take()) {
                    self.part(&transfer, leg, None).await;
                }
                if let Some(mut transferee) = self.leg(transferor.other()).take() {
                    transferee.hold(None, false).await;
                    self.onward = Some((transferee, own));
                }
            }
        }
    }

    /// Calls who is at a number, on behalf of the leg that is named with its user, and with what is shown instead of it.
    pub(super) async fn target_legs(
        &mut self,
        called: Vec<User>,
        number: &str,
        (who, leg, lost): (&str, Which, Option<Instead>),
        referred_by: Option<String>,
    ) -> Result<Vec<LegState>, u16> {
        let unknown = self.faults.find(|kind| match kind {
            Kind::NumbersUnknown(status) => Some(status),
            _ => None,
        });
        if let Some(status) = unknown.filter(|_| called.iter().all(|user| user.name() != number)) {
            return Err(status);
        }
        let faults = called.iter().fold(self.faults.clone(), |all, user| all.and(user.faults()));
        let codec = self.leg(leg).as_ref().and_then(|leg| leg.plan.as_ref());
        let codec = codec.map(|plan| if law(plan) == Law::A { Codec::Pcma } else { Codec::Pcmu });
        let mut placed = self.pbx.place(&called, number, who, &faults, codec).await?;
        for device in &mut placed {
            device.referred_by.clone_from(&referred_by);
            match lost {
                Some(Instead::Anonymous) => device.from = ANONYMOUS.to_owned(),
                Some(Instead::Empty) => device.from = device.from.replace(&format!("{who}@"), ""),
                Some(Instead::Transferor) | None => {}
            }
        }
        let legs = self.pbx.dial(placed).await?;
        self.faults = faults;
        legs.iter().for_each(|leg| leg.entry.belongs_to(&self.inbox));
        Ok(legs)
    }

    /// Tells the transferor.
    pub(super) async fn notify(&mut self, status: u16) {
        if let Some(Transfer { referral: Some(referral), transferor, .. }) = &self.transfer {
            let (referral, transferor) = (*referral, *transferor);
            self.tell(transferor, Command::Notify { referral, status, phrase: None }).await;
        }
    }

    /// The transfer has come to nothing: the transferee stays with the transferor, who is told.
    pub(super) async fn failed(&mut self, status: u16) {
        let told = if self.faults.has(Kind::RefusalToldAsSuccess) { 200 } else { status };
        self.notify(told).await;
        (self.tone, self.no_answer_at) = (None, None);
        let Some(Transfer { transferor, referral, .. }) = self.transfer.take() else { return };
        if self.leg(transferor).as_ref().is_none_or(|leg| leg.ended) {
            // Nobody is there to take it back.
            if let Some(transferee) = self.leg(transferor.other()) {
                transferee.release(&[format!("SIP;cause={status}")]).await;
            }
        } else if referral.is_none() {
            self.tell_wrong(transferor);
        }
    }

    /// Hangs up on a transferor, and on its consultation: a phone that gets BYE before the last NOTIFY says that the transfer has failed.
    async fn part(&mut self, transfer: &Transfer, leg: LegState, consultation: Option<LegState>) {
        match transfer.referral.filter(|_| !transfer.told && !leg.ended) {
            Some(referral) => {
                self.partings.spawn(part(leg, referral, consultation));
            }
            None => {
                for leg in [Some(leg), consultation].into_iter().flatten().filter(|leg| !leg.ended) {
                    leg.release(&[]).await;
                }
            }
        }
    }

    /// The target is up: it takes the place of the transferor, whose consultation is over too.
    pub(super) async fn complete(&mut self, target: LegState, consultation: Option<LegState>) {
        self.notify(200).await;
        let Some(transfer) = self.transfer.take() else { return };
        let transferor = transfer.transferor;
        let wrong = self.faults.has(Kind::WrongParties);
        let place = if wrong { transferor.other() } else { transferor };
        let before = self.leg(place).replace(target);
        self.began();
        self.music = None;
        match before {
            Some(before) if !before.ended && self.faults.has(Kind::OldMedia) && !wrong => {
                self.old = Some((place, before));
            }
            Some(before) if !wrong => self.part(&transfer, before, consultation).await,
            before => {
                for leg in [before.filter(|leg| !leg.ended), consultation].into_iter().flatten() {
                    leg.release(&[]).await;
                }
            }
        }
        self.introduce().await;
    }

    /// Two legs that were not joined before are joined now: each is told who is at the other end, and held as that one wants it.
    pub(super) async fn introduce(&mut self) {
        let lost = self.faults.identity_lost().is_some();
        let [Some(caller), Some(called)] = &self.legs else { return };
        caller.entry.join(&called.entry);
        let seen = [called, caller].map(|leg| (self.pbx.aor(&leg.user), leg.holds));
        for (leg, (other, holds)) in self.legs.iter_mut().flatten().zip(seen) {
            if !lost {
                let mut shown = leg.flags.shown.lock().unwrap_or_else(PoisonError::into_inner);
                *shown = Some(format!("<{other}>"));
            }
            leg.hold(holds.then_some(Hold::SendOnly), !lost).await;
        }
    }

    /// A leg has ended; true when a transfer goes on without it.
    pub(super) async fn ended_in_transfer(&mut self, which: Which, reasons: &[String]) -> bool {
        let Some(transferor) = self.transfer.as_ref().map(|transfer| transfer.transferor) else {
            return false;
        };
        if which != transferor {
            self.notify(487).await;
        }
        if which != transferor || self.faults.has(Kind::ByeEndsTransfer) {
            self.transfer = None;
            if let Some(ring) = self.ring.take() {
                ring.cancel(reasons).await;
            }
            return false;
        }
        if self.ring.is_some() {
            self.begin_tone(which.other());
        }
        true
    }

    /// The REFER goes to the other device.
    async fn pass_on(&mut self, which: Which, referral: u32, referred: Referred) {
        if self.relayed.len() >= MAX_REFERRALS {
            return self.tell(which, Command::RefuseRefer { referral, status: 486 }).await;
        }
        let token = self.relayed.last().map_or(1, |last| last.token + 1);
        let mut target = referred.target;
        if self.faults.has(Kind::MangledReplaces)
            && let Some(replaces) = &mut target.replaces
        {
            // What was escaped once is escaped twice.
            let call_id = String::from_utf8_lossy(&replaces.dialog.call_id).replace('@', "%40") + "%3B";
            replaces.dialog.call_id = call_id.into_bytes().into();
        }
        let mut refer = Refer::new(token, target);
        refer.suppress_subscription = referred.refer_sub == Some(false);
        let by = self.leg(which).as_ref().map(|leg| leg.user.clone()).unwrap_or_default();
        let own = || Some(format!("<{}>", self.pbx.aor(&by)));
        refer.referred_by = referred.referred_by.or_else(own);
        if let Some(other) = self.leg(which.other()) {
            other.handle.refer(refer).await;
            self.relayed.push(Relayed { token, transferor: which, referral });
        }
    }

    /// What became of a REFER that was passed on.
    pub(super) async fn transferor(&mut self, token: u64, event: TransferorEvent) {
        let Some(at) = self.relayed.iter().position(|relayed| relayed.token == token) else { return };
        let Relayed { transferor, referral, .. } = self.relayed[at];
        let command = match event {
            TransferorEvent::Accepted { .. } => Command::AcceptRefer { referral },
            TransferorEvent::Refused { status, .. } => Command::RefuseRefer { referral, status },
            TransferorEvent::Unanswered => Command::RefuseRefer { referral, status: 408 },
            TransferorEvent::NotSent(_) => Command::RefuseRefer { referral, status: 480 },
            TransferorEvent::Notified(told) => match told.status {
                // The first NOTIFY goes out by itself.
                Some(status) if status > 100 => {
                    Command::Notify { referral, status, phrase: Some(told.phrase) }
                }
                _ => return,
            },
            TransferorEvent::Over(_) => {
                self.relayed.remove(at);
                return;
            }
        };
        self.tell(transferor, command).await;
    }
}
