//! RTCP sender and receiver reports read and written (RFC 3550 sec. 6.4); the crate `rtcp-types` does the bits.
use rtcp_types::{
    Compound, Packet as AnyPacket, ReceiverReport, ReportBlock as WireBlock, RtcpPacketWriter,
    RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem, SenderReport,
};
use std::time::Duration;

/// What the sender says of its own stream (RFC 3550 sec. 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The time on the sender's clock: seconds since 1900 in the upper 32 bits, the fraction in the lower.
    pub ntp_timestamp: u64,
    /// The same moment in units of the stream's clock.
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packet_count: u32,
    /// Payload octets sent so far.
    pub octet_count: u32,
}

/// What one party says of the stream that it receives (RFC 3550 sec. 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Part of the packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; less than 0 when there were more duplicates than losses. 24 bits on the wire.
    pub cumulative_lost: i32,
    /// The highest sequence number received, with its cycles in the upper 16 bits.
    pub extended_highest_sequence: u32,
    /// Interarrival jitter in units of the stream's clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP timestamp, 0 before there was one.
    pub last_sender_report: u32,
    /// The time since that report was received, in 1/65536 s.
    pub delay_since_last_sender_report: u32,
}

/// A sender report (with `sender`) or a receiver report (without).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who reports.
    pub ssrc: u32,
    /// What is said of the own stream.
    pub sender: Option<SenderInfo>,
    /// What is said of others: at most 31.
    pub blocks: Vec<ReportBlock>,
}

/// What a compound packet held for us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// The reports, at most [`MAX_REPORTS`].
    pub reports: Vec<Report>,
    /// The sources that said goodbye (RFC 3550 sec. 6.6).
    pub goodbyes: Vec<u32>,
}

/// The most reports taken from one datagram.
pub const MAX_REPORTS: usize = 16;

/// Why RTCP could not be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// Not a compound packet.
    #[error("not a compound RTCP packet")]
    Malformed,
    /// More than 31 report blocks, or a canonical name of more than 255 bytes.
    #[error("more than 31 report blocks or too long a canonical name")]
    Unwritable,
}

impl Report {
    /// The compound packet of this report and a canonical name (RFC 3550 sec. 6.1: both are always there).
    ///
    /// # Errors
    /// [`RtcpError::Unwritable`].
    pub fn write(&self, cname: &str) -> Result<Vec<u8>, RtcpError> {
        let blocks = self.blocks.iter().map(|block| {
            WireBlock::builder(block.ssrc)
                .fraction_lost(block.fraction_lost)
                .cumulative_lost(block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff)
                .extended_sequence_number(block.extended_highest_sequence)
                .interarrival_jitter(block.jitter)
                .last_sender_report_timestamp(block.last_sender_report)
                .delay_since_last_sender_report_timestamp(block.delay_since_last_sender_report)
        });
        let name = SdesChunk::builder(self.ssrc).add_item(SdesItem::builder(SdesItem::CNAME, cname));
        let compound = Compound::builder();
        let compound = match self.sender {
            Some(info) => {
                let report = SenderReport::builder(self.ssrc)
                    .ntp_timestamp(info.ntp_timestamp)
                    .rtp_timestamp(info.rtp_timestamp)
                    .packet_count(info.packet_count)
                    .octet_count(info.octet_count);
                compound.add_packet(blocks.fold(report, |report, block| report.add_report_block(block)))
            }
            None => {
                let report = ReceiverReport::builder(self.ssrc);
                compound.add_packet(blocks.fold(report, |report, block| report.add_report_block(block)))
            }
        };
        let compound = compound.add_packet(Sdes::builder().add_chunk(name));
        let size = compound.calculate_size().map_err(|_| RtcpError::Unwritable)?;
        let mut bytes = vec![0; size];
        compound.write_into(&mut bytes).map_err(|_| RtcpError::Unwritable)?;
        Ok(bytes)
    }
}

impl Received {
    /// Reads one datagram; kinds of packets that say nothing of the streams are passed over.
    ///
    /// # Errors
    /// [`RtcpError::Malformed`] when any packet of the compound is.
    pub fn parse(datagram: &[u8]) -> Result<Received, RtcpError> {
        let mut received = Received::default();
        for packet in Compound::parse(datagram).map_err(|_| RtcpError::Malformed)? {
            let report = match packet.map_err(|_| RtcpError::Malformed)? {
                AnyPacket::Sr(report) => Report {
                    ssrc: report.ssrc(),
                    sender: Some(SenderInfo {
                        ntp_timestamp: report.ntp_timestamp(),
                        rtp_timestamp: report.rtp_timestamp(),
                        packet_count: report.packet_count(),
                        octet_count: report.octet_count(),
                    }),
                    blocks: report.report_blocks().map(|block| read(&block)).collect(),
                },
                AnyPacket::Rr(report) => Report {
                    ssrc: report.ssrc(),
                    sender: None,
                    blocks: report.report_blocks().map(|block| read(&block)).collect(),
                },
                AnyPacket::Bye(bye) => {
                    received
                        .goodbyes
                        .extend(bye.ssrcs().take(MAX_REPORTS.saturating_sub(received.goodbyes.len())));
                    continue;
                }
                _ => continue,
            };
            if received.reports.len() < MAX_REPORTS {
                received.reports.push(report);
            }
        }
        Ok(received)
    }
}

