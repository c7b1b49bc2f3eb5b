//! What an audio section of the peer says.

use super::{Codec, DIGITS, Description, Direction, SdpError, TelephoneEvent};
use sdp_types::Media;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Lengths of audio in a packet that are taken from a peer, in milliseconds; also multiples of 10 only.
pub(super) const PTIME_MILLIS: std::ops::RangeInclusive<u32> = 10..=100;

/// An audio section that could be used.
#[derive(Debug)]
pub(super) struct Audio {
    /// Its place among the sections.
    pub(super) index: usize,
    pub(super) proto: String,
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: SocketAddr,
    /// G.711 in the order of the section, with payload types.
    pub(super) codecs: Vec<(Codec, u8)>,
    pub(super) telephone_event: Option<TelephoneEvent>,
    /// Seen from the peer. Who holds in the old way (address 0.0.0.0 or ::) does not receive.
    pub(super) direction: Direction,
    pub(super) ptime_millis: Option<u32>,
    pub(super) max_ptime_millis: Option<u32>,
}

impl Audio {
    /// The first section that can be used, or why the first audio section cannot.
    ///
    /// `ours` tells which loopback address `localhost` is.
    pub(super) fn find(description: &Description, ours: IpAddr) -> Result<Audio, SdpError> {
        let mut problem = None;
        for (index, media) in description.session.medias.iter().enumerate() {
            if !media.media.eq_ignore_ascii_case("audio") {
                continue;
            }
            match Audio::read(description, index, media, ours) {
                Ok(audio) => return Ok(audio),
                // A refused section says the least: what is wrong with another one counts.
                Err(error) if matches!(problem, None | Some(SdpError::Refused)) => problem = Some(error),
                Err(_) => {}
            }
        }
        Err(problem.unwrap_or(SdpError::NoAudio))
    }

    fn read(description: &Description, index: usize, media: &Media, ours: IpAddr) -> Result<Audio, SdpError> {
        if media.port == 0 {
            return Err(SdpError::Refused);
        }
        if !["RTP/AVP", "RTP/AVPF"].iter().any(|known| known.eq_ignore_ascii_case(&media.proto)) {
            return Err(SdpError::Transport(media.proto.clone()));
        }
        let (codecs, telephone_event) = formats(media);
        if codecs.is_empty() {
            return Err(SdpError::NoCommonCodec(names(media)));
        }
        let connection = media.connections.first().or(description.session.connection.as_ref());
        let text = &connection.ok_or(SdpError::NoAddress)?.connection_address;
        let address = match address(text) {
            Some(address) => address,
            // RFC 6761 sec. 6.3.
            None if text.trim_end_matches('.').eq_ignore_ascii_case("localhost") => match ours {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            },
            None if is_name(text) => return Err(SdpError::Name(text.clone())),
            None => return Err(SdpError::Address(text.clone())),
        };
        let said = ["sendrecv", "sendonly", "recvonly", "inactive"]
            .iter()
            .zip([Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive])
            .filter_map(|(name, direction)| {
                let in_media = media.attributes.iter().any(|a| a.attribute.eq_ignore_ascii_case(name));
                description.attribute(media, name).map(|_| (in_media, direction))
            });
        let said = said.max_by_key(|(in_media, _)| *in_media).map(|(_, direction)| direction);
        let direction = said.unwrap_or_default();
        let millis = |name: &str| description.attribute(media, name)?.split('.').next()?.parse().ok();
        Ok(Audio {
            index,
            proto: media.proto.clone(),
            rtp: SocketAddr::new(address, media.port),
            rtcp: rtcp(description, media, address),
            codecs,
            telephone_event,
            direction: Direction::new(direction.sends(), direction.receives() && !address.is_unspecified()),
            ptime_millis: millis("ptime"),
            max_ptime_millis: millis("maxptime"),
        })
    }

    /// The length of audio that we send in a packet: the peer's wish when it is one that can be kept, else ours.
    pub(super) fn ptime(&self, ours_millis: u32) -> u32 {
        let max =
            self.max_ptime_millis.filter(|max| PTIME_MILLIS.contains(max)).unwrap_or(*PTIME_MILLIS.end());
        let wish = self.ptime_millis.filter(|ms| PTIME_MILLIS.contains(ms) && ms % 10 == 0);
        wish.unwrap_or(ours_millis).min(max - max % 10)
    }
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    name.split('.').all(is_label)
        && name.split('.').next_back().is_some_and(|top| top.parse::<u32>().is_err())
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.split('/').next()?;
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// RFC 3605; one port above RTP where nothing else is said.
fn rtcp(description: &Description, media: &Media, address: IpAddr) -> SocketAddr {
    let value = media.attributes.iter().find(|a| a.attribute.eq_ignore_ascii_case("rtcp"));
    let mut fields = value.and_then(|a| a.value.as_deref()).unwrap_or_default().split_ascii_whitespace();
    let port = fields.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let ip = fields.nth(2).and_then(self::address);
    let muxed = description.attribute(media, "rtcp-mux").is_some() && port == Some(media.port);
    let port = if muxed { Some(media.port) } else { port };
    SocketAddr::new(ip.unwrap_or(address), port.unwrap_or(media.port.saturating_add(1)))
}

/// What one description says of its audio stream: of the first section that could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioDescription {
    /// Where who wrote it receives RTP.
    pub rtp: SocketAddr,
    /// G.711 with payload types, in its order.
    pub codecs: Vec<(Codec, u8)>,
    /// The payload type of telephone-events at 8,000 Hz.
    pub telephone_event: Option<u8>,
    /// Which way media goes, seen from who wrote it.
    pub direction: super::Direction,
    /// Length of audio in a packet that it asks for.
    pub ptime: Option<std::time::Duration>,
}

