//! What peers do that is rare, wrong, or the end of everything.

use super::phone::{Phone, Talk, all_at_once};
use crate::peer::port;
use crate::peer::scenario::{AUDIO, Player, Scenario, audio};
use ringback::message::Transport;
use ringback::sdp::SdpError;
use ringback::ua::End;
use ringback::ua::call::{By, Cause, Command, Event, Hold};

async fn call(scenario: Scenario) -> (Phone, Talk, Player) {
    let (player, alice) = (scenario.listen(), Phone::quick("alice").await);
    let talk = alice.dial("bob", player.address()).await;
    (alice, talk, player)
}

fn answered() -> Scenario {
    Scenario::called()
        .invited()
        .answer("200 OK", "a", &["Allow: INVITE, ACK, BYE, UPDATE, INFO"], AUDIO)
        .recv("ACK")
}

fn hung_up(scenario: Scenario) -> Scenario {
    scenario.recv("BYE").reply("200 OK", &[], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_differs_from_the_early_media_and_is_written_oddly() {
    let moved = audio(2, "sendrecv", "[local_ip]").replace("audio 6000", "audio 6002");
    let scenario = Scenario::called()
        .invited()
        .answer("183 Session Progress", "a", &[], AUDIO)
        .answer_bare(
            "200 All right",
            "a",
            &[
                "m:<sip:a@[local_ip]:[local_port]>",
                "k: timer",
                "Server:",
                "X-Odd: \"",
                "Supported: , 100rel,",
            ],
            &moved.replace("\ns=-\n", "\ns= \n"),
        )
        .recv("ACK");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    assert_eq!(talk.answered().await.remote.port(), 6_002);
    talk.hang_up().await;
    player.finished();
}

async fn unusable(body: String, wrong: fn(&SdpError) -> bool) {
    let scenario = Scenario::called().invited().answer("200 OK", "a", &[], &body).recv("ACK");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    let (by, cause, _) = talk.ended().await;
    assert!(by == By::Local && matches!(&cause, Cause::Media(error) if wrong(error)), "{cause:?}");
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_used_is_acknowledged_and_hung_up() {
    let is = |body: String, wrong| unusable(body, wrong);
    all_at_once([
        ("none", is(String::new(), |e| *e == SdpError::Missing)),
        ("refused", is(AUDIO.replace("audio 6000", "audio 0"), |e| *e == SdpError::Refused)),
        ("codec", is(AUDIO.replace("AVP 0 96", "AVP 18 96"), |e| matches!(e, SdpError::NoCommonCodec(_)))),
        ("secure", is(AUDIO.replace("RTP/AVP", "RTP/SAVP"), |e| matches!(e, SdpError::Transport(_)))),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_2xx_without_contact_is_answered_where_the_invite_went() {
    let scenario = Scenario::called()
        .invited()
        .answer_bare("200 OK", "a", &[], AUDIO)
        .recv_with("ACK", &["^ACK sip:bob@127.0.0.1:"])
        .recv_with("BYE", &["^BYE sip:bob@127.0.0.1:"])
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.answered().await;
    talk.hang_up().await;
    player.finished();
}

/// The ports of a call that has ended are free at once, though the call waits for repetitions of its 2xx.
#[tokio::test(flavor = "multi_thread")]
async fn one_pair_of_ports_is_enough_for_calls_one_after_the_other() {
    let player = hung_up(answered()).listen_for(3);
    let ports = port::free_pair();
    let alice = Phone::with_ports("alice", ports..=ports + 1).await;
    for _ in 0..3 {
        let mut talk = alice.dial("bob", player.address()).await;
        assert_eq!(talk.handle.rtp().port(), ports);
        talk.answered().await;
        talk.hang_up().await;
    }
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_before_the_answer() {
    let moved = audio(2, "sendrecv", "[local_ip]").replace("audio 6000", "audio 6002");
    let scenario = Scenario::called()
        .invited()
        .answer("183 Session Progress", "a", &["Require: 100rel", "RSeq: 1"], AUDIO)
        .recv("PRACK")
        .reply("200 OK", &[], "")
        .request("UPDATE", "a", &[], &moved)
        .expect(200, &["m=audio"])
        .answer("200 OK", "a", &[], "")
        .recv("ACK");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.progress(183).await;
    assert_eq!(talk.answered().await.remote.port(), 6_002);
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_leaves_all_as_it_was() {
    // The peer's: no codec in common. Ours: refused in several ways. The call goes on.
    let unusable = audio(2, "sendrecv", "[local_ip]").replace("AVP 0 96", "AVP 18");
    let scenario = answered()
        .request("INVITE", "a", &[], &unusable)
        .may_get(100)
        .expect(488, &["Warning: 304"])
        .ack_refusal()
        .recv_with("INVITE", &["a=sendonly"])
        .reply("488 Not Acceptable Here", &[], "")
        .recv("ACK")
        .recv_with("INVITE", &["a=inactive"])
        .reply("500 Server Internal Error", &["Retry-After: 1"], "")
        .recv("ACK")
        .request("OPTIONS", "a", &[], "")
        .expect(200, &["Allow: .*INVITE"])
        .request("MESSAGE", "a", &[], "")
        .expect(405, &["Allow: .*INVITE"])
        .request("INVITE", "a", &[], &audio(3, "sendrecv", "[local_ip]"))
        .may_get(100)
        .expect(200, &["a=sendrecv"])
        .request("ACK", "a", &[], "");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.answered().await;
    talk.signal("the peer's attempt", |event| match event {
        Event::MediaFailed(error) => {
            assert!(matches!(error, SdpError::NoCommonCodec(_)));
            Some(())
        }
        _ => None,
    })
    .await;
    for (hold, refusal) in [(Hold::SendOnly, 488), (Hold::Inactive, 500)] {
        talk.command(Command::Hold(hold)).await;
        let status = talk
            .signal("the refusal", |event| match event {
                Event::ChangeFailed { status } => Some(*status),
                _ => None,
            })
            .await;
        assert_eq!(status, Some(refusal));
    }
    // Until the last ACK of SIPp is there.
    talk.until("the last change", |what| match what {
        ringback::endpoint::agent::CallEventKind::Request(request) => {
            request.body().starts_with(b"v=0").then_some(())
        }
        _ => None,
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_info_may_be_refused_and_one_that_finds_no_call_ends_it() {
    let mut scenario = answered();
    for status in ["405 Method Not Allowed", "415 Unsupported Media Type", "501 Not Implemented"] {
        scenario = scenario.recv("INFO").reply(status, &[], "");
    }
    let scenario = scenario.recv("INFO").reply("481 Call/Transaction Does Not Exist", &[], "");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.answered().await;
    for (token, expected) in [(1, 405), (2, 415), (3, 501), (4, 481)] {
        let (content_type, body) = ("application/dtmf".to_owned(), b"1".to_vec());
        talk.command(Command::Info { token, content_type, body }).await;
        let answer = talk
            .signal("its answer", |event| match event {
                Event::InfoAnswered { token, status } => Some((*token, *status)),
                _ => None,
            })
            .await;
        assert_eq!(answer, (token, Some(expected)));
    }
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::DialogGone(481)));
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_given_up() {
    // Nothing at all; nothing after 180; nothing after CANCEL; nothing after BYE.
    let (_alice, mut talk, player) = call(Scenario::called().invited().pause(1_500)).await;
    let rejection = talk.rejected().await;
    assert_eq!((rejection.end, rejection.status), (End::Timeout, None));
    player.finished();

    let scenario = Scenario::called()
        .invited()
        .answer("180 Ringing", "a", &[], "")
        .recv("CANCEL")
        .reply("200 OK", &[], "")
        .pause(1_500);
    let (_alice, mut talk, player) = call(scenario).await;
    talk.progress(180).await;
    talk.handle.hang_up(None).await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::Cancelled));
    player.finished();

    let (_alice, mut talk, player) = call(answered().recv("BYE").pause(1_500)).await;
    talk.answered().await;
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hang_up_at_once() {
    let scenario =
        answered().recv("BYE").request("BYE", "a", &[], "").expect(200, &["CSeq: [0-9]+ BYE"]).pause(100);
    let (_alice, mut talk, player) = call(scenario).await;
    talk.answered().await;
    talk.handle.hang_up(None).await;
    talk.ended().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_is_let_go_is_hung_up() {
    const CALLS: u32 = 50;
    let up = answered().recv("BYE").reply("200 OK", &[], "").listen_for(CALLS);
    let rings = Scenario::called()
        .invited()
        .answer("180 Ringing", "a", &[], "")
        .recv("CANCEL")
        .reply("200 OK", &[], "")
        .answer("487 Request Terminated", "a", &[], "")
        .recv("ACK")
        .listen_for(CALLS);
    let alice = Phone::new("alice").await;
    let mut talks = Vec::new();
    for _ in 0..CALLS {
        talks.push((alice.dial("bob", up.address()).await, alice.dial("bob", rings.address()).await));
    }
    for (up, rings) in &mut talks {
        up.answered().await;
        rings.progress(180).await;
    }
    drop(talks);
    up.finished();
    rings.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_by_itself() {
    let mut bob = Phone::new("bob").await;
    let unusable = AUDIO.replace("AVP 0 96", "AVP 18");
    for (headers, body, status, pattern) in [
        (&["Require: foo, 100rel, bar"][..], AUDIO, 420, "Unsupported: foo, bar"),
        (&[], unusable.as_str(), 488, "Warning: 304"),
        (&["Supported: timer", "Session-Expires: 20"], AUDIO, 422, "Min-SE: 90"),
    ] {
        let player = Scenario::calls()
            .invite(headers, body)
            .expect_dialog(status, &[pattern])
            .ack_refusal()
            .call("bob", bob.address());
        let mut talk = bob.take().await;
        assert_eq!(talk.ended().await.1, Cause::Refused(status));
        player.finished();
    }
    // Nobody takes it.
    let player =
        Scenario::calls().invite(&[], AUDIO).expect_dialog(480, &[]).ack_refusal().call("bob", bob.address());
    drop(bob.invited().await);
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_both_roles_by_tcp() {
    let scenario = answered()
        .recv_with("INVITE", &["a=sendonly", "^INVITE sip:a@127.0.0.1:[0-9]*;transport=TCP", "SIP/2.0/TCP"])
        .reply("200 OK", &[], &audio(2, "recvonly", "[local_ip]"))
        .recv("ACK");
    let player = hung_up(scenario).by_tcp().listen();
    let mut alice = Phone::at("alice", player.address().ip(), Transport::Tcp).await;
    let mut talk = alice.dial("bob", player.address()).await;
    talk.answered().await;
    talk.command(Command::Hold(Hold::SendOnly)).await;
    assert_eq!(talk.held().await, By::Local);
    talk.hang_up().await;
    player.finished();

    let player = Scenario::calls()
        .invite(&[], AUDIO)
        .expect(180, &[])
        .expect_dialog(200, &["Contact: <sip:alice@127.0.0.1:[0-9]*;transport=tcp>"])
        .request("ACK", "", &[], "")
        .request("INFO", "", &[], "")
        .expect(200, &[])
        .request("BYE", "", &[], "")
        .expect(200, &[])
        .by_tcp()
        .call("alice", alice.address());
    let mut talk = alice.take().await;
    talk.command(Command::Ring { status: 180, media: false }).await;
    talk.command(Command::Answer).await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    player.finished();
}
