//! Our side of the calls: an agent on an endpoint of its own, and a call with everything that it told.

use ringback::auth::Credentials;
use ringback::endpoint::agent::{
    Agent, AgentConfig, Arrival, Arrivals, CallEventKind, CallHandle, Invitation, MediaReport, MediaSetup,
    Rewrite,
};
use ringback::endpoint::{ClientEvent, Config, Endpoint};
use ringback::media::digit::Digit;
use ringback::media::dtmf::{DtmfMethod, Observation};
use ringback::media::party_tone::Party;
use ringback::media::stream;
use ringback::message::{Flow, Transport};
use ringback::ua::call::{self, By, Cause, Command, Event, Rejection};
use ringback::ua::registration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A telephone of ours.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) agent: Agent,
    arrivals: Arrivals,
    pub(crate) user: &'static str,
    pub(crate) transport: Transport,
    /// Whose tone it sends.
    party: Party,
}

impl Phone {
    /// One on UDP and TCP at 127.0.0.1, which uses UDP.
    pub(crate) async fn new(user: &'static str) -> Phone {
        Phone::at(user, Ipv4Addr::LOCALHOST.into(), Transport::Udp).await
    }

    /// One at this address. Users of different first letters have different tones.
    pub(crate) async fn at(user: &'static str, ip: IpAddr, transport: Transport) -> Phone {
        Phone::with(user, ip, transport, Config::default(), AgentConfig::default()).await
    }

    /// One with a T1 of 20 ms, so that it gives up after 1.28 s.
    pub(crate) async fn quick(user: &'static str) -> Phone {
        Phone::with_t1(user, 20).await
    }

    /// One with another T1.
    pub(crate) async fn with_t1(user: &'static str, milliseconds: u64) -> Phone {
        let mut config = Config::default();
        config.transaction.t1 = Duration::from_millis(milliseconds);
        Phone::with(user, Ipv4Addr::LOCALHOST.into(), Transport::Udp, config, AgentConfig::default()).await
    }

    /// One with these ports for its media, and one call at once.
    pub(crate) async fn with_ports(user: &'static str, ports: RangeInclusive<u16>) -> Phone {
        let mut agent = AgentConfig::default();
        (agent.rtp_ports, agent.max_calls) = (Some(ports), 1);
        Phone::with(user, Ipv4Addr::LOCALHOST.into(), Transport::Udp, Config::default(), agent).await
    }

    async fn with(
        user: &'static str,
        ip: IpAddr,
        transport: Transport,
        mut config: Config,
        agent: AgentConfig,
    ) -> Phone {
        config.udp = vec![SocketAddr::new(ip, 0)];
        config.tcp = vec![SocketAddr::new(ip, 0)];
        let (endpoint, incoming) = Endpoint::bind(config).await.unwrap();
        let recorder = endpoint.recorder();
        recorder.record_all();
        let (agent, arrivals) = Agent::start(recorder, incoming, agent);
        let party = Party::new(user.as_bytes()[0] % 8).unwrap();
        Phone { agent, arrivals, user, transport, party }
    }

    /// Whose tone it sends.
    pub(crate) fn party(&self) -> Party {
        self.party
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.agent.endpoint().local_addrs().iter().find(|(t, _)| *t == self.transport).unwrap().1
    }

    fn contact(&self) -> String {
        let transport = if self.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("sip:{}@{}{transport}", self.user, self.address())
    }

    /// Everybody's password in `kamailio.cfg`.
    fn credentials(&self) -> Credentials {
        Credentials::new(self.user, format!("{}pw", self.user))
    }

    async fn flow(&self, remote: SocketAddr) -> Flow {
        self.agent.endpoint().flow(self.transport, remote).await.unwrap()
    }

