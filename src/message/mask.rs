//! Secrets out of texts, by value: what a run knows to be secret is found wherever a peer repeats it, also encoded.
use super::decoded::{View, digit};
use super::redact::{body_offset, redact_text};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Bound;
use zeroize::Zeroize;

/// Shorter values are no secrets that could be looked for: they stand everywhere by chance.
const LEAST: usize = 4;
/// Hexadecimal digits of a hash that are a secret already.
const HASH_DIGITS: usize = 16;
/// Blanks and signs in a row that may stand between the digits of a hash.
const MOST_BETWEEN: usize = 8;
/// Shortest secret that is looked for with blanks among its letters: of a shorter one the letters follow each other by chance.
const LEAST_PARTED: usize = 8;
/// Times that a peer may have escaped something that is escaped already.
const MOST_ESCAPED: usize = 3;
/// What stands where a text was cut.
const CUT: &[u8] = b"...";
/// What stands in the place of a secret.
const INSTEAD: &[u8] = b"redacted";
/// A word that our own sentences use; who has it for a password has none.
const OUR_WORDS: [&str; 1] = ["password"];

/// The secret values of a run: passwords, what is made of them, digest responses that were sent.
///
/// Found as they are, without regard to case, and in base64, hex, %-escapes and behind backslashes, wholly or in part; of hashes any 16 digits
/// in a row are found, whatever blanks are among them. However many values there are, a text is read through once for each way of writing.
///
/// ```
/// use ringback::message::Mask;
///
/// let mut mask = Mask::default();
/// mask.hide("s3cr3t!", &["alice"]);
/// assert_eq!(mask.text("403 s3cr3t! is wrong, s3cr%33t! too"), "403 redacted is wrong, redacted too");
/// assert_eq!(mask.text("alice:s3cr3t! is YWxpY2U6czNjcjN0IQ=="), "alice:redacted is YWxpY2U6redacted==");
/// assert_eq!(mask.text("<sip:bob:pw@192.0.2.1>;token=abc"), "<sip:bob:redacted@192.0.2.1>;token=redacted");
/// mask.hide_hash(b"6629fae49393a05397450978507c4ef1");
/// assert_eq!(mask.text("bad 6629 FAE4 9393 a053 9745, ours"), "bad redacted, ours");
/// ```
#[derive(Clone, Default)]
pub struct Mask {
    /// Passwords in lower case, and the first bytes of each.
    secrets: BTreeSet<Box<[u8]>>,
    firsts: Firsts,
    /// The first letters of all of these in base64.
    base64: Firsts,
    /// Each [`HASH_DIGITS`] digits in a row of the hashes.
    hashes: HashSet<u64, Quick>,
}

/// The first bytes of values that are looked for: at most places of a text a bit for two of them says that none begins there.
#[derive(Clone, Default)]
struct Firsts {
    /// A bit for each two bytes; empty while there is no value.
    pairs: Box<[u64]>,
    all: HashSet<u32, Quick>,
}

impl Firsts {
    fn insert(&mut self, first: [u8; LEAST]) {
        if self.pairs.is_empty() {
            self.pairs = vec![0; (1 << 16) / 64].into();
        }
        let first = u32::from_be_bytes(first);
        let (word, bit) = Self::place(first);
        if let Some(word) = self.pairs.get_mut(word) {
            *word |= bit;
        }
        self.all.insert(first);
    }

    /// The bytes as one number, the first the highest.
    fn contains(&self, first: u32) -> bool {
        let (word, bit) = Self::place(first);
        self.pairs.get(word).is_some_and(|word| word & bit != 0) && self.all.contains(&first)
    }

    fn place(first: u32) -> (usize, u64) {
        let pair = first as usize >> 16;
        (pair / 64, 1 << (pair % 64))
    }
}

type Quick = BuildHasherDefault<QuickHasher>;

