//! What parsing costs, beside what the machine can do at best and what others do: `cargo bench --bench parse`.
//!
//! On the 11 messages of `tests/data/messages`: a copy, a plain memchr pass (LF, then the first ':' of each line), httparse on HTTP messages
//! of the same headers, ours framed, ours with every value of Via, From, To, CSeq, Call-ID, Contact, Route and Record-Route typed, and rsip
//! with the same values. The ratios are measured first, in turns, so that what disturbs one disturbs all.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group};
use ringback::message::Message;
use ringback::syntax::{Contact, HeaderName, Limits};
use std::hint::black_box;
use std::time::{Duration, Instant};

struct Input {
    sip: Bytes,
    http: Vec<u8>,
    text: String,
}

/// The same headers behind an HTTP start line.
fn as_http(sip: &[u8]) -> Vec<u8> {
    let line_end = sip.windows(2).position(|w| w == b"\r\n").unwrap();
    let start: &[u8] = if sip.starts_with(b"SIP/") {
        b"HTTP/1.1 200 OK"
    } else {
        b"POST /some/where/of/this/length HTTP/1.1"
    };
    [start, &sip[line_end..]].concat()
}

fn inputs() -> Vec<Input> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/messages");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 11);
    paths
        .iter()
        .map(|path| {
            let bytes = std::fs::read(path).unwrap();
            Input {
                http: as_http(&bytes),
                text: String::from_utf8(bytes.clone()).unwrap(),
                sip: Bytes::from(bytes),
            }
        })
        .collect()
}

fn copy(input: &Input, buffer: &mut [u8]) {
    buffer[..input.sip.len()].copy_from_slice(black_box(&input.sip));
    black_box(&buffer);
}

/// LF by memchr, then ':' by memchr in the line, into slots; until the empty line.
fn memchr_pass(input: &Input) {
    let text = &input.sip[..];
    let mut slots = [(0_u32, 0_u32, 0_u32); 64];
    let (mut at, mut count) = (0, 0);
    while let Some(length) = memchr::memchr(b'\n', &text[at..]) {
        if length <= 1 {
            break;
        }
        let colon = memchr::memchr(b':', &text[at..at + length]).unwrap_or(0);
        slots[count & 63] = (at as u32, colon as u32, length as u32);
        count += 1;
        at += length + 1;
    }
    black_box(&slots);
}

fn httparse_pass(input: &Input) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    if input.http.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut headers);
        assert!(response.parse(&input.http).unwrap().is_complete());
        black_box(&response);
    } else {
        let mut request = httparse::Request::new(&mut headers);
        assert!(request.parse(&input.http).unwrap().is_complete());
        black_box(&request);
    }
}

fn frame(input: &Input) {
    let m = Message::parse(input.sip.clone(), &Limits::default()).unwrap();
    black_box(&m);
}

fn full(input: &Input) {
    let m = Message::parse(input.sip.clone(), &Limits::default()).unwrap();
    for via in m.vias() {
        black_box(via.unwrap());
    }
    black_box((m.from().unwrap(), m.to().unwrap(), m.cseq().unwrap(), m.call_id().unwrap()));
    for contact in m.contacts() {
        let Contact::Addr(addr) = contact.unwrap() else { unreachable!() };
        black_box(addr);
    }
    for name in [HeaderName::Route, HeaderName::RecordRoute] {
        for address in m.addresses(name) {
            black_box(address.unwrap());
        }
    }
    black_box(&m);
}

fn rsip_frame(input: &Input) -> rsip::SipMessage {
    rsip::SipMessage::try_from(input.text.as_str()).unwrap()
}

fn rsip_full(input: &Input) {
    use rsip::headers::ToTypedHeader;
    use rsip::prelude::*;
    let m = rsip_frame(input);
    for header in m.headers().iter() {
        match header {
            rsip::Header::Via(h) => drop(black_box(h.typed().unwrap())),
            rsip::Header::From(h) => drop(black_box(h.typed().unwrap())),
            rsip::Header::To(h) => drop(black_box(h.typed().unwrap())),
            rsip::Header::CSeq(h) => drop(black_box(h.typed().unwrap())),
            rsip::Header::Contact(h) => drop(black_box(h.typed().unwrap())),
            rsip::Header::CallId(h) => drop(black_box(h.value().to_owned())),
            rsip::Header::Route(h) => drop(black_box(h.typed().unwrap())),
            rsip::Header::RecordRoute(h) => drop(black_box(h.typed().unwrap())),
            _ => {}
        }
    }
    black_box(&m);
}

/// A name and its work on one message.
type Contender<'a> = (&'a str, Box<dyn FnMut(&Input) + 'a>);

fn contenders<'a>(buffer: &'a mut [u8]) -> Vec<Contender<'a>> {
    vec![
        ("memcpy", Box::new(move |i| copy(i, buffer))),
        ("memchr pass", Box::new(memchr_pass)),
        ("httparse", Box::new(httparse_pass)),
        ("ours, frame", Box::new(frame)),
        ("ours, full", Box::new(full)),
        ("rsip, frame", Box::new(|i| drop(black_box(rsip_frame(i))))),
        ("rsip, full", Box::new(rsip_full)),
    ]
}

/// Nanoseconds a message, the least of many turns.
fn ratios(inputs: &[Input]) {
    let mut buffer = vec![0; 4096];
    let mut contenders = contenders(&mut buffer);
    let mut best = vec![Duration::MAX; contenders.len()];
    for _ in 0..150 {
        for (slot, (_, work)) in best.iter_mut().zip(&mut contenders) {
            let start = Instant::now();
            for _ in 0..40 {
                for input in inputs {
                    work(input);
                }
            }
            *slot = (*slot).min(start.elapsed());
        }
    }
    let messages = 40.0 * inputs.len() as f64;
    let bytes: usize = inputs.iter().map(|i| i.sip.len()).sum();
    let mean = bytes as f64 / inputs.len() as f64;
    let nanos: Vec<f64> = best.iter().map(|d| d.as_nanos() as f64 / messages).collect();
    println!(
        "{:<12} {:>9} {:>9} {:>12} {:>9} {:>9}",
        "", "ns/msg", "MB/s", "messages/s", "/memchr", "/frame"
    );
    for ((name, _), ns) in contenders.iter().zip(&nanos) {
        let (megabytes, rate) = (mean / ns * 1e3, 1e9 / ns);
        println!(
            "{name:<12} {ns:>9.0} {megabytes:>9.0} {rate:>12.0} {:>9.2} {:>9.2}",
            ns / nanos[1],
            ns / nanos[3]
        );
    }
    println!(
        "frame / memchr pass {:.2} (goal 1.4)   frame / httparse {:.2} (goal below 1)",
        nanos[3] / nanos[1],
        nanos[3] / nanos[2]
    );
    println!(
        "full / frame {:.2} (goal 5)   rsip full / full {:.2} (goal 5 or more)\n",
        nanos[4] / nanos[3],
        nanos[6] / nanos[4]
    );
}

fn parse(c: &mut Criterion) {
    let inputs = inputs();
    let mut buffer = vec![0; 4096];
    let bytes: usize = inputs.iter().map(|i| i.sip.len()).sum();
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(bytes as u64));
    for (name, mut work) in contenders(&mut buffer) {
        group.bench_function(name, |b| b.iter(|| inputs.iter().for_each(&mut work)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = parse
}

fn main() {
    ratios(&inputs());
    // `RATIOS_ONLY=1` for a quick look; everything else belongs to criterion.
    if std::env::var_os("RATIOS_ONLY").is_none() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
