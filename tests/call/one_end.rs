//! One end ours: a call that is answered, and everything that is not as it should be about it.

use crate::scene::*;
use crate::seen::{fact, finding, metric, steps};
use ringback::check::{Call, MetricValue, Verdict};
use ringback::sim::Link;
use std::time::Duration;

const ALL_PASS: &str = "party-a:pass dial:pass answer:pass audio-b-to-a:pass hang-up:pass";

#[tokio::test(start_paused = true)]
async fn a_number_that_answers_is_reached_and_hung_up() {
    let scene = Scene::new(Script::default()).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(20)));
    let outcome = scene.check(scene.call()).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert_verdict(&outcome, Verdict::Pass);
    assert_eq!(outcome.subject, format!("sip:alice@{PEER} -> sip:201@{PEER}"));
    assert_eq!(metric(&outcome, "srd"), MetricValue::Duration(Duration::from_millis(40)));
    assert_eq!(metric(&outcome, "ring"), MetricValue::Duration(Duration::from_secs(2)));
    assert_eq!(metric(&outcome, "sdd"), MetricValue::Duration(Duration::from_millis(40)));
    let MetricValue::Duration(round_trip) = metric(&outcome, "round_trip_a") else { panic!("{outcome}") };
    assert!(round_trip.abs_diff(Duration::from_millis(40)) < Duration::from_millis(1), "{round_trip:?}");
    assert_eq!(metric(&outcome, "loss_b_to_a"), MetricValue::Percent(0.0));
    assert_eq!(fact(&outcome, "result"), "answered");
    assert_eq!(fact(&outcome, "heard"), "sound");
    assert_eq!(fact(&outcome, "hung-up-by"), "alice");
    assert_eq!(fact(&outcome, "answered-by"), format!("phone/2 at <sip:201@{PEER}>"));
    assert_eq!(
        fact(&outcome, "media"),
        "PCMA, payload type 8 sent and 8 received, 20 ms, telephone-event 101 sent and 101 received"
    );
    assert_eq!(sent(&outcome), ["INVITE", "ACK", "BYE"]);
    assert!(outcome.findings.is_empty(), "{outcome}");
    assert_eq!(fact(&outcome, "early-media"), "no");
}

