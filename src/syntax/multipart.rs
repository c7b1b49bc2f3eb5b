//! Bodies of several parts (RFC 2046 sec. 5.1).
use super::head::fields;
use super::{HeaderName, Limit, Limits, MediaType, SyntaxError, SyntaxErrorKind};
use std::borrow::Cow;

/// One part of a body: its headers and what they describe. Also a `message/sipfrag`.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    head: &'a [u8],
    /// The content, byte for byte.
    pub body: &'a [u8],
    inner: Nesting,
}

/// What the limits leave for the bodies inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nesting {
    depth: usize,
    part_count: usize,
}

impl Nesting {
    pub(super) const fn of(limits: &Limits) -> Nesting {
        Nesting { depth: limits.multipart_depth, part_count: limits.part_count }
    }
}

impl<'a> Part<'a> {
    /// Headers up to an empty line, then a body; the headers may be missing.
    pub(super) fn split(inner: Nesting, text: &'a [u8]) -> Part<'a> {
        if let Some(body) = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n")) {
            return Part { head: &[], body, inner };
        }
        match super::head_end(text, &mut 0) {
            Some(end) => Part { head: &text[..end], body: &text[end..], inner },
            None => Part { head: text, body: &[], inner },
        }
    }
    /// All header lines in order: id, name as it came, value. A line that is none ends the list.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, &'a [u8], &'a [u8])> + use<'a> {
        fields(self.head)
    }
    /// The value of the first header of this name.
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.headers().find(|h| h.0 == name).map(|h| h.2)
    }
    /// The parts of this part; `None` when its Content-Type is no `multipart/...`. Offsets of errors count from the start of its body.
    ///
    /// # Errors
    /// As [`multipart`]; [`Limit::MultipartDepth`] when it stands deeper than the limits allow that the outermost was opened with.
    pub fn parts(&self) -> Option<Result<Multipart<'a>, SyntaxError>> {
        let kind = MediaType::parse(self.header(HeaderName::ContentType)?).ok()?;
        kind.kind.eq_ignore_ascii_case(b"multipart").then(|| open(&kind, self.body, self.inner))
    }
}

/// The parts of a multipart body, in order; see [`multipart`].
#[derive(Debug, Clone)]
pub struct Multipart<'a> {
    body: &'a [u8],
    boundary: Cow<'a, [u8]>,
    /// Where the next part begins; `None` behind the last.
    next: Option<usize>,
    parts_left: usize,
    inner: Nesting,
}

/// The parts of a multipart body, in order. What stands in front of the first delimiter and behind the last is left out; a body that was
/// cut ends its last part. A part that is a multipart body itself is opened by [`Part::parts`].
///
/// Nothing is copied and nothing allocated, but for a boundary that is a quoted string with a backslash or a fold in it. The limits
/// are [`Limits::multipart_depth`] and [`Limits::part_count`]; one part too many is the iterator's last item, an error.
///
/// # Errors
/// A content type without a boundary, a body in which the boundary never stands, or a depth of 0 in the limits.
///
/// ```
/// use ringback::syntax::{HeaderName, Limits, MediaType, multipart};
/// let kind = MediaType::parse(b"multipart/mixed;boundary=b1")?;
/// let body = b"--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1--\r\n";
/// let part = multipart(&kind, body, &Limits::default())?.next().unwrap()?;
/// assert_eq!(part.header(HeaderName::ContentType), Some(&b"application/sdp"[..]));
/// assert_eq!(part.body, b"v=0");
/// # Ok::<(), ringback::syntax::SyntaxError>(())
/// ```
pub fn multipart<'a>(
    content_type: &MediaType<'a>,
    body: &'a [u8],
    limits: &Limits,
) -> Result<Multipart<'a>, SyntaxError> {
    open(content_type, body, Nesting::of(limits))
}

fn open<'a>(
    content_type: &MediaType<'a>,
    body: &'a [u8],
    allowed: Nesting,
) -> Result<Multipart<'a>, SyntaxError> {
    let fault = |kind| SyntaxError { kind, offset: 0 };
    let depth = allowed.depth.checked_sub(1).ok_or(fault(SyntaxErrorKind::Limit(Limit::MultipartDepth)))?;
    let boundary = content_type.params.get(b"boundary").map(|p| p.unquoted()).filter(|b| !b.is_empty());
    let boundary = boundary.ok_or(fault(SyntaxErrorKind::Truncated))?;
    let first = delimiter(body, 0, &boundary).ok_or(fault(SyntaxErrorKind::Truncated))?;
    Ok(Multipart {
        body,
        boundary,
        next: first.part_start,
        parts_left: allowed.part_count,
        inner: Nesting { depth, ..allowed },
    })
}

impl<'a> Iterator for Multipart<'a> {
    type Item = Result<Part<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next.take()?;
        if self.parts_left == 0 {
            let kind = SyntaxErrorKind::Limit(Limit::PartCount);
            return Some(Err(SyntaxError { kind, offset: start }));
        }
        self.parts_left -= 1;
        let end = match delimiter(self.body, start, &self.boundary) {
            Some(found) => {
                self.next = found.part_start;
                found.part_end
            }
            None => self.body.len(),
        };
        Some(Ok(Part::split(self.inner, self.body.get(start..end).unwrap_or_default())))
    }
}

/// A delimiter line, or the closing one.
struct Delimiter {
    /// Where the part in front of it ends: its own line end belongs to the delimiter.
    part_end: usize,
    /// Where the next part begins; `None` at the closing delimiter, and when the body ends here.
    part_start: Option<usize>,
}

