//! When the samples came that a listener was given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that are kept: 1.28 s of packets of 20 ms. A party is known by its tone after 250 ms at most.
const KEPT: usize = 64;
/// How exactly the sample is known with which a tone begins: a tone that begins with a packet must not be taken for the end of the one before.
const EXACT: u64 = 40;

/// The arrivals of the latest packets, by their first samples.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Samples so far.
    samples: u64,
    packets: VecDeque<(u64, Instant)>,
}

impl Arrivals {
    /// A packet of this number of samples that came then.
    pub(super) fn push(&mut self, at: Instant, samples: usize) {
        if samples == 0 {
            return;
        }
        if self.packets.len() == KEPT {
            self.packets.pop_front();
        }
        self.packets.push_back((self.samples, at));
        self.samples += samples as u64;
    }

    /// When the sample could be heard first that came this number of samples before the last: its packet had arrived, and what is before it in
    /// the packet was played.
    pub(super) fn heard(&self, ago: u64) -> Option<Instant> {
        let sample = self.samples.saturating_sub(ago);
        let holds = self.packets.iter().rev().find(|(first, _)| *first <= sample + EXACT);
        let (first, at) = holds.or(self.packets.front())?;
        let time = |samples: u64| Duration::from_micros(samples * 125);
        match sample.checked_sub(*first) {
            Some(played) => Some(*at + time(played)),
            // A little before its packet by measure only; or the packet is kept no longer.
            None if *first - sample <= EXACT => Some(*at),
            None => at.checked_sub(time(*first - sample)),
        }
    }

    /// The next sample is the first.
    pub(super) fn clear(&mut self) {
        *self = Arrivals::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, the third 70 ms late.
    fn packets(origin: Instant) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for at in [0, 20, 110, 111, 112, 113] {
            arrivals.push(origin + Duration::from_millis(at), 160);
        }
        arrivals
    }

    #[test]
    fn a_sample_is_heard_when_its_packet_has_come_and_is_played_so_far() {
        let origin = Instant::now();
        let arrivals = packets(origin);
        for (sample, millis) in [(0, 0), (80, 10), (160, 20), (240, 30), (320, 110), (360, 115), (480, 111)] {
            assert_eq!(
                arrivals.heard(960 - sample),
                Some(origin + Duration::from_millis(millis)),
                "{sample}"
            );
        }
        // What is measured to be the end of a packet is the beginning of the next.
        assert_eq!(arrivals.heard(960 - 285), Some(origin + Duration::from_millis(110)));
        assert_eq!(Arrivals::default().heard(0), None);
    }

    #[test]
    fn packets_that_are_kept_no_longer_came_at_their_pace() {
        let origin = Instant::now();
        let mut arrivals = Arrivals::default();
        for packet in 0..100 {
            arrivals.push(origin + Duration::from_millis(20 * packet), 160);
            // An event has no samples.
            arrivals.push(origin, 0);
        }
        assert_eq!(arrivals.packets.len(), KEPT);
        assert_eq!(arrivals.heard(100 * 160), Some(origin));
        arrivals.clear();
        assert_eq!(arrivals.heard(0), None);
    }
}
