//! No packet came in a direction, or none that holds sound: why.

use super::Hearing;
use crate::check::Side;
use crate::check::judged::StepVerdict;
use crate::endpoint::agent::Withheld;

const MEDIA_PATH: &str = "allow the UDP range of media and the platform's new media addresses in the firewall; check the address in the SDP (see the ladder) and SIP ALG";
const LOOP_ADVICE: &str = "platform: its relay sends the media back to where it came from";
const WRONG_PLACE: &str = "platform: write an address into the description that can be reached from the other end: its relay's, or that from which the device is seen (NAT); a device on the path that rewrites messages (SIP ALG) does so too";
pub(super) const PORT_CLOSED: &str = "platform: name the port in the description that its media server, or the other end, listens at; a firewall in between may refuse it too: allow the UDP range of media";

/// Judges it.
pub(super) fn judge(hearing: &Hearing<'_>) -> StepVerdict {
    let Hearing { from, to, report, sent, .. } = hearing;
    if let Some(how) = &hearing.probe_limit {
        return StepVerdict::open(
            "probe-limit",
            Side::Probe,
            format!("no RTP came to {to}, but the probe was the limit: {how}"),
            "this host did not keep up: run it again with fewer calls at once",
        );
    }
    if let Some(judged) = returned(hearing).or_else(|| sent_back(hearing)).or_else(|| withheld(hearing)) {
        return judged;
    }
    let expected = report.plan.as_ref().is_none_or(|plan| plan.direction.receives());
    if report.malformed > 0 {
        return StepVerdict::fail(
            "media-not-rtp",
            Side::Peer,
            format!("{} datagrams came to {to} that are no RTP", report.malformed),
            "encrypted media (SRTP, DTLS) without agreement, or something else on this port",
        );
    }
    if !expected || *sent == Some(0) {
        return StepVerdict::fail(
            "media-switched-off",
            Side::Peer,
            match hearing.described.direction_changed(from, to) {
                Some(changed) => format!("no audio from {from} to {to}: {changed}, changed on the way"),
                None => format!(
                    "no audio from {from} to {to}: the descriptions do not allow it (sendonly, inactive or address 0.0.0.0)"
                ),
            },
            "platform: a new call begins with sendrecv; it may have taken the call for one on hold",
        );
    }
    let sent = sent.map(|sent| format!(", although {from} sent {sent} packets")).unwrap_or_default();
    let seconds = hearing.time().as_secs_f64();
    let strangers = match report.voice.sources.iter().find(|source| source.is_stranger) {
        Some(stranger) => format!(
            " ({} packets came from {}, which no description names: not counted)",
            report.voice.foreign_packets,
            stranger.remote.map_or_else(|| "elsewhere".to_owned(), |remote| remote.to_string())
        ),
        None => String::new(),
    };
    let none = format!("no RTP came from {from} to {to} in {seconds:.1} s{sent}{strangers}");
    let place = hearing.described.place(from, to);
    let (side, advice) = if place.is_wrong { (Side::Peer, WRONG_PLACE) } else { (Side::Path, MEDIA_PATH) };
    match hearing.other_way {
        Some(true) => StepVerdict::fail(
            "one-way-audio",
            side,
            format!("{none}; the other direction works{}", place.told),
            advice,
        ),
        Some(false) => StepVerdict::fail(
            "no-audio",
            side,
            format!("{none}, and none the other way{}", place.told),
            advice,
        ),
        None => {
            let arrives = report.rtcp.fraction_lost.map_or_else(
                || "whether ours arrives there is not known".to_owned(),
                |lost| format!("by its RTCP reports ours arrives there, {:.0} % lost", lost * 100.0),
            );
            if let Some(unreachable) = hearing.described.unreachable(from) {
                return StepVerdict::fail(
                    "no-audio",
                    Side::Peer,
                    format!("{none}; {arrives}; {unreachable}, and may wait for it"),
                    WRONG_PLACE,
                );
            }
            StepVerdict::fail(
                "no-audio",
                Side::Path,
                format!("{none}; {arrives}"),
                "a callee that sends nothing, or a media path that is blocked: allow the UDP range of media and the platform's media addresses in the firewall; check the address in the SDP (see the ladder) and SIP ALG",
            )
        }
    }
}

/// Nothing but our own packets came: somebody sends them back (RFC 3550 sec. 8.2).
fn returned(hearing: &Hearing<'_>) -> Option<StepVerdict> {
    let Hearing { from, to, report, .. } = hearing;
    (report.voice.returned > 0).then(|| {
        StepVerdict::fail(
            "own-voice",
            Side::Peer,
            format!(
                "{to} hears itself instead of {from}: {} of its own RTP packets came back (SSRC {:08x}), and no others",
                report.voice.returned,
                report.ssrc.unwrap_or_default()
            ),
            LOOP_ADVICE,
        )
    })
}

/// Nothing came because what the sender sent went back to it.
fn sent_back(hearing: &Hearing<'_>) -> Option<StepVerdict> {
    let Hearing { from, to, sent, sent_back, .. } = hearing;
    (*sent_back > 0).then(|| {
        let of = sent.map(|sent| format!(" of the {sent} that it sent")).unwrap_or_default();
        let beside = if hearing.other_way == Some(true) { "beside" } else { "instead of" };
        StepVerdict::fail(
            "own-voice",
            Side::Peer,
            format!(
                "{from} hears itself {beside} {to}, and {to} gets nothing of it: {sent_back} RTP packets{of} came back to {from}, and none to {to} in {:.1} s",
                hearing.time().as_secs_f64()
            ),
            LOOP_ADVICE,
        )
    })
}

/// The sender is ours and keeps back what the descriptions allow.
fn withheld(hearing: &Hearing<'_>) -> Option<StepVerdict> {
    let Hearing { from, to, .. } = hearing;
    match hearing.withheld? {
        Withheld::NotUnicast(remote) => Some(StepVerdict::fail(
            "media-address-unusable",
            Side::Peer,
            format!(
                "no audio from {from} to {to}: the description that {from} got names {remote}, a multicast or broadcast address; nothing is sent there"
            ),
            "platform: name the address of the media server, or of the other end, in the c= line",
        )),
        Withheld::Refused(remote) => Some(StepVerdict::fail(
            "media-port-closed",
            Side::Peer,
            format!(
                "no audio from {from} to {to}: {from} was told to send to {remote}, and that port is closed (ICMP port unreachable); it stopped sending"
            ),
            PORT_CLOSED,
        )),
        // It was sent for long enough.
        Withheld::NothingCame(_) => None,
    }
}

/// Bytes that are no sound.
pub(super) fn noise(hearing: &Hearing<'_>) -> StepVerdict {
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
