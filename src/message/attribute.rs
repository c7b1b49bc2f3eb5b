//! Whose bytes are these? The best guess for bytes that are no message.
use crate::syntax::{HeaderName, class};

/// The Call-ID in bytes that are malformed or truncated, when a line of them looks like one; so that a broken datagram can be shown
/// to the check that it was meant for. Never more than the line has; nothing is checked.
pub fn call_id_of(bytes: &[u8]) -> Option<&[u8]> {
    bytes.split(|&b| b == b'\n').find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let value = class::trim(&line[colon + 1..]);
        let is_it = HeaderName::from_bytes(class::trim(&line[..colon])) == HeaderName::CallId;
        (is_it && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_call_id_in_broken_bytes() {
        assert_eq!(call_id_of(b"OPTIONS\r\n\xff\xff\r\nI : a@b \r\nVia"), Some(&b"a@b"[..]));
        assert_eq!(call_id_of(b"x\r\ncall-id:trunc"), Some(&b"trunc"[..]));
        assert_eq!(call_id_of(b"x\r\nCall-ID:\r\n"), None);
        assert_eq!(call_id_of(b""), None);
    }
}
