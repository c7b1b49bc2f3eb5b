//! Does anybody answer there? OPTIONS, and any final answer means alive.

use super::judge::form::odd_form;
use super::judge::status::{Said, meaning};
use super::judge::unlike;
use super::judged::{self, PATIENCE, Silence, StepVerdict, interrupted};
use super::register::{from_elsewhere, odd_lines};
use super::yields;
use super::{
    Account, Answered, Check, Destination, Finding, Interrupted, MetricValue, Reply, Run, Severity, Side,
    Unreached, Verdict,
};
use crate::auth::Credentials;
use crate::error::{Argument, Error};
use crate::message::{Flow, Message, Transport};
use crate::ua::End;
use crate::ua::options::{Capabilities, Config, Finished, Input, Output, Query};
use std::time::Duration;

/// Is somebody alive at a SIP URI, and what does it say that it can do?
///
/// Any final response means alive, 401, 404 and 405 too; a 408 or 504 is a proxy's word
/// that nobody behind it answered.
#[doc = include_str!("reachable.md")]
#[derive(Debug, Clone)]
pub struct Reachable {
    uri: String,
    destination: Destination,
    credentials: Option<Credentials>,
    time_limit: Option<Duration>,
}

impl Reachable {
    /// At a SIP URI, with or without a user; the scheme may be left out.
    ///
    /// # Errors
    /// [`Error::Usage`] with the column when it is no SIP URI, or one that we cannot reach.
    pub fn new(uri: &str) -> Result<Reachable, Error> {
        let written = uri.trim().trim_start_matches('<').trim_end_matches('>');
        let destination = Destination::parse(Argument::Address, written)?;
        let uri = super::address::with_escaped_user(&super::address::with_scheme(written)).into_owned();
        Ok(Reachable { uri, destination, credentials: None, time_limit: None })
    }

    /// The transport, where the URI does not say it; UDP by default.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Reachable {
        self.destination.transport = self.destination.transport.or(Some(transport));
        self
    }

    /// Destination of the question.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Answers challenges with an account's credentials; without, a challenge is an answer like any other.
    #[must_use]
    pub fn account(mut self, account: &Account) -> Reachable {
        self.credentials = Some(account.credentials().clone());
        self
    }

    /// The time for the whole check.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Reachable {
        self.time_limit = Some(limit);
        self
    }
}

impl Reachable {
    /// A flow to where this URI may be asked about now.
    async fn permitted(&self, run: &mut Run) -> Result<Flow, Unreached> {
        let flow = run.reach(&self.destination).await?;
        run.permit(flow.remote, &self.uri).map(|()| flow)
    }
}

impl Check for Reachable {
    fn name(&self) -> &'static str {
        "reachable"
    }

    fn subject(&self) -> String {
        self.uri.clone()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("reachable.md"), yields::ANY]
    }

    async fn run(&self, run: &mut Run) {
        let step = run.begin("reach");
        let mut reached = self.permitted(run).await;
        if let Err(why) = &reached
            && run.wait_out(why).await
        {
            reached = self.permitted(run).await;
        }
        let mut flow = match reached {
            Ok(flow) => flow,
            Err(why) => {
                let judged = judged::unreached(&self.destination, &why);
                run.end(step, judged.verdict, judged.detail);
                return judged.finding.into_iter().for_each(|finding| run.find(finding));
            }
        };
        run.end(step, Verdict::Pass, format!("asks {}", judged::way(flow)));

        let step = run.begin("options");
        let mut config = Config::new(&self.uri, format!("sip:ringback@{}", flow.local));
        config.contact = Some(match flow.transport {
            Transport::Udp => format!("sip:ringback@{}", flow.local),
            other => format!("sip:ringback@{};transport={other}", flow.local),
        });
        config.credentials = self.credentials.clone();
        config.user_agent = run.user_agent().to_owned();
        let mut query = Query::new(config, run.ids().fork());
        let from = run.record_count();
        let now = run.now();
        query.handle_input(now, Input::Begin);
        let (mut finished, mut last, mut response) = (None, None, None);
        let mut lost = None;
        while let Some(output) = query.poll_output() {
            match output {
                Output::Send(request) => {
                    let asked = request.cseq().map(|cseq| cseq.number).ok();
                    let mut reply = run.request(request.clone(), flow).await;
                    // The connection may have been lost for somebody else's request: once it is tried on another.
                    if let Answered::Failed(error) = &reply.answered
                        && judged::is_lost(error)
                        && lost.is_none()
                        && let Ok(fresh) = run.reach(&self.destination).await
                    {
                        lost = Some((error.clone(), reply.evidence.clone()));
                        flow = fresh;
                        reply = run.request(request.clone(), flow).await;
                    }
                    let input = match std::mem::replace(&mut reply.answered, Answered::Timeout) {
                        // With another number it answers another request: told with what came and was not used.
                        Answered::Final(received)
                            if received.message.cseq().is_ok_and(|cseq| Some(cseq.number) != asked) =>
                        {
                            Input::Timeout
                        }
                        Answered::Final(received) => {
                            if let Some(rewritten) =
                                unlike::finding(&unlike::unlike(&request, &received.message))
                                && !run.findings().iter().any(|finding| finding.code == rewritten.code)
                            {
                                run.find(rewritten.shown_by(reply.evidence.clone()));
                            }
                            if let Some(elsewhere) = from_elsewhere(received.flow, reply.flow)
                                && !run.findings().iter().any(|finding| finding.code == elsewhere.code)
                            {
                                run.find(elsewhere.shown_by(reply.evidence.clone()));
                            }
                            response = Some(received.message.clone());
                            match received.flow.remote.ip() == reply.flow.remote.ip() {
                                true => Input::Response(received.message),
                                false => Input::ForeignResponse(received.message),
                            }
                        }
                        Answered::Failed(error) => {
                            reply.answered = Answered::Failed(error);
                            Input::TransportFailed
                        }
                        other => {
                            reply.answered = other;
                            Input::Timeout
                        }
                    };
                    last = Some(reply);
                    let now = run.now();
                    query.handle_input(now, input);
                }
                Output::Finished(end) => finished = Some(end),
            }
        }
        if let (Some((error, evidence)), Some(_)) = (&lost, &response) {
            let idle = run.idle();
            run.find(judged::lost_connection(flow.remote, Some(error), idle, evidence));
        }
        let evidence = from..run.record_count();
        let judged = match (finished, &last) {
            (Some(finished), Some(reply)) => judge(run, &finished, reply, response.as_ref()),
            _ => interrupted(Interrupted::Stopped),
        };
        let judged = judged.shown_by(&evidence);
        if judged.verdict == Verdict::Pass {
            run.conclude(format!("alive: {}", judged.detail));
        }
        run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
    }
}

