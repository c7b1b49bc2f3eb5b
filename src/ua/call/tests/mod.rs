//! Calls in virtual time, over real transaction layers: two of ours against each other, or one against a script.
#![allow(clippy::unwrap_used)]

mod called;
mod caller;
mod changes;
mod consent;
mod hostile;
mod model;
mod told;
mod transfers;
mod two;

use super::*;
use crate::message::{Builder, Flow, Ids, Transport};
use crate::syntax::{HeaderName, Limits, Method};
use crate::transaction::{ClientId, Input as LayerInput, Layer, Output as LayerOutput};
use crate::ua::transfer::{TransfereeEvent, TransferorEvent};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// One end: a layer, a call, and what happened.
struct Side {
    layer: Layer,
    call: Option<Call>,
    config: Config,
    ids: Ids,
    flow: Flow,
    requests: HashMap<ClientId, RequestId>,
    events: Vec<(u64, Event)>,
    finished: bool,
    sends: u64,
}

/// Two ends and the wire between them.
struct World {
    start: Instant,
    now: u64,
    sides: [Side; 2],
    /// Is the second side a script? Then what is sent to it is kept in `inbox`.
    scripted: bool,
    inbox: Vec<Message>,
    wire: BTreeMap<(u64, u64), (usize, Bytes)>,
    order: u64,
    chance: Ids,
    loss_percent: u64,
    max_delay: u64,
    /// What never arrives: start lines that begin so, to this side.
    black_hole: Option<(usize, &'static str)>,
    ladder: Vec<String>,
}

fn config(name: &str, port: u16) -> Config {
    let local = Local::new(([127, 0, 0, 1], port).into());
    Config::new(format!("sip:{name}@lab.example"), format!("sip:{name}@127.0.0.1:{}", port - 1), local)
}

fn side(name: &str, port: u16, remote: u16, seed: u8) -> Side {
    let mut ids = Ids::from_seed([seed; 32]);
    let at = |port: u16| ([127, 0, 0, 1], port - 1).into();
    Side {
        layer: Layer::new(Default::default(), ids.fork()),
        call: None,
        config: config(name, port),
        ids,
        flow: Flow { transport: Transport::Udp, local: at(port), remote: at(remote) },
        requests: HashMap::new(),
        events: Vec::new(),
        finished: false,
        sends: 0,
    }
}

impl World {
    fn new() -> World {
        World {
            start: Instant::now(),
            now: 0,
            sides: [side("alice", 40_000, 50_000, 1), side("bob", 50_000, 40_000, 2)],
            scripted: false,
            inbox: Vec::new(),
            wire: BTreeMap::new(),
            order: 0,
            chance: Ids::from_seed([3; 32]),
            loss_percent: 0,
            max_delay: 0,
            black_hole: None,
            ladder: Vec::new(),
        }
    }

    fn scripted() -> World {
        World { scripted: true, ..World::new() }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn dial(&mut self) -> &mut World {
        let side = &mut self.sides[0];
        side.call = Some(Call::outgoing(side.config.clone(), "sip:bob@lab.example", side.ids.fork()));
        self.command(0, Command::Dial)
    }

    fn command(&mut self, side: usize, command: Command) -> &mut World {
        let now = self.instant();
        if let Some(call) = &mut self.sides[side].call {
            call.handle_input(now, Input::Command(command));
        }
        self.pump(side);
        self
    }

    /// Runs for this time, or until nothing is left to do.
    fn run(&mut self, millis: u64) -> &mut World {
        let end = self.now + millis;
        loop {
            let wire = self.wire.keys().next().map(|(at, _)| *at);
            let timers = self.sides.iter().flat_map(|side| {
                [side.layer.poll_timeout(), side.call.as_ref().and_then(Call::poll_timeout)]
            });
            let timer = timers.flatten().min().map(|at| {
                let after = at.saturating_duration_since(self.start);
                after.as_nanos().div_ceil(1_000_000) as u64
            });
            let Some(next) = wire.into_iter().chain(timer).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (to, bytes) = entry.remove();
                self.deliver(to, bytes);
            }
            for side in 0..2 {
                let now = self.instant();
                self.sides[side].layer.handle_timeout(now);
                if let Some(call) =
                    self.sides[side].call.as_mut().filter(|c| c.poll_timeout().is_some_and(|at| at <= now))
                {
                    call.handle_timeout(now);
                }
                self.pump(side);
            }
        }
        self.now = end;
        self
    }

    fn deliver(&mut self, to: usize, bytes: Bytes) {
        let message = Message::parse(bytes, &Limits::default()).unwrap();
        self.ladder.push(format!(
            "{} {} {}",
            self.now,
            if to == 0 { "<" } else { ">" },
            start_line(&message)
        ));
        if to == 1 && self.scripted {
            self.inbox.push(message);
            return;
        }
        let (now, flow) = (self.instant(), self.sides[to].flow);
        self.sides[to].layer.handle_input(now, LayerInput::Received { message, flow });
        self.pump(to);
    }

