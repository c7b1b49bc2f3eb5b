//! Voice menus.

use crate::phone::{Call, Scene, wait};
use ringback::endpoint::agent::CallEventKind;
use ringback::media::digit::parse_digits;
use ringback::media::dtmf::DtmfMethod;
use ringback::media::stream;
use ringback::sdp::Codec;
use ringback::sim::{Ivr, LabBuilder, Link};
use ringback::syntax::Method;
use ringback::ua::call::{Command, Event};
use std::time::Duration;

fn menu() -> Ivr {
    Ivr::new("700").option("1,2#", "202").unwrap().option("9", "*43").unwrap()
}

fn with(ivr: Ivr) -> impl FnOnce(LabBuilder) -> LabBuilder {
    move |lab| lab.ivr(ivr)
}

async fn press(call: &mut Call, digits: &str, way: DtmfMethod) {
    let keys = parse_digits(digits).unwrap();
    if way == DtmfMethod::Info {
        for digit in digits.chars().filter(|c| *c != ',') {
            let body = format!("Signal={digit}\r\nDuration=100\r\n").into_bytes();
            let content_type = "application/dtmf-relay".to_owned();
            call.handle.command(Command::Info { token: 1, content_type, body }).await;
            call.watch(300).await;
        }
    } else {
        call.handle.media(stream::Command::digits(keys, way)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn digits_by_every_way_ring_who_they_stand_for() {
    for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand, DtmfMethod::Info] {
        let mut scene = Scene::new(&[], with(menu())).await;
        let mut alice = scene.alice.dial("700").await;
        alice.until_answered().await;
        alice.watch(500).await;
        press(&mut alice, "1,2#", way).await;
        let mut bob = scene.bob.take().await;
        assert!(bob.invite.as_ref().unwrap().as_bytes().windows(5).any(|w| w == b"alice"), "{way}");
        bob.handle.command(Command::Ring { status: 180, media: false }).await;
        wait(2_000).await;
        bob.handle.command(Command::Answer).await;
        bob.until_answered().await;
        wait(1_000).await;
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{way}");
        assert_eq!(alice.handle.report().await.unwrap().received.lost, 0);
        bob.handle.hang_up(None).await;
        alice.until_over().await;
        wait(100).await;
        assert!(scene.lab.legs().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_that_is_not_configured_is_not_heard() {
    let scene = Scene::new(&[], with(menu().ways([DtmfMethod::Rfc4733]))).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    press(&mut alice, "9", DtmfMethod::InBand).await;
    alice.watch(1_000).await;
    assert!(alice.hears().await.is_empty());
    press(&mut alice, "9", DtmfMethod::Rfc4733).await;
    alice.watch(1_500).await;
    assert_eq!(alice.hears().await, [0], "the echo number");
}

#[tokio::test(start_paused = true)]
async fn wrong_digits_and_silence_end_with_bye() {
    let scene = Scene::new(&[], with(menu())).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    press(&mut alice, "5,5,5", DtmfMethod::Rfc4733).await;
    let (_, reasons) = alice.until_over().await;
    assert!(reasons[0].contains("no digits"), "{reasons:?}");
    assert!(alice.began.elapsed().as_secs() < 5, "three wrong choices");

    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    alice.until_over().await;
    assert_eq!(alice.began.elapsed().as_secs(), 10);
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_menu_far_away_hangs_up_once() {
    let scene = Scene::new(&[], with(menu())).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(80)));
    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    alice.until_over().await;
    alice.watch(1_000).await;
    let byes = alice.seen.iter().filter(|(_, what)| match what {
        CallEventKind::Request(request) => request.method() == Some(Method::Bye),
        _ => false,
    });
    assert_eq!(byes.count(), 1);
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn early_media_plays_the_prompt_and_takes_digits() {
    let scene = Scene::new(&[], with(menu().early_media())).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until("early media", |event| matches!(event, Event::EarlyMedia { .. })).await;
    press(&mut alice, "9", DtmfMethod::Rfc4733).await;
    alice.until_answered().await;
    alice.watch(500).await;
    assert_eq!(alice.hears().await, [0]);

    let mut patient = scene.alice.dial("700").await;
    patient.until_answered().await;
    assert!((1..3).contains(&patient.began.elapsed().as_secs()), "after the prompt");
}

#[tokio::test(start_paused = true)]
async fn a_menu_tells_why_nobody_answers() {
    let mut scene = Scene::new(&[], with(menu())).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    press(&mut alice, "12#", DtmfMethod::Rfc4733).await;
    let bob = scene.bob.take().await;
    bob.handle.command(Command::Refuse { status: 486, reason: None }).await;
    assert_eq!(alice.until_over().await.1, ["SIP;cause=486"]);
}

#[tokio::test(start_paused = true)]
async fn the_digit_that_chose_is_not_heard_by_who_is_rung() {
    let mut scene = Scene::new(&[], with(menu())).await;
    let alice = scene.alice.dial_as("700", |config| config.local.codecs = vec![Codec::Pcmu]).await;
    let mut alice = alice;
    alice.until_answered().await;
    press(&mut alice, "12#", DtmfMethod::Rfc4733).await;
    // He answers while the last digit is still being sent.
    let mut bob = scene.bob.take().await;
    bob.handle.command(Command::Answer).await;
    bob.until_answered().await;
    bob.watch(1_500).await;
    let is_tone = |event: &stream::Event| matches!(event, stream::Event::ToneHeard { .. });
    let events =
        bob.seen.iter().filter(|(_, what)| matches!(what, CallEventKind::Media(event) if !is_tone(event)));
    assert_eq!(events.count(), 0, "{}", bob.story());
    assert_eq!(bob.handle.report().await.unwrap().plan.unwrap().codec, Codec::Pcmu, "the caller's codec");
    press(&mut alice, "5", DtmfMethod::Rfc4733).await;
    bob.watch(1_000).await;
    let digit = |what: &CallEventKind| matches!(what, CallEventKind::Media(stream::Event::Observed(seen)) if seen.way == DtmfMethod::Rfc4733);
    assert_eq!(bob.seen.iter().filter(|(_, what)| digit(what)).count(), 1, "later ones are");
}

/// Presses 9, the echo number, and says whether it is reached.
async fn reaches_echo(ivr: Ivr, way: DtmfMethod) -> bool {
    let scene = Scene::new(&[], with(ivr)).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until_answered().await;
    press(&mut alice, "9", way).await;
    alice.watch(1_500).await;
    alice.hears().await == [0]
}

#[tokio::test(start_paused = true)]
async fn d17_digits_in_early_media_are_lost_and_those_after_the_answer_are_not() {
    let late = || menu().fault("D17").unwrap();
    let scene = Scene::new(&[], with(late())).await;
    let mut alice = scene.alice.dial("700").await;
    alice.until("early media", |event| matches!(event, Event::EarlyMedia { .. })).await;
    press(&mut alice, "9", DtmfMethod::Rfc4733).await;
    alice.watch(3_000).await;
    assert!(alice.hears().await.is_empty() && !alice.signals().any(|e| matches!(e, Event::Answered(_))));
    alice.until_answered().await;
    assert_eq!(alice.began.elapsed().as_secs(), 8);
    assert!(reaches_echo(late(), DtmfMethod::Rfc4733).await);

    let scene = Scene::new(&[], with(menu().fault("D17:never").unwrap())).await;
    let mut alice = scene.alice.dial("700").await;
    assert_eq!(alice.until_over().await.0, Some(480));
    assert_eq!(alice.began.elapsed().as_secs(), 60);
    assert!(alice.signals().any(|event| matches!(event, Event::EarlyMedia { .. })));
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_menu_keep_digits_from_it() {
    for (fault, events, info) in [
        ("D18", false, true),
        ("D02", false, true),
        ("D07", false, true),
        ("D10", false, true),
        ("D13", true, false),
        ("D11", true, false),
        ("N12", false, false),
    ] {
        let faulty = || menu().fault(fault).unwrap();
        assert_eq!(reaches_echo(faulty(), DtmfMethod::Rfc4733).await, events, "{fault}");
        if fault != "N12" {
            assert_eq!(reaches_echo(faulty(), DtmfMethod::Info).await, info, "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn doubled_and_merged_digits_lead_elsewhere() {
    let menu = |fault: &str| {
        let menu = Ivr::new("700").option("1", "nobody").unwrap().option("11", "*43").unwrap();
        let menu = menu.option("112", "*43").unwrap().option("122", "*60").unwrap();
        if fault.is_empty() { menu } else { menu.fault(fault).unwrap() }
    };
    for (fault, digits, echo) in
        [("", "112", true), ("D06", "112", false), ("D05", "1", true), ("D04", "1", true)]
    {
        let scene = Scene::new(&[], with(menu(fault))).await;
        let mut alice = scene.alice.dial("700").await;
        alice.until_answered().await;
        press(&mut alice, digits, DtmfMethod::Rfc4733).await;
        alice.watch(5_000).await;
        assert_eq!(alice.hears().await == [0], echo, "{fault} {digits}");
    }
}
