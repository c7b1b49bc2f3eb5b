//! The result of a hold, for programs.

use crate::ua::call::Hold as How;
use std::fmt;

/// Sound that one end hears during a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeardOnHold {
    /// No RTP packet came.
    NoPackets,
    /// Packets came, with silence in them (below -50 dBm0).
    Silence,
    /// Comfort noise: packets of it (RFC 3389), or audio between -50 and -40 dBm0.
    ComfortNoise,
    /// Audio above -40 dBm0 that is no party's tone: music on hold, an announcement, or another sound.
    OtherSound,
    /// The tone of the party with this number: 0 the caller, 1 the callee, 2 the target of a transfer.
    Tone(usize),
}

impl HeardOnHold {
    /// `no-packets`, `silence`, `comfort-noise`, `other-sound`, `tone`.
    pub const fn as_str(self) -> &'static str {
        match self {
            HeardOnHold::NoPackets => "no-packets",
            HeardOnHold::Silence => "silence",
            HeardOnHold::ComfortNoise => "comfort-noise",
            HeardOnHold::OtherSound => "other-sound",
            HeardOnHold::Tone(_) => "tone",
        }
    }

    /// The party that sends the tone.
    pub const fn party(self) -> Option<usize> {
        match self {
            HeardOnHold::Tone(party) => Some(party),
            _ => None,
        }
    }

    /// In words; `names` are the parties' by their numbers.
    pub fn told<'a>(self, names: &'a [String]) -> impl fmt::Display + 'a {
        struct Told<'a>(HeardOnHold, &'a [String]);
        impl fmt::Display for Told<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    HeardOnHold::NoPackets => f.write_str("nothing (no RTP)"),
                    HeardOnHold::Silence => f.write_str("silence"),
                    HeardOnHold::ComfortNoise => f.write_str("comfort noise"),
                    HeardOnHold::OtherSound => f.write_str("music, or another sound that is nobody's tone"),
                    HeardOnHold::Tone(party) => {
                        write!(f, "{}'s tone", self.1.get(party).map_or("somebody", String::as_str))
                    }
                }
            }
        }
        Told(self, names)
    }
}

/// The result of a hold, for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldResult {
    /// The names of caller and callee.
    pub parties: [String; 2],
    /// Number of the party that holds: 0 the caller, 1 the callee.
    pub holder: usize,
    /// In which way.
    pub how: How,
    /// The direction of the answer to the hold.
    pub answer: Option<String>,
    /// Was the other end told of it?
    pub passed_on: Option<bool>,
    /// Sound that the held end hears.
    pub heard_on_hold: Option<HeardOnHold>,
    /// Sound that the holder hears; the held one's tone would be a fault.
    pub holder_hears: Option<HeardOnHold>,
    /// The direction of the answer to the resumption.
    pub resume_answer: Option<String>,
}

impl HoldResult {
    /// Name of the party that holds.
    pub fn holder_name(&self) -> &str {
        self.parties.get(self.holder).map_or("", String::as_str)
    }

    /// Name of the party that is held.
    pub fn held_name(&self) -> &str {
        self.parties.get(1 - self.holder.min(1)).map_or("", String::as_str)
    }
}
