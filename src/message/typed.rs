//! Typed values of a message, parsed when asked for.
use super::list::{List, tokens, values};
use super::{FieldError, Message};
use crate::syntax::{
    CSeq, Challenge, Contact, HeaderName, Limits, MediaType, Multipart, NameAddr, SyntaxError,
    SyntaxErrorKind, Via, class, multipart,
};

impl Message {
    /// The one value of a header that may stand once; also where it stands.
    #[inline]
    pub(super) fn single(&self, name: HeaderName) -> Result<(&[u8], usize), FieldError> {
        let (line, span) = self.find(name, 0).ok_or(FieldError::Missing(name))?;
        if self.find(name, line + 1).is_some() {
            return Err(FieldError::Repeated(name));
        }
        Ok((span.value(&self.bytes), span.value_offset()))
    }

    /// The value of a header that stands once; `None` also when it stands more than once.
    pub(crate) fn only(&self, name: HeaderName) -> Option<&[u8]> {
        self.single(name).ok().map(|(value, _)| value)
    }

    /// The values of all header lines of this name, as they came.
    pub(crate) fn lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (line, span) = self.find(name, next)?;
            next = line + 1;
            Some(span.value(&self.bytes))
        })
    }

    #[inline]
    fn address(&self, name: HeaderName) -> Result<NameAddr<'_>, FieldError> {
        let (value, base) = self.single(name)?;
        match NameAddr::parse_first(value) {
            Ok((address, [])) => Ok(address),
            _ => loose(name, value, base),
        }
    }

    /// From, To and the first Contact that break the grammar, with their values: read all the same where an address can be found in them
    /// ([`NameAddr::parse_loosely`]), which other elements do not do.
    pub fn loosely_read(&self) -> impl Iterator<Item = (HeaderName, &[u8])> {
        let names = [HeaderName::From, HeaderName::To, HeaderName::Contact];
        names.into_iter().filter_map(|name| {
            let value = self.header(name)?;
            let is_strict = match name {
                HeaderName::Contact => Contact::parse_first(value).is_ok(),
                _ => NameAddr::parse(value).is_ok(),
            };
            (!is_strict).then_some((name, value))
        })
    }

    /// All Via values, top first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, FieldError>> {
        List::new(self, HeaderName::Via, Via::parse_first)
    }
    /// The top Via.
    ///
    /// # Errors
    /// No Via, or a first value that is none.
    pub fn top_via(&self) -> Result<Via<'_>, FieldError> {
        self.vias().next().unwrap_or(Err(FieldError::Missing(HeaderName::Via)))
    }
    /// From, also one that breaks the grammar and has an address ([`Message::loosely_read`]).
    ///
    /// # Errors
    /// No From, several, or no address in it.
    pub fn from(&self) -> Result<NameAddr<'_>, FieldError> {
        self.address(HeaderName::From)
    }
    /// To, in the same way.
    ///
    /// # Errors
    /// No To, several, or no address in it.
    pub fn to(&self) -> Result<NameAddr<'_>, FieldError> {
        self.address(HeaderName::To)
    }
    /// Call-ID.
    ///
    /// # Errors
    /// No Call-ID, several, or an empty one or one with white space in it.
    pub fn call_id(&self) -> Result<&[u8], FieldError> {
        let (value, base) = self.single(HeaderName::CallId)?;
        if value.is_empty() {
            return Err(syntax(HeaderName::CallId, SyntaxErrorKind::Truncated, base));
        }
        match value.iter().position(|&b| b <= b' ' || b == 0x7f) {
            None => Ok(value),
            Some(at) => Err(syntax(HeaderName::CallId, SyntaxErrorKind::Unexpected, base + at)),
        }
    }
    /// CSeq; in a request an error when its method is not the start line's.
    ///
    /// # Errors
    /// No CSeq, several, a bad one, or one of another method.
    pub fn cseq(&self) -> Result<CSeq<'_>, FieldError> {
        let name = HeaderName::CSeq;
        let (value, base) = self.single(name)?;
        let cseq = CSeq::parse(value)
            .map_err(|error| FieldError::Syntax { header: name, error: error.shifted(base) })?;
        match self.method() {
            Some(method) if method != cseq.method => {
                let at = value.len() - cseq.method.as_bytes().len();
                Err(syntax(name, SyntaxErrorKind::MethodMismatch, base + at))
            }
            _ => Ok(cseq),
        }
    }
    /// All Contact values. A `*` is given also behind others, where the grammar has none (RFC 3261 sec. 20.10): who removes bindings has to see
    /// that it stands alone.
    pub fn contacts(&self) -> impl Iterator<Item = Result<Contact<'_>, FieldError>> {
        List::new(self, HeaderName::Contact, Contact::parse_first)
    }
    /// All values of a header that holds a list of name-addr (Route, Record-Route, Path, Service-Route, ...).
    pub fn addresses(&self, name: HeaderName) -> impl Iterator<Item = Result<NameAddr<'_>, FieldError>> {
        List::new(self, name, NameAddr::parse_first)
    }
    /// All challenges of WWW-Authenticate or Proxy-Authenticate.
    pub fn challenges(&self, name: HeaderName) -> impl Iterator<Item = Result<Challenge<'_>, FieldError>> {
        List::new(self, name, Challenge::parse_first)
    }
    /// All comma-separated tokens of every header of this name (Allow, Supported, Require, ...).
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.lines(name).flat_map(tokens)
    }
    /// All comma-separated values of every header of this name, quoted strings and all (Reason, Warning, ...).
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.headers().filter(move |h| h.name == name).flat_map(|h| values(h.value))
    }
    /// A header that is one number of seconds (Expires, Min-Expires, Retry-After: what follows the number is left aside). Clamped to `u32::MAX`.
    pub fn seconds(&self, name: HeaderName) -> Option<Result<u32, FieldError>> {
        let (_, span) = self.find(name, 0)?;
        let value = span.value(&self.bytes);
        let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
        let ends = matches!(value.get(digits), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'('));
        Some(match class::clamped_u32(&value[..digits]).filter(|_| ends) {
            Some(seconds) => Ok(seconds),
            None => Err(syntax(name, SyntaxErrorKind::Number, span.value_offset())),
        })
    }
    /// The first header of this name by one of the parsers of [`syntax`](crate::syntax); `None` when it is not there.
    ///
    /// ```
    /// # use ringback::{message::Message, syntax::{Date, HeaderName, Limits}};
    /// # fn f(message: &Message) {
    /// let date = message.parsed(HeaderName::Date, Date::parse);
    /// # }
    /// ```
    pub fn parsed<'a, T>(
        &'a self,
        name: HeaderName,
        parse: impl Fn(&'a [u8]) -> Result<T, SyntaxError>,
    ) -> Option<Result<T, FieldError>> {
        let (_, span) = self.find(name, 0)?;
        let error = |error: SyntaxError| FieldError::Syntax {
            header: name,
            error: error.shifted(span.value_offset()),
        };
        Some(parse(span.value(&self.bytes)).map_err(error))
    }
    /// All values of a header that is a comma list, by one of the `parse_first` of [`syntax`](crate::syntax). A line without any, as it is
    /// allowed for Accept (RFC 3261 sec. 20.1), gives none.
    pub fn parsed_list<'a, T>(
        &'a self,
        name: HeaderName,
        parse_first: impl Fn(&'a [u8]) -> Result<(T, &'a [u8]), SyntaxError>,
    ) -> impl Iterator<Item = Result<T, FieldError>> {
        let one_or_none = move |text: &'a [u8]| match text {
            [] => Ok((None, text)),
            _ => parse_first(text).map(|(value, rest)| (Some(value), rest)),
        };
        List::new(self, name, one_or_none).filter_map(Result::transpose)
    }
    /// The parts of a multipart body (RFC 2046 sec. 5.1, RFC 5621); `None` when Content-Type is no `multipart/...`. Offsets of errors count
    /// from the start of the body.
    ///
    /// # Errors
    /// As [`multipart`].
    pub fn parts(&self, limits: &Limits) -> Option<Result<Multipart<'_>, SyntaxError>> {
        let kind = MediaType::parse(self.header(HeaderName::ContentType)?).ok()?;
        kind.kind.eq_ignore_ascii_case(b"multipart").then(|| multipart(&kind, self.body(), limits))
    }
    /// RSeq (RFC 3262 sec. 7.1): the number of a provisional response that wants a PRACK; `None` when it is not there. 1 to 2^32-1, and 0
    /// from those who begin with it.
    pub fn rseq(&self) -> Option<Result<u32, FieldError>> {
        let (_, span) = self.find(HeaderName::RSeq, 0)?;
        let text = span.value(&self.bytes);
        let number = if class::all(text, class::DIGIT) { std::str::from_utf8(text).ok() } else { None };
        let error = syntax(HeaderName::RSeq, SyntaxErrorKind::Number, span.value_offset());
        Some(number.and_then(|text| text.parse().ok()).ok_or(error))
    }
    /// Max-Forwards, 0 to 255 (RFC 3261 sec. 20.22); `None` when it is not there.
    pub fn max_forwards(&self) -> Option<Result<u8, FieldError>> {
        let (_, span) = self.find(HeaderName::MaxForwards, 0)?;
        let number = class::clamped_u32(span.value(&self.bytes)).and_then(|n| u8::try_from(n).ok());
        let error = syntax(HeaderName::MaxForwards, SyntaxErrorKind::Number, span.value_offset());
        Some(number.ok_or(error))
    }
    /// The six headers without which nothing can be answered or matched (RFC 3261 sec. 8.1.1): Via, From, To, Call-ID, CSeq, and each of them well-formed.
    /// (Max-Forwards, the sixth, is not asked for: elements of RFC 2543 leave it out.)
    ///
    /// # Errors
    /// The first of them that is missing, repeated or bad.
    pub fn check_mandatory(&self) -> Result<(), FieldError> {
        self.top_via()?;
        self.from()?;
        self.to()?;
        self.call_id()?;
        self.cseq()?;
        Ok(())
    }
}

