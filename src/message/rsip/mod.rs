//! Conversions to and from the messages of the crate [`rsip`], field by field.
//!
//! Neither rsip's parser nor its printer takes part, so a value that they would refuse or change comes through. Where rsip has no place
//! for a value the conversion is a [`ConvertError`] that names the header or field.
//!
//! ```
//! use bytes::Bytes;
//! use ringback::{message::Message, syntax::Limits};
//! use rsip::prelude::*;
//!
//! let text = "OPTIONS sip:first.last@[2001:db8::1];lr SIP/2.0\r\ni: 1@h\r\nl: 0\r\n\r\n";
//! let message = Message::parse(Bytes::from(text), &Limits::default())?;
//! let theirs = rsip::Request::try_from(&message)?;
//! assert_eq!(theirs.uri.user(), Some("first.last"));
//! assert_eq!(theirs.call_id_header()?.value(), "1@h");
//!
//! let ours = Message::try_from(&theirs)?;
//! assert_eq!(ours.request_uri_bytes(), message.request_uri_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is an error
//! | value | why |
//! |---|---|
//! | a byte that is no UTF-8 (Latin-1 in a display name) | rsip holds `String`s |
//! | a method that rsip does not list, also one in lower case | its `Method` is a closed list; method names are case-sensitive |
//! | a Request-URI that is neither `sip:` nor `sips:` | rsip writes `://` behind any other scheme |
//! | a Request-URI that is no URI; in the typed headers a URI with headers (`?...`) | `Uri::headers` is a list of numbers |
//! | from rsip: `SIP/1.0`, a URI without scheme, a status outside 100 to 699 | no such message is sent |
//! | from rsip: a part of the URI, a header name or a value that would read as something else (line breaks, `@` in the user, ...) | it would change the message |
//!
//! # What is lost
//! | value | on the way to rsip | on the way back |
//! |---|---|---|
//! | reason phrase | lost where rsip lists the status code; kept otherwise | [`reason_phrase`](super::reason_phrase) for listed codes |
//! | compact header names | written in full; names that neither side knows stay as they came | |
//! | `Via: a, b` and `Contact: a, b` | one header for each value (RFC 3261 sec. 7.3.1), because rsip reads only the first, or none | |
//! | folds | white space (RFC 3261 sec. 7.3.1) | |
//! | IPv6 reference in a Request-URI | a domain in brackets, in the canonical form of RFC 5952; rsip would write an address without them | the reference |
//! | case of the known parameter names of a Request-URI and of its `transport` value | as rsip's variants | lower case |
//! | Content-Length | as it came | left out, and written again from the body, at the end |
//! | white space around names and values, line ends | gone | |
//!
//! Header values stay text: rsip reads them when its `typed()` is asked, with the defects of its parser. For From, To, Contact and
//! Via there is a way around it: `rsip::typed::Contact::try_from(&name_addr)` and `rsip::typed::Via::try_from(&via)` take what *our* parser
//! read.
//!
//! # Sending rsip's requests
//! [`to_send`] gives what [`Recorder::request`](crate::endpoint::Recorder::request) and [`Run::request`](crate::check::Run::request) take, and
//! `rsip::Response::try_from(&received.message)` what came back; `examples/from_rsip.rs` moves a small program over step by step.
mod from;
mod header;
mod to;
mod uri;

pub use from::to_send;

use super::BuildError;
use crate::syntax::SyntaxError;

/// Why a message, or a part of it, could not be converted. It names the place, never the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct ConvertError {
    /// The header or field: `Contact`, `Request-URI`.
    pub place: String,
    /// What is wrong with it.
    pub kind: ConvertErrorKind,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertErrorKind {
    /// A request was asked for.
    #[error("is a response, not a request")]
    NotARequest,
    /// A response was asked for.
    #[error("is a request, not a response")]
    NotAResponse,
    /// rsip holds text only.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Not one of rsip's methods.
    #[error("is no method of rsip's list")]
    Method,
    /// Not one of rsip's transports.
    #[error("is no transport of rsip's list")]
    Transport,
    /// Not `SIP/2.0`.
    #[error("is not SIP/2.0")]
    Version,
    /// Neither `sip:` nor `sips:`.
    #[error("has a scheme other than sip: and sips:, or none")]
    Scheme,
    /// A URI with headers.
    #[error("has URI headers (?name=value), for which rsip has no place")]
    UriHeaders,
    /// Text that would be read as something else, or not at all, where it has to stand.
    #[error("holds what is not allowed there")]
    Value,
    /// What breaks the grammar, or a limit of [`Limits::default`](crate::syntax::Limits::default).
    #[error("{0}")]
    Syntax(SyntaxError),
}

impl ConvertError {
    fn new(place: &str, kind: ConvertErrorKind) -> ConvertError {
        ConvertError { place: place.to_owned(), kind }
    }
}

impl From<BuildError> for ConvertError {
    fn from(error: BuildError) -> ConvertError {
        match error {
            BuildError::Value(place) => ConvertError { place, kind: ConvertErrorKind::Value },
            BuildError::Syntax(error) => ConvertError::new("message", ConvertErrorKind::Syntax(error)),
        }
    }
}

/// `bytes` as text.
fn text<'a>(bytes: &'a [u8], place: &str) -> Result<&'a str, ConvertError> {
    std::str::from_utf8(bytes).map_err(|_| ConvertError::new(place, ConvertErrorKind::NotUtf8))
}
