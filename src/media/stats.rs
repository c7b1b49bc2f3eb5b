//! What is seen of a received stream: loss, order, duplicates, jitter, gaps, changes of source (RFC 3550 sec. 6.4.1, A.1, A.3, A.8).
use crate::media::rtcp::ReportBlock;
use crate::media::rtp::Packet;
use std::time::{Duration, Instant};

/// A forward jump of more than this is a restart or a stray packet, not loss (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;
/// Packets so far behind may still be late ones (RFC 3550 A.1, MAX_MISORDER).
const MAX_MISORDER: u16 = 100;
/// Silence on the wire of more than this is a gap.
pub const GAP: Duration = Duration::from_millis(200);
/// How far the measured clock rate may be off the negotiated one, in percent, before it is called another.
const RATE_TOLERANCE_PERCENT: u64 = 20;
/// The clock rate is measured over at least this time.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// What kind of step in the sequence a packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The first of a source.
    First,
    /// The next one, with this number missing before it.
    Next {
        /// Packets missing between the highest before and this one.
        missing: u16,
    },
    /// Later than one that was sent after it.
    Late,
    /// Seen before.
    Duplicate,
    /// Too far off to be either; taken as a restart when the next one follows it.
    Stray,
}

/// Stalls, and moments of jumps, that are kept; later ones are not.
pub const MAX_STALLS: usize = 32;

/// A time without a packet in a stream of which nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// When the packet before it came.
    pub from: Instant,
    /// When the packet behind it came.
    pub to: Instant,
}

impl Stall {
    /// How long nothing came.
    pub fn time(&self) -> Duration {
        self.to.saturating_duration_since(self.from)
    }
}

/// Statistics of everything that came for one stream. All counts are since the beginning, over all sources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Packets received, duplicates included.
    pub received: u64,
    /// Packets that should have come, by the sequence numbers.
    pub expected: u64,
    /// Expected and not received.
    pub lost: u64,
    /// Received after one with a higher number.
    pub reordered: u64,
    /// Received again.
    pub duplicates: u64,
    /// Interarrival jitter at the end (RFC 3550 A.8).
    pub jitter: Duration,
    /// The greatest it ever was.
    pub max_jitter: Duration,
    /// Silences on the wire longer than [`GAP`].
    pub gaps: u32,
    /// The longest time between two packets.
    pub longest_gap: Duration,
    /// Changes of the synchronisation source.
    pub ssrc_changes: u32,
    /// Jumps of the sequence within one source.
    pub sequence_jumps: u32,
    /// Jumps of the timestamp by more than the time that passed and [`GAP`], without a marker (failure H08). Not what came late, and whose
    /// numbers go on.
    pub timestamp_jumps: u32,
    /// When those packets came, in order, at most [`MAX_STALLS`].
    pub jumped_at: Vec<Instant>,
    /// Times without a packet after which the next one went on in number and timestamp as if none had passed: it was held up on the way, or its
    /// sender paused. In order, at most [`MAX_STALLS`].
    pub stalls: Vec<Stall>,
    /// Packets with the number of the one before, and another timestamp: no repetitions of it.
    pub same_numbers: u64,
    /// Packets of voice with the timestamp of the one before.
    pub same_timestamps: u64,
    /// The media clock as it was measured in Hz, when more than a second was heard.
    pub clock_rate_hz: Option<u32>,
    /// When the first packet came, and the last.
    pub first_and_last: Option<(Instant, Instant)>,
    /// The last source.
    pub ssrc: Option<u32>,
}

