//! What can go wrong when several are called as one, and what it is called.

mod trials;

pub(super) use trials::*;

use super::Fork;
use crate::check::display::Took;
use crate::check::judge::refusal;
use crate::check::judged::Judged;
use crate::check::result::{ForkResult, ForkRound, ForkRung, RingOrder};
use crate::check::scene::{Ear, Seen};
use crate::check::{Finding, Severity, Side};

/// `bob`, `bob and carol`, `bob, carol and dan`.
fn listed(check: &Fork, parties: impl IntoIterator<Item = usize>) -> String {
    let names: Vec<&str> = parties.into_iter().map(|party| check.party(party)).collect();
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

fn is_or_are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

pub(super) fn order(order: RingOrder) -> &'static str {
    match order {
        RingOrder::Parallel => "all at once",
        RingOrder::Serial => "one after the other",
    }
}

/// What the caller's own call came to: `alice got 486 Busy Here`.
fn fate(check: &Fork, seen: Option<&Seen>) -> String {
    let caller = check.party(0);
    let Some(seen) = seen else { return format!("{caller} has no call") };
    if let Some((_, rejection)) = &seen.rejected {
        return match rejection.status {
            Some(status) => {
                let what = refusal::result(status);
                format!("{caller} got {status} {} ({what})", rejection.phrase)
            }
            None => format!("{caller} got no answer at all"),
        };
    }
    match (&seen.ended, seen.answered.is_some()) {
        (Some(ended), _) => format!("the call of {caller} ended: {:?}", ended.cause),
        (None, true) => format!("{caller} is in a call"),
        (None, false) => format!("{caller} still waits"),
    }
}

/// In one sentence, when all went well.
pub(super) fn done(check: &Fork, result: &ForkResult) -> String {
    let rang = result.rounds.first().map(|round| round.rang.len()).unwrap_or_default();
    let order = result.rounds.first().and_then(|round| round.order).map_or("", order);
    let winner = result.rounds.iter().find_map(|round| round.winner);
    let won = winner.map(|end| format!("; {} and {} hear each other", check.party(0), check.party(end + 1)));
    format!("{} rings {rang}, {order}{}; no leg is left", check.target, won.unwrap_or_default())
}

/// The step `rings`.
pub(super) fn rings(check: &Fork, round: &ForkRound, displaced: &[usize]) -> Judged {
    let rang = |party: usize| round.rang.iter().any(|rung| rung.end + 1 == party);
    let silent: Vec<usize> = (1..=check.ends.len()).filter(|party| !rang(*party)).collect();
    if silent.is_empty() {
        let each =
            round.rang.iter().map(|rung| format!("{} after {}", check.party(rung.end + 1), Took(rung.after)));
        let each: Vec<String> = each.collect();
        let order = round.order.map_or("", order);
        return Judged::pass(format!("{}: {order}", each.join(", ")));
    }
    let seen = format!(
        "{} rings {}, and not {}",
        check.target,
        listed(check, round.rang.iter().map(|rung| rung.end + 1)),
        listed(check, silent.iter().copied())
    );
    if !displaced.is_empty() && silent.iter().all(|party| displaced.contains(party)) {
        return Judged::fail(
            "binding-replaced",
            Side::Peer,
            format!(
                "{seen}: when another device of the account registered, the registrar no longer listed that binding (B06)"
            ),
            "platform: allow as many bindings (contacts) for an account as it has devices",
        );
    }
    let advice = if check.one_account {
        "platform: all live bindings of an account are rung (U14); look for a limit of devices, or a fork that was switched off"
    } else {
        "platform: check the members of the group, and its limit of devices that ring at once (F06); if they ring one after the other, give it more time (--wait)"
    };
    Judged::fail("branch-not-rung", Side::Peer, seen, advice)
}

pub(super) fn wrong_line(check: &Fork, rung: &ForkRung) -> Judged {
    let who = check.party(rung.end + 1);
    Judged::fail(
        "wrong-line-rang",
        Side::Peer,
        format!(
            "{who} was called as {}: on a phone with several lines another one rings (U14)",
            rung.request_uri
        ),
        "platform: the Request-URI is the Contact that this device registered for this account (RFC 3261 sec. 16.5)",
    )
}

