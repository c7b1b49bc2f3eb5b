//! What is odd about the packets of a direction: their payload types, numbers and timestamps, and how they came.

use super::Hearing;
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Severity, Side};
use crate::media::stats::Stall;
use std::time::{Duration, Instant};

/// What comes later than a jitter buffer waits is not heard: the usual ones hold 60 to 200 ms.
const HELD_UP: Duration = Duration::from_millis(300);
/// Fewer packets of G.711 of another kind are an accident of a change.
const A_FEW: u64 = 5;

/// The same number again and again: a receiver takes each but the first for a repetition (RFC 3550 sec. 5.1).
pub(super) fn same_numbers(hearing: &Hearing<'_>) -> Option<StepVerdict> {
    let Hearing { from, to, report, .. } = hearing;
    let received = &report.received;
    (received.same_numbers * 2 > received.received).then(|| {
        StepVerdict::fail(
            "sequence-stuck",
            Side::Peer,
            format!(
                "{} of {} RTP packets from {from} came to {to} with the sequence number of the one before: each is taken for a repetition, and not played",
                received.same_numbers, received.received
            ),
            "platform: its relay has to count sequence numbers up by one with each packet, or to leave them as they are (RFC 3550 sec. 5.1)",
        )
    })
}

/// Packets of a payload type that was not agreed on.
pub(super) fn unagreed(hearing: &Hearing<'_>) -> Option<Finding> {
    let Hearing { from, to, report, described, .. } = hearing;
    let packets: u64 = report.unagreed.iter().map(|(_, packets)| packets).sum();
    if packets < A_FEW && report.other_payloads == 0 || report.audible.is_zero() {
        return None;
    }
    let names: Vec<String> = report.unagreed.iter().map(|(number, _)| named(*number)).collect();
    let agreed = report.plan.as_ref().map(|plan| &plan.receive_payload_types);
    let agreed: Vec<String> = agreed.into_iter().flatten().map(|number| named(*number)).collect();
    let where_agreed = match (names.is_empty(), agreed.is_empty()) {
        (false, false) => format!(": {}, where {} was agreed on", names.join(", "), agreed.join(", ")),
        (false, true) => format!(": {}", names.join(", ")),
        _ => String::new(),
    };
    Some(Finding::new(
        "unagreed-payload",
        Severity::Warning,
        Side::Peer,
        format!(
            "{} packets came to {to} with a payload type that was not agreed on{where_agreed}{}",
            packets.max(report.other_payloads),
            described.numbers_changed(from, to).unwrap_or_default()
        ),
        "platform: send what is both in the offer and in the answer only (RFC 3264 sec. 6.1), and pass answers on to both ends as one and the same; many phones play nothing else, or noise",
    ))
}

/// A payload type with the name of its codec, where that is the same everywhere (RFC 3551 sec. 6).
fn named(number: u8) -> String {
    let name = match number {
        0 => "PCMU",
        3 => "GSM",
        4 => "G723",
        8 => "PCMA",
        9 => "G722",
        18 => "G729",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}

/// The clock of one source jumped (failure H08). Another source is another stream, which needs no marker (RFC 3550 sec. 8.2): a PBX
/// that plays early media itself, and then passes the callee's packets on, changes its source in every healthy call.
pub(super) fn jumped(hearing: &Hearing<'_>) -> Option<Finding> {
    let Hearing { to, report, .. } = hearing;
    let received = &report.received;
    // Our own end that sends late leaves out what nobody would play any more, and its clock goes on.
    let in_window = |at: &&Instant| **at >= hearing.listened && **at <= hearing.looked;
    let ours = received.jumped_at.iter().filter(in_window).filter(|at| lagged(hearing, **at, **at)).count();
    let times = match received.timestamp_jumps.saturating_sub(u32::try_from(ours).unwrap_or(u32::MAX)) {
        0 => return None,
        1 => "once".to_owned(),
        many => format!("{many} times"),
    };
    Some(Finding::new(
        "stream-changed",
        Severity::Warning,
        Side::Peer,
        format!("the timestamps of what came to {to} jumped {times} within one source, without a marker"),
        "platform: set the marker bit when it switches to other media (announcement, music, echo); phones click or fall silent",
    ))
}

/// A clock that stands still: no phone can tell when what it got is to be played.
pub(super) fn same_timestamps(hearing: &Hearing<'_>) -> Option<Finding> {
    let received = &hearing.report.received;
    (received.same_timestamps * 2 > received.received).then(|| {
        Finding::new(
            "timestamp-stuck",
            Severity::Warning,
            Side::Peer,
            format!(
                "{} of {} RTP packets came to {} with the timestamp of the one before: by that all of them are to be played at once",
                received.same_timestamps, received.received, hearing.to
            ),
            "platform: its relay has to count timestamps on by the samples of each packet, or to leave them as they are (RFC 3550 sec. 5.1); phones with a jitter buffer play nothing, or the last packet",
        )
    })
}

/// Nothing came for a while, and then everything: what is late is lost for the ear, though no packet is missing.
pub(super) fn stalled(hearing: &Hearing<'_>) -> Option<Finding> {
    let Hearing { from, to, report, .. } = hearing;
    let is_ours = |stall: &&Stall| lagged(hearing, stall.from, stall.to);
    let is_heard = |stall: &&Stall| stall.from >= hearing.listened && stall.to <= hearing.looked;
    let stalls = report.received.stalls.iter().filter(|stall| stall.time() >= HELD_UP);
    let stalls: Vec<&Stall> = stalls.filter(is_heard).filter(|stall| !is_ours(stall)).collect();
    let longest = stalls.iter().map(|stall| stall.time()).max()?;
    let first = stalls.first().zip(hearing.answered);
    let at = first.map(|(stall, answered)| stall.from.saturating_duration_since(answered));
    let at = at.map_or_else(String::new, |at| format!(" {:.1} s after the answer", at.as_secs_f64()));
    let times = match stalls.len() {
        1 => String::new(),
        times => format!(", the longest of {times} such stalls"),
    };
    Some(Finding::new(
        "stream-stalled",
        Severity::Warning,
        Side::Path,
        format!(
            "no RTP came from {from} to {to} for {} ms{at}, and what was missing came after it, by its numbers: it was held up{times}",
            longest.as_millis()
        ),
        "a phone's jitter buffer waits 60 to 200 ms, so this much is a hole in what people hear: look for a queue on the path (Wi-Fi, mobile network, a full line) or a relay that stands still now and then",
    ))
}

/// Whether packets of our own went out late around this time: then the machine stood still, and not the path.
fn lagged(hearing: &Hearing<'_>, from: Instant, to: Instant) -> bool {
    hearing.lags.iter().any(|lag| lag.due <= to + HELD_UP && from <= lag.until + HELD_UP)
}
