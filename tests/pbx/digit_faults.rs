//! What faults do to digits, as the far end sees it on the wire and names it.

use crate::phone::{Call, Scene, wait};
use ringback::endpoint::agent::CallEventKind;
use ringback::media::digit::{Digit, parse_digits};
use ringback::media::dtmf::{By, Comparison, Defect, DtmfMethod, Expected, Observation, judge};
use ringback::media::rtp::Packet;
use ringback::media::stream;
use ringback::media::telephone_event::Payload;
use ringback::sim::pbx;
use ringback::transport::{Direction, RecordEvent};
use ringback::ua::call::DtmfInfo;
use ringback::ua::call::{Command, Event, Hold};
use std::time::Duration;

/// A packet of an event as it came to bob.
#[derive(Debug, Clone, Copy)]
struct Came {
    marker: bool,
    payload_type: u8,
    timestamp: u32,
    ssrc: u32,
    sequence: u16,
    payload: Payload,
}

struct Heard {
    judged: Comparison,
    events: Vec<Came>,
    /// SSRC and sequence numbers of the voice.
    voice: Vec<(u32, u16)>,
}

/// Digits that were seen, by every way.
fn seen(call: &Call) -> Vec<Observation> {
    call.seen
        .iter()
        .filter_map(|(at, what)| match what {
            CallEventKind::Media(stream::Event::Observed(observation)) => Some(observation.clone()),
            CallEventKind::Signal(Event::InfoReceived { content_type, body, .. }) => {
                let info = DtmfInfo::parse(content_type, body)?;
                Some(Observation::new(DtmfMethod::Info, info.digit, at.into_std(), info.duration))
            }
            _ => None,
        })
        .collect()
}

/// Alice presses, bob listens.
async fn press(scene: &mut Scene, digits: &str) -> Heard {
    let (alice, mut bob) = scene.call().await;
    bob.watch(300).await;
    let keys = parse_digits(digits).unwrap();
    alice.handle.media(stream::Command::digits(keys, DtmfMethod::Rfc4733)).await;
    bob.watch(digits.len() as u64 * 200 + 1_500).await;
    let (mut events, mut voice) = (Vec::new(), Vec::new());
    let report = bob.handle.report().await.unwrap();
    let plan = report.plan.unwrap();
    for record in scene.bob.agent.recorder().take_media().0 {
        let Ok(packet) = Packet::parse(&record.bytes) else { continue };
        if record.direction != Direction::Received || record.is_rtcp {
            continue;
        }
        if packet.payload_type == plan.receive_payload_type {
            voice.push((packet.ssrc, packet.sequence_number));
            continue;
        }
        events.push(Came {
            marker: packet.marker,
            payload_type: packet.payload_type,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            sequence: packet.sequence_number,
            payload: Payload::parse(packet.payload).unwrap(),
        });
    }
    let digits: Vec<Digit> = digits.chars().filter_map(Digit::from_char).collect();
    let mut expected = Expected::new(DtmfMethod::Rfc4733, digits, Duration::from_millis(100));
    expected.payload_type = plan.receive_telephone_event.map(|event| event.payload_type);
    expected.around.spans = report.voice.spans;
    Heard { judged: judge(&expected, &seen(&bob)), events, voice }
}

async fn with_fault(fault: &str, digits: &str) -> Heard {
    press(&mut Scene::new(&[fault], |lab| lab).await, digits).await
}

/// The same defect for each of so many digits.
fn each(count: usize, defect: impl Fn(usize) -> Defect) -> Vec<Defect> {
    (0..count).map(defect).collect()
}

#[tokio::test(start_paused = true)]
async fn healthy_digits_arrive_with_the_payload_type_that_bob_gave() {
    let mut config = pbx::Config::default();
    config.telephone_event = 96;
    let mut scene = Scene::new(&[], |lab| lab.pbx(config)).await;
    let heard = press(&mut scene, "0123456789*#ABCD11").await;
    assert!(heard.judged.is_good() && heard.judged.defects.is_empty(), "{:?}", heard.judged.defects);
    assert_eq!(heard.judged.received, "0123456789*#ABCD11");
    assert!(heard.events.iter().all(|event| event.payload_type == 96 && event.ssrc == heard.voice[0].0));
    let mut numbers: Vec<u16> = heard.voice.iter().map(|(_, number)| *number).collect();
    numbers.extend(heard.events.iter().map(|event| event.sequence));
    numbers.sort_by_key(|number| number.wrapping_sub(heard.voice[0].1));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "one numbering for all");
}

