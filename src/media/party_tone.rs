//! Who hears whom: each party of a call sends its own tone, and each end says whose tones it hears.
use crate::media::goertzel::Bank;
use crate::media::tone::{PEAK_AT_0_DBM0, RATE_HZ, Tone};
use std::time::Duration;

/// How many parties can be told apart.
pub const PARTIES: usize = 8;
/// Their tones: multiples of 20 Hz, so that a block of 50 ms holds whole periods; away from DTMF (3.5 %), from call progress tones
/// (350 to 480, 620 Hz), from fax and modem tones (1,100 and 2,100 Hz), and none the double or triple of another.
const HZ: [f32; PARTIES] = [540.0, 660.0, 1_020.0, 1_140.0, 1_740.0, 1_860.0, 2_220.0, 2_380.0];
/// The level at which they are sent: that of calm speech.
const SENT_DBM0: f64 = -16.0;
/// The least level that counts as heard, as a part of 0 dBm0: -45 dBm0.
const LEAST: f32 = 0.005_62;
/// The least part of a block's energy: several parties may be mixed.
const LEAST_PART: f32 = 0.08;
/// Samples in a block: 50 ms.
const BLOCK: usize = 400;
/// Who was heard for less than this was not heard.
pub const LEAST_HEARD: Duration = Duration::from_millis(200);
/// The same in blocks.
const LEAST_BLOCKS: u32 = 4;

/// One of the parties of a call, 0 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Party(u8);

impl Party {
    /// The party with this number; `None` from [`PARTIES`] on.
    pub fn new(number: u8) -> Option<Party> {
        (usize::from(number) < PARTIES).then_some(Party(number))
    }
    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
    /// Its tone in Hz.
    pub fn hz(self) -> f32 {
        HZ[usize::from(self.0) % PARTIES]
    }
    /// Its tone, to be sent.
    pub fn tone(self) -> Tone {
        Tone::sine(f64::from(self.hz()), SENT_DBM0)
    }
}

/// Listens for the tones of all parties at once.
#[derive(Debug, Clone)]
pub struct PartyListener {
    bank: Bank<PARTIES>,
    pending: Vec<i16>,
    blocks: [u32; PARTIES],
    now: [bool; PARTIES],
    /// Samples in whole blocks so far.
    samples: u64,
    runs: [Run; PARTIES],
}

/// A tone without a break.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    blocks: u32,
    /// The level in its first block, of which the tone may fill a part only.
    first: f32,
    /// The sample that it began with.
    began: u64,
    /// The same of the first run that counts as heard.
    heard_from: Option<u64>,
}

impl Default for PartyListener {
    fn default() -> Self {
        Self::new()
    }
}

impl PartyListener {
    /// A listener that has heard nothing.
    pub fn new() -> PartyListener {
        PartyListener {
            bank: Bank::new(HZ),
            pending: Vec::with_capacity(BLOCK),
            blocks: [0; PARTIES],
            now: [false; PARTIES],
            samples: 0,
            runs: [Run::default(); PARTIES],
        }
    }
    /// Takes samples.
    pub fn feed(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let (taken, rest) = samples.split_at(samples.len().min(BLOCK - self.pending.len()));
            self.pending.extend_from_slice(taken);
            samples = rest;
            if self.pending.len() == BLOCK {
                self.block();
                self.pending.clear();
            }
        }
    }
    fn block(&mut self) {
        let (phasors, energy) = self.bank.block(&self.pending);
        for (party, phasor) in phasors.iter().enumerate() {
            let peak = phasor.length() * 2.0 / BLOCK as f32;
            let part = peak * peak / 2.0 * BLOCK as f32 / energy.max(1.0);
            let heard = peak >= LEAST * PEAK_AT_0_DBM0 as f32 && part >= LEAST_PART;
            self.now[party] = heard;
            self.blocks[party] += u32::from(heard);
            self.runs[party].block(heard.then_some(peak), self.samples);
        }
        self.samples += BLOCK as u64;
    }
    /// For how long a party was heard so far.
    pub fn heard_for(&self, party: Party) -> Duration {
        let samples = u64::from(self.blocks[usize::from(party.0) % PARTIES]) * BLOCK as u64;
        Duration::from_micros(samples * 1_000_000 / u64::from(RATE_HZ))
    }
    /// How many of the samples taken so far came since a party was heard first; `None` while it was not heard for [`LEAST_HEARD`] without a
    /// break. Exact to some milliseconds.
    pub fn heard_ago(&self, party: Party) -> Option<u64> {
        let from = self.runs[usize::from(party.0) % PARTIES].heard_from?;
        Some((self.samples + self.pending.len() as u64).saturating_sub(from))
    }
    /// The parties heard so far, each for at least [`LEAST_HEARD`].
    pub fn heard(&self) -> impl Iterator<Item = Party> + '_ {
        (0..PARTIES as u8).map(Party).filter(|&party| self.heard_for(party) >= LEAST_HEARD)
    }
    /// Whether a party is heard now: in the last whole block of 50 ms.
    pub fn hears(&self, party: Party) -> bool {
        self.now[usize::from(party.0) % PARTIES]
    }
    /// Forgets what was heard: after a transfer the question is asked again.
    pub fn reset(&mut self) {
        *self = PartyListener::new();
    }
}

