//! Calls to what a PBX has: people, groups, queues, rooms, a mailbox, and numbers that end in a refusal.

use super::{ask, did, says};
use crate::peer::asterisk::Asterisk;

/// Where the only or last call ended: number, application and how.
fn last(asterisk: &Asterisk) -> (String, String, String) {
    let mut records = asterisk.records();
    let record = records.pop().unwrap();
    (record.to, record.application, record.disposition)
}

fn ended(to: &str, application: &str, how: &str) -> (String, String, String) {
    (to.into(), application.into(), how.into())
}

#[test]
fn two_users_hear_each_other_whoever_hangs_up() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        let outcome = ask(&asterisk, &["call", "alice", "bob", "--hang-up-by", by]);
        says(&outcome, "pass", &[]);
        assert_eq!(last(&asterisk), ended("bob", "Dial", "ANSWERED"));
    }
}

#[test]
fn an_echo_is_reached() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "600"]);
    // Nobody rings there, and nothing is said that could come back.
    says(&outcome, "pass", &["info peer no-ringing", "info peer silence"]);
    assert_eq!(last(&asterisk), ended("600", "Echo", "ANSWERED"));
}

#[test]
fn an_announcement_before_the_answer_is_early_media() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "601"]);
    // Echo() sends what comes back with our timestamps, without a marker, in the source that played the announcement.
    // It has nothing but our silence to send back.
    says(&outcome, "pass", &["warning peer stream-changed", "info peer fell-silent"]);
    assert_eq!(outcome.facts("early-media"), ["yes"], "{outcome}");
    did(&asterisk, &["Playing 'tt-weasels", "Executing [601@lab:3] Answer", "Executing [601@lab:4] Echo"]);
}

#[test]
fn refusals_are_what_asterisk_made_of_them() {
    let asterisk = Asterisk::start();
    // Busy() is 486, Congestion() 503, and what the dial plan does not have 404: dialled wrongly, or set up wrongly.
    for (number, finding) in [
        ("602", "error peer busy"),
        ("603", "error peer server-failed"),
        ("999", "error setup number-unknown"),
    ] {
        let outcome = ask(&asterisk, &["call", "alice", number]);
        says(&outcome, "fail", &[finding]);
    }
    did(&asterisk, &["Executing [602@lab:1] Busy", "Executing [603@lab:1] Congestion"]);
    did(&asterisk, &["Call (UDP:127.0.0.1:", "to extension '999' rejected because extension not found"]);
}

#[test]
fn a_member_of_a_group_answers() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "bob", "--dial", "610"]);
    says(&outcome, "pass", &[]);
    // Carol is not registered: Asterisk rings who is.
    did(
        &asterisk,
        &["Unable to create channel of type 'PJSIP'", "PJSIP/bob-00000001 answered PJSIP/alice-00000000"],
    );
}

#[test]
fn a_member_of_a_queue_answers() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "bob", "--dial", "611"]);
    assert_eq!(outcome.verdict(), "pass", "{outcome}");
    assert!(outcome.finding("not-delivered").is_none(), "{outcome}");
    did(
        &asterisk,
        &[
            "Executing [611@lab:2] Queue",
            "Started music on hold",
            "PJSIP/bob-00000001 answered PJSIP/alice-00000000",
        ],
    );
}

#[test]
fn a_conference_is_reached() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "612"]);
    // Nobody else is in the room.
    says(&outcome, "pass", &["info peer no-ringing", "info peer silence"]);
    assert_eq!(last(&asterisk), ended("612", "ConfBridge", "ANSWERED"));
}

#[test]
fn the_mailbox_that_answers_is_not_the_user() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "mailbox", "--ring-for", "4s"]);
    did(&asterisk, &["Nobody picked up in 2000 ms", "VoiceMail("]);
    assert!(["fail", "inconclusive"].contains(&outcome.verdict()), "{outcome}");
    for code in ["no-audio", "media-switched-off", "dropped"] {
        assert!(outcome.finding(code).is_none(), "{outcome}");
    }
    assert!(outcome.text("summary").contains("not by mailbox"), "{outcome}");
}

#[test]
fn a_user_that_the_platform_rings_for_two_seconds_did_not_decline() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "unanswered", "--ring-for", "4s"]);
    did(&asterisk, &["Nobody picked up in 2000 ms"]);
    assert_eq!(outcome.verdict(), "fail", "{outcome}");
    assert!(outcome.finding("declined").is_none(), "{outcome}");
}

#[test]
fn a_user_that_is_not_registered_is_among_the_causes() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "alice", "203"]);
    did(&asterisk, &["cause 3 - No route to destination", "status is 'CHANUNAVAIL'"]);
    // Asterisk makes 503 of it, mostly with the cause of congestion (34) instead.
    let finding = outcome.finding("server-failed").or(outcome.finding("unavailable"));
    let advice = finding.unwrap()["advice"].as_str().unwrap();
    assert!(advice.contains("registered"), "{outcome}");
}

#[test]
fn a_codec_that_asterisk_offers_and_our_own_end_refuses() {
    let asterisk = Asterisk::with_users(&[("gus", "gsm")]);
    let outcome = ask(&asterisk, &["call", "alice", "gus"]);
    assert_eq!(outcome.verdict(), "fail", "{outcome}");
    assert!(outcome.finding("server-failed").is_none(), "{outcome}");
    assert!(outcome.text("summary").contains("GSM"), "{outcome}");
}

#[test]
fn media_that_goes_past_asterisk_comes_from_where_the_new_description_says() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["call", "dora", "dirk"]);
    says(&outcome, "pass", &[]);
    did(&asterisk, &["Remotely bridged 'PJSIP/dora-00000000' and 'PJSIP/dirk-00000001'"]);
}
