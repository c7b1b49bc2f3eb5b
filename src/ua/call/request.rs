//! Requests inside the dialogs of a call, both ways.

use super::body::SDP;
use super::event::{By, Cause, Event};
use super::state::{MAX_WAITING, Phase};
use super::{Call, Output, RequestId};
use crate::message::Message;
use crate::syntax::{HeaderName, MediaType, Method};
use crate::transaction::ServerId;
use crate::ua::End;
use crate::ua::challenged::{Challenged, Next};
use crate::ua::response::{text, values};
use std::borrow::Cow;
use std::time::Instant;

/// A request of ours without final response.
#[derive(Debug)]
pub(super) struct Pending {
    /// Drawn each time that it is sent.
    id: RequestId,
    pub(super) kind: Kind,
    pub(super) leg: usize,
    pub(super) method: Method<'static>,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Option<(String, Vec<u8>)>,
    challenged: Challenged,
    /// It goes to the account's own registrar or proxy.
    home: bool,
    /// As it was sent last.
    pub(super) sent: Option<Message>,
}

/// What a request of ours is for.
#[derive(Debug)]
pub(super) enum Kind {
    Prack,
    /// With what the call has ended then; without, the BYE of a further fork.
    Bye {
        ends: Option<(By, Cause)>,
    },
    Info {
        token: u64,
    },
    /// A re-INVITE or UPDATE of ours.
    Change,
    Refer {
        token: u64,
    },
    Notify {
        referral: u32,
    },
}

/// What the ACK of a 2xx repeats of its INVITE (RFC 3261 sec. 13.2.2.4).
pub(super) fn credentials_of(request: &Message) -> Vec<(HeaderName, Vec<u8>)> {
    let wanted = |name| matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization);
    request.headers().filter(|h| wanted(h.name)).map(|h| (h.name, h.value.to_vec())).collect()
}

impl Call {
    /// Sends a request in a dialog; challenges are answered by themselves.
    pub(super) fn send_within(
        &mut self,
        leg: usize,
        kind: Kind,
        method: Method<'static>,
        headers: Vec<(HeaderName, String)>,
        body: Option<(String, Vec<u8>)>,
    ) {
        let headers = headers.into_iter().map(|(name, value)| (name.as_str().into(), value)).collect();
        self.send_named(leg, kind, method, headers, body);
    }

    /// The same, with headers that may have names of their own.
    pub(super) fn send_named(
        &mut self,
        leg: usize,
        kind: Kind,
        method: Method<'static>,
        headers: Vec<(Cow<'static, str>, String)>,
        body: Option<(String, Vec<u8>)>,
    ) {
        let mut challenged = Challenged::new(self.config.credentials.clone(), self.config.max_requests);
        challenged.begin();
        let id = RequestId(0);
        self.transmit(Pending { id, kind, leg, method, headers, body, challenged, home: true, sent: None });
    }

    fn transmit(&mut self, mut pending: Pending) {
        let id = self.request_id();
        let Some(leg) = self.legs.get_mut(pending.leg) else { return };
        let mut builder = leg.dialog.request(pending.method);
        builder = match pending.method {
            // Each of these refreshes the target, and says where we are.
            Method::Invite | Method::Update | Method::Refer | Method::Notify => {
                self.config.about_us(builder, false)
            }
            _ => builder.header(HeaderName::UserAgent, &self.config.user_agent),
        };
        for (name, value) in &pending.headers {
            builder = builder.header_named(name, value);
        }
        if let Some((kind, body)) = &pending.body {
            builder = builder.body(kind, body);
        }
        match pending.challenged.write(builder, pending.method) {
            Ok(request) => {
                (pending.id, pending.sent) = (id, Some(request.clone()));
                if let Kind::Refer { token } = pending.kind {
                    self.refer_sent(token, &request);
                }
                self.pending.push(pending);
                self.outputs.push_back(Output::Send { id, request });
            }
            Err(wrong) => self.unwritable(pending, wrong),
        }
    }

    /// A request that cannot be written: a fault of the configuration, or of a Contact or route that cannot be used.
    fn unwritable(&mut self, pending: Pending, wrong: String) {
        match pending.kind {
            Kind::Prack => {}
            Kind::Bye { ends: None } => {}
            Kind::Bye { ends: Some(_) } => {
                self.may_be_left = true;
                self.over(By::Local, Cause::BadConfig(wrong), Vec::new());
            }
            Kind::Info { token } => self.event(Event::InfoAnswered { token, status: None }),
            Kind::Change => self.change_failed(None),
            Kind::Refer { token } => self.refer_unwritable(token, wrong),
            Kind::Notify { referral } => self.notify_lost(referral),
        }
    }

    /// Where a request goes: to the account's own registrar or proxy, or elsewhere.
    pub(super) fn sent_to(&mut self, id: RequestId, home: bool) {
        if self.is_invite(id) {
            self.invite_sent_to(home);
        } else if let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id) {
            pending.home = home;
        }
    }

