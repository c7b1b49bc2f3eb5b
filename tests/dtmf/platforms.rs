//! Digits as real platforms and paths give them: late, under one timestamp, taken out, converted, not agreed on. Brought about on the wire.

use super::scene::received;
use crate::meddler::{Datagram, Meddle, Meddler, Media, Way};
use crate::seen::{errors, finding, step};
use ringback::check::{Dtmf, DtmfMethod, Outcome, Severity, Side, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// The payload type of telephone events in the laboratory.
const EVENT: u8 = 101;

/// What comes of these digits by this method where this is done to what passes the PBX.
async fn check(
    faults: &[&str],
    digits: &str,
    method: impl Into<Option<DtmfMethod>>,
    meddle: Meddle,
) -> Outcome {
    check_with(faults, |check| check.digits(digits).unwrap().method(method), meddle).await
}

async fn check_with(faults: &[&str], with: impl FnOnce(Dtmf) -> Dtmf, meddle: Meddle) -> Outcome {
    let bob = faults.iter().fold(User::new("bob", "pw"), |bob, fault| bob.fault(fault).unwrap());
    let builder = Lab::in_memory([9; 32]).users([User::new("alice", "pw"), bob]);
    let meddler = Meddler::both_ways(&builder.memory_host().unwrap(), meddle);
    let lab = builder.network(Arc::new(meddler)).start().await.unwrap();
    let account = |name| lab.account(name, Transport::Udp).unwrap();
    let check = with(Dtmf::between(&account("alice"), &account("bob")));
    let outcome = lab.probe().await.unwrap().check(check).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(lab.legs().is_empty(), "calls are left: {:?}\n{outcome}", lab.legs());
    assert!(lab.bindings("bob").is_empty(), "a binding is left\n{outcome}");
    outcome
}

/// RTP to bob's end is changed so; everything else passes.
fn to_bob(mut change: impl FnMut(Packet, Datagram) -> Vec<Datagram> + Send + 'static) -> Meddle {
    Box::new(move |media, datagram| {
        let is_to_bob = datagram.way == Way::Out && Some(datagram.peer) == media.of("bob");
        match Packet::of(&datagram).filter(|_| is_to_bob) {
            Some(packet) => change(packet, datagram),
            None => datagram.pass(),
        }
    })
}

/// An RTP packet.
#[derive(Debug, Clone, Copy)]
struct Packet {
    sequence: u16,
    timestamp: u32,
    /// Code, end, duration of a telephone event.
    event: Option<(u8, bool, u16)>,
}

impl Packet {
    fn of(datagram: &Datagram) -> Option<Packet> {
        let bytes = &datagram.bytes;
        datagram.is_rtp().then(|| Packet {
            sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            event: (bytes[1] & 0x7f == EVENT)
                .then(|| (bytes[12], bytes[13] & 0x80 != 0, u16::from_be_bytes([bytes[14], bytes[15]]))),
        })
    }
}

fn with_sequence(mut datagram: Datagram, sequence: u16) -> Datagram {
    datagram.bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
    datagram
}

fn with_timestamp(mut datagram: Datagram, timestamp: u32) -> Datagram {
    datagram.bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
    datagram
}

fn with_ssrc(mut datagram: Datagram, ssrc: u32) -> Datagram {
    datagram.bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
    datagram
}

/// SIP that the PBX sends is changed so; everything else passes.
fn sip(mut change: impl FnMut(&Media, &str) -> Option<String> + Send + 'static) -> Meddle {
    Box::new(move |media, datagram| {
        let text = datagram.sip().filter(|_| datagram.way == Way::Out);
        match text.and_then(|text| change(media, &text)) {
            // The Content-Length fits whatever was changed.
            Some(text) => datagram.with(crate::meddler::edited(&text, "\u{0}", "")).pass(),
            None => datagram.pass(),
        }
    })
}

/// The final answer to an INFO of alice's becomes this one.
fn info_is_answered(status: &'static str, headers: &'static str) -> Meddle {
    sip(move |_, text| {
        let (first, rest) = text.split_once("\r\n")?;
        let is_answer = first.starts_with("SIP/2.0 2") && rest.contains(" INFO\r\n");
        is_answer.then(|| format!("SIP/2.0 {status}\r\n{headers}{rest}"))
    })
}

fn told(outcome: &Outcome) -> String {
    format!("{outcome}")
}

#[track_caller]
fn says(outcome: &Outcome, words: &[&str], not: &[&str]) {
    let told = told(outcome);
    words.iter().for_each(|word| assert!(told.contains(word), "{word} is missing:\n{told}"));
    not.iter().for_each(|word| assert!(!told.contains(word), "{word} is told:\n{told}"));
}

#[track_caller]
fn passes(outcome: &Outcome) {
    assert_eq!((outcome.verdict, errors(outcome)), (Verdict::Pass, Vec::<&str>::new()), "{outcome}");
}

#[track_caller]
fn fails(outcome: &Outcome, code: &str) {
    assert_eq!((outcome.verdict, errors(outcome)), (Verdict::Fail, vec![code]), "{outcome}");
    assert_eq!(finding(outcome, code).side, Side::Peer, "{outcome}");
}

const NO_PATH: &[&str] = &["packets were lost", "path first", "Wi-Fi", "[path-lossy]"];
const NO_LOSS: &[&str] = &["did not arrive", "never sent", "arrived twice", "packets were lost"];

/// Every event under the timestamp of the first of all.
fn one_timestamp() -> Meddle {
    let mut first = None;
    to_bob(move |packet, datagram| match packet.event {
        Some(_) => {
            let timestamp = *first.get_or_insert(packet.timestamp);
            with_timestamp(datagram, timestamp).pass()
        }
        None => datagram.pass(),
    })
}

#[tokio::test(start_paused = true)]
async fn events_under_one_timestamp_arrive_unless_they_are_the_same_digit() {
    for digits in ["159#", "151", "0123456789*#ABCD"] {
        let outcome = check(&[], digits, DtmfMethod::Rfc4733, one_timestamp()).await;
        passes(&outcome);
        assert_eq!(received(&outcome, "rfc4733"), digits, "{outcome}");
        assert_eq!(finding(&outcome, "events-share-timestamp").severity, Severity::Warning);
        says(&outcome, &["one RTP timestamp"], NO_LOSS);
    }
    let same = check(&[], "1111", DtmfMethod::Rfc4733, one_timestamp()).await;
    fails(&same, "digits-merged");
}

/// The packets of these events come this much later.
fn held_back(codes: &'static [u8], time: Duration) -> Meddle {
    to_bob(move |packet, datagram| match packet.event {
        Some((code, ..)) if codes.contains(&code) => datagram.late(time),
        _ => datagram.pass(),
    })
}

#[tokio::test(start_paused = true)]
async fn digits_that_are_held_back_are_late_and_belong_to_the_method_that_sent_them() {
    for time in [1_000, 2_000] {
        let outcome = check(&[], "159#", None, held_back(&[10, 11], time * MS)).await;
        passes(&outcome);
        let late = format!("{:.1} s", f64::from(time) / 1_000.0);
        says(&outcome, &["digit # (place 4) came late", &late], NO_LOSS);
        for step in ["rfc4733", "info", "inband", "rfc4733-after-hold"] {
            assert_eq!(received(&outcome, step), "159#", "{step}\n{outcome}");
        }
    }
    // Overtaken by others they are late all the same, and read in the wrong order.
    let outcome = check(&[], "1#59", DtmfMethod::Rfc4733, held_back(&[11], 1_000 * MS)).await;
    fails(&outcome, "digits-late");
    says(&outcome, &["1.0 s", "wrong order"], NO_LOSS);
}

#[tokio::test(start_paused = true)]
async fn what_comes_when_the_next_method_has_begun_is_told_and_counts_for_nothing_there() {
    let outcome = check(&[], "159#", None, held_back(&[11], 4_500 * MS)).await;
    assert_eq!(step(&outcome, "info").verdict, Verdict::Pass, "{outcome}");
    assert_eq!((received(&outcome, "info"), received(&outcome, "inband")), ("159#", "159#"), "{outcome}");
    says(&outcome, &["of the digits sent before"], &["never sent", "arrived twice"]);
}

/// Events are taken out; the numbers of the voice go on as if nothing were missing, or have their holes.
fn without(codes: std::ops::RangeInclusive<u8>) -> Meddle {
    to_bob(move |packet, datagram| match packet.event {
        Some((code, ..)) if codes.contains(&code) => Vec::new(),
        _ => datagram.pass(),
    })
}

#[tokio::test(start_paused = true)]
async fn events_that_are_taken_out_are_no_loss_on_the_path() {
    let outcome = check(&[], "159#", None, without(0..=15)).await;
    fails(&outcome, "events-dropped");
    says(&outcome, &["thrown away"], NO_PATH);
    let outcome = check(&[], "15ABCD", DtmfMethod::Rfc4733, without(12..=15)).await;
    fails(&outcome, "digits-lost");
    says(&outcome, &["A (place 3), B (place 4), C (place 5), D (place 6)"], NO_PATH);
    // Of two equal ones the second.
    let mut presses = 0;
    let second = to_bob(move |packet, datagram| match packet.event {
        Some((1, _, 160)) => {
            presses += 1;
            if presses == 2 { Vec::new() } else { datagram.pass() }
        }
        Some((1, ..)) if presses == 2 => Vec::new(),
        _ => datagram.pass(),
    });
    let outcome = check(&[], "115", DtmfMethod::Rfc4733, second).await;
    fails(&outcome, "digits-lost");
    says(&outcome, &["1 (place 2)"], NO_PATH);
    // Without any end, its numbers left out.
    let ends = to_bob(|packet, datagram| match packet.event {
        Some((_, true, _)) => Vec::new(),
        _ => datagram.pass(),
    });
    fails(&check(&[], "159#", DtmfMethod::Rfc4733, ends).await, "no-end-packet");
}

#[tokio::test(start_paused = true)]
async fn events_that_become_info_leave_holes_that_are_no_loss() {
    let outcome = check(&["D04:info"], "159#", DtmfMethod::Rfc4733, without(0..=15)).await;
    passes(&outcome);
    says(&outcome, &["arrived by SIP INFO"], NO_PATH);
    assert_eq!(received(&outcome, "rfc4733"), "159#");
}

#[tokio::test(start_paused = true)]
async fn voice_that_is_lost_is_told() {
    for method in [DtmfMethod::Rfc4733, DtmfMethod::InBand] {
        let mut voice = 0;
        let fourth = to_bob(move |packet, datagram| {
            voice += u32::from(packet.event.is_none());
            if packet.event.is_none() && voice % 4 == 0 { Vec::new() } else { datagram.pass() }
        });
        let outcome = check(&[], "159#", method, fourth).await;
        assert_eq!(finding(&outcome, "path-lossy").side, Side::Path, "{outcome}");
        let told: f64 = finding(&outcome, "path-lossy").seen.split(' ').next().unwrap().parse().unwrap();
        assert!((15.0..=35.0).contains(&told), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_of_the_path_is_not_the_platforms() {
    // From the second digit on nothing comes for half a second.
    let mut until: Option<tokio::time::Instant> = None;
    let broken = to_bob(move |packet, datagram| {
        let now = tokio::time::Instant::now();
        if packet.event.is_some_and(|(code, ..)| code == 5) && until.is_none() {
            until = Some(now + 500 * MS);
        }
        if until.is_some_and(|until| now < until) { Vec::new() } else { datagram.pass() }
    });
    let outcome = check(&[], "0123456789*#ABCD", DtmfMethod::Rfc4733, broken).await;
    assert_eq!(outcome.verdict, Verdict::Inconclusive, "{outcome}");
    assert_eq!(errors(&outcome), ["path-lossy"], "{outcome}");
}

/// From the third digit on everything to bob, or the events alone, have another SSRC.
fn other_source(events_alone: bool) -> Meddle {
    let (mut digits, mut last) = (0, None);
    to_bob(move |packet, datagram| {
        if packet.event.is_some() && last != Some(packet.timestamp) {
            (digits, last) = (digits + 1, Some(packet.timestamp));
        }
        let changes = digits > 2 && (packet.event.is_some() || !events_alone);
        if changes { with_ssrc(datagram, 0x0bad_cafe).pass() } else { datagram.pass() }
    })
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_change_its_source_and_events_alone_may_not() {
    let outcome = check(&[], "159#", DtmfMethod::Rfc4733, other_source(false)).await;
    passes(&outcome);
    assert!(outcome.findings.is_empty(), "{outcome}");
    let outcome = check(&[], "159#", DtmfMethod::Rfc4733, other_source(true)).await;
    fails(&outcome, "another-ssrc");
    says(&outcome, &["9 (place 3), # (place 4)"], &[]);
}

#[tokio::test(start_paused = true)]
async fn a_strangers_events_are_told_and_nobodys_digits() {
    for (code, digits) in [(9, "159#"), (9, "1234"), (16, "15")] {
        let builder = Lab::in_memory([9; 32]).users(["alice", "bob"].map(|name| User::new(name, "pw")));
        let port = Arc::new(Mutex::new(None::<SocketAddr>));
        let learned = Arc::clone(&port);
        let meddle: Meddle = Box::new(move |media, datagram| {
            *learned.lock().unwrap() = media.of("bob");
            datagram.pass()
        });
        let meddler = Meddler::both_ways(&builder.memory_host().unwrap(), meddle);
        let lab = builder.network(Arc::new(meddler)).start().await.unwrap();
        let stranger = lab.memory_network().unwrap().host(["198.51.100.9".parse().unwrap()]);
        let stranger =
            ringback::transport::Network::bind_udp(&stranger, "198.51.100.9:4000".parse().unwrap());
        let stranger = stranger.unwrap();
        let noise = async {
            tokio::time::sleep(1_100 * MS).await;
            for n in 0..6_u8 {
                let mut bytes = vec![0x80, EVENT, 0, n, 0, 0, 0, 9, 0, 0, 0, 77, code, 10, 0, 160 + n];
                bytes[1] |= u8::from(n == 0) << 7;
                bytes[13] |= u8::from(n > 2) << 7;
                let port = port.lock().unwrap().unwrap();
                stranger.try_send(&bytes, port).unwrap();
                tokio::time::sleep(20 * MS).await;
            }
        };
        let account = |name| lab.account(name, Transport::Udp).unwrap();
        let check = Dtmf::between(&account("alice"), &account("bob")).digits(digits).unwrap();
        let probe = lab.probe().await.unwrap();
        let (outcome, ()) = tokio::join!(probe.check(check.method(DtmfMethod::Rfc4733)), noise);
        passes(&outcome);
        says(&outcome, &["foreign source", "198.51.100.9:4000"], &["never sent", "talk-off"]);
        assert_eq!(received(&outcome, "rfc4733"), digits, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_were_in_no_offer_are_told() {
    // Bob's end is offered no events, and gets those that alice sends.
    let no_offer = sip(|_, text| {
        let is_offer = text.starts_with("INVITE sip:bob");
        is_offer.then(|| {
            let text = text.replace(" 101\r\n", "\r\n");
            let lines = text.split("\r\n").filter(|line| !line.contains("101 ")).collect::<Vec<_>>();
            lines.join("\r\n")
        })
    });
    let mut last = None;
    let mut no_offer = no_offer;
    let both: Meddle = Box::new(move |media, datagram| {
        // The PBX has nothing to pass events on with: somebody puts alice's to bob's in.
        if datagram.way == Way::In && Packet::of(&datagram).is_some_and(|packet| packet.event.is_some()) {
            last = Some(datagram.bytes.clone());
        }
        let is_to_bob =
            datagram.way == Way::Out && Some(datagram.peer) == media.of("bob") && datagram.is_rtp();
        match last.take_if(|_| is_to_bob) {
            Some(bytes) => {
                let mut event = with_sequence(
                    datagram.with(bytes),
                    u16::from_be_bytes([datagram.bytes[2], datagram.bytes[3]]),
                );
                event.bytes[8..12].copy_from_slice(&datagram.bytes[8..12]);
                event.pass()
            }
            None => no_offer(media, datagram),
        }
    });
    let outcome = check(&[], "15", DtmfMethod::Rfc4733, both).await;
    says(&outcome, &["not agreed on", "not in the offer"], &[]);
    assert_eq!(finding(&outcome, "events-not-agreed").side, Side::Peer);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_does_not_fit_the_voice_is_there_and_does_not_fit() {
    let rate = |rate: &'static str| {
        sip(move |_, text| {
            let is_answer = text.starts_with("SIP/2.0 200") && text.contains(" INVITE\r\n");
            is_answer.then(|| text.replace("telephone-event/8000", rate))
        })
    };
    for (name, hz) in [("telephone-event/48000", "48000"), ("telephone-event/16000", "16000")] {
        let outcome = check(&[], "15", DtmfMethod::Rfc4733, rate(name)).await;
        fails(&outcome, "telephone-event-rate");
        says(&outcome, &[hz, "does not fit"], &["missing from the answer"]);
    }
    let outcome = check(&["D01"], "15", DtmfMethod::Rfc4733, sip(|_, _| None)).await;
    fails(&outcome, "telephone-event-missing");
}

#[tokio::test(start_paused = true)]
async fn infos_of_a_type_that_we_do_not_take_are_told_by_their_type() {
    for kind in ["audio/telephone-event", "application/vnd.nortelnetworks.digits", "x-dtmf/digits"] {
        let mut typed = sip(move |_, text| {
            text.starts_with("INFO sip:bob").then(|| text.replace("application/dtmf-relay", kind))
        });
        let mut events = without(0..=15);
        let both: Meddle = Box::new(move |media, datagram| match datagram.is_rtp() {
            true => events(media, datagram),
            false => typed(media, datagram),
        });
        let outcome = check(&["D04:info"], "15", DtmfMethod::Rfc4733, both).await;
        fails(&outcome, "info-type-unknown");
        says(&outcome, &[kind, "which we do not take"], &["thrown away"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_info_that_finds_no_dialog_ends_the_check_and_nothing_else_is_claimed() {
    for status in ["481 Call/Transaction Does Not Exist", "408 Request Timeout"] {
        for method in [None, Some(DtmfMethod::Info)] {
            let outcome = check(&[], "15", method, info_is_answered(status, "")).await;
            fails(&outcome, "info-dialog-gone");
            says(&outcome, &[&status[..3]], &["no RTP", "firewall", "re-INVITE", "hold) was not"]);
            if method.is_none() {
                for name in ["inband", "rfc4733-after-hold"] {
                    assert_eq!(step(&outcome, name).verdict, Verdict::NotRun, "{outcome}");
                }
            }
            assert_eq!(step(&outcome, "hang-up").verdict, Verdict::NotRun, "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_info_that_is_not_taken_says_what_the_answer_says() {
    let cases = [
        ("469 Bad Info Package", "Recv-Info: g.example\r\n", ["469", "Recv-Info: g.example"]),
        ("415 Unsupported Media Type", "Accept: application/sdp\r\n", ["415", "Accept: application/sdp"]),
        ("405 Method Not Allowed", "", ["405", "takes no INFO"]),
        ("488 Not Acceptable Here", "Warning: 399 pbx \"no digits\"\r\n", ["488", "no digits"]),
    ];
    for (status, headers, words) in cases {
        let outcome = check(&[], "15", None, info_is_answered(status, headers)).await;
        passes(&outcome);
        assert_eq!(step(&outcome, "info").verdict, Verdict::NotRun, "{outcome}");
        says(&outcome, &words, &["in the ladder"]);
    }
}

/// Of a long event two packets come, then voice, then its ends with numbers that fit.
fn sparse() -> Meddle {
    let (mut updates, mut last) = (0_u32, None);
    to_bob(move |packet, datagram| match packet.event {
        Some((_, false, _)) => {
            if last != Some(packet.timestamp) {
                (updates, last) = (0, Some(packet.timestamp));
            }
            updates += 1;
            if updates <= 2 {
                return datagram.pass();
            }
            // Silence in the place of the update.
            let mut voice = datagram.clone();
            voice.bytes.truncate(12);
            voice.bytes[1] = 8;
            voice.bytes.extend([0xd5; 160]);
            with_timestamp(voice, packet.timestamp + 160 * updates).pass()
        }
        _ => datagram.pass(),
    })
}

#[tokio::test(start_paused = true)]
async fn long_events_with_few_updates_have_their_ends() {
    let timing = ringback::media::stream::Timing { on: 1_000 * MS, ..Default::default() };
    let with = |check: Dtmf| check.digits("15").unwrap().method(DtmfMethod::Rfc4733).timing(timing);
    let outcome = check_with(&[], with, sparse()).await;
    passes(&outcome);
    says(&outcome, &["s apart", "the ends came"], &["no end packet", "never sent"]);
    assert_eq!(received(&outcome, "rfc4733"), "15", "{outcome}");
    let outcome = check_with(&["D08"], with, sip(|_, _| None)).await;
    fails(&outcome, "no-end-packet");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_takes_calls_of_registered_devices_only_is_asked_with_a_registered_caller() {
    // Who has no binding is refused.
    let meddle = || {
        let mut bound = false;
        let meddle: Meddle = Box::new(move |_, datagram| {
            let text = datagram.sip().unwrap_or_default();
            bound |= datagram.way == Way::In && text.starts_with("REGISTER") && text.contains("<sip:alice@");
            let is_call = datagram.way == Way::In && text.starts_with("INVITE");
            if is_call && !bound { Vec::new() } else { datagram.pass() }
        });
        meddle
    };
    let with = |register: bool| {
        move |check: Dtmf| {
            let check = check.digits("15").unwrap().method(DtmfMethod::Rfc4733);
            check.register_caller(register).wait(Duration::from_secs(5))
        }
    };
    assert_ne!(check_with(&[], with(false), meddle()).await.verdict, Verdict::Pass);
    passes(&check_with(&[], with(true), meddle()).await);
}

/// A platform that looks for feature codes: from `*` on it holds everything back for a second and sends it under one timestamp, in numbers
/// of its own with holes.
#[tokio::test(start_paused = true)]
async fn the_default_run_passes_where_a_platform_buffers_digits_and_numbers_them_anew() {
    let mut stamp = None;
    let mut skipped = 0_u16;
    let mut last = None;
    let buffer = to_bob(move |packet, datagram| {
        if packet.event.is_some() && last != Some(packet.timestamp) {
            (last, skipped) = (Some(packet.timestamp), skipped + 3);
        }
        let datagram = with_sequence(datagram, packet.sequence.wrapping_add(skipped));
        match packet.event {
            Some((10..=15, ..)) => {
                let timestamp = *stamp.get_or_insert(packet.timestamp);
                with_timestamp(datagram, timestamp).late(1_000 * MS)
            }
            _ => datagram.pass(),
        }
    });
    let outcome = check_with(&[], |check| check, buffer).await;
    passes(&outcome);
    says(&outcome, &["late", "one RTP timestamp"], NO_LOSS);
}
