//! A network in memory with a PBX and phones that tell everything that they see.

use ringback::auth::Credentials;
use ringback::endpoint::agent::{
    Agent, AgentConfig, Arrival, Arrivals, CallEventKind, CallHandle, Interceptor, Invitation, MediaSetup,
};
use ringback::endpoint::{Config, Endpoint};
use ringback::media::party_tone::Party;
use ringback::message::{Flow, Message, Transport};
use ringback::sim::{Device, Lab, LabBuilder, MemoryHost, MemoryNetwork, User};
use ringback::ua::call::{self, Command, Event};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PBX: &str = "203.0.113.1";
pub(crate) const ALICE: &str = "192.0.2.1";
pub(crate) const BOB: &str = "192.0.2.2";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A user whose phone is registered at this address.
pub(crate) fn user(name: &str, at: &str) -> User {
    User::new(name, format!("{name}pw")).device(Device::new(format!("sip:{name}@{at}:5060")))
}

/// Waits in virtual time.
pub(crate) async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

pub(crate) struct Scene {
    pub(crate) network: MemoryNetwork,
    pub(crate) lab: Lab,
    pub(crate) alice: Phone,
    pub(crate) bob: Phone,
}

impl Scene {
    /// Alice with number 201 and bob with number 202; the faults are those of bob.
    pub(crate) async fn new(faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Scene {
        let mut bob = user("bob", BOB).extension("202");
        for fault in faults {
            bob = bob.fault(fault).unwrap();
        }
        let builder = Lab::in_memory([3; 32]);
        let lab = more(builder.user(user("alice", ALICE).extension("201")).user(bob)).start().await.unwrap();
        let network = lab.memory_network().unwrap().clone();
        let alice = Phone::new(&network, "alice", ALICE).await;
        let bob = Phone::new(&network, "bob", BOB).await;
        Scene { network, lab, alice, bob }
    }

    pub(crate) async fn plain() -> Scene {
        Scene::new(&[], |lab| lab).await
    }

    /// With phones that send no RTP.
    pub(crate) async fn silent(faults: &[&str]) -> Scene {
        let mut scene = Scene::new(faults, |lab| lab).await;
        (scene.alice.silent, scene.bob.silent) = (true, true);
        scene
    }

    /// Alice calls bob, who answers at once; each sends its own tone.
    pub(crate) async fn call(&mut self) -> (Call, Call) {
        let alice = self.alice.dial("bob").await;
        let mut bob = self.bob.take().await;
        bob.handle.command(Command::Answer).await;
        let mut alice = alice;
        alice.until_answered().await;
        bob.until_answered().await;
        (alice, bob)
    }
}

pub(crate) struct Phone {
    pub(crate) name: String,
    pub(crate) agent: Agent,
    arrivals: Arrivals,
    pub(crate) transport: Transport,
    pub(crate) password: String,
    pub(crate) party: u8,
    /// Sends no RTP at all, where hours of it would tell nothing.
    pub(crate) silent: bool,
}

impl Phone {
    pub(crate) async fn new(network: &MemoryNetwork, name: &str, at: &str) -> Phone {
        Phone::on(&network.host([ip(at)]), name, at, AgentConfig::default()).await
    }

    pub(crate) async fn on(host: &MemoryHost, name: &str, at: &str, agent: AgentConfig) -> Phone {
        let mut config = Config::default();
        config.network = Some(Arc::new(host.clone()));
        config.udp = vec![(ip(at), 5060).into()];
        config.tcp = vec![(ip(at), 5060).into()];
        config.seed = Some([name.len() as u8 + name.as_bytes()[0]; 32]);
        let (endpoint, incoming) = Endpoint::bind(config).await.unwrap();
        let (agent, arrivals) = Agent::start(endpoint.recorder(), incoming, agent);
        Phone {
            name: name.to_owned(),
            agent,
            arrivals,
            transport: Transport::Udp,
            password: format!("{name}pw"),
            party: u8::from(name != "alice"),
            silent: false,
        }
    }

    pub(crate) fn media(&self) -> MediaSetup {
        if self.silent {
            return MediaSetup::Relay;
        }
        let background = Party::new(self.party).map(Party::tone);
        MediaSetup::Stream { background, detect_tones: true }
    }

    fn config(&self, flow: Flow, local: ringback::sdp::Local) -> call::Config {
        let (name, mut contact) = (&self.name, format!("sip:{}@{}", self.name, flow.local));
        if flow.transport == Transport::Tcp {
            contact = format!("sip:{name}@{}:5060;transport=tcp", flow.local.ip());
        }
        let mut config = call::Config::new(format!("sip:{name}@lab.example"), contact, local);
        config.credentials = Some(Credentials::new(name, &self.password));
        config
    }

    pub(crate) async fn dial(&self, number: &str) -> Call {
        self.dial_as(number, |_| {}).await
    }