    /// Binds its contact at this registrar.
    pub(crate) async fn register(&self, registrar: SocketAddr) {
        let flow = self.flow(registrar).await;
        let config = registration::Config::new(
            format!("sip:{}@lab.example", self.user),
            "sip:lab.example",
            self.contact(),
            self.credentials(),
        );
        let mut machine = registration::Registration::new(config, self.agent.endpoint().ids());
        let now = || std::time::Instant::now();
        machine.handle_input(now(), registration::Input::Command(registration::Command::Bind));
        loop {
            match machine.poll_output().expect("the registration goes on") {
                registration::Output::Finished(finished) => {
                    return assert_eq!(finished.end, registration::End::Accepted, "{finished:?}");
                }
                registration::Output::Send(request) => {
                    let mut sent = self.agent.recorder().request(request, flow).await.unwrap();
                    loop {
                        match sent.next().await.unwrap() {
                            ClientEvent::Provisional(_) => {}
                            ClientEvent::Final(received) => {
                                machine.handle_input(now(), registration::Input::Response(received.message));
                                break;
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Its own tone is sent, and everything is listened for.
    pub(crate) fn media(&self) -> MediaSetup {
        MediaSetup::Stream { background: Some(self.party.tone()), detect_tones: true }
    }

    /// Calls `user` at `remote`.
    pub(crate) async fn dial(&self, user: &str, remote: SocketAddr) -> Talk {
        self.dial_with(user, remote, |_| {}, None).await
    }

    /// Calls with other settings than usual.
    pub(crate) async fn dial_with(
        &self,
        user: &str,
        remote: SocketAddr,
        adjust: impl FnOnce(&mut call::Config),
        rewrite: Option<Rewrite>,
    ) -> Talk {
        let transport = if self.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        self.dial_uri(&format!("sip:{user}@{remote}{transport}"), remote, adjust, rewrite).await
    }

    /// Calls this URI by way of `remote`.
    pub(crate) async fn dial_uri(
        &self,
        target: &str,
        remote: SocketAddr,
        adjust: impl FnOnce(&mut call::Config),
        rewrite: Option<Rewrite>,
    ) -> Talk {
        let flow = self.flow(remote).await;
        let setup = |local| self.config(local, adjust);
        let handle = self.agent.dial_rewritten(flow, target, self.media(), setup, rewrite).unwrap();
        Talk::new(handle)
    }

    fn config(&self, local: ringback::sdp::Local, adjust: impl FnOnce(&mut call::Config)) -> call::Config {
        let mut config = call::Config::new(format!("sip:{}@lab.example", self.user), self.contact(), local);
        config.credentials = Some(self.credentials());
        config.t1 = self.agent.endpoint().config().transaction.t1;
        // What the machine can do is tried, not what a question allows it.
        config.redirects = call::Redirects::Any;
        config.trust.realms = vec!["lab.example".to_owned()];
        config.trust.hosts = vec![std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
        adjust(&mut config);
        config
    }

    /// The next call to us, which nobody has answered.
    pub(crate) async fn invited(&mut self) -> Invitation {
        match timeout_at(Instant::now() + PATIENCE, self.arrivals.next()).await {
            Ok(Some(Arrival::Call(invitation))) => invitation,
            other => panic!("no call for {}: {other:?}", self.user),
        }
    }

    /// Takes the next call to us; it does not even ring yet.
    pub(crate) async fn take(&mut self) -> Talk {
        self.take_with(|_| {}, None).await
    }

    /// Takes the next call with other settings than usual.
    pub(crate) async fn take_with(
        &mut self,
        adjust: impl FnOnce(&mut call::Config),
        rewrite: Option<Rewrite>,
    ) -> Talk {
        let invitation = self.invited().await;
        let setup = |local| self.config(local, adjust);
        Talk::new(invitation.take_rewritten(self.media(), setup, rewrite).unwrap())
    }

    /// Takes this call.
    pub(crate) fn take_invitation(
        &self,
        invitation: Invitation,
        adjust: impl FnOnce(&mut call::Config),
    ) -> Talk {
        let setup = |local| self.config(local, adjust);
        Talk::new(invitation.take_rewritten(self.media(), setup, None).unwrap())
    }
}

/// A call of ours, and what it told.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) handle: CallHandle,
    pub(crate) seen: Vec<CallEventKind>,
    /// The digits up to here were given to somebody.
    given: usize,
}

impl Talk {
    fn new(handle: CallHandle) -> Talk {
        Talk { handle, seen: Vec::new(), given: 0 }
    }

    /// What comes next, until something is picked.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&CallEventKind) -> Option<T>,
    ) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            match timeout_at(until, self.handle.next()).await {
                Ok(Some(happened)) => {
                    let picked = pick(&happened.kind);
                    self.seen.push(happened.kind);
                    if let Some(picked) = picked {
                        return picked;
                    }
                }
                Ok(None) => panic!("the call ended before {what}: {:#?}", self.seen),
                Err(_) => panic!("{what} did not come: {:#?}", self.seen),
            }
        }
    }

    /// The same for what happens in the signalling.
    pub(crate) async fn signal<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        self.until(what, |happened| match happened {
            CallEventKind::Signal(event) => pick(event),
            _ => None,
        })
        .await
    }

    pub(crate) async fn answered(&mut self) -> ringback::sdp::MediaPlan {
        self.signal("the answer", |event| match event {
            Event::Answered(plan) => Some(plan.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn progress(&mut self, status: u16) -> Option<usize> {
        self.signal("a provisional response", |event| match event {
            Event::Progress { status: seen, fork } if *seen == status => Some(*fork),
            _ => None,
        })
        .await
    }

    pub(crate) async fn held(&mut self) -> By {
        self.signal("the hold", |event| match event {
            Event::Held { by, .. } => Some(*by),
            _ => None,
        })
        .await
    }

    /// A hold by either side, also one that is told as a change because the other side holds already.
    pub(crate) async fn held_or_changed(&mut self) -> By {
        self.signal("the hold", |event| match event {
            Event::Held { by, .. } | Event::Changed { by, .. } => Some(*by),
            _ => None,
        })
        .await
    }

    pub(crate) async fn resumed(&mut self) -> By {
        self.signal("the end of the hold", |event| match event {
            Event::Resumed { by, .. } => Some(*by),
            _ => None,
        })
        .await
    }

    pub(crate) async fn refreshed(&mut self) -> By {
        self.signal("a refresh of the session", |event| match event {
            Event::Refreshed { by } => Some(*by),
            _ => None,
        })
        .await
    }

    pub(crate) async fn rejected(&mut self) -> Rejection {
        self.signal("the refusal", |event| match event {
            Event::Rejected(rejection) => Some((**rejection).clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn ended(&mut self) -> (By, Cause, Vec<String>) {
        self.signal("the end", |event| match event {
            Event::Ended { by, cause, reasons } => Some((*by, cause.clone(), reasons.clone())),
            _ => None,
        })
        .await
    }

    /// Hangs up and waits for the end.
    pub(crate) async fn hang_up(&mut self) {
        self.handle.hang_up(None).await;
        let (by, cause, _) = self.ended().await;
        assert_eq!((by, cause), (By::Local, Cause::HungUp), "{:#?}", self.seen);
    }

    pub(crate) async fn command(&self, command: Command) {
        self.handle.command(command).await;
    }

    /// Sends digits and waits until the last has gone out.
    pub(crate) async fn send_digits(&mut self, digits: &str, way: DtmfMethod) {
        let keys = ringback::media::digit::parse_digits(digits).unwrap();
        self.handle.media(stream::Command::digits(keys, way)).await;
        self.until("the end of our digits", |what| match what {
            CallEventKind::Media(stream::Event::Played) => Some(()),
            CallEventKind::Media(stream::Event::Unsupported(way)) => panic!("{way} is not agreed on"),
            _ => None,
        })
        .await;
    }

    /// Waits for so many digits by this way; those that were given before count no more.
    pub(crate) async fn digits(&mut self, way: DtmfMethod, count: usize) -> Vec<Observation> {
        let by_way = |what: &CallEventKind| match what {
            CallEventKind::Media(stream::Event::Observed(observation)) if observation.way == way => {
                Some(observation.clone())
            }
            _ => None,
        };
        let mut seen: Vec<_> = self.seen[self.given..].iter().filter_map(by_way).collect();
        if seen.len() < count {
            self.until(&format!("{count} digits by {way}"), |what| {
                seen.extend(by_way(what));
                (seen.len() == count).then_some(())
            })
            .await;
        }
        self.given = self.seen.len();
        seen
    }

    /// Waits until this party is heard.
    pub(crate) async fn hears(&mut self, other: &Phone) {
        self.hears_party(other.party).await;
    }

    pub(crate) async fn hears_party(&mut self, party: Party) {
        let until = Instant::now() + PATIENCE;
        self.handle.listen_again().await;
        loop {
            let report = self.handle.report().await.expect("the call is up");
            if report.heard_for(party) >= Duration::from_millis(200) {
                return;
            }
            assert!(Instant::now() < until, "{party:?} is not heard: {report:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every digit that was seen so far, by whatever way.
    pub(crate) async fn observed(&mut self) -> Vec<Observation> {
        while let Ok(Some(happened)) = timeout_at(Instant::now(), self.handle.next()).await {
            self.seen.push(happened.kind);
        }
        let observed = self.seen.iter().filter_map(|what| match what {
            CallEventKind::Media(stream::Event::Observed(observation)) => Some(observation.clone()),
            _ => None,
        });
        observed.collect()
    }

    /// The report that came at the end.
    pub(crate) fn last_report(&self) -> &MediaReport {
        let report = self.seen.iter().find_map(|what| match what {
            CallEventKind::LastReport(report) => Some(&**report),
            _ => None,
        });
        report.expect("a call that has ended has a report")
    }

    /// Everything in the signalling so far.
    pub(crate) fn signals(&self) -> Vec<&Event> {
        let signals = self.seen.iter().filter_map(|what| match what {
            CallEventKind::Signal(event) => Some(event),
            _ => None,
        });
        signals.collect()
    }
}

/// Runs tests that mostly wait at the same time, and names the one that fails.
pub(crate) async fn all_at_once<F>(tests: impl IntoIterator<Item = (&'static str, F)>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let running: Vec<_> = tests.into_iter().map(|(name, test)| (name, tokio::spawn(test))).collect();
    for (name, test) in running {
        test.await.unwrap_or_else(|failed| panic!("{name}: {failed}"));
    }
}

/// These digits, without pauses.
pub(crate) fn digits(text: &str) -> Vec<Digit> {
    text.chars().map(|character| Digit::from_char(character).unwrap()).collect()
}

/// The digits as text.
pub(crate) fn text(observations: &[Observation]) -> String {
    observations.iter().filter_map(|observation| Some(observation.digit?.character())).collect()
}
