//! REFER outside any call, in both roles (RFC 3515): click to dial, and transfers of a call that is named by Target-Dialog (RFC 4538).
//!
//! A machine without I/O for one REFER and its subscription. What it gives is ordered; a request of it wants a client transaction, whose
//! end comes back before it sends another.
//!
//! ```
//! use ringback::message::Ids;
//! use ringback::ua::transfer::outside::{Config, Input, Output, Outside};
//! use ringback::ua::transfer::{Refer, Target};
//! use std::time::Instant;
//!
//! let config = Config::new("sip:desk@lab.example", "sip:desk@192.0.2.1");
//! let refer = Refer::new(1, Target::new("sip:bob@lab.example"));
//! let mut outside = Outside::issue(config, "sip:alice@lab.example", refer, Ids::from_seed([7; 32]));
//! outside.handle_input(Instant::now(), Input::Begin);
//! let Some(Output::Send(request)) = outside.poll_output() else { panic!("no request") };
//! assert!(request.refer_to().is_some());
//! ```

mod machine;

pub use machine::Outside;

use super::{TransfereeEvent, TransferorEvent};
use crate::auth::Credentials;
use crate::message::Message;
use crate::transaction::ServerId;
use std::time::Duration;

/// Who we are, and how we behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Our address: the From URI (no `<>`).
    pub from: String,
    /// Our Contact URI (no `<>`).
    pub contact: String,
    /// What to answer challenges with.
    pub credentials: Option<Credentials>,
    /// `User-Agent`.
    pub user_agent: String,
    /// Preloaded Route values of our REFER.
    pub routes: Vec<String>,
    /// Most times that one request is sent; default 6.
    pub max_requests: u32,
    /// Round-trip estimate; default 500 ms. The same as the transaction layer's.
    pub t1: Duration,
}

impl Config {
    /// A configuration with defaults for the rest.
    pub fn new(from: impl Into<String>, contact: impl Into<String>) -> Config {
        Config {
            from: from.into(),
            contact: contact.into(),
            credentials: None,
            user_agent: concat!("ringback/", env!("CARGO_PKG_VERSION")).into(),
            routes: Vec::new(),
            max_requests: 6,
            t1: Duration::from_millis(500),
        }
    }
}

/// What comes in. What does not fit the role or the state has no effect.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// Send our REFER.
    Begin,
    /// A response to what was sent last.
    Response(Message),
    /// No final response in time.
    Timeout,
    /// It could not be sent, or its connection was lost.
    TransportFailed,
    /// A request of the peer that [`Outside::owns`].
    Request {
        /// Its transaction.
        id: ServerId,
        /// The request.
        request: Message,
    },
    /// Accept the REFER: 202, and a NOTIFY of 100, unless it asked for none.
    Accept,
    /// Refuse it with this status (300 to 699).
    Refuse(u16),
    /// Tell what we got from the one that it sent us to; a final status is the last.
    Notify {
        /// 100 to 699.
        status: u16,
        /// The phrase; without, that of the status.
        phrase: Option<String>,
    },
    /// Wait for no more NOTIFYs, or send no more than one.
    GiveUp,
}

/// What goes out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send this request (without Via) in a client transaction.
    Send(Message),
    /// Answer this request.
    Respond {
        /// Its transaction.
        id: ServerId,
        /// The response.
        response: Message,
    },
    /// Of our REFER.
    Transferor(TransferorEvent),
    /// Of the peer's.
    Transferee(TransfereeEvent),
    /// Nothing more comes.
    Finished,
}
