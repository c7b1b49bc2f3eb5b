//! A SIP message: one [`Bytes`] and a table of spans; typed values are parsed when asked for.

mod builder;
mod flow;
mod ids;
mod redact;
mod stream;

pub use builder::{BuildError, Builder};
pub use flow::{Flow, Transport};
pub use ids::Ids;
pub use redact::redact;
pub use stream::{StreamDecoder, StreamItem};

use crate::syntax::{CSeq, Challenge, Contact, HeaderName, Limits, Method, NameAddr, SyntaxError, Uri, Via};
use bytes::Bytes;

/// One request or response.
///
/// Cheap to clone: the bytes are shared. A message that came in a receive buffer keeps only its own bytes alive.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Bytes,
}

/// Why a typed accessor gives no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// A mandatory header is not there.
    #[error("no {} header", .0.as_str())]
    Missing(HeaderName),
    /// A header that may stand once stands more than once.
    #[error("more than one {} header", .0.as_str())]
    Repeated(HeaderName),
    /// The value breaks the grammar; the offset counts from the start of the message.
    #[error("bad {} header: {error}", .header.as_str())]
    Syntax {
        /// Which header.
        header: HeaderName,
        /// What and where.
        error: SyntaxError,
    },
}

/// One header line.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// The id of its name.
    pub name: HeaderName,
    /// The name as it came.
    pub raw_name: &'a [u8],
    /// The value, outer white space removed, folds kept as they came.
    pub value: &'a [u8],
}

impl Message {
    /// Parses one datagram: leading CRLFs are skipped, bytes after Content-Length are dropped, no Content-Length means up to the end (RFC 3261 sec. 18.3).
    ///
    /// # Errors
    /// Bytes that are no SIP message; typed values are not looked at.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Message, SyntaxError> {
        let _ = limits;
        let _ = Message { bytes };
        todo!()
    }
    /// The whole message as it came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The same, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
    /// Is it a request?
    pub fn is_request(&self) -> bool {
        todo!()
    }
    /// The method of a request.
    pub fn method(&self) -> Option<Method<'_>> {
        todo!()
    }
    /// The Request-URI as it came.
    pub fn request_uri_bytes(&self) -> Option<&[u8]> {
        todo!()
    }
    /// The Request-URI; `None` in a response.
    pub fn request_uri(&self) -> Option<Result<Uri<'_>, SyntaxError>> {
        todo!()
    }
    /// The status code of a response, 100 to 699 (others are kept as they came).
    pub fn status(&self) -> Option<u16> {
        todo!()
    }
    /// The reason phrase of a response, as it came.
    pub fn reason(&self) -> Option<&[u8]> {
        todo!()
    }
    /// All header lines in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        std::iter::empty()
    }
    /// The value of the first header of this name.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.headers().find(|h| h.name == name).map(|h| h.value)
    }
    /// The first header of this name by its text; for names that have no id. Without regard to case.
    pub fn header_named(&self, name: &[u8]) -> Option<&[u8]> {
        self.headers().find(|h| h.raw_name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }
    /// The body.
    pub fn body(&self) -> &[u8] {
        todo!()
    }
    /// All Via values, top first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, FieldError>> {
        std::iter::empty()
    }
    /// The top Via.
    pub fn top_via(&self) -> Result<Via<'_>, FieldError> {
        todo!()
    }
    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, FieldError> {
        todo!()
    }
    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, FieldError> {
        todo!()
    }
    /// Call-ID.
    pub fn call_id(&self) -> Result<&[u8], FieldError> {
        todo!()
    }
    /// CSeq; in a request an error when its method is not the start line's.
    pub fn cseq(&self) -> Result<CSeq<'_>, FieldError> {
        todo!()
    }
    /// All Contact values.
    pub fn contacts(&self) -> impl Iterator<Item = Result<Contact<'_>, FieldError>> {
        std::iter::empty()
    }
    /// All values of a header that holds a list of name-addr (Route, Record-Route, Path, Service-Route, ...).
    pub fn addresses(&self, name: HeaderName) -> impl Iterator<Item = Result<NameAddr<'_>, FieldError>> {
        let _ = name;
        std::iter::empty()
    }
    /// All challenges of WWW-Authenticate or Proxy-Authenticate.
    pub fn challenges(&self, name: HeaderName) -> impl Iterator<Item = Result<Challenge<'_>, FieldError>> {
        let _ = name;
        std::iter::empty()
    }
    /// All comma-separated tokens of every header of this name (Allow, Supported, Require, ...).
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let _ = name;
        std::iter::empty()
    }
    /// A header that is one number of seconds (Expires, Min-Expires, Retry-After: what follows the number is left aside). Clamped to `u32::MAX`.
    pub fn seconds(&self, name: HeaderName) -> Option<Result<u32, FieldError>> {
        let _ = name;
        todo!()
    }
    /// The six headers without which nothing can be answered or matched (RFC 3261 sec. 8.1.1): Via, From, To, Call-ID, CSeq, and each of them well-formed.
    pub fn check_mandatory(&self) -> Result<(), FieldError> {
        todo!()
    }
    /// A copy with this Via on top (a client transaction's own); everything else byte for byte.
    pub fn with_top_via(&self, via: &[u8]) -> Message {
        let _ = via;
        todo!()
    }
    /// A copy whose top Via carries `received`/`rport` as RFC 3261 sec. 18.2.1 and RFC 3581 sec. 4 say for a request from `source`.
    pub fn with_received_from(&self, source: std::net::SocketAddr) -> Message {
        let _ = source;
        todo!()
    }
}
