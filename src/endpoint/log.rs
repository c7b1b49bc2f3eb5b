//! Records by Call-ID: which recorder wants to know of a message, and what it was told.

use super::Config;
use crate::message::{Flow, Message};
use crate::syntax::{Uri, unescape};
use crate::transport::{Direction, MediaRecord, Record, RecordEvent};
use crate::ua::registration::TOKEN;
use bytes::Bytes;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The part of a record's room that strangers have beside it.
const STRANGERS_PART: usize = 4;
/// One part in this many of a record's room is kept for what we ask ourselves, and half of that for final answers as well: whoever talks without
/// end, in requests or in provisional answers, leaves room for our own BYE and its answer.
const OWN_PART: usize = 4;
/// Records of one recorder that are of messages which it may not be meant by.
const STRAYS_KEPT: usize = 64;

/// The record of one recorder: a peer that talks without end fills it and no more.
#[derive(Debug)]
pub(super) struct Log {
    kept: Arc<Mutex<Kept>>,
    /// What comes here is of Call-IDs that nobody of ours knows: it has room of its own, so that strangers never take that of our calls.
    is_of_strangers: bool,
    max: usize,
    max_bytes: usize,
    /// It shares no connection with others any more.
    is_apart: AtomicBool,
    media: Mutex<KeptMedia>,
    max_media: usize,
    max_media_bytes: usize,
}

#[derive(Debug, Default)]
struct KeptMedia {
    records: Vec<MediaRecord>,
    bytes: usize,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Record>,
    bytes: usize,
    dropped: u64,
    strays: usize,
    /// Records and bytes of strangers among them, and records of strangers that were left out.
    foreign: usize,
    foreign_bytes: usize,
    foreign_dropped: u64,
    first_dropped: Option<FirstDropped>,
}

/// The first record of our own calls that there was no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstDropped {
    /// How many records there were by then.
    pub(crate) at: usize,
    /// Where the message came from, or went to.
    pub(crate) remote: SocketAddr,
}

impl Log {
    pub(super) fn new(config: &Config) -> Log {
        Log {
            kept: Arc::default(),
            is_of_strangers: false,
            is_apart: AtomicBool::new(false),
            max: config.max_records,
            max_bytes: config.max_record_bytes,
            media: Mutex::default(),
            max_media: config.max_media_records,
            max_media_bytes: config.max_media_bytes,
        }
    }
    /// The same record, for what comes from strangers.
    fn of_strangers(&self) -> Log {
        Log {
            kept: Arc::clone(&self.kept),
            is_of_strangers: true,
            is_apart: AtomicBool::new(false),
            max: self.max / STRANGERS_PART,
            max_bytes: self.max_bytes / STRANGERS_PART,
            media: Mutex::default(),
            max_media: 0,
            max_media_bytes: 0,
        }
    }
    pub(super) fn push_media(&self, record: MediaRecord) {
        let mut kept = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = kept.bytes.saturating_add(record.bytes.len());
        if kept.records.len() < self.max_media && bytes <= self.max_media_bytes {
            kept.bytes = bytes;
            kept.records.push(record);
        } else {
            kept.dropped += 1;
        }
    }
    pub(super) fn drop_media(&self) {
        self.media.lock().unwrap_or_else(PoisonError::into_inner).dropped += 1;
    }
    pub(super) fn take_media(&self) -> (Vec<MediaRecord>, u64) {
        let mut kept = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes = 0;
        (std::mem::take(&mut kept.records), std::mem::take(&mut kept.dropped))
    }
    pub(super) fn push(&self, at: Instant, flow: Flow, event: RecordEvent) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match &event {
            RecordEvent::Message { bytes, .. } | RecordEvent::Malformed { bytes, .. } => bytes.len(),
            _ => 0,
        };
        let (records, in_use) = match self.is_of_strangers {
            true => (kept.foreign, kept.foreign_bytes),
            false => (kept.records.len() - kept.foreign, kept.bytes - kept.foreign_bytes),
        };
        let kept_free = if self.is_of_strangers { None } else { kept_free_by(&event) };
        let room = |max: usize| max - kept_free.map_or(0, |part| max / part);
        if records >= room(self.max) || in_use.saturating_add(bytes) > room(self.max_bytes) {
            match self.is_of_strangers {
                true => kept.foreign_dropped += 1,
                false => {
                    kept.dropped += 1;
                    let first = FirstDropped { at: kept.records.len(), remote: flow.remote };
                    kept.first_dropped.get_or_insert(first);
                }
            }
            return;
        }
        kept.bytes += bytes;
        if self.is_of_strangers {
            kept.foreign += 1;
            kept.foreign_bytes += bytes;
        }
        kept.records.push(Record { at, flow, event });
    }
    /// From now on it shares no connection with others: one of them, or itself, had it given up.
    pub(super) fn keep_apart(&self) {
        self.is_apart.store(true, Ordering::Relaxed);
    }
    pub(super) fn is_apart(&self) -> bool {
        self.is_apart.load(Ordering::Relaxed)
    }
    /// Something that nobody can say whom it is for: it has little room, so that it never takes that of the recorder's own messages.
    pub(super) fn push_stray(&self, at: Instant, flow: Flow, event: RecordEvent) {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.strays >= STRAYS_KEPT {
                return;
            }
            kept.strays += 1;
        }
        self.push(at, flow, event);
    }
    pub(super) fn sent(&self, at: Instant, flow: Flow, bytes: &Bytes, retransmission: u32) {
        let event = RecordEvent::Message { direction: Direction::Sent, bytes: bytes.clone(), retransmission };
        self.push(at, flow, event);
    }
    pub(super) fn received(&self, at: Instant, flow: Flow, bytes: &Bytes) {
        let event =
            RecordEvent::Message { direction: Direction::Received, bytes: bytes.clone(), retransmission: 0 };
        self.push(at, flow, event);
    }
    pub(super) fn records(&self) -> Vec<Record> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }
    pub(super) fn records_from(&self, first: usize) -> Vec<Record> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.get(first..).unwrap_or_default().to_vec()
    }
    pub(super) fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.len()
    }
    /// Records of strangers that were left out.
    pub(super) fn foreign_dropped(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).foreign_dropped
    }
    pub(super) fn dropped(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).dropped
    }
    pub(super) fn first_dropped(&self) -> Option<FirstDropped> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).first_dropped
    }
}

