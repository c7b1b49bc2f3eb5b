//! A running check, as it sees itself: the way to its peer, the clock and the notebook.

use super::Account;
use super::ask::{Ask, Setting, Waited};
use super::journal::{Left, Open};
use super::judge::unused::{self, Unused};
use super::masked::Secrets;
use super::notebook::{Notebook, StepMark, Whose};
use super::reply::{Reply, Unreached};
use super::restraint::Answers;
use super::result::{Details, DtmfResult, ForkResult, HoldResult, TransferResult};
use super::scene::trace::{Trace, Traces};
use super::{
    Destination, Finding, Interrupted, LeftOut, MetricValue, Name, Outcome, Progress, Transcript, Verdict,
};
use crate::endpoint::Recorder;
use crate::endpoint::agent::{Agent, Arrivals};
use crate::error::Error;
use crate::message::{Flow, Ids, Message};
use crate::transport::{Direction, Record, RecordEvent};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tokio::time::Instant as Clock;

/// A running check: sends its requests, keeps its evidence, and collects what becomes the [`Outcome`].
#[derive(Debug)]
pub struct Run {
    ask: Ask,
    notebook: Notebook,
    traces: Traces,
    secrets: Secrets,
}

impl Run {
    pub(super) fn new(setting: Setting, whose: Whose, progress: Option<mpsc::Sender<Progress>>) -> Run {
        let began = Clock::now().into_std();
        let notebook = Notebook::new(whose, progress, began, SystemTime::now());
        let (traces, secrets) = (Traces::default(), Secrets::default());
        Run { ask: Ask::new(setting), notebook, traces, secrets }
    }

    /// The time now; virtual where the runtime's is.
    pub fn now(&self) -> Instant {
        Clock::now().into_std()
    }

    /// The time since the check began.
    pub fn elapsed(&self) -> Duration {
        self.now().saturating_duration_since(self.notebook.began)
    }

    /// The time of day now, by when the check began.
    pub(super) fn wall_clock(&self) -> SystemTime {
        self.notebook.began_at + self.elapsed()
    }

    /// The source of tags, Call-IDs and cnonces for this check.
    pub fn ids(&mut self) -> &mut Ids {
        &mut self.ask.ids
    }

    /// Keeps this value out of everything that the outcome shows: texts and messages, wherever a peer repeats it, also encoded. (The passwords of
    /// accounts that are registered or called from are kept out anyway.)
    pub fn hide(&mut self, secret: &str) {
        self.secrets.hide(secret);
    }

    pub(in crate::check) fn keep_secret(&mut self, account: &Account) {
        self.secrets.keep(account);
    }

    /// Digest responses that were sent meanwhile are secrets too.
    fn learn(&mut self) {
        let new = self.ask.recorder.records_from(self.secrets.learned());
        self.secrets.learn(&new);
    }

    /// The probe's own `User-Agent`.
    pub fn user_agent(&self) -> &str {
        &self.ask.user_agent
    }

    /// A flow to a destination: its name looked up, its addresses tried in order, the probe's restraint obeyed.
    ///
    /// # Errors
    /// The last address's reason.
    pub async fn reach(&mut self, destination: &Destination) -> Result<Flow, Unreached> {
        let recorder = Arc::clone(&self.ask.recorder);
        self.ask.reach_by(&recorder, destination).await
    }

    /// Like [`Run::reach`], from the endpoint of another recorder.
    pub(super) async fn reach_by(
        &mut self,
        recorder: &Recorder,
        destination: &Destination,
    ) -> Result<Flow, Unreached> {
        self.ask.reach_by(recorder, destination).await
    }

    /// Sends a request (without Via) and waits for its final response.
    pub async fn request(&mut self, request: Message, flow: Flow) -> Reply {
        let recorder = Arc::clone(&self.ask.recorder);
        self.request_by(&recorder, request, flow).await
    }

