//! Secrets out of evidence.
//!
//! Works on bytes, not on values: what is malformed may hold a secret as well. It masks too much rather than too little.
use crate::syntax::{HeaderName, class};
use std::borrow::Cow;
use std::ops::Range;

/// Parameters whose value is a secret, wherever they stand.
const PARAMETERS: [&[u8]; 20] = [
    b"response",
    b"rspauth",
    b"password",
    b"passwd",
    b"passphrase",
    b"pwd",
    b"secret",
    b"token",
    b"access_token",
    b"access-token",
    b"api_key",
    b"api-key",
    b"pn-prid",
    b"pn-tok",
    b"pn-key",
    b"ha1",
    b"auth",
    b"authorization",
    b"proxy-authorization",
    b"key",
];
/// Parts of header names whose whole value is a secret.
const HEADERS: [&[u8]; 6] = [b"cookie", b"token", b"password", b"secret", b"api-key", b"apikey"];
/// Starts of lines of SDP behind which a key stands (RFC 4568, RFC 4567, RFC 8839, RFC 4566).
const SDP_LINES: [&[u8]; 4] = [b"a=crypto:", b"a=key-mgmt:", b"a=ice-pwd:", b"k="];
/// Schemes of credentials that are one text.
const SCHEMES: [&[u8]; 2] = [b"basic", b"bearer"];

/// A copy of a message (or of what should have been one) in which no digest response, password, cookie or key is left; the length of lines may change.
///
/// Masked in the head with `redacted`, in the body with as many `x` as there were bytes, so that Content-Length stays true.
pub fn redact(message: &[u8]) -> Cow<'_, [u8]> {
    let body = body_offset(message);
    let mut ranges = Vec::new();
    let start_line = start_line(message);
    parameters(message, start_line, &mut ranges);
    uri_passwords(message, &mut ranges);
    lines(message, start_line, &mut ranges);
    if ranges.is_empty() {
        return Cow::Borrowed(message);
    }
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut out = Vec::with_capacity(message.len() + ranges.len() * 8);
    let mut at = 0;
    for range in ranges {
        let start = range.start.max(at);
        if start >= range.end {
            continue;
        }
        out.extend_from_slice(&message[at..start]);
        if start >= body {
            out.resize(out.len() + range.end - start, b'x');
        } else {
            out.extend_from_slice(b"redacted");
        }
        at = range.end;
    }
    out.extend_from_slice(&message[at..]);
    Cow::Owned(out)
}

/// A text for people (a fact, a finding, an error, a line of a log) in which no password of a URI, token or digest response is left.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut ranges = Vec::new();
    parameters(bytes, 0, &mut ranges);
    uri_passwords(bytes, &mut ranges);
    bare_passwords(bytes, &mut ranges);
    let mut base = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        bare_credentials(line, base, &mut ranges);
        base += line.len();
    }
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut out = Vec::with_capacity(text.len() + ranges.len() * 8);
    let mut at = 0;
    for range in ranges {
        let start = range.start.max(at);
        if start < range.end {
            out.extend_from_slice(&bytes[at..start]);
            out.extend_from_slice(b"redacted");
            at = range.end;
        }
    }
    out.extend_from_slice(&bytes[at..]);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// `user:password@host` as people write it, without a scheme.
fn bare_passwords(text: &[u8], ranges: &mut Vec<Range<usize>>) {
    const SCHEMES: [&[u8]; 8] = [b"sip", b"sips", b"tel", b"mailto", b"http", b"https", b"udp", b"tcp"];
    let mut from = 0;
    for at_sign in memchr::memchr_iter(b'@', text) {
        let piece = &text[from..at_sign];
        let start = from + piece.iter().rposition(|b| b" \t\r\n<>\"`'(".contains(b)).map_or(0, |at| at + 1);
        let word = &text[start..at_sign];
        if let Some(colon) = memchr::memchr(b':', word) {
            // In a line of a log a name may stand before it: `subject=sip:alice@h`.
            let of_field = |scheme: &[u8]| {
                word[..colon]
                    .rsplit(|b| *b == b'=')
                    .next()
                    .is_some_and(|name| name.eq_ignore_ascii_case(scheme))
            };
            let is_scheme = SCHEMES.iter().any(|scheme| word[..colon].eq_ignore_ascii_case(scheme));
            let behind = &word[colon + 1..];
            if !is_scheme && [&b"sip"[..], b"sips"].into_iter().any(of_field) {
                if let Some(second) = memchr::memchr(b':', behind).filter(|at| at + 1 < behind.len()) {
                    ranges.push(start + colon + second + 2..at_sign);
                }
            } else if !is_scheme && colon > 0 && colon + 1 < word.len() {
                ranges.push(start + colon + 1..at_sign);
            }
        }
        from = at_sign + 1;
    }
}

