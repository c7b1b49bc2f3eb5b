//! Replaces, Join and Target-Dialog (RFC 3891, RFC 3911, RFC 4538): a dialog named in a header.
use super::class::{Scan, VALUE};
use super::{Params, SyntaxError};

/// A dialog, named from the view of the one who receives the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> Replaces<'a> {
    /// Parses the whole of `text`. In the headers of a URI (`Refer-To: <sip:h?Replaces=...>`) the text is escaped:
    /// [`unescape`](super::unescape) it first.
    ///
    /// # Errors
    /// Text without a Call-ID, or with something else than parameters behind it.
    pub fn parse(text: &'a [u8]) -> Result<Replaces<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        let call_id = scan.some(VALUE)?;
        let params = Params::scan(&mut scan)?;
        scan.lws();
        if scan.is_done() { Ok(Replaces { call_id, params }) } else { Err(scan.unexpected()) }
    }
    fn tag(&self, names: [&[u8]; 2]) -> Option<&'a [u8]> {
        names.iter().find_map(|name| self.params.get(name)).and_then(|p| p.value)
    }
    /// `to-tag`, which Target-Dialog calls `local-tag`.
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        self.tag([b"to-tag", b"local-tag"])
    }
    /// `from-tag`, which Target-Dialog calls `remote-tag`.
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        self.tag([b"from-tag", b"remote-tag"])
    }
    /// Shall only a dialog be replaced that nobody has answered?
    pub fn is_early_only(&self) -> bool {
        self.params.get(b"early-only").is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::{NameAddr, unescape};

    #[test]
    fn reads_the_dialog_in_a_refer_to() {
        let text =
            b"<sip:1003@pbx.example.com?Replaces=a84b4c76e66710%40pc33%3Bto-tag%3D1234%3Bfrom-tag%3D5678>";
        let (address, _) = NameAddr::parse_first(text).unwrap();
        let uri = address.uri();
        let value = unescape(uri.headers().strip_prefix(b"Replaces=").unwrap());
        let replaces = Replaces::parse(&value).unwrap();
        assert_eq!(replaces.call_id, b"a84b4c76e66710@pc33");
        assert_eq!((replaces.to_tag(), replaces.from_tag()), (Some(&b"1234"[..]), Some(&b"5678"[..])));
        assert!(!replaces.is_early_only());
        assert!(Replaces::parse(b"a ; to-tag=1;from-tag=2;early-only").unwrap().is_early_only());
        assert!(Replaces::parse(b"").is_err() && Replaces::parse(b"a b").is_err());
    }
}
