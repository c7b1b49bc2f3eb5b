//! Virtual time: a [`Trial`] writes down what the layer does, each line with its millisecond.
#![allow(clippy::unwrap_used)]

mod branches;
mod invite_client;
mod invite_server;
mod matching;
mod model;
mod non_invite_client;
mod non_invite_server;
mod timers;

use super::*;
use crate::message::{Builder, Ids, Transport};
use crate::syntax::{HeaderName, Limits, Method};
use std::time::Instant;

const UDP: Transport = Transport::Udp;
const TCP: Transport = Transport::Tcp;

fn flow(transport: Transport) -> Flow {
    Flow { transport, local: "127.0.0.1:5070".parse().unwrap(), remote: "127.0.0.1:5060".parse().unwrap() }
}

fn parse(text: impl Into<Vec<u8>>) -> Message {
    Message::parse(Bytes::from(text.into()), &Limits::default()).unwrap()
}

/// A request as a user gives it to [`Layer::send`].
fn outgoing(method: &str) -> Message {
    Builder::request(Method::from_bytes(method.as_bytes()), "sip:bob@127.0.0.1")
        .header(HeaderName::MaxForwards, "70")
        .header(HeaderName::Route, "<sip:one.example;lr>")
        .header(HeaderName::Route, "<sip:two.example;lr>, <sip:three.example;lr>")
        .header(HeaderName::From, "\"Alice\" <sip:alice@lab.example>;tag=a1")
        .header(HeaderName::To, "<sip:bob@lab.example>")
        .header(HeaderName::CallId, "call-1")
        .header(HeaderName::CSeq, format!("7 {method}"))
        .header(HeaderName::Contact, "<sip:alice@127.0.0.1:5070>")
        .build()
        .unwrap()
}

/// A request as it comes from the network.
fn incoming(method: &str, branch: &str) -> Message {
    incoming_with(method, &format!("SIP/2.0/UDP 127.0.0.1:5060;branch={branch};rport=5060"), "")
}

fn incoming_with(method: &str, via: &str, to_params: &str) -> Message {
    let number = 7;
    parse(format!(
        "{method} sip:bob@127.0.0.1:5070 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@lab.example>;tag=a1\r\nTo: <sip:bob@lab.example>{to_params}\r\nCall-ID: call-1\r\n\
         CSeq: {number} {method}\r\nTimestamp: 54\r\nContent-Length: 0\r\n\r\n"
    ))
}

struct Trial {
    layer: Layer,
    start: Instant,
    now: u64,
    log: Vec<String>,
    /// What was sent last.
    sent: Option<Message>,
    /// Everything that was sent.
    all_sent: Vec<Bytes>,
    /// The server transaction that was opened last.
    server: Option<ServerId>,
    cancelled: Option<ServerId>,
}

impl Trial {
    fn new() -> Trial {
        Trial::with(Config::default())
    }

    fn with(config: Config) -> Trial {
        Trial {
            layer: Layer::new(config, Ids::from_seed([7; 32])),
            start: Instant::now(),
            now: 0,
            log: Vec::new(),
            sent: None,
            all_sent: Vec::new(),
            server: None,
            cancelled: None,
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn drain(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            let what = match output {
                Output::Transmit { bytes, retransmission, owner, .. } => {
                    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
                    message.check_mandatory().unwrap();
                    let what = match (message.method(), message.status()) {
                        (Some(method), _) => method.to_string(),
                        (_, status) => status.unwrap().to_string(),
                    };
                    self.sent = Some(message);
                    self.all_sent.push(bytes);
                    let outside = if owner == Owner::None { " outside" } else { "" };
                    match retransmission {
                        0 => format!("> {what}{outside}"),
                        n => format!("> {what} again {n}"),
                    }
                }
                Output::Response { message, .. } => format!("response {}", message.status().unwrap()),
                Output::Timeout { .. } => "timeout".into(),
                Output::ClientTransportFailed { .. } => "failed".into(),
                Output::Request { id, message, .. } => {
                    self.server = Some(id);
                    format!("request {}", message.method().unwrap())
                }
                Output::Cancelled { invite, .. } => {
                    self.cancelled = Some(invite);
                    "cancelled".into()
                }
                Output::Ack { .. } => "ack".into(),
                Output::ServerFailed { .. } => "server failed".into(),
                Output::Stray { .. } => "stray".into(),
                Output::Refused { why, .. } => format!("refused: {why}"),
                Output::ClientTerminated(_) => "gone".into(),
                Output::ServerTerminated(_) => "server gone".into(),
            };
            self.log.push(format!("{} {what}", self.now));
        }
    }

    /// Lets time pass up to `now`, waking the layer when it asks for it, and sets the clock there.
    fn until(&mut self, now: u64) -> &mut Trial {
        while let Some(next) = self.layer.poll_timeout() {
            let next = u64::try_from((next - self.start).as_millis()).unwrap();
            if next > now {
                break;
            }
            self.now = self.now.max(next);
            self.layer.handle_timeout(self.instant());
            self.drain();
        }
        self.now = now;
        self
    }

    fn send(&mut self, method: &str, transport: Transport) -> ClientId {
        let id = self.layer.send(self.instant(), &outgoing(method), flow(transport)).unwrap();
        self.drain();
        id
    }

    fn receive_on(&mut self, message: Message, transport: Transport) -> &mut Trial {
        let input = Input::Received { message, flow: flow(transport) };
        self.layer.handle_input(self.instant(), input);
        self.drain();
        self
    }

    fn receive(&mut self, message: Message) -> &mut Trial {
        self.receive_on(message, UDP)
    }

    /// The peer's response to a request that we sent.
    fn answer(&mut self, request: &Message, status: u16) -> &mut Trial {
        let response = Builder::response(request, status, "Whatever", Some("b1")).build().unwrap();
        self.receive(response)
    }

    fn sent(&self) -> Message {
        self.sent.clone().unwrap()
    }

    /// Our user's response to the request that came last.
    fn respond(&mut self, request: &Message, status: u16) -> Result<(), RespondError> {
        let response = Builder::response(request, status, "Whatever", Some("b1")).build().unwrap();
        let result = self.layer.respond(self.instant(), self.server.unwrap(), response);
        self.drain();
        result
    }

    fn client_error(&mut self, id: ClientId) -> &mut Trial {
        self.layer.handle_input(self.instant(), Input::ClientTransportError(id));
        self.drain();
        self
    }

    fn server_error(&mut self) -> &mut Trial {
        self.layer.handle_input(self.instant(), Input::ServerTransportError(self.server.unwrap()));
        self.drain();
        self
    }

    /// The lines since the last call.
    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// Nothing is left: no transaction, key, timer or output.
    fn assert_empty(&mut self) {
        assert!(self.layer.is_empty());
        self.layer.assert_nothing_left();
    }
}
