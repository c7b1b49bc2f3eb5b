//! The transaction layer of RFC 3261 sec. 17 with RFC 6026 and RFC 4320: no sockets, no clock.
//!
//! Time is an argument and chance is seeded; [`Layer`] has the four verbs of every machine here.

use crate::message::{Flow, Ids, Message};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Timer values and limits.
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
    /// Most transactions alive at once, client and server together; default 1,000,000.
    pub max_transactions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
            max_transactions: 1_000_000,
        }
    }
}

/// Names a client transaction; never used twice by one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(u64);

/// Names a server transaction; never used twice by one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(u64);

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
    /// The transport could not send for a client transaction.
    ClientTransportError(ClientId),
    /// The transport could not send for a server transaction.
    ServerTransportError(ServerId),
}

/// What goes out, in order.
#[derive(Debug)]
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
        /// 0 for the first time, then counting retransmissions.
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
    /// A client transaction got no final response in time (timer B or F).
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
    /// A CANCEL that matches an INVITE server transaction (which is told apart from the CANCEL's own).
    Cancelled {
        /// The INVITE's transaction.
        invite: ServerId,
    },
    /// An ACK for a 2xx, for the dialog that it belongs to.
    Ack {
        /// The ACK.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A final response of ours got no ACK in time (timer H), or could not be sent.
    ServerFailed {
        /// Which transaction.
        id: ServerId,
    },
    /// A response that matches no transaction, or a message that lacks what matching needs.
    Stray {
        /// The message.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A client transaction is gone.
    ClientTerminated(ClientId),
    /// A server transaction is gone.
    ServerTerminated(ServerId),
}

/// Whose bytes a [`Output::Transmit`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A client transaction.
    Client(ClientId),
    /// A server transaction.
    Server(ServerId),
}

/// [`Config::max_transactions`] is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit of live transactions is reached")]
pub struct Full;

/// All transactions of an endpoint.
#[derive(Debug)]
pub struct Layer {
    _config: Config,
    _ids: Ids,
}

impl Layer {
    /// An empty layer; `ids` gives branches and the key of the tables.
    pub fn new(config: Config, ids: Ids) -> Layer {
        Layer { _config: config, _ids: ids }
    }
    /// Opens a client transaction for a request without its own Via: puts Via (with branch and `rport`) on top and sends it. ACK of a 2xx opens none: see `send_ack`.
    ///
    /// # Errors
    /// [`Full`].
    pub fn send(&mut self, now: Instant, request: &Message, flow: Flow) -> Result<ClientId, Full> {
        let _ = (now, request, flow);
        todo!()
    }
    /// Sends a response of ours.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Message) {
        let _ = (now, id, response);
        todo!()
    }
    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let _ = (now, input);
        todo!()
    }
    /// The time of [`Layer::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }
    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        todo!()
    }
    /// When [`Layer::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
}
