//! Where the media of an agent's call goes, and for how long.

use crate::support::*;
use ringback::endpoint::Endpoint;
use ringback::endpoint::agent::{Agent, AgentConfig, CallHandle, MediaReport, MediaSetup, Withheld};
use ringback::message::Transport;
use ringback::sim::{MemoryHost, MemoryNetwork};
use ringback::transport::{Datagrams, Network};
use ringback::ua::call::Config;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SERVER: &str = "192.0.2.1:5060";
/// What the description names: not the host that signals.
const ELSEWHERE: &str = "198.51.100.9:4000";

fn host(network: &MemoryNetwork, at: &str) -> MemoryHost {
    network.host([at.parse::<SocketAddr>().unwrap().ip()])
}

async fn receive(socket: &dyn Datagrams) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 4_096];
    let (length, from) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await.unwrap();
    (buffer[..length].to_vec(), from)
}

/// Answers each INVITE with a description that names `media`.
async fn answer(socket: Box<dyn Datagrams>, media: SocketAddr) {
    loop {
        let (bytes, from) = receive(&*socket).await;
        let text = String::from_utf8(bytes).unwrap();
        if !text.starts_with("INVITE ") {
            continue;
        }
        let mut reply = "SIP/2.0 200 OK\r\n".to_owned();
        for line in text.split("\r\n").take_while(|line| !line.is_empty()) {
            match line.split(':').next().unwrap() {
                "Via" | "From" | "Call-ID" | "CSeq" => reply += &format!("{line}\r\n"),
                "To" => reply += &format!("{line};tag=there\r\n"),
                _ => {}
            }
        }
        let (ip, port) = (media.ip(), media.port());
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        );
        reply += &format!(
            "Contact: <sip:there@{SERVER}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.try_send(reply.as_bytes(), from).unwrap();
    }
}

/// A call whose answer names this address.
async fn call(network: &MemoryNetwork, media: &str) -> (CallHandle, impl Sized + use<>) {
    let server = host(network, SERVER).bind_udp(SERVER.parse().unwrap()).unwrap();
    tokio::spawn(answer(server, media.parse().unwrap()));
    let mut config = config(&["10.0.0.1:5060"], &[]);
    config.network = Some(Arc::new(network.host(["10.0.0.1".parse::<IpAddr>().unwrap()])));
    let (endpoint, incoming) = Endpoint::bind(config).await.unwrap();
    let (agent, arrivals) = Agent::start(endpoint.recorder(), incoming, AgentConfig::default());
    let flow = endpoint.flow(Transport::Udp, SERVER.parse().unwrap()).await.unwrap();
    let setup = |local| Config::new("sip:alice@lab.example", format!("sip:alice@{}", flow.local), local);
    let media = MediaSetup::Stream { background: None, detect_tones: false };
    let call = agent.dial(flow, &format!("sip:there@{SERVER}"), media, setup).await.unwrap();
    (call, (agent, arrivals, endpoint))
}

/// Opens a port that says nothing, and tells when it got its last packet, after how many.
fn silent(network: &MemoryNetwork, at: &str) -> Arc<Mutex<Vec<Instant>>> {
    let socket = host(network, at).bind_udp(at.parse().unwrap()).unwrap();
    let got: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let into = Arc::clone(&got);
    tokio::spawn(async move {
        loop {
            receive(&*socket).await;
            into.lock().unwrap().push(Instant::now());
        }
    });
    got
}

async fn report(call: &CallHandle) -> MediaReport {
    call.report().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn media_to_a_silent_address_ends_after_thirty_seconds_unless_it_signals() {
    for (media, is_bounded) in [(ELSEWHERE, true), ("192.0.2.1:4000", false)] {
        let network = MemoryNetwork::new([1; 32]);
        let (got, began) = (silent(&network, media), Instant::now());
        let (call, _alive) = call(&network, media).await;
        sleep(Duration::from_secs(60)).await;
        let got = got.lock().unwrap().clone();
        let last = got.last().unwrap().duration_since(began);
        let withheld = report(&call).await.withheld;
        if is_bounded {
            assert!((1_490..=1_510).contains(&got.len()), "{media}: {}", got.len());
            assert!(last <= Duration::from_millis(30_100), "{media}: {last:?}");
            assert_eq!(withheld, Some(Withheld::NothingCame(media.parse().unwrap())));
        } else {
            assert!(got.len() > 2_950 && withheld.is_none(), "{media}: {}, {withheld:?}", got.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn media_to_a_closed_port_ends_after_a_second() {
    for media in [ELSEWHERE, "192.0.2.1:4000"] {
        let network = MemoryNetwork::new([1; 32]);
        let host = host(&network, media);
        let (call, _alive) = call(&network, media).await;
        sleep(Duration::from_secs(5)).await;
        let first = report(&call).await;
        assert_eq!(first.withheld, Some(Withheld::Refused(media.parse().unwrap())));
        assert!((48..=60).contains(&first.sent), "{}", first.sent);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(report(&call).await.sent, first.sent, "nothing more goes there");
        // What comes from that very port says that it is open by now.
        let open = host.bind_udp(media.parse().unwrap()).unwrap();
        open.try_send(&[0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xd5], call.rtp()).unwrap();
        sleep(Duration::from_secs(1)).await;
        let after = report(&call).await;
        assert!(after.withheld.is_none() && after.sent > first.sent + 40, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_opens_a_little_late_gets_all_that_follows() {
    let network = MemoryNetwork::new([1; 32]);
    host(&network, ELSEWHERE);
    let (call, _alive) = call(&network, ELSEWHERE).await;
    sleep(Duration::from_millis(700)).await;
    let got = silent(&network, ELSEWHERE);
    sleep(Duration::from_secs(3)).await;
    assert!(report(&call).await.withheld.is_none());
    assert!(got.lock().unwrap().len() >= 145);
}
