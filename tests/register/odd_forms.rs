//! Answers that are taken all the same and that strict devices drop: each passes, and none without a word.

use crate::scene::{ALL_PASS, assert_verdict};
use crate::scripted::{Registrar, Reply, Scripted, blamed, told};
use crate::seen::{finding, step, steps};
use ringback::check::{Lookup, Severity, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{Tcp, Udp};
use ringback::syntax::HeaderName;

type Change = fn(String) -> String;

fn without_tag(answer: String) -> String {
    let lines = answer.split("\r\n").map(|line| match line.starts_with("To:") {
        true => line.split(";tag=").next().unwrap_or(line),
        false => line,
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

fn with_header(answer: &str, header: &str) -> String {
    answer.replacen("Content-Length:", &format!("{header}\r\nContent-Length:"), 1)
}

#[rustfmt::skip]
const FORMS: &[(&str, Change, &str)] = &[
    ("via-rewritten", |a| a.replace("SIP/2.0/UDP", "SIP/2.0/TLS"), "TLS as the transport in our Via"),
    ("via-rewritten", |a| a.replace("192.0.2.7:5070;", "192.0.2.7:5071;"), "192.0.2.7:5071"),
    ("answer-without-tag", without_tag, "no tag in To"),
    ("extension-demanded", |a| with_header(&a, "Require: outbound"), "Require: outbound"),
    ("line-feeds-alone", |a| a.replace("\r\n", "\n"), "line feed alone"),
];

#[tokio::test(start_paused = true)]
async fn what_strict_devices_drop_is_told_by_register_and_reachable() {
    for (code, change, seen) in FORMS {
        let scene = Scripted::new(Registrar::default(), |r, q| change(r.healthy(q))).await;
        for outcome in [scene.register(Udp).await, scene.reachable(Udp).await] {
            assert_verdict(&outcome, Verdict::Pass);
            let found = finding(&outcome, code);
            assert!(found.severity == Severity::Warning && found.seen.contains(seen), "{outcome}");
            assert!(!found.evidence.is_empty(), "{outcome}");
        }
    }
}

/// What we offer may be demanded, and the answer of another device may be of any form.
#[tokio::test(start_paused = true)]
async fn what_was_offered_may_be_demanded() {
    let scene =
        Scripted::new(Registrar::default(), |r, q| with_header(&r.healthy(q), "Require: path, gruu")).await;
    let outcome = scene.register(Udp).await;
    assert_eq!((steps(&outcome).as_str(), &*outcome.findings), (ALL_PASS, &[][..]), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_longer_time_than_was_asked_is_told_and_a_shorter_one_is_the_registrars_right() {
    for (granted, is_told) in [(86_400, true), (301, true), (300, false), (120, false)] {
        let scene = Scripted::new(Registrar::default(), move |r, q| {
            r.healthy(q).replace(";expires=300", &format!(";expires={granted}"))
        })
        .await;
        let outcome = scene.register(Udp).await;
        assert_verdict(&outcome, Verdict::Pass);
        let found: Vec<_> = outcome.findings.iter().filter(|f| f.code == "expiry-raised").collect();
        assert_eq!(found.len(), usize::from(is_told), "{outcome}");
        let values = [format!("{granted} s granted"), "300 s that were asked".to_owned()];
        assert!(found.iter().all(|found| values.iter().all(|v| found.seen.contains(v))), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_prove_the_password_is_told() {
    let wrong = format!("Authentication-Info: qop=auth, rspauth=\"{}\"", "0".repeat(32));
    let scene = Scripted::new(Registrar::default(), move |r, q| {
        let answer = r.healthy(q);
        if answer.contains("200 OK") { with_header(&answer, &wrong) } else { answer }
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert!(finding(&outcome, "server-not-proved").seen.contains("rspauth"), "{outcome}");

    let scene = Scripted::new(Registrar::default(), |r, q| {
        let answer = r.healthy(q);
        if answer.contains("200 OK") { with_header(&answer, "Authentication-Info: qop=auth") } else { answer }
    })
    .await;
    assert_eq!(scene.register(Udp).await.findings, []);
}

#[tokio::test(start_paused = true)]
async fn one_contact_that_is_listed_twice_is_one_device() {
    const PHONE: &str = "<sip:alice@192.0.2.10:5060>";
    for (others, devices, is_told) in [
        ([PHONE, PHONE], "1 device is registered", true),
        ([PHONE, "<sip:alice@192.0.2.11:5060>"], "2 devices are registered", false),
    ] {
        let scene = Scripted::new(Registrar::with(&others), |r, q| r.healthy(q)).await;
        let lookup = scene.check(Lookup::new(&scene.account("alice", Udp))).await;
        let bound = lookup.register().and_then(|found| found.bindings.as_deref()).map(<[_]>::len);
        assert_eq!(bound, Some(if is_told { 1 } else { 2 }), "{lookup}");
        for outcome in [scene.register(Udp).await, lookup] {
            assert_verdict(&outcome, Verdict::Pass);
            assert!(outcome.summary.contains(devices), "{outcome}");
            let found = outcome.findings.iter().find(|f| f.code == "contact-listed-twice");
            assert_eq!(found.is_some(), is_told, "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirection_back_to_where_it_was_asked_is_no_new_server() {
    for (contact, code, side) in [
        ("<sip:203.0.113.1>", "redirect-loop", "peer"),
        ("<sip:203.0.113.1:5060;transport=tcp>", "redirect-loop", "peer"),
        ("<sip:pbx.example.com>", "redirect-loop", "setup"),
        ("<sip:203.0.113.1:5080>", "redirected", "setup"),
        ("<sip:new.example.com>", "redirected", "setup"),
        ("<sip:203.0.113.1>, <sip:new.example.com>", "redirected", "setup"),
    ] {
        let scene = Scripted::new(Registrar::default(), move |r, q| {
            r.answer(q, 302, "Moved", &[("Contact", contact)])
        })
        .await;
        let outcome = scene.register(Udp).await;
        let found = finding(&outcome, code);
        assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some(side)), "{outcome}");
        assert!(found.seen.contains(contact.split(',').next().unwrap()), "{outcome}");
        assert_eq!(found.advice.contains("put the new server"), code == "redirected", "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_that_nobody_waits_for_is_shown_as_it_came() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        r.answer(q, 503, "Service Unavailable", &[("Retry-After", "999999999999999")])
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Inconclusive, Some("peer")), "{outcome}");
    let told = told(&outcome);
    assert!(told.contains("999999999999999") && told.contains("correct its Retry-After"), "{outcome}");
    assert!(!told.contains("4294967295") && !told.contains("is obeyed"), "{outcome}");
}

fn closing(
    behind: impl Fn(&Registrar, &Message) -> bool + Send + 'static,
) -> impl FnMut(&mut Registrar, &Message) -> Vec<Reply> + Send {
    move |r, q| {
        let closes = behind(r, q);
        let answer = Reply::Bytes(r.healthy(q).into_bytes());
        if closes { vec![answer, Reply::Close] } else { vec![answer] }
    }
}

/// One verdict, whether a request meets the end of its connection or not.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_behind_each_answer_is_one_warning() {
    for only_401 in [false, true] {
        let behind = move |r: &Registrar, q: &Message| !only_401 || r.is_unanswered(q);
        let scene = Scripted::raw(Registrar::default(), closing(behind)).await;
        let outcome = scene.register(Tcp).await;
        assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
        let codes: Vec<&str> = outcome.findings.iter().map(|found| &*found.code).collect();
        assert_eq!(codes, ["connection-not-kept"], "{outcome}");
        assert!(!told(&outcome).contains("breaks off at this request"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_broken_off_at_one_request_is_not_told_as_closed_between_two() {
    let scene = Scripted::raw(Registrar::default(), |r, q| {
        let contact = q.header(HeaderName::Contact).map(String::from_utf8_lossy);
        match contact.is_some_and(|contact| !contact.contains(";expires=0")) {
            true => vec![Reply::Close],
            false => vec![Reply::Bytes(r.healthy(q).into_bytes())],
        }
    })
    .await;
    let outcome = scene.register(Tcp).await;
    assert!(step(&outcome, "bind").detail.contains("upon the bind"), "{outcome}");
    assert!(!told(&outcome).contains("between two requests"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_bindings_that_lists_ours_alone_is_the_platforms() {
    for (others, side, advice) in [
        (&[][..], "peer", "believes that it is not registered"),
        (&["<sip:alice@192.0.2.10>"], "setup", "remove old devices"),
    ] {
        let scene = Scripted::new(Registrar::with(others), |r, q| {
            let answer = r.healthy(q);
            let binds = q.header(HeaderName::Contact).is_some()
                && !String::from_utf8_lossy(q.as_bytes()).contains(";expires=0");
            match binds && answer.contains("200 OK") {
                true => answer.replace("200 OK", "403 Maximum number of devices reached"),
                false => answer,
            }
        })
        .await;
        let check = ringback::check::Register::new(&scene.account("alice", Udp)).beside_live_devices(true);
        let outcome = scene.check(check).await;
        let found = finding(&outcome, "too-many-bindings");
        assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some(side)), "{outcome}");
        assert!(found.advice.contains(advice), "{outcome}");
    }
}
