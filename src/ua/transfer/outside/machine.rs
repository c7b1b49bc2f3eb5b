//! The machine of one REFER outside any call: its role, the four verbs, and how it ends.

use super::{Config, Input, Output};
use crate::message::{Builder, Ids, Message, reason_phrase};
use crate::syntax::{HeaderName, Method};
use crate::transaction::ServerId;
use crate::ua::challenged::{Challenged, Next};
use crate::ua::dialog::Dialog;
use crate::ua::response::{final_status, text};
use crate::ua::transfer::{
    Declined, Issued, MAX_SUBSCRIPTION, Notification, Notify, Received, Refer, Referred, TransfereeEvent,
};
use std::collections::VecDeque;
use std::time::Instant;

/// What is understood in the dialogs of this machine.
const ALLOW: &str = "NOTIFY, REFER";

/// One REFER outside any call.
#[derive(Debug)]
pub struct Outside {
    config: Config,
    ids: Ids,
    call_id: String,
    tag: String,
    challenged: Challenged,
    role: Role,
    /// CSeq of what was sent last, while it has no final response.
    waits_for: Option<u32>,
    finished: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Role {
    Issuer {
        target: String,
        refer: Refer,
        cseq: u32,
        issued: Issued,
        /// Tag and last CSeq of the one who notifies. A REFER that forked may have several; the first is heard (RFC 6665 sec. 4.4.1).
        peer: Option<(Box<[u8]>, u32)>,
    },
    Recipient {
        dialog: Dialog,
        received: Box<Received>,
        /// The NOTIFY that was sent last.
        note: Option<Notify>,
    },
    /// One that could not be taken.
    Nobody,
}

impl Outside {
    fn new(config: Config, mut ids: Ids, call_id: String, role: Role) -> Outside {
        let challenged = Challenged::new(config.credentials.clone(), config.max_requests);
        let tag = ids.tag();
        let (waits_for, finished, outputs) = (None, false, VecDeque::new());
        Outside { config, ids, call_id, tag, challenged, role, waits_for, finished, outputs }
    }

    /// A REFER to this URI (no `<>`), not yet sent.
    pub fn issue(config: Config, target: impl Into<String>, refer: Refer, mut ids: Ids) -> Outside {
        let issued = Issued::new(refer.token, 0, refer.suppress_subscription);
        let role = Role::Issuer { target: target.into(), refer, cseq: 0, issued, peer: None };
        let call_id = ids.call_id();
        Outside::new(config, ids, call_id, role)
    }

    /// A REFER that came outside any call: it waits for the owner's decision, or is refused at once when it cannot be taken.
    pub fn receive(now: Instant, config: Config, ids: Ids, id: ServerId, refer: &Message) -> Outside {
        let call_id = refer.call_id().map(text).unwrap_or_default();
        let mut outside = Outside::new(config, ids, call_id, Role::Nobody);
        let parsed = Referred::parse(refer)
            .and_then(|r| Ok((r, Dialog::uas(refer, &outside.tag).map_err(|_| (400, Vec::new()))?)));
        match parsed {
            Ok((referred, dialog)) => {
                let received = Received::new(now, outside.config.t1, 1, 0, (id, refer.clone(), &referred));
                outside.role = Role::Recipient { dialog, received: Box::new(received), note: None };
                outside.transferee(TransfereeEvent::Referred(Box::new(referred)));
            }
            Err((status, unknown)) => {
                let unknown = unknown.join(", ");
                let headers = [(HeaderName::Unsupported, unknown.as_str())];
                outside.respond(id, refer, status, if unknown.is_empty() { &[] } else { &headers });
                outside.transferee(TransfereeEvent::Declined(Declined::Unusable(status)));
            }
        }
        outside.settle();
        outside
    }

    /// Is this request of the peer for it: does it carry its Call-ID, and our tag in To?
    pub fn owns(&self, request: &Message) -> bool {
        request.call_id().is_ok_and(|id| id == self.call_id.as_bytes())
            && request.to().is_ok_and(|to| to.tag() == Some(self.tag.as_bytes()))
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Begin => self.begin(now),
            Input::Response(response) => self.on_response(now, &response),
            Input::Timeout | Input::TransportFailed => self.on_no_response(now),
            Input::Request { id, request } => self.on_request(now, id, &request),
            Input::Accept => self.accept(now),
            Input::Refuse(status) => self.refuse(status),
            Input::Notify { status, phrase } => {
                if let Role::Recipient { received, .. } = &mut self.role {
                    received.notify(status, phrase);
                }
            }
            Input::GiveUp => match &mut self.role {
                Role::Issuer { issued, .. } => issued.outlive(now),
                Role::Recipient { received, .. } => received.outlive(now),
                Role::Nobody => {}
            },
        }
        self.notify_next(now);
        self.settle();
    }

