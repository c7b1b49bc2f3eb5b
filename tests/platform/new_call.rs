//! What goes wrong in the call that a transfer makes is told as `call` tells it.

use crate::platform::*;
use ringback::check::{Outcome, Side, Transfer, TransferKind};

fn transfer(kind: TransferKind) -> Transfer {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    Transfer::new(&alice, &bob, &carol, kind)
}

fn ways() -> [Transfer; 3] {
    let by = transfer;
    [by(TransferKind::Blind), by(TransferKind::SemiAttended), by(TransferKind::Attended)]
}

#[track_caller]
fn says_why(outcome: &Outcome, code: &str, side: Side, words: &[&str]) {
    does_not_pass(outcome);
    let found = outcome.finding(code);
    assert!(found.is_some_and(|found| found.side == side), "{code}: {outcome}");
    says(outcome, words);
    says_nothing_of(
        outcome,
        &["NOTIFY 200 only when", "gave up before", "a 202 has to be followed", "old address", "H07"],
    );
}

/// Is this what becomes of the call of the transferee, `who`, to carol?
fn is_new(text: &Text) -> bool {
    user(uri(text.value("To"))) == "carol"
}

/// Media between bob and carol is changed on its way, or kept back.
fn between(hear: fn(&str, &mut Vec<u8>) -> bool) -> Platform {
    Platform::new().hears(move |passing, packet| match (passing.from, passing.to) {
        ("bob", "carol") | ("carol", "bob") => hear(passing.to, packet),
        _ => true,
    })
}

#[tokio::test(start_paused = true)]
async fn a_new_call_in_which_nothing_is_heard_is_a_matter_of_its_media() {
    for check in ways() {
        let outcome = between(|_, _| false).asked(check).await;
        says_why(&outcome, "no-audio", Side::Path, &["in the new call, of bob to carol"]);
        assert!(outcome.finding("notify-untrue").is_none(), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_call_that_is_heard_one_way_is_told_as_any_other() {
    for check in ways() {
        let outcome = between(|to, _| to == "bob").asked(check).await;
        says_why(&outcome, "one-way-audio", Side::Path, &["no RTP came from bob to carol"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_platform_does_to_the_description_of_the_new_call_is_told() {
    for check in ways().into_iter().take(2) {
        let platform = Platform::new().edits(move |text, outgoing| {
            if is_new(text) && outgoing.user == "bob" && text.answers(200, "INVITE") {
                text.edit("a=sendrecv", "a=inactive");
            }
        });
        let outcome = platform.asked(check).await;
        says_why(&outcome, "media-switched-off", Side::Peer, &["changed on the way|changed on its way"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_of_no_use_is_told_as_that_and_not_as_given_up() {
    for check in ways().into_iter().take(2) {
        let platform = Platform::new().edits(|text, outgoing| {
            if is_new(text) && outgoing.user == "bob" && text.answers(200, "INVITE") {
                let body = text.body.lines().map(|line| match line {
                    line if line.starts_with("m=audio") => {
                        let port = line.split(' ').nth(1).unwrap();
                        format!("m=audio {port} RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n")
                    }
                    line if line.starts_with("a=rtpmap") || line.starts_with("a=fmtp") => String::new(),
                    line => format!("{line}\r\n"),
                });
                text.body = body.collect();
            }
        });
        let outcome = platform.asked(check).await;
        says_why(&outcome, "media-unusable", Side::Peer, &["answered, and hung up by us", "G729"]);
        says_nothing_of(&outcome, &["487"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_to_the_transferee_is_lost() {
    for check in ways().into_iter().take(2) {
        let platform = Platform::new()
            .sends(|text, outgoing| !(is_new(text) && outgoing.user == "bob" && text.answers(200, "INVITE")));
        let outcome = platform.asked(check).await;
        says_why(&outcome, "answer-lost", Side::Peer, &["carol answered"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_call_that_is_not_answered_at_all_is_told_as_silence() {
    for check in [TransferKind::Blind, TransferKind::Attended].map(transfer) {
        for answers in [0, 100] {
            let platform = Platform::new().when(move |core, m| {
                let is_it = m.begins("INVITE") && m.user == "bob";
                if is_it && answers > 0 {
                    core.respond(m, answers, "Trying", "");
                }
                is_it
            });
            let outcome = platform.asked(check.clone()).await;
            // It is the silence that is told, as of every call; what bob says of his own CANCEL is no end of the target's.
            let code = if answers > 0 { "no-final-answer" } else { "asks-and-does-not-answer" };
            says_why(&outcome, code, Side::Peer, &["the INVITE"]);
            assert!(outcome.finding("not-carried-out").is_none(), "{outcome}");
        }
    }
}
