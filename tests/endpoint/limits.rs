//! Every limit, reached.

use crate::support::*;
use ringback::endpoint::Endpoint;
use ringback::message::Transport;
use ringback::syntax::{HeaderName, Method};
use ringback::transport::TransportErrorKind;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

#[tokio::test]
async fn connections_over_the_limit_are_not_opened() {
    let listeners =
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let mut config = config(&[], &[]);
    config.max_connections = 1;
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Tcp, listeners[0].local_addr().unwrap()).await.unwrap();
    let second = listeners[1].local_addr().unwrap();
    let error = client.flow(Transport::Tcp, second).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Limit("max_connections"));
    client.disconnect(flow).await.unwrap();
    tokio::time::timeout(SOON, async {
        while client.flow(Transport::Tcp, second).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("a closed connection makes room");
}

#[tokio::test]
async fn connections_over_the_limit_are_not_accepted() {
    let mut config = config(&[], &["127.0.0.1:0"]);
    config.max_connections = 1;
    let (server, _incoming) = Endpoint::bind(config).await.unwrap();
    let _first = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    let mut second = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    let end = tokio::time::timeout(SOON, second.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    let stats = server.stats();
    assert_eq!((stats.connections, stats.connections_refused), (1, 1));
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_its_queue_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&[], &[]);
    config.send_queue = 4;
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Tcp, listener.local_addr().unwrap()).await.unwrap();
    let _deaf = listener.accept().await.unwrap();
    let recorder = client.recorder();
    let mut running = Vec::new();
    let error = loop {
        // The system's buffers take some megabytes first.
        assert!(running.len() < 2_000, "the queue never fills");
        let big = request(&client, Method::Options, flow, &[b'x'; 60_000]);
        let mut transaction = recorder.request(big, flow).await.unwrap();
        match tokio::time::timeout(Duration::from_millis(1), transaction.next()).await {
            Ok(Some(ringback::endpoint::ClientEvent::Failed(error))) => break error,
            Ok(other) => panic!("{other:?}"),
            Err(_) => running.push(transaction),
        }
    };
    assert_eq!(error.kind, TransportErrorKind::Limit("send_queue"));
    assert_eq!(client.stats().dropped, 1);
}

#[tokio::test]
async fn transactions_over_the_limit_fail_with_its_name() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&["127.0.0.1:0"], &[]);
    config.transaction.max_transactions = 1;
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Udp, silent.local_addr().unwrap()).await.unwrap();
    let (_, _first) = ask(&client, flow).await;
    let (recorder, mut second) = ask(&client, flow).await;
    assert_eq!(failure(&mut second).await.kind, TransportErrorKind::Limit("max_transactions"));
    assert_eq!(ladder(&recorder.records()), ["failed: our limit is reached: max_transactions"]);
}

#[tokio::test]
async fn records_over_the_limit_are_counted() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    answer_all(server.clone(), incoming);
    let mut config = config(&["127.0.0.1:0"], &[]);
    config.max_records = 1;
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    answer(&mut transaction).await;
    assert_eq!((recorder.record_count(), recorder.records_dropped()), (1, 1));
}

#[tokio::test]
async fn bytes_of_records_over_the_limit_are_counted_too() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    answer_all(server.clone(), incoming);
    let mut config = config(&["127.0.0.1:0"], &[]);
    config.max_record_bytes = 500;
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    answer(&mut transaction).await;
    assert_eq!((recorder.record_count(), recorder.records_dropped()), (1, 1));
    recorder.note(flow, "notes hold no bytes of messages");
    assert_eq!(recorder.record_count(), 2);
}

