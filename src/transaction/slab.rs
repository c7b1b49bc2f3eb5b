//! Slots with names that are never given twice.
use super::timers::{NEVER, Tick};
use std::num::NonZeroU64;

/// Slots that are allocated together: growing never moves one, and costs the same however many there are.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 12;

/// Index and generation of a slot: a value that is gone is not mistaken for the one that came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(NonZeroU64);

impl Id {
    fn new(index: u32, generation: u32) -> Id {
        // Generations count from 1.
        Id(NonZeroU64::new(u64::from(generation) << 32 | u64::from(index)).unwrap_or(NonZeroU64::MAX))
    }

    /// Which slot.
    pub(super) fn index(self) -> u32 {
        self.0.get() as u32
    }

    fn generation(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

/// Values in slots; a freed slot is used again under a new generation.
#[derive(Debug)]
pub(super) struct Slab<T> {
    /// All full but the last.
    chunks: Vec<Vec<Slot<T>>>,
    free: Vec<u32>,
}

/// Two lines of cache, which are fetched together.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Slot<T> {
    value: Option<T>,
    /// For when the wheel holds the slot; it outlives the value, so that the next one needs no new entry there.
    armed: Tick,
    generation: u32,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { chunks: Vec::new(), free: Vec::new() }
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.chunks.get((index >> CHUNK_BITS) as usize)?.get(index as usize % CHUNK)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut((index >> CHUNK_BITS) as usize)?.get_mut(index as usize % CHUNK)
    }

    /// Stores a value; `None` when `u32::MAX` slots are in use.
    pub(super) fn insert(&mut self, value: T) -> Option<Id> {
        if let Some(index) = self.free.pop() {
            let slot = self.slot_mut(index)?;
            slot.value = Some(value);
            return Some(Id::new(index, slot.generation));
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut()?;
        let index = u32::try_from(before + chunk.len()).ok().filter(|&index| index != u32::MAX)?;
        chunk.push(Slot { generation: 1, armed: NEVER, value: Some(value) });
        Some(Id::new(index, 1))
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let slot = self.slot(id.index())?;
        slot.value.as_ref().filter(|_| slot.generation == id.generation())
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.get_armed(id).map(|(value, _)| value)
    }

    /// A value, and for when the wheel holds its slot.
    pub(super) fn get_armed(&mut self, id: Id) -> Option<(&mut T, &mut Tick)> {
        let slot = self.slot_mut(id.index())?;
        let value = slot.value.as_mut().filter(|_| slot.generation == id.generation())?;
        Some((value, &mut slot.armed))
    }

    /// The value that is in a slot now, and its name.
    pub(super) fn at(&self, index: u32) -> Option<(Id, &T)> {
        let slot = self.slot(index)?;
        slot.value.as_ref().map(|value| (Id::new(index, slot.generation), value))
    }

    /// The same, and for when the wheel holds the slot.
    pub(super) fn at_armed(&mut self, index: u32) -> Option<(Id, &mut T, &mut Tick)> {
        let slot = self.slot_mut(index)?;
        let id = Id::new(index, slot.generation);
        slot.value.as_mut().map(|value| (id, value, &mut slot.armed))
    }

    /// Is the wheel's entry the one that counts? Then the slot is not held by the wheel any more.
    pub(super) fn disarm(&mut self, index: u32, at: Tick) -> bool {
        let Some(slot) = self.slot_mut(index).filter(|slot| slot.armed == at) else { return false };
        slot.armed = NEVER;
        true
    }

    /// Does the wheel hold the slot for that moment?
    pub(super) fn is_armed(&self, index: u32, at: Tick) -> bool {
        self.slot(index).is_some_and(|slot| slot.armed == at)
    }

    #[cfg(test)]
    pub(super) fn armed(&self) -> usize {
        self.chunks.iter().flatten().filter(|slot| slot.armed != NEVER).count()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().filter_map(|slot| slot.value.as_ref())
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        let slot = self.slot_mut(id.index())?;
        if slot.generation != id.generation() {
            return None;
        }
        let value = slot.value.take()?;
        // A slot whose generations are used up rests for ever, so that no name comes twice.
        if let Some(generation) = slot.generation.checked_add(1) {
            slot.generation = generation;
            self.free.push(id.index());
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_not_given_twice_though_its_slot_is() {
        let mut slab = Slab::new();
        let first = slab.insert("first").unwrap();
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second").unwrap();
        assert_eq!(first.index(), second.index());
        assert_ne!(first, second);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.at(second.index()), Some((second, &"second")));
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_rests() {
        let mut slab = Slab::new();
        let id = slab.insert(1).unwrap();
        slab.chunks[0][0].generation = u32::MAX;
        assert_eq!(slab.get(id), None);
        assert_eq!(slab.remove(Id::new(0, u32::MAX)), Some(1));
        assert_eq!(slab.insert(2).unwrap().index(), 1);
    }

    #[test]
    fn slots_stay_where_they_are_over_many_chunks() {
        let mut slab = Slab::new();
        let ids: Vec<Id> = (0..3 * CHUNK as u32 + 1).map(|n| slab.insert(n).unwrap()).collect();
        assert!(
            ids.iter()
                .enumerate()
                .all(|(n, &id)| id.index() == n as u32 && slab.get(id) == Some(&(n as u32)))
        );
        assert_eq!((slab.chunks.len(), slab.iter().count()), (4, ids.len()));
        for &id in &ids {
            assert_eq!(slab.remove(id), Some(id.index()));
        }
        assert_eq!(slab.iter().count(), 0);
    }
}
