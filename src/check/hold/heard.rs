//! Sound that is heard while a call is held: music of whomever, a party that should not be heard, or nothing.

use crate::check::HeardOnHold;
use crate::endpoint::agent::MediaReport;
use crate::media::party_tone::Party;
use std::time::Duration;

/// Length of a sound that counts as heard.
pub(in crate::check) const HEARD: Duration = Duration::from_millis(300);

impl HeardOnHold {
    /// Sound that came between two reports; whose tones were heard was asked again with the first.
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
