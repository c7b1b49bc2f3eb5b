//! The embedded telephone network as a server: the registrar and the PBX on an endpoint.

use super::User;
use super::hosts::Memory;
use super::memory::{MemoryHost, MemoryNetwork};
use super::pbx::{self, Ivr, Leg, Pbx};
use super::registrar::{self, Binding, Registrar, Seen, lock};
use super::serving::serve;
use crate::check::{Account, Probe, ProbeConfig};
use crate::endpoint::agent::{Agent, AgentConfig};
use crate::endpoint::{self, Endpoint, Incoming};
use crate::error::{Argument, Error, Problem};
use crate::message::Transport;
use crate::transport::Network;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Number of times that an address is tried with another port, when no port was asked for.
const PORT_TRIES: usize = 16;

/// Time that BYEs have to be sent and answered when the network ends in the middle of calls.
const FAREWELL: Duration = Duration::from_millis(200);

/// What the PBX takes, beside what the registrar does.
const CALL_METHODS: &str = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY";

/// A running telephone network: a registrar and a [PBX](pbx) that answer at real addresses, or in a network in memory. Dropping it ends it.
///
/// ```
/// use ringback::check::{Probe, Register, Verdict};
/// use ringback::message::Transport;
/// use ringback::sim::{Lab, User};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ringback::error::Error> {
/// let lab = Lab::builder()
///     .user(User::new("alice", "alicepw"))
///     .user(User::new("bob", "bobpw").fault("A13")?)
///     .start()
///     .await?;
/// let probe = Probe::bind("udp:127.0.0.1:0").await?;
/// let alice = lab.account("alice", Transport::Udp)?;
/// let bob = lab.account("bob", Transport::Udp)?;
/// assert_eq!(probe.check(Register::new(&alice)).await.verdict, Verdict::Pass);
/// assert_eq!(probe.check(Register::new(&bob)).await.verdict, Verdict::Fail);
/// lab.shutdown().await;
/// # Ok(()) }
/// ```
/// For tests, [`Lab::in_memory`] gives the same without a socket and, under `tokio::time::pause`, in virtual time.
#[derive(Debug)]
pub struct Lab {
    memory: Option<Memory>,
    endpoint: Endpoint,
    registrar: Arc<Mutex<Registrar>>,
    pbx: Pbx,
    serving: JoinHandle<()>,
}

/// Sets a [`Lab`] up.
#[derive(Debug, Default)]
#[must_use]
pub struct LabBuilder {
    config: registrar::Config,
    endpoint: endpoint::Config,
    pbx: pbx::Config,
    users: Vec<User>,
    v6: bool,
    memory: Option<Memory>,
}

