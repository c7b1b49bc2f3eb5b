//! Fixed workloads whose instructions `benches/hold` counts and compares with `benches/instructions.tsv`.
//!
//! `instructions WORKLOAD COUNT` prepares COUNT items and works on them; with `prepare` behind it, it only prepares, so that the
//! difference of both is the work alone. Nothing here depends on chance, time or the environment. Without arguments, as `cargo bench`
//! starts it, every workload runs a little and its result is checked.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ringback::auth::{Credentials, DigestChallenge, DigestSession};
use ringback::message::{Builder, Flow, Ids, Message, Transport};
use ringback::syntax::{HeaderName, Limits, Method};
use ringback::transaction::{Input, Layer, Output};
use ringback::ua::End;
use ringback::ua::registration::{Command, Config, Input as Say, Output as Said, Registration};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A workload: prepares `count` items, works on them if it `works`, and says how much it saw.
type Workload = fn(count: usize, works: bool) -> usize;

const WORKLOADS: [(&str, Workload); 5] = [
    ("frame", frame),
    ("full", full),
    ("transaction", transaction),
    ("digest", digest),
    ("registration", registration),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chosen = WORKLOADS.iter().find(|(name, _)| arguments.first().is_some_and(|first| first == name));
    match chosen {
        Some((_, work)) => {
            let count = arguments.get(1).and_then(|text| text.parse().ok()).expect("how many");
            let works = arguments.get(2).is_none_or(|last| last != "prepare");
            black_box(work(count, works));
        }
        None => {
            for (name, work) in WORKLOADS {
                let (prepared, worked) = (work(50, false), work(50, true));
                println!("{name}: 50 prepared, {worked} seen");
                assert!(prepared == 0 && worked >= 50, "{name} works");
            }
        }
    }
}

/// The messages of `tests/data/messages`, in order.
fn messages() -> Vec<Bytes> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/messages");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 11);
    paths.iter().map(|path| Bytes::from(std::fs::read(path).unwrap())).collect()
}

/// Frames all messages: start line, and all headers split and identified.
fn frame(count: usize, works: bool) -> usize {
    let messages = messages();
    let mut seen = 0;
    for _ in 0..if works { count } else { 0 } {
        for bytes in &messages {
            black_box(Message::parse(black_box(bytes.clone()), &Limits::default()).unwrap());
            seen += 1;
        }
    }
    seen
}

/// Frames all messages and reads every Via, From, To, CSeq, Call-ID, Contact, Route and Record-Route.
fn full(count: usize, works: bool) -> usize {
    let messages = messages();
    let mut seen = 0;
    for _ in 0..if works { count } else { 0 } {
        for bytes in &messages {
            let m = Message::parse(black_box(bytes.clone()), &Limits::default()).unwrap();
            black_box((m.from().unwrap(), m.to().unwrap(), m.cseq().unwrap(), m.call_id().unwrap()));
            seen += all(m.vias());
            seen += all(m.contacts());
            for name in [HeaderName::Route, HeaderName::RecordRoute] {
                seen += all(m.addresses(name));
            }
        }
    }
    seen
}

/// Reads all values of a header; how many there are.
fn all<T, E: std::fmt::Debug>(values: impl Iterator<Item = Result<T, E>>) -> usize {
    let mut seen = 0;
    for value in values {
        black_box(value.unwrap());
        seen += 1;
    }
    seen
}

