//! A user agent on an endpoint of its own: calls in both roles, each with its own RTP and RTCP ports.
//!
//! [`Agent::start`] takes the endpoint's [`Incoming`] and hands on what belongs to a call; each call is a task that drives a
//! [machine](crate::ua::call) and, unless it only passes packets on, a [media stream](crate::media::stream). [`CallHandle`] is its owner's
//! end: commands go in, events come out in the order in which they happened. A handle that is dropped hangs up.
//!
//! Two agents, of which one calls the other:
//! ```
//! use ringback::endpoint::agent::{Agent, AgentConfig, Arrival, MediaSetup, CallEventKind};
//! use ringback::endpoint::{Config, Endpoint};
//! use ringback::message::Transport;
//! use ringback::ua::call::{self, Command, Event};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::default();
//! config.udp = vec!["127.0.0.1:0".parse()?];
//! let (endpoint, incoming) = Endpoint::bind(config.clone()).await?;
//! let (_called, mut arrivals) = Agent::start(endpoint.recorder(), incoming, AgentConfig::default());
//! let remote = endpoint.local_addrs()[0].1;
//! tokio::spawn(async move {
//!     while let Some(arrival) = arrivals.next().await {
//!         let Arrival::Call(invitation) = arrival else { continue };
//!         let contact = format!("sip:bob@{}", invitation.flow.local);
//!         let setup = |local| call::Config::new("sip:bob@lab.example", contact, local);
//!         let mut call = invitation.take(MediaSetup::default(), setup).await.unwrap();
//!         call.command(Command::Answer).await;
//!         while call.next().await.is_some() {}
//!     }
//! });
//!
//! let (endpoint, incoming) = Endpoint::bind(config).await?;
//! let (agent, _) = Agent::start(endpoint.recorder(), incoming, AgentConfig::default());
//! let flow = endpoint.flow(Transport::Udp, remote).await?;
//! let contact = format!("sip:alice@{}", flow.local);
//! let setup = |local| call::Config::new("sip:alice@lab.example", contact, local);
//! let mut call = agent.dial(flow, &format!("sip:bob@{remote}"), MediaSetup::default(), setup).await?;
//! while let Some(happened) = call.next().await {
//!     if let CallEventKind::Signal(Event::Answered(plan)) = happened.kind {
//!         assert_eq!(plan.remote.ip(), remote.ip());
//!         call.command(Command::HangUp { reason: None }).await;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod directory;
mod dispatch;
mod handle;
mod hop;
mod media;
mod notes;
mod ports;
mod replacement;
mod report;
mod task;

pub use handle::{CallEvent, CallEventKind, CallHandle};
pub use notes::{CallNotes, OpenCall};
pub use replacement::Replacement;
pub use report::{MediaReport, RtcpReport, Withheld};

use super::{Endpoint, Incoming, IncomingRequest, Recorder};
use crate::error::Error;
use crate::media::tone::Tone;
use crate::message::{Builder, Flow, Message, reason_phrase};
use crate::sdp::Local;
use crate::syntax::HeaderName;
use crate::ua::call;
use directory::Directory;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use task::Birth;
use tokio::sync::mpsc;

/// How an agent is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AgentConfig {
    /// Ports for RTP (even) and RTCP (the next); `None`, the default, lets the system choose.
    pub rtp_ports: Option<RangeInclusive<u16>>,
    /// Address of our media. [default: the one that the signalling leaves from]
    pub media_ip: Option<IpAddr>,
    /// Most calls at once; default 1,000. INVITEs beyond are answered 486. Calls that have ended do not count, unless there are 15 times
    /// as many of them in 64*T1.
    pub max_calls: usize,
    /// Requests in a dialog take the flow that their call began on, whatever the peer's Contact says: what a PBX does for devices behind
    /// a NAT. Default no.
    pub keep_flow: bool,
    /// Is told which calls are open; default nobody.
    pub notes: Option<Arc<dyn CallNotes>>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        AgentConfig { rtp_ports: None, media_ip: None, max_calls: 1_000, keep_flow: false, notes: None }
    }
}