impl LabBuilder {
    /// The domain that is served, and the realm. [default: `lab.example`]
    pub fn domain(mut self, domain: impl Into<String>) -> LabBuilder {
        self.config.domains = vec![domain.into()];
        self
    }
    /// All rules and limits of the registrar, the domain too.
    pub fn registrar(mut self, config: registrar::Config) -> LabBuilder {
        self.config = config;
        self
    }
    /// Numbers and manners of the PBX. Menus and groups that were added are kept.
    pub fn pbx(mut self, config: pbx::Config) -> LabBuilder {
        let before = std::mem::replace(&mut self.pbx, config);
        self.pbx.menus.extend(before.menus);
        self.pbx.groups.extend(before.groups);
        self.pbx.hunting.extend(before.hunting);
        self
    }
    /// Adds a ring group: this number rings all devices of these users (by name or extension) as one.
    pub fn group<M: Into<String>>(
        mut self,
        number: impl Into<String>,
        members: impl IntoIterator<Item = M>,
    ) -> LabBuilder {
        self.pbx.groups.push((number.into(), members.into_iter().map(Into::into).collect()));
        self
    }
    /// Adds a group whose devices are rung one after the other, each for this time.
    pub fn hunt_group<M: Into<String>>(
        mut self,
        number: impl Into<String>,
        members: impl IntoIterator<Item = M>,
        each: Duration,
    ) -> LabBuilder {
        let number = number.into();
        self.pbx.hunting.push((number.clone(), each));
        self.group(number, members)
    }
    /// Devices in a call transfer by these keys and a number, e.g. `##` (see [`pbx::Config::transfer_code`]).
    pub fn transfer_code(mut self, code: impl Into<String>) -> LabBuilder {
        self.pbx.transfer_code = Some(code.into());
        self
    }
    /// Devices in a call transfer with a consultation by these keys and a number, e.g. `*2` (see [`pbx::Config::consult_code`]).
    pub fn consult_code(mut self, code: impl Into<String>) -> LabBuilder {
        self.pbx.consult_code = Some(code.into());
        self
    }
    /// Calls can be parked at this many places behind this number (see [`pbx::Config::park`]).
    pub fn park(mut self, number: impl Into<String>, places: u16) -> LabBuilder {
        self.pbx.park = Some((number.into(), places));
        self
    }
    /// The REFER of a device goes on to the device at the other end, instead of being carried out by the PBX.
    pub fn relay_refer(mut self) -> LabBuilder {
        self.pbx.refer = pbx::ReferMode::Relay;
        self
    }
    /// Who is held hears music, and is told nothing of the hold.
    pub fn music_on_hold(mut self) -> LabBuilder {
        self.pbx.music_on_hold = true;
        self
    }
    /// Adds a voice menu.
    pub fn ivr(mut self, menu: Ivr) -> LabBuilder {
        self.pbx.menus.push(menu);
        self
    }
    /// Callers hear a tone of 425 Hz in early media (183) while it rings, instead of getting 180.
    pub fn ringback_tone(mut self) -> LabBuilder {
        self.pbx.ringback_tone = true;
        self
    }
    /// Adds a user.
    pub fn user(mut self, user: User) -> LabBuilder {
        self.users.push(user);
        self
    }
    /// Adds users.
    pub fn users(mut self, users: impl IntoIterator<Item = User>) -> LabBuilder {
        self.users.extend(users);
        self
    }
    /// Answers at this address, by UDP and TCP. Without this, 127.0.0.1 and a port that is free for both.
    pub fn listen(self, address: SocketAddr) -> LabBuilder {
        self.udp(address).tcp(address)
    }
    /// Answers at this address by UDP.
    pub fn udp(mut self, address: SocketAddr) -> LabBuilder {
        self.endpoint.udp.push(address);
        self
    }
    /// Answers at this address by TCP.
    pub fn tcp(mut self, address: SocketAddr) -> LabBuilder {
        self.endpoint.tcp.push(address);
        self
    }
    /// Answers by IPv6 too, when no address is named: at `::1`, or at `2001:db8::1` in memory.
    pub fn v6(mut self) -> LabBuilder {
        self.v6 = true;
        self
    }
    /// Lives on a host of a network in memory: at port 5060 of all its addresses, by UDP and TCP, unless addresses are named.
    pub fn on(mut self, host: &MemoryHost) -> LabBuilder {
        if self.endpoint.udp.is_empty() && self.endpoint.tcp.is_empty() {
            for ip in host.addresses() {
                self = self.listen(SocketAddr::new(*ip, 5060));
            }
        }
        self.network(Arc::new(host.clone()))
    }
    /// Takes its sockets from there.
    pub fn network(mut self, network: Arc<dyn Network>) -> LabBuilder {
        self.endpoint.network = Some(network);
        self
    }
    /// Seed of all nonces, tags and names. [default: from the operating system]
    pub fn seed(mut self, seed: [u8; 32]) -> LabBuilder {
        self.endpoint.seed = Some(seed);
        self
    }
    /// The host that it lives on where it was begun with [`Lab::in_memory`], for a [`Network`] of your own around it (see
    /// [`LabBuilder::network`]) that changes, delays or drops what passes.
    pub fn memory_host(&self) -> Option<MemoryHost> {
        self.memory.as_ref().map(|memory| memory.pbx(self.v6))
    }
    /// How the endpoint is set up otherwise: timers, limits, queues. Its addresses, network and seed are kept where they are set here.
    pub fn endpoint(mut self, config: endpoint::Config) -> LabBuilder {
        let before = std::mem::replace(&mut self.endpoint, config);
        if !before.udp.is_empty() || !before.tcp.is_empty() {
            (self.endpoint.udp, self.endpoint.tcp) = (before.udp, before.tcp);
        }
        self.endpoint.network = before.network.or(self.endpoint.network.take());
        self.endpoint.seed = before.seed.or(self.endpoint.seed);
        self
    }

