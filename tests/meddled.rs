//! The editing relay between a PBX and who uses it: what passes either way is edited, delayed, dropped, doubled, or not from anybody.
#![allow(clippy::unwrap_used)]

#[path = "support/meddler.rs"]
#[allow(dead_code)]
mod meddler;

use meddler::{Datagram, Meddle, Meddler, Way, edited};
use ringback::check::{Call, Outcome, Reachable, Register, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

async fn lab(meddle: Meddle) -> (Lab, Meddler) {
    let builder = Lab::in_memory([7; 32]).users(["alice", "bob"].map(|name| User::new(name, "secret")));
    let meddler = Meddler::both_ways(&builder.memory_host().unwrap(), meddle);
    (builder.network(Arc::new(meddler.clone())).start().await.unwrap(), meddler)
}

async fn call(meddle: Meddle) -> Outcome {
    let (lab, _) = lab(meddle).await;
    let account = |name| lab.account(name, Transport::Udp).unwrap();
    let check = Call::between(&account("alice"), &account("bob"));
    lab.probe().await.unwrap().check(check).await
}

#[tokio::test(start_paused = true)]
async fn what_passes_untouched_is_a_healthy_call_and_what_is_dropped_is_missed() {
    let outcome = call(Box::new(|_, datagram| datagram.pass())).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    // Either way, without RTP nobody hears anybody.
    for way in [Way::In, Way::Out] {
        let without =
            move |_: &meddler::Media, datagram: Datagram| match datagram.is_rtp() && datagram.way == way {
                true => Vec::new(),
                false => datagram.pass(),
            };
        assert_eq!(call(Box::new(without)).await.verdict, Verdict::Fail);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_pbx_receives_is_edited_and_late() {
    let delay = Duration::from_millis(300);
    let meddle: Meddle = Box::new(move |_, datagram| match datagram.sip() {
        Some(text) if datagram.way == Way::In && text.starts_with("OPTIONS") => {
            datagram.with(edited(&text, "From: <", "From: \"Edited\" <")).late(delay)
        }
        _ => datagram.pass(),
    });
    let (lab, _) = lab(meddle).await;
    let probe = lab.probe().await.unwrap();
    let began = tokio::time::Instant::now();
    let outcome = probe.check(Reachable::new(&lab.uri(Transport::Udp).unwrap()).unwrap()).await;
    assert!(began.elapsed() >= delay, "{outcome}");
    let seen = format!("{:?}", outcome.transcript.records);
    assert!(seen.contains("Edited"), "the answer copies From: {seen}");
}

#[tokio::test(start_paused = true)]
async fn a_datagram_goes_on_twice_and_one_comes_that_nobody_sent() {
    let seen = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&seen);
    let (lab, meddler) = lab(Box::new(move |_, datagram| {
        let is_answer =
            datagram.way == Way::Out && datagram.sip().is_some_and(|text| text.starts_with("SIP/2.0 200"));
        counted.fetch_add(u32::from(is_answer), Ordering::Relaxed);
        if is_answer { datagram.twice(Duration::from_millis(5)) } else { datagram.pass() }
    }))
    .await;
    let probe = lab.probe().await.unwrap();
    let alice = lab.account("alice", Transport::Udp).unwrap();
    let outcome = probe.check(Register::new(&alice)).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    let before = seen.load(Ordering::Relaxed);
    let pbx = lab.addr(Transport::Udp).unwrap();
    let peer = "198.18.9.9:5060".parse().unwrap();
    let bytes = format!(
        "OPTIONS sip:{pbx} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bKq\r\nFrom: <sip:q@h>;tag=1\r\nTo: <sip:{pbx}>\r\n\
         Call-ID: q\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes();
    meddler.inject(Datagram { way: Way::In, bytes, pbx, peer, after: Duration::from_millis(50) });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(seen.load(Ordering::Relaxed), before + 1, "the PBX answers it");
}