/// One multiplication: every place of every text is looked up. The keys are our own, so that nobody can crowd them.
#[derive(Debug, Clone, Copy, Default)]
struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }
    fn write_u64(&mut self, value: u64) {
        let product = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

impl Drop for Mask {
    /// They are passwords: wiped.
    fn drop(&mut self) {
        for mut secret in std::mem::take(&mut self.secrets) {
            secret.zeroize();
        }
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("values", &self.secrets.len()).finish_non_exhaustive()
    }
}

impl Mask {
    /// Hides a password. Values with fewer than four bytes are not looked for, nor those that are shown anyway (`public`: user and domain of
    /// the account).
    pub fn hide(&mut self, secret: &str, public: &[&str]) {
        let is_public = public.iter().chain(&OUR_WORDS).any(|shown| shown.eq_ignore_ascii_case(secret));
        if is_public {
            return;
        }
        self.add(secret.as_bytes());
        // As PBXs of before write it.
        if let Ok(latin) = secret.chars().map(|c| u8::try_from(u32::from(c))).collect::<Result<Vec<u8>, _>>()
        {
            let latin = zeroize::Zeroizing::new(latin);
            self.add(&latin);
        }
    }

    /// Hides a digest response, a hash: hexadecimal digits, 16 at least.
    pub fn hide_hash(&mut self, hash: &[u8]) {
        let Some(digits) = hash.iter().map(|b| digit(*b)).collect::<Option<Vec<u8>>>() else {
            return self.add(hash);
        };
        for digits in digits.windows(HASH_DIGITS) {
            self.hashes.insert(digits.iter().fold(0, |value, digit| value << 4 | u64::from(*digit)));
        }
        let bare: Vec<u8> = digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect();
        for bytes in [hash.to_ascii_lowercase(), hash.to_ascii_uppercase(), bare] {
            self.add_base64(&bytes);
        }
    }

    fn add(&mut self, secret: &[u8]) {
        let lower = secret.to_ascii_lowercase().into_boxed_slice();
        let Some(first) = lower.first_chunk() else { return };
        self.firsts.insert(*first);
        if self.secrets.insert(lower) {
            self.add_base64(secret);
        }
    }

    fn add_base64(&mut self, bytes: &[u8]) {
        for before in 0..3 {
            let letters = base64_within(bytes, before);
            if let Some(first) = letters.first_chunk() {
                self.base64.insert(*first);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.hashes.is_empty()
    }

    /// A text without secrets: neither those that stand in known places ([`redact_text`]) nor those that are known by value.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let clean = redact_text(text);
        match self.replaced(clean.as_bytes(), usize::MAX, |_| false) {
            None => clean,
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// A message in which no secret is left that is known by value; `None` when there is none in it. In the body its length stays.
    pub fn message(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.replaced(message, body_offset(message), |_| false)
    }

    /// The same of a message that we sent: the `response` of its credentials stays. (Reports mask that by its place.)
    pub fn own_message(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.replaced(message, body_offset(message), |at| is_response(message.get(..at).unwrap_or_default()))
    }

    fn replaced(&self, text: &[u8], body: usize, stays: impl Fn(usize) -> bool) -> Option<Vec<u8>> {
        if self.is_empty() || u32::try_from(text.len()).is_err() {
            return None;
        }
        let mut hits = self.found(text);
        hits.sort_unstable();
        // What overlaps is one secret.
        hits.dedup_by(|next, one| {
            let overlaps = next.0 < one.1;
            one.1 = if overlaps { one.1.max(next.1) } else { one.1 };
            overlaps
        });
        hits.retain(|(start, _)| !stays(*start));
        if hits.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len() + hits.len() * INSTEAD.len());
        let mut at = 0;
        for (start, end) in hits {
            out.extend_from_slice(&text[at..start]);
            // Neighbours are one too; in a body the length stays.
            match (start >= body, at > 0 && start == at) {
                (true, _) => out.resize(out.len() + end - start, b'x'),
                (false, true) => {}
                (false, false) => out.extend_from_slice(INSTEAD),
            }
            at = end;
        }
        out.extend_from_slice(&text[at..]);
        Some(out)
    }

    /// Where secrets stand.
    fn found(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        let mut view = View::of(text);
        for _ in 0..=MOST_ESCAPED {
            self.look(&view, &mut hits);
            if let Some(unescaped) = view.without_backslashes() {
                self.look(&unescaped, &mut hits);
            }
            if let Some(joined) = view.without_gaps() {
                self.secrets_of(LEAST_PARTED, &joined, &mut hits);
            }
            match view.without_percents() {
                Some(decoded) => view = decoded,
                None => break,
            }
        }
        hits
    }

    fn look(&self, view: &View, hits: &mut Vec<(usize, usize)>) {
        self.secrets_in(view, hits);
        self.digits_in(view, hits);
        let mut letters = 0;
        for (end, letter) in (1..).zip(view.bytes()) {
            letters = letters << 8 | u32::from(of_base64(*letter));
            if end >= LEAST && self.base64.contains(letters) {
                for decoded in view.base64(end - LEAST) {
                    self.secrets_in(&decoded, hits);
                    self.digits_in(&decoded, hits);
                    self.bare_hashes_in(&decoded, hits);
                }
            }
        }
    }

    fn secrets_in(&self, view: &View, hits: &mut Vec<(usize, usize)>) {
        self.secrets_of(LEAST, view, hits);
    }

    /// The same, of secrets with this many bytes or more.
    fn secrets_of(&self, least: usize, view: &View, hits: &mut Vec<(usize, usize)>) {
        if self.secrets.is_empty() {
            return;
        }
        let text = view.bytes().to_ascii_lowercase();
        let cuts: Vec<usize> = memchr::memmem::find_iter(&text, CUT).collect();
        let mut first = 0;
        for (end, byte) in (1..).zip(&text) {
            first = first << 8 | u32::from(*byte);
            if end < LEAST || !self.firsts.contains(first) {
                continue;
            }
            let start = end - LEAST;
            let rest = text.get(start..).unwrap_or_default();
            if let Some(length) = self.longest_at(rest).filter(|length| *length >= least) {
                hits.push(view.span(start, start + length));
            }
            // What stands before a cut may be the beginning of a secret.
            let cut = cuts.get(cuts.partition_point(|cut| *cut < start + least));
            if let Some(cut) = cut.filter(|cut| self.begins_with(&text[start..**cut])) {
                hits.push(view.span(start, *cut));
            }
        }
    }

    /// The length of the longest secret that a text begins with.
    fn longest_at(&self, text: &[u8]) -> Option<usize> {
        let mut most = text;
        loop {
            let last =
                self.secrets.range::<[u8], _>((Bound::Unbounded, Bound::Included(most))).next_back()?;
            let alike = last.iter().zip(text).take_while(|(one, other)| one == other).count();
            if alike == last.len() {
                return Some(alike);
            }
            // All that a text begins with stands before it in order; what has less in common is no candidate.
            most = text.get(..alike).filter(|most| most.len() >= LEAST)?;
        }
    }

    /// Does a secret begin with this?
    fn begins_with(&self, text: &[u8]) -> bool {
        let next = self.secrets.range::<[u8], _>((Bound::Included(text), Bound::Unbounded)).next();
        next.is_some_and(|secret| secret.starts_with(text))
    }

    /// Hexadecimal digits, with blanks among them or without: parts of hashes, and passwords.
    fn digits_in(&self, view: &View, hits: &mut Vec<(usize, usize)>) {
        let (mut places, mut value, mut between, mut is_suspect) = (Vec::new(), 0_u64, 0, false);
        for (at, byte) in view.bytes().iter().chain(b"x").enumerate() {
            match digit(*byte) {
                Some(digit) => {
                    (value, between) = (value << 4 | u64::from(digit), 0);
                    places.push(at);
                    let first = places.len().checked_sub(HASH_DIGITS).and_then(|first| places.get(first));
                    if let Some(first) = first.filter(|_| self.hashes.contains(&value)) {
                        hits.push(view.span(*first, at + 1));
                    }
                    let begins = || self.firsts.contains(lower_case(value as u32));
                    is_suspect |= places.len() >= 2 * LEAST && begins();
                }
                None if !byte.is_ascii_alphanumeric() && between < MOST_BETWEEN => between += 1,
                None => {
                    if std::mem::take(&mut is_suspect) {
                        self.secrets_in(&view.hex(&places), hits);
                        self.secrets_in(&view.hex(&places[1..]), hits);
                    }
                    // The digits of a hash, written as digits once more.
                    if !self.hashes.is_empty() && places.len() >= 2 * HASH_DIGITS {
                        self.digits_in(&view.hex(&places), hits);
                        self.digits_in(&view.hex(&places[1..]), hits);
                    }
                    places.clear();
                }
            }
        }
    }

    /// Hashes as bytes, not as digits.
    fn bare_hashes_in(&self, view: &View, hits: &mut Vec<(usize, usize)>) {
        for (start, bytes) in view.bytes().windows(HASH_DIGITS / 2).enumerate() {
            let value = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            if self.hashes.contains(&value) {
                hits.push(view.span(start, start + bytes.len()));
            }
        }
    }
}

/// Four bytes of a text in lower case.
fn lower_case(bytes: u32) -> u32 {
    let mut bytes = bytes.to_be_bytes();
    bytes.make_ascii_lowercase();
    u32::from_be_bytes(bytes)
}

/// The letter of base64 that stands for the same as this one of that for URLs.
fn of_base64(letter: u8) -> u8 {
    match letter {
        b'-' => b'+',
        b'_' => b'/',
        letter => letter,
    }
}

/// What stands for these bytes in base64 when `before` (0 to 2, plus any multiple of three) other bytes stand before them: the letters that
/// depend on nothing else.
fn base64_within(bytes: &[u8], before: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    let (mut letters, mut value, mut bits) = (Vec::with_capacity(end), 0_u32, 0);
    for byte in std::iter::repeat_n(&0, before).chain(bytes) {
        (value, bits) = (value << 8 | u32::from(*byte), bits + 8);
        while bits >= 6 {
            bits -= 6;
            letters.push(LETTERS[(value >> bits & 63) as usize]);
        }
    }
    letters.drain(..first.min(letters.len()));
    letters
}

/// Does the value of a parameter `response` follow this?
fn is_response(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    before.last_chunk::<9>().is_some_and(|name| name.eq_ignore_ascii_case(b"response="))
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
        assert_eq!(mask.text("aaaabb aaaaaaa"), "redacted redacted");
    }

    #[test]
    fn escapes_of_single_letters_and_escapes_of_escapes_hide_nothing() {
        let mut mask = Mask::default();
        mask.hide("p@ss\"w0rd", &["alice"]);
        for text in [
            "p%40ss%22w0rd",
            "%70@ss\"w0r%64",
            "p%2540ss%2522w0rd",
            "p@ss\\\"w0rd",
            "P@SS\"w%30RD",
            "7 0407373 2277 306 4 72 64",
            "70407373227730726400",
        ] {
            let masked = mask.text(text).into_owned();
            let left = ["w0rd", "ss", "w0r", "407373"].iter().find(|part| masked.contains(**part));
            assert!(left.is_none() || text.starts_with("7 04"), "{text} -> {masked}");
        }
        assert_eq!(mask.text("a p%40ss%22w0rd, 59 % of"), "a redacted, 59 % of");
        assert_eq!(mask.text("70:40:73:73:22:77:30:72:64!"), "redacted!");
    }

    #[test]
    fn blanks_and_signs_that_nobody_sees_part_no_secret() {
        let mut mask = Mask::default();
        mask.hide("Zq9kVt7pLwXy42mN", &[]);
        mask.hide("test", &[]);
        for text in [
            "Z q 9 k V t 7 p L w X y 4 2 m N",
            "Zq9kVt7p LwXy42mN",
            "Zq9k-Vt7p-LwXy-42mN",
            "Zq9kVt7p\u{ad}LwXy42mN",
        ] {
            assert_eq!(mask.text(&format!("403 {text}, no")), "403 redacted, no");
        }
        let split: String = "Zq9kVt7pLwXy42mN".chars().flat_map(|c| [c, '\u{200b}']).collect();
        assert!(mask.text(&split).starts_with("redacted"), "{}", mask.text(&split));
        assert_eq!(mask.text("late st, te st"), "late st, te st", "by chance");
    }

    #[test]
    fn the_digits_of_a_hash_may_be_written_in_digits() {
        let mut mask = Mask::default();
        mask.hide_hash(b"a02ef804dde71122334455667788a4cc");
        let hex: String = b"a02ef804dde71122334455667788a4cc".iter().map(|b| format!("{b:02X}")).collect();
        let parted: Vec<&str> = (0..hex.len() / 2).map(|at| &hex[2 * at..2 * at + 2]).collect();
        for text in [hex.clone(), hex.to_lowercase(), parted.join(":"), parted.join(" "), format!("0{hex}")] {
            let masked = mask.text(&format!("x {text} y")).into_owned();
            assert!(
                !masked.to_uppercase().contains("3032") && masked.contains("redacted"),
                "{text} -> {masked}"
            );
        }
        let other = "6162636465666768696a6b6c6d6e6f70".repeat(2);
        assert_eq!(mask.text(&other), other);
    }

    #[test]
    fn of_a_hash_sixteen_digits_are_a_secret_and_fifteen_are_none() {
        let mut mask = Mask::default();
        mask.hide_hash(b"a02ef804dde71122334455667788a4cc");
        for (text, masked) in [
            ("bad a02ef804 dde71122334455667788a4cc", "bad redacted"),
            ("\"a02ef804dde711223344556677\"", "\"redacted\""),
            ("x A02EF804DDE71122", "x redacted"),
            ("a02ef8\r\n 04-dde7:1122 3 4", "redacted 4"),
            ("%61%30%32ef804dde71122", "redacted"),
            ("a02ef804dde7112", "a02ef804dde7112"),
            ("a02ef804dde7112 y 2", "a02ef804dde7112 y 2"),
            // base64 of the digits, and of what they stand for.
            ("YTAyZWY4MDRkZGU3MTEyMjMzNDQ1NTY2Nzc4OGE0Y2M=", "redacted="),
            ("oC74BN3nESIzRFVmd4ikzA==", "redacted=="),
        ] {
            assert_eq!(mask.text(text), masked);
        }
    }

    #[test]
    fn a_secret_that_was_cut_is_masked_to_its_end() {
        assert_eq!(mask().text("he said Secret... and more"), "he said redacted... and more");
        assert_eq!(mask().text("he said Secret, and more"), "he said Secret, and more");
    }

    #[test]
    fn our_own_credentials_stay_in_what_we_sent_and_nothing_else_does() {
        let mut mask = mask();
        mask.hide_hash(b"0123456789abcdef0123456789abcdef");
        let line =
            "Authorization: Digest username=\"alice\",\r\n response=\"0123456789abcdef0123456789abcdef\"\r\n";
        let message = format!("ACK sip:Secret-1%2Fü@192.0.2.1 SIP/2.0\r\n{line}X: 0123456789abcdef\r\n\r\n");
        let masked = String::from_utf8(mask.own_message(message.as_bytes()).unwrap()).unwrap();
        assert_eq!(masked, format!("ACK sip:redacted@192.0.2.1 SIP/2.0\r\n{line}X: redacted\r\n\r\n"));
    }

    #[test]
    fn each_of_very_many_is_found() {
        let mut mask = Mask::default();
        for number in 0..70_000 {
            mask.hide(&format!("cust-{number:05}-pw"), &[]);
        }
        for number in [0, 63, 64, 65, 69_999] {
            assert_eq!(mask.text(&format!("x Cust-{number:05}-PW y")), "x redacted y");
        }
        assert_eq!(mask.text("x cust-70000-pw y"), "x cust-70000-pw y");
    }
}
