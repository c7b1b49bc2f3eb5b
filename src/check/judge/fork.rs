//! Several that are called as one: who rang, who got the call, how the others were released, and what is left of it.

mod stopped;
#[cfg(test)]
mod tests;
mod trials;

pub(in crate::check) use stopped::{RingingStopped, not_rung, stopped_ringing};
pub(in crate::check) use trials::*;

use super::cancel::{self, UNMATCHED_ADVICE};
use super::{media, refusal};
use crate::check::display::Took;
use crate::check::judged::StepVerdict;
use crate::check::scene::Seen;
use crate::check::{Finding, ForkResult, ForkRung, ForkTrialResult, RingOrder, Severity, Side, Verdict};
use crate::ua::call::Cause;
use std::time::Duration;

/// The group or devices that are called as one, in words. Parties have numbers: the caller 0, then the ends, then a second caller.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Group<'a> {
    /// The Request-URI.
    pub(in crate::check) target: &'a str,
    pub(in crate::check) caller: &'a str,
    pub(in crate::check) ends: &'a [String],
    pub(in crate::check) second_caller: &'a str,
    /// The ends are devices of one account.
    pub(in crate::check) one_account: bool,
}

impl<'a> Group<'a> {
    /// The name of a party.
    pub(in crate::check) fn party(&self, number: usize) -> &'a str {
        match number.checked_sub(1) {
            None => self.caller,
            Some(end) => self.ends.get(end).map_or(self.second_caller, String::as_str),
        }
    }

    /// `bob`, `bob and carol`, `bob, carol and dan`.
    fn listed(&self, parties: impl IntoIterator<Item = usize>) -> String {
        let names: Vec<&str> = parties.into_iter().map(|party| self.party(party)).collect();
        match names.split_last() {
            None => "nobody".to_owned(),
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        }
    }

    /// All ends.
    fn all(&self) -> String {
        self.listed(1..=self.ends.len())
    }
}

fn is_or_are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// The order in which the ends of a call were rung, in words.
pub(in crate::check) fn order(order: RingOrder) -> &'static str {
    match order {
        RingOrder::Parallel => "all at once",
        RingOrder::Serial => "one after the other",
    }
}

/// Result of the caller's own call: `alice got 486 Busy Here (busy)`.
fn fate(group: &Group<'_>, caller: &Seen) -> String {
    let name = group.caller;
    if let Some((_, rejection)) = &caller.rejected {
        return match rejection.status {
            Some(status) => {
                let what = refusal::result(status, rejection);
                format!("{name} got {status} {} ({what})", rejection.phrase)
            }
            None => format!("{name} got no answer at all"),
        };
    }
    match (&caller.ended, caller.answered.is_some()) {
        (Some(ended), _) => format!("the call of {name} ended: {}", cancel::otherwise(&ended.cause)),
        (None, true) => format!("{name} is in a call with somebody else"),
        (None, false) => format!("{name} still waits"),
    }
}

/// What the caller was told so far: `488 Not Acceptable Here`, or nothing.
pub(in crate::check) fn told(caller: &Seen) -> String {
    let rejection = caller.rejected.as_ref().map(|(_, rejection)| rejection);
    let told = rejection.and_then(|rejection| Some(format!("{} {}", rejection.status?, rejection.phrase)));
    told.map_or_else(|| "nothing".to_owned(), |told| told.trim_end().to_owned())
}

/// The whole check in one sentence, where all went well.
pub(in crate::check) fn done(group: &Group<'_>, result: &ForkResult) -> String {
    let first = result.trials.first();
    let rang = first.map_or(0, |trial| trial.rang.len());
    let order = first.and_then(|trial| trial.order).map_or("", order);
    let winner = result.trials.iter().find_map(|trial| trial.winner);
    let won = winner.map(|end| format!("; {} and {} hear each other", group.caller, group.party(end + 1)));
    format!("{} rings {rang}, {order}{}; no leg is left", group.target, won.unwrap_or_default())
}