impl Summary {
    /// The part lost of what was expected, 0 to 1.
    pub fn loss(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.lost as f64 / self.expected as f64 }
    }
    /// What came after this earlier summary of the same stream: all that is counted; the rest is as it is now, and the longest gap only where it
    /// is a later one.
    #[must_use]
    pub fn since(&self, before: &Summary) -> Summary {
        let is_later = self.longest_gap > before.longest_gap;
        Summary {
            received: self.received.saturating_sub(before.received),
            expected: self.expected.saturating_sub(before.expected),
            lost: self.lost.saturating_sub(before.lost),
            reordered: self.reordered.saturating_sub(before.reordered),
            duplicates: self.duplicates.saturating_sub(before.duplicates),
            gaps: self.gaps.saturating_sub(before.gaps),
            longest_gap: if is_later { self.longest_gap } else { Duration::ZERO },
            ssrc_changes: self.ssrc_changes.saturating_sub(before.ssrc_changes),
            sequence_jumps: self.sequence_jumps.saturating_sub(before.sequence_jumps),
            timestamp_jumps: self.timestamp_jumps.saturating_sub(before.timestamp_jumps),
            same_numbers: self.same_numbers.saturating_sub(before.same_numbers),
            same_timestamps: self.same_timestamps.saturating_sub(before.same_timestamps),
            ..self.clone()
        }
    }
    /// Whether the measured clock is not the one that was agreed on (more than 20 % off).
    pub fn wrong_clock_rate(&self, agreed_hz: u32) -> bool {
        self.clock_rate_hz.is_some_and(|hz| {
            u64::from(hz.abs_diff(agreed_hz)) * 100 > u64::from(agreed_hz) * RATE_TOLERANCE_PERCENT
        })
    }
}

/// One source's state (RFC 3550 A.1).
#[derive(Debug, Clone)]
struct Source {
    ssrc: u32,
    base: u32,
    /// Highest sequence number and its cycles.
    highest: u32,
    received: u32,
    /// The 64 numbers up to the highest: bit 0 is the highest.
    seen: u64,
    bad: Option<u16>,
    expected_before: u32,
    received_before: u32,
}

impl Source {
    fn new(ssrc: u32, sequence: u16) -> Source {
        let sequence = u32::from(sequence);
        Source {
            ssrc,
            base: sequence,
            highest: sequence,
            received: 1,
            seen: 1,
            bad: None,
            expected_before: 0,
            received_before: 0,
        }
    }
    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    timestamp: u32,
}

/// Receive statistics of one stream; feed it every packet with its time of arrival.
#[derive(Debug, Clone)]
pub struct Statistics {
    clock_hz: u32,
    source: Option<Source>,
    /// Expected and received of sources before this one.
    settled: (u64, u64),
    unique: u64,
    summary: Summary,
    jitter_16: u64,
    max_jitter_16: u64,
    last: Option<Moment>,
    /// Units of the timestamp between the last two packets that followed each other.
    step: Option<u32>,
    rate_from: Option<Moment>,
    /// The next packet is the first of a new window.
    is_fresh: bool,
}

