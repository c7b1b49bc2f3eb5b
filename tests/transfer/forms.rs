//! What comes of the manners of phones: other names of the target, Replaces of a call that rings, haste; and faults that look alike.

use crate::scene::{Scene, USERS};
use crate::seen::errors;
use ringback::Error;
use ringback::check::TransferKind::{self, Attended, Blind, SemiAttended};
use ringback::check::{
    Account, FeatureCode, Outcome, ReferTo, Severity, Side, Transfer, TransferTarget, Verdict,
};
use ringback::sim::User;

/// One transfer, with these faults at every user; carol has the extension 203.
pub(crate) async fn transfer(
    faults: &[&str],
    relay: bool,
    kind: TransferKind,
    set: impl FnOnce(Transfer) -> Transfer,
) -> Outcome {
    let scene = Scene::new(&USERS, faults, |lab| if relay { lab.relay_refer() } else { lab }).await;
    let mut carol = User::new("carol", "pw").extension("203");
    for fault in faults {
        carol = carol.fault(fault).unwrap();
    }
    scene.lab.set_user(carol);
    scene.check(set(scene.transfer(kind))).await
}

fn tel(check: Transfer) -> Transfer {
    check.refer_to(ReferTo::Uri("tel:+15550103".to_owned())).unwrap()
}

fn number(check: Transfer) -> Transfer {
    check.refer_to(ReferTo::Number("203".to_owned())).unwrap()
}

fn nobody(check: Transfer) -> Transfer {
    check.refer_to(ReferTo::Number("999".to_owned())).unwrap()
}

fn early(check: Transfer) -> Transfer {
    check.early_replaces().unwrap()
}

fn hasty(check: Transfer) -> Transfer {
    check.hang_up_early().unwrap()
}

fn plain(check: Transfer) -> Transfer {
    check
}

/// Fault, whether REFER is relayed, kind, manner, and the only error (or none) with words of it.
type Case =
    (&'static str, bool, TransferKind, fn(Transfer) -> Transfer, Option<(&'static str, &'static str)>);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // The name of the target: what other forms show.
    ("X04",     false, Blind, tel,    Some(("refer-to-form-refused", "to tel:+15550103 was refused (501 Not Implemented), the same one to sip:carol@lab.example was accepted (202) (X04)"))),
    ("X04:400", false, Blind, tel,    Some(("refer-to-form-refused", "(400 Bad Request)"))),
    ("X04",     false, Blind, plain,  None),
    ("X01:501", false, Blind, tel,    Some(("refer-refused", "501"))),
    ("X21",     false, Blind, number, Some(("target-unknown", "sip:203@lab.example is not known where the transfer is carried out: alice was told 404; bob is back with alice"))),
    ("X21:484", false, Blind, number, Some(("target-unknown", "alice was told 484"))),
    ("X21",     false, Blind, plain,  None),
    ("",        false, Blind, number, None),
    ("",        true,  Blind, number, None),
    ("",        false, Attended, number, None),
    // A call that rings.
    ("X12",     false, SemiAttended, early, Some(("early-replaces-refused", "carol rang for alice, and that call could not be taken over: alice was told 481; bob is back with alice"))),
    ("X12",     false, SemiAttended, plain, None),
    ("",        false, SemiAttended, early, None),
    ("",        true,  SemiAttended, early, Some(("early-replaces-refused", "alice was told 481"))),
    // Replaces on its way.
    ("X10",     false, Attended, plain, Some(("replaces-not-found", "481"))),
    ("X10",     true,  Attended, plain, Some(("replaces-mangled", "the Replaces that arrived is not the one that alice sent: alice was told 481"))),
    ("X11",     false, Attended, plain, Some(("replaces-not-found", "was not found by its Replaces"))),
    ("X11",     true,  Attended, plain, Some(("replaces-not-found", "was not found by its Replaces"))),
    ("X13",     false, Attended, plain, Some(("replaces-ignored", "carol was called a second time"))),
    ("X13",     true,  Attended, plain, Some(("replaces-ignored", "carol was called a second time"))),
    // Accepted, and then: nothing, a lie, a dropped call, a loop.
    ("X14",     false, Blind, plain, Some(("not-carried-out", "nothing came of it"))),
    ("X14",     false, Blind, hasty, Some(("dropped-with-transferor", "bob was cut off before carol answered"))),
    ("X15",     false, Blind, busy, Some(("notify-untrue", "alice was told 200, and bob does not talk to carol: bob is back with alice"))),
    ("X18",     false, Blind, hasty, Some(("dropped-with-transferor", "alice hung up as soon as the REFER was accepted, and bob was cut off before carol answered"))),
    ("X18",     false, Blind, plain, None),
    ("",        false, Blind, hasty, None),
    ("",        true,  Blind, hasty, None),
    ("",        false, Attended, hasty, None),
    ("",        true,  Attended, hasty, None),
    ("X20",     false, Blind, plain, Some(("transfer-loops", "alice was told 482; bob is back with alice"))),
    ("",        false, Blind, nobody, Some(("target-unknown", "sip:999@lab.example is not known where the transfer is carried out: alice was told 404; bob is back with alice"))),
    // The wrong two, or one leg too many.
    ("X19",     false, Attended, plain, Some(("wrong-parties-joined", "bob should talk to carol; instead carol hears alice, and alice was told 200"))),
    ("X19:consult", false, Attended, plain, Some(("leg-left-open", "the call of alice with carol was not ended with it"))),
    ("H07",     false, Blind, plain, Some(("one-way-after-transfer", "after the transfer bob does not hear carol"))),
];