/// The step `rings`. `displaced` are the parties whose bindings the registrar dropped when another device came.
pub(in crate::check) fn rings(
    group: &Group<'_>,
    trial: &ForkTrialResult,
    displaced: &[usize],
) -> StepVerdict {
    let rang = |party: usize| trial.rang.iter().any(|rung| rung.end + 1 == party);
    let silent: Vec<usize> = (1..=group.ends.len()).filter(|party| !rang(*party)).collect();
    if silent.is_empty() {
        let each =
            trial.rang.iter().map(|rung| format!("{} after {}", group.party(rung.end + 1), Took(rung.after)));
        let each: Vec<String> = each.collect();
        let order = trial.order.map_or("", order);
        return StepVerdict::pass(format!("{}: {order}", each.join(", ")));
    }
    let seen = format!(
        "{} rings {}, and not {}",
        group.target,
        group.listed(trial.rang.iter().map(|rung| rung.end + 1)),
        group.listed(silent.iter().copied())
    );
    if !displaced.is_empty() && silent.iter().all(|party| displaced.contains(party)) {
        return StepVerdict::fail(
            "binding-replaced",
            Side::Peer,
            format!(
                "{seen}: when another device of the account registered, the registrar no longer listed that binding (B06)"
            ),
            "platform: allow as many bindings (contacts) for an account as it has devices",
        );
    }
    let advice = if group.one_account {
        "platform: all live bindings of an account are rung (U14); look for a limit of devices, or a fork that was switched off"
    } else {
        "platform: check the members of the group, and its limit of devices that ring at once (F06); if they ring one after the other, give it more time (--wait)"
    };
    StepVerdict::fail("branch-not-rung", Side::Peer, seen, advice)
}

/// An end was called by a Request-URI that names somebody else.
pub(in crate::check) fn wrong_line(group: &Group<'_>, rung: &ForkRung) -> StepVerdict {
    let who = group.party(rung.end + 1);
    StepVerdict::fail(
        "wrong-line-rang",
        Side::Peer,
        format!(
            "{who} was called as {}: on a phone with several lines another line rings (U14)",
            rung.request_uri
        ),
        "platform: the Request-URI is the Contact that this device registered for this account (RFC 3261 sec. 16.5)",
    )
}

/// More than one INVITE came to an end for one call.
pub(in crate::check) fn rung_twice(who: &str, invites: usize) -> Finding {
    Finding::new(
        "rung-twice",
        Severity::Warning,
        Side::Peer,
        format!("{who} got {invites} INVITEs for one call"),
        "platform: two ways lead to the same device (a member that is also forwarded to, or a binding that is listed twice)",
    )
}

/// The caller was answered before an end was rung: the call is held by a queue or a menu that rings them.
pub(in crate::check) fn answered_first(group: &Group<'_>, before: Duration) -> Finding {
    Finding::new(
        "answered-before-ringing",
        Severity::Info,
        Side::Peer,
        format!(
            "{} was answered {} before the first of {} was rung: {} is a queue or a menu",
            group.caller,
            Took(before),
            group.all(),
            group.target
        ),
        "usual for queues; the caller pays from the first moment on",
    )
}

/// An end answered, and the caller did not get the call, or cannot use what it got.
pub(in crate::check) fn not_passed_on(group: &Group<'_>, who: &[usize], caller: &Seen) -> StepVerdict {
    if let Some(Cause::Media(error)) = caller.ended.as_ref().map(|ended| &ended.cause) {
        let who = group.listed(who.iter().copied());
        return media::unusable(&format!("answered by {who}, and hung up by {}", group.caller), error);
    }
    StepVerdict::fail(
        "answer-not-passed-on",
        Side::Peer,
        format!(
            "{} answered, and the call did not come up: {}",
            group.listed(who.iter().copied()),
            fate(group, caller)
        ),
        "platform: the first 200 OK of a branch goes to the caller (RFC 3261 sec. 16.7)",
    )
}

