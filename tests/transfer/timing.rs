//! How exactly the time of a transfer is measured.

use crate::scene::{KINDS, Scene, USERS};
use crate::seen;
use ringback::check::{MetricValue, Outcome, TransferKind, Verdict};
use ringback::media::g711::Law;
use ringback::media::party_tone::Party;
use ringback::media::rtp::Packet;
use ringback::message::Message;
use ringback::sim::Link;
use ringback::syntax::{Limits, Method};
use ringback::transport::{Direction, MediaRecord, RecordEvent};
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn messages(outcome: &Outcome) -> impl Iterator<Item = (Instant, Message)> + '_ {
    outcome.transcript.records.iter().filter_map(|record| match &record.event {
        RecordEvent::Message { bytes, .. } => {
            Some((record.at, Message::parse(bytes.clone(), &Limits::default()).unwrap()))
        }
        _ => None,
    })
}

fn refer_sent(outcome: &Outcome) -> Instant {
    messages(outcome).find(|(_, message)| message.method() == Some(Method::Refer)).unwrap().0
}

/// How strong the tone of this party is in a packet: about 1 where it fills it.
fn strength(record: &MediaRecord, party: u8) -> f64 {
    let packet = Packet::parse(&record.bytes).unwrap();
    let law = if packet.payload_type == 0 { Law::Mu } else { Law::A };
    let hz = f64::from(Party::new(party).unwrap().hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (at, code) in packet.payload.iter().enumerate() {
        let (sin, cos) = (TAU * hz * at as f64 / 8_000.0).sin_cos();
        re += f64::from(law.decode(*code)) * cos;
        im += f64::from(law.decode(*code)) * sin;
    }
    let mut own = Party::new(party).unwrap().tone();
    let peak = (0..800).map(|_| f64::from(own.next_sample()).abs()).fold(0.0, f64::max);
    2.0 * re.hypot(im) / packet.payload.len() as f64 / peak
}

fn rtp(outcome: &Outcome, direction: Direction) -> impl Iterator<Item = &MediaRecord> {
    let media = outcome.transcript.media.iter();
    media.filter(move |record| record.direction == direction && !record.is_rtcp)
}

/// The first packet since then in which a party gets the tone of another, by the packets alone.
fn first_heard(outcome: &Outcome, since: Instant, listener: u8, speaker: u8) -> Instant {
    let own: Vec<SocketAddr> = rtp(outcome, Direction::Sent)
        .filter(|record| strength(record, listener) > 0.5)
        .map(|record| record.local)
        .collect();
    let heard = rtp(outcome, Direction::Received)
        .filter(|record| record.at >= since && own.contains(&record.local))
        .find(|record| strength(record, speaker) > 0.5);
    heard.unwrap_or_else(|| panic!("{listener} never gets {speaker}\n{outcome}")).at
}

fn metric(outcome: &Outcome, name: &str) -> Duration {
    let MetricValue::Duration(time) = seen::metric(outcome, name) else {
        panic!("{name} is no time\n{outcome}")
    };
    time
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_transfer_is_exact_to_a_packet_and_never_before_the_audio() {
    for kind in KINDS {
        for relay in [false, true] {
            for delay in if kind == TransferKind::Blind { &[0, 35, 120][..] } else { &[0, 35] } {
                let scene = Scene::new(&USERS, &[], |lab| if relay { lab.relay_refer() } else { lab }).await;
                scene.network.link_all(Link::new().delay(Duration::from_millis(*delay)));
                let outcome = scene.check(scene.transfer(kind)).await;
                let told = format!("{kind} relay {relay} {delay} ms\n{outcome}");
                assert_eq!(outcome.verdict, Verdict::Pass, "{told}");
                let sent = refer_sent(&outcome);
                let truth = first_heard(&outcome, sent, 1, 2).max(first_heard(&outcome, sent, 2, 1)) - sent;
                let result = outcome.transfer().unwrap();
                let took = result.took.unwrap();
                // Nobody hears what has not arrived: the REFER has gone and a packet has come, each a way.
                assert!(
                    took > Duration::ZERO && took >= Duration::from_millis(2 * delay),
                    "{took:?}: {told}"
                );
                assert!(took >= truth, "{took:?}, in truth {truth:?}: {told}");
                let wrong = took.max(truth) - took.min(truth);
                assert!(wrong <= Duration::from_millis(20), "{took:?}, in truth {truth:?}: {told}");
                assert!(truth >= Duration::from_millis(*delay), "{told}");
                assert_eq!(metric(&outcome, "transfer"), took);
                // The answer to a REFER that is passed on comes from the other phone.
                let ways = if relay { 4 } else { 2 };
                assert_eq!(metric(&outcome, "refer"), Duration::from_millis(ways * delay), "{told}");
                let is_final = |message: &Message| message.body().starts_with(b"SIP/2.0 200");
                let notified = messages(&outcome).filter(|(at, message)| {
                    *at >= sent && message.method() == Some(Method::Notify) && is_final(message)
                });
                assert_eq!(metric(&outcome, "notify"), notified.last().unwrap().0 - sent, "{told}");
                // RFC 6076: from INVITE over its challenge to 180 of the other phone; from BYE to its answer by the PBX.
                assert_eq!(metric(&outcome, "srd"), Duration::from_millis(6 * delay), "{told}");
                assert_eq!(metric(&outcome, "sdd"), Duration::from_millis(2 * delay), "{told}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn steps_end_when_what_they_wait_for_has_come() {
    let scene = Scene::new(&USERS, &[], |lab| lab).await;
    let outcome = scene.check(scene.transfer(TransferKind::Blind)).await;
    let notify = outcome.step("notify").unwrap();
    // 300 ms of ringing, the audio, and the time that is left for stragglers.
    assert!(notify.took < Duration::from_millis(1_600), "{outcome}");
}
