//! The side that is called: ringing, reliable or not, the answer, and the 2xx that waits for its ACK.

use super::body::{SDP, lists, sdp, warning};
use super::event::{By, Cause, Event};
use super::session::{Granted, TooSmall};
use super::state::{Leg, Phase};
use super::{Call, Config, FarParty, Output};
use crate::message::{Ids, Message};
use crate::sdp::{MediaPlan, SdpError, summary};
use crate::syntax::{HeaderName, Method, RAck};
use crate::transaction::ServerId;
use crate::ua::dialog::{Dialog, DialogError};
use crate::ua::response::text;
use crate::ua::transfer::Replaces;
use std::time::{Duration, Instant};

/// What an INVITE may require.
const KNOWN: [&[u8]; 4] = [b"100rel", b"timer", b"replaces", b"norefersub"];

/// The INVITE that we were called with, while it has no final response.
#[derive(Debug)]
pub(super) struct Invited {
    id: ServerId,
    request: Message,
    granted: Option<Granted>,
    /// Our answer to the offer in it.
    answer: Option<(String, MediaPlan)>,
    /// Did a reliable response that was acknowledged carry our description?
    described: bool,
    early_media: bool,
    is_reliable: bool,
    next_rseq: u32,
    reliable: Option<Reliable>,
    /// What waits for a PRACK.
    waiting_ring: Option<(u16, bool)>,
    waiting_answer: bool,
}

/// A reliable provisional response without PRACK (RFC 3262 sec. 3).
#[derive(Debug)]
struct Reliable {
    response: Message,
    rseq: u32,
    /// It carries our description: an offer, or our answer.
    description: Description,
    next_at: Instant,
    interval: Duration,
    give_up_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Description {
    None,
    Offer,
    Answer,
}

/// A 2xx of ours to an INVITE, without ACK.
#[derive(Debug)]
pub(super) struct Accepted {
    id: ServerId,
    response: Message,
    cseq: u32,
    /// The 2xx that answered the call: no BYE before its ACK.
    first: bool,
    /// It carries an offer; the answer is in the ACK.
    pub(super) offer: bool,
    next_at: Instant,
    interval: Duration,
    give_up_at: Instant,
}

impl Accepted {
    pub(super) fn is_first(&self) -> bool {
        self.first
    }
    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }
}

impl Call {
    /// A call to us: this INVITE, which opened this transaction, is answered at once when it cannot be taken.
    ///
    /// An INVITE with To tag (of a dialog that nobody knows) is for its owner to answer 481.
    pub fn incoming(now: Instant, config: Config, mut ids: Ids, id: ServerId, invite: &Message) -> Call {
        let call_id = invite.call_id().map(text).unwrap_or_default();
        let next_rseq = 1 + ids.below(1 << 30) as u32;
        let mut call = Call::new(config, ids, call_id, false);
        call.phase = Phase::Ringing;
        for (header, value) in invite.loosely_read() {
            let (header, value) = (header.as_str().to_owned(), text(value));
            call.event(Event::LooselyRead { header, value });
        }
        let refusal = call.open(id, invite, next_rseq);
        if let Err((status, headers)) = refusal {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            call.respond_plain(id, invite, status, &headers);
            call.over(By::Local, Cause::Refused(status), Vec::new());
            call.handle_timeout(now);
        }
        call
    }

