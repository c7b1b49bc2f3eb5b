//! Digits in the bodies of INFO: `application/dtmf-relay` and `application/dtmf`, which no RFC describes and everybody sends.

use crate::media::digit::Digit;
use std::time::Duration;

/// `Signal=5`, `Duration=160`.
pub const DTMF_RELAY: &str = "application/dtmf-relay";
/// The digit alone.
pub const DTMF: &str = "application/dtmf";

/// A digit in an INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfInfo {
    /// Which.
    pub digit: Digit,
    /// How long, where it is said.
    pub duration: Option<Duration>,
}

impl DtmfInfo {
    /// From an INFO, with or without a last line end, names in any case, blanks around values; 10 and 11 are `*` and `#` for some. `None` for
    /// another type, or what is no digit (a flash is 16).
    pub fn parse(content_type: &str, body: &[u8]) -> Option<DtmfInfo> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let body = std::str::from_utf8(body).ok()?;
        if kind.eq_ignore_ascii_case(DTMF) {
            // Some send the relay's lines under this name.
            return if body.contains('=') {
                relay(body)
            } else {
                Some(DtmfInfo { digit: digit(body)?, duration: None })
            };
        }
        if kind.eq_ignore_ascii_case(DTMF_RELAY) { relay(body) } else { None }
    }

    /// The body under [`DTMF_RELAY`].
    pub fn relay_body(self) -> Vec<u8> {
        let millis = self.duration.unwrap_or(Duration::from_millis(100)).as_millis();
        format!("Signal={}\r\nDuration={millis}\r\n", self.digit).into_bytes()
    }

    /// The body under [`DTMF`].
    pub fn plain_body(self) -> Vec<u8> {
        format!("{}\r\n", self.digit).into_bytes()
    }
}

fn relay(body: &str) -> Option<DtmfInfo> {
    let value = |wanted: &str| {
        body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    };
    let duration = value("Duration").and_then(|millis| millis.parse().ok()).map(Duration::from_millis);
    Some(DtmfInfo { digit: digit(value("Signal")?)?, duration })
}

fn digit(text: &str) -> Option<Digit> {
    let text = text.trim();
    match text {
        "10" => return Digit::from_char('*'),
        "11" => return Digit::from_char('#'),
        _ => {}
    }
    let mut characters = text.chars();
    let digit = Digit::from_char(characters.next()?.to_ascii_uppercase())?;
    characters.next().is_none().then_some(digit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(kind: &str, body: &str) -> Option<(char, Option<u64>)> {
        let info = DtmfInfo::parse(kind, body.as_bytes())?;
        Some((info.digit.character(), info.duration.map(|duration| duration.as_millis() as u64)))
    }

    #[test]
    fn what_phones_send_is_read() {
        assert_eq!(read("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), Some(('5', Some(160))));
        assert_eq!(read("application/dtmf-relay", "Signal= #\nDuration= 250"), Some(('#', Some(250))));
        assert_eq!(read("Application/DTMF-Relay;charset=utf-8", "signal=a"), Some(('A', None)));
        assert_eq!(read("application/dtmf-relay", "Signal=10\r\n"), Some(('*', None)));
        assert_eq!(read("application/dtmf", "7"), Some(('7', None)));
        assert_eq!(read("application/dtmf", "Signal=7\r\nDuration=100\r\n"), Some(('7', Some(100))));
    }

    #[test]
    fn what_is_no_digit_is_none() {
        for (kind, body) in [
            ("application/dtmf-relay", "Signal=16\r\n"),
            ("application/dtmf-relay", "Duration=160\r\n"),
            ("application/dtmf-relay", "Signal=\r\n"),
            ("application/dtmf", "12"),
            ("application/dtmf", ""),
            ("text/plain", "5"),
        ] {
            assert_eq!(read(kind, body), None, "{kind} {body:?}");
        }
        assert_eq!(DtmfInfo::parse("application/dtmf", &[0xff]), None);
    }

    #[test]
    fn every_digit_is_read_again_as_it_was_written() {
        for digit in Digit::all() {
            let info = DtmfInfo { digit, duration: Some(Duration::from_millis(120)) };
            assert_eq!(DtmfInfo::parse(DTMF_RELAY, &info.relay_body()), Some(info));
            let plain = DtmfInfo { digit, duration: None };
            assert_eq!(DtmfInfo::parse(DTMF, &plain.plain_body()), Some(plain));
        }
    }
}
