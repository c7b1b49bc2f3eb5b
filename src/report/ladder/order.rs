//! In which order the lanes of a ladder stand, and whose they are.

use crate::check::Transcript;
use crate::message::{Flow, Message, Transport};
use crate::syntax::{Limits, Method};
use crate::transport::{Direction, RecordEvent};
use std::net::SocketAddr;

/// One end of the flows of a transcript.
#[derive(Debug)]
pub(super) struct End {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
    /// The user of the first request that left from here, where it is an end of ours.
    pub(super) user: Option<String>,
    side: Side,
}

/// Where an end stands: the caller at the left, who is called at the right, servers between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Caller,
    Server,
    Called,
}

/// The ends of all flows, from left to right. Where nobody calls they stand as they appear.
pub(super) fn ends(transcript: &Transcript) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    let mut is_call = false;
    // Whether the first INVITE at an end of ours left from there.
    let mut invited: Vec<(usize, bool)> = Vec::new();
    for record in &transcript.records {
        let Flow { transport, local, remote } = record.flow;
        let ours = place(&mut ends, transport, local, Side::Called);
        place(&mut ends, transport, remote, Side::Server);
        let RecordEvent::Message { direction, bytes, .. } = &record.event else { continue };
        let is_sent = *direction == Direction::Sent;
        let Some(end) = ends.get_mut(ours) else { continue };
        let is_known = end.user.is_some() && invited.iter().any(|(known, _)| *known == ours);
        if is_known || bytes.starts_with(b"SIP/2.0 ") {
            continue;
        }
        let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) else { continue };
        if is_sent && end.user.is_none() {
            end.user = message.from().ok().and_then(|from| from.uri().user().map(super::ascii));
        }
        if message.method() == Some(Method::Invite) && invited.iter().all(|(known, _)| *known != ours) {
            is_call = true;
            invited.push((ours, is_sent));
        }
    }
    for (at, is_caller) in invited {
        if let Some(end) = ends.get_mut(at).filter(|_| is_caller) {
            end.side = Side::Caller;
        }
    }
    if is_call {
        ends.sort_by_key(|end| end.side);
    }
    ends
}

/// The number of an end; one of ours stays so where the other side of a flow is ours too.
fn place(ends: &mut Vec<End>, transport: Transport, address: SocketAddr, side: Side) -> usize {
    match ends.iter().position(|end| (end.transport, end.address) == (transport, address)) {
        Some(at) => {
            if let Some(end) = ends.get_mut(at).filter(|_| side == Side::Called) {
                end.side = side;
            }
            at
        }
        None => {
            ends.push(End { transport, address, user: None, side });
            ends.len() - 1
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::transport::Record;
    use std::time::{Instant, SystemTime};

    /// Records of requests: from port, to port, whether we sent it, method, user in From.
    fn transcript(requests: &[(u16, u16, bool, &str, &str)]) -> Transcript {
        let began = Instant::now();
        let mut transcript = Transcript::empty(began, SystemTime::UNIX_EPOCH);
        let address = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        for (from, to, is_sent, method, user) in requests {
            let (local, remote) = if *is_sent { (*from, *to) } else { (*to, *from) };
            let text = format!(
                "{method} sip:x@lab.example SIP/2.0\r\nFrom: <sip:{user}@lab.example>;tag=1\r\nCSeq: 1 {method}\r\n\r\n"
            );
            let direction = if *is_sent { Direction::Sent } else { Direction::Received };
            transcript.records.push(Record {
                at: began,
                flow: Flow { transport: Transport::Udp, local: address(local), remote: address(remote) },
                event: RecordEvent::Message { direction, bytes: text.into(), retransmission: 0 },
            });
        }
        transcript
    }

    fn drawn(requests: &[(u16, u16, bool, &str, &str)]) -> Vec<(u16, Option<String>)> {
        ends(&transcript(requests)).into_iter().map(|end| (end.address.port(), end.user)).collect()
    }

    #[test]
    fn the_caller_stands_left_of_the_servers_and_who_is_called_right_of_them() {
        let (alice, bob, carol, proxy) = (1, 2, 3, 5060);
        let ends = drawn(&[
            (bob, proxy, true, "REGISTER", "bob"),
            (carol, proxy, true, "REGISTER", "carol"),
            (alice, proxy, true, "INVITE", "alice"),
            (proxy, bob, false, "INVITE", "alice"),
            // The transferee calls the target: it is still the one that was called.
            (bob, proxy, true, "INVITE", "bob"),
            (proxy, carol, false, "INVITE", "bob"),
        ]);
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(ends, [(alice, name("alice")), (proxy, None), (bob, name("bob")), (carol, name("carol"))]);
    }

    #[test]
    fn ends_of_ours_that_talk_to_each_other_are_no_servers() {
        let ends = drawn(&[(2, 1, true, "INVITE", "alice"), (2, 1, false, "INVITE", "alice")]);
        assert_eq!(ends, [(2, Some("alice".to_owned())), (1, None)]);
    }

    #[test]
    fn where_nobody_calls_they_stand_as_they_appear() {
        let ends = drawn(&[(2, 5060, true, "REGISTER", "bob"), (1, 5060, true, "OPTIONS", "alice")]);
        let ports: Vec<u16> = ends.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports, [2, 5060, 1]);
    }
}
