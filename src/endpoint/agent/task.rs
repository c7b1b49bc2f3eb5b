//! The task of one call: its machine, its transactions, its media, its clock.

use super::directory::{Directory, Key};
use super::dispatch::Mail;
use super::handle::{COMMANDS, CallEvent, CallEventKind, CallHandle, Command, EVENTS};
use super::media::Media;
use super::notes::{CallNotes, Told};
use super::ports::Ports;
use super::{Intercepted, Interceptor, MediaSetup, Recorder, hop};
use crate::endpoint::{ClientEvent, ClientTransaction};
use crate::message::{Flow, Message};
use crate::syntax::{Limits, Method};
use crate::transaction;
use crate::transport::{Direction, RecordEvent};
use crate::ua::call::{self, Call, Event, Input, Output, RequestId};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::Sleep;

/// What a call begins with.
pub(super) struct Birth {
    pub(super) call: Call,
    /// The INVITE that we were called with.
    pub(super) invite: Option<Message>,
    pub(super) flow: Flow,
    /// Whom we call: its INVITE takes the flow above.
    pub(super) target: Box<[u8]>,
    pub(super) ports: Ports,
    pub(super) media: MediaSetup,
    pub(super) inbox: mpsc::Receiver<Mail>,
    pub(super) interceptor: Interceptor,
    pub(super) keep_flow: bool,
    pub(super) notes: Option<Arc<dyn CallNotes>>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) directory: Arc<Directory>,
    /// The call whose place this one takes when it is answered.
    pub(super) replaces: Option<Key>,
}

struct Task {
    call: Call,
    flow: Flow,
    target: Box<[u8]>,
    media: Media,
    inbox: mpsc::Receiver<Mail>,
    interceptor: Interceptor,
    keep_flow: bool,
    is_caller: bool,
    notes: Option<Arc<dyn CallNotes>>,
    told: Told,
    /// What ends our INVITE from outside while it is not answered.
    cancel: Option<Message>,
    recorder: Arc<Recorder>,
    directory: Arc<Directory>,
    replaces: Option<Key>,
    /// Addresses of the account's registrar and proxies.
    home: Vec<IpAddr>,
    commands: mpsc::Receiver<Command>,
    /// `None` once the last was told: what is still on its way then is nobody's news.
    events: Option<mpsc::Sender<CallEvent>>,
    /// Requests that have no final response, or may have more of them.
    transactions: Vec<Running>,
    /// CANCELs: nobody waits for their answers, but they are sent until they have one.
    cancels: Vec<ClientTransaction>,
    /// Requests that were kept back on purpose, and when they count as unanswered.
    kept_back: VecDeque<(Instant, RequestId)>,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    /// Answers are looked at before requests, this time.
    answers_first: bool,
    /// The owner has let go.
    deserted: bool,
    media_over: bool,
    /// The end of the call was told. What comes of its transfers may follow.
    end_told: bool,
}

struct Running {
    id: RequestId,
    transaction: ClientTransaction,
    is_invite: bool,
}

/// What woke a task.
enum Wake {
    /// The endpoint is closed.
    Closed,
    Mail(Mail),
    Command(Command),
    Deserted,
    Client(usize, Option<ClientEvent>),
    Media,
    Timer,
}

