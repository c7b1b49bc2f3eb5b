//! How an endpoint is set up, and what it counts.

use crate::syntax::Limits;
use crate::transaction;
use crate::transport::{Network, Resolve};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How an endpoint is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Addresses to bind, one UDP socket each; port 0 lets the system choose.
    pub udp: Vec<SocketAddr>,
    /// Addresses to listen on for TCP; port 0 takes the port of the UDP socket of the same address where it is free.
    pub tcp: Vec<SocketAddr>,
    /// Source of sockets. [default: the operating system]
    pub network: Option<Arc<dyn Network>>,
    /// Resolver of names. [default: the operating system]
    pub resolver: Option<Arc<dyn Resolve>>,
    /// Seed of all identifiers. [default: from the operating system]
    pub seed: Option<[u8; 32]>,
    /// Timers and limits of transactions.
    pub transaction: transaction::Config,
    /// Limits of messages.
    pub limits: Limits,
    /// Requests over this many bytes, Via included, go by TCP when the peer takes it (RFC 3261 sec. 18.1.1); default 1,300.
    pub udp_request_limit: usize,
    /// Time that a peer has to take such a request's connection before it goes by UDP after all; default 1 s.
    /// Who let it pass is not tried again for 60 s.
    pub switch_timeout: Duration,
    /// Most open connections, those being opened too; default 4,096. Of those that peers opened there are at most half as many as this process
    /// may open files ([`descriptor_limit`](crate::transport::descriptor_limit)), so that calls still find room for their ports.
    pub max_connections: usize,
    /// Most open connections that peers of one address opened (of one /64 for IPv6); default 256. Further ones are closed at once, so that nobody
    /// alone takes all of [`Config::max_connections`].
    pub max_connections_per_address: usize,
    /// Time that a connection which a peer opened has for its first whole message, keep-alives apart; default 10 s. It is closed then.
    pub first_message_timeout: Duration,
    /// Scopes (checks of one account each) that share a connection to one remote at a time; a further one opens another. Default 16. When
    /// a connection has to be given up, all of them lose it, and each tries again on one of its own.
    pub recorders_per_connection: usize,
    /// Time to open a connection; default 5 s.
    pub connect_timeout: Duration,
    /// Messages that wait for a connection's peer to read; default 256. Reaching it is
    /// [`TransportErrorKind::Limit`](crate::transport::TransportErrorKind::Limit).
    pub send_queue: usize,
    /// Datagrams that wait for a socket's buffer; default 1,024. Reaching it is a `Limit` too.
    pub udp_send_queue: usize,
    /// Silence after which a connection that we opened gets a CRLF keep-alive (RFC 5626 sec. 4.4.1); default 25 s, none when 0.
    pub keep_alive: Duration,
    /// Time without a message, or a ping of the peer's, after which a connection is closed; default 120 s.
    pub idle_timeout: Duration,
    /// Records kept for each recorder; default 4,096.
    pub max_records: usize,
    /// Bytes of messages kept for each recorder; default 4 MiB.
    pub max_record_bytes: usize,
    /// Datagrams of media kept for each recorder; default 100,000.
    pub max_media_records: usize,
    /// Bytes of media kept for each recorder; default 32 MiB.
    pub max_media_bytes: usize,
    /// Requests that wait for the owner of [`Incoming`](super::Incoming); default 1,024. Those beyond are answered 503.
    pub incoming_queue: usize,
    /// Commands that wait for the loop; callers beyond wait too. Default 1,024.
    pub command_queue: usize,
    /// How the endpoint names itself in answers that it gives by itself (Server).
    pub user_agent: String,
    /// Find out whether a silent UDP port is closed, default true: the system tells an unconnected socket nothing of an ICMP
    /// "port unreachable". So, when a request to a remote that never answered anything is sent for the second time, a CRLF
    /// keep-alive (four bytes, RFC 5626 sec. 3.5.1) goes out once from a socket of its own, and when that is refused, the
    /// transactions that wait for this remote end with
    /// [`TransportErrorKind::Refused`](crate::transport::TransportErrorKind::Refused) instead of a timeout 32 s later.
    pub detect_closed_ports: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            udp: Vec::new(),
            tcp: Vec::new(),
            network: None,
            resolver: None,
            seed: None,
            transaction: transaction::Config::default(),
            limits: Limits::default(),
            udp_request_limit: 1_300,
            switch_timeout: Duration::from_secs(1),
            max_connections: 4_096,
            max_connections_per_address: 256,
            first_message_timeout: Duration::from_secs(10),
            recorders_per_connection: 16,
            connect_timeout: Duration::from_secs(5),
            send_queue: 256,
            udp_send_queue: 1_024,
            keep_alive: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(120),
            max_records: 4_096,
            max_record_bytes: 4 << 20,
            max_media_records: 100_000,
            max_media_bytes: 32 << 20,
            incoming_queue: 1_024,
            command_queue: 1_024,
            user_agent: concat!("ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
            detect_closed_ports: true,
        }
    }
}

