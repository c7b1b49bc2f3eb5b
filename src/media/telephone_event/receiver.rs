//! Receives events: packets in any order in, whole events out.
use super::Payload;
use crate::media::digit::Digit;
use crate::media::rtp::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time without more of an event after which it is told: late packets and repeated ends still count to it.
pub const HOLD: Duration = Duration::from_millis(200);
/// The most events that are held at once; the oldest is told before its time then.
pub const MAX_EVENTS: usize = 32;
/// Events already told that are remembered, so that a straggler does not begin them again.
const REMEMBERED: usize = 64;
/// Sequence numbers that are remembered, to tell a packet that was not sent from one that was lost.
const NUMBERS: usize = 128;
/// Time between two packets where no voice says.
const PACKET_TIME: Duration = Duration::from_millis(20);
/// The least time over which a clock can be seen.
const CLOCK_WINDOW: Duration = Duration::from_millis(40);
/// The clock of nearly all events.
const USUAL_HZ: u32 = 8_000;
/// From this duration on (4 s at 8,000 Hz) an event that goes on where one stopped is its next segment.
const SEGMENT: u16 = 0x8000;

/// Whether something came that every event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Seen {
    /// It came.
    Yes,
    /// It was not sent: its neighbours on the wire all came.
    No,
    /// A packet that may have been it was lost.
    MayBeLost,
}

/// What a receiver is fed: an RTP packet of the telephone-event payload type.
pub type EventPacket<'a> = Packet<'a>;

/// One event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// The event code.
    pub event: u8,
    /// Time at which its first packet came.
    pub first_at: Instant,
    /// Time at which its last packet came.
    pub last_at: Instant,
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
    /// Its timestamp.
    pub timestamp: u32,
    /// The longest duration told, in units of the clock, over all segments.
    pub duration: u32,
    /// The level in dBm0 without its sign.
    pub volume: u8,
    /// Packets of it, duplicates not counted.
    pub packets: u32,
    /// Of these, those that ended it.
    pub end_packets: u32,
    /// Packets with a marker: more than one means that a second press went under the same timestamp.
    pub markers: u32,
    /// Number of times that the duration fell from one packet to a later one: the same again.
    pub duration_resets: u32,
    /// Whether its beginning was marked.
    pub marker: Seen,
    /// Whether its end came.
    pub end: Seen,
    /// The clock as the growing duration told it, when 40 ms or more could be seen.
    pub clock_rate_hz: Option<u32>,
    /// The longest time between two of its packets until its first end came, without the time in which nothing at all came.
    pub longest_gap: Duration,
    /// It was told before without an end, and is told again with what came since.
    pub is_amended: bool,
    first_sequence: u16,
    last_sequence: u16,
    last_duration: u16,
    /// Duration of the segments before the present one, and the present one's timestamp.
    segments_before: u32,
    segment_timestamp: u32,
    /// Earliest and latest pair of arrival and duration, for the clock.
    growth: [(Instant, u32); 2],
    /// Sequence numbers of the same packets.
    growth_numbers: [u16; 2],
    sequences: u128,
    /// The longest time since its latest packet in which nothing at all came.
    silence: Duration,
}

impl ReceivedEvent {
    /// The digit, when it is one.
    pub fn digit(&self) -> Option<Digit> {
        Digit::from_event(self.event)
    }
}

/// Receives the events of one stream, whatever its sources are. Events are told apart by source, timestamp and code.
#[derive(Debug, Clone, Default)]
pub struct EventReceiver {
    open: VecDeque<ReceivedEvent>,
    told: VecDeque<ReceivedEvent>,
    numbers: VecDeque<(u32, u16)>,
    begun: VecDeque<(Digit, Instant)>,
    out: VecDeque<ReceivedEvent>,
    /// When anything came last.
    latest: Option<Instant>,
    /// Length of sound in the voice's packets, as most recently seen.
    packet_time: Option<Duration>,
}

