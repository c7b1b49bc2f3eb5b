//! Content-Disposition (RFC 3261 sec. 20.11): what a body is for.
use super::event::token_and_params;
use super::{Params, SyntaxError};

/// What a body, or a part of one, is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentDisposition<'a> {
    /// `session`, `render`, `icon`, `alert` or another token, as it came; compare without case.
    pub kind: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> ContentDisposition<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is not one disposition.
    ///
    /// ```
    /// use ringback::syntax::ContentDisposition;
    /// let disposition = ContentDisposition::parse(b"icon;handling=optional")?;
    /// assert!(disposition.is_optional());
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn parse(text: &'a [u8]) -> Result<ContentDisposition<'a>, SyntaxError> {
        token_and_params(text).map(|(kind, params)| ContentDisposition { kind, params })
    }
    /// May who does not understand the body leave it aside? Where nothing is said he may not (RFC 3261 sec. 20.11).
    pub fn is_optional(&self) -> bool {
        let handling = self.params.get(b"handling").and_then(|param| param.value);
        handling.is_some_and(|value| value.eq_ignore_ascii_case(b"optional"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_dispositions() {
        let session = ContentDisposition::parse(b"session").unwrap();
        assert_eq!((session.kind, session.is_optional()), (&b"session"[..], false));
        let alert = ContentDisposition::parse(b" Alert ;\r\n Handling = OPTIONAL; x=y").unwrap();
        assert_eq!((alert.kind, alert.is_optional()), (&b"Alert"[..], true));
        assert!(!ContentDisposition::parse(b"render;handling=required").unwrap().is_optional());
        for bad in ["", ";handling=optional", "session, render", "session x", "session;"] {
            assert!(ContentDisposition::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
