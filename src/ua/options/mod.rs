//! The OPTIONS request of a capability query (RFC 3261 sec. 11): is somebody there, and what can they do?
//!
//! A machine without I/O, of the same shape as [`registration`](super::registration). Any final response shows that somebody is there; a
//! server that knows no such user answers 404, one that wants credentials 401, and both are alive.
//!
//! ```
//! use ringback::message::Ids;
//! use ringback::ua::options::{Config, Input, Output, Query};
//! use std::time::Instant;
//!
//! let config = Config::new("sip:bob@lab.example", "sip:probe@127.0.0.1:5070");
//! let mut query = Query::new(config, Ids::from_seed([7; 32]));
//! query.handle_input(Instant::now(), Input::Begin);
//! let Some(Output::Send(request)) = query.poll_output() else { panic!("no request") };
//! assert_eq!(request.header_named(b"Accept"), Some(&b"application/sdp"[..]));
//! ```

use super::challenged::{Challenged, Next, Offered};
use super::end::End;
use super::response::{final_status, reason, retry_after, seen_at, server, tokens, values};
use crate::auth::Credentials;
use crate::message::{Builder, Decimal, Ids, Message};
use crate::syntax::{HeaderName, Method};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What to ask, as whom.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The Request-URI and To: whose capabilities.
    pub uri: String,
    /// The From URI (no `<>`).
    pub from: String,
    /// Our Contact URI, when the request shall carry one.
    pub contact: Option<String>,
    /// What to answer challenges with; without, a challenge is the answer.
    pub credentials: Option<Credentials>,
    /// `User-Agent`.
    pub user_agent: String,
    /// Preloaded Route values (an outbound proxy), e.g. `<sip:proxy.example.com;lr>`.
    pub routes: Vec<String>,
    /// Most requests before it gives up; default 6.
    pub max_requests: u32,
}

impl Config {
    /// A configuration with defaults for the rest.
    pub fn new(uri: impl Into<String>, from: impl Into<String>) -> Config {
        Config {
            uri: uri.into(),
            from: from.into(),
            contact: None,
            credentials: None,
            user_agent: concat!("ringback/", env!("CARGO_PKG_VERSION")).into(),
            routes: Vec::new(),
            max_requests: 6,
        }
    }
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// Ask, or ask once more: a new Call-ID and From tag, the same nonces. Not heard while a question is open.
    Begin,
    /// A response to the request that was given last.
    Response(Message),
    /// One that came from another host than the request was sent to: it counts, and its challenges are not answered.
    ForeignResponse(Message),
    /// That request got no final response.
    Timeout,
    /// That request could not be sent, or its connection was lost.
    TransportFailed,
}

/// What goes out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send this request (without Via).
    Send(Message),
    /// The question has ended.
    Finished(Box<Finished>),
}

/// How a question ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finished {
    /// Why it ended: [`End::Accepted`] for a 2xx, [`End::Refused`] for another final response.
    pub end: End,
    /// Requests sent for it, retransmissions not counted.
    pub requests: u32,
    /// Every challenge that was offered, in order.
    pub challenges: Vec<Offered>,
    /// What the last final response said; `None` when there was none.
    pub capabilities: Option<Capabilities>,
}

/// What an answer to OPTIONS said. Lists are empty where the header is missing, which does not mean that nothing is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Methods of Allow.
    pub allow: Vec<String>,
    /// Option tags of Supported.
    pub supported: Vec<String>,
    /// Media types of Accept.
    pub accept: Vec<String>,
    /// Event packages of Allow-Events.
    pub allow_events: Vec<String>,
    /// `Server` or `User-Agent`.
    pub server: Option<String>,
    /// Retry-After.
    pub retry_after: Option<Duration>,
    /// Warning texts.
    pub warnings: Vec<String>,
    /// `received` of our Via.
    pub received: Option<IpAddr>,
    /// `rport` of our Via: `None` when it was not filled in.
    pub rport: Option<u16>,
}

impl Capabilities {
    /// Reads a response.
    pub fn read(response: &Message) -> Capabilities {
        let (received, rport) = seen_at(response);
        Capabilities {
            status: response.status().unwrap_or_default(),
            reason: reason(response),
            allow: tokens(response, HeaderName::Allow),
            supported: tokens(response, HeaderName::Supported),
            accept: tokens(response, HeaderName::Accept),
            allow_events: tokens(response, HeaderName::AllowEvents),
            server: server(response),
            retry_after: retry_after(response),
            warnings: values(response, HeaderName::Warning),
            received,
            rport,
        }
    }
}

