#![allow(clippy::unwrap_used)]
//! Reports of one made-up outcome, compared with `tests/golden/report`. `UPDATE_GOLDEN=1 cargo test` rewrites the files.

use super::*;
use crate::check::{Fact, Finding, Metric, MetricValue, Outcome, Severity, Side, Step, Transcript, Verdict};
use crate::message::{Flow, Transport};
use crate::syntax::{SyntaxError, SyntaxErrorKind};
use crate::transport::{Direction, Record, RecordEvent, TransportError, TransportErrorKind};
use bytes::Bytes;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

const SECRET: &str = "6629fae49393a05397450978507c4ef1";

#[track_caller]
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(wanted == text, "{} differs; wanted:\n{wanted}\ngot:\n{text}", path.display());
}

fn request(cseq: u32, authorization: &str) -> Bytes {
    Bytes::from(format!(
        "REGISTER sip:127.0.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bK{cseq};rport\r\n\
         From: <sip:bob@lab.example>;tag=a1\r\nTo: <sip:bob@lab.example>\r\n\
         Call-ID: c1\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:bob@127.0.0.1:40001>\r\n\
         {authorization}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn response(status: &str, cseq: u32, header: &str) -> Bytes {
    Bytes::from(format!(
        "SIP/2.0 {status}\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bK{cseq};rport=40001\r\n\
         From: <sip:bob@lab.example>;tag=a1\r\nTo: <sip:bob@lab.example>;tag=b2\r\n\
         Call-ID: c1\r\nCSeq: {cseq} REGISTER\r\n{header}Content-Length: 0\r\n\r\n"
    ))
}

/// A refused registration: UDP, a retransmission, garbage in between, then TCP.
fn outcome() -> Outcome {
    let began = Instant::now();
    let udp = Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:40001".parse().unwrap(),
        remote: "127.0.0.1:5060".parse().unwrap(),
    };
    let tcp = Flow { transport: Transport::Tcp, local: "127.0.0.1:40002".parse().unwrap(), ..udp };
    let sent =
        |bytes, retransmission| RecordEvent::Message { direction: Direction::Sent, bytes, retransmission };
    let received = |bytes| RecordEvent::Message { direction: Direction::Received, bytes, retransmission: 0 };
    let credentials = format!(
        "Authorization: Digest username=\"bob\", realm=\"lab\", nonce=\"n1\", uri=\"sip:127.0.0.1:5060\", response=\"{SECRET}\"\r\n"
    );
    let challenge = "WWW-Authenticate: Digest realm=\"lab\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";
    let refused =
        TransportError { transport: Transport::Udp, remote: udp.remote, kind: TransportErrorKind::Refused };
    let events = [
        (0, udp, sent(request(1, ""), 0)),
        (500_000, udp, sent(request(1, ""), 1)),
        (501_250, udp, received(response("401 Unauthorized", 1, challenge))),
        (501_900, udp, sent(request(2, &credentials), 0)),
        (
            503_000,
            udp,
            RecordEvent::Malformed {
                bytes: Bytes::from_static(b"\x00\x01junk"),
                length: 6,
                error: SyntaxError { kind: SyntaxErrorKind::StartLine, offset: 0 },
            },
        ),
        (503_100, udp, received(response("401 Nicht g\u{fc}ltig\u{1b}[2J", 2, challenge))),
        (503_200, udp, RecordEvent::Failed(refused)),
        (
            503_300,
            tcp,
            RecordEvent::Note("1,412 bytes are too many for UDP: sent by TCP to 127.0.0.1:5060".into()),
        ),
        (503_500, tcp, RecordEvent::Opened),
        (503_700, tcp, sent(request(3, &credentials), 0)),
        (506_000, tcp, received(response("403 Forbidden", 3, ""))),
        (506_900, tcp, RecordEvent::Closed("by the peer".into())),
    ];
    let records = events
        .map(|(us, flow, event)| Record { at: began + Duration::from_micros(us), flow, event })
        .to_vec();
    let mut transcript =
        Transcript::empty(began, SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123));
    transcript.records = records;
    transcript.dropped = 2;
    let summary = "The registrar refused the user name or the password.";
    let mut outcome = Outcome::new("register", "sip:bob@lab.example", Verdict::Fail, summary, transcript);
    outcome.findings = vec![
        Finding::new(
            "credentials-refused",
            Severity::Error,
            Side::Setup,
            "A correct answer to the challenge was refused again, then with 403 \u{1b}[31mForbidden.",
            "Set the password of bob again at the registrar and here.",
        )
        .shown_by(2..11),
        Finding::new("retransmitted", Severity::Info, Side::Path, "1 request had to be sent again.", "")
            .shown_by(1..2),
    ];
    outcome.steps = vec![
        Step::new("query", Verdict::Fail, "403 Forbidden")
            .lasting(Duration::from_micros(506_000))
            .shown_by(0..11),
        Step::new("bind", Verdict::NotRun, "needs the query").shown_by(11..11),
    ];
    outcome.facts = vec![
        Fact::new("transport", "tcp"),
        Fact::new("challenge", "Digest realm \"lab\", MD5, qop auth: answered"),
    ];
    outcome.metrics = vec![
        Metric::new("rrd", MetricValue::Duration(Duration::from_nanos(1_234_567))),
        Metric::new("expires", MetricValue::Seconds(300)),
        Metric::new("retransmissions", MetricValue::Count(1)),
    ];
    outcome.took = Duration::from_micros(1_506_900);
    outcome
}

