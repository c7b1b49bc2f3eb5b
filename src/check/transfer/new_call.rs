//! The call that a transfer makes, judged as any other call is: how it came up, or why not, and who hears whom.

use super::refer::Referring;
use super::{Transfer, TransferTarget};
use crate::check::judge::setup;
use crate::check::judge::transfer::{Aftermath, Wanted};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Dial, JoinedLegs, Scene, Seen};
use crate::check::{Interrupted, Verdict};
use crate::ua::End;
use crate::ua::call::Cause;

/// Is the end of this call told by more than a status that the far side gave?
fn says_more(caller: &Seen, callee: Option<&Seen>) -> bool {
    if caller.answered.is_some() {
        return false;
    }
    let is_unusable = caller.ended.as_ref().is_some_and(|ended| matches!(ended.cause, Cause::Media(_)));
    let is_lost = callee.is_some_and(|callee| callee.answered.is_some());
    let is_open = caller.rejected.is_none() && caller.ended.is_none();
    let is_unheard = caller
        .rejected
        .as_ref()
        .is_some_and(|(_, rejection)| matches!(rejection.end, End::Timeout | End::TransportFailed));
    is_unusable || is_lost || is_open || is_unheard
}

impl Transfer {
    /// Why the call that the transferee's own phone made did not come up, where the call itself says so. A refusal is judged by what the
    /// transferor was told of it.
    pub(super) fn not_up(&self, scene: &Scene<'_>, wanted: &Wanted) -> Option<StepVerdict> {
        if wanted.target_does != TransferTarget::Answers {
            return None;
        }
        let caller = scene.dialled_for_refer(wanted.transferee)?;
        let callee = scene.ends.called(wanted.target).filter(|leg| *leg > caller);
        if !says_more(scene.seen(caller), callee.map(|leg| scene.seen(leg))) {
            return None;
        }
        let dial = Dial {
            from: wanted.transferee,
            target: &wanted.uri,
            callee: Some(wanted.target),
            is_direct: true,
            wait: self.options.wait,
        };
        let judged = scene.judge_setup(&dial, caller, setup::Wanted::Answer);
        (judged.verdict != Verdict::Pass).then_some(judged)
    }

    /// Why the two whose call is up do not hear each other. `None` where they do by now, or where there is no such call.
    pub(super) async fn not_heard(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        sent: &Referring,
        after: &Aftermath,
    ) -> Result<Option<StepVerdict>, Interrupted> {
        let own = scene.dialled_for_refer(wanted.transferee);
        // Without a call of its own the transferee's old one is the new one, once the platform has moved it.
        let moved = || {
            let leg =
                scene.ends.legs.iter().rposition(|leg| leg.party == wanted.transferee && !leg.is_caller)?;
            let heard = after.heard();
            let is_moved = !after.is_back(wanted)
                && heard.hears(wanted.transferee, wanted.target)
                    == heard.hears(wanted.target, wanted.transferee);
            is_moved.then_some(leg)
        };
        let caller = own.or_else(moved).filter(|leg| scene.ends.is_up(*leg));
        let callee = scene.ends.called(wanted.target);
        // A platform that takes Replaces itself leaves the target in the call that it has.
        let callee = callee
            .filter(|leg| (scene.leg(*leg).began >= sent.at || wanted.replaces()) && scene.ends.is_up(*leg));
        let Some((caller, callee)) = caller.zip(callee) else { return Ok(None) };
        let judged = scene.mutual(JoinedLegs { caller, callee }).await?;
        Ok((judged.verdict != Verdict::Pass).then_some(judged))
    }
}
