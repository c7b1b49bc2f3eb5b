//! A call that comes to the account while it is checked rings on elsewhere, and is told.

use crate::scene::ALL_PASS;
use crate::scripted::{Registrar, Reply, Scripted};
use crate::seen::{finding, steps};
use ringback::check::{Outcome, Register, Severity, Side, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{self, Tcp, Udp};
use ringback::syntax::HeaderName;
use ringback::transport::{Direction, RecordEvent};

/// The URI that a REGISTER binds, where it binds one.
fn bound(request: &Message) -> Option<String> {
    let contact =
        request.header(HeaderName::Contact).map(|value| String::from_utf8_lossy(value).into_owned())?;
    let uri = contact.split(['<', '>']).nth(1)?.to_owned();
    (!contact.contains(";expires=0")).then_some(uri)
}

fn invite(uri: &str, number: u32, from: &str) -> String {
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKi{number}\r\nMax-Forwards: 70\r\n\
         From: <{from}>;tag=1\r\nTo: <sip:alice@pbx.example.com>\r\nCall-ID: call{number}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:203.0.113.1>\r\nRequire: 100rel\r\nContent-Length: 0\r\n\r\n"
    )
}

/// How a platform writes the URI that it calls.
type Way = fn(&str) -> String;

/// A call behind the answer to each bind, to the URI that `to` makes of the one that was bound.
async fn called(transport: Transport, to: Way) -> (Outcome, Vec<String>) {
    let scene = Scripted::raw(Registrar::default(), move |r, q| {
        let answer = r.healthy(q);
        let mut replies = vec![Reply::Bytes(answer.clone().into_bytes())];
        if let Some(uri) = bound(q).filter(|_| answer.contains("200 OK")) {
            let number = q.cseq().unwrap().number;
            replies.push(Reply::Bytes(invite(&to(&uri), number, "sip:4930123@pbx.example.com").into_bytes()));
        }
        replies
    })
    .await;
    let outcome = scene.check(Register::new(&scene.account("alice", transport).named("alice"))).await;
    let answers = outcome.transcript.records.iter().filter_map(|record| match &record.event {
        RecordEvent::Message { direction: Direction::Sent, bytes, .. } if bytes.starts_with(b"SIP/2.0") => {
            Some(String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned())
        }
        _ => None,
    });
    let answers = answers.collect();
    (outcome, answers)
}

#[tokio::test(start_paused = true)]
async fn calls_to_our_binding_ring_on_elsewhere_and_are_counted_and_named() {
    for transport in [Udp, Tcp] {
        let whole: Way = |uri| uri.to_owned();
        let without_token: Way = |uri| uri.split(';').next().unwrap().to_owned();
        for to in [whole, without_token] {
            let (outcome, answers) = called(transport, to).await;
            assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
            assert_eq!(answers, ["SIP/2.0 480 Temporarily Unavailable"; 2], "{outcome}");
            let found = finding(&outcome, "foreign-call");
            assert_eq!((found.severity, found.side), (Severity::Warning, Side::Setup), "{outcome}");
            for word in ["2 calls came to alice", "sip:4930123@pbx.example.com", "480"] {
                assert!(found.seen.contains(word), "{outcome}");
            }
            assert!(!found.evidence.is_empty(), "{outcome}");
        }
    }
}

/// For another binding of the account: nobody's here.
#[tokio::test(start_paused = true)]
async fn a_call_to_another_binding_is_not_taken_for_one_to_ours() {
    let (outcome, answers) =
        called(Udp, |uri| uri.split(";rb=").next().unwrap().to_owned() + ";rb=0123").await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(answers.iter().all(|answer| !answer.contains("480")), "{answers:?}");
    assert!(outcome.findings.iter().all(|found| found.code != "foreign-call"), "{outcome}");
}

/// Two accounts on one socket: each is told its own call, and the other one none.
#[tokio::test(start_paused = true)]
async fn a_call_is_told_with_the_account_that_it_came_to() {
    let scene = Scripted::raw(Registrar { open: true, ..Registrar::default() }, |r, q| {
        let is_bob = String::from_utf8_lossy(q.as_bytes()).contains("sip:bob@");
        r.bindings.retain(|(uri, _)| uri.contains("sip:bob@") == is_bob);
        let mut replies = vec![Reply::Bytes(r.healthy(q).into_bytes())];
        if let Some(uri) = bound(q).filter(|_| is_bob) {
            let number = q.cseq().unwrap().number;
            replies.push(Reply::Bytes(invite(&uri, number, "sip:4930@pbx.example.com").into_bytes()));
        }
        replies
    })
    .await;
    let of = |user| Register::new(&scene.account(user, Udp).named(user)).beside_live_devices(true);
    let (alice, bob) = tokio::join!(scene.check(of("alice")), scene.check(of("bob")));
    assert!(finding(&bob, "foreign-call").seen.contains("came to bob"), "{bob}");
    assert!(alice.findings.iter().all(|found| found.code != "foreign-call"), "{alice}");
    assert_ne!(bob.verdict, Verdict::Inconclusive, "{bob}");
}
