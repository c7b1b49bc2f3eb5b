//! Loss, delay, duplicates, disorder and IPv6.

use super::scene::{ALL_PASS, Scene, assert_verdict, ip};
use crate::seen::{finding, steps};
use ringback::check::{Probe, ProbeConfig, Reachable, Register, Verdict};
use ringback::message::Transport::{Tcp, Udp};
use ringback::sim::{Lab, Link, MemoryNetwork, User};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_bad_link_does_not_change_the_verdict() {
    for seed in 0..20 {
        let scene = Scene::seeded([User::new("alice", "alicepw")], seed).await;
        let bad = Link::new()
            .loss(0.2)
            .delay(Duration::from_millis(40))
            .jitter(Duration::from_millis(30))
            .duplication(0.1)
            .reordering(0.1);
        scene.network.link_all(bad);
        let outcome = scene.check(scene.register("alice", Udp).timeout(Duration::from_secs(300))).await;
        assert_eq!(steps(&outcome), ALL_PASS, "seed {seed}:\n{outcome}");
        assert_eq!(scene.lab.bindings("alice"), []);
    }
}

#[tokio::test(start_paused = true)]
async fn retransmissions_that_were_needed_are_told() {
    let scene = Scene::seeded([User::new("alice", "alicepw")], 3).await;
    scene.network.link_all(Link::new().loss(0.3));
    let outcome = scene.check(scene.register("alice", Udp).timeout(Duration::from_secs(300))).await;
    assert!(crate::scene::count(&outcome, "retransmissions") > 0, "{outcome}");
    finding(&outcome, "retransmissions");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_ladder() {
    let mut ladders = Vec::new();
    for _ in 0..2 {
        let scene = Scene::seeded([User::new("alice", "alicepw")], 9).await;
        scene.network.link_all(Link::new().loss(0.2).delay(Duration::from_millis(20)));
        let outcome = scene.check(scene.register("alice", Udp)).await;
        ladders.push(ringback::report::ladder(&outcome.transcript));
        scene.lab.shutdown().await;
    }
    assert_eq!(ladders[0], ladders[1]);
}

#[tokio::test(start_paused = true)]
async fn ipv6_registers_by_both_transports() {
    let network = MemoryNetwork::new([1; 32]);
    let lab = Lab::builder().on(&network.host([ip("2001:db8::1")])).user(User::new("alice", "alicepw"));
    let lab = lab.start().await.unwrap();
    let mut config = ProbeConfig::default();
    config.endpoint.network = Some(Arc::new(network.host([ip("2001:db8::7")])));
    config.endpoint.udp = vec![SocketAddr::new(ip("2001:db8::7"), 0)];
    let probe = Probe::with(config).await.unwrap();
    for transport in [Udp, Tcp] {
        let outcome = probe.check(Register::new(&lab.account("alice", transport).unwrap())).await;
        assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_too_large_for_udp_goes_by_tcp_and_it_is_said() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    let long = format!("sip:{}@lab.example", "x".repeat(300));
    let lab_uri = scene.lab.uri(Udp).unwrap();
    scene.lab.set_user(User::new("x".repeat(300), "alicepw"));
    let account = ringback::check::Account::new(&long, "alicepw").unwrap().registrar(&lab_uri).unwrap();
    let outcome = scene.check(Register::new(&account)).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert!(finding(&outcome, "transport-switched").seen.contains("tcp"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn options_finds_out_who_is_alive() {
    let scene = Scene::new([]).await;
    for transport in [Udp, Tcp] {
        let uri = scene.lab.uri(transport).unwrap();
        let outcome = scene.check(Reachable::new(&uri).unwrap()).await;
        assert_verdict(&outcome, Verdict::Pass);
        assert!(crate::seen::fact(&outcome, "status").starts_with("200"), "{outcome}");
    }
    let nobody =
        scene.check(Reachable::new("sip:203.0.113.77").unwrap().timeout(Duration::from_secs(5))).await;
    assert_verdict(&nobody, Verdict::Fail);
    finding(&nobody, "no-answer");
    let closed = scene.check(Reachable::new("sip:203.0.113.1:9;transport=tcp").unwrap()).await;
    assert_verdict(&closed, Verdict::Fail);
    finding(&closed, "port-closed");
}
