//! One account's registration on the wire: the machine of [`crate::ua::registration`] driven through a [`Run`].

mod recognition;

use super::bindings::{Foreign, devices, mark_left, unseen};
use super::ended::{Bound, Ended};
use super::history::History;
use crate::check::Withheld;
use crate::check::journal::{Left, LeftOpen, Open};
use crate::check::judge::status::Said;
use crate::check::judge::surplus::surplus;
use crate::check::judge::unlike::unlike;
use crate::check::judged::{self, StepVerdict};
use crate::check::{
    Account, Answered, Destination, Finding, MetricValue, Run, Severity, Side, StepMark, Unreached, Verdict,
};
use crate::endpoint::Recorder;
use crate::message::{Flow, Message, Transport};
use crate::transport::TransportErrorKind;
use crate::ua::registration::{Answer, Command, Config, Input, Output, Registration};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Wait before a request on a connection whose forerunner was lost under one.
const SETTLE: Duration = Duration::from_millis(100);

/// A registration and the flow that it takes.
pub(in crate::check) struct Session {
    recorder: Arc<Recorder>,
    registration: Registration,
    next_hop: Destination,
    flow: Flow,
    contact: String,
    domain: String,
    user: String,
    bind_sent: bool,
    removal_asked: bool,
    removed: bool,
    /// The bind was refused with a Retry-After.
    is_not_to_be_asked: bool,
    /// The last attempt lost its connection, which is told with what came of it.
    was_lost: bool,
    /// A request was lost with its connection, which may have been closed before it came.
    is_wary: bool,
    /// Requests that were lost although their connection had been open a moment before.
    lost: u32,
    granted: Option<u32>,
    requests: u32,
    answers: u64,
    /// The last command was answered.
    heard: bool,
    retransmissions: u64,
    history: History,
    /// The refusal of a reused nonce was told.
    nonce_told: bool,
    /// Its binding was left by another program.
    is_resumed: bool,
    /// URIs that were listed by the last answer to a query or a binding.
    listed: Option<Vec<String>>,
    /// Our binding as it is listed, where nothing in it is as we sent it.
    rewritten: Option<String>,
    /// A query behind a binding did not list it, the answer to the binding did.
    listed_to_binds_only: bool,
    /// Entry of the journal for its binding, made before it is asked for.
    left: Left,
    noted: Option<Open>,
}

impl Session {
    /// Reaches the registrar; where that fails, the step `reach` says why.
    pub(in crate::check) async fn open(run: &mut Run, account: &Account, expires: u32) -> Option<Session> {
        Session::open_as(run, account, expires, None).await
    }

    /// The same for a binding that another program has left: its Contact with our token, and its instance.
    pub(in crate::check) async fn resume(
        run: &mut Run,
        account: &Account,
        binding: (&str, Option<&str>),
    ) -> Option<Session> {
        Session::open_as(run, account, 300, Some(binding)).await
    }

    async fn open_as(
        run: &mut Run,
        account: &Account,
        expires: u32,
        left: Option<(&str, Option<&str>)>,
    ) -> Option<Session> {
        let step = run.begin("reach");
        let recorder = Arc::clone(run.recorder());
        match Session::reach_as(run, &recorder, account, expires, left).await {
            Ok(session) => {
                let flow = session.flow;
                let detail = format!("asks {}", judged::way(flow));
                run.end(step, Verdict::Pass, detail);
                Some(session)
            }
            Err(judged) => {
                run.end(step, judged.verdict, judged.detail);
                judged.finding.into_iter().for_each(|finding| run.find(finding));
                None
            }
        }
    }

    /// Reaches the registrar from the endpoint of this recorder.
    ///
    /// # Errors
    /// Why it could not be reached.
    pub(in crate::check) async fn reach(
        run: &mut Run,
        recorder: &Arc<Recorder>,
        account: &Account,
        expires: u32,
    ) -> Result<Session, StepVerdict> {
        Session::reach_as(run, recorder, account, expires, None).await
    }

