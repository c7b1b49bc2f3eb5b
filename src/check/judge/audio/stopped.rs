//! A direction in which packets came, and from some time on no more.

use super::{Hearing, STOPPED};
use crate::check::{Finding, Severity, Side};
use crate::endpoint::agent::MediaReport;
use std::time::Instant;

/// Advice for it.
pub(in crate::check) const STOPPED_ADVICE: &str =
    "a firewall or relay closes the media path after a while, or a re-INVITE changed it: see the ladder";

/// Time of the last packet of a stream, where none came for so long that it has stopped.
pub(in crate::check) fn stopped_since(report: &MediaReport, now: Instant) -> Option<Instant> {
    let (_, last) = report.received.first_and_last?;
    (now.saturating_duration_since(last) >= STOPPED).then_some(last)
}

/// The stream of a call that is up stopped, although its sender goes on. For checks whose question is another: a warning.
pub(in crate::check) fn stopped(hearing: &Hearing<'_>) -> Option<Finding> {
    let Hearing { from, to, report, looked, .. } = hearing;
    let is_to_come = report.plan.as_ref().is_none_or(|plan| plan.direction.receives());
    // Who is on hold, or keeps its packets back, has stopped by itself.
    if !is_to_come || hearing.held.is_some() || hearing.withheld.is_some() || hearing.ended.is_some() {
        return None;
    }
    let last = stopped_since(report, *looked)?;
    let seconds = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64();
    Some(Finding::new(
        "audio-stopped",
        Severity::Warning,
        Side::Path,
        format!(
            "{to} got RTP from {from} until {:.1} s after the answer, and none in the last {:.1} s, although {from} goes on",
            seconds(hearing.answered.unwrap_or(hearing.listened), last),
            seconds(last, *looked)
        ),
        STOPPED_ADVICE,
    ))
}
