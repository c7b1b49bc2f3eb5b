//! Ports that the system chose, and whether somebody listens there.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Mutex;
use std::time::Duration;

/// Ports that were given out already: several programs here share a UDP port without a complaint (SO_REUSEADDR).
static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that is free now, and was never given out before, for UDP and TCP, on 127.0.0.1 and ::1.
pub(crate) fn free() -> u16 {
    for _ in 0..100 {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let rest = (
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)),
            UdpSocket::bind((Ipv6Addr::LOCALHOST, port)),
            TcpListener::bind((Ipv6Addr::LOCALHOST, port)),
        );
        if matches!(rest, (Ok(_), Ok(_), Ok(_))) && GIVEN.lock().unwrap().get_or_insert_default().insert(port)
        {
            return port;
        }
    }
    panic!("no port is free for UDP and TCP on both 127.0.0.1 and ::1; is there an ::1?")
}

/// An even UDP port of 127.0.0.1 that is free now, and so is the next.
pub(crate) fn free_pair() -> u16 {
    for _ in 0..100 {
        let port = free() & !1;
        let pair = [port, port + 1].map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)));
        if let [Ok(_), Ok(_)] = pair {
            return port;
        }
    }
    panic!("no two neighbours are free")
}

/// Sends `bytes` from a fresh socket and gives the first answer that comes in time.
pub(crate) fn ask(remote: SocketAddr, bytes: &[u8], wait: Duration) -> std::io::Result<Vec<u8>> {
    let local = if remote.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(local)?;
    socket.connect(remote)?;
    socket.set_read_timeout(Some(wait))?;
    socket.send(bytes)?;
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Whether something holds this UDP port. A keep-alive is sent, which a SIP program ignores; a closed port refuses it.
pub(crate) fn udp_is_open(remote: SocketAddr) -> bool {
    match ask(remote, b"\r\n\r\n", Duration::from_millis(50)) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
