//! The verb `refer`: the far side is asked to call somebody else, and what it tells of that (RFC 3515, in the role of the transferor).

use super::trace::{MessageKind, header};
use super::{Ends, Scene, Seen};
use crate::check::Interrupted;
use crate::check::judge::request::RequestEnd;
use crate::message::Message;
use crate::syntax::{HeaderName, Limits, Method};
use crate::transport::{Direction, Record, RecordEvent};
use crate::ua::call::Refers;
use crate::ua::transfer::{Refer, SubscriptionEnd, Target, TransferorEvent};
use std::time::{Duration, Instant};

/// Time for the answer to a REFER.
pub(in crate::check) const ANSWER: Duration = Duration::from_secs(10);

/// Answer to a REFER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) enum ReferAnswer {
    /// A 2xx.
    Accepted(u16),
    /// Refused: status and phrase.
    Refused(u16, String),
    /// No final answer came: what came instead.
    Unanswered(Box<RequestEnd>),
    /// It was not sent: why.
    NotSent(String),
}

/// A REFER of ours, and its answer.
#[derive(Debug)]
pub(in crate::check) struct ReferSent {
    pub(in crate::check) at: Instant,
    pub(in crate::check) answered_at: Option<Instant>,
    pub(in crate::check) answer: ReferAnswer,
    /// The same as it is told of every request.
    pub(in crate::check) end: RequestEnd,
    /// The answer as it came.
    pub(in crate::check) response: Option<Message>,
}

/// Statuses that NOTIFYs told the transferor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct Told {
    /// Statuses, in order.
    pub(in crate::check) statuses: Vec<u16>,
    /// The first final one, and when it came.
    pub(in crate::check) done: Option<(Instant, u16)>,
    /// Place that this one names instead (the Contact of a 3xx).
    pub(in crate::check) contact: Option<String>,
    /// NOTIFYs that were taken and held no status.
    pub(in crate::check) without_status: usize,
    /// NOTIFYs that were refused: why, with what each was answered.
    pub(in crate::check) refused: Vec<String>,
    /// The id in the Event of one that was taken though its number is not that of the REFER, and that number.
    pub(in crate::check) other_id: Option<(String, u32)>,
    /// One said that the subscription is over.
    pub(in crate::check) terminated: bool,
}

/// A REFER as it reached one of our own ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct ReferArrived {
    /// Refer-To, as it is written there.
    pub(in crate::check) refer_to: String,
    /// Status that our end answered.
    pub(in crate::check) answer: Option<u16>,
    /// Number of them that reached it, beyond those that it refused for their target; retransmissions not counted.
    pub(in crate::check) times: usize,
}

