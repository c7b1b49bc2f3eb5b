//! The part of a line about a transfer.

use super::milliseconds;
use crate::check::{Heard, TransferResult};
use std::collections::BTreeMap;

#[derive(serde::Serialize)]
pub(super) struct Row<'a> {
    kind: &'a str,
    parties: &'a [String; 3],
    transferor: &'a str,
    heard: Matrices<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    park: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refer: Option<u16>,
    notify: &'a [u16],
    legs_left: usize,
    transferee: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_ms: Option<f64>,
}

#[derive(serde::Serialize)]
struct Matrices<'a> {
    before: Option<Matrix<'a>>,
    after: Option<Matrix<'a>>,
}

/// Of each party, whom it hears.
type Matrix<'a> = BTreeMap<&'a str, Vec<&'a str>>;

pub(super) fn row(result: &TransferResult) -> Row<'_> {
    Row {
        kind: result.kind.as_str(),
        parties: &result.parties,
        transferor: result.parties.get(result.transferor).map_or("", String::as_str),
        heard: Matrices {
            before: result.before.map(|heard| matrix(result, heard)),
            after: result.after.map(|heard| matrix(result, heard)),
        },
        keys: result.keys.as_deref(),
        park: result.park.as_deref(),
        refer: result.refer_status,
        notify: &result.notified,
        legs_left: result.legs_left,
        transferee: &result.transferee,
        transfer_ms: result.took.map(milliseconds),
    }
}

fn matrix(result: &TransferResult, heard: Heard) -> Matrix<'_> {
    let whom = |listener: usize| {
        let names = result.parties.iter().enumerate();
        names
            .filter(move |(speaker, _)| heard.hears(listener, *speaker))
            .map(|(_, name)| name.as_str())
            .collect()
    };
    result.parties.iter().enumerate().map(|(listener, name)| (name.as_str(), whom(listener))).collect()
}
