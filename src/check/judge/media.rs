//! A description of media that cannot be used, or that was refused: what is wrong with it, and what to do in this case.

use crate::check::Side;
use crate::check::judged::StepVerdict;
use crate::sdp::SdpError;
use std::net::IpAddr;

/// The description that a peer sent cannot be used; `when` says what for, e.g. `answered, and hung up by us`.
pub(in crate::check) fn unusable(when: &str, error: &SdpError) -> StepVerdict {
    let (side, seen, advice) = described(error);
    let seen = format!("{when}: {seen}");
    if side == Side::Probe {
        StepVerdict::open("media-unusable", side, seen, advice)
    } else {
        StepVerdict::fail("media-unusable", side, seen, advice)
    }
}

fn described(error: &SdpError) -> (Side, String, &'static str) {
    let peer = |seen: String, advice| (Side::Peer, seen, advice);
    match error {
        SdpError::Missing => peer(
            "its answer has no description of the media (no SDP), and none came before".to_owned(),
            "platform: the first 2xx, or a reliable provisional response before it, has to answer the offer (RFC 3261 sec. 13.2.1)",
        ),
        SdpError::Refused => peer(
            "its answer refuses the audio stream (port 0)".to_owned(),
            "the callee or the platform takes no audio in this call: a device for fax or video only, or a media server without free ports; platform: its log of media for this Call-ID",
        ),
        SdpError::Transport(transport) => peer(
            format!("its answer wants the transport {transport}, not RTP/AVP as offered"),
            "switch the encryption of media (SRTP, DTLS) off for this account, or to 'optional'; platform: an answer keeps the transport of the offer (RFC 3264 sec. 6)",
        ),
        SdpError::NoCommonCodec(names) => peer(
            format!("its answer has no codec of the offer (PCMA, PCMU): only {names}"),
            "switch on PCMA or PCMU for the callee; platform: an answer may name codecs of the offer only (RFC 3264 sec. 6.1), or has to transcode",
        ),
        SdpError::Family(ip) => peer(
            format!("its answer wants audio at {ip}: {} to an {} offer", family(ip), other_family(ip)),
            "platform: its media relay has to answer in the address family of the offer, or both ends need the same one (IPv4 or IPv6)",
        ),
        SdpError::NoOffer => peer(
            "it sent an answer without an offer".to_owned(),
            "platform: a description in an ACK, PRACK or response answers an offer that was made before (RFC 3264)",
        ),
        error if error.is_our_limit() => (
            Side::Probe,
            error.to_string(),
            "a limit of the probe: let the platform write an IP address, or test it with another phone",
        ),
        error => peer(
            format!("its description of the media cannot be used: {error}"),
            "platform: second line with the ladder; the description breaks the grammar of RFC 8866",
        ),
    }
}

/// Our own end refused what it was offered: both ends are ours, so what the platform offered is known.
pub(in crate::check) fn offer_refused(callee: &str, error: &SdpError, told: &str) -> StepVerdict {
    let offered = match error {
        SdpError::Transport(transport) => format!("audio over {transport}"),
        SdpError::NoCommonCodec(names) => format!("only {names}"),
        SdpError::Family(ip) => format!("audio at {ip} ({})", family(ip)),
        SdpError::Refused => "an audio stream with port 0".to_owned(),
        error => format!("a description that cannot be used: {error}"),
    };
    let advice = match error {
        SdpError::Transport(_) => {
            "platform: offer devices RTP/AVP, unless they registered as able to encrypt (WebRTC profile, SRTP); see the account's media settings"
        }
        SdpError::NoCommonCodec(_) => {
            "platform: offer PCMA or PCMU too, or transcode; see the account's codecs"
        }
        SdpError::Family(_) => {
            "platform: offer devices audio in the address family that they registered from"
        }
        _ => "platform: second line with the ladder",
    };
    StepVerdict::fail(
        "offer-refused",
        Side::Peer,
        format!(
            "the platform offered {offered} to {callee}, which our end refused with 488; the caller was told {told}"
        ),
        advice,
    )
}

fn family(ip: &IpAddr) -> &'static str {
    if ip.is_ipv6() { "IPv6" } else { "IPv4" }
}

fn other_family(ip: &IpAddr) -> &'static str {
    if ip.is_ipv6() { "IPv4" } else { "IPv6" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn each_case_has_words_and_advice_of_its_own() {
        let mut advices = std::collections::BTreeSet::new();
        for (error, words) in [
            (SdpError::Missing, "no SDP"),
            (SdpError::Refused, "port 0"),
            (SdpError::Transport("RTP/SAVP".into()), "RTP/SAVP"),
            (SdpError::NoCommonCodec("G729/8000".into()), "G729"),
            (SdpError::Family("::1".parse().expect("an address")), "IPv6 to an IPv4 offer"),
            (SdpError::Family("192.0.2.1".parse().expect("an address")), "IPv4 to an IPv6 offer"),
            (SdpError::NoAudio, "no m=audio section"),
        ] {
            let judged = unusable("answered", &error);
            let finding = judged.finding.expect("a finding");
            assert!(judged.verdict == Verdict::Fail && finding.side == Side::Peer, "{error}");
            assert!(finding.seen.contains(words), "{words:?} is not in {:?}", finding.seen);
            advices.insert(finding.advice);
        }
        assert_eq!(advices.len(), 6);
    }
}
