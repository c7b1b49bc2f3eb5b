//! Oddities of a direction that is heard.

use super::{Hearing, SOUND, quality, stream};
use crate::check::{Finding, Severity, Side};
use crate::endpoint::agent::{MediaReport, Withheld};
use crate::media::stream::Source;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// More is a lossy path (failure H13).
pub(super) const LOSS_PERCENT: f64 = 3.0;
/// Packets of another sender that are no accident: those of a second.
const MANY: u64 = 50;
const JITTER: Duration = Duration::from_millis(30);
/// Packet time that our descriptions ask for.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// Oddity of a direction, though it is heard.
pub(in crate::check) fn odd(hearing: &Hearing<'_>) -> Vec<Finding> {
    let mut findings = on_the_path(hearing);
    findings.extend(beside(hearing));
    findings
}

/// What the path made of the stream, by its numbers and times: where somebody makes digits of its own in it, they say nothing.
fn on_the_path(hearing: &Hearing<'_>) -> Vec<Finding> {
    let Hearing { from, to, report, .. } = hearing;
    let received = &report.received;
    let is_lossy = received.loss() * 100.0 > LOSS_PERCENT || received.jitter > JITTER;
    let lossy = is_lossy.then(|| {
        Finding::new(
            "lossy-path",
            Severity::Warning,
            Side::Path,
            format!(
                "{from} to {to}: {}, longest gap {} ms",
                quality(received),
                received.longest_gap.as_millis()
            ),
            "second line with the figures before and after: route or region of the new media servers",
        )
    });
    [lossy, stream::stalled(hearing), stream::jumped(hearing)].into_iter().flatten().collect()
}

/// What else is odd: who sends, where from, and what.
pub(in crate::check) fn beside(hearing: &Hearing<'_>) -> Vec<Finding> {
    let Hearing { from, to, report, .. } = hearing;
    let received = &report.received;
    let mut findings = Vec::new();
    let mut warn = |code, side, seen: String, advice: &str| {
        findings.push(Finding::new(code, Severity::Warning, side, seen, advice));
    };
    for (code, side, seen, advice) in
        [foreign(hearing), returned(hearing), excess(hearing), withheld(hearing)].into_iter().flatten()
    {
        warn(code, side, seen, advice);
    }
    let Some(plan) = report.plan.as_ref().filter(|_| received.received > 0) else { return findings };
    // What came before the media moved came from where it was then.
    let was_named = |address: &SocketAddr| report.described.iter().any(|(_, named)| named == address);
    let heard: Vec<SocketAddr> =
        report.voice.sources.iter().filter(|source| !source.is_foreign).filter_map(|s| s.remote).collect();
    if let (Some(source), false) =
        (heard.first(), heard.contains(&plan.remote) || heard.iter().any(was_named))
    {
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
    findings.extend(stream::unagreed(hearing));
    findings.extend(stream::same_timestamps(hearing));
    findings
}

/// Media that moved to another host while the call was up.
pub(in crate::check) fn moved(to: &str, report: &MediaReport, answered: Option<Instant>) -> Option<Finding> {
    let answered = answered?;
    let (at, before, after) = report.described.windows(2).find_map(|pair| match pair {
        [(_, before), (at, after)] if *at > answered && before.ip() != after.ip() => {
            Some((at, before, after))
        }
        _ => None,
    })?;
    Some(Finding::new(
        "media-moved",
        Severity::Info,
        Side::Peer,
        format!(
            "{:.1} s into the call the media of {to} was told to go to {after}, another host than {before} before",
            at.saturating_duration_since(answered).as_secs_f64()
        ),
        "as it should be where the platform lets the ends talk to each other, or the call was moved; if neither, find out whose host it is",
    ))
}

type Odd = (&'static str, Side, String, &'static str);

/// Packets from elsewhere than the peer's: nobody was given them to hear.
fn foreign(hearing: &Hearing<'_>) -> Option<Odd> {
    let Hearing { to, report, .. } = hearing;
    let address = |source: &Source| source.remote.map_or_else(|| "?".to_owned(), |remote| remote.to_string());
    let (strangers, beside): (Vec<&Source>, Vec<&Source>) =
        report.voice.sources.iter().filter(|source| source.is_foreign).partition(|source| source.is_stranger);
    if let Some(first) = strangers.first() {
        let mut addresses: Vec<String> = strangers.iter().map(|source| address(source)).collect();
        addresses.dedup();
        let seen = format!(
            "{} RTP packets came to {to} from {} (SSRC {:08x}), which no description names: not counted as heard",
            report.voice.foreign_packets,
            addresses.join(", "),
            first.ssrc
        );
        let advice = "somebody else sends to our media port: media ports open to all need SRTP or a firewall; if it is the platform's media server, its SDP has to name it";
        return Some(("foreign-media", Side::Path, seen, advice));
    }
    // What was on its way as the media moved is little.
    let most =
        beside.into_iter().max_by_key(|source| source.packets).filter(|source| source.packets >= MANY)?;
    let seen = format!(
        "{} RTP packets came to {to} from {} (SSRC {:08x}) while the voice came from another address: not counted as heard",
        most.packets,
        address(most),
        most.ssrc
    );
    let advice = "two senders for one call: somebody else sends to our media port, or the platform does not stop the media of before";
    Some(("foreign-media", Side::Path, seen, advice))
}

/// Our own packets among those that came.
fn returned(hearing: &Hearing<'_>) -> Option<Odd> {
    let Hearing { to, report, .. } = hearing;
    let returned = report.voice.returned;
    // Without any others that is the verdict itself.
    (returned > 0 && hearing.packets > 0).then(|| {
        let seen = format!(
            "{returned} of {to}'s own RTP packets came back to it (SSRC {:08x}): a loop; not counted as heard",
            report.ssrc.unwrap_or_default()
        );
        let advice = "platform: its relay sends the media of an end back to that end too (RFC 3550 sec. 8.2); people hear themselves";
        ("media-returned", Side::Peer, seen, advice)
    })
}

/// More sound than time.
fn excess(hearing: &Hearing<'_>) -> Option<Odd> {
    let Hearing { to, report, .. } = hearing;
    let excess = report.voice.excess;
    (excess >= MANY).then(|| {
        let seen = format!(
            "more sound came to {to} than time passed: {excess} packets of voice too many, which nobody was given to hear"
        );
        let advice = "two senders under one address, a stream that is sent twice, or a flood: see the sources (SSRC) in the capture (--pcap)";
        ("media-flood", Side::Peer, seen, advice)
    })
}

/// Packets that we ourselves did not send.
fn withheld(hearing: &Hearing<'_>) -> Option<Odd> {
    let to = &hearing.to;
    match hearing.report.withheld? {
        Withheld::NotUnicast(remote) => Some((
            "media-address-unusable",
            Side::Peer,
            format!(
                "the description that {to} got names {remote} for audio, a multicast or broadcast address: nothing is sent there"
            ),
            "platform: name the address of the media server, or of the other end, in the c= line",
        )),
        Withheld::Refused(remote) => Some((
            "media-port-closed",
            Side::Peer,
            format!(
                "{to} was told to send audio to {remote}, and that port is closed (ICMP port unreachable): it stopped sending"
            ),
            super::absent::PORT_CLOSED,
        )),
        Withheld::NothingCame(remote) => Some((
            "media-unanswered",
            Side::Path,
            format!("{to} sent audio to {remote} for 30 s, and nothing came from there: it stopped sending"),
            "a description that names somebody else's address, or a media path that is blocked on the way back: check the address in the SDP (see the ladder)",
        )),
    }
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
