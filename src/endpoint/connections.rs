//! The connections of an endpoint: bounded, by flow and by remote, and who waits for what on each.

use super::log::Log;
use crate::message::{Flow, Transport};
use crate::transaction::{ClientId, Owner};
use crate::transport::{Carried, Settings, Stream, TransportError, TransportErrorKind, spawn_connection};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Users of a connection after which those that are gone are sorted out for the first time.
const USERS_AT_FIRST: usize = 16;

/// All of them.
#[derive(Debug)]
pub(super) struct Connections {
    by_id: BTreeMap<u64, Connection>,
    by_flow: HashMap<Flow, u64>,
    by_remote: HashMap<SocketAddr, BTreeSet<u64>>,
    opening: HashMap<Route, Vec<Waiter>>,
    last_id: u64,
    /// Connections that peers opened, by whose they are.
    accepted: HashMap<IpAddr, usize>,
    bounds: Bounds,
    settings: Settings,
    events: mpsc::Sender<Carried>,
}

/// How many there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) all: usize,
    /// Of those that peers opened.
    pub(super) accepted: usize,
    /// Of those that peers of one address opened.
    pub(super) per_address: usize,
    /// Most recorders on one of them.
    pub(super) shared_by: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) flow: Flow,
    /// `None` once it is told to close.
    queue: Option<mpsc::Sender<Bytes>>,
    /// The time without a message after which it is closed.
    idle: watch::Sender<Duration>,
    /// The peer sends nothing more.
    half_closed: bool,
    /// We opened it.
    opened: bool,
    /// Client transactions that wait for an answer on it, in the order in which they began.
    pub(super) waiting: BTreeMap<u64, ClientId>,
    /// Scopes that used it and want to know of its end.
    users: Vec<Weak<Log>>,
    sort_out_at: usize,
}

/// From where to where a connection is being opened.
pub(super) type Route = (Option<IpAddr>, SocketAddr);

/// Who waits for a connection to open.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A caller who wants a flow.
    Caller { reply: oneshot::Sender<Result<Flow, TransportError>>, log: Option<Arc<Log>> },
    /// A response whose connection is gone.
    Response { bytes: Bytes, owner: Owner, log: Option<Arc<Log>>, retransmission: u32 },
}

impl Connections {
    pub(super) fn new(bounds: Bounds, settings: Settings, events: mpsc::Sender<Carried>) -> Connections {
        Connections {
            by_id: BTreeMap::new(),
            by_flow: HashMap::new(),
            by_remote: HashMap::new(),
            opening: HashMap::new(),
            last_id: 0,
            accepted: HashMap::new(),
            bounds: Bounds { shared_by: bounds.shared_by.max(1), ..bounds },
            settings,
            events,
        }
    }
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Takes a stream on; `opened` when it was us who opened it.
    ///
    /// # Errors
    /// The limit, or a stream that has no addresses any more.
    pub(super) fn add(&mut self, stream: Box<dyn Stream>, opened: bool) -> Result<Flow, TransportErrorKind> {
        if self.by_id.len() >= self.bounds.all {
            return Err(TransportErrorKind::Limit("max_connections"));
        }
        let addresses = stream.local_addr().and_then(|local| Ok((local, stream.remote_addr()?)));
        let (local, remote) = addresses.map_err(|_| TransportErrorKind::Closed)?;
        let flow = Flow { transport: Transport::Tcp, local, remote };
        if !opened {
            let whose = whose(remote.ip());
            let of_peer = self.accepted.get(&whose).copied().unwrap_or_default();
            if of_peer >= self.bounds.per_address {
                return Err(TransportErrorKind::Limit("max_connections_per_address"));
            }
            if self.accepted.values().sum::<usize>() >= self.bounds.accepted {
                return Err(TransportErrorKind::Limit("open files"));
            }
            self.accepted.insert(whose, of_peer + 1);
        }
        self.last_id += 1;
        let id = self.last_id;
        let mut settings = self.settings.clone();
        if opened {
            settings.first_message_timeout = None;
        } else {
            settings.keep_alive = None;
        }
        let (idle, idle_seen) = watch::channel(settings.idle_timeout);
        let queue = spawn_connection(id, stream, settings, idle_seen, self.events.clone());
        let connection = Connection {
            flow,
            queue: Some(queue),
            idle,
            half_closed: false,
            opened,
            waiting: BTreeMap::new(),
            users: Vec::new(),
            sort_out_at: USERS_AT_FIRST,
        };
        self.by_id.insert(id, connection);
        self.by_flow.insert(flow, id);
        self.by_remote.entry(flow.remote).or_default().insert(id);
        Ok(flow)
    }

