#![allow(clippy::unwrap_used)]
use super::*;
use crate::check::judge::request::RequestEnd;
use crate::media::dtmf::{Around, Rtp};
use crate::media::stream::Span;
use crate::media::telephone_event::Seen;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn digits(text: &str) -> Vec<Digit> {
    text.chars().map(|c| Digit::from_char(c).unwrap()).collect()
}

fn event(digit: Digit, n: u32, at: Instant) -> Observation {
    let rtp = Rtp {
        payload_type: 101,
        ssrc: 7,
        timestamp: n * 1_600,
        duration_units: 800,
        marker: Seen::Yes,
        end: Seen::Yes,
        end_packets: 3,
        markers: 1,
        duration_resets: 0,
        clock_rate_hz: Some(8_000),
        longest_gap_ms: 20,
        remote: None,
        is_foreign: false,
    };
    Observation { rtp: Some(rtp), ..Observation::new(DtmfMethod::Rfc4733, digit, at, Some(100 * MS)) }
}

/// A digit that was sent by RFC 4733 and arrived by it, whole.
fn arrived(sent: &str, received: &str) -> Arrived {
    let start = Instant::now();
    let span = Span { ssrc: 7, from: start - 1_000 * MS, to: start + 9_000 * MS, packets: 500 };
    let at = |n: u32| start + 200 * n * MS;
    let observed = digits(received).into_iter().zip(0..).map(|(digit, n)| event(digit, n, at(n)));
    let expected = Expected {
        payload_type: Some(101),
        sent_at: (0..sent.len() as u32).map(at).collect(),
        around: Around { spans: vec![span], ..Around::default() },
        ..Expected::new(DtmfMethod::Rfc4733, digits(sent), 100 * MS)
    };
    Arrived {
        infos_repeated: 0,
        left_out: Vec::new(),
        expected,
        observed: observed.collect(),
        infos: Vec::new(),
        packets: 300,
        stopped: None,
        refusals: Vec::new(),
        pace: Some(1.0),
        late: Lateness::default(),
    }
}

fn said(fate: Fate, agreed: Agreed, alone: bool) -> DigitsVerdict {
    let way = match &fate {
        Fate::Sent(arrived) => arrived.expected.way,
        Fate::InfoRefused { .. } => DtmfMethod::Info,
        _ => DtmfMethod::Rfc4733,
    };
    let sent = match &fate {
        Fate::Sent(arrived) => arrived.expected.digits.clone(),
        _ => digits("15"),
    };
    judge(&Pressed { way, sent, fate, agreed, evidence: 3..9 }, alone)
}

fn agreed() -> Agreed {
    Agreed {
        told: Some(0xffff),
        takes: Some(0xffff),
        answer: Some(Events(vec![(101, 8_000)])),
        offer: Some(Events(vec![(101, 8_000)])),
        receives: Some(101),
    }
}

fn sent(arrived: Arrived) -> DigitsVerdict {
    said(Fate::Sent(Box::new(arrived)), agreed(), true)
}

fn codes(verdict: &DigitsVerdict) -> Vec<&str> {
    verdict.findings.iter().map(|finding| finding.code.as_ref()).collect()
}

/// The verdict, the side of the first error, and the words that must and must not be said.
fn holds(verdict: &DigitsVerdict, what: Verdict, side: Option<Side>, words: &[&str], not: &[&str]) {
    let told: Vec<String> = verdict.findings.iter().map(|f| format!("{} -> {}", f.seen, f.advice)).collect();
    let told = format!("{}\n{}", verdict.detail, told.join("\n"));
    assert_eq!(verdict.verdict, what, "{told}");
    let first = verdict.findings.iter().find(|finding| finding.severity == Severity::Error);
    assert_eq!(first.map(|finding| finding.side), side, "{told}");
    words.iter().for_each(|word| assert!(told.contains(word), "{word} is missing: {told}"));
    not.iter().for_each(|word| assert!(!told.contains(word), "{word} is told: {told}"));
    assert!(verdict.findings.iter().all(|finding| finding.evidence == (3..9)));
}

const PATH: &[&str] = &["packets were lost", "path first", "Wi-Fi"];

