//! Plain calls between two devices.

use crate::phone::{BOB, Phone, Scene, user, wait};
use ringback::endpoint::agent::CallEventKind;
use ringback::message::Transport;
use ringback::sdp::Direction;
use ringback::sim::User;
use ringback::sim::pbx::Role;
use ringback::syntax::HeaderName;
use ringback::ua::call::{Command, Event, Hold};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn two_phones_hear_each_other_and_the_caller_hangs_up() {
    let mut scene = Scene::plain().await;
    let mut alice = scene.alice.dial("202").await;
    let mut bob = scene.bob.take().await;
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    alice.until("180", |event| matches!(event, Event::Progress { status: 180, .. })).await;
    let invite = bob.invite.clone().unwrap();
    let header = |name| String::from_utf8_lossy(invite.header(name).unwrap()).into_owned();
    assert!(
        header(HeaderName::From).starts_with("<sip:alice@lab.example>;tag="),
        "{}",
        header(HeaderName::From)
    );
    assert_eq!(header(HeaderName::PAssertedIdentity), "<sip:alice@lab.example>");
    bob.handle.command(Command::Answer).await;
    alice.until_answered().await;
    bob.until_answered().await;
    wait(1_000).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));

    let legs = scene.lab.legs();
    assert_eq!(legs.len(), 2);
    assert_eq!((legs[0].role, &*legs[0].user, &*legs[0].number), (Role::Caller, "alice", "202"));
    assert_eq!((legs[1].role, &*legs[1].user, legs[1].peer), (Role::Called, "bob", Some(legs[0].id)));
    assert!(legs.iter().all(|leg| leg.answered));
    let report = bob.handle.report().await.unwrap();
    assert_eq!(report.received.lost, 0);

    alice.handle.hang_up(Some("SIP;cause=200;text=\"done\"".to_owned())).await;
    let (_, reasons) = bob.until_over().await;
    assert_eq!(reasons, ["SIP;cause=200;text=\"done\""]);
    alice.until_over().await;
    wait(100).await;
    assert!(scene.lab.legs().is_empty(), "{:?}", scene.lab.legs());
}

