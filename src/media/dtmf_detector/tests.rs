#![allow(clippy::unwrap_used)]
use super::*;
use crate::media::g711::Law;
use crate::media::tone::Tone;
use crate::message::Ids;

const MS: usize = 8;

/// Sound made piece by piece.
#[derive(Default)]
struct Sound(Vec<i16>);

impl Sound {
    fn silence(mut self, samples: usize) -> Sound {
        self.0.extend(std::iter::repeat_n(0, samples));
        self
    }
    fn tone(mut self, mut tone: Tone, samples: usize) -> Sound {
        tone.write(samples, &mut self.0);
        self
    }
    fn digits(self, digits: &str, on: usize, off: usize) -> Sound {
        digits.chars().fold(self, |sound, c| {
            sound.tone(Tone::digit(Digit::from_char(c).unwrap()), on * MS).silence(off * MS)
        })
    }
    fn through(mut self, law: Law) -> Sound {
        self.0.iter_mut().for_each(|s| *s = law.decode(law.encode(*s)));
        self
    }
    fn heard(&self) -> Vec<Heard> {
        let (mut detector, mut heard) = (DtmfDetector::new(), Vec::new());
        // Packets of 20 ms.
        self.0.chunks(160).for_each(|packet| detector.feed(packet, &mut heard));
        detector.finish(&mut heard);
        heard
    }
    fn text(&self) -> String {
        text(&self.heard())
    }
}

fn text(heard: &[Heard]) -> String {
    heard.iter().map(|h| h.digit.character()).collect()
}

/// Quiet noise, as a line has it: between -`amplitude` and `amplitude`.
fn noise(ids: &mut Ids, samples: usize, amplitude: i16) -> Vec<i16> {
    let width = u64::from(amplitude.unsigned_abs()) * 2 + 1;
    (0..samples).map(|_| ids.below(width) as i16 - amplitude).collect()
}

fn off_frequency(digit: Digit, low: f64, high: f64) -> Tone {
    let (l, h) = digit.tones_hz();
    Tone::pair((f64::from(l) * (1.0 + low), -10.0), (f64::from(h) * (1.0 + high), -8.0))
}

#[test]
fn all_sixteen_digits_are_heard_with_their_times_and_levels() {
    for law in [Law::A, Law::Mu] {
        let heard = Sound::default().silence(803).digits("0123456789*#ABCD", 100, 60).through(law).heard();
        assert_eq!(text(&heard), "0123456789*#ABCD");
        for (i, h) in heard.iter().enumerate() {
            let start = 803 + i * 160 * MS;
            assert!(h.start_sample.abs_diff(start as u64) <= 3 * MS as u64, "{h:?}, {start}");
            assert!(h.duration_samples.abs_diff(100 * MS as u32) <= 5 * MS as u32, "{h:?}");
            assert!((h.low_dbm0 + 10.0).abs() < 1.0 && (h.high_dbm0 + 8.0).abs() < 1.0, "{h:?}");
            assert_eq!(h.lost_samples, 0);
        }
    }
}

#[test]
fn forty_milliseconds_are_enough_and_twenty_three_are_not() {
    for digit in Digit::all() {
        for offset in (0..160).step_by(7) {
            let digit = digit.to_string();
            for law in [Law::A, Law::Mu] {
                let long = Sound::default().silence(400 + offset).digits(&digit, 40, 100).through(law);
                assert_eq!(long.text(), digit, "40 ms of {digit} at {offset}");
                let short = Sound::default().silence(400 + offset).digits(&digit, 23, 100).through(law);
                assert_eq!(short.text(), "", "23 ms of {digit} at {offset}");
            }
        }
    }
}

