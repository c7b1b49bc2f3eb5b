//! The side that calls: INVITE, its forks, and CANCEL with its races.

use super::body::{SDP, lists, sdp};
use super::consent::host_of;
use super::event::{By, Cause, Event, Rejection};
use super::request::{Kind, credentials_of};
use super::session::min_se;
use super::state::{Leg, MAX_ANSWERS, MAX_FORKS, MAX_WAITING, Phase};
use super::{Call, Config, FarParty, Output, RequestId};
use crate::message::{Builder, Ids, Message};
use crate::sdp::SdpError;
use crate::syntax::{Contact, HeaderName, Method, Scheme};
use crate::ua::End;
use crate::ua::challenged::{Challenged, Next};
use crate::ua::dialog::Dialog;
use crate::ua::response::{reason, retry_after, values};
use std::time::Instant;

/// Contacts of a 3xx that a [`Rejection`](super::Rejection) lists.
pub const MAX_TARGETS: usize = 16;

/// The INVITE that makes the call.
#[derive(Debug)]
pub(super) struct Inviting {
    target: String,
    first_host: Option<String>,
    to: String,
    challenged: Challenged,
    cseq: u32,
    /// As it was sent last.
    sent: Option<(RequestId, Message)>,
    redirected: bool,
    /// What was sent last goes to the account's own registrar or proxy.
    home: bool,
    /// What 422 said, once.
    min_se: Option<u32>,
    cancelled: bool,
    /// Somebody has it: a provisional response came.
    is_pending: bool,
    /// Does it wait for its final response?
    pub(super) is_open: bool,
}

impl Call {
    /// A call to this URI (no `<>`), not yet made; `ids` gives Call-ID, tags and chance.
    pub fn outgoing(config: Config, target: impl Into<String>, mut ids: Ids) -> Call {
        let target = target.into();
        let to = config.to.clone().unwrap_or_else(|| target.clone());
        let (call_id, max) = (ids.call_id(), config.max_requests);
        let challenged = Challenged::new(config.credentials.clone(), max);
        let mut call = Call::new(config, ids, call_id, true);
        call.inviting = Some(Inviting {
            to,
            first_host: host_of(&target),
            target,
            challenged,
            cseq: 0,
            sent: None,
            redirected: false,
            home: true,
            min_se: None,
            cancelled: false,
            is_pending: false,
            is_open: false,
        });
        call
    }

