//! Hold and resume, and calls that are given up, on the embedded network, in virtual time: each fault gets its verdict and its name.
#![allow(clippy::unwrap_used)]

#[path = "dtmf/scene.rs"]
#[allow(dead_code)]
mod scene;

use ringback::check::{Cancel, Check, Hold, MetricValue, Outcome, Severity, Verdict};
use ringback::ua::call::Hold as How;
use scene::{Scene, errors, finding, step};
use std::time::Duration;

async fn hold_with(faults: &[&str], change: impl FnOnce(Hold) -> Hold) -> Outcome {
    let scene = Scene::new(faults).await;
    scene.check(change(Hold::between(&scene.alice, &scene.bob))).await
}

fn fact<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let found = outcome.facts.iter().find(|fact| fact.name == name);
    &found.unwrap_or_else(|| panic!("no fact {name}:\n{outcome}")).value
}

#[tokio::test(start_paused = true)]
async fn either_end_holds_and_resumes_in_each_of_the_three_ways() {
    for how in [How::SendOnly, How::Inactive, How::ZeroAddress] {
        for by_callee in [false, true] {
            let set = |hold: Hold| if by_callee { hold.how(how).by_callee() } else { hold.how(how) };
            let outcome = hold_with(&[], set).await;
            assert_eq!(outcome.verdict, Verdict::Pass, "{how:?} {by_callee}\n{outcome}");
            for name in ["call", "before", "hold", "held", "resume", "after", "hang-up"] {
                assert_eq!(
                    step(&outcome, name).verdict,
                    Verdict::Pass,
                    "{how:?} {by_callee} {name}\n{outcome}"
                );
            }
            let hears = fact(&outcome, "held-end-hears");
            let holder = if by_callee { "bob's tone" } else { "alice's tone" };
            assert_eq!(hears, if how == How::Inactive { "silence" } else { holder }, "{how:?}\n{outcome}");
            assert!(
                outcome
                    .metrics
                    .iter()
                    .any(|m| m.name == "hold" && matches!(m.value, MetricValue::Duration(_)))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_answered_against_the_rule_is_named() {
    let outcome = hold_with(&["H02"], |hold| hold).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["hold-answer-wrong"]), "{outcome}");
    assert_eq!(fact(&outcome, "hold-answer"), "sendrecv");
    // Allowed, and told all the same.
    let outcome = hold_with(&["H02:inactive"], |hold| hold).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(finding(&outcome, "hold-answered-inactive").severity, Severity::Warning);
}

#[tokio::test(start_paused = true)]
async fn audio_that_does_not_come_back_is_told_from_a_wrong_answer_to_the_hold() {
    for (fault, answer) in [("H03", "recvonly"), ("H03:inactive", "inactive")] {
        let outcome = hold_with(&[fault], |hold| hold).await;
        assert_eq!(
            (outcome.verdict, errors(&outcome)),
            (Verdict::Fail, vec!["no-audio-after-resume"]),
            "{fault}\n{outcome}"
        );
        assert!(outcome.summary.contains(answer) && outcome.summary.contains("H03"), "{outcome}");
        assert_eq!(step(&outcome, "hold").verdict, Verdict::Pass, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_ends_held_calls_for_want_of_media_is_named() {
    let outcome = hold_with(&["H15"], |hold| hold.time(Duration::from_secs(60))).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["media-timeout"]), "{outcome}");
    assert!(outcome.summary.contains("RTP timeout"), "{outcome}");
    // Shorter than its patience there is nothing to see.
    assert_eq!(hold_with(&["H15"], |hold| hold).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn without_audio_before_nothing_is_held() {
    let outcome = hold_with(&["N12"], |hold| hold).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["no-audio-before"]), "{outcome}");
    assert_eq!(step(&outcome, "hold").verdict, Verdict::NotRun);
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_rings_is_told_that_the_call_was_taken_elsewhere() {
    let scene = Scene::new(&[]).await;
    let outcome = scene.check(Cancel::between(&scene.alice, &scene.bob)).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert!(
        outcome.findings.is_empty() && fact(&outcome, "cancel-reason").contains("cause=200"),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_without_its_reason_is_named() {
    let scene = Scene::new(&["F03"]).await;
    let outcome = scene.check(Cancel::between(&scene.alice, &scene.bob)).await;
    // The phone does stop: what is wrong is its list of missed calls.
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    let lost = finding(&outcome, "cancel-reason-lost");
    assert!(lost.severity == Severity::Warning && lost.seen.contains("F03"), "{outcome}");
    assert!(Cancel::between(&scene.alice, &scene.bob).time_limit().is_some());
}