fn judge(run: &mut Run, finished: &Finished, reply: &Reply, response: Option<&Message>) -> StepVerdict {
    run.fact("transport", reply.flow.transport.to_string());
    run.metric("retransmissions", MetricValue::Count(reply.retransmissions.into()));
    let waited = reply.ended_at.saturating_duration_since(reply.sent_at);
    if let Some(said) = &finished.capabilities {
        run.metric("round_trip", MetricValue::Duration(waited));
        if let Some(response) = response {
            odd_lines(run, response, &reply.evidence);
            for finding in odd_form(response, reply.flow, &[]) {
                run.find(finding.shown_by(reply.evidence.clone()));
            }
        }
        return alive(run, said, response.map(Said::read));
    }
    let unused = run.unused(reply.evidence.clone());
    match &reply.answered {
        Answered::Failed(error) => {
            let asked = ("OPTIONS", reply.flow.remote);
            judged::lost(&error.kind, &error.to_string(), unused.as_ref(), asked)
        }
        Answered::Interrupted(Interrupted::Stopped) => interrupted(Interrupted::Stopped),
        Answered::Interrupted(Interrupted::TimeLimit)
            if waited < PATIENCE && run.answers_of(reply.flow.remote).number == 0 =>
        {
            interrupted(Interrupted::TimeLimit)
        }
        _ => match &finished.end {
            End::BadResponse(what) => StepVerdict::fail(
                "answer-unreadable",
                Side::Peer,
                format!("the answer cannot be used: {what}"),
                "platform fault, or a device on the path rewrites messages (SIP ALG): try TCP",
            ),
            End::BadConfig(what) => StepVerdict::not_run(format!("no request could be written: {what}")),
            _ => judged::silence(&Silence {
                step: "OPTIONS",
                remote: reply.flow.remote,
                transport: reply.flow.transport,
                waited,
                provisional: reply.provisional,
                answered_before: run.answers(),
                answers: run.answers_of(reply.flow.remote),
                others_go_on: run.answers_of(reply.flow.remote).go_on_after(reply.sent_at),
                is_login: false,
                is_cut: matches!(reply.answered, Answered::Interrupted(Interrupted::TimeLimit)),
                unused: unused.as_ref(),
                sizes: run.sizes(),
                requests: run.requests_in(reply.evidence.clone()).as_deref(),
                probe_limit: run.probe_limit().as_deref(),
            }),
        },
    }
}

fn alive(run: &mut Run, said: &Capabilities, refusal: Option<Said>) -> StepVerdict {
    run.fact("status", format!("{} {}", said.status, said.reason));
    run.fact("server", said.server.clone().unwrap_or_default());
    run.fact("allow", said.allow.join(", "));
    run.fact("supported", said.supported.join(", "));
    run.fact("accept", said.accept.join(", "));
    run.fact("warnings", said.warnings.join("; "));
    let seen = match refusal.as_ref().filter(|_| said.status >= 300) {
        Some(refusal) => refusal.sentence(""),
        None => format!("{} {}", said.status, said.reason),
    };
    match said.status {
        408 | 504 => StepVerdict::fail(
            "nobody-behind-the-proxy",
            Side::Peer,
            format!("{seen}: a proxy answers, the server behind it does not"),
            "platform: the registrar or device behind the proxy is down or not reachable from it",
        ),
        503 => StepVerdict::open(
            "overloaded",
            Side::Peer,
            format!("{seen}: it is there and takes no requests now"),
            "wait; platform: look at its load",
        ),
        404 | 410 | 480 | 604 => {
            run.find(Finding::new(
                "user-not-there",
                Severity::Info,
                Side::Setup,
                format!("{seen}: the server is alive, this user is not registered or not known"),
                "for a server's health any final answer is good; whether this user is registered says `ringback register --lookup`",
            ));
            StepVerdict::pass(seen)
        }
        _ => {
            // Alive all the same; what keeps it from more is worth knowing.
            if let Some(refusal) = refusal
                && let Some(meaning) = meaning(&refusal)
            {
                let says = refusal.sentence(&meaning.says);
                run.find(Finding::new(meaning.code, Severity::Info, meaning.side, says, meaning.advice));
            }
            StepVerdict::pass(seen)
        }
    }
}
