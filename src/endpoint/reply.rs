//! Where responses go (RFC 3261 sec. 18.2.2, RFC 3581 sec. 4).

use crate::message::Message;
use std::net::SocketAddr;

/// The port of SIP over UDP and TCP when none is written.
const DEFAULT_PORT: u16 = 5060;

/// Where a response on UDP goes: by its top Via to `received` and `rport` where these are filled in, else to the sent-by's
/// address and port. `maddr` and `ttl` are not obeyed: a request must not make us send elsewhere than to its source.
/// `None` when the Via names no address of the source's family.
pub(super) fn udp(response: &Message, source: SocketAddr) -> Option<SocketAddr> {
    let via = response.top_via().ok()?;
    let ip = via.received().or_else(|| via.host().ip())?;
    let port = via.rport().flatten().or(via.port()).unwrap_or(DEFAULT_PORT);
    (ip.is_ipv4() == source.is_ipv4() && port != 0).then(|| with(source, ip, port))
}

/// Where a new connection for a response goes when the one that the request came on is gone: to `received` or the sent-by's
/// address, at the sent-by's port.
pub(super) fn stream(response: &Message, source: SocketAddr) -> Option<SocketAddr> {
    let via = response.top_via().ok()?;
    let ip = via.received().or_else(|| via.host().ip())?;
    let port = via.port().unwrap_or(DEFAULT_PORT);
    (port != 0).then(|| with(source, ip, port))
}

/// Keeps the scope id of a link-local source, which no Via can hold.
fn with(source: SocketAddr, ip: std::net::IpAddr, port: u16) -> SocketAddr {
    if ip == source.ip() {
        let mut address = source;
        address.set_port(port);
        return address;
    }
    SocketAddr::new(ip, port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;

    fn response(via: &str) -> Message {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.into_bytes().into(), &Limits::default()).unwrap()
    }

    #[test]
    fn the_source_wins_where_rport_was_asked_for() {
        let source = "192.0.2.9:40000".parse().unwrap();
        let r = response("SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport=40000;received=192.0.2.9");
        assert_eq!(udp(&r, source), Some(source));
    }

    #[test]
    fn without_rport_the_port_of_sent_by_is_answered() {
        let source = "192.0.2.9:40000".parse().unwrap();
        let r = response("SIP/2.0/UDP phone.example:5062;branch=z9hG4bK1;received=192.0.2.9");
        assert_eq!(udp(&r, source), Some("192.0.2.9:5062".parse().unwrap()));
        let r = response("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1");
        assert_eq!(udp(&r, source), Some("192.0.2.9:5060".parse().unwrap()));
    }

    #[test]
    fn maddr_is_not_obeyed() {
        let source = "192.0.2.9:40000".parse().unwrap();
        let r = response("SIP/2.0/UDP 192.0.2.9:5062;maddr=198.51.100.1;branch=z9hG4bK1");
        assert_eq!(udp(&r, source), Some("192.0.2.9:5062".parse().unwrap()));
    }

    #[test]
    fn a_new_connection_goes_to_the_port_of_sent_by() {
        let source = "192.0.2.9:40000".parse().unwrap();
        let r = response("SIP/2.0/TCP 10.0.0.1:5062;branch=z9hG4bK1;rport=40000;received=192.0.2.9");
        assert_eq!(stream(&r, source), Some("192.0.2.9:5062".parse().unwrap()));
    }
}
