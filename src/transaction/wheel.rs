//! One timer per transaction in a hierarchical wheel, exact to the millisecond.
//!
//! Arming and firing each touch a constant number of places, whatever the number of timers: the lists of level 0 are 1 ms wide,
//! those of each further level 64 times as wide as those below it. Lists are contiguous: written at the end, read forwards, so that
//! a million timers cost little more than a thousand, in whatever order their owners lie in memory.
//!
//! When a list begins, its timers move down to where they can be told apart. A list may hold most of a million timers; so that this is
//! no pause, they move beforehand, a few with each call ([`Wheel::prepare`]): each level has lists for the time that its parent's
//! current list spans, and for that of the next one.
//!
//! For when a slot is armed stands in the slot. An entry that says otherwise is stale and skipped. Stale entries come from timers that
//! are moved to an earlier moment, and from nothing else: a slot that is used again takes over the entry that is there. When there are
//! more of them than armed slots and [`STALE_AT_MOST`], [`Wheel::sweep`] drops them, again a few with each call.
mod list;

use super::timers::{NEVER, Tick};
use list::{Entry, List, Position};

const BITS: u32 = 6;
/// Lists of a level that one list of the level above spans.
const SLOTS: usize = 1 << BITS;
/// Lists of a level: for the current list of the level above, and for the next.
const LISTS: usize = 2 * SLOTS;
const LEVELS: usize = 8;
/// So few timers may move when their list begins.
const AT_ONCE_AT_MOST: usize = 2_048;
/// Entries whose slots a sweep looks at together.
const AT_ONCE: usize = 64;
/// Farthest moment (nearly 9,000 years); later ones fire there.
const FARTHEST: Tick = (1 << (BITS * LEVELS as u32)) - 1;
/// Stale entries, beyond as many as there are armed slots, before a sweep begins.
const STALE_AT_MOST: usize = 1_024;

/// Which list: its level, its place there, and the moment at which it begins.
#[derive(Debug, Clone, Copy)]
struct Found {
    level: usize,
    place: usize,
    start: Tick,
}

/// Where a sweep has come to.
#[derive(Debug, Clone, Copy)]
struct Sweep {
    list: usize,
    position: Position,
}

/// The timers of all transactions, by the index of their slot.
#[derive(Debug)]
pub(super) struct Wheel {
    lists: Box<[[List; LISTS]; LEVELS]>,
    occupied: [u128; LEVELS],
    /// All timers before this moment have fired.
    elapsed: Tick,
    /// Slots that are armed.
    armed: usize,
    /// Those and the stale ones.
    entries: usize,
    sweep: Option<Sweep>,
}

fn shift(level: usize) -> u32 {
    level as u32 * BITS
}

/// The place on its level of the list for a moment.
fn place(level: usize, at: Tick) -> usize {
    (at >> shift(level)) as usize % LISTS
}

/// The level of `at`, seen from `elapsed`, which is not later: that of the highest digit in which the two differ. It stays the same
/// while `elapsed` moves towards the start of its list.
fn level(elapsed: Tick, at: Tick) -> usize {
    let different = elapsed ^ at;
    ((63 - (different | 1).leading_zeros()) / BITS) as usize
}

