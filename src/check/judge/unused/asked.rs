//! The requests that were sent, and which of them a message answers: by branch and method (RFC 3261 sec. 17.1.3).

use super::message;
use crate::message::Message;
use crate::syntax::Method;
use crate::transport::{Direction, Record};
use std::collections::{HashMap, HashSet};

/// The requests that were sent, by what an answer is known by. Each is read once: a flood makes the record long.
#[derive(Default)]
pub(super) struct Asked {
    requests: Vec<Message>,
    /// The requests of each branch: a CANCEL has that of its INVITE (RFC 3261 sec. 9.1), as the ACK to a refusal has (sec. 17.1.1.3).
    by_branch: HashMap<Vec<u8>, Vec<usize>>,
    call_ids: HashSet<Vec<u8>>,
    froms: HashSet<Vec<u8>>,
}

impl Asked {
    pub(super) fn of(records: &[Record]) -> Asked {
        let mut asked = Asked::default();
        let sent = records.iter().filter_map(|record| message(record, Direction::Sent));
        sent.filter(Message::is_request).for_each(|request| asked.add(request));
        asked
    }

    fn add(&mut self, request: Message) {
        if let Some(branch) = branch_of(&request) {
            let same = self.by_branch.entry(branch).or_default();
            let is_known = |number: &usize| {
                self.requests.get(*number).is_some_and(|known| known.method() == request.method())
            };
            // What goes out again is one request.
            if !same.iter().any(is_known) {
                same.push(self.requests.len());
            }
        }
        self.call_ids.extend(request.call_id().ok().map(<[u8]>::to_vec));
        self.froms.extend(from_of(&request));
        self.requests.push(request);
    }

    /// The request with the branch of this message: that of its method, or else the first one.
    pub(super) fn by_branch(&self, came: &Message) -> Option<&Message> {
        let same = self.by_branch.get(&branch_of(came)?)?;
        let requests = || same.iter().filter_map(|number| self.requests.get(*number));
        let method = came.cseq().ok().map(|cseq| cseq.method);
        // Nothing answers an ACK.
        let is_of = |request: &&Message| {
            request.method() == method && (came.is_request() || method != Some(Method::Ack))
        };
        requests().find(is_of).or_else(|| requests().next())
    }

    /// The branches of all of them.
    pub(super) fn branches(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.by_branch.keys()
    }

    /// Has it the Call-ID or the From address of one of them?
    pub(super) fn is_alike(&self, came: &Message) -> bool {
        let by_call_id = came.call_id().is_ok_and(|call_id| self.call_ids.contains(call_id));
        by_call_id || from_of(came).is_some_and(|from| self.froms.contains(&from))
    }
}

fn branch_of(message: &Message) -> Option<Vec<u8>> {
    message.top_via().ok().and_then(|via| via.branch().map(<[u8]>::to_vec))
}

fn from_of(message: &Message) -> Option<Vec<u8>> {
    message.from().ok().map(|from| from.uri().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Unused, unused};
    use super::*;
    use crate::message::{Flow, Transport};
    use crate::transport::RecordEvent;
    use std::time::Instant;

    fn record(direction: Direction, start: &str, cseq: &str) -> Record {
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1@x\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
        );
        let (local, remote) = ("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:5060".parse().unwrap());
        Record {
            at: Instant::now(),
            flow: Flow { transport: Transport::Udp, local, remote },
            event: RecordEvent::Message { direction, bytes: text.into(), retransmission: 0 },
        }
    }

    #[test]
    fn an_answer_belongs_to_the_request_of_its_branch_and_method() {
        let sent =
            |method: &str, cseq: &str| record(Direction::Sent, &format!("{method} sip:b@x SIP/2.0"), cseq);
        let judged = |cseq: &str, with_cancel: bool| {
            let mut records =
                vec![sent("INVITE", "2 INVITE"), sent("INVITE", "2 INVITE"), sent("ACK", "2 ACK")];
            records.extend(with_cancel.then(|| sent("CANCEL", "2 CANCEL")));
            records.push(record(Direction::Received, "SIP/2.0 200 OK", cseq));
            unused(&records, 0..records.len())
        };
        assert_eq!(judged("2 CANCEL", true), None, "it answers the CANCEL");
        assert_eq!(judged("2 INVITE", true), None);
        // The number is wrong, or nothing of the kind was asked.
        for (cseq, with_cancel, asked) in [
            ("3 CANCEL", true, "2 CANCEL"),
            ("2 CANCEL", false, "2 INVITE"),
            ("2 ACK", true, "2 INVITE"),
            ("1 INVITE", true, "2 INVITE"),
        ] {
            let expected =
                Unused::Cseq { status: "200 OK".to_owned(), came: cseq.to_owned(), asked: asked.to_owned() };
            assert_eq!(judged(cseq, with_cancel), Some(expected), "{cseq}");
        }
    }
}
