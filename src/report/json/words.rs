//! Names and numbers as lines have them, and back.

use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, SystemTime};

/// A text that is borrowed where it is written and owned where it was read.
pub(super) type Text<'a> = Cow<'a, str>;

/// The name of the party with this number.
pub(super) fn party(names: &[String], number: usize) -> Text<'_> {
    names.get(number).map_or("", String::as_str).into()
}

/// The number of the party with this name.
pub(super) fn place(names: &[String], name: &str) -> Result<usize, String> {
    names.iter().position(|known| known == name).ok_or_else(|| format!("{name:?} is none of the parties"))
}

/// The numbers of the parties with these names.
pub(super) fn places(names: &[String], wanted: &[Text<'_>]) -> Result<Vec<usize>, String> {
    wanted.iter().map(|name| place(names, name)).collect()
}

pub(super) fn pair(range: &Range<usize>) -> [usize; 2] {
    [range.start, range.end]
}

pub(super) fn range([start, end]: [usize; 2]) -> Range<usize> {
    start..end
}

/// What is finer is not a measurement; nothing that is no number.
pub(super) fn thousandths(value: f64) -> Option<f64> {
    value.is_finite().then(|| (value * 1_000.0).round() / 1_000.0)
}

/// Whole microseconds: what is finer is not a measurement.
pub(super) fn milliseconds(value: Duration) -> f64 {
    value.as_micros() as f64 / 1_000.0
}

/// The time of a number of milliseconds; `None` for a number that is no time.
pub(super) fn duration(milliseconds: f64) -> Duration {
    // A cast from a float saturates, and takes what is no number for 0.
    Duration::from_micros((milliseconds * 1_000.0).round() as u64)
}

pub(super) fn timestamp(at: SystemTime) -> String {
    // Out of jiff's range (years -9999 to 9999) there is nothing to say.
    jiff::Timestamp::try_from(at).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// The time of a timestamp; 1970 for an empty one.
pub(super) fn instant_of(timestamp: &str) -> Result<SystemTime, String> {
    if timestamp.is_empty() {
        return Ok(SystemTime::UNIX_EPOCH);
    }
    let at: jiff::Timestamp =
        timestamp.parse().map_err(|error: jiff::Error| format!("started {timestamp:?}: {error}"))?;
    Ok(at.into())
}
