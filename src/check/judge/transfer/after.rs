//! The step `after`: who hears whom when a transfer is over, and whether the transferor was told the truth.

use super::{Aftermath, Transferred, Wanted, refused};
use crate::check::judged::StepVerdict;
use crate::check::transfer::TransferTarget;
use crate::check::{Heard, Side};
use std::time::Duration;

/// Judges it.
pub(in crate::check) fn judge(wanted: &Wanted, seen: &Transferred) -> StepVerdict {
    let heard = seen.after.heard();
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let fate = seen.after.fate(wanted);
    if wanted.is_done(heard) {
        return joined(wanted, seen);
    }
    if !seen.is_accepted() {
        // The finding about the REFER says the rest.
        return match seen.after.is_back(wanted) {
            true => StepVerdict::pass(format!("the REFER was not taken; {e} {fate}")),
            false => dropped_for_nothing(&format!("the REFER was not taken; {e} {fate}")),
        };
    }
    if let Some(judged) = by_another(wanted, seen) {
        return judged;
    }
    if let Some(judged) = one_way(wanted, heard) {
        return new_call(wanted, seen).unwrap_or(judged);
    }
    let is_told_done = seen.told.is_done();
    let has_wrong =
        heard.hears(wanted.target, wanted.transferor) || heard.hears(wanted.transferor, wanted.target);
    if is_told_done && has_wrong {
        return StepVerdict::fail(
            "wrong-parties-joined",
            Side::Peer,
            format!("{e} should talk to {c}; instead {}, and {t} was told 200", heard.told(&wanted.names)),
            "platform: it joins the wrong two legs; second line with the ladder",
        );
    }
    if let Some(judged) = new_call(wanted, seen) {
        return judged;
    }
    if let Some((after, reasons)) = seen.target.ended.as_ref().filter(|_| is_told_done) {
        return ended_again(wanted, *after, reasons, &fate);
    }
    if is_told_done {
        return untrue(wanted, seen, &fate);
    }
    if let Some(status) = seen.told.last().filter(|status| *status >= 300) {
        return refused::judge(wanted, seen, status);
    }
    if !seen.after.transferee_up {
        return cut_off(wanted);
    }
    let so_far = so_far(wanted, seen);
    if seen.target.alerted > 0 && wanted.target_does == TransferTarget::Rings {
        return rang(wanted, seen, &fate, &so_far);
    }
    if let Some((who, refused)) = seen.called_instead.as_ref().filter(|_| !seen.target.is_asked) {
        let refused = match refused {
            Some(status) => {
                format!(" (refused with {status}, so that its other devices ring on, and not counted)")
            }
            None => String::new(),
        };
        return StepVerdict::fail(
            "wrong-party-called",
            Side::Peer,
            format!(
                "{who} was called in the place of {}{refused}: no INVITE came to {}; {e} {fate}; {so_far}",
                wanted.target(),
                wanted.target()
            ),
            "platform: the call for a transfer goes to the URI of its Refer-To; look at what it takes for the target (From, To or Contact of the call instead)",
        );
    }
    StepVerdict::fail(
        "not-carried-out",
        Side::Peer,
        format!("the REFER was accepted and nothing came of it; {e} {fate}; {so_far}"),
        "platform: a 202 has to be followed by the call to the target, and by NOTIFYs",
    )
}

/// The target rang to the end of our time, as it was told to, and nobody was told how that ends.
fn rang(wanted: &Wanted, seen: &Transferred, fate: &str, so_far: &str) -> StepVerdict {
    let (e, c) = (wanted.transferee(), wanted.target());
    let words =
        format!("{c} rang for {:.0} s and did not answer; {so_far}; {e} {fate}", wanted.wait.as_secs_f32());
    if seen.told.statuses.is_empty() {
        return StepVerdict::fail(
            "no-notify",
            Side::Peer,
            words,
            "platform: each REFER has an implicit subscription (RFC 3515 sec. 2.4.4); phones show an error without NOTIFY",
        );
    }
    match seen.after.is_back(wanted) {
        true => StepVerdict::pass(words),
        false => StepVerdict::open(
            "target-not-answered",
            Side::Peer,
            words,
            "the platform lets the target ring longer than that: allow more time (--wait) to see whether the one to be transferred is given back",
        ),
    }
}