/// The step `cancel`: those who lost had this time to be released.
pub(in crate::check) fn cancelled(
    group: &Group<'_>,
    losers: &[usize],
    trial: &ForkTrialResult,
    (waited, unmatched): (Duration, Option<&str>),
) -> StepVerdict {
    let is_released = |party: &usize| trial.released.iter().any(|released| released.end + 1 == *party);
    let on: Vec<usize> = losers.iter().copied().filter(|party| !is_released(party)).collect();
    let winner = trial.winner.map_or("one", |end| group.party(end + 1));
    if !on.is_empty() {
        if let Some(unmatched) = unmatched {
            return StepVerdict::fail(
                "cancel-unmatched",
                Side::Peer,
                format!(
                    "{winner} answered, and {} still rang {} s later: the CANCEL that came {unmatched}",
                    group.listed(on),
                    waited.as_secs()
                ),
                UNMATCHED_ADVICE,
            );
        }
        return StepVerdict::fail(
            "loser-not-cancelled",
            Side::Peer,
            format!(
                "{winner} answered, and {} still rang {} s later: no CANCEL came (F02)",
                group.listed(on),
                waited.as_secs()
            ),
            "platform: when one device has answered, every other one gets CANCEL; phone: restart the app that rings on",
        );
    }
    let latest = trial.released.iter().map(|released| released.after).max().unwrap_or_default();
    let judged = StepVerdict::pass(format!(
        "{} {} told to stop within {}",
        group.listed(losers.iter().copied()),
        is_or_are(losers.len()),
        Took(latest)
    ));
    let last = trial.released.iter().max_by_key(|released| released.after);
    let late = last.filter(|released| released.by == "CANCEL").and_then(|released| {
        cancel::late(group.party(released.end + 1), &format!("{winner} had answered"), released.after)
    });
    StepVerdict { finding: late, ..judged }
}

/// No ACK came for the 487 of an end that was cancelled.
pub(in crate::check) fn not_acknowledged(who: &str) -> Finding {
    Finding::new(
        "refusal-not-acknowledged",
        Severity::Warning,
        Side::Peer,
        format!("{who} was cancelled, and its 487 got no ACK"),
        "platform: each final response to an INVITE is acknowledged (RFC 3261 sec. 17.1.1.3); phones repeat it for half a minute otherwise",
    )
}

/// The caller hears these parties, and `mutual` says whether the caller and the winner hear each other. Nobody else is in the call.
pub(in crate::check) fn audio(
    group: &Group<'_>,
    winner: usize,
    by_caller: &[usize],
    mutual: StepVerdict,
) -> StepVerdict {
    let (caller, who) = (group.caller, group.party(winner));
    let strangers: Vec<usize> = by_caller.iter().copied().filter(|speaker| *speaker != winner).collect();
    if !strangers.is_empty() {
        return StepVerdict::fail(
            "wrong-end-heard",
            Side::Peer,
            format!("{who} answered, and {caller} hears {}", group.listed(strangers)),
            "platform: it joins the caller with a device that has not won",
        );
    }
    if mutual.verdict == Verdict::Pass {
        let detail = format!("{caller} and {who} hear each other, and nobody else hears anything");
        return StepVerdict { detail, ..mutual };
    }
    mutual
}

/// The caller hung up or gave up, and these legs were still there after this time.
pub(in crate::check) fn legs_left(group: &Group<'_>, left: &[usize], waited: Duration) -> StepVerdict {
    StepVerdict::fail(
        "leg-left-open",
        Side::Peer,
        format!(
            "{} hung up, and {} of {} {} still there {} s later",
            group.caller,
            if left.len() == 1 { "the leg" } else { "the legs" },
            group.listed(left.iter().copied()),
            is_or_are(left.len()),
            waited.as_secs()
        ),
        "platform: a BYE or CANCEL of the caller has to end every leg of the call",
    )
}