#[test]
fn digits_that_arrive_are_a_pass_without_a_word() {
    let verdict = sent(arrived("159#", "159#"));
    holds(&verdict, Verdict::Pass, None, &["sent 159# by RFC 4733, received 159#"], PATH);
    assert!(verdict.findings.is_empty());
}

#[test]
fn late_digits_are_told_with_the_time_and_pass_in_their_order_only() {
    let mut late = arrived("159#", "159#");
    late.observed[3].at += 1_000 * MS;
    let not = ["did not arrive", "never sent", "arrived twice"];
    holds(&sent(late), Verdict::Pass, None, &["digit # (place 4) came late", "1.0 s"], &not);
    let mut late = arrived("#159", "#159");
    late.observed[0].at += 1_000 * MS;
    let words = ["digit # (place 1) came 1.0 s after", "behind digits that were sent later (159)"];
    holds(&sent(late), Verdict::Fail, Some(Side::Peer), &words, &not);
}

#[test]
fn events_under_one_timestamp_are_told() {
    let mut shared = arrived("159#", "159#");
    shared.observed.iter_mut().for_each(|o| o.rtp.as_mut().unwrap().timestamp = 9);
    holds(
        &sent(shared),
        Verdict::Pass,
        None,
        &["all 4 digits", "under one RTP timestamp"],
        &["did not arrive"],
    );
}

#[test]
fn holes_where_the_events_were_are_the_peers() {
    let mut dropped = arrived("159#", "");
    dropped.expected.around.dropped = vec![0, 1, 2, 3];
    holds(&sent(dropped), Verdict::Fail, Some(Side::Peer), &["thrown away"], PATH);
    let mut some = arrived("15ABCD", "15");
    some.expected.around.dropped = vec![2, 3, 4, 5];
    let words = ["A (place 3), B (place 4), C (place 5), D (place 6)", "taken out"];
    let verdict = sent(some);
    holds(&verdict, Verdict::Fail, Some(Side::Peer), &words, PATH);
}

#[test]
fn without_any_packet_nothing_is_known_of_the_digits() {
    let mut none = arrived("15", "");
    none.packets = 0;
    let verdict = sent(none);
    holds(&verdict, Verdict::Fail, Some(Side::Path), &["no RTP"], &["thrown away"]);
    assert_eq!(codes(&verdict), ["no-media"]);
}

#[test]
fn digits_that_are_missing_where_no_more_rtp_comes_say_when_it_stopped() {
    let stops = |received: &str| {
        let mut stops = arrived("15", received);
        stops.stopped = Some([Duration::from_millis(700), Duration::from_secs(4)]);
        stops
    };
    for received in ["", "1"] {
        let verdict = sent(stops(received));
        let words = ["until 0.7 s after the answer", "none in the 4.0 s since"];
        holds(&verdict, Verdict::Fail, Some(Side::Path), &words, &["did not arrive", "no RTP at all"]);
        assert_eq!(codes(&verdict), ["audio-stopped"]);
        assert!(verdict.is_stopped() && verdict.judged.is_some());
    }
    // All of them had come before.
    let verdict = sent(stops("15"));
    assert!(verdict.verdict == Verdict::Pass && !verdict.is_stopped(), "{verdict:?}");
}

#[test]
fn lost_voice_is_the_paths_and_an_interruption_takes_its_digits_with_it() {
    let mut lossy = arrived("159#", "19#");
    lossy.expected.around.loss = 0.25;
    holds(&sent(lossy), Verdict::Inconclusive, Some(Side::Path), &["25 %"], &[]);
    let mut lossy = arrived("159#", "159#");
    lossy.expected.around.loss = 0.25;
    holds(&sent(lossy), Verdict::Pass, None, &["25 %", "all the same"], &[]);
    let mut broken = arrived("159#", "19#");
    (broken.expected.around.loss, broken.expected.around.interrupted) = (0.06, vec![1]);
    let words = ["interrupted", "voice around digit 5 (place 2)"];
    holds(&sent(broken), Verdict::Inconclusive, Some(Side::Path), &words, &["platform: it drops"]);
    // What the interruption did not touch is the peer's.
    let mut broken = arrived("159#", "1#");
    (broken.expected.around.loss, broken.expected.around.interrupted) = (0.06, vec![1]);
    let verdict = sent(broken);
    assert_eq!((verdict.verdict, codes(&verdict).contains(&"digits-lost")), (Verdict::Fail, true));
}