    pub(super) fn dial(&mut self) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Ringing;
        if let Some(inviting) = &mut self.inviting {
            inviting.is_open = true;
            inviting.challenged.begin();
        }
        self.send_invite();
    }

    fn send_invite(&mut self) {
        let last = self.legs.iter().map(|leg| leg.dialog.local_cseq()).max().unwrap_or(0);
        // What the old request brought about is over.
        self.legs.clear();
        let offer = self.negotiation.offer();
        let id = self.request_id();
        let Some(inviting) = &mut self.inviting else { return };
        if !inviting.challenged.may_send() {
            return self.reject(End::TooManyRequests, None);
        }
        inviting.cseq = inviting.cseq.max(last) + 1;
        let mut builder = Builder::request(Method::Invite, &inviting.target);
        for route in &self.config.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        builder = builder
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("<{}>;tag={}", self.config.from, self.local_tag))
            .header(HeaderName::To, format!("<{}>", inviting.to))
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format!("{} INVITE", inviting.cseq));
        builder = self.config.about_us(builder, true).header(HeaderName::Accept, SDP);
        if self.config.require_reliable {
            builder = builder.header(HeaderName::Require, "100rel");
        }
        builder = self.config.about_transfer(builder);
        let seconds = self.config.session_expires.map(|wish| wish.max(inviting.min_se.unwrap_or(0)));
        let mut headers = self.config.session_headers(seconds, None);
        if let Some(least) = inviting.min_se {
            headers.retain(|(name, _)| *name != HeaderName::MinSe);
            headers.push((HeaderName::MinSe, least.to_string()));
        }
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        match inviting.challenged.write(builder.body(SDP, offer), Method::Invite) {
            Ok(request) => {
                // Until it is told otherwise: who is redirected to another host has left home.
                inviting.home = !inviting.redirected || host_of(&inviting.target) == inviting.first_host;
                inviting.sent = Some((id, request.clone()));
                self.outputs.push_back(Output::Send { id, request });
            }
            Err(wrong) => self.reject(End::BadConfig(wrong), None),
        }
    }

    pub(super) fn is_invite(&self, id: RequestId) -> bool {
        self.inviting.as_ref().and_then(|i| i.sent.as_ref()).is_some_and(|(sent, _)| *sent == id)
    }

    pub(super) fn on_invite_response(&mut self, now: Instant, response: &Message) {
        if let (Some(100..200), Some(inviting)) = (response.status(), &mut self.inviting) {
            inviting.is_pending = true;
        }
        let status = match response.status() {
            Some(100) | None => return,
            Some(status @ 101..700) => status,
            Some(status) => return self.reject(End::BadResponse(format!("status {status}")), None),
        };
        let Some(inviting) = &mut self.inviting else { return };
        match status {
            101..200 => return self.on_provisional(status, response),
            200..300 => return self.on_success(now, response),
            _ if !inviting.is_open => return,
            _ if inviting.cancelled => {
                inviting.is_open = false;
                return self.over(By::Local, Cause::Cancelled, values(response, HeaderName::Reason));
            }
            401 | 407 => {
                let (home, realms) = (inviting.home, &mut self.realms);
                if !home {
                    realms.close();
                }
                let next = inviting.challenged.handle_challenge_of(response, &mut self.ids, realms, home);
                let refused = inviting.challenged.take_refused();
                for (realm, proxy, why) in refused {
                    self.event(Event::ChallengeRefused { method: "INVITE".to_owned(), realm, proxy, why });
                }
                return match next {
                    Next::Again => {
                        // Who comes with another realm now stands further away.
                        self.realms.close();
                        self.send_invite();
                    }
                    Next::End(end) => self.reject(end, Some(response)),
                };
            }
            _ => inviting.challenged.handle_final(response, &mut self.ids),
        }
        if status == 422 && inviting.min_se.is_none() {
            inviting.min_se = min_se(response, self.config.session_expires);
            if inviting.min_se.is_some() {
                return self.send_invite();
            }
        }
        // 305 names a proxy and 380 another service: neither is another place of who was called.
        if (300..=302).contains(&status) && !inviting.redirected {
            let target = targets(response).next();
            if let Some(target) = target.filter(|target| self.config.redirects.follows(target)) {
                (inviting.redirected, inviting.target) = (true, target.clone());
                // Nobody there has asked for credentials, and a realm that is first seen there is a stranger's.
                inviting.challenged.forget();
                self.realms.close();
                self.event(Event::Redirected { status, target });
                return self.send_invite();
            }
        }
        self.reject(End::Refused, Some(response));
    }

    /// The dialog of a response to our INVITE, made when it is new; with the response's word on UPDATE.
    ///
    /// When there are too many forks, one that answers takes the place of one that has not.
    fn leg_for(&mut self, response: &Message) -> Result<usize, String> {
        let is_final = response.status().is_some_and(|status| status >= 200);
        let at = match self.leg_by_tag(response) {
            Some(known) => known,
            None => {
                let sent = self.inviting.as_ref().and_then(|inviting| inviting.sent.as_ref());
                let (_, request) = sent.ok_or("a response without INVITE")?;
                let dialog = Dialog::uac(request, response).map_err(|e| e.to_string())?;
                let room = if self.legs.len() < MAX_FORKS {
                    Some(self.legs.len())
                } else {
                    let early = self.legs.iter().position(|leg| is_final && !leg.dialog.is_confirmed());
                    // Whoever answers is hung up, however many they are.
                    early.or((is_final && self.legs.len() < MAX_ANSWERS).then_some(self.legs.len()))
                };
                let at = room.ok_or("too many forks")?;
                let leg = Leg::new(dialog, self.negotiation.clone());
                match self.legs.get_mut(at) {
                    Some(old) => *old = leg,
                    None => self.legs.push(leg),
                }
                at
            }
        };
        if let Some(leg) = self.legs.get_mut(at) {
            leg.allows_update |= lists(response, HeaderName::Allow, "UPDATE");
        }
        Ok(at)
    }

    pub(super) fn invite_sent_to(&mut self, home: bool) {
        if let Some(inviting) = &mut self.inviting {
            inviting.home = home;
        }
    }

    fn on_provisional(&mut self, status: u16, response: &Message) {
        // Whoever challenges from now on may be the called party.
        self.realms.close();
        if self.phase != Phase::Ringing {
            return;
        }
        let has_tag = response.to().is_ok_and(|to| to.tag().is_some());
        let Some(leg) = has_tag.then(|| self.leg_for(response).ok()).flatten() else {
            return self.event(Event::Progress { status, fork: None });
        };
        let rseq = response.rseq().and_then(Result::ok);
        if let Some(rseq) = rseq.filter(|_| lists(response, HeaderName::Require, "100rel")) {
            let Some(this) = self.legs.get_mut(leg) else { return };
            // Repeated, or one before it is missing (RFC 3262 sec. 4); or there is no end to them.
            if self.pending.len() >= MAX_WAITING
                || this.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq))
            {
                return;
            }
            this.rseq = Some(rseq);
            let cseq = self.inviting.as_ref().map_or(0, |inviting| inviting.cseq);
            let rack = vec![(HeaderName::RAck, format!("{rseq} {cseq} INVITE"))];
            self.send_within(leg, Kind::Prack, Method::Prack, rack, None);
        }
        self.event(Event::Progress { status, fork: Some(leg) });
        let this = self.legs.get_mut(leg).filter(|leg| leg.negotiation.has_offered());
        if let (Some(answer), Some(this)) = (sdp(response), this) {
            let before = this.negotiation.plan().cloned();
            match this.negotiation.accept(answer) {
                Ok(plan) if before.as_ref() != Some(&plan) => {
                    self.event(Event::EarlyMedia { fork: leg, plan })
                }
                Ok(_) => {}
                Err(error) => self.event(Event::MediaFailed(error)),
            }
        }
    }

    fn on_success(&mut self, now: Instant, response: &Message) {
        self.realms.close();
        let leg = match self.leg_for(response) {
            Ok(leg) => leg,
            // It cannot be acknowledged, so the peer gives it up by itself. Further forks may still answer.
            Err(wrong) => {
                self.linger_until = Some(now + self.config.t1 * 64);
                return self.on_invite_lost(End::BadResponse(wrong));
            }
        };
        let Some(inviting) = &mut self.inviting else { return };
        let was_open = std::mem::replace(&mut inviting.is_open, false);
        inviting.challenged.handle_final(response, &mut self.ids);
        let (cseq, cancelled) = (inviting.cseq, inviting.cancelled);
        let credentials =
            inviting.sent.as_ref().map(|(_, request)| credentials_of(request)).unwrap_or_default();
        let Some(this) = self.legs.get_mut(leg) else { return };
        this.far.update(FarParty::of(response));
        // An unreadable route set leaves the one of the early dialog.
        let _ = this.dialog.confirm(Some(response));
        let answer = match sdp(response) {
            // Once the offer of an UPDATE was answered, nothing of ours is open: what repeats the first answer is left alone (RFC 3261
            // sec. 13.2.1, RFC 6337 sec. 3.1.1).
            Some(answer) if this.negotiation.has_offered() || this.negotiation.plan().is_none() => {
                this.negotiation.accept(answer)
            }
            _ => this.negotiation.plan().cloned().ok_or(SdpError::Missing),
        };
        self.acknowledge(now, leg, cseq, &credentials);
        if cancelled && self.phase == Phase::Ringing {
            // The 200 crossed our CANCEL (RFC 3261 sec. 9.1, 15).
            self.phase = Phase::Closing;
            return self.bye(leg, Kind::Bye { ends: Some((By::Local, Cause::Cancelled)) }, None);
        }
        if !was_open || self.phase != Phase::Ringing {
            self.bye(leg, Kind::Bye { ends: None }, None);
            return self.event(Event::ForkHungUp { fork: leg });
        }
        self.up = Some(leg);
        self.phase = Phase::Up;
        self.session_answered(now, response);
        match answer {
            Ok(plan) => self.event(Event::Answered(plan)),
            Err(error) => {
                self.event(Event::MediaFailed(error.clone()));
                self.end_up(By::Local, Cause::Media(error), None);
            }
        }
    }

    pub(super) fn cancel(&mut self, reason: Option<String>) {
        let Some(inviting) = self.inviting.as_mut().filter(|i| i.is_open && !i.cancelled) else { return };
        inviting.cancelled = true;
        if let Some((id, _)) = &inviting.sent {
            self.outputs.push_back(Output::Cancel { id: *id, reason });
        }
    }

    pub(super) fn on_invite_lost(&mut self, end: End) {
        // Where nobody had it, nothing rings.
        self.may_be_left |=
            self.inviting.as_ref().is_some_and(|inviting| inviting.is_open && inviting.is_pending);
        match &mut self.inviting {
            Some(inviting) if inviting.is_open && inviting.cancelled => {
                inviting.is_open = false;
                self.over(By::Local, Cause::Cancelled, Vec::new());
            }
            Some(inviting) if inviting.is_open => self.reject(end, None),
            _ => {}
        }
    }

    fn reject(&mut self, end: End, response: Option<&Message>) {
        let Some(inviting) = self.inviting.as_mut().filter(|inviting| inviting.is_open) else { return };
        inviting.is_open = false;
        let rejection = Rejection {
            end,
            status: response.and_then(Message::status),
            phrase: response.map(reason).unwrap_or_default(),
            reasons: response.map(|r| values(r, HeaderName::Reason)).unwrap_or_default(),
            warnings: response.map(|r| values(r, HeaderName::Warning)).unwrap_or_default(),
            retry_after: response.and_then(retry_after),
            targets: response
                .filter(|response| response.status().is_some_and(|status| (300..400).contains(&status)))
                .map(|response| targets(response).take(MAX_TARGETS).collect())
                .unwrap_or_default(),
            challenges: inviting.challenged.take_offered(),
            requests: inviting.challenged.requests(),
        };
        self.close();
        self.event(Event::Rejected(Box::new(rejection)));
    }
}

/// The Contacts of a 3xx that can be called; their headers are left out.
fn targets(response: &Message) -> impl Iterator<Item = String> {
    response.contacts().filter_map(|contact| {
        let Ok(Contact::Addr(address)) = contact else { return None };
        let uri = address.uri();
        matches!(uri.scheme(), Scheme::Sip | Scheme::Sips).then_some(())?;
        let text = std::str::from_utf8(uri.as_bytes()).ok()?;
        Some(text.split('?').next().unwrap_or(text).to_owned())
    })
}
