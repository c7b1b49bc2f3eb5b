//! What a response to REGISTER said, and which of the listed bindings is ours.

use super::Config;
use super::contacts::{self, Value};
use crate::message::Message;
use crate::syntax::{Contact, HeaderName, Host, NameAddr, Param, Uri, name_addr, unescape};
use crate::ua::response::{reason, retry_after, seen_at, server, text, tokens, values};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What a response said. What our binding depends on is read at once, the rest when it is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    message: Message,
    /// All bindings that it lists; in a 3xx the contacts to try instead.
    pub bindings: Vec<Binding>,
    /// Contact values that could not be read, as they came; at most [`MAX_UNREADABLE`].
    pub unreadable: Vec<String>,
    /// Contact values that were read although a comma or semicolon stood loose, as they came; at most [`MAX_UNREADABLE`].
    pub loose: Vec<String>,
    /// The one of the unreadable values that has our token.
    pub unreadable_own: Option<String>,
    /// Expiry granted to our own binding, in seconds, and where it stood; `None` when it is nowhere. Without any Contact in the answer, the
    /// Expires header stands for ours; with Contacts of which none is ours, it stands for nothing.
    pub granted: Option<(u32, GrantedBy)>,
    /// The text of that expiry, where it is no number of seconds ([`MALFORMED_EXPIRY`] stands for it then), or one beyond 2^32-1.
    pub granted_text: Option<String>,
}

/// Where a granted expiry stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantedBy {
    /// `;expires` of our Contact.
    ContactParam,
    /// The Expires header.
    ExpiresHeader,
}

impl fmt::Display for GrantedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GrantedBy::ContactParam => "at our Contact",
            GrantedBy::ExpiresHeader => "in the Expires header",
        })
    }
}

/// One binding of a 200.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The Contact URI as it came.
    pub uri: String,
    /// It is ours (found loosely, see [`registration`](super)).
    pub own: bool,
    /// Seconds left; [`MALFORMED_EXPIRY`] where they cannot be read.
    pub expires: Option<u32>,
    /// The text of `expires`, where it is no number of seconds, or one beyond 2^32-1.
    pub expires_text: Option<String>,
    /// q in thousandths.
    pub q_thousandths: Option<u16>,
    /// `+sip.instance`, without `<>`.
    pub instance: Option<String>,
    /// `pub-gruu`.
    pub pub_gruu: Option<String>,
    /// `temp-gruu`.
    pub temp_gruu: Option<String>,
    /// A User-Agent, where a registrar shows it (`;user-agent=`, `;ua=`).
    pub user_agent: Option<String>,
    /// All other Contact parameters as they came.
    pub params: String,
}

/// What stands for an expiry that cannot be read, in seconds (RFC 3261 sec. 10.2.1.1).
pub const MALFORMED_EXPIRY: u32 = 3_600;
/// Bytes of a value that are kept of one that cannot be read.
const UNREADABLE_KEPT: usize = 200;
/// Unreadable values that are described in one answer.
pub const MAX_UNREADABLE: usize = 8;

/// What our own binding is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    /// The Contact URI as we send it.
    pub(super) contact: &'a str,
    /// The value of its parameter [`TOKEN`].
    pub(super) token: &'a str,
    /// `+sip.instance`, without `<>`.
    pub(super) instance: Option<&'a str>,
}

/// The URI parameter that tells our binding from all others.
pub(crate) const TOKEN: &str = "rb";

/// How surely a binding is ours; the surest of all that are listed are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// It is not.
    None,
    /// Our user, at the address that the far side saw us at.
    SeenAddress,
    /// Our user, host and port.
    Address,
    /// Equal by RFC 3261 sec. 19.1.4.
    Equivalent,
    /// Our instance; it may be a binding of an earlier run, so the token goes before it.
    Instance,
    /// Our token, whatever else was rewritten.
    Token,
}

