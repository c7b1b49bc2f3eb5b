//! The machine of a call: the four verbs, what it knows, and how it ends.

use super::change::Changes;
use super::event::{By, Cause, Event};
use super::incoming::Accepted;
use super::request::Kind;
use super::state::Phase;
use super::{Call, Command, Config, FarParty, Input, Output, RequestId};
use crate::message::{Builder, Ids, Message};
use crate::sdp::{MediaPlan, Negotiation};
use crate::syntax::{HeaderName, Method, Reason};
use crate::transaction::ServerId;
use crate::ua::transfer::Referrals;
use crate::ua::trust::Realms;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

impl Call {
    pub(super) fn new(config: Config, mut ids: Ids, call_id: String, is_caller: bool) -> Call {
        let session_id = ids.below(1 << 53);
        Call {
            negotiation: Negotiation::new(config.local.clone(), session_id),
            realms: Realms::new(&config.trust, is_caller),
            config,
            local_tag: ids.tag(),
            ids,
            call_id,
            is_caller,
            phase: Phase::Idle,
            legs: Vec::new(),
            up: None,
            inviting: None,
            invited: None,
            accepted: None,
            pending: Vec::new(),
            changes: Changes::default(),
            session: None,
            referrals: Referrals::default(),
            replaces: None,
            bye_after_ack: None,
            linger_until: None,
            next_id: 0,
            may_be_left: false,
            finished: false,
            outputs: VecDeque::new(),
        }
    }

    /// Its Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Our tag.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// Addresses whose challenges are answered ([`Trust::hosts`](crate::ua::trust::Trust::hosts)).
    pub fn trusted_hosts(&self) -> &[IpAddr] {
        &self.config.trust.hosts
    }

    /// Is this request (or ACK) of the peer for this call: does it carry our Call-ID, and our tag in To?
    pub fn owns(&self, request: &Message) -> bool {
        request.call_id().is_ok_and(|id| id == self.call_id.as_bytes())
            && request.to().is_ok_and(|to| to.tag() == Some(self.local_tag.as_bytes()))
    }

    /// Is it answered and not over?
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Was [`Output::Finished`] given out?
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Is it over? What is on its way may still come, until [`Output::Finished`].
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Is it over for us, while the peer may still have it: our BYE or CANCEL was not answered, or refused?
    pub fn may_be_left(&self) -> bool {
        self.may_be_left
    }

    /// What the media of the call is at the moment.
    pub fn plan(&self) -> Option<&MediaPlan> {
        self.legs.get(self.up?)?.negotiation.plan()
    }