#[tokio::test(start_paused = true)]
async fn d01_nobody_offers_or_answers_telephone_event() {
    let mut scene = Scene::new(&["D01"], |lab| lab).await;
    let (mut alice, bob) = scene.call().await;
    let invite = bob.invite.as_ref().unwrap();
    assert!(!String::from_utf8_lossy(invite.body()).contains("telephone-event"));
    for call in [&alice, &bob] {
        let plan = call.handle.report().await.unwrap().plan.unwrap();
        assert_eq!((plan.send_telephone_event, plan.receive_telephone_event), (None, None));
    }
    let keys = parse_digits("1").unwrap();
    alice.handle.media(stream::Command::digits(keys, DtmfMethod::Rfc4733)).await;
    alice.watch(100).await;
    let unsupported = |what: &CallEventKind| {
        matches!(what, CallEventKind::Media(stream::Event::Unsupported(DtmfMethod::Rfc4733)))
    };
    assert!(alice.seen.iter().any(|(_, what)| unsupported(what)));
}

#[tokio::test(start_paused = true)]
async fn d02_events_have_a_payload_type_that_bob_did_not_give() {
    let heard = with_fault("D02", "159").await;
    assert!(heard.events.iter().all(|event| event.payload_type == 122));
    let wrong = each(3, |position| Defect::WrongPayloadType { position, payload_type: 122 });
    assert_eq!((heard.judged.defects, &*heard.judged.received), (wrong, "159"));
}

