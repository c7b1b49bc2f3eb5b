//! Our RTP as tshark reads it.

use super::phone::{Phone, Talk, all_at_once, digits, text};
use crate::peer::{pcap, tshark};
use ringback::media::dtmf::DtmfMethod;
use ringback::message::Transport;
use ringback::transport::{Direction, RecordEvent};
use ringback::ua::call::Command;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

const ALL: &str = "1234567890*#ABCD";
/// Not what tshark would guess.
const PAYLOAD_TYPE: u8 = 113;

/// One RTP packet as tshark has it.
#[derive(Debug)]
struct Rtp {
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    marker: bool,
    /// Event, end, volume and duration of a telephone-event.
    event: Option<(u8, bool, u8, u16)>,
}

/// Everything that alice's endpoint sent and received for this call, SIP and media.
fn capture(alice: &Phone, path: &Path) {
    let recorder = alice.agent.recorder();
    let (media, dropped) = recorder.take_media();
    let records = recorder.records();
    assert_eq!(dropped, 0);
    let first = records.iter().map(|record| record.at).chain(media.iter().map(|m| m.at)).min().unwrap();
    let turned = |direction, local: SocketAddr, remote: SocketAddr| match direction {
        Direction::Sent => (local, remote),
        Direction::Received => (remote, local),
    };
    let mut datagrams = Vec::new();
    for record in records {
        if let RecordEvent::Message { direction, bytes, .. } = record.event {
            let (from, to) = turned(direction, record.flow.local, record.flow.remote);
            datagrams.push((record.at - first, from, to, bytes.to_vec()));
        }
    }
    for record in media {
        let (from, to) = turned(record.direction, record.local, record.remote);
        datagrams.push((record.at - first, from, to, record.bytes.to_vec()));
    }
    pcap::write(path, datagrams);
}

/// The RTP packets that went out of this port, as the SDP in the capture lets tshark understand them.
fn rtp_from(path: &Path, sip: u16, port: u16) -> (Vec<u32>, Vec<Rtp>) {
    let fields = [
        "rtp.ssrc",
        "rtp.seq",
        "rtp.timestamp",
        "rtp.p_type",
        "rtp.marker",
        "rtpevent.event_id",
        "rtpevent.end_of_event",
        "rtpevent.volume",
        "rtpevent.duration",
    ];
    let rows = tshark::fields(path, sip, &format!("rtp && udp.srcport == {port}"), &fields);
    let (mut sources, mut packets) = (Vec::new(), Vec::new());
    for row in rows {
        let source = u32::from_str_radix(row[0].trim_start_matches("0x"), 16).unwrap();
        if !sources.contains(&source) {
            sources.push(source);
        }
        let flag = |text: &str| text == "1" || text == "True";
        let event = (!row[5].is_empty()).then(|| {
            (row[5].parse().unwrap(), flag(&row[6]), row[7].parse().unwrap(), row[8].parse().unwrap())
        });
        packets.push(Rtp {
            sequence: row[1].parse().unwrap(),
            timestamp: row[2].parse().unwrap(),
            payload_type: row[3].parse().unwrap(),
            marker: flag(&row[4]),
            event,
        });
    }
    (sources, packets)
}

async fn connected(alice: &Phone, bob: &mut Phone) -> (Talk, Talk) {
    let mut from = alice.dial("bob", bob.address()).await;
    let asks = |config: &mut ringback::ua::call::Config| {
        // An answer keeps the number of the offer; a changed one is what a gateway would send.
        config.local.telephone_event = Some(101);
    };
    let mut to = bob.take_with(asks, Some(with_number(PAYLOAD_TYPE))).await;
    to.command(Command::Answer).await;
    let plan = from.answered().await;
    assert_eq!(plan.send_telephone_event.unwrap().payload_type, PAYLOAD_TYPE);
    to.answered().await;
    (from, to)
}

/// The answer asks for telephone-events under this number, as long as the one that it replaces.
fn with_number(number: u8) -> ringback::endpoint::agent::Rewrite {
    Box::new(move |message| {
        let text = String::from_utf8(message.as_bytes().to_vec()).unwrap();
        let text = text.replace(" 101\r\n", &format!(" {number}\r\n"));
        let text = text.replace(":101 ", &format!(":{number} "));
        Some(ringback::message::Message::parse(text.into(), &Default::default()).unwrap())
    })
}