    /// Forgets a connection that has ended.
    pub(super) fn remove(&mut self, id: u64) -> Option<Connection> {
        let connection = self.by_id.remove(&id)?;
        let whose = whose(connection.flow.remote.ip());
        if !connection.opened
            && let Some(of_peer) = self.accepted.get_mut(&whose)
        {
            *of_peer -= 1;
            if *of_peer == 0 {
                self.accepted.remove(&whose);
            }
        }
        // The same flow may have been opened again meanwhile.
        if self.by_flow.get(&connection.flow) == Some(&id) {
            self.by_flow.remove(&connection.flow);
        }
        if let Some(ids) = self.by_remote.get_mut(&connection.flow.remote) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_remote.remove(&connection.flow.remote);
            }
        }
        Some(connection)
    }

    pub(super) fn get(&self, id: u64) -> Option<&Connection> {
        self.by_id.get(&id)
    }

    pub(super) fn by_flow(&mut self, flow: &Flow) -> Option<&mut Connection> {
        self.by_id.get_mut(self.by_flow.get(flow)?)
    }

    /// The oldest connection to `remote` (from `local` when given) that takes requests and has a place for this recorder; where no further one may
    /// be opened, it is shared by more.
    pub(super) fn usable(&self, (local, remote): Route, log: Option<&Arc<Log>>) -> Option<Flow> {
        let ids = self.by_remote.get(&remote)?;
        let all = || {
            let here = ids.iter().filter_map(|id| self.by_id.get(id));
            here.filter(|c| c.takes_requests() && local.is_none_or(|ip| ip == c.flow.local.ip()))
        };
        let Some(log) = log else { return all().next().map(|c| c.flow) };
        let is_full = self.by_id.len() + self.opening.len() >= self.bounds.all;
        all()
            .find(|c| c.is_used_by(log))
            .or_else(|| all().find(|c| c.has_place(log, self.bounds.shared_by)))
            .or_else(|| all().find(|_| is_full && !log.is_apart()))
            .map(|c| c.flow)
    }

    /// May this recorder use a connection that was just opened for somebody?
    pub(super) fn has_place(&self, flow: &Flow, log: &Arc<Log>) -> bool {
        let connection = self.by_flow.get(flow).and_then(|id| self.by_id.get(id));
        connection.is_some_and(|c| c.is_used_by(log) || c.has_place(log, self.bounds.shared_by))
    }

    /// The peer will send nothing more: gives the transactions that wait in vain. It stays open a while for answers of ours when
    /// `answers` says that there may be some.
    pub(super) fn half_close(&mut self, id: u64, answers: bool) -> Vec<ClientId> {
        let Some(connection) = self.by_id.get_mut(&id) else { return Vec::new() };
        connection.half_closed = true;
        if !answers {
            connection.close();
        }
        std::mem::take(&mut connection.waiting).into_values().collect()
    }

    /// Waits for a connection; true when it has to be opened (else somebody does that already).
    ///
    /// # Errors
    /// Who could not wait, and which limit says so.
    pub(super) fn wait(
        &mut self,
        route: Route,
        waiter: Waiter,
    ) -> Result<bool, Box<(Waiter, TransportError)>> {
        let in_use = self.by_id.len() + self.opening.len();
        let error = |which| TransportError {
            transport: Transport::Tcp,
            remote: route.1,
            kind: TransportErrorKind::Limit(which),
        };
        if let Some(waiters) = self.opening.get_mut(&route) {
            // Callers wait themselves, so they are bounded; responses are not.
            if matches!(waiter, Waiter::Response { .. }) && waiters.len() >= self.settings.send_queue {
                return Err(Box::new((waiter, error("send_queue"))));
            }
            waiters.push(waiter);
            return Ok(false);
        }
        if in_use >= self.bounds.all {
            return Err(Box::new((waiter, error("max_connections"))));
        }
        self.opening.insert(route, vec![waiter]);
        Ok(true)
    }

    /// Opening has ended: who waited for it.
    pub(super) fn opened(&mut self, route: Route) -> Vec<Waiter> {
        self.opening.remove(&route).unwrap_or_default()
    }
}

