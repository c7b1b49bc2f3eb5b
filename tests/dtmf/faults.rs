//! Each fault of the catalogue: the verdict, and its name.

use super::scene::{PBX, Scene, check_with, received, result};
use crate::seen::{errors, finding, step};
use ringback::check::DtmfMethod::{InBand, Info, Rfc4733};
use ringback::check::{Dtmf, DtmfMethod, Severity, Side, Verdict};

/// The fault, the method asked for, the verdict, and the one code that is an error (empty: none).
#[rustfmt::skip]
const CASES: &[(&str, DtmfMethod, Verdict, &str)] = &[
    ("D01", Rfc4733, Verdict::Fail, "telephone-event-missing"),
    ("D02", Rfc4733, Verdict::Fail, "wrong-payload-type"),
    ("D03", Rfc4733, Verdict::Fail, "wrong-clock-rate"),
    ("D03:48000", Rfc4733, Verdict::Fail, "wrong-clock-rate"),
    ("D04", Rfc4733, Verdict::Fail, "doubled-in-band"),
    ("D04:info", Rfc4733, Verdict::Fail, "doubled-info"),
    ("D05", Rfc4733, Verdict::Fail, "event-restarted"),
    ("D06", Rfc4733, Verdict::Fail, "digits-merged"),
    ("D07", Rfc4733, Verdict::Fail, "no-marker"),
    ("D08", Rfc4733, Verdict::Fail, "no-end-packet"),
    ("D09", Rfc4733, Verdict::Fail, "digits-short"),
    ("D09:quiet", Rfc4733, Verdict::Fail, "digits-quiet"),
    ("D10", Rfc4733, Verdict::Fail, "another-ssrc"),
    ("D11", Info, Verdict::Fail, "info-refused"),
    ("D11:501", Info, Verdict::Fail, "info-refused"),
    ("D12", Info, Verdict::Fail, "info-type-refused"),
    ("D13", Info, Verdict::Fail, "info-not-delivered"),
    ("D18", Rfc4733, Verdict::Fail, "events-dropped"),
];

#[tokio::test(start_paused = true)]
async fn each_fault_gets_its_verdict_and_its_name_and_no_other() {
    for (fault, method, verdict, code) in CASES {
        let outcome = check_with(fault, "1159*#", *method).await;
        assert_eq!(outcome.verdict, *verdict, "{fault}\n{outcome}");
        assert_eq!(errors(&outcome), [*code], "{fault}\n{outcome}");
        let id = fault.split(':').next().unwrap();
        let found = finding(&outcome, code);
        assert!(found.seen.contains(id) && !found.advice.is_empty(), "{fault}: {found:?}");
        assert_eq!(outcome.summary, found.seen, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_digits_that_a_fault_met_are_told_by_their_place() {
    let merged = check_with("D06", "1159", Rfc4733).await;
    assert!(finding(&merged, "digits-merged").seen.contains("digit 1 (place 2)"), "{merged}");
    assert_eq!(received(&merged, "rfc4733"), "159", "{merged}");
    let doubled = check_with("D04", "159", Rfc4733).await;
    assert!(finding(&doubled, "doubled-in-band").seen.contains("all 3 digits"), "{doubled}");
}

#[tokio::test(start_paused = true)]
async fn an_info_type_that_is_not_taken_is_tried_in_the_other_and_told() {
    let outcome = check_with("D12:dtmf", "15", Info).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(
        (finding(&outcome, "info-type").severity, received(&outcome, "info")),
        (Severity::Warning, "15")
    );
    let relay = check_with("D12:dtmf-relay", "15", Info).await;
    assert!(errors(&relay).is_empty() && relay.verdict == Verdict::Pass, "{relay}");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_says_that_it_takes_no_info_is_not_failed_for_it_among_all_methods() {
    for fault in ["D11", "D12"] {
        let outcome = check_with(fault, "15", None).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{fault}\n{outcome}");
        assert_eq!(step(&outcome, "info").verdict, Verdict::NotRun, "{fault}\n{outcome}");
        assert!(outcome.findings.iter().any(|f| f.severity == Severity::Warning), "{fault}\n{outcome}");
    }
    // One that says 200 and drops it has told an untruth.
    let outcome = check_with("D13", "15", None).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["info-not-delivered"]), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn digits_that_are_good_before_a_hold_and_gone_after_it_are_told_so() {
    let outcome = check_with("D16", "15", None).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert_eq!(errors(&outcome), ["digits-lost-after-reinvite"], "{outcome}");
    assert_eq!(step(&outcome, "rfc4733").verdict, Verdict::Pass, "{outcome}");
    assert_eq!(step(&outcome, "rfc4733-after-hold").verdict, Verdict::Fail, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn telephone_event_that_is_not_agreed_on_leaves_the_other_methods() {
    let outcome = check_with("D01", "15", None).await;
    assert_eq!(errors(&outcome), ["telephone-event-missing"], "{outcome}");
    assert_eq!((received(&outcome, "info"), received(&outcome, "inband")), ("15", "15"), "{outcome}");
    assert!(result(&outcome, "rfc4733").judged.is_none());
}

#[tokio::test(start_paused = true)]
async fn one_end_packet_is_enough_where_nothing_is_lost() {
    let outcome = check_with("D08:one", "15", Rfc4733).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_path_without_media_is_the_paths_fault_and_not_the_platforms() {
    // The codes of `call`, whatever the question.
    for (fault, code) in [("N12", "no-audio"), ("N12:forward", "one-way-audio")] {
        for method in [Some(Rfc4733), Some(InBand), None] {
            let outcome = check_with(fault, "15", method).await;
            assert_eq!(
                (outcome.verdict, errors(&outcome)),
                (Verdict::Fail, vec![code]),
                "{fault}\n{outcome}"
            );
            assert_eq!(finding(&outcome, code).side, Side::Path, "{outcome}");
            assert_eq!(step(&outcome, method.unwrap_or(Info).as_str()).verdict, Verdict::NotRun);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_called_account_that_cannot_register_leaves_nothing_and_says_so() {
    // A01: its password is refused.
    let refused = check_with("A01", "1", Rfc4733).await;
    assert_eq!(
        (refused.verdict, errors(&refused)),
        (Verdict::Fail, vec!["credentials-refused"]),
        "{refused}"
    );
    assert!(refused.finding("binding-left").is_none(), "{refused}");
    // Nobody listens at this port.
    let scene = Scene::new(&[]).await;
    let bob = scene.bob.clone().registrar(&format!("sip:{PBX}:5999")).unwrap();
    let closed = scene.check(Dtmf::between(&scene.alice, &bob).method(Rfc4733)).await;
    assert_eq!(closed.verdict, Verdict::Fail, "{closed}");
    assert!(closed.finding("binding-left").is_none(), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_come_up_says_why() {
    let scene = Scene::new(&[]).await;
    let check = scene.between("1", Rfc4733).dial("999").unwrap();
    let outcome = scene.check(check).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert!(outcome.summary.contains("404"), "{outcome}");
    let echo = scene.check(scene.between("1", Rfc4733).dial("*43").unwrap()).await;
    assert_eq!(errors(&echo), ["not-delivered"], "{echo}");
}
