//! A peer that answers and asks what it likes in a call of ours: no panic, no message that cannot be sent, and the call comes to an end.
//!
//! The first byte says who we are. A zero byte parts the steps, each a byte that says what happens and the text that it wants: extra
//! headers and, behind an empty line, a body. What a peer has to repeat (Via, From, To, Call-ID, CSeq) is there already.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::auth::Credentials;
use ringback::message::{Builder, Flow, Ids, Message, Transport};
use ringback::sdp::Local;
use ringback::syntax::{HeaderName, Limits, Method};
use ringback::transaction::{self, ClientId, Layer};
use ringback::ua::call::{Call, Command, Config, Hold, Input, Output, Redirects, Refers, RequestId};
use ringback::ua::transfer::{Refer, Target};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Steps that are taken of one input.
const STEPS: usize = 40;
/// Nothing lasts longer once we have hung up.
const LONGEST: Duration = Duration::from_secs(4_000);

struct World {
    layer: Layer,
    call: Option<Call>,
    config: Config,
    ids: Ids,
    flow: Flow,
    now: Instant,
    requests: HashMap<ClientId, RequestId>,
    /// Requests that the peer has got.
    inbox: Vec<Message>,
    asked: u32,
    finished: bool,
}

impl World {
    fn new(flags: u8) -> World {
        let mut ids = Ids::from_seed([7; 32]);
        let local = Local::new(([127, 0, 0, 1], 40_000).into());
        let mut config = Config::new("sip:alice@lab.example", "sip:alice@127.0.0.1:5070", local);
        config.credentials = (flags & 2 != 0).then(|| Credentials::new("alice", "secret"));
        config.prefer_update = flags & 4 != 0;
        config.require_reliable = flags & 8 != 0;
        config.session_expires = (flags & 16 == 0).then_some(90);
        config.refers = if flags & 64 != 0 { Refers::Asked } else { Refers::Declined };
        config.redirects = if flags & 32 != 0 { Redirects::Any } else { Redirects::Refused };
        World {
            layer: Layer::new(transaction::Config::default(), ids.fork()),
            call: None,
            config,
            ids,
            flow: Flow {
                transport: if flags & 32 == 0 { Transport::Udp } else { Transport::Tcp },
                local: ([127, 0, 0, 1], 5070).into(),
                remote: ([127, 0, 0, 1], 5060).into(),
            },
            now: Instant::now(),
            requests: HashMap::new(),
            inbox: Vec::new(),
            asked: 0,
            finished: false,
        }
    }

    fn command(&mut self, command: Command) {
        if let Some(call) = &mut self.call {
            call.handle_input(self.now, Input::Command(command));
        }
        self.pump();
    }

    fn owns(&self, message: &Message) -> bool {
        self.call.as_ref().is_some_and(|call| call.owns(message))
    }

    /// Lets happen what is to happen now.
    fn pump(&mut self) {
        for turn in 0.. {
            assert!(turn < 10_000, "it does not come to rest");
            if let Some(output) = self.call.as_mut().and_then(Call::poll_output) {
                match output {
                    Output::Send { id, request } => {
                        let client = self.layer.send(self.now, &request, self.flow).expect("there is room");
                        self.requests.insert(client, id);
                    }
                    Output::SendAck(ack) => self.layer.send_outside(&ack, self.flow),
                    Output::Cancel { id, reason } => {
                        if let Some((client, _)) = self.requests.iter().find(|(_, request)| **request == id) {
                            let _ = self.layer.cancel(self.now, *client, reason.as_deref());
                        }
                    }
                    Output::Respond { id, response } => {
                        let _ = self.layer.respond(self.now, id, response);
                    }
                    Output::Finished => self.finished = true,
                    _ => {}
                }
                continue;
            }
            let Some(output) = self.layer.poll_output() else { return };
            let input = match output {
                transaction::Output::Transmit { bytes, .. } => {
                    let sent = Message::parse(bytes, &Limits::default()).expect("what we send is a message");
                    // An answer repeats what the peer wrote.
                    assert!(!sent.is_request() || sent.check_mandatory().is_ok());
                    if sent.is_request() && self.inbox.len() < 64 {
                        self.inbox.push(sent);
                    }
                    continue;
                }
                transaction::Output::Response { id, message, .. } => {
                    self.requests.get(&id).map(|id| Input::Response { id: *id, response: message })
                }
                transaction::Output::Timeout { id } => self.requests.get(&id).map(|id| Input::Timeout(*id)),
                transaction::Output::Cancelled { invite, reasons } => {
                    Some(Input::Cancelled { invite, reasons })
                }
                transaction::Output::Ack { message, .. } => {
                    self.owns(&message).then_some(Input::Ack(message))
                }
                transaction::Output::Request { id, message, .. } => {
                    if self.call.is_none() && message.method() == Some(Method::Invite) {
                        self.call = Some(Call::incoming(
                            self.now,
                            self.config.clone(),
                            self.ids.fork(),
                            id,
                            &message,
                        ));
                        continue;
                    }
                    if !self.owns(&message) {
                        let gone = Builder::response(&message, 481, "Gone", Some("x")).build();
                        let _ = self.layer.respond(self.now, id, gone.expect("an answer"));
                        continue;
                    }
                    Some(Input::Request { id, request: message })
                }
                _ => None,
            };
            if let (Some(input), Some(call)) = (input, &mut self.call) {
                call.handle_input(self.now, input);
            }
        }
    }

