//! What faults do to the messages of a leg, on their way out and in.

use super::faults::Faults;
use super::legs::Role;
use super::text::{Text, direction, with_direction, without_events};
use crate::endpoint::Endpoint;
use crate::endpoint::agent::{Intercepted, Interceptor};
use crate::message::{Builder, Flow, Message, reason_phrase};
use crate::sdp::Direction;
use crate::sim::fault::{InfoType, Kind};
use crate::sim::registrar::lock;
use crate::sim::registrar::{Admission, Delivery, Passage, Registrar};
use crate::sim::wire;
use crate::syntax::{HeaderName, MediaType, Method, Scheme};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the messages of a leg have brought about for its media.
#[derive(Debug, Default)]
pub(super) struct Flags {
    /// Telephone events are gone (D16).
    pub(super) events_gone: AtomicBool,
    /// Nothing is sent to this leg any more (H03).
    pub(super) deaf: AtomicBool,
    /// Nothing of this leg is passed on any more (H03:inactive).
    pub(super) dumb: AtomicBool,
    /// Who is at the other end now, when that has changed: P-Asserted-Identity of our re-INVITEs.
    pub(super) shown: Mutex<Option<String>>,
}

/// Who the PBX is in the messages of a leg.
#[derive(Debug, Clone)]
pub(super) struct Party {
    pub(super) role: Role,
    /// `Server` of answers that stand beside the call.
    pub(super) server: String,
    /// P-Asserted-Identity of the INVITE.
    pub(super) asserted: Option<String>,
    pub(super) line: Line,
}

/// The way to the device of a leg, which may have faults of its own (R15, T, N04).
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    pub(super) registrar: Arc<Mutex<Registrar>>,
    pub(super) flow: Flow,
    /// Whose device it is.
    pub(super) user: String,
}

impl Line {
    /// Does every response go beside its call?
    pub(super) fn diverts_all(&self) -> bool {
        lock(&self.registrar).delivery(&self.user, &self.flow, 180).0 != Delivery::Proper
    }

    /// Sends a response beside its call, where a fault wants that; gives back one that goes as it should.
    pub(super) fn divert(&self, response: Message) -> Option<Message> {
        let Line { endpoint, registrar, flow, user } = self.clone();
        let (delivery, then_close) =
            lock(&registrar).delivery(&user, &flow, response.status().unwrap_or_default());
        if delivery == Delivery::Proper && !then_close {
            return Some(response);
        }
        tokio::spawn(async move {
            // An endpoint that is closed sends nothing more.
            if wire::send_beside(&endpoint, flow, &response, delivery).await.is_ok() && then_close {
                let _ = endpoint.disconnect(flow).await;
            }
        });
        None
    }
}

const ALLOW_WITHOUT_REFER: &str = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS";
const ALLOW_WITHOUT_INFO: &str = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS";

pub(super) fn interceptor(party: &Party, faults: &Faults, flags: &Arc<Flags>) -> Interceptor {
    let mut sender = Sender {
        party: party.clone(),
        faults: faults.clone(),
        flags: Arc::clone(flags),
        first: None,
        held: false,
    };
    let mut receiver = Receiver { party: party.clone(), faults: faults.clone(), settled_at: None };
    Interceptor::new(
        Box::new(move |message| sender.sent(message)),
        Box::new(move |message| receiver.received(message)),
    )
}

struct Sender {
    party: Party,
    faults: Faults,
    flags: Arc<Flags>,
    /// The CSeq number of the INVITE that we were called with.
    first: Option<u32>,
    held: bool,
}

impl Sender {
    fn sent(&mut self, message: Message) -> Option<Message> {
        if message.method() == Some(Method::Notify) {
            return self.notify(message);
        }
        let message = self.changed_or_not(message);
        if message.is_request() { Some(message) } else { self.party.line.divert(message) }
    }

    /// A NOTIFY of a transfer; `None` where none goes out.
    fn notify(&self, message: Message) -> Option<Message> {
        let trying = message.body().starts_with(b"SIP/2.0 100");
        if self.faults.has(Kind::NoNotify) || (self.faults.has(Kind::NotifiesTryingOnly) && !trying) {
            return None;
        }
        if !self.faults.has(Kind::NeverTerminated) {
            return Some(message);
        }
        let mut text = Text::of(&message);
        text.change(HeaderName::SubscriptionState, |state| match state.starts_with("terminated") {
            true => "active;expires=60".to_owned(),
            false => state.to_owned(),
        });
        Some(text.message(&message))
    }