    /// With an interceptor of what comes and goes.
    pub(crate) async fn dial_with(&self, number: &str, interceptor: Interceptor) -> Call {
        let flow = self.agent.endpoint().flow(self.transport, (ip(PBX), 5060).into()).await.unwrap();
        let target = format!("sip:{number}@lab.example");
        let setup = |local| self.config(flow, local);
        Call::new(self.agent.dial_rewritten(flow, &target, self.media(), setup, interceptor).unwrap())
    }

    pub(crate) async fn dial_as(&self, number: &str, change: impl FnOnce(&mut call::Config)) -> Call {
        let flow = self.agent.endpoint().flow(self.transport, (ip(PBX), 5060).into()).await.unwrap();
        let setup = |local| {
            let mut config = self.config(flow, local);
            change(&mut config);
            config
        };
        let target = format!("sip:{number}@lab.example");
        Call::new(self.agent.dial(flow, &target, self.media(), setup).await.unwrap())
    }

    pub(crate) async fn invited(&mut self) -> Invitation {
        loop {
            let arrival = tokio::time::timeout(Duration::from_secs(60), self.arrivals.next());
            if let Arrival::Call(invitation) = arrival.await.expect("nobody calls").unwrap() {
                return invitation;
            }
        }
    }

    /// Takes the next call; it rings nobody yet.
    pub(crate) async fn take(&mut self) -> Call {
        self.take_as(|_| {}).await
    }

    pub(crate) async fn take_as(&mut self, change: impl FnOnce(&mut call::Config)) -> Call {
        let invitation = self.invited().await;
        let (flow, invite) = (invitation.flow, invitation.message.clone());
        let setup = |local| {
            let mut config = self.config(flow, local);
            change(&mut config);
            config
        };
        let mut call = Call::new(invitation.take(self.media(), setup).await.unwrap());
        call.invite = Some(invite);
        call
    }
}

/// A call of a phone, with all that was seen of it so far.
pub(crate) struct Call {
    pub(crate) handle: CallHandle,
    pub(crate) seen: Vec<(tokio::time::Instant, CallEventKind)>,
    pub(crate) invite: Option<Message>,
    pub(crate) began: tokio::time::Instant,
}

impl Call {
    fn new(handle: CallHandle) -> Call {
        Call { handle, seen: Vec::new(), invite: None, began: tokio::time::Instant::now() }
    }

    /// Sees what happens for some time.
    pub(crate) async fn watch(&mut self, millis: u64) {
        let until = tokio::time::Instant::now() + Duration::from_millis(millis);
        while let Ok(Some(happened)) = tokio::time::timeout_at(until, self.handle.next()).await {
            self.seen.push((tokio::time::Instant::from_std(happened.at), happened.kind));
        }
        tokio::time::sleep_until(until).await;
    }

    /// Sees what happens until this did; the event.
    pub(crate) async fn until(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(400), self.handle.next()).await;
            let Ok(Some(happened)) = next else { panic!("no {what} after {}", self.story()) };
            self.seen.push((tokio::time::Instant::from_std(happened.at), happened.kind));
            if let Some((_, CallEventKind::Signal(event))) = self.seen.last()
                && is(event)
            {
                return event.clone();
            }
        }
    }

    pub(crate) async fn until_answered(&mut self) {
        self.until("answer", |event| matches!(event, Event::Answered(_))).await;
    }

    /// Until it is over: the status of a refusal, or the Reasons of its end.
    pub(crate) async fn until_over(&mut self) -> (Option<u16>, Vec<String>) {
        let is_end = |event: &Event| matches!(event, Event::Ended { .. } | Event::Rejected(_));
        match self.until("end", is_end).await {
            Event::Rejected(rejection) => (rejection.status, rejection.reasons),
            Event::Ended { reasons, .. } => (None, reasons),
            _ => unreachable!(),
        }
    }

    pub(crate) fn signals(&self) -> impl Iterator<Item = &Event> {
        self.seen
            .iter()
            .filter_map(|(_, what)| if let CallEventKind::Signal(event) = what { Some(event) } else { None })
    }

    /// Everything but media, for a test that fails.
    pub(crate) fn story(&self) -> String {
        self.seen
            .iter()
            .map(|(at, what)| {
                let said = match what {
                    CallEventKind::Request(message) | CallEventKind::Response(message) => {
                        let text = String::from_utf8_lossy(message.as_bytes());
                        text.lines().next().unwrap_or_default().to_owned()
                    }
                    CallEventKind::Rtp(_) | CallEventKind::Media(_) => return String::new(),
                    other => format!("{other:?}").chars().take(160).collect(),
                };
                format!("\n{:>8} ms {said}", at.duration_since(self.began).as_millis())
            })
            .collect()
    }

    /// Whose tone is heard in the next 300 ms.
    pub(crate) async fn hears(&self) -> Vec<u8> {
        self.handle.listen_again().await;
        wait(300).await;
        let report = self.handle.report().await.unwrap_or_default();
        report.hears_now.into_iter().map(Party::number).collect()
    }
}
