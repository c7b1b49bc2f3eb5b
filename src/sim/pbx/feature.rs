//! Transfer by keys: a code and a number, pressed in a call.

use super::Config;
use super::which::Which;
use crate::media::digit::{Digit, Key, parse_digits};
use std::time::{Duration, Instant};

/// After this time without another key the number is complete; `#` ends it at once.
const BETWEEN: Duration = Duration::from_secs(3);
/// Most digits of a number; more are none.
const MAX_DIGITS: usize = 32;

/// What a code asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    /// The other one is sent to the number that follows.
    Blind,
    /// The other one waits, and the number that follows is called first.
    Consult,
}

/// What somebody has asked for by keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pressed {
    Number(Feature, String),
    /// The one who waits is to be joined with the one who was called.
    Complete,
}

/// The keys of both legs.
#[derive(Debug)]
pub(super) struct Keys {
    codes: Vec<(Feature, Vec<Digit>)>,
    complete: Vec<Digit>,
    typed: [Typed; 2],
    /// The last event of each leg: its source and timestamp.
    events: [Option<(u32, u32)>; 2],
    /// Time at which the number that somebody types is complete.
    pub(super) due: Option<(Instant, Which)>,
}

/// What one leg has typed: as much as may begin a code, or the number behind one.
#[derive(Debug, Default)]
struct Typed {
    behind: Option<Feature>,
    digits: Vec<Digit>,
}

fn digits(code: &str) -> Option<Vec<Digit>> {
    let keys = parse_digits(code).ok()?.into_iter();
    let digits = keys.map(|key| if let Key::Digit(digit) = key { Some(digit) } else { None });
    digits.collect::<Option<Vec<_>>>().filter(|digits| !digits.is_empty())
}

impl Keys {
    /// Those that the PBX is set up for; `None` where it has none. What is no code is left out.
    pub(super) fn of(config: &Config) -> Option<Keys> {
        let code = |code: &Option<String>| code.as_deref().and_then(digits);
        let codes = [(Feature::Blind, &config.transfer_code), (Feature::Consult, &config.consult_code)];
        let codes: Vec<_> =
            codes.into_iter().filter_map(|(feature, text)| Some((feature, code(text)?))).collect();
        let complete = code(&config.complete_code).unwrap_or_default();
        (!codes.is_empty()).then(|| Keys {
            codes,
            complete,
            typed: Default::default(),
            events: [None; 2],
            due: None,
        })
    }

    /// Has this leg typed a code, and is at the number?
    pub(super) fn collects(&self, which: Which) -> bool {
        self.typed[which as usize].behind.is_some()
    }

    /// An event came; true when it is a new one.
    pub(super) fn begins(&mut self, which: Which, event: (u32, u32)) -> bool {
        self.events[which as usize].replace(event) != Some(event)
    }

    /// A key is pressed. In a consultation (`consults`) there is nothing to ask for but its end.
    pub(super) fn press(
        &mut self,
        now: Instant,
        which: Which,
        digit: Digit,
        consults: bool,
    ) -> Option<Pressed> {
        let typed = &mut self.typed[which as usize];
        if typed.behind.is_some() && digit.character() == '#' {
            return self.number(which);
        }
        typed.digits.push(digit);
        if typed.behind.is_none() {
            let starts = |typed: &[Digit]| {
                let codes = self.codes.iter().map(|(_, code)| code).filter(|_| !consults);
                codes.chain(Some(&self.complete).filter(|_| consults)).any(|code| code.starts_with(typed))
            };
            // What has been typed is as much of a code as its end can be.
            while !starts(&typed.digits) {
                typed.digits.remove(0);
            }
            if consults {
                let complete = !self.complete.is_empty() && typed.digits == self.complete;
                return complete.then(|| {
                    typed.digits.clear();
                    Pressed::Complete
                });
            }
            let code = self.codes.iter().find(|(_, code)| *code == typed.digits);
            let (feature, _) = code?;
            (typed.behind, typed.digits) = (Some(*feature), Vec::new());
        } else if typed.digits.len() > MAX_DIGITS {
            (*typed, self.due) = (Typed::default(), None);
            return None;
        }
        self.due = Some((now + BETWEEN, which));
        None
    }

    /// Nobody types any more.
    pub(super) fn number(&mut self, which: Which) -> Option<Pressed> {
        self.due = None;
        let Typed { behind, digits } = std::mem::take(&mut self.typed[which as usize]);
        let number: String = digits.iter().map(|digit| digit.character()).collect();
        behind.filter(|_| !number.is_empty()).map(|feature| Pressed::Number(feature, number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys(transfer: &str) -> Option<Keys> {
        let code = |code: &str| Some(code.to_owned());
        Keys::of(&Config {
            transfer_code: code(transfer),
            consult_code: code("*2"),
            complete_code: code("#9"),
            ..Config::default()
        })
    }

    fn typed(keys: &mut Keys, digits: &str, consults: bool) -> Option<Pressed> {
        let pressed = parse_digits(digits).unwrap().into_iter().filter_map(|key| match key {
            Key::Digit(digit) => keys.press(Instant::now(), Which::Called, digit, consults),
            Key::Pause => None,
        });
        pressed.last()
    }

    fn blind(number: &str) -> Option<Pressed> {
        Some(Pressed::Number(Feature::Blind, number.to_owned()))
    }

    #[test]
    fn a_code_and_a_number_are_found_among_other_keys() {
        let mut keys = keys("##").unwrap();
        assert_eq!(typed(&mut keys, "1#2##203#", false), blind("203"));
        assert_eq!(typed(&mut keys, "203#", false), None);
        assert_eq!(typed(&mut keys, "#204", false), None);
        assert_eq!(keys.due.map(|(_, which)| which), Some(Which::Called));
        assert_eq!(keys.number(Which::Called), blind("204"));
        let consult = Some(Pressed::Number(Feature::Consult, "7".to_owned()));
        assert_eq!(typed(&mut keys, "1*27#", false), consult);
    }

    #[test]
    fn a_code_may_begin_again_within_itself_and_what_is_none_is_left_out() {
        let mut star = keys("*1*3").unwrap();
        assert_eq!(typed(&mut star, "*1*1*37#", false), blind("7"));
        assert!(Keys::of(&Config::default()).is_none());
        let mut none = keys("x").unwrap();
        assert_eq!(typed(&mut none, "##203#", false), None);
    }

    #[test]
    fn in_a_consultation_only_its_end_is_asked_for() {
        let mut keys = keys("##").unwrap();
        assert_eq!(typed(&mut keys, "##203#", true), None);
        assert_eq!(typed(&mut keys, "1##9", true), Some(Pressed::Complete));
        assert_eq!(typed(&mut keys, "#9", false), None);
    }

    #[test]
    fn endless_keys_are_no_number() {
        let mut keys = keys("##").unwrap();
        assert_eq!(typed(&mut keys, &("##".to_owned() + &"1".repeat(40) + "#"), false), None);
        assert_eq!(keys.due, None);
    }
}
