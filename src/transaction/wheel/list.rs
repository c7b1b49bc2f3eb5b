//! One list of a wheel: in pieces, so that it grows and shrinks by one of them and is never copied as a whole.
use super::{NEVER, Tick};
use std::collections::VecDeque;

/// Entries of a piece (4 KiB).
const PIECE: usize = 256;
/// Number of entries for which room stays with an empty list.
const ROOM: usize = 128;

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) at: Tick,
    pub(super) index: u32,
}

/// Written at the end, read from the front.
#[derive(Debug)]
pub(super) struct List {
    /// No entry is earlier.
    earliest: Tick,
    /// Entries of the first piece that are popped already.
    popped: usize,
    pieces: VecDeque<Vec<Entry>>,
}

/// An entry in a list, for a walk during which others are taken out or added.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Position {
    piece: usize,
    entry: usize,
}

impl List {
    pub(super) const EMPTY: List = List { earliest: NEVER, popped: 0, pieces: VecDeque::new() };

    pub(super) fn earliest(&self) -> Tick {
        self.earliest
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.earliest = self.earliest.min(entry.at);
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(entry),
            None => self.pieces.push_back(vec![entry]),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(entry);
                self.pieces.push_back(piece);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        loop {
            let is_last = self.pieces.len() == 1;
            let piece = self.pieces.front_mut()?;
            let entry = piece.get(self.popped).copied();
            self.popped += 1;
            if self.popped >= piece.len() {
                self.popped = 0;
                if is_last {
                    piece.clear();
                    piece.shrink_to(ROOM);
                    self.earliest = NEVER;
                    return entry;
                }
                self.pieces.pop_front();
            }
            if entry.is_some() {
                return entry;
            }
        }
    }

    /// Is nothing left? A walk that took entries out may leave a list that seems to have some until [`List::pop`] finds none.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.len() <= 1 && self.pieces.front().is_none_or(|piece| self.popped >= piece.len())
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() - self.popped
    }

    /// All entries, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.pieces.iter().flatten().skip(self.popped)
    }

    /// The entry at a position and those behind it in its piece; moves the position to the next piece when there is none left.
    pub(super) fn rest(&self, position: &mut Position) -> Option<&[Entry]> {
        loop {
            if position.piece == 0 {
                position.entry = position.entry.max(self.popped);
            }
            match self.pieces.get(position.piece)?.get(position.entry..) {
                Some(rest) if !rest.is_empty() => return Some(rest),
                _ => *position = Position { piece: position.piece + 1, entry: 0 },
            }
        }
    }

    /// Takes out those entries from a position on that do not stay, and moves the position behind those that do; the number taken out.
    ///
    /// The last entries of the piece take their places: behind the position, because they have not been looked at.
    pub(super) fn sift(&mut self, position: &mut Position, stay: &[bool]) -> usize {
        let Some(piece) = self.pieces.get_mut(position.piece) else { return 0 };
        let end = piece.len().min(position.entry + stay.len());
        for (at, &stays) in (position.entry..end).zip(stay) {
            if stays {
                piece.swap(position.entry, at);
                position.entry += 1;
            }
        }
        for at in (position.entry..end).rev() {
            piece.swap_remove(at);
        }
        end.saturating_sub(position.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn a_list_gives_what_was_put_in_and_not_taken_out_piece_by_piece(
            steps in proptest::collection::vec((0_usize..900, 0_usize..900, 0_usize..40), 1..20),
        ) {
            let mut list = List::EMPTY;
            let mut model = VecDeque::new();
            let mut next = 0;
            for (pushed, popped, removed) in steps {
                for _ in 0..pushed {
                    list.push(Entry { at: u64::from(next) + 5, index: next });
                    model.push_back(next);
                    next += 1;
                }
                prop_assert!(list.iter().map(|entry| entry.index).eq(model.iter().copied()));
                for _ in 0..popped {
                    prop_assert_eq!(list.pop().map(|entry| entry.index), model.pop_front());
                }
                prop_assert_eq!(list.len(), model.len());
                prop_assert!(model.front().is_none_or(|&index| list.earliest() <= u64::from(index) + 5));
                // A walk that takes out each entry whose number is a multiple of `removed`.
                let is_out = |index: u32| (index as usize).is_multiple_of(removed + 2);
                let mut position = Position::default();
                let mut seen = Vec::new();
                while let Some(rest) = list.rest(&mut position) {
                    let looked: Vec<u32> = rest.iter().take(removed % 7 + 1).map(|entry| entry.index).collect();
                    let stay: Vec<bool> = looked.iter().map(|&index| !is_out(index)).collect();
                    let out = list.sift(&mut position, &stay);
                    prop_assert_eq!(out, stay.iter().filter(|&&stays| !stays).count());
                    seen.extend(looked);
                }
                seen.sort_unstable();
                model.make_contiguous().sort_unstable();
                prop_assert_eq!(&seen, model.make_contiguous(), "each is seen once");
                model.retain(|&index| !is_out(index));
                let left: Vec<u32> = list.iter().map(|entry| entry.index).collect();
                let mut sorted = left.clone();
                sorted.sort_unstable();
                prop_assert_eq!(&sorted, model.make_contiguous());
                // What is left may have changed its order.
                model = left.into();
            }
            prop_assert!(list.pieces.len() <= model.len() + next as usize / PIECE + 1);
            while list.pop().is_some() {}
            prop_assert!(list.is_empty() && list.iter().next().is_none() && list.earliest() == NEVER);
            prop_assert!(list.pieces.iter().all(|piece| piece.capacity() <= ROOM));
        }
    }
}
