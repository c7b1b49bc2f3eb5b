//! SIPp calls us.

use super::phone::Phone;
use crate::peer::scenario::{AUDIO, Scenario};
use ringback::endpoint::agent::CallEventKind;
use ringback::syntax::Method;
use ringback::ua::call::{self, By, Cause, Command, Event};
use std::time::Duration;

const RING: Command = Command::Ring { status: 180, media: false };

/// So that 64*T1 is short.
fn quick(config: &mut call::Config) {
    config.t1 = Duration::from_millis(20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_2xx_without_ack_is_repeated_and_given_up_with_a_bye() {
    let mut bob = Phone::new("bob").await;
    let player = Scenario::calls()
        .invite(&[], AUDIO)
        .expect(180, &[])
        .expect_dialog(200, &[])
        .recv("BYE")
        .reply("200 OK", &[], "")
        .call("bob", bob.address());
    let mut talk = bob.take_with(quick, None).await;
    talk.command(RING).await;
    talk.command(Command::Answer).await;
    talk.answered().await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::NoAck));
    let messages = player.finished();
    let repeated = messages.matches("SIP/2.0 200 OK").count() - 1;
    // 20, 40, 80, 160, 320, 640 ms: seven of the same before 1,280 ms.
    assert!((6..=8).contains(&repeated), "{repeated}: {messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_2xx_is_repeated_until_its_ack_comes() {
    let mut bob = Phone::new("bob").await;
    let player = Scenario::calls()
        .invite(&[], AUDIO)
        .expect_dialog(200, &[])
        .pause(300)
        .request("ACK", "", &[], "")
        .pause(400)
        .request("BYE", "", &[], "")
        .expect(200, &[])
        .call("bob", bob.address());
    let mut talk = bob.take_with(quick, None).await;
    talk.command(Command::Answer).await;
    talk.answered().await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    let messages = player.finished();
    let repeated = messages.matches("CSeq: 101 INVITE\r\n").count();
    // The INVITE, and 2xx at 0, 20, 60, 140 and 300 ms, of which the last may or may not be before the ACK.
    assert!((5..=7).contains(&repeated), "{repeated}: {messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reliable_responses_are_sent_where_they_are_required() {
    let mut bob = Phone::new("bob").await;
    let prack = |number: u32| format!("RAck: [$rseq{number}] 101 INVITE");
    let player = Scenario::calls()
        .invite(&["Require: 100rel"], AUDIO)
        .expect_dialog(183, &["Require: 100rel", "m=audio"])
        .with_rseq()
        .request("PRACK", "", &[&prack(1)], "")
        .expect(200, &["CSeq: 102 PRACK"])
        .expect(180, &["Require: 100rel"])
        .with_rseq()
        .request("PRACK", "", &[&prack(2)], "")
        .expect(200, &["CSeq: 103 PRACK"])
        .expect(200, &["CSeq: 101 INVITE", "Content-Length: 0"])
        .request("ACK", "", &[], "")
        .request("BYE", "", &[], "")
        .expect(200, &[])
        .call("bob", bob.address());
    let mut talk = bob.take().await;
    // Each waits for the PRACK of the one before.
    talk.command(Command::Ring { status: 183, media: true }).await;
    talk.command(RING).await;
    talk.until("a PRACK", |what| match what {
        CallEventKind::Request(request) => {
            assert_eq!(request.method(), Some(Method::Prack));
            Some(())
        }
        _ => None,
    })
    .await;
    talk.command(Command::Answer).await;
    talk.answered().await;
    talk.ended().await;
    assert!(talk.signals().iter().any(|event| matches!(event, Event::EarlyMedia { .. })));
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_prack_the_call_is_given_up() {
    let mut bob = Phone::new("bob").await;
    let player = Scenario::calls()
        .invite(&["Require: 100rel"], AUDIO)
        .expect_dialog(180, &[])
        .expect(504, &[])
        .ack_refusal()
        .call("bob", bob.address());
    let mut talk = bob.take_with(quick, None).await;
    talk.command(RING).await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::NoPrack));
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_without_description_gets_our_offer() {
    let mut bob = Phone::new("bob").await;
    let player = Scenario::calls()
        .invite(&[], "")
        .expect_dialog(200, &["m=audio [0-9]+ RTP/AVP 8 0 101"])
        .request("ACK", "", &[], AUDIO)
        .recv("BYE")
        .reply("200 OK", &[], "")
        .call("bob", bob.address());
    let mut talk = bob.take().await;
    talk.command(Command::Answer).await;
    assert_eq!(talk.answered().await.remote.port(), 6_000);
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_the_ringing() {
    let mut bob = Phone::new("bob").await;
    let player = Scenario::calls()
        .invite(&[], AUDIO)
        .expect_dialog(180, &[])
        .cancel(&["Reason: SIP;cause=200;text=\"Call completed elsewhere\""])
        .expect(200, &["CSeq: 101 CANCEL"])
        .expect(487, &["CSeq: 101 INVITE"])
        .ack_refusal()
        .call("bob", bob.address());
    let mut talk = bob.take().await;
    talk.command(RING).await;
    let (by, cause, reasons) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::Cancelled));
    assert_eq!(reasons, ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn we_refuse_with_a_reason() {
    let mut bob = Phone::new("bob").await;
    for (status, reason) in [(486, Some("Q.850;cause=17")), (603, None), (480, None), (404, None)] {
        let pattern = match reason {
            Some(reason) => format!("Reason: {reason}"),
            None => "Content-Length: 0".to_owned(),
        };
        let player = Scenario::calls()
            .invite(&[], AUDIO)
            .expect_dialog(status, &[&pattern])
            .ack_refusal()
            .call("bob", bob.address());
        let mut talk = bob.take().await;
        talk.command(Command::Refuse { status, reason: reason.map(str::to_owned) }).await;
        let (by, cause, _) = talk.ended().await;
        assert_eq!((by, cause), (By::Local, Cause::Refused(status)));
        player.finished();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_session_is_refused_and_one_of_who_knows_no_timers_is_refreshed_by_us() {
    let mut bob = Phone::new("bob").await;
    let player = Scenario::calls()
        .invite(&["Supported: timer", "Session-Expires: 50"], AUDIO)
        .expect_dialog(422, &["Min-SE: 90"])
        .ack_refusal()
        .invite(&["Supported: timer", "Session-Expires: 91", "Min-SE: 90"], AUDIO)
        .expect_dialog(200, &["Session-Expires: 91;refresher=uac", "Require: timer"])
        .request("ACK", "", &[], "")
        .request("BYE", "", &[], "")
        .expect(200, &[])
        .call("bob", bob.address());
    let mut refused = bob.take().await;
    assert_eq!(refused.ended().await.1, Cause::Refused(422));
    let mut talk = bob.take().await;
    talk.command(Command::Answer).await;
    talk.ended().await;
    player.finished();

    let player = Scenario::calls()
        .invite(&["Session-Expires: 6"], AUDIO)
        .expect_dialog(200, &["Session-Expires: 6;refresher=uas"])
        .request("ACK", "", &[], "")
        .recv_with("INVITE", &["Session-Expires: 6;refresher=uac", "m=audio"])
        .reply("200 OK", &["Session-Expires: 6;refresher=uac"], AUDIO)
        .recv("ACK")
        .recv("BYE")
        .reply("200 OK", &[], "")
        .call("bob", bob.address());
    let mut talk = bob.take().await;
    talk.command(Command::Answer).await;
    talk.answered().await;
    assert_eq!(talk.refreshed().await, By::Local);
    talk.hang_up().await;
    player.finished();
}
