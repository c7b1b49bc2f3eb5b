//! What a running check holds: the way to its peer, the clock and the notebook.

use super::dtmf::DtmfResult;
use super::fork::ForkResult;
use super::hold::HoldResult;
use super::judged::interrupted;
use super::reply::{Answered, Reply, Unreached};
use super::restraint::Restraint;
use super::transfer::TransferResult;
use super::{
    Destination, Fact, Finding, Metric, MetricValue, Outcome, Severity, Side, Step, Transcript, Verdict,
};
use crate::endpoint::agent::{Agent, AgentConfig, Arrivals};
use crate::endpoint::{self, ClientEvent, Endpoint, Scope, Stats};
use crate::error::Error;
use crate::message::{Flow, Ids, Message, Transport};
use crate::transport::{Direction, Record, RecordEvent, resolve};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::time::Instant as Clock;
use tokio_util::sync::CancellationToken;

/// A running check: sends its requests, keeps its evidence, and collects what becomes the [`Outcome`].
#[derive(Debug)]
pub struct Run {
    scope: Arc<Scope>,
    /// Endpoints that worked for this check, with their counters when they began.
    endpoints: Vec<(Endpoint, Stats)>,
    parties: PartyConfig,
    ids: Ids,
    user_agent: String,
    restraint: Arc<Restraint>,
    stop: CancellationToken,
    until: Clock,
    grace: Duration,
    cleaning: bool,
    silence_noted: bool,
    answers: u64,
    check: &'static str,
    subject: String,
    summary: Option<String>,
    findings: Vec<Finding>,
    steps: Vec<Step>,
    /// The step that was begun last, until it ends.
    open: Mutex<Option<&'static str>>,
    /// Something that was waited for had to be given up.
    cut: OnceLock<Interrupted>,
    facts: Vec<Fact>,
    metrics: Vec<Metric>,
    dtmf: Vec<DtmfResult>,
    transfer: Option<Box<TransferResult>>,
    fork: Option<Box<ForkResult>>,
    hold: Option<Box<HoldResult>>,
    began: Instant,
    began_at: SystemTime,
}

/// What the ends of a call get that is ours: each has an endpoint of its own.
#[derive(Debug, Clone)]
pub(super) struct PartyConfig {
    pub(super) endpoint: endpoint::Config,
    pub(super) agent: AgentConfig,
}

pub(super) struct Setting {
    pub(super) endpoint: Endpoint,
    pub(super) parties: PartyConfig,
    pub(super) user_agent: String,
    pub(super) restraint: Arc<Restraint>,
    pub(super) stop: CancellationToken,
    pub(super) time_limit: Duration,
    pub(super) grace: Duration,
}

/// Why a check has to end before it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Somebody asked the probe to stop.
    Stopped,
    /// The time for the whole check is over.
    TimeLimit,
}

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Waited<T> {
    Came(T),
    TimedOut,
    Interrupted(Interrupted),
}

/// The beginning of a step: see [`Run::begin`].
#[derive(Debug)]
#[must_use = "a step has to be ended with Run::end"]
pub struct StepMark {
    name: &'static str,
    began: Instant,
    from: usize,
}

impl Run {
    pub(super) fn new(setting: Setting, check: &'static str, subject: String) -> Run {
        let now = Clock::now();
        Run {
            endpoints: vec![(setting.endpoint.clone(), setting.endpoint.stats())],
            parties: setting.parties,
            scope: Arc::new(setting.endpoint.scope()),
            ids: setting.endpoint.ids(),
            user_agent: setting.user_agent,
            restraint: setting.restraint,
            stop: setting.stop,
            until: now + setting.time_limit,
            grace: setting.grace,
            cleaning: false,
            silence_noted: false,
            answers: 0,
            check,
            subject,
            summary: None,
            findings: Vec::new(),
            steps: Vec::new(),
            open: Mutex::default(),
            cut: OnceLock::new(),
            facts: Vec::new(),
            metrics: Vec::new(),
            dtmf: Vec::new(),
            transfer: None,
            fork: None,
            hold: None,
            began: now.into_std(),
            began_at: SystemTime::now(),
        }
    }