pub(super) fn rung_twice(who: &str, invites: usize) -> Finding {
    Finding::new(
        "rung-twice",
        Severity::Warning,
        Side::Peer,
        format!("{who} got {invites} INVITEs for one call"),
        "platform: two ways lead to the same device (a member that is also forwarded to, or a binding that is there twice)",
    )
}

/// All that rang had stopped before anybody answered.
pub(super) fn stopped_ringing(check: &Fork, caller: Option<&Seen>) -> Judged {
    Judged::fail(
        "ringing-stopped",
        Side::Peer,
        format!("all stopped ringing before anybody answered; {}", fate(check, caller)),
        "platform: look at its time for ringing, and at what else may have taken the call (mailbox, forwarding)",
    )
}

pub(super) fn not_passed_on(check: &Fork, who: &[usize], caller: Option<&Seen>) -> Judged {
    Judged::fail(
        "answer-not-passed-on",
        Side::Peer,
        format!(
            "{} answered, and the call did not come up: {}",
            listed(check, who.iter().copied()),
            fate(check, caller)
        ),
        "platform: the first 200 OK of a branch goes to the caller (RFC 3261 sec. 16.7)",
    )
}

/// The step `cancel`.
pub(super) fn cancelled(check: &Fork, losers: &[usize], round: &ForkRound) -> Judged {
    let is_released = |party: &usize| round.released.iter().any(|released| released.end + 1 == *party);
    let on: Vec<usize> = losers.iter().copied().filter(|party| !is_released(party)).collect();
    if !on.is_empty() {
        let winner = round.winner.map_or("one", |end| check.party(end + 1));
        return Judged::fail(
            "loser-not-cancelled",
            Side::Peer,
            format!(
                "{winner} answered, and {} still rang {} s later: no CANCEL came (F02)",
                listed(check, on),
                super::call::RELEASE.as_secs()
            ),
            "platform: when one device has answered, every other one gets CANCEL; phone: restart the app that rings on",
        );
    }
    let latest = round.released.iter().map(|released| released.after).max().unwrap_or_default();
    let number = losers.len();
    Judged::pass(format!(
        "{} {} told to stop within {}",
        listed(check, losers.iter().copied()),
        is_or_are(number),
        Took(latest)
    ))
}

pub(super) fn not_acknowledged(who: &str) -> Finding {
    Finding::new(
        "refusal-not-acknowledged",
        Severity::Warning,
        Side::Peer,
        format!("{who} was cancelled, and its 487 got no ACK"),
        "platform: each final response to an INVITE is acknowledged (RFC 3261 sec. 17.1.1.3); phones repeat it for half a minute otherwise",
    )
}

/// The caller and the winner hear each other, and nobody else, for nobody else has a call that is up. Legs: the caller's and the winner's.
pub(super) fn audio(check: &Fork, winner: usize, (caller_leg, leg): (usize, usize), ears: &[Ear]) -> Judged {
    let (caller, who) = (check.party(0), check.party(winner));
    let heard = |leg: usize| ears.iter().find(|ear| ear.leg == leg).map(|ear| ear.speakers.as_slice());
    let (by_caller, by_winner) = (heard(caller_leg).unwrap_or_default(), heard(leg).unwrap_or_default());
    let strangers: Vec<usize> = by_caller.iter().copied().filter(|speaker| *speaker != winner).collect();
    if !strangers.is_empty() {
        return Judged::fail(
            "wrong-end-heard",
            Side::Peer,
            format!("{who} answered, and {caller} hears {}", listed(check, strangers)),
            "platform: it joins the caller with a device that has not won",
        );
    }
    let deaf = match (by_caller.contains(&winner), by_winner.contains(&0)) {
        (true, true) => {
            return Judged::pass(format!(
                "{caller} and {who} hear each other, and nobody else hears anything"
            ));
        }
        (false, true) => format!("{caller} does not hear {who}"),
        (true, false) => format!("{who} does not hear {caller}"),
        (false, false) => format!("{caller} and {who} do not hear each other"),
    };
    Judged::fail(
        "winner-not-heard",
        Side::Path,
        format!("{who} answered, and {deaf}"),
        "compare it with a plain call (ringback call): if that is heard, the platform's media of forked calls is at fault",
    )
}