    /// Runs for so long, or until nothing is left to do.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for turn in 0.. {
            assert!(turn < 10_000, "a deadline that comes again and again");
            let call = self.call.as_ref().and_then(Call::poll_timeout);
            let due = self.layer.poll_timeout().into_iter().chain(call).min();
            let Some(at) = due.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now);
            if let Some(call) =
                self.call.as_mut().filter(|call| call.poll_timeout().is_some_and(|at| at <= self.now))
            {
                call.handle_timeout(self.now);
            }
            self.pump();
        }
        self.now = end;
    }

    fn arrives(&mut self, bytes: Vec<u8>) {
        if let Ok(message) = Message::parse(bytes.into(), &Limits::default()) {
            let input = transaction::Input::Received { message, flow: self.flow };
            self.layer.handle_input(self.now, input);
            self.pump();
        }
    }

    /// The peer answers the request of this number, with the tag of one fork.
    fn answers(&mut self, which: usize, status: u16, fork: u8, rest: &[u8]) {
        let Some(request) = self.inbox.get(which % self.inbox.len().max(1)) else { return };
        let tag = format!("b{}", fork % 4);
        let Ok(response) = Builder::response(request, status, "x", Some(&tag)).build() else { return };
        self.arrives(with(&response, rest));
    }

    /// The peer asks, in our dialog or for a new one.
    fn asks(&mut self, method: Method<'_>, cseq: u32, rest: &[u8]) {
        let (to, call_id) = match &self.call {
            None => ("<sip:alice@lab.example>".to_owned(), "c1".to_owned()),
            Some(call) => {
                (format!("<sip:alice@lab.example>;tag={}", call.local_tag()), call.call_id().to_owned())
            }
        };
        self.asked += 1;
        let transport = if self.flow.transport == Transport::Udp { "UDP" } else { "TCP" };
        // An ACK or CANCEL belongs to what was asked before it.
        let branch = if matches!(method, Method::Cancel) { self.asked - 1 } else { self.asked };
        let request = Builder::request(method, "sip:alice@127.0.0.1:5070")
            .header(HeaderName::Via, format!("SIP/2.0/{transport} 127.0.0.1:5060;branch=z9hG4bKs{branch}"))
            .header(HeaderName::From, "<sip:bob@lab.example>;tag=b0")
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, format!("{cseq} {method}"))
            .build()
            .expect("a request");
        self.arrives(with(&request, rest));
    }
}

/// The head of a message without its Content-Length, and more behind it.
fn with(message: &Message, rest: &[u8]) -> Vec<u8> {
    let head = message.as_bytes().strip_suffix(b"Content-Length: 0\r\n\r\n").expect("no body");
    let mut bytes = head.to_vec();
    for line in rest.split_inclusive(|&b| b == b'\n') {
        // In the seeds lines end as in any text.
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        bytes.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

const METHODS: [Method<'static>; 10] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Prack,
    Method::Update,
    Method::Info,
    Method::Options,
    Method::Cancel,
    Method::Refer,
    Method::Notify,
];
const STATUSES: [u16; 18] =
    [100, 180, 183, 199, 200, 202, 299, 302, 401, 407, 408, 422, 481, 487, 491, 500, 503, 603];

fn command(byte: u8, refers: bool) -> Command {
    if refers && byte & 128 != 0 {
        return match byte % 6 {
            0 | 1 => Command::Refer(Box::new(Refer::new(
                u64::from(byte & 1),
                Target::new("sip:carol@lab.example"),
            ))),
            2 => Command::AcceptRefer { referral: 1 },
            3 => Command::RefuseRefer { referral: 2, status: 603 },
            4 => Command::Notify { referral: 1, status: 100 + 4 * u16::from(byte), phrase: None },
            _ => Command::GiveWay { by: "other".into() },
        };
    }
    match byte % 9 {
        0 => Command::Ring { status: 180, media: false },
        1 => Command::Ring { status: 183, media: true },
        2 => Command::Answer,
        3 => Command::Refuse { status: 486, reason: Some("Q.850;cause=17".into()) },
        4 => Command::Hold(Hold::SendOnly),
        5 => Command::Hold(Hold::ZeroAddress),
        6 => Command::Resume,
        7 => Command::Info { token: 1, content_type: "application/dtmf".into(), body: vec![b'1'] },
        _ => Command::HangUp { reason: None },
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, rest)) = data.split_first() else { return };
    let mut world = World::new(flags);
    if flags & 1 == 0 {
        let ids = world.ids.fork();
        world.call = Some(Call::outgoing(world.config.clone(), "sip:bob@lab.example", ids));
        world.command(Command::Dial);
    }
    for step in rest.split(|&b| b == 0).take(STEPS) {
        let [what, value, rest @ ..] = step else { continue };
        match what % 5 {
            0 | 1 => {
                // The request that came last, or an earlier one.
                let back = usize::from(value >> 6);
                let which = world.inbox.len().saturating_sub(1 + back);
                let status = STATUSES[usize::from(value & 31) % STATUSES.len()];
                world.answers(which, status, what >> 3, rest);
            }
            2 => {
                let method = METHODS[usize::from(value & 15) % METHODS.len()];
                world.asks(method, u32::from(value >> 4), rest);
            }
            3 => world.command(command(*value, flags & 64 != 0)),
            _ => world.run(Duration::from_millis(u64::from(*value) * u64::from(*value))),
        }
    }
    // Nobody answers any more, and we hang up.
    if world.call.is_some() {
        world.command(Command::HangUp { reason: None });
        world.run(LONGEST);
        assert!(world.finished, "the call does not end");
        assert!(world.call.as_ref().is_none_or(|call| call.is_over() && call.poll_timeout().is_none()));
    } else {
        world.run(LONGEST);
    }
    assert!(world.layer.is_empty(), "a transaction does not end");
});
