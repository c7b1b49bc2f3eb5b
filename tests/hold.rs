//! Hold and resume, and calls that are given up, on the embedded network, in virtual time: each fault gets its verdict and its name.
#![allow(clippy::unwrap_used)]

#[path = "support/golden.rs"]
mod report;
#[path = "dtmf/scene.rs"]
#[allow(dead_code)]
mod scene;
#[path = "support/seen.rs"]
mod seen;

use report::assert_report;
use ringback::check::{
    Cancel, Check, HeardOnHold, Hold, HoldResult, MetricValue, Outcome, Severity, Side, Verdict,
};
use ringback::sim::LabBuilder;
use ringback::ua::call::Hold as How;
use scene::Scene;
use seen::{errors, fact, finding, step};
use std::time::Duration;

async fn hold_with(faults: &[&str], change: impl FnOnce(Hold) -> Hold) -> Outcome {
    hold_at(faults, |lab| lab, change).await
}

async fn hold_at(
    faults: &[&str],
    pbx: impl FnOnce(LabBuilder) -> LabBuilder,
    change: impl FnOnce(Hold) -> Hold,
) -> Outcome {
    let scene = Scene::with(faults, pbx).await;
    scene.check(change(Hold::between(&scene.alice, &scene.bob))).await
}

fn result(outcome: &Outcome) -> &HoldResult {
    outcome.hold().unwrap_or_else(|| panic!("no hold:\n{outcome}"))
}

/// The line for programs, read back.
fn hold_of_json(outcome: &Outcome) -> serde_json::Value {
    let line: serde_json::Value = serde_json::from_str(&ringback::report::json::line(outcome)).unwrap();
    line["hold"].clone()
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
            assert_eq!(
                hears,
                if how == How::Inactive { "nothing (no RTP)" } else { holder },
                "{how:?}\n{outcome}"
            );
            let result = result(&outcome);
            let number = usize::from(by_callee);
            assert_eq!((result.holder, result.how, result.passed_on), (number, how, Some(true)), "{outcome}");
            assert_eq!(
                (result.heard_on_hold, result.holder_hears),
                match how {
                    How::Inactive => (Some(HeardOnHold::NoPackets), Some(HeardOnHold::NoPackets)),
                    _ => (Some(HeardOnHold::Tone(number)), Some(HeardOnHold::NoPackets)),
                },
                "{how:?}\n{outcome}"
            );
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
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["no-audio"]), "{outcome}");
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

#[tokio::test(start_paused = true)]
async fn music_on_hold_is_known_as_a_sound_that_is_nobodys_tone_from_either_end() {
    for how in [How::SendOnly, How::Inactive, How::ZeroAddress] {
        for by_callee in [false, true] {
            let set = |hold: Hold| if by_callee { hold.how(how).by_callee() } else { hold.how(how) };
            let outcome = hold_at(&[], LabBuilder::music_on_hold, set).await;
            assert_eq!(outcome.verdict, Verdict::Pass, "{how:?} {by_callee}\n{outcome}");
            assert!(outcome.findings.is_empty(), "{outcome}");
            let result = result(&outcome);
            assert_eq!(result.heard_on_hold, Some(HeardOnHold::OtherSound), "{how:?} {by_callee}\n{outcome}");
            assert_eq!(result.holder_hears, Some(HeardOnHold::NoPackets), "{how:?} {by_callee}\n{outcome}");
            assert_eq!(result.passed_on, Some(false), "the PBX plays it itself\n{outcome}");
            assert!(fact(&outcome, "held-end-hears").contains("music"), "{outcome}");
            let json = hold_of_json(&outcome);
            assert_eq!(json["heard_on_hold"], serde_json::json!({ "sound": "other-sound" }));
            assert_eq!(json["holder"], if by_callee { "bob" } else { "alice" });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_party_whose_voice_still_comes_is_a_warning_and_music_for_it_does_not_hide_that() {
    for by_callee in [false, true] {
        let set = |hold: Hold| if by_callee { hold.by_callee() } else { hold };
        let outcome = hold_with(&["leaky-hold"], set).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        let (holder, held, number) = if by_callee { ("bob", "alice", 0) } else { ("alice", "bob", 1) };
        let found = finding(&outcome, "held-party-heard");
        assert!(
            found.seen.contains(&format!(
                "{holder} has put {held} on hold (answered recvonly), and {held}'s voice still comes to {holder}"
            )) && (found.severity, found.side) == (Severity::Warning, Side::Peer),
            "{outcome}"
        );
        assert_eq!(result(&outcome).holder_hears, Some(HeardOnHold::Tone(number)), "{outcome}");
        assert_eq!(
            hold_of_json(&outcome)["holder_hears"],
            serde_json::json!({ "sound": "tone", "party": held })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_the_old_kind_that_nobody_understands_is_told_from_a_platform_that_ends_silent_calls() {
    let long = |hold: Hold| hold.time(Duration::from_secs(40));
    let old = |hold: Hold| long(hold).how(How::ZeroAddress);
    // The first is met in the old way of hold alone, the second in every way.
    let cases = [
        ("H01", true, Verdict::Fail, Some("old-hold-not-known"), "H01"),
        ("H01", false, Verdict::Pass, None, ""),
        ("H15", true, Verdict::Fail, Some("media-timeout"), "H15"),
        ("H15", false, Verdict::Fail, Some("media-timeout"), "H15"),
    ];
    for (fault, zero, verdict, code, words) in cases {
        let outcome = hold_with(&[fault], |hold| if zero { old(hold) } else { long(hold) }).await;
        assert_eq!(outcome.verdict, verdict, "{fault} {zero}\n{outcome}");
        assert_eq!(errors(&outcome), code.into_iter().collect::<Vec<_>>(), "{fault} {zero}\n{outcome}");
        if let Some(code) = code {
            let found = finding(&outcome, code);
            assert!(found.seen.contains(words) && found.seen.contains("RTP timeout"), "{outcome}");
            assert_eq!(found.side, Side::Peer);
        }
    }
    // Too short to be dropped: what can be seen is that nobody was told, and that nothing is heard.
    let outcome = hold_with(&["H01"], |hold| hold.how(How::ZeroAddress)).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    assert_eq!(finding(&outcome, "old-hold-unnoticed").severity, Severity::Warning);
}

#[tokio::test(start_paused = true)]
async fn holds_and_cancels_look_like_this() {
    for (name, faults) in [
        ("healthy", &[][..]),
        ("silent-after-hold", &["H03"]),
        ("answer-wrong", &["H02"]),
        ("ended-while-held", &["H15"]),
    ] {
        // Who ends a call without media waits for some time.
        let time = Duration::from_secs(if faults == ["H15"] { 70 } else { 3 });
        assert_report("hold", name, &hold_with(faults, |hold| hold.time(time)).await);
    }
    for (name, faults) in [("healthy", &[][..]), ("reason-lost", &["F03"])] {
        let scene = Scene::new(faults).await;
        let outcome = scene.check(Cancel::between(&scene.alice, &scene.bob)).await;
        assert_report("cancel", name, &outcome);
    }
    let scene = Scene::new(&[]).await;
    let stopped =
        scene.probe.check_within(Duration::from_millis(300), Cancel::between(&scene.alice, &scene.bob)).await;
    assert_report("cancel", "out-of-time", &stopped);
}
