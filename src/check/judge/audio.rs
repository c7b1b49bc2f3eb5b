//! What arrived in one direction of a call, by its sound.

mod absent;
mod odd;

pub(in crate::check) use odd::{early_media, odd};

use super::described::Described;
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Severity, Side, Verdict};
use crate::endpoint::agent::MediaReport;
use crate::media::party_tone::Party;
use crate::media::stats::Summary;
use std::time::{Duration, Instant};

/// Length of tone that counts as heard.
pub(in crate::check) const HEARD: Duration = Duration::from_millis(500);
/// A tone that is missing for this long has stopped.
const STOPPED: Duration = Duration::from_secs(1);
/// Less sound than this is silence.
pub(in crate::check) const SOUND: Duration = Duration::from_millis(200);
/// Time after the answer that a media path may take to open.
const OPENING: Duration = Duration::from_millis(500);
/// Shorter windows say nothing about how much is missing.
const LEAST_WINDOW: Duration = Duration::from_millis(1_500);
/// A call that ended earlier says nothing about its audio.
const SHORT: Duration = Duration::from_millis(1_500);
/// Share of the window in which the tone has to be there: below it a warning, and an error.
const WARNING_SHARE: f64 = 0.9;
const ERROR_SHARE: f64 = 0.5;
/// Share of our own packets that has to go out in time, or what is not heard says nothing; and what little of it is missing says nothing.
const ENOUGH_PACE: f64 = 0.75;
const GOOD_PACE: f64 = 0.95;
/// More is a lossy path (failure H13).
const LOSS_PERCENT: f64 = 3.0;
/// Share of lost packets from which on what is not heard was lost on the path.
const LOST_SHARE: f64 = 0.1;

/// One direction, and what its far end saw of it.
pub(in crate::check) struct Hearing<'a> {
    pub(in crate::check) figures: &'static Figures,
    /// Who sends.
    pub(in crate::check) from: String,
    /// Who listens.
    pub(in crate::check) to: String,
    /// Packets that the sending end sent, where it is ours.
    pub(in crate::check) sent: Option<u64>,
    pub(in crate::check) report: &'a MediaReport,
    /// RTP packets that came while it listened.
    pub(in crate::check) packets: u64,
    /// What the ends wrote in their descriptions, and what of it reached the other.
    pub(in crate::check) described: Described,
    /// Do packets come in the other direction? `None` where its far end is not ours.
    pub(in crate::check) other_way: Option<bool>,
    /// What is listened for, where the sender is ours.
    pub(in crate::check) tones: Option<Tones>,
    /// When the call was answered.
    pub(in crate::check) answered: Option<Instant>,
    /// When it was listened from.
    pub(in crate::check) listened: Instant,
    /// When the tone was heard last.
    pub(in crate::check) last_heard: Option<Instant>,
    /// When it was listened to.
    pub(in crate::check) looked: Instant,
    /// How long after the answer the call ended, where it did meanwhile.
    pub(in crate::check) ended: Option<Duration>,
    /// Share (0 to 1) of the packets due at both ends that were sent in time; `None` where none was due.
    pub(in crate::check) pace: Option<f64>,
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
    /// Time that it was listened.
    fn time(&self) -> Duration {
        self.looked.saturating_duration_since(self.listened)
    }

    /// The part of that in which the tone has to be there: from half a second after the answer on.
    fn window(&self) -> Duration {
        let open = self.answered.map_or(self.listened, |at| self.listened.max(at + OPENING));
        self.looked.saturating_duration_since(open)
    }
}

