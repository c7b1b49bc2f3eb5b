//! Our descriptions, written strictly.

use super::{Codec, Direction, TelephoneEvent};
use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A section that is not used: port 0 (RFC 3264 sec. 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unused {
    pub(super) media: String,
    pub(super) proto: String,
    pub(super) formats: String,
}

/// What our audio section says.
#[derive(Debug)]
pub(super) struct Ours<'a> {
    pub(super) session_id: u64,
    pub(super) proto: &'a str,
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: SocketAddr,
    pub(super) codecs: &'a [(Codec, u8)],
    pub(super) telephone_event: Option<TelephoneEvent>,
    pub(super) direction: Direction,
    /// Hold in the old way.
    pub(super) zero_address: bool,
    pub(super) ptime_millis: u32,
    /// Unused sections in front of the audio and behind it.
    pub(super) before: &'a [Unused],
    pub(super) after: &'a [Unused],
}

impl Ours<'_> {
    pub(super) fn session(&self, version: u64) -> Session {
        let ip = self.rtp.ip();
        let mut session = Session::new(Origin::with_ip_addr(self.session_id, version, ip), "-");
        let shown = match (self.zero_address, ip) {
            (false, ip) => ip,
            (true, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (true, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        };
        session.connection = Some(Connection::from_ip_addr(shown));
        session.times.push(Time::new(0, 0));
        session.medias.extend(self.before.iter().map(unused));
        session.medias.push(self.audio());
        session.medias.extend(self.after.iter().map(unused));
        session
    }

    fn audio(&self) -> Media {
        let numbers = self.codecs.iter().map(|(_, number)| *number);
        let numbers = numbers.chain(self.telephone_event.map(|event| event.payload_type));
        let formats: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let mut media = bare("audio", self.rtp.port(), self.proto, &formats.join(" "));
        for (codec, number) in self.codecs {
            attribute(&mut media, "rtpmap", format!("{number} {}/8000", codec.as_str()));
        }
        if let Some(TelephoneEvent { payload_type, events }) = self.telephone_event {
            attribute(&mut media, "rtpmap", format!("{payload_type} telephone-event/8000"));
            attribute(&mut media, "fmtp", format!("{payload_type} {}", ranges(events)));
        }
        attribute(&mut media, "ptime", self.ptime_millis.to_string());
        if Some(self.rtcp.port()) != self.rtp.port().checked_add(1) {
            attribute(&mut media, "rtcp", self.rtcp.port().to_string());
        }
        media.attributes.push(Attribute::new(self.direction.as_str()));
        media
    }
}

pub(super) fn text(session: &Session) -> String {
    let mut bytes = Vec::with_capacity(512);
    // A vector takes all that is written.
    let _ = session.write(&mut bytes);
    String::from_utf8(bytes).unwrap_or_default()
}

fn attribute(media: &mut Media, name: &str, value: String) {
    media.attributes.push(Attribute::with_value(name, value));
}

fn unused(section: &Unused) -> Media {
    bare(&section.media, 0, &section.proto, &section.formats)
}

fn bare(media: &str, port: u16, proto: &str, formats: &str) -> Media {
    Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: formats.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// Bits as `0-15,20`.
fn ranges(events: u32) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut event = 0;
    while event < 32 {
        let run = (event..32).take_while(|e| events & (1 << e) != 0).count() as u32;
        match run {
            0 => {}
            1 => parts.push(event.to_string()),
            _ => parts.push(format!("{event}-{}", event + run - 1)),
        }
        event += run + 1;
    }
    parts.join(",")
}
