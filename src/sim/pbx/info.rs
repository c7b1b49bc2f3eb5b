//! Digits in the body of an INFO: `application/dtmf-relay` and `application/dtmf`.

use crate::media::digit::Digit;
use std::time::Duration;

/// The type with a signal and a duration.
pub(super) const DTMF_RELAY: &str = "application/dtmf-relay";

/// The body for a digit.
pub(super) fn body(digit: Digit, time: Duration) -> Vec<u8> {
    format!("Signal={digit}\r\nDuration={}\r\n", time.as_millis()).into_bytes()
}

/// The digit of a body; of `application/dtmf` the body is the digit.
pub(super) fn digit(body: &[u8]) -> Option<Digit> {
    let text = String::from_utf8_lossy(body);
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
    });
    let signal = signal.unwrap_or_else(|| text.trim().to_owned());
    let mut characters = signal.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Digit::from_char(one),
        // Some send 10 for `*` and 11 for `#`.
        (Some('1'), Some(second @ ('0' | '1'))) if signal.len() == 2 => {
            Digit::from_event(if second == '0' { 10 } else { 11 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_both_types_are_read() {
        for (body, digit) in [
            (&b"Signal=5\r\nDuration=160\r\n"[..], Some('5')),
            (b"signal = #\nDuration=100", Some('#')),
            (b"Signal=11", Some('#')),
            (b"7", Some('7')),
            (b"*\r\n", Some('*')),
            (b"Signal=\r\n", None),
            (b"", None),
            (b"Signal=flash", None),
            (b"\xff\xfe", None),
        ] {
            assert_eq!(super::digit(body).map(Digit::character), digit, "{body:?}");
        }
        for digit in Digit::all() {
            assert_eq!(super::digit(&body(digit, Duration::from_millis(100))), Some(digit));
        }
    }
}
