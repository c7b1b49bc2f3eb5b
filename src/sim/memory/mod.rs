//! A network in memory, in tokio's time: hosts by address, datagrams and streams, seeded loss and delay, NAT.
//!
//! Under `tokio::time::pause` the time is virtual, and the same seed gives the same run to the millisecond.
//!
//! ```
//! use ringback::sim::{Link, MemoryNetwork};
//! use ringback::transport::Network;
//! use std::time::Duration;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = MemoryNetwork::new([7; 32]);
//! let phone = network.host(["10.0.0.1".parse()?]);
//! let server = network.host(["192.0.2.1".parse()?, "2001:db8::1".parse()?]);
//! network.link_all(Link::new().delay(Duration::from_millis(20)).loss(0.05));
//! let socket = server.bind_udp("192.0.2.1:5060".parse()?)?;
//! assert_eq!(socket.local_addr()?.port(), 5060);
//! assert_eq!(phone.source_for("192.0.2.1:5060".parse()?)?.to_string(), "10.0.0.1");
//! # Ok(()) }
//! ```

mod datagrams;
mod link;
mod nat;
mod streams;
#[cfg(test)]
mod tests;

pub use link::Link;
pub use nat::Nat;

use crate::transport::{BoxFuture, Datagrams, Listener, Network, Stream};
use bytes::Bytes;
use datagrams::{Inbox, MemoryDatagrams};
use link::Path;
use nat::Translator;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};
use streams::{Backlog, MemoryListener, MemoryStream, Side};
use tokio::time::Instant;

/// The largest datagram.
const MAX_DATAGRAM: usize = 65_507;
const FIRST_EPHEMERAL: u16 = 49_152;

/// Whether a host tells that a datagram port is closed. As with the sockets of an operating system that are not connected, sending goes
/// well all the same; [`Network::probe_udp`] is told, and sockets that [are to tell](Datagrams::tell_refusals). Streams are always refused by a closed port; at an address without a host, datagrams
/// vanish and connecting never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClosedPort {
    /// As with "ICMP port unreachable".
    #[default]
    Refuse,
    /// Nothing comes back.
    Vanish,
}

/// What a [`MemoryNetwork`] did to datagrams so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Handed in by senders.
    pub sent: u64,
    /// Put on their way to a socket, second copies too.
    pub delivered: u64,
    /// Lost by a link.
    pub lost: u64,
    /// Delivered a second time.
    pub duplicated: u64,
    /// For nobody, or not let in by a NAT.
    pub unreachable: u64,
    /// Dropped because the socket's queue (4,096 datagrams) was full.
    pub overflowed: u64,
}

/// A network in memory. Cheap to clone: every clone is the same network.
#[derive(Debug, Clone)]
pub struct MemoryNetwork {
    shared: Arc<Shared>,
}

