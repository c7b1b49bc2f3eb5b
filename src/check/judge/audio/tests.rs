//! Verdicts on audio by tables.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::media::party_tone::Party;
use crate::media::stream::{Lag, Source};
use crate::sdp::{Codec, Direction, MediaPlan};

const MS: Duration = Duration::from_millis(1);
const PEER: &str = "192.0.2.1:4000";

fn plan() -> MediaPlan {
    MediaPlan {
        local: "192.0.2.9:6000".parse().unwrap(),
        local_rtcp: "192.0.2.9:6001".parse().unwrap(),
        remote: PEER.parse().unwrap(),
        remote_rtcp: "192.0.2.1:4001".parse().unwrap(),
        direction: Direction::SendRecv,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        receive_payload_types: vec![8],
        send_telephone_event: None,
        receive_telephone_event: None,
        ptime: 20 * MS,
    }
}

/// A sender of this many packets.
fn source(ssrc: u32, remote: &str, packets: u64) -> Source {
    Source {
        ssrc,
        remote: remote.parse().ok(),
        packets,
        events: 0,
        is_foreign: remote != PEER,
        is_stranger: !remote.starts_with("192.0.2.1:"),
    }
}

/// Three seconds in which bob was heard by alice, who has the tone of party 0.
fn healthy() -> MediaReport {
    let mut report = MediaReport { plan: Some(plan()), ssrc: Some(0xa11ce), ..MediaReport::default() };
    report.received.received = 150;
    report.received.expected = 150;
    report.heard = vec![(Party::new(1).unwrap(), 2_900 * MS)];
    report.audible = 2_900 * MS;
    report.voice.sources = vec![source(0xb0b, PEER, 150)];
    report
}

