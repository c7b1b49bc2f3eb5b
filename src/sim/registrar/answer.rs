//! The answers that the registrar writes.
use super::bindings::{Binding, Denied, Wish};
use super::{Registrar, full_status, gate};
use crate::message::{Builder, Message};
use crate::sim::fault::Kind;
use crate::sim::{Device, User};
use crate::syntax::{Contact, HeaderName, Host, Method};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

const SUPPORTED: &str = "path, gruu";

/// Option tags of Require that we do not support, as a list.
pub(super) fn unsupported(request: &Message) -> Option<String> {
    let known = |tag: &[u8]| SUPPORTED.split(", ").any(|known| tag.eq_ignore_ascii_case(known.as_bytes()));
    let tags: Vec<_> = request
        .tokens(HeaderName::Require)
        .filter(|tag| !known(tag))
        .map(|tag| String::from_utf8_lossy(tag).into_owned())
        .collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}

/// The devices that fill the limit of a user whose limit is full.
pub(super) fn old_devices(user: &str) -> Vec<Device> {
    let device = |host| Device::new(format!("sip:{user}@192.0.2.{host}:5060")).user_agent("OldPhone/1.0");
    vec![device(101), device(102)]
}

/// The name of a status code where nothing more is to be said.
fn reason(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        503 => "Service Unavailable",
        _ => "Refused",
    }
}

impl Registrar {
    pub(super) fn response(&mut self, request: &Message, status: u16, reason: &str) -> Builder {
        let tag = match request.method() {
            Some(Method::Invite) => self.stateless_tag(request),
            _ => self.ids.tag(),
        };
        Builder::response(request, status, reason, Some(&tag)).header(HeaderName::Server, &self.config.server)
    }

    /// A To tag for the answer to an INVITE: the same when it comes again (RFC 3261 sec. 8.2.7), since nothing is kept of it.
    fn stateless_tag(&self, request: &Message) -> String {
        let mut hasher = DefaultHasher::new();
        (self.tag_secret, request.as_bytes()).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// What was built; where something that a peer sent cannot stand in an answer, a 500 without it.
    fn finish(&mut self, request: &Message, response: Builder) -> Message {
        match response.build() {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be written");
                let bare = self.response(request, 500, "Server Internal Error").build();
                // Cannot fail where the mandatory headers are there; a request as a response would go nowhere.
                bare.unwrap_or_else(|_| request.clone())
            }
        }
    }

    pub(super) fn plain(&mut self, request: &Message, status: u16, reason: &str) -> Message {
        let response = self.response(request, status, reason);
        self.finish(request, response)
    }

