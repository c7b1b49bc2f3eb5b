//! The choice in a voice menu: digits in, what to do out. Without I/O.

use super::Ivr;
use crate::media::digit::Digit;
use std::time::{Duration, Instant};

/// What a digit, or the want of one, brings about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More digits may come.
    Wait,
    /// Ring this number.
    Route(String),
    /// There is no such option.
    Wrong,
    /// Hang up.
    GiveUp,
}

#[derive(Debug)]
pub(super) struct Menu {
    options: Vec<(Vec<Digit>, String)>,
    entered: Vec<Digit>,
    wrong: u32,
    max_wrong: u32,
    patience: Duration,
    between_digits: Duration,
    due: Instant,
}

impl Menu {
    pub(super) fn new(now: Instant, ivr: &Ivr) -> Menu {
        Menu {
            options: ivr.options.clone(),
            entered: Vec::new(),
            wrong: 0,
            max_wrong: ivr.max_wrong,
            patience: ivr.patience,
            between_digits: ivr.between_digits,
            due: now + ivr.patience,
        }
    }

    /// When [`Menu::time_is_up`] wants to be called.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The prompt is over, or the call has only now begun: patience begins again.
    pub(super) fn begin(&mut self, now: Instant) {
        self.due = self.due.max(now + self.patience);
    }

    fn chosen(&self) -> Option<String> {
        self.options.iter().find(|(digits, _)| *digits == self.entered).map(|(_, number)| number.clone())
    }

    fn wrong(&mut self, now: Instant) -> Step {
        self.entered.clear();
        self.wrong += 1;
        self.due = now + self.patience;
        if self.wrong >= self.max_wrong { Step::GiveUp } else { Step::Wrong }
    }

    pub(super) fn press(&mut self, now: Instant, digit: Digit) -> Step {
        self.entered.push(digit);
        let longer = self
            .options
            .iter()
            .any(|(digits, _)| digits.len() > self.entered.len() && digits.starts_with(&self.entered));
        match (self.chosen(), longer) {
            (Some(number), false) => Step::Route(number),
            (Some(_), true) => {
                self.due = now + self.between_digits;
                Step::Wait
            }
            (None, true) => {
                self.due = now + self.patience;
                Step::Wait
            }
            (None, false) => self.wrong(now),
        }
    }

    pub(super) fn time_is_up(&mut self, now: Instant) -> Step {
        if now < self.due {
            return Step::Wait;
        }
        match self.chosen() {
            Some(number) => Step::Route(number),
            None if self.entered.is_empty() => Step::GiveUp,
            None => self.wrong(now),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn press(menu: &mut Menu, now: Instant, digits: &str) -> Vec<Step> {
        digits.chars().map(|c| menu.press(now, Digit::from_char(c).unwrap())).collect()
    }

    #[test]
    fn digits_lead_to_their_number_and_wrong_ones_to_the_prompt_again() {
        let now = Instant::now();
        let ivr = Ivr::new("700").option("1,2#", "bob").unwrap().option("3", "carol").unwrap();
        let mut menu = Menu::new(now, &ivr);
        let bob = Step::Route("bob".to_owned());
        assert_eq!(press(&mut menu, now, "12#"), [Step::Wait, Step::Wait, bob]);
        let mut menu = Menu::new(now, &ivr);
        assert_eq!(press(&mut menu, now, "193"), [Step::Wait, Step::Wrong, Step::Route("carol".to_owned())]);
        let mut menu = Menu::new(now, &ivr);
        assert_eq!(press(&mut menu, now, "999"), [Step::Wrong, Step::Wrong, Step::GiveUp]);
    }

    #[test]
    fn what_could_be_more_waits_and_who_presses_nothing_is_hung_up() {
        let now = Instant::now();
        let ivr = Ivr::new("700").option("1", "bob").unwrap().option("12", "carol").unwrap();
        let mut menu = Menu::new(now, &ivr);
        assert_eq!(press(&mut menu, now, "1"), [Step::Wait]);
        assert_eq!(menu.due(), now + Duration::from_secs(3));
        assert_eq!(menu.time_is_up(now + Duration::from_secs(2)), Step::Wait);
        assert_eq!(menu.time_is_up(menu.due()), Step::Route("bob".to_owned()));
        let mut menu = Menu::new(now, &ivr);
        assert_eq!(menu.time_is_up(menu.due()), Step::GiveUp);
    }
}
