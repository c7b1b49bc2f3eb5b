//! One RTP stream of a call, both directions, without sockets and without a clock.
//!
//! It sends a packet at each packet time (silence, a tone, samples, digits by telephone events or tones) and looks at everything that comes:
//! statistics, telephone events, digits in the audio, whose tone is heard. The endpoint moves the packets.
//!
//! ```
//! use ringback::media::digit::parse_digits;
//! use ringback::media::dtmf::DtmfMethod;
//! use ringback::media::stream::{Command, Config, Event, Input, Output, Stream};
//! use ringback::message::Ids;
//! use std::time::{Duration, Instant};
//!
//! let (mut ids, start) = (Ids::from_seed([1; 32]), Instant::now());
//! let mut ours = Stream::new(Config { telephone_event: Some(101), ..Config::default() }, &mut ids, start);
//! let mut theirs = Stream::new(Config { telephone_event: Some(101), ..Config::default() }, &mut ids, start);
//! ours.handle_input(start, Input::Command(Command::digits(parse_digits("1,2#")?, DtmfMethod::Rfc4733)));
//! let mut heard = String::new();
//! // Virtual time: nobody sleeps.
//! let mut now = start;
//! while now < start + Duration::from_secs(3) {
//!     ours.handle_timeout(now);
//!     theirs.handle_timeout(now);
//!     while let Some(output) = ours.poll_output() {
//!         if let Output::Packet(packet) = output {
//!             theirs.handle_input(now, Input::Packet(&packet));
//!         }
//!     }
//!     while let Some(output) = theirs.poll_output() {
//!         if let Output::Event(Event::Observed(observation)) = output {
//!             heard.extend(observation.digit.map(|digit| digit.character()));
//!         }
//!     }
//!     now = ours.poll_timeout().into_iter().chain(theirs.poll_timeout()).min().unwrap_or(now);
//! }
//! assert_eq!(heard, "12#");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrivals;
mod order;
mod payloads;
mod receive;
mod send;
mod source;
mod voice;

pub use payloads::MAX_PAYLOAD_TYPES;
pub use send::{Lag, MAX_LAGS};
pub use source::{MAX_SOURCES, Source};
pub use voice::{Hole, MAX_HOLES, MAX_SPANS, Span, VoiceLog};

use crate::media::digit::{Digit, Key};
use crate::media::dtmf::{DtmfMethod, Observation};
use crate::media::g711::Law;
use crate::media::party_tone::{Party, PartyListener};
use crate::media::rtcp::{Report, SenderInfo};
use crate::media::stats::Summary;
use crate::media::tone::Tone;
use crate::message::Ids;
use receive::Receiver;
use send::Sender;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The most things that may wait to be played; further ones are refused with [`Event::QueueFull`].
pub const MAX_PLAYS: usize = 64;
/// Outputs that nobody fetches: the oldest go beyond this.
pub const MAX_OUTPUTS: usize = 1_024;
/// The most samples of one [`Command::Samples`]: ten minutes.
pub const MAX_SAMPLES: usize = 10 * 60 * 8_000;

/// How a stream is sent and read.
#[derive(Debug, Clone)]
pub struct Config {
    /// The law in which voice is sent.
    pub law: Law,
    /// The payload type of voice that is sent: the one from the *peer's* SDP.
    pub payload_type: u8,
    /// The peer's payload type for telephone events; without one they cannot be sent.
    pub telephone_event: Option<u8>,
    /// Our own payload type for telephone events, which the peer should send. Others are read as well, and told.
    pub telephone_event_received: Option<u8>,
    /// The payload types of voice that the peer may send (RFC 3264 sec. 6.1); where there are none, others are not counted.
    pub payload_types_received: Vec<u8>,
    /// Time between packets, 10 to 60 ms in whole milliseconds.
    pub packet_time: Duration,
    /// Does it look for digits in the audio?
    pub detect_tones: bool,
}

impl Default for Config {
    /// PCMA in packets of 20 ms, without telephone events; digits are looked for in the audio.
    fn default() -> Self {
        Config {
            law: Law::A,
            payload_type: Law::A.payload_type(),
            telephone_event: None,
            telephone_event_received: None,
            payload_types_received: Vec::new(),
            packet_time: Duration::from_millis(20),
            detect_tones: true,
        }
    }
}

/// How long, how far apart and how loud digits are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Duration of a digit; at least one packet time, at most a minute.
    pub on: Duration,
    /// Time between two digits; at least 40 ms.
    pub gap: Duration,
    /// Time that a `,` stands for.
    pub pause: Duration,
    /// Level of a telephone event in dBm0 without its sign (0 to 63); tones are sent with the standard's levels.
    pub volume: u8,
}

