//! What listening costs: `cargo bench --bench media`.
//!
//! `streams per core` is what one core can carry of one direction in real time: 50 packets a second read, counted, decoded and searched for
//! digits and parties' tones, and 50 built. A two-way call with both ends ours is two of them. The sound is a line's noise, a party's tone and
//! digits in turn, so that no early exit is measured.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, Throughput, criterion_group};
use ringback::media::digit::parse_digits;
use ringback::media::dtmf::DtmfMethod;
use ringback::media::dtmf_detector::DtmfDetector;
use ringback::media::g711::Law;
use ringback::media::goertzel::Bank;
use ringback::media::party_tone::Party;
use ringback::media::stream::{Command, Config, Input, Output, Stream};
use ringback::media::tone::Tone;
use ringback::message::Ids;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// CPU time of this thread, so that what else runs on the machine does not count.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A second of noise, of a party's tone and of digits each.
fn sound() -> Vec<i16> {
    let mut ids = Ids::from_seed([1; 32]);
    let mut samples: Vec<i16> = (0..8_000).map(|_| ids.below(400) as i16 - 200).collect();
    Party::new(0).unwrap().tone().write(8_000, &mut samples);
    for digit in ringback::media::digit::Digit::all().take(5) {
        Tone::digit(digit).write(800, &mut samples);
        samples.resize(samples.len() + 800, 0);
    }
    samples
}

fn parts(criterion: &mut Criterion) {
    let samples = sound();
    let mut group = criterion.benchmark_group("media");
    group.throughput(Throughput::Elements(samples.len() as u64));
    let bank = Bank::new([697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0]);
    group.bench_function("goertzel_bank_of_8", |bencher| {
        bencher.iter(|| {
            samples.chunks_exact(40).for_each(|block| {
                black_box(bank.block(black_box(block)));
            });
        })
    });
    group.bench_function("dtmf_detector", |bencher| {
        bencher.iter(|| {
            let (mut detector, mut heard) = (DtmfDetector::new(), Vec::new());
            samples.chunks_exact(160).for_each(|packet| detector.feed(black_box(packet), &mut heard));
            heard.len()
        })
    });
    let codes: Vec<u8> = samples.iter().map(|&s| Law::A.encode(s)).collect();
    group.bench_function("g711_decode", |bencher| {
        let mut out = Vec::with_capacity(codes.len());
        bencher.iter(|| {
            out.clear();
            Law::A.decode_into(black_box(&codes), &mut out);
            out.len()
        })
    });
    group.finish();
}

/// Calls with both ends here, in virtual time: what one core carries of them in real time.
fn calls_per_core(calls: usize, seconds: u64) {
    let (mut ids, start) = (Ids::from_seed([2; 32]), Instant::now());
    let config =
        Config { telephone_event: Some(101), telephone_event_received: Some(101), ..Config::default() };
    let mut streams: Vec<[Stream; 2]> = (0..calls)
        .map(|n| {
            [0, 1].map(|side| {
                let mut stream = Stream::new(config.clone(), &mut ids, start);
                let tone = Party::new(side).map(Party::tone);
                stream.handle_input(start, Input::Command(Command::Background(tone)));
                let way = if n % 2 == 0 { DtmfMethod::Rfc4733 } else { DtmfMethod::InBand };
                let digits = parse_digits("0123456789*#ABCD").unwrap();
                stream.handle_input(start, Input::Command(Command::digits(digits, way)));
                stream
            })
        })
        .collect();
    let (began, mut packets, mut digits) = (cpu(), 0_u64, 0_u64);
    for tick in 0..seconds * 50 {
        let now = start + Duration::from_millis(tick * 20);
        for [a, b] in &mut streams {
            for (from, to) in [(0, 1), (1, 0)] {
                let (from, to) = if from < to { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
                from.handle_timeout(now);
                while let Some(output) = from.poll_output() {
                    match output {
                        Output::Packet(packet) => {
                            packets += 1;
                            to.handle_input(now, Input::Packet(&packet));
                        }
                        Output::Event(ringback::media::stream::Event::Observed(_)) => digits += 1,
                        Output::Event(_) => {}
                    }
                }
            }
        }
    }
    let took = (cpu() - began).as_secs_f64();
    let of_a_core = took / seconds as f64;
    println!(
        "{calls} two-way calls for {seconds} s: {packets} packets, {digits} digits seen, {took:.2} s of CPU"
    );
    println!("one core carries {:.0} two-way calls with detection at both ends", calls as f64 / of_a_core);
}

criterion_group!(benches, parts);

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    if quick {
        calls_per_core(10, 4)
    } else {
        calls_per_core(1_000, 10)
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
