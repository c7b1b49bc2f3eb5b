//! From what was sent and what was seen to named defects.
use super::align::{Step, align};
use super::defect::{By, Defect};
use super::observation::{Observation, Way};
use crate::media::digit::Digit;
use crate::media::telephone_event::Seen;
use std::collections::BTreeMap;
use std::time::Duration;

/// A digit shorter than this is not taken by a receiver that keeps to ITU-T Q.24 (failure D09).
const SHORTEST: Duration = Duration::from_millis(40);
/// A digit weaker than this need not be taken (failure D09; RFC 2833 sec. 3.5: 0 to -36 dBm0 must be).
const QUIETEST_DBM0: f32 = -36.0;
/// The same digit by another way within this time is the same press.
const BESIDE: Duration = Duration::from_millis(400);
/// Above this loss a defect may be the path's and not the platform's.
const LOSSY: f64 = 0.10;

/// What the far end should have seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// How the digits were sent.
    pub way: Way,
    /// The digits in their order.
    pub digits: Vec<Digit>,
    /// How long each of them was.
    pub duration: Duration,
    /// The payload type that the far end asked for, where it did.
    pub payload_type: Option<u8>,
    /// The clock rate agreed on for telephone events.
    pub clock_rate_hz: u32,
    /// The source of the voice packets around the digits, as the far end saw it.
    pub voice_ssrc: Option<u32>,
    /// The part of the packets that was lost on the way, 0 to 1.
    pub loss: f64,
}

