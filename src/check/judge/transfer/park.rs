//! A park orbit: does the one who was sent there wait, and is it the one who is fetched?

use super::keys::{Keys, KeysSeen, untaken};
use super::{Aftermath, Wanted, after};
use crate::check::judged::StepVerdict;
use crate::check::scene::{ReferAnswer, Told};
use crate::check::{Finding, Severity, Side};
use std::time::Duration;

/// Facts about the moment when the party that was to be parked should be at its place.
#[derive(Debug)]
pub(in crate::check) struct Parked<'a> {
    pub(in crate::check) place: &'a str,
    /// `None` where keys asked for it.
    pub(in crate::check) answer: Option<&'a ReferAnswer>,
    pub(in crate::check) told: &'a Told,
    pub(in crate::check) after: &'a Aftermath,
    pub(in crate::check) keys: Option<(&'a Keys, &'a KeysSeen)>,
}

/// The step `parked`.
pub(in crate::check) fn parked(wanted: &Wanted, parked: &Parked<'_>) -> StepVerdict {
    let (t, e, place) = (wanted.transferor(), wanted.transferee(), parked.place);
    let last = parked.told.last();
    let told = last.map_or("not told".to_owned(), |status| format!("told {status}"));
    let fate = parked.after.fate(wanted);
    if !parked.after.transferee_up {
        return StepVerdict::fail(
            "parked-call-lost",
            Side::Peer,
            format!("{t} sent {e} to {place} and was {told}; {e} {fate}: the call is destroyed"),
            "park by the platform's own code, not by transfer, until this is fixed; platform: numbers of its own (park, queues, codes) have to be reached by referred calls too",
        );
    }
    if let Some(ReferAnswer::Refused(..) | ReferAnswer::Unanswered(_) | ReferAnswer::NotSent(_)) =
        parked.answer
    {
        return StepVerdict::fail(
            "not-transferred",
            Side::Peer,
            format!("the REFER was not taken; {e} {fate}"),
            "see the finding about the REFER",
        );
    }
    if let Some(status) = last.filter(|status| *status >= 300) {
        return StepVerdict::fail(
            "park-refused",
            Side::Peer,
            format!("{place} did not take {e}: {t} was told {status}; {e} {fate}"),
            "486: somebody waits there already, take another place; 404: there is no such place",
        );
    }
    if parked.after.heard().is_alone(wanted.transferee) {
        return StepVerdict::pass(format!("{place} took {e}, who hears {}", sound(wanted, parked.after)));
    }
    match parked.keys {
        Some((keys, effect)) => untaken(wanted, keys, effect, "anybody", parked.after),
        None => StepVerdict::fail(
            "not-carried-out",
            Side::Peer,
            format!("the REFER to {place} was accepted, {t} was {told}, and {e} is not parked; {e} {fate}"),
            "platform: it has to move the call to the park orbit before it says that it has",
        ),
    }
}

/// Sound that the party at the place hears. Whether it is music or an announcement is not known.
fn sound(wanted: &Wanted, after: &Aftermath) -> &'static str {
    if after.hears_sound(wanted.transferee) { "a sound of the platform" } else { "nothing" }
}

/// Nothing is played to the one who is parked.
pub(in crate::check) fn silent(wanted: &Wanted, after: &Aftermath) -> Option<Finding> {
    (!after.hears_sound(wanted.transferee)).then(|| {
        Finding::new(
            "parked-in-silence",
            Severity::Warning,
            Side::Peer,
            format!("{} hears nothing while it is parked", wanted.transferee()),
            "platform: play music on hold to parked calls; callers hang up in silence",
        )
    })
}

/// Result of the target's call to the place.
#[derive(Debug)]
pub(in crate::check) struct Fetched<'a> {
    pub(in crate::check) place: &'a str,
    /// Time after it was moved at which the platform ended the call of the transferee at the place, where it did.
    pub(in crate::check) ended_after: Option<Duration>,
    pub(in crate::check) after: &'a Aftermath,
}

/// The target called the place, and was not put through: the status of the refusal.
pub(in crate::check) fn not_fetched(
    wanted: &Wanted,
    place: &str,
    status: Option<u16>,
    is_up: bool,
) -> StepVerdict {
    let (e, c) = (wanted.transferee(), wanted.target());
    let got = status.map_or("got no answer".to_owned(), |status| format!("got {status}"));
    let where_is = if is_up {
        format!("{e}'s call is up, and whether it waits there was not seen")
    } else {
        format!("{e}'s call is over")
    };
    StepVerdict::fail(
        "not-fetched",
        Side::Peer,
        format!("{c} called {place} to fetch {e}, and {got}; {where_is}"),
        "platform: a call to the place has to reach the parked party, from every phone that may fetch it",
    )
}

/// The step `after`: is the one who was parked the one who was fetched?
pub(in crate::check) fn fetched(wanted: &Wanted, fetched: &Fetched<'_>) -> StepVerdict {
    let (e, c, place) = (wanted.transferee(), wanted.target(), fetched.place);
    let heard = fetched.after.heard();
    if wanted.is_done(heard) {
        return StepVerdict::pass(heard.told(&wanted.names).to_string());
    }
    if let Some(judged) = after::one_way(wanted, heard) {
        return judged;
    }
    let answers = if fetched.after.hears_sound(wanted.target) {
        format!("{place} answered {c} with a sound of its own")
    } else {
        format!("{place} answered {c}")
    };
    if !heard.is_alone(wanted.target) {
        return StepVerdict::fail(
            "wrong-parties-joined",
            Side::Peer,
            format!(
                "{place} answered {c}, and not with {e}: {}; {e} {}",
                heard.told(&wanted.names),
                fetched.after.fate(wanted)
            ),
            "platform: the place has to give the call that was parked there; second line with the ladder",
        );
    }
    match fetched.ended_after {
        Some(after) => StepVerdict::fail(
            "not-parked",
            Side::Peer,
            format!(
                "nobody was parked at {place}: it took {e}'s call and ended it after {:.1} s, and {answers}",
                after.as_secs_f64()
            ),
            "is this the number of a place? an announcement, a menu or a mailbox answers there; name the place where the platform lets parked calls wait",
        ),
        None => StepVerdict::fail(
            "not-parked",
            Side::Peer,
            format!(
                "nobody was fetched at {place}: {answers}, and nobody hears anybody; {e} waits elsewhere"
            ),
            "this may be the key for parking and not a place: the call waits at another number then (701 behind 700), which the platform tells by voice; park at that one (--park 701)",
        ),
    }
}
