//! The messages of one call, out of the record: when they went, and what they said.

use crate::check::judge::quote::quoted;
use crate::check::judge::request::{Reply, RequestEnd};
use crate::check::judge::status::Said;
use crate::message::Message;
use crate::syntax::{HeaderName, Limits, Method};
use crate::transport::{Direction, Record, RecordEvent};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All messages of a Call-ID so far, in order, repeated ones too.
///
/// It holds the messages of both ends where both are ours and nobody between them changes the Call-ID; the direction tells them apart.
#[derive(Default)]
pub(in crate::check) struct Trace(Vec<Arc<Entry>>);

/// One of them.
#[derive(Debug)]
pub(in crate::check) struct Entry {
    pub(in crate::check) at: Instant,
    pub(in crate::check) direction: Direction,
    pub(in crate::check) message: Message,
}

impl Entry {
    /// The number of its CSeq.
    fn number(&self) -> Option<u32> {
        self.message.cseq().ok().map(|cseq| cseq.number)
    }
}

/// The kind of a message that is searched for.
#[derive(Clone, Copy)]
pub(in crate::check) enum MessageKind<'a> {
    Request(Method<'a>),
    /// A response to this method, with a status in this range.
    Response(Method<'a>, u16, u16),
}

/// The messages of a check by their Call-IDs, each read once however often it is asked for.
#[derive(Debug, Default)]
pub(in crate::check) struct Traces(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    /// Records that were read.
    records: usize,
    calls: HashMap<Box<[u8]>, Vec<Arc<Entry>>>,
    /// The Call-IDs of the requests that we sent, by their branches.
    sent: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl Traces {
    /// The messages of a Call-ID; `unread` gives the records from the given one on.
    pub(in crate::check) fn of(&self, call_id: &str, unread: impl FnOnce(usize) -> Vec<Record>) -> Trace {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = unread(read.records);
        read.records += new.len();
        for record in new {
            let RecordEvent::Message { direction, bytes, .. } = record.event else { continue };
            let Ok(message) = Message::parse(bytes, &Limits::default()) else { continue };
            let Ok(call_id) = message.call_id().map(Box::<[u8]>::from) else { continue };
            let branch = message.top_via().ok().and_then(|via| via.branch().map(Box::from));
            let call_id = match (branch, direction) {
                (Some(branch), Direction::Sent) if message.is_request() => {
                    read.sent.insert(branch, call_id.clone());
                    call_id
                }
                // An answer belongs to its request, whatever Call-ID it has by now.
                (Some(branch), Direction::Received) if !message.is_request() => {
                    read.sent.get(&branch).cloned().unwrap_or(call_id)
                }
                _ => call_id,
            };
            let entry = Entry { at: record.at, direction, message };
            read.calls.entry(call_id).or_default().push(Arc::new(entry));
        }
        Trace(read.calls.get(call_id.as_bytes()).cloned().unwrap_or_default())
    }
}

impl Trace {
    pub(in crate::check) fn all<'a>(
        &'a self,
        direction: Direction,
        what: MessageKind<'a>,
    ) -> impl DoubleEndedIterator<Item = &'a Entry> + Clone {
        self.0
            .iter()
            .map(Arc::as_ref)
            .filter(move |entry| entry.direction == direction && what.is(&entry.message))
    }

    pub(in crate::check) fn sent<'a>(&'a self, what: MessageKind<'a>) -> Option<&'a Entry> {
        self.all(Direction::Sent, what).next()
    }

    pub(in crate::check) fn received<'a>(&'a self, what: MessageKind<'a>) -> Option<&'a Entry> {
        self.all(Direction::Received, what).next()
    }

    pub(in crate::check) fn received_last<'a>(&'a self, what: MessageKind<'a>) -> Option<&'a Entry> {
        self.all(Direction::Received, what).next_back()
    }

    /// Each answer that came, with the request of ours that it is for.
    pub(in crate::check) fn answers(&self) -> impl Iterator<Item = (&Message, &Message)> {
        // By branch, each read once: a flood makes the record long.
        let mut requests: HashMap<Vec<u8>, Vec<&Message>> = HashMap::new();
        for sent in self.0.iter().filter(|e| e.direction == Direction::Sent && e.message.is_request()) {
            if let Some(branch) = branch(&sent.message) {
                requests.entry(branch).or_default().push(&sent.message);
            }
        }
        let came = self.0.iter().filter(|entry| entry.direction == Direction::Received);
        came.filter(|entry| !entry.message.is_request()).filter_map(move |entry| {
            let cseq = entry.message.cseq().ok();
            let of_branch = requests.get(&branch(&entry.message)?)?;
            let request = of_branch.iter().copied().find(|request| request.cseq().ok() == cseq)?;
            Some((request, &entry.message))
        })
    }

    /// The URI that our INVITE was for; empty without one.
    pub(in crate::check) fn target(&self) -> String {
        let sent = self.sent(MessageKind::Request(Method::Invite));
        let uri = sent.and_then(|entry| entry.message.request_uri_bytes()).unwrap_or_default();
        String::from_utf8_lossy(uri).into_owned()
    }

    /// End of the request of this method that we sent since then in the call of which we are the caller (`is_caller`), or not; `None` where
    /// none was sent.
    pub(in crate::check) fn request_end(
        &self,
        is_caller: bool,
        method: Method<'_>,
        since: Instant,
    ) -> Option<RequestEnd> {
        let own_tag = self.own_tag(is_caller);
        let is_ours = |entry: &&Entry| {
            entry.at >= since
                && own_tag.as_ref().is_none_or(|tag| from_tag(&entry.message).as_ref() == Some(tag))
        };
        let mut end = None::<RequestEnd>;
        let mut number = None;
        for request in self.all(Direction::Sent, MessageKind::Request(method)).filter(is_ours) {
            if number == Some(request.number()) {
                continue;
            }
            number = Some(request.number());
            let answers =
                self.all(Direction::Received, MessageKind::Response(method, 100, 699)).filter(|answer| {
                    answer.number() == request.number()
                        && answer.at >= request.at
                        && branch(&answer.message) == branch(&request.message)
                });
            let last = answers.max_by_key(|answer| answer.message.status() >= Some(200));
            let known = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
            let has_credentials = known.into_iter().any(|name| request.message.header(name).is_some());
            let earlier = end.take().map(|end| {
                let RequestEnd { mut earlier, last, .. } = end;
                if let Reply::Refused(at, said) = last {
                    earlier.push((at, said.status));
                }
                earlier
            });
            let last = last.map_or(Reply::Nothing, |answer| {
                let said = Said::read(&answer.message);
                match said.status {
                    100..=199 => Reply::Provisional(said.status_line()),
                    200..=299 => Reply::Accepted(said.status),
                    _ => Reply::Refused(answer.at, Box::new(said)),
                }
            });
            let is_offer = matches!(method, Method::Invite | Method::Update);
            end = Some(RequestEnd {
                earlier: earlier.unwrap_or_default(),
                has_credentials,
                is_unsent: false,
                is_offer,
                last,
            });
        }
        end
    }

    /// The BYE that the peer sent us in the call of which we are the caller (`is_caller`), or not; and did it come before ours went out?
    /// One that we refused has ended nothing.
    pub(in crate::check) fn peers_bye(&self, is_caller: bool) -> Option<(&Entry, bool)> {
        let own_tag = self.own_tag(is_caller);
        let is_for_us = |message: &Message| {
            let tag = message.to().ok().and_then(|to| to.tag().map(<[u8]>::to_vec));
            own_tag.is_none() || tag == own_tag
        };
        let is_from_us = |message: &Message| own_tag.is_none() || from_tag(message) == own_tag;
        let bye = |entry: &Arc<Entry>, direction| {
            entry.direction == direction && MessageKind::Request(Method::Bye).is(&entry.message)
        };
        let is_refused = |bye: &Entry| {
            let mut refusals = self.all(Direction::Sent, MessageKind::Response(Method::Bye, 300, 699));
            refusals.any(|answer| branch(&answer.message) == branch(&bye.message))
        };
        let theirs = self
            .0
            .iter()
            .position(|e| bye(e, Direction::Received) && is_for_us(&e.message) && !is_refused(e))?;
        let ours = self.0.iter().position(|e| bye(e, Direction::Sent) && is_from_us(&e.message));
        Some((self.0.get(theirs)?, ours.is_none_or(|ours| theirs < ours)))
    }

    /// Is the first answer to the caller another than the callee's own, where both ends of a call have this Call-ID?
    pub(in crate::check) fn has_other_answer(&self) -> bool {
        let answer = MessageKind::Response(Method::Invite, 200, 299);
        let (first, own) = (self.received(answer), self.sent(answer));
        first.zip(own).is_some_and(|(first, own)| to_tag(first) != to_tag(own))
    }

    /// Was the caller answered by somebody else first, and by the callee too, where both ends of a call have this Call-ID?
    pub(in crate::check) fn is_answered_by_another_first(&self) -> bool {
        let answer = MessageKind::Response(Method::Invite, 200, 299);
        let own = self.sent(answer).map(to_tag);
        self.has_other_answer()
            && self.all(Direction::Received, answer).any(|entry| Some(to_tag(entry)) == own)
    }

    /// How many different ends answered our INVITE with a 2xx, by their tags.
    pub(in crate::check) fn answering_tags(&self) -> usize {
        let mut tags: Vec<_> = self
            .all(Direction::Received, MessageKind::Response(Method::Invite, 200, 299))
            .map(to_tag)
            .collect();
        tags.sort();
        tags.dedup();
        tags.len()
    }

    /// Our tag in this call.
    fn own_tag(&self, is_caller: bool) -> Option<Vec<u8>> {
        if is_caller {
            return from_tag(&self.sent(MessageKind::Request(Method::Invite))?.message);
        }
        let answer = self.sent(MessageKind::Response(Method::Invite, 101, 299))?;
        answer.message.to().ok()?.tag().map(<[u8]>::to_vec)
    }

    /// The session request delay of RFC 6076 sec. 4.3: from the first INVITE to the first sign that the far side is there, ringing or
    /// the final response.
    pub(in crate::check) fn request_delay(&self) -> Option<Duration> {
        let sent = self.sent(MessageKind::Request(Method::Invite))?.at;
        let ringing = self.received(MessageKind::Response(Method::Invite, 180, 199));
        let last =
            || self.all(Direction::Received, MessageKind::Response(Method::Invite, 200, 699)).next_back();
        Some(ringing.or_else(last)?.at.saturating_duration_since(sent))
    }

    /// The session disconnect delay of RFC 6076 sec. 4.4: from BYE to its final response.
    pub(in crate::check) fn disconnect_delay(&self) -> Option<Duration> {
        let sent = self.sent(MessageKind::Request(Method::Bye))?.at;
        let answered = self.received(MessageKind::Response(Method::Bye, 200, 699))?.at;
        Some(answered.saturating_duration_since(sent))
    }

    /// From ringing (or from the INVITE, where nothing rang) to the answer.
    pub(in crate::check) fn ringing_time(&self) -> Option<Duration> {
        let rang = self.received(MessageKind::Response(Method::Invite, 180, 199))?.at;
        let answered = self.received(MessageKind::Response(Method::Invite, 200, 299))?.at;
        Some(answered.saturating_duration_since(rang))
    }

    /// Did any response to our INVITE come, 100 too?
    pub(in crate::check) fn is_answered_at_all(&self) -> bool {
        self.received(MessageKind::Response(Method::Invite, 100, 699)).is_some()
    }

    /// Did any response to the last INVITE of ours come, 100 too? What came to one before it (a challenge) is not of it.
    pub(in crate::check) fn is_last_answered(&self) -> bool {
        let asked = self
            .all(Direction::Sent, MessageKind::Request(Method::Invite))
            .next_back()
            .and_then(Entry::number);
        self.all(Direction::Received, MessageKind::Response(Method::Invite, 100, 699))
            .any(|answer| answer.number() == asked)
    }

    /// The last INVITE of ours answers a challenge.
    pub(in crate::check) fn has_credentials(&self) -> bool {
        let last = self.all(Direction::Sent, MessageKind::Request(Method::Invite)).next_back();
        let known = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
        last.is_some_and(|invite| known.into_iter().any(|name| invite.message.header(name).is_some()))
    }

    /// Number of times that the far side sent its 2xx although an ACK of ours went out.
    pub(in crate::check) fn repeated_answers(&self) -> usize {
        let answer = MessageKind::Response(Method::Invite, 200, 299);
        // A refusal before (401, 407) has an ACK too, with another number.
        let Some(first) = self.received(answer) else { return 0 };
        let ack = self
            .all(Direction::Sent, MessageKind::Request(Method::Ack))
            .find(|ack| ack.number() == first.number());
        let Some(ack) = ack else { return 0 };
        let again = |entry: &&Entry| entry.at > ack.at && entry.number() == first.number();
        self.all(Direction::Received, answer).filter(again).count()
    }

    /// Did a re-INVITE or UPDATE of ours, sent after the answer, get no final response?
    pub(in crate::check) fn has_unanswered_refresh(&self) -> bool {
        [Method::Invite, Method::Update].into_iter().any(|method| {
            let last = self.all(Direction::Sent, MessageKind::Request(method)).next_back();
            last.is_some_and(|request| {
                let in_dialog = request.message.to().is_ok_and(|to| to.tag().is_some());
                let answers = self.all(Direction::Received, MessageKind::Response(method, 200, 699));
                in_dialog && !answers.into_iter().any(|answer| answer.number() == request.number())
            })
        })
    }

    /// Did the last INVITE of ours get a final response?
    pub(in crate::check) fn has_final(&self) -> bool {
        let asked = self
            .all(Direction::Sent, MessageKind::Request(Method::Invite))
            .next_back()
            .and_then(Entry::number);
        self.all(Direction::Received, MessageKind::Response(Method::Invite, 200, 699))
            .any(|answer| answer.number() == asked)
    }

    /// Was a CANCEL of ours answered with a 2xx?
    pub(in crate::check) fn is_cancel_taken(&self) -> bool {
        self.received(MessageKind::Response(Method::Cancel, 200, 299)).is_some()
    }

    /// A CANCEL that came and that our end had to refuse, for it matches no INVITE (RFC 3261 sec. 9.2): how it was answered, and what differs.
    pub(in crate::check) fn unmatched_cancel(&self) -> Option<String> {
        let refusal = self.sent(MessageKind::Response(Method::Cancel, 300, 699))?;
        let status = refusal.message.status()?;
        let is_of = |entry: &&Entry| branch(&entry.message) == branch(&refusal.message);
        let cancel = self.all(Direction::Received, MessageKind::Request(Method::Cancel)).find(is_of)?;
        let mut invites = self.all(Direction::Received, MessageKind::Request(Method::Invite));
        let shown = |branch: Option<Vec<u8>>| branch.as_deref().map_or_else(|| "none".to_owned(), quoted);
        let invite = invites.clone().next()?;
        let differs = if !invites.any(|invite| branch(&invite.message) == branch(&cancel.message)) {
            let [ours, theirs] = [invite, cancel].map(|entry| shown(branch(&entry.message)));
            format!("its branch is {theirs}, and that of the INVITE {ours}")
        } else {
            "though its branch is that of the INVITE".to_owned()
        };
        Some(format!("matches no INVITE, and was answered {status}: {differs}"))
    }

    /// Did an ACK come to the final response with this To tag? Of several ends in one Call-ID each has its own.
    pub(in crate::check) fn is_acknowledged(&self, tag: &str) -> bool {
        let of_it = |entry: &Entry| {
            entry.message.to().is_ok_and(|to| to.tag().is_some_and(|theirs| theirs == tag.as_bytes()))
        };
        self.all(Direction::Received, MessageKind::Request(Method::Ack)).any(of_it)
    }

    /// How often requests of this method that we sent since then went out again: the same, to their branches.
    pub(in crate::check) fn repeated_requests(&self, method: Method<'_>, since: Instant) -> usize {
        let sent = self.all(Direction::Sent, MessageKind::Request(method)).filter(|entry| entry.at >= since);
        let (branches, mut known): (Vec<_>, Vec<Option<Vec<u8>>>) =
            (sent.map(|entry| branch(&entry.message)).collect(), Vec::new());
        let mut repeated = 0;
        for branch in branches {
            if known.contains(&branch) {
                repeated += 1;
            } else {
                known.push(branch);
            }
        }
        repeated
    }

    /// The CSeq numbers of an ACK that came under this tag of ours and fits no 2xx of ours, and of the 2xx that none fits.
    pub(in crate::check) fn misnumbered_ack(&self, tag: &str) -> Option<(u32, u32)> {
        let numbers = |way, what| -> Vec<u32> {
            let ours = self.all(way, what).filter(|entry| to_tag(entry).as_deref() == Some(tag.as_bytes()));
            ours.filter_map(Entry::number).collect()
        };
        let acks = numbers(Direction::Received, MessageKind::Request(Method::Ack));
        let answers = numbers(Direction::Sent, MessageKind::Response(Method::Invite, 200, 299));
        let came = acks.iter().find(|ack| !answers.contains(ack))?;
        let due = answers.iter().find(|answer| !acks.contains(answer))?;
        Some((*came, *due))
    }

    /// A 2xx of ours to an INVITE, under this tag of ours, that no ACK came to: when it went out first, and is it that of a re-INVITE?
    pub(in crate::check) fn unacknowledged(
        &self,
        tag: &str,
        now: Instant,
        due: Duration,
    ) -> Option<(Instant, bool)> {
        let is_ours = |entry: &&Entry| to_tag(entry).as_deref() == Some(tag.as_bytes());
        let acks: Vec<Option<u32>> = self
            .all(Direction::Received, MessageKind::Request(Method::Ack))
            .filter(is_ours)
            .map(Entry::number)
            .collect();
        let answers: Vec<&Entry> = self
            .all(Direction::Sent, MessageKind::Response(Method::Invite, 200, 299))
            .filter(is_ours)
            .collect();
        let began = answers.first()?.number();
        let is_caller = self
            .sent(MessageKind::Request(Method::Invite))
            .is_some_and(|invite| from_tag(&invite.message).as_deref() == Some(tag.as_bytes()));
        // Repeated ones come after the first.
        let open = answers.iter().find(|answer| !acks.contains(&answer.number()))?;
        let is_late = now.saturating_duration_since(open.at) >= due;
        is_late.then(|| (open.at, is_caller || open.number() != began))
    }

    /// Is our 2xx without ACK? `None` where we sent none.
    pub(in crate::check) fn waits_for_ack(&self) -> Option<bool> {
        self.sent(MessageKind::Response(Method::Invite, 200, 299))?;
        Some(self.received(MessageKind::Request(Method::Ack)).is_none())
    }
}

