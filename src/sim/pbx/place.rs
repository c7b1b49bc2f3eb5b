//! Both ways in which a leg is made: taking a caller's, and calling a device.

use super::Pbx;
use super::clock::now;
use super::faults::Faults;
use super::interceptor::{Flags, Line, Party, interceptor};
use super::legs::{LegState, Role};
use super::relay::Relay;
use crate::endpoint::agent::{Invitation, MediaSetup};
use crate::message::{Builder, Flow, Message, Transport, reason_phrase};
use crate::sdp::{Codec, Local, Negotiation};
use crate::sim::User;
use crate::sim::fault::Kind;
use crate::syntax::{HeaderName, Uri};
use crate::transport::{TransportErrorKind, resolve};
use crate::ua::call;
use std::net::SocketAddr;
use std::sync::Arc;

/// Most devices that one call rings.
const MAX_BRANCHES: usize = 32;

/// A device that is about to be called.
pub(super) struct Placed {
    flow: Flow,
    target: String,
    user: String,
    number: String,
    /// The caller's address of record, and the name that it shows.
    pub(super) from: String,
    codec: Option<Codec>,
    faults: Faults,
    /// To of its INVITE, where it is not the Request-URI.
    to: Option<String>,
    /// Referred-By of its INVITE.
    pub(super) referred_by: Option<String>,
}

impl Pbx {
    /// A response to an INVITE that is not taken.
    pub(super) fn response(
        &self,
        invite: &Message,
        status: u16,
        (name, value): (HeaderName, &str),
    ) -> Option<Message> {
        let tag = self.ids().tag();
        Builder::response(invite, status, reason_phrase(status), Some(&tag))
            .header(HeaderName::Server, &self.endpoint().config().user_agent)
            .header(name, value)
            .build()
            .ok()
    }

    /// Our Contact on a flow: where we listen by its transport.
    fn contact(&self, flow: Flow) -> String {
        let bound =
            self.endpoint().local_addrs().iter().filter(|(transport, _)| *transport == flow.transport);
        let same = bound.map(|(_, address)| *address).find(|address| address.ip() == flow.local.ip());
        let at = same.unwrap_or(flow.local);
        match flow.transport {
            Transport::Udp => format!("sip:pbx@{at}"),
            transport => format!("sip:pbx@{at};transport={transport}"),
        }
    }

    /// What both kinds of legs have in common.
    fn config(&self, from: String, flow: Flow, mut local: Local, faults: &Faults) -> call::Config {
        if faults.has(Kind::NoTelephoneEvent) {
            local.telephone_event = None;
        }
        let mut config = call::Config::new(from, self.contact(flow), local);
        config.user_agent.clone_from(&self.endpoint().config().user_agent);
        config.refers = call::Refers::Asked;
        config
    }

    /// Takes a caller's leg; nothing is answered yet. `None` when it could not be taken and is refused already.
    pub(super) async fn take(
        &self,
        invitation: Invitation,
        caller: &User,
        number: &str,
        faults: &Faults,
    ) -> Option<LegState> {
        let flow = invitation.flow;
        let flags = Arc::new(Flags::default());
        let server = self.endpoint().config().user_agent.clone();
        let line = self.line(flow, caller.name());
        if line.diverts_all() {
            // No 100 by itself either.
            invitation.abandon().await;
        }
        let party = Party { role: Role::Caller, server, asserted: None, line };
        let seconds = faults.find(|kind| match kind {
            Kind::NoRefresh { seconds } => Some(seconds),
            Kind::RefreshUnanswered => Some(90),
            _ => None,
        });
        let setup = |local| {
            let mut config = self.config(String::new(), flow, local, faults);
            config.session_expires = seconds.or(config.session_expires);
            config
        };
        let interceptor = interceptor(&party, faults, &flags);
        let handle = invitation.take_rewritten(MediaSetup::Relay, setup, interceptor).ok()?;
        // An INVITE that cannot be taken is refused at once, and then its call is over.
        handle.report().await?;
        let dialog = (handle.call_id(), handle.local_tag());
        let entry = self.legs.enter(Role::Caller, caller.name(), number, dialog, now());
        Some(LegState::new(handle, entry, caller.name(), Relay::new(faults.clone(), &mut self.ids()), flags))
    }

