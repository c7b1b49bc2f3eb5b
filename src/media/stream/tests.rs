#![allow(clippy::unwrap_used)]
use super::*;
use crate::media::digit::parse_digits;
use crate::media::dtmf::{Around, By, Defect, Expected, Window, judge};
use crate::media::rtp::Packet;
use crate::media::telephone_event::Payload;

mod faults;

const MS: Duration = Duration::from_millis(1);

/// A packet of a telephone event that is changed on its way.
struct Meddled {
    marker: bool,
    timestamp: u32,
    ssrc: u32,
    payload: [u8; 4],
    /// Which repeat of the end it is, 0 for the first and for all that end nothing.
    repeat: u32,
}

/// Two streams and a link between them, in virtual time.
struct Pair {
    start: Instant,
    now: Instant,
    a: Stream,
    b: Stream,
    ids: Ids,
    loss_percent: u64,
    jitter_ms: u64,
    on_the_way: Vec<(Instant, u64, Vec<u8>)>,
    sent: Vec<Vec<u8>>,
    /// What somebody on the way makes of a telephone event: another one, or nothing.
    meddler: Option<fn(&mut Meddled, Payload) -> bool>,
    met: u32,
    events_of_a: Vec<Event>,
    events_of_b: Vec<Event>,
}

impl Pair {
    fn new(seed: u8, config: Config) -> Pair {
        let (mut ids, start) = (Ids::from_seed([seed; 32]), Instant::now());
        Pair {
            a: Stream::new(config.clone(), &mut ids, start),
            b: Stream::new(
                Config { telephone_event_received: config.telephone_event, ..config },
                &mut ids,
                start,
            ),
            start,
            now: start,
            ids,
            loss_percent: 0,
            jitter_ms: 0,
            on_the_way: Vec::new(),
            sent: Vec::new(),
            meddler: None,
            met: 0,
            events_of_a: Vec::new(),
            events_of_b: Vec::new(),
        }
    }
    /// What the voice around the digits of 100 ms says, from the beginning until now.
    fn around(&self) -> Around {
        let sent = |event: &Event| if let Event::Sent { at, .. } = event { Some(*at) } else { None };
        let sent_at: Vec<Instant> = self.events_of_a.iter().filter_map(sent).collect();
        let window = Window {
            sent_at: &sent_at,
            on: 100 * MS,
            from: self.start,
            until: self.now,
            packet_time: 20 * MS,
        };
        Around::of(&self.b.voice(), &window)
    }
    fn command(&mut self, command: Command) {
        self.a.handle_input(self.now, Input::Command(command));
    }
    /// Lets time pass; packets of A go to B.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now <= end {
            self.a.handle_timeout(self.now);
            self.b.handle_timeout(self.now);
            while let Some(output) = self.a.poll_output() {
                match output {
                    Output::Packet(packet) => {
                        self.sent.push(packet.clone());
                        let Some(packet) = self.meddle(packet) else { continue };
                        if self.ids.below(100) >= self.loss_percent {
                            let late = self.ids.below(self.jitter_ms + 1) as u32 * MS;
                            self.on_the_way.push((self.now + late, self.sent.len() as u64, packet));
                        }
                    }
                    Output::Event(event) => self.events_of_a.push(event),
                }
            }
            self.on_the_way.sort_by_key(|(at, number, _)| (*at, *number));
            let now = self.now;
            let due = self.on_the_way.partition_point(|(at, ..)| *at <= now);
            for (_, _, packet) in self.on_the_way.drain(..due) {
                self.b.handle_input(now, Input::Packet(&packet));
            }
            while let Some(output) = self.b.poll_output() {
                if let Output::Event(event) = output {
                    self.events_of_b.push(event);
                }
            }
            let next = self
                .on_the_way
                .iter()
                .map(|(at, ..)| *at)
                .chain(self.a.poll_timeout())
                .chain(self.b.poll_timeout());
            self.now = next.min().unwrap_or(end + MS).max(self.now + Duration::from_micros(1));
        }
        self.now = end;
    }
    fn meddle(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let packet = Packet::parse(&bytes).unwrap();
        let (Some(meddler), 101) = (self.meddler, packet.payload_type) else { return Some(bytes) };
        let payload = Payload::parse(packet.payload).unwrap();
        self.met = if payload.end { self.met + 1 } else { 0 };
        let Packet { marker, timestamp, ssrc, .. } = packet;
        let repeat = self.met.saturating_sub(1);
        let mut changed = Meddled { marker, timestamp, ssrc, payload: payload.write(), repeat };
        let passed = meddler(&mut changed, payload);
        let Meddled { marker, timestamp, ssrc, .. } = changed;
        passed
            .then(|| Packet { marker, timestamp, ssrc, payload: &changed.payload, ..packet }.write().unwrap())
    }
    fn observed(&self) -> Vec<Observation> {
        let observation = |event: &Event| if let Event::Observed(o) = event { Some(o.clone()) } else { None };
        self.events_of_b.iter().filter_map(observation).collect()
    }
    fn text(&self) -> String {
        self.observed().iter().filter_map(|o| o.digit).map(Digit::character).collect()
    }
    fn packets(&self) -> Vec<Packet<'_>> {
        self.sent.iter().map(|bytes| Packet::parse(bytes).unwrap()).collect()
    }
}

