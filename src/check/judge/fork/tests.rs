//! Faults of several that are called as one, by table.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::check::scene::Ear;
use crate::check::{Finding, SecondCall};

const SOON: Duration = Duration::from_secs(3);

/// Alice calls bob (party 1), carol (2) and dan (3).
fn group(ends: &[String]) -> Group<'_> {
    Group { target: "sip:600@h", caller: "alice", ends, second_caller: "alice", one_account: false }
}

fn members() -> Vec<String> {
    ["bob", "carol", "dan"].map(str::to_owned).to_vec()
}

fn ear(listener: usize, speakers: &[usize]) -> Ear {
    // The legs have the numbers of their parties.
    Ear { listener, leg: listener, speakers: speakers.to_vec(), else_heard: Duration::ZERO }
}

#[track_caller]
fn found(judged: StepVerdict, code: &str, words: &str) -> Finding {
    let finding = judged.finding.unwrap();
    assert_eq!((judged.verdict, &*finding.code), (Verdict::Fail, code));
    assert!(finding.seen.contains(words), "{words:?} is not in {:?}", finding.seen);
    finding
}

#[test]
fn who_may_be_heard_after_an_answer_is_the_winner_alone() {
    let names = members();
    let group = group(&names);
    let mutual = || StepVerdict::pass("both hear each other");
    assert_eq!(audio(&group, 2, &[2], mutual()).verdict, Verdict::Pass);
    found(audio(&group, 2, &[1], mutual()), "wrong-end-heard", "carol answered, and alice hears bob");
    found(audio(&group, 2, &[1, 2], mutual()), "wrong-end-heard", "alice hears bob");
    // What is wrong between the two keeps the name that it has in every call.
    let deaf = StepVerdict::fail("one-way-audio", Side::Path, "no RTP came".to_owned(), "open it");
    let said = found(audio(&group, 2, &[2], deaf), "one-way-audio", "no RTP came");
    assert_eq!(said.side, Side::Path);
    let open = StepVerdict::open("probe-limit", Side::Probe, "too slow".to_owned(), "wait");
    assert_eq!(audio(&group, 2, &[], open).verdict, Verdict::Inconclusive);
}

#[test]
fn what_happens_to_the_answers_of_a_race_has_a_name() {
    let names = members();
    let group = group(&names);
    found(both_dropped(&group, [1, 3]), "both-answers-dropped", "bob and dan answered at once, and both");
    let up = |joined, ears: &[Ear]| both_up(&group, [1, 3], joined, ears, SOON);
    found(
        up(Some(2), &[ear(0, &[3]), ear(3, &[0]), ear(1, &[])]),
        "second-answer-left-open",
        "talks to dan, and the leg of bob is still up after 3 s",
    );
    found(up(None, &[]), "second-answer-left-open", "alice hears neither");
    let conference = [ear(0, &[1, 3]), ear(1, &[0, 3]), ear(3, &[0, 1])];
    found(up(Some(0), &conference), "loser-hears", "dan hears alice and bob");
    let lost = not_passed_on(&group, &[1], &Seen::default());
    found(lost, "answer-not-passed-on", "bob answered, and the call did not come up");
}

#[test]
fn what_is_left_of_a_call_is_named_with_whose_it_is() {
    let names = members();
    let group = group(&names);
    found(legs_left(&group, &[1], SOON), "leg-left-open", "the leg of bob is still there 3 s later");
    found(
        legs_left(&group, &[0, 1, 2], SOON),
        "leg-left-open",
        "the legs of alice, bob and carol are still there",
    );
    found(rings_on(&group, &[3], SOON), "rings-on", "dan is still ringing");
    found(
        first_call_lost(&group, 1, "alice and bob do not hear each other"),
        "first-call-lost",
        "first one of bob",
    );
}

#[test]
fn a_second_call_is_judged_by_what_is_expected_of_it() {
    let names = members();
    let group = group(&names);
    let came = |expected, rung, refusal, answered_by| {
        second_call(&group, &SecondCalled { busy: 1, expected, rung, refusal, answered_by })
    };
    assert_eq!(came(SecondCall::Busy, &[], Some(486), None).verdict, Verdict::Pass);
    found(came(SecondCall::Busy, &[], Some(503), None), "second-call-refused", "refused with 503");
    found(came(SecondCall::Rings, &[], None, None), "second-call-lost", "rang nobody and was not refused");
    for expected in [SecondCall::Rings, SecondCall::Busy, SecondCall::Elsewhere] {
        let judged = came(expected, &[], None, Some("vm"));
        found(judged, "answered-by-another", "by none of bob, carol and dan: the answer is of vm");
    }
    assert_eq!(came(SecondCall::Any, &[], None, Some("vm")).verdict, Verdict::Pass);
}
