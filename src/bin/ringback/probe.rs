//! Options of whatever asks a question: our own address, and how long to wait.

use crate::exit::Failure;
use crate::notes;
use ringback::check::{Destination, Probe, ProbeConfig};
use ringback::message::Transport;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Probe")]
pub(crate) struct ProbeOptions {
    /// Our own address: udp:127.0.0.1:0, tcp:[::1]:5070 or 192.0.2.1; port 0 lets the system choose. May be repeated.
    #[arg(long, value_name = "ADDRESS")]
    bind: Vec<String>,
    /// Time for one check, cleaning up not counted: seconds, or with a unit (500ms, 2m). [default: 40s; for calls, by their options]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

impl ProbeOptions {
    pub(crate) async fn probe(&self) -> Result<Probe, Failure> {
        let mut config = ProbeConfig::default();
        config.journal = notes::journal();
        self.with(config).await
    }

    /// For calls: with the ports of the media; where the embedded network is asked, on 127.0.0.1 by default.
    pub(crate) async fn for_calls(
        &self,
        rtp_ports: Option<RangeInclusive<u16>>,
        embedded: bool,
    ) -> Result<Probe, Failure> {
        let mut config = ProbeConfig::default();
        config.rtp_ports = rtp_ports;
        // The embedded network ends with this program, and all that is open in it.
        config.journal = if embedded { None } else { notes::journal() };
        let here = embedded && self.bind.is_empty();
        self.with(if here { config.bind("udp:127.0.0.1:0")? } else { config }).await
    }

    /// Refuses next hops that the bound sockets cannot ask: a socket for UDP has to be bound, a connection is opened from any address.
    pub(crate) fn opens(&self, hops: impl IntoIterator<Item = Destination>) -> Result<(), Failure> {
        let is_tcp =
            |address: &String| address.get(..4).is_some_and(|text| text.eq_ignore_ascii_case("tcp:"));
        if self.bind.is_empty() {
            return Ok(());
        }
        let given = self.bind.join(", ");
        let is_udp = |hop: &Destination| hop.transport.is_none_or(|transport| transport == Transport::Udp);
        for hop in hops.into_iter().filter(is_udp) {
            if self.bind.iter().all(is_tcp) {
                return Err(Failure::usage(format!(
                    "--bind {given} opens no UDP socket, and {hop} is asked by UDP: add --transport tcp, or --bind udp:ADDRESS"
                )));
            }
            // A name may have addresses of both families.
            let Ok(asked) = hop.host.trim_matches(['[', ']']).parse::<IpAddr>() else { continue };
            let has_family = |address: &String| is_tcp(address) || is_v6(address) == asked.is_ipv6();
            if !self.bind.iter().filter(|address| !is_tcp(address)).any(has_family) {
                let (bound, asked, example) = match asked.is_ipv4() {
                    true => ("IPv6", "IPv4", "udp:0.0.0.0:0"),
                    false => ("IPv4", "IPv6", "udp:[::]:0"),
                };
                return Err(Failure::usage(format!(
                    "--bind {given} is {bound} only, and {hop} is {asked}: add --bind {example}"
                )));
            }
        }
        Ok(())
    }

    async fn with(&self, mut config: ProbeConfig) -> Result<Probe, Failure> {
        for address in &self.bind {
            config = config.bind(address)?;
        }
        Ok(Probe::with(config).await?)
    }
}

/// Is it an IPv6 address, as `[::1]:0` or `udp:::1`?
fn is_v6(bound: &str) -> bool {
    let address =
        bound.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("udp:")).map_or(bound, |_| &bound[4..]);
    address.starts_with('[') || address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6())
}

/// `5`, `2.5`, `500ms`, `2m`: more than nothing, at most a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => text
            .parse::<jiff::SignedDuration>()
            .map_err(|_| "write seconds, or a time like 500ms or 2m")?
            .as_secs_f64(),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() && time <= Duration::from_secs(86_400) => Ok(time),
        _ => Err("must be more than 0 and at most a day".into()),
    }
}
