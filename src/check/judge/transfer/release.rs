//! The steps `release` and `hang-up`: nobody keeps a call that the transfer should have ended.

use super::{Aftermath, Wanted};
use crate::check::judge::release::{bye, refused_here};
use crate::check::judge::request::RequestEnd;
use crate::check::judged::StepVerdict;
use crate::check::{Heard, Side};
use std::time::Duration;

/// A call of ours that is up though nobody needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct LegLeft {
    /// Number of the party.
    pub(in crate::check) party: usize,
    /// We hung up in it: how our BYE ended.
    pub(in crate::check) hung_up: Option<RequestEnd>,
    /// A BYE came to it, which it had to refuse: with which status, and why.
    pub(in crate::check) refused_bye: Option<(u16, String)>,
}

/// Facts about the moment when the transferor had left.
#[derive(Debug)]
pub(in crate::check) struct Released<'a> {
    pub(in crate::check) left: &'a [LegLeft],
    /// Time that they had to end.
    pub(in crate::check) waited: Duration,
    /// The target did not end the call that was taken over.
    pub(in crate::check) consult_kept: bool,
    pub(in crate::check) still: &'a Aftermath,
}

/// The step `release`, after a transfer that came about and the transferor's own hang-up.
pub(in crate::check) fn judge(wanted: &Wanted, released: &Released<'_>) -> StepVerdict {
    let heard = released.still.heard();
    if let Some(judged) = legs_left(wanted, released.left, released.waited) {
        return judged;
    }
    if released.consult_kept {
        return consult_kept(wanted);
    }
    if !wanted.is_done(heard) {
        return dropped(wanted, heard);
    }
    StepVerdict::pass(format!("{} has no call any more; {}", wanted.transferor(), heard.told(&wanted.names)))
}

fn legs_left(wanted: &Wanted, left: &[LegLeft], waited: Duration) -> Option<StepVerdict> {
    if left.is_empty() {
        return None;
    }
    let name = |leg: &LegLeft| wanted.names.get(leg.party).map_or("", String::as_str);
    let refused = left.iter().find_map(|leg| Some((name(leg), leg.refused_bye.as_ref()?)));
    if let Some((name, refused)) = refused {
        return Some(refused_here(wanted.transferor(), name, refused));
    }
    let own = left.iter().find_map(|leg| Some((name(leg), leg.hung_up.as_ref()?)));
    if let Some((name, end)) = own {
        let what = format!("after the transfer the BYE of {name}");
        return Some(end.judge(&bye(&what), waited));
    }
    let whose: Vec<String> = left.iter().map(|leg| format!("one of {}", name(leg))).collect();
    let count = match left.len() {
        1 => "1 leg that the transfer should have ended is".to_owned(),
        n => format!("{n} legs that the transfer should have ended are"),
    };
    Some(StepVerdict::fail(
        "leg-left-open",
        Side::Peer,
        format!("{} hung up, and {count} still up: {}", wanted.transferor(), whose.join(", ")),
        "platform: the old call ends when the other two are joined and the transferor has left",
    ))
}

fn dropped(wanted: &Wanted, heard: Heard) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    StepVerdict::fail(
        "dropped-with-transferor",
        Side::Peer,
        format!("when {t} left, {e} and {c} lost each other: {}", heard.told(&wanted.names)),
        "platform: the transferor's BYE ends its own leg, not the call of the other two",
    )
}

/// The target should have ended the transferor's call to it when that was taken over (RFC 3891 sec. 3).
fn consult_kept(wanted: &Wanted) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    StepVerdict::fail(
        "leg-left-open",
        Side::Peer,
        format!(
            "{e} and {c} are joined, and the call of {t} with {c} was not ended with it: {t}'s phone shows it until somebody hangs up"
        ),
        "platform: obeying Replaces means ending the call that is replaced (RFC 3891 sec. 3)",
    )
}
