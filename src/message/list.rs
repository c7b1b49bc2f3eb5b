//! Comma lists over all header lines of one name.
use super::{FieldError, Message};
use crate::syntax::{Challenge, Contact, HeaderName, NameAddr, SyntaxError, Via, class};
use std::marker::PhantomData;

/// A value that may stand in a comma list.
pub(super) trait ListValue<'a>: Sized {
    /// The first value and what follows its comma.
    fn parse_first(text: &'a [u8]) -> Result<(Self, &'a [u8]), SyntaxError>;
}

macro_rules! list_value {
    ($($name:ident),*) => {
        $(impl<'a> ListValue<'a> for $name<'a> {
            #[inline]
            fn parse_first(text: &'a [u8]) -> Result<(Self, &'a [u8]), SyntaxError> {
                $name::parse_first(text)
            }
        })*
    };
}
list_value!(Via, NameAddr, Contact, Challenge);

/// All values in order. A line with an error gives the values in front of it, the error, and then the next line.
pub(super) struct List<'a, T> {
    message: &'a Message,
    name: HeaderName,
    next_line: usize,
    rest: &'a [u8],
    /// Where the value ends that `rest` is the end of, from the start of the message.
    end: usize,
    value: PhantomData<T>,
}

impl<'a, T> List<'a, T> {
    pub(super) fn new(message: &'a Message, name: HeaderName) -> List<'a, T> {
        List { message, name, next_line: 0, rest: &[], end: 0, value: PhantomData }
    }
}

impl<'a, T: ListValue<'a>> Iterator for List<'a, T> {
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
        match T::parse_first(self.rest) {
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