/// What an agent does with the media of a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MediaSetup {
    /// Sends and reads a stream.
    Stream {
        /// What is sent while nothing is played: silence, or a tone.
        background: Option<Tone>,
        /// Does it look for digits in the audio?
        detect_tones: bool,
    },
    /// Gives every datagram to the owner ([`CallEventKind::Rtp`]), and sends those that it gets ([`CallHandle::send_rtp`]).
    Relay,
}

impl Default for MediaSetup {
    /// Silence; digits are looked for.
    fn default() -> Self {
        MediaSetup::Stream { background: None, detect_tones: true }
    }
}

/// What may be done to a message that a call wants to send: changed, or kept back. For networks that misbehave on purpose.
pub type Rewrite = Box<dyn FnMut(Message) -> Option<Message> + Send + Sync>;
/// What may be done to a request or an ACK that comes for a call, before the call sees it.
pub type Intercept = Box<dyn FnMut(&Message) -> Intercepted + Send + Sync>;

/// What becomes of a request that came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Intercepted {
    /// The call gets it.
    Taken,
    /// It is as if it had never come.
    Ignored,
    /// This is its answer (an ACK has none), and the call does not get it.
    Answered(Message),
}

/// Sees the messages of a call before they go out or are taken: it may change them, keep them back, or answer them beside the call.
#[derive(Default)]
#[non_exhaustive]
pub struct Interceptor {
    /// On those that it sends.
    pub sent: Option<Rewrite>,
    /// On the requests and ACKs that it gets.
    pub received: Option<Intercept>,
}

impl Interceptor {
    /// For both ways.
    pub fn new(sent: Rewrite, received: Intercept) -> Interceptor {
        Interceptor { sent: Some(sent), received: Some(received) }
    }
}

impl From<Option<Rewrite>> for Interceptor {
    fn from(sent: Option<Rewrite>) -> Interceptor {
        Interceptor { sent, received: None }
    }
}

impl fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interceptor")
            .field("sent", &self.sent.is_some())
            .field("received", &self.received.is_some())
            .finish()
    }
}

/// A user agent; cheap to clone.
#[derive(Debug, Clone)]
pub struct Agent {
    pub(super) recorder: Arc<Recorder>,
    directory: Arc<Directory>,
    config: Arc<AgentConfig>,
}

/// What reaches an agent and belongs to no call of its own yet.
#[derive(Debug)]
pub struct Arrivals(mpsc::Receiver<Arrival>);

/// One of them.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// Somebody calls.
    Call(Invitation),
    /// Another request outside any call: wants [`Endpoint::respond`] or [`Endpoint::abandon`].
    Request(IncomingRequest),
    /// A request that was refused before any call or owner could have it: one that cannot be read (400), or one in a dialog which no call of
    /// this agent has (481; a NOTIFY in another dialog than its REFER, for one).
    Refused {
        /// The request.
        message: Message,
        /// Where it came from.
        flow: Flow,
        /// When.
        at: Instant,
        /// What it was answered.
        status: u16,
        /// What is wrong with it; a header that cannot be read is quoted.
        why: String,
    },
}

impl Arrivals {
    /// The next; `None` when the endpoint is closed.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.0.recv().await
    }

    /// Like [`Arrivals::next`], for who polls several.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        self.0.poll_recv(cx)
    }
}

/// A call that nobody has taken yet. Dropping it answers 480.
pub struct Invitation {
    /// The INVITE.
    pub message: Message,
    /// Where it came from.
    pub flow: Flow,
    /// When.
    pub at: Instant,
    id: Option<crate::transaction::ServerId>,
    agent: Agent,
    inbox: mpsc::Receiver<dispatch::Mail>,
    /// Ends the entry of a call that is not taken.
    post: mpsc::Sender<dispatch::Mail>,
    ignores_replaces: bool,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("message", &self.message)
            .field("flow", &self.flow)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// Takes over what comes to the recorder's endpoint.
    pub fn start(recorder: Recorder, incoming: Incoming, config: AgentConfig) -> (Agent, Arrivals) {
        let agent =
            Agent { recorder: Arc::new(recorder), directory: Arc::default(), config: Arc::new(config) };
        let queue = agent.endpoint().config().incoming_queue.clamp(1, super::command::QUEUE_MAX);
        let (arrivals, receiver) = mpsc::channel(queue);
        tokio::spawn(dispatch::run(agent.clone(), incoming, arrivals));
        (agent, Arrivals(receiver))
    }