impl Scene<'_> {
    /// From now on this party obeys REFERs to these, in its calls, and to nobody else.
    pub(in crate::check) fn obeys(&mut self, party: usize, expected: Vec<String>) {
        if let Some(party) = self.ends.parties.get_mut(party) {
            party.refers = Refers::Expected(expected);
        }
    }

    /// Asks the far side of this leg to call the target, and waits for the answer.
    ///
    /// # Errors
    /// The check has to end.
    pub(in crate::check) async fn refer(
        &mut self,
        leg: usize,
        to: &Target,
    ) -> Result<ReferSent, Interrupted> {
        let known = self.seen(leg).transferor.len();
        let at = self.run.now();
        // Each event is one more than there were: no token is used twice.
        self.leg(leg).handle.refer(Refer::new(known as u64 + 1, to.clone())).await;
        let answered = |ends: &Ends| ends.seen(leg).is_none_or(|seen| answer(seen, known).is_some());
        let is_over = |ends: &Ends| ends.is_over(leg);
        self.until(ANSWER, |ends| answered(ends) || is_over(ends)).await?;
        let is_sent = |scene: &Self| {
            let trace = scene.trace(leg);
            trace.all(Direction::Sent, MessageKind::Request(Method::Refer)).any(|entry| entry.at >= at)
        };
        let is_late = !answered(&self.ends) && is_over(&self.ends) && !is_sent(self);
        if !is_late {
            let left = ANSWER.saturating_sub(self.run.now().saturating_duration_since(at));
            self.until(left, answered).await?;
        }
        let (answered_at, answer) = match answer(self.seen(leg), known) {
            Some((at, answer)) => (Some(at), answer),
            None if is_late => (None, ReferAnswer::NotSent("the call was over before".to_owned())),
            None => (None, ReferAnswer::Unanswered(Box::default())),
        };
        let end = self.request_end(leg, &[Method::Refer], at);
        let answer = match answer {
            ReferAnswer::Unanswered(_) => ReferAnswer::Unanswered(Box::new(end.clone())),
            other => other,
        };
        let trace = self.trace(leg);
        let response = trace.received_last(MessageKind::Response(Method::Refer, 200, 699));
        Ok(ReferSent { at, answered_at, answer, end, response: response.map(|entry| entry.message.clone()) })
    }

    /// Time at which the last INVITE of this leg was answered 2xx, by either side.
    pub(in crate::check) fn settled_at(&self, leg: usize) -> Option<Instant> {
        let trace = self.trace(leg);
        let last =
            |direction| trace.all(direction, MessageKind::Response(Method::Invite, 200, 299)).next_back();
        [Direction::Sent, Direction::Received].into_iter().filter_map(last).map(|entry| entry.at).max()
    }

    /// Statuses that NOTIFYs told the transferor after its REFER, also by those that it could not use: those of the records from `since` on.
    pub(in crate::check) fn told(&self, leg: usize, since: usize) -> Told {
        let mut told = Told::default();
        for (at, event) in &self.seen(leg).transferor {
            match event {
                TransferorEvent::Notified(notification) => {
                    told.terminated |= notification.is_terminated();
                    let number = notification.refer_cseq;
                    let other = notification.event_id.clone().filter(|id| id.parse() != Ok(number));
                    told.other_id = told.other_id.or(other.map(|id| (id, number)));
                    match notification.status {
                        Some(status) => told.statuses.push(status),
                        None => told.without_status += 1,
                    }
                    if let Some(status) = notification.status.filter(|s| *s >= 200 && told.done.is_none()) {
                        told.done = Some((*at, status));
                        told.contact = contact(&notification.fragment);
                    }
                }
                TransferorEvent::Over(SubscriptionEnd::Terminated { .. } | SubscriptionEnd::Suppressed) => {
                    told.terminated = true
                }
                _ => {}
            }
        }
        told.refused = self.notifies_refused(leg, since);
        told
    }

    /// NOTIFYs that came for somebody of ours and were refused: why.
    fn notifies_refused(&self, leg: usize, since: usize) -> Vec<String> {
        let records = self.run.records();
        let messages: Vec<(Direction, Message)> =
            records.into_iter().skip(since).filter_map(message).collect();
        let ours = self.leg(leg).handle.call_id();
        let mut refused: Vec<String> = Vec::new();
        for (direction, notify) in &messages {
            if *direction != Direction::Received || notify.method() != Some(Method::Notify) {
                continue;
            }
            let answer = messages.iter().find_map(|(direction, answer)| {
                (*direction == Direction::Sent && is_answer(answer, notify)).then(|| answer.status())?
            });
            // Outside of the call NOTIFYs of another kind are none of a REFER's.
            let event = header(notify, HeaderName::Event);
            let is_of_refer = event.is_empty() || is_refer(&event);
            let is_here = notify.call_id().is_ok_and(|id| id == ours.as_bytes());
            if let Some(status) = answer.filter(|status| *status >= 300 && (is_of_refer || is_here)) {
                let why = format!("{} (answered {status})", wrong(notify, ours));
                if !refused.contains(&why) {
                    refused.push(why);
                }
            }
        }
        refused
    }

    /// The REFER as it reached this party, last, among the records from `since` on.
    pub(in crate::check) fn refer_arrived(&self, party: usize, since: usize) -> Option<ReferArrived> {
        let sent_by: Vec<&str> = {
            let legs = self.ends.legs.iter().filter(|leg| leg.party == party);
            legs.map(|leg| leg.handle.call_id()).collect()
        };
        let records = self.run.records();
        let messages: Vec<(Direction, Message)> =
            records.into_iter().skip(since).filter_map(message).collect();
        let is_it = |message: &Message| {
            message.method() == Some(Method::Refer)
                && message.call_id().is_ok_and(|id| sent_by.iter().any(|ours| ours.as_bytes() == id))
        };
        let answer_to = |refer: &Message| {
            messages.iter().find_map(|(direction, answer)| {
                (*direction == Direction::Sent && is_answer(answer, refer)).then(|| answer.status())?
            })
        };
        let mut came: Vec<(&Message, Option<u16>)> = Vec::new();
        for (direction, refer) in &messages {
            let key = |refer: &Message| {
                (refer.call_id().ok().map(<[u8]>::to_vec), refer.cseq().ok().map(|c| c.number))
            };
            let is_new = || came.iter().all(|(known, _)| key(known) != key(refer));
            if *direction == Direction::Received && is_it(refer) && is_new() {
                came.push((refer, answer_to(refer)));
            }
        }
        // The one that was obeyed, else the last; what came behind it is a copy.
        let obeyed = came.iter().position(|(_, answer)| answer.is_some_and(|status| status < 300));
        let times = obeyed.map_or(1, |at| came.len() - at);
        let (refer, answer) = obeyed.and_then(|at| came.get(at)).or(came.last()).copied()?;
        Some(ReferArrived { refer_to: header(refer, HeaderName::ReferTo), answer, times })
    }

    /// The leg that this party dialled because it was asked to, last.
    pub(in crate::check) fn dialled_for_refer(&self, party: usize) -> Option<usize> {
        let referrals = self.ends.referrals.iter().rev();
        referrals.filter_map(|referral| referral.dialled).find(|leg| self.leg(*leg).party == party)
    }
}

