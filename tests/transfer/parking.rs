//! Transfers to a park orbit: who waits there, who fetches whom, and what it is called when the call is lost.

use crate::scene::{Scene, USERS};
use crate::seen::errors;
use ringback::check::{FeatureCode, Outcome, Severity, Transfer, TransferKind, Verdict};
use ringback::sim::LabBuilder;

async fn scene(faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Scene {
    Scene::new(&USERS, faults, |lab| more(lab.transfer_code("##").park("70", 2))).await
}

fn at(scene: &Scene, place: &str) -> Transfer {
    scene.transfer(TransferKind::Blind).park(place).unwrap()
}

fn detail(outcome: &Outcome, step: &str) -> String {
    outcome.step(step).unwrap().detail.clone()
}

#[tokio::test(start_paused = true)]
async fn who_is_parked_hears_music_and_is_fetched_by_another() {
    let relayed: fn(LabBuilder) -> LabBuilder = LabBuilder::relay_refer;
    for (by_keys, by_callee, more) in [
        (false, false, (|lab| lab) as fn(LabBuilder) -> LabBuilder),
        (false, true, |lab| lab),
        (false, false, relayed),
        (true, false, |lab| lab),
    ] {
        let scene = scene(&[], more).await;
        let mut check = at(&scene, "701");
        if by_callee {
            check = check.by_callee();
        }
        if by_keys {
            check = check.by_keys(FeatureCode::default()).unwrap();
        }
        let outcome = scene.check(check).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        assert!(outcome.findings.is_empty(), "{outcome}");
        let (transferor, transferee) = if by_callee { (1, 0) } else { (0, 1) };
        let who = ["alice", "bob"][transferee];
        assert_eq!(detail(&outcome, "parked"), format!("701 took {who}, who hears a sound of the platform"));
        let result = outcome.transfer().unwrap();
        let after = result.after.unwrap();
        assert!(
            after.joined(transferee, 2) && after.is_alone(transferor) && result.legs_left == 0,
            "{outcome}"
        );
        assert_eq!((result.park.as_deref(), result.transferee.as_str()), (Some("701"), "talks to carol"));
        let done = format!("{} parked {who} at 701, and carol fetched {who}", ["alice", "bob"][transferor]);
        assert!(outcome.summary.contains(&done), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn x05_a_call_that_is_lost_on_its_way_to_the_park_is_named() {
    for (by_keys, words) in [
        (false, "alice sent bob to 701 and was told 404; bob was cut off: the call is destroyed"),
        (true, "alice sent bob to 701 and was not told; bob was cut off"),
    ] {
        let scene = scene(&["X05"], |lab| lab).await;
        let mut check = at(&scene, "701");
        if by_keys {
            check = check.by_keys(FeatureCode::default()).unwrap();
        }
        let outcome = scene.check(check).await;
        assert_eq!(
            (outcome.verdict, errors(&outcome)),
            (Verdict::Fail, vec!["parked-call-lost"]),
            "{outcome}"
        );
        let found = &outcome.findings[0];
        assert!(
            found.seen.contains(words) && found.advice.contains("park by the platform's own code"),
            "{outcome}"
        );
        assert_eq!(outcome.transfer().unwrap().transferee, "was cut off");
    }
}

#[tokio::test(start_paused = true)]
async fn x05_is_told_apart_from_a_place_that_is_not_there_and_from_refer_refused() {
    for (fault, place, named, words) in [
        (&[][..], "703", "park-refused", "703 did not take bob: alice was told 404; bob is back with alice"),
        (&["X01"], "701", "refer-refused", "405"),
        (&["X14"], "701", "not-carried-out", "the REFER to 701 was accepted"),
    ] {
        let scene = scene(fault, |lab| lab).await;
        let outcome = scene.check(at(&scene, place)).await;
        assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
        assert_eq!(errors(&outcome).first(), Some(&named), "{outcome}");
        let found = outcome.findings.iter().find(|finding| finding.severity == Severity::Error).unwrap();
        assert!(found.seen.contains(words), "{outcome}");
        assert_eq!(outcome.transfer().unwrap().transferee, "is back with alice", "{outcome}");
    }
    // By a code that nobody takes.
    let scene = scene(&["X23"], |lab| lab).await;
    let outcome = scene.check(at(&scene, "701").by_keys(FeatureCode::default()).unwrap()).await;
    assert_eq!(errors(&outcome), ["feature-code-ignored"], "{outcome}");
}