/// A client transaction over UDP: sent, answered, and gone when its timer K has fired; one begins every 10 ms of virtual time.
fn transaction(count: usize, works: bool) -> usize {
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5070".parse().unwrap(),
        remote: "192.0.2.2:5060".parse().unwrap(),
    };
    let request = Builder::request(Method::Options, "sip:pbx.example.com")
        .header(HeaderName::MaxForwards, "70")
        .header(HeaderName::From, "<sip:probe@192.0.2.1:5070>;tag=a73kszlfl")
        .header(HeaderName::To, "<sip:pbx.example.com>")
        .header(HeaderName::CallId, "1j9FpLxk3uxtm8tn@192.0.2.1")
        .header(HeaderName::CSeq, "2 OPTIONS")
        .header(HeaderName::Contact, "<sip:probe@192.0.2.1:5070>")
        .header(HeaderName::UserAgent, "ringback")
        .build()
        .unwrap();
    let began = Instant::now();
    let layer = || Layer::new(Default::default(), Ids::from_seed([1; 32]));
    let at = |i: usize| began + Duration::from_millis(10) * i as u32;
    let catch_up = |layer: &mut Layer, now| {
        if layer.poll_timeout().is_some_and(|at| at <= now) {
            layer.handle_timeout(now);
        }
    };
    // A twin with the same seed and the same fate tells which branches there will be.
    let mut twin = layer();
    let answers: Vec<Message> = (0..count)
        .map(|i| {
            catch_up(&mut twin, at(i));
            twin.send(at(i), &request, flow).unwrap();
            let sent = std::iter::from_fn(|| twin.poll_output()).find_map(|output| match output {
                Output::Transmit { bytes, retransmission: 0, .. } => Some(bytes),
                _ => None,
            });
            let request = Message::parse(sent.unwrap(), &Limits::default()).unwrap();
            let answer = Builder::response(&request, 200, "OK", Some("x1")).build().unwrap();
            twin.handle_input(at(i), Input::Received { message: answer.clone(), flow });
            while twin.poll_output().is_some() {}
            answer
        })
        .collect();
    let (mut layer, mut seen) = (layer(), 0);
    if works {
        for (i, message) in answers.into_iter().enumerate() {
            let now = at(i);
            catch_up(&mut layer, now);
            layer.send(now, &request, flow).unwrap();
            layer.handle_input(now, Input::Received { message, flow });
            while let Some(output) = layer.poll_output() {
                seen += usize::from(matches!(black_box(output), Output::Response { .. }));
            }
        }
    }
    seen
}

/// From a 401 to the value of Authorization: challenge read, MD5 with `qop=auth` computed, value written.
fn digest(count: usize, works: bool) -> usize {
    let refusal = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"pbx.example.com\", \
                   nonce=\"a1b2c3d4e5f60718293a4b5c6d7e8f90\", opaque=\"5ccc\", algorithm=MD5, qop=\"auth\"\r\n\r\n";
    let refusal = Message::parse(refusal.into(), &Limits::default()).unwrap();
    let credentials = Credentials::new("alice", "correct horse battery staple");
    let mut seen = 0;
    for _ in 0..if works { count } else { 0 } {
        let challenge = refusal.challenges(HeaderName::WwwAuthenticate).next().unwrap().unwrap();
        let challenge = DigestChallenge::from_challenge(&challenge).unwrap();
        let mut session = DigestSession::new(challenge, &credentials, "0a4f113b");
        let value = session.authorize(Method::Register, b"sip:pbx.example.com", b"").unwrap();
        seen += usize::from(!black_box(value).is_empty());
    }
    seen
}

/// A registration from its first REGISTER over a 401 to its end: two requests written, two answers read.
fn registration(count: usize, works: bool) -> usize {
    let answer = |text: &str| Message::parse(text.to_owned().into(), &Limits::default()).unwrap();
    let refusal = answer(
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport=5070;received=192.0.2.1\r\n\
         From: <sip:alice@pbx.example.com>;tag=a73kszlfl\r\nTo: <sip:alice@pbx.example.com>;tag=b1\r\nCall-ID: 1j9FpLxk3uxtm8tn\r\n\
         CSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"pbx.example.com\", nonce=\"a1b2c3d4e5f60718293a4b5c6d7e8f90\", \
         algorithm=MD5, qop=\"auth\"\r\nServer: pbx\r\nContent-Length: 0\r\n\r\n",
    );
    let accepted = answer(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK2;rport=5070;received=192.0.2.1\r\n\
         From: <sip:alice@pbx.example.com>;tag=a73kszlfl\r\nTo: <sip:alice@pbx.example.com>;tag=b2\r\nCall-ID: 1j9FpLxk3uxtm8tn\r\n\
         CSeq: 2 REGISTER\r\nContact: <sip:alice@192.0.2.1:5070>;expires=300\r\nServer: pbx\r\nContent-Length: 0\r\n\r\n",
    );
    let (now, mut ids) = (Instant::now(), Ids::from_seed([1; 32]));
    let mut seen = 0;
    for _ in 0..if works { count } else { 0 } {
        let credentials = Credentials::new("alice", "correct horse battery staple");
        let contact = "sip:alice@192.0.2.1:5070";
        let config = Config::new("sip:alice@pbx.example.com", "sip:pbx.example.com", contact, credentials);
        let mut registration = Registration::new(config, ids.fork());
        registration.handle_input(now, Say::Command(Command::Bind));
        for answer in [&refusal, &accepted] {
            let Some(Said::Send(request)) = registration.poll_output() else { panic!("nothing is sent") };
            black_box(request);
            registration.handle_input(now, Say::Response(answer.clone()));
        }
        seen += usize::from(
            matches!(black_box(registration.poll_output()), Some(Said::Finished(end)) if end.end == End::Accepted),
        );
    }
    seen
}
