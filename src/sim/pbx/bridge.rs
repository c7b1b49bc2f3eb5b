//! A call between two devices: two legs, each with a dialog and media ports of its own, and everything that is passed on between them.

use super::faults::Faults;
use super::player::{Player, ring_back};
use super::side::Side;
use crate::endpoint::agent::{Happened, What};
use crate::message::Ids;
use crate::sdp::{Direction, MediaPlan};
use crate::sim::fault::Kind;
use crate::ua::End;
use crate::ua::call::{By, Command, Event, Hold, Rejection};
use std::time::{Duration, Instant};

/// A call with its two legs. Each leg that ends takes the other one with it.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) caller: Side,
    pub(super) called: Side,
    pub(super) faults: Faults,
    pub(super) ids: Ids,
    /// The caller hears a tone of ours while it rings.
    pub(super) ringback_tone: bool,
    pub(super) no_answer_at: Option<Instant>,
    tone: Option<Player>,
    rings: bool,
    /// The whole call is dropped then (S02).
    drop_at: Option<Instant>,
}

/// Which leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Caller,
    Called,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Bridge {
    pub(super) fn new(caller: Side, mut called: Side, faults: Faults, ids: Ids) -> Bridge {
        caller.entry.join(&called.entry);
        called.relay.take_event(caller.taken);
        Bridge {
            caller,
            called,
            faults,
            ids,
            ringback_tone: false,
            no_answer_at: None,
            tone: None,
            rings: false,
            drop_at: None,
        }
    }

    /// Until both legs are released.
    pub(super) async fn run(mut self) {
        let mut caller_first = false;
        while !(self.caller.over && self.called.over) {
            let due = self.due();
            if due.is_some_and(|due| due <= now()) {
                self.on_time().await;
                continue;
            }
            caller_first = !caller_first;
            // By turns, so that a flood on one leg does not keep out the other; and not by chance, so that runs are alike.
            let next = if caller_first {
                tokio::select! {
                    biased;
                    happened = self.caller.next() => Some((Which::Caller, happened)),
                    happened = self.called.next() => Some((Which::Called, happened)),
                    () = at(due) => None,
                }
            } else {
                tokio::select! {
                    biased;
                    happened = self.called.next() => Some((Which::Called, happened)),
                    happened = self.caller.next() => Some((Which::Caller, happened)),
                    () = at(due) => None,
                }
            };
            if let Some((which, happened)) = next {
                self.happened(which, happened).await;
            }
        }
    }

    fn rtp_timeout(&self) -> Option<Duration> {
        self.faults.find(|kind| match kind {
            Kind::RtpTimeout { seconds } => Some(Duration::from_secs(seconds.into())),
            _ => None,
        })
    }

    fn silent_at(&self) -> Option<Instant> {
        let timeout = self.rtp_timeout().filter(|_| self.called.up)?;
        let last = self.caller.heard_at.into_iter().chain(self.called.heard_at).min()?;
        Some(last + timeout)
    }

    fn due(&self) -> Option<Instant> {
        let tone = self.tone.as_ref().and_then(Player::due);
        [tone, self.no_answer_at, self.silent_at(), self.drop_at].into_iter().flatten().min()
    }

    async fn on_time(&mut self) {
        let now = now();
        if let Some(tone) = &mut self.tone {
            self.caller.play(now, tone);
        }
        if self.no_answer_at.is_some_and(|at| at <= now) {
            self.no_answer_at = None;
            self.called.release(&self.reasons(vec!["SIP;cause=480;text=\"no answer\"".to_owned()])).await;
            self.refuse(480, &[]).await;
        }
        if self.silent_at().is_some_and(|at| at <= now) {
            (self.caller.heard_at, self.called.heard_at) = (None, None);
            self.drop_both("SIP;cause=408;text=\"RTP timeout\"").await;
        }
        if self.drop_at.is_some_and(|at| at <= now) {
            self.drop_at = None;
            self.drop_both("SIP;cause=408;text=\"session expired\"").await;
        }
    }

    async fn drop_both(&mut self, reason: &str) {
        let reasons = [reason.to_owned()];
        self.caller.release(&reasons).await;
        self.called.release(&reasons).await;
    }

    /// Reasons for a CANCEL or BYE to the called device.
    fn reasons(&self, reasons: Vec<String>) -> Vec<String> {
        if self.faults.has(Kind::NoReason) && !self.called.up { Vec::new() } else { reasons }
    }

    fn sides(&mut self, which: Which) -> (&mut Side, &mut Side) {
        match which {
            Which::Caller => (&mut self.caller, &mut self.called),
            Which::Called => (&mut self.called, &mut self.caller),
        }
    }

    async fn happened(&mut self, which: Which, happened: Option<Happened>) {
        let Some(Happened { at, what }) = happened else {
            // Whatever it was that ended it.
            return self.sides(which).1.release(&[]).await;
        };
        match what {
            What::Rtp(datagram) => self.rtp(at, which, &datagram).await,
            What::Signal(event) => self.signal(which, event).await,
            _ => {}
        }
    }

    async fn rtp(&mut self, at: Instant, which: Which, datagram: &[u8]) {
        let (no_forward, no_backward) = self.faults.blocks();
        let answered = self.called.up;
        let quiet = self.faults.has(Kind::SilentEarlyMedia) && !answered;
        let (from, to) = self.sides(which);
        from.heard_at = from.heard_at.map(|_| at);
        let blocked = match which {
            Which::Caller => no_forward,
            Which::Called => no_backward || quiet,
        };
        let Some(plan) = from.plan.as_ref().filter(|_| !blocked) else { return };
        if let Some((digit, time)) = to.pass(at, datagram, (plan, &from.flags)) {
            to.tell_digit(digit, time).await;
        }
    }

    async fn signal(&mut self, which: Which, event: Event) {
        match event {
            Event::Ended { reasons, .. } => {
                let reasons = if which == Which::Caller { self.reasons(reasons) } else { reasons };
                self.no_answer_at = None;
                self.sides(which).1.release(&reasons).await;
            }
            Event::Rejected(rejection) => self.rejected(&rejection).await,
            Event::Progress { status, .. } if which == Which::Called => self.ring(status).await,
            Event::EarlyMedia { plan, .. } => self.early_media(which, plan).await,
            Event::Answered(plan) => self.answered(which, plan).await,
            Event::Held { by, plan } => self.changed(which, by, plan, Some(true)).await,
            Event::Resumed { by, plan } => self.changed(which, by, plan, Some(false)).await,
            Event::Changed { by, plan } => self.changed(which, by, plan, None).await,
            Event::InfoReceived { content_type, body, status } if (200..300).contains(&status) => {
                self.sides(which).1.info(content_type, body).await;
            }
            _ => {}
        }
    }

    async fn ring(&mut self, status: u16) {
        let (tone, silent) = (self.ringback_tone, self.faults.has(Kind::SilentEarlyMedia));
        if self.caller.up {
            // A menu rang it: the caller hears that it rings.
            return self.begin_tone();
        }
        if tone || silent {
            if !std::mem::replace(&mut self.rings, true) {
                self.caller.handle.command(Command::Ring { status: 183, media: true }).await;
            }
        } else {
            self.caller.handle.command(Command::Ring { status, media: false }).await;
        }
    }

    fn begin_tone(&mut self) {
        let blocked = self.faults.blocks().1;
        if let Some(plan) = self.caller.plan.as_ref().filter(|_| self.tone.is_none() && !blocked) {
            let mut player = Player::new(now(), plan, &mut self.ids, false);
            player.play(now(), ring_back());
            self.tone = Some(player);
        }
    }

    async fn early_media(&mut self, which: Which, plan: MediaPlan) {
        match which {
            Which::Caller => {
                self.caller.plan = Some(plan);
                if self.ringback_tone
                    && self.called.plan.is_none()
                    && !self.faults.has(Kind::SilentEarlyMedia)
                {
                    self.begin_tone();
                }
            }
            Which::Called => {
                // What the device plays goes before our tone.
                (self.called.plan, self.tone) = (Some(plan), None);
                self.rings = true;
                self.caller.handle.command(Command::Ring { status: 183, media: true }).await;
            }
        }
    }

    async fn answered(&mut self, which: Which, plan: MediaPlan) {
        let (this, other) = self.sides(which);
        this.answered(plan);
        if which == Which::Called {
            if !other.up {
                other.handle.command(Command::Answer).await;
            }
            (self.no_answer_at, self.tone) = (None, None);
            let seconds = self.faults.find(|kind| match kind {
                Kind::NoRefresh { seconds } => Some(seconds),
                _ => None,
            });
            self.drop_at =
                seconds.map(|seconds| now() + Duration::from_secs((seconds - (seconds / 3).min(32)).into()));
            let heard_at = self.rtp_timeout().map(|_| now());
            (self.caller.heard_at, self.called.heard_at) = (heard_at, heard_at);
        }
    }

    /// The media of a leg is agreed on anew; a hold of its peer (or the end of one) goes on to the other leg.
    async fn changed(&mut self, which: Which, by: By, plan: MediaPlan, held: Option<bool>) {
        let direction = plan.direction;
        let (this, other) = self.sides(which);
        this.plan = Some(plan);
        if by == By::Peer {
            match held {
                Some(true) if direction == Direction::RecvOnly => {
                    other.handle.command(Command::Hold(Hold::SendOnly)).await;
                }
                Some(true) => other.handle.command(Command::Hold(Hold::Inactive)).await,
                Some(false) => other.handle.command(Command::Resume).await,
                None => {}
            }
        }
    }

    /// The called device refused, or could not be reached.
    async fn rejected(&mut self, rejection: &Rejection) {
        let status = match (&rejection.end, rejection.status) {
            (_, Some(status @ (400 | 402..=406 | 408..=699))) => status,
            (_, Some(401 | 407)) => 403,
            (_, Some(_)) => 480,
            (End::Timeout, None) => 408,
            (End::TransportFailed, None) => 480,
            (_, None) => 500,
        };
        self.refuse(status, &rejection.reasons).await;
    }

    async fn refuse(&mut self, status: u16, reasons: &[String]) {
        (self.tone, self.no_answer_at) = (None, None);
        if self.caller.up {
            return self.caller.release(&[format!("SIP;cause={status}")]).await;
        }
        let reason = (!reasons.is_empty()).then(|| reasons.join(", "));
        self.caller.handle.command(Command::Refuse { status, reason }).await;
    }
}

/// Waits until then; for ever without a time.
pub(super) async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