impl EventReceiver {
    /// A receiver that has received nothing.
    pub fn new() -> EventReceiver {
        EventReceiver::default()
    }
    /// How much sound the voice's packets hold: events are updated at the same pace as a rule (RFC 4733 sec. 2.5.1.2).
    pub fn packet_time(&mut self, time: Duration) {
        self.packet_time = Some(time);
    }
    /// Notes that a packet of any payload came: so a missing marker is told from a lost one.
    pub fn note(&mut self, now: Instant, ssrc: u32, sequence_number: u16) {
        let silence = self.latest.map_or(Duration::ZERO, |latest| now.saturating_duration_since(latest));
        self.latest = Some(now);
        for event in self.open.iter_mut().chain(self.told.iter_mut().rev().take(1)) {
            event.silence = event.silence.max(silence);
        }
        if self.numbers.len() == NUMBERS {
            self.numbers.pop_front();
        }
        self.numbers.push_back((ssrc, sequence_number));
    }
    /// Takes a packet of the telephone-event payload type.
    pub fn handle_input(&mut self, now: Instant, packet: &EventPacket<'_>) {
        self.note(now, packet.ssrc, packet.sequence_number);
        let Some(payload) = Payload::parse(packet.payload) else { return };
        let is_of = |e: &ReceivedEvent| e.ssrc == packet.ssrc && e.belongs(packet.timestamp, payload);
        if let Some(at) = self.open.iter().rposition(is_of) {
            if !self.is_pressed_again(&self.open[at], packet, payload) {
                return self.open[at].more(now, packet, payload);
            }
        } else if let Some(at) = self.told.iter().rposition(is_of)
            && !self.is_pressed_again(&self.told[at], packet, payload)
        {
            return self.amend(at, now, packet, payload);
        }
        if self.open.len() == MAX_EVENTS {
            self.tell(0);
        }
        if let Some(digit) = Digit::from_event(payload.event) {
            if self.begun.len() == MAX_EVENTS {
                self.begun.pop_front();
            }
            self.begun.push_back((digit, now));
        }
        self.open.push_back(ReceivedEvent::new(now, packet, payload));
    }
    /// Whether a packet begins the same digit again under one timestamp: another digit went under it in between.
    fn is_pressed_again(&self, event: &ReceivedEvent, packet: &EventPacket<'_>, payload: Payload) -> bool {
        let begins = packet.marker || !payload.end && payload.duration < event.last_duration;
        let is_after = |number: u16| packet.sequence_number.wrapping_sub(number).wrapping_sub(1) < 0x7fff;
        let mut others = self.open.iter().chain(&self.told);
        begins
            && others.any(|other| {
                other.event != event.event
                    && (other.ssrc, other.timestamp) == (event.ssrc, event.timestamp)
                    && is_after(other.last_sequence)
                    && other.first_sequence.wrapping_sub(event.first_sequence) < 0x8000
            })
    }
    /// More of an event that was told already: what goes on where it had no end yet is told again, repeated ends are not.
    fn amend(&mut self, at: usize, now: Instant, packet: &EventPacket<'_>, payload: Payload) {
        let goes_on = self.told.get(at).is_some_and(|event| {
            event.end_packets == 0 && (payload.end || payload.duration > event.last_duration)
        });
        if !goes_on {
            return;
        }
        let Some(mut event) = self.told.remove(at) else { return };
        event.more(now, packet, payload);
        event.is_amended = true;
        if self.open.len() == MAX_EVENTS {
            self.tell(0);
        }
        self.open.push_back(event);
    }
    /// Tells the events of which nothing more is to be waited for.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut at = 0;
        while let Some(event) = self.open.get(at) {
            if now.saturating_duration_since(event.last_at) >= HOLD { self.tell(at) } else { at += 1 }
        }
    }
    /// The stream is over: tells everything.
    pub fn finish(&mut self) {
        while !self.open.is_empty() {
            self.tell(0);
        }
    }
    /// The next whole event.
    pub fn poll_output(&mut self) -> Option<ReceivedEvent> {
        self.out.pop_front()
    }
    /// The next digit that has begun; its event follows when it is over.
    pub fn poll_begun(&mut self) -> Option<(Digit, Instant)> {
        self.begun.pop_front()
    }
    /// When to call [`EventReceiver::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.open.iter().map(|event| event.last_at + HOLD).min()
    }
    /// How many things are kept, of all kinds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.open.len() + self.told.len() + self.numbers.len() + self.begun.len() + self.out.len()
    }
    fn tell(&mut self, at: usize) {
        let Some(mut event) = self.open.remove(at) else { return };
        let came = |number: u16| self.numbers.contains(&(event.ssrc, number));
        if event.markers == 0 && !event.is_amended {
            // Without the packet before the first one nobody can say whether that was the one with the marker.
            let before = event.first_sequence.wrapping_sub(1);
            event.marker = if came(before) { Seen::No } else { Seen::MayBeLost };
        }
        if event.end_packets == 0 {
            let lost = (1..=3).any(|n| !came(event.last_sequence.wrapping_add(n)));
            event.end = if lost { Seen::MayBeLost } else { Seen::No };
        } else {
            event.end = Seen::Yes;
        }
        event.clock_rate_hz = event.clock_rate(self.packet_time.unwrap_or(PACKET_TIME));
        if self.told.len() == REMEMBERED {
            self.told.pop_front();
        }
        self.told.push_back(event.clone());
        // Told in the order of the wire's clock even where one straggler kept an earlier event open for longer.
        if self.out.len() == MAX_EVENTS {
            self.out.pop_front();
        }
        self.out.push_back(event);
    }
}

