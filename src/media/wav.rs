//! WAV files as telephone audio: mono, 8,000 samples a second.
//!
//! ```no_run
//! use ringback::media::dtmf_detector::DtmfDetector;
//! use ringback::media::wav;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // 48 kHz, stereo: whatever the recorder gave.
//! let samples = wav::read(std::fs::File::open("recorded.wav")?)?;
//! let (mut detector, mut heard) = (DtmfDetector::new(), Vec::new());
//! detector.feed(&samples, &mut heard);
//! detector.finish(&mut heard);
//! # Ok(())
//! # }
//! ```

use super::stream::MAX_SAMPLES;
use super::tone::RATE_HZ;
use hound::{SampleFormat, WavReader};
use std::f64::consts::PI;
use std::io::Read;

/// Rates that are converted, in Hz; beyond, it is no speech.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// The longest sound that is read, in seconds.
pub const MAX_SECONDS: u32 = MAX_SAMPLES as u32 / RATE_HZ;

const CONVERT: &str = "convert it: ffmpeg -i IN -ar 8000 -ac 1 -c:a pcm_s16le OUT.wav";

/// Why a WAV file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The reader failed, or ended in the middle.
    #[error("it cannot be read to its end: {0}")]
    Read(String),
    /// It holds no PCM and no float samples.
    #[error("this kind of WAV (compressed?) cannot be read; {CONVERT}")]
    Unsupported,
    /// It is none.
    #[error("it is no WAV file ({0}); {CONVERT}")]
    NotWav(String),
    /// Its rate is outside of [`RATES_HZ`], or it has no channel.
    #[error("{channels} channels at {rate_hz} Hz are no speech; {CONVERT}")]
    NotSpeech {
        /// Its channels.
        channels: u16,
        /// Its samples in a second.
        rate_hz: u32,
    },
    /// It is longer than [`MAX_SECONDS`].
    #[error("it is {seconds} s long; {MAX_SECONDS} s are the limit: cut it")]
    TooLong {
        /// Its length.
        seconds: u32,
    },
    /// It has no samples.
    #[error("there is no sound in it")]
    Empty,
}

/// The sound of a WAV file: mono, 8,000 samples a second. Any PCM (8, 16, 24, 32 bits) and float, any number of channels (they are mixed)
/// and rates from 4 to 192 kHz are converted.
///
/// # Errors
/// Why it cannot be read, and how to convert it.
pub fn read(reader: impl Read) -> Result<Vec<i16>, WavError> {
    let reader = WavReader::new(std::io::BufReader::new(reader)).map_err(|error| match error {
        hound::Error::IoError(error) => WavError::Read(error.to_string()),
        hound::Error::Unsupported => WavError::Unsupported,
        other => WavError::NotWav(other.to_string()),
    })?;
    let spec = reader.spec();
    if !RATES_HZ.contains(&spec.sample_rate) || spec.channels == 0 {
        return Err(WavError::NotSpeech { channels: spec.channels, rate_hz: spec.sample_rate });
    }
    if reader.duration() > MAX_SECONDS * spec.sample_rate {
        return Err(WavError::TooLong { seconds: reader.duration() / spec.sample_rate });
    }
    let mono = mono(reader).map_err(|error| WavError::Read(error.to_string()))?;
    if mono.is_empty() {
        return Err(WavError::Empty);
    }
    let mut samples: Vec<i16> =
        resample(&mono, spec.sample_rate).iter().map(|sample| (sample * 32_767.0) as i16).collect();
    samples.truncate(MAX_SAMPLES);
    Ok(samples)
}

