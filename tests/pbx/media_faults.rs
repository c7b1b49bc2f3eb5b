//! What faults do to the voice: one-way audio, holds that are answered wrongly, packets of another length, early media.

use crate::phone::{Call, Phone, Scene, wait};
use ringback::endpoint::agent::CallEventKind;
use ringback::media::g711::Law;
use ringback::media::goertzel::Bank;
use ringback::media::rtp::Packet;
use ringback::transport::{Direction, RecordEvent};
use ringback::ua::call::{Command, Event, Hold};
use std::time::Duration;

/// What came to a phone as voice so far.
fn received(phone: &Phone) -> Vec<(u32, u16, Vec<i16>)> {
    let records = phone.agent.recorder().take_media().0;
    let received = records.iter().filter(|record| record.direction == Direction::Received && !record.is_rtcp);
    received
        .filter_map(|record| {
            let packet = Packet::parse(&record.bytes).ok()?;
            let law = [Law::A, Law::Mu].into_iter().find(|law| law.payload_type() == packet.payload_type)?;
            let samples = packet.payload.iter().map(|&code| law.decode(code)).collect();
            Some((packet.ssrc, packet.sequence_number, samples))
        })
        .collect()
}

/// The direction in the last description that a phone received in an answer.
fn answered_direction(phone: &Phone) -> String {
    let records = phone.agent.recorder().records();
    let body = records.iter().rev().find_map(|record| match &record.event {
        RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            (text.starts_with("SIP/2.0 200") && text.contains("\r\nv=0")).then_some(text)
        }
        _ => None,
    });
    let body = body.unwrap();
    let all = ["sendrecv", "sendonly", "recvonly", "inactive"];
    all.into_iter().find(|direction| body.contains(&format!("a={direction}\r\n"))).unwrap().to_owned()
}

async fn hold(call: &mut Call) {
    call.handle.command(Command::Hold(Hold::SendOnly)).await;
    call.until("hold", |event| matches!(event, Event::Held { .. })).await;
}

