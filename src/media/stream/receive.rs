//! The receiving half: every packet goes to the statistics, its content to whom it concerns.
use super::arrivals::Arrivals;
use super::order::{Order, Ordered};
use super::payloads::Payloads;
use super::source::{Holds, Sources};
use super::voice::{Log, VoiceLog};
use super::{Config, Event, Output};
use crate::media::dtmf::Observation;
use crate::media::dtmf_detector::{DtmfDetector, Heard};
use crate::media::g711::Law;
use crate::media::noise::Spread;
use crate::media::party_tone::{PARTIES, Party, PartyListener};
use crate::media::rtcp::ReportBlock;
use crate::media::rtp::{Packet, is_rtcp};
use crate::media::stats::{Statistics, Summary};
use crate::media::telephone_event::{EventReceiver, Payload, ReceivedEvent};
use crate::media::tone::{RATE_HZ, peak};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Payload types below this are static (RFC 3551 sec. 6).
const FIRST_DYNAMIC: u8 = 96;
/// Comfort noise (RFC 3389).
const COMFORT_NOISE: u8 = 13;
/// Most samples of a voice packet: 120 ms.
const MAX_SAMPLES: usize = 960;
/// Time without packets after which the tone that was heard last is over.
const QUIET: Duration = Duration::from_millis(200);
/// What is below this level is silence.
const SILENCE_DBM0: f64 = -50.0;
/// What is below this level is noise at most: music and speech are louder, if not all the time.
const NOISE_DBM0: f64 = -40.0;

/// Packets of telephone events from elsewhere than the peer's that are looked at: some eighty digits.
const MAX_FOREIGN_EVENT_PACKETS: u32 = 1_000;
/// Sound that may come before its time: a burst behind a hole in the path.
const AHEAD: u64 = RATE_HZ as u64 / 2;

/// What a packet holds for the ear, nothing in an event; and when it came.
#[derive(Debug)]
struct Sound(Vec<i16>, Instant);

#[derive(Debug)]
pub(super) struct Receiver {
    law: Law,
    payload_type: u8,
    payloads: Payloads,
    telephone_event: Option<u8>,
    detect: bool,
    statistics: Statistics,
    log: Log,
    events: EventReceiver,
    /// Those of others than the peer: however many they send, they take no room of the peer's.
    foreign_events: EventReceiver,
    foreign_event_packets: u32,
    order: Order<Sound>,
    detector: DtmfDetector,
    listener: PartyListener,
    /// Of what the listener was given.
    arrivals: Arrivals,
    /// Samples given to the detector so far, and when the last of them came.
    samples: u64,
    last_voice: Option<Instant>,
    voice_len: usize,
    audible_samples: u64,
    /// When sound came last.
    audible_last: Option<Instant>,
    loud_samples: u64,
    comfort_noise: u64,
    spread: Spread,
    /// Since when the parties are heard, and when last.
    heard_since: [Option<Instant>; PARTIES],
    heard_last: [Option<Instant>; PARTIES],
    /// When the first sound came, and how many samples since.
    sound: Option<(Instant, u64)>,
    malformed: u64,
    other: u64,
    ordered: Vec<Ordered<Sound>>,
    heard: Vec<Heard>,
}

