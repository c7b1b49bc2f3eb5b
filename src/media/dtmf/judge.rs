//! From what was sent and what was seen to named defects.
use super::align::{Step, align};
use super::defect::{By, Defect};
use super::expected::{EXACT, Expected};
use super::matches::Matches;
use super::method::DtmfMethod;
use super::observation::Observation;
use super::rows::{Owed, whole, without_restarts};
use crate::media::digit::Digit;
use std::collections::BTreeMap;
use std::time::Duration;

/// The same digit by another way within this time is the same press.
const BESIDE: Duration = Duration::from_millis(400);

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
pub struct Comparison {
    /// The way by which the digits arrived.
    pub way: Option<DtmfMethod>,
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

impl Comparison {
    /// Whether the digits arrived as they were sent, by whatever way.
    pub fn is_good(&self) -> bool {
        self.defects.iter().all(|defect| defect.is_legal())
    }
}

type Rows<'a> = BTreeMap<DtmfMethod, Vec<&'a Observation>>;

/// Compares what was sent with what was seen.
pub fn judge(expected: &Expected, observed: &[Observation]) -> Comparison {
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
    let mut judged = Comparison {
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
    let is_of_way = |observation: &&Observation| observation.way == DtmfMethod::Rfc4733;
    let right = |row: &[&Observation]| {
        let digits: Vec<Digit> = row.iter().filter(|o| is_of_way(o)).filter_map(|o| o.digit).collect();
        right(expected, &digits)
    };
    if right(&foreign) * 2 > expected.digits.len() && right(&ours) == 0 {
        return (observed.iter().collect(), Vec::new());
    }
    (ours, foreign)
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
fn arrived_by(expected: &Expected, rows: &Rows<'_>) -> Option<DtmfMethod> {
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

/// Digits that came by another way at the time at which they also came by the one that counts.
fn beside<'a>(
    other: DtmfMethod,
    row_of_other: &[&'a Observation],
    matches: &Matches<'_>,
    owed: &mut Owed<'a>,
    defects: &mut Vec<Defect>,
) {
    let by = match other {
        DtmfMethod::Rfc4733 => By::Rfc4733,
        DtmfMethod::InBand => By::InBand,
        DtmfMethod::Info => By::Info,
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
