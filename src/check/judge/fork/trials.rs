//! Verdicts on trials in which two answer, one refuses, or a second call comes.

use super::{Group, fate, is_or_are};
use crate::check::display::Took;
use crate::check::judged::StepVerdict;
use crate::check::scene::{Ear, Seen};
use crate::check::{ForkReleased, RingOrder, SecondCall, Side};
use std::time::Duration;

/// Why two could not do something at the same time.
pub(in crate::check) fn no_two(order: Option<RingOrder>) -> &'static str {
    match order {
        Some(RingOrder::Serial) => "they ring one after the other: no two ring at once",
        _ => "fewer than two rang",
    }
}

/// Both answers of a race were hung up.
pub(in crate::check) fn both_dropped(group: &Group<'_>, racers: [usize; 2]) -> StepVerdict {
    StepVerdict::fail(
        "both-answers-dropped",
        Side::Peer,
        format!("{} answered at once, and both were hung up", group.listed(racers)),
        "platform: of two answers one stays (RFC 3261 sec. 13.2.2.4)",
    )
}

/// Neither answer of a race was released in this time; the caller is joined with this end, or with none.
pub(in crate::check) fn both_up(
    group: &Group<'_>,
    racers: [usize; 2],
    joined: Option<usize>,
    ears: &[Ear],
    waited: Duration,
) -> StepVerdict {
    let caller = group.caller;
    let is_second = |ear: &&Ear| ear.listener != 0 && joined.is_some_and(|end| ear.listener != end + 1);
    if let Some(ear) = ears.iter().find(|ear| is_second(ear) && !ear.speakers.is_empty()) {
        return StepVerdict::fail(
            "loser-hears",
            Side::Peer,
            format!(
                "{} answered at once, neither was hung up, and {} hears {}",
                group.listed(racers),
                group.party(ear.listener),
                group.listed(ear.speakers.iter().copied())
            ),
            "platform: of two answers one stays, and that one alone is joined with the caller (RFC 3261 sec. 13.2.2.4)",
        );
    }
    let seconds = waited.as_secs();
    let open = match joined {
        Some(end) => {
            let second = racers.into_iter().find(|party| *party != end + 1).unwrap_or_default();
            format!(
                "{caller} talks to {}, and the leg of {} is still up after {seconds} s, with nobody in it",
                group.party(end + 1),
                group.party(second)
            )
        }
        None => format!("{caller} hears neither, and both legs are still up after {seconds} s"),
    };
    StepVerdict::fail(
        "second-answer-left-open",
        Side::Peer,
        format!("{} answered at once: {open} (F04)", group.listed(racers)),
        "platform: the answer that comes second gets ACK and BYE at once (RFC 3261 sec. 13.2.2.4); until then that phone is busy",
    )
}

/// The step `race`.
pub(in crate::check) fn raced(
    group: &Group<'_>,
    winner: usize,
    second: usize,
    released: Option<&ForkReleased>,
    by_caller: bool,
) -> String {
    let (who, second) = (group.party(winner), group.party(second));
    let by = if by_caller { "the caller" } else { "the platform" };
    match released {
        Some(released) => format!(
            "both answered: {who} stays and is heard; {second} got {} from {by} after {}",
            released.by,
            Took(released.after)
        ),
        None => format!("both answered: {who} stays and is heard; {second} is released"),
    }
}

/// A refusal that may end the whole call (RFC 3261 sec. 16.7) did.
pub(in crate::check) fn ended_by_6xx(group: &Group<'_>, refuser: usize, status: u16) -> String {
    format!("{} refused with {status}, which ends the whole call, as it may", group.party(refuser))
}

/// One refusal ended the ringing of others.
pub(in crate::check) fn ended_by_refusal(
    group: &Group<'_>,
    (refuser, status): (usize, u16),
    (others, still): (&[usize], &[usize]),
    told: Option<u16>,
) -> StepVerdict {
    let gone: Vec<usize> = others.iter().copied().filter(|party| !still.contains(party)).collect();
    let told = told.map_or(String::new(), |told| format!(", and {} got {told}", group.caller));
    StepVerdict::fail(
        "fork-ended-by-refusal",
        Side::Peer,
        format!(
            "{} refused with {status}, and {} stopped ringing{told} (F01)",
            group.party(refuser),
            group.listed(gone)
        ),
        "platform: a refusal ends its own branch only; the best answer is waited for (RFC 3261 sec. 16.7). Switch off 'busy on one is busy for all'",
    )
}

/// One refused, and nobody else was rung in its place.
pub(in crate::check) fn turn_not_passed(
    group: &Group<'_>,
    (refuser, status): (usize, u16),
    caller: &Seen,
) -> StepVerdict {
    StepVerdict::fail(
        "fork-ended-by-refusal",
        Side::Peer,
        format!(
            "{} refused with {status}, and the turn did not pass on to anybody: {} (F01)",
            group.party(refuser),
            fate(group, caller)
        ),
        "platform: a member that is busy or refuses is passed over, and the next one is rung",
    )
}