fn busy(check: Transfer) -> Transfer {
    check.target(TransferTarget::Refuses(486))
}

#[tokio::test(start_paused = true)]
async fn faults_that_look_alike_are_told_apart_by_name_and_words() {
    for (fault, relay, kind, set, expected) in CASES {
        let faults: Vec<&str> = [*fault].into_iter().filter(|fault| !fault.is_empty()).collect();
        let outcome = transfer(&faults, *relay, *kind, set).await;
        let told = format!("{fault} relay {relay} {kind}\n{outcome}");
        let wanted: Vec<&str> = expected.iter().map(|(code, _)| *code).collect();
        assert_eq!(errors(&outcome), wanted, "{told}");
        assert_eq!(outcome.verdict, if expected.is_some() { Verdict::Fail } else { Verdict::Pass }, "{told}");
        if let Some((code, words)) = expected {
            let found = outcome.finding(code).unwrap();
            assert!(found.seen.contains(words) && found.side == Side::Peer, "{told}");
            assert!(!found.advice.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refer_that_came_too_early_is_sent_again_and_only_that_is_told() {
    for kind in [Blind, Attended] {
        for by_callee in [false, true] {
            let set = |check: Transfer| {
                let check = check.at_once().unwrap();
                if by_callee { check.by_callee() } else { check }
            };
            let outcome = transfer(&["X17"], false, kind, set).await;
            assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{kind}\n{outcome}");
            let early = outcome.finding("refer-too-early");
            let early = early.unwrap_or_else(|| panic!("{kind} {by_callee}\n{outcome}"));
            assert!(early.seen.starts_with("the first REFER got 491 Request Pending"), "{outcome}");
            assert_eq!((early.severity, early.side), (Severity::Warning, Side::Peer));
            // RFC 3261 sec. 14.1: who made the Call-ID waits for 2.1 to 4 s.
            let refer = outcome.step("refer").unwrap().took.as_secs_f32();
            let range = if by_callee { 1.0..=2.1 } else { 2.1..=4.1 };
            assert!(range.contains(&refer), "{by_callee}: {refer}\n{outcome}");
            // The time of the transfer begins with the REFER that was taken.
            let result = outcome.transfer().unwrap();
            assert!(result.took.unwrap().as_secs_f32() < 1.0, "{outcome}");
        }
    }
    // Who waits as people do meets nothing of it.
    let outcome = transfer(&["X17"], false, Blind, |check| check).await;
    assert_eq!((outcome.verdict, outcome.findings.len()), (Verdict::Pass, 0), "{outcome}");
}

#[test]
fn what_only_a_refer_has_is_refused_beside_keys_and_a_park_orbit_in_either_order() {
    type Change = fn(Transfer) -> Result<Transfer, Error>;
    let account = |name: &str| Account::new(&format!("sip:{name}@lab.example"), "pw").unwrap();
    let blind = Transfer::blind(&account("alice"), &account("bob"), &account("203"));
    let of_refer: [(&str, Change); 4] = [
        ("Refer-To", |check| check.refer_to(ReferTo::Number("203".to_owned()))),
        ("Replaces", Transfer::early_replaces),
        ("hanging up", Transfer::hang_up_early),
        ("in one go", Transfer::at_once),
    ];
    let others: [(&str, Change); 2] = [
        ("transfer code", |check| check.by_keys(FeatureCode::default())),
        ("parking place", |check| check.park("701")),
    ];
    for (what, of_refer) in of_refer {
        for (other, change) in others {
            for said in [of_refer(blind.clone()).and_then(change), change(blind.clone()).and_then(of_refer)] {
                let said = said.unwrap_err().to_string();
                assert!(said.contains(what) && said.contains(other), "{said}");
            }
        }
    }
    // Who is asked first can be none but the target of an attended transfer by REFER.
    let attended = Transfer::attended(&account("alice"), &account("bob"), &account("203"));
    let busy: Change = |check| check.asked(TransferTarget::Refuses(486));
    assert!(busy(attended.clone()).is_ok());
    let keyed = others.map(|(_, change)| change(attended.clone()).and_then(busy));
    for said in keyed
        .into_iter()
        .chain([busy(blind.clone()), busy(attended.clone()).and_then(Transfer::early_replaces)])
    {
        assert!(
            said.unwrap_err()
                .to_string()
                .contains("only an attended transfer by REFER calls the target first")
        );
    }
    // What changes nothing does no harm.
    assert!(blind.clone().park("701").and_then(|check| check.refer_to(ReferTo::Aor)).is_ok());
    let completed = || FeatureCode::new("*2").unwrap().complete_by("*3").unwrap();
    assert!(blind.clone().by_keys(completed()).unwrap_err().to_string().contains("completing code"));
    assert!(attended.clone().by_keys(completed()).is_ok());
    assert!(attended.park("701").unwrap().by_keys(completed()).is_err());
}
