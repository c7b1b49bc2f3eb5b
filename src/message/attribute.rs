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

/// The branch of the first Via in bytes that may be malformed or cut: the best that can be said about whose they are when the Call-ID is
/// not among them.
pub fn branch_of(bytes: &[u8]) -> Option<&[u8]> {
    let line = bytes.split(|&b| b == b'\n').find(|line| {
        let name = memchr::memchr(b':', line).map(|colon| class::trim(&line[..colon]));
        name.is_some_and(|name| HeaderName::from_bytes(name) == HeaderName::Via)
    })?;
    let at = memchr::memmem::find(line, b"branch=")? + b"branch=".len();
    let rest = &line[at..];
    let end = rest.iter().position(|b| matches!(b, b';' | b',' | b' ' | b'\t' | b'\r')).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
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

    #[test]
    fn finds_the_branch_in_an_answer_that_was_cut_before_its_call_id() {
        let cut = b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1;rport\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK2\r\nFro";
        assert_eq!(branch_of(cut), Some(&b"z9hG4bK1"[..]));
        assert_eq!(branch_of(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch="), None);
        assert_eq!(branch_of(b"To: <sip:a>;branch=x"), None);
    }
}
