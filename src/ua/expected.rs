//! Which INVITE is the expected one: a socket that waits for a call is open to everybody, and an account's own calls come there as well.
//!
//! A pure decision. What shows that an INVITE is ours: the token that our Contact carries comes back in its Request-URI (platforms send from
//! other hosts than the registrar), or, where the platform strips parameters, it comes from the registrar or proxy. And its caller must be the
//! one that we let call, as far as it shows one: a customer's real call is never taken.
//!
//! ```
//! use ringback::message::{Builder, Flow, Transport};
//! use ringback::syntax::{HeaderName, Method};
//! use ringback::ua::expected::{Expected, Foreign, Sign};
//!
//! let flow = Flow { transport: Transport::Udp, local: "192.0.2.2:5070".parse()?, remote: "192.0.2.1:5060".parse()? };
//! let expected = Expected { contact: "sip:bob@192.0.2.2:5070;rb=x7", flow, hosts: &[], domain: "pbx.example.com",
//!     caller: Some("alice"), call_id: None };
//! let invite = |uri: &str, from: &str| {
//!     Builder::request(Method::Invite, uri)
//!         .header(HeaderName::From, from)
//!         .header(HeaderName::To, "<sip:bob@pbx.example.com>")
//!         .header(HeaderName::CallId, "1")
//!         .header(HeaderName::CSeq, "1 INVITE")
//!         .build()
//! };
//! let ours = invite("sip:bob@192.0.2.2:5070;rb=x7", "<sip:alice@pbx.example.com>;tag=1")?;
//! assert_eq!(expected.judge(&ours, &flow), Ok(Sign::Token));
//! let stranger = Flow { remote: "198.51.100.7:5060".parse()?, ..flow };
//! let scan = invite("sip:100@192.0.2.2", "<sip:scan@198.51.100.7>;tag=1")?;
//! assert_eq!(expected.judge(&scan, &stranger), Err(Foreign::Source));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::message::{Flow, Message};
use crate::syntax::{HeaderName, Host, NameAddr, Uri, unescape};
use crate::ua::registration::TOKEN;
use crate::ua::response::text;
use std::fmt;
use std::net::IpAddr;

/// What is known of the call that we wait for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The Contact URI that was registered, with its token
    /// ([`Registration::contact`](crate::ua::registration::Registration::contact)).
    pub contact: &'a str,
    /// The flow that it was registered over.
    pub flow: Flow,
    /// Further addresses of the account's registrar and proxies.
    pub hosts: &'a [IpAddr],
    /// The domain of the account: who is shown at another host may be anybody.
    pub domain: &'a str,
    /// The user part of the account that calls, where we know who does.
    pub caller: Option<&'a str>,
    /// The Call-ID of its INVITE, where that is ours too: a proxy keeps it.
    pub call_id: Option<&'a str>,
}

/// What shows that an INVITE is the expected one; the surest that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sign {
    /// It has the Call-ID of the INVITE that we sent.
    CallId,
    /// Its Request-URI carries the token of our Contact.
    Token,
    /// It carries none, and comes from the account's registrar or proxy.
    Flow,
}

/// Why an INVITE is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Foreign {
    /// It is for another binding: it carries a token that is not ours.
    OtherBinding,
    /// It carries no token, and does not come from the account's registrar or a proxy: a stranger found the port.
    Source,
    /// It shows neither our token, which the platform's others carry, nor who calls; and one that does came as well.
    Unmarked,
    /// It comes through the platform, from somebody else than the one that we let call: a real call of the account. Who calls, as shown.
    Caller(String),
}

impl Foreign {
    /// What it is answered: 404 for strangers; 480 for a real call, so that its other branches ring on.
    pub fn status(&self) -> u16 {
        match self {
            Foreign::OtherBinding | Foreign::Source => 404,
            Foreign::Unmarked | Foreign::Caller(_) => 480,
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreign::OtherBinding => f.write_str("it is for another binding"),
            Foreign::Source => f.write_str("it does not come from the account's platform"),
            Foreign::Unmarked => f.write_str("it shows neither who calls nor our token, and another one did"),
            Foreign::Caller(who) => write!(f, "{who} calls, who was not expected"),
        }
    }
}

