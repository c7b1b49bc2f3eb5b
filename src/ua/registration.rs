//! One registration (RFC 3261 sec. 10): query, bind, refresh and remove, with digest, 423 and what the registrar told us.
//!
//! A machine without I/O. It gives requests without Via; its owner sends them through a client transaction and hands back what came.

use crate::auth::Credentials;
use crate::message::{Ids, Message};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What a registration is about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The address of record, e.g. `sip:alice@example.com`.
    pub aor: String,
    /// The Request-URI: the registrar, without user part.
    pub registrar: String,
    /// Our Contact URI, e.g. `sip:alice@192.0.2.1:5060;transport=tcp` (no `<>`).
    pub contact: String,
    /// What to answer challenges with.
    pub credentials: Credentials,
    /// Asked expiry in seconds.
    pub expires: u32,
    /// `User-Agent`.
    pub user_agent: String,
    /// `+sip.instance` (a URN without `<>`), when the Contact shall carry one.
    pub instance: Option<String>,
    /// Preloaded Route values (an outbound proxy), e.g. `<sip:proxy.example.com;lr>`.
    pub routes: Vec<String>,
    /// Most requests for one command before it gives up; default 6.
    pub max_requests: u32,
}

impl Config {
    /// A configuration with defaults for the rest.
    pub fn new(
        aor: impl Into<String>,
        registrar: impl Into<String>,
        contact: impl Into<String>,
        credentials: Credentials,
    ) -> Config {
        Config {
            aor: aor.into(),
            registrar: registrar.into(),
            contact: contact.into(),
            credentials,
            expires: 300,
            user_agent: concat!("ringback/", env!("CARGO_PKG_VERSION")).into(),
            instance: None,
            routes: Vec::new(),
            max_requests: 6,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// REGISTER without Contact: which bindings are there?
    Query,
    /// REGISTER with our Contact; again for a refresh (same Call-ID, CSeq + 1).
    Bind,
    /// REGISTER with our Contact and `expires=0`; never `*`.
    Remove,
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// Start a command; one at a time.
    Command(Command),
    /// A response to the request that was given last.
    Response(Message),
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
    /// The command has ended.
    Finished(Box<Finished>),
}

/// How a command ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finished {
    /// Which command.
    pub command: Command,
    /// Why it ended.
    pub end: End,
    /// Requests sent for it, retransmissions not counted.
    pub requests: u32,
    /// Every challenge that was offered, in order.
    pub challenges: Vec<Offered>,
    /// 423 that were obeyed: the Min-Expires, in seconds.
    pub min_expires: Option<u32>,
    /// What the last response said; `None` when there was none.
    pub answer: Option<Answer>,
}

/// Why a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// A 2xx.
    Accepted,
    /// A final response that ends it: not a challenge, not a 423 that can be obeyed, see the status of the answer.
    Refused,
    /// A correct answer to a challenge was refused again; `stale` when each new challenge said stale.
    CredentialsRefused {
        /// Each refusal said `stale=true`.
        stale: bool,
    },
    /// The registrar refused a reused nonce without `stale=true`; a fresh answer was then accepted (`recovered`) or refused.
    NonceRefusedWithoutStale {
        /// What came of a fresh answer.
        recovered: bool,
    },
    /// 401 or 407 without a challenge.
    NoChallenge,
    /// Challenges, but none that we can answer.
    NoSupportedChallenge,
    /// A 423 without (or with a useless) Min-Expires, or a second one after obeying.
    IntervalTooBrief {
        /// The 423 had no usable Min-Expires.
        without_min_expires: bool,
    },
    /// `max_requests` is reached.
    TooManyRequests,
    /// The response could not be used: what was wrong.
    BadResponse(String),
    /// No final response in time.
    Timeout,
    /// Not sent, or the connection was lost.
    TransportFailed,
}

/// A challenge as it was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// From a 407 (else 401).
    pub proxy: bool,
    /// `Digest`, or what else.
    pub scheme: String,
    /// The realm.
    pub realm: String,
    /// The algorithm as it came; `None` when not written (which means MD5).
    pub algorithm: Option<String>,
    /// The qop list as it came.
    pub qop: Option<String>,
    /// `stale=true`.
    pub stale: bool,
    /// This is the one that was answered.
    pub answered: bool,
}

/// What a response said.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// `Server` or `User-Agent` of the registrar.
    pub server: Option<String>,
    /// All bindings that it lists.
    pub bindings: Vec<Binding>,
    /// Expiry granted to our own binding, in seconds, and where it stood; `None` when it is nowhere.
    pub granted: Option<(u32, GrantedBy)>,
    /// Path values.
    pub path: Vec<String>,
    /// Service-Route values.
    pub service_route: Vec<String>,
    /// Retry-After.
    pub retry_after: Option<Duration>,
    /// Warning texts.
    pub warnings: Vec<String>,
    /// Unsupported option tags.
    pub unsupported: Vec<String>,
    /// `received` of our Via.
    pub received: Option<IpAddr>,
    /// `rport` of our Via: `None` when it was not filled in.
    pub rport: Option<u16>,
    /// Feature tags, `Supported`.
    pub supported: Vec<String>,
}

/// Where a granted expiry stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantedBy {
    /// `;expires` of our Contact.
    ContactParam,
    /// The Expires header.
    ExpiresHeader,
}

/// One binding of a 200.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The Contact URI as it came.
    pub uri: String,
    /// It is ours (found loosely: user, host and port, or instance).
    pub own: bool,
    /// Seconds left.
    pub expires: Option<u32>,
    /// q in thousandths.
    pub q_thousandths: Option<u16>,
    /// `+sip.instance`.
    pub instance: Option<String>,
    /// `pub-gruu`.
    pub pub_gruu: Option<String>,
    /// `temp-gruu`.
    pub temp_gruu: Option<String>,
    /// A User-Agent, where a registrar shows it.
    pub user_agent: Option<String>,
    /// All other Contact parameters as they came.
    pub params: String,
}

/// One registration.
#[derive(Debug)]
pub struct Registration {
    _config: Config,
    _ids: Ids,
}

impl Registration {
    /// A registration that has not begun; `ids` gives Call-ID, tag and cnonces.
    pub fn new(config: Config, ids: Ids) -> Registration {
        Registration { _config: config, _ids: ids }
    }
    /// Its Call-ID: the same for every request.
    pub fn call_id(&self) -> &str {
        todo!()
    }
    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let _ = (now, input);
        todo!()
    }
    /// The time of [`Registration::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        todo!()
    }
    /// When the binding wants a refresh, when one is granted and no command runs.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
}
