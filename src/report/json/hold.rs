//! The part of a line about a hold.

use crate::check::{HeardOnHold, HoldResult};
use crate::ua::call::Hold as How;

#[derive(serde::Serialize)]
pub(super) struct Row<'a> {
    parties: &'a [String; 2],
    holder: &'a str,
    way: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_on: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_on_hold: Option<Sound<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_hears: Option<Sound<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_answer: Option<&'a str>,
}

/// What one end hears.
#[derive(serde::Serialize)]
pub(super) struct Sound<'a> {
    sound: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<&'a str>,
}

pub(super) fn sound(heard: HeardOnHold, names: &[String]) -> Sound<'_> {
    let party = heard.party().and_then(|party| names.get(party)).map(String::as_str);
    Sound { sound: heard.as_str(), party }
}

pub(super) fn row(result: &HoldResult) -> Row<'_> {
    let heard = |heard: Option<HeardOnHold>| heard.map(|heard| sound(heard, &result.parties));
    Row {
        parties: &result.parties,
        holder: result.parties.get(result.holder).map_or("", String::as_str),
        way: way(result.how),
        answer: result.answer.as_deref(),
        passed_on: result.passed_on,
        heard_on_hold: heard(result.heard_on_hold),
        holder_hears: heard(result.holder_hears),
        resume_answer: result.resume_answer.as_deref(),
    }
}

/// How a hold is called on command lines as well.
const fn way(how: How) -> &'static str {
    match how {
        How::SendOnly => "sendonly",
        How::Inactive => "inactive",
        How::ZeroAddress => "zero",
    }
}