    /// Tells of challenges that could have been answered and were not.
    pub(super) fn tell_refused(&mut self, method: &str, challenged: &mut Challenged) {
        for (realm, proxy, why) in challenged.take_refused() {
            self.event(Event::ChallengeRefused { method: method.to_owned(), realm, proxy, why });
        }
    }

    pub(super) fn bye(&mut self, leg: usize, kind: Kind, reason: Option<String>) {
        let headers = reason.map(|reason| (HeaderName::Reason, reason)).into_iter().collect();
        self.send_within(leg, kind, Method::Bye, headers, None);
    }

    pub(super) fn info(&mut self, token: u64, content_type: String, body: Vec<u8>) {
        let room = self.pending.len() < MAX_WAITING;
        match self.up.filter(|_| self.phase == Phase::Up && room) {
            Some(leg) => {
                let kind = Kind::Info { token };
                self.send_within(leg, kind, Method::Info, Vec::new(), Some((content_type, body)));
            }
            None => self.event(Event::InfoAnswered { token, status: None }),
        }
    }

    pub(super) fn on_response(&mut self, now: Instant, id: RequestId, response: &Message) {
        if self.acknowledge_again(response) {
            return;
        }
        if self.is_invite(id) {
            return self.on_invite_response(now, response);
        }
        let Some(at) = self.pending.iter().position(|pending| pending.id == id) else { return };
        let status = match response.status() {
            None | Some(100..200) => return,
            Some(status) => status,
        };
        let mut pending = self.pending.swap_remove(at);
        match status {
            401 | 407 => {
                let Pending { challenged, home, method, .. } = &mut pending;
                let next = challenged.handle_challenge_of(response, &mut self.ids, &mut self.realms, *home);
                let method = method.to_string();
                self.tell_refused(&method, &mut pending.challenged);
                if next == Next::Again {
                    return self.transmit(pending);
                }
            }
            _ => pending.challenged.handle_final(response, &mut self.ids),
        }
        self.on_answered(now, pending, Some((status, response)));
    }

    /// Neither a response nor a sign of the peer.
    pub(super) fn on_no_response(&mut self, now: Instant, id: RequestId, transport: bool) {
        if self.is_invite(id) {
            return self.on_invite_lost(if transport { End::TransportFailed } else { End::Timeout });
        }
        let Some(at) = self.pending.iter().position(|pending| pending.id == id) else { return };
        let pending = self.pending.swap_remove(at);
        self.on_answered(now, pending, None);
    }

    fn on_answered(&mut self, now: Instant, pending: Pending, answer: Option<(u16, &Message)>) {
        let status = answer.map(|(status, _)| status);
        match &pending.kind {
            // 481 says that its response is settled already (RFC 3262 sec. 3), so nothing of the dialog; and once the INVITE is answered,
            // no PRACK is missed.
            Kind::Prack => return,
            Kind::Bye { ends } => {
                // RFC 3261 sec. 15.1.1: we end it all the same. With 404, 408 and 481 the peer says that it has no such call.
                let is_known = matches!(status, Some(200..300 | 404 | 408 | 481));
                self.may_be_left |= !is_known && ends.is_some() && self.phase == Phase::Closing;
                if let (Some((by, cause)), Phase::Closing) = (ends.clone(), self.phase) {
                    self.over(by, cause, Vec::new());
                }
                return;
            }
            Kind::Info { token } => self.event(Event::InfoAnswered { token: *token, status }),
            Kind::Change => self.on_change_answered(now, &pending, answer),
            // Both belong to the subscription, which ends by itself (RFC 5057 sec. 5.1).
            Kind::Refer { token } => {
                return self.refer_answered(now, *token, answer.map(|(_, response)| response));
            }
            Kind::Notify { referral } => return self.notify_answered(now, *referral, status),
        }
        // RFC 3261 sec. 12.2.1.2: the peer does not know the dialog any more, or is not there.
        if self.up == Some(pending.leg) {
            match status {
                Some(status @ (408 | 481)) => self.end_up(By::Peer, Cause::DialogGone(status), None),
                None => self.end_up(By::Peer, Cause::NoAnswer, None),
                Some(_) => {}
            }
        }
    }