/// Both directions of a call, as one verdict: the first that is not as it should be.
pub(in crate::check) fn both(hearings: &[Hearing<'_>; 2]) -> StepVerdict {
    let mut judged = hearings.iter().map(judge);
    let wrong = judged.find(|judged| judged.verdict != Verdict::Pass);
    wrong.unwrap_or_else(|| StepVerdict::pass("both hear each other"))
}

/// The verdict of a direction.
pub(in crate::check) fn judge(hearing: &Hearing<'_>) -> StepVerdict {
    let judged = match hearing.tones {
        Some(tones) => two_ends(hearing, tones),
        None => one_end(hearing).0,
    };
    doubted(judged, hearing.pace)
}

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

fn two_ends(hearing: &Hearing<'_>, Tones { wanted, own }: Tones) -> StepVerdict {
    let Hearing { from, to, report, .. } = hearing;
    let (seconds, heard) = (hearing.time().as_secs_f64(), report.heard_for(wanted));
    let received = &report.received;
    if heard >= HEARD {
        return heard_enough(hearing, wanted, heard);
    }
    // How a call ends that nobody of ours has ended is told by the step for it.
    if let Some(after) = hearing.ended.filter(|after| *after < SHORT) {
        return StepVerdict::not_run(format!(
            "the call was over {:.1} s after the answer, before it could be heard whether {to} hears {from}",
            after.as_secs_f64()
        ));
    }
    if hearing.packets == 0 {
        return absent::judge(hearing);
    }
    let others: Vec<String> = report
        .heard
        .iter()
        .filter(|(party, time)| *party != wanted && *party != own && *time >= HEARD)
        .map(|(party, _)| format!("{} Hz", party.hz()))
        .collect();
    if report.heard_for(own) >= HEARD {
        StepVerdict::fail(
            "own-voice",
            Side::Peer,
            format!("{to} hears itself instead of {from}"),
            "platform: its relay sends the media back to where it came from",
        )
    } else if !others.is_empty() {
        StepVerdict::fail(
            "wrong-party",
            Side::Peer,
            format!("{to} hears another party ({}) instead of {from}", others.join(", ")),
            "platform: two calls share a media port; second line with the ladder",
        )
    } else if report.other_payloads > 0 && report.audible.is_zero() {
        StepVerdict::fail(
            "wrong-codec",
            Side::Peer,
            format!(
                "{} packets came to {to} with a payload type that was not agreed on{}",
                report.other_payloads,
                hearing.described.numbers_changed(from, to).unwrap_or_default()
            ),
            "platform: send the codec of the answer; switch off transcoding for this segment",
        )
    } else if !heard.is_zero() {
        StepVerdict::fail(
            "audio-broken",
            Side::Path,
            format!(
                "{to} heard {from} for {} ms of {seconds:.1} s only; {}",
                heard.as_millis(),
                quality(received)
            ),
            "look at the loss and the gaps of this direction",
        )
    } else if report.audible < SOUND {
        StepVerdict::fail(
            "silence",
            Side::Peer,
            format!("{} RTP packets came to {to}, and all of them are silence", hearing.packets),
            "platform: its relay sends silence of its own; the media of the other side does not get to it",
        )
    } else if report.random {
        noise(hearing)
    } else {
        StepVerdict::fail(
            "other-audio",
            Side::Peer,
            format!("{to} hears something for {:.1} s, and it is not {from}", report.audible.as_secs_f64()),
            "an announcement, music on hold, voice mail or a wrong party: listen to it in the capture (--pcap)",
        )
    }
}

/// The tone was there; also to the end, and all the time?
fn heard_enough(hearing: &Hearing<'_>, tone: Party, heard: Duration) -> StepVerdict {
    let Hearing { from, to, report, .. } = hearing;
    let silent = hearing.last_heard.map_or(hearing.time(), |at| hearing.looked.saturating_duration_since(at));
    if silent >= STOPPED && hearing.ended.is_none() {
        return StepVerdict::fail(
            "audio-stopped",
            Side::Path,
            format!(
                "{to} heard {from} for {:.1} s, and nothing in the last {:.1} s",
                heard.as_secs_f64(),
                silent.as_secs_f64()
            ),
            "a firewall or relay closes the media path after a while, or a re-INVITE changed it: see the ladder",
        );
    }
    let window = hearing.window();
    let share = heard.as_secs_f64() / window.as_secs_f64().max(f64::EPSILON);
    let told = format!(
        "{to} heard {from} for {:.1} s; {}",
        heard.as_secs_f64().min(hearing.time().as_secs_f64()),
        quality(&report.received)
    );
    let is_slow = hearing.pace.is_some_and(|pace| pace < GOOD_PACE);
    if window < LEAST_WINDOW || share >= WARNING_SHARE || is_slow {
        return StepVerdict::pass(told);
    }
    let began = report
        .heard_since(tone)
        .zip(hearing.answered)
        .map(|(since, answered)| since.saturating_duration_since(answered));
    let late = began.filter(|late| *late > OPENING);
    // One that came late and then stayed has no holes.
    let is_late = late.is_some_and(|late| {
        heard + late + Duration::from_millis(250)
            >= hearing.looked.saturating_duration_since(hearing.answered.unwrap_or(hearing.listened))
    });
    // As much as is missing on the way explains what is not heard.
    let lost = report.received.loss();
    if !is_late && lost * 100.0 > LOSS_PERCENT && lost * 2.0 >= 1.0 - share {
        let seen = format!(
            "{to} heard {from} for {:.1} s of {:.1} s ({:.0} %); {}, longest gap {} ms",
            heard.as_secs_f64(),
            window.as_secs_f64(),
            share * 100.0,
            quality(&report.received),
            report.received.longest_gap.as_millis()
        );
        let advice = "look at the loss and the gaps of this direction: route or region of the media servers, Wi-Fi, a full line";
        if share < ERROR_SHARE {
            return StepVerdict::fail("audio-broken", Side::Path, seen, advice);
        }
        let finding = Finding::new("audio-broken", Severity::Warning, Side::Path, seen, advice);
        return StepVerdict { verdict: Verdict::Pass, detail: told, finding: Some(finding) };
    }
    let (code, seen, advice) = match late.filter(|_| is_late) {
        Some(late) => (
            "audio-late",
            format!(
                "the audio began late: {to} heard {from} only from {:.1} s after the answer on",
                late.as_secs_f64()
            ),
            "platform: open the media path with the answer; the first words of each call are lost",
        ),
        None => (
            "audio-interrupted",
            format!(
                "{to} heard {from} for {:.1} s of {:.1} s ({:.0} %); {}",
                heard.as_secs_f64(),
                window.as_secs_f64(),
                share * 100.0,
                quality(&report.received)
            ),
            "platform: it replaces or mutes a part of the voice (silence suppression, a jitter buffer that runs dry, transcoding)",
        ),
    };
    // What is missing was sent and lost, or was never sent on.
    let (side, advice) = match report.received.loss() > LOST_SHARE && !is_late {
        true => (
            Side::Path,
            "look at the loss and the gaps of this direction: Wi-Fi, a full line, a relay that is overloaded",
        ),
        false => (Side::Peer, advice),
    };
    if share < ERROR_SHARE {
        return StepVerdict::fail(code, side, seen, advice);
    }
    let finding = Finding::new(code, Severity::Warning, side, seen, advice);
    StepVerdict { verdict: Verdict::Pass, detail: told, finding: Some(finding) }
}

/// Bytes that are no sound.
fn noise(hearing: &Hearing<'_>) -> StepVerdict {
    StepVerdict::fail(
        "noise",
        Side::Peer,
        format!(
            "{} packets came to {} that hold noise: their bytes are random, as those of encrypted audio are",
            hearing.packets, hearing.to
        ),
        "encrypted media (SRTP) without agreement, most likely: switch it off for both sides, or on for both; platform: RTP/AVP was agreed on",
    )
}

/// How well it arrived, in words.
pub(in crate::check) fn quality(received: &Summary) -> String {
    format!("{:.1} % lost, jitter {:.1} ms", received.loss() * 100.0, received.jitter.as_secs_f64() * 1_000.0)
}

/// The verdict where the sender is not ours, and the fact `heard`.
pub(in crate::check) fn one_end(hearing: &Hearing<'_>) -> (StepVerdict, &'static str) {
    let (to, report) = (&hearing.to, hearing.report);
    if let Some(after) = hearing.ended.filter(|after| *after < SHORT && report.audible < SOUND) {
        let seen = format!(
            "{} ended the call {:.1} s after the answer, before any audio",
            hearing.from,
            after.as_secs_f64()
        );
        let advice =
            "a number that answers only to hang up: see its Reason and the platform's log of this Call-ID";
        return (StepVerdict::fail("ended-at-once", Side::Peer, seen, advice), "none");
    }
    if hearing.packets == 0 {
        return (absent::judge(hearing), "none");
    }
    if report.random {
        return (noise(hearing), "noise");
    }
    let quality = quality(&report.received);
    if report.audible >= SOUND {
        let time = hearing.time();
        let seconds = report.audible.min(time).as_secs_f64();
        let detail = format!("{to} heard sound for {seconds:.1} s of {:.1} s; {quality}", time.as_secs_f64());
        return (StepVerdict::pass(detail), "sound");
    }
    let finding = Finding::new(
        "silence",
        Severity::Info,
        Side::Peer,
        format!("{} RTP packets came, and all of them are silence", hearing.packets),
        "nobody spoke; if somebody did, the platform's relay sends silence of its own",
    );
    let detail = format!("RTP came to {to}, and all of it is silence; {quality}");
    (StepVerdict { verdict: Verdict::Pass, detail, finding: Some(finding) }, "silence")
}

/// Somebody who was heard and then no more, to the end: on hold since then, or silent.
pub(in crate::check) fn fell_silent(hearing: &Hearing<'_>, held: Option<Instant>) -> Option<Finding> {
    let Hearing { from, to, answered, .. } = hearing;
    let after =
        |at: Instant| at.saturating_duration_since(answered.unwrap_or(hearing.listened)).as_secs_f64();
    let info =
        |code, seen: String, advice: &str| Some(Finding::new(code, Severity::Info, Side::Peer, seen, advice));
    if let Some(at) = held {
        return info(
            "held-by-far-side",
            format!(
                "{from} put the call on hold {:.1} s after the answer, and did not take it back",
                after(at)
            ),
            "somebody or something at the far side pressed hold: what is heard from then on says nothing about the path",
        );
    }
    let last = hearing.last_heard?;
    let silent = hearing.looked.saturating_duration_since(last);
    if silent < STOPPED || silent * 2 < hearing.time() || hearing.ended.is_some() {
        return None;
    }
    let goes_on = hearing
        .report
        .received
        .first_and_last
        .is_some_and(|(_, at)| hearing.looked.saturating_duration_since(at) < STOPPED);
    let how = if goes_on {
        "packets go on, and hold silence: it is muted, or waits"
    } else {
        "no packets come any more"
    };
    info(
        "fell-silent",
        format!("{from} was heard until {:.1} s after the answer, and then no more for {:.1} s: {how}", after(last), silent.as_secs_f64()),
        if goes_on {
            "muted, a menu that waits for a digit, or a person who waits for words; if somebody spoke, look for a relay that replaces sound by silence"
        } else {
            "silence suppression (VAD), a hold without a word, or a media path that closed: see the ladder"
        },
    )
    .filter(|_| !to.is_empty())
}
