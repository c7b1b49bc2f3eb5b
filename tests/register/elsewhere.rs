//! Answers from another address than asked, removals that are dropped alone, Contacts that are rewritten beside our token.

use super::scene::{ALL_PASS, PROBE, REGISTRAR, assert_verdict, ip};
use crate::scripted::{Registrar, Reply, Scripted, text, told};
use crate::seen::{finding, step, steps};
use ringback::check::{Account, Outcome, Probe, ProbeConfig, Reachable, Register, Severity, Side, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{Tcp, Udp};
use ringback::sim::MemoryNetwork;
use ringback::syntax::{HeaderName, Limits, Method};
use ringback::transport::Network;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const ELSEWHERE: &str = "203.0.113.9";

/// A registrar whose answers leave as `from` says: `None` is where it was asked. Gives a probe beside it and what was sent to it.
async fn answering(from: fn(&str) -> Option<(&'static str, u16)>) -> (Probe, Arc<Mutex<Vec<Message>>>) {
    let network = MemoryNetwork::new([5; 32]);
    let host = network.host([ip(REGISTRAR), ip(ELSEWHERE)]);
    let asked = host.bind_udp(SocketAddr::new(ip(REGISTRAR), 5060)).unwrap();
    let places = [(REGISTRAR, 5062), (ELSEWHERE, 5060)];
    let others = places.map(|(at, port)| host.bind_udp(SocketAddr::new(ip(at), port)).unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        let mut registrar = Registrar::default();
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, peer) = poll_fn(|cx| asked.poll_recv(cx, &mut buffer)).await.unwrap();
            let request = Message::parse(buffer[..length].to_vec().into(), &Limits::default()).unwrap();
            let request = request.with_received_from(peer);
            let answer = registrar.healthy(&request);
            seen.lock().unwrap().push(request);
            let place = from(&answer).and_then(|from| places.iter().position(|place| *place == from));
            let socket = place.map_or(&asked, |place| &others[place]);
            socket.try_send(answer.as_bytes(), peer).unwrap();
        }
    });
    let mut config = ProbeConfig::default();
    config.endpoint.network = Some(Arc::new(network.host([ip(PROBE)])));
    config.endpoint.udp = vec![SocketAddr::new(ip(PROBE), 5070)];
    (Probe::with(config).await.unwrap(), requests)
}

fn account() -> Account {
    let account = Account::new("sip:alice@pbx.example.com", "secret").unwrap();
    account.registrar(&format!("sip:{REGISTRAR}:5060")).unwrap()
}

fn with_digest(requests: &Mutex<Vec<Message>>) -> usize {
    let requests = requests.lock().unwrap();
    requests.iter().filter(|request| request.header(HeaderName::Authorization).is_some()).count()
}

