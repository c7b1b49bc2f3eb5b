//! A party that is asked to call somebody else does so, and tells what came of it (RFC 3515, in the role of the transferee).

use super::super::Leg;
use super::Ends;
use crate::endpoint::agent::MediaSetup;
use crate::ua::call::{Cause, Command};
use crate::ua::transfer::Referred;
use tokio::time::Instant as Clock;

/// A REFER that one of our parties obeys.
#[derive(Debug)]
pub(in crate::check) struct Referral {
    /// The leg in which it came.
    pub(in crate::check) leg: usize,
    number: u32,
    pub(in crate::check) referred: Referred,
    /// The leg that was dialled for it.
    pub(in crate::check) dialled: Option<usize>,
    told: u16,
}

impl Ends {
    /// Accepts a REFER and dials.
    pub(super) async fn obey(&mut self, index: usize, number: u32, referred: Referred) {
        let Some(leg) = self.legs.get(index) else { return };
        leg.handle.command(Command::AcceptRefer { referral: number }).await;
        let party_index = leg.party;
        let mut referral = Referral { leg: index, number, referred, dialled: None, told: 100 };
        if let Some(party) = self.parties.get(party_index) {
            let media = MediaSetup::Stream { background: party.background(), detect_tones: true };
            let (setup, asked) = (party.call_config(), referral.referred.clone());
            let target = asked.target.uri.clone();
            self.dialled.push(target.clone());
            let dialled =
                party.agent.dial(party.flow(), &target, media, |local| setup(local).referred(&asked)).await;
            if let Ok(handle) = dialled {
                self.legs.push(Leg::new(party_index, handle, true, Clock::now().into_std()));
                referral.dialled = Some(self.legs.len() - 1);
            }
        }
        let failed = referral.dialled.is_none();
        self.referrals.push(referral);
        if failed {
            self.notify(self.referrals.len() - 1, 503).await;
        }
    }

    /// Something happened in this leg: who asked for it is told.
    pub(super) async fn notify_progress(&mut self, index: usize) {
        let Some(at) = self.referrals.iter().position(|referral| referral.dialled == Some(index)) else {
            return;
        };
        let Some(seen) = self.seen(index) else { return };
        // What is told is the final response to the INVITE (RFC 3515 sec. 2.4.5), also where its answer is of no use to our phone.
        let is_unusable = seen.ended.as_ref().is_some_and(|ended| matches!(ended.cause, Cause::Media(_)));
        let status = if seen.answered.is_some() || is_unusable {
            200
        } else if let Some((_, rejection)) = &seen.rejected {
            rejection.status.unwrap_or(503)
        } else if seen.ended.is_some() {
            487
        } else if seen.rang().is_some() {
            180
        } else {
            return;
        };
        self.notify(at, status).await;
    }

    async fn notify(&mut self, at: usize, status: u16) {
        let Some(referral) = self.referrals.get_mut(at).filter(|referral| referral.told < status) else {
            return;
        };
        if referral.told >= 200 {
            return;
        }
        referral.told = status;
        let (leg, number) = (referral.leg, referral.number);
        if let Some(leg) = self.legs.get(leg) {
            leg.handle.command(Command::Notify { referral: number, status, phrase: None }).await;
        }
    }
}
