//! Requests of ours in a call that are refused, answered provisionally, answered by what cannot be used, or not at all: the same words whichever
//! question sent them.

use crate::platform::*;
use ringback::check::{Call, Dtmf, DtmfMethod, Hold, Outcome, Transfer, TransferKind, Verdict};

fn call() -> Call {
    Call::between(&account("alice"), &account("bob")).listen(ms(1_000))
}

fn hold() -> Hold {
    Hold::between(&account("alice"), &account("bob")).time(ms(1_000))
}

fn digits(method: impl Into<Option<DtmfMethod>>) -> Dtmf {
    Dtmf::between(&account("alice"), &account("bob")).digits("12").unwrap().method(method)
}

fn transfer(kind: TransferKind) -> Transfer {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    Transfer::new(&alice, &bob, &carol, kind)
}

/// Requests of alice in the call are answered so, and go nowhere.
fn answering(method: &'static str, status: u16, phrase: &'static str, lines: &'static str) -> Platform {
    Platform::new().when(move |core, m| {
        let is_it = m.user == "alice" && m.continues(method);
        if is_it {
            core.respond(m, status, phrase, lines);
        }
        is_it
    })
}

/// Requests of alice in the call are dropped.
fn dropping(method: &'static str) -> Platform {
    Platform::new().when(move |_, m| m.user == "alice" && m.continues(method))
}

/// What `method` is sent by.
async fn asked(method: &str, platform: Platform) -> Vec<Outcome> {
    match method {
        "INVITE" => vec![platform.asked(hold()).await],
        "INFO" => vec![platform.asked(digits(DtmfMethod::Info)).await],
        "REFER" => vec![platform.asked(transfer(TransferKind::Blind)).await],
        "BYE" => vec![platform.asked(call()).await],
        _ => Vec::new(),
    }
}

const IN_CALLS: [&str; 4] = ["INVITE", "INFO", "REFER", "BYE"];
const LOST: &[&str] = &["not answered", "loses requests", "get lost", "no answer"];

#[tokio::test(start_paused = true)]
async fn a_provisional_answer_alone_is_told_as_that_for_every_request() {
    for (status, phrase) in [(100, "Trying"), (182, "Queued")] {
        for method in IN_CALLS {
            for outcome in asked(method, answering(method, status, phrase, "")).await {
                does_not_pass(&outcome);
                says(&outcome, &["provisional answer", "no final one", &format!("{status} {phrase}")]);
                says_nothing_of(&outcome, LOST);
                assert!(outcome.finding("no-final-answer").is_some(), "{outcome}");
            }
        }
    }
    // Where the hold is on the way to something else.
    for outcome in [
        answering("INVITE", 100, "Trying", "").asked(transfer(TransferKind::Attended)).await,
        answering("INVITE", 100, "Trying", "").asked(digits(None)).await,
    ] {
        says(&outcome, &["provisional answer", "no final one"]);
        says_nothing_of(&outcome, LOST);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_not_answered() {
    for method in IN_CALLS {
        for outcome in asked(method, dropping(method)).await {
            does_not_pass(&outcome);
            says(&outcome, &["not answered"]);
            says_nothing_of(&outcome, &["provisional"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_more_than_once_is_told_as_that() {
    let refusing = || answering("INVITE", 491, "Request Pending", "");
    for outcome in [
        refusing().asked(hold()).await,
        refusing().asked(transfer(TransferKind::Attended)).await,
        refusing().asked(digits(None)).await,
    ] {
        says(&outcome, &["491 Request Pending", "twice|times in"]);
        says_nothing_of(&outcome, LOST);
    }
    // The second one is dropped: both are told.
    let mut times = 0;
    let platform = Platform::new().when(move |core, m| {
        let is_hold = m.user == "alice" && m.continues("INVITE");
        if is_hold && times == 0 {
            core.respond(m, 491, "Request Pending", "");
        }
        times += u32::from(is_hold);
        is_hold
    });
    let outcome = platform.asked(hold()).await;
    says(&outcome, &["491", "sent again"]);
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_a_call_shows_what_it_says_and_gets_advice_by_its_status() {
    let cases: [(u16, &str, &str, &[&str]); 8] = [
        (403, "Forbidden", "Warning: 399 x \"not in your tariff\"", &["not in your tariff", "403 Forbidden"]),
        (500, "Server Internal Error", "Retry-After: 3", &["Retry-After 3 s"]),
        (503, "Service Unavailable", "Retry-After: 7", &["Retry-After 7 s"]),
        (481, "Call/Transaction Does Not Exist", "", &["481 Call", "does not know this call any more"]),
        (408, "Request Timeout", "Reason: Q.850;cause=18", &["408 Request Timeout", "cause=18", "far end"]),
        (415, "Unsupported Media Type", "Accept: text/plain", &["text/plain", "415"]),
        (405, "Method Not Allowed", "X-Error: off", &["405 Method Not Allowed", "X-Error: off"]),
        (699, "Odd", "Reason: SIP;cause=699;text=\"why\"", &["699 Odd", "why"]),
    ];
    for (status, phrase, lines, words) in cases {
        for method in IN_CALLS {
            for outcome in asked(method, answering(method, status, phrase, lines)).await {
                says(&outcome, words);
                says_nothing_of(&outcome, LOST);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_in_the_dialog_are_told_as_that() {
    let challenge = r#"Proxy-Authenticate: Digest realm="pbx.example.com", nonce="n1", qop="auth""#;
    for method in IN_CALLS {
        let platform = Platform::new().when(move |core, m| {
            let is_it = m.user == "alice" && m.continues(method);
            if is_it {
                core.respond(m, 407, "Proxy Authentication Required", challenge);
            }
            is_it
        });
        for outcome in asked(method, platform).await {
            does_not_pass(&outcome);
            says(&outcome, &["407 Proxy Authentication Required again", "credentials"]);
            says_nothing_of(&outcome, LOST);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_came_all_the_same() {
    for method in IN_CALLS {
        let platform = Platform::new().when(move |core, m| {
            let is_it = m.user == "alice" && m.continues(method);
            if is_it {
                let mut text = Text::response(&m.text, 200, "OK", "");
                let via = text.value("Via").replace("branch=", "branch=z9hG4bKother");
                text.set("Via", via);
                core.reply(m, text);
            }
            is_it
        });
        for outcome in asked(method, platform).await {
            does_not_pass(&outcome);
            says(&outcome, &["cannot be used", "another Via branch"]);
            says_nothing_of(&outcome, LOST);
        }
    }
}
