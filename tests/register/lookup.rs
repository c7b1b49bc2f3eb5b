//! Is somebody registered? A question of its own, answered by what the registrar lists.

use crate::scripted::{Registrar, Scripted};
use crate::seen::finding;
use ringback::check::{Bound, Lookup, Outcome, Register, Side, Verdict};
use ringback::message::Message;
use ringback::message::Transport::Udp;
use ringback::report::json;
use ringback::syntax::HeaderName;

async fn lookup(
    bindings: &[&str],
    answer: impl FnMut(&mut Registrar, &Message) -> String + Send + 'static,
) -> (Outcome, Scripted) {
    let scene = Scripted::new(Registrar::with(bindings), answer).await;
    let outcome = scene.check(Lookup::new(&scene.account("alice", Udp).named("alice"))).await;
    // A question about bindings leaves none, and asks for none.
    assert!(scene.requests().iter().all(|request| request.header(HeaderName::Contact).is_none()));
    (outcome, scene)
}

fn bound(outcome: &Outcome) -> &[Bound] {
    outcome.register().and_then(|found| found.bindings.as_deref()).unwrap_or_else(|| panic!("{outcome}"))
}

#[tokio::test(start_paused = true)]
async fn who_is_bound_is_data_and_one_device_is_enough() {
    let devices = [
        "<sip:alice:s3cret@192.0.2.10:5060>;q=0.7;+sip.instance=\"<urn:uuid:1>\";user-agent=\"Snom/8\"",
        "<sip:alice@192.0.2.11;pn-prid=t0ken>",
    ];
    let (outcome, _) = lookup(&devices, |r, q| r.healthy(q)).await;
    assert_eq!((outcome.verdict, outcome.account()), (Verdict::Pass, Some("alice")), "{outcome}");
    assert!(outcome.summary.contains("2 devices"), "{outcome}");
    // Also in a table: which ones.
    assert!(outcome.summary.contains("192.0.2.10") && outcome.summary.contains("Snom/8"), "{outcome}");
    let [snom, app] = bound(&outcome) else { panic!("{outcome}") };
    assert!(snom.contact.contains("192.0.2.10:5060") && app.contact.contains("192.0.2.11"), "{outcome}");
    assert_eq!((snom.user_agent.as_deref(), snom.q_thousandths), (Some("Snom/8"), Some(700)));
    assert_eq!((snom.instance.as_deref(), snom.expires_s), (Some("urn:uuid:1"), Some(3_600)));
    let line = json::line(&outcome);
    assert!(!line.contains("s3cret") && !line.contains("t0ken"), "{line}");
    assert_eq!(json::read(&line).unwrap().register(), outcome.register());
}

#[tokio::test(start_paused = true)]
async fn nobody_bound_is_a_failure_and_a_query_alone_still_passes() {
    let (outcome, scene) = lookup(&[], |r, q| r.healthy(q)).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert_eq!(finding(&outcome, "not-registered").side, Side::Peer);
    assert!(bound(&outcome).is_empty() && outcome.summary.contains("alice"), "{outcome}");
    let query = Register::new(&scene.account("alice", Udp)).query_only(true);
    let outcome = scene.check(query).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert!(bound(&outcome).is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_being_removed_is_nobody() {
    let gone = |r: &mut Registrar, q: &Message| match r.is_unanswered(q) {
        true => r.challenge(q),
        false => r.answer(q, 200, "OK", &[("Contact", "<sip:alice@192.0.2.10>;expires=0")]),
    };
    let (outcome, _) = lookup(&[], gone).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_does_not_say_leaves_it_open_and_one_that_refuses_the_password_is_told_as_such() {
    let silent = |r: &mut Registrar, q: &Message| match r.is_unanswered(q) {
        true => r.challenge(q),
        false => r.answer(q, 400, "Missing Contact", &[]),
    };
    let (outcome, _) = lookup(&[], silent).await;
    assert_eq!(outcome.verdict, Verdict::Inconclusive, "{outcome}");
    finding(&outcome, "lookup-refused");
    assert_eq!(outcome.register().unwrap().bindings, None);

    let (outcome, _) = lookup(&[], |r, q| r.challenge(q)).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    finding(&outcome, "credentials-refused");
    assert!(outcome.register().is_none(), "nothing was told");
    assert!(outcome.steps.iter().any(|step| step.name == "registered" && step.verdict == Verdict::NotRun));
}
