//! Through the PBX of the embedded network: a healthy call, and each fault of calls by its id in the catalogue.

use super::scene::{PEER, assert_verdict, probe};
use crate::seen::{fact, finding, metric, steps};
use ringback::check::{Account, Call, MetricValue, Outcome, Probe, Verdict};
use ringback::message::Transport;
use ringback::sim::{Device, Lab, Link, MemoryNetwork, User};
use std::net::SocketAddr;
use std::time::Duration;

const ALL_PASS: &str =
    "party-a:pass party-b:pass dial:pass answer:pass audio-a-to-b:pass audio-b-to-a:pass hang-up:pass";

pub(crate) struct World {
    pub(crate) network: MemoryNetwork,
    pub(crate) lab: Lab,
    pub(crate) probe: Probe,
}

impl World {
    /// Bob has these faults.
    pub(crate) async fn new(faults: &[&str]) -> World {
        let network = MemoryNetwork::new([1; 32]);
        let host = network.host([PEER.parse::<SocketAddr>().unwrap().ip()]);
        let mut bob = User::new("bob", "bobpw").extension("202");
        for fault in faults {
            bob = bob.fault(fault).unwrap();
        }
        let alice = User::new("alice", "alicepw").extension("201");
        let lab = Lab::builder().on(&host).seed([4; 32]).user(alice).user(bob).start().await.unwrap();
        World { probe: probe(&network).await, network, lab }
    }

    pub(crate) fn account(&self, user: &str) -> Account {
        self.lab.account(user, Transport::Udp).unwrap().named(user)
    }

    pub(crate) fn between(&self) -> Call {
        Call::between(&self.account("alice"), &self.account("bob"))
    }

    /// One check; afterwards the PBX holds no call, and bob no binding.
    pub(crate) async fn check(&self, call: Call) -> Outcome {
        let outcome = self.probe.check(call).await;
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert!(self.lab.legs().is_empty(), "{:?}\n{outcome}", self.lab.legs());
        assert_eq!(self.lab.bindings("bob"), [], "{outcome}");
        outcome
    }
}

async fn with_fault(fault: &str, listen_s: u64) -> Outcome {
    let world = World::new(&[fault]).await;
    world.check(world.between().listen(Duration::from_secs(listen_s))).await
}

#[tokio::test(start_paused = true)]
async fn a_healthy_call_passes() {
    let world = World::new(&[]).await;
    world.network.link_all(Link::new().delay(Duration::from_millis(10)));
    let outcome = world.check(world.between()).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(outcome.findings.is_empty(), "{outcome}");
    assert!(fact(&outcome, "caller-id").contains("sip:alice@lab.example"), "{outcome}");
    assert!(fact(&outcome, "caller-id-asserted").contains("sip:alice@lab.example"), "{outcome}");
    assert_eq!(metric(&outcome, "ring"), MetricValue::Duration(Duration::from_millis(500)));
    let dialled = world.check(world.between().dial("202").unwrap()).await;
    assert_eq!(steps(&dialled), ALL_PASS, "{dialled}");
    let back = world.check(world.between().hang_up_by_callee().register_caller(true)).await;
    assert_eq!(steps(&back), ALL_PASS, "{back}");
    assert_eq!(fact(&back, "hung-up-by"), "bob");
    assert_eq!(world.lab.bindings("alice"), []);
}

