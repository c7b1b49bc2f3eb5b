//! Secrets out of texts, by value: what a run knows to be secret is found wherever a peer repeats it, also encoded.
use super::redact::{body_offset, redact_text};
use std::borrow::Cow;

/// Shorter values are no secrets that could be looked for: they stand everywhere by chance.
const LEAST: usize = 4;
/// What stands in the place of a secret.
const INSTEAD: &[u8] = b"redacted";
/// A word that our own sentences use; who has it for a password has none.
const OUR_WORDS: [&str; 1] = ["password"];

/// The secret values of a run: passwords, what is made of them, digest responses that were sent.
///
/// Found as they are, without regard to case, and in base64, hex and %-escapes.
///
/// ```
/// use ringback::message::Mask;
///
/// let mut mask = Mask::default();
/// mask.hide("s3cr3t!", &["alice"]);
/// assert_eq!(mask.text("403 s3cr3t! is wrong"), "403 redacted is wrong");
/// assert_eq!(mask.text("alice:s3cr3t! is YWxpY2U6czNjcjN0IQ=="), "alice:redacted is YWxpY2U6redactedQ==");
/// assert_eq!(mask.text("<sip:bob:pw@192.0.2.1>;token=abc"), "<sip:bob:redacted@192.0.2.1>;token=redacted");
/// ```
#[derive(Clone, Default)]
pub struct Mask {
    /// In lower case, the longest first.
    needles: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("values", &self.needles.len()).finish()
    }
}

impl Mask {
    /// Hides a password. Values with fewer than four bytes are not looked for, nor those that are shown anyway (`public`: user and domain of
    /// the account).
    pub fn hide(&mut self, secret: &str, public: &[&str]) {
        let is_public = public.iter().chain(&OUR_WORDS).any(|shown| shown.eq_ignore_ascii_case(secret));
        if secret.len() < LEAST || is_public {
            return;
        }
        let bytes = secret.as_bytes();
        self.add(bytes.to_vec());
        self.add(hex(bytes));
        self.add(bytes.iter().flat_map(|b| format!("%{b:02x}").into_bytes()).collect());
        self.add(escaped(bytes));
        self.add(secret.replace('\\', "\\\\").replace('"', "\\\"").into_bytes());
        // As PBXs of before write it.
        if let Ok(latin) = secret.chars().map(|c| u8::try_from(u32::from(c))).collect() {
            self.add(latin);
        }
        for before in 0..3 {
            let standard = base64_within(bytes, before);
            if standard.len() >= 5 {
                let of_urls = |b: &u8| match b {
                    b'+' => b'-',
                    b'/' => b'_',
                    b => *b,
                };
                self.add(standard.iter().map(of_urls).collect());
                self.add(standard);
            }
        }
    }

    /// Hides a value in no other form: a digest response, a hash.
    pub fn hide_hash(&mut self, hash: &[u8]) {
        if hash.len() >= 16 {
            self.add(hash.to_vec());
        }
    }

    fn add(&mut self, mut needle: Vec<u8>) {
        needle.make_ascii_lowercase();
        if needle.len() >= LEAST && !self.needles.contains(&needle) {
            let at = self.needles.partition_point(|known| known.len() >= needle.len());
            self.needles.insert(at, needle);
        }
    }

