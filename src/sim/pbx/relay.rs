//! RTP from one leg to the other, packet by packet: other numbers, other payload types, and what faults do to it.

use super::events::Events;
use super::faults::Faults;
use super::outbound::Outbound;
use super::payloads::{Passed, Payloads};
use crate::media::digit::Digit;
use crate::media::g711::Law;
use crate::media::rtp::{Packet, is_rtcp};
use crate::media::telephone_event::Payload;
use crate::message::Ids;
use crate::sdp::MediaPlan;
use crate::sim::fault::Kind;
use bytes::Bytes;
use std::time::Instant;

/// Source and timestamp of an event, when the datagram is one.
pub(super) fn event_of(datagram: &[u8], plan: &MediaPlan) -> Option<(u32, u32)> {
    let packet = Packet::parse(datagram).ok()?;
    let event = Payloads::received(plan).event?;
    (packet.payload_type == event).then_some((packet.ssrc, packet.timestamp))
}

/// The same, with the key that it stands for.
pub(super) fn key_of(datagram: &[u8], plan: &MediaPlan) -> Option<((u32, u32), Digit)> {
    let event = event_of(datagram, plan)?;
    let payload = Payload::parse(Packet::parse(datagram).ok()?.payload)?;
    Some((event, Digit::from_event(payload.event)?))
}

/// Everything that goes to one leg.
#[derive(Debug)]
pub(super) struct Relay {
    out: Outbound,
    faults: Faults,
    events: Events,
    frame: Vec<u8>,
    frame_timestamp: u32,
    /// An event that is not passed on: by source and timestamp.
    taken: Option<(u32, u32)>,
}

impl Relay {
    pub(super) fn new(faults: Faults, ids: &mut Ids) -> Relay {
        Relay {
            out: Outbound::new(ids),
            events: Events::new(ids),
            faults,
            frame: Vec::new(),
            frame_timestamp: 0,
            taken: None,
        }
    }

    /// The same for a call with other faults as well.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// The last event that a menu has taken: what still comes of it is not for the other leg.
    pub(super) fn take_event(&mut self, event: Option<(u32, u32)>) {
        self.taken = event;
    }

    /// A packet that we made ourselves, with the payload types of this leg.
    pub(super) fn own(&mut self, now: Instant, datagram: &[u8]) -> Option<Bytes> {
        self.out.carry(now, Packet::parse(datagram).ok()?)
    }

    /// A datagram of the other leg; `events` is false where none is passed on any more.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        datagram: &[u8],
        (from, to): (Payloads, Payloads),
        events: bool,
    ) -> Passed {
        let mut passed = Passed::default();
        if is_rtcp(datagram) {
            return passed;
        }
        let Ok(packet) = Packet::parse(datagram) else { return passed };
        if from.event == Some(packet.payload_type) {
            let taken = self.taken == Some((packet.ssrc, packet.timestamp));
            if events && !taken && !self.faults.has(Kind::DiscardsEvents) {
                self.events.pass(now, &packet, to, &self.faults, &mut self.out, &mut passed);
            } else {
                self.out.leave_out(now, &packet);
            }
        } else if let Some(law) = from.law_of(packet.payload_type) {
            self.voice(now, &packet, law, to, &mut passed);
        } else {
            // What nobody agreed on is not ours to judge: it goes on as it came.
            passed.packets.extend(self.out.carry(now, packet));
        }
        passed
    }

    fn voice(&mut self, now: Instant, packet: &Packet<'_>, law: Law, to: Payloads, passed: &mut Passed) {
        let recoded: Vec<u8>;
        let mut payload = packet.payload;
        if law != to.law {
            recoded = payload.iter().map(|&code| to.law.encode(law.decode(code))).collect();
            payload = &recoded;
        }
        let voice = Packet { payload_type: to.voice, payload, ..*packet };
        let millis = self.faults.find(|kind| match kind {
            Kind::PacketTime(millis) => Some(millis),
            _ => None,
        });
        match millis {
            None => passed.packets.extend(self.out.carry(now, voice)),
            Some(millis) => self.reframe(now, voice, millis as usize * 8, passed),
        }
    }

    /// Voice in packets of `samples`, whatever it came in.
    fn reframe(&mut self, now: Instant, voice: Packet<'_>, samples: usize, passed: &mut Passed) {
        let due = self.frame_timestamp.wrapping_add(self.frame.len() as u32);
        if self.frame.is_empty() || due != voice.timestamp {
            self.frame.clear();
            self.frame_timestamp = voice.timestamp;
        }
        self.frame.extend_from_slice(voice.payload);
        self.out.leave_out(now, &voice);
        while self.frame.len() >= samples {
            let rest = self.frame.split_off(samples);
            let packet = Packet { timestamp: self.frame_timestamp, payload: &self.frame, ..voice };
            passed.packets.extend(self.out.put_in(now, packet));
            self.frame = rest;
            self.frame_timestamp = self.frame_timestamp.wrapping_add(samples as u32);
        }
    }
}
