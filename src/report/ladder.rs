//! Ladders: who said what to whom, and when, as ASCII.

mod media;
mod order;

use super::once;
use crate::check::Transcript;
use crate::message::{Flow, Message, Transport, redact};
use crate::syntax::{HeaderName, Limits};
use crate::transport::{Direction, Record, RecordEvent};
use bytes::Bytes;
use media::Stretch;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

/// What a ladder shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LadderOptions {
    /// Milliseconds since the check began at the left of each line.
    pub times: bool,
    /// Port numbers; otherwise `P1`, `P2`, ... in order of appearance, in the texts too.
    pub ports: bool,
}

impl Default for LadderOptions {
    fn default() -> Self {
        LadderOptions { times: true, ports: true }
    }
}

impl LadderOptions {
    /// Without anything that differs from run to run: for comparing with a file, over real sockets too.
    pub const fn golden() -> LadderOptions {
        LadderOptions { times: false, ports: false }
    }
}

/// Bounds of the space between two lanes, and of what stands at the right of them.
const GAP: std::ops::RangeInclusive<usize> = 32..=88;
const NOTE_LENGTH: usize = 200;
/// Of the user that a lane is named after.
const NAME_LENGTH: usize = 32;
/// Space before the first lane when times are shown: `12345.678  `.
const TIME_WIDTH: usize = 11;

/// The ladder of a transcript, with times and ports. One lane per transport and address; secrets are redacted.
///
/// Where somebody calls, the caller stands at the left, then the servers, then who is called, in the order in which they appear; where
/// several users are ours, each has its name.
///
/// Media stands in the lanes of those who described its addresses, one line for each direction and stretch, at the time of its first
/// packet; an address that nobody described has a lane of its own.
///
/// ```text
///            udp 127.0.0.1:40001                     udp 127.0.0.1:5060
///        ms  |                                       |
///     0.000  |-- REGISTER sip:lab.example [1] ------>|
///     1.250  |<- 401 Unauthorized [1 REGISTER] ------|
/// ```
pub fn ladder(transcript: &Transcript) -> String {
    ladder_with(transcript, LadderOptions::default())
}

/// The same with a choice of what is shown.
pub fn ladder_with(transcript: &Transcript, options: LadderOptions) -> String {
    let stretches = media::stretches(transcript);
    let lanes = Lanes::of(transcript, &stretches, options);
    let rungs = lanes.rungs(transcript, &stretches);
    let starts = lanes.starts(&rungs);
    let left = if options.times { TIME_WIDTH } else { 0 };

    let mut head = String::new();
    for (label, start) in lanes.labels.iter().zip(&starts) {
        head += &format!("{:width$}{label}", "", width = start.saturating_sub(head.len()));
    }
    let unit = if options.times && !rungs.is_empty() { "ms" } else { "" };
    // Above the times, which end before two blanks.
    let unit = format!("{unit:>width$}", width = left.saturating_sub(2));
    let mut text = format!("{:left$}{head}\n{unit:left$}{}\n", "", empty(&starts));
    for (at, rung) in &rungs {
        if options.times {
            let at = at.saturating_duration_since(transcript.began).as_micros() as f64 / 1_000.0;
            text += &format!("{at:>9.3}  ");
        }
        text += draw(rung, &starts).trim_end();
        text += "\n";
    }
    if transcript.dropped > 0 {
        text += &format!("({} more records were over the limit and are not kept)\n", transcript.dropped);
    }
    if transcript.media_dropped > 0 {
        text += &format!(
            "({} more datagrams of media were over the limit and are not kept)\n",
            transcript.media_dropped
        );
    }
    text
}

/// One line of the ladder before it is drawn: lanes by their number.
enum Rung {
    Arrow { from: usize, to: usize, text: String },
    Bar { from: usize, to: usize, text: String },
    Beside(String),
}

struct Lanes {
    /// Without a transport: media of nobody that is known.
    addresses: Vec<(Option<Transport>, SocketAddr)>,
    /// Lanes of media addresses.
    media: HashMap<SocketAddr, usize>,
    labels: Vec<String>,
    /// Ports that are shown by a name, with the name.
    names: Vec<(u16, String)>,
}

