//! Telephone events from one leg to the other, and what faults make of them.

use super::faults::Faults;
use super::outbound::Outbound;
use super::payloads::{Passed, Payloads};
use crate::media::digit::Digit;
use crate::media::rtp::Packet;
use crate::media::telephone_event::Payload;
use crate::media::tone::Tone;
use crate::message::Ids;
use crate::sim::fault::Kind;
use std::time::{Duration, Instant};

/// A press of the same digit within this time goes under the timestamp of the one before (D06).
const MERGED_WITHIN: Duration = Duration::from_secs(3);
/// Length of an event that is cut short (D09), in samples: 30 ms.
const SHORT: u16 = 240;
/// The level that a quiet event says (D09:quiet), in dBm0 without its sign.
const QUIET: u8 = 50;
/// The most samples of a tone that stand in one packet.
const MAX_TONE: u16 = 960;

/// Passes on events.
#[derive(Debug)]
pub(super) struct Events {
    current: Option<Current>,
    /// A stream of their own (D10).
    ssrc: u32,
    sequence: u16,
}

/// The event that is going on, or was last.
#[derive(Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    /// The one under which it goes out, on the clock of its source.
    goes_as: u32,
    event: u8,
    duration: u16,
    ends: u8,
    early_ends: u8,
    last_at: Instant,
    tone: Option<Tone>,
}

impl Events {
    pub(super) fn new(ids: &mut Ids) -> Events {
        Events { current: None, ssrc: ids.below(1 << 32) as u32, sequence: ids.below(1 << 16) as u16 }
    }

    /// The event of this packet, begun when it is a new one.
    fn enter(&mut self, now: Instant, packet: &Packet<'_>, payload: Payload, merges: bool) -> &mut Current {
        let before = self.current.take();
        let current = match before {
            Some(same) if same.ssrc == packet.ssrc && same.timestamp == packet.timestamp => same,
            before => {
                let twin = before.filter(|before| {
                    let soon = now.saturating_duration_since(before.last_at) < MERGED_WITHIN;
                    merges && soon && before.event == payload.event && before.ssrc == packet.ssrc
                });
                Current {
                    ssrc: packet.ssrc,
                    timestamp: packet.timestamp,
                    goes_as: twin.map_or(packet.timestamp, |twin| twin.goes_as),
                    event: payload.event,
                    duration: 0,
                    ends: 0,
                    early_ends: 0,
                    last_at: now,
                    tone: Digit::from_event(payload.event).map(Tone::digit),
                }
            }
        };
        self.current.insert(current)
    }

    /// A packet of the payload type of events.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        to: Payloads,
        faults: &Faults,
        out: &mut Outbound,
        passed: &mut Passed,
    ) {
        let (Some(payload), Some(agreed)) = (Payload::parse(packet.payload), to.event) else {
            return out.leave_out(now, packet);
        };
        let current = self.enter(now, packet, payload, faults.has(Kind::MergesRepeats));
        current.last_at = now;
        let progress = payload.duration.saturating_sub(current.duration).min(MAX_TONE);
        let heard_from = current.duration;
        current.duration = current.duration.max(payload.duration);
        let ends_before = current.ends;
        current.ends = current.ends.saturating_add(u8::from(payload.end));

        let mut changed = payload;
        let mut event = Packet { payload_type: agreed, timestamp: current.goes_as, ..*packet };
        if faults.has(Kind::OtherPayloadType) {
            event.payload_type = if agreed == 101 || to.voice == 101 { 122 } else { 101 };
        }
        if faults.has(Kind::NoMarker) {
            event.marker = false;
        }
        if faults.has(Kind::ShortEvents) && (payload.duration >= SHORT || payload.end) {
            // Its end comes early, three times; what the key press goes on with is left out.
            if current.early_ends == 3 {
                return out.leave_out(now, packet);
            }
            current.early_ends += 1;
            (changed.end, changed.duration) = (true, SHORT.min(payload.duration));
        }
        if faults.has(Kind::QuietEvents) {
            changed.volume = QUIET;
        }
        if faults.has(Kind::RestartsEvents) && payload.end {
            event.timestamp = event.timestamp.wrapping_add(160 * u32::from(ends_before));
        }
        let kept = faults.find(|kind| match kind {
            Kind::EndPackets(kept) => Some(kept),
            _ => None,
        });
        if payload.end && kept.is_some_and(|kept| ends_before >= kept) {
            return out.leave_out(now, packet);
        }
        let clock = faults.find(|kind| match kind {
            Kind::EventClock(hz) => Some(hz),
            _ => None,
        });
        if let Some(hz) = clock {
            let scaled = u64::from(changed.duration) * u64::from(hz) / 8_000;
            changed.duration = scaled.min(u64::from(u16::MAX)) as u16;
        }
        if faults.has(Kind::LeaksInfo) && payload.end && ends_before == 0 {
            let time = Duration::from_micros(u64::from(payload.duration) * 125);
            passed.info = Digit::from_event(payload.event).map(|digit| (digit, time));
        }
        let octets = changed.write();
        event.payload = &octets;
        if faults.has(Kind::OtherSsrc) {
            out.leave_out(now, packet);
            let own = Packet {
                ssrc: self.ssrc,
                sequence_number: self.sequence,
                timestamp: out.timestamp(event.timestamp),
                ..event
            };
            self.sequence = self.sequence.wrapping_add(1);
            passed.packets.extend(own.write().ok().map(Into::into));
            return;
        }
        passed.packets.extend(out.carry(now, event));
        if faults.has(Kind::LeaksInBand)
            && progress > 0
            && let Some(tone) = self.current.as_mut().and_then(|current| current.tone.as_mut())
        {
            let mut samples = Vec::with_capacity(progress.into());
            tone.write(progress.into(), &mut samples);
            let codes: Vec<u8> = samples.iter().map(|&sample| to.law.encode(sample)).collect();
            let voice = Packet {
                marker: false,
                payload_type: to.voice,
                timestamp: packet.timestamp.wrapping_add(u32::from(heard_from)),
                payload: &codes,
                ..*packet
            };
            passed.packets.extend(out.put_in(now, voice));
        }
    }
}
