//! The part of a line about several that are called as one.

use super::words::{self, Text, duration, milliseconds, place, places};
use crate::check::{ForkReleased, ForkResult, ForkRung, ForkTrial, ForkTrialResult, RingOrder};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Row<'a> {
    target: Text<'a>,
    caller: Text<'a>,
    ends: Cow<'a, [String]>,
    #[serde(rename = "rounds")]
    trials: Vec<Trial<'a>>,
    legs_left: usize,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Trial<'a> {
    trial: ForkTrial,
    rang: Vec<Rung<'a>>,
    not_rung: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<RingOrder>,
    refused: Vec<Text<'a>>,
    answered: Vec<Text<'a>>,
    winner: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_ms: Option<f64>,
    released: Vec<Released<'a>>,
    /// Of each party, whom it hears.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    heard: BTreeMap<Text<'a>, Vec<Text<'a>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    second_rang: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<u16>,
    legs_left: usize,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Rung<'a> {
    end: Text<'a>,
    after_ms: f64,
    request_uri: Text<'a>,
    from: Text<'a>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    asserted: Text<'a>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Released<'a> {
    end: Text<'a>,
    by: Text<'a>,
    after_ms: f64,
    reason: Cow<'a, [String]>,
    acknowledged: bool,
}

pub(super) fn row(result: &ForkResult) -> Row<'_> {
    Row {
        target: result.target.as_str().into(),
        caller: result.caller.as_str().into(),
        ends: Cow::Borrowed(&result.ends),
        trials: result.trials.iter().map(|of| trial(result, of)).collect(),
        legs_left: result.legs_left,
    }
}

fn end(result: &ForkResult, number: usize) -> Text<'_> {
    words::party(&result.ends, number)
}

fn ends<'a>(result: &'a ForkResult, numbers: &[usize]) -> Vec<Text<'a>> {
    numbers.iter().map(|number| end(result, *number)).collect()
}

fn trial<'a>(result: &'a ForkResult, trial: &'a ForkTrialResult) -> Trial<'a> {
    let silent = |number: &usize| !trial.rang.iter().any(|rung| rung.end == *number);
    let silent: Vec<usize> = (0..result.ends.len()).filter(silent).collect();
    let party = |number: usize| {
        number.checked_sub(1).map_or(result.caller.as_str().into(), |number| end(result, number))
    };
    let heard = trial.heard.iter().enumerate();
    Trial {
        trial: trial.trial,
        rang: trial.rang.iter().map(|rung| rang(result, rung)).collect(),
        not_rung: ends(result, &silent),
        order: trial.order,
        refused: ends(result, &trial.refused),
        answered: ends(result, &trial.answered),
        winner: trial.winner.map(|winner| end(result, winner)),
        answer_ms: trial.answer.map(milliseconds),
        released: trial.released.iter().map(|one| released(result, one)).collect(),
        heard: heard
            .map(|(listener, whom)| (party(listener), whom.iter().map(|whom| party(*whom)).collect()))
            .collect(),
        second_rang: ends(result, &trial.second_rang),
        refusal: trial.refusal,
        legs_left: trial.legs_left,
    }
}

fn rang<'a>(result: &'a ForkResult, rung: &'a ForkRung) -> Rung<'a> {
    Rung {
        end: end(result, rung.end),
        after_ms: milliseconds(rung.after),
        request_uri: rung.request_uri.as_str().into(),
        from: rung.from.as_str().into(),
        asserted: rung.asserted.as_str().into(),
    }
}

fn released<'a>(result: &'a ForkResult, released: &'a ForkReleased) -> Released<'a> {
    Released {
        end: end(result, released.end),
        by: (&*released.by).into(),
        after_ms: milliseconds(released.after),
        reason: Cow::Borrowed(&released.reasons),
        acknowledged: released.acknowledged,
    }
}

impl Row<'_> {
    pub(super) fn read(self) -> Result<ForkResult, String> {
        let mut result = ForkResult {
            target: self.target.into_owned(),
            caller: self.caller.into_owned(),
            ends: self.ends.into_owned(),
            trials: Vec::new(),
            legs_left: self.legs_left,
        };
        result.trials = self.trials.into_iter().map(|trial| trial.read(&result)).collect::<Result<_, _>>()?;
        Ok(result)
    }
}

impl Trial<'_> {
    fn read(self, result: &ForkResult) -> Result<ForkTrialResult, String> {
        let ends = &result.ends;
        let parties: Vec<String> = std::iter::once(&result.caller).chain(ends).cloned().collect();
        let mut heard = Vec::new();
        for (listener, whom) in &self.heard {
            let listener = place(&parties, listener)?;
            if heard.len() <= listener {
                heard.resize(listener + 1, Vec::new());
            }
            heard[listener] = places(&parties, whom)?;
        }
        Ok(ForkTrialResult {
            trial: self.trial,
            rang: self.rang.into_iter().map(|rung| rung.read(ends)).collect::<Result<_, _>>()?,
            order: self.order,
            refused: places(ends, &self.refused)?,
            answered: places(ends, &self.answered)?,
            winner: self.winner.map(|winner| place(ends, &winner)).transpose()?,
            released: self.released.into_iter().map(|one| one.read(ends)).collect::<Result<_, _>>()?,
            heard,
            second_rang: places(ends, &self.second_rang)?,
            refusal: self.refusal,
            answer: self.answer_ms.map(duration),
            legs_left: self.legs_left,
        })
    }
}

impl Rung<'_> {
    fn read(self, ends: &[String]) -> Result<ForkRung, String> {
        Ok(ForkRung {
            end: place(ends, &self.end)?,
            after: duration(self.after_ms),
            request_uri: self.request_uri.into_owned(),
            from: self.from.into_owned(),
            asserted: self.asserted.into_owned(),
        })
    }
}

impl Released<'_> {
    fn read(self, ends: &[String]) -> Result<ForkReleased, String> {
        Ok(ForkReleased {
            end: place(ends, &self.end)?,
            by: self.by.into_owned().into(),
            after: duration(self.after_ms),
            reasons: self.reason.into_owned(),
            acknowledged: self.acknowledged,
        })
    }
}
