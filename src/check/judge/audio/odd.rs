//! What is odd about a direction that is heard.

use super::{Hearing, LOSS_PERCENT, SOUND, quality};
use crate::check::{Finding, Severity, Side};
use crate::media::stats::Summary;
use std::time::{Duration, Instant};

const JITTER: Duration = Duration::from_millis(30);
/// What our descriptions ask for.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// What is not as it should be in a direction, though it is heard.
pub(in crate::check) fn odd(hearing: &Hearing<'_>) -> Vec<Finding> {
    let Hearing { from, to, report, .. } = hearing;
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
                quality(received),
                received.longest_gap.as_millis()
            ),
            "second line with the figures before and after: route or region of the new media servers",
        );
    }
    let Some(plan) = report.plan.as_ref().filter(|_| received.received > 0) else { return findings };
    if let (Some(source), false) = (report.sources.first(), report.sources.contains(&plan.remote)) {
        warn(
            "media-from-elsewhere",
            Side::Peer,
            format!("RTP comes to {to} from {source}, but the SDP says {}", plan.remote),
            "platform: send media from the announced address; phone or firewall: switch off 'strict RTP'",
        );
    }
    let took = report.packet_time_received.unwrap_or(PACKET_TIME);
    let changed = hearing.described.packet_time_changed().filter(|(_, told)| *told == took);
    if let Some((wrote, told)) = changed {
        warn(
            "ptime-changed",
            Side::Peer,
            format!(
                "{to} asked for packets of {} ms; the description that reached {from} says {} ms, and {from} obeys",
                wrote.as_millis(),
                told.as_millis()
            ),
            "platform: pass ptime on as the receiver wrote it, or repack what it relays: a phone may not play longer packets",
        );
    } else if took != PACKET_TIME {
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
                "{} packets came to {to} with a payload type that was not agreed on{}",
                report.other_payloads,
                hearing.described.numbers_changed(from, to).unwrap_or_default()
            ),
            "platform: send what the answer says only",
        );
    }
    findings.extend(jumped(to, received));
    findings
}

/// The clock of one source jumped (failure H08). Another source is another stream, which needs no marker (RFC 3550 sec. 8.2): a PBX
/// that plays early media itself, and then passes the callee's packets on, changes its source in every healthy call.
fn jumped(to: &str, received: &Summary) -> Option<Finding> {
    let times = match received.timestamp_jumps {
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

/// Early media that was promised from `promised` on, and did not come before the answer.
pub(in crate::check) fn early_media(
    promised: Option<Instant>,
    answered: Option<Instant>,
    first_packet: Option<Instant>,
) -> Option<Finding> {
    let (promised, answered) = (promised?, answered?);
    let silent = answered.saturating_duration_since(promised);
    (silent >= SOUND && first_packet.is_none_or(|first| first >= answered)).then(|| {
        Finding::new(
            "early-media-silent",
            Severity::Warning,
            Side::Peer,
            format!(
                "183 promised early media, and no RTP came in the {:.1} s until the answer: the caller hears nothing",
                silent.as_secs_f64()
            ),
            "platform: send 180 without SDP, or open the media path early",
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_jump_within_one_source_is_told_and_another_source_is_not() {
        let seen = |ssrc_changes, timestamp_jumps| {
            let received = Summary { ssrc_changes, timestamp_jumps, ..Summary::default() };
            jumped("alice", &received).map(|finding| finding.seen)
        };
        assert_eq!([seen(0, 0), seen(3, 0)], [None, None]);
        assert!(seen(0, 1).unwrap().contains("jumped once within"));
        assert!(seen(1, 2).unwrap().contains("jumped 2 times within"));
    }
}