/// The answer to the REFER whose events begin here.
fn answer(seen: &Seen, known: usize) -> Option<(Instant, ReferAnswer)> {
    seen.transferor.iter().skip(known).find_map(|(at, event)| {
        let answer = match event {
            TransferorEvent::Accepted { status, .. } => ReferAnswer::Accepted(*status),
            TransferorEvent::Refused { status, phrase, .. } => ReferAnswer::Refused(*status, phrase.clone()),
            TransferorEvent::Unanswered => ReferAnswer::Unanswered(Box::default()),
            TransferorEvent::NotSent(why) => ReferAnswer::NotSent(why.clone()),
            _ => return None,
        };
        Some((*at, answer))
    })
}

/// The first final status that NOTIFYs told.
pub(in crate::check) fn done(seen: &Seen) -> Option<(Instant, u16)> {
    seen.transferor.iter().find_map(|(at, event)| match event {
        TransferorEvent::Notified(notification) => {
            notification.status.filter(|status| *status >= 200).map(|status| (*at, status))
        }
        _ => None,
    })
}

/// The Contact in the fragment of a NOTIFY.
fn contact(fragment: &str) -> Option<String> {
    fragment.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_contact = name.trim().eq_ignore_ascii_case("contact") || name.trim() == "m";
        is_contact.then(|| value.trim().to_owned())
    })
}

fn message(record: Record) -> Option<(Direction, Message)> {
    match record.event {
        RecordEvent::Message { direction, bytes, .. } => {
            Some((direction, Message::parse(bytes, &Limits::default()).ok()?))
        }
        _ => None,
    }
}

/// Is it the package of REFER (RFC 3515 sec. 2.4.4)?
fn is_refer(event: &str) -> bool {
    event.split([';', '.']).next().is_some_and(|package| package.trim().eq_ignore_ascii_case("refer"))
}

/// Does this response answer that request?
fn is_answer(response: &Message, request: &Message) -> bool {
    response.status().is_some()
        && response.call_id().ok() == request.call_id().ok()
        && response.cseq().ok() == request.cseq().ok()
}

/// Defect that keeps a NOTIFY from being used.
fn wrong(notify: &Message, ours: &str) -> String {
    let is_missing = |name| header(notify, name).is_empty();
    if is_missing(HeaderName::Event) {
        return "without Event".to_owned();
    }
    let event = header(notify, HeaderName::Event);
    if !is_refer(&event) {
        return format!("with Event: {event} instead of refer");
    }
    if is_missing(HeaderName::SubscriptionState) {
        return "without Subscription-State".to_owned();
    }
    if notify.call_id().is_ok_and(|id| id != ours.as_bytes()) {
        let id = String::from_utf8_lossy(notify.call_id().unwrap_or_default()).into_owned();
        return format!("in a dialog that the REFER was not sent in: Call-ID {id}");
    }
    if event.contains(';') {
        return format!("for no REFER that was sent: Event: {event}");
    }
    let tag = |named: Option<&[u8]>| String::from_utf8_lossy(named.unwrap_or_default()).into_owned();
    let tags = (notify.from().ok().map(|from| tag(from.tag())), notify.to().ok().map(|to| tag(to.tag())));
    match tags {
        (Some(from), Some(to)) => {
            format!("in no dialog that is open: From tag \"{from}\", To tag \"{to}\", Event {event}")
        }
        _ => format!("in no dialog that is open: Event {event}"),
    }
}
