//! What was on the wire, once and in the order of time: where both ends of a message are ours, both have recorded it.

use crate::check::Transcript;
use crate::message::Flow;
use crate::transport::{Direction, Record, RecordEvent};
use std::collections::HashMap;

/// The records of a transcript in the order of their times, without the arrivals of messages whose sending is recorded too.
pub(super) fn records(transcript: &Transcript) -> Vec<&Record> {
    let mut records: Vec<&Record> = transcript.records.iter().collect();
    records.sort_by_key(|record| record.at);
    // How often these bytes were sent this way and have not arrived yet.
    let mut on_the_way: HashMap<(Flow, &[u8]), usize> = HashMap::new();
    for record in &records {
        if let RecordEvent::Message { direction: Direction::Sent, bytes, .. } = &record.event {
            *on_the_way.entry((record.flow, bytes)).or_default() += 1;
        }
    }
    records.retain(|record| {
        let RecordEvent::Message { direction: Direction::Received, bytes, .. } = &record.event else {
            return true;
        };
        let Flow { transport, local, remote } = record.flow;
        let sent = on_the_way.get_mut(&(Flow { transport, local: remote, remote: local }, &**bytes));
        match sent {
            Some(times) if *times > 0 => {
                *times -= 1;
                false
            }
            _ => true,
        }
    });
    records
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Transport;
    use std::time::{Duration, Instant, SystemTime};

    #[test]
    fn a_message_between_two_ends_of_ours_stands_there_once_and_in_its_time() {
        let began = Instant::now();
        let (a, b) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        let record = |millis, local, remote, direction, text: &'static str| Record {
            at: began + Duration::from_millis(millis),
            flow: Flow { transport: Transport::Udp, local, remote },
            event: RecordEvent::Message { direction, bytes: text.into(), retransmission: 0 },
        };
        let mut transcript = Transcript::empty(began, SystemTime::UNIX_EPOCH);
        transcript.records = vec![
            record(1, a, b, Direction::Sent, "one"),
            record(3, b, a, Direction::Received, "one"),
            record(2, a, b, Direction::Sent, "one"),
            // Sent twice, arrived once; this one came from elsewhere.
            record(4, b, a, Direction::Received, "two"),
            record(5, b, a, Direction::Sent, "one"),
        ];
        let times: Vec<u128> =
            records(&transcript).iter().map(|record| record.at.duration_since(began).as_millis()).collect();
        assert_eq!(times, [1, 2, 4, 5]);
    }
}
