//! The sending half: one packet at each packet time, whatever is in it.
use super::{Command, Config, Event, MAX_PLAYS, MAX_SAMPLES, Output, Timing};
use crate::media::digit::{Digit, Key};
use crate::media::dtmf::DtmfMethod;
use crate::media::rtcp::SenderInfo;
use crate::media::rtp::Packet;
use crate::media::telephone_event::{EventSender, EventToSend};
use crate::media::tone::{RATE_HZ, Tone};
use crate::message::Ids;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Called late by more than this many packets, the stream leaves a gap instead of a burst.
const MAX_CATCH_UP: u32 = 5;
/// Packets that are due longer than this go out late.
const LATE: Duration = Duration::from_millis(60);
/// Lags that are kept; the oldest go beyond this.
pub const MAX_LAGS: usize = 64;
/// Packets whose contents are remembered, to know them again when they come back: more than a second of them.
const REMEMBERED: usize = 64;
const SHORTEST_GAP: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(60);

/// Something to be played, in samples.
#[derive(Debug)]
enum Play {
    Silence(usize),
    Tone(Tone, usize),
    Samples(Vec<i16>, usize),
    InBand(Digit),
    Event(EventToSend, Digit),
}

/// Packets of ours that went out late, because the machine did not get to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Time at which the first of them was due.
    pub due: Instant,
    /// When they went out, or were left out.
    pub until: Instant,
}

#[derive(Debug)]
pub(super) struct Sender {
    config: Config,
    /// Samples in a packet.
    samples: usize,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    next: Instant,
    sending: bool,
    /// The first packet after none were sent is marked (RFC 3551 sec. 4.1).
    marker: bool,
    background: Option<Tone>,
    queue: VecDeque<Play>,
    event: Option<EventSender>,
    packets: u32,
    octets: u32,
    voice: Vec<i16>,
    last: Option<(Instant, u32)>,
    lags: VecDeque<Lag>,
    /// Digests of the payloads of the latest packets, by their sequence numbers.
    contents: Vec<u32>,
}

fn samples_of(time: Duration) -> usize {
    (time.min(LONGEST * 10).as_micros() as u64 * u64::from(RATE_HZ) / 1_000_000) as usize
}

