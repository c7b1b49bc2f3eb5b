//! From what was sent and what was seen to named defects.
use super::align::{Step, align};
use super::around::Around;
use super::defect::{By, Defect};
use super::matches::Matches;
use super::observation::{Observation, Way};
use crate::media::digit::Digit;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A digit shorter than this is not taken by a receiver that keeps to ITU-T Q.24 (failure D09).
pub(super) const SHORTEST: Duration = Duration::from_millis(40);
/// A digit weaker than this need not be taken (failure D09; RFC 2833 sec. 3.5: 0 to -36 dBm0 must be).
pub(super) const QUIETEST_DBM0: f32 = -36.0;
/// The same digit by another way within this time is the same press.
const BESIDE: Duration = Duration::from_millis(400);
/// Above this loss a defect may be the path's and not the platform's.
pub(super) const LOSSY: f64 = 0.10;

/// A digit that comes this much later than its own length after it began to be sent is late: no jitter buffer waits for it.
pub(super) const LATE: Duration = Duration::from_millis(500);
/// Packets of an event this far apart are no updates of it: RFC 4733 sec. 2.5.1.2 has one in each packet time, or 50 ms.
pub(super) const SPARSE_MS: u32 = 250;

/// How exactly the beginning of a tone is measured.
pub(super) const EXACT: Duration = Duration::from_millis(100);

/// What the far end should have seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// How the digits were sent.
    pub way: Way,
    /// The digits in their order.
    pub digits: Vec<Digit>,
    /// How long each of them was.
    pub duration: Duration,
    /// When each of them began to be sent; empty where that is not known.
    pub sent_at: Vec<Instant>,
    /// The payload type that the far end asked for, where it did.
    pub payload_type: Option<u8>,
    /// The clock rate agreed on for telephone events.
    pub clock_rate_hz: u32,
    /// The voice around the digits, as the far end received it.
    pub around: Around,
    /// Digits that were sent before these and had not come when these began: they may still come.
    pub owed: Vec<Digit>,
}

impl Expected {
    /// Digits of one duration by one way at 8,000 Hz; nothing known of times, payload type and source, and no loss.
    pub fn new(way: Way, digits: Vec<Digit>, duration: Duration) -> Expected {
        Expected {
            way,
            digits,
            duration,
            sent_at: Vec::new(),
            payload_type: None,
            clock_rate_hz: 8_000,
            around: Around::default(),
            owed: Vec::new(),
        }
    }
    /// Whether so much of the voice was lost that what is missing says nothing of the platform.
    fn is_lossy(&self) -> bool {
        self.around.loss > LOSSY
    }
}

/// One sent digit, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DigitResult {
    /// The digit.
    pub digit: Digit,
    /// How it arrived.
    pub observed: Option<Observation>,
}

/// The comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The way by which the digits arrived.
    pub way: Option<Way>,
    /// What a receiver that takes this way has read.
    pub received: String,
    /// Each sent digit.
    pub digits: Vec<DigitResult>,
    /// What is wrong, in the order of the digits.
    pub defects: Vec<Defect>,
    /// More than a tenth of the voice was lost: what is missing may be the path's fault.
    pub lossy: bool,
    /// Which observations are of digits sent before: they belong to those.
    pub belated: Vec<usize>,
    /// Which observations came from an address that neither the voice nor these digits come from.
    pub foreign: Vec<usize>,
}

impl Judged {
    /// Whether the digits arrived as they were sent, by whatever way.
    pub fn is_good(&self) -> bool {
        self.defects.iter().all(|defect| defect.is_legal())
    }
}

type Rows<'a> = BTreeMap<Way, Vec<&'a Observation>>;

/// Compares what was sent with what was seen.
pub fn judge(expected: &Expected, observed: &[Observation]) -> Judged {
    let mut defects = Vec::new();
    let (ours, foreign) = apart(expected, observed);
    let mut owed = Owed { digits: expected.owed.clone(), belated: Vec::new() };
    let ours = of_these(expected, ours, &mut owed);
    let mut rows = Rows::new();
    for observation in ours {
        if observation.digit.is_none() {
            defects.push(Defect::NoDigit { event: observation.event });
        } else {
            rows.entry(observation.way).or_default().push(observation);
        }
    }
    rows.values_mut().for_each(|row| row.sort_by_key(|observation| observation.at));
    let mut judged = Judged {
        way: arrived_by(expected, &rows),
        received: String::new(),
        digits: expected.digits.iter().map(|&digit| DigitResult { digit, observed: None }).collect(),
        defects: Vec::new(),
        lossy: expected.is_lossy(),
        belated: Vec::new(),
        foreign: which(observed, &foreign),
    };
    let Some(way) = judged.way else {
        defects.push(Defect::NothingArrived);
        judged.defects = defects;
        judged.belated = which(observed, &owed.belated);
        return judged;
    };
    if way != expected.way {
        defects.push(Defect::Converted { from: expected.way, to: way });
    }
    let all = rows.remove(&way).unwrap_or_default();
    let (all, pieces) = whole(expected, all);
    let (row, restarts) = without_restarts(&all);
    let mut matches = Matches::new(expected, row, restarts);
    matches.align(&mut defects);
    matches.take_belated(&mut owed, &mut defects);
    for (&other, row_of_other) in &rows {
        beside(other, row_of_other, &matches, &mut owed, &mut defects);
    }
    matches.inspect(&mut defects);
    matches.broken(&pieces, &mut defects);
    let is_belated =
        |observation: &&&Observation| !owed.belated.iter().any(|late| std::ptr::eq(*late, **observation));
    judged.received = all.iter().filter(is_belated).filter_map(|o| o.digit).map(Digit::character).collect();
    let mut seen = Vec::new();
    defects.retain(|defect| {
        !seen.contains(defect) && {
            seen.push(*defect);
            true
        }
    });
    defects.sort_by_key(|defect| defect.place());
    for (position, result) in judged.digits.iter_mut().enumerate() {
        result.observed = matches.of(position).cloned();
    }
    judged.defects = defects;
    judged.belated = which(observed, &owed.belated);
    judged
}