/// One capability query.
#[derive(Debug)]
pub struct Query {
    config: Config,
    ids: Ids,
    call_id: String,
    from_tag: String,
    cseq: u32,
    challenged: Challenged,
    open: bool,
    capabilities: Option<Capabilities>,
    outputs: VecDeque<Output>,
}

impl Query {
    /// A query that has not begun; `ids` gives Call-ID, tag and cnonces.
    pub fn new(config: Config, ids: Ids) -> Query {
        Query {
            challenged: Challenged::new(config.credentials.clone(), config.max_requests),
            config,
            ids,
            call_id: String::new(),
            from_tag: String::new(),
            cseq: 0,
            open: false,
            capabilities: None,
            outputs: VecDeque::new(),
        }
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let _ = now;
        match input {
            Input::Begin if !self.open => {
                (self.call_id, self.from_tag, self.cseq) = (self.ids.call_id(), self.ids.tag(), 0);
                (self.open, self.capabilities) = (true, None);
                self.challenged.begin();
                self.send();
            }
            Input::Begin => {}
            Input::Response(response) => self.handle_response(&response, true),
            Input::ForeignResponse(response) => self.handle_response(&response, false),
            Input::Timeout => self.finish(End::Timeout),
            Input::TransportFailed => self.finish(End::TransportFailed),
        }
    }

    /// Nothing here waits for a time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Never: the query waits for its owner's transaction only.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn send(&mut self) {
        if !self.challenged.may_send() {
            return self.finish(End::TooManyRequests);
        }
        self.cseq += 1;
        match self.request() {
            Ok(request) => {
                // Mostly there is one, and it is large.
                self.outputs.reserve_exact(1);
                self.outputs.push_back(Output::Send(request));
            }
            Err(wrong) => self.finish(End::BadConfig(wrong)),
        }
    }

    fn request(&mut self) -> Result<Message, String> {
        let config = &self.config;
        let mut request = Builder::request(Method::Options, &config.uri);
        for route in &config.routes {
            request = request.header(HeaderName::Route, route);
        }
        request = request
            .header(HeaderName::MaxForwards, "70")
            .joined(HeaderName::From, &[b"<", config.from.as_bytes(), b">;tag=", self.from_tag.as_bytes()])
            .joined(HeaderName::To, &[b"<", config.uri.as_bytes(), b">"])
            .header(HeaderName::CallId, &self.call_id)
            .joined(HeaderName::CSeq, &[Decimal::new(self.cseq.into()).as_bytes(), b" OPTIONS"]);
        if let Some(contact) = &config.contact {
            request = request.joined(HeaderName::Contact, &[b"<", contact.as_bytes(), b">"]);
        }
        request = request
            .header(HeaderName::Accept, "application/sdp")
            .header(HeaderName::UserAgent, &config.user_agent);
        let request = self
            .challenged
            .authorize(request, Method::Options, self.config.uri.as_bytes(), b"")
            .map_err(|e| e.to_string())?;
        request.build().map_err(|e| e.to_string())
    }

    fn handle_response(&mut self, response: &Message, is_home: bool) {
        if !self.open {
            return;
        }
        let status = match final_status(response, self.cseq) {
            None => return,
            Some(Ok(status)) => status,
            Some(Err(end)) => return self.finish(end),
        };
        self.capabilities = Some(Capabilities::read(response));
        if let 401 | 407 = status {
            return match self.challenged.handle_challenge_from(response, &mut self.ids, is_home) {
                Next::Again => self.send(),
                Next::End(end) => self.finish(end),
            };
        }
        self.challenged.handle_final(response, &mut self.ids);
        self.finish(match status {
            200..300 if self.challenged.nonce_refused() => End::NonceRefusedWithoutStale { recovered: true },
            200..300 => End::Accepted,
            _ => End::Refused,
        });
    }

    fn finish(&mut self, end: End) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.outputs.push_back(Output::Finished(Box::new(Finished {
            end,
            requests: self.challenged.requests(),
            challenges: self.challenged.take_offered(),
            capabilities: self.capabilities.take(),
        })));
    }
}

#[cfg(test)]
mod tests;
