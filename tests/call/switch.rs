//! A small switch between two of our parties: takes registrations, calls who registered, passes media on; with faults.

use super::scene::{PEER, probe};
use ringback::check::{Account, Call, Outcome, Probe};
use ringback::endpoint::agent::{
    Agent, AgentConfig, Arrival, Arrivals, CallEventKind, CallHandle, Invitation, MediaSetup, Rewrite,
};
use ringback::endpoint::{Config, Endpoint, IncomingRequest};
use ringback::message::{Builder, Message};
use ringback::sim::MemoryNetwork;
use ringback::syntax::{HeaderName, Method};
use ringback::ua::call::{self, By, Command, Event};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does wrong.
#[derive(Default, Clone)]
pub(crate) struct Faults {
    /// RTP of the caller is not passed on; of the callee.
    pub(crate) deaf_callee: bool,
    pub(crate) deaf_caller: bool,
    /// RTP is not passed on any more after this time.
    pub(crate) media_ends: Option<Duration>,
    /// RTP goes back to where it came from.
    pub(crate) echo: bool,
    /// A BYE ends one leg only.
    pub(crate) keeps_other_leg: bool,
    /// The 180 of the callee is not passed on.
    pub(crate) no_ringing: bool,
    /// The caller's call goes to nobody and is answered here.
    pub(crate) answers_itself: bool,
    /// What is done to RTP to the callee.
    pub(crate) to_callee_rtp: Option<fn(&mut [u8])>,
    /// The call is ended after this time with this Reason.
    pub(crate) ends: Option<(Duration, &'static str)>,
    /// Every call is refused.
    pub(crate) refuses: Option<u16>,
    /// The callee is called twice.
    pub(crate) rings_twice: bool,
    /// What is done to messages to the callee.
    pub(crate) to_callee: Option<fn(Message) -> Option<Message>>,
    pub(crate) to_caller: Option<fn(Message) -> Option<Message>>,
}

pub(crate) struct Switch {
    pub(crate) network: MemoryNetwork,
    pub(crate) probe: Probe,
    pub(crate) bindings: Bindings,
}

type Bindings = Arc<Mutex<Option<String>>>;

impl Switch {
    pub(crate) async fn new(faults: Faults) -> Switch {
        let network = MemoryNetwork::new([1; 32]);
        let mut config = Config::default();
        config.network = Some(Arc::new(network.host([PEER.parse::<SocketAddr>().unwrap().ip()])));
        config.udp = vec![PEER.parse().unwrap()];
        config.seed = Some([2; 32]);
        config.user_agent = "switch/1".into();
        let (endpoint, incoming) = Endpoint::bind(config).await.unwrap();
        let (agent, arrivals) = Agent::start(endpoint.recorder(), incoming, AgentConfig::default());
        let bindings = Bindings::default();
        tokio::spawn(serve(agent, arrivals, faults, Arc::clone(&bindings)));
        Switch { probe: probe(&network).await, network, bindings }
    }

    pub(crate) fn between(&self) -> Call {
        let account = |user: &str| Account::new(&format!("sip:{user}@{PEER}"), "secret").unwrap().named(user);
        Call::between(&account("alice"), &account("bob"))
    }

