//! Both ends ours: whose tone arrives where, and who hangs up.

use super::scene::{assert_verdict, sent};
use crate::seen::{fact, finding, metric, steps};
use crate::switch::{Faults, Switch, between_with};
use ringback::check::{MetricValue, Side, Verdict};
use ringback::sim::Link;
use std::time::Duration;

const ALL_PASS: &str =
    "party-a:pass party-b:pass dial:pass answer:pass audio-a-to-b:pass audio-b-to-a:pass hang-up:pass";

#[tokio::test(start_paused = true)]
async fn a_healthy_call_is_heard_both_ways_and_hung_up_and_nothing_stays() {
    let switch = Switch::new(Faults::default()).await;
    switch.network.link_all(Link::new().delay(Duration::from_millis(10)));
    let outcome = switch.check(switch.between()).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(outcome.findings.is_empty(), "{outcome}");
    assert_eq!(metric(&outcome, "ring"), MetricValue::Duration(Duration::from_millis(500)));
    assert_eq!(metric(&outcome, "srd"), MetricValue::Duration(Duration::from_millis(40)));
    assert_eq!(metric(&outcome, "loss_a_to_b"), MetricValue::Percent(0.0));
    assert_eq!(fact(&outcome, "hung-up-by"), "alice");
    assert!(fact(&outcome, "caller-id").starts_with("<sip:alice@pbx>"), "{outcome}");
    assert_eq!(*switch.bindings.lock().unwrap(), None, "our binding is removed");
    assert_eq!(sent(&outcome), ["REGISTER", "REGISTER", "INVITE", "ACK", "BYE", "REGISTER"]);
    assert!(outcome.transcript.media.len() > 400, "{}", outcome.transcript.media.len());
}

#[tokio::test(start_paused = true)]
async fn the_callee_can_hang_up_too() {
    let switch = Switch::new(Faults::default()).await;
    let outcome = switch.check(switch.between().hang_up_by_callee()).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert_eq!(fact(&outcome, "hung-up-by"), "bob");
}