/// All channels together, -1 to 1.
fn mono<R: Read>(mut reader: WavReader<R>) -> Result<Vec<f32>, hound::Error> {
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    let mut mono = Vec::with_capacity(reader.duration() as usize);
    let (mut sum, mut seen) = (0.0, 0);
    let mut take = |sample: f32| {
        sum += sample;
        seen += 1;
        if seen == channels {
            mono.push(sum / channels as f32);
            (sum, seen) = (0.0, 0);
        }
    };
    match spec.sample_format {
        SampleFormat::Float => {
            for sample in reader.samples::<f32>() {
                let sample = sample?;
                take(if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 });
            }
        }
        SampleFormat::Int => {
            let scale = 1.0 / (1_u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            for sample in reader.samples::<i32>() {
                take(sample? as f32 * scale);
            }
        }
    }
    Ok(mono)
}

/// Zero crossings of the filter to each side.
const CROSSINGS: usize = 32;
/// Points of the table between two of them.
const POINTS: usize = 512;
/// Where the filter begins to close, as a part of half the lower rate: what is above 4 kHz must not come back as something else.
const OPEN: f64 = 0.925;
/// Of the Kaiser window: some 80 dB.
const BETA: f64 = 8.0;

/// To 8,000 samples a second, by a sinc under a Kaiser window.
fn resample(samples: &[f32], rate_hz: u32) -> Vec<f32> {
    if rate_hz == RATE_HZ {
        return samples.to_vec();
    }
    let kernel: Vec<f64> = (0..=CROSSINGS * POINTS + 1).map(|i| kernel(i as f64 / POINTS as f64)).collect();
    let step = f64::from(rate_hz) / f64::from(RATE_HZ);
    // Cycles in a sample of the input, twice: zero crossings of the sinc in one.
    let crossings = OPEN * (1.0 / step).min(1.0);
    let reach = CROSSINGS as f64 / crossings;
    let length = (samples.len() as f64 / step).ceil() as usize;
    let at = |out: usize| {
        let centre = out as f64 * step;
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = ((centre + reach).floor() as usize).min(samples.len().saturating_sub(1));
        let sum: f64 = samples
            .get(first..=last)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(|(i, sample)| {
                let place = ((first + i) as f64 - centre).abs() * crossings * POINTS as f64;
                let (index, part) = (place as usize, place.fract());
                let here = kernel.get(index).copied().unwrap_or(0.0);
                let next = kernel.get(index + 1).copied().unwrap_or(0.0);
                f64::from(*sample) * (here + (next - here) * part)
            })
            .sum();
        (sum * crossings).clamp(-1.0, 1.0) as f32
    };
    (0..length).map(at).collect()
}

/// The filter at this number of zero crossings from its middle.
fn kernel(x: f64) -> f64 {
    let part = x / CROSSINGS as f64;
    if part >= 1.0 {
        return 0.0;
    }
    let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    sinc * bessel(BETA * (1.0 - part * part).sqrt()) / bessel(BETA)
}

