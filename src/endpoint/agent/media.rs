//! The media of one call: its sockets, its stream or relay, and the RTCP that goes with it.

use super::handle::CallEventKind;
use super::ports::Ports;
use super::report::{MediaReport, RtcpReport, Withheld};
use super::{MediaSetup, Recorder};
use crate::media::g711::Law;
use crate::media::party_tone::{PARTIES, Party};
use crate::media::rtcp::{self, round_trip};
use crate::media::stream::{Command, Config, Input, Output, Stream};
use crate::media::tone::Tone;
use crate::message::Ids;
use crate::sdp::{Codec, Local, MediaPlan};
use crate::transport::{Direction, MediaRecord};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

/// Commands that wait for the stream; later ones are dropped.
const WAITING: usize = 64;
/// Sources that are told apart.
const SOURCES: usize = 8;
/// Datagrams read in one go.
const BATCH: usize = 32;
/// Mean time between reports (RFC 3550 sec. 6.2).
const REPORT_MILLIS: u64 = 5_000;
/// Mean time to the first one.
const FIRST_REPORT_MILLIS: u64 = 1_000;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
/// Places that the media of a call was told to go to, that are kept.
const MAX_DESCRIBED: usize = 16;
/// Time for which media goes to an address from which nothing comes; longer only to hosts that signal the call.
const UNANSWERED: Duration = Duration::from_secs(30);
/// Time for which a port may be said to be closed: those of phones and relays open a little late.
const CLOSED: Duration = Duration::from_secs(1);
/// Hosts say so once a second at the least; after a longer pause it is another time.
const REFUSED_AGAIN: Duration = Duration::from_secs(3);
/// Datagrams from elsewhere than the description says that are recorded, and how many more a second.
const RECORDED_ELSEWHERE: f64 = 1_000.0;
const RECORDED_ELSEWHERE_PER_S: f64 = 100.0;
/// The largest datagram that is taken for media.
const DATAGRAM: usize = 2_048;

pub(super) struct Media {
    /// Until the call is over: then others may have them.
    ports: Option<Ports>,
    local: Local,
    setup: MediaSetup,
    recorder: Arc<Recorder>,
    ids: Ids,
    stream: Option<Stream>,
    plan: Option<MediaPlan>,
    /// Where it was told to go, one after the other.
    described: Vec<(Instant, SocketAddr)>,
    waiting: Vec<Command>,
    too_early: u64,
    not_sent: u64,
    relayed: u64,
    sources: Vec<SocketAddr>,
    /// Hosts that signal the call.
    hosts: Vec<IpAddr>,
    /// Where media went first lately, and since when.
    sent_to: Option<(SocketAddr, Instant)>,
    /// Something came from a host that may send in this call.
    is_answered: bool,
    /// Since when the network says that the port is closed which the peer named, and when it said so last.
    refused: Option<(Instant, Instant)>,
    /// It said so for too long.
    is_refused: bool,
    /// How many datagrams from elsewhere may be recorded, and as of when.
    recorded: (f64, Instant),
    report_at: Option<Instant>,
    rtcp: RtcpReport,
    /// The middle of the peer's last sender report, and when it came.
    last_sender_report: Option<(u32, Instant)>,
    /// What the wall clock said at some moment.
    clock: (SystemTime, Instant),
    buffer: Box<[u8]>,
}

impl Media {
    /// The media of a call that these hosts signal.
    pub(super) fn new(
        now: Instant,
        ports: Ports,
        setup: MediaSetup,
        recorder: Arc<Recorder>,
        hosts: Vec<IpAddr>,
    ) -> Media {
        if let MediaSetup::Stream { .. } = &setup {
            ports.rtp.tell_refusals();
        }
        Media {
            ids: recorder.endpoint().ids(),
            local: ports.local(),
            ports: Some(ports),
            setup,
            recorder,
            stream: None,
            plan: None,
            described: Vec::new(),
            waiting: Vec::new(),
            too_early: 0,
            not_sent: 0,
            relayed: 0,
            sources: Vec::new(),
            hosts,
            sent_to: None,
            is_answered: false,
            refused: None,
            is_refused: false,
            recorded: (RECORDED_ELSEWHERE, now),
            report_at: None,
            rtcp: RtcpReport::default(),
            last_sender_report: None,
            clock: (SystemTime::now(), now),
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
        }
    }

