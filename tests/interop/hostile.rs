//! Registrars (played by SIPp) and paths that misbehave: the right verdict, in bounded time.

use crate::peer::kamailio::Kamailio;
use crate::peer::port;
use crate::peer::relay::Doubling;
use crate::peer::sipp::Sipp;
use crate::ringback::{Outcome, Ran, ringback};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

/// Scenario, verdict, finding.
const HOSTILE: [(&str, &str, &str); 6] = [
    ("stale_forever", "fail", "stale-loop"),
    ("no_challenge", "fail", "no-challenge"),
    ("no_expires", "fail", "no-expiry"),
    ("retry_after", "inconclusive", "overloaded"),
    ("silence", "fail", "no-answer"),
    ("trying_only", "fail", "no-final-answer"),
];

#[track_caller]
fn register(address: SocketAddr, transport: &str) -> Ran {
    let aor = format!("sip:alice@{address}");
    let command = ["register", &aor, "--json", "--password-env", "RINGBACK_TEST_PASSWORD"];
    let more = ["--transport", transport, "--timeout", "4", "--bind", "udp:127.0.0.1:0"];
    let ran = ringback("alicepw", &[command.as_slice(), &more].concat());
    // Four seconds for the check, five at most to clean up.
    assert!(ran.took < Duration::from_secs(12), "{:?}", ran.took);
    ran
}

#[track_caller]
fn is(outcome: &Outcome, verdict: &str, code: &str) {
    assert_eq!(outcome.verdict(), verdict, "{outcome}");
    assert!(outcome.finding(code).is_some(), "no finding {code} in {outcome}");
}

#[test]
fn each_hostile_registrar_gets_its_verdict() {
    for (scenario, verdict, code) in HOSTILE {
        for transport in ["udp", "tcp"] {
            let sipp = Sipp::start_on(transport, scenario);
            let ran = register(sipp.address(), transport);
            is(&ran.outcome(), verdict, code);
            assert_eq!(ran.status, if verdict == "fail" { 1 } else { 3 }, "{scenario}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_path_that_doubles_everything_disturbs_nothing() {
    let kamailio = Kamailio::start(&[]);
    kamailio.add_binding("alice", "sip:alice@192.0.2.7:5060");
    let before = kamailio.bindings();
    // Kamailio answers the second copy of a request differently: its nonce count was seen already.
    let path = Doubling::start(SocketAddr::from(([127, 0, 0, 1], kamailio.port())));
    let ran = register(path.address(), "udp");
    let outcome = ran.outcome();
    assert_eq!((outcome.verdict(), ran.status), ("pass", 0), "{outcome}");
    assert_eq!(kamailio.bindings(), before);
}

#[test]
fn all_of_them_at_once_get_the_same_verdicts() {
    let (good, hostile) = (Sipp::start("healthy"), HOSTILE.map(|(scenario, ..)| Sipp::start(scenario)));
    let mut csv = "name,aor,password,registrar\n".to_owned();
    let mut add = |name: &str, address: SocketAddr| {
        writeln!(csv, "{name},sip:{name}@lab.example,alicepw,sip:{address};transport=udp").unwrap();
    };
    for ((scenario, ..), sipp) in HOSTILE.iter().zip(&hostile) {
        add(scenario, sipp.address());
    }
    add("good", good.address());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("accounts.csv");
    fs::write(&file, csv).unwrap();
    let file = file.display().to_string();
    let ran = ringback(
        "alicepw",
        &["register", "--accounts", &file, "--json", "--timeout", "4", "--bind", "udp:127.0.0.1:0"],
    );
    let outcomes = ran.outcomes();
    assert_eq!(outcomes.len(), HOSTILE.len() + 1);
    let of = |name: &str| {
        let subject = format!("sip:{name}@lab.example");
        outcomes.iter().find(|outcome| outcome.text("subject") == subject).unwrap()
    };
    for (scenario, verdict, code) in HOSTILE {
        is(of(scenario), verdict, code);
    }
    assert_eq!(of("good").verdict(), "pass", "{}", of("good"));
    assert_eq!(ran.status, 1);
}

#[test]
fn a_closed_port_is_named_in_bounded_time() {
    for transport in ["udp", "tcp"] {
        let ran = register(SocketAddr::from(([127, 0, 0, 1], port::free())), transport);
        let outcome = ran.outcome();
        assert!(["fail", "inconclusive"].contains(&outcome.verdict()), "{outcome}");
        assert!(outcome.text("summary").contains("refused"), "{outcome}");
        assert_eq!(ran.status, if outcome.verdict() == "fail" { 1 } else { 3 });
    }
}

#[test]
fn an_address_that_is_none_is_a_matter_of_usage() {
    for (aor, column) in
        [("sip:al ice@127.0.0.1", "column 7"), ("sip:alice@[::1", "column 1"), ("sip:alice@", "column")]
    {
        let ran =
            ringback("alicepw", &["register", aor, "--json", "--password-env", "RINGBACK_TEST_PASSWORD"]);
        assert_eq!(ran.status, 2, "{aor}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{aor}");
        assert_eq!(ran.stderr.trim().lines().count(), 1, "{aor}: one clear sentence, not {}", ran.stderr);
        assert!(ran.stderr.contains(column), "{aor}: {} does not name {column}", ran.stderr);
    }
}
