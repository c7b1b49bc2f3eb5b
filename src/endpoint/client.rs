//! A running client transaction, as its owner sees it.

use super::handle::Command;
use super::mailbox::{Mailbox, mailbox};
use super::{Endpoint, Scope, Switch};
use crate::error::{Argument, Error, Problem};
use crate::message::{Flow, Message};
use crate::syntax::Reason;
use crate::transport::TransportError;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// A running client transaction. When it is dropped, a request other than INVITE is not sent again, so that a peer that nobody listens to
/// is left in peace.
#[derive(Debug)]
pub struct ClientTransaction {
    pub(super) mailbox: Mailbox,
    pub(super) flow: Flow,
    pub(super) sent_at: Instant,
    pub(super) switch: Option<Switch>,
    /// The loop runs as long as somebody waits for it.
    pub(super) _endpoint: Endpoint,
}

/// What a client transaction says.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A provisional response (1xx). At most 16 wait to be fetched.
    Provisional(Received),
    /// A final response; for a non-INVITE, and for an INVITE unless it is a 2xx, the last event.
    Final(Received),
    /// No final response in time; the last event.
    Timeout,
    /// The request could not be sent, or its connection was lost; the last event.
    Failed(TransportError),
}

/// A response with its circumstances.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// The response.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// When the packet was read.
    pub at: Instant,
}

impl ClientTransaction {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.mailbox.poll_next(cx)).await
    }
    /// The next event, for who polls several; `Ready(None)` after the last.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.mailbox.poll_next(cx)
    }
    /// Cancels an INVITE (RFC 3261 sec. 9.1): at once when a provisional response was there, else as soon as one comes. `reason` is a
    /// Reason value (RFC 3326), e.g. `SIP;cause=200;text="Call completed elsewhere"`. The INVITE ends by its own final response, at the
    /// latest 64*T1 after the CANCEL.
    ///
    /// What it gives is the transaction of the CANCEL; it ends without an event when there was nothing to cancel any more.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Usage`] when `reason` cannot stand in a header ([`Reason::is_value`]).
    pub async fn cancel(&self, scope: &Scope, reason: Option<String>) -> Result<ClientTransaction, Error> {
        if !reason.as_deref().is_none_or(Reason::is_value) {
            return Err(Error::usage(
                Argument::Reason,
                "",
                Problem::malformed(
                    "this is no value of a Reason header",
                    "write it as SIP;cause=200 (RFC 3326)",
                ),
            ));
        }
        let invite = self.mailbox.id().ok_or(Error::Closed)?;
        let (post, mut mailbox) = mailbox(None);
        let (flow, log) = (self.flow, Arc::clone(&scope.log));
        let endpoint = scope.endpoint().clone();
        endpoint.command(Command::Cancel { invite, reason, flow, log, post }).await?;
        let sent_at = poll_fn(|cx| mailbox.poll_sent(cx)).await.ok_or(Error::Closed)?;
        Ok(ClientTransaction { mailbox, flow, sent_at, switch: None, _endpoint: endpoint })
    }
    /// The flow that is really used.
    pub fn flow(&self) -> Flow {
        self.flow
    }
    /// When the request was first sent.
    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }
    /// How often it was sent again so far.
    pub fn retransmissions(&self) -> u32 {
        self.mailbox.retransmissions()
    }
    /// What became of a request that was too big for UDP; `None` for one that was not.
    pub fn switched(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }
}
