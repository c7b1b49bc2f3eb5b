//! Captures that Wireshark and tshark open: the messages and the media of a transcript in packets that are made up around them.
//!
//! What is true in such a capture: addresses, ports, transport, order, the wall-clock time of each message, and its text but for
//! its secrets. What is made up: everything else of IP, UDP and TCP. A connection whose opening was recorded begins with a
//! handshake from our side, one that was open before begins in the middle; its segments are as large as the messages, up to
//! 1,400 bytes. Lengths differ from what was on the wire where a secret was taken out.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use ringback::check::Outcome;
//! use ringback::report::pcap::Capture;
//! let outcome = Outcome::not_run("register", "sip:bob@lab.example", "no password is given", "add one");
//! let mut capture = Capture::new(Vec::new())?;
//! capture.add(&outcome.transcript)?;
//! assert_eq!(capture.into_inner().len(), 24); // nothing was sent: only the file's header
//! # Ok(())
//! # }
//! ```

use super::once;
use crate::check::Transcript;
use crate::message::{Flow, Transport, redact};
use crate::transport::{Direction, MediaRecord, Record, RecordEvent};
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Payload of one TCP segment.
const SEGMENT: usize = 1_400;
/// Largest payload of one UDP datagram, in IPv4.
const DATAGRAM: usize = 65_507;
const HOPS: u8 = 64;
const WINDOW: u16 = 0xffff;

/// Writes transcripts into one capture, one after the other.
pub struct Capture<W: Write> {
    writer: PcapWriter<W>,
    /// Next sequence numbers of each connection: ours, the peer's.
    connections: HashMap<Flow, (u32, u32)>,
}

impl<W: Write> fmt::Debug for Capture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}

impl<W: Write> Capture<W> {
    /// Begins a capture (pcap, raw IP, microseconds).
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(writer: W) -> io::Result<Capture<W>> {
        let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
        let writer = PcapWriter::with_header(writer, header).map_err(to_io)?;
        Ok(Capture { writer, connections: HashMap::new() })
    }

    /// Adds the messages of one transcript, redacted, and its media, in the order of their times. What went from one of our own
    /// addresses to another is listed once, as it was sent.
    ///
    /// # Errors
    /// What the writer says; a time before 1970 or after 2106, which the format cannot hold.
    pub fn add(&mut self, transcript: &Transcript) -> io::Result<()> {
        let sent: HashSet<(SocketAddr, SocketAddr)> = transcript
            .media
            .iter()
            .filter(|media| media.direction == Direction::Sent)
            .map(|media| (media.local, media.remote))
            .collect();
        let is_known = |media: &&MediaRecord| {
            media.direction == Direction::Received && sent.contains(&(media.remote, media.local))
        };
        let mut media = transcript.media.iter().filter(|media| !is_known(media)).peekable();
        for record in once::records(transcript) {
            while let Some(media) = media.next_if(|media| media.at < record.at) {
                self.media(transcript, media)?;
            }
            self.record(transcript, record)?;
        }
        media.try_for_each(|media| self.media(transcript, media))
    }

    fn record(&mut self, transcript: &Transcript, record: &Record) -> io::Result<()> {
        let at = wall_clock(transcript, record.at);
        let flow = record.flow;
        match &record.event {
            RecordEvent::Message { direction, bytes, .. } => self.payload(at, flow, *direction, bytes),
            RecordEvent::Malformed { bytes, .. } => self.payload(at, flow, Direction::Received, bytes),
            RecordEvent::Opened if flow.transport == Transport::Tcp => self.handshake(at, flow),
            RecordEvent::Closed(_) if flow.transport == Transport::Tcp => self.goodbye(at, flow),
            // Nothing that was on the wire, or nothing that we know of.
            RecordEvent::Opened | RecordEvent::Closed(_) | RecordEvent::Failed(_) | RecordEvent::Note(_) => {
                Ok(())
            }
        }
    }

    fn media(&mut self, transcript: &Transcript, media: &MediaRecord) -> io::Result<()> {
        let at = wall_clock(transcript, media.at);
        match media.direction {
            Direction::Sent => self.datagram(at, media.local, media.remote, &media.bytes),
            Direction::Received => self.datagram(at, media.remote, media.local, &media.bytes),
        }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer.into_writer()
    }

