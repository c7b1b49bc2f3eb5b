//! Retry-After is obeyed on every status that may carry it: for the account, or for the registrar (RFC 3261 sec. 20.33).

use crate::scripted::{Registrar, Scripted, told};
use ringback::check::{Register, Verdict};
use ringback::message::Transport::Udp;

/// Checks eight accounts one after the other at a registrar that refuses all; gives the requests that came and who was not asked.
async fn eight(status: u16, phrase: &'static str) -> (usize, Vec<usize>) {
    let scene = Scripted::new(Registrar::default(), move |r, q| {
        r.answer(q, status, phrase, &[("Retry-After", "30")])
    })
    .await;
    let mut withheld = Vec::new();
    for number in 0..8 {
        let account = scene.account(&format!("user{number}"), Udp);
        let outcome = scene.check(Register::new(&account)).await;
        if outcome.verdict == Verdict::NotRun {
            assert!(told(&outcome).contains("asked for a pause"), "{outcome}");
            withheld.push(number);
        } else {
            assert!(told(&outcome).contains("30 s"), "{outcome}");
        }
    }
    (scene.requests().len(), withheld)
}

#[tokio::test(start_paused = true)]
async fn three_accounts_with_a_pause_are_the_server() {
    for (status, phrase) in [
        (404, "Not Found"),
        (413, "Too Large"),
        (429, "Provide Referrer Identity"),
        (500, "Server Internal Error"),
        (503, "Service Unavailable"),
        (480, "Away"),
        (486, "Busy"),
        (600, "Busy"),
        (603, "Decline"),
    ] {
        assert_eq!(eight(status, phrase).await, (3, (3..8).collect()), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_with_a_pause_is_not_asked_again_and_another_one_is() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        match String::from_utf8_lossy(q.as_bytes()).contains("alice") {
            true => r.answer(q, 480, "Away", &[("Retry-After", "30")]),
            false => r.healthy(q),
        }
    })
    .await;
    assert_eq!(scene.register(Udp).await.verdict, Verdict::Fail);
    let again = scene.register(Udp).await;
    assert_eq!(again.verdict, Verdict::NotRun, "{again}");
    assert!(told(&again).contains("alice"), "{again}");
    let other = scene.check(Register::new(&scene.account("bob", Udp))).await;
    assert_eq!(other.verdict, Verdict::Pass, "{other}");
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    assert_eq!(scene.register(Udp).await.verdict, Verdict::Fail);
}

/// Who comes a moment too early waits for it, instead of sending somebody to try again.
#[tokio::test(start_paused = true)]
async fn a_pause_that_is_as_good_as_over_is_waited_out_and_a_long_one_is_told_in_whole_seconds() {
    for (pause, asked) in [("1", 8), ("5", 8), ("6", 3)] {
        let scene = Scripted::new(Registrar::default(), move |r, q| {
            r.answer(q, 503, "Service Unavailable", &[("Retry-After", pause)])
        })
        .await;
        let mut left_out = Vec::new();
        for number in 0..8 {
            let outcome = scene.check(Register::new(&scene.account(&format!("user{number}"), Udp))).await;
            assert!(!told(&outcome).contains("0 s are left"), "{outcome}");
            if outcome.verdict == Verdict::NotRun {
                left_out.push(outcome);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(scene.requests().len(), asked, "Retry-After: {pause}");
        assert_eq!(left_out.len(), 8 - asked);
        assert!(left_out.iter().all(|outcome| told(outcome).contains("6 s are left")), "{left_out:?}");
    }
}
