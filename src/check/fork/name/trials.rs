//! What can go wrong when two answer, one refuses, or a second call comes.

use super::{fate, is_or_are, listed};
use crate::check::Side;
use crate::check::display::Took;
use crate::check::fork::{Fork, SecondCall};
use crate::check::judged::Judged;
use crate::check::scene::{Ear, Seen};
use crate::check::{Name, RingOrder};
use std::time::Duration;

/// Why two could not do something at the same time.
pub(in crate::check::fork) fn no_two(order: Option<RingOrder>) -> &'static str {
    match order {
        Some(RingOrder::Serial) => "they ring one after the other: no two ring at once",
        _ => "fewer than two rang",
    }
}

pub(in crate::check::fork) fn both_dropped(check: &Fork, racers: [usize; 2]) -> Judged {
    Judged::fail(
        "both-answers-dropped",
        Side::Peer,
        format!("{} answered at once, and both were hung up", listed(check, racers)),
        "platform: of two answers one stays (RFC 3261 sec. 13.2.2.4)",
    )
}

/// Neither was released; the caller is joined with this end, or with none.
pub(in crate::check::fork) fn both_up(
    check: &Fork,
    racers: [usize; 2],
    joined: Option<usize>,
    ears: &[Ear],
) -> Judged {
    let caller = check.party(0);
    let is_second = |ear: &&Ear| ear.listener != 0 && joined.is_some_and(|end| ear.listener != end + 1);
    if let Some(ear) = ears.iter().find(|ear| is_second(ear) && !ear.speakers.is_empty()) {
        return Judged::fail(
            "loser-hears",
            Side::Peer,
            format!(
                "{} answered at once, neither was hung up, and {} hears {}",
                listed(check, racers),
                check.party(ear.listener),
                listed(check, ear.speakers.iter().copied())
            ),
            "platform: of two answers one stays, and that one alone is joined with the caller (RFC 3261 sec. 13.2.2.4)",
        );
    }
    let seconds = crate::check::fork::call::RELEASE.as_secs();
    let open = match joined {
        Some(end) => {
            let second = racers.into_iter().find(|party| *party != end + 1).unwrap_or_default();
            format!(
                "{caller} talks to {}, and the leg of {} is still up after {seconds} s, with nobody in it",
                check.party(end + 1),
                check.party(second)
            )
        }
        None => format!("{caller} hears neither, and both legs are still up after {seconds} s"),
    };
    Judged::fail(
        "second-answer-left-open",
        Side::Peer,
        format!("{} answered at once: {open} (F04)", listed(check, racers)),
        "platform: the answer that comes second gets ACK and BYE at once (RFC 3261 sec. 13.2.2.4); until then that phone is busy",
    )
}

/// The step `race`.
pub(in crate::check::fork) fn raced(
    check: &Fork,
    winner: usize,
    second: usize,
    released: Option<&(Name, Duration)>,
    by_caller: bool,
) -> String {
    let (who, second) = (check.party(winner), check.party(second));
    let by = if by_caller { "the caller" } else { "the platform" };
    match released {
        Some((how, after)) => format!(
            "both answered: {who} stays and is heard; {second} got {how} from {by} after {}",
            Took(*after)
        ),
        None => format!("both answered: {who} stays and is heard; {second} is released"),
    }
}

pub(in crate::check::fork) fn ended_by_6xx(check: &Fork, refuser: usize, status: u16) -> String {
    format!("{} refused with {status}, which ends the whole call, as it may", check.party(refuser))
}

/// One refusal ended the ringing of others.
pub(in crate::check::fork) fn ended_by_refusal(
    check: &Fork,
    (refuser, status): (usize, u16),
    (others, still): (&[usize], &[usize]),
    told: Option<u16>,
) -> Judged {
    let gone: Vec<usize> = others.iter().copied().filter(|party| !still.contains(party)).collect();
    let told = told.map_or(String::new(), |told| format!(", and {} got {told}", check.party(0)));
    Judged::fail(
        "fork-ended-by-refusal",
        Side::Peer,
        format!(
            "{} refused with {status}, and {} stopped ringing{told} (F01)",
            check.party(refuser),
            listed(check, gone)
        ),
        "platform: a refusal ends its own branch only; the best answer is waited for (RFC 3261 sec. 16.7). Switch off 'busy on one is busy for all'",
    )
}