    pub(super) fn on_request(&mut self, now: Instant, id: ServerId, request: &Message) {
        let is_notify = request.method() == Some(Method::Notify);
        let Some(leg) = self.leg_of(request).filter(|_| is_notify || self.phase != Phase::Over) else {
            let why = if self.leg_of(request).is_some() {
                "the call is over".to_owned()
            } else {
                "its tags name no dialog of this call".to_owned()
            };
            return self.refuse_request(id, request, 481, why);
        };
        if let Some(Err(late)) = self.legs.get_mut(leg).map(|leg| leg.dialog.check_order(request)) {
            return self.refuse_request(id, request, 500, format!("out of order: {late}"));
        }
        // RFC 3891 sec. 3.
        if request.method() != Some(Method::Invite) && request.header(HeaderName::Replaces).is_some() {
            return self.refuse_request(id, request, 400, "Replaces outside of an INVITE".to_owned());
        }
        if is_notify {
            return self.on_notify(now, id, leg, request);
        }
        // Of a fork that was hung up, or of a call that we are ending, nobody needs more than its BYE.
        let is_gone = self.phase == Phase::Closing || self.phase == Phase::Up && self.up != Some(leg);
        if is_gone && request.method() != Some(Method::Bye) {
            return self.refuse_request(id, request, 481, "the call was hung up before".to_owned());
        }
        match request.method() {
            Some(Method::Bye) => self.on_bye(id, leg, request),
            Some(Method::Invite | Method::Update) => self.on_change(now, id, leg, request),
            Some(Method::Prack) => self.on_prack(now, id, leg, request),
            Some(Method::Info) => self.on_info(id, request),
            Some(Method::Refer) => self.on_refer(now, id, leg, request),
            Some(Method::Options) => {
                let headers = [(HeaderName::Allow, self.config.allow()), (HeaderName::Accept, SDP)];
                self.respond_plain(id, request, 200, &headers);
            }
            _ => {
                let allow = self.config.allow();
                let why = format!("not one of {allow}");
                self.refuse_request_with(id, request, (405, &[(HeaderName::Allow, allow)]), why);
            }
        }
    }

    /// Refuses a request, and tells why.
    pub(super) fn refuse_request(&mut self, id: ServerId, request: &Message, status: u16, why: String) {
        self.refuse_request_with(id, request, (status, &[]), why);
    }

    /// The same, with headers in the answer.
    pub(super) fn refuse_request_with(
        &mut self,
        id: ServerId,
        request: &Message,
        (status, headers): (u16, &[(HeaderName, &str)]),
        why: String,
    ) {
        self.respond_plain(id, request, status, headers);
        if !self.is_finished() {
            let method = request.method().map(|method| method.to_string()).unwrap_or_default();
            self.event(Event::RequestRefused { method, status, why });
        }
    }

    fn on_bye(&mut self, id: ServerId, leg: usize, request: &Message) {
        self.respond_plain(id, request, 200, &[]);
        if self.up != Some(leg) || self.phase == Phase::Closing {
            return;
        }
        // Before our answer a BYE ends the dialog, and the INVITE with it (RFC 3261 sec. 15.1.2).
        self.refuse_invite(487);
        self.over(By::Peer, Cause::HungUp, values(request, HeaderName::Reason));
    }

    fn on_info(&mut self, id: ServerId, request: &Message) {
        let kind = request.parsed(HeaderName::ContentType, MediaType::parse).and_then(Result::ok);
        let known = match kind {
            Some(kind) => kind.is("application", "dtmf-relay") || kind.is("application", "dtmf"),
            // One without a body only asks whether we are there (RFC 6086 sec. 4.2.2).
            None => request.body().is_empty(),
        };
        let status = if known { self.config.info_status } else { 415 };
        let accept = [(HeaderName::Accept, "application/dtmf-relay, application/dtmf")];
        self.respond_plain(id, request, status, if known { &[] } else { &accept });
        let content_type = request.header(HeaderName::ContentType).map(text).unwrap_or_default();
        self.event(Event::InfoReceived { content_type, body: request.body().to_vec(), status });
    }
}
