//! What platforms do that the embedded PBX cannot: each finding of forking that no fault of the catalogue stands for, brought about on the wire.

use super::scene::{MEMBERS, Scene};
use crate::meddler::{Edit, Media, Sent, is_rtp, message};
use crate::seen::{errors, finding, step};
use ringback::check::{Fork, ForkTrial, Outcome, Severity, Side, Verdict};
use ringback::media::g711::Law;
use ringback::media::party_tone::Party;
use ringback::media::tone::Tone;
use ringback::syntax::{HeaderName, Method};
use std::collections::BTreeSet;
use std::time::Duration;

/// What comes of one trial at a group of three where this is done to what the PBX sends.
async fn check(trial: ForkTrial, faults: &[&str], edit: Edit) -> Outcome {
    let scene = Scene::meddled(faults, edit).await;
    let check: Fork = scene.group().trials([trial]).wait(Duration::from_secs(4));
    let outcome = scene.probe.check(check).await;
    // What was kept from going out is sent again for half a minute (RFC 3261 sec. 17.1).
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(scene.lab.legs().is_empty(), "calls are left: {:?}\n{outcome}", scene.lab.legs());
    for name in MEMBERS {
        assert!(scene.lab.bindings(name).is_empty(), "a binding of {name} is left\n{outcome}");
    }
    outcome
}

/// Everything goes as it is but what this keeps back.
fn without(mut kept: impl FnMut(&Media, &Sent) -> bool + Send + 'static) -> Edit {
    Box::new(move |media, sent| if kept(media, &sent) { Vec::new() } else { vec![sent] })
}

/// A request of this method to one of our ends.
fn is_to(sent: &Sent, method: &str, user: &str) -> bool {
    sent.0.starts_with(format!("{method} sip:{user}@").as_bytes())
}

/// An ACK to a refusal: it has the branch of its INVITE (RFC 3261 sec. 17.1.1.3).
fn of_refusals() -> impl FnMut(&Sent) -> bool {
    let mut branches = BTreeSet::new();
    move |(bytes, _)| {
        let Some(message) = message(bytes) else { return false };
        let via = message.header(HeaderName::Via).unwrap_or_default().to_vec();
        match message.method() {
            Some(Method::Invite) => {
                branches.insert(via);
                false
            }
            Some(Method::Ack) => branches.contains(&via),
            _ => false,
        }
    }
}

