//! A hold, a resumption or another change of a call that is up: what its answer, or its absence, means.

use super::request::Kind;
use crate::check::Side;
use crate::check::judged::StepVerdict;
use crate::check::scene::Change;
use std::time::Duration;

/// Why a change did not come about. `what` is e.g. `hold`.
pub(in crate::check) fn failed(what: &str, change: &Change, waited: Duration) -> StepVerdict {
    match change {
        Change::Made(_) => StepVerdict::pass(format!("the re-INVITE ({what}) was agreed to")),
        Change::Failed(end) => end.judge(
            &Kind {
                what: &format!("the re-INVITE ({what})"),
                refused: "reinvite-refused",
                silent: "reinvite-not-answered",
                lost: "platform: it loses requests in the call; look at the route of the dialog",
            },
            waited,
        ),
        Change::WithoutDescription(status) => StepVerdict::fail(
            "reinvite-answer-empty",
            Side::Peer,
            format!(
                "the re-INVITE ({what}) was answered {status} without a description: an offer without an answer"
            ),
            "platform: a 2xx to an INVITE with an offer carries the answer (RFC 3261 sec. 13.2.1)",
        ),
        Change::CallEnded(reasons) => {
            let why = if reasons.is_empty() { "without a reason".to_owned() } else { reasons.join(", ") };
            StepVerdict::fail(
                "dropped",
                Side::Peer,
                format!("the platform ended the call before the re-INVITE ({what}) was answered, {why}"),
                "second line: the platform's log of this Call-ID at that moment",
            )
        }
    }
}
