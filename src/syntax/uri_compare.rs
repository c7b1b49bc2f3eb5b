//! Equality of URIs (RFC 3261 sec. 19.1.4).
use super::uri::unescape;
use super::{Host, Params, Scheme, Tel, Uri};
use std::borrow::Cow;

/// Parameters that make a difference even when only one of the two URIs has them.
const SIGNIFICANT: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

/// Reserved characters stay escaped when they came escaped: `%3B` in a user part is not `;`. So octets are compared only where
/// the escape was not needed.
fn normal(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escape = text.get(at..at + 3).filter(|_| byte == b'%');
        match escape.map(unescape) {
            Some(octet) if octet.len() == 1 => {
                let octet = octet[0];
                if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet) {
                    out.push(octet);
                } else {
                    out.push(b'%');
                    out.extend(text[at + 1..at + 3].iter().map(u8::to_ascii_uppercase));
                }
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a == b || normal(a) == normal(b)
}

fn same_caseless(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b) || normal(a).eq_ignore_ascii_case(&normal(b))
}

fn same_option(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn same_host(a: Option<Host<'_>>, b: Option<Host<'_>>) -> bool {
    match (a, b) {
        (Some(Host::Name(a)), Some(Host::Name(b))) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    }
}

/// A parameter that (against the grammar) stands more than once is met by any of its namesakes, so that a URI always equals itself.
fn params_allow(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|p| {
        let value = p.value.unwrap_or_default();
        let mut namesakes = b.iter().filter(|o| same_caseless(o.name, p.name)).peekable();
        match namesakes.peek() {
            Some(_) => namesakes.any(|o| same_caseless(value, o.value.unwrap_or_default())),
            None => !SIGNIFICANT.iter().any(|name| same_caseless(name, p.name)),
        }
    })
}

/// Each header of one is a header of the other, in any order, as often.
fn headers_match(a: &[u8], b: &[u8]) -> bool {
    fn split(text: &[u8]) -> Vec<(Vec<u8>, Cow<'_, [u8]>)> {
        let mut fields: Vec<_> = super::uri_headers::fields(text)
            .map(|(name, value)| (normal(name).to_ascii_lowercase(), normal(value)))
            .collect();
        fields.sort();
        fields
    }
    a == b || split(a) == split(b)
}

/// Are two URIs the same resource by RFC 3261 sec. 19.1.4? Other schemes than `sip` and `sips` are compared as text, `tel` without
/// its visual separators (RFC 3966 sec. 4).
pub(super) fn equivalent<'a>(a: &Uri<'a>, b: &Uri<'a>) -> bool {
    match (a.scheme, b.scheme) {
        (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => {
            same_option(a.user, b.user)
                && same_option(a.password, b.password)
                && same_host(a.host, b.host)
                && a.port == b.port
                && params_allow(a.params, b.params)
                && params_allow(b.params, a.params)
                && headers_match(a.headers, b.headers)
        }
        (Scheme::Tel, Scheme::Tel) => {
            let tel = |uri: &Uri<'a>| Tel { number: uri.user.unwrap_or_default(), params: uri.params };
            tel(a).is_equivalent(&tel(b))
        }
        (Scheme::Other(x), Scheme::Other(y)) => {
            x.eq_ignore_ascii_case(y) && a.raw[x.len()..] == b.raw[y.len()..]
        }
        _ => false,
    }
}

/// The text of a URI, its password masked.
pub(super) fn without_password<'a>(uri: &Uri<'a>) -> Cow<'a, [u8]> {
    match (uri.password, uri.user, memchr::memchr(b':', uri.raw)) {
        (Some(password), Some(user), Some(colon)) => {
            let start = colon + 1 + user.len() + 1;
            let mut out = uri.raw[..start].to_vec();
            out.extend_from_slice(b"redacted");
            out.extend_from_slice(&uri.raw[start + password.len()..]);
            Cow::Owned(out)
        }
        _ => Cow::Borrowed(uri.raw),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn compare(a: &str, b: &str) -> bool {
        let (a, b) = (Uri::parse(a.as_bytes()).unwrap(), Uri::parse(b.as_bytes()).unwrap());
        assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a));
        a.is_equivalent(&b)
    }

    #[test]
    fn a_uri_with_a_parameter_twice_equals_itself() {
        assert!(compare("sip:a@h;transport=udp;transport=tcp", "sip:a@h;transport=udp;transport=tcp"));
        assert!(!compare("sip:a@h;transport=udp;transport=tcp", "sip:a@h;transport=sctp"));
    }

    #[test]
    fn agrees_with_the_examples_of_the_rfc() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1-201-555-0123", "tel:+12015550123"),
        ] {
            assert!(compare(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@h", "sips:a@h"),
            ("sip:a%3Bb@h", "sip:a;b@h"),
        ] {
            assert!(!compare(a, b), "{a} {b}");
        }
    }
}