async fn resume(call: &mut Call) {
    call.handle.command(Command::Resume).await;
    call.until("resume", |event| matches!(event, Event::Resumed { .. } | Event::Held { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn n12_no_rtp_in_one_direction_or_in_both() {
    for (fault, alice_hears, bob_hears) in
        [("N12", vec![], vec![]), ("N12:forward", vec![1], vec![]), ("N12:backward", vec![], vec![0])]
    {
        let mut scene = Scene::new(&[fault], |lab| lab).await;
        let (alice, bob) = scene.call().await;
        wait(500).await;
        assert_eq!(
            (alice.hears().await, bob.hears().await),
            (alice_hears.clone(), bob_hears.clone()),
            "{fault}"
        );
        assert_eq!(received(&scene.alice).is_empty(), alice_hears.is_empty(), "{fault}");
        assert_eq!(received(&scene.bob).is_empty(), bob_hears.is_empty(), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn h02_a_hold_gets_the_wrong_answer() {
    for (fault, direction) in
        [(None, "recvonly"), (Some("H02"), "sendrecv"), (Some("H02:inactive"), "inactive")]
    {
        let mut scene = Scene::new(fault.as_slice(), |lab| lab).await;
        let (mut alice, mut bob) = scene.call().await;
        hold(&mut alice).await;
        assert_eq!(answered_direction(&scene.alice), direction, "{fault:?}");
        bob.until("hold", |event| matches!(event, Event::Held { .. })).await;
    }
}

#[tokio::test(start_paused = true)]
async fn h03_after_a_hold_the_audio_does_not_come_back() {
    for (fault, direction, hears) in [
        (None, "sendrecv", (vec![1], vec![0])),
        (Some("H03"), "recvonly", (vec![], vec![0])),
        (Some("H03:inactive"), "inactive", (vec![], vec![])),
    ] {
        let mut scene = Scene::new(fault.as_slice(), |lab| lab).await;
        let (mut alice, bob) = scene.call().await;
        hold(&mut alice).await;
        wait(500).await;
        resume(&mut alice).await;
        assert_eq!(answered_direction(&scene.alice), direction, "{fault:?}");
        wait(500).await;
        assert_eq!((alice.hears().await, bob.hears().await), hears, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn h11_voice_comes_in_longer_packets() {
    for (fault, millis) in [("H11", 30), ("H11:60", 60), ("H11:10", 10)] {
        let mut scene = Scene::new(&[fault], |lab| lab).await;
        let (alice, bob) = scene.call().await;
        wait(1_000).await;
        for call in [&alice, &bob] {
            let report = call.handle.report().await.unwrap();
            assert_eq!(report.plan.as_ref().unwrap().ptime, Duration::from_millis(20), "agreed on");
            assert_eq!(report.packet_time_received, Some(Duration::from_millis(millis)), "{fault}");
            assert_eq!((report.received.lost, report.received.ssrc_changes), (0, 0), "{fault}");
        }
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{fault}");
    }
}

/// How loud the ring-back tone is in these samples, as a part of them.
fn ringback(samples: &[i16]) -> f32 {
    let (phasors, energy) = Bank::new([425.0]).block(samples);
    let peak = phasors[0].length() * 2.0 / samples.len() as f32;
    peak * peak / 2.0 * samples.len() as f32 / energy.max(1.0)
}

#[tokio::test(start_paused = true)]
async fn a_ringback_tone_is_heard_in_early_media_and_goes_over_into_the_call() {
    let mut scene = Scene::new(&[], |lab| lab.ringback_tone()).await;
    let mut alice = scene.alice.dial("bob").await;
    let mut bob = scene.bob.take().await;
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    alice.until("early media", |event| matches!(event, Event::EarlyMedia { .. })).await;
    alice.watch(6_500).await;
    let packets = received(&scene.alice);
    let samples: Vec<i16> = packets.iter().flat_map(|(_, _, samples)| samples.clone()).collect();
    assert!(ringback(&samples[..8_000]) > 0.95, "{}", ringback(&samples[..8_000]));
    assert!(samples[9_000..39_000].iter().all(|sample| sample.abs() < 20), "four seconds of silence");
    assert!(ringback(&samples[40_200..47_800]) > 0.95);
    bob.handle.command(Command::Answer).await;
    alice.until_answered().await;
    bob.until_answered().await;
    alice.watch(500).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
    let report = alice.handle.report().await.unwrap();
    assert_eq!((report.received.lost, report.received.ssrc_changes), (0, 0), "one stream for all of it");
    assert!(received(&scene.alice).iter().all(|(ssrc, _, _)| *ssrc == packets[0].0));
}

#[tokio::test(start_paused = true)]
async fn h12_early_media_is_announced_and_silent() {
    let mut scene = Scene::new(&["H12"], |lab| lab.ringback_tone()).await;
    let mut alice = scene.alice.dial("bob").await;
    let bob = scene.bob.take().await;
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    alice.until("early media", |event| matches!(event, Event::EarlyMedia { .. })).await;
    let is_183 = |what: &CallEventKind| matches!(what, CallEventKind::Response(m) if m.status() == Some(183) && !m.body().is_empty());
    assert!(alice.seen.iter().any(|(_, what)| is_183(what)));
    bob.handle.command(Command::Ring { status: 183, media: true }).await;
    alice.watch(5_000).await;
    assert!(received(&scene.alice).is_empty(), "no RTP before the answer, bob's own neither");
    bob.handle.command(Command::Answer).await;
    alice.until_answered().await;
    wait(500).await;
    assert_eq!(alice.hears().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn h15_a_call_on_hold_is_ended_for_want_of_rtp() {
    for (fault, seconds) in [("H15", 30), ("H15:5", 5)] {
        let mut scene = Scene::new(&[fault], |lab| lab).await;
        let (mut alice, mut bob) = scene.call().await;
        bob.watch(seconds * 1_200).await;
        assert!(!bob.signals().any(|event| matches!(event, Event::Ended { .. })), "{}", bob.story());
        alice.handle.command(Command::Hold(Hold::Inactive)).await;
        alice.until("hold", |event| matches!(event, Event::Held { .. })).await;
        let held = tokio::time::Instant::now();
        let (_, reasons) = alice.until_over().await;
        assert_eq!(reasons, ["SIP;cause=408;text=\"RTP timeout\""]);
        assert_eq!(held.elapsed().as_secs_f64().round() as u64, seconds, "{fault}");
        assert_eq!(bob.until_over().await.1, reasons);
        wait(100).await;
        assert!(scene.lab.legs().is_empty());
    }
}
