//! An account: whom to register, where, and with what.

use super::Destination;
use super::address::{host_text, parse_sip, transport_of, with_escaped_user, with_scheme};
use crate::auth::Credentials;
use crate::error::{Argument, Error, Problem};
use crate::message::{Mask, Transport};
use crate::syntax::unescape;

/// Scheme with which an address of record begins.
const SCHEME: &str = "sip:";

/// An account of a registrar.
///
/// `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Account {
    name: Option<Box<str>>,
    /// `sip:USER@DOMAIN`. Hundreds of thousands of accounts are kept at a time: what is in it is not kept twice.
    aor: Box<str>,
    user_length: usize,
    credentials: Credentials,
    /// Seldom given.
    registrar: Option<Box<Destination>>,
    outbound_proxy: Option<Box<Destination>>,
    /// Transport that the AOR names, and the one that holds where no URI does.
    aor_transport: Option<Transport>,
    transport: Option<Transport>,
}

impl Account {
    /// An account by its address of record (`sip:user@domain`; the scheme may be left out) and password.
    ///
    /// By default the digest user is the AOR's user, the registrar its domain, the transport UDP, or what a `;transport=` of the AOR says. What is
    /// outside of ASCII in the user is escaped (RFC 3261 sec. 25.1); `;user=phone` means nothing in an AOR (sec. 10.3) and is left out.
    ///
    /// # Errors
    /// [`Error::Usage`] with the column when `aor` is no SIP URI with a user, or is one that we cannot reach (`sips:`, `;transport=tls`), or
    /// has parameters or headers that an AOR has not.
    pub fn new(aor: &str, password: impl Into<String>) -> Result<Account, Error> {
        // First: it is wiped also where the address is refused.
        let password = zeroize::Zeroizing::new(password.into());
        let written = aor.trim();
        let full = with_scheme(written);
        let scheme_added = full.len() - written.len();
        let full = with_escaped_user(&full);
        let uri = parse_sip(&full, scheme_added)
            .map_err(|problem| Error::usage(Argument::AddressOfRecord, written, problem))?;
        let problem = |problem: Problem| Error::usage(Argument::AddressOfRecord, written, problem);
        let user = uri.user().filter(|u| !u.is_empty()).ok_or_else(|| {
            let why = if written.contains('@') {
                "there is no user before the \"@\" (column 1)"
            } else {
                "there is no \"@\" in it"
            };
            problem(Problem::malformed(why, "write it as sip:user@domain"))
        })?;
        if uri.password().is_some() {
            return Err(problem(Problem::unusable(
                "it holds a password",
                "give the password by itself, not in the address",
            )));
        }
        let domain = match (uri.host(), uri.port()) {
            (Some(host), Some(port)) => format!("{}:{port}", host_text(host)),
            (Some(host), None) => host_text(host),
            (None, _) => {
                return Err(problem(Problem::malformed(
                    "there is no domain after the \"@\"",
                    "write it as sip:user@domain",
                )));
            }
        };
        let aor_transport = transport_of(&uri).map_err(&problem)?;
        if let Some(param) = uri.params().iter().find(|param| {
            !param.name.eq_ignore_ascii_case(b"transport") && !param.name.eq_ignore_ascii_case(b"user")
        }) {
            let name = String::from_utf8_lossy(param.name);
            return Err(problem(Problem::unusable(
                format!("\";{name}\" has no meaning in an address of record"),
                "leave it out",
            )));
        }
        if !uri.headers().is_empty() {
            return Err(problem(Problem::unusable(
                "headers (\"?\") have no meaning in an address of record",
                "leave them out",
            )));
        }
        let auth_user = String::from_utf8_lossy(&unescape(user)).into_owned();
        let user = String::from_utf8_lossy(user).into_owned();
        Ok(Account {
            name: None,
            aor: format!("{SCHEME}{user}@{domain}").into_boxed_str(),
            credentials: Credentials::of_secret(auth_user, password),
            user_length: user.len(),
            registrar: None,
            outbound_proxy: None,
            aor_transport,
            transport: None,
        })
    }

    /// Another user name for digest.
    #[must_use]
    pub fn auth_user(mut self, user: &str) -> Account {
        self.credentials = Credentials::new(user, self.credentials.password());
        self
    }

    /// Name of the account in reports and command lines; the AOR by default.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Account {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Another registrar than the AOR's domain: where REGISTER is sent, e.g. `sip:127.0.0.1:5060;transport=tcp`.
    /// The Request-URI stays the AOR's domain (RFC 3261 sec. 10.2).
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no SIP URI, or one that we cannot reach.
    pub fn registrar(mut self, uri: &str) -> Result<Account, Error> {
        self.registrar = Some(Box::new(Destination::parse(Argument::Registrar, uri)?));
        Ok(self)
    }

    /// A proxy that every request goes to first, e.g. `sip:proxy.example.com;lr`; it gets a Route (RFC 3261 sec. 8.1.2).
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no SIP URI, or one that we cannot reach.
    pub fn outbound_proxy(mut self, uri: &str) -> Result<Account, Error> {
        self.outbound_proxy = Some(Box::new(Destination::parse(Argument::OutboundProxy, uri)?));
        Ok(self)
    }

