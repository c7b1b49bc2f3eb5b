//! Sends one event, packet by packet (RFC 4733 sec. 2.5.1).
use super::{MAX_DURATION, Payload};

/// Number of times that the packet that ends an event is sent (RFC 4733 sec. 2.5.1.4).
const END_PACKETS: u8 = 3;

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventToSend {
    /// The event code.
    pub event: u8,
    /// The level in dBm0 without its sign, 0 to 63.
    pub volume: u8,
    /// Length of the event, in units of the clock; at least 1.
    pub duration: u32,
}

/// A packet of an event; sequence number and source are those of the stream that it goes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPacket {
    /// The marker bit: on the first packet of the event.
    pub marker: bool,
    /// The timestamp: the same in all packets of a segment.
    pub timestamp: u32,
    /// The payload.
    pub payload: Payload,
}

/// Sends one event. Asked for a packet at every packet time of the stream until there is none any more.
#[derive(Debug, Clone)]
pub struct EventSender {
    event: EventToSend,
    start: u32,
    /// Where the present segment begins, in units since `start`.
    segment: u32,
    first: bool,
    last: Option<SentPacket>,
    ends: u8,
}

impl EventSender {
    /// An event that begins at this timestamp of the stream.
    pub fn new(event: EventToSend, timestamp: u32) -> EventSender {
        let event = EventToSend { duration: event.duration.max(1), ..event };
        EventSender { event, start: timestamp, segment: 0, first: true, last: None, ends: 0 }
    }
    /// The packet that tells the state at the stream's time `until`; after the end it is sent again, three times in all, then `None`.
    pub fn next_packet(&mut self, until: u32) -> Option<SentPacket> {
        if self.ends > 0 {
            let last = self.last.filter(|_| self.ends < END_PACKETS)?;
            self.ends += 1;
            return Some(last);
        }
        let passed = until.wrapping_sub(self.start).clamp(1, self.event.duration);
        let max = u32::from(MAX_DURATION);
        let in_segment = passed - self.segment;
        let duration = in_segment.min(max);
        let end = passed == self.event.duration && in_segment <= max;
        let packet = SentPacket {
            marker: self.first,
            timestamp: self.start.wrapping_add(self.segment),
            payload: Payload {
                event: self.event.event,
                end,
                volume: self.event.volume.min(63),
                duration: duration as u16,
            },
        };
        if in_segment >= max && !end {
            // The next one begins where this one ends, without a marker (RFC 4733 sec. 2.5.1.3).
            self.segment += max;
        }
        self.first = false;
        self.last = Some(packet);
        self.ends = u8::from(end);
        Some(packet)
    }
}