    pub(super) fn options(&mut self, name: &str, request: &Message) -> Message {
        if !name.is_empty() && !self.accounts.contains_key(name) {
            return self.plain(request, 404, "Not Found");
        }
        let allow = self.config.allow.clone();
        let response = self
            .response(request, 200, "OK")
            .header(HeaderName::Allow, &allow)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::Accept, "application/sdp");
        self.finish(request, response)
    }

    pub(super) fn not_allowed(&mut self, request: &Message) -> Message {
        let allow = self.config.allow.clone();
        let response = self.response(request, 405, "Method Not Allowed").header(HeaderName::Allow, &allow);
        self.finish(request, response)
    }

    pub(super) fn bad_extension(&mut self, request: &Message, unsupported: &str) -> Message {
        let response =
            self.response(request, 420, "Bad Extension").header(HeaderName::Unsupported, unsupported);
        self.finish(request, response)
    }

    /// Faults that answer without looking at credentials.
    pub(super) fn refuse_unasked(&mut self, user: &User, request: &Message) -> Option<Message> {
        if user.has(Kind::UnknownUser) {
            return Some(self.plain(request, 404, "Not Found"));
        }
        if user.has(Kind::ForbiddenAtOnce) {
            return Some(self.plain(request, 403, "Forbidden"));
        }
        if user.has(Kind::Redirects) {
            let elsewhere = format!("<sip:{}@192.0.2.200:5060>", user.name);
            let response = self.response(request, 302, "Moved Temporarily");
            return Some(self.finish(request, response.header(HeaderName::Contact, elsewhere)));
        }
        let status = user.find(|kind| match kind {
            Kind::NoChallenge { status } => Some((status, None)),
            Kind::Overload { retry_after } => Some((503, Some(retry_after))),
            _ => None,
        });
        if let Some((status, retry_after)) = status {
            let mut response = self.response(request, status, reason(status));
            if let Some(seconds) = retry_after {
                response = response.header(HeaderName::RetryAfter, seconds.to_string());
            }
            return Some(self.finish(request, response));
        }
        self.too_large(user, request).then(|| self.plain(request, 513, "Message Too Large"))
    }

    /// Is a request of this user over what `T02` lets pass?
    pub(super) fn too_large(&self, user: &User, request: &Message) -> bool {
        let limit = user.find(|kind| match kind {
            Kind::TooLarge { limit } => Some(limit as usize),
            _ => None,
        });
        limit.is_some_and(|limit| request.as_bytes().len() > limit)
    }

    /// A subscription or publication: a small PBX has no events (RFC 6665 sec. 4.2.1.3), and phones that are told so ask no more.
    pub(super) fn bad_event(&mut self, request: &Message) -> Message {
        let response = self.response(request, 489, "Bad Event").header(HeaderName::AllowEvents, "refer");
        self.finish(request, response)
    }

    pub(super) fn challenge(
        &mut self,
        now: Instant,
        request: &Message,
        (user, asker, stale): (&User, gate::Asker, bool),
    ) -> Message {
        let status = asker.status();
        let response = self.response(request, status, reason(status));
        let asked = (user, asker, stale);
        let response = gate::challenge(&self.config, &mut self.nonces, &mut self.ids, now, asked, response);
        self.finish(request, response)
    }

    pub(super) fn interval_too_brief(&mut self, request: &Message, min_expires: Option<u32>) -> Message {
        let mut response = self.response(request, 423, "Interval Too Brief");
        if let Some(seconds) = min_expires {
            response = response.header(HeaderName::MinExpires, seconds.to_string());
        }
        self.finish(request, response)
    }

    /// The 200 of a registrar that takes a binding for a removal: our Contact with nothing granted.
    pub(super) fn zero_granted(&mut self, request: &Message) -> Message {
        let mut response = self.response(request, 200, "OK");
        for contact in request.contacts().flatten() {
            if let Contact::Addr(address) = contact {
                let uri = String::from_utf8_lossy(address.uri().as_bytes()).into_owned();
                response = response.header(HeaderName::Contact, format!("<{uri}>;expires=0"));
            }
        }
        self.finish(request, response)
    }

    /// Not now.
    pub(super) fn pause(&mut self, request: &Message) -> Message {
        let response =
            self.response(request, 503, "Service Unavailable").header(HeaderName::RetryAfter, "60");
        self.finish(request, response)
    }

    pub(super) fn denied(&mut self, now: Instant, user: &User, request: &Message, denied: Denied) -> Message {
        match denied {
            Denied::Unreadable(what) => {
                self.plain(request, 400, &format!("Bad Request ({})", what.replace(['\r', '\n'], " ")))
            }
            Denied::Star => self.plain(request, 400, "Contact * must stand alone, with Expires: 0"),
            Denied::TooManyValues => self.plain(request, 403, "Too many contacts in one request"),
            Denied::OutOfOrder => self.plain(request, 500, "CSeq is out of order"),
            Denied::Full => {
                let status = user.find(full_status).unwrap_or(self.config.full_status);
                let mut response = self.response(request, status, "Too many contacts");
                if status == 503 {
                    for binding in self.bindings(now, &user.name) {
                        response =
                            response.header(HeaderName::Contact, self.contact(now, &binding, user, None));
                    }
                }
                self.finish(request, response)
            }
        }
    }

    /// The 200 with the list of bindings.
    pub(super) fn listed(&mut self, now: Instant, user: &User, request: &Message, wish: &Wish) -> Message {
        let gruu_host = self.gruu_host(request);
        if let (Some(_), Wish::Change(_), Ok(call_id)) = (&gruu_host, wish, request.call_id())
            && let Some(account) = self.accounts.get_mut(&user.name)
        {
            let ids = &mut self.ids;
            account.bindings.name_gruus(call_id, || format!("tgruu.{}", ids.nonce()));
        }
        let mut response = self.response(request, 200, "OK");
        let hidden = user.has(Kind::KeepsRemoved { hidden: true }) && wish.removes();
        let own = request.call_id().unwrap_or_default();
        let mut longest = None;
        let mut listed = Vec::new();
        for binding in self.bindings(now, &user.name) {
            if hidden && binding.call_id.as_bytes() == own {
                continue;
            }
            longest = longest.max(Some(binding.expires_in(now)));
            listed.push(self.contact(now, &binding, user, gruu_host.as_deref()));
        }
        if user.has(Kind::OneLine) && !listed.is_empty() {
            listed = vec![listed.join(", ")];
        }
        for value in listed {
            response = response.header(HeaderName::Contact, value);
        }
        if let Some(seconds) = longest.filter(|_| user.has(Kind::ExpiresHeader)) {
            response = response.header(HeaderName::Expires, seconds.to_string());
        }
        for path in request.headers().filter(|header| header.name == HeaderName::Path) {
            response = response.header(HeaderName::Path, String::from_utf8_lossy(path.value).as_ref());
        }
        if longest.is_some() {
            for route in &self.config.service_route {
                response = response.header(HeaderName::ServiceRoute, route);
            }
        }
        let response = response.header(HeaderName::Supported, SUPPORTED);
        self.finish(request, response)
    }

    /// The host of GRUUs, when the request asks for them.
    fn gruu_host(&self, request: &Message) -> Option<String> {
        let asked = request.tokens(HeaderName::Supported).any(|tag| tag.eq_ignore_ascii_case(b"gruu"));
        let host = request.to().ok()?.uri().host()?;
        (self.config.gruu && asked).then(|| match host {
            Host::Name(name) => String::from_utf8_lossy(name).into_owned(),
            Host::V4(ip) => ip.to_string(),
            Host::V6(ip) => format!("[{ip}]"),
        })
    }

    /// A binding as a Contact value.
    fn contact(&self, now: Instant, binding: &Binding, user: &User, gruu_host: Option<&str>) -> String {
        // Writing into a String cannot fail.
        let (mut value, mut expires) = (format!("<{}>", binding.contact), binding.expires_in(now));
        if let (Some(source), true) = (&binding.source, user.has(Kind::RewritesContact)) {
            let transport = source.transport.as_via();
            value = format!("<sip:{}@{};transport={transport}>", user.name, source.remote);
            expires = expires.saturating_sub(1);
        }
        if let Some(q) = binding.q_thousandths {
            let _ = write!(value, ";q={}.{:03}", q / 1_000, q % 1_000);
        }
        if !(user.has(Kind::NoExpires) || user.has(Kind::ExpiresHeader)) {
            let _ = write!(value, ";expires={expires}");
        }
        value.push_str(&binding.params);
        if let (None, Some(instance)) = (&binding.source, &binding.instance) {
            let _ = write!(value, ";+sip.instance=\"{instance}\"");
        }
        if let (Some(host), Some(instance)) = (gruu_host, &binding.instance) {
            let urn = instance.trim_start_matches('<').trim_end_matches('>');
            let name = &user.name;
            let _ = write!(value, ";pub-gruu=\"sip:{name}@{host};gr={urn}\"");
            if let Some(temporary) = &binding.temp_gruu {
                let _ = write!(value, ";temp-gruu=\"sip:{temporary}@{host};gr\"");
            }
        }
        if let Some(agent) = binding.user_agent.as_deref().filter(|_| self.config.show_user_agent) {
            let _ = write!(value, ";user-agent=\"{}\"", agent.replace(['"', '\\'], "'"));
        }
        value
    }
}
