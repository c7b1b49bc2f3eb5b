//! Character classes of RFC 3261 sec. 25.1 as one table, and a cursor that scans by them.
use super::{SyntaxError, SyntaxErrorKind};

/// `token`.
pub(crate) const TOKEN: u8 = 1 << 0;
/// `user` without escapes' digits being looked at; octets above 127 and `#` are taken as well, because phones send them.
pub(super) const USER: u8 = 1 << 1;
/// A host name; `_` is taken as well.
pub(super) const HOST: u8 = 1 << 2;
/// `paramchar` of a URI parameter, and `%`.
pub(super) const URI_PARAM: u8 = 1 << 3;
/// What may stand in an unquoted value of a header parameter: anything visible that does not separate.
pub(super) const VALUE: u8 = 1 << 4;
/// Anything that may stand in a URI of an unknown scheme, or behind the `?` of a SIP URI.
pub(super) const URI: u8 = 1 << 5;
/// White space, line breaks of folds included.
pub(crate) const LWS: u8 = 1 << 6;
/// Decimal digits.
pub(crate) const DIGIT: u8 = 1 << 7;

// A static: a debug build copies a constant table each time it is looked at.
static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let alnum = b.is_ascii_alphanumeric();
        let mark = matches!(b, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
        let mut class = 0;
        if alnum || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~') {
            class |= TOKEN;
        }
        if alnum
            || mark
            || matches!(b, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/' | b'%' | b'#')
            || b >= 128
        {
            class |= USER;
        }
        if alnum || matches!(b, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if alnum || mark || matches!(b, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$' | b'%') {
            class |= URI_PARAM;
        }
        if (b > 0x20 && b != 0x7f) && !matches!(b, b'"' | b',' | b';' | b'<' | b'>' | b'\\') {
            class |= VALUE;
        }
        if (b > 0x20 && b != 0x7f) && !matches!(b, b'"' | b'<' | b'>' | b'\\') {
            class |= URI;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
            class |= LWS;
        }
        if b.is_ascii_digit() {
            class |= DIGIT;
        }
        table[i] = class;
        i += 1;
    }
    table
};

/// Is `byte` in one of the classes of `mask`?
#[inline(always)]
pub(crate) const fn is(byte: u8, mask: u8) -> bool {
    CLASSES[byte as usize] & mask != 0
}

/// Are there bytes, and all of them in one of the classes of `mask`?
pub(crate) fn all(text: &[u8], mask: u8) -> bool {
    !text.is_empty() && text.iter().all(|&b| is(b, mask))
}

/// The value of a hexadecimal digit.
pub(super) const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// `text` without white space at both ends.
#[inline]
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is(*first, LWS)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is(*last, LWS)
    {
        text = rest;
    }
    text
}

/// A number of decimal digits, clamped to `u32::MAX`; `None` for anything else.
pub(crate) fn clamped_u32(text: &[u8]) -> Option<u32> {
    all(text, DIGIT)
        .then(|| text.iter().fold(0_u32, |n, b| n.saturating_mul(10).saturating_add(u32::from(b - b'0'))))
}

/// A place in a text. Every method either moves forward or leaves the place as it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scan<'a> {
    #[inline]
    pub(super) const fn new(text: &'a [u8]) -> Scan<'a> {
        Scan { text, at: 0 }
    }
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }
    /// What has not been scanned.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }
    /// The longest run of bytes of these classes; may be empty.
    #[inline(always)]
    pub(super) fn run(&mut self, mask: u8) -> &'a [u8] {
        let start = self.at;
        while let Some(&b) = self.text.get(self.at)
            && is(b, mask)
        {
            self.at += 1;
        }
        self.since(start)
    }
    /// The longest run of bytes that `wanted` takes; may be empty.
    #[inline]
    pub(super) fn run_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.since(start)
    }
    /// A run that must not be empty.
    #[inline(always)]
    pub(super) fn some(&mut self, mask: u8) -> Result<&'a [u8], SyntaxError> {
        let run = self.run(mask);
        if run.is_empty() { Err(self.unexpected()) } else { Ok(run) }
    }
    #[inline(always)]
    pub(super) fn lws(&mut self) {
        self.run(LWS);
    }
    #[inline(always)]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }
    /// `byte` with white space around it.
    #[inline(always)]
    pub(super) fn separator(&mut self, byte: u8) -> Result<(), SyntaxError> {
        self.lws();
        if !self.eat(byte) {
            return Err(self.unexpected());
        }
        self.lws();
        Ok(())
    }
    /// A quoted string with its quotes.
    pub(super) fn quoted(&mut self) -> Result<&'a [u8], SyntaxError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let mut at = start + 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', self.text.get(at..).unwrap_or_default()) {
            at += found + 1;
            if self.text[at - 1] == b'"' {
                self.at = at;
                return Ok(self.since(start));
            }
            at += 1;
        }
        Err(SyntaxError { kind: SyntaxErrorKind::UnclosedQuote, offset: start })
    }
    /// The end of one value of a comma list: gives what follows the comma.
    #[inline]
    pub(super) fn end_of_value(&mut self) -> Result<&'a [u8], SyntaxError> {
        self.lws();
        match self.peek() {
            None => Ok(&[]),
            Some(b',') => {
                self.at += 1;
                self.lws();
                if self.is_done() { Err(self.unexpected()) } else { Ok(self.rest()) }
            }
            Some(_) => Err(self.unexpected()),
        }
    }
    #[inline]
    pub(super) fn error(&self, kind: SyntaxErrorKind) -> SyntaxError {
        SyntaxError { kind, offset: self.at }
    }
    /// What stands here must not: the end of the text, or a character.
    #[cold]
    pub(super) fn unexpected(&self) -> SyntaxError {
        self.error(if self.is_done() { SyntaxErrorKind::Truncated } else { SyntaxErrorKind::Unexpected })
    }
}