impl Default for Timing {
    /// 100 ms on, 100 ms between, 1 s for a pause, -10 dBm0.
    fn default() -> Self {
        Timing {
            on: Duration::from_millis(100),
            gap: Duration::from_millis(100),
            pause: Duration::from_secs(1),
            volume: 10,
        }
    }
}

/// What the owner wants of a stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// What is sent while nothing else is played: silence, or a tone without end.
    Background(Option<Tone>),
    /// Digits, after all that waits already. By [`DtmfMethod::Info`] nothing can be sent here.
    Digits {
        /// The digits and pauses.
        keys: Vec<Key>,
        /// Telephone events or tones.
        way: DtmfMethod,
        /// Their timing.
        timing: Timing,
    },
    /// A tone for some time.
    Tone(Tone, Duration),
    /// Silence for some time.
    Silence(Duration),
    /// Samples, 8,000 a second.
    Samples(Vec<i16>),
    /// Forgets all that waits and stops what is played; an event that is being sent is ended as it should.
    StopPlaying,
    /// Whether packets are sent at all: not so on hold.
    Sending(bool),
    /// Where the peer's description says that it receives, and hence sends from as a rule (RFC 4961). While voice comes from there, or from
    /// one other address, packets from elsewhere are heard by nobody; their events are told as [foreign](crate::media::dtmf::Rtp::is_foreign).
    /// Hosts that no description of the call names are never heard, unless they signal it or may be the translation of a private address.
    PeerAt(SocketAddr),
    /// The hosts that signal the call: their media may come from other addresses than the description says.
    SignalledBy(Vec<IpAddr>),
    /// Payload types from a new offer or answer.
    Renegotiated {
        /// Voice.
        law: Law,
        /// Its payload type.
        payload_type: u8,
        /// Telephone events.
        telephone_event: Option<u8>,
        /// The payload types of voice that the peer may send from now on.
        received: Vec<u8>,
    },
}

impl Command {
    /// Digits with the usual timing.
    pub fn digits(keys: Vec<Key>, way: DtmfMethod) -> Command {
        Command::Digits { keys, way, timing: Timing::default() }
    }
}

/// What a stream is given.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram from the RTP port.
    Packet(&'a [u8]),
    /// The same, and the address that it came from.
    PacketFrom(&'a [u8], SocketAddr),
    /// A wish of the owner.
    Command(Command),
}

/// What a stream has to give.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A datagram to send to the peer's RTP port now.
    Packet(Vec<u8>),
    /// Something happened.
    Event(Event),
}

/// What happened in a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The first packet of a digit of ours is being sent.
    Sent {
        /// Which.
        digit: Digit,
        /// How.
        way: DtmfMethod,
        /// When.
        at: Instant,
    },
    /// Nothing waits to be played any more.
    Played,
    /// A telephone event began at the peer; its observation follows when it is over.
    Begun {
        /// Which digit.
        digit: Digit,
        /// When.
        at: Instant,
    },
    /// A digit arrived, as a telephone event or as tones, and is over.
    Observed(Observation),
    /// A telephone event that was told without its end went on: it [replaces](Observation::amends) what was told of it.
    Amended(Observation),
    /// A party's tone is heard that was not heard since the last time that it was asked again ([`Stream::listen_again`]).
    ToneHeard {
        /// Whose.
        party: Party,
        /// Since when: as [`Stream::heard_since`] has it.
        since: Instant,
    },
    /// Digits were asked for by a way that this stream does not have.
    Unsupported(DtmfMethod),
    /// Too much waits already, or there were too many samples.
    QueueFull,
}

/// One stream in both directions.
#[derive(Debug)]
pub struct Stream {
    sender: Sender,
    receiver: Receiver,
    out: VecDeque<Output>,
}

