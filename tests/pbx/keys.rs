//! Transfers by keys: with a consultation, and what becomes of keys that the PBX does not take.

use crate::phone::{Call, wait};
use crate::transfers::{Office, answer, far, gone, is_over, legs, press};
use ringback::endpoint::agent::CallEventKind;
use ringback::media::dtmf::DtmfMethod;
use ringback::media::stream;
use ringback::ua::call::Command;

async fn with_codes(faults: &[&str]) -> Office {
    Office::new(faults, |lab| lab.transfer_code("##").consult_code("*2")).await
}

/// The digits that a phone was sent, by this way.
fn digits(call: &Call, way: DtmfMethod) -> String {
    let observed = call.seen.iter().filter_map(|(_, what)| match what {
        CallEventKind::Media(stream::Event::Observed(seen)) if seen.way == way => {
            seen.digit.map(|d| d.character())
        }
        _ => None,
    });
    observed.collect()
}

/// Does it hear something that is no party's tone?
async fn hears_music(call: &Call) -> bool {
    call.handle.listen_again().await;
    let before = call.handle.report().await.unwrap().audible;
    wait(500).await;
    let report = call.handle.report().await.unwrap();
    report.heard.iter().all(|(_, time)| time.is_zero())
        && report.audible - before > std::time::Duration::from_millis(300)
}

#[tokio::test(start_paused = true)]
async fn a_consultation_lets_the_one_wait_with_music_and_ends_with_the_hang_up() {
    for way in [DtmfMethod::Rfc4733, DtmfMethod::Info] {
        let mut office = with_codes(&[]).await;
        let (mut alice, mut bob) = office.call().await;
        press(&alice, "*2203#", way).await;
        let mut carol = answer(&mut office.carol).await;
        wait(300).await;
        assert_eq!((alice.hears().await, carol.hears().await), (vec![2], vec![0]), "they talk");
        assert!(hears_music(&bob).await);
        assert_eq!(legs(&office).await, ["alice", "bob", "carol"]);
        alice.handle.hang_up(None).await;
        gone(&mut alice).await;
        bob.watch(500).await;
        carol.watch(100).await;
        assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
        assert_eq!(far(&carol).as_deref(), Some("<sip:bob@lab.example>"));
        assert_eq!(legs(&office).await, ["bob", "carol"]);
        bob.handle.hang_up(None).await;
        gone(&mut carol).await;
        assert!(legs(&office).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_ends_the_consultation_as_well() {
    let mut office = Office::new(&[], |lab| {
        let mut config = ringback::sim::pbx::Config::default();
        (config.consult_code, config.complete_code) = (Some("*2".into()), Some("*3".into()));
        lab.pbx(config)
    })
    .await;
    let (mut alice, bob) = office.call().await;
    press(&alice, "*2203", DtmfMethod::Rfc4733).await;
    let carol = answer(&mut office.carol).await;
    press(&alice, "*3", DtmfMethod::Rfc4733).await;
    alice.until_over().await;
    wait(500).await;
    assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_while_it_rings_leaves_the_other_to_the_answer() {
    for answers in [true, false] {
        let mut office = with_codes(&[]).await;
        let (alice, mut bob) = office.call().await;
        press(&alice, "*2203#", DtmfMethod::Rfc4733).await;
        let mut carol = office.carol.take().await;
        carol.handle.command(Command::Ring { status: 180, media: false }).await;
        wait(500).await;
        alice.handle.hang_up(None).await;
        wait(500).await;
        if answers {
            carol.handle.command(Command::Answer).await;
            carol.until_answered().await;
            bob.watch(500).await;
            assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
        } else {
            carol.handle.command(Command::Refuse { status: 486, reason: None }).await;
            gone(&mut bob).await;
            assert!(legs(&office).await.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_consultation_that_fails_or_is_left_by_the_target_gives_the_other_one_back() {
    for (number, status) in [("203", Some(486)), ("203", None), ("999", None)] {
        let mut office = with_codes(&[]).await;
        let (alice, bob) = office.call().await;
        press(&alice, &format!("*2{number}#"), DtmfMethod::Rfc4733).await;
        match status {
            Some(status) => office.carol.invited().await.refuse(status).await,
            None if number == "203" => {
                let carol = answer(&mut office.carol).await;
                wait(500).await;
                carol.handle.hang_up(None).await;
            }
            None => {}
        }
        wait(4_000).await;
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{number} {status:?}");
        assert_eq!(legs(&office).await, ["alice", "bob"]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_may_hang_up_and_the_consultation_goes_on() {
    let mut office = with_codes(&[]).await;
    let (mut alice, bob) = office.call().await;
    press(&alice, "*2203#", DtmfMethod::Rfc4733).await;
    let carol = answer(&mut office.carol).await;
    bob.handle.hang_up(None).await;
    wait(500).await;
    assert_eq!((alice.hears().await, carol.hears().await), (vec![2], vec![0]));
    carol.handle.hang_up(None).await;
    alice.until_over().await;
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn x23_keys_are_passed_on_or_vanish_and_nothing_follows() {
    for (fault, way, heard) in [
        ("X23", DtmfMethod::Rfc4733, "##203#"),
        ("X23", DtmfMethod::Info, "##203#"),
        ("X23:rfc4733", DtmfMethod::Rfc4733, "##203#"),
        ("X23:info", DtmfMethod::Info, "##203#"),
        ("X23:swallowed", DtmfMethod::Rfc4733, "##"),
    ] {
        let mut office = with_codes(&[fault]).await;
        let (alice, mut bob) = office.call().await;
        press(&alice, "##203#", way).await;
        bob.watch(6_000).await;
        let infos = bob.signals().filter_map(|event| match event {
            ringback::ua::call::Event::InfoReceived { content_type, body, .. } => {
                ringback::ua::call::DtmfInfo::parse(content_type, body).map(|info| info.digit.character())
            }
            _ => None,
        });
        let arrived = if way == DtmfMethod::Info { infos.collect() } else { digits(&bob, way) };
        assert_eq!(arrived, heard, "{fault}");
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{fault}");
        assert_eq!(legs(&office).await, ["alice", "bob"]);
    }
}

#[tokio::test(start_paused = true)]
async fn x23_of_one_way_leaves_the_other_way_to_ask() {
    for (fault, way) in [("X23:rfc4733", DtmfMethod::Info), ("X23:info", DtmfMethod::Rfc4733)] {
        let mut office = with_codes(&[fault]).await;
        let (alice, mut bob) = office.call().await;
        press(&alice, "##203#", way).await;
        let carol = answer(&mut office.carol).await;
        bob.watch(500).await;
        assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn x18_the_hang_up_ends_the_consultation_with_everybody_in_it() {
    let mut office = with_codes(&["X18"]).await;
    let (alice, mut bob) = office.call().await;
    press(&alice, "*2203#", DtmfMethod::Rfc4733).await;
    let mut carol = answer(&mut office.carol).await;
    wait(500).await;
    assert!(!is_over(&bob));
    alice.handle.hang_up(None).await;
    gone(&mut bob).await;
    gone(&mut carol).await;
    assert!(legs(&office).await.is_empty());
}
