//! Verdicts on the audio that arrived in one direction of a call, by its sound.

mod absent;
mod both_ends;
mod odd;
mod one_end;
mod stopped;
mod stream;

pub(in crate::check) use both_ends::is_in_doubt;
pub(in crate::check) use odd::{beside, early_media, moved, odd};
pub(in crate::check) use one_end::{fell_silent, one_end};
pub(in crate::check) use stopped::{STOPPED_ADVICE, stopped, stopped_since};

use super::described::Described;
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Side, Verdict};
use crate::endpoint::agent::{MediaReport, Withheld};
use crate::media::party_tone::Party;
use crate::media::stats::Summary;
use crate::media::stream::Lag;
use std::time::{Duration, Instant};

/// Length of tone that counts as heard.
pub(in crate::check) const HEARD: Duration = Duration::from_millis(500);
/// A tone that is missing for this long has stopped.
const STOPPED: Duration = Duration::from_secs(1);
/// Time after the answer that a media path may take to open.
const OPENING: Duration = Duration::from_millis(500);
/// A call that ended earlier says nothing about its audio.
const SHORT: Duration = Duration::from_millis(1_500);
/// Share of our own packets that has to go out in time, or what is not heard says nothing.
const ENOUGH_PACE: f64 = 0.75;
/// Less sound than this is silence.
pub(in crate::check) const SOUND: Duration = Duration::from_millis(200);

/// One direction, and what its far end saw of it.
pub(in crate::check) struct Hearing<'a> {
    pub(in crate::check) figures: &'static Figures,
    /// The sender.
    pub(in crate::check) from: String,
    /// The listener.
    pub(in crate::check) to: String,
    /// Packets that the sending end sent, where it is ours.
    pub(in crate::check) sent: Option<u64>,
    /// Packets of the sending end that came back to it.
    pub(in crate::check) sent_back: u64,
    /// Why the sending end sends nothing, where it is ours and keeps back what the descriptions allow.
    pub(in crate::check) withheld: Option<Withheld>,
    /// Since when the platform has the sending end on hold, where it is ours.
    pub(in crate::check) held: Option<Instant>,
    pub(in crate::check) report: &'a MediaReport,
    /// RTP packets that came during the listening.
    pub(in crate::check) packets: u64,
    /// Descriptions that the ends wrote, and what of them reached the other.
    pub(in crate::check) described: Described,
    /// Do packets come in the other direction? `None` where its far end is not ours.
    pub(in crate::check) other_way: Option<bool>,
    /// The tone of the sender, where it is ours.
    pub(in crate::check) tones: Option<Tones>,
    /// Time at which the call was answered.
    pub(in crate::check) answered: Option<Instant>,
    /// Beginning of the listening.
    pub(in crate::check) listened: Instant,
    /// Time at which the tone was heard last.
    pub(in crate::check) last_heard: Option<Instant>,
    /// End of the listening.
    pub(in crate::check) looked: Instant,
    /// Time from the answer to the end of the call, where it ended meanwhile.
    pub(in crate::check) ended: Option<Duration>,
    /// Share (0 to 1) of the packets due at both ends that were sent in time; `None` where none was due.
    pub(in crate::check) pace: Option<f64>,
    /// When our own packets went out late, at either end that is ours.
    pub(in crate::check) lags: Vec<Lag>,
    /// How the probe was the limit.
    pub(in crate::check) probe_limit: Option<String>,
}

/// The tone of the sender, and that of the listener.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Tones {
    pub(in crate::check) wanted: Party,
    pub(in crate::check) own: Party,
}

/// The names of a direction's figures.
pub(in crate::check) struct Figures {
    pub(in crate::check) step: &'static str,
    pub(in crate::check) packets: &'static str,
    pub(in crate::check) loss: &'static str,
    pub(in crate::check) reordered: &'static str,
    pub(in crate::check) jitter: &'static str,
    pub(in crate::check) gaps: &'static str,
    pub(in crate::check) longest_gap: &'static str,
    pub(in crate::check) round_trip: &'static str,
}