    /// Offer and answer have met, for the first time or again.
    pub(super) fn agree(&mut self, now: Instant, plan: &MediaPlan) {
        let law = match plan.codec {
            Codec::Pcma => Law::A,
            Codec::Pcmu => Law::Mu,
        };
        let telephone_event = plan.send_telephone_event.map(|event| event.payload_type);
        if let MediaSetup::Stream { background, detect_tones } = &self.setup {
            match &mut self.stream {
                Some(stream) => stream.handle_input(
                    now,
                    Input::Command(Command::Renegotiated {
                        law,
                        payload_type: plan.send_payload_type,
                        telephone_event,
                        received: plan.receive_payload_types.clone(),
                    }),
                ),
                None => {
                    let config = Config {
                        law,
                        payload_type: plan.send_payload_type,
                        telephone_event,
                        telephone_event_received: plan
                            .receive_telephone_event
                            .map(|event| event.payload_type),
                        payload_types_received: plan.receive_payload_types.clone(),
                        packet_time: plan.ptime,
                        detect_tones: *detect_tones,
                    };
                    let mut stream = Stream::new(config, &mut self.ids, now);
                    stream.handle_input(now, Input::Command(Command::SignalledBy(self.hosts.clone())));
                    let background: Option<Tone> = background.clone();
                    stream.handle_input(now, Input::Command(Command::Background(background)));
                    for command in self.waiting.drain(..) {
                        stream.handle_input(now, Input::Command(command));
                    }
                    self.stream = Some(stream);
                }
            }
        }
        self.plan = Some(plan.clone());
        let named = self.named();
        if let Some(remote) = named
            && self.described.len() < MAX_DESCRIBED
            && self.described.last().is_none_or(|(_, last)| *last != remote)
        {
            self.described.push((now, remote));
        }
        if let (Some(stream), Some(remote)) = (&mut self.stream, named) {
            stream.handle_input(now, Input::Command(Command::PeerAt(remote)));
        }
        if self.sent_to.is_some_and(|(to, _)| Some(to) != named) {
            (self.sent_to, self.is_answered) = (None, false);
        }
        // Who describes it again may have opened it.
        (self.refused, self.is_refused) = (None, false);
        self.switch(now);
        if self.report_at.is_none() {
            // Between two parties the first may come early (RFC 3550 sec. 6.2); not both at once, so that one of them answers the other.
            let millis = FIRST_REPORT_MILLIS / 2 + self.ids.below(FIRST_REPORT_MILLIS);
            self.report_at = Some(now + Duration::from_millis(millis));
        }
    }

    /// Sends or does not, as the descriptions and our own limits say.
    fn switch(&mut self, now: Instant) {
        let sends = self.remote().is_some() && self.withheld(now).is_none();
        if let Some(stream) = &mut self.stream {
            stream.handle_input(now, Input::Command(Command::Sending(sends)));
        }
    }

    /// Why nothing is sent, though the descriptions allow it.
    fn withheld(&self, now: Instant) -> Option<Withheld> {
        let named = self.named().filter(|_| self.may_send())?;
        if !is_unicast(named.ip()) {
            return Some(Withheld::NotUnicast(named));
        }
        if self.is_refused {
            return Some(Withheld::Refused(named));
        }
        let (to, since) = self.sent_to?;
        let is_open = self.is_answered || self.hosts.contains(&to.ip());
        (!is_open && now.saturating_duration_since(since) >= UNANSWERED).then_some(Withheld::NothingCame(to))
    }

