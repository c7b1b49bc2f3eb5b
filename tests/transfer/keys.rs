//! Transfers by keys instead of REFER: the same proof, no NOTIFY, and what it is called when the keys do nothing.

use crate::scene::{Scene, USERS};
use crate::seen::errors;
use ringback::check::TransferKind::{self, Attended, Blind, SemiAttended};
use ringback::check::{DtmfMethod, FeatureCode, Outcome, Side, Transfer, TransferTarget, Verdict};
use ringback::sim::LabBuilder;

fn with_codes(lab: LabBuilder) -> LabBuilder {
    let mut config = ringback::sim::pbx::Config::default();
    config.transfer_code = Some("##".into());
    (config.consult_code, config.complete_code) = (Some("*2".into()), Some("*3".into()));
    lab.pbx(config)
}

/// The code of the kind, and carol's number.
fn code(kind: TransferKind) -> FeatureCode {
    let code = if kind == Blind { FeatureCode::default() } else { FeatureCode::new("*2").unwrap() };
    code.number("203").unwrap()
}

async fn scene(faults: &[&str]) -> Scene {
    Scene::new(&USERS, faults, with_codes).await
}

async fn check(scene: &Scene, kind: TransferKind, code: FeatureCode) -> Outcome {
    scene.check(scene.transfer(kind).by_keys(code).unwrap()).await
}

fn steps(outcome: &Outcome) -> Vec<&str> {
    outcome.steps.iter().map(|step| &*step.name).collect()
}