impl Expected<'_> {
    /// Is this INVITE, which came over this flow, the expected one?
    ///
    /// # Errors
    /// Why it is not.
    pub fn judge(&self, invite: &Message, flow: &Flow) -> Result<Sign, Foreign> {
        let call_id = invite.call_id().unwrap_or_default();
        if self.call_id.is_some_and(|ours| ours.as_bytes() == call_id) {
            return Ok(Sign::CallId);
        }
        let sign = self.addressed(invite, flow)?;
        match self.caller.and_then(|caller| self.other_caller(caller, invite)) {
            Some(other) => Err(Foreign::Caller(other)),
            None => Ok(sign),
        }
    }

    /// Does this INVITE, if it is [expected](Expected::judge), say so itself: by its Call-ID, by our token, or by who calls?
    pub fn is_sure(&self, invite: &Message) -> bool {
        let by_call_id =
            self.call_id.is_some_and(|ours| invite.call_id().is_ok_and(|id| id == ours.as_bytes()));
        by_call_id || self.has_token(invite) || self.caller.is_some_and(|caller| self.shows(caller, invite))
    }

    fn has_token(&self, invite: &Message) -> bool {
        let token = |uri: &[u8]| {
            let uri = Uri::parse(uri).ok()?;
            uri.params().get(TOKEN.as_bytes())?.value.map(<[u8]>::to_ascii_lowercase)
        };
        let ours = token(self.contact.as_bytes());
        ours.is_some() && invite.request_uri_bytes().and_then(token) == ours
    }

    /// Is this caller shown, in any of the ways that he may be?
    fn shows(&self, caller: &str, invite: &Message) -> bool {
        let caller = text(&unescape(caller.as_bytes()));
        self.shown(invite).iter().any(|user| may_be(&caller, user))
    }

    fn addressed(&self, invite: &Message, flow: &Flow) -> Result<Sign, Foreign> {
        let uri = invite.request_uri_bytes().and_then(|uri| Uri::parse(uri).ok());
        let contact = Uri::parse(self.contact.as_bytes()).ok();
        let token = |uri: &Option<Uri<'_>>| {
            let value = uri.as_ref().and_then(|uri| uri.params().get(TOKEN.as_bytes())?.value);
            value.map(|value| value.to_ascii_lowercase())
        };
        match (token(&uri), token(&contact)) {
            (Some(shown), Some(ours)) if shown == ours => return Ok(Sign::Token),
            (Some(_), Some(_)) => return Err(Foreign::OtherBinding),
            _ => {}
        }
        let user =
            |uri: &Option<Uri<'_>>| uri.as_ref().and_then(|uri| Some(unescape(uri.user()?).into_owned()));
        let is_for_us = user(&uri).is_some() && user(&uri) == user(&contact);
        let is_home = self.is_home(flow.remote.ip());
        // From the very socket that we registered at, or over the same connection, also to another user: some platforms write the number
        // that was dialled.
        if flow.remote == self.flow.remote || is_home && is_for_us {
            Ok(Sign::Flow)
        } else {
            Err(Foreign::Source)
        }
    }

    /// Who calls, when the INVITE shows somebody who cannot be this caller; `None` where it may be he.
    fn other_caller(&self, caller: &str, invite: &Message) -> Option<String> {
        let caller = text(&unescape(caller.as_bytes()));
        let shown = self.shown(invite);
        if shown.iter().any(|user| may_be(&caller, user)) { None } else { shown.into_iter().next() }
    }

    /// The users that an INVITE shows as its caller.
    fn shown(&self, invite: &Message) -> Vec<String> {
        let mut shown = Vec::new();
        let lists = [HeaderName::PAssertedIdentity, HeaderName::RemotePartyId];
        let listed = lists
            .into_iter()
            .flat_map(|name| invite.values(name))
            .filter_map(|value| NameAddr::parse_first(value).ok());
        for address in listed.map(|(address, _)| address).chain(invite.from().ok()) {
            let uri = address.uri();
            if !self.is_own(&uri) {
                continue;
            }
            let user =
                uri.user().map(|user| text(&unescape(user.split(|b| *b == b';').next().unwrap_or(user))));
            // A SIP address without a user shows nobody.
            let number = || text(uri.as_bytes()).strip_prefix("tel:").map(str::to_owned);
            shown.extend(user.or_else(number));
        }
        // Who hides in one header may be named in another.
        shown.retain(|user| !NOBODY.iter().any(|nobody| user.eq_ignore_ascii_case(nobody)));
        shown
    }

    /// Is this a URI of the account's platform, or without a host?
    fn is_own(&self, uri: &Uri<'_>) -> bool {
        match uri.host() {
            None => true,
            Some(Host::Name(name)) => name.eq_ignore_ascii_case(self.domain.as_bytes()),
            Some(Host::V4(ip)) => self.is_home(ip.into()),
            Some(Host::V6(ip)) => self.is_home(ip.into()),
        }
    }

    fn is_home(&self, ip: IpAddr) -> bool {
        ip == self.flow.remote.ip()
            || self.hosts.contains(&ip)
            || self.domain.trim_matches(['[', ']']).parse() == Ok(ip)
    }
}

