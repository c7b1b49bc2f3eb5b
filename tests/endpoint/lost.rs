//! Ports where nobody listens, connections that end, peers that are silent.

use crate::support::*;
use ringback::message::{Message, Transport};
use ringback::syntax::Limits;
use ringback::transport::TransportErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

fn closed_udp_port() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn closed_tcp_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The 200 to the request that a raw peer has read.
fn raw_ok(bytes: &[u8]) -> Vec<u8> {
    ok(&Message::parse(bytes.to_vec().into(), &Limits::default()).unwrap()).as_bytes().to_vec()
}

async fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4_096];
    let length = tokio::time::timeout(SOON, stream.read(&mut bytes)).await.unwrap().unwrap();
    bytes.truncate(length);
    bytes
}

#[tokio::test]
async fn a_closed_udp_port_is_refused_soon_after_the_first_retransmission() {
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, closed_udp_port()).await.unwrap();
    let began = Instant::now();
    let (recorder, mut transaction) = ask(&client, flow).await;
    assert_eq!(failure(&mut transaction).await.kind, TransportErrorKind::Refused);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let ladder = ladder(&recorder.records());
    assert_eq!(ladder, ["> OPTIONS", "> OPTIONS again", "note", "failed: connection refused"]);
    assert_eq!(transaction.retransmissions(), 1);
}

#[tokio::test]
async fn the_search_for_closed_ports_can_be_switched_off() {
    let mut config = config(&["127.0.0.1:0"], &[]);
    config.detect_closed_ports = false;
    config.transaction.t1 = Duration::from_millis(5);
    config.transaction.t2 = Duration::from_millis(40);
    let (client, _) = ringback::endpoint::Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Udp, closed_udp_port()).await.unwrap();
    let (_, mut transaction) = ask(&client, flow).await;
    let end = tokio::time::timeout(SOON, transaction.next()).await.unwrap();
    assert!(matches!(end, Some(ringback::endpoint::ClientEvent::Timeout)), "{end:?}");
}

#[tokio::test]
async fn a_remote_that_is_only_slow_gets_one_keep_alive_and_is_not_refused() {
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let slow = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = client.flow(Transport::Udp, slow.local_addr().unwrap()).await.unwrap();
    let (_, mut transaction) = ask(&client, flow).await;
    let mut buffer = vec![0; 4_096];
    let (mut requests, mut keep_alives, mut last) = (0, 0, Vec::new());
    // 0, 0.5 and 1.5 s, and the keep-alive once in between.
    while requests < 3 {
        let (length, from) = slow.recv_from(&mut buffer).await.unwrap();
        if &buffer[..length] == b"\r\n\r\n" {
            assert_ne!(from, flow.local, "the question comes from another socket");
            keep_alives += 1;
        } else {
            requests += 1;
            last = buffer[..length].to_vec();
        }
    }
    assert_eq!(keep_alives, 1);
    slow.send_to(&raw_ok(&last), flow.local).await.unwrap();
    assert_eq!(answer(&mut transaction).await.message.status(), Some(200));
    assert_eq!(transaction.retransmissions(), 2);
}

#[tokio::test]
async fn a_closed_tcp_port_is_refused_at_once() {
    let (client, _) = bind(&[], &[]).await;
    let recorder = client.recorder();
    let began = Instant::now();
    let error = recorder.flow(Transport::Tcp, closed_tcp_port()).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Refused);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(ladder(&recorder.records()), ["failed: connection refused"]);
}

#[tokio::test]
async fn a_peer_that_does_not_accept_times_out() {
    // A full backlog: the handshake of whoever comes next is not answered.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let remote = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(remote)).await
    {
        fill.push(stream);
        assert!(fill.len() < 16, "the backlog never fills");
    }
    let mut config = config(&[], &[]);
    config.connect_timeout = Duration::from_millis(100);
    let (client, _) = ringback::endpoint::Endpoint::bind(config).await.unwrap();
    let error = client.flow(Transport::Tcp, remote).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::ConnectTimeout);
}

