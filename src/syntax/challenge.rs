//! Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Authentication-Info.
use super::class::{Scan, TOKEN, VALUE};
use super::params::pick;
use super::{Param, SyntaxError};

/// The comma-separated `name=value` list of a challenge or of credentials. Its `Debug` shows names only.
#[derive(Clone, Copy, Default)]
pub struct AuthParams<'a> {
    pub(super) raw: &'a [u8],
}

impl<'a> AuthParams<'a> {
    /// Parses a bare list (Authentication-Info).
    ///
    /// # Errors
    /// Text that is no such list.
    pub fn parse(text: &'a [u8]) -> Result<AuthParams<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        let params = AuthParams::scan(&mut scan)?;
        if scan.is_done() { Ok(params) } else { Err(scan.unexpected()) }
    }
    /// The list at the cursor; stops in front of the scheme of a next challenge.
    fn scan(scan: &mut Scan<'a>) -> Result<AuthParams<'a>, SyntaxError> {
        scan.lws();
        let start = scan.at;
        let mut end = start;
        loop {
            while scan.eat(b',') {
                scan.lws();
            }
            if scan.is_done() {
                return Ok(AuthParams { raw: &scan.text[start..end] });
            }
            let name_at = scan.at;
            scan.some(TOKEN)?;
            let gap = scan.at;
            scan.lws();
            if scan.peek() != Some(b'=') {
                if end > start && (scan.at > gap || matches!(scan.peek(), None | Some(b','))) {
                    scan.at = name_at;
                    return Ok(AuthParams { raw: &scan.text[start..end] });
                }
                return Err(scan.unexpected());
            }
            scan.separator(b'=')?;
            if scan.peek() == Some(b'"') {
                scan.quoted()?;
            } else {
                scan.some(VALUE)?;
            }
            end = scan.at;
            scan.lws();
            if !scan.is_done() && scan.peek() != Some(b',') {
                return Err(scan.unexpected());
            }
        }
    }
    /// The first parameter of this name, without regard to case. [`Param::value`] has its quotes, [`Param::unquoted`] has none.
    pub fn get(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }
    /// The first parameters of these names, all in one pass.
    pub(crate) fn pick<const N: usize>(&self, names: [&[u8]; N]) -> [Option<Param<'a>>; N] {
        pick(self.iter(), names)
    }
    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut scan = Scan::new(self.raw);
        std::iter::from_fn(move || {
            scan.lws();
            while scan.eat(b',') {
                scan.lws();
            }
            let name = scan.some(TOKEN).ok()?;
            scan.separator(b'=').ok()?;
            let value = if scan.peek() == Some(b'"') { scan.quoted().ok()? } else { scan.run(VALUE) };
            Some(Param { name, value: Some(value) })
        })
    }
}

/// One challenge (RFC 7616, RFC 3261 sec. 20.44).
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// The scheme as it came, e.g. `Digest`.
    pub scheme: &'a [u8],
    /// Its parameters; empty when it is the scheme alone, or a scheme with a token (`Negotiate abc=`).
    pub params: AuthParams<'a>,
}

/// A scheme and its list, or its one opaque text; also where the next challenge begins.
fn scheme_and_params<'a>(scan: &mut Scan<'a>) -> Result<(&'a [u8], AuthParams<'a>, &'a [u8]), SyntaxError> {
    scan.lws();
    let scheme = scan.some(TOKEN)?;
    scan.lws();
    let start = *scan;
    // `name "="` begins a list; anything else (token68 of RFC 9110, or nothing) is one opaque text up to the comma.
    let is_list = !scan.run(TOKEN).is_empty() && {
        scan.lws();
        scan.eat(b'=') && {
            scan.lws();
            scan.peek().is_some_and(|b| !matches!(b, b'=' | b','))
        }
    };
    *scan = start;
    if is_list {
        return Ok((scheme, AuthParams::scan(scan)?, &[]));
    }
    let opaque = scan.run(VALUE);
    scan.lws();
    match scan.peek() {
        None => {}
        Some(b',') => {
            scan.at += 1;
            scan.lws();
        }
        Some(_) => return Err(scan.unexpected()),
    }
    Ok((scheme, AuthParams::default(), opaque))
}

