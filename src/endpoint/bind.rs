//! Binding an endpoint: its sockets and listeners, and the start of its loop.

use super::command::{QUEUE_MAX, Shared};
use super::driver::Driver;
use super::log::Registry;
use super::sockets::Socket;
use super::switch::Unswitchable;
use super::{Config, Endpoint, Incoming};
use crate::error::{Argument, Error, Problem};
use crate::message::{Ids, Transport};
use crate::transport::{Listener, Network, OsNetwork};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

impl Endpoint {
    /// Binds and starts the loop on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn bind(config: Config) -> Result<(Endpoint, Incoming), Error> {
        let network = config.network.clone().unwrap_or_else(|| Arc::new(OsNetwork::new()));
        let mut local_addrs = Vec::new();
        let mut sockets = Vec::new();
        for &local in &config.udp {
            let fail = |source| Error::Bind { address: format!("udp:{local}"), source };
            let socket = Socket::new(network.bind_udp(local).map_err(fail)?, config.udp_send_queue.max(1))
                .map_err(fail)?;
            local_addrs.push((Transport::Udp, socket.bound()));
            sockets.push(socket);
        }
        let mut listeners = Vec::new();
        for &local in &config.tcp {
            let fail = |source| Error::Bind { address: format!("tcp:{local}"), source };
            let listener = listen(&*network, local, &sockets).map_err(fail)?;
            local_addrs.push((Transport::Tcp, listener.local_addr().map_err(fail)?));
            listeners.push(listener);
        }
        let mut seed = config.seed.unwrap_or_default();
        if config.seed.is_none() {
            getrandom::fill(&mut seed).map_err(|e| {
                let why = format!("the system gives no randomness: {e}");
                Error::usage(Argument::Seed, "", Problem::unusable(why, "give a seed"))
            })?;
        }
        let mut ids = Ids::from_seed(seed);
        let (commands, queued) = mpsc::channel(config.command_queue.clamp(1, QUEUE_MAX));
        let (events, incoming) = mpsc::channel(config.incoming_queue.clamp(1, QUEUE_MAX));
        let driver_ids = ids.fork();
        let shared = Arc::new(Shared {
            config,
            network,
            registry: Registry::default(),
            stats: Mutex::default(),
            unswitchable: Unswitchable::default(),
            local_addrs,
            ids: Mutex::new(ids),
        });
        let driver = Driver::new(Arc::clone(&shared), driver_ids, sockets, listeners, queued, events);
        tokio::spawn(driver.run());
        Ok((Endpoint { commands, shared }, Incoming { events: incoming }))
    }
}

/// Like [`Endpoint::bind`]; without any address on all IPv4 and, where the system has it, IPv6 interfaces, by UDP.
///
/// # Errors
/// [`Error::Bind`].
pub async fn bind_anywhere(mut config: Config) -> Result<(Endpoint, Incoming), Error> {
    let everywhere = config.udp.is_empty() && config.tcp.is_empty();
    if !everywhere {
        return Endpoint::bind(config).await;
    }
    config.udp = vec![(Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::UNSPECIFIED, 0).into()];
    match Endpoint::bind(config.clone()).await {
        // A host without IPv6 is no reason not to ask over IPv4.
        Err(_) => {
            config.udp.truncate(1);
            Endpoint::bind(config).await
        }
        bound => bound,
    }
}

/// Listens; when the system may choose the port, at that of the UDP socket of the same address if it is free.
fn listen(
    network: &dyn Network,
    local: SocketAddr,
    sockets: &[Socket],
) -> std::io::Result<Box<dyn Listener>> {
    if local.port() == 0 {
        let twins = sockets.iter().map(Socket::bound).filter(|bound| bound.ip() == local.ip());
        for twin in twins {
            if let Ok(listener) = network.listen(twin) {
                return Ok(listener);
            }
        }
    }
    network.listen(local)
}