#[test]
fn a_pause_of_forty_milliseconds_parts_two_and_one_of_twenty_does_not() {
    for digit in Digit::all() {
        for offset in (0..160).step_by(11) {
            let digit = digit.to_string();
            let two = |pause| {
                Sound::default().silence(offset).digits(&digit, 50, pause).digits(&digit, 50, 100).text()
            };
            assert_eq!(two(40), digit.repeat(2), "at {offset}");
            assert_eq!(two(20), digit, "at {offset}");
            assert_eq!(two(10), digit, "at {offset}");
        }
    }
    assert_eq!(Sound::default().digits("1234", 50, 0).silence(800).text(), "1234");
}

#[test]
fn frequencies_off_by_one_and_a_half_percent_are_accepted() {
    for digit in Digit::all() {
        for (low, high) in [(0.015, 0.015), (-0.015, -0.015), (0.015, -0.015), (-0.015, 0.015), (0.0, 0.015)]
        {
            for ms in [40, 60, 100] {
                for offset in [0, 13, 26, 39] {
                    let sound =
                        Sound::default().silence(800 + offset).tone(off_frequency(digit, low, high), ms * MS);
                    let text = sound.silence(800).through(Law::A).text();
                    assert_eq!(text, digit.to_string(), "{low} {high} for {ms} ms");
                }
            }
        }
    }
}

#[test]
fn frequencies_off_by_three_and_a_half_percent_are_refused() {
    for digit in Digit::all() {
        for (low, high) in [
            (0.035, 0.0),
            (-0.035, 0.0),
            (0.0, 0.035),
            (0.0, -0.035),
            (0.035, 0.035),
            (-0.035, -0.035),
            (0.05, 0.0),
            (0.0, 0.05),
            (0.0, -0.05),
        ] {
            for ms in [40, 60, 100, 400] {
                let sound = Sound::default().silence(813).tone(off_frequency(digit, low, high), ms * MS);
                let text = sound.silence(800).through(Law::A).text();
                assert_eq!(text, "", "{digit} {low} {high} for {ms} ms");
            }
        }
    }
}

#[test]
fn levels_from_0_to_minus_30_dbm0_are_heard_and_minus_55_is_not() {
    for law in [Law::A, Law::Mu] {
        for digit in Digit::all() {
            // At 0 dBm0 the two together do not fit into G.711 any more: they are clipped.
            for level in [0.0, -1.0, -3.0, -6.0, -12.0, -20.0, -25.0, -30.0, -36.0] {
                let sound =
                    Sound::default().silence(777).tone(Tone::digit_with_levels(digit, level, level), 50 * MS);
                let heard = sound.silence(800).through(law).heard();
                assert_eq!(text(&heard), digit.to_string(), "{level} dBm0");
                let tolerance = if level > -3.0 { 3.1 } else { 0.7 };
                assert!((f64::from(heard[0].low_dbm0) - level).abs() < tolerance, "{heard:?} for {level}");
            }
            let sound = Sound::default().tone(Tone::digit_with_levels(digit, -55.0, -55.0), 100 * MS);
            assert_eq!(sound.silence(800).through(law).text(), "");
        }
    }
}

#[test]
fn twist_is_accepted_up_to_four_and_eight_decibels_and_refused_beyond_ten_and_fourteen() {
    for digit in Digit::all() {
        let twisted = |low, high| {
            let tone = Tone::digit_with_levels(digit, low, high);
            Sound::default().silence(813).tone(tone, 50 * MS).silence(800).through(Law::Mu).text()
        };
        for (low, high) in [(-14.0, -10.0), (-10.0, -18.0), (-29.0, -25.0), (-22.0, -30.0)] {
            assert_eq!(twisted(low, high), digit.to_string(), "{low} {high}");
        }
        for (low, high) in [(-20.0, -10.0), (-10.0, -24.0), (-10.0, -100.0), (-100.0, -10.0)] {
            assert_eq!(twisted(low, high), "", "{low} {high}");
        }
    }
}

