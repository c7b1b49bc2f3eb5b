//! Messages beyond one final answer to each request of a registration: a second one, or bytes that belong to none.

use super::unused::{in_words, line_of, unread};
use crate::check::{Finding, Severity, Side};
use crate::message::{Message, branch_of};
use crate::syntax::{Limits, Method};
use crate::transport::{Direction, Record, RecordEvent};

/// The warnings for what came beside good answers in these records, each kind once.
pub(in crate::check) fn surplus(records: &[Record]) -> Vec<Finding> {
    second_final(records).into_iter().chain(behind_an_answer(records)).collect()
}

/// Two final answers with different statuses to one request. The same status again is a retransmission, or an answer to ours.
fn second_final(records: &[Record]) -> Option<Finding> {
    // Branch and place of the first final answer to each request.
    let mut finals: Vec<(&[u8], usize, Message)> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let RecordEvent::Message { direction: Direction::Received, bytes, .. } = &record.event else {
            continue;
        };
        let Some(branch) = branch_of(bytes) else { continue };
        let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) else { continue };
        let is_of_register = message.cseq().is_ok_and(|cseq| cseq.method == Method::Register);
        if !is_of_register || message.status().is_none_or(|status| status < 200) {
            continue;
        }
        let Some((_, first, before)) = finals.iter().find(|(known, ..)| *known == branch) else {
            finals.push((branch, index, message));
            continue;
        };
        if before.status() == message.status() {
            continue;
        }
        let later = record.at.saturating_duration_since(records[*first].at);
        let request = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        return Some(
            Finding::new(
                "second-final-answer",
                Severity::Warning,
                Side::Peer,
                format!(
                    "one REGISTER (CSeq {request}) got two final answers: {}, and {} later {}; the first counts",
                    line_of(before),
                    in_words(later),
                    line_of(&message)
                ),
                "platform: an edge that sends the request to two nodes, or a node that answers twice: which answer counts is left to chance for a phone",
            )
            .shown_by(*first..index + 1),
        );
    }
    None
}

fn behind_an_answer(records: &[Record]) -> Option<Finding> {
    let mut unread = (0..records.len()).filter_map(|index| Some((index, unread(records, index)?)));
    unread.find_map(|(index, unread)| {
        let (seen, advice) = unread.beside_answers()?;
        let finding = Finding::new("content-length-wrong", Severity::Warning, Side::Peer, seen, advice);
        Some(finding.shown_by(index.saturating_sub(1)..index + 1))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Flow, Transport};
    use std::time::{Duration, Instant};

    fn records(answers: &[(&str, u32, &str)]) -> Vec<Record> {
        let began = Instant::now();
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.7:5070".parse().unwrap(),
            remote: "203.0.113.1:5060".parse().unwrap(),
        };
        let record = |(at, (branch, cseq, rest)): (usize, &(&str, u32, &str))| {
            let (status, method) = rest.split_once('|').unwrap_or((rest, "REGISTER"));
            let text = format!(
                "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{branch}\r\nCSeq: {cseq} {method}\r\n\r\n"
            );
            let event = RecordEvent::Message {
                direction: Direction::Received,
                bytes: text.into(),
                retransmission: 0,
            };
            Record { at: began + Duration::from_millis(at as u64), flow, event }
        };
        answers.iter().enumerate().map(record).collect()
    }

    #[test]
    fn a_second_final_answer_is_told_and_a_retransmission_is_none() {
        for (answers, told) in [
            (
                &[("a", 1, "200 OK"), ("a", 1, "403 Forbidden")][..],
                Some("200 OK, and 1 ms later 403 Forbidden"),
            ),
            (
                &[("a", 1, "403 Forbidden"), ("b", 2, "200 OK"), ("a", 1, "200 OK")],
                Some("403 Forbidden, and 2 ms later 200 OK"),
            ),
            (&[("a", 1, "401 Unauthorized"), ("a", 1, "200 OK")], Some("401 Unauthorized")),
            (&[("a", 1, "200 OK"), ("a", 1, "200 OK")], None),
            (&[("a", 1, "100 Trying"), ("a", 1, "200 OK")], None),
            (&[("a", 1, "401 Unauthorized"), ("b", 2, "200 OK")], None),
            (&[("a", 1, "200 OK|INVITE"), ("a", 1, "486 Busy|INVITE")], None),
        ] {
            let found = surplus(&records(answers));
            let seen = found.first().map(|finding| finding.seen.clone());
            assert_eq!(seen.is_some(), told.is_some(), "{answers:?}: {seen:?}");
            if let (Some(seen), Some(told)) = (seen, told) {
                assert!(seen.contains(told), "{seen}");
            }
        }
    }
}
