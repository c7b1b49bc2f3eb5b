//! Writes messages: strict, so that nothing leaves that we would refuse.
use super::Message;
use crate::syntax::{HeaderName, Limits, Method, Scheme, SyntaxError, SyntaxErrorKind, Uri, class};
use bytes::Bytes;

/// Builds one message; headers stand in the order in which they are added, Content-Length last and by itself.
///
/// A bad value is remembered, and [`Builder::build`] names the first one.
///
/// ```
/// use ringback::{message::Builder, syntax::{HeaderName, Method}};
/// let request = Builder::request(Method::Options, b"sip:pbx.example.com")
///     .header(HeaderName::MaxForwards, "70")
///     .build()?;
/// assert!(request.as_bytes().ends_with(b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"));
/// let bad = Builder::request(Method::Options, b"sip:h").header(HeaderName::Subject, "a\r\nTo: <sip:b>").build();
/// assert!(bad.is_err());
/// # Ok::<(), ringback::message::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Builder {
    text: Vec<u8>,
    content_type: Option<String>,
    body: Vec<u8>,
    problem: Option<BuildError>,
}

/// Why a message could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value holds a line break or another character that must not stand in it.
    #[error("bad value for {0}")]
    Value(String),
    /// What came out is no message.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

/// May this stand in a header value or a reason phrase as we write it? No line breaks and no other control characters.
fn is_text(value: &[u8]) -> bool {
    let is_good = |&b: &u8| b >= b' ' && b != 0x7f || b == b'\t';
    // The last eight bytes are looked at as a whole too, some of them once more.
    let Some(last) = value.last_chunk() else { return value.iter().all(is_good) };
    let (words, _) = value.as_chunks();
    let found = words.iter().fold(controls(*last), |found, word| found | controls(*word));
    // Only what holds a control character, as good values seldom do, is looked at byte by byte.
    found == 0 || value.iter().all(is_good)
}

/// Not zero when one of eight bytes is a control character.
fn controls(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let word = u64::from_ne_bytes(word);
    let delete = word ^ (ONES * 0x7f);
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & (ONES * 0x80);
    below(word, 0x20) | below(delete, 1)
}

/// A number in decimal digits.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; 20], start: 20 };
        for (at, digit) in decimal.digits.iter_mut().enumerate().rev() {
            *digit += (number % 10) as u8;
            decimal.start = at;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        decimal
    }
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// What came in one message as it can stand in another: each fold is a space (RFC 3261 sec. 7.3.1), and so is a stray CR.
pub(super) fn unfolded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    unfold_into(value, &mut out);
    out
}

