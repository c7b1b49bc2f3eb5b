//! The binary as people and programs meet it, against its own embedded network.
#![allow(clippy::unwrap_used)]

#[path = "cli/program.rs"]
mod program;

#[path = "cli/calls.rs"]
mod calls;
#[path = "cli/clean.rs"]
mod clean;
#[path = "cli/dialling.rs"]
mod dialling;
#[path = "cli/digits.rs"]
mod digits;
#[path = "cli/examples.rs"]
mod examples;
#[cfg(unix)]
#[path = "cli/files.rs"]
mod files;
#[path = "cli/forks.rs"]
mod forks;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/licenses.rs"]
mod licenses;
#[path = "cli/many.rs"]
mod many;
#[path = "cli/network.rs"]
mod network;
#[path = "cli/usage.rs"]
mod usage;

use pcap_file::pcap::PcapReader;
use program::{Sim, ringback};
use std::time::{Duration, Instant};

#[test]
fn a_healthy_account_passes_with_status_0_and_every_step_shown() {
    let sim = Sim::start(&["alice:alicepw"]);
    let ran = ringback(&["register", &sim.aor("alice"), "--password", "alicepw"]);
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stdout.starts_with(&format!("PASS  register  {}\n", sim.aor("alice"))), "{ran}");
    for step in ["query", "bind", "refresh", "remove"] {
        assert!(
            ran.stdout.lines().any(|line| line.trim_start().starts_with("[ok]") && line.contains(step)),
            "{step}: {ran}"
        );
    }
    assert!(!ran.stdout.contains("alicepw") && !ran.stderr.contains("alicepw"), "{ran}");
}

