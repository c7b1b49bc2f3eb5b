//! What is heard in a call, and what is not: sections 23, 24, 27 and 28 of the list of situations.

use crate::platform::*;
use ringback::check::{Call, Outcome, Severity, Side, Verdict};
use ringback::transport::Direction;
use std::net::SocketAddr;
use std::time::Duration;

async fn call(platform: Platform) -> Outcome {
    platform.asked(Call::between(&account("alice"), &account("bob"))).await
}

/// Voice for so long, then silence up to the end of the period, in turn; no packet is missing.
fn in_turn(voice: Duration, period: Duration) -> Platform {
    Platform::new().hears(move |passing, packet| {
        if passing.since.as_millis() % period.as_millis() >= voice.as_millis() {
            silence(packet);
        }
        true
    })
}

/// Audio to alice begins this long after the answer.
fn late_by(time: Duration) -> Platform {
    Platform::new().hears(move |passing, _| passing.to != "alice" || passing.since >= time)
}

#[tokio::test(start_paused = true)]
async fn a_third_of_the_audio_is_not_a_pass() {
    let outcome = call(in_turn(ms(300), ms(900))).await;
    judged_as(&outcome, &[Verdict::Fail], &[Side::Peer, Side::Path]);
    says(&outcome, &["%"]);
}

#[tokio::test(start_paused = true)]
async fn most_of_the_audio_is_a_warning_and_all_of_it_none() {
    let outcome = call(in_turn(ms(700), ms(1_000))).await;
    passes(&outcome);
    assert!(outcome.findings.iter().any(|found| found.severity == Severity::Warning), "{outcome}");
    says(&outcome, &["%"]);
    spotless(&call(Platform::new()).await);
    spotless(&call(late_by(ms(400))).await);
}

#[tokio::test(start_paused = true)]
async fn audio_that_begins_late_is_told() {
    for late in [2_500, 1_500] {
        let outcome = call(late_by(ms(late))).await;
        assert!(outcome.findings.iter().any(|found| found.severity != Severity::Info), "{outcome}");
        says(&outcome, &["began|late", "alice"]);
    }
}

#[tokio::test(start_paused = true)]
async fn audio_that_stops_fails() {
    let outcome = call(Platform::new().hears(|passing, _| passing.since < ms(1_700))).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    says(&outcome, &["stopped|nothing in the last"]);
}

