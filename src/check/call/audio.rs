//! The steps `audio-a-to-b` and `audio-b-to-a`: whose sound arrives, and how well.

use super::act::{Act, B, CALLER};
use super::{play, sound};
use crate::check::scene::{Seen, Until};
use crate::check::{Finding, MetricValue, Run, Severity, Side};
use crate::endpoint::agent::MediaReport;
use std::time::{Duration, Instant};

/// A tone has to be heard within this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// For so long.
pub(super) const HEARD: Duration = Duration::from_millis(500);
/// How often we look.
const LOOK: Duration = Duration::from_millis(100);
/// A tone that is not heard any more for so long has stopped.
pub(super) const STOPPED: Duration = Duration::from_secs(1);
/// Less sound than this is silence.
pub(super) const SOUND: Duration = Duration::from_millis(200);
/// More is a lossy path (failure H13).
const LOSS_PERCENT: f64 = 3.0;
const JITTER: Duration = Duration::from_millis(30);
/// What our descriptions ask for.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// One direction, and what its far end saw of it.
pub(super) struct Way<'a> {
    pub(super) figures: &'static Figures,
    /// Who sends, who listens.
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// Packets that the sending end sent, where it is ours.
    pub(super) sent: Option<u64>,
    pub(super) report: &'a MediaReport,
    /// Is the other direction heard?
    pub(super) other_works: bool,
    /// When the tone was heard last, and when the call was looked at last.
    pub(super) last_heard: Option<Instant>,
    pub(super) looked: Instant,
    pub(super) time: Duration,
}

/// The names of a direction's figures.
pub(super) struct Figures {
    pub(super) step: &'static str,
    packets: &'static str,
    loss: &'static str,
    reordered: &'static str,
    jitter: &'static str,
    gaps: &'static str,
    longest_gap: &'static str,
    round_trip: &'static str,
}

pub(super) const A_TO_B: Figures = Figures {
    step: "audio-a-to-b",
    packets: "packets_a_to_b",
    loss: "loss_a_to_b",
    reordered: "reordered_a_to_b",
    jitter: "jitter_a_to_b",
    gaps: "gaps_a_to_b",
    longest_gap: "longest_gap_a_to_b",
    round_trip: "round_trip_b",
};
pub(super) const B_TO_A: Figures = Figures {
    step: "audio-b-to-a",
    packets: "packets_b_to_a",
    loss: "loss_b_to_a",
    reordered: "reordered_b_to_a",
    jitter: "jitter_b_to_a",
    gaps: "gaps_b_to_a",
    longest_gap: "longest_gap_b_to_a",
    round_trip: "round_trip_a",
};

/// For how long a tone was heard when it was heard last.
type Last = Option<(Duration, Instant)>;

