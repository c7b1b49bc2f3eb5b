//! What is wrong with a call as a whole is the first that each question tells of it, and no consequence is.

use crate::platform::*;
use ringback::check::{Call, Dtmf, DtmfMethod, Hold, Outcome, Severity, Side, Transfer, Verdict};
use std::sync::{Arc, Mutex};

/// Each question about a call that is heard, and digits by INFO, which need an answer in it.
async fn each(platform: impl Fn() -> Platform) -> Vec<(&'static str, Outcome)> {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    let info = Dtmf::between(&alice, &bob).digits("15").unwrap().method(DtmfMethod::Info);
    vec![
        ("call", platform().asked(Call::between(&alice, &bob)).await),
        ("hold", platform().asked(Hold::between(&alice, &bob).time(ms(1_000))).await),
        ("dtmf", platform().asked(info).await),
        ("transfer", platform().asked(Transfer::blind(&alice, &bob, &carol)).await),
    ]
}

async fn digits(platform: Platform) -> Outcome {
    platform.asked(Dtmf::between(&account("alice"), &account("bob")).digits("159#").unwrap()).await
}

/// The answer to alice names this as bob's Contact.
fn with_contact(contact: &'static str) -> Platform {
    Platform::new().edits(move |text, outgoing| {
        let is_answer = text.status() == Some(200) && text.method() == "INVITE";
        if is_answer && outgoing.user == "alice" {
            text.set("Contact", format!("<sip:bob@{contact}>"));
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_the_callee_never_wrote_is_the_cause_of_what_is_not_answered() {
    for (question, outcome) in each(|| with_contact("192.168.1.20:5060")).await {
        let first = outcome.findings.first().unwrap_or_else(|| panic!("{question}: {outcome}"));
        assert_eq!((outcome.verdict, first.side), (Verdict::Fail, Side::Peer), "{question}: {outcome}");
        for words in
            ["alice in the call go to 192.168.1.20:5060", "which bob never wrote: bob wrote 192.0.2.7:"]
        {
            assert!(first.seen.contains(words) && outcome.summary.contains(words), "{question}: {outcome}");
        }
        assert!(first.advice.contains("SIP ALG"), "{question}: {outcome}");
        says_nothing_of(&outcome, &["loses requests", "get lost"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_loses_a_request_by_itself_is_still_told_so() {
    let is_in_call = |m: &Incoming| m.text.start.starts_with("INVITE") && tag(m.value("To")).is_some();
    let hold = Hold::between(&account("alice"), &account("bob")).time(ms(1_000));
    let outcome = Platform::new().when(move |_, m| is_in_call(m)).asked(hold).await;
    says(&outcome, &["re-INVITE (hold) was not answered", "loses requests"]);
    says_nothing_of(&outcome, &["Contact that came"]);
}

/// RTP of this user stops this long into the call.
fn stopping(user: &'static str, after: u64) -> Platform {
    Platform::new().hears(move |passing, _| passing.from != user || passing.since < ms(after))
}

#[tokio::test(start_paused = true)]
async fn voice_that_stops_for_good_is_told_before_digits_and_re_invites_are() {
    let outcome = digits(stopping("alice", 3_000)).await;
    let told: Vec<_> = outcome.findings.iter().filter(|finding| finding.code == "audio-stopped").collect();
    assert!(outcome.verdict == Verdict::Fail && told.len() == 1, "{outcome}");
    assert_eq!((told[0].severity, told[0].side), (Severity::Error, Side::Path), "{outcome}");
    says(&outcome, &["until 3.", "cannot arrive"]);
    says_nothing_of(&outcome, &["after a re-INVITE", "telephone-event, with its number", "no RTP at all"]);
    // The other way no digit needs it, and people do.
    let outcome = digits(stopping("bob", 700)).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    let told = outcome.finding("audio-stopped").unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(told.severity, Severity::Warning, "{outcome}");
    assert!(told.seen.starts_with("alice got RTP from bob until 0."), "{outcome}");
}

/// What alice says comes back to alice, and nothing passes.
fn returning() -> Platform {
    let said: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let back = said.clone();
    let platform = Platform::new().hears(move |passing, packet| {
        if passing.from == "alice" {
            said.lock().unwrap().push(packet.clone());
        }
        false
    });
    platform.up(ms(20), move |core, caller, _| {
        for round in 0..300 {
            let back = back.clone();
            core.after(ms(20 * round), move |core| {
                let packets = std::mem::take(&mut *back.lock().unwrap());
                if !core.legs[caller].over {
                    packets.iter().for_each(|packet| core.send_media(caller, 0, packet));
                }
            });
        }
    })
}

#[tokio::test(start_paused = true)]
async fn own_voice_that_comes_back_instead_is_no_blocked_path_in_any_question() {
    for (question, outcome) in each(returning).await {
        let first = outcome.findings.first().unwrap_or_else(|| panic!("{question}: {outcome}"));
        assert_eq!((first.code.as_ref(), first.side), ("own-voice", Side::Peer), "{question}: {outcome}");
        says_nothing_of(&outcome, &["firewall", "none the other way"]);
    }
}

/// The offers that alice makes in the call come to bob with this direction where it wrote another.
fn turning(from: &'static str, to: &'static str) -> Platform {
    Platform::new().edits(move |text, outgoing| {
        let is_in_call = text.start.starts_with("INVITE") && tag(text.value("To")).is_some();
        if is_in_call && outgoing.user == "bob" {
            text.body = text.body.replace(from, to);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_is_changed_on_its_way_is_told_with_both_directions() {
    let hold = || Hold::between(&account("alice"), &account("bob")).time(ms(1_000));
    let outcome = turning("a=sendrecv", "a=sendonly").asked(hold()).await;
    assert_eq!(outcome.finding("no-audio-after-resume").map(|f| f.side), Some(Side::Peer), "{outcome}");
    says(&outcome, &["resume was changed on its way: alice wrote sendrecv, and bob was told sendonly"]);
    says_nothing_of(&outcome, &["put bob on hold", "did not take it back"]);
    let outcome = turning("a=sendonly", "a=inactive").asked(hold()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    says(&outcome, &["changed on its way: alice wrote sendonly, and bob was told inactive"]);
    says_nothing_of(&outcome, &["platform: answer recvonly"]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_answered_408_is_one_error_and_an_ack_with_another_number_is_told_as_that() {
    let platform = Platform::new().when(|core, m| {
        let is_in_call = m.text.start.starts_with("INVITE") && tag(m.value("To")).is_some();
        if is_in_call {
            core.respond(m, 408, "Request Timeout", "");
        }
        is_in_call
    });
    let hold = Hold::between(&account("alice"), &account("bob")).time(ms(1_000));
    let outcome = platform.asked(hold).await;
    let errors = outcome.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    assert!(outcome.verdict == Verdict::Fail && errors == 1, "{outcome}");
    says(&outcome, &["re-INVITE (hold) was refused with 408"]);
    says_nothing_of(&outcome, &["does not know the call any more"]);
    let platform = Platform::new().edits(|text, outgoing| {
        if text.start.starts_with("ACK") && outgoing.user == "bob" {
            text.set("CSeq", "77 ACK");
        }
    });
    let outcome = platform.asked(Call::between(&account("alice"), &account("bob"))).await;
    says(&outcome, &["the ACK that came to bob has CSeq 77, and its 200 has CSeq"]);
    says_nothing_of(&outcome, &["SIP ALG", "reached the callee"]);
}
