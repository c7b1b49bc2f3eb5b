//! Texts with escapes (`%41` is `A`; RFC 3261 sec. 25.1): what they stand for, and whether two are the same.
use super::Params;
use super::class::hex;
use std::borrow::Cow;

/// Parameters of one URI, and headers of one, that are looked for in any order of the other's. Each of one is held against each of the
/// other: with no limit a peer's URI of 8 KB could take some million comparisons.
pub(super) const MOST: usize = 32;

/// Octets of an escaped text (`%41` is `A`); what is no escape stays.
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let octet = match tail {
            [high, low, ..] if first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match octet {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

/// The octets of a text, each with: was it escaped, and had to be? Reserved characters stay escaped when they came escaped: `%3B` in a
/// user part is not `;`. Other escapes are as good as what they stand for.
fn octets(text: &[u8]) -> impl Iterator<Item = (bool, u8)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (&first, tail) = rest.split_first()?;
        let escaped = match tail {
            [high, low, ..] if first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        Some(match escaped {
            Some((high, low)) => {
                rest = &tail[2..];
                let octet = high << 4 | low;
                (!(octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet)), octet)
            }
            None => {
                rest = tail;
                (false, first)
            }
        })
    })
}

pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a == b || octets(a).eq(octets(b))
}

pub(super) fn same_caseless(a: &[u8], b: &[u8]) -> bool {
    let lower = |(escaped, octet): (bool, u8)| (escaped, octet.to_ascii_lowercase());
    a.eq_ignore_ascii_case(b) || octets(a).map(lower).eq(octets(b).map(lower))
}

/// Are these parameters the same to `allow`, which says whether each of the first has what it needs in the second? More than [`MOST`] are
/// the same only in the same order.
pub(super) fn same_params<'a>(
    a: Params<'a>,
    b: Params<'a>,
    allow: impl Fn(Params<'a>, Params<'a>) -> bool,
) -> bool {
    let few = |params: Params<'a>| params.iter().nth(MOST).is_none();
    same_caseless(a.raw, b.raw) || few(a) && few(b) && allow(a, b) && allow(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_what_is_an_escape() {
        assert_eq!(&*unescape(b"%6C%72-%00%zz%4"), b"lr-\0%zz%4");
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(b"plain")));
    }
}