/// Where the first empty line ends.
pub(super) fn body_offset(message: &[u8]) -> usize {
    let start = message.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    crate::syntax::head_end(message, &mut start.clone()).unwrap_or(message.len())
}

/// Where the start line ends, 0 when the first line is none. Nothing is quoted in it, it is no header, and its version has to stay.
fn start_line(text: &[u8]) -> usize {
    let head = text.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let end = head + line_length(&text[head..]);
    memchr::memmem::find(&text[head..end], b"SIP/").map_or(0, |_| end)
}

/// The length of the first line for who takes a CR alone for a line end as well.
fn line_length(text: &[u8]) -> usize {
    match memchr::memchr2(b'\r', b'\n', text) {
        Some(cr) if text[cr] == b'\r' && text.get(cr + 1) == Some(&b'\n') => cr + 2,
        Some(end) => end + 1,
        None => text.len(),
    }
}

/// `name = value` and `name = "value"`.
fn parameters(text: &[u8], start_line: usize, ranges: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for equals in memchr::memchr_iter(b'=', text) {
        if equals < done {
            continue;
        }
        // White space around `=` is short in anything that is not made to annoy; the look back is bounded for the rest.
        let before = &text[equals.saturating_sub(64)..equals];
        let before =
            &before[..before.len() - before.iter().rev().take_while(|b| class::is(**b, class::LWS)).count()];
        if !before.last().is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let is_secret = PARAMETERS.iter().any(|name| {
            before.len() >= name.len()
                && before[before.len() - name.len()..].eq_ignore_ascii_case(name)
                && !before[..before.len() - name.len()].last().is_some_and(u8::is_ascii_alphanumeric)
        });
        if !is_secret {
            continue;
        }
        let start = after_space(text, equals + 1);
        let value = match text.get(start) {
            Some(b'"') if start >= start_line => start + 1..quoted_end(text, start + 1),
            Some(first) => {
                let start = start + usize::from(*first == b'"');
                let length = text[start..].iter().take_while(|b| !b"\",;&<> \t\r\n".contains(b)).count();
                start..start + length
            }
            None => continue,
        };
        done = value.end;
        if !value.is_empty() {
            ranges.push(value);
        }
    }
}

/// Where white space and folds end; the end of a line that is not folded is no white space.
fn after_space(text: &[u8], mut at: usize) -> usize {
    loop {
        at += match &text[at..] {
            [b' ' | b'\t', ..] => 1,
            [b'\n', b' ' | b'\t', ..] => 2,
            [b'\r', b'\n', b' ' | b'\t', ..] => 3,
            [b'\r', b'\n', ..] => return at,
            [b'\r', ..] => 1,
            _ => return at,
        };
    }
}

/// Where a quoted text ends: at its quote, or without one at the end of the line and its folds.
fn quoted_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', &text[at..]) {
        at += found;
        match text[at] {
            // A line end is never escaped.
            b'\\' if text.get(at + 1) == Some(&b'\n') => at += 1,
            b'\\' => at = (at + 2).min(text.len()),
            b'\n' if matches!(text.get(at + 1), Some(b' ' | b'\t')) => at += 1,
            _ => return at,
        }
    }
    text.len()
}

/// `scheme:user:password@` and `scheme://user:password@`. Between two `@` each byte is looked at once.
fn uri_passwords(text: &[u8], ranges: &mut Vec<Range<usize>>) {
    let mut from = 0;
    let mut was_masked = false;
    for at_sign in memchr::memchr_iter(b'@', text) {
        let piece = &text[from..at_sign];
        let cut = piece.iter().rposition(|b| b" \t\r\n<>\"".contains(b)).map(|at| at + 1);
        let start = from + cut.unwrap_or(0);
        let range = if was_masked && cut.is_none() {
            // The password itself holds an `@`, which nobody escaped.
            Some(start..at_sign)
        } else {
            password(&text[start..at_sign]).map(|offset| start + offset..at_sign)
        };
        was_masked = range.is_some();
        ranges.extend(range.filter(|r| !r.is_empty()));
        from = at_sign + 1;
    }
}

/// Where the password begins in what stands in front of an `@`.
fn password(userinfo: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let colon = from + memchr::memchr(b':', &userinfo[from..])?;
        let scheme = &userinfo[..colon];
        let is_sip = [&b"sip"[..], b"sips"].iter().any(|name| {
            scheme.len() >= name.len() && scheme[scheme.len() - name.len()..].eq_ignore_ascii_case(name)
        });
        let user = match &userinfo[colon + 1..] {
            [b'/', b'/', ..] => colon + 3,
            _ if is_sip => colon + 1,
            _ => {
                from = colon + 1;
                continue;
            }
        };
        return memchr::memchr(b':', &userinfo[user..]).map(|second| user + second + 1);
    }
}