#[test]
fn an_outcome_prints_verdict_steps_findings_and_figures() {
    let text = outcome().to_string();
    assert!(!text.contains('\u{1b}') && text.is_ascii());
    golden("outcome.txt", &(text + "\n"));
}

#[test]
fn a_ladder_shows_lanes_times_retransmissions_and_what_was_no_message() {
    let text = ladder(&outcome().transcript);
    assert!(text.is_ascii() && !text.contains(SECRET));
    golden("ladder.txt", &text);
}

#[test]
fn a_ladder_without_times_and_ports_is_the_same_whatever_the_ports_are() {
    let mut outcome = outcome();
    let text = ladder_with(&outcome.transcript, LadderOptions::golden());
    golden("ladder_golden.txt", &text);
    for record in &mut outcome.transcript.records {
        record.at += Duration::from_micros(17);
        for address in [&mut record.flow.local, &mut record.flow.remote] {
            address.set_port(address.port() + 111);
        }
        if let RecordEvent::Message { bytes, .. } = &mut record.event {
            *bytes =
                String::from_utf8_lossy(bytes).replace(":5060", ":5171").replace(":40001", ":40112").into();
        }
        if let RecordEvent::Note(text) = &mut record.event {
            *text = text.replace(":5060", ":5171");
        }
        if let RecordEvent::Failed(error) = &mut record.event {
            error.remote.set_port(5171);
        }
    }
    assert_eq!(ladder_with(&outcome.transcript, LadderOptions::golden()), text);
}

#[test]
fn the_ladder_of_nothing_is_empty() {
    let transcript = Transcript { records: Vec::new(), dropped: 0, ..outcome().transcript };
    assert_eq!(ladder(&transcript).trim(), "");
}

#[test]
fn an_address_that_talks_to_itself_does_not_break_the_ladder() {
    let mut transcript = outcome().transcript;
    for record in &mut transcript.records {
        record.flow.remote = record.flow.local;
    }
    assert!(ladder(&transcript).contains("* to itself: REGISTER sip:127.0.0.1:5060 [1]"));
}

