//! How the registrar is set up.
use std::time::Duration;

/// Rules and limits of a [`Registrar`](super::Registrar).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Domains that are served: addresses of record elsewhere get 403. Default `lab.example`; an empty list serves every domain.
    pub domains: Vec<String>,
    /// An address of record may also name an IP address instead of a domain; default yes.
    pub serve_addresses: bool,
    /// The realm of challenges; the first domain when empty.
    pub realm: String,
    /// The realm of the proxy in front (see [`User::behind_proxy`](crate::sim::User::behind_proxy)); `proxy.` and the realm when empty.
    pub proxy_realm: String,
    /// Shortest expiry in seconds, shorter ones get 423; default 60.
    pub min_expires: u32,
    /// Longest expiry in seconds, longer ones are cut; default 7,200.
    pub max_expires: u32,
    /// Expiry in seconds where nothing is asked for; default 3,600.
    pub default_expires: u32,
    /// Most bindings of one user; default 10.
    pub max_contacts: usize,
    /// What a contact over the limit is answered with; default 503, as Kamailio does.
    pub full_status: u16,
    /// Time after which a nonce is stale; default 300 s.
    pub nonce_lifetime: Duration,
    /// Most nonces that are remembered, beyond it the oldest are stale; default 100,000.
    pub max_nonces: usize,
    /// GRUUs for devices that ask (RFC 5627); default yes.
    pub gruu: bool,
    /// Bindings in a 200 show the device's User-Agent as `;user-agent`; default yes.
    pub show_user_agent: bool,
    /// Service-Route values of every 200 (RFC 3608), e.g. `<sip:proxy.example.com;lr>`; default none.
    pub service_route: Vec<String>,
    /// `Allow` of answers to OPTIONS and of refusals (405); default `REGISTER, OPTIONS`. A [`Lab`](crate::sim::Lab) adds the methods of calls.
    pub allow: String,
    /// `Server` of every response.
    pub server: String,
    /// Requests that are remembered for [`Registrar::seen`](super::Registrar::seen); default 10,000, the oldest go first.
    pub max_seen: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            domains: vec!["lab.example".into()],
            serve_addresses: true,
            realm: String::new(),
            proxy_realm: String::new(),
            min_expires: 60,
            max_expires: 7_200,
            default_expires: 3_600,
            max_contacts: 10,
            full_status: 503,
            nonce_lifetime: Duration::from_secs(300),
            max_nonces: 100_000,
            gruu: true,
            show_user_agent: true,
            service_route: Vec::new(),
            allow: "REGISTER, OPTIONS".into(),
            server: concat!("ringback-sim/", env!("CARGO_PKG_VERSION")).into(),
            max_seen: 10_000,
        }
    }
}

impl Config {
    pub(super) fn realm(&self) -> &str {
        match (&*self.realm, self.domains.first()) {
            ("", Some(domain)) => domain,
            ("", None) => "ringback",
            (realm, _) => realm,
        }
    }
    pub(super) fn proxy_realm(&self) -> String {
        if self.proxy_realm.is_empty() { format!("proxy.{}", self.realm()) } else { self.proxy_realm.clone() }
    }
}
