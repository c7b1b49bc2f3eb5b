//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route and their kin.
use super::class::{self, LWS, Scan, TOKEN, VALUE, clamped_u32};
use super::params::unquote;
use super::{Param, Params, SyntaxError, SyntaxErrorKind, Uri};
use std::borrow::Cow;

/// A display name, a URI and header parameters. Without `<>`, parameters belong to the header (RFC 3261 sec. 20).
#[derive(Debug, Clone, Copy)]
pub struct NameAddr<'a> {
    pub(super) display_name: &'a [u8],
    pub(super) uri: Uri<'a>,
    pub(super) params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a name-addr or addr-spec.
    pub fn parse_first(text: &'a [u8]) -> Result<(NameAddr<'a>, &'a [u8]), SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        let start = scan.at;
        let display_name = match scan.peek() {
            Some(b'"') => scan.quoted()?,
            Some(b'<') => &[],
            _ => {
                scan.run(TOKEN);
                if scan.peek() == Some(b':') {
                    return NameAddr::addr_spec(text, start);
                }
                // Tokens, as sec. 25.1 has it; and octets above 127, which PBXs send without quotes.
                while scan.peek().is_some_and(|b| class::is(b, TOKEN | LWS) || b >= 128) {
                    scan.at += 1;
                }
                class::trim(scan.since(start))
            }
        };
        scan.lws();
        if !scan.eat(b'<') {
            return Err(scan.unexpected());
        }
        let open = scan.at;
        let length = memchr::memchr(b'>', scan.rest()).ok_or(scan.error(SyntaxErrorKind::Uri))?;
        let uri = Uri::parse(&scan.rest()[..length]).map_err(|e| e.shifted(open))?;
        scan.at += length + 1;
        let params = Params::scan(&mut scan)?;
        Ok((NameAddr { display_name, uri, params }, scan.end_of_value()?))
    }

    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is not one name-addr or addr-spec.
    pub fn parse(text: &'a [u8]) -> Result<NameAddr<'a>, SyntaxError> {
        match NameAddr::parse_first(text)? {
            (address, []) => Ok(address),
            (_, rest) => {
                Err(SyntaxError { kind: SyntaxErrorKind::Unexpected, offset: text.len() - rest.len() })
            }
        }
    }

    /// A URI without `<>`: it ends at the first `;`, `,` or white space, and must not hold a `?` (RFC 3261 sec. 20.10).
    fn addr_spec(text: &'a [u8], start: usize) -> Result<(NameAddr<'a>, &'a [u8]), SyntaxError> {
        let mut scan = Scan { text, at: start };
        let uri_text = scan.run(VALUE);
        if let Some(question) = memchr::memchr(b'?', uri_text) {
            return Err(SyntaxError { kind: SyntaxErrorKind::Uri, offset: start + question });
        }
        let uri = Uri::parse(uri_text).map_err(|e| e.shifted(start))?;
        let params = Params::scan(&mut scan)?;
        Ok((NameAddr { display_name: &[], uri, params }, scan.end_of_value()?))
    }
    /// The display name as it came, quotes included; empty when there is none.
    pub fn display_name(&self) -> &'a [u8] {
        self.display_name
    }
    /// The display name without quotes, escapes and folds.
    pub fn display_name_unquoted(&self) -> Cow<'a, [u8]> {
        unquote(self.display_name)
    }
    /// The URI.
    pub fn uri(&self) -> Uri<'a> {
        self.uri
    }
    /// The header parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// The value of a header parameter, without quotes; `None` also for a flag.
    pub(super) fn param(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.params.get(name).filter(|p| p.value.is_some()).map(|p| p.unquoted())
    }
    /// A header parameter that is `yes` or `no`.
    pub(super) fn yes_or_no(&self, name: &[u8]) -> Option<bool> {
        let value = self.param(name)?;
        let is = |word: &[u8]| value.eq_ignore_ascii_case(word);
        if is(b"yes") { Some(true) } else { is(b"no").then_some(false) }
    }
    /// `tag`.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get(b"tag").and_then(|p| p.value)
    }
}