impl ReceivedEvent {
    fn new(now: Instant, packet: &Packet<'_>, payload: Payload) -> ReceivedEvent {
        let duration = u32::from(payload.duration);
        ReceivedEvent {
            event: payload.event,
            first_at: now,
            last_at: now,
            ssrc: packet.ssrc,
            payload_type: packet.payload_type,
            timestamp: packet.timestamp,
            duration,
            volume: payload.volume,
            packets: 1,
            end_packets: u32::from(payload.end),
            markers: u32::from(packet.marker),
            duration_resets: 0,
            marker: Seen::Yes,
            end: Seen::Yes,
            clock_rate_hz: None,
            longest_gap: Duration::ZERO,
            is_amended: false,
            first_sequence: packet.sequence_number,
            last_sequence: packet.sequence_number,
            last_duration: payload.duration,
            segments_before: 0,
            segment_timestamp: packet.timestamp,
            growth: [(now, duration); 2],
            growth_numbers: [packet.sequence_number; 2],
            sequences: 1,
            silence: Duration::ZERO,
        }
    }
    /// The clock by the growth of the duration: over the time in which it was seen to grow, or over the packets that it took. Packets that come
    /// in a burst, from a machine that is busy, make the first look fast; numbers that others use up make the second look slow. Only where
    /// both say so it is another clock.
    fn clock_rate(&self, packet_time: Duration) -> Option<u32> {
        let [(from, shorter), (to, longer)] = self.growth;
        let grown = longer.checked_sub(shorter).filter(|grown| *grown > 0)?;
        let [first, last] = self.growth_numbers;
        let passed = to.saturating_duration_since(from);
        let numbered = packet_time * u32::from(last.wrapping_sub(first));
        let over = |time: Duration| (f64::from(grown) / time.as_secs_f64()) as u32;
        let seen = [passed, numbered].into_iter().filter(|time| *time >= CLOCK_WINDOW);
        let clock = seen.map(over).min_by_key(|hz| hz.abs_diff(USUAL_HZ))?;
        (passed >= CLOCK_WINDOW || clock.abs_diff(USUAL_HZ) < USUAL_HZ / 2).then_some(clock)
    }
    /// Whether a packet is of this event, or of its next segment.
    fn belongs(&self, timestamp: u32, payload: Payload) -> bool {
        let next = self.segment_timestamp.wrapping_add(u32::from(self.last_duration));
        let next_segment = timestamp == next && self.last_duration >= SEGMENT && self.end_packets == 0;
        // Some senders put several digits under one timestamp, which RFC 4733 sec. 2.2.1 does not allow.
        self.event == payload.event
            && (timestamp == self.segment_timestamp || timestamp == self.timestamp || next_segment)
    }
    fn more(&mut self, now: Instant, packet: &Packet<'_>, payload: Payload) {
        if self.end_packets == 0 {
            let gap = now.saturating_duration_since(self.last_at);
            self.longest_gap = self.longest_gap.max(gap.saturating_sub(self.silence));
        }
        self.silence = Duration::ZERO;
        self.last_at = now;
        let ahead = packet.sequence_number.wrapping_sub(self.last_sequence);
        let later = ahead != 0 && ahead < 0x8000;
        if later {
            self.sequences = self.sequences.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.last_sequence = packet.sequence_number;
        } else {
            let bit = 1_u128.checked_shl(u32::from(ahead.wrapping_neg())).unwrap_or(0);
            if self.sequences & bit != 0 {
                return;
            }
            self.sequences |= bit;
            if packet.sequence_number.wrapping_sub(self.first_sequence) >= 0x8000 {
                self.first_sequence = packet.sequence_number;
            }
        }
        self.packets += 1;
        self.end_packets += u32::from(payload.end);
        self.markers += u32::from(packet.marker);
        if packet.timestamp != self.segment_timestamp {
            // A straggler of the first segment tells nothing new of the duration.
            if packet.timestamp == self.timestamp || !later {
                return;
            }
            self.segments_before += u32::from(self.last_duration);
            self.segment_timestamp = packet.timestamp;
            self.last_duration = payload.duration;
        } else if later {
            self.duration_resets += u32::from(payload.duration < self.last_duration);
            self.last_duration = payload.duration;
        }
        let duration = self.segments_before.saturating_add(u32::from(payload.duration));
        self.duration = self.duration.max(duration);
        // Of an end nobody knows whether it is the first that was sent.
        if duration > self.growth[1].1 && later && !payload.end {
            self.growth[1] = (now, duration);
            self.growth_numbers[1] = packet.sequence_number;
        }
    }
}
