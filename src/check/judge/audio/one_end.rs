//! Verdicts on the audio of somebody who is not ours: sound, silence, and when it stopped.

use super::{Hearing, SHORT, SOUND, STOPPED, absent, quality, stream};
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Severity, Side, Verdict};
use std::time::Instant;

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
    if hearing.packets == 0 && report.voice.returned > 0 {
        let seen = format!(
            "what came to {to} is its own: {} of its RTP packets came back (SSRC {:08x}), and no others",
            report.voice.returned,
            report.ssrc.unwrap_or_default()
        );
        let advice = "an echo service does that on purpose; from any other number it is a loop of the platform, and nobody is heard";
        let finding = Finding::new("media-returned", Severity::Info, Side::Peer, seen.clone(), advice);
        return (StepVerdict { verdict: Verdict::Pass, detail: seen, finding: Some(finding) }, "own voice");
    }
    if hearing.packets == 0 {
        return (absent::judge(hearing), "none");
    }
    if let Some(judged) = stream::same_numbers(hearing) {
        return (judged, "silence");
    }
    if report.random {
        return (absent::noise(hearing), "noise");
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
