//! Framing: start line and headers of one message as a table of spans, in one pass.
//!
//! Hand-written: a line ends where memchr says, a name ends at the first character that is no token, and the id of the name is found
//! from two words of it. A combinator would look at each byte once more and tell us nothing new.
use super::class::{self, TOKEN};
use super::{HeaderName, Limit, Limits, Scheme, SyntaxError, SyntaxErrorKind, Uri};

/// Headers that fit into the table without the heap; longer messages put the rest there.
const INLINE: usize = 32;
/// No line is longer, whatever the limits say: spans inside a line are 16 bits wide.
const LONGEST_LINE: usize = u16::MAX as usize;

/// Where a header stands: bytes from the start of the message, and within its line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    start: u32,
    name_length: u16,
    value_start: u16,
    value_length: u16,
}

impl Span {
    pub(crate) fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        text.get(start..start + usize::from(self.name_length)).unwrap_or_default()
    }
    pub(crate) fn value_offset(&self) -> usize {
        self.start as usize + usize::from(self.value_start)
    }
    #[inline]
    pub(crate) fn value<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let start = self.value_offset();
        text.get(start..start + usize::from(self.value_length)).unwrap_or_default()
    }
    /// Where the line of this header starts.
    pub(crate) fn line_offset(&self) -> usize {
        self.start as usize
    }
}

/// The first line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StartLine {
    /// `Method SP Request-URI SP SIP-Version`.
    Request { method_length: u16, uri_length: u16 },
    /// `SIP-Version SP Status-Code SP Reason-Phrase`.
    Response { status: u16, reason_start: u16, reason_length: u16 },
}

/// What framing finds: the start line, all header lines with their ids, and where the body is.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) start: StartLine,
    ids: [u8; INLINE],
    spans: [Span; INLINE],
    count: u16,
    /// Headers behind the first [`INLINE`] ones.
    spill: Vec<(u8, Span)>,
    /// Where the headers begin.
    pub(crate) headers_offset: u32,
    /// Where the body begins.
    pub(crate) body_offset: u32,
    /// The value of Content-Length, when there is one.
    pub(crate) content_length: Option<u32>,
}

const fn fault(kind: SyntaxErrorKind, offset: usize) -> SyntaxError {
    SyntaxError { kind, offset }
}

/// One line at `at`, line ends of folds included: where its text ends and where the next line begins.
#[inline(always)]
fn line(text: &[u8], at: usize, longest: usize) -> Result<(usize, usize), SyntaxError> {
    let mut from = at;
    loop {
        let Some(found) = memchr::memchr(b'\n', text.get(from..).unwrap_or_default()) else {
            return Err(fault(SyntaxErrorKind::Truncated, text.len()));
        };
        let lf = from + found;
        if lf - at > longest {
            return Err(fault(SyntaxErrorKind::Limit(Limit::HeaderLength), at));
        }
        let end = if lf > at && text[lf - 1] == b'\r' { lf - 1 } else { lf };
        // A line that begins with white space goes on with the one before it; the empty line never does.
        match text.get(lf + 1) {
            Some(b' ' | b'\t') if end > at => from = lf + 1,
            _ => return Ok((end, lf + 1)),
        }
    }
}

impl Head {
    /// Frames the message at the start of `text`. The head ends at the empty line, or at the end of `text` behind a whole line.
    pub(crate) fn parse(text: &[u8], limits: &Limits) -> Result<Head, SyntaxError> {
        let longest = limits.header_length.min(LONGEST_LINE);
        let (end, mut at) = line(text, 0, longest)?;
        let mut head = Head {
            start: start_line(&text[..end])?,
            ids: [HeaderName::Other as u8; INLINE],
            spans: [Span::default(); INLINE],
            count: 0,
            spill: Vec::new(),
            headers_offset: at as u32,
            body_offset: 0,
            content_length: None,
        };
        while at < text.len() {
            let (end, next) = line(text, at, longest)?;
            if end == at {
                head.body_offset = next as u32;
                return Ok(head);
            }
            head.header(text, at, end, limits)?;
            at = next;
        }
        head.body_offset = at as u32;
        Ok(head)
    }

    #[inline(always)]
    fn header(&mut self, text: &[u8], at: usize, end: usize, limits: &Limits) -> Result<(), SyntaxError> {
        let line = &text[at..end];
        let mut name_length = 0;
        while name_length < line.len() && class::is(line[name_length], TOKEN) {
            name_length += 1;
        }
        let mut colon = name_length;
        while let Some(b' ' | b'\t') = line.get(colon) {
            colon += 1;
        }
        if name_length == 0 || line.get(colon) != Some(&b':') {
            return Err(fault(SyntaxErrorKind::HeaderLine, at + colon.min(line.len())));
        }
        let id = HeaderName::from_bytes(&line[..name_length]);
        let (value_start, value_end) = trimmed(line, colon + 1);
        if id == HeaderName::ContentLength {
            let value = class::trim(&line[value_start..value_end]);
            let length =
                content_length(value).ok_or(fault(SyntaxErrorKind::ContentLength, at + value_start))?;
            if self.content_length.is_some_and(|before| before != length) {
                return Err(fault(SyntaxErrorKind::ContentLength, at + value_start));
            }
            self.content_length = Some(length);
        }
        let index = usize::from(self.count);
        if index >= limits.header_count.min(usize::from(u16::MAX)) {
            return Err(fault(SyntaxErrorKind::Limit(Limit::HeaderCount), at));
        }
        let span = Span {
            start: at as u32,
            name_length: name_length as u16,
            value_start: value_start as u16,
            value_length: (value_end - value_start) as u16,
        };
        if index < INLINE {
            self.ids[index] = id as u8;
            self.spans[index] = span;
        } else {
            self.spill.push((id as u8, span));
        }
        self.count += 1;
        Ok(())
    }