    fn open(
        &mut self,
        id: ServerId,
        invite: &Message,
        next_rseq: u32,
    ) -> Result<(), (u16, Vec<(HeaderName, String)>)> {
        let bad = |call: &mut Call, why: String| {
            call.event(Event::RequestRefused { method: "INVITE".to_owned(), status: 400, why });
            (400, Vec::new())
        };
        let dialog = match Dialog::uas(invite, &self.local_tag) {
            Ok(dialog) => dialog,
            Err(DialogError::Field(error)) => return Err(bad(self, error.quoting(invite))),
            Err(error) => return Err(bad(self, error.to_string())),
        };
        let unknown: Vec<String> = invite
            .tokens(HeaderName::Require)
            .filter(|tag| !KNOWN.iter().any(|known| tag.eq_ignore_ascii_case(known)))
            .map(text)
            .collect();
        if !unknown.is_empty() {
            let why = format!("it requires what is not known here: {}", unknown.join(", "));
            self.event(Event::RequestRefused { method: "INVITE".to_owned(), status: 420, why });
            return Err((420, vec![(HeaderName::Unsupported, unknown.join(", "))]));
        }
        self.replaces = match Replaces::of_invite(invite).transpose() {
            Ok(replaces) => replaces,
            Err(error) => {
                let value = invite.header(HeaderName::Replaces).map(text).unwrap_or_default();
                return Err(bad(self, format!("{error}: \"{value}\"")));
            }
        };
        let granted = match self.config.grant_session(invite) {
            Ok(granted) => granted,
            Err(TooSmall(least)) => {
                let asked = invite.header(HeaderName::SessionExpires).map(text).unwrap_or_default();
                let why = format!("its Session-Expires, {asked}, is less than {least} s");
                self.event(Event::RequestRefused { method: "INVITE".to_owned(), status: 422, why });
                return Err((422, vec![(HeaderName::MinSe, least.to_string())]));
            }
        };
        let mut leg = Leg::new(dialog, self.negotiation.clone());
        leg.allows_update = lists(invite, HeaderName::Allow, "UPDATE");
        leg.far = FarParty::of(invite);
        let answer = match sdp(invite).map(|offer| leg.negotiation.answer(offer)) {
            None => None,
            Some(Ok(answer)) => Some(answer),
            Some(Err(error)) => {
                let warning = warning(&error);
                self.event(Event::MediaFailed(error));
                self.offer_refused(invite);
                return Err((488, vec![(HeaderName::Warning, warning)]));
            }
        };
        self.legs.push(leg);
        self.up = Some(0);
        self.invited = Some(Invited {
            id,
            request: invite.clone(),
            granted,
            answer,
            described: false,
            early_media: false,
            is_reliable: lists(invite, HeaderName::Require, "100rel"),
            next_rseq,
            reliable: None,
            waiting_ring: None,
            waiting_answer: false,
        });
        Ok(())
    }

    pub(super) fn ring(&mut self, now: Instant, status: u16, media: bool) {
        let (Some(invited), Some(leg)) = (&mut self.invited, self.legs.first_mut()) else { return };
        if self.phase != Phase::Ringing || !(101..200).contains(&status) {
            return;
        }
        if invited.reliable.is_some() {
            invited.waiting_ring = Some((status, media));
            return;
        }
        let request = invited.request.clone();
        let mut builder = self.config.about_us(self.config.response(&request, status, &self.local_tag), true);
        let mut description = Description::None;
        match &invited.answer {
            Some((answer, _)) if media && !invited.described => {
                description = Description::Answer;
                builder = builder.body(SDP, answer);
            }
            // Who sends no offer gets ours in the first reliable response (RFC 3262 sec. 5).
            None if invited.is_reliable && !invited.described => {
                description = Description::Offer;
                builder = builder.body(SDP, leg.negotiation.offer());
            }
            _ => {}
        }
        let rseq = invited.next_rseq;
        if invited.is_reliable {
            builder =
                builder.header(HeaderName::Require, "100rel").header(HeaderName::RSeq, rseq.to_string());
        }
        let early = match (&invited.answer, description) {
            (Some((_, plan)), Description::Answer) if !invited.early_media => Some(plan.clone()),
            _ => None,
        };
        invited.early_media |= early.is_some();
        let id = invited.id;
        let response = self.respond(id, &request, builder);
        if let (Some(response), Some(invited)) = (response, self.invited.as_mut().filter(|i| i.is_reliable)) {
            invited.next_rseq += 1;
            let (interval, give_up_at) = (self.config.t1, now + self.config.t1 * 64);
            let next_at = now + interval;
            invited.reliable = Some(Reliable { response, rseq, description, next_at, interval, give_up_at });
        }
        if let Some(plan) = early {
            self.event(Event::EarlyMedia { fork: 0, plan });
        }
    }

