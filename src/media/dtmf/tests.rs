#![allow(clippy::unwrap_used)]
use super::align::{Step, align};
use super::*;
use crate::media::digit::Digit;
use crate::media::telephone_event::Seen;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn digits(text: &str) -> Vec<Digit> {
    text.chars().map(|c| Digit::from_char(c).unwrap()).collect()
}

fn expected(text: &str) -> Expected {
    Expected {
        payload_type: Some(96),
        voice_ssrc: Some(7),
        ..Expected::new(Way::Rfc4733, digits(text), 100 * MS)
    }
}

/// Sound events, 200 ms apart.
fn events(start: Instant, text: &str) -> Vec<Observation> {
    let event = |(n, digit): (usize, Digit)| Observation {
        level_dbm0: Some(-10.0),
        rtp: Some(Rtp {
            payload_type: 96,
            ssrc: 7,
            timestamp: n as u32 * 1_600,
            duration_units: 800,
            marker: Seen::Yes,
            end: Seen::Yes,
            end_packets: 3,
            markers: 1,
            duration_resets: 0,
            clock_rate_hz: Some(8_000),
        }),
        ..Observation::new(Way::Rfc4733, digit, start + 200 * n as u32 * MS, Some(100 * MS))
    };
    digits(text).into_iter().enumerate().map(event).collect()
}

fn by_other_way(way: Way, start: Instant, text: &str) -> Vec<Observation> {
    let one = |(n, digit): (usize, Digit)| {
        Observation::new(way, digit, start + (200 * n as u32 + 30) * MS, Some(95 * MS))
    };
    digits(text).into_iter().enumerate().map(one).collect()
}

/// What is said of "11223" when the events were changed so.
fn changed(change: impl FnOnce(&mut Vec<Observation>)) -> Vec<Defect> {
    let mut observed = events(Instant::now(), "11223");
    change(&mut observed);
    judge(&expected("11223"), &observed).defects
}

fn rtp(observation: &mut Observation) -> &mut Rtp {
    observation.rtp.as_mut().unwrap()
}

#[test]
fn a_sound_path_has_no_defect() {
    let judged = judge(&expected("0123456789*#ABCD"), &events(Instant::now(), "0123456789*#ABCD"));
    assert_eq!(
        (judged.received.as_str(), judged.way, judged.is_good()),
        ("0123456789*#ABCD", Some(Way::Rfc4733), true)
    );
    assert!(judged.digits.iter().all(|d| d.observed.as_ref().unwrap().digit == Some(d.digit)));
    assert_eq!(judged.defects, []);
}

#[test]
fn nothing_that_arrived_is_named_as_such() {
    let judged = judge(&expected("12"), &[]);
    assert_eq!(
        (judged.defects, judged.way, judged.received.as_str()),
        (vec![Defect::NothingArrived], None, "")
    );
}

#[test]
fn a_lost_a_swapped_a_changed_and_an_invented_digit_are_named() {
    assert_eq!(changed(|o| o.truncate(4)), [Defect::Lost { position: 4 }]);
    assert_eq!(
        changed(|o| {
            let at = o[4].at;
            o[4].at = o[3].at;
            o[3].at = at;
        }),
        [Defect::Swapped { position: 3 }]
    );
    let five = Digit::from_char('5').unwrap();
    assert_eq!(changed(|o| o[4].digit = Some(five)), [Defect::Changed { position: 4, into: five }]);
    assert_eq!(
        changed(|o| {
            let mut more = o[4].clone();
            more.digit = Some(five);
            more.at += 200 * MS;
            rtp(&mut more).timestamp += 1_600;
            o.push(more);
        }),
        [Defect::Invented { before: 5, digit: five }]
    );
    assert_eq!(
        changed(|o| {
            o[4].digit = None;
            o[4].event = 16
        })[0],
        Defect::NoDigit { event: 16 }
    );
}

#[test]
fn digits_doubled_by_leaking_tones_by_info_and_by_a_restart_are_told_apart() {
    let (start, text) = (Instant::now(), "11223");
    let doubled = |by| -> Vec<Defect> { (0..5).map(|position| Defect::Doubled { position, by }).collect() };
    let both = |way| [events(start, text), by_other_way(way, start, text)].concat();
    assert_eq!(judge(&expected(text), &both(Way::InBand)).defects, doubled(By::InBand));
    assert_eq!(judge(&expected(text), &both(Way::Info)).defects, doubled(By::Info));
    // Each end packet under a timestamp of its own (D05): 1 1' 1" 2 2' 2" ...
    let mut restarted = Vec::new();
    for event in events(start, text) {
        for n in 0..3_u32 {
            let mut again = event.clone();
            again.at += n * 20 * MS;
            rtp(&mut again).timestamp += n * 160;
            if n > 0 {
                rtp(&mut again).marker = Seen::No;
            }
            restarted.push(again);
        }
    }
    let judged = judge(&expected(text), &restarted);
    assert_eq!(judged.defects, doubled(By::Restart));
    assert_eq!(judged.received, "111111222222333");
    // The same press sent twice, each a whole event (an application that repeats).
    let mut twice = Vec::new();
    for (n, event) in events(start, "123").into_iter().enumerate() {
        for again in 0..2 {
            let mut event = event.clone();
            event.at += (n as u32 * 200 + again * 200) * MS;
            rtp(&mut event).timestamp += n as u32 * 1_600 + again * 1_600;
            twice.push(event);
        }
    }
    let by = By::Repeat;
    let repeated: Vec<_> = (0..3).map(|position| Defect::Doubled { position, by }).collect();
    assert_eq!(judge(&expected("123"), &twice).defects, repeated);
}

