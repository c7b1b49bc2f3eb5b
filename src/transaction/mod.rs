//! The transaction layer of RFC 3261 sec. 17 with RFC 6026 and RFC 4320: no sockets, no clock.
//!
//! Time is an argument and chance is seeded; [`Layer`] has the four verbs of every machine here. One file holds one of the four
//! machines; the layer finds the one that a message belongs to and keeps the time of all.
//!
//! | what comes | what becomes of it |
//! |---|---|
//! | a response to a request of ours, by branch and method | [`Output::Response`]; an ACK is sent where the rules want one |
//! | any other response | [`Output::Stray`] |
//! | a request | [`Output::Request`], once; its retransmissions get the same bytes again |
//! | the same request on another way (RFC 3261 sec. 8.2.2.2) | answered 482 |
//! | a response with more Vias than ours (RFC 3261 sec. 8.1.3.3) | [`Output::Stray`] |
//! | a CANCEL | answered 200 (with the To tag of the INVITE's responses) or 481; [`Output::Cancelled`] for an INVITE that is not yet answered |
//! | an ACK | absorbed, or [`Output::Ack`] when it is for a 2xx |
//! | a request without a mandatory field | answered 400, [`Output::Refused`]; [`Output::Stray`] when that cannot be |
//! | a request beyond [`Config::max_transactions`] | answered 503, counted by [`Layer::refused`] |
//!
//! A 2xx to an INVITE is sent again by its user, not here, and so is the ACK for it (RFC 6026 sec. 7.1). A timeout is
//! [`Output::Timeout`], never a made-up 408. Whoever is no longer interested in a client transaction just ignores its outputs: it
//! ends by itself.
//!
//! # Example
//! A request that nobody answers, in virtual time:
//! ```
//! use ringback::message::{Builder, Flow, Ids, Transport};
//! use ringback::syntax::{HeaderName, Method};
//! use ringback::transaction::{Config, Layer, Output};
//! use std::time::{Duration, Instant};
//!
//! let request = Builder::request(Method::Options, "sip:bob@192.0.2.2")
//!     .header(HeaderName::MaxForwards, "70")
//!     .header(HeaderName::From, "<sip:alice@192.0.2.1>;tag=1")
//!     .header(HeaderName::To, "<sip:bob@192.0.2.2>")
//!     .header(HeaderName::CallId, "1")
//!     .header(HeaderName::CSeq, "1 OPTIONS")
//!     .build()?;
//! let flow = Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse()?, remote: "192.0.2.2:5060".parse()? };
//!
//! let mut layer = Layer::new(Config::default(), Ids::from_seed([0; 32]));
//! let start = Instant::now();
//! let mut now = start;
//! layer.send(now, &request, flow)?;
//! let mut sent_at = Vec::new();
//! loop {
//!     match layer.poll_output() {
//!         Some(Output::Transmit { .. }) => sent_at.push((now - start).as_millis()),
//!         Some(Output::Timeout { .. }) => break,
//!         Some(_) => {}
//!         None => {
//!             now = layer.poll_timeout().expect("a live transaction has a timer");
//!             layer.handle_timeout(now);
//!         }
//!     }
//! }
//! assert_eq!(sent_at[..5], [0, 500, 1_500, 3_500, 7_500]);
//! assert_eq!(now - start, Duration::from_secs(32));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod branch;
mod buffers;
mod derived;
mod flow;
mod invite_client;
mod invite_server;
mod key;
mod layer;
mod machine;
mod non_invite_client;
mod non_invite_server;
mod slab;
mod step;
mod table;
mod timers;
mod wheel;

#[cfg(test)]
mod tests;

pub use derived::cancel_of;
pub use layer::Layer;

use crate::message::{FieldError, Flow, Message};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// Timer values and limits. Values count in whole milliseconds, rounded up, and at least one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Round-trip estimate; default 500 ms.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE responses; default 4 s.
    pub t2: Duration,
    /// Longest time that a message stays in the network; default 5 s.
    pub t4: Duration,
    /// Timer D on unreliable transports; default 32 s.
    pub d: Duration,
    /// Longest time that an INVITE transaction waits for its final response after a provisional one, on
    /// either side; default 1 h. (RFC 3261 has no limit for a user agent.)
    pub proceeding: Duration,
    /// Most transactions alive at once, client and server together; default 1,000,000. Each takes about 170 bytes and, over UDP, its
    /// request or response; at this limit they take half a gigabyte. A server transaction over UDP lives for 64*T1: 100,000 of them are 3,000
    /// requests in a second, and a busy peer or a load test sends more than that.
    pub max_transactions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
            proceeding: Duration::from_secs(3_600),
            max_transactions: 1_000_000,
        }
    }
}

/// Names a client transaction; never used twice by one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(slab::Id);

/// Names a server transaction; never used twice by one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(slab::Id);

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// A message from the network.
    Received {
        /// The message; a request already carries `received`/`rport`.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// The transport could not send for a client transaction, or lost its connection.
    ClientTransportError(ClientId),
    /// The transport could not send for a server transaction, or lost its connection.
    ServerTransportError(ServerId),
}