    /// The endpoint that it runs on.
    pub fn endpoint(&self) -> &Endpoint {
        self.recorder.endpoint()
    }

    /// The record of its messages.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Calls `target` (a URI without `<>`) over a flow: the INVITE goes out at once. `setup` says who we are; the media address that it is
    /// given is bound already.
    ///
    /// # Errors
    /// [`Error::Bind`] when there is no free pair of media ports; [`Error::Usage`] when there are too many calls.
    pub async fn dial(
        &self,
        flow: Flow,
        target: &str,
        media: MediaSetup,
        setup: impl FnOnce(Local) -> call::Config,
    ) -> Result<CallHandle, Error> {
        self.dial_rewritten(flow, target, media, setup, None)
    }

    /// Like [`Agent::dial`], with an [interceptor](Interceptor) on the messages of the call (or one [`Rewrite`] of those that it sends).
    ///
    /// # Errors
    /// As [`Agent::dial`].
    pub fn dial_rewritten(
        &self,
        flow: Flow,
        target: &str,
        media: MediaSetup,
        setup: impl FnOnce(Local) -> call::Config,
        interceptor: impl Into<Interceptor>,
    ) -> Result<CallHandle, Error> {
        let ports = self.ports(flow)?;
        let config = setup(ports.local());
        let call = call::Call::outgoing(config, target, self.endpoint().ids());
        let (post, inbox) = mpsc::channel(dispatch::INBOX);
        self.directory.enter(&call, None, &post, self.config.max_calls)?;
        Ok(self.give_birth(
            call,
            None,
            flow,
            target.as_bytes(),
            (ports, media),
            inbox,
            interceptor.into(),
            None,
        ))
    }

    /// Answers a request outside any call as an endpoint without owner does (see [`Incoming`]): OPTIONS with 200, anything else with a
    /// refusal that fits it.
    pub async fn answer_by_itself(&self, request: IncomingRequest) {
        let endpoint = self.endpoint();
        let tag = endpoint.ids().tag();
        let answer = super::automatic::answer(&request.message, (&tag, &endpoint.config().user_agent), false);
        let _ = match answer {
            Some(Ok(response)) => endpoint.respond(request.id, response).await,
            _ => endpoint.abandon(request.id).await,
        };
    }

    /// Declines a request outside any call: 603.
    pub async fn decline(&self, request: IncomingRequest) {
        let endpoint = self.endpoint();
        let tag = endpoint.ids().tag();
        let declined = Builder::response(&request.message, 603, reason_phrase(603), Some(&tag))
            .header(HeaderName::Server, &endpoint.config().user_agent)
            .build();
        let _ = match declined {
            Ok(response) => endpoint.respond(request.id, response).await,
            Err(_) => endpoint.abandon(request.id).await,
        };
    }

