//! SIPp as a registrar that misbehaves, by the scenarios in `sipp/`.

use super::{Peer, file, on_free_port, port};
use std::net::SocketAddr;

/// A running SIPp on UDP, 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Sipp {
    _peer: Peer,
    address: SocketAddr,
}

impl Sipp {
    /// Starts `sipp/{scenario}.xml`.
    pub(crate) fn start(scenario: &str) -> Sipp {
        let scenario = file(&format!("sipp/{scenario}.xml")).display().to_string();
        on_free_port("sipp", |port, dir| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let port = port.to_string();
            let args = [
                "-sf",
                &scenario,
                "-i",
                "127.0.0.1",
                "-ci",
                "127.0.0.1",
                "-p",
                &port,
                "-nostdin",
                "127.0.0.1",
            ];
            let peer = Peer::start(("sipp", "sip-tester"), args, dir, || port::udp_is_open(address))?;
            Some(Sipp { _peer: peer, address })
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