    /// The transport, where no URI parameter says it; UDP by default.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Account {
        self.transport = Some(transport);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.aor)
    }

    /// Its address of record, with scheme.
    pub fn aor(&self) -> &str {
        &self.aor
    }

    /// The AOR's user part as it is written in a URI (escapes kept).
    pub fn user(&self) -> &str {
        self.parts().0
    }

    /// The AOR's domain, with its port when one is written.
    pub fn domain(&self) -> &str {
        self.parts().1
    }

    /// User and domain.
    fn parts(&self) -> (&str, &str) {
        let (user, domain) = self.aor[SCHEME.len()..].split_at(self.user_length);
        (user, domain.strip_prefix('@').unwrap_or(domain))
    }

    /// Credentials that challenges are answered with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Hides the password of this account in `mask`, in all its forms; what is shown of the account anyway (user, domain, name) is no secret.
    pub fn hide_in(&self, mask: &mut Mask) {
        let public = [self.credentials.username(), self.user(), self.domain(), self.name(), self.aor()];
        mask.hide(self.credentials.password(), &public);
    }

    /// Destination of requests: the outbound proxy, else the registrar, else the AOR's domain.
    pub fn next_hop(&self) -> Destination {
        let mut hop = match (&self.outbound_proxy, &self.registrar) {
            (Some(proxy), _) => (**proxy).clone(),
            (None, Some(registrar)) => (**registrar).clone(),
            (None, None) => Destination::of_domain(self.domain()),
        };
        hop.transport = hop.transport.or(self.aor_transport).or(self.transport);
        hop
    }

    /// Has it the same address of record, however each is written: escapes, the case of the host and the usual port make no other one
    /// (RFC 3261 sec. 10.3, 19.1.4)?
    pub fn has_same_aor(&self, other: &Account) -> bool {
        let parts = |account: &Account| {
            let domain = Destination::of_domain(account.domain());
            let host = domain.host.trim_end_matches('.').to_ascii_lowercase();
            (unescape(account.user().as_bytes()).into_owned(), host, domain.port)
        };
        parts(self) == parts(other)
    }

    /// Hosts that are its own: of its domain, its registrar and its outbound proxy.
    pub(super) fn hosts(&self) -> Vec<String> {
        let domain = Destination::of_domain(self.domain());
        let all = [Some(&domain), self.registrar.as_deref(), self.outbound_proxy.as_deref()];
        all.into_iter().flatten().map(|one| one.host.clone()).collect()
    }

    /// The Request-URI of a REGISTER.
    pub fn register_uri(&self) -> String {
        format!("{SCHEME}{}", self.domain())
    }

    /// Preloaded Route values: the outbound proxy, when there is one.
    pub fn routes(&self) -> Vec<String> {
        self.outbound_proxy.iter().map(|proxy| format!("<{}>", proxy.route_uri())).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(aor: &str) -> Result<Account, String> {
        Account::new(aor, "secret").map_err(|error| error.to_string())
    }

    #[test]
    fn the_transport_of_an_address_is_taken_or_refused() {
        let hop = |account: &Account| account.next_hop().transport;
        let tcp = of("sip:alice@pbx.example;transport=TCP").unwrap();
        assert_eq!((tcp.aor(), hop(&tcp)), ("sip:alice@pbx.example", Some(Transport::Tcp)));
        let told = of("sip:alice@pbx.example;transport=udp").unwrap().transport(Transport::Tcp);
        assert_eq!(hop(&told), Some(Transport::Udp), "what the URI says is not left open");
        let elsewhere = tcp.clone().registrar("sip:192.0.2.1").unwrap();
        assert_eq!(hop(&elsewhere), Some(Transport::Tcp));
        assert_eq!(hop(&tcp.registrar("sip:192.0.2.1;transport=udp").unwrap()), Some(Transport::Udp));
        for refused in ["tls", "ws", "sctp", ""] {
            let error = of(&format!("sip:alice@pbx.example;transport={refused}")).unwrap_err();
            assert!(error.contains("is not supported; use udp or tcp"), "{refused}: {error}");
        }
    }

    #[test]
    fn what_means_nothing_in_an_address_of_record_is_refused_and_not_dropped() {
        assert_eq!(of("sip:+4930@pbx.example;user=phone").unwrap().aor(), "sip:+4930@pbx.example");
        for (aor, what) in [
            ("sip:alice@pbx.example;maddr=192.0.2.1", "\";maddr\""),
            ("sip:alice@pbx.example;user=phone;lr", "\";lr\""),
            ("sip:alice@pbx.example?Subject=x", "headers"),
        ] {
            let error = of(aor).unwrap_err();
            assert!(error.contains(what) && error.contains("address of record"), "{error}");
        }
    }

    #[test]
    fn a_user_outside_of_ascii_is_escaped_on_the_wire_and_plain_for_digest() {
        let account = of("sip:j\u{fc}rgen@pbx.example").unwrap();
        assert_eq!(account.aor(), "sip:j%C3%BCrgen@pbx.example");
        assert_eq!(account.credentials().username(), "j\u{fc}rgen");
        let error = of("sip:j\u{fc}r gen@pbx.example").unwrap_err();
        assert!(error.contains("column 8"), "{error}");
    }

    #[test]
    fn an_address_of_record_is_the_same_however_it_is_written() {
        let alice = of("sip:alice@pbx.example").unwrap();
        for same in [
            "alice@pbx.example",
            "sip:alice@PBX.Example",
            "sip:%61lice@pbx.example",
            "sip:alice@pbx.example:5060",
            "sip:alice@pbx.example.",
            "sip:alice@pbx.example;transport=tcp",
        ] {
            assert!(alice.has_same_aor(&of(same).unwrap()), "{same}");
        }
        for other in ["sip:Alice@pbx.example", "sip:alice@pbx.example:5070", "sip:alice@sub.pbx.example"] {
            assert!(!alice.has_same_aor(&of(other).unwrap()), "{other}");
        }
    }
}