    pub(crate) async fn check(&self, call: Call) -> Outcome {
        self.probe.check(call).await
    }
}

pub(crate) async fn between_with(faults: Faults) -> Outcome {
    let switch = Switch::new(faults).await;
    switch.check(switch.between()).await
}

async fn serve(agent: Agent, mut arrivals: Arrivals, faults: Faults, bindings: Bindings) {
    while let Some(arrival) = arrivals.next().await {
        match arrival {
            Arrival::Call(invitation) => {
                let target = bindings.lock().unwrap().clone();
                tokio::spawn(connect(agent.clone(), invitation, target, faults.clone()));
            }
            Arrival::Request(request) if request.message.method() == Some(Method::Register) => {
                register(&agent, request, &bindings).await;
            }
            Arrival::Request(request) => agent.answer_by_itself(request).await,
            _ => {}
        }
    }
}

async fn register(agent: &Agent, request: IncomingRequest, bindings: &Bindings) {
    let contact =
        request.message.header(HeaderName::Contact).map(|c| String::from_utf8_lossy(c).into_owned());
    let expires = request.message.seconds(HeaderName::Expires).and_then(Result::ok);
    let contact = contact.filter(|contact| expires != Some(0) && !contact.contains("expires=0"));
    let mut builder = Builder::response(&request.message, 200, "OK", Some("reg"));
    let uri = contact.as_ref().and_then(|contact| contact.split(['<', '>']).nth(1).map(str::to_owned));
    if let Some(uri) = &uri {
        builder = builder.header(HeaderName::Contact, format!("<{uri}>;expires=300"));
    }
    *bindings.lock().unwrap() = uri;
    agent.endpoint().respond(request.id, builder.build().unwrap()).await.unwrap();
}

fn us(user: &'static str, local: SocketAddr) -> impl FnOnce(ringback::sdp::Local) -> call::Config {
    move |media| call::Config::new(format!("sip:{user}@pbx"), format!("sip:{user}@{local}"), media)
}

fn by(edit: Option<fn(Message) -> Option<Message>>) -> Option<Rewrite> {
    edit.map(|edit| Box::new(edit) as Rewrite)
}

async fn connect(agent: Agent, invitation: Invitation, target: Option<String>, faults: Faults) {
    let (from, local) = (invitation.flow, invitation.flow.local);
    let mut a = invitation.take_rewritten(MediaSetup::Relay, us("bob", local), by(faults.to_caller)).unwrap();
    let Some(target) = target else {
        return a.command(Command::Refuse { status: 480, reason: None }).await;
    };
    if let Some(status) = faults.refuses {
        return a.command(Command::Refuse { status, reason: None }).await;
    }
    if faults.answers_itself {
        a.command(Command::Answer).await;
        while a.next().await.is_some() {}
        return;
    }
    let address = target.split(['@', ';']).nth(1).unwrap();
    let remote = address.parse().unwrap_or_else(|error| panic!("{target}: {error}"));
    let flow = ringback::message::Flow { remote, ..from };
    let dial =
        || agent.dial_rewritten(flow, &target, MediaSetup::Relay, us("alice", local), by(faults.to_callee));
    let mut b = dial().unwrap();
    let _second = faults.rings_twice.then(|| dial().unwrap());
    let mut answered: Option<tokio::time::Instant> = None;
    loop {
        let ends = faults.ends.zip(answered).map(|((after, _), at)| at + after);
        let end = async {
            match ends {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let passes = |at: Option<tokio::time::Instant>| {
            faults.media_ends.zip(at).is_none_or(|(after, at)| at.elapsed() < after)
        };
        tokio::select! {
            happened = a.next() => match happened.map(|happened| happened.kind) {
                Some(CallEventKind::Rtp(packet)) if faults.echo => a.send_rtp(packet),
                Some(CallEventKind::Rtp(packet)) if !faults.deaf_callee && passes(answered) => {
                    let mut packet = packet.to_vec();
                    if let Some(edit) = faults.to_callee_rtp {
                        edit(&mut packet);
                    }
                    b.send_rtp(packet.into());
                }
                Some(CallEventKind::Signal(Event::Ended { by: By::Peer, .. })) if !faults.keeps_other_leg => {
                    b.hang_up(None).await;
                }
                Some(_) => {}
                None => return rest(b).await,
            },
            happened = b.next() => match happened.map(|happened| happened.kind) {
                Some(CallEventKind::Rtp(packet)) if !faults.deaf_caller && !faults.echo && passes(answered) => a.send_rtp(packet),
                Some(CallEventKind::Signal(Event::Progress { status, .. })) if !faults.no_ringing => {
                    a.command(Command::Ring { status, media: false }).await;
                }
                Some(CallEventKind::Signal(Event::Answered(_))) => {
                    answered = Some(tokio::time::Instant::now());
                    a.command(Command::Answer).await;
                }
                Some(CallEventKind::Signal(Event::Rejected(rejection))) => {
                    a.command(Command::Refuse { status: rejection.status.unwrap_or(408), reason: None }).await;
                }
                Some(CallEventKind::Signal(Event::Ended { by: By::Peer, .. })) if !faults.keeps_other_leg => {
                    a.hang_up(None).await;
                }
                Some(_) => {}
                None => return rest(a).await,
            },
            () = end => {
                let reason = faults.ends.map(|(_, reason)| reason.to_owned());
                a.hang_up(reason.clone()).await;
                b.hang_up(reason).await;
                tokio::join!(rest(a), rest(b));
                return;
            }
        }
    }
}

async fn rest(mut call: CallHandle) {
    while call.next().await.is_some() {}
}
