//! Framing: start line and headers of one message as a table of spans, in one pass.
//!
//! Hand-written: a line ends where memchr says, a name ends at the first character that is no token, and the id of the name is found
//! from two words of it. A combinator would look at each byte once more and tell us nothing new.
use super::class::{self, Scan, TOKEN};
use super::line_ends::{LineEnds, holds_line_break};
use super::{HeaderName, Limit, Limits, Scheme, SyntaxError, SyntaxErrorKind, Uri};
use wide::u8x16;

/// Headers that fit into the table without the heap; longer messages put the rest there.
const INLINE: usize = 32;

/// A head is no longer, whatever the limits say: spans are 16 bits wide.
const LONGEST_HEAD: usize = u16::MAX as usize;

/// Where a header stands: its line and its value from the start of the message. The name begins with the line and ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    start: u16,
    value_start: u16,
    value_length: u16,
}

impl Span {
    pub(crate) fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        Scan { text, at: usize::from(self.start) }.run(TOKEN)
    }
    pub(crate) fn value_offset(&self) -> usize {
        usize::from(self.value_start)
    }
    #[inline]
    pub(crate) fn value<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let start = self.value_offset();
        text.get(start..start + usize::from(self.value_length)).unwrap_or_default()
    }
    /// The line is no header: it has no colon, or none behind a name. Its value is all of it, then.
    #[inline]
    pub(crate) fn is_odd(&self) -> bool {
        self.value_start == self.start
    }
    /// Where the line of this header starts.
    pub(crate) fn line_offset(&self) -> usize {
        usize::from(self.start)
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
    /// We wrote the headers: there is no CR in them that ends no line.
    pub(crate) is_ours: bool,
}

const fn fault(kind: SyntaxErrorKind, offset: usize) -> SyntaxError {
    SyntaxError { kind, offset }
}

/// One line at `at`, line ends of folds included: where its text ends and where the next line begins.
#[inline(always)]
fn line(text: &[u8], at: usize, ends: &mut LineEnds, longest: usize) -> Result<(usize, usize), SyntaxError> {
    loop {
        let Some(lf) = ends.next(text) else {
            return Err(fault(SyntaxErrorKind::Truncated, text.len()));
        };
        if lf - at > longest {
            return Err(fault(SyntaxErrorKind::Limit(Limit::HeaderLength), at));
        }
        let end = if lf > at && text[lf - 1] == b'\r' { lf - 1 } else { lf };
        // A line that begins with white space goes on with the one before it; the empty line never does.
        match text.get(lf + 1) {
            Some(b' ' | b'\t') if end > at => {}
            _ => return Ok((end, lf + 1)),
        }
    }
}

impl Head {
    /// A table without headers, to be filled by [`Head::read`].
    #[inline(always)]
    pub(crate) const fn empty() -> Head {
        Head {
            start: StartLine::Response { status: 0, reason_start: 0, reason_length: 0 },
            ids: [HeaderName::Other as u8; INLINE],
            spans: [Span { start: 0, value_start: 0, value_length: 0 }; INLINE],
            count: 0,
            spill: Vec::new(),
            headers_offset: 0,
            body_offset: 0,
            content_length: None,
            is_ours: false,
        }
    }

    /// Frames the message at the start of `text`. The head ends at the empty line, or at the end of `text` behind a whole line.
    ///
    /// Fills in place: the table is some hundred bytes, which would else be carried from return to return.
    pub(crate) fn read(&mut self, text: &[u8], limits: &Limits) -> Result<(), SyntaxError> {
        let longest = limits.header_length.min(LONGEST_HEAD);
        let (most, mut count) = (limits.header_count.min(usize::from(u16::MAX)), 0);
        let mut ends = LineEnds::new();
        let (end, mut at) = line(text, 0, &mut ends, longest)?;
        self.start = start_line(&text[..end])?;
        self.headers_offset = at as u32;
        while at < text.len() {
            let (end, next) = line(text, at, &mut ends, longest)?;
            if end == at {
                at = next;
                break;
            }
            if end > LONGEST_HEAD {
                return Err(fault(SyntaxErrorKind::Limit(Limit::HeaderLength), at));
            }
            if count >= most {
                return Err(fault(SyntaxErrorKind::Limit(Limit::HeaderCount), at));
            }
            self.header(text, at, end, count)?;
            count += 1;
            at = next;
        }
        self.count = count as u16;
        self.body_offset = at as u32;
        Ok(())
    }