/// Listens at every end of ours, and judges.
pub(super) async fn listen(act: &mut Act<'_>) -> Result<(), &'static str> {
    if act.call.callee.is_none() {
        return play::listen(act).await;
    }
    let (step_b, step_a) = (act.run.begin(A_TO_B.step), act.run.begin(B_TO_A.step));
    let began = act.run.now();
    let (tone_a, tone_b) = match act.stage.parties.as_slice() {
        [a, b, ..] => (a.tone, b.tone),
        _ => return Err(A_TO_B.step),
    };
    let (mut last_a, mut last_b): (Last, Last) = (None, None);
    let (report_a, report_b, looked) = loop {
        let until = act.until(LOOK, is_over).await;
        if let Until::Interrupted(why) = until {
            act.interrupt(step_b, why);
            act.interrupt(step_a, why);
            return Err(B_TO_A.step);
        }
        if until == Until::Done {
            act.settle().await;
        }
        let (report_a, report_b) = reports(act).await;
        let now = act.run.now();
        for (heard, last) in
            [(report_a.heard_for(tone_b), &mut last_a), (report_b.heard_for(tone_a), &mut last_b)]
        {
            // It has grown since we looked: what was heard last stays so when nothing comes any more.
            if last.is_none_or(|(before, _)| heard > before) {
                *last = Some((heard, now));
            }
        }
        let passed = now.saturating_duration_since(began);
        let heard = report_a.heard_for(tone_b) >= HEARD && report_b.heard_for(tone_a) >= HEARD;
        let enough = passed >= act.call.listen && (heard || passed >= PATIENCE);
        if until == Until::Done || enough {
            break (report_a, report_b, now);
        }
    };
    let time = looked.saturating_duration_since(began);
    let (name_a, name_b) = (act.call.caller.name().to_owned(), act.call.callee_name().to_owned());
    let forth = Way {
        figures: &A_TO_B,
        from: &name_a,
        to: &name_b,
        sent: Some(report_a.sent),
        report: &report_b,
        other_works: report_a.received.received > 0,
        last_heard: last_b.map(|(_, at)| at),
        looked,
        time,
    };
    let back = Way {
        figures: &B_TO_A,
        from: &name_b,
        to: &name_a,
        sent: Some(report_b.sent),
        report: &report_a,
        other_works: report_b.received.received > 0,
        last_heard: last_a.map(|(_, at)| at),
        looked,
        time,
    };
    for (way, step, tone, own) in [(forth, step_b, tone_a, tone_b), (back, step_a, tone_b, tone_a)] {
        measure(act.run, &way);
        let judged = sound::judge(act.run, &way, tone, own);
        // A call that ended under us is judged by how it ended.
        act.end(step, judged);
        observe(act, &way);
    }
    early_media(act, &report_a);
    Ok(())
}

fn is_over(stage: &crate::check::scene::Ends) -> bool {
    let over = |leg: Option<usize>| leg.and_then(|leg| stage.seen(leg)).is_some_and(Seen::is_over);
    over(Some(CALLER)) || over(stage.called(B))
}

async fn reports(act: &Act<'_>) -> (MediaReport, MediaReport) {
    let a = match act.caller() {
        Some(leg) => leg.report().await,
        None => MediaReport::default(),
    };
    let b = match act.callee() {
        Some(leg) => leg.report().await,
        None => MediaReport::default(),
    };
    (a, b)
}

/// The figures of a direction.
pub(super) fn measure(run: &mut Run, way: &Way<'_>) {
    let (figures, received) = (way.figures, &way.report.received);
    run.metric(figures.packets, MetricValue::Count(received.received));
    if received.received > 0 {
        run.metric(figures.loss, MetricValue::Percent(received.loss() * 100.0));
        run.metric(figures.reordered, MetricValue::Count(received.reordered));
        run.metric(figures.jitter, MetricValue::Duration(received.jitter));
        run.metric(figures.gaps, MetricValue::Count(received.gaps.into()));
        run.metric(figures.longest_gap, MetricValue::Duration(received.longest_gap));
    }
    if let Some(time) = way.report.rtcp.round_trip {
        run.metric(figures.round_trip, MetricValue::Duration(time));
    }
}

/// What is not as it should be, though it is heard.
pub(super) fn observe(act: &mut Act<'_>, way: &Way<'_>) {
    let Way { from, to, report, .. } = way;
    let received = &report.received;
    let mut findings = Vec::new();
    let mut warn = |code, side, seen: String, advice: &str| {
        findings.push(Finding::new(code, Severity::Warning, side, seen, advice));
    };
    if received.loss() * 100.0 > LOSS_PERCENT || received.jitter > JITTER {
        warn(
            "lossy-path",
            Side::Path,
            format!(
                "{from} to {to}: {}, longest gap {} ms",
                sound::quality(received),
                received.longest_gap.as_millis()
            ),
            "second line with the figures before and after: route or region of the new media servers",
        );
    }
    if let Some(plan) = report.plan.as_ref().filter(|_| received.received > 0) {
        if let (Some(source), false) = (report.sources.first(), report.sources.contains(&plan.remote)) {
            warn(
                "media-from-elsewhere",
                Side::Peer,
                format!("RTP comes to {to} from {source}, but the SDP says {}", plan.remote),
                "platform: send media from the announced address; phone or firewall: switch off 'strict RTP'",
            );
        }
        let took = report.packet_time_received.unwrap_or(PACKET_TIME);
        if took != PACKET_TIME {
            warn(
                "ptime-not-obeyed",
                Side::Peer,
                format!(
                    "packets of {} ms come to {to}; its SDP asks for {} ms",
                    took.as_millis(),
                    PACKET_TIME.as_millis()
                ),
                "set ptime 20 on the device; platform: obey the ptime of the receiver",
            );
        }
        if report.other_payloads > 0 && !report.audible.is_zero() {
            warn(
                "unagreed-payload",
                Side::Peer,
                format!(
                    "{} packets came to {to} with a payload type that was not agreed on",
                    report.other_payloads
                ),
                "platform: send what the answer says only",
            );
        }
        if received.ssrc_changes > 0 || received.timestamp_jumps > 0 {
            warn(
                "stream-changed",
                Side::Peer,
                format!(
                    "the stream to {to} changed {} time(s) its source and jumped {} time(s) without a marker",
                    received.ssrc_changes, received.timestamp_jumps
                ),
                "platform: set the marker bit when it switches the source of media; phones click or fall silent",
            );
        }
    }
    findings.into_iter().for_each(|finding| act.find(finding));
}

/// Was early media promised, and did it come?
pub(super) fn early_media(act: &mut Act<'_>, caller: &MediaReport) {
    let Some(seen) = act.caller_seen() else { return };
    let (Some(promised), Some(answered)) = (seen.early_media, seen.answered) else { return };
    let silent = answered.saturating_duration_since(promised);
    let first = caller.received.first_and_last.map(|(first, _)| first);
    if silent >= SOUND && first.is_none_or(|first| first >= answered) {
        act.find(Finding::new(
            "early-media-silent",
            Severity::Warning,
            Side::Peer,
            format!(
                "183 promised early media, and no RTP came in the {:.1} s until the answer: the caller hears nothing",
                silent.as_secs_f64()
            ),
            "platform: send 180 without SDP, or open the media path early",
        ));
    }
}
