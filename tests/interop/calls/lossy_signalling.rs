//! Calls of which every tenth SIP message is lost: both ends come to the same end.

use super::phone::Phone;
use crate::peer::lossy::{Faults, Link};
use ringback::ua::call::{self, By, Cause, Command, Event, Hold};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Six repetitions within 64*T1, so that a request without an answer is one in 100,000.
const FAULTS: Faults = Faults { lost: 100, reordered: 50, doubled: 100 };

/// Where the other end is, seen from here.
fn at(link: &Link) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, link.port()))
}

async fn lossy_call(seed: u8) {
    let (alice, mut bob) = (Phone::with_t1("alice", 50).await, Phone::with_t1("bob", 50).await);
    let links = Link::between(alice.address(), bob.address(), FAULTS, seed);
    let [to_bob, to_alice] = [at(&links[0]), at(&links[1])];
    let reliable = seed.is_multiple_of(2);
    let alices = |config: &mut call::Config| {
        config.contact = format!("sip:alice@{to_alice}");
        config.require_reliable = reliable;
    };
    let mut from = alice.dial_with("bob", to_bob, alices, None).await;
    let bobs = |config: &mut call::Config| config.contact = format!("sip:bob@{to_bob}");
    let mut to = bob.take_with(bobs, None).await;
    to.command(Command::Ring { status: 180, media: true }).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    to.command(Command::Answer).await;
    from.answered().await;
    to.answered().await;

    from.command(Command::Hold(Hold::SendOnly)).await;
    assert_eq!((from.held().await, to.held().await), (By::Local, By::Peer));
    from.command(Command::Resume).await;
    assert_eq!((from.resumed().await, to.resumed().await), (By::Local, By::Peer));
    for token in 1..=5 {
        let (content_type, body) = ("application/dtmf".to_owned(), token.to_string().into_bytes());
        from.command(Command::Info { token, content_type, body }).await;
        let status = from
            .signal("an answer", |event| match event {
                Event::InfoAnswered { status, .. } => Some(*status),
                _ => None,
            })
            .await;
        assert_eq!(status, Some(200));
    }
    to.command(Command::Hold(Hold::Inactive)).await;
    assert_eq!((to.held().await, from.held().await), (By::Local, By::Peer));

    let (one, other) = if seed.is_multiple_of(3) { (&mut to, &mut from) } else { (&mut from, &mut to) };
    one.hang_up().await;
    let (by, cause, _) = other.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    // Each once, whatever came twice.
    let told = to.signals();
    let infos = told.iter().filter(|event| matches!(event, Event::InfoReceived { .. })).count();
    let answers = told.iter().filter(|event| matches!(event, Event::Answered(_))).count();
    let holds = told.iter().filter(|event| matches!(event, Event::Held { .. })).count();
    assert_eq!((infos, answers, holds), (5, 1, 2), "{told:#?}");
    assert!(links.iter().any(|link| link.counts()[1] > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_messages_is_lost() {
    let calls: Vec<_> = (1..=12).map(|seed| (seed, tokio::spawn(lossy_call(seed)))).collect();
    for (seed, call) in calls {
        call.await.unwrap_or_else(|failed| panic!("seed {seed}: {failed}"));
    }
}
