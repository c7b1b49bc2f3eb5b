//! The call of somebody who called a voice menu.

use super::Ivr;
use super::clock::{at, now};
use super::faults::Faults;
use super::legs::LegState;
use super::menu::{Menu, Step};
use super::player::{Player, prompt, wrong};
use super::relay::event_of;
use crate::endpoint::agent::{CallEvent, CallEventKind};
use crate::media::digit::Digit;
use crate::media::dtmf::DtmfMethod;
use crate::media::stream;
use crate::message::Ids;
use crate::sdp::MediaPlan;
use crate::sim::fault::Kind;
use crate::ua::call::DtmfInfo;
use crate::ua::call::{Command, Event};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A menu that never answers (D17:never) gives up after this time.
const NEVER_ANSWERS: Duration = Duration::from_secs(60);

/// How it ended.
pub(super) enum Chosen {
    /// The caller goes on to this number.
    Number(LegState, String),
    /// The call is over.
    Over,
}

pub(super) struct Conversation<'a> {
    leg: LegState,
    ivr: &'a Ivr,
    faults: Faults,
    menu: Menu,
    ids: Ids,
    player: Option<Player>,
    /// When it answers, where it does so by the clock.
    answer_at: Option<Instant>,
    give_up_at: Option<Instant>,
    last: Option<Digit>,
    /// It has hung up.
    gave_up: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(leg: LegState, ivr: &'a Ivr, faults: Faults, ids: Ids) -> Conversation<'a> {
        let menu = Menu::new(now(), ivr);
        Conversation {
            leg,
            ivr,
            faults,
            menu,
            ids,
            player: None,
            answer_at: None,
            give_up_at: None,
            last: None,
            gave_up: false,
        }
    }

    fn late(&self) -> Option<Option<u32>> {
        self.faults.find(|kind| match kind {
            Kind::LateMenu { seconds } => Some(seconds),
            _ => None,
        })
    }

    pub(super) async fn run(mut self) -> Chosen {
        match self.late() {
            None if !self.ivr.early_media => self.leg.handle.command(Command::Answer).await,
            late => {
                self.leg.handle.command(Command::Ring { status: 183, media: true }).await;
                match late {
                    Some(Some(seconds)) => {
                        self.answer_at = Some(now() + Duration::from_secs(seconds.into()));
                    }
                    Some(None) => self.give_up_at = Some(now() + NEVER_ANSWERS),
                    None => {}
                }
            }
        }
        while !self.leg.over {
            let due = self.due();
            let step = tokio::select! {
                biased;
                happened = self.leg.next() => self.happened(happened).await,
                () = at(due) => self.on_time().await,
            };
            match step {
                Step::Wait => {}
                Step::Route(number) => return Chosen::Number(self.leg, number),
                Step::Wrong => self.play(wrong()),
                Step::GiveUp => {
                    self.gave_up = true;
                    self.leg.release(&["SIP;cause=408;text=\"no digits\"".to_owned()]).await;
                }
            }
        }
        Chosen::Over
    }

    /// Does it take digits now?
    fn listens(&self) -> bool {
        !self.gave_up && (self.leg.up || self.late().is_none())
    }

    fn due(&self) -> Option<Instant> {
        let player = self.player.as_ref().and_then(Player::due);
        let menu = (self.player.is_some() && self.listens()).then(|| self.menu.due());
        [player, menu, self.answer_at, self.give_up_at].into_iter().flatten().min()
    }

    async fn on_time(&mut self) -> Step {
        let now = now();
        if self.answer_at.is_some_and(|at| at <= now) {
            self.answer_at = None;
            self.leg.handle.command(Command::Answer).await;
        }
        if self.give_up_at.is_some_and(|at| at <= now) {
            self.give_up_at = None;
            self.leg.handle.command(Command::Refuse { status: 480, reason: None }).await;
        }
        let step = self.run_player(now).await;
        if step == Step::Wait && self.listens() { self.menu.time_is_up(now) } else { step }
    }

    async fn run_player(&mut self, now: Instant) -> Step {
        let Some(player) = &mut self.player else { return Step::Wait };
        let events = if self.faults.blocks().1 { player.run(now).1 } else { self.leg.play(now, player) };
        let mut step = Step::Wait;
        for event in events {
            let pressed = match event {
                stream::Event::Begun { digit, .. } => self.rfc4733().then_some(digit),
                stream::Event::Observed(seen) if seen.way == DtmfMethod::InBand => {
                    seen.digit.filter(|_| self.ivr.ways.contains(&DtmfMethod::InBand))
                }
                stream::Event::Played => {
                    if self.ivr.early_media && self.late().is_none() && !self.leg.up {
                        self.leg.handle.command(Command::Answer).await;
                    }
                    None
                }
                _ => None,
            };
            if let Some(digit) = pressed.filter(|_| step == Step::Wait) {
                step = self.pressed(now, digit);
            }
        }
        step
    }

    /// Are telephone events taken? Some faults make a strict receiver of it, which does not know its own sender any more.
    fn rfc4733(&self) -> bool {
        let lost = |kind| {
            matches!(
                kind,
                Kind::DiscardsEvents
                    | Kind::NoTelephoneEvent
                    | Kind::OtherPayloadType
                    | Kind::EventClock(_)
                    | Kind::NoMarker
                    | Kind::EndPackets(_)
                    | Kind::ShortEvents
                    | Kind::QuietEvents
                    | Kind::OtherSsrc
            )
        };
        self.ivr.ways.contains(&DtmfMethod::Rfc4733)
            && self.faults.find(|kind| lost(kind).then_some(())).is_none()
            && !self.leg.flags.events_gone.load(Ordering::Relaxed)
    }

    fn pressed(&mut self, now: Instant, digit: Digit) -> Step {
        if !self.listens() {
            return Step::Wait;
        }
        if let Some(player) = &mut self.player {
            player.stop(now);
        }
        let again = self.last.replace(digit) == Some(digit);
        if again && self.faults.has(Kind::MergesRepeats) {
            return Step::Wait;
        }
        let step = self.menu.press(now, digit);
        let twice = [Kind::LeaksInBand, Kind::LeaksInfo, Kind::RestartsEvents];
        if step == Step::Wait && twice.into_iter().any(|kind| self.faults.has(kind)) {
            return self.menu.press(now, digit);
        }
        step
    }

    async fn happened(&mut self, happened: Option<CallEvent>) -> Step {
        let Some(CallEvent { at, kind }) = happened else { return Step::Wait };
        match kind {
            CallEventKind::Rtp(datagram) if !self.faults.blocks().0 => {
                if let Some(player) = &mut self.player {
                    player.hear(at, &datagram);
                }
                let event = self.leg.plan.as_ref().and_then(|plan| event_of(&datagram, plan));
                self.leg.taken = event.or(self.leg.taken);
                self.run_player(at).await
            }
            CallEventKind::Signal(Event::EarlyMedia { plan, .. }) => self.begin(plan),
            CallEventKind::Signal(Event::Answered(plan)) => {
                self.leg.answered(plan.clone());
                self.begin(plan)
            }
            CallEventKind::Signal(
                Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. },
            ) => {
                self.leg.plan = Some(plan);
                Step::Wait
            }
            CallEventKind::Signal(Event::InfoReceived { content_type, body, status })
                if (200..300).contains(&status) && self.ivr.ways.contains(&DtmfMethod::Info) =>
            {
                DtmfInfo::parse(&content_type, &body).map_or(Step::Wait, |info| self.pressed(at, info.digit))
            }
            _ => Step::Wait,
        }
    }

    /// There is media: the prompt.
    fn begin(&mut self, plan: MediaPlan) -> Step {
        self.menu.begin(now());
        if self.player.is_none() {
            let detect = self.ivr.ways.contains(&DtmfMethod::InBand);
            let mut player = Player::new(now(), &plan, &mut self.ids, detect);
            player.play(now(), prompt());
            self.player = Some(player);
        }
        self.leg.plan = Some(plan);
        Step::Wait
    }

    fn play(&mut self, what: Vec<stream::Command>) {
        if let Some(player) = &mut self.player {
            player.stop(now());
            player.play(now(), what);
            player.play(now(), prompt());
        }
    }
}
