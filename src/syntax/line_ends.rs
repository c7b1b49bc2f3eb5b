//! Where the line feeds of a text are, sixty-four bytes at a time.
//!
//! A search for each line end by itself cannot begin before the one in front of it has ended. Here the places of a whole chunk are found
//! at once, without a branch, and the processor can look at the lines beside each other.
use wide::u8x16;

/// Bytes that are looked at together: as many as there are bits in `marks`.
const CHUNK: usize = 64;

/// The places of all line feeds of a text in order. The text is handed in each time, so that who reads it need not hold it twice.
pub(super) struct LineEnds {
    /// Where the chunk starts that `marks` speaks of.
    base: usize,
    /// A bit for each line feed of the chunk that has not been given.
    marks: u64,
    /// What has not been looked at begins here.
    next: usize,
}

/// A bit for each line feed, the first byte's the lowest.
#[inline(always)]
fn marks(chunk: &[u8; CHUNK]) -> u64 {
    let wanted = u8x16::splat(b'\n');
    let (parts, _) = chunk.as_chunks::<16>();
    parts.iter().enumerate().fold(0, |all, (at, part)| {
        let equal = u8x16::new(*part).cmp_eq(wanted);
        all | u64::from(equal.move_mask() as u16) << (16 * at)
    })
}

/// Is there a CR or a line feed?
#[inline]
pub(super) fn holds_line_break(text: &[u8]) -> bool {
    let in_part = |part: &[u8; 16]| {
        let part = u8x16::new(*part);
        (part.cmp_eq(u8x16::splat(b'\r')) | part.cmp_eq(u8x16::splat(b'\n'))).any()
    };
    match text.last_chunk() {
        // The last part overlaps the one before it.
        Some(last) => text.as_chunks().0.iter().any(in_part) || in_part(last),
        None => text.iter().any(|b| matches!(b, b'\r' | b'\n')),
    }
}

impl LineEnds {
    #[inline(always)]
    pub(super) const fn new() -> LineEnds {
        LineEnds { base: 0, marks: 0, next: 0 }
    }

    /// The place of the next line feed.
    #[inline(always)]
    pub(super) fn next(&mut self, text: &[u8]) -> Option<usize> {
        while self.marks == 0 {
            match text.get(self.next..).and_then(<[u8]>::first_chunk) {
                Some(chunk) => {
                    self.marks = marks(chunk);
                    self.base = self.next;
                    self.next += CHUNK;
                }
                None => *self = last(text, self.next)?,
            }
        }
        let at = self.base + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        Some(at)
    }
}

/// Looks at what is less than a chunk, from `next` on; `None` when nothing is left. It gives a whole new state, so that the one of who
/// reads can stay in registers.
#[inline(never)]
fn last(text: &[u8], next: usize) -> Option<LineEnds> {
    let rest = text.get(next..).filter(|rest| !rest.is_empty())?;
    let (base, marks) = match text.last_chunk() {
        // The last chunk again, without what has been given of it.
        Some(chunk) => {
            let base = text.len() - CHUNK;
            (base, marks(chunk) & u64::MAX << (next - base))
        }
        None => {
            let mut chunk = [0; CHUNK];
            chunk[..rest.len()].copy_from_slice(rest);
            (next, marks(&chunk))
        }
    };
    Some(LineEnds { base, marks, next: text.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_line_feed_at_every_place_and_length() {
        for length in 0..200 {
            for step in 1..70 {
                let text: Vec<u8> =
                    (0..length).map(|at| if at % step == step / 2 { b'\n' } else { b'\r' }).collect();
                let mut ends = LineEnds::new();
                let found: Vec<_> = std::iter::from_fn(|| ends.next(&text)).collect();
                let wanted: Vec<_> = (0..length).filter(|&at| text[at] == b'\n').collect();
                assert_eq!(found, wanted, "{length} {step}");
            }
        }
    }

    #[test]
    fn finds_a_line_break_at_every_place() {
        for length in 0..70 {
            let mut text: Vec<u8> = (0..length).map(|at| if at % 2 == 0 { 0x8a } else { 0x8d }).collect();
            assert!(!holds_line_break(&text));
            for at in 0..length {
                for byte in *b"\r\n" {
                    let before = std::mem::replace(&mut text[at], byte);
                    assert!(holds_line_break(&text), "{at} of {length}");
                    text[at] = before;
                }
            }
        }
    }

    #[test]
    fn takes_no_other_byte_for_a_line_feed() {
        let text: Vec<u8> = (0..=255).collect();
        let mut ends = LineEnds::new();
        assert_eq!((ends.next(&text), ends.next(&text)), (Some(10), None));
    }
}
