//! We call SIPp.

use super::phone::{Phone, Talk};
use crate::peer::scenario::{AUDIO, Player, Scenario};
use ringback::sdp::Codec;
use ringback::ua::End;
use ringback::ua::call::{By, Cause, Command, Event};
use std::time::Duration;

const RELIABLE: [&str; 1] = ["Require: 100rel"];

/// Alice calls who plays this scenario.
async fn call(scenario: Scenario) -> (Phone, Talk, Player) {
    let (player, alice) = (scenario.listen(), Phone::new("alice").await);
    let talk = alice.dial("bob", player.address()).await;
    (alice, talk, player)
}

#[tokio::test(flavor = "multi_thread")]
async fn early_media_then_the_answer() {
    let scenario = Scenario::called()
        .invited()
        .answer("183 Session Progress", "a", &[], AUDIO)
        .pause(200)
        .answer("200 OK", "a", &[], AUDIO)
        .recv_with("ACK", &["^ACK sip:a@127.0.0.1:[0-9]*;transport=UDP SIP/2.0"])
        .recv("BYE")
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    assert_eq!(talk.progress(183).await, Some(0));
    let early = talk
        .signal("early media", |event| match event {
            Event::EarlyMedia { fork: 0, plan } => Some(plan.clone()),
            _ => None,
        })
        .await;
    assert_eq!((early.codec, early.remote.port()), (Codec::Pcmu, 6_000));
    assert_eq!(early.send_telephone_event.unwrap().payload_type, 96);
    assert_eq!(early.receive_telephone_event.unwrap().payload_type, 101);
    assert_eq!(talk.answered().await, early);
    talk.hang_up().await;
    assert!(talk.last_report().sent > 5, "we send into early media: {:?}", talk.last_report());
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_early_dialogs_and_two_that_answer() {
    let scenario = Scenario::called()
        .invited()
        .answer("180 Ringing", "a", &[], "")
        .answer("183 Session Progress", "b", &[], AUDIO)
        .answer("180 Ringing", "c", &[], "")
        .answer("200 OK", "c", &[], AUDIO)
        .recv_with("ACK", &["To: .*;tag=c1", "^ACK sip:c@"])
        .answer("200 OK", "a", &[], AUDIO)
        .recv_with("ACK", &["To: .*;tag=a1", "^ACK sip:a@"])
        .recv_with("BYE", &["To: .*;tag=a1", "^BYE sip:a@"])
        .reply("200 OK", &[], "")
        .recv_with("BYE", &["To: .*;tag=c1", "^BYE sip:c@"])
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    assert_eq!(talk.progress(180).await, Some(0));
    assert_eq!(talk.progress(183).await, Some(1));
    assert_eq!(talk.progress(180).await, Some(2));
    talk.answered().await;
    talk.signal("the end of the other fork", |event| match event {
        Event::ForkHungUp { fork } => {
            assert_eq!(*fork, 0);
            Some(())
        }
        _ => None,
    })
    .await;
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_that_crosses_our_cancel_is_acknowledged_and_hung_up() {
    let scenario = Scenario::called()
        .invited()
        .answer("180 Ringing", "a", &[], "")
        .recv_with("CANCEL", &["Reason: SIP;cause=487"])
        .answer("200 OK", "a", &[], AUDIO)
        .recv_with("ACK", &["To: .*;tag=a1"])
        .recv_with("BYE", &["To: .*;tag=a1"])
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.progress(180).await;
    talk.handle.hang_up(Some("SIP;cause=487".to_owned())).await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::Cancelled), "{:#?}", talk.seen);
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_waits_for_a_provisional_response() {
    let scenario = Scenario::called()
        .invited()
        .pause(300)
        .answer("180 Ringing", "a", &[], "")
        .recv("CANCEL")
        .reply("200 OK", &[], "")
        .answer("487 Request Terminated", "a", &["Reason: SIP;cause=487;text=\"gone\""], "")
        .recv("ACK");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.handle.hang_up(None).await;
    let (by, cause, reasons) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::Cancelled), "{:#?}", talk.seen);
    assert_eq!(reasons, ["SIP;cause=487;text=\"gone\""]);
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ack_comes_again_for_each_repeated_2xx() {
    let scenario = Scenario::called()
        .invited()
        .answer("200 OK", "a", &[], AUDIO)
        .recv("ACK")
        .answer("200 OK", "a", &[], AUDIO)
        .recv("ACK")
        .pause(100)
        .answer("200 OK", "a", &[], AUDIO)
        .recv("ACK")
        .recv("BYE")
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.answered().await;
    // The BYE does not overtake the last ACK.
    tokio::time::sleep(Duration::from_millis(400)).await;
    talk.hang_up().await;
    assert_eq!(talk.signals().iter().filter(|event| matches!(event, Event::Answered(_))).count(), 1);
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn reliable_provisional_responses_get_a_prack_each() {
    let scenario = Scenario::called()
        .invited()
        .answer("183 Session Progress", "a", &[&RELIABLE[..], &["RSeq: 7001"]].concat(), AUDIO)
        .recv_with("PRACK", &["RAck: 7001 [0-9]+ INVITE", "^PRACK sip:a@"])
        .reply("200 OK", &[], "")
        .answer("180 Ringing", "a", &[&RELIABLE[..], &["RSeq: 7002"]].concat(), "")
        .recv_with("PRACK", &["RAck: 7002 [0-9]+ INVITE"])
        .reply("200 OK", &[], "")
        .answer("200 OK", "a", &[], "")
        .recv_with("ACK", &["Content-Length: 0"])
        .recv("BYE")
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    assert_eq!(talk.progress(183).await, Some(0));
    assert_eq!(talk.progress(180).await, Some(0));
    // The description was in the reliable 183, so the 200 needs none (RFC 3262 sec. 5).
    assert_eq!(talk.answered().await.remote.port(), 6_000);
    talk.hang_up().await;
    let messages = player.finished();
    let supported = |line: &str| line.starts_with("Supported:") && line.contains("100rel");
    assert!(messages.lines().any(supported), "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_302_is_followed_once() {
    let there = |user| format!("Contact: <sip:{user}@[local_ip]:[local_port]>;q=0.9");
    let scenario = Scenario::called()
        .invited()
        .answer("302 Moved Temporarily", "", &[&there("carol")], "")
        .recv("ACK")
        .invited()
        .answer("302 Moved Temporarily", "", &[&there("dave")], "")
        .recv("ACK");
    let (_alice, mut talk, player) = call(scenario).await;
    let rejection = talk.rejected().await;
    let signals = talk.signals();
    let Event::Redirected { status: 302, target } = signals[0] else { panic!("{signals:?}") };
    assert!(target.starts_with("sip:carol@127.0.0.1:"), "{target}");
    assert_eq!((rejection.end, rejection.status, rejection.requests), (End::Refused, Some(302), 2));
    let messages = player.finished();
    assert!(messages.contains("INVITE sip:carol@127.0.0.1:") && !messages.contains("INVITE sip:dave@"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_keeps_what_it_said() {
    for (status, phrase) in
        [(486, "Busy Here"), (603, "Declined by bob"), (480, "Temporarily Unavailable"), (404, "Not Found")]
    {
        let headers = [
            "Reason: Q.850;cause=17;text=\"User busy\"",
            "Warning: 399 sipp \"this is a test\"",
            "Retry-After: 18",
        ];
        let scenario = Scenario::called()
            .invited()
            .answer("180 Ringing", "a", &[], "")
            .answer(&format!("{status} {phrase}"), "a", &headers, "")
            .recv("ACK");
        let (_alice, mut talk, player) = call(scenario).await;
        let rejection = talk.rejected().await;
        assert_eq!((&rejection.end, rejection.status), (&End::Refused, Some(status)));
        assert_eq!(rejection.phrase, phrase);
        assert_eq!(rejection.reasons, ["Q.850;cause=17;text=\"User busy\""]);
        assert_eq!(rejection.warnings, ["399 sipp \"this is a test\""]);
        assert_eq!(rejection.retry_after, Some(Duration::from_secs(18)));
        player.finished();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_of_the_peer_brings_its_reason_and_ours_has_one() {
    let scenario = Scenario::called()
        .invited()
        .answer("200 OK", "a", &[], AUDIO)
        .recv("ACK")
        .request("BYE", "a", &["Reason: Q.850;cause=16;text=\"Normal\", SIP;cause=200"], "")
        .expect(200, &[]);
    let (_alice, mut talk, player) = call(scenario).await;
    let (by, cause, reasons) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    assert_eq!(reasons, ["Q.850;cause=16;text=\"Normal\"", "SIP;cause=200"]);
    player.finished();

    let scenario = Scenario::called()
        .invited()
        .answer("200 OK", "a", &[], AUDIO)
        .recv("ACK")
        .recv_with("BYE", &["Reason: SIP;cause=200;text=.done."])
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.answered().await;
    talk.command(Command::HangUp { reason: Some("SIP;cause=200;text=\"done\"".to_owned()) }).await;
    talk.ended().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "SIPp: Some(ExitStatus")]
async fn sipp_says_when_a_scenario_is_not_kept_to() {
    let scenario = Scenario::called()
        .invited()
        .answer("200 OK", "a", &[], AUDIO)
        .recv_with("ACK", &["To: .*;tag=another"])
        .recv("BYE")
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.answered().await;
    talk.handle.hang_up(None).await;
    player.finished();
}
