//! Requests that are too big for UDP.

use crate::support::*;
use ringback::endpoint::SwitchOutcome;
use ringback::message::Transport;
use ringback::syntax::Method;
use ringback::transport::{RecordEvent, TransportErrorKind};

/// A server on UDP, and on TCP at the same port when `tcp` says so.
async fn server(tcp: bool) -> std::net::SocketAddr {
    // The port of one is not always free for the other: try again.
    for _ in 0..20 {
        let (probe, _) = bind(&["127.0.0.1:0"], &[]).await;
        let address = local(&probe, Transport::Udp);
        probe.close().await;
        let text = address.to_string();
        let tcp: &[&str] = if tcp { &[&text] } else { &[] };
        if let Ok((server, incoming)) = ringback::endpoint::Endpoint::bind(config(&[&text], tcp)).await {
            answer_all(server, incoming);
            return address;
        }
    }
    panic!("no port is free for both transports");
}

#[tokio::test]
async fn a_big_request_goes_by_tcp_and_says_so() {
    let remote = server(true).await;
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, remote).await.unwrap();
    let recorder = client.recorder();
    let big = request(&client, Method::Options, flow, &[b'x'; 1_300]);
    let mut transaction = recorder.request(big, flow).await.unwrap();
    assert_eq!(answer(&mut transaction).await.flow.transport, Transport::Tcp);
    assert_eq!((transaction.flow().transport, transaction.flow().remote), (Transport::Tcp, remote));
    let switch = transaction.switched().unwrap();
    assert_eq!((switch.limit, &switch.outcome), (1_300, &SwitchOutcome::Tcp));
    assert_eq!(ladder(&recorder.records()), ["opened", "note", "> OPTIONS", "< 200"]);
}

#[tokio::test]
async fn a_big_request_stays_on_udp_when_tcp_is_refused_and_says_so() {
    let remote = server(false).await;
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, remote).await.unwrap();
    let recorder = client.recorder();
    let big = request(&client, Method::Options, flow, &[b'x'; 1_300]);
    let mut transaction = recorder.request(big, flow).await.unwrap();
    assert_eq!(answer(&mut transaction).await.flow, flow);
    let switch = transaction.switched().unwrap();
    let SwitchOutcome::StayedOnUdp(error) = &switch.outcome else { panic!("{switch:?}") };
    assert_eq!((error.transport, &error.kind), (Transport::Tcp, &TransportErrorKind::Refused));
    let records = recorder.records();
    assert_eq!(ladder(&records), ["failed: connection refused", "note", "> OPTIONS", "< 200"]);
    let RecordEvent::Message { bytes, .. } = &records[2].event else { panic!() };
    assert_eq!(switch.size, bytes.len(), "the size is the one on the wire");
}

#[tokio::test]
async fn the_limit_is_exact() {
    let remote = server(false).await;
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, remote).await.unwrap();
    let recorder = client.recorder();
    let mut sizes = Vec::new();
    for body in 800..1_200 {
        let mut transaction =
            recorder.request(request(&client, Method::Options, flow, &vec![b'x'; body]), flow).await.unwrap();
        answer(&mut transaction).await;
        let records = recorder.records();
        let sent = records.iter().rev().find_map(|record| match &record.event {
            RecordEvent::Message { bytes, .. } if bytes.starts_with(b"OPTIONS") => Some(bytes.len()),
            _ => None,
        });
        sizes.push((sent.unwrap(), transaction.switched().is_some()));
    }
    assert!(
        sizes.iter().any(|(size, _)| *size == 1_300) && sizes.iter().any(|(size, _)| *size == 1_301),
        "{sizes:?}"
    );
    assert!(sizes.iter().all(|(size, switched)| *switched == (*size > 1_300)), "{sizes:?}");
}

#[tokio::test]
async fn a_request_larger_than_a_datagram_fails_with_its_reason() {
    let remote = server(false).await;
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, remote).await.unwrap();
    let recorder = client.recorder();
    // A datagram over IPv4 holds 65,507 bytes; a message may have some more.
    let overhead = request(&client, Method::Options, flow, &[b'x'; 60_000]).as_bytes().len() - 60_000;
    let huge = request(&client, Method::Options, flow, &vec![b'x'; 65_450 - overhead]);
    let mut transaction = recorder.request(huge, flow).await.unwrap();
    assert_eq!(failure(&mut transaction).await.kind, TransportErrorKind::TooLarge);
}
