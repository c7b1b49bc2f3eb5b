//! A telephone that we did not write at the far end, with Kamailio between.

use super::phone::{Phone, text};
use crate::peer::baresip::{self, Baresip, Line};
use crate::peer::kamailio::Kamailio;
use ringback::endpoint::agent::CallEventKind;
use ringback::media::dtmf::DtmfMethod;
use ringback::media::party_tone::{Party, PartyListener};
use ringback::message::Transport;
use ringback::ua::call::{By, Cause, Command, Event, Hold};
use std::net::SocketAddr;
use std::time::Duration;

const ALL: &str = "1234567890*#ABCD";

/// Alice is ours, bob is baresip; both are registered.
async fn lab(transport: Transport) -> (Kamailio, SocketAddr, Phone, baresip::Phone) {
    let kamailio = Kamailio::start(&[]);
    let proxy = SocketAddr::from(([127, 0, 0, 1], kamailio.port()));
    let alice = Phone::at("alice", proxy.ip(), transport).await;
    let mut tone = Vec::new();
    bob().tone().write(8_000 * 30, &mut tone);
    let phone = Baresip::phone(Line { user: "bob", registrar: proxy, transport }, &tone);
    crate::eventually("baresip's binding", || kamailio.bindings().pop());
    alice.register(proxy).await;
    (kamailio, proxy, alice, phone)
}

fn bob() -> Party {
    Party::new(b'b' % 8).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_late_talks_prints_digits_sends_digits_holds_and_hangs_up() {
    let (_kamailio, proxy, alice, phone) = lab(Transport::Udp).await;
    let mut talk = alice.dial("bob", proxy).await;
    talk.progress(180).await;
    phone.wait("CALL_INCOMING", 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!talk.signals().iter().any(|event| matches!(event, Event::Answered(_))));
    phone.command("accept", "");
    talk.answered().await;
    phone.wait("CALL_ESTABLISHED", 1);
    talk.hears_party(bob()).await;

    talk.send_digits(ALL, DtmfMethod::Rfc4733).await;
    assert_eq!(phone.wait("CALL_DTMF_START", ALL.len()).concat(), ALL);
    for (token, digit) in ALL.chars().enumerate() {
        let body = format!("Signal={digit}\r\nDuration=100\r\n").into_bytes();
        let content_type = "application/dtmf-relay".to_owned();
        talk.command(Command::Info { token: token as u64, content_type, body }).await;
        let status = talk
            .signal("the answer", |event| match event {
                Event::InfoAnswered { status, .. } => Some(*status),
                _ => None,
            })
            .await;
        assert_eq!(status, Some(200), "{}", phone.log());
    }
    let printed = phone.wait("CALL_DTMF_START", 2 * ALL.len());
    assert_eq!(printed[ALL.len()..].concat(), ALL);

    phone.command("sndcode", ALL);
    assert_eq!(text(&talk.digits(DtmfMethod::Rfc4733, ALL.len()).await), ALL);

    phone.command("hold", "");
    assert_eq!(talk.held().await, By::Peer);
    phone.command("resume", "");
    assert_eq!(talk.resumed().await, By::Peer);
    talk.hears_party(bob()).await;

    phone.command("hangup", "");
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    let report = talk.last_report();
    assert!(report.rtcp.received > 0 && report.rtcp.sent > 0, "{report:#?}");
    assert_eq!((report.received.lost, report.malformed), (0, 0), "{report:#?}");
    let mut listener = PartyListener::new();
    listener.feed(&phone.heard());
    assert!(listener.heard_for(alice.party()) > Duration::from_secs(3), "{}", phone.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_calls_and_is_put_on_hold() {
    for transport in [Transport::Udp, Transport::Tcp] {
        it_calls(transport).await;
    }
}

async fn it_calls(transport: Transport) {
    let (_kamailio, proxy, mut alice, phone) = lab(transport).await;
    phone.command("dial", &format!("sip:alice@{proxy};transport={transport}"));
    let mut talk = alice.take().await;
    talk.command(Command::Ring { status: 180, media: false }).await;
    phone.wait("CALL_RINGING", 1);
    talk.command(Command::Answer).await;
    talk.answered().await;
    phone.wait("CALL_ESTABLISHED", 1);
    talk.hears_party(bob()).await;
    for hold in [Hold::SendOnly, Hold::Inactive, Hold::ZeroAddress] {
        talk.command(Command::Hold(hold)).await;
        assert_eq!(talk.held().await, By::Local);
        talk.command(Command::Resume).await;
        assert_eq!(talk.resumed().await, By::Local);
    }
    talk.hears_party(bob()).await;
    talk.send_digits("7#", DtmfMethod::Rfc4733).await;
    assert_eq!(phone.wait("CALL_DTMF_START", 2).concat(), "7#");
    talk.hang_up().await;
    phone.wait("CALL_CLOSED", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_is_busy_and_hears_a_cancel() {
    let (_kamailio, proxy, alice, phone) = lab(Transport::Tcp).await;
    let mut talk = alice.dial("bob", proxy).await;
    talk.progress(180).await;
    phone.command("hangup", "");
    let rejection = talk.rejected().await;
    assert_eq!(rejection.status, Some(486), "{rejection:?}\n{}", phone.log());

    let mut talk = alice.dial("bob", proxy).await;
    talk.progress(180).await;
    talk.handle.hang_up(None).await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Local, Cause::Cancelled));
    phone.wait("CALL_CLOSED", 2);

    let mut talk = alice.dial("bob", proxy).await;
    talk.progress(180).await;
    phone.command("accept", "");
    talk.answered().await;
    let rejection = alice.dial("bob", proxy).await.rejected().await;
    assert_eq!(rejection.status, Some(486), "{rejection:?}\n{}", phone.log());
    talk.hang_up().await;
    assert!(talk.seen.iter().any(|what| matches!(what, CallEventKind::LastReport(_))));
}
