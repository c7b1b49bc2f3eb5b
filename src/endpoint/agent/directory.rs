//! The calls of an agent, and how their dialogs stand.

use super::dispatch::Mail;
use crate::error::{Argument, Error, Problem};
use crate::message::Message;
use crate::transaction::ServerId;
use crate::ua::call::Call;
use crate::ua::dialog::DialogId;
use crate::ua::transfer::{DialogState, Replaces};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Limit of calls in all, as a multiple of those that may be up: those that have ended and answer what is repeated for 64*T1.
const LINGERING: usize = 16;
/// Dialogs that have ended and are remembered, so that a Replaces of one gets 603 and not 481.
const MAX_ENDED: usize = 256;
/// For how long: as long as a request may be on its way.
const ENDED_FOR: Duration = Duration::from_secs(32);

/// The calls of an agent: by Call-ID and our tag, and by the INVITE that they came with.
#[derive(Debug, Default)]
pub(super) struct Directory(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Both are our own choice, or at least the tag is: no peer can choose keys.
    calls: HashMap<Key, Entry>,
    /// How many of them have ended, and only answer what is repeated.
    lingering: usize,
    invites: HashMap<ServerId, mpsc::Sender<Mail>>,
    /// Dialogs of calls that ended, the latest last.
    ended: VecDeque<(Instant, DialogId)>,
}

/// Call-ID and our tag.
pub(super) type Key = (Box<[u8]>, Box<[u8]>);

#[derive(Debug)]
struct Entry {
    post: mpsc::Sender<Mail>,
    dialogs: Vec<(DialogId, DialogState)>,
}

fn key(call: &Call) -> Key {
    (call.call_id().as_bytes().into(), call.local_tag().as_bytes().into())
}

impl Directory {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(
        &self,
        call: &Call,
        invite: Option<ServerId>,
        post: &mpsc::Sender<Mail>,
        max: usize,
    ) -> Result<(), Error> {
        let mut entries = self.entries();
        if entries.is_full(max) {
            return Err(Error::usage(
                Argument::MaxCalls,
                max,
                Problem::unusable("there are as many calls already", "end one, or allow more"),
            ));
        }
        entries.calls.insert(key(call), Entry { post: post.clone(), dialogs: Vec::new() });
        if let Some(invite) = invite {
            entries.invites.insert(invite, post.clone());
        }
        Ok(())
    }

    /// How the dialogs of a call stand now.
    pub(super) fn note(&self, call: &Call) {
        let dialogs = call.dialogs().map(|(id, state)| (id.clone(), state)).collect();
        if let Some(entry) = self.entries().calls.get_mut(&key(call)) {
            entry.dialogs = dialogs;
        }
    }

    /// The call has ended; it leaves when nothing of it can be repeated any more.
    pub(super) fn ended(&self) {
        self.entries().lingering += 1;
    }

    /// Nothing of this call is on its way any more; had it ended?
    pub(super) fn leave(&self, now: Instant, call: &Call, ended: bool) {
        let mut entries = self.entries();
        entries.calls.remove(&key(call));
        entries.lingering = entries.lingering.saturating_sub(ended.into());
        for (dialog, _) in call.dialogs() {
            if entries.ended.len() == MAX_ENDED {
                entries.ended.pop_front();
            }
            entries.ended.push_back((now, dialog.clone()));
        }
    }

    /// The dialog that a Replaces names (RFC 3891 sec. 3): its call, and how it stands.
    pub(super) fn named(&self, now: Instant, replaces: &Replaces) -> (Key, DialogState) {
        let DialogId { call_id, local_tag, .. } = &replaces.dialog;
        let key = (call_id.clone(), local_tag.clone());
        let entries = self.entries();
        let names = |(dialog, _): &&(DialogId, DialogState)| replaces.names(dialog);
        let found = entries.calls.get(&key).and_then(|entry| entry.dialogs.iter().find(names));
        let state = match found {
            Some((_, state)) => *state,
            None => {
                let recent = |at: &Instant| now.saturating_duration_since(*at) <= ENDED_FOR;
                let ended = entries.ended.iter().any(|(at, dialog)| recent(at) && replaces.names(dialog));
                if ended { DialogState::Ended } else { DialogState::Unknown }
            }
        };
        (key, state)
    }

    /// Tells a call that another has taken its place.
    pub(super) fn give_way(&self, key: &Key, by: &Call) {
        let post = self.entries().calls.get(key).map(|entry| entry.post.clone());
        if let Some(post) = post {
            // When there is no room the call is not attended to at all; it ends by its own timers.
            let _ = post.try_send(Mail::GiveWay { by: by.call_id().to_owned() });
        }
    }

    pub(super) fn enter_invite(&self, invite: ServerId, post: &mpsc::Sender<Mail>) {
        self.entries().invites.insert(invite, post.clone());
    }

    /// The INVITE has its final response: a CANCEL finds nothing any more.
    pub(super) fn leave_invite(&self, invite: ServerId) {
        self.entries().invites.remove(&invite);
    }

    /// The endpoint is closed: calls that still wait for something wait in vain.
    pub(super) fn close(&self) {
        *self.entries() = Entries::default();
    }

    pub(super) fn of_dialog(&self, message: &Message) -> Option<mpsc::Sender<Mail>> {
        let to = message.to().ok()?;
        let key = (message.call_id().ok()?.into(), to.tag()?.into());
        self.entries().calls.get(&key).map(|entry| entry.post.clone())
    }

    pub(super) fn of_invite(&self, invite: ServerId) -> Option<mpsc::Sender<Mail>> {
        self.entries().invites.get(&invite).cloned()
    }

    pub(super) fn is_full(&self, max: usize) -> bool {
        self.entries().is_full(max)
    }
}

impl Entries {
    fn is_full(&self, max: usize) -> bool {
        let all = self.calls.len();
        all.saturating_sub(self.lingering) >= max || all >= max.saturating_mul(LINGERING)
    }
}
