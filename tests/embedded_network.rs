//! The embedded network as its users see it: over loopback and, in virtual time, over a network in memory.
#![allow(clippy::unwrap_used)]

use futures_util::StreamExt;
use ringback::check::{Account, Outcome, Pace, Probe, ProbeConfig, Register, Verdict};
use ringback::message::Transport;
use ringback::sim::{Device, Lab, Link, MemoryHost, MemoryNetwork, Nat, User};
use ringback::transport::{Direction, RecordEvent};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const SERVER: &str = "192.0.2.1";
const SERVER_V6: &str = "2001:db8::1";
const PHONE: &str = "10.0.0.1";
const ROUTER: &str = "198.51.100.7";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
fn alice(fault: &str) -> User {
    let alice = User::new("alice", "alicepw");
    if fault.is_empty() { alice } else { alice.fault(fault).unwrap() }
}
/// The network's server, answering.
async fn lab(network: &MemoryNetwork, user: User) -> Lab {
    let host = network.host([ip(SERVER), ip(SERVER_V6)]);
    Lab::builder().seed([2; 32]).user(user).on(&host).start().await.unwrap()
}
async fn probe(host: &MemoryHost, local: &str) -> Probe {
    let mut config = ProbeConfig::default().bind(local).unwrap();
    config.endpoint.network = Some(Arc::new(host.clone()));
    config.endpoint.seed = Some([3; 32]);
    Probe::with(config).await.unwrap()
}
async fn register(lab: &Lab, probe: &Probe, transport: Transport) -> Outcome {
    probe.check(Register::new(&lab.account("alice", transport).unwrap()).beside_live_devices(true)).await
}
/// What came and went, and when.
fn ladder(outcome: &Outcome) -> Vec<(Duration, String)> {
    let records = outcome.transcript.records.iter();
    records
        .map(|record| (record.at - outcome.transcript.began, format!("{:?} {:?}", record.flow, record.event)))
        .collect()
}
/// Bytes that came, of whole messages and of others.
fn received(outcome: &Outcome) -> Vec<Vec<u8>> {
    let bytes = |event: &RecordEvent| match event {
        RecordEvent::Message { direction: Direction::Received, bytes, .. } => Some(bytes.to_vec()),
        RecordEvent::Malformed { bytes, .. } => Some(bytes.to_vec()),
        _ => None,
    };
    outcome.transcript.records.iter().filter_map(|record| bytes(&record.event)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_ladder_to_the_millisecond() {
    async fn run(seed: u8) -> Outcome {
        let network = MemoryNetwork::new([seed; 32]);
        let link = Link::new().delay(Duration::from_millis(30)).jitter(Duration::from_millis(20));
        network.link_all(link.loss(0.2).duplication(0.1).reordering(0.1));
        let lab = lab(&network, alice("")).await;
        let probe = probe(&network.host([ip(PHONE)]), "udp:10.0.0.1:0").await;
        register(&lab, &probe, Transport::Udp).await
    }
    let first = run(1).await;
    assert_eq!(first.verdict, Verdict::Pass, "{first}");
    assert_eq!(ladder(&first), ladder(&run(1).await));
    assert_ne!(ladder(&first), ladder(&run(2).await));
}

#[tokio::test(start_paused = true)]
async fn loss_is_survived_by_retransmission_and_leaves_one_binding_at_a_time() {
    for seed in 0..20 {
        let network = MemoryNetwork::new([seed; 32]);
        network.link_all(Link::new().delay(Duration::from_millis(20)).loss(0.2).duplication(0.2));
        let lab = lab(&network, alice("")).await;
        let probe = probe(&network.host([ip(PHONE)]), "udp:10.0.0.1:0").await;
        let outcome = register(&lab, &probe, Transport::Udp).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "seed {seed}: {outcome}");
        assert!(lab.bindings("alice").is_empty());
        assert!(lab.seen().iter().all(|seen| matches!(seen.status, Some(200 | 401))), "{:?}", lab.seen());
    }
}

#[tokio::test(start_paused = true)]
async fn every_transport_and_family_in_memory_registers() {
    for (transport, local, server) in [
        (Transport::Udp, "udp:10.0.0.1:0", SERVER),
        (Transport::Tcp, "udp:10.0.0.1:0", SERVER),
        (Transport::Udp, "udp:[2001:db8::7]:0", SERVER_V6),
        (Transport::Tcp, "udp:[2001:db8::7]:0", SERVER_V6),
    ] {
        let network = MemoryNetwork::new([4; 32]);
        let lab = lab(&network, alice("")).await;
        let probe = probe(&network.host([ip(PHONE), ip("2001:db8::7")]), local).await;
        let registrar = format!("sip:{};transport={transport}", SocketAddr::new(ip(server), 5060));
        let account =
            Account::new("sip:alice@lab.example", "alicepw").unwrap().registrar(&registrar).unwrap();
        let outcome = probe.check(Register::new(&account)).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        let seen = lab.seen();
        assert!(
            seen.iter().all(|seen| seen.flow.transport == transport && seen.flow.local.ip() == ip(server))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transport_and_family_of_loopback_registers() {
    let lab = Lab::builder().user(alice("")).v6().start().await.unwrap();
    assert_eq!(lab.addrs().len(), 4);
    assert_eq!(lab.addr(Transport::Udp), lab.addr(Transport::Tcp), "one port for both");
    for (transport, address) in lab.addrs() {
        let local = SocketAddr::new(address.ip(), 0);
        let probe = Probe::bind(&format!("udp:{local}")).await.unwrap();
        let registrar = format!("sip:{address};transport={transport}");
        let account =
            Account::new("sip:alice@lab.example", "alicepw").unwrap().registrar(&registrar).unwrap();
        let outcome = probe.check(Register::new(&account)).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_nat_answers_come_by_rport_and_without_it_not_at_all() {
    for (fault, verdict) in [("", Verdict::Pass), ("N04", Verdict::Fail)] {
        let network = MemoryNetwork::new([5; 32]);
        let lab = lab(&network, alice(fault)).await;
        let phone = network.host_behind(Nat::new(), ip(ROUTER), [ip(PHONE)]);
        let probe = probe(&phone, "udp:10.0.0.1:5060").await;
        let outcome = register(&lab, &probe, Transport::Udp).await;
        assert_eq!(outcome.verdict, verdict, "{outcome}");
        let seen = lab.seen();
        assert!(
            seen.iter().all(|seen| seen.flow.remote.ip() == ip(ROUTER) && seen.flow.remote.port() != 5060)
        );
        assert_eq!(received(&outcome).is_empty(), !fault.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_answer_is_no_message() {
    let network = MemoryNetwork::new([6; 32]);
    let lab = lab(&network, alice("T02:truncated")).await;
    let probe = probe(&network.host([ip(PHONE)]), "udp:10.0.0.1:0").await;
    let outcome = register(&lab, &probe, Transport::Udp).await;
    assert_ne!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(lab.seen().iter().map(|seen| seen.status).collect::<Vec<_>>(), [Some(401), Some(200)]);
    let stats = probe.endpoint().stats();
    assert_eq!((stats.received, stats.malformed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_by_the_server() {
    let network = MemoryNetwork::new([7; 32]);
    let lab = lab(&network, alice("T12:20")).await;
    let probe = probe(&network.host([ip(PHONE)]), "udp:10.0.0.1:0").await;
    let outcome = register(&lab, &probe, Transport::Tcp).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(lab.endpoint().stats().connections, 1);
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(lab.endpoint().stats().connections, 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(lab.endpoint().stats().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn users_change_while_it_runs_and_bindings_say_who_is_there() {
    let network = MemoryNetwork::new([8; 32]);
    let desk = Device::new("sip:alice@192.0.2.50").user_agent("DeskPhone/3.1").expires(600);
    let lab = lab(&network, alice("R18").device(desk)).await;
    let probe = probe(&network.host([ip(PHONE)]), "udp:10.0.0.1:5062").await;
    assert_eq!(register(&lab, &probe, Transport::Udp).await.verdict, Verdict::Fail);
    let bindings = lab.bindings("alice");
    let of: Vec<_> =
        bindings.iter().map(|b| (b.user_agent.as_deref().unwrap(), b.source.map(|s| s.remote))).collect();
    let own = (concat!("ringback/", env!("CARGO_PKG_VERSION")), Some("10.0.0.1:5062".parse().unwrap()));
    assert_eq!(of, [("DeskPhone/3.1", None), own]);

    lab.set_user(User::new("alice", "anotherpw"));
    assert_eq!(register(&lab, &probe, Transport::Udp).await.verdict, Verdict::Pass, "the account follows");
    let old = Account::new("sip:alice@lab.example", "alicepw")
        .unwrap()
        .registrar(&lab.uri(Transport::Udp).unwrap())
        .unwrap();
    assert_eq!(probe.check(Register::new(&old)).await.verdict, Verdict::Fail);
    assert!(lab.remove_user("alice"));
    assert!(lab.account("alice", Transport::Udp).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_accounts_register_at_once_and_leave_nothing() {
    let name = |n: usize| format!("user{n:03}");
    let lab = Lab::builder().users((0..200).map(|n| User::new(name(n), "pw"))).start().await.unwrap();
    let probe = Probe::bind("udp:127.0.0.1:0").await.unwrap();
    let checks: Vec<_> =
        (0..200).map(|n| Register::new(&lab.account(&name(n), Transport::Udp).unwrap())).collect();
    let mut outcomes = std::pin::pin!(probe.check_many(checks, Pace { concurrency: 64, per_second: None }));
    let mut passed = 0;
    while let Some(outcome) = outcomes.next().await {
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        passed += 1;
    }
    assert_eq!(passed, 200);
    assert!((0..200).all(|n| lab.bindings(&name(n)).is_empty()));
    let address = lab.addr(Transport::Udp).unwrap();
    lab.shutdown().await;
    assert!(std::net::UdpSocket::bind(address).is_ok(), "its port is free again");
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_concern_of_the_others() {
    let network = MemoryNetwork::new([9; 32]);
    let lab = lab(&network, alice("")).await;
    let stranger = network.host([ip("203.0.113.9")]);
    let socket = ringback::transport::Network::bind_udp(&stranger, "203.0.113.9:0".parse().unwrap()).unwrap();
    let server = SocketAddr::new(ip(SERVER), 5060);
    for text in [
        &b""[..],
        b"\r\n\r\n",
        b"\0\xff\xfe",
        b"REGISTER sip:lab.example SIP/2.0\r\n\r\n",
        b"REGISTER sip:lab.example SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1\r\nFrom: x;tag=1\r\nTo: <sip:\xe9@lab.example>\r\n\
          Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: *\r\nContact: <sip:\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\r\n",
    ] {
        for _ in 0..50 {
            socket.try_send(text, server).unwrap();
        }
    }
    let probe = probe(&network.host([ip(PHONE)]), "udp:10.0.0.1:0").await;
    let outcome = register(&lab, &probe, Transport::Udp).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
}