#[tokio::test(start_paused = true)]
async fn the_called_one_hangs_up_and_says_why() {
    let mut scene = Scene::plain().await;
    let (mut alice, mut bob) = scene.call().await;
    bob.handle.hang_up(Some("Q.850;cause=16".to_owned())).await;
    assert_eq!(alice.until_over().await, (None, vec!["Q.850;cause=16".to_owned()]));
    bob.until_over().await;
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_back_as_it_was() {
    for status in [480, 486, 488, 603] {
        let mut scene = Scene::plain().await;
        let mut alice = scene.alice.dial("bob").await;
        let bob = scene.bob.take().await;
        let reason = Some(format!("Q.850;cause={}", status % 100));
        bob.handle.command(Command::Refuse { status, reason: reason.clone() }).await;
        assert_eq!(alice.until_over().await, (Some(status), reason.into_iter().collect()));
        wait(100).await;
        assert!(scene.lab.legs().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_is_cancelled_at_the_called_one_with_the_reason() {
    let mut scene = Scene::plain().await;
    let mut alice = scene.alice.dial("bob").await;
    let mut bob = scene.bob.take().await;
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    alice.watch(500).await;
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned();
    alice.handle.hang_up(Some(reason.clone())).await;
    assert_eq!(bob.until_over().await, (None, vec![reason]));
    alice.until_over().await;
    wait(40_000).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_in_time_is_cancelled() {
    let mut scene = Scene::plain().await;
    let mut alice = scene.alice.dial("bob").await;
    let mut bob = scene.bob.take().await;
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    assert_eq!(alice.until_over().await.0, Some(480));
    assert!((Duration::from_secs(119)..Duration::from_secs(122)).contains(&alice.began.elapsed()));
    assert!(bob.until_over().await.1[0].contains("no answer"));
}

#[tokio::test(start_paused = true)]
async fn nobody_calls_without_the_password_and_nowhere_else_than_to_a_number() {
    let mut scene = Scene::new(&[], |lab| lab.user(User::new("carol", "carolpw"))).await;
    assert_eq!(scene.alice.dial("nobody").await.until_over().await.0, Some(404));
    assert_eq!(scene.alice.dial("carol").await.until_over().await.0, Some(480), "not registered");
    "wrong".clone_into(&mut scene.alice.password);
    let mut refused = scene.alice.dial("bob").await;
    assert_eq!(refused.until_over().await.0, Some(407));
    let challenges = refused.seen.iter().filter(
        |(_, what)| matches!(what, CallEventKind::Response(response) if response.status() == Some(407)),
    );
    assert_eq!(challenges.count(), 2, "{}", refused.story());
    let mallory = Phone::new(&scene.network, "mallory", "192.0.2.66").await;
    assert_eq!(mallory.dial("bob").await.until_over().await.0, Some(403));
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_line_with_all_its_calls_is_busy() {
    let mut scene = Scene::new(&[], |lab| lab.user(user("bob", BOB).max_calls(1))).await;
    let (alice, _bob) = scene.call().await;
    assert_eq!(scene.alice.dial("bob").await.until_over().await.0, Some(486));
    assert_eq!(scene.lab.legs().len(), 2);
    drop(alice);
    wait(1_000).await;
    scene.call().await;
}

#[tokio::test(start_paused = true)]
async fn hold_goes_through_and_resume_too() {
    let mut scene = Scene::plain().await;
    let (mut alice, mut bob) = scene.call().await;
    wait(500).await;
    alice.handle.command(Command::Hold(Hold::SendOnly)).await;
    alice.until("hold", |event| matches!(event, Event::Held { .. })).await;
    let held = bob.until("hold", |event| matches!(event, Event::Held { .. })).await;
    let Event::Held { plan, .. } = held else { panic!() };
    assert_eq!(plan.direction, Direction::RecvOnly);
    wait(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![], vec![0]), "alice plays to bob");
    alice.handle.command(Command::Resume).await;
    bob.until("resume", |event| matches!(event, Event::Resumed { .. })).await;
    wait(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));

    bob.handle.command(Command::Hold(Hold::Inactive)).await;
    alice.until("hold", |event| matches!(event, Event::Held { .. })).await;
    wait(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn early_media_goes_through() {
    let mut scene = Scene::plain().await;
    let mut alice = scene.alice.dial("bob").await;
    let bob = scene.bob.take().await;
    bob.handle.command(Command::Ring { status: 183, media: true }).await;
    alice.until("early media", |event| matches!(event, Event::EarlyMedia { .. })).await;
    wait(500).await;
    assert_eq!(alice.hears().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn different_laws_are_made_one() {
    let mut scene = Scene::plain().await;
    let alice = scene.alice.dial_as("bob", |config| config.local.codecs = vec![ringback::sdp::Codec::Pcmu]);
    let mut alice = alice.await;
    let mut bob = scene.bob.take_as(|config| config.local.codecs = vec![ringback::sdp::Codec::Pcma]).await;
    bob.handle.command(Command::Answer).await;
    alice.until_answered().await;
    bob.until_answered().await;
    wait(1_000).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
    let plan = |report: ringback::endpoint::agent::MediaReport| report.plan.unwrap().codec;
    assert_ne!(plan(alice.handle.report().await.unwrap()), plan(bob.handle.report().await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn tcp_carries_calls_too() {
    let mut scene = Scene::new(&[], |lab| {
        let device = ringback::sim::Device::new(format!("sip:bob@{BOB}:5060;transport=tcp"));
        lab.user(User::new("bob", "bobpw").device(device))
    })
    .await;
    scene.alice.transport = Transport::Tcp;
    let (alice, mut bob) = scene.call().await;
    wait(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
    assert!(bob.invite.as_ref().unwrap().header(HeaderName::Via).unwrap().starts_with(b"SIP/2.0/TCP"));
    alice.handle.hang_up(None).await;
    bob.until_over().await;
}