pub(in crate::sim) struct Shared(Mutex<State>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State {
    seed: [u8; 32],
    link: Link,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    paths: BTreeMap<(IpAddr, IpAddr), Path>,
    /// Each host address and the public address of the NAT in front of it.
    hosts: BTreeMap<IpAddr, Option<IpAddr>>,
    nats: BTreeMap<IpAddr, Translator>,
    next_port: BTreeMap<IpAddr, u16>,
    sockets: BTreeMap<SocketAddr, Arc<Inbox>>,
    listeners: BTreeMap<SocketAddr, Arc<Backlog>>,
    stream_ports: BTreeSet<SocketAddr>,
    closed_port: ClosedPort,
    stats: MemoryStats,
}

impl MemoryNetwork {
    /// A network without hosts whose links carry everything at once.
    pub fn new(seed: [u8; 32]) -> MemoryNetwork {
        let state = State {
            seed,
            link: Link::new(),
            links: BTreeMap::new(),
            paths: BTreeMap::new(),
            hosts: BTreeMap::new(),
            nats: BTreeMap::new(),
            next_port: BTreeMap::new(),
            sockets: BTreeMap::new(),
            listeners: BTreeMap::new(),
            stream_ports: BTreeSet::new(),
            closed_port: ClosedPort::default(),
            stats: MemoryStats::default(),
        };
        MemoryNetwork { shared: Arc::new(Shared(Mutex::new(state))) }
    }
    /// A host with these addresses; what it binds to a wildcard address is bound to its first address of that family.
    pub fn host(&self, addresses: impl IntoIterator<Item = IpAddr>) -> MemoryHost {
        self.add_host(addresses.into_iter().collect(), None)
    }
    /// A host behind a NAT with this public address; several hosts may stand behind one (the first call's rules count). Addresses are
    /// unique in the whole network, private ones too.
    pub fn host_behind(
        &self,
        nat: Nat,
        public: IpAddr,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> MemoryHost {
        self.shared.lock().nats.entry(public).or_insert_with(|| Translator::new(nat));
        self.add_host(addresses.into_iter().collect(), Some(public))
    }
    fn add_host(&self, addresses: Vec<IpAddr>, nat: Option<IpAddr>) -> MemoryHost {
        let mut state = self.shared.lock();
        for address in &addresses {
            state.hosts.insert(*address, nat);
        }
        MemoryHost { shared: Arc::clone(&self.shared), addresses }
    }
    /// The link of every direction that has none of its own.
    pub fn link_all(&self, link: Link) {
        self.shared.lock().link = link;
    }
    /// The link from one host to another, by the hosts' own addresses (not a NAT's). Takes effect for what is sent from now on.
    pub fn link(&self, from: IpAddr, to: IpAddr, link: Link) {
        self.shared.lock().links.insert((from, to), link);
    }
    /// What happens to datagrams for closed ports.
    pub fn closed_port(&self, closed_port: ClosedPort) {
        self.shared.lock().closed_port = closed_port;
    }
    /// What happened so far.
    pub fn stats(&self) -> MemoryStats {
        self.shared.lock().stats
    }
}

impl State {
    fn path(&mut self, from: IpAddr, to: IpAddr) -> (&mut Path, Link) {
        let link = self.links.get(&(from, to)).copied().unwrap_or(self.link);
        let seed = self.seed;
        (self.paths.entry((from, to)).or_insert_with(|| Path::new(seed, from, to)), link)
    }

    fn stream_delay(&mut self, from: IpAddr, to: IpAddr) -> Duration {
        let (path, link) = self.path(from, to);
        path.stream(&link)
    }

    /// The public address of the NAT that packets from `from` to `to` pass on their way out.
    fn nat_between(&self, from: IpAddr, to: IpAddr) -> Option<IpAddr> {
        let nat_of = |ip| self.hosts.get(&ip).copied().flatten();
        nat_of(from).filter(|nat| nat_of(to) != Some(*nat))
    }

    /// Puts a datagram on its way; `true` when it reached a host where nobody listens.
    fn send_datagram(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<bool> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long for a datagram"));
        }
        if from.is_ipv4() != to.is_ipv4() {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        let now = Instant::now();
        self.stats.sent += 1;
        let mut source = from;
        if let Some(public) = self.nat_between(from.ip(), to.ip())
            && let Some(translator) = self.nats.get_mut(&public)
        {
            source = SocketAddr::new(public, translator.outgoing(from, to, now));
        }
        let target = match self.nats.get(&to.ip()) {
            Some(translator) => translator.incoming(to.port(), source, now),
            None => Some(to).filter(|to| self.nat_between(to.ip(), from.ip()).is_none()),
        };
        let Some(target) = target.filter(|target| self.hosts.contains_key(&target.ip())) else {
            self.stats.unreachable += 1;
            return Ok(false);
        };
        let (path, link) = self.path(from.ip(), target.ip());
        let arrivals = path.datagram(&link, now, bytes.len());
        if arrivals[0].is_none() {
            self.stats.lost += 1;
            return Ok(false);
        }
        let Some(inbox) = self.sockets.get(&target) else {
            self.stats.unreachable += 1;
            return Ok(true);
        };
        let bytes = Bytes::copy_from_slice(bytes);
        self.stats.duplicated += u64::from(arrivals[1].is_some());
        for at in arrivals.into_iter().flatten() {
            if inbox.push(at, source, bytes.clone()) {
                self.stats.delivered += 1;
            } else {
                self.stats.overflowed += 1;
            }
        }
        Ok(false)
    }

    /// A port of this host that is not in use, by the given test.
    fn ephemeral(&mut self, ip: IpAddr, used: impl Fn(&State, SocketAddr) -> bool) -> io::Result<u16> {
        for _ in FIRST_EPHEMERAL..=u16::MAX {
            let next = self.next_port.entry(ip).or_insert(FIRST_EPHEMERAL);
            let port = *next;
            *next = next.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
            if !used(self, SocketAddr::new(ip, port)) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

/// One host of a [`MemoryNetwork`]: where an endpoint gets its sockets from.
#[derive(Debug, Clone)]
pub struct MemoryHost {
    shared: Arc<Shared>,
    addresses: Vec<IpAddr>,
}

/// How opening a stream goes.
enum Opening {
    Open(MemoryStream, Duration),
    Refused(Duration),
    Never,
}

impl MemoryHost {
    /// Its addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
    fn own(&self, local: IpAddr) -> io::Result<IpAddr> {
        let wanted = |ip: &&IpAddr| {
            if local.is_unspecified() { ip.is_ipv4() == local.is_ipv4() } else { **ip == local }
        };
        self.addresses.iter().find(wanted).copied().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
    fn open(&self, local: Option<IpAddr>, remote: SocketAddr) -> io::Result<Opening> {
        let ip = match local {
            Some(ip) if !ip.is_unspecified() => self.own(ip)?,
            _ => self.source_for(remote)?,
        };
        let mut state = self.shared.lock();
        let public = state.nat_between(ip, remote.ip());
        if !state.hosts.contains_key(&remote.ip()) || state.nat_between(remote.ip(), ip).is_some() {
            return Ok(Opening::Never);
        }
        let out = state.stream_delay(ip, remote.ip());
        let back = state.stream_delay(remote.ip(), ip);
        let Some(backlog) = state.listeners.get(&remote).filter(|backlog| !backlog.is_full()).cloned() else {
            return Ok(Opening::Refused(out + back));
        };
        let port = state.ephemeral(ip, |state, at| state.stream_ports.contains(&at))?;
        let local = SocketAddr::new(ip, port);
        state.stream_ports.insert(local);
        let seen = match public.and_then(|public| Some((public, state.nats.get_mut(&public)?.free_port()))) {
            Some((public, port)) => SocketAddr::new(public, port),
            None => local,
        };
        drop(state);
        let opener = Side { local, remote, remote_host: remote.ip() };
        let listener = Side { local: remote, remote: seen, remote_host: ip };
        let (ours, theirs) = streams::pair(&self.shared, opener, listener);
        backlog.push(Instant::now() + out, theirs);
        Ok(Opening::Open(ours, out + back))
    }
}

impl Network for MemoryHost {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let ip = self.own(local.ip())?;
        let mut state = self.shared.lock();
        let port = match local.port() {
            0 => state.ephemeral(ip, |state, at| state.sockets.contains_key(&at))?,
            port => port,
        };
        let local = SocketAddr::new(ip, port);
        if state.sockets.contains_key(&local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let inbox = Arc::new(Inbox::new());
        state.sockets.insert(local, Arc::clone(&inbox));
        Ok(Box::new(MemoryDatagrams { network: Arc::clone(&self.shared), local, inbox }))
    }

    fn listen(&self, local: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let ip = self.own(local.ip())?;
        let mut state = self.shared.lock();
        let port = match local.port() {
            0 => state.ephemeral(ip, |state, at| {
                state.listeners.contains_key(&at) || state.stream_ports.contains(&at)
            })?,
            port => port,
        };
        let local = SocketAddr::new(ip, port);
        if state.listeners.contains_key(&local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let backlog = Arc::new(Backlog::default());
        state.listeners.insert(local, Arc::clone(&backlog));
        Ok(Box::new(MemoryListener { network: Arc::clone(&self.shared), local, backlog }))
    }

    fn connect(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            match self.open(local, remote)? {
                Opening::Open(stream, after) => {
                    tokio::time::sleep(after).await;
                    Ok(Box::new(stream) as Box<dyn Stream>)
                }
                Opening::Refused(after) => {
                    tokio::time::sleep(after).await;
                    Err(io::ErrorKind::ConnectionRefused.into())
                }
                Opening::Never => std::future::pending().await,
            }
        })
    }

    fn probe_udp(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let ip = if local.is_unspecified() { self.source_for(remote)? } else { self.own(local)? };
            let (closed, round_trip) = {
                let mut state = self.shared.lock();
                let port = state.ephemeral(ip, |state, at| state.sockets.contains_key(&at))?;
                let closed = state.send_datagram(SocketAddr::new(ip, port), remote, b"\r\n\r\n")?;
                let told = closed && state.closed_port == ClosedPort::Refuse;
                (told, state.stream_delay(ip, remote.ip()) + state.stream_delay(remote.ip(), ip))
            };
            if closed {
                tokio::time::sleep(round_trip).await;
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Ok(())
        })
    }

    fn source_for(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == remote.is_ipv4();
        self.addresses
            .iter()
            .find(same_family)
            .copied()
            .ok_or_else(|| io::ErrorKind::NetworkUnreachable.into())
    }
}