/// The part of the room (one in this many) that an event does not get; `None` where it may have all.
fn kept_free_by(event: &RecordEvent) -> Option<usize> {
    let RecordEvent::Message { direction, bytes, .. } = event else { return None };
    let status_class = bytes.strip_prefix(b"SIP/2.0 ").and_then(|rest| rest.first());
    match (direction, status_class) {
        // Ours, and what came upon it.
        (Direction::Sent, None) => None,
        (Direction::Received, Some(b'2'..=b'6')) => Some(2 * OWN_PART),
        _ => Some(OWN_PART),
    }
}

/// Which Call-ID belongs to which recorder. Only our own Call-IDs are in it: a peer's bytes are looked up and never kept.
#[derive(Debug, Default)]
pub(super) struct Registry {
    logs: Mutex<Logs>,
}

#[derive(Debug, Default)]
struct Logs {
    of: HashMap<Arc<[u8]>, Arc<Log>>,
    /// Who wants all that nobody else has claimed.
    rest: Option<Arc<Log>>,
    /// Whose bindings calls may come to, by the token of their Contact and by its user.
    called: HashMap<Vec<u8>, Arc<Log>>,
    called_users: HashMap<Vec<u8>, (IpAddr, Arc<Log>)>,
}

/// What shows whose binding a URI is.
struct Shown {
    /// The token of a Contact of ours.
    token: Option<Vec<u8>>,
    user: Option<Vec<u8>>,
}

impl Shown {
    fn by(uri: &[u8]) -> Option<Shown> {
        let uri = Uri::parse(uri).ok()?;
        let token = uri.params().get(TOKEN.as_bytes()).and_then(|param| param.value);
        let user = uri.user().map(|user| unescape(user).into_owned());
        Some(Shown { token: token.map(<[u8]>::to_ascii_lowercase), user })
    }
}

