//! The headers of a URI: what stands behind its `?` (RFC 3261 sec. 19.1.1).
use super::super::{HeaderName, Uri, unescape};
use std::borrow::Cow;

/// Name and value of each `&`-separated field, as they came; empty fields are left out.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&b| b == b'&').filter(|field| !field.is_empty()).map(|field| {
        match memchr::memchr(b'=', field) {
            Some(at) => (&field[..at], &field[at + 1..]),
            None => (field, &[][..]),
        }
    })
}

impl<'a> Uri<'a> {
    /// The headers behind `?` in order, name and value without their escapes. `body` stands for the body of the request
    /// (RFC 3261 sec. 19.1.1).
    ///
    /// ```
    /// use ringback::syntax::{HeaderName, Uri};
    /// let uri = Uri::parse(b"sip:bob@example.com?Subject=next%20meeting&Priority=urgent")?;
    /// assert_eq!(uri.header_fields().count(), 2);
    /// assert_eq!(uri.header_field(HeaderName::Subject).as_deref(), Some(&b"next meeting"[..]));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn header_fields(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + use<'a> {
        fields(self.headers).map(|(name, value)| (unescape(name), unescape(value)))
    }
    /// The value of the first header of this name behind `?`, without its escapes.
    pub fn header_field(&self, name: HeaderName) -> Option<Cow<'a, [u8]>> {
        fields(self.headers)
            .find(|field| HeaderName::from_bytes(&unescape(field.0)) == name)
            .map(|(_, value)| unescape(value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gives_headers_without_escapes() {
        let uri = Uri::parse(b"sip:a@b?&Re%70laces=x%3Bto-tag%3D1&flag&body=a%3Db=c&").unwrap();
        let all: Vec<_> = uri.header_fields().collect();
        let wanted: [(&[u8], &[u8]); 3] = [(b"Replaces", b"x;to-tag=1"), (b"flag", b""), (b"body", b"a=b=c")];
        assert_eq!(all.iter().map(|(n, v)| (&**n, &**v)).collect::<Vec<_>>(), wanted);
        assert_eq!(uri.header_field(HeaderName::Replaces).as_deref(), Some(wanted[0].1));
        assert!(uri.header_field(HeaderName::Subject).is_none());
        assert_eq!(Uri::parse(b"sip:a@b").unwrap().header_fields().count(), 0);
    }
}
