//! Where responses go, and from where.

use crate::support::*;
use ringback::message::{Flow, Transport};
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// Sends OPTIONS with this Via from a raw socket.
async fn send(from: &UdpSocket, to: SocketAddr, via: &str) {
    let (other, _) = bind(&[], &[]).await;
    let flow = Flow { transport: Transport::Udp, local: from.local_addr().unwrap(), remote: to };
    let request = options(&other, flow).with_top_via(via.as_bytes());
    from.send_to(request.as_bytes(), to).await.unwrap();
}

async fn received(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = vec![0; 4_096];
    let (length, from) = tokio::time::timeout(SOON, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    (String::from_utf8(buffer[..length].to_vec()).unwrap(), from)
}

#[tokio::test]
async fn without_rport_a_response_goes_to_the_port_of_sent_by() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    drop(incoming);
    let to = local(&server, Transport::Udp);
    let (source, named) =
        (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    // The name in it is no address: `received` says which one it is.
    let port = named.local_addr().unwrap().port();
    send(&source, to, &format!("SIP/2.0/UDP phone.example:{port};branch=z9hG4bK1")).await;
    let (text, from) = received(&named).await;
    assert!(text.starts_with("SIP/2.0 200 OK\r\n") && text.contains(";received=127.0.0.1"), "{text}");
    assert_eq!(from, to);
}

#[tokio::test]
async fn with_rport_a_response_goes_to_the_source() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    drop(incoming);
    let to = local(&server, Transport::Udp);
    let source = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    send(&source, to, "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport").await;
    let (text, from) = received(&source).await;
    let port = source.local_addr().unwrap().port();
    assert!(text.contains(&format!(";rport={port}")) && text.contains(";received=127.0.0.1"), "{text}");
    assert_eq!(from, to);
}

#[tokio::test]
async fn a_response_leaves_from_the_socket_that_was_asked() {
    let (server, incoming) = bind(&["127.0.0.1:0", "127.0.0.1:0", "0.0.0.0:0"], &[]).await;
    drop(incoming);
    let source = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for (number, (_, bound)) in server.local_addrs().iter().enumerate() {
        let to = SocketAddr::new([127, 0, 0, 1].into(), bound.port());
        let via = format!("SIP/2.0/UDP {};branch=z9hG4bK{number};rport", source.local_addr().unwrap());
        send(&source, to, &via).await;
        assert_eq!(received(&source).await.1, to);
    }
}

#[tokio::test]
async fn a_retransmitted_request_gets_the_same_response_and_is_asked_once() {
    let (server, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let to = local(&server, Transport::Udp);
    let source = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (other, _) = bind(&[], &[]).await;
    let flow = Flow { transport: Transport::Udp, local: source.local_addr().unwrap(), remote: to };
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bK1;rport", flow.local);
    let request = options(&other, flow).with_top_via(via.as_bytes());
    source.send_to(request.as_bytes(), to).await.unwrap();
    let asked = incoming.next_request().await.unwrap();
    server.respond(asked.id, ok(&asked.message)).await.unwrap();
    let first = received(&source).await;
    source.send_to(request.as_bytes(), to).await.unwrap();
    assert_eq!(received(&source).await, first);
    assert_eq!(server.stats().retransmitted, 1);
    server.close().await;
    assert!(incoming.next_request().await.is_none(), "the retransmission is no second request");
}

#[tokio::test]
async fn an_abandoned_request_is_never_answered() {
    let (server, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let mut config = config(&["127.0.0.1:0"], &[]);
    config.transaction.t1 = std::time::Duration::from_millis(5);
    let (client, _) = ringback::endpoint::Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let (_, mut transaction) = ask(&client, flow).await;
    server.abandon(incoming.next_request().await.unwrap().id).await.unwrap();
    let end = tokio::time::timeout(SOON, transaction.next()).await.unwrap();
    assert!(matches!(end, Some(ringback::endpoint::ClientEvent::Timeout)), "{end:?}");
    assert_eq!(server.stats().sent, 0);
}

#[tokio::test]
async fn raw_bytes_go_out_as_they_are() {
    let (server, _incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = server.flow(Transport::Udp, peer.local_addr().unwrap()).await.unwrap();
    server.send_raw(flow, bytes::Bytes::from_static(b"SIP/2.0 2xx Broken\r\n")).await.unwrap();
    assert_eq!(received(&peer).await, ("SIP/2.0 2xx Broken\r\n".to_owned(), flow.local));
}
