//! A caller who gives up, and a platform that gives up before: the time that a phone may ring is two seconds here.

use super::{ask, did, says};
use crate::peer::asterisk::Asterisk;

#[test]
fn a_phone_that_rings_stops_when_the_caller_gives_up() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["cancel", "alice", "bob"]);
    // Asterisk sends CANCEL with `Reason: Q.850;cause=16` of its own, and drops that of the caller.
    says(&outcome, "pass", &["warning peer cancel-reason-lost"]);
    did(&asterisk, &["PJSIP/bob-00000001 is ringing", "Spawn extension (lab, bob, 1) exited non-zero"]);
    let records = asterisk.records();
    assert_eq!(
        (records[0].to.as_str(), records[0].disposition.as_str()),
        ("bob", "NO ANSWER"),
        "{records:?}"
    );
}

#[test]
fn a_call_cancelled_just_before_the_mailbox_takes_it_is_cancelled() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["cancel", "alice", "mailbox", "--ring-for", "1500ms"]);
    says(&outcome, "pass", &["warning peer cancel-reason-lost"]);
    assert!(!asterisk.log().contains("VoiceMail("), "{}", asterisk.log());
}

#[test]
fn a_call_that_the_mailbox_took_was_not_cancelled() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["cancel", "alice", "mailbox", "--ring-for", "3s"]);
    did(&asterisk, &["Nobody picked up in 2000 ms", "VoiceMail("]);
    assert!(["fail", "inconclusive"].contains(&outcome.verdict()), "{outcome}");
    assert!(outcome.finding("cancel-reason-lost").is_none(), "{outcome}");
    assert!(outcome.text("summary").contains("answered"), "{outcome}");
}

#[test]
fn a_call_that_the_platform_ended_was_not_cancelled() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["cancel", "alice", "unanswered", "--ring-for", "3s"]);
    did(&asterisk, &["Nobody picked up in 2000 ms", "status is 'NOANSWER'"]);
    assert!(["fail", "inconclusive"].contains(&outcome.verdict()), "{outcome}");
    assert!(outcome.finding("cancel-reason-lost").is_none(), "{outcome}");
}
