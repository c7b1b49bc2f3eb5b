//! Each fault of the PBX gets its verdict and its name.

use crate::scene::{KINDS, with_fault};
use crate::seen::errors;
use ringback::check::TransferKind::{self, Attended, Blind};
use ringback::check::{Severity, Side, TransferTarget, Verdict};

/// The fault, the kind, the verdict, the code of the finding, and what its words hold.
#[rustfmt::skip]
const CASES: &[(&str, TransferKind, Verdict, &str, &str)] = &[
    ("X01",        Blind,    Verdict::Fail, "refer-refused",           "405"),
    ("X01:501",    Attended, Verdict::Fail, "refer-refused",           "501"),
    ("X02",        Blind,    Verdict::Fail, "refer-refused",           "403"),
    ("X03",        Blind,    Verdict::Fail, "target-unknown",          "told 404; bob is back with alice"),
    ("X03:403",    Blind,    Verdict::Fail, "transfer-failed",         "told 403; bob is back with alice"),
    ("X06",        Blind,    Verdict::Fail, "refer-refused",           "603"),
    ("X07",        Blind,    Verdict::Pass, "",                        ""),
    ("X07:always", Blind,    Verdict::Fail, "referred-by-required",    "429 Provide Referrer Identity, although it had a Referred-By"),
    ("X08",        Blind,    Verdict::Fail, "refer-refused",           "420 Bad Extension (Unsupported: replaces, norefersub)"),
    ("X09",        Blind,    Verdict::Fail, "refer-refused",           "400"),
    ("X10",        Attended, Verdict::Fail, "replaces-not-found",        "told 481; bob is back with alice"),
    ("X11",        Attended, Verdict::Fail, "replaces-not-found",        "told 481; bob is back with alice"),
    ("X13",        Attended, Verdict::Fail, "replaces-ignored",        "a second time"),
    ("X14",        Blind,    Verdict::Fail, "not-carried-out",         "nothing came of it; bob is back with alice; alice was told 100 and no more"),
    ("X14",        Attended, Verdict::Fail, "not-carried-out",         "nothing came of it; bob is back with alice; alice was told 100 and no more"),
    ("X14:silent", Blind,    Verdict::Pass, "no-notify",               "no NOTIFY came"),
    ("X14:trying", Blind,    Verdict::Pass, "no-final-notify",         "alice was told 100 and no more"),
    ("X14:active", Blind,    Verdict::Pass, "subscription-not-ended",  "no NOTIFY said"),
    ("X16",        Blind,    Verdict::Fail, "no-final-notify",         "alice was never told"),
    ("X19",        Blind,    Verdict::Fail, "wrong-parties-joined",    "instead alice hears carol; carol hears alice, and alice was told 200"),
    ("X19",        Attended, Verdict::Fail, "wrong-parties-joined",    "carol hears alice"),
    ("X19:consult", Attended, Verdict::Fail, "leg-left-open",          "the call of alice with carol was not ended"),
    ("X19:consult", Blind,   Verdict::Pass, "",                        ""),
    ("X20",        Blind,    Verdict::Fail, "transfer-loops",          "went round in circles: alice was told 482; bob is back with alice"),
    ("X20:483",    Blind,    Verdict::Fail, "transfer-loops",          "483"),
    ("H07",        Blind,    Verdict::Fail, "one-way-after-transfer",  "bob does not hear carol"),
    ("H07",        Attended, Verdict::Fail, "one-way-after-transfer",  "bob does not hear carol"),
];

#[tokio::test(start_paused = true)]
async fn each_fault_gets_its_verdict_and_its_name() {
    for (fault, kind, verdict, code, words) in CASES {
        let outcome = with_fault(fault, *kind, TransferTarget::Answers).await;
        assert_eq!(outcome.verdict, *verdict, "{fault} {kind}\n{outcome}");
        let wanted = if *verdict == Verdict::Fail { vec![*code] } else { vec![] };
        assert_eq!(errors(&outcome), wanted, "{fault} {kind}\n{outcome}");
        let others = outcome.findings.iter().filter(|finding| finding.code != *code);
        assert_eq!(others.filter(|finding| finding.severity > Severity::Info).count(), 0, "{outcome}");
        if code.is_empty() {
            continue;
        }
        let found = outcome.finding(code);
        let found = found.unwrap_or_else(|| panic!("{fault} {kind}: no {code}\n{outcome}"));
        assert!(found.seen.contains(words), "{fault} {kind}: {}\n{outcome}", found.seen);
        assert_eq!(found.side, Side::Peer, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_notify_of_200_while_the_target_refused_is_told_as_untrue() {
    let outcome = with_fault("X15", Blind, TransferTarget::Refuses(486)).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["notify-untrue"]), "{outcome}");
    assert!(outcome.summary.contains("alice was told 200, and bob does not talk to carol"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_challenged_in_the_call_are_answered_and_the_transfer_comes_about() {
    for kind in KINDS {
        let outcome = with_fault("A14", kind, TransferTarget::Answers).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{kind}\n{outcome}");
    }
}
