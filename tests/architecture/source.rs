//! A Rust file with its comments, literals and tests told apart. Everything keeps its place, so that line numbers stay right.

/// One file, in three views of the same length.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the package, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) whole: String,
    /// Without comments, literals and tests.
    pub(crate) code: String,
    /// Without comments and tests; literals stay.
    pub(crate) text: String,
    /// Tests only, without comments and literals.
    pub(crate) tests: String,
}

impl Source {
    pub(crate) fn new(path: &str, whole: &str) -> Source {
        let (text, code) = blank_comments_and_literals(whole);
        let is_test = tests_in(&code, is_test_file(path));
        Source {
            path: path.to_owned(),
            whole: whole.to_owned(),
            text: mask(&text, |at| !is_test[at]),
            tests: mask(&code, |at| is_test[at]),
            code: mask(&code, |at| !is_test[at]),
        }
    }

    /// Where each occurrence of `needle` begins in `view`; a needle that begins or ends with a letter stands alone.
    pub(crate) fn find<'a>(view: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
        let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        view.match_indices(needle).map(|(at, _)| at).filter(move |&at| {
            let bytes = view.as_bytes();
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let (first, last) = (needle.as_bytes().first(), needle.as_bytes().last());
            let goes_on = word(last) && word(bytes.get(at + needle.len()));
            let came_from = word(first) && word(before);
            !(came_from || goes_on)
        })
    }

    /// The line (from 1) of a place in any view.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.whole[..at].matches('\n').count() + 1
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
}

/// Keeps the bytes for which `keep` holds, and all line ends.
fn mask(text: &str, keep: impl Fn(usize) -> bool) -> String {
    let kept = text.bytes().enumerate().map(|(at, byte)| if byte == b'\n' || keep(at) { byte } else { b' ' });
    String::from_utf8_lossy(&kept.collect::<Vec<u8>>()).into_owned()
}

/// The file without comments, and without comments and literals. Bytes outside ASCII become `?`.
fn blank_comments_and_literals(whole: &str) -> (String, String) {
    let ascii: Vec<u8> = whole.bytes().map(|byte| if byte.is_ascii() { byte } else { b'?' }).collect();
    let (mut text, mut code) = (ascii.clone(), ascii.clone());
    let blank = |view: &mut [u8], from: usize, to: usize| {
        view[from..to].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    };
    let mut at = 0;
    while at < ascii.len() {
        let rest = &ascii[at..];
        let word_before = at > 0 && (ascii[at - 1].is_ascii_alphanumeric() || ascii[at - 1] == b'_');
        let (length, comment) = if rest.starts_with(b"//") {
            (rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), true)
        } else if rest.starts_with(b"/*") {
            (block_comment(rest), true)
        } else if rest[0] == b'"' {
            (quoted(rest), false)
        } else if rest[0] == b'\'' {
            (character(rest), false)
        } else if !word_before && let Some(length) = raw_string(rest) {
            (length, false)
        } else {
            (0, false)
        };
        if length == 0 {
            at += 1;
            continue;
        }
        if comment {
            blank(&mut text, at, at + length);
        }
        blank(&mut code, at, at + length);
        at += length;
    }
    let string = |view: Vec<u8>| String::from_utf8(view).unwrap();
    (string(text), string(code))
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of a character literal; 0 for a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return rest.iter().skip(3).position(|byte| *byte == b'\'').map_or(0, |end| end + 4);
    }
    // One character outside ASCII is up to four bytes.
    (2..=5)
        .find(|&end| rest.get(end) == Some(&b'\'') && (end == 2 || rest[1] == b'?'))
        .map_or(0, |end| end + 1)
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let start = if rest.starts_with(b"br") { 2 } else { 1 };
    if rest[start - 1] != b'r' {
        return None;
    }
    let hashes = rest[start..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(start + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = start + hashes + 1;
    let length = rest[body..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| body + length + end.len()))
}

/// Which bytes stand under `#[cfg(test)]`: up to the end of the block, or of the statement.
fn tests_in(code: &str, all: bool) -> Vec<bool> {
    let bytes = code.as_bytes();
    let mut is_test = vec![all; bytes.len()];
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let (mut depth, mut at) = (0_u32, start);
        while at < bytes.len() {
            match bytes[at] {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(bytes[at - 1], b'}' | b';') {
                break;
            }
        }
        is_test[start..at].fill(true);
    }
    is_test
}