pub(super) fn legs_left(check: &Fork, left: &[usize]) -> Judged {
    Judged::fail(
        "leg-left-open",
        Side::Peer,
        format!(
            "{} hung up, and {} of {} {} still there {} s later",
            check.party(0),
            if left.len() == 1 { "the leg" } else { "the legs" },
            listed(check, left.iter().copied()),
            is_or_are(left.len()),
            super::call::END.as_secs()
        ),
        "platform: a BYE or CANCEL of the caller has to end every leg of the call",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::check::fork::SecondCall;
    use crate::check::{Account, Verdict};

    /// Alice calls bob (party 1), carol (2) and dan (3).
    fn fork() -> Fork {
        let account = |name: &str| Account::new(&format!("sip:{name}@h"), "pw").unwrap().named(name);
        Fork::group(&account("alice"), "600", &["bob", "carol", "dan"].map(account)).unwrap()
    }

    fn ear(listener: usize, speakers: &[usize]) -> Ear {
        // The legs have the numbers of their parties.
        Ear { listener, leg: listener, speakers: speakers.to_vec(), else_heard: std::time::Duration::ZERO }
    }

    #[track_caller]
    fn found(judged: Judged, code: &str, words: &str) {
        let finding = judged.finding.unwrap();
        assert_eq!((judged.verdict, &*finding.code), (Verdict::Fail, code));
        assert!(finding.seen.contains(words), "{words:?} is not in {:?}", finding.seen);
    }

    #[test]
    fn who_may_hear_whom_after_an_answer_is_the_caller_and_the_winner_alone() {
        let check = fork();
        let audio = |ears: &[Ear]| audio(&check, 2, (0, 2), ears);
        assert_eq!(audio(&[ear(0, &[2]), ear(2, &[0])]).verdict, Verdict::Pass);
        found(
            audio(&[ear(0, &[1]), ear(1, &[0]), ear(2, &[])]),
            "wrong-end-heard",
            "carol answered, and alice hears bob",
        );
        found(audio(&[ear(0, &[1, 2]), ear(2, &[0])]), "wrong-end-heard", "alice hears bob");
        found(audio(&[ear(0, &[2]), ear(2, &[])]), "winner-not-heard", "carol does not hear alice");
        // A leg that is not up is heard nowhere.
        found(audio(&[ear(0, &[])]), "winner-not-heard", "do not hear each other");
    }

    #[test]
    fn what_happens_to_the_answers_of_a_race_has_a_name() {
        let check = fork();
        found(both_dropped(&check, [1, 3]), "both-answers-dropped", "bob and dan answered at once, and both");
        found(
            both_up(&check, [1, 3], Some(2), &[ear(0, &[3]), ear(3, &[0]), ear(1, &[])]),
            "second-answer-left-open",
            "talks to dan, and the leg of bob",
        );
        found(both_up(&check, [1, 3], None, &[]), "second-answer-left-open", "alice hears neither");
        let conference = [ear(0, &[1, 3]), ear(1, &[0, 3]), ear(3, &[0, 1])];
        found(both_up(&check, [1, 3], Some(0), &conference), "loser-hears", "dan hears alice and bob");
        found(
            not_passed_on(&check, &[1], None),
            "answer-not-passed-on",
            "bob answered, and the call did not come up",
        );
    }

    #[test]
    fn what_is_left_of_a_call_is_named_with_whose_it_is() {
        let check = fork();
        found(legs_left(&check, &[1]), "leg-left-open", "the leg of bob is still there 3 s later");
        found(
            legs_left(&check, &[0, 1, 2]),
            "leg-left-open",
            "the legs of alice, bob and carol are still there",
        );
        found(rings_on(&check, &[3]), "rings-on", "dan is still ringing");
        found(
            first_call_lost(&check, 1, "alice and bob do not hear each other"),
            "first-call-lost",
            "first one of bob",
        );
        found(second_call(&check, 1, None, &[], None), "second-call-lost", "rang nobody and was not refused");
    }

    #[test]
    fn a_second_call_that_is_refused_otherwise_than_as_busy_is_not_what_is_expected() {
        let check = fork().second_call(SecondCall::Busy);
        let came = |status| second_call(&check, 1, Some(SecondCall::Busy), &[], Some(status));
        assert_eq!(came(486).verdict, Verdict::Pass);
        found(came(503), "second-call-refused", "refused with 503");
    }
}