    /// A text without secrets: neither those that stand in known places ([`redact_text`]) nor those that are known by value.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let clean = redact_text(text);
        match self.replaced(clean.as_bytes(), usize::MAX) {
            None => clean,
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// A message in which no secret is left that is known by value; `None` when there is none in it. In the body its length stays.
    pub fn message(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.replaced(message, body_offset(message))
    }

    fn replaced(&self, text: &[u8], body: usize) -> Option<Vec<u8>> {
        if self.needles.is_empty() {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let mut hits: Vec<(usize, usize)> = Vec::new();
        for needle in &self.needles {
            hits.extend(memchr::memmem::find_iter(&lower, needle).map(|at| (at, at + needle.len())));
        }
        if hits.is_empty() {
            return None;
        }
        hits.sort_unstable();
        let mut out = Vec::with_capacity(text.len() + hits.len() * INSTEAD.len());
        let mut at = 0;
        for (start, end) in hits {
            let start = start.max(at);
            if start >= end {
                continue;
            }
            out.extend_from_slice(&text[at..start]);
            // What overlaps is one secret.
            let follows = at > 0 && start == at;
            match (start >= body, follows) {
                (true, _) => out.resize(out.len() + end - start, b'x'),
                (false, true) => {}
                (false, false) => out.extend_from_slice(INSTEAD),
            }
            at = end;
        }
        out.extend_from_slice(&text[at..]);
        Some(out)
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect()
}

/// With %-escapes for all that is not unreserved (RFC 3986 sec. 2.3).
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 3);
    for b in bytes {
        if b.is_ascii_alphanumeric() || b"-._~".contains(b) {
            out.push(*b);
        } else {
            out.extend(format!("%{b:02x}").into_bytes());
        }
    }
    out
}

/// What stands for these bytes in base64 when `before` (0 to 2, plus any multiple of three) other bytes stand before them: the letters that
/// depend on nothing else.
fn base64_within(bytes: &[u8], before: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| {
        let byte = (at / 8).checked_sub(before).and_then(|at| bytes.get(at)).copied().unwrap_or_default();
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    (first..end)
        .map(|letter| LETTERS[(0..6).fold(0, |value, at| value << 1 | bit(letter * 6 + at))])
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mask() -> Mask {
        let mut mask = Mask::default();
        mask.hide("Secret-1/ü", &["alice"]);
        mask
    }

    #[test]
    fn finds_a_secret_in_every_form() {
        for text in [
            "Secret-1/ü",
            "SECRET-1/ü",
            "x5365637265742d312fc3bcx",
            "%53%65%63%72%65%74%2D%31%2F%C3%BC",
            "Secret-1%2F%C3%BC",
            // base64 of it, of `a:`, `al:` and `alice:` before it.
            "U2VjcmV0LTEvw7w=",
            "YTpTZWNyZXQtMS/DvA==",
            "YTpTZWNyZXQtMS_DvA==",
            "YWw6U2VjcmV0LTEvw7w=",
            "YWxpY2U6U2VjcmV0LTEvw7w=",
        ] {
            let masked = mask().text(text).into_owned();
            assert!(masked.contains("redacted"), "{text} -> {masked}");
        }
        for text in ["nothing here", "Secret", "alice", ""] {
            assert_eq!(mask().text(text), text);
        }
        let latin = mask().message(b"SIP/2.0 403 Secret-1/\xfc\r\n\r\n").unwrap();
        assert_eq!(latin, b"SIP/2.0 403 redacted\r\n\r\n");
    }

    #[test]
    fn keeps_what_is_shown_anyway_and_what_is_too_short() {
        let mut mask = Mask::default();
        mask.hide("1001", &["1001"]);
        mask.hide("abc", &[]);
        mask.hide("Password", &[]);
        assert_eq!(mask.text("1001 abc password"), "1001 abc password");
    }

    #[test]
    fn keeps_the_length_of_a_body() {
        let mut mask = Mask::default();
        mask.hide_hash(b"0123456789abcdef0123456789abcdef");
        let message = b"A\r\n\r\nx 0123456789ABCDEF0123456789abcdef y";
        let masked = mask.message(message).unwrap();
        assert_eq!(masked.len(), message.len());
        assert!(masked.ends_with(b"xxxx y") && mask.message(b"A\r\n\r\nB").is_none());
    }

    #[test]
    fn neighbours_and_overlaps_leave_nothing() {
        let mut mask = Mask::default();
        mask.hide("aaaa", &[]);
        mask.hide("aabb", &[]);
        assert_eq!(mask.text("aaaabb aaaaaaa"), "redacted redacteda".replace("redacteda", "redactedaaa"));
    }
}