    pub(super) fn reliable_due(&self) -> Option<Instant> {
        Some(self.invited.as_ref()?.reliable.as_ref()?.next_at)
    }

    pub(super) fn repeat_reliable(&mut self, now: Instant) {
        let Some(invited) = &mut self.invited else { return };
        let Some(reliable) = invited.reliable.as_mut().filter(|reliable| reliable.next_at <= now) else {
            return;
        };
        if now >= reliable.give_up_at {
            self.refuse_invite(504);
            return self.over(By::Local, Cause::NoPrack, Vec::new());
        }
        reliable.interval *= 2;
        reliable.next_at = (now + reliable.interval).min(reliable.give_up_at);
        let response = reliable.response.clone();
        self.outputs.push_back(Output::Respond { id: invited.id, response });
    }

    pub(super) fn on_prack(&mut self, now: Instant, id: ServerId, leg: usize, request: &Message) {
        let cseq = self.invited.as_ref().and_then(|invited| Some(invited.request.cseq().ok()?.number));
        let rack = request.parsed(HeaderName::RAck, RAck::parse).and_then(Result::ok);
        let matched = self.invited.as_mut().zip(rack).and_then(|(invited, rack)| {
            let fits = |r: &&mut Reliable| {
                r.rseq == rack.rseq && Some(rack.cseq) == cseq && rack.method == Method::Invite
            };
            invited.reliable.as_mut().filter(fits).map(|reliable| reliable.description)
        });
        let Some(description) = matched else {
            let why = "it names no response of ours that waits for it".to_owned();
            return self.refuse_request(id, request, 481, why);
        };
        let mut builder = self.config.response(request, 200, &self.local_tag);
        let mut happened = Vec::new();
        if let (Some(body), Some(leg)) = (sdp(request), self.legs.get_mut(leg)) {
            let read = match description {
                Description::Offer => leg.negotiation.accept(body).map(|plan| (None, plan)),
                _ => leg.negotiation.answer(body).map(|(answer, plan)| (Some(answer), plan)),
            };
            match read {
                Ok((answer, plan)) => {
                    if let Some(answer) = answer {
                        builder = builder.body(SDP, answer);
                    }
                    happened.push(Event::EarlyMedia { fork: 0, plan });
                }
                Err(error) => {
                    self.respond_plain(id, request, 488, &[]);
                    self.event(Event::MediaFailed(error));
                    if description != Description::Offer {
                        self.offer_refused(request);
                    }
                    return;
                }
            }
        }
        self.respond(id, request, builder);
        self.outputs.extend(happened.into_iter().map(Output::Event));
        let Some(invited) = &mut self.invited else { return };
        invited.reliable = None;
        invited.described |= description != Description::None;
        let ring = invited.waiting_ring.take();
        match (invited.waiting_answer, ring) {
            (true, _) => self.answer(now),
            (false, Some((status, media))) => self.ring(now, status, media),
            (false, None) => {}
        }
    }

    pub(super) fn answer(&mut self, now: Instant) {
        let (Some(invited), Some(leg)) = (&mut self.invited, self.legs.first_mut()) else { return };
        if self.phase != Phase::Ringing {
            return;
        }
        if invited.reliable.is_some() {
            invited.waiting_answer = true;
            return;
        }
        let (id, request, granted) = (invited.id, invited.request.clone(), invited.granted);
        let mut builder = self.config.about_us(self.config.response(&request, 200, &self.local_tag), true);
        if let Some(granted) = granted {
            builder = granted.write(builder);
        }
        let offers = !invited.described && invited.answer.is_none();
        if offers {
            builder = builder.body(SDP, leg.negotiation.offer());
        } else if let (Some((answer, _)), false) = (&invited.answer, invited.described) {
            builder = builder.body(SDP, answer);
        }
        // Our 2xx confirms it; there is nothing to read.
        let _ = leg.dialog.confirm(None);
        let plan = leg.negotiation.plan().cloned();
        self.invited = None;
        self.phase = Phase::Up;
        if let Some(response) = self.respond(id, &request, builder) {
            self.wait_for_ack(now, id, &request, response, true, offers);
        }
        self.session_granted(now, granted);
        if let Some(plan) = plan {
            self.event(Event::Answered(plan));
        }
    }