impl<'a> Challenge<'a> {
    /// Parses the first challenge of a header value (some peers put several behind commas); also what follows.
    ///
    /// # Errors
    /// Text that does not begin with a challenge.
    pub fn parse_first(text: &'a [u8]) -> Result<(Challenge<'a>, &'a [u8]), SyntaxError> {
        let mut scan = Scan::new(text);
        let (scheme, params, _) = scheme_and_params(&mut scan)?;
        Ok((Challenge { scheme, params }, scan.rest()))
    }
}

/// Credentials (Authorization, Proxy-Authorization). Its `Debug` shows the scheme only.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The scheme as it came, e.g. `Digest`.
    pub scheme: &'a [u8],
    /// Its parameters; empty for schemes that are not lists.
    pub params: AuthParams<'a>,
    /// The one opaque text of a scheme that is not a list (Basic, Bearer); a secret. Empty for a list.
    pub rest: &'a [u8],
}

impl<'a> Credentials<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no credentials.
    pub fn parse(text: &'a [u8]) -> Result<Credentials<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        let (scheme, params, rest) = scheme_and_params(&mut scan)?;
        if scan.is_done() { Ok(Credentials { scheme, params, rest }) } else { Err(scan.unexpected()) }
    }
}

impl std::fmt::Debug for AuthParams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|p| String::from_utf8_lossy(p.name))).finish()
    }
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("scheme", &String::from_utf8_lossy(self.scheme))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn splits_challenges_behind_one_name() {
        let text = b"Digest realm=\"a, b\", nonce=\"x\\\"y\", qop=\"auth,auth-int\",\r\n algorithm=SHA-256, Basic realm=\"z\", Negotiate, Bearer abc==";
        let mut rest: &[u8] = text;
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let (challenge, next) = Challenge::parse_first(rest).unwrap();
            seen.push((challenge.scheme.to_vec(), challenge.params.iter().count()));
            rest = next;
        }
        assert_eq!(
            seen,
            [
                (b"Digest".to_vec(), 4),
                (b"Basic".to_vec(), 1),
                (b"Negotiate".to_vec(), 0),
                (b"Bearer".to_vec(), 0)
            ]
        );
        let (digest, _) = Challenge::parse_first(text).unwrap();
        assert_eq!(digest.params.get(b"NONCE").unwrap().value, Some(&b"\"x\\\"y\""[..]));
        assert_eq!(&*digest.params.get(b"nonce").unwrap().unquoted(), b"x\"y");
    }

    #[test]
    fn reads_credentials_and_keeps_them_out_of_debug() {
        let digest = Credentials::parse(b"Digest username=\"u\",nc=00000001,response=\"beef\"").unwrap();
        assert_eq!(digest.params.get(b"nc").unwrap().value, Some(&b"00000001"[..]));
        assert!(!format!("{digest:?}").contains("beef"));
        let other = Credentials::parse(b"NoOneKnowsThisScheme opaque-data=here").unwrap();
        assert_eq!(other.params.get(b"opaque-data").unwrap().value, Some(&b"here"[..]));
        assert_eq!(Credentials::parse(b"Basic dXNlcjpwdw==").unwrap().rest, b"dXNlcjpwdw==");
    }

    #[test]
    fn refuses_broken_lists() {
        for bad in [
            "",
            "Digest realm=\"x",
            "Digest realm=\"x\" nonce=\"y\"",
            "Digest realm=\"x\", =y",
            "Digest \"x\"",
        ] {
            assert!(Challenge::parse_first(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(AuthParams::parse(b"a=1, b").is_err());
        assert_eq!(AuthParams::parse(b"a=1,, b=2,").unwrap().iter().count(), 2);
    }
}