    /// Reads the line from `at` to `end`, the one of this number.
    #[inline(always)]
    fn header(&mut self, text: &[u8], at: usize, end: usize, index: usize) -> Result<(), SyntaxError> {
        // Sixteen bytes from the start of the line may reach into the next one: a colon that counts is in front of `end`.
        let quick = text[at..].first_chunk().and_then(HeaderName::at_line_start);
        let (id, after_colon) = match quick {
            Some((id, length)) if at + length < end => (id, at + length + 1),
            _ => named(text, at, end)?,
        };
        let (value_start, value_end) = trimmed(text, after_colon, end);
        // Without a value it says nothing: a datagram ends where it ends, and a stream is not framed by it.
        if id == HeaderName::ContentLength as u8 && value_start < value_end {
            let length = content_length(&text[value_start..value_end])
                .filter(|length| self.content_length.is_none_or(|before| before == *length))
                .ok_or(fault(SyntaxErrorKind::ContentLength, value_start))?;
            self.content_length = Some(length);
        }
        let span = Span {
            start: at as u16,
            value_start: value_start as u16,
            value_length: (value_end - value_start) as u16,
        };
        if index < INLINE {
            self.ids[index] = id;
            self.spans[index] = span;
        } else {
            self.push_behind((id, span));
        }
        Ok(())
    }

    /// A header that has no room in the table. Apart, so that the loop of reading need not be ready to grow a list.
    #[cold]
    #[inline(never)]
    fn push_behind(&mut self, line: (u8, Span)) {
        self.spill.push(line);
    }

    /// Adds what [`Head::read`] would find in the line from `at` to `end` of a text that is being written, whose name has this id and
    /// length. Content-Length is told by [`Head::finish`]. Beyond the longest head the places are wrong, and beyond the limits nothing
    /// is said.
    // Not by what reading uses: its loop is laid out for itself alone.
    pub(crate) fn add(&mut self, text: &[u8], id: HeaderName, at: usize, name_length: usize, end: usize) {
        let (value_start, value_end) = trimmed(text, at + name_length + 1, end);
        let (start, value_start, value_length) =
            (at as u16, value_start as u16, (value_end - value_start) as u16);
        let line = (id as u8, Span { start, value_start, value_length });
        let place = self.len();
        match (self.ids.get_mut(place), self.spans.get_mut(place)) {
            (Some(id), Some(span)) => (*id, *span) = line,
            _ if self.count == u16::MAX => return,
            _ => self.push_behind(line),
        }
        self.count += 1;
    }

