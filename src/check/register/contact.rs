//! Our Contact as it is listed: what of it was rewritten although our token is kept.

use crate::check::judge::quote::quoted;
use crate::syntax::{Scheme, Uri, unescape};
use std::net::IpAddr;

/// Difference between a call to the listed URI and one to ours, in words; `None` where it comes to the same. `seen` is the address in Via,
/// where the far side saw us: a registrar that lists that address does so for phones behind NAT.
pub(super) fn change(ours: &str, listed: &str, seen: (Option<IpAddr>, Option<u16>)) -> Option<String> {
    let (Ok(own), Ok(other)) = (Uri::parse(ours.as_bytes()), Uri::parse(listed.as_bytes())) else {
        return None;
    };
    let is_secure = |uri: &Uri<'_>| uri.scheme() == Scheme::Sips;
    let port = |uri: &Uri<'_>| uri.port().unwrap_or(if is_secure(uri) { 5061 } else { 5060 });
    let user = |uri: &Uri<'_>| uri.user().map(|user| unescape(user).into_owned());
    let own_ip = own.host().and_then(|host| host.ip());
    let other_ip = other.host().and_then(|host| host.ip());
    let is_same_host = own_ip.is_some() && own_ip == other_ip || own.host() == other.host();
    let (received, rport) = seen;
    let is_seen = other_ip.is_some() && other_ip == received.or(own_ip) && Some(port(&other)) == rport;
    let mut found: Vec<String> = Vec::new();
    if is_secure(&own) != is_secure(&other) {
        found.push(format!("the scheme {}", if is_secure(&other) { "sips" } else { "sip" }));
    }
    if user(&own) != user(&other) {
        found.push(match user(&other) {
            Some(user) => format!("the user {}", quoted(&user)),
            None => "no user".to_owned(),
        });
    }
    if !is_same_host && !is_seen {
        found.push("another host".to_owned());
    }
    if port(&own) != port(&other) && !is_seen {
        found.push(match other.port() {
            Some(port) => format!("port {port}"),
            None => "no port".to_owned(),
        });
    }
    let transport = |uri: &Uri<'_>| {
        let named =
            uri.params().get(b"transport").and_then(|param| param.value.map(<[u8]>::to_ascii_lowercase));
        named.filter(|name| name != b"udp")
    };
    if transport(&own) != transport(&other) {
        found.push(match transport(&other) {
            Some(name) => format!("transport={}", quoted(&name)),
            None => "no transport, which means UDP".to_owned(),
        });
    }
    (!found.is_empty()).then(|| found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rewritten_beside_our_token_is_named() {
        const UDP: &str = "sip:alice@192.0.2.7:5070;rb=1";
        const TCP: &str = "sip:alice@192.0.2.7:5070;transport=tcp;rb=1";
        let seen = (Some(IpAddr::from([203, 0, 113, 5])), Some(1024));
        for (ours, listed, expected) in [
            (UDP, UDP, None),
            (UDP, "sip:%61lice@192.0.2.7:5070;transport=UDP;rb=1;ob", None),
            (TCP, "sip:alice@192.0.2.7:5070;rb=1;transport=TCP", None),
            (UDP, "sip:alice@203.0.113.5:1024;rb=1", None),
            (UDP, "sip:alice@198.51.100.7:5070;rb=1", Some("another host")),
            (UDP, "sip:alice@pbx.example.com:5070;rb=1", Some("another host")),
            (UDP, "sip:alice@203.0.113.5:1025;rb=1", Some("another host, port 1025")),
            (UDP, "sip:alice@192.0.2.7:1;rb=1", Some("port 1")),
            (UDP, "sip:alice@192.0.2.7;rb=1", Some("no port")),
            (TCP, "sip:alice@192.0.2.7:5070;rb=1", Some("no transport, which means UDP")),
            (UDP, "sips:alice@192.0.2.7:5070;rb=1", Some("the scheme sips")),
            (UDP, "sip:192.0.2.7:5070;rb=1", Some("no user")),
            (UDP, "sip:s12345@192.0.2.7:5070;rb=1", Some("the user s12345")),
        ] {
            assert_eq!(change(ours, listed, seen).as_deref(), expected, "{listed}");
        }
    }
}
