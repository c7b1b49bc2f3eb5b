//! Calls that came to a binding of ours while it was there only to be looked at.

use super::quote::quoted;
use crate::check::{Finding, Severity, Side};
use crate::message::{Message, branch_of};
use crate::syntax::{HeaderName, Limits, Method, NameAddr};
use crate::transport::{Direction, Record, RecordEvent};
use std::collections::BTreeSet;

/// Callers that are named.
const NAMED: usize = 3;

/// The warning for calls among these records that were refused with 480, as is done with those to a binding of ours; `account` is its name.
pub(in crate::check) fn meanwhile(records: &[Record], account: &str) -> Option<Finding> {
    let bytes_of = |record: &'_ Record, wanted| match &record.event {
        RecordEvent::Message { direction, bytes, .. } if *direction == wanted => Some(bytes.clone()),
        _ => None,
    };
    let refused: BTreeSet<Vec<u8>> = records
        .iter()
        .filter_map(|record| bytes_of(record, Direction::Sent))
        .filter(|bytes| bytes.starts_with(b"SIP/2.0 480 "))
        .filter_map(|bytes| branch_of(&bytes).map(<[u8]>::to_vec))
        .collect();
    if refused.is_empty() {
        return None;
    }
    let mut calls: Vec<(usize, Vec<u8>, String)> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let Some(bytes) = bytes_of(record, Direction::Received) else { continue };
        if !branch_of(&bytes).is_some_and(|branch| refused.contains(branch)) {
            continue;
        }
        let Ok(message) = Message::parse(bytes, &Limits::default()) else { continue };
        let call_id = message.call_id().unwrap_or_default().to_vec();
        // Another branch of the same call is no other call.
        if message.method() == Some(Method::Invite) && calls.iter().all(|(_, known, _)| *known != call_id) {
            calls.push((index, call_id, caller(&message)));
        }
    }
    let (first, last) = (calls.first()?.0, calls.last()?.0);
    let mut callers: Vec<&str> = calls.iter().map(|(.., caller)| caller.as_str()).collect();
    callers.dedup();
    let more = callers.len().saturating_sub(NAMED);
    callers.truncate(NAMED);
    let named = callers.join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (who, they) = match calls.len() {
        1 => (format!("{named} called {account} during the check"), "refused"),
        number => (
            format!("{number} calls came to {account} during the check (from {named}{more})"),
            "each refused",
        ),
    };
    let finding = Finding::new(
        "foreign-call",
        Severity::Warning,
        Side::Setup,
        format!("{who}: {they} with 480, so that its other devices ring on"),
        "somebody uses this account, and may have heard that nobody is there: take a test account, or a quiet hour",
    );
    Some(finding.shown_by(first..last + 1))
}

/// Who calls: as the platform asserts it, else as From shows it.
fn caller(invite: &Message) -> String {
    let asserted = invite.values(HeaderName::PAssertedIdentity).next();
    let asserted = asserted.and_then(|value| NameAddr::parse_first(value).ok()).map(|(address, _)| address);
    let shown = asserted.or_else(|| invite.from().ok());
    shown.map_or_else(|| "somebody".to_owned(), |address| quoted(address.uri().as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Flow, Transport};
    use std::time::Instant;

    fn record(direction: Direction, text: String) -> Record {
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.7:5070".parse().unwrap(),
            remote: "203.0.113.1:5060".parse().unwrap(),
        };
        let bytes = text.into_bytes().into();
        Record {
            at: Instant::now(),
            flow,
            event: RecordEvent::Message { direction, bytes, retransmission: 0 },
        }
    }

    /// A call with this Call-ID and branch from this address, answered with this status.
    fn call(call_id: &str, branch: &str, from: &str, status: u16) -> [Record; 2] {
        let head = format!(
            "Via: SIP/2.0/UDP 203.0.113.1;branch={branch}\r\nFrom: {from};tag=f\r\nTo: <sip:a@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        [
            record(Direction::Received, format!("INVITE sip:a@192.0.2.7:5070 SIP/2.0\r\n{head}")),
            record(Direction::Sent, format!("SIP/2.0 {status} No\r\n{head}")),
        ]
    }

    #[test]
    fn calls_are_counted_by_their_call_id_and_named_by_their_callers() {
        let one = || call("1", "z9hG4bKa", "<sip:4930@h>", 480);
        let fork = || call("1", "z9hG4bKb", "<sip:4930@h>", 480);
        let other = || call("2", "z9hG4bKc", "<sip:4989@h>", 480);
        let scan = || call("3", "z9hG4bKd", "<sip:100@198.51.100.7>", 405);
        for (records, seen) in [
            (vec![one()], Some("sip:4930@h called alice during the check: refused with 480")),
            (vec![one(), fork()], Some("sip:4930@h called alice")),
            (
                vec![one(), other()],
                Some("2 calls came to alice during the check (from sip:4930@h, sip:4989@h): each refused"),
            ),
            (vec![one(), scan()], Some("sip:4930@h called alice")),
            (vec![scan()], None),
            (vec![], None),
        ] {
            let found = meanwhile(&records.concat(), "alice");
            assert_eq!(found.is_some(), seen.is_some());
            let told = found.map(|found| found.seen).unwrap_or_default();
            assert!(told.contains(seen.unwrap_or_default()), "{told}");
        }
    }
}