fn with_events() -> Config {
    Config { telephone_event: Some(101), ..Config::default() }
}

const ALL: &str = "0123456789*#ABCD";

#[test]
fn packets_leave_every_twenty_milliseconds_in_one_sequence_and_clock() {
    let mut pair = Pair::new(1, with_events());
    pair.command(Command::digits(parse_digits("5").unwrap(), DtmfMethod::Rfc4733));
    pair.run(999 * MS);
    let packets = pair.packets();
    assert_eq!(packets.len(), 50);
    for two in packets.windows(2) {
        assert_eq!(two[1].sequence_number, two[0].sequence_number.wrapping_add(1));
        assert_eq!(two[1].ssrc, pair.a.ssrc());
    }
    let event: Vec<_> = packets.iter().filter(|p| p.payload_type == 101).collect();
    let durations: Vec<_> = event.iter().map(|p| Payload::parse(p.payload).unwrap().duration).collect();
    assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
    assert!(event.iter().all(|p| p.timestamp == event[0].timestamp));
    // Voice goes on where it would have been without the event.
    let voice: Vec<_> = packets.iter().enumerate().filter(|(_, p)| p.payload_type == 8).collect();
    for (n, packet) in &voice {
        assert_eq!(packet.timestamp, voice[0].1.timestamp.wrapping_add((*n - voice[0].0) as u32 * 160));
        assert!(packet.payload.len() == 160 && packet.payload.iter().all(|&code| code == 0xd5));
    }
}

#[test]
fn all_sixteen_digits_arrive_by_events_and_by_tones_and_are_judged_sound() {
    for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand] {
        for law in [Law::A, Law::Mu] {
            let mut pair = Pair::new(2, Config { law, payload_type: law.payload_type(), ..with_events() });
            pair.command(Command::Background(Party::new(0).map(Party::tone)));
            pair.run(300 * MS);
            pair.command(Command::digits(parse_digits(ALL).unwrap(), way));
            pair.run(4_000 * MS);
            let digits: Vec<Digit> = Digit::all().collect();
            let expected = Expected {
                payload_type: Some(101),
                around: pair.around(),
                ..Expected::new(way, digits, 100 * MS)
            };
            let judged = judge(&expected, &pair.observed());
            assert_eq!((judged.received.as_str(), judged.defects), (ALL, vec![]));
            for (n, digit) in judged.digits.iter().enumerate() {
                let observed = digit.observed.as_ref().unwrap();
                let at = observed.at.saturating_duration_since(pair.start).as_millis() as i64;
                assert!((at - 300 - 200 * n as i64).abs() <= 25, "{way}: {digit:?} at {at}");
                let duration = observed.duration.unwrap().as_millis() as i64;
                assert!((duration - 100).abs() <= 5, "{way}: {duration}");
            }
            let sent =
                pair.events_of_a.iter().filter(|e| matches!(e, Event::Sent { way: w, .. } if *w == way));
            assert_eq!(sent.count(), 16);
            assert_eq!(pair.events_of_a.last(), Some(&Event::Played));
            assert_eq!(pair.b.heard().collect::<Vec<_>>(), [Party::new(0).unwrap()]);
            let begun = pair.events_of_b.iter().filter(|e| matches!(e, Event::Begun { .. })).count();
            assert_eq!(begun, if way == DtmfMethod::Rfc4733 { 16 } else { 0 });
        }
    }
}

#[test]
fn pauses_gaps_durations_and_volume_are_those_that_were_asked_for() {
    let mut pair = Pair::new(3, with_events());
    let timing = Timing { on: 250 * MS, gap: 50 * MS, pause: 500 * MS, volume: 23 };
    pair.command(Command::Digits { keys: parse_digits("1,2").unwrap(), way: DtmfMethod::Rfc4733, timing });
    pair.run(2_000 * MS);
    let observed = pair.observed();
    assert_eq!(pair.text(), "12");
    assert!(observed.iter().all(|o| o.duration == Some(250 * MS) && o.level_dbm0 == Some(-23.0)));
    let apart = observed[1].at.saturating_duration_since(observed[0].at);
    assert!(apart >= 800 * MS && apart <= 840 * MS, "{apart:?}");
}