/// The modified Bessel function of the first kind of order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..50 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hound::{WavSpec, WavWriter};
    use std::io::Cursor;

    fn wave(hz: f64, rate_hz: u32, seconds: f64) -> impl Iterator<Item = f64> {
        let rate = f64::from(rate_hz);
        (0..(rate * seconds) as u32).map(move |n| 0.5 * (2.0 * PI * hz * f64::from(n) / rate).sin())
    }

    fn written(spec: WavSpec, samples: impl Iterator<Item = f64>) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for sample in samples {
            for channel in 0..spec.channels {
                // Only the first channel speaks.
                let sample = if channel == 0 { sample } else { 0.0 };
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
                    SampleFormat::Int => {
                        let scale = ((1_i64 << (spec.bits_per_sample - 1)) - 1) as f64;
                        writer.write_sample((sample * scale) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn spec(sample_rate: u32, bits_per_sample: u16, sample_format: SampleFormat, channels: u16) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    /// The peak of a sine of this frequency, as a part of full scale.
    fn peak(samples: &[i16], hz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        let middle = &samples[400..samples.len() - 400];
        for (n, sample) in middle.iter().enumerate() {
            let angle = 2.0 * PI * hz * n as f64 / 8_000.0;
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        (re * re + im * im).sqrt() * 2.0 / middle.len() as f64 / 32_767.0
    }

    #[test]
    fn every_form_of_samples_is_read_and_keeps_its_level() {
        for (spec, level) in [
            (spec(8_000, 16, SampleFormat::Int, 1), 0.5),
            (spec(8_000, 8, SampleFormat::Int, 1), 0.5),
            (spec(16_000, 24, SampleFormat::Int, 1), 0.5),
            (spec(44_100, 32, SampleFormat::Int, 1), 0.5),
            (spec(48_000, 32, SampleFormat::Float, 2), 0.25),
            (spec(22_050, 16, SampleFormat::Int, 2), 0.25),
            (spec(6_000, 16, SampleFormat::Int, 1), 0.5),
        ] {
            let file = written(spec, wave(1_000.0, spec.sample_rate, 0.5));
            let samples = read(&*file).unwrap();
            assert!(samples.len().abs_diff(4_000) <= 1, "{spec:?}: {}", samples.len());
            let seen = peak(&samples, 1_000.0);
            assert!((seen / level - 1.0).abs() < 0.03, "{spec:?}: {seen}");
        }
    }

    #[test]
    fn what_is_too_high_for_a_telephone_is_left_out_and_does_not_come_back() {
        for (rate, hz) in [(44_100, 5_000.0), (48_000, 7_500.0), (16_000, 6_000.0), (44_100, 15_000.0)] {
            let file = written(spec(rate, 16, SampleFormat::Int, 1), wave(hz, rate, 0.5));
            let samples = read(&*file).unwrap();
            let loudest = samples[400..samples.len() - 400].iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!(loudest < 20, "{rate} Hz: {hz} Hz comes back with {loudest} of 16,383");
        }
        let file = written(spec(44_100, 16, SampleFormat::Int, 1), wave(3_300.0, 44_100, 0.5));
        assert!(peak(&read(&*file).unwrap(), 3_300.0) > 0.49, "speech up to 3.3 kHz stays");
    }

    #[test]
    fn what_cannot_be_played_is_said() {
        let text = b"this is no sound, but it is long enough for a header".to_vec();
        let empty = written(spec(8_000, 16, SampleFormat::Int, 1), std::iter::empty());
        let long = written(spec(4_000, 8, SampleFormat::Int, 1), std::iter::repeat_n(0.0, 4_000 * 601));
        let fast = written(spec(384_000, 16, SampleFormat::Int, 1), std::iter::repeat_n(0.0, 10));
        let mut cut = written(spec(8_000, 16, SampleFormat::Int, 1), wave(1_000.0, 8_000, 0.1));
        cut.truncate(300);
        for (file, why) in [
            (text, "no WAV file"),
            (empty, "no sound"),
            (long, "it is 601 s long; 600 s are the limit"),
            (fast, "1 channels at 384000 Hz are no speech"),
            (cut, "cannot be read to its end"),
        ] {
            let error = read(&*file).unwrap_err().to_string();
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn digits_are_heard_in_what_a_recorder_gave() {
        use crate::media::dtmf_detector::DtmfDetector;
        let pair = |n: u32| {
            let t = f64::from(n) / 48_000.0;
            let digit = (2.0 * PI * 770.0 * t).sin() + (2.0 * PI * 1_336.0 * t).sin();
            if n < 4_800 { 0.25 * digit } else { 0.0 }
        };
        let file = written(spec(48_000, 24, SampleFormat::Int, 2), (0..9_600).map(pair));
        let (mut detector, mut heard) = (DtmfDetector::new(), Vec::new());
        detector.feed(&read(&*file).unwrap(), &mut heard);
        detector.finish(&mut heard);
        let digits: String = heard.iter().map(|one| one.digit.character()).collect();
        assert_eq!(digits, "5");
    }
}
