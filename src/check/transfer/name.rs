//! What can go wrong with a transfer, and what it is called.

use super::play::{Played, ReferAnswer};
use super::{Transfer, TransferTarget, told};
use crate::check::Heard;
use crate::check::judged::Judged;
use crate::check::{Finding, Severity, Side};

pub(super) fn no_audio_before(names: &[String; 3], heard: Heard) -> Judged {
    Judged::fail(
        "no-audio-before",
        Side::Path,
        format!("before any transfer, {}", heard.told(names)),
        "mend the audio of plain calls first: see `ringback call`",
    )
}

pub(super) fn legs_left(left: usize) -> Judged {
    Judged::fail(
        "leg-left-open",
        Side::Peer,
        format!(
            "{left} leg{} that the transfer should have ended {} still up",
            if left == 1 { "" } else { "s" },
            if left == 1 { "is" } else { "are" }
        ),
        "platform: the transferor's legs end when the other two are joined",
    )
}

pub(super) fn dropped(
    names: &[String; 3],
    (transferor, transferee, target): (usize, usize, usize),
    heard: Heard,
) -> Judged {
    Judged::fail(
        "dropped-with-transferor",
        Side::Peer,
        format!(
            "when {} left, {} and {} lost each other: {}",
            names[transferor],
            names[transferee],
            names[target],
            heard.told(names)
        ),
        "platform: the transferor's BYE ends its own leg, not the call of the other two",
    )
}

pub(super) fn not_released(left: usize, who: &str) -> Judged {
    Judged::fail(
        "leg-left-open",
        Side::Peer,
        format!("{who} hung up, and {left} legs are still up"),
        "platform: a BYE on one leg has to end the other",
    )
}

pub(super) fn done(check: &Transfer) -> String {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let [t, e, c] = [transferor, transferee, target].map(|party| &names[party]);
    match &check.slot {
        Some((place, _)) => format!("{t} parked {e} at {place}, and {c} fetched {e}"),
        None => format!("{t} moved {e} to {c}"),
    }
}

/// What became of the transferee.
pub(super) fn fate(check: &Transfer, played: &Played) -> String {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let after = played.after;
    if after.joined(transferee, target) {
        format!("talks to {}", names[target])
    } else if after.joined(transferee, transferor) {
        format!("is back with {}", names[transferor])
    } else if !played.transferee_up {
        "was cut off".to_owned()
    } else if after.is_alone(transferee) {
        "is in a call in which nobody is heard".to_owned()
    } else {
        format!("is in a call in which {}", after.told(&names))
    }
}

