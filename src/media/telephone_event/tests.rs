#![allow(clippy::unwrap_used)]
use super::*;
use crate::media::digit::{Digit, Key, parse_digits};
use crate::media::rtp::Packet;
use crate::message::Ids;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// One packet on its way.
#[derive(Debug, Clone, Copy)]
struct OnTheWay {
    at_ms: u64,
    sequence: u16,
    sent: Option<SentPacket>,
}

/// A voice stream of 20 ms packets with these digits in it: 100 ms on, 100 ms off.
fn stream(digits: &str) -> Vec<OnTheWay> {
    let (mut packets, mut sequence, mut timestamp) = (Vec::new(), 65_500_u16, 0xffff_f000_u32);
    let mut at_ms = 0;
    let mut push = |sent: Option<SentPacket>, at_ms: u64| {
        packets.push(OnTheWay { at_ms, sequence, sent });
        sequence = sequence.wrapping_add(1);
    };
    for key in parse_digits(digits).unwrap() {
        let Key::Digit(digit) = key else { continue };
        let event = EventToSend { event: digit.event(), volume: 10, duration: 800 };
        let mut sender = EventSender::new(event, timestamp);
        for _ in 0..10 {
            timestamp = timestamp.wrapping_add(160);
            push(sender.next_packet(timestamp), at_ms);
            at_ms += 20;
        }
    }
    packets
}

fn receive(packets: &[OnTheWay]) -> Vec<ReceivedEvent> {
    let (start, mut receiver) = (Instant::now(), EventReceiver::new());
    let mut events = Vec::new();
    for packet in packets {
        let now = start + Duration::from_millis(packet.at_ms);
        while receiver.poll_timeout().is_some_and(|at| at <= now) {
            receiver.handle_timeout(now);
        }
        match packet.sent {
            None => receiver.note(now, 9, packet.sequence),
            Some(sent) => receiver.handle_input(
                now,
                &Packet {
                    marker: sent.marker,
                    payload_type: 101,
                    sequence_number: packet.sequence,
                    timestamp: sent.timestamp,
                    ssrc: 9,
                    payload: &sent.payload.write(),
                },
            ),
        }
        events.extend(std::iter::from_fn(|| receiver.poll_output()));
    }
    receiver.finish();
    events.extend(std::iter::from_fn(|| receiver.poll_output()));
    events
}

fn text(events: &[ReceivedEvent]) -> String {
    events.iter().filter_map(|event| event.digit()).map(Digit::character).collect()
}

#[test]
fn an_event_is_sent_as_rfc_4733_says() {
    let mut sender = EventSender::new(EventToSend { event: 5, volume: 10, duration: 720 }, 1_000);
    let sent: Vec<_> = (1..).map_while(|n| sender.next_packet(1_000 + n * 160)).collect();
    let durations: Vec<_> = sent.iter().map(|p| p.payload.duration).collect();
    assert_eq!(durations, [160, 320, 480, 640, 720, 720, 720]);
    assert!(sent.iter().all(|p| p.timestamp == 1_000 && p.payload.event == 5 && p.payload.volume == 10));
    assert_eq!(
        sent.iter().map(|p| p.marker).collect::<Vec<_>>(),
        [true, false, false, false, false, false, false]
    );
    let ends: Vec<_> = sent.iter().map(|p| p.payload.end).collect();
    assert_eq!(ends, [false, false, false, false, true, true, true]);
    assert_eq!(sent[4].payload.write(), [5, 0x8a, 0x02, 0xd0]);
}

#[test]
fn an_event_longer_than_the_duration_can_tell_goes_in_segments_and_is_joined_again() {
    let total = 20 * 8_000;
    let mut sender = EventSender::new(EventToSend { event: 11, volume: 0, duration: total }, 5);
    let mut packets = Vec::new();
    for n in 1.. {
        let Some(sent) = sender.next_packet(5 + n * 160) else { break };
        packets.push(OnTheWay { at_ms: u64::from(n) * 20, sequence: n as u16, sent: Some(sent) });
    }
    let mut stamps: Vec<_> = packets.iter().map(|p| p.sent.unwrap().timestamp).collect();
    stamps.dedup();
    assert_eq!(stamps, [5, 5 + 65_535, 5 + 2 * 65_535]);
    assert_eq!(packets.iter().filter(|p| p.sent.unwrap().marker).count(), 1);
    assert_eq!(packets.iter().filter(|p| p.sent.unwrap().payload.end).count(), 3);
    let events = receive(&packets);
    assert_eq!((events.len(), events[0].duration, events[0].end), (1, total, Seen::Yes));
    assert_eq!(events[0].duration_resets, 0);
}

