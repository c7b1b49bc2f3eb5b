//! One fault of the media, one finding: whichever question is asked, it says of it what a call says.

use crate::platform::*;
use ringback::check::{
    Call, Dtmf, DtmfMethod, Finding, Fork, ForkTrial, Hold, Outcome, Severity, Transfer, Verdict,
};
use std::sync::{Arc, Mutex};

/// 600 rings bob and carol.
fn ring_members(core: &mut Core, leg: usize) {
    for name in ["bob", "carol"] {
        let contact = core.bindings[name][0].clone();
        core.dial(leg, &contact, "");
    }
}

/// Each question about a call that is heard.
async fn each(platform: impl Fn() -> Platform) -> Vec<(&'static str, Outcome)> {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    let dtmf = Dtmf::between(&alice, &bob).digits("159").unwrap().method(DtmfMethod::Rfc4733);
    let members = [bob.clone(), carol.clone()];
    let fork = Fork::group(&alice, "600", &members).unwrap().answers(0).trials([ForkTrial::Answer]);
    vec![
        ("call", platform().asked(Call::between(&alice, &bob)).await),
        ("hold", platform().asked(Hold::between(&alice, &bob).time(ms(1_000))).await),
        ("dtmf", platform().asked(dtmf).await),
        ("transfer", platform().asked(Transfer::blind(&alice, &bob, &carol)).await),
        ("fork", platform().number("600", ring_members).asked(fork).await),
    ]
}

fn found<'o>(outcome: &'o Outcome, code: &str) -> Option<&'o Finding> {
    outcome.findings.iter().find(|finding| finding.code == code)
}