/// The platform ends both legs this long after the answer.
fn ended(after: Duration, reason: Option<&'static str>) -> Platform {
    Platform::new().up(after, move |core, a, b| {
        for leg in [Some(a), b].into_iter().flatten() {
            core.bye(leg, reason);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_platform_ends_at_once_is_no_matter_of_the_path() {
    for (after, reason) in [
        (200, Some("Q.850;cause=21")),
        (50, None),
        (600, Some("SIP;cause=480")),
        (200, Some("Q.850;cause=16")),
    ] {
        let outcome = call(ended(ms(after), reason)).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        only_side(&outcome, Side::Peer);
        says(&outcome, &["ended the call|ended by the platform|platform ended"]);
        says_nothing_of(&outcome, &["loss", "firewall", "gaps"]);
        if let Some(reason) = reason {
            says(&outcome, &[reason]);
        }
    }
    let outcome = call(ended(ms(200), None)).await;
    says(&outcome, &["0.2 s"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_platform_ends_after_two_seconds_is_the_peers() {
    let outcome = call(ended(ms(2_000), None)).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_ends_the_call_at_once_is_told_as_that() {
    let platform =
        Platform::new().answering("900", || Source::Nothing).up(ms(100), |core, leg, _| core.bye(leg, None));
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says_nothing_of(&outcome, &["firewall", "loss", "none the other way"]);
}

#[tokio::test(start_paused = true)]
async fn of_the_direction_that_was_not_seen_nothing_is_claimed() {
    let platform = Platform::new().answering("900", || Source::Nothing);
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    says_nothing_of(&outcome, &["none the other way", "neither"]);
    says(&outcome, &["silent|sends nothing", "blocked|blocks|drops"]);
}

/// What the answer to alice says is changed.
async fn answered_with(edit: fn(&mut Text)) -> Outcome {
    call(Platform::new().edits(move |text, to| {
        if to.user == "alice" && text.answers(200, "INVITE") {
            edit(text);
        }
    }))
    .await
}

fn line(text: &mut Text, name: &str, line: &str) {
    let with = |old: &str| if old.starts_with(name) { format!("{line}\r\n") } else { format!("{old}\r\n") };
    text.body = text.body.lines().map(with).collect();
}

const GENERIC: &str = "switch on PCMA or PCMU without encryption";

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_is_told() {
    let outcome = answered_with(|text| {
        let port = text.body.split("m=audio ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        text.body = text.body.replace(&format!("m=audio {port} "), "m=audio 0 ");
    })
    .await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["port 0", "refuse|reject"]);
    says_nothing_of(&outcome, &[GENERIC]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_other_address_family_is_told() {
    let outcome = answered_with(|text| line(text, "c=", "c=IN IP6 ::1")).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["IPv6"]);
    says_nothing_of(&outcome, &[GENERIC]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_description_is_told() {
    let outcome = answered_with(Text::without_body).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["no description|without a description|no session description|without SDP"]);
    says_nothing_of(&outcome, &[GENERIC]);
}

#[tokio::test(start_paused = true)]
async fn a_name_in_the_place_of_an_address_is_no_fault_of_the_peer() {
    let outcome = answered_with(|text| line(text, "c=", "c=IN IP4 media.example.com")).await;
    judged_as(&outcome, &[Verdict::Pass, Verdict::Inconclusive], &[Side::Probe]);
    says_nothing_of(&outcome, &[GENERIC]);
}

#[tokio::test(start_paused = true)]
async fn another_codec_than_was_offered_is_told() {
    let outcome = answered_with(|text| {
        let port = text.body.split("m=audio ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        text.body = text
            .body
            .lines()
            .filter(|line| !line.starts_with("a="))
            .map(|line| format!("{line}\r\n"))
            .collect();
        line(text, "m=audio", &format!("m=audio {port} RTP/AVP 18"));
    })
    .await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["G.729|G729"]);
}

#[tokio::test(start_paused = true)]
async fn noise_is_not_taken_for_music_on_hold() {
    let mut dice: u32 = 7;
    let outcome = call(Platform::new().hears(move |passing, packet| {
        if passing.to == "alice" {
            packet.resize(12 + 170, 0);
            for byte in &mut packet[12..] {
                dice ^= dice << 13;
                dice ^= dice >> 17;
                dice ^= dice << 5;
                *byte = (dice >> 8) as u8;
            }
        }
        true
    }))
    .await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    says(&outcome, &["noise", "encrypted|SRTP"]);
    says_nothing_of(&outcome, &["music on hold", "it is not bob"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_path_loses_is_no_fault_of_the_platform() {
    let (mut number, mut share) = (0, 2);
    let lossy = |kept: u32| {
        Platform::new().hears(move |_, _| {
            number += 1;
            number % 5 < kept
        })
    };
    let outcome = call(lossy(share)).await;
    judged(&outcome, Verdict::Fail, Side::Path);
    says(&outcome, &["% lost"]);
    says_nothing_of(&outcome, &["replaces or mutes"]);
    share = 4;
    let outcome = call(lossy(share)).await;
    says(&outcome, &["% lost"]);
    says_nothing_of(&outcome, &["replaces or mutes"]);
}

#[tokio::test(start_paused = true)]
async fn noise_from_whoever_answers_is_no_sound() {
    let platform = Platform::new().answering("900", || Source::Noise(160));
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["noise", "encrypted"]);
    let platform = Platform::new().answering("900", || Source::Tone(440.0));
    spotless(&platform.asked(Call::to(&account("alice"), "900").unwrap()).await);
}

#[tokio::test(start_paused = true)]
async fn who_falls_silent_is_told_as_that() {
    let platform = Platform::new()
        .answering("900", || Source::Tone(440.0))
        .up(ms(500), |core, leg, _| core.play(leg, Source::Nothing));
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    passes(&outcome);
    says(&outcome, &["until 0.5 s after the answer", "no packets come any more"]);
}

/// A loud sound from this address, this many packets in a second, to the media port that the caller's description names.
fn flooded(platform: Platform, from: &'static str, packets: u16) -> Platform {
    let from: SocketAddr = from.parse().unwrap();
    platform.listening(&from.to_string()).up(ms(500), move |core, caller, _| {
        for number in 0..packets {
            let mut packet = vec![0x80, 8];
            packet.extend(number.to_be_bytes());
            packet.extend((u32::from(number) * 160).to_be_bytes());
            packet.extend(0x5717_5717_u32.to_be_bytes());
            packet.extend((0..160).map(|n| if n / 8 % 2 == 0 { 0x2a } else { 0xaa }));
            let at = Duration::from_micros(1_000_000 / u64::from(packets) * u64::from(number));
            core.after(at, move |core| core.stray_media(from, caller, &packet));
        }
    })
}

const ELSEWHERE: &str = "198.51.100.9:4000";

#[tokio::test(start_paused = true)]
async fn the_voice_of_a_stranger_is_told_and_never_heard() {
    let outcome = call(flooded(Platform::new(), ELSEWHERE, 12_000)).await;
    passes(&outcome);
    says(&outcome, &["12000", "198.51.100.9:4000", "no description names"]);
    assert!(outcome.transcript.media.len() < 3_000, "{}", outcome.transcript.media.len());

    let tone = || Platform::new().answering("900", || Source::Tone(440.0));
    let outcome = flooded(tone(), ELSEWHERE, 12_000).asked(Call::to(&account("alice"), "900").unwrap()).await;
    passes(&outcome);
    says(&outcome, &["heard sound for 3.0 s of 3.0 s", "12000", "198.51.100.9:4000"]);

    // Nobody else speaks: the stranger is no audio.
    let nothing = || Platform::new().answering("900", || Source::Nothing);
    let outcome = flooded(nothing(), ELSEWHERE, 50).asked(Call::to(&account("alice"), "900").unwrap()).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    says(&outcome, &["no RTP came", "198.51.100.9:4000"]);

    // Beside the voice, from another port of the host of the media; and without a voice, which may be symmetric RTP.
    let outcome =
        flooded(tone(), "203.0.113.1:4000", 12_000).asked(Call::to(&account("alice"), "900").unwrap()).await;
    passes(&outcome);
    says(&outcome, &["heard sound for 3.0 s of 3.0 s", "12000", "203.0.113.1:4000"]);
    let outcome =
        flooded(nothing(), "203.0.113.1:4000", 50).asked(Call::to(&account("alice"), "900").unwrap()).await;
    passes(&outcome);
    says(&outcome, &["heard sound for 1.", "RTP comes to alice from 203.0.113.1:4000, but the SDP says"]);
}

#[tokio::test(start_paused = true)]
async fn our_own_voice_that_comes_back_is_a_loop_and_an_echo_is_fine() {
    let outcome = Platform::new()
        .answering("600", || Source::Echo)
        .asked(Call::to(&account("alice"), "600").unwrap())
        .await;
    passes(&outcome);
    says(&outcome, &["its own", "came back"]);
    says_nothing_of(&outcome, &["heard sound"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_an_address_that_is_not_one_hosts() {
    for address in ["239.1.1.1", "255.255.255.255"] {
        let outcome = call(Platform::new().edits(move |text, to| {
            if to.user == "alice" && text.answers(200, "INVITE") {
                line(text, "c=", &format!("c=IN IP4 {address}"));
            }
        }))
        .await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &[address, "multicast or broadcast"]);
        let to: Vec<_> =
            outcome.transcript.media.iter().filter(|record| record.direction == Direction::Sent).collect();
        assert!(to.iter().all(|record| record.remote.ip().to_string() != address), "{outcome}");
    }
}
