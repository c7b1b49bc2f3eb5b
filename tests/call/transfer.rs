//! The check `Transfer` where the machine or the path is busy for a moment.

use super::scene::{PEER, probe};
use ringback::check::{Probe, Side, Transfer, TransferKind, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, Link, MemoryNetwork, User};
use std::net::SocketAddr;
use std::time::Duration;

/// A PBX that passes REFER on, and three users.
pub(crate) struct Three {
    pub(crate) network: MemoryNetwork,
    lab: Lab,
    pub(crate) probe: Probe,
}

const USERS: [&str; 3] = ["alice", "bob", "carol"];

impl Three {
    pub(crate) async fn new() -> Three {
        let network = MemoryNetwork::new([1; 32]);
        let host = network.host([PEER.parse::<SocketAddr>().unwrap().ip()]);
        let lab = USERS.into_iter().fold(Lab::builder().on(&host).seed([4; 32]), |lab, name| {
            lab.user(User::new(name, format!("{name}pw")))
        });
        let lab = lab.relay_refer().start().await.unwrap();
        Three { probe: probe(&network).await, network, lab }
    }

    pub(crate) fn transfer(&self, kind: TransferKind) -> Transfer {
        let [a, b, c] = USERS.map(|name| self.lab.account(name, Transport::Udp).unwrap().named(name));
        Transfer::new(&a, &b, &c, kind)
    }
}

/// Soon after the call is up nothing gets through for so long. Nobody has anything to say then; there is only media.
async fn with_silence(lasts: Duration) -> (Verdict, String) {
    let three = Three::new().await;
    let silence = async {
        tokio::time::sleep(Duration::from_millis(450)).await;
        three.network.link_all(Link::new().loss(1.0));
        tokio::time::sleep(lasts).await;
        three.network.link_all(Link::new());
    };
    let (outcome, ()) = tokio::join!(three.probe.check(three.transfer(TransferKind::Blind)), silence);
    (outcome.verdict, outcome.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_second_without_media_is_no_verdict_and_longer_silence_is() {
    let (verdict, told) = with_silence(Duration::from_millis(1_300)).await;
    assert_eq!(verdict, Verdict::Pass, "{told}");
    let (verdict, told) = with_silence(Duration::from_millis(4_200)).await;
    assert_eq!(verdict, Verdict::Fail, "{told}");
    assert!(told.contains("audio-broken") && told.contains("error, path"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_does_not_get_to_its_packets_blames_itself() {
    let three = Three::new().await;
    let stalls = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        loop {
            tokio::time::advance(Duration::from_millis(450)).await;
        }
    };
    let outcome = tokio::select! {
        outcome = three.probe.check(three.transfer(TransferKind::Blind)) => outcome,
        () = stalls => unreachable!("they go on"),
    };
    assert_eq!(outcome.verdict, Verdict::Inconclusive, "{outcome}");
    let codes: Vec<_> = outcome.findings.iter().map(|finding| (&*finding.code, finding.side)).collect();
    assert_eq!(codes, [("probe-limit", Side::Probe)], "{outcome}");
    assert!(outcome.summary.contains("of our own packets only"), "{outcome}");
}
