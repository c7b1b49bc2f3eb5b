//! Rows of observations: what is a press of its own, what only a piece or a repeat of one, and what is of digits sent before.

use super::expected::Expected;
use super::method::DtmfMethod;
use super::observation::Observation;
use crate::media::digit::Digit;

/// Digits that were sent before these and are still to come, and what has come of them.
pub(super) struct Owed<'a> {
    pub(super) digits: Vec<Digit>,
    pub(super) belated: Vec<&'a Observation>,
}

impl<'a> Owed<'a> {
    /// Takes an observation for one of them; false when none is owed.
    pub(super) fn pay(&mut self, observation: &'a Observation) -> bool {
        let debt = self.digits.iter().position(|digit| Some(*digit) == observation.digit);
        let Some(at) = debt else { return false };
        self.digits.remove(at);
        self.belated.push(observation);
        true
    }
}

/// A piece of a tone, and the observation that the tone began with.
pub(super) type Piece<'a> = (&'a Observation, &'a Observation);

/// The presses of a row, and what is only a piece of one: two tones of a digit that end before two presses could have.
pub(super) fn whole<'a>(
    expected: &Expected,
    all: Vec<&'a Observation>,
) -> (Vec<&'a Observation>, Vec<Piece<'a>>) {
    let (mut presses, mut pieces): (Vec<&Observation>, Vec<Piece<'a>>) = (Vec::new(), Vec::new());
    for observation in all {
        let is_piece = |first: &&&Observation| {
            let over = observation.at + observation.duration.unwrap_or_default();
            let is_short = first.duration.is_some_and(|duration| duration < expected.duration);
            observation.way == DtmfMethod::InBand
                && first.digit == observation.digit
                && is_short
                && over.saturating_duration_since(first.at) < expected.duration * 2
        };
        match presses.last().filter(is_piece) {
            Some(first) => pieces.push((observation, first)),
            None => presses.push(observation),
        }
    }
    (presses, pieces)
}

/// An event that was begun again, and the press (its place in the row) that it repeats.
pub(super) type Restart<'a> = (usize, &'a Observation);

/// The presses, and the events that were begun again.
pub(super) fn without_restarts<'a>(all: &[&'a Observation]) -> (Vec<&'a Observation>, Vec<Restart<'a>>) {
    let (mut row, mut restarts): (Vec<&Observation>, Vec<Restart<'a>>) = (Vec::new(), Vec::new());
    let mut latest: Option<&Observation> = None;
    for &observation in all {
        if latest.is_some_and(|latest| latest.restarted_by(observation)) {
            restarts.push((row.len() - 1, observation));
        } else {
            row.push(observation);
        }
        latest = Some(observation);
    }
    (row, restarts)
}
