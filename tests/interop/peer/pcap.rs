//! Captures of UDP datagrams, for tshark.

use etherparse::PacketBuilder;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Writes datagrams, each with its time since the first, from and to; in the order of their times.
pub(crate) fn write(path: &Path, mut datagrams: Vec<(Duration, SocketAddr, SocketAddr, Vec<u8>)>) {
    datagrams.sort_by_key(|(at, ..)| *at);
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(File::create(path).unwrap(), header).unwrap();
    for (at, from, to, payload) in datagrams {
        let packet = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
            (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
            mixed => panic!("{mixed:?}"),
        };
        let mut data = Vec::new();
        packet.udp(from.port(), to.port()).write(&mut data, &payload).unwrap();
        // Any day will do.
        let at = Duration::from_secs(1_700_000_000) + at;
        writer.write_packet(&PcapPacket::new(at, data.len() as u32, &data)).unwrap();
    }
}
