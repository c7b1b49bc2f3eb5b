//! Equality of URIs (RFC 3261 sec. 19.1.4).
use super::super::escaped::{MOST, same, same_caseless, same_params};
use super::super::{Host, Params, Scheme, Tel, Uri};
use std::borrow::Cow;

/// Parameters that make a difference even when only one of the two URIs has them.
const SIGNIFICANT: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

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

/// Each header of one is a header of the other, in any order, as often. More than [`MOST`] are the same only in the same order.
fn headers_match(a: &[u8], b: &[u8]) -> bool {
    use super::headers::fields;
    type Field<'a> = (&'a [u8], &'a [u8]);
    let count = |text, field: Field<'_>| {
        fields(text).filter(|other| same_caseless(other.0, field.0) && same(other.1, field.1)).count()
    };
    let number = |text| fields(text).take(MOST + 1).count();
    same(a, b)
        || number(a) <= MOST
            && number(a) == number(b)
            && fields(a).all(|field| count(a, field) == count(b, field))
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
                && same_params(a.params, b.params, params_allow)
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
    fn the_order_of_many_parameters_or_headers_counts() {
        let uri = |numbers: &mut dyn Iterator<Item = usize>, headers: bool| {
            let text: Vec<_> = numbers.map(|n| format!("p{n}=V%{:02x}", n % 256)).collect();
            if headers { format!("sip:h?{}", text.join("&")) } else { format!("sip:h;{}", text.join(";")) }
        };
        for headers in [false, true] {
            let both = |number: usize| (uri(&mut (0..number), headers), uri(&mut (0..number).rev(), headers));
            let (forwards, backwards) = both(MOST);
            assert!(compare(&forwards, &backwards));
            assert!(!compare(&forwards, &format!("{backwards}x")));
            // Not more comparisons than that, however many there are.
            let (forwards, backwards) = both(5_000);
            assert!(!compare(&forwards, &backwards));
            assert!(compare(&forwards, &forwards));
            assert_eq!(compare(&forwards, &forwards.replacen("p0=V", "P0=v", 1)), !headers);
        }
        assert!(!compare("sip:h?a=1&a=1&b=2", "sip:h?a=1&b=2&b=2"));
        assert!(!compare("sip:h?a=1&a=1", "sip:h?a=1"));
        assert!(compare("sip:h?Sub%6aect=1&b=2", "sip:h?b=%32&subJect=1"));
        assert!(!compare("sip:h?a=x", "sip:h?a=X"));
    }

    #[test]
    fn each_part_that_counts_makes_a_difference() {
        let whole =
            "sip:al:pass@h:5070;user=phone;ttl=15;method=INVITE;maddr=239.255.255.1;transport=udp;x=1?a=b";
        assert!(compare(whole, whole));
        for (part, other) in [
            ("al", "Al"),
            ("al", "bo"),
            (":pass", ":Pass"),
            (":pass", ""),
            (":pass", ":"),
            ("al:pass@", ""),
            ("@h", "@i"),
            (":5070", ":5071"),
            (":5070", ""),
            (";user=phone", ""),
            ("phone", "ip"),
            (";ttl=15", ""),
            ("15", "16"),
            (";method=INVITE", ""),
            ("INVITE", "BYE"),
            (";maddr=239.255.255.1", ""),
            ("239.255.255.1", "239.255.255.2"),
            (";transport=udp", ""),
            ("udp", "tcp"),
            ("x=1", "x=2"),
            ("?a=b", ""),
            ("a=b", "a=c"),
            ("a=b", "c=b"),
            ("a=b", "a=b&a=b"),
        ] {
            assert!(!compare(whole, &whole.replacen(part, other, 1)), "{part} {other}");
        }
        // Another parameter that only one of them has does not; and these have no case.
        for (part, other) in [(";x=1", ""), (";x=1", ";y=2"), ("x=1", "X=1"), ("@h", "@H")] {
            assert!(compare(whole, &whole.replacen(part, other, 1)), "{part} {other}");
        }
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
