//! A registrar that is slow, silent for one account, or silent for everybody from some time on.

use super::scene::{ALL_PASS, Scene, assert_verdict};
use super::scripted::{Registrar, Reply, Scripted, told};
use crate::seen::{finding, steps};
use futures_util::StreamExt;
use ringback::check::{Outcome, Pace, Register, Side, Verdict};
use ringback::message::Message;
use ringback::message::Transport::Udp;
use ringback::sim::{Link, User};
use std::time::Duration;

/// A registrar in memory whose answers take this long.
async fn slow(milliseconds: u64) -> Scene {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(milliseconds / 2)));
    scene
}

#[tokio::test(start_paused = true)]
async fn a_slow_registrar_is_called_slow_whatever_step_our_time_ends_in() {
    for (takes, limit) in
        [(6_000, 40_000), (7_000, 40_000), (6_000, 30_000), (6_000, 28_500), (2_500, 4_600), (2_500, 7_200)]
    {
        let scene = slow(takes).await;
        let outcome = scene.check(scene.register("alice", Udp).timeout(Duration::from_millis(limit))).await;
        let told = told(&outcome);
        if outcome.verdict != Verdict::Pass {
            assert_verdict(&outcome, Verdict::Inconclusive);
            let found = finding(&outcome, "time-limit");
            assert_eq!(found.side, Side::Probe, "{told}");
            assert!(found.seen.contains(&format!("up to {:.1} s", takes as f32 / 1000.0)), "{told}");
            assert!(found.advice.contains("its answers are so slow"), "{told}");
        }
        for wrong in ["not at all", "fail2ban", "could not be removed", "SIP ALG"] {
            assert!(!told.contains(wrong), "{takes} ms, {limit} ms: {told}");
        }
        assert_eq!(scene.lab.bindings("alice"), [], "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_registrar_that_is_given_the_time_passes() {
    let scene = slow(6_000).await;
    let outcome = scene.check(scene.register("alice", Udp).timeout(Duration::from_secs(120))).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
}

/// Checks of eight accounts, each as the script answers it: `false` is silence.
async fn eight(
    mut answers: impl FnMut(&Registrar, &Message, &str) -> bool + Send + 'static,
    concurrency: usize,
) -> Vec<Outcome> {
    let scene = Scripted::raw(Registrar::default(), move |registrar, request| {
        let user =
            String::from_utf8_lossy(request.to().unwrap().uri().user().unwrap_or_default()).into_owned();
        if !answers(registrar, request, &user) {
            return Vec::new();
        }
        // Of each account by itself: none is a device beside another.
        let mut own = Registrar {
            bindings: registrar.bindings.iter().filter(|(uri, _)| uri.contains(&user)).cloned().collect(),
            ..Registrar::default()
        };
        let answer = own.healthy(request);
        registrar.bindings.retain(|(uri, _)| !uri.contains(&user));
        registrar.bindings.extend(own.bindings);
        vec![Reply::Bytes(answer.into_bytes())]
    })
    .await;
    let checks: Vec<Register> =
        (0..8).map(|number| Register::new(&scene.account(&format!("u{number}"), Udp))).collect();
    let mut outcomes: Vec<Outcome> =
        scene.probe.check_many(checks, Pace { concurrency, per_second: Some(20.0) }).collect().await;
    outcomes.sort_by_key(|outcome| outcome.subject.clone());
    outcomes
}

#[tokio::test(start_paused = true)]
async fn one_silent_account_among_others_that_are_answered_is_no_ban() {
    let is_login = |request: &Message| request.header(ringback::syntax::HeaderName::Authorization).is_some();
    let outcomes = eight(move |_, request, user| user != "u1" || !is_login(request), 8).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        if number != 1 {
            assert_verdict(outcome, Verdict::Pass);
            continue;
        }
        assert_verdict(outcome, Verdict::Fail);
        let (found, told) = (finding(outcome, "request-dropped"), told(outcome));
        assert_eq!(found.side, Side::Peer, "{told}");
        assert!(told.contains("other accounts were answered") && told.contains("password"), "{told}");
        assert!(!told.contains("unblocked"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_in_mid_run_is_one_verdict_for_all_whom_it_meets() {
    let mut left = 14;
    let outcomes = eight(
        move |_, _, _| {
            left = (left - 1).max(-1);
            left >= 0
        },
        1,
    )
    .await;
    let silent: Vec<&Outcome> = outcomes.iter().filter(|o| o.verdict == Verdict::Inconclusive).collect();
    assert!(silent.len() >= 3, "{}", outcomes.iter().map(told).collect::<String>());
    for outcome in &silent {
        finding(outcome, "answers-stopped");
        assert!(told(outcome).contains("unblocked"), "{outcome}");
    }
    assert!(outcomes.iter().all(|o| o.verdict != Verdict::Fail), "a server address was right a moment ago");
    assert!(outcomes.iter().any(|o| o.verdict == Verdict::NotRun));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_answered_by_silence_names_the_password_and_one_that_was_good_does_not() {
    for (accepted, is_named) in [(0, true), (1, false)] {
        let mut left = accepted;
        let scene = Scripted::raw(Registrar::default(), move |registrar, request| {
            if !registrar.is_unanswered(request) {
                left -= 1;
                if left < 0 {
                    return Vec::new();
                }
            }
            vec![Reply::Bytes(registrar.healthy(request).into_bytes())]
        })
        .await;
        let outcome = scene.register(Udp).await;
        assert_verdict(&outcome, Verdict::Inconclusive);
        let found = finding(&outcome, "answers-stopped");
        assert_eq!(found.advice.contains("check the password"), is_named, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn stale_to_every_answer_may_be_a_wrong_password_too() {
    let scene = Scripted::new(Registrar::default(), |registrar, request| {
        let challenge = "Digest realm=\"pbx.example.com\", nonce=\"n\", qop=\"auth\", stale=true";
        registrar.answer(request, 401, "Unauthorized", &[("WWW-Authenticate", challenge)])
    })
    .await;
    let outcome = scene.register(Udp).await;
    let found = finding(&outcome, "stale-loop");
    assert!(!found.seen.contains("correct"), "nobody knows: {outcome}");
    assert!(found.advice.contains("check the password"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_refused_and_looked_for_has_one_advice() {
    for (status, phrase) in [(503, "Busy"), (408, "Timeout"), (423, "Brief"), (403, "Forbidden")] {
        let scene = Scripted::new(Registrar::default(), move |registrar, request| {
            let contact = request.header(ringback::syntax::HeaderName::Contact).unwrap_or_default();
            let is_removal = String::from_utf8_lossy(contact).split(';').any(|part| part == "expires=0");
            match is_removal && !registrar.is_unanswered(request) {
                true => registrar.answer(request, status, phrase, &[]),
                false => registrar.healthy(request),
            }
        })
        .await;
        let outcome = scene.register(Udp).await;
        let told = told(&outcome);
        assert_verdict(&outcome, Verdict::Fail);
        assert!(!told.contains("by instance or URI"), "it did not even try: {told}");
        assert!(told.contains("our binding is still there"), "{told}");
        let errors = outcome.findings.iter().filter(|f| f.severity == ringback::check::Severity::Error);
        assert_eq!(errors.count(), 1, "{told}");
        let is_a_proxys = outcome.findings.iter().any(|f| f.code == "nobody-behind-the-proxy");
        assert_eq!(is_a_proxys, status == 408, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_refuses_bindings_as_well_is_one_verdict_for_a_lookup_and_a_registration() {
    for (status, phrase) in [
        (403, "Forbidden"),
        (405, "Method Not Allowed"),
        (406, "Not Acceptable"),
        (480, "Away"),
        (482, "Loop Detected"),
        (486, "Busy Here"),
        (501, "Not Implemented"),
        (600, "Busy Everywhere"),
        (603, "Decline"),
    ] {
        let scene = Scripted::new(Registrar::default(), move |registrar, request| {
            registrar.answer(request, status, phrase, &[])
        })
        .await;
        let account = scene.account("alice", Udp);
        let code = |outcome: &Outcome| outcome.findings.first().unwrap().code.to_string();
        let registered = scene.check(Register::new(&account)).await;
        let looked = scene.check(ringback::check::Lookup::new(&account)).await;
        let queried = scene.check(Register::new(&account).query_only(true)).await;
        for other in [&looked, &queried] {
            assert_eq!((other.verdict, code(other)), (registered.verdict, code(&registered)), "{other}");
        }
        assert_verdict(&looked, Verdict::Fail);
    }
}
