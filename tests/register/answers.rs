//! Answers that contradict others of the same registrar: what was refused or granted elsewhere in the check counts.

use super::scene::assert_verdict;
use crate::scripted::{Registrar, Reply, Scripted, blamed, told};
use crate::seen::{finding, step, steps};
use ringback::check::{Lookup, Outcome, Register, Severity, Verdict};
use ringback::message::Message;
use ringback::message::Transport::Udp;
use ringback::syntax::HeaderName;

const PASSWORD: [&str; 3] = ["wrong password", "account may not be active", "enter the SIP password"];

fn is_query(request: &Message) -> bool {
    request.header(HeaderName::Contact).is_none()
}

fn asks_to_stay(request: &Message) -> bool {
    let contact = request.header(HeaderName::Contact).map(String::from_utf8_lossy);
    contact.is_some_and(|contact| !contact.contains(";expires=0"))
}

fn assert_blames_no_password(outcome: &Outcome) {
    let text = told(outcome);
    assert!(PASSWORD.iter().all(|word| !text.contains(word)), "{outcome}");
}

/// The one that refuses queries alone, behind the digest.
async fn refusing_queries(status: u16, phrase: &'static str) -> Scripted {
    Scripted::new(Registrar::default(), move |r, q| match is_query(q) && !r.is_unanswered(q) {
        true => r.answer(q, status, phrase, &[]),
        false => r.healthy(q),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_refuses_queries_alone_registers() {
    for (status, phrase) in [
        (400, "Missing Contact"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (480, "Temporarily Unavailable"),
        (488, "Not Acceptable Here"),
        (500, "Server Internal Error"),
        (603, "Decline"),
    ] {
        let scene = refusing_queries(status, phrase).await;
        let outcome = scene.register(Udp).await;
        assert_verdict(&outcome, Verdict::Pass);
        let found = finding(&outcome, "query-refused");
        assert!(found.severity == Severity::Warning && found.seen.contains(phrase), "{outcome}");
        assert_blames_no_password(&outcome);

        // Who asks for nothing but the query learns that it is refused, and no more.
        let account = scene.account("alice", Udp);
        let query = scene.check(Register::new(&account).query_only(true)).await;
        let lookup = scene.check(Lookup::new(&account)).await;
        for (outcome, code) in [(query, "query-refused"), (lookup, "lookup-refused")] {
            if status == 404 {
                assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("setup")), "{outcome}");
                continue;
            }
            assert_verdict(&outcome, Verdict::Inconclusive);
            let found = finding(&outcome, code);
            assert!(found.seen.contains(phrase), "{outcome}");
            assert_eq!(blamed(&outcome), Some("peer"), "{outcome}");
            assert_blames_no_password(&outcome);
        }
        assert!(scene.registrar.lock().unwrap().bindings.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_refuses_everything_is_told_as_before() {
    for (status, phrase, code) in
        [(403, "Forbidden", "forbidden-after-digest"), (404, "Not Found", "unknown-user")]
    {
        let scene = Scripted::new(Registrar::default(), move |r, q| match r.is_unanswered(q) {
            true => r.challenge(q),
            false => r.answer(q, status, phrase, &[]),
        })
        .await;
        let outcome = scene.register(Udp).await;
        assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("setup")), "{outcome}");
        finding(&outcome, code);
        assert!(!told(&outcome).contains("query-refused"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_ban_or_a_pause_nothing_is_tried() {
    for (status, phrase, header) in [
        (403, "Maximum failed attempts exceeded", ("X-A", "b")),
        (500, "Server Internal Error", ("Retry-After", "30")),
        (503, "Service Unavailable", ("X-A", "b")),
        (420, "Bad Extension", ("Unsupported", "path")),
    ] {
        let scene =
            Scripted::new(Registrar::default(), move |r, q| r.answer(q, status, phrase, &[header])).await;
        let outcome = scene.register(Udp).await;
        assert_eq!(step(&outcome, "bind").verdict, Verdict::NotRun, "{outcome}");
        assert_eq!(scene.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_minimum_that_is_refused_after_it_was_obeyed_is_told_as_that() {
    for at_refresh in [false, true] {
        let scene = Scripted::new(Registrar::default(), move |r, q| {
            let is_due = !at_refresh || !r.bindings.is_empty();
            match asks_to_stay(q) && !r.is_unanswered(q) && is_due {
                true => r.answer(q, 423, "Interval Too Brief", &[("Min-Expires", "600")]),
                false => r.healthy(q),
            }
        })
        .await;
        let outcome = scene.register(Udp).await;
        assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
        let found = finding(&outcome, "interval-refused-again");
        for word in ["600 s were asked", "Min-Expires 600", "(600 s) was obeyed"] {
            assert!(found.seen.contains(word), "{word}: {outcome}");
        }
        assert!(!told(&outcome).contains("of no use"), "{outcome}");
        assert_eq!(
            found.seen.contains("registration was accepted just before, with 300 s granted"),
            at_refresh,
            "{outcome}"
        );
    }
}

/// The binding took the minimum, and its refresh with the same time is refused at once.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_asks_for_the_minimum_and_is_refused_is_told_as_that() {
    let mut asked = 0;
    let scene = Scripted::new(Registrar::default(), move |r, q| {
        if !asks_to_stay(q) || r.is_unanswered(q) {
            return r.healthy(q);
        }
        asked += 1;
        match asked {
            2 => r.healthy(q),
            _ => r.answer(q, 423, "Interval Too Brief", &[("Min-Expires", "600")]),
        }
    })
    .await;
    let outcome = scene.register(Udp).await;
    let found = finding(&outcome, "interval-refused-again");
    assert!(found.seen.contains("to 600 s") && found.seen.contains("no less"), "{outcome}");
}

/// Two nodes behind an edge answer the same request.
#[tokio::test(start_paused = true)]
async fn two_final_answers_to_one_request_are_told() {
    for (first_is_good, words) in [(true, "200 OK, and"), (false, "403 Forbidden, and")] {
        let scene = Scripted::raw(Registrar::default(), move |r, q| {
            let good = Reply::Bytes(r.healthy(q).into_bytes());
            if r.is_unanswered(q) {
                return vec![good];
            }
            let bad = Reply::Bytes(r.answer(q, 403, "Forbidden", &[]).into_bytes());
            if first_is_good { vec![good, bad] } else { vec![bad, good] }
        })
        .await;
        let outcome = scene.register(Udp).await;
        let found = finding(&outcome, "second-final-answer");
        assert!(found.severity == Severity::Warning && found.seen.contains(words), "{outcome}");
        assert!(found.evidence.len() >= 2, "{outcome}");
        assert_eq!(outcome.verdict == Verdict::Pass, first_is_good, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_answer_twice_is_a_retransmission() {
    let scene = Scripted::raw(Registrar::default(), |r, q| {
        let answer = r.healthy(q).into_bytes();
        vec![Reply::Bytes(answer.clone()), Reply::Bytes(answer)]
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_eq!(steps(&outcome), crate::scene::ALL_PASS, "{outcome}");
    assert!(!told(&outcome).contains("second-final-answer"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_that_lists_nothing_is_no_missing_expiry() {
    for (status, phrase) in [(200, "OK"), (202, "Accepted")] {
        let scene =
            Scripted::new(Registrar::default(), move |r, q| match asks_to_stay(q) && !r.is_unanswered(q) {
                true => r.answer(q, status, phrase, &[]),
                false => r.healthy(q),
            })
            .await;
        let outcome = scene.register(Udp).await;
        assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
        let found = finding(&outcome, "contact-not-listed");
        assert!(found.seen.contains(phrase) && found.seen.contains("no binding at all"), "{outcome}");
        assert!(!told(&outcome).contains("without an expiry"), "{outcome}");
    }
}
