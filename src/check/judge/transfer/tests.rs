//! The judges of transfers, by tables.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::keys::{Keys, KeysSeen};
use super::park::{Fetched, Parked};
use super::refer::{Again, Asked, Refusal};
use super::release::{LegLeft, Released};
use super::*;
use crate::check::judge::request::RequestEnd;
use crate::check::scene::{Change, ReferArrived};
use crate::check::{Severity, Side, Verdict};
use crate::media::dtmf::DtmfMethod;
use std::time::Instant;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn wanted() -> Wanted {
    Wanted {
        names: ["alice".into(), "bob".into(), "carol".into()],
        transferor: ALICE,
        transferee: BOB,
        target: CAROL,
        kind: TransferKind::Blind,
        target_does: TransferTarget::Answers,
        asked_does: TransferTarget::Answers,
        uri: "sip:carol@pbx".into(),
        early_replaces: false,
        hang_up_early: false,
        wait: Duration::from_secs(20),
    }
}

/// These hear each other.
fn joined(pairs: &[(usize, usize)]) -> Aftermath {
    let mut after = Aftermath { transferee_up: true, ..Aftermath::default() };
    for (one, other) in pairs {
        after.ears.heard.note(*one, *other);
        after.ears.heard.note(*other, *one);
    }
    after
}

/// This one hears a sound that is nobody's tone, and nobody.
fn with_sound(who: usize) -> Aftermath {
    let mut after = joined(&[]);
    after.ears.else_heard[who] = Duration::from_millis(900);
    after
}

fn cut_off() -> Aftermath {
    Aftermath::default()
}

fn told(statuses: &[u16]) -> Told {
    let done = statuses.iter().copied().find(|status| *status >= 200);
    Told {
        statuses: statuses.to_vec(),
        done: done.map(|status| (Instant::now(), status)),
        terminated: done.is_some(),
        ..Told::default()
    }
}

