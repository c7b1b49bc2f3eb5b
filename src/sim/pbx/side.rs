//! One leg of a call, as its task holds it.

use super::hands::Flags;
use super::legs::Entry;
use super::player::Player;
use super::relay::{Payloads, Relay};
use crate::endpoint::agent::{CallHandle, Happened, What};
use crate::media::digit::Digit;
use crate::media::stream;
use crate::sdp::MediaPlan;
use crate::ua::call::{Command, DTMF_RELAY, DtmfInfo, Event, Hold};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A leg: its call, its place in the table, what goes to it.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) handle: CallHandle,
    pub(super) entry: Entry,
    /// The user at its far end.
    pub(super) user: String,
    pub(super) plan: Option<MediaPlan>,
    /// Everything that is sent to it.
    pub(super) relay: Relay,
    pub(super) flags: Arc<Flags>,
    /// Answered.
    pub(super) up: bool,
    /// Its call has ended; what becomes of transfers may still come.
    pub(super) ended: bool,
    /// Nothing more comes of it.
    pub(super) over: bool,
    /// How we hold it.
    pub(super) held: Option<Hold>,
    /// It holds us.
    pub(super) holds: bool,
    /// What the other one says is sent to it, although it holds.
    pub(super) leaks: bool,
    /// When RTP came last.
    pub(super) heard_at: Option<Instant>,
    /// The last event that a menu took: its source and timestamp.
    pub(super) taken: Option<(u32, u32)>,
}

impl Side {
    pub(super) fn new(handle: CallHandle, entry: Entry, user: &str, relay: Relay, flags: Arc<Flags>) -> Side {
        Side {
            handle,
            entry,
            user: user.to_owned(),
            plan: None,
            relay,
            flags,
            up: false,
            ended: false,
            over: false,
            held: None,
            holds: false,
            leaks: false,
            heard_at: None,
            taken: None,
        }
    }

    /// What happens next, for a number of our own; for ever pending once it is over.
    pub(super) async fn next(&mut self) -> Option<Happened> {
        if self.over {
            return std::future::pending().await;
        }
        let happened = self.handle.next().await;
        self.over = happened.is_none();
        if let Some(Happened { what: What::Signal(Event::Transferee { referral, .. }), .. }) = &happened {
            // There is nobody whom the device could transfer: a number of ours is at the other end.
            self.handle.command(Command::RefuseRefer { referral: *referral, status: 403 }).await;
        }
        happened
    }

    /// What happens next, for who polls several; pending once it is over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Happened>> {
        if self.over {
            return Poll::Pending;
        }
        let happened = std::task::ready!(self.handle.poll_next(cx));
        self.over = happened.is_none();
        Poll::Ready(happened)
    }

    /// Puts it on hold in this way, or takes it from hold; what is so already stays. With `anew` it is told so again.
    pub(super) async fn hold(&mut self, how: Option<Hold>, anew: bool) {
        if !self.up || self.ended || (self.held == how && !anew) {
            return;
        }
        self.held = how;
        let command = how.map_or(Command::Resume, Command::Hold);
        self.handle.command(command).await;
    }

    /// Hangs up; an empty list gives no Reason.
    pub(super) async fn release(&self, reasons: &[String]) {
        let reason = (!reasons.is_empty()).then(|| reasons.join(", "));
        self.handle.hang_up(reason).await;
    }

    pub(super) fn answered(&mut self, plan: MediaPlan) {
        self.plan = Some(plan);
        self.up = true;
        self.entry.answered();
    }

    /// Sends what a player of ours has, and gives what happened in it.
    pub(super) fn play(&mut self, now: Instant, player: &mut Player) -> Vec<stream::Event> {
        let (packets, events) = player.run(now);
        for packet in packets {
            if let Some(packet) = self.relay.own(now, &packet) {
                self.handle.send_rtp(packet);
            }
        }
        events
    }

    /// Passes on a datagram that came on a leg with this plan; gives a digit that has to be told by INFO too.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        datagram: &[u8],
        from: (&MediaPlan, &Flags),
    ) -> Option<(Digit, Duration)> {
        let (from, flags) = from;
        let plan = self.plan.as_ref()?;
        if self.flags.deaf.load(Ordering::Relaxed) || flags.dumb.load(Ordering::Relaxed) {
            return None;
        }
        let gone = |flags: &Flags| flags.events_gone.load(Ordering::Relaxed);
        let events = !gone(&self.flags) && !gone(flags);
        let payloads = (Payloads::received(from), Payloads::sent(plan));
        let passed = self.relay.pass(now, datagram, payloads, events);
        for packet in passed.packets {
            if self.leaks {
                self.handle.send_rtp_anyway(packet);
            } else {
                self.handle.send_rtp(packet);
            }
        }
        passed.info
    }

    /// Sends an INFO with a digit.
    pub(super) async fn tell_digit(&self, digit: Digit, time: Duration) {
        let info = DtmfInfo { digit, duration: Some(time) };
        self.info(DTMF_RELAY.to_owned(), info.relay_body()).await;
    }

    /// Sends an INFO.
    pub(super) async fn info(&self, content_type: String, body: Vec<u8>) {
        self.handle.command(Command::Info { token: 0, content_type, body }).await;
    }
}
