//! Where a request in a dialog goes: to its first Route, else to its Request-URI (RFC 3261 sec. 12.2.1.1, 8.1.2).

use crate::message::{Message, Transport};
use crate::syntax::{HeaderName, Host, NameAddr, Scheme, Uri};

/// A next hop before its name is looked up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// The next hop of a request; in words, why there is none.
pub(super) fn of(request: &Message) -> Result<Hop, String> {
    if let Some(route) = request.header(HeaderName::Route) {
        let (route, _) = NameAddr::parse_first(route).map_err(|error| format!("Route: {error}"))?;
        return of_uri(&route.uri());
    }
    let uri = request.request_uri_bytes().unwrap_or_default();
    of_uri(&Uri::parse(uri).map_err(|error| format!("Request-URI: {error}"))?)
}

fn of_uri(uri: &Uri<'_>) -> Result<Hop, String> {
    if uri.scheme() != Scheme::Sip {
        return Err(format!("{} is no sip: URI", String::from_utf8_lossy(uri.as_bytes())));
    }
    // RFC 3261 sec. 19.1.1: maddr goes before the host.
    let maddr = uri.params().get(b"maddr").and_then(|maddr| maddr.value);
    let host = match (maddr, uri.host()) {
        (Some(maddr), _) => String::from_utf8_lossy(maddr).into_owned(),
        (None, Some(Host::Name(name))) => String::from_utf8_lossy(name).into_owned(),
        (None, Some(Host::V4(ip))) => ip.to_string(),
        (None, Some(Host::V6(ip))) => format!("[{ip}]"),
        (None, None) => return Err("there is no host in it".to_owned()),
    };
    let transport = match uri.params().get(b"transport").and_then(|transport| transport.value) {
        None => Transport::Udp,
        Some(name) if name.eq_ignore_ascii_case(b"udp") => Transport::Udp,
        Some(name) if name.eq_ignore_ascii_case(b"tcp") => Transport::Tcp,
        Some(name) => return Err(format!("transport {} is not supported", String::from_utf8_lossy(name))),
    };
    Ok(Hop { host, port: uri.port().unwrap_or(5060), transport })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Builder;
    use crate::syntax::Method;

    fn hop(uri: &str, routes: &[&str]) -> Result<Hop, String> {
        let mut builder = Builder::request(Method::Bye, uri)
            .header(HeaderName::From, "<sip:a@x>;tag=a")
            .header(HeaderName::To, "<sip:b@x>;tag=b")
            .header(HeaderName::CallId, "1")
            .header(HeaderName::CSeq, "1 BYE");
        for route in routes {
            builder = builder.header(HeaderName::Route, route);
        }
        of(&builder.build().unwrap())
    }

    fn at(host: &str, port: u16, transport: Transport) -> Result<Hop, String> {
        Ok(Hop { host: host.to_owned(), port, transport })
    }

    #[test]
    fn the_first_route_goes_before_the_request_uri() {
        let routes = ["<sip:192.0.2.1:5080;transport=tcp;lr>, <sip:192.0.2.2;lr>"];
        assert_eq!(hop("sip:b@192.0.2.9", &routes), at("192.0.2.1", 5080, Transport::Tcp));
        assert_eq!(hop("sip:b@[2001:db8::1]:5070", &[]), at("[2001:db8::1]", 5070, Transport::Udp));
        assert_eq!(hop("sip:b@pbx.example;maddr=192.0.2.7", &[]), at("192.0.2.7", 5060, Transport::Udp));
    }

    #[test]
    fn what_we_cannot_reach_is_said() {
        assert!(hop("sip:b@192.0.2.9;transport=tls", &[]).unwrap_err().contains("tls"));
        assert!(hop("tel:+15550100", &[]).unwrap_err().contains("no sip: URI"));
    }
}
