//! Transfers inside the dialogs of a call: REFER and NOTIFY both ways (RFC 3515), and a call that gives way to another (RFC 3891).
//!
//! A subscription has a life of its own in the dialog: it goes on when the session has ended with BYE (RFC 5057 sec. 4), for
//! [`Config::referral_linger`](super::Config::referral_linger).

use super::Call;
use super::Event;
use super::Refers;
use super::request::Kind;
use super::state::{MAX_WAITING, Phase};
use crate::message::Message;
use crate::syntax::{HeaderName, Method};
use crate::transaction::ServerId;
use crate::ua::dialog::DialogId;
use crate::ua::transfer::{
    Declined, DialogState, Issued, Notification, Notify, Refer, Referred, Replaces, TransfereeEvent,
    TransferorEvent,
};
use std::time::Instant;

impl Call {
    /// The Replaces of the INVITE that we were called with (RFC 3891): the dialog that its caller wants us to give up for it.
    pub fn replaces(&self) -> Option<&Replaces> {
        self.replaces.as_ref()
    }

    /// Every dialog of the call, as we see it, and how it stands.
    pub fn dialogs(&self) -> impl Iterator<Item = (&DialogId, DialogState)> {
        self.legs.iter().enumerate().map(|(at, leg)| {
            let state = match self.phase {
                Phase::Up if self.up == Some(at) => DialogState::Confirmed,
                Phase::Ringing if self.is_caller => DialogState::EarlyCaller,
                Phase::Ringing => DialogState::EarlyCalled,
                _ => DialogState::Ended,
            };
            (leg.dialog.id(), state)
        })
    }

    /// The dialog of the call: of several early ones the latest. An attended transfer names it to the target with [`Replaces::of_ours`].
    pub fn dialog(&self) -> Option<&DialogId> {
        let at = self.up.or(self.legs.len().checked_sub(1))?;
        self.legs.get(at).map(|leg| leg.dialog.id())
    }

    /// The BYE (without Via and credentials) that ends this call from outside, should its owner be gone: see [`Dialog::parting`]. A caller may
    /// end an early dialog by it too, a callee may not (RFC 3261 sec. 15); `None` while there is no dialog for it.
    ///
    /// [`Dialog::parting`]: crate::ua::dialog::Dialog::parting
    pub fn parting(&self) -> Option<Message> {
        let may = match self.phase {
            Phase::Ringing => self.is_caller,
            Phase::Up | Phase::Closing => true,
            Phase::Idle | Phase::Over => false,
        };
        let at = self.up.or(self.legs.len().checked_sub(1)).filter(|_| may)?;
        self.legs.get(at)?.dialog.parting().build().ok()
    }

    /// Do NOTIFYs or decisions still come, or are they owed? They may when the call itself is over.
    pub fn has_referrals(&self) -> bool {
        !self.referrals.is_empty()
    }

    pub(super) fn refer(&mut self, refer: &Refer) {
        let token = refer.token;
        let leg = self.up.filter(|_| self.phase == Phase::Up && self.bye_after_ack.is_none());
        let room = self.pending.len() < MAX_WAITING && self.referrals.may_issue(token);
        let Some(leg) = leg.filter(|_| room) else {
            let why =
                if room { "the call is not up" } else { "too many are open, or one with this token is" };
            return self.transferor(token, vec![TransferorEvent::NotSent(why.to_owned())]);
        };
        self.referrals.issued.push(Issued::new(token, leg, refer.suppress_subscription));
        let headers = refer.written(&self.config.from);
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.send_named(leg, Kind::Refer { token }, Method::Refer, headers, None);
    }

    /// Our REFER goes out (again, after a challenge) under this number.
    pub(super) fn refer_sent(&mut self, token: u64, request: &Message) {
        if let (Some(issued), Ok(cseq)) = (self.referrals.issued(token), request.cseq()) {
            issued.cseq = cseq.number;
        }
    }

    pub(super) fn refer_unwritable(&mut self, token: u64, wrong: String) {
        let event = self.referrals.issued(token).map(|issued| issued.on_unwritable(wrong));
        self.transferor(token, event.into_iter().collect());
    }

    /// Our REFER has its final response, or none. The call itself goes on, whatever it is (RFC 5057 sec. 5.1).
    pub(super) fn refer_answered(&mut self, now: Instant, token: u64, response: Option<&Message>) {
        let t1 = self.config.t1;
        let events = self.referrals.issued(token).map(|issued| issued.on_final(now, t1, response));
        self.transferor(token, events.unwrap_or_default());
    }

    fn transferor(&mut self, token: u64, events: Vec<TransferorEvent>) {
        for event in events {
            self.event(Event::Transferor { token, event });
        }
        self.referrals.issued.retain(|issued| !issued.is_done());
    }

    /// A NOTIFY, also after the end of the call.
    pub(super) fn on_notify(&mut self, now: Instant, id: ServerId, leg: usize, request: &Message) {
        let notification = match Notification::parse(request) {
            Ok(notification) => notification,
            Err((status, why)) => {
                let headers = [(HeaderName::AllowEvents, "refer")];
                let headers = if status == 489 { &headers[..] } else { &[] };
                return self.refuse_request_with(id, request, (status, headers), why);
            }
        };
        let t1 = self.config.t1;
        let Some(issued) = self.referrals.notified(leg, &notification) else {
            let why = match &notification.event_id {
                Some(event_id) => format!("no REFER of ours with Event id {event_id:?} waits for it"),
                None => "no REFER of ours waits for it".to_owned(),
            };
            return self.refuse_request(id, request, 481, why);
        };
        let (token, events) = (issued.token, issued.on_notify(now, t1, notification));
        self.respond_plain(id, request, 200, &[]);
        self.transferor(token, events);
    }

