//! RTP packets read and written (RFC 3550 sec. 5.1); the crate `rtp-types` does the bits.
use rtp_types::{RtpPacket, RtpPacketBuilder};

/// The largest packet that is written: what fits into an Ethernet frame with IPv6 and UDP before it.
pub const MAX_PACKET: usize = 1_452;

/// One RTP packet; the payload is borrowed, padding is gone, contributing sources and header extensions are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The marker bit: in voice and telephone events the first packet after a silence, or of an event.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence_number: u16,
    /// The timestamp in units of the payload's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// The payload.
    pub payload: &'a [u8],
}

/// Why bytes are no RTP packet, or a packet cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than its own header, extension or padding says.
    #[error("the packet is shorter than its header says")]
    Truncated,
    /// Not version 2.
    #[error("not RTP version 2")]
    Version,
    /// A payload type above 127, or more than [`MAX_PACKET`] bytes.
    #[error("a payload type above 127 or more than {MAX_PACKET} bytes")]
    Unwritable,
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    ///
    /// # Errors
    /// [`RtpError`] for anything but RTP version 2 with a whole header, extension and padding.
    pub fn parse(datagram: &'a [u8]) -> Result<Packet<'a>, RtpError> {
        let packet = RtpPacket::parse(datagram).map_err(|error| match error {
            rtp_types::RtpParseError::UnsupportedVersion(_) => RtpError::Version,
            _ => RtpError::Truncated,
        })?;
        let start = packet.payload_offset();
        let end = start.checked_add(packet.payload_len()).ok_or(RtpError::Truncated)?;
        Ok(Packet {
            marker: packet.marker_bit(),
            payload_type: packet.payload_type(),
            sequence_number: packet.sequence_number(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload: datagram.get(start..end).ok_or(RtpError::Truncated)?,
        })
    }
    /// The bytes of the packet.
    ///
    /// # Errors
    /// [`RtpError::Unwritable`].
    pub fn write(&self) -> Result<Vec<u8>, RtpError> {
        let bytes = RtpPacketBuilder::<_, &[u8]>::new()
            .marker_bit(self.marker)
            .payload_type(self.payload_type)
            .sequence_number(self.sequence_number)
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(self.payload)
            .write_vec()
            .map_err(|_| RtpError::Unwritable)?;
        if bytes.len() > MAX_PACKET { Err(RtpError::Unwritable) } else { Ok(bytes) }
    }
}

/// Whether a datagram on an RTP port is RTCP (RFC 5761 sec. 4: the second octet is 192 to 223).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_written_bit_by_bit_as_rfc_3550_draws_it() {
        let packet = Packet {
            marker: true,
            payload_type: 101,
            sequence_number: 0x1234,
            timestamp: 0x0102_0304,
            ssrc: 0xdead_beef,
            payload: &[5, 0x8a, 0, 160],
        };
        let bytes = packet.write().unwrap();
        let drawn = [0x80, 0x80 | 101, 0x12, 0x34, 1, 2, 3, 4, 0xde, 0xad, 0xbe, 0xef, 5, 0x8a, 0, 160];
        assert_eq!(bytes, drawn);
        assert_eq!(Packet::parse(&bytes), Ok(packet));
        assert!(!is_rtcp(&bytes));
        assert!(is_rtcp(&[0x80, 200, 0, 6]) && !is_rtcp(&[0x40, 200]) && !is_rtcp(&[0x80]));
        assert_eq!(Packet { payload_type: 128, ..packet }.write(), Err(RtpError::Unwritable));
        assert_eq!(Packet { payload: &[0; 1_500], ..packet }.write(), Err(RtpError::Unwritable));
    }

    #[test]
    fn padding_extension_and_contributing_sources_are_taken_off() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 1, 8, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7];
        bytes.extend([0, 0, 0, 42]);
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        bytes.extend([0xd5, 0xd5, 0, 2]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.payload, packet.ssrc, packet.payload_type), (&[0xd5, 0xd5][..], 7, 8));
        assert_eq!(Packet::parse(&bytes[..11]), Err(RtpError::Truncated));
        bytes[0] = 0x40;
        assert_eq!(Packet::parse(&bytes), Err(RtpError::Version));
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), version: bool) {
            if let (true, Some(first)) = (version, bytes.first_mut()) {
                *first = *first & 0x3f | 0x80;
            }
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert!(packet.payload.len() + 12 <= bytes.len());
                prop_assert!(packet.payload_type < 128);
            }
        }
        #[test]
        fn what_is_written_is_read_again(marker: bool, payload_type in 0_u8..128, sequence_number: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let packet = Packet { marker, payload_type, sequence_number, timestamp, ssrc, payload: &payload };
            let bytes = packet.write().unwrap();
            prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        }
    }
}
