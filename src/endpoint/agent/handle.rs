//! The owner's end of a call.

use super::report::MediaReport;
use crate::media::stream;
use crate::message::Message;
use crate::ua::call;
use crate::ua::dialog::DialogId;
use crate::ua::transfer::{Refer, Replaces};
use bytes::Bytes;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Events that wait for the owner. While there is no room, packets of a relay are dropped; anything else waits
/// for a second, and is lost then.
pub(super) const EVENTS: usize = 1_024;
/// Commands that wait for the call; its owner waits beyond.
pub(super) const COMMANDS: usize = 64;

/// A call, as its owner sees it. Dropping it hangs up: CANCEL, BYE or a refusal, whatever is due.
#[derive(Debug)]
pub struct CallHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: mpsc::Receiver<CallEvent>,
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) rtp: SocketAddr,
}

/// Something that happened in a call.
#[derive(Debug)]
#[non_exhaustive]
pub struct CallEvent {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: CallEventKind,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallEventKind {
    /// In the signalling.
    Signal(call::Event),
    /// In the media.
    Media(stream::Event),
    /// It is asked again whose tones are heard ([`CallHandle::listen_again`]): those that were told before are of the time before.
    ListensAgain,
    /// A response to our INVITE came (101 to 699), before what the call makes of it.
    Response(Message),
    /// A request of the peer came in this call, before what the call makes of it.
    Request(Message),
    /// A datagram came to our RTP port, for the owner of a relay.
    Rtp(Bytes),
    /// A request could not be sent: why.
    NotSent(String),
    /// The media is over: how it went. Comes once, before the end of the call.
    LastReport(Box<MediaReport>),
}

#[derive(Debug)]
pub(super) enum Command {
    Call(call::Command),
    Media(stream::Command),
    Rtp(Bytes),
    RtpAnyway(Bytes),
    ListenAgain,
    Report(oneshot::Sender<MediaReport>),
    Dialog(oneshot::Sender<Option<DialogId>>),
}

impl CallHandle {
    /// What happens next; `None` when the call is over and everything of it was told.
    pub async fn next(&mut self) -> Option<CallEvent> {
        self.events.recv().await
    }
    /// Like [`CallHandle::next`], for who polls several.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<CallEvent>> {
        self.events.poll_recv(cx)
    }
    /// Gives a command; one that comes too late has no effect.
    pub async fn command(&self, command: call::Command) {
        let _ = self.commands.send(Command::Call(command)).await;
    }
    /// Gives a command to the media stream. Before there is one (nothing is agreed on yet) it waits for it; a relay has none.
    pub async fn media(&self, command: stream::Command) {
        let _ = self.commands.send(Command::Media(command)).await;
    }
    /// Sends a datagram to the peer's RTP port, if it is known and we may send. It is dropped when the call does not keep up.
    pub fn send_rtp(&self, datagram: Bytes) {
        let _ = self.commands.try_send(Command::Rtp(datagram));
    }
    /// The same, although the directions that were agreed on forbid it: for networks that misbehave on purpose.
    pub fn send_rtp_anyway(&self, datagram: Bytes) {
        let _ = self.commands.try_send(Command::RtpAnyway(datagram));
    }
    /// Asks again whose tones are heard.
    pub async fn listen_again(&self) {
        let _ = self.commands.send(Command::ListenAgain).await;
    }
    /// How the media went so far; `None` when the call is gone. [`CallEventKind::LastReport`] told it then.
    pub async fn report(&self) -> Option<MediaReport> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Report(reply)).await.ok()?;
        answer.await.ok()
    }
    /// Hangs up, with a Reason value for the BYE.
    pub async fn hang_up(&self, reason: Option<String>) {
        self.command(call::Command::HangUp { reason }).await;
    }
    /// Asks the peer to call somebody else: [`call::Event::Transferor`] tells what becomes of it, also when the call is over.
    pub async fn refer(&self, refer: Refer) {
        self.command(call::Command::Refer(Box::new(refer))).await;
    }
    /// Its dialog, as we see it; of several early ones the latest. `None` while there is none, or when the call is gone.
    pub async fn dialog(&self) -> Option<DialogId> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Dialog(reply)).await.ok()?;
        answer.await.ok().flatten()
    }
    /// Names this call to its peer, for the Refer-To of an attended transfer to that peer.
    pub async fn replaces(&self) -> Option<Replaces> {
        self.dialog().await.map(|dialog| Replaces::of_ours(&dialog))
    }
    /// Our tag in its dialog.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }
    /// Its Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }
    /// Our RTP port.
    pub fn rtp(&self) -> SocketAddr {
        self.rtp
    }
}
