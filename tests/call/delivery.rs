//! Whom a call names at the callee: the number, the account, or the wrong line.

use super::scene::assert_verdict;
use crate::pbx::World;
use crate::seen::{fact, finding, steps};
use ringback::check::{Call, Outcome, Severity, Side, Verdict};
use ringback::sim::User;

/// Bob, with this fault, as a phone or as a PBX behind a trunk.
async fn world(fault: &str, trunk: bool) -> World {
    let world = World::new(&[]).await;
    let mut bob = User::new("bob", "bobpw").extension("202");
    if !fault.is_empty() {
        bob = bob.fault(fault).unwrap();
    }
    world.lab.set_user(if trunk { bob.trunk() } else { bob });
    world
}

async fn dialled(fault: &str, trunk: bool, more: impl FnOnce(Call) -> Call) -> Outcome {
    let world = world(fault, trunk).await;
    world.check(more(world.between().dial("202").unwrap())).await
}

#[tokio::test(start_paused = true)]
async fn u05_a_number_that_comes_in_to_only_is_a_warning_and_a_fault_where_it_is_expected() {
    for trunk in [false, true] {
        let outcome = dialled("U05", trunk, |call| call).await;
        assert_verdict(&outcome, Verdict::Pass);
        let found = finding(&outcome, "number-only-in-to");
        assert_eq!((found.severity, found.side, outcome.findings.len()), (Severity::Warning, Side::Peer, 1));
        assert!(
            found.seen.contains("202 was dialled; the INVITE that came to bob has it in To only"),
            "{outcome}"
        );
        assert!(found.advice.contains("route by To"), "{outcome}");
        assert_eq!((fact(&outcome, "called-as"), fact(&outcome, "called-to")), ("bob", "202"));
    }
    let outcome = dialled("U05", true, Call::expect_number).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert_eq!(outcome.findings.len(), 1, "{outcome}");
    assert_eq!(finding(&outcome, "number-only-in-to").severity, Severity::Error);
    assert!(steps(&outcome).contains("answer:pass delivery:fail audio-a-to-b:pass"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_number_in_the_request_uri_and_an_account_that_is_called_by_its_name_are_as_they_should_be() {
    let trunk = dialled("", true, Call::expect_number).await;
    assert_verdict(&trunk, Verdict::Pass);
    assert!(trunk.findings.is_empty() && fact(&trunk, "called-as") == "202", "{trunk}");
    let phone = dialled("", false, |call| call).await;
    assert_verdict(&phone, Verdict::Pass);
    assert!(phone.findings.is_empty() && fact(&phone, "called-as") == "bob", "{phone}");
    let phone = dialled("", false, Call::expect_number).await;
    assert_verdict(&phone, Verdict::Fail);
    assert!(finding(&phone, "number-not-delivered").seen.contains("names bob, To bob"), "{phone}");
}

#[tokio::test(start_paused = true)]
async fn u14_the_wrong_line_is_told_apart_from_u05() {
    for (expected, number) in [(false, true), (true, true), (false, false)] {
        let world = world("U14:line", expected).await;
        let mut call = world.between();
        if number {
            call = call.dial("202").unwrap();
        }
        let outcome = world.check(if expected { call.expect_number() } else { call }).await;
        assert_verdict(&outcome, Verdict::Fail);
        assert_eq!(outcome.findings.len(), 1, "{outcome}");
        let found = finding(&outcome, "wrong-line-rang");
        assert_eq!((found.severity, found.side), (Severity::Error, Side::Peer));
        assert!(found.seen.contains("the INVITE that came to bob is for alice"), "{outcome}");
    }
}