impl Lanes {
    fn of(transcript: &Transcript, stretches: &[Stretch], options: LadderOptions) -> Lanes {
        let ends = order::ends(transcript);
        let mut addresses: Vec<(Option<Transport>, SocketAddr)> =
            ends.iter().map(|end| (Some(end.transport), end.address)).collect();
        let owners = media::owners(transcript);
        let mut media = HashMap::new();
        for address in stretches.iter().flat_map(|stretch| [stretch.from, stretch.to]) {
            let owner = owners.get(&address);
            let lane = addresses.iter().position(|(_, known)| owner == Some(known) || *known == address);
            let lane = lane.unwrap_or_else(|| {
                addresses.push((None, address));
                addresses.len() - 1
            });
            media.insert(address, lane);
        }
        let mut names: Vec<(u16, String)> = Vec::new();
        for port in addresses.iter().map(|(_, address)| address.port()) {
            if !options.ports && names.iter().all(|(known, _)| *known != port) {
                names.push((port, format!("P{}", names.len() + 1)));
            }
        }
        let mut lanes = Lanes { addresses, media, labels: Vec::new(), names };
        // One party of ours needs no name.
        let mut users = ends.iter().filter_map(|end| end.user.as_ref());
        let first = users.next();
        let named = users.any(|user| Some(user) != first);
        let label = |(at, (transport, address)): (usize, &(Option<Transport>, SocketAddr))| {
            let label = match transport {
                Some(transport) => lanes.rename(&format!("{transport} {address}")),
                None => lanes.rename(&format!("rtp {address}")),
            };
            match ends.get(at).and_then(|end| end.user.as_ref()).filter(|_| named) {
                Some(user) => format!("{} {label}", cut(user, NAME_LENGTH)),
                None => label,
            }
        };
        lanes.labels = lanes.addresses.iter().enumerate().map(label).collect();
        lanes
    }

    /// Messages and media in the order of their times; what was recorded in one order stays in it.
    fn rungs(&self, transcript: &Transcript, stretches: &[Stretch]) -> Vec<(Instant, Rung)> {
        let mut stretches = stretches.iter().peekable();
        let mut rungs = Vec::new();
        for record in once::records(transcript) {
            while let Some(stretch) = stretches.next_if(|stretch| stretch.at < record.at) {
                rungs.push((stretch.at, self.stretch(stretch)));
            }
            rungs.push((record.at, self.rung(record)));
        }
        rungs.extend(stretches.map(|stretch| (stretch.at, self.stretch(stretch))));
        rungs
    }

    fn stretch(&self, stretch: &Stretch) -> Rung {
        let lane = |address| self.media.get(address).copied().unwrap_or_default();
        Rung::Arrow { from: lane(&stretch.from), to: lane(&stretch.to), text: stretch.text() }
    }

    fn number(&self, transport: Transport, address: SocketAddr) -> usize {
        self.addresses.iter().position(|known| *known == (Some(transport), address)).unwrap_or_default()
    }

    /// Port numbers that have a name, replaced wherever they stand after a colon.
    fn rename(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(colon) = rest.find(':') {
            let (before, after) = rest.split_at(colon + 1);
            out += before;
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = after.split_at(digits);
            let name =
                number.parse().ok().and_then(|port: u16| self.names.iter().find(|(known, _)| *known == port));
            out += name.map_or(number, |(_, name)| name);
            rest = after;
        }
        out + rest
    }

    fn rung(&self, record: &Record) -> Rung {
        let Flow { transport, local, remote } = record.flow;
        let (us, peer) = (self.number(transport, local), self.number(transport, remote));
        let named = |text: &str| self.rename(&ascii(text.as_bytes()));
        match &record.event {
            RecordEvent::Message { direction, bytes, retransmission } => {
                let mut text = self.rename(&describe(bytes));
                if *retransmission > 0 {
                    text += &format!(" (retransmission {retransmission})");
                }
                match direction {
                    Direction::Sent => Rung::Arrow { from: us, to: peer, text },
                    Direction::Received => Rung::Arrow { from: peer, to: us, text },
                }
            }
            RecordEvent::Malformed { length, error, .. } => {
                Rung::Arrow { from: peer, to: us, text: format!("?? {length} bytes, no SIP: {error}") }
            }
            RecordEvent::Opened => Rung::Bar { from: us, to: peer, text: "connection opened".into() },
            RecordEvent::Closed(why) if why.is_empty() => {
                Rung::Bar { from: us, to: peer, text: "connection closed".into() }
            }
            RecordEvent::Closed(why) => {
                Rung::Bar { from: us, to: peer, text: named(&format!("connection closed: {why}")) }
            }
            RecordEvent::Failed(error) => Rung::Beside(named(&format!("not sent: {error}"))),
            RecordEvent::Note(note) => Rung::Beside(named(note)),
        }
    }

