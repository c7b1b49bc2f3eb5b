//! The park orbit: calls that wait at a number, with music, until somebody calls that number.

use super::Pbx;
use super::bridge::{Which, now};
use super::consult::Waiting;
use super::desk::{Ask, Desk};
use super::faults::Faults;
use super::route::{Destination, refuse};
use super::side::Side;
use crate::message::Message;
use crate::syntax::{HeaderName, ReferredBy};
use crate::ua::call::Command;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Is this number a place of the orbit? `70` with three places has 701, 702 and 703.
pub(super) fn is_slot((number, places): &(String, u16), called: &str) -> bool {
    let place = called.strip_prefix(number.as_str()).filter(|place| !place.starts_with(['0', '+']));
    place.and_then(|place| place.parse::<u16>().ok()).is_some_and(|place| place <= *places)
}

/// The places that are taken, and where those who wait there are asked for. Bounded by the places of the orbit.
#[derive(Debug, Default)]
pub(super) struct Lot(Mutex<BTreeMap<String, Desk>>);

/// A place that is taken; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    slot: String,
    /// The user who is rung when nobody comes.
    parker: String,
    questions: mpsc::Receiver<Ask>,
    lot: Arc<Lot>,
}

impl Lot {
    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Desk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where somebody waits already.
    pub(super) fn reserve(self: &Arc<Lot>, slot: &str, parker: &str) -> Option<Place> {
        let mut places = self.places();
        if places.contains_key(slot) {
            return None;
        }
        let (desk, questions) = Desk::new();
        places.insert(slot.to_owned(), desk);
        let (slot, parker) = (slot.to_owned(), parker.to_owned());
        Some(Place { slot, parker, questions, lot: Arc::clone(self) })
    }

    fn desk(&self, slot: &str) -> Option<Desk> {
        self.places().get(slot).cloned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lot.places().remove(&self.slot);
    }
}

/// How waiting ended.
enum End {
    Gone,
    Fetched(Box<Side>),
    TimedOut,
}

impl Pbx {
    /// What a call to a place is for: a device that was sent there (RFC 3892) waits, any other comes to fetch.
    pub(super) fn at_slot(&self, slot: String, invite: &Message) -> Destination {
        let sent = invite.parsed(HeaderName::ReferredBy, ReferredBy::parse).and_then(Result::ok);
        let occupied = self.lot.desk(&slot).is_some();
        match sent.map(|sent| crate::sim::registrar::text_of_user(sent.address.uri())) {
            Some(parker) if !occupied => match self.lot.reserve(&slot, &parker) {
                Some(place) => Destination::Parked(Box::new(place)),
                None => Destination::Nobody,
            },
            None if occupied => Destination::Slot(slot),
            _ => Destination::Nobody,
        }
    }

    /// Connects a caller with whoever waits at a place.
    pub(super) async fn fetch(&self, side: Side, slot: &str) {
        let side = Box::new(side);
        let asked = match self.lot.desk(slot) {
            Some(desk) => desk.ask(Ask::Fetch { side }),
            None => Err(Ask::Fetch { side }),
        };
        if let Err(Ask::Fetch { side }) = asked {
            refuse(*side, 404).await;
        }
    }

    /// Lets a leg wait.
    pub(super) async fn park(&self, side: Side, mut place: Place, faults: Faults) {
        if !side.up {
            side.handle.command(Command::Answer).await;
        }
        let mut waiting = Waiting::new(side, Which::Caller, &mut self.ids());
        let end = self.wait(&mut waiting, &mut place).await;
        let parker = place.parker.clone();
        drop(place);
        match end {
            End::Gone => {}
            End::Fetched(caller) => {
                caller.handle.command(Command::Answer).await;
                self.joined(*caller, waiting.side, faults).await;
            }
            End::TimedOut => self.ring_back(waiting.side, &parker, faults).await,
        }
    }

    async fn wait(&self, waiting: &mut Waiting, place: &mut Place) -> End {
        let end = now() + self.config.park_time;
        let mut ids = self.ids();
        loop {
            let due = waiting.due().unwrap_or(end).min(end);
            tokio::select! {
                biased;
                asked = place.questions.recv() => match asked {
                    Some(Ask::Fetch { side }) => return End::Fetched(side),
                    // Nobody else knows this desk.
                    _ => return End::Gone,
                },
                happened = poll_fn(|cx| waiting.side.poll_next(cx)) => {
                    if !waiting.heard_of(happened, &mut ids).await {
                        return End::Gone;
                    }
                }
                () = tokio::time::sleep_until(due.into()) => {
                    if now() >= end {
                        return End::TimedOut;
                    }
                    waiting.play(now());
                }
            }
        }
    }

    /// Nobody came: whoever parked the call gets it back.
    async fn ring_back(&self, side: Side, parker: &str, faults: Faults) {
        let Some(user) = self.registrar().by_number(parker).cloned() else { return refuse(side, 404).await };
        let codec = side.plan.as_ref().map(|plan| plan.codec);
        let placed = match self.place(&[user], parker, &side.user, &faults, codec).await {
            Ok(placed) => self.dial(placed).await,
            Err(status) => Err(status),
        };
        match placed {
            Ok(called) => self.bridge(side, called, faults, None).await,
            Err(status) => refuse(side, status).await,
        }
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
