//! What faults do to the signalling of calls: timers, extensions, ACK, CANCEL.

use crate::phone::{Call, Phone, Scene, wait};
use ringback::endpoint::agent::CallEventKind;
use ringback::message::Message;
use ringback::syntax::{HeaderName, Limits};
use ringback::transport::{Direction, RecordEvent};
use ringback::ua::call::{Cause, Command, Event};
use std::time::Duration;

fn header(message: &Message, name: HeaderName) -> String {
    String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned()
}

/// Responses to the INVITE of a call with this status.
fn responses(call: &Call, status: u16) -> Vec<&Message> {
    let mut found = Vec::new();
    for (_, what) in &call.seen {
        if let CallEventKind::Response(response) = what
            && response.status() == Some(status)
        {
            found.push(response);
        }
    }
    found
}

/// Messages that a phone sent or received, with the time in seconds.
fn messages(phone: &Phone, which: Direction, began: tokio::time::Instant) -> Vec<(f64, Message)> {
    let parsed = |bytes: &bytes::Bytes| Message::parse(bytes.clone(), &Limits::default()).unwrap();
    let records = phone.agent.recorder().records();
    records
        .iter()
        .filter_map(|record| match &record.event {
            RecordEvent::Message { direction, bytes, .. } if *direction == which => {
                let after = record.at.saturating_duration_since(began.into_std());
                Some((after.as_secs_f64(), parsed(bytes)))
            }
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn s01_a_session_interval_is_too_small() {
    for (fault, min_se) in [("S01", "3600"), ("S01:2400", "2400")] {
        let mut scene = Scene::silent(&[fault]).await;
        let (alice, _bob) = scene.call().await;
        let refused = responses(&alice, 422);
        assert_eq!(refused.len(), 1);
        assert_eq!(header(refused[0], HeaderName::MinSe), min_se);
    }
    let scene = Scene::silent(&["S01:always"]).await;
    let mut alice = scene.alice.dial("bob").await;
    assert_eq!(alice.until_over().await.0, Some(422));
    let asked: Vec<String> = responses(&alice, 422).iter().map(|r| header(r, HeaderName::MinSe)).collect();
    assert_eq!(asked, ["2400", "3000"]);
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn s02_nobody_refreshes_the_session_and_the_call_ends_at_a_fixed_time() {
    for (fault, interval, seconds) in [("S02", "90", 60), ("S02:300", "300", 268)] {
        let mut scene = Scene::silent(&[fault]).await;
        let (mut alice, mut bob) = scene.call().await;
        let granted = header(responses(&alice, 200)[0], HeaderName::SessionExpires);
        assert_eq!(granted, format!("{interval};refresher=uas"));
        alice.until_over().await;
        bob.until_over().await;
        assert_eq!(alice.began.elapsed().as_secs(), seconds, "{fault}");
        let refreshes = messages(&scene.alice, Direction::Received, alice.began).into_iter();
        assert_eq!(refreshes.filter(|(_, m)| m.is_request() && !m.body().is_empty()).count(), 0);
        wait(100).await;
        assert!(scene.lab.legs().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn s02_who_knows_no_timers_is_hung_up_at_the_same_time() {
    let mut scene = Scene::silent(&["S02"]).await;
    let mut alice = scene.alice.dial_as("bob", |config| config.session_expires = None).await;
    let bob = scene.bob.take().await;
    bob.handle.command(Command::Answer).await;
    alice.until_answered().await;
    assert_eq!(alice.until_over().await.1, ["SIP;cause=408;text=\"session expired\""]);
    assert_eq!(alice.began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn s02_refreshes_are_not_answered() {
    let mut scene = Scene::silent(&["S02:unanswered"]).await;
    let (mut alice, mut bob) = scene.call().await;
    assert_eq!(header(responses(&alice, 200)[0], HeaderName::SessionExpires), "90;refresher=uac");
    alice.until_over().await;
    bob.until_over().await;
    let sent = messages(&scene.alice, Direction::Sent, alice.began);
    let refresh = sent.iter().find(|(at, m)| *at > 40.0 && header(m, HeaderName::CSeq).ends_with(" INVITE"));
    assert_eq!(refresh.unwrap().0.round() as u64, 45);
    let answers = messages(&scene.alice, Direction::Received, alice.began);
    let invites = answers.iter().filter(|(_, m)| header(m, HeaderName::CSeq).ends_with(" INVITE"));
    assert!(invites.clone().all(|(at, m)| *at < 40.0 || m.status() == Some(100)), "no final answer");
    assert!(alice.began.elapsed() < Duration::from_secs(80));
    wait(40_000).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn s03_the_ack_never_arrives() {
    for fault in ["S03", "S03:contact"] {
        let mut scene = Scene::silent(&[fault]).await;
        let (mut alice, mut bob) = scene.call().await;
        bob.until_over().await;
        let dropped = alice.began.elapsed().as_secs();
        assert_eq!(dropped, 32, "{fault}");
        alice.watch(40_000).await;
        let answers = messages(&scene.alice, Direction::Received, alice.began);
        let repeated = answers.iter().filter(|(_, m)| m.status() == Some(200) && !m.body().is_empty());
        assert_eq!(repeated.count(), 11, "{fault}: once, and again until 32 s");
        let acks = messages(&scene.alice, Direction::Sent, alice.began);
        let acks: Vec<_> =
            acks.iter().filter(|(_, m)| header(m, HeaderName::CSeq).ends_with(" ACK")).collect();
        assert!(acks.len() >= 11, "{fault}: alice sent an ACK for each");
        let nowhere = acks.last().unwrap().1.request_uri_bytes().unwrap().ends_with(b":9");
        assert_eq!(nowhere, fault == "S03:contact");
        wait(40_000).await;
        assert!(scene.lab.legs().is_empty(), "{fault}: {:?}", scene.lab.legs());
    }
}

#[tokio::test(start_paused = true)]
async fn s04_reliable_provisional_responses_are_refused_or_demanded() {
    let scene = Scene::silent(&["S04"]).await;
    let mut alice = scene.alice.dial("bob").await;
    assert_eq!(alice.until_over().await.0, Some(420));
    assert_eq!(header(responses(&alice, 420)[0], HeaderName::Unsupported), "100rel");

    let mut scene = Scene::silent(&["S04:required"]).await;
    let mut alice = scene.alice.dial("bob").await;
    let bob = scene.bob.take().await;
    assert_eq!(header(bob.invite.as_ref().unwrap(), HeaderName::Require), "100rel");
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    alice.until("180", |event| matches!(event, Event::Progress { status: 180, .. })).await;
    bob.handle.command(Command::Answer).await;
    alice.until_answered().await;
}

#[tokio::test(start_paused = true)]
async fn f03_a_cancel_has_lost_its_reason() {
    for fault in [None, Some("F03")] {
        let mut scene = Scene::silent(fault.as_slice()).await;
        let mut alice = scene.alice.dial("bob").await;
        let mut bob = scene.bob.take().await;
        bob.handle.command(Command::Ring { status: 180, media: false }).await;
        alice.watch(500).await;
        let reason = "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned();
        alice.handle.hang_up(Some(reason.clone())).await;
        let ended = bob.until("end", |event| matches!(event, Event::Ended { .. })).await;
        let Event::Ended { cause: Cause::Cancelled, reasons, .. } = ended else { panic!("{ended:?}") };
        assert_eq!(reasons, if fault.is_some() { vec![] } else { vec![reason] });
    }
}
