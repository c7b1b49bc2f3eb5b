//! Answers that the endpoint gives by itself.

use crate::message::{BuildError, Builder, Message};
use crate::syntax::{HeaderName, Method};

/// Seconds after which a request may come again that found the queue full.
const RETRY_AFTER: &str = "5";

/// Is it a call that begins?
pub(super) fn is_call(request: &Message) -> bool {
    request.method() == Some(Method::Invite) && request.to().is_ok_and(|to| to.tag().is_none())
}

/// Answers a request that nobody above wants; `is_for_us` says that it is for a binding of ours. `None` for ACK.
pub(super) fn answer(
    request: &Message,
    (tag, agent): (&str, &str),
    is_for_us: bool,
) -> Option<Result<Message, BuildError>> {
    let method = request.method()?;
    if method == Method::Ack {
        return None;
    }
    let respond = |status, reason| {
        Builder::response(request, status, reason, Some(tag)).header(HeaderName::Server, agent)
    };
    let required: Vec<&[u8]> = request.tokens(HeaderName::Require).collect();
    let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
    Some(if method == Method::Cancel {
        respond(481, "Call/Transaction Does Not Exist").build()
    } else if is_call(request) && is_for_us {
        // Other devices of the account ring on.
        respond(480, "Temporarily Unavailable").build()
    } else if !required.is_empty() {
        // RFC 3261 sec. 8.2.2.3; we know no extension that a request could insist on.
        respond(420, "Bad Extension").header(HeaderName::Unsupported, required.join(&b", "[..])).build()
    } else if method == Method::Options {
        respond(200, "OK")
            .header(HeaderName::Allow, "OPTIONS")
            .header(HeaderName::Accept, "application/sdp")
            .build()
    } else if in_dialog || matches!(method, Method::Bye | Method::Notify | Method::Update | Method::Prack) {
        respond(481, "Call/Transaction Does Not Exist").build()
    } else {
        respond(405, "Method Not Allowed").header(HeaderName::Allow, "OPTIONS").build()
    })
}

/// Answers a request that found the queue full.
pub(super) fn busy(request: &Message, tag: &str, agent: &str) -> Result<Message, BuildError> {
    Builder::response(request, 503, "Service Unavailable", Some(tag))
        .header(HeaderName::RetryAfter, RETRY_AFTER)
        .header(HeaderName::Server, agent)
        .build()
}