    /// The column of each lane: as close as labels and texts let them stand, within bounds.
    fn starts(&self, rungs: &[(Instant, Rung)]) -> Vec<usize> {
        let mut gaps: Vec<usize> = self.labels.iter().map(|label| label.len() + 1).collect();
        for (_, rung) in rungs {
            if let Rung::Arrow { from, to, text } | Rung::Bar { from, to, text } = rung {
                let (left, right) = (*from.min(to), *from.max(to));
                let wanted = (text.len() + 8).clamp(*GAP.start(), *GAP.end());
                let there = gaps[left..right].iter().sum::<usize>();
                if let Some(last) = gaps[left..right].last_mut() {
                    *last += wanted.saturating_sub(there);
                }
            }
        }
        let next = |column: &mut usize, gap: &usize| Some(std::mem::replace(column, *column + gap + 1));
        gaps.iter().scan(0, next).collect()
    }
}

/// The lanes with nothing between them.
fn empty(starts: &[usize]) -> String {
    let mut line = String::new();
    for start in starts {
        line += &format!("{:width$}|", "", width = start - line.len());
    }
    line
}

fn draw(rung: &Rung, starts: &[usize]) -> String {
    let mut line = empty(starts);
    match rung {
        Rung::Beside(text) => line += &format!("  * {}", cut(text, NOTE_LENGTH)),
        // Somebody who talks to himself has one lane only.
        Rung::Arrow { from, to, text } | Rung::Bar { from, to, text } if from == to => {
            line += &format!("  * to itself: {}", cut(text, NOTE_LENGTH));
        }
        Rung::Arrow { from, to, text } | Rung::Bar { from, to, text } => {
            let (start, end) = (starts[*from.min(to)] + 1, starts[*from.max(to)]);
            let inner = end - start;
            let text = cut(text, inner - 7);
            let middle = match rung {
                Rung::Bar { .. } => format!("{:=<inner$}", format!("== {text} ")),
                _ if from < to => format!("{:-<width$}>", format!("-- {text} "), width = inner - 1),
                _ => format!("{:-<inner$}", format!("<- {text} ")),
            };
            // Everything here is ASCII, so that a column is a byte.
            line.replace_range(start..end, &middle);
        }
    }
    line
}

/// `REGISTER sip:lab.example [1]`, `200 OK [1 REGISTER]`; without anything secret.
fn describe(bytes: &Bytes) -> String {
    let clean = Bytes::from(redact(bytes).into_owned());
    let Ok(message) = Message::parse(clean.clone(), &Limits::default()) else {
        let line = clean.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        return format!("?? {}", ascii(line));
    };
    let cseq = message.header(HeaderName::CSeq).unwrap_or(b"no CSeq").trim_ascii();
    match (message.method(), message.status()) {
        (Some(method), _) => {
            let number = cseq.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            format!(
                "{} {} [{}]",
                ascii(method.as_bytes()),
                ascii(message.request_uri_bytes().unwrap_or_default()),
                ascii(number)
            )
        }
        (None, status) => {
            let reason = ascii(message.reason().unwrap_or_default());
            let cseq = cseq
                .split(u8::is_ascii_whitespace)
                .filter(|part| !part.is_empty())
                .map(ascii)
                .collect::<Vec<_>>()
                .join(" ");
            format!("{} {reason}", status.unwrap_or_default()).trim_end().to_owned() + &format!(" [{cseq}]")
        }
    }
}

/// Printable ASCII as it is, all else as `\xNN`.
fn ascii(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out += &format!("\\x{byte:02x}"),
        }
    }
    out
}

fn cut(text: &str, length: usize) -> String {
    if text.len() <= length { text.to_owned() } else { format!("{}...", &text[..length.saturating_sub(3)]) }
}
