//! Bytes that are no sound: whether payload of G.711 is spread as evenly as encrypted audio is.
//!
//! ```
//! use ringback::media::noise::Spread;
//! let mut spread = Spread::default();
//! spread.feed(&[0xd5; 8_000]);
//! assert!(!spread.is_even());
//! ```

/// Fewer bytes say nothing.
const LEAST: u32 = 4_000;
/// Chi-squared of 256 values: 255 for even chance, with a deviation of 23; speech, music and tones have thousands.
const MOST_CHI_SQUARED: f64 = 400.0;

/// Number of times that each value came.
#[derive(Debug, Clone)]
pub struct Spread {
    counts: Box<[u32; 256]>,
    total: u32,
}

impl Default for Spread {
    fn default() -> Spread {
        Spread { counts: Box::new([0; 256]), total: 0 }
    }
}

impl Spread {
    /// Counts the bytes of one payload.
    pub fn feed(&mut self, payload: &[u8]) {
        for byte in payload {
            if let Some(count) = self.counts.get_mut(usize::from(*byte)) {
                *count = count.saturating_add(1);
            }
        }
        self.total = self.total.saturating_add(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    }

    /// Does each value come as often as any other? So do encrypted bytes, and no sound.
    pub fn is_even(&self) -> bool {
        let expected = f64::from(self.total) / 256.0;
        let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
        self.total >= LEAST && self.counts.iter().map(square).sum::<f64>() < MOST_CHI_SQUARED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::g711::Law;
    use crate::media::tone::Tone;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    #[test]
    fn random_bytes_are_even_and_sound_is_not() {
        let mut dice = ChaCha8Rng::from_seed([1; 32]);
        let mut random = vec![0; 16_000];
        dice.fill_bytes(&mut random);
        let even = |bytes: &[u8]| {
            let mut spread = Spread::default();
            bytes.chunks(160).for_each(|chunk| spread.feed(chunk));
            spread.is_even()
        };
        assert!(even(&random) && !even(&random[..2_000]));
        for law in [Law::A, Law::Mu] {
            // Loud, soft, and white noise of any level.
            for level in [-3.0, -16.0, -40.0] {
                let mut tone = Tone::pair((440.0, level), (617.0, level));
                let sound: Vec<u8> = (0..16_000).map(|_| law.encode(tone.next_sample())).collect();
                assert!(!even(&sound), "{level}");
            }
            for shift in [0, 2, 6] {
                let mut sample = || {
                    let mut bytes = [0; 2];
                    dice.fill_bytes(&mut bytes);
                    i16::from_le_bytes(bytes) >> shift
                };
                let hiss: Vec<u8> = (0..16_000).map(|_| law.encode(sample())).collect();
                assert!(!even(&hiss), "{shift}");
            }
        }
    }
}