/// One refused, and nobody else was rung in its place.
pub(in crate::check::fork) fn turn_not_passed(
    check: &Fork,
    (refuser, status): (usize, u16),
    caller: Option<&Seen>,
) -> Judged {
    Judged::fail(
        "fork-ended-by-refusal",
        Side::Peer,
        format!(
            "{} refused with {status}, and the turn did not pass on to anybody: {} (F01)",
            check.party(refuser),
            fate(check, caller)
        ),
        "platform: a member that is busy or refuses is passed over, and the next one is rung",
    )
}

/// The step `refuse`.
pub(in crate::check::fork) fn rang_on(
    check: &Fork,
    (refuser, status): (usize, u16),
    winner: usize,
) -> String {
    let (caller, who) = (check.party(0), check.party(winner));
    format!(
        "{} refused with {status}, and the call went on; {caller} and {who} hear each other",
        check.party(refuser)
    )
}

/// The step `second-call`.
pub(in crate::check::fork) fn second_call(
    check: &Fork,
    busy: usize,
    came: Option<SecondCall>,
    rung: &[usize],
    refusal: Option<u16>,
) -> Judged {
    let who = check.party(busy);
    let others = listed(check, rung.iter().copied().filter(|party| *party != busy));
    let status = refusal.map_or(String::new(), |status| format!(" with {status}"));
    let seen = match came {
        Some(SecondCall::Rings) => format!("{who} is in a call, and rings for the second one"),
        Some(SecondCall::Elsewhere) => {
            format!("{who} is in a call; the second one rings {others}, and not {who}")
        }
        Some(_) => format!("{who} is in a call, and the second one was refused{status}: nobody rang"),
        None => format!("{who} is in a call, and the second one rang nobody and was not refused"),
    };
    let expected = check.second_call;
    let is_busy = matches!(refusal, Some(486 | 600));
    let as_expected = match expected {
        SecondCall::Any => came.is_some(),
        SecondCall::Busy => came == Some(SecondCall::Busy) && is_busy,
        _ => came == Some(expected),
    };
    if as_expected {
        return Judged::pass(seen);
    }
    match (expected, came) {
        (_, None) => Judged::fail(
            "second-call-lost",
            Side::Peer,
            seen,
            "platform: look where a second call goes while one is up; the caller hears nothing",
        ),
        (SecondCall::Rings, _) => Judged::fail(
            "second-call-refused",
            Side::Peer,
            format!("{seen}; call waiting is expected (F05)"),
            "set call waiting, or at least two calls, in the profile of the account; if it is off on purpose, say so (--second-call busy or elsewhere)",
        ),
        (_, Some(SecondCall::Rings)) => Judged::fail(
            "second-call-rings",
            Side::Peer,
            format!("{seen}; it is not to"),
            "switch off call waiting, or let the group leave out who is busy; if it is on purpose, say so (--second-call rings)",
        ),
        (_, Some(SecondCall::Busy)) => Judged::fail(
            "second-call-refused",
            Side::Peer,
            format!("{seen}; expected was: {expected}"),
            "see what the status says; 486 is busy",
        ),
        _ => Judged::fail(
            "second-call-elsewhere",
            Side::Peer,
            format!("{seen}; expected was: {expected}"),
            "compare it with the group's setting for busy members",
        ),
    }
}

/// The second call was given up, and somebody rings on.
pub(in crate::check::fork) fn rings_on(check: &Fork, on: &[usize]) -> Judged {
    Judged::fail(
        "rings-on",
        Side::Peer,
        format!(
            "the caller gave the second call up {} s ago, and {} {} still ringing",
            crate::check::fork::call::END.as_secs(),
            listed(check, on.iter().copied()),
            is_or_are(on.len())
        ),
        "platform: CANCEL has to be passed on to every phone that rings (F02)",
    )
}

/// The first call did not survive the second.
pub(in crate::check::fork) fn first_call_lost(check: &Fork, busy: usize, audio: &str) -> Judged {
    Judged::fail(
        "first-call-lost",
        Side::Peer,
        format!(
            "after a second call came and was given up, the first one of {} is not what it was: {audio}",
            check.party(busy)
        ),
        "platform or phone: a second call leaves the first one alone until somebody takes it",
    )
}
