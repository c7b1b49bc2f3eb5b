#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

struct Feed {
    start: Instant,
    statistics: Statistics,
}

impl Feed {
    fn new() -> Feed {
        Feed { start: Instant::now(), statistics: Statistics::new(8_000) }
    }
    fn packet(&mut self, at_ms: u64, sequence_number: u16, timestamp: u32, ssrc: u32) -> Arrival {
        let packet =
            Packet { marker: false, payload_type: 0, sequence_number, timestamp, ssrc, payload: &[0; 160] };
        self.statistics.receive(self.start + Duration::from_millis(at_ms), &packet, true)
    }
    /// The `n`th packet of 20 ms at its time.
    fn nth(&mut self, n: u16) -> Arrival {
        self.packet(u64::from(n) * 20, n.wrapping_add(65_530), u32::from(n) * 160, 7)
    }
    fn summary(&self) -> Summary {
        self.statistics.summary()
    }
}

#[test]
fn a_perfect_stream_has_no_loss_no_jitter_and_its_clock() {
    let mut feed = Feed::new();
    (0..200).for_each(|n| {
        feed.nth(n);
    });
    let summary = feed.summary();
    assert_eq!((summary.received, summary.expected, summary.lost, summary.reordered), (200, 200, 0, 0));
    assert_eq!((summary.jitter, summary.gaps, summary.timestamp_jumps), (Duration::ZERO, 0, 0));
    assert_eq!(summary.clock_rate_hz, Some(8_000));
    assert!(!summary.wrong_clock_rate(8_000) && summary.wrong_clock_rate(16_000));
    assert_eq!(feed.statistics.report_block(None).unwrap().extended_highest_sequence, 65_530 + 199);
}

#[test]
fn loss_duplicates_and_late_ones_are_told_apart_across_the_wrap() {
    let mut feed = Feed::new();
    assert_eq!(feed.nth(0), Arrival::First);
    for n in [1, 2, 4, 3, 3, 7, 8, 8, 9] {
        feed.nth(n);
    }
    let summary = feed.summary();
    assert_eq!((summary.received, summary.expected, summary.lost), (10, 10, 2));
    assert_eq!((summary.reordered, summary.duplicates), (1, 2));
    assert!((summary.loss() - 0.2).abs() < 1e-9);
    assert_eq!(feed.nth(5), Arrival::Late);
    assert_eq!(feed.nth(5), Arrival::Duplicate);
    assert_eq!(feed.summary().lost, 1);
}

#[test]
fn the_first_two_swapped_are_counted_from_the_earlier_one() {
    let mut feed = Feed::new();
    feed.nth(1);
    assert_eq!(feed.nth(0), Arrival::Late);
    feed.nth(2);
    assert_eq!((feed.summary().expected, feed.summary().lost), (3, 0));
}

#[test]
fn jitter_follows_the_formula_of_rfc_3550() {
    // Every second packet is 8 ms (64 units) late: |D| is 64 each time, so J tends to 64 units.
    let mut feed = Feed::new();
    for n in 0..400_u64 {
        feed.packet(n * 20 + (n % 2) * 8, n as u16, n as u32 * 160, 1);
    }
    let jitter = feed.summary().jitter;
    assert!(jitter > Duration::from_micros(7_800) && jitter < Duration::from_micros(8_100), "{jitter:?}");
    assert!((62..=65).contains(&feed.statistics.report_block(None).unwrap().jitter));
    assert!(feed.summary().max_jitter >= jitter);
}

#[test]
fn another_source_a_jump_and_a_gap_are_counted_and_not_taken_for_loss() {
    let mut feed = Feed::new();
    (0..10).for_each(|n| {
        feed.nth(n);
    });
    for n in 0..10_u16 {
        feed.packet(200 + u64::from(n) * 20, 40_000 + n, 99_000 + u32::from(n) * 160, 8);
    }
    assert_eq!(feed.packet(1_000, 10_000, 99_000 + 1_600 + 4_960, 8), Arrival::Stray);
    assert_eq!(feed.packet(1_020, 10_001, 99_000 + 1_600 + 5_120, 8), Arrival::First);
    let summary = feed.summary();
    assert_eq!((summary.ssrc_changes, summary.sequence_jumps, summary.gaps, summary.lost), (1, 1, 1, 0));
    assert_eq!(summary.longest_gap, Duration::from_millis(620));
    assert_eq!(summary.ssrc, Some(8));
}

