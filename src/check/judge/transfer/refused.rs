//! The target was not reached, and the transferor was told so: what the status says.

use super::{Transferred, Wanted};
use crate::check::Side;
use crate::check::judge::own_end::refused_here;
use crate::check::judged::StepVerdict;
use crate::check::transfer::TransferTarget;

/// Judges it.
pub(in crate::check) fn judge(wanted: &Wanted, seen: &Transferred, status: u16) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let told = format!("{t} was told {status}; {e} {}", seen.after.fate(wanted));
    if !seen.after.is_back(wanted) {
        return not_returned(wanted, seen, &told);
    }
    if let Some(judged) = redirected(wanted, seen, status, &told) {
        return judged;
    }
    if let Some((own, why)) = seen.target.refused.as_ref().filter(|(own, _)| *own != 400) {
        return refused_here(c, *own, why, &format!("; {told}"));
    }
    if let Some(seen) = as_asked(wanted, seen, status, &told) {
        return StepVerdict::pass(seen);
    }
    let (code, seen, advice) = match (status, wanted.target_does) {
        (482 | 483, _) => (
            "transfer-loops",
            format!("the call to {} went round in circles: {told}", wanted.uri),
            "platform: the Refer-To leads back to where it came from; look at the routing of that domain",
        ),
        (404 | 410 | 484 | 485 | 604, _) => (
            "target-unknown",
            format!("{} is not known where the transfer is carried out: {told}", wanted.uri),
            "transfer by the full number or the account's own domain; platform: the same normalisation and domains for referred calls as for dialled ones",
        ),
        (481, _) if wanted.replaces() && seen.is_mangled => (
            "replaces-mangled",
            format!("the Replaces that arrived is not the one that {t} sent: {told}"),
            "platform: pass the escapes in Refer-To on as they are (RFC 3261 sec. 19.1.2); try TLS where an ALG may be the reason",
        ),
        (481, _) if wanted.early_replaces => (
            "early-replaces-refused",
            format!("{c} rang for {t}, and that call could not be taken over: {told}"),
            "wait for the answer, or give the call up and transfer blindly: RFC 3891 lets Replaces match a call that rings at the side only that began it; platform: convert it",
        ),
        (481 | 603, _) if wanted.replaces() => (
            "replaces-not-found",
            format!("the call of {t} with {c} was not found by its Replaces: {told}"),
            "platform: it hides Call-ID or tags, or changes them on the way: translate Replaces",
        ),
        (415 | 488 | 606, _) => {
            let why = seen.target.media_failed.as_ref();
            let why =
                why.map_or_else(String::new, |why| format!(" ({c} could not use what was offered: {why})"));
            (
                "media-refused",
                format!("the target side took none of the media that were offered: {told}{why}"),
                "codecs: the offer of the referred call has to hold one that the target takes (PCMA, PCMU), unencrypted unless both want SRTP; platform: transcode between the two, or offer what is common",
            )
        }
        _ if !seen.target.is_asked && speaks_of_the_target(status) => (
            "transfer-failed",
            format!("{c} was not reached: {told}, and no INVITE came to {c}, which is registered"),
            NOT_RUNG,
        ),
        _ => ("transfer-failed", format!("{c} was not reached: {told}{}", meaning(status)), advice(status)),
    };
    StepVerdict::fail(code, Side::Peer, seen, advice)
}

/// The target did what it was told to do, and the transferor was told that: what was asked for.
fn as_asked(wanted: &Wanted, seen: &Transferred, status: u16, told: &str) -> Option<String> {
    let c = wanted.target();
    match wanted.target_does {
        _ if !seen.target.is_asked => None,
        TransferTarget::Answers => None,
        TransferTarget::Refuses(own) if own == status => {
            Some(format!("{c} did not take the call, and {told}"))
        }
        TransferTarget::Refuses(own) => {
            Some(format!("{c} did not take the call ({c} said {own}), and {told}"))
        }
        TransferTarget::Rings => matches!(status, 408 | 480 | 486 | 487 | 600 | 603)
            .then(|| format!("{c} rang and did not answer: {told}")),
    }
}

const NOT_RUNG: &str = "platform: whoever carries the referred call out refuses it without having called the target: what does it take its state from (a call that was never ended, a limit, presence, bindings that referred calls do not look at)? Its log of the referred call says it";

/// Is this status one by which a phone, or the platform for it, says that it does not take the call?
fn speaks_of_the_target(status: u16) -> bool {
    matches!(status, 408 | 430 | 480 | 486 | 487 | 600 | 603 | 607 | 608)
}

/// What a status says of a referred call, in a few words.
fn meaning(status: u16) -> &'static str {
    match status {
        401 | 407 => ", the referred call was challenged, and the challenge not answered",
        402 | 403 | 603 | 607 | 608 => ", the call was forbidden or declined",
        408 => ", nobody answered in time",
        430 | 480 => ", nobody is registered there or answers",
        486 | 600 => ", it is busy",
        487 => ", the call was given up",
        500..=599 => ", the platform could not carry the call",
        _ => "",
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 407 => {
            "platform: carry the referred call out for the account, or let its phone answer the challenge"
        }
        402 | 403 | 603 | 607 | 608 => {
            "look at the rights of the transferor and of the transferee for this number, and at what the platform allows to referred calls"
        }
        408 | 430 | 480 => "look whether calls to the target come through that are dialled",
        486 | 600 => {
            "another device of the target, or the platform's limit of calls, says busy: our end did not refuse"
        }
        487 => {
            "whoever carries the transfer out gave up before the target answered: look at the ringing times"
        }
        500..=599 => "second line: the platform's log of the referred call; a route or trunk may be down",
        _ => "second line: the platform's log of the referred call says why",
    }
}

/// The call for the target was sent elsewhere.
fn redirected(wanted: &Wanted, seen: &Transferred, status: u16, told: &str) -> Option<StepVerdict> {
    let own = seen.own_call.as_ref().and_then(|call| call.redirected.clone());
    let by_notify = || {
        let place = seen.told.contact.clone().unwrap_or_else(|| "a place that was not told".to_owned());
        (300..400).contains(&status).then_some((status, place))
    };
    let (by, place) = own.or_else(by_notify)?;
    let then = if by == status { String::new() } else { format!(", which answered {status}") };
    Some(StepVerdict::fail(
        "target-redirected",
        Side::Peer,
        format!("{} is redirected ({by}) to {place}{then}: {told}", wanted.target()),
        "platform: follow forwardings itself, for referred calls as for dialled ones; phones do not call whom nobody asked them to call",
    ))
}

/// The transferee was not given back.
fn not_returned(wanted: &Wanted, seen: &Transferred, told: &str) -> StepVerdict {
    let (t, c) = (wanted.transferor(), wanted.target());
    let refused = match wanted.target_does {
        TransferTarget::Refuses(own) if seen.target.is_asked => format!("{c} refused with {own}"),
        TransferTarget::Rings if seen.target.is_asked => format!("{c} rang and did not answer"),
        _ => format!("{c} was not reached"),
    };
    let early = if wanted.hang_up_early { format!(": {t} had hung up already") } else { String::new() };
    if seen.after.transferee_up {
        return StepVerdict::fail(
            "transferee-not-returned",
            Side::Peer,
            format!("{refused}, {told}, and was not given back to {t}{early}"),
            "platform: when the target refuses, the one to be transferred goes back to the transferor, whose phone waits for it",
        );
    }
    StepVerdict::fail(
        "transferee-dropped",
        Side::Peer,
        format!("{refused}, {told}{early}"),
        "platform or phone: the old call may end only when the new one is there",
    )
}
