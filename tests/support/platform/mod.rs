//! A scripted platform: a small B2BUA of raw messages over the network in memory, in virtual time, that does wrong whatever a test wants.
//!
//! It takes registrations with any digest, passes calls between who registered, relays media, and passes on or carries out REFER. A test
//! puts itself in with [`Platform::when`] (what came is dealt with in another way), [`Platform::edits`] (what goes out is changed),
//! [`Platform::hears`] (media is changed) and [`Platform::up`] (something happens in a call), and sends whatever it likes with [`Core`].
//! It uses nothing of our transactions and dialogs, which could hide their own errors.
//!
//! Used with `#[path = "../support/platform/mod.rs"] mod platform;`.

mod call;
mod core;
mod media;
mod says;
mod text;
mod transfer;

pub(crate) use self::core::{Core, Incoming, Outgoing};
pub(crate) use media::{Passing, Source, description, moved, silence};
pub(crate) use says::*;
pub(crate) use text::{Text, parameter, tag, uri, user};

use self::core::{Logged, serve};
use ringback::check::{Account, Check, Outcome, Probe, ProbeConfig};
use ringback::sim::{MemoryHost, MemoryNetwork};
use ringback::transport::{Network, Resolve};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const PLATFORM: &str = "203.0.113.1:5060";
/// Where the ends of the probe are.
pub(crate) const PROBE: &str = "192.0.2.7";
pub(crate) const DOMAIN: &str = "pbx.example.com";

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A platform that is being set up.
pub(crate) struct Platform {
    network: MemoryNetwork,
    core: Core,
}

impl Platform {
    /// A healthy one.
    pub(crate) fn new() -> Platform {
        let network = MemoryNetwork::new([5; 32]);
        let core = Core::new(network.clone());
        Platform { network, core }
    }

    /// Is asked about everything that comes, before the platform does what it does; `true` when it has dealt with it.
    pub(crate) fn when(
        mut self,
        hook: impl FnMut(&mut Core, &Incoming) -> bool + Send + 'static,
    ) -> Platform {
        self.core.hooks.push(Box::new(hook));
        self
    }

    /// Answers the INVITE that begins a call with 100 and lets the callee ring, then does this with the caller's leg.
    pub(crate) fn ringing(self, mut then: impl FnMut(&mut Core, usize) + Send + 'static) -> Platform {
        self.when(move |core, m| {
            let is_call = m.begins("INVITE");
            if is_call {
                core.respond(m, 100, "Trying", "");
                let caller = core.leg(m);
                core.route(caller);
                then(core, caller);
            }
            is_call
        })
    }

    /// Changes what goes out.
    pub(crate) fn edits(self, mut edit: impl FnMut(&mut Text, &Outgoing) + Send + 'static) -> Platform {
        self.sends(move |text, outgoing| {
            edit(text, outgoing);
            true
        })
    }

    /// Changes what goes out, and says whether it goes.
    pub(crate) fn sends(
        mut self,
        edit: impl FnMut(&mut Text, &Outgoing) -> bool + Send + 'static,
    ) -> Platform {
        self.core.edits.push(Box::new(edit));
        self
    }

