//! Comma lists over all header lines of one name.
use super::{FieldError, Message};
use crate::syntax::{HeaderName, SyntaxError, class};

/// All values in order. A line with an error gives the values in front of it, the error, and then the next line.
pub(super) struct List<'a, F> {
    message: &'a Message,
    name: HeaderName,
    /// Gives the first value of a text and what follows its comma.
    parse_first: F,
    next_line: usize,
    rest: &'a [u8],
    /// Where the value ends that `rest` is the end of, from the start of the message.
    end: usize,
}

impl<'a, F> List<'a, F> {
    #[inline]
    pub(super) fn new(message: &'a Message, name: HeaderName, parse_first: F) -> List<'a, F> {
        List { message, name, parse_first, next_line: 0, rest: &[], end: 0 }
    }
}

impl<'a, T, F: Fn(&'a [u8]) -> Result<(T, &'a [u8]), SyntaxError>> Iterator for List<'a, F> {
    type Item = Result<T, FieldError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            let (line, span) = self.message.find(self.name, self.next_line)?;
            self.next_line = line + 1;
            self.rest = span.value(&self.message.bytes);
            self.end = span.value_offset() + self.rest.len();
        }
        let base = self.end - self.rest.len();
        match (self.parse_first)(self.rest) {
            Ok((value, rest)) => {
                self.rest = rest;
                Some(Ok(value))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(FieldError::Syntax { header: self.name, error: error.shifted(base) }))
            }
        }
    }
}

/// The pieces between the commas of a value, without white space; empty pieces are left out. No quoted strings.
pub(super) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(class::trim).filter(|token| !token.is_empty())
}

/// The pieces between the commas that stand in no quoted string, without white space; empty pieces are left out.
pub(super) fn values(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let pieces = value.split(move |&b| {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return b == b',' && !quoted,
        }
        false
    });
    pieces.map(class::trim).filter(|piece| !piece.is_empty())
}
