//! The media of a ladder: one line for each direction and stretch.

use crate::check::Transcript;
use crate::media::rtp::Packet;
use crate::message::Message;
use crate::syntax::Limits;
use crate::transport::{Direction, RecordEvent};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Silence on the wire that ends a stretch.
const PAUSE: Duration = Duration::from_secs(1);

/// Packets of one kind in one direction, without a long pause between them.
#[derive(Debug)]
pub(super) struct Stretch {
    /// The first of them.
    pub(super) at: Instant,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    kind: String,
    sent: u64,
    received: u64,
    last: Instant,
}

impl Stretch {
    /// `RTP PCMA 250 packets`; where both ends are ours, also how many arrived when that is less.
    pub(super) fn text(&self) -> String {
        let Stretch { kind, sent, received, .. } = self;
        let packets = |n: u64| if n == 1 { "packet" } else { "packets" };
        match (*sent, *received) {
            (0, n) => format!("RTP {kind} {n} {}", packets(n)),
            (n, 0) => format!("RTP {kind} {n} {}", packets(n)),
            (n, arrived) if n == arrived => format!("RTP {kind} {n} {}", packets(n)),
            (n, arrived) => format!("RTP {kind} {n} {}, {arrived} arrived", packets(n)),
        }
    }
}

/// The stretches of a transcript, in the order of their first packets.
pub(super) fn stretches(transcript: &Transcript) -> Vec<Stretch> {
    let names = payload_names(transcript);
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut open: HashMap<(SocketAddr, SocketAddr, u8), usize> = HashMap::new();
    for record in transcript.media.iter().filter(|record| !record.is_rtcp) {
        let Ok(packet) = Packet::parse(&record.bytes) else { continue };
        let (from, to) = match record.direction {
            Direction::Sent => (record.local, record.remote),
            Direction::Received => (record.remote, record.local),
        };
        let key = (from, to, packet.payload_type);
        let known = open.get(&key).copied().filter(|index| {
            stretches
                .get(*index)
                .is_some_and(|stretch: &Stretch| record.at.saturating_duration_since(stretch.last) <= PAUSE)
        });
        let index = known.unwrap_or_else(|| {
            stretches.push(Stretch {
                at: record.at,
                from,
                to,
                kind: kind(packet.payload_type, &names),
                sent: 0,
                received: 0,
                last: record.at,
            });
            stretches.len() - 1
        });
        open.insert(key, index);
        if let Some(stretch) = stretches.get_mut(index) {
            stretch.last = record.at;
            match record.direction {
                Direction::Sent => stretch.sent += 1,
                Direction::Received => stretch.received += 1,
            }
        }
    }
    stretches.sort_by_key(|stretch| stretch.at);
    stretches
}

fn kind(payload_type: u8, names: &HashMap<u8, String>) -> String {
    match (payload_type, names.get(&payload_type)) {
        (_, Some(name)) => name.clone(),
        (0, None) => "PCMU".to_owned(),
        (8, None) => "PCMA".to_owned(),
        (13, None) => "CN".to_owned(),
        (number, None) => format!("payload type {number}"),
    }
}

/// Descriptions in a transcript, each with the end of its flow that it describes. Those that we gave come first: what a proxy passes on
/// to another end of ours is not its own.
fn descriptions(transcript: &Transcript) -> impl Iterator<Item = (SocketAddr, String)> {
    let of = |wanted: Direction| {
        transcript.records.iter().filter_map(move |record| {
            let RecordEvent::Message { direction, bytes, .. } = &record.event else { return None };
            if *direction != wanted {
                return None;
            }
            memchr::memmem::find(bytes, b"m=audio")?;
            let message = Message::parse(bytes.clone(), &Limits::default()).ok()?;
            let end = match direction {
                Direction::Sent => record.flow.local,
                Direction::Received => record.flow.remote,
            };
            Some((end, String::from_utf8_lossy(message.body()).into_owned()))
        })
    };
    of(Direction::Sent).chain(of(Direction::Received))
}

/// What `rtpmap` says of payload types, the first of each number.
fn payload_names(transcript: &Transcript) -> HashMap<u8, String> {
    let mut names = HashMap::new();
    for (_, body) in descriptions(transcript) {
        for line in body.lines() {
            let Some((number, name)) = line.strip_prefix("a=rtpmap:").and_then(|map| map.split_once(' '))
            else {
                continue;
            };
            let name = name.split('/').next().unwrap_or_default();
            if let Ok(number) = number.parse() {
                names.entry(number).or_insert_with(|| super::ascii(name.as_bytes()));
            }
        }
    }
    names
}