#[test]
fn all_sixteen_digits_arrive_with_duration_volume_marker_end_and_clock() {
    let events = receive(&stream("0123456789*#ABCD"));
    assert_eq!(text(&events), "0123456789*#ABCD");
    for event in &events {
        assert_eq!((event.duration, event.volume, event.payload_type), (800, 10, 101));
        assert_eq!((event.packets, event.end_packets, event.markers), (7, 3, 1));
        assert_eq!((event.marker, event.end, event.duration_resets), (Seen::Yes, Seen::Yes, 0));
        assert_eq!(event.clock_rate_hz, Some(8_000));
    }
}

#[test]
fn a_marker_that_was_not_sent_is_told_from_one_that_was_lost() {
    let mut packets = stream("12");
    packets[10].sent.as_mut().unwrap().marker = false;
    assert_eq!(receive(&packets)[1].marker, Seen::No);
    let lost = [&stream("12")[..10], &stream("12")[11..]].concat();
    assert_eq!(receive(&lost)[1].marker, Seen::MayBeLost);
}

#[test]
fn an_end_that_was_not_sent_is_told_from_one_that_was_lost() {
    let mut packets = stream("12");
    packets[4..7].iter_mut().for_each(|p| p.sent = None);
    assert_eq!(receive(&packets)[0].end, Seen::No);
    let lost = [&stream("12")[..4], &stream("12")[7..]].concat();
    assert_eq!(receive(&lost)[0].end, Seen::MayBeLost);
    let one_came = [&stream("12")[..6], &stream("12")[7..]].concat();
    assert_eq!((receive(&one_came)[0].end, receive(&one_came)[0].end_packets), (Seen::Yes, 2));
}

#[test]
fn reordering_that_makes_others_hear_155999_makes_us_hear_159() {
    let mut packets = stream("159#");
    // The last end packet of each digit comes after the next digit has begun.
    for digit in 0..3 {
        let mut late = packets.remove(digit * 10 + 6);
        late.at_ms = (digit as u64 + 1) * 200 + 5;
        packets.insert(digit * 10 + 10, late);
    }
    packets.sort_by_key(|p| p.at_ms);
    assert_eq!(text(&receive(&packets)), "159#");
}

#[test]
fn a_second_press_under_the_same_timestamp_leaves_its_marks() {
    let mut packets = stream("11");
    let timestamp = packets[0].sent.unwrap().timestamp;
    packets.iter_mut().filter_map(|p| p.sent.as_mut()).for_each(|sent| sent.timestamp = timestamp);
    let events = receive(&packets);
    assert_eq!((events.len(), events[0].markers, events[0].duration_resets), (1, 2, 1));
}

/// All events under the timestamp of the first.
fn under_one_timestamp(digits: &str) -> Vec<OnTheWay> {
    let mut packets = stream(digits);
    let timestamp = packets[0].sent.unwrap().timestamp;
    packets.iter_mut().filter_map(|p| p.sent.as_mut()).for_each(|sent| sent.timestamp = timestamp);
    packets
}

#[test]
fn different_digits_under_one_timestamp_are_told_apart_by_their_codes() {
    for digits in ["159#", "151", "15151", "*#*#", "1212121212"] {
        assert_eq!(text(&receive(&under_one_timestamp(digits))), digits);
    }
    // The same digit again and again cannot be told apart by anybody.
    let same = receive(&under_one_timestamp("1111"));
    assert_eq!((text(&same).as_str(), same[0].markers, same[0].duration_resets), ("1", 4, 3));
    assert_eq!(text(&receive(&under_one_timestamp("1155"))), "15");
    // A last end packet that comes when the next digit has begun begins nothing.
    let mut packets = under_one_timestamp("159#");
    for digit in 0..3 {
        packets[digit * 10 + 6].at_ms = (digit as u64 + 1) * 200 + 5;
    }
    packets.sort_by_key(|p| p.at_ms);
    assert_eq!(text(&receive(&packets)), "159#");
}

#[test]
fn an_event_whose_updates_stop_for_long_is_told_again_with_its_end() {
    let mut packets = stream("5");
    // Two packets, 0.9 s of voice, three ends.
    let (first, end) = (packets[1].sent.unwrap(), packets[6].sent.unwrap());
    packets = (0..60).map(|n| OnTheWay { at_ms: 20 * n, sequence: n as u16, sent: None }).collect();
    packets[0].sent = Some(SentPacket { marker: true, ..first });
    packets[1].sent = Some(first);
    for packet in &mut packets[47..50] {
        let payload = super::Payload { duration: 8_000, ..end.payload };
        packet.sent = Some(SentPacket { payload, ..end });
    }
    let events = receive(&packets);
    let told: Vec<_> = events.iter().map(|e| (e.end, e.duration, e.is_amended)).collect();
    assert_eq!(told, [(Seen::No, 320, false), (Seen::Yes, 8_000, true)]);
    assert_eq!((events[1].longest_gap, events[1].marker), (Duration::from_millis(900), Seen::Yes));
    // Where nothing comes at all, nothing is known of the updates.
    packets.retain(|packet| packet.sent.is_some());
    assert_eq!(receive(&packets).last().unwrap().longest_gap, Duration::ZERO);
    assert_eq!(events[1].first_at, events[0].first_at);
    // Whole events are not told again when their ends are repeated much later.
    let mut packets = stream("5");
    packets[6].at_ms = 900;
    assert_eq!(receive(&packets).len(), 1);
}

