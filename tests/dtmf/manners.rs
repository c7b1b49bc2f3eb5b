//! Whatever happens, no call and no binding is left.

use super::scene::{PBX, PROBE, Scene, ip};
use crate::seen::{errors, finding};
use futures_util::StreamExt;
use ringback::check::{Dtmf, DtmfMethod, Outcome, Pace, Severity, Side, Verdict};
use ringback::message::Transport;
use ringback::sim::{Link, User};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn stopped_in_the_middle_of_a_hundred_calls_the_platform_holds_none() {
    let names: Vec<(String, String)> = (0..100).map(|n| (format!("from{n}"), format!("to{n}"))).collect();
    let users = names.iter().flat_map(|(from, to)| [from, to]).map(|name| User::new(name, "pw"));
    let scene = Scene::with(&[], |lab| lab.users(users.collect::<Vec<_>>())).await;
    let account = |name: &str| scene.lab.account(name, Transport::Udp).unwrap();
    let check = |(from, to): &(String, String)| {
        Dtmf::between(&account(from), &account(to)).method(DtmfMethod::Rfc4733)
    };
    let checks: Vec<_> = names.iter().map(check).collect();
    let pace = Pace { concurrency: 100, per_second: None };
    let stopper = scene.probe.clone();
    let most = async {
        // Every call is up and sends its digits by now.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let legs = scene.lab.legs().len();
        stopper.stop();
        legs
    };
    let outcomes = scene.probe.check_many(checks, pace).collect::<Vec<Outcome>>();
    let (legs, outcomes) = tokio::join!(most, outcomes);
    assert!(legs >= 100, "only {legs} legs were up");
    assert_eq!(outcomes.len(), 100);
    assert!(outcomes.iter().all(|outcome| outcome.verdict != Verdict::Pass));
    assert!(scene.lab.legs().is_empty(), "{:?}", scene.lab.legs());
    assert!(names.iter().all(|(_, to)| scene.lab.bindings(to).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_dropped_hangs_up() {
    let scene = Scene::new(&[]).await;
    let check = scene.probe.check(scene.between("0123456789", DtmfMethod::Rfc4733));
    let _ = tokio::time::timeout(Duration::from_millis(1_500), check).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(scene.lab.legs().is_empty() && scene.lab.bindings("bob").is_empty());
}

/// The same over a link that loses this part of all datagrams, signalling too, and changes the order of some.
async fn over_a_lossy_link(seed: u8, loss: f64, method: DtmfMethod) -> Outcome {
    let scene = Scene::seeded(seed, &[], |lab| lab).await;
    let link = Link::new().delay(Duration::from_millis(20)).loss(loss).reordering(0.02);
    scene.network.link(ip(PROBE), ip(PBX), link);
    scene.probe.check(scene.between("0123456789*#", method)).await
}

#[tokio::test(start_paused = true)]
async fn five_percent_loss_and_changed_order_are_no_false_verdict() {
    for seed in 1..=12 {
        let outcome = over_a_lossy_link(seed, 0.05, DtmfMethod::Rfc4733).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "seed {seed}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn thirty_percent_loss_is_told_as_the_paths_whatever_became_of_the_digits() {
    let mut missing = 0;
    for seed in 1..=6 {
        for method in [DtmfMethod::Rfc4733, DtmfMethod::InBand] {
            let outcome = over_a_lossy_link(seed, 0.30, method).await;
            let lossy = finding(&outcome, "path-lossy");
            assert_eq!(lossy.side, Side::Path);
            match outcome.verdict {
                Verdict::Pass => assert_eq!(lossy.severity, Severity::Warning, "seed {seed}\n{outcome}"),
                Verdict::Inconclusive => {
                    assert_eq!(errors(&outcome), ["path-lossy"], "seed {seed}\n{outcome}");
                    missing += 1;
                }
                other => panic!("{other} for a lossy path, seed {seed}\n{outcome}"),
            }
        }
    }
    assert!(missing > 0, "no digit was ever lost");
}