/// Places of some observations among all.
fn which(observed: &[Observation], some: &[&Observation]) -> Vec<usize> {
    let is_one = |one: &Observation| some.iter().any(|other| std::ptr::eq(*other, one));
    (0..observed.len()).filter(|place| is_one(&observed[*place])).collect()
}

/// What came from where the voice comes from, and what did not. Digits that came from elsewhere alone are still those that were sent.
fn apart<'a>(
    expected: &Expected,
    observed: &'a [Observation],
) -> (Vec<&'a Observation>, Vec<&'a Observation>) {
    let is_foreign = |observation: &&Observation| observation.rtp.is_some_and(|rtp| rtp.is_foreign);
    let (foreign, ours): (Vec<_>, Vec<_>) = observed.iter().partition(is_foreign);
    let is_of_way = |observation: &&Observation| observation.way == Way::Rfc4733;
    let right = |row: &[&Observation]| {
        let digits: Vec<Digit> = row.iter().filter(|o| is_of_way(o)).filter_map(|o| o.digit).collect();
        right(expected, &digits)
    };
    if right(&foreign) * 2 > expected.digits.len() && right(&ours) == 0 {
        return (observed.iter().collect(), Vec::new());
    }
    (ours, foreign)
}

/// Digits that were sent before these and are still to come, and what has come of them.
pub(super) struct Owed<'a> {
    digits: Vec<Digit>,
    belated: Vec<&'a Observation>,
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

/// What can be of these digits; what came too early for that is of those that are still owed.
fn of_these<'a>(
    expected: &Expected,
    observed: Vec<&'a Observation>,
    owed: &mut Owed<'a>,
) -> Vec<&'a Observation> {
    let is_sent = |observation: &Observation| {
        let mut sent = expected.digits.iter().zip(&expected.sent_at);
        expected.sent_at.is_empty()
            || sent.any(|(digit, at)| Some(*digit) == observation.digit && *at <= observation.at + EXACT)
    };
    observed.into_iter().filter(|observation| is_sent(observation) || !owed.pay(observation)).collect()
}

/// How many of the sent digits a row has in their order, or as neighbours in the wrong order.
fn right(expected: &Expected, digits: &[Digit]) -> usize {
    align(&expected.digits, digits)
        .iter()
        .filter(|step| matches!(step, Step::Same { .. } | Step::Swapped { .. }))
        .count()
}

/// The way by which most of the digits came; the one that was asked for where it is as good.
fn arrived_by(expected: &Expected, rows: &Rows<'_>) -> Option<Way> {
    let right = |row: &[&Observation]| {
        let digits: Vec<Digit> = row.iter().filter_map(|o| o.digit).collect();
        right(expected, &digits)
    };
    rows.iter()
        .map(|(&way, row)| (right(row), way == expected.way, way))
        .filter(|&(right, asked, _)| right > 0 || asked)
        .max()
        .map(|(_, _, way)| way)
}

/// A piece of a tone, and the observation that the tone began with.
pub(super) type Piece<'a> = (&'a Observation, &'a Observation);

/// The presses of a row, and what is only a piece of one: two tones of a digit that end before two presses could have.
fn whole<'a>(expected: &Expected, all: Vec<&'a Observation>) -> (Vec<&'a Observation>, Vec<Piece<'a>>) {
    let (mut presses, mut pieces): (Vec<&Observation>, Vec<Piece<'a>>) = (Vec::new(), Vec::new());
    for observation in all {
        let is_piece = |first: &&&Observation| {
            let over = observation.at + observation.duration.unwrap_or_default();
            let is_short = first.duration.is_some_and(|duration| duration < expected.duration);
            observation.way == Way::InBand
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

/// An event that was begun anew, and the press (its place in the row) that it repeats.
pub(super) type Restart<'a> = (usize, &'a Observation);

/// The presses, and the events that were begun anew.
fn without_restarts<'a>(all: &[&'a Observation]) -> (Vec<&'a Observation>, Vec<Restart<'a>>) {
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

/// Digits that came by another way at the time at which they also came by the one that counts.
fn beside<'a>(
    other: Way,
    row_of_other: &[&'a Observation],
    matches: &Matches<'_>,
    owed: &mut Owed<'a>,
    defects: &mut Vec<Defect>,
) {
    let by = match other {
        Way::Rfc4733 => By::Rfc4733,
        Way::InBand => By::InBand,
        Way::Info => By::Info,
    };
    let mut taken = vec![false; matches.len()];
    for observation in row_of_other.iter().filter(|observation| !owed.pay(observation)) {
        let apart = |position: usize| {
            let at = matches.of(position)?;
            let apart = at.at.max(observation.at).saturating_duration_since(at.at.min(observation.at));
            (at.digit == observation.digit && apart <= BESIDE).then_some(apart)
        };
        let nearest = (0..matches.len())
            .filter(|&position| !taken[position])
            .filter_map(|position| Some((apart(position)?, position)))
            .min();
        if let Some((_, position)) = nearest {
            taken[position] = true;
            defects.push(Defect::Doubled { position, by });
        }
    }
}
