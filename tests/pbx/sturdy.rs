//! Calls that end oddly, many at once, and peers that send nonsense: both legs are always released.

use crate::phone::{PBX, Scene, ip, wait};
use ringback::sim::{Ivr, Link};
use ringback::transport::Network;
use ringback::ua::call::{Command, Event};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn whoever_vanishes_takes_no_leg_with_him() {
    // The caller lets go at every moment of a call; the callee rings, answers, or does nothing.
    for (step, millis) in [0_u64, 1, 5, 20, 100, 300, 1_000].into_iter().enumerate() {
        for reaction in 0..4 {
            let mut scene = Scene::silent(&[]).await;
            scene.network.link_all(Link::new().delay(Duration::from_millis(7)));
            let alice = scene.alice.dial("bob").await;
            let bob = tokio::time::timeout(Duration::from_millis(200), scene.bob.take()).await.ok();
            if let Some(bob) = &bob {
                match reaction {
                    0 => bob.handle.command(Command::Ring { status: 180, media: false }).await,
                    1 => bob.handle.command(Command::Answer).await,
                    2 => bob.handle.command(Command::Ring { status: 183, media: true }).await,
                    _ => {}
                }
            }
            wait(millis).await;
            if step % 2 == 0 {
                drop(alice)
            } else {
                drop(bob)
            }
            wait(100_000).await;
            let legs = scene.lab.legs();
            assert!(legs.is_empty(), "{millis} ms, {reaction}: {legs:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lossy_network_leaves_no_leg_behind() {
    for seed in 0..8_u8 {
        let mut scene = Scene::silent(&[]).await;
        let link = Link::new().delay(Duration::from_millis(10 + u64::from(seed))).loss(0.2).reordering(0.1);
        scene.network.link_all(link.duplication(0.1));
        let mut alice = scene.alice.dial("bob").await;
        let bob = scene.bob.take().await;
        bob.handle.command(Command::Answer).await;
        alice.until_answered().await;
        wait(3_000).await;
        drop(alice);
        wait(100_000).await;
        assert!(scene.lab.legs().is_empty(), "{seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_calls_at_once_are_fifty_calls() {
    let mut scene = Scene::silent(&[]).await;
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(scene.alice.dial("bob").await);
    }
    let mut answered = Vec::new();
    for _ in 0..50 {
        let bob = scene.bob.take().await;
        bob.handle.command(Command::Answer).await;
        answered.push(bob);
    }
    for call in &mut calls {
        call.until_answered().await;
    }
    assert_eq!(scene.lab.legs().iter().filter(|leg| leg.answered && leg.peer.is_some()).count(), 100);
    calls.clear();
    for bob in &mut answered {
        bob.until_over().await;
    }
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_calls_himself_rings_himself() {
    let mut scene = Scene::plain().await;
    let mut out = scene.alice.dial("201").await;
    let called = scene.alice.take().await;
    called.handle.command(Command::Answer).await;
    out.until_answered().await;
    assert_eq!(scene.lab.legs().len(), 2);
    out.handle.hang_up(None).await;
    out.until_over().await;
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_cannot_be_taken_rings_nobody() {
    let mut scene = Scene::plain().await;
    let mut alice = scene.alice.dial_as("bob", |config| config.local.codecs = vec![]).await;
    assert_eq!(alice.until_over().await.0, Some(488));
    assert!(tokio::time::timeout(Duration::from_secs(1), scene.bob.invited()).await.is_err());
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn menus_that_lead_to_each_other_come_to_an_end() {
    let menu = |number: &str, next: &str| Ivr::new(number).option("1", next).unwrap();
    let scene = Scene::new(&[], |lab| lab.ivr(menu("700", "701")).ivr(menu("701", "700"))).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    for _ in 0..10 {
        let body = b"Signal=1\r\nDuration=100\r\n".to_vec();
        let content_type = "application/dtmf-relay".to_owned();
        alice.handle.command(Command::Info { token: 1, content_type, body }).await;
        alice.watch(200).await;
    }
    let ended = alice.signals().find_map(|event| match event {
        Event::Ended { reasons, .. } => Some(reasons.clone()),
        _ => None,
    });
    assert_eq!(ended.unwrap(), ["SIP;cause=482"]);
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn garbage_on_the_media_ports_is_no_concern_of_the_call() {
    let mut scene = Scene::plain().await;
    let (alice, bob) = scene.call().await;
    let stranger = scene.network.host([ip("203.0.113.9")]);
    let socket = stranger.bind_udp((ip("203.0.113.9"), 0).into()).unwrap();
    let plan = alice.handle.report().await.unwrap().plan.unwrap();
    assert_eq!(plan.remote.ip(), ip(PBX));
    for length in 0..200_u8 {
        let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(length).wrapping_add(0x80)).collect();
        socket.try_send(&bytes, plan.remote).unwrap();
    }
    wait(1_000).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_network_ends_its_calls() {
    let mut scene = Scene::plain().await;
    let (mut alice, mut bob) = scene.call().await;
    drop(scene.lab);
    alice.until_over().await;
    bob.until_over().await;

    let mut scene = Scene::plain().await;
    let (mut alice, mut bob) = scene.call().await;
    scene.lab.shutdown().await;
    alice.until_over().await;
    bob.until_over().await;
    assert!(alice.began.elapsed() < Duration::from_secs(1));
}
