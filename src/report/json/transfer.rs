//! The part of a line about a transfer.

use super::hold::{Sound, sound};
use super::words::{Text, duration, milliseconds, place};
use crate::check::{self, Heard, Identity, Sees, TransferKind, TransferResult};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Row<'a> {
    kind: TransferKind,
    parties: Cow<'a, [String; 3]>,
    transferor: Text<'a>,
    heard: Matrices<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    park: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refer: Option<u16>,
    notify: Cow<'a, [u16]>,
    legs_left: usize,
    transferee: Text<'a>,
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
#[derive(serde::Serialize, serde::Deserialize)]
struct Shown<'a> {
    transferee_first: Option<Party<'a>>,
    transferor_first: Option<Party<'a>>,
    to_target: Option<Party<'a>>,
    to_transferee: Option<Party<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_sees: Option<Text<'a>>,
    /// Whom, where it is somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_sees_user: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transferee_sees: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transferee_sees_user: Option<Text<'a>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Party<'a> {
    uri: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asserted: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_party_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referred_by: Option<Text<'a>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Matrices<'a> {
    before: Option<Matrix<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    during: Option<Matrix<'a>>,
    after: Option<Matrix<'a>>,
}

/// Of each party, whom it hears.
type Matrix<'a> = BTreeMap<Text<'a>, Vec<Text<'a>>>;

pub(super) fn row(result: &TransferResult) -> Row<'_> {
    Row {
        kind: result.kind,
        parties: Cow::Borrowed(&result.parties),
        transferor: super::words::party(&result.parties, result.transferor),
        heard: Matrices {
            before: result.before.map(|heard| matrix(result, heard)),
            during: result.during.map(|heard| matrix(result, heard)),
            after: result.after.map(|heard| matrix(result, heard)),
        },
        keys: result.keys.as_deref().map(Text::from),
        park: result.park.as_deref().map(Text::from),
        refer: result.refer_status,
        notify: Cow::Borrowed(&result.notified),
        legs_left: result.legs_left,
        transferee: result.transferee.as_str().into(),
        heard_on_hold: result.heard_on_hold.map(|heard| sound(heard, &result.parties)),
        identity: shown(&result.identity),
        refer_ms: result.answered_after.map(milliseconds),
        notify_ms: result.told_after.map(milliseconds),
        transfer_ms: result.took.map(milliseconds),
    }
}

impl Row<'_> {
    pub(super) fn read(self) -> Result<TransferResult, String> {
        let parties = self.parties.into_owned();
        let heard =
            |matrix: Option<Matrix<'_>>| matrix.map(|matrix| read_matrix(&parties, &matrix)).transpose();
        Ok(TransferResult {
            kind: self.kind,
            transferor: place(&parties, &self.transferor)?,
            before: heard(self.heard.before)?,
            during: heard(self.heard.during)?,
            heard_on_hold: self.heard_on_hold.map(|sound| sound.read(&parties)).transpose()?,
            after: heard(self.heard.after)?,
            keys: self.keys.map(Text::into_owned),
            park: self.park.map(Text::into_owned),
            refer_status: self.refer,
            notified: self.notify.into_owned(),
            took: self.transfer_ms.map(duration),
            answered_after: self.refer_ms.map(duration),
            told_after: self.notify_ms.map(duration),
            identity: self.identity.read()?,
            legs_left: self.legs_left,
            transferee: self.transferee.into_owned(),
            parties,
        })
    }
}

impl Shown<'_> {
    fn read(self) -> Result<Identity, String> {
        Ok(Identity {
            transferee_first: self.transferee_first.map(Party::read),
            transferor_first: self.transferor_first.map(Party::read),
            to_target: self.to_target.map(Party::read),
            to_transferee: self.to_transferee.map(Party::read),
            target_sees: sees(self.target_sees, self.target_sees_user)?,
            transferee_sees: sees(self.transferee_sees, self.transferee_sees_user)?,
        })
    }
}

/// `other` without its user is what older lines have.
fn sees(word: Option<Text<'_>>, user: Option<Text<'_>>) -> Result<Option<Sees>, String> {
    Ok(match word.as_deref() {
        None => None,
        Some("right") => Some(Sees::Right),
        Some("transferor") => Some(Sees::Transferor),
        Some("nobody") => Some(Sees::Nobody),
        Some("other") => Some(Sees::Other(user.unwrap_or_default().into_owned())),
        Some(word) => return Err(format!("{word:?} says of nobody whom he sees")),
    })
}

fn other(sees: &Option<Sees>) -> Option<Text<'_>> {
    match sees {
        Some(Sees::Other(user)) => Some(user.as_str().into()),
        _ => None,
    }
}

fn shown(identity: &Identity) -> Shown<'_> {
    Shown {
        transferee_first: identity.transferee_first.as_ref().map(party),
        transferor_first: identity.transferor_first.as_ref().map(party),
        to_target: identity.to_target.as_ref().map(party),
        to_transferee: identity.to_transferee.as_ref().map(party),
        target_sees: identity.target_sees.as_ref().map(|sees| sees.as_str().into()),
        target_sees_user: other(&identity.target_sees),
        transferee_sees: identity.transferee_sees.as_ref().map(|sees| sees.as_str().into()),
        transferee_sees_user: other(&identity.transferee_sees),
    }
}

fn party(shown: &check::Shown) -> Party<'_> {
    let text = |text: &'_ Option<String>| text.as_deref().map(|text| Text::Owned(text.to_owned()));
    Party {
        uri: shown.uri.as_str().into(),
        display_name: text(&shown.display_name),
        asserted: text(&shown.asserted),
        remote_party_id: text(&shown.remote_party_id),
        referred_by: text(&shown.referred_by),
    }
}

impl Party<'_> {
    fn read(self) -> check::Shown {
        check::Shown {
            uri: self.uri.into_owned(),
            display_name: self.display_name.map(Text::into_owned),
            asserted: self.asserted.map(Text::into_owned),
            remote_party_id: self.remote_party_id.map(Text::into_owned),
            referred_by: self.referred_by.map(Text::into_owned),
        }
    }
}

fn matrix(result: &TransferResult, heard: Heard) -> Matrix<'_> {
    let whom = |listener: usize| {
        let names = result.parties.iter().enumerate();
        names
            .filter(move |(speaker, _)| heard.hears(listener, *speaker))
            .map(|(_, name)| name.as_str().into())
            .collect()
    };
    result.parties.iter().enumerate().map(|(listener, name)| (name.as_str().into(), whom(listener))).collect()
}

fn read_matrix(parties: &[String; 3], matrix: &Matrix<'_>) -> Result<Heard, String> {
    let mut heard = Heard::default();
    for (listener, whom) in matrix {
        let listener = place(parties, listener)?;
        for speaker in whom {
            let speaker = place(parties, speaker)?;
            if let Some(cell) = heard.0.get_mut(listener).and_then(|row| row.get_mut(speaker)) {
                *cell = true;
            }
        }
    }
    Ok(heard)
}
