//! Calls to our parties: which are the expected ones, and how they are met.

use super::super::Leg;
use super::{Ends, MOST_FOREIGN};
use crate::endpoint::agent::{Invitation, MediaSetup};
use crate::ua::call::{By, Cause, Command};
use crate::ua::expected::Foreign;
use std::time::{Duration, Instant};

/// Time in which an INVITE that says better that it is ours takes the place of one that shows neither our token nor who calls.
const HELD_BACK: Duration = Duration::from_secs(1);

impl Ends {
    pub(super) async fn invited(&mut self, index: usize, invitation: Invitation) {
        if let Some(foreign) = self.foreign(index, &invitation) {
            let status = foreign.status();
            if let Some(party) =
                self.parties.get_mut(index).filter(|party| party.foreign.len() < MOST_FOREIGN)
            {
                party.foreign.push((invitation.at, invitation.flow.remote, foreign));
            }
            return invitation.refuse(status).await;
        }
        if self.is_sure(index, &invitation) {
            self.refuse_held_back(index).await;
            return self.meet(index, invitation).await;
        }
        // The first of its kind: who calls us may be one of ours, and his INVITE says it better.
        let wait = invitation.at + HELD_BACK;
        self.held_back.push((wait, index, invitation));
    }

    /// Does an INVITE say that it is the expected one, where the platform lets it say so?
    fn is_sure(&self, index: usize, invitation: &Invitation) -> bool {
        let Some(party) = self.parties.get(index).filter(|party| party.keeps_token) else { return true };
        let is_waited_for = party.expect.is_some() && self.held_back.len() < MOST_FOREIGN;
        let mut callers = self.legs.iter().filter(|leg| leg.party != index && !leg.seen.is_over());
        !is_waited_for
            || callers.any(|leg| {
                let caller = self.parties.get(leg.party).map(|party| party.account.user());
                let call_id = leg.is_caller.then(|| leg.handle.call_id());
                party.expected(caller, call_id).is_sure(&invitation.message)
            })
    }

    /// A surer call came: what was held back for this party is somebody else's.
    async fn refuse_held_back(&mut self, index: usize) {
        let all = std::mem::take(&mut self.held_back);
        let (refused, kept) = all.into_iter().partition(|(_, party, _)| *party == index);
        self.held_back = kept;
        let refused: Vec<(Instant, usize, Invitation)> = refused;
        for (_, _, invitation) in refused {
            let foreign = Foreign::Unmarked;
            let status = foreign.status();
            if let Some(party) =
                self.parties.get_mut(index).filter(|party| party.foreign.len() < MOST_FOREIGN)
            {
                party.foreign.push((invitation.at, invitation.flow.remote, foreign));
            }
            invitation.refuse(status).await;
        }
    }

    /// Nothing surer came in time.
    pub(super) async fn take_held_back(&mut self, now: Instant) {
        while let Some(due) = self.held_back.iter().position(|(at, ..)| *at <= now) {
            let (_, index, invitation) = self.held_back.remove(due);
            self.meet(index, invitation).await;
        }
    }

    async fn meet(&mut self, index: usize, invitation: Invitation) {
        let again = self.is_rung_again(index);
        let Some(party) = self.parties.get_mut(index) else { return };
        party.invitations.push((invitation.at, invitation.message.clone()));
        let met = party.met.filter(|_| again);
        let Some(expect) = party.expect.take().or(met) else {
            if party.refused_busy.len() < MOST_FOREIGN {
                party.refused_busy.push(invitation.at);
            }
            return invitation.refuse(486).await;
        };
        party.met = Some(expect);
        if let Some(status) = expect.refuse {
            return invitation.refuse(status).await;
        }
        let media = MediaSetup::Stream { background: party.background(), detect_tones: true };
        let setup = party.call_config();
        let at = invitation.at;
        // Without media ports the invitation is refused, and whatever comes of that is our own limit's.
        let handle = match invitation.take(media, setup).await {
            Ok(handle) => handle,
            Err(error) => {
                if let Some(party) = self.parties.get_mut(index) {
                    party.not_taken = Some(error.to_string());
                }
                return;
            }
        };
        handle.command(Command::Ring { status: 180, media: false }).await;
        self.legs.push(Leg::new(index, handle, false, at));
        if let Some(after) = expect.answer_after {
            self.answers.push((at + after, self.legs.len() - 1));
        }
    }

    /// Is a call still made, and does the platform try again to reach a party whose ringing it had ended? A queue does so.
    fn is_rung_again(&self, index: usize) -> bool {
        let is_made = |leg: &Leg| leg.is_caller && leg.seen.answered.is_none() && !leg.seen.is_over();
        let was_ended = |leg: &Leg| {
            let ended = leg.seen.ended.as_ref();
            leg.party == index
                && !leg.is_caller
                && ended.is_some_and(|ended| ended.by == By::Peer && ended.cause == Cause::Cancelled)
        };
        self.legs.iter().any(is_made) && self.legs.iter().any(was_ended)
    }

    /// Why a call to this party is none of ours; `None` where it may be. Whoever of us has a call may be its caller, however it came to
    /// that: by dialling, by a menu, by a transfer.
    fn foreign(&self, index: usize, invitation: &Invitation) -> Option<Foreign> {
        let party = self.parties.get(index)?;
        let mut why = None;
        for leg in self.legs.iter().filter(|leg| leg.party != index && !leg.seen.is_over()) {
            let caller = self.parties.get(leg.party)?.account.user();
            let call_id = leg.is_caller.then(|| leg.handle.call_id());
            match party.expected(Some(caller), call_id).judge(&invitation.message, &invitation.flow) {
                Ok(_) => return None,
                Err(foreign) => why = Some(foreign),
            }
        }
        // In a transfer none of us may have a call for a moment: then only where it comes from counts.
        why.or_else(|| party.expected(None, None).judge(&invitation.message, &invitation.flow).err())
    }
}
