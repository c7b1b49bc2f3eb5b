//! The part of a line about digits.

use super::milliseconds;
use crate::check::{DtmfResult, Name, Outcome};
use crate::media::digit::Digit;
use crate::media::dtmf::{Observation, Way};
use std::time::Instant;

#[derive(serde::Serialize)]
pub(super) struct Row<'a> {
    step: &'a str,
    method: &'a str,
    sent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrived_by: Option<&'a str>,
    defects: &'a [Name],
    /// With three decimals.
    loss: f64,
    digits: Vec<One>,
    observed: Vec<One>,
}

#[derive(serde::Serialize)]
struct One {
    digit: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level_dbm0: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_type: Option<u8>,
}

pub(super) fn rows(outcome: &Outcome) -> Vec<Row<'_>> {
    outcome.dtmf().iter().map(|result| row(result, outcome.transcript.began)).collect()
}

fn row(result: &DtmfResult, began: Instant) -> Row<'_> {
    let judged = result.judged.as_ref();
    let digits = match judged {
        Some(judged) => judged
            .digits
            .iter()
            .map(|digit| One { by: None, ..one(Some(digit.digit), digit.observed.as_ref(), began) })
            .collect(),
        None => result.sent.iter().map(|digit| one(Some(*digit), None, began)).collect(),
    };
    Row {
        step: &result.step,
        method: name(result.way),
        sent: result.sent.iter().map(|digit| digit.character()).collect(),
        received: judged.map(|judged| judged.received.as_str()),
        arrived_by: judged.and_then(|judged| judged.way).map(name),
        defects: &result.defects,
        loss: (result.loss * 1_000.0).round() / 1_000.0,
        digits,
        observed: result.observed.iter().map(|seen| one(seen.digit, Some(seen), began)).collect(),
    }
}

fn one(digit: Option<Digit>, seen: Option<&Observation>, began: Instant) -> One {
    One {
        digit: digit.map(Digit::character),
        by: seen.map(|seen| name(seen.way)),
        at_ms: seen.map(|seen| milliseconds(seen.at.saturating_duration_since(began))),
        duration_ms: seen.and_then(|seen| seen.duration).map(milliseconds),
        level_dbm0: seen.and_then(|seen| seen.level_dbm0).map(|level| (level * 10.0).round() / 10.0),
        payload_type: seen.and_then(|seen| seen.rtp).map(|rtp| rtp.payload_type),
    }
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Rfc4733 => "rfc4733",
        Way::InBand => "inband",
        Way::Info => "info",
    }
}
