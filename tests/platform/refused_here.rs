//! Requests of the platform in a call that our ends refuse, its own BYE, and legs that do not end: each told as what it is.

use crate::platform::*;
use ringback::check::{Call, Hold, Outcome, Severity, Side, Transfer, TransferKind, Verdict};

/// What is sent to a leg of the platform.
type Sent = fn(&mut Core, usize) -> Text;
type Edit = fn(&mut Text);

fn call() -> Call {
    Call::between(&account("alice"), &account("bob")).listen(ms(1_000))
}

fn blind() -> Transfer {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    Transfer::new(&alice, &bob, &carol, TransferKind::Blind)
}

/// Sends something to an end of ours in the call, half a second after it is up: `to` is `alice` or `bob`.
fn sending(to: &'static str, text: Sent) -> Platform {
    Platform::new().up(ms(500), move |core, caller, callee| {
        let leg = if to == "alice" { caller } else { callee.unwrap() };
        let text = text(core, leg);
        core.request(leg, text, None);
    })
}

fn codes(outcome: &Outcome) -> Vec<(&str, Severity)> {
    outcome.findings.iter().map(|found| (&*found.code, found.severity)).collect()
}

const NO_BYE: &[&str] = &["no BYE came", "was not told", "not answered", "left open", "still up"];

