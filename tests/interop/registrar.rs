//! Kamailio as registrar. After each run it holds exactly the bindings that it held before.

use crate::peer::kamailio::Kamailio;
use crate::ringback::{Outcome, Ran, ringback, within};
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

const STEPS: [&str; 8] = ["reach", "query", "bind", "granted", "refresh", "query-again", "remove", "gone"];

/// Where to send, as `--registrar` takes it.
fn at(kamailio: &Kamailio, host: &str, transport: &str) -> String {
    format!("sip:{host}:{};transport={transport}", kamailio.port())
}

/// Checks `sip:{user}@lab.example` and sees that Kamailio's bindings are what they were.
#[track_caller]
fn register(kamailio: &Kamailio, user: &str, password: &str, more: &[&str]) -> Ran {
    let (aor, registrar) = (format!("sip:{user}@lab.example"), at(kamailio, "127.0.0.1", "udp"));
    let mut args = vec!["register", &aor, "--json", "--password-env", "RINGBACK_TEST_PASSWORD"];
    if !more.contains(&"--registrar") {
        args.extend(["--registrar", &registrar, "--bind", "udp:127.0.0.1:0"]);
    }
    args.extend(more);
    let before = kamailio.bindings();
    let ran = ringback(password, &args);
    assert_eq!(kamailio.bindings(), before, "{}", ran.stdout);
    ran
}

#[track_caller]
fn passes(ran: &Ran) -> Outcome {
    let outcome = ran.outcome();
    assert_eq!(outcome.verdict(), "pass", "{outcome}\n{}", ran.stderr);
    assert_eq!(outcome.steps(), STEPS.map(|name| (name, "pass")), "{outcome}");
    assert_eq!(ran.status, 0);
    outcome
}

#[track_caller]
fn fails(ran: &Ran, code: &str) -> Outcome {
    let outcome = ran.outcome();
    assert_eq!(outcome.verdict(), "fail", "{outcome}\n{}", ran.stderr);
    assert!(outcome.finding(code).is_some(), "no finding {code} in {outcome}");
    assert_eq!(ran.status, 1);
    outcome
}

/// Somebody else's phone is live there, and we are to bind all the same.
const BESIDE: &str = "--beside-live-devices";

#[test]
fn every_algorithm_registers_by_every_transport_and_address_family() {
    for algorithm in ["MD5", "SHA-256"] {
        let kamailio = Kamailio::start(&[&format!("ALGORITHM=\"{algorithm}\"")]);
        // Somebody else's phone is registered for the same account, and must stay so.
        kamailio.add_binding("alice", "sip:alice@192.0.2.7:5060");
        kamailio.add_binding("bob", "sip:bob@192.0.2.8:5060;transport=tcp");
        for transport in ["udp", "tcp"] {
            for (host, bind) in [("127.0.0.1", "udp:127.0.0.1:0"), ("[::1]", "udp:[::1]:0")] {
                let registrar = at(&kamailio, host, transport);
                let ran = register(
                    &kamailio,
                    "alice",
                    "alicepw",
                    &["--registrar", &registrar, "--bind", bind, BESIDE],
                );
                let outcome = passes(&ran);
                assert_eq!(outcome.facts("transport"), [transport], "{outcome}");
                assert!(outcome.facts("answered")[0].contains(algorithm), "{outcome}");
                assert_eq!(outcome.metric("other_bindings"), Some(1.0), "{outcome}");
                assert!(outcome.metric("rrd_ms").unwrap() > 0.0, "{outcome}");
            }
        }
        assert_eq!(kamailio.bindings().len(), 2);
    }
}

#[test]
fn the_issue_s_own_command_gives_one_line_with_everything_in_it() {
    let kamailio = Kamailio::start(&[]);
    let aor = format!("sip:alice@127.0.0.1:{}", kamailio.port());
    let command = ["register", &aor, "--password-env", "RINGBACK_TEST_PASSWORD", "--json"];
    let ran = ringback("alicepw", &command);
    let outcome = passes(&ran);
    assert!(!outcome.text("schema").is_empty());
    assert_eq!(outcome.text("check"), "register");
    assert_eq!(outcome.text("subject"), aor);
    assert!(outcome.metric("rrd_ms").unwrap() > 0.0);
    assert_eq!(kamailio.bindings(), []);

    let ran = ringback("not-alices", &command);
    fails(&ran, "credentials-refused");
    assert!(ran.stdout.contains("\"verdict\":\"fail\""));
}

#[test]
fn nothing_secret_is_logged_even_when_everything_is() {
    let kamailio = Kamailio::start(&[]);
    // The helper looks for the password in each run; the answer to the challenge is as good as the password to a listener.
    let ran = register(&kamailio, "alice", "alicepw", &["-vvv"]);
    assert!(!ran.stderr.is_empty());
    for printed in [&ran.stdout, &ran.stderr] {
        assert!(!printed.contains("response=\""), "{printed}");
    }
}

#[test]
fn a_password_of_odd_characters_is_answered_right() {
    let kamailio = Kamailio::start(&[]);
    passes(&register(&kamailio, "odd.name", "p w\"\\:%41", &[]));
}

#[test]
fn a_wrong_password_fails_and_is_tried_no_more_than_needed() {
    for algorithm in ["MD5", "SHA-256"] {
        let kamailio = Kamailio::start(&[&format!("ALGORITHM=\"{algorithm}\"")]);
        kamailio.add_binding("alice", "sip:alice@192.0.2.7:5060");
        let outcome = fails(&register(&kamailio, "alice", "wrong-password", &[]), "credentials-refused");
        assert_eq!(outcome.metric("requests"), Some(2.0), "{outcome}");
    }
}