    async fn reach_as(
        run: &mut Run,
        recorder: &Arc<Recorder>,
        account: &Account,
        expires: u32,
        left: Option<(&str, Option<&str>)>,
    ) -> Result<Session, StepVerdict> {
        run.keep_secret(account);
        let next_hop = account.next_hop();
        let mut reached = Session::permitted(run, recorder, &next_hop, account.aor()).await;
        if let Err(why) = &reached
            && run.wait_out(why).await
        {
            reached = Session::permitted(run, recorder, &next_hop, account.aor()).await;
        }
        let flow = reached.map_err(|why| judged::unreached(&next_hop, &why))?;
        let (named, found) = (next_hop.to_string(), flow.remote.to_string());
        run.fact("registrar", if named == found { found } else { format!("{named} ({found})") });
        let contact = match flow.transport {
            Transport::Udp => format!("sip:{}@{}", account.user(), flow.local),
            other => format!("sip:{}@{};transport={other}", account.user(), flow.local),
        };
        let mut config = Config::new(
            account.aor(),
            account.register_uri(),
            contact.clone(),
            account.credentials().clone(),
        );
        config.expires = expires;
        config.user_agent = run.user_agent().to_owned();
        config.routes = account.routes();
        let registration = match left {
            Some((contact, instance)) => {
                (config.contact, config.instance) = (contact.to_owned(), instance.map(str::to_owned));
                Registration::resumed(config.clone(), run.ids().fork()).ok_or_else(|| {
                    StepVerdict::not_run("the Contact of this binding carries no token of ours")
                })?
            }
            None => {
                // An instance of its own: never another device's, and what a registrar gives GRUUs for (RFC 5627).
                config.instance = Some(run.ids().instance());
                Registration::new(config.clone(), run.ids().fork())
            }
        };
        let binding =
            LeftOpen::Binding { contact: registration.contact().to_owned(), instance: config.instance };
        Ok(Session {
            recorder: Arc::clone(recorder),
            registration,
            left: Left::of(account, &next_hop, binding),
            noted: None,
            next_hop: Destination { transport: Some(flow.transport), ..next_hop },
            flow,
            contact,
            domain: account.domain().to_owned(),
            user: account.credentials().username().to_owned(),
            bind_sent: false,
            removal_asked: false,
            removed: false,
            is_not_to_be_asked: false,
            was_lost: false,
            is_wary: false,
            lost: 0,
            granted: None,
            requests: 0,
            answers: 0,
            heard: false,
            retransmissions: 0,
            history: History::default(),
            nonce_told: false,
            is_resumed: left.is_some(),
            listed: None,
            listed_to_binds_only: false,
            rewritten: None,
        })
    }

    /// A flow to where this address of record may be asked about now.
    async fn permitted(
        run: &mut Run,
        recorder: &Recorder,
        next_hop: &Destination,
        aor: &str,
    ) -> Result<Flow, Unreached> {
        let flow = run.reach_by(recorder, next_hop).await?;
        run.permit(flow.remote, aor).map(|()| flow)
    }

    /// Runs one command to its end. A connection that was lost on the way is opened again once, and said. A refusal of a nonce
    /// that was good before is answered once with a fresh one: servers that do not know a nonce any more say 400 or 403 instead of 401.
    pub(in crate::check) async fn command(&mut self, run: &mut Run, command: Command) -> Ended {
        self.removal_asked |= command == Command::Remove;
        let first = self.attempt(run, command).await;
        let ended = if first.failure.as_ref().is_some_and(judged::is_lost) {
            let idle = run.idle();
            self.lost += u32::from(std::mem::replace(&mut self.is_wary, true));
            let mut second = self.attempt(run, command).await;
            if second.answer().is_some() {
                let remote = first.flow.remote;
                let lost = judged::lost_connection(remote, first.failure.as_ref(), idle, &first.evidence);
                self.tell_closing(run, lost);
            }
            second.follow(&first, run);
            second
        } else if let Some(refusal) = first.refuses_reused_nonce() {
            let mut second = self.attempt(run, command).await;
            second.follow(&first, run);
            // Told once: what comes after has questions of its own.
            second.retried_after = Some(refusal).filter(|_| !second.accepted() || !self.nonce_told);
            self.nonce_told |= second.accepted();
            second
        } else {
            first
        };
        if ended.refuses_the_query() {
            self.history.refused_query = ended.answer().map(Answer::status);
        }
        self.history.refused_bind |= command == Command::Bind && ended.refusal().is_some();
        let now = run.now();
        self.history.add(command, (ended.accepted(), ended.credentials_sent), now);
        self.heard = ended.answer().is_some();
        let mut ended = ended;
        self.recognize(run, command, &mut ended);
        ended
    }

    /// Calls that come to its binding are refused with 480 from now on, and told with the check.
    pub(in crate::check) fn expect_calls(&self) {
        self.recorder.record_calls_to(self.registration.contact(), self.flow);
    }