#[test]
fn a_table_has_a_line_each_and_what_to_do() {
    let failed = outcome();
    let rows = [
        Row {
            name: "alice",
            verdict: Verdict::Pass,
            why: "Registered for 300 s.",
            advice: None,
            by_login_only: false,
        },
        Row::of("bob", &failed),
        Row {
            name: "carol",
            verdict: Verdict::NotRun,
            why: "no password is given",
            advice: Some("Add one."),
            by_login_only: false,
        },
        Row {
            name: "dave\u{1b}[0m",
            verdict: Verdict::Inconclusive,
            why: "no answer in 4.00 s",
            advice: None,
            by_login_only: false,
        },
    ];
    golden("table.txt", &table(rows, false));
    let coloured = table(rows, true);
    assert!(coloured.contains("\u{1b}[1;31mfail        \u{1b}[0m"));
    let plain = ["32", "1;31", "33", "2", "0"]
        .iter()
        .fold(coloured, |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
    assert_eq!(plain, table(rows, false));
}

#[test]
fn what_passed_by_its_login_alone_is_told_and_counted() {
    let mut beside = outcome();
    beside.verdict = Verdict::Pass;
    let plain = beside.clone();
    beside.findings.insert(
        0,
        Finding::new("not-beside-live-devices", Severity::Info, Side::Setup, "1 device", "a test account"),
    );
    let text = table([Row::of("alice", &plain), Row::of("bob", &beside)], false);
    assert!(!text.lines().nth(2).unwrap().contains("->") && text.contains("-> a test account"), "{text}");
    let counts =
        "2 checked: 2 pass (1 of them by login only, beside live devices), 0 fail, 0 inconclusive, 0 not run";
    assert_eq!(text.lines().last(), Some(counts));
    let text = table([Row::of("alice", &plain)], false);
    assert_eq!(text.lines().last(), Some("1 checked: 1 pass, 0 fail, 0 inconclusive, 0 not run"));
}

#[test]
fn a_tally_is_a_failure_as_soon_as_one_failed_and_a_pass_only_when_all_passed() {
    let over = |verdicts: &[Verdict]| {
        let mut tally = Tally::default();
        verdicts.iter().for_each(|verdict| tally.add(*verdict));
        tally.verdict()
    };
    use Verdict::*;
    assert_eq!(over(&[Pass, Pass]), Pass);
    assert_eq!(over(&[Pass, NotRun, Inconclusive, Fail]), Fail);
    assert_eq!(over(&[Pass, NotRun, Inconclusive]), Inconclusive);
    assert_eq!(over(&[Pass, NotRun]), NotRun);
    assert_eq!(over(&[]), NotRun);
}

#[test]
fn the_advice_of_an_outcome_is_the_one_that_matters_most() {
    let mut outcome = outcome();
    outcome.findings.reverse();
    assert_eq!(outcome.advice(), Some("Set the password of bob again at the registrar and here."));
    outcome.findings.truncate(1);
    assert_eq!(outcome.advice(), None);
}

#[cfg(feature = "json")]
mod json {
    use super::*;

    #[test]
    fn a_line_holds_everything_but_the_messages() {
        let line = crate::report::json::line(&outcome());
        assert!(!line.contains('\n') && !line.contains('\u{1b}') && !line.contains(SECRET));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        golden("outcome.json", &(serde_json::to_string_pretty(&value).unwrap() + "\n"));
        // The order of the keys is part of what people read.
        assert!(line.starts_with(r#"{"schema":"ringback.outcome/1","check":"register","subject":"sip:bob@lab.example","verdict":"fail""#));
    }

    #[test]
    fn a_name_is_there_when_it_is_told() {
        let line = crate::report::json::line_named("bob", &outcome());
        assert!(line.contains(r#""subject":"sip:bob@lab.example","name":"bob","verdict""#), "{line}");
    }
}

#[cfg(feature = "pcap")]
mod pcap {
    use super::*;
    use crate::report::pcap::Capture;
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    use pcap_file::DataLink;
    use pcap_file::pcap::PcapReader;

    fn capture(transcripts: &[Transcript]) -> Vec<u8> {
        let mut capture = Capture::new(Vec::new()).unwrap();
        for transcript in transcripts {
            capture.add(transcript).unwrap();
        }
        capture.into_inner()
    }

    struct Packet {
        at: Duration,
        bytes: Vec<u8>,
    }

    fn packets(file: &[u8]) -> Vec<Packet> {
        let mut reader = PcapReader::new(file).unwrap();
        assert_eq!(reader.header().datalink, DataLink::RAW);
        let mut packets = Vec::new();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.unwrap();
            assert_eq!(packet.orig_len as usize, packet.data.len());
            packets.push(Packet { at: packet.timestamp, bytes: packet.data.into_owned() });
        }
        packets
    }

    #[test]
    fn every_message_is_there_with_its_wall_clock_time_and_without_secrets() {
        let file = capture(&[outcome().transcript]);
        assert!(!file.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
        let packets = packets(&file);
        let mut texts = Vec::new();
        for packet in &packets {
            let sliced = SlicedPacket::from_ip(&packet.bytes).unwrap();
            let Some(NetSlice::Ipv4(ip)) = &sliced.net else { panic!("no IPv4") };
            assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
            let payload = match sliced.transport.unwrap() {
                TransportSlice::Udp(udp) => {
                    let checksum =
                        udp.to_header().calc_checksum_ipv4(&ip.header().to_header(), udp.payload()).unwrap();
                    assert_eq!(udp.checksum(), checksum);
                    udp.payload().to_vec()
                }
                TransportSlice::Tcp(tcp) => {
                    let checksum =
                        tcp.to_header().calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()).unwrap();
                    assert_eq!(tcp.checksum(), checksum);
                    tcp.payload().to_vec()
                }
                other => panic!("{other:?}"),
            };
            texts.push((packet.at.as_micros(), String::from_utf8_lossy(&payload).into_owned()));
        }
        let began = 1_790_000_000_123_000;
        let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let messages: Vec<_> = texts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(at, text)| (at - began, line(text)))
            .collect();
        let register = "REGISTER sip:127.0.0.1:5060 SIP/2.0".to_owned();
        assert_eq!(messages[0], (0, register.clone()));
        assert_eq!(messages[1], (500_000, register.clone()));
        assert_eq!(messages[2], (501_250, "SIP/2.0 401 Unauthorized".to_owned()));
        assert_eq!(messages[4], (503_000, "\0\u{1}junk".to_owned()));
        assert_eq!(messages[6], (503_700, register));
        assert_eq!(messages[7], (506_000, "SIP/2.0 403 Forbidden".to_owned()));
        assert_eq!(messages.len(), 8);
    }

    #[test]
    fn a_connection_has_a_handshake_and_every_byte_in_its_place() {
        let mut transcript = outcome().transcript;
        for record in &mut transcript.records {
            if let RecordEvent::Message { bytes, .. } = &mut record.event {
                let padding = "x".repeat(3_000);
                *bytes = String::from_utf8_lossy(bytes)
                    .replace("Max-Forwards", &format!("X-Long: {padding}\r\nMax-Forwards"))
                    .into();
            }
        }
        let file = capture(&[transcript]);
        // What each side has sent so far, by source port; a SYN and a FIN count as one byte.
        let mut next: std::collections::HashMap<u16, u32> = std::collections::HashMap::new();
        let (mut flags, mut payload) = (Vec::new(), 0);
        for packet in packets(&file) {
            let sliced = SlicedPacket::from_ip(&packet.bytes).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { continue };
            let (from, to) = (tcp.source_port(), tcp.destination_port());
            if let Some(expected) = next.get(&from) {
                assert_eq!(tcp.sequence_number(), *expected);
            }
            if tcp.ack() {
                assert_eq!(tcp.acknowledgment_number(), next[&to]);
            }
            let length = u32::try_from(tcp.payload().len()).unwrap();
            payload += length;
            next.insert(from, tcp.sequence_number() + length + u32::from(tcp.syn()) + u32::from(tcp.fin()));
            flags.push((tcp.syn(), tcp.fin(), length > 0));
        }
        assert_eq!(flags[..3], [(true, false, false), (true, false, false), (false, false, false)]);
        assert_eq!(flags.iter().filter(|(_, fin, _)| *fin).count(), 2);
        assert!(
            payload > 3_000 && flags.iter().filter(|(_, _, data)| *data).count() >= 4,
            "a long message takes several segments"
        );
    }

    #[test]
    fn ipv6_is_written_as_ipv6() {
        let mut transcript = outcome().transcript;
        for record in &mut transcript.records {
            record.flow.local.set_ip("::1".parse().unwrap());
            record.flow.remote.set_ip("::1".parse().unwrap());
        }
        for packet in packets(&capture(&[transcript])) {
            let sliced = SlicedPacket::from_ip(&packet.bytes).unwrap();
            let Some(NetSlice::Ipv6(ip)) = &sliced.net else { panic!("no IPv6") };
            assert_eq!(ip.header().source_addr(), "::1".parse::<std::net::Ipv6Addr>().unwrap());
        }
    }

    #[test]
    fn several_transcripts_go_into_one_capture() {
        let (one, two) =
            (capture(&[outcome().transcript]), capture(&[outcome().transcript, outcome().transcript]));
        assert_eq!(packets(&two).len(), 2 * packets(&one).len());
    }
}