#[tokio::test]
async fn limits_beyond_all_measure_are_no_panic() {
    let (server, incoming) = bind(&[], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let mut config = config(&[], &[]);
    (config.keep_alive, config.idle_timeout, config.connect_timeout) =
        (Duration::MAX, Duration::MAX, Duration::MAX);
    (config.send_queue, config.command_queue, config.incoming_queue) = (usize::MAX, usize::MAX, usize::MAX);
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let flow = client.flow(Transport::Tcp, local(&server, Transport::Tcp)).await.unwrap();
    let (_, mut transaction) = ask(&client, flow).await;
    assert_eq!(answer(&mut transaction).await.message.status(), Some(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_transactions_at_once_all_end_with_their_answer() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    drop(incoming);
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let mut running = Vec::new();
    for _ in 0..2_000 {
        running.push(ask(&client, flow).await);
    }
    for (recorder, transaction) in &mut running {
        assert_eq!(answer(transaction).await.message.status(), Some(200));
        assert!(recorder.record_count() >= 2);
    }
    assert_eq!((client.stats().dropped, client.stats().malformed, client.stats().stray), (0, 0, 0));
}

#[tokio::test]
async fn requests_that_nobody_takes_are_answered_503() {
    let mut limited = config(&["127.0.0.1:0"], &[]);
    limited.incoming_queue = 1;
    let (server, mut incoming) = Endpoint::bind(limited).await.unwrap();
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let (_, mut first) = ask(&client, flow).await;
    let (_, mut second) = ask(&client, flow).await;
    let response = answer(&mut second).await.message;
    assert_eq!(response.status(), Some(503));
    assert_eq!(response.header(HeaderName::RetryAfter), Some(&b"5"[..]));
    assert_eq!(server.stats().refused, 1);
    // The one that was taken is answered all the same.
    let request = incoming.next_request().await.unwrap();
    server.respond(request.id, ok(&request.message)).await.unwrap();
    assert_eq!(answer(&mut first).await.message.status(), Some(200));
}

#[tokio::test]
async fn a_forgotten_call_id_is_recorded_nowhere() {
    let (server, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let (other, mut before) = ask(&client, flow).await;
    let request = incoming.next_request().await.unwrap();
    server.respond(request.id, ok(&request.message)).await.unwrap();
    answer(&mut before).await;
    let rest = client.recorder();
    rest.record_all();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let request = incoming.next_request().await.unwrap();
    drop(recorder);
    server.respond(request.id, ok(&request.message)).await.unwrap();
    assert_eq!(answer(&mut transaction).await.message.status(), Some(200));
    assert_eq!(ladder(&other.records()), ["> OPTIONS", "< 200"], "its own, and nothing else");
    assert_eq!(rest.record_count(), 0, "an answer to a request of ours is no stranger's");
    // The Call-ID is nobody's now: what comes under it is.
    server.send_raw(request.flow, request.message.bytes().clone()).await.unwrap();
    let told = async {
        while rest.record_count() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, told).await.expect("nobody was told");
    assert_eq!(ladder(&rest.records())[0], "< OPTIONS");
    assert_eq!(other.record_count(), 2);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_finds_no_room_in_the_receive_buffer_is_counted() {
    let mut network = ringback::transport::OsNetwork::new();
    network.udp_buffer = 4_096;
    let mut config = config(&["127.0.0.1:0"], &[]);
    config.network = Some(std::sync::Arc::new(network));
    let (client, _) = Endpoint::bind(config).await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = client.flow(Transport::Udp, peer.local_addr().unwrap()).await.unwrap();
    let before = client.stats();
    // Nobody reads meanwhile: there is one thread, and it sends.
    let flood = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        flood.send_to(&[b'x'; 1_000], flow.local).unwrap();
    }
    let (_recorder, mut transaction) = ask(&client, flow).await;
    let mut buffer = [0; 2_048];
    let (length, _) = tokio::time::timeout(SOON, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(client.stats().receive_dropped, 0, "the system says so with what comes next");
    let request =
        ringback::message::Message::parse(buffer[..length].to_vec().into(), &Default::default()).unwrap();
    peer.send_to(ok(&request).as_bytes(), flow.local).await.unwrap();
    answer(&mut transaction).await;
    let stats = client.stats();
    assert!(stats.malformed > 0 && stats.receive_dropped > 0, "{stats:?}");
    assert_eq!(stats.malformed + stats.receive_dropped, 100);
    let said = stats.limited_since(&before).unwrap();
    assert_eq!(
        said,
        format!("{} datagrams were lost because a receive buffer of ours was full", stats.receive_dropped)
    );
    assert_eq!(stats.limited_since(&stats), None);
}
