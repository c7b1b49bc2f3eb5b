//! Each fault of the catalogue that a check of forking meets: its verdict, the one error that names it, whose it is, and the words.

use super::scene::{MEMBERS, Scene};
use crate::seen::{errors, finding, step};
use ringback::check::{Account, Fork, ForkTrial, Outcome, SecondCall, Severity, Side, Verdict};
use ringback::sim::{LabBuilder, User};
use std::time::Duration;

/// Of whom the fault is asked.
#[derive(Debug, Clone, Copy)]
enum Of {
    Group,
    Devices,
}

async fn with_fault(fault: &str, of: Of, change: impl FnOnce(Fork) -> Fork) -> Outcome {
    let scene = Scene::new(&[fault]).await;
    let check = match of {
        Of::Group => scene.group(),
        Of::Devices => scene.devices(3),
    };
    scene.check(change(check)).await
}

fn fails(outcome: &Outcome, (at, code, side): (&str, &str, Side), words: &[&str]) {
    assert_eq!((outcome.verdict, errors(outcome)), (Verdict::Fail, vec![code]), "{outcome}");
    let found = finding(outcome, code);
    assert_eq!(found.side, side, "{outcome}");
    for words in words {
        assert!(found.seen.contains(words), "{words:?} is not in {:?}\n{outcome}", found.seen);
    }
    assert_eq!(step(outcome, at).verdict, Verdict::Fail, "{outcome}");
    let failed = outcome.steps.iter().filter(|step| step.verdict == Verdict::Fail).count();
    assert_eq!(failed, 1, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn f01_one_refusal_ends_all() {
    let outcome = with_fault("F01", Of::Group, |fork| fork).await;
    let words = ["bob refused with 486", "carol and dan stopped ringing", "alice got 486", "F01"];
    fails(&outcome, ("refuse", "fork-ended-by-refusal", Side::Peer), &words);
    let outcome = with_fault("F01", Of::Devices, |fork| fork).await;
    let words = ["refused with 486", "stopped ringing", "alice got 486"];
    fails(&outcome, ("refuse", "fork-ended-by-refusal", Side::Peer), &words);
}

#[tokio::test(start_paused = true)]
async fn f01_one_refusal_ends_the_call_of_who_would_be_rung_next() {
    let scene =
        Scene::with(&["F01"], |lab| lab.hunt_group("600", ["bob", "carol", "dan"], Duration::from_secs(3)))
            .await;
    let outcome = scene.check(scene.group()).await;
    let words = ["bob refused with 486", "the turn did not pass on to anybody", "alice got 486"];
    fails(&outcome, ("refuse", "fork-ended-by-refusal", Side::Peer), &words);
}

#[tokio::test(start_paused = true)]
async fn a_603_may_end_all_and_need_not() {
    // RFC 3261 sec. 16.7: a proxy ends a fork at 6xx; a PBX that rings a group may go on.
    for fault in ["F01", ""] {
        let scene = Scene::new(if fault.is_empty() { &[] } else { &["F01"] }).await;
        let outcome = scene.check(scene.group().refuses_with(603).unwrap()).await;
        assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{fault}\n{outcome}");
        let told = &step(&outcome, "refuse").detail;
        let ended = told.contains("603, which ends the whole call");
        assert_eq!(ended, fault == "F01", "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn f02_the_others_ring_on() {
    for of in [Of::Group, Of::Devices] {
        let outcome = with_fault("F02", of, |fork| fork).await;
        fails(
            &outcome,
            ("cancel", "loser-not-cancelled", Side::Peer),
            &["answered", "still rang", "no CANCEL", "F02"],
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f03_a_cancel_without_its_reason_is_a_warning() {
    let outcome = with_fault("F03", Of::Group, |fork| fork).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    let lost = finding(&outcome, "cancel-reason-lost");
    assert_eq!((lost.severity, lost.side), (Severity::Warning, Side::Peer));
    assert!(
        lost.seen.contains("reached carol has no Reason") && lost.seen.contains("missed call"),
        "{outcome}"
    );
    let both = outcome.findings.iter().filter(|finding| finding.code == "cancel-reason-lost").count();
    assert_eq!(both, 2, "carol and dan: {outcome}");
}

#[tokio::test(start_paused = true)]
async fn f04_the_second_answer_is_left_open() {
    let race = |fork: Fork| fork.trials([ForkTrial::Race]);
    for of in [Of::Group, Of::Devices] {
        let outcome = with_fault("F04", of, race).await;
        let words = ["answered at once", "alice talks to", "is still up after 5 s, with nobody in it", "F04"];
        fails(&outcome, ("race", "second-answer-left-open", Side::Peer), &words);
        let tried = &outcome.fork().unwrap().trials[0];
        // The second of the two, and the third that rings on.
        assert_eq!((tried.released.as_slice(), tried.legs_left), ([].as_slice(), 2), "{outcome}");
    }
    // The whole of it: nobody is cancelled either.
    let outcome = with_fault("F04", Of::Group, |fork| fork).await;
    assert_eq!(errors(&outcome), ["loser-not-cancelled", "second-answer-left-open"], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn f02_and_f04_are_told_apart_by_a_race() {
    let race = |fork: Fork| fork.trials([ForkTrial::Race]);
    // A CANCEL that is never sent does no harm to who has answered: its second answer is released.
    let outcome = with_fault("F02", Of::Devices, race).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn f05_a_second_call_finds_the_line_busy() {
    let outcome = with_fault("F05", Of::Group, |fork| fork).await;
    let words = [
        "bob is in a call; a second call rings",
        "carol",
        "dan",
        "and not bob",
        "call waiting is expected (F05)",
    ];
    fails(&outcome, ("second-call", "second-call-refused", Side::Peer), &words);
    let outcome = with_fault("F05", Of::Devices, |fork| fork).await;
    let words = ["bob#1 is in a call, and a second call was refused with 486: nobody rang", "F05"];
    fails(&outcome, ("second-call", "second-call-refused", Side::Peer), &words);
}

#[tokio::test(start_paused = true)]
async fn whether_a_second_call_rings_is_judged_by_what_is_expected() {
    use SecondCall::{Any, Busy, Elsewhere, Rings};
    const REFUSED: &str = "second-call-refused";
    const RANG: &str = "second-call-rings";
    const ELSE: &str = "second-call-elsewhere";
    let cases = [
        ("", Of::Group, Rings, None),
        ("", Of::Group, Any, None),
        ("", Of::Group, Elsewhere, Some(RANG)),
        ("", Of::Devices, Busy, Some(RANG)),
        ("F05", Of::Group, Elsewhere, None),
        ("F05", Of::Group, Any, None),
        ("F05", Of::Group, Busy, Some(ELSE)),
        ("F05", Of::Devices, Busy, None),
        ("F05", Of::Devices, Any, None),
        ("F05", Of::Devices, Elsewhere, Some(REFUSED)),
        ("F05", Of::Devices, Rings, Some(REFUSED)),
    ];
    for (fault, of, expected, code) in cases {
        let faults: &[&str] = if fault.is_empty() { &[] } else { &["F05"] };
        let scene = Scene::new(faults).await;
        let check = match of {
            Of::Group => scene.group(),
            Of::Devices => scene.devices(3),
        };
        let outcome = scene.check(check.second_call(expected).trials([ForkTrial::SecondCall])).await;
        let verdict = if code.is_some() { Verdict::Fail } else { Verdict::Pass };
        assert_eq!(
            (outcome.verdict, errors(&outcome)),
            (verdict, code.into_iter().collect()),
            "{fault} {of:?} {expected}\n{outcome}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn u14_of_several_devices_only_the_latest_is_rung() {
    let outcome = with_fault("U14", Of::Devices, |fork| fork).await;
    let words = ["rings bob#3, and not bob#1 and bob#2"];
    fails(&outcome, ("rings", "branch-not-rung", Side::Peer), &words);
    // It is told once; the rest goes on with who rings, and says what cannot be tried.
    assert_eq!(step(&outcome, "audio").verdict, Verdict::Pass, "{outcome}");
    for name in ["cancel", "race", "refuse"] {
        assert_eq!(step(&outcome, name).verdict, Verdict::NotRun, "{name}\n{outcome}");
    }
    assert_eq!(outcome.fork().unwrap().trials[0].winner, Some(2), "{outcome}");
    // Members of a group have one device each.
    let outcome = with_fault("U14", Of::Group, |fork| fork).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn u14_an_end_that_is_called_as_another_line_is_told_from_one_that_is_not_rung() {
    for of in [Of::Group, Of::Devices] {
        let outcome = with_fault("U14:line", of, |fork| fork.trials([ForkTrial::Answer])).await;
        let words = ["was called as sip:alice@", "on a phone with several lines another line rings (U14)"];
        fails(&outcome, ("rings", "wrong-line-rang", Side::Peer), &words);
        assert_eq!(outcome.fork().unwrap().trials[0].rang.len(), 3, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_is_called_by_the_number_is_no_other_line() {
    let trunks = |lab: LabBuilder| {
        ["erin", "fay"]
            .into_iter()
            .fold(lab, |lab, name| lab.user(User::new(name, "pw").trunk()))
            .group("600", ["erin", "fay"])
    };
    let scene = Scene::with(&[], trunks).await;
    let members = ["erin", "fay"].map(|name| scene.account(name));
    let check = Fork::group(&scene.account("alice"), "600", &members).unwrap();
    let outcome = scene.check(check.trials([ForkTrial::Answer])).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    let rung = &outcome.fork().unwrap().trials[0].rang[0];
    assert!(rung.request_uri.starts_with("sip:600@"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn b06_a_binding_that_was_dropped_is_told_from_one_that_is_not_rung() {
    let outcome = with_fault("B06", Of::Devices, |fork| fork).await;
    let words =
        ["rings bob#3, and not bob#1 and bob#2", "the registrar no longer listed that binding", "B06"];
    fails(&outcome, ("rings", "binding-replaced", Side::Peer), &words);
}

#[tokio::test(start_paused = true)]
async fn f06_only_the_first_devices_of_a_group_are_rung() {
    for (fault, words) in [("F06", "and not dan"), ("F06:1", "rings bob, and not carol and dan")] {
        let outcome = with_fault(fault, Of::Group, |fork| fork.trials([ForkTrial::Answer])).await;
        fails(&outcome, ("rings", "branch-not-rung", Side::Peer), &[words]);
        assert!(finding(&outcome, "branch-not-rung").advice.contains("limit of devices"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_the_group_does_not_have_is_named() {
    let scene = Scene::with(&[], |lab| lab.group("600", ["bob", "dan"])).await;
    let outcome = scene.check(scene.group()).await;
    let words = ["rings bob and dan, and not carol"];
    fails(&outcome, ("rings", "branch-not-rung", Side::Peer), &words);
    assert!(finding(&outcome, "branch-not-rung").advice.contains("members of the group"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_stands_twice_in_the_group_is_a_warning() {
    let scene = Scene::with(&[], |lab| lab.group("600", ["bob", "carol", "dan", "bob"])).await;
    let outcome = scene.check(scene.group().trials([ForkTrial::Answer])).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    let twice = finding(&outcome, "rung-twice");
    assert_eq!(twice.severity, Severity::Warning);
    assert!(twice.seen.contains("bob got 2 INVITEs for one call"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_gives_up_before_anybody_can_answer_is_named() {
    let mut pbx = ringback::sim::pbx::Config::default();
    pbx.no_answer = Duration::from_millis(300);
    let scene = Scene::with(&[], |lab| lab.pbx(pbx).group("600", ["bob", "carol", "dan"])).await;
    let outcome = scene.check(scene.group().trials([ForkTrial::Answer])).await;
    let words = ["all stopped ringing after 300.0 ms, before anybody answered", "alice got 480"];
    fails(&outcome, ("answer", "ringing-stopped", Side::Peer), &words);
}

#[tokio::test(start_paused = true)]
async fn devices_of_others_that_ring_along_are_a_warning_and_stay_registered() {
    use ringback::sim::Device;
    let desk = Device::new("sip:erin@203.0.113.99:5060");
    let scene = Scene::with(&[], |lab| lab.user(User::new("erin", "pw").device(desk))).await;
    let check = Fork::bindings(&scene.account("alice"), &scene.account("erin"), 2).unwrap();
    let check = check.beside_live_devices(true);
    let outcome = scene.check(check.trials([ForkTrial::Answer])).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    assert!(
        finding(&outcome, "rings-other-devices").seen.contains("erin has 1 other live binding"),
        "{outcome}"
    );
    let left: Vec<String> = scene.lab.bindings("erin").into_iter().map(|binding| binding.contact).collect();
    assert_eq!(left, ["sip:erin@203.0.113.99:5060"], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_nobody_has_rings_nobody_and_nothing_more_is_tried() {
    let scene = Scene::with(&[], |lab| lab).await;
    let outcome = scene.check(scene.group()).await;
    fails(&outcome, ("rings", "number-unknown", Side::Setup), &["404"]);
    assert_eq!(step(&outcome, "rings").took, Duration::ZERO, "{outcome}");
    for name in ["race", "refuse", "second-call"] {
        assert_eq!(step(&outcome, name).verdict, Verdict::NotRun, "{name}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_is_over_at_once_and_rings_for_nobody() {
    let scene = Scene::new(&[]).await;
    let wrong = Account::new("sip:alice@lab.example", "wrong").unwrap();
    let wrong = wrong.registrar("sip:203.0.113.1").unwrap();
    let check = Fork::group(&wrong, "600", &MEMBERS.map(|name| scene.account(name))).unwrap();
    let outcome = scene.check(check).await;
    fails(&outcome, ("rings", "credentials-refused", Side::Setup), &["alice"]);
    // There is no delay in this network: nothing was waited for.
    assert_eq!(step(&outcome, "rings").took, Duration::ZERO, "{outcome}");
    // Where it rings, the others have time to ring as well.
    let outcome = scene.check(scene.group()).await;
    assert!(step(&outcome, "rings").took >= Duration::from_millis(600), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_winner_who_is_not_heard_is_named_with_the_direction() {
    let answer = |fork: Fork| fork.trials([ForkTrial::Answer]);
    // By the names that they have in every call.
    for (fault, code, words) in [
        ("N12:backward", "one-way-audio", "no RTP came from bob to alice"),
        ("N12:forward", "one-way-audio", "no RTP came from alice to bob"),
        ("N12", "no-audio", "and none the other way"),
    ] {
        let outcome = with_fault(fault, Of::Group, answer).await;
        fails(&outcome, ("audio", code, Side::Path), &[words]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_stopped_while_all_ring_leaves_nothing_behind() {
    let scene = Scene::new(&[]).await;
    let stopper = scene.probe.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stopper.stop();
    });
    let outcome = scene.check(scene.group()).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Inconclusive, vec!["stopped"]), "{outcome}");
}
