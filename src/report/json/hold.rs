//! The part of a line about a hold.

use super::words::{Text, party, place};
use crate::check::{HeardOnHold, HoldResult};
use crate::ua::call::Hold as How;
use std::borrow::Cow;

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Row<'a> {
    parties: Cow<'a, [String; 2]>,
    holder: Text<'a>,
    way: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_on: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_on_hold: Option<Sound<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_hears: Option<Sound<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_answer: Option<Text<'a>>,
}

/// What one end hears.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Sound<'a> {
    sound: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<Text<'a>>,
}

pub(super) fn sound(heard: HeardOnHold, names: &[String]) -> Sound<'_> {
    let party = heard.party().map(|number| party(names, number));
    Sound { sound: heard.as_str().into(), party }
}

impl Sound<'_> {
    pub(super) fn read(&self, names: &[String]) -> Result<HeardOnHold, String> {
        Ok(match (&*self.sound, &self.party) {
            ("no-packets", _) => HeardOnHold::NoPackets,
            ("silence", _) => HeardOnHold::Silence,
            ("comfort-noise", _) => HeardOnHold::ComfortNoise,
            ("other-sound", _) => HeardOnHold::OtherSound,
            ("tone", Some(whose)) => HeardOnHold::Tone(place(names, whose)?),
            (sound, _) => return Err(format!("sound {sound:?} is not known")),
        })
    }
}

pub(super) fn row(result: &HoldResult) -> Row<'_> {
    let heard = |heard: Option<HeardOnHold>| heard.map(|heard| sound(heard, &result.parties));
    let text = |text: &'_ Option<String>| text.as_deref().map(|text| Text::Owned(text.to_owned()));
    Row {
        parties: Cow::Borrowed(&result.parties),
        holder: party(&result.parties, result.holder),
        way: way(result.how).into(),
        answer: text(&result.answer),
        passed_on: result.passed_on,
        heard_on_hold: heard(result.heard_on_hold),
        holder_hears: heard(result.holder_hears),
        resume_answer: text(&result.resume_answer),
    }
}

impl Row<'_> {
    pub(super) fn read(self) -> Result<HoldResult, String> {
        let parties = self.parties.into_owned();
        let heard = |sound: Option<Sound<'_>>| sound.map(|sound| sound.read(&parties)).transpose();
        let known = [How::SendOnly, How::Inactive, How::ZeroAddress];
        let how = known.into_iter().find(|how| way(*how) == self.way);
        Ok(HoldResult {
            holder: place(&parties, &self.holder)?,
            how: how.ok_or_else(|| format!("way {:?} is not known", self.way))?,
            answer: self.answer.map(Text::into_owned),
            passed_on: self.passed_on,
            heard_on_hold: heard(self.heard_on_hold)?,
            holder_hears: heard(self.holder_hears)?,
            resume_answer: self.resume_answer.map(Text::into_owned),
            parties,
        })
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