    pub(super) fn line(&self, flow: Flow, user: &str) -> Line {
        let (endpoint, registrar) = (self.endpoint().clone(), Arc::clone(&self.registrar));
        Line { endpoint, registrar, flow, user: user.to_owned() }
    }

    /// Refuses a call of this user that is not taken.
    pub(super) async fn turn_away(&self, invitation: Invitation, caller: &str, response: Option<Message>) {
        let line = self.line(invitation.flow, caller);
        invitation.refuse_with(response.and_then(|response| line.divert(response))).await;
    }

    /// The same with a status that says everything.
    pub(super) async fn turn_away_with(&self, invitation: Invitation, caller: &str, status: u16) {
        let tag = self.ids().tag();
        let response = Builder::response(&invitation.message, status, reason_phrase(status), Some(&tag))
            .header(HeaderName::Server, &self.endpoint().config().user_agent)
            .build();
        self.turn_away(invitation, caller, response.ok()).await;
    }

    /// The address of record of a user.
    pub(super) fn aor(&self, user: &str) -> String {
        let domain = self.registrar().config().domains.first().cloned();
        format!("sip:{user}@{}", domain.as_deref().unwrap_or("lab.example"))
    }

    /// Finds the devices that a number rings; a status where there is none.
    pub(super) async fn place(
        &self,
        called: &[User],
        number: &str,
        caller: &str,
        faults: &Faults,
        codec: Option<Codec>,
    ) -> Result<Vec<Placed>, u16> {
        let (mut placed, mut refused) = (Vec::new(), 480);
        for user in called {
            match self.devices(user, faults).await {
                Ok(devices) => placed.extend(devices.into_iter().map(|(flow, contact)| Placed {
                    flow,
                    target: self.request_uri(user, number, contact, faults),
                    to: faults.has(Kind::NumberInToOnly).then(|| self.aor(number)),
                    user: user.name().to_owned(),
                    number: number.to_owned(),
                    from: self.aor(caller),
                    codec,
                    faults: faults.clone(),
                    referred_by: None,
                })),
                Err(status) => refused = refused.max(status),
            }
        }
        let most = faults.find(|kind| match kind {
            Kind::FirstDevices(most) => usize::try_from(most).ok(),
            _ => None,
        });
        placed.truncate(most.unwrap_or(MAX_BRANCHES).min(MAX_BRANCHES));
        if placed.is_empty() { Err(refused) } else { Ok(placed) }
    }

    /// Whom an INVITE to a device names: the user of its Contact, or on a trunk the number.
    fn request_uri(&self, user: &User, number: &str, contact: String, faults: &Faults) -> String {
        if faults.has(Kind::OtherLine) {
            let registrar = self.registrar();
            let other = registrar.users().find(|other| other.name() != user.name());
            return with_user(&contact, other.map_or("nobody", User::name));
        }
        if user.trunk && !faults.has(Kind::NumberInToOnly) { with_user(&contact, number) } else { contact }
    }

    /// The devices of a user: all that registered, the latest first; those that were there from the start when no other did.
    async fn devices(&self, called: &User, faults: &Faults) -> Result<Vec<(Flow, String)>, u16> {
        let max_calls = if faults.has(Kind::OneCall) { Some(1) } else { called.max_calls };
        if max_calls.is_some_and(|max| self.legs.of_user(called.name()) >= max) {
            return Err(486);
        }
        let mut bindings = self.registrar().bindings(now(), called.name());
        // Of those that came at the same moment the last one is the latest.
        bindings.reverse();
        bindings.sort_by_key(|binding| std::cmp::Reverse((binding.source.is_some(), binding.since)));
        let registered = bindings.first().is_some_and(|binding| binding.source.is_some());
        bindings.retain(|binding| binding.source.is_some() == registered);
        let mut devices = Vec::new();
        let only = if faults.has(Kind::OneBinding) { 1 } else { usize::MAX };
        for binding in bindings.into_iter().take(only) {
            let flow = match binding.source {
                Some(source) => Some(source),
                None => self.flow_to(&binding.contact).await,
            };
            let flow = flow.filter(|flow| !self.registrar().is_silent(called.name(), flow));
            devices.extend(flow.map(|flow| (flow, binding.contact)));
        }
        if devices.is_empty() { Err(480) } else { Ok(devices) }
    }

