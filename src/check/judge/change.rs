//! A hold, a resumption or another change of a call that is up: what its answer, or its absence, means.

use crate::check::Side;
use crate::check::judged::StepVerdict;
use crate::check::scene::Change;
use std::time::Duration;

/// Why a change did not come about. `what` is e.g. `hold`.
pub(in crate::check) fn failed(what: &str, change: Change, waited: Duration) -> StepVerdict {
    match change {
        Change::Made(_) => StepVerdict::pass(format!("the re-INVITE ({what}) was agreed to")),
        Change::Refused(status) => StepVerdict::fail(
            "reinvite-refused",
            Side::Peer,
            format!("the re-INVITE ({what}) was refused with {status}"),
            match status {
                491 => {
                    "platform: it believes that a change is under way, again and again: 491 that never ends is a transaction that was not cleared (H05)"
                }
                481 | 408 => {
                    "platform: it does not know this call any more, or does not reach the far end; look at what changed the dialog before"
                }
                401 | 407 => {
                    "platform: the account's credentials were refused inside the call; look at the realm and the nonce in the ladder"
                }
                488 | 606 => {
                    "platform: it takes no change of the media in a call; hold needs it (RFC 3264 sec. 8.4)"
                }
                _ => "platform: hold needs re-INVITE",
            },
        ),
        Change::WithoutDescription(status) => StepVerdict::fail(
            "reinvite-answer-empty",
            Side::Peer,
            format!(
                "the re-INVITE ({what}) was answered {status} without a description: an offer without an answer"
            ),
            "platform: a 2xx to an INVITE with an offer carries the answer (RFC 3261 sec. 13.2.1)",
        ),
        Change::CallEnded => StepVerdict::fail(
            "dropped",
            Side::Peer,
            format!("the call ended before the re-INVITE ({what}) was answered"),
            "second line: the platform's log of this Call-ID at that moment",
        ),
        Change::Unanswered => StepVerdict::fail(
            "reinvite-not-answered",
            Side::Peer,
            format!("the re-INVITE ({what}) was not answered in {} s", waited.as_secs()),
            "platform: it loses requests in the call; look at the route of the dialog",
        ),
    }
}
