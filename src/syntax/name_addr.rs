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

    /// Reads a value that stands alone (From, To) and breaks the grammar, as most stacks do: a display name without quotes whatever is in it
    /// (`Doe, John <sip:j@h>`), blanks inside of `<>`, parameters that are empty or cannot be read. An address has to be in it, and all that
    /// is taken of parameters behind such ones is the `tag`.
    ///
    /// # Errors
    /// Text without an address, or with a comma behind it.
    pub fn parse_loosely(text: &'a [u8]) -> Result<NameAddr<'a>, SyntaxError> {
        let strict = match NameAddr::parse(text) {
            Ok(address) => return Ok(address),
            Err(error) => error,
        };
        let mut from = 0;
        for _ in 0..MAX_BRACKETS {
            let Some(open) = memchr::memchr(b'<', &text[from..]).map(|at| from + at) else { break };
            let Some(length) = memchr::memchr(b'>', &text[open..]) else { break };
            if let Ok(uri) = Uri::parse(class::trim(&text[open + 1..open + length])) {
                let params = loose_params(&text[open + length + 1..]).ok_or(strict)?;
                return Ok(NameAddr { display_name: class::trim(&text[..open]), uri, params });
            }
            from = open + 1;
        }
        if from > 0 {
            return Err(strict);
        }
        let start = text.iter().position(|&b| !class::is(b, LWS)).unwrap_or(text.len());
        let mut scan = Scan { text, at: start };
        let uri = Uri::parse(scan.run(VALUE)).map_err(|_| strict)?;
        let params = loose_params(scan.rest()).ok_or(strict)?;
        Ok(NameAddr { display_name: &[], uri, params })
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

/// Places of `<` that are tried as the beginning of an address.
const MAX_BRACKETS: usize = 8;

/// What can be used of parameters that break the grammar: all where only empty ones are too many, else the tag. `None` when there are further
/// values behind a comma.
fn loose_params(text: &[u8]) -> Option<Params<'_>> {
    let mut rest = class::trim(text);
    while let [b';', after @ ..] = rest
        && matches!(class::trim(after), [b';', ..] | [])
    {
        rest = class::trim(after);
    }
    if let Ok(params) = Params::parse(rest) {
        return Some(params);
    }
    if rest.contains(&b',') {
        return None;
    }
    let mut from = 0;
    while let Some(at) = memchr::memchr(b';', &rest[from..]).map(|at| from + at) {
        let end = memchr::memchr(b';', &rest[at + 1..]).map_or(rest.len(), |length| at + 1 + length);
        let param = Params::parse(class::trim(&rest[at..end])).ok();
        if let Some(params) = param.filter(|params| params.get(b"tag").is_some()) {
            return Some(params);
        }
        from = end;
    }
    Some(Params::default())
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
    /// Parses the first value of `text` (a comma list), `*` only when it is alone; also the bytes that follow the comma.
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
    fn reads_loosely_what_has_an_address_and_a_tag() {
        for (text, display, uri, tag) in [
            ("Doe, John <sip:1@h>;tag=1", "Doe, John", "sip:1@h", Some("1")),
            ("Bob (desk) <sip:1@h>;tag=1", "Bob (desk)", "sip:1@h", Some("1")),
            ("Sales/Support <sip:1@h;user=phone> ; tag=1", "Sales/Support", "sip:1@h;user=phone", Some("1")),
            ("a@b.example <sip:1@h>;tag=1", "a@b.example", "sip:1@h", Some("1")),
            ("\"Anonymous\" <anonymous>;tag=1", "", "", None),
            ("\"Mr. J. User <sip:1@h>;tag=1", "\"Mr. J. User", "sip:1@h", Some("1")),
            ("\"W\" < sip:1@h >;tag=1", "\"W\"", "sip:1@h", Some("1")),
            ("<b> <sip:1@h>;tag=1", "<b>", "sip:1@h", Some("1")),
            ("sip:1@h;;tag=1", "", "sip:1@h", Some("1")),
            ("<sip:1@h>;;;tag=1;", "", "sip:1@h", Some("1")),
            ("<sip:1@h>;tag=1;;x=y", "", "sip:1@h", Some("1")),
            ("<sip:1@h>;a b;tag=1;=", "", "sip:1@h", Some("1")),
            ("<sip:1@h>;tag", "", "sip:1@h", None),
            ("<sip:1@h> x", "", "sip:1@h", None),
            ("sip:1@h?Subject=x;tag=1", "", "sip:1@h?Subject=x", Some("1")),
        ] {
            let read = NameAddr::parse_loosely(text.as_bytes());
            if uri.is_empty() {
                assert!(read.is_err(), "{text}");
                continue;
            }
            let read = read.unwrap();
            assert_eq!(read.display_name(), display.as_bytes(), "{text}");
            assert_eq!(read.uri().as_bytes(), uri.as_bytes(), "{text}");
            assert_eq!(read.tag(), tag.map(str::as_bytes), "{text}");
        }
        for bad in ["", "Bob", "<sip:a@b", "<sip:a@b>;tag=1, <sip:c@d>;tag=2", "<>", "<<<<", "Bob <x y>"] {
            assert!(NameAddr::parse_loosely(bad.as_bytes()).is_err(), "{bad}");
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