/// The first delimiter from `start` on, which is the start of a line. Line by line, so that no byte is looked at more than twice.
fn delimiter(body: &[u8], start: usize, boundary: &[u8]) -> Option<Delimiter> {
    let mut at = start;
    loop {
        let line = body.get(at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', line);
        let text = &line[..length.unwrap_or(line.len())];
        let behind = text.strip_prefix(b"--").and_then(|text| text.strip_prefix(boundary));
        if let Some(behind) = behind {
            let closes = behind.starts_with(b"--");
            // A boundary that only begins like ours is another body's.
            if behind[if closes { 2 } else { 0 }..].trim_ascii().is_empty() {
                let before = &body[start..at];
                let before =
                    before.strip_suffix(b"\r\n").or_else(|| before.strip_suffix(b"\n")).unwrap_or(before);
                let part_start = length.map(|lf| at + lf + 1).filter(|&next| !closes && next < body.len());
                return Some(Delimiter { part_end: start + before.len(), part_start });
            }
        }
        at += length? + 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts<'a>(kind: &'a str, body: &'a str, limits: &Limits) -> Vec<Result<Part<'a>, SyntaxErrorKind>> {
        let kind = MediaType::parse(kind.as_bytes()).unwrap();
        multipart(&kind, body.as_bytes(), limits).unwrap().map(|p| p.map_err(|e| e.kind)).collect()
    }

    #[test]
    fn takes_parts_apart() {
        let kind = "multipart/mixed;boundary=\"b-1\"";
        let body = "preamble\r\n--b-1\r\nContent-Type: text/plain\r\n\r\nHel--b-1lo\r\n--b-1 \t\r\n\r\nno\r\nhead\r\n--b-1--\r\nepilogue";
        let all = parts(kind, body, &Limits::default());
        let (first, second) = (all[0].unwrap(), all[1].unwrap());
        assert_eq!(all.len(), 2);
        assert_eq!(
            (first.header(HeaderName::ContentType), first.body),
            (Some(&b"text/plain"[..]), &b"Hel--b-1lo"[..])
        );
        assert_eq!((second.headers().count(), second.body), (0, &b"no\r\nhead"[..]));
        assert_eq!(parts(kind, "--b-1\r\nA: b\r\n\r\ncut", &Limits::default())[0].unwrap().body, b"cut");
        assert_eq!(parts(kind, "--b-1\n\na\n--b-1-- \t\r\n--b-1\n\nb", &Limits::default()).len(), 1);
        for empty in ["--b-1--", "--b-1", "--b-1\n"] {
            assert!(parts(kind, empty, &Limits::default()).is_empty(), "{empty}");
        }
    }

    #[test]
    fn refuses_what_has_no_boundary() {
        let open = |kind: &'static str, body: &'static str| {
            multipart(&MediaType::parse(kind.as_bytes()).unwrap(), body.as_bytes(), &Limits::default())
                .map(Iterator::count)
                .map_err(|e| e.kind)
        };
        assert_eq!(open("multipart/mixed", "--b"), Err(SyntaxErrorKind::Truncated));
        assert_eq!(open("multipart/mixed;boundary=\"\"", "--b"), Err(SyntaxErrorKind::Truncated));
        for never in ["", "nothing", "x--b\r\n", "--b1\r\n", "--b--1\r\n"] {
            assert_eq!(open("multipart/mixed;boundary=b", never), Err(SyntaxErrorKind::Truncated), "{never}");
        }
    }

    #[test]
    fn does_not_miss_a_boundary_of_dashes() {
        let all =
            parts("multipart/mixed;boundary=---", "-----\n\na\n-----\n\nb\n-------\n", &Limits::default());
        let bodies: Vec<_> = all.iter().map(|p| p.unwrap().body).collect();
        assert_eq!(bodies, [b"a", b"b"]);
    }

    /// A body of `depth` multiparts in each other; each boundary begins like the one outside.
    fn nested(depth: usize) -> String {
        let mut body = String::from("innermost");
        for level in (0..depth).rev() {
            let (own, inner) = ("b".repeat(level + 1), "b".repeat(level + 2));
            body = format!(
                "--{own}\r\nContent-Type: multipart/mixed;boundary={inner}\r\n\r\n{body}\r\n--{own}--\r\n"
            );
        }
        body
    }

    #[test]
    fn goes_as_deep_as_the_limit_and_names_it() {
        let limits = Limits { multipart_depth: 3, ..Limits::default() };
        let text = nested(4);
        let mut part = parts("multipart/mixed;boundary=b", &text, &limits)[0].unwrap();
        for _ in 1..3 {
            part = part.parts().unwrap().unwrap().next().unwrap().unwrap();
        }
        let error = part.parts().unwrap().unwrap_err();
        assert_eq!(error.kind, SyntaxErrorKind::Limit(Limit::MultipartDepth));
        assert_eq!(error.to_string(), "over the limit for nesting of multipart bodies at byte 0");
        let none = Limits { multipart_depth: 0, ..Limits::default() };
        let kind = MediaType::parse(b"multipart/mixed;boundary=b").unwrap();
        assert!(multipart(&kind, text.as_bytes(), &none).is_err());
    }

    #[test]
    fn gives_no_more_parts_than_the_limit_and_names_it() {
        let limits = Limits { part_count: 2, ..Limits::default() };
        let body = "--b\r\n\r\nx\r\n".repeat(5);
        let all = parts("multipart/mixed;boundary=b", &body, &limits);
        assert_eq!(all.len(), 3);
        assert_eq!(all[2].unwrap_err(), SyntaxErrorKind::Limit(Limit::PartCount));
    }
}
