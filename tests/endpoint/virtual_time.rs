//! Over a network in memory, in virtual time: to the millisecond, and the same each time.

use crate::support::*;
use ringback::endpoint::{ClientEvent, Config, Endpoint};
use ringback::message::Transport;
use ringback::sim::{Link, MemoryNetwork};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

const SERVER: &str = "192.0.2.1:5060";

fn hosts(seed: u8, link: Link) -> (Config, Config) {
    let network = MemoryNetwork::new([seed; 32]);
    network.link_all(link);
    let on = |ip: &str, udp: &str, tcp: &[&str]| {
        let mut config = config(&[udp], tcp);
        config.network = Some(Arc::new(network.host([ip.parse::<IpAddr>().unwrap()])));
        config
    };
    (on("10.0.0.1", "10.0.0.1:5060", &[]), on("192.0.2.1", SERVER, &[SERVER]))
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_sent_eleven_times_in_32_seconds() {
    let (client, server) = hosts(1, Link::new());
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let _silent = server.network.unwrap().bind_udp(SERVER.parse().unwrap()).unwrap();
    let flow = client.flow(Transport::Udp, SERVER.parse().unwrap()).await.unwrap();
    let began = Instant::now();
    let (recorder, mut transaction) = ask(&client, flow).await;
    let end = transaction.next().await;
    assert!(matches!(end, Some(ClientEvent::Timeout)), "{end:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(32));
    assert_eq!(transaction.retransmissions(), 10);
    let sent: Vec<u128> = recorder
        .records()
        .iter()
        .filter(|r| matches!(r.event, ringback::transport::RecordEvent::Message { .. }))
        .map(|r| (r.at - began.into_std()).as_millis())
        .collect();
    assert_eq!(sent, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_any_more_is_not_sent_again() {
    let (client, server) = hosts(1, Link::new());
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let _silent = server.network.unwrap().bind_udp(SERVER.parse().unwrap()).unwrap();
    let flow = client.flow(Transport::Udp, SERVER.parse().unwrap()).await.unwrap();
    let (recorder, transaction) = ask(&client, flow).await;
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    drop(transaction);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let sent = |r: &&ringback::transport::Record| {
        matches!(r.event, ringback::transport::RecordEvent::Message { .. })
    };
    assert_eq!(recorder.records().iter().filter(sent).count(), 3, "at 0, 500 and 1,500 ms");
    assert_eq!(client.stats().clients, 0);
}

async fn lossy_run(seed: u8) -> (Vec<String>, Vec<Duration>) {
    let link = Link::new().delay(Duration::from_millis(20)).loss(0.4);
    let (client, server) = hosts(seed, link);
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let (server, incoming) = Endpoint::bind(server).await.unwrap();
    answer_all(server, incoming);
    let flow = client.flow(Transport::Udp, SERVER.parse().unwrap()).await.unwrap();
    let began = Instant::now().into_std();
    let recorder = client.recorder();
    for _ in 0..10 {
        let mut transaction = recorder.request(options(&client, flow), flow).await.unwrap();
        while let Some(event) = transaction.next().await {
            assert!(matches!(event, ClientEvent::Final(_)), "{event:?}");
        }
    }
    let records = recorder.records();
    (ladder(&records), records.iter().map(|r| r.at - began).collect())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_ladder_to_the_millisecond() {
    let first = lossy_run(3).await;
    assert!(first.0.iter().any(|line| line == "> OPTIONS again"), "nothing was lost: {first:?}");
    assert_eq!(first, lossy_run(3).await);
    assert_ne!(first, lossy_run(4).await);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_gets_keep_alives_and_is_closed_in_the_end() {
    let (client, server) = hosts(5, Link::new());
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let (server, incoming) = Endpoint::bind(server).await.unwrap();
    answer_all(server.clone(), incoming);
    let remote: SocketAddr = SERVER.parse().unwrap();
    let flow = client.flow(Transport::Tcp, remote).await.unwrap();
    let (_, mut transaction) = ask(&client, flow).await;
    assert!(matches!(transaction.next().await, Some(ClientEvent::Final(_))));
    tokio::time::sleep(Duration::from_secs(119)).await;
    assert_eq!((client.stats().connections, server.stats().connections), (1, 1));
    assert_eq!(client.flow(Transport::Tcp, remote).await, Ok(flow), "still the same");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((client.stats().connections, server.stats().connections), (0, 0));
}

/// What the peer of a connection that we opened hears from us in 70 s, each with its second; it writes `says` at its seconds.
async fn heard(says: &[(u64, &str)]) -> Vec<(u64, String)> {
    let (client, server) = hosts(9, Link::new());
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let mut listener = server.network.unwrap().listen(SERVER.parse().unwrap()).unwrap();
    let _flow = client.flow(Transport::Tcp, SERVER.parse().unwrap()).await.unwrap();
    let mut peer = std::future::poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    let (began, mut heard, mut buffer) = (Instant::now(), Vec::new(), [0; 64]);
    let (mut says, end) = (says.iter(), began + Duration::from_secs(70));
    let mut next = says.next();
    loop {
        let at = next.map_or(end, |(second, _)| began + Duration::from_secs(*second));
        match tokio::time::timeout_at(at, peer.read(&mut buffer)).await {
            Ok(length) => {
                let text = String::from_utf8(buffer[..length.unwrap()].to_vec()).unwrap();
                heard.push((began.elapsed().as_secs(), text.replace("\r\n", "|")));
            }
            Err(_) => {
                let Some((_, text)) = next else { return heard };
                peer.write_all(text.as_bytes()).await.unwrap();
                next = says.next();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pongs_are_not_answered_however_late_they_come_and_pings_are() {
    let heard = async |says: &[(u64, &str)]| {
        heard(says).await.iter().map(|(second, text)| format!("{second} {text}")).collect::<Vec<_>>()
    };
    assert_eq!(heard(&[]).await, ["25 ||", "50 ||"]);
    assert_eq!(heard(&[(26, "\r\n"), (52, "\r\n")]).await, ["25 ||", "51 ||"]);
    // Later than the 10 s that a pong may take.
    assert_eq!(heard(&[(40, "\r\n"), (68, "\r\n")]).await, ["25 ||", "50 ||"]);
    // Who answers no pings may have his own.
    assert_eq!(heard(&[(40, "\r\n\r\n"), (60, "\r\n\r\n")]).await, ["25 ||", "40 |", "60 |"]);
    assert_eq!(heard(&[(26, "\r\n"), (30, "\r\n\r\n")]).await, ["25 ||", "30 |", "55 ||"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_there_times_out() {
    let (client, _) = hosts(6, Link::new());
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let began = Instant::now();
    let error = client.flow(Transport::Tcp, "192.0.2.99:5060".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ringback::transport::TransportErrorKind::ConnectTimeout);
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

async fn stream_run() -> Vec<(String, Duration)> {
    let (client, server) = hosts(8, Link::new().delay(Duration::from_millis(15)));
    let (client, _) = Endpoint::bind(client).await.unwrap();
    let (server, incoming) = Endpoint::bind(server).await.unwrap();
    answer_all(server.clone(), incoming);
    let began = Instant::now().into_std();
    let recorder = client.recorder();
    for _ in 0..3 {
        let flow = recorder.flow(Transport::Tcp, SERVER.parse().unwrap()).await.unwrap();
        let mut transactions = Vec::new();
        for _ in 0..5 {
            transactions.push(recorder.request(options(&client, flow), flow).await.unwrap());
        }
        for transaction in &mut transactions {
            assert!(matches!(transaction.next().await, Some(ClientEvent::Final(_))));
        }
        client.disconnect(flow).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let records = recorder.records();
    ladder(&records).into_iter().zip(records.iter().map(|r| r.at - began)).collect()
}

#[tokio::test(start_paused = true)]
async fn connections_give_the_same_ladder_each_time_too() {
    let first = stream_run().await;
    assert_eq!(first.iter().filter(|(line, _)| line == "opened").count(), 3, "{first:?}");
    assert_eq!(first.iter().filter(|(line, _)| line == "< 200").count(), 15, "{first:?}");
    for _ in 0..5 {
        assert_eq!(first, stream_run().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_big_request_waits_once_for_a_host_that_drops_connections() {
    let network = MemoryNetwork::new([9; 32]);
    let mut config = config(&["10.0.0.1:5060"], &[]);
    config.network = Some(Arc::new(network.host(["10.0.0.1".parse::<IpAddr>().unwrap()])));
    let (client, _) = Endpoint::bind(config).await.unwrap();
    // Nobody is there at all: connecting never ends.
    let flow = client.flow(Transport::Udp, "192.0.2.99:5060".parse().unwrap()).await.unwrap();
    let recorder = client.recorder();
    let mut took = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        let big = request(&client, ringback::syntax::Method::Options, flow, &[b'x'; 1_300]);
        let transaction = recorder.request(big, flow).await.unwrap();
        let switch = transaction.switched().unwrap();
        assert!(matches!(switch.outcome, ringback::endpoint::SwitchOutcome::StayedOnUdp(_)), "{switch:?}");
        took.push(began.elapsed());
    }
    assert_eq!(took, [Duration::from_secs(1), Duration::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let (client, server) = hosts(10, Link::new());
    let (server, _incoming) = Endpoint::bind(server).await.unwrap();
    let network = client.network.unwrap();
    // Who has said nothing yet has less time than who has.
    let answer = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\n\
                   Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    for (said, seconds) in [(&b""[..], 10), (&answer[..], 120)] {
        let mut silent = network.connect(None, SERVER.parse().unwrap()).await.unwrap();
        let began = Instant::now();
        tokio::io::AsyncWriteExt::write_all(&mut silent, said).await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(tokio::io::AsyncReadExt::read(&mut silent, &mut buffer).await.unwrap(), 0);
        assert_eq!(began.elapsed(), Duration::from_secs(seconds));
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(server.stats().connections, 0);
}
