//! The park orbit: who is sent there waits with music, and is fetched or comes back.

use crate::phone::{Call, wait};
use crate::transfers::{Office, answer, done, follow, gone, legs, notify, press, talk, to, told};
use ringback::media::dtmf::DtmfMethod;
use ringback::sim::LabBuilder;
use std::time::Duration;

async fn with_orbit(faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Office {
    Office::new(faults, |lab| more(lab.transfer_code("##").park("70", 2))).await
}

/// Whose tones are heard in half a second, and is there another sound?
async fn hears_music(call: &mut Call) -> bool {
    call.watch(200).await;
    call.handle.listen_again().await;
    let before = call.handle.report().await.unwrap().audible;
    call.watch(500).await;
    let report = call.handle.report().await.unwrap();
    let silent = report.heard.iter().all(|(_, time)| time.is_zero());
    silent && report.audible - before > Duration::from_millis(300)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_sent_to_a_place_waits_with_music_and_is_fetched_there() {
    for by_keys in [false, true] {
        let mut office = with_orbit(&[], |lab| lab).await;
        let (mut alice, mut bob) = office.call().await;
        if by_keys {
            press(&alice, "##701#", DtmfMethod::Rfc4733).await;
        } else {
            alice.handle.refer(to("701")).await;
            assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
        }
        gone(&mut alice).await;
        assert!(hears_music(&mut bob).await);
        bob.watch(5_000).await;
        assert!(hears_music(&mut bob).await, "it goes on");
        assert_eq!(legs(&office).await, ["bob"]);
        let mut carol = office.carol.dial("701").await;
        carol.until_answered().await;
        bob.watch(500).await;
        assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
        assert_eq!(legs(&office).await, ["bob", "carol"]);
        // The place is free again.
        let mut dan = office.dan.dial("701").await;
        assert_eq!(dan.until_over().await.0, Some(404));
        bob.handle.hang_up(None).await;
        carol.until_over().await;
        assert!(legs(&office).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_taken_or_not_there_leaves_the_call_where_it_was() {
    let mut office = with_orbit(&[], |lab| lab).await;
    let (mut dan, mut carol) = talk(&office.dan, &mut office.carol).await;
    dan.handle.refer(to("702")).await;
    gone(&mut dan).await;
    let (mut alice, bob) = office.call().await;
    for (number, status) in [("702", 486), ("703", 404)] {
        alice.handle.refer(to(number)).await;
        assert_eq!(told(&mut alice).await, (vec![100, status], done()), "{number}");
        alice.seen.clear();
        wait(300).await;
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{number}");
    }
    carol.handle.hang_up(None).await;
    carol.until_over().await;
    // Who waits and hangs up leaves the place.
    alice.handle.refer(to("702")).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    assert_eq!(legs(&office).await, ["bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_fetches_rings_who_parked_it() {
    for answers in [true, false] {
        let mut office = with_orbit(&[], |lab| lab).await;
        let (mut alice, mut bob) = office.call().await;
        alice.handle.refer(to("701")).await;
        gone(&mut alice).await;
        wait(58_000).await;
        assert_eq!(legs(&office).await, ["bob"]);
        if answers {
            let alice = answer(&mut office.alice).await;
            bob.watch(500).await;
            assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
            assert_eq!(legs(&office).await, ["bob", "alice"]);
        } else {
            office.alice.invited().await.refuse(486).await;
            bob.until_over().await;
            assert!(legs(&office).await.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_follows_a_relayed_refer_to_a_place_waits_there() {
    let mut office = with_orbit(&[], LabBuilder::relay_refer).await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("701")).await;
    let (referral, mut new) = follow(&office, &mut bob).await;
    new.until_answered().await;
    notify(&bob, referral, 200).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    assert!(hears_music(&mut new).await);
    let mut carol = office.carol.dial("701").await;
    carol.until_answered().await;
    new.watch(500).await;
    assert_eq!((new.hears().await, carol.hears().await), (vec![2], vec![1]));
}

#[tokio::test(start_paused = true)]
async fn x05_a_transfer_to_a_place_destroys_the_call_by_refer_and_by_keys() {
    for by_keys in [false, true] {
        let mut office = with_orbit(&["X05"], |lab| lab).await;
        let (mut alice, mut bob) = office.call().await;
        if by_keys {
            press(&alice, "##701#", DtmfMethod::Rfc4733).await;
        } else {
            alice.handle.refer(to("701")).await;
            assert_eq!(told(&mut alice).await, (vec![100, 404], done()));
        }
        gone(&mut bob).await;
        gone(&mut alice).await;
        assert!(legs(&office).await.is_empty());
        let mut carol = office.carol.dial("701").await;
        assert_eq!(carol.until_over().await.0, Some(404), "nobody waits there");
    }
}
