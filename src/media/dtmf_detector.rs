//! In-band DTMF found in 8,000 samples per second, with the tolerances of ITU-T Q.24.
//!
//! Eight Goertzel filters run over blocks of 5 ms; four blocks make a window of 20 ms (weights 1, 3, 3, 1: nearly a Hann window, so that
//! one tone does not hide in the other's side lobes). A window is a hit when its strongest low and high tone together hold nearly all
//! of its energy and differ by no more than the twist. How far a tone is off its frequency is read from the phase that turns from window
//! to window, which tells 1.5 % from 3.5 % where the window's own resolution could not; how long it lasted from the amplitude of each block.
//!
//! | property | here | ITU-T Q.24, annex A |
//! |---|---|---|
//! | accepted / refused frequency | within 2.5 % / beyond | must accept 1.5 %, must refuse 3.5 % |
//! | accepted duration | from 31.5 ms | must accept 40 ms, must refuse 23 ms |
//! | pause that parts two digits | from 28 ms | must see 40 ms, must bridge 10 ms |
//! | level of each tone | from -42 dBm0 | 0 to -25 dBm0 (here asked: -30) |
//! | high tone stronger / weaker | up to 6 dB / 10 dB | 4 dB / 8 dB |
//!
//! A lost packet is told with [`DtmfDetector::lost`]: what is not known neither ends a digit nor makes one longer.

use crate::media::digit::{Digit, HIGH_GROUP_HZ, LOW_GROUP_HZ};
use crate::media::goertzel::{Bank, Phasor};
use crate::media::tone::{RATE_HZ, level, peak};
use std::collections::VecDeque;
use std::f32::consts::{PI, TAU};

/// Samples in a block: 5 ms.
const BLOCK: usize = 40;
/// Weights of a window's four blocks, their sum and the sum of their squares.
const WEIGHTS: [f32; 4] = [1.0, 3.0, 3.0, 1.0];
const WEIGHT_SUM: f32 = 8.0;
const WEIGHT_SQUARES: f32 = 20.0;
/// Blocks looked back at when a digit begins: its first block was there before the first window that hit.
const HISTORY: usize = 6;

/// The least level of each tone.
const LEAST_DBM0: f64 = -42.0;
/// The least part of a window's energy that lies in the two tones.
const LEAST_PART: f32 = 0.80;
/// How much stronger, in power, the high tone may be (6 dB), and the low one (10 dB).
const HIGH_OVER_LOW: f32 = 3.98;
const LOW_OVER_HIGH: f32 = 10.0;
/// Frequency off by more than this part is refused.
const FREQUENCY_TOLERANCE: f32 = 0.025;
/// The shortest digit, in blocks (31.5 ms).
const SHORTEST: f32 = 6.3;
/// The pause that ends a digit, in blocks (28 ms).
const PAUSE: f32 = 5.6;
/// Windows in a row without a hit that end a digit, whatever else is in the sound (60 ms).
const WITHOUT_HIT: u32 = 12;
/// Unknown blocks in a row that end a digit (80 ms: four lost packets of 20 ms).
const UNKNOWN: u32 = 16;
/// Windows that must hit; fewer where packets of the digit were lost.
const HITS: u32 = 3;
const HITS_WITH_LOSS: u32 = 2;

/// A digit that was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// Which digit.
    pub digit: Digit,
    /// Where it began, in samples since the detector did.
    pub start_sample: u64,
    /// How long its tones were on, in samples; a lost packet within it counts as tone.
    pub duration_samples: u32,
    /// Of these, the samples that were lost.
    pub lost_samples: u32,
    /// Level of the low tone in dBm0, within 1 dB.
    pub low_dbm0: f32,
    /// Level of the high tone in dBm0, within 1 dB.
    pub high_dbm0: f32,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    phasors: [Phasor; 8],
    energy: f32,
    known: bool,
}

impl Block {
    const UNKNOWN: Block = Block { phasors: [Phasor { re: 0.0, im: 0.0 }; 8], energy: 0.0, known: false };
}

/// A digit that may be going on.
#[derive(Debug, Clone)]
struct Run {
    row: usize,
    column: usize,
    /// Peaks of both tones: the greatest seen in a window, and the same before the offset in frequency is made good.
    peaks: [f32; 2],
    raw_peaks: [f32; 2],
    /// Sums over the windows of this one times the conjugate of the one before: their angles are the frequencies' offsets.
    turns: [Phasor; 2],
    start_sample: f64,
    hits: u32,
    on: f32,
    pause: f32,
    since_hit: u32,
    unknown: u32,
    lost: u32,
    lost_at_end: u32,
}