impl MessageKind<'_> {
    fn is(self, message: &Message) -> bool {
        match self {
            MessageKind::Request(method) => message.method() == Some(method),
            MessageKind::Response(method, from, to) => {
                message.status().is_some_and(|status| (from..=to).contains(&status))
                    && message.cseq().is_ok_and(|cseq| cseq.method == method)
            }
        }
    }
}

/// The Reason values of a message (RFC 3326).
pub(in crate::check) fn reasons(message: &Message) -> Vec<String> {
    message.values(HeaderName::Reason).map(quoted).collect()
}

/// The To tag of an answer.
fn to_tag(entry: &Entry) -> Option<Vec<u8>> {
    entry.message.to().ok()?.tag().map(<[u8]>::to_vec)
}

fn branch(message: &Message) -> Option<Vec<u8>> {
    message.top_via().ok()?.branch().map(<[u8]>::to_vec)
}

fn from_tag(message: &Message) -> Option<Vec<u8>> {
    message.from().ok()?.tag().map(<[u8]>::to_vec)
}

/// A header's first value as text, empty where there is none.
pub(in crate::check) fn header(message: &Message, name: HeaderName) -> String {
    message.header(name).map(|value| String::from_utf8_lossy(value).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Builder, Flow, Transport};

    fn record(call_id: &str) -> Record {
        let message = Builder::request(Method::Options, "sip:bob@192.0.2.1")
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, "1 OPTIONS")
            .build()
            .unwrap();
        let (local, remote) = ("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:5060".parse().unwrap());
        let flow = Flow { transport: Transport::Udp, local, remote };
        let event = RecordEvent::Message {
            direction: Direction::Sent,
            bytes: message.bytes().clone(),
            retransmission: 0,
        };
        Record { at: Instant::now(), flow, event }
    }

    #[test]
    fn each_record_is_read_once_and_found_under_its_call_id() {
        let traces = Traces::default();
        let sent = |trace: &Trace| trace.all(Direction::Sent, MessageKind::Request(Method::Options)).count();
        let first = traces.of("a", |from| {
            assert_eq!(from, 0);
            vec![record("a"), record("ab"), record("a")]
        });
        assert_eq!(sent(&first), 2);
        let later = traces.of("ab", |from| {
            assert_eq!(from, 3, "what was read is asked for again");
            vec![record("ab")]
        });
        assert_eq!((sent(&later), sent(&traces.of("c", |_| Vec::new()))), (2, 0));
    }
}
