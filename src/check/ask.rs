//! The way of a running check to its peer, its restraint, and its waits.

use super::interrupted::StoppedBy;
use super::journal::{Calls, Journal};
use super::judge::unused;
use super::reply::{Answered, Reply, Unreached};
use super::restraint::{Answers, Restraint, Withheld};
use super::{Account, Destination, Interrupted};
use crate::endpoint::agent::{Agent, AgentConfig, Arrivals};
use crate::endpoint::{self, ClientEvent, Endpoint, Recorder, Stats};
use crate::error::Error;
use crate::message::{Flow, Ids, Message, Transport};
use crate::syntax::HeaderName;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::time::Instant as Clock;
use tokio_util::sync::CancellationToken;

/// A pause that is waited out: who is sent away for longer is not asked.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// What a check gets from its probe.
pub(super) struct Setting {
    pub(super) endpoint: Endpoint,
    pub(super) parties: PartyConfig,
    pub(super) user_agent: String,
    pub(super) restraint: Arc<Restraint>,
    pub(super) journal: Option<Arc<Journal>>,
    pub(super) stop: CancellationToken,
    pub(super) stopped_by: Arc<StoppedBy>,
    pub(super) time_limit: Duration,
    pub(super) grace: Duration,
}

/// Settings of our ends of a call: each has an endpoint of its own.
#[derive(Debug, Clone)]
pub(super) struct PartyConfig {
    pub(super) endpoint: endpoint::Config,
    pub(super) agent: AgentConfig,
}

/// End of a wait.
#[derive(Debug)]
pub(super) enum Waited<T> {
    Came(T),
    TimedOut,
    Interrupted(Interrupted),
}

/// The subject of a request: the address of its To.
fn about(request: &Message) -> String {
    let to = request.to().ok();
    to.map_or_else(String::new, |to| String::from_utf8_lossy(to.uri().as_bytes()).into_owned())
}

/// The way to the peer, the clock and the restraint of one check.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) recorder: Arc<Recorder>,
    /// Endpoints that worked for this check, with their counters when they began.
    endpoints: Vec<(Endpoint, Stats)>,
    parties: PartyConfig,
    pub(super) ids: Ids,
    pub(super) user_agent: String,
    restraint: Arc<Restraint>,
    /// Journal of what is open at peers.
    pub(super) journal: Option<Arc<Journal>>,
    stop: CancellationToken,
    pub(super) stopped_by: Arc<StoppedBy>,
    /// The time that the check has in all.
    pub(super) limit: Duration,
    until: Clock,
    grace: Duration,
    cleaning: bool,
    /// It had to end when it began to clean up.
    was_cut: bool,
    silence_noted: bool,
    pub(super) answers: u64,
    /// The longest time that an answer to this check took.
    slowest: Duration,
    /// Bindings of this check's ends: tokens that are in their URIs, and URIs as they are listed.
    pub(super) bound: Vec<String>,
    /// Something that was waited for had to be given up.
    pub(super) cut: OnceLock<Interrupted>,
}

impl Ask {
    pub(super) fn new(setting: Setting) -> Ask {
        Ask {
            endpoints: vec![(setting.endpoint.clone(), setting.endpoint.stats())],
            parties: setting.parties,
            recorder: Arc::new(setting.endpoint.recorder()),
            ids: setting.endpoint.ids(),
            user_agent: setting.user_agent,
            restraint: setting.restraint,
            journal: setting.journal,
            stop: setting.stop,
            stopped_by: setting.stopped_by,
            limit: setting.time_limit,
            until: Clock::now() + setting.time_limit,
            grace: setting.grace,
            cleaning: false,
            was_cut: false,
            silence_noted: false,
            answers: 0,
            slowest: Duration::ZERO,
            bound: Vec::new(),
            cut: OnceLock::new(),
        }
    }

    fn now(&self) -> Instant {
        Clock::now().into_std()
    }