#[tokio::test(start_paused = true)]
async fn each_kind_is_asked_for_by_keys_by_either_end_and_by_either_way() {
    for kind in [Blind, Attended, SemiAttended] {
        for (by_callee, method, end) in [
            (false, DtmfMethod::Rfc4733, ""),
            (true, DtmfMethod::Rfc4733, "#"),
            (false, DtmfMethod::Info, "#"),
        ] {
            let scene = scene(&[]).await;
            let mut keys = code(kind).method(method);
            if !end.is_empty() {
                keys = keys.end(end).unwrap();
            }
            let check = scene.transfer(kind);
            let check = if by_callee { check.by_callee() } else { check };
            let outcome = scene.check(check.by_keys(keys).unwrap()).await;
            assert_eq!(outcome.verdict, Verdict::Pass, "{kind} {by_callee} {method}\n{outcome}");
            assert!(outcome.findings.is_empty(), "no NOTIFY is due\n{outcome}");
            let result = outcome.transfer().unwrap();
            let (transferor, transferee) = if by_callee { (1, 0) } else { (0, 1) };
            let after = result.after.unwrap();
            assert!(after.joined(transferee, 2) && after.is_alone(transferor), "{kind}\n{outcome}");
            assert!(result.before.unwrap().joined(0, 1));
            assert_eq!((result.legs_left, result.refer_status), (0, None));
            assert_eq!((result.notified.len(), result.transferee.as_str()), (0, "talks to carol"));
            let pressed = format!("{},203{end}", if kind == Blind { "##" } else { "*2" });
            assert_eq!(result.keys.as_deref(), Some(&*pressed));
            assert!(result.took.is_some());
            assert!(!steps(&outcome).contains(&"notify") && steps(&outcome).contains(&"keys"), "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_consultation_is_heard_and_ends_with_a_code_where_there_is_one() {
    let scene = scene(&[]).await;
    let outcome = check(&scene, Attended, code(Attended).complete_by("*3").unwrap()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    let detail = |name: &str| outcome.step(name).unwrap().detail.clone();
    assert_eq!(detail("consult"), "alice talks to carol; bob hears a sound of the PBX");
    assert_eq!(detail("complete"), "code pressed");
    let scene = self::scene(&[]).await;
    let outcome = check(&scene, Attended, code(Attended).complete_by("*9").unwrap()).await;
    assert_eq!(
        (outcome.verdict, errors(&outcome)),
        (Verdict::Fail, vec!["completing-code-ignored"]),
        "{outcome}"
    );
}

/// The fault, the kind, how the keys are sent, the code of the finding, and what its words hold.
#[rustfmt::skip]
const CASES: &[(&str, TransferKind, DtmfMethod, &str, &str)] = &[
    ("X23",           Blind,    DtmfMethod::Rfc4733, "feature-code-ignored", "bob was sent all digits by RFC 4733, and still talks to alice"),
    ("X23",           Blind,    DtmfMethod::Info,    "feature-code-ignored", "bob was sent all digits by SIP INFO"),
    ("X23",           Attended, DtmfMethod::Rfc4733, "feature-code-ignored", "alice pressed *2,203, and nothing followed"),
    ("X23:rfc4733",   Blind,    DtmfMethod::Rfc4733, "feature-code-ignored", "bob was sent all digits by RFC 4733"),
    ("X23:info",      Blind,    DtmfMethod::Info,    "feature-code-ignored", "bob was sent all digits by SIP INFO"),
    ("X23:swallowed", Blind,    DtmfMethod::Rfc4733, "not-carried-out",      "kept the digits behind ## to itself"),
    ("X23:swallowed", Blind,    DtmfMethod::Info,    "not-carried-out",      "kept the digits behind ## to itself"),
    ("D13",           Blind,    DtmfMethod::Info,    "feature-code-ignored", "none of the digits got through by SIP INFO"),
    ("D11",           Blind,    DtmfMethod::Info,    "info-refused",         "405"),
    ("D01",           Blind,    DtmfMethod::Rfc4733, "telephone-event-missing", "cannot be sent"),
    ("X19",           Blind,    DtmfMethod::Rfc4733, "wrong-parties-joined", "bob should talk to carol; instead alice hears carol; carol hears alice"),
    ("X18",           Attended, DtmfMethod::Rfc4733, "transferee-dropped",   "bob was cut off"),
    ("X18",           SemiAttended, DtmfMethod::Rfc4733, "transferee-dropped", "bob was cut off"),
    ("X21",           Blind,    DtmfMethod::Rfc4733, "number-unknown",       "took ## and did not call carol at 203; bob still talks to alice"),
    ("X21",           Attended, DtmfMethod::Rfc4733, "number-unknown",       "took *2 and did not call carol at 203; bob still talks to alice"),
    ("H07",           Blind,    DtmfMethod::Rfc4733, "one-way-after-transfer", "bob does not hear carol"),
];

#[tokio::test(start_paused = true)]
async fn each_fault_gets_its_verdict_and_its_name_by_keys_too() {
    for (fault, kind, method, name, words) in CASES {
        let scene = scene(&[fault]).await;
        let outcome = check(&scene, *kind, code(*kind).method(*method)).await;
        assert_eq!(
            (outcome.verdict, errors(&outcome)),
            (Verdict::Fail, vec![*name]),
            "{fault} {kind} {method}\n{outcome}"
        );
        let found = &outcome.findings[0];
        let told = found.seen.contains(words);
        assert!(told, "{fault} {kind}: {}\n{outcome}", found.seen);
        let side = if *name == "number-unknown" { Side::Setup } else { Side::Peer };
        assert_eq!(found.side, side, "{fault} {kind}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn x23_of_the_other_way_is_no_hindrance() {
    for (fault, method) in [("X23:rfc4733", DtmfMethod::Info), ("X23:info", DtmfMethod::Rfc4733)] {
        let scene = scene(&[fault]).await;
        let outcome = check(&scene, Blind, code(Blind).method(method)).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{fault}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_nobody_has_is_told_apart_from_a_code_that_nobody_takes() {
    let scene = scene(&[]).await;
    let unknown = check(&scene, Blind, FeatureCode::default().number("999").unwrap()).await;
    assert_eq!(errors(&unknown), ["number-unknown"], "{unknown}");
    assert!(unknown.findings[0].seen.contains("did not call carol at 999"), "{unknown}");
    let scene = self::scene(&[]).await;
    let other_code = check(&scene, Blind, FeatureCode::new("#1").unwrap().number("203").unwrap()).await;
    assert_eq!(errors(&other_code), ["feature-code-ignored"], "{other_code}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_or_never_answers_is_told_with_the_fate_of_the_transferee() {
    let waits = "is in a call in which a tone of the platform is heard while carol rings (ringback)";
    for (kind, target, verdict, wanted, fate) in [
        (Blind, TransferTarget::Refuses(486), Verdict::Pass, vec![], "is back with alice"),
        (Attended, TransferTarget::Refuses(486), Verdict::Pass, vec![], "is back with alice"),
        (Blind, TransferTarget::Rings, Verdict::Pass, vec![], "is back with alice"),
        (Attended, TransferTarget::Rings, Verdict::Fail, vec!["target-not-answered"], waits),
    ] {
        let scene = scene(&[]).await;
        let check = scene.transfer(kind).target(target).by_keys(code(kind)).unwrap();
        let outcome = scene.check(check).await;
        assert_eq!((outcome.verdict, errors(&outcome)), (verdict, wanted), "{kind} {target:?}\n{outcome}");
        assert_eq!(outcome.transfer().unwrap().transferee, fate, "{kind}\n{outcome}");
    }
}

/// REFER that the PBX carries out, REFER that it relays, and keys.
async fn by_each_way(faults: &[&str], kind: TransferKind, target: TransferTarget) -> [Outcome; 3] {
    let carried_out = scene(faults).await;
    let relayed = Scene::new(&USERS, faults, LabBuilder::relay_refer).await;
    let keyed = scene(faults).await;
    let by_refer = |scene: &Scene| -> Transfer { scene.transfer(kind).target(target) };
    [
        carried_out.check(by_refer(&carried_out)).await,
        relayed.check(by_refer(&relayed)).await,
        keyed.check(by_refer(&keyed).by_keys(code(kind)).unwrap()).await,
    ]
}

#[tokio::test(start_paused = true)]
async fn the_verdict_is_the_same_by_refer_relayed_by_refer_carried_out_and_by_keys() {
    let refuses = TransferTarget::Refuses(486);
    for (faults, kind, target, verdict, named, fate) in [
        (&[][..], Blind, TransferTarget::Answers, Verdict::Pass, None, "talks to carol"),
        (&[], Attended, TransferTarget::Answers, Verdict::Pass, None, "talks to carol"),
        (&[], SemiAttended, TransferTarget::Answers, Verdict::Pass, None, "talks to carol"),
        (&[], Blind, refuses, Verdict::Pass, None, "is back with alice"),
        (&["N12"], Blind, TransferTarget::Answers, Verdict::Fail, Some("no-audio"), ""),
    ] {
        for outcome in by_each_way(faults, kind, target).await {
            assert_eq!(
                (outcome.verdict, errors(&outcome).first().copied()),
                (verdict, named),
                "{kind} {faults:?}\n{outcome}"
            );
            let result = outcome.transfer().unwrap();
            assert_eq!(result.transferee, fate, "{kind}\n{outcome}");
            if verdict == Verdict::Pass && target == TransferTarget::Answers {
                let after = result.after.unwrap();
                assert!(after.joined(1, 2) && after.is_alone(0) && result.legs_left == 0, "{outcome}");
            }
        }
    }
}