impl Connection {
    pub(super) fn takes_requests(&self) -> bool {
        !self.half_closed && self.queue.as_ref().is_some_and(|queue| !queue.is_closed())
    }

    /// Queues bytes. Responses still go out when the peer has closed its own direction only.
    ///
    /// # Errors
    /// A full queue, or a connection that is closing.
    pub(super) fn send(&mut self, bytes: &Bytes, is_request: bool) -> Result<(), TransportError> {
        let kind = match &self.queue {
            Some(queue) if !(is_request && self.half_closed) => match queue.try_send(bytes.clone()) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => TransportErrorKind::Limit("send_queue"),
                Err(mpsc::error::TrySendError::Closed(_)) => TransportErrorKind::Closed,
            },
            _ => TransportErrorKind::Closed,
        };
        Err(TransportError { transport: Transport::Tcp, remote: self.flow.remote, kind })
    }

    /// Closes it when what is queued is written.
    pub(super) fn close(&mut self) {
        self.queue = None;
    }

    /// Closes it after this time without a message in either direction (or a ping of the peer's), as soon as that has passed already.
    pub(super) fn close_when_idle(&mut self, time: Duration) {
        self.idle.send_replace(time);
    }

    /// Remembers a recorder that used it.
    pub(super) fn used_by(&mut self, log: &Arc<Log>) {
        if self
            .users
            .iter()
            .rev()
            .take(USERS_AT_FIRST)
            .any(|user| std::ptr::eq(user.as_ptr(), Arc::as_ptr(log)))
        {
            return;
        }
        if self.users.len() >= self.sort_out_at {
            self.users.retain(|user| user.strong_count() > 0);
            self.sort_out_at = (2 * self.users.len()).max(USERS_AT_FIRST);
        }
        self.users.push(Arc::downgrade(log));
    }

    /// Did this recorder use it, and, where it shares none, nobody else?
    fn is_used_by(&self, log: &Arc<Log>) -> bool {
        let is_it = |user: &Weak<Log>| std::ptr::eq(user.as_ptr(), Arc::as_ptr(log));
        self.users.iter().any(is_it)
            && (!log.is_apart() || self.users.iter().all(|user| is_it(user) || user.strong_count() == 0))
    }

    /// Is there room for one more?
    fn has_place(&self, log: &Arc<Log>, shared_by: usize) -> bool {
        let room = if log.is_apart() { 1 } else { shared_by };
        // Most are full, and their first users are there still.
        let live = self.users.iter().filter(|user| user.strong_count() > 0).take(room).count();
        live < room && !self.users.iter().filter_map(Weak::upgrade).any(|user| user.is_apart())
    }

    /// The recorders that used it and still are there, each once.
    pub(super) fn users(&self) -> Vec<Arc<Log>> {
        let mut seen = std::collections::HashSet::new();
        self.users.iter().filter_map(Weak::upgrade).filter(|log| seen.insert(Arc::as_ptr(log))).collect()
    }
}

/// Whose an address is: of IPv6 the first 64 bits, the rest of which a host chooses itself (RFC 4291 sec. 2.5.4).
fn whose(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}