    fn payload(&mut self, at: Duration, flow: Flow, direction: Direction, bytes: &[u8]) -> io::Result<()> {
        let bytes = redact(bytes);
        match flow.transport {
            Transport::Udp => {
                let (from, to) = ends(flow, direction);
                self.datagram(at, from, to, &bytes)
            }
            Transport::Tcp => {
                for segment in bytes.chunks(SEGMENT) {
                    self.segment(at, flow, direction, segment, |tcp| tcp.psh())?;
                }
                Ok(())
            }
        }
    }

    fn datagram(&mut self, at: Duration, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let bytes = &bytes[..bytes.len().min(DATAGRAM)];
        let packet = ip(from, to).udp(from.port(), to.port());
        let mut data = Vec::with_capacity(packet.size(bytes.len()));
        packet.write(&mut data, bytes).map_err(io::Error::other)?;
        self.packet(at, data)
    }

    fn handshake(&mut self, at: Duration, flow: Flow) -> io::Result<()> {
        self.connections.remove(&flow);
        let (ours, peers) = *self.sequence(flow);
        let (local, remote) = (flow.local, flow.remote);
        // A SYN counts as one byte: it stands just before the first.
        let syn = |from: SocketAddr, to: SocketAddr, number: u32| {
            ip(from, to).tcp(from.port(), to.port(), number.wrapping_sub(1), WINDOW).syn()
        };
        self.write_tcp(at, syn(local, remote, ours), &[])?;
        self.write_tcp(at, syn(remote, local, peers).ack(ours), &[])?;
        self.segment(at, flow, Direction::Sent, &[], |tcp| tcp)
    }

    fn goodbye(&mut self, at: Duration, flow: Flow) -> io::Result<()> {
        if !self.connections.contains_key(&flow) {
            return Ok(());
        }
        for direction in [Direction::Received, Direction::Sent] {
            self.segment(at, flow, direction, &[], |tcp| tcp.fin())?;
            let (ours, peers) = self.sequence(flow);
            let fin = if direction == Direction::Sent { ours } else { peers };
            *fin = fin.wrapping_add(1);
        }
        self.segment(at, flow, Direction::Received, &[], |tcp| tcp)?;
        self.connections.remove(&flow);
        Ok(())
    }

    fn segment(
        &mut self,
        at: Duration,
        flow: Flow,
        direction: Direction,
        bytes: &[u8],
        flags: impl Fn(PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader>,
    ) -> io::Result<()> {
        let (ours, peers) = self.sequence(flow);
        let (from, to) = ends(flow, direction);
        let (next, acknowledged) = if direction == Direction::Sent { (ours, *peers) } else { (peers, *ours) };
        let packet = ip(from, to).tcp(from.port(), to.port(), *next, WINDOW).ack(acknowledged);
        *next = next.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
        self.write_tcp(at, flags(packet), bytes)
    }

    fn sequence(&mut self, flow: Flow) -> &mut (u32, u32) {
        self.connections.entry(flow).or_insert((1, 1))
    }

    fn write_tcp(
        &mut self,
        at: Duration,
        packet: PacketBuilderStep<TcpHeader>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut data = Vec::with_capacity(packet.size(bytes.len()));
        packet.write(&mut data, bytes).map_err(io::Error::other)?;
        self.packet(at, data)
    }

    fn packet(&mut self, at: Duration, data: Vec<u8>) -> io::Result<()> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.writer.write_packet(&PcapPacket::new_owned(at, length, data)).map(drop).map_err(to_io)
    }
}

fn ends(flow: Flow, direction: Direction) -> (SocketAddr, SocketAddr) {
    match direction {
        Direction::Sent => (flow.local, flow.remote),
        Direction::Received => (flow.remote, flow.local),
    }
}

fn ip(from: SocketAddr, to: SocketAddr) -> PacketBuilderStep<IpHeaders> {
    let mapped = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOPS),
        (from, to) => PacketBuilder::ipv6(mapped(from), mapped(to), HOPS),
    }
}

/// Time since 1970 at which an instant of the transcript was.
fn wall_clock(transcript: &Transcript, at: Instant) -> Duration {
    let since = |began: SystemTime| began.duration_since(UNIX_EPOCH).unwrap_or_default();
    match at.checked_duration_since(transcript.began) {
        Some(after) => since(transcript.began_at).saturating_add(after),
        None => since(transcript.began_at).saturating_sub(transcript.began.duration_since(at)),
    }
}

fn to_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error.to_string()),
    }
}