    /// The time now; virtual where the runtime's is.
    pub fn now(&self) -> Instant {
        Clock::now().into_std()
    }

    /// The time since the check began.
    pub fn elapsed(&self) -> Duration {
        self.now().saturating_duration_since(self.began)
    }

    /// The source of tags, Call-IDs and cnonces for this check.
    pub fn ids(&mut self) -> &mut Ids {
        &mut self.ids
    }

    /// The probe's own `User-Agent`.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// A flow to a destination: its name looked up, its addresses tried in order, the probe's restraint obeyed.
    ///
    /// # Errors
    /// The last address's reason.
    pub async fn reach(&mut self, destination: &Destination) -> Result<Flow, Unreached> {
        let scope = Arc::clone(&self.scope);
        self.reach_by(&scope, destination).await
    }

    /// Like [`Run::reach`], from the endpoint of another scope.
    pub(super) async fn reach_by(
        &mut self,
        scope: &Scope,
        destination: &Destination,
    ) -> Result<Flow, Unreached> {
        if let Some(why) = self.interrupted() {
            return Err(Unreached::Interrupted(why));
        }
        let transport = destination.transport.unwrap_or(Transport::Udp);
        let (stop, until) = self.waits();
        let found = tokio::select! {
            biased;
            found = resolve(&destination.host, destination.port) => found,
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
                opened = scope.flow(transport, remote) => opened,
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

    /// Sends a request (without Via) and waits for its final response.
    pub async fn request(&mut self, request: Message, flow: Flow) -> Reply {
        let scope = Arc::clone(&self.scope);
        self.request_by(&scope, request, flow).await
    }

    /// Like [`Run::request`], from the endpoint of another scope.
    pub(super) async fn request_by(&mut self, scope: &Scope, request: Message, flow: Flow) -> Reply {
        let from = self.scope.record_count();
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
        let Ok(mut transaction) = scope.request(request, flow).await else {
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
        reply.evidence = from..self.scope.record_count();
        self.note_manners(&reply);
        tracing::debug!(
            check = self.check, subject = self.subject, remote = %reply.flow.remote, transport = %reply.flow.transport,
            retransmissions = reply.retransmissions, took = ?reply.ended_at.saturating_duration_since(reply.sent_at),
            "{}", reply.answered
        );
        reply
    }

    /// What the answer, or its absence, means for the checks that come after this one.
    fn note_manners(&mut self, reply: &Reply) {
        let (remote, now) = (reply.flow.remote, self.now());
        match &reply.answered {
            Answered::Final(received) => {
                self.answers += 1;
                self.restraint.answered(remote);
                if received.message.status() == Some(503)
                    && let Some(Ok(seconds)) = received.message.seconds(crate::syntax::HeaderName::RetryAfter)
                {
                    self.restraint.retry_after(remote, now, Duration::from_secs(seconds.into()));
                }
            }
            // The silence of a peer that we did not hear out is no sign of a ban.
            Answered::Timeout | Answered::Interrupted(Interrupted::TimeLimit)
                if !reply.provisional
                    && self.probe_limit().is_none()
                    && !std::mem::replace(&mut self.silence_noted, true) =>
            {
                self.restraint.silent(remote, now);
            }
            _ => {}
        }
    }

    /// A call of this check was answered there, or (`false`) not at all: what that means for the checks that come after this one.
    pub(super) fn note_call(&mut self, remote: SocketAddr, is_answered: bool, retry_after: Option<Duration>) {
        let now = self.now();
        if is_answered {
            self.answers += 1;
            self.restraint.answered(remote);
        } else if self.probe_limit().is_none() && !std::mem::replace(&mut self.silence_noted, true) {
            self.restraint.silent(remote, now);
        }
        if let Some(time) = retry_after {
            self.restraint.retry_after(remote, now, time);
        }
    }

    /// Responses that this check got so far.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Must the check end now? `None` while it may go on, and while it cleans up in time.
    pub fn interrupted(&self) -> Option<Interrupted> {
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
    pub fn clean_up(&mut self) {
        if !std::mem::replace(&mut self.cleaning, true) {
            let grace = Clock::now() + self.grace;
            let hurry = self.stop.is_cancelled() || self.silence_noted;
            self.until = if hurry { grace } else { self.until.max(grace) };
        }
    }

    fn waits(&self) -> (impl Future<Output = ()> + Send + use<>, Clock) {
        let (stop, cleaning) = (self.stop.clone(), self.cleaning);
        let stop =
            async move { if cleaning { std::future::pending().await } else { stop.cancelled_owned().await } };
        (stop, self.until)
    }

    /// Begins a step.
    pub fn begin(&self, name: &'static str) -> StepMark {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(name);
        StepMark { name, began: self.now(), from: self.scope.record_count() }
    }

    /// Ends a step with its verdict and one sentence on what happened.
    pub fn end(&mut self, mark: StepMark, verdict: Verdict, detail: impl Into<String>) {
        self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take_if(|open| *open == mark.name);
        let took = self.now().saturating_duration_since(mark.began);
        let evidence = mark.from..self.scope.record_count();
        self.steps.push(Step { name: mark.name, verdict, detail: detail.into(), took, evidence });
    }

    /// A step that was not taken, and why.
    pub fn skip(&mut self, name: &'static str, why: impl Into<String>) {
        let at = self.scope.record_count();
        self.steps.push(Step {
            name,
            verdict: Verdict::NotRun,
            detail: why.into(),
            took: Duration::ZERO,
            evidence: at..at,
        });
    }

    /// Adds a finding; one with the same code and the same sight is not added twice.
    pub fn find(&mut self, finding: Finding) {
        if !self.findings.iter().any(|f| f.code == finding.code && f.seen == finding.seen) {
            self.findings.push(finding);
        }
    }

    /// Writes down a fact; an empty value, or one that stands there already, is left out.
    pub fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() && !self.facts.iter().any(|f| f.name == name && f.value == value) {
            self.facts.push(Fact { name, value });
        }
    }

    /// Writes down a measured value.
    pub fn metric(&mut self, name: &'static str, value: MetricValue) {
        match self.metrics.iter_mut().find(|m| m.name == name) {
            Some(metric) => metric.value = value,
            None => self.metrics.push(Metric { name, value }),
        }
    }

    /// A number below this one, by chance out of the probe's seed.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.ids.below(bound)
    }

    pub(super) fn transferred(&mut self, result: TransferResult) {
        self.transfer = Some(Box::new(result));
    }

    pub(super) fn forked(&mut self, result: ForkResult) {
        self.fork = Some(Box::new(result));
    }

    pub(super) fn held(&mut self, result: HoldResult) {
        self.hold = Some(Box::new(result));
    }

    pub(super) fn digits(&mut self, result: DtmfResult) {
        self.dtmf.push(result);
    }

    /// The answer in one sentence, where all went well; otherwise the gravest finding says it.
    pub fn conclude(&mut self, summary: impl Into<String>) {
        self.summary = Some(summary.into());
    }

    /// The findings so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The records so far; indexes into them are the `evidence` of steps and findings.
    pub fn records(&self) -> Vec<Record> {
        self.scope.records()
    }

    /// The last thing among some records that came and is no message, in words.
    pub fn unreadable(&self, evidence: Range<usize>) -> Option<String> {
        self.scope.records().get(evidence)?.iter().rev().find_map(|record| match &record.event {
            RecordEvent::Malformed { bytes, error } => {
                Some(format!("{} bytes came that are no whole SIP message: {error}", bytes.len()))
            }
            _ => None,
        })
    }

    /// Was the probe itself the limit since this check began? In words, if it was ([`Stats::limited_since`]): an answer that did not come
    /// then says nothing about the peer.
    pub fn probe_limit(&self) -> Option<String> {
        self.endpoints.iter().find_map(|(endpoint, before)| endpoint.stats().limited_since(before))
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// An endpoint for one end of a call, with the agent on it; what it sends and receives goes into this check's record.
    pub(super) async fn party(&mut self) -> Result<(Agent, Arrivals), Error> {
        let mut config = self.parties.endpoint.clone();
        config.seed = Some(std::array::from_fn(|_| self.ids.below(256) as u8));
        let (endpoint, incoming) = endpoint::bind_anywhere(config).await?;
        self.endpoints.push((endpoint.clone(), endpoint.stats()));
        let scope = self.scope.beside(&endpoint);
        scope.record_all();
        Ok(Agent::start(scope, incoming, self.parties.agent.clone()))
    }

    /// Waits for something, unless the check has to end before.
    ///
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

    /// A check that had to be given up says so in a step; where it did not, that is said here: what is left out proves nothing.
    fn tell_cut(&mut self) {
        let says = |step: &Step| matches!(step.verdict, Verdict::Fail | Verdict::Inconclusive);
        let Some(why) = self.cut.get().copied().filter(|_| !self.steps.iter().any(says)) else { return };
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let judged = interrupted(why);
        self.skip(open.unwrap_or("rest"), judged.detail);
        self.steps.iter_mut().rev().take(1).for_each(|step| step.verdict = judged.verdict);
        judged.finding.into_iter().for_each(|finding| self.find(finding));
    }

    /// Did any message of this Call-ID come?
    pub(super) fn has_heard(&self, call_id: &str) -> bool {
        self.scope.records().iter().any(|record| match &record.event {
            RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
                memchr::memmem::find(bytes, call_id.as_bytes()).is_some()
            }
            _ => false,
        })
    }

    /// How many records there are so far.
    pub fn record_count(&self) -> usize {
        self.scope.record_count()
    }

    pub(super) fn finish(mut self) -> Outcome {
        self.tell_cut();
        let verdict = verdict_of(&self.steps);
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let gravest = self.findings.first().filter(|finding| finding.severity == Severity::Error);
        let last_step = || self.steps.iter().rfind(|s| s.verdict == verdict).map(|s| s.detail.clone());
        let summary = match (verdict, self.summary.take(), gravest) {
            (Verdict::Pass, Some(summary), _) => summary,
            (Verdict::Pass, None, _) => last_step().unwrap_or_default(),
            (_, _, Some(finding)) => finding.seen.clone(),
            (_, summary, None) => last_step().or(summary).unwrap_or_else(|| "nothing was asked".to_owned()),
        };
        tracing::info!(check = self.check, subject = self.subject, %verdict, "checked");
        let (media, media_dropped) = self.scope.take_media();
        let transcript = Transcript {
            media,
            media_dropped,
            records: self.scope.records(),
            began: self.began,
            began_at: self.began_at,
            dropped: self.scope.records_dropped(),
        };
        Outcome {
            check: self.check,
            subject: self.subject,
            verdict,
            summary,
            findings: self.findings,
            steps: self.steps,
            facts: self.facts,
            metrics: self.metrics,
            dtmf: self.dtmf,
            transfer: self.transfer,
            fork: self.fork,
            hold: self.hold,
            transcript,
            took: Clock::now().into_std().saturating_duration_since(self.began),
        }
    }
}

/// One failed step fails the check; one that does not say leaves it open; steps that were not taken do not count unless none was.
fn verdict_of(steps: &[Step]) -> Verdict {
    let any = |verdict| steps.iter().any(|step| step.verdict == verdict);
    if any(Verdict::Fail) {
        Verdict::Fail
    } else if any(Verdict::Inconclusive) {
        Verdict::Inconclusive
    } else if any(Verdict::Pass) {
        Verdict::Pass
    } else {
        Verdict::NotRun
    }
}

impl Finding {
    /// A finding without evidence yet.
    pub fn new(
        code: &'static str,
        severity: Severity,
        side: Side,
        seen: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { code, severity, side, seen: seen.into(), advice: advice.into(), evidence: 0..0 }
    }

    /// The records that show it.
    #[must_use]
    pub fn shown_by(mut self, evidence: Range<usize>) -> Finding {
        self.evidence = evidence;
        self
    }
}
