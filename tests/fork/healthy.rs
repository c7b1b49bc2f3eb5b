//! Where nothing is wrong: groups, several devices of one account, and what of it programs get to see.

use super::scene::{GROUP, MEMBERS, Scene};
use crate::seen::{errors, fact, step};
use ringback::check::{Account, Fork, ForkTrial, MetricValue, Outcome, Pace, RingOrder, Verdict};
use std::time::Duration;

const STEPS: [&str; 9] =
    ["caller", "rings", "answer", "cancel", "audio", "hang-up", "race", "refuse", "second-call"];

fn passes(outcome: &Outcome) {
    assert_eq!((outcome.verdict, errors(outcome)), (Verdict::Pass, vec![]), "{outcome}");
    for name in STEPS {
        assert_eq!(step(outcome, name).verdict, Verdict::Pass, "{name}\n{outcome}");
    }
    assert!(outcome.findings.is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_group_of_three_is_rung_at_once_and_one_of_them_wins() {
    let scene = Scene::new(&[]).await;
    let outcome = scene.check(scene.group()).await;
    passes(&outcome);
    let result = outcome.fork().unwrap();
    assert_eq!((result.ends.as_slice(), result.legs_left), (MEMBERS.map(str::to_owned).as_slice(), 0));
    assert_eq!(result.trials.len(), 4);
    let answer = result.trial(ForkTrial::Answer).unwrap();
    assert_eq!(answer.order, Some(RingOrder::Parallel));
    let mut rang: Vec<usize> = answer.rang.iter().map(|rung| rung.end).collect();
    rang.sort_unstable();
    assert_eq!(rang, [0, 1, 2]);
    for rung in &answer.rang {
        let name = MEMBERS[rung.end];
        assert!(rung.request_uri.starts_with(&format!("sip:{name}@198.18.0.1:")), "{rung:?}");
        assert!(
            rung.from.contains("sip:alice@lab.example") && rung.after < Duration::from_secs(1),
            "{rung:?}"
        );
        assert!(rung.asserted.contains("sip:alice@lab.example"), "{rung:?}");
    }
    assert_eq!((answer.winner, answer.answered.as_slice()), (Some(0), [0].as_slice()));
    // Alice hears bob, bob hears alice, and nobody else hears anything.
    assert_eq!(answer.heard, [vec![1], vec![0], vec![], vec![]]);
    let released: Vec<(usize, &str, bool)> =
        answer.released.iter().map(|one| (one.end, &*one.by, one.acknowledged)).collect();
    assert_eq!(released, [(1, "CANCEL", true), (2, "CANCEL", true)]);
    assert!(
        answer.released.iter().all(|one| one.reasons == ["SIP;cause=200;text=\"Call completed elsewhere\""])
    );
    let race = result.trial(ForkTrial::Race).unwrap();
    assert_eq!((race.answered.as_slice(), race.released.len()), ([0, 1].as_slice(), 2));
    let refuse = result.trial(ForkTrial::Refuse).unwrap();
    assert_eq!((refuse.refused.as_slice(), refuse.refusal), ([0].as_slice(), None));
    assert!(refuse.winner.is_some_and(|winner| winner != 0), "{refuse:?}");
    let mut second = result.trial(ForkTrial::SecondCall).unwrap().second_rang.clone();
    second.sort_unstable();
    assert_eq!(second, [0, 1, 2]);
    for name in ["first_ring", "last_ring", "answer", "cancel", "race_release"] {
        let found = outcome.metrics.iter().find(|metric| metric.name == name);
        assert!(matches!(found.map(|m| m.value), Some(MetricValue::Duration(_))), "{name}\n{outcome}");
    }
    assert_eq!(fact(&outcome, "ringing"), "all at once");
}

#[tokio::test(start_paused = true)]
async fn a_group_and_devices_are_rung_over_ipv6_by_their_contacts() {
    let addresses = ["2001:db8::1", "2001:db8::7"];
    let scene = Scene::between(addresses).await;
    for check in [scene.group(), scene.devices(3)] {
        let outcome = scene.check(check).await;
        passes(&outcome);
        let rang = &outcome.fork().unwrap().trial(ForkTrial::Answer).unwrap().rang;
        assert!(
            rang.len() == 3 && rang.iter().all(|rung| rung.request_uri.contains("@[2001:db8::7]:")),
            "{outcome}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_and_three_devices_of_one_account_are_rung_at_once_and_each_removes_its_own_binding() {
    for number in [2, 3] {
        let scene = Scene::new(&[]).await;
        let outcome = scene.check(scene.devices(number).answers(1)).await;
        passes(&outcome);
        let result = outcome.fork().unwrap();
        assert_eq!(result.ends.len(), number);
        assert_eq!(result.ends[1], "bob#2");
        let answer = result.trial(ForkTrial::Answer).unwrap();
        assert_eq!((answer.rang.len(), answer.winner), (number, Some(1)), "{outcome}");
        assert_eq!(answer.heard[0], [2]);
        // Each was called by its own Contact.
        let mut uris: Vec<&str> = answer.rang.iter().map(|rung| rung.request_uri.as_str()).collect();
        uris.sort_unstable();
        uris.dedup();
        assert_eq!(uris.len(), number, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn members_that_are_rung_one_after_the_other_are_told_with_their_times() {
    let scene = Scene::with(&[], |lab| lab.hunt_group(GROUP, MEMBERS, Duration::from_secs(4))).await;
    let outcome = scene.check(scene.group()).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    let answer = outcome.fork().unwrap().trial(ForkTrial::Answer).unwrap();
    assert_eq!(answer.order, Some(RingOrder::Serial), "{outcome}");
    let rang: Vec<(usize, u64)> = answer.rang.iter().map(|rung| (rung.end, rung.after.as_secs())).collect();
    assert_eq!(rang, [(0, 0), (1, 4), (2, 8)], "{outcome}");
    // The last one is the only one that rings then.
    assert_eq!((answer.winner, answer.released.as_slice()), (Some(2), [].as_slice()), "{outcome}");
    assert!(step(&outcome, "rings").detail.contains("one after the other"), "{outcome}");
    // The first one refuses, and the next is rung at once.
    let refuse = outcome.fork().unwrap().trial(ForkTrial::Refuse).unwrap();
    assert_eq!((refuse.refused.as_slice(), refuse.winner), ([0].as_slice(), Some(1)), "{outcome}");
    assert!(refuse.rang[1].after < Duration::from_secs(1), "{outcome}");
    for name in ["cancel", "race"] {
        assert_eq!(step(&outcome, name).verdict, Verdict::NotRun, "{name}\n{outcome}");
    }
    assert_eq!(step(&outcome, "second-call").verdict, Verdict::Pass, "{outcome}");
    // Without enough time for the last, the check says what is missing and how to wait for it.
    let outcome = scene.check(scene.group().wait(Duration::from_secs(6))).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["branch-not-rung"]), "{outcome}");
    assert!(outcome.advice().unwrap().contains("--wait"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_tried() {
    let scene = Scene::new(&[]).await;
    let outcome = scene.check(scene.group().trials([ForkTrial::Refuse, ForkTrial::Refuse])).await;
    let steps: Vec<&str> = outcome.steps.iter().map(|step| &*step.name).collect();
    assert_eq!(steps, ["caller", "end-1", "end-2", "end-3", "rings", "refuse"], "{outcome}");
    assert_eq!(outcome.fork().unwrap().trials.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn twenty_at_once_end_with_the_verdict_of_one_alone() {
    use futures_util::StreamExt;
    use ringback::sim::User;
    let name = |group: usize, member: usize| format!("user{group}-{member}");
    let scene = Scene::with(&[], |lab| {
        (0..20).fold(lab, |lab, group| {
            let lab = (0..4).fold(lab, |lab, member| lab.user(User::new(name(group, member), "pw")));
            lab.group(format!("6{group:02}"), (1..4).map(|member| name(group, member)))
        })
    })
    .await;
    let checks: Vec<Fork> = (0..20)
        .map(|group| {
            let of: Vec<Account> = (0..4).map(|member| scene.account(&name(group, member))).collect();
            Fork::group(&of[0], &format!("6{group:02}"), &of[1..]).unwrap()
        })
        .collect();
    let pace = Pace { concurrency: 20, per_second: None };
    let outcomes: Vec<Outcome> = scene.probe.check_many(checks, pace).collect().await;
    assert_eq!(outcomes.len(), 20);
    for outcome in &outcomes {
        passes(outcome);
    }
    assert!(scene.lab.legs().is_empty(), "{:?}", scene.lab.legs());
}

#[tokio::test(start_paused = true)]
async fn a_second_caller_makes_the_second_call_and_takes_the_first_one_along_nowhere() {
    let scene =
        Scene::with(&[], |lab| lab.group(GROUP, MEMBERS).user(ringback::sim::User::new("erin", "pw"))).await;
    let outcome = scene.check(scene.group().second_caller(&scene.account("erin"))).await;
    passes(&outcome);
    assert_eq!(step(&outcome, "second-caller").verdict, Verdict::Pass, "{outcome}");
}

#[test]
fn what_cannot_be_rung_as_one_is_refused_before_anything_is_sent() {
    let account = |name: &str| Account::new(&format!("sip:{name}@lab.example"), "pw").unwrap();
    let (alice, bob, carol) = (account("alice"), account("bob"), account("carol"));
    let said = |result: Result<Fork, ringback::Error>| result.unwrap_err().to_string();
    assert!(said(Fork::bindings(&alice, &bob, 1)).contains("2 to 6"));
    let too_many = said(Fork::bindings(&alice, &bob, usize::MAX));
    assert!(too_many.contains("2 to 6") && too_many.contains(&usize::MAX.to_string()), "{too_many}");
    assert!(said(Fork::bindings(&alice, &alice, 2)).contains("itself"));
    assert!(said(Fork::group(&alice, "600", [&bob])).contains("2 to 6"));
    assert!(said(Fork::group(&alice, "600", [&bob, &carol, &bob])).contains("twice"));
    assert!(said(Fork::group(&alice, "", [&bob, &carol])).contains("empty"));
    assert!(said(Fork::bindings(&alice, &bob, 2).unwrap().refuses_with(200)).contains("300 to 699"));
}