    /// Queries, and binds unless others are live there; `beside` says to bind beside them.
    pub(in crate::check) async fn bind_unless_live(&mut self, run: &mut Run, beside: bool) -> Bound {
        let query = self.command(run, Command::Query).await;
        let devices = self.devices(run, &query);
        if !query.accepted() && !query.refuses_the_query() {
            return Bound::NotQueried { query };
        }
        if !devices.is_empty() && !beside {
            return Bound::NotBeside { query, devices };
        }
        let bind = self.command(run, Command::Bind).await;
        let unseen = unseen(self.devices(run, &bind), &devices);
        if !unseen.is_empty() && !beside {
            return Bound::Withdrawn { bind, devices: unseen };
        }
        Bound::Asked { query: Box::new(query), bind, devices }
    }

    /// Bindings that may be live devices of others in an accepted answer; the other ends of this check are none.
    pub(in crate::check) fn devices(&self, run: &mut Run, ended: &Ended) -> Vec<Foreign> {
        let answer = ended.answer().filter(|_| ended.accepted());
        let mut devices = answer.map(|answer| devices(answer, run.bound())).unwrap_or_default();
        if !devices.is_empty() {
            mark_left(&mut devices, &run.left_by_others());
        }
        devices
    }

    async fn attempt(&mut self, run: &mut Run, command: Command) -> Ended {
        let began = run.now();
        let mark = run.record_count();
        let mut ended = Ended::new(&self.history, self.flow, began, mark);
        match self.same_flow(run).await {
            Ok(()) => ended.flow = self.flow,
            Err(Unreached::Transport(error)) => {
                ended.failure = Some(error);
                return ended;
            }
            Err(Unreached::Interrupted(why)) => {
                ended.interrupted = Some(why);
                return ended;
            }
            Err(_) => {}
        }
        let now = run.now();
        self.registration.handle_input(now, Input::Command(command));
        let mut first_sent = None;
        while let Some(output) = self.registration.poll_output() {
            match output {
                Output::Send(request) => {
                    // What is not sent any more binds nothing.
                    let is_bind = command == Command::Bind && run.interrupted().is_none();
                    let was_sent = self.bind_sent;
                    if is_bind {
                        self.bind_sent = true;
                        self.noted = self.noted.take().or_else(|| run.note_open(&self.left));
                    }
                    self.requests += 1;
                    let input = self.exchange(run, request, &mut ended, &mut first_sent).await;
                    if is_bind && !was_sent && asks_again(&input) {
                        self.bind_sent = false;
                    }
                    let now = run.now();
                    self.registration.handle_input(now, input);
                }
                Output::Finished(finished) => ended.finished = Some(*finished),
            }
        }
        ended.began = first_sent.unwrap_or(began);
        ended.evidence = mark..run.record_count();
        ended.answered_before = run.answers();
        ended.answers = run.answers_of(ended.flow.remote);
        ended.others_go_on = ended.answers.go_on_after(ended.sent);
        self.was_lost = ended.failure.as_ref().is_some_and(judged::is_lost);
        ended.look_back(run);
        ended.probe_limit = run.probe_limit();
        if let Some(finished) = &ended.finished {
            ended.credentials_sent |= finished.challenges.iter().any(|c| c.answered);
            if ended.accepted() {
                match command {
                    Command::Bind => {
                        self.granted = finished.answer.as_ref().and_then(|a| a.granted).map(|(s, _)| s);
                        let time = self.granted.map(|seconds| Duration::from_secs(seconds.into()));
                        self.left.until = time.and_then(|time| run.wall_clock().checked_add(time));
                        self.noted.iter().for_each(|noted| noted.change(self.left.clone()));
                    }
                    Command::Remove => {
                        self.removed = true;
                        // What is listed all the same stays noted.
                        let bindings = finished.answer.as_ref().map(|a| &*a.bindings).unwrap_or_default();
                        if !bindings.iter().any(|b| b.own && b.expires != Some(0)) {
                            self.noted.take().into_iter().for_each(Open::close);
                        }
                    }
                    Command::Query => {}
                }
            } else if command == Command::Bind && self.granted.is_none() && bound_nothing(&ended) {
                self.bind_sent = false;
            } else if command == Command::Bind && self.granted.is_none() && asks_for_a_pause(&ended) {
                self.is_not_to_be_asked = true;
            } else if command == Command::Remove && self.had_nothing_to_remove(&ended) {
                self.removed = true;
                self.noted.take().into_iter().for_each(Open::close);
            }
        }
        if !self.bind_sent {
            self.noted.take().into_iter().for_each(Open::close);
        }
        ended
    }