impl Stream {
    /// A stream that sends its first packet at `now`, with source, sequence number and timestamp from `ids` (RFC 3550 sec. 5.1, sec. 8).
    pub fn new(config: Config, ids: &mut Ids, now: Instant) -> Stream {
        Stream {
            receiver: Receiver::new(&config),
            sender: Sender::new(config, ids, now),
            out: VecDeque::new(),
        }
    }
    /// Takes a datagram or a command.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Packet(datagram) | Input::PacketFrom(datagram, _) if self.sender.is_own(datagram) => {
                self.receiver.returned();
            }
            Input::Packet(datagram) => self.receiver.handle_input(now, datagram, None, &mut self.out),
            Input::PacketFrom(datagram, remote) => {
                self.receiver.handle_input(now, datagram, Some(remote), &mut self.out);
            }
            Input::Command(Command::PeerAt(remote)) => self.receiver.sources().name(remote),
            Input::Command(Command::SignalledBy(hosts)) => self.receiver.sources().signalled_by(hosts),
            Input::Command(command) => {
                if let Command::Renegotiated { received, .. } = &command {
                    self.receiver.agree(now, received.clone());
                }
                self.sender.handle_input(command, &mut self.out);
            }
        }
        self.bound();
    }
    /// Sends what is due and tells what is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.sender.handle_timeout(now, &mut self.out);
        self.receiver.handle_timeout(now, &mut self.out);
        self.bound();
    }
    /// The next thing to send or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }
    /// When to call [`Stream::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sender.poll_timeout().into_iter().chain(self.receiver.poll_timeout()).min()
    }
    /// The call is over: tells the digits that were going on.
    pub fn finish(&mut self, now: Instant) {
        self.receiver.finish(now, &mut self.out);
        self.bound();
    }
    /// What was received so far.
    pub fn statistics(&self) -> Summary {
        self.receiver.statistics()
    }
    /// What is known of the packets around each other: missing numbers, times of voice, who sends.
    pub fn voice(&self) -> VoiceLog {
        self.receiver.voice()
    }
    /// Datagrams on the RTP port that were no RTP of version 2.
    pub fn malformed(&self) -> u64 {
        self.receiver.malformed()
    }
    /// Voice packets with a payload type that is no G.711: their audio is not known.
    pub fn other_payloads(&self) -> u64 {
        self.receiver.other_payloads()
    }
    /// Packets of voice whose payload type was not agreed on, by payload type: at most [`MAX_PAYLOAD_TYPES`]. What was agreed on before may
    /// come for another second.
    pub fn unagreed(&self) -> &[(u8, u64)] {
        self.receiver.unagreed()
    }
    /// The time that one received voice packet held, as most recently seen (failure H11).
    pub fn packet_time_received(&self) -> Option<Duration> {
        self.receiver.packet_time()
    }
    /// How much of the received audio was louder than -50 dBm0.
    pub fn audible(&self) -> Duration {
        self.receiver.audible()
    }
    /// When something louder than silence came last.
    pub fn last_audible(&self) -> Option<Instant> {
        self.receiver.last_audible()
    }
    /// How much of the received audio was louder than -40 dBm0: more than noise.
    pub fn loud(&self) -> Duration {
        self.receiver.loud()
    }
    /// Are the bytes of the received audio spread as evenly as encrypted ones, which no sound is?
    pub fn is_random(&self) -> bool {
        self.receiver.is_random()
    }
    /// Packets of comfort noise (RFC 3389).
    pub fn comfort_noise(&self) -> u64 {
        self.receiver.comfort_noise()
    }
    /// Since when a party's tone is heard: its packet has arrived, and what stands before it there was played; exact to some milliseconds. `None` while it was not heard for
    /// [`LEAST_HEARD`](crate::media::party_tone::LEAST_HEARD) without a break.
    pub fn heard_since(&self, party: Party) -> Option<Instant> {
        self.receiver.heard_since(party)
    }
    /// Whose tones were heard.
    pub fn heard(&self) -> impl Iterator<Item = Party> + '_ {
        self.listener().heard()
    }
    /// The listener to the parties' tones.
    pub fn listener(&self) -> &PartyListener {
        self.receiver.listener()
    }
    /// Asks again whose tones are heard: after a transfer.
    pub fn listen_again(&mut self) {
        self.receiver.listen_again();
    }
    /// When a party's tone was in what came last; `None` while it was not heard since it was asked again.
    pub fn last_heard(&self, party: Party) -> Option<Instant> {
        self.receiver.last_heard(party)
    }
    /// May this host send media of the call? See [`Command::PeerAt`].
    pub fn may_send(&self, host: IpAddr) -> bool {
        self.receiver.may_send(host)
    }
    /// When packets went out late; at most [`MAX_LAGS`], the oldest go beyond this.
    pub fn lags(&self) -> Vec<Lag> {
        self.sender.lags()
    }
    /// Our synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.sender.ssrc()
    }
    /// The RTCP report of this stream: with the sender's part when packets were sent. `ntp` is the time now as RFC 3550 sec. 4 has it;
    /// `last_sender_report`: the middle 32 bits of the peer's last one, and how long ago it came.
    pub fn report(&mut self, now: Instant, ntp: u64, last_sender_report: Option<(u32, Duration)>) -> Report {
        let sender: Option<SenderInfo> = self.sender.info(now, ntp);
        Report {
            ssrc: self.sender.ssrc(),
            sender,
            blocks: self.receiver.report_block(last_sender_report).into_iter().collect(),
        }
    }
    /// Packets sent so far.
    pub fn sent(&self) -> u64 {
        self.sender.packets()
    }

    fn bound(&mut self) {
        while self.out.len() > MAX_OUTPUTS {
            self.out.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
