//! Two telephones of ours, and Kamailio between them: challenge, record-routing, both media streams, digits by each way.

use super::phone::{Phone, Talk, all_at_once, text};
use crate::peer::kamailio::Kamailio;
use ringback::endpoint::agent::CallEventKind;
use ringback::media::dtmf::DtmfMethod;
use ringback::message::Transport;
use ringback::sdp::Direction;
use ringback::transport::{self, RecordEvent};
use ringback::ua::call::{By, Cause, Command, Event, Hold};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

const ALL: &str = "1234567890*#ABCD";

/// Where two telephones are, and how they talk to Kamailio.
async fn lab(caller: (IpAddr, Transport), called: (IpAddr, Transport)) -> (Kamailio, Phone, Phone) {
    lab_with(&[], caller, called).await
}

async fn lab_with(
    definitions: &[&str],
    caller: (IpAddr, Transport),
    called: (IpAddr, Transport),
) -> (Kamailio, Phone, Phone) {
    let kamailio = Kamailio::start(definitions);
    let alice = Phone::at("alice", caller.0, caller.1).await;
    let bob = Phone::at("bob", called.0, called.1).await;
    for phone in [&alice, &bob] {
        phone.register(SocketAddr::new(phone.address().ip(), kamailio.port())).await;
    }
    assert_eq!(kamailio.bindings().len(), 2);
    (kamailio, alice, bob)
}

/// Alice calls bob, who rings and answers.
async fn connected(kamailio: &Kamailio, alice: &Phone, bob: &mut Phone) -> (Talk, Talk) {
    let proxy = SocketAddr::new(alice.address().ip(), kamailio.port());
    let mut caller = alice.dial("bob", proxy).await;
    let mut called = bob.take().await;
    called.command(Command::Ring { status: 180, media: false }).await;
    caller.progress(180).await;
    called.command(Command::Answer).await;
    caller.answered().await;
    called.answered().await;
    (caller, called)
}

async fn hear_each_other(alice: &Phone, caller: &mut Talk, bob: &Phone, called: &mut Talk) {
    caller.hears(bob).await;
    called.hears(alice).await;
}

async fn digits_by_info(from: &mut Talk, to: &mut Talk, content_type: &str) {
    for (token, digit) in ALL.chars().enumerate() {
        let body = match content_type {
            "application/dtmf" => digit.to_string(),
            _ => format!("Signal={digit}\r\nDuration=160\r\n"),
        };
        let (token, content_type) = (token as u64, content_type.to_owned());
        from.command(Command::Info { token, content_type, body: body.clone().into_bytes() }).await;
        let got = to
            .signal("an INFO", |event| match event {
                Event::InfoReceived { body, status: 200, .. } => Some(body.clone()),
                _ => None,
            })
            .await;
        assert_eq!(got, body.as_bytes());
        let status = from
            .signal("its answer", |event| match event {
                Event::InfoAnswered { token: answered, status } if *answered == token => Some(*status),
                _ => None,
            })
            .await;
        assert_eq!(status, Some(200));
    }
}

async fn hold_and_resume(holder: &mut Talk, held: &mut Talk, hold: Hold) {
    holder.command(Command::Hold(hold)).await;
    assert_eq!((holder.held().await, held.held().await), (By::Local, By::Peer));
    holder.command(Command::Resume).await;
    assert_eq!((holder.resumed().await, held.resumed().await), (By::Local, By::Peer));
}