    /// Do the descriptions allow that we send?
    fn may_send(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.direction.sends())
    }

    /// Where RTP goes, while we may send.
    fn remote(&self) -> Option<SocketAddr> {
        self.address().filter(|_| self.may_send())
    }

    /// Where the peer listens, where that is one host.
    fn address(&self) -> Option<SocketAddr> {
        self.named().filter(|remote| is_unicast(remote.ip()))
    }

    /// What the peer's description names.
    fn named(&self) -> Option<SocketAddr> {
        let remote = self.plan.as_ref()?.remote;
        Some(remote).filter(|remote| !remote.ip().is_unspecified() && remote.port() != 0)
    }

    pub(super) fn command(&mut self, now: Instant, command: Command) {
        match &mut self.stream {
            Some(stream) => stream.handle_input(now, Input::Command(command)),
            None if self.waiting.len() < WAITING => self.waiting.push(command),
            None => {}
        }
    }

    pub(super) fn listen_again(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.listen_again();
        }
    }

    /// Sends a datagram of the owner's.
    pub(super) fn relay(&mut self, now: Instant, datagram: Bytes) {
        self.relayed += 1;
        self.send(now, datagram);
    }

    /// The same, whatever the directions say.
    pub(super) fn relay_anyway(&mut self, now: Instant, datagram: Bytes) {
        self.relayed += 1;
        self.send_to(now, self.address(), datagram);
    }

    fn send(&mut self, now: Instant, datagram: Bytes) {
        self.send_to(now, self.remote(), datagram);
    }

    fn send_to(&mut self, now: Instant, remote: Option<SocketAddr>, datagram: Bytes) {
        let (Some(remote), Some(ports)) = (remote, &self.ports) else { return };
        self.sent_to.get_or_insert((remote, now));
        let mut sent = ports.rtp.try_send(&datagram, remote);
        if sent.as_ref().is_err_and(is_refusal) {
            // What was refused is one that was sent before.
            sent = ports.rtp.try_send(&datagram, remote);
            self.note_refusals(now);
        }
        self.not_sent += u64::from(sent.is_err());
        self.record(now, Direction::Sent, false, remote, datagram);
    }

    /// The network says that ports are closed which we sent to.
    fn note_refusals(&mut self, now: Instant) {
        let named = self.named();
        while let Some(remote) = self.ports.as_ref().and_then(|ports| ports.rtp.refusal()) {
            if Some(remote) == named {
                let lasts =
                    |(_, last): &(Instant, Instant)| now.saturating_duration_since(*last) < REFUSED_AGAIN;
                let since = self.refused.filter(lasts).map_or(now, |(since, _)| since);
                self.refused = Some((since, now));
                self.is_refused |= now.saturating_duration_since(since) >= CLOSED;
            }
        }
        if self.is_refused {
            self.switch(now);
        }
    }

    fn record(&self, at: Instant, direction: Direction, is_rtcp: bool, remote: SocketAddr, bytes: Bytes) {
        let port = if is_rtcp { self.local.rtcp_port } else { self.local.rtp.port() };
        let local = SocketAddr::new(self.local.rtp.ip(), port);
        self.recorder.record_media(MediaRecord { at, direction, is_rtcp, local, remote, bytes });
    }

    /// Reads what has come; pending when nothing has.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        out: &mut Vec<CallEventKind>,
    ) -> Poll<()> {
        let mut any = false;
        for _ in 0..BATCH {
            let Some(ports) = &mut self.ports else { break };
            match ports.rtp.poll_recv(cx, &mut self.buffer) {
                Poll::Ready(Ok((length, remote))) => {
                    any = true;
                    let datagram = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
                    self.receive(now, remote, datagram, out);
                }
                Poll::Ready(Err(error)) => {
                    any = true;
                    if is_refusal(&error) {
                        self.note_refusals(now);
                    }
                }
                Poll::Pending => break,
            }
        }
        for _ in 0..BATCH {
            let Some(ports) = &mut self.ports else { break };
            match ports.rtcp.poll_recv(cx, &mut self.buffer) {
                Poll::Ready(Ok((length, remote))) => {
                    any = true;
                    let datagram = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
                    self.receive_rtcp(now, remote, datagram);
                }
                Poll::Ready(Err(_)) => any = true,
                Poll::Pending => break,
            }
        }
        self.drain(now, out);
        if any { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Something came: is there somebody where media goes?
    fn came(&mut self, now: Instant, remote: SocketAddr) {
        if self.refused.is_some() && self.named() == Some(remote) {
            (self.refused, self.is_refused) = (None, false);
            self.switch(now);
        }
        let may_send = |stream: &Stream| stream.may_send(remote.ip());
        if !self.is_answered && self.sent_to.is_some() && self.stream.as_ref().is_some_and(may_send) {
            self.is_answered = true;
            self.switch(now);
        }
    }

    /// Has the record room for this datagram? A flood from elsewhere takes none of that of the peer's.
    fn is_recorded(&mut self, now: Instant, remote: SocketAddr) -> bool {
        let plan = self.plan.as_ref();
        if plan.is_some_and(|plan| [plan.remote, plan.remote_rtcp].contains(&remote)) {
            return true;
        }
        let (room, at) = self.recorded;
        let more = now.saturating_duration_since(at).as_secs_f64() * RECORDED_ELSEWHERE_PER_S;
        let room = (room + more).min(RECORDED_ELSEWHERE);
        let has_room = room >= 1.0;
        self.recorded = (if has_room { room - 1.0 } else { room }, now);
        has_room
    }

    fn record_received(&mut self, now: Instant, is_rtcp: bool, remote: SocketAddr, datagram: Bytes) {
        if self.is_recorded(now, remote) {
            self.record(now, Direction::Received, is_rtcp, remote, datagram);
        } else {
            self.recorder.drop_media();
        }
    }

    fn receive(&mut self, now: Instant, remote: SocketAddr, datagram: Bytes, out: &mut Vec<CallEventKind>) {
        self.record_received(now, false, remote, datagram.clone());
        self.came(now, remote);
        if self.plan.is_none() {
            self.too_early += 1;
            return;
        }
        if !self.sources.contains(&remote) && self.sources.len() < SOURCES {
            self.sources.push(remote);
        }
        match &mut self.stream {
            Some(stream) => stream.handle_input(now, Input::PacketFrom(&datagram, remote)),
            None => out.push(CallEventKind::Rtp(datagram)),
        }
    }

    fn receive_rtcp(&mut self, now: Instant, remote: SocketAddr, datagram: Bytes) {
        let middle = (self.ntp(now) >> 16) as u32;
        let is_of_the_call = self.stream.as_ref().is_none_or(|stream| stream.may_send(remote.ip()));
        let ssrc = self.stream.as_ref().map(Stream::ssrc);
        if is_of_the_call && let Ok(received) = rtcp::Received::parse(&datagram) {
            self.came(now, remote);
            // Those of our own source came back (RFC 3550 sec. 8.2).
            let theirs = received.reports.iter().filter(|report| Some(report.ssrc) != ssrc);
            let mut any = false;
            for report in theirs {
                any = true;
                if let Some(sender) = &report.sender {
                    self.last_sender_report = Some(((sender.ntp_timestamp >> 16) as u32, now));
                }
                for block in report.blocks.iter().filter(|block| Some(block.ssrc) == ssrc) {
                    self.rtcp.fraction_lost = Some(f64::from(block.fraction_lost) / 256.0);
                    self.rtcp.jitter = Some(Duration::from_micros(u64::from(block.jitter) * 125));
                    self.rtcp.round_trip = round_trip(block, middle).or(self.rtcp.round_trip);
                }
            }
            self.rtcp.received += u64::from(any);
            self.rtcp.goodbye |= received.goodbyes.iter().any(|goodbye| Some(*goodbye) != ssrc);
        }
        self.record_received(now, true, remote, datagram);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let stream = self.stream.as_ref().and_then(Stream::poll_timeout);
        let report = self.report_at.filter(|_| self.stream.is_some());
        stream.into_iter().chain(report).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<CallEventKind>) {
        if self.withheld(now).is_some() {
            self.switch(now);
        }
        if let Some(stream) = &mut self.stream {
            stream.handle_timeout(now);
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.send_report(now);
            // Between half and one and a half of it, so that reports of many calls do not meet (RFC 3550 sec. 6.2).
            let millis = REPORT_MILLIS / 2 + self.ids.below(REPORT_MILLIS);
            self.report_at = Some(now + Duration::from_millis(millis));
        }
        self.drain(now, out);
    }

    fn send_report(&mut self, now: Instant) {
        let ntp = self.ntp(now);
        let last = self.last_sender_report.map(|(middle, at)| (middle, now.saturating_duration_since(at)));
        let Some(plan) = &self.plan else { return };
        let remote = plan.remote_rtcp;
        if !is_unicast(remote.ip()) || remote.port() == 0 || self.withheld(now).is_some() {
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        let Ok(bytes) = stream.report(now, ntp, last).write("ringback") else { return };
        let Some(ports) = &self.ports else { return };
        self.rtcp.sent += 1;
        let _ = ports.rtcp.try_send(&bytes, remote);
        self.record(now, Direction::Sent, true, remote, bytes.into());
    }

    fn drain(&mut self, now: Instant, out: &mut Vec<CallEventKind>) {
        while let Some(output) = self.stream.as_mut().and_then(Stream::poll_output) {
            match output {
                Output::Packet(packet) => self.send(now, packet.into()),
                Output::Event(event) => out.push(CallEventKind::Media(event)),
            }
        }
    }

    /// The call is over: tells what was going on, sends no more, and gives the ports back.
    pub(super) fn finish(&mut self, now: Instant, out: &mut Vec<CallEventKind>) {
        if let Some(stream) = &mut self.stream {
            stream.handle_input(now, Input::Command(Command::Sending(false)));
            stream.finish(now);
        }
        self.drain(now, out);
        if self.report_at.take().is_some() {
            self.send_report(now);
        }
        self.ports = None;
    }

    pub(super) fn report(&mut self, now: Instant) -> MediaReport {
        let mut report = MediaReport {
            withheld: self.withheld(now),
            plan: self.plan.clone(),
            described: self.described.clone(),
            sent: self.relayed,
            not_sent: self.not_sent,
            too_early: self.too_early,
            sources: self.sources.clone(),
            rtcp: self.rtcp,
            ..MediaReport::default()
        };
        if let Some(stream) = &mut self.stream {
            let parties = || (0..PARTIES as u8).filter_map(Party::new);
            let listener = stream.listener();
            report.heard = parties()
                .map(|party| (party, listener.heard_for(party)))
                .filter(|(_, time)| !time.is_zero())
                .collect();
            report.hears_now = parties().filter(|party| listener.hears(*party)).collect();
            report.heard_since =
                parties().filter_map(|party| Some((party, stream.heard_since(party)?))).collect();
            report.last_heard =
                parties().filter_map(|party| Some((party, stream.last_heard(party)?))).collect();
            report.lags = stream.lags();
            report.audible = stream.audible();
            report.last_audible = stream.last_audible();
            report.loud = stream.loud();
            report.random = stream.is_random();
            report.comfort_noise = stream.comfort_noise();
            report.received = stream.statistics();
            report.voice = stream.voice();
            report.malformed = stream.malformed();
            report.other_payloads = stream.other_payloads();
            report.unagreed = stream.unagreed().to_vec();
            report.packet_time_received = stream.packet_time_received();
            report.ssrc = Some(stream.ssrc());
            report.sent = stream.sent();
        }
        report
    }

    fn ntp(&self, now: Instant) -> u64 {
        let wall = self.clock.0 + now.saturating_duration_since(self.clock.1);
        let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs().wrapping_add(NTP_TO_UNIX_S);
        (seconds << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }
}

/// Does an error say that a port is closed?
fn is_refusal(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ConnectionRefused
}

/// Is this the address of one host?
fn is_unicast(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}
