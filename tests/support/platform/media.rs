//! What the platform does with media: relays it, plays something, or nothing.

use ringback::media::g711::Law;
use ringback::media::tone::Tone;
use ringback::transport::Datagrams;
use std::net::SocketAddr;
use std::time::Duration;

/// What a leg hears that has nobody at the other end.
pub(crate) enum Source {
    /// No packet.
    Nothing,
    Silence,
    /// A tone of this many Hz.
    Tone(f64),
    /// Bytes that are no sound, this many in a packet: so does encrypted audio arrive.
    Noise(usize),
    /// What it says comes back.
    Echo,
}

/// An RTP packet on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passing<'a> {
    /// The users at both ends.
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    /// Time since the callee's answer was passed on.
    pub(crate) since: Duration,
}

/// One party's RTP at the platform.
pub(super) struct Relay {
    pub(super) sockets: [Box<dyn Datagrams>; 2],
    pub(super) leg: usize,
}

/// What a leg plays.
pub(super) struct Player {
    source: Source,
    tone: Tone,
    law: Law,
    sequence: u16,
    dice: u32,
}

impl Player {
    pub(super) fn new(source: Source, payload_type: u8) -> Player {
        let hz = if let Source::Tone(hz) = source { hz } else { 440.0 };
        let law = if payload_type == 0 { Law::Mu } else { Law::A };
        Player { source, tone: Tone::sine(hz, -16.0), law, sequence: 0, dice: 1 }
    }

    /// The next packet of 20 ms.
    pub(super) fn packet(&mut self) -> Option<Vec<u8>> {
        let payload: Vec<u8> = match self.source {
            Source::Nothing | Source::Echo => return None,
            Source::Silence => vec![self.law.encode(0); 160],
            Source::Tone(_) => (0..160).map(|_| self.law.encode(self.tone.next_sample())).collect(),
            Source::Noise(length) => (0..length).map(|_| self.die()).collect(),
        };
        let payload_type = if matches!(self.law, Law::Mu) { 0 } else { 8 };
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * 160).to_be_bytes());
        packet.extend(0x7007_7007_u32.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        Some(packet)
    }

    pub(super) fn is_echo(&self) -> bool {
        matches!(self.source, Source::Echo)
    }

    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.source, Source::Nothing)
    }

    /// A number of xorshift, for noise that is the same each time.
    fn die(&mut self) -> u8 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 17;
        self.dice ^= self.dice << 5;
        (self.dice >> 8) as u8
    }
}

/// Fills the payload with this code, e.g. silence.
pub(crate) fn silence(packet: &mut [u8]) {
    let law = if packet[1] & 0x7f == 0 { Law::Mu } else { Law::A };
    packet[12..].iter_mut().for_each(|code| *code = law.encode(0));
}

/// Where an SDP wants its audio; `None` without a stream, or with a name for an address.
pub(super) fn wanted(sdp: &str) -> Option<SocketAddr> {
    let port: u16 = sdp.lines().find_map(|l| l.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())?;
    let ip = sdp.lines().find_map(|l| l.strip_prefix("c=IN IP4 ")?.trim().parse().ok())?;
    let wanted = SocketAddr::new(ip, port);
    (port != 0 && !wanted.ip().is_unspecified()).then_some(wanted)
}

/// The same description with another place for the audio; an address of zeros (an old hold) stays.
pub(crate) fn moved(sdp: &str, to: SocketAddr) -> String {
    let line = |line: &str| {
        if line.starts_with("c=IN ") && !line.contains("0.0.0.0") {
            format!("c=IN IP4 {}\r\n", to.ip())
        } else if let Some(rest) = line.strip_prefix("m=audio ") {
            let (port, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let port = if port == "0" { 0 } else { to.port() };
            format!("m=audio {port} {rest}\r\n")
        } else {
            format!("{line}\r\n")
        }
    };
    sdp.lines().map(line).collect()
}

/// A description of our own that takes PCMA, or PCMU where an offer has no PCMA, and telephone-event with the payload type of the offer.
pub(crate) fn description(offer: &str, to: SocketAddr) -> String {
    let audio = offer.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap_or("0 RTP/AVP 8");
    let formats: Vec<&str> = audio.split(' ').skip(2).collect();
    let codec = if formats.contains(&"8") || !formats.contains(&"0") { "8" } else { "0" };
    let name = if codec == "8" { "PCMA" } else { "PCMU" };
    let event = offer.lines().find_map(|line| {
        line.strip_prefix("a=rtpmap:")?.split_once(" telephone-event/8000").map(|(number, _)| number)
    });
    let mut sdp = format!(
        "v=0\r\no=pbx 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {codec}{event}\r\na=rtpmap:{codec} {name}/8000\r\n",
        ip = to.ip(),
        port = to.port(),
        event = event.map(|event| format!(" {event}")).unwrap_or_default(),
    );
    if let Some(event) = event {
        sdp += &format!("a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n");
    }
    sdp + "a=sendrecv\r\n"
}