#[test]
fn five_percent_loss_and_reordering_make_no_false_verdict() {
    for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand] {
        for seed in 0..10 {
            let mut pair = Pair::new(seed, with_events());
            (pair.loss_percent, pair.jitter_ms) = (5, 45);
            pair.command(Command::digits(parse_digits("1122334455*#").unwrap(), way));
            pair.run(4_000 * MS);
            let digits = "1122334455*#".chars().filter_map(Digit::from_char).collect();
            let statistics = pair.b.statistics();
            let expected = Expected {
                payload_type: Some(101),
                around: pair.around(),
                ..Expected::new(way, digits, 100 * MS)
            };
            let judged = judge(&expected, &pair.observed());
            assert_eq!(judged.defects, [], "{way} with seed {seed}: {}", judged.received);
            assert!(statistics.lost > 0 && statistics.reordered > 0);
        }
    }
}

#[test]
fn a_lossy_path_is_called_lossy() {
    let mut pair = Pair::new(4, with_events());
    pair.loss_percent = 30;
    pair.command(Command::digits(parse_digits(ALL).unwrap(), DtmfMethod::Rfc4733));
    pair.run(5_000 * MS);
    let expected = Expected {
        around: pair.around(),
        ..Expected::new(DtmfMethod::Rfc4733, Digit::all().collect(), 100 * MS)
    };
    let judged = judge(&expected, &pair.observed());
    assert!(judged.lossy, "{}", expected.around.loss);
    assert!(judged.defects.iter().all(|d| matches!(d, Defect::Lost { .. })), "{:?}", judged.defects);
}

#[test]
fn tones_that_leak_beside_the_events_are_seen_as_such() {
    // The faulty gateway: for each event the tones go on in the voice packets that follow.
    let mut pair = Pair::new(5, with_events());
    for digit in "159".chars().filter_map(Digit::from_char) {
        pair.command(Command::digits(vec![Key::Digit(digit)], DtmfMethod::Rfc4733));
        pair.command(Command::Tone(Tone::digit(digit), 80 * MS));
        pair.command(Command::Silence(200 * MS));
    }
    pair.run(3_000 * MS);
    let digits: Vec<Digit> = "159".chars().filter_map(Digit::from_char).collect();
    let judged = judge(&Expected::new(DtmfMethod::Rfc4733, digits, 100 * MS), &pair.observed());
    let by = By::InBand;
    assert_eq!(judged.defects, [0, 1, 2].map(|position| Defect::Doubled { position, by }));
}

#[test]
fn an_event_with_an_unknown_dynamic_payload_type_is_read_and_its_type_told() {
    let mut pair = Pair::new(6, with_events());
    pair.b =
        Stream::new(Config { telephone_event_received: Some(96), ..with_events() }, &mut pair.ids, pair.now);
    pair.command(Command::digits(parse_digits("7").unwrap(), DtmfMethod::Rfc4733));
    pair.run(1_000 * MS);
    let expected = Expected {
        payload_type: Some(96),
        ..Expected::new(DtmfMethod::Rfc4733, vec![Digit::from_char('7').unwrap()], 100 * MS)
    };
    let wrong = Defect::WrongPayloadType { position: 0, payload_type: 101 };
    assert_eq!(judge(&expected, &pair.observed()).defects, [wrong]);
}

#[test]
fn what_cannot_be_sent_is_refused_and_said() {
    let mut pair = Pair::new(7, Config::default());
    pair.command(Command::digits(parse_digits("1").unwrap(), DtmfMethod::Rfc4733));
    pair.command(Command::digits(parse_digits("1").unwrap(), DtmfMethod::Info));
    pair.command(Command::Samples(vec![0; MAX_SAMPLES + 1]));
    for _ in 0..=MAX_PLAYS {
        pair.command(Command::Silence(MS));
    }
    pair.run(20 * MS);
    let refused = [
        Event::Unsupported(DtmfMethod::Rfc4733),
        Event::Unsupported(DtmfMethod::Info),
        Event::QueueFull,
        Event::QueueFull,
    ];
    assert_eq!(pair.events_of_a[..4], refused);
}

