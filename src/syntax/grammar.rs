//! nom's building blocks for the values that come now and then. No nom type leaves this folder.
use super::class::{self, DIGIT, LWS, TOKEN};
use super::{SyntaxError, SyntaxErrorKind};
use nom::bytes::complete::{take_while, take_while1};
use nom::combinator::map_opt;
use nom::error::{Error, ErrorKind};
use nom::{IResult, Parser};

pub(super) type Parsed<'a, T> = IResult<&'a [u8], T>;

/// White space and folds, or nothing.
pub(super) fn lws(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while(|b| class::is(b, LWS)).parse(input)
}

/// White space and folds.
pub(super) fn lws1(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(|b| class::is(b, LWS)).parse(input)
}

pub(super) fn token(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(|b| class::is(b, TOKEN)).parse(input)
}

pub(super) fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(|b| class::is(b, DIGIT)).parse(input)
}

/// A number, clamped to `u32::MAX`.
pub(super) fn clamped(input: &[u8]) -> Parsed<'_, u32> {
    map_opt(digits, class::clamped_u32).parse(input)
}

/// Exactly `count` digits.
pub(super) fn fixed<'a>(count: usize) -> impl Parser<&'a [u8], Output = u16, Error = Error<&'a [u8]>> {
    map_opt(digits, move |text: &[u8]| {
        class::clamped_u32(text).filter(|_| text.len() == count).and_then(|n| u16::try_from(n).ok())
    })
}

/// A quoted string with its quotes.
pub(super) fn quoted(input: &[u8]) -> Parsed<'_, &[u8]> {
    let mut scan = class::Scan::new(input);
    match scan.quoted() {
        Ok(text) => Ok((scan.rest(), text)),
        Err(_) => Err(nom::Err::Error(Error::new(input, ErrorKind::Tag))),
    }
}

/// The result of `parser` at the start of `text`, and what follows it. The error's offset is where nom stood.
pub(super) fn first<'a, T>(
    mut parser: impl Parser<&'a [u8], Output = T, Error = Error<&'a [u8]>>,
    text: &'a [u8],
) -> Result<(T, &'a [u8]), SyntaxError> {
    match parser.parse(text) {
        Ok((rest, value)) => Ok((value, rest)),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => Err(at(text, e.input)),
        Err(nom::Err::Incomplete(_)) => Err(at(text, &[])),
    }
}

/// The result of `parser` for the whole of `text`, white space around it left aside.
pub(super) fn whole<'a, T>(
    parser: impl Parser<&'a [u8], Output = T, Error = Error<&'a [u8]>>,
    text: &'a [u8],
) -> Result<T, SyntaxError> {
    let (value, rest) = first(nom::sequence::delimited(lws, parser, lws), text)?;
    if rest.is_empty() { Ok(value) } else { Err(at(text, rest)) }
}

fn at(text: &[u8], rest: &[u8]) -> SyntaxError {
    let kind = if rest.is_empty() { SyntaxErrorKind::Truncated } else { SyntaxErrorKind::Unexpected };
    SyntaxError { kind, offset: text.len() - rest.len() }
}
