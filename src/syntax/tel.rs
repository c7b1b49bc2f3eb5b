//! Telephone numbers in URIs: `tel:` (RFC 3966), and the user part of `sip:` with `user=phone` (RFC 3261 sec. 19.1.6).
use super::Params;
use super::escaped::same_params;

/// A telephone number and its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Tel<'a> {
    pub(super) number: &'a [u8],
    pub(super) params: Params<'a>,
}

/// `-`, `.`, `(` and `)`: they help to read and mean nothing (RFC 3966 sec. 5.1.1).
fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// What is compared of a number: no visual separators, no case.
pub(super) fn significant(number: &[u8]) -> impl Iterator<Item = u8> {
    number.iter().filter(|b| !is_separator(**b)).map(u8::to_ascii_uppercase)
}

impl<'a> Tel<'a> {
    /// Is it a global number, one that begins with `+`?
    pub fn is_global(&self) -> bool {
        self.number.first() == Some(&b'+')
    }
    /// The number as it came, `+` and visual separators included.
    pub fn number(&self) -> &'a [u8] {
        self.number
    }
    /// The number without visual separators, hexadecimal digits in upper case, `+` kept.
    pub fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        significant(self.number)
    }
    fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params.get(name).and_then(|p| p.value)
    }
    /// `phone-context`: a domain, or the leading digits of a global number, within which a local number means something.
    pub fn context(&self) -> Option<&'a [u8]> {
        self.param(b"phone-context")
    }
    /// `ext`: an extension, with its visual separators.
    pub fn extension(&self) -> Option<&'a [u8]> {
        self.param(b"ext")
    }
    /// `isub`: an ISDN subaddress.
    pub fn subaddress(&self) -> Option<&'a [u8]> {
        self.param(b"isub")
    }
    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// Equality by RFC 3966 sec. 4: visual separators, letter case and the order of parameters make no difference; any other parameter does,
    /// also when only one of the two has it. More than 32 parameters are equal only in the same order.
    pub fn is_equivalent(&self, other: &Tel<'_>) -> bool {
        fn all_in(one: Params<'_>, other: Params<'_>) -> bool {
            one.iter().all(|param| {
                let value = param.value.unwrap_or_default();
                let is_number = param.name.eq_ignore_ascii_case(b"ext")
                    || param.name.eq_ignore_ascii_case(b"phone-context") && value.first() == Some(&b'+');
                let namesakes = other.iter().filter(|p| p.name.eq_ignore_ascii_case(param.name));
                namesakes.map(|p| p.value.unwrap_or_default()).any(|theirs| {
                    if is_number {
                        significant(value).eq(significant(theirs))
                    } else {
                        value.eq_ignore_ascii_case(theirs)
                    }
                })
            })
        }
        self.digits().eq(other.digits()) && same_params(self.params, other.params, all_in)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::{SyntaxErrorKind, Uri};

    fn tel(text: &str) -> Result<Tel<'_>, SyntaxErrorKind> {
        Tel::from_uri(&Uri::parse(text.as_bytes()).unwrap()).map_err(|e| e.kind)
    }

    #[test]
    fn a_number_with_a_parameter_twice_equals_itself() {
        let twice = tel("tel:+1;x;x=5").unwrap();
        assert!(twice.is_equivalent(&twice));
        assert!(!twice.is_equivalent(&tel("tel:+1;x=6").unwrap()));
    }

    #[test]
    fn takes_numbers_apart() {
        let global = tel("tel:+358-(9).555-1234567;ext=12-34;isub=1.2;cic=+1-6789").unwrap();
        assert!(global.is_global());
        assert_eq!(global.digits().collect::<Vec<_>>(), b"+35895551234567");
        assert_eq!(
            (global.extension(), global.subaddress(), global.context()),
            (Some(&b"12-34"[..]), Some(&b"1.2"[..]), None)
        );
        assert_eq!(global.params().iter().count(), 3);
        let local = tel("tel:*21a#;phone-context=+1-914-555").unwrap();
        assert_eq!((local.is_global(), local.context()), (false, Some(&b"+1-914-555"[..])));
        assert_eq!(local.digits().collect::<Vec<_>>(), b"*21A#");
        let in_sip = tel("sip:+1-201-555-0123;ext=9@gw.example.com;user=phone").unwrap();
        assert_eq!((in_sip.number(), in_sip.extension()), (&b"+1-201-555-0123"[..], Some(&b"9"[..])));
        assert!(tel("tel:1001").is_ok());
    }

    #[test]
    fn refuses_what_is_no_number() {
        for bad in [
            "tel:+",
            "tel:+-",
            "tel:--",
            "tel:+1a",
            "tel:+1*",
            "tel:1+1",
            "sip:+1@h",
            "sip:alice@h;user=phone",
            "sip:h;user=phone",
            "sip:+1@h;user=ip",
            "sip:+1;@h;user=phone",
            "urn:x:1",
        ] {
            assert!(tel(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn compares_by_what_means_something() {
        let same = |a: &str, b: &str| {
            let (a, b) = (Uri::parse(a.as_bytes()).unwrap(), Uri::parse(b.as_bytes()).unwrap());
            assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a));
            a.is_equivalent(&b)
        };
        for (a, b) in [
            ("tel:+1-201-555-0123", "TEL:+1(201)555.0123"),
            ("tel:+1;ext=1-2;isub=3", "tel:+1;ISUB=3;ext=12"),
            ("tel:7042;phone-context=Example.com", "tel:70-42;phone-context=example.COM"),
            ("tel:7042;phone-context=+1-914", "tel:7042;phone-context=+1914"),
            ("tel:1a", "tel:1A"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("tel:+12015550123", "tel:12015550123"),
            ("tel:+1;ext=12", "tel:+1"),
            ("tel:+1;ext=12", "tel:+1;ext=13"),
            ("tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example"),
            ("tel:7042;phone-context=a-b.example", "tel:7042;phone-context=ab.example"),
            ("tel:+1", "sip:+1@h;user=phone"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
