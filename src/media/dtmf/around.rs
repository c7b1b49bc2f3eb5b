//! The voice around the digits: what it lost on its way, and what became of the packets that stood where digits were.

use crate::media::stream::{Hole, Span, VoiceLog};
use std::time::{Duration, Instant};

/// The longest way of media through a platform for which the digits' places are looked for among the holes.
const LONGEST_WAY: Duration = Duration::from_millis(400);
/// Step of that search: one packet.
const STEP: Duration = Duration::from_millis(20);
/// Time after a digit in which its repeated ends stand instead of voice (RFC 4733 sec. 2.5.1.4), and what is lost beside them.
const ENDS: Duration = Duration::from_millis(100);
/// Packets that repeat the end, and one more for what a platform adds.
const MORE_PACKETS: u128 = 3;

/// The digits' times, and the time that was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// When each digit began to be sent.
    pub sent_at: &'a [Instant],
    /// Length of each of them.
    pub on: Duration,
    /// Where the look at the voice begins: before the first digit.
    pub from: Instant,
    /// Where it ends.
    pub until: Instant,
    /// Time between two packets of the voice.
    pub packet_time: Duration,
}

/// What the voice around the digits says of the path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// Share (0 to 1) of the voice packets beside the digits that did not come.
    pub loss: f64,
    /// Digits (by their places) whose own packets did not come, while the voice beside them did: somebody takes them out.
    pub dropped: Vec<usize>,
    /// Digits that were lost together with the voice beside them: the path was interrupted there.
    pub interrupted: Vec<usize>,
    /// Whose voice came when.
    pub spans: Vec<Span>,
}

impl Around {
    /// Loss and sources as the log of the stream shows them.
    pub fn of(voice: &VoiceLog, window: &Window<'_>) -> Around {
        let is_in = |hole: &&Hole| hole.to > window.from && hole.from < window.until;
        let holes: Vec<&Hole> = voice.holes.iter().filter(is_in).collect();
        let way = way(&holes, window);
        let (mut lost, mut dropped, mut interrupted) = (0_u64, Vec::new(), Vec::new());
        for hole in &holes {
            let digits = window.digits_in(hole, way);
            if window.fits(hole, &digits) {
                // One packet of an event that is missing takes no digit away, nor do those beside what came of it.
                dropped.extend(digits.into_iter().filter(|_| hole.missing > 1 && !hole.beside_event));
            } else if window.took_its_time(hole) && (!hole.beside_event || !digits.is_empty()) {
                lost += u64::from(hole.missing);
                interrupted.extend(digits);
            }
        }
        let digits = (window.on + ENDS) * window.sent_at.len() as u32;
        let beside = window.until.saturating_duration_since(window.from).saturating_sub(digits);
        let due = beside.as_secs_f64() / window.packet_time.as_secs_f64().max(0.001);
        let loss = if lost == 0 { 0.0 } else { (lost as f64 / due.max(lost as f64)).min(1.0) };
        Around { loss, dropped, interrupted, spans: voice.spans.clone() }
    }

    /// Whether voice came around this time, and whether some of it had this source.
    pub(super) fn voice_at(&self, from: Instant, until: Instant, ssrc: u32) -> (bool, bool) {
        let near = |span: &&Span| span.from <= until + NEAR && span.to + NEAR >= from;
        let mut spans = self.spans.iter().filter(near).peekable();
        (spans.peek().is_some(), spans.any(|span| span.ssrc == ssrc))
    }
}

/// Voice within this time of an event is beside it.
const NEAR: Duration = Duration::from_millis(500);

impl Window<'_> {
    /// Digits that a hole takes the place of, on a way of this length.
    fn digits_in(&self, hole: &Hole, way: Duration) -> Vec<usize> {
        let least = self.on.min(hole.to.saturating_duration_since(hole.from)) / 2;
        let meets = |at: Instant| {
            let (from, to) = (at + way, at + way + self.on);
            hole.to.min(to).saturating_duration_since(hole.from.max(from)) >= least
        };
        (0..self.sent_at.len()).filter(|&digit| meets(self.sent_at[digit])).collect()
    }
    /// Whether a hole is no larger than the packets of these digits.
    fn fits(&self, hole: &Hole, digits: &[usize]) -> bool {
        let packet = self.packet_time.as_micros().max(1);
        let each = self.on.as_micros().div_ceil(packet) + MORE_PACKETS;
        !digits.is_empty() && u128::from(hole.missing) <= each * digits.len() as u128
    }
    /// Whether the packets could have been sent in the time of the hole; otherwise the numbers were left out.
    fn took_its_time(&self, hole: &Hole) -> bool {
        let due = self.packet_time * u32::from(hole.missing);
        hole.to.saturating_duration_since(hole.from) * 5 >= due * 4
    }
}