#[tokio::test(start_paused = true)]
async fn one_way_audio_is_told_with_its_direction() {
    let outcome = between_with(Faults { deaf_callee: true, ..Faults::default() }).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(steps(&outcome).contains("audio-a-to-b:fail audio-b-to-a:pass hang-up:pass"), "{outcome}");
    assert!(
        finding(&outcome, "one-way-audio").seen.contains("from alice to bob in 5.0 s, although alice sent"),
        "{outcome}"
    );
    let outcome = between_with(Faults { deaf_caller: true, ..Faults::default() }).await;
    assert!(finding(&outcome, "one-way-audio").seen.contains("from bob to alice"), "{outcome}");
    let outcome = between_with(Faults { deaf_caller: true, deaf_callee: true, ..Faults::default() }).await;
    assert!(finding(&outcome, "no-audio").seen.contains("none the other way"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn audio_that_stops_and_audio_that_comes_back_are_told() {
    let faults = Faults { media_ends: Some(Duration::from_millis(1_500)), ..Faults::default() };
    let outcome = between_with(faults).await;
    assert!(finding(&outcome, "audio-stopped").seen.contains("nothing in the last 1.5 s"), "{outcome}");
    let outcome = between_with(Faults { echo: true, ..Faults::default() }).await;
    assert!(
        finding(&outcome, "own-voice").seen.starts_with("alice hears itself instead of bob"),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_stays_open_after_the_hang_up_is_told() {
    let outcome = between_with(Faults { keeps_other_leg: true, ..Faults::default() }).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "hang-up-not-delivered").seen.contains("no BYE came to bob"), "{outcome}");
    assert!(outcome.finding("call-left").is_none(), "we hang up our end: {outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_somebody_else_takes_is_told() {
    let outcome = between_with(Faults { answers_itself: true, ..Faults::default() }).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "not-delivered").seen.contains("answered, but not by bob"), "{outcome}");
    assert_eq!(sent(&outcome), ["REGISTER", "REGISTER", "INVITE", "ACK", "BYE", "REGISTER"]);
}

#[tokio::test(start_paused = true)]
async fn ringing_that_is_swallowed_and_ringing_twice_are_warnings() {
    let outcome = between_with(Faults { no_ringing: true, ..Faults::default() }).await;
    assert_verdict(&outcome, Verdict::Pass);
    finding(&outcome, "no-ringing");
    let outcome = between_with(Faults { rings_twice: true, ..Faults::default() }).await;
    finding(&outcome, "rung-twice");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_platform_ends_is_told_with_its_reason() {
    let ends = |reason| Faults { ends: Some((Duration::from_secs(2), reason)), ..Faults::default() };
    let outcome = between_with(ends("Q.850;cause=41")).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(
        finding(&outcome, "dropped").seen.contains("2.0 s after the answer, Q.850;cause=41"),
        "{outcome}"
    );
    let outcome = between_with(ends("SIP;cause=200;text=\"media timeout\"")).await;
    finding(&outcome, "media-timeout");
}

#[tokio::test(start_paused = true)]
async fn a_lost_ack_is_told_at_the_callee_before_the_call_ends_of_it() {
    let lost = |message: ringback::message::Message| {
        (message.method() != Some(ringback::syntax::Method::Ack)).then_some(message)
    };
    let faults = || Faults { to_callee: Some(lost), ..Faults::default() };
    let outcome = between_with(faults()).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert_eq!(
        finding(&outcome, "ack-lost").seen,
        "the 200 of bob is not acknowledged: the call would end after 32 s"
    );
    let switch = Switch::new(faults()).await;
    let outcome = switch.check(switch.between().listen(Duration::from_secs(60))).await;
    assert_eq!(finding(&outcome, "ack-lost").seen, "the 200 of bob is not acknowledged: ended after 32 s");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_a_registered_callee_is_the_platforms_fault() {
    for (status, code) in [(404, "number-unknown"), (480, "unavailable")] {
        let outcome = between_with(Faults { refuses: Some(status), ..Faults::default() }).await;
        assert_verdict(&outcome, Verdict::Fail);
        let found = finding(&outcome, code);
        assert_eq!(found.side, Side::Peer, "{outcome}");
        assert!(found.seen.contains("although") && found.seen.contains("bob"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_in_the_middle_hangs_up_both_legs_and_unbinds() {
    for after in [100, 300, 1_000, 2_000] {
        let switch = Switch::new(Faults::default()).await;
        switch.network.link_all(Link::new().delay(Duration::from_millis(10)));
        let stopper = switch.probe.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            stopper.stop();
        });
        let outcome = switch.check(switch.between()).await;
        assert_verdict(&outcome, Verdict::Inconclusive);
        assert_eq!(*switch.bindings.lock().unwrap(), None, "after {after} ms: {outcome}");
        assert!(outcome.finding("call-left").is_none(), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_that_are_stopped_leave_nothing() {
    let switch = Switch::new(Faults::default()).await;
    let stopper = switch.probe.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        stopper.stop();
    });
    let call = || switch.check(switch.between());
    let outcomes = futures_util::future::join_all((0..100).map(|_| call())).await;
    for outcome in &outcomes {
        assert!(outcome.finding("call-left").is_none(), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn sound_that_is_not_the_other_ends_is_told_from_silence_and_from_another_codec() {
    for (edit, code, words) in [
        ((|rtp| rtp[12..].fill(0xd5)) as fn(&mut [u8]), "silence", "all of them are silence"),
        (
            |rtp| {
                rtp[12..].iter_mut().enumerate().for_each(|(i, b)| *b = if i % 16 < 8 { 0x20 } else { 0xa0 })
            },
            "other-audio",
            "it is not alice",
        ),
        (|rtp| rtp[1] = rtp[1] & 0x80 | 3, "wrong-codec", "payload type that was not agreed on"),
        (|rtp| rtp[0] = 0, "media-not-rtp", "that are no RTP"),
    ] {
        let outcome = between_with(Faults { to_callee_rtp: Some(edit), ..Faults::default() }).await;
        assert_verdict(&outcome, Verdict::Fail);
        assert!(steps(&outcome).contains("audio-a-to-b:fail audio-b-to-a:pass"), "{code}: {outcome}");
        assert!(finding(&outcome, code).seen.contains(words), "{code}: {outcome}");
    }
}