pub(super) fn spawn(birth: Birth) -> CallHandle {
    let now = now();
    let (commands, receiver) = mpsc::channel(COMMANDS);
    let (events, told) = mpsc::channel(EVENTS);
    let handle = CallHandle {
        commands,
        events: told,
        call_id: birth.call.call_id().to_owned(),
        local_tag: birth.call.local_tag().to_owned(),
        rtp: birth.ports.local().rtp,
    };
    let is_caller = birth.invite.is_none();
    let mut home = birth.call.trusted_hosts().to_vec();
    if home.is_empty() && is_caller {
        home.push(birth.flow.remote.ip());
    }
    let mut signalling = home.clone();
    signalling.push(birth.flow.remote.ip());
    let mut task = Task {
        media: Media::new(now, birth.ports, birth.media, Arc::clone(&birth.recorder), signalling),
        call: birth.call,
        flow: birth.flow,
        target: birth.target,
        inbox: birth.inbox,
        interceptor: birth.interceptor,
        keep_flow: birth.keep_flow,
        is_caller,
        notes: birth.notes,
        told: Told::default(),
        cancel: None,
        recorder: birth.recorder,
        directory: birth.directory,
        replaces: birth.replaces,
        home,
        commands: receiver,
        events: Some(events),
        transactions: Vec::new(),
        cancels: Vec::new(),
        kept_back: VecDeque::new(),
        timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        armed: None,
        answers_first: false,
        deserted: false,
        media_over: false,
        end_told: false,
    };
    if is_caller {
        task.call.handle_input(now, Input::Command(call::Command::Dial));
    }
    tokio::spawn(task.run());
    handle
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Task {
    async fn run(mut self) {
        while !self.drain().await {
            let mut out = Vec::new();
            let wake = poll_fn(|cx| self.poll(cx, &mut out)).await;
            if matches!(wake, Wake::Closed) {
                break;
            }
            let now = now();
            for kind in out.drain(..) {
                self.tell(now, kind).await;
            }
            self.wake(now, wake, &mut out).await;
            for kind in out {
                self.tell(now, kind).await;
            }
        }
        self.directory.leave(now(), &self.call, self.media_over);
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<CallEventKind>) -> Poll<Wake> {
        // What the owner wants and what is due come before what came: a flood must not hold up our own.
        if !self.deserted {
            match self.commands.poll_recv(cx) {
                Poll::Ready(Some(command)) => return Poll::Ready(Wake::Command(command)),
                Poll::Ready(None) => return Poll::Ready(Wake::Deserted),
                Poll::Pending => {}
            }
        }
        let kept_back = self.kept_back.front().map(|(at, _)| *at);
        let media = self.media.poll_timeout().filter(|_| !self.media_over);
        let due = self.call.poll_timeout().into_iter().chain(media).chain(kept_back).min();
        if let Some(at) = due {
            if self.armed != Some(at) {
                self.armed = Some(at);
                self.timer.as_mut().reset(at.into());
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::Timer);
            }
        }
        // Answers and requests by turns, so that many of one kind do not keep the other out.
        self.answers_first = !self.answers_first;
        for is_answer in [self.answers_first, !self.answers_first] {
            let came = if is_answer { self.poll_answers(cx) } else { self.poll_mail(cx) };
            if came.is_ready() {
                return came;
            }
        }
        if !self.media_over && self.media.poll(now(), cx, out).is_ready() {
            return Poll::Ready(Wake::Media);
        }
        Poll::Pending
    }

    fn poll_mail(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        self.inbox.poll_recv(cx).map(|mail| mail.map_or(Wake::Closed, Wake::Mail))
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        for (index, running) in self.transactions.iter_mut().enumerate() {
            if let Poll::Ready(event) = running.transaction.poll_next(cx) {
                return Poll::Ready(Wake::Client(index, event));
            }
        }
        self.cancels.retain_mut(|cancel| {
            // Responses to a CANCEL say nothing; its end does.
            loop {
                match cancel.poll_next(cx) {
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => return false,
                    Poll::Pending => return true,
                }
            }
        });
        Poll::Pending
    }

    async fn wake(&mut self, now: Instant, wake: Wake, out: &mut Vec<CallEventKind>) {
        match wake {
            Wake::Closed => {}
            Wake::Mail(Mail::Request { id, message, at }) => {
                self.tell(at, CallEventKind::Request(message.clone())).await;
                let _ = match self.intercepted(&message) {
                    Intercepted::Taken => {
                        self.call.handle_input(at, Input::Request { id, request: message });
                        Ok(())
                    }
                    Intercepted::Answered(response) => self.recorder.endpoint().respond(id, response).await,
                    Intercepted::Ignored => self.recorder.endpoint().abandon(id).await,
                };
            }
            Wake::Mail(Mail::Ack { message, at }) => {
                if let Intercepted::Taken = self.intercepted(&message) {
                    self.call.handle_input(at, Input::Ack(message));
                }
            }
            Wake::Mail(Mail::Cancelled { invite, reasons, at }) => {
                self.call.handle_input(at, Input::Cancelled { invite, reasons });
            }
            Wake::Mail(Mail::GiveWay { by }) => {
                self.call.handle_input(now, Input::Command(call::Command::GiveWay { by }));
            }
            Wake::Command(Command::Dialog(reply)) => {
                let _ = reply.send(self.call.dialog().cloned());
            }
            Wake::Command(Command::Call(command)) => self.call.handle_input(now, Input::Command(command)),
            Wake::Command(Command::Media(command)) => self.media.command(now, command),
            Wake::Command(Command::Rtp(datagram)) => self.media.relay(now, datagram),
            Wake::Command(Command::RtpAnyway(datagram)) => self.media.relay_anyway(now, datagram),
            Wake::Command(Command::ListenAgain) => {
                self.media.listen_again();
                out.push(CallEventKind::ListensAgain);
            }
            Wake::Command(Command::Report(reply)) => {
                let _ = reply.send(self.media.report(now));
            }
            Wake::Deserted => {
                self.deserted = true;
                self.call.handle_input(now, Input::Command(call::Command::HangUp { reason: None }));
            }
            Wake::Client(index, event) => self.client(now, index, event).await,
            Wake::Media => {}
            Wake::Timer => {
                while let Some((_, id)) = self.kept_back.front().copied().filter(|(at, _)| *at <= now) {
                    self.kept_back.pop_front();
                    self.call.handle_input(now, Input::Timeout(id));
                }
                self.call.handle_timeout(now);
                if !self.media_over {
                    self.media.handle_timeout(now, out);
                }
            }
        }
    }

    async fn client(&mut self, now: Instant, index: usize, event: Option<ClientEvent>) {
        let Some(Running { id, is_invite, transaction }) = self.transactions.get(index) else { return };
        let (id, is_invite, asked) = (*id, *is_invite, transaction.flow());
        match event {
            Some(ClientEvent::Provisional(received) | ClientEvent::Final(received)) => {
                let status = received.message.status().unwrap_or_default();
                // Over UDP anybody can answer: a challenge from another host than was asked gets nothing that is made of the password.
                if matches!(status, 401 | 407) && received.flow.remote.ip() != asked.remote.ip() {
                    self.call.handle_input(received.at, Input::SentTo { id, home: false });
                }
                if is_invite && status > 100 {
                    self.tell(received.at, CallEventKind::Response(received.message.clone())).await;
                }
                self.call.handle_input(received.at, Input::Response { id, response: received.message });
            }
            Some(ClientEvent::Timeout) => self.call.handle_input(now, Input::Timeout(id)),
            Some(ClientEvent::Failed(error)) => {
                self.tell(now, CallEventKind::NotSent(error.to_string())).await;
                self.call.handle_input(now, Input::TransportFailed(id));
            }
            None => drop(self.transactions.remove(index)),
        }
    }

    /// Does what the call wants; true when it is over.
    async fn drain(&mut self) -> bool {
        while let Some(output) = self.call.poll_output() {
            self.directory.note(&self.call);
            self.note();
            if self.obey(output).await {
                return true;
            }
        }
        // What was sent has brought a CANCEL.
        self.note();
        if self.end_told && !self.call.has_referrals() {
            self.events = None;
        }
        false
    }

    fn note(&mut self) {
        if self.call.is_up() {
            self.cancel = None;
        }
        if let Some(notes) = &self.notes {
            self.told.tell(&**notes, &self.call, self.is_caller, self.cancel.as_ref());
        }
    }

    /// Does one thing that the call wants; true when it is over.
    async fn obey(&mut self, output: Output) -> bool {
        let now = now();
        match output {
            Output::Send { id, request } => self.send(now, id, request).await,
            Output::SendAck(ack) => {
                if let Some(ack) = self.rewritten(ack) {
                    match self.flow_of(&ack).await {
                        Ok(flow) => {
                            // RFC 3261 sec. 13.2.2.4 has it repeat the credentials of the INVITE: for proxies that look at them, not
                            // for a called party that we reach without them.
                            let ack = if self.is_home(flow) { ack } else { ack.without_credentials() };
                            drop(self.recorder.send_outside(ack, flow).await);
                        }
                        Err(why) => self.tell(now, CallEventKind::NotSent(why)).await,
                    }
                }
            }
            Output::Cancel { id, reason } => {
                if let Some(invite) = self.transactions.iter().find(|running| running.id == id)
                    && let Ok(cancel) = invite.transaction.cancel(&self.recorder, reason).await
                {
                    self.cancels.push(cancel);
                }
            }
            Output::Respond { id, response } => {
                let status = response.status().unwrap_or_default();
                if status >= 200 {
                    self.directory.leave_invite(id);
                }
                let answers = (200..300).contains(&status)
                    && response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
                let sent = match self.rewritten(response) {
                    Some(response) => self.recorder.endpoint().respond(id, response).await,
                    // Kept back on purpose: the peer hears nothing at all.
                    None if status >= 200 => self.recorder.endpoint().abandon(id).await,
                    None => Ok(()),
                };
                if sent.is_err() {
                    return true;
                }
                // RFC 3891 sec. 3: first our 2xx, then the BYE (or CANCEL) of the call that is replaced.
                if let Some(replaced) = self.replaces.take_if(|_| answers) {
                    self.directory.give_way(&replaced, &self.call);
                }
            }
            Output::Event(event) => self.happened(now, event).await,
            Output::Finished => {
                self.end_media(now).await;
                return true;
            }
        }
        false
    }

    fn rewritten(&mut self, message: Message) -> Option<Message> {
        match &mut self.interceptor.sent {
            Some(rewrite) => rewrite(message),
            None => Some(message),
        }
    }

    fn intercepted(&mut self, message: &Message) -> Intercepted {
        self.interceptor.received.as_mut().map_or(Intercepted::Taken, |intercept| intercept(message))
    }

    async fn send(&mut self, now: Instant, id: RequestId, request: Message) {
        // What is kept back on purpose was lost on the way, for all that the call can tell.
        let Some(request) = self.rewritten(request) else {
            let t1 = self.recorder.endpoint().config().transaction.t1;
            return self.kept_back.push_back((now + t1 * 64, id));
        };
        let is_invite = request.method() == Some(Method::Invite);
        let flow = match self.flow_of(&request).await {
            Ok(flow) => flow,
            Err(why) => {
                self.tell(now, CallEventKind::NotSent(why)).await;
                return self.call.handle_input(now, Input::TransportFailed(id));
            }
        };
        self.call.handle_input(now, Input::SentTo { id, home: self.is_home(flow) });
        let begins = is_invite && request.to().is_ok_and(|to| to.tag().is_none());
        let before = self.recorder.record_count();
        match self.recorder.request(request, flow).await {
            Ok(transaction) => {
                if begins && self.notes.is_some() {
                    self.cancel = self.cancel_of_sent(before);
                }
                self.transactions.push(Running { id, transaction, is_invite });
            }
            Err(error) => {
                self.tell(now, CallEventKind::NotSent(error.to_string())).await;
                self.call.handle_input(now, Input::TransportFailed(id));
            }
        }
    }

    /// The CANCEL of the INVITE of this call that was sent since there were so many records.
    fn cancel_of_sent(&self, before: usize) -> Option<Message> {
        let sent =
            self.recorder.records_from(before).into_iter().rev().filter_map(|record| match record.event {
                RecordEvent::Message { direction: Direction::Sent, bytes, .. } => Some(bytes),
                _ => None,
            });
        let is_it = |invite: &Message| {
            invite.method() == Some(Method::Invite)
                && invite.call_id().is_ok_and(|id| id == self.call.call_id().as_bytes())
        };
        let invite = sent.filter_map(|bytes| Message::parse(bytes, &Limits::PASSED).ok()).find(is_it)?;
        transaction::cancel_of(&invite)
    }

    /// Does a flow lead to the account's own registrar or proxy?
    fn is_home(&self, flow: Flow) -> bool {
        self.home.contains(&flow.remote.ip())
    }

    /// The flow of a request: the one that we were given for the first INVITE (or for all), else to the next hop. A redirection within the
    /// account's own domain goes to its registrar again.
    async fn flow_of(&self, request: &Message) -> Result<Flow, String> {
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        let is_given = request.request_uri_bytes() == Some(&*self.target) || is_within_domain(request);
        if in_dialog && self.keep_flow || !in_dialog && is_given {
            // A connection may have ended since.
            return self
                .recorder
                .flow(self.flow.transport, self.flow.remote)
                .await
                .map_err(|error| error.to_string());
        }
        let next = hop::of(request)?;
        let addresses = self
            .recorder
            .endpoint()
            .resolve(&next.host, next.port)
            .await
            .map_err(|error| error.to_string())?;
        let mut last = format!("{} has no address", next.host);
        for remote in addresses {
            match self.recorder.flow(next.transport, remote).await {
                Ok(flow) => return Ok(flow),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    /// What has happened in the call; after [`Event::Ended`] or [`Event::Rejected`] nothing more is told but what becomes of transfers, though
    /// the task may live on for 64*T1 to answer what is repeated.
    async fn happened(&mut self, now: Instant, event: Event) {
        match &event {
            Event::EarlyMedia { plan, .. }
            | Event::Answered(plan)
            | Event::Held { plan, .. }
            | Event::Resumed { plan, .. }
            | Event::Changed { plan, .. } => self.media.agree(now, plan),
            Event::Ended { .. } | Event::Rejected(_) => self.end_media(now).await,
            _ => {}
        }
        let is_last = matches!(event, Event::Ended { .. } | Event::Rejected(_));
        self.tell(now, CallEventKind::Signal(event)).await;
        self.end_told |= is_last;
    }

    async fn end_media(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.media_over, true) {
            let mut out = Vec::new();
            self.media.finish(now, &mut out);
            self.directory.ended();
            out.push(CallEventKind::LastReport(Box::new(self.media.report(now))));
            for kind in out {
                self.tell(now, kind).await;
            }
        }
    }

    async fn tell(&self, at: Instant, kind: CallEventKind) {
        let is_media = matches!(kind, CallEventKind::Rtp(_));
        let Some(events) = &self.events else { return };
        match events.try_send(CallEvent { at, kind }) {
            // A slow owner of a relay loses packets, as a slow relay does; nothing else is lost.
            Err(mpsc::error::TrySendError::Full(happened)) if !is_media && !self.deserted => {
                let _ = tokio::time::timeout(SLOW_OWNER, events.send(happened)).await;
            }
            _ => {}
        }
    }
}

/// Time for which a call waits for an owner that does not take its events; then they are lost.
const SLOW_OWNER: Duration = Duration::from_secs(1);

/// Is the Request-URI in the domain of who calls?
fn is_within_domain(request: &Message) -> bool {
    let from = request.from().ok();
    let (target, own) =
        (request.request_uri().and_then(Result::ok), from.as_ref().map(crate::syntax::NameAddr::uri));
    target.zip(own).is_some_and(|(target, own)| target.host().is_some() && target.host() == own.host())
}
