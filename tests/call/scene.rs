//! A caller of ours, and somebody at the other end who does what a test wants.

use ringback::check::{Account, Call, Outcome, Probe, ProbeConfig, Verdict};
use ringback::endpoint::agent::{
    Agent, AgentConfig, Arrival, Arrivals, CallEventKind, CallHandle, Invitation, MediaSetup, Rewrite,
};
use ringback::endpoint::{Config, Endpoint};
use ringback::media::tone::Tone;
use ringback::sim::MemoryNetwork;
use ringback::ua::call::{self, Command, Event};
use ringback::ua::transfer::{Refer, Target};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PEER: &str = "203.0.113.1:5060";
const PROBE: &str = "192.0.2.7";

/// What the peer does with a call, and with the messages that it sends in it.
pub(crate) struct Script {
    /// Status and whether media goes with it.
    pub(crate) ring: Option<(u16, bool)>,
    pub(crate) ring_time: Duration,
    pub(crate) end: End,
    pub(crate) sound: Option<Tone>,
    /// Sends no RTP at all.
    pub(crate) mute: bool,
    pub(crate) rewrite: fn() -> Option<Rewrite>,
    pub(crate) setup: fn(&mut call::Config),
}

#[derive(Clone, Copy)]
pub(crate) enum End {
    /// Answers, and stays until it is hung up.
    Answer,
    /// Answers, and hangs up after this time with this Reason.
    HangUp(Duration, Option<&'static str>),
    Refuse(u16, Option<&'static str>),
    /// Answers, and asks half a second later to call this.
    Refer(&'static str),
    /// Rings on.
    Nothing,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            ring: Some((180, false)),
            ring_time: Duration::from_secs(2),
            end: End::Answer,
            sound: Some(Tone::sine(1_000.0, -16.0)),
            mute: false,
            rewrite: || None,
            setup: |_| {},
        }
    }
}

impl Script {
    pub(crate) fn ending(end: End) -> Script {
        Script { end, ..Script::default() }
    }
}

pub(crate) struct Scene {
    pub(crate) network: MemoryNetwork,
    pub(crate) probe: Probe,
    pub(crate) peer: Endpoint,
}

impl Scene {
    pub(crate) async fn new(script: Script) -> Scene {
        let network = MemoryNetwork::new([1; 32]);
        let mut config = Config::default();
        config.network = Some(Arc::new(network.host([PEER.parse::<SocketAddr>().unwrap().ip()])));
        config.udp = vec![PEER.parse().unwrap()];
        config.tcp = vec![PEER.parse().unwrap()];
        config.seed = Some([2; 32]);
        config.user_agent = "pbx/1".into();
        let (peer, incoming) = Endpoint::bind(config).await.unwrap();
        let (agent, arrivals) = Agent::start(peer.recorder(), incoming, AgentConfig::default());
        tokio::spawn(act(agent, arrivals, script));
        let probe = probe(&network).await;
        Scene { network, probe, peer }
    }

    pub(crate) fn alice(&self) -> Account {
        Account::new(&format!("sip:alice@{PEER}"), "alicepw").unwrap().named("alice")
    }

    pub(crate) fn call(&self) -> Call {
        Call::to(&self.alice(), "201").unwrap()
    }

    pub(crate) async fn check(&self, call: Call) -> Outcome {
        self.probe.check(call).await
    }
}

pub(crate) async fn probe(network: &MemoryNetwork) -> Probe {
    let mut config = ProbeConfig::default();
    let ip: IpAddr = PROBE.parse().unwrap();
    config.endpoint.network = Some(Arc::new(network.host([ip])));
    config.endpoint.udp = vec![SocketAddr::new(ip, 5070)];
    config.endpoint.seed = Some([3; 32]);
    Probe::with(config).await.unwrap()
}

/// One call with this script.
pub(crate) async fn call_with(script: Script) -> Outcome {
    let scene = Scene::new(script).await;
    scene.check(scene.call()).await
}

async fn act(agent: Agent, mut arrivals: Arrivals, script: Script) {
    let script = Arc::new(script);
    while let Some(arrival) = arrivals.next().await {
        match arrival {
            Arrival::Call(invitation) => {
                tokio::spawn(one(invitation, Arc::clone(&script)));
            }
            Arrival::Request(request) => agent.answer_by_itself(request).await,
            _ => {}
        }
    }
}

async fn one(invitation: Invitation, script: Arc<Script>) {
    let contact = format!("sip:201@{}", invitation.flow.local);
    let media = match script.mute {
        true => MediaSetup::Relay,
        false => MediaSetup::Stream { background: script.sound.clone(), detect_tones: false },
    };
    let setup = |local| {
        let mut config = call::Config::new("sip:201@pbx", contact, local);
        config.user_agent = "phone/2".into();
        (script.setup)(&mut config);
        config
    };
    let mut call = invitation.take_rewritten(media, setup, (script.rewrite)()).unwrap();
    if let Some((status, media)) = script.ring {
        call.command(Command::Ring { status, media }).await;
        if rest(&mut call, script.ring_time).await {
            return;
        }
    }
    match script.end {
        End::Answer => call.command(Command::Answer).await,
        End::HangUp(after, reason) => {
            call.command(Command::Answer).await;
            if rest(&mut call, after).await {
                return;
            }
            call.hang_up(reason.map(str::to_owned)).await;
        }
        End::Refuse(status, reason) => {
            call.command(Command::Refuse { status, reason: reason.map(str::to_owned) }).await;
        }
        End::Refer(target) => {
            call.command(Command::Answer).await;
            if rest(&mut call, Duration::from_millis(500)).await {
                return;
            }
            call.refer(Refer::new(1, Target::new(target))).await;
        }
        End::Nothing => {}
    }
    while call.next().await.is_some() {}
}

/// Waits; true when the call is over.
async fn rest(call: &mut CallHandle, time: Duration) -> bool {
    let end = tokio::time::Instant::now() + time;
    loop {
        match tokio::time::timeout_at(end, call.next()).await {
            Err(_) => return false,
            Ok(None) => return true,
            Ok(Some(happened)) if matches!(happened.kind, CallEventKind::Signal(Event::Ended { .. })) => {
                return true;
            }
            Ok(Some(_)) => {}
        }
    }
}

pub(crate) fn assert_verdict(outcome: &Outcome, verdict: Verdict) {
    assert_eq!(outcome.verdict, verdict, "{outcome}");
}

/// Requests that the probe sent, by method, each once.
pub(crate) fn sent(outcome: &Outcome) -> Vec<String> {
    let mut sent: Vec<String> = Vec::new();
    for record in &outcome.transcript.records {
        if let ringback::transport::RecordEvent::Message {
            direction: ringback::transport::Direction::Sent,
            bytes,
            retransmission: 0,
        } = &record.event
        {
            let line = String::from_utf8_lossy(bytes.split(|b| *b == b' ').next().unwrap()).into_owned();
            if !line.starts_with("SIP/") {
                sent.push(line);
            }
        }
    }
    sent
}

/// A message with one text in place of another, and the Content-Length that fits.
pub(crate) fn edited(
    message: &ringback::message::Message,
    from: &str,
    to: &str,
) -> ringback::message::Message {
    let text = String::from_utf8_lossy(message.as_bytes()).replace(from, to);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.to_ascii_lowercase().starts_with("content-length:") {
            true => format!("Content-Length: {}", body.len()),
            false => line.to_owned(),
        })
        .collect();
    let text = format!("{}\r\n\r\n{body}", head.join("\r\n"));
    ringback::message::Message::parse(text.into(), &ringback::syntax::Limits::default()).unwrap()
}
