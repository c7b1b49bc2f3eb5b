//! One registration (RFC 3261 sec. 10): query, bind, refresh and remove, with digest, 423 and what the registrar told us.
//!
//! A machine without I/O. It gives requests without Via; its owner sends them through a client transaction and hands back what came.
//!
//! # Which binding is ours
//! Registrars and the boxes before them rewrite Contacts: host and port behind NAT, the case of `transport`, whole parameters. So our Contact
//! URI carries a parameter `rb` with a token of its own, and of the listed bindings the ones that are most like ours are taken:
//! the token; then `+sip.instance`; then equality by RFC 3261 sec. 19.1.4; then user, host and port; then our user at the address that
//! the far side saw us at (`received` and `rport` of our Via). A binding with another token is never ours, unless it has our instance.
//! A whole registration never says `Contact: *`.
//!
//! # When it refreshes
//! A tenth of the granted time before it ends, at least 5 seconds before, but never before half of it is over. A refresh that fails is
//! reported and not repeated by itself.
//!
//! ```
//! use ringback::auth::Credentials;
//! use ringback::message::Ids;
//! use ringback::ua::registration::{Command, Config, Input, Output, Registration};
//! use std::time::Instant;
//!
//! let config = Config::new(
//!     "sip:alice@lab.example",
//!     "sip:lab.example",
//!     "sip:alice@127.0.0.1:5070",
//!     Credentials::new("alice", "secret"),
//! );
//! let mut registration = Registration::new(config, Ids::from_seed([7; 32]));
//! registration.handle_input(Instant::now(), Input::Command(Command::Bind));
//! let Some(Output::Send(request)) = registration.poll_output() else { panic!("no request") };
//! assert_eq!(request.request_uri_bytes(), Some(&b"sip:lab.example"[..]));
//! ```

mod answer;
mod contacts;
mod machine;

pub use super::challenged::Offered;
pub use super::end::End;
pub(crate) use answer::TOKEN;
pub use answer::{Answer, Binding, GrantedBy, MALFORMED_EXPIRY, MAX_UNREADABLE};
pub use machine::{MAX_MIN_EXPIRES, MAX_WAITING, Registration, SUPPORTED};

use crate::auth::{Charset, Credentials};
use crate::message::Message;

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
    /// Asked expiry in seconds, at least 1.
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
    /// Start a command. While another runs it waits, behind at most [`MAX_WAITING`] others.
    Command(Command),
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
    /// The expiry that the last request of a binding asked for, in seconds.
    pub asked_expires: Option<u32>,
    /// The request that ended it carried a nonce of an earlier command.
    pub reused_nonce: bool,
    /// In which octets user name and password were hashed last: ISO-8859-1 only where UTF-8 was refused.
    pub charset: Charset,
    /// Did the server prove by `rspauth` that it knows the password too (RFC 7616 sec. 3.5)? `None` where it did not try.
    pub server_proved: Option<bool>,
    /// What the last response said; `None` when there was none.
    pub answer: Option<Answer>,
}

#[cfg(test)]
mod tests;
