//! What is known of a stream's packets around each other: numbers that did not come, when whose voice came, and who sends.

use super::source::{Holds, Source, Sources};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// Holes that are kept; the oldest go beyond this.
pub const MAX_HOLES: usize = 1_024;
/// Spans of voice that are kept; the oldest go beyond this.
pub const MAX_SPANS: usize = 64;
/// A jump of more than this is a restart of the numbers, not loss (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;
/// Packets so far behind may still be late ones.
const MAX_MISORDER: u16 = 100;

/// Sequence numbers that did not come between two packets that did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Time at which the packet before it came.
    pub from: Instant,
    /// Time at which the packet behind it came.
    pub to: Instant,
    /// Packets that are missing.
    pub missing: u16,
    /// The packet before it or the one behind it is a telephone event: whoever makes events may number them as it likes.
    pub beside_event: bool,
    first: u16,
    width: u16,
}

impl Hole {
    /// A hole in the voice.
    pub fn new(from: Instant, to: Instant, missing: u16) -> Hole {
        Hole { from, to, missing, beside_event: false, first: 0, width: missing }
    }
}

/// Voice of one source without another's in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Time at which its first packet came.
    pub from: Instant,
    /// Time at which its last packet came.
    pub to: Instant,
    /// Packets of voice.
    pub packets: u64,
}

/// The log of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoiceLog {
    /// Numbers that did not come, in order.
    pub holes: Vec<Hole>,
    /// Whose voice came when, in order.
    pub spans: Vec<Span>,
    /// Who sends, in the order of the first packets.
    pub sources: Vec<Source>,
    /// Packets that nobody was given to hear, because they came from elsewhere than the peer's.
    pub foreign_packets: u64,
    /// Our own packets that came back (RFC 3550 sec. 8.2): same source, number and content. Nobody was given them to hear.
    pub returned: u64,
    /// Packets of voice beyond twice the time that passed: nobody was given them to hear.
    pub excess: u64,
}

/// The latest number of the source whose voice comes.
#[derive(Debug, Clone, Copy)]
struct Latest {
    ssrc: u32,
    number: u16,
    at: Instant,
    is_event: bool,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    holes: VecDeque<Hole>,
    spans: VecDeque<Span>,
    pub(super) sources: Sources,
    latest: Option<Latest>,
    pub(super) returned: u64,
    pub(super) excess: u64,
}

impl Log {
    pub(super) fn log(&self) -> VoiceLog {
        VoiceLog {
            holes: self.holes.iter().filter(|hole| hole.missing > 0).copied().collect(),
            spans: self.spans.iter().copied().collect(),
            sources: self.sources.seen().to_vec(),
            foreign_packets: self.sources.foreign_packets(),
            returned: self.returned,
            excess: self.excess,
        }
    }
    /// Takes a packet; false when it is foreign and nobody should hear it.
    pub(super) fn take(
        &mut self,
        now: Instant,
        (ssrc, number): (u32, u16),
        remote: Option<SocketAddr>,
        holds: Holds,
    ) -> bool {
        if !self.sources.take(now, ssrc, remote, holds) {
            return false;
        }
        match holds {
            Holds::Voice => self.voice(now, ssrc),
            // Events under an SSRC of their own have numbers of their own.
            _ if self.latest.is_none_or(|latest| latest.ssrc != ssrc) => return true,
            _ => {}
        }
        self.number(now, ssrc, number, holds == Holds::Event);
        true
    }
    fn voice(&mut self, now: Instant, ssrc: u32) {
        match self.spans.back_mut().filter(|span| span.ssrc == ssrc) {
            Some(span) => (span.to, span.packets) = (now, span.packets + 1),
            None => {
                if self.spans.len() == MAX_SPANS {
                    self.spans.pop_front();
                }
                self.spans.push_back(Span { ssrc, from: now, to: now, packets: 1 });
            }
        }
    }
    fn number(&mut self, now: Instant, ssrc: u32, number: u16, is_event: bool) {
        let next = Latest { ssrc, number, at: now, is_event };
        let Some(latest) = self.latest.filter(|latest| latest.ssrc == ssrc) else {
            self.latest = Some(next);
            return;
        };
        let ahead = number.wrapping_sub(latest.number);
        if ahead == 0 {
            return;
        }
        if ahead.wrapping_neg() <= MAX_MISORDER {
            return self.fill(number);
        }
        if ahead > 1 && ahead < MAX_DROPOUT {
            if self.holes.len() == MAX_HOLES {
                self.holes.pop_front();
            }
            self.holes.push_back(Hole {
                from: latest.at,
                to: now,
                missing: ahead - 1,
                beside_event: is_event || latest.is_event,
                first: latest.number.wrapping_add(1),
                width: ahead - 1,
            });
        }
        self.latest = Some(next);
    }
    /// A late packet: its number is not missing. A second one with that number fills no more than the hole holds.
    fn fill(&mut self, number: u16) {
        let holds = |hole: &&mut Hole| number.wrapping_sub(hole.first) < hole.width;
        if let Some(hole) = self.holes.iter_mut().rev().take(16).find(holds) {
            hole.missing = hole.missing.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    /// Packets of one source every 20 ms; `e` is an event, `-` is lost, a digit that many packets late.
    fn log(packets: &str) -> Log {
        let (start, mut log) = (Instant::now(), Log::default());
        let mut late = Vec::new();
        for (at, what) in packets.chars().enumerate() {
            let now = start + 20 * MS * at as u32;
            late.retain(|&(due, number)| {
                if due == at {
                    log.take(now, (7, number), None, Holds::Voice);
                }
                due != at
            });
            let number = 65_530_u16.wrapping_add(at as u16);
            match what {
                'v' => drop(log.take(now, (7, number), None, Holds::Voice)),
                'e' => drop(log.take(now, (7, number), None, Holds::Event)),
                '-' => {}
                later => late.push((at + later.to_digit(10).unwrap() as usize, number)),
            }
        }
        log
    }

    fn holes(packets: &str) -> Vec<(u16, bool)> {
        log(packets).log().holes.iter().map(|hole| (hole.missing, hole.beside_event)).collect()
    }

    #[test]
    fn a_hole_says_how_many_are_missing_and_whether_an_event_is_beside_it() {
        assert_eq!(holes("vvvvveeevvvvvv"), []);
        assert_eq!(holes("vvv--vvv-v"), [(2, false), (1, false)]);
        assert_eq!(holes("vvv--eev-v"), [(2, true), (1, false)]);
        assert_eq!(holes("vvveee--vv"), [(2, true)]);
        // What comes late is not missing; nor is it twice.
        assert_eq!(holes("vvv3-vvvvv"), [(1, false)]);
        assert_eq!(holes("vvv3vvvvvv"), []);
    }

    #[test]
    fn spans_tell_whose_voice_came_when_and_events_of_another_source_are_none() {
        let (start, mut log) = (Instant::now(), Log::default());
        for n in 0..10_u16 {
            let ssrc = if n < 5 { 1 } else { 2 };
            log.take(start + u32::from(n) * 20 * MS, (ssrc, n * 100), None, Holds::Voice);
            log.take(start + u32::from(n) * 20 * MS, (3, n), None, Holds::Event);
        }
        let spans: Vec<_> = log.log().spans.iter().map(|span| (span.ssrc, span.packets)).collect();
        assert_eq!(spans, [(1, 5), (2, 5)]);
    }
}
