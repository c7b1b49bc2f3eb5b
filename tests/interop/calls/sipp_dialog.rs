//! Changes of a call that is up, with SIPp at the other end: offers both ways, hold, glare, session timers.

use super::phone::{Phone, Talk, all_at_once};
use crate::peer::scenario::{AUDIO, Player, Scenario, audio};
use ringback::sdp::Direction;
use ringback::ua::call::{self, By, Cause, Command, Event, Hold};

/// SIPp takes our call.
fn answered(headers: &[&str]) -> Scenario {
    Scenario::called().invited().answer("200 OK", "a", headers, AUDIO).recv("ACK")
}

async fn call_with(scenario: Scenario, adjust: impl FnOnce(&mut call::Config)) -> (Phone, Talk, Player) {
    let (player, alice) = (scenario.listen(), Phone::new("alice").await);
    let talk = alice.dial_with("bob", player.address(), adjust, None).await;
    (alice, talk, player)
}

async fn call(scenario: Scenario) -> (Phone, Talk, Player) {
    call_with(scenario, |_| {}).await
}

fn hung_up(scenario: Scenario) -> Scenario {
    scenario.recv("BYE").reply("200 OK", &[], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_invite_without_description_gets_our_offer() {
    let moved = audio(2, "sendrecv", "[local_ip]").replace("audio 6000", "audio 6002");
    let scenario = answered(&[])
        .request("INVITE", "a", &[], "")
        .may_get(100)
        .expect(200, &["m=audio [0-9]+ RTP/AVP", "Content-Type: application/sdp"])
        .request("ACK", "a", &[], &moved);
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    let before = talk.answered().await;
    let plan = talk
        .signal("the change", |event| match event {
            Event::Changed { by: By::Peer, plan } => Some(plan.clone()),
            _ => None,
        })
        .await;
    assert_eq!((before.remote.port(), plan.remote.port()), (6_000, 6_002));
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_change_at_once_and_ours_comes_again() {
    // SIPp offers while our offer is on its way: each refuses the other's.
    let scenario = answered(&[])
        .invited()
        .request("INVITE", "a", &[], &audio(2, "sendrecv", "[local_ip]"))
        .may_get(100)
        .expect(491, &[])
        .ack_refusal()
        .answer("491 Request Pending", "", &[], "")
        .recv("ACK")
        .recv_with("INVITE", &["a=sendonly"])
        .reply("200 OK", &[], &audio(3, "recvonly", "[local_ip]"))
        .recv("ACK");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.answered().await;
    talk.command(Command::Hold(Hold::SendOnly)).await;
    let again_in = talk
        .signal("the glare", |event| match event {
            Event::Glare { again_in } => Some(*again_in),
            _ => None,
        })
        .await;
    // Whose Call-ID it is waits 2.1 to 4 s (RFC 3261 sec. 14.1).
    assert!((2_100..=4_000).contains(&again_in.as_millis()), "{again_in:?}");
    assert_eq!(talk.held().await, By::Local);
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn we_hold_in_each_way() {
    let ways = [
        (Hold::SendOnly, "a=sendonly", "recvonly"),
        (Hold::Inactive, "a=inactive", "inactive"),
        (Hold::ZeroAddress, "c=IN IP4 0.0.0.0", "recvonly"),
    ];
    let mut scenario = answered(&[]);
    for (turn, (_, offered, answer)) in ways.iter().enumerate() {
        let version = 2 + 2 * turn as u32;
        scenario = scenario
            .recv_with("INVITE", &[offered, "o=[^ ]+ [0-9]+ [0-9]+ IN IP4 127.0.0.1"])
            .reply("200 OK", &[], &audio(version, answer, "[local_ip]"))
            .recv("ACK")
            .recv_with("INVITE", &["a=sendrecv", "c=IN IP4 127.0.0.1"])
            .reply("200 OK", &[], &audio(version + 1, "sendrecv", "[local_ip]"))
            .recv("ACK");
    }
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.answered().await;
    for (hold, _, _) in ways {
        talk.command(Command::Hold(hold)).await;
        assert_eq!(talk.held().await, By::Local);
        talk.command(Command::Resume).await;
        assert_eq!(talk.resumed().await, By::Local);
    }
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_holds_in_each_way() {
    let ways = [
        ("sendonly", "[local_ip]", "a=recvonly", Direction::RecvOnly),
        ("inactive", "[local_ip]", "a=inactive", Direction::Inactive),
        ("sendrecv", "0.0.0.0", "a=recvonly", Direction::RecvOnly),
    ];
    for method in ["INVITE", "UPDATE"] {
        let mut scenario = answered(&["Allow: INVITE, ACK, BYE, UPDATE"]);
        for (turn, (direction, address, answer, _)) in ways.iter().enumerate() {
            let version = 2 + 2 * turn as u32;
            for (body, pattern) in [
                (audio(version, direction, address), *answer),
                (audio(version + 1, "sendrecv", "[local_ip]"), "a=sendrecv"),
            ] {
                scenario = scenario.request(method, "a", &[], &body).may_get(100).expect(200, &[pattern]);
                if method == "INVITE" {
                    scenario = scenario.request("ACK", "a", &[], "");
                }
            }
        }
        let (_alice, mut talk, player) = call(hung_up(scenario)).await;
        talk.answered().await;
        for (_, _, _, direction) in ways {
            let held = talk
                .signal("the hold", |event| match event {
                    Event::Held { by: By::Peer, plan } => Some(plan.direction),
                    _ => None,
                })
                .await;
            assert_eq!(held, direction);
            assert_eq!(talk.resumed().await, By::Peer);
        }
        talk.hang_up().await;
        player.finished();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_422_is_obeyed() {
    let scenario = Scenario::called()
        .invited()
        .answer("422 Session Interval Too Small", "a", &["Min-SE: 3600"], "")
        .recv("ACK")
        .invited()
        .answer("200 OK", "a", &["Session-Expires: 3600;refresher=uas", "Require: timer"], AUDIO)
        .recv("ACK");
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.answered().await;
    talk.hang_up().await;
    let messages = player.finished();
    let second = &messages[messages.rfind("INVITE sip:bob").unwrap()..];
    assert!(
        second.contains("Session-Expires: 3600\r\n") && second.contains("Min-SE: 3600\r\n"),
        "{messages}"
    );
}

async fn we_refresh(method: &'static str) {
    let granted = ["Session-Expires: 6;refresher=uac", "Require: timer", "Allow: INVITE, ACK, BYE, UPDATE"];
    let by_update = method == "UPDATE";
    let mut scenario = answered(&granted)
        .recv_with(method, &["Session-Expires: 6;refresher=uac", "Supported: .*timer"])
        .reply("200 OK", &granted, if by_update { "" } else { AUDIO });
    if !by_update {
        scenario = scenario.recv("ACK");
    }
    let adjust = |config: &mut call::Config| config.prefer_update = by_update;
    let (_alice, mut talk, player) = call_with(hung_up(scenario), adjust).await;
    talk.answered().await;
    assert_eq!(talk.refreshed().await, By::Local);
    let changed = |event: &&Event| matches!(event, Event::Changed { .. } | Event::Held { .. });
    assert_eq!(talk.signals().into_iter().find(changed), None);
    talk.hang_up().await;
    player.finished();
}

/// SIPp has to refresh: too short an interval is refused, a longer one is taken.
async fn the_peer_refreshes(method: &'static str) {
    // The same numbers in both directions, so that nothing changes.
    let audio = AUDIO.replace("96", "101").replace("0-15", "0-16");
    let body = if method == "INVITE" { &audio } else { "" };
    let mut scenario = Scenario::called()
        .invited()
        .answer("200 OK", "a", &["Session-Expires: 10;refresher=uas", "Require: timer"], &audio)
        .recv("ACK")
        .request(method, "a", &["Session-Expires: 4;refresher=uac", "Supported: timer"], body)
        .may_get(100)
        .expect(422, &["Min-SE: 90"]);
    if method == "INVITE" {
        scenario = scenario.ack_refusal();
    }
    scenario = scenario
        .request(method, "a", &["Session-Expires: 90;refresher=uac", "Supported: timer"], body)
        .may_get(100)
        .expect(200, &["Session-Expires: 90;refresher=uac", "Require: timer"]);
    if method == "INVITE" {
        scenario = scenario.request("ACK", "a", &[], "");
    }
    let (_alice, mut talk, player) = call(hung_up(scenario)).await;
    talk.answered().await;
    assert_eq!(talk.refreshed().await, By::Peer);
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_refresh_is_hung_up_and_told_why() {
    let scenario = answered(&["Session-Expires: 6;refresher=uas", "Require: timer"])
        .recv_with("BYE", &["Reason: SIP;cause=408;text=.session expired."])
        .reply("200 OK", &[], "");
    let (_alice, mut talk, player) = call(scenario).await;
    talk.answered().await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::SessionExpired));
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_refreshed_by_either_side_and_method() {
    all_at_once([("INVITE", we_refresh("INVITE")), ("UPDATE", we_refresh("UPDATE"))]).await;
    all_at_once([("INVITE", the_peer_refreshes("INVITE")), ("UPDATE", the_peer_refreshes("UPDATE"))]).await;
}