    /// From now on this 2xx goes out again and again, until its ACK is there.
    pub(super) fn wait_for_ack(
        &mut self,
        now: Instant,
        id: ServerId,
        request: &Message,
        response: Message,
        first: bool,
        offer: bool,
    ) {
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let interval = self.config.t1;
        let (next_at, give_up_at) = (now + interval, now + interval * 64);
        self.accepted = Some(Accepted { id, response, cseq, first, offer, next_at, interval, give_up_at });
    }

    pub(super) fn repeat_accepted(&mut self, now: Instant) {
        let Some(accepted) = self.accepted.as_mut().filter(|accepted| accepted.next_at <= now) else {
            return;
        };
        if now >= accepted.give_up_at {
            self.accepted = None;
            let reason = self.bye_after_ack.take().flatten();
            return self.end_up(By::Local, Cause::NoAck, reason);
        }
        accepted.interval = (accepted.interval * 2).min(self.config.t2);
        accepted.next_at = (now + accepted.interval).min(accepted.give_up_at);
        let (id, response) = (accepted.id, accepted.response.clone());
        self.outputs.push_back(Output::Respond { id, response });
    }

    pub(super) fn on_ack(&mut self, now: Instant, ack: &Message) {
        let number = ack.cseq().map(|cseq| cseq.number).ok();
        let Some(leg) = self.leg_of(ack) else { return };
        if self.accepted.as_ref().is_none_or(|accepted| Some(accepted.cseq) != number) {
            return;
        }
        let Some(accepted) = self.accepted.take() else { return };
        if accepted.offer {
            let Some(this) = self.legs.get_mut(leg) else { return };
            let before = this.negotiation.plan().cloned();
            match sdp(ack).map_or(Err(SdpError::NoAnswerInAck), |answer| this.negotiation.accept(answer)) {
                Ok(plan) if before.is_none() => self.event(Event::Answered(plan)),
                Ok(plan) => self.plan_changed(before.as_ref(), plan),
                Err(error) => {
                    this.negotiation.withdraw();
                    self.event(Event::MediaFailed(error.clone()));
                    if before.is_none() {
                        return self.end_up(By::Local, Cause::Media(error), None);
                    }
                }
            }
        }
        match self.bye_after_ack.take() {
            Some(reason) => self.end_up(By::Local, Cause::HungUp, reason),
            None => self.next_change(now),
        }
    }

    pub(super) fn refuse(&mut self, status: u16, reason: Option<String>) {
        let Some(invited) = self.invited.as_ref().filter(|_| (300..700).contains(&status)) else { return };
        let (id, request) = (invited.id, invited.request.clone());
        let mut builder = self.config.response(&request, status, &self.local_tag);
        if let Some(reason) = reason {
            builder = builder.header(HeaderName::Reason, reason);
        }
        self.respond(id, &request, builder);
        self.over(By::Local, Cause::Refused(status), Vec::new());
    }

    /// Gives the INVITE that has no final response one.
    pub(super) fn refuse_invite(&mut self, status: u16) {
        if let Some(invited) = self.invited.take() {
            self.respond_plain(invited.id, &invited.request, status, &[]);
        }
    }

    pub(super) fn on_cancelled(&mut self, id: ServerId, reasons: Vec<String>) {
        if self.invited.as_ref().is_some_and(|invited| invited.id == id) {
            self.refuse_invite(487);
            self.over(By::Peer, Cause::Cancelled, reasons);
        }
    }

    /// The offer in this request was refused.
    pub(super) fn offer_refused(&mut self, request: &Message) {
        let offer = sdp(request).map(summary).unwrap_or_default();
        self.event(Event::OfferRefused { status: 488, offer });
    }

    /// May the peer offer something new now, before our answer? Only after ours to its first offer has surely arrived (RFC 3311 sec. 5.1).
    pub(super) fn may_be_offered(&self) -> bool {
        self.invited.as_ref().is_none_or(|invited| invited.described && invited.reliable.is_none())
    }
}
