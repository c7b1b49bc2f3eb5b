//! The result of a transfer, for programs.

use super::HeardOnHold;
use crate::error::{Argument, Error, Problem};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Kind of a transfer (RFC 5589).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum TransferKind {
    /// The transferee is sent to the target, which nobody has asked (sec. 6).
    Blind,
    /// The transferor holds the transferee, talks to the target, and joins both (sec. 7): Refer-To with Replaces.
    Attended,
    /// The transferor lets the target ring, gives that call up, and sends the transferee there.
    SemiAttended,
}

impl TransferKind {
    /// `blind`, `attended`, `semi-attended`.
    pub const fn as_str(self) -> &'static str {
        match self {
            TransferKind::Blind => "blind",
            TransferKind::Attended => "attended",
            TransferKind::SemiAttended => "semi-attended",
        }
    }
}

impl fmt::Display for TransferKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TransferKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<TransferKind, Error> {
        let all = [TransferKind::Blind, TransferKind::Attended, TransferKind::SemiAttended];
        all.into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::usage(Argument::Kind, text, Problem::unknown(all)))
    }
}

/// The result of a transfer, for programs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TransferResult {
    /// Kind of the transfer.
    pub kind: TransferKind,
    /// The names of the parties: caller, callee, target.
    pub parties: [String; 3],
    /// Number of the party that transferred.
    pub transferor: usize,
    /// The parties that heard each other before the transfer; `None` when it did not come to that.
    pub before: Option<Heard>,
    /// The parties that heard each other while the transferor talked to the target; `None` when it did not.
    pub during: Option<Heard>,
    /// Sound that the transferee heard meanwhile, on hold.
    pub heard_on_hold: Option<HeardOnHold>,
    /// The parties that hear each other after the transfer.
    pub after: Option<Heard>,
    /// The keys that asked for it instead of a REFER, e.g. `##,203`.
    pub keys: Option<String>,
    /// The place of the park orbit to which the transferee was moved, and where the target fetched it.
    pub park: Option<String>,
    /// The answer to the REFER.
    pub refer_status: Option<u16>,
    /// The statuses that NOTIFYs told the transferor, in order.
    pub notified: Vec<u16>,
    /// From the REFER, or the last key, to the right two hearing each other: to the moment in which the later one of them begins to, exact to 50 ms (by keys and with a park orbit to a second or two).
    pub took: Option<Duration>,
    /// From the REFER to its answer.
    pub answered_after: Option<Duration>,
    /// From the REFER to the NOTIFY with a final status.
    pub told_after: Option<Duration>,
    /// Identities by which the parties were shown to each other.
    pub identity: Identity,
    /// Legs that were still up and should not be.
    pub legs_left: usize,
    /// Fate of the transferee, in words.
    pub transferee: String,
}

/// Matrix of the parties that hear each other: `0.[listener][speaker]`, by the numbers of the parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard(pub [[bool; 3]; 3]);

impl Heard {
    /// Does `listener` hear `speaker`?
    pub fn hears(self, listener: usize, speaker: usize) -> bool {
        self.0.get(listener).and_then(|row| row.get(speaker)).copied().unwrap_or_default()
    }

    /// `listener` hears `speaker`.
    pub(in crate::check) fn note(&mut self, listener: usize, speaker: usize) {
        if let Some(cell) = self.0.get_mut(listener).and_then(|row| row.get_mut(speaker)) {
            *cell = true;
        }
    }

    /// Do these two hear each other?
    pub fn joined(self, one: usize, other: usize) -> bool {
        self.hears(one, other) && self.hears(other, one)
    }

    /// Nobody hears this party, and it hears nobody.
    pub fn is_alone(self, party: usize) -> bool {
        (0..3).all(|other| other == party || !self.hears(party, other) && !self.hears(other, party))
    }

    /// In words, e.g. `alice hears bob; bob hears alice`.
    pub fn told<'a>(&'a self, names: &'a [String; 3]) -> impl fmt::Display + 'a {
        struct Told<'a>(&'a Heard, &'a [String; 3]);
        impl fmt::Display for Told<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut any = false;
                for (listener, name) in self.1.iter().enumerate() {
                    let speakers: Vec<&str> = (0..3)
                        .filter(|speaker| self.0.hears(listener, *speaker))
                        .filter_map(|speaker| self.1.get(speaker).map(String::as_str))
                        .collect();
                    if !speakers.is_empty() {
                        f.write_str(if any { "; " } else { "" })?;
                        write!(f, "{name} hears {}", speakers.join(" and "))?;
                        any = true;
                    }
                }
                if any { Ok(()) } else { f.write_str("nobody hears anybody") }
            }
        }
        Told(self, names)
    }
}

/// The identity that one message gives of the party behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Shown {
    /// The URI in its From; of a response, in its To.
    pub uri: String,
    /// The display name with it, without quotes.
    pub display_name: Option<String>,
    /// P-Asserted-Identity as it came (RFC 3325); of several values the first.
    pub asserted: Option<String>,
    /// Remote-Party-ID as it came.
    pub remote_party_id: Option<String>,
    /// Referred-By as it came (RFC 3892): who wanted this call.
    pub referred_by: Option<String>,
}

/// The identity under which each party sees the other after the transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sees {
    /// The one that it talks to.
    Right,
    /// The transferor, who is gone: by what it was told for the transfer, or because it was told nothing new.
    Transferor,
    /// An anonymous caller, or an address without a user.
    Nobody,
    /// Somebody else: this user.
    Other(String),
}

impl Sees {
    /// `right`, `transferor`, `nobody`, `other`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Sees::Right => "right",
            Sees::Transferor => "transferor",
            Sees::Nobody => "nobody",
            Sees::Other(_) => "other",
        }
    }
}

/// Identities by which the parties were shown to each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Identity {
    /// The transferee in the first call, to the transferor.
    pub transferee_first: Option<Shown>,
    /// The transferor in its call to the target, to the target; where it made none, in the first call to the transferee.
    pub transferor_first: Option<Shown>,
    /// The party that calls, or talks now, to the target after the transfer: by the INVITE for it, or by the last re-INVITE or UPDATE that names
    /// somebody. `None` when it was told nothing.
    pub to_target: Option<Shown>,
    /// The same to the transferee; `None` also where it called the target itself.
    pub to_transferee: Option<Shown>,
    /// The identity that the target sees; `None` when the two are not joined.
    pub target_sees: Option<Sees>,
    /// The identity that the transferee sees.
    pub transferee_sees: Option<Sees>,
}

impl fmt::Display for Shown {
    /// `"Bob" <sip:bob@lab.example>, asserted <sip:bob@lab.example>, referred by <sip:alice@lab.example>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            write!(f, "\"{name}\" ")?;
        }
        write!(f, "<{}>", self.uri)?;
        let more = [
            ("asserted", &self.asserted),
            ("Remote-Party-ID", &self.remote_party_id),
            ("referred by", &self.referred_by),
        ];
        for (what, value) in more.into_iter().filter_map(|(what, value)| Some((what, value.as_ref()?))) {
            write!(f, ", {what} {value}")?;
        }
        Ok(())
    }
}