impl AudioDescription {
    /// Reads a body; `None` where no audio of ours could be made from it.
    pub fn of(body: &[u8]) -> Option<AudioDescription> {
        let description = Description::parse(body).ok()?;
        let audio = Audio::find(&description, Ipv4Addr::LOCALHOST.into()).ok()?;
        Some(AudioDescription {
            rtp: audio.rtp,
            codecs: audio.codecs,
            telephone_event: audio.telephone_event.map(|event| event.payload_type),
            direction: audio.direction,
            ptime: audio.ptime_millis.map(|ms| std::time::Duration::from_millis(ms.into())),
        })
    }
}

/// Payload types and clock rates in Hz of the telephone-events in every audio section of a description that is not refused, those that do not
/// fit the voice too (RFC 4733 sec. 2.1).
pub fn telephone_events(description: &Description) -> Vec<(u8, u32)> {
    let audio = |media: &&Media| media.media.eq_ignore_ascii_case("audio") && media.port != 0;
    let numbers = |media: &Media| -> Vec<(u8, u32)> {
        let numbers = media.fmt.split_ascii_whitespace().filter_map(|number| number.parse().ok());
        let rate = |number: u8| encoding(media, number)?.strip_prefix("TELEPHONE-EVENT/")?.parse().ok();
        numbers.filter_map(|number| Some((number, rate(number)?))).collect()
    };
    description.session.medias.iter().filter(audio).flat_map(numbers).collect()
}

fn formats(media: &Media) -> (Vec<(Codec, u8)>, Option<TelephoneEvent>) {
    let (mut codecs, mut event) = (Vec::new(), None);
    for number in media.fmt.split_ascii_whitespace() {
        let Some(number) = number.parse::<u8>().ok().filter(|n| *n < 128) else { continue };
        match encoding(media, number).as_deref() {
            Some("PCMU/8000") => codecs.push((Codec::Pcmu, number)),
            Some("PCMA/8000") => codecs.push((Codec::Pcma, number)),
            Some("TELEPHONE-EVENT/8000") if event.is_none() => {
                let events = value_of(media, "fmtp", number).map_or(DIGITS, events);
                event = Some(TelephoneEvent { payload_type: number, events });
            }
            _ => {}
        }
    }
    (codecs, event)
}

/// The value of `a=name:number value`.
fn value_of<'a>(media: &'a Media, name: &str, number: u8) -> Option<&'a str> {
    let of_name = media.attributes.iter().filter(|a| a.attribute.eq_ignore_ascii_case(name));
    of_name
        .filter_map(|a| a.value.as_deref()?.trim_start().split_once([' ', '\t']))
        .find_map(|(n, value)| (n.parse() == Ok(number)).then_some(value.trim()))
}

/// Name and clock rate in capitals, the one channel left out; what is not mapped has its static meaning.
fn encoding(media: &Media, number: u8) -> Option<String> {
    match value_of(media, "rtpmap", number) {
        Some(value) => {
            let value = value.to_ascii_uppercase();
            Some(value.strip_suffix("/1").map(str::to_owned).unwrap_or(value))
        }
        None => STATIC.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned()),
    }
}

/// Payload types that mean something without an `rtpmap` (RFC 3551 sec. 6), of audio.
const STATIC: [(u8, &str); 10] = [
    (0, "PCMU/8000"),
    (3, "GSM/8000"),
    (4, "G723/8000"),
    (8, "PCMA/8000"),
    (9, "G722/8000"),
    (10, "L16/44100/2"),
    (11, "L16/44100"),
    (13, "CN/8000"),
    (15, "G728/8000"),
    (18, "G729/8000"),
];

/// What a description offers, in a line for people: each section with its transport and formats, `audio over UDP/TLS/RTP/SAVPF: OPUS/48000/2,
/// PCMU/8000`. Empty where it cannot be read.
pub fn summary(description: &[u8]) -> String {
    let Ok(description) = Description::parse(description) else { return String::new() };
    let sections = description.session.medias.iter().map(|media| {
        let refused = if media.port == 0 { " (port 0)" } else { "" };
        format!("{} over {}{refused}: {}", media.media, media.proto, names(media))
    });
    sections.collect::<Vec<_>>().join("; ")
}

/// `0-15,66` as bits; what cannot be read counts for nothing, and a list with nothing in it as the digits.
fn events(list: &str) -> u32 {
    let mut events = 0_u32;
    for part in list.strip_prefix("events=").unwrap_or(list).split([',', ' ', ';']) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) else {
            continue;
        };
        for event in first..=last.min(31) {
            events |= 1 << event;
        }
    }
    if events == 0 { DIGITS } else { events }
}

/// What a section offers, for people.
fn names(media: &Media) -> String {
    let all: Vec<String> = media
        .fmt
        .split_ascii_whitespace()
        .take(32)
        .map(|number| match number.parse().ok().and_then(|n| encoding(media, n)) {
            Some(name) => name,
            None => number.to_owned(),
        })
        .collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}