    /// Calls them all; a status when none can be called.
    pub(super) async fn dial(&self, placed: Vec<Placed>) -> Result<Vec<LegState>, u16> {
        let (mut legs, mut refused) = (Vec::new(), 480);
        for device in placed {
            match device.dial(self).await {
                Ok(leg) => legs.push(leg),
                Err(status) => refused = status,
            }
        }
        if legs.is_empty() { Err(refused) } else { Ok(legs) }
    }

    /// The flow to a device that never registered: where its Contact points.
    async fn flow_to(&self, contact: &str) -> Option<Flow> {
        let (host, port, transport) = {
            let uri = Uri::parse(contact.as_bytes()).ok()?;
            let host = uri.host()?;
            let host = host.ip().map(|ip| ip.to_string()).or_else(|| match host {
                crate::syntax::Host::Name(name) => Some(String::from_utf8_lossy(name).into_owned()),
                _ => None,
            })?;
            let transport = uri.params().get(b"transport").and_then(|transport| transport.value);
            let tcp = transport.is_some_and(|transport| transport.eq_ignore_ascii_case(b"tcp"));
            (host, uri.port().unwrap_or(5060), if tcp { Transport::Tcp } else { Transport::Udp })
        };
        let remote: SocketAddr = resolve(&host, port).await.ok()?.into_iter().next()?;
        self.agent.recorder().flow(transport, remote).await.ok()
    }
}

/// A Contact URI with another user. A number may hold `#`, a URI may not (RFC 3261 sec. 25.1).
fn with_user(contact: &str, user: &str) -> String {
    let (scheme, rest) = contact.split_once(':').unwrap_or(("sip", contact));
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}:{}@{place}", user.replace('#', "%23"))
}

/// The codec that a caller's offer gives: the called device is asked for it first.
pub(super) fn offered_codec(invite: &Message) -> Option<Codec> {
    let unused = Local::new(SocketAddr::from(([0, 0, 0, 0], 0)));
    let mut v4 = Negotiation::new(unused, 0);
    let mut v6 = Negotiation::new(Local::new(SocketAddr::from(([0; 16], 0))), 0);
    let plan = v4.answer(invite.body()).or_else(|_| v6.answer(invite.body()));
    plan.ok().map(|(_, plan)| plan.codec)
}

impl Placed {
    /// Calls it; a status when that is not possible.
    pub(super) async fn dial(self, pbx: &Pbx) -> Result<LegState, u16> {
        let Placed { flow, target, user, number, from, codec, faults, to, referred_by } = self;
        // A connection may have ended since its registration.
        let flow = pbx.agent.recorder().flow(flow.transport, flow.remote).await;
        // Our own limit says nothing of the device.
        let flow = flow.map_err(|error| match error.kind {
            TransportErrorKind::Limit(_) => 503_u16,
            _ => 480,
        })?;
        // A network on loopback calls nobody outside of it, whatever a binding says.
        if flow.local.ip().is_loopback() && !flow.remote.ip().is_loopback() {
            return Err(480);
        }
        let flags = Arc::new(Flags::default());
        let party = Party {
            role: Role::Called,
            server: pbx.endpoint().config().user_agent.clone(),
            asserted: Some(format!("<{from}>")),
            line: pbx.line(flow, &user),
        };
        let setup = |mut local: Local| {
            local.telephone_event = Some(pbx.config.telephone_event);
            if let Some(first) = codec {
                local.codecs.sort_by_key(|codec| *codec != first);
            }
            let mut config = pbx.config(from, flow, local, &faults);
            config.require_reliable = faults.has(Kind::RequiresReliable);
            (config.to, config.referred_by) = (to, referred_by);
            config
        };
        let interceptor = interceptor(&party, &faults, &flags);
        let handle = pbx
            .agent
            .dial_rewritten(flow, &target, MediaSetup::Relay, setup, interceptor)
            .map_err(|_| 503_u16)?;
        let dialog = (handle.call_id(), handle.local_tag());
        let entry = pbx.legs.enter(Role::Called, &user, &number, dialog, now());
        Ok(LegState::new(handle, entry, &user, Relay::new(faults, &mut pbx.ids()), flags))
    }
}
