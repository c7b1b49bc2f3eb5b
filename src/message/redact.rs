//! Secrets out of evidence.
use std::borrow::Cow;

/// A copy of a message (or of what should have been one) in which no digest response, password, cookie or key is left; the length of lines may change.
pub fn redact(message: &[u8]) -> Cow<'_, [u8]> {
    let _ = message;
    todo!()
}