    /// A flow to a destination, from the endpoint of this recorder.
    pub(super) async fn reach_by(
        &mut self,
        recorder: &Recorder,
        destination: &Destination,
    ) -> Result<Flow, Unreached> {
        if let Some(why) = self.interrupted() {
            return Err(Unreached::Interrupted(why));
        }
        let transport = destination.transport.unwrap_or(Transport::Udp);
        let (stop, until) = self.waits();
        let found = tokio::select! {
            biased;
            found = recorder.endpoint().resolve(&destination.host, destination.port) => found,
            () = stop => return Err(Unreached::Interrupted(Interrupted::Stopped)),
            () = tokio::time::sleep_until(until) => return Err(Unreached::Interrupted(Interrupted::TimeLimit)),
        };
        let addresses = found.map_err(|error| Unreached::Resolve(error.to_string()))?;
        let mut last = Unreached::Resolve(format!("{destination} has no address"));
        for remote in addresses {
            if !self.cleaning
                && let Err(withheld) = self.restraint.permit(remote, self.now())
            {
                last = withheld.into();
                continue;
            }
            let (stop, until) = self.waits();
            let opened = tokio::select! {
                biased;
                opened = recorder.flow(transport, remote) => opened,
                () = stop => return Err(Unreached::Interrupted(Interrupted::Stopped)),
                () = tokio::time::sleep_until(until) => return Err(Unreached::Interrupted(Interrupted::TimeLimit)),
            };
            match opened {
                Ok(flow) => return Ok(flow),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// Sends a request by this recorder and waits for its final response.
    pub(super) async fn request_by(&mut self, recorder: &Recorder, request: Message, flow: Flow) -> Reply {
        let from = self.recorder.record_count();
        let now = self.now();
        let mut reply = Reply {
            answered: Answered::Timeout,
            flow,
            sent_at: now,
            ended_at: now,
            retransmissions: 0,
            provisional: false,
            evidence: from..from,
        };
        if let Some(why) = self.interrupted() {
            reply.answered = Answered::Interrupted(why);
            return reply;
        }
        let asked_for = about(&request);
        let Ok(mut transaction) = recorder.request(request, flow).await else {
            reply.answered = Answered::Interrupted(Interrupted::Stopped);
            return reply;
        };
        reply.answered = loop {
            let (stop, until) = self.waits();
            let event = tokio::select! {
                biased;
                event = transaction.next() => event,
                () = stop => break Answered::Interrupted(Interrupted::Stopped),
                () = tokio::time::sleep_until(until) => break Answered::Interrupted(Interrupted::TimeLimit),
            };
            match event {
                Some(ClientEvent::Provisional(_)) => reply.provisional = true,
                Some(ClientEvent::Final(received)) => break Answered::Final(received),
                Some(ClientEvent::Timeout) => break Answered::Timeout,
                Some(ClientEvent::Failed(error)) => break Answered::Failed(error),
                None => break Answered::Interrupted(Interrupted::Stopped),
            }
        };
        reply.flow = transaction.flow();
        reply.sent_at = transaction.sent_at();
        reply.retransmissions = transaction.retransmissions();
        reply.ended_at = match &reply.answered {
            Answered::Final(received) => received.at,
            _ => self.now(),
        };
        reply.evidence = from..self.recorder.record_count();
        self.note_manners(&reply, &asked_for);
        reply
    }

    /// Notes what the answer, or its absence, means for the checks that come after this one.
    fn note_manners(&mut self, reply: &Reply, asked_for: &str) {
        let (remote, now) = (reply.flow.remote, self.now());
        match &reply.answered {
            Answered::Final(received) => {
                self.answers += 1;
                let took = reply.ended_at.saturating_duration_since(reply.sent_at);
                self.slowest = self.slowest.max(took);
                self.restraint.answered(remote, now, took);
                if let (Some(status), Some(Ok(seconds))) =
                    (received.message.status(), received.message.seconds(HeaderName::RetryAfter))
                {
                    let pause = Duration::from_secs(seconds.into());
                    self.restraint.retry_after(remote, (status, asked_for), now, pause);
                }
            }
            // The silence of a peer that we did not hear out is no sign of a ban.
            Answered::Timeout | Answered::Interrupted(Interrupted::TimeLimit)
                if !reply.provisional
                    && self.is_silent(reply)
                    && self.probe_limit().is_none()
                    && !self.has_heard(&reply.evidence)
                    && !std::mem::replace(&mut self.silence_noted, true) =>
            {
                self.restraint.silent(remote, now);
            }
            _ => {}
        }
    }

    /// Did no answer come although it was waited for long enough, while nobody else was answered there either?
    fn is_silent(&self, reply: &Reply) -> bool {
        let answers = self.answers_of(reply.flow.remote);
        let waited = reply.ended_at.saturating_duration_since(reply.sent_at);
        let is_heard_out = matches!(reply.answered, Answered::Timeout) || answers.are_overdue(waited);
        is_heard_out && !answers.go_on_after(reply.sent_at)
    }

    /// Answers of a peer to all checks of this probe so far.
    pub(super) fn answers_of(&self, remote: SocketAddr) -> Answers {
        self.restraint.answers(remote)
    }

    /// Did anything come while an answer was waited for?
    fn has_heard(&self, evidence: &Range<usize>) -> bool {
        let records = self.recorder.records();
        unused::unused(&records, evidence.clone()).is_some()
            || unused::requests(&records, evidence.clone()).is_some()
    }

    /// A call of this check was answered there, or (`false`) not at all: what that means for the checks that come after this one.
    ///
    /// `pause` is the Retry-After of a refusal, with its status and the URI that was called.
    pub(super) fn note_call(
        &mut self,
        remote: SocketAddr,
        is_answered: bool,
        pause: Option<(Duration, u16, &str)>,
    ) {
        let now = self.now();
        if is_answered {
            self.answers += 1;
            self.restraint.answered(remote, now, Duration::ZERO);
        } else if self.probe_limit().is_none() && !std::mem::replace(&mut self.silence_noted, true) {
            self.restraint.silent(remote, now);
        }
        if let Some((time, status, called)) = pause {
            self.restraint.retry_after(remote, (status, called), now, time);
        }
    }

    /// May this address of record be asked about there?
    ///
    /// # Errors
    /// It asked for a pause that is not over.
    pub(super) fn permit(&self, remote: SocketAddr, about: &str) -> Result<(), Unreached> {
        match self.restraint.permit_account(remote, about, self.now()) {
            Err(withheld) if !self.cleaning => Err(withheld.into()),
            _ => Ok(()),
        }
    }

    /// Waits for the end of a pause that is as good as over, and a little longer by chance; false where it is none, or the check has to end.
    pub(super) async fn wait_out(&mut self, why: &Unreached) -> bool {
        let left = match why {
            Unreached::Withheld(
                Withheld::RetryAfter { left, .. } | Withheld::AccountRetryAfter { left, .. },
            ) => *left,
            _ => return false,
        };
        if left > SHORT_PAUSE {
            return false;
        }
        let until = Clock::now() + left + Duration::from_millis(self.ids.below(1_000));
        matches!(self.wait(until, std::future::pending::<()>()).await, Waited::TimedOut)
    }

    /// Must the check end now? `None` while it may go on, and while it cleans up in time.
    pub(super) fn interrupted(&self) -> Option<Interrupted> {
        if Clock::now() >= self.until {
            Some(Interrupted::TimeLimit)
        } else if self.stop.is_cancelled() && !self.cleaning {
            Some(Interrupted::Stopped)
        } else {
            None
        }
    }

    /// From here on the check only removes what it left at the peer: a stop no longer interrupts it, and it has the probe's
    /// grace (5 s unless configured), or, when nobody stopped it and the peer did answer so far, what is left of its time.
    /// A peer whose answers are slow is then given time for two of them.
    pub(super) fn clean_up(&mut self) {
        let was_cut = self.interrupted().is_some();
        if !std::mem::replace(&mut self.cleaning, true) {
            self.was_cut = was_cut;
            let now = Clock::now();
            let grace = now + self.grace;
            let hurry = self.stop.is_cancelled() || self.silence_noted;
            let slow = now + self.slowest * 2 + self.slowest / 2;
            self.until = if hurry { grace } else { self.until.max(grace).max(slow) };
        }
    }

    /// Did the check have to end before its question was answered? Asked while it cleans up.
    pub(super) fn was_cut(&self) -> bool {
        self.was_cut
    }

    fn waits(&self) -> (impl Future<Output = ()> + Send + use<>, Clock) {
        let (stop, cleaning) = (self.stop.clone(), self.cleaning);
        let stop =
            async move { if cleaning { std::future::pending().await } else { stop.cancelled_owned().await } };
        (stop, self.until)
    }

    /// Was the probe itself the limit since this check began? In words, if it was ([`Stats::limited_since`]): an answer that did not come
    /// then says nothing about the peer.
    pub(super) fn probe_limit(&self) -> Option<String> {
        self.endpoints.iter().find_map(|(endpoint, before)| endpoint.stats().limited_since(before))
    }

    /// An endpoint for one end of a call, this account's, with the agent on it; what it sends and receives goes into this check's record.
    pub(super) async fn party(&mut self, account: &Account) -> Result<(Agent, Arrivals), Error> {
        let mut config = self.parties.endpoint.clone();
        config.seed = Some(std::array::from_fn(|_| self.ids.below(256) as u8));
        let (endpoint, incoming) = endpoint::bind_anywhere(config).await?;
        self.endpoints.push((endpoint.clone(), endpoint.stats()));
        let recorder = self.recorder.beside(&endpoint);
        recorder.record_all();
        let mut agent = self.parties.agent.clone();
        if let Some(journal) = &self.journal {
            agent.notes = Some(Arc::new(Calls::of(journal, account, &account.next_hop())));
        }
        Ok(Agent::start(recorder, incoming, agent))
    }

    /// Waits for something, unless the check has to end before.
    pub(super) async fn wait<T>(&self, until: Clock, something: impl Future<Output = T>) -> Waited<T> {
        let (stop, limit) = self.waits();
        let waited = tokio::select! {
            biased;
            something = something => Waited::Came(something),
            () = stop => Waited::Interrupted(Interrupted::Stopped),
            () = tokio::time::sleep_until(until.min(limit)) => {
                if limit <= until { Waited::Interrupted(Interrupted::TimeLimit) } else { Waited::TimedOut }
            }
        };
        if let Waited::Interrupted(why) = waited
            && !self.cleaning
        {
            self.cut.get_or_init(|| why);
        }
        waited
    }
}