/// What goes out, in order. Its `Debug` shows no bytes: they may hold credentials.
#[non_exhaustive]
pub enum Output {
    /// Bytes for the network.
    Transmit {
        /// Whose.
        owner: Owner,
        /// Where to.
        flow: Flow,
        /// The bytes.
        bytes: Bytes,
        /// 0 for the first time that these bytes are sent, then counting.
        retransmission: u32,
    },
    /// A response for the user of a client transaction (provisional ones too, each 2xx of an INVITE too).
    Response {
        /// Which transaction.
        id: ClientId,
        /// The response.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A client transaction got no final response in time (timer B or F, [`Config::proceeding`], or 64*T1
    /// after a CANCEL).
    Timeout {
        /// Which transaction.
        id: ClientId,
    },
    /// A client transaction's request could not be sent.
    ClientTransportFailed {
        /// Which transaction.
        id: ClientId,
    },
    /// A new request that opened a server transaction.
    Request {
        /// Which transaction.
        id: ServerId,
        /// The request.
        message: Message,
        /// Where it came from; responses go back there.
        flow: Flow,
    },
    /// A CANCEL for an INVITE that has no final response yet. The CANCEL itself is answered already; the
    /// INVITE wants a 487 from its user.
    Cancelled {
        /// The INVITE's transaction.
        invite: ServerId,
        /// Reason values of the CANCEL (RFC 3326), as they came; at most 8.
        reasons: Vec<String>,
    },
    /// An ACK for a 2xx, or one that matches no transaction: for the dialog that it belongs to.
    Ack {
        /// The ACK.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A final response of ours got no ACK in time (timer H), a response could not be sent, or the user did
    /// not come to a final response within [`Config::proceeding`]. After a failed response to an INVITE the
    /// transaction lives on, so that retransmissions are known as such (RFC 6026 sec. 7.1).
    ServerFailed {
        /// Which transaction.
        id: ServerId,
    },
    /// A response that matches no transaction or has more Vias than ours, a 2xx that comes after another final response, an ACK before
    /// any final response, or a message that lacks what matching or answering needs.
    Stray {
        /// The message.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A request that lacks what matching or answering needs, or has it unreadable: it was answered 400.
    Refused {
        /// The request.
        message: Message,
        /// Where it came from.
        flow: Flow,
        /// What is wrong with it.
        why: FieldError,
    },
    /// A client transaction is gone.
    ClientTerminated(ClientId),
    /// A server transaction is gone; also, without more words, one that nobody answered for 64*T1 (not
    /// INVITE: nobody waits any more).
    ServerTerminated(ServerId),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one =
            |f: &mut fmt::Formatter<'_>, name, id: &dyn fmt::Debug| f.debug_tuple(name).field(id).finish();
        match self {
            Output::Transmit { owner, flow, bytes, retransmission } => f
                .debug_struct("Transmit")
                .field("owner", owner)
                .field("flow", flow)
                .field("length", &bytes.len())
                .field("retransmission", retransmission)
                .finish(),
            Output::Response { id, message, flow } => {
                f.debug_tuple("Response").field(id).field(message).field(flow).finish()
            }
            Output::Request { id, message, flow } => {
                f.debug_tuple("Request").field(id).field(message).field(flow).finish()
            }
            Output::Ack { message, flow } => f.debug_tuple("Ack").field(message).field(flow).finish(),
            Output::Stray { message, flow } => f.debug_tuple("Stray").field(message).field(flow).finish(),
            Output::Refused { message, flow, why } => {
                f.debug_tuple("Refused").field(message).field(flow).field(why).finish()
            }
            Output::Timeout { id } => one(f, "Timeout", id),
            Output::ClientTransportFailed { id } => one(f, "ClientTransportFailed", id),
            Output::Cancelled { invite, .. } => one(f, "Cancelled", invite),
            Output::ServerFailed { id } => one(f, "ServerFailed", id),
            Output::ClientTerminated(id) => one(f, "ClientTerminated", id),
            Output::ServerTerminated(id) => one(f, "ServerTerminated", id),
        }
    }
}

/// Whose bytes a [`Output::Transmit`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// None: an answer outside any transaction, or what [`Layer::send_outside`] was given.
    None,
    /// A client transaction.
    Client(ClientId),
    /// A server transaction.
    Server(ServerId),
}

/// [`Config::max_transactions`] is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit of live transactions is reached")]
pub struct Full;

/// Why a response was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The transaction is gone, or was abandoned.
    #[error("the transaction is gone")]
    Gone,
    /// It has its final response already.
    #[error("the request has its final response")]
    Answered,
    /// Not a response, a status outside 100 to 699, or one that RFC 4320 forbids for a request other than
    /// INVITE: 408, a provisional response other than 100, or a 100 over an unreliable transport before the
    /// client's timer E has reached T2.
    #[error("such a response must not be sent here")]
    Forbidden,
}

/// Why an INVITE was not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CancelError {
    /// No INVITE client transaction that waits for its final response, or one that is being cancelled.
    #[error("there is nothing to cancel")]
    NotPending,
    /// The Reason cannot stand in a header ([`Reason::is_value`](crate::syntax::Reason::is_value)).
    #[error("this is no value of a Reason header")]
    BadReason,
    /// [`Config::max_transactions`] is reached.
    #[error(transparent)]
    Full(#[from] Full),
}
