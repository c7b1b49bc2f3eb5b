//! What arrived in one direction, judged by its sound.

use super::audio::{HEARD, SOUND, STOPPED, Way};
use crate::check::judged::Judged;
use crate::check::{Finding, Run, Severity, Side, Verdict};
use crate::media::party_tone::Party;
use crate::media::stats::Summary;

/// The verdict of a direction whose ends are both ours.
pub(super) fn judge(run: &Run, way: &Way<'_>, tone: Party, own: Party) -> Judged {
    let Way { from, to, report, time, .. } = way;
    let (seconds, heard) = (time.as_secs_f64(), report.heard_for(tone));
    let received = &report.received;
    if received.received == 0 {
        return nothing_came(run, way);
    }
    if heard >= HEARD {
        let silent = way.last_heard.map_or(*time, |at| way.looked.saturating_duration_since(at));
        if silent >= STOPPED {
            return Judged::fail(
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
        return Judged::pass(format!(
            "{to} heard {from} for {:.1} s; {}",
            heard.as_secs_f64(),
            quality(received)
        ));
    }
    let others: Vec<String> = report
        .heard
        .iter()
        .filter(|(party, time)| *party != tone && *party != own && *time >= HEARD)
        .map(|(party, _)| format!("{} Hz", party.hz()))
        .collect();
    if report.heard_for(own) >= HEARD {
        Judged::fail(
            "own-voice",
            Side::Peer,
            format!("{to} hears itself instead of {from}"),
            "platform: its relay sends the media back to where it came from",
        )
    } else if !others.is_empty() {
        Judged::fail(
            "wrong-party",
            Side::Peer,
            format!("{to} hears another party ({}) instead of {from}", others.join(", ")),
            "platform: two calls share a media port; second line with the ladder",
        )
    } else if report.other_payloads > 0 && report.audible.is_zero() {
        Judged::fail(
            "wrong-codec",
            Side::Peer,
            format!(
                "{} packets came to {to} with a payload type that was not agreed on",
                report.other_payloads
            ),
            "platform: send the codec of the answer; switch off transcoding for this segment",
        )
    } else if !heard.is_zero() {
        Judged::fail(
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
        Judged::fail(
            "silence",
            Side::Peer,
            format!("{} RTP packets came to {to}, and all of them are silence", received.received),
            "platform: its relay sends silence of its own; the media of the other side does not get to it",
        )
    } else {
        Judged::fail(
            "other-audio",
            Side::Peer,
            format!("{to} hears something for {:.1} s, and it is not {from}", report.audible.as_secs_f64()),
            "an announcement, music on hold, voice mail or a wrong party: listen to it in the capture (--pcap)",
        )
    }
}

/// No packet at all in this direction.
fn nothing_came(run: &Run, way: &Way<'_>) -> Judged {
    let Way { from, to, report, time, sent, .. } = way;
    if let Some(how) = run.probe_limit() {
        return Judged::open(
            "probe-limit",
            Side::Probe,
            format!("no RTP came to {to}, but the probe was the limit: {how}"),
            "this host did not keep up: run it again with fewer calls at once",
        );
    }
    let advice = "allow the UDP range of media and the platform's new media addresses in the firewall; check the address in the SDP (see the ladder) and SIP ALG";
    let expected = report.plan.as_ref().is_none_or(|plan| plan.direction.receives());
    if report.malformed > 0 {
        return Judged::fail(
            "media-not-rtp",
            Side::Peer,
            format!("{} datagrams came to {to} that are no RTP", report.malformed),
            "encrypted media (SRTP, DTLS) without agreement, or something else on this port",
        );
    }
    if !expected || *sent == Some(0) {
        return Judged::fail(
            "media-switched-off",
            Side::Peer,
            format!(
                "no audio from {from} to {to}: the descriptions do not allow it (sendonly, inactive or address 0.0.0.0)"
            ),
            "platform: a new call begins with sendrecv; it may have taken the call for one on hold",
        );
    }
    let sent = sent.map(|sent| format!(", although {from} sent {sent} packets")).unwrap_or_default();
    let seconds = time.as_secs_f64();
    if way.other_works {
        Judged::fail(
            "one-way-audio",
            Side::Path,
            format!("no RTP came from {from} to {to} in {seconds:.1} s{sent}; the other direction works"),
            advice,
        )
    } else {
        Judged::fail(
            "no-audio",
            Side::Path,
            format!("no RTP came from {from} to {to} in {seconds:.1} s{sent}, and none the other way"),
            advice,
        )
    }
}

/// How well it arrived, in words.
pub(super) fn quality(received: &Summary) -> String {
    format!("{:.1} % lost, jitter {:.1} ms", received.loss() * 100.0, received.jitter.as_secs_f64() * 1_000.0)
}

/// The verdict of a direction where only the caller is ours is not a tone's.
pub(super) fn one_end(run: &Run, way: &Way<'_>) -> (Judged, &'static str) {
    let (to, report) = (way.to, way.report);
    if report.received.received == 0 {
        return (nothing_came(run, way), "none");
    }
    let quality = quality(&report.received);
    if report.audible >= SOUND {
        let seconds = report.audible.as_secs_f64();
        (
            Judged::pass(format!(
                "{to} heard sound for {seconds:.1} s of {:.1} s; {quality}",
                way.time.as_secs_f64()
            )),
            "sound",
        )
    } else {
        (
            Judged {
                verdict: Verdict::Pass,
                detail: format!("RTP came to {to}, and all of it is silence; {quality}"),
                finding: Some(Finding::new(
                    "silence",
                    Severity::Info,
                    Side::Peer,
                    format!("{} RTP packets came, and all of them are silence", report.received.received),
                    "nobody spoke; if somebody did, the platform's relay sends silence of its own",
                )),
            },
            "silence",
        )
    }
}