#[test]
fn a_timestamp_that_jumps_without_a_marker_is_seen() {
    let mut feed = Feed::new();
    (0..10).for_each(|n| {
        feed.nth(n);
    });
    feed.packet(200, 65_530_u16.wrapping_add(10), 1_600 + 80_000, 7);
    assert_eq!(feed.summary().timestamp_jumps, 1);
}

#[test]
fn packets_that_were_held_up_and_come_in_a_burst_are_no_jump() {
    for stall in [400, 1_000] {
        let mut feed = Feed::new();
        (0..10).for_each(|n| {
            feed.nth(n);
        });
        for n in 10..60_u16 {
            // Nothing comes for this time, and then all of it at once.
            let at = (u64::from(n) * 20).max(200 + stall);
            feed.packet(at, n.wrapping_add(65_530), u32::from(n) * 160, 7);
        }
        let summary = feed.summary();
        assert_eq!((summary.timestamp_jumps, summary.lost, summary.gaps), (0, 0, 1), "{stall}");
    }
}

#[test]
fn what_was_sent_elsewhere_before_a_window_is_no_loss_of_it_and_what_is_lost_in_it_is() {
    let mut feed = Feed::new();
    (0..10).for_each(|n| {
        feed.nth(n);
    });
    let before = feed.summary();
    feed.statistics.begin_window();
    // Another path for 3 s: its numbers and its clock went on meanwhile.
    (160..200).filter(|n| *n != 170).for_each(|n| {
        feed.nth(n);
    });
    let window = feed.summary().since(&before);
    assert_eq!((window.received, window.expected, window.lost), (39, 40, 1));
    assert_eq!((window.longest_gap, window.timestamp_jumps, window.gaps), (Duration::from_millis(40), 0, 0));
    // Without a new window all of that is missing.
    let mut feed = Feed::new();
    (0..10).chain(160..200).for_each(|n| {
        feed.nth(n);
    });
    assert_eq!(feed.summary().lost, 150);
}

#[test]
fn the_fraction_lost_is_that_since_the_last_report() {
    let mut feed = Feed::new();
    (0..10).filter(|n| n % 2 == 0 || *n == 9).for_each(|n| {
        feed.nth(n);
    });
    let first = feed.statistics.report_block(None).unwrap();
    assert_eq!((first.fraction_lost, first.cumulative_lost), (102, 4));
    (10..20).for_each(|n| {
        feed.nth(n);
    });
    let second = feed.statistics.report_block(Some((9, Duration::from_millis(500)))).unwrap();
    assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 4));
    assert_eq!((second.last_sender_report, second.delay_since_last_sender_report), (9, 32_768));
}

#[test]
fn audio_one_way_only_is_named() {
    assert_eq!(Direction::of(0, 5), Direction::OnlyForth);
    assert_eq!(Direction::of(5, 0), Direction::OnlyBack);
    assert_eq!((Direction::of(1, 1), Direction::of(0, 0)), (Direction::BothWays, Direction::None));
}

proptest! {
    #[test]
    fn any_packets_in_any_order_keep_the_counts_sound(
        packets in proptest::collection::vec((any::<u16>(), any::<u32>(), 0_u32..3, 0_u64..500), 0..300)
    ) {
        let (mut feed, mut at) = (Feed::new(), 0);
        for (sequence, timestamp, ssrc, later) in packets {
            at += later;
            feed.packet(at, sequence, timestamp, ssrc);
            let summary = feed.summary();
            prop_assert!(summary.lost <= summary.expected);
            feed.statistics.report_block(None);
        }
    }
    #[test]
    fn each_loss_is_counted_once(kept in proptest::collection::vec(any::<bool>(), 10..400)) {
        let mut feed = Feed::new();
        feed.nth(0);
        kept.iter().enumerate().filter(|(_, kept)| **kept).for_each(|(n, _)| { feed.nth(n as u16 + 1); });
        let last = kept.iter().rposition(|kept| *kept).map_or(0, |n| n + 1);
        let lost = kept[..last].iter().filter(|kept| !**kept).count();
        prop_assert_eq!(feed.summary().lost, lost as u64);
    }
}
