//! Writes messages: strict, so that nothing leaves that we would refuse.
use super::Message;
use crate::syntax::{Head, HeaderName, Limits, Method, Scheme, SyntaxError, SyntaxErrorKind, Uri, class};
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
pub struct Builder(Box<Draft>);

/// What is there of a message; in a place of its own, because each call hands it on.
#[derive(Clone)]
struct Draft {
    text: Vec<u8>,
    /// What reading `text` would find.
    head: Head,
    /// Bytes of the start line, without its line end.
    start: usize,
    /// Bytes of the longest line.
    longest: usize,
    content_type: Option<String>,
    body: Vec<u8>,
    problem: Option<BuildError>,
}

impl Draft {
    fn refuse(&mut self, what: &str) {
        self.problem.get_or_insert_with(|| BuildError::Value(what.to_owned()));
    }
    fn end_start_line(&mut self) {
        (self.start, self.longest) = (self.text.len(), self.text.len());
        self.text.extend_from_slice(b"\r\n");
    }
    /// Begins a header; gives where its line begins.
    fn begin(&mut self, name: &[u8]) -> usize {
        let at = self.text.len();
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        at
    }
    fn end(&mut self, id: HeaderName, at: usize, name_length: usize) {
        let end = self.text.len();
        self.longest = self.longest.max(end - at);
        self.head.add(&self.text, id, at, name_length, end);
        self.text.extend_from_slice(b"\r\n");
    }
    /// Writes a line up to its end; gives where it begins.
    fn write(&mut self, name: &str, parts: &[&[u8]]) -> usize {
        let length = parts.iter().fold(name.len() + 4, |all, part| all + part.len());
        self.text.reserve(length);
        let at = self.begin(name.as_bytes());
        for part in parts {
            self.text.extend_from_slice(part);
        }
        at
    }
    fn line(&mut self, id: HeaderName, name: &str, parts: &[&[u8]]) {
        let at = self.write(name, parts);
        self.end(id, at, name.len());
    }
    /// The same for parts that may hold what must not stand in a value: then there is no line, and it is false.
    fn checked_line(&mut self, id: HeaderName, name: &str, parts: &[&[u8]]) -> bool {
        let at = self.write(name, parts);
        let is_good = is_text(&self.text[at + name.len() + 2..]);
        match is_good {
            true => self.end(id, at, name.len()),
            false => self.text.truncate(at),
        }
        is_good
    }
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
        Builder(Box::new(Draft {
            text: Vec::with_capacity(768),
            head: Head::empty(),
            start: 0,
            longest: 0,
            content_type: None,
            body: Vec::new(),
            problem: None,
        }))
    }
    /// A request. Via is left to the transaction's owner ([`Message::with_top_via`]).
    pub fn request(method: Method<'_>, uri: impl AsRef<[u8]>) -> Builder {
        let mut builder = Builder::start();
        let draft = &mut *builder.0;
        if !class::all(method.as_bytes(), class::TOKEN) {
            draft.refuse("the method");
        }
        match Uri::parse(uri.as_ref()) {
            Ok(uri) if matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) && !uri.headers().is_empty() => {
                let offset = uri.as_bytes().len() - uri.headers().len();
                draft.problem.get_or_insert(SyntaxError { kind: SyntaxErrorKind::Uri, offset }.into());
            }
            Ok(_) => {}
            Err(error) => {
                draft.problem.get_or_insert(error.into());
            }
        }
        draft.text.extend_from_slice(method.as_bytes());
        draft.text.push(b' ');
        draft.text.extend_from_slice(uri.as_ref());
        draft.text.extend_from_slice(b" SIP/2.0");
        draft.end_start_line();
        builder
    }
    pub(super) fn status_line(status: u16, reason: &str) -> Builder {
        let mut builder = Builder::start();
        let draft = &mut *builder.0;
        if !(100..700).contains(&status) {
            draft.refuse("the status code");
        }
        if !is_text(reason.as_bytes()) {
            draft.refuse("the reason phrase");
        }
        draft.text.extend_from_slice(b"SIP/2.0 ");
        draft.text.extend_from_slice(Decimal::new(status.into()).as_bytes());
        draft.text.push(b' ');
        draft.text.extend_from_slice(reason.as_bytes());
        draft.end_start_line();
        builder
    }
    /// A response to `request`: its Vias, From, To, Call-ID and CSeq copied (RFC 3261 sec. 8.2.6.2), and Timestamp into a 100; `to_tag` is
    /// added to To when it has none.
    pub fn response(request: &Message, status: u16, reason: &str, to_tag: Option<&str>) -> Builder {
        let mut builder = Builder::status_line(status, reason);
        let draft = &mut *builder.0;
        for header in request.headers() {
            let name = header.name;
            let is_copied = matches!(
                name,
                HeaderName::Via | HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq
            ) || (name == HeaderName::Timestamp && status == 100);
            if !is_copied {
                continue;
            }
            let at = draft.begin(name.as_str().as_bytes());
            unfold_into(header.value, &mut draft.text);
            if name == HeaderName::To
                && let Some(tag) = to_tag
                && request.to().is_ok_and(|to| to.tag().is_none())
            {
                if !class::all(tag.as_bytes(), class::TOKEN) {
                    draft.refuse("the tag");
                }
                draft.text.extend_from_slice(b";tag=");
                draft.text.extend_from_slice(tag.as_bytes());
            }
            draft.end(name, at, name.as_str().len());
        }
        builder
    }
    /// Adds a header as it came in another message, on one line.
    pub(crate) fn copied(mut self, name: HeaderName, value: &[u8]) -> Builder {
        self.0.line(name, name.as_str(), &[&unfolded(value)]);
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
            self.0.refuse(if name == HeaderName::Other { "a header name" } else { name.as_str() });
        } else if !self.0.checked_line(name, name.as_str(), parts) {
            self.0.refuse(name.as_str());
        }
        self
    }
    /// Adds a header by its text. Content-Length comes by itself and is refused here.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        let value = value.as_ref();
        let id = HeaderName::from_bytes(name.as_bytes());
        if !class::all(name.as_bytes(), class::TOKEN) {
            self.0.refuse("a header name");
        } else if id == HeaderName::ContentLength || !self.0.checked_line(id, name, &[value]) {
            self.0.refuse(name);
        }
        self
    }
    /// Sets the body; Content-Type then stands in front of Content-Length. The last one counts.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl AsRef<[u8]>) -> Builder {
        if content_type.is_empty() || !is_text(content_type.as_bytes()) {
            self.0.refuse("Content-Type");
        }
        self.0.content_type = Some(content_type.to_owned());
        self.0.body = body.as_ref().to_vec();
        self
    }
    /// Sets the body alone: its Content-Type stands among the headers, or is not known.
    #[cfg(feature = "rsip")]
    pub(super) fn bare_body(mut self, body: &[u8]) -> Builder {
        self.0.body = body.to_vec();
        self
    }
    /// The message.
    ///
    /// # Errors
    /// A value that cannot stand in a message, or more than [`Limits::default`] allows.
    pub fn build(mut self) -> Result<Message, BuildError> {
        let draft = &mut *self.0;
        if let Some(problem) = draft.problem.take() {
            return Err(problem);
        }
        if let Some(content_type) = draft.content_type.take() {
            let name = HeaderName::ContentType;
            draft.line(name, name.as_str(), &[content_type.as_bytes()]);
        }
        let length = Decimal::new(draft.body.len() as u64);
        draft.line(HeaderName::ContentLength, HeaderName::ContentLength.as_str(), &[length.as_bytes()]);
        draft.text.extend_from_slice(b"\r\n");
        let body_offset = draft.text.len();
        draft.text.extend_from_slice(&draft.body);
        // A copy of the right size: it is kept for long at times, and to cut a piece of memory costs more than to fill another.
        let bytes = Bytes::copy_from_slice(&draft.text);
        let limits = Limits::default();
        let fits = bytes.len() <= limits.message_size
            && draft.head.len() <= limits.header_count
            && draft.longest < limits.header_length;
        if !fits {
            // Reading it says which limit, and where.
            let mut message = Message::parse(bytes, &limits)?;
            message.head.is_ours = true;
            return Ok(message);
        }
        draft.head.finish(&bytes, draft.start, body_offset, draft.body.len())?;
        Ok(Message { bytes, head: std::mem::replace(&mut draft.head, Head::empty()) })
    }
}