#[tokio::test(start_paused = true)]
async fn it_works_over_tcp() {
    let world = World::new(&[]).await;
    let account = |user: &str| world.lab.account(user, Transport::Tcp).unwrap();
    let outcome = world.check(Call::between(&account("alice"), &account("bob"))).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_calls_is_named() {
    for (fault, listen_s, verdict, code, words) in [
        ("N12", 3, Verdict::Fail, "no-audio", "none the other way"),
        ("N12:forward", 3, Verdict::Fail, "one-way-audio", "from alice to bob"),
        ("N12:backward", 3, Verdict::Fail, "one-way-audio", "from bob to alice"),
        ("H11", 3, Verdict::Pass, "ptime-not-obeyed", "packets of 30 ms"),
        ("H11:60", 3, Verdict::Pass, "ptime-not-obeyed", "packets of 60 ms"),
        ("H12", 3, Verdict::Pass, "early-media-silent", "no RTP came in the 0.5 s"),
        ("S01", 3, Verdict::Pass, "session-interval", "422"),
        ("S01:always", 3, Verdict::Fail, "session-interval-refused", "422"),
        ("S02", 90, Verdict::Fail, "session-expired", "60 s"),
        ("S02:unanswered", 120, Verdict::Fail, "session-expired", "not answered"),
        ("S03", 3, Verdict::Fail, "ack-lost", "would end after 32 s"),
        ("S03", 60, Verdict::Fail, "ack-lost", "after 32 s"),
        ("S03:contact", 3, Verdict::Fail, "ack-lost", "would end after 32 s"),
        ("S04", 3, Verdict::Fail, "extension-refused", "100rel"),
    ] {
        let outcome = with_fault(fault, listen_s).await;
        assert_eq!(outcome.verdict, verdict, "{fault}:\n{outcome}");
        let found = finding(&outcome, code);
        assert!(found.seen.contains(words), "{fault}: {words}\n{outcome}");
        assert_eq!(outcome.findings[0].code, code, "{fault}: it stands first\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn reliable_ringing_that_is_required_is_no_fault_of_a_device_that_can() {
    let outcome = with_fault("S04:required", 3).await;
    assert_verdict(&outcome, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_said_in_the_words_of_a_registration() {
    let world = World::new(&[]).await;
    let wrong = Account::new("sip:alice@lab.example", "wrong").unwrap();
    let wrong = wrong.registrar(&format!("sip:{PEER}")).unwrap();
    let outcome = world.check(Call::between(&wrong, &world.account("bob"))).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "credentials-refused").seen.contains("user \"alice\""), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn numbers_of_the_platform_are_reached_with_one_end_ours() {
    let world = World::new(&[]).await;
    let call = |number: &str| Call::to(&world.account("alice"), number).unwrap();
    let echo = world.check(call("*43")).await;
    assert_verdict(&echo, Verdict::Pass);
    let announcement = world.check(call("*60").listen(Duration::from_secs(20))).await;
    assert_verdict(&announcement, Verdict::Pass);
    assert_eq!(fact(&announcement, "heard"), "sound");
    assert!(fact(&announcement, "hung-up-by").starts_with("the far side"), "{announcement}");
    let unknown = world.check(call("999")).await;
    assert_verdict(&unknown, Verdict::Fail);
    finding(&unknown, "number-unknown");
    let unbound = world.check(call("202")).await;
    finding(&unbound, "unavailable");
    let played = world.check(call("*43").play(vec![1_000_i16; 8_000]).unwrap()).await;
    assert_verdict(&played, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_lossy_path_both_ways_is_a_warning() {
    let world = World::new(&[]).await;
    world.network.link_all(Link::new().loss(0.05).delay(Duration::from_millis(20)));
    let outcome = world.check(world.between().listen(Duration::from_secs(20))).await;
    assert_verdict(&outcome, Verdict::Pass);
    finding(&outcome, "lossy-path");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_that_are_stopped_leave_nothing() {
    let world = World::new(&[]).await;
    let stopper = world.probe.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        stopper.stop();
    });
    let call = || Call::to(&world.account("alice"), "*43").unwrap().listen(Duration::from_secs(30));
    let calls = (0..100).map(|_| world.probe.check(call()));
    let outcomes = futures_util::future::join_all(calls).await;
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Inconclusive));
    assert_eq!(world.lab.legs(), []);
}

#[tokio::test(start_paused = true)]
async fn other_devices_of_the_callee_are_told() {
    let world = World::new(&[]).await;
    let device = Device::new("sip:bob@203.0.113.20:5060").user_agent("DeskPhone/3.1");
    world.lab.set_user(User::new("bob", "bobpw").device(device));
    // Unasked nothing is bound beside it, and nobody is called.
    let outcome = world.probe.check(world.between()).await;
    assert_verdict(&outcome, Verdict::NotRun);
    assert!(outcome.summary.contains("1 device is registered for bob"), "{outcome}");
    let outcome = world.probe.check(world.between().beside_live_devices(true)).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert!(
        finding(&outcome, "rings-other-devices").seen.contains("bob has 1 other live binding"),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_of_ours_without_a_free_port_blames_ourselves() {
    let names = ["alice", "bob", "carol", "dave"];
    let lab = Lab::in_memory([5; 32]).users(names.map(|name| User::new(name, "pw"))).start().await.unwrap();
    let mut config = lab.probe_config();
    // Enough for one of the two calls, of which each caller takes the half.
    config.rtp_ports = Some(10_000..=10_003);
    let probe = Probe::with(config).await.unwrap();
    let [alice, bob, carol, dave] = names.map(|name| lab.account(name, Transport::Udp).unwrap());
    let calls = [Call::between(&alice, &bob), Call::between(&carol, &dave)];
    let [first, second] = calls.map(|call| probe.check(call));
    let (first, second) = tokio::join!(first, second);
    for (outcome, callee) in [(first, "bob"), (second, "dave")] {
        assert_verdict(&outcome, Verdict::Inconclusive);
        let found = finding(&outcome, "probe-limit");
        assert_eq!(found.side, ringback::check::Side::Probe, "{outcome}");
        assert!(
            found.seen.contains(&format!("{callee} could not take the call"))
                && found.advice.contains("--rtp-ports"),
            "{outcome}"
        );
        assert!(lab.bindings(callee).is_empty(), "{outcome}");
    }
    assert!(lab.legs().is_empty());
}
