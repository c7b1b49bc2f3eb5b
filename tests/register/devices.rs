//! Beside a live device of somebody else nothing is bound unasked.

use super::scene::ALL_PASS;
use crate::scripted::{Registrar, Scripted, told};
use crate::seen::{finding, step, steps};
use ringback::check::{Outcome, Register, Severity, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{self, Tcp, Udp};
use ringback::syntax::HeaderName;

const PHONE: &str = "<sip:alice@192.0.2.99:5060>";

/// One account, one Contact: the newest replaces the one before.
fn single(registrar: &mut Registrar, request: &Message) -> String {
    if !registrar.is_unanswered(request) && request.header(HeaderName::Contact).is_some() {
        registrar.bindings.clear();
    }
    registrar.healthy(request)
}

async fn checked(
    transport: Transport,
    beside: bool,
    script: fn(&mut Registrar, &Message) -> String,
) -> (Scripted, Outcome) {
    let scene = Scripted::new(Registrar::with(&[PHONE]), script).await;
    let check = Register::new(&scene.account("alice", transport)).beside_live_devices(beside);
    let outcome = scene.check(check).await;
    (scene, outcome)
}

#[tokio::test(start_paused = true)]
async fn a_live_device_is_left_alone() {
    for transport in [Udp, Tcp] {
        let (scene, outcome) = checked(transport, false, single).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        let summary =
            "the login is accepted; 1 device is registered; our own binding was not tried beside it";
        assert_eq!(outcome.summary, summary, "{outcome}");
        assert_eq!(
            steps(&outcome),
            "reach:pass query:pass bind:not-run granted:not-run refresh:not-run query-again:not-run",
            "{outcome}"
        );
        assert!(step(&outcome, "bind").detail.contains("--beside-live-devices"), "{outcome}");
        assert!(told(&outcome).contains("192.0.2.99"), "{outcome}");
        assert!(
            scene.requests().iter().all(|request| request.header(HeaderName::Contact).is_none()),
            "{outcome}"
        );
        assert_eq!(scene.registrar.lock().unwrap().bindings.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_option_a_device_that_vanished_comes_first() {
    let (_, outcome) = checked(Udp, true, single).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    let first = &outcome.findings[0];
    assert_eq!((first.code.as_ref(), first.severity), ("binding-replaced", Severity::Error), "{outcome}");
    assert!(outcome.summary.contains("192.0.2.99"), "{outcome}");
    assert_eq!(step(&outcome, "gone").verdict, Verdict::Pass, "what is ours is removed:\n{outcome}");
}

#[tokio::test(start_paused = true)]
async fn with_the_option_a_registrar_that_keeps_both_passes() {
    let (scene, outcome) = checked(Udp, true, Registrar::healthy).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert_eq!(scene.registrar.lock().unwrap().bindings.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_has_run_out_is_no_device() {
    let mut registrar = Registrar::with(&[PHONE]);
    registrar.bindings[0].1 = 0;
    let scene = Scripted::new(registrar, Registrar::healthy).await;
    assert_eq!(steps(&scene.register(Udp).await), ALL_PASS);
}

#[tokio::test(start_paused = true)]
async fn a_423_to_the_query_names_its_minimum_and_is_obeyed() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        let text = String::from_utf8_lossy(q.as_bytes()).into_owned();
        match text.contains(";expires=600") || text.contains(";expires=0") {
            true => r.healthy(q),
            false => r.answer(q, 423, "Interval Too Brief", &[("Min-Expires", "600")]),
        }
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert!(told(&outcome).contains("600"), "{outcome}");
    assert!(told(&outcome).contains("600 s granted"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_minimum_of_a_month_is_shown() {
    let scene = Scripted::new(Registrar::default(), |r, q| match q.header(HeaderName::Contact) {
        Some(_) => r.answer(q, 423, "Interval Too Brief", &[("Min-Expires", "2592000")]),
        None => r.healthy(q),
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert!(finding(&outcome, "interval-without-minimum").seen.contains("2592000"), "{outcome}");
}