/// One Contact value.
#[derive(Debug, Clone, Copy)]
pub enum Contact<'a> {
    /// `*`.
    Star,
    /// An address.
    Addr(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Parses the first value of `text` (a comma list), `*` only when nothing else stands there; also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a Contact value.
    pub fn parse_first(text: &'a [u8]) -> Result<(Contact<'a>, &'a [u8]), SyntaxError> {
        // Looked at to its end only where it begins so: a long list must not be, for each of its values.
        let start = text.iter().position(|&b| !class::is(b, LWS));
        if start.is_some_and(|start| text[start] == b'*' && class::trim(&text[start + 1..]).is_empty()) {
            return Ok((Contact::Star, &[]));
        }
        NameAddr::parse_first(text).map(|(addr, rest)| (Contact::Addr(addr), rest))
    }
    /// `expires` in seconds, when written and a number; clamped to `u32::MAX`.
    pub fn expires(&self) -> Option<u32> {
        let Contact::Addr(addr) = self else { return None };
        expires(addr.params.get(b"expires")?)
    }
    /// `q` in thousandths (0 to 1000).
    pub fn q_thousandths(&self) -> Option<u16> {
        let Contact::Addr(addr) = self else { return None };
        q_thousandths(addr.params.get(b"q")?)
    }
}

/// What [`Contact::expires`] gives, from the parameter.
pub(crate) fn expires(param: Param<'_>) -> Option<u32> {
    clamped_u32(&param.unquoted())
}

/// What [`Contact::q_thousandths`] gives, from the parameter.
pub(crate) fn q_thousandths(param: Param<'_>) -> Option<u16> {
    let (whole, fraction) = match param.value? {
        [whole @ b'0'..=b'1'] => (whole, &[][..]),
        [whole @ b'0'..=b'1', b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut q = u16::from(whole - b'0');
    for place in 0..3 {
        let digit = fraction.get(place).unwrap_or(&b'0');
        q = q * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    (q <= 1000).then_some(q)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(text: &str) -> NameAddr<'_> {
        let (addr, rest) = NameAddr::parse_first(text.as_bytes()).unwrap();
        assert!(rest.is_empty(), "{text}");
        addr
    }

    #[test]
    fn reads_every_shape_of_display_name() {
        assert_eq!(
            &*one("\"J Rosenberg \\\\\\\"\"       <sip:j@example.com>\r\n  ;\r\n  tag = 98asjd8")
                .display_name_unquoted(),
            b"J Rosenberg \\\""
        );
        assert_eq!(&*one("T.\r\n\t Watson\r\n <sip:t@h>").display_name_unquoted(), b"T. Watson");
        assert_eq!(one("caller<sip:caller@example.com>;tag=323").tag(), Some(&b"323"[..]));
        assert_eq!(one("T. Watson  <sip:t@example.org>").display_name(), b"T. Watson");
        assert_eq!(NameAddr::parse_first(b"J\xfcrgen <sip:j@h>").unwrap().0.display_name(), b"J\xfcrgen");
        assert_eq!(one("sip:a@b ;   tag    = 1").uri().as_bytes(), b"sip:a@b");
    }

    #[test]
    fn gives_parameters_to_their_owner() {
        let outside = one("sip:+1972@gw1.example.net;unknownparam");
        assert!(
            outside.params().get(b"unknownparam").is_some() && outside.uri().params().as_bytes().is_empty()
        );
        let inside = one("<sip:+1972@gw1.example.net;unknownparam>");
        assert!(
            inside.uri().params().get(b"unknownparam").is_some() && inside.params().as_bytes().is_empty()
        );
    }

    #[test]
    fn refuses_the_torture_forms_and_says_where() {
        for (bad, offset) in [
            ("\"Watson\" < sip:t.watson@example.org >", 10),
            ("Bell, Alexander <sip:a@example.com>", 4),
            ("\"Mr. J. User <sip:j.user@example.com>", 0),
            ("sip:user@example.com?Route=%3Csip:sip.example.com%3E", 20),
            ("\"Joe\" <sip:joe@example.org>;;;;", 28),
            ("<sip:a@b", 1),
            ("<sip:a@b> x", 10),
            ("", 0),
        ] {
            assert_eq!(NameAddr::parse_first(bad.as_bytes()).unwrap_err().offset, offset, "{bad}");
        }
    }

    #[test]
    fn reads_contact_parameters() {
        let contact = |t: &'static str| Contact::parse_first(t.as_bytes()).unwrap().0;
        assert!(matches!(contact(" * "), Contact::Star));
        assert!(Contact::parse_first(b"*;expires=0").is_err() && Contact::parse_first(b" ").is_err());
        assert_eq!(contact("<sip:a@b>;expires=280297596632815").expires(), Some(u32::MAX));
        assert_eq!(contact("<sip:a@b>;expires=\"60\"").expires(), Some(60));
        for (text, q) in [
            ("0.33", Some(330)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0.", Some(0)),
            ("1.1", None),
            ("0.1234", None),
            ("2", None),
            ("0.x", None),
        ] {
            let text = format!("<sip:a@b>;q={text}");
            assert_eq!(Contact::parse_first(text.as_bytes()).unwrap().0.q_thousandths(), q, "{text}");
        }
    }
}