#[test]
fn json_is_one_line_of_the_documented_shape() {
    let sim = Sim::start(&["alice:alicepw"]);
    let ran = ringback(&["register", &sim.aor("alice"), "--password", "alicepw", "--json"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{ran}");
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(line["schema"], "ringback.outcome/1");
    assert_eq!(line["check"], "register");
    assert_eq!(line["subject"], sim.aor("alice"));
    assert_eq!(line["verdict"], "pass");
    assert!(
        line["metrics"]["rrd_ms"].as_f64().unwrap() > 0.0
            && line["metrics"]["expires_s"].as_u64() == Some(300),
        "{ran}"
    );
    assert!(
        !line["steps"].as_array().unwrap().is_empty()
            && line["findings"].is_array()
            && line["facts"].is_array()
    );
    assert!(ran.stderr.contains("pass"), "{ran}");
}

#[test]
fn a_wrong_password_fails_with_status_1_and_what_to_do() {
    let sim = Sim::start(&["alice:alicepw"]);
    let ran = ringback(&["register", &sim.aor("alice"), "--password", "wrongpw", "--json"]);
    assert_eq!(ran.status, 1, "{ran}");
    assert!(ran.stdout.contains(r#""verdict":"fail""#) && ran.stderr.contains(" -> "), "{ran}");
    assert!(!ran.stdout.contains("wrongpw") && !ran.stderr.contains("wrongpw"), "{ran}");
}

#[test]
fn the_password_comes_from_the_environment_or_a_file() {
    let sim = Sim::start(&["alice:alicepw"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pw");
    std::fs::write(&file, "alicepw\n").unwrap();
    let ran =
        ringback(&["register", &sim.aor("alice"), "--password-file", file.to_str().unwrap(), "--query-only"]);
    assert_eq!(ran.status, 0, "{ran}");
    let ran = program::ringback_with(
        &["register", &sim.aor("alice"), "--password-env", "PW"],
        &[("PW", "alicepw")],
    );
    assert_eq!(ran.status, 0, "{ran}");
}

#[test]
fn registrar_auth_user_and_transport_are_obeyed() {
    let sim = Sim::start(&["alice:alicepw"]);
    let registrar = format!("sip:{};transport=tcp", sim.address);
    let aor = "sip:alice@lab.example";
    let ran = ringback(&["register", aor, "--password", "alicepw", "--registrar", &registrar, "--json"]);
    assert_eq!(ran.status, 0, "{ran}");
    let ran =
        ringback(&["register", &sim.aor("alice"), "--password", "alicepw", "--transport", "tcp", "--ladder"]);
    assert!(ran.status == 0 && ran.stdout.contains("tcp 127.0.0.1:"), "{ran}");
    let ran = ringback(&["register", &sim.aor("alice"), "--password", "alicepw", "--auth-user", "mallory"]);
    assert_eq!(ran.status, 1, "{ran}");
}

#[test]
fn a_closed_port_is_named_in_bounded_time() {
    // Bound and let go: nobody listens there.
    let address = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for transport in ["udp", "tcp"] {
        let began = Instant::now();
        let aor = format!("sip:alice@{address}");
        let ran = ringback(&[
            "register",
            &aor,
            "--password",
            "x",
            "--transport",
            transport,
            "--timeout",
            "5",
            "--json",
        ]);
        assert!(matches!(ran.status, 1 | 3) && began.elapsed() < Duration::from_secs(10), "{ran}");
        assert!(ran.stdout.contains("refused"), "{ran}");
    }
}

#[test]
fn ladder_and_capture_show_the_messages_without_secrets() {
    let sim = Sim::start(&["alice:alicepw"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alice.pcap");
    let ran = ringback(&[
        "register",
        &sim.aor("alice"),
        "--password",
        "alicepw",
        "--ladder",
        "--pcap",
        file.to_str().unwrap(),
    ]);
    assert_eq!(ran.status, 0, "{ran}");
    for text in ["|-- REGISTER sip:", "|<- 401 ", "|<- 200 OK ["] {
        assert!(ran.stdout.contains(text), "{text}: {ran}");
    }
    let bytes = std::fs::read(&file).unwrap();
    let mut reader = PcapReader::new(bytes.as_slice()).unwrap();
    let mut messages = 0;
    while let Some(packet) = reader.next_packet() {
        let text = String::from_utf8_lossy(&packet.unwrap().data).into_owned();
        messages += usize::from(text.contains("SIP/2.0"));
        // A digest response is 32 hex digits.
        let responses = text.split("response=").skip(1).map(|rest| rest.trim_start_matches('"'));
        for response in responses {
            assert!(response.bytes().take_while(u8::is_ascii_hexdigit).count() < 32, "{text}");
        }
    }
    assert!(messages >= 8, "{messages} messages in the capture");
}

#[test]
fn reachable_says_who_answers_and_who_does_not() {
    let sim = Sim::start(&["alice:alicepw"]);
    for transport in ["udp", "tcp"] {
        let ran = ringback(&["reachable", &format!("sip:{}", sim.address), "--transport", transport]);
        assert!(ran.status == 0 && ran.stdout.starts_with("PASS  reachable"), "{ran}");
    }
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let uri = format!("sip:{}", silent.local_addr().unwrap());
    let ran = ringback(&["reachable", &uri, "--timeout", "3", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(ran.status == 1 && line["verdict"] == "fail" && ran.stdout.contains("no answer"), "{ran}");
}

#[test]
fn the_demo_shows_every_verdict_and_what_to_do_within_ten_seconds() {
    // On a busy machine not at once.
    let mut times = Vec::new();
    let ran = loop {
        let began = Instant::now();
        let ran = ringback(&["demo"]);
        times.push(began.elapsed());
        if times.last().is_some_and(|time| *time < Duration::from_secs(10)) {
            break ran;
        }
        assert!(times.len() < 5, "{times:?}");
    };
    assert_eq!(ran.status, 0, "{ran}");
    for verdict in ["pass", "fail", "inconclusive", "not-run"] {
        assert!(
            ran.stdout.lines().any(|line| line.split_whitespace().nth(1) == Some(verdict)),
            "{verdict}: {ran}"
        );
    }
    assert!(ran.stdout.matches(" -> ").count() >= 3, "{ran}");
    // A doubled digit and a lost one, each named.
    for said in ["twice: by RFC 4733, and as tones", "\"11\" is read as \"1\""] {
        assert!(ran.stdout.contains(said), "{said}: {ran}");
    }
}

#[test]
fn the_network_tells_its_address_and_accounts_and_ends_in_order() {
    let ran = Sim::start(&["alice:alicepw", "bob:bobpw:A01"]).end("TERM");
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stdout.contains("alice") && ran.stdout.contains("A01"), "{ran}");
    for number in ["201", "202", "*43", "*60", "700", "2 rings bob"] {
        assert!(ran.stdout.contains(number), "{number}: {ran}");
    }
}

#[test]
fn the_loudest_log_holds_no_secret() {
    let sim = Sim::start(&["alice:a-very-secret-password"]);
    let arguments = ["register", &sim.aor("alice"), "--password", "a-very-secret-password", "--ladder"];
    let ran = program::ringback_with(&arguments, &[("RINGBACK_LOG", "trace")]);
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stderr.contains("TRACE") || ran.stderr.contains("DEBUG"), "nothing was logged: {ran}");
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!all.contains("a-very-secret-password"), "{ran}");
    // A digest response is 32 hex digits in quotes; a redacted one is not.
    let is_hex = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let shown = all.split("response=\"").skip(1).filter_map(|rest| rest.split('"').next()).any(is_hex);
    assert!(!shown, "a digest response: {ran}");
}
#[path = "cli/written.rs"]
mod written;
