//! One timer per transaction in a hierarchical wheel, exact to the millisecond.
//!
//! Arming and firing each touch a constant number of places, whatever the number of timers: the lists of level 0 are 1 ms wide,
//! those of each further level 64 times as wide as those below it. Lists are contiguous: written at the end, read forwards, so that
//! a million timers cost little more than a thousand, in whatever order their owners lie in memory.
//!
//! For when a slot is armed stands in the slot. An entry that says otherwise is stale and skipped. Stale entries come from timers that
//! are moved to an earlier moment, and from nothing else: a slot that is used again takes over the entry that is there. There are
//! never more of them than armed slots and [`STALE_AT_MOST`]: beyond that, [`Wheel::sweep`] drops them all at once.
use super::timers::{NEVER, Tick};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 8;
/// Farthest moment (nearly 9,000 years); later ones fire there.
const FARTHEST: Tick = (1 << (BITS * LEVELS as u32)) - 1;
/// Stale entries, beyond as many as there are armed slots.
const STALE_AT_MOST: usize = 1_024;
/// Room for so many entries stays with an empty list.
const ROOM: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Tick,
    index: u32,
}

#[derive(Debug)]
struct List {
    /// No entry is earlier.
    earliest: Tick,
    /// Entries before this one are popped already.
    popped: usize,
    entries: Vec<Entry>,
}

const EMPTY: List = List { earliest: NEVER, popped: 0, entries: Vec::new() };

impl List {
    fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(ROOM);
        (self.earliest, self.popped) = (NEVER, 0);
    }
}

/// The timers of all transactions, by the index of their slot.
#[derive(Debug)]
pub(super) struct Wheel {
    lists: Box<[[List; SLOTS]; LEVELS]>,
    occupied: [u64; LEVELS],
    /// All timers before this moment have fired.
    elapsed: Tick,
    /// Slots that are armed.
    armed: usize,
    /// Those and the stale ones.
    entries: usize,
}

/// The level and slot of `at`, seen from `elapsed`, which is not later. A timer keeps its place while
/// `elapsed` moves towards the start of its slot, because the highest digit in which the two differ stays the
/// same.
fn place(elapsed: Tick, at: Tick) -> (usize, usize) {
    let different = elapsed ^ at;
    let level = (63 - (different | 1).leading_zeros()) / BITS;
    (level as usize, (at >> (level * BITS)) as usize % SLOTS)
}

impl Wheel {
    pub(super) fn new() -> Wheel {
        Wheel {
            lists: Box::new([const { [const { EMPTY }; SLOTS] }; LEVELS]),
            occupied: [0; LEVELS],
            elapsed: 0,
            armed: 0,
            entries: 0,
        }
    }

    /// Sees to it that a slot is popped at `at` or before; `armed` is where it says for when it is armed. One that is armed for an
    /// earlier moment stays so: its owner looks again then. So a deadline that moves away, which most do, costs nothing.
    pub(super) fn arm(&mut self, armed: &mut Tick, index: u32, at: Tick) {
        if *armed <= at {
            return;
        }
        if *armed == NEVER {
            self.armed += 1;
        }
        let at = at.clamp(self.elapsed, FARTHEST);
        *armed = at;
        self.entries += 1;
        self.append(Entry { at, index });
    }

    fn append(&mut self, entry: Entry) {
        let (level, slot) = place(self.elapsed, entry.at);
        let list = &mut self.lists[level][slot];
        list.earliest = list.earliest.min(entry.at);
        list.entries.push(entry);
        self.occupied[level] |= 1 << slot;
    }

