//! What faults do to the messages of a leg, on their way out and in.

use super::faults::Faults;
use super::legs::Role;
use super::text::{Text, direction, with_direction, without_events};
use crate::endpoint::agent::{Hands, Sifted};
use crate::message::{Builder, Message, reason_phrase};
use crate::sdp::Direction;
use crate::sim::fault::{InfoType, Kind};
use crate::syntax::{HeaderName, MediaType, Method};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the messages of a leg have brought about for its media.
#[derive(Debug, Default)]
pub(super) struct Flags {
    /// Telephone events are gone (D16).
    pub(super) events_gone: AtomicBool,
    /// Nothing is sent to this leg any more (H03).
    pub(super) deaf: AtomicBool,
    /// Nothing of this leg is passed on any more (H03:inactive).
    pub(super) dumb: AtomicBool,
}

/// Who the PBX is in the messages of a leg.
#[derive(Debug, Clone)]
pub(super) struct Party {
    pub(super) role: Role,
    /// `Server` of answers that stand beside the call.
    pub(super) server: String,
    /// P-Asserted-Identity of the INVITE.
    pub(super) asserted: Option<String>,
}

const ALLOW_WITHOUT_INFO: &str = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS";

pub(super) fn hands(party: &Party, faults: &Faults, flags: &Arc<Flags>) -> Hands {
    let mut sender = Sender {
        party: party.clone(),
        faults: faults.clone(),
        flags: Arc::clone(flags),
        first: None,
        held: false,
    };
    let (party, faults) = (party.clone(), faults.clone());
    Hands::new(
        Box::new(move |message| Some(sender.sent(message))),
        Box::new(move |message| received(&party, &faults, message)),
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
    fn sent(&mut self, message: Message) -> Message {
        if message.is_request() {
            let in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
            return match (&self.party.asserted, message.method(), in_dialog) {
                (Some(asserted), Some(Method::Invite), false) => {
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

fn received(party: &Party, faults: &Faults, message: &Message) -> Sifted {
    let caller = party.role == Role::Caller;
    match message.method() {
        Some(Method::Ack) if caller && faults.has(Kind::AckLost) => Sifted::Ignored,
        Some(Method::Invite | Method::Update) if caller && faults.has(Kind::RefreshUnanswered) => {
            Sifted::Ignored
        }
        Some(Method::Info) => match info(faults, message) {
            None => Sifted::Taken,
            Some((status, header)) => {
                let mut answer = Builder::response(message, status, reason_phrase(status), None)
                    .header(HeaderName::Server, &party.server);
                if let Some((name, value)) = header {
                    answer = answer.header(name, value);
                }
                answer.build().map_or(Sifted::Taken, Sifted::Answered)
            }
        },
        _ => Sifted::Taken,
    }
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
