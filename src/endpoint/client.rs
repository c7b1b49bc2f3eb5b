//! A running client transaction, as its owner sees it.

use super::command::Command;
use super::mailbox::{Mailbox, mailbox};
use super::oversize::switch;
use super::{ClientEvent, Endpoint, Recorder, Switch};
use crate::error::{Argument, Error, Problem};
use crate::message::{Flow, Message};
use crate::syntax::Reason;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// A running client transaction. When it is dropped, a request other than INVITE is not sent again, so that a peer that nobody listens to
/// is left in peace.
#[derive(Debug)]
pub struct ClientTransaction {
    mailbox: Mailbox,
    flow: Flow,
    sent_at: Instant,
    switch: Option<Switch>,
    /// The loop runs as long as somebody waits for it.
    _endpoint: Endpoint,
}

impl Recorder {
    /// Sends a request (without Via) in a client transaction of its own. Messages of its Call-ID are recorded here from now on.
    /// A request over [`Config::udp_request_limit`](super::Config::udp_request_limit) goes by TCP when the peer takes it; the
    /// record, [`ClientTransaction::flow`] and [`ClientTransaction::switched`] say so.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn request(&self, request: Message, flow: Flow) -> Result<ClientTransaction, Error> {
        if let Ok(call_id) = request.call_id() {
            self.claim(call_id);
        }
        let (flow, switch) = switch(self, &request, flow).await;
        let (post, mut mailbox) = mailbox(Some(request));
        let log = Arc::clone(&self.log);
        self.endpoint().command(Command::Request { flow, log, post }).await?;
        let sent_at = poll_fn(|cx| mailbox.poll_sent(cx)).await.ok_or(Error::Closed)?;
        Ok(ClientTransaction { mailbox, flow, sent_at, switch, _endpoint: self.endpoint().clone() })
    }
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
    pub async fn cancel(
        &self,
        recorder: &Recorder,
        reason: Option<String>,
    ) -> Result<ClientTransaction, Error> {
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
        let (flow, log) = (self.flow, Arc::clone(&recorder.log));
        let endpoint = recorder.endpoint().clone();
        endpoint.command(Command::Cancel { invite, reason, flow, log, post }).await?;
        let sent_at = poll_fn(|cx| mailbox.poll_sent(cx)).await.ok_or(Error::Closed)?;
        Ok(ClientTransaction { mailbox, flow, sent_at, switch: None, _endpoint: endpoint })
    }
    /// The flow that is really used.
    pub fn flow(&self) -> Flow {
        self.flow
    }
    /// Time at which the request was first sent.
    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }
    /// Number of times that it was sent again so far.
    pub fn retransmissions(&self) -> u32 {
        self.mailbox.retransmissions()
    }
    /// What became of a request that was too big for UDP; `None` for one that was not.
    pub fn switched(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }
}
