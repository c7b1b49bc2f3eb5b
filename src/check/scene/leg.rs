//! One call of one party, and all that was seen of it.

use crate::endpoint::agent::{CallEventKind, CallHandle, MediaReport};
use crate::media::digit::Digit;
use crate::media::dtmf::{DtmfMethod, Observation};
use crate::media::party_tone::Party as Tone;
use crate::media::stream;
use crate::message::Message;
use crate::sdp::{MediaPlan, SdpError};
use crate::ua::call::{By, Cause, DtmfInfo, Event, Rejection};
use crate::ua::transfer::{TransfereeEvent, TransferorEvent};
use std::time::Instant;

/// A call of one party.
#[derive(Debug)]
pub(in crate::check) struct Leg {
    /// Number of the party.
    pub(in crate::check) party: usize,
    pub(in crate::check) handle: CallHandle,
    pub(in crate::check) is_caller: bool,
    /// Time at which it was dialled, or its INVITE came.
    pub(in crate::check) began: Instant,
    pub(in crate::check) seen: Seen,
    /// Nothing more comes of it.
    pub(super) is_told: bool,
}

/// End of a call that was up, or that we did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Ended {
    pub(in crate::check) at: Instant,
    pub(in crate::check) by: By,
    pub(in crate::check) cause: Cause,
    pub(in crate::check) reasons: Vec<String>,
}

/// Events of a call, as its leg saw them.
#[derive(Debug, Default)]
pub(in crate::check) struct Seen {
    /// Provisional responses above 100, with the number of their fork.
    pub(in crate::check) progress: Vec<(Instant, u16, Option<usize>)>,
    /// The first early media was agreed on.
    pub(in crate::check) early_media: Option<Instant>,
    pub(in crate::check) answered: Option<Instant>,
    /// Media plan that is agreed on now.
    pub(in crate::check) plan: Option<MediaPlan>,
    pub(in crate::check) rejected: Option<(Instant, Rejection)>,
    pub(in crate::check) ended: Option<Ended>,
    /// The last final response to our INVITE.
    pub(in crate::check) final_response: Option<Message>,
    pub(in crate::check) redirected: Option<(u16, String)>,
    pub(in crate::check) media_failed: Option<SdpError>,
    /// Holds, resumptions, other changes and their failures, in order.
    pub(in crate::check) changes: Vec<(Instant, Event)>,
    /// Digits that the peer sent, by whichever way.
    pub(in crate::check) observed: Vec<Observation>,
    /// INFOs that came, with what they were answered.
    pub(in crate::check) infos: Vec<(Instant, String, Vec<u8>, u16)>,
    /// Results of our INFOs: token, final status.
    pub(in crate::check) info_answers: Vec<(u64, Option<u16>)>,
    /// Digits that we sent.
    pub(in crate::check) sent: Vec<(Instant, Digit, DtmfMethod)>,
    /// Number of times that all audio which waited was played.
    pub(in crate::check) played: usize,
    /// Digits could not be sent by this way.
    pub(in crate::check) unsupported: Option<DtmfMethod>,
    /// Events of REFERs of ours.
    pub(in crate::check) transferor: Vec<(Instant, TransferorEvent)>,
    /// Demands of the peer that were not met: REFERs that nobody expected, answers to challenges of strangers.
    pub(in crate::check) withheld: Vec<(Instant, Event)>,
    /// Messages of the peer that our end refused by itself, and why (offers, requests), and headers that it took although they break the grammar.
    pub(in crate::check) refused: Vec<(Instant, Event)>,
    pub(in crate::check) forks_hung_up: usize,
    pub(in crate::check) not_sent: Vec<String>,
    /// Requests of the peer in the call.
    pub(in crate::check) requests: Vec<(Instant, Message)>,
    pub(in crate::check) last_report: Option<MediaReport>,
    /// Tones that are heard, and since when, as of the last time that it was asked again.
    pub(in crate::check) tones: Vec<(Tone, Instant)>,
    /// How often it was asked again without an answer yet: what is told until then is of the time before.
    pub(in crate::check) asked_anew: usize,
}

impl Leg {
    pub(super) fn new(party: usize, handle: CallHandle, is_caller: bool, began: Instant) -> Leg {
        Leg { party, handle, is_caller, began, seen: Seen::default(), is_told: false }
    }

    /// Report of the media so far, also when the call is over.
    pub(in crate::check) async fn report(&self) -> MediaReport {
        match &self.seen.last_report {
            Some(report) => report.clone(),
            None => self.handle.report().await.unwrap_or_default(),
        }
    }
}

impl Leg {
    /// Asks again whose tones are heard, and since when.
    pub(in crate::check) async fn listen_again(&mut self) {
        self.seen.asked_anew += 1;
        self.seen.tones.clear();
        self.handle.listen_again().await;
    }
}

impl Seen {
    /// With which status, and why, our own end refused the INVITE that began its call, before anybody was asked whether to take it.
    pub(in crate::check) fn refused_invite(&self) -> Option<(u16, &str)> {
        let ended = self.ended.as_ref().filter(|ended| ended.by == By::Local)?;
        self.refused.iter().find_map(|(_, event)| match event {
            Event::RequestRefused { method, status, why }
                if method == "INVITE" && ended.cause == Cause::Refused(*status) =>
            {
                Some((*status, why.as_str()))
            }
            _ => None,
        })
    }

