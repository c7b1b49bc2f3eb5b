//! Puts voice packets that came out of order back into order, and says which did not come at all.
use std::collections::VecDeque;

/// Packets held while one before them is missing: 80 ms of packets of 20 ms.
const HELD: usize = 4;
/// More missing than this at once is a jump, not loss.
const MAX_MISSING: u16 = 50;

/// Packets in a row that are all too late: the numbers have begun again (RFC 3550 A.1 takes two).
const LATE_RUN: u8 = 3;

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ordered<T> {
    /// The next packet.
    Packet(T),
    /// The next packet was lost.
    Lost,
}

/// The buffer. Every packet of the stream goes through it, so that its numbers have no holes of our own making.
#[derive(Debug)]
pub(super) struct Order<T> {
    ssrc: Option<u32>,
    next: u16,
    held: VecDeque<(u16, T)>,
    /// What would follow the latest too late packet, and how many of them followed each other.
    late: (u16, u8),
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Order { ssrc: None, next: 0, held: VecDeque::new(), late: (0, 0) }
    }
}

impl<T> Order<T> {
    /// Takes a packet; what is in order now goes to `out`.
    pub(super) fn push(&mut self, ssrc: u32, sequence: u16, packet: T, out: &mut Vec<Ordered<T>>) {
        let ahead = sequence.wrapping_sub(self.next);
        let behind = ahead >= 0x8000;
        if self.ssrc != Some(ssrc) || !behind && ahead > MAX_MISSING || behind && ahead < u16::MAX - 1_000 {
            self.flush(out);
            (self.ssrc, self.next) = (Some(ssrc), sequence);
        } else if behind {
            // Too late, or a duplicate. Where that goes on and on, somebody else's numbers (of events that a platform put in) ran ahead.
            let run = if self.late.0 == sequence { self.late.1 + 1 } else { 1 };
            self.late = (sequence.wrapping_add(1), run);
            if run < LATE_RUN {
                return;
            }
            self.flush(out);
            self.next = sequence;
        }
        self.late = (0, 0);
        let distance = |number: u16, next: u16| number.wrapping_sub(next);
        let at = self.held.iter().position(|(n, _)| distance(*n, self.next) >= distance(sequence, self.next));
        match at {
            Some(at) if self.held[at].0 == sequence => return,
            Some(at) => self.held.insert(at, (sequence, packet)),
            None => self.held.push_back((sequence, packet)),
        }
        self.release(out);
        while self.held.len() > HELD {
            self.skip(out);
            self.release(out);
        }
    }
    /// Gives out what is held, with what is missing in between.
    pub(super) fn flush(&mut self, out: &mut Vec<Ordered<T>>) {
        while !self.held.is_empty() {
            self.skip(out);
            self.release(out);
        }
    }
    fn release(&mut self, out: &mut Vec<Ordered<T>>) {
        while self.held.front().is_some_and(|(number, _)| *number == self.next) {
            out.extend(self.held.pop_front().map(|(_, packet)| Ordered::Packet(packet)));
            self.next = self.next.wrapping_add(1);
        }
    }
    fn skip(&mut self, out: &mut Vec<Ordered<T>>) {
        let Some((number, _)) = self.held.front() else { return };
        for _ in 0..number.wrapping_sub(self.next).min(MAX_MISSING) {
            out.push(Ordered::Lost);
        }
        self.next = *number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(numbers: &[u16]) -> String {
        let (mut order, mut out) = (Order::default(), Vec::new());
        numbers.iter().for_each(|&n| order.push(1, n, n, &mut out));
        order.flush(&mut out);
        let text = |o: Ordered<u16>| match o {
            Ordered::Packet(n) => format!("{n} "),
            Ordered::Lost => "- ".to_owned(),
        };
        out.into_iter().map(text).collect()
    }

    #[test]
    fn packets_come_out_in_order_once_with_their_holes() {
        assert_eq!(ordered(&[1, 2, 3]), "1 2 3 ");
        assert_eq!(ordered(&[1, 3, 2, 4]), "1 2 3 4 ");
        assert_eq!(ordered(&[1, 3, 3, 4, 5, 6, 2, 7]), "1 2 3 4 5 6 7 ");
        assert_eq!(ordered(&[1, 3, 4, 5, 6, 7, 2, 8]), "1 - 3 4 5 6 7 8 ");
        assert_eq!(ordered(&[65_534, 0, 65_535, 1, 1]), "65534 65535 0 1 ");
        assert_eq!(ordered(&[1, 2, 5]), "1 2 - - 5 ");
        assert_eq!(ordered(&[1, 2, 9_000, 9_001]), "1 2 9000 9001 ");
        assert_eq!(ordered(&[9_000, 1, 2]), "9000 1 2 ");
        // Numbers of events ran ahead of the voice's; duplicates of what came do not begin anything again.
        assert_eq!(ordered(&[1, 2, 3, 4, 5, 2, 3, 4, 5, 6]), "1 2 3 4 5 4 5 6 ");
        assert_eq!(ordered(&[1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]), "1 2 3 4 5 6 ");
    }
}