#[tokio::test(start_paused = true)]
async fn silence_is_heard_as_silence() {
    let outcome = call_with(Script { sound: None, ..Script::default() }).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert_eq!(fact(&outcome, "heard"), "silence");
    assert!(finding(&outcome, "silence").seen.contains("all of them are silence"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn media_that_the_answer_switches_off_is_told_from_media_that_is_lost() {
    let outcome = call_with(Script { mute: true, ..Script::default() }).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "no-audio").seen.contains("in 3.0 s"), "{outcome}");
    assert_eq!(steps(&outcome), "party-a:pass dial:pass answer:pass audio-b-to-a:fail hang-up:pass");
    let outcome = call_with(Script {
        mute: true,
        rewrite: || {
            Some(Box::new(|message| Some(edited(&message, "a=ptime:20", "a=ptime:20\r\na=recvonly"))))
        },
        ..Script::default()
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "media-switched-off");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_ringing_is_told() {
    let outcome = call_with(Script { ring: None, ..Script::default() }).await;
    assert_verdict(&outcome, Verdict::Pass);
    finding(&outcome, "no-ringing");
    assert!(outcome.steps[1].detail.starts_with("answered at once"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn early_media_that_comes_is_no_finding_and_one_that_does_not_is() {
    let outcome = call_with(Script { ring: Some((183, true)), ..Script::default() }).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert_eq!(fact(&outcome, "early-media"), "yes");
    assert!(outcome.findings.is_empty(), "{outcome}");
    assert_eq!(outcome.steps[1].detail, "183 Session Progress with early media after 0.00 s");
    let outcome = call_with(Script { ring: Some((183, true)), mute: true, ..Script::default() }).await;
    assert!(
        finding(&outcome, "early-media-silent").seen.contains("in the 2.0 s until the answer"),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_rings_for_ever_is_cancelled() {
    let outcome = call_with(Script::ending(End::Nothing)).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert_eq!(
        steps(&outcome),
        "party-a:pass dial:pass answer:fail audio-b-to-a:not-run hang-up:not-run",
        "{outcome}"
    );
    assert!(finding(&outcome, "not-answered").seen.contains("in 30 s"), "{outcome}");
    assert_eq!(fact(&outcome, "result"), "not answered");
    assert_eq!(sent(&outcome), ["INVITE", "CANCEL", "ACK"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_patience_is_kept() {
    let scene = Scene::new(Script::ending(End::Nothing)).await;
    let outcome = scene.check(scene.call().max_ring(Duration::from_secs(5))).await;
    assert!(outcome.took < Duration::from_secs(6), "{outcome}");
    assert!(finding(&outcome, "not-answered").seen.contains("in 5 s"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_not_the_same_as_nobody_answers() {
    let scene = Scene::new(Script::default()).await;
    let nowhere = scene.alice().registrar("sip:203.0.113.50:5060").unwrap();
    let outcome = scene.check(Call::to(&nowhere, "201").unwrap().max_ring(Duration::from_secs(8))).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert_eq!(steps(&outcome), "party-a:pass dial:fail answer:not-run audio-b-to-a:not-run hang-up:not-run");
    assert!(finding(&outcome, "no-answer").seen.contains("in 8.0 s"), "{outcome}");
    assert!(outcome.finding("call-left").is_none(), "{outcome}");
    assert_eq!(fact(&outcome, "result"), "unreachable");
    scene.peer.close().await;
    let outcome = scene.check(scene.call()).await;
    finding(&outcome, "port-closed");
    assert_eq!(fact(&outcome, "result"), "unreachable");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_far_side_ends_is_told_with_its_reason() {
    let hangs_up = End::HangUp(Duration::from_millis(1_200), Some("Q.850;cause=16"));
    let outcome = call_with(Script::ending(hangs_up)).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert_eq!(fact(&outcome, "hung-up-by"), "the far side: Q.850;cause=16");
    let last = outcome.steps.last().unwrap();
    assert_eq!(last.detail, "the far side hung up 1.2 s after the answer, Q.850;cause=16");
}

#[tokio::test(start_paused = true)]
async fn a_media_timeout_is_named() {
    let reason = Some("SIP;cause=200;text=\"RTP Timeout\"");
    let scene = Scene::new(Script::ending(End::HangUp(Duration::from_secs(30), reason))).await;
    let outcome = scene.check(scene.call().listen(Duration::from_secs(60))).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "media-timeout").seen.contains("30 s after the answer"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_ack_is_named_before_the_call_ends_of_it() {
    // The Contact of the 200 leads our ACK (and BYE) to nobody.
    let astray = || -> Script {
        Script {
            rewrite: || {
                Some(Box::new(|message| {
                    let contact = format!("Contact: <sip:201@{PEER}>");
                    Some(edited(&message, &contact, "Contact: <sip:201@203.0.113.99:5060>"))
                }))
            },
            ..Script::default()
        }
    };
    let outcome = call_with(astray()).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "ack-lost").seen.contains("would end after 32 s"), "{outcome}");
    let scene = Scene::new(astray()).await;
    let outcome = scene.check(scene.call().listen(Duration::from_secs(60))).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "ack-lost").seen.contains("after 32 s"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_refreshed_is_named() {
    // The 200 says that the far side refreshes, and it never does: our own timer runs out.
    let script = || Script {
        rewrite: || {
            Some(Box::new(|message| {
                let message = edited(
                    &message,
                    "Session-Expires: 1800;refresher=uac",
                    "Session-Expires: 90;refresher=uas",
                );
                Some(message)
            }))
        },
        ..Script::default()
    };
    let scene = Scene::new(script()).await;
    let outcome = scene.check(scene.call().listen(Duration::from_secs(120))).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "session-expired").seen.contains("did not: ended after 60 s"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_lossy_path_is_a_warning_with_figures() {
    let scene = Scene::new(Script::default()).await;
    scene.network.link_all(Link::new().loss(0.1).delay(Duration::from_millis(30)));
    let outcome = scene.check(scene.call().listen(Duration::from_secs(20))).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert!(finding(&outcome, "lossy-path").seen.contains("% lost"), "{outcome}");
    let MetricValue::Percent(lost) = metric(&outcome, "loss_b_to_a") else { panic!("{outcome}") };
    assert!((5.0..15.0).contains(&lost), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn stopping_cancels_what_rings_and_hangs_up_what_talks() {
    for (after, wanted) in [(1_000, "CANCEL"), (3_000, "BYE")] {
        let scene = Scene::new(Script::default()).await;
        let stopper = scene.probe.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            stopper.stop();
        });
        let outcome = scene.check(scene.call().listen(Duration::from_secs(30))).await;
        assert_verdict(&outcome, Verdict::Inconclusive);
        finding(&outcome, "stopped");
        assert!(sent(&outcome).iter().any(|method| method == wanted), "{wanted}: {outcome}");
        assert!(outcome.finding("call-left").is_none(), "{outcome}");
        assert!(outcome.took < Duration::from_millis(after + 1_000), "{outcome}");
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(scene.peer.stats().servers, 0, "nothing is open at the peer");
    }
}

#[tokio::test(start_paused = true)]
async fn it_works_over_tcp() {
    let scene = Scene::new(Script::default()).await;
    let alice = scene.alice().transport(ringback::message::Transport::Tcp);
    let outcome = scene.check(Call::to(&alice, "201").unwrap()).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_only_tries_is_told_from_one_that_is_silent() {
    let outcome = call_with(Script { ring: None, ..Script::ending(End::Nothing) }).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(
        finding(&outcome, "no-final-answer").seen.contains("provisional answer to the INVITE"),
        "{outcome}"
    );
    assert_eq!(fact(&outcome, "result"), "no ringing");
    assert_eq!(sent(&outcome), ["INVITE", "CANCEL", "ACK"]);
}