impl Expected {
    /// Digits of one duration by one way at 8,000 Hz; nothing known of payload type and source, and no loss.
    pub fn new(way: Way, digits: Vec<Digit>, duration: Duration) -> Expected {
        Expected {
            way,
            digits,
            duration,
            payload_type: None,
            clock_rate_hz: 8_000,
            voice_ssrc: None,
            loss: 0.0,
        }
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
    /// More than a tenth of the packets was lost: what is missing may be the path's fault.
    pub lossy: bool,
}

impl Judged {
    /// Whether the digits arrived as they were sent, by whatever way.
    pub fn is_good(&self) -> bool {
        self.defects.iter().all(|defect| defect.is_legal())
    }
}

/// Compares what was sent with what was seen.
pub fn judge(expected: &Expected, observed: &[Observation]) -> Judged {
    let mut defects = Vec::new();
    let mut by_way: BTreeMap<Way, Vec<&Observation>> = BTreeMap::new();
    for observation in observed {
        if observation.digit.is_none() {
            defects.push(Defect::NoDigit { event: observation.event });
        } else {
            by_way.entry(observation.way).or_default().push(observation);
        }
    }
    by_way.values_mut().for_each(|row| row.sort_by_key(|observation| observation.at));
    let way = arrived_by(expected, &by_way);
    let Some(way) = way else {
        defects.push(Defect::NothingArrived);
        let digits = expected.digits.iter().map(|&digit| DigitResult { digit, observed: None }).collect();
        return Judged { way: None, received: String::new(), digits, defects, lossy: expected.loss > LOSSY };
    };
    if way != expected.way {
        defects.push(Defect::Converted { from: expected.way, to: way });
    }
    let all = by_way.remove(&way).unwrap_or_default();
    let received = all.iter().filter_map(|o| o.digit).map(Digit::character).collect();
    let (row, restarts) = without_restarts(&all);
    let of = |index: usize| row.get(index).copied();

    let digits: Vec<Digit> = row.iter().filter_map(|o| o.digit).collect();
    let mut matched: Vec<Option<usize>> = vec![None; expected.digits.len()];
    let steps = align(&expected.digits, &digits);
    for (n, &step) in steps.iter().enumerate() {
        match step {
            Step::Same { sent, received } => matched[sent] = Some(received),
            Step::Changed { sent, received } => {
                matched[sent] = Some(received);
                defects.push(Defect::Changed { position: sent, into: digits[received] });
            }
            Step::Swapped { sent, received } => {
                (matched[sent], matched[sent + 1]) = (Some(received + 1), Some(received));
                defects.push(Defect::Swapped { position: sent });
            }
            Step::Missing { sent } => {
                let before = sent.checked_sub(1).filter(|&b| expected.digits[b] == expected.digits[sent]);
                let after =
                    Some(sent + 1).filter(|&a| expected.digits.get(a) == Some(&expected.digits[sent]));
                // On a lossy path an absent digit is lost, unless its neighbour shows that it holds two.
                let twin = before.and_then(|b| matched[b]).and_then(of);
                let shows = twin.is_some_and(|twin| holds_two(twin, expected));
                let merged = shows || (before.is_some() || after.is_some()) && expected.loss <= LOSSY;
                defects.push(if merged {
                    Defect::Merged { position: sent }
                } else {
                    Defect::Lost { position: sent }
                });
            }
            Step::Extra { received } => {
                let before = steps[..n].iter().rev().find_map(|step| match *step {
                    Step::Same { sent, received: r } if digits[r] == digits[received] => Some(sent),
                    _ => None,
                });
                let follows = received.checked_sub(1).is_some_and(|b| digits[b] == digits[received]);
                defects.push(match before {
                    Some(position) if follows => Defect::Doubled { position, by: By::Repeat },
                    _ => {
                        let before = steps[n..].iter().find_map(sent_of).unwrap_or(expected.digits.len());
                        Defect::Invented { before, digit: digits[received] }
                    }
                });
            }
        }
    }
    for index in restarts {
        if let Some(position) = matched.iter().position(|&m| m == Some(index)) {
            defects.push(Defect::Doubled { position, by: By::Restart });
        }
    }
    for (&other, row_of_other) in &by_way {
        beside(other, row_of_other, &row, &matched, &mut defects);
    }
    let clock_hz = median_clock(&row);
    for (position, observation) in matched.iter().enumerate().filter_map(|(p, m)| Some((p, of((*m)?)?))) {
        inspect(expected, clock_hz, position, observation, &mut defects);
    }
    let mut seen = Vec::new();
    defects.retain(|defect| {
        !seen.contains(defect) && {
            seen.push(*defect);
            true
        }
    });
    defects.sort_by_key(|defect| defect.place());
    let digits = expected.digits.iter().zip(&matched);
    let digits = digits
        .map(|(&digit, matched)| DigitResult { digit, observed: matched.and_then(of).cloned() })
        .collect();
    Judged { way: Some(way), received, digits, defects, lossy: expected.loss > LOSSY }
}

/// The way by which most of the digits came; the one that was asked for where it is as good.
fn arrived_by(expected: &Expected, by_way: &BTreeMap<Way, Vec<&Observation>>) -> Option<Way> {
    let right = |row: &[&Observation]| {
        let digits: Vec<Digit> = row.iter().filter_map(|o| o.digit).collect();
        align(&expected.digits, &digits)
            .iter()
            .filter(|step| matches!(step, Step::Same { .. } | Step::Swapped { .. }))
            .count()
    };
    by_way
        .iter()
        .map(|(&way, row)| (right(row), way == expected.way, way))
        .filter(|&(right, asked, _)| right > 0 || asked)
        .max()
        .map(|(_, _, way)| way)
}

/// The presses, and the indices of those whose event was begun anew.
fn without_restarts<'a>(all: &[&'a Observation]) -> (Vec<&'a Observation>, Vec<usize>) {
    let (mut row, mut restarts): (Vec<&Observation>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut latest: Option<&Observation> = None;
    for &observation in all {
        if latest.is_some_and(|latest| latest.restarted_by(observation)) {
            restarts.push(row.len() - 1);
        } else {
            row.push(observation);
        }
        latest = Some(observation);
    }
    (row, restarts)
}

/// Whether one observation shows that two presses went into it.
fn holds_two(observation: &Observation, expected: &Expected) -> bool {
    let again = observation.rtp.is_some_and(|rtp| rtp.markers > 1 || rtp.duration_resets > 0);
    again || observation.duration.is_some_and(|duration| duration > expected.duration * 3 / 2)
}

/// Digits that came by another way at the time at which they also came by the one that counts.
fn beside(
    other: Way,
    row_of_other: &[&Observation],
    row: &[&Observation],
    matched: &[Option<usize>],
    defects: &mut Vec<Defect>,
) {
    let by = match other {
        Way::Rfc4733 => By::Rfc4733,
        Way::InBand => By::InBand,
        Way::Info => By::Info,
    };
    let mut taken = vec![false; matched.len()];
    for observation in row_of_other {
        let apart = |index: usize| {
            let at = row.get(index)?;
            let apart = at.at.max(observation.at).saturating_duration_since(at.at.min(observation.at));
            (at.digit == observation.digit && apart <= BESIDE).then_some(apart)
        };
        let nearest = (0..matched.len())
            .filter(|&position| !taken[position])
            .filter_map(|position| Some((apart(matched[position]?)?, position)))
            .min();
        if let Some((_, position)) = nearest {
            taken[position] = true;
            defects.push(Defect::Doubled { position, by });
        }
    }
}

/// The clock as the middle one of all events tells it.
fn median_clock(row: &[&Observation]) -> Option<u32> {
    let mut clocks: Vec<u32> = row.iter().filter_map(|o| o.rtp?.clock_rate_hz).collect();
    clocks.sort_unstable();
    clocks.get(clocks.len() / 2).copied()
}

/// What is wrong with a digit that came.
fn inspect(
    expected: &Expected,
    clock_hz: Option<u32>,
    position: usize,
    observation: &Observation,
    defects: &mut Vec<Defect>,
) {
    let agreed = expected.clock_rate_hz.max(1);
    let another = |hz: u32| hz > agreed.saturating_mul(3) / 2 || hz < agreed / 3 * 2;
    let mut other_clock = false;
    if let Some(rtp) = observation.rtp {
        // Late packets make one event's clock look fast or slow, not that of all of them.
        let hz = rtp.clock_rate_hz.unwrap_or(agreed);
        other_clock = another(hz) && clock_hz.is_some_and(another);
        if other_clock {
            defects.push(Defect::WrongClockRate { position, hz });
        }
        if rtp.marker == Seen::No {
            defects.push(Defect::NoMarker { position });
        }
        if rtp.end == Seen::No {
            defects.push(Defect::NoEndPacket { position });
        }
        if expected.payload_type.is_some_and(|asked| asked != rtp.payload_type) {
            defects.push(Defect::WrongPayloadType { position, payload_type: rtp.payload_type });
        }
        if expected.voice_ssrc.is_some_and(|voice| voice != rtp.ssrc) {
            defects.push(Defect::AnotherSsrc { position });
        }
    }
    // A duration on another clock says nothing, nor does one of which the end may have been lost.
    let whole = observation.rtp.is_none_or(|rtp| rtp.end == Seen::Yes);
    if let Some(duration) = observation.duration.filter(|d| *d < SHORTEST && whole && !other_clock) {
        defects.push(Defect::Shortened { position, milliseconds: duration.as_millis() as u32 });
    }
    if observation.level_dbm0.is_some_and(|level| level < QUIETEST_DBM0) {
        defects.push(Defect::TooQuiet { position });
    }
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
