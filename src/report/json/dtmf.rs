//! The part of a line about digits.

use super::words::{Text, duration, milliseconds};
use crate::check::{DtmfResult, Name, Outcome};
use crate::media::digit::Digit;
use crate::media::dtmf::{Comparison, Defect, DigitResult, DtmfMethod, Observation, Rtp};
use std::borrow::Cow;
use std::time::Instant;

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Row<'a> {
    step: Text<'a>,
    method: DtmfMethod,
    sent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrived_by: Option<DtmfMethod>,
    defects: Cow<'a, [Name]>,
    /// With three decimals.
    loss: f64,
    #[serde(default, skip_serializing_if = "is_no")]
    lossy: bool,
    /// What is wrong with which digit.
    #[serde(default, skip_serializing_if = "<[Defect]>::is_empty")]
    wrong: Cow<'a, [Defect]>,
    digits: Vec<One>,
    observed: Vec<One>,
    /// Which of the observed ones are of digits sent before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    belated: Vec<usize>,
    /// Which of the observed ones came from a stranger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    foreign: Vec<usize>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct One {
    digit: Option<Digit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<DtmfMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level_dbm0: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_type: Option<u8>,
    /// Of a sent digit: which of the observed ones it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<usize>,
    /// The code of an event, where it is no digit or another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<u8>,
    /// What only a telephone event has.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtp: Option<Rtp>,
}

fn is_no(value: &bool) -> bool {
    !value
}

pub(super) fn rows(outcome: &Outcome) -> Vec<Row<'_>> {
    outcome.dtmf().iter().map(|result| row(result, outcome.transcript.began)).collect()
}

fn row(result: &DtmfResult, began: Instant) -> Row<'_> {
    let judged = result.judged.as_ref();
    let digits = match judged {
        Some(judged) => judged.digits.iter().map(|digit| sent(digit, &result.observed, began)).collect(),
        None => result.sent.iter().map(|digit| one(Some(*digit), None, began)).collect(),
    };
    Row {
        step: (&*result.step).into(),
        method: result.way,
        sent: result.sent.iter().map(|digit| digit.character()).collect(),
        received: judged.map(|judged| judged.received.as_str().into()),
        arrived_by: judged.and_then(|judged| judged.way),
        defects: Cow::Borrowed(&result.defects),
        loss: (result.loss * 1_000.0).round() / 1_000.0,
        lossy: judged.is_some_and(|judged| judged.lossy),
        wrong: Cow::Borrowed(judged.map_or(&[], |judged| &judged.defects)),
        digits,
        observed: result.observed.iter().map(|seen| one(seen.digit, Some(seen), began)).collect(),
        belated: judged.map(|judged| judged.belated.clone()).unwrap_or_default(),
        foreign: judged.map(|judged| judged.foreign.clone()).unwrap_or_default(),
    }
}

/// A sent digit; what came of it stands among the observed ones, and is repeated only as far as lines always did.
fn sent(digit: &DigitResult, observed: &[Observation], began: Instant) -> One {
    let seen = digit.observed.as_ref();
    let mut one = one(Some(digit.digit), seen, began);
    one.seen = seen.and_then(|seen| observed.iter().position(|other| other == seen));
    if one.seen.is_some() {
        (one.by, one.event, one.rtp) = (None, None, None);
    }
    one
}

fn one(digit: Option<Digit>, seen: Option<&Observation>, began: Instant) -> One {
    One {
        digit,
        by: seen.map(|seen| seen.way),
        at_ms: seen.map(|seen| milliseconds(seen.at.saturating_duration_since(began))),
        duration_ms: seen.and_then(|seen| seen.duration).map(milliseconds),
        level_dbm0: seen.and_then(|seen| seen.level_dbm0).map(|level| (level * 10.0).round() / 10.0),
        payload_type: seen.and_then(|seen| seen.rtp).map(|rtp| rtp.payload_type),
        seen: None,
        event: seen.map(|seen| seen.event).filter(|event| digit.map(Digit::event) != Some(*event)),
        rtp: seen.and_then(|seen| seen.rtp),
    }
}

impl Row<'_> {
    /// `began`: what the times count from.
    pub(super) fn read(self, began: Instant) -> Result<DtmfResult, String> {
        let sent: Vec<Digit> = self
            .sent
            .chars()
            .map(|character| Digit::from_char(character).ok_or_else(|| format!("{character:?} is no digit")))
            .collect::<Result<_, _>>()?;
        let observed: Vec<Observation> =
            self.observed.iter().map(|one| one.read(one.digit, self.method, began)).collect();
        let judged = match self.received {
            None => None,
            Some(received) => Some(Comparison {
                way: self.arrived_by,
                received: received.into_owned(),
                digits: self
                    .digits
                    .iter()
                    .map(|one| one.read_sent(&observed, self.arrived_by.unwrap_or(self.method), began))
                    .collect::<Result<_, _>>()?,
                defects: self.wrong.into_owned(),
                lossy: self.lossy,
                belated: self.belated,
                foreign: self.foreign,
            }),
        };
        Ok(DtmfResult {
            step: self.step.into_owned().into(),
            way: self.method,
            sent,
            judged,
            observed,
            loss: self.loss,
            defects: self.defects.into_owned(),
        })
    }
}

impl One {
    fn read(&self, digit: Option<Digit>, way: DtmfMethod, began: Instant) -> Observation {
        let at = began.checked_add(duration(self.at_ms.unwrap_or_default())).unwrap_or(began);
        let digit = self.event.map_or(digit, Digit::from_event);
        Observation {
            way: self.by.unwrap_or(way),
            digit,
            event: self.event.or(digit.map(Digit::event)).unwrap_or_default(),
            at,
            duration: self.duration_ms.map(duration),
            level_dbm0: self.level_dbm0,
            rtp: self.rtp,
        }
    }

    fn read_sent(
        &self,
        observed: &[Observation],
        way: DtmfMethod,
        began: Instant,
    ) -> Result<DigitResult, String> {
        let digit = self.digit.ok_or("a sent digit has no digit")?;
        let seen = match (self.seen, self.at_ms) {
            (Some(index), _) => {
                Some(observed.get(index).cloned().ok_or_else(|| format!("nothing was observed as {index}"))?)
            }
            (None, Some(_)) => Some(self.read(self.digit, way, began)),
            (None, None) => None,
        };
        Ok(DigitResult { digit, observed: seen })
    }
}
