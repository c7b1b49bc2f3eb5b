//! The Contact values of a response, each for itself: a bad one does not lose its neighbours, a loose end does not lose its own.
//!
//! Only for lists that the grammar refuses: what is well-formed never comes here.

use crate::message::Message;
use crate::syntax::{Contact, HeaderName, NameAddr};

/// One value of such a list.
pub(super) enum Value<'a> {
    Addr(NameAddr<'a>),
    /// An address with a loose comma or semicolon; and how it came.
    Loose(NameAddr<'a>, &'a [u8]),
    Unreadable(&'a [u8]),
}

/// Gives each value of every Contact line.
pub(super) fn each(message: &Message, mut take: impl FnMut(Value<'_>)) {
    for header in message.headers().filter(|header| header.name == HeaderName::Contact) {
        let pieces = pieces(header.value);
        let is_loose = pieces.iter().any(|piece| piece.is_empty());
        let mut is_told = !is_loose;
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            match read(piece) {
                // The comma is told with a value in front of or behind it.
                Read::Strict(addr) if is_told => take(Value::Addr(addr)),
                Read::Strict(addr) => take(Value::Loose(addr, header.value)),
                Read::Loose(text) => match Contact::parse_first(&text) {
                    Ok((Contact::Addr(addr), _)) => take(Value::Loose(addr, piece)),
                    _ => take(Value::Unreadable(piece)),
                },
                Read::Not => take(Value::Unreadable(piece)),
            }
            is_told = true;
        }
    }
}

enum Read<'a> {
    Strict(NameAddr<'a>),
    /// Readable without its loose semicolons.
    Loose(Vec<u8>),
    Not,
}

fn read(piece: &[u8]) -> Read<'_> {
    if let Ok((Contact::Addr(addr), [])) = Contact::parse_first(piece) {
        return Read::Strict(addr);
    }
    let loose = without_loose_semicolons(piece);
    match NameAddr::parse(&loose) {
        Ok(_) if loose.len() < piece.len() => Read::Loose(loose),
        _ => Read::Not,
    }
}

/// A semicolon before another semicolon or the end is left out.
fn without_loose_semicolons(piece: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(piece.len());
    let mut quoted = false;
    for (at, &byte) in piece.iter().enumerate() {
        quoted ^= byte == b'"';
        let next = piece[at + 1..].iter().find(|b| !b.is_ascii_whitespace());
        if byte != b';' || quoted || !matches!(next, None | Some(b';')) {
            kept.push(byte);
        }
    }
    kept
}

/// The pieces between the commas that stand in no quoted string and no brackets, without white space. Brackets that are not closed end
/// where the next ones begin.
fn pieces(value: &[u8]) -> Vec<&[u8]> {
    // A quote that is never closed is none.
    let quotes = value.iter().filter(|&&b| b == b'"').count() % 2 == 0;
    let mut cuts = Vec::new();
    let (mut quoted, mut bracket, mut inner) = (false, false, None);
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            b'"' if quotes => quoted = !quoted,
            _ if quoted => {}
            b'<' => {
                if let Some(comma) = inner.filter(|_| bracket) {
                    cuts.push(comma);
                }
                (bracket, inner) = (true, None);
            }
            b'>' => (bracket, inner) = (false, None),
            b',' if bracket => inner = Some(at),
            b',' => cuts.push(at),
            _ => {}
        }
    }
    let mut start = 0;
    let mut pieces = Vec::with_capacity(cuts.len() + 1);
    for cut in cuts.into_iter().chain([value.len()]) {
        pieces.push(value[start..cut].trim_ascii());
        start = cut + 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;
    use bytes::Bytes;

    /// `a` an address, `l` a loose one, `u` one that cannot be read.
    fn kinds(lines: &str) -> String {
        let text = format!("SIP/2.0 200 OK\r\n{lines}\r\n\r\n");
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let mut kinds = String::new();
        each(&message, |value| {
            kinds.push(match value {
                Value::Addr(_) => 'a',
                Value::Loose(..) => 'l',
                Value::Unreadable(_) => 'u',
            });
        });
        kinds
    }

    #[test]
    fn each_value_is_read_for_itself() {
        for (lines, expected) in [
            ("Contact: <sip:a@h>;q=1, \"x, y\" <sip:b@h>", "aa"),
            ("Contact: <sip:a@192.0.2.1:5060transport=udp>;expires=1, <sip:b@h>", "ua"),
            ("Contact: <sip:b@h>, <sip:a@192.0.2.1:5060transport=udp>", "au"),
            ("Contact: <sip:a@h;expires=1, <sip:b@h>;expires=2", "ua"),
            ("Contact: <sip:a@h>;expires=1,", "l"),
            ("Contact: ,<sip:a@h>;expires=1", "l"),
            ("Contact: <sip:a@h>;expires=1,,<sip:b@h>", "la"),
            ("Contact: <sip:a@h>;expires=1;", "l"),
            ("Contact: <sip:a@h>;;expires=1 ; , <sip:b@h>", "la"),
            ("Contact:\r\nm: <sip:a@h>", "a"),
            ("Contact: \"open <sip:a@h>, <sip:b@h>", "ua"),
            ("Contact: sip:reg2.h:port", "u"),
            ("Contact: *", "u"),
        ] {
            assert_eq!(kinds(lines), expected, "{lines}");
        }
    }
}