#[tokio::test(start_paused = true)]
async fn a_bye_in_another_range_of_numbers_came_and_was_refused_here() {
    // A foreign request takes the number up; the BYE that is passed on has its own.
    let platform = Platform::new()
        .up(ms(300), |core, _, callee| {
            core.request(callee.unwrap(), Text::request("OPTIONS", "-").with("CSeq", "101 OPTIONS"), None);
        })
        .edits(|text, to| {
            if to.user == "bob" && text.is("BYE") {
                text.set("CSeq", "3 BYE");
            }
        });
    let outcome = platform.asked(call()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["bob", "500", "CSeq 3 after 101", "two ranges"]);
    says_nothing_of(&outcome, NO_BYE);
    assert_eq!(codes(&outcome), [("cseq-out-of-order", Severity::Error)], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_bye_of_no_dialog_came_and_was_refused_here() {
    for edit in [
        |text: &mut Text| text.set("Call-ID", "elsewhere"),
        |text: &mut Text| {
            let to = text.value("To").replace(";tag=", ";tag=x");
            text.set("To", to);
        },
    ] {
        let platform = Platform::new().edits(move |text, to| {
            if to.user == "bob" && text.is("BYE") {
                edit(text);
            }
        });
        let outcome = platform.asked(call()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &["BYE that came to bob", "481"]);
        says_nothing_of(&outcome, NO_BYE);
        assert_eq!(outcome.findings[0].code, "bye-unusable", "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bye_that_did_not_come_is_missed_as_before() {
    let outcome = Platform::new().sends(|text, to| !(to.user == "bob" && text.is("BYE"))).asked(call()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["no BYE came to bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_refer_before_the_bye_is_no_leg_left_open() {
    let mut done = false;
    let platform = Platform::new().when(move |core, m| {
        // Before alice leaves bob gets a request in another range of numbers.
        if m.is("BYE") && m.user == "alice" && !std::mem::replace(&mut done, true) {
            let bob = core.legs[m.leg.unwrap()].peer.unwrap();
            let text = Text::request("REFER", "-").with("Refer-To", "<sip:9@x>").with("CSeq", "50 REFER");
            core.request(bob, text, None);
        }
        false
    });
    let outcome = platform.asked(blind()).await;
    does_not_pass(&outcome);
    says(&outcome, &["bob", "500", "after 50"]);
    says_nothing_of(&outcome, NO_BYE);
}

#[tokio::test(start_paused = true)]
async fn what_our_ends_refuse_is_told_with_the_end_the_status_and_why() {
    let cases: [(&str, Sent, &[&str], Severity); 5] = [
        (
            "bob",
            |_, _| Text::request("NOTIFY", "-").with("Event", "talk").with("Subscription-State", "active"),
            &["bob", "NOTIFY", "489", "talk"],
            Severity::Warning,
        ),
        ("alice", |_, _| Text::request("MESSAGE", "-"), &["alice", "MESSAGE", "405"], Severity::Info),
        (
            "bob",
            |_, _| Text::request("INFO", "-").with("Content-Type", "application/x").with("CSeq", "1 INFO"),
            &["bob", "INFO", "415"],
            Severity::Info,
        ),
        (
            "alice",
            |_, _| Text::request("INFO", "-").with("Replaces", "a;from-tag=b;to-tag=c"),
            &["alice", "INFO", "400", "Replaces"],
            Severity::Warning,
        ),
        (
            "bob",
            |core, leg| {
                let sdp = description("", core.port_of(leg)).replace("RTP/AVP 8", "RTP/AVP 18");
                Text::request("UPDATE", "-").sdp(sdp.replace("PCMA", "G729"))
            },
            &["bob", "offer", "488"],
            Severity::Warning,
        ),
    ];
    for (to, text, words, severity) in cases {
        let outcome = sending(to, text).asked(call()).await;
        passes(&outcome);
        says(&outcome, words);
        assert_eq!(outcome.findings.iter().map(|f| f.severity).collect::<Vec<_>>(), [severity], "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn byes_that_cross_are_nobodys_fault() {
    // Whoever hears of the end sends a BYE of its own: it finds no call any more.
    let platform = Platform::new().when(|core, m| {
        if m.is("BYE") && m.user == "alice" {
            let leg = m.leg.unwrap();
            core.after(ms(20), move |core| core.request(leg, Text::request("BYE", "-"), None));
        }
        false
    });
    spotless(&platform.asked(call()).await);
}

#[tokio::test(start_paused = true)]
async fn the_platforms_bye_behind_a_refused_hold_is_told_with_its_reason() {
    let platform = Platform::new().when(move |core, m| {
        let is_hold = m.user == "alice" && m.continues("INVITE");
        if is_hold {
            core.respond(m, 488, "Not Acceptable Here", "");
            core.bye(m.leg.unwrap(), Some("Q.850;cause=102"));
        }
        is_hold
    });
    let outcome = platform.asked(Hold::between(&account("alice"), &account("bob"))).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["488", "the platform ended the call", "cause=102"]);
    says_nothing_of(&outcome, &["alice hung up"]);
}

#[tokio::test(start_paused = true)]
async fn a_bye_of_the_platform_that_meets_ours_is_told_with_its_reason() {
    let platform = Platform::new().when(move |core, m| {
        if m.is("BYE") && m.user == "alice" {
            let text = Text::request("BYE", "-").with("Reason", "Q.850;cause=102");
            core.request(m.leg.unwrap(), text, None);
        }
        false
    });
    let outcome = platform.asked(call()).await;
    passes(&outcome);
    says(&outcome, &["met ours", "cause=102"]);
    assert_eq!(codes(&outcome), [("bye-crossed", Severity::Warning)], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_ends_the_call_instead_of_answering_the_hold_is_told_with_its_reason() {
    let platform = Platform::new().when(|core, m| {
        let is_hold = m.user == "alice" && m.continues("INVITE");
        if is_hold {
            core.bye(m.leg.unwrap(), Some("Q.850;cause=102"));
        }
        is_hold
    });
    let outcome = platform.asked(Hold::between(&account("alice"), &account("bob"))).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["platform ended the call", "cause=102"]);
}

#[tokio::test(start_paused = true)]
async fn legs_that_did_not_end_are_counted_and_named() {
    let outcome = Platform::new().when(|_, m| m.is("BYE") && m.user == "alice").asked(call()).await;
    says(&outcome, &["1 leg (alice) did not end", "the BYE of alice was not answered"]);
    let outcome = Platform::new().when(|_, m| m.is("BYE")).asked(call()).await;
    says(&outcome, &["2 legs (alice, bob) did not end"]);
    says_nothing_of(&outcome, &["2 of our calls"]);
}

/// The platform carries the REFER out, and its NOTIFYs are changed.
fn notified(edit: Edit) -> Platform {
    Platform::new().carries_refer().edits(move |text, _| {
        if text.is("NOTIFY") {
            edit(text);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_notify_with_another_event_came_all_the_same() {
    let cases: [(Edit, &[&str]); 3] = [
        (|text| text.set("Event", "talk"), &["NOTIFY", "Event: talk", "489"]),
        (|text| text.remove("Event"), &["NOTIFY", "without Event", "489"]),
        (|text| text.set("Event", "refer;id=4711"), &["NOTIFY", "refer;id=4711", "CSeq number"]),
    ];
    for (edit, words) in cases {
        let outcome = notified(edit).asked(blind()).await;
        says(&outcome, words);
        says_nothing_of(&outcome, &["no NOTIFY came", "was never told", "told nothing"]);
    }
}

#[tokio::test(start_paused = true)]
async fn notifies_of_other_packages_outside_of_the_call_are_none_of_the_transfers() {
    let mut sent = false;
    let platform =
        Platform::new().carries_refer().sends(|text, _| !text.is("NOTIFY")).when(move |core, m| {
            if m.is("REFER") && !std::mem::replace(&mut sent, true) {
                let lines = "Event: message-summary\nSubscription-State: active\n";
                core.stray(PLATFORM, m.from, "NOTIFY sip:alice@192.0.2.7:5070", lines, "");
            }
            false
        });
    let outcome = platform.asked(blind()).await;
    says_nothing_of(&outcome, &["message-summary instead of refer"]);
}
