//! What no peer should send, and what the others notice of it: nothing.

use crate::support::*;
use ringback::message::{Message, Transport};
use ringback::syntax::Limits;
use ringback::transport::RecordEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

async fn read_request(socket: &UdpSocket) -> Message {
    let mut buffer = vec![0; 4_096];
    let (length, _) = tokio::time::timeout(SOON, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    Message::parse(buffer[..length].to_vec().into(), &Limits::default()).unwrap()
}

#[tokio::test]
async fn an_answer_from_another_address_is_taken_and_shown() {
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let asked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = client.flow(Transport::Udp, asked.local_addr().unwrap()).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let response = ok(&read_request(&asked).await);
    other.send_to(response.as_bytes(), flow.local).await.unwrap();
    let received = answer(&mut transaction).await;
    assert_eq!(received.flow.remote, other.local_addr().unwrap());
    assert_eq!(recorder.records()[1].flow.remote, other.local_addr().unwrap());
}

#[tokio::test]
async fn answers_that_match_nothing_are_counted_and_recorded_where_they_belong() {
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = client.flow(Transport::Udp, peer.local_addr().unwrap()).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let request = read_request(&peer).await;
    let right = String::from_utf8(ok(&request).as_bytes().to_vec()).unwrap();
    let branch = String::from_utf8(request.top_via().unwrap().branch().unwrap().to_vec()).unwrap();
    // Ours by its Call-ID, but of another branch.
    peer.send_to(right.replace(&branch, "z9hG4bKother").as_bytes(), flow.local).await.unwrap();
    // Nobody's by what stands in it, but from whom an answer is waited for.
    let call_id = String::from_utf8(request.call_id().unwrap().to_vec()).unwrap();
    peer.send_to(right.replace(&branch, "z9hG4bKother").replace(&call_id, "nobody").as_bytes(), flow.local)
        .await
        .unwrap();
    // Ours by its Call-ID, and broken.
    peer.send_to(right.replace("SIP/2.0 200", "SIP/2.0 2xx").as_bytes(), flow.local).await.unwrap();
    peer.send_to(right.as_bytes(), flow.local).await.unwrap();
    answer(&mut transaction).await;
    assert_eq!(ladder(&recorder.records()), ["> OPTIONS", "< 200", "< 200", "malformed", "< 200"]);
    let stats = client.stats();
    assert_eq!((stats.stray, stats.malformed), (2, 1));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_peer_sends_with_one_call_is_told_apart() {
    use ringback::transport::{Network, OsNetwork};
    use std::io::IoSlice;
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let peer = OsNetwork::new().bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
    let flow = client.flow(Transport::Udp, peer.local_addr().unwrap()).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let mut buffer = vec![0; 4_096];
    let received = std::future::poll_fn(|cx| peer.poll_recv(cx, &mut buffer));
    let (length, _) = tokio::time::timeout(SOON, received).await.unwrap().unwrap();
    let request = Message::parse(buffer[..length].to_vec().into(), &Limits::default()).unwrap();
    let right = String::from_utf8(ok(&request).as_bytes().to_vec()).unwrap();
    let broken = right.replace("SIP/2.0 200", "SIP/2.0 2xx");
    let train = [&*broken, &*broken, &*right, "\r\n\r\n"].map(|text| IoSlice::new(text.as_bytes()));
    peer.try_send_train(&train, flow.local).unwrap();
    assert_eq!(answer(&mut transaction).await.message.as_bytes(), right.as_bytes());
    assert_eq!(ladder(&recorder.records()), ["> OPTIONS", "malformed", "malformed", "< 200"]);
    assert_eq!((client.stats().malformed, client.stats().received), (2, 1));
}

#[tokio::test]
async fn keep_alives_and_empty_datagrams_are_no_garbage() {
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = client.flow(Transport::Udp, peer.local_addr().unwrap()).await.unwrap();
    for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
        peer.send_to(bytes, flow.local).await.unwrap();
    }
    let (_, mut transaction) = ask(&client, flow).await;
    peer.send_to(ok(&read_request(&peer).await).as_bytes(), flow.local).await.unwrap();
    answer(&mut transaction).await;
    assert_eq!((client.stats().malformed, client.stats().received), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_garbage_does_not_reach_those_who_run_beside_it() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let flood = {
        let (stop, target) = (Arc::clone(&stop), local(&client, Transport::Udp));
        std::thread::spawn(move || {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let garbage = vec![0xff; 1_200];
            let until = Instant::now() + Duration::from_secs(20);
            let mut sent = 0_u64;
            while !stop.load(Ordering::Relaxed) && Instant::now() < until {
                sent += u64::from(socket.send_to(&garbage, target).is_ok());
            }
            sent
        })
    };
    let remote = local(&server, Transport::Udp);
    let began = Instant::now();
    for _ in 0..15 {
        let flow = client.flow(Transport::Udp, remote).await.unwrap();
        let (recorder, mut transaction) = ask(&client, flow).await;
        answer(&mut transaction).await;
        assert!(
            recorder
                .records()
                .iter()
                .all(|r| matches!(r.event, RecordEvent::Message { .. } | RecordEvent::Note(_)))
        );
    }
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    let sent = flood.join().unwrap();
    let stats = client.stats();
    assert!(sent > 1_000 && stats.malformed > 100, "the flood was none: {sent} sent, {stats:?}");
    // The kernel may drop some of ours with the flood's; retransmissions make up for that.
    assert!(took < Duration::from_secs(15), "{took:?}, {stats:?}");
}

#[tokio::test]
async fn a_stream_may_come_in_any_pieces() {
    let (server, incoming) = bind(&[], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let (other, _) = bind(&[], &[]).await;
    let mut peer = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    peer.set_nodelay(true).unwrap();
    let flow = ringback::message::Flow {
        transport: Transport::Tcp,
        local: peer.local_addr().unwrap(),
        remote: peer.peer_addr().unwrap(),
    };
    let mut bytes = Vec::new();
    for number in 0..4 {
        let via = format!("SIP/2.0/TCP {};branch=z9hG4bKpiece{number};rport", flow.local);
        bytes.extend_from_slice(options(&other, flow).with_top_via(via.as_bytes()).as_bytes());
    }
    for piece in bytes.chunks(7) {
        peer.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answers = String::new();
    let mut buffer = vec![0; 4_096];
    tokio::time::timeout(SOON, async {
        while answers.matches("SIP/2.0 200 OK").count() < 4 {
            let length = peer.read(&mut buffer).await.unwrap();
            answers.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    })
    .await
    .unwrap();
    assert_eq!(server.stats().received, 4);
}

#[tokio::test]
async fn a_ping_gets_its_pong() {
    let (server, _incoming) = bind(&[], &["127.0.0.1:0"]).await;
    let mut peer = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    tokio::time::timeout(SOON, peer.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn a_stream_of_garbage_is_closed() {
    let (server, _incoming) = bind(&[], &["127.0.0.1:0"]).await;
    let mut peer = TcpStream::connect(local(&server, Transport::Tcp)).await.unwrap();
    let _ = peer.write_all(&vec![b'x'; 200_000]).await;
    let mut buffer = [0; 64];
    let end = tokio::time::timeout(SOON, peer.read(&mut buffer)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(server.stats().malformed, 1);
}

#[tokio::test]
async fn a_broken_answer_on_a_stream_is_shown_to_who_waits_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, _) = bind(&[], &[]).await;
    let flow = client.flow(Transport::Tcp, listener.local_addr().unwrap()).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut buffer = vec![0; 4_096];
    let length = peer.read(&mut buffer).await.unwrap();
    let request = Message::parse(buffer[..length].to_vec().into(), &Limits::default()).unwrap();
    let right = String::from_utf8(ok(&request).as_bytes().to_vec()).unwrap();
    peer.write_all(right.replace("SIP/2.0 200", "SIP/2.0 2xx").as_bytes()).await.unwrap();
    peer.write_all(right.as_bytes()).await.unwrap();
    answer(&mut transaction).await;
    assert_eq!(ladder(&recorder.records()), ["> OPTIONS", "malformed", "< 200"]);
}
