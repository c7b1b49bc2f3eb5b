//! Connections: where a message ends, and when the far side hangs up. Whoever has spoken SIP there is no other service.

use super::scene::{ALL_PASS, assert_verdict};
use crate::scripted::{Registrar, Reply, Scripted, blamed, told};
use crate::seen::{finding, steps};
use ringback::check::{Outcome, Verdict};
use ringback::message::Message;
use ringback::message::Transport::Tcp;
use ringback::syntax::HeaderName;

/// What nobody may be told with whom SIP was spoken a moment before.
const ANOTHER_SERVICE: [&str; 6] = [
    "another service",
    "another protocol",
    "TLS?",
    "check address and port",
    "keep-alives shorter",
    "our own limit",
];

fn text(text: impl Into<String>) -> Vec<Reply> {
    vec![Reply::Bytes(text.into().into_bytes())]
}

fn assert_told(outcome: &Outcome, name: &str, words: &[&str]) {
    let told = told(outcome);
    for word in words {
        assert!(told.contains(word), "{name}: {word:?} is not told:\n{outcome}");
    }
    for word in ANOTHER_SERVICE {
        assert!(!told.contains(word), "{name}: {word:?} is told:\n{outcome}");
    }
    if outcome.verdict != Verdict::Pass {
        assert_eq!((outcome.verdict, blamed(outcome)), (Verdict::Fail, Some("peer")), "{name}: {outcome}");
    }
}

fn is_bind(request: &Message) -> bool {
    let contact = request.header(HeaderName::Contact).map(String::from_utf8_lossy);
    contact.is_some_and(|contact| !contact.contains(";expires=0"))
}

fn body(answer: &str, declared: &str, body: &str) -> String {
    answer.replacen("Content-Length: 0\r\n", declared, 1) + body
}

type Change = fn(&mut Registrar, &Message) -> Vec<Reply>;

#[rustfmt::skip]
const LENGTHS: &[(&str, Change, &[&str])] = &[
    ("too small", |r, q| text(body(&r.healthy(q), "Content-Length: 3\r\n", "helhello you!")), &["Content-Length is 3", "hello you!", "401 Unauthorized"]),
    ("none announced", |r, q| text(body(&r.healthy(q), "Content-Length: 0\r\n", "hello")), &["Content-Length is 0", "hello"]),
    ("too small after the digest", |r, q| {
        let answer = r.healthy(q);
        text(if answer.contains("200 OK") { body(&answer, "Content-Length: 3\r\n", "helhello you!") } else { answer })
    }, &["Content-Length is 3", "hello you!", "200 OK"]),
    ("too large", |r, q| text(body(&r.healthy(q), "Content-Length: 99999999\r\n", "")), &["99999999"]),
    ("too large, with some of it", |r, q| text(body(&r.healthy(q), "l: 99999999\r\n", "hello")), &["99999999"]),
    ("beyond what we take", |r, q| text(body(&r.healthy(q), "Content-Length: 70000\r\n", "")), &["70000"]),
    ("two", |r, q| text(body(&r.healthy(q), "Content-Length: 0\r\nContent-Length: 5\r\n", "hello")), &["2 Content-Length", "0, 5"]),
    ("two in short", |r, q| text(body(&r.healthy(q), "l: 5\r\nContent-Length: 7\r\n", "hello")), &["2 Content-Length", "5, 7"]),
];

#[tokio::test(start_paused = true)]
async fn a_wrong_content_length_is_told_as_that() {
    for (name, change, words) in LENGTHS {
        let outcome = Scripted::raw(Registrar::default(), *change).await.register(Tcp).await;
        eprintln!("{name}: {outcome}");
        assert_told(&outcome, name, words);
        finding(&outcome, "content-length-wrong");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_content_length_is_told_as_that_by_reachable() {
    for (name, change, words) in
        LENGTHS.iter().filter(|(name, ..)| name.contains("large") || name.contains("two"))
    {
        let open = Registrar { open: true, ..Registrar::default() };
        let outcome = Scripted::raw(open, *change).await.reachable(Tcp).await;
        assert_told(&outcome, name, words);
    }
}

/// The same length twice is one length.
#[tokio::test(start_paused = true)]
async fn the_same_content_length_twice_is_taken() {
    let scene =
        Scripted::new(Registrar::default(), |r, q| body(&r.healthy(q), "Content-Length: 0\r\nl: 0\r\n", ""))
            .await;
    assert_eq!(steps(&scene.register(Tcp).await), ALL_PASS);
}

#[tokio::test(start_paused = true)]
async fn who_spoke_sip_and_closes_at_one_request_is_no_other_service() {
    let cases: &[(&str, Change, &[&str])] = &[
        (
            "at each bind",
            |r, q| if is_bind(q) { vec![Reply::Close] } else { text(r.healthy(q)) },
            &["upon the bind", "had answered in SIP"],
        ),
        (
            "at the answered challenge",
            |r, q| if r.is_unanswered(q) { text(r.healthy(q)) } else { vec![Reply::Close] },
            &["upon the query", "had answered in SIP"],
        ),
        (
            "at the refresh",
            |r, q| match is_bind(q) && !r.bindings.is_empty() {
                true => vec![Reply::Close],
                false => text(r.healthy(q)),
            },
            &["upon the refresh", "had answered in SIP"],
        ),
    ];
    for (name, change, words) in cases {
        let outcome = Scripted::raw(Registrar::default(), *change).await.register(Tcp).await;
        assert_verdict(&outcome, Verdict::Fail);
        assert_told(&outcome, name, words);
    }
}

/// One request for each connection: it costs a connection each, and nobody was idle.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_behind_an_answer_was_not_idle() {
    let closes_behind: &[(&str, Change)] = &[
        ("each 401", |r, q| {
            let mut replies = text(r.healthy(q));
            if r.is_unanswered(q) {
                replies.push(Reply::Close);
            }
            replies
        }),
        ("each answer", |r, q| {
            let mut replies = text(r.healthy(q));
            replies.push(Reply::Close);
            replies
        }),
    ];
    for (name, change) in closes_behind {
        let outcome = Scripted::raw(Registrar::default(), *change).await.register(Tcp).await;
        assert_told(&outcome, name, &["right behind its answer"]);
    }
}

/// Nobody has spoken SIP there: it may well be another service.
#[tokio::test(start_paused = true)]
async fn who_closes_without_a_word_may_be_another_service() {
    let outcome = Scripted::raw(Registrar::default(), |_, _| vec![Reply::Close]).await.register(Tcp).await;
    assert!(told(&outcome).contains("another protocol on this port"), "{outcome}");
}