impl Answer {
    pub(super) fn read(message: Message, own: &Own<'_>) -> Answer {
        let (mut unreadable, mut loose, mut unreadable_own) = (Vec::new(), Vec::new(), None);
        let mut ranked: Vec<(Likeness, Binding)> = Vec::with_capacity(1);
        let mut is_plain = true;
        for contact in message.contacts() {
            match contact {
                Ok(Contact::Addr(addr)) => ranked.push((own.likeness(&addr, &message), Binding::read(&addr))),
                Ok(Contact::Star) | Err(_) => is_plain = false,
            }
        }
        if !is_plain {
            ranked.clear();
            contacts::each(&message, |value| match value {
                Value::Addr(addr) => ranked.push((own.likeness(&addr, &message), Binding::read(&addr))),
                Value::Loose(addr, piece) => {
                    loose.push(kept(piece));
                    ranked.push((own.likeness(&addr, &message), Binding::read(&addr)));
                }
                Value::Unreadable(piece) => {
                    let piece = kept(piece);
                    if piece.contains(&format!("{TOKEN}={}", own.token)) {
                        unreadable_own = Some(piece.clone());
                    }
                    unreadable.push(piece);
                }
            });
            unreadable.truncate(MAX_UNREADABLE);
            loose.truncate(MAX_UNREADABLE);
        }
        let best = ranked.iter().map(|r| r.0).max().unwrap_or(Likeness::None);
        let bindings: Vec<Binding> = ranked
            .into_iter()
            .map(|(likeness, binding)| Binding { own: likeness == best && best > Likeness::None, ..binding })
            .collect();
        let mut answer = Answer {
            message,
            bindings,
            unreadable,
            loose,
            unreadable_own,
            granted: None,
            granted_text: None,
        };
        answer.find_granted();
        answer
    }

    fn find_granted(&mut self) {
        let own = || self.bindings.iter().filter(|b| b.own);
        if let Some(longest) = own().filter(|b| b.expires.is_some()).max_by_key(|b| b.expires) {
            self.granted = longest.expires.map(|seconds| (seconds, GrantedBy::ContactParam));
            self.granted_text = longest.expires_text.clone();
            return;
        }
        let stands_for_ours =
            (self.bindings.is_empty() && self.unreadable.is_empty()) || own().next().is_some();
        let Some(value) = self.message.header(HeaderName::Expires).filter(|_| stands_for_ours) else {
            return;
        };
        let seconds = self.message.seconds(HeaderName::Expires).and_then(Result::ok);
        let (seconds, text) = expiry(seconds, value);
        (self.granted, self.granted_text) = (Some((seconds, GrantedBy::ExpiresHeader)), text);
    }

    /// Takes a binding for ours that nothing but its place in the list gives away: it was rewritten.
    pub fn claim(&mut self, uri: &str) {
        self.bindings.iter_mut().filter(|b| b.uri == uri).for_each(|b| b.own = true);
        self.find_granted();
    }

    /// The response itself.
    pub fn message(&self) -> &Message {
        &self.message
    }
    /// Status code.
    pub fn status(&self) -> u16 {
        self.message.status().unwrap_or_default()
    }
    /// Reason phrase.
    pub fn reason(&self) -> String {
        reason(&self.message)
    }
    /// `Server` or `User-Agent` of the registrar.
    pub fn server(&self) -> Option<String> {
        server(&self.message)
    }
    /// Path values.
    pub fn path(&self) -> Vec<String> {
        routes(&self.message, HeaderName::Path)
    }
    /// Service-Route values.
    pub fn service_route(&self) -> Vec<String> {
        routes(&self.message, HeaderName::ServiceRoute)
    }
    /// Retry-After.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.message)
    }
    /// Warning texts.
    pub fn warnings(&self) -> Vec<String> {
        values(&self.message, HeaderName::Warning)
    }
    /// Unsupported option tags.
    pub fn unsupported(&self) -> Vec<String> {
        tokens(&self.message, HeaderName::Unsupported)
    }
    /// Where the far side saw us: `received` and `rport` of our Via, each `None` when it was not filled in.
    pub fn seen_at(&self) -> (Option<IpAddr>, Option<u16>) {
        seen_at(&self.message)
    }
    /// Feature tags, `Supported`.
    pub fn supported(&self) -> Vec<String> {
        tokens(&self.message, HeaderName::Supported)
    }
}

