//! Who the parties are told that they talk to, before and after.

use crate::forms::transfer;
use crate::scene::KINDS;
use crate::seen::errors;
use ringback::check::TransferKind::{self, Attended, Blind, SemiAttended};
use ringback::check::{Outcome, Sees, Severity, Side, Transfer, Verdict};

fn json(outcome: &Outcome) -> serde_json::Value {
    let line: serde_json::Value = serde_json::from_str(&ringback::report::json::line(outcome)).unwrap();
    line["transfer"]["identity"].clone()
}

fn ends(by_callee: bool) -> impl FnOnce(Transfer) -> Transfer {
    move |check| if by_callee { check.by_callee() } else { check }
}

#[tokio::test(start_paused = true)]
async fn a_healthy_pbx_shows_the_transferee_to_the_target_in_every_kind_of_transfer() {
    for kind in KINDS {
        for relay in [false, true] {
            for by_callee in [false, true] {
                let outcome = transfer(&[], relay, kind, ends(by_callee)).await;
                let told = format!("{kind} relay {relay} by_callee {by_callee}\n{outcome}");
                assert_eq!((outcome.verdict, outcome.findings.len()), (Verdict::Pass, 0), "{told}");
                let identity = &outcome.transfer().unwrap().identity;
                let (transferor, transferee) = if by_callee { ("bob", "alice") } else { ("alice", "bob") };
                let uri = |user: &str| format!("sip:{user}@lab.example");
                assert_eq!(identity.target_sees, Some(Sees::Right), "{told}");
                assert_eq!(identity.transferee_sees, Some(Sees::Right), "{told}");
                let shown = identity.to_target.as_ref().unwrap_or_else(|| panic!("{told}"));
                let asserted = shown.asserted.as_deref().unwrap_or_default();
                assert_eq!(asserted, format!("<{}>", uri(transferee)), "{told}");
                let first = identity.transferee_first.as_ref().unwrap_or_else(|| panic!("{told}"));
                assert_eq!(first.uri, uri(transferee), "{told}");
                let before = identity.transferor_first.as_ref().unwrap_or_else(|| panic!("{told}"));
                assert_eq!(before.uri, uri(transferor), "{told}");
                assert_eq!(json(&outcome)["target_sees"], "right");
            }
        }
    }
    // The one who wanted the call is named beside the one who calls.
    let outcome = transfer(&[], true, Blind, |check| check).await;
    let shown = json(&outcome)["to_target"].clone();
    assert_eq!(shown["uri"], "sip:bob@lab.example", "{outcome}");
}

/// Fault, kind, whom the target sees, and what is said of it.
const LOST: &[(&str, TransferKind, Sees, &str)] = &[
    ("X22", Blind, Sees::Transferor, "carol was called as if by alice, not by bob: <sip:alice@lab.example>"),
    ("X22", SemiAttended, Sees::Transferor, "carol was called as if by alice, not by bob"),
    ("X22", Attended, Sees::Transferor, "carol was not told that it talks to bob now: it still sees alice"),
    ("X22:anonymous", Blind, Sees::Nobody, "as if by nobody, not by bob: <sip:anonymous@anonymous.invalid>"),
    ("X22:empty", Blind, Sees::Nobody, "as if by nobody, not by bob: <sip:lab.example>"),
];

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_lost_in_the_transfer_is_a_warning_with_what_was_shown_instead() {
    for (fault, kind, sees, words) in LOST {
        let outcome = transfer(&[fault], false, *kind, |check| check).await;
        let told = format!("{fault} {kind}\n{outcome}");
        // The two hear each other: it is a transfer, with a wrong name on a screen (S3).
        assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{told}");
        let lost: Vec<_> = outcome.findings.iter().filter(|f| f.severity == Severity::Warning).collect();
        assert_eq!(lost.len(), 1, "{told}");
        assert_eq!((&*lost[0].code, lost[0].side), ("caller-identity-lost", Side::Peer), "{told}");
        assert!(lost[0].seen.contains(words), "{told}");
        if *kind != Attended {
            assert!(lost[0].seen.contains("no Referred-By"), "{told}");
        }
        let identity = &outcome.transfer().unwrap().identity;
        assert_eq!(identity.target_sees.as_ref(), Some(sees), "{told}");
        assert_eq!(identity.transferee_sees, Some(Sees::Transferor), "bob is told nothing either\n{told}");
        let line = json(&outcome);
        assert_eq!(line["target_sees"], sees.as_str(), "{told}");
        assert_eq!(line["transferee_first"]["uri"], "sip:bob@lab.example");
        assert!(outcome.to_string().contains("transferee-first-shown"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_transferee_calls_itself_the_same_fault_shows_nothing() {
    // The PBX passes the REFER on: what reaches the target is the transferee's own call.
    let outcome = transfer(&["X22"], true, Blind, |check| check).await;
    assert_eq!((outcome.verdict, outcome.findings.len()), (Verdict::Pass, 0), "{outcome}");
}
