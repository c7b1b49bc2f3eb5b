//! A PBX, three users and a probe in one network in memory.

use ringback::check::{Account, Outcome, Probe, Transfer, TransferKind, TransferTarget};
use ringback::message::Transport;
use ringback::sim::{Lab, LabBuilder, MemoryNetwork, User};

pub(crate) struct Scene {
    pub(crate) network: MemoryNetwork,
    pub(crate) lab: Lab,
    pub(crate) probe: Probe,
}

impl Scene {
    pub(crate) async fn new(
        users: &[&str],
        faults: &[&str],
        more: impl FnOnce(LabBuilder) -> LabBuilder,
    ) -> Scene {
        let mut builder = Lab::in_memory([9; 32]);
        for (number, name) in users.iter().enumerate() {
            let mut user = User::new(*name, "pw").extension((201 + number).to_string());
            for fault in faults {
                user = user.fault(fault).unwrap();
            }
            builder = builder.user(user);
        }
        let lab = more(builder).start().await.unwrap();
        let probe = lab.probe().await.unwrap();
        Scene { network: lab.memory_network().unwrap().clone(), lab, probe }
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        self.lab.account(name, Transport::Udp).unwrap()
    }

    pub(crate) fn transfer(&self, kind: TransferKind) -> Transfer {
        Transfer::new(&self.account("alice"), &self.account("bob"), &self.account("carol"), kind)
    }

    pub(crate) async fn check(&self, check: Transfer) -> Outcome {
        let outcome = self.probe.check(check).await;
        assert!(self.lab.legs().is_empty(), "{:?}\n{outcome}", self.lab.legs());
        assert!(self.lab.bindings("bob").is_empty() && self.lab.bindings("carol").is_empty(), "{outcome}");
        outcome
    }
}

pub(crate) const KINDS: [TransferKind; 3] =
    [TransferKind::Blind, TransferKind::Attended, TransferKind::SemiAttended];
pub(crate) const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// One transfer of this kind, with the fault at every user.
pub(crate) async fn with_fault(fault: &str, kind: TransferKind, target: TransferTarget) -> Outcome {
    let scene =
        Scene::new(&USERS, &[fault], |lab| if fault == "X16" { lab.relay_refer() } else { lab }).await;
    scene.check(scene.transfer(kind).target(target)).await
}
