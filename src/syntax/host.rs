//! Hosts: names, IPv4 addresses and IPv6 references.
use super::class::{self, DIGIT, HOST, Scan};
use super::{SyntaxError, SyntaxErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A host as it stands in a URI or a Via.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// A host name, as it came (compare without case).
    Name(&'a [u8]),
    /// A dotted IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 reference, without its brackets.
    V6(Ipv6Addr),
}

/// `host [":" port]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostPort<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The port, when one is written.
    pub port: Option<u16>,
}

impl<'a> Host<'a> {
    /// The address, when the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(a) => Some(IpAddr::V4(*a)),
            Host::V6(a) => Some(IpAddr::V6(*a)),
        }
    }
}

/// A dotted IPv4 address and nothing else.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split(|&b| b == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 {
            return None;
        }
        let mut value = 0_u16;
        for b in part {
            if !b.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u16::from(b - b'0');
        }
        *octet = u8::try_from(value).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// An IPv6 address without brackets. A zone is no part of SIP's grammar and is refused.
fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(text).ok()?.parse().ok().or_else(|| three_colons(text))
}

/// `2001:db8:::192.0.2.1`, with one colon too many: what RFC 3261's grammar made of it, and what has to be taken (RFC 5118 sec. 4.10).
#[cold]
fn three_colons(text: &[u8]) -> Option<Ipv6Addr> {
    let at = memchr::memmem::find(text, b":::")?;
    ipv4(&text[at + 3..])?;
    let mut bytes = [0; 45];
    let (head, tail) = (&text[..at + 2], &text[at + 3..]);
    let right = bytes.get_mut(..head.len() + tail.len())?;
    right[..head.len()].copy_from_slice(head);
    right[head.len()..].copy_from_slice(tail);
    std::str::from_utf8(right).ok()?.parse().ok()
}

impl<'a> Host<'a> {
    /// An address as it stands in `received` or `maddr`: IPv4, or IPv6 with or without brackets (RFC 5118 sec. 4.5).
    pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
        let bare = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]"));
        match bare {
            Some(inner) => ipv6(inner).map(IpAddr::V6),
            None => ipv4(text).map(IpAddr::V4).or_else(|| ipv6(text).map(IpAddr::V6)),
        }
    }

    /// A host at the cursor.
    #[inline]
    pub(super) fn scan(scan: &mut Scan<'a>) -> Result<Host<'a>, SyntaxError> {
        if scan.peek() == Some(b'[') {
            let rest = scan.rest();
            let close = memchr::memchr(b']', rest).ok_or(scan.error(SyntaxErrorKind::Host))?;
            let address = ipv6(&rest[1..close]).ok_or(scan.error(SyntaxErrorKind::Host))?;
            scan.at += close + 1;
            return Ok(Host::V6(address));
        }
        let name = scan.run(HOST);
        match name {
            [] => Err(scan.error(SyntaxErrorKind::Host)),
            [first, ..] if class::is(*first, DIGIT) => Ok(ipv4(name).map_or(Host::Name(name), Host::V4)),
            _ => Ok(Host::Name(name)),
        }
    }
}

/// Digits of a port at the cursor.
#[inline]
pub(super) fn scan_port(scan: &mut Scan<'_>) -> Result<u16, SyntaxError> {
    let start = scan.at;
    let digits = scan.run(DIGIT);
    class::clamped_u32(digits)
        .and_then(|n| u16::try_from(n).ok())
        .ok_or(SyntaxError { kind: SyntaxErrorKind::Number, offset: start })
}

impl<'a> HostPort<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no host, or more than one.
    pub fn parse(text: &'a [u8]) -> Result<HostPort<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        let host = Host::scan(&mut scan)?;
        let port = if scan.eat(b':') { Some(scan_port(&mut scan)?) } else { None };
        if scan.is_done() { Ok(HostPort { host, port }) } else { Err(scan.error(SyntaxErrorKind::Host)) }
    }

    /// Address and port, when the host is an address; `default_port` where none is written.
    pub fn socket_addr(&self, default_port: u16) -> Option<SocketAddr> {
        self.host.ip().map(|ip| SocketAddr::new(ip, self.port.unwrap_or(default_port)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tells_names_from_addresses() {
        let host = |t: &'static str| HostPort::parse(t.as_bytes()).unwrap();
        assert_eq!(host("pbx.example.com").host, Host::Name(b"pbx.example.com"));
        assert_eq!(host("1.example.com").host, Host::Name(b"1.example.com"));
        assert_eq!(host("192.0.2.1:5060").socket_addr(1), Some("192.0.2.1:5060".parse().unwrap()));
        assert_eq!(host("[2001:db8::1]").socket_addr(5060), Some("[2001:db8::1]:5060".parse().unwrap()));
        for name in
            ["256.0.0.1", "0192.0.2.1", "99999999.0.0.1", "1.2.3.99999999999999999999", "1.2.3.", "1.2.3.4.5"]
        {
            assert_eq!(host(name).host, Host::Name(name.as_bytes()), "{name}");
        }
        for bad in ["", ":5060", "a:", "a:70000", "a b", "[::1", "[fe80::1%eth0]", "[::1]x", "a:5060x"] {
            assert!(HostPort::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn takes_a_third_colon_only_in_front_of_an_ipv4_address() {
        let host = |t: &'static str| HostPort::parse(t.as_bytes()).map(|h| h.host.ip());
        for (odd, right) in
            [("[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1"), ("[:::192.0.2.1]", "::192.0.2.1")]
        {
            assert_eq!(host(odd), Ok(right.parse().ok()), "{odd}");
        }
        for bad in [
            "[2001:db8:::10]",
            "[2001:db8::::192.0.2.1]",
            "[2001::1:::192.0.2.1]",
            "[:::]",
            "[1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4:5:6:::192.0.2.1]",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn takes_received_addresses_with_and_without_brackets() {
        assert_eq!(Host::address(b"[::1]"), Some("::1".parse().unwrap()));
        assert_eq!(Host::address(b"::1"), Some("::1".parse().unwrap()));
        assert_eq!(Host::address(b"192.0.2.5"), Some("192.0.2.5".parse().unwrap()));
        assert_eq!(Host::address(b"example.com"), None);
    }
}