#[tokio::test(start_paused = true)]
async fn d03_durations_run_on_another_clock() {
    for (fault, hz, units) in [("D03", 16_000, 1_600), ("D03:48000", 48_000, 4_800)] {
        let heard = with_fault(fault, "15").await;
        assert_eq!(heard.events.iter().map(|event| event.payload.duration).max(), Some(units), "{fault}");
        let near = |defect: &Defect| match defect {
            Defect::WrongClockRate { hz: measured, .. } => measured.abs_diff(hz) < hz / 10,
            _ => false,
        };
        assert!(heard.judged.defects.iter().any(near), "{fault}: {:?}", heard.judged.defects);
        assert_eq!(heard.judged.received, "15", "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn d04_tones_or_an_info_come_beside_each_event() {
    for (fault, by) in [("D04", By::InBand), ("D04:info", By::Info)] {
        let heard = with_fault(fault, "1122").await;
        let doubled = each(4, |position| Defect::Doubled { position, by });
        assert_eq!((heard.judged.defects, heard.judged.way), (doubled, Some(DtmfMethod::Rfc4733)), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn d05_end_packets_begin_the_event_anew() {
    let heard = with_fault("D05", "15").await;
    let doubled = each(2, |position| Defect::Doubled { position, by: By::Restart });
    assert_eq!(heard.judged.defects, doubled);
    let mut timestamps: Vec<u32> = heard.events.iter().map(|event| event.timestamp).collect();
    timestamps.dedup();
    assert_eq!(timestamps.len(), 6, "three for each digit");
    assert!(heard.voice.windows(2).all(|pair| pair[0].0 == pair[1].0));
}

#[tokio::test(start_paused = true)]
async fn d06_a_repeated_digit_goes_under_the_timestamp_of_the_first() {
    let heard = with_fault("D06", "112").await;
    assert_eq!(heard.judged.received, "12");
    assert!(
        matches!(heard.judged.defects[..], [Defect::Merged { position: 0 | 1 }]),
        "{:?}",
        heard.judged.defects
    );
    let mut timestamps: Vec<u32> = heard.events.iter().map(|event| event.timestamp).collect();
    timestamps.dedup();
    assert_eq!(timestamps.len(), 2);
    assert_eq!(heard.events.iter().filter(|event| event.marker).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn d07_events_begin_without_a_marker() {
    let heard = with_fault("D07", "15").await;
    assert!(heard.events.iter().all(|event| !event.marker));
    assert_eq!(heard.judged.defects, each(2, |position| Defect::NoMarker { position }));
}

#[tokio::test(start_paused = true)]
async fn d08_events_have_no_end_or_only_one() {
    let heard = with_fault("D08", "15").await;
    assert!(heard.events.iter().all(|event| !event.payload.end));
    assert_eq!(heard.judged.defects, each(2, |position| Defect::NoEndPacket { position }));
    let heard = with_fault("D08:one", "15").await;
    assert_eq!(heard.events.iter().filter(|event| event.payload.end).count(), 2);
    assert_eq!((heard.judged.defects, &*heard.judged.received), (vec![], "15"));
}

#[tokio::test(start_paused = true)]
async fn d09_events_are_short_or_quiet() {
    let heard = with_fault("D09", "15").await;
    assert_eq!(heard.judged.defects, each(2, |position| Defect::Shortened { position, milliseconds: 30 }));
    assert_eq!(heard.events.iter().filter(|event| event.payload.end).count(), 6);
    let heard = with_fault("D09:quiet", "15").await;
    assert!(heard.events.iter().all(|event| event.payload.volume == 50));
    assert_eq!(heard.judged.defects, each(2, |position| Defect::TooQuiet { position }));
}

#[tokio::test(start_paused = true)]
async fn d10_events_come_from_another_source() {
    let heard = with_fault("D10", "15").await;
    assert!(heard.events.iter().all(|event| event.ssrc != heard.voice[0].0));
    assert!(heard.events.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert!(heard.voice.windows(2).all(|pair| pair[1].1 == pair[0].1.wrapping_add(1)), "no gap in the voice");
    assert_eq!(heard.judged.defects, each(2, |position| Defect::AnotherSsrc { position }));
}

/// What an INFO of alice is answered with: status, Allow, Accept; and whether bob got it.
async fn info(fault: &str, content_type: &str) -> (Option<u16>, String, String, bool) {
    let faults = if fault.is_empty() { vec![] } else { vec![fault] };
    let mut scene = Scene::new(&faults, |lab| lab).await;
    let (mut alice, mut bob) = scene.call().await;
    let (content_type, body) = (content_type.to_owned(), b"Signal=5\r\nDuration=100\r\n".to_vec());
    alice.handle.command(Command::Info { token: 1, content_type, body }).await;
    let answered = alice.until("answer", |event| matches!(event, Event::InfoAnswered { .. })).await;
    let Event::InfoAnswered { status, .. } = answered else { panic!() };
    bob.watch(500).await;
    let records = scene.alice.agent.recorder().records();
    let answer = records.iter().rev().find_map(|record| match &record.event {
        RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.contains(" INFO\r\n").then_some(text)
        }
        _ => None,
    });
    let answer = answer.unwrap();
    let header = |name: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim_start_matches(": ").to_owned()
    };
    (status, header("Allow"), header("Accept"), !seen(&bob).is_empty())
}

#[tokio::test(start_paused = true)]
async fn d11_to_d13_info_is_refused_or_goes_no_further() {
    let relay = "application/dtmf-relay";
    let none = String::new;
    assert_eq!(info("", relay).await, (Some(200), none(), none(), true));
    let (status, allow, _, came) = info("D11", relay).await;
    assert_eq!((status, came), (Some(405), false));
    assert!(allow.contains("INVITE") && !allow.contains("INFO"), "{allow}");
    assert_eq!(info("D11:501", relay).await, (Some(501), none(), none(), false));
    assert_eq!(info("D12", relay).await, (Some(415), none(), none(), false));
    assert_eq!(info("D12:dtmf", relay).await, (Some(415), none(), "application/dtmf".to_owned(), false));
    assert_eq!(info("D12:dtmf", "application/dtmf").await, (Some(200), none(), none(), true));
    let accepted = info("D12:dtmf-relay", "application/dtmf").await;
    assert_eq!(accepted, (Some(415), none(), relay.to_owned(), false));
    assert_eq!(info("D13", relay).await, (Some(200), none(), none(), false));
}

#[tokio::test(start_paused = true)]
async fn d16_after_a_re_invite_there_are_no_events_any_more() {
    let mut scene = Scene::new(&["D16"], |lab| lab).await;
    let (mut alice, mut bob) = scene.call().await;
    let digits = || stream::Command::digits(parse_digits("15").unwrap(), DtmfMethod::Rfc4733);
    alice.handle.media(digits()).await;
    bob.watch(1_000).await;
    assert_eq!(seen(&bob).len(), 2, "good before");
    alice.handle.command(Command::Hold(Hold::SendOnly)).await;
    alice.until("hold", |event| matches!(event, Event::Held { .. })).await;
    alice.handle.command(Command::Resume).await;
    let resumed = alice.until("resume", |event| matches!(event, Event::Resumed { .. })).await;
    let Event::Resumed { plan, .. } = resumed else { panic!() };
    assert_eq!(plan.send_telephone_event, None, "absent from the answer");
    // Bob was not asked anew about telephone-events and sends them as before.
    alice.watch(300).await;
    bob.handle.media(digits()).await;
    alice.watch(1_500).await;
    assert_eq!(seen(&alice), []);
    assert_eq!(alice.hears().await, [1], "the voice is there");
}

#[tokio::test(start_paused = true)]
async fn d18_events_are_agreed_on_and_thrown_away_but_info_comes() {
    let heard = with_fault("D18", "15").await;
    assert_eq!((heard.judged.defects, heard.events.len()), (vec![Defect::NothingArrived], 0));
    assert!(heard.voice.windows(2).all(|pair| pair[1].1 == pair[0].1.wrapping_add(1)), "nothing is missing");
    assert_eq!(info("D18", "application/dtmf-relay").await.0, Some(200));
    assert!(info("D18", "application/dtmf-relay").await.3);
    wait(1).await;
}
