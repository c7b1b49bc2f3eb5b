//! What the PBX plays itself, and hears where nobody else listens: ring-back tone, prompts, digits.

use super::payloads::{Payloads, law};
use crate::media::stream::{Command, Config, Event, Input, Output, Stream};
use crate::media::tone::Tone;
use crate::message::Ids;
use crate::sdp::MediaPlan;
use std::time::{Duration, Instant};

/// One stream of our own on a leg.
#[derive(Debug)]
pub(super) struct Player {
    stream: Stream,
}

/// Level of what we play, in dBm0.
const LEVEL_DBM0: f64 = -16.0;
/// The frequency of the ring-back tone (ITU-T E.180: 400 to 450 Hz, 425 Hz preferred).
pub(super) const RING_BACK_HZ: f64 = 425.0;
/// The frequency of prompts.
const PROMPT_HZ: f64 = 400.0;
/// The frequency of "wrong digit".
const WRONG_HZ: f64 = 300.0;

fn tone(hz: f64, millis: u64) -> Command {
    Command::Tone(Tone::sine(hz, LEVEL_DBM0), Duration::from_millis(millis))
}

fn silence(millis: u64) -> Command {
    Command::Silence(Duration::from_millis(millis))
}

/// One second of tone and four of silence, for two and a half minutes.
pub(super) fn ring_back() -> Vec<Command> {
    (0..30).flat_map(|_| [tone(RING_BACK_HZ, 1_000), silence(4_000)]).collect()
}

/// A little tune, for who waits.
pub(super) fn music() -> Vec<Command> {
    [380.0, 440.0, 480.0, 440.0].map(|hz| tone(hz, 500)).to_vec()
}

/// Two short bursts and a long one: dial now.
pub(super) fn prompt() -> Vec<Command> {
    let burst = |millis| [tone(PROMPT_HZ, millis), silence(200)];
    [burst(200), burst(200), burst(800)].concat()
}

/// Three low bursts: this was no option.
pub(super) fn wrong() -> Vec<Command> {
    (0..3).flat_map(|_| [tone(WRONG_HZ, 200), silence(100)]).collect()
}

/// Three rising tones, twice.
pub(super) fn announcement() -> Vec<Command> {
    let once = [350.0, 440.0, 554.0].map(|hz| tone(hz, 400));
    [once.to_vec(), vec![silence(300)], once.to_vec()].concat()
}

impl Player {
    pub(super) fn new(now: Instant, plan: &MediaPlan, ids: &mut Ids, detect_tones: bool) -> Player {
        let mut config = Config::default();
        let (sent, received) = (Payloads::sent(plan), Payloads::received(plan));
        (config.law, config.payload_type) = (law(plan), sent.voice);
        (config.telephone_event, config.telephone_event_received) = (sent.event, received.event);
        (config.packet_time, config.detect_tones) = (plan.ptime, detect_tones);
        Player { stream: Stream::new(config, ids, now) }
    }
    pub(super) fn play(&mut self, now: Instant, what: Vec<Command>) {
        for command in what {
            self.stream.handle_input(now, Input::Command(command));
        }
    }
    pub(super) fn stop(&mut self, now: Instant) {
        self.stream.handle_input(now, Input::Command(Command::StopPlaying));
    }
    pub(super) fn hear(&mut self, now: Instant, datagram: &[u8]) {
        self.stream.handle_input(now, Input::Packet(datagram));
    }
    pub(super) fn due(&self) -> Option<Instant> {
        self.stream.poll_timeout()
    }
    /// Does what is due: packets to send, and what happened.
    pub(super) fn run(&mut self, now: Instant) -> (Vec<Vec<u8>>, Vec<Event>) {
        self.stream.handle_timeout(now);
        let (mut packets, mut events) = (Vec::new(), Vec::new());
        while let Some(output) = self.stream.poll_output() {
            match output {
                Output::Packet(packet) => packets.push(packet),
                Output::Event(event) => events.push(event),
            }
        }
        (packets, events)
    }
}