    /// The time of [`Outside::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.role {
            Role::Issuer { issued, .. } => {
                let event = issued.handle_timeout(now);
                self.outputs.extend(event.map(Output::Transferor));
            }
            Role::Recipient { received, .. } => {
                if let Some((id, refer)) = received.handle_timeout(now) {
                    self.respond(id, &refer, 480, &[]);
                    self.transferee(TransfereeEvent::Declined(Declined::Undecided));
                }
            }
            Role::Nobody => {}
        }
        self.notify_next(now);
        self.settle();
    }

    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Outside::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.role {
            _ if self.finished => None,
            Role::Issuer { issued, .. } => issued.poll_timeout(),
            Role::Recipient { received, .. } => received.poll_timeout(),
            Role::Nobody => None,
        }
    }

    fn begin(&mut self, now: Instant) {
        if let Role::Issuer { cseq: 0, issued, .. } = &mut self.role {
            // However long the peer says that it lasts.
            issued.outlive(now + MAX_SUBSCRIPTION);
            self.challenged.begin();
            self.send_refer();
        }
    }

    fn send_refer(&mut self) {
        let Role::Issuer { target, refer, cseq, issued, .. } = &mut self.role else { return };
        *cseq += 1;
        issued.cseq = *cseq;
        let config = &self.config;
        let mut builder = Builder::request(Method::Refer, &*target);
        for route in &config.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        builder = builder
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("<{}>;tag={}", config.from, self.tag))
            .header(HeaderName::To, format!("<{target}>"))
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format!("{cseq} REFER"))
            .header(HeaderName::Contact, format!("<{}>", config.contact))
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, "norefersub, tdialog")
            .header(HeaderName::UserAgent, &config.user_agent);
        for (name, value) in refer.written(&config.from) {
            builder = builder.header_named(&name, value);
        }
        match self.challenged.write(builder, Method::Refer) {
            Ok(request) => {
                self.waits_for = Some(*cseq);
                self.outputs.push_back(Output::Send(request));
            }
            Err(wrong) => self.outputs.push_back(Output::Transferor(issued.on_unwritable(wrong))),
        }
    }

    /// Sends the NOTIFY that is due, or `again` the one before.
    fn send_note(&mut self) {
        let Role::Recipient { dialog, received, note: Some(note) } = &mut self.role else { return };
        let mut builder = dialog
            .request(Method::Notify)
            .header(HeaderName::Contact, format!("<{}>", self.config.contact))
            .header(HeaderName::UserAgent, &self.config.user_agent);
        for (name, value) in &note.headers {
            builder = builder.header(*name, value);
        }
        let (kind, body) = &note.body;
        match self.challenged.write(builder.body(kind, body), Method::Notify) {
            Ok(request) => {
                self.waits_for = Some(dialog.local_cseq());
                self.outputs.push_back(Output::Send(request));
            }
            Err(_) => {
                received.on_notify_answered(None);
                self.transferee(TransfereeEvent::Notified { status: None });
            }
        }
    }

    fn notify_next(&mut self, now: Instant) {
        let Role::Recipient { received, note, .. } = &mut self.role else { return };
        if let Some(next) = received.next(now) {
            *note = Some(next);
            self.challenged.begin();
            self.send_note();
        }
    }

    fn on_response(&mut self, now: Instant, response: &Message) {
        let Some(cseq) = self.waits_for else { return };
        let status = match final_status(response, cseq) {
            None => return,
            Some(Ok(status)) => status,
            Some(Err(_)) => return self.on_no_response(now),
        };
        self.waits_for = None;
        if !matches!(status, 401 | 407) {
            self.challenged.handle_final(response, &mut self.ids);
        } else if self.challenged.handle_challenge(response, &mut self.ids) == Next::Again {
            return match self.role {
                Role::Recipient { .. } => self.send_note(),
                _ => self.send_refer(),
            };
        }
        self.answered(now, Some((status, response)));
    }

    fn on_no_response(&mut self, now: Instant) {
        if self.waits_for.take().is_some() {
            self.answered(now, None);
        }
    }

    fn answered(&mut self, now: Instant, answer: Option<(u16, &Message)>) {
        match &mut self.role {
            Role::Issuer { issued, .. } => {
                let events = issued.on_final(now, self.config.t1, answer.map(|(_, response)| response));
                self.outputs.extend(events.into_iter().map(Output::Transferor));
            }
            Role::Recipient { received, .. } => {
                let status = answer.map(|(status, _)| status);
                received.on_notify_answered(status);
                self.transferee(TransfereeEvent::Notified { status });
            }
            Role::Nobody => {}
        }
    }

    fn on_request(&mut self, now: Instant, id: ServerId, request: &Message) {
        let Role::Issuer { issued, peer, .. } = &mut self.role else {
            return self.respond(id, request, 405, &[(HeaderName::Allow, ALLOW)]);
        };
        if request.method() != Some(Method::Notify) {
            return self.respond(id, request, 405, &[(HeaderName::Allow, ALLOW)]);
        }
        let notification = match Notification::parse(request) {
            Ok(notification) => notification,
            Err((489, _)) => return self.respond(id, request, 489, &[(HeaderName::AllowEvents, "refer")]),
            Err((status, _)) => return self.respond(id, request, status, &[]),
        };
        let tag: Box<[u8]> = request.from().ok().and_then(|from| from.tag()).unwrap_or_default().into();
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let (known, last) = peer.get_or_insert_with(|| (tag.clone(), number));
        if *known != tag || !issued.is_open() {
            return self.respond(id, request, 481, &[]);
        }
        if number < *last {
            return self.respond(id, request, 500, &[]);
        }
        *last = number;
        let events = issued.on_notify(now, self.config.t1, notification);
        self.respond(id, request, 200, &[]);
        self.outputs.extend(events.into_iter().map(Output::Transferor));
    }

    fn accept(&mut self, now: Instant) {
        let Role::Recipient { received, .. } = &mut self.role else { return };
        let Some((id, refer, suppressed)) = received.accept(now) else { return };
        let contact = format!("<{}>", self.config.contact);
        let headers = [(HeaderName::Contact, contact.as_str()), (HeaderName::ReferSub, "false")];
        let count = if suppressed { 2 } else { 1 };
        self.respond(id, &refer, 202, headers.get(..count).unwrap_or_default());
    }

    fn refuse(&mut self, status: u16) {
        let Role::Recipient { received, .. } = &mut self.role else { return };
        if (300..700).contains(&status)
            && let Some((id, refer)) = received.refuse()
        {
            self.respond(id, &refer, status, &[]);
        }
    }

    fn transferee(&mut self, event: TransfereeEvent) {
        self.outputs.push_back(Output::Transferee(event));
    }

    fn respond(&mut self, id: ServerId, request: &Message, status: u16, headers: &[(HeaderName, &str)]) {
        let plain = || Builder::response(request, status, reason_phrase(status), Some(&self.tag));
        let mut builder = plain();
        if request.method() == Some(Method::Refer) && (200..300).contains(&status) {
            // What makes a dialog gives the route back (RFC 3261 sec. 12.1.1).
            for route in request.headers().filter(|header| header.name == HeaderName::RecordRoute) {
                builder = builder.header(HeaderName::RecordRoute, route.value);
            }
        }
        for (name, value) in headers {
            builder = builder.header(*name, value);
        }
        if let Ok(response) = builder.build().or_else(|_| plain().build()) {
            self.outputs.push_back(Output::Respond { id, response });
        }
    }

    fn settle(&mut self) {
        let over = match &self.role {
            Role::Issuer { issued, .. } => issued.is_done(),
            Role::Recipient { received, .. } => received.is_done(),
            Role::Nobody => true,
        };
        if !over || std::mem::replace(&mut self.finished, true) {
            return;
        }
        if let Role::Recipient { received, .. } = &self.role
            && received.accepted
        {
            self.transferee(TransfereeEvent::Over);
        }
        self.outputs.push_back(Output::Finished);
    }
}
