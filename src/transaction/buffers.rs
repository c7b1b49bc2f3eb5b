//! Bytes that nobody needs any more, for the next request.
//!
//! Of many requests that end in any order each lies elsewhere in memory. To free one and ask for another makes the allocator look at
//! what lies around both, one place after the other; to write the next request over it does not.
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Buffers that are kept.
const KEPT: usize = 256;
/// Larger ones are not kept.
const LARGEST: usize = 2_048;
/// Buffers that are looked at before the first of them is used, or freed: together, their memory is not fetched one after the other.
const AT_ONCE: usize = 64;

/// At most [`KEPT`] buffers of at most [`LARGEST`] bytes.
#[derive(Debug)]
pub(super) struct Buffers {
    /// The oldest first.
    kept: VecDeque<Bytes>,
    /// Number of the oldest that were checked.
    looked: usize,
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers { kept: VecDeque::new(), looked: 0 }
    }

    pub(super) fn give(&mut self, bytes: Bytes) {
        if bytes.is_empty() || bytes.len() > LARGEST {
            return;
        }
        if self.kept.len() >= KEPT {
            self.look();
            self.kept.drain(..AT_ONCE);
            self.looked = 0;
        }
        self.kept.push_back(bytes);
    }

    /// An empty buffer: the oldest that nobody else holds, or a new one without room.
    pub(super) fn take(&mut self) -> BytesMut {
        if self.looked == 0 {
            self.look();
        }
        self.looked = self.looked.saturating_sub(1);
        let kept = self.kept.pop_front().and_then(|bytes| bytes.try_into_mut().ok());
        let mut buffer = kept.unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Looks at both ends of the oldest and at their counters, where an allocator and who writes will.
    fn look(&mut self) {
        self.looked = self.kept.len().min(AT_ONCE);
        let unique = self.kept.iter().take(AT_ONCE).filter(|bytes| bytes.is_unique()).count();
        let ends = |bytes: &Bytes| Some(bytes.first()? ^ bytes.last()?);
        let ends = self.kept.iter().take(AT_ONCE).filter_map(ends).fold(0, |sum, ends| sum ^ ends);
        std::hint::black_box((unique, ends));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_used_again_and_empty() {
        let mut buffers = Buffers::new();
        let bytes = Bytes::from(vec![7; 100]);
        let at = bytes.as_ptr();
        buffers.give(bytes.clone());
        drop(bytes);
        let buffer = buffers.take();
        assert_eq!((buffer.as_ptr(), buffer.len(), buffer.capacity()), (at, 0, 100));
        assert_eq!(buffers.take().capacity(), 0);
    }

    #[test]
    fn what_somebody_still_holds_is_left_to_him() {
        let mut buffers = Buffers::new();
        let bytes = Bytes::from(vec![7; 100]);
        buffers.give(bytes.clone());
        buffers.give(Bytes::from_static(b"static"));
        for _ in 0..2 {
            let mut buffer = buffers.take();
            buffer.extend_from_slice(b"other");
            assert_eq!(&buffer[..], b"other");
        }
        assert_eq!(bytes, vec![7; 100]);
    }

    #[test]
    fn few_are_kept_and_none_that_is_large() {
        let mut buffers = Buffers::new();
        buffers.give(Bytes::from(vec![1; LARGEST + 1]));
        buffers.give(Bytes::new());
        assert_eq!(buffers.kept.len(), 0);
        for n in 0..10 * KEPT {
            buffers.give(Bytes::from(vec![1; 1 + n % LARGEST]));
            assert!((1..=KEPT).contains(&buffers.kept.len()));
        }
        let kept = buffers.kept.len();
        assert!((0..kept).all(|_| buffers.take().capacity() > 0));
        assert_eq!(buffers.take().capacity(), 0);
    }
}