    fn send(&mut self, from: usize, bytes: Bytes) {
        self.sides[from].sends += 1;
        let to = 1 - from;
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let lost = self.black_hole.is_some_and(|(side, start)| side == to && text.starts_with(start));
        if lost || self.chance.below(100) < self.loss_percent {
            return;
        }
        for _ in 0..if self.chance.below(100) < self.loss_percent { 2 } else { 1 } {
            self.order += 1;
            let at = self.now + 1 + self.chance.below(self.max_delay + 1);
            self.wire.insert((at, self.order), (to, bytes.clone()));
        }
    }

    /// Lets everything happen that is to happen now.
    fn pump(&mut self, at: usize) {
        let now = self.instant();
        loop {
            let side = &mut self.sides[at];
            if let Some(output) = side.call.as_mut().and_then(Call::poll_output) {
                let late = matches!(output, Output::Respond { .. });
                assert!(!side.finished || late, "after its end: {output:?}");
                match output {
                    Output::Send { id, request } => {
                        request.check_mandatory().unwrap_err();
                        let client = side.layer.send(now, &request, side.flow).unwrap();
                        side.requests.insert(client, id);
                    }
                    Output::SendAck(ack) => side.layer.send_outside(&ack, side.flow),
                    Output::Cancel { id, reason } => {
                        let client = side.requests.iter().find(|(_, request)| **request == id).unwrap().0;
                        let _ = side.layer.cancel(now, *client, reason.as_deref());
                    }
                    Output::Respond { id, response } => {
                        let _ = side.layer.respond(now, id, response);
                    }
                    Output::Event(event) => side.events.push((self.now, event)),
                    Output::Finished => side.finished = true,
                }
                continue;
            }
            let Some(output) = side.layer.poll_output() else { return };
            let input = match output {
                LayerOutput::Transmit { bytes, .. } => {
                    self.send(at, bytes);
                    continue;
                }
                LayerOutput::Response { id, message, .. } => {
                    side.requests.get(&id).map(|id| Input::Response { id: *id, response: message })
                }
                LayerOutput::Timeout { id } => side.requests.get(&id).map(|id| Input::Timeout(*id)),
                LayerOutput::Cancelled { invite, reasons } => Some(Input::Cancelled { invite, reasons }),
                LayerOutput::Ack { message, .. } => {
                    side.call.as_ref().is_some_and(|call| call.owns(&message)).then_some(Input::Ack(message))
                }
                LayerOutput::Request { id, message, .. } => {
                    let owned = side.call.as_ref().is_some_and(|call| call.owns(&message));
                    let is_new =
                        message.method() == Some(Method::Invite) && message.to().unwrap().tag().is_none();
                    if is_new && side.call.as_ref().is_none_or(Call::is_over) {
                        side.finished = false;
                        side.call =
                            Some(Call::incoming(now, side.config.clone(), side.ids.fork(), id, &message));
                        continue;
                    } else if owned {
                        Some(Input::Request { id, request: message })
                    } else {
                        let gone = Builder::response(&message, 481, "Gone", Some("x")).build().unwrap();
                        let _ = side.layer.respond(now, id, gone);
                        None
                    }
                }
                _ => None,
            };
            if let (Some(input), Some(call)) = (input, &mut side.call) {
                call.handle_input(now, input);
            }
        }
    }

    fn call(&self, side: usize) -> &Call {
        self.sides[side].call.as_ref().unwrap()
    }

    /// The events of a side, each as its name and what stands out of it.
    fn events(&self, side: usize) -> Vec<String> {
        self.sides[side].events.iter().map(|(_, event)| name(event)).collect()
    }

    /// What came to a side or a script, as start lines, retransmissions too.
    fn seen(&self, arrow: &str) -> Vec<&str> {
        let own = self.ladder.iter().filter_map(|line| line.split_once(&format!(" {arrow} ")));
        own.map(|(_, line)| line).collect()
    }

    /// Time at which the given start line came.
    fn times(&self, line: &str) -> Vec<u64> {
        let lines = self.ladder.iter().filter(|entry| entry.ends_with(line));
        lines.map(|entry| entry.split(' ').next().unwrap().parse().unwrap()).collect()
    }

    // The script's part.

    fn last(&self, method: &str) -> Message {
        let of = |m: &&Message| m.method().is_some_and(|x| x.as_bytes() == method.as_bytes());
        self.inbox
            .iter()
            .rev()
            .find(of)
            .cloned()
            .unwrap_or_else(|| panic!("no {method} in {:#?}", self.ladder))
    }

    /// What we answered last to the script.
    fn last_response(&self) -> Message {
        self.inbox.iter().rev().find(|m| !m.is_request()).cloned().unwrap()
    }

    /// The script answers.
    fn reply(&mut self, to: &Message, status: u16, tag: &str, headers: &[&str], body: &str) -> &mut World {
        let mut builder = Builder::response(to, status, "x", Some(tag).filter(|tag| !tag.is_empty()));
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            builder = builder.header_named(name, value);
        }
        if !body.is_empty() {
            builder = builder.body("application/sdp", body);
        }
        self.deliver(0, builder.build().unwrap().bytes().clone());
        self.run(5)
    }