/// Whole lines, with their folds: credentials, cookies and tokens in headers, keys in SDP.
fn lines(text: &[u8], start_line: usize, ranges: &mut Vec<Range<usize>>) {
    let mut at = start_line;
    while at < text.len() {
        let mut end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |lf| at + lf + 1);
        while let Some(b' ' | b'\t') = text.get(end) {
            end = memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |lf| end + lf + 1);
        }
        let line = &text[at..end];
        let length = line.trim_ascii_end().len();
        // A CR alone is white space to us and the end of the line to others: what stands behind it counts as a line as well, and the
        // secret in it ends with the whole.
        let mut start = 0;
        while start < length {
            let next = start + line_length(&line[start..length]);
            line_secret(text, at + start..at + next, at + length, ranges);
            start = next;
        }
        bare_credentials(line, at, ranges);
        at = end;
    }
}

/// The secret of the line `piece`, which goes up to `end`.
fn line_secret(text: &[u8], piece: Range<usize>, end: usize, ranges: &mut Vec<Range<usize>>) {
    let at = piece.start;
    let line = &text[piece];
    if let Some(name) = SDP_LINES.iter().find(|name| starts_caseless(line, name)) {
        let value = sdp_secret(&text[at + name.len()..end]);
        ranges.push(at + name.len() + value.start..at + name.len() + value.end);
    } else if let Some(colon) = memchr::memchr(b':', line) {
        let name = class::trim(&line[..colon]);
        let value = &text[at + colon + 1..end];
        let start = end - value.len() + value.iter().take_while(|b| class::is(**b, class::LWS)).count();
        let is_secret = HEADERS.iter().any(|part| contains_caseless(name, part));
        let is_authorization = matches!(
            HeaderName::from_bytes(name),
            HeaderName::Authorization | HeaderName::ProxyAuthorization
        );
        if is_secret && start < end {
            ranges.push(start..end);
        }
        if is_authorization && start < end {
            let value = &text[start..end];
            let scheme = value.iter().take_while(|b| class::is(**b, class::TOKEN)).count();
            // Of Digest only the response is a secret; of others nobody knows.
            // What is between them stays: a fold in it keeps its white space.
            let space = value[scheme..].iter().take_while(|b| class::is(**b, class::LWS)).count();
            if !value[..scheme].eq_ignore_ascii_case(b"digest") && scheme < value.len() {
                ranges.push(start + scheme + space..end);
            }
        }
    }
}

/// `Basic dXNlcjpwdw==` in a line that does not say what it is.
fn bare_credentials(line: &[u8], base: usize, ranges: &mut Vec<Range<usize>>) {
    let mut start = 0;
    for (at, _) in line.iter().enumerate().filter(|(_, b)| class::is(**b, class::LWS)) {
        let word = &line[start..at];
        start = at + 1;
        if !SCHEMES.iter().any(|scheme| {
            word.len() >= scheme.len() && word[word.len() - scheme.len()..].eq_ignore_ascii_case(scheme)
        }) {
            continue;
        }
        let text = &line[start..];
        let token = text.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b)).count();
        if token >= 4 && text.get(token) != Some(&b'"') {
            ranges.push(base + start..base + start + token);
        }
    }
}

/// The key in the rest of an SDP line: behind `inline:` where that stands, otherwise all of it.
fn sdp_secret(value: &[u8]) -> Range<usize> {
    let start = memchr::memmem::find(value, b"inline:").map_or(0, |at| at + 7);
    start..value.len()
}

fn starts_caseless(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|t| t.eq_ignore_ascii_case(start))
}