/// The same, appended.
fn unfold_into(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        if out.len() == start || out.last() != Some(&b' ') {
            out.push(b' ');
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

impl Builder {
    fn start() -> Builder {
        Builder { text: Vec::with_capacity(768), content_type: None, body: Vec::new(), problem: None }
    }
    fn refuse(&mut self, what: &str) {
        self.problem.get_or_insert_with(|| BuildError::Value(what.to_owned()));
    }
    fn line(&mut self, name: &str, value: &[u8]) {
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
    }
    /// A request. Via is left to the transaction's owner ([`Message::with_top_via`]).
    pub fn request(method: Method<'_>, uri: impl AsRef<[u8]>) -> Builder {
        let mut builder = Builder::start();
        if !class::all(method.as_bytes(), class::TOKEN) {
            builder.refuse("the method");
        }
        match Uri::parse(uri.as_ref()) {
            Ok(uri) if matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) && !uri.headers().is_empty() => {
                let offset = uri.as_bytes().len() - uri.headers().len();
                builder.problem.get_or_insert(SyntaxError { kind: SyntaxErrorKind::Uri, offset }.into());
            }
            Ok(_) => {}
            Err(error) => {
                builder.problem.get_or_insert(error.into());
            }
        }
        builder.text.extend_from_slice(method.as_bytes());
        builder.text.push(b' ');
        builder.text.extend_from_slice(uri.as_ref());
        builder.text.extend_from_slice(b" SIP/2.0\r\n");
        builder
    }
    pub(super) fn status_line(status: u16, reason: &str) -> Builder {
        let mut builder = Builder::start();
        if !(100..700).contains(&status) {
            builder.refuse("the status code");
        }
        if !is_text(reason.as_bytes()) {
            builder.refuse("the reason phrase");
        }
        builder.text.extend_from_slice(b"SIP/2.0 ");
        builder.text.extend_from_slice(Decimal::new(status.into()).as_bytes());
        builder.text.push(b' ');
        builder.text.extend_from_slice(reason.as_bytes());
        builder.text.extend_from_slice(b"\r\n");
        builder
    }
    /// A response to `request`: its Vias, From, To, Call-ID and CSeq copied (RFC 3261 sec. 8.2.6.2), and Timestamp into a 100; `to_tag` is
    /// added to To when it has none.
    pub fn response(request: &Message, status: u16, reason: &str, to_tag: Option<&str>) -> Builder {
        let mut builder = Builder::status_line(status, reason);
        for header in request.headers() {
            let name = header.name;
            let is_copied = matches!(
                name,
                HeaderName::Via | HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq
            ) || (name == HeaderName::Timestamp && status == 100);
            if !is_copied {
                continue;
            }
            builder.text.extend_from_slice(name.as_str().as_bytes());
            builder.text.extend_from_slice(b": ");
            unfold_into(header.value, &mut builder.text);
            if name == HeaderName::To
                && let Some(tag) = to_tag
                && request.to().is_ok_and(|to| to.tag().is_none())
            {
                if !class::all(tag.as_bytes(), class::TOKEN) {
                    builder.refuse("the tag");
                }
                builder.text.extend_from_slice(b";tag=");
                builder.text.extend_from_slice(tag.as_bytes());
            }
            builder.text.extend_from_slice(b"\r\n");
        }
        builder
    }
    /// Adds a header as it came in another message, on one line.
    pub(crate) fn copied(mut self, name: HeaderName, value: &[u8]) -> Builder {
        self.line(name.as_str(), &unfolded(value));
        self
    }
    /// Adds a header. Content-Length comes by itself and is refused here.
    #[must_use]
    pub fn header(self, name: HeaderName, value: impl AsRef<[u8]>) -> Builder {
        self.joined(name, &[value.as_ref()])
    }
    /// Adds a header whose value is these parts, one behind the other.
    #[must_use]
    pub(crate) fn joined(mut self, name: HeaderName, parts: &[&[u8]]) -> Builder {
        if matches!(name, HeaderName::ContentLength | HeaderName::Other) {
            self.refuse(if name == HeaderName::Other { "a header name" } else { name.as_str() });
        } else if !parts.iter().all(|part| is_text(part)) {
            self.refuse(name.as_str());
        } else {
            self.text.extend_from_slice(name.as_str().as_bytes());
            self.text.extend_from_slice(b": ");
            for part in parts {
                self.text.extend_from_slice(part);
            }
            self.text.extend_from_slice(b"\r\n");
        }
        self
    }
    /// Adds a header by its text. Content-Length comes by itself and is refused here.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        let value = value.as_ref();
        if !class::all(name.as_bytes(), class::TOKEN) {
            self.refuse("a header name");
        } else if HeaderName::from_bytes(name.as_bytes()) == HeaderName::ContentLength || !is_text(value) {
            self.refuse(name);
        } else {
            self.line(name, value);
        }
        self
    }
    /// Sets the body; Content-Type then stands in front of Content-Length. The last one counts.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl AsRef<[u8]>) -> Builder {
        if content_type.is_empty() || !is_text(content_type.as_bytes()) {
            self.refuse("Content-Type");
        }
        self.content_type = Some(content_type.to_owned());
        self.body = body.as_ref().to_vec();
        self
    }
    /// Sets the body alone: its Content-Type stands among the headers, or is not known.
    #[cfg(feature = "rsip")]
    pub(super) fn bare_body(mut self, body: &[u8]) -> Builder {
        self.body = body.to_vec();
        self
    }
    /// The message.
    ///
    /// # Errors
    /// A value that cannot stand in a message, or more than [`Limits::default`] allows.
    pub fn build(mut self) -> Result<Message, BuildError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        if let Some(content_type) = self.content_type.take() {
            self.line(HeaderName::ContentType.as_str(), content_type.as_bytes());
        }
        self.text.extend_from_slice(b"Content-Length: ");
        self.text.extend_from_slice(Decimal::new(self.body.len() as u64).as_bytes());
        self.text.extend_from_slice(b"\r\n\r\n");
        self.text.extend_from_slice(&self.body);
        // A copy of the right size: it is kept for long at times, and to cut a piece of memory costs more than to fill another.
        let mut message = Message::parse(Bytes::copy_from_slice(&self.text), &Limits::default())?;
        message.head.is_ours = true;
        Ok(message)
    }
}