    fn ports(&self, flow: Flow) -> Result<ports::Ports, Error> {
        let ip = self.config.media_ip.unwrap_or(flow.local.ip());
        ports::bind(
            &*self.endpoint().shared().network,
            ip,
            self.config.rtp_ports.clone(),
            &mut self.endpoint().ids(),
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn give_birth(
        &self,
        call: call::Call,
        invite: Option<Message>,
        flow: Flow,
        target: &[u8],
        (ports, media): (ports::Ports, MediaSetup),
        inbox: mpsc::Receiver<dispatch::Mail>,
        interceptor: Interceptor,
        replaces: Option<directory::Key>,
    ) -> CallHandle {
        task::spawn(Birth {
            call,
            invite,
            flow,
            target: target.into(),
            ports,
            media,
            inbox,
            interceptor,
            keep_flow: self.config.keep_flow,
            notes: self.config.notes.clone(),
            recorder: Arc::clone(&self.recorder),
            directory: Arc::clone(&self.directory),
            replaces,
        })
    }
}

impl Invitation {
    /// The user that is called: of the Request-URI.
    pub fn called_user(&self) -> String {
        let uri = self.message.request_uri_bytes().and_then(|uri| crate::syntax::Uri::parse(uri).ok());
        uri.and_then(|uri| uri.user().map(|user| String::from_utf8_lossy(user).into_owned()))
            .unwrap_or_default()
    }

    /// Takes the call: nothing is answered yet, that is for [`call::Command::Ring`] and its like. (An INVITE that cannot be taken is
    /// refused at once, which the handle tells; so is one whose [`Replacement`] says so.) With a Replaces that fits, the call that it names is
    /// told [`call::Event::Replaced`] and hung up as soon as this one is answered.
    ///
    /// # Errors
    /// As [`Agent::dial`]; the caller then gets 503.
    pub async fn take(
        self,
        media: MediaSetup,
        setup: impl FnOnce(Local) -> call::Config,
    ) -> Result<CallHandle, Error> {
        self.take_rewritten(media, setup, None)
    }

    /// Like [`Invitation::take`], with an [interceptor](Interceptor) on the messages of the call (or one [`Rewrite`] of those that it sends).
    ///
    /// # Errors
    /// As [`Invitation::take`].
    pub fn take_rewritten(
        mut self,
        media: MediaSetup,
        setup: impl FnOnce(Local) -> call::Config,
        interceptor: impl Into<Interceptor>,
    ) -> Result<CallHandle, Error> {
        let agent = self.agent.clone();
        let ports = match agent.ports(self.flow) {
            Ok(ports) => ports,
            Err(error) => {
                tracing::warn!(%error, "a call is refused for want of ports");
                self.answer_full();
                return Err(error);
            }
        };
        let config = setup(ports.local());
        let Some(id) = self.id.take() else { return Err(Error::Closed) };
        if let Ok(call_id) = self.message.call_id() {
            agent.recorder.claim_taken(call_id);
        }
        let now = tokio::time::Instant::now().into_std();
        let mut call = call::Call::incoming(now, config, agent.endpoint().ids(), id, &self.message);
        let replaced = self.obey_replaces(now, &mut call);
        let (_, unused) = mpsc::channel(1);
        let inbox = std::mem::replace(&mut self.inbox, unused);
        agent.directory.enter(&call, Some(id), &self.post, usize::MAX)?;
        let invite = self.message.clone();
        Ok(agent.give_birth(
            call,
            Some(invite),
            self.flow,
            b"",
            (ports, media),
            inbox,
            interceptor.into(),
            replaced,
        ))
    }

    /// Answers with this final status instead.
    pub async fn refuse(mut self, status: u16) {
        self.answer(status);
    }

    /// Answers with this final response instead; `None`: with nothing at all.
    pub async fn refuse_with(mut self, response: Option<Message>) {
        self.send(response, false);
    }

    /// Answers with this final response once, and keeps nothing of the INVITE (see [`Endpoint::respond_once`]): for callers that did not say
    /// who they are.
    pub async fn refuse_once(mut self, response: Message) {
        self.send(Some(response), true);
    }

    /// Says that there is no room for the call: 503 with Retry-After. It is our limit, and says nothing of the callee, as 480 would.
    pub(super) fn answer_full(&mut self) {
        let endpoint = self.agent.endpoint();
        let tag = endpoint.ids().tag();
        let busy = super::automatic::busy(&self.message, &tag, &endpoint.config().user_agent);
        self.send(busy.ok(), true);
    }

    /// No response goes out in its transaction any more, not even a 100; the call may be taken all the same. For networks that answer elsewhere
    /// on purpose.
    pub async fn abandon(&self) {
        if let Some(id) = self.id {
            // An endpoint that is closed answers nothing anyhow.
            let _ = self.agent.endpoint().abandon(id).await;
        }
    }

    fn answer(&mut self, status: u16) {
        let endpoint = self.agent.endpoint();
        let tag = endpoint.ids().tag();
        let built = Builder::response(&self.message, status, reason_phrase(status), Some(&tag))
            .header(HeaderName::Server, &endpoint.config().user_agent)
            .build();
        self.send(built.ok(), false);
    }

    fn send(&mut self, response: Option<Message>, once: bool) {
        let Some(id) = self.id.take() else { return };
        self.agent.directory.leave_invite(id);
        let endpoint = self.agent.endpoint().clone();
        tokio::spawn(async move {
            let _ = match response {
                Some(response) if once => endpoint.respond_once(id, response).await,
                Some(response) => endpoint.respond(id, response).await,
                None => endpoint.abandon(id).await,
            };
        });
    }
}

impl Drop for Invitation {
    fn drop(&mut self) {
        if self.id.is_some() {
            self.answer(480);
        }
    }
}
