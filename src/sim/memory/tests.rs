#![allow(clippy::unwrap_used)]
use super::*;
use std::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const PHONE: &str = "10.0.0.1";
const SERVER: &str = "192.0.2.1";
const ROUTER: &str = "198.51.100.7";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
async fn receive(socket: &dyn Datagrams) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    let (length, from) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await.unwrap();
    (buffer[..length].to_vec(), from)
}
async fn nothing_comes(socket: &dyn Datagrams) -> bool {
    timeout(ms(10_000), receive(socket)).await.is_err()
}
fn two_hosts(seed: u8) -> (MemoryNetwork, MemoryHost, MemoryHost) {
    let network = MemoryNetwork::new([seed; 32]);
    let (phone, server) = (network.host([ip(PHONE)]), network.host([ip(SERVER), ip("2001:db8::1")]));
    (network, phone, server)
}

/// Sends 200 numbered datagrams 5 ms apart; gives when which one arrived.
async fn ladder(seed: u8, link: Link) -> Vec<(Duration, u8)> {
    let (network, phone, server) = two_hosts(seed);
    network.link_all(link);
    let from = phone.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
    let to = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
    let began = Instant::now();
    tokio::spawn(async move {
        for number in 0..200u8 {
            from.try_send(&[number], "192.0.2.1:5060".parse().unwrap()).unwrap();
            tokio::time::sleep(ms(5)).await;
        }
    });
    let mut seen = Vec::new();
    while let Ok((bytes, _)) = timeout(ms(5_000), receive(&*to)).await {
        seen.push((began.elapsed(), bytes[0]));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_datagram_takes_exactly_the_delay_of_its_direction() {
    let (network, phone, server) = two_hosts(1);
    network.link(ip(PHONE), ip(SERVER), Link::new().delay(ms(70)));
    let a = phone.bind_udp("10.0.0.1:0".parse().unwrap()).unwrap();
    let b = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
    let began = Instant::now();
    a.try_send(b"there", b.local_addr().unwrap()).unwrap();
    assert_eq!(receive(&*b).await, (b"there".to_vec(), a.local_addr().unwrap()));
    assert_eq!(began.elapsed(), ms(70));
    b.try_send(b"back", a.local_addr().unwrap()).unwrap();
    assert_eq!(receive(&*a).await.0, b"back");
    assert_eq!(began.elapsed(), ms(70), "the way back has no delay");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_ladder_and_another_seed_another_one() {
    let link = Link::new().delay(ms(20)).jitter(ms(30)).loss(0.1).duplication(0.1).reordering(0.1);
    let first = ladder(1, link).await;
    assert_eq!(first, ladder(1, link).await);
    assert_ne!(first, ladder(2, link).await);
}

#[tokio::test(start_paused = true)]
async fn loss_drops_about_its_share() {
    let arrived = ladder(3, Link::new().loss(0.25)).await.len();
    assert!((125..=175).contains(&arrived), "{arrived} of 200 arrived");
    assert!(ladder(3, Link::new().loss(1.0)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn jitter_alone_keeps_the_order_and_reordering_breaks_it() {
    let numbers = |ladder: Vec<(Duration, u8)>| ladder.into_iter().map(|(_, n)| n).collect::<Vec<_>>();
    let jittered = numbers(ladder(4, Link::new().delay(ms(10)).jitter(ms(40))).await);
    assert_eq!(jittered, (0..200).collect::<Vec<u8>>());
    let mut mixed = numbers(ladder(4, Link::new().delay(ms(10)).reordering(0.2)).await);
    assert!(!mixed.is_sorted());
    mixed.sort_unstable();
    assert_eq!(mixed, jittered, "everything arrives once");
}

#[tokio::test(start_paused = true)]
async fn duplication_delivers_twice() {
    let doubled = ladder(5, Link::new().duplication(1.0)).await;
    assert_eq!(doubled.len(), 400);
    assert!(doubled.chunks(2).all(|pair| pair[0].1 == pair[1].1));
}

#[tokio::test(start_paused = true)]
async fn large_datagrams_vanish_where_fragments_are_dropped() {
    let (network, phone, server) = two_hosts(6);
    network.link_all(Link::new().datagram_limit(1_400));
    let a = phone.bind_udp("10.0.0.1:0".parse().unwrap()).unwrap();
    let b = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
    a.try_send(&[0; 1_401], b.local_addr().unwrap()).unwrap();
    a.try_send(&[0; 1_400], b.local_addr().unwrap()).unwrap();
    assert_eq!(receive(&*b).await.0.len(), 1_400);
    assert_eq!(
        a.try_send(&[0; 65_508], b.local_addr().unwrap()).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_is_told_to_who_asks_or_not_at_all() {
    let (network, phone, server) = two_hosts(7);
    network.link_all(Link::new().delay(ms(25)));
    let _open = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
    let ask = async |remote: &str| {
        let answer = phone.probe_udp(ip(PHONE), remote.parse().unwrap()).await;
        answer.map_err(|error| error.kind())
    };
    let began = Instant::now();
    assert_eq!(ask("192.0.2.1:9").await, Err(io::ErrorKind::ConnectionRefused));
    assert_eq!(began.elapsed(), ms(50));
    assert_eq!(ask("192.0.2.1:5060").await, Ok(()));
    assert_eq!(ask("192.0.2.99:9").await, Ok(()));
    network.closed_port(ClosedPort::Vanish);
    assert_eq!(ask("192.0.2.1:9").await, Ok(()));

    let socket = phone.bind_udp("10.0.0.1:0".parse().unwrap()).unwrap();
    socket.try_send(b"x", "192.0.2.1:9".parse().unwrap()).unwrap();
    assert_eq!(network.stats().unreachable, 4);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_what_comes_after() {
    let (network, phone, server) = two_hosts(8);
    let a = phone.bind_udp("10.0.0.1:0".parse().unwrap()).unwrap();
    let b = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
    for _ in 0..datagrams::MAX_WAITING + 10 {
        a.try_send(b"x", b.local_addr().unwrap()).unwrap();
    }
    assert_eq!(network.stats().overflowed, 10);
}

#[tokio::test(start_paused = true)]
async fn ports_are_unique_and_freed_with_their_socket() {
    let (_network, _phone, server) = two_hosts(9);
    let at: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
    let socket = server.bind_udp(at).unwrap();
    assert_eq!(server.bind_udp(at).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(socket);
    assert!(server.bind_udp(at).is_ok());
    let elsewhere = server.bind_udp("192.0.2.2:0".parse().unwrap()).unwrap_err();
    assert_eq!(elsewhere.kind(), io::ErrorKind::AddrNotAvailable);
}

#[tokio::test(start_paused = true)]
async fn only_replies_come_in_through_a_nat() {
    let network = MemoryNetwork::new([10; 32]);
    let phone = network.host_behind(Nat::new(), ip(ROUTER), [ip(PHONE)]);
    let (server, stranger) = (network.host([ip(SERVER)]), network.host([ip("192.0.2.9")]));
    let inside = phone.bind_udp("10.0.0.1:5060".parse().unwrap()).unwrap();
    let outside = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
    let other = stranger.bind_udp("192.0.2.9:5060".parse().unwrap()).unwrap();
    inside.try_send(b"register", outside.local_addr().unwrap()).unwrap();
    let (_, mapped) = receive(&*outside).await;
    assert_eq!(mapped.ip(), ip(ROUTER));
    assert_ne!(mapped.port(), 5060);

    other.try_send(b"scan", mapped).unwrap();
    outside.try_send(b"to the private address", inside.local_addr().unwrap()).unwrap();
    outside.try_send(b"to the port in the Via", SocketAddr::new(ip(ROUTER), 5060)).unwrap();
    outside.try_send(b"ok", mapped).unwrap();
    assert_eq!(receive(&*inside).await, (b"ok".to_vec(), outside.local_addr().unwrap()));
    assert!(nothing_comes(&*inside).await);

    tokio::time::sleep(ms(120_000)).await;
    outside.try_send(b"invite", mapped).unwrap();
    assert!(nothing_comes(&*inside).await, "the mapping is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_symmetric_nat_shows_each_peer_another_port() {
    for (nat, same) in [(Nat::new(), true), (Nat::new().symmetric(), false)] {
        let network = MemoryNetwork::new([11; 32]);
        let phone = network.host_behind(nat, ip(ROUTER), [ip(PHONE)]);
        let server = network.host([ip(SERVER)]);
        let inside = phone.bind_udp("10.0.0.1:5060".parse().unwrap()).unwrap();
        let first = server.bind_udp("192.0.2.1:5060".parse().unwrap()).unwrap();
        let second = server.bind_udp("192.0.2.1:5070".parse().unwrap()).unwrap();
        inside.try_send(b"1", first.local_addr().unwrap()).unwrap();
        inside.try_send(b"2", second.local_addr().unwrap()).unwrap();
        assert_eq!(receive(&*first).await.1 == receive(&*second).await.1, same);
    }
}

async fn accept(listener: &mut dyn Listener) -> Box<dyn Stream> {
    poll_fn(|cx| listener.poll_accept(cx)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_opens_after_a_round_trip_and_carries_bytes_in_order() {
    let (network, phone, server) = two_hosts(12);
    network.link_all(Link::new().delay(ms(30)).jitter(ms(20)));
    let at: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    let mut listener = server.listen(at).unwrap();
    let began = Instant::now();
    let mut ours = phone.connect(None, at).await.unwrap();
    assert!((ms(60)..ms(101)).contains(&began.elapsed()));
    let mut theirs = accept(&mut *listener).await;
    assert_eq!(theirs.remote_addr().unwrap(), ours.local_addr().unwrap());
    // More than fits on its way, so that the writer has to wait.
    let sent: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    let copy = sent.clone();
    tokio::spawn(async move {
        ours.write_all(&copy).await.unwrap();
        ours.shutdown().await.unwrap();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"got it");
    });
    let mut received = Vec::new();
    theirs.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    theirs.write_all(b"got it").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn streams_are_refused_by_closed_ports_and_never_open_without_a_host() {
    let (_network, phone, server) = two_hosts(13);
    let at: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    let kind = |r: io::Result<Box<dyn Stream>>| r.err().unwrap().kind();
    assert_eq!(kind(phone.connect(None, at).await), io::ErrorKind::ConnectionRefused);
    drop(server.listen(at).unwrap());
    assert_eq!(kind(phone.connect(None, at).await), io::ErrorKind::ConnectionRefused);
    let absent = "192.0.2.99:5060".parse().unwrap();
    assert!(timeout(ms(60_000), phone.connect(None, absent)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_ends_the_peers_reading_and_resets_its_writing() {
    let (network, phone, server) = two_hosts(14);
    network.link(ip(SERVER), ip(PHONE), Link::new().delay(ms(40)));
    let at: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    let mut listener = server.listen(at).unwrap();
    let mut ours = phone.connect(None, at).await.unwrap();
    let theirs = accept(&mut *listener).await;
    let began = Instant::now();
    drop(theirs);
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(began.elapsed(), ms(40));
    assert_eq!(ours.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_stream_through_a_nat_shows_the_public_address() {
    let network = MemoryNetwork::new([15; 32]);
    let phone = network.host_behind(Nat::new(), ip(ROUTER), [ip(PHONE)]);
    let server = network.host([ip(SERVER)]);
    let mut listener = server.listen("192.0.2.1:5060".parse().unwrap()).unwrap();
    let ours = phone.connect(None, "192.0.2.1:5060".parse().unwrap()).await.unwrap();
    let theirs = accept(&mut *listener).await;
    assert_eq!(ours.local_addr().unwrap().ip(), ip(PHONE));
    assert_eq!(theirs.remote_addr().unwrap().ip(), ip(ROUTER));
    // From the outside nobody gets in.
    let _inside = phone.listen("10.0.0.1:5060".parse().unwrap()).unwrap();
    assert!(timeout(ms(60_000), server.connect(None, "10.0.0.1:5060".parse().unwrap())).await.is_err());
    assert!(timeout(ms(60_000), server.connect(None, SocketAddr::new(ip(ROUTER), 5060))).await.is_err());
}
