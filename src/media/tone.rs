//! Tones made sample by sample: a sine or a pair, with levels in dBm0.
use crate::media::digit::Digit;
use std::f64::consts::TAU;

/// Samples per second of G.711, and of everything on this floor that does not say otherwise.
pub const RATE_HZ: u32 = 8_000;

/// The peak of a sine of 0 dBm0 in 16-bit samples: G.711's full scale is 3.14 dBm0 (A-law; mu-law: 3.17 dBm0 at 32,636, which is 0.07 dB
/// less; ITU-T G.711 sec. 4).
pub const PEAK_AT_0_DBM0: f64 = 22_828.0;

/// The level of the high DTMF tone as phones send it; the low one is 2 dB weaker, which evens out a long line (ETSI ES 201 235-2: -9 and
/// -11 dBV, each within 2.5 dB). Both together are -6 dBm0.
pub const DTMF_HIGH_DBM0: f64 = -8.0;
/// The level of the low group: see [`DTMF_HIGH_DBM0`].
pub const DTMF_LOW_DBM0: f64 = -10.0;

/// The peak of a sine of this level, in 16-bit samples.
pub fn peak(dbm0: f64) -> f64 {
    PEAK_AT_0_DBM0 * 10_f64.powf(dbm0 / 20.0)
}

/// The level of a sine with this peak, in dBm0; -120 at most for nothing at all.
pub fn level(peak: f64) -> f64 {
    (20.0 * (peak / PEAK_AT_0_DBM0).log10()).max(-120.0)
}

/// One sine: a pointer that turns by one angle with each sample. Its length and its phase stay exact for days.
#[derive(Debug, Clone)]
struct Sine {
    re: f64,
    im: f64,
    cos: f64,
    sin: f64,
}

impl Sine {
    fn next(&mut self) -> f64 {
        let value = self.im;
        self.im = self.re * self.sin + self.im * self.cos;
        self.re = self.re * self.cos - value * self.sin;
        value
    }
}

/// One or two sines with a continuous phase; what does not fit into 16 bits is clipped.
#[derive(Debug, Clone)]
pub struct Tone {
    first: Sine,
    second: Option<Sine>,
}

impl Tone {
    /// A sine of `hz` (0 to 4,000) with this level.
    pub fn sine(hz: f64, dbm0: f64) -> Tone {
        Tone { first: Self::part(hz, dbm0), second: None }
    }
    /// Two sines together.
    pub fn pair(first: (f64, f64), second: (f64, f64)) -> Tone {
        Tone { first: Self::part(first.0, first.1), second: Some(Self::part(second.0, second.1)) }
    }
    /// A digit with the levels that phones send.
    pub fn digit(digit: Digit) -> Tone {
        Self::digit_with_levels(digit, DTMF_LOW_DBM0, DTMF_HIGH_DBM0)
    }
    /// A digit with chosen levels of the low and the high tone, in dBm0.
    pub fn digit_with_levels(digit: Digit, low_dbm0: f64, high_dbm0: f64) -> Tone {
        let (low, high) = digit.tones_hz();
        Self::pair((f64::from(low), low_dbm0), (f64::from(high), high_dbm0))
    }
    fn part(hz: f64, dbm0: f64) -> Sine {
        let hz = if hz.is_finite() { hz.clamp(0.0, f64::from(RATE_HZ) / 2.0) } else { 0.0 };
        let (sin, cos) = (TAU * hz / f64::from(RATE_HZ)).sin_cos();
        Sine { re: peak(dbm0), im: 0.0, cos, sin }
    }
    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        let mut value = self.first.next();
        if let Some(second) = &mut self.second {
            value += second.next();
        }
        // A cast from a float saturates: clipped as the converter would.
        value.round() as i16
    }
    /// Appends the next `count` samples.
    pub fn write(&mut self, count: usize, out: &mut Vec<i16>) {
        let from = out.len();
        out.resize(from + count, 0);
        for sample in &mut out[from..] {
            *sample = self.next_sample();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms(samples: &[i16]) -> f64 {
        (samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_sine_has_the_level_that_was_asked_for() {
        for dbm0 in [0.0, -10.0, -30.0] {
            let mut samples = Vec::new();
            Tone::sine(1_000.0, dbm0).write(8_000, &mut samples);
            let measured = level(rms(&samples) * 2_f64.sqrt());
            assert!((measured - dbm0).abs() < 0.05, "{measured} for {dbm0}");
        }
    }

    #[test]
    fn after_minutes_a_sine_has_the_same_level_and_phase() {
        let (hz, samples) = (1_020.0, 200 * 8_000);
        let mut sine = Tone::part(hz, 0.0);
        for _ in 0..samples {
            sine.next();
        }
        // Whole periods in whole seconds.
        let (length, phase) = (sine.re.hypot(sine.im), sine.im.atan2(sine.re));
        assert!((length / peak(0.0) - 1.0).abs() < 1e-9 && phase.abs() < 1e-9, "{length} {phase}");
    }

    #[test]
    fn a_pair_too_loud_for_16_bits_is_clipped_and_not_wrapped() {
        let mut samples = Vec::new();
        Tone::pair((697.0, 0.0), (1209.0, 0.0)).write(800, &mut samples);
        assert_eq!(samples.iter().max(), Some(&i16::MAX));
        assert!(samples.windows(2).all(|w| (i32::from(w[1]) - i32::from(w[0])).abs() < 50_000));
    }
}
