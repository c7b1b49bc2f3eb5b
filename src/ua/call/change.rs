//! Changes of a call that is up: re-INVITE and UPDATE both ways, hold and resume, glare (RFC 3261 sec. 14, RFC 3311, RFC 3264 sec. 8).

use super::body::{SDP, sdp, warning};
use super::event::{By, Event};
use super::request::{Kind, Pending, credentials_of};
use super::session::{TooSmall, min_se};
use super::state::{MAX_GLARES, MAX_WAITING, Phase};
use super::{Call, Hold};
use crate::message::Message;
use crate::sdp::{Direction, MediaPlan, Negotiation, SdpError};
use crate::syntax::{HeaderName, Method, Refresher};
use crate::transaction::ServerId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Our changes: at most one is on its way.
#[derive(Debug, Default)]
pub(super) struct Changes {
    current: Option<Change>,
    waiting: VecDeque<Change>,
    /// After a glare nothing is sent before.
    pub(super) retry_at: Option<Instant>,
    /// How we hold the peer now.
    held: Option<Hold>,
    /// The interval that a 422 asked for.
    seconds: Option<u32>,
}

/// A change that we want.
#[derive(Debug, Clone)]
struct Change {
    /// Hold in this way, or none at all; without, only the session timer is refreshed.
    hold: Option<Option<Hold>>,
    glares: u32,
    /// A 422 was obeyed.
    longer: bool,
}

impl Changes {
    pub(super) fn clear(&mut self) {
        *self = Changes { held: self.held, ..Changes::default() };
    }
}

fn apply(negotiation: &mut Negotiation, hold: Option<Hold>) {
    match hold {
        None => negotiation.set_direction(Direction::SendRecv),
        Some(Hold::SendOnly) => negotiation.set_direction(Direction::SendOnly),
        Some(Hold::Inactive) => negotiation.set_direction(Direction::Inactive),
        Some(Hold::ZeroAddress) => negotiation.set_zero_address(),
    }
}

impl Call {
    pub(super) fn hold(&mut self, hold: Option<Hold>) {
        self.want(Change { hold: Some(hold), glares: 0, longer: false });
    }

    pub(super) fn refresh_session(&mut self) {
        // Whatever change is on its way or waits refreshes the session as well.
        if self.changes.current.is_none() && self.changes.waiting.is_empty() {
            self.want(Change { hold: None, glares: 0, longer: false });
        }
    }

    fn want(&mut self, change: Change) {
        if self.phase == Phase::Up && self.changes.waiting.len() < MAX_WAITING {
            self.changes.waiting.push_back(change);
            self.send_next();
        }
    }

    pub(super) fn next_change(&mut self, now: Instant) {
        self.changes.retry_at = self.changes.retry_at.filter(|at| *at > now);
        self.send_next();
    }

    /// Sends the next change, unless one is on its way in either direction (RFC 3261 sec. 14.1).
    fn send_next(&mut self) {
        let changes = &mut self.changes;
        if self.phase != Phase::Up
            || changes.current.is_some()
            || changes.retry_at.is_some()
            || self.accepted.is_some()
            || self.bye_after_ack.is_some()
        {
            return;
        }
        let Some(change) = changes.waiting.pop_front() else { return };
        let hold = change.hold;
        let Some(at) = self.up else { return };
        let Some(leg) = self.legs.get_mut(at) else { return };
        changes.current = Some(change);
        let update = self.config.prefer_update && leg.allows_update;
        let body = match (hold, update) {
            (None, true) => None,
            (None, false) => Some(leg.negotiation.repeat()),
            (Some(hold), _) => {
                apply(&mut leg.negotiation, hold);
                Some(leg.negotiation.offer())
            }
        };
        let body = body.map(|text| (SDP.to_owned(), text.into_bytes()));
        let refresher = self.session.as_ref().map(|session| match session.we_refresh {
            true => Refresher::Uac,
            false => Refresher::Uas,
        });
        let seconds = changes.seconds.max(self.session.as_ref().map(|session| session.seconds));
        let mut headers = self.config.session_headers(seconds, refresher);
        if let Some(least) = changes.seconds {
            headers.retain(|(name, _)| *name != HeaderName::MinSe);
            headers.push((HeaderName::MinSe, least.to_string()));
        }
        let method = if update { Method::Update } else { Method::Invite };
        self.send_within(at, Kind::Change, method, headers, body);
    }

