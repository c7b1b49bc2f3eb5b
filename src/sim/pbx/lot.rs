//! The places of the park orbit: who waits at which number.

use super::legs::{CallInbox, Question};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Is this number a place of the orbit? `70` with three places has 701, 702 and 703.
pub(super) fn is_slot((number, places): &(String, u16), called: &str) -> bool {
    let place = called.strip_prefix(number.as_str()).filter(|place| !place.starts_with(['0', '+']));
    place.and_then(|place| place.parse::<u16>().ok()).is_some_and(|place| place <= *places)
}

/// The places that are taken, and where those who wait there are asked for. Bounded by the places of the orbit.
#[derive(Debug, Default)]
pub(super) struct Lot(Mutex<BTreeMap<String, CallInbox>>);

/// A place that is taken; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    slot: String,
    /// The user who is rung when nobody comes.
    pub(super) parker: String,
    pub(super) questions: mpsc::Receiver<Question>,
    lot: Arc<Lot>,
}

impl Lot {
    fn places(&self) -> MutexGuard<'_, BTreeMap<String, CallInbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where somebody waits already.
    pub(super) fn reserve(self: &Arc<Lot>, slot: &str, parker: &str) -> Option<Place> {
        let mut places = self.places();
        if places.contains_key(slot) {
            return None;
        }
        let (inbox, questions) = CallInbox::new();
        places.insert(slot.to_owned(), inbox);
        let (slot, parker) = (slot.to_owned(), parker.to_owned());
        Some(Place { slot, parker, questions, lot: Arc::clone(self) })
    }

    pub(super) fn inbox(&self, slot: &str) -> Option<CallInbox> {
        self.places().get(slot).cloned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lot.places().remove(&self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_numbers_behind_that_of_the_orbit() {
        let park = ("70".to_owned(), 12);
        for (number, is) in [
            ("701", true),
            ("7012", true),
            ("70", false),
            ("700", false),
            ("7013", false),
            ("7001", false),
            ("70+1", false),
            ("801", false),
        ] {
            assert_eq!(is_slot(&park, number), is, "{number}");
        }
    }
}
