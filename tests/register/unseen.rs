//! Devices that only answers to binds show are live devices as well.

use crate::scene::assert_verdict;
use crate::scripted::{Registrar, Scripted, blamed, told};
use crate::seen::{finding, step, steps};
use ringback::check::{Register, Verdict};
use ringback::message::Message;
use ringback::message::Transport::Udp;
use ringback::syntax::HeaderName;

const PHONE: &str = "<sip:alice@192.0.2.44>";

fn is_query(request: &Message) -> bool {
    request.header(HeaderName::Contact).is_none()
}

/// Its answers to queries list nothing.
fn hiding(r: &mut Registrar, q: &Message) -> String {
    match is_query(q) && !r.is_unanswered(q) {
        true => r.answer(q, 200, "OK", &[]),
        false => r.healthy(q),
    }
}

fn refusing(r: &mut Registrar, q: &Message) -> String {
    match is_query(q) && !r.is_unanswered(q) {
        true => r.answer(q, 400, "Missing Contact", &[]),
        false => r.healthy(q),
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_only_the_answer_to_the_bind_lists_is_left_alone_from_then_on() {
    for script in [hiding, refusing] {
        let scene = Scripted::new(Registrar::with(&[PHONE]), script).await;
        let outcome = scene.register(Udp).await;
        assert_verdict(&outcome, Verdict::Pass);
        assert!(finding(&outcome, "query-incomplete").seen.contains("192.0.2.44"), "{outcome}");
        assert!(outcome.summary.contains("1 device is registered"), "{outcome}");
        assert!(outcome.summary.contains("removed again at once"), "{outcome}");
        assert!(
            steps(&outcome).contains("granted:pass refresh:not-run query-again:not-run remove:pass"),
            "{outcome}"
        );
        assert_eq!(scene.registrar.lock().unwrap().bindings.len(), 1, "ours is removed:\n{outcome}");
        assert!(!told(&outcome).contains("not there any more"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_empty_for_queries_only_loses_nobody() {
    let scene = Scripted::new(Registrar::with(&[PHONE]), hiding).await;
    let check = Register::new(&scene.account("alice", Udp)).beside_live_devices(true);
    let outcome = scene.check(check).await;
    assert_verdict(&outcome, Verdict::Pass);
    finding(&outcome, "query-incomplete");
    assert!(
        step(&outcome, "query-again").detail.contains("lists no bindings in its answers to queries"),
        "{outcome}"
    );
    assert!(step(&outcome, "gone").detail.contains("the answer to the removal"), "{outcome}");
    assert!(outcome.findings.iter().all(|found| found.code != "binding-replaced"), "{outcome}");
}

/// Ours alone: whether it was lost or is not told cannot be seen, and is not claimed.
#[tokio::test(start_paused = true)]
async fn an_empty_list_behind_a_bind_is_told_as_what_it_may_be() {
    let scene = Scripted::new(Registrar::default(), hiding).await;
    let outcome = scene.register(Udp).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
    let found = finding(&outcome, "binding-lost");
    assert!(
        found.seen.contains("lists none at all") && found.advice.contains("queries without the list"),
        "{outcome}"
    );
    assert!(step(&outcome, "gone").detail.contains("the answer to the removal"), "{outcome}");
}

/// A phone that registers meanwhile and takes the only place.
#[tokio::test(start_paused = true)]
async fn a_device_that_pushes_ours_out_is_named() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        let is_bound = !r.bindings.is_empty();
        if is_query(q) && is_bound && !r.is_unanswered(q) {
            r.bindings = vec![(PHONE.to_owned(), 3_600)];
        }
        r.healthy(q)
    })
    .await;
    let outcome = scene.register(Udp).await;
    let found = finding(&outcome, "binding-lost");
    assert!(
        found.seen.contains("192.0.2.44") && found.advice.contains("another device registered"),
        "{outcome}"
    );
}

/// What is listed to queries as well is an ordinary device.
#[tokio::test(start_paused = true)]
async fn a_device_that_the_query_lists_is_no_surprise() {
    let scene = Scripted::new(Registrar::with(&[PHONE]), |r, q| r.healthy(q)).await;
    for beside in [false, true] {
        let check = Register::new(&scene.account("alice", Udp)).beside_live_devices(beside);
        let outcome = scene.check(check).await;
        assert_verdict(&outcome, Verdict::Pass);
        assert!(outcome.findings.iter().all(|found| found.code != "query-incomplete"), "{outcome}");
    }
}
