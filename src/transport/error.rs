//! Why bytes could not be carried.

use crate::message::Transport;
use std::io;
use std::net::SocketAddr;

/// Why bytes could not be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{transport} to {remote}: {kind}")]
pub struct TransportError {
    /// By which transport.
    pub transport: Transport,
    /// To whom.
    pub remote: SocketAddr,
    /// What happened.
    pub kind: TransportErrorKind,
}

/// What happened to a transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// Nobody listens there (a reset, or ICMP port unreachable).
    #[error("connection refused")]
    Refused,
    /// No route, or the network says unreachable.
    #[error("unreachable")]
    Unreachable,
    /// The connection was not opened in time.
    #[error("connecting timed out")]
    ConnectTimeout,
    /// The peer closed or reset the connection.
    #[error("connection closed by the peer")]
    Closed,
    /// What came on the connection could not be cut into messages any more, so it was given up: why.
    #[error("connection {0}")]
    Unframed(String),
    /// Larger than a datagram can be, or than the limit.
    #[error("message too large")]
    TooLarge,
    /// Our own limit of connections or queued messages: which.
    #[error("our limit is reached: {0}")]
    Limit(&'static str),
    /// The endpoint has no socket of this transport for this family of addresses: which.
    #[error("no UDP socket is bound for {0}")]
    NotBound(&'static str),
    /// Anything else the system said.
    #[error("{0}")]
    Io(String),
}

impl TransportError {
    /// Our own endpoint was closed meanwhile.
    pub(crate) fn endpoint_closed(transport: Transport, remote: SocketAddr) -> TransportError {
        let kind = TransportErrorKind::Io("our endpoint was closed".to_owned());
        TransportError { transport, remote, kind }
    }
    /// From what the operating system said.
    pub fn from_io(transport: Transport, remote: SocketAddr, error: &io::Error) -> TransportError {
        use io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::ConnectionRefused => TransportErrorKind::Refused,
            Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown => TransportErrorKind::Unreachable,
            Io::TimedOut => TransportErrorKind::ConnectTimeout,
            Io::ConnectionReset
            | Io::ConnectionAborted
            | Io::BrokenPipe
            | Io::NotConnected
            | Io::UnexpectedEof => TransportErrorKind::Closed,
            _ if is_too_large(error) => TransportErrorKind::TooLarge,
            _ => TransportErrorKind::Io(error.to_string()),
        };
        TransportError { transport, remote, kind }
    }
}

/// EMSGSIZE has no stable [`io::ErrorKind`]: 90 on Linux, 40 on macOS and the BSDs, 10040 on Windows.
fn is_too_large(error: &io::Error) -> bool {
    let code = if cfg!(target_os = "linux") || cfg!(target_os = "android") {
        90
    } else if cfg!(windows) {
        10_040
    } else {
        40
    };
    error.raw_os_error() == Some(code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_oversized_datagram_is_named() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let remote = socket.local_addr().unwrap();
        let error = socket.send_to(&vec![b'x'; 65_535], remote).unwrap_err();
        assert_eq!(
            TransportError::from_io(Transport::Udp, remote, &error).kind,
            TransportErrorKind::TooLarge
        );
    }
}
