//! A bank of Goertzel filters: how much of each of `N` frequencies is in a block of samples, and with which phase.
use crate::media::tone::RATE_HZ;
use std::f64::consts::TAU;

/// A complex amplitude.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Phasor {
    /// The real part.
    pub re: f32,
    /// The imaginary part.
    pub im: f32,
}

impl Phasor {
    /// Its length, squared.
    pub fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
    /// Its length.
    pub fn length(self) -> f32 {
        self.power().sqrt()
    }
    /// Product with the conjugate of `other`: its angle is the angle from `other` to `self`.
    pub fn times_conjugate(self, other: Phasor) -> Phasor {
        Phasor { re: self.re * other.re + self.im * other.im, im: self.im * other.re - self.re * other.im }
    }
    /// The angle, -pi to pi.
    pub fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }
    /// The product.
    pub fn times(self, other: Phasor) -> Phasor {
        Phasor { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
    /// The sum with `factor` times `other`.
    pub fn plus(self, other: Phasor, factor: f32) -> Phasor {
        Phasor { re: self.re + factor * other.re, im: self.im + factor * other.im }
    }
}

/// Filters for `N` frequencies at 8,000 samples per second, run over blocks of samples.
///
/// The filters are lanes of one array, so that the compiler makes them one vector.
#[derive(Debug, Clone)]
pub struct Bank<const N: usize> {
    coefficients: [f32; N],
    /// e^(-jw) of each frequency.
    turns: [Phasor; N],
}

impl<const N: usize> Bank<N> {
    /// A bank for these frequencies in Hz.
    pub fn new(hz: [f32; N]) -> Bank<N> {
        let angle = |hz: f32| TAU * f64::from(hz) / f64::from(RATE_HZ);
        Bank {
            coefficients: hz.map(|hz| (2.0 * angle(hz).cos()) as f32),
            turns: hz.map(|hz| Phasor { re: angle(hz).cos() as f32, im: -(angle(hz).sin() as f32) }),
        }
    }
    /// The sum over the block of x\[n\] e^(-jwn) for each frequency, with n = 0 at the *last* sample, and the sum of the squares of x.
    ///
    /// A sine of peak P in a block of L samples gives about P L / 2. Blocks of up to some thousand samples keep their precision.
    pub fn block(&self, samples: &[i16]) -> ([Phasor; N], f32) {
        let (mut s1, mut s2, mut energy) = ([0_f32; N], [0_f32; N], 0_f32);
        let (fours, rest) = samples.as_chunks::<4>();
        // Four steps at once, in a loop without an iterator: what listens to every call costs a fifth of the time in a debug build.
        for four in fours {
            let x = [f32::from(four[0]), f32::from(four[1]), f32::from(four[2]), f32::from(four[3])];
            energy += x[0] * x[0];
            energy += x[1] * x[1];
            energy += x[2] * x[2];
            energy += x[3] * x[3];
            let mut lane = 0;
            while lane < N {
                let (coefficient, one, two) = (self.coefficients[lane], s1[lane], s2[lane]);
                let two = x[0] + coefficient * one - two;
                let one = x[1] + coefficient * two - one;
                let two = x[2] + coefficient * one - two;
                s1[lane] = x[3] + coefficient * two - one;
                s2[lane] = two;
                lane += 1;
            }
        }
        for &sample in rest {
            let x = f32::from(sample);
            energy += x * x;
            for lane in 0..N {
                let s0 = x + self.coefficients[lane] * s1[lane] - s2[lane];
                s2[lane] = s1[lane];
                s1[lane] = s0;
            }
        }
        let mut phasors = [Phasor::default(); N];
        for lane in 0..N {
            phasors[lane] =
                Phasor { re: s1[lane] - s2[lane] * self.turns[lane].re, im: -s2[lane] * self.turns[lane].im };
        }
        (phasors, energy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::{Tone, peak};

    #[test]
    fn a_sine_is_found_in_its_own_filter_with_its_own_peak() {
        let bank = Bank::new([500.0, 1_000.0, 1_500.0, 3_000.0]);
        let mut samples = Vec::new();
        Tone::sine(1_000.0, -10.0).write(400, &mut samples);
        let (phasors, energy) = bank.block(&samples);
        let peaks = phasors.map(|p| f64::from(p.length()) * 2.0 / 400.0);
        assert!((peaks[1] / peak(-10.0) - 1.0).abs() < 0.001, "{peaks:?}");
        assert!(peaks.iter().enumerate().all(|(i, p)| i == 1 || *p < 10.0), "{peaks:?}");
        assert!((f64::from(energy) / (peak(-10.0).powi(2) * 200.0) - 1.0).abs() < 0.001);
    }

    #[test]
    fn the_phase_turns_with_the_frequency_from_block_to_block() {
        // 10 Hz above the filter: 10 Hz * 5 ms = 0.05 turns beyond the filter's own 1,000 Hz * 5 ms = 5 whole turns.
        let bank = Bank::new([1_000.0]);
        let mut tone = Tone::sine(1_010.0, -10.0);
        let mut block = || {
            let mut samples = Vec::new();
            tone.write(40, &mut samples);
            bank.block(&samples).0[0]
        };
        let (first, second) = (block(), block());
        let turns = second.times_conjugate(first).angle() / std::f32::consts::TAU;
        assert!((turns - 0.05).abs() < 0.01, "{turns}");
    }
}
