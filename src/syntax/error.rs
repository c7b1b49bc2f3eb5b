//! What is wrong with a piece of text, and where.

/// Where and how bytes break the grammar. `offset` counts bytes from the start of what was parsed (of the message, when it
/// comes from a typed accessor of [`Message`](crate::message::Message)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: SyntaxErrorKind,
    /// Where: bytes from the start.
    pub offset: usize,
}

impl SyntaxError {
    /// The same error in a text in which this one's text starts at `base`.
    pub(crate) const fn shifted(self, base: usize) -> SyntaxError {
        SyntaxError { kind: self.kind, offset: self.offset + base }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// The text ends before the element is whole.
    #[error("text ends too early")]
    Truncated,
    /// Not `SIP/2.0` (RFC 3261 sec. 7.1; answered with 505).
    #[error("unsupported SIP version")]
    Version,
    /// A start line that is none.
    #[error("bad start line")]
    StartLine,
    /// A status code that is not three digits.
    #[error("bad status code")]
    StatusCode,
    /// A header line without a name or a colon.
    #[error("bad header line")]
    HeaderLine,
    /// Content-Length is no number, repeats with another value, or reaches past the datagram.
    #[error("bad Content-Length")]
    ContentLength,
    /// A configured limit is passed; which one.
    #[error("over the limit for {0}")]
    Limit(Limit),
    /// A URI that is none.
    #[error("bad URI")]
    Uri,
    /// A host name or address that is none.
    #[error("bad host")]
    Host,
    /// A number out of its range, or none.
    #[error("bad number")]
    Number,
    /// A character that must not stand here.
    #[error("unexpected character")]
    Unexpected,
    /// A quoted string without its end.
    #[error("quoted string without end")]
    UnclosedQuote,
    /// CSeq names another method than the start line.
    #[error("CSeq method differs from the request's")]
    MethodMismatch,
}

/// A limit of [`Limits`](super::Limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of a whole message.
    #[error("message size")]
    MessageSize,
    /// Number of header lines.
    #[error("header count")]
    HeaderCount,
    /// Bytes of one header line, folds included.
    #[error("header length")]
    HeaderLength,
    /// How deep multipart bodies stand in each other.
    #[error("nesting of multipart bodies")]
    MultipartDepth,
    /// Parts of one multipart body.
    #[error("parts of a multipart body")]
    PartCount,
}
