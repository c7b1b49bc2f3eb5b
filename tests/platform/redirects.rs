//! A redirection is the verdict itself, with where it leads; it is followed only where that was asked for, and to hosts of the account only.

use crate::platform::*;
use ringback::check::{Call, Cancel, Dtmf, Fork, Hold, Outcome, Side, Transfer, TransferKind, Verdict};

const DESK: &str = "198.51.100.20:5060";

/// Calls to `called` are answered 302 with these header lines; carol's desk phone, which is nobody's of ours, rings.
fn redirecting(called: &'static str, lines: &'static str) -> Platform {
    let desk = "sip:carol@198.51.100.20:5060";
    Platform::new().bound("carol", desk).listening(DESK).when(move |core, m| {
        if m.is("INVITE") && m.at == DESK.parse().unwrap() {
            core.respond(m, 180, "Ringing", "");
            return true;
        }
        let is_call = m.begins("INVITE") && user(m.uri()) == called;
        if is_call {
            core.respond(m, 302, "Moved Temporarily", lines);
        }
        is_call
    })
}

const TO_CAROL: &str =
    "Contact: <sip:carol@pbx.example.com>\nDiversion: <sip:bob@pbx.example.com>;reason=unconditional";

fn facts<'a>(outcome: &'a Outcome, name: &str) -> Vec<&'a str> {
    outcome.facts.iter().filter(|fact| *fact.name == *name).map(|fact| fact.value.as_str()).collect()
}

