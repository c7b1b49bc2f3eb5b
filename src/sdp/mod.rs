//! Session descriptions: offer and answer (RFC 3264) for one audio stream of G.711 with telephone-events, to a [`MediaPlan`].
//!
//! A [`Negotiation`] writes our descriptions and reads the peer's; what both agreed on is a [`MediaPlan`]: plain values for whoever
//! sends and receives the media. Descriptions are read liberally (an address in the media section only, bare line feeds, Latin-1, odd
//! lines) and written strictly.
//!
//! ```
//! use ringback::sdp::{Codec, Local, Negotiation};
//!
//! let mut alice = Negotiation::new(Local::new("192.0.2.1:40000".parse()?), 1);
//! let mut bob = Negotiation::new(Local::new("192.0.2.2:50000".parse()?), 2);
//! let offer = alice.offer();
//! let (answer, bobs) = bob.answer(offer.as_bytes())?;
//! let alices = alice.accept(answer.as_bytes())?;
//! assert_eq!((alices.codec, alices.remote), (Codec::Pcma, "192.0.2.2:50000".parse()?));
//! assert_eq!(alices.mirrored(), bobs);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audio;
mod description;
mod negotiation;
mod writing;

#[cfg(test)]
mod tests;

pub use audio::{AudioDescription, summary, telephone_events};
pub use description::{Description, MAX_BYTES, MAX_SECTIONS};
pub use negotiation::{Local, Negotiation};

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// An audio codec that we speak (RFC 3551 sec. 4.5.14), at 8,000 Hz and one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// G.711 mu-law; payload type 0 when no other is given.
    Pcmu,
    /// G.711 A-law; payload type 8 when no other is given.
    Pcma,
}

impl Codec {
    /// The name in `rtpmap`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The static payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }
}

/// Which way media goes, seen from the side that says it (RFC 3264 sec. 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// It only sends.
    SendOnly,
    /// It only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// From what it does.
    pub const fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
    /// Does this side send?
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }
    /// Does this side receive?
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
    /// The same as the other side sees it.
    pub const fn reversed(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }
    /// What both allow, both seen from the same side.
    pub const fn and(self, other: Direction) -> Direction {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
    }
    /// The attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
}

/// How one side wants its telephone-events (RFC 4733), at 8,000 Hz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TelephoneEvent {
    /// Its payload type.
    pub payload_type: u8,
    /// Which events it takes: bit n for event n, events above 31 left out. Without `fmtp` these are 0 to 15 (RFC 4733 sec. 2.4.1).
    pub events: u32,
}

/// The events of the digits: 0 to 15.
pub const DIGITS: u32 = 0xffff;
/// The events of the digits and of a flash: 0 to 16.
pub const DIGITS_AND_FLASH: u32 = 0x1_ffff;

impl TelephoneEvent {
    /// Does it take this event?
    pub const fn takes(self, event: u8) -> bool {
        event < 32 && self.events & (1 << event) != 0
    }
}

/// What both sides agreed on for the audio stream, seen from ours.
///
/// What we send carries the numbers that the peer gave, what we receive those that we gave (RFC 3264 sec. 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaPlan {
    /// Where we receive RTP.
    pub local: SocketAddr,
    /// Where we receive RTCP.
    pub local_rtcp: SocketAddr,
    /// Where the peer receives RTP. The address is unspecified while the peer holds in the old way (0.0.0.0 or ::); nothing is sent then.
    pub remote: SocketAddr,
    /// Where the peer receives RTCP.
    pub remote_rtcp: SocketAddr,
    /// The codec of both directions.
    pub codec: Codec,
    /// Its payload type in what we send.
    pub send_payload_type: u8,
    /// Its payload type in what we receive.
    pub receive_payload_type: u8,
    /// The payload types of all voice that the peer may send: of the codecs that are both in the offer and in the answer (RFC 3264 sec. 6.1, 7).
    pub receive_payload_types: Vec<u8>,
    /// How we send telephone-events; `None` when the peer takes none.
    pub send_telephone_event: Option<TelephoneEvent>,
    /// How the peer sends telephone-events; `None` when it was not agreed on.
    pub receive_telephone_event: Option<TelephoneEvent>,
    /// What we do.
    pub direction: Direction,
    /// Length of audio in one packet.
    pub ptime: Duration,
}

impl MediaPlan {
    /// The same seen from the peer; of the payload types that it receives, the one that is sent.
    #[must_use]
    pub fn mirrored(&self) -> MediaPlan {
        MediaPlan {
            local: self.remote,
            local_rtcp: self.remote_rtcp,
            remote: self.local,
            remote_rtcp: self.local_rtcp,
            codec: self.codec,
            send_payload_type: self.receive_payload_type,
            receive_payload_type: self.send_payload_type,
            receive_payload_types: vec![self.send_payload_type],
            send_telephone_event: self.receive_telephone_event,
            receive_telephone_event: self.send_telephone_event,
            direction: self.direction.reversed(),
            ptime: self.ptime,
        }
    }
}

/// Why a description gives no [`MediaPlan`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// More than [`MAX_BYTES`], or [`MAX_SECTIONS`] media sections.
    #[error("the description is larger than {0} allow")]
    TooLarge(Limit),
    /// There is no description where one is due.
    #[error("there is no description")]
    Missing,
    /// We were called without an offer, offered in our 200, and the ACK has no answer (RFC 3261 sec. 13.2.1).
    #[error("the ACK has no answer to the offer in our 200")]
    NoAnswerInAck,
    /// It is not SDP, or a line that is needed cannot be read.
    #[error("not readable as SDP: {0}")]
    Syntax(String),
    /// No audio section.
    #[error("there is no m=audio section")]
    NoAudio,
    /// Every audio section has port 0.
    #[error("the audio stream is refused (port 0)")]
    Refused,
    /// A transport that we do not speak.
    #[error("the audio stream wants the transport {0}, not RTP/AVP")]
    Transport(String),
    /// No G.711 with numbers that both know.
    #[error("no codec in common: only {0}")]
    NoCommonCodec(String),
    /// No `c=` line for the audio section.
    #[error("there is no c= line for the audio stream")]
    NoAddress,
    /// An address that is neither an IP address nor a name.
    #[error("the address of the audio stream is {0}, no IP address")]
    Address(String),
    /// A name instead of an address, which RFC 8866 sec. 5.7 allows, and which we do not look up ([`SdpError::is_our_limit`]). `localhost` is
    /// taken.
    #[error("the address of the audio stream is the name {0}, which this probe does not look up")]
    Name(String),
    /// An address of the other family than ours.
    #[error("the peer's audio is on {0}, another address family than ours")]
    Family(std::net::IpAddr),
    /// An answer without an offer of ours.
    #[error("an answer without an offer")]
    NoOffer,
}

impl SdpError {
    /// Is it our own limit, and no fault of the peer's?
    pub fn is_our_limit(&self) -> bool {
        matches!(self, SdpError::Name(_) | SdpError::TooLarge(_))
    }
}

/// Which bound a description reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`MAX_BYTES`].
    Bytes,
    /// [`MAX_SECTIONS`].
    Sections,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Bytes => write!(f, "{MAX_BYTES} bytes"),
            Limit::Sections => write!(f, "{MAX_SECTIONS} media sections"),
        }
    }
}