impl Registry {
    /// Gives a Call-ID to a recorder, from whoever had it before, and the recorder a copy of it when it is new there.
    pub(super) fn claim(&self, call_id: &[u8], log: &Arc<Log>) -> Option<Arc<[u8]>> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        match logs.of.entry(call_id.into()) {
            Entry::Vacant(place) => {
                let call_id = Arc::clone(place.key());
                place.insert(Arc::clone(log));
                Some(call_id)
            }
            Entry::Occupied(mut place) => {
                let before = place.insert(Arc::clone(log));
                (!Arc::ptr_eq(&before, log)).then(|| Arc::clone(place.key()))
            }
        }
    }
    /// Forgets Call-IDs as far as they are still this recorder's.
    pub(super) fn forget(&self, call_ids: &[Arc<[u8]>], log: &Arc<Log>) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        for call_id in call_ids {
            // Seldom it is another recorder's by now, and goes back.
            if let Some((call_id, owner)) = logs.of.remove_entry(call_id)
                && !Arc::ptr_eq(&owner, log)
            {
                logs.of.insert(call_id, owner);
            }
        }
    }
    /// Gives everything that nobody has claimed to a recorder, from whoever had it before.
    pub(super) fn claim_rest(&self, log: &Arc<Log>) {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).rest = Some(Arc::new(log.of_strangers()));
    }
    pub(super) fn forget_rest(&self, log: &Arc<Log>) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.rest.take_if(|rest| Arc::ptr_eq(&rest.kept, &log.kept));
    }
    /// Calls to this Contact, which is registered at this host, are the recorder's.
    pub(super) fn expect_calls(&self, contact: &[u8], registrar: IpAddr, log: &Arc<Log>) {
        let Some(Shown { token, user }) = Shown::by(contact) else { return };
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = token {
            logs.called.insert(token, Arc::clone(log));
        }
        if let Some(user) = user {
            logs.called_users.insert(user, (registrar, Arc::clone(log)));
        }
    }
    /// The recorder whose binding this request is for: by the token in its Request-URI or, where the platform strips it, by the user, from the
    /// host that the binding was registered at.
    pub(super) fn called(&self, request: &Message, from: IpAddr) -> Option<Arc<Log>> {
        let Shown { token, user } = Shown::by(request.request_uri_bytes()?)?;
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        match token {
            Some(token) => logs.called.get(&token).cloned(),
            None => {
                let (_, log) = logs.called_users.get(&user?).filter(|(registrar, _)| *registrar == from)?;
                Some(Arc::clone(log))
            }
        }
    }
    /// No calls are this recorder's any more.
    pub(super) fn forget_calls(&self, log: &Arc<Log>) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.called.retain(|_, other| !Arc::ptr_eq(other, log));
        logs.called_users.retain(|_, (_, other)| !Arc::ptr_eq(other, log));
    }
    /// The recorder that has claimed this Call-ID.
    pub(super) fn owner(&self, call_id: &[u8]) -> Option<Arc<Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).of.get(call_id).cloned()
    }
    /// The recorder of a message; `call_id` is only looked for when there is any recorder at all.
    pub(super) fn find<'a>(&self, call_id: impl FnOnce() -> Option<&'a [u8]>) -> Option<Arc<Log>> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.of.is_empty() {
            return logs.rest.clone();
        }
        call_id().and_then(|call_id| logs.of.get(call_id)).or(logs.rest.as_ref()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Transport;

    #[test]
    fn whoever_talks_without_end_leaves_room_for_what_we_ask_and_its_answer() {
        let config = Config { max_records: 16, ..Config::default() };
        let remote = SocketAddr::from(([192, 0, 2, 1], 5060));
        let flow = Flow { transport: Transport::Udp, local: remote, remote };
        let now = tokio::time::Instant::now().into_std();
        for noise in ["INFO sip:a@h SIP/2.0\r\n", "SIP/2.0 180 Ringing\r\n"] {
            let log = Log::new(&config);
            for _ in 0..100 {
                log.received(now, flow, &Bytes::copy_from_slice(noise.as_bytes()));
                log.sent(now, flow, &Bytes::from_static(b"SIP/2.0 200 OK\r\n"), 0);
            }
            let (kept, first) = (log.len(), log.first_dropped());
            assert_eq!((kept, first.map(|first| first.at)), (12, Some(12)), "{noise}");
            log.sent(now, flow, &Bytes::from_static(b"BYE sip:b@h SIP/2.0\r\n"), 0);
            log.received(now, flow, &Bytes::from_static(b"SIP/2.0 200 OK\r\n"));
            assert_eq!(log.len(), kept + 2, "{noise}");
            // Final answers without end leave room for our own questions.
            for _ in 0..100 {
                log.received(now, flow, &Bytes::from_static(b"SIP/2.0 200 OK\r\n"));
            }
            let kept = log.len();
            log.sent(now, flow, &Bytes::from_static(b"BYE sip:b@h SIP/2.0\r\n"), 0);
            assert_eq!(log.len(), kept + 1, "{noise}");
        }
    }
}