fn fails(outcome: &Outcome, (at, code): (&str, &str), words: &[&str]) {
    assert_eq!((outcome.verdict, errors(outcome)), (Verdict::Fail, vec![code]), "{outcome}");
    let found = finding(outcome, code);
    assert_eq!(found.side, Side::Peer, "{outcome}");
    assert!(!found.advice.is_empty() && !found.evidence.is_empty(), "{outcome}");
    for words in words {
        assert!(found.seen.contains(words), "{words:?} is not in {:?}\n{outcome}", found.seen);
    }
    assert_eq!(step(outcome, at).verdict, Verdict::Fail, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_487_that_gets_no_ack_is_a_warning_about_each_that_was_cancelled() {
    let mut of_refusals = of_refusals();
    let outcome = check(ForkTrial::Answer, &[], without(move |_, sent| of_refusals(sent))).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Pass, vec![]), "{outcome}");
    let told: Vec<&str> = outcome.findings.iter().map(|finding| finding.seen.as_str()).collect();
    let wanted = ["carol", "dan"].map(|who| format!("{who} was cancelled, and its 487 got no ACK"));
    assert_eq!(told, wanted, "{outcome}");
    let found = finding(&outcome, "refusal-not-acknowledged");
    assert_eq!((found.severity, found.side), (Severity::Warning, Side::Peer));
    let released = &outcome.fork().unwrap().trials[0].released;
    assert!(released.len() == 2 && released.iter().all(|one| !one.acknowledged), "{outcome}");
    // An ACK that was lost once comes again, and nothing is said.
    let (mut of_refusals, mut lost) = (self::of_refusals(), 0);
    let once = without(move |_, sent| {
        let is_lost = of_refusals(sent) && lost < 2;
        lost += usize::from(is_lost);
        is_lost
    });
    let outcome = check(ForkTrial::Answer, &[], once).await;
    assert!(outcome.verdict == Verdict::Pass && outcome.findings.is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_reach_the_caller_is_named() {
    for trial in [ForkTrial::Answer, ForkTrial::Race] {
        // Alice gets a refusal in the place of every 200 to her INVITE.
        let edit: Edit = Box::new(|_, (bytes, to)| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let is_answer = text.starts_with("SIP/2.0 200 OK\r\n") && text.contains(" INVITE\r\n");
            match text.strip_prefix("SIP/2.0 200 OK").filter(|_| is_answer) {
                Some(rest) => vec![(format!("SIP/2.0 480 Temporarily Unavailable{rest}").into_bytes(), to)],
                None => vec![(bytes, to)],
            }
        });
        let outcome = check(trial, &[], edit).await;
        assert_eq!(
            (outcome.verdict, errors(&outcome)),
            (Verdict::Fail, vec!["answer-not-passed-on"]),
            "{outcome}"
        );
        let found = finding(&outcome, "answer-not-passed-on");
        assert!(
            found.side == Side::Peer && found.seen.contains("the call did not come up: alice got 480"),
            "{outcome}"
        );
        let who = if trial == ForkTrial::Answer { "bob answered" } else { "bob and carol answered" };
        assert!(found.seen.starts_with(who), "{outcome}");
        assert_eq!(step(&outcome, trial.as_str()).verdict, Verdict::Fail, "{outcome}");
    }
}

/// Another party's tone in the place of what was in the packets to one of them.
fn sounds_as(listener: &'static str, party: u8) -> Edit {
    let mut tone: Tone = Party::new(party).unwrap().tone();
    Box::new(move |media, (mut bytes, to)| {
        if is_rtp(&bytes) && media.of(listener) == Some(to) {
            let law = if bytes[1] & 0x7f == 0 { Law::Mu } else { Law::A };
            bytes[12..].iter_mut().for_each(|code| *code = law.encode(tone.next_sample()));
        }
        vec![(bytes, to)]
    })
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hears_another_end_than_the_one_that_answered_is_named() {
    let outcome = check(ForkTrial::Answer, &[], sounds_as("alice", 2)).await;
    fails(&outcome, ("audio", "wrong-end-heard"), &["bob answered, and alice hears carol"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_answer_that_is_in_the_talk_is_told_from_one_that_is_left_open() {
    // F04 leaves the second answer open; here it hears the caller as well.
    let edit: Edit = Box::new(|media, (bytes, to)| {
        let second = media.of("carol").filter(|_| is_rtp(&bytes) && media.of("bob") == Some(to));
        let copy = second.map(|second| (bytes.clone(), second));
        [(bytes, to)].into_iter().chain(copy).collect()
    });
    let outcome = check(ForkTrial::Race, &["F04"], edit).await;
    let words = ["bob and carol answered at once, neither was hung up, and carol hears alice"];
    fails(&outcome, ("race", "loser-hears"), &words);
}

#[tokio::test(start_paused = true)]
async fn two_answers_that_are_both_hung_up_are_named() {
    // Behind each ACK to an answer comes a BYE.
    let edit: Edit = Box::new(|_, (bytes, to)| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let bye = text.strip_prefix("ACK ").map(|rest| {
            let number = rest.split("CSeq: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            let next = number.parse::<u32>().unwrap() + 50;
            format!("BYE {rest}")
                .replace(&format!("CSeq: {number} ACK"), &format!("CSeq: {next} BYE"))
                .replace("branch=z9hG4bK", "branch=z9hG4bKbye")
        });
        let bye = bye.map(|bye| (bye.into_bytes(), to));
        [(bytes, to)].into_iter().chain(bye).collect()
    });
    let outcome = check(ForkTrial::Race, &[], edit).await;
    let words = ["bob and carol answered at once, and both were hung up"];
    fails(&outcome, ("race", "both-answers-dropped"), &words);
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_is_not_ended_with_the_call_is_named_with_whose_it_is() {
    let outcome = check(ForkTrial::Answer, &[], without(|_, sent| is_to(sent, "BYE", "bob"))).await;
    let words = ["alice hung up and was answered 200, but no BYE came to bob"];
    fails(&outcome, ("hang-up", "hang-up-not-delivered"), &words);
    assert_eq!(outcome.fork().unwrap().legs_left, 1, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_second_call_of_which_nothing_comes_is_named() {
    // From the first ACK on nobody is called any more.
    let mut talks = false;
    let edit = without(move |_, (bytes, _)| {
        talks |= bytes.starts_with(b"ACK ");
        talks && bytes.starts_with(b"INVITE ")
    });
    let outcome = check(ForkTrial::SecondCall, &[], edit).await;
    let words = ["bob is in a call, and a second call rang nobody and was not refused"];
    fails(&outcome, ("second-call", "second-call-lost"), &words);
}

#[tokio::test(start_paused = true)]
async fn who_rings_on_for_a_second_call_that_was_given_up_is_named() {
    let outcome = check(ForkTrial::SecondCall, &[], without(|_, sent| is_to(sent, "CANCEL", "bob"))).await;
    let words = ["the caller gave the second call up 3 s ago, and bob is still ringing"];
    fails(&outcome, ("second-call", "rings-on"), &words);
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_does_not_survive_the_second_is_named_with_what_is_heard() {
    // With the CANCEL to bob, which only the second call has, his media end.
    let mut silent = false;
    let edit = without(move |media, sent| {
        silent |= is_to(sent, "CANCEL", "bob");
        silent && is_rtp(&sent.0) && media.of("bob") == Some(sent.1)
    });
    let outcome = check(ForkTrial::SecondCall, &[], edit).await;
    let words = ["the first one of bob is not what it was", "no RTP came from alice to bob"];
    fails(&outcome, ("second-call", "first-call-lost"), &words);
}