/// The step `after`: who hears whom, and whether the transferor was told the truth.
pub(super) fn judge(check: &Transfer, played: &Played) -> Judged {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let after = played.after;
    let (e, c, t) = (&names[transferee], &names[target], &names[transferor]);
    let fate = fate(check, played);
    let last = played.notified.last().copied();
    let told_done = last.is_some_and(|status| (200..300).contains(&status));
    if after.joined(transferee, target) {
        if last.is_some_and(|status| status >= 300) {
            return Judged::fail(
                "notify-untrue",
                Side::Peer,
                format!(
                    "{t} was told {} and {e} and {c} hear each other: the NOTIFY is not true",
                    last.unwrap_or_default()
                ),
                "platform: NOTIFY the status that the target really gave",
            );
        }
        let alone = after.is_alone(transferor);
        if !alone && last.is_none_or(|status| status < 200) {
            return Judged::fail(
                "no-final-notify",
                Side::Peer,
                format!(
                    "{e} and {c} are joined, and {t} was never told: it stays in its call ({})",
                    after.told(&names)
                ),
                "platform: pass the NOTIFYs of the transferee on to the transferor, whose phone waits for the last of them",
            );
        }
        if check.replaces() && played.alerted > 0 {
            return Judged::fail(
                "replaces-ignored",
                Side::Peer,
                format!(
                    "{e} and {c} hear each other, but {c} was called a second time instead of having its call taken over"
                ),
                "platform or phone: Replaces in the Refer-To has to reach the target unchanged (RFC 3891)",
            );
        }
        if !alone {
            return still_heard(check, after);
        }
        return Judged::pass(after.told(&names).to_string());
    }
    if !matches!(played.refer, ReferAnswer::Accepted(_)) {
        // The finding about the REFER says the rest.
        return match played.is_back(check) {
            true => Judged::pass(format!("the REFER was not taken; {e} {fate}")),
            false => dropped_for_nothing(&format!("the REFER was not taken; {e} {fate}")),
        };
    }
    if let Some(judged) = one_way(check, after) {
        return judged;
    }
    if told_done && (after.hears(target, transferor) || after.hears(transferor, target)) {
        return Judged::fail(
            "wrong-parties-joined",
            Side::Peer,
            format!("{e} should talk to {c}; instead {}{}", after.told(&names), untrue(told_done, t)),
            "platform: it joins the wrong two legs; second line with the ladder",
        );
    }
    if told_done {
        return Judged::fail(
            "notify-untrue",
            Side::Peer,
            format!("{t} was told {}, and {e} does not talk to {c}: {e} {fate}", last.unwrap_or_default()),
            "platform: NOTIFY 200 only when the target has answered the transferee; phone: read the status in the NOTIFY",
        );
    }
    if let Some(status) = last.filter(|status| *status >= 300) {
        return told::failed(check, played, status);
    }
    if !played.transferee_up {
        let (code, seen, advice) = if check.hang_up_early {
            (
                "dropped-with-transferor",
                format!(
                    "{t} hung up as soon as the REFER was accepted, and {e} was cut off before {c} answered"
                ),
                "platform: keep the transferee until the NOTIFY of 200, whenever the transferor's BYE comes; phone: hang up only then",
            )
        } else {
            (
                "transferee-dropped",
                format!("the REFER was accepted, and {e} was cut off"),
                "platform or phone: the old call may end only when the new one is there",
            )
        };
        return Judged::fail(code, Side::Peer, seen, advice);
    }
    let so_far = match played.notified.as_slice() {
        [] => "no NOTIFY came".to_owned(),
        all => format!(
            "{t} was told {} and no more",
            all.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    if played.alerted > 0 && check.target == TransferTarget::Rings {
        return Judged::fail(
            "target-not-answered",
            Side::Peer,
            format!(
                "{c} rang for {:.0} s and did not answer; {so_far}; {e} {fate}",
                check.wait.as_secs_f32()
            ),
            "as it should be, when the one to be transferred is back with the transferor; a shorter ringing time lets the platform say so itself",
        );
    }
    Judged::fail(
        "not-carried-out",
        Side::Peer,
        format!("the REFER was accepted and nothing came of it; {e} {fate}; {so_far}"),
        "platform: a 202 has to be followed by the call to the target, and by NOTIFYs",
    )
}

pub(super) fn still_heard(check: &Transfer, after: Heard) -> Judged {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let (t, e, c) = (&names[transferor], &names[transferee], &names[target]);
    Judged::fail(
        "transferor-still-heard",
        Side::Peer,
        format!("{e} and {c} are joined, and {t} is still heard: {}", after.told(&names)),
        "platform: the transferor is to be taken out of the call",
    )
}

pub(super) fn dropped_for_nothing(seen: &str) -> Judged {
    Judged::fail(
        "transferee-dropped",
        Side::Peer,
        seen.to_owned(),
        "platform or phone: the old call may end only when the new one is there",
    )
}

/// The target did not take the transferor's own call, as it was told: nothing is to be transferred.
pub(super) fn not_consulted(check: &Transfer, played: &Played, seen: &str) -> Judged {
    let names = check.names();
    let fate = format!("{seen}; {} {}", names[check.roles().1], fate(check, played));
    if !played.is_back(check) {
        return dropped_for_nothing(&fate);
    }
    let code = if check.asked == TransferTarget::Rings { "target-not-answered" } else { "target-refused" };
    let advice = "as it should be: the one to be transferred is back with the transferor";
    Judged::fail(code, Side::Peer, fate, advice)
}

/// Does only one of the two that should talk hear the other?
pub(super) fn one_way(check: &Transfer, after: Heard) -> Option<Judged> {
    let names = check.names();
    let (_, transferee, target) = check.roles();
    if after.hears(transferee, target) == after.hears(target, transferee) {
        return None;
    }
    let (deaf, other) =
        if after.hears(transferee, target) { (target, transferee) } else { (transferee, target) };
    Some(Judged::fail(
        "one-way-after-transfer",
        Side::Peer,
        format!("after the transfer {} does not hear {}: {}", names[deaf], names[other], after.told(&names)),
        "platform: media still goes to an old address (H07); look at the re-INVITEs after the transfer",
    ))
}

/// The target should have ended the transferor's call to it when that was taken over (RFC 3891 sec. 3).
pub(super) fn consult_kept(
    names: &[String; 3],
    (transferor, transferee, target): (usize, usize, usize),
) -> Judged {
    Judged::fail(
        "leg-left-open",
        Side::Peer,
        format!(
            "{} and {} are joined, and the call of {} with {} was not ended with it: {}'s phone shows it until somebody hangs up",
            names[transferee], names[target], names[transferor], names[target], names[transferor]
        ),
        "platform: who obeys Replaces ends the call that it replaces (RFC 3891 sec. 3)",
    )
}

fn untrue(told_done: bool, transferor: &str) -> String {
    if told_done { format!(", and {transferor} was told 200") } else { String::new() }
}

/// What is worth knowing besides.
pub(super) fn beside(check: &Transfer, played: &Played) -> Vec<Finding> {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let joined = played.after.joined(transferee, target);
    let mut findings = Vec::new();
    let warning =
        |code, seen: String, advice: &str| Finding::new(code, Severity::Warning, Side::Peer, seen, advice);
    let accepted = matches!(played.refer, ReferAnswer::Accepted(_));
    if accepted && joined && played.notified.is_empty() {
        findings.push(warning(
            "no-notify",
            format!("the transfer came about, and {} was told nothing: no NOTIFY came", names[transferor]),
            "platform: each REFER has an implicit subscription (RFC 3515 sec. 2.4.4); phones show an error without NOTIFY",
        ));
    } else if accepted
        && joined
        && played.after.is_alone(transferor)
        && played.notified.iter().all(|status| *status < 200)
    {
        let told: Vec<String> = played.notified.iter().map(u16::to_string).collect();
        findings.push(warning(
            "no-final-notify",
            format!(
                "the transfer came about, and {} was told {} and no more",
                names[transferor],
                told.join(", ")
            ),
            "platform: NOTIFY the final status too; phones show an error, or keep the call, without it",
        ));
    } else if accepted && played.notified.iter().any(|status| *status >= 200) && !played.terminated {
        findings.push(warning(
            "subscription-not-ended",
            "no NOTIFY said that the subscription is over".to_owned(),
            "platform: the last NOTIFY carries Subscription-State: terminated;reason=noresource",
        ));
    }
    if joined && check.target != TransferTarget::Answers && !played.target_asked {
        findings.push(Finding::new(
            "target-not-asked",
            Severity::Info,
            Side::Peer,
            format!("the two calls were joined without asking {} again: it could not refuse", names[target]),
            "",
        ));
    }
    if played.alerted > 1 {
        findings.push(warning(
            "target-alerted-twice",
            format!("{} was called once more for the transfer, as if it had no call yet", names[target]),
            "platform: one call to the target is enough; look for a retry, or for two ways to the same phone",
        ));
    }
    findings
}
