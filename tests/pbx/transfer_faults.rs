//! What faults make of transfers and holds, as the phones see and hear it.

use crate::phone::{ALICE, BOB, user, wait};
use crate::transfers::{
    Office, answer, done, far, follow, gone, header, is_over, legs, talk, to, told, with,
};
use ringback::sim::LabBuilder;
use ringback::syntax::HeaderName;
use ringback::ua::call::{Cause, Command, Event, Hold};
use ringback::ua::transfer::{Refer, SubscriptionEnd, Target, TransfereeEvent, TransferorEvent};

#[tokio::test(start_paused = true)]
async fn x10_x11_x13_a_replaces_that_is_mangled_unknown_or_ignored_when_the_phone_follows() {
    for fault in ["X10", "X11", "X13"] {
        let mut office = Office::new(&[fault], LabBuilder::relay_refer).await;
        let (alice, mut bob) = office.call().await;
        let (consult, _first) = talk(&office.alice, &mut office.carol).await;
        // The fault is met by who calls with Replaces.
        let user = user("bob", BOB).extension("202").fault(fault).unwrap();
        office.lab.set_user(user);
        alice.handle.refer(with("carol", consult.handle.replaces().await.unwrap())).await;
        let (_, mut new) = follow(&office, &mut bob).await;
        if fault == "X13" {
            let second = answer(&mut office.carol).await;
            new.until_answered().await;
            assert_eq!(second.hears().await, [1]);
            assert_eq!(legs(&office).await.len(), 6, "the first call of alice and carol stays");
        } else {
            assert_eq!(new.until_over().await.0, Some(481), "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn x16_notifies_of_the_transferee_are_refused() {
    let mut office = Office::new(&["X16"], LabBuilder::relay_refer).await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    let _new = follow(&office, &mut bob).await;
    let is_refused = |event: &Event| {
        matches!(event, Event::Transferee { event: TransfereeEvent::Notified { status: Some(481) }, .. })
    };
    bob.until("481", is_refused).await;
    alice.watch(1_000).await;
}

#[tokio::test(start_paused = true)]
async fn x01_to_x09_a_refer_is_refused() {
    let faults = [
        ("X01", 405),
        ("X01:501", 501),
        ("X02", 403),
        ("X06", 603),
        ("X07:always", 429),
        ("X08", 420),
        ("X09", 400),
        ("X17", 491),
    ];
    for (fault, status) in faults {
        let mut office = Office::new(&[fault], |lab| lab).await;
        let (mut alice, bob) = office.call().await;
        alice.handle.refer(to("carol")).await;
        assert_eq!(told(&mut alice).await, (vec![], Err(status)), "{fault}");
        wait(1_200).await;
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{fault}");
        if fault == "X17" {
            alice.seen.clear();
            alice.handle.refer(to("nobody")).await;
            assert_eq!(told(&mut alice).await.0, [100, 404]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn x04_only_sip_uris_with_a_user_are_taken() {
    for (fault, status) in [("X04", 501), ("X04:400", 400)] {
        let mut office = Office::new(&[fault], |lab| lab).await;
        let (mut alice, _bob) = office.call().await;
        alice.handle.refer(Refer::new(1, Target::new("tel:+15550100"))).await;
        assert_eq!(told(&mut alice).await, (vec![], Err(status)));
        alice.seen.clear();
        alice.handle.refer(to("nobody")).await;
        assert_eq!(told(&mut alice).await.0, [100, 404], "a sip: URI is taken");
    }
}

#[tokio::test(start_paused = true)]
async fn x03_x20_x21_the_target_is_never_called_and_the_notify_says_so() {
    let faults = [
        ("X03", "carol", 404),
        ("X03:403", "carol", 403),
        ("X20", "carol", 482),
        ("X20:483", "carol", 483),
        ("X21", "203", 404),
        ("X21:484", "203", 484),
    ];
    for (fault, number, status) in faults {
        let mut office = Office::new(&[fault], |lab| lab).await;
        let (mut alice, bob) = office.call().await;
        alice.handle.refer(to(number)).await;
        assert_eq!(told(&mut alice).await, (vec![100, status], done()), "{fault}");
        wait(500).await;
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{fault}");
        if number == "203" {
            alice.handle.refer(to("carol")).await;
            let carol = answer(&mut office.carol).await;
            wait(500).await;
            assert_eq!(carol.hears().await, [1], "by name she is found");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn x05_a_transfer_to_a_number_of_the_pbx_destroys_the_call() {
    let mut office = Office::new(&["X05"], |lab| lab).await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("*43")).await;
    bob.until_over().await;
    assert_eq!(told(&mut alice).await, (vec![100, 404], done()));
    assert_eq!(alice.until_over().await.0, None);
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn x10_to_x13_an_attended_transfer_loses_its_replaces() {
    for (fault, status) in [("X10", 481), ("X11", 481), ("X13", 200)] {
        let mut office = Office::new(&[fault], |lab| lab).await;
        let (mut alice, mut bob) = office.call().await;
        let (consult, carol) = talk(&office.alice, &mut office.carol).await;
        alice.handle.refer(with("carol", consult.handle.replaces().await.unwrap())).await;
        if fault == "X13" {
            let second = answer(&mut office.carol).await;
            bob.watch(500).await;
            assert_eq!((bob.hears().await, second.hears().await), (vec![2], vec![1]));
            wait(300).await;
            assert_eq!((consult.hears().await, carol.hears().await), (vec![2], vec![0]), "both live");
        }
        let (statuses, end) = told(&mut alice).await;
        assert_eq!((statuses.last(), end), (Some(&status), done()), "{fault}");
    }
    let mut office = Office::new(&["X12"], |lab| lab).await;
    let (mut alice, _bob) = office.call().await;
    let mut consult = office.alice.dial("carol").await;
    let carol = office.carol.take().await;
    carol.handle.command(Command::Ring { status: 180, media: false }).await;
    consult.until("180", |event| matches!(event, Event::Progress { status: 180, .. })).await;
    alice.handle.refer(with("carol", consult.handle.replaces().await.unwrap())).await;
    assert_eq!(told(&mut alice).await, (vec![100, 481], done()));
    carol.handle.command(Command::Answer).await;
    consult.until_answered().await;
    assert_eq!(carol.hears().await, [0]);
}

#[tokio::test(start_paused = true)]
async fn x14_accepted_and_never_carried_out() {
    let mut office = Office::new(&["X14"], |lab| lab).await;
    let (mut alice, bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    alice.watch(100_000).await;
    let notified = alice.signals().filter_map(|event| match event {
        Event::Transferor { event: TransferorEvent::Notified(told), .. } => told.status,
        _ => None,
    });
    assert_eq!(notified.collect::<Vec<_>>(), [100]);
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
    assert_eq!(legs(&office).await, ["alice", "bob"]);
}

#[tokio::test(start_paused = true)]
async fn x14_carried_out_and_not_told() {
    for (fault, heard) in [("X14:silent", vec![]), ("X14:trying", vec![100]), ("X14:active", vec![100, 200])]
    {
        let mut office = Office::new(&[fault], |lab| lab).await;
        let (mut alice, mut bob) = office.call().await;
        alice.handle.refer(to("carol")).await;
        let carol = answer(&mut office.carol).await;
        bob.watch(500).await;
        assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]), "{fault}");
        let (statuses, end) = told(&mut alice).await;
        assert_eq!(statuses, heard, "{fault}");
        assert!(!matches!(end, Ok(SubscriptionEnd::Terminated { .. })), "{fault}: {end:?}");
        assert_eq!(legs(&office).await, ["bob", "carol"], "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn x15_a_refusal_is_told_as_success() {
    let mut office = Office::new(&["X15"], |lab| lab).await;
    let (mut alice, bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    office.carol.invited().await.refuse(486).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    wait(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn x18_the_bye_of_the_transferor_ends_the_transfer() {
    let mut office = Office::new(&["X18"], |lab| lab).await;
    let (alice, mut bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    let mut carol = office.carol.take().await;
    carol.handle.command(Command::Ring { status: 180, media: false }).await;
    wait(500).await;
    alice.handle.hang_up(None).await;
    bob.until_over().await;
    let ended = carol.until("end", |event| matches!(event, Event::Ended { .. })).await;
    assert!(matches!(ended, Event::Ended { cause: Cause::Cancelled, .. }), "{ended:?}");
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn x19_the_wrong_parties_are_joined_or_a_leg_is_left() {
    let mut office = Office::new(&["X19"], |lab| lab).await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    let carol = answer(&mut office.carol).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    bob.until_over().await;
    wait(500).await;
    assert_eq!((alice.hears().await, carol.hears().await), (vec![2], vec![0]));

    let mut office = Office::new(&["X19:consult"], |lab| lab).await;
    let (mut alice, mut bob) = office.call().await;
    let (mut consult, carol) = talk(&office.alice, &mut office.carol).await;
    alice.handle.refer(with("carol", consult.handle.replaces().await.unwrap())).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    bob.watch(500).await;
    assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
    consult.watch(30_000).await;
    assert!(!is_over(&consult) && consult.hears().await.is_empty());
    assert_eq!(legs(&office).await, ["bob", "alice", "carol"]);
    consult.handle.hang_up(None).await;
    gone(&mut consult).await;
    assert_eq!(legs(&office).await, ["bob", "carol"]);
}

#[tokio::test(start_paused = true)]
async fn x22_the_target_sees_the_transferor() {
    let mut office = Office::new(&["X22"], |lab| lab).await;
    let (alice, mut bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    let carol = answer(&mut office.carol).await;
    let invite = carol.invite.clone().unwrap();
    assert_eq!(header(&invite, HeaderName::PAssertedIdentity), "<sip:alice@lab.example>");
    assert_eq!(invite.header(HeaderName::ReferredBy), None);
    bob.watch(1_000).await;
    assert_eq!(far(&bob), None);
    assert_eq!(bob.hears().await, [2]);
}

#[tokio::test(start_paused = true)]
async fn h07_the_transferee_hears_nothing_after_the_transfer() {
    let mut office = Office::new(&["H07"], |lab| lab).await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    let carol = answer(&mut office.carol).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    bob.watch(500).await;
    assert_eq!((bob.hears().await, carol.hears().await), (vec![], vec![1]));
    assert_eq!(alice.hears().await, [2], "to the old address");
}

#[tokio::test(start_paused = true)]
async fn h01_a_hold_of_the_old_kind_is_not_understood() {
    for fault in [None, Some("H01")] {
        let mut office = Office::new(fault.as_slice(), |lab| lab).await;
        let (mut alice, mut bob) = office.call().await;
        alice.handle.command(Command::Hold(Hold::ZeroAddress)).await;
        bob.watch(12_000).await;
        alice.watch(10).await;
        let held = bob.signals().any(|event| matches!(event, Event::Held { .. }));
        assert_eq!(
            (held, is_over(&bob), is_over(&alice)),
            match fault {
                None => (true, false, false),
                Some(_) => (false, true, true),
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a14_requests_in_the_dialog_are_challenged() {
    let mut office = Office::new(&["A14"], |lab| lab).await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("nobody")).await;
    assert_eq!(told(&mut alice).await.0, [100, 404], "who answers the challenge is heard");
    alice.handle.command(Command::Hold(Hold::SendOnly)).await;
    alice.until("hold", |event| matches!(event, Event::Held { .. })).await;
    alice.handle.hang_up(None).await;
    bob.until_over().await;
    // Who has no answer is refused for good.
    let (password, mut dumb) = ("alicepw", office.alice.dial("bob").await);
    assert_eq!(password, office.alice.password);
    let mut bob = answer(&mut office.bob).await;
    dumb.until_answered().await;
    office.lab.set_user(user("alice", ALICE).fault("A14").unwrap().fault("A01").unwrap());
    dumb.handle.refer(to("carol")).await;
    assert_eq!(told(&mut dumb).await, (vec![], Err(407)));
    bob.watch(100).await;
    assert!(!is_over(&bob));
}