#[test]
fn on_hold_nothing_is_sent_and_afterwards_the_first_packet_is_marked() {
    let mut pair = Pair::new(8, with_events());
    pair.run(199 * MS);
    pair.command(Command::Sending(false));
    pair.run(1_000 * MS);
    assert_eq!(pair.sent.len(), 10);
    assert_eq!(pair.a.poll_timeout(), None);
    pair.command(Command::Sending(true));
    pair.run(100 * MS);
    let packets = pair.packets();
    assert!(packets[10].marker && packets.iter().filter(|p| p.marker).count() == 2);
    let step = packets[10].timestamp.wrapping_sub(packets[9].timestamp);
    assert!((8_000..=9_800).contains(&step), "the clock went on: {step}");
    assert_eq!(pair.b.statistics().timestamp_jumps, 0);
}

#[test]
fn samples_are_heard_as_they_were_given_and_statistics_and_reports_follow() {
    let mut pair = Pair::new(9, with_events());
    let mut samples = Vec::new();
    Party::new(3).unwrap().tone().write(8_000, &mut samples);
    pair.command(Command::Samples(samples));
    pair.run(2_000 * MS);
    assert_eq!(pair.b.heard().map(Party::number).collect::<Vec<_>>(), [3]);
    assert_eq!(pair.b.packet_time_received(), Some(20 * MS));
    let summary = pair.b.statistics();
    assert_eq!((summary.lost, summary.received, summary.jitter), (0, 101, Duration::ZERO));
    let report = pair.a.report(pair.now, 1 << 32, None);
    let sender = report.sender.unwrap();
    assert_eq!((sender.packet_count, sender.octet_count, report.blocks.len()), (101, 101 * 160, 0));
    let last = pair.packets().last().unwrap().timestamp;
    assert_eq!(sender.rtp_timestamp, last);
    assert_eq!(pair.b.report(pair.now, 0, None).blocks[0].ssrc, pair.a.ssrc());
}

#[test]
fn garbage_is_counted_and_nothing_else() {
    let mut pair = Pair::new(10, with_events());
    for n in 0..2_000_u64 {
        let length = pair.ids.below(60) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| pair.ids.below(256) as u8).collect();
        if let (true, Some(first)) = (n % 2 == 0, bytes.first_mut()) {
            *first = 0x80;
        }
        pair.b.handle_input(pair.now, Input::Packet(&bytes));
        if n % 10 == 0 {
            pair.run(7 * MS);
        }
    }
    assert!(pair.b.malformed() > 500 && pair.b.other_payloads() > 0);
    assert!(pair.b.out.len() <= MAX_OUTPUTS);
}

/// Voice of the party with this tone, as somebody sends it who counts its numbers from `first`.
fn voice(party: u8, ssrc: u32, packets: std::ops::Range<u16>) -> Vec<Vec<u8>> {
    let mut tone = Party::new(party).unwrap().tone();
    packets
        .map(|number| {
            let (mut samples, mut payload) = (Vec::new(), Vec::new());
            tone.write(160, &mut samples);
            Law::A.encode_into(&samples, &mut payload);
            let packet = Packet {
                marker: false,
                payload_type: 8,
                sequence_number: number,
                timestamp: u32::from(number) * 160,
                ssrc,
                payload: &payload,
            };
            packet.write().unwrap()
        })
        .collect()
}

#[test]
fn a_flood_is_never_more_sound_than_twice_the_time_and_takes_nothing_of_the_peers() {
    let [peer, other, stranger]: [SocketAddr; 3] =
        ["192.0.2.1:4000", "192.0.2.1:4002", "198.51.100.9:4000"].map(|address| address.parse().unwrap());
    // From the peer's own address, from another port of its host, from a stranger; with and without the peer's voice beside it.
    for (flood_from, with_peer) in
        [(peer, false), (other, false), (stranger, false), (peer, true), (other, true), (stranger, true)]
    {
        let (mut ids, start) = (Ids::from_seed([13; 32]), Instant::now());
        let mut stream = Stream::new(Config::default(), &mut ids, start);
        stream.handle_input(start, Input::Command(Command::PeerAt(peer)));
        let (theirs, flood) = (voice(1, 0xb0b, 0..150), voice(2, 0xf100d, 0..12_000));
        for at in 0..3_000_usize {
            let now = start + at as u32 * MS;
            if let (true, Some(packet)) = (with_peer && at % 20 == 0, theirs.get(at / 20)) {
                stream.handle_input(now, Input::PacketFrom(packet, peer));
            }
            for packet in &flood[at * 4..at * 4 + 4] {
                stream.handle_input(now, Input::PacketFrom(packet, flood_from));
            }
            stream.handle_timeout(now);
        }
        let [of_peer, of_flood] = [1, 2].map(|party| stream.listener().heard_for(Party::new(party).unwrap()));
        let most = 6_600 * MS;
        assert!(stream.audible() <= most && of_peer <= most && of_flood <= most, "{flood_from}, {with_peer}");
        let voice = stream.voice();
        if flood_from == stranger || with_peer && flood_from == other {
            assert_eq!((of_flood, voice.foreign_packets), (Duration::ZERO, 12_000), "{flood_from}");
            assert_eq!(with_peer, of_peer >= 2_900 * MS, "{of_peer:?}");
            assert_eq!(stream.statistics().ssrc_changes, 0);
        } else {
            assert!(voice.excess > 11_000, "{flood_from}: {}", voice.excess);
        }
    }
}

