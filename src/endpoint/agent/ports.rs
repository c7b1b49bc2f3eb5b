//! The pair of ports of a call: RTP at an even one, RTCP at the next (RFC 3550 sec. 11).

use crate::error::Error;
use crate::message::Ids;
use crate::sdp::Local;
use crate::transport::{Datagrams, Network};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// Number of times that the system is asked for a port whose neighbour is free too.
const TRIES: usize = 64;

/// Two bound sockets.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) rtp: Box<dyn Datagrams>,
    pub(super) rtcp: Box<dyn Datagrams>,
    local: Local,
}

impl Ports {
    /// What the description says of them.
    pub(super) fn local(&self) -> Local {
        self.local.clone()
    }

    fn new(rtp: Box<dyn Datagrams>, rtcp: Box<dyn Datagrams>) -> io::Result<Ports> {
        let mut local = Local::new(rtp.local_addr()?);
        local.rtcp_port = rtcp.local_addr()?.port();
        Ok(Ports { rtp, rtcp, local })
    }
}

/// Binds a pair at this address, in the range when there is one.
pub(super) fn bind(
    network: &dyn Network,
    ip: IpAddr,
    range: Option<RangeInclusive<u16>>,
    ids: &mut Ids,
) -> Result<Ports, Error> {
    let name = match &range {
        Some(range) => format!("udp:{ip}, a pair of RTP ports of {} to {}", range.start(), range.end()),
        None => format!("udp:{ip}, a pair of RTP ports"),
    };
    let pair = match range {
        Some(range) => in_range(network, ip, &range, ids),
        None => anywhere(network, ip),
    };
    pair.map_err(|source| Error::Bind { address: name, source })
}

fn in_range(
    network: &dyn Network,
    ip: IpAddr,
    range: &RangeInclusive<u16>,
    ids: &mut Ids,
) -> io::Result<Ports> {
    let first = u32::from(*range.start()).next_multiple_of(2);
    let pairs = (u32::from(*range.end()) + 1).saturating_sub(first) / 2;
    if pairs == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "there is no even port with its next in this range",
        ));
    }
    // Not always from the front: a peer may still send to the ports of the call before.
    let start = ids.below(u64::from(pairs)) as u32;
    let mut failed = None;
    for pair in 0..pairs {
        let port = (first + (start + pair) % pairs * 2) as u16;
        let sockets = network.bind_udp(SocketAddr::new(ip, port)).and_then(|rtp| {
            network.bind_udp(SocketAddr::new(ip, port + 1)).and_then(|rtcp| Ports::new(rtp, rtcp))
        });
        match sockets {
            Ok(ports) => return Ok(ports),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

fn anywhere(network: &dyn Network, ip: IpAddr) -> io::Result<Ports> {
    // Odd ports are kept until the end, so that the system does not give them again.
    let mut kept = Vec::new();
    for _ in 0..TRIES {
        let rtp = network.bind_udp(SocketAddr::new(ip, 0))?;
        let port = rtp.local_addr()?.port();
        if port % 2 == 1 {
            kept.push(rtp);
            continue;
        }
        match network.bind_udp(SocketAddr::new(ip, port + 1)) {
            Ok(rtcp) => return Ports::new(rtp, rtcp),
            Err(_) => kept.push(rtp),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::transport::OsNetwork;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn rtp_has_an_even_port_and_rtcp_the_next() {
        let mut ids = Ids::from_seed([1; 32]);
        let ports: Vec<Ports> =
            (0..20).map(|_| bind(&OsNetwork::new(), LOOPBACK, None, &mut ids).unwrap()).collect();
        for pair in &ports {
            let local = pair.local();
            assert_eq!(local.rtp.port() % 2, 0);
            assert_eq!(local.rtcp_port, local.rtp.port() + 1);
        }
    }

    #[tokio::test]
    async fn a_range_is_kept_and_its_end_is_said() {
        let mut ids = Ids::from_seed([1; 32]);
        let free = bind(&OsNetwork::new(), LOOPBACK, None, &mut ids).unwrap();
        let port = free.local().rtp.port();
        drop(free);
        let range = Some(port..=port + 1);
        let one = bind(&OsNetwork::new(), LOOPBACK, range.clone(), &mut ids).unwrap();
        assert_eq!(one.local().rtp.port(), port);
        let error = bind(&OsNetwork::new(), LOOPBACK, range, &mut ids).unwrap_err().to_string();
        assert!(error.contains(&format!("{port} to {}", port + 1)), "{error}");
        let odd = bind(&OsNetwork::new(), LOOPBACK, Some(port + 1..=port + 1), &mut ids);
        assert!(matches!(odd, Err(Error::Bind { .. })));
    }
}
