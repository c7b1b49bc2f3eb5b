//! An announcement that was played to whoever answered.

use crate::check::Side;
use crate::check::judged::StepVerdict;
use std::time::Duration;

/// Facts about it.
pub(in crate::check) struct Announcement {
    /// Length of the announcement.
    pub(in crate::check) whole: Duration,
    /// Time for which it was played.
    pub(in crate::check) time: Duration,
    /// All of it was.
    pub(in crate::check) is_whole: bool,
    /// The call ended meanwhile.
    pub(in crate::check) is_over: bool,
}

/// Judges it.
pub(in crate::check) fn judge(played: &Announcement) -> StepVerdict {
    let whole = played.whole.as_secs_f64();
    if played.is_whole {
        StepVerdict::pass(format!("all {whole:.1} s were played"))
    } else if played.is_over {
        StepVerdict::open(
            "hung-up-early",
            Side::Peer,
            format!(
                "answered, and hung up after {:.1} of {whole:.1} s of the announcement",
                played.time.as_secs_f64()
            ),
            "whether it was understood is not known; the most important words belong to the beginning",
        )
    } else {
        StepVerdict::open(
            "not-played",
            Side::Peer,
            "the announcement was not played to its end in time: the far side does not take audio (hold?)"
                .to_owned(),
            "look at the direction of the media in the ladder",
        )
    }
}
