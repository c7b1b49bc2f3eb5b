//! Content-Type and the values of Accept (RFC 3261 sec. 20.1, 20.15).
use super::class::{Scan, TOKEN};
use super::{Params, SyntaxError};

/// A media type or a media range (`*/*`, `text/*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// The type, e.g. `application`; compare without case.
    pub kind: &'a [u8],
    /// The subtype, e.g. `sdp`; compare without case.
    pub subtype: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Parses the first value of `text` (Accept is a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a media type.
    pub fn parse_first(text: &'a [u8]) -> Result<(MediaType<'a>, &'a [u8]), SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        let kind = scan.some(TOKEN)?;
        scan.separator(b'/')?;
        let subtype = scan.some(TOKEN)?;
        let params = Params::scan(&mut scan)?;
        Ok((MediaType { kind, subtype, params }, scan.end_of_value()?))
    }
    /// Parses the whole of `text` (Content-Type).
    ///
    /// # Errors
    /// Text that is not one media type.
    pub fn parse(text: &'a [u8]) -> Result<MediaType<'a>, SyntaxError> {
        match MediaType::parse_first(text)? {
            (value, []) => Ok(value),
            (_, rest) => Err(Scan { text, at: text.len() - rest.len() }.unexpected()),
        }
    }
    /// Is it this type, whatever its parameters?
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_types_and_ranges() {
        let value = MediaType::parse(b"multipart/mixed;boundary=\"a b\"").unwrap();
        assert!(value.is("Multipart", "MIXED"));
        assert_eq!(&*value.params.get(b"boundary").unwrap().unquoted(), b"a b");
        let (first, rest) = MediaType::parse_first(b"text/* ;q=0.5, */*").unwrap();
        assert_eq!((first.subtype, rest), (&b"*"[..], &b"*/*"[..]));
        for bad in ["", "text", "text/", "a/b, c/d", "a/b c"] {
            assert!(MediaType::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