impl Sender {
    pub(super) fn new(config: Config, ids: &mut Ids, now: Instant) -> Sender {
        let packet_time = config.packet_time.clamp(Duration::from_millis(10), Duration::from_millis(60));
        Sender {
            samples: packet_time.as_millis() as usize * (RATE_HZ as usize / 1_000),
            ssrc: ids.below(1 << 32) as u32,
            sequence: ids.below(1 << 16) as u16,
            timestamp: ids.below(1 << 32) as u32,
            config,
            next: now,
            sending: true,
            marker: true,
            background: None,
            queue: VecDeque::new(),
            event: None,
            packets: 0,
            octets: 0,
            voice: Vec::new(),
            last: None,
            lags: VecDeque::new(),
            contents: Vec::new(),
        }
    }
    /// Is this datagram a packet of ours, with its source, number and content?
    pub(super) fn is_own(&self, datagram: &[u8]) -> bool {
        // Cheap for what is none: the source stands at a fixed place.
        if datagram.get(8..12) != Some(&self.ssrc.to_be_bytes()) {
            return false;
        }
        Packet::parse(datagram).is_ok_and(|packet| {
            let ago = self.sequence.wrapping_sub(packet.sequence_number);
            (1..=REMEMBERED as u16).contains(&ago)
                && self.contents.get(usize::from(packet.sequence_number) % REMEMBERED)
                    == Some(&digest(packet.payload))
        })
    }
    pub(super) fn lags(&self) -> Vec<Lag> {
        self.lags.iter().copied().collect()
    }
    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.sending.then_some(self.next)
    }
    pub(super) fn packets(&self) -> u64 {
        self.packets.into()
    }
    pub(super) fn info(&self, now: Instant, ntp: u64) -> Option<SenderInfo> {
        let (at, timestamp) = self.last?;
        let since = samples_of(now.saturating_duration_since(at)) as u32;
        Some(SenderInfo {
            ntp_timestamp: ntp,
            rtp_timestamp: timestamp.wrapping_add(since),
            packet_count: self.packets,
            octet_count: self.octets,
        })
    }
    pub(super) fn handle_input(&mut self, command: Command, out: &mut VecDeque<Output>) {
        match command {
            Command::Background(tone) => self.background = tone,
            Command::Digits { keys, way, timing } => self.digits(&keys, way, timing, out),
            Command::Tone(tone, time) => self.push(Play::Tone(tone, samples_of(time)), out),
            Command::Silence(time) => self.push(Play::Silence(samples_of(time)), out),
            Command::Samples(samples) if samples.len() > MAX_SAMPLES => {
                out.push_back(Output::Event(Event::QueueFull))
            }
            Command::Samples(samples) => self.push(Play::Samples(samples, 0), out),
            // Concerns the receiving half alone.
            Command::PeerAt(_) | Command::SignalledBy(_) => {}
            Command::StopPlaying => self.queue.clear(),
            Command::Sending(sending) => {
                self.marker |= sending && !self.sending;
                self.sending = sending;
            }
            Command::Renegotiated { law, payload_type, telephone_event, received: _ } => {
                (self.config.law, self.config.payload_type) = (law, payload_type);
                self.config.telephone_event = telephone_event;
            }
        }
    }
    fn push(&mut self, play: Play, out: &mut VecDeque<Output>) {
        if self.queue.len() < MAX_PLAYS {
            self.queue.push_back(play)
        } else {
            out.push_back(Output::Event(Event::QueueFull))
        }
    }
    fn digits(&mut self, keys: &[Key], way: DtmfMethod, timing: Timing, out: &mut VecDeque<Output>) {
        let possible = match way {
            DtmfMethod::Rfc4733 => self.config.telephone_event.is_some(),
            DtmfMethod::InBand => true,
            DtmfMethod::Info => false,
        };
        if !possible {
            return out.push_back(Output::Event(Event::Unsupported(way)));
        }
        // A digit is at most a tone, its name and a gap.
        if self.queue.len() >= MAX_PLAYS || keys.len() > crate::media::digit::MAX_KEYS {
            return out.push_back(Output::Event(Event::QueueFull));
        }
        let on = samples_of(timing.on.min(LONGEST)).max(self.samples);
        let gap = samples_of(timing.gap.clamp(SHORTEST_GAP, LONGEST));
        for key in keys {
            match (key, way) {
                (Key::Pause, _) => self.queue.push_back(Play::Silence(samples_of(timing.pause.min(LONGEST)))),
                (Key::Digit(digit), DtmfMethod::InBand) => {
                    self.queue.push_back(Play::InBand(*digit));
                    self.queue.push_back(Play::Tone(Tone::digit(*digit), on));
                    self.queue.push_back(Play::Silence(gap));
                }
                (Key::Digit(digit), _) => {
                    let event =
                        EventToSend { event: digit.event(), volume: timing.volume, duration: on as u32 };
                    self.queue.push_back(Play::Event(event, *digit));
                    self.queue.push_back(Play::Silence(gap));
                }
            }
        }
    }
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        let packet_time = Duration::from_millis(self.samples as u64 / 8);
        if !self.sending {
            return;
        }
        if now.saturating_duration_since(self.next) >= LATE {
            if self.lags.len() == MAX_LAGS {
                self.lags.pop_front();
            }
            self.lags.push_back(Lag { due: self.next, until: now });
        }
        let late = now.saturating_duration_since(self.next).as_nanos() / packet_time.as_nanos().max(1);
        if late > u128::from(MAX_CATCH_UP) {
            // The media clock went on while nobody called: what was not sent is silence of its own.
            let skipped = u32::try_from(late).unwrap_or(u32::MAX / 2_000);
            self.timestamp = self.timestamp.wrapping_add(skipped.wrapping_mul(self.samples as u32));
            self.next += packet_time * skipped;
            self.marker = true;
        }
        while self.next <= now {
            self.packet(self.next, out);
            self.next += packet_time;
        }
    }
    /// Builds the packet of this packet time.
    fn packet(&mut self, at: Instant, out: &mut VecDeque<Output>) {
        let until = self.timestamp.wrapping_add(self.samples as u32);
        let playing = !self.queue.is_empty() || self.event.is_some();
        if self.event.is_none()
            && let Some(Play::Event(event, digit)) = self.queue.front()
        {
            out.push_back(Output::Event(Event::Sent { digit: *digit, way: DtmfMethod::Rfc4733, at }));
            self.event = Some(EventSender::new(*event, self.timestamp));
            self.queue.pop_front();
        }
        let sent = self.event.as_mut().and_then(|event| event.next_packet(until));
        if let (Some(sent), Some(payload_type)) = (sent, self.config.telephone_event) {
            // The gap after the digit begins with its end; the repeated ends go into it.
            if sent.payload.end {
                let over = sent.timestamp.wrapping_add(u32::from(sent.payload.duration));
                self.shorten_gap(until.wrapping_sub(over).min(self.samples as u32) as usize);
            }
            self.marker = false;
            self.write(sent.marker, payload_type, sent.timestamp, &sent.payload.write(), out);
        } else {
            self.event = None;
            self.fill(at, out);
            let mut payload = Vec::with_capacity(self.samples);
            self.config.law.encode_into(&self.voice, &mut payload);
            let (marker, timestamp) = (std::mem::take(&mut self.marker), self.timestamp);
            self.write(marker, self.config.payload_type, timestamp, &payload, out);
        }
        self.last = Some((at, self.timestamp));
        self.timestamp = until;
        if playing && self.queue.is_empty() && self.event.is_none() {
            out.push_back(Output::Event(Event::Played));
        }
    }
    fn shorten_gap(&mut self, samples: usize) {
        if let Some(Play::Silence(left)) = self.queue.front_mut() {
            *left = left.saturating_sub(samples).max(1);
        }
    }
    /// The next samples of voice, exactly one packet.
    fn fill(&mut self, at: Instant, out: &mut VecDeque<Output>) {
        let mut voice = std::mem::take(&mut self.voice);
        voice.clear();
        while voice.len() < self.samples {
            let room = self.samples - voice.len();
            let over = match self.queue.front_mut() {
                None => {
                    match &mut self.background {
                        Some(tone) => tone.write(room, &mut voice),
                        None => voice.resize(self.samples, 0),
                    }
                    false
                }
                // An event begins with a packet of its own.
                Some(Play::Event(..)) => {
                    voice.resize(self.samples, 0);
                    false
                }
                Some(Play::InBand(digit)) => {
                    out.push_back(Output::Event(Event::Sent { digit: *digit, way: DtmfMethod::InBand, at }));
                    true
                }
                Some(Play::Silence(left)) => {
                    let taken = room.min(*left);
                    voice.resize(voice.len() + taken, 0);
                    *left -= taken;
                    *left == 0
                }
                Some(Play::Tone(tone, left)) => {
                    let taken = room.min(*left);
                    tone.write(taken, &mut voice);
                    *left -= taken;
                    *left == 0
                }
                Some(Play::Samples(samples, done)) => {
                    let taken = room.min(samples.len() - *done);
                    voice.extend_from_slice(&samples[*done..*done + taken]);
                    *done += taken;
                    *done == samples.len()
                }
            };
            if over {
                self.queue.pop_front();
            }
        }
        self.voice = voice;
    }
    fn write(
        &mut self,
        marker: bool,
        payload_type: u8,
        timestamp: u32,
        payload: &[u8],
        out: &mut VecDeque<Output>,
    ) {
        let packet = Packet {
            marker,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            payload,
        };
        self.contents.resize(REMEMBERED, 0);
        if let Some(content) = self.contents.get_mut(usize::from(self.sequence) % REMEMBERED) {
            *content = digest(payload);
        }
        self.sequence = self.sequence.wrapping_add(1);
        // A payload type above 127 from a broken SDP: nothing is sent rather than something wrong.
        if let Ok(bytes) = packet.write() {
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(payload.len() as u32);
            out.push_back(Output::Packet(bytes));
        }
    }
}

/// Tells payloads apart that follow each other.
fn digest(payload: &[u8]) -> u32 {
    let step = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = payload.as_chunks::<8>();
    let sum = words.iter().fold(payload.len() as u64, |sum, word| step(sum, u64::from_le_bytes(*word)));
    (rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte))) >> 32) as u32
}