    async fn exchange(
        &mut self,
        run: &mut Run,
        request: Message,
        ended: &mut Ended,
        first_sent: &mut Option<Instant>,
    ) -> Input {
        let recorder = Arc::clone(&self.recorder);
        let asked = request.cseq().map(|cseq| cseq.number).ok();
        let reply = run.request_by(&recorder, request.clone(), self.flow).await;
        first_sent.get_or_insert(reply.sent_at);
        self.retransmissions += u64::from(reply.retransmissions);
        (ended.sent, ended.ended) = (reply.sent_at, reply.ended_at);
        ended.flow = reply.flow;
        ended.provisional = reply.provisional;
        match reply.answered {
            // With another number it answers another request: told with what came and was not used.
            Answered::Final(received)
                if received.message.cseq().is_ok_and(|cseq| Some(cseq.number) != asked) =>
            {
                Input::Timeout
            }
            Answered::Final(received) => {
                self.answers += 1;
                // The first that came from elsewhere is the one to tell.
                if ended.answered_from.is_none_or(|from| from.remote == reply.flow.remote) {
                    ended.answered_from = Some(received.flow);
                }
                if ended.unlike.is_empty() {
                    ended.unlike = unlike(&request, &received.message);
                }
                match received.flow.remote.ip() == reply.flow.remote.ip() {
                    true => Input::Response(received.message),
                    false => Input::ForeignResponse(received.message),
                }
            }
            Answered::Timeout => Input::Timeout,
            Answered::Failed(error) => {
                ended.failure = Some(error);
                Input::TransportFailed
            }
            Answered::Interrupted(why) => {
                ended.interrupted = Some(why);
                Input::Timeout
            }
        }
    }

    /// A connection may have been closed since the last request; UDP stays as it is.
    async fn same_flow(&mut self, run: &mut Run) -> Result<(), Unreached> {
        if !self.flow.transport.is_reliable() {
            return Ok(());
        }
        if self.is_wary && !self.was_lost {
            // Time for the end of the connection to arrive, so that chance does not decide which request meets it.
            let soon = tokio::time::Instant::now() + SETTLE;
            run.wait(soon, std::future::pending::<()>()).await;
        }
        let remote =
            Destination { host: ip_text(self.flow), port: self.flow.remote.port(), ..self.next_hop.clone() };
        let recorder = Arc::clone(&self.recorder);
        let flow = match run.reach_by(&recorder, &remote).await {
            // We are in the middle of a check: what is withheld concerns new ones.
            Err(Unreached::Withheld(Withheld::RetryAfter { .. })) => self.flow,
            reached => reached?,
        };
        if flow != self.flow {
            self.flow = flow;
            if !self.was_lost {
                let idle = run.idle();
                self.tell_closing(run, judged::closed_between(idle));
            }
        }
        Ok(())
    }

    /// A connection that is closed behind each answer is told once.
    fn tell_closing(&self, run: &mut Run, finding: Finding) {
        if !run.findings().iter().any(|known| known.code == finding.code) {
            run.find(finding);
        }
    }

    /// Requests that were lost although their connection had been open a moment before.
    pub(in crate::check) fn lost(&self) -> u32 {
        self.lost
    }

    /// Ends a step and writes its finding down.
    pub(in crate::check) fn end_step(
        &self,
        run: &mut Run,
        step: StepMark,
        judged: &StepVerdict,
        detail: String,
    ) {
        run.end(step, judged.verdict, detail);
        judged.finding.iter().cloned().for_each(|finding| run.find(finding));
    }

    /// The registrar knows nobody of this address, and has accepted no binding of it: there is nothing to be removed.
    pub(in crate::check) fn had_nothing_to_remove(&self, removal: &Ended) -> bool {
        !removal.accepted() && removal.knows_nobody() && !removal.history.has_bound()
    }

    /// Was its binding left by another program?
    pub(in crate::check) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// The answer to a query was without devices that the one to a binding lists.
    pub(in crate::check) fn hides_from_queries(&mut self) {
        self.listed_to_binds_only = true;
    }

    /// Did the last query behind a binding not list it?
    pub(in crate::check) fn is_listed_to_binds_only(&self) -> bool {
        self.listed_to_binds_only
    }

