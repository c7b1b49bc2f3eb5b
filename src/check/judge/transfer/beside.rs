//! Findings about a transfer besides whether it came about.

use super::{Transferred, Wanted, after};
use crate::check::transfer::TransferTarget;
use crate::check::{Finding, Severity, Side};

/// All of it.
pub(in crate::check) fn findings(wanted: &Wanted, seen: &Transferred) -> Vec<Finding> {
    let is_joined = wanted.is_done(seen.after.heard());
    let mut findings = Vec::new();
    if seen.is_accepted() {
        findings.extend(unusable(wanted, seen));
        findings.extend(other_id(wanted, seen));
        findings.extend(two_finals(wanted, seen));
        findings.extend(other_status(wanted, seen, is_joined));
        findings.extend(notifies(wanted, seen, is_joined));
        findings.extend(too_early(wanted, seen, is_joined));
        findings.extend(late(wanted, seen, is_joined));
    }
    if seen.target.alerted > 1 {
        findings.push(warning(
            "target-alerted-twice",
            format!("{} was called once more for the transfer, as if it had no call yet", wanted.target()),
            "platform: one call to the target is enough; look for a retry, or for two ways to the same phone",
        ));
    }
    findings
}

fn warning(code: &'static str, seen: String, advice: &str) -> Finding {
    Finding::new(code, Severity::Warning, Side::Peer, seen, advice)
}

/// The target refused, and the transferor was told another status.
fn other_status(wanted: &Wanted, seen: &Transferred, is_joined: bool) -> Option<Finding> {
    let TransferTarget::Refuses(own) = wanted.target_does else { return None };
    let told = seen.told.last().filter(|told| *told >= 300 && *told != own && seen.target.is_asked)?;
    (!is_joined && seen.after.is_back(wanted)).then(|| {
        warning(
            "notify-other-status",
            format!("{} refused with {own}, and {} was told {told}", wanted.target(), wanted.transferor()),
            "platform: NOTIFY the status that the target gave: the phone shows by it whether the target is busy or not there",
        )
    })
}

/// The transferor was told two different ends.
fn two_finals(wanted: &Wanted, seen: &Transferred) -> Option<Finding> {
    let mut finals = seen.told.statuses.iter().filter(|status| **status >= 200);
    let first = *finals.next()?;
    let second = *finals.find(|status| **status != first)?;
    Some(warning(
        "notify-contradicts",
        format!(
            "{} was told {first}, and {second} after it: the first final status ends what is reported of a REFER",
            wanted.transferor()
        ),
        "platform: NOTIFY one final status, when it is known (RFC 3515 sec. 2.4.5, 2.4.7): a phone acts on the first, takes the call back or hangs up, and refuses the next with 481",
    ))
}

/// NOTIFYs were for another REFER, by the id in their Event.
fn other_id(wanted: &Wanted, seen: &Transferred) -> Option<Finding> {
    let (id, number) = seen.told.other_id.as_ref()?;
    Some(Finding::new(
        "notify-id-wrong",
        Severity::Info,
        Side::Peer,
        format!(
            "a NOTIFY came to {} with Event: refer;id={id}, and its REFER has the CSeq number {number}: taken all the same",
            wanted.transferor()
        ),
        "platform: the id is the CSeq number of the REFER (RFC 3515 sec. 2.4.6): phones that are strict answer 481, and show an error",
    ))
}

/// NOTIFYs that came and that no phone can use.
fn unusable(wanted: &Wanted, seen: &Transferred) -> Option<Finding> {
    let told = &seen.told;
    // One that comes behind the last is refused rightly.
    let refused: Vec<&str> = told
        .refused
        .iter()
        .filter(|why| told.done.is_none() || why.starts_with("without"))
        .map(String::as_str)
        .collect();
    if !refused.is_empty() {
        return Some(warning(
            "notify-unusable",
            format!("NOTIFY came to {} that a phone cannot use: {}", wanted.transferor(), refused.join("; ")),
            "platform: NOTIFY in the dialog of the REFER, with Event: refer and Subscription-State (RFC 6665 sec. 4.1.3, 8.2.1)",
        ));
    }
    (told.without_status > 0 && told.done.is_none()).then(|| {
        warning(
            "notify-without-status",
            format!(
                "{} NOTIFY(s) came to {}, with no status in the body: {}",
                told.without_status + told.statuses.len(),
                wanted.transferor(),
                told.words()
            ),
            "platform: the body of each NOTIFY is a status line as message/sipfrag (RFC 3515 sec. 2.4.5); phones show an error without it",
        )
    })
}

/// The last NOTIFY, and the end of the subscription.
fn notifies(wanted: &Wanted, seen: &Transferred, is_joined: bool) -> Option<Finding> {
    let told = &seen.told;
    if is_joined && told.is_nothing() {
        return Some(warning(
            "no-notify",
            format!("the transfer came about, and {} was told nothing: no NOTIFY came", wanted.transferor()),
            "platform: each REFER has an implicit subscription (RFC 3515 sec. 2.4.4); phones show an error without NOTIFY",
        ));
    }
    let is_final = told.statuses.iter().any(|status| *status >= 200);
    let is_alone = seen.after.heard().is_alone(wanted.transferor);
    if is_joined && is_alone && !is_final && !told.statuses.is_empty() {
        let statuses: Vec<String> = told.statuses.iter().map(u16::to_string).collect();
        return Some(warning(
            "no-final-notify",
            format!(
                "the transfer came about, and {} was told {} and no more",
                wanted.transferor(),
                statuses.join(", ")
            ),
            "platform: NOTIFY the final status too; phones show an error, or keep the call, without it",
        ));
    }
    (is_final && !told.terminated).then(|| {
        warning(
            "subscription-not-ended",
            "no NOTIFY said that the subscription is over".to_owned(),
            "platform: the last NOTIFY carries Subscription-State: terminated;reason=noresource",
        )
    })
}

/// Told 200 long after the target had answered. Where the transferor is still heard it is the verdict itself.
fn late(wanted: &Wanted, seen: &Transferred, is_joined: bool) -> Option<Finding> {
    let is_alone = seen.after.heard().is_alone(wanted.transferor);
    let late = seen.told_late().filter(|_| is_joined && is_alone)?;
    Some(warning(
        "notify-late",
        format!(
            "{} was told 200 only {:.1} s after {} had answered",
            wanted.transferor(),
            late.as_secs_f64(),
            wanted.target()
        ),
        after::LATE_ADVICE,
    ))
}

/// Told 200 before the target had answered.
fn too_early(wanted: &Wanted, seen: &Transferred, is_joined: bool) -> Option<Finding> {
    let is_ok = seen.told.done.is_some_and(|(_, status)| (200..300).contains(&status));
    let (told, answered) = (seen.told_after?, seen.target.answered_after?);
    (is_ok && is_joined && !wanted.replaces() && told < answered).then(|| {
        warning(
            "notify-too-early",
            format!(
                "{} was told 200 after {} ms, {} ms before {} had answered",
                wanted.transferor(),
                told.as_millis(),
                (answered - told).as_millis(),
                wanted.target()
            ),
            "platform: NOTIFY 200 when the target has answered, not before: a phone leaves the call then, and a target that does not answer leaves the other party alone",
        )
    })
}