impl Wheel {
    pub(super) fn new() -> Wheel {
        Wheel {
            lists: Box::new([const { [List::EMPTY; LISTS] }; LEVELS]),
            occupied: [0; LEVELS],
            elapsed: 0,
            armed: 0,
            entries: 0,
            sweep: None,
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
        self.put(level(self.elapsed, entry.at), entry);
    }

    fn put(&mut self, level: usize, entry: Entry) {
        let place = place(level, entry.at);
        self.lists[level][place].push(entry);
        self.occupied[level] |= 1 << place;
    }

    /// The first list of each level that has one, up to the level behind which nothing is earlier: one whose first list lies within the
    /// current list of the level above.
    fn firsts(&self) -> impl Iterator<Item = Found> {
        let mut ended = false;
        self.occupied.iter().enumerate().filter(|&(_, &occupied)| occupied != 0).map_while(
            move |(level, occupied)| {
                if ended {
                    return None;
                }
                let current = self.elapsed >> shift(level);
                let ahead = occupied.rotate_right((current % LISTS as u64) as u32).trailing_zeros();
                let list = current + u64::from(ahead);
                ended = list >> BITS == current >> BITS;
                Some(Found { level, place: list as usize % LISTS, start: list << shift(level) })
            },
        )
    }

    /// The list that begins first; of those that begin together, that of the highest level.
    fn first(&self) -> Option<Found> {
        self.firsts().reduce(|first, found| if found.start <= first.start { found } else { first })
    }

    /// When [`Wheel::pop`] may have something to give.
    pub(super) fn next(&self) -> Option<Tick> {
        self.firsts().map(|found| self.lists[found.level][found.place].earliest().max(found.start)).min()
    }

    /// Takes out the earliest entry for `now` or before: a slot, and for when it was armed, if the entry is not stale
    /// ([`Wheel::disarmed`]).
    pub(super) fn pop(&mut self, now: Tick) -> Option<(u32, Tick)> {
        // The list that the last one came from: nothing begins before what is left of it.
        if self.elapsed <= now
            && let Some(popped) = self.pop_of(place(0, self.elapsed))
        {
            return Some(popped);
        }
        loop {
            let Some(Found { level, place, start }) = self.first().filter(|found| found.start <= now) else {
                self.elapsed = self.elapsed.max(now.min(FARTHEST));
                return None;
            };
            self.elapsed = start;
            if level > 0 {
                self.lower(level, place, usize::MAX, Wheel::append);
                // Lists of the levels below begin at the same moment, and hold what was prepared. Nobody looks for them once they are
                // the current ones.
                for below in (1..level).rev() {
                    self.lower(below, self::place(below, start), usize::MAX, Wheel::append);
                }
            } else if let Some(popped) = self.pop_of(place) {
                return Some(popped);
            }
        }
    }

    /// Takes an entry out of a list of level 0.
    fn pop_of(&mut self, place: usize) -> Option<(u32, Tick)> {
        if self.occupied[0] & 1 << place == 0 {
            return None;
        }
        let list = &mut self.lists[0][place];
        let entry = list.pop();
        if list.is_empty() {
            self.occupied[0] &= !(1 << place);
        }
        let Entry { at, index } = entry?;
        self.entries -= 1;
        Some((index, at))
    }

    /// Moves up to `count` entries of a list down, the oldest first; gives how many are left of `count`.
    fn lower(&mut self, level: usize, place: usize, count: usize, put: impl Fn(&mut Wheel, Entry)) -> usize {
        let mut list = std::mem::replace(&mut self.lists[level][place], List::EMPTY);
        let mut left = count;
        while left > 0 {
            let Some(entry) = list.pop() else { break };
            put(self, entry);
            left -= 1;
        }
        if list.is_empty() {
            self.occupied[level] &= !(1 << place);
        }
        self.lists[level][place] = list;
        left
    }

    /// Are there so many timers that to move them at once would be a pause?
    pub(super) fn wants_prepare(&self) -> bool {
        self.entries > AT_ONCE_AT_MOST
    }

    /// Moves up to `count` timers down beforehand: those of the next list of each level, the lowest level first, which begins first.
    pub(super) fn prepare(&mut self, mut count: usize) {
        for level in 1..LEVELS {
            if self.occupied[level] == 0 {
                continue;
            }
            let place = ((self.elapsed >> shift(level)) + 1) as usize % LISTS;
            if self.occupied[level] & 1 << place != 0 {
                count = self.lower(level, place, count, |wheel, entry| wheel.put(level - 1, entry));
                if count == 0 {
                    return;
                }
            }
        }
    }

    /// Adds to `slots` those whose timers come next, at most `count` and only whole milliseconds; gives the moment up to which that
    /// is all.
    pub(super) fn ahead(&self, count: usize, slots: &mut Vec<u32>) -> Tick {
        let (first, end) = (self.elapsed + 1, (self.elapsed | (SLOTS as Tick - 1)) + 1);
        let mut room = count;
        let mut bits = self.occupied[0].rotate_right((first % LISTS as u64) as u32);
        bits &= (1 << (end - first)) - 1;
        while bits != 0 {
            let at = first + u64::from(bits.trailing_zeros());
            let list = &self.lists[0][place(0, at)];
            let Some(left) = room.checked_sub(list.len()) else { return at };
            room = left;
            slots.extend(list.iter().map(|entry| entry.index));
            bits &= bits - 1;
        }
        end
    }

    /// What was popped was not stale, and its slot is not armed any more.
    pub(super) fn disarmed(&mut self) {
        self.armed -= 1;
    }

    /// Are there more stale entries than there may be, or is a sweep under way?
    pub(super) fn wants_sweep(&self) -> bool {
        self.sweep.is_some() || self.entries > 2 * self.armed + STALE_AT_MOST
    }

    /// Looks at up to `count` entries and drops those whose slot is armed for another moment. A sweep ends when it has been at all
    /// lists, the highest level first, because entries move down. What is left of a list may change its order.
    pub(super) fn sweep(&mut self, count: usize, is_armed: impl Fn(u32, Tick) -> bool) {
        let mut at = self.sweep.unwrap_or(Sweep { list: 0, position: Position::default() });
        let mut left = count;
        while left > 0 {
            let place = at.list % LISTS;
            let Some(level) = (LEVELS - 1).checked_sub(at.list / LISTS) else {
                self.sweep = None;
                return;
            };
            let list = &mut self.lists[level][place];
            let Some(rest) = list.rest(&mut at.position) else {
                if list.is_empty() {
                    self.occupied[level] &= !(1 << place);
                }
                at = Sweep { list: at.list + 1, position: Position::default() };
                // Most are empty.
                left -= 1;
                continue;
            };
            // Looked at together, slots that lie far apart are not fetched one after the other.
            let mut stay = [false; AT_ONCE];
            let mut looked = 0;
            for (stay, entry) in stay.iter_mut().zip(rest).take(left) {
                *stay = is_armed(entry.index, entry.at);
                looked += 1;
            }
            self.entries -= list.sift(&mut at.position, stay.get(..looked).unwrap_or_default());
            left -= looked;
        }
        self.sweep = Some(at);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let no_entry = self.lists.iter().flatten().all(List::is_empty);
        self.occupied == [0; LEVELS] && no_entry && (self.armed, self.entries) == (0, 0)
    }

    /// Entries, stale ones too.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        assert_eq!(self.entries, self.lists.iter().flatten().map(List::len).sum::<usize>());
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
                self.sweep(32);
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
        fn sweep(&mut self, count: usize) {
            self.wheel.sweep(count, |index, at| self.armed[index as usize] == at);
        }
        /// Does any entry say what its slot does not?
        fn is_any_stale(&self) -> bool {
            let mut entries = self.wheel.lists.iter().flatten().flat_map(List::iter);
            entries.any(|entry| self.armed[entry.index as usize] != entry.at)
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
    fn stale_entries_are_hardly_more_than_the_armed_slots_and_a_thousand() {
        let mut wheel = Owners::new();
        for index in 0..3_000 {
            wheel.arm(index, 1_000_000 + u64::from(index));
        }
        for earlier in 1..20 {
            for index in 0..3_000 {
                wheel.arm(index, 1_000_000 - 1_000 * earlier + u64::from(index) % 1_000);
                assert!(wheel.wheel.entries() <= (2 * 3_000 + STALE_AT_MOST) * 17 / 16);
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

    #[test]
    fn what_is_prepared_begins_at_its_moment_with_little_left_to_move() {
        let mut wheel = Owners::new();
        for index in 0..4_000 {
            wheel.arm(index, 5_000 + u64::from(index));
        }
        // Within the list of 4,096 ms before theirs.
        assert_eq!((wheel.pop(100), wheel.next()), (None, Some(5_000)));
        let level_of_all =
            |wheel: &Wheel, level: usize| wheel.lists[level].iter().map(List::len).sum::<usize>();
        assert_eq!(level_of_all(&wheel.wheel, 2), 4_000);
        wheel.wheel.prepare(1_000);
        assert_eq!((level_of_all(&wheel.wheel, 2), level_of_all(&wheel.wheel, 1)), (3_000, 1_000));
        wheel.wheel.prepare(10_000);
        let later = 4_000 - (8_192 - 5_000);
        assert_eq!((level_of_all(&wheel.wheel, 2), level_of_all(&wheel.wheel, 1)), (later, 4_000 - later));
        assert_eq!((wheel.pop(4_999), wheel.next()), (None, Some(5_000)));
        for index in 0..4_000 {
            let at = 5_000 + u64::from(index);
            assert_eq!(wheel.next().map(|next| next.max(at)), Some(at));
            assert_eq!((wheel.pop(at - 1), wheel.pop(at), wheel.pop(at)), (None, Some(index), None));
            wheel.wheel.prepare(4);
        }
        assert!(wheel.is_empty());
    }

    #[test]
    fn what_is_prepared_fires_beside_what_was_armed_for_the_same_list_later() {
        let mut wheel = Owners::new();
        let start = 3 << shift(3);
        assert_eq!(wheel.pop(start - 100_000), None);
        wheel.arm(1, start + 51);
        wheel.wheel.prepare(1);
        // Moves down at the same moment, and to a lower level.
        wheel.arm(5, start + 100);
        assert_eq!((wheel.pop(start + 50), wheel.next()), (None, Some(start + 51)));
        assert_eq!((wheel.pop(start + 67), wheel.pop(start + 67)), (Some(1), None));
        assert_eq!((wheel.pop(start + 99), wheel.pop(start + 100)), (None, Some(5)));
        assert!(wheel.is_empty());
    }

    #[test]
    fn what_is_prepared_keeps_its_order() {
        let mut wheel = Owners::new();
        for index in 0..50 {
            wheel.arm(index, 5_000);
            wheel.wheel.prepare(usize::from(index % 3 == 0));
        }
        let mut at = 0;
        for index in 50..200 {
            at += 33;
            assert_eq!(wheel.pop(at), None);
            wheel.wheel.prepare(2);
            wheel.arm(index, 5_000);
        }
        let fired: Vec<u32> = std::iter::from_fn(|| wheel.pop(5_000)).collect();
        assert_eq!(fired, (0..200).collect::<Vec<u32>>());
    }

    #[test]
    fn what_comes_next_is_known_ahead() {
        let mut wheel = Owners::new();
        assert_eq!(wheel.pop(3), None);
        for (index, at) in [3, 4, 9, 9, 20, 63, 64].into_iter().enumerate() {
            wheel.arm(index as u32, at);
        }
        let ahead = |wheel: &Owners, count| {
            let mut slots = Vec::new();
            (wheel.wheel.ahead(count, &mut slots), slots)
        };
        assert_eq!(ahead(&wheel, 9), (64, vec![1, 2, 3, 4, 5]));
        assert_eq!(ahead(&wheel, 3), (20, vec![1, 2, 3]));
        assert_eq!(ahead(&wheel, 2), (9, vec![1]));
        assert_eq!(ahead(&wheel, 0), (4, vec![]));
        assert_eq!(std::iter::from_fn(|| wheel.pop(63)).count(), 6);
        assert_eq!(ahead(&wheel, 9), (64, vec![]));
    }

    proptest! {
        #[test]
        fn with_an_owner_that_looks_again_the_wheel_does_what_a_sorted_map_does(
            steps in proptest::collection::vec((0_u32..40, 0_u64..300_000, 0_u64..9_000, 0_u8..9), 1..200),
        ) {
            let mut wheel = Owners::new();
            let mut model: BTreeMap<u32, Tick> = BTreeMap::new();
            let mut now = 0;
            for (index, after, pass, remove) in steps {
                if remove < 3 {
                    model.remove(&index);
                } else if remove == 3 {
                    // What an unfinished sweep passed by may be stale again.
                    while wheel.wheel.sweep.is_some() {
                        wheel.sweep(7);
                    }
                    wheel.sweep(5);
                    while wheel.wheel.sweep.is_some() {
                        wheel.sweep(7);
                    }
                    prop_assert!(!wheel.is_any_stale());
                } else if remove == 4 {
                    wheel.wheel.prepare(index as usize);
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