    /// Since when the peer has the call on hold, where nobody has resumed it.
    pub(in crate::check) fn held_since(&self) -> Option<Instant> {
        self.changes.iter().fold(None, |held, (at, event)| match event {
            Event::Held { by: By::Peer, .. } => held.or(Some(*at)),
            Event::Resumed { .. } => None,
            _ => held,
        })
    }

    /// Since when this tone is heard, as far as it was listened for.
    pub(in crate::check) fn hears_since(&self, tone: Tone) -> Option<Instant> {
        self.tones.iter().find(|(heard, _)| *heard == tone).map(|(_, since)| *since)
    }

    /// Did it ring (180, or any 18x that makes a dialog)?
    pub(in crate::check) fn rang(&self) -> Option<Instant> {
        self.progress.iter().find(|(_, status, _)| *status >= 180).map(|(at, ..)| *at)
    }

    /// Up, and not over?
    pub(in crate::check) fn is_up(&self) -> bool {
        self.answered.is_some() && self.ended.is_none()
    }

    pub(super) fn take(&mut self, at: Instant, kind: CallEventKind) {
        match kind {
            CallEventKind::Signal(event) => self.signal(at, event),
            CallEventKind::Media(stream::Event::Observed(observation)) if self.observed.len() < MOST => {
                self.observed.push(observation);
            }
            CallEventKind::Media(stream::Event::Amended(observation)) => {
                let has_room = self.observed.len() < MOST;
                match self.observed.iter_mut().rev().find(|earlier| observation.amends(earlier)) {
                    Some(earlier) => *earlier = observation,
                    None if has_room => self.observed.push(observation),
                    None => {}
                }
            }
            CallEventKind::Media(stream::Event::Sent { digit, way, at }) => self.sent.push((at, digit, way)),
            CallEventKind::Media(stream::Event::Played) => self.played += 1,
            CallEventKind::Media(stream::Event::ToneHeard { party, since }) if self.asked_anew == 0 => {
                self.tones.push((party, since));
            }
            CallEventKind::ListensAgain => self.asked_anew = self.asked_anew.saturating_sub(1),
            CallEventKind::Media(stream::Event::Unsupported(way)) => self.unsupported = Some(way),
            CallEventKind::Response(response) if response.status().is_some_and(|status| status >= 200) => {
                self.final_response = Some(response);
            }
            CallEventKind::Request(request) if self.requests.len() < MOST => {
                self.requests.push((at, request))
            }
            CallEventKind::NotSent(why) if self.not_sent.len() < MOST => self.not_sent.push(why),
            CallEventKind::LastReport(report) => self.last_report = Some(*report),
            _ => {}
        }
    }

    fn signal(&mut self, at: Instant, event: Event) {
        match event {
            Event::Progress { status, fork } if self.progress.len() < MOST => {
                self.progress.push((at, status, fork));
            }
            Event::EarlyMedia { plan, .. } => {
                self.early_media.get_or_insert(at);
                self.plan = Some(plan);
            }
            Event::Answered(plan) => {
                self.answered.get_or_insert(at);
                self.plan = Some(plan);
            }
            Event::Rejected(rejection) => self.rejected = Some((at, *rejection)),
            Event::Ended { by, cause, reasons } => self.ended = Some(Ended { at, by, cause, reasons }),
            Event::Redirected { status, target } => self.redirected = Some((status, target)),
            Event::MediaFailed(error) => self.media_failed = Some(error),
            Event::InfoReceived { content_type, body, status } if self.infos.len() < MOST => {
                if let Some(info) = DtmfInfo::parse(&content_type, &body) {
                    self.observed.push(Observation::new(DtmfMethod::Info, info.digit, at, info.duration));
                }
                self.infos.push((at, content_type, body, status));
            }
            Event::InfoAnswered { token, status } => self.info_answers.push((token, status)),
            Event::Transferor { event, .. } if self.transferor.len() < MOST => {
                self.transferor.push((at, event))
            }
            Event::Transferee {
                event: TransfereeEvent::Unexpected(_) | TransfereeEvent::Declined(_),
                ..
            }
            | Event::ChallengeRefused { .. }
                if self.withheld.len() < MOST =>
            {
                self.withheld.push((at, event));
            }
            Event::OfferRefused { .. } | Event::RequestRefused { .. } | Event::LooselyRead { .. }
                if self.refused.len() < MOST =>
            {
                self.refused.push((at, event));
            }
            Event::ForkHungUp { .. } => self.forks_hung_up += 1,
            Event::Held { ref plan, .. }
            | Event::Resumed { ref plan, .. }
            | Event::Changed { ref plan, .. } => {
                self.plan = Some(plan.clone());
                self.change(at, event);
            }
            Event::ChangeFailed { .. } | Event::Glare { .. } | Event::Refreshed { .. } => {
                self.change(at, event)
            }
            _ => {}
        }
    }

    fn change(&mut self, at: Instant, event: Event) {
        if self.changes.len() < MOST {
            self.changes.push((at, event));
        }
    }
}

/// Things of one kind that are kept of one call.
const MOST: usize = 1_024;