fn read(block: &WireBlock<'_>) -> ReportBlock {
    ReportBlock {
        ssrc: block.ssrc(),
        fraction_lost: block.fraction_lost(),
        // 24 bits with a sign.
        cumulative_lost: (block.cumulative_lost() << 8) as i32 >> 8,
        extended_highest_sequence: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_sender_report: block.last_sender_report_timestamp(),
        delay_since_last_sender_report: block.delay_since_last_sender_report_timestamp(),
    }
}

/// The round trip that a report block tells, `now` being the middle 32 bits of the NTP timestamp at its arrival (RFC 3550 sec. 6.4.1).
///
/// `None` when the peer has had no sender report of ours, or claims to have kept it for longer than it was away.
pub fn round_trip(block: &ReportBlock, now: u32) -> Option<Duration> {
    if block.last_sender_report == 0 {
        return None;
    }
    let away =
        now.wrapping_sub(block.last_sender_report).checked_sub(block.delay_since_last_sender_report)?;
    // More than an hour is a wrapped difference, not a round trip.
    (away < 3_600 << 16).then(|| Duration::from_nanos((u64::from(away) * 1_000_000_000) >> 16))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 0x0a0b_0c0d,
            fraction_lost: 25,
            cumulative_lost: -2,
            extended_highest_sequence: 0x0001_ffff,
            jitter: 17,
            last_sender_report: 0x1111_2222,
            delay_since_last_sender_report: 0x8000,
        }
    }

    #[test]
    fn a_sender_report_is_laid_out_as_rfc_3550_draws_it() {
        let info = SenderInfo {
            ntp_timestamp: 0x0102_0304_0506_0708,
            rtp_timestamp: 160,
            packet_count: 2,
            octet_count: 320,
        };
        let report = Report { ssrc: 0x11, sender: Some(info), blocks: vec![block()] };
        let bytes = report.write("a@b").unwrap();
        let drawn: &[u8] = &[
            0x81, 200, 0, 12, 0, 0, 0, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 160, 0, 0, 0, 2, 0, 0, 1, 64,
            10, 11, 12, 13, 25, 0xff, 0xff, 0xfe, 0, 1, 0xff, 0xff, 0, 0, 0, 17, 0x11, 0x11, 0x22, 0x22, 0,
            0, 0x80, 0,
        ];
        assert_eq!(&bytes[..52], drawn);
        assert_eq!(&bytes[52..54], &[0x81, 202]);
        assert_eq!(Received::parse(&bytes).unwrap().reports, [report]);
    }

    #[test]
    fn a_receiver_report_without_blocks_is_read_again_and_a_goodbye_is_kept() {
        let report = Report { ssrc: 5, sender: None, blocks: vec![] };
        let mut bytes = report.write("c").unwrap();
        bytes.extend([0x81, 203, 0, 1, 0, 0, 0, 5]);
        let received = Received::parse(&bytes).unwrap();
        assert_eq!((received.reports, received.goodbyes), (vec![report], vec![5]));
        let many = Report { ssrc: 5, sender: None, blocks: vec![block(); 32] };
        assert_eq!(many.write("c"), Err(RtcpError::Unwritable));
    }

    #[test]
    fn the_round_trip_is_what_is_left_after_the_peers_delay() {
        let half_a_second = round_trip(&block(), 0x1111_2222 + 0x1_0000);
        assert_eq!(half_a_second, Some(Duration::from_millis(500)));
        assert_eq!(round_trip(&block(), 0x1111_2222 + 0x100), None);
        assert_eq!(round_trip(&ReportBlock { last_sender_report: 0, ..block() }, 9), None);
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..96), kind in 200_u8..207, words: u8) {
            if bytes.len() > 3 {
                bytes[0] = bytes[0] & 0x3f | 0x80;
                bytes[1] = kind;
                (bytes[2], bytes[3]) = (0, words % 24);
            }
            if let Ok(received) = Received::parse(&bytes) {
                prop_assert!(received.reports.len() <= MAX_REPORTS && received.goodbyes.len() <= MAX_REPORTS);
            }
        }
    }
}
