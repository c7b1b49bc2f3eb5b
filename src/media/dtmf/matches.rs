//! Which observation is which of the sent digits, and what is wrong with each.

use super::align::{Step, align};
use super::defect::{By, Defect};
use super::expected::{EXACT, Expected, LOSSY};
use super::observation::{Observation, Rtp};
use super::rows::{Owed, Piece, Restart};
use crate::media::digit::Digit;
use crate::media::telephone_event::Seen;
use std::time::Duration;

/// A digit shorter than this is not taken by a receiver that keeps to ITU-T Q.24 (failure D09).
const SHORTEST: Duration = Duration::from_millis(40);
/// A digit weaker than this need not be taken (failure D09; RFC 2833 sec. 3.5: 0 to -36 dBm0 must be).
const QUIETEST_DBM0: f32 = -36.0;
/// A digit that comes this much later than its own length after it began to be sent is late: no jitter buffer waits for it.
const LATE: Duration = Duration::from_millis(500);
/// Packets of an event this far apart are no updates of it: RFC 4733 sec. 2.5.1.2 has one in each packet time, or 50 ms.
const SPARSE_MS: u32 = 250;

/// The row of one way beside the digits that were sent.
pub(super) struct Matches<'a> {
    expected: &'a Expected,
    row: Vec<&'a Observation>,
    restarts: Vec<Restart<'a>>,
    /// For each sent digit what it came as.
    matched: Vec<Option<&'a Observation>>,
    /// Those that did not come at their place among the others.
    moved: Vec<usize>,
}

