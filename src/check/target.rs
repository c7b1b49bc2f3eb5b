//! A dialled target as a Request-URI.

use super::address::{parse_sip, with_escaped_user, with_scheme};
use crate::error::{Argument, Error, Problem};
use crate::syntax::{Tel, Uri};

/// The Request-URI for a SIP URI, a `tel:` URI, a number, or a user of this domain.
///
/// # Errors
/// [`Error::Usage`] with what to write instead.
pub(super) fn request_uri(target: &str, domain: &str) -> Result<String, Error> {
    let written = target.trim().trim_start_matches('<').trim_end_matches('>');
    let usage = |problem: Problem| Error::usage(Argument::Target, written, problem);
    if written.is_empty() {
        return Err(usage(Problem::malformed(
            "it is empty",
            "write a number, sip:user@domain, or an account's name",
        )));
    }
    if written.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:")) {
        let problem = |_| {
            usage(Problem::malformed("it is no telephone number", "write it as tel:+12015550123 or tel:201"))
        };
        let uri = Uri::parse(written.as_bytes()).map_err(problem)?;
        let digits: Vec<u8> = Tel::from_uri(&uri).map_err(problem)?.digits().collect();
        return Ok(at_domain(&String::from_utf8_lossy(&digits), domain));
    }
    if written.contains(['@', ':']) {
        let full = with_scheme(written);
        let added = full.len() - written.len();
        let full = with_escaped_user(&full).into_owned();
        let parsed = parse_sip(&full, added).map_err(usage)?;
        if parsed.password().is_some() {
            return Err(usage(Problem::unusable("it holds a password", "write it as sip:user@domain")));
        }
        return Ok(full);
    }
    // People write numbers with spaces and brackets; nothing of it is dialled.
    let plain: String = written.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    let is_number = plain.bytes().any(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'))
        && plain
            .bytes()
            .enumerate()
            .all(|(i, b)| b.is_ascii_digit() || matches!(b, b'*' | b'#') || b == b'+' && i == 0);
    if is_number {
        return Ok(at_domain(&plain, domain));
    }
    let uri = with_escaped_user(&format!("sip:{written}@{domain}")).into_owned();
    parse_sip(&uri, "sip:".len()).map_err(usage)?;
    Ok(uri)
}

/// `#` cannot stand in a URI (RFC 3261 sec. 25.1).
fn at_domain(number: &str, domain: &str) -> String {
    format!("sip:{}@{domain}", number.replace('#', "%23"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_uris_and_users_become_request_uris() {
        for (written, uri) in [
            ("201", "sip:201@pbx.example:5070"),
            (" +7 (495) 123-45.67 ", "sip:+74951234567@pbx.example:5070"),
            ("*21#", "sip:*21%23@pbx.example:5070"),
            ("tel:+1-201-555-0123", "sip:+12015550123@pbx.example:5070"),
            ("TEL:201", "sip:201@pbx.example:5070"),
            ("bob", "sip:bob@pbx.example:5070"),
            ("b\u{f6}b", "sip:b%C3%B6b@pbx.example:5070"),
            ("sip:b\u{f6}b@other.example", "sip:b%C3%B6b@other.example"),
            ("bob@other.example", "sip:bob@other.example"),
            ("<sip:bob@other.example;transport=tcp>", "sip:bob@other.example;transport=tcp"),
        ] {
            assert_eq!(request_uri(written, "pbx.example:5070").unwrap(), uri, "{written}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_said_before_anything_is_sent() {
        for (written, why) in [
            ("", "it is empty"),
            ("tel:", "no telephone number"),
            ("tel:bob", "no telephone number"),
            ("sips:bob@x", "needs TLS"),
            ("bob smith", "column"),
            ("sip:bob:secret@x", "holds a password"),
            ("http://x", "not a sip: URI"),
        ] {
            let error = request_uri(written, "pbx.example").unwrap_err().to_string();
            assert!(error.contains(why) && error.starts_with("target"), "{written}: {error}");
        }
    }
}