/// Each question passes, and warns of it once with all of these words.
#[track_caller]
fn warned(asked: &[(&'static str, Outcome)], code: &str, words: &[&str]) {
    for (question, outcome) in asked {
        assert_eq!(outcome.verdict, Verdict::Pass, "{question}: {outcome}");
        let times = outcome.findings.iter().filter(|finding| finding.code == code).count();
        assert_eq!(times, 1, "{question} tells {code} {times} times:\n{outcome}");
        let finding = found(outcome, code).unwrap();
        assert_eq!(finding.severity, Severity::Warning, "{question}: {outcome}");
        assert!(words.iter().all(|word| finding.seen.contains(word)), "{question}: {words:?}\n{outcome}");
        assert!(!finding.evidence.is_empty(), "{question}: {outcome}");
    }
}

#[track_caller]
fn untold(asked: &[(&'static str, Outcome)], code: &str) {
    for (question, outcome) in asked {
        assert!(found(outcome, code).is_none(), "{question}: {outcome}");
    }
}

fn to_bob(passing: &Passing<'_>) -> bool {
    passing.from == "alice" && passing.to == "bob"
}

#[tokio::test(start_paused = true)]
async fn a_healthy_call_is_spotless_in_each_question() {
    for (question, outcome) in each(Platform::new).await {
        let loud = outcome.findings.iter().filter(|finding| finding.severity != Severity::Info);
        assert!(outcome.verdict == Verdict::Pass && loud.count() == 0, "{question}: {outcome}");
    }
}

/// What an end says comes back to it, beside what the other says.
fn looping() -> Platform {
    let said: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let back = said.clone();
    let platform = Platform::new().hears(move |passing, packet| {
        if passing.from == "alice" {
            said.lock().unwrap().push(packet.clone());
        }
        true
    });
    platform.up(ms(100), move |core, caller, _| {
        for round in 0..200 {
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
async fn own_packets_that_come_back_beside_the_voice() {
    warned(&each(looping).await, "media-returned", &["alice's own RTP packets came back"]);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_loses_a_fifth_and_one_that_loses_little() {
    let losing = |one_in: u32| {
        move || {
            let mut number = 0;
            Platform::new().hears(move |passing, _| {
                number += u32::from(to_bob(&passing));
                !to_bob(&passing) || number % one_in != 0
            })
        }
    };
    warned(&each(losing(5)).await, "lossy-path", &["alice to bob", "% lost"]);
    untold(&each(losing(50)).await, "lossy-path");
}

#[tokio::test(start_paused = true)]
async fn audio_that_begins_late() {
    let late = || Platform::new().hears(|passing, _| !to_bob(&passing) || passing.since >= ms(2_000));
    for (question, outcome) in each(late).await {
        let finding = found(&outcome, "audio-late").unwrap_or_else(|| panic!("{question}: {outcome}"));
        assert!(
            finding.seen.contains("bob heard alice only from 2.") || finding.seen.contains("from 2.0 s"),
            "{outcome}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn noise_comes_first_and_no_digit_is_read_from_it() {
    let noisy = || {
        let mut dice: u32 = 7;
        Platform::new().hears(move |passing, packet| {
            if to_bob(&passing) {
                packet.resize(12 + 170, 0);
                for byte in &mut packet[12..] {
                    dice ^= dice << 13;
                    dice ^= dice >> 17;
                    dice ^= dice << 5;
                    *byte = (dice >> 8) as u8;
                }
            }
            true
        })
    };
    for (question, outcome) in each(noisy).await {
        assert_eq!(outcome.verdict, Verdict::Fail, "{question}: {outcome}");
        assert_eq!(first(&outcome).unwrap().code, "noise", "{question}: {outcome}");
        says_nothing_of(&outcome, &["hook-flash", "no digit: code"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_type_that_was_not_agreed_on() {
    let relabelled = || {
        Platform::new().hears(|passing, packet| {
            if to_bob(&passing) && packet[1] & 0x7f == 8 {
                packet[1] &= 0x80;
            }
            true
        })
    };
    let words = ["came to bob", "not agreed on: 0 (PCMU), where 8 (PCMA) was agreed on"];
    warned(&each(relabelled).await, "unagreed-payload", &words);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_rewritten_to_another_codec() {
    let rewritten = || {
        Platform::new().edits(|text, to| {
            if to.user == "alice" && text.answers(200, "INVITE") && text.body.contains("RTP/AVP 8") {
                text.body =
                    text.body.replace("RTP/AVP 8", "RTP/AVP 0").replace("rtpmap:8 PCMA", "rtpmap:0 PCMU");
            }
        })
    };
    let asked = each(rewritten).await;
    let (with_group, others): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|(question, _)| *question == "fork");
    assert_eq!(with_group.len(), 1);
    for (question, outcome) in &others {
        let seen: Vec<&str> = outcome
            .findings
            .iter()
            .filter(|finding| finding.code == "unagreed-payload")
            .map(|finding| finding.seen.as_str())
            .collect();
        assert_eq!(seen.len(), 2, "{question}: {outcome}");
        assert!(
            seen.iter().any(|seen| seen.contains("came to bob") && seen.contains("0 (PCMU), where 8 (PCMA)"))
        );
        assert!(
            seen.iter()
                .any(|seen| seen.contains("came to alice") && seen.contains("8 (PCMA), where 0 (PCMU)"))
        );
        assert!(seen.iter().all(|seen| seen.contains("bob wrote PCMA 8")), "{question}: {seen:?}");
    }
}

/// What comes to bob from 0.3 s after the answer on waits for so many milliseconds, and comes at once then.
fn stalled(time: u64) -> impl Fn() -> Platform {
    move || {
        // Packets that wait; none does any more once they went on.
        let held: Arc<Mutex<Option<Vec<Vec<u8>>>>> = Arc::new(Mutex::new(Some(Vec::new())));
        let waiting = held.clone();
        let platform = Platform::new().hears(move |passing, packet| {
            let mut held = held.lock().unwrap();
            let Some(held) = held.as_mut().filter(|_| to_bob(&passing) && passing.since >= ms(300)) else {
                return true;
            };
            held.push(packet.clone());
            false
        });
        platform.up(ms(300 + time), move |core, _, callee| {
            let packets = waiting.lock().unwrap().take().unwrap_or_default();
            let bob = core.legs.iter().position(|leg| leg.user == "bob" && !leg.over).or(callee).unwrap();
            packets.iter().for_each(|packet| core.send_media(bob, 0, packet));
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_up_and_comes_at_once_is_told_with_its_time() {
    for time in [400, 600] {
        let asked = each(stalled(time)).await;
        warned(&asked, "stream-stalled", &["from alice to bob for", "held up"]);
        untold(&asked, "stream-changed");
        for (question, outcome) in &asked {
            let seen = &found(outcome, "stream-stalled").unwrap().seen;
            let told: u64 = seen.split(" ms").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            assert!((time - 40..=time + 60).contains(&told), "{question}: {seen}");
        }
    }
    // A jitter buffer waits so long.
    untold(&each(stalled(150)).await, "stream-stalled");
}

async fn call(platform: Platform) -> Outcome {
    platform.asked(Call::between(&account("alice"), &account("bob"))).await
}

#[tokio::test(start_paused = true)]
async fn numbers_and_timestamps_that_stand_still() {
    let stuck = |bytes: std::ops::Range<usize>| {
        Platform::new().hears(move |passing, packet| {
            if to_bob(&passing) {
                packet[bytes.clone()].fill(0);
            }
            true
        })
    };
    let outcome = call(stuck(2..4)).await;
    judged(&outcome, Verdict::Fail, ringback::check::Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "sequence-stuck", "{outcome}");
    says(&outcome, &["sequence number of the one before"]);
    says_nothing_of(&outcome, &["silence"]);
    let outcome = call(stuck(4..8)).await;
    passes(&outcome);
    assert!(found(&outcome, "timestamp-stuck").is_some(), "{outcome}");
}

/// ACKs of alice to answers of bob that are not the first are lost.
fn losing_acks(from: usize) -> Platform {
    let mut acks = 0;
    Platform::new().when(move |_, m| {
        let is_it = m.user == "alice" && m.is("ACK");
        acks += usize::from(is_it);
        is_it && acks >= from
    })
}

#[tokio::test(start_paused = true)]
async fn the_ack_of_a_re_invite_that_is_lost_is_told() {
    // The platform answers re-INVITEs for both of its legs, and acknowledges to bob what alice has acknowledged.
    let outcome = losing_acks(2)
        .sends(|text, to| !(to.user == "bob" && text.is("ACK") && !text.value("CSeq").starts_with("1 ")))
        .asked(Hold::between(&account("alice"), &account("bob")).time(ms(2_500)))
        .await;
    judged(&outcome, Verdict::Fail, ringback::check::Side::Peer);
    let finding = found(&outcome, "ack-lost").unwrap_or_else(|| panic!("{outcome}"));
    assert!(finding.seen.contains("the 200 of bob to the re-INVITE"), "{outcome}");
    spotless(&Platform::new().asked(Hold::between(&account("alice"), &account("bob")).time(ms(2_500))).await);
}

/// The platform sends alice a re-INVITE half a second after the answer, and acknowledges her answer or does not.
fn re_invited(is_acknowledged: bool) -> Platform {
    Platform::new().up(ms(500), move |core, caller, _| {
        let sdp = core.moved(&core.legs[core.legs[caller].peer.unwrap()].sdp.clone(), caller);
        let invite = Text::request("INVITE", "-").with("Contact", format!("<sip:{PLATFORM}>")).sdp(sdp);
        core.request(
            caller,
            invite,
            Some(Box::new(move |core: &mut Core, answer: &Text| {
                if is_acknowledged && answer.status().is_some_and(|status| status >= 200) {
                    let number = answer.value("CSeq").split(' ').next().unwrap().parse().unwrap();
                    core.ack(caller, None, number);
                }
            })),
        );
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_ours_that_the_platform_never_acknowledges_is_told() {
    let outcome = call(re_invited(false)).await;
    judged(&outcome, Verdict::Fail, ringback::check::Side::Peer);
    let finding = found(&outcome, "ack-lost").unwrap_or_else(|| panic!("{outcome}"));
    assert!(
        finding.seen.contains("the 200 of alice to the re-INVITE that came to it 0.5 s after"),
        "{outcome}"
    );
    spotless(&call(re_invited(true)).await);
}
