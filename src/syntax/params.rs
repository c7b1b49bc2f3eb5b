//! `;name=value` parameters.
use super::SyntaxError;
use super::class::{LWS, Scan, TOKEN, URI_PARAM, VALUE, is};
use std::borrow::Cow;

/// The `;name[=value]` parameters of a value, checked when the value was parsed and walked when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    pub(super) raw: &'a [u8],
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as it came; compare without case.
    pub name: &'a [u8],
    /// The value as it came, quotes included; `None` for a flag.
    pub value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// The value without quotes and escapes; empty for a flag.
    pub fn unquoted(&self) -> Cow<'a, [u8]> {
        unquote(self.value.unwrap_or_default())
    }
}

impl<'a> Params<'a> {
    /// Parses the whole of `text`, which starts with `;` (or white space and `;`) or is empty.
    ///
    /// # Errors
    /// Text that is no list of parameters.
    pub fn parse(text: &'a [u8]) -> Result<Params<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        let params = Params::scan(&mut scan)?;
        scan.lws();
        if scan.is_done() { Ok(params) } else { Err(scan.unexpected()) }
    }

    /// The first parameter of this name, without regard to case.
    pub fn get(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut scan = Scan::new(self.raw);
        std::iter::from_fn(move || {
            scan.lws();
            if !scan.eat(b';') {
                return None;
            }
            scan.lws();
            let name = scan.run(TOKEN | URI_PARAM);
            scan.lws();
            if !scan.eat(b'=') {
                return Some(Param { name, value: None });
            }
            scan.lws();
            // Checked when the value was parsed: what looks like a quoted string is one.
            let value = if scan.peek() == Some(b'"') { scan.quoted().ok() } else { Some(scan.run(VALUE)) };
            Some(Param { name, value })
        })
    }

    /// The header parameters at the cursor, which is left behind the last of them.
    #[inline]
    pub(super) fn scan(scan: &mut Scan<'a>) -> Result<Params<'a>, SyntaxError> {
        let mut start = None;
        let mut end = *scan;
        loop {
            scan.lws();
            if scan.peek() != Some(b';') {
                *scan = end;
                return Ok(Params { raw: start.map_or(&[], |start| scan.since(start)) });
            }
            start.get_or_insert(scan.at);
            scan.at += 1;
            scan.lws();
            scan.some(TOKEN)?;
            end = *scan;
            scan.lws();
            if scan.eat(b'=') {
                scan.lws();
                if scan.peek() == Some(b'"') {
                    scan.quoted()?;
                } else {
                    scan.run(VALUE);
                }
                end = *scan;
            }
        }
    }

    /// The text, leading `;` included; empty when there are none.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }
}

/// The first parameters of these names, without regard to case, all in one pass.
pub(super) fn pick<'a, const N: usize>(
    params: impl Iterator<Item = Param<'a>>,
    names: [&[u8]; N],
) -> [Option<Param<'a>>; N] {
    let mut picked = [None; N];
    for param in params {
        let place = names.iter().position(|name| name.eq_ignore_ascii_case(param.name));
        if let Some(place) = place.and_then(|at| picked.get_mut(at)) {
            place.get_or_insert(param);
        }
    }
    picked
}

/// A text without folds and, when it is a quoted string, without its quotes and escapes.
pub(super) fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let quoted = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\""));
    let inner = quoted.unwrap_or(text);
    if memchr::memchr3(b'\\', b'\r', b'\n', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' if quoted.is_some() => out.extend(bytes.next()),
            // A fold is one space (RFC 3261 sec. 7.3.1).
            b'\r' | b'\n' => {
                while bytes.next_if(|&b| is(b, LWS)).is_some() {}
                out.push(b' ');
            }
            _ => out.push(b),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn walks_what_it_checked() {
        let params =
            Params::parse(b" ;a ; B = \"x;\\\"y\" ;\r\n c=1;+sip.instance=\"<urn:uuid:0>\";e=").unwrap();
        let all: Vec<_> = params.iter().map(|p| (p.name, p.value)).collect();
        assert_eq!(
            all,
            [
                (&b"a"[..], None),
                (b"B", Some(&b"\"x;\\\"y\""[..])),
                (b"c", Some(b"1")),
                (b"+sip.instance", Some(b"\"<urn:uuid:0>\"")),
                (b"e", Some(b"")),
            ]
        );
        assert_eq!(&*params.get(b"b").unwrap().unquoted(), b"x;\"y");
        assert!(params.as_bytes().starts_with(b";a"));
        assert_eq!(Params::parse(b"").unwrap().iter().count(), 0);
    }

    #[test]
    fn refuses_empty_names_and_open_quotes() {
        for bad in [";", ";;", ";a;;b", ";=1", ";a=\"x", "a", ";a b", ";a,"] {
            assert!(Params::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
