//! Telephone events: the payload of RFC 4733, a machine that sends them and one that receives them.
//!
//! The receiver tells events apart by their RTP timestamp and code and by nothing else, so that loss, duplicates and reordering neither
//! merge nor invent digits.

mod receiver;
mod sender;

pub use receiver::{EventPacket, EventReceiver, HOLD, MAX_EVENTS, ReceivedEvent, Seen};
pub use sender::{EventSender, EventToSend, SentPacket};

/// The longest duration that one payload can tell, in units of the clock; longer events go in segments (RFC 4733 sec. 2.5.1.3).
pub const MAX_DURATION: u16 = u16::MAX;

/// The four octets of RFC 4733 sec. 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// The event code: 0 to 15 are the DTMF digits, 16 is the hook flash.
    pub event: u8,
    /// Whether the event is over.
    pub end: bool,
    /// The level in dBm0 without its sign: 0 to 63, from loud to quiet.
    pub volume: u8,
    /// Time since the packet's timestamp in units of the clock.
    pub duration: u16,
}

impl Payload {
    /// Reads a payload; what follows the first four octets is not looked at. `None` when there are fewer.
    pub fn parse(payload: &[u8]) -> Option<Payload> {
        let &[event, flags, high, low, ..] = payload else { return None };
        Some(Payload {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }
    /// Whether a payload of some dynamic type may well be a telephone event: four octets, a DTMF code or the flash, the reserved bit clear.
    pub fn looks_like_one(payload: &[u8]) -> bool {
        matches!(payload, [0..=16, flags, ..] if payload.len() == 4 && flags & 0x40 == 0)
    }
    /// The four octets.
    pub fn write(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

#[cfg(test)]
mod tests;