pub(in crate::check) const A_TO_B: Figures = Figures {
    step: "audio-a-to-b",
    packets: "packets_a_to_b",
    loss: "loss_a_to_b",
    reordered: "reordered_a_to_b",
    jitter: "jitter_a_to_b",
    gaps: "gaps_a_to_b",
    longest_gap: "longest_gap_a_to_b",
    round_trip: "round_trip_b",
};
pub(in crate::check) const B_TO_A: Figures = Figures {
    step: "audio-b-to-a",
    packets: "packets_b_to_a",
    loss: "loss_b_to_a",
    reordered: "reordered_b_to_a",
    jitter: "jitter_b_to_a",
    gaps: "gaps_b_to_a",
    longest_gap: "longest_gap_b_to_a",
    round_trip: "round_trip_a",
};

impl Hearing<'_> {
    /// Length of the listening.
    fn time(&self) -> Duration {
        self.looked.saturating_duration_since(self.listened)
    }

    /// The part of that in which the tone has to be there: from half a second after the answer on.
    fn window(&self) -> Duration {
        let open = self.answered.map_or(self.listened, |at| self.listened.max(at + OPENING));
        self.looked.saturating_duration_since(open)
    }
}

/// Both directions of a call, as one verdict: the first that is not as it should be; with what is to be told beside it.
pub(in crate::check) fn both(hearings: &[Hearing<'_>; 2]) -> (StepVerdict, [Option<Finding>; 2]) {
    let mut wrong = None;
    let beside = [0, 1].map(|end: usize| {
        let judged = judge(&hearings[end]);
        if judged.verdict == Verdict::Pass {
            return judged.finding;
        }
        wrong = wrong.take().or(Some(judged));
        None
    });
    (wrong.unwrap_or_else(|| StepVerdict::pass("both hear each other")), beside)
}

/// The verdict of a direction.
pub(in crate::check) fn judge(hearing: &Hearing<'_>) -> StepVerdict {
    let judged = match hearing.tones {
        Some(tones) => both_ends::judge(hearing, tones),
        None => one_end(hearing).0,
    };
    let judged = match hearing.held {
        Some(at) if judged.verdict == Verdict::Fail => held(hearing, at, &judged.detail),
        _ => judged,
    };
    doubted(judged, hearing.pace)
}

/// The sending end was put on hold, so that it sends nothing: the path is not the cause.
fn held(hearing: &Hearing<'_>, at: Instant, detail: &str) -> StepVerdict {
    let after = at.saturating_duration_since(hearing.answered.unwrap_or(hearing.listened)).as_secs_f64();
    StepVerdict::fail(
        "held-by-far-side",
        Side::Peer,
        format!(
            "the platform put {} on hold {after:.1} s after the answer and did not take it back, so it sends nothing: {detail}",
            hearing.from
        ),
        HELD_ADVICE,
    )
}

/// Advice for a hold that nobody asked for.
pub(in crate::check) const HELD_ADVICE: &str = "platform: neither end has pressed hold: what sends this re-INVITE or UPDATE with sendonly or inactive (RFC 3264 sec. 8.4), and why does no other resume the call?";

/// A failure by what was heard on a machine that did not keep up itself is none of the platform's.
pub(in crate::check) fn doubted(judged: StepVerdict, pace: Option<f64>) -> StepVerdict {
    match pace.filter(|share| *share < ENOUGH_PACE) {
        Some(share) if judged.verdict == Verdict::Fail => StepVerdict::open(
            "probe-limit",
            Side::Probe,
            format!("{}; but of our own packets only {:.0} % went out in time", judged.detail, share * 100.0),
            "this machine is too busy: check fewer at once, with less beside it",
        ),
        _ => judged,
    }
}

/// Quality of the audio that arrived, in words.
pub(in crate::check) fn quality(received: &Summary) -> String {
    format!("{:.1} % lost, jitter {:.1} ms", received.loss() * 100.0, received.jitter.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests;
