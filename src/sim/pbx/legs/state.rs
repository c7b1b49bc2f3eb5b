//! One leg of a call, as its task holds it.

use super::Entry;
use crate::endpoint::agent::{CallEvent, CallEventKind, CallHandle};
use crate::media::digit::Digit;
use crate::media::stream;
use crate::sdp::MediaPlan;
use crate::sim::pbx::interceptor::Flags;
use crate::sim::pbx::payloads::Payloads;
use crate::sim::pbx::player::Player;
use crate::sim::pbx::relay::Relay;
use crate::ua::call::{Command, DTMF_RELAY, DtmfInfo, Event, Hold};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A leg: its call, its place in the table, what goes to it.
#[derive(Debug)]
pub(in crate::sim::pbx) struct LegState {
    pub(in crate::sim::pbx) handle: CallHandle,
    pub(in crate::sim::pbx) entry: Entry,
    /// The user at its far end.
    pub(in crate::sim::pbx) user: String,
    pub(in crate::sim::pbx) plan: Option<MediaPlan>,
    /// Everything that is sent to it.
    pub(in crate::sim::pbx) relay: Relay,
    pub(in crate::sim::pbx) flags: Arc<Flags>,
    /// Answered.
    pub(in crate::sim::pbx) up: bool,
    /// Its call has ended; what becomes of transfers may still come.
    pub(in crate::sim::pbx) ended: bool,
    /// Nothing more comes of it.
    pub(in crate::sim::pbx) over: bool,
    /// How we hold it.
    pub(in crate::sim::pbx) held: Option<Hold>,
    /// It holds us.
    pub(in crate::sim::pbx) holds: bool,
    /// What the other one says is sent to it, although it holds.
    pub(in crate::sim::pbx) leaks: bool,
    /// When RTP came last.
    pub(in crate::sim::pbx) heard_at: Option<Instant>,
    /// The last event that a menu took: its source and timestamp.
    pub(in crate::sim::pbx) taken: Option<(u32, u32)>,
}

impl LegState {
    pub(in crate::sim::pbx) fn new(
        handle: CallHandle,
        entry: Entry,
        user: &str,
        relay: Relay,
        flags: Arc<Flags>,
    ) -> LegState {
        LegState {
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
    pub(in crate::sim::pbx) async fn next(&mut self) -> Option<CallEvent> {
        if self.over {
            return std::future::pending().await;
        }
        let happened = self.handle.next().await;
        self.over = happened.is_none();
        if let Some(CallEvent { kind: CallEventKind::Signal(Event::Transferee { referral, .. }), .. }) =
            &happened
        {
            // There is nobody whom the device could transfer: a number of ours is at the other end.
            self.handle.command(Command::RefuseRefer { referral: *referral, status: 403 }).await;
        }
        happened
    }

    /// What happens next, for who polls several; pending once it is over.
    pub(in crate::sim::pbx) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<CallEvent>> {
        if self.over {
            return Poll::Pending;
        }
        let happened = std::task::ready!(self.handle.poll_next(cx));
        self.over = happened.is_none();
        Poll::Ready(happened)
    }

    /// Puts it on hold in this way, or takes it from hold; what is so already stays. With `again` it is told so once more.
    pub(in crate::sim::pbx) async fn hold(&mut self, how: Option<Hold>, again: bool) {
        if !self.up || self.ended || (self.held == how && !again) {
            return;
        }
        self.held = how;
        let command = how.map_or(Command::Resume, Command::Hold);
        self.handle.command(command).await;
    }

    /// Hangs up; an empty list gives no Reason.
    pub(in crate::sim::pbx) async fn release(&self, reasons: &[String]) {
        let reason = (!reasons.is_empty()).then(|| reasons.join(", "));
        self.handle.hang_up(reason).await;
    }

    /// Refuses a caller whose call goes no further.
    pub(in crate::sim::pbx) async fn refuse(&self, status: u16) {
        self.handle.command(Command::Refuse { status, reason: None }).await;
    }

    /// Ends a leg that goes no further, whether it is up or not, and sees it off.
    pub(in crate::sim::pbx) async fn turn_away(mut self, status: u16) {
        if self.up {
            self.release(&[format!("SIP;cause={status}")]).await;
        } else {
            self.refuse(status).await;
        }
        while self.next().await.is_some() {}
    }

    pub(in crate::sim::pbx) fn answered(&mut self, plan: MediaPlan) {
        self.plan = Some(plan);
        self.up = true;
        self.entry.answered();
    }

    /// Sends what a player of ours has, and gives what happened in it.
    pub(in crate::sim::pbx) fn play(&mut self, now: Instant, player: &mut Player) -> Vec<stream::Event> {
        let (packets, events) = player.run(now);
        for packet in packets {
            if let Some(packet) = self.relay.own(now, &packet) {
                self.handle.send_rtp(packet);
            }
        }
        events
    }

    /// Passes on a datagram that came on a leg with this plan; gives a digit that has to be told by INFO too.
    pub(in crate::sim::pbx) fn pass(
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
    pub(in crate::sim::pbx) async fn tell_digit(&self, digit: Digit, time: Duration) {
        let info = DtmfInfo { digit, duration: Some(time) };
        self.info(DTMF_RELAY.to_owned(), info.relay_body()).await;
    }

    /// Sends an INFO.
    pub(in crate::sim::pbx) async fn info(&self, content_type: String, body: Vec<u8>) {
        self.handle.command(Command::Info { token: 0, content_type, body }).await;
    }
}
