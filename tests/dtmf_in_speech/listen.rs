//! Listens to minutes of speech-like sound, and to digits within it.
use crate::speech::Speech;
use ringback::media::digit::Digit;
use ringback::media::dtmf_detector::{DtmfDetector, Heard};
use ringback::media::g711::Law;
use ringback::media::tone::{RATE_HZ, Tone};

const LAWS: [Law; 2] = [Law::A, Law::Mu];

/// Every digit that is heard in so many minutes of speech without any.
pub(crate) fn hits(seed: u8, minutes: u64) -> Vec<Heard> {
    let (mut speech, mut detector, mut heard) = (Speech::new(seed), DtmfDetector::new(), Vec::new());
    let (mut left, mut sounds) = (minutes * 60 * u64::from(RATE_HZ), 0_usize);
    while left > 0 {
        let sound = speech.next_sound(LAWS[sounds % 2]);
        detector.feed(&sound, &mut heard);
        left = left.saturating_sub(sound.len() as u64);
        sounds += 1;
    }
    detector.finish(&mut heard);
    heard
}

/// What is heard when speech stops for each of the digits in turn, `rounds` times: and what should be.
pub(crate) fn with_digits(seed: u8, rounds: usize) -> (String, String) {
    let (mut speech, mut detector, mut heard) = (Speech::new(seed), DtmfDetector::new(), Vec::new());
    let mut sent = String::new();
    for _ in 0..rounds {
        for digit in Digit::all() {
            for _ in 0..5 {
                detector.feed(&speech.next_sound(Law::A), &mut heard);
            }
            // A menu's caller does not speak and press at once: silence for 60 ms around an 80 ms digit.
            let mut samples = vec![0; 480];
            Tone::digit_with_levels(digit, -20.0, -18.0).write(640, &mut samples);
            samples.resize(samples.len() + 480, 0);
            detector.feed(&samples, &mut heard);
            sent.push(digit.character());
        }
    }
    detector.finish(&mut heard);
    (sent, heard.iter().map(|h| h.digit.character()).collect())
}
