//! One leg in the place of another (RFC 3891): for transfers that the PBX carries out, and for devices that call with Replaces.

use super::Pbx;
use super::bridge::{Bridge, Which};
use super::desk::{Ask, Far, Reply};
use super::faults::Faults;
use super::ring::{Purpose, Ring};
use super::side::Side;
use crate::endpoint::agent::Invitation;
use crate::sim::User;
use crate::sim::fault::Kind;
use crate::ua::call::Command;
use crate::ua::transfer::Replaces;

impl Pbx {
    /// A call whose Replaces names a leg of ours: it takes the place of that leg, or is refused as the RFC says. Gives back a call without.
    pub(super) async fn replacing(&self, invitation: Invitation, caller: &User) -> Option<Invitation> {
        let Some(replacement) = invitation.replaces() else { return Some(invitation) };
        let faults = Faults::of(caller.faults());
        let invitation = invitation.ignoring_replaces();
        if faults.has(Kind::ReplacesIgnored) {
            return Some(invitation);
        }
        let named = match (replacement.decision, replacement.replaces) {
            (Err(status), _) => Err(status),
            (Ok(()), Some(replaces)) if !faults.has(Kind::ReplacesUnknown) => {
                // One that a number of ours answers is joined with nobody.
                self.legs.named(&replaces).map(|(_, desk)| (replaces, desk)).ok_or(481)
            }
            _ => Err(481),
        };
        let (replaces, desk) = match named {
            Ok(named) => named,
            Err(status) => {
                self.turn_away_with(invitation, caller.name(), status).await;
                return None;
            }
        };
        let number = super::number(&invitation.message);
        if let Some(side) = self.take(invitation, caller, &number, &faults).await
            && let Err(Ask::Replace { side, .. }) = desk.ask(Ask::Replace { replaces, side: Box::new(side) })
        {
            refuse(&side, 481).await;
        }
        None
    }
}

async fn refuse(side: &Side, status: u16) {
    side.handle.command(Command::Refuse { status, reason: None }).await;
}

async fn is_named(side: &Side, replaces: &Replaces) -> bool {
    side.handle.call_id().as_bytes() == &*replaces.dialog.call_id
        && side.handle.dialog().await.is_some_and(|dialog| replaces.names(&dialog))
}

impl Bridge {
    /// Another call asks, or answers.
    pub(super) async fn asked(&mut self, question: Ask) {
        match question {
            Ask::Surrender { replaces, reply } => self.surrender(&replaces, reply).await,
            Ask::Surrendered { referral, far } => self.surrendered(referral, far).await,
            Ask::Replace { replaces, side } => self.replace(&replaces, *side).await,
            // Nobody is parked in a call.
            Ask::Fetch { side } => refuse(&side, 404).await,
        }
    }

    /// Which of the legs that are no branches is named.
    async fn named(&self, replaces: &Replaces) -> Option<Which> {
        for (which, side) in [Which::Caller, Which::Called].into_iter().zip(&self.sides) {
            if let Some(side) = side.as_ref().filter(|side| !side.ended)
                && is_named(side, replaces).await
            {
                return Some(which);
            }
        }
        None
    }

    /// Gives away whoever is joined with the leg that is named, and ends that leg. Without an answer the reply says no.
    async fn surrender(&mut self, replaces: &Replaces, reply: Reply) {
        let Some(which) = self.named(replaces).await.filter(|_| self.transfer.is_none()) else { return };
        let up = self.side(which.other()).take_if(|other| other.up && !other.ended);
        let mut rung = || {
            let early = !self.faults.has(Kind::EarlyReplacesUnknown);
            self.ring.take_if(|ring| early && ring.purpose == Purpose::Call)
        };
        let sides = match up {
            Some(up) => vec![up],
            None => match rung() {
                Some(ring) => ring.branches,
                None => return,
            },
        };
        (self.no_answer_at, self.tone, self.music) = (None, None, None);
        let stays = self.faults.has(Kind::LegLeftOpen);
        let left = self.side(which).take_if(|_| !stays);
        if let Some(side) = left.as_ref().filter(|side| !side.up) {
            refuse(side, 487).await;
        }
        reply.give(Far { sides, left: left.filter(|side| side.up) });
    }

    /// A leg takes the place of the one that is named.
    async fn replace(&mut self, replaces: &Replaces, side: Side) {
        let place = match self.named(replaces).await {
            Some(which) => Some(which),
            None => {
                let mut rung = false;
                for branch in self.ring.iter().flat_map(|ring| &ring.branches) {
                    rung |= is_named(branch, replaces).await;
                }
                rung.then_some(Which::Called)
            }
        };
        let Some(which) = place.filter(|_| self.transfer.is_none()) else { return refuse(&side, 481).await };
        side.entry.belongs_to(&self.desk);
        side.handle.command(Command::Answer).await;
        self.newcomer = Some(which);
        if let Some(ring) = self.ring.take() {
            ring.cancel(&self.reasons(vec![Ring::elsewhere()])).await;
            return self.connect(side).await;
        }
        if let Some(before) = self.side(which).replace(side) {
            before.release(&[]).await;
        }
    }
}
