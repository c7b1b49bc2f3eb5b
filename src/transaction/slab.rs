//! Slots with names that are never given twice.

/// Index and generation of a slot: a value that is gone is not mistaken for the one that came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(u64);

impl Id {
    fn new(index: u32, generation: u32) -> Id {
        Id(u64::from(generation) << 32 | u64::from(index))
    }

    /// Which slot.
    pub(super) fn index(self) -> u32 {
        (self.0 & u64::from(u32::MAX)) as u32
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Values in slots; a freed slot is used again under a new generation.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    /// Stores a value; `None` when `u32::MAX` slots are in use.
    pub(super) fn insert(&mut self, value: T) -> Option<Id> {
        if let Some(index) = self.free.pop() {
            let slot = self.slots.get_mut(index as usize)?;
            slot.value = Some(value);
            return Some(Id::new(index, slot.generation));
        }
        let index = u32::try_from(self.slots.len()).ok().filter(|&index| index != u32::MAX)?;
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Some(Id::new(index, 0))
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let slot = self.slots.get(id.index() as usize)?;
        slot.value.as_ref().filter(|_| slot.generation == id.generation())
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index() as usize)?;
        slot.value.as_mut().filter(|_| slot.generation == id.generation())
    }

    /// The name of the value that is in a slot now.
    pub(super) fn id_at(&self, index: u32) -> Option<Id> {
        let slot = self.slots.get(index as usize)?;
        slot.value.as_ref().map(|_| Id::new(index, slot.generation))
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        let slot = self.slots.get_mut(id.index() as usize)?;
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
        assert_eq!(slab.id_at(second.index()), Some(second));
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_rests() {
        let mut slab = Slab::new();
        let id = slab.insert(1).unwrap();
        slab.slots[0].generation = u32::MAX;
        assert_eq!(slab.get(id), None);
        assert_eq!(slab.remove(Id::new(0, u32::MAX)), Some(1));
        assert_eq!(slab.insert(2).unwrap().index(), 1);
    }
}
