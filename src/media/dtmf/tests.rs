#![allow(clippy::unwrap_used)]
use super::align::{Step, align};
use super::*;
use crate::media::digit::Digit;
use crate::media::stream::Span;
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
        around: Around { spans: vec![voice_of(7)], ..Around::default() },
        ..Expected::new(DtmfMethod::Rfc4733, digits(text), 100 * MS)
    }
}

/// Voice of this source all the time.
fn voice_of(ssrc: u32) -> Span {
    let now = Instant::now();
    Span { ssrc, from: now - 60_000 * MS, to: now + 60_000 * MS, packets: 6_000 }
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
            longest_gap_ms: 20,
            remote: None,
            is_foreign: false,
        }),
        ..Observation::new(DtmfMethod::Rfc4733, digit, start + 200 * n as u32 * MS, Some(100 * MS))
    };
    digits(text).into_iter().enumerate().map(event).collect()
}

fn by_other_way(way: DtmfMethod, start: Instant, text: &str) -> Vec<Observation> {
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
        ("0123456789*#ABCD", Some(DtmfMethod::Rfc4733), true)
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
    assert_eq!(judge(&expected(text), &both(DtmfMethod::InBand)).defects, doubled(By::InBand));
    assert_eq!(judge(&expected(text), &both(DtmfMethod::Info)).defects, doubled(By::Info));
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
    let lossy = Expected { around: Around { loss: 0.2, ..Around::default() }, ..expected("1123") };
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

/// "159#" with the times at which it was sent, and these changes to what arrived.
fn timed(text: &str, change: impl FnOnce(&mut Vec<Observation>)) -> Comparison {
    let start = Instant::now();
    let mut observed = events(start, text);
    change(&mut observed);
    let sent_at = (0..text.len() as u32).map(|n| start + 200 * n * MS).collect();
    judge(&Expected { sent_at, ..expected(text) }, &observed)
}

fn late(position: usize, milliseconds: u32, is_overtaken: bool) -> Defect {
    Defect::Late { position, milliseconds, is_overtaken }
}

#[test]
fn what_comes_late_is_late_and_not_lost() {
    let judged = timed("159#", |o| o[3].at += 1_000 * MS);
    assert_eq!((judged.defects.as_slice(), judged.is_good()), ([late(3, 1_000, false)].as_slice(), true));
    assert_eq!(judged.received, "159#");
    // All after the held back one wait too.
    let judged = timed("15*#A", |o| o[2..].iter_mut().for_each(|o| o.at += 1_200 * MS));
    assert_eq!(judged.defects, [2, 3, 4].map(|at| late(at, 1_200, false)));
    // A jitter buffer's time is not late.
    assert_eq!(timed("159#", |o| o.iter_mut().for_each(|o| o.at += 400 * MS)).defects, []);
}

#[test]
fn digits_that_others_overtake_are_late_and_no_good() {
    for (text, held) in [("*#AB", vec![0, 1]), ("#159", vec![0]), ("1*#A", vec![1, 2]), ("*#A", vec![0, 1])] {
        let judged = timed(text, |o| held.iter().for_each(|at| o[*at].at += 1_000 * MS));
        let defects: Vec<_> = held.iter().map(|at| late(*at, 1_000, true)).collect();
        assert_eq!((judged.defects.clone(), judged.is_good()), (defects, false), "{text}");
        assert!(judged.digits.iter().all(|digit| digit.observed.is_some()), "{text}");
    }
    // A little late only: the path changes the order.
    let judged = timed("159", |o| o[0].at += 250 * MS);
    assert_eq!(judged.defects, [Defect::Swapped { position: 0 }]);
}

#[test]
fn what_comes_of_the_digits_before_is_theirs_and_no_defect_of_these() {
    let start = Instant::now();
    let owing = |text: &str, owed: &str, more: &str| {
        let mut observed = events(start, text);
        let early: Vec<_> = events(start - 500 * MS, more);
        observed.splice(0..0, early);
        let sent_at = (0..text.len() as u32).map(|n| start + 200 * n * MS).collect();
        judge(&Expected { sent_at, owed: digits(owed), ..expected(text) }, &observed)
    };
    let judged = owing("159#", "#", "#");
    assert_eq!((judged.defects.as_slice(), judged.received.as_str()), ([].as_slice(), "159#"));
    assert_eq!(judged.belated.len(), 1);
    // Nobody owed it.
    let judged = owing("159#", "", "#");
    assert!(matches!(judged.defects[..], [Defect::Invented { .. }]), "{:?}", judged.defects);
    // It comes when the same digit was sent again.
    let mut observed = events(start, "159#");
    let mut again = events(start + 2_000 * MS, "#").remove(0);
    rtp(&mut again).timestamp = 77_777;
    observed.push(again);
    let sent_at: Vec<_> = (0..4_u32).map(|n| start + 200 * n * MS).collect();
    let judged = judge(&Expected { sent_at, owed: digits("#"), ..expected("159#") }, &observed);
    assert_eq!((judged.defects.len(), judged.belated.len(), judged.received.as_str()), (0, 1, "159#"));
}

#[test]
fn several_digits_under_one_timestamp_are_told_and_arrived() {
    let one = |o: &mut Vec<Observation>| o.iter_mut().for_each(|o| rtp(o).timestamp = 160);
    let judged = timed("159#", one);
    let shared: Vec<_> = (0..4).map(|position| Defect::SharedTimestamp { position }).collect();
    assert_eq!((judged.defects.clone(), judged.is_good()), (shared, true));
    assert_eq!(timed("151", one).defects.len(), 3);
    // The same digit again, when the sender's clock stood still during the event: a press of its own.
    let judged = timed("115", |o| rtp(&mut o[1]).timestamp = 320);
    let shared = [0, 1].map(|position| Defect::SharedTimestamp { position });
    assert_eq!((judged.defects.as_slice(), judged.is_good()), (shared.as_slice(), true));
    // "1111" under one timestamp comes as one event.
    let judged = timed("1111", |o| {
        o.truncate(1);
        (rtp(&mut o[0]).markers, rtp(&mut o[0]).duration_resets) = (4, 3);
    });
    assert_eq!(judged.defects, [1, 2, 3].map(|position| Defect::Merged { position }));
}

#[test]
fn a_source_that_changes_with_the_voice_is_the_voices_own() {
    let start = Instant::now();
    let judged = |spans: Vec<Span>| {
        let mut observed = events(start, "1593");
        observed[2..].iter_mut().for_each(|o| rtp(o).ssrc = 8);
        let around = Around { spans, ..Around::default() };
        judge(&Expected { around, ..expected("1593") }, &observed).defects
    };
    let span =
        |ssrc, from: u32, to: u32| Span { ssrc, from: start + from * MS, to: start + to * MS, packets: 9 };
    assert_eq!(judged(vec![span(7, 0, 380), span(8, 500, 900)]), []);
    let alone = [2, 3].map(|position| Defect::AnotherSsrc { position });
    assert_eq!(judged(vec![span(7, 0, 900)]), alone);
    // Without any voice nothing is known of its source.
    assert_eq!(judged(Vec::new()), []);
}

#[test]
fn a_strangers_events_count_for_nothing_unless_they_are_the_digits_themselves() {
    let foreign = |o: &mut Observation| rtp(o).is_foreign = true;
    let judged = timed("159#", |o| {
        let mut more = o[2].clone();
        (rtp(&mut more).ssrc, rtp(&mut more).timestamp) = (99, 5);
        foreign(&mut more);
        o.push(more);
    });
    assert_eq!((judged.defects.len(), judged.foreign.len(), judged.received.as_str()), (0, 1, "159#"));
    let judged = timed("159#", |o| o.iter_mut().for_each(foreign));
    let elsewhere: Vec<_> = (0..4).map(|position| Defect::AnotherAddress { position }).collect();
    assert_eq!((judged.defects, judged.foreign.len()), (elsewhere, 0));
}

#[test]
fn packets_that_are_missing_again_and_again_beside_whole_voice_were_not_lost_on_the_way() {
    let ends =
        |number: usize| timed("1593", |o| o[..number].iter_mut().for_each(|o| rtp(o).end = Seen::MayBeLost));
    assert_eq!(ends(1).defects, []);
    assert_eq!(ends(4).defects.len(), 4);
    assert!(ends(4).defects.iter().all(|defect| matches!(defect, Defect::NoEndPacket { .. })));
    let lossy = Around { loss: 0.03, spans: vec![voice_of(7)], ..Around::default() };
    let mut observed = events(Instant::now(), "1593");
    observed.iter_mut().for_each(|o| rtp(o).end = Seen::MayBeLost);
    assert_eq!(judge(&Expected { around: lossy, ..expected("1593") }, &observed).defects, []);
}

#[test]
fn one_of_two_equal_digits_whose_packets_were_taken_out_is_lost_and_not_merged() {
    let mut observed = events(Instant::now(), "1159");
    observed.remove(1);
    let around = Around { dropped: vec![1], spans: vec![voice_of(7)], ..Around::default() };
    let judged = judge(&Expected { around, ..expected("1159") }, &observed);
    assert_eq!(judged.defects, [Defect::Lost { position: 1 }]);
    let sparse = changed(|o| rtp(&mut o[2]).longest_gap_ms = 900);
    assert_eq!(sparse, [Defect::SparseUpdates { position: 2, milliseconds: 900 }]);
}

#[test]
fn a_tone_in_pieces_is_one_press_and_two_whole_ones_are_two() {
    let start = Instant::now();
    let tones = |spans: &[(u32, u32)]| {
        let tone = |(from, to): &(u32, u32)| {
            let digit = Digit::from_char('1').unwrap();
            Observation::new(DtmfMethod::InBand, digit, start + *from * MS, Some((to - from) * MS))
        };
        let observed: Vec<_> = spans.iter().map(tone).collect();
        judge(&Expected::new(DtmfMethod::InBand, digits("1"), 100 * MS), &observed)
    };
    let broken = tones(&[(0, 60), (100, 140)]);
    assert_eq!(broken.defects, [Defect::Broken { position: 0, milliseconds: 40 }]);
    assert_eq!((broken.received.as_str(), broken.is_good()), ("1", true));
    let twice = tones(&[(0, 100), (200, 300)]);
    assert_eq!(twice.defects, [Defect::Doubled { position: 0, by: By::Repeat }]);
}

#[test]
fn a_conversion_is_reported_and_is_no_failure() {
    let start = Instant::now();
    for way in [DtmfMethod::InBand, DtmfMethod::Info] {
        let judged = judge(&expected("159#"), &by_other_way(way, start, "159#"));
        assert_eq!(judged.defects, [Defect::Converted { from: DtmfMethod::Rfc4733, to: way }]);
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
