//! Via (RFC 3261 sec. 20.42, RFC 3581).
use super::class::{Scan, TOKEN, clamped_u32};
use super::host::scan_port;
use super::params::{Param, pick};
use super::{Host, Params, SyntaxError};
use std::net::IpAddr;

/// One Via value.
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    pub(super) transport: &'a [u8],
    pub(super) host: Host<'a>,
    pub(super) port: Option<u16>,
    pub(super) params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Parses the first value of `text` (a Via header may hold a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a Via value.
    pub fn parse_first(text: &'a [u8]) -> Result<(Via<'a>, &'a [u8]), SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        scan.some(TOKEN)?;
        scan.separator(b'/')?;
        scan.some(TOKEN)?;
        scan.separator(b'/')?;
        let transport = scan.some(TOKEN)?;
        let before = scan.at;
        scan.lws();
        if scan.at == before {
            return Err(scan.unexpected());
        }
        let host = Host::scan(&mut scan)?;
        let end = scan;
        scan.lws();
        let port = if scan.eat(b':') {
            scan.lws();
            Some(scan_port(&mut scan)?)
        } else {
            scan = end;
            None
        };
        let params = Params::scan(&mut scan)?;
        Ok((Via { transport, host, port, params }, scan.end_of_value()?))
    }
    /// The transport token (`UDP`, `TCP`, ...), as it came.
    pub fn transport(&self) -> &'a [u8] {
        self.transport
    }
    /// The host of sent-by.
    pub fn host(&self) -> Host<'a> {
        self.host
    }
    /// The port of sent-by, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// `branch`.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.get(b"branch").and_then(|p| p.value)
    }
    /// `received`, when it is an address.
    pub fn received(&self) -> Option<IpAddr> {
        received(self.params.get(b"received"))
    }
    /// `rport`: `Some(None)` when asked for and not filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get(b"rport").map(rport)
    }
    /// Where the far side saw the sender: `received` and `rport`, in one pass.
    pub(crate) fn seen_at(&self) -> (Option<IpAddr>, Option<u16>) {
        let [address, port] = pick(self.params.iter(), [b"received", b"rport"]);
        (received(address), port.and_then(rport))
    }
}

fn received(param: Option<Param<'_>>) -> Option<IpAddr> {
    Host::address(param?.value?)
}

fn rport(param: Param<'_>) -> Option<u16> {
    param.value.and_then(clamped_u32).and_then(|n| u16::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_a_folded_list() {
        let text = b"SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239";
        let (first, rest) = Via::parse_first(text).unwrap();
        assert_eq!((first.transport(), first.host()), (&b"TCP"[..], Host::Name(b"spindle.example.com")));
        assert_eq!(first.branch(), Some(&b"z9hG4bK9ikj8"[..]));
        let (second, rest) = Via::parse_first(rest).unwrap();
        assert_eq!(second.host(), Host::V4([192, 168, 255, 111].into()));
        assert_eq!(second.branch(), Some(&b"z9hG4bK30239"[..]));
        assert!(rest.is_empty());
    }

    #[test]
    fn reads_received_and_rport() {
        let via = |t: &'static str| Via::parse_first(t.as_bytes()).unwrap().0;
        let v = via("SIP/2.0/UDP [2001:db8::9:1]:5061;received=2001:db8::9:255;rport=1234;branch=z9hG4bKas3");
        assert_eq!(
            (v.port(), v.received(), v.rport()),
            (Some(5061), "2001:db8::9:255".parse().ok(), Some(Some(1234)))
        );
        let v = via("SIP/2.0/UDP h : 5060 ;rport;received=[2001:db8::9:255]");
        assert_eq!(
            (v.port(), v.received(), v.rport()),
            (Some(5060), "2001:db8::9:255".parse().ok(), Some(None))
        );
        assert_eq!(via("SIP/2.0/UDP h").rport(), None);
    }

    #[test]
    fn refuses_what_is_no_via() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0 h",
            "SIP/2.0/UDP h x",
            "SIP/2.0/UDP h,",
            "SIP/2.0/UDP ::1",
        ] {
            assert!(Via::parse_first(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
