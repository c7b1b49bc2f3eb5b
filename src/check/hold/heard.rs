//! What is heard while a call is held: music of whomever, a party that should not be heard, or nothing.

use crate::endpoint::agent::MediaReport;
use crate::media::party_tone::Party;
use crate::ua::call::Hold as How;
use std::fmt;
use std::time::Duration;

/// What is heard for this long is heard.
pub(in crate::check) const HEARD: Duration = Duration::from_millis(300);

/// What one end hears during a hold.
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
    /// The tone of the party with this number: 0 the caller, 1 the called one, 2 the target of a transfer.
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

    /// Whose tone.
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

    /// What came between two reports; whose tones were heard was asked anew with the first.
    pub(in crate::check) fn between(
        before: &MediaReport,
        after: &MediaReport,
        tones: impl IntoIterator<Item = Party>,
    ) -> HeardOnHold {
        let loudest = tones
            .into_iter()
            .enumerate()
            .map(|(number, tone)| (after.heard_for(tone), number))
            .filter(|(time, _)| *time >= HEARD)
            .max();
        if let Some((_, number)) = loudest {
            return HeardOnHold::Tone(number);
        }
        let more = |of: fn(&MediaReport) -> Duration| of(after).saturating_sub(of(before)) >= HEARD;
        if more(|report| report.loud) {
            HeardOnHold::OtherSound
        } else if more(|report| report.audible) || after.comfort_noise > before.comfort_noise {
            HeardOnHold::ComfortNoise
        } else if after.received.received > before.received.received {
            HeardOnHold::Silence
        } else {
            HeardOnHold::NoPackets
        }
    }
}

/// What a hold came to, for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldResult {
    /// The names of the caller and the called one.
    pub parties: [String; 2],
    /// Which of them holds.
    pub holder: usize,
    /// In which way.
    pub how: How,
    /// The direction of the answer to the hold.
    pub answer: Option<String>,
    /// Was the other end told of it?
    pub passed_on: Option<bool>,
    /// What the held end hears.
    pub heard_on_hold: Option<HeardOnHold>,
    /// What the holder hears; the held one's tone would be a fault.
    pub holder_hears: Option<HeardOnHold>,
    /// The direction of the answer to the resumption.
    pub resume_answer: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report(received: u64, [audible, loud]: [u64; 2], comfort_noise: u64) -> MediaReport {
        let mut report = MediaReport::default();
        report.received.received = received;
        report.audible = Duration::from_millis(audible);
        report.loud = Duration::from_millis(loud);
        report.comfort_noise = comfort_noise;
        report
    }

    #[test]
    fn silence_noise_music_and_a_party_are_told_apart() {
        let tones = || (0..2).filter_map(Party::new);
        let before = report(50, [900, 900], 0);
        let cases = [
            (report(50, [900, 900], 0), HeardOnHold::NoPackets),
            (report(90, [940, 900], 0), HeardOnHold::Silence),
            (report(90, [1_900, 950], 0), HeardOnHold::ComfortNoise),
            (report(52, [900, 900], 2), HeardOnHold::ComfortNoise),
            (report(90, [1_900, 1_300], 0), HeardOnHold::OtherSound),
        ];
        for (after, heard) in cases {
            assert_eq!(HeardOnHold::between(&before, &after, tones()), heard);
        }
        let mut leaks = report(90, [1_900, 1_900], 0);
        leaks.heard = vec![(Party::new(1).unwrap(), Duration::from_millis(800))];
        let heard = HeardOnHold::between(&before, &leaks, tones());
        assert_eq!((heard, heard.party()), (HeardOnHold::Tone(1), Some(1)));
        assert_eq!(heard.told(&["alice".into(), "bob".into()]).to_string(), "bob's tone");
    }
}
