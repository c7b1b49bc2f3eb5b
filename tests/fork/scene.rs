//! A PBX with a group of three, and a probe, in one network in memory.

use crate::meddler::{Edit, Meddler};
use ringback::check::{Account, Fork, Outcome, Probe, ProbeConfig};
use ringback::message::Transport;
use ringback::sim::{Lab, LabBuilder, MemoryNetwork, User};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The number of the group.
pub(crate) const GROUP: &str = "600";
pub(crate) const MEMBERS: [&str; 3] = ["bob", "carol", "dan"];

pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) probe: Probe,
}

/// Alice, and the members of the group with these faults.
fn with_users(lab: LabBuilder, faults: &[&str]) -> LabBuilder {
    let member = |name| faults.iter().fold(User::new(name, "pw"), |user, fault| user.fault(fault).unwrap());
    lab.user(User::new("alice", "pw")).users(MEMBERS.map(member))
}

impl Scene {
    /// Alice, and the members of the group with these faults.
    pub(crate) async fn new(faults: &[&str]) -> Scene {
        Scene::with(faults, |lab| lab.group(GROUP, MEMBERS)).await
    }

    pub(crate) async fn with(faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Scene {
        Scene::start(more(with_users(Lab::in_memory([7; 32]), faults))).await
    }

    /// The group, and this is done to all that the PBX sends.
    pub(crate) async fn meddled(faults: &[&str], edit: Edit) -> Scene {
        let lab = with_users(Lab::in_memory([7; 32]), faults).group(GROUP, MEMBERS);
        let meddler = Meddler::new(&lab.memory_host().unwrap(), edit);
        Scene::start(lab.network(Arc::new(meddler))).await
    }

    async fn start(lab: LabBuilder) -> Scene {
        let lab = lab.start().await.unwrap();
        Scene { probe: lab.probe().await.unwrap(), lab }
    }

    /// The PBX and the probe have these addresses.
    pub(crate) async fn between(addresses: [&str; 2]) -> Scene {
        let network = MemoryNetwork::new([7; 32]);
        let [pbx, ours] = addresses.map(|address| address.parse::<IpAddr>().unwrap());
        let lab = Lab::builder().seed([1; 32]).on(&network.host([pbx])).group(GROUP, MEMBERS);
        let lab = with_users(lab, &[]).start().await.unwrap();
        let mut config = ProbeConfig::default();
        config.endpoint.network = Some(Arc::new(network.host([ours])));
        config.endpoint.udp = vec![SocketAddr::new(ours, 5070)];
        config.endpoint.seed = Some([2; 32]);
        Scene { lab, probe: Probe::with(config).await.unwrap() }
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        self.lab.account(name, Transport::Udp).unwrap()
    }

    /// Alice calls the group.
    pub(crate) fn group(&self) -> Fork {
        let members = MEMBERS.map(|name| self.account(name));
        Fork::group(&self.account("alice"), GROUP, &members).unwrap()
    }

    /// Alice calls bob, who has so many devices.
    pub(crate) fn devices(&self, number: usize) -> Fork {
        Fork::bindings(&self.account("alice"), &self.account("bob"), number).unwrap()
    }

    /// Asks, and sees that nothing of it is left at the PBX.
    pub(crate) async fn check(&self, check: Fork) -> Outcome {
        let outcome = self.probe.check(check).await;
        assert!(self.lab.legs().is_empty(), "calls are left: {:?}\n{outcome}", self.lab.legs());
        for name in MEMBERS {
            assert!(self.lab.bindings(name).is_empty(), "a binding of {name} is left\n{outcome}");
        }
        assert!(outcome.finding("call-left").is_none(), "{outcome}");
        outcome
    }
}