#[test]
fn tones_that_a_server_makes_beside_the_voice_that_it_relays_are_no_flood() {
    let peer: SocketAddr = "192.0.2.1:4000".parse().unwrap();
    let (mut ids, start) = (Ids::from_seed([15; 32]), Instant::now());
    let mut stream = Stream::new(Config::default(), &mut ids, start);
    stream.handle_input(start, Input::Command(Command::PeerAt(peer)));
    // Two packets in the time of one for most of ten seconds, under one source.
    for (number, packet) in voice(1, 0xb0b, 0..900).iter().enumerate() {
        stream.handle_input(start + number as u32 * 11 * MS, Input::PacketFrom(packet, peer));
    }
    assert_eq!(stream.voice().excess, 0);
}

#[test]
fn packets_of_ours_that_come_back_are_a_loop_and_nobodys_voice() {
    let peer: SocketAddr = "192.0.2.1:4000".parse().unwrap();
    let (mut ids, start) = (Ids::from_seed([14; 32]), Instant::now());
    let mut stream = Stream::new(with_events(), &mut ids, start);
    stream.handle_input(start, Input::Command(Command::PeerAt(peer)));
    stream.handle_input(start, Input::Command(Command::Background(Some(Party::new(0).unwrap().tone()))));
    stream.handle_input(
        start,
        Input::Command(Command::digits(parse_digits("1").unwrap(), DtmfMethod::Rfc4733)),
    );
    let (mut returned, mut changed) = (0, 0);
    for at in 0..100_u32 {
        let now = start + at * 20 * MS;
        stream.handle_timeout(now);
        while let Some(output) = stream.poll_output() {
            let Output::Packet(mut packet) = output else {
                assert!(!matches!(output, Output::Event(Event::Observed(_))), "our own digit came back");
                continue;
            };
            if at < 50 {
                returned += 1;
            } else {
                // Somebody who sends its own voice under our source is the peer.
                packet[12..].fill(0x2a);
                changed += 1;
            }
            stream.handle_input(now, Input::PacketFrom(&packet, peer));
        }
    }
    assert_eq!((stream.voice().returned, stream.statistics().received), (returned, changed));
    assert!(returned >= 50 && changed >= 50);
    assert_eq!(stream.heard().count(), 0);
}

#[test]
fn a_tone_that_is_heard_is_told_once_and_again_when_it_is_asked_anew() {
    let (mut ids, start) = (Ids::from_seed([15; 32]), Instant::now());
    let mut stream = Stream::new(Config::default(), &mut ids, start);
    let mut told = Vec::new();
    for (number, packet) in voice(3, 7, 0..150).iter().enumerate() {
        let now = start + number as u32 * 20 * MS;
        if number == 100 {
            stream.listen_again();
        }
        stream.handle_input(now, Input::Packet(packet));
        while let Some(output) = stream.poll_output() {
            if let Output::Event(Event::ToneHeard { party, since }) = output {
                told.push((party.number(), since));
            }
        }
    }
    assert_eq!(told, [(3, start), (3, start + 2_000 * MS)]);
    let last = stream.last_heard(Party::new(3).unwrap()).unwrap();
    assert_eq!((last, stream.last_heard(Party::new(2).unwrap())), (start + 2_980 * MS, None));
}

#[test]
fn packets_that_go_out_late_are_known_with_their_times() {
    let (mut ids, start) = (Ids::from_seed([16; 32]), Instant::now());
    let mut stream = Stream::new(Config::default(), &mut ids, start);
    for at in [0, 20, 40, 130, 140, 160, 1_000] {
        stream.handle_timeout(start + at * MS);
    }
    let lags: Vec<_> = stream.lags().iter().map(|lag| (lag.due - start, lag.until - start)).collect();
    assert_eq!(lags, [(60 * MS, 130 * MS), (180 * MS, 1_000 * MS)]);
}
