//! Transfers through the embedded PBX, in virtual time: who hears whom, by each kind, whether the PBX carries REFER out or passes it on.
#![allow(clippy::unwrap_used)]

use ringback::check::{
    Account, Outcome, Pace, Probe, ProbeConfig, Severity, Transfer, TransferKind, TransferTarget, Verdict,
};
use ringback::message::Transport;
use ringback::sim::{Lab, LabBuilder, MemoryNetwork, User};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

struct Scene {
    lab: Lab,
    probe: Probe,
}

impl Scene {
    async fn new(users: &[&str], faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Scene {
        let network = MemoryNetwork::new([9; 32]);
        let (pbx, ours): (IpAddr, IpAddr) = ("203.0.113.1".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let mut builder = Lab::builder().seed([1; 32]).on(&network.host([pbx]));
        for name in users {
            let mut user = User::new(*name, "pw");
            for fault in faults {
                user = user.fault(fault).unwrap();
            }
            builder = builder.user(user);
        }
        let lab = more(builder).start().await.unwrap();
        let mut config = ProbeConfig::default();
        config.endpoint.network = Some(Arc::new(network.host([ours])));
        config.endpoint.udp = vec![SocketAddr::new(ours, 5070)];
        config.endpoint.seed = Some([2; 32]);
        Scene { lab, probe: Probe::with(config).await.unwrap() }
    }

    fn account(&self, name: &str) -> Account {
        self.lab.account(name, Transport::Udp).unwrap()
    }

    fn transfer(&self, kind: TransferKind) -> Transfer {
        Transfer::new(&self.account("alice"), &self.account("bob"), &self.account("carol"), kind)
    }

    async fn check(&self, check: Transfer) -> Outcome {
        let outcome = self.probe.check(check).await;
        assert!(self.lab.legs().is_empty(), "{:?}\n{outcome}", self.lab.legs());
        assert!(self.lab.bindings("bob").is_empty() && self.lab.bindings("carol").is_empty(), "{outcome}");
        outcome
    }
}

const KINDS: [TransferKind; 3] = [TransferKind::Blind, TransferKind::Attended, TransferKind::SemiAttended];
const USERS: [&str; 3] = ["alice", "bob", "carol"];

fn codes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect()
}

#[tokio::test(start_paused = true)]
async fn each_kind_joins_the_right_two_by_either_end() {
    for kind in KINDS {
        for by_callee in [false, true] {
            let scene = Scene::new(&USERS, &[], |lab| lab).await;
            let check = scene.transfer(kind);
            let outcome = scene.check(if by_callee { check.by_callee() } else { check }).await;
            assert_eq!(outcome.verdict, Verdict::Pass, "{kind} {by_callee}\n{outcome}");
            let result = outcome.transfer.as_ref().unwrap();
            let (transferor, transferee) = if by_callee { (1, 0) } else { (0, 1) };
            let after = result.after.unwrap();
            assert!(after.joined(transferee, 2) && after.is_alone(transferor), "{kind}\n{outcome}");
            assert_eq!((result.legs_left, result.refer_status), (0, Some(202)), "{kind}\n{outcome}");
            assert_eq!(result.notified.last(), Some(&200), "{kind}\n{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_leaves_the_transferee_with_the_transferor() {
    for kind in [TransferKind::Blind, TransferKind::SemiAttended] {
        let scene = Scene::new(&USERS, &[], |lab| lab).await;
        let outcome = scene.check(scene.transfer(kind).target(TransferTarget::Refuses(486))).await;
        assert_eq!(
            (outcome.verdict, codes(&outcome)),
            (Verdict::Fail, vec!["target-refused"]),
            "{kind}\n{outcome}"
        );
        assert_eq!(outcome.transfer.as_ref().unwrap().transferee, "is back with alice", "{kind}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_transfers_at_once_end_with_the_verdict_of_one_alone() {
    use futures_util::StreamExt;
    let names: Vec<String> = (0..150).map(|n| format!("user{n}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let scene = Scene::new(&users, &[], |lab| lab).await;
    let accounts: Vec<Account> = names.iter().map(|name| scene.account(name)).collect();
    let checks: Vec<Transfer> = accounts
        .chunks(3)
        .zip(KINDS.iter().cycle())
        .map(|(three, kind)| Transfer::new(&three[0], &three[1], &three[2], *kind))
        .collect();
    let pace = Pace { concurrency: 50, per_second: None };
    let outcomes: Vec<Outcome> = scene.probe.check_many(checks, pace).collect().await;
    assert_eq!(outcomes.len(), 50);
    for outcome in &outcomes {
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    }
    assert!(scene.lab.legs().is_empty(), "{:?}", scene.lab.legs());
}

/// One transfer of this kind, with the fault at every user.
async fn with_fault(fault: &str, kind: TransferKind, target: TransferTarget) -> Outcome {
    let scene =
        Scene::new(&USERS, &[fault], |lab| if fault == "X16" { lab.relay_refer() } else { lab }).await;
    scene.check(scene.transfer(kind).target(target)).await
}

use TransferKind::{Attended, Blind};

/// The fault, the kind, the verdict, the code of the finding, and what its words hold.
#[rustfmt::skip]
const CASES: &[(&str, TransferKind, Verdict, &str, &str)] = &[
    ("X01",        Blind,    Verdict::Fail, "refer-refused",           "405"),
    ("X01:501",    Attended, Verdict::Fail, "refer-refused",           "501"),
    ("X02",        Blind,    Verdict::Fail, "refer-refused",           "403"),
    ("X03",        Blind,    Verdict::Fail, "transfer-failed",         "told 404; bob is back with alice"),
    ("X06",        Blind,    Verdict::Fail, "refer-refused",           "603"),
    ("X07:always", Blind,    Verdict::Fail, "refer-refused",           "429"),
    ("X08",        Blind,    Verdict::Fail, "refer-refused",           "420"),
    ("X09",        Blind,    Verdict::Fail, "refer-refused",           "400"),
    ("X10",        Attended, Verdict::Fail, "transfer-failed",         "told 481; bob is back with alice"),
    ("X11",        Attended, Verdict::Fail, "transfer-failed",         "told 481; bob is back with alice"),
    ("X13",        Attended, Verdict::Fail, "replaces-ignored",        "a second time"),
    ("X14",        Blind,    Verdict::Fail, "not-carried-out",         "nothing came of it; bob is back with alice"),
    ("X14",        Attended, Verdict::Fail, "not-carried-out",         "nothing came of it; bob is back with alice"),
    ("X14:silent", Blind,    Verdict::Pass, "no-notify",               "no NOTIFY came"),
    ("X14:active", Blind,    Verdict::Pass, "subscription-not-ended",  "no NOTIFY said"),
    ("X16",        Blind,    Verdict::Fail, "no-final-notify",         "alice was never told"),
    ("X19",        Blind,    Verdict::Fail, "wrong-parties-joined",    "instead alice hears carol; carol hears alice, and alice was told 200"),
    ("X19",        Attended, Verdict::Fail, "wrong-parties-joined",    "carol hears alice"),
    ("X20",        Blind,    Verdict::Fail, "transfer-failed",         "482"),
    ("H07",        Blind,    Verdict::Fail, "one-way-after-transfer",  "bob does not hear carol"),
    ("H07",        Attended, Verdict::Fail, "one-way-after-transfer",  "bob does not hear carol"),
];

#[tokio::test(start_paused = true)]
async fn each_fault_gets_its_verdict_and_its_name() {
    for (fault, kind, verdict, code, words) in CASES {
        let outcome = with_fault(fault, *kind, TransferTarget::Answers).await;
        assert_eq!(outcome.verdict, *verdict, "{fault} {kind}\n{outcome}");
        let found = outcome.findings.iter().find(|finding| finding.code == *code);
        let found = found.unwrap_or_else(|| panic!("{fault} {kind}: no {code}\n{outcome}"));
        assert!(found.seen.contains(words), "{fault} {kind}: {}\n{outcome}", found.seen);
    }
}

#[tokio::test(start_paused = true)]
async fn a_notify_of_200_while_the_target_refused_is_told_as_untrue() {
    let outcome = with_fault("X15", Blind, TransferTarget::Refuses(486)).await;
    assert_eq!((outcome.verdict, codes(&outcome)), (Verdict::Fail, vec!["notify-untrue"]), "{outcome}");
    assert!(outcome.summary.contains("alice was told 200, and bob does not talk to carol"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_challenged_in_the_call_are_answered_and_the_transfer_comes_about() {
    for kind in KINDS {
        let outcome = with_fault("A14", kind, TransferTarget::Answers).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{kind}\n{outcome}");
    }
}