#[test]
fn events_that_were_not_agreed_on_are_told_with_what_the_offer_had() {
    let none = Agreed { offer: Some(Events::default()), receives: None, ..agreed() };
    let verdict = said(Fate::Sent(Box::new(arrived("15", "15"))), none, true);
    let words = ["not agreed on", "telephone-event was not in the offer", "payload type 101"];
    holds(&verdict, Verdict::Fail, Some(Side::Peer), &words, &["did not arrive"]);
    let other = Agreed { offer: Some(Events(vec![(101, 48_000)])), receives: None, ..agreed() };
    let verdict = said(Fate::Sent(Box::new(arrived("15", "15"))), other, true);
    holds(&verdict, Verdict::Fail, Some(Side::Peer), &["telephone-event/48000 only"], &[]);
}

#[test]
fn a_rate_that_does_not_fit_is_not_a_missing_telephone_event() {
    let rate = |events: Vec<(u8, u32)>| {
        let agreed = Agreed { answer: Some(Events(events)), ..Agreed::default() };
        said(Fate::NotNegotiated, agreed, true)
    };
    holds(
        &rate(vec![(101, 48_000)]),
        Verdict::Fail,
        Some(Side::Peer),
        &["telephone-event/48000"],
        &["missing"],
    );
    let both = rate(vec![(101, 48_000), (102, 16_000)]);
    holds(
        &both,
        Verdict::Fail,
        Some(Side::Peer),
        &["telephone-event/48000, telephone-event/16000"],
        &["missing"],
    );
    holds(&rate(Vec::new()), Verdict::Fail, Some(Side::Peer), &["missing from the answer"], &[]);
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/48000\r\n";
    assert_eq!(Events::of(text.as_bytes()), Some(Events(vec![(101, 48_000)])));
}

