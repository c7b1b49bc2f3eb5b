//! A call between two devices: two legs, each with a dialog and media ports of its own, and everything that is passed on between them.

mod calling;
mod consult;
mod hunt;
mod parting;
mod pass;
mod replace;
mod transfer;

use super::Pbx;
use super::clock::{at, now};
use super::dial_plan::Destination;
use super::faults::Faults;
use super::feature::Keys;
use super::hunt::Hunt;
use super::legs::{CallInbox, LegState, Question};
use super::player::Player;
use super::ring::{Purpose, Ring};
use super::waiting::Waiting;
use super::which::Which;
use crate::endpoint::agent::{CallEvent, CallEventKind};
use crate::media::dtmf::DtmfMethod;
use crate::media::stream;
use crate::message::Ids;
use crate::sdp::MediaPlan;
use crate::sim::fault::Kind;
use crate::ua::call::{DtmfInfo, Event};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use transfer::{Relayed, Transfer};

/// A call. Each of its two legs that ends takes the other one with it, unless a transfer goes on.
pub(super) struct Bridge {
    pbx: Pbx,
    /// The caller's leg and the callee's. There is no callee's while devices are [rung](Ring) for the call; a transfer puts somebody
    /// else in the place of either.
    legs: [Option<LegState>; 2],
    ring: Option<Ring>,
    /// Who is rung later.
    hunt: Option<Hunt>,
    faults: Faults,
    ids: Ids,
    no_answer_at: Option<Instant>,
    /// Somebody hears a tone of ours while it rings.
    tone: Option<(Which, Player)>,
    rings: bool,
    /// Somebody is held, and hears music of ours.
    music: Option<(Which, Box<Player>)>,
    inbox: CallInbox,
    questions: mpsc::Receiver<Question>,
    /// A transfer that we carry out.
    transfer: Option<Transfer>,
    /// REFERs that were passed on.
    relayed: Vec<Relayed>,
    /// The keys that begin a transfer, and those that were pressed.
    keys: Option<Keys>,
    /// Who is to be transferred after a consultation.
    waiting: Option<Waiting>,
    /// Has taken the place of another leg, and is about to be up.
    newcomer: Option<Which>,
    /// Devices that ring on, or have answered too late, because of a fault.
    losers: Vec<LegState>,
    /// The leg that still gets the audio that is meant for its successor (H07).
    old: Option<(Which, LegState)>,
    /// A leg that goes on to a number of our own.
    onward: Option<(LegState, Destination)>,
    /// Transferors that are hung up on after their last NOTIFY.
    partings: JoinSet<()>,
    /// The whole call is dropped then, and why (H01, S02).
    drop_at: Option<(Instant, &'static str)>,
    /// Which of its sources of news is asked first.
    turn: usize,
}

/// What is left of a call.
pub(super) struct Rest {
    /// A leg that goes on to a number of our own, with the faults of its call.
    pub(super) onward: Option<(LegState, Destination, Faults)>,
    /// Transferors that are hung up on after their last NOTIFY.
    pub(super) partings: JoinSet<()>,
}

/// Both legs, what rings, what has lost, who waits, and other calls.
const SOURCES: usize = 6;

/// What woke a call.
enum Wake {
    LegState(Which, Option<CallEvent>),
    Branch(usize, Option<CallEvent>),
    Loser(usize, Option<CallEvent>),
    Waiting(Option<CallEvent>),
    Asked(Question),
    Due,
}

impl Bridge {
    pub(super) fn new(
        pbx: Pbx,
        caller: LegState,
        mut called: Vec<LegState>,
        faults: Faults,
        hunt: Option<Hunt>,
    ) -> Bridge {
        let (inbox, questions) = CallInbox::new();
        for leg in &mut called {
            caller.entry.join(&leg.entry);
            leg.relay.take_event(caller.taken);
            leg.entry.belongs_to(&inbox);
        }
        caller.entry.belongs_to(&inbox);
        Bridge {
            no_answer_at: Some(now() + pbx.config.no_answer),
            ids: pbx.ids(),
            keys: Keys::of(&pbx.config),
            pbx,
            legs: [Some(caller), None],
            ring: Some(Ring::new(Purpose::Call, called)),
            hunt,
            faults,
            tone: None,
            rings: false,
            music: None,
            inbox,
            questions,
            transfer: None,
            relayed: Vec::new(),
            waiting: None,
            newcomer: None,
            losers: Vec::new(),
            old: None,
            onward: None,
            partings: JoinSet::new(),
            drop_at: None,
            turn: 0,
        }
    }

