//! One leg of a call, as its task holds it.

use super::hands::Flags;
use super::legs::Entry;
use super::player::Player;
use super::relay::{Payloads, Relay};
use crate::endpoint::agent::{CallHandle, Happened};
use crate::media::digit::Digit;
use crate::media::stream;
use crate::sdp::MediaPlan;
use crate::ua::call::Command;
use crate::ua::call::{DTMF_RELAY, DtmfInfo};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A leg: its call, its place in the table, what goes to it.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) handle: CallHandle,
    pub(super) entry: Entry,
    pub(super) plan: Option<MediaPlan>,
    /// Everything that is sent to it.
    pub(super) relay: Relay,
    pub(super) flags: Arc<Flags>,
    /// Answered.
    pub(super) up: bool,
    /// Nothing more comes of it.
    pub(super) over: bool,
    /// When RTP came last.
    pub(super) heard_at: Option<Instant>,
    /// The last event that a menu took: its source and timestamp.
    pub(super) taken: Option<(u32, u32)>,
}

impl Side {
    pub(super) fn new(handle: CallHandle, entry: Entry, relay: Relay, flags: Arc<Flags>) -> Side {
        Side { handle, entry, plan: None, relay, flags, up: false, over: false, heard_at: None, taken: None }
    }

    /// What happens next; for ever pending once it is over.
    pub(super) async fn next(&mut self) -> Option<Happened> {
        if self.over {
            return std::future::pending().await;
        }
        let happened = self.handle.next().await;
        self.over = happened.is_none();
        happened
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
            self.handle.send_rtp(packet);
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
