//! Devices that call with Replaces (RFC 3891): the call that they name is asked to take their leg.

use super::Pbx;
use super::faults::Faults;
use super::legs::Question;
use crate::endpoint::agent::Invitation;
use crate::sim::User;
use crate::sim::fault::Kind;

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
                self.legs.named(&replaces).map(|(_, inbox)| (replaces, inbox)).ok_or(481)
            }
            _ => Err(481),
        };
        let (replaces, inbox) = match named {
            Ok(named) => named,
            Err(status) => {
                self.turn_away_with(invitation, caller.name(), status).await;
                return None;
            }
        };
        let number = super::number(&invitation.message);
        if let Some(leg) = self.take(invitation, caller, &number, &faults).await
            && let Err(Question::Replace { leg, .. }) =
                inbox.ask(Question::Replace { replaces, leg: Box::new(leg) })
        {
            leg.refuse(481).await;
        }
        None
    }
}
