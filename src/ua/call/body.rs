//! The descriptions in message bodies, and what all our messages say of us.

use super::Config;
use crate::message::{Builder, Message, reason_phrase};
use crate::sdp::SdpError;
use crate::syntax::{HeaderName, Limits, MediaType, Method, multipart};

/// The type of descriptions.
pub(super) const SDP: &str = "application/sdp";

/// The description in a body: the body itself, or a part of it. A body without type counts when it looks like one.
pub(super) fn sdp(message: &Message) -> Option<&[u8]> {
    let body = message.body();
    if body.is_empty() {
        return None;
    }
    let Some(Ok(content)) = message.parsed(HeaderName::ContentType, MediaType::parse) else {
        return body.starts_with(b"v=").then_some(body);
    };
    if content.is("application", "sdp") {
        return Some(body);
    }
    if !content.kind.eq_ignore_ascii_case(b"multipart") {
        return None;
    }
    multipart(&content, body, &Limits::default()).ok()?.find_map(|part| {
        let part = part.ok()?;
        let kind = MediaType::parse(part.header(HeaderName::ContentType)?).ok()?;
        kind.is("application", "sdp").then_some(part.body)
    })
}

/// Does a token list name this, without regard to case?
pub(super) fn lists(message: &Message, header: HeaderName, token: &str) -> bool {
    message.tokens(header).any(|t| t.eq_ignore_ascii_case(token.as_bytes()))
}

impl Config {
    /// The methods that a call understands.
    pub(super) fn allow(&self) -> &'static str {
        if !self.refers.is_declined() {
            "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, NOTIFY, REFER"
        } else {
            "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, NOTIFY"
        }
    }

    /// What a request or 2xx that makes or changes a dialog says of us. Reliable provisional responses are for the INVITE that makes it.
    pub(super) fn about_us(&self, builder: Builder, makes_dialog: bool) -> Builder {
        let mut supported = vec!["replaces", "norefersub"];
        supported.extend((self.reliable && makes_dialog).then_some("100rel"));
        supported.extend(self.session_expires.map(|_| "timer"));
        let builder = builder
            .header(HeaderName::Contact, format!("<{}>", self.contact))
            .header(HeaderName::Allow, self.allow())
            .header(HeaderName::UserAgent, &self.user_agent);
        builder.header(HeaderName::Supported, supported.join(", "))
    }

    /// What the INVITE of a call says that takes part in a transfer (RFC 3891, RFC 3892).
    pub(super) fn about_transfer(&self, mut builder: Builder) -> Builder {
        if let Some(replaces) = &self.replaces {
            builder = builder.header(HeaderName::Replaces, replaces.value());
            if self.require_replaces {
                builder = builder.header(HeaderName::Require, "replaces");
            }
        }
        if let Some(by) = &self.referred_by {
            builder = builder.header(HeaderName::ReferredBy, by);
        }
        self.headers.iter().fold(builder, |builder, (name, value)| builder.header_named(name, value))
    }

    /// A response with the phrase of its status. One that makes a dialog carries the route that its INVITE took (RFC 3261 sec. 12.1.1).
    pub(super) fn response(&self, request: &Message, status: u16, tag: &str) -> Builder {
        let mut builder = Builder::response(request, status, reason_phrase(status), Some(tag));
        if request.method() == Some(Method::Invite) && (101..300).contains(&status) {
            for route in request.headers().filter(|header| header.name == HeaderName::RecordRoute) {
                builder = builder.header(HeaderName::RecordRoute, route.value);
            }
        }
        builder
    }
}

/// The Warning of a description that is refused (RFC 3261 sec. 20.43): 304 for a media type that is not available, else 399.
pub(super) fn warning(error: &SdpError) -> String {
    let code = if matches!(error, SdpError::NoAudio | SdpError::NoCommonCodec(_)) { 304 } else { 399 };
    let text: String =
        error.to_string().chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).take(200).collect();
    format!("{code} ringback \"{text}\"")
}