#[test]
fn packets_much_later_do_not_begin_the_event_anew() {
    let mut packets = stream("1");
    let mut late = packets[6];
    late.at_ms = 900;
    late.sequence = late.sequence.wrapping_add(50);
    packets.push(late);
    assert_eq!(text(&receive(&packets)), "1");
}

#[test]
fn a_flood_of_timestamps_keeps_no_more_than_the_limit() {
    let (now, mut receiver) = (Instant::now(), EventReceiver::new());
    for n in 0..10_000_u32 {
        let packet = Packet {
            marker: true,
            payload_type: 101,
            sequence_number: n as u16,
            timestamp: n * 7,
            ssrc: n,
            payload: &[1, 0, 0, 9],
        };
        receiver.handle_input(now, &packet);
    }
    assert!(receiver.held() <= 3 * MAX_EVENTS + 64 + 128, "{}", receiver.held());
}

proptest! {
    #[test]
    fn loss_duplicates_and_reordering_never_invent_a_digit(seed: [u8; 32], loss in 0_u64..40, digits in "[0-9*#A-D]{1,12}") {
        let mut ids = Ids::from_seed(seed);
        let mut packets = Vec::new();
        for mut packet in stream(&digits) {
            if ids.below(100) < loss {
                continue;
            }
            // Up to 70 ms late: overtaken by three others.
            packet.at_ms += ids.below(70);
            packets.push(packet);
            if ids.below(10) == 0 {
                packet.at_ms += ids.below(70);
                packets.push(packet);
            }
        }
        packets.sort_by_key(|p| p.at_ms);
        let mut events = receive(&packets);
        // The order of the presses is that of their timestamps.
        events.sort_by_key(|event| event.timestamp.wrapping_sub(0xffff_f000));
        let mut sent = digits.chars();
        for received in text(&events).chars() {
            prop_assert!(sent.any(|digit| digit == received), "{:?} of {}", text(&events), digits);
        }
        if loss == 0 {
            prop_assert_eq!(text(&events), digits);
        }
    }
    #[test]
    fn any_payload_at_all_is_survived(packets in proptest::collection::vec(
        (any::<u16>(), 0_u32..5_000, 0_u32..2, proptest::collection::vec(any::<u8>(), 0..6), 0_u64..300), 0..200)) {
        let (mut now, mut receiver) = (Instant::now(), EventReceiver::new());
        for (sequence_number, timestamp, ssrc, payload, later) in &packets {
            now += Duration::from_millis(*later);
            let packet = Packet { marker: false, payload_type: 96, sequence_number: *sequence_number, timestamp: *timestamp, ssrc: *ssrc, payload };
            receiver.handle_input(now, &packet);
            receiver.handle_timeout(now);
            while receiver.poll_output().is_some() {}
        }
        receiver.finish();
        prop_assert!(receiver.poll_timeout().is_none());
    }
}

/// A machine that is busy sends or reads the first packets of each event late, and then what waited in a burst.
#[test]
fn packets_in_a_burst_are_no_fast_clock_and_a_fast_clock_is_one_in_a_burst_too() {
    for (units, hz) in [(160, 8_000), (320, 16_000), (960, 48_000)] {
        let (start, mut receiver) = (Instant::now(), EventReceiver::new());
        for number in 0..7_u16 {
            // Due every 20 ms; the first two came 50 ms late, the last two in time.
            let at = [50, 70, 70, 70, 80, 100, 120][usize::from(number)];
            let end = number == 6;
            let duration = (number.min(5) + 1) * units;
            receiver.handle_input(
                start + Duration::from_millis(at),
                &Packet {
                    marker: number == 0,
                    payload_type: 101,
                    sequence_number: 65_533_u16.wrapping_add(number),
                    timestamp: 7,
                    ssrc: 9,
                    payload: &Payload { event: 5, end, volume: 10, duration }.write(),
                },
            );
        }
        receiver.finish();
        let clock = receiver.poll_output().unwrap().clock_rate_hz.unwrap();
        assert!(clock.abs_diff(hz) < 100, "{hz}: {clock}");
    }
}
