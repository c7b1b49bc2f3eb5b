//! Bad input on the wire: whatever comes, the check ends in bounded time with the right verdict, and others beside it do not notice.

use super::scene::{ALL_PASS, PROBE, REGISTRAR, Scene, assert_verdict, ip};
use crate::seen::{finding, steps};
use ringback::check::{Account, Outcome, Probe, ProbeConfig, Register, Verdict};
use ringback::message::{Builder, Message, Transport};
use ringback::sim::{MemoryHost, MemoryNetwork, User};
use ringback::syntax::{HeaderName, Limits};
use ringback::transport::{Datagrams, Network};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What comes back for a request: datagrams, each from the first or the second address of the hostile host.
type Answers = fn(&Message) -> Vec<(usize, Vec<u8>)>;

/// One check against a host that answers each request in its own way.
async fn check_against(answers: Answers) -> Outcome {
    let network = MemoryNetwork::new([1; 32]);
    let hostile = network.host([ip(REGISTRAR), ip("203.0.113.2")]);
    let sockets = [socket(&hostile, REGISTRAR), socket(&hostile, "203.0.113.2")];
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, from) = poll_fn(|cx| sockets[0].poll_recv(cx, &mut buffer)).await.unwrap();
            let Ok(request) = Message::parse(buffer[..length].to_vec().into(), &Limits::default()) else {
                continue;
            };
            for (socket, bytes) in answers(&request) {
                sockets[socket].try_send(&bytes, from).unwrap();
            }
        }
    });
    let mut config = ProbeConfig::default();
    config.endpoint.network = Some(Arc::new(network.host([ip(PROBE)])));
    config.endpoint.udp = vec![SocketAddr::new(ip(PROBE), 5070)];
    let probe = Probe::with(config).await.unwrap();
    let account = Account::new("sip:alice@lab.example", "secret").unwrap();
    let account = account.registrar(&format!("sip:{REGISTRAR}:5060")).unwrap();
    probe.check(Register::new(&account).timeout(Duration::from_secs(10))).await
}

fn socket(host: &MemoryHost, address: &str) -> Box<dyn Datagrams> {
    host.bind_udp(SocketAddr::new(ip(address), 5060)).unwrap()
}

/// A 200 that lists our Contact, when there is one.
fn ok(request: &Message) -> Builder {
    let response = Builder::response(request, 200, "OK", Some("hostile"));
    match request.header(HeaderName::Contact) {
        Some(contact) => response.header(HeaderName::Contact, contact),
        None => response,
    }
}

fn bytes(builder: Builder) -> Vec<u8> {
    builder.build().unwrap().as_bytes().to_vec()
}

fn assert_ends_soon(outcome: &Outcome) {
    assert!(outcome.took <= Duration::from_secs(15), "{:?}\n{outcome}", outcome.took);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_garbage_is_told_as_what_it_is() {
    let outcome = check_against(|_| {
        vec![(0, b"\x00\xff\x80garbage".to_vec()), (0, vec![b'A'; 60_000]), (0, b"\r\n".to_vec())]
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "not-sip");
    assert_ends_soon(&outcome);
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_told_as_an_answer_that_cannot_be_read() {
    let outcome = check_against(|request| {
        let whole = bytes(ok(request).body("text/plain", "a body that will be cut"));
        vec![(0, whole[..whole.len() - 10].to_vec())]
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "answer-unreadable").seen.contains("Content-Length"), "{outcome}");
    assert_ends_soon(&outcome);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_which_little_more_than_the_via_is_left_is_still_attributed() {
    let outcome = check_against(|request| {
        let whole = bytes(ok(request));
        let end = whole.windows(4).position(|w| w == b"From").unwrap();
        vec![(0, whole[..end + 6].to_vec())]
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "answer-unreadable");
}

#[tokio::test(start_paused = true)]
async fn answers_that_match_nothing_are_not_taken() {
    let outcome = check_against(|request| {
        let text = String::from_utf8(bytes(ok(request))).unwrap();
        let other_branch = text.replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1);
        let other_method = text.replacen(" REGISTER\r\n", " INVITE\r\n", 1);
        vec![(0, other_branch.into_bytes()), (0, other_method.into_bytes())]
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "answer-unmatched");
    assert_ends_soon(&outcome);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_another_address_is_taken_and_told() {
    let outcome = check_against(|request| vec![(1, bytes(ok(request)))]).await;
    let told = finding(&outcome, "answer-from-elsewhere");
    assert!(told.seen.contains("203.0.113.2") && told.seen.contains(REGISTRAR), "{outcome}");
    assert_eq!(crate::seen::step(&outcome, "bind").verdict, Verdict::Pass, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_provisional_answer_and_nothing_more_is_no_final_answer() {
    let outcome =
        check_against(|request| vec![(0, bytes(Builder::response(request, 100, "Trying", None)))]).await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "no-final-answer");
    assert_ends_soon(&outcome);
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_values_that_break_the_grammar_does_not_break_the_check() {
    let outcome = check_against(|request| {
        let broken = ok(request)
            .header_named("Contact", "<<<>;;;\"")
            .header_named("Expires", "soon")
            .header_named("Path", "\u{fffd}");
        vec![(0, bytes(broken.header_named("Retry-After", "-1")))]
    })
    .await;
    assert_ne!(outcome.verdict, Verdict::NotRun, "{outcome}");
    assert_ends_soon(&outcome);
}

#[tokio::test(start_paused = true)]
async fn endless_challenges_with_a_new_realm_each_time_come_to_an_end() {
    let outcome = check_against(|request| {
        let number = request.cseq().unwrap().number;
        let challenge = format!("Digest realm=\"realm{number}\", nonce=\"n{number}\", qop=\"auth\"");
        let response = Builder::response(request, 401, "Unauthorized", Some("hostile"));
        vec![(0, bytes(response.header(HeaderName::WwwAuthenticate, challenge)))]
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(crate::scene::count(&outcome, "requests") <= 6, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unrelated_datagrams_beside_it_is_not_noticed() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    let flooder = scene.network.host([ip("198.51.100.66")]);
    let target = SocketAddr::new(ip(PROBE), 5070);
    let flood = tokio::spawn(async move {
        let socket = socket(&flooder, "198.51.100.66");
        let stray = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKguess\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: guess\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n";
        for turn in 0..20_000_u32 {
            let bytes: &[u8] = if turn % 2 == 0 { stray } else { b"OPTIONS garbage\r\n\r\n" };
            socket.try_send(bytes, target).unwrap();
            if turn % 100 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    for transport in [Transport::Udp, Transport::Tcp, Transport::Udp] {
        let outcome = scene.check(scene.register("alice", transport)).await;
        assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
        assert!(outcome.messages() <= 20, "strangers' messages are no evidence:\n{outcome}");
    }
    flood.await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stats = scene.probe.endpoint().stats();
    assert!(stats.stray > 1_000 && stats.malformed > 1_000, "{stats:?}");
}
