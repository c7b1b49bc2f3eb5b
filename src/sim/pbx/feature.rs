//! Transfer by keys: a code and a number, pressed in a call.

use super::bridge::Which;
use crate::media::digit::{Digit, Key, parse_digits};
use std::time::{Duration, Instant};

/// After this time without another key the number is complete; `#` ends it at once.
const BETWEEN: Duration = Duration::from_secs(3);
/// Most digits of a number; more are none.
const MAX_DIGITS: usize = 32;

/// The keys of both legs.
#[derive(Debug)]
pub(super) struct Keys {
    code: Vec<Digit>,
    typed: [Vec<Digit>; 2],
    /// The last event of each leg: its source and timestamp.
    events: [Option<(u32, u32)>; 2],
    /// When the number that somebody types is complete.
    pub(super) due: Option<(Instant, Which)>,
}

impl Keys {
    /// `None` for what is no code.
    pub(super) fn new(code: &str) -> Option<Keys> {
        let keys = parse_digits(code).ok()?;
        let code = keys.into_iter().map(|key| if let Key::Digit(digit) = key { Some(digit) } else { None });
        let code = code.collect::<Option<Vec<_>>>().filter(|code| !code.is_empty())?;
        Some(Keys { code, typed: Default::default(), events: [None; 2], due: None })
    }

    /// Has this leg typed the code, and is at the number?
    pub(super) fn collects(&self, which: Which) -> bool {
        self.typed[which as usize].len() >= self.code.len()
    }

    /// An event came; true when it is a new one.
    pub(super) fn begins(&mut self, which: Which, event: (u32, u32)) -> bool {
        self.events[which as usize].replace(event) != Some(event)
    }

    /// A key is pressed; gives the number when it is complete.
    pub(super) fn press(&mut self, now: Instant, which: Which, digit: Digit) -> Option<String> {
        if self.collects(which) {
            if digit.character() == '#' {
                return self.number(which);
            }
            self.typed[which as usize].push(digit);
        } else {
            let typed = &mut self.typed[which as usize];
            typed.push(digit);
            // What has been typed is as much of the code as its end can be.
            while !self.code.starts_with(typed) {
                typed.remove(0);
            }
        }
        if self.typed[which as usize].len() > self.code.len() + MAX_DIGITS {
            self.typed[which as usize].clear();
        }
        if self.collects(which) {
            self.due = Some((now + BETWEEN, which));
        }
        None
    }

    /// Nobody types any more.
    pub(super) fn number(&mut self, which: Which) -> Option<String> {
        self.due = None;
        let typed = std::mem::take(&mut self.typed[which as usize]);
        let number: String = typed.iter().skip(self.code.len()).map(|digit| digit.character()).collect();
        (!number.is_empty()).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn typed(keys: &mut Keys, digits: &str) -> Option<String> {
        let pressed = parse_digits(digits).unwrap().into_iter().filter_map(|key| match key {
            Key::Digit(digit) => keys.press(Instant::now(), Which::Called, digit),
            Key::Pause => None,
        });
        pressed.last()
    }

    #[test]
    fn a_code_and_a_number_are_found_among_other_keys() {
        let mut keys = Keys::new("##").unwrap();
        assert_eq!(typed(&mut keys, "1#2##203#"), Some("203".to_owned()));
        assert_eq!(typed(&mut keys, "203#"), None);
        assert_eq!((typed(&mut keys, "#204"), keys.due.map(|(_, which)| which)), (None, Some(Which::Called)));
        assert_eq!(keys.number(Which::Called), Some("204".to_owned()));
        let mut star = Keys::new("*1*2").unwrap();
        assert_eq!(
            typed(&mut star, "*1*1*27#"),
            Some("7".to_owned()),
            "the code may begin again within itself"
        );
        assert!(Keys::new("").is_none() && Keys::new("x").is_none());
    }

    #[test]
    fn endless_keys_are_no_number() {
        let mut keys = Keys::new("##").unwrap();
        assert_eq!(typed(&mut keys, &("##".to_owned() + &"1".repeat(40) + "#")), None);
    }
}
