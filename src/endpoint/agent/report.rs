//! How the media of a call went.

use crate::media::party_tone::Party;
use crate::media::stats::Summary;
use crate::media::stream::{Lag, VoiceLog};
use crate::sdp::MediaPlan;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How the media of a call went so far.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MediaReport {
    /// What is agreed on now.
    pub plan: Option<MediaPlan>,
    /// Where the peer's descriptions had the media sent, each with its time, in order; at most 16.
    pub described: Vec<(Instant, SocketAddr)>,
    /// What was received.
    pub received: Summary,
    /// What is known of the packets around each other: missing numbers, times of voice, who sends.
    pub voice: VoiceLog,
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets that the system did not take.
    pub not_sent: u64,
    /// Our synchronisation source.
    pub ssrc: Option<u32>,
    /// Datagrams on the RTP port that were no RTP.
    pub malformed: u64,
    /// Voice packets whose payload type is no G.711.
    pub other_payloads: u64,
    /// Packets of voice whose payload type was not agreed on, by payload type.
    pub unagreed: Vec<(u8, u64)>,
    /// Length of audio in a received packet, as most recently seen.
    pub packet_time_received: Option<Duration>,
    /// Packets that came before anything was agreed on.
    pub too_early: u64,
    /// Where RTP came from, in the order of the first packets; at most 8.
    pub sources: Vec<SocketAddr>,
    /// How much of the received audio was louder than silence (-50 dBm0).
    pub audible: Duration,
    /// When something louder than silence came last.
    pub last_audible: Option<Instant>,
    /// How much of it was more than noise (-40 dBm0).
    pub loud: Duration,
    /// The bytes of the received audio are spread as evenly as encrypted ones, which no sound is.
    pub random: bool,
    /// Packets of comfort noise (RFC 3389).
    pub comfort_noise: u64,
    /// Whose tone was heard, and for how long.
    pub heard: Vec<(Party, Duration)>,
    /// Since when a tone is heard that was heard for 200 ms at least.
    pub heard_since: Vec<(Party, Instant)>,
    /// Whose tone was heard in the last 50 ms of audio.
    pub hears_now: Vec<Party>,
    /// When each tone was in what came last.
    pub last_heard: Vec<(Party, Instant)>,
    /// When packets of ours went out late.
    pub lags: Vec<Lag>,
    /// Why nothing is sent any more, or never was, though the descriptions allow it.
    pub withheld: Option<Withheld>,
    /// What RTCP told.
    pub rtcp: RtcpReport,
}

/// Why nothing is sent although the descriptions allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Withheld {
    /// The peer's description names an address that is not one host's: multicast or broadcast.
    NotUnicast(SocketAddr),
    /// Nothing came from there for 30 s, and the call is not signalled from there: nobody there may want it.
    NothingCame(SocketAddr),
    /// The network said for a second that this port is closed (ICMP port unreachable), and nothing came from it.
    Refused(SocketAddr),
}

impl MediaReport {
    /// For how long this party's tone was heard.
    pub fn heard_for(&self, party: Party) -> Duration {
        self.heard.iter().find(|(heard, _)| *heard == party).map_or(Duration::ZERO, |(_, time)| *time)
    }

    /// Time at which this party's tone was in what came last.
    pub fn last_heard(&self, party: Party) -> Option<Instant> {
        self.last_heard.iter().find(|(heard, _)| *heard == party).map(|(_, at)| *at)
    }

    /// Since when this party's tone is heard, as far as it was listened for.
    pub fn heard_since(&self, party: Party) -> Option<Instant> {
        self.heard_since.iter().find(|(heard, _)| *heard == party).map(|(_, since)| *since)
    }
}

/// What RTCP told (RFC 3550 sec. 6.4).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct RtcpReport {
    /// Reports that we sent.
    pub sent: u64,
    /// Datagrams with reports of the peer.
    pub received: u64,
    /// The part of our packets that the peer missed since its report before, 0 to 1, as it said last.
    pub fraction_lost: Option<f64>,
    /// The peer's interarrival jitter, as it said last.
    pub jitter: Option<Duration>,
    /// Round-trip time, from the peer's last report.
    pub round_trip: Option<Duration>,
    /// The peer said goodbye (BYE of RTCP).
    pub goodbye: bool,
}