    /// Binds and begins to answer, on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn start(mut self) -> Result<Lab, Error> {
        if let Some(host) = self.memory_host() {
            let around = self.endpoint.network.take();
            self = self.on(&host);
            self.endpoint.network = around.or(self.endpoint.network);
        }
        let (endpoint, incoming) = self.bind().await?;
        self.config.allow = format!("{CALL_METHODS}, {}", self.config.allow);
        let mut registrar = Registrar::new(self.config, seed_of(&endpoint));
        let now = now();
        for user in self.users {
            registrar.set_user(now, user);
        }
        let registrar = Arc::new(Mutex::new(registrar));
        let mut agent = AgentConfig::default();
        (agent.max_calls, agent.keep_flow) = (self.pbx.max_calls, true);
        let (agent, arrivals) = Agent::start(endpoint.recorder(), incoming, agent);
        let pbx = Pbx::new(agent, Arc::clone(&registrar), self.pbx);
        let serving = tokio::spawn(serve(endpoint.clone(), arrivals, Arc::clone(&registrar), pbx.clone()));
        Ok(Lab { memory: self.memory, endpoint, registrar, pbx, serving })
    }

    async fn bind(&self) -> Result<(Endpoint, Incoming), Error> {
        let mut config = self.endpoint.clone();
        config.user_agent.clone_from(&self.config.server);
        // Nobody reads the record of the PBX.
        (config.max_media_records, config.max_media_bytes) = (0, 0);
        if !config.udp.is_empty() || !config.tcp.is_empty() {
            return Endpoint::bind(config).await;
        }
        let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        if self.v6 {
            ips.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let addresses = ips.iter().map(|ip| free_port(*ip)).collect::<Result<Vec<_>, _>>()?;
            (config.udp, config.tcp) = (addresses.clone(), addresses);
            match Endpoint::bind(config.clone()).await {
                // Somebody took the port in between.
                Err(Error::Bind { .. }) if tries < PORT_TRIES => {}
                bound => return bound,
            }
        }
    }
}

/// A port that is free for UDP and TCP: requests that are too large for UDP go to the same port by TCP (RFC 3261 sec. 18.1.1).
fn free_port(ip: IpAddr) -> Result<SocketAddr, Error> {
    let mut failed = None;
    for _ in 0..PORT_TRIES {
        let found = UdpSocket::bind((ip, 0)).and_then(|udp| {
            let address = udp.local_addr()?;
            TcpListener::bind(address).map(|_| address)
        });
        match found {
            Ok(address) => return Ok(address),
            Err(error) => failed = Some(error),
        }
    }
    let source = failed.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(Error::Bind { address: format!("{ip}, a port for UDP and TCP"), source })
}