/// Sizes only: the text may hold credentials.
impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("bytes", &self.0.text.len()).finish_non_exhaustive()
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

    /// What is known of a message that was built is what reading it would find.
    fn assert_as_read(built: &Message) {
        let mut read = Message::parse(built.bytes().clone(), &Limits::default()).unwrap();
        read.head.is_ours = true;
        assert_eq!(format!("{:?}", built.head), format!("{:?}", read.head), "{:?}", built.as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn knows_of_what_it_wrote_what_reading_it_finds(
            uri in "(sip:|sips:|tel:|urn:|x:)[a-z0-9?@.;=-]{0,20}",
            headers in proptest::collection::vec(("[A-Za-z-]{1,12}|[vftimlkscou]", "[ -~\\t]{0,30}"), 0..50),
            known in proptest::collection::vec((0_u8..90, "[ -~\\t]{0,30}"), 0..10),
            body in "[ -~\r\n]{0,40}",
            has_body in proptest::bool::ANY,
        ) {
            let mut request = Builder::request(Method::Other(b"X-Y"), &uri);
            let mut response = Builder::status_line(200, "Fine, and more");
            for (id, value) in known {
                let name = HeaderName::from_number(id);
                request = request.header(name, &value);
                response = response.header(name, &value);
            }
            for (name, value) in headers {
                request = request.header_named(&name, &value);
                response = response.header_named(&name, &value);
            }
            if has_body {
                request = request.body("text/plain", &body);
                response = response.body(" a/b ", &body);
            }
            for message in [request.build(), response.build()].into_iter().flatten() {
                assert_as_read(&message);
                for status in [100, 200] {
                    if let Ok(answer) = Builder::response(&message, status, "", Some("tag")).build() {
                        assert_as_read(&answer);
                    }
                }
            }
        }
    }

    #[test]
    fn the_limits_of_what_is_built_are_those_of_what_is_read() {
        let start = || Builder::request(Method::Options, "sip:h");
        for length in [8_180, 8_181, 8_182, 8_183, 8_200] {
            let value = "b".repeat(length);
            let built = start().header(HeaderName::Subject, &value).build();
            let text = format!("OPTIONS sip:h SIP/2.0\r\nSubject: {value}\r\nContent-Length: 0\r\n\r\n");
            let read = Message::parse(Bytes::from(text), &Limits::default());
            assert_eq!(built.as_ref().err(), read.as_ref().err().map(|e| BuildError::Syntax(*e)).as_ref());
            built.iter().for_each(assert_as_read);
        }
        let many = |count: usize| (0..count).fold(start(), |b, _| b.header(HeaderName::Subject, "x")).build();
        assert_as_read(&many(255).unwrap());
        assert_eq!(many(256).unwrap_err().to_string(), "over the limit for header count at byte 3095");
        assert!(start().body("a/b", vec![b'x'; 65_535]).build().is_err());
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