fn refusal(kind: &str, status: Option<u16>, phrase: &str, said: &[(&'static str, &str)]) -> Refusal {
    let end = status.map(|status| RequestEnd::refused(status, phrase, said)).unwrap_or_default();
    Refusal { content_type: kind.to_owned(), end, waited: Duration::from_secs(5) }
}

#[test]
fn refused_infos_say_what_the_answer_said() {
    let relay = "application/dtmf-relay";
    #[rustfmt::skip]
    let cases: [(Vec<Refusal>, Verdict, &[&str]); 7] = [
        (vec![refusal(relay, Some(469), "Bad Info Package", &[("Recv-Info", "g.x")])], Verdict::NotRun, &["469 Bad Info Package", "Recv-Info: g.x", "RFC 6086"]),
        (vec![refusal(relay, Some(405), "Method Not Allowed", &[])], Verdict::NotRun, &["405", "takes no INFO"]),
        (vec![refusal(relay, Some(501), "", &[])], Verdict::NotRun, &["501"]),
        (vec![refusal(relay, Some(415), "", &[("Accept", "application/sdp")]), refusal("application/dtmf", Some(415), "", &[("Accept", "application/sdp")])], Verdict::NotRun, &["Accept: application/sdp", "415"]),
        (vec![refusal(relay, Some(415), "", &[("Accept", "text/plain")]), refusal("application/dtmf", Some(500), "Oops", &[])], Verdict::NotRun, &["Accept: text/plain", "500 Oops"]),
        (vec![refusal(relay, Some(500), "Oops", &[("Warning", "399 pbx \"no\"")])], Verdict::Fail, &["500 Oops", "399 pbx"]),
        (vec![refusal(relay, Some(481), "Call Does Not Exist", &[])], Verdict::Fail, &["481 Call Does Not Exist", "over"]),
    ];
    for (refusals, verdict, words) in cases {
        let side = (verdict == Verdict::Fail).then_some(Side::Peer);
        let fate = |refusals: &[Refusal]| Fate::InfoRefused {
            at: 0,
            refusals: refusals.to_vec(),
            has_arrived: false,
        };
        holds(
            &said(fate(&refusals), agreed(), false),
            verdict,
            side,
            words,
            &["see the status in the ladder"],
        );
        // Asked for alone it is a failure.
        holds(&said(fate(&refusals), agreed(), true), Verdict::Fail, Some(Side::Peer), words, &[]);
    }
}

#[test]
fn infos_of_a_type_that_is_not_ours_are_told_instead_of_thrown_away_events() {
    for kind in ["audio/telephone-event", "application/vnd.example.digits", "x-dtmf/plain"] {
        let mut infos = arrived("15", "");
        let info = Received { content_type: kind.to_owned(), status: 415, without_digit: None };
        infos.infos = vec![info.clone(), info.clone()];
        let words = [kind, "which we do not take", "2 came", "415"];
        holds(&sent(infos), Verdict::Fail, Some(Side::Peer), &words, &["thrown away"]);
        let mut beside = arrived("15", "15");
        beside.infos = vec![info];
        holds(&sent(beside), Verdict::Pass, None, &[kind, "beside the digits"], &[]);
    }
}

#[test]
fn a_stranger_is_told_and_counts_for_nothing() {
    let mut stranger = arrived("15", "15");
    let mut nine = event(digits("9")[0], 77, stranger.observed[1].at + 90 * MS);
    let rtp = nine.rtp.as_mut().unwrap();
    (rtp.ssrc, rtp.is_foreign, rtp.remote) = (0xabcd, true, Some("198.51.100.9:4000".parse().unwrap()));
    stranger.observed.push(nine);
    let words = ["foreign source", "198.51.100.9:4000", "digit 9"];
    holds(&sent(stranger), Verdict::Pass, None, &words, &["never sent", "talk-off"]);
}

#[test]
fn what_comes_for_the_digits_before_is_told_as_late() {
    let mut late = arrived("15", "15");
    late.expected.owed = digits("#");
    late.observed.insert(0, event(digits("#")[0], 99, late.observed[0].at - 150 * MS));
    holds(&sent(late), Verdict::Pass, None, &["# of the digits sent before"], &["never sent"]);
}

#[test]
fn what_is_owed_is_what_did_not_come_and_what_was_owed_before() {
    let owed = |arrived: Arrived| {
        let sent = arrived.expected.digits.clone();
        let fate = Fate::Sent(Box::new(arrived));
        let pressed = Pressed { way: DtmfMethod::Rfc4733, sent, fate, agreed: agreed(), evidence: 0..1 };
        let owed = pressed.owed(&judge(&pressed, true));
        assert!(!pressed.ends_the_call());
        owed.iter().map(|digit| digit.character()).collect::<String>()
    };
    assert_eq!(owed(arrived("159#", "159#")), "");
    assert_eq!(owed(arrived("159#", "159")), "#");
    let mut before = arrived("159#", "159");
    before.expected.owed = digits("7");
    assert_eq!(owed(before), "7#");
    for (status, is_over) in
        [(Some(481), true), (Some(408), true), (None, true), (Some(415), false), (Some(500), false)]
    {
        let fate =
            Fate::InfoRefused { at: 1, refusals: vec![refusal("x/y", status, "", &[])], has_arrived: false };
        let pressed =
            Pressed { way: DtmfMethod::Info, sent: digits("159"), fate, agreed: agreed(), evidence: 0..1 };
        assert_eq!(pressed.ends_the_call(), is_over, "{status:?}");
        assert_eq!(pressed.owed(&judge(&pressed, true)), digits("15"));
    }
}

#[test]
fn a_machine_that_did_not_keep_up_blames_nobody_else() {
    let mut slow = arrived("159#", "19#");
    slow.pace = Some(0.5);
    let verdict = sent(slow);
    holds(&verdict, Verdict::Inconclusive, Some(Side::Probe), &["50 % went out in time"], &[]);
    let mut slow = arrived("159#", "159#");
    slow.pace = Some(0.5);
    holds(&sent(slow), Verdict::Pass, None, &[], &["in time"]);
}