/// The right two hear each other.
fn joined(wanted: &Wanted, seen: &Transferred) -> StepVerdict {
    let heard = seen.after.heard();
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let last = seen.told.last();
    if let Some(status) = last.filter(|status| *status >= 300) {
        return StepVerdict::fail(
            "notify-untrue",
            Side::Peer,
            format!("{t} was told {status} and {e} and {c} hear each other: the NOTIFY is not true"),
            "platform: NOTIFY the status that the target really gave",
        );
    }
    let is_alone = heard.is_alone(wanted.transferor);
    if !is_alone && last.is_none_or(|status| status < 200) {
        let is_usable = seen.told.refused.is_empty() && seen.told.without_status == 0;
        let told = match seen.told.is_nothing() {
            true => format!("{t} was never told"),
            false if is_usable => format!("{t} was never told the end ({})", seen.told.words()),
            false => format!("{t} was not told the end ({})", seen.told.words()),
        };
        let advice = if is_usable {
            "platform: pass the NOTIFYs of the transferee on to the transferor, whose phone waits for the last of them"
        } else {
            "platform: send NOTIFYs that a phone can use: in the dialog of the REFER, with Event, Subscription-State and a status line as message/sipfrag (RFC 3515 sec. 2.4.5)"
        };
        return StepVerdict::fail(
            "no-final-notify",
            Side::Peer,
            format!(
                "{e} and {c} are joined, and {told}: it stays in its call ({})",
                heard.told(&wanted.names)
            ),
            advice,
        );
    }
    if wanted.replaces() && seen.target.alerted > 0 {
        return StepVerdict::fail(
            "replaces-ignored",
            Side::Peer,
            format!(
                "{e} and {c} hear each other, but {c} was called a second time instead of having its call taken over"
            ),
            "platform or phone: Replaces in the Refer-To has to reach the target unchanged (RFC 3891)",
        );
    }
    if !is_alone && let Some(late) = seen.told_late() {
        return StepVerdict::fail(
            "notify-late",
            Side::Peer,
            format!(
                "{t} was told {} only {:.1} s after {c} had answered, and stayed in its call until then: {}",
                last.unwrap_or_default(),
                late.as_secs_f64(),
                heard.told(&wanted.names)
            ),
            LATE_ADVICE,
        );
    }
    if !is_alone {
        return still_heard(wanted, heard);
    }
    if wanted.target_does != TransferTarget::Answers && !seen.target.is_asked {
        return not_tried(wanted);
    }
    StepVerdict::pass(heard.told(&wanted.names).to_string())
}

/// Advice for a final NOTIFY that came late.
pub(super) const LATE_ADVICE: &str = "platform: pass the final NOTIFY on at once (RFC 3515 sec. 2.4.5): a phone leaves its call by it, and the transferee has two calls until then; look whether NOTIFYs are lost or held back";

/// The target was to refuse, or to ring only, and was never asked: the transfer is whole, and no answer to what the check was for.
fn not_tried(wanted: &Wanted) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let what = match wanted.target_does {
        TransferTarget::Rings => "let it ring",
        _ => "refuse",
    };
    StepVerdict::open(
        "target-not-asked",
        Side::Setup,
        format!(
            "not tried: {e} and {c} were joined without asking {c} again, so {c} could not {what}; {t} moved {e} to {c}"
        ),
        "to see what becomes of a target that does not take the first call of an attended transfer, use --asked; --target is for blind and semi-attended ones",
    )
}

/// Somebody answered the call for the target, and it was not the target.
fn by_another(wanted: &Wanted, seen: &Transferred) -> Option<StepVerdict> {
    let target = &seen.target;
    if wanted.replaces() || target.answered_after.is_some() {
        return None;
    }
    let own = seen.own_call.as_ref();
    let own_answered = own.is_some_and(|call| call.is_answered);
    // Without a call of the transferee's own phone only the NOTIFY says that somebody answered: it may be a lie.
    let is_elsewhere = seen.after.transferee_up && !seen.after.is_back(wanted);
    let by_notify = own.is_none() && seen.told.is_done() && is_elsewhere;
    if !own_answered && !by_notify {
        return None;
    }
    let (e, c) = (wanted.transferee(), wanted.target());
    let proof = match &target.cancelled {
        Some(reasons) if reasons.is_empty() => "its call was cancelled".to_owned(),
        Some(reasons) => format!("its call was cancelled, Reason: {}", reasons.join(", ")),
        None if target.alerted == 0 => format!("no INVITE came to {c}, who is registered"),
        None if own_answered && target.rings => "it still rings".to_owned(),
        None if own_answered => "it did not take its call".to_owned(),
        None => return None,
    };
    let who = own.map(|call| call.answerer.as_str()).filter(|who| !who.is_empty());
    let who = who.map_or_else(String::new, |who| format!("; the answer is of {who}"));
    let hears = match () {
        () if seen.after.hears_sound(wanted.transferee) => {
            format!("; {e} hears a sound that is nobody's tone")
        }
        () if own_answered || seen.after.transferee_up => format!("; {e} hears nobody"),
        () => String::new(),
    };
    Some(StepVerdict::fail(
        if target.alerted == 0 { "not-delivered" } else { "answered-by-another" },
        Side::Peer,
        format!("{e} was moved to {}, which answered, but not by {c}: {proof}{who}{hears}", wanted.uri),
        "somebody else takes the calls of the target: its mailbox, a forwarding, another device of the account; switch that off, or take a test account",
    ))
}

