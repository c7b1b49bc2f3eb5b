//! Answers in which Call-ID, From or To are not what was asked: told as that, and nothing that came is said not to have come.

use crate::platform::*;
use ringback::check::{Call, Cancel, Hold, Outcome, Severity};

/// Answers to alice are changed: those to INVITE only, or all of them.
fn changed(all: bool, edit: fn(&mut Text)) -> Platform {
    Platform::new().edits(move |text, outgoing| {
        let is_answer = text.status().is_some() && outgoing.user == "alice";
        if is_answer && (all || text.method() == "INVITE") && text.method() != "REGISTER" {
            edit(text);
        }
    })
}

fn call_id(text: &mut Text) {
    text.set("Call-ID", "hh@x");
}

fn from_tag(text: &mut Text) {
    let from = text.value("From").split(";tag").next().unwrap().to_owned();
    text.set("From", format!("{from};tag=zzz"));
}

fn from(text: &mut Text) {
    let tag = tag(text.value("From")).unwrap().to_owned();
    text.set("From", format!("<sip:4711@pbx.example.com>;tag={tag}"));
}

fn to(text: &mut Text) {
    let tag = tag(text.value("To")).unwrap_or_default().to_owned();
    text.set("To", format!("<sip:4711@pbx.example.com>;tag={tag}"));
}

#[track_caller]
fn told(outcome: &Outcome, words: &str) {
    let found = outcome.finding("answer-rewritten");
    let found = found.unwrap_or_else(|| panic!("not told\n{outcome}"));
    assert!(found.severity == Severity::Warning && found.seen.contains(words), "{words:?}\n{outcome}");
    let same = outcome.findings.iter().filter(|other| other.seen == found.seen).count();
    assert_eq!(same, 1, "told more than once\n{outcome}");
    says_nothing_of(outcome, &["not answered", "nothing came", "rewrite the header", "no answer", "481"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_back_changed_is_told_as_that() {
    let [alice, bob] = ["alice", "bob"].map(account);
    for all in [false, true] {
        for (edit, words) in [
            (call_id as fn(&mut Text), "Call-ID hh@x"),
            (from_tag, "From tag zzz"),
            (from, "From sip:4711@pbx.example.com"),
            (to, "To sip:4711@pbx.example.com"),
        ] {
            let outcome = changed(all, edit).asked(Call::between(&alice, &bob)).await;
            told(&outcome, words);
            let outcome = changed(all, edit).asked(Hold::between(&alice, &bob)).await;
            told(&outcome, words);
            let outcome = changed(all, edit).asked(Cancel::between(&alice, &bob)).await;
            told(&outcome, words);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_display_name_or_another_form_of_the_header_is_no_change() {
    let same = |text: &mut Text| {
        let to = format!("\"Bob\" {}", text.value("To"));
        text.set("To", to);
        let from = text.value("From").replace("pbx.example.com", "PBX.example.com");
        text.set("From", from);
    };
    let outcome = changed(true, same).asked(Call::between(&account("alice"), &account("bob"))).await;
    spotless(&outcome);
}
