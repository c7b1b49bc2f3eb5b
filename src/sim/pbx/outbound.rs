//! The one RTP stream that a leg gets, whatever it is made of.

use crate::media::rtp::Packet;
use crate::message::Ids;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Numbers the packets of one stream: one SSRC, sequence numbers that keep the gaps and the order of their source, and a clock without jumps
/// when the source changes (from a tone of ours to the other leg).
#[derive(Debug)]
pub(super) struct Outbound {
    ssrc: u32,
    next_sequence: u16,
    /// The latest timestamp, and when it was sent.
    clock: (Option<Instant>, u32),
    source: Option<Source>,
}

/// What is added to the numbers of a source.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

fn is_ahead(number: u16, of: u16) -> bool {
    number.wrapping_sub(of) < 0x8000
}

impl Outbound {
    /// A stream with numbers by chance (RFC 3550 sec. 5.1).
    pub(super) fn new(ids: &mut Ids) -> Outbound {
        Outbound {
            ssrc: ids.below(1 << 32) as u32,
            next_sequence: ids.below(1 << 16) as u16,
            clock: (None, ids.below(1 << 32) as u32),
            source: None,
        }
    }

    /// The source that this packet is of; true when it has just begun.
    fn enter(&mut self, now: Instant, packet: &Packet<'_>) -> bool {
        if self.source.as_ref().is_some_and(|source| source.ssrc == packet.ssrc) {
            return false;
        }
        let (at, last) = self.clock;
        let since = at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let due = last.wrapping_add((since.as_micros() / 125) as u32);
        self.source = Some(Source {
            ssrc: packet.ssrc,
            sequence: self.next_sequence.wrapping_sub(packet.sequence_number),
            timestamp: due.wrapping_sub(packet.timestamp),
        });
        true
    }

    fn write(&mut self, now: Instant, packet: Packet<'_>) -> Option<Bytes> {
        if is_ahead(packet.sequence_number, self.next_sequence) {
            self.next_sequence = packet.sequence_number.wrapping_add(1);
            self.clock = (Some(now), packet.timestamp);
        }
        packet.write().ok().map(Bytes::from)
    }

    /// A packet of a source, with the numbers of this stream. The first one of a source is marked.
    pub(super) fn carry(&mut self, now: Instant, packet: Packet<'_>) -> Option<Bytes> {
        let begins = self.enter(now, &packet);
        let source = self.source.as_ref()?;
        let numbered = Packet {
            marker: packet.marker || begins,
            sequence_number: packet.sequence_number.wrapping_add(source.sequence),
            timestamp: packet.timestamp.wrapping_add(source.timestamp),
            ssrc: self.ssrc,
            ..packet
        };
        self.write(now, numbered)
    }

    /// A packet of a source is left out: those after it close the gap.
    pub(super) fn leave_out(&mut self, now: Instant, packet: &Packet<'_>) {
        self.enter(now, packet);
        if let Some(source) = &mut self.source {
            source.sequence = source.sequence.wrapping_sub(1);
        }
    }

    /// A packet that the source does not have: those after it make room. Its timestamp is on the clock of the source.
    pub(super) fn put_in(&mut self, now: Instant, packet: Packet<'_>) -> Option<Bytes> {
        self.enter(now, &packet);
        let source = self.source.as_mut()?;
        source.sequence = source.sequence.wrapping_add(1);
        let numbered = Packet {
            sequence_number: self.next_sequence,
            timestamp: packet.timestamp.wrapping_add(source.timestamp),
            ssrc: self.ssrc,
            ..packet
        };
        self.write(now, numbered)
    }

    /// A timestamp of the present source on the clock of this stream.
    pub(super) fn timestamp(&self, of_source: u32) -> u32 {
        self.source.as_ref().map_or(of_source, |source| of_source.wrapping_add(source.timestamp))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn packet(ssrc: u32, sequence_number: u16, timestamp: u32) -> Packet<'static> {
        Packet { marker: false, payload_type: 8, sequence_number, timestamp, ssrc, payload: &[0; 160] }
    }
    fn numbers(bytes: Option<Bytes>) -> (u32, u16, u32) {
        let bytes = bytes.unwrap();
        let read = Packet::parse(&bytes).unwrap();
        (read.ssrc, read.sequence_number, read.timestamp)
    }

    #[test]
    fn gaps_and_order_of_a_source_are_kept_and_a_new_source_goes_on() {
        let (start, mut out) = (Instant::now(), Outbound::new(&mut Ids::from_seed([1; 32])));
        let (ssrc, first, clock) = numbers(out.carry(start, packet(7, 100, 5_000)));
        // 102 before 101, and 104 after the lost 103.
        for (sequence, timestamp) in [(102, 5_320), (101, 5_160), (104, 5_640)] {
            let (_, got, at) = numbers(out.carry(start, packet(7, sequence, timestamp)));
            assert_eq!(
                (got.wrapping_sub(first), at.wrapping_sub(clock)),
                (sequence - 100, timestamp - 5_000)
            );
        }
        let later = start + Duration::from_millis(20);
        let (same, got, at) = numbers(out.carry(later, packet(9, 60_000, 4_000_000_000)));
        assert_eq!((same, got.wrapping_sub(first), at.wrapping_sub(clock)), (ssrc, 5, 640 + 160));
    }

    #[test]
    fn what_is_left_out_or_put_in_leaves_no_gap() {
        let (now, mut out) = (Instant::now(), Outbound::new(&mut Ids::from_seed([2; 32])));
        let (_, first, _) = numbers(out.carry(now, packet(7, 1, 0)));
        out.leave_out(now, &packet(7, 2, 160));
        assert_eq!(numbers(out.carry(now, packet(7, 3, 320))).1, first.wrapping_add(1));
        assert_eq!(numbers(out.put_in(now, packet(7, 0, 330))).1, first.wrapping_add(2));
        assert_eq!(numbers(out.carry(now, packet(7, 4, 480))).1, first.wrapping_add(3));
    }
}
