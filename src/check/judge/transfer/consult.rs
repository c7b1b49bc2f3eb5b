//! The transferor's call to the target, and the hold of the transferee before it.

use super::Wanted;
use crate::check::judge::change;
use crate::check::judged::StepVerdict;
use crate::check::scene::{Change, Seen};
use crate::check::transfer::TransferTarget;
use crate::check::{Finding, Heard, Severity, Side, TransferKind, Verdict};
use std::time::Duration;

/// The hold that goes before a call to the target, or a REFER, where it did not come about: a phone goes on without it.
pub(in crate::check) fn not_held(wanted: &Wanted, change: &Change, waited: Duration) -> Option<Finding> {
    let judged = change::failed("hold", change, waited);
    if judged.verdict == Verdict::Pass {
        return None;
    }
    let more = format!(
        "{}: {} was not put on hold, and hears what {} says until the transfer",
        judged.detail,
        wanted.transferee(),
        wanted.transferor()
    );
    judged
        .finding
        .map(|finding| Finding::new(finding.code, Severity::Warning, finding.side, more, finding.advice))
}

/// In words, when the target, which was called (`is_asked`), did in the transferor's call what it was told to do: no fault of anybody.
pub(in crate::check) fn as_told(wanted: &Wanted, seen: &Seen, is_asked: bool) -> Option<String> {
    let (t, c) = (wanted.transferor(), wanted.target());
    if wanted.kind != TransferKind::Attended || !is_asked {
        return None;
    }
    let status = seen.rejected.as_ref().and_then(|(_, rejection)| rejection.status);
    match (wanted.asked_does, status) {
        (TransferTarget::Refuses(_), Some(got)) => Some(format!("{c} did not take {t}'s call ({got})")),
        (TransferTarget::Rings, _) if seen.rang().is_some() => Some(format!("{c} did not answer {t}'s call")),
        _ => None,
    }
}

/// The step `consult`, where the target did what it was told to do and the transferor took the transferee back.
pub(in crate::check) fn refused(wanted: &Wanted, as_told: &str, is_back: bool, fate: &str) -> StepVerdict {
    let seen = format!("{as_told}; {} {fate}", wanted.transferee());
    if !is_back {
        return super::after::dropped_for_nothing(&seen);
    }
    StepVerdict::pass(seen)
}

/// Sound that should not be heard while the transferee is on hold and the transferor talks to the target.
pub(in crate::check) fn leak(wanted: &Wanted, during: Heard) -> Option<Finding> {
    let Wanted { transferor, transferee, target, .. } = *wanted;
    // That the one on hold hears the holder is what sendonly is for: its music.
    let held_is_heard = [transferor, target].into_iter().any(|who| during.hears(who, transferee));
    let held_hears = during.hears(transferee, target);
    if !held_is_heard && !held_hears {
        return None;
    }
    let advice = if held_hears {
        "platform: the one on hold hears the holder's music at most, not the target (see `ringback hold`)"
    } else {
        "platform: apply the direction of the hold; what is said on hold is heard (see `ringback hold`)"
    };
    Some(Finding::new(
        "held-party-heard",
        Severity::Warning,
        Side::Peer,
        format!(
            "{} is on hold while {} asks {}: {}",
            wanted.transferee(),
            wanted.transferor(),
            wanted.target(),
            during.told(&wanted.names)
        ),
        advice,
    ))
}
