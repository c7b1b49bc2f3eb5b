//! Bytes of a peer in a sentence of ours: without secrets, and bounded.

use crate::message::redact;

/// Bytes of a quoted value; what is longer is cut.
const LONGEST: usize = 200;

/// Text of a peer without secrets.
pub(in crate::check) fn quoted(bytes: &[u8]) -> String {
    // Masked before it is cut: a secret that begins in front of the cut is no secret for the mask behind it.
    let text = String::from_utf8_lossy(&redact(bytes)).trim().to_owned();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_bounded_and_holds_no_secret() {
        assert_eq!(quoted(b" <sip:alice:secret1@192.0.2.5>;token=secret2 "), {
            "<sip:alice:redacted@192.0.2.5>;token=redacted"
        });
        let long = quoted(&[0xfc; 5_000]);
        assert_eq!((long.chars().count(), long.ends_with("...")), (LONGEST + 3, true));
    }
}
