//! From a host to the addresses to try.
//!
//! Literal addresses are taken as they are; names go to the system's resolver (A and AAAA, hosts file). NAPTR and SRV
//! (RFC 3263) are not looked up yet.

use super::BoxFuture;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Time that the system's resolver has for one name.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A host that gave no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot resolve {name}: {kind}")]
pub struct ResolveError {
    /// The name that was asked for.
    pub name: String,
    /// What came of it.
    pub kind: ResolveErrorKind,
}

/// Why a host gave no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveErrorKind {
    /// The name has bytes that no host name has.
    #[error("not a host name")]
    BadName,
    /// The resolver's answer holds no address.
    #[error("the name has no address")]
    NoAddress,
    /// The resolver did not answer in time.
    #[error("no answer in {0:?}")]
    Timeout(Duration),
    /// The resolver could not be asked, or said no: its words.
    #[error("{0}")]
    System(String),
}

/// Who turns names into addresses: the operating system, or an embedder's own resolver (its cache, its DNS over HTTPS, a table in a test).
///
/// ```
/// use ringback::transport::{BoxFuture, Resolve, ResolveErrorKind};
/// use std::net::IpAddr;
///
/// #[derive(Debug)]
/// struct Table;
///
/// impl Resolve for Table {
///     fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveErrorKind>> {
///         let found = match name {
///             "pbx.example.com" => Ok(vec![IpAddr::from([192, 0, 2, 1])]),
///             _ => Err(ResolveErrorKind::NoAddress),
///         };
///         Box::pin(std::future::ready(found))
///     }
/// }
/// ```
pub trait Resolve: Send + Sync + fmt::Debug {
    /// The addresses of a host name, the one to try first in front. Literal addresses are not asked for, and names have letters, digits,
    /// `-`, `.` and `_` only. An answer that takes longer than [`RESOLVE_TIMEOUT`] is not waited for.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveErrorKind>>;
}

/// The system's resolver: A and AAAA, hosts file.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveErrorKind>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await;
            let found = found.map_err(|error| ResolveErrorKind::System(error.to_string()))?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// All addresses of `host` (a name, an IPv4 address, an IPv6 address with or without brackets) in the system's order, without
/// repetitions, with `port`.
///
/// # Errors
/// [`ResolveError`] when there is none within [`RESOLVE_TIMEOUT`].
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    resolve_by(&SystemResolver, host, port).await
}

/// Like [`resolve`], with names looked up by this resolver.
///
/// # Errors
/// [`ResolveError`] when there is none within [`RESOLVE_TIMEOUT`].
pub async fn resolve_by(
    resolver: &dyn Resolve,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = literal.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let fail = |kind| ResolveError { name: host.to_owned(), kind };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > 255 || !host.bytes().all(is_name) {
        return Err(fail(ResolveErrorKind::BadName));
    }
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, resolver.resolve(host))
        .await
        .map_err(|_| fail(ResolveErrorKind::Timeout(RESOLVE_TIMEOUT)))?
        .map_err(fail)?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.into_iter().map(|ip| SocketAddr::new(ip, port)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(fail(ResolveErrorKind::NoAddress)) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn literal_addresses_need_no_resolver() {
        assert_eq!(resolve("192.0.2.1", 5060).await.unwrap(), ["192.0.2.1:5060".parse().unwrap()]);
        for host in ["2001:db8::1", "[2001:db8::1]"] {
            assert_eq!(resolve(host, 5061).await.unwrap(), ["[2001:db8::1]:5061".parse().unwrap()]);
        }
    }

    #[tokio::test]
    async fn localhost_is_on_loopback() {
        let found = resolve("localhost", 5060).await.unwrap();
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == 5060), "{found:?}");
    }

    #[tokio::test]
    async fn a_name_that_is_none_says_so() {
        for host in ["", "caf\u{e9}", "a b", "[::1", "a\r\nb", &"a".repeat(256)] {
            let error = resolve(host, 5060).await.unwrap_err();
            assert_eq!(error.kind, ResolveErrorKind::BadName, "{host:?}");
        }
    }
}
