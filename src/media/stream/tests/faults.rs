//! Faults on the way, packet by packet, and what is said of them: look-alikes get their own names.
use super::*;

/// What is said when "1123" is sent and somebody meddles with its events.
fn said(meddler: fn(&mut Meddled, Payload) -> bool) -> Vec<Defect> {
    said_with(Timing::default(), Some(meddler))
}

fn said_with(timing: Timing, meddler: Option<fn(&mut Meddled, Payload) -> bool>) -> Vec<Defect> {
    let mut pair = Pair::new(11, with_events());
    pair.meddler = meddler;
    pair.run(200 * MS);
    pair.command(Command::Digits { keys: parse_digits("1123").unwrap(), way: DtmfMethod::Rfc4733, timing });
    pair.run(2_000 * MS);
    let digits = "1123".chars().filter_map(Digit::from_char).collect();
    let expected = Expected {
        payload_type: Some(101),
        around: Around { spans: pair.b.voice().spans, ..Around::default() },
        ..Expected::new(DtmfMethod::Rfc4733, digits, timing.on)
    };
    judge(&expected, &pair.observed()).defects
}

fn each(defect: fn(usize) -> Defect) -> Vec<Defect> {
    (0..4).map(defect).collect()
}

#[test]
fn nobody_meddling_leaves_nothing_to_say() {
    assert_eq!(said(|_, _| true), []);
}

#[test]
fn d05_end_packets_with_timestamps_of_their_own_are_a_restart() {
    let said = said(|packet, _| {
        packet.timestamp = packet.timestamp.wrapping_add(packet.repeat * 160);
        packet.marker &= packet.repeat == 0;
        true
    });
    assert_eq!(said, each(|position| Defect::Doubled { position, by: By::Restart }));
}

#[test]
fn d05_a_timestamp_that_runs_with_every_packet_is_a_restart() {
    let said = said(|packet, payload| {
        packet.timestamp =
            packet.timestamp.wrapping_add(u32::from(payload.duration) - 160 + packet.repeat * 160);
        packet.payload[2..].copy_from_slice(&160_u16.to_be_bytes());
        true
    });
    let doubled: Vec<_> =
        said.iter().filter(|d| matches!(d, Defect::Doubled { by: By::Restart, .. })).collect();
    assert_eq!(doubled.len(), 4, "{said:?}");
    assert!(!said.iter().any(|d| matches!(d, Defect::Merged { .. } | Defect::Lost { .. })), "{said:?}");
}

#[test]
fn d06_a_repeat_under_the_timestamp_of_the_first_press_is_merged() {
    // Only the ones: both get a timestamp of the stream's beginning.
    let said = said(|packet, payload| {
        if payload.event == 1 {
            packet.timestamp = 77;
        }
        true
    });
    assert_eq!(said, [Defect::Merged { position: 1 }]);
}

#[test]
fn d07_events_without_a_marker() {
    let said = said(|packet, _| {
        packet.marker = false;
        true
    });
    assert_eq!(said, each(|position| Defect::NoMarker { position }));
}

#[test]
fn d08_events_without_an_end() {
    let said = said(|packet, _| {
        packet.payload[1] &= 0x7f;
        true
    });
    assert_eq!(said, each(|position| Defect::NoEndPacket { position }));
}

#[test]
fn d03_durations_on_another_clock() {
    let said = said(|packet, payload| {
        packet.payload[2..].copy_from_slice(&(payload.duration * 2).to_be_bytes());
        true
    });
    assert_eq!(said, each(|position| Defect::WrongClockRate { position, hz: 16_000 }));
}

#[test]
fn d09_digits_too_short_and_too_quiet() {
    let short = Timing { on: 30 * MS, ..Timing::default() };
    assert_eq!(said_with(short, None), each(|position| Defect::Shortened { position, milliseconds: 30 }));
    let quiet = Timing { volume: 40, ..Timing::default() };
    assert_eq!(said_with(quiet, None), each(|position| Defect::TooQuiet { position }));
}

#[test]
fn d10_events_of_another_source() {
    let said = said(|packet, _| {
        packet.ssrc ^= 1;
        true
    });
    assert_eq!(said, each(|position| Defect::AnotherSsrc { position }));
}

#[test]
fn d19_a_hook_flash_is_no_digit() {
    let said = said(|packet, payload| {
        if payload.event == 3 {
            packet.payload[0] = 16;
        }
        true
    });
    assert_eq!(said, [Defect::NoDigit { event: 16 }, Defect::Lost { position: 3 }]);
}

#[test]
fn digits_taken_away_altogether_are_nothing_and_one_of_them_is_lost() {
    assert_eq!(said(|_, _| false), [Defect::NothingArrived]);
    assert_eq!(said(|_, payload| payload.event != 2), [Defect::Lost { position: 2 }]);
}