    pub(super) fn retry_change(&mut self, now: Instant) {
        if self.changes.retry_at.is_some_and(|at| at <= now) {
            self.next_change(now);
        }
    }

    pub(super) fn on_change_answered(
        &mut self,
        now: Instant,
        pending: &Pending,
        answer: Option<(u16, &Message)>,
    ) {
        if let Some((200..300, response)) = answer {
            return self.on_change_accepted(now, pending, response);
        }
        let Some(mut change) = self.changes.current.take() else { return };
        let Some(leg) = self.legs.get_mut(pending.leg) else { return };
        leg.negotiation.withdraw();
        apply(&mut leg.negotiation, self.changes.held);
        let status = answer.map(|(status, _)| status);
        let asked =
            self.changes.seconds.or(self.session.as_ref().map(|s| s.seconds)).or(self.config.session_expires);
        let longer = answer.filter(|(status, _)| *status == 422 && !change.longer);
        if let Some(least) = longer.and_then(|(_, response)| min_se(response, asked)) {
            self.changes.seconds = Some(least);
            change.longer = true;
            self.changes.waiting.push_front(change);
        } else if status == Some(491) && change.glares < MAX_GLARES {
            change.glares += 1;
            self.changes.waiting.push_front(change);
            let again_in = self.back_off();
            self.changes.retry_at = Some(now + again_in);
            self.event(Event::Glare { again_in });
        } else if matches!(status, Some(405 | 501)) && pending.method == Method::Update {
            leg.allows_update = false;
            self.changes.waiting.push_front(change);
        } else {
            self.event(Event::ChangeFailed { status });
        }
        // Not when the dialog is gone: then a BYE follows.
        if !matches!(status, None | Some(408 | 481)) {
            self.next_change(now);
        }
    }

    /// RFC 3261 sec. 14.1: whose Call-ID it is waits longer; in steps of 10 ms.
    fn back_off(&mut self) -> Duration {
        let steps = if self.is_caller { 210 + self.ids.below(191) } else { self.ids.below(201) };
        Duration::from_millis(10 * steps)
    }

    fn on_change_accepted(&mut self, now: Instant, pending: &Pending, response: &Message) {
        let change = self.changes.current.take();
        let sent = pending.sent.as_ref();
        if let (Method::Invite, Some(sent)) = (pending.method, sent) {
            let number = sent.cseq().map_or(0, |cseq| cseq.number);
            self.acknowledge(now, pending.leg, number, &credentials_of(sent));
        }
        let Some(leg) = self.legs.get_mut(pending.leg) else { return };
        let (Some(change), Phase::Up) = (change, self.phase) else { return };
        leg.dialog.refresh_target(response);
        self.hear_of(pending.leg, response);
        let Some(leg) = self.legs.get_mut(pending.leg) else { return };
        let before = leg.negotiation.plan().cloned();
        let offered = sent.is_some_and(|sent| sdp(sent).is_some());
        let answer = match sdp(response) {
            _ if !offered => None,
            Some(answer) => Some(leg.negotiation.accept(answer)),
            None => Some(Err(SdpError::Missing)),
        };
        match (answer, change.hold) {
            (None, _) => {}
            (Some(Ok(plan)), Some(hold)) => {
                self.changes.held = hold;
                let by = By::Local;
                self.event(match hold {
                    Some(_) => Event::Held { by, plan },
                    None => Event::Resumed { by, plan },
                });
            }
            (Some(Ok(plan)), None) if before.as_ref() != Some(&plan) => {
                self.event(Event::Changed { by: By::Peer, plan });
            }
            (Some(Ok(_)), None) => {}
            (Some(Err(error)), _) => {
                leg.negotiation.withdraw();
                apply(&mut leg.negotiation, self.changes.held);
                self.event(Event::MediaFailed(error));
                self.event(Event::ChangeFailed { status: None });
            }
        }
        self.session_answered(now, response);
        if change.hold.is_none() {
            self.refreshed(By::Local);
        }
        self.next_change(now);
    }

