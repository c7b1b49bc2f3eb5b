//! Limits that keep a parse bounded.

/// Limits that keep a parse bounded; reaching one is an error that names it.
///
/// ```
/// use ringback::{message::Message, syntax::{Limit, Limits, SyntaxErrorKind}};
/// let mut limits = Limits::default();
/// limits.header_count = 1;
/// let text = "OPTIONS sip:h SIP/2.0\r\nSubject: a\r\nSubject: b\r\n\r\n";
/// let error = Message::parse(text.into(), &limits).unwrap_err();
/// assert_eq!(error.kind, SyntaxErrorKind::Limit(Limit::HeaderCount));
/// assert_eq!(error.to_string(), "over the limit for header count at byte 35");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a whole message; default 65,535.
    pub message_size: usize,
    /// Header lines; default 256.
    pub header_count: usize,
    /// Bytes of one line of the head, folds included; default 32,768. A whole head is at most 65,535, whatever stands here.
    pub header_length: usize,
    /// How deep multipart bodies may stand in each other, the outermost counted; default 4. 0 refuses every one.
    pub multipart_depth: usize,
    /// Parts of one multipart body; default 32. All parts of all levels together are at most this to the power of the depth, and
    /// never more than the body has lines.
    pub part_count: usize,
}

impl Limits {
    /// For what has passed the limits before, and may have grown by a header since.
    pub(crate) const PASSED: Limits = Limits {
        message_size: usize::MAX,
        header_count: usize::MAX,
        header_length: usize::MAX,
        multipart_depth: usize::MAX,
        part_count: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_size: 65_535,
            header_count: 256,
            header_length: 32_768,
            multipart_depth: 4,
            part_count: 32,
        }
    }
}
