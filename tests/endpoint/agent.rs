//! Calls of an agent that follow one another.

use super::support::{SOON, bind, local};
use ringback::endpoint::agent::{Agent, AgentConfig, Arrival, Arrivals, CallEventKind, MediaSetup};
use ringback::message::Transport;
use ringback::ua::call::{Command, Config, Event};
use std::net::{Ipv4Addr, UdpSocket};
use tokio::time::timeout;

/// Takes every call, until there are no more.
async fn answer(mut arrivals: Arrivals) {
    while let Some(Arrival::Call(invitation)) = arrivals.next().await {
        let contact = format!("sip:bob@{}", invitation.flow.local);
        let setup = |local| Config::new("sip:bob@lab.example", contact, local);
        let mut call = invitation.take(MediaSetup::default(), setup).await.unwrap();
        call.command(Command::Answer).await;
        tokio::spawn(async move { while call.next().await.is_some() {} });
    }
}

/// Two neighbours, of which the first is even.
fn free_pair() -> u16 {
    for _ in 0..100 {
        let at = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        let port = at(0).unwrap().local_addr().unwrap().port() & !1;
        if let (Ok(_), Ok(_)) = (at(port), at(port + 1)) {
            return port;
        }
    }
    panic!("no two neighbours are free")
}

#[tokio::test]
async fn a_call_that_has_ended_holds_neither_ports_nor_a_place() {
    let (bob, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (_called, arrivals) = Agent::start(bob.recorder(), incoming, AgentConfig::default());
    tokio::spawn(answer(arrivals));
    let (alice, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (mut config, port) = (AgentConfig::default(), free_pair());
    (config.rtp_ports, config.max_calls) = (Some(port..=port + 1), 1);
    let (agent, _arrivals) = Agent::start(alice.recorder(), incoming, config);
    let remote = local(&bob, Transport::Udp);
    let flow = alice.flow(Transport::Udp, remote).await.unwrap();
    for _ in 0..3 {
        let contact = format!("sip:alice@{}", flow.local);
        let setup = |local| Config::new("sip:alice@lab.example", contact, local);
        let mut call =
            agent.dial(flow, &format!("sip:bob@{remote}"), MediaSetup::default(), setup).await.unwrap();
        assert_eq!(call.rtp().port(), port);
        while let Some(happened) = timeout(SOON, call.next()).await.unwrap() {
            match happened.kind {
                CallEventKind::Signal(Event::Answered(_)) => call.hang_up(None).await,
                // The task goes on for 64*T1: for a 2xx that comes again.
                CallEventKind::Signal(Event::Ended { .. }) => break,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn what_no_call_can_have_is_refused_and_told() {
    let (bob, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (_agent, mut arrivals) = Agent::start(bob.recorder(), incoming, AgentConfig::default());
    let to = local(&bob, Transport::Udp);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let request = |method: &str, from: &str, to_tag: &str| {
        let at = peer.local_addr().unwrap();
        format!(
            "{method} sip:bob@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}\r\nFrom: {from}\r\nTo: <sip:bob@lab>{to_tag}\r\n\
             Call-ID: {method}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (text, status, told) in [
        (request("INVITE", "Nobody at all", ""), 400, "\"Nobody at all\""),
        (request("NOTIFY", "<sip:a@lab>;tag=x", ";tag=unknown"), 481, "no call here has"),
    ] {
        peer.send_to(text.as_bytes(), to).unwrap();
        let Some(Arrival::Refused { status: answered, why, .. }) =
            timeout(SOON, arrivals.next()).await.unwrap()
        else {
            panic!("not told")
        };
        assert_eq!(answered, status);
        assert!(why.contains(told), "{why}");
        let mut buffer = [0; 2_000];
        let length = peer.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(format!("SIP/2.0 {status} ").as_bytes()));
    }
}