    /// Changes RTP on its way, and says whether it goes on.
    pub(crate) fn hears(
        mut self,
        hear: impl FnMut(Passing<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Platform {
        self.core.hear = Some(Box::new(hear));
        self
    }

    /// Happens this long after the caller has acknowledged the answer of a call; the legs are the caller's and the callee's.
    pub(crate) fn up(
        mut self,
        after: Duration,
        event: impl FnMut(&mut Core, usize, Option<usize>) + Send + 'static,
    ) -> Platform {
        self.core.when_up.push((after, Arc::new(Mutex::new(event))));
        self
    }

    /// Somebody who is called by this number: gets the caller's leg.
    pub(crate) fn number(
        mut self,
        number: &str,
        service: impl FnMut(&mut Core, usize) + Send + 'static,
    ) -> Platform {
        self.core.services.insert(number.to_owned(), Arc::new(Mutex::new(service)));
        self
    }

    /// A number that rings for half a second, answers and plays this.
    pub(crate) fn answering(self, number: &str, source: fn() -> Source) -> Platform {
        self.number(number, move |core, leg| {
            core.ring(leg);
            core.after(ms(500), move |core| core.answer(leg, source()));
        })
    }

    /// A device of somebody else that is registered.
    pub(crate) fn bound(mut self, user: &str, contact: &str) -> Platform {
        self.core.bindings.entry(user.to_owned()).or_default().push(contact.to_owned());
        self
    }

    /// The newest binding takes the place of all others.
    pub(crate) fn one_binding(mut self) -> Platform {
        self.core.one_binding = true;
        self
    }

    /// INVITE and BYE are challenged.
    pub(crate) fn challenges(mut self) -> Platform {
        self.core.challenges = true;
        self
    }

    /// Media goes from end to end, past the platform.
    pub(crate) fn direct_media(mut self) -> Platform {
        self.core.direct = true;
        self
    }

    /// REFER is carried out by the platform, in the place of who is referred.
    pub(crate) fn carries_refer(mut self) -> Platform {
        self.core.carries_refer = true;
        self
    }

    /// Another address in the network that is the platform's or its accomplice's.
    pub(crate) fn listening(mut self, address: &str) -> Platform {
        self.core.listen(address.parse().unwrap());
        self
    }

    pub(crate) async fn start(self) -> Scene {
        self.start_through(|host| Arc::new(host), None).await
    }

    /// The same, with the host of the probe wrapped, and with a resolver for the names that it looks up.
    pub(crate) async fn start_through(
        self,
        wrap: impl FnOnce(MemoryHost) -> Arc<dyn Network>,
        resolver: Option<Arc<dyn Resolve>>,
    ) -> Scene {
        let log = Arc::clone(&self.core.log);
        let network = self.network;
        tokio::spawn(serve(self.core));
        let mut config = ProbeConfig::default();
        let ip: IpAddr = PROBE.parse().unwrap();
        config.endpoint.network = Some(wrap(network.host([ip])));
        config.endpoint.resolver = resolver;
        config.endpoint.udp = vec![SocketAddr::new(ip, 5070)];
        config.endpoint.seed = Some([3; 32]);
        Scene { probe: Probe::with(config).await.unwrap(), log }
    }

    /// Starts it and asks one question.
    pub(crate) async fn asked<C: Check>(self, check: C) -> Outcome {
        self.start().await.check(check).await
    }
}

/// A platform that runs, and a probe.
pub(crate) struct Scene {
    pub(crate) probe: Probe,
    log: Arc<Mutex<Vec<Logged>>>,
}

impl Scene {
    pub(crate) async fn check<C: Check>(&self, check: C) -> Outcome {
        self.probe.check(check).await
    }

    /// All that the platform received, at this address where one is given.
    pub(crate) fn received(&self, at: Option<&str>) -> Vec<Text> {
        let at: Option<SocketAddr> = at.map(|at| at.parse().unwrap());
        let log = self.log.lock().unwrap();
        let here = log.iter().filter(|one| !one.sent && at.is_none_or(|at| one.local == at));
        here.map(|one| one.text.clone()).collect()
    }

    /// The requests of this method that the platform received.
    pub(crate) fn got(&self, method: &str) -> Vec<Text> {
        self.received(None).into_iter().filter(|text| text.is(method)).collect()
    }

    /// Was a call to this user dialled?
    pub(crate) fn dialled(&self, number: &str) -> bool {
        self.got("INVITE").iter().any(|text| user(text.uri()) == number)
    }
}

/// The account of this user.
pub(crate) fn account(name: &str) -> Account {
    let account = Account::new(&format!("sip:{name}@{DOMAIN}"), "secret").unwrap();
    account.named(name).registrar(&format!("sip:{PLATFORM};transport=udp")).unwrap()
}