impl Receiver {
    pub(super) fn new(config: &Config) -> Receiver {
        Receiver {
            law: config.law,
            payload_type: config.payload_type,
            payloads: Payloads::new(&config.payload_types_received),
            telephone_event: config.telephone_event_received,
            detect: config.detect_tones,
            statistics: Statistics::new(RATE_HZ),
            log: Log::default(),
            events: EventReceiver::new(),
            foreign_events: EventReceiver::new(),
            foreign_event_packets: 0,
            order: Order::default(),
            detector: DtmfDetector::new(),
            listener: PartyListener::new(),
            arrivals: Arrivals::default(),
            samples: 0,
            last_voice: None,
            voice_len: 0,
            audible_samples: 0,
            audible_last: None,
            loud_samples: 0,
            comfort_noise: 0,
            spread: Spread::default(),
            heard_since: [None; PARTIES],
            heard_last: [None; PARTIES],
            sound: None,
            malformed: 0,
            other: 0,
            ordered: Vec::new(),
            heard: Vec::new(),
        }
    }
    pub(super) fn statistics(&self) -> Summary {
        self.statistics.summary()
    }
    pub(super) fn voice(&self) -> VoiceLog {
        self.log.log()
    }
    pub(super) fn sources(&mut self) -> &mut Sources {
        &mut self.log.sources
    }
    pub(super) fn may_send(&self, host: IpAddr) -> bool {
        self.log.sources.may_send(host)
    }
    /// A packet of ours came back.
    pub(super) fn returned(&mut self) {
        self.log.returned += 1;
    }
    pub(super) fn malformed(&self) -> u64 {
        self.malformed
    }
    pub(super) fn agree(&mut self, now: Instant, payload_types: Vec<u8>) {
        self.payloads.agree(now, payload_types);
    }
    pub(super) fn unagreed(&self) -> &[(u8, u64)] {
        self.payloads.others()
    }
    pub(super) fn other_payloads(&self) -> u64 {
        self.other
    }
    pub(super) fn packet_time(&self) -> Option<Duration> {
        (self.voice_len > 0).then(|| Duration::from_micros(self.voice_len as u64 * 125))
    }
    pub(super) fn audible(&self) -> Duration {
        Duration::from_micros(self.audible_samples * 125)
    }
    pub(super) fn last_audible(&self) -> Option<Instant> {
        self.audible_last
    }
    pub(super) fn loud(&self) -> Duration {
        Duration::from_micros(self.loud_samples * 125)
    }
    pub(super) fn is_random(&self) -> bool {
        self.spread.is_even()
    }
    pub(super) fn comfort_noise(&self) -> u64 {
        self.comfort_noise
    }
    pub(super) fn heard_since(&self, party: Party) -> Option<Instant> {
        self.heard_since.get(usize::from(party.number())).copied().flatten()
    }
    pub(super) fn last_heard(&self, party: Party) -> Option<Instant> {
        self.heard_last.get(usize::from(party.number())).copied().flatten()
    }
    pub(super) fn listener(&self) -> &PartyListener {
        &self.listener
    }
    pub(super) fn listen_again(&mut self) {
        self.listener.reset();
        self.arrivals.clear();
        self.statistics.begin_window();
        (self.heard_since, self.heard_last) = ([None; PARTIES], [None; PARTIES]);
    }
    pub(super) fn report_block(
        &mut self,
        last_sender_report: Option<(u32, Duration)>,
    ) -> Option<ReportBlock> {
        self.statistics.report_block(last_sender_report)
    }
    /// The law of a payload type: the static ones whatever was agreed on, for peers send what they like.
    fn law_of(&self, payload_type: u8) -> Option<Law> {
        match payload_type {
            0 => Some(Law::Mu),
            8 => Some(Law::A),
            agreed if agreed == self.payload_type => Some(self.law),
            _ => None,
        }
    }
    pub(super) fn handle_input(
        &mut self,
        now: Instant,
        datagram: &[u8],
        remote: Option<SocketAddr>,
        out: &mut VecDeque<Output>,
    ) {
        if is_rtcp(datagram) {
            return;
        }
        let Ok(packet) = Packet::parse(datagram) else {
            self.malformed += 1;
            return;
        };
        let law = self.law_of(packet.payload_type);
        let dynamic = packet.payload_type >= FIRST_DYNAMIC && law.is_none();
        let event = law.is_none() && self.telephone_event == Some(packet.payload_type)
            || dynamic && Payload::looks_like_one(packet.payload);
        let holds = match (event, law) {
            (true, _) => Holds::Event,
            (false, Some(_)) => Holds::Voice,
            (false, None) => Holds::Other,
        };
        let is_heard = self.log.take(now, (packet.ssrc, packet.sequence_number), remote, holds);
        if !is_heard {
            // Whose events they are is judged where all is seen.
            if event && self.foreign_event_packets < MAX_FOREIGN_EVENT_PACKETS {
                self.foreign_event_packets += 1;
                self.foreign_events.handle_input(now, &packet);
                while self.foreign_events.poll_begun().is_some() {}
            }
            return;
        }
        self.statistics.receive(now, &packet, law.is_some());
        let mut samples = Vec::new();
        if event {
            self.take_event(now, &packet, out);
        } else {
            self.events.note(now, packet.ssrc, packet.sequence_number);
            if packet.payload_type != COMFORT_NOISE {
                self.payloads.take(now, packet.payload_type);
            }
            if law.is_some() && !self.is_in_time(now, packet.payload.len().min(MAX_SAMPLES)) {
                self.log.excess += 1;
            } else if let Some(law) = law {
                let codes = &packet.payload[..packet.payload.len().min(MAX_SAMPLES)];
                self.voice_len = codes.len();
                self.events.packet_time(Duration::from_micros(codes.len() as u64 * 125));
                self.spread.feed(codes);
                law.decode_into(codes, &mut samples);
            } else if packet.payload_type == COMFORT_NOISE {
                self.comfort_noise += 1;
            } else {
                self.other += 1;
            }
        }
        self.order.push(packet.ssrc, packet.sequence_number, Sound(samples, now), &mut self.ordered);
        self.last_voice = Some(now);
        self.listen(now, out);
    }
    /// Counts the samples of a packet; false where more than twice as much sound came as time passed: Asterisk sends the tones that it makes
    /// of INFO beside the voice that it relays, under one SSRC.
    fn is_in_time(&mut self, now: Instant, samples: usize) -> bool {
        let (first, so_far) = self.sound.get_or_insert((now, 0));
        let passed = now.saturating_duration_since(*first).as_micros() as u64 / 125;
        let is_in_time = *so_far + samples as u64 <= 2 * passed + AHEAD;
        *so_far += if is_in_time { samples as u64 } else { 0 };
        is_in_time
    }
    fn take_event(&mut self, now: Instant, packet: &Packet<'_>, out: &mut VecDeque<Output>) {
        self.events.handle_input(now, packet);
        while let Some((digit, at)) = self.events.poll_begun() {
            out.push_back(Output::Event(Event::Begun { digit, at }));
        }
    }
    /// Gives what is in order to the ears.
    fn listen(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        for ordered in self.ordered.drain(..) {
            match ordered {
                Ordered::Packet(Sound(samples, at)) => {
                    self.listener.feed(&samples);
                    self.arrivals.push(at, samples.len());
                    note_last(&self.listener, at, &mut self.heard_last);
                    let energy = energy(&samples);
                    let is_louder = |level| energy > peak(level).powi(2) / 2.0 * samples.len() as f64;
                    let louder = |level| if is_louder(level) { samples.len() as u64 } else { 0 };
                    let audible = louder(SILENCE_DBM0);
                    self.audible_last = if audible > 0 { Some(at) } else { self.audible_last };
                    self.audible_samples += audible;
                    self.loud_samples += louder(NOISE_DBM0);
                    self.samples += samples.len() as u64;
                    if self.detect {
                        self.detector.feed(&samples, &mut self.heard);
                    }
                }
                Ordered::Lost => {
                    self.samples += self.voice_len as u64;
                    if self.detect {
                        self.detector.lost(self.voice_len, &mut self.heard);
                    }
                }
            }
        }
        self.note_heard(out);
        self.tell_heard(now, out);
    }
    fn note_heard(&mut self, out: &mut VecDeque<Output>) {
        for (number, heard) in self.heard_since.iter_mut().enumerate().filter(|(_, since)| since.is_none()) {
            let Some(party) = u8::try_from(number).ok().and_then(Party::new) else { continue };
            let ago = self.listener.heard_ago(party);
            if let Some(since) = ago.and_then(|samples| self.arrivals.heard(samples)) {
                *heard = Some(since);
                out.push_back(Output::Event(Event::ToneHeard { party, since }));
            }
        }
    }
    fn tell_heard(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        for heard in self.heard.drain(..) {
            let ago = Duration::from_micros(self.samples.saturating_sub(heard.start_sample) * 125);
            let at = now.checked_sub(ago).unwrap_or(now);
            out.push_back(Output::Event(Event::Observed(Observation::from_tones(&heard, at))));
        }
    }
    fn tell_events(&mut self, out: &mut VecDeque<Output>) {
        while let Some((event, is_foreign)) = self.next_event() {
            let mut observation = Observation::from_event(&event, RATE_HZ);
            if let Some(rtp) = &mut observation.rtp {
                let source = self.log.sources.of(event.ssrc, is_foreign);
                // What came from elsewhere before the voice did may be the peer's.
                rtp.is_foreign = source.map_or(is_foreign, |source| source.is_foreign);
                rtp.remote = source.and_then(|source| source.remote);
            }
            let is_amended = event.is_amended;
            let told = if is_amended { Event::Amended(observation) } else { Event::Observed(observation) };
            out.push_back(Output::Event(told));
        }
    }
    /// The next event that is over, and whether it came from elsewhere than the peer's.
    fn next_event(&mut self) -> Option<(ReceivedEvent, bool)> {
        let ours = self.events.poll_output().map(|event| (event, false));
        ours.or_else(|| Some((self.foreign_events.poll_output()?, true)))
    }
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        self.events.handle_timeout(now);
        self.foreign_events.handle_timeout(now);
        self.tell_events(out);
        if self.last_voice.is_some_and(|at| now.saturating_duration_since(at) >= QUIET) {
            self.quiet(now, out);
        }
    }
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let events = self.events.poll_timeout().into_iter().chain(self.foreign_events.poll_timeout());
        events.chain(self.last_voice.map(|at| at + QUIET)).min()
    }
    /// Nothing comes any more: what is held back is heard, and a digit that was going on is over.
    fn quiet(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        self.last_voice = None;
        self.order.flush(&mut self.ordered);
        self.listen(now, out);
        if self.detect {
            self.detector.finish(&mut self.heard);
        }
        self.tell_heard(now, out);
    }
    pub(super) fn finish(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        self.events.finish();
        self.foreign_events.finish();
        self.tell_events(out);
        self.quiet(now, out);
    }
}

/// Whose tones are in the block that was heard last.
fn note_last(listener: &PartyListener, at: Instant, last: &mut [Option<Instant>; PARTIES]) {
    for (number, last) in last.iter_mut().enumerate() {
        if u8::try_from(number).ok().and_then(Party::new).is_some_and(|party| listener.hears(party)) {
            *last = Some(at);
        }
    }
}

/// The sum of the squares.
fn energy(samples: &[i16]) -> f64 {
    let mut energy = 0;
    for sample in samples {
        let sample = i64::from(*sample);
        energy += sample * sample;
    }
    energy as f64
}
