//! Do no harm: bindings of others stay, interruptions clean up, pauses are kept, bans are noticed.

use super::scene::{ALL_PASS, Scene, assert_verdict, count};
use crate::seen::{fact, finding, steps};
use futures_util::StreamExt;
use ringback::check::{Outcome, Pace, Verdict};
use ringback::message::Transport::{Tcp, Udp};
use ringback::sim::{Device, Link, User};
use std::time::Duration;

fn with_desk_phone() -> User {
    User::new("alice", "alicepw")
        .device(Device::new("sip:alice@192.0.2.99:5060").user_agent("Desk Phone 1.0"))
}

#[tokio::test(start_paused = true)]
async fn the_binding_of_another_device_is_told_and_left_alone() {
    let scene = Scene::new([with_desk_phone()]).await;
    let before = scene.lab.bindings("alice");
    let outcome = scene.check(scene.register("alice", Udp).beside_live_devices(true)).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert_eq!(count(&outcome, "other_bindings"), 1);
    assert!(fact(&outcome, "other_binding").contains("192.0.2.99"), "{outcome}");
    assert_eq!(scene.lab.bindings("alice"), before);
}

#[tokio::test(start_paused = true)]
async fn query_only_binds_nothing() {
    let scene = Scene::new([with_desk_phone()]).await;
    let before = scene.lab.bindings("alice");
    let outcome = scene.check(scene.register("alice", Udp).query_only(true)).await;
    assert_eq!(steps(&outcome), "reach:pass query:pass", "{outcome}");
    assert_eq!(scene.lab.bindings("alice"), before);
    for seen in scene.lab.seen() {
        assert!(!format!("{seen:?}").contains("rb="), "a Contact of ours was sent: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_removes_our_binding() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(50)));
    let check = scene.register("alice", Udp);
    let probe = scene.probe.clone();
    let running = tokio::spawn(async move { probe.check(check).await });
    while scene.lab.bindings("alice").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    scene.probe.stop();
    let outcome = running.await.unwrap();
    assert_verdict(&outcome, Verdict::Inconclusive);
    finding(&outcome, "stopped");
    assert_eq!(scene.lab.bindings("alice"), [], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_check_whose_future_is_dropped_removes_its_binding() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(50)));
    {
        let mut check = std::pin::pin!(scene.probe.check(scene.register("alice", Udp)));
        loop {
            tokio::select! {
                _ = &mut check => panic!("it ended before it was dropped"),
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            if !scene.lab.bindings("alice").is_empty() {
                break;
            }
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(scene.lab.bindings("alice"), []);
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_over_the_binding_is_removed_all_the_same() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(400)));
    // Query and its challenge take 1.6 s, the bind 0.8 s.
    let outcome = scene.check(scene.register("alice", Udp).timeout(Duration::from_millis(2_600))).await;
    assert_verdict(&outcome, Verdict::Inconclusive);
    finding(&outcome, "time-limit");
    assert_eq!(scene.lab.bindings("alice"), [], "{outcome}");
}

async fn check_all(scene: &Scene, names: &[String], pace: Pace) -> Vec<Outcome> {
    let checks: Vec<_> =
        names.iter().map(|name| scene.register(name, Udp).timeout(Duration::from_secs(4))).collect();
    scene.probe.check_many(checks, pace).collect().await
}

fn tally(outcomes: &[Outcome], verdict: Verdict) -> usize {
    outcomes.iter().filter(|o| o.verdict == verdict).count()
}

fn crowd(number: usize) -> Vec<String> {
    (0..number).map(|i| format!("user{i}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_back_its_account_and_all_others_once_three_have_one() {
    let names = crowd(10);
    let mut users: Vec<User> = names.iter().map(|name| User::new(name, "secret")).collect();
    for number in [0, 2, 4] {
        users[number] = User::new(&names[number], "secret").fault("R14:60").unwrap();
    }
    let scene = Scene::new(users).await;
    let one_by_one = Pace { concurrency: 1, per_second: None };
    let outcomes = check_all(&scene, &names, one_by_one).await;
    for number in [0, 2, 4] {
        assert_verdict(&outcomes[number], Verdict::Inconclusive);
    }
    assert_eq!((tally(&outcomes, Verdict::Pass), tally(&outcomes, Verdict::NotRun)), (2, 5));
    finding(&outcomes[5], "withheld-retry-after");
    let seen = scene.lab.seen().len();
    assert_eq!(tally(&check_all(&scene, &names, one_by_one).await, Verdict::NotRun), 10);
    assert_eq!(scene.lab.seen().len(), seen, "nothing is sent during the pause");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(tally(&check_all(&scene, &names[5..], one_by_one).await, Verdict::Pass), 5);
}

#[tokio::test(start_paused = true)]
async fn after_the_first_signs_of_a_ban_no_more_checks_are_sent() {
    let names = crowd(40);
    let mut users: Vec<User> = names.iter().map(|name| User::new(name, "secret")).collect();
    users[4] = User::new("user4", "secret").fault("B01:ip").unwrap();
    let scene = Scene::new(users).await;
    let outcomes = check_all(&scene, &names, Pace { concurrency: 1, per_second: None }).await;
    assert_eq!(tally(&outcomes, Verdict::Pass), 4);
    // The one that was banned, and two more until three in a row were silent.
    assert_eq!(outcomes.len() - tally(&outcomes, Verdict::Pass) - tally(&outcomes, Verdict::NotRun), 3);
    assert_eq!(tally(&outcomes, Verdict::NotRun), 33);
    finding(outcomes.last().unwrap(), "suspected-ban");
}

#[tokio::test(start_paused = true)]
async fn many_checks_keep_their_rate() {
    let names = crowd(101);
    let scene = Scene::new(names.iter().map(|name| User::new(name, "secret"))).await;
    let began = tokio::time::Instant::now();
    let outcomes = check_all(&scene, &names, Pace { concurrency: 64, per_second: Some(20.0) }).await;
    assert_eq!(tally(&outcomes, Verdict::Pass), 101);
    let took = began.elapsed();
    // A hundred intervals of 50 ms.
    assert!(took >= Duration::from_secs(5) && took < Duration::from_millis(5_300), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_the_checks_that_have_not_begun_are_told_as_not_run() {
    let names = crowd(50);
    let scene = Scene::new(names.iter().map(|name| User::new(name, "secret"))).await;
    let checks: Vec<_> = names.iter().map(|name| scene.register(name, Udp)).collect();
    let mut outcomes =
        std::pin::pin!(scene.probe.check_many(checks, Pace { concurrency: 4, per_second: Some(10.0) }));
    let mut seen = Vec::new();
    while let Some(outcome) = outcomes.next().await {
        seen.push(outcome);
        if seen.len() == 5 {
            scene.probe.stop();
        }
    }
    assert_eq!(seen.len(), 50);
    assert!(tally(&seen, Verdict::NotRun) >= 40, "{}", tally(&seen, Verdict::NotRun));
    assert!(names.iter().all(|name| scene.lab.bindings(name).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn secrets_are_in_no_report() {
    let scene = Scene::new([User::new("alice", "a-very-secret-password")]).await;
    for transport in [Udp, Tcp] {
        let outcome = scene.check(scene.register("alice", transport)).await;
        let responses: Vec<String> = outcome
            .transcript
            .records
            .iter()
            .filter_map(|record| match &record.event {
                ringback::transport::RecordEvent::Message { bytes, .. } => {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    text.split("response=\"").nth(1).map(|rest| rest[..32].to_owned())
                }
                _ => None,
            })
            .collect();
        assert!(!responses.is_empty(), "{outcome}");
        let shown = format!("{outcome}\n{}", ringback::report::ladder(&outcome.transcript));
        assert!(!shown.contains("a-very-secret-password"));
        for response in responses {
            assert!(!shown.contains(&response), "a digest response is shown");
        }
        assert!(!format!("{:?}", scene.lab.account("alice", transport).unwrap()).contains("a-very-secret"));
    }
}
