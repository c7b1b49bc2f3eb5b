//! Facts that the target and the transferee saw of a transfer, for the judges.

use super::Transfer;
use super::refer::Referring;
use crate::check::judge::setup::answerer;
use crate::check::judge::transfer::{OwnCall, TargetSaw, Wanted};
use crate::check::scene::trace::{MessageKind, header};
use crate::check::scene::{Leg, Scene, Seen};
use crate::message::Message;
use crate::syntax::{HeaderName, Limits, Method};
use crate::transport::{Direction, Record, RecordEvent};
use crate::ua::call::{By, Cause};
use crate::ua::expected::Foreign;
use crate::ua::transfer::Replaces;
use std::time::Instant;

/// Refusal of a call by our own phone itself; a call that it was told to refuse has no leg.
fn refused_here(seen: &Seen, invite: Option<&Message>) -> Option<(u16, String)> {
    let ended = seen.ended.as_ref().filter(|ended| ended.by == By::Local)?;
    let replaces = invite.and_then(Replaces::of_invite).and_then(Result::ok);
    if ended.cause == Cause::Refused(486) && replaces.is_some_and(|replaces| replaces.early_only) {
        let why =
            "its Replaces is for a call that still rings (early-only), and the one that it names is answered";
        return Some((486, why.to_owned()));
    }
    seen.refused_invite().map(|(status, why)| (status, why.to_owned()))
}

/// The INVITE that a leg began with.
fn invite<'a>(scene: &'a Scene<'_>, leg: &Leg) -> Option<&'a Message> {
    let invitations = &scene.ends.parties.get(leg.party)?.invitations;
    invitations.iter().find(|(at, _)| *at == leg.began).map(|(_, invite)| invite)
}

impl Transfer {
    /// Facts that the target saw of it; `invited_before`: the INVITEs that it had got before the REFER; `takes_over`: the REFER names a call of its.
    pub(super) fn target_saw(
        &self,
        scene: &Scene<'_>,
        wanted: &Wanted,
        sent: &Referring,
        (invited_before, takes_over): (usize, bool),
    ) -> TargetSaw {
        let mut saw = TargetSaw::default();
        if let Some(party) = scene.ends.parties.get(wanted.target) {
            let new = party.invitations.iter().skip(invited_before);
            saw.alerted = new.filter(|(_, i)| !takes_over || Replaces::of_invite(i).is_none()).count();
            saw.is_asked = self.early_replaces || party.invitations.len() > invited_before;
        }
        for (number, leg) in scene.ends.legs.iter().enumerate() {
            if leg.party != wanted.target || leg.is_caller || leg.began < sent.at {
                continue;
            }
            saw.rings |= leg.seen.answered.is_none() && !leg.seen.is_over();
            saw.media_failed = saw.media_failed.or(leg.seen.media_failed.as_ref().map(ToString::to_string));
            saw.refused = saw.refused.or_else(|| refused_here(&leg.seen, invite(scene, leg)));
            let cancelled = leg.seen.ended.as_ref().filter(|ended| ended.cause == Cause::Cancelled);
            saw.cancelled = saw.cancelled.or(cancelled.map(|ended| ended.reasons.clone()));
            let ended = leg.seen.ended.as_ref().filter(|ended| ended.by == By::Peer);
            saw.ended = saw.ended.or(leg.seen.answered.zip(ended).map(|(answered, ended)| {
                (ended.at.saturating_duration_since(answered), ended.reasons.clone())
            }));
            let trace = scene.trace(number);
            let answered = trace.sent(MessageKind::Response(Method::Invite, 200, 299));
            let after = answered.map(|entry| entry.at.saturating_duration_since(sent.at));
            saw.answered_after = saw.answered_after.into_iter().chain(after).min();
        }
        saw
    }

    /// A party that was called since the REFER and is not its target.
    pub(super) fn called_instead(
        &self,
        scene: &Scene<'_>,
        wanted: &Wanted,
        since: Instant,
    ) -> Option<(String, Option<u16>)> {
        let others = scene.ends.parties.iter().enumerate().filter(|(number, _)| *number != wanted.target);
        others.into_iter().find_map(|(_, party)| {
            let name = party.account.name().to_owned();
            let is_new =
                |(at, invite): &&(Instant, Message)| *at >= since && Replaces::of_invite(invite).is_none();
            if party.invitations.iter().any(|invitation| is_new(&invitation)) {
                return Some((name, None));
            }
            let foreign =
                party.foreign.iter().find(|(at, _, why)| *at >= since && matches!(why, Foreign::Caller(_)));
            foreign.map(|(.., why)| (name, Some(why.status())))
        })
    }

    /// The call that the transferee's own phone made for the REFER.
    pub(super) fn own_call(&self, scene: &Scene<'_>, wanted: &Wanted) -> Option<OwnCall> {
        let number = scene.dialled_for_refer(wanted.transferee)?;
        let seen = scene.seen(number);
        let trace = scene.trace(number);
        let answer = trace.received(MessageKind::Response(Method::Invite, 200, 299));
        let refused = seen.rejected.as_ref().and_then(|(_, rejection)| rejection.status);
        let contact = seen.final_response.as_ref().map(|answer| header(answer, HeaderName::Contact));
        let by_refusal = refused.filter(|status| (300..400).contains(status)).zip(contact);
        Some(OwnCall {
            is_answered: seen.answered.is_some(),
            answerer: answer.map(|entry| answerer(&entry.message)).unwrap_or_default(),
            redirected: seen.redirected.clone().or(by_refusal),
        })
    }

    /// Did the Replaces that was sent arrive otherwise, at the transferee in the REFER or at anybody in the INVITE that follows it? One that a
    /// platform has translated names another dialog as a whole: another Call-ID.
    pub(super) fn is_mangled(&self, scene: &Scene<'_>, wanted: &Wanted, sent: &Replaces) -> bool {
        let escaped = |replaces: &Replaces| replaces.dialog.call_id.contains(&b'%');
        let in_refer = scene.ends.referrals.iter().any(|referral| {
            scene.leg(referral.leg).party == wanted.transferee
                && referral.referred.target.replaces.as_ref().is_none_or(|got| escaped(got) && !escaped(sent))
        });
        let in_invite = |record: Record| match record.event {
            RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
                let invite = Message::parse(bytes, &Limits::default()).ok();
                let invite = invite.filter(|message| message.method() == Some(Method::Invite));
                invite.and_then(|invite| Replaces::of_invite(&invite)).is_some_and(|got| {
                    got.map_or(true, |got| {
                        got.dialog.call_id == sent.dialog.call_id && got.dialog != sent.dialog
                    })
                })
            }
            _ => false,
        };
        in_refer || scene.run.records().into_iter().any(in_invite)
    }
}
