//! Targets that are busy, refuse, do not answer or are not there: where is the transferee then, and what is the transferor told?

use crate::forms::transfer;
use crate::seen::errors;
use ringback::check::TransferKind::{Attended, Blind, SemiAttended};
use ringback::check::{Outcome, ReferTo, Transfer, TransferTarget, Verdict};
use std::time::Duration;

fn status(outcome: &Outcome, step: &str) -> Verdict {
    outcome.step(step).unwrap_or_else(|| panic!("no {step}\n{outcome}")).verdict
}

/// What the target does, and what the transferor is told at last where the PBX calls for it, and where the other phone does: that
/// one gives up in time.
const TARGETS: &[(TransferTarget, [u16; 2])] = &[
    (TransferTarget::Refuses(486), [486, 486]),
    (TransferTarget::Refuses(603), [603, 603]),
    (TransferTarget::Refuses(480), [480, 480]),
    (TransferTarget::Rings, [180, 487]),
];

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_take_the_call_leaves_the_transferee_with_the_transferor_and_the_notify_says_so()
 {
    for (target, last) in TARGETS {
        for kind in [Blind, SemiAttended] {
            for relay in [false, true] {
                for by_callee in [false, true] {
                    let set = |check: Transfer| {
                        let check = check.target(*target).wait(Duration::from_secs(4));
                        if by_callee { check.by_callee() } else { check }
                    };
                    let outcome = transfer(&[], relay, kind, set).await;
                    let told = format!("{target:?} {kind} relay {relay} by_callee {by_callee}\n{outcome}");
                    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{told}");
                    let (transferor, transferee) =
                        if by_callee { ("bob", "alice") } else { ("alice", "bob") };
                    let result = outcome.transfer().unwrap();
                    assert_eq!(result.transferee, format!("is back with {transferor}"), "{told}");
                    assert_eq!(result.notified.last(), Some(&last[usize::from(relay)]), "{told}");
                    assert!(outcome.summary.contains(&format!("{transferor} was told ")), "{told}");
                    assert!(
                        outcome.summary.contains(&format!("{transferee} is back with {transferor}")),
                        "{told}"
                    );
                    assert!(
                        result.after.unwrap().joined(0, 1) && result.after.unwrap().is_alone(2),
                        "{told}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_gives_up_by_itself_says_so_in_the_notify() {
    for (relay, told) in [(false, "alice was told 480"), (true, "alice was told 480")] {
        let scene = crate::scene::Scene::new(&crate::scene::USERS, &[], |lab| {
            let mut config = ringback::sim::pbx::Config::default();
            config.no_answer = Duration::from_secs(4);
            let lab = lab.pbx(config);
            if relay { lab.relay_refer() } else { lab }
        })
        .await;
        let outcome = scene.check(scene.transfer(Blind).target(TransferTarget::Rings)).await;
        assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "relay {relay}\n{outcome}");
        assert!(outcome.summary.contains(told), "relay {relay}\n{outcome}");
        assert!(outcome.summary.contains("bob is back with alice"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_the_transferor_asks_and_that_does_not_answer_means_that_nothing_is_transferred() {
    let cases = [
        (TransferTarget::Refuses(486), "carol did not take TRANSFEROR's call (486)"),
        (TransferTarget::Refuses(603), "carol did not take TRANSFEROR's call (603)"),
        (TransferTarget::Rings, "carol did not answer TRANSFEROR's call"),
    ];
    for (target, words) in cases {
        for relay in [false, true] {
            for by_callee in [false, true] {
                let set = |check: Transfer| {
                    let check = check.asked(target).unwrap().wait(Duration::from_secs(4));
                    if by_callee { check.by_callee() } else { check }
                };
                let outcome = transfer(&[], relay, Attended, set).await;
                let told = format!("{target:?} relay {relay} by_callee {by_callee}\n{outcome}");
                assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{told}");
                let (transferor, transferee) = if by_callee { ("bob", "alice") } else { ("alice", "bob") };
                assert!(outcome.summary.contains(&words.replace("TRANSFEROR", transferor)), "{told}");
                assert!(
                    outcome.summary.ends_with(&format!("{transferee} is back with {transferor}")),
                    "{told}"
                );
                assert_eq!(status(&outcome, "refer"), Verdict::NotRun, "{told}");
                assert_eq!(status(&outcome, "after"), Verdict::Pass, "{told}");
                assert_eq!(outcome.transfer().unwrap().refer_status, None, "{told}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_joins_two_calls_itself_asks_no_target_that_could_refuse() {
    for relay in [false, true] {
        let set = |check: Transfer| check.target(TransferTarget::Refuses(486));
        let outcome = transfer(&[], relay, Attended, set).await;
        // What was asked was not tried.
        let is = (outcome.verdict, errors(&outcome));
        assert_eq!(is, (Verdict::Inconclusive, vec!["target-not-asked"]), "{outcome}");
        assert!(outcome.summary.contains("so carol could not refuse"), "{outcome}");
        assert!(outcome.to_string().contains("use --asked"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_not_known_is_named_as_the_refer_named_it() {
    let unknown = |check: Transfer| check.refer_to(ReferTo::Number("999".to_owned())).unwrap();
    for relay in [false, true] {
        for by_callee in [false, true] {
            let set = |check: Transfer| if by_callee { unknown(check).by_callee() } else { unknown(check) };
            let outcome = transfer(&[], relay, Blind, set).await;
            let told = format!("relay {relay} by_callee {by_callee}\n{outcome}");
            assert_eq!(
                (outcome.verdict, errors(&outcome)),
                (Verdict::Fail, vec!["target-unknown"]),
                "{told}"
            );
            assert!(outcome.summary.starts_with("sip:999@lab.example is not known"), "{told}");
            assert!(
                outcome.summary.contains("was told 404; ") && outcome.summary.contains(" is back with "),
                "{told}"
            );
        }
        // The transferor hears of it when it calls the target itself.
        for kind in [Attended, SemiAttended] {
            let outcome = transfer(&[], relay, kind, unknown).await;
            assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
            assert_eq!(status(&outcome, "consult"), Verdict::Fail, "{outcome}");
            assert!(outcome.summary.contains("404"), "{outcome}");
            assert_eq!(outcome.transfer().unwrap().transferee, "is back with alice", "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_rings_and_is_refused_after_it_was_taken_over_comes_back_too() {
    for (target, last) in [(TransferTarget::Refuses(486), 486), (TransferTarget::Refuses(603), 603)] {
        let outcome =
            transfer(&[], false, SemiAttended, |check| check.early_replaces().unwrap().target(target)).await;
        assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
        let result = outcome.transfer().unwrap();
        assert_eq!((result.notified.last(), result.transferee.as_str()), (Some(&last), "is back with alice"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_hung_up_early_has_nobody_come_back() {
    let set = |check: Transfer| check.hang_up_early().unwrap().target(TransferTarget::Refuses(486));
    let outcome = transfer(&[], false, Blind, set).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["transferee-dropped"]), "{outcome}");
    assert!(
        outcome.summary.contains("alice was told 486; bob was cut off: alice had hung up already"),
        "{outcome}"
    );
}
