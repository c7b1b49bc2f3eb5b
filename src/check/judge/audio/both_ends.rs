//! One direction between two ends of ours: is it the tone of the other, and is all of it there?

use super::{HEARD, Hearing, OPENING, SHORT, SOUND, STOPPED, STOPPED_ADVICE, Tones, absent, quality, stream};
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Severity, Side, Verdict};
use crate::media::party_tone::Party;
use std::time::Duration;

/// Shorter windows say nothing about how much is missing.
const LEAST_WINDOW: Duration = Duration::from_millis(1_500);
/// Share of the window in which the tone has to be there: below it a warning, and an error.
const WARNING_SHARE: f64 = 0.9;
const ERROR_SHARE: f64 = 0.5;
/// Share of a short listening below which it goes on: a tone is known some hundredths of a second after it began.
const DOUBT_SHARE: f64 = 0.85;
/// With a smaller share of our own packets sent in time, what little is missing says nothing.
const GOOD_PACE: f64 = 0.95;
/// Share of lost packets from which on what is not heard was lost on the path.
const LOST_SHARE: f64 = 0.1;

/// The verdict of a direction between two ends of ours.
pub(super) fn judge(hearing: &Hearing<'_>, Tones { wanted, own }: Tones) -> StepVerdict {
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
    if let Some(judged) = stream::same_numbers(hearing) {
        return judged;
    }
    if report.heard_for(own) >= HEARD || report.voice.returned * 2 > hearing.packets {
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
        absent::noise(hearing)
    } else {
        StepVerdict::fail(
            "other-audio",
            Side::Peer,
            format!("{to} hears something for {:.1} s, and it is not {from}", report.audible.as_secs_f64()),
            "an announcement, music on hold, voice mail or a wrong party: listen to it in the capture (--pcap)",
        )
    }
}

/// Was so little of the tone there that a longer listening has to show whether something is missing?
pub(in crate::check) fn is_in_doubt(hearing: &Hearing<'_>) -> bool {
    let Some(tones) = hearing.tones.filter(|_| hearing.ended.is_none()) else { return false };
    let (heard, time) = (hearing.report.heard_for(tones.wanted), hearing.time());
    let is_slow = hearing.pace.is_some_and(|pace| pace < GOOD_PACE);
    let is_short = hearing.window() < LEAST_WINDOW;
    is_short && !is_slow && heard >= HEARD && heard.as_secs_f64() < time.as_secs_f64() * DOUBT_SHARE
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
            STOPPED_ADVICE,
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
    if !is_late && lost * 100.0 > super::odd::LOSS_PERCENT && lost * 2.0 >= 1.0 - share {
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
