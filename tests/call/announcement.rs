//! An announcement: answered and heard to its end, cut short, or not answered.

use crate::scene::*;
use crate::seen::{fact, finding, metric, steps};
use ringback::check::{MetricValue, Outcome, Verdict};
use ringback::media::tone::Tone;
use std::time::Duration;

fn announcement(seconds: usize) -> Vec<i16> {
    let mut samples = Vec::new();
    Tone::sine(700.0, -12.0).write(seconds * 8_000, &mut samples);
    samples
}

async fn announce(script: Script) -> Outcome {
    let scene = Scene::new(script).await;
    scene.check(scene.call().play(announcement(4)).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn it_is_played_after_the_answer_and_then_hung_up() {
    let outcome = announce(Script { sound: None, ..Script::default() }).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert_eq!(steps(&outcome), "party-a:pass dial:pass answer:pass play:pass hang-up:pass");
    assert_eq!(fact(&outcome, "result"), "answered");
    assert_eq!(metric(&outcome, "played"), MetricValue::Duration(Duration::from_secs(4)));
    assert!(outcome.summary.contains("whole announcement"), "{outcome}");
    assert_eq!(sent(&outcome), ["INVITE", "ACK", "BYE"]);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_early_has_heard_a_part() {
    let outcome = announce(Script::ending(End::HangUp(Duration::from_millis(1_500), None))).await;
    assert_verdict(&outcome, Verdict::Inconclusive);
    assert_eq!(
        finding(&outcome, "hung-up-early").seen,
        "answered, and hung up after 1.5 of 4.0 s of the announcement"
    );
    assert_eq!(metric(&outcome, "played"), MetricValue::Duration(Duration::from_millis(1_500)));
    assert_eq!(fact(&outcome, "result"), "answered");
}

#[tokio::test(start_paused = true)]
async fn busy_unanswered_and_refused_are_told_apart() {
    for (end, result) in [
        (End::Refuse(486, None), "busy"),
        (End::Refuse(603, None), "refused"),
        (End::Nothing, "not answered"),
    ] {
        let outcome = announce(Script::ending(end)).await;
        assert_verdict(&outcome, Verdict::Fail);
        assert_eq!(fact(&outcome, "result"), result, "{outcome}");
        assert!(outcome.metric("played").is_none(), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_too_long_or_empty_is_refused_at_once() {
    let scene = Scene::new(Script::default()).await;
    for (samples, why) in [(vec![0_i16; 4_800_001], "ten minutes"), (Vec::new(), "no sound")] {
        let error = scene.call().play(samples).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