fn contains_caseless(text: &[u8], part: &[u8]) -> bool {
    text.len() <= 256 && text.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn masked(text: &str) -> String {
        String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn masks_secrets_and_keeps_the_rest() {
        for (text, wanted) in [
            (
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"6629fa\", cnonce=\"c\"\r\n",
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"redacted\", cnonce=\"c\"\r\n",
            ),
            ("garbage response = 6629fa, x", "garbage response = redacted, x"),
            ("x: response=\"6629", "x: response=\"redacted"),
            ("x-token sip:a SIP/2.0\r\nTo: x", "x-token sip:a SIP/2.0\r\nTo: x"),
            ("basic sip:a SIP/2.0\r\nTo: x", "basic sip:a SIP/2.0\r\nTo: x"),
            ("BYE sip:a;response=\"66 SIP/2.0\r\nTo: x", "BYE sip:a;response=\"redacted SIP/2.0\r\nTo: x"),
            ("x: response=\r\nTo: <sip:a@b>\r\n", "x: response=\r\nTo: <sip:a@b>\r\n"),
            ("x: response=\r\n 6629fa\r\nTo: x", "x: response=\r\n redacted\r\nTo: x"),
            ("x: response=\"66\\\nTo: x\r\n", "x: response=\"redacted\nTo: x\r\n"),
            ("x: response=\"66\r\n 29\", y\r\n", "x: response=\"redacted\", y\r\n"),
            ("Authorization: Basic dXNlcjpwdw==\r\nTo: x", "Authorization: Basic redacted\r\nTo: x"),
            ("Authorization: Odd\n  a=b\r\nTo: x", "Authorization: Odd\n  redacted\r\nTo: x"),
            ("Authorization: Odd=a b\r\nTo: x", "Authorization: Oddredacted\r\nTo: x"),
            // A CR alone: white space to us, a line end to others.
            ("x: response=\r\"6629\", y\r\n", "x: response=\r\"redacted\", y\r\n"),
            ("x: a\rAuthorization: Odd abc\r\nTo: x", "x: a\rAuthorization: Odd redacted\r\nTo: x"),
            ("x: a\rCookie: id\rTo: y\r\nTo: x", "x: a\rCookie: redacted\r\nTo: x"),
            ("BYE sip:a SIP/2.0\rCookie: a\rTo: x\r\r", "BYE sip:a SIP/2.0\rCookie: redacted\r\r"),
            ("A\r\n\r\nv=0\ra=ice-pwd:qwe\rs=-\r\nv=0", "A\r\n\r\nv=0\ra=ice-pwd:xxxxxxx\r\nv=0"),
            ("Cookie: \r\n a\r\nTo: x", "Cookie: \r\n redacted\r\nTo: x"),
            ("zation: Basic dXNlcjpwdw==\r\n", "zation: Basic redacted\r\n"),
            ("Proxy-Authorization: Bearer abc.def\r\n", "Proxy-Authorization: Bearer redacted\r\n"),
            ("Authorization: Odd a=b,\r\n c=d\r\nTo: x", "Authorization: Odd redacted\r\nTo: x"),
            ("WWW-Authenticate: Basic realm=\"x\"\r\n", "WWW-Authenticate: Basic realm=\"x\"\r\n"),
            ("To: <sip:alice:pw@h:5060>;tag=1", "To: <sip:alice:redacted@h:5060>;tag=1"),
            ("To: <sips:alice:p@w@h>", "To: <sips:alice:redacted@redacted@h>"),
            (
                "REGISTER sip:h:5060 SIP/2.0\r\nCall-ID: a:b@c\r\n",
                "REGISTER sip:h:5060 SIP/2.0\r\nCall-ID: a:b@c\r\n",
            ),
            ("Call-Info: <http://u:pw@h/x>", "Call-Info: <http://u:redacted@h/x>"),
            (
                "Set-Cookie: id=1\r\nP-Access-Token: xyz\r\n",
                "Set-Cookie: redacted\r\nP-Access-Token: redacted\r\n",
            ),
            (
                "A\r\n\r\na=crypto:1 AES inline:abcd|2^20\r\na=ice-pwd:qwe\r\nv=0",
                "A\r\n\r\na=crypto:1 AES inline:xxxxxxxxx\r\na=ice-pwd:xxx\r\nv=0",
            ),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn masks_texts_for_people() {
        for (text, wanted) in [
            (
                "lists <sip:alice:S1@192.0.2.5>;pn-prid=S2;token=S3, and more",
                "lists <sip:alice:redacted@192.0.2.5>;pn-prid=redacted;token=redacted, and more",
            ),
            ("subject=sip:alice@h -> sip:dan@h", "subject=sip:alice@h -> sip:dan@h"),
            ("subject=sip:alice:S1@h", "subject=sip:alice:redacted@h"),
            ("address of record \"alice:S1@h\": bad", "address of record \"alice:redacted@h\": bad"),
            ("response=\"66\" came", "response=\"redacted\" came"),
            ("sip:alice@h over udp, at 192.0.2.1:5060", "sip:alice@h over udp, at 192.0.2.1:5060"),
            ("Basic dXNlcjpwdw== was sent", "Basic redacted was sent"),
            ("two lines\nBearer abcdefgh", "two lines\nBearer redacted"),
        ] {
            assert_eq!(redact_text(text), wanted);
        }
        assert!(matches!(redact_text("plain: text, 1=2"), Cow::Borrowed(_)));
    }

    #[test]
    fn borrows_when_there_is_nothing_to_hide() {
        assert!(matches!(redact(b"OPTIONS sip:a@h SIP/2.0\r\n\r\n"), Cow::Borrowed(_)));
        assert!(matches!(redact(b""), Cow::Borrowed(_)));
        assert!(matches!(redact(b"\xff\x00=@::@="), Cow::Borrowed(_)));
    }
}
