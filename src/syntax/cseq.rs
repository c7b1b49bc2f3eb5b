//! CSeq (RFC 3261 sec. 20.16).
use super::{Method, SyntaxError};

/// A sequence number (below 2^31) and a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// No number, a number of 2^31 or more, or no method.
    pub fn parse(text: &'a [u8]) -> Result<CSeq<'a>, SyntaxError> {
        let _ = text;
        todo!()
    }
}