/// Sizes only: the text may hold credentials.
impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn writes_requests_in_order() {
        let m = Builder::request(Method::Register, "sip:example.com")
            .header(HeaderName::To, "<sip:a@example.com>")
            .header_named("X-Odd", "y")
            .body("text/plain", "hi")
            .build()
            .unwrap();
        let text = "REGISTER sip:example.com SIP/2.0\r\nTo: <sip:a@example.com>\r\nX-Odd: y\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(std::str::from_utf8(m.as_bytes()).unwrap(), text);
    }

    #[test]
    fn writes_numbers_without_zeros_in_front() {
        for number in [0, 7, 10, 999, 4_294_967_295, u64::MAX] {
            assert_eq!(Decimal::new(number).as_bytes(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn refuses_what_would_break_out_of_its_line() {
        let request = || Builder::request(Method::Options, "sip:h");
        for value in ["a\r\nX: y", "a\nb", "a\rb", "a\0", "\x7f"] {
            assert_eq!(
                request().header(HeaderName::Subject, value).build().unwrap_err(),
                BuildError::Value("Subject".into())
            );
            assert!(request().header_named(value, "x").build().is_err());
            assert!(request().body(value, "x").build().is_err());
            assert!(Builder::request(Method::Other(value.as_bytes()), "sip:h").build().is_err());
            assert!(Builder::request(Method::Options, format!("sip:{value}")).build().is_err());
        }
        assert!(request().header(HeaderName::ContentLength, "5").build().is_err());
        assert!(request().header_named("l", "5").build().is_err());
        assert!(request().header(HeaderName::Other, "5").build().is_err());
        assert!(Builder::request(Method::Options, "sip:h?a=b").build().is_err());
        assert!(Builder::request(Method::Options, "h").build().is_err());
    }

    #[test]
    fn answers_with_what_the_request_had() {
        let request = Message::parse(
            Bytes::from_static(b"OPTIONS sip:h SIP/2.0\r\nv: SIP/2.0/UDP a,\r\n SIP/2.0/UDP b\r\nVia: SIP/2.0/UDP c\r\nf: <sip:x>;tag=1\r\nt: sip:y\r\ni: id\r\nCSeq: 7 OPTIONS\r\nTimestamp: 5\r\nSubject: no\r\n\r\n"),
            &Limits::default(),
        )
        .unwrap();
        let ok = Builder::response(&request, 200, "OK", Some("abc")).build().unwrap();
        assert_eq!((ok.status(), ok.vias().count(), ok.headers().count()), (Some(200), 3, 7));
        assert_eq!(ok.to().unwrap().tag(), Some(&b"abc"[..]));
        assert_eq!(ok.check_mandatory(), Ok(()));
        let trying = Builder::response(&request, 100, "Trying", None).build().unwrap();
        assert_eq!(
            (trying.header(HeaderName::Timestamp), trying.to().unwrap().tag()),
            (Some(&b"5"[..]), None)
        );
        assert!(Builder::response(&request, 99, "x", None).build().is_err());
        assert!(Builder::response(&request, 200, "x\r\ny", None).build().is_err());
        assert!(Builder::response(&request, 200, "x", Some("a b")).build().is_err());
    }
}
