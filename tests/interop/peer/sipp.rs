//! SIPp as a registrar that misbehaves, by the scenarios in `sipp/`.

use super::{Peer, file, on_free_port, port};
use std::net::{SocketAddr, TcpStream};

/// A running SIPp on UDP or TCP, 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Sipp {
    _peer: Peer,
    address: SocketAddr,
}

impl Sipp {
    /// Starts `sipp/{scenario}.xml` on UDP.
    pub(crate) fn start(scenario: &str) -> Sipp {
        Sipp::start_on("udp", scenario)
    }

    /// Starts `sipp/{scenario}.xml` on `udp` or `tcp`.
    pub(crate) fn start_on(transport: &str, scenario: &str) -> Sipp {
        let mode = if transport == "tcp" { "t1" } else { "u1" };
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
                "-t",
                mode,
                "-nostdin",
                "127.0.0.1",
            ];
            let ready = || match mode {
                "t1" => TcpStream::connect(address).is_ok(),
                _ => port::udp_is_open(address),
            };
            let peer = Peer::start(("sipp", "sip-tester"), args, dir, ready)?;
            Some(Sipp { _peer: peer, address })
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