async fn telephone_events(ip: IpAddr) {
    let alice = Phone::at("alice", ip, Transport::Udp).await;
    let mut bob = Phone::at("bob", ip, Transport::Udp).await;
    let (mut from, mut to) = connected(&alice, &mut bob).await;
    let port = from.handle.rtp().port();
    from.hears(&bob).await;
    from.send_digits(ALL, DtmfMethod::Rfc4733).await;
    assert_eq!(text(&to.digits(DtmfMethod::Rfc4733, ALL.len()).await), ALL);
    to.hears(&alice).await;
    from.hang_up().await;
    to.ended().await;

    // tshark takes its time; the other call goes on.
    tokio::task::block_in_place(|| judge(&alice, port));
}

/// What tshark says of everything that alice sent and received.
fn judge(alice: &Phone, port: u16) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("call.pcap");
    capture(alice, &path);
    let frames = tshark::read(&path, alice.address().port());
    let objected: Vec<_> = frames.iter().filter(|frame| !frame.complaints.is_empty()).collect();
    assert!(objected.is_empty(), "{objected:#?}");
    assert!(frames.iter().any(|frame| frame.protocols.ends_with(":rtcp")), "{frames:#?}");

    let (sources, packets) = rtp_from(&path, alice.address().port(), port);
    assert_eq!(sources.len(), 1, "voice and events have one source: {sources:?}");
    let mut late = 0;
    for (before, after) in packets.iter().zip(&packets[1..]) {
        assert_eq!(after.sequence, before.sequence.wrapping_add(1), "{before:?} {after:?}");
        let step = after.timestamp.wrapping_sub(before.timestamp) as i32;
        assert!(step >= 0 && step % 160 == 0, "{before:?} {after:?}");
        if before.event.is_none() && after.event.is_none() {
            assert_eq!(after.marker, step > 160, "voice goes on: {before:?} {after:?}");
            late += usize::from(step > 160);
        }
    }
    // A machine that does not get to it leaves a gap.
    assert!(late <= 2, "{late} gaps in {} packets", packets.len());
    assert!(packets[0].marker, "the first packet of the stream is marked");
    assert!(packets.iter().all(|packet| packet.payload_type
        == match packet.event {
            Some(_) => PAYLOAD_TYPE,
            None => 8,
        }));

    let mut events: BTreeMap<u16, Vec<&Rtp>> = BTreeMap::new();
    let mut order = Vec::new();
    let mut last = None;
    for packet in packets.iter().filter(|packet| packet.event.is_some()) {
        if last.replace(packet.timestamp) != Some(packet.timestamp) {
            order.push(packet.sequence);
        }
        events.entry(*order.last().unwrap()).or_default().push(packet);
    }
    assert_eq!(order.len(), ALL.len());
    for (first, digit) in order.iter().zip(digits(ALL)) {
        let event = &events[first];
        assert!(event.iter().all(|packet| packet.event.unwrap().0 == digit.event()));
        assert!(event[0].marker && event[1..].iter().all(|packet| !packet.marker), "{event:#?}");
        let parts: Vec<_> = event.iter().map(|packet| packet.event.unwrap()).collect();
        assert!(parts.iter().all(|(_, _, volume, _)| *volume == 10), "{parts:?}");
        let (going_on, ends) = parts.split_at(parts.len() - 3);
        assert!(ends.iter().all(|(_, end, _, duration)| *end && *duration == 800), "{parts:?}");
        assert!(going_on.iter().all(|(_, end, _, _)| !end), "{parts:?}");
        let durations: Vec<u16> = going_on.iter().map(|(_, _, _, duration)| *duration).collect();
        assert!(durations.windows(2).all(|two| two[0] < two[1]), "{durations:?}");
        assert!(durations.len() >= 4 && *durations.last().unwrap() < 800, "{durations:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tshark_reads_our_telephone_events() {
    all_at_once([
        ("IPv4", telephone_events(Ipv4Addr::LOCALHOST.into())),
        ("IPv6", telephone_events(Ipv6Addr::LOCALHOST.into())),
    ])
    .await;
}
