//! The checks of calls and digits, as the binary runs them, between two accounts of ours through Kamailio.

use crate::peer::kamailio::Kamailio;
use crate::peer::tshark;
use crate::ringback::{Outcome, ringback};
use std::path::Path;

/// Alice and bob at this Kamailio, in a file.
fn accounts(kamailio: &Kamailio, dir: &Path, host: &str, transport: &str) -> String {
    let registrar = format!("sip:{host}:{};transport={transport}", kamailio.port());
    let account = |name: &str| {
        format!(
            "[[account]]\nname = \"{name}\"\naor = \"sip:{name}@lab.example\"\npassword = \"{name}pw\"\nregistrar = \"{registrar}\"\n"
        )
    };
    let path = dir.join("accounts.toml");
    std::fs::write(&path, account("alice") + &account("bob")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a check of calls, and sees that Kamailio's bindings are what they were.
fn check(host: &str, transport: &str, args: &[&str]) -> Outcome {
    let kamailio = Kamailio::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = accounts(&kamailio, dir.path(), host, transport);
    let before = kamailio.bindings();
    let bind = format!("udp:{host}:0");
    let mut all = vec![args[0], "--accounts", &file, "--bind", &bind, "--json", "alice", "bob"];
    all.extend(&args[1..]);
    let ran = ringback("alicepw", &all);
    assert_eq!(kamailio.bindings(), before, "{}", ran.stdout);
    let outcome = ran.outcome();
    assert_eq!((outcome.verdict(), ran.status), ("pass", 0), "{outcome}\n{}", ran.stderr);
    outcome
}

#[test]
fn all_digits_arrive_by_all_methods_over_udp_tcp_and_ipv6() {
    for (host, transport) in [("127.0.0.1", "udp"), ("127.0.0.1", "tcp"), ("[::1]", "udp")] {
        let outcome = check(host, transport, &["dtmf", "--digits", "0123456789*#ABCD", "--method", "all"]);
        let rows = outcome.dtmf();
        let steps: Vec<&str> = rows.iter().map(|row| row["step"].as_str().unwrap()).collect();
        assert_eq!(steps, ["rfc4733", "info", "inband", "rfc4733-after-hold"], "{outcome}");
        for row in rows {
            assert_eq!(row["sent"], "0123456789*#ABCD", "{row:#}");
            assert_eq!(row["received"], "0123456789*#ABCD", "{row:#}");
            assert_eq!(row["defects"].as_array().map(Vec::len), Some(0), "{row:#}");
            for digit in row["digits"].as_array().unwrap() {
                let millis = digit["duration_ms"].as_f64().unwrap();
                assert!((80.0..=140.0).contains(&millis), "{row:#}");
            }
        }
    }
}

#[test]
fn both_ends_of_a_call_hear_each_other_over_udp_tcp_and_ipv6() {
    for (host, transport) in [("127.0.0.1", "udp"), ("127.0.0.1", "tcp"), ("[::1]", "udp")] {
        let outcome = check(host, transport, &["call"]);
        for step in ["dial", "answer", "audio-a-to-b", "audio-b-to-a", "hang-up"] {
            assert!(outcome.steps().contains(&(step, "pass")), "{step}\n{outcome}");
        }
        assert!(outcome.metric("srd_ms").is_some_and(|millis| millis < 2_000.0), "{outcome}");
    }
}

#[test]
fn tshark_reads_every_packet_of_a_checks_capture_and_counts_three_ends_for_each_digit() {
    let kamailio = Kamailio::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = accounts(&kamailio, dir.path(), "127.0.0.1", "udp");
    let pcap = dir.path().join("digits.pcap");
    let path = pcap.to_str().unwrap();
    let ran = ringback(
        "alicepw",
        &[
            "dtmf",
            "--accounts",
            &file,
            "--bind",
            "udp:127.0.0.1:0",
            "alice",
            "bob",
            "--digits",
            "15#",
            "--method",
            "rfc4733",
            "--pcap",
            path,
        ],
    );
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let malformed = tshark::fields(&pcap, kamailio.port(), "_ws.malformed", &["frame.number"]);
    assert!(malformed.is_empty(), "{malformed:?}");
    // Each packet was recorded where it was sent and where it arrived: three ends for each of three digits, twice.
    let ends = tshark::fields(
        &pcap,
        kamailio.port(),
        "rtpevent.end_of_event == 1",
        &["rtp.timestamp", "rtpevent.event_id"],
    );
    let mut events: Vec<&Vec<String>> = ends.iter().collect();
    events.sort();
    events.dedup();
    assert_eq!((ends.len() % 9, events.len()), (0, 3), "{ends:?}");
}