/// A window that holds the two tones of one digit and hardly anything else.
struct Hit {
    row: usize,
    column: usize,
    peaks: [f32; 2],
    raw_peaks: [f32; 2],
    turns: [Phasor; 2],
}

/// Hears digits in a stream of samples.
#[derive(Debug, Clone)]
pub struct DtmfDetector {
    bank: Bank<8>,
    hz: [f32; 8],
    /// How far each filter's reference turns in one block.
    advance: [Phasor; 8],
    least_power: f32,
    pending: [i16; BLOCK],
    pending_len: usize,
    pending_known: bool,
    history: VecDeque<Block>,
    /// The sums of the last window, when it was whole.
    window: Option<[Phasor; 8]>,
    samples: u64,
    run: Option<Run>,
}

impl Default for DtmfDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// Audio that digits are not heard in: it has to be 8,000 samples a second of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{channels} channels at {rate_hz} Hz: digits are heard in one channel at 8000 Hz; convert it first (feature `wav`)"
)]
pub struct NotTelephoneAudio {
    /// Its samples in a second.
    pub rate_hz: u32,
    /// Its channels.
    pub channels: u16,
}

impl DtmfDetector {
    /// A detector for audio of this form. It hears nothing in any form but one: better to be told than to find no digit.
    ///
    /// # Errors
    /// [`NotTelephoneAudio`] for anything but 8,000 samples a second of one channel.
    ///
    /// ```
    /// use ringback::media::dtmf_detector::DtmfDetector;
    /// assert!(DtmfDetector::for_audio(8_000, 1).is_ok());
    /// assert!(DtmfDetector::for_audio(48_000, 2).is_err());
    /// ```
    pub fn for_audio(rate_hz: u32, channels: u16) -> Result<DtmfDetector, NotTelephoneAudio> {
        match (rate_hz, channels) {
            (RATE_HZ, 1) => Ok(DtmfDetector::new()),
            _ => Err(NotTelephoneAudio { rate_hz, channels }),
        }
    }
    /// A detector that has heard nothing yet, for 8,000 samples a second of one channel; where that is not sure, ask
    /// [`DtmfDetector::for_audio`].
    pub fn new() -> DtmfDetector {
        let mut hz = [0.0; 8];
        hz[..4].copy_from_slice(&LOW_GROUP_HZ);
        hz[4..].copy_from_slice(&HIGH_GROUP_HZ);
        DtmfDetector {
            bank: Bank::new(hz),
            hz,
            advance: hz.map(|hz| {
                let angle = TAU * ((hz * BLOCK as f32 / RATE_HZ as f32) % 1.0);
                Phasor { re: angle.cos(), im: angle.sin() }
            }),
            least_power: (peak(LEAST_DBM0) as f32).powi(2),
            pending: [0; BLOCK],
            pending_len: 0,
            pending_known: true,
            history: VecDeque::with_capacity(HISTORY + 1),
            window: None,
            samples: 0,
            run: None,
        }
    }
    /// Takes samples; digits that ended are appended to `heard`.
    pub fn feed(&mut self, mut samples: &[i16], heard: &mut Vec<Heard>) {
        while !samples.is_empty() {
            if self.pending_len == 0 && samples.len() >= BLOCK {
                let (block, rest) = samples.split_at(BLOCK);
                let (phasors, energy) = self.bank.block(block);
                self.block(Block { phasors, energy, known: true }, heard);
                samples = rest;
                continue;
            }
            let taken = samples.len().min(BLOCK - self.pending_len);
            self.pending[self.pending_len..self.pending_len + taken].copy_from_slice(&samples[..taken]);
            self.pending_len += taken;
            samples = &samples[taken..];
            self.pending_full(heard);
        }
    }
    /// Takes note of samples that were lost on the way, at most a second of them.
    pub fn lost(&mut self, count: usize, heard: &mut Vec<Heard>) {
        let mut left = count.min(RATE_HZ as usize);
        while left > 0 {
            let taken = left.min(BLOCK - self.pending_len);
            self.pending[self.pending_len..self.pending_len + taken].fill(0);
            self.pending_len += taken;
            self.pending_known = false;
            left -= taken;
            self.pending_full(heard);
        }
        self.samples += count.saturating_sub(RATE_HZ as usize) as u64;
    }
    /// The stream is over: a digit that is going on ends here.
    pub fn finish(&mut self, heard: &mut Vec<Heard>) {
        self.samples += self.pending_len as u64;
        self.pending_len = 0;
        self.pending_known = true;
        self.history.clear();
        self.window = None;
        self.end(heard);
    }
    fn pending_full(&mut self, heard: &mut Vec<Heard>) {
        if self.pending_len < BLOCK {
            return;
        }
        let block = if self.pending_known {
            let (phasors, energy) = self.bank.block(&self.pending);
            Block { phasors, energy, known: true }
        } else {
            Block::UNKNOWN
        };
        self.pending_len = 0;
        self.pending_known = true;
        self.block(block, heard);
    }
    fn block(&mut self, block: Block, heard: &mut Vec<Heard>) {
        self.samples += BLOCK as u64;
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        // All blocks are kept turned to the last sample of the newest.
        for old in self.history.iter_mut().rev().take(WEIGHTS.len() - 1) {
            for (phasor, advance) in old.phasors.iter_mut().zip(&self.advance) {
                *phasor = phasor.times(*advance);
            }
        }
        self.history.push_back(block);
        let hit = self.look();
        self.follow(&block, hit, heard);
    }
    /// The newest window, if it is whole and a hit.
    fn look(&mut self) -> Option<Hit> {
        let before = self.window.take();
        let newest = self.history.len().checked_sub(WEIGHTS.len())?;
        let (mut sums, mut energy) = ([Phasor::default(); 8], 0.0);
        for (block, weight) in self.history.range(newest..).zip(WEIGHTS) {
            if !block.known {
                return None;
            }
            energy += weight * weight * block.energy;
            for (sum, phasor) in sums.iter_mut().zip(&block.phasors) {
                *sum = sum.plus(*phasor, weight);
            }
        }
        self.window = Some(sums);
        // Nothing loud enough: most of a call.
        if energy < self.least_power * (BLOCK as f32 * WEIGHT_SQUARES) * 0.5 {
            return None;
        }
        let strongest = |range: std::ops::Range<usize>| {
            range.max_by(|&a, &b| sums[a].power().total_cmp(&sums[b].power())).unwrap_or_default()
        };
        let (row, column) = (strongest(0..4), strongest(4..8));
        let mut powers = [0.0_f32; 2];
        let (mut raw_peaks, mut turns) = ([0.0_f32; 2], [Phasor::default(); 2]);
        for (tone, lane) in [row, column].into_iter().enumerate() {
            // Behind a lost packet there is no window before: then the window's later three blocks against its earlier three.
            turns[tone] = match before {
                Some(before) => sums[lane].times_conjugate(before[lane].times(self.advance[lane])),
                None => self.turn_within(newest, lane),
            };
            let offset_hz = turns[tone].angle() / TAU * (RATE_HZ as f32 / BLOCK as f32);
            // Beyond any tolerance; between 2.5 % and this the whole digit is judged.
            if offset_hz.abs() > self.hz[lane] * (FREQUENCY_TOLERANCE + 0.025) {
                return None;
            }
            raw_peaks[tone] = sums[lane].length() * 2.0 / (BLOCK as f32 * WEIGHT_SUM);
            powers[tone] = (raw_peaks[tone] / response(offset_hz)).powi(2);
        }
        let in_tones = (powers[0] + powers[1]) / 2.0 * (BLOCK as f32 * WEIGHT_SQUARES);
        let loud = powers[0] >= self.least_power && powers[1] >= self.least_power;
        let level = powers[1] <= powers[0] * HIGH_OVER_LOW && powers[0] <= powers[1] * LOW_OVER_HIGH;
        (loud && level && in_tones >= LEAST_PART * energy).then_some(Hit {
            row,
            column: column - 4,
            peaks: powers.map(f32::sqrt),
            raw_peaks,
            turns,
        })
    }
    fn turn_within(&self, newest: usize, lane: usize) -> Phasor {
        let mut halves = [Phasor::default(); 2];
        for (n, block) in self.history.range(newest..).enumerate() {
            let weights = [[1.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 1.0]];
            for (half, weights) in halves.iter_mut().zip(weights) {
                *half = half.plus(block.phasors[lane], weights.get(n).copied().unwrap_or_default());
            }
        }
        halves[1].times_conjugate(halves[0])
    }
    /// Begins, continues or ends a digit with the newest block.
    fn follow(&mut self, block: &Block, hit: Option<Hit>, heard: &mut Vec<Heard>) {
        if let (Some(run), Some(hit)) = (&self.run, &hit)
            && (run.row, run.column) != (hit.row, hit.column)
        {
            self.end(heard);
        }
        let Some(run) = &mut self.run else {
            if let Some(hit) = hit {
                self.begin(hit);
            }
            return;
        };
        if let Some(hit) = hit {
            run.hits += 1;
            run.since_hit = 0;
            for tone in 0..2 {
                run.peaks[tone] = run.peaks[tone].max(hit.peaks[tone]);
                run.raw_peaks[tone] = run.raw_peaks[tone].max(hit.raw_peaks[tone]);
                run.turns[tone] = run.turns[tone].plus(hit.turns[tone], 1.0);
            }
        } else if self.window.is_some() {
            run.since_hit += 1;
        }
        if block.known {
            run.unknown = 0;
            let on = run.part_on(block);
            if on >= 1.0 {
                // Whatever was missing before belonged to the digit only where it was lost, not where it was silent.
                run.pause = 0.0;
                run.lost_at_end = 0;
            } else {
                run.pause += 1.0 - on;
            }
            run.on += on;
        } else {
            run.unknown += 1;
            run.lost += 1;
            run.lost_at_end += 1;
        }
        if run.pause >= PAUSE || run.unknown >= UNKNOWN || run.since_hit >= WITHOUT_HIT {
            self.end(heard);
        }
    }
    fn begin(&mut self, hit: Hit) {
        let mut run = Run {
            row: hit.row,
            column: hit.column,
            peaks: hit.peaks,
            raw_peaks: hit.raw_peaks,
            turns: hit.turns,
            start_sample: 0.0,
            hits: 1,
            on: 0.0,
            pause: 0.0,
            since_hit: 0,
            unknown: 0,
            lost: 0,
            lost_at_end: 0,
        };
        for block in self.history.iter().rev() {
            let on = if block.known { run.part_on(block) } else { 0.0 };
            run.on += on;
            if on < 1.0 {
                break;
            }
        }
        run.start_sample = self.samples as f64 - f64::from(run.on) * BLOCK as f64;
        self.run = Some(run);
    }
    /// Judges the digit that is over.
    fn end(&mut self, heard: &mut Vec<Heard>) {
        let Some(run) = self.run.take() else { return };
        let lanes = [run.row, run.column + 4];
        let offsets_hz = run.turns.map(|turn| turn.angle() / TAU * (RATE_HZ as f32 / BLOCK as f32));
        let off =
            lanes.iter().zip(offsets_hz).any(|(&lane, hz)| hz.abs() > self.hz[lane] * FREQUENCY_TOLERANCE);
        let level_of =
            |tone: usize| level(f64::from(run.raw_peaks[tone] / response(offsets_hz[tone]))) as f32;
        let lost = run.lost - run.lost_at_end;
        let blocks = run.on + lost as f32;
        let hits = if lost > 0 { HITS_WITH_LOSS } else { HITS };
        if off || run.hits < hits || blocks < SHORTEST {
            return;
        }
        let Some(digit) = Digit::from_row_and_column(run.row, run.column) else { return };
        heard.push(Heard {
            digit,
            start_sample: run.start_sample.max(0.0) as u64,
            duration_samples: (blocks * BLOCK as f32).round() as u32,
            lost_samples: lost * BLOCK as u32,
            low_dbm0: level_of(0),
            high_dbm0: level_of(1),
        });
    }
}

impl Run {
    /// Which part of the block the tones were on, by their amplitude; the other tone's side lobes make it inexact, so nearly all is all.
    fn part_on(&self, block: &Block) -> f32 {
        let power = block.phasors[self.row].power() + block.phasors[self.column + 4].power();
        let full = (self.peaks[0].powi(2) + self.peaks[1].powi(2)) * (BLOCK as f32 / 2.0).powi(2);
        let part = (power / full.max(1.0)).sqrt();
        match part {
            part if part > 0.7 => 1.0,
            part if part < 0.2 => 0.0,
            part => part,
        }
    }
}

/// What a window leaves of a tone that is so far off the filter's frequency.
fn response(offset_hz: f32) -> f32 {
    let x = PI * offset_hz * BLOCK as f32 / RATE_HZ as f32;
    let block = if x.abs() < 1e-3 { 1.0 } else { x.sin() / x };
    (x.cos().powi(3) * block).max(0.2)
}

#[cfg(test)]
mod tests;