/// Delay of the way by which most of what is missing was where digits were; the shortest of equal ones.
fn way(holes: &[&Hole], window: &Window<'_>) -> Duration {
    let mut best = (0, Duration::ZERO);
    let mut way = Duration::ZERO;
    while way <= LONGEST_WAY {
        let fits = holes.iter().filter(|hole| window.fits(hole, &window.digits_in(hole, way)));
        let explained: u64 = fits.map(|hole| u64::from(hole.missing)).sum();
        if explained > best.0 {
            best = (explained, way);
        }
        way += STEP;
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Scene {
        start: Instant,
        sent: Vec<Instant>,
        voice: VoiceLog,
    }

    /// This number of digits of 100 ms every 200 ms from 1 s on, looked at until 1 s after the last.
    fn scene(digits: u32, holes: &[(u32, u32)]) -> Scene {
        let start = Instant::now();
        let at = |ms: u32| start + ms * MS;
        let hole = |&(from, to): &(u32, u32)| Hole::new(at(from), at(to), ((to - from) / 20 - 1) as u16);
        Scene {
            start,
            sent: (0..digits).map(|digit| at(1_000 + 200 * digit)).collect(),
            voice: VoiceLog { holes: holes.iter().map(hole).collect(), ..VoiceLog::default() },
        }
    }

    fn around(scene: &Scene) -> Around {
        let window = Window {
            sent_at: &scene.sent,
            on: 100 * MS,
            from: scene.start + 400 * MS,
            until: scene.sent.last().map_or(scene.start, |last| *last + 1_000 * MS),
            packet_time: 20 * MS,
        };
        Around::of(&scene.voice, &window)
    }

    /// Where the seven packets of a digit are missing.
    fn events(digits: std::ops::Range<u32>, way: u32) -> Vec<(u32, u32)> {
        digits.map(|digit| (980 + 200 * digit + way, 1_140 + 200 * digit + way)).collect()
    }

    #[test]
    fn numbers_that_are_missing_where_digits_were_are_no_loss_of_voice_whatever_the_way() {
        for way in [0, 40, 160, 300] {
            let around = around(&scene(4, &events(0..4, way)));
            assert_eq!((around.loss, around.dropped.as_slice()), (0.0, [0, 1, 2, 3].as_slice()), "{way} ms");
            assert!(around.interrupted.is_empty());
        }
        let some = around(&scene(6, &events(2..6, 20)));
        assert_eq!((some.loss, some.dropped), (0.0, vec![2, 3, 4, 5]));
    }

    #[test]
    fn each_fourth_packet_of_voice_is_a_quarter_beside_digits_too() {
        let mut holes: Vec<(u32, u32)> = (0..27).map(|n| (420 + 80 * n, 460 + 80 * n)).collect();
        let around_all = around(&scene(4, &holes));
        assert!((0.15..0.4).contains(&around_all.loss), "{}", around_all.loss);
        // Events are whole: voice is missing outside of them only.
        holes.retain(|(from, _)| *from < 960 || *from > 1_740);
        let around = around(&scene(4, &holes));
        assert!((0.15..0.4).contains(&around.loss), "{}", around.loss);
        assert!(around.dropped.is_empty() && around.interrupted.is_empty());
    }

    #[test]
    fn an_interruption_takes_the_voice_beside_the_digit_too() {
        // From the first digit's middle to the third's beginning.
        let around = around(&scene(4, &[(1_040, 1_440)]));
        assert_eq!((around.dropped.len(), around.interrupted), (0, vec![0, 1]));
        assert!(around.loss > 0.1, "{}", around.loss);
    }

    #[test]
    fn numbers_that_are_left_out_are_not_lost() {
        let mut scene = scene(4, &[(1_160, 1_180), (1_760, 1_780)]);
        scene.voice.holes.iter_mut().for_each(|hole| hole.missing = 9);
        assert_eq!(around(&scene).loss, 0.0);
        scene.voice.holes.iter_mut().for_each(|hole| hole.beside_event = true);
        assert_eq!(around(&scene).loss, 0.0);
    }

    #[test]
    fn without_holes_and_without_digits_nothing_is_lost() {
        assert_eq!(around(&scene(4, &[])), Around::default());
        assert_eq!(around(&scene(0, &[])), Around::default());
    }
}
