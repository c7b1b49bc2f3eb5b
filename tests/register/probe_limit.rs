//! The probe's own ceiling is told apart from the peer's silence.

use super::scene::{Scene, assert_verdict};
use crate::seen::finding;
use ringback::check::{Outcome, Reachable, Side, Verdict};
use ringback::sim::User;
use std::time::Duration;

/// A URI at which nobody is.
const NOBODY: &str = "sip:203.0.113.77";

/// Runs a check while the clock goes on in leaps of this size: the loop does not get to run in between, as on a host that is too busy.
async fn stalled(scene: &Scene, check: impl ringback::check::Check, leap: Duration) -> Outcome {
    let stalling = async {
        loop {
            tokio::time::advance(leap).await;
            // The loop gets a turn at the end of each leap.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        outcome = scene.probe.check(check) => outcome,
        () = stalling => unreachable!("it never ends"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_loop_is_not_taken_for_a_silent_peer() {
    let scene = Scene::new([]).await;
    let outcome = stalled(&scene, Reachable::new(NOBODY).unwrap(), Duration::from_millis(1_300)).await;
    assert_verdict(&outcome, Verdict::Inconclusive);
    let limit = finding(&outcome, "probe-limit");
    assert_eq!(limit.side, Side::Probe, "{outcome}");
    assert!(limit.seen.contains("our own loop was late"), "{outcome}");
    assert!(scene.probe.endpoint().stats().late > 0);
}

#[tokio::test(start_paused = true)]
async fn a_registration_says_so_too_and_suspects_no_ban() {
    let scene = Scene::new([User::new("alice", "alicepw").fault("R15").unwrap()]).await;
    let check = || scene.register("alice", ringback::message::Transport::Udp);
    for _ in 0..5 {
        let outcome = stalled(&scene, check(), Duration::from_millis(1_300)).await;
        assert_verdict(&outcome, Verdict::Inconclusive);
        assert_eq!(finding(&outcome, "probe-limit").side, Side::Probe, "{outcome}");
    }
    // With time to itself, the probe finds what there is to find.
    let outcome = scene.check(check()).await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "no-answer");
}

#[tokio::test(start_paused = true)]
async fn a_little_late_is_not_too_late() {
    let scene = Scene::new([]).await;
    let check = Reachable::new(NOBODY).unwrap().timeout(Duration::from_secs(5));
    // No divisor of T1, so that deadlines fall between two turns.
    let outcome = stalled(&scene, check, Duration::from_millis(130)).await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "no-answer");
    let stats = scene.probe.endpoint().stats();
    assert_eq!(stats.late, 0, "{stats:?}");
    assert!(stats.deadline_lag_max > Duration::from_millis(10), "it was late: {stats:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_is_worth_no_less() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    let uri = scene.lab.uri(ringback::message::Transport::Udp).unwrap();
    let outcome = stalled(&scene, Reachable::new(&uri).unwrap(), Duration::from_millis(1_300)).await;
    assert_verdict(&outcome, Verdict::Pass);
}
