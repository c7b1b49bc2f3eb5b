//! The owner of some Call-IDs and of the record of their messages.

use super::Endpoint;
use super::command::Command;
use super::log::{FirstDropped, Log};
use crate::error::Error;
use crate::message::{Flow, Message, Transport};
use crate::transport::{MediaRecord, Record, RecordEvent, TransportError};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Call-IDs that one recorder owns; beyond it the older half is forgotten. Only a recorder that lives as long as a server gets there.
const MAX_CALL_IDS: usize = 16_384;

/// The owner of some Call-IDs (at most 16,384, the oldest are forgotten) and of the record of their messages. Dropping it forgets them.
#[derive(Debug)]
pub struct Recorder {
    endpoint: Endpoint,
    pub(super) log: Arc<Log>,
    call_ids: Mutex<Vec<Arc<[u8]>>>,
    /// It asked for all that nobody else has claimed.
    rest: AtomicBool,
    /// It asked for calls to a binding.
    called: AtomicBool,
}

impl Recorder {
    pub(super) fn new(endpoint: Endpoint, log: Arc<Log>) -> Recorder {
        Recorder {
            endpoint,
            log,
            call_ids: Mutex::default(),
            rest: AtomicBool::new(false),
            called: AtomicBool::new(false),
        }
    }

    /// The endpoint that it belongs to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Like [`Endpoint::flow`]; a connection that had to be opened, or could not be, is recorded.
    ///
    /// # Errors
    /// What kept us from reaching it.
    pub async fn flow(&self, transport: Transport, remote: SocketAddr) -> Result<Flow, TransportError> {
        match transport {
            Transport::Udp => self.endpoint.flow(transport, remote).await,
            Transport::Tcp => {
                self.endpoint
                    .open(self.endpoint.connect_from(remote), remote, Some(Arc::clone(&self.log)))
                    .await
            }
        }
    }

    /// A call with this Call-ID was taken: where all that comes is recorded ([`Recorder::record_all`]) its messages count as our own from now on.
    pub(super) fn claim_taken(&self, call_id: &[u8]) {
        if self.rest.load(Ordering::Relaxed) {
            self.claim(call_id);
        }
    }

    /// Messages of this Call-ID are recorded here from now on.
    pub(super) fn claim(&self, call_id: &[u8]) {
        let Some(call_id) = self.endpoint.shared().registry.claim(call_id, &self.log) else { return };
        let mut owned = self.call_ids.lock().unwrap_or_else(PoisonError::into_inner);
        owned.push(call_id);
        if owned.len() > MAX_CALL_IDS {
            let oldest: Vec<_> = owned.drain(..MAX_CALL_IDS / 2).collect();
            self.endpoint.shared().registry.forget(&oldest, &self.log);
        }
    }

    /// Messages of strangers that the record has no room for: they have a quarter of its room beside it.
    pub fn strangers_dropped(&self) -> u64 {
        self.log.foreign_dropped()
    }

    /// Sends an ACK of a 2xx (without Via) outside any transaction (RFC 3261 sec. 13.2.2.4).
    ///
    /// # Errors
    /// [`Error::Closed`]. Whether it arrives is not told: the peer repeats its 2xx until it does.
    pub async fn send_outside(&self, ack: Message, flow: Flow) -> Result<(), Error> {
        self.endpoint.command(Command::Outside { request: Box::new(ack), flow }).await
    }

    /// A recorder of another endpoint that writes into the same record: the parties of a call, each with an endpoint of its own.
    pub fn beside(&self, endpoint: &Endpoint) -> Recorder {
        Recorder::new(endpoint.clone(), Arc::clone(&self.log))
    }

    /// Records all messages of its endpoint from now on that no other recorder has claimed: whoever calls us brings a Call-ID of its own.
    /// One recorder of an endpoint does so at a time, the one that asked last.
    pub fn record_all(&self) {
        self.rest.store(true, Ordering::Relaxed);
        self.endpoint.shared().registry.claim_rest(&self.log);
    }

    /// From now on a call that comes to this Contact, which was registered over this flow, and that nobody takes
    /// ([`Incoming`](super::Incoming) is dropped) is refused with 480, so that other devices of the account ring on, and recorded here.
    pub fn record_calls_to(&self, contact: &str, flow: Flow) {
        self.called.store(true, Ordering::Relaxed);
        self.endpoint.shared().registry.expect_calls(contact.as_bytes(), flow.remote.ip(), &self.log);
    }

    /// Writes a note into the record.
    pub fn note(&self, flow: Flow, text: impl Into<String>) {
        self.log.push(tokio::time::Instant::now().into_std(), flow, RecordEvent::Note(text.into()));
    }

    /// What was recorded so far, in order.
    pub fn records(&self) -> Vec<Record> {
        self.log.records()
    }

    /// The same from this one on.
    pub fn records_from(&self, first: usize) -> Vec<Record> {
        self.log.records_from(first)
    }

    /// Takes out the media of calls that was recorded so far, in order, and the number of datagrams that were dropped because of
    /// [`Config::max_media_records`](super::Config::max_media_records) or
    /// [`Config::max_media_bytes`](super::Config::max_media_bytes).
    pub fn take_media(&self) -> (Vec<MediaRecord>, u64) {
        self.log.take_media()
    }

    pub(super) fn record_media(&self, record: MediaRecord) {
        self.log.push_media(record);
    }

    /// A datagram of a flood that there is no room for.
    pub(super) fn drop_media(&self) {
        self.log.drop_media();
    }

    /// How many there are.
    pub fn record_count(&self) -> usize {
        self.log.len()
    }

    /// Records that were dropped because of [`Config::max_records`](super::Config::max_records) or
    /// [`Config::max_record_bytes`](super::Config::max_record_bytes).
    pub fn records_dropped(&self) -> u64 {
        self.log.dropped()
    }

    /// The first of them.
    pub(crate) fn first_dropped(&self) -> Option<FirstDropped> {
        self.log.first_dropped()
    }
}

impl Endpoint {
    /// Opens a recorder: an owner of Call-IDs that keeps the record of their messages.
    pub fn recorder(&self) -> Recorder {
        Recorder::new(self.clone(), Arc::new(Log::new(&self.shared.config)))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let call_ids = std::mem::take(self.call_ids.get_mut().unwrap_or_else(PoisonError::into_inner));
        let registry = &self.endpoint.shared().registry;
        registry.forget(&call_ids, &self.log);
        if *self.rest.get_mut() {
            registry.forget_rest(&self.log);
        }
        if *self.called.get_mut() {
            registry.forget_calls(&self.log);
        }
    }
}
