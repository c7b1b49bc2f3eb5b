//! Each fault of the catalogue ends with the right verdict, and names what was seen.

use super::scene::{Scene, assert_verdict, check_with_fault};
use crate::seen::{fact, finding, step, steps};
use ringback::check::Verdict::{self, Fail, Inconclusive, Pass};
use ringback::check::{Severity, Side};
use ringback::message::Transport::{self, Tcp, Udp};
use ringback::sim::{Device, User};
use std::time::Duration;

/// One fault, how it is asked, and what has to come: the verdict, the finding, whose side, and words that it has to say.
struct Case {
    fault: &'static str,
    transport: Transport,
    verdict: Verdict,
    code: &'static str,
    side: Side,
    says: &'static [&'static str],
}

const fn case(
    fault: &'static str,
    transport: Transport,
    verdict: Verdict,
    code: &'static str,
    side: Side,
    says: &'static [&'static str],
) -> Case {
    Case { fault, transport, verdict, code, side, says }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("A01", Udp, Fail, "credentials-refused", Side::Setup, &["401", "alice", "lab.example"]),
    case("A02", Udp, Fail, "credentials-refused", Side::Setup, &["401"]),
    case("A02", Udp, Fail, "realm-differs", Side::Peer, &["lab.example"]),
    case("A04", Udp, Fail, "nonce-refused-without-stale", Side::Peer, &["stale"]),
    case("A05", Udp, Fail, "stale-loop", Side::Peer, &["stale=true"]),
    case("A05", Tcp, Fail, "stale-loop", Side::Peer, &["stale=true"]),
    case("A09", Udp, Pass, "strong-challenge-first", Side::Peer, &["SHA-256", "before MD5"]),
    case("A10", Udp, Pass, "no-md5-challenge", Side::Peer, &["SHA-256"]),
    case("A10:sha-512-256", Udp, Pass, "no-md5-challenge", Side::Peer, &["SHA-512-256"]),
    case("A11", Udp, Pass, "qop-list", Side::Peer, &["auth,auth-int"]),
    case("A12", Udp, Fail, "forbidden-before-challenge", Side::Setup, &["403", "without a challenge"]),
    case("A13", Udp, Fail, "forbidden-after-digest", Side::Setup, &["403"]),
    case("A16", Udp, Fail, "no-challenge", Side::Peer, &["401"]),
    case("A16:407", Udp, Fail, "no-challenge", Side::Peer, &["407"]),
    case("R01", Udp, Pass, "min-expires", Side::Setup, &["423", "1800 s"]),
    case("R01:7200", Tcp, Pass, "min-expires", Side::Setup, &["423", "7200 s"]),
    case("R02", Udp, Fail, "interval-without-minimum", Side::Peer, &["423"]),
    case("R02:useless", Udp, Fail, "interval-without-minimum", Side::Peer, &["423"]),
    case("R02:second", Udp, Fail, "interval-refused-again", Side::Peer, &["423", "obeyed"]),
    case("R05", Udp, Fail, "no-expiry", Side::Peer, &["200", "without an expiry"]),
    case("R05:zero", Udp, Fail, "zero-expiry", Side::Peer, &["0 s"]),
    case("R06", Udp, Fail, "too-many-bindings", Side::Setup, &["403"]),
    case("R06:503", Udp, Fail, "too-many-bindings", Side::Setup, &["503"]),
    case("R06:603", Udp, Fail, "too-many-bindings", Side::Setup, &["603"]),
    case("R12", Udp, Fail, "unknown-user", Side::Setup, &["404"]),
    case("R14", Udp, Inconclusive, "overloaded", Side::Peer, &["503", "120 s"]),
    case("R15", Udp, Fail, "no-answer", Side::Path, &["no answer", "udp"]),
    case("R15:tcp", Tcp, Fail, "no-answer", Side::Path, &["no answer", "tcp"]),
    case("R18", Udp, Fail, "binding-kept", Side::Peer, &["still there"]),
    case("R18:hidden", Udp, Fail, "binding-kept", Side::Peer, &["still there"]),
    case("T02", Udp, Fail, "message-too-large", Side::Peer, &["513"]),
    case("T02:truncated", Udp, Fail, "answer-unreadable", Side::Peer, &["cannot be read"]),
    case("T02:truncated", Tcp, Fail, "answer-unreadable", Side::Peer, &["part of a message"]),
    case("T12", Tcp, Pass, "connection-not-kept", Side::Peer, &["closed the connection between"]),
    case("T12:lost", Tcp, Fail, "connection-not-kept", Side::Peer, &["closes the connection", "under the next request"]),
    case("N04", Udp, Pass, "rport-ignored", Side::Peer, &["rport"]),
    case("B01", Udp, Inconclusive, "answers-stopped", Side::Probe, &["and then not at all"]),
    case("B01:1", Udp, Inconclusive, "answers-stopped", Side::Probe, &["and then not at all"]),
    case("B01:ip", Udp, Inconclusive, "answers-stopped", Side::Probe, &["and then not at all"]),
];