    /// Completes a table made by [`Head::add`]: the start line of `text` is `start` bytes long without its line end, a body of `length`
    /// bytes begins at `offset`.
    ///
    /// # Errors
    /// What is wrong with the start line.
    pub(crate) fn finish(
        &mut self,
        text: &[u8],
        start: usize,
        offset: usize,
        length: usize,
    ) -> Result<(), SyntaxError> {
        self.start = start_line(&text[..start])?;
        self.headers_offset = (start + 2) as u32;
        self.body_offset = offset as u32;
        self.content_length = Some(length as u32);
        self.is_ours = true;
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
    /// A bit for each place of the table that holds this id, the first one's the lowest.
    #[inline]
    fn marks(&self, id: u8) -> u32 {
        let wanted = u8x16::splat(id);
        let (parts, _) = self.ids.as_chunks::<16>();
        parts.iter().enumerate().fold(0, |all, (at, part)| {
            let equal = u8x16::new(*part).cmp_eq(wanted);
            all | u32::from(equal.move_mask() as u16) << (16 * at)
        })
    }

    /// The number of the first header line of this name, from `from` on.
    #[inline]
    pub(crate) fn find(&self, name: HeaderName, from: usize) -> Option<usize> {
        let id = name as u8;
        if let Some(behind) = u32::MAX.checked_shl(from as u32).filter(|_| from < INLINE) {
            // Places behind the last line hold the id of no known name, and are behind all others.
            let found = (self.marks(id) & behind).trailing_zeros() as usize;
            if found < self.len().min(INLINE) {
                return Some(found);
            }
        }
        if self.spill.is_empty() {
            return None;
        }
        let skip = from.saturating_sub(INLINE);
        self.spill.iter().skip(skip).position(|s| s.0 == id).map(|at| at + skip + INLINE)
    }
}

/// The header lines of a text that has no start line: id, name, value. It ends at the empty line or at a line that is none.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (HeaderName, &[u8], &[u8])> {
    let mut at = 0;
    let mut ends = LineEnds::new();
    std::iter::from_fn(move || {
        // The last line of a part may have lost its line end to the delimiter.
        let (end, next) = line(text, at, &mut ends, LONGEST_HEAD).unwrap_or((text.len(), text.len()));
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

/// The number of the id of any name, and where the text behind its colon begins. A line of text that is no header is passed over (RFC 3261
/// sec. 7.3: one odd line need not lose the message): it has no name, and its value begins with the line.
#[cold]
fn named(text: &[u8], at: usize, end: usize) -> Result<(u8, usize), SyntaxError> {
    let mut scan = Scan { text: &text[..end], at };
    let name = scan.run(TOKEN);
    scan.run_while(|b| matches!(b, b' ' | b'\t'));
    if name.is_empty() || !scan.eat(b':') {
        // For others a CR may end a line, and a NUL the text: where they stand, nobody knows what the lines are.
        return match text[at..end].iter().any(|b| b.is_ascii_control() && *b != b'\t') {
            true => Err(scan.error(SyntaxErrorKind::HeaderLine)),
            false => Ok((HeaderName::Other as u8, at)),
        };
    }
    Ok((HeaderName::from_bytes(name) as u8, scan.at))
}

/// Where the text of a value begins and ends: outer white space and folds left out.
#[inline(always)]
fn trimmed(text: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    // One space in front and none behind is what nearly every value has.
    if let Some([b' ', rest @ ..]) = text.get(start..end)
        && let ([first, ..], [.., last]) = (rest, rest)
        && *first > b' '
        && *last > b' '
    {
        return (start + 1, end);
    }
    while start < end && class::is(text[start], class::LWS) {
        start += 1;
    }
    while end > start && class::is(text[end - 1], class::LWS) {
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

/// The start line, without its line end (RFC 3261 sec. 7.1, 7.2): single spaces, none at the end, no fold and no other CR.
#[inline(always)]
pub(super) fn start_line(line: &[u8]) -> Result<StartLine, SyntaxError> {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return status_line(line);
    }
    let bad = |offset| fault(SyntaxErrorKind::StartLine, offset);
    let method_length = line.iter().take_while(|b| class::is(**b, TOKEN)).count();
    if method_length == 0 || line.get(method_length) != Some(&b' ') {
        return Err(bad(method_length));
    }
    let uri_start = method_length + 1;
    // One look for the space that ends the URI and for the `?` that should not be in it.
    let found = memchr::memchr2(b' ', b'?', &line[uri_start..]).ok_or(bad(line.len()))?;
    let uri_length = match line[uri_start + found] {
        b' ' => found,
        _ => found + memchr::memchr(b' ', &line[uri_start + found..]).ok_or(bad(line.len()))?,
    };
    let uri = &line[uri_start..uri_start + uri_length];
    if holds_line_break(uri) {
        return Err(line_break(line));
    }
    let version_start = uri_start + uri_length + 1;
    version(&line[version_start..]).map_err(|e| e.shifted(version_start))?;
    // The URI is looked at when it is asked for; `<` and white space are the start line's own faults (RFC 4475 sec. 3.1.2.7).
    if !uri.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err(bad(uri_start));
    }
    // Headers must not stand in a Request-URI (sec. 19.1.1, table 1); a `?` may, in its user part.
    if found < uri_length
        && let Ok(parsed) = Uri::parse(uri)
        && matches!(parsed.scheme(), Scheme::Sip | Scheme::Sips)
        && !parsed.headers().is_empty()
    {
        return Err(fault(SyntaxErrorKind::Uri, uri_start + found));
    }
    Ok(StartLine::Request { method_length: method_length as u16, uri_length: uri_length as u16 })
}

#[cold]
fn line_break(line: &[u8]) -> SyntaxError {
    fault(SyntaxErrorKind::StartLine, memchr::memchr2(b'\r', b'\n', line).unwrap_or_default())
}

fn version(text: &[u8]) -> Result<(), SyntaxError> {
    if text == b"SIP/2.0" || text.eq_ignore_ascii_case(b"SIP/2.0") {
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
    if holds_line_break(&line[reason_start..]) {
        return Err(line_break(line));
    }
    Ok(StartLine::Response {
        status,
        reason_start: reason_start as u16,
        reason_length: (line.len() - reason_start) as u16,
    })
}