#[test]
fn a_tenth_of_the_packets_filled_with_silence_loses_no_digit() {
    let mut ids = Ids::from_seed([4; 32]);
    let digits = "0123456789*#ABCD";
    let mut gaps = 0;
    for round in 0..40 {
        let mut sound = Sound::default().silence(400 + round * 17).digits(digits, 100, 100).through(Law::A);
        // Somebody on the way filled the gap with silence and a new number: nobody tells us of the loss. Never two in a row: 40 ms
        // of silence within a digit are a pause, whoever made them.
        let mut last = false;
        for packet in sound.0.chunks_mut(160) {
            last = !last && ids.below(10) == 0;
            if last {
                packet.fill(0);
                gaps += 1;
            }
        }
        assert_eq!(sound.text(), digits, "round {round}");
    }
    assert!(gaps > 500, "{gaps}");
}

#[test]
fn a_tenth_of_the_packets_known_to_be_lost_loses_hardly_any_digit_and_invents_none() {
    let mut ids = Ids::from_seed([5; 32]);
    let digits = "1122334455667788990*#ABCD";
    let mut wrong = 0;
    let mut lost = 0;
    for round in 0..40 {
        let sound = Sound::default().silence(400 + round * 17).digits(digits, 100, 100).through(Law::Mu);
        let (mut detector, mut heard) = (DtmfDetector::new(), Vec::new());
        for packet in sound.0.chunks(160) {
            if ids.below(10) == 0 {
                lost += 1;
                detector.lost(packet.len(), &mut heard);
            } else {
                detector.feed(packet, &mut heard);
            }
        }
        detector.finish(&mut heard);
        let same = text(&heard) == digits;
        wrong += u32::from(!same);
        assert!(heard.len() <= digits.len(), "nothing is invented: {}", text(&heard));
    }
    // Where three packets in a row are gone, hardly anything is left of a digit, or of the pause between two equal ones: some of 1,000.
    assert!(wrong <= 6 && lost > 800, "{wrong} digits of 1,000 wrong, {lost} lost");
}

#[test]
fn noise_twelve_decibels_below_does_not_hide_a_digit() {
    let mut ids = Ids::from_seed([6; 32]);
    for digit in Digit::all() {
        let mut sound = Sound::default()
            .silence(400)
            .tone(Tone::digit_with_levels(digit, -20.0, -20.0), 60 * MS)
            .silence(400);
        let noise = noise(&mut ids, sound.0.len(), 1_000);
        sound.0.iter_mut().zip(noise).for_each(|(s, n)| *s += n);
        assert_eq!(sound.through(Law::A).text(), digit.to_string());
    }
}

#[test]
fn noise_single_tones_and_call_progress_tones_are_no_digits() {
    let mut ids = Ids::from_seed([7; 32]);
    let hiss = Sound(noise(&mut ids, 8_000 * 60, 12_000));
    assert_eq!(hiss.through(Law::A).text(), "");
    for (first, second) in
        [(350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (425.0, 425.0), (697.0, 697.0), (1209.0, 1209.0)]
    {
        let tone = Tone::pair((first, -13.0), (second, -13.0));
        assert_eq!(Sound::default().tone(tone, 8_000).through(Law::Mu).text(), "", "{first} {second}");
    }
    for pair in [(697.0, 770.0), (1209.0, 1477.0), (697.0, 1400.0), (600.0, 1336.0)] {
        let tone = Tone::pair((pair.0, -13.0), (pair.1, -13.0));
        assert_eq!(Sound::default().tone(tone, 8_000).through(Law::Mu).text(), "", "{pair:?}");
    }
}

#[test]
fn audio_that_it_would_hear_nothing_in_is_refused() {
    assert!(DtmfDetector::for_audio(8_000, 1).is_ok());
    for (rate_hz, channels) in [(16_000, 1), (8_000, 2), (48_000, 2), (8_000, 0), (0, 1)] {
        let refused = DtmfDetector::for_audio(rate_hz, channels).unwrap_err();
        assert_eq!(refused, NotTelephoneAudio { rate_hz, channels });
        assert!(refused.to_string().contains(&format!("{channels} channels at {rate_hz} Hz")), "{refused}");
    }
}