#[tokio::test(start_paused = true)]
async fn each_fault_gets_its_verdict_and_its_name() {
    for case in CASES {
        let outcome = check_with_fault(case.fault, case.transport).await;
        assert_eq!(outcome.verdict, case.verdict, "{} by {}:\n{outcome}", case.fault, case.transport);
        let finding = finding(&outcome, case.code);
        assert_eq!(finding.side, case.side, "{}:\n{outcome}", case.fault);
        for words in case.says {
            assert!(finding.seen.contains(words), "{}: {words:?} is not in {:?}", case.fault, finding.seen);
        }
        assert!(!finding.advice.is_empty(), "{}: nothing to do", case.fault);
        if case.verdict != Pass && case.code != "realm-differs" {
            assert_eq!(finding.severity, Severity::Error, "{}:\n{outcome}", case.fault);
            assert_eq!(outcome.summary, finding.seen, "{}:\n{outcome}", case.fault);
            assert!(!finding.evidence.is_empty(), "{}: no evidence:\n{outcome}", case.fault);
            assert!(finding.evidence.end <= outcome.transcript.records.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_there_is_nothing_to_find() {
    for transport in [Udp, Tcp] {
        let scene = Scene::new([User::new("alice", "alicepw")]).await;
        let outcome = scene.check(scene.register("alice", transport)).await;
        assert_eq!(steps(&outcome), crate::scene::ALL_PASS, "{outcome}");
        assert_verdict(&outcome, Pass);
        assert_eq!(outcome.findings, [], "{outcome}");
        assert_eq!(scene.lab.bindings("alice"), []);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_over_udp_does_not_hide_that_tcp_answers() {
    assert_verdict(&check_with_fault("R15", Tcp).await, Pass);
    assert_verdict(&check_with_fault("R15:tcp", Udp).await, Pass);
}

#[tokio::test(start_paused = true)]
async fn a_silent_registrar_is_given_up_in_bounded_time() {
    let outcome = check_with_fault("R15", Udp).await;
    // Timer F: 64 * T1.
    assert!(outcome.took <= Duration::from_secs(33), "{:?}", outcome.took);
    let scene = Scene::new([User::new("alice", "alicepw").fault("R15").unwrap()]).await;
    let outcome = scene.check(scene.register("alice", Udp).timeout(Duration::from_secs(3))).await;
    assert_verdict(&outcome, Fail);
    assert!(outcome.took < Duration::from_millis(3_100), "{:?}", outcome.took);
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_refused_is_not_tried_again() {
    let scene = Scene::new([User::new("alice", "alicepw").fault("A01").unwrap()]).await;
    let outcome = scene.check(scene.register("alice", Udp)).await;
    assert_verdict(&outcome, Fail);
    assert_eq!(
        crate::scene::count(&outcome, "requests"),
        2,
        "one without and one with an answer:\n{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_401_without_a_challenge_ends_it_after_one_request() {
    let outcome = check_with_fault("A16", Udp).await;
    assert_eq!(crate::scene::count(&outcome, "requests"), 1, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn min_expires_is_obeyed_once_and_the_granted_time_is_told() {
    let outcome = check_with_fault("R01", Udp).await;
    assert_eq!(steps(&outcome), crate::scene::ALL_PASS, "{outcome}");
    assert!(step(&outcome, "granted").detail.contains("1800 s granted"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_is_raised_silently_or_stands_in_the_header_is_taken() {
    let outcome = check_with_fault("raise-expires", Udp).await;
    assert_verdict(&outcome, Pass);
    assert!(
        step(&outcome, "granted").detail.contains("600 s granted at our Contact, asked were 300 s"),
        "{outcome}"
    );
    let outcome = check_with_fault("expires-header", Udp).await;
    assert_verdict(&outcome, Pass);
    assert!(step(&outcome, "granted").detail.contains("in the Expires header"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_nonce_without_stale_fails_the_step_and_nothing_is_left_behind() {
    let scene = Scene::new([User::new("alice", "alicepw").fault("A04").unwrap()]).await;
    let outcome = scene.check(scene.register("alice", Udp)).await;
    assert_eq!(step(&outcome, "query").verdict, Pass, "{outcome}");
    assert_eq!(step(&outcome, "bind").verdict, Fail, "{outcome}");
    assert_eq!(scene.lab.bindings("alice"), []);
}

#[tokio::test(start_paused = true)]
async fn two_challenges_are_both_told_and_the_stronger_is_answered() {
    let outcome = check_with_fault("A09", Udp).await;
    let challenges = fact(&outcome, "challenges");
    assert!(challenges.contains("SHA-256") && challenges.contains("MD5"), "{outcome}");
    assert!(fact(&outcome, "answered").contains("SHA-256"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn behind_a_nat_a_registrar_that_ignores_rport_is_never_heard() {
    let users = [User::new("alice", "alicepw"), User::new("bob", "bobpw").fault("N04").unwrap()];
    let scene = Scene::behind_nat(users).await;
    let bad = scene.check(scene.register("bob", Udp)).await;
    assert_verdict(&bad, Fail);
    finding(&bad, "no-answer");
    let good = scene.check(scene.register("alice", Udp)).await;
    assert_eq!(steps(&good), crate::scene::ALL_PASS, "{good}");
    assert!(finding(&good, "behind-nat").seen.contains("198.51.100.9:40000"), "{good}");
    // After an answer to somebody else the same silence may be a ban as well.
    let after = scene.check(scene.register("bob", Udp)).await;
    assert_verdict(&after, Inconclusive);
    finding(&after, "answers-stopped");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_when_idle_is_opened_again() {
    let scene = Scene::new([User::new("alice", "alicepw").fault("T12:1").unwrap()]).await;
    // The check is faster than the idle time: nothing is lost, nothing is found.
    let outcome = scene.check(scene.register("alice", Tcp)).await;
    assert_eq!(outcome.findings, [], "{outcome}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let outcome = scene.check(scene.register("alice", Tcp)).await;
    assert_eq!(steps(&outcome), crate::scene::ALL_PASS, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_drops_the_binding_of_another_device_is_told_on() {
    let desk = Device::new("sip:alice@192.0.2.99:5060").user_agent("Desk Phone 1.0");
    let scene = Scene::new([User::new("alice", "alicepw").device(desk).fault("B06").unwrap()]).await;
    let outcome = scene.check(scene.register("alice", Udp).beside_live_devices(true)).await;
    assert_verdict(&outcome, Fail);
    assert!(finding(&outcome, "binding-replaced").seen.contains("192.0.2.99"), "{outcome}");
}
