//! The destination of requests: host, port and transport of a SIP URI.

use super::address::{host_text, parse_sip, transport_of, with_escaped_user, with_scheme};
use crate::error::{Argument, Error, Problem};
use crate::message::Transport;
use std::fmt;

/// The next hop of a request, before its name is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// A name or an address, IPv6 in brackets.
    pub host: String,
    /// The port; 5060 when none is written.
    pub port: u16,
    /// The transport, when the URI says it.
    pub transport: Option<Transport>,
}

impl Destination {
    /// From a `sip:` URI (the scheme may be left out), e.g. `sip:127.0.0.1:5060;transport=tcp`. `argument` names it in the error.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no SIP URI, or its transport is none of ours.
    pub fn parse(argument: Argument, uri: &str) -> Result<Destination, Error> {
        let written = uri.trim().trim_start_matches('<').trim_end_matches('>');
        let full = with_scheme(written);
        let added = full.len() - written.len();
        let full = with_escaped_user(&full);
        let usage = |problem: Problem| Error::usage(argument, written, problem);
        let parsed = parse_sip(&full, added).map_err(|problem| usage(of_server(problem)))?;
        let host = parsed.host().map(host_text).ok_or_else(|| {
            usage(Problem::malformed("there is no host in it", "write it as sip:host:port"))
        })?;
        let transport = transport_of(&parsed).map_err(usage)?;
        Ok(Destination { host, port: parsed.port().unwrap_or(5060), transport })
    }

    /// Of `host[:port]`, which was checked before.
    pub(super) fn of_domain(domain: &str) -> Destination {
        let (host, port) = match domain.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(5060)),
            _ => (domain, 5060),
        };
        Destination { host: host.to_owned(), port, transport: None }
    }

    /// Writes it as a loose-routing URI.
    pub(super) fn route_uri(&self) -> String {
        match self.transport {
            Some(transport) => format!("sip:{}:{};transport={transport};lr", self.host, self.port),
            None => format!("sip:{}:{};lr", self.host, self.port),
        }
    }
}

/// The problem of a server's address: it has no user.
fn of_server(problem: Problem) -> Problem {
    match problem {
        Problem::Malformed { why, column: Some(column), .. } => {
            Problem::Malformed { why, column: Some(column), write: "write it as sip:host:port".into() }
        }
        other => other,
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