    /// The script asks, in the dialog of this tag or (empty `to`) for a new one.
    fn ask(&mut self, method: &str, cseq: u32, headers: &[&str], body: (&str, &str)) -> &mut World {
        let (from, to, call_id) = match &self.sides[0].call {
            None => (
                "<sip:bob@lab.example>;tag=b".to_owned(),
                "<sip:alice@lab.example>".to_owned(),
                "c1".to_owned(),
            ),
            Some(call) => (
                "<sip:bob@lab.example>;tag=b".to_owned(),
                format!("<sip:alice@lab.example>;tag={}", call.local_tag()),
                call.call_id().to_owned(),
            ),
        };
        self.order += 1;
        let mut builder =
            Builder::request(Method::from_bytes(method.as_bytes()), "sip:alice@127.0.0.1:39999")
                .header(HeaderName::Via, format!("SIP/2.0/UDP 127.0.0.1:49999;branch=z9hG4bKs{}", self.order))
                .header(HeaderName::From, from)
                .header(HeaderName::To, to)
                .header(HeaderName::CallId, call_id)
                .header(HeaderName::CSeq, format!("{cseq} {method}"))
                .header(HeaderName::Contact, "<sip:bob@127.0.0.1:49999>");
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            builder = builder.header_named(name, value);
        }
        if !body.1.is_empty() {
            builder = builder.body(body.0, body.1);
        }
        self.deliver(0, builder.build().unwrap().bytes().clone());
        self.run(5)
    }

    fn status(&self) -> u16 {
        self.last_response().status().unwrap()
    }
}

fn start_line(message: &Message) -> String {
    match message.status() {
        Some(status) => format!("{status} {}", message.cseq().unwrap().method),
        None => message.method().unwrap().to_string(),
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Progress { status, .. } => format!("progress {status}"),
        Event::EarlyMedia { fork, .. } => format!("early media {fork}"),
        Event::Redirected { target, .. } => format!("redirected {target}"),
        Event::Answered(plan) => format!("answered {}", plan.direction.as_str()),
        Event::Rejected(rejection) => format!("rejected {:?} {:?}", rejection.status, rejection.end),
        Event::Held { by, plan } => format!("held {by:?} {}", plan.direction.as_str()),
        Event::Resumed { by, plan } => format!("resumed {by:?} {}", plan.direction.as_str()),
        Event::Changed { by, .. } => format!("changed {by:?}"),
        Event::ChangeFailed { status } => format!("change failed {status:?}"),
        Event::MediaFailed(error) => format!("media failed: {error}"),
        Event::OfferRefused { status, offer } => format!("offer refused {status}: {offer}"),
        Event::LooselyRead { header, value } => format!("loosely read {header}: {value}"),
        Event::RequestRefused { method, status, why } => format!("{method} refused {status}: {why}"),
        Event::Glare { .. } => "glare".to_owned(),
        Event::InfoReceived { content_type, body, status } => {
            format!("info {content_type} {} {status}", String::from_utf8_lossy(body).trim())
        }
        Event::InfoAnswered { token, status } => format!("info {token} answered {status:?}"),
        Event::ForkHungUp { fork } => format!("fork {fork} hung up"),
        Event::Refreshed { by } => format!("refreshed {by:?}"),
        Event::Transferor { token, event } => match event {
            TransferorEvent::Accepted { status, subscribed } => {
                format!("refer {token} accepted {status} {subscribed}")
            }
            TransferorEvent::Refused { status, .. } => format!("refer {token} refused {status}"),
            TransferorEvent::Unanswered => format!("refer {token} unanswered"),
            TransferorEvent::NotSent(why) => format!("refer {token} not sent: {why}"),
            TransferorEvent::Notified(told) => {
                format!("refer {token} notified {:?} {}", told.status, told.state)
            }
            TransferorEvent::Over(end) => format!("refer {token} over {end:?}"),
        },
        Event::Transferee { referral, event } => match event {
            TransfereeEvent::Referred(referred) => format!("referral {referral} to {}", referred.target.uri),
            TransfereeEvent::Unexpected(referred) => {
                format!("referral {referral} unexpected: {}", referred.target.uri)
            }
            TransfereeEvent::Declined(why) => format!("referral {referral} declined {why:?}"),
            TransfereeEvent::Notified { status } => format!("referral {referral} notified {status:?}"),
            TransfereeEvent::Over => format!("referral {referral} over"),
        },
        Event::FarParty(far) => format!("far party {:?}", far.uri),
        Event::Replaced { by } => format!("replaced by {by}"),
        Event::ChallengeRefused { method, realm, why, .. } => {
            format!("{method}: {realm} not answered, {why:?}")
        }
        Event::Ended { by, cause, .. } => format!("ended {by:?} {cause:?}"),
    }
}

/// A description of the script.
fn sdp_of(port: u16) -> String {
    format!(
        "v=0\r\no=- 5 {port} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n"
    )
}

const HANG_UP: Command = Command::HangUp { reason: None };
const CONTACT: &str = "Contact: <sip:bob@127.0.0.1:49999>";
