//! Who lives where in a laboratory in memory: the PBX and the probes, each on a host of its own.

use super::memory::{MemoryHost, MemoryNetwork};
use crate::endpoint;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// The addresses of the PBX (RFC 5737, RFC 3849).
const PBX: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(203, 0, 113, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// The network in memory of a laboratory.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) network: MemoryNetwork,
    seed: [u8; 32],
    /// Probes so far.
    probes: AtomicU16,
}

impl Memory {
    pub(super) fn new(seed: [u8; 32]) -> Memory {
        Memory { network: MemoryNetwork::new(seed), seed, probes: AtomicU16::new(0) }
    }

    /// The host of the PBX.
    pub(super) fn pbx(&self, dual: bool) -> MemoryHost {
        let second = dual.then_some(IpAddr::V6(PBX.1));
        self.network.host([IpAddr::V4(PBX.0)].into_iter().chain(second))
    }

    /// Gives the endpoint of one more probe a host, addresses on it and a seed: hosts 198.18.0.1, 198.18.0.2 and so on (RFC 2544).
    pub(super) fn place(&self, config: &mut endpoint::Config, dual: bool) {
        let number = self.probes.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let [high, low] = number.to_be_bytes();
        let v4 = IpAddr::V4(Ipv4Addr::new(198, 18, high, low));
        let v6 = dual.then_some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, number)));
        let ips: Vec<IpAddr> = [v4].into_iter().chain(v6).collect();
        config.udp = ips.iter().map(|ip| SocketAddr::new(*ip, 5070)).collect();
        config.network = Some(Arc::new(self.network.host(ips)));
        // Different from the PBX's, which has the seed itself, and from each other.
        let mut seed = self.seed;
        (seed[0], seed[1]) = (seed[0] ^ high ^ 0xa5, seed[1] ^ low);
        config.seed = Some(seed);
    }
}