impl Statistics {
    /// Statistics of a stream with this clock (8,000 for G.711).
    pub fn new(clock_hz: u32) -> Statistics {
        Statistics {
            clock_hz: clock_hz.max(1),
            source: None,
            settled: (0, 0),
            unique: 0,
            summary: Summary::default(),
            jitter_16: 0,
            max_jitter_16: 0,
            last: None,
            step: None,
            rate_from: None,
            is_fresh: false,
        }
    }
    /// Begins a new window: what lies between the last packet and the next one, and was never meant for us (a hold, another path), is no
    /// loss, no gap and no jump.
    pub fn begin_window(&mut self) {
        self.is_fresh = true;
    }
    /// Takes a packet. `steady` says whether its timestamp tells when it was sent: not so for telephone events, which keep theirs.
    pub fn receive(&mut self, now: Instant, packet: &Packet<'_>, steady: bool) -> Arrival {
        self.summary.received += 1;
        let is_fresh = std::mem::take(&mut self.is_fresh);
        if let Some((_, last)) = self.summary.first_and_last.filter(|_| !is_fresh) {
            let gap = now.saturating_duration_since(last);
            self.summary.longest_gap = self.summary.longest_gap.max(gap);
            self.summary.gaps += u32::from(gap > GAP);
        }
        let before = self.summary.first_and_last.map(|(_, last)| last);
        let first = self.summary.first_and_last.map_or(now, |(first, _)| first);
        self.summary.first_and_last = Some((first, now));
        let arrival = self.step(packet);
        if is_fresh && let (Arrival::Next { missing }, Some(source)) = (arrival, self.source.as_mut()) {
            source.base = source.base.wrapping_add(u32::from(missing));
        }
        if is_fresh || matches!(arrival, Arrival::First) {
            (self.last, self.rate_from) = (None, None);
        }
        // A repetition is the same to its timestamp.
        let of_last = self.last.is_some_and(|last| last.timestamp != packet.timestamp);
        let is_last =
            self.source.as_ref().is_some_and(|source| source.highest as u16 == packet.sequence_number);
        self.summary.same_numbers += u64::from(steady && arrival == Arrival::Duplicate && is_last && of_last);
        if !matches!(arrival, Arrival::Duplicate | Arrival::Stray) {
            self.unique += 1;
            if steady {
                self.time(now, packet, arrival, before.unwrap_or(now));
            }
        }
        arrival
    }
    fn step(&mut self, packet: &Packet<'_>) -> Arrival {
        let sequence = packet.sequence_number;
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == packet.ssrc) else {
            if let Some(old) = self.source.replace(Source::new(packet.ssrc, sequence)) {
                self.summary.ssrc_changes += 1;
                self.settle(&old);
            }
            self.summary.ssrc = Some(packet.ssrc);
            return Arrival::First;
        };
        let ahead = sequence.wrapping_sub(source.highest as u16);
        if ahead != 0 && ahead < MAX_DROPOUT {
            source.highest = source.highest.wrapping_add(u32::from(ahead));
            source.seen = source.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            source.received += 1;
            source.bad = None;
            return Arrival::Next { missing: ahead - 1 };
        }
        let behind = ahead.wrapping_neg();
        if behind <= MAX_MISORDER {
            // One before the first that came: it was sent before, so the count begins there.
            let extended = source.highest.wrapping_sub(u32::from(behind));
            if extended.wrapping_sub(source.base) > u32::MAX / 2 {
                source.base = extended;
            }
            let bit = 1_u64.checked_shl(u32::from(behind)).unwrap_or(0);
            if source.seen & bit != 0 {
                self.summary.duplicates += 1;
                return Arrival::Duplicate;
            }
            source.seen |= bit;
            source.received += 1;
            self.summary.reordered += 1;
            return Arrival::Late;
        }
        if source.bad == Some(sequence) {
            let old = std::mem::replace(source, Source::new(packet.ssrc, sequence));
            self.settle(&old);
            self.summary.sequence_jumps += 1;
            return Arrival::First;
        }
        source.bad = Some(sequence.wrapping_add(1));
        Arrival::Stray
    }
    fn settle(&mut self, old: &Source) {
        self.settled.0 += u64::from(old.expected());
        self.settled.1 += u64::from(old.received.min(old.expected()));
    }
    /// Jitter, jumps of the timestamp, stalls and the clock rate; the packet before, of whatever kind, came at `before`.
    fn time(&mut self, now: Instant, packet: &Packet<'_>, arrival: Arrival, before: Instant) {
        let here = Moment { at: now, timestamp: packet.timestamp };
        if let Some(last) = self.last {
            let passed = self.units(now.saturating_duration_since(last.at));
            let stepped = i64::from(packet.timestamp.wrapping_sub(last.timestamp) as i32);
            let difference = (passed - stepped).unsigned_abs();
            if difference > self.units(GAP).unsigned_abs() && arrival != Arrival::Late {
                // The talkspurt after a silence begins with a marker; its timestamp still follows the clock.
                // What waited on the way and came in a burst goes on in its numbers, as it was sent.
                let is_held_up = matches!(arrival, Arrival::Next { missing } if self.step.is_some_and(|step| {
                    i64::from(step) * (i64::from(missing) + 1) == stepped
                }));
                let stall = Stall { from: before, to: now };
                if is_held_up && stall.time() > GAP && self.summary.stalls.len() < MAX_STALLS {
                    self.summary.stalls.push(stall);
                }
                if !packet.marker && !is_held_up {
                    self.summary.timestamp_jumps += 1;
                    if self.summary.jumped_at.len() < MAX_STALLS {
                        self.summary.jumped_at.push(now);
                    }
                }
                self.rate_from = None;
            } else {
                // J += (|D| - J) / 16, kept sixteenfold (RFC 3550 A.8).
                self.jitter_16 = self.jitter_16 + difference - (self.jitter_16 + 8) / 16;
                self.max_jitter_16 = self.max_jitter_16.max(self.jitter_16);
            }
        }
        if arrival != Arrival::Late {
            let is_same = self.last.is_some_and(|last| last.timestamp == packet.timestamp);
            self.summary.same_timestamps += u64::from(is_same);
            let stepped = self.last.map(|last| packet.timestamp.wrapping_sub(last.timestamp));
            if arrival == (Arrival::Next { missing: 0 }) {
                self.step = stepped.filter(|step| (1..self.clock_hz).contains(step)).or(self.step);
            }
            self.last = Some(here);
            let from = *self.rate_from.get_or_insert(here);
            let passed = now.saturating_duration_since(from.at);
            let stepped = packet.timestamp.wrapping_sub(from.timestamp);
            if passed >= RATE_WINDOW && stepped < u32::MAX / 2 {
                self.summary.clock_rate_hz = Some((f64::from(stepped) / passed.as_secs_f64()) as u32);
            }
        }
    }
    fn units(&self, time: Duration) -> i64 {
        i64::try_from(time.as_nanos() * u128::from(self.clock_hz) / 1_000_000_000).unwrap_or(i64::MAX / 4)
    }
    fn as_time(&self, sixteenths: u64) -> Duration {
        Duration::from_nanos(sixteenths.saturating_mul(1_000_000_000 / 16) / u64::from(self.clock_hz))
    }
    /// The statistics until now.
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary.clone();
        let (expected, received) =
            self.source.as_ref().map_or((0, 0), |s| (s.expected(), s.received.min(s.expected())));
        summary.expected = self.settled.0 + u64::from(expected);
        summary.lost = summary.expected - self.settled.1 - u64::from(received);
        summary.jitter = self.as_time(self.jitter_16);
        summary.max_jitter = self.as_time(self.max_jitter_16);
        summary
    }
    /// The report block on the present source, `None` before the first packet. Counts the fraction lost since the last call (RFC 3550 A.3).
    ///
    /// `last_sender_report`: the middle 32 bits of its NTP timestamp, and how long ago it came.
    pub fn report_block(&mut self, last_sender_report: Option<(u32, Duration)>) -> Option<ReportBlock> {
        let jitter = u32::try_from(self.jitter_16 >> 4).unwrap_or(u32::MAX);
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let expected_since = expected.wrapping_sub(source.expected_before);
        let received_since = source.received.wrapping_sub(source.received_before);
        (source.expected_before, source.received_before) = (expected, source.received);
        let lost_since = i64::from(expected_since) - i64::from(received_since);
        let fraction = if expected_since == 0 || lost_since <= 0 {
            0
        } else {
            lost_since * 256 / i64::from(expected_since)
        };
        let delay = |d: Duration| u32::try_from(d.as_nanos() * 65_536 / 1_000_000_000).unwrap_or(u32::MAX);
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: fraction.clamp(0, 255) as u8,
            cumulative_lost: (i64::from(expected) - i64::from(source.received)).clamp(-0x80_0000, 0x7f_ffff)
                as i32,
            extended_highest_sequence: source.highest,
            jitter,
            last_sender_report: last_sender_report.map_or(0, |(middle, _)| middle),
            delay_since_last_sender_report: last_sender_report.map_or(0, |(_, ago)| delay(ago)),
        })
    }
}

/// What both ends together say of a call's audio (failures N12, H12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Packets came both ways.
    BothWays,
    /// Only from the first to the second.
    OnlyForth,
    /// Only from the second to the first.
    OnlyBack,
    /// Neither way.
    None,
}

impl Direction {
    /// Judges from the packets that each end received.
    pub fn of(received_by_first: u64, received_by_second: u64) -> Direction {
        match (received_by_second > 0, received_by_first > 0) {
            (true, true) => Direction::BothWays,
            (true, false) => Direction::OnlyForth,
            (false, true) => Direction::OnlyBack,
            (false, false) => Direction::None,
        }
    }
}

#[cfg(test)]
mod tests;
