//! The legs that the PBX has at the moment, and where the calls that they belong to take questions.

mod inbox;
mod state;

pub(super) use inbox::{CallInbox, JoinedLegs, Question, Reply};
pub(super) use state::LegState;

use crate::ua::transfer::Replaces;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Names a leg; never used twice by one PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(u64);

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which way a leg was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The user called the PBX.
    Caller,
    /// The PBX called the user.
    Called,
}

/// One dialog between the PBX and a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leg {
    /// Its name.
    pub id: LegId,
    /// Which way it was made.
    pub role: Role,
    /// The user at its far end.
    pub user: String,
    /// The number that was called.
    pub number: String,
    /// Its Call-ID.
    pub call_id: String,
    /// Time at which it began.
    pub since: Instant,
    /// Whether it is answered.
    pub answered: bool,
    /// The leg that it is joined with.
    pub peer: Option<LegId>,
}

/// All of them. Bounded by [`Config::max_calls`](super::Config::max_calls).
#[derive(Debug, Default)]
pub(super) struct Legs(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    legs: BTreeMap<LegId, Row>,
    last: u64,
}

#[derive(Debug)]
struct Row {
    leg: Leg,
    /// Our tag in its dialog.
    tag: String,
    /// Of the call that it is a leg of.
    inbox: Option<CallInbox>,
}

/// A leg's place in the table; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    id: LegId,
    legs: Arc<Legs>,
}

impl Legs {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn all(&self) -> Vec<Leg> {
        self.table().legs.values().map(|row| row.leg.clone()).collect()
    }
    /// Legs of this user, in either role.
    pub(super) fn of_user(&self, user: &str) -> usize {
        self.table().legs.values().filter(|row| row.leg.user == user).count()
    }
    /// The leg whose dialog is named, by Call-ID and our tag, and the inbox of its call. The tag of the peer is for the call to judge.
    pub(super) fn named(&self, replaces: &Replaces) -> Option<(LegId, CallInbox)> {
        let table = self.table();
        let dialog = &replaces.dialog;
        let mut rows = table.legs.iter();
        rows.find_map(|(id, row)| {
            let same =
                *row.leg.call_id.as_bytes() == *dialog.call_id && *row.tag.as_bytes() == *dialog.local_tag;
            row.inbox.clone().filter(|_| same).map(|inbox| (*id, inbox))
        })
    }
    pub(super) fn enter(
        self: &Arc<Legs>,
        role: Role,
        user: &str,
        number: &str,
        (call_id, tag): (&str, &str),
        since: Instant,
    ) -> Entry {
        let mut table = self.table();
        table.last += 1;
        let id = LegId(table.last);
        let leg = Leg {
            id,
            role,
            user: user.to_owned(),
            number: number.to_owned(),
            call_id: call_id.to_owned(),
            since,
            answered: false,
            peer: None,
        };
        let what = if role == Role::Caller { "calls" } else { "is called as" };
        tracing::info!(target: "ringback::sim", "leg {id}: {} {what} {}", user.escape_debug(), number.escape_debug());
        table.legs.insert(id, Row { leg, tag: tag.to_owned(), inbox: None });
        Entry { id, legs: Arc::clone(self) }
    }
}

impl Entry {
    pub(super) fn join(&self, other: &Entry) {
        let mut table = self.legs.table();
        for (leg, peer) in [(self.id, other.id), (other.id, self.id)] {
            if let Some(row) = table.legs.get_mut(&leg) {
                row.leg.peer = Some(peer);
            }
        }
    }
    pub(super) fn answered(&self) {
        if let Some(row) = self.legs.table().legs.get_mut(&self.id) {
            row.leg.answered = true;
            tracing::info!(target: "ringback::sim", "leg {}: answered", self.id);
        }
    }
    pub(super) fn id(&self) -> LegId {
        self.id
    }
    /// It belongs to the call with this inbox now.
    pub(super) fn belongs_to(&self, inbox: &CallInbox) {
        if let Some(row) = self.legs.table().legs.get_mut(&self.id) {
            row.inbox = Some(inbox.clone());
        }
    }
    /// It has ended, whatever may still come of it.
    pub(super) fn leave(&self) {
        let mut table = self.legs.table();
        if let Some(row) = table.legs.remove(&self.id) {
            let how = if row.leg.answered { "over" } else { "over, it was not answered" };
            tracing::info!(target: "ringback::sim", "leg {}: {how}", self.id);
        }
        for row in table.legs.values_mut().filter(|row| row.leg.peer == Some(self.id)) {
            row.leg.peer = None;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.leave();
    }
}
