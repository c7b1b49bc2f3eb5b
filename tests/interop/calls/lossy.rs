//! Calls over a link that loses packets: what the link does is never taken for what the platform does.

use super::phone::{Phone, Talk, all_at_once, digits};
use crate::peer::lossy::{Faults, Link};
use ringback::endpoint::agent::Rewrite;
use ringback::media::dtmf::{Around, Comparison, DtmfMethod, Expected, judge};
use ringback::message::Message;
use ringback::syntax::Limits;
use ringback::ua::call::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ALL: &str = "1234567890*#ABCD";

/// The links of a call, one for each description that was sent.
type Links = Arc<Mutex<Vec<Link>>>;

/// The peer is told to send its media over a link.
fn over_a_link(faults: Faults, seed: u8, links: &Links) -> Rewrite {
    let links = Arc::clone(links);
    Box::new(move |message| {
        let text = String::from_utf8(message.as_bytes().to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let Some(at) = body.find("m=audio ") else { return Some(message) };
        let port = body[at + 8..].split(' ').next().unwrap().to_owned();
        let link = Link::to(port.parse().unwrap(), faults, seed);
        let rtcp = port.parse::<u16>().unwrap() + 1;
        let body = body.replace(&format!("m=audio {port} "), &format!("m=audio {} ", link.port()));
        let body = format!("{body}a=rtcp:{rtcp}\r\n");
        links.lock().unwrap().push(link);
        let lines = head.split("\r\n").map(|line| match line.starts_with("Content-Length:") {
            true => format!("Content-Length: {}", body.len()),
            false => line.to_owned(),
        });
        let text = lines.collect::<Vec<_>>().join("\r\n") + "\r\n\r\n" + &body;
        Some(Message::parse(text.into(), &Limits::default()).unwrap())
    })
}

/// A call from alice to bob, both directions over such links.
async fn call(faults: Faults, seed: u8) -> (Phone, Phone, Talk, Talk, Links) {
    let (alice, mut bob) = (Phone::new("alice").await, Phone::new("bob").await);
    let links = Links::default();
    let rewrite = over_a_link(faults, seed, &links);
    let mut from = alice.dial_with("bob", bob.address(), |_| {}, Some(rewrite)).await;
    let mut to = bob.take_with(|_| {}, Some(over_a_link(faults, seed ^ 0x80, &links))).await;
    to.command(Command::Answer).await;
    from.answered().await;
    to.answered().await;
    (alice, bob, from, to, links)
}

/// Sends all digits, and judges what arrived.
async fn judged(from: &mut Talk, to: &mut Talk, way: DtmfMethod) -> Comparison {
    from.send_digits(ALL, way).await;
    // The last event ends some time after its last packet, also when its end was lost.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let report = to.handle.report().await.unwrap();
    let mut expected = Expected::new(way, digits(ALL), Duration::from_millis(100));
    expected.payload_type = Some(101);
    expected.around = Around { loss: report.received.loss(), spans: report.voice.spans, ..Around::default() };
    judge(&expected, &to.observed().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_percent_of_loss_and_reordering_leave_good_digits_good() {
    let faults = Faults { lost: 50, reordered: 50, doubled: 20 };
    let calls = (1..=12).map(|seed| {
        tokio::spawn(async move {
            let (_alice, _bob, mut from, mut to, links) = call(faults, seed).await;
            let way = if seed % 3 == 0 { DtmfMethod::InBand } else { DtmfMethod::Rfc4733 };
            let judged = judged(&mut from, &mut to, way).await;
            assert_eq!(judged.received, ALL, "seed {seed}: {judged:#?}");
            assert!(judged.is_good() && !judged.lossy, "seed {seed}: {judged:#?}");
            from.hang_up().await;
            to.ended().await;
            // What the link did is what the report says.
            for (link, talk) in links.lock().unwrap().iter().zip([&from, &to]) {
                let ([seen, lost, reordered, doubled], report) = (link.counts(), talk.last_report());
                assert!(lost > 0 && reordered > 0 && seen > 150, "{:?}", link.counts());
                let received = &report.received;
                assert!(received.lost.abs_diff(lost) <= 3, "{lost} lost: {received:#?}");
                assert!(received.duplicates.abs_diff(doubled) <= 1, "{doubled} doubled: {received:#?}");
                assert!(received.reordered > 0, "{received:#?}");
                assert_eq!(report.malformed, 0);
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_percent_of_loss_are_seen_as_such() {
    let faults = Faults { lost: 300, ..Faults::default() };
    let calls = (1..=4).map(|seed| {
        tokio::spawn(async move {
            let (alice, bob, mut from, mut to, _links) = call(faults, seed).await;
            let judged = judged(&mut from, &mut to, DtmfMethod::Rfc4733).await;
            assert!(judged.lossy, "{judged:#?}");
            let received = to.handle.report().await.unwrap().received;
            assert!((0.2..0.4).contains(&received.loss()), "{received:#?}");
            // Whoever misses a third of the other's tone still hears it.
            from.hears(&bob).await;
            to.hears(&alice).await;
            from.hang_up().await;
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

async fn nothing_lost(way: DtmfMethod) {
    let (_alice, _bob, mut from, mut to, links) = call(Faults::default(), 1).await;
    let judged = judged(&mut from, &mut to, way).await;
    assert!(judged.is_good() && !judged.lossy, "{judged:#?}");
    from.hang_up().await;
    to.ended().await;
    assert_eq!(to.last_report().received.lost, 0);
    assert!(links.lock().unwrap().iter().all(|link| link.counts()[0] > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_loses_nothing_changes_nothing() {
    all_at_once([
        ("RFC 4733", nothing_lost(DtmfMethod::Rfc4733)),
        ("in-band", nothing_lost(DtmfMethod::InBand)),
    ])
    .await;
}