fn with(report: &MediaReport, change: impl FnOnce(&mut Hearing<'_>)) -> (StepVerdict, Vec<String>) {
    let now = Instant::now();
    let mut hearing = Hearing {
        figures: &B_TO_A,
        from: "bob".to_owned(),
        to: "alice".to_owned(),
        sent: Some(150),
        sent_back: 0,
        withheld: None,
        held: None,
        report,
        packets: report.received.received,
        described: Default::default(),
        other_way: Some(true),
        tones: Some(Tones { wanted: Party::new(1).unwrap(), own: Party::new(0).unwrap() }),
        answered: Some(now),
        listened: now,
        last_heard: Some(now + 3_000 * MS),
        looked: now + 3_000 * MS,
        ended: None,
        pace: Some(1.0),
        lags: Vec::new(),
        probe_limit: None,
    };
    change(&mut hearing);
    let odd = odd(&hearing).into_iter().map(|finding| format!("{}: {}", finding.code, finding.seen));
    (judge(&hearing), odd.collect())
}

fn code(judged: &StepVerdict) -> &str {
    judged.finding.as_ref().map_or("", |finding| finding.code.as_ref())
}

/// One end of ours alone.
fn alone(hearing: &mut Hearing<'_>) {
    (hearing.tones, hearing.sent, hearing.other_way) = (None, None, None);
}

#[test]
fn a_jump_within_one_source_is_told_and_another_source_is_not() {
    let seen = |ssrc_changes, timestamp_jumps| {
        let mut report = healthy();
        (report.received.ssrc_changes, report.received.timestamp_jumps) = (ssrc_changes, timestamp_jumps);
        with(&report, |_| {}).1.concat()
    };
    assert_eq!([seen(0, 0), seen(3, 0)], ["", ""]);
    assert!(seen(0, 1).contains("jumped once within"));
    assert!(seen(1, 2).contains("jumped 2 times within"));
    // Where our own packets went out late just then, the jump is what we left out.
    let lagging = |lag_ms| {
        let mut report = healthy();
        report.received.timestamp_jumps = 1;
        let jumped = Instant::now() + 1_000 * MS;
        report.received.jumped_at = vec![jumped];
        let odd = with(&report, |hearing| {
            let due = hearing.listened + lag_ms * MS;
            hearing.lags = vec![Lag { due, until: due + 200 * MS }];
        });
        odd.1.len()
    };
    assert_eq!([lagging(900), lagging(2_500)], [0, 1]);
}

#[test]
fn strangers_are_told_and_never_heard() {
    let mut report = healthy();
    report.voice.sources.push(source(9, "198.51.100.9:4000", 12_000));
    report.voice.foreign_packets = 12_000;
    let (judged, odd) = with(&report, |_| {});
    assert_eq!(judged.verdict, Verdict::Pass);
    assert!(
        odd[0].starts_with("foreign-media: 12000 RTP packets came to alice from 198.51.100.9:4000"),
        "{odd:?}"
    );
    // Nobody else sends: they are no audio, and what is missing is told with them.
    report.voice.sources.remove(0);
    report.received.received = 0;
    report.heard.clear();
    let (judged, _) = with(&report, |_| {});
    assert_eq!((judged.verdict, code(&judged)), (Verdict::Fail, "one-way-audio"));
    assert!(judged.detail.contains("198.51.100.9:4000, which no description names"), "{}", judged.detail);
    let (judged, _) = with(&report, alone);
    assert_eq!((judged.verdict, code(&judged)), (Verdict::Fail, "no-audio"));
}

#[test]
fn another_port_of_the_same_host_is_told_where_it_goes_on_sending() {
    for (packets, codes) in [(12, 0), (400, 1)] {
        let mut report = healthy();
        report.voice.sources.push(source(9, "192.0.2.1:5000", packets));
        report.voice.foreign_packets = packets;
        let (judged, odd) = with(&report, |_| {});
        assert_eq!((judged.verdict, odd.len()), (Verdict::Pass, codes), "{odd:?}");
    }
    // Symmetric RTP: what was heard came from another port than the description says.
    let mut report = healthy();
    report.voice.sources = vec![Source { is_foreign: false, ..source(0xb0b, "192.0.2.1:5000", 150) }];
    let (judged, odd) = with(&report, |_| {});
    assert_eq!(judged.verdict, Verdict::Pass);
    assert!(odd[0].starts_with("media-from-elsewhere"), "{odd:?}");
}

#[test]
fn our_own_packets_are_a_loop_and_an_echo_is_none_to_blame() {
    let mut report = healthy();
    report.voice.returned = 140;
    let (judged, odd) = with(&report, |_| {});
    assert_eq!(judged.verdict, Verdict::Pass);
    assert!(odd[0].starts_with("media-returned: 140 of alice's own RTP packets came back"), "{odd:?}");
    report.received.received = 0;
    report.heard.clear();
    report.audible = Duration::ZERO;
    let (judged, odd) = with(&report, |_| {});
    assert_eq!((judged.verdict, code(&judged), odd.len()), (Verdict::Fail, "own-voice", 0), "{odd:?}");
    let (judged, _) = with(&report, alone);
    assert_eq!((judged.verdict, code(&judged)), (Verdict::Pass, "media-returned"));
    assert!(judged.detail.contains("140 of its RTP packets came back (SSRC 000a11ce)"), "{}", judged.detail);
}

#[test]
fn voice_that_goes_back_to_its_sender_is_the_relays_fault_and_no_path_is_blamed() {
    for (other_way, sent_back, told) in [
        (Some(false), 140, "own-voice"),
        (Some(true), 140, "own-voice"),
        (Some(false), 0, "no-audio"),
        (Some(true), 0, "one-way-audio"),
    ] {
        let mut report = healthy();
        report.received.received = 0;
        report.heard.clear();
        let (judged, _) =
            with(&report, |hearing| (hearing.other_way, hearing.sent_back) = (other_way, sent_back));
        assert_eq!((judged.verdict, code(&judged)), (Verdict::Fail, told), "{}", judged.detail);
        let by_relay = judged.finding.as_ref().is_some_and(|finding| finding.side == Side::Peer);
        assert_eq!(by_relay, sent_back > 0);
        let beside = if other_way == Some(true) { "beside" } else { "instead of" };
        let words =
            "alice, and alice gets nothing of it: 140 RTP packets of the 150 that it sent came back to bob";
        assert_eq!(judged.detail.contains(words), sent_back > 0, "{}", judged.detail);
        let beside = judged.detail.starts_with(&format!("bob hears itself {beside} alice"));
        assert_eq!(beside, sent_back > 0, "{}", judged.detail);
    }
    // What comes back beside what arrives is told beside.
    let (judged, _) = with(&healthy(), |hearing| hearing.sent_back = 140);
    assert_eq!(judged.verdict, Verdict::Pass);
}

#[test]
fn a_stream_that_stops_for_good_is_told_and_one_that_has_cause_to_is_not() {
    let told = |silent: u32, change: fn(&mut Hearing<'_>)| {
        let now = Instant::now();
        let mut report = healthy();
        report.received.first_and_last = Some((now, now + 700 * MS));
        let mut found = None;
        with(&report, |hearing| {
            (hearing.answered, hearing.looked) = (Some(now), now + 700 * MS + silent * MS);
            change(hearing);
            found = stopped(hearing);
        });
        found
    };
    let finding = told(6_000, |_| {}).unwrap();
    assert_eq!((finding.code.as_ref(), finding.side), ("audio-stopped", Side::Path));
    assert!(
        finding
            .seen
            .contains("alice got RTP from bob until 0.7 s after the answer, and none in the last 6.0 s"),
        "{}",
        finding.seen
    );
    assert!(told(900, |_| {}).is_none());
    assert!(told(6_000, |hearing| hearing.held = hearing.answered).is_none());
    assert!(told(6_000, |hearing| hearing.ended = Some(700 * MS)).is_none());
    let refused =
        |hearing: &mut Hearing<'_>| hearing.withheld = Some(Withheld::Refused(PEER.parse().unwrap()));
    assert!(told(6_000, refused).is_none());
}

#[test]
fn more_sound_than_time_is_told() {
    for (excess, told) in [(0, false), (3, false), (11_000, true)] {
        let mut report = healthy();
        report.voice.excess = excess;
        let (_, odd) = with(&report, |_| {});
        assert_eq!(odd.iter().any(|seen| seen.starts_with("media-flood")), told, "{odd:?}");
    }
}

#[test]
fn what_is_kept_back_says_where_it_would_have_gone() {
    let mut report = healthy();
    report.received.received = 0;
    report.heard.clear();
    let nowhere = "239.1.1.1:4000".parse().unwrap();
    let (judged, _) = with(&report, |hearing| {
        (hearing.withheld, hearing.sent) = (Some(Withheld::NotUnicast(nowhere)), Some(0));
    });
    assert_eq!((judged.verdict, code(&judged)), (Verdict::Fail, "media-address-unusable"));
    assert!(judged.detail.contains("239.1.1.1:4000"), "{}", judged.detail);
    let mut report = healthy();
    report.withheld = Some(Withheld::NothingCame(PEER.parse().unwrap()));
    let (_, odd) = with(&report, |_| {});
    assert!(odd[0].starts_with("media-unanswered: alice sent audio to 192.0.2.1:4000 for 30 s"), "{odd:?}");
    let closed = Withheld::Refused(PEER.parse().unwrap());
    report.withheld = Some(closed);
    let (_, odd) = with(&report, |_| {});
    assert!(
        odd[0].starts_with("media-port-closed: alice was told to send audio to 192.0.2.1:4000"),
        "{odd:?}"
    );
    let mut report = healthy();
    report.received.received = 0;
    report.heard.clear();
    let (judged, _) = with(&report, |hearing| hearing.withheld = Some(closed));
    assert_eq!((judged.verdict, code(&judged)), (Verdict::Fail, "media-port-closed"));
}
