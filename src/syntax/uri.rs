//! URIs: `sip:`, `sips:`, `tel:` and any other absolute URI.
mod compare;
mod headers;
mod telephone;

use super::class::{Scan, URI, URI_PARAM, USER, is};
use super::host::scan_port;
use super::{Host, Params, SyntaxError, SyntaxErrorKind};

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme<'a> {
    /// `sip:`.
    Sip,
    /// `sips:`.
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Any other, as it came.
    Other(&'a [u8]),
}

/// A URI (RFC 3261 sec. 19.1 and 25.1), borrowed from the text that it was parsed from. Its `Debug` hides a password.
///
/// ```
/// use ringback::syntax::{Scheme, Uri};
/// let uri = Uri::parse(b"sips:alice@192.0.2.4:5061;transport=tcp?Subject=hi")?;
/// assert_eq!((uri.scheme(), uri.user(), uri.port()), (Scheme::Sips, Some(&b"alice"[..]), Some(5061)));
/// assert_eq!(uri.params().get(b"transport").and_then(|p| p.value), Some(&b"tcp"[..]));
/// # Ok::<(), ringback::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Uri<'a> {
    pub(super) raw: &'a [u8],
    pub(super) scheme: Scheme<'a>,
    pub(super) user: Option<&'a [u8]>,
    pub(super) password: Option<&'a [u8]>,
    pub(super) host: Option<Host<'a>>,
    pub(super) port: Option<u16>,
    pub(super) params: Params<'a>,
    pub(super) headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no URI; the offset says where.
    pub fn parse(text: &'a [u8]) -> Result<Uri<'a>, SyntaxError> {
        let colon =
            memchr::memchr(b':', text).ok_or(SyntaxError { kind: SyntaxErrorKind::Uri, offset: 0 })?;
        let name = &text[..colon];
        let scheme = match name.len() {
            3 if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            3 if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            4 if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            _ => Scheme::Other(name),
        };
        let mut uri = Uri {
            raw: text,
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            params: Params::default(),
            headers: &[],
        };
        let mut scan = Scan { text, at: colon + 1 };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.scan_sip(&mut scan)?,
            Scheme::Tel => {
                let number = scan.run_while(|b| {
                    b.is_ascii_hexdigit() || matches!(b, b'+' | b'*' | b'#' | b'-' | b'.' | b'(' | b')')
                });
                uri.user = (!number.is_empty()).then_some(number);
                uri.params = uri_params(&mut scan)?;
                if number.is_empty() {
                    return Err(scan.error(SyntaxErrorKind::Uri));
                }
            }
            Scheme::Other(_) => {
                let named = name.first().is_some_and(u8::is_ascii_alphabetic)
                    && name.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
                if !named {
                    return Err(SyntaxError { kind: SyntaxErrorKind::Uri, offset: 0 });
                }
                if scan.run(URI).is_empty() {
                    return Err(scan.error(SyntaxErrorKind::Uri));
                }
            }
        }
        if scan.is_done() { Ok(uri) } else { Err(scan.error(SyntaxErrorKind::Uri)) }
    }

    /// `[ userinfo ] hostport uri-parameters [ headers ]` at the cursor.
    #[inline]
    fn scan_sip(&mut self, scan: &mut Scan<'a>) -> Result<(), SyntaxError> {
        let start = scan.at;
        // `;`, `?` and `,` may stand in a user part, so only an `@` tells user from host.
        if let Some(at_sign) = memchr::memchr(b'@', scan.rest()) {
            let user = scan.run(USER);
            if user.is_empty() {
                return Err(scan.error(SyntaxErrorKind::Uri));
            }
            self.user = Some(user);
            if scan.eat(b':') {
                self.password = Some(scan.run(USER));
            }
            if scan.at != start + at_sign {
                return Err(scan.error(SyntaxErrorKind::Uri));
            }
            scan.at += 1;
        }
        self.host = Some(Host::scan(scan)?);
        if scan.eat(b':') {
            self.port = Some(scan_port(scan)?);
        }
        self.params = uri_params(scan)?;
        if scan.eat(b'?') {
            self.headers = scan.run(URI);
        }
        Ok(())
    }
    /// The text.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }
    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }
    /// The user part as it came, escapes kept, without the password; the number for `tel:`.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.user
    }
    /// The password, as it came.
    pub fn password(&self) -> Option<&'a [u8]> {
        self.password
    }
    /// The host; `None` for URIs that have none.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }
    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
    /// The URI parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// What stands after `?`, as it came; empty when nothing does.
    pub fn headers(&self) -> &'a [u8] {
        self.headers
    }
    /// Equality by RFC 3261 sec. 19.1.4; `tel:` by RFC 3966 sec. 4, any other scheme as text.
    ///
    /// The order of parameters and headers makes no difference, up to 32 of each: URIs with more of them are equal only when these stand
    /// in the same order.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        compare::equivalent(self, other)
    }
}