    /// Like [`Run::request`], from the endpoint of another recorder.
    pub(super) async fn request_by(&mut self, recorder: &Recorder, request: Message, flow: Flow) -> Reply {
        let reply = self.ask.request_by(recorder, request, flow).await;
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.learn();
            let [answered, subject] = [reply.answered.to_string(), self.notebook.subject.clone()]
                .map(|text| self.secrets.out_of_text(&text));
            tracing::debug!(
                check = %self.notebook.check, subject, remote = %reply.flow.remote, transport = %reply.flow.transport,
                retransmissions = reply.retransmissions, took = ?reply.ended_at.saturating_duration_since(reply.sent_at),
                "{answered}"
            );
        }
        reply
    }

    /// A call of this check was answered there, or (`false`) not at all: what that means for the checks that come after this one.
    pub(super) fn note_call(
        &mut self,
        remote: SocketAddr,
        is_answered: bool,
        pause: Option<(Duration, u16, &str)>,
    ) {
        self.ask.note_call(remote, is_answered, pause);
    }

    /// Bindings of this check's ends so far: parts of their URIs that nobody else's have.
    pub(super) fn bound(&mut self) -> &mut Vec<String> {
        &mut self.ask.bound
    }

    /// Notes what is about to be open, where notes are kept.
    pub(super) fn note_open(&self, left: &Left) -> Option<Open> {
        self.ask.journal.as_ref().map(|journal| Open::new(journal, left.clone()))
    }

    /// What programs that are no more have left at peers, as their notes say, where notes are kept.
    pub(super) fn left_by_others(&self) -> Vec<Left> {
        self.ask.journal.as_ref().map(|journal| journal.left_by_others()).unwrap_or_default()
    }

    /// May this address of record be asked about there? See [`Ask::permit`].
    pub(super) fn permit(&self, remote: SocketAddr, about: &str) -> Result<(), Unreached> {
        self.ask.permit(remote, about)
    }

    /// Waits for the end of a pause that is as good as over: see [`Ask::wait_out`].
    pub(super) async fn wait_out(&mut self, why: &Unreached) -> bool {
        self.ask.wait_out(why).await
    }

    /// Answers of a peer to all checks of this probe so far.
    pub(super) fn answers_of(&self, remote: SocketAddr) -> Answers {
        self.ask.answers_of(remote)
    }

    /// Responses that this check got so far.
    pub fn answers(&self) -> u64 {
        self.ask.answers
    }

    /// Must the check end now? `None` while it may go on, and while it cleans up in time.
    pub fn interrupted(&self) -> Option<Interrupted> {
        self.ask.interrupted()
    }

    /// From here on the check only removes what it left at the peer: a stop no longer interrupts it, and it has the probe's
    /// grace (5 s unless configured), or, when nobody stopped it and the peer did answer so far, what is left of its time.
    pub fn clean_up(&mut self) {
        self.ask.clean_up();
    }

    /// Had the check to end, before it began to clean up?
    pub(super) fn was_cut(&self) -> bool {
        self.ask.was_cut()
    }

    /// Begins a step.
    pub fn begin(&self, name: impl Into<Name>) -> StepMark {
        self.notebook.begin(name.into(), self.now(), self.record_count())
    }

    /// Ends a step with its verdict and one sentence on what happened.
    pub fn end(&mut self, mark: StepMark, verdict: Verdict, detail: impl Into<String>) {
        let (now, to) = (self.now(), self.record_count());
        if self.notebook.is_watched() {
            self.learn();
        }
        self.notebook.end(mark, verdict, detail.into(), now, to, &self.secrets);
    }

    /// A step that was not taken, and why.
    pub fn skip(&mut self, name: impl Into<Name>, why: impl Into<String>) {
        let at = self.record_count();
        self.notebook.skip(name.into(), why.into(), at, &self.secrets);
    }

    /// Writes down as not run, in their places, the steps of `order` that are not there yet.
    pub(super) fn skip_missing(&mut self, order: &[&'static str], why: &str) {
        let at = self.record_count();
        self.notebook.skip_missing(order, why, at, &self.secrets);
    }

    /// Notes that the question itself was not asked: unless something failed, the verdict is [`Verdict::NotRun`], whatever passed on the way there.
    pub fn not_asked(&mut self) {
        self.notebook.is_not_asked = true;
    }

    /// Did a step fail so far, or leave something open?
    pub(super) fn has_failed(&self) -> bool {
        self.notebook.has_failed()
    }

    /// The peer answered after what was taken for its silence.
    pub(super) fn not_silent(&mut self) {
        self.notebook.not_silent();
    }

    /// The same, where it is this address that answered: a ban is one of the whole host.
    pub(super) fn not_silent_at(&mut self, remote: SocketAddr) {
        let is_of_it = |finding: &Finding| {
            let silent = finding.seen.split(' ').next().and_then(|silent| silent.parse::<SocketAddr>().ok());
            silent.is_some_and(|silent| silent.ip() == remote.ip())
        };
        if self.findings().iter().any(|finding| finding.code == "answers-stopped" && is_of_it(finding)) {
            self.not_silent();
        }
    }

    /// Adds a finding; one with the same code and the same sight is not added twice.
    pub fn find(&mut self, finding: Finding) {
        self.notebook.find(finding);
    }

    /// Writes down a fact; an empty value, or one that is listed already, is left out.
    pub fn fact(&mut self, name: impl Into<Name>, value: impl Into<String>) {
        self.notebook.fact(name.into(), value.into());
    }

    /// Writes down a measured value; a later one with the same name replaces it.
    pub fn metric(&mut self, name: impl Into<Name>, value: MetricValue) {
        self.notebook.metric(name.into(), value);
    }

    /// Data for programs, which becomes [`Outcome::details`]: an embedder's check attaches an [`Other`](super::Other). Results of digits are
    /// added to those that are there; anything else replaces what was attached before.
    pub fn attach(&mut self, details: impl Into<Details>) {
        self.notebook.attach(details.into());
    }

    /// A number below this one, by chance out of the probe's seed.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.ask.ids.below(bound)
    }

    pub(super) fn transferred(&mut self, result: TransferResult) {
        self.attach(result);
    }

    pub(super) fn forked(&mut self, result: ForkResult) {
        self.attach(result);
    }

    pub(super) fn held(&mut self, result: HoldResult) {
        self.attach(result);
    }

    pub(super) fn digits(&mut self, result: DtmfResult) {
        self.attach(result);
    }

    /// Notes what had to be done with calls that were up when the check was cut short: a clause such as "the call was hung up".
    pub(super) fn ended_calls(&mut self, how: &'static str) {
        self.notebook.ended_calls = Some(how);
    }

    /// The answer in one sentence, where all went well; otherwise the gravest finding says it.
    pub fn conclude(&mut self, summary: impl Into<String>) {
        self.notebook.conclude(summary.into());
    }

    /// The findings so far.
    pub fn findings(&self) -> &[Finding] {
        &self.notebook.findings
    }

    /// The records so far; indexes into them are the `evidence` of steps and findings.
    pub fn records(&self) -> Vec<Record> {
        self.ask.recorder.records()
    }

    /// The messages of a Call-ID so far.
    pub(super) fn trace(&self, call_id: &str) -> Trace {
        self.traces.of(call_id, |from| self.ask.recorder.records_from(from))
    }

    /// Number of records so far.
    pub fn record_count(&self) -> usize {
        self.ask.recorder.record_count()
    }

    /// The last thing among some records that came and is no message, in words.
    pub fn unreadable(&self, evidence: Range<usize>) -> Option<String> {
        self.records().get(evidence)?.iter().rev().find_map(|record| match &record.event {
            RecordEvent::Malformed { length, error, .. } => {
                Some(format!("{length} bytes came that are no whole SIP message: {error}"))
            }
            _ => None,
        })
    }

    /// The last thing that came in this range and was no answer to a request of this check.
    pub(super) fn unused(&self, range: Range<usize>) -> Option<Unused> {
        unused::unused(&self.records(), range)
    }

    /// Requests that came in this range from who was asked in it: see [`unused::requests`].
    pub(super) fn requests_in(&self, range: Range<usize>) -> Option<String> {
        unused::requests(&self.records(), range)
    }

    /// Time for which nothing had come on the connection that was closed last: see [`unused::idle`].
    pub(super) fn idle(&self) -> Option<Duration> {
        unused::idle(&self.records())
    }

    /// Sizes of requests over UDP so far: see [`unused::sizes`].
    pub(super) fn sizes(&self) -> (usize, usize) {
        unused::sizes(&self.records())
    }

    /// Was the probe itself the limit since this check began? In words, if it was ([`Stats::limited_since`](crate::endpoint::Stats::limited_since)):
    /// an answer that did not come then says nothing about the peer.
    pub fn probe_limit(&self) -> Option<String> {
        self.ask.probe_limit()
    }

    pub(super) fn recorder(&self) -> &Arc<Recorder> {
        &self.ask.recorder
    }

    /// An endpoint for one end of a call, this account's, with the agent on it; what it sends and receives goes into this check's record.
    pub(super) async fn party(&mut self, account: &Account) -> Result<(Agent, Arrivals), Error> {
        self.ask.party(account).await
    }

    /// Waits for something, unless the check has to end before.
    pub(super) async fn wait<T>(&self, until: Clock, something: impl Future<Output = T>) -> Waited<T> {
        self.ask.wait(until, something).await
    }

    /// Did any message of this Call-ID come?
    pub(super) fn has_heard(&self, call_id: &str) -> bool {
        self.records().iter().any(|record| match &record.event {
            RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
                memchr::memmem::find(bytes, call_id.as_bytes()).is_some()
            }
            _ => false,
        })
    }

    pub(super) fn finish(self) -> Outcome {
        let Run { ask, notebook, secrets, .. } = self;
        let (media, media_dropped) = ask.recorder.take_media();
        let transcript = Transcript {
            media,
            media_dropped,
            records: ask.recorder.records(),
            began: notebook.began,
            began_at: notebook.began_at,
            dropped: ask.recorder.records_dropped(),
            left_out: LeftOut::default(),
        };
        let took = Clock::now().into_std().saturating_duration_since(notebook.began);
        let mut outcome = {
            let cut = (ask.cut.get().copied(), ask.stopped_by.get());
            notebook.finish(transcript, ask.recorder.first_dropped(), cut, (ask.limit, took), &secrets)
        };
        secrets.out_of(&mut outcome);
        outcome
    }
}
