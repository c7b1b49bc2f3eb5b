//! Transfers that are stopped in the middle: they pass no verdict, and leave nothing.

use crate::scene::{Scene, USERS};
use ringback::check::TransferKind::{Attended, Blind};
use ringback::check::{FeatureCode, Transfer, Verdict};
use ringback::sim::LabBuilder;
use std::time::Duration;

/// By REFER, by keys, by keys with a consultation, to a park orbit.
const WAYS: usize = 4;

fn check(scene: &Scene, way: usize) -> Transfer {
    let keys = |code: &str| FeatureCode::new(code).unwrap().number("203").unwrap();
    match way {
        0 => scene.transfer(Blind),
        1 => scene.transfer(Blind).by_keys(keys("##")).unwrap(),
        2 => scene.transfer(Attended).by_keys(keys("*2")).unwrap(),
        _ => scene.transfer(Blind).park("701").unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_is_stopped_is_inconclusive_at_any_time_and_leaves_nothing() {
    for way in 0..WAYS {
        for after in (100..14_000).step_by(990).map(Duration::from_millis) {
            let more = |lab: LabBuilder| lab.transfer_code("##").consult_code("*2").park("70", 1);
            let scene = Scene::new(&USERS, &[], more).await;
            let stopper = scene.probe.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                stopper.stop();
            });
            let began = tokio::time::Instant::now();
            let outcome = scene.check(check(&scene, way)).await;
            // What was done before is as good as ever.
            let done = began.elapsed() < after;
            let verdict = if done { Verdict::Pass } else { Verdict::Inconclusive };
            assert_eq!(outcome.verdict, verdict, "{way} {after:?}\n{outcome}");
        }
    }
}