/// Counters of an endpoint, from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages sent, retransmissions too.
    pub sent: u64,
    /// Messages sent again.
    pub retransmitted: u64,
    /// Messages received.
    pub received: u64,
    /// Datagrams and streams that held no SIP.
    pub malformed: u64,
    /// Messages that matched nothing.
    pub stray: u64,
    /// Messages that could not be sent because the socket or a queue was full.
    pub dropped: u64,
    /// Datagrams that the system dropped because a socket's receive buffer was full: we did not read fast enough. It says so (Linux does) with
    /// the next datagram that it has room for.
    pub receive_dropped: u64,
    /// Requests answered 503 because nobody took them from [`Incoming`](super::Incoming), or for want of transactions.
    pub refused: u64,
    /// Connections not accepted because of [`Config::max_connections`] or [`Config::max_connections_per_address`].
    pub connections_refused: u64,
    /// Provisional responses that nobody fetched and that made room.
    pub events_dropped: u64,
    /// Client transactions that wait for an answer, and INVITEs until they end.
    pub clients: u64,
    /// Live server transactions.
    pub servers: u64,
    /// Open connections.
    pub connections: u64,
    /// Datagrams that wait for a socket's buffer now.
    pub send_queue: u64,
    /// The most that ever waited for one socket.
    pub send_queue_max: u64,
    /// How late a retransmission or timeout was handled, at most: 1 ms is the clock's grain, much more says that the probe
    /// itself was the limit.
    pub deadline_lag_max: Duration,
    /// The last one.
    pub deadline_lag: Duration,
    /// Retransmissions, timeouts and commands that were handled more than [`Stats::LATE`] after their time: the loop did not get to run,
    /// or had too much to do.
    pub late: u64,
    /// Longest time that a command waited for the loop.
    pub command_lag_max: Duration,
    /// The last one.
    pub command_lag: Duration,
}

impl Stats {
    /// From here on a deadline or command was late: half of T1, the time after which a request is sent again. Who is later than
    /// that finds answers in his buffers that would have come in time.
    pub const LATE: Duration = Duration::from_millis(250);

    /// Was the endpoint itself the limit at some time after `before`? In words, if it was: because something was handled later than
    /// [`Stats::LATE`], or because a queue or buffer of ours was full and something was not sent or not read. What did not come since then
    /// says nothing about a peer.
    pub fn limited_since(&self, before: &Stats) -> Option<String> {
        let late = self.late.saturating_sub(before.late);
        let unsent = self.dropped.saturating_sub(before.dropped);
        let unread = self.receive_dropped.saturating_sub(before.receive_dropped);
        let lag = self.deadline_lag_max.max(self.command_lag_max).as_millis();
        let mut limits = Vec::new();
        if late > 0 {
            limits.push(format!("our own loop was late {late} times, by up to {lag} ms"));
        }
        if unsent > 0 {
            limits.push(format!("{unsent} messages were not sent because a queue of ours was full"));
        }
        if unread > 0 {
            limits.push(format!("{unread} datagrams were lost because a receive buffer of ours was full"));
        }
        (!limits.is_empty()).then(|| limits.join(", and "))
    }
}
