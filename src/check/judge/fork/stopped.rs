//! Nobody of the called is left to answer: who took the call, or ended it, in their place.

use super::{Group, fate};
use crate::check::Side;
use crate::check::display::Took;
use crate::check::judge::setup::{REFUSED_ELSEWHERE, is_refused_elsewhere, who_answered};
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::Trace;
use crate::check::scene::{Ended, Seen};
use std::time::Duration;

/// No INVITE came to any end in this time, and the caller's call is neither refused nor without any response.
pub(in crate::check) fn not_rung(
    group: &Group<'_>,
    caller: &Seen,
    trace: &Trace,
    waited: Duration,
) -> StepVerdict {
    let what = if caller.answered.is_some() {
        let who = who_answered(caller, trace, group.target);
        format!("{} was answered, but not by {}", group.target, or(group))
            + &format!("; the answer is of {who}")
    } else {
        format!("{} rings, but none of {}", group.target, group.all())
    };
    StepVerdict::fail(
        "not-delivered",
        Side::Peer,
        format!("{what}: no INVITE came to them in {}, although all are registered", Took(waited)),
        if group.one_account {
            "second line: where does the platform send calls to this account? voice mail, forwarding, a menu, or a binding that calls do not look at"
        } else {
            "check the members of the group; then where its calls go: a menu, voice mail, forwarding, or bindings that calls do not look at"
        },
    )
}

/// `bob, carol or dan`.
fn or(group: &Group<'_>) -> String {
    group.all().replacen(" and ", " or ", 1)
}

/// Facts about the moment when all ends had stopped ringing, and none of them had answered.
pub(in crate::check) struct RingingStopped<'a> {
    pub(in crate::check) caller: &'a Seen,
    /// The caller's messages.
    pub(in crate::check) trace: &'a Trace,
    /// End of the ringing of each end.
    pub(in crate::check) ends: Vec<&'a Ended>,
    /// From the first INVITE to an end to the end of its ringing.
    pub(in crate::check) rang_for: Duration,
    /// Live bindings of devices that are not ours, as far as registrations showed them.
    pub(in crate::check) others: usize,
}

/// No platform gives up ringing before.
const SHORTEST: Duration = Duration::from_millis(1_500);

/// Judges it.
pub(in crate::check) fn stopped_ringing(group: &Group<'_>, stopped: &RingingStopped<'_>) -> StepVerdict {
    let caller = stopped.caller;
    let mut reasons: Vec<&str> =
        stopped.ends.iter().flat_map(|ended| &ended.reasons).map(String::as_str).collect();
    reasons.dedup();
    let why = if reasons.is_empty() { String::new() } else { format!(", Reason: {}", reasons.join(", ")) };
    let rang = Took(stopped.rang_for);
    if caller.answered.is_some() {
        return StepVerdict::fail(
            "answered-by-another",
            Side::Peer,
            format!(
                "{} was answered, but not by {}: their ringing was ended after {rang}{why}; the answer is of {}",
                group.target,
                or(group),
                who_answered(caller, stopped.trace, group.target)
            ),
            "a mailbox, a menu, forwarding or another device takes the call: look at the platform's time for ringing, or call accounts without other devices",
        );
    }
    let status = caller.rejected.as_ref().and_then(|(_, rejection)| rejection.status).unwrap_or_default();
    let told = fate(group, caller);
    let said = reasons
        .iter()
        .copied()
        .chain(caller.rejected.iter().flat_map(|(_, r)| &r.reasons).map(String::as_str));
    let is_declined = said.into_iter().any(declined);
    // Without other devices a single account has nobody who could decline, and a platform may give up with any status.
    let may_decline = stopped.others > 0 || !group.one_account && stopped.rang_for < SHORTEST;
    if is_declined || status >= 600 && may_decline {
        let whose = if group.one_account { "device of the account" } else { "member or device" };
        return StepVerdict::fail(
            "declined-elsewhere",
            Side::Setup,
            format!(
                "another {whose}, none of ours, declined: that ended the ringing of {} after {rang}{why}; {told}",
                group.all()
            ),
            "a 6xx of one device ends the ringing of all (RFC 3261 sec. 16.7): find the device that declines (do-not-disturb, a rule, an answering app) and switch it off, or call accounts without other devices",
        );
    }
    let (also, advice) = if status >= 600 && !group.one_account {
        (
            ": the time for ringing is over, or another member declined",
            "look at the group's time for ringing, and for a member that declines: a 6xx ends the ringing of all (RFC 3261 sec. 16.7)",
        )
    } else if is_refused_elsewhere(stopped.rang_for, status) {
        (": something else refused the call", REFUSED_ELSEWHERE)
    } else {
        (
            "",
            "platform: look at its time for ringing, and at what else may have taken the call (mailbox, forwarding)",
        )
    };
    StepVerdict::fail(
        "ringing-stopped",
        Side::Peer,
        format!("all stopped ringing after {rang}, before anybody answered{why}; {told}{also}"),
        advice,
    )
}

