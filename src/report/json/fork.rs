//! The part of a line about several that are called as one.

use super::milliseconds;
use crate::check::{ForkReleased, ForkResult, ForkRound, ForkRung};
use std::collections::BTreeMap;

#[derive(serde::Serialize)]
pub(super) struct Row<'a> {
    target: &'a str,
    caller: &'a str,
    ends: &'a [String],
    rounds: Vec<Round<'a>>,
    legs_left: usize,
}

#[derive(serde::Serialize)]
struct Round<'a> {
    trial: &'a str,
    rang: Vec<Rung<'a>>,
    not_rung: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'a str>,
    refused: Vec<&'a str>,
    answered: Vec<&'a str>,
    winner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_ms: Option<f64>,
    released: Vec<Released<'a>>,
    /// Of each party, whom it hears.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    heard: BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    second_rang: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<u16>,
    legs_left: usize,
}

#[derive(serde::Serialize)]
struct Rung<'a> {
    end: &'a str,
    after_ms: f64,
    request_uri: &'a str,
    from: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    asserted: &'a str,
}

#[derive(serde::Serialize)]
struct Released<'a> {
    end: &'a str,
    by: &'a str,
    after_ms: f64,
    reason: &'a [String],
    acknowledged: bool,
}

pub(super) fn row(result: &ForkResult) -> Row<'_> {
    Row {
        target: &result.target,
        caller: &result.caller,
        ends: &result.ends,
        rounds: result.rounds.iter().map(|of| round(result, of)).collect(),
        legs_left: result.legs_left,
    }
}

fn end(result: &ForkResult, number: usize) -> &str {
    result.ends.get(number).map_or("", String::as_str)
}

fn ends<'a>(result: &'a ForkResult, numbers: &[usize]) -> Vec<&'a str> {
    numbers.iter().map(|number| end(result, *number)).collect()
}

fn round<'a>(result: &'a ForkResult, round: &'a ForkRound) -> Round<'a> {
    let silent = |number: &usize| !round.rang.iter().any(|rung| rung.end == *number);
    let silent: Vec<usize> = (0..result.ends.len()).filter(silent).collect();
    let party =
        |number: usize| number.checked_sub(1).map_or(result.caller.as_str(), |number| end(result, number));
    let heard = round.heard.iter().enumerate();
    Round {
        trial: round.trial.as_str(),
        rang: round.rang.iter().map(|rung| rang(result, rung)).collect(),
        not_rung: ends(result, &silent),
        order: round.order.map(|order| order.as_str()),
        refused: ends(result, &round.refused),
        answered: ends(result, &round.answered),
        winner: round.winner.map(|winner| end(result, winner)),
        answer_ms: round.answer.map(milliseconds),
        released: round.released.iter().map(|one| released(result, one)).collect(),
        heard: heard
            .map(|(listener, whom)| (party(listener), whom.iter().map(|whom| party(*whom)).collect()))
            .collect(),
        second_rang: ends(result, &round.second_rang),
        refusal: round.refusal,
        legs_left: round.legs_left,
    }
}

fn rang<'a>(result: &'a ForkResult, rung: &'a ForkRung) -> Rung<'a> {
    Rung {
        end: end(result, rung.end),
        after_ms: milliseconds(rung.after),
        request_uri: &rung.request_uri,
        from: &rung.from,
        asserted: &rung.asserted,
    }
}

fn released<'a>(result: &'a ForkResult, released: &'a ForkReleased) -> Released<'a> {
    Released {
        end: end(result, released.end),
        by: &released.by,
        after_ms: milliseconds(released.after),
        reason: &released.reasons,
        acknowledged: released.acknowledged,
    }
}
