//! Sound like speech, from a seed: voiced syllables (a pulse train with gliding pitch through gliding formants), hisses, bursts, pauses.
//!
//! It is made to be hard: the first two formants lie where the two groups of DTMF do (open vowels: 650 to 1,000 and 1,150 to 1,700 Hz) in most
//! syllables, some are held for half a second on one pitch, and in some of these harmonics fall exactly on a low and a high tone.

use ringback::media::digit::{HIGH_GROUP_HZ, LOW_GROUP_HZ};
use ringback::media::g711::Law;
use ringback::media::tone::{PEAK_AT_0_DBM0, RATE_HZ};
use ringback::message::Ids;
use std::f32::consts::TAU;

/// A resonator of two poles: a formant.
#[derive(Default, Clone, Copy)]
struct Resonator {
    y1: f32,
    y2: f32,
}

impl Resonator {
    fn next(&mut self, x: f32, hz: f32, bandwidth_hz: f32) -> f32 {
        let r = (-std::f32::consts::PI * bandwidth_hz / RATE_HZ as f32).exp();
        let b = 2.0 * r * (TAU * hz / RATE_HZ as f32).cos();
        let y = (1.0 - r) * x + b * self.y1 - r * r * self.y2;
        (self.y2, self.y1) = (self.y1, y);
        y
    }
}

pub(crate) struct Speech {
    ids: Ids,
    formants: [Resonator; 4],
    phase: f32,
}

impl Speech {
    pub(crate) fn new(seed: u8) -> Speech {
        Speech { ids: Ids::from_seed([seed; 32]), formants: Default::default(), phase: 0.0 }
    }
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.ids.below(1 << 20) as f32 / (1 << 20) as f32
    }
    fn noise(&mut self) -> f32 {
        self.between(-1.0, 1.0)
    }
    /// The next sound: a syllable, a hiss, a burst or a pause, at a level between -30 and -6 dBm0, through G.711.
    pub(crate) fn next_sound(&mut self, law: Law) -> Vec<i16> {
        let sound = match self.ids.below(20) {
            0..=10 => self.syllable(80.0, 350.0, false),
            11 | 12 => self.syllable(300.0, 600.0, true),
            13 => self.syllable(600.0, 900.0, false),
            14 | 15 => self.hiss(),
            16 => self.burst(),
            _ => self.pause(),
        };
        let rms = (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).sqrt().max(1e-9);
        let level = self.between(-30.0, -6.0);
        let gain = PEAK_AT_0_DBM0 as f32 / 2_f32.sqrt() * 10_f32.powf(level / 20.0) / rms;
        sound.iter().map(|s| law.decode(law.encode((s * gain) as i16))).collect()
    }
    fn syllable(&mut self, lowest_ms: f32, longest_ms: f32, held: bool) -> Vec<f32> {
        let count = (self.between(lowest_ms, longest_ms) * 8.0) as usize;
        let (row, column) = (self.ids.below(4) as usize, self.ids.below(4) as usize);
        let mut pitch = [self.between(75.0, 320.0), self.between(75.0, 320.0)];
        let mut first = [self.between(600.0, 1_000.0), self.between(250.0, 1_000.0)];
        let mut second = [self.between(1_150.0, 1_700.0), self.between(900.0, 2_200.0)];
        if held {
            // The formants sit on a digit's tones, and a harmonic of the pitch on the low one.
            (first, second) = ([LOW_GROUP_HZ[row]; 2], [HIGH_GROUP_HZ[column]; 2]);
            let harmonic = (2 + self.ids.below(6)) as f32;
            pitch = [LOW_GROUP_HZ[row] / harmonic; 2];
        }
        let third = self.between(2_300.0, 3_000.0);
        let bandwidths = [self.between(40.0, 110.0), self.between(50.0, 130.0), 150.0, 250.0];
        let vibrato = if held { 0.0 } else { self.between(0.0, 0.02) };
        let breath = self.between(0.0, 0.1);
        let mut out = Vec::with_capacity(count);
        for n in 0..count {
            let t = n as f32 / count as f32;
            let glide = |two: [f32; 2]| two[0] + (two[1] - two[0]) * t;
            let hz = glide(pitch) * (1.0 + vibrato * (TAU * 5.0 * n as f32 / RATE_HZ as f32).sin());
            self.phase = (self.phase + hz / RATE_HZ as f32).fract();
            // A glottal pulse: open for 60 % of the period, closing fast.
            let open = self.phase / 0.6;
            let pulse = if open < 1.0 { open * open * (1.0 - open) * 6.75 - 0.33 } else { -0.33 };
            let source = pulse + breath * self.noise();
            let centres = [glide(first), glide(second), third, 3_500.0];
            let mut y = 0.0;
            for (n, formant) in self.formants.iter_mut().enumerate() {
                let share = [1.0, 0.8, 0.3, 0.1][n];
                y += share * formant.next(source, centres[n], bandwidths[n]);
            }
            let envelope = (t * 12.0).min(1.0).min((1.0 - t) * 8.0);
            out.push(y * envelope);
        }
        out
    }
    fn hiss(&mut self) -> Vec<f32> {
        let count = (self.between(40.0, 200.0) * 8.0) as usize;
        let (hz, width) = (self.between(600.0, 3_800.0), self.between(100.0, 1_500.0));
        let mut formant = Resonator::default();
        (0..count)
            .map(|_| {
                let x = self.noise();
                formant.next(x, hz, width)
            })
            .collect()
    }
    fn burst(&mut self) -> Vec<f32> {
        let count = (self.between(5.0, 25.0) * 8.0) as usize;
        (0..count).map(|n| self.noise() * (-(n as f32) / 60.0).exp()).collect()
    }
    fn pause(&mut self) -> Vec<f32> {
        let count = (self.between(20.0, 500.0) * 8.0) as usize;
        let mut sound: Vec<f32> = (0..count).map(|_| self.noise() * 0.001).collect();
        // Its level is made good with one loud click, so that the pause itself stays quiet.
        sound[0] = 1.0;
        sound
    }
}
