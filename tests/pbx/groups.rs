//! Several devices that are rung as one: groups, and several bindings of one user.

use crate::phone::{BOB, Call, Phone, user, wait};
use crate::transfers::{Office, answer, done, gone, is_over, legs, talk, to, told};
use ringback::sim::{Device, LabBuilder, User};
use ringback::ua::call::{Cause, Command, Event};

const CAROL: &str = "192.0.2.3";
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// The group 600 of bob and carol; and erin, whose two devices are at their addresses.
fn rung_as_one(lab: LabBuilder) -> LabBuilder {
    let device = |at: &str| Device::new(format!("sip:erin@{at}:5060"));
    lab.group("600", ["bob", "203"])
        .user(User::new("erin", "erinpw").device(device(BOB)).device(device(CAROL)))
}

async fn ring(phone: &mut Phone) -> Call {
    let call = phone.take().await;
    call.handle.command(Command::Ring { status: 180, media: false }).await;
    call
}

async fn refuse(call: &Call, status: u16) {
    call.handle.command(Command::Refuse { status, reason: None }).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_wins_and_the_others_are_told_that_it_is_elsewhere() {
    for number in ["600", "erin"] {
        let mut office = Office::new(&[], rung_as_one).await;
        let mut alice = office.alice.dial(number).await;
        let (mut bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
        alice.until("180", |event| matches!(event, Event::Progress { status: 180, .. })).await;
        assert_eq!(legs(&office).await.len(), 3);
        carol.handle.command(Command::Answer).await;
        alice.until_answered().await;
        carol.until_answered().await;
        let ended = bob.until("end", |event| matches!(event, Event::Ended { .. })).await;
        let Event::Ended { cause: Cause::Cancelled, reasons, .. } = ended else { panic!("{ended:?}") };
        assert_eq!(reasons, [ELSEWHERE]);
        wait(500).await;
        assert_eq!((alice.hears().await, carol.hears().await), (vec![2], vec![0]), "{number}");
        assert_eq!(legs(&office).await.len(), 2);
        alice.handle.hang_up(None).await;
        carol.until_over().await;
        assert!(legs(&office).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_its_own_branch_and_the_best_one_is_told_in_the_end() {
    let mut office = Office::new(&[], rung_as_one).await;
    let mut alice = office.alice.dial("600").await;
    let (bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
    refuse(&bob, 486).await;
    alice.watch(5_000).await;
    carol.handle.command(Command::Answer).await;
    alice.until_answered().await;
    carol.until_answered().await;
    for (first, second, told) in [(486, 480, 486), (480, 486, 486), (486, 603, 603), (500, 404, 404)] {
        let mut office = Office::new(&[], rung_as_one).await;
        let mut alice = office.alice.dial("600").await;
        let (bob, carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
        refuse(&bob, first).await;
        wait(100).await;
        refuse(&carol, second).await;
        assert_eq!(alice.until_over().await.0, Some(told));
        assert!(legs(&office).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_answer_at_once_one_wins_and_no_leg_is_left() {
    let mut office = Office::new(&[], rung_as_one).await;
    let mut alice = office.alice.dial("600").await;
    let (mut bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
    bob.handle.command(Command::Answer).await;
    carol.handle.command(Command::Answer).await;
    alice.until_answered().await;
    bob.watch(1_000).await;
    carol.watch(10).await;
    assert!(is_over(&bob) != is_over(&carol), "{}\n{}", bob.story(), carol.story());
    let winner = if is_over(&bob) { &carol } else { &bob };
    assert_eq!(winner.hears().await, [0]);
    assert_eq!(legs(&office).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_is_cancelled_everywhere() {
    let mut office = Office::new(&[], rung_as_one).await;
    let mut alice = office.alice.dial("600").await;
    let (mut bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
    alice.watch(500).await;
    alice.handle.hang_up(None).await;
    bob.until_over().await;
    carol.until_over().await;
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_transferred_to_a_group() {
    let mut office = Office::new(&[], rung_as_one).await;
    let (mut dan, mut alice) = talk(&office.dan, &mut office.alice).await;
    alice.handle.refer(to("600")).await;
    let (bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
    refuse(&bob, 486).await;
    wait(500).await;
    carol.handle.command(Command::Answer).await;
    let (statuses, end) = told(&mut alice).await;
    assert_eq!((statuses.last(), end), (Some(&200), done()));
    gone(&mut alice).await;
    carol.until_answered().await;
    dan.watch(500).await;
    assert_eq!((dan.hears().await, carol.hears().await), (vec![2], vec![3]));
}

#[tokio::test(start_paused = true)]
async fn f01_one_refusal_ends_all() {
    let mut office = Office::new(&["F01"], rung_as_one).await;
    let mut alice = office.alice.dial("600").await;
    let (bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
    refuse(&bob, 486).await;
    assert_eq!(alice.until_over().await.0, Some(486));
    carol.until_over().await;
}

#[tokio::test(start_paused = true)]
async fn f02_f04_the_others_ring_on_and_may_even_answer() {
    for fault in ["F02", "F04"] {
        let mut office = Office::new(&[fault], rung_as_one).await;
        let mut alice = office.alice.dial("600").await;
        let (mut bob, mut carol) = (ring(&mut office.bob).await, ring(&mut office.carol).await);
        bob.handle.command(Command::Answer).await;
        alice.until_answered().await;
        bob.until_answered().await;
        carol.watch(20_000).await;
        assert!(!is_over(&carol), "{fault}: it rings on");
        carol.handle.command(Command::Answer).await;
        carol.until_answered().await;
        carol.watch(20_000).await;
        assert_eq!(is_over(&carol), fault == "F02");
        if fault == "F04" {
            assert!(carol.hears().await.is_empty());
            assert_eq!(legs(&office).await, ["alice", "bob", "carol"]);
        }
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
        alice.handle.hang_up(None).await;
        gone(&mut carol).await;
        bob.until_over().await;
        assert!(legs(&office).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn f05_a_second_call_finds_the_line_busy() {
    for (fault, status) in [(None, None), (Some("F05"), Some(486))] {
        let mut office = Office::new(fault.as_slice(), |lab| lab).await;
        let (_bob, _alice) = talk(&office.bob, &mut office.alice).await;
        let mut dan = office.dan.dial("alice").await;
        match status {
            Some(_) => assert_eq!(dan.until_over().await.0, status),
            None => {
                answer(&mut office.alice).await;
                dan.until_answered().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn u14_only_one_device_of_a_user_is_rung() {
    let mut office = Office::new(&["U14"], rung_as_one).await;
    let mut alice = office.alice.dial("erin").await;
    let _rung = tokio::select! {
        call = ring(&mut office.bob) => call,
        call = ring(&mut office.carol) => call,
    };
    alice.watch(1_000).await;
    assert_eq!(legs(&office).await, ["alice", "erin"]);
}

#[tokio::test(start_paused = true)]
async fn u05_u14_the_number_or_another_line_stands_where_the_account_should_or_the_other_way_round() {
    for (faults, trunk, uri, to) in [
        (&[][..], false, "bob", "bob"),
        (&[], true, "202", "202"),
        (&["U05"], false, "bob", "202"),
        (&["U05"], true, "bob", "202"),
        (&["U14:line"], false, "alice", "alice"),
    ] {
        let mut office = Office::new(faults, |lab| {
            let bob = user("bob", BOB).extension("202");
            lab.user(if trunk { bob.trunk() } else { bob })
        })
        .await;
        let mut alice = office.alice.dial("202").await;
        let bob = answer(&mut office.bob).await;
        alice.until_answered().await;
        let invite = bob.invite.as_ref().unwrap();
        let named =
            |uri: ringback::syntax::Uri<'_>| String::from_utf8_lossy(uri.user().unwrap()).into_owned();
        assert_eq!(named(invite.request_uri().unwrap().unwrap()), uri, "{faults:?} {trunk}");
        assert_eq!(named(invite.to().unwrap().uri()), to, "{faults:?} {trunk}");
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{faults:?}");
        bob.handle.hang_up(None).await;
        alice.until_over().await;
        assert!(legs(&office).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_does_not_answer_at_all_keeps_nobody_else_waiting() {
    let mut office = Office::new(&[], |lab| {
        let device = |at: &str| Device::new(format!("sip:erin@{at}:5060"));
        lab.user(User::new("erin", "erinpw").device(device("192.0.2.99")).device(device(BOB)))
    })
    .await;
    let mut alice = office.alice.dial("erin").await;
    let bob = answer(&mut office.bob).await;
    alice.until_answered().await;
    wait(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn members_are_rung_one_after_the_other_and_a_refusal_passes_the_turn_on_at_once() {
    use std::time::Duration;
    let hunting = |lab: LabBuilder| lab.hunt_group("601", ["bob", "carol"], Duration::from_secs(10));
    let mut office = Office::new(&[], hunting).await;
    let mut alice = office.alice.dial("601").await;
    let mut bob = ring(&mut office.bob).await;
    alice.watch(9_000).await;
    assert_eq!(legs(&office).await.len(), 2);
    let carol = ring(&mut office.carol).await;
    bob.until_over().await;
    // The last one rings on.
    alice.watch(20_000).await;
    carol.handle.command(Command::Answer).await;
    alice.until_answered().await;
    wait(500).await;
    assert_eq!((alice.hears().await, carol.hears().await), (vec![2], vec![0]));

    let mut office = Office::new(&[], hunting).await;
    let mut alice = office.alice.dial("601").await;
    let bob = ring(&mut office.bob).await;
    refuse(&bob, 486).await;
    let carol = ring(&mut office.carol).await;
    refuse(&carol, 480).await;
    assert_eq!(alice.until_over().await.0, Some(480));
    assert!(legs(&office).await.is_empty());

    let mut office = Office::new(&[], hunting).await;
    let mut alice = office.alice.dial("601").await;
    let mut bob = ring(&mut office.bob).await;
    alice.handle.hang_up(None).await;
    bob.until_over().await;
    alice.watch(15_000).await;
    assert!(legs(&office).await.is_empty(), "carol is not rung any more");
}