/// May a caller with this user part be shown so? Platforms show numbers instead of names, in national or international form, one number for
/// a whole company; but a name that is not his, or another extension than his, is somebody else's.
fn may_be(caller: &str, shown: &str) -> bool {
    if caller.eq_ignore_ascii_case(shown) {
        return true;
    }
    let digits = |text: &str| {
        let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.()".contains(&b));
        is_number.then(|| text.bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>())
    };
    match (digits(caller), digits(shown)) {
        // Both short, or both long: an extension or a number of its own.
        (Some(caller), Some(shown)) => {
            let tail = shown.len().min(caller.len()).min(9);
            let same = shown.ends_with(caller.get(caller.len() - tail..).unwrap_or_default());
            same && tail > 1 || caller.len() < EXTERNAL && shown.len() >= EXTERNAL
        }
        // An account with a name has an extension that we do not know.
        (None, Some(_)) => true,
        _ => false,
    }
}

/// User parts of callers who are not shown.
const NOBODY: [&str; 6] = ["anonymous", "unknown", "unavailable", "restricted", "private", ""];
/// Digits from which on a number is no extension any more.
const EXTERNAL: usize = 7;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Builder, Transport};
    use crate::syntax::Method;

    const OURS: &str = "sip:bob@192.0.2.2:5070;rb=x7";

    fn flow(remote: &str) -> Flow {
        Flow {
            transport: Transport::Udp,
            local: "192.0.2.2:5070".parse().unwrap(),
            remote: remote.parse().unwrap(),
        }
    }

    fn invite(uri: &str, from: &str, asserted: Option<&str>) -> Message {
        let mut builder = Builder::request(Method::Invite, uri)
            .header(HeaderName::From, format!("<{from}>;tag=1"))
            .header(HeaderName::To, "<sip:bob@pbx.example.com>")
            .header(HeaderName::CallId, "c1")
            .header(HeaderName::CSeq, "1 INVITE");
        if let Some(asserted) = asserted {
            builder = builder.header(HeaderName::PAssertedIdentity, asserted);
        }
        builder.build().unwrap()
    }

    fn judge(uri: &str, from: &str, remote: &str) -> Result<Sign, Foreign> {
        judge_as("alice", uri, from, None, remote)
    }

    fn judge_as(
        caller: &str,
        uri: &str,
        from: &str,
        pai: Option<&str>,
        remote: &str,
    ) -> Result<Sign, Foreign> {
        let hosts = ["192.0.2.8".parse().unwrap()];
        let (contact, home) = (OURS, flow("192.0.2.1:5060"));
        let expected = Expected {
            contact,
            flow: home,
            hosts: &hosts,
            domain: "pbx",
            caller: Some(caller),
            call_id: Some("own"),
        };
        expected.judge(&invite(uri, from, pai), &flow(remote))
    }

    #[test]
    fn the_token_tells_it_wherever_it_comes_from() {
        for remote in ["192.0.2.1:5060", "203.0.113.9:5080"] {
            assert_eq!(judge(OURS, "sip:alice@pbx", remote), Ok(Sign::Token));
        }
        assert_eq!(judge("sip:bob@192.0.2.2;RB=X7", "sip:alice@pbx", "203.0.113.9:5080"), Ok(Sign::Token));
        assert_eq!(
            judge("sip:bob@192.0.2.2:5070;rb=other", "sip:alice@pbx", "192.0.2.1:5060"),
            Err(Foreign::OtherBinding)
        );
    }

    #[test]
    fn without_a_token_it_has_to_come_from_the_registrar_or_a_proxy() {
        for (uri, remote, is_ours) in [
            ("sip:bob@192.0.2.2:5070", "192.0.2.1:5060", true),
            // A platform that writes what was dialled.
            ("sip:201@192.0.2.2:5070", "192.0.2.1:5060", true),
            ("sip:bob@192.0.2.2:5070", "192.0.2.1:5062", true),
            ("sip:bob@192.0.2.2:5070", "192.0.2.8:5060", true),
            // A scanner on the registrar's host, or anywhere.
            ("sip:100@192.0.2.2:5070", "192.0.2.1:40000", false),
            ("sip:bob@192.0.2.2:5070", "203.0.113.9:5060", false),
            ("sip:100@192.0.2.2:5070", "203.0.113.9:5060", false),
            ("tel:+100", "203.0.113.9:5060", false),
        ] {
            let judged = judge(uri, "sip:alice@pbx", remote);
            let expected = if is_ours { Ok(Sign::Flow) } else { Err(Foreign::Source) };
            assert_eq!(judged, expected, "{uri} from {remote}");
        }
        assert_eq!(Foreign::Source.status(), 404);
    }

    #[test]
    fn a_real_call_of_the_account_is_somebody_elses() {
        let carol = judge_as("alice", OURS, "sip:carol@pbx", Some("<sip:carol@pbx>"), "192.0.2.1:5060");
        assert_eq!(carol, Err(Foreign::Caller("carol".to_owned())));
        assert_eq!(carol.unwrap_err().status(), 480);
        for (caller, from, pai, fits) in [
            ("alice", "sip:alice@pbx", None, true),
            ("alice", "sip:anonymous@anonymous.invalid", Some("<sip:alice@pbx>"), true),
            ("alice", "sip:anonymous@anonymous.invalid", None, true),
            ("alice", "sip:anonymous@anonymous.invalid", Some("\"Carol\" <sip:carol@pbx>"), false),
            ("alice", "sip:+49305550100@pbx", None, true),
            ("alice", "sip:1003@pbx", None, true),
            ("alice", "sip:carol@192.0.2.1", None, false),
            // Who is shown at another host may be anybody.
            ("alice", "sip:u@d", None, true),
            ("alice", "sip:u@d", Some("<sip:carol@pbx>"), false),
            ("1001", "sip:1001@pbx", None, true),
            ("1001", "sip:1003@pbx", None, false),
            ("1001", "sip:+49305551001@pbx", None, true),
            // The number of the company.
            ("1001", "sip:+49305550@pbx", None, true),
            ("+49305550100", "sip:0305550100@pbx", None, true),
            ("+49305550100", "sip:+49305550199@pbx", None, false),
            ("1001", "sip:carol@pbx", Some("<tel:+49305551001>"), true),
            ("al%69ce", "sip:alice@pbx", None, true),
        ] {
            let judged = judge_as(caller, OURS, from, pai, "192.0.2.1:5060");
            assert_eq!(judged.is_ok(), fits, "{caller} shown as {from} {pai:?}: {judged:?}");
        }
    }

    #[test]
    fn who_calls_is_not_asked_where_the_call_id_is_ours_or_nobody_is_expected() {
        let home = flow("192.0.2.1:5060");
        let expected = Expected {
            contact: OURS,
            flow: home,
            hosts: &[],
            domain: "pbx",
            caller: Some("alice"),
            call_id: Some("c1"),
        };
        let invite = invite("sip:bob@192.0.2.2", "sip:carol@pbx", None);
        assert_eq!(expected.judge(&invite, &flow("203.0.113.9:5060")), Ok(Sign::CallId));
        let anybody = Expected { caller: None, call_id: None, ..expected };
        assert_eq!(anybody.judge(&invite, &home), Ok(Sign::Flow));
    }
}
