//! Whatever comes to an RTP or RTCP port, at any time. No panic, no output without end, counts that can be, packets that can be read.
//!
//! The input is a list of steps: what, two values, and the bytes that it wants.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::media::digit::{Digit, Key, parse_digits};
use ringback::media::dtmf::{DtmfMethod, Expected, Observation, judge};
use ringback::media::rtcp::{Received, round_trip};
use ringback::media::rtp::{MAX_PACKET, Packet};
use ringback::media::stream::{Command, Config, Event, Input, MAX_OUTPUTS, Output, Stream};
use ringback::media::tone::Tone;
use ringback::message::Ids;
use std::time::{Duration, Instant};

/// Steps that are taken of one input.
const STEPS: usize = 48;
const EVENT_TYPE: u8 = 101;

struct Trial {
    stream: Stream,
    start: Instant,
    now: Instant,
    fed: u64,
    observed: Vec<Observation>,
    /// The next packet of a well-behaved peer.
    next: (u16, u32),
}

impl Trial {
    fn feed(&mut self, datagram: &[u8]) {
        self.fed += 1;
        self.stream.handle_input(self.now, Input::Packet(datagram));
        self.drain();
    }

    fn packet(&mut self, payload_type: u8, marker: bool, ssrc: u32, payload: &[u8]) {
        let (sequence_number, timestamp) = self.next;
        let packet = Packet { marker, payload_type, sequence_number, timestamp, ssrc, payload };
        if let Ok(bytes) = packet.write() {
            assert_eq!(Packet::parse(&bytes), Ok(packet));
            self.feed(&bytes);
        }
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.stream.poll_output() {
            outputs += 1;
            assert!(outputs <= MAX_OUTPUTS);
            match output {
                Output::Packet(bytes) => {
                    assert!(bytes.len() <= MAX_PACKET);
                    assert_eq!(Packet::parse(&bytes).map(|packet| packet.ssrc), Ok(self.stream.ssrc()));
                }
                Output::Event(Event::Observed(observation)) => self.observed.push(observation),
                Output::Event(_) => {}
            }
        }
    }

    /// Time goes on, and each deadline is met; a deadline that does not move would never end it.
    fn wait(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        let mut turns = 0;
        while let Some(at) = self.stream.poll_timeout().filter(|at| *at <= end) {
            turns += 1;
            assert!(turns <= 2 * millis + 64, "a deadline that comes again and again");
            self.now = self.now.max(at);
            self.stream.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn report(&mut self, ntp: u64, last: Option<(u32, Duration)>) {
        let report = self.stream.report(self.now, ntp, last);
        let bytes = report.write("probe@192.0.2.1").expect("our own report can be written");
        assert_eq!(Received::parse(&bytes).expect("and read").reports, [report]);
    }

    fn check(&mut self) {
        let summary = self.stream.statistics();
        assert!(summary.received <= self.fed && self.stream.malformed() <= self.fed);
        assert!(summary.lost <= summary.expected && summary.duplicates <= summary.received);
        assert!((0.0..=1.0).contains(&summary.loss()));
        assert!(summary.longest_gap <= self.now - self.start);
        assert!(self.observed.len() as u64 <= 8 * self.fed + 64, "more digits than packets can hold");
        let digits: Vec<Digit> = "19*#".chars().filter_map(Digit::from_char).collect();
        for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand, DtmfMethod::Info] {
            let judged =
                judge(&Expected::new(way, digits.clone(), Duration::from_millis(100)), &self.observed);
            assert!(judged.digits.len() == digits.len());
        }
    }
}

fn command(what: u8, value: u8) -> Command {
    let keys: Vec<Key> = parse_digits("1,A#").expect("digits");
    match what % 8 {
        0 => Command::digits(keys, DtmfMethod::Rfc4733),
        1 => Command::digits(keys, DtmfMethod::InBand),
        2 => Command::digits(keys, DtmfMethod::Info),
        3 => Command::StopPlaying,
        4 => Command::Sending(value & 1 == 0),
        5 => Command::Background((value & 1 == 0).then(|| Tone::sine(f64::from(value) * 20.0, -10.0))),
        6 => Command::Samples(vec![i16::from(value) * 100; usize::from(value) * 16]),
        _ => Command::Silence(Duration::from_millis(u64::from(value))),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, mut rest)) = data.split_first() else { return };
    let start = Instant::now();
    let config = Config {
        telephone_event: (flags & 1 != 0).then_some(EVENT_TYPE),
        telephone_event_received: (flags & 2 != 0).then_some(EVENT_TYPE),
        detect_tones: flags & 4 != 0,
        packet_time: Duration::from_millis(10 + u64::from(flags >> 5) * 10),
        ..Config::default()
    };
    let stream = Stream::new(config, &mut Ids::from_seed([7; 32]), start);
    let mut trial =
        Trial { stream, start, now: start, fed: 0, observed: Vec::new(), next: (65_533, u32::MAX - 400) };
    for _ in 0..STEPS {
        let [what, one, two, tail @ ..] = rest else { break };
        let (one, two) = (*one, *two);
        let wanted = match what % 8 {
            0 | 6 => usize::from(one),
            1 => 16,
            2 => 4,
            _ => 0,
        };
        let (bytes, after) = tail.split_at(wanted.min(tail.len()));
        rest = after;
        match what % 8 {
            0 => trial.feed(bytes),
            1 => {
                // Voice: what comes is repeated over the packet.
                let sound: Vec<u8> =
                    bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { 160 }).collect();
                trial.packet(
                    [0, 8, 13, 111][usize::from(one & 3)],
                    one & 4 != 0,
                    u32::from(one >> 6),
                    &sound,
                );
                trial.next = (trial.next.0.wrapping_add(1), trial.next.1.wrapping_add(160));
                trial.wait(u64::from(two >> 2));
            }
            2 => {
                trial.packet(EVENT_TYPE, one & 4 != 0, u32::from(one >> 6), bytes);
                trial.next.0 = trial.next.0.wrapping_add(1);
                trial.wait(u64::from(two >> 2));
            }
            3 => trial.wait(8 * u64::from(two)),
            4 => {
                trial.stream.handle_input(trial.now, Input::Command(command(one, two)));
                trial.drain();
            }
            5 => {
                // The peer's counters jump.
                trial.next.0 = trial.next.0.wrapping_add_signed(i16::from(one as i8));
                trial.next.1 = trial.next.1.wrapping_add_signed(i32::from(two as i8) * 160);
            }
            6 => {
                if let Ok(received) = Received::parse(bytes) {
                    for block in received.reports.iter().flat_map(|report| &report.blocks) {
                        let _ = round_trip(block, u32::from(two) << 16);
                    }
                }
            }
            _ => trial.report(
                u64::from(one) << 40,
                (two != 0).then(|| (u32::from(one), Duration::from_secs(u64::from(two)))),
            ),
        }
    }
    trial.wait(1_000);
    trial.stream.finish(trial.now);
    trial.drain();
    trial.report(0, None);
    trial.check();
});