fn seen(statuses: &[u16], after: Aftermath) -> Transferred {
    Transferred {
        answer: ReferAnswer::Accepted(202),
        told: told(statuses),
        told_after: None,
        after,
        target: TargetSaw { alerted: 1, is_asked: true, ..TargetSaw::default() },
        own_call: None,
        new_call: None,
        is_mangled: false,
        called_instead: None,
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[track_caller]
fn named(judged: &StepVerdict, code: &str, words: &[&str], not: &[&str]) {
    let found = judged.finding.as_ref().map_or("", |finding| &finding.code);
    let advice = judged.finding.as_ref().map_or("", |finding| finding.advice.as_str());
    assert_eq!(found, code, "{}", judged.detail);
    for words in words {
        assert!(judged.detail.contains(words) || advice.contains(words), "{words}: {}", judged.detail);
    }
    for words in not {
        assert!(!judged.detail.contains(words) && !advice.contains(words), "{words}: {}", judged.detail);
    }
}

#[test]
fn somebody_else_who_answers_for_the_target_is_no_fault_of_the_notify() {
    let own = |is_answered| Some(OwnCall { is_answered, answerer: "Voicemail".into(), ..OwnCall::default() });
    let not_called = TargetSaw::default();
    let elsewhere = TargetSaw {
        cancelled: Some(vec!["SIP;cause=200".into()]),
        alerted: 1,
        is_asked: true,
        ..TargetSaw::default()
    };
    let rings = TargetSaw { rings: true, alerted: 1, is_asked: true, ..TargetSaw::default() };
    // The target, the transferee's own call, what is heard, the code, words.
    let cases = [
        (&not_called, own(true), with_sound(BOB), "not-delivered", "no INVITE came to carol"),
        (&not_called, own(true), joined(&[(ALICE, BOB)]), "not-delivered", "the answer is of Voicemail"),
        (&not_called, None, with_sound(BOB), "not-delivered", "bob hears a sound that is nobody's tone"),
        (&not_called, None, joined(&[]), "not-delivered", "bob hears nobody"),
        (&elsewhere, own(true), with_sound(BOB), "answered-by-another", "Reason: SIP;cause=200"),
        (&elsewhere, None, with_sound(BOB), "answered-by-another", "its call was cancelled"),
        (&rings, own(true), with_sound(BOB), "answered-by-another", "it still rings"),
        // Nothing shows that anybody answered: the NOTIFY is not true.
        (&not_called, None, joined(&[(ALICE, BOB)]), "notify-untrue", "bob is back with alice"),
        (&not_called, None, cut_off(), "notify-untrue", "bob was cut off"),
        (&rings, None, with_sound(BOB), "notify-untrue", "carol still rings"),
    ];
    for (target, own_call, after, code, words) in cases {
        let seen = Transferred { target: target.clone(), own_call, ..seen(&[100, 200], after) };
        let judged = after::judge(&wanted(), &seen);
        let not: &[&str] = if code == "notify-untrue" { &[] } else { &["NOTIFY 200 only when", "still up"] };
        named(&judged, code, &[words], not);
        assert_eq!(judged.verdict, Verdict::Fail);
        assert_eq!(judged.finding.unwrap().side, Side::Peer);
    }
    // With Replaces the platform joins two calls: no INVITE is due.
    let attended = Wanted { kind: TransferKind::Attended, ..wanted() };
    let seen = Transferred { target: not_called, ..seen(&[200], with_sound(BOB)) };
    named(&after::judge(&attended, &seen), "notify-untrue", &[], &["no INVITE"]);
}

#[test]
fn what_the_transferor_was_told_is_held_against_what_is_heard() {
    let done = joined(&[(BOB, CAROL)]);
    let all = joined(&[(BOB, CAROL), (ALICE, BOB)]);
    let cases = [
        (seen(&[100, 200], done), "", "bob hears carol"),
        (seen(&[100, 486], done), "notify-untrue", "told 486 and bob and carol hear each other"),
        (seen(&[], all), "no-final-notify", "alice was never told: it stays in its call"),
        (seen(&[100], all), "no-final-notify", "never told the end (told 100)"),
        (seen(&[200], all), "transferor-still-heard", "alice is still heard"),
        (seen(&[200], joined(&[(ALICE, CAROL)])), "wrong-parties-joined", "alice hears carol"),
        (seen(&[], joined(&[(ALICE, BOB)])), "not-carried-out", "no NOTIFY came"),
        (seen(&[100], joined(&[(ALICE, BOB)])), "not-carried-out", "alice was told 100 and no more"),
        (seen(&[], cut_off()), "transferee-dropped", "bob was cut off"),
    ];
    for (seen, code, words) in cases {
        named(&after::judge(&wanted(), &seen), code, &[words], &[]);
    }
    let early = Wanted { hang_up_early: true, ..wanted() };
    named(&after::judge(&early, &seen(&[], cut_off())), "dropped-with-transferor", &["before carol"], &[]);
    let lost = Transferred { answer: ReferAnswer::Refused(603, String::new()), ..seen(&[], cut_off()) };
    named(&after::judge(&wanted(), &lost), "transferee-dropped", &["the REFER was not taken"], &[]);
}

#[test]
fn notifies_that_came_and_could_not_be_used_are_never_no_notify() {
    let refused =
        Told { refused: vec!["without Subscription-State (answered 400)".into()], ..Told::default() };
    let empty = Told { without_status: 2, ..Told::default() };
    let never = ["no NOTIFY came", "never told", "told nothing"];
    for (told, code, words) in [
        (&refused, "notify-unusable", "without Subscription-State (answered 400)"),
        (&empty, "notify-without-status", "2 NOTIFYs came without a status"),
    ] {
        for after in [joined(&[(BOB, CAROL)]), joined(&[(BOB, CAROL), (ALICE, BOB)]), joined(&[(ALICE, BOB)])]
        {
            let seen = Transferred { told: told.clone(), ..seen(&[], after) };
            let judged = after::judge(&wanted(), &seen);
            assert!(never.iter().all(|never| !judged.detail.contains(never)), "{}", judged.detail);
            let beside = beside::findings(&wanted(), &seen);
            assert_eq!(beside.iter().map(|found| &*found.code).collect::<Vec<_>>(), [code]);
            assert!(beside[0].seen.contains(words), "{}", beside[0].seen);
            assert_eq!(beside[0].severity, Severity::Warning);
        }
    }
    // None at all stays none at all; a late one that is refused says nothing.
    let nothing = beside::findings(&wanted(), &seen(&[], joined(&[(BOB, CAROL)])));
    assert_eq!(nothing.iter().map(|found| &*found.code).collect::<Vec<_>>(), ["no-notify"]);
    let late = Told { refused: vec!["in no dialog (answered 481)".into()], ..told(&[200]) };
    let seen = Transferred { told: late, ..seen(&[], joined(&[(BOB, CAROL)])) };
    assert!(beside::findings(&wanted(), &seen).is_empty());
}

#[test]
fn a_200_before_the_answer_is_a_warning_and_one_behind_it_is_none() {
    for (told, answered, kind, is_early) in [
        (ms(100), Some(ms(400)), TransferKind::Blind, true),
        (ms(400), Some(ms(400)), TransferKind::Blind, false),
        (ms(900), Some(ms(400)), TransferKind::Blind, false),
        (ms(100), None, TransferKind::Blind, false),
        (ms(100), Some(ms(400)), TransferKind::Attended, false),
    ] {
        let wanted = Wanted { kind, ..wanted() };
        let mut seen = seen(&[200], joined(&[(BOB, CAROL)]));
        (seen.told_after, seen.target.answered_after, seen.target.alerted) = (Some(told), answered, 0);
        let beside = beside::findings(&wanted, &seen);
        assert_eq!(beside.iter().any(|found| found.code == "notify-too-early"), is_early, "{told:?}");
    }
}

#[test]
fn a_transferor_that_stays_for_want_of_a_notify_is_not_left_in_by_the_platform() {
    let all = joined(&[(BOB, CAROL), (ALICE, BOB)]);
    for (told, after, code, warns) in [
        (ms(7_900), all, "notify-late", false),
        (ms(900), all, "transferor-still-heard", false),
        (ms(2_900), joined(&[(BOB, CAROL)]), "", true),
        (ms(1_900), joined(&[(BOB, CAROL)]), "", false),
    ] {
        let mut seen = seen(&[200], after);
        (seen.told_after, seen.target.answered_after) = (Some(told), Some(ms(400)));
        named(&after::judge(&wanted(), &seen), code, &[], &[]);
        let beside = beside::findings(&wanted(), &seen);
        assert_eq!(beside.iter().any(|found| found.code == "notify-late"), warns, "{told:?}");
    }
    let mut late = seen(&[200], all);
    (late.told_after, late.target.answered_after) = (Some(ms(7_900)), Some(ms(400)));
    named(&after::judge(&wanted(), &late), "notify-late", &["7.5 s after carol had answered"], &[]);
}

#[test]
fn what_the_status_of_a_failed_transfer_says() {
    let back = joined(&[(ALICE, BOB)]);
    let rings = Wanted { target_does: TransferTarget::Rings, ..wanted() };
    let busy = Wanted { target_does: TransferTarget::Refuses(486), ..wanted() };
    let attended = Wanted { kind: TransferKind::Attended, ..wanted() };
    for (wanted, status, code, words, not) in [
        (&wanted(), 404, "target-unknown", "sip:carol@pbx is not known", ""),
        (&wanted(), 488, "media-refused", "codec", "403 forbidden"),
        (&wanted(), 606, "media-refused", "codec", "busy"),
        (&wanted(), 486, "transfer-failed", "it is busy", "codec"),
        (&wanted(), 403, "transfer-failed", "forbidden", "busy"),
        (&wanted(), 480, "transfer-failed", "nobody is registered there", "busy"),
        (&wanted(), 503, "transfer-failed", "could not carry", "busy"),
        (&wanted(), 482, "transfer-loops", "in circles", ""),
        (&wanted(), 302, "target-redirected", "redirected (302) to a place", "not known"),
        (&attended, 481, "replaces-not-found", "by its Replaces", ""),
    ] {
        let not: &[&str] = if not.is_empty() { &[] } else { &[not] };
        named(&after::judge(wanted, &seen(&[100, status], back)), code, &[words], not);
    }
    let asked = |status| {
        let target = TargetSaw { is_asked: true, alerted: 1, ..TargetSaw::default() };
        Transferred { target, ..seen(&[100, status], back) }
    };
    for (wanted, status, words) in [
        (&rings, 487, "carol rang and did not answer: alice was told 487; bob is back with alice"),
        (&rings, 480, "carol rang and did not answer"),
        (&busy, 486, "carol did not take the call, and alice was told 486; bob is back with alice"),
        (&busy, 480, "carol did not take the call (carol said 486), and alice was told 480"),
    ] {
        let judged = after::judge(wanted, &asked(status));
        assert_eq!(judged.verdict, Verdict::Pass, "{}", judged.detail);
        assert!(judged.detail.contains(words), "{}", judged.detail);
        let beside = beside::findings(wanted, &asked(status));
        let is_other = wanted.target_does == TransferTarget::Refuses(486) && status != 486;
        assert_eq!(beside.iter().any(|found| found.code == "notify-other-status"), is_other, "{status}");
    }
    named(&after::judge(&rings, &asked(404)), "target-unknown", &["is not known"], &[]);
    // It was to refuse or to ring, and was never asked.
    for (wanted, status, code) in [(&busy, 404, "target-unknown"), (&rings, 480, "transfer-failed")] {
        let never = Transferred { target: TargetSaw::default(), ..seen(&[100, status], back) };
        named(&after::judge(wanted, &never), code, &[], &["did not take", "rang"]);
    }
    named(&after::judge(&busy, &asked(200)), "notify-untrue", &["carol refused with 486"], &[]);
    // Nothing final came in our time: the truth so far, or nothing at all; and where is the transferee?
    let so_far = |statuses: &[u16], after| {
        let target = TargetSaw { is_asked: true, alerted: 1, rings: true, ..TargetSaw::default() };
        after::judge(&rings, &Transferred { target, ..seen(statuses, after) })
    };
    assert_eq!(so_far(&[100, 180], back).verdict, Verdict::Pass);
    named(&so_far(&[], back), "no-notify", &["no NOTIFY came"], &[]);
    let ringback = Aftermath { target_rings: true, ..with_sound(BOB) };
    let open = so_far(&[100, 180], ringback);
    assert_eq!(open.verdict, Verdict::Inconclusive);
    named(&open, "target-not-answered", &["ringback", "told 100, 180 and no more"], &["nobody is heard"]);
    // Another place was named first, and did not have it.
    let own = OwnCall { redirected: Some((302, "<sip:dave@pbx>".into())), ..OwnCall::default() };
    let seen_302 = Transferred { own_call: Some(own), ..seen(&[404], back) };
    named(
        &after::judge(&wanted(), &seen_302),
        "target-redirected",
        &["redirected (302) to <sip:dave@pbx>, which answered 404"],
        &["is not known"],
    );
    let told = Told { contact: Some("<sip:eve@pbx>".into()), ..told(&[302]) };
    let by_notify = Transferred { told, ..seen(&[], back) };
    named(&after::judge(&wanted(), &by_notify), "target-redirected", &["to <sip:eve@pbx>"], &[]);
}

#[test]
fn a_transferee_that_was_not_given_back_is_told_with_what_it_hears() {
    let busy = Wanted { target_does: TransferTarget::Refuses(486), ..wanted() };
    named(
        &after::judge(&busy, &seen(&[486], with_sound(BOB))),
        "transferee-not-returned",
        &["carol refused with 486", "a sound of the platform", "was not given back to alice"],
        &["nobody is heard,"],
    );
    named(
        &after::judge(&busy, &seen(&[486], joined(&[]))),
        "transferee-not-returned",
        &["nobody"],
        &["sound"],
    );
    named(&after::judge(&busy, &seen(&[486], cut_off())), "transferee-dropped", &["bob was cut off"], &[]);
    let early = Wanted { hang_up_early: true, ..busy };
    named(&after::judge(&early, &seen(&[486], cut_off())), "transferee-dropped", &["hung up already"], &[]);
}

#[test]
fn a_refer_is_sent_again_where_that_may_help() {
    let refusal = |status, is_other_form| Refusal {
        status,
        retry_after: None,
        is_other_form,
        settled_before: Some(Duration::from_secs(10)),
        is_owner: true,
        patience: Duration::from_secs(20),
        chance: 10,
    };
    for status in [400, 403, 404, 416, 484, 485, 488, 500, 501, 603, 604] {
        assert_eq!(refer::again(&refusal(status, true)), Some(Again::ByAor), "{status}");
    }
    for status in [401, 407, 420, 429, 503] {
        assert_eq!(refer::again(&refusal(status, true)), None, "{status}");
    }
    for status in [403, 405, 481, 603] {
        assert_eq!(refer::again(&refusal(status, false)), None, "{status}");
    }
    assert_eq!(refer::again(&refusal(491, true)), Some(Again::Later(ms(2_200))));
    let callee = Refusal { is_owner: false, ..refusal(491, false) };
    assert_eq!(refer::again(&callee), Some(Again::Later(ms(1_000))), "the PBX may need a whole second");
    let soon = Refusal { settled_before: Some(ms(100)), ..refusal(481, false) };
    assert_eq!(refer::again(&soon), Some(Again::Later(ms(2_200))));
    for (after, again) in [(3, true), (21, false)] {
        let time = Duration::from_secs(after);
        let later = Refusal { retry_after: Some(time), ..refusal(503, false) };
        assert_eq!(refer::again(&later), again.then_some(Again::Later(time)));
    }
}

#[test]
fn what_was_changed_on_its_way_is_told_apart_from_what_was_refused() {
    let wanted = wanted();
    let answer = ReferAnswer::Refused(400, "Bad Request".into());
    let sent = "<sip:carol@pbx?Replaces=x%3Bto-tag%3Da>";
    let arrived = |refer_to: &str, answer| ReferArrived { refer_to: refer_to.into(), answer, times: 1 };
    let bare = arrived("sip:carol@pbx?Replaces=x%3Bto-tag%3Da", Some(400));
    let other = arrived("<sip:+1900@pbx>", Some(603));
    let cases = [
        (Some(&bare), "refer-to-changed", "without <>"),
        (Some(&other), "refer-to-changed", "<sip:+1900@pbx> reached bob"),
        (None, "refer-refused", "was refused with 400 Bad Request"),
        // As it was sent; or taken by our phone, and refused by the platform.
        (Some(&arrived(sent, Some(400))), "refer-refused", "400"),
        (Some(&arrived("<sip:carol@10.0.0.1>", Some(202))), "refer-refused", "400"),
    ];
    for (arrived, code, words) in cases {
        let (judged, _) = refer::judge(&Asked {
            wanted: &wanted,
            asked: "bob was asked to call carol",
            answer: &answer,
            end: &RequestEnd::refused(400, "Bad Request", &[]),
            waited: None,
            other_form: None,
            uri: "sip:carol@pbx",
            refer_to: sent,
            arrived,
        });
        let not: &[&str] = if code == "refer-to-changed" { &["was not understood"] } else { &["changed"] };
        named(&judged, code, &[words], not);
    }
    let end = RequestEnd::default();
    let arrived = |times| ReferArrived { refer_to: "<sip:carol@pbx>".into(), answer: Some(202), times };
    let (once, six, accepted) = (arrived(1), arrived(6), ReferAnswer::Accepted(202));
    let asked = |answer, other_form| Asked {
        wanted: &wanted,
        asked: "bob was asked to call carol",
        answer,
        end: &end,
        waited: None,
        other_form,
        uri: "sip:carol@pbx",
        refer_to: "<sip:carol@pbx>",
        arrived: None,
    };
    for (times, is_told) in [(1, false), (6, true)] {
        let arrived = Some(if times > 1 { &six } else { &once });
        let (_, beside) = refer::judge(&Asked { arrived, ..asked(&accepted, None) });
        let told = beside.iter().find(|finding| finding.code == "refer-repeated");
        assert_eq!(told.is_some_and(|f| f.seen.contains("came 6 times to bob, alice sent one")), is_told);
    }
    let form = Some(("603 Declined (Non sip: uri)", "tel:1003"));
    let (judged, _) = refer::judge(&asked(&ReferAnswer::Accepted(202), form));
    named(&judged, "refer-to-form-refused", &["tel:1003", "603 Declined (Non sip: uri)"], &["forbids"]);
    let declined = ReferAnswer::Refused(603, "Decline".into());
    let (judged, _) = refer::judge(&asked(&declined, form));
    named(&judged, "refer-refused", &["the one to tel:1003 before it as well"], &[]);
}

#[test]
fn a_hold_that_was_refused_is_a_warning_and_the_transfer_goes_on() {
    let wait = Duration::from_secs(10);
    let failed = |end| Change::Failed(Box::new(end));
    for (change, code) in [
        (failed(RequestEnd::refused(488, "", &[])), "reinvite-refused"),
        (failed(RequestEnd::default()), "reinvite-not-answered"),
    ] {
        let finding = consult::not_held(&wanted(), &change, wait).unwrap();
        assert_eq!((&*finding.code, finding.severity), (code, Severity::Warning));
        assert!(finding.seen.contains("bob was not put on hold"), "{}", finding.seen);
    }
    assert_eq!(consult::not_held(&wanted(), &Change::Made(Instant::now()), wait), None);
}

#[test]
fn the_one_on_hold_may_hear_the_holder_and_nobody_else() {
    let talk = (ALICE, CAROL);
    let leak = |more: &[(usize, usize)]| {
        let mut heard = joined(&[talk]).heard();
        more.iter().for_each(|(listener, speaker)| heard.note(*listener, *speaker));
        consult::leak(&wanted(), heard)
    };
    assert_eq!(leak(&[]), None);
    assert_eq!(leak(&[(BOB, ALICE)]), None, "the holder's music");
    for more in [(ALICE, BOB), (CAROL, BOB), (BOB, CAROL)] {
        assert_eq!(leak(&[more]).unwrap().severity, Severity::Warning);
    }
}

#[test]
fn legs_that_are_left_are_counted_and_named() {
    let still = joined(&[(BOB, CAROL)]);
    let left = |party, hung_up: bool| LegLeft {
        party,
        hung_up: hung_up.then(RequestEnd::default),
        refused_bye: None,
    };
    let judge = |left: &[LegLeft], consult_kept, still: &Aftermath| {
        release::judge(&wanted(), &Released { left, waited: Duration::from_secs(3), consult_kept, still })
    };
    assert_eq!(judge(&[], false, &still).verdict, Verdict::Pass);
    named(&judge(&[left(BOB, false)], false, &still), "leg-left-open", &["1 leg", "one of bob"], &["legs"]);
    let two = [left(BOB, false), left(CAROL, false)];
    named(&judge(&two, false, &still), "leg-left-open", &["2 legs", "one of bob, one of carol"], &[]);
    named(&judge(&[left(ALICE, true)], false, &still), "bye-not-answered", &["BYE of alice"], &["leg "]);
    let refused = LegLeft { refused_bye: Some((500, "CSeq 3 after 50".to_owned())), ..left(BOB, false) };
    named(
        &judge(&[refused], false, &still),
        "cseq-out-of-order",
        &["came to bob", "CSeq 3 after 50"],
        &["leg "],
    );
    named(&judge(&[], true, &still), "leg-left-open", &["the call of alice with carol"], &[]);
    named(&judge(&[], false, &joined(&[])), "dropped-with-transferor", &["lost each other"], &[]);
}

#[test]
fn a_place_that_parks_nobody_is_told_apart_from_a_wrong_call() {
    let fetched = |after: &Aftermath, ended_after| {
        park::fetched(&wanted(), &Fetched { place: "721", ended_after, after })
    };
    assert_eq!(fetched(&joined(&[(BOB, CAROL)]), None).verdict, Verdict::Pass);
    let announcement = Aftermath { transferee_up: false, ..with_sound(CAROL) };
    let not = ["music", "parties"];
    named(
        &fetched(&announcement, Some(ms(4_500))),
        "not-parked",
        &["nobody was parked at 721", "ended it after 4.5 s", "a sound of its own"],
        &not,
    );
    named(
        &fetched(&with_sound(CAROL), None),
        "not-parked",
        &["nobody hears anybody", "701 behind 700"],
        &not,
    );
    named(&fetched(&joined(&[(ALICE, CAROL)]), None), "wrong-parties-joined", &["carol hears alice"], &[]);
    let parked = |after: &Aftermath, statuses: &[u16]| {
        let answer = ReferAnswer::Accepted(202);
        let parked = Parked { place: "721", answer: Some(&answer), told: &told(statuses), after, keys: None };
        park::parked(&wanted(), &parked)
    };
    assert_eq!(parked(&with_sound(BOB), &[200]).verdict, Verdict::Pass);
    named(&parked(&joined(&[(ALICE, BOB)]), &[404]), "park-refused", &["told 404"], &[]);
    named(&parked(&joined(&[(ALICE, BOB)]), &[200]), "not-carried-out", &["bob is not parked"], &[]);
    named(&parked(&cut_off(), &[200]), "parked-call-lost", &["the call is destroyed"], &[]);
    assert!(park::silent(&wanted(), &with_sound(BOB)).is_none());
    assert_eq!(park::silent(&wanted(), &joined(&[])).unwrap().code, "parked-in-silence");
}

#[test]
fn keys_that_were_cut_short_are_told_with_what_the_target_did() {
    let keys = Keys {
        all: "##,303".into(),
        code: "##".into(),
        number: "303".into(),
        way: DtmfMethod::Rfc4733,
        digits: 5,
    };
    let busy = Wanted { target_does: TransferTarget::Refuses(486), ..wanted() };
    let effect = KeysSeen { alerted: 1, sound: Duration::from_secs(10), ..KeysSeen::default() };
    let judged = keys::judge(&busy, &keys, &cut_off(), &effect);
    let not_given_back = ["carol refused with 486", "after 10 s of a sound", "was not given back to alice"];
    named(&judged, "target-refused", &not_given_back, &[]);
    let rings = Wanted { target_does: TransferTarget::Rings, ..wanted() };
    let judged = keys::judge(&rings, &keys, &cut_off(), &effect);
    named(&judged, "target-not-answered", &["carol rang and did not answer"], &[]);
    let judged = keys::judge(&wanted(), &keys, &cut_off(), &effect);
    named(&judged, "transferee-dropped", &["bob was cut off after 10 s"], &[]);
    let judged = keys::judge(&busy, &keys, &joined(&[(ALICE, BOB)]), &effect);
    assert_eq!(judged.verdict, Verdict::Pass, "{}", judged.detail);
    assert!(judged.detail.contains("carol refused with 486; bob is back with alice"), "{}", judged.detail);
    let nothing = |arrived, is_taken| KeysSeen { arrived, is_taken, ..KeysSeen::default() };
    for (arrived, is_taken, code) in [
        (5, false, "feature-code-ignored"),
        (0, false, "feature-code-ignored"),
        (2, false, "not-carried-out"),
        (0, true, "number-unknown"),
    ] {
        let judged = keys::judge(&wanted(), &keys, &joined(&[(ALICE, BOB)]), &nothing(arrived, is_taken));
        named(&judged, code, &["still talks to alice"], &[]);
    }
}

#[test]
fn a_refer_to_that_was_changed_on_its_way_and_obeyed_is_told_with_both_values() {
    let (wanted, answer, end) = (wanted(), ReferAnswer::Accepted(202), RequestEnd::default());
    let told = |sent: &str, arrived: &str| {
        let arrived = ReferArrived { refer_to: arrived.into(), answer: Some(202), times: 1 };
        let asked = Asked {
            wanted: &wanted,
            asked: "bob was asked to call carol",
            answer: &answer,
            end: &end,
            waited: None,
            other_form: None,
            uri: "sip:carol@pbx",
            refer_to: sent,
            arrived: Some(&arrived),
        };
        refer::judge(&asked).1
    };
    let replaces = "<sip:carol@pbx?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>";
    for (sent, arrived) in [
        ("<sip:carol@pbx>", "<sip:carol@127.0.0.1:9>"),
        ("<sip:carol@pbx>", "<sip:carol@pbx:5070>"),
        ("<sip:carol@pbx>", "<sip:1003@pbx>"),
        ("<sip:carol@pbx>", "<sip:carol@pbx;transport=tcp>"),
        ("<sip:carol@pbx>", "<sips:carol@pbx>"),
        ("<sip:carol@pbx>", "<sip:carol@pbx?Route=%3Csip:evil%3E>"),
        (replaces, "<sip:carol@pbx>"),
        ("<tel:+15550103>", "<sip:+15550103@pbx>"),
        ("<sip:carol;ext=1@pbx>", "<sip:carol;ext=1@10.0.0.1>"),
    ] {
        let findings = told(sent, arrived);
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning), "{arrived}");
        assert!(
            findings[0].seen.contains(sent) && findings[0].seen.contains(arrived),
            "{}",
            findings[0].seen
        );
    }
    for (sent, arrived) in [
        ("<sip:carol@pbx>", "<sip:carol@pbx>"),
        ("<sip:carol@pbx>", "\"Carol\" <sip:carol@PBX>"),
        ("<sip:carol@pbx>", "sip:%63arol@pbx"),
        // Its dialog is another one at the other side.
        (replaces, "<sip:carol@pbx?Replaces=y%3Bto-tag%3Dc%3Bfrom-tag%3Dd>"),
    ] {
        assert_eq!(told(sent, arrived), [], "{arrived}");
    }
}