    /// A REFER of the peer.
    pub(super) fn on_refer(&mut self, now: Instant, id: ServerId, leg: usize, request: &Message) {
        if self.phase != Phase::Up {
            return self.refuse_request(id, request, 491, "the call is not up yet".to_owned());
        }
        let referred = match Referred::parse(request) {
            Ok(referred) => referred,
            Err((status, unknown)) => {
                let unsupported = unknown.join(", ");
                let headers = [(HeaderName::Unsupported, unsupported.as_str())];
                self.respond_plain(id, request, status, if unknown.is_empty() { &[] } else { &headers });
                return self.transferee(0, TransfereeEvent::Declined(Declined::Unusable(status)));
            }
        };
        if !self.config.refers.takes(&referred.target) {
            self.respond_plain(id, request, 603, &[]);
            return self.transferee(0, TransfereeEvent::Unexpected(Box::new(referred)));
        }
        // Who names whom to call expects one REFER: a copy of it would make one more call, at our cost.
        if matches!(self.config.refers, Refers::Expected(_)) && self.referrals.has_obeyed() {
            self.respond_plain(id, request, 603, &[]);
            return self.transferee(0, TransfereeEvent::Declined(Declined::Repeated));
        }
        let t1 = self.config.t1;
        match self.referrals.receive(now, t1, leg, (id, request.clone(), &referred)) {
            Some(number) => self.transferee(number, TransfereeEvent::Referred(Box::new(referred))),
            None => {
                self.respond_plain(id, request, 486, &[]);
                self.transferee(0, TransfereeEvent::Declined(Declined::Unusable(486)));
            }
        }
    }

    fn transferee(&mut self, referral: u32, event: TransfereeEvent) {
        self.event(Event::Transferee { referral, event });
    }

    pub(super) fn accept_refer(&mut self, now: Instant, number: u32) {
        let Some((id, refer, suppressed)) = self.referrals.received(number).and_then(|r| r.accept(now))
        else {
            return;
        };
        self.referrals.obey();
        let mut builder = self
            .config
            .response(&refer, 202, &self.local_tag)
            .header(HeaderName::Contact, format!("<{}>", self.config.contact))
            .header(HeaderName::UserAgent, &self.config.user_agent);
        if suppressed {
            builder = builder.header(HeaderName::ReferSub, "false");
        }
        self.respond(id, &refer, builder);
        self.notify_next(now);
    }

    pub(super) fn refuse_refer(&mut self, number: u32, status: u16) {
        let received = self.referrals.received(number).filter(|_| (300..700).contains(&status));
        if let Some((id, refer)) = received.and_then(|received| received.refuse()) {
            self.respond_plain(id, &refer, status, &[]);
            self.sweep();
        }
    }

    pub(super) fn notify(&mut self, now: Instant, number: u32, status: u16, phrase: Option<String>) {
        if let Some(received) = self.referrals.received(number) {
            received.notify(status, phrase);
            self.notify_next(now);
        }
    }

    /// Sends what may be sent now.
    fn notify_next(&mut self, now: Instant) {
        let due: Vec<_> = self
            .referrals
            .received
            .iter_mut()
            .filter_map(|received| Some((received.number, received.leg, received.next(now)?)))
            .collect();
        for (referral, leg, Notify { headers, body }) in due {
            self.send_within(leg, Kind::Notify { referral }, Method::Notify, headers, Some(body));
        }
        self.sweep();
    }

    /// A NOTIFY of ours has its final response, or none. That ends the subscription at most, not the call.
    pub(super) fn notify_answered(&mut self, now: Instant, number: u32, status: Option<u16>) {
        if let Some(received) = self.referrals.received(number) {
            received.on_notify_answered(status);
            self.transferee(number, TransfereeEvent::Notified { status });
            self.notify_next(now);
        }
    }

    /// A NOTIFY that cannot be written.
    pub(super) fn notify_lost(&mut self, number: u32) {
        if let Some(received) = self.referrals.received(number) {
            received.on_notify_answered(None);
            self.transferee(number, TransfereeEvent::Notified { status: None });
            self.sweep();
        }
    }

    pub(super) fn referrals_due(&mut self, now: Instant) {
        let events: Vec<_> = self
            .referrals
            .issued
            .iter_mut()
            .filter_map(|i| Some((i.token, i.handle_timeout(now)?)))
            .collect();
        for (token, event) in events {
            self.transferor(token, vec![event]);
        }
        let undecided: Vec<_> = self
            .referrals
            .received
            .iter_mut()
            .filter_map(|received| Some((received.number, received.handle_timeout(now)?)))
            .collect();
        for (number, (id, refer)) in undecided {
            self.respond_plain(id, &refer, 480, &[]);
            self.transferee(number, TransfereeEvent::Declined(Declined::Undecided));
        }
        self.notify_next(now);
    }

    fn sweep(&mut self) {
        let over: Vec<u32> =
            self.referrals.received.iter().filter(|r| r.is_done() && r.accepted).map(|r| r.number).collect();
        self.referrals.received.retain(|received| !received.is_done());
        for number in over {
            self.transferee(number, TransfereeEvent::Over);
        }
    }

    /// Another call of ours has taken our place.
    pub(super) fn give_way(&mut self, by: String) {
        if matches!(self.phase, Phase::Ringing | Phase::Up) {
            self.event(Event::Replaced { by });
            self.hang_up(None);
        }
    }
}
