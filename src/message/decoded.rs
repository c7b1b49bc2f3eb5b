//! A text read in another way of writing, where each byte knows where it stood.

/// Letters of base64 in a row that are decoded at once.
const LONGEST: usize = 4_096;

/// Bytes, and where they stand in the text that they were read out of.
pub(super) struct View {
    bytes: Vec<u8>,
    /// Where each stands; `None` where they are the text itself.
    places: Option<Vec<(u32, u32)>>,
}

impl View {
    pub(super) fn of(text: &[u8]) -> View {
        View { bytes: text.to_vec(), places: None }
    }
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Where these bytes stand in the text.
    pub(super) fn span(&self, from: usize, to: usize) -> (usize, usize) {
        let Some(places) = &self.places else { return (from, to) };
        let start = places.get(from).map_or(0, |(start, _)| *start as usize);
        (start, places.get(to.saturating_sub(1)).map_or(start, |(_, end)| *end as usize))
    }
    fn decoded(&self, decoded: impl Iterator<Item = (u8, usize, usize)>) -> View {
        let place = |from, to| {
            let (start, end) = self.span(from, to);
            (start as u32, end as u32)
        };
        let (bytes, places) = decoded.map(|(byte, from, to)| (byte, place(from, to))).unzip();
        View { bytes, places: Some(places) }
    }
    /// Without %-escapes (RFC 3986 sec. 2.1); `None` when it has none.
    pub(super) fn without_percents(&self) -> Option<View> {
        let escaped = |at: usize| match self.bytes.get(at..at + 3) {
            Some([b'%', high, low]) => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        memchr::memchr_iter(b'%', &self.bytes).find_map(escaped)?;
        let mut at = 0;
        let decoded = std::iter::from_fn(|| {
            let (from, byte) = (at, *self.bytes.get(at)?);
            let (byte, length) = escaped(at).map_or((byte, 1), |byte| (byte, 3));
            at += length;
            Some((byte, from, at))
        });
        Some(self.decoded(decoded))
    }
    /// Without the backslashes of quoted pairs (RFC 3261 sec. 25.1, JSON); `None` when it has none.
    pub(super) fn without_backslashes(&self) -> Option<View> {
        memchr::memchr(b'\\', &self.bytes)?;
        let mut at = 0;
        let decoded = std::iter::from_fn(|| {
            let from = at;
            at += usize::from(self.bytes.get(at) == Some(&b'\\') && at + 1 < self.bytes.len());
            let byte = *self.bytes.get(at)?;
            at += 1;
            Some((byte, from, at))
        });
        Some(self.decoded(decoded))
    }
    /// Without blanks, dashes, and what nobody sees (soft hyphens, signs of no width, in UTF-8 or Latin-1); `None` when it has none.
    pub(super) fn without_gaps(&self) -> Option<View> {
        let gap = |at: usize| match self.bytes.get(at..).unwrap_or_default() {
            [b' ' | b'\t' | b'-' | 0xad, ..] => 1,
            [0xc2, 0xad, ..] => 2,
            [0xe2, 0x80, 0x8b..=0x8f, ..] | [0xe2, 0x81, 0xa0..=0xaf, ..] | [0xef, 0xbb, 0xbf, ..] => 3,
            _ => 0,
        };
        (0..self.bytes.len()).any(|at| gap(at) > 0).then_some(())?;
        let mut at = 0;
        let decoded = std::iter::from_fn(|| {
            while gap(at) > 0 {
                at += gap(at);
            }
            let (from, byte) = (at, *self.bytes.get(at)?);
            at += 1;
            Some((byte, from, at))
        });
        Some(self.decoded(decoded))
    }
    /// What these hexadecimal digits (by their places) stand for.
    pub(super) fn hex(&self, places: &[usize]) -> View {
        let value = |place: usize| self.bytes.get(place).copied().and_then(digit).unwrap_or_default();
        self.decoded(
            places.as_chunks().0.iter().map(|[high, low]| (value(*high) << 4 | value(*low), *high, low + 1)),
        )
    }
    /// What the letters of base64 around a place stand for, whichever of four of them is the first of a group.
    pub(super) fn base64(&self, at: usize) -> [View; 4] {
        let is_letter = |b: &&u8| sextet(**b).is_some();
        let before = self.bytes[..at].iter().rev().take(LONGEST / 2).take_while(is_letter).count();
        let behind = self.bytes[at..].iter().take(LONGEST / 2).take_while(is_letter).count();
        [0, 1, 2, 3].map(|skipped| {
            let from = (at - before + skipped).min(at + behind);
            let letters = &self.bytes[from..at + behind];
            let bytes = letters.len() * 6 / 8;
            let value = |letter: usize| letters.get(letter).copied().and_then(sextet).unwrap_or_default();
            self.decoded((0..bytes).map(|byte| {
                let (first, last) = (byte * 8 / 6, (byte * 8 + 7) / 6);
                let two = u16::from(value(first)) << 6 | u16::from(value(last));
                ((two >> (4 - byte * 8 % 6)) as u8, from + first, from + last + 1)
            }))
        })
    }
}

/// The value of a hexadecimal digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The value of a letter of base64, also of that for URLs (RFC 4648 sec. 4, 5).
fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_writing_is_read_with_its_places() {
        let view = View::of(b"a%2540b").without_percents().expect("escapes");
        assert_eq!((view.bytes(), view.span(1, 2)), (b"a%40b".as_slice(), (1, 4)));
        let again = view.without_percents().expect("escapes");
        assert_eq!((again.bytes(), again.span(1, 2), again.span(2, 3)), (b"a@b".as_slice(), (1, 6), (6, 7)));
        assert!(again.without_percents().is_none() && View::of(b"59 % of").without_percents().is_none());
        let view = View::of(br#"a\"\\b\"#).without_backslashes().expect("backslashes");
        assert_eq!((view.bytes(), view.span(1, 2)), (br#"a"\b\"#.as_slice(), (1, 3)));
        let view = View::of(b"61:62");
        assert_eq!(view.hex(&[0, 1, 3, 4]).bytes(), b"ab");
        assert_eq!(view.hex(&[0, 1, 3, 4]).span(1, 2), (3, 5));
        let views = View::of(b" YWxpY2U6czNj ").base64(4);
        assert_eq!((views[0].bytes(), views[0].span(6, 9)), (b"alice:s3c".as_slice(), (9, 13)));
        let views = View::of(b"xYWxpY2U6").base64(0);
        assert!(views[1].bytes().starts_with(b"alice"));
        for at in 0..3 {
            assert_eq!(View::of(b"ab ").base64(at).map(|view| view.bytes().len() <= 1), [true; 4]);
        }
    }
}