    /// How many header lines there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.count)
    }
    /// The header line of this number.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<(HeaderName, Span)> {
        if index >= self.len() {
            return None;
        }
        match self.ids.get(index) {
            Some(&id) => Some((HeaderName::from_number(id), self.spans[index])),
            None => self.spill.get(index - INLINE).map(|&(id, span)| (HeaderName::from_number(id), span)),
        }
    }
    /// The number of the first header line of this name, from `from` on.
    #[inline]
    pub(crate) fn find(&self, name: HeaderName, from: usize) -> Option<usize> {
        let id = name as u8;
        let inline = &self.ids[..self.len().min(INLINE)];
        if let Some(found) = inline.get(from..).and_then(|ids| memchr::memchr(id, ids)) {
            return Some(from + found);
        }
        let skip = from.saturating_sub(INLINE);
        self.spill.iter().skip(skip).position(|s| s.0 == id).map(|at| at + skip + INLINE)
    }
}

/// The header lines of a text that has no start line: id, name, value. It ends at the empty line or at a line that is none.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (HeaderName, &[u8], &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        // The last line of a part may have lost its line end to the delimiter.
        let (end, next) = line(text, at, LONGEST_LINE).unwrap_or((text.len(), text.len()));
        let line = text.get(at..end)?;
        let colon = memchr::memchr(b':', line)?;
        let name = class::trim(&line[..colon]);
        if !class::all(name, TOKEN) {
            return None;
        }
        at = next;
        Some((HeaderName::from_bytes(name), name, class::trim(&line[colon + 1..])))
    })
}

/// Where the text of a value begins and ends within its line: outer white space and folds left out.
#[inline(always)]
fn trimmed(line: &[u8], from: usize) -> (usize, usize) {
    let mut start = from;
    while start < line.len() && class::is(line[start], class::LWS) {
        start += 1;
    }
    let mut end = line.len();
    while end > start && class::is(line[end - 1], class::LWS) {
        end -= 1;
    }
    (start, end)
}

/// Digits alone, and no more than fits.
pub(super) fn content_length(value: &[u8]) -> Option<u32> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u32, |n, b| {
        n.checked_mul(10)?.checked_add(u32::from(b.is_ascii_digit().then(|| b - b'0')?))
    })
}

/// The start line, without its line end (RFC 3261 sec. 7.1, 7.2): single spaces, none at the end.
pub(super) fn start_line(line: &[u8]) -> Result<StartLine, SyntaxError> {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return status_line(line);
    }
    let bad = |offset| fault(SyntaxErrorKind::StartLine, offset);
    let method_length = memchr::memchr(b' ', line).ok_or(bad(line.len()))?;
    if !class::all(&line[..method_length], TOKEN) {
        return Err(bad(0));
    }
    let uri_start = method_length + 1;
    let uri_length = memchr::memchr(b' ', &line[uri_start..]).ok_or(bad(line.len()))?;
    let uri = &line[uri_start..uri_start + uri_length];
    let version_start = uri_start + uri_length + 1;
    version(&line[version_start..]).map_err(|e| e.shifted(version_start))?;
    if uri.is_empty() || !class::all(uri, class::URI) {
        return Err(bad(uri_start));
    }
    // Headers must not stand in a Request-URI (sec. 19.1.1, table 1); a `?` may, in its user part.
    if let Some(question) = memchr::memchr(b'?', uri)
        && let Ok(parsed) = Uri::parse(uri)
        && matches!(parsed.scheme(), Scheme::Sip | Scheme::Sips)
        && !parsed.headers().is_empty()
    {
        return Err(fault(SyntaxErrorKind::Uri, uri_start + question));
    }
    Ok(StartLine::Request { method_length: method_length as u16, uri_length: uri_length as u16 })
}

fn version(text: &[u8]) -> Result<(), SyntaxError> {
    if text.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let is_other = text.len() > 4
        && text[..4].eq_ignore_ascii_case(b"SIP/")
        && text[4..].iter().all(|b| b.is_ascii_digit() || *b == b'.');
    Err(fault(if is_other { SyntaxErrorKind::Version } else { SyntaxErrorKind::StartLine }, 0))
}

fn status_line(line: &[u8]) -> Result<StartLine, SyntaxError> {
    let space = memchr::memchr(b' ', line).ok_or(fault(SyntaxErrorKind::StartLine, line.len()))?;
    version(&line[..space])?;
    let code_start = space + 1;
    let bad = fault(SyntaxErrorKind::StatusCode, code_start);
    let (code, reason_start) = match &line[code_start..] {
        // Some leave out the space that belongs in front of an empty phrase.
        [a, b, c] => ([*a, *b, *c], code_start + 3),
        [a, b, c, b' ', ..] => ([*a, *b, *c], code_start + 4),
        _ => return Err(bad),
    };
    let status = class::clamped_u32(&code).ok_or(bad)? as u16;
    Ok(StartLine::Response {
        status,
        reason_start: reason_start as u16,
        reason_length: (line.len() - reason_start) as u16,
    })
}
