//! One digit as the far end saw it, by one of three ways.
use super::method::DtmfMethod;
use crate::media::digit::Digit;
use crate::media::dtmf_detector::Heard;
use crate::media::telephone_event::{ReceivedEvent, Seen};
use crate::media::tone::RATE_HZ;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What only a telephone event has.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
pub struct Rtp {
    /// The payload type it came with.
    pub payload_type: u8,
    /// Its source.
    pub ssrc: u32,
    /// Its timestamp.
    pub timestamp: u32,
    /// Its duration in units of its clock.
    pub duration_units: u32,
    /// Whether its beginning was marked.
    pub marker: Seen,
    /// Whether its end came.
    pub end: Seen,
    /// How many packets ended it.
    pub end_packets: u32,
    /// Markers under the one timestamp: 1 in a sound event.
    pub markers: u32,
    /// How often the duration began again under the one timestamp: 0 in a sound event.
    pub duration_resets: u32,
    /// The clock, where the growing duration told it.
    pub clock_rate_hz: Option<u32>,
    /// The longest time between two of its packets until its first end, in milliseconds: one packet time where it is updated as it should.
    #[cfg_attr(feature = "json", serde(default))]
    pub longest_gap_ms: u32,
    /// The address that it came from, where that is known.
    #[cfg_attr(feature = "json", serde(default))]
    pub remote: Option<SocketAddr>,
    /// It came from another address than the voice: perhaps not from the peer at all.
    #[cfg_attr(feature = "json", serde(default))]
    pub is_foreign: bool,
}

/// One digit as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// By which way.
    pub way: DtmfMethod,
    /// The digit; `None` for an event that is none (the hook flash is 16, failure D19).
    pub digit: Option<Digit>,
    /// The event code.
    pub event: u8,
    /// Time at which it began.
    pub at: Instant,
    /// Its length, where the method tells.
    pub duration: Option<Duration>,
    /// Its level in dBm0: of the weaker tone, or as the event says.
    pub level_dbm0: Option<f32>,
    /// What only a telephone event has.
    pub rtp: Option<Rtp>,
}

impl Observation {
    /// A digit that arrived by some way; for INFO the duration is that of its body.
    pub fn new(way: DtmfMethod, digit: Digit, at: Instant, duration: Option<Duration>) -> Observation {
        Observation {
            way,
            digit: Some(digit),
            event: digit.event(),
            at,
            duration,
            level_dbm0: None,
            rtp: None,
        }
    }
    /// A telephone event on a stream with this clock.
    pub fn from_event(event: &ReceivedEvent, clock_hz: u32) -> Observation {
        let nanoseconds = u64::from(event.duration) * 1_000_000_000 / u64::from(clock_hz.max(1));
        Observation {
            way: DtmfMethod::Rfc4733,
            digit: event.digit(),
            event: event.event,
            at: event.first_at,
            duration: Some(Duration::from_nanos(nanoseconds)),
            level_dbm0: Some(-f32::from(event.volume)),
            rtp: Some(Rtp {
                payload_type: event.payload_type,
                ssrc: event.ssrc,
                timestamp: event.timestamp,
                duration_units: event.duration,
                marker: event.marker,
                end: event.end,
                end_packets: event.end_packets,
                markers: event.markers,
                duration_resets: event.duration_resets,
                clock_rate_hz: event.clock_rate_hz,
                longest_gap_ms: event.longest_gap.as_millis().try_into().unwrap_or(u32::MAX),
                remote: None,
                is_foreign: false,
            }),
        }
    }
    /// A digit heard in the audio, which began at `at`.
    pub fn from_tones(heard: &Heard, at: Instant) -> Observation {
        let nanoseconds = u64::from(heard.duration_samples) * 1_000_000_000 / u64::from(RATE_HZ);
        Observation {
            level_dbm0: Some(heard.low_dbm0.min(heard.high_dbm0)),
            ..Observation::new(DtmfMethod::InBand, heard.digit, at, Some(Duration::from_nanos(nanoseconds)))
        }
    }
    /// Whether this is the same event as an earlier observation, of which more has come since.
    pub fn amends(&self, earlier: &Observation) -> bool {
        let key = |observation: &Observation| observation.rtp.map(|rtp| (rtp.ssrc, rtp.timestamp));
        key(self).is_some()
            && key(self) == key(earlier)
            && (self.event, self.at) == (earlier.event, earlier.at)
    }
    /// Whether a later event is the same press begun again under another timestamp (failure D05): on the stream's own clock it begins where
    /// this one is still on, or within 20 ms of its end, which no pause is.
    pub(crate) fn restarted_by(&self, later: &Observation) -> bool {
        let (Some(first), Some(second)) = (self.rtp, later.rtp) else { return false };
        // Durations on a faster clock than the timestamps look longer than they were (failure D03).
        let on = |rtp: &Rtp| {
            let hz = rtp.clock_rate_hz.unwrap_or(RATE_HZ).max(RATE_HZ);
            i64::from(rtp.duration_units) * i64::from(RATE_HZ) / i64::from(hz)
        };
        let step = i64::from(second.timestamp.wrapping_sub(first.timestamp) as i32);
        let (before, after) = (on(&second), on(&first) + 160);
        self.digit == later.digit && first.ssrc == second.ssrc && (-before..=after).contains(&step)
    }
}
