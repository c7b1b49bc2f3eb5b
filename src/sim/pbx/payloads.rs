//! What stands in the packets of a leg: payload types, and the law of its voice.

use crate::media::digit::Digit;
use crate::media::g711::Law;
use crate::sdp::{Codec, MediaPlan};
use bytes::Bytes;
use std::time::Duration;

/// The payload types of one direction of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payloads {
    pub(super) law: Law,
    pub(super) voice: u8,
    pub(super) event: Option<u8>,
}

pub(super) fn law(plan: &MediaPlan) -> Law {
    match plan.codec {
        Codec::Pcma => Law::A,
        Codec::Pcmu => Law::Mu,
    }
}

impl Payloads {
    /// Of what we send on this leg: the peer's numbers.
    pub(super) fn sent(plan: &MediaPlan) -> Payloads {
        let event = plan.send_telephone_event.map(|event| event.payload_type);
        Payloads { law: law(plan), voice: plan.send_payload_type, event }
    }
    /// Of what comes on this leg: our numbers.
    pub(super) fn received(plan: &MediaPlan) -> Payloads {
        let event = plan.receive_telephone_event.map(|event| event.payload_type);
        Payloads { law: law(plan), voice: plan.receive_payload_type, event }
    }
    /// The law of a voice packet; the static types whatever was agreed on.
    pub(super) fn law_of(self, payload_type: u8) -> Option<Law> {
        match payload_type {
            agreed if agreed == self.voice => Some(self.law),
            0 => Some(Law::Mu),
            8 => Some(Law::A),
            _ => None,
        }
    }
}

/// What one datagram becomes.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) packets: Vec<Bytes>,
    /// A digit that goes out by INFO as well (D04:info).
    pub(super) info: Option<(Digit, Duration)>,
}