impl Run {
    /// A block that begins with this sample, and the level of the tone in it.
    fn block(&mut self, heard: Option<f32>, start: u64) {
        let Some(level) = heard else {
            self.blocks = 0;
            return;
        };
        self.blocks += 1;
        match self.blocks {
            1 => (self.first, self.began) = (level, start),
            2 => {
                // As much weaker as the first block was, so much of it was over when the tone began.
                let filled = (self.first / level).clamp(0.0, 1.0);
                self.began += ((1.0 - filled) * BLOCK as f32) as u64;
            }
            LEAST_BLOCKS => {
                self.heard_from.get_or_insert(self.began);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::digit::Digit;
    use crate::media::g711::Law;

    fn heard(samples: &[i16]) -> Vec<u8> {
        let mut listener = PartyListener::new();
        samples.chunks(160).for_each(|packet| {
            let packet: Vec<i16> = packet.iter().map(|&s| Law::A.decode(Law::A.encode(s))).collect();
            listener.feed(&packet);
        });
        listener.heard().map(Party::number).collect()
    }

    fn mixed(parties: &[u8]) -> Vec<i16> {
        let mut tones: Vec<Tone> = parties.iter().filter_map(|&p| Party::new(p)).map(Party::tone).collect();
        (0..8_000).map(|_| tones.iter_mut().map(Tone::next_sample).sum()).collect()
    }

    #[test]
    fn each_party_is_known_by_its_tone_alone_and_in_any_company() {
        for first in 0..8 {
            assert_eq!(heard(&mixed(&[first])), [first]);
            for second in first + 1..8 {
                assert_eq!(heard(&mixed(&[first, second])), [first, second]);
            }
        }
        assert_eq!(heard(&mixed(&[0, 1, 2, 3, 4, 5, 6, 7])), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(Party::new(8), None);
    }

    #[test]
    fn digits_silence_and_call_progress_tones_are_nobody() {
        for digit in Digit::all() {
            let mut samples = Vec::new();
            Tone::digit(digit).write(8_000, &mut samples);
            assert_eq!(heard(&samples), [0_u8; 0], "{digit}");
        }
        assert_eq!(heard(&[0; 8_000]), [0_u8; 0]);
        for hz in [350.0, 400.0, 425.0, 440.0, 480.0, 620.0, 1_100.0, 2_100.0] {
            let mut samples = Vec::new();
            Tone::sine(hz, -10.0).write(8_000, &mut samples);
            assert_eq!(heard(&samples), [0_u8; 0], "{hz}");
        }
    }

    #[test]
    fn a_party_heard_for_a_moment_only_was_not_heard() {
        let mut samples = mixed(&[2]);
        samples.truncate(1_200);
        samples.resize(8_000, 0);
        assert_eq!(heard(&samples), [0_u8; 0]);
    }
    #[test]
    fn the_moment_in_which_a_party_is_heard_first_is_exact_to_some_milliseconds() {
        let two = Party(2);
        for silence in [0, 130, 400, 401, 777, 8_000] {
            let mut listener = PartyListener::new();
            let mut samples = vec![0; silence];
            samples.extend(mixed(&[2]).into_iter().take(700));
            // What is heard for a moment only does not count.
            samples.splice(0..0, mixed(&[2]).into_iter().take(700).chain([0; 800]));
            samples.chunks(160).for_each(|packet| listener.feed(packet));
            assert_eq!(listener.heard_ago(two), None, "{silence}");
            listener.reset();
            let mut samples = vec![0; silence];
            samples.extend(mixed(&[2]));
            samples.chunks(160).for_each(|packet| listener.feed(packet));
            let ago = listener.heard_ago(two).unwrap();
            assert!(ago.abs_diff(8_000) <= 40, "{silence}: {ago}");
            assert_eq!(listener.heard_ago(Party(3)), None);
        }
    }
}
