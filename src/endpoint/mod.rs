//! The single loop that joins packets, deadlines and commands, and the handles that the floors above hold.

use crate::error::Error;
use crate::message::{Flow, Ids, Message, Transport};
use crate::syntax::Limits;
use crate::transaction::{self, ServerId};
use crate::transport::{Network, Record, TransportError};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How an endpoint is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Addresses to bind, one UDP socket each; port 0 lets the system choose.
    pub udp: Vec<SocketAddr>,
    /// Addresses to listen on for TCP.
    pub tcp: Vec<SocketAddr>,
    /// Where sockets come from; the operating system unless told.
    pub network: Option<Arc<dyn Network>>,
    /// Seed of all identifiers; from the operating system unless told.
    pub seed: Option<[u8; 32]>,
    /// Timers and limits of transactions.
    pub transaction: transaction::Config,
    /// Limits of messages.
    pub limits: Limits,
    /// Requests over this many bytes go by TCP when the peer takes it (RFC 3261 sec. 18.1.1); default 1,300.
    pub udp_request_limit: usize,
    /// Most open connections; default 4,096.
    pub max_connections: usize,
    /// Time to open a connection; default 5 s.
    pub connect_timeout: Duration,
    /// Messages that wait for a connection's peer to read; default 256.
    pub send_queue: usize,
    /// Idle time after which a connection gets a CRLF keep-alive; default 25 s.
    pub keep_alive: Duration,
    /// Idle time after which a connection is closed; default 120 s.
    pub idle_timeout: Duration,
    /// Records kept for each scope; default 4,096.
    pub max_records: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            udp: Vec::new(),
            tcp: Vec::new(),
            network: None,
            seed: None,
            transaction: transaction::Config::default(),
            limits: Limits::default(),
            udp_request_limit: 1_300,
            max_connections: 4_096,
            connect_timeout: Duration::from_secs(5),
            send_queue: 256,
            keep_alive: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(120),
            max_records: 4_096,
        }
    }
}

/// A handle of a running endpoint; cheap to clone. The loop ends when the last handle is gone or [`Endpoint::close`] is called.
#[derive(Debug, Clone)]
pub struct Endpoint {}

/// Requests that came from the network, for the owner of the endpoint. When the owner does not keep up (queue of 1,024), requests are answered 503.
#[derive(Debug)]
pub struct Incoming {}

/// A request that came.
#[derive(Debug)]
pub struct IncomingRequest {
    /// Its server transaction; `None` for ACK.
    pub id: Option<ServerId>,
    /// The request, with `received`/`rport` filled in.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// When.
    pub at: Instant,
}

/// Counters of an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages sent, retransmissions too.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Datagrams and streams that held no SIP.
    pub malformed: u64,
    /// Messages that matched nothing.
    pub stray: u64,
    /// Bytes that could not be sent because the socket or a queue was full.
    pub dropped: u64,
}

impl Endpoint {
    /// Binds and starts the loop on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn bind(config: Config) -> Result<(Endpoint, Incoming), Error> {
        let _ = config;
        todo!()
    }
    /// Addresses that are really bound.
    pub fn local_addrs(&self) -> &[(Transport, SocketAddr)] {
        todo!()
    }
    /// An own source of identifiers, derived from the endpoint's.
    pub fn ids(&self) -> Ids {
        todo!()
    }
    /// A flow to `remote`: for TCP an open connection is used again or a new one opened.
    ///
    /// # Errors
    /// What kept us from reaching it.
    pub async fn flow(&self, transport: Transport, remote: SocketAddr) -> Result<Flow, TransportError> {
        let _ = (transport, remote);
        todo!()
    }
    /// Opens a scope: an owner of Call-IDs that keeps the record of their messages.
    pub fn scope(&self) -> Scope {
        todo!()
    }
    /// Answers a request.
    pub async fn respond(&self, id: ServerId, response: Message) -> Result<(), Error> {
        let _ = (id, response);
        todo!()
    }
    /// Sends bytes as they are, outside any transaction: for networks that misbehave on purpose.
    pub async fn send_raw(&self, flow: Flow, bytes: Bytes) -> Result<(), Error> {
        let _ = (flow, bytes);
        todo!()
    }
    /// Closes one connection.
    pub async fn disconnect(&self, flow: Flow) -> Result<(), Error> {
        let _ = flow;
        todo!()
    }
    /// Counters.
    pub fn stats(&self) -> Stats {
        todo!()
    }
    /// Ends the loop: connections are closed, running transactions end with [`ClientEvent::Failed`].
    pub async fn close(&self) {
        todo!()
    }
}

impl Incoming {
    /// The next request; `None` when the endpoint is closed.
    pub async fn next(&mut self) -> Option<IncomingRequest> {
        todo!()
    }
}

/// The owner of some Call-IDs and of the record of their messages. Dropping it forgets them.
#[derive(Debug)]
pub struct Scope {}

impl Scope {
    /// Sends a request (without Via) in a client transaction of its own. Messages of its Call-ID are recorded here from now on.
    /// A request over [`Config::udp_request_limit`] goes by TCP when the peer takes it; the record and [`ClientTransaction::flow`] say so.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn request(&self, request: Message, flow: Flow) -> Result<ClientTransaction, Error> {
        let _ = (request, flow);
        todo!()
    }
    /// Writes a note into the record.
    pub fn note(&self, flow: Flow, text: impl Into<String>) {
        let _ = (flow, text.into());
    }
    /// What was recorded so far, in order.
    pub fn records(&self) -> Vec<Record> {
        todo!()
    }
    /// How many there are.
    pub fn record_count(&self) -> usize {
        todo!()
    }
    /// Records that were dropped because of [`Config::max_records`].
    pub fn records_dropped(&self) -> u64 {
        todo!()
    }
}

/// A running client transaction. Dropping it lets the transaction end by itself, unheard.
#[derive(Debug)]
pub struct ClientTransaction {}

/// What a client transaction says.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A provisional response (1xx).
    Provisional(Received),
    /// A final response; for a non-INVITE the last event.
    Final(Received),
    /// No final response in time; the last event.
    Timeout,
    /// The request could not be sent, or its connection was lost; the last event.
    Failed(TransportError),
}

/// A response with its circumstances.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// The response.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// When the packet was read.
    pub at: Instant,
}

impl ClientTransaction {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        todo!()
    }
    /// The flow that is really used.
    pub fn flow(&self) -> Flow {
        todo!()
    }
    /// When the request was first sent.
    pub fn sent_at(&self) -> Instant {
        todo!()
    }
    /// How often it was sent again so far.
    pub fn retransmissions(&self) -> u32 {
        todo!()
    }
}
