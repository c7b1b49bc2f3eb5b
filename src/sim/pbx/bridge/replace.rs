//! One leg in the place of another (RFC 3891): for transfers that the PBX carries out, and for devices that call with Replaces.

use super::Bridge;
use crate::sim::fault::Kind;
use crate::sim::pbx::legs::{JoinedLegs, LegState, Question, Reply};
use crate::sim::pbx::ring::{Purpose, Ring};
use crate::sim::pbx::which::Which;
use crate::ua::call::Command;
use crate::ua::transfer::Replaces;

async fn is_named(side: &LegState, replaces: &Replaces) -> bool {
    side.handle.call_id().as_bytes() == &*replaces.dialog.call_id
        && side.handle.dialog().await.is_some_and(|dialog| replaces.names(&dialog))
}

impl Bridge {
    /// Another call asks, or answers.
    pub(super) async fn asked(&mut self, question: Question) {
        match question {
            Question::Surrender { replaces, reply } => self.surrender(&replaces, reply).await,
            Question::Surrendered { referral, far } => self.surrendered(referral, far).await,
            Question::Replace { replaces, side } => self.replace(&replaces, *side).await,
            // Nobody is parked in a call.
            Question::Fetch { side } => side.refuse(404).await,
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
            side.refuse(487).await;
        }
        reply.give(JoinedLegs { sides, left: left.filter(|side| side.up).map(Box::new) });
    }

    /// A leg takes the place of the one that is named.
    async fn replace(&mut self, replaces: &Replaces, side: LegState) {
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
        let Some(which) = place.filter(|_| self.transfer.is_none()) else { return side.refuse(481).await };
        side.entry.belongs_to(&self.inbox);
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