    fn changed_or_not(&mut self, message: Message) -> Message {
        if message.is_request() {
            let in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
            let shown = self.flags.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let asserted = if in_dialog { shown } else { self.party.asserted.clone() };
            return match (&asserted, message.method()) {
                (Some(asserted), Some(Method::Invite)) => {
                    let mut text = Text::of(&message);
                    text.add(HeaderName::PAssertedIdentity, asserted);
                    text.message(&message)
                }
                _ => message,
            };
        }
        let Ok(cseq) = message.cseq() else { return message };
        let accepts = message.status().is_some_and(|status| (200..300).contains(&status));
        match cseq.method {
            Method::Invite if self.party.role == Role::Caller => {
                let number = cseq.number;
                if *self.first.get_or_insert(number) == number {
                    return if accepts { self.answer(message) } else { message };
                }
                if accepts { self.changed(message) } else { message }
            }
            Method::Invite | Method::Update if accepts => self.changed(message),
            _ => message,
        }
    }

    /// The 2xx that answers the call.
    fn answer(&self, message: Message) -> Message {
        let mut text = Text::of(&message);
        if self.faults.find(|kind| matches!(kind, Kind::NoRefresh { .. }).then_some(())).is_some() {
            text.change(HeaderName::SessionExpires, |value| value.replace("refresher=uac", "refresher=uas"));
        }
        if self.faults.has(Kind::AckNowhere) {
            // The port for what is thrown away (RFC 863), on our own host: nobody listens there.
            text.change(HeaderName::Contact, |value| {
                let host = value.split(['@', '>', ';']).nth(1).unwrap_or_default();
                let end = host.rfind(':').filter(|at| !host[*at..].contains(']')).unwrap_or(host.len());
                format!("<sip:nobody@{}:9>", &host[..end])
            });
        }
        text.message(&message)
    }

    /// The 2xx to a re-INVITE or an UPDATE.
    fn changed(&mut self, message: Message) -> Message {
        if message.body().is_empty() {
            return message;
        }
        let mut text = Text::of(&message);
        if self.faults.has(Kind::ForgetsEvents) {
            text.change_body(without_events);
            self.flags.events_gone.store(true, Ordering::Relaxed);
        }
        let said = direction(message.body());
        let holds = self.faults.find(|kind| match kind {
            Kind::HoldAnswered(instead) => Some(instead),
            _ => None,
        });
        if let (Some(instead), Some("recvonly")) = (holds, said) {
            text.change_body(|body| with_direction(body, "recvonly", instead.as_str()));
        }
        let stays = self.faults.find(|kind| match kind {
            Kind::StaysHeld(as_what) => Some(as_what),
            _ => None,
        });
        match (stays, said) {
            (Some(_), Some("recvonly" | "inactive")) => self.held = true,
            (Some(as_what), Some("sendrecv")) if self.held => {
                text.change_body(|body| with_direction(body, "sendrecv", as_what.as_str()));
                self.flags.deaf.store(true, Ordering::Relaxed);
                self.flags.dumb.store(as_what == Direction::Inactive, Ordering::Relaxed);
            }
            _ => {}
        }
        text.message(&message)
    }
}

/// How long after an INVITE of its leg a REFER comes too soon (X17).
const SETTLING: Duration = Duration::from_secs(1);

struct Receiver {
    party: Party,
    faults: Faults,
    /// The last INVITE or its ACK.
    settled_at: Option<tokio::time::Instant>,
}