    /// Who is at the far end now, as far as it said.
    pub fn far_party(&self) -> Option<&FarParty> {
        self.legs.get(self.up?).map(|leg| &leg.far)
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Command(_) if self.finished => {}
            Input::Command(command) => self.command(now, command),
            Input::SentTo { id, home } => self.sent_to(id, home),
            Input::Response { id, response } => self.on_response(now, id, &response),
            Input::Timeout(id) => self.on_no_response(now, id, false),
            Input::TransportFailed(id) => self.on_no_response(now, id, true),
            Input::Request { id, request } => self.on_request(now, id, &request),
            Input::Cancelled { invite, reasons } => self.on_cancelled(invite, reasons),
            Input::Ack(ack) => self.on_ack(now, &ack),
        }
        self.settle(now);
    }

    /// The time of [`Call::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.repeat_accepted(now);
        self.repeat_reliable(now);
        self.retry_change(now);
        self.session_due(now);
        self.referrals_due(now);
        self.settle(now);
    }

    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Call::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        let times = [
            self.accepted.as_ref().map(|accepted| accepted.next_at()),
            self.reliable_due(),
            self.changes.retry_at,
            self.session.as_ref().map(|session| session.due),
            self.referrals.poll_timeout(),
            self.linger_until.filter(|_| {
                self.phase == Phase::Over && self.pending.is_empty() && self.referrals.is_empty()
            }),
        ];
        times.into_iter().flatten().min()
    }

    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Dial => self.dial(),
            Command::Ring { status, media } => self.ring(now, status, media),
            Command::Answer => self.answer(now),
            Command::Refuse { status, reason } => self.refuse(status, reason.filter(|r| Reason::is_value(r))),
            Command::Hold(hold) => self.hold(Some(hold)),
            Command::Resume => self.hold(None),
            Command::Info { token, content_type, body } => self.info(token, content_type, body),
            Command::Refer(refer) => self.refer(&refer),
            Command::ExpectRefers(refers) => self.config.refers = refers,
            Command::AcceptRefer { referral } => self.accept_refer(now, referral),
            Command::RefuseRefer { referral, status } => self.refuse_refer(referral, status),
            Command::Notify { referral, status, phrase } => self.notify(now, referral, status, phrase),
            Command::GiveWay { by } => self.give_way(by),
            Command::HangUp { reason } => self.hang_up(reason.filter(|r| Reason::is_value(r))),
        }
    }

    pub(super) fn hang_up(&mut self, reason: Option<String>) {
        match self.phase {
            Phase::Ringing if self.is_caller => self.cancel(reason),
            Phase::Ringing => self.refuse(480, reason),
            Phase::Up => self.end_up(By::Local, Cause::HungUp, reason),
            Phase::Idle => self.over(By::Local, Cause::Cancelled, Vec::new()),
            Phase::Closing | Phase::Over => {}
        }
    }

    /// Ends a call that is up with a BYE; not before the ACK of our 2xx is there (RFC 3261 sec. 15).
    pub(super) fn end_up(&mut self, by: By, cause: Cause, reason: Option<String>) {
        if self.phase != Phase::Up {
            return;
        }
        if self.accepted.as_ref().is_some_and(Accepted::is_first) && cause == Cause::HungUp {
            self.bye_after_ack.get_or_insert(reason);
            return;
        }
        let Some(leg) = self.up else { return };
        self.accepted = None;
        self.session = None;
        self.changes.clear();
        self.phase = Phase::Closing;
        self.bye(leg, Kind::Bye { ends: Some((by, cause)) }, reason);
    }

    /// The call is over now.
    pub(super) fn over(&mut self, by: By, cause: Cause, reasons: Vec<String>) {
        if self.phase == Phase::Over {
            return;
        }
        self.close();
        self.event(Event::Ended { by, cause, reasons });
    }

    /// No event, no timer, no change comes any more; requests on their way end by themselves.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Over;
        self.accepted = None;
        self.session = None;
        self.bye_after_ack = None;
        self.invited = None;
        self.changes.clear();
    }

    /// Says once that everything is done.
    fn settle(&mut self, now: Instant) {
        if self.phase == Phase::Over {
            self.referrals.outlive(now + self.config.referral_linger);
        }
        let lingers = self.linger_until.is_some_and(|until| now < until);
        let over = self.phase == Phase::Over
            && self.pending.is_empty()
            && self.referrals.is_empty()
            && self.inviting.as_ref().is_none_or(|inviting| !inviting.is_open);
        if over && !lingers && !self.finished {
            self.finished = true;
            self.outputs.push_back(Output::Finished);
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn request_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    /// Builds and gives out a response. What cannot be built is a fault of the configuration: then a bare 500 goes out.
    pub(super) fn respond(&mut self, id: ServerId, request: &Message, builder: Builder) -> Option<Message> {
        let built = builder.build().or_else(|_| self.config.response(request, 500, &self.local_tag).build());
        let response = built.ok()?;
        self.outputs.push_back(Output::Respond { id, response: response.clone() });
        Some(response)
    }

    /// A response with nothing but its status, and the headers that go with it.
    pub(super) fn respond_plain(
        &mut self,
        id: ServerId,
        request: &Message,
        status: u16,
        headers: &[(HeaderName, &str)],
    ) {
        let mut builder = self.config.response(request, status, &self.local_tag);
        for (name, value) in headers {
            builder = builder.header(*name, value);
        }
        self.respond(id, request, builder);
    }

    /// A re-INVITE, UPDATE or ACK of the peer, or its 2xx to one of ours.
    pub(super) fn hear_of(&mut self, leg: usize, message: &Message) {
        let Some(leg) = self.legs.get_mut(leg) else { return };
        let mut said = FarParty::of(message);
        if !message.is_request() {
            // To of a response is our own word.
            (said.uri, said.display_name) = (None, None);
        }
        if leg.far.update(said) {
            let far = Box::new(leg.far.clone());
            self.event(Event::FarParty(far));
        }
    }

    /// The dialog that a request of the peer belongs to.
    pub(super) fn leg_of(&self, request: &Message) -> Option<usize> {
        self.legs.iter().position(|leg| leg.dialog.matches(request))
    }

    /// The dialog that a response belongs to, by its To tag.
    pub(super) fn leg_by_tag(&self, response: &Message) -> Option<usize> {
        let to = response.to().ok()?;
        let tag = to.tag().unwrap_or_default();
        self.legs.iter().position(|leg| *leg.dialog.id().remote_tag == *tag)
    }

    /// The ACK of a 2xx to our INVITE of this number: sent now, and again for each further 2xx, which may come for 64*T1. It carries the
    /// credentials of the INVITE.
    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        leg: usize,
        cseq: u32,
        credentials: &[(HeaderName, Vec<u8>)],
    ) {
        self.linger_until = Some(now + self.config.t1 * 64);
        let Some(leg) = self.legs.get_mut(leg) else { return };
        let mut ack = leg.dialog.ack(cseq).header(HeaderName::UserAgent, &self.config.user_agent);
        for (name, value) in credentials {
            ack = ack.header(*name, value);
        }
        if let Ok(ack) = ack.build() {
            leg.keep_ack(cseq, ack.clone());
            self.outputs.push_back(Output::SendAck(ack));
        }
    }

    /// A 2xx to an INVITE that was acknowledged already: the ACK goes out again. Was it one?
    pub(super) fn acknowledge_again(&mut self, response: &Message) -> bool {
        let Ok(cseq) = response.cseq() else { return false };
        if cseq.method != Method::Invite || !response.status().is_some_and(|s| (200..300).contains(&s)) {
            return false;
        }
        let ack = self.leg_by_tag(response).and_then(|leg| self.legs.get(leg)?.ack_of(cseq.number).cloned());
        self.outputs.extend(ack.clone().map(Output::SendAck));
        ack.is_some()
    }
}
