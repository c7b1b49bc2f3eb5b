//! A PBX and a probe in one network in memory.

use ringback::check::{Account, Check, Dtmf, DtmfMethod, DtmfResult, Outcome, Probe};
use ringback::message::Transport;
use ringback::sim::{Lab, LabBuilder, MemoryNetwork, User};
use std::net::IpAddr;

pub(crate) const PBX: &str = "203.0.113.1";
pub(crate) const PROBE: &str = "198.18.0.1";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) struct Scene {
    pub(crate) network: MemoryNetwork,
    pub(crate) lab: Lab,
    pub(crate) probe: Probe,
    pub(crate) alice: Account,
    pub(crate) bob: Account,
}

impl Scene {
    /// Alice, and bob with these faults.
    pub(crate) async fn new(faults: &[&str]) -> Scene {
        Scene::with(faults, |lab| lab).await
    }

    pub(crate) async fn with(faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Scene {
        Scene::seeded(5, faults, more).await
    }

    pub(crate) async fn seeded(
        seed: u8,
        faults: &[&str],
        more: impl FnOnce(LabBuilder) -> LabBuilder,
    ) -> Scene {
        let mut bob = User::new("bob", "bobpw");
        for fault in faults {
            bob = bob.fault(fault).unwrap();
        }
        let builder = Lab::in_memory([seed; 32]);
        let lab = more(builder.user(User::new("alice", "alicepw")).user(bob)).start().await.unwrap();
        let probe = lab.probe().await.unwrap();
        let alice = lab.account("alice", Transport::Udp).unwrap();
        let bob = lab.account("bob", Transport::Udp).unwrap();
        Scene { network: lab.memory_network().unwrap().clone(), lab, probe, alice, bob }
    }

    pub(crate) fn between(&self, digits: &str, method: impl Into<Option<DtmfMethod>>) -> Dtmf {
        Dtmf::between(&self.alice, &self.bob).digits(digits).unwrap().method(method)
    }

    /// Asks, and sees that nothing of it is left at the PBX.
    pub(crate) async fn check(&self, check: impl Check) -> Outcome {
        let outcome = self.probe.check(check).await;
        assert!(self.lab.legs().is_empty(), "calls are left: {:?}\n{outcome}", self.lab.legs());
        assert!(self.lab.bindings("bob").is_empty(), "a binding is left\n{outcome}");
        assert!(self.lab.bindings("alice").is_empty(), "a binding is left\n{outcome}");
        outcome
    }
}

/// One check with one fault.
pub(crate) async fn check_with(fault: &str, digits: &str, method: impl Into<Option<DtmfMethod>>) -> Outcome {
    let scene = Scene::new(&[fault]).await;
    scene.check(scene.between(digits, method)).await
}

pub(crate) fn result<'a>(outcome: &'a Outcome, step: &str) -> &'a DtmfResult {
    let found = outcome.dtmf().iter().find(|result| result.step == step);
    found.unwrap_or_else(|| panic!("no digits of step {step}:\n{outcome}"))
}

/// What the far end has read in a step.
pub(crate) fn received<'a>(outcome: &'a Outcome, step: &str) -> &'a str {
    let judged = result(outcome, step).judged.as_ref();
    &judged.unwrap_or_else(|| panic!("{step} was not sent:\n{outcome}")).received
}
