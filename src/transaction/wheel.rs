//! One timer per transaction in a hierarchical wheel, exact to the millisecond.
//!
//! Arming and firing each touch a constant number of places, whatever the number of timers: the slots of level 0 are 1 ms wide,
//! those of each further level 64 times as wide as those below it. The list of a slot is threaded through one array with one place
//! for each transaction, so nothing stale can pile up.
use super::timers::{NEVER, Tick};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 8;
/// Farthest moment (nearly 9,000 years); later ones fire there.
const FARTHEST: Tick = (1 << (BITS * LEVELS as u32)) - 1;
const NIL: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    at: Tick,
    previous: u32,
    next: u32,
}

const UNSET: Node = Node { at: NEVER, previous: NIL, next: NIL };

#[derive(Debug, Clone, Copy)]
struct List {
    /// No timer of the list is earlier; exact unless the earliest was armed for an earlier moment since.
    earliest: Tick,
    head: u32,
    tail: u32,
}

const EMPTY: List = List { earliest: NEVER, head: NIL, tail: NIL };

/// The timers of all transactions, by the index of their slot.
#[derive(Debug)]
pub(super) struct Wheel {
    nodes: Vec<Node>,
    lists: Box<[[List; SLOTS]; LEVELS]>,
    occupied: [u64; LEVELS],
    /// All timers before this moment have fired.
    elapsed: Tick,
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
            nodes: Vec::new(),
            lists: Box::new([[EMPTY; SLOTS]; LEVELS]),
            occupied: [0; LEVELS],
            elapsed: 0,
        }
    }

    /// Sees to it that a transaction is popped at `at` or before. One that is armed for an earlier moment stays so: its owner looks
    /// again then. So a deadline that moves away, which most do, costs nothing, and nothing is ever removed but by time.
    pub(super) fn arm(&mut self, index: u32, at: Tick) {
        let armed = self.nodes.get(index as usize).map_or(NEVER, |node| node.at);
        if armed <= at {
            return;
        }
        if armed == NEVER {
            let needed = index as usize + 1;
            if self.nodes.len() < needed {
                self.nodes.resize(needed, UNSET);
            }
        } else {
            self.remove(index);
        }
        self.append(index, at.clamp(self.elapsed, FARTHEST));
    }

    fn remove(&mut self, index: u32) {
        let Some(node) = self.nodes.get(index as usize).copied().filter(|node| node.at != NEVER) else {
            return;
        };
        let (level, slot) = place(self.elapsed, node.at);
        let list = &mut self.lists[level][slot];
        match node.previous {
            NIL => list.head = node.next,
            previous => self.nodes[previous as usize].next = node.next,
        }
        match node.next {
            NIL => list.tail = node.previous,
            next => self.nodes[next as usize].previous = node.previous,
        }
        if list.head == NIL {
            *list = EMPTY;
            self.occupied[level] &= !(1 << slot);
        }
        self.nodes[index as usize] = UNSET;
    }

    fn append(&mut self, index: u32, at: Tick) {
        let (level, slot) = place(self.elapsed, at);
        let list = &mut self.lists[level][slot];
        self.nodes[index as usize] = Node { at, previous: list.tail, next: NIL };
        match list.tail {
            NIL => list.head = index,
            tail => self.nodes[tail as usize].next = index,
        }
        list.tail = index;
        list.earliest = list.earliest.min(at);
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

    /// When [`Wheel::pop`] has something to give.
    pub(super) fn next(&self) -> Option<Tick> {
        self.first().map(|(level, slot, start)| self.lists[level][slot].earliest.max(start))
    }

    /// Takes out one transaction that is armed for `now` or before, the earliest first.
    pub(super) fn pop(&mut self, now: Tick) -> Option<u32> {
        loop {
            let first = self.first().filter(|&(_, _, start)| start <= now);
            let Some((level, slot, start)) = first else {
                self.elapsed = self.elapsed.max(now.min(FARTHEST));
                return None;
            };
            if level == 0 {
                self.elapsed = start;
                let index = self.lists[0][slot].head;
                self.remove(index);
                return Some(index);
            }
            // The slot begins: its timers move down to where they can be told apart.
            self.elapsed = start;
            let list = std::mem::replace(&mut self.lists[level][slot], EMPTY);
            self.occupied[level] &= !(1 << slot);
            let mut index = list.head;
            while index != NIL {
                let node = self.nodes[index as usize];
                self.append(index, node.at);
                index = node.next;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.occupied == [0; LEVELS] && self.nodes.iter().all(|node| node.at == NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_timer_fires_at_its_millisecond_and_not_before() {
        for at in [0, 1, 63, 64, 65, 499, 500, 4_095, 4_096, 32_000, 262_144, 3_600_000, FARTHEST] {
            let mut wheel = Wheel::new();
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
        let mut wheel = Wheel::new();
        assert_eq!(wheel.pop(1_000), None);
        wheel.arm(0, 10);
        assert_eq!(wheel.next(), Some(1_000));
        assert_eq!(wheel.pop(1_000), Some(0));
    }

    #[test]
    fn timers_of_one_millisecond_fire_in_the_order_in_which_they_were_set() {
        let mut wheel = Wheel::new();
        for index in 0..5 {
            wheel.arm(index, 500);
        }
        wheel.arm(2, 400);
        let fired: Vec<u32> = std::iter::from_fn(|| wheel.pop(500)).collect();
        assert_eq!(fired, [2, 0, 1, 3, 4]);
    }

    #[test]
    fn a_timer_is_moved_to_an_earlier_moment_but_not_to_a_later_one() {
        let mut wheel = Wheel::new();
        wheel.arm(0, 500);
        wheel.arm(0, 600);
        assert_eq!(wheel.next(), Some(500));
        wheel.arm(0, 30);
        assert_eq!((wheel.pop(29), wheel.pop(30), wheel.next()), (None, Some(0), None));
    }

    proptest! {
        #[test]
        fn with_an_owner_that_looks_again_the_wheel_does_what_a_sorted_map_does(
            steps in proptest::collection::vec((0_u32..40, 0_u64..300_000, 0_u64..9_000, any::<bool>()), 1..200),
        ) {
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<u32, Tick> = BTreeMap::new();
            let mut now = 0;
            for (index, after, pass, remove) in steps {
                if remove {
                    model.remove(&index);
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