#[test]
fn an_unknown_user_fails() {
    let kamailio = Kamailio::start(&[]);
    fails(&register(&kamailio, "nobody", "whatever-it-is", &[]), "credentials-refused");
    let kamailio = Kamailio::start(&["UNKNOWN_404"]);
    fails(&register(&kamailio, "nobody", "whatever-it-is", &[]), "unknown-user");
}

#[test]
fn an_interval_too_brief_is_obeyed_once_and_said() {
    let kamailio = Kamailio::start(&["MIN_EXPIRES=1800"]);
    let outcome = passes(&register(&kamailio, "alice", "alicepw", &["--expires", "60"]));
    assert!(outcome.finding("min-expires").unwrap()["seen"].as_str().unwrap().contains("1800"), "{outcome}");
    assert!(outcome.metric("expires_s").is_some_and(|granted| granted >= 1799.0), "{outcome}");
}

#[test]
fn a_minimum_below_what_was_asked_is_not_noticed() {
    let kamailio = Kamailio::start(&["MIN_EXPIRES=10"]);
    let outcome = passes(&register(&kamailio, "alice", "alicepw", &["--expires", "60"]));
    assert!(outcome.finding("min-expires").is_none(), "{outcome}");
    assert_eq!(outcome.metric("expires_s"), Some(60.0));
}

#[test]
fn an_expiry_that_is_raised_without_a_word_is_read_from_the_answer() {
    let kamailio = Kamailio::start(&["MIN_EXPIRES=900", "RAISE_SHORT"]);
    let outcome = passes(&register(&kamailio, "alice", "alicepw", &["--expires", "60"]));
    assert_eq!(outcome.metric("expires_s"), Some(900.0), "{outcome}");
}

#[test]
fn a_nonce_that_is_good_for_one_request_is_renewed_each_time() {
    let kamailio = Kamailio::start(&["ONE_TIME_NONCE"]);
    let outcome = passes(&register(&kamailio, "alice", "alicepw", &[]));
    assert_eq!(outcome.metric("requests"), Some(12.0), "each of six requests is challenged: {outcome}");
}

#[test]
fn too_many_contacts_fail_and_the_other_phone_keeps_its_binding() {
    let kamailio = Kamailio::start(&["MAX_CONTACTS=1"]);
    passes(&register(&kamailio, "alice", "alicepw", &[]));
    kamailio.add_binding("alice", "sip:alice@192.0.2.7:5060");
    fails(&register(&kamailio, "alice", "alicepw", &[BESIDE]), "too-many-bindings");

    let kamailio = Kamailio::start(&["MAX_CONTACTS=2"]);
    kamailio.add_binding("alice", "sip:alice@192.0.2.7:5060");
    passes(&register(&kamailio, "alice", "alicepw", &[BESIDE]));
}

#[test]
fn a_query_alone_binds_nothing() {
    let kamailio = Kamailio::start(&[]);
    kamailio.add_binding("alice", "sip:alice@192.0.2.7:5060");
    let ran = register(&kamailio, "alice", "alicepw", &["--query-only"]);
    let outcome = ran.outcome();
    assert_eq!((outcome.verdict(), ran.status), ("pass", 0), "{outcome}");
    assert!(outcome.facts("other_binding")[0].contains("192.0.2.7"), "{outcome}");
    assert!(outcome.steps().iter().all(|(name, _)| *name != "bind"), "{outcome}");
}

#[test]
fn a_registrar_answers_options() {
    let kamailio = Kamailio::start(&[]);
    for transport in ["udp", "tcp"] {
        let ran = ringback("unused-here", &["reachable", &at(&kamailio, "127.0.0.1", transport), "--json"]);
        assert_eq!((ran.outcome().verdict(), ran.status), ("pass", 0), "{}", ran.stdout);
    }
}

#[test]
fn two_thousand_accounts_from_a_file_register_at_a_fixed_rate() {
    const ACCOUNTS: usize = 2_000;
    const RATE: f64 = 200.0;
    let kamailio = Kamailio::start(&[]);
    kamailio.add_binding("u0000", "sip:u0000@192.0.2.7:5060");
    let before = kamailio.bindings();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("accounts.csv");
    let mut csv = "name,aor,password,registrar\n".to_owned();
    for number in 0..ACCOUNTS {
        let registrar = at(&kamailio, "127.0.0.1", if number % 10 == 0 { "tcp" } else { "udp" });
        writeln!(csv, "n{number:04},sip:u{number:04}@lab.example,pw-u{number:04},{registrar}").unwrap();
    }
    fs::write(&file, csv).unwrap();
    let file = file.display().to_string();
    let at_rate = |rate: f64| {
        let rate = rate.to_string();
        let args = ["register", "--accounts", &file, "--rate", &rate, "--json", "--bind", "udp:127.0.0.1:0"];
        let ran = within(Duration::from_secs(240), "pw-u", &args);
        let outcomes = ran.outcomes();
        assert_eq!(outcomes.len(), ACCOUNTS);
        let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.verdict() != "pass").collect();
        assert!(failed.is_empty(), "{} did not pass, the first: {}", failed.len(), failed[0]);
        assert_eq!(ran.status, 0);
        ran.took
    };
    // The last of them begins after (ACCOUNTS - 1) / RATE: a fixed rate is not exceeded. It is kept as well, as far as this machine can: what
    // it needs without a rate says how far that is, whatever else it does.
    let (took, without) = (at_rate(RATE), at_rate(0.0));
    let least = Duration::from_secs_f64((ACCOUNTS - 1) as f64 / RATE);
    assert!(
        took >= least && took < least + 2 * without,
        "{took:?} at {RATE} a second, {without:?} without a rate"
    );
    assert_eq!(kamailio.bindings(), before);
}