/// Does a Reason value (RFC 3326) say that somebody declined? By status (603, 600, 608), or by ITU-T Q.850 (17 user busy, 21 call rejected).
fn declined(reason: &str) -> bool {
    let text: String = reason.to_ascii_lowercase().split_ascii_whitespace().collect();
    let protocol = text.split(';').next().unwrap_or_default().to_owned();
    let cause = text.split(';').find_map(|part| part.strip_prefix("cause=")).unwrap_or_default().to_owned();
    match protocol.as_str() {
        "sip" => matches!(cause.as_str(), "600" | "603" | "607" | "608"),
        "q.850" => cause == "21",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ua::End;
    use crate::ua::call::{By, Cause, Rejection};
    use std::time::Instant;

    fn ended(reasons: &[&str]) -> Ended {
        let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        Ended { at: Instant::now(), by: By::Peer, cause: Cause::Cancelled, reasons }
    }

    fn rejected(status: u16) -> Seen {
        let rejection = Rejection {
            end: End::Refused,
            status: Some(status),
            phrase: "No".to_owned(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            retry_after: None,
            targets: Vec::new(),
            challenges: Vec::new(),
            requests: 1,
        };
        Seen { rejected: Some((Instant::now(), rejection)), ..Seen::default() }
    }

    /// Code, side and words of what is said.
    fn said(caller: &Seen, one_account: bool, others: usize, reasons: &[&str]) -> (String, Side, String) {
        said_after(Duration::from_millis(300), caller, one_account, others, reasons)
    }

    fn said_after(
        rang_for: Duration,
        caller: &Seen,
        one_account: bool,
        others: usize,
        reasons: &[&str],
    ) -> (String, Side, String) {
        let names = ["bob".to_owned(), "carol".to_owned()];
        let group =
            Group { target: "sip:600@h", caller: "alice", ends: &names, second_caller: "alice", one_account };
        let end = ended(reasons);
        let judged = stopped_ringing(
            &group,
            &RingingStopped { caller, trace: &Trace::default(), ends: vec![&end], rang_for, others },
        );
        let finding = judged.finding.unwrap();
        (finding.code.into_owned(), finding.side, finding.seen + &finding.advice)
    }

    #[test]
    fn who_ended_the_ringing_is_told_by_what_proves_it() {
        // A 6xx ends the ringing of all; whose it is is known where another device is registered.
        let (code, side, words) = said(&rejected(603), true, 1, &[]);
        assert_eq!((code.as_str(), side), ("declined-elsewhere", Side::Setup));
        assert!(words.contains("none of ours, declined") && !words.contains("mailbox"), "{words}");
        // Or where the platform says so, whatever the caller is told.
        for (status, reason) in [(603, "SIP; cause=603; text=\"Decline\""), (480, "Q.850;cause=21")] {
            let (code, ..) = said(&rejected(status), true, 0, &[reason]);
            assert_eq!(code, "declined-elsewhere", "{reason}");
        }
        // A platform may give up with any status: where nobody else is there, nobody declined.
        for status in [408, 480, 487, 603] {
            let (code, _, words) = said(&rejected(status), true, 0, &["Q.850;cause=0"]);
            assert_eq!(code, "ringing-stopped", "{words}");
            assert!(
                words.contains(&format!("alice got {status}")) && words.contains("after 300.0 ms"),
                "{words}"
            );
        }
        // So early nobody gives up: another member declined. Later it may be either.
        assert_eq!(said(&rejected(603), false, 0, &[]).0, "declined-elsewhere");
        let (code, _, words) = said_after(Duration::from_secs(20), &rejected(603), false, 0, &[]);
        assert_eq!(code, "ringing-stopped");
        assert!(words.contains("the time for ringing is over, or another member declined"), "{words}");
        let (code, _, words) = said(&Seen::default(), true, 1, &[]);
        assert_eq!(code, "ringing-stopped");
        assert!(words.contains("alice still waits"), "{words}");
    }

    #[test]
    fn a_mailbox_that_takes_the_call_is_told_with_what_proves_it() {
        let caller = Seen { answered: Some(Instant::now()), ..Seen::default() };
        let (code, side, words) =
            said(&caller, false, 0, &["SIP;cause=200;text=\"Call completed elsewhere\""]);
        assert_eq!((code.as_str(), side), ("answered-by-another", Side::Peer));
        assert!(
            words.contains("answered, but not by bob or carol") && words.contains("cause=200"),
            "{words}"
        );
        assert!(!words.contains("firewall"), "{words}");
    }
}
