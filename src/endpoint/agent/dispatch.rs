//! Which call a request, an ACK or a CANCEL belongs to.

use super::{Agent, Arrival, Invitation};
use crate::endpoint::{Incoming, IncomingEvent, IncomingRequest};
use crate::message::{Builder, Message, reason_phrase};
use crate::syntax::{HeaderName, Method};
use crate::transaction::ServerId;
use std::time::Instant;
use tokio::sync::mpsc;

/// What waits for one call; further requests are answered 503, and ACKs dropped.
pub(super) const INBOX: usize = 64;

/// What comes for one call.
#[derive(Debug)]
pub(super) enum Mail {
    Request {
        id: ServerId,
        message: Message,
        at: Instant,
    },
    Ack {
        message: Message,
        at: Instant,
    },
    Cancelled {
        invite: ServerId,
        reasons: Vec<String>,
        at: Instant,
    },
    /// Another call of the agent, with this Call-ID, has taken over the dialog of this one.
    GiveWay {
        by: String,
    },
}

/// Hands on what comes, until the endpoint is closed or nobody has a handle of the agent any more.
pub(super) async fn run(agent: Agent, mut incoming: Incoming, arrivals: mpsc::Sender<Arrival>) {
    // Not a clone that keeps the endpoint alive: the loop ends when the last handle outside is gone.
    let Agent { recorder, directory, config } = agent;
    let (weak, endpoint_ids) = (std::sync::Arc::downgrade(&recorder), recorder.endpoint().ids());
    drop(recorder);
    let mut ids = endpoint_ids;
    while let Some(event) = incoming.next().await {
        let Some(recorder) = weak.upgrade() else { return };
        match event {
            IncomingEvent::Request(request) => {
                let IncomingRequest { id, message, flow, at } = request;
                let mut is_of_call = false;
                let refused = if let Some(post) = directory.of_dialog(&message) {
                    is_of_call = true;
                    post.try_send(Mail::Request { id, message: message.clone(), at }).err().map(|_| 503)
                } else if message.to().is_ok_and(|to| to.tag().is_some()) {
                    // A flood of these leaves room for calls.
                    if arrivals.capacity() > arrivals.max_capacity() / 2 {
                        let stray = Arrival::Refused {
                            message: message.clone(),
                            flow,
                            at,
                            status: 481,
                            why: "it names a dialog that no call here has".to_owned(),
                        };
                        let _ = arrivals.try_send(stray);
                    }
                    Some(481)
                } else if message.method() == Some(Method::Invite) {
                    if directory.is_full(config.max_calls) {
                        Some(486)
                    } else {
                        let (post, inbox) = mpsc::channel(INBOX);
                        directory.enter_invite(id, &post);
                        let agent = Agent {
                            recorder: recorder.clone(),
                            directory: directory.clone(),
                            config: config.clone(),
                        };
                        let call = Invitation {
                            message,
                            flow,
                            at,
                            id: Some(id),
                            agent,
                            inbox,
                            post,
                            ignores_replaces: false,
                        };
                        use mpsc::error::TrySendError::{Closed, Full};
                        match arrivals.try_send(Arrival::Call(call)) {
                            Err(Full(Arrival::Call(mut call))) => call.answer_full(),
                            // Dropped, which answers it.
                            Ok(()) | Err(Full(_) | Closed(_)) => {}
                        }
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
                        .header(HeaderName::Server, &recorder.endpoint().config().user_agent);
                    if status == 503 {
                        response = response.header(HeaderName::RetryAfter, "5");
                    }
                    let _ = match response.build() {
                        Ok(response) if is_of_call => recorder.endpoint().respond(id, response).await,
                        // Of a stranger's INVITE nothing is kept.
                        Ok(response) => recorder.endpoint().respond_once(id, response).await,
                        Err(_) => recorder.endpoint().abandon(id).await,
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
            IncomingEvent::Refused { message, flow, at, why } => {
                if arrivals.capacity() > arrivals.max_capacity() / 2 {
                    let why = why.quoting(&message);
                    let _ = arrivals.try_send(Arrival::Refused { message, flow, at, status: 400, why });
                }
            }
            IncomingEvent::Failed { id, .. } => directory.leave_invite(id),
        }
    }
    directory.close();
}