/// A seed that depends on the endpoint's.
fn seed_of(endpoint: &Endpoint) -> [u8; 32] {
    let mut ids = endpoint.ids();
    std::array::from_fn(|_| ids.below(256) as u8)
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Lab {
    /// A laboratory in the domain `lab.example`, without users.
    pub fn builder() -> LabBuilder {
        LabBuilder::default()
    }
    /// A laboratory in a [`MemoryNetwork`] of its own, at 203.0.113.1 port 5060 by UDP and TCP, without users. All chance in the network, in
    /// the laboratory and in its [probes](Lab::probe) comes from `seed`: under `tokio::time::pause` the same seed gives the same run to the
    /// millisecond, and no test waits in earnest.
    ///
    /// ```
    /// use ringback::check::{Call, Verdict};
    /// use ringback::message::Transport;
    /// use ringback::sim::{Lab, User};
    /// # fn main() -> Result<(), ringback::error::Error> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
    /// let users = ["alice", "bob"].map(|name| User::new(name, "secret"));
    /// let lab = Lab::in_memory([7; 32]).users(users).start().await?;
    /// let probe = lab.probe().await?;
    /// let (alice, bob) = (lab.account("alice", Transport::Udp)?, lab.account("bob", Transport::Udp)?);
    /// let outcome = probe.check(Call::between(&alice, &bob)).await;
    /// assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    /// assert!(lab.legs().is_empty() && lab.bindings("bob").is_empty());
    /// # Ok(()) }) }
    /// ```
    pub fn in_memory(seed: [u8; 32]) -> LabBuilder {
        LabBuilder { memory: Some(Memory::new(seed)), ..LabBuilder::default() }.seed(seed)
    }
    /// The network in memory that it was begun in ([`Lab::in_memory`]): for links with loss and delay, and for more hosts.
    pub fn memory_network(&self) -> Option<&MemoryNetwork> {
        self.memory.as_ref().map(|memory| &memory.network)
    }
    /// A probe that reaches it: on a host of its own in the same network in memory, or on loopback.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn probe(&self) -> Result<Probe, Error> {
        Probe::with(self.probe_config()).await
    }
    /// What [`Lab::probe`] sets a probe up with, to be changed before [`Probe::with`]. Each has a host and a seed of its own.
    pub fn probe_config(&self) -> ProbeConfig {
        let mut config = ProbeConfig::default();
        match &self.memory {
            Some(memory) => memory.place(&mut config.endpoint, self.is_dual()),
            None => {
                let loopback = self.addrs().iter().map(|(_, local)| local.ip()).filter(IpAddr::is_loopback);
                let ips: BTreeSet<IpAddr> = loopback.collect();
                config.endpoint.udp = ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            }
        }
        config
    }
    fn is_dual(&self) -> bool {
        self.addrs().iter().any(|(_, local)| local.is_ipv6())
    }
    /// Where it answers.
    pub fn addrs(&self) -> &[(Transport, SocketAddr)] {
        self.endpoint.local_addrs()
    }
    /// The first address where it answers by this transport.
    pub fn addr(&self, transport: Transport) -> Option<SocketAddr> {
        self.addrs().iter().find(|(bound, _)| *bound == transport).map(|(_, address)| *address)
    }
    /// The registrar's URI by this transport, e.g. `sip:127.0.0.1:5060;transport=udp`.
    ///
    /// # Errors
    /// [`Error::Usage`] when it does not answer by this transport.
    pub fn uri(&self, transport: Transport) -> Result<String, Error> {
        let none = || {
            let problem =
                Problem::unusable("the network does not answer by it", "start it with this transport");
            Error::usage(Argument::Transport, transport, problem)
        };
        self.addr(transport).map(|address| format!("sip:{address};transport={transport}")).ok_or_else(none)
    }
    /// The first domain that is served.
    pub fn domain(&self) -> String {
        self.registrar().config().domains.first().cloned().unwrap_or_else(|| "lab.example".into())
    }
    /// The address of record of a user, there or not, e.g. `sip:alice@lab.example`; and the URI of a number, e.g. `sip:*43@lab.example`.
    pub fn aor(&self, name: &str) -> String {
        format!("sip:{name}@{}", self.domain())
    }
    /// A user's account as its owner knows it: its password and, by this transport, this registrar.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such user.
    pub fn account(&self, name: &str, transport: Transport) -> Result<Account, Error> {
        let user = self.registrar().users().find(|user| user.name() == name).cloned();
        let user = user.ok_or_else(|| {
            let known = self.registrar().users().map(|user| user.name().to_owned()).collect();
            Error::usage(Argument::User, name.escape_default(), Problem::Unknown { known })
        })?;
        let account = Account::new(&self.aor(name), user.password.as_str())?.auth_user(user.digest_name());
        Ok(account.named(name).registrar(&self.uri(transport)?)?.transport(transport))
    }
    /// Adds a user, or changes one while it runs (see [`Registrar::set_user`]).
    pub fn set_user(&self, user: User) {
        self.registrar().set_user(now(), user);
    }
    /// Takes a user and its bindings away; `false` when there is none.
    pub fn remove_user(&self, name: &str) -> bool {
        self.registrar().remove_user(name)
    }
    /// The users, by name.
    pub fn users(&self) -> Vec<User> {
        self.registrar().users().cloned().collect()
    }
    /// The live bindings of a user.
    pub fn bindings(&self, name: &str) -> Vec<Binding> {
        self.registrar().bindings(now(), name)
    }
    /// The last requests to the registrar, oldest first (see [`registrar::Config::max_seen`]).
    pub fn seen(&self) -> Vec<Seen> {
        self.registrar().seen().cloned().collect()
    }
    /// The legs of calls that the PBX has at the moment, in the order in which they were made.
    pub fn legs(&self) -> Vec<Leg> {
        self.pbx.legs()
    }
    /// Lifts every ban of the fault `B01`.
    pub fn unban(&self) {
        self.registrar().unban();
    }
    /// The endpoint that it runs on, for its counters.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
    /// Ends it: hangs up its calls, and returns when its sockets are closed.
    pub async fn shutdown(mut self) {
        let calls = !self.pbx.legs().is_empty();
        self.serving.abort();
        let _ = (&mut self.serving).await;
        if calls {
            tokio::time::sleep(FAREWELL).await;
        }
        self.endpoint.close().await;
    }
    fn registrar(&self) -> MutexGuard<'_, Registrar> {
        lock(&self.registrar)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
