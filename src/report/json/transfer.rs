//! The part of a line about a transfer.

use super::hold::{Sound, sound};
use super::milliseconds;
use crate::check::{self, Heard, Identity, Sees, TransferResult};
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
    heard_on_hold: Option<Sound<'a>>,
    identity: Shown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refer_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_ms: Option<f64>,
}

/// How the parties were shown to each other.
#[derive(serde::Serialize)]
struct Shown<'a> {
    transferee_first: Option<Party<'a>>,
    transferor_first: Option<Party<'a>>,
    to_target: Option<Party<'a>>,
    to_transferee: Option<Party<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_sees: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transferee_sees: Option<&'static str>,
}

#[derive(serde::Serialize)]
struct Party<'a> {
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asserted: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_party_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referred_by: Option<&'a str>,
}

#[derive(serde::Serialize)]
struct Matrices<'a> {
    before: Option<Matrix<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    during: Option<Matrix<'a>>,
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
            during: result.during.map(|heard| matrix(result, heard)),
            after: result.after.map(|heard| matrix(result, heard)),
        },
        keys: result.keys.as_deref(),
        park: result.park.as_deref(),
        refer: result.refer_status,
        notify: &result.notified,
        legs_left: result.legs_left,
        transferee: &result.transferee,
        heard_on_hold: result.heard_on_hold.map(|heard| sound(heard, &result.parties)),
        identity: shown(&result.identity),
        refer_ms: result.answered_after.map(milliseconds),
        notify_ms: result.told_after.map(milliseconds),
        transfer_ms: result.took.map(milliseconds),
    }
}

fn shown(identity: &Identity) -> Shown<'_> {
    Shown {
        transferee_first: identity.transferee_first.as_ref().map(party),
        transferor_first: identity.transferor_first.as_ref().map(party),
        to_target: identity.to_target.as_ref().map(party),
        to_transferee: identity.to_transferee.as_ref().map(party),
        target_sees: identity.target_sees.as_ref().map(Sees::as_str),
        transferee_sees: identity.transferee_sees.as_ref().map(Sees::as_str),
    }
}

fn party(shown: &check::Shown) -> Party<'_> {
    Party {
        uri: &shown.uri,
        display_name: shown.display_name.as_deref(),
        asserted: shown.asserted.as_deref(),
        remote_party_id: shown.remote_party_id.as_deref(),
        referred_by: shown.referred_by.as_deref(),
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