/// The URI parameters at the cursor: no white space, no quotes.
#[inline]
fn uri_params<'a>(scan: &mut Scan<'a>) -> Result<Params<'a>, SyntaxError> {
    let start = scan.at;
    while scan.eat(b';') {
        if scan.run(URI_PARAM).is_empty() {
            return Err(scan.error(SyntaxErrorKind::Uri));
        }
        if scan.eat(b'=') {
            // `=` inside a value breaks the grammar and harms nobody.
            scan.run_while(|b| is(b, URI_PARAM) || b == b'=');
        }
    }
    Ok(Params { raw: scan.since(start) })
}

impl std::fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = compare::without_password(self);
        f.debug_tuple("Uri").field(&String::from_utf8_lossy(&text)).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn takes_sip_uris_apart() {
        let u = uri("sips:alice:se%20cret@[2001:db8::10]:5070;transport=tcp;lr?a=b&c=d");
        assert_eq!(
            (u.scheme(), u.user(), u.password()),
            (Scheme::Sips, Some(&b"alice"[..]), Some(&b"se%20cret"[..]))
        );
        assert_eq!((u.host().unwrap().ip(), u.port()), ("2001:db8::10".parse().ok(), Some(5070)));
        assert_eq!(
            (u.params().get(b"TRANSPORT").unwrap().value, u.headers()),
            (Some(&b"tcp"[..]), &b"a=b&c=d"[..])
        );
        assert!(u.params().get(b"lr").unwrap().value.is_none());
        assert!(!format!("{u:?}").contains("se%20cret"));
        let u = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(
            (u.user(), u.host()),
            (Some(&b"user;par=u%40example.net"[..]), Some(Host::Name(b"example.com")))
        );
        let u = uri(
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        );
        assert_eq!(u.user(), Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
        assert_eq!(u.password(), Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
        assert_eq!(uri("sip:first.last@h").user(), Some(&b"first.last"[..]));
    }

    #[test]
    fn takes_other_schemes() {
        let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
        assert_eq!(
            (tel.scheme(), tel.user(), tel.host()),
            (Scheme::Tel, Some(&b"+1-201-555-0123"[..]), None)
        );
        assert!(tel.params().get(b"phone-context").is_some());
        assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme(), Scheme::Other(b"soap.beep"));
        assert_eq!(uri("nobodyKnowsThisScheme:totallyopaquecontent").host(), None);
    }

    #[test]
    fn refuses_what_is_no_uri_and_says_where() {
        for (bad, offset) in [
            ("", 0),
            ("alice@example.com", 0),
            ("sip:", 4),
            ("sip:@h", 4),
            ("sip:a b@h", 5),
            (" sip:a@h", 0),
            ("sip:a@h ", 7),
            ("sip:a@h;", 8),
            ("sip:a@h:99999", 8),
            ("sip:a@<h>", 6),
            ("<sip:a@h>", 0),
            ("tel:", 4),
            ("http:", 5),
            ("sip:a@h;x=\"y\"", 10),
        ] {
            assert_eq!(Uri::parse(bad.as_bytes()).unwrap_err().offset, offset, "{bad}");
        }
    }
}
