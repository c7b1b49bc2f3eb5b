//! What comes late, twice, to somebody else, or without what it needs: told, though the question passes.

use crate::platform::*;
use ringback::check::{Call, Cancel, Dtmf, DtmfMethod, Finding, Outcome, Severity, Side, Transfer, Verdict};

fn call() -> Call {
    Call::between(&account("alice"), &account("bob")).listen(ms(1_000))
}

fn found<'o>(outcome: &'o Outcome, code: &str) -> &'o Finding {
    outcome
        .findings
        .iter()
        .find(|finding| finding.code == code)
        .unwrap_or_else(|| panic!("{code}:\n{outcome}"))
}

/// What the platform does with this request of alice's happens so much later; she gets her answer at once.
fn slow(method: &'static str, time: u64) -> Platform {
    let mut done = false;
    Platform::new().when(move |core, m| {
        let is_it = m.user == "alice" && m.is(method) && !std::mem::replace(&mut done, true);
        if is_it {
            core.respond(m, 200, "OK", "");
            let alice = core.legs.iter().position(|leg| leg.user == "alice").unwrap();
            if method == "CANCEL" {
                core.refuse(alice, 487, "Request Terminated");
            }
            core.after(ms(time), move |core| {
                let bob = core.legs.iter().position(|leg| leg.user == "bob").unwrap();
                if method == "CANCEL" {
                    core.cancel(bob, Some("SIP;cause=200;text=\"Call completed elsewhere\""));
                } else {
                    core.bye(bob, None);
                }
            });
        }
        is_it
    })
}

#[tokio::test(start_paused = true)]
async fn a_cancel_or_bye_that_comes_late_is_told_with_its_delay() {
    let cancel = || Cancel::between(&account("alice"), &account("bob"));
    let outcome = slow("CANCEL", 2_500).asked(cancel()).await;
    passes(&outcome);
    assert!(found(&outcome, "cancel-late").seen.contains("2.5 s after the caller gave up"), "{outcome}");
    spotless(&slow("CANCEL", 400).asked(cancel()).await);
    let outcome = slow("BYE", 3_000).asked(call()).await;
    passes(&outcome);
    assert!(found(&outcome, "bye-late").seen.contains("to bob 3.0 s after alice had hung up"), "{outcome}");
    spotless(&slow("BYE", 400).asked(call()).await);
}

fn digits(method: DtmfMethod, digits: &str) -> Dtmf {
    Dtmf::between(&account("alice"), &account("bob")).digits(digits).unwrap().method(method)
}

/// The answer to alice lists these events.
fn taking(events: &'static str) -> Platform {
    Platform::new().edits(move |text, to| {
        if to.user == "alice" && text.answers(200, "INVITE") {
            let lines = text.body.lines().map(|line| match line.strip_prefix("a=fmtp:101 ") {
                Some(_) => format!("a=fmtp:101 {events}\r\n"),
                None => format!("{line}\r\n"),
            });
            text.body = lines.collect();
        }
    })
}

#[tokio::test(start_paused = true)]
async fn events_that_the_answer_does_not_list_are_not_sent_and_told() {
    let outcome = taking("0-9").asked(digits(DtmfMethod::Rfc4733, "159#A")).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    let finding = found(&outcome, "digits-not-taken");
    for words in ["no events for #, A", "says 0-9", "changed on the way"] {
        assert!(finding.seen.contains(words), "{words}: {outcome}");
    }
    assert!(outcome.findings.iter().all(|finding| finding.code != "digits-lost"), "{outcome}");
    // None at all is left; and A to D alone, for which few phones have keys.
    let outcome = taking("0-9").asked(digits(DtmfMethod::Rfc4733, "#")).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["no events for #"]);
    let outcome = taking("0-11").asked(digits(DtmfMethod::Rfc4733, "1*#A")).await;
    passes(&outcome);
    assert_eq!(found(&outcome, "digits-not-taken").severity, Severity::Warning);
    spotless(&taking("0-15").asked(digits(DtmfMethod::Rfc4733, "159#A")).await);
    spotless(&taking("0-9").asked(digits(DtmfMethod::Rfc4733, "159")).await);
}

