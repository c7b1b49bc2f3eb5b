//! What one of our ends wrote in its description, and what of it reached the other: both are known, so what the platform changed is told.

use crate::platform::*;
use ringback::check::{Call, Dtmf, Hold, Outcome, Severity, Side, Verdict};

fn between() -> Call {
    Call::between(&account("alice"), &account("bob"))
}

/// Bob's answer is changed on its way to alice.
fn answered(edit: impl Fn(&mut String) + Send + 'static) -> Platform {
    Platform::new().edits(move |text, outgoing| {
        if outgoing.user == "alice" && text.answers(200, "INVITE") && text.has_sdp() {
            edit(&mut text.body);
        }
    })
}

/// The address of the media.
fn at(ip: &'static str) -> impl Fn(&mut String) + Send + 'static {
    move |body| {
        *body = body
            .lines()
            .map(|line| match line.starts_with("c=") {
                true => format!("c=IN IP4 {ip}\r\n"),
                false => format!("{line}\r\n"),
            })
            .collect();
    }
}

#[track_caller]
fn code<'a>(outcome: &'a Outcome, code: &str) -> &'a ringback::check::Finding {
    let found = outcome.finding(code);
    found.unwrap_or_else(|| panic!("no {code}\n{outcome}"))
}

#[tokio::test(start_paused = true)]
async fn an_address_that_bob_never_wrote_and_nobody_reaches_is_the_platforms() {
    let outcome = answered(at("192.168.77.5")).asked(between()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    let found = code(&outcome, "one-way-audio");
    for words in [
        "alice was told to send to 192.168.77.5:",
        "private network",
        "bob never wrote",
        "bob wrote 192.0.2.7:",
    ] {
        assert!(found.seen.contains(words), "{words:?}\n{outcome}");
    }
    assert!(found.advice.contains("SIP ALG") && !found.advice.contains("firewall"), "{outcome}");
    let outcome = answered(at("192.168.77.5")).asked(Hold::between(&account("alice"), &account("bob"))).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["alice was told to send to 192.168.77.5"]);
    // A public one that is silent: only where it went is told.
    let outcome = answered(at("198.51.100.77")).asked(between()).await;
    judged(&outcome, Verdict::Fail, Side::Path);
    says(&outcome, &["alice was told to send to 198.51.100.77", "where bob wrote 192.0.2.7"]);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_puts_itself_in_is_no_matter() {
    spotless(&Platform::new().asked(between()).await);
    spotless(&Platform::new().direct_media().asked(between()).await);
}

#[tokio::test(start_paused = true)]
async fn a_packet_time_that_the_platform_changed_is_not_the_devices() {
    let outcome = answered(|body| *body = body.replace("a=ptime:20", "a=ptime:60")).asked(between()).await;
    passes(&outcome);
    let found = code(&outcome, "ptime-changed");
    assert_eq!((found.severity, found.side), (Severity::Warning, Side::Peer), "{outcome}");
    says(&outcome, &["bob asked for packets of 20 ms", "reached alice says 60 ms"]);
    says_nothing_of(&outcome, &["set ptime 20 on the device"]);
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_the_platform_changed_is_told_with_both_values() {
    for (way, words) in [("sendonly", "alice was told sendonly"), ("inactive", "alice was told inactive")] {
        let outcome = answered(move |body| {
            *body = format!("{}a={way}\r\n", body.replace("a=sendrecv\r\n", ""));
        });
        let outcome = outcome.asked(between()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &["bob wrote sendrecv", words, "changed on the way"]);
    }
    let outcome = answered(at("0.0.0.0")).asked(between()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["bob wrote sendrecv", "at 0.0.0.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_number_for_events_that_the_platform_changed_is_told_with_both_values() {
    let outcome = answered(|body| {
        *body = body.replace(" 101", " 96").replace(":101 ", ":96 ");
    });
    let dtmf = Dtmf::between(&account("alice"), &account("bob"));
    let outcome = outcome.asked(dtmf.digits("159").unwrap()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    let found = code(&outcome, "wrong-payload-type");
    for words in ["came with payload type 96", "the called end wrote 101", "changed on the way"] {
        assert!(found.seen.contains(words), "{words:?}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_carries_all_digits_is_said_in_the_first_line_beside_what_does_not() {
    let without = |body: &mut String| {
        let lines = body.lines().filter(|line| !line.contains(":101 "));
        *body = lines.map(|line| format!("{}\r\n", line.replace(" 101", ""))).collect();
    };
    let dtmf = || Dtmf::between(&account("alice"), &account("bob")).digits("159").unwrap();
    let outcome = answered(without).asked(dtmf()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "telephone-event-missing");
    for words in
        ["telephone-event is missing", "the called end's own has it", "all digits arrive by info and inband"]
    {
        assert!(outcome.summary.contains(words), "{words:?}\n{outcome}");
    }
    // Where all ways are good nothing else is said.
    let outcome = Platform::new().asked(dtmf()).await;
    passes(&outcome);
    assert_eq!(outcome.summary, "all digits arrive by rfc4733, info, inband");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_wants_audio_where_nobody_gets_it_is_told() {
    let silent = || Platform::new().answering("900", || Source::Nothing);
    let call = || Call::to(&account("alice"), "900").unwrap();
    let private = silent().edits(|text, outgoing| {
        if outgoing.user == "alice" && text.answers(200, "INVITE") {
            at("10.1.2.3")(&mut text.body);
        }
    });
    let outcome = private.asked(call()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["wants ours at 10.1.2.3:", "private network"]);
    let outcome = silent().asked(call()).await;
    judged(&outcome, Verdict::Fail, Side::Path);
    says_nothing_of(&outcome, &["wants ours at"]);
}