    /// The first slot in time that holds a timer: level, slot, and the moment at which it begins. What is on
    /// a lower level is earlier than everything on a higher one, and nothing lies before `elapsed`.
    fn first(&self) -> Option<(usize, usize, Tick)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = level as u32 * BITS;
        let above = self.elapsed >> (shift + BITS) << (shift + BITS);
        Some((level, slot, above | (slot as Tick) << shift))
    }

    /// When [`Wheel::pop`] may have something to give.
    pub(super) fn next(&self) -> Option<Tick> {
        self.first().map(|(level, slot, start)| self.lists[level][slot].earliest.max(start))
    }

    /// Takes out the earliest entry for `now` or before: a slot, and for when it was armed, if the entry is not stale
    /// ([`Wheel::disarmed`]).
    pub(super) fn pop(&mut self, now: Tick) -> Option<(u32, Tick)> {
        loop {
            let first = self.first().filter(|&(_, _, start)| start <= now);
            let Some((level, slot, start)) = first else {
                self.elapsed = self.elapsed.max(now.min(FARTHEST));
                return None;
            };
            self.elapsed = start;
            if level == 0 {
                let list = &mut self.lists[0][slot];
                let entry = list.entries.get(list.popped).copied();
                list.popped += 1;
                if list.popped >= list.entries.len() {
                    list.clear();
                    self.occupied[0] &= !(1 << slot);
                }
                let Some(Entry { at, index }) = entry else { continue };
                self.entries -= 1;
                return Some((index, at));
            }
            // The slot begins: its timers move down to where they can be told apart.
            let mut list = std::mem::replace(&mut self.lists[level][slot], EMPTY);
            self.occupied[level] &= !(1 << slot);
            for entry in &list.entries {
                self.append(*entry);
            }
            list.clear();
            self.lists[level][slot] = list;
        }
    }

    /// What was popped was not stale, and its slot is not armed any more.
    pub(super) fn disarmed(&mut self) {
        self.armed -= 1;
    }

    /// Are there more stale entries than there may be?
    pub(super) fn wants_sweep(&self) -> bool {
        self.entries > 2 * self.armed + STALE_AT_MOST
    }

    /// Drops all stale entries; the others keep their order. This alone walks all timers, and it comes at most once in as many timers
    /// that were moved to an earlier moment.
    pub(super) fn sweep(
        &mut self,
        mut disarm: impl FnMut(u32, Tick) -> bool,
        mut rearm: impl FnMut(u32, Tick),
    ) {
        let mut kept = Vec::with_capacity(self.armed);
        for list in self.lists.iter_mut().flatten() {
            kept.extend(
                list.entries.drain(..).skip(list.popped).filter(|entry| disarm(entry.index, entry.at)),
            );
            list.clear();
        }
        self.occupied = [0; LEVELS];
        (self.armed, self.entries) = (kept.len(), kept.len());
        for entry in kept {
            rearm(entry.index, entry.at);
            self.append(entry);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let no_entry = self.lists.iter().flatten().all(|list| list.entries.is_empty());
        self.occupied == [0; LEVELS] && no_entry && (self.armed, self.entries) == (0, 0)
    }

    /// Entries, stale ones too.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        assert_eq!(
            self.entries,
            self.lists.iter().flatten().map(|list| list.entries.len() - list.popped).sum::<usize>()
        );
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A wheel with its slots.
    struct Owners {
        wheel: Wheel,
        armed: Vec<Tick>,
    }

    impl Owners {
        fn new() -> Owners {
            Owners { wheel: Wheel::new(), armed: vec![NEVER; 4_000] }
        }
        fn arm(&mut self, index: u32, at: Tick) {
            self.wheel.arm(&mut self.armed[index as usize], index, at);
            if self.wheel.wants_sweep() {
                self.sweep();
            }
        }
        fn disarm(armed: &mut [Tick], index: u32, at: Tick) -> bool {
            let is_armed = armed[index as usize] == at;
            if is_armed {
                armed[index as usize] = NEVER;
            }
            is_armed
        }
        fn pop(&mut self, now: Tick) -> Option<u32> {
            loop {
                let (index, at) = self.wheel.pop(now)?;
                if Owners::disarm(&mut self.armed, index, at) {
                    self.wheel.disarmed();
                    return Some(index);
                }
            }
        }
        fn sweep(&mut self) {
            let armed = std::cell::RefCell::new(&mut self.armed);
            self.wheel.sweep(
                |index, at| Owners::disarm(&mut armed.borrow_mut(), index, at),
                |index, at| armed.borrow_mut()[index as usize] = at,
            );
        }
        fn next(&self) -> Option<Tick> {
            self.wheel.next()
        }
        fn is_empty(&self) -> bool {
            self.wheel.is_empty() && self.armed.iter().all(|&at| at == NEVER)
        }
    }

    #[test]
    fn a_timer_fires_at_its_millisecond_and_not_before() {
        for at in [0, 1, 63, 64, 65, 499, 500, 4_095, 4_096, 32_000, 262_144, 3_600_000, FARTHEST] {
            let mut wheel = Owners::new();
            wheel.arm(3, at);
            assert_eq!(wheel.next(), Some(at));
            if at > 0 {
                assert_eq!(wheel.pop(at - 1), None);
                assert_eq!(wheel.next(), Some(at));
            }
            assert_eq!(wheel.pop(at), Some(3));
            assert_eq!((wheel.pop(at), wheel.next()), (None, None));
            assert!(wheel.is_empty());
        }
    }

    #[test]
    fn a_timer_that_lies_in_the_past_fires_at_once() {
        let mut wheel = Owners::new();
        assert_eq!(wheel.pop(1_000), None);
        wheel.arm(0, 10);
        assert_eq!(wheel.next(), Some(1_000));
        assert_eq!(wheel.pop(1_000), Some(0));
    }

    #[test]
    fn timers_of_one_millisecond_fire_in_the_order_in_which_they_were_set() {
        let mut wheel = Owners::new();
        for index in 0..5 {
            wheel.arm(index, 500);
        }
        wheel.arm(2, 400);
        let fired: Vec<u32> = std::iter::from_fn(|| wheel.pop(500)).collect();
        assert_eq!(fired, [2, 0, 1, 3, 4]);
    }

    #[test]
    fn a_timer_is_moved_to_an_earlier_moment_but_not_to_a_later_one() {
        let mut wheel = Owners::new();
        wheel.arm(0, 500);
        wheel.arm(0, 600);
        assert_eq!(wheel.next(), Some(500));
        wheel.arm(0, 30);
        assert_eq!((wheel.pop(29), wheel.pop(30)), (None, Some(0)));
        // What was set first is skipped.
        assert_eq!((wheel.pop(500), wheel.next()), (None, None));
    }

    #[test]
    fn stale_entries_are_never_more_than_the_armed_slots_and_a_thousand() {
        let mut wheel = Owners::new();
        for index in 0..3_000 {
            wheel.arm(index, 1_000_000 + u64::from(index));
        }
        for earlier in 1..20 {
            for index in 0..3_000 {
                wheel.arm(index, 1_000_000 - 1_000 * earlier + u64::from(index) % 1_000);
                assert!(wheel.wheel.entries() <= 2 * 3_000 + STALE_AT_MOST);
            }
        }
        let first = 1_000_000 - 19_000;
        assert_eq!(wheel.next(), Some(first));
        let fired: Vec<u32> = std::iter::from_fn(|| wheel.pop(first)).collect();
        assert_eq!(fired, [0, 1_000, 2_000]);
        assert_eq!(std::iter::from_fn(|| wheel.pop(2_000_000)).count(), 2_997);
        assert!(wheel.is_empty());
    }

    #[test]
    fn an_entry_that_was_stale_and_counts_again_fires_once() {
        let mut wheel = Owners::new();
        wheel.arm(7, 500);
        wheel.arm(7, 30);
        assert_eq!(wheel.pop(30), Some(7));
        wheel.arm(7, 500);
        assert_eq!((wheel.pop(499), wheel.pop(500), wheel.pop(600)), (None, Some(7), None));
        assert!(wheel.is_empty());
    }

    proptest! {
        #[test]
        fn with_an_owner_that_looks_again_the_wheel_does_what_a_sorted_map_does(
            steps in proptest::collection::vec((0_u32..40, 0_u64..300_000, 0_u64..9_000, 0_u8..8), 1..200),
        ) {
            let mut wheel = Owners::new();
            let mut model: BTreeMap<u32, Tick> = BTreeMap::new();
            let mut now = 0;
            for (index, after, pass, remove) in steps {
                if remove < 3 {
                    model.remove(&index);
                } else if remove == 3 {
                    wheel.sweep();
                    prop_assert_eq!(wheel.wheel.entries(), wheel.armed.iter().filter(|&&at| at != NEVER).count());
                } else {
                    wheel.arm(index, now + after);
                    model.insert(index, now + after);
                }
                if let Some(&first) = model.values().min() {
                    prop_assert!(wheel.next().is_some_and(|next| next <= first));
                }
                now += pass;
                while let Some(popped) = wheel.pop(now) {
                    match model.get(&popped) {
                        Some(&at) if at > now => wheel.arm(popped, at),
                        _ => { model.remove(&popped); }
                    }
                }
                prop_assert!(model.values().all(|&at| at > now), "a timer is late");
            }
            while let Some(next) = wheel.next() {
                while wheel.pop(next).is_some() {}
            }
            prop_assert!(wheel.is_empty());
        }
    }
}
