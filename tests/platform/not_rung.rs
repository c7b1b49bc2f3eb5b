//! Refusals of a call that came to nobody: the platform says them by itself. And those that an end of ours gave.

use crate::platform::*;
use ringback::check::{
    Call, Cancel, Dtmf, Fork, ForkTrial, Hold, Outcome, Side, Transfer, TransferKind, Verdict,
};

/// Calls to this user are refused so, without ringing anybody.
fn refusing(user: &'static str, status: u16, phrase: &'static str) -> Platform {
    Platform::new().when(move |core, m| {
        let is_it = m.begins("INVITE") && crate::platform::user(m.uri()) == user;
        if is_it {
            core.respond(m, status, phrase, "");
        }
        is_it
    })
}

async fn each(status: u16, phrase: &'static str) -> Vec<(&'static str, Outcome)> {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    let platform = || refusing("bob", status, phrase);
    vec![
        ("call", platform().asked(Call::between(&alice, &bob)).await),
        ("hold", platform().asked(Hold::between(&alice, &bob)).await),
        ("cancel", platform().asked(Cancel::between(&alice, &bob)).await),
        ("dtmf", platform().asked(Dtmf::between(&alice, &bob)).await),
        ("transfer", platform().asked(Transfer::blind(&alice, &bob, &carol)).await),
        (
            "fork",
            platform().asked(Fork::bindings(&alice, &bob, 2).unwrap().trials([ForkTrial::Answer])).await,
        ),
        (
            "consult",
            refusing("carol", status, phrase)
                .asked(Transfer::new(&alice, &bob, &carol, TransferKind::Attended))
                .await,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_platform_itself_is_told_as_that() {
    for (status, phrase) in [
        (486, "Busy Here"),
        (600, "Busy Everywhere"),
        (480, "Temporarily Unavailable"),
        (404, "Not Found"),
        (408, "Request Timeout"),
        (603, "Decline"),
    ] {
        for (question, outcome) in each(status, phrase).await {
            judged(&outcome, Verdict::Fail, Side::Peer);
            let who = if question == "consult" { "carol" } else { "bob" };
            says(&outcome, &[&format!("{status} {phrase}"), &format!("no INVITE came to {who}")]);
            says_nothing_of(&outcome, &["try again later", "is busy"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_referred_call_that_the_platform_refuses_by_itself() {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    for (status, phrase) in [(486, "Busy Here"), (480, "Temporarily Unavailable"), (603, "Decline")] {
        let outcome = refusing("carol", status, phrase).asked(Transfer::blind(&alice, &bob, &carol)).await;
        does_not_pass(&outcome);
        says(&outcome, &["no INVITE came to carol", "without having called the target"]);
        says_nothing_of(&outcome, &["another device of the target"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_outside_that_is_busy_is_busy() {
    let outcome = refusing("900", 486, "Busy Here").asked(Call::to(&account("alice"), "900").unwrap()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["is busy", "try again later"]);
    says_nothing_of(&outcome, &["no INVITE came"]);
}

/// Bob is called twice for one call, a tenth of a second apart; the first refusal ends it.
fn twice() -> Platform {
    Platform::new().when(|core, m| {
        if m.begins("INVITE") && m.user == "alice" && user(m.uri()) == "bob" {
            let caller = core.leg(m);
            let contact = core.bindings["bob"][0].clone();
            core.dial(caller, &contact, "");
            core.after(ms(100), move |core| {
                core.dial(caller, &contact, "");
            });
            return true;
        }
        if m.answers(486, "INVITE") {
            for called in core.legs[0].called.clone() {
                core.cancel(called, None);
            }
            core.refuse(0, 486, "Busy Here");
        }
        false
    })
}

#[tokio::test(start_paused = true)]
async fn the_second_invite_that_our_end_refuses_is_no_time_for_ringing() {
    let outcome = twice().asked(Call::between(&account("alice"), &account("bob"))).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "rung-twice", "{outcome}");
    says(&outcome, &["a second INVITE came to bob", "our end refused", "486"]);
    says_nothing_of(&outcome, &["no-answer time", "try again later"]);
}

#[tokio::test(start_paused = true)]
async fn the_only_call_that_came_and_was_not_taken_for_ours() {
    let disguised = Platform::new().edits(|text, to| {
        if to.user == "bob" && text.begins("INVITE") {
            let tag = text.value("From").split(";tag=").nth(1).unwrap().to_owned();
            text.set("From", format!("\"Anna\" <sip:mallory@{DOMAIN}>;tag={tag}"));
        }
    });
    let outcome = disguised.asked(Call::between(&account("alice"), &account("bob"))).await;
    judged(&outcome, Verdict::Inconclusive, Side::Setup);
    says(&outcome, &["our end refused it with 480", "mallory", "the caller was told 480"]);
    says_nothing_of(&outcome, &["waits for the call", "location"]);
}
