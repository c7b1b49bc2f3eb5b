//! What nobody asked for is not done: sections 33 and 34 of the list of situations.

use crate::platform::*;
use ringback::check::{Call, Check, Dtmf, Hold, Outcome, Side, Verdict};

const EXPENSIVE: &str = "+19005550000";

/// 900 asks alice, half a second after the answer, to call this.
fn refers(to: &'static str) -> Platform {
    Platform::new().answering("900", || Source::Tone(440.0)).up(ms(500), move |core, leg, _| {
        core.request(leg, Text::request("REFER", "-").with("Refer-To", format!("<{to}>")), None);
    })
}

async fn refused<C: Check>(platform: Platform, check: C) -> Outcome {
    let scene = platform.start().await;
    let outcome = scene.check(check).await;
    assert!(!scene.dialled(EXPENSIVE), "dialled\n{outcome}");
    let answers: Vec<Option<u16>> =
        scene.received(None).iter().filter(|text| text.method() == "REFER").map(Text::status).collect();
    assert!(
        !answers.is_empty() && answers.iter().all(|status| *status >= Some(400)),
        "{answers:?}\n{outcome}"
    );
    says(&outcome, &["REFER", EXPENSIVE]);
    outcome
}

#[tokio::test(start_paused = true)]
async fn a_number_that_asks_for_another_call_is_not_obeyed() {
    for to in ["sip:+19005550000@pbx.example.com", "sip:+19005550000@192.0.2.9:5070", "tel:+19005550000"] {
        let outcome = refused(refers(to), Call::to(&account("alice"), "900").unwrap()).await;
        passes(&outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn no_question_obeys_a_refer_that_it_did_not_ask_for() {
    let [alice, bob] = ["alice", "bob"].map(account);
    let refers = |callee: bool| {
        Platform::new().up(ms(300), move |core, a, b| {
            let leg = if callee { b.unwrap() } else { a };
            let to = "<sip:+19005550000@pbx.example.com>";
            core.request(leg, Text::request("REFER", "-").with("Refer-To", to), None);
        })
    };
    for callee in [false, true] {
        refused(refers(callee), Call::between(&alice, &bob)).await;
        refused(refers(callee), Hold::between(&alice, &bob)).await;
        refused(refers(callee), Dtmf::between(&alice, &bob)).await;
    }
}

const ELSEWHERE: &str = "192.0.2.9:5070";

/// 900 is redirected to this, and who is called there does this.
fn redirected(to: &'static str, answer: impl Fn(&mut Core, &Incoming) + Send + 'static) -> Platform {
    Platform::new().challenges().listening(ELSEWHERE).when(move |core, m| {
        let is_asked = m.begins("INVITE") && m.get("Proxy-Authorization").is_some();
        if m.begins("INVITE") && user(m.uri()) == "x" {
            answer(core, m);
            return true;
        }
        let is_call = is_asked && user(m.uri()) == "900";
        if is_call {
            core.respond(m, 302, "Moved Temporarily", &format!("Contact: <{to}>"));
        }
        is_call
    })
}

fn call_900() -> Call {
    Call::to(&account("alice"), "900").unwrap()
}

fn busy(core: &mut Core, m: &Incoming) {
    core.respond(m, 486, "Busy Here", "");
}

#[tokio::test(start_paused = true)]
async fn another_host_gets_nothing_whatever_was_asked_for() {
    let to = "sip:x@192.0.2.9:5070";
    for follow in [false, true] {
        let scene = redirected(to, busy).start().await;
        let outcome = scene.check(call_900().follow_redirects(follow)).await;
        does_not_pass(&outcome);
        says(&outcome, &["302", "redirect", to]);
        says_nothing_of(&outcome, &["busy"]);
        assert_eq!(scene.received(Some(ELSEWHERE)).len(), 0, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirection_to_a_number_that_costs_is_not_dialled_unasked() {
    for to in [
        "sip:+19005550000@pbx.example.com",
        "sip:+19005550000@203.0.113.1:5060",
        "sip:+19005550000@192.0.2.9:5070",
        "tel:+19005550000",
    ] {
        let scene = redirected(to, busy).start().await;
        let outcome = scene.check(call_900()).await;
        does_not_pass(&outcome);
        assert!(!scene.dialled(EXPENSIVE), "dialled\n{outcome}");
        says(&outcome, &["302", "redirect", to]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_realm_that_is_first_seen_behind_a_redirection_is_not_answered() {
    for (status, name) in [(407, "Proxy-Authenticate"), (401, "WWW-Authenticate")] {
        let platform = redirected("sip:x@pbx.example.com", move |core, m| {
            let lines = format!("{name}: Digest realm=\"evil.example\", nonce=\"chosen\"");
            core.respond(m, status, "Who Are You", &lines);
        });
        let scene = platform.start().await;
        let outcome = scene.check(call_900().follow_redirects(true)).await;
        does_not_pass(&outcome);
        says(&outcome, &["302", "redirect"]);
        says_nothing_of(&outcome, &["wrong password", "credentials are wrong"]);
        let asked: Vec<Text> =
            scene.got("INVITE").into_iter().filter(|text| user(text.uri()) == "x").collect();
        assert!(!asked.is_empty(), "{outcome}");
        for text in asked {
            let credentials = format!("{}{}", text.value("Authorization"), text.value("Proxy-Authorization"));
            assert!(!credentials.contains("evil.example"), "{text:?}\n{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_redirected_is_not_who_is_busy() {
    let outcome = redirected("sip:x@pbx.example.com", busy).asked(call_900().follow_redirects(true)).await;
    does_not_pass(&outcome);
    says(&outcome, &["302", "900", "x@pbx.example.com", "busy"]);
    says_nothing_of(&outcome, &["900 is busy", "sip:900@pbx.example.com is busy"]);
}

#[tokio::test(start_paused = true)]
async fn who_a_redirection_led_to_is_named_as_who_answered() {
    let platform = Platform::new().answering("x", || Source::Tone(440.0)).when(|core, m| {
        let is_call = m.begins("INVITE") && user(m.uri()) == "900";
        if is_call {
            core.respond(m, 302, "Moved Temporarily", "Contact: <sip:x@pbx.example.com>");
        }
        is_call
    });
    let outcome = platform.asked(call_900().follow_redirects(true)).await;
    says(&outcome, &["302", "x@pbx.example.com", "answered"]);
}

#[tokio::test(start_paused = true)]
async fn a_challenged_bye_that_is_answered_with_credentials_is_no_matter() {
    let platform = Platform::new().challenges().answering("900", || Source::Tone(440.0));
    let scene = platform.start().await;
    let outcome = scene.check(Call::to(&account("alice"), "900").unwrap()).await;
    spotless(&outcome);
    let byes = scene.got("BYE");
    assert!(byes.len() == 2 && byes[1].get("Proxy-Authorization").is_some(), "{outcome}");
    says_nothing_of(&outcome, &["407"]);
    let outcome = Platform::new().challenges().asked(Call::between(&account("alice"), &account("bob"))).await;
    spotless(&outcome);
    // One that is refused all the same is told.
    let platform = Platform::new().challenges().answering("900", || Source::Tone(440.0)).when(|core, m| {
        let is_bye = m.is("BYE") && m.get("Proxy-Authorization").is_some();
        if is_bye {
            core.respond(m, 403, "Forbidden", "");
        }
        is_bye
    });
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    says(&outcome, &["BYE", "403"]);
    assert!(matches!(outcome.verdict, Verdict::Pass | Verdict::Fail), "{outcome}");
    if let Some(found) = first(&outcome) {
        assert_eq!(found.side, Side::Peer, "{outcome}");
    }
}
