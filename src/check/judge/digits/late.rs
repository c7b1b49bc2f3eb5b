//! Digits at whose time this machine did not get to its own packets: what is wrong with them is nobody else's fault.

use crate::check::{Finding, Severity, Side};
use crate::media::dtmf::{By, Defect};
use crate::media::stream::Lag;
use std::time::{Duration, Instant};

/// The longest way of media through a platform, and the repeated ends of an event behind it.
const WAY: Duration = Duration::from_millis(500);

/// Digits that our own lags met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct Lateness {
    /// Their places.
    digits: Vec<usize>,
    /// The longest of the lags.
    longest: Duration,
}

impl Lateness {
    /// The digits that were sent then, each for this time, and the lags of the ends that sent and received them.
    pub(in crate::check) fn of(sent_at: &[Instant], on: Duration, lags: &[Lag]) -> Lateness {
        let meets = |at: Instant| move |lag: &&Lag| lag.until >= at && lag.due <= at + on + WAY;
        let met = |at: &Instant| lags.iter().filter(meets(*at)).map(|lag| lag.until - lag.due).max();
        let lags: Vec<(usize, Duration)> =
            sent_at.iter().enumerate().filter_map(|(digit, at)| Some((digit, met(at)?))).collect();
        Lateness {
            longest: lags.iter().map(|(_, lag)| *lag).max().unwrap_or_default(),
            digits: lags.into_iter().map(|(digit, _)| digit).collect(),
        }
    }

    /// May our own packets, sent or read late, have done this? Payload types and sources they cannot change.
    pub(super) fn explains(&self, defect: Defect) -> bool {
        let by_time = matches!(
            defect,
            Defect::Lost { .. }
                | Defect::Merged { .. }
                | Defect::Swapped { .. }
                | Defect::Changed { .. }
                | Defect::Shortened { .. }
                | Defect::NoEndPacket { .. }
                | Defect::NoMarker { .. }
                | Defect::WrongClockRate { .. }
                | Defect::Broken { .. }
                | Defect::SparseUpdates { .. }
                | Defect::Doubled { by: By::Repeat | By::Restart, .. }
        );
        by_time && defect.position().is_some_and(|digit| self.digits.contains(&digit))
    }

    /// The doubt about what was seen of these digits; `None` where nothing was.
    pub(super) fn finding(&self, seen: &[String]) -> Option<Finding> {
        (!seen.is_empty()).then(|| {
            Finding::new(
                "probe-limit",
                Severity::Error,
                Side::Probe,
                format!(
                    "{}; but at that time our own packets were up to {} ms late",
                    seen.join("; "),
                    self.longest.as_millis()
                ),
                "this machine is too busy: check fewer at once, with less beside it",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_meets_the_digits_of_its_time_and_of_their_way() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let sent_at = [at(1_000), at(1_200), at(1_400), at(3_000)];
        let lags = |from, to| [Lag { due: at(from), until: at(to) }];
        let on = Duration::from_millis(100);
        for (from, to, met) in [
            (0, 900, vec![]),
            (980, 1_060, vec![0]),
            (1_250, 1_350, vec![0, 1]),
            (1_700, 1_790, vec![1, 2]),
            (2_100, 2_900, vec![]),
            (0, 9_000, vec![0, 1, 2, 3]),
        ] {
            let late = Lateness::of(&sent_at, on, &lags(from, to));
            assert_eq!(late.digits, met, "{from} to {to}");
            assert_eq!(late.explains(Defect::Lost { position: 0 }), met.contains(&0));
            assert!(!late.explains(Defect::WrongPayloadType { position: 0, payload_type: 96 }));
        }
        assert_eq!(Lateness::of(&sent_at, on, &[]), Lateness::default());
    }
}