async fn the_whole_call(caller: (IpAddr, Transport), called: (IpAddr, Transport)) {
    let (kamailio, alice, mut bob) = lab(caller, called).await;
    let (mut from, mut to) = connected(&kamailio, &alice, &mut bob).await;
    hear_each_other(&alice, &mut from, &bob, &mut to).await;

    // Each way in one direction and the other way in the other, at once.
    for (there, back) in
        [(DtmfMethod::Rfc4733, DtmfMethod::InBand), (DtmfMethod::InBand, DtmfMethod::Rfc4733)]
    {
        tokio::join!(from.send_digits(ALL, there), to.send_digits(ALL, back));
        let (at_bob, at_alice) = tokio::join!(to.digits(there, ALL.len()), from.digits(back, ALL.len()));
        assert_eq!((text(&at_bob), text(&at_alice)), (ALL.to_owned(), ALL.to_owned()));
    }
    digits_by_info(&mut from, &mut to, "application/dtmf-relay").await;
    digits_by_info(&mut to, &mut from, "application/dtmf").await;

    hold_and_resume(&mut from, &mut to, Hold::SendOnly).await;
    hold_and_resume(&mut to, &mut from, Hold::Inactive).await;
    hear_each_other(&alice, &mut from, &bob, &mut to).await;

    from.hang_up().await;
    let (by, cause, _) = to.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    for talk in [&from, &to] {
        let report = talk.last_report();
        assert_eq!((report.received.lost, report.malformed), (0, 0), "{report:#?}");
        assert!(report.rtcp.received > 0, "{report:#?}");
    }
    // Everything went through Kamailio, which put itself on the route: ACK, re-INVITE, INFO and BYE too.
    for phone in [&alice, &bob] {
        let records = phone.agent.recorder().records();
        assert!(records.len() > 80, "{}", records.len());
        for record in records {
            let RecordEvent::Message { direction, bytes, .. } = record.event else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let vias = text.lines().filter(|line| line.starts_with("Via:")).count();
            match direction {
                transport::Direction::Received if text.starts_with("SIP/2.0") => {}
                transport::Direction::Received => assert_eq!(vias, 2, "{text}"),
                transport::Direction::Sent => {
                    assert!(![alice.address(), bob.address()].contains(&record.flow.remote), "{text}");
                }
            }
        }
    }
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[tokio::test(flavor = "multi_thread")]
async fn calls_by_udp_tcp_and_ipv6() {
    all_at_once([
        ("UDP", the_whole_call((V4, Transport::Udp), (V4, Transport::Udp))),
        ("TCP", the_whole_call((V4, Transport::Tcp), (V4, Transport::Tcp))),
        ("UDP on IPv6", the_whole_call((V6, Transport::Udp), (V6, Transport::Udp))),
        ("TCP to UDP on IPv6", the_whole_call((V6, Transport::Tcp), (V6, Transport::Udp))),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_called_side_hangs_up_and_the_caller_cancels() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (kamailio, alice, mut bob) = lab((V4, transport), (V4, transport)).await;
        let (mut from, mut to) = connected(&kamailio, &alice, &mut bob).await;
        to.hang_up().await;
        let (by, cause, _) = from.ended().await;
        assert_eq!((by, cause), (By::Peer, Cause::HungUp));

        let proxy = SocketAddr::new(V4, kamailio.port());
        let mut from = alice.dial("bob", proxy).await;
        let mut to = bob.take().await;
        to.command(Command::Ring { status: 180, media: false }).await;
        from.progress(180).await;
        from.handle.hang_up(Some("SIP;cause=487;text=\"test\"".to_owned())).await;
        let (by, cause, _) = to.ended().await;
        assert_eq!((by, cause), (By::Peer, Cause::Cancelled));
        let (by, cause, _) = from.ended().await;
        assert_eq!((by, cause), (By::Local, Cause::Cancelled));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_called_and_who_may_not_call() {
    let (kamailio, alice, mut bob) = lab((V4, Transport::Udp), (V4, Transport::Udp)).await;
    let proxy = SocketAddr::new(V4, kamailio.port());
    for (user, status) in [("carol", 480), ("nobody", 404)] {
        assert_eq!(alice.dial(user, proxy).await.rejected().await.status, Some(status));
    }
    let mut from = alice.dial("bob", proxy).await;
    let to = bob.take().await;
    let reason = Some("Q.850;cause=17".to_owned());
    to.command(Command::Refuse { status: 486, reason }).await;
    let rejection = from.rejected().await;
    assert_eq!((rejection.status, rejection.challenges.len()), (Some(486), 1), "{rejection:?}");
    assert_eq!(rejection.reasons, ["Q.850;cause=17"]);
    let wrong = |config: &mut ringback::ua::call::Config| {
        config.credentials = Some(ringback::auth::Credentials::new("alice", "wrong"));
    };
    let mut from = alice.dial_with("bob", proxy, wrong, None).await;
    assert_eq!(from.rejected().await.status, Some(407));
}

/// Every request in the call is challenged; with nonces that are good once, or for a second.
async fn challenged(definitions: &'static [&'static str], transport: Transport) {
    let (kamailio, alice, mut bob) = lab_with(definitions, (V4, transport), (V4, transport)).await;
    let (mut from, mut to) = connected(&kamailio, &alice, &mut bob).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    hold_and_resume(&mut from, &mut to, Hold::SendOnly).await;
    hold_and_resume(&mut to, &mut from, Hold::ZeroAddress).await;
    digits_by_info(&mut to, &mut from, "application/dtmf-relay").await;
    to.hang_up().await;
    let (by, cause, _) = from.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_in_the_call_are_answered() {
    all_at_once([
        ("MD5", challenged(&["CHALLENGE_DIALOGS", "NONCE_EXPIRE=1"], Transport::Udp)),
        ("SHA-256", challenged(&["CHALLENGE_DIALOGS", "ALGORITHM=\"SHA-256\""], Transport::Tcp)),
        ("once", challenged(&["CHALLENGE_DIALOGS", "ONE_TIME_NONCE"], Transport::Udp)),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_telephones_ring_and_the_one_that_is_not_answered_hears_why_it_stops() {
    let (kamailio, alice, mut bob) = lab((V4, Transport::Udp), (V4, Transport::Udp)).await;
    let mut other = Phone::at("bob", V4, Transport::Tcp).await;
    let proxy = SocketAddr::new(V4, kamailio.port());
    other.register(proxy).await;
    let mut caller = alice.dial("bob", proxy).await;
    let (mut first, mut second) = tokio::join!(bob.take(), other.take());
    for called in [&mut first, &mut second] {
        called.command(Command::Ring { status: 180, media: false }).await;
    }
    let forks = [caller.progress(180).await, caller.progress(180).await];
    assert_eq!(forks, [Some(0), Some(1)]);
    second.command(Command::Answer).await;
    caller.answered().await;
    second.answered().await;
    let (by, cause, reasons) = first.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::Cancelled));
    assert!(reasons.iter().any(|reason| reason.contains("cause=200")), "{reasons:?}");
    hear_each_other(&alice, &mut caller, &other, &mut second).await;
    caller.hang_up().await;
    second.ended().await;

    // Both answer at once: one call stays, the other is hung up, by Kamailio or by us.
    let mut caller = alice.dial("bob", proxy).await;
    let (mut first, mut second) = tokio::join!(bob.take(), other.take());
    tokio::join!(first.command(Command::Answer), second.command(Command::Answer));
    caller.answered().await;
    let mut ends = Vec::new();
    tokio::select! {
        end = first.ended() => ends.push(end),
        end = second.ended() => ends.push(end),
    }
    assert_eq!(ends[0].0, By::Peer, "{ends:?}");
    caller.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_of_the_other_address_family_is_refused_and_named() {
    let (kamailio, alice, mut bob) = lab((V4, Transport::Udp), (V6, Transport::Udp)).await;
    let mut caller = alice.dial("bob", SocketAddr::new(V4, kamailio.port())).await;
    let mut called = bob.take().await;
    let (by, cause, _) = called.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::Refused(488)));
    let rejection = caller.rejected().await;
    assert_eq!(rejection.status, Some(488));
    assert!(rejection.warnings[0].contains("another address family"), "{rejection:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_calls_itself() {
    let (kamailio, mut alice, _bob) = lab((V4, Transport::Tcp), (V4, Transport::Udp)).await;
    let mut caller = alice.dial("alice", SocketAddr::new(V4, kamailio.port())).await;
    let mut called = alice.take().await;
    assert_eq!(caller.handle.call_id(), called.handle.call_id());
    called.command(Command::Answer).await;
    caller.answered().await;
    called.answered().await;
    hear_each_other(&alice, &mut caller, &alice, &mut called).await;
    called.hang_up().await;
    assert_eq!(caller.ended().await.0, By::Peer);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hold_at_once_and_both_come_to_hold() {
    let (kamailio, alice, mut bob) = lab((V4, Transport::Udp), (V4, Transport::Tcp)).await;
    let (mut from, mut to) = connected(&kamailio, &alice, &mut bob).await;
    tokio::join!(from.command(Command::Hold(Hold::SendOnly)), to.command(Command::Hold(Hold::SendOnly)));
    for talk in [&mut from, &mut to] {
        let mut by = vec![talk.held_or_changed().await, talk.held_or_changed().await];
        by.sort_by_key(|by| *by == By::Peer);
        assert_eq!(by, [By::Local, By::Peer], "{:#?}", talk.signals());
        let report = talk.handle.report().await.unwrap();
        assert_eq!(report.plan.unwrap().direction, Direction::Inactive);
    }
    // Who resumes alone still is held by the other.
    from.command(Command::Resume).await;
    assert_eq!(from.resumed().await, By::Local);
    let report = from.handle.report().await.unwrap();
    assert_eq!(report.plan.unwrap().direction, Direction::RecvOnly);
    assert_eq!(to.resumed().await, By::Peer);
    to.command(Command::Resume).await;
    assert_eq!((to.resumed().await, from.resumed().await), (By::Local, By::Peer));
    hear_each_other(&alice, &mut from, &bob, &mut to).await;
    from.hang_up().await;
    to.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_is_gone_and_both_hang_up_in_vain() {
    let (kamailio, alice, mut bob) = lab((V4, Transport::Tcp), (V4, Transport::Tcp)).await;
    let (mut from, mut to) = connected(&kamailio, &alice, &mut bob).await;
    // The callee asks for nothing before the ACK has come, and without one it could not hang up either (RFC 3261 sec. 15).
    hold_and_resume(&mut to, &mut from, Hold::SendOnly).await;
    drop(kamailio);
    let began = Instant::now();
    tokio::join!(from.hang_up(), to.hang_up());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(
        [&from, &to]
            .iter()
            .all(|talk| talk.seen.iter().any(|what| matches!(what, CallEventKind::NotSent(_))))
    );
}
