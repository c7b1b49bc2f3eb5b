//! Requests in a call that go nowhere, because the Contact of the far end leads them to where nobody is.

use super::described::oddity;
use crate::message::Message;
use crate::syntax::{Contact, HeaderName, Host, Uri};
use std::net::{IpAddr, SocketAddr};

/// Findings that may be no more than a consequence: a request in the call that nobody answered.
const UNANSWERED: [&str; 5] =
    ["ack-lost", "bye-not-answered", "info-not-answered", "refer-not-answered", "reinvite-not-answered"];

/// Advice for it.
pub(in crate::check) const ADVICE: &str = "switch off SIP ALG in the router; platform: stay in the dialog by Record-Route, or name a Contact that can be reached from the other end (RFC 3261 sec. 12.1.1, 12.2.1.1)";

/// May a wrong Contact be the cause of this finding?
pub(in crate::check) fn may_be_by_contact(code: &str) -> bool {
    UNANSWERED.contains(&code)
}

/// The message that sets where the requests of one end go: the 2xx for the caller, the INVITE for the callee.
pub(in crate::check) struct Led<'a> {
    /// Name of the end that sends the requests.
    pub(in crate::check) name: &'a str,
    /// Name of the other end.
    pub(in crate::check) other: &'a str,
    /// As it came to the end that sends them.
    pub(in crate::check) came: &'a Message,
    /// As the other end sent it, where that is ours.
    pub(in crate::check) wrote: Option<&'a Message>,
    /// Where the signalling of this end goes.
    pub(in crate::check) signalling: SocketAddr,
}

/// Where the requests go, if that can be reached from the other end's network alone, and no Record-Route leads them another way
/// (RFC 3261 sec. 12.2.1.1).
pub(in crate::check) fn astray(led: &Led<'_>) -> Option<String> {
    let Led { name, other, came, .. } = led;
    if came.header(HeaderName::RecordRoute).is_some() {
        return None;
    }
    let (ip, told) = target(came)?;
    let odd = oddity(ip, Some(led.signalling.ip()))?;
    let (_, wrote) = led.wrote.and_then(target).unzip();
    let wrote = match wrote {
        Some(wrote) if wrote == told => format!("as {other} wrote it"),
        Some(wrote) => format!("which {other} never wrote: {other} wrote {wrote}"),
        None => "which cannot be reached from here".to_owned(),
    };
    Some(format!(
        "the requests of {name} in the call go to {told}{odd}, the Contact that came, {wrote}; no Record-Route leads them to the platform"
    ))
}

/// The address in the Contact, and as it is told, e.g. `192.168.1.20:5060`.
fn target(message: &Message) -> Option<(IpAddr, String)> {
    let Contact::Addr(contact) = message.contacts().next()?.ok()? else { return None };
    let uri: Uri<'_> = contact.uri();
    let ip = match uri.host()? {
        Host::V4(ip) => IpAddr::V4(ip),
        Host::V6(ip) => IpAddr::V6(ip),
        Host::Name(_) => return None,
    };
    let told = uri.port().map_or_else(|| ip.to_string(), |port| SocketAddr::new(ip, port).to_string());
    Some((ip, told))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;

    fn answer(contact: &str, more: &str) -> Message {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@{contact}>\r\n{more}\r\n"
        );
        Message::parse(text.into(), &Limits::default()).unwrap()
    }

    #[test]
    fn a_private_contact_is_told_where_it_leads_the_requests_and_only_there() {
        let route = "Record-Route: <sip:203.0.113.1;lr>\r\n";
        for (came, wrote, more, signalling, words) in [
            (
                "192.168.1.20:5060",
                Some("203.0.113.7:40000"),
                "",
                "203.0.113.1:5060",
                "alice in the call go to 192.168.1.20:5060 (an address within a private network), the Contact that came, which bob never wrote: bob wrote 203.0.113.7:40000",
            ),
            ("10.0.0.7", Some("10.0.0.7"), "", "203.0.113.1:5060", "as bob wrote it"),
            (
                "[fd00::7]:5060",
                None,
                "",
                "[2001:db8::1]:5060",
                "[fd00::7]:5060 (an address within a private network)",
            ),
            // A platform that leads them itself, one in the same network, and one with another public address.
            ("192.168.1.20:5060", Some("203.0.113.7:40000"), route, "203.0.113.1:5060", ""),
            ("192.168.1.20:5060", Some("192.168.1.7:40000"), "", "192.168.1.1:5060", ""),
            ("203.0.113.9:5060", Some("203.0.113.7:40000"), "", "203.0.113.1:5060", ""),
            ("pbx.example.com", Some("203.0.113.7:40000"), "", "203.0.113.1:5060", ""),
        ] {
            let (came, wrote) = (answer(came, more), wrote.map(|wrote| answer(wrote, "")));
            let signalling = signalling.parse().unwrap();
            let told =
                astray(&Led { name: "alice", other: "bob", came: &came, wrote: wrote.as_ref(), signalling });
            let told = told.unwrap_or_default();
            assert!(told.contains(words) && told.is_empty() == words.is_empty(), "{words:?}: {told:?}");
        }
    }

    #[test]
    fn only_what_was_not_answered_may_be_its_consequence() {
        assert!(may_be_by_contact("refer-not-answered") && may_be_by_contact("ack-lost"));
        assert!(!may_be_by_contact("reinvite-refused") && !may_be_by_contact("no-audio"));
    }
}
