//! One leg in the place of another (RFC 3891): for transfers that the PBX carries out, and for devices that call with Replaces.

use super::Bridge;
use crate::sim::fault::Kind;
use crate::sim::pbx::legs::{JoinedLegs, LegState, Question, Reply};
use crate::sim::pbx::ring::{Purpose, Ring};
use crate::sim::pbx::which::Which;
use crate::ua::call::Command;
use crate::ua::transfer::Replaces;

async fn is_named(leg: &LegState, replaces: &Replaces) -> bool {
    leg.handle.call_id().as_bytes() == &*replaces.dialog.call_id
        && leg.handle.dialog().await.is_some_and(|dialog| replaces.names(&dialog))
}

impl Bridge {
    /// Another call asks, or answers.
    pub(super) async fn asked(&mut self, question: Question) {
        match question {
            Question::Surrender { replaces, reply } => self.surrender(&replaces, reply).await,
            Question::Surrendered { referral, far } => self.surrendered(referral, far).await,
            Question::Replace { replaces, leg } => self.replace(&replaces, *leg).await,
            // Nobody is parked in a call.
            Question::Fetch { leg } => leg.refuse(404).await,
        }
    }

    /// Which of the legs that are no branches is named.
    async fn named(&self, replaces: &Replaces) -> Option<Which> {
        for (which, leg) in [Which::Caller, Which::Called].into_iter().zip(&self.legs) {
            if let Some(leg) = leg.as_ref().filter(|leg| !leg.ended)
                && is_named(leg, replaces).await
            {
                return Some(which);
            }
        }
        None
    }

    /// Gives away whoever is joined with the leg that is named, and ends that leg. Without an answer the reply says no.
    async fn surrender(&mut self, replaces: &Replaces, reply: Reply) {
        let Some(which) = self.named(replaces).await.filter(|_| self.transfer.is_none()) else { return };
        let up = self.leg(which.other()).take_if(|other| other.up && !other.ended);
        let mut rung = || {
            let early = !self.faults.has(Kind::EarlyReplacesUnknown);
            self.ring.take_if(|ring| early && ring.purpose == Purpose::Call)
        };
        let legs = match up {
            Some(up) => vec![up],
            None => match rung() {
                Some(ring) => ring.branches,
                None => return,
            },
        };
        (self.no_answer_at, self.tone, self.music) = (None, None, None);
        let stays = self.faults.has(Kind::LegLeftOpen);
        let left = self.leg(which).take_if(|_| !stays);
        if let Some(leg) = left.as_ref().filter(|leg| !leg.up) {
            leg.refuse(487).await;
        }
        reply.give(JoinedLegs { legs, left: left.filter(|leg| leg.up).map(Box::new) });
    }

    /// A leg takes the place of the one that is named.
    async fn replace(&mut self, replaces: &Replaces, leg: LegState) {
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
        let Some(which) = place.filter(|_| self.transfer.is_none()) else { return leg.refuse(481).await };
        leg.entry.belongs_to(&self.inbox);
        leg.handle.command(Command::Answer).await;
        self.newcomer = Some(which);
        if let Some(ring) = self.ring.take() {
            ring.cancel(&self.reasons(vec![Ring::elsewhere()])).await;
            return self.connect(leg).await;
        }
        if let Some(before) = self.leg(which).replace(leg) {
            before.release(&[]).await;
        }
    }
}