impl Receiver {
    fn received(&mut self, message: &Message) -> Intercepted {
        let caller = self.party.role == Role::Caller;
        let line = &self.party.line;
        let passage = lock(&line.registrar).passage(&line.user, message, &line.flow);
        match passage {
            Passage::In => {}
            Passage::Silence => return Intercepted::Ignored,
            Passage::Closed => {
                let (endpoint, flow) = (line.endpoint.clone(), line.flow);
                tokio::spawn(async move { endpoint.disconnect(flow).await });
                return Intercepted::Ignored;
            }
            Passage::TooLarge => return self.refused(message, 513, None),
        }
        if let Some(refusal) = self.challenged(message) {
            return answered(line, refusal);
        }
        if matches!(message.method(), Some(Method::Invite | Method::Ack)) {
            self.settled_at = Some(tokio::time::Instant::now());
        }
        let other = match message.method() {
            Some(Method::Ack) if caller && self.faults.has(Kind::AckLost) => return Intercepted::Ignored,
            Some(Method::Invite | Method::Update) if caller && self.faults.has(Kind::RefreshUnanswered) => {
                return Intercepted::Ignored;
            }
            Some(Method::Info) => info(&self.faults, message),
            Some(Method::Refer) => self.refer(message),
            Some(Method::Notify) if self.faults.has(Kind::NotifyRefused) => Some((481, None)),
            _ => None,
        };
        match other {
            Some((status, header)) => self.refused(message, status, header),
            None => Intercepted::Taken,
        }
    }

    /// A refusal beside the call.
    fn refused(
        &self,
        message: &Message,
        status: u16,
        header: Option<(HeaderName, &'static str)>,
    ) -> Intercepted {
        let mut answer = Builder::response(message, status, reason_phrase(status), None)
            .header(HeaderName::Server, &self.party.server);
        if let Some((name, value)) = header {
            answer = answer.header(name, value);
        }
        answer.build().map_or(Intercepted::Taken, |refusal| answered(&self.party.line, refusal))
    }

    /// The challenge of a request inside the dialog.
    fn challenged(&self, message: &Message) -> Option<Message> {
        let asked = matches!(message.method(), Some(Method::Invite | Method::Bye | Method::Refer));
        if !asked || self.party.role != Role::Caller || !self.faults.has(Kind::ChallengesInDialog) {
            return None;
        }
        let line = &self.party.line;
        match lock(&line.registrar).admit(tokio::time::Instant::now().into_std(), message, &line.flow) {
            Admission::Refused(response) => Some(response),
            _ => None,
        }
    }

    /// How a REFER is refused beside the call.
    fn refer(&self, message: &Message) -> Option<(u16, Option<(HeaderName, &'static str)>)> {
        let soon = self.settled_at.is_none_or(|at| at.elapsed() < SETTLING);
        if soon && self.faults.has(Kind::ReferTooSoon) {
            return Some((491, None));
        }
        self.faults.find(|kind| match kind {
            Kind::ReferRefused(405) => Some((405, Some((HeaderName::Allow, ALLOW_WITHOUT_REFER)))),
            Kind::ReferRefused(420) => Some((420, Some((HeaderName::Unsupported, "replaces, norefersub")))),
            Kind::ReferRefused(status) => Some((status, None)),
            Kind::ReferredByRequired if message.header(HeaderName::ReferredBy).is_none() => Some((429, None)),
            Kind::ForeignScheme(status) => {
                let other = message.refer_to().and_then(Result::ok).is_none_or(|to| {
                    let uri = to.address.uri();
                    !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) || uri.user().is_none()
                });
                other.then_some((status, None))
            }
            _ => None,
        })
    }
}

fn answered(line: &Line, response: Message) -> Intercepted {
    line.divert(response).map_or(Intercepted::Ignored, Intercepted::Answered)
}

/// How an INFO is answered beside the call.
fn info(faults: &Faults, message: &Message) -> Option<(u16, Option<(HeaderName, &'static str)>)> {
    if faults.has(Kind::InfoDropped) {
        return Some((200, None));
    }
    faults.find(|kind| match kind {
        Kind::InfoRefused(405) => Some((405, Some((HeaderName::Allow, ALLOW_WITHOUT_INFO)))),
        Kind::InfoRefused(status) => Some((status, None)),
        Kind::InfoType(only) => {
            let name = if only == InfoType::Dtmf { "dtmf" } else { "dtmf-relay" };
            let accept = if only == InfoType::Dtmf { "application/dtmf" } else { "application/dtmf-relay" };
            let kind = message.parsed(HeaderName::ContentType, MediaType::parse).and_then(Result::ok);
            let taken = kind.is_some_and(|kind| kind.is("application", name));
            (!taken).then_some((415, Some((HeaderName::Accept, accept))))
        }
        _ => None,
    })
}