/// Whose media address is whose: by the descriptions that the ends gave.
pub(super) fn owners(transcript: &Transcript) -> HashMap<SocketAddr, SocketAddr> {
    let mut owners = HashMap::new();
    for (end, body) in descriptions(transcript) {
        let (mut session, mut media, mut port) = (None, None, None);
        for line in body.lines().map(str::trim_end) {
            if let Some(connection) = line.strip_prefix("c=") {
                let ip =
                    connection.split(' ').nth(2).and_then(|ip| ip.split('/').next()?.parse::<IpAddr>().ok());
                if port.is_some() { media = media.or(ip) } else { session = ip }
            } else if let Some(audio) = line.strip_prefix("m=audio ") {
                port = port.or_else(|| audio.split(' ').next()?.parse::<u16>().ok());
            }
        }
        if let (Some(ip), Some(port)) = (media.or(session), port) {
            owners.entry(SocketAddr::new(ip, port)).or_insert(end);
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Flow, Transport};
    use crate::report::{LadderOptions, ladder_with};
    use crate::transport::{MediaRecord, Record};
    use bytes::Bytes;
    use std::time::SystemTime;

    const OURS: &str = "127.0.0.1:40000";
    const THEIRS: &str = "127.0.0.1:50000";

    fn rtp(at: Instant, direction: Direction, payload_type: u8) -> MediaRecord {
        let packet = Packet {
            marker: false,
            payload_type,
            sequence_number: 1,
            timestamp: 1,
            ssrc: 7,
            payload: &[0; 160],
        };
        let (local, remote) = (OURS.parse().unwrap(), THEIRS.parse().unwrap());
        MediaRecord { at, direction, is_rtcp: false, local, remote, bytes: packet.write().unwrap().into() }
    }

    fn described(at: Instant, direction: Direction, port: u16) -> Record {
        let body = format!(
            "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        );
        let text = format!(
            "OPTIONS sip:x SIP/2.0\r\nCSeq: 1 OPTIONS\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let flow = Flow {
            transport: Transport::Udp,
            local: "127.0.0.1:5070".parse().unwrap(),
            remote: "127.0.0.1:5060".parse().unwrap(),
        };
        Record {
            at,
            flow,
            event: RecordEvent::Message { direction, bytes: Bytes::from(text), retransmission: 0 },
        }
    }

    fn transcript(described_too: bool) -> Transcript {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut transcript = Transcript::empty(began, SystemTime::UNIX_EPOCH);
        if described_too {
            transcript.records = vec![
                described(at(0), Direction::Sent, 40_000),
                described(at(1), Direction::Received, 50_000),
            ];
            transcript.records.push(described(at(3_000), Direction::Sent, 40_000));
        }
        for n in 0..10 {
            transcript.media.push(rtp(at(10 + n * 20), Direction::Sent, 8));
            transcript.media.push(rtp(at(15 + n * 20), Direction::Received, 8));
        }
        transcript.media.push(rtp(at(220), Direction::Sent, 101));
        transcript.media.push(rtp(at(2_000), Direction::Sent, 8));
        transcript.media_dropped = 3;
        transcript
    }

    #[test]
    fn media_stands_between_the_messages_in_the_lanes_of_who_described_it() {
        let text = ladder_with(&transcript(true), LadderOptions::golden());
        let lines: Vec<&str> = text.lines().collect();
        let rungs: Vec<&str> =
            lines[2..].iter().map(|line| line.trim_matches(['|', '-', ' ', '<', '>'])).collect();
        assert!(lines[0].starts_with("udp 127.0.0.1:P1"), "{text}");
        assert!(!lines[0].contains("rtp"), "{text}");
        assert_eq!(
            rungs,
            [
                "OPTIONS sip:x [1]",
                "OPTIONS sip:x [1]",
                "RTP PCMA 10 packets",
                "RTP PCMA 10 packets",
                "RTP telephone-event 1 packet",
                "RTP PCMA 1 packet",
                "OPTIONS sip:x [1]",
                "(3 more datagrams of media were over the limit and are not kept)"
            ],
            "{text}"
        );
        assert!(lines[4].contains("-->|") || lines[4].ends_with(">|"), "{text}");
        assert!(lines[5].starts_with("|<-"), "{text}");
    }

    #[test]
    fn media_of_nobody_has_lanes_of_its_own() {
        let text = ladder_with(&transcript(false), LadderOptions::golden());
        assert!(text.starts_with("rtp 127.0.0.1:P1"), "{text}");
        assert!(text.contains("RTP payload type 101 1 packet"), "{text}");
    }

    #[test]
    fn what_both_ends_of_ours_recorded_is_one_line_with_what_arrived() {
        let mut transcript = transcript(true);
        let arrived: Vec<MediaRecord> = transcript
            .media
            .iter()
            .filter(|media| media.direction == Direction::Sent)
            .take(7)
            .map(|sent| MediaRecord {
                direction: Direction::Received,
                local: sent.remote,
                remote: sent.local,
                ..sent.clone()
            })
            .collect();
        transcript.media.extend(arrived);
        transcript.media.sort_by_key(|media| media.at);
        let text = ladder_with(&transcript, LadderOptions::golden());
        assert!(text.contains("RTP PCMA 10 packets, 7 arrived"), "{text}");
    }
}
