//! A flow as a transaction keeps it: small, because a million of them are kept.
use crate::message::{Flow, Transport};
use std::net::{SocketAddr, SocketAddrV4};

/// A flow in 16 bytes; one that IPv6 takes part in lies elsewhere.
#[derive(Debug)]
pub(super) enum PackedFlow {
    V4 { transport: Transport, local: SocketAddrV4, remote: SocketAddrV4 },
    Other(Box<Flow>),
}

impl PackedFlow {
    pub(super) fn is_reliable(&self) -> bool {
        match self {
            PackedFlow::V4 { transport, .. } => transport.is_reliable(),
            PackedFlow::Other(flow) => flow.transport.is_reliable(),
        }
    }

    pub(super) fn get(&self) -> Flow {
        match self {
            &PackedFlow::V4 { transport, local, remote } => {
                Flow { transport, local: local.into(), remote: remote.into() }
            }
            PackedFlow::Other(flow) => **flow,
        }
    }
}

impl From<Flow> for PackedFlow {
    fn from(flow: Flow) -> PackedFlow {
        match (flow.local, flow.remote) {
            (SocketAddr::V4(local), SocketAddr::V4(remote)) => {
                PackedFlow::V4 { transport: flow.transport, local, remote }
            }
            _ => PackedFlow::Other(Box::new(flow)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flow_comes_back_as_it_was() {
        assert_eq!(size_of::<PackedFlow>(), 16);
        for (local, remote) in [
            ("192.0.2.1:5070", "192.0.2.2:5060"),
            ("[2001:db8::1]:5070", "[2001:db8::2]:5060"),
            ("192.0.2.1:1", "[::1]:2"),
        ] {
            for transport in [Transport::Udp, Transport::Tcp] {
                let flow = Flow { transport, local: local.parse().unwrap(), remote: remote.parse().unwrap() };
                let packed = PackedFlow::from(flow);
                assert_eq!((packed.get(), packed.is_reliable()), (flow, transport.is_reliable()));
            }
        }
    }
}