    /// A change that could not even be written.
    pub(super) fn change_failed(&mut self, status: Option<u16>) {
        if self.changes.current.take().is_some() {
            self.event(Event::ChangeFailed { status });
        }
    }

    /// A re-INVITE or UPDATE of the peer.
    pub(super) fn on_change(&mut self, now: Instant, id: ServerId, at: usize, request: &Message) {
        let is_invite = request.method() == Some(Method::Invite);
        let offer = sdp(request);
        let in_flight = self.changes.current.is_some() || self.accepted.as_ref().is_some_and(|a| a.offer);
        let is_early = self.phase == Phase::Ringing;
        let unanswered = self.legs.get(at).is_some_and(|leg| leg.negotiation.plan().is_none());
        if is_invite && (is_early || in_flight || self.up != Some(at))
            || offer.is_some() && (in_flight || is_early && unanswered)
        {
            let why = "a change of ours, or the answer to the call itself, is still on its way".to_owned();
            return self.refuse_request(id, request, 491, why);
        }
        if offer.is_some() && is_early && !self.may_be_offered() {
            let why = "an offer before ours was surely answered".to_owned();
            return self.refuse_request_with(id, request, (500, &[(HeaderName::RetryAfter, "1")]), why);
        }
        let granted = match self.config.grant_session(request) {
            Ok(granted) => granted,
            Err(TooSmall(least)) => {
                let least = least.to_string();
                let why = format!("an interval of the session below {least} s");
                return self.refuse_request_with(id, request, (422, &[(HeaderName::MinSe, &least)]), why);
            }
        };
        let Some(leg) = self.legs.get_mut(at) else { return };
        let before = leg.negotiation.plan().cloned();
        let (description, plan) = match offer.map(|offer| leg.negotiation.answer(offer)) {
            Some(Ok((answer, plan))) => (Some(answer), Some(plan)),
            Some(Err(error)) => {
                self.respond_plain(id, request, 488, &[(HeaderName::Warning, &warning(&error))]);
                self.event(Event::MediaFailed(error));
                return self.offer_refused(request);
            }
            None if is_invite => (Some(leg.negotiation.offer()), None),
            None => (None, None),
        };
        leg.dialog.refresh_target(request);
        let mut builder = self.config.about_us(self.config.response(request, 200, &self.local_tag), false);
        if let Some(granted) = granted {
            builder = granted.write(builder);
        }
        if let Some(description) = description {
            builder = builder.body(SDP, description);
        }
        let response = self.respond(id, request, builder);
        if let (true, Some(response)) = (is_invite, response) {
            // Who sends the next INVITE has our 2xx to the one before, even if its ACK is late.
            let first = self.accepted.take().is_some_and(|accepted| accepted.is_first());
            self.wait_for_ack(now, id, request, response, first, offer.is_none());
        }
        if self.phase == Phase::Up {
            self.session_granted(now, granted);
            if plan.is_none() || plan == before {
                self.refreshed(By::Peer);
            }
        }
        self.hear_of(at, request);
        if let Some(plan) = plan {
            self.plan_changed(before.as_ref(), plan);
        }
    }

    /// The peer has changed the media: into what?
    pub(super) fn plan_changed(&mut self, before: Option<&MediaPlan>, plan: MediaPlan) {
        let sent = before.is_none_or(|before| before.direction.sends());
        let by = By::Peer;
        let event = match (sent, plan.direction.sends()) {
            _ if before == Some(&plan) => return,
            (true, false) => Event::Held { by, plan },
            (false, true) => Event::Resumed { by, plan },
            _ => Event::Changed { by, plan },
        };
        self.event(event);
    }
}
