//! From keys to slots, in one line of cache.
//!
//! An entry is 32 bits of the key and the index of the slot, in which the whole key stands: eight entries share a line, and who
//! finds one has to look into the slot anyway. Collisions go to the next place (open addressing), at most half of the places are
//! taken. The bits are those of a keyed digest, so that no peer can choose what meets here.
use super::key::Key;

/// No slot has the index `u32::MAX`.
const EMPTY: u64 = u64::MAX;
const FEWEST_BITS: u32 = 6;

#[derive(Debug)]
pub(super) struct Table {
    /// A power of two of them; empty before the first key.
    places: Vec<u64>,
    len: usize,
}

fn entry(key: Key, index: u32) -> u64 {
    u64::from(key.tag()) << 32 | u64::from(index)
}

impl Table {
    pub(super) fn new() -> Table {
        Table { places: Vec::new(), len: 0 }
    }

    /// The slot among those with the same bits that `is` says yes to.
    pub(super) fn find(&self, key: Key, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut place = self.home(entry(key, 0))?;
        loop {
            let found = self.places[place];
            if found == EMPTY {
                return None;
            }
            let index = found as u32;
            if (found >> 32) as u32 == key.tag() && is(index) {
                return Some(index);
            }
            place = self.after(place);
        }
    }

    /// Adds an entry; `find` gives the older one of two with the same key.
    pub(super) fn insert(&mut self, key: Key, index: u32) {
        if (self.len + 1) * 2 > self.places.len() {
            self.grow();
        }
        self.put(entry(key, index));
        self.len += 1;
    }

    /// Takes out an entry, if it is there.
    pub(super) fn remove(&mut self, key: Key, index: u32) {
        let entry = entry(key, index);
        let Some(mut hole) = self.home(entry) else { return };
        while self.places[hole] != entry {
            if self.places[hole] == EMPTY {
                return;
            }
            hole = self.after(hole);
        }
        // What comes behind moves up, unless it would come to stand before its home; so nothing stale is left.
        let mask = self.places.len() - 1;
        let mut place = hole;
        loop {
            place = self.after(place);
            let moving = self.places[place];
            let Some(home) = self.home(moving).filter(|_| moving != EMPTY) else { break };
            if place.wrapping_sub(home) & mask >= place.wrapping_sub(hole) & mask {
                self.places[hole] = moving;
                hole = place;
            }
        }
        self.places[hole] = EMPTY;
        self.len -= 1;
    }

    /// Where an entry stands if nothing is in its way: by its highest bits, so that growing reads and writes forwards.
    fn home(&self, entry: u64) -> Option<usize> {
        let bits = self.places.len().checked_ilog2()?;
        Some((entry >> (64 - bits)) as usize)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn put(&mut self, entry: u64) {
        let Some(mut place) = self.home(entry) else { return };
        while self.places[place] != EMPTY {
            place = self.after(place);
        }
        self.places[place] = entry;
    }

    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(1 << FEWEST_BITS);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; places]);
        for entry in old.into_iter().filter(|&entry| entry != EMPTY) {
            self.put(entry);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0 && self.places.iter().all(|&entry| entry == EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn the_table_does_what_a_set_does_also_when_keys_meet(
            steps in proptest::collection::vec((0_u32..24, 0_u32..40, any::<bool>()), 1..400),
        ) {
            let mut table = Table::new();
            let mut model = HashSet::new();
            for (low, index, add) in steps {
                // Few homes, also the last one, from which the search goes on at the first place.
                let key = Key::of_tag((low % 3).wrapping_sub(1) << 26 | low);
                if add && model.insert((key.tag(), index)) {
                    table.insert(key, index);
                } else if !add {
                    model.remove(&(key.tag(), index));
                    table.remove(key, index);
                }
                for &(tag, index) in &model {
                    prop_assert_eq!(table.find(Key::of_tag(tag), |found| found == index), Some(index));
                }
                prop_assert_eq!(table.len, model.len());
                prop_assert!(table.len * 2 <= table.places.len());
                let is_there = model.contains(&(key.tag(), index));
                prop_assert_eq!(table.find(key, |found| found == index).is_some(), is_there);
            }
            for (tag, index) in model {
                table.remove(Key::of_tag(tag), index);
            }
            prop_assert!(table.is_empty());
        }
    }
}
