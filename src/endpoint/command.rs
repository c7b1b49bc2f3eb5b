//! What the handles tell the loop to do, and what both look at.

use super::log::{Log, Registry};
use super::mailbox::Post;
use super::switch::Unswitchable;
use super::{Config, Stats};
use crate::message::{Flow, Ids, Message, Transport};
use crate::transaction::{ClientId, ServerId};
use crate::transport::{Network, TransportError};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The longest queue that may be asked for.
pub(super) const QUEUE_MAX: usize = 1 << 20;

/// What handles and loop both look at.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) network: Arc<dyn Network>,
    pub(super) registry: Registry,
    pub(super) stats: Mutex<Stats>,
    pub(super) unswitchable: Unswitchable,
    pub(super) local_addrs: Vec<(Transport, SocketAddr)>,
    pub(super) ids: Mutex<Ids>,
}

/// A command and when it was given.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) at: Instant,
    pub(super) command: Command,
}

/// What the loop is told to do.
#[derive(Debug)]
pub(super) enum Command {
    Request {
        flow: Flow,
        log: Arc<Log>,
        post: Post,
    },
    Outside {
        request: Box<Message>,
        flow: Flow,
    },
    Cancel {
        invite: ClientId,
        reason: Option<String>,
        flow: Flow,
        log: Arc<Log>,
        post: Post,
    },
    Respond {
        id: ServerId,
        response: Box<Message>,
        /// Nothing is kept of it.
        once: bool,
    },
    Abandon(ServerId),
    Raw {
        flow: Flow,
        bytes: Bytes,
    },
    Open {
        local: Option<IpAddr>,
        remote: SocketAddr,
        log: Option<Arc<Log>>,
        reply: oneshot::Sender<Result<Flow, TransportError>>,
    },
    Disconnect(Flow),
    CloseWhenIdle {
        flow: Flow,
        time: Duration,
    },
    Close,
}