#[test]
fn a_merged_repeat_is_told_from_a_lost_digit() {
    assert_eq!(
        changed(|o| {
            o.remove(1);
        }),
        [Defect::Merged { position: 1 }]
    );
    // Under one timestamp, the second marker and the duration from the beginning show it even where packets were lost.
    let mut observed = events(Instant::now(), "1123");
    observed.remove(1);
    let lossy = Expected { loss: 0.2, ..expected("1123") };
    assert_eq!(judge(&lossy, &observed).defects, [Defect::Lost { position: 1 }]);
    (rtp(&mut observed[0]).markers, rtp(&mut observed[0]).duration_resets) = (2, 1);
    let judged = judge(&lossy, &observed);
    assert_eq!((judged.defects, judged.lossy), (vec![Defect::Merged { position: 1 }], true));
}

#[test]
fn what_is_wrong_within_an_event_is_named_at_its_digit() {
    assert_eq!(changed(|o| rtp(&mut o[2]).marker = Seen::No), [Defect::NoMarker { position: 2 }]);
    assert_eq!(changed(|o| rtp(&mut o[2]).end = Seen::No), [Defect::NoEndPacket { position: 2 }]);
    assert_eq!(changed(|o| rtp(&mut o[2]).ssrc = 8), [Defect::AnotherSsrc { position: 2 }]);
    let wrong = Defect::WrongPayloadType { position: 2, payload_type: 101 };
    assert_eq!(changed(|o| rtp(&mut o[2]).payload_type = 101), [wrong]);
    let wrong = [0, 1, 2, 3, 4].map(|position| Defect::WrongClockRate { position, hz: 16_000 });
    assert_eq!(changed(|o| o.iter_mut().for_each(|o| rtp(o).clock_rate_hz = Some(16_000))), wrong);
    // One alone is a packet that came late.
    assert_eq!(changed(|o| rtp(&mut o[2]).clock_rate_hz = Some(16_000)), []);
    let short = Defect::Shortened { position: 2, milliseconds: 30 };
    assert_eq!(changed(|o| o[2].duration = Some(30 * MS)), [short]);
    assert_eq!(changed(|o| o[2].level_dbm0 = Some(-40.0)), [Defect::TooQuiet { position: 2 }]);
    // What may have been lost on the way is not held against the sender.
    let lost = changed(|o| {
        (rtp(&mut o[2]).marker, rtp(&mut o[2]).end) = (Seen::MayBeLost, Seen::MayBeLost);
        o[2].duration = Some(20 * MS);
    });
    assert_eq!(lost, []);
}

#[test]
fn a_conversion_is_reported_and_is_no_failure() {
    let start = Instant::now();
    for way in [Way::InBand, Way::Info] {
        let judged = judge(&expected("159#"), &by_other_way(way, start, "159#"));
        assert_eq!(judged.defects, [Defect::Converted { from: Way::Rfc4733, to: way }]);
        assert!(judged.is_good());
        assert_eq!(judged.received, "159#");
    }
}

#[test]
fn alignment_prefers_the_fewest_changes() {
    let steps = |sent: &str, received: &str| align(&digits(sent), &digits(received));
    assert_eq!(steps("12", "21"), [Step::Swapped { sent: 0, received: 0 }]);
    assert_eq!(steps("11", "1"), [Step::Same { sent: 0, received: 0 }, Step::Missing { sent: 1 }]);
    assert_eq!(steps("1", "11"), [Step::Same { sent: 0, received: 0 }, Step::Extra { received: 1 }]);
    assert_eq!(steps("", ""), []);
}

proptest! {
    #[test]
    fn any_two_rows_are_accounted_for_digit_by_digit(sent in "[0-9*#A-D]{0,20}", received in "[0-9*#A-D]{0,20}") {
        let observed = events(Instant::now(), &received);
        let judged = judge(&expected(&sent), &observed);
        prop_assert_eq!(judged.digits.len(), sent.len());
        prop_assert_eq!(judged.is_good() && judged.way.is_some(), sent == received && !received.is_empty());
        let (mut s, mut r) = (0, 0);
        for step in align(&digits(&sent), &digits(&received)) {
            match step {
                Step::Same { sent, received } | Step::Changed { sent, received } => {
                    prop_assert_eq!((sent, received), (s, r));
                    (s, r) = (s + 1, r + 1);
                }
                Step::Swapped { .. } => (s, r) = (s + 2, r + 2),
                Step::Missing { .. } => s += 1,
                Step::Extra { .. } => r += 1,
            }
        }
        prop_assert_eq!((s, r), (sent.len(), received.len()));
    }
}