#[tokio::test]
async fn a_peer_that_closes_in_the_middle_of_a_message_fails_the_request_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, _) = bind(&[], &[]).await;
    let flow = client.flow(Transport::Tcp, listener.local_addr().unwrap()).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    let response = raw_ok(&read_some(&mut peer).await);
    peer.write_all(&response[..response.len() - 10]).await.unwrap();
    drop(peer);
    let began = Instant::now();
    assert_eq!(failure(&mut transaction).await.kind, TransportErrorKind::Closed);
    assert!(began.elapsed() < Duration::from_secs(1));
    let ladder = ladder(&recorder.records());
    let expected =
        ["> OPTIONS", "malformed", "closed: closed by the peer", "failed: connection closed by the peer"];
    assert_eq!(ladder, expected);
    assert_eq!(client.stats().malformed, 1);
}

#[tokio::test]
async fn a_reset_fails_the_request_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, _) = bind(&[], &[]).await;
    let flow = client.flow(Transport::Tcp, listener.local_addr().unwrap()).await.unwrap();
    let (_, mut transaction) = ask(&client, flow).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    read_some(&mut peer).await;
    peer.set_zero_linger().unwrap();
    drop(peer);
    assert_eq!(failure(&mut transaction).await.kind, TransportErrorKind::Closed);
}

#[tokio::test]
async fn a_lost_connection_is_opened_anew_for_the_next_request() {
    let (server, incoming) = bind(&[], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let (client, _) = bind(&[], &[]).await;
    let remote = local(&server, Transport::Tcp);
    let first = client.flow(Transport::Tcp, remote).await.unwrap();
    let (_, mut transaction) = ask(&client, first).await;
    answer(&mut transaction).await;
    client.disconnect(first).await.unwrap();
    let second = client.flow(Transport::Tcp, remote).await.unwrap();
    assert_ne!(first, second);
    let (_, mut transaction) = ask(&client, second).await;
    answer(&mut transaction).await;
    // On the old one nothing can be sent any more.
    let (_, mut transaction) = ask(&client, first).await;
    assert_eq!(failure(&mut transaction).await.kind, TransportErrorKind::Closed);
}

#[tokio::test]
async fn who_has_closed_only_his_own_direction_still_gets_his_answer() {
    let (server, incoming) = bind(&[], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let (other, _) = bind(&[], &[]).await;
    let mut peer = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    let flow = ringback::message::Flow {
        transport: Transport::Tcp,
        local: peer.local_addr().unwrap(),
        remote: peer.peer_addr().unwrap(),
    };
    let via = format!("SIP/2.0/TCP {};branch=z9hG4bKhalf;rport", flow.local);
    peer.write_all(options(&other, flow).with_top_via(via.as_bytes()).as_bytes()).await.unwrap();
    peer.shutdown().await.unwrap();
    assert!(read_some(&mut peer).await.starts_with(b"SIP/2.0 200 OK\r\n"));
}

#[tokio::test]
async fn a_response_whose_connection_is_gone_goes_to_the_sent_by() {
    let (server, mut incoming) = bind(&[], &["127.0.0.1:0"]).await;
    let (other, _) = bind(&[], &[]).await;
    // Where the request says that it can be answered.
    let answers = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    let flow = ringback::message::Flow {
        transport: Transport::Tcp,
        local: peer.local_addr().unwrap(),
        remote: peer.peer_addr().unwrap(),
    };
    let via = format!("SIP/2.0/TCP {};branch=z9hG4bKgone", answers.local_addr().unwrap());
    peer.write_all(options(&other, flow).with_top_via(via.as_bytes()).as_bytes()).await.unwrap();
    let request = incoming.next_request().await.unwrap();
    peer.set_zero_linger().unwrap();
    drop(peer);
    tokio::time::timeout(SOON, async {
        while server.stats().connections > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    server.respond(request.id, ok(&request.message)).await.unwrap();
    let (mut second, _) = tokio::time::timeout(SOON, answers.accept()).await.unwrap().unwrap();
    assert!(read_some(&mut second).await.starts_with(b"SIP/2.0 200 OK\r\n"));
}