impl<'a> Matches<'a> {
    pub(super) fn new(
        expected: &'a Expected,
        row: Vec<&'a Observation>,
        restarts: Vec<Restart<'a>>,
    ) -> Matches<'a> {
        Matches { matched: vec![None; expected.digits.len()], moved: Vec::new(), expected, row, restarts }
    }

    pub(super) fn len(&self) -> usize {
        self.matched.len()
    }

    pub(super) fn of(&self, position: usize) -> Option<&'a Observation> {
        self.matched.get(position).copied().flatten()
    }

    fn sent_at(&self, position: usize) -> Option<std::time::Instant> {
        self.expected.sent_at.get(position).copied()
    }

    /// Pairs the digits in their order, then those that came out of it; what is left over is told.
    pub(super) fn align(&mut self, defects: &mut Vec<Defect>) {
        let digits: Vec<Digit> = self.row.iter().filter_map(|o| o.digit).collect();
        let steps = align(&self.expected.digits, &digits);
        let (mut missing, mut extra) = (Vec::new(), Vec::new());
        for (n, &step) in steps.iter().enumerate() {
            match step {
                Step::Same { sent, received } => self.matched[sent] = Some(self.row[received]),
                Step::Changed { sent, received } => {
                    self.matched[sent] = Some(self.row[received]);
                    defects.push(Defect::Changed { position: sent, into: digits[received] });
                }
                Step::Swapped { sent, received } => {
                    self.matched[sent] = Some(self.row[received + 1]);
                    self.matched[sent + 1] = Some(self.row[received]);
                    defects.push(Defect::Swapped { position: sent });
                }
                Step::Missing { sent } => missing.push(sent),
                Step::Extra { received } => extra.push((n, received)),
            }
        }
        missing.retain(|&sent| !self.out_of_order(sent, &mut extra));
        missing.retain(|&sent| !self.pressed_within(sent));
        let mut restarts: Vec<usize> = Vec::new();
        for (index, _) in &self.restarts {
            if let Some(position) = self.matched.iter().position(|m| self.is_at(*m, *index)) {
                restarts.push(position);
            }
        }
        defects.extend(restarts.into_iter().map(|position| Defect::Doubled { position, by: By::Restart }));
        for sent in missing {
            defects.push(self.missing(sent));
        }
        for (n, received) in extra {
            defects.push(self.extra(&steps, &digits, n, received));
        }
        self.order(defects);
    }

    fn is_at(&self, observation: Option<&Observation>, index: usize) -> bool {
        let at = self.row.get(index).copied();
        observation.zip(at).is_some_and(|(one, other)| std::ptr::eq(one, other))
    }

    /// A digit that is missing at its place and came elsewhere, after it was sent.
    fn out_of_order(&mut self, sent: usize, extra: &mut Vec<(usize, usize)>) -> bool {
        let Some(at) = self.sent_at(sent) else { return false };
        let digit = self.expected.digits[sent];
        let is_it = |&(_, received): &(usize, usize)| {
            self.row[received].digit == Some(digit) && self.row[received].at + EXACT >= at
        };
        let Some(place) = extra.iter().position(is_it) else { return false };
        let (_, received) = extra.remove(place);
        self.matched[sent] = Some(self.row[received]);
        self.moved.push(sent);
        true
    }

    /// A press that looks like the same event begun again by its timestamp, and came when the second press was sent: the sender's clock stood
    /// still during events.
    fn pressed_within(&mut self, sent: usize) -> bool {
        let Some(before) = sent.checked_sub(1).and_then(|before| self.of(before)) else { return false };
        let Some(at) = self.sent_at(sent) else { return false };
        let is_press = |(index, again): &Restart<'a>| {
            self.is_at(Some(before), *index) && again.at >= at && again.digit == before.digit
        };
        let Some(place) = self.restarts.iter().position(is_press) else { return false };
        let (_, again) = self.restarts.remove(place);
        self.matched[sent] = Some(again);
        true
    }

    fn missing(&self, sent: usize) -> Defect {
        let (digits, around) = (&self.expected.digits, &self.expected.around);
        let before = sent.checked_sub(1).filter(|&before| digits[before] == digits[sent]);
        let after = digits.get(sent + 1) == Some(&digits[sent]);
        // On a lossy path an absent digit is lost, unless its neighbour shows that it holds two.
        let shows = before.and_then(|before| self.of(before)).is_some_and(|twin| self.holds_two(twin));
        let is_gone =
            around.loss > LOSSY || around.dropped.contains(&sent) || around.interrupted.contains(&sent);
        if shows || (before.is_some() || after) && !is_gone {
            Defect::Merged { position: sent }
        } else {
            Defect::Lost { position: sent }
        }
    }

    /// Whether an observation shows that two presses went into it.
    fn holds_two(&self, observation: &Observation) -> bool {
        let again = observation.rtp.is_some_and(|rtp| rtp.markers > 1 || rtp.duration_resets > 0);
        again || observation.duration.is_some_and(|duration| duration > self.expected.duration * 3 / 2)
    }

    fn extra(&self, steps: &[Step], digits: &[Digit], n: usize, received: usize) -> Defect {
        let before = steps[..n].iter().rev().find_map(|step| match *step {
            Step::Same { sent, received: r } if digits[r] == digits[received] => Some(sent),
            _ => None,
        });
        let follows = received.checked_sub(1).is_some_and(|b| digits[b] == digits[received]);
        match before {
            Some(position) if follows => Defect::Doubled { position, by: By::Repeat },
            _ => {
                let before = steps[n..].iter().find_map(sent_of).unwrap_or(self.expected.digits.len());
                Defect::Invented { before, digit: digits[received] }
            }
        }
    }

    /// Digits that came late, and whether others overtook them: then that is why the order is wrong.
    fn order(&self, defects: &mut Vec<Defect>) {
        for position in 0..self.len() {
            let Some((observation, sent)) = self.of(position).zip(self.sent_at(position)) else { continue };
            let overtakes = |other: usize| self.of(other).is_some_and(|other| other.at < observation.at);
            let is_overtaken = (position + 1..self.len()).any(overtakes);
            let took = observation.at.saturating_duration_since(sent);
            if took <= self.expected.duration + LATE {
                if is_overtaken && self.moved.contains(&position) {
                    defects.push(Defect::Swapped { position });
                }
                continue;
            }
            let is_swap = |defect: &Defect| match defect {
                Defect::Swapped { position: at } => (*at..=*at + 1).contains(&position),
                _ => false,
            };
            defects.retain(|defect| !is_swap(defect));
            let milliseconds = took.as_millis().try_into().unwrap_or(u32::MAX);
            defects.push(Defect::Late { position, milliseconds, is_overtaken });
        }
    }

    /// What came more than was sent, where digits from before are still owed, is theirs.
    pub(super) fn take_belated(&self, owed: &mut Owed<'a>, defects: &mut Vec<Defect>) {
        let free = |observation: &&&Observation| {
            !self.matched.iter().flatten().any(|matched| std::ptr::eq(*matched, **observation))
        };
        for observation in self.row.iter().filter(free) {
            let is_told = |defect: &Defect| match *defect {
                Defect::Invented { digit: told, .. } => Some(told) == observation.digit,
                Defect::Doubled { position, by: By::Repeat } => {
                    Some(self.expected.digits[position]) == observation.digit
                }
                _ => false,
            };
            if let Some(place) = defects.iter().position(is_told)
                && owed.pay(observation)
            {
                defects.remove(place);
            }
        }
    }

    /// Digits whose tones came in pieces.
    pub(super) fn broken(&self, pieces: &[Piece<'_>], defects: &mut Vec<Defect>) {
        for (piece, first) in pieces {
            let is_it = |position: &usize| self.of(*position).is_some_and(|one| std::ptr::eq(one, *first));
            let over = first.at + first.duration.unwrap_or_default();
            let milliseconds = millis(piece.at.saturating_duration_since(over));
            let position = (0..self.len()).find(is_it);
            defects.extend(position.map(|position| Defect::Broken { position, milliseconds }));
        }
    }

    /// What is wrong with the digits that came.
    pub(super) fn inspect(&self, defects: &mut Vec<Defect>) {
        let clock_hz = self.median_clock();
        let came: Vec<(usize, &Observation)> =
            (0..self.len()).filter_map(|position| Some((position, self.of(position)?))).collect();
        for &(position, observation) in &came {
            self.digit(clock_hz, position, observation, defects);
        }
        self.timestamps(&came, defects);
        // Where no voice was lost, the same packet missing again and again was not lost on the way either.
        let missing = |part: fn(&Rtp) -> Seen, seen: Seen| {
            came.iter().filter(|(_, o)| o.rtp.is_some_and(|rtp| part(&rtp) == seen)).count()
        };
        for (part, defect) in [
            ((|rtp: &Rtp| rtp.marker) as fn(&Rtp) -> Seen, marker as fn(usize) -> Defect),
            (|rtp: &Rtp| rtp.end, end),
        ] {
            let gone = missing(part, Seen::MayBeLost);
            let is_sender = self.expected.around.loss == 0.0
                && !self.expected.around.spans.is_empty()
                && gone >= 2
                && gone * 2 > came.len();
            let holds = |rtp: &Rtp| part(rtp) == Seen::No || is_sender && part(rtp) == Seen::MayBeLost;
            let which = came.iter().filter(|(_, o)| o.rtp.as_ref().is_some_and(holds));
            defects.extend(which.map(|(position, _)| defect(*position)));
        }
    }

    /// The clock as the middle one of all events tells it.
    fn median_clock(&self) -> Option<u32> {
        let mut clocks: Vec<u32> = self.row.iter().filter_map(|o| o.rtp?.clock_rate_hz).collect();
        clocks.sort_unstable();
        clocks.get(clocks.len() / 2).copied()
    }

    fn digit(
        &self,
        clock_hz: Option<u32>,
        position: usize,
        observation: &Observation,
        defects: &mut Vec<Defect>,
    ) {
        let agreed = self.expected.clock_rate_hz.max(1);
        let another = |hz: u32| hz > agreed.saturating_mul(3) / 2 || hz < agreed / 3 * 2;
        let mut other_clock = false;
        if let Some(rtp) = observation.rtp {
            // Late packets make one event's clock look fast or slow, not that of all of them.
            let hz = rtp.clock_rate_hz.unwrap_or(agreed);
            other_clock = another(hz) && clock_hz.is_some_and(another);
            if other_clock {
                defects.push(Defect::WrongClockRate { position, hz });
            }
            if self.expected.payload_type.is_some_and(|asked| asked != rtp.payload_type) {
                defects.push(Defect::WrongPayloadType { position, payload_type: rtp.payload_type });
            }
            if rtp.is_foreign {
                defects.push(Defect::AnotherAddress { position });
            } else {
                let over = observation.at + observation.duration.unwrap_or_default();
                let (any, own) = self.expected.around.voice_at(observation.at, over, rtp.ssrc);
                if any && !own {
                    defects.push(Defect::AnotherSsrc { position });
                }
            }
            let milliseconds = rtp.longest_gap_ms;
            if milliseconds >= SPARSE_MS && self.expected.around.loss == 0.0 {
                defects.push(Defect::SparseUpdates { position, milliseconds });
            }
        }
        // A duration on another clock says nothing, nor does one of which the end may have been lost.
        let whole = observation.rtp.is_none_or(|rtp| rtp.end == Seen::Yes);
        if let Some(duration) = observation.duration.filter(|d| *d < SHORTEST && whole && !other_clock) {
            defects.push(Defect::Shortened { position, milliseconds: millis(duration) });
        }
        if observation.level_dbm0.is_some_and(|level| level < QUIETEST_DBM0) {
            defects.push(Defect::TooQuiet { position });
        }
    }

    /// Several digits under one timestamp.
    fn timestamps(&self, came: &[(usize, &Observation)], defects: &mut Vec<Defect>) {
        let key = |observation: &Observation| observation.rtp.map(|rtp| (rtp.ssrc, rtp.timestamp));
        for (position, observation) in came {
            let shares = |(other, twin): &(usize, &Observation)| {
                other != position
                    && key(observation).is_some()
                    && (key(twin) == key(observation) || twin.restarted_by(observation))
            };
            if came.iter().any(shares) {
                defects.push(Defect::SharedTimestamp { position: *position });
            }
        }
    }
}

fn marker(position: usize) -> Defect {
    Defect::NoMarker { position }
}

fn end(position: usize) -> Defect {
    Defect::NoEndPacket { position }
}

fn millis(time: Duration) -> u32 {
    time.as_millis().try_into().unwrap_or(u32::MAX)
}

fn sent_of(step: &Step) -> Option<usize> {
    match *step {
        Step::Same { sent, .. }
        | Step::Changed { sent, .. }
        | Step::Swapped { sent, .. }
        | Step::Missing { sent } => Some(sent),
        Step::Extra { .. } => None,
    }
}