/// The step `refuse`.
pub(in crate::check) fn rang_on(group: &Group<'_>, (refuser, status): (usize, u16), winner: usize) -> String {
    let (caller, who) = (group.caller, group.party(winner));
    format!(
        "{} refused with {status}, and the call went on; {caller} and {who} hear each other",
        group.party(refuser)
    )
}

/// Fate of a call that came while one end was in another.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct SecondCalled<'a> {
    /// The party that is in a call.
    pub(in crate::check) busy: usize,
    pub(in crate::check) expected: SecondCall,
    /// The parties that the second call rang.
    pub(in crate::check) rung: &'a [usize],
    /// Refusal that the second caller got.
    pub(in crate::check) refusal: Option<u16>,
    /// The party, none of ours, that answered the second caller, where one did.
    pub(in crate::check) answered_by: Option<&'a str>,
}

impl SecondCalled<'_> {
    /// Treatment of it; `None` where it rang nobody and was not refused.
    pub(in crate::check) fn came(&self) -> Option<SecondCall> {
        match (self.rung.contains(&self.busy), self.rung.is_empty(), self.refusal) {
            (true, ..) => Some(SecondCall::Rings),
            (false, false, _) => Some(SecondCall::Elsewhere),
            (false, true, Some(_)) => Some(SecondCall::Busy),
            (false, true, None) => None,
        }
    }
}

/// The step `second-call`.
pub(in crate::check) fn second_call(group: &Group<'_>, called: &SecondCalled<'_>) -> StepVerdict {
    let SecondCalled { busy, expected, rung, refusal, answered_by } = *called;
    let (who, came) = (group.party(busy), called.came());
    let others = group.listed(rung.iter().copied().filter(|party| *party != busy));
    let status = refusal.map_or(String::new(), |status| format!(" with {status}"));
    if let Some(by) = answered_by {
        let seen = format!(
            "{who} is in a call, and the second call was answered by none of {}: the answer is of {by}",
            group.all()
        );
        return match expected {
            SecondCall::Any => StepVerdict::pass(seen),
            _ => StepVerdict::fail(
                "answered-by-another",
                Side::Peer,
                seen,
                "a mailbox, a menu or forwarding takes second calls; if it is on purpose, say so (--second-call any)",
            ),
        };
    }
    let seen = match came {
        Some(SecondCall::Rings) => format!("{who} is in a call, and a second call rings it"),
        Some(SecondCall::Elsewhere) => {
            format!("{who} is in a call; a second call rings {others}, and not {who}")
        }
        Some(_) => format!("{who} is in a call, and a second call was refused{status}: nobody rang"),
        None => format!("{who} is in a call, and a second call rang nobody and was not refused"),
    };
    let is_busy = matches!(refusal, Some(486 | 600));
    let as_expected = match expected {
        SecondCall::Any => came.is_some(),
        SecondCall::Busy => came == Some(SecondCall::Busy) && is_busy,
        _ => came == Some(expected),
    };
    if as_expected {
        return StepVerdict::pass(seen);
    }
    match (expected, came) {
        (_, None) => StepVerdict::fail(
            "second-call-lost",
            Side::Peer,
            seen,
            "platform: look where a second call goes while one is up; the caller hears nothing",
        ),
        (SecondCall::Rings, _) => StepVerdict::fail(
            "second-call-refused",
            Side::Peer,
            format!("{seen}; call waiting is expected (F05)"),
            "set call waiting, or at least two calls, in the profile of the account; if it is off on purpose, say so (--second-call busy or elsewhere)",
        ),
        (_, Some(SecondCall::Rings)) => StepVerdict::fail(
            "second-call-rings",
            Side::Peer,
            format!("{seen}; expected: {expected}"),
            "switch off call waiting, or let the group leave out members that are busy; if it is on purpose, say so (--second-call rings)",
        ),
        (_, Some(SecondCall::Busy)) => StepVerdict::fail(
            "second-call-refused",
            Side::Peer,
            format!("{seen}; expected: {expected}"),
            "see what the status says; 486 is busy",
        ),
        _ => StepVerdict::fail(
            "second-call-elsewhere",
            Side::Peer,
            format!("{seen}; expected: {expected}"),
            "compare it with the group's setting for busy members",
        ),
    }
}

/// The second call was given up this long ago, and somebody rings on.
pub(in crate::check) fn rings_on(group: &Group<'_>, on: &[usize], waited: Duration) -> StepVerdict {
    StepVerdict::fail(
        "rings-on",
        Side::Peer,
        format!(
            "the caller gave the second call up {} s ago, and {} {} still ringing",
            waited.as_secs(),
            group.listed(on.iter().copied()),
            is_or_are(on.len())
        ),
        "platform: CANCEL has to be passed on to every phone that rings (F02)",
    )
}

/// The first call did not survive the second.
pub(in crate::check) fn first_call_lost(group: &Group<'_>, busy: usize, audio: &str) -> StepVerdict {
    StepVerdict::fail(
        "first-call-lost",
        Side::Peer,
        format!(
            "after a second call came and was given up, the first one of {} is not what it was: {audio}",
            group.party(busy)
        ),
        "platform or phone: a second call leaves the first one alone until somebody takes it",
    )
}
