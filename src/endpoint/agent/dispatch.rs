//! Which call a request, an ACK or a CANCEL belongs to.

use super::{Agent, Arrival, Invitation};
use crate::endpoint::{Incoming, IncomingEvent, IncomingRequest};
use crate::error::Error;
use crate::message::{Builder, Message, reason_phrase};
use crate::syntax::{HeaderName, Method};
use crate::transaction::ServerId;
use crate::ua::call::Call;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// What waits for one call; further requests are answered 503, and ACKs dropped.
pub(super) const INBOX: usize = 64;

/// So many times the calls that may be up may there be in all, with those that have ended and answer what is repeated for 64*T1.
const ENDED: usize = 16;

/// What comes for one call.
#[derive(Debug)]
pub(super) enum Mail {
    Request { id: ServerId, message: Message, at: Instant },
    Ack { message: Message, at: Instant },
    Cancelled { invite: ServerId, reasons: Vec<String>, at: Instant },
}

/// The calls of an agent: by Call-ID and our tag, and by the INVITE that they came with.
#[derive(Debug, Default)]
pub(super) struct Directory(Mutex<Entries>);

/// Call-ID and our tag.
type Key = (Box<[u8]>, Box<[u8]>);

#[derive(Debug, Default)]
struct Entries {
    /// Both are our own choice, or at least the tag is: no peer can choose keys.
    calls: HashMap<Key, mpsc::Sender<Mail>>,
    /// How many of them have ended, and only answer what is repeated.
    ended: usize,
    invites: HashMap<ServerId, mpsc::Sender<Mail>>,
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
            return Err(Error::usage("max_calls", format_args!("there are {max} calls already")));
        }
        entries
            .calls
            .insert((call.call_id().as_bytes().into(), call.local_tag().as_bytes().into()), post.clone());
        if let Some(invite) = invite {
            entries.invites.insert(invite, post.clone());
        }
        Ok(())
    }

    /// The call has ended; it leaves when nothing of it can be repeated any more.
    pub(super) fn ended(&self) {
        self.entries().ended += 1;
    }

    /// Nothing of this call is on its way any more; had it ended?
    pub(super) fn leave(&self, call: &Call, ended: bool) {
        let key = (call.call_id().as_bytes().into(), call.local_tag().as_bytes().into());
        let mut entries = self.entries();
        entries.calls.remove(&key);
        entries.ended = entries.ended.saturating_sub(ended.into());
    }

    /// The INVITE has its final response: a CANCEL finds nothing any more.
    pub(super) fn leave_invite(&self, invite: ServerId) {
        self.entries().invites.remove(&invite);
    }

    /// The endpoint is closed: calls that still wait for something wait in vain.
    fn close(&self) {
        *self.entries() = Entries::default();
    }

    fn of_dialog(&self, message: &Message) -> Option<mpsc::Sender<Mail>> {
        let to = message.to().ok()?;
        let key = (message.call_id().ok()?.into(), to.tag()?.into());
        self.entries().calls.get(&key).cloned()
    }

    fn of_invite(&self, invite: ServerId) -> Option<mpsc::Sender<Mail>> {
        self.entries().invites.get(&invite).cloned()
    }

    fn is_full(&self, max: usize) -> bool {
        self.entries().is_full(max)
    }
}

impl Entries {
    fn is_full(&self, max: usize) -> bool {
        let all = self.calls.len();
        all.saturating_sub(self.ended) >= max || all >= max.saturating_mul(ENDED)
    }
}

/// Hands on what comes, until the endpoint is closed or nobody has a handle of the agent any more.
pub(super) async fn run(agent: Agent, mut incoming: Incoming, arrivals: mpsc::Sender<Arrival>) {
    // Not a clone that keeps the endpoint alive: the loop ends when the last handle outside is gone.
    let Agent { scope, directory, config } = agent;
    let (weak, endpoint_ids) = (std::sync::Arc::downgrade(&scope), scope.endpoint().ids());
    drop(scope);
    let mut ids = endpoint_ids;
    while let Some(event) = incoming.next().await {
        let Some(scope) = weak.upgrade() else { return };
        match event {
            IncomingEvent::Request(request) => {
                let IncomingRequest { id, message, flow, at } = request;
                let refused = if let Some(post) = directory.of_dialog(&message) {
                    post.try_send(Mail::Request { id, message: message.clone(), at }).err().map(|_| 503)
                } else if message.to().is_ok_and(|to| to.tag().is_some()) {
                    Some(481)
                } else if message.method() == Some(Method::Invite) {
                    if directory.is_full(config.max_calls) {
                        Some(486)
                    } else {
                        let (post, inbox) = mpsc::channel(INBOX);
                        directory.entries().invites.insert(id, post.clone());
                        let agent = Agent {
                            scope: scope.clone(),
                            directory: directory.clone(),
                            config: config.clone(),
                        };
                        let call = Invitation { message, flow, at, id: Some(id), agent, inbox, post };
                        // One that does not fit is dropped, which answers it.
                        let _ = arrivals.try_send(Arrival::Call(call));
                        continue;
                    }
                } else {
                    let request = IncomingRequest { id, message: message.clone(), flow, at };
                    arrivals.try_send(Arrival::Request(request)).err().map(|_| 503)
                };
                if let Some(status) = refused {
                    let tag = ids.tag();
                    let phrase = reason_phrase(status);
                    let mut response = Builder::response(&message, status, phrase, Some(&tag))
                        .header(HeaderName::Server, &scope.endpoint().config().user_agent);
                    if status == 503 {
                        response = response.header(HeaderName::RetryAfter, "5");
                    }
                    let _ = match response.build() {
                        Ok(response) => scope.endpoint().respond(id, response).await,
                        Err(_) => scope.endpoint().abandon(id).await,
                    };
                }
            }
            IncomingEvent::Ack { message, at, .. } => {
                if let Some(post) = directory.of_dialog(&message) {
                    let _ = post.try_send(Mail::Ack { message, at });
                }
            }
            IncomingEvent::Cancelled { invite, reasons, at } => {
                if let Some(post) = directory.of_invite(invite) {
                    let _ = post.try_send(Mail::Cancelled { invite, reasons, at });
                }
            }
            IncomingEvent::Failed { id, .. } => directory.leave_invite(id),
        }
    }
    directory.close();
}
