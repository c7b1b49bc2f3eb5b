//! URIs that are telephone numbers.
use super::super::tel::significant;
use super::super::{Params, Scheme, SyntaxError, SyntaxErrorKind, Tel, Uri};

impl<'a> Tel<'a> {
    /// The telephone number that a URI is.
    ///
    /// A local number should have a `phone-context` (RFC 3966 sec. 5.1.5); phones leave it out, so it is not asked for.
    ///
    /// # Errors
    /// Another scheme than `tel`, or a SIP URI without `user=phone`, or a number that is none: a global one is `+` and decimal digits,
    /// a local one hexadecimal digits, `*` and `#`, both with visual separators. Escaped numbers are refused.
    ///
    /// ```
    /// use ringback::syntax::{Tel, Uri};
    /// let tel = Tel::from_uri(&Uri::parse(b"tel:7042;phone-context=example.com")?)?;
    /// assert!(!tel.is_global());
    /// assert_eq!(tel.context(), Some(&b"example.com"[..]));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn from_uri(uri: &Uri<'a>) -> Result<Tel<'a>, SyntaxError> {
        let fault = SyntaxError { kind: SyntaxErrorKind::Uri, offset: 0 };
        let user = uri.user().ok_or(fault)?;
        let tel = match uri.scheme() {
            Scheme::Tel => Tel { number: user, params: uri.params() },
            Scheme::Sip | Scheme::Sips => {
                let user_param = uri.params().get(b"user").and_then(|p| p.value).ok_or(fault)?;
                if !user_param.eq_ignore_ascii_case(b"phone") {
                    return Err(fault);
                }
                let (number, params) = user.split_at(memchr::memchr(b';', user).unwrap_or(user.len()));
                Tel { number, params: Params::parse(params)? }
            }
            Scheme::Other(_) => return Err(fault),
        };
        let mut digits = significant(tel.number);
        let is_number = match tel.number.strip_prefix(b"+") {
            Some(_) => {
                digits.nth(1).is_some_and(|b| b.is_ascii_digit()) && digits.all(|b| b.is_ascii_digit())
            }
            None => {
                let is_local = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#');
                digits.next().is_some_and(is_local) && digits.all(is_local)
            }
        };
        if is_number { Ok(tel) } else { Err(fault) }
    }
}