/// The target had answered, as the transferor was told, and then the new call was ended.
fn ended_again(wanted: &Wanted, after: Duration, reasons: &[String], fate: &str) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let why = if reasons.is_empty() { "without a reason".to_owned() } else { reasons.join(", ") };
    StepVerdict::fail(
        "dropped",
        Side::Peer,
        format!(
            "{c} answered, as {t} was told, and {:.1} s later the platform ended the new call, {why}; {e} {fate}",
            after.as_secs_f64()
        ),
        "second line: the platform's log of the new call at that moment; the BYE of the transferor ends its own leg only",
    )
}

/// The new call did not come up, or is not heard as it should be: said as of every call, with what the transferor was told of it.
fn new_call(wanted: &Wanted, seen: &Transferred) -> Option<StepVerdict> {
    if seen.called_instead.is_some() && !seen.target.is_asked {
        return None;
    }
    let judged = seen.new_call.clone()?;
    let (e, c) = (wanted.transferee(), wanted.target());
    Some(judged.because(&format!("in the new call, of {e} to {c}")))
}

/// The transferor was told 200, and it is not so.
fn untrue(wanted: &Wanted, seen: &Transferred, fate: &str) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let status = seen.told.last().unwrap_or_default();
    let target = match wanted.target_does {
        _ if seen.target.rings => format!("; {c} still rings"),
        TransferTarget::Rings if seen.target.alerted > 0 => format!("; {c} rang and did not answer"),
        TransferTarget::Refuses(own) if seen.target.alerted > 0 => format!("; {c} refused with {own}"),
        _ => String::new(),
    };
    StepVerdict::fail(
        "notify-untrue",
        Side::Peer,
        format!("{t} was told {status}, and {e} does not talk to {c}: {e} {fate}{target}"),
        "platform: NOTIFY 200 only when the target has answered the transferee; phone: read the status in the NOTIFY",
    )
}

/// Nobody was told anything final, and the transferee has no call.
fn cut_off(wanted: &Wanted) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    if wanted.hang_up_early {
        return StepVerdict::fail(
            "dropped-with-transferor",
            Side::Peer,
            format!("{t} hung up as soon as the REFER was accepted, and {e} was cut off before {c} answered"),
            "platform: keep the transferee until the NOTIFY of 200, whenever the transferor's BYE comes; phone: hang up only then",
        );
    }
    StepVerdict::fail(
        "transferee-dropped",
        Side::Peer,
        format!("the REFER was accepted, and {e} was cut off"),
        "platform or phone: the old call may end only when the new one is there",
    )
}

/// Statuses that the transferor was told, where that is not the end.
fn so_far(wanted: &Wanted, seen: &Transferred) -> String {
    let told = &seen.told;
    if told.is_nothing() || told.statuses.is_empty() || !told.refused.is_empty() {
        return told.words();
    }
    let statuses: Vec<String> = told.statuses.iter().map(u16::to_string).collect();
    format!("{} was told {} and no more", wanted.transferor(), statuses.join(", "))
}

/// The two are joined, and the transferor is still there.
pub(in crate::check) fn still_heard(wanted: &Wanted, heard: Heard) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    StepVerdict::fail(
        "transferor-still-heard",
        Side::Peer,
        format!("{e} and {c} are joined, and {t} is still heard: {}", heard.told(&wanted.names)),
        "platform: the transferor is to be taken out of the call",
    )
}

/// The transferee has lost its call, and got no other.
pub(in crate::check) fn dropped_for_nothing(seen: &str) -> StepVerdict {
    StepVerdict::fail(
        "transferee-dropped",
        Side::Peer,
        seen.to_owned(),
        "platform or phone: the old call may end only when the new one is there",
    )
}

/// The step `after` where nothing was asked for: is the transferee where it was?
pub(in crate::check) fn untouched(wanted: &Wanted, after: &Aftermath) -> StepVerdict {
    let fate = format!("{} {}", wanted.transferee(), after.fate(wanted));
    if after.is_back(wanted) { StepVerdict::pass(fate) } else { dropped_for_nothing(&fate) }
}

/// Does only one of the two that should talk hear the other?
pub(in crate::check) fn one_way(wanted: &Wanted, heard: Heard) -> Option<StepVerdict> {
    let there = heard.hears(wanted.transferee, wanted.target);
    if there == heard.hears(wanted.target, wanted.transferee) {
        return None;
    }
    let (e, c) = (wanted.transferee(), wanted.target());
    let (deaf, other) = if there { (c, e) } else { (e, c) };
    Some(StepVerdict::fail(
        "one-way-after-transfer",
        Side::Peer,
        format!("after the transfer {deaf} does not hear {other}: {}", heard.told(&wanted.names)),
        "platform: media still goes to an old address (H07); look at the re-INVITEs after the transfer",
    ))
}
