//! Transfers that are stopped in the middle: they pass no verdict, and leave nothing.

use crate::scene::{Scene, USERS};
use ringback::check::TransferKind::{Attended, Blind};
use ringback::check::{FeatureCode, Transfer, Verdict};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_transfer_that_is_stopped_is_inconclusive_at_any_time_and_leaves_nothing() {
    let keys = |code: &str| FeatureCode::new(code).unwrap().number("203").unwrap();
    let checks: [fn(Transfer, &dyn Fn(&str) -> FeatureCode) -> Transfer; 4] = [
        |transfer, _| transfer,
        |transfer, keys| transfer.by_keys(keys("##")).unwrap(),
        |transfer, keys| transfer.by_keys(keys("*2")).unwrap(),
        |transfer, _| transfer.park("701").unwrap(),
    ];
    for (number, check) in checks.into_iter().enumerate() {
        for after in (100..14_000).step_by(990) {
            let scene =
                Scene::new(&USERS, &[], |lab| lab.transfer_code("##").consult_code("*2").park("70", 1)).await;
            let kind = if number == 2 { Attended } else { Blind };
            let stopper = scene.probe.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                stopper.stop();
            });
            let began = tokio::time::Instant::now();
            let outcome = scene.check(check(scene.transfer(kind), &keys)).await;
            if began.elapsed() < Duration::from_millis(after) {
                assert_eq!(outcome.verdict, Verdict::Pass, "{number} {after}\n{outcome}");
                continue;
            }
            assert_eq!(outcome.verdict, Verdict::Inconclusive, "{number} {after}\n{outcome}");
        }
    }
}