#[cold]
fn loose(name: HeaderName, value: &[u8], base: usize) -> Result<NameAddr<'_>, FieldError> {
    NameAddr::parse_loosely(value)
        .map_err(|error| FieldError::Syntax { header: name, error: error.shifted(base) })
}

const fn syntax(header: HeaderName, kind: SyntaxErrorKind, offset: usize) -> FieldError {
    FieldError::Syntax { header, error: SyntaxError { kind, offset } }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;

    fn message(headers: &str) -> Message {
        let text = format!("OPTIONS sip:h SIP/2.0\r\n{headers}\r\n");
        Message::parse(Bytes::from(text), &Limits::default()).unwrap()
    }

    #[test]
    fn walks_lists_over_lines_and_commas() {
        let m = message(
            "Via: SIP/2.0/UDP a, SIP/2.0/TCP b\r\nm: <sip:x@y>;q=1, \"c, d\" <sip:e@f>\r\nv: SIP/2.0/UDP c\r\n",
        );
        assert_eq!(
            m.vias().map(|v| v.unwrap().transport().to_vec()).collect::<Vec<_>>(),
            [b"UDP", b"TCP", b"UDP"]
        );
        assert_eq!(m.contacts().filter(Result::is_ok).count(), 2);
        let m = message("Allow: INVITE,\r\n ACK ,, BYE\r\nAllow:\r\nallow: X\r\n");
        assert_eq!(m.tokens(HeaderName::Allow).collect::<Vec<_>>(), [&b"INVITE"[..], b"ACK", b"BYE", b"X"]);
    }

    #[test]
    fn a_comma_in_a_quoted_string_parts_no_values() {
        let m = message(
            "Reason: Q.850;cause=16;text=\"a, \\\"b, c\" , SIP;cause=200\r\nReason:\r\nReason: x;text=\"open, ended\r\n",
        );
        let values: Vec<_> = m.values(HeaderName::Reason).map(String::from_utf8_lossy).collect();
        assert_eq!(values, ["Q.850;cause=16;text=\"a, \\\"b, c\"", "SIP;cause=200", "x;text=\"open, ended"]);
    }

    #[test]
    fn counts_offsets_from_the_start_of_the_message() {
        let text = b"OPTIONS sip:h SIP/2.0\r\nRoute: <sip:a>, <sip:b\r\nRoute: <sip:c>\r\n\r\n";
        let m = Message::parse(Bytes::from_static(text), &Limits::default()).unwrap();
        let all: Vec<_> = m.addresses(HeaderName::Route).collect();
        assert_eq!((all.len(), all[0].is_ok(), all[2].is_ok()), (3, true, true));
        let Err(FieldError::Syntax { error, .. }) = all[1] else { panic!("{all:?}") };
        assert_eq!(&text[error.offset..error.offset + 5], b"sip:b");
    }

    #[test]
    fn names_what_is_missing_repeated_or_bad() {
        let base = "Via: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\n";
        assert_eq!(message(&format!("{base}CSeq: 1 OPTIONS\r\n")).check_mandatory(), Ok(()));
        assert_eq!(message(base).check_mandatory(), Err(FieldError::Missing(HeaderName::CSeq)));
        assert_eq!(
            message(&format!("{base}i: 2\r\nCSeq: 1 OPTIONS\r\n")).check_mandatory(),
            Err(FieldError::Repeated(HeaderName::CallId))
        );
        let mismatch = message(&format!("{base}CSeq: 1 BYE\r\n")).cseq().unwrap_err();
        assert!(
            matches!(mismatch, FieldError::Syntax { error, .. } if error.kind == SyntaxErrorKind::MethodMismatch)
        );
        assert_eq!(message("").top_via().unwrap_err(), FieldError::Missing(HeaderName::Via));
        assert!(message("To: <sip:a>, <sip:b>\r\n").to().is_err());
    }

    #[test]
    fn opens_a_body_of_several_parts() {
        let m = message("c: Multipart/Mixed ; boundary=\"x y\"\r\n\r\n--x y\r\n\r\na\r\n--x y--\r\n");
        let parts: Vec<_> = m.parts(&Limits::default()).unwrap().unwrap().map(|p| p.unwrap().body).collect();
        assert_eq!(parts, [b"a"]);
        assert!(message("c: application/sdp\r\n").parts(&Limits::default()).is_none());
        assert!(message("").parts(&Limits::default()).is_none());
    }

    #[test]
    fn reads_seconds_and_clamps_them() {
        let seconds = |value: &str| {
            message(&format!("Retry-After: {value}\r\n")).seconds(HeaderName::RetryAfter).unwrap().ok()
        };
        assert_eq!(seconds("120 (busy);duration=3"), Some(120));
        assert_eq!(seconds("18000;duration=3600"), Some(18000));
        assert_eq!(seconds("949302838503028349304023988"), Some(u32::MAX));
        assert_eq!((seconds("x"), seconds(""), seconds("1x"), seconds("-1")), (None, None, None, None));
        assert!(message("").seconds(HeaderName::Expires).is_none());
        let rseq = |value: &str| message(&format!("RSeq: {value}\r\n")).rseq().unwrap().ok();
        assert_eq!((rseq("0071"), rseq("4294967295"), rseq("0")), (Some(71), Some(u32::MAX), Some(0)));
        assert_eq!((rseq("4294967296"), rseq("+1"), rseq("1 2"), rseq("")), (None, None, None, None));
        assert!(message("").rseq().is_none());
        assert_eq!(message("Max-Forwards: 0068\r\n").max_forwards(), Some(Ok(68)));
        assert!(message("Max-Forwards: 300\r\n").max_forwards().unwrap().is_err());
    }
}