#[tokio::test(start_paused = true)]
async fn a_challenge_from_another_host_gets_no_digest_and_is_told_with_both_addresses() {
    let (probe, requests) = answering(|answer| answer.contains(" 401 ").then_some((ELSEWHERE, 5060))).await;
    let outcome = probe.check(Register::new(&account())).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert_eq!(with_digest(&requests), 0, "{outcome}");
    finding(&outcome, "challenge-not-answered");
    let told = finding(&outcome, "answer-from-elsewhere");
    assert!(told.seen.contains("203.0.113.9:5060") && told.seen.contains(REGISTRAR), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn another_port_of_the_same_host_is_answered_and_told_once() {
    let (probe, requests) = answering(|_| Some((REGISTRAR, 5062))).await;
    let outcome = probe.check(Register::new(&account())).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(with_digest(&requests) > 0, "{outcome}");
    let told: Vec<_> = outcome.findings.iter().filter(|f| f.code == "answer-from-elsewhere").collect();
    assert_eq!(told.len(), 1, "{outcome}");
    assert!(told[0].seen.contains(":5062") && told[0].severity == Severity::Warning, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn reachable_tells_where_the_answer_came_from() {
    let place: fn(&str) -> Option<(&'static str, u16)> = |_| Some((ELSEWHERE, 5060));
    for (from, is_told) in [(place, true), (|_: &str| None, false)] {
        let (probe, _) = answering(from).await;
        let outcome = probe.check(Reachable::new(&format!("sip:{REGISTRAR}:5060")).unwrap()).await;
        assert_verdict(&outcome, Verdict::Pass);
        assert_eq!(told(&outcome).contains("came from 203.0.113.9:5060"), is_told, "{outcome}");
    }
}

/// Does it remove a binding?
fn removes(request: &Message) -> bool {
    request.header(HeaderName::Contact).is_some_and(|c| String::from_utf8_lossy(c).contains(";expires=0"))
}

/// A registrar that does not answer removals, carried out or not.
async fn mute_at_removals(carries_out: bool) -> Outcome {
    let scene = Scripted::raw(Registrar::default(), move |r, q| match removes(q) {
        true if carries_out => {
            r.store(q);
            Vec::new()
        }
        true => Vec::new(),
        false => vec![Reply::Bytes(r.healthy(q).into_bytes())],
    })
    .await;
    scene.register(Udp).await
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_alone_is_dropped_is_the_peers_and_no_ban() {
    for carries_out in [true, false] {
        let outcome = mute_at_removals(carries_out).await;
        assert_verdict(&outcome, Verdict::Fail);
        assert_eq!(finding(&outcome, "request-dropped").side, Side::Peer, "{outcome}");
        assert!(!told(&outcome).contains("fail2ban"), "{outcome}");
        let gone = step(&outcome, "gone").verdict;
        assert_eq!(gone == Verdict::Pass, carries_out, "{outcome}");
        let left = outcome.finding("binding-left").is_some();
        assert_eq!(left, !carries_out, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_is_rewritten_beside_our_token_is_told() {
    type Change = fn(&str) -> String;
    let cases: [(_, Change, _); 6] = [
        (Udp, |a| a.replace(&format!("@{PROBE}:5070"), "@198.51.100.7:5070"), "another host"),
        (Udp, |a| a.replace(&format!("@{PROBE}:5070"), &format!("@{PROBE}:1")), "port 1"),
        (Udp, |a| a.replace(&format!("@{PROBE}:5070"), &format!("@{PROBE}")), "no port"),
        (Udp, |a| a.replace("Contact: <sip:alice@", "Contact: <sip:s12345@"), "s12345"),
        (Tcp, |a| a.replace(";transport=tcp;rb", ";rb"), "no transport"),
        (Udp, str::to_owned, ""),
    ];
    for (transport, change, word) in cases {
        let scene = Scripted::new(Registrar::default(), move |r, q| change(&r.healthy(q))).await;
        let outcome = scene.register(transport).await;
        let found: Vec<_> = outcome.findings.iter().filter(|f| f.code == "contact-rewritten").collect();
        assert_eq!(found.len(), usize::from(!word.is_empty()), "{word}: {outcome}");
        assert!(found.iter().all(|f| f.seen.contains(word) && f.severity == Severity::Warning), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_device_that_goes_with_our_removal_is_told_so() {
    let scene = Scripted::new(Registrar::with(&["<sip:alice@192.0.2.99:5060>"]), |r, q| {
        let answer = r.healthy(q);
        if removes(q) && !r.is_unanswered(q) {
            r.bindings.clear();
        }
        answer
    })
    .await;
    let check = Register::new(&scene.account("alice", Udp)).beside_live_devices(true);
    let outcome = scene.check(check).await;
    assert_verdict(&outcome, Verdict::Fail);
    let lost = finding(&outcome, "binding-replaced");
    assert!(lost.seen.contains("when ours was removed") && lost.seen.contains("192.0.2.99"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_a_refusal_lists_as_ours_is_told_and_removed() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        if r.is_unanswered(q) || removes(q) || q.header(HeaderName::Contact).is_none() {
            return r.healthy(q);
        }
        r.store(q);
        r.list(q).replacen("200 OK", "403 Maximum number of devices reached", 1)
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "too-many-bindings").seen.contains("lists ours alone"), "{outcome}");
    assert_eq!(step(&outcome, "gone").verdict, Verdict::Pass, "{outcome}");
    assert!(scene.registrar.lock().unwrap().bindings.is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_challenge_in_the_header_of_another_status_is_no_wrong_password() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        assert_eq!(q.method(), Some(Method::Register), "{}", text(q));
        r.challenge(q).replacen("WWW-Authenticate", "Proxy-Authenticate", 1)
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_verdict(&outcome, Verdict::Fail);
    let found = finding(&outcome, "challenge-misplaced");
    assert!(found.side == Side::Peer && found.seen.contains("Proxy-Authenticate"), "{outcome}");
}
