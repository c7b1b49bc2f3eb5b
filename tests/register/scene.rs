//! A registrar and a probe in one network in memory.

use ringback::check::{Check, Outcome, Probe, ProbeConfig, Register, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, MemoryHost, MemoryNetwork, Nat, User};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub(crate) const REGISTRAR: &str = "203.0.113.1";
pub(crate) const PROBE: &str = "192.0.2.7";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Everything that a test needs; the same users and seed give the same messages at the same times.
pub(crate) struct Scene {
    pub(crate) network: MemoryNetwork,
    pub(crate) lab: Lab,
    pub(crate) probe: Probe,
}

impl Scene {
    pub(crate) async fn new(users: impl IntoIterator<Item = User>) -> Scene {
        Scene::seeded(users, 1).await
    }

    pub(crate) async fn seeded(users: impl IntoIterator<Item = User>, seed: u8) -> Scene {
        let network = MemoryNetwork::new([seed; 32]);
        let host = network.host([ip(PROBE)]);
        Scene::on(network, host, users, seed).await
    }

    /// The probe behind a NAT with the public address 198.51.100.9.
    pub(crate) async fn behind_nat(users: impl IntoIterator<Item = User>) -> Scene {
        let network = MemoryNetwork::new([1; 32]);
        let host = network.host_behind(Nat::new(), ip("198.51.100.9"), [ip(PROBE)]);
        Scene::on(network, host, users, 1).await
    }

    async fn on(
        network: MemoryNetwork,
        host: MemoryHost,
        users: impl IntoIterator<Item = User>,
        seed: u8,
    ) -> Scene {
        let registrar = network.host([ip(REGISTRAR)]);
        let lab = Lab::builder().on(&registrar).users(users).seed([seed; 32]).start().await.unwrap();
        let mut config = ProbeConfig::default();
        config.endpoint.network = Some(Arc::new(host));
        config.endpoint.udp = vec![SocketAddr::new(ip(PROBE), 5070)];
        config.endpoint.seed = Some([seed.wrapping_add(1); 32]);
        let probe = Probe::with(config).await.unwrap();
        Scene { network, lab, probe }
    }

    pub(crate) fn register(&self, user: &str, transport: Transport) -> Register {
        Register::new(&self.lab.account(user, transport).unwrap())
    }

    pub(crate) async fn check(&self, check: impl Check) -> Outcome {
        self.probe.check(check).await
    }
}

/// One check of one user with one fault.
pub(crate) async fn check_with_fault(fault: &str, transport: Transport) -> Outcome {
    let user = User::new("alice", "alicepw").fault(fault).unwrap();
    let scene = Scene::new([user]).await;
    // Some faults are about devices that are there.
    let outcome = scene.check(scene.register("alice", transport).beside_live_devices(true)).await;
    scene.lab.shutdown().await;
    outcome
}

pub(crate) fn count(outcome: &Outcome, name: &str) -> u64 {
    let found = outcome.metrics.iter().find(|m| m.name == name);
    match found.unwrap_or_else(|| panic!("no metric {name}:\n{outcome}")).value {
        ringback::check::MetricValue::Count(number) => number,
        other => panic!("{name} is no count: {other}"),
    }
}

pub(crate) const ALL_PASS: &str =
    "reach:pass query:pass bind:pass granted:pass refresh:pass query-again:pass remove:pass gone:pass";

pub(crate) fn assert_verdict(outcome: &Outcome, verdict: Verdict) {
    assert_eq!(outcome.verdict, verdict, "{outcome}");
}
