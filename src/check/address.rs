//! SIP addresses as people write them.

use crate::syntax::{Host, Scheme, Uri};

/// `text` with `sip:` before it when it has no scheme; `user:password@host` is not taken for one.
pub(super) fn with_scheme(text: &str) -> String {
    let has_scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        let known = ["sip", "sips", "tel", "urn", "http", "https", "mailto"]
            .iter()
            .any(|s| scheme.eq_ignore_ascii_case(s));
        known && !rest.is_empty()
    });
    if has_scheme { text.to_owned() } else { format!("sip:{text}") }
}

/// A `sip:` URI, or what is wrong with the text and in which column of what was written (`added` bytes were put before it).
pub(super) fn parse_sip(text: &str, added: usize) -> Result<Uri<'_>, String> {
    let uri = Uri::parse(text.as_bytes()).map_err(|error| {
        let column =
            text.get(..error.offset).map_or(error.offset, |t| t.chars().count()).saturating_sub(added) + 1;
        format!("{} in column {column}; write it as sip:user@domain", error.kind)
    })?;
    match uri.scheme() {
        Scheme::Sip => Ok(uri),
        Scheme::Sips => Err("sips: needs TLS, which is not there yet; use sip:".to_owned()),
        _ => Err("it is not a sip: URI (column 1)".to_owned()),
    }
}

pub(super) fn host_text(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => String::from_utf8_lossy(name).into_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => format!("[{address}]"),
    }
}