/// Bob is redirected to carol, whose phone is left alone.
#[track_caller]
fn told(scene: &Scene, outcome: &Outcome) {
    judged(outcome, Verdict::Fail, Side::Setup);
    let seen = &first(outcome).unwrap().seen;
    for words in
        ["302", "bob is redirected to <sip:carol@pbx.example.com>", "not called", "reason=unconditional"]
    {
        assert!(seen.contains(words), "{words:?} is not in {seen:?}\n{outcome}");
    }
    says_nothing_of(outcome, &["no INVITE came", "rings", "was not answered in"]);
    assert!(!scene.dialled("carol"), "carol's phone was rung\n{outcome}");
    assert!(!facts(outcome, "dialled").contains(&"sip:carol@pbx.example.com"), "{outcome}");
    assert!(facts(outcome, "dialled").contains(&"sip:bob@pbx.example.com"), "{outcome}");
    assert_eq!(facts(outcome, "redirected"), ["302 to sip:carol@pbx.example.com"], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn each_question_tells_the_redirection_and_calls_nobody_else() {
    let [alice, bob, dan] = ["alice", "bob", "dan"].map(account);
    macro_rules! asked {
        ($check:expr) => {{
            let scene = redirecting("bob", TO_CAROL).start().await;
            let outcome = scene.check($check.wait(ms(3_000))).await;
            told(&scene, &outcome);
        }};
    }
    asked!(Call::between(&alice, &bob));
    asked!(Hold::between(&alice, &bob));
    asked!(Cancel::between(&alice, &bob));
    asked!(Dtmf::between(&alice, &bob));
    asked!(Transfer::new(&alice, &bob, &dan, TransferKind::Blind));
    asked!(Fork::bindings(&alice, &bob, 2).unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_transferees_call_is_not_redirected_either() {
    let [alice, bob, dan] = ["alice", "bob", "dan"].map(account);
    for kind in [TransferKind::Blind, TransferKind::Attended] {
        let scene = redirecting("dan", TO_CAROL).start().await;
        let outcome = scene.check(Transfer::new(&alice, &bob, &dan, kind)).await;
        assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
        says(&outcome, &["redirected", "302", "carol"]);
        assert!(!scene.dialled("carol"), "{outcome}");
        assert!(facts(&outcome, "dialled").contains(&"sip:dan@pbx.example.com"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_followed_to_hosts_of_the_account_and_told() {
    let [alice, bob] = ["alice", "bob"].map(account);
    let scene = redirecting("bob", TO_CAROL).start().await;
    let outcome = scene.check(Call::between(&alice, &bob).wait(ms(3_000)).follow_redirects(true)).await;
    does_not_pass(&outcome);
    says(&outcome, &["redirected (302) to sip:carol@pbx.example.com", "rang and was not answered"]);
    says_nothing_of(&outcome, &["no INVITE came"]);
    assert!(scene.dialled("carol"));
    assert_eq!(
        facts(&outcome, "dialled"),
        ["sip:bob@pbx.example.com", "sip:carol@pbx.example.com"],
        "{outcome}"
    );
    // Nobody else's host is called, whoever is there.
    for place in ["sip:x@192.0.2.9:5070", "sip:+19005550000@evil.example"] {
        let lines: &str = Box::leak(format!("Contact: <{place}>").into_boxed_str());
        let scene = redirecting("bob", lines).listening("192.0.2.9:5070").start().await;
        let outcome = scene.check(Call::between(&alice, &bob).follow_redirects(true)).await;
        judged(&outcome, Verdict::Fail, Side::Setup);
        says(&outcome, &["bob is redirected", place, "hosts of the account only"]);
        assert_eq!(facts(&outcome, "dialled"), ["sip:bob@pbx.example.com"], "{outcome}");
        assert_eq!(scene.received(Some("192.0.2.9:5070")).len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_a_followed_redirection_led_to_is_named_and_gets_no_blame_of_who_was_called() {
    let [alice, bob] = ["alice", "bob"].map(account);
    let call = || Call::between(&alice, &bob).follow_redirects(true);
    // Answered by who stands in the Contact, refused by it, and followed once only.
    let platform = redirecting("bob", "Contact: <sip:dave@pbx.example.com>");
    let outcome = platform.answering("dave", || Source::Tone(440.0)).asked(call()).await;
    does_not_pass(&outcome);
    says(&outcome, &["302", "not by bob", "dave"]);
    let platform = redirecting("bob", "Contact: <sip:dave@pbx.example.com>");
    let busy = platform.number("dave", |core, leg| core.refuse(leg, 486, "Busy Here"));
    let outcome = busy.asked(call()).await;
    says(&outcome, &["bob@pbx.example.com is redirected (302)", "dave@pbx.example.com is busy"]);
    says_nothing_of(&outcome, &["bob@pbx.example.com is busy"]);
    let platform = redirecting("bob", "Contact: <sip:dave@pbx.example.com>").when(|core, m| {
        let is_second = m.begins("INVITE") && user(m.uri()) == "dave";
        if is_second {
            core.respond(m, 301, "Moved", "Contact: <sip:erin@pbx.example.com>");
        }
        is_second
    });
    let scene = platform.start().await;
    let outcome = scene.check(call()).await;
    says(&outcome, &["302", "dave", "301", "erin"]);
    assert!(!scene.dialled("erin"), "{outcome}");
}

/// Forwarding on no answer: the platform gives bob up, and sends the caller elsewhere.
#[tokio::test(start_paused = true)]
async fn a_redirection_behind_ringing_is_the_redirection_and_not_a_no_answer_time() {
    let platform = Platform::new().ringing(|core, alice| {
        core.after(ms(1_500), move |core| {
            core.cancel(core.legs[alice].called[0], None);
            let request = core.legs[alice].invite_of();
            core.respond(&request, 302, "Moved Temporarily", "Contact: <sip:mailbox@pbx.example.com>");
        });
    });
    let outcome = platform.asked(Call::between(&account("alice"), &account("bob")).ring(ms(5_000))).await;
    judged(&outcome, Verdict::Fail, Side::Setup);
    says(&outcome, &["bob rang for 1.5 s", "bob is redirected to <sip:mailbox@pbx.example.com>"]);
    says_nothing_of(&outcome, &["no-answer time"]);
}