    /// Of two legs that are not rung; the caller is answered now.
    pub(super) fn joined(pbx: Pbx, caller: LegState, called: LegState, faults: Faults) -> Bridge {
        let mut bridge = Bridge::new(pbx, caller, Vec::new(), faults, None);
        called.entry.belongs_to(&bridge.inbox);
        (bridge.ring, bridge.no_answer_at, bridge.newcomer) = (None, None, Some(Which::Caller));
        bridge.legs[Which::Called as usize] = Some(called);
        bridge
    }

    fn leg(&mut self, which: Which) -> &mut Option<LegState> {
        &mut self.legs[which as usize]
    }

    fn is_over(&self) -> bool {
        let over = self.legs.iter().flatten().all(|leg| leg.over);
        over && self.ring.is_none() && self.waiting.is_none()
    }

    /// Until all its legs are released, or go on elsewhere.
    pub(super) async fn run(mut self) -> Rest {
        while !self.is_over() {
            let due = self.due();
            if due.is_some_and(|due| due <= now()) {
                self.on_time().await;
                continue;
            }
            // By turns, so that a flood on one leg does not keep out the other; and not by chance, so that runs are alike.
            self.turn = (self.turn + 1) % SOURCES;
            let wake = tokio::select! {
                biased;
                wake = poll_fn(|cx| self.poll(cx)) => wake,
                () = at(due) => Wake::Due,
            };
            match wake {
                Wake::LegState(which, happened) => self.happened(which, happened).await,
                Wake::Branch(index, happened) => self.branch(index, happened).await,
                Wake::Loser(index, happened) => self.loser(index, happened).await,
                Wake::Waiting(happened) => self.waits(happened).await,
                Wake::Asked(question) => self.asked(question).await,
                Wake::Due => {}
            }
        }
        let onward = self.onward.take().map(|(leg, destination)| (leg, destination, self.faults.clone()));
        Rest { onward, partings: std::mem::take(&mut self.partings) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let start = self.turn;
        for source in (0..SOURCES).map(|step| (start + step) % SOURCES) {
            if let Poll::Ready(wake) = self.poll_source(source, cx) {
                return Poll::Ready(wake);
            }
        }
        Poll::Pending
    }

    fn poll_source(&mut self, source: usize, cx: &mut Context<'_>) -> Poll<Wake> {
        match source {
            0 | 1 => {
                let which = if source == 0 { Which::Caller } else { Which::Called };
                let Some(leg) = self.leg(which) else { return Poll::Pending };
                leg.poll_next(cx).map(|happened| Wake::LegState(which, happened))
            }
            2 => {
                let Some(ring) = &mut self.ring else { return Poll::Pending };
                ring.poll_next(cx).map(|(index, happened)| Wake::Branch(index, happened))
            }
            3 => {
                let mut losers = self.losers.iter_mut().enumerate();
                let news = losers.find_map(|(index, leg)| match leg.poll_next(cx) {
                    Poll::Ready(happened) => Some(Wake::Loser(index, happened)),
                    Poll::Pending => None,
                });
                news.map_or(Poll::Pending, Poll::Ready)
            }
            4 => {
                let Some(waiting) = &mut self.waiting else { return Poll::Pending };
                waiting.leg.poll_next(cx).map(Wake::Waiting)
            }
            // We have a sender ourselves: it never closes.
            _ => match self.questions.poll_recv(cx) {
                Poll::Ready(Some(question)) => Poll::Ready(Wake::Asked(question)),
                _ => Poll::Pending,
            },
        }
    }

    fn rtp_timeout(&self) -> Option<Duration> {
        self.faults.find(|kind| match kind {
            Kind::RtpTimeout { seconds } => Some(Duration::from_secs(seconds.into())),
            _ => None,
        })
    }

    fn silent_at(&self) -> Option<Instant> {
        let timeout = self.rtp_timeout()?;
        let [Some(caller), Some(called)] = &self.legs else { return None };
        let last = caller.heard_at.into_iter().chain(called.heard_at).min()?;
        Some(last + timeout)
    }

    fn due(&self) -> Option<Instant> {
        let tone = self.tone.as_ref().and_then(|(_, tone)| tone.due());
        let held = self.music.as_ref().and_then(|(_, music)| music.due());
        let drop_at = self.drop_at.map(|(at, _)| at);
        let typed = self.keys.as_ref().and_then(|keys| keys.due).map(|(at, _)| at);
        let music = self.waiting.as_ref().and_then(Waiting::due);
        let turn = self.hunt.as_ref().and_then(Hunt::due);
        let all = [turn, tone, held, music, self.no_answer_at, self.silent_at(), drop_at, typed];
        all.into_iter().flatten().min()
    }

    async fn on_time(&mut self) {
        let now = now();
        if let Some((which, tone)) = &mut self.tone
            && let Some(leg) = &mut self.legs[*which as usize]
        {
            let played = leg.play(now, tone).contains(&stream::Event::Played);
            self.tone = self.tone.take().filter(|_| !played);
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.play(now);
        }
        self.play_music();
        if let Some((_, which)) = self.keys.as_mut().and_then(|keys| keys.due.take_if(|(at, _)| *at <= now)) {
            self.pressed(which, None, None).await;
        }
        if self.no_answer_at.is_some_and(|at| at <= now) {
            self.no_answer_at = None;
            self.not_answered().await;
        }
        if self.hunt.as_ref().and_then(Hunt::due).is_some_and(|at| at <= now) {
            self.next_turn().await;
        }
        if self.silent_at().is_some_and(|at| at <= now) {
            self.drop_both("SIP;cause=408;text=\"RTP timeout\"").await;
        }
        if let Some((_, reason)) = self.drop_at.take_if(|(at, _)| *at <= now) {
            self.drop_both(reason).await;
        }
    }

    async fn drop_both(&mut self, reason: &str) {
        for leg in self.legs.iter_mut().flatten() {
            leg.heard_at = None;
            leg.release(&[reason.to_owned()]).await;
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.leg.release(&[reason.to_owned()]).await;
        }
    }

    async fn happened(&mut self, which: Which, happened: Option<CallEvent>) {
        match happened {
            // Whatever it was that ended it.
            None => self.ended(which, Vec::new()).await,
            Some(CallEvent { at, kind: CallEventKind::Rtp(datagram) }) => {
                self.rtp(at, which, &datagram).await
            }
            Some(CallEvent { kind: CallEventKind::Signal(event), .. }) => self.signal(which, event).await,
            Some(_) => {}
        }
    }

    async fn signal(&mut self, which: Which, event: Event) {
        match event {
            Event::Ended { reasons, .. } => self.ended(which, reasons).await,
            Event::EarlyMedia { plan, .. } => self.early_caller(which, plan),
            Event::Answered(plan) => self.answered(which, plan).await,
            Event::Held { by, plan } => self.changed(which, by, plan, Some(true)).await,
            Event::Resumed { by, plan } => self.changed(which, by, plan, Some(false)).await,
            Event::Changed { by, plan } => self.changed(which, by, plan, None).await,
            Event::InfoReceived { content_type, body, status } if (200..300).contains(&status) => {
                if let Some(info) = DtmfInfo::parse(&content_type, &body)
                    && self.pressed(which, Some(info.digit), Some(DtmfMethod::Info)).await
                {
                    return;
                }
                if let Some(other) = self.leg(which.other()) {
                    other.info(content_type, body).await;
                }
            }
            Event::Transferee { referral, event } => self.transferee(which, referral, event).await,
            Event::Transferor { token, event } => self.transferor(token, event).await,
            _ => {}
        }
    }

    /// A leg is over: the other one goes with it, or a transfer goes on.
    async fn ended(&mut self, which: Which, reasons: Vec<String>) {
        let Some(leg) = self.leg(which) else { return };
        if std::mem::replace(&mut leg.ended, true) {
            return;
        }
        leg.entry.leave();
        if self.ended_in_transfer(which, &reasons).await || self.ended_in_consult(which).await {
            return;
        }
        (self.no_answer_at, self.hunt) = (None, None);
        if let Some(ring) = self.ring.take() {
            ring.cancel(&self.reasons(reasons.clone())).await;
        }
        if let Some(other) = self.leg(which.other()) {
            other.release(&reasons).await;
        }
    }

    async fn answered(&mut self, which: Which, plan: MediaPlan) {
        let Some(leg) = self.leg(which) else { return };
        leg.answered(plan);
        if self.newcomer.take_if(|newcomer| *newcomer == which).is_some() {
            self.introduce().await;
        }
    }

    /// Both legs are up now.
    fn began(&mut self) {
        (self.no_answer_at, self.tone, self.hunt) = (None, None, None);
        let seconds = self.faults.find(|kind| match kind {
            Kind::NoRefresh { seconds } => Some(seconds),
            _ => None,
        });
        self.drop_at = seconds.map(|seconds| {
            let at = now() + Duration::from_secs((seconds - (seconds / 3).min(32)).into());
            (at, "SIP;cause=408;text=\"session expired\"")
        });
        let heard_at = self.rtp_timeout().map(|_| now());
        for leg in self.legs.iter_mut().flatten() {
            leg.heard_at = heard_at;
        }
    }
}
