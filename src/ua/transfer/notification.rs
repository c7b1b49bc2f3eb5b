//! One NOTIFY of a transfer (RFC 3515 sec. 2.4.5): what the transferee says that it got, and how its subscription stands.

use crate::message::Message;
use crate::syntax::{Event, HeaderName, MediaType, SipFrag, SubscriptionState};
use crate::ua::response::text;

/// The type of the bodies.
pub const SIPFRAG: &str = "message/sipfrag";
/// Octets of a body that are kept.
pub const MAX_FRAGMENT: usize = 1_024;

/// What one NOTIFY said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification {
    /// The status in the body: what the transferee got from the target. `None` when there is none that can be read.
    pub status: Option<u16>,
    /// Its phrase.
    pub phrase: String,
    /// Content-Type as it came; empty when there was none. `message/sipfrag` as a rule, with or without `;version=2.0`.
    pub content_type: String,
    /// The body, at most [`MAX_FRAGMENT`] octets of it.
    pub fragment: String,
    /// `active`, `pending`, `terminated`, or another word.
    pub state: String,
    /// Its `reason`: `noresource` when all is done.
    pub reason: Option<String>,
    /// Its `expires`, in seconds.
    pub expires_s: Option<u32>,
    /// `id` of the Event: the CSeq number of the REFER.
    pub event_id: Option<String>,
    /// The number of the REFER that it was taken for.
    pub refer_cseq: u32,
}

impl Notification {
    /// Is the subscription over with it?
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case("terminated")
    }

    /// Reads a NOTIFY.
    ///
    /// # Errors
    /// The status that it is refused with, and why: 489 for another event, 400 where the state cannot be read.
    pub(in crate::ua) fn parse(notify: &Message) -> Result<Notification, (u16, String)> {
        let event = match notify.parsed(HeaderName::Event, Event::parse) {
            None => return Err((489, "it has no Event (RFC 6665 sec. 8.2.1)".to_owned())),
            Some(Err(error)) => return Err((489, error.to_string())),
            Some(Ok(event)) => event,
        };
        if !event.package.eq_ignore_ascii_case(b"refer") {
            return Err((489, format!("its Event is {}, not refer", text(event.package))));
        }
        let state = match notify.parsed(HeaderName::SubscriptionState, SubscriptionState::parse) {
            None => return Err((400, "it has no Subscription-State (RFC 6665 sec. 4.1.3)".to_owned())),
            Some(Err(error)) => return Err((400, error.to_string())),
            Some(Ok(state)) => state,
        };
        let body = notify.body();
        let kind = notify.parsed(HeaderName::ContentType, MediaType::parse).and_then(Result::ok);
        // Some leave out the type, or say text/plain: what begins like a status line is one.
        let is_fragment = kind.is_some_and(|kind| kind.is("message", "sipfrag")) || body.starts_with(b"SIP/");
        let read = is_fragment.then(|| SipFrag::parse(body).ok()).flatten();
        Ok(Notification {
            status: read.and_then(|read| read.status).filter(|status| (100..700).contains(status)),
            phrase: read.and_then(|read| read.reason).map(text).unwrap_or_default(),
            content_type: notify.header(HeaderName::ContentType).map(text).unwrap_or_default(),
            fragment: text(body.get(..MAX_FRAGMENT).unwrap_or(body)),
            state: text(state.state),
            reason: state.reason().map(text),
            expires_s: state.expires(),
            event_id: event.id().map(text),
            refer_cseq: 0,
        })
    }
}