    /// Could a binding of ours be there that is to be removed now?
    pub(in crate::check) fn may_be_bound(&self) -> bool {
        self.bind_sent && !self.removed && !self.is_not_to_be_asked
    }
    /// The bind was refused with a request for a pause and may have been carried out all the same: its removal would come within the pause.
    pub(in crate::check) fn is_left_for_a_pause(&self) -> bool {
        self.bind_sent && !self.removed && self.is_not_to_be_asked
    }
    /// Is what it has open noted, for who removes it later?
    pub(in crate::check) fn is_noted(&self) -> bool {
        self.noted.is_some()
    }
    /// Notes what a query behind the removal showed, whatever that was answered: our binding is gone, or is still there.
    pub(in crate::check) fn settle(&mut self, run: &Run, is_gone: bool) {
        if is_gone {
            self.noted.take().into_iter().for_each(Open::close);
        } else if self.noted.is_none() && !self.is_resumed {
            self.noted = run.note_open(&self.left);
        }
    }
    /// Was the last command answered?
    pub(in crate::check) fn is_heard(&self) -> bool {
        self.heard
    }
    /// The Contact URI as it is sent, with our token.
    pub(in crate::check) fn sent_contact(&self) -> &str {
        self.registration.contact()
    }
    /// The Contact URI of dialogs, without a token.
    pub(in crate::check) fn contact(&self) -> &str {
        &self.contact
    }
    pub(in crate::check) fn domain(&self) -> &str {
        &self.domain
    }
    pub(in crate::check) fn user(&self) -> &str {
        &self.user
    }
    pub(in crate::check) fn granted(&self) -> Option<u32> {
        self.granted
    }
    pub(in crate::check) fn flow(&self) -> Flow {
        self.flow
    }
    pub(in crate::check) fn transport(&self) -> Transport {
        self.flow.transport
    }

    /// Totals, and what came beyond the answers, at the end.
    pub(in crate::check) fn write_down(&self, run: &mut Run) {
        // Reading the record again costs more than a whole exchange: only where there is more in it than requests and answers.
        let expected = u64::from(self.requests) + self.retransmissions + self.answers;
        if run.record_count() as u64 > expected {
            for finding in surplus(&run.records()) {
                if !run.findings().iter().any(|known| known.code == finding.code) {
                    run.find(finding);
                }
            }
        }
        run.metric("requests", MetricValue::Count(self.requests.into()));
        run.metric("retransmissions", MetricValue::Count(self.retransmissions));
        if self.retransmissions > 0 {
            let times = self.retransmissions;
            run.find(Finding::new(
                "retransmissions",
                Severity::Info,
                Side::Path,
                format!("{times} retransmission{} needed", if times == 1 { " was" } else { "s were" }),
                "a few are harmless; many mean loss on the path or an overloaded registrar",
            ));
        }
    }
}

/// An answer that asks for the same again, with credentials or for longer, has bound nothing.
fn asks_again(input: &Input) -> bool {
    matches!(input, Input::Response(answer) if matches!(answer.status(), Some(401 | 407 | 423)))
}

/// A REGISTER that was refused for good by a final response has bound nothing, unless that lists our binding all the same; nor has one that
/// reached a closed port.
fn bound_nothing(ended: &Ended) -> bool {
    let refused =
        ended.answer().is_some_and(|answer| refuses_for_good(answer.status()) && !lists_own(answer));
    refused || ended.failure.as_ref().is_some_and(|failure| failure.kind == TransportErrorKind::Refused)
}

/// Does this status say that the request was not carried out? Those that a proxy makes up for who did not answer in time, that stand for a
/// failure on the way, or that send us elsewhere may come after the registrar has stored the binding (RFC 3261 sec. 16.7, 16.8).
fn refuses_for_good(status: u16) -> bool {
    match status {
        300..400 | 408 | 480 => false,
        500..600 => matches!(status, 501 | 505 | 513),
        _ => status >= 400,
    }
}

fn asks_for_a_pause(ended: &Ended) -> bool {
    ended.answer().is_some_and(|answer| Said::read(answer.message()).retry_after.is_some())
}

/// Is our binding among those that are listed, and live?
pub(in crate::check) fn lists_own(answer: &Answer) -> bool {
    answer.bindings.iter().any(|b| b.own && b.expires != Some(0))
}

fn ip_text(flow: Flow) -> String {
    match flow.remote {
        std::net::SocketAddr::V4(a) => a.ip().to_string(),
        std::net::SocketAddr::V6(a) => format!("[{}]", a.ip()),
    }
}
