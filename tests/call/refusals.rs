//! Calls that are refused: which code says what, and to whom.

use crate::scene::*;
use crate::seen::{fact, finding, steps};
use ringback::check::{Call, Outcome, Side, Verdict};
use ringback::endpoint::agent::Rewrite;
use ringback::message::Message;
use std::time::Duration;

async fn refused(status: u16) -> Outcome {
    call_with(Script::ending(End::Refuse(status, None))).await
}

#[tokio::test(start_paused = true)]
async fn each_status_has_its_finding_its_side_and_its_advice() {
    for (status, code, side, result, verdict) in [
        (403, "forbidden", Side::Setup, "refused", Verdict::Fail),
        (404, "number-unknown", Side::Setup, "unknown number", Verdict::Fail),
        (410, "number-unknown", Side::Setup, "unknown number", Verdict::Fail),
        (604, "number-unknown", Side::Setup, "unknown number", Verdict::Fail),
        (484, "number-incomplete", Side::Setup, "unknown number", Verdict::Fail),
        (416, "scheme-refused", Side::Peer, "unknown number", Verdict::Fail),
        (408, "unavailable", Side::Peer, "unavailable", Verdict::Fail),
        (480, "unavailable", Side::Peer, "unavailable", Verdict::Fail),
        (486, "busy", Side::Peer, "busy", Verdict::Fail),
        (600, "busy", Side::Peer, "busy", Verdict::Fail),
        (603, "declined", Side::Peer, "refused", Verdict::Fail),
        (488, "media-refused", Side::Peer, "media refused", Verdict::Fail),
        (606, "media-refused", Side::Peer, "media refused", Verdict::Fail),
        (420, "extension-refused", Side::Peer, "refused", Verdict::Fail),
        (421, "extension-required", Side::Peer, "refused", Verdict::Fail),
        (422, "session-interval-refused", Side::Peer, "refused", Verdict::Fail),
        (482, "loop", Side::Peer, "refused", Verdict::Fail),
        (487, "terminated", Side::Peer, "cancelled", Verdict::Fail),
        (494, "security-agreement", Side::Setup, "refused", Verdict::Fail),
        (500, "server-failed", Side::Peer, "server failure", Verdict::Fail),
        (503, "server-failed", Side::Peer, "server failure", Verdict::Fail),
        (302, "redirected", Side::Setup, "redirected", Verdict::Fail),
        (401, "no-challenge", Side::Peer, "credentials refused", Verdict::Fail),
        (499, "refused", Side::Peer, "refused", Verdict::Fail),
    ] {
        let outcome = refused(status).await;
        assert_verdict(&outcome, verdict);
        let found = finding(&outcome, code);
        assert_eq!((found.side, fact(&outcome, "result")), (side, result), "{status}: {outcome}");
        assert!(found.seen.starts_with(&status.to_string()) && !found.advice.is_empty(), "{outcome}");
        assert!(!found.evidence.is_empty(), "{outcome}");
        assert_eq!(
            steps(&outcome),
            "party-a:pass dial:pass answer:fail audio-b-to-a:not-run hang-up:not-run",
            "{status}: {outcome}"
        );
        assert_eq!(sent(&outcome), ["INVITE", "ACK"], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_before_it_rings_fails_the_dialling() {
    let outcome = call_with(Script { ring: None, ..Script::ending(End::Refuse(404, None)) }).await;
    assert_eq!(steps(&outcome), "party-a:pass dial:fail answer:not-run audio-b-to-a:not-run hang-up:not-run");
}

#[tokio::test(start_paused = true)]
async fn reason_and_warning_are_shown() {
    let outcome =
        call_with(Script::ending(End::Refuse(486, Some("Q.850;cause=17;text=\"user busy\"")))).await;
    let seen = &finding(&outcome, "busy").seen;
    assert!(seen.contains("Reason: Q.850;cause=17;text=\"user busy\""), "{seen}");
    assert_eq!(fact(&outcome, "reason"), "Q.850;cause=17;text=\"user busy\"");
    assert_eq!(fact(&outcome, "status"), "486 Busy Here");
}

/// A script whose final response carries one more header.
fn with_header(status: u16, rewrite: fn() -> Option<Rewrite>) -> Script {
    Script { ring: None, rewrite, ..Script::ending(End::Refuse(status, None)) }
}

fn adding(header: &'static str) -> Option<Rewrite> {
    Some(Box::new(move |message: Message| {
        Some(edited(&message, "\r\nCall-ID:", &format!("\r\n{header}\r\nCall-ID:")))
    }))
}

#[tokio::test(start_paused = true)]
async fn what_a_refusal_lists_is_said() {
    let outcome = call_with(with_header(420, || adding("Unsupported: timer"))).await;
    assert_eq!(finding(&outcome, "extension-refused").seen, "420 Bad Extension: timer");
    let outcome = call_with(with_header(421, || adding("Require: 100rel"))).await;
    assert_eq!(finding(&outcome, "extension-required").seen, "421 Extension Required: 100rel");
    let outcome = call_with(with_header(503, || adding("Retry-After: 30"))).await;
    assert_verdict(&outcome, Verdict::Inconclusive);
    assert!(finding(&outcome, "overloaded").seen.contains("Retry-After 30 s"), "{outcome}");
    let scene = Scene::new(with_header(503, || adding("Retry-After: 30"))).await;
    scene.check(scene.call()).await;
    let again = scene.check(scene.call()).await;
    assert_verdict(&again, Verdict::NotRun);
    finding(&again, "withheld-retry-after");
    assert_eq!(sent(&again), [""; 0], "nothing is sent before that time");
}

#[tokio::test(start_paused = true)]
async fn a_session_interval_that_is_obeyed_is_a_warning_and_the_second_refusal_a_fault() {
    let refused = call_with(with_header(422, || adding("Min-SE: 3600"))).await;
    assert_verdict(&refused, Verdict::Fail);
    assert!(finding(&refused, "session-interval-refused").seen.contains("3600"), "{refused}");
    assert_eq!(sent(&refused), ["INVITE", "ACK", "INVITE", "ACK"]);
    let obeyed = call_with(Script { setup: |config| config.min_se = 3_600, ..Script::default() }).await;
    assert_verdict(&obeyed, Verdict::Pass);
    finding(&obeyed, "session-interval");
}

#[tokio::test(start_paused = true)]
async fn a_redirection_is_not_followed_unasked_and_said() {
    let scene = Scene::new(with_header(302, || adding("Contact: <sip:202@203.0.113.1:5060>"))).await;
    let outcome = scene.check(scene.call()).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "redirected").seen.contains("sip:202@203.0.113.1:5060"), "{outcome}");
    assert_eq!(fact(&outcome, "redirected"), "302 to sip:202@203.0.113.1:5060");
    assert_eq!(sent(&outcome), ["INVITE", "ACK"]);
}

#[tokio::test(start_paused = true)]
async fn an_unregistered_caller_is_told_that_registering_may_help() {
    let outcome = refused(403).await;
    assert!(finding(&outcome, "forbidden").advice.contains("--register-caller"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_media_cannot_be_used_is_hung_up_and_told() {
    let script = || Script {
        rewrite: || Some(Box::new(|message| Some(edited(&message, "RTP/AVP", "RTP/SAVP")))),
        ..Script::default()
    };
    let outcome = call_with(script()).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "media-unusable").seen.contains("RTP/SAVP"), "{outcome}");
    assert_eq!(sent(&outcome), ["INVITE", "ACK", "BYE"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_dialled_is_refused_before_anything_is_sent() {
    let scene = Scene::new(Script::default()).await;
    let error = Call::to(&scene.alice(), "http://x").unwrap_err().to_string();
    assert!(error.contains("target"), "{error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.network.stats().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refer_that_nobody_asked_for_is_not_dialled_and_names_its_number() {
    let outcome = call_with(Script::ending(End::Refer("sip:+19005550000@pbx.example.com"))).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert!(
        finding(&outcome, "refer-unasked").seen.contains("sip:+19005550000@pbx.example.com"),
        "{outcome}"
    );
    assert_eq!(sent(&outcome), ["INVITE", "ACK", "BYE"]);
}