impl Binding {
    fn read(addr: &NameAddr<'_>) -> Binding {
        let (mut expires, mut q, mut instance) = (None, None, None);
        let mut binding = Binding {
            uri: text(addr.uri().as_bytes()),
            own: false,
            expires: None,
            expires_text: None,
            q_thousandths: None,
            instance: None,
            pub_gruu: None,
            temp_gruu: None,
            user_agent: None,
            params: String::new(),
        };
        for param in addr.params().iter() {
            let is = |name: &str| param.name.eq_ignore_ascii_case(name.as_bytes());
            let seen = if is("expires") {
                Some(&mut expires)
            } else if is("q") {
                Some(&mut q)
            } else if is("+sip.instance") {
                Some(&mut instance)
            } else {
                None
            };
            if let Some(seen) = seen {
                seen.get_or_insert(param);
                continue;
            }
            let place = if is("pub-gruu") {
                &mut binding.pub_gruu
            } else if is("temp-gruu") {
                &mut binding.temp_gruu
            } else if is("user-agent") || is("ua") {
                &mut binding.user_agent
            } else {
                binding.params.push(';');
                binding.params.push_str(&text(param.name));
                if let Some(value) = param.value {
                    binding.params.push('=');
                    binding.params.push_str(&text(value));
                }
                continue;
            };
            place.get_or_insert_with(|| text(&param.unquoted()));
        }
        if let Some(param) = expires {
            let (seconds, text) = expiry(name_addr::expires(param), &param.unquoted());
            (binding.expires, binding.expires_text) = (Some(seconds), text);
        }
        binding.q_thousandths = q.and_then(name_addr::q_thousandths);
        binding.instance = instance.map(instance_of);
        binding
    }
}

impl<'a> Own<'a> {
    pub(super) fn of(contact: &'a str, token: &'a str, config: &'a Config) -> Own<'a> {
        Own { contact, token, instance: config.instance.as_deref() }
    }

    fn likeness(&self, addr: &NameAddr<'_>, response: &Message) -> Likeness {
        let uri = addr.uri();
        let token = uri.params().get(TOKEN.as_bytes()).and_then(|p| p.value);
        if token.is_some_and(|t| t.eq_ignore_ascii_case(self.token.as_bytes())) {
            return Likeness::Token;
        }
        let instance = || addr.params().get(b"+sip.instance").map(instance_of);
        if self.instance.is_some_and(|own| instance().is_some_and(|other| own.eq_ignore_ascii_case(&other))) {
            return Likeness::Instance;
        }
        if token.is_some() {
            // Of another registration like ours, which may have had the same port before.
            return Likeness::None;
        }
        let Ok(own) = Uri::parse(self.contact.as_bytes()) else { return Likeness::None };
        if uri.is_equivalent(&own) {
            return Likeness::Equivalent;
        }
        let user = |uri: &Uri<'_>| uri.user().map(|u| unescape(u).into_owned());
        if user(&uri) != user(&own) {
            return Likeness::None;
        }
        let port = |uri: &Uri<'_>| uri.port().unwrap_or(5060);
        if same_host(uri.host(), own.host()) && port(&uri) == port(&own) {
            return Likeness::Address;
        }
        let (received, rport) = seen_at(response);
        let seen = received.or(own.host().and_then(|h| h.ip()));
        let at_seen = seen.is_some() && uri.host().and_then(|h| h.ip()) == seen && Some(port(&uri)) == rport;
        if at_seen { Likeness::SeenAddress } else { Likeness::None }
    }
}

/// The seconds of an expiry, and its text where that is something else.
fn expiry(seconds: Option<u32>, value: &[u8]) -> (u32, Option<String>) {
    match seconds {
        None => (MALFORMED_EXPIRY, Some(text(value))),
        Some(u32::MAX) if value.trim_ascii() != b"4294967295" => (u32::MAX, Some(text(value))),
        Some(seconds) => (seconds, None),
    }
}

fn kept(piece: &[u8]) -> String {
    text(piece.get(..UNREADABLE_KEPT).unwrap_or(piece))
}

fn same_host(a: Option<Host<'_>>, b: Option<Host<'_>>) -> bool {
    match (a, b) {
        (Some(Host::Name(a)), Some(Host::Name(b))) => a.eq_ignore_ascii_case(b),
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn instance_of(param: Param<'_>) -> String {
    let value = param.unquoted();
    let urn = value.strip_prefix(b"<").and_then(|v| v.strip_suffix(b">")).unwrap_or(&value);
    text(urn)
}

fn routes(response: &Message, header: HeaderName) -> Vec<String> {
    let route =
        |addr: NameAddr<'_>| format!("<{}>{}", text(addr.uri().as_bytes()), text(addr.params().as_bytes()));
    response.addresses(header).filter_map(Result::ok).map(route).collect()
}
