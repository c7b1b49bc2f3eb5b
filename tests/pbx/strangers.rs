//! What a stranger can make the network do who knows no password: a server that is bound where others reach it.

use crate::phone::{PBX, Scene, ip, user, wait};
use ringback::check::{Probe, ProbeConfig, Register, Verdict};
use ringback::endpoint::Config;
use ringback::message::Transport;
use ringback::sim::{Lab, MemoryHost, User};
use ringback::transport::{BoxFuture, Datagrams, Listener, Network, Stream};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const STRANGER: &str = "198.51.100.66";

/// An INVITE without credentials.
fn invite(from: &str, to_tag: &str, branch: u32) -> String {
    format!(
        "INVITE sip:bob@lab.example SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER}:5060;branch=z9hG4bK{branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{from}@lab.example>;tag=a\r\nTo: <sip:bob@lab.example>{to_tag}\r\n\
         Call-ID: {branch}@x\r\nCSeq: 1 INVITE\r\nContact: <sip:x@{STRANGER}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What comes to a socket for some time.
async fn all_that_comes(socket: &dyn Datagrams, time: Duration) -> Vec<String> {
    let mut came = Vec::new();
    let until = tokio::time::Instant::now() + time;
    let mut buffer = [0; 2_048];
    while let Ok(read) = tokio::time::timeout_at(until, poll_fn(|cx| socket.poll_recv(cx, &mut buffer))).await
    {
        came.push(String::from_utf8(buffer[..read.unwrap().0].to_vec()).unwrap());
    }
    came
}

fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test(start_paused = true)]
async fn an_invite_of_somebody_unknown_is_answered_once_and_nothing_is_kept_of_it() {
    let scene = Scene::silent(&[]).await;
    let socket = scene.network.host([ip(STRANGER)]).bind_udp((ip(STRANGER), 5060).into()).unwrap();
    // Of alice a password is asked; nobody is a name that is not there; a To tag names a call that is not there; the last cannot be read.
    let cases = [("alice", "", "407"), ("nobody", "", "403"), ("alice", ";tag=old", "481"), ("", "", "400")];
    for (branch, (from, to_tag, status)) in cases.into_iter().enumerate() {
        let sent = invite(from, to_tag, branch as u32);
        socket.try_send(sent.as_bytes(), (ip(PBX), 5060).into()).unwrap();
        let came = all_that_comes(&*socket, Duration::from_secs(70)).await;
        assert_eq!(came.len(), 1, "{status}: {came:?}");
        assert!(came[0].starts_with(&format!("SIP/2.0 {status} ")), "{}", came[0]);
        assert!(came[0].len() <= 3 * sent.len(), "{} bytes for {}", came[0].len(), sent.len());
    }
    assert_eq!(scene.lab.endpoint().stats().retransmitted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invites_leaves_no_transaction_and_the_same_one_gets_the_same_tag() {
    let scene = Scene::silent(&[]).await;
    let socket = scene.network.host([ip(STRANGER)]).bind_udp((ip(STRANGER), 5060).into()).unwrap();
    for branch in 0..500 {
        socket.try_send(invite("alice", "", branch).as_bytes(), (ip(PBX), 5060).into()).unwrap();
    }
    assert_eq!(all_that_comes(&*socket, Duration::from_millis(500)).await.len(), 500);
    assert_eq!(scene.lab.endpoint().stats().servers, 0, "nothing is kept");
    let mut came = Vec::new();
    for _ in 0..2 {
        socket.try_send(invite("alice", "", 1_000).as_bytes(), (ip(PBX), 5060).into()).unwrap();
        came.extend(all_that_comes(&*socket, Duration::from_millis(500)).await);
    }
    let tags: Vec<_> = came.iter().map(|answer| header(answer, "To").unwrap()).collect();
    assert!(tags.len() == 2 && tags[0] == tags[1], "{tags:?}");
    // Who knows the password is let in all the same.
    let mut alice = scene.alice.dial("*60").await;
    alice.until_answered().await;
}

#[tokio::test(start_paused = true)]
async fn of_other_requests_of_strangers_nothing_is_kept_either() {
    let scene = Scene::silent(&[]).await;
    let socket = scene.network.host([ip(STRANGER)]).bind_udp((ip(STRANGER), 5060).into()).unwrap();
    let before = scene.lab.endpoint().stats().servers;
    for (method, status) in [("REGISTER", "401"), ("OPTIONS", "200")] {
        let mut sent = 0;
        for branch in 0..500 {
            let request = invite("alice", "", branch).replace("INVITE", method);
            sent = request.len();
            socket.try_send(request.as_bytes(), (ip(PBX), 5060).into()).unwrap();
        }
        let came = all_that_comes(&*socket, Duration::from_secs(40)).await;
        assert_eq!(came.len(), 500, "{method}");
        assert!(came.iter().all(|answer| answer.starts_with(&format!("SIP/2.0 {status} "))), "{}", came[0]);
        assert!(came.iter().all(|answer| answer.len() <= 3 * sent), "{}", came[0]);
        assert_eq!(scene.lab.endpoint().stats().servers, before, "{method}: something is kept");
    }
}

/// A host that can bind so many sockets more.
#[derive(Debug)]
struct Narrow {
    host: MemoryHost,
    left: AtomicUsize,
}

impl Network for Narrow {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        // EMFILE: too many open files.
        taken.map_err(|_| io::Error::from_raw_os_error(24))?;
        self.host.bind_udp(local)
    }
    fn listen(&self, local: SocketAddr) -> io::Result<Box<dyn Listener>> {
        self.host.listen(local)
    }
    fn connect(&self, local: Option<IpAddr>, to: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        self.host.connect(local, to)
    }
    fn source_for(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        self.host.source_for(remote)
    }
}

#[tokio::test(start_paused = true)]
async fn without_files_for_its_ports_a_call_gets_503_and_not_480() {
    // One is the network's own; with two more the caller's leg has its ports, and the callee's has none.
    for sockets in [1, 3] {
        let scene = Scene::new(&[], |lab| {
            let host = lab.memory_host().unwrap();
            lab.network(Arc::new(Narrow { host, left: sockets.into() }))
        })
        .await;
        let mut alice = scene.alice.dial("bob").await;
        assert_eq!(alice.until_over().await.0, Some(503), "{sockets}: {}", alice.story());
        wait(1_000).await;
        assert!(scene.lab.legs().is_empty());
    }
    // It is no 503 where it is the callee that is not there.
    let scene = Scene::new(&[], |lab| lab.user(User::new("away", "pw").extension("203"))).await;
    assert_eq!(scene.alice.dial("203").await.until_over().await.0, Some(480));
}

/// Opens a connection and says the first half of a message.
async fn half(host: &MemoryHost) -> Box<dyn Stream> {
    let mut stream = host.connect(None, (ip(PBX), 5060).into()).await.unwrap();
    stream
        .write_all(b"REGISTER sip:lab.example SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n")
        .await
        .unwrap();
    stream
}

/// Does a phone of another address, or of that of the stranger, register by TCP?
async fn registers(lab: &Lab, host: &MemoryHost, at: &str) -> Verdict {
    let mut config = ProbeConfig::default().bind(&format!("udp:{at}:0")).unwrap();
    config.endpoint.network = Some(Arc::new(host.clone()));
    let probe = Probe::with(config).await.unwrap();
    let account = lab.account("carol", Transport::Tcp).unwrap();
    probe.check(Register::new(&account)).await.verdict
}

async fn lab(config: Config) -> Lab {
    Lab::in_memory([3; 32]).user(User::new("carol", "carolpw")).endpoint(config).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn four_thousand_half_messages_of_one_address_keep_nobody_else_out_and_are_gone_in_ten_seconds() {
    let lab = lab(Config::default()).await;
    let network = lab.memory_network().unwrap().clone();
    let (stranger, phone) = (network.host([ip(STRANGER)]), network.host([ip("192.0.2.77")]));
    let mut streams = Vec::new();
    for _ in 0..4_096 {
        streams.push(half(&stranger).await);
        // The listener takes them one after the other.
        tokio::task::yield_now().await;
    }
    wait(100).await;
    let stats = lab.endpoint().stats();
    assert_eq!((stats.connections, stats.connections_refused), (256, 4_096 - 256));
    assert_eq!(registers(&lab, &phone, "192.0.2.77").await, Verdict::Pass);
    wait(10_100).await;
    assert!(lab.endpoint().stats().connections <= 1, "{:?}", lab.endpoint().stats());
    let end = tokio::time::timeout(Duration::from_secs(5), streams[0].read(&mut [0; 64])).await;
    assert!(matches!(end, Ok(Ok(0) | Err(_))), "{end:?}");
    assert_eq!(registers(&lab, &stranger, STRANGER).await, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn keep_alives_are_no_message_and_who_has_spoken_may_stay() {
    let lab = lab(Config::default()).await;
    let host = lab.memory_network().unwrap().host([ip(STRANGER)]);
    let mut mute = host.connect(None, (ip(PBX), 5060).into()).await.unwrap();
    let mut spoken = host.connect(None, (ip(PBX), 5060).into()).await.unwrap();
    let options = invite("x", "", 7).replace("INVITE", "OPTIONS").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    spoken.write_all(options.as_bytes()).await.unwrap();
    for _ in 0..4 {
        wait(2_000).await;
        mute.write_all(b"\r\n\r\n").await.unwrap();
    }
    wait(3_000).await;
    assert_eq!(lab.endpoint().stats().connections, 1);
    spoken.write_all(options.replace("z9hG4bK7", "z9hG4bK8").as_bytes()).await.unwrap();
    wait(100).await;
    let mut said = String::new();
    while said.matches("CSeq: 1 OPTIONS").count() < 2 {
        let mut buffer = vec![0; 4_096];
        let read = tokio::time::timeout(Duration::from_secs(1), spoken.read(&mut buffer)).await;
        said += &String::from_utf8_lossy(&buffer[..read.expect("no answer").unwrap()]);
    }
}

#[tokio::test(start_paused = true)]
async fn all_addresses_of_a_network_of_ipv6_are_one_and_the_limit_can_be_set() {
    let mut config = Config::default();
    config.max_connections_per_address = 2;
    let builder = Lab::in_memory([3; 32]).v6().endpoint(config).user(user("carol", "192.0.2.9"));
    let lab = builder.start().await.unwrap();
    let network = lab.memory_network().unwrap();
    let mut kept = Vec::new();
    for at in ["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:0:ffff::3", "2001:db8:1:1::4"] {
        let to: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        kept.push(network.host([ip(at)]).connect(None, to).await.unwrap());
        wait(100).await;
    }
    let stats = lab.endpoint().stats();
    assert_eq!((stats.connections, stats.connections_refused), (3, 1));
    kept.remove(0);
    wait(100).await;
    let again = network.host([ip("2001:db8:1::9")]);
    let _again = again.connect(None, "[2001:db8::1]:5060".parse().unwrap()).await.unwrap();
    wait(100).await;
    assert_eq!(lab.endpoint().stats().connections_refused, 1, "an ended one makes room");
}
