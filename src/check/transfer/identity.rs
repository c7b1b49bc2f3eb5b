//! Reads from the messages of a transfer who was shown to whom.

use super::Transfer;
use crate::check::judge::transfer::{Wanted, identity};
use crate::check::scene::Scene;
use crate::check::scene::trace::MessageKind;
use crate::check::{Identity, Shown};
use crate::message::Message;
use crate::syntax::Method;
use std::time::Instant;

/// Messages that show it.
pub(super) struct Sources<'a> {
    pub(super) check: &'a Transfer,
    pub(super) wanted: &'a Wanted,
    /// The leg of the first call that is the transferor's.
    pub(super) ours: usize,
    /// INVITEs that the target had got before the REFER.
    pub(super) invited_before: usize,
    /// Time at which the REFER went out.
    pub(super) since: Instant,
}

impl Sources<'_> {
    /// Reads it from what every party was sent.
    pub(super) fn read(&self, scene: &Scene<'_>) -> Identity {
        let Wanted { transferor, transferee, target, .. } = *self.wanted;
        let invite = |party: usize, number: usize| {
            let party = scene.ends.parties.get(party)?;
            party.invitations.get(number).map(|(_, invite)| Shown::of(invite))
        };
        let answer = |leg: usize| {
            let trace = scene.trace(leg);
            trace
                .received(MessageKind::Response(Method::Invite, 200, 299))
                .map(|answer| Shown::of(&answer.message))
        };
        let first_leg = || scene.ends.legs.iter().position(|leg| leg.party == transferee);
        let (transferee_first, other_first) = if self.check.by_callee {
            (invite(transferor, 0), first_leg().and_then(answer))
        } else {
            (answer(self.ours), invite(transferee, 0))
        };
        let transferor_first =
            (0..self.invited_before).find_map(|number| invite(target, number)).or(other_first);
        let called = invite(target, self.invited_before);
        Identity {
            transferee_first,
            transferor_first,
            to_target: self.told(scene, target).or(called),
            to_transferee: self.told(scene, transferee),
            target_sees: None,
            transferee_sees: None,
        }
    }

    /// The last re-INVITE or UPDATE since the REFER that names somebody, in a call of this party that is up.
    fn told(&self, scene: &Scene<'_>, party: usize) -> Option<Shown> {
        let legs = scene.ends.legs.iter().filter(|leg| leg.party == party && leg.seen.is_up());
        let changes = legs.flat_map(|leg| {
            // From is the same in the whole of a dialog, unless it is to say something (RFC 4916).
            let invite = scene.ends.parties.get(party).and_then(|party| {
                let of_leg = |invite: &&(Instant, Message)| {
                    invite.1.call_id().is_ok_and(|id| id == leg.handle.call_id().as_bytes())
                };
                party.invitations.iter().find(of_leg).map(|(_, invite)| Shown::of(invite).uri)
            });
            let requests = leg.seen.requests.iter().filter(move |(at, request)| {
                *at >= self.since && matches!(request.method(), Some(Method::Invite | Method::Update))
            });
            requests.filter_map(move |(at, request)| {
                let shown = Shown::of(request);
                let named = shown.asserted.is_some() || shown.remote_party_id.is_some();
                let renamed = invite.as_ref().is_some_and(|before| *before != shown.uri);
                (named || renamed).then_some((*at, shown))
            })
        });
        changes.max_by_key(|(at, _)| *at).map(|(_, shown)| shown)
    }

    /// Judges it where the right two are joined, and writes it down.
    pub(super) fn tell(&self, scene: &mut Scene<'_>, seen: &mut Identity, evidence: std::ops::Range<usize>) {
        let calls_itself = scene
            .dialled_for_refer(self.wanted.transferee)
            .is_some_and(|leg| scene.seen(leg).answered.is_some());
        let aors = [self.check.a.aor(), self.check.b.aor(), self.check.c.aor()];
        identity::judge(self.wanted, aors, calls_itself, seen);
        let shown = |shown: &Option<Shown>| shown.as_ref().map_or_else(String::new, Shown::to_string);
        scene.run.fact("transferee-first-shown", shown(&seen.transferee_first));
        scene.run.fact("transferor-first-shown", shown(&seen.transferor_first));
        scene.run.fact("target-was-shown", shown(&seen.to_target));
        scene.run.fact("transferee-was-shown", shown(&seen.to_transferee));
        for finding in identity::lost(self.wanted, seen) {
            scene.note(finding.shown_by(evidence.clone()));
        }
    }
}