#[tokio::test(start_paused = true)]
async fn an_info_that_was_delivered_and_refused_is_told_as_both() {
    let refusing = |delivers: bool| {
        Platform::new().when(move |core, m| {
            let is_it = m.user == "alice" && m.is("INFO");
            if is_it {
                core.respond(m, 500, "Server Internal Error", "");
                let bob = core.legs[m.leg.unwrap()].peer.unwrap();
                if delivers {
                    let text = Text::request("INFO", "-").with("Content-Type", m.value("Content-Type"));
                    let text = Text { body: m.body.clone(), ..text };
                    core.request(bob, text, None);
                }
            }
            is_it
        })
    };
    let outcome = refusing(true).asked(digits(DtmfMethod::Info, "159")).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["500 Server Internal Error", "although it was passed on", "which took it"]);
    says_nothing_of(&outcome, &["was not taken"]);
    let outcome = refusing(false).asked(digits(DtmfMethod::Info, "159")).await;
    says(&outcome, &["the digit was not taken"]);
    says_nothing_of(&outcome, &["passed on"]);
}

#[tokio::test(start_paused = true)]
async fn an_invite_without_a_contact_is_told() {
    let without = Platform::new().edits(|text, to| {
        if to.user == "bob" && text.begins("INVITE") {
            text.remove("Contact");
        }
    });
    let outcome = without.asked(call()).await;
    assert!(found(&outcome, "contact-missing").seen.contains("came to bob has no Contact"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_refer_outside_of_the_call_is_told_with_its_target() {
    let referring = Platform::new().up(ms(300), |core, caller, _| {
        let to = core.legs[caller].invite_of().from;
        core.stray(
            PLATFORM,
            to,
            "REFER sip:alice@192.0.2.7",
            "Refer-To: <sip:+19005550000@pbx.example.com>\r\nContact: <sip:203.0.113.1:5060>\r\n",
            "",
        );
    });
    let outcome = referring.asked(call()).await;
    let finding = found(&outcome, "refer-unasked");
    assert!(finding.seen.contains("+19005550000") && finding.seen.contains("603"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn another_party_that_is_called_for_the_transfer_is_named() {
    let wrong = Platform::new().carries_refer().when(|core, m| {
        let is_it = m.user == "alice" && m.is("REFER");
        if is_it {
            core.respond(m, 202, "Accepted", "");
            let contact = core.bindings["bob"][0].clone();
            core.originate("<sip:bob@pbx.example.com>", &contact, "");
        }
        is_it
    });
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    let outcome = wrong.asked(Transfer::blind(&alice, &bob, &carol).wait(ms(6_000))).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "wrong-party-called", "{outcome}");
    says(&outcome, &["bob was called in the place of carol", "no INVITE came to carol"]);
    says_nothing_of(&outcome, &["take a test account", "nothing came of it"]);
}

#[tokio::test(start_paused = true)]
async fn another_device_that_answers_first_through_a_b2bua_is_told() {
    let mut done = false;
    let platform = Platform::new().edits(|_, _| {}).when(move |core, m| {
        // Another device answers while bob still rings; his answer is passed on as well.
        if m.answers(180, "INVITE") && m.user == "bob" && !std::mem::replace(&mut done, true) {
            let invite = core.legs[0].invite_of();
            let sdp = description(&invite.body, core.port_of(0));
            let answer = Text::response(&invite, 200, "OK", "another")
                .with("Contact", "<sip:desk@203.0.113.1:5060>")
                .sdp(sdp);
            core.reply(&invite, answer);
        }
        false
    });
    let outcome = platform.asked(call()).await;
    does_not_pass(&outcome);
    assert_eq!(first(&outcome).unwrap().code, "answered-by-another", "{outcome}");
}
