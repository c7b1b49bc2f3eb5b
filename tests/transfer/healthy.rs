//! Who hears whom where all is well, and where the target refuses.

use crate::scene::{KINDS, Scene, USERS};
use crate::seen::errors;
use ringback::check::{Account, Outcome, Pace, Transfer, TransferKind, TransferTarget, Verdict};

#[tokio::test(start_paused = true)]
async fn each_kind_joins_the_right_two_by_either_end() {
    for kind in KINDS {
        for by_callee in [false, true] {
            let scene = Scene::new(&USERS, &[], |lab| lab).await;
            let check = scene.transfer(kind);
            let outcome = scene.check(if by_callee { check.by_callee() } else { check }).await;
            assert_eq!(outcome.verdict, Verdict::Pass, "{kind} {by_callee}\n{outcome}");
            let result = outcome.transfer().unwrap();
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
        assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{kind}\n{outcome}");
        assert_eq!(outcome.transfer().unwrap().transferee, "is back with alice", "{kind}\n{outcome}");
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

#[tokio::test(start_paused = true)]
async fn the_caller_is_registered_too_and_dials_a_number_where_that_is_asked_for() {
    let scene = Scene::new(&USERS, &[], |lab| lab).await;
    let check = scene.transfer(TransferKind::Blind).register_caller(true).dial("202").unwrap();
    let outcome = scene.check(check).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    let first = outcome.step("party-a").unwrap();
    assert!(first.detail.starts_with("registered at"), "{outcome}");
    assert!(scene.lab.bindings("alice").is_empty(), "{outcome}");
    let dialled = ringback::report::ladder(&outcome.transcript);
    assert!(dialled.contains("INVITE sip:202@lab.example"), "{dialled}");
}
