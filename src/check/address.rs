//! SIP addresses as people write them.

use crate::error::Problem;
use crate::message::Transport;
use crate::syntax::{Host, Scheme, Uri};
use std::borrow::Cow;
use std::fmt::Write as _;

/// `text`, a SIP URI, with what is outside of ASCII in its user part escaped, as RFC 3261 sec. 25.1 has it.
pub(super) fn with_escaped_user(text: &str) -> Cow<'_, str> {
    let Some((user, rest)) = text.rsplit_once('@').filter(|(user, _)| !user.is_ascii()) else {
        return text.into();
    };
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in user.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for octet in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(escaped, "%{octet:02X}");
            }
        }
    }
    format!("{escaped}@{rest}").into()
}

/// The transport that a URI says.
///
/// # Errors
/// The problem: it is none of ours.
pub(super) fn transport_of(uri: &Uri<'_>) -> Result<Option<Transport>, Problem> {
    match uri.params().get(b"transport").map(|param| param.value.unwrap_or_default()) {
        None => Ok(None),
        Some(t) if t.eq_ignore_ascii_case(b"udp") => Ok(Some(Transport::Udp)),
        Some(t) if t.eq_ignore_ascii_case(b"tcp") => Ok(Some(Transport::Tcp)),
        Some(t) => {
            let why = format!("transport \"{}\" is not supported", String::from_utf8_lossy(t));
            Err(Problem::unusable(why, "use udp or tcp"))
        }
    }
}

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

/// Advice on writing an address.
const WRITE: &str = "write it as sip:user@domain";

/// A `sip:` URI, or what is wrong with the text and in which column of what was written (`added` bytes were put before it).
pub(super) fn parse_sip(text: &str, added: usize) -> Result<Uri<'_>, Problem> {
    let uri = Uri::parse(text.as_bytes()).map_err(|error| {
        let before = text.get(..error.offset).unwrap_or(text);
        // What was escaped here was one character where it was written.
        let written = unescaped_length(before);
        let column = Some(written.saturating_sub(added) + 1);
        if let Some(problem) = plain(text) {
            return problem;
        }
        Problem::Malformed { why: error.kind.to_string(), column, write: WRITE.into() }
    })?;
    match uri.scheme() {
        Scheme::Sip => Ok(uri),
        Scheme::Sips => Err(Problem::unusable("sips: needs TLS, which is not there yet", "use sip:")),
        _ => Err(Problem::malformed("it is not a sip: URI (column 1)", WRITE)),
    }
}

/// The two mistakes that are most often made in a server's address, in words; column and grammar help nobody there.
fn plain(text: &str) -> Option<Problem> {
    let rest =
        text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("sip:")).and_then(|_| text.get(4..))?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split([';', '?']).next().unwrap_or(host);
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        let problem = format!("write [{host}], with a port [{host}]:5060");
        return Some(Problem::malformed("an IPv6 address needs brackets", problem));
    }
    let port = host.rsplit_once(':')?.1;
    let is_number = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    (is_number && !is_port)
        .then(|| Problem::malformed(format!("port {port} does not exist"), "ports are 1 to 65535"))
}

pub(super) fn host_text(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => String::from_utf8_lossy(name).into_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => format!("[{address}]"),
    }
}

/// Characters of a text in which what is outside of ASCII was escaped.
fn unescaped_length(text: &str) -> usize {
    let mut octets = text.bytes().enumerate().peekable();
    let mut length = 0;
    while let Some((at, octet)) = octets.next() {
        let escaped = text.get(at + 1..at + 3).filter(|_| octet == b'%');
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(octet) if octet >= 0x80 => {
                octets.nth(1);
                // Only the first octet of a character counts.
                length += usize::from(octet >= 0xc0);
            }
            _ => length += usize::from(octet & 0xc0 != 0x80),
        }
    }
    length
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_user_outside_of_ascii_is_escaped_and_nothing_else() {
        assert_eq!(with_escaped_user("sip:\u{e4}lice@x.example"), "sip:%C3%A4lice@x.example");
        assert_eq!(with_escaped_user("sip:\u{438}@x;a=1"), "sip:%D0%B8@x;a=1");
        for same in ["sip:al%20ice@x", "sip:x", "sip:alice@\u{e4}.example"] {
            assert_eq!(with_escaped_user(same), same);
        }
    }

    #[test]
    fn columns_count_what_was_written() {
        let escaped = with_escaped_user("sip:\u{e4}\u{438} b@x.example").into_owned();
        let error = parse_sip(&escaped, 0).unwrap_err().to_string();
        assert!(error.contains("in column 7;"), "{error}");
        let error = parse_sip("sip:a%41 b@x", 4).unwrap_err().to_string();
        assert!(error.contains("in column 5;"), "{error}");
    }

    #[test]
    fn ports_and_addresses_without_brackets_are_told_in_words() {
        for (text, said) in [
            ("sip:127.0.0.1:99999", "port 99999 does not exist; ports are 1 to 65535"),
            ("sip:a@pbx.example:70000;transport=tcp", "port 70000 does not exist"),
            ("sip:::1", "an IPv6 address needs brackets; write [::1], with a port [::1]:5060"),
            ("sip:a@2001:db8::1", "write [2001:db8::1]"),
            ("sip:a@pbx.example:50b0", "in column"),
            ("sip:a b@pbx.example", "in column 6; write it as sip:user@domain"),
        ] {
            let error = parse_sip(text, 0).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        for fine in ["sip:[::1]:5060", "sip:127.0.0.1:65535", "sip:a@pbx.example"] {
            assert!(parse_sip(fine, 0).is_ok(), "{fine}");
        }
    }
}
